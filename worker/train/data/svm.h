/* SPDX-License-Identifier: Apache-2.0
 * svm.h - the text format of LIBSVM: "label index:value ...", a line for each row, what is zero
 * left out. Rows come out dense: the features from 1 (or 0, if that occurs) to the highest index,
 * then the label.
 *
 * Threads: one owner. */
#ifndef ASY__SVM_H
#define ASY__SVM_H
#include "data.h"

struct asy__svm_range {
    uint64_t low, high; /* indices; 1, 0: none yet */
};

/* Whether the text, the beginning of a file, has lines of this format. */
int asy__is_svm(const char *text, size_t n);
/* Reads all and widens the range to the indices that there are. */
ASY_MUST_CHECK int asy__svm_scan(const char *path, struct asy__svm_range *range,
                                 struct asy_error *err);
/* First a row of the columns' names, "feature 1", ..., "label"; then the others, each with the
 * number of its line. range: as scanned. */
ASY_MUST_CHECK int asy__svm_rows(const char *path, const struct asy__svm_range *range,
                                 asy__row_f row, void *arg, uint32_t *ret_crc,
                                 struct asy_error *err);
/* The index that a column's name has; -1: it is no such name. */
int asy__svm_index(const char *name, uint64_t *ret);
#endif
