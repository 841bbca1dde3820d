/* SPDX-License-Identifier: Apache-2.0
 * hex.h - bytes as hex digits, for ids and content ids. */
#ifndef ASY__HEX_H
#define ASY__HEX_H
#include <stddef.h>
#include <stdint.h>

/* text holds 2 n + 1 bytes. */
static inline void asy__hex_format(const uint8_t *bytes, size_t n, char *text)
{
    for (size_t i = 0; i < n; i++) {
        text[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    text[2 * n] = 0;
}

static inline int asy__hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Reads the 2 n digits of text into n bytes; 0 if one is no hex digit. */
static inline int asy__hex_parse(const char *text, size_t n, uint8_t *ret_bytes)
{
    for (size_t i = 0; i < n; i++) {
        int hi = asy__hex_digit(text[2 * i]), lo = asy__hex_digit(text[2 * i + 1]);

        if (hi < 0 || lo < 0)
            return 0;
        ret_bytes[i] = (uint8_t)(hi << 4 | lo);
    }
    return 1;
}
#endif
