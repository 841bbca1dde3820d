/* SPDX-License-Identifier: Apache-2.0
 * jsonw.c - writing JSON straight into a buffer, without a tree. */
#include <asy/json.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <asy/parse.h>
#include "utf8.h"

#define DEPTH_MAX 63u /* has_items has a bit for each level and one for the top */

void asy_jsonw_init(struct asy_jsonw *w, struct asy_buf *buf, int pretty)
{
    *w = (struct asy_jsonw){ .buf = buf, .pretty = pretty };
}

static void line(struct asy_jsonw *w)
{
    asy_buf_addc(w->buf, '\n');
    for (unsigned i = 0; i < w->depth; i++)
        asy_buf_add(w->buf, "  ", 2);
}

/* One character of a string, or what stands for it. Returns the bytes of text that it covers. */
static size_t escape(struct asy_buf *buf, const char *text, size_t len)
{
    static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    size_t n = asy__utf8_len(text, len);
    char c = text[0];

    if (n == 0) {
        asy_buf_add(buf, "\xef\xbf\xbd", 3);
        return 1;
    }
    for (size_t i = 0; n == 1 && shorts[i]; i += 2)
        if (shorts[i] == c) {
            asy_buf_addc(buf, '\\');
            asy_buf_addc(buf, shorts[i + 1]);
            return 1;
        }
    if (n == 1 && (unsigned char)c < 0x20)
        asy_buf_addf(buf, "\\u%04x", (unsigned)c);
    else
        asy_buf_add(buf, text, n);
    return n;
}

static void quoted(struct asy_buf *buf, const char *text, size_t len)
{
    asy_buf_addc(buf, '"');
    for (size_t i = 0; i < len;) {
        size_t plain = 0; /* the usual run of plain letters goes in one piece */

        while (i + plain < len && text[i + plain] >= 0x20 && text[i + plain] < 0x7f &&
               text[i + plain] != '"' && text[i + plain] != '\\')
            plain++;
        asy_buf_add(buf, text + i, plain);
        i += plain;
        if (i < len)
            i += escape(buf, text + i, len - i);
    }
    asy_buf_addc(buf, '"');
}

/* Comma, line and key: all that stands before a value. */
static void lead(struct asy_jsonw *w, const char *key)
{
    uint64_t bit = UINT64_C(1) << w->depth;

    if (w->has_items & bit)
        asy_buf_addc(w->buf, ',');
    w->has_items |= bit;
    if (w->pretty && w->depth > 0)
        line(w);
    if (key) {
        quoted(w->buf, key, strlen(key));
        asy_buf_adds(w->buf, w->pretty ? ": " : ":");
    }
}

void asy_jsonw_open(struct asy_jsonw *w, const char *key, char bracket)
{
    ASY_ASSERT(bracket == '{' || bracket == '[', "'%c'", bracket);
    ASY_ASSERT(w->depth < DEPTH_MAX, "JSON deeper than %u levels", DEPTH_MAX);
    lead(w, key);
    asy_buf_addc(w->buf, bracket);
    w->depth++;
    w->has_items &= ~(UINT64_C(1) << w->depth);
}

void asy_jsonw_close(struct asy_jsonw *w, char bracket)
{
    int had;

    ASY_ASSERT(bracket == '}' || bracket == ']', "'%c'", bracket);
    ASY_ASSERT(w->depth > 0, "closed more than was opened");
    had = (w->has_items >> w->depth & 1) != 0;
    w->depth--;
    if (w->pretty && had)
        line(w);
    asy_buf_addc(w->buf, bracket);
}

void asy_jsonw_str(struct asy_jsonw *w, const char *key, const char *text)
{
    if (text)
        asy_jsonw_strn(w, key, text, strlen(text));
    else
        asy_jsonw_null(w, key);
}

void asy_jsonw_strn(struct asy_jsonw *w, const char *key, const char *text, size_t len)
{
    lead(w, key);
    quoted(w->buf, text, len);
}

void asy_jsonw_i64(struct asy_jsonw *w, const char *key, int64_t value)
{
    lead(w, key);
    asy_buf_addf(w->buf, "%" PRId64, value);
}

void asy_jsonw_u64(struct asy_jsonw *w, const char *key, uint64_t value)
{
    lead(w, key);
    if (value > INT64_MAX)
        asy_buf_addf(w->buf, "\"%" PRIu64 "\"", value);
    else
        asy_buf_addf(w->buf, "%" PRIu64, value);
}

void asy_jsonw_f64(struct asy_jsonw *w, const char *key, double value)
{
    char text[32];

    lead(w, key);
    asy_format_f64(value, text);
    if (!isfinite(value))
        asy_buf_addf(w->buf, "\"%s\"", text);
    else if (value == 0 && signbit(value))
        asy_buf_adds(w->buf, "-0.0"); /* "-0" would be read as an integer and lose its sign */
    else
        asy_buf_adds(w->buf, text);
}

void asy_jsonw_bool(struct asy_jsonw *w, const char *key, int value)
{
    lead(w, key);
    asy_buf_adds(w->buf, value ? "true" : "false");
}

void asy_jsonw_null(struct asy_jsonw *w, const char *key)
{
    lead(w, key);
    asy_buf_adds(w->buf, "null");
}

void asy_jsonw_raw(struct asy_jsonw *w, const char *key, const char *text, size_t len)
{
    lead(w, key);
    asy_buf_add(w->buf, text, len);
}
