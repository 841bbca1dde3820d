/* SPDX-License-Identifier: Apache-2.0
 * Tables in files of every format: their rows, what is refused, and that the format makes no
 * difference to what is learnt from them. */
#include "trainkit.h"
#include "filekit.h"
#include "nomem.h"
#include <asy/training.h>
#include "data/source.h"
#include "data/svm.h"

/* ---- rows ----------------------------------------------------------------------------------- */

/* Rows as text: number, cells in <> (texts) or [] (numbers), rows ended by |. */
static int note(void *arg, uint64_t row, const struct asy__cell *cells, size_t n,
                struct asy_error *err)
{
    struct asy_buf *seen = arg;

    (void)err;
    asy_buf_addf(seen, "%llu", (unsigned long long)row);
    for (size_t i = 0; i < n; i++)
        if (cells[i].text)
            asy_buf_addf(seen, "<%.*s>", (int)cells[i].len, cells[i].text);
        else
            asy_buf_addf(seen, "[%.9g]", cells[i].number);
    asy_buf_addc(seen, '|');
    return 0;
}

struct file {
    char dir[64], path[128], labels[128];
};

static bool make_file(struct file *f, const void *bytes, size_t n)
{
    if (!T_TRUE(kit_dir(f->dir) != NULL))
        return false;
    snprintf(f->path, sizeof f->path, "%s/data", f->dir);
    snprintf(f->labels, sizeof f->labels, "%s/labels", f->dir);
    return kit_write(f->path, bytes, n);
}

/* Rows of the file under the options of a study's data; 0, or what it was refused with. */
static int read_rows(const struct file *f, const char *options, struct asy_buf *seen,
                     struct asy_error *err)
{
    struct asy_json *job = kit_job(f->path, options, "train_loss", "minimize", 1, "", "");
    struct asy__source source = { 0 };
    struct asy__data_spec spec;
    uint32_t crc[2] = { 0, 1 };
    size_t first;
    int rc;

    asy_buf_clear(seen);
    rc = asy__data_spec_read(asy_json_get(asy_json_get(job, "study"), "data"), &spec, err);
    if (rc == 0 && (rc = asy__source_open(&spec, NULL, &source, err)) == 0 &&
        (rc = asy__source_rows(&source, note, seen, &crc[0], err)) == 0) {
        first = seen->len;
        T_OK(asy__source_rows(&source, note, seen, &crc[1], err), err);
        T_EQ("a second reading", seen->len, 2 * first);
        T_EQ("a second reading", memcmp(seen->data, seen->data + first, first), 0);
        T_EQ("checksum", crc[0], crc[1]);
        seen->data[first] = '\0';
    }
    asy__source_close(&source);
    asy_json_destroy(job);
    return rc;
}

static void rows_are(const char *name, const void *bytes, size_t n, const char *options,
                     const char *want)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf seen;
    struct file f;

    asy_buf_init(&seen, 1u << 20);
    if (make_file(&f, bytes, n)) {
        if (T_OK(read_rows(&f, options, &seen, &err), &err))
            T_STR(name, seen.data, want);
        kit_rmdir(f.dir);
    }
    asy_buf_fini(&seen);
}

static void refused(const char *name, const void *bytes, size_t n, const char *options,
                    const char *says)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf seen;
    struct file f;

    asy_buf_init(&seen, 1u << 20);
    if (make_file(&f, bytes, n)) {
        if (!T_TRUE(read_rows(&f, options, &seen, &err) < 0))
            fprintf(stderr, "  accepted: %s\n", name);
        T_HAS(name, err.text, says);
        T_HAS(name, err.text, f.path);
        kit_rmdir(f.dir);
    }
    asy_buf_fini(&seen);
}

