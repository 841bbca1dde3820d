/* SPDX-License-Identifier: Apache-2.0
 * Comma-separated values: a text cut anywhere gives the same rows, or the same complaint. */
#include <asy/csv.h>
#include <string.h>
#include "fuzz.h"

static int note(void *arg, uint64_t row, const struct asy_csv_field *fields, size_t n,
                struct asy_error *err)
{
    struct asy_buf *seen = arg;

    (void)err;
    FUZZ_CHECK(n > 0 && n <= ASY_CSV_COLUMNS_MAX);
    asy_buf_addf(seen, "%llu:", (unsigned long long)row);
    for (size_t i = 0; i < n; i++) {
        asy_buf_addf(seen, "%zu%c", fields[i].len, fields[i].quoted ? 'q' : 'p');
        asy_buf_add(seen, fields[i].text, fields[i].len);
    }
    return 0;
}

static int parse(const uint8_t *data, size_t size, size_t piece, struct asy_buf *seen,
                 struct asy_error *err)
{
    struct asy_csv *csv = NULL;
    int rc = asy_csv_create(',', note, seen, &csv, err);

    for (size_t at = 0; rc == 0 && at < size; at += piece)
        rc = asy_csv_feed(csv, (const char *)data + at, size - at < piece ? size - at : piece, err);
    if (rc == 0)
        rc = asy_csv_finish(csv, err);
    asy_csv_destroy(csv);
    FUZZ_CHECK((rc < 0) == (err->text[0] != 0));
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct asy_error first = ASY_ERROR_INIT, second = ASY_ERROR_INIT;
    struct asy_buf whole, cut;

    if (size > 1u << 16)
        return 0;
    asy_buf_init(&whole, 1u << 24);
    asy_buf_init(&cut, 1u << 24);
    FUZZ_CHECK(parse(data, size, size + 1, &whole, &first) ==
               parse(data, size, size ? 1 + data[size / 2] % 5 : 1, &cut, &second));
    FUZZ_CHECK(!strcmp(first.text, second.text));
    FUZZ_CHECK(whole.len == cut.len && (!whole.len || !memcmp(whole.data, cut.data, whole.len)));
    asy_buf_fini(&whole);
    asy_buf_fini(&cut);
    return 0;
}
