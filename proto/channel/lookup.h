/* SPDX-License-Identifier: Apache-2.0
 * lookup.h - the addresses behind a name, found by a thread of its own: a name server that does not
 * answer holds up nobody, least of all ZeroMQ's I/O thread.
 *
 * Threads: the owner's. */
#ifndef ASY_LOOKUP_PRIVATE_H
#define ASY_LOOKUP_PRIVATE_H
#include <asy/error.h>

#define ASY__LOOKUP_MAX 4
#define ASY__LOOKUP_TEXT 46

struct asy__lookup;
ASY_MUST_CHECK int asy__lookup_start(const char *name, struct asy__lookup **ret_lookup,
                                     struct asy_error *err);
int asy__lookup_fd(const struct asy__lookup *lookup); /* readable once it is done */
/* The addresses as numbers: how many, 0 if it is not done. ASY_E_NOENT: there is none, and why. */
int asy__lookup_take(struct asy__lookup *lookup,
                     char ret_addresses[ASY__LOOKUP_MAX][ASY__LOOKUP_TEXT], struct asy_error *err);
/* NULL is fine. One that is not done ends by itself, later. */
void asy__lookup_drop(struct asy__lookup *lookup);
#endif