#define BYTES(s) s, sizeof(s) - 1
static void every_type_of_numpy_that_has_numbers_or_texts_is_read(void)
{
    static const struct {
        const char *type, *shape, *bytes;
        size_t n;
        const char *want;
    } cases[] = {
        { "|b1", "2,", BYTES("\0\1"), "1[0]|2[1]|" },
        { "|i1", "1, 3", BYTES("\1\xff\x80"), "1[1][-1][-128]|" },
        { "|u1", "2, 2", BYTES("\0\1\xfe\xff"), "1[0][1]|2[254][255]|" },
        { "<i2", "2,", BYTES("\xfe\xff\1\1"), "1[-2]|2[257]|" },
        { ">i2", "2,", BYTES("\xff\xfe\1\2"), "1[-2]|2[258]|" },
        { "<u2", "1,", BYTES("\xfe\xff"), "1[65534]|" },
        { "<i4", "1,", BYTES("\xff\xff\xff\xff"), "1[-1]|" },
        { ">u4", "1,", BYTES("\xff\xff\xff\xff"), "1[4.2949673e+09]|" },
        { "<i8", "1,", BYTES("\xfd\xff\xff\xff\xff\xff\xff\xff"), "1[-3]|" },
        { ">u8", "1,", BYTES("\0\0\0\0\0\0\1\0"), "1[256]|" },
        { "<f4", "2,", BYTES("\0\0\x80\x3f\0\0\x20\xc0"), "1[1]|2[-2.5]|" },
        { ">f4", "1,", BYTES("\x3f\x80\0\0"), "1[1]|" },
        { "<f8", "1,", BYTES("\0\0\0\0\0\0\xf8\x3f"), "1[1.5]|" },
        { ">f8", "1,", BYTES("\x3f\xf8\0\0\0\0\0\0"), "1[1.5]|" },
        { "<f2", "7,", BYTES("\0\x3c\0\xc0\1\0\xff\x7b\0\x7c\0\xfc\1\x7c"),
          "1[1]|2[-2]|3[5.96046448e-08]|4[65504]|5[inf]|6[-inf]|7[nan]|" },
        { "|S3", "2,", BYTES("ab\0\0\0\0"), "1<ab>|2<>|" },
        { "<U2", "1, 2", BYTES("a\0\0\0\xac\x20\0\0\xf6\0\0\0\0\0\0\0"),
          "1<a\xe2\x82\xac><\xc3\xb6>|" },
        { ">U1", "2,", BYTES("\0\0\0z\0\1\xf6\0"), "1<z>|2<\xf0\x9f\x98\x80>|" },
        { "|u1", "1, 2, 2", BYTES("\1\2\3\4"), "1[1][2][3][4]|" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_buf buf;

        asy_buf_init(&buf, 1u << 16);
        kit_array(&buf, cases[i].type, cases[i].shape, cases[i].bytes, cases[i].n);
        rows_are(cases[i].type, buf.data, buf.len, "", cases[i].want);
        asy_buf_fini(&buf);
    }
}

static void headers_of_numpy_are_read_however_they_are_laid_out(void)
{
    static const struct {
        const char *name, *dict, *bytes;
        size_t n;
        const char *want;
    } cases[] = {
        { "Fortran's order", "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }",
          BYTES("\1\4\2\5\3\6"), "1[1][2][3]|2[4][5][6]|" },
        { "three dimensions of it", "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 2, 3), }",
          BYTES("\1\7\4\12\2\10\5\13\3\11\6\14"), "1[1][2][3][4][5][6]|2[7][8][9][10][11][12]|" },
        { "texts in it", "{'descr': '|S1', 'fortran_order': True, 'shape': (2, 2), }",
          BYTES("acbd"), "1<a><b>|2<c><d>|" },
        { "one dimension of it", "{'descr': '|u1', 'fortran_order': True, 'shape': (2,), }",
          BYTES("\1\2"), "1[1]|2[2]|" },
        { "other order, other quotes",
          "{\"shape\":(1,2),\"fortran_order\":False,\"descr\":\"<u2\"}", BYTES("\1\0\2\0"),
          "1[1][2]|" },
    };
    struct asy_buf buf;

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        asy_buf_init(&buf, 1u << 16);
        kit_npy(&buf, cases[i].dict, cases[i].bytes, cases[i].n);
        rows_are(cases[i].name, buf.data, buf.len, "", cases[i].want);
        asy_buf_fini(&buf);
    }
    rows_are("version 2.0", BYTES("\x93NUMPY\2\0\67\0\0\0{'descr': '|u1', 'fortran_order': False, "
                                  "'shape': (1,)}\7"), "", "1[7]|");
}

static void idx_files_are_read_with_and_without_labels(void)
{
    static const char images[] = "\0\0\10\3\0\0\0\2\0\0\0\1\0\0\0\2\1\2\3\4";
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf seen;
    char options[200];
    struct file f;

    rows_are("bytes", BYTES(images), "", "1[1][2]|2[3][4]|");
    rows_are("signed", BYTES("\0\0\11\1\0\0\0\1\xff"), "", "1[-1]|");
    rows_are("16 bits", BYTES("\0\0\13\1\0\0\0\1\1\2"), "", "1[258]|");
    rows_are("32 bits", BYTES("\0\0\14\1\0\0\0\1\xff\xff\xff\xfe"), "", "1[-2]|");
    rows_are("float", BYTES("\0\0\15\1\0\0\0\1\x3f\x80\0\0"), "", "1[1]|");
    rows_are("double", BYTES("\0\0\16\1\0\0\0\1\x3f\xf8\0\0\0\0\0\0"), "", "1[1.5]|");
    asy_buf_init(&seen, 1u << 16);
    if (make_file(&f, BYTES(images))) {
        snprintf(options, sizeof options, "\"labels\":\"%s\"", f.labels);
        kit_write(f.labels, BYTES("\0\0\10\1\0\0\0\2\11\10"));
        T_OK(read_rows(&f, options, &seen, &err), &err);
        T_STR("with labels", seen.data, "1[1][2][9]|2[3][4][8]|");
        kit_write(f.labels, BYTES("\0\0\10\1\0\0\0\1\11"));
        T_EQ("too few", read_rows(&f, options, &seen, &err), ASY_E_INVAL);
        T_HAS("too few", err.text, "labels' has 1, for 2 rows");
        kit_write(f.labels, BYTES("\0\0\10\2\0\0\0\2\0\0\0\2\1\2\3\4"));
        T_EQ("two each", read_rows(&f, options, &seen, &err), ASY_E_INVAL);
        T_HAS("two each", err.text, "labels' has 2 columns, not one");
        kit_write(f.labels, BYTES("\0\0\10\1\0\0\0\2\11"));
        T_EQ("cut off", read_rows(&f, options, &seen, &err), ASY_E_FORMAT);
        T_HAS("cut off", err.text, f.labels);
        T_HAS("cut off", err.text, "it ends in row 2 of 2");
        kit_write(f.labels, BYTES("9\n8\n"));
        T_EQ("a text", read_rows(&f, options, &seen, &err), ASY_E_FORMAT);
        snprintf(options, sizeof options, "\"labels\":\"%s\",\"label\":0", f.labels);
        kit_write(f.labels, BYTES("\0\0\10\1\0\0\0\2\11\10"));
        T_EQ("another label", read_rows(&f, options, &seen, &err), ASY_E_INVAL);
        T_HAS("another label", err.text, "label: is what data.labels has");
        kit_rmdir(f.dir);
    }
    asy_buf_fini(&seen);
}

static void arrays_are_read_through_gzip(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf seen;
    struct file f;
    gzFile gz;

    asy_buf_init(&seen, 1u << 16);
    if (make_file(&f, "", 0) && T_TRUE((gz = gzopen(f.path, "wb")) != NULL)) {
        T_EQ("gzip", gzwrite(gz, "\0\0\10\1\0\0\0\2\11\10", 10), 10);
        gzclose(gz);
        T_OK(read_rows(&f, "", &seen, &err), &err);
        T_STR("gzipped", seen.data, "1[9]|2[8]|");
        T_TRUE((gz = gzopen(f.path, "wb")) != NULL);
        gzwrite(gz, "PK\3\4", 4);
        gzclose(gz);
        T_EQ("NPZ", read_rows(&f, "", &seen, &err), ASY_E_UNSUPPORTED);
        T_HAS("NPZ", err.text, "gunzip it");
        kit_rmdir(f.dir);
    }
    asy_buf_fini(&seen);
}

