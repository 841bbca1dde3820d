/* SPDX-License-Identifier: Apache-2.0
 * check.h - whether a store that went through a crash is whole. */
#ifndef ASY_TEST_CHECK_H
#define ASY_TEST_CHECK_H
#include <asy/store.h>

/* Opens the folder's store and checks: SQLite finds no damage, the events are numbered from 1
 * without gaps up to at least `acked`, and the rows are those that an engine in memory makes of the
 * same events. 0, or what is wrong in err. ret_last (NULL allowed): the last number. */
ASY_MUST_CHECK int check_store(const struct asy_store_spec *spec, uint64_t acked,
                               uint64_t *ret_last, struct asy_error *err);
#endif
