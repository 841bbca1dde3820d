/* SPDX-License-Identifier: Apache-2.0
 * asy/buf.h - a growing buffer of bytes or text: always terminated, length known, bounded.
 *
 * Errors are sticky: an append that fails (no memory, over the maximum) sets the buffer's code and
 * every later append does nothing, so that a writer checks once at the end with asy_buf_check().
 *
 * Ownership: the buffer owns its bytes until asy_buf_take(). Threads: one owner. */
#ifndef ASY_BUF_H
#define ASY_BUF_H
#include <stdarg.h>
#include <asy/error.h>

struct asy_buf {
    char *data;  /* never NULL after init; data[len] == 0 */
    size_t len;  /* without the terminator */
    size_t cap;  /* allocated, 0 while data points at the shared empty string */
    size_t max;  /* appends beyond this length fail with ASY_E_TOOBIG */
    int rc;      /* 0 or the first failure */
};

void asy_buf_init(struct asy_buf *buf, size_t max);
void asy_buf_fini(struct asy_buf *buf);          /* zeroed memory is fine too */
void asy_buf_clear(struct asy_buf *buf);         /* length 0, failure forgotten, memory kept */
void asy_buf_add(struct asy_buf *buf, const void *bytes, size_t n);
void asy_buf_adds(struct asy_buf *buf, const char *text);
void asy_buf_addc(struct asy_buf *buf, char c);
ASY_PRINTF(2, 3) void asy_buf_addf(struct asy_buf *buf, const char *fmt, ...);
ASY_PRINTF(2, 0) void asy_buf_vaddf(struct asy_buf *buf, const char *fmt, va_list args);
/* Makes room for n more bytes and returns where they go; NULL on failure. Then asy_buf_grew(). */
void *asy_buf_room(struct asy_buf *buf, size_t n);
void asy_buf_grew(struct asy_buf *buf, size_t n);
/* Drops the first n bytes (n <= len). */
void asy_buf_drop(struct asy_buf *buf, size_t n);
/* The bytes, now the caller's to free(); the buffer is empty afterwards. NULL if it had failed. */
char *asy_buf_take(struct asy_buf *buf, size_t *ret_len);
/* 0, or the sticky failure with a text that names what was being built. */
ASY_MUST_CHECK int asy_buf_check(const struct asy_buf *buf, const char *what,
                                 struct asy_error *err);
#endif