/* x (2, 2), y (2,), and what the options say to their rows. */
static void make_npz(struct kit_zip *zip, unsigned method, int wide)
{
    struct asy_buf x, y;

    asy_buf_init(&x, 1u << 16);
    asy_buf_init(&y, 1u << 16);
    kit_zip_init(zip);
    kit_array(&x, "|u1", "2, 1, 2", BYTES("\1\2\3\4"));
    kit_array(&y, "<U3", "2,", BYTES("n\0\0\0o\0\0\0\0\0\0\0y\0\0\0e\0\0\0s\0\0\0"));
    kit_zip_add(zip, "y.npy", &y, method, wide);
    kit_zip_add(zip, "x.npy", &x, method, wide);
    kit_zip_end(zip, wide);
    asy_buf_fini(&x);
    asy_buf_fini(&y);
}

static void archives_give_their_arrays_side_by_side(void)
{
    static const char both[] = "0<x[0,0]><x[0,1]><y>|1[1][2]<no>|2[3][4]<yes>|";
    static const struct {
        const char *name;
        unsigned method;
        int wide;
        const char *options, *want;
    } cases[] = {
        { "stored", 0, 0, "", both },
        { "deflated", 8, 0, "", both },
        { "with 64-bit sizes", 0, 1, "", both },
        { "named", 8, 0, "\"arrays\":[\"y\",\"x.npy\"]",
          "0<y><x[0,0]><x[0,1]>|1<no>[1][2]|2<yes>[3][4]|" },
        { "one of them", 8, 1, "\"arrays\":[\"y\"]", "0<y>|1<no>|2<yes>|" },
        { "by its format", 8, 0, "\"format\":\"npz\"", both },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct kit_zip zip;

        make_npz(&zip, cases[i].method, cases[i].wide);
        rows_are(cases[i].name, zip.bytes.data, zip.bytes.len, cases[i].options, cases[i].want);
        kit_zip_fini(&zip);
    }
}

