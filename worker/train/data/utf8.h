/* SPDX-License-Identifier: Apache-2.0
 * utf8.h - characters of texts: UTF-8 as RFC 3629 has it, code points up to U+10FFFF without
 * surrogates. */
#ifndef ASY__DATA_UTF8_H
#define ASY__DATA_UTF8_H
#include <stddef.h>
#include <stdint.h>

#define ASY__POINTS 0x110000u /* code points that there are */

/* Length of the character at the start of n > 0 bytes; 0: they are no UTF-8, or it goes on behind
 * them. */
size_t asy__utf8_decode(const char *bytes, size_t n, uint32_t *ret_point);
/* The other way round: returns 1 to 4, or 0 where there is no such character. */
size_t asy__utf8_encode(uint32_t point, char bytes[4]);
/* Whether a text is UTF-8 through and through: names and texts that are kept must be writable as
 * JSON without loss. */
int asy__utf8_text(const char *text, size_t len);
#endif
