/* SPDX-License-Identifier: Apache-2.0
 * Files of any format as the rows of a table: each reading of one gives the same rows, all of one
 * width, or the file is refused with a reason. The first byte says how to read it; by an odd one
 * the second divides the rest into a file and its labels. */
#include <asy/json.h>
#include <string.h>
#include "memory_file.h"
#include "data/source.h"

struct seen {
    uint64_t rows, last, sum;
    size_t width;
};

static int note(void *arg, uint64_t row, const struct asy__cell *cells, size_t n,
                struct asy_error *err)
{
    struct seen *seen = arg;

    (void)err;
    FUZZ_CHECK(n > 0 && n <= ASY_CSV_COLUMNS_MAX);
    FUZZ_CHECK(!seen->rows || row > seen->last);
    seen->width = seen->rows ? seen->width : n;
    seen->last = row;
    seen->rows++;
    seen->sum = seen->sum * 31 + n;
    for (size_t i = 0; i < n; i += 1 + n / 256) { /* of wide rows some */
        uint64_t bits;

        memcpy(&bits, &cells[i].number, sizeof bits);
        seen->sum = seen->sum * 31 + (cells[i].text ? cells[i].len : bits);
        for (size_t k = 0; cells[i].text && k < cells[i].len; k++)
            seen->sum = seen->sum * 31 + (uint8_t)cells[i].text[k];
    }
    return 0;
}

static void read_twice(const struct asy__data_spec *spec)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__source source = { 0 };
    struct seen seen[2] = { { 0 } };
    uint32_t crc[2] = { 0, 0 };
    int rc[2];

    if (asy__source_open(spec, NULL, &source, &err) < 0) {
        FUZZ_CHECK(err.text[0]);
        return;
    }
    for (int i = 0; i < 2; i++) {
        struct asy_error why = ASY_ERROR_INIT;

        rc[i] = asy__source_rows(&source, note, &seen[i], &crc[i], &why);
        FUZZ_CHECK((rc[i] < 0) == (why.text[0] != 0));
    }
    FUZZ_CHECK(rc[0] == rc[1] && crc[0] == crc[1]);
    FUZZ_CHECK(!memcmp(&seen[0], &seen[1], sizeof seen[0]));
    FUZZ_CHECK(rc[0] < 0 || !source.n_arrays ||
               (seen[0].width == source.n_columns &&
                seen[0].rows == source.arrays[0].shape.n_rows + (source.header == 1)));
    asy__source_close(&source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct asy__data_spec spec = { .header = -1 };
    size_t at = 1, n;
    char path[64], labels[64];
    int fd, second = -1;

    if (size < 2 || size > 1u << 14)
        return 0;
    spec.format = (enum asy__format)((data[0] >> 1) % (ASY__FORMAT_IDX + 1));
    spec.separator = spec.format == ASY__FORMAT_TSV ? '\t' : ',';
    n = size - 1;
    if (data[0] & 1) {
        at = 2;
        n = data[1] < size - 2 ? data[1] : size - 2;
        second = memory_file(data + at + n, size - at - n, labels);
        spec.labels = labels;
    }
    if (is_for_libhdf5(data + at, n)) {
        if (second >= 0)
            close(second);
        return 0;
    }
    fd = memory_file(data + at, n, path);
    spec.file = path;
    read_twice(&spec);
    close(fd);
    if (second >= 0)
        close(second);
    return 0;
}
