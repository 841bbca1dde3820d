/* SPDX-License-Identifier: Apache-2.0
 * dict.h - numbers for the distinct texts of a column, in order of first appearance.
 *
 * Ownership: init/fini; texts are copies, borrowed until fini. Threads: one owner. */
#ifndef ASY__DICT_H
#define ASY__DICT_H
#include <asy/error.h>

struct asy__dict {
    char **texts; /* [n] */
    size_t n, most;
    uint32_t *slots; /* [n_slots]: id + 1, or 0 */
    size_t n_slots, cap;
};
#define ASY__DICT_NONE SIZE_MAX

/* most: texts beyond that many are ASY_E_FULL. Zeroed memory with `most` set is a dict too. */
void asy__dict_init(struct asy__dict *dict, size_t most);
void asy__dict_fini(struct asy__dict *dict);
ASY_MUST_CHECK int asy__dict_add(struct asy__dict *dict, const char *text, size_t len,
                                 size_t *ret_id, struct asy_error *err);
size_t asy__dict_find(const struct asy__dict *dict, const char *text, size_t len);
/* Sorts: as numbers if all are, else by bytes. ret_new [n]: old id -> new id, the caller's to
 * free(); NULL allowed. */
ASY_MUST_CHECK int asy__dict_sort(struct asy__dict *dict, size_t **ret_new, struct asy_error *err);
#endif