static void lines_of_libsvm_become_dense_rows(void)
{
    static const char names[] = "0<feature 1><feature 2><feature 3><label>|";
    static const struct {
        const char *name, *text, *options, *rows;
    } cases[] = {
        { "plain", "+1 1:0.5 3:2\n-1 2:1e2\n", "", "1[0.5][0][2][1]|2[0][100][0][-1]|" },
        { "no end, \\r", "1 1:1 3:3\r\n0", "", "1[1][0][3][1]|2[0][0][0][0]|" },
        { "comments and gaps", "# made by hand\n\n0.25 1:1 # x\n2\t3:1 \n", "",
          "3[1][0][0][0.25]|4[0][0][1][2]|" },
        { "zero rows first", "0\n1 1:1 3:1\n", "", "1[0][0][0][0]|2[1][0][1][1]|" },
        { "by its format", "0\n1 1:1 3:1\n", "\"format\":\"libsvm\"",
          "1[0][0][0][0]|2[1][0][1][1]|" },
        { "no number", "1 1:nan 3:1\n", "", "1[nan][0][1][1]|" },
    };
    char want[200];

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        snprintf(want, sizeof want, "%s%s", names, cases[i].rows);
        rows_are(cases[i].name, cases[i].text, strlen(cases[i].text), cases[i].options, want);
    }
    rows_are("from zero", BYTES("1 0:5 1:6\n"), "", "0<feature 0><feature 1><label>|1[5][6][1]|");
    rows_are("never 1", BYTES("1 2:5\n"), "", "0<feature 1><feature 2><label>|1[0][5][1]|");
    rows_are("no pairs: CSV", BYTES("1\n2\n"), "", "1<1>|2<2>|");
    rows_are("commas: CSV", BYTES("1,2 3:4\n5,6\n"), "", "1<1><2 3:4>|2<5><6>|");
    rows_are("a text in between: CSV", BYTES("1 2:3 x\n"), "", "1<1 2:3 x>|");
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void hostile_arrays_are_refused_with_their_place(void)
{
    static const struct {
        const char *name, *dict, *says;
    } cases[] = {
        { "cut off", "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }",
          "it ends in row 1 of 3" },
        { "cut off in Fortran's order",
          "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 2), }",
          "it ends after 4 of 24 bytes" },
        { "more than it says", "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2), }",
          "more follows its 1 rows" },
        { "more in Fortran's order", "{'descr': '|u1', 'fortran_order': True, 'shape': (1, 2), }",
          "more follows its 1 rows" },
        { "a single value", "{'descr': '<f4', 'fortran_order': False, 'shape': (), }",
          "it is a single value" },
        { "no rows", "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2), }", "no rows" },
        { "no columns", "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 0), }",
          "no columns" },
        { "too many columns", "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 65537), }",
          "65537 columns of 1 bytes are too many" },
        { "overflow", "{'descr': '<f8', 'fortran_order': False, "
          "'shape': (2, 4294967296, 4294967296, 3), }", "are too many" },
        { "too many rows", "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296,), }",
          "4294967296 rows of 1 columns are too many" },
        { "too many cells",
          "{'descr': '<f4', 'fortran_order': True, 'shape': (2147483647, 65536), }", "too many" },
        { "a dimension out of range",
          "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }",
          "no usable shape" },
        { "negative", "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
          "no usable shape" },
        { "unclosed shape", "{'descr': '<f4', 'fortran_order': False, 'shape': (1",
          "no usable shape" },
        { "33 dimensions", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,"
          "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1), }", "no usable shape" },
        { "objects", "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
          "type '|O' is not read: Python objects can run code" },
        { "complex", "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }",
          "type '<c8' is not read" },
        { "dates", "{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (1,), }",
          "type '<M8[ns]' is not read" },
        { "fields", "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }",
          "it has fields" },
        { "a float of three bytes", "{'descr': '<f3', 'fortran_order': False, 'shape': (1,), }",
          "type '<f3' is not read: a floating-point number has 2, 4 or 8 bytes" },
        { "a float of one byte", "{'descr': '<f1', 'fortran_order': False, 'shape': (1,), }",
          "'<f1' is not read: a floating-point number has 2, 4 or 8 bytes" },
        { "a float of 16 bytes", "{'descr': '<f16', 'fortran_order': False, 'shape': (1,), }",
          "'<f16' is not read: a floating-point number has 2, 4 or 8 bytes" },
        { "a number of 2^32 bytes",
          "{'descr': '<i4294967296', 'fortran_order': False, 'shape': (1,), }",
          "is not read: a whole number has 1, 2, 4 or 8 bytes" },
        { "a number of no bytes", "{'descr': '<u0', 'fortran_order': False, 'shape': (1,), }",
          "is not read: a whole number has 1, 2, 4 or 8 bytes" },
        { "a truth value of two bytes", "{'descr': '|b2', 'fortran_order': False, 'shape': (1,), }",
          "is not read: a truth value has 1 byte" },
        { "no size", "{'descr': '<f', 'fortran_order': False, 'shape': (1,), }",
          "is not read: numbers, truth values and texts are" },
        { "size 0", "{'descr': '|S0', 'fortran_order': False, 'shape': (1,), }",
          "is not read: all its texts are empty" },
        { "no characters", "{'descr': '<U0', 'fortran_order': False, 'shape': (1,), }",
          "is not read: all its texts are empty" },
        { "a huge text", "{'descr': '<U5000', 'fortran_order': False, 'shape': (1,), }",
          "too many bytes" },
        { "an overflowing text",
          "{'descr': '<U4611686018427387905', 'fortran_order': False, 'shape': (1,), }",
          "too many bytes" },
        { "no type", "{'descr': '', 'fortran_order': False, 'shape': (1,), }", "is not read" },
        { "no text as type", "{'descr': 4, 'fortran_order': False, 'shape': (1,), }",
          "no usable type" },
        { "no Unicode", "{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }",
          "row 1: a text that is not Unicode" },
        { "a NUL within", "{'descr': '|S4', 'fortran_order': False, 'shape': (1,), }",
          "row 1: a text with a NUL in it" },
        { "order", "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,), }", "no usable order" },
        { "no dictionary", "(1, 2)", "no usable dictionary" },
        { "a key twice", "{'descr': '<f4', 'descr': '<f4', 'shape': (1,), }",
          "no usable dictionary" },
        { "a key too many", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}",
          "no usable dictionary" },
        { "a key too few", "{'descr': '<f4', 'shape': (1,)}", "no usable dictionary" },
        { "code", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}; import os",
          "no usable dictionary" },
        { "an escape", "{'de\\x73cr': '<f4', 'fortran_order': False, 'shape': (1,)}",
          "no usable dictionary" },
        { "not closed", "{'descr': '<f4'", "no usable dictionary" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_buf buf;

        asy_buf_init(&buf, 1u << 16);
        kit_npy(&buf, cases[i].dict, "\0\xd8\0\1", 4);
        refused(cases[i].name, buf.data, buf.len, "", cases[i].says);
        asy_buf_fini(&buf);
    }
    refused("version", BYTES("\x93NUMPY\4\0\0\0"), "", "version 4.0 of NPY is not known");
    refused("header cut off", BYTES("\x93NUMPY\1\0\100\0{'descr'"), "", "ends within its header");
    refused("a huge header", BYTES("\x93NUMPY\2\0\0\0\0\1"), "", "a header of 16777216 bytes");
    refused("IDX cut off", BYTES("\0\0\10\2\0\0\0\1"), "", "ends within its header");
    refused("IDX of 33 dimensions", BYTES("\0\0\10\41\0\0\0\1"), "", "33 dimensions are too many");
    refused("IDX without rows", BYTES("\0\0\10\1\0\0\0\0"), "", "no rows");
    refused("IDX too large", BYTES("\0\0\16\2\xff\xff\xff\xff\xff\xff\xff\xff"), "", "too many");
}

