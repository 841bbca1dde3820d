/* SPDX-License-Identifier: Apache-2.0
 * foreign.c - see foreign.h. A table of first bytes; what a text may begin with as well counts only
 * if something follows that a text does not have. */
#include "foreign.h"
#include <string.h>

#define LOOK 512u /* bytes in which a binary file has something that a text has not */

static const char pickle[] = "Python's pickles can run code and are never read; save arrays with "
                             "numpy.savez";
static const char utf16[] = "texts in UTF-16 are not read; make UTF-8 of it: iconv -f UTF-16 -t "
                            "UTF-8 IN > OUT.csv";

enum then { ANYTHING, BINARY_NEXT, BINARY_SOON };

static const struct {
    size_t at;
    const char *magic;
    size_t n;
    enum then then;
    const char *says;
} others[] = {
    { 0, "PAR1", 4, BINARY_NEXT, "Parquet is not read; make a CSV of it: python3 -c \"import "
      "pandas; pandas.read_parquet('IN').to_csv('OUT.csv.gz', index=False)\"" },
    { 0, "ARROW1", 6, BINARY_NEXT, "Arrow files are not read; make a CSV of it: python3 -c "
      "\"import pandas; pandas.read_feather('IN').to_csv('OUT.csv.gz', index=False)\"" },
    { 0, "ORC", 3, BINARY_SOON, "ORC is not read; make a CSV of it: python3 -c \"import pandas; "
      "pandas.read_orc('IN').to_csv('OUT.csv.gz', index=False)\"" },
    { 0, "\x80\x02", 2, ANYTHING, pickle },
    { 0, "\x80\x03", 2, ANYTHING, pickle },
    { 0, "\x80\x04", 2, ANYTHING, pickle },
    { 0, "\x80\x05", 2, ANYTHING, pickle },
    { 0, "SQLite format 3", 15, BINARY_NEXT, "SQLite is not read; export a table: sqlite3 -header "
      "-csv IN 'select * from TABLE' | gzip > OUT.csv.gz" },
    { 0, "MATLAB 5.0 MAT-file", 19, BINARY_SOON, "MATLAB files before version 7.3 are not read; "
      "in MATLAB: save(..., '-v7.3'). In Python: scipy.io.loadmat('IN'), then numpy.savez" },
    { 0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 8, ANYTHING, "it is an old Excel workbook; save the "
      "sheet as CSV, or: soffice --headless --convert-to csv IN" },
    { 257, "ustar", 5, BINARY_SOON, "tar archives are not read; take the table out of it: tar -xf "
      "IN" },
    { 0, "\xff\xfe", 2, ANYTHING, utf16 },
    { 0, "\xfe\xff", 2, ANYTHING, utf16 },
    { 0, "\xfd" "7zXZ", 5, ANYTHING, "only gzip is undone, not xz: xz -dc IN | gzip > OUT.gz" },
    { 0, "(\xb5/\xfd", 4, ANYTHING, "only gzip is undone, not zstd: zstd -dc IN | gzip > OUT.gz" },
    { 0, "BZh91AY&SY", 10, ANYTHING, "only gzip is undone, not bzip2: bzip2 -dc IN | gzip > "
      "OUT.gz" },
};

static int is_binary(char byte)
{
    return (unsigned char)byte < ' ' && !memchr("\n\r\t", byte, 3);
}

static int follows(enum then then, const char *bytes, size_t n)
{
    size_t look = then == BINARY_NEXT ? 1 : LOOK;

    for (size_t i = 0; i < n && i < look; i++)
        if (is_binary(bytes[i]))
            return 1;
    return then == ANYTHING;
}

int asy__foreign_check(const char *bytes, size_t n, struct asy_error *err)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(others); i++) {
        size_t end = others[i].at + others[i].n;

        if (n >= end && !memcmp(bytes + others[i].at, others[i].magic, others[i].n) &&
            follows(others[i].then, bytes + end, n - end))
            return asy_fail(err, ASY_E_UNSUPPORTED, "%s", others[i].says);
    }
    return 0;
}

static int ends_in(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);

    return n > m && !strcmp(name + n - m, ending);
}

int asy__foreign_zip(const struct asy__zip_entry *members, size_t n, struct asy_error *err)
{
    static const char *const books[] = { "xl/workbook.xml", "xl/workbook.bin", "content.xml" };
    static const char *const tables[] = { ".csv", ".tsv", ".txt", ".data", ".svm", ".libsvm" };

    for (size_t i = 0; i < n; i++)
        if (ends_in(members[i].name, ".npy"))
            return 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < ASY_ARRAY_LEN(books); k++)
            if (!strcmp(members[i].name, books[k]))
                return asy_fail(err, ASY_E_UNSUPPORTED, "it is a workbook (%s), which is not read; "
                                "save the sheet as CSV, or: soffice --headless --convert-to csv IN",
                                books[k][0] == 'x' ? "Excel" : "OpenDocument");
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < ASY_ARRAY_LEN(tables); k++)
            if (ends_in(members[i].name, tables[k]))
                return asy_fail(err, ASY_E_UNSUPPORTED, "it is a zip archive, and only gzip is "
                                "undone: unzip -p IN '%.60s' | gzip > OUT%s.gz", members[i].name,
                                tables[k]);
    return 0;
}

int asy__foreign_separator(const char *first, char separator, int later, struct asy_error *err)
{
    static const char known[] = ";\t|,";
    char is = 0;

    for (const char *c = known; *c && !is; c++)
        if (*c != separator && strchr(first, *c))
            is = *c;
    if (!is)
        return 0;
    if (is == '\t' || is == ',')
        return asy_fail(err, ASY_E_INVAL, "%s separate its fields: say data.format: %s",
                        is == '\t' ? "tabs" : "commas", is == '\t' ? "tsv" : "csv");
    return asy_fail(err, ASY_E_INVAL, "'%c' separates its fields, not a comma: python3 -c \"import "
                    "pandas; pandas.read_csv('IN', sep='%c'%s).to_csv('OUT.csv', index=False)\"",
                    is, is, later ? ", decimal=','" : "");
}
