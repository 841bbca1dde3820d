/* SPDX-License-Identifier: Apache-2.0
 * asy/id.h - 128-bit external ids: time-ordered (48 bits of wall milliseconds, then a counter and
 * random bits), written as 32 lower-case hex digits. Whoever creates a thing makes its id.
 *
 * Layout follows UUID version 7 (RFC 9562 section 5.7) with a monotonic counter per process.
 * Threads: any. */
#ifndef ASY_ID_H
#define ASY_ID_H
#include <asy/error.h>

struct asy_id {
    uint8_t b[16];
};
#define ASY_ID_NONE ((struct asy_id){ { 0 } })
#define ASY_ID_TEXT 33 /* 32 digits and the terminator */

struct asy_id asy_id_make(void); /* greater than every earlier one of this process */
/* For tests and simulation: a function of its arguments alone. */
struct asy_id asy_id_from(uint64_t wall_ms, uint64_t serial);
int asy_id_cmp(struct asy_id a, struct asy_id b); /* memcmp order */
int asy_id_is_none(struct asy_id id);
uint64_t asy_id_hash(struct asy_id id);
const char *asy_id_format(struct asy_id id, char text[ASY_ID_TEXT]); /* returns text */
/* Exactly 32 hex digits, upper or lower case. */
ASY_MUST_CHECK int asy_id_parse(const char *text, size_t len, struct asy_id *ret_id,
                                struct asy_error *err);
#endif