static void hostile_archives_are_refused_with_their_place(void)
{
    static const struct {
        const char *name;
        size_t at; /* from the end of the archive */
        uint64_t value;
        size_t n;
        const char *says;
    } cases[] = { /* the directory's last entry is x's, 46 + 5 bytes before the end's 22 */
        { "encrypted", 22 + 51 - 8, 1, 2, "member 'x.npy' is encrypted" },
        { "packed by another method", 22 + 51 - 10, 12, 2, "'x.npy' is packed by method 12" },
        { "another checksum", 22 + 51 - 16, 7, 4, "'x.npy' is damaged: its checksum" },
        { "another size", 22 + 51 - 24, 7, 4, "the archive says 7" },
        { "beyond the end", 22 + 51 - 20, 1u << 30, 4, "lies beyond its end" },
        { "elsewhere", 22 + 51 - 42, 1, 4, "does not lie where" },
        { "far away", 22 + 51 - 42, 0xfffffffe, 4, "beyond its end" },
        { "a name beyond the end", 22 + 51 - 28, 60000, 2, "is cut off" },
        { "no name", 22 + 51 - 28, 0, 2, "a member's name is not UTF-8" },
        { "name", 22 + 5, 0xff, 1, "a member's name is not UTF-8" },
        { "no array", 22 + 1, 'x', 1, "member 'x.npx' is no array" },
        { "no entry", 22 + 51, 0, 1, "an entry of its directory" },
        { "a far directory", 6, 0x7fffffff, 4, "beyond its end" },
        { "too many members", 12, 5000, 2, "more than 1024 members" },
        { "no end", 22, 0, 4, "it has no directory" },
    };
    struct asy_buf buf;
    struct kit_zip zip;

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        make_npz(&zip, 8, 0);
        for (size_t k = 0; k < cases[i].n; k++)
            zip.bytes.data[zip.bytes.len - cases[i].at + k] =
                (char)(cases[i].value >> 8 * k & 0xff);
        refused(cases[i].name, zip.bytes.data, zip.bytes.len, "", cases[i].says);
        kit_zip_fini(&zip);
    }
    make_npz(&zip, 8, 0);
    refused("no such array", zip.bytes.data, zip.bytes.len, "\"arrays\":[\"x\",\"z\"]",
            "arrays: no array 'z'");
    refused("labels", zip.bytes.data, zip.bytes.len, "\"labels\":\"/x\"",
            "labels: only an NPY or IDX file");
    kit_zip_fini(&zip);
    kit_zip_init(&zip);
    kit_zip_end(&zip, 0);
    refused("empty", zip.bytes.data, zip.bytes.len, "", "has no arrays");
    asy_buf_init(&buf, 1u << 16);
    for (int i = 0; i < 2; i++) {
        kit_zip_fini(&zip);
        kit_zip_init(&zip);
        asy_buf_clear(&buf);
        kit_array(&buf, "|u1", "1,", "\1", 1);
        kit_zip_add(&zip, "one.npy", &buf, 0, 0);
        asy_buf_clear(&buf);
        kit_array(&buf, "|u1", i ? "1, 65536" : "2,", "\1\2", 2);
        kit_zip_add(&zip, "two.npy", &buf, 0, 0);
        kit_zip_end(&zip, 0);
        refused("together", zip.bytes.data, zip.bytes.len, "",
                i ? "more than 65536 columns"
                  : "arrays: 'one' has 1 rows, 'two' has 2; name those of one table, the label "
                    "last, as in data.arrays: [x_train, y_train], or save them to a file");
    }
    asy_buf_fini(&buf);
    kit_zip_fini(&zip);
}

