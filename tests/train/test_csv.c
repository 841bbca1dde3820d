/* SPDX-License-Identifier: Apache-2.0
 * The CSV reader, fed in pieces of every size. */
#include "trainkit.h"
#include <asy/csv.h>
#include <zlib.h>

/* Rows as text: fields in <>, rows ended by |. */
static int note(void *arg, uint64_t row, const struct asy_csv_field *fields, size_t n,
                struct asy_error *err)
{
    struct asy_buf *seen = arg;

    (void)err;
    asy_buf_addf(seen, "%llu", (unsigned long long)row);
    for (size_t i = 0; i < n; i++)
        asy_buf_addf(seen, "%s%.*s%s", fields[i].quoted ? "{" : "<", (int)fields[i].len,
                     fields[i].text, fields[i].quoted ? "}" : ">");
    asy_buf_addc(seen, '|');
    return 0;
}

static int read_cut(const char *text, size_t n, size_t cut, struct asy_buf *seen,
                    struct asy_error *err)
{
    struct asy_csv *csv = NULL;
    int rc;

    asy_buf_clear(seen);
    if ((rc = asy_csv_create(',', note, seen, &csv, err)) < 0)
        return rc;
    for (size_t at = 0; at < n && rc == 0; at += cut)
        rc = asy_csv_feed(csv, text + at, n - at < cut ? n - at : cut, err);
    if (rc == 0)
        rc = asy_csv_finish(csv, err);
    asy_csv_destroy(csv);
    return rc;
}

static void rows_come_out_as_rfc_4180_says(void)
{
    static const struct {
        const char *name, *text, *want;
    } cases[] = {
        { "plain", "a,b\nc,d\n", "1<a><b>|2<c><d>|" },
        { "no last line end", "a,b\nc,d", "1<a><b>|2<c><d>|" },
        { "carriage returns", "a,b\r\nc,d\r\n", "1<a><b>|2<c><d>|" },
        { "quoted", "\"a\",\"b,c\"\n", "1{a}{b,c}|" },
        { "quotes in quotes", "\"say \"\"hi\"\"\",x\n", "1{say \"hi\"}<x>|" },
        { "line ends in quotes", "\"a\r\nb\",c\nd,e\n", "1{a\r\nb}<c>|2<d><e>|" },
        { "empty fields", ",\n,,\n\"\",x\n", "1<><>|2<><><>|3{}<x>|" },
        { "empty lines", "a\n\n\r\nb\n", "1<a>|4<b>|" },
        { "a quoted nothing is a row", "\"\"\n", "1{}|" },
        { "spaces stay", " a , b \n", "1< a >< b >|" },
        { "byte order mark", "\xef\xbb\xbf" "a,b\n", "1<a><b>|" },
        { "mark before a quote", "\xef\xbb\xbf\"a\",b\n", "1{a}<b>|" },
        { "half a mark is content", "\xef\xbb" "a\n", "1<\xef\xbb" "a>|" },
        { "one field, no end", "a", "1<a>|" },
        { "quote at the very end", "a,\"b\"", "1<a>{b}|" },
        { "nothing", "", "" },
    };
    struct asy_buf seen;

    asy_buf_init(&seen, 1u << 16);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        size_t n = strlen(cases[i].text);

        for (size_t cut = 1; cut <= n + 1; cut++) {
            struct asy_error err = ASY_ERROR_INIT;

            T_OK(read_cut(cases[i].text, n, cut, &seen, &err), &err);
            T_STR(cases[i].name, seen.data, cases[i].want);
        }
    }
    asy_buf_fini(&seen);
}

static void bad_input_is_refused_with_its_place(void)
{
    static const struct {
        const char *name, *text;
        size_t n;
        const char *says;
    } cases[] = {
        { "quote inside", "a,b\"c\n", 0, "row 1, column 2: a quote inside" },
        { "after the quote", "x\n\"a\"b\n", 0, "row 2, column 1: text after the closing" },
        { "never closed", "a,\"b\nc,d\n", 0, "row 1, column 2: a quote is opened" },
        { "lone return", "a\rb\n", 0, "row 1, column 1: a carriage return" },
        { "return at the end", "a\r", 0, "row 1, column 1: a carriage return" },
        { "binary", "a\0b\n", 4, "row 1, column 1: a NUL byte" },
        { "binary in quotes", "\"a\0b\"\n", 6, "row 1, column 1: a NUL byte" },
    };
    struct asy_buf seen;

    asy_buf_init(&seen, 1u << 16);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        size_t n = cases[i].n ? cases[i].n : strlen(cases[i].text);

        for (size_t cut = 1; cut <= n; cut++) {
            struct asy_error err = ASY_ERROR_INIT;

            T_EQ(cases[i].name, read_cut(cases[i].text, n, cut, &seen, &err), ASY_E_FORMAT);
            T_HAS(cases[i].name, err.text, cases[i].says);
        }
    }
    asy_buf_fini(&seen);
}

