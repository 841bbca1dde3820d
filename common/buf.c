/* SPDX-License-Identifier: Apache-2.0
 * buf.c - a growing buffer. Capacity doubles, so appending n bytes costs O(n) altogether; an empty
 * buffer owns no memory and points at one shared terminator, which is never written. */
#include <asy/buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char empty[1];

void asy_buf_init(struct asy_buf *buf, size_t max)
{
    *buf = (struct asy_buf){ .data = empty, .max = max };
}

void asy_buf_fini(struct asy_buf *buf)
{
    if (buf->cap)
        free(buf->data);
    asy_buf_init(buf, buf->max);
}

void asy_buf_clear(struct asy_buf *buf)
{
    buf->len = 0;
    buf->rc = 0;
    if (buf->cap)
        buf->data[0] = 0;
    else
        buf->data = empty;
}

/* Room for n more bytes and the terminator; 0 or the sticky failure. */
static int reserve(struct asy_buf *buf, size_t n)
{
    size_t need, cap;
    char *data;

    if (buf->rc)
        return buf->rc;
    if (n > buf->max || buf->len > buf->max - n || n >= SIZE_MAX / 2 - buf->len)
        return buf->rc = ASY_E_TOOBIG;
    need = buf->len + n + 1;
    if (need <= buf->cap)
        return 0;
    cap = buf->cap ? buf->cap : 64;
    while (cap < need)
        cap *= 2;
    if (cap / 2 >= buf->max) /* never more than the maximum and its terminator needs */
        cap = buf->max + 1;
    if (!(data = realloc(buf->cap ? buf->data : NULL, cap)))
        return buf->rc = ASY_E_NOMEM;
    data[buf->len] = 0;
    buf->data = data;
    buf->cap = cap;
    return 0;
}

void asy_buf_add(struct asy_buf *buf, const void *bytes, size_t n)
{
    if (n == 0 || reserve(buf, n))
        return;
    memcpy(buf->data + buf->len, bytes, n);
    buf->len += n;
    buf->data[buf->len] = 0;
}

void asy_buf_adds(struct asy_buf *buf, const char *text)
{
    asy_buf_add(buf, text, strlen(text));
}

void asy_buf_addc(struct asy_buf *buf, char c)
{
    asy_buf_add(buf, &c, 1);
}

void asy_buf_addf(struct asy_buf *buf, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    asy_buf_vaddf(buf, fmt, args);
    va_end(args);
}

void asy_buf_vaddf(struct asy_buf *buf, const char *fmt, va_list args)
{
    char small[256];
    va_list again;
    int n;

    if (buf->rc)
        return;
    va_copy(again, args);
    n = vsnprintf(small, sizeof small, fmt, args);
    if (n < 0) {
        buf->rc = ASY_E_NOMEM; /* the only reason our formats can have */
    } else if ((size_t)n < sizeof small) {
        asy_buf_add(buf, small, (size_t)n);
    } else if (!reserve(buf, (size_t)n)) {
        vsnprintf(buf->data + buf->len, (size_t)n + 1, fmt, again);
        buf->len += (size_t)n;
    }
    va_end(again);
}

void *asy_buf_room(struct asy_buf *buf, size_t n)
{
    return reserve(buf, n) ? NULL : buf->data + buf->len;
}

void asy_buf_grew(struct asy_buf *buf, size_t n)
{
    if (n == 0 || buf->rc)
        return;
    ASY_ASSERT(buf->cap > buf->len && n <= buf->cap - buf->len - 1, "%zu bytes more than room", n);
    buf->len += n;
    buf->data[buf->len] = 0;
}

void asy_buf_drop(struct asy_buf *buf, size_t n)
{
    ASY_ASSERT(n <= buf->len, "%zu of %zu bytes", n, buf->len);
    if (n == 0)
        return;
    buf->len -= n;
    memmove(buf->data, buf->data + n, buf->len + 1);
}

char *asy_buf_take(struct asy_buf *buf, size_t *ret_len)
{
    char *data;

    if (reserve(buf, 0)) { /* failed before, or no memory for the terminator alone */
        int rc = buf->rc;

        asy_buf_fini(buf);
        buf->rc = rc;
        return NULL;
    }
    data = buf->data;
    if (ret_len)
        *ret_len = buf->len;
    asy_buf_init(buf, buf->max);
    return data;
}

int asy_buf_check(const struct asy_buf *buf, const char *what, struct asy_error *err)
{
    if (buf->rc == ASY_E_TOOBIG)
        return asy_fail(err, ASY_E_TOOBIG, "cannot build %s: more than %zu bytes", what, buf->max);
    if (buf->rc)
        return asy_fail(err, (enum asy_code)buf->rc, "cannot build %s: no memory", what);
    return 0;
}
