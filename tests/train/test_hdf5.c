/* SPDX-License-Identifier: Apache-2.0
 * Data sets of HDF5 files that h5py has written (make_hdf5.py), as rows of a table; and what is
 * refused of them. */
#include "trainkit.h"
#include <zlib.h>
#include <asy/comm.h>
#include <asy/training.h>
#include "data/hdf5.h"
#include "nomem.h"
#include "data/source.h"

#define DATA ASY_SOURCE_DIR "/tests/train/data/"

/* The first rows that come, "row[number]<text>|". */
static int note(void *arg, uint64_t row, const struct asy__cell *cells, size_t n,
                struct asy_error *err)
{
    struct asy_buf *seen = arg;

    (void)err;
    if (seen->len > 200)
        return 0;
    asy_buf_addf(seen, "%llu", (unsigned long long)row);
    for (size_t i = 0; i < n; i++)
        if (cells[i].text)
            asy_buf_addf(seen, "<%.*s>", (int)cells[i].len, cells[i].text);
        else
            asy_buf_addf(seen, "[%.9g]", cells[i].number);
    asy_buf_addc(seen, '|');
    return 0;
}

static int read_rows(const char *path, const char *options, asy__row_f row, void *arg,
                     uint32_t *ret_crc, struct asy_error *err)
{
    struct asy_json *job = kit_job(path, options, "train_loss", "minimize", 1, "", "");
    struct asy__source source = { 0 };
    struct asy__data_spec spec;
    int rc = asy__data_spec_read(asy_json_get(asy_json_get(job, "study"), "data"), &spec, err);

    if (rc == 0 && (rc = asy__source_open(&spec, NULL, &source, err)) == 0)
        rc = asy__source_rows(&source, row, arg, ret_crc, err);
    asy__source_close(&source);
    asy_json_destroy(job);
    return rc;
}

static void one_set(const char *name, char options[100])
{
    snprintf(options, 100, "\"arrays\":[\"%s\"]", name);
}

static void rows_are(const char *path, const char *name, const char *want)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf seen;
    char options[100];

    asy_buf_init(&seen, 1u << 20);
    one_set(name, options);
    if (T_OK(read_rows(path, options, note, &seen, NULL, &err), &err))
        T_STR(name, seen.data, want);
    asy_buf_fini(&seen);
}

