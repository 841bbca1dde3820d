/* SPDX-License-Identifier: Apache-2.0
 * dump.h - everything that a reader gives, as text: two stores that tell the same have equal dumps.
 */
#ifndef ASY_TEST_DUMP_H
#define ASY_TEST_DUMP_H
#include <asy/store.h>

/* Appends all studies with their trials, attempts, metrics, artifacts, tags and events. */
ASY_MUST_CHECK int dump_reader(struct asy_reader *reader, struct asy_buf *buf,
                               struct asy_error *err);
/* Appends what replay gives. */
ASY_MUST_CHECK int dump_replay(struct asy_store *store, struct asy_buf *buf,
                               struct asy_error *err);
/* Where two texts part, for messages: the line of `got` there. */
const char *dump_differs(const char *got, const char *want, char text[200]);
#endif
