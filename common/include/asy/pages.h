/* SPDX-License-Identifier: Apache-2.0
 * asy/pages.h - large blocks of memory in large pages.
 *
 * Arrays that are read from end to end in each step cost a lookup for every page; of 2 MiB there
 * are so few that the processor knows them all. Linux gives such pages to who asks for them where
 * its setting is "madvise" or "always"; else these are blocks like others.
 *
 * Threads: any. */
#ifndef ASY_PAGES_H
#define ASY_PAGES_H
#include <stddef.h>
#include <asy/error.h>

#define ASY_PAGE ((size_t)2 << 20)

/* bytes > 0, aligned to 64 bytes; of at least ASY_PAGE bytes to such a page. What is in it is not
 * known. The caller frees it with free(). NULL: there is no memory. */
void *asy_pages_alloc(size_t bytes);
/* Zeros in (a part of) such a block. Whole large pages are given back: they take memory again once
 * somebody writes to them, which may be never. */
void asy_pages_clear(void *at, size_t bytes);
#endif
