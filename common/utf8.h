/* SPDX-License-Identifier: Apache-2.0
 * utf8.h - what the writers of this folder need to know about UTF-8 (RFC 3629). */
#ifndef ASY__UTF8_H
#define ASY__UTF8_H
#include <stddef.h>

/* Length of the valid sequence at the start of the n bytes, 1 to 4; 0 if there is none. Overlong
 * forms, surrogates and values above U+10FFFF are invalid. */
size_t asy__utf8_len(const char *bytes, size_t n);
/* The largest length of at most n that does not cut a sequence of text in two. */
size_t asy__utf8_cut(const char *text, size_t n);
#endif