static int ignore_row(void *arg, uint64_t row, const struct asy_csv_field *fields, size_t n,
                      struct asy_error *err)
{
    (void)arg, (void)row, (void)fields, (void)n, (void)err;
    return 0;
}

static void rows_and_columns_are_bounded(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_csv *csv = NULL;
    static char commas[4096], letters[65536];
    int rc = 0;

    memset(commas, ',', sizeof commas);
    memset(letters, 'x', sizeof letters);
    if (!T_OK(asy_csv_create(',', ignore_row, NULL, &csv, &err), &err))
        return;
    for (int i = 0; i < 100 && rc == 0; i++)
        rc = asy_csv_feed(csv, commas, sizeof commas, &err);
    T_EQ("columns", rc, ASY_E_TOOBIG);
    T_HAS("columns", err.text, "more than 65536 columns");
    asy_csv_destroy(csv);
    if (!T_OK(asy_csv_create(',', ignore_row, NULL, &csv, &err), &err))
        return;
    for (int i = 0, n = 1 + (16 << 20) / 65536; i < n + 1 && (i == 0 || rc == 0); i++)
        rc = asy_csv_feed(csv, letters, sizeof letters, &err);
    T_EQ("bytes", rc, ASY_E_TOOBIG);
    T_HAS("bytes", err.text, "row 1: longer than");
    asy_csv_destroy(csv);
}

static int stop_at_two(void *arg, uint64_t row, const struct asy_csv_field *fields, size_t n,
                       struct asy_error *err)
{
    (void)arg, (void)fields, (void)n;
    return row < 2 ? 0 : asy_fail(err, ASY_E_CANCELLED, "enough");
}

static void files_are_read_plain_and_zipped(void)
{
    static const char text[] = "a,b\n1,2\n3,4\n";
    struct asy_error err = ASY_ERROR_INIT;
    char dir[64], plain[128], zipped[128], cut[128], *bytes = NULL;
    struct asy_buf seen;
    uint32_t crc = 0, crc2 = 1;
    size_t n = 0;
    gzFile gz;

    asy_buf_init(&seen, 1u << 16);
    if (!T_TRUE(kit_dir(dir) != NULL))
        return;
    snprintf(plain, sizeof plain, "%s/a.csv", dir);
    snprintf(zipped, sizeof zipped, "%s/a.csv.gz", dir);
    snprintf(cut, sizeof cut, "%s/cut.csv.gz", dir);
    kit_write(plain, text, sizeof text - 1);
    gz = gzopen(zipped, "wb");
    T_EQ("gzip", gzwrite(gz, text, sizeof text - 1), sizeof text - 1);
    gzclose(gz);
    T_OK(asy_csv_read_file(plain, ',', 100, note, &seen, &crc, &err), &err);
    T_STR("plain", seen.data, "1<a><b>|2<1><2>|3<3><4>|");
    asy_buf_clear(&seen);
    T_OK(asy_csv_read_file(zipped, ',', 100, note, &seen, &crc2, &err), &err);
    T_STR("zipped", seen.data, "1<a><b>|2<1><2>|3<3><4>|");
    T_EQ("the same text", crc, crc2);
    T_EQ("stopped", asy_csv_read_file(plain, ',', 100, stop_at_two, NULL, NULL, &err),
         ASY_E_CANCELLED);
    T_EQ("bound", asy_csv_read_file(zipped, ',', 11, note, &seen, NULL, &err), ASY_E_TOOBIG);
    T_EQ("folder", asy_csv_read_file(dir, ',', 100, note, &seen, NULL, &err), ASY_E_INVAL);
    T_EQ("absent", asy_csv_read_file("/nowhere/x", ',', 9, note, &seen, NULL, &err), ASY_E_NOENT);
    if (T_OK(asy_read_file(zipped, 1000, &bytes, &n, &err), &err)) {
        kit_write(cut, bytes, n - 10);
        T_TRUE(asy_csv_read_file(cut, ',', 100, note, &seen, NULL, &err) < 0);
        bytes[n - 6] ^= 1; /* the checksum */
        kit_write(cut, bytes, n);
        T_EQ("damaged", asy_csv_read_file(cut, ',', 100, note, &seen, NULL, &err), ASY_E_CORRUPT);
        T_HAS("damaged", err.text, cut);
    }
    free(bytes);
    asy_buf_fini(&seen);
    kit_rmdir(dir);
}

T_MAIN("csv", T_TEST(rows_come_out_as_rfc_4180_says), T_TEST(bad_input_is_refused_with_its_place),
       T_TEST(rows_and_columns_are_bounded), T_TEST(files_are_read_plain_and_zipped))
