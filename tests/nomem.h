/* SPDX-License-Identifier: Apache-2.0
 * nomem.h - allocations that fail on purpose. A test declared with NOMEM has malloc and its like of
 * our own code sent through nomem.c (the linker's --wrap); what libraries allocate by themselves is
 * not reached.
 *
 * Threads: only one may allocate between t_nomem_…() and t_nomem_end(). */
#ifndef ASY_TEST_NOMEM_H
#define ASY_TEST_NOMEM_H
#include "asytest.h"

void t_nomem_at(long n);   /* the n-th allocation from now fails (0: the next one), no other */
void t_nomem_from(long n); /* the n-th and all after it fail */
bool t_nomem_end(void);    /* none fails any more; returns whether one has failed */
bool t_nomem_failed(void); /* whether one has failed so far */

/* Calls with the 0th, 1st, … allocation failing until it gets by without: each time it must
 * return ASY_E_NOMEM with a text, at the end 0. Returns how many allocations failed. */
long t_nomem_each(const char *name, int (*call)(struct asy_error *err));
#endif