/* A row of many features is longer than what is looked at. */
static void a_line_that_is_cut_off_tells_its_format(void)
{
    static const struct { const char *name, *text; int want; } cases[] = {
        { "in a pair", "1 2:3 4:", 1 },         { "in an index", "1 2:3 4", 1 },
        { "behind a pair", "1 2:3 ", 1 },       { "in its first pair", "1 2:3", 0 },
        { "in its label", "1", 0 },             { "no pair", "1 2:3 four 5:", 0 },
        { "of commas", "1,2:3,4", 0 },          { "behind others", "\n# none\n1 2:3 4:5", 1 },
        { "nothing", "", 0 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        T_EQ(cases[i].name, asy__is_svm(cases[i].text, strlen(cases[i].text)), cases[i].want);
}

static void mistakes_of_libsvm_are_refused_with_their_line(void)
{
    static const struct {
        const char *name, *text, *says;
    } cases[] = {
        { "no pair", "1 1:1\n0 2\n", "row 2: '2' is not index:value" },
        { "no index", "1 1:1\n0 x:2\n", "row 2: 'x:2' is not index:value" },
        { "negative", "1 1:1\n0 -1:2\n", "row 2: '-1:2' is not index:value" },
        { "no value", "1 1:1\n0 2:\n", "row 2: '2:' has no number behind the colon" },
        { "no number", "1 1:1\n0 2:x\n", "row 2: '2:x' has no number behind the colon" },
        { "twice", "1 1:1 1:2\n", "row 1: '1:2' comes after an index that is not lower" },
        { "descending", "1 3:1 2:2\n", "row 1: '2:2' comes after an index that is not lower" },
        { "far", "1 65536:1\n", "row 1: '65536:1' is beyond the 65535 features" },
        { "label", "1 1:1\nred 1:2\n", "row 2: 'red' is no number; a line begins with its label" },
        { "several labels", "1 1:1\n1,2 1:2\n", "row 2: '1,2' are several labels" },
        { "ranking", "1 qid:4 1:2\n", "row 1: 'qid:4' is for ranking" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        refused(cases[i].name, cases[i].text, strlen(cases[i].text), "", cases[i].says);
    refused("too many together", BYTES("1 0:1\n1 65535:1\n"), "",
            "features 0 to 65535 and the label are more than 65536 columns");
    refused("NUL", BYTES("1 1:1\n1 2:\0 3\n"), "", "row 2: a NUL byte");
    refused("no features", BYTES("1\n0\n"), "\"format\":\"libsvm\"", "no row has a feature");
    refused("empty", "", 0, "\"format\":\"libsvm\"", "no row has a feature");
    refused("header", BYTES("1 1:1\n"), "\"header\":true", "header: only CSV and TSV can have one");
    refused("arrays", BYTES("1 1:1\n"), "\"arrays\":[\"x\"]",
            "arrays: only an NPZ or HDF5 file has several");
}

static void archives_of_others_are_refused_with_what_to_do(void)
{
    static const struct {
        const char *member, *says;
    } cases[] = {
        { "xl/workbook.xml", "it is a workbook (Excel), which is not read; save the sheet as CSV" },
        { "content.xml", "a workbook (OpenDocument)" },
        { "iris/iris.csv", "unzip -p IN 'iris/iris.csv' | gzip > OUT.csv.gz" },
        { "a9a.svm", "> OUT.svm.gz" },
    };
    struct asy_buf text;
    struct kit_zip zip;

    asy_buf_init(&text, 1u << 10);
    asy_buf_adds(&text, "1,2\n");
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        kit_zip_init(&zip);
        kit_zip_add(&zip, "readme", &text, 8, 0);
        kit_zip_add(&zip, cases[i].member, &text, 8, 0);
        kit_zip_end(&zip, 0);
        refused(cases[i].member, zip.bytes.data, zip.bytes.len, "", cases[i].says);
        kit_zip_fini(&zip);
    }
    asy_buf_fini(&text);
}

static void files_of_others_are_refused_with_what_to_do(void)
{
    char tar[512];

    refused("Parquet", BYTES("PAR1\25\4\25\20"), "", "read_parquet('IN').to_csv('OUT.csv.gz'");
    refused("Arrow", BYTES("ARROW1\0\0"), "", "read_feather('IN')");
    refused("pickle", BYTES("\x80\4\x95\0"), "", "never read; save arrays with numpy.savez");
    refused("SQLite", BYTES("SQLite format 3\0"), "", "sqlite3 -header -csv IN");
    refused("xz", BYTES("\xfd" "7zXZ\0"), "", "xz -dc IN | gzip > OUT.gz");
    refused("zstd", BYTES("(\xb5/\xfd\4"), "", "zstd -dc IN");
    refused("bzip2", BYTES("BZh91AY&SY"), "", "bzip2 -dc IN");
    refused("ORC", BYTES("ORC\n\7\n\5\0\1"), "",
            "ORC is not read; make a CSV of it: python3 -c \"import pandas; "
            "pandas.read_orc('IN').to_csv('OUT.csv.gz', index=False)\"");
    refused("MATLAB 5", BYTES("MATLAB 5.0 MAT-file, Platform: GLNXA64\0\0"), "",
            "save(..., '-v7.3'). In Python: scipy.io.loadmat('IN'), then numpy.savez");
    refused("an old workbook", BYTES("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "",
            "an old Excel workbook");
    memset(tar, 0, sizeof tar);
    memcpy(tar, "data.csv", 8);
    memcpy(tar + 257, "ustar\00000", 8);
    refused("tar", tar, sizeof tar, "", "take the table out of it: tar -xf IN");
    refused("UTF-16", BYTES("\xff\xfe" "1\0,\0" "2\0\n\0"), "", "iconv -f UTF-16 -t UTF-8 IN");
    refused("UTF-16 of the other order", BYTES("\xfe\xff" "\0" "1"), "", "iconv -f UTF-16");
    rows_are("a column named ORC", BYTES("ORC,b\n1,2\n"), "", "1<ORC><b>|2<1><2>|");
    refused("another format", BYTES("1,2\n"), "\"format\":\"npy\"",
            "format: the file is no npy, by its first bytes");
    rows_are("a column named so", BYTES("PAR1,b\n1,2\n"), "", "1<PAR1><b>|2<1><2>|");
}

/* ---- what is made of them -------------------------------------------------------------------- */

static int load(const char *path, const char *options, const struct asy__schema *model,
                int with_label, struct asy__data *ret, struct asy_error *err)
{
    struct asy_json *job = kit_job(path, options, "train_loss", "minimize", 1, "", "");
    struct asy__data_spec spec;
    int rc = asy__data_spec_read(asy_json_get(asy_json_get(job, "study"), "data"), &spec, err);

    if (rc == 0)
        rc = asy__data_load(&spec, model, with_label, ret, err);
    asy_json_destroy(job);
    return rc;
}

#define UNSPLIT "\"split\":{\"validation\":0,\"test\":0,\"stratify\":false}"
#define ROWS 60
#define FEATURES 3
/* The same table five times: csv, libsvm, npy, npz, and an npy of floats with labels apart. */
static void write_all(const char *dir, char paths[5][128], char labels[128])
{
    static const char *const names[] = { "t.csv", "t.svm", "t.npy", "t.npz", "x.npy" };
    struct asy_buf csv, svm, whole, x, y, buf;
    struct asy_buf *const all[] = { &csv, &svm, &whole, &x, &y, &buf };
    struct kit_zip zip;

    for (size_t i = 0; i < ASY_ARRAY_LEN(all); i++)
        asy_buf_init(all[i], 1u << 20);
    kit_zip_init(&zip);
    for (unsigned r = 0; r < ROWS; r++) {
        unsigned label = r * 7 % 3;

        asy_buf_addf(&svm, "%u", label);
        for (unsigned c = 0; c < FEATURES; c++) {
            unsigned value = (r * 31 + c * 17) % 50 * (r % 4 > 0);

            asy_buf_addf(&csv, "%u,", value);
            kit_le(&whole, value, 2);
            kit_le(&x, value, 2);
            if (value)
                asy_buf_addf(&svm, " %u:%u", c + 1, value);
        }
        asy_buf_addf(&csv, "%u\n", label);
        asy_buf_addc(&svm, '\n');
        kit_le(&whole, label, 2);
        asy_buf_addc(&y, (char)label);
    }
    for (int i = 0; i < 5; i++)
        snprintf(paths[i], 128, "%s/%s", dir, names[i]);
    snprintf(labels, 128, "%s/y.npy", dir);
    kit_write(paths[0], csv.data, csv.len);
    kit_write(paths[1], svm.data, svm.len);
    kit_array(&buf, "<u2", "60, 4", whole.data, whole.len);
    kit_write(paths[2], buf.data, buf.len);
    asy_buf_clear(&buf);
    kit_array(&buf, "<i2", "60, 3", x.data, x.len);
    kit_write(paths[4], buf.data, buf.len);
    kit_zip_add(&zip, "x.npy", &buf, 8, 0);
    asy_buf_clear(&buf);
    kit_array(&buf, "|u1", "60,", y.data, y.len);
    kit_write(labels, buf.data, buf.len);
    kit_zip_add(&zip, "y.npy", &buf, 0, 1);
    kit_zip_end(&zip, 0);
    kit_write(paths[3], zip.bytes.data, zip.bytes.len);
    kit_zip_fini(&zip);
    for (size_t i = 0; i < ASY_ARRAY_LEN(all); i++)
        asy_buf_fini(all[i]);
}

static void same_data(const char *name, const struct asy__data *got, const struct asy__data *want)
{
    T_EQ(name, got->n_rows, want->n_rows);
    T_EQ(name, got->schema.n_features, want->schema.n_features);
    T_EQ(name, got->schema.classes.n, want->schema.classes.n);
    T_EQ(name, memcmp(got->start, want->start, sizeof got->start), 0);
    if (got->n_rows == ROWS && want->n_rows == ROWS && got->schema.n_features == FEATURES) {
        T_EQ(name, memcmp(got->x, want->x, sizeof *got->x * ROWS * FEATURES), 0);
        T_EQ(name, memcmp(got->label, want->label, sizeof *got->label * ROWS), 0);
    }
}

static void formats_make_no_difference_to_what_is_learnt(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__data first = { 0 };
    char dir[64], paths[5][128], labels[128], options[200];

    if (!T_TRUE(kit_dir(dir) != NULL))
        return;
    write_all(dir, paths, labels);
    for (size_t i = 0; i < 5; i++) {
        struct asy__data data = { 0 };

        snprintf(options, sizeof options, i == 4 ? "\"labels\":\"%s\"" : "\"label\":-1", labels);
        if (!T_OK(load(paths[i], options, NULL, 1, i ? &data : &first, &err), &err) || !i)
            continue;
        same_data(paths[i], &data, &first);
        asy__data_fini(&data);
    }
    asy__data_fini(&first);
    kit_rmdir(dir);
}

/* Trained on one file, applied to another: by names where they say something, else by place. */
static void models_take_rows_of_other_formats(void)
{
    static const struct {
        const char *name;
        int from, to; /* of write_all()'s files */
    } cases[] = {
        { "CSV to libsvm", 0, 1 },     { "CSV to NPY", 0, 2 },
        { "CSV to features alone", 0, 4 }, { "NPZ to features alone", 3, 4 },
        { "NPZ to NPY", 3, 2 },        { "NPZ to itself", 3, 3 },
        { "NPY to NPZ", 2, 3 },        { "libsvm to NPY", 1, 2 },
        { "libsvm to NPZ", 1, 3 },     { "libsvm to CSV", 1, 0 },
    };
    struct asy_error err = ASY_ERROR_INIT;
    char dir[64], paths[5][128], labels[128];

    if (!T_TRUE(kit_dir(dir) != NULL))
        return;
    write_all(dir, paths, labels);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__data model = { 0 }, data = { 0 };

        if (T_OK(load(paths[cases[i].from], UNSPLIT, NULL, 1,
                      &model, &err), &err) &&
            T_OK(load(paths[cases[i].to], UNSPLIT, &model.schema,
                      0, &data, &err), &err)) {
            T_EQ(cases[i].name, data.n_rows, model.n_rows);
            T_EQ(cases[i].name, memcmp(data.x, model.x, sizeof *data.x * ROWS * FEATURES), 0);
        }
        asy__data_fini(&model);
        asy__data_fini(&data);
    }
    kit_rmdir(dir);
}

/* A feature that never occurs in a file is zero in it; one that the model does not know is left. */
static void libsvm_rows_may_lack_features_of_the_model(void)
{
    static const char all[] = "0 1:1 2:2 5:7\n1 1:3 4:4\n", fewer[] = "0 2:2\n0 1:3 9:9\n";
    struct asy__data model = { 0 }, data = { 0 };
    struct asy_error err = ASY_ERROR_INIT;
    char dir[64], a[128], b[128];

    if (!T_TRUE(kit_dir(dir) != NULL))
        return;
    snprintf(a, sizeof a, "%s/a", dir);
    snprintf(b, sizeof b, "%s/b", dir);
    kit_write(a, all, sizeof all - 1);
    kit_write(b, fewer, sizeof fewer - 1);
    if (T_OK(load(a, "\"scale\":\"none\"," UNSPLIT, NULL, 1, &model,
                  &err), &err) &&
        T_OK(load(b, UNSPLIT, &model.schema, 0, &data, &err),
             &err)) {
        static const float want[] = { 0, 2, 0, 0, 0, 3, 0, 0, 0, 0 };

        T_EQ("features", data.schema.n_features, 5);
        T_EQ("values", memcmp(data.x, want, sizeof want), 0);
    }
    asy__data_fini(&model);
    asy__data_fini(&data);
    kit_rmdir(dir);
}

static void gaps_categories_and_infinities_are_as_in_csv(void)
{
    static const char bytes[] = "\0\0\x80\x3f\0\0\0\x40\0\0\0\0" /* 1 2 0 */
                                "\0\0\xc0\x7f\0\0\0\x40\0\0\x80\x3f" /* nan 2 1 */
                                "\0\0\x40\x40\0\0\x80\x3f\0\0\x80\x3f"; /* 3 1 1 */
    static const struct {
        const char *name, *options, *says;
        size_t rows, features;
    } cases[] = {
        { "refused", "", "row 2, column 1 ('column 1'): a value is missing", 0, 0 },
        { "dropped", "\"missing\":\"drop\"", NULL, 2, 2 },
        { "filled", "\"missing\":\"mean\"", NULL, 3, 2 },
        { "categories", "\"missing\":\"mean\",\"categorical\":[1]", NULL, 3, 3 },
        { "a missing label", "\"label\":0", "row 2, column 1 ('column 1'): the label is missing",
          0, 0 },
        { "a name", "\"label\":\"y\"", "label: no column 'y': the file has no header", 0, 0 },
    };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf buf;
    char dir[64], path[128], options[200];

    asy_buf_init(&buf, 1u << 16);
    if (!T_TRUE(kit_dir(dir) != NULL))
        return;
    snprintf(path, sizeof path, "%s/t.npy", dir);
    kit_array(&buf, "<f4", "3, 3", bytes, sizeof bytes - 1);
    kit_write(path, buf.data, buf.len);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__data data = { 0 };
        int rc;

        snprintf(options, sizeof options, "%s%s" UNSPLIT, cases[i].options,
                 *cases[i].options ? "," : "");
        rc = load(path, options, NULL, 1, &data, &err);
        if (cases[i].says) {
            T_TRUE(rc < 0);
            T_HAS(cases[i].name, err.text, cases[i].says);
        } else if (T_OK(rc, &err)) {
            T_EQ(cases[i].name, data.n_rows, cases[i].rows);
            T_EQ(cases[i].name, data.schema.n_features, cases[i].features);
        }
        asy__data_fini(&data);
    }
    asy_buf_fini(&buf);
    kit_rmdir(dir);
}

/* Six rows of ids, a category of 2 and a label of 3 that doubles would make one each. */
static void make_long(struct asy_buf *svm, struct asy_buf *npy, uint64_t from, const char *type)
{
    struct asy_buf bytes;

    asy_buf_init(&bytes, 1u << 16);
    for (unsigned r = 0; r < 6; r++) {
        const uint64_t row[] = { from + r / 2, from + r % 2, from + r % 3 };

        for (unsigned c = 0; c < 3; c++)
            kit_le(&bytes, row[c], 8);
        asy_buf_addf(svm, "%lld 1:%lld 2:%lld\n", (long long)row[2], (long long)row[0],
                     (long long)row[1]);
    }
    kit_array(npy, type, "6, 3", bytes.data, bytes.len);
    asy_buf_fini(&bytes);
}

static void whole_numbers_that_doubles_make_one_stay_apart(void)
{
    static const struct {
        const char *name, *type; /* NULL: libsvm */
        uint64_t from;
        const char *first;
    } cases[] = {
        { "signed", "<i8", 9007199254740992, "9007199254740992" },
        { "below zero", "<i8", (uint64_t)-9007199254740996, "-9007199254740995" },
        { "beyond int64", "<u8", UINT64_MAX - 4, "18446744073709551611" },
        { "libsvm", NULL, 9007199254740992, "9007199254740992" },
        { "libsvm below zero", NULL, (uint64_t)-9007199254740996, "-9007199254740995" },
    };
    const char *options = "\"categorical\":[1],\"split\":{\"group\":0,\"folds\":3,\"test\":0}";
    char dir[64], path[128];

    if (!T_TRUE(kit_dir(dir) != NULL))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy__data data = { 0 };
        struct asy_buf svm, npy;

        asy_buf_init(&svm, 1u << 16);
        asy_buf_init(&npy, 1u << 16);
        make_long(&svm, &npy, cases[i].from, cases[i].type ? cases[i].type : "<i8");
        snprintf(path, sizeof path, "%s/%zu", dir, i);
        kit_write(path, cases[i].type ? npy.data : svm.data, cases[i].type ? npy.len : svm.len);
        if (T_OK(load(path, options, NULL, 1, &data, &err), &err)) {
            T_EQ(cases[i].name, data.schema.classes.n, 3);
            T_EQ(cases[i].name, data.schema.columns[1].values.n, 2);
            if (data.schema.classes.n)
                T_STR(cases[i].name, data.schema.classes.texts[0], cases[i].first);
        }
        asy__data_fini(&data);
        asy_buf_fini(&svm);
        asy_buf_fini(&npy);
    }
    kit_rmdir(dir);
}

static const struct asy__data_spec *spec_once;

static int load_once(struct asy_error *err)
{
    struct asy__data data = { 0 };
    int rc = asy__data_load(spec_once, NULL, 1, &data, err);

    asy__data_fini(&data);
    return rc;
}

static void every_allocation_may_fail(void)
{
    char dir[64], paths[5][128], labels[128], options[200];

    if (!T_TRUE(kit_dir(dir) != NULL))
        return;
    write_all(dir, paths, labels);
    for (size_t i = 0; i < 6; i++) { /* the first again, by groups */
        struct asy_error err = ASY_ERROR_INIT;
        struct asy__data_spec spec;
        struct asy_json *job;

        snprintf(options, sizeof options,
                 i == 5   ? "\"split\":{\"group\":0}"
                 : i == 4 ? "\"labels\":\"%s\""
                 : i == 3 ? "\"arrays\":[\"x\",\"y\"]"
                          : "\"label\":-1",
                 labels);
        job = kit_job(paths[i % 5], options, "train_loss", "minimize", 1, "", "");
        if (T_OK(asy__data_spec_read(asy_json_get(asy_json_get(job, "study"), "data"), &spec,
                                     &err), &err)) {
            spec_once = &spec;
            T_TRUE(t_nomem_each(paths[i % 5], load_once) > 10);
        }
        asy_json_destroy(job);
    }
    kit_rmdir(dir);
}

T_MAIN("source", T_TEST(every_type_of_numpy_that_has_numbers_or_texts_is_read),
       T_TEST(headers_of_numpy_are_read_however_they_are_laid_out),
       T_TEST(idx_files_are_read_with_and_without_labels), T_TEST(arrays_are_read_through_gzip),
       T_TEST(archives_give_their_arrays_side_by_side), T_TEST(lines_of_libsvm_become_dense_rows),
       T_TEST(hostile_arrays_are_refused_with_their_place),
       T_TEST(hostile_archives_are_refused_with_their_place),
       T_TEST(a_line_that_is_cut_off_tells_its_format),
       T_TEST(mistakes_of_libsvm_are_refused_with_their_line),
       T_TEST(files_of_others_are_refused_with_what_to_do),
       T_TEST(archives_of_others_are_refused_with_what_to_do),
       T_TEST(formats_make_no_difference_to_what_is_learnt),
       T_TEST(models_take_rows_of_other_formats),
       T_TEST(libsvm_rows_may_lack_features_of_the_model),
       T_TEST(gaps_categories_and_infinities_are_as_in_csv),
       T_TEST(whole_numbers_that_doubles_make_one_stay_apart), T_TEST(every_allocation_may_fail))