static void numbers_and_texts_of_any_type_are_rows(void)
{
    static const struct {
        const char *name, *want;
    } cases[] = {
        { "i1", "0<i1>|1[0]|2[1]|3[2]|4[-100]|" },
        { "u1", "0<u1>|1[0]|2[1]|3[2]|4[100]|" },
        { "i2", "0<i2>|1[0]|2[1]|3[2]|4[-100]|" },
        { "u2", "0<u2>|1[0]|2[1]|3[2]|4[100]|" },
        { "i4", "0<i4>|1[0]|2[1]|3[2]|4[-100]|" },
        { "u4", "0<u4>|1[0]|2[1]|3[2]|4[100]|" },
        { "i8", "0<i8>|1[0]|2[1]|3[2]|4[-100]|" },
        { "u8", "0<u8>|1[0]|2[1]|3[2]|4[100]|" },
        { "f2", "0<f2>|1[0]|2[1]|3[2.5]|4[-100]|" },
        { "f4", "0<f4>|1[0]|2[1]|3[2.5]|4[-100]|" },
        { "f8", "0<f8>|1[0]|2[1]|3[2.5]|4[-100]|" },
        { "f16", "0<f16>|1[0]|2[1]|3[2.5]|4[-100]|" },
        { "big_i2", "0<big_i2>|1[0]|2[1]|3[2]|4[-100]|" },
        { "big_f4", "0<big_f4>|1[0]|2[1]|3[2.5]|4[-100]|" },
        { "big_f8", "0<big_f8>|1[0]|2[1]|3[2.5]|4[-100]|" },
        { "bool", "0<bool>|1[1]|2[0]|3[1]|" },
        { "enum", "0<enum>|1[7]|2[9]|3[7]|" },
        { "nan", "0<nan>|1[nan]|2[1]|" },
        { "fixed", "0<fixed>|1<red>|2<>|3<green>|" },
        { "utf8", "0<utf8>|1<red>|2<gr\xc3\xbcn>|3<>|" },
        { "pairs", "0<pairs[0]><pairs[1]>|1<a><b>|2<c><d>|" },
        { "half", "0<half[0]><half[1]>|1[1][2]|2[3][4]|3[5][5]|4[5][5]|" },
        { "group/x", "0<group/x>|1[0]|2[1]|3[2]|" },
        { "/group/x", "0<group/x>|1[0]|2[1]|3[2]|" },
        { "gzip", "0<gzip[0,0]><gzip[0,1]><gzip[0,2]><gzip[1,0]><gzip[1,1]><gzip[1,2]>|"
          "1[0][1][2][3][4][5]|2[6][7][8][9][10][11]|3[12][13][14][15][16][17]|"
          "4[18][19][20][21][22][23]|" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        rows_are(DATA "many.h5", cases[i].name, cases[i].want);
}

/* The file has a user's block before what is HDF5's. */
static void texts_end_where_their_padding_begins(void)
{
    rows_are(DATA "block.h5", "terminated", "0<terminated>|1<red>|2<>|3<grey>|");
    rows_are(DATA "block.h5", "spaces", "0<spaces>|1<red>|2<>|3< a b>|");
}

/* ---- what is longer than a block ------------------------------------------------------------ */

struct count {
    uint64_t rows, wrong;
};

static int check_numbers(void *arg, uint64_t row, const struct asy__cell *cells, size_t n,
                         struct asy_error *err)
{
    struct count *count = arg;
    uint64_t r = row - 1;

    (void)err;
    count->rows += row > 0;
    if (row > 0 && (n != 2 || cells[0].number != (double)(r % 7) ||
                    cells[1].number != (double)(r % 11)))
        count->wrong++;
    return 0;
}

static int check_texts(void *arg, uint64_t row, const struct asy__cell *cells, size_t n,
                       struct asy_error *err)
{
    struct count *count = arg;
    char want[] = "text 0";

    (void)err;
    want[5] = (char)('0' + (row + 2) % 3);
    count->rows += row > 0;
    if (row > 0 && (n != 1 || cells[0].len != 6 || memcmp(cells[0].text, want, 6) != 0))
        count->wrong++;
    return 0;
}

static void rows_beyond_a_block_follow(void)
{
    static const struct {
        const char *name;
        asy__row_f check;
        uint64_t rows;
    } cases[] = { { "long", check_numbers, 150000 }, { "many", check_texts, 300 } };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct count count = { 0, 0 };
        uint32_t crc[2] = { 0, 1 };
        char options[100];

        one_set(cases[i].name, options);
        for (size_t k = 0; k < 2; k++)
            T_OK(read_rows(DATA "many.h5", options, cases[i].check, &count, &crc[k], &err), &err);
        T_EQ(cases[i].name, count.rows, 2 * cases[i].rows);
        T_EQ(cases[i].name, count.wrong, 0);
        T_EQ("checksum", crc[0], crc[1]);
    }
}

/* ---- tables --------------------------------------------------------------------------------- */

static void sets_stand_side_by_side(void)
{
    static const struct {
        const char *name, *options, *want;
    } cases[] = {
        { "all, what is flat last", "", "0<images[0,0]><images[0,1]><images[1,0]><images[1,1]>"
          "<a label>|1[0][1][2][3][3]|2[4][5][6][7][4]|" },
        { "named", "\"arrays\":[\"a label\",\"images\"]",
          "0<a label><images[0,0]><images[0,1]><images[1,0]><images[1,1]>|1[3][0][1][2][3]|"
          "2[4][4][5][6][7]|" },
        { "format", "\"format\":\"hdf5\",\"arrays\":[\"a label\"]", "0<a label>|1[3]|2[4]|" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf seen;

        asy_buf_init(&seen, 1u << 20);
        if (T_OK(read_rows(DATA "table.h5", cases[i].options, note, &seen, NULL, &err), &err))
            T_STR(cases[i].name, seen.data, cases[i].want);
        asy_buf_fini(&seen);
    }
}

/* Texts, truth values and whole numbers are classes, other numbers amounts. */
static void labels_are_of_any_type(void)
{
    static const struct {
        const char *name;
        size_t classes; /* 0: regression */
        const char *first;
    } cases[] = { { "many", 3, "text 0" }, { "grade", 4, "0" }, { "truth", 2, "0" },
                  { "amount", 0, NULL } };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy__data_spec of;
        struct asy__data data = { 0 };
        struct asy_json *job;
        char options[100];

        snprintf(options, sizeof options, "\"arrays\":[\"side\",\"%s\"]", cases[i].name);
        job = kit_job(DATA "many.h5", options, "train_loss", "minimize", 1, "", "");
        if (T_OK(asy__data_spec_read(asy_json_get(asy_json_get(job, "study"), "data"), &of, &err),
                 &err) &&
            T_OK(asy__data_load(&of, NULL, 1, &data, &err), &err)) {
            T_EQ(cases[i].name, data.schema.classification, cases[i].classes > 0);
            T_EQ(cases[i].name, data.schema.classes.n, cases[i].classes);
            if (cases[i].first && data.schema.classes.n)
                T_STR(cases[i].name, data.schema.classes.texts[0], cases[i].first);
            T_EQ(cases[i].name, data.schema.n_features, 2);
        }
        asy__data_fini(&data);
        asy_json_destroy(job);
    }
}

/* From the file to a model's metrics. */
static void a_model_is_trained_on_them(void)
{
    struct asy_train_callbacks callbacks = { 0 };
    struct asy_train_result result = { 0 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_trainer *trainer = NULL;
    struct asy_comm *comm = NULL;
    struct asy_json *job = kit_job(DATA "many.h5", "\"arrays\":[\"long\"],"
                                   "\"task\":\"classification\"",
                                   "train_loss", "minimize", 1, "\"hidden\":4", "");
    char dir[64];

    if (T_TRUE(kit_dir(dir) != NULL) && T_OK(asy_comm_self(&comm, &err), &err) &&
        T_OK(asy_trainer_create(comm, &trainer, &err), &err) &&
        T_OK(asy_trainer_run(trainer, job, dir, NULL, &callbacks, &result, &err), &err))
        T_EQ("outcome", result.outcome, ASY_TRAIN_COMPLETE);
    asy_trainer_destroy(trainer);
    asy_comm_destroy(comm);
    asy_json_destroy(job);
    kit_rmdir(dir);
}

/* ---- refusals ------------------------------------------------------------------------------- */

static void refused(const char *name, const char *path, const char *options, const char *says)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf seen;

    asy_buf_init(&seen, 1u << 20);
    T_TRUE(read_rows(path, options, note, &seen, NULL, &err) < 0);
    T_HAS(name, err.text, says);
    T_HAS(name, err.text, path);
    asy_buf_fini(&seen);
}

static void what_is_no_table_is_refused(void)
{
    static const struct {
        const char *name, *says;
    } cases[] = {
        { "fields", "array 'fields': its elements have fields" },
        { "complex", "its elements have fields" },
        { "opaque", "its type is not read" },
        { "arrays", "its type is not read" },
        { "ragged", "its type is not read" },
        { "scalar", "it is a single value" },
        { "empty", "it is a single value" },
        { "no rows", "it has no rows" },
        { "unwritten", "nothing has been written to it" },
        { "wide", "70000 columns of 8 bytes are too many" },
        { "chunky", "its chunks have more than 1024 MiB each" },
        { "outside", "its values lie in other files" },
        { "virtual", "its values lie in other files" },
        { "lzf", "it is packed by filter 32000 ('lzf'), which libhdf5 has not on this machine" },
        { "soft", "no array 'soft'" },
        { "external", "no array 'external'" },
        { "external/x", "no array 'external/x'" },
        { "group", "no array 'group'" },
        { "imges", "no array 'imges'" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        char options[100];

        one_set(cases[i].name, options);
        refused(cases[i].name, DATA "many.h5", options, cases[i].says);
    }
    refused("all", DATA "many.h5", "", "array '");
    refused("lengths", DATA "many.h5", "\"arrays\":[\"gzip\",\"nan\"]",
            "'gzip' has 4 rows, 'nan' has 2");
    refused("labels", DATA "table.h5", "\"labels\":\"" DATA "table.h5\"",
            "labels: only an NPY or IDX file");
    refused("header", DATA "table.h5", "\"header\":true", "header: only CSV and TSV can have one");
    refused("another format", DATA "table.h5", "\"format\":\"npz\"", "the file is no npz");
}

/* Cut off wherever, or with other bytes behind the first. What more hostile files do to the library
 * is not tried: it is known to crash on some, and the process is there for nothing else. */
static void damaged_files_are_refused(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    char dir[64], path[128], *bytes = NULL;
    size_t n = 0;

    if (!T_OK(asy_read_file(DATA "table.h5", 1u << 20, &bytes, &n, &err), &err) ||
        !T_TRUE(kit_dir(dir) != NULL))
        goto out;
    snprintf(path, sizeof path, "%s/damaged.h5", dir);
    for (size_t len = 8; len < n; len += n / 5)
        if (kit_write(path, bytes, len))
            refused("cut off", path, "", "it cannot be opened as HDF5; libhdf5 says: ");
    memset(bytes + 8, 0xff, n - 8);
    if (kit_write(path, bytes, n))
        refused("other bytes", path, "", "it cannot be opened as HDF5; libhdf5 says: ");
    kit_rmdir(dir);
out:
    free(bytes);
}

static void a_packed_file_is_refused(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    char dir[64], path[128], *bytes = NULL;
    size_t n = 0;
    gzFile gz;

    if (!T_OK(asy_read_file(DATA "table.h5", 1u << 20, &bytes, &n, &err), &err) ||
        !T_TRUE(kit_dir(dir) != NULL))
        goto out;
    snprintf(path, sizeof path, "%s/table.h5.gz", dir);
    if (T_TRUE((gz = gzopen(path, "wb")) != NULL)) {
        T_EQ("written", gzwrite(gz, bytes, (unsigned)n), n);
        gzclose(gz);
        refused("packed", path, "", "an HDF5 file is packed already");
    }
    kit_rmdir(dir);
out:
    free(bytes);
}

/* ---- memory --------------------------------------------------------------------------------- */

static int ignore(void *arg, uint64_t row, const struct asy__cell *cells, size_t n,
                  struct asy_error *err)
{
    (void)arg, (void)row, (void)cells, (void)n, (void)err;
    return 0;
}

static struct asy__data_spec spec;

static int read_all(struct asy_error *err)
{
    struct asy__source source = { 0 };
    int rc = asy__source_open(&spec, NULL, &source, err);

    if (rc == 0)
        rc = asy__source_rows(&source, ignore, NULL, NULL, err);
    asy__source_close(&source);
    return rc;
}

static void want_of_memory_is_told(void)
{
    struct asy_json *job = kit_job(DATA "table.h5", "", "train_loss", "minimize", 1, "", "");
    struct asy_error err = ASY_ERROR_INIT;

    if (T_OK(asy__data_spec_read(asy_json_get(asy_json_get(job, "study"), "data"), &spec, &err),
             &err))
        T_TRUE(t_nomem_each("read", read_all) > 10);
    asy_json_destroy(job);
}

int main(void)
{
    static const struct t_test tests[] = {
        T_TEST(numbers_and_texts_of_any_type_are_rows),
        T_TEST(texts_end_where_their_padding_begins), T_TEST(rows_beyond_a_block_follow),
        T_TEST(sets_stand_side_by_side), T_TEST(labels_are_of_any_type),
        T_TEST(a_model_is_trained_on_them),
        T_TEST(what_is_no_table_is_refused), T_TEST(damaged_files_are_refused),
        T_TEST(a_packed_file_is_refused), T_TEST(want_of_memory_is_told),
    };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__hdf5 *file = NULL;

    if (asy__hdf5_open(DATA "table.h5", &file, &err) == ASY_E_UNSUPPORTED) {
        printf("    not tested: %s\n", err.text);
        return 77; /* skipped */
    }
    asy__hdf5_close(file);
    return t__main("hdf5", tests, ASY_ARRAY_LEN(tests));
}
