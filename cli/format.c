/* SPDX-License-Identifier: Apache-2.0
 * format.c - see format.h. */
#include "format.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <asy/parse.h>

void asy__fmt_number(struct asy_buf *out, double value)
{
    char text[32];

    asy_buf_adds(out, isnan(value) ? "-" : asy_format_short(value, text));
}

void asy__fmt_value(struct asy_buf *out, const struct asy_json *node)
{
    switch (node ? asy_json_type(node) : ASY_JSON_NULL) {
    case ASY_JSON_BOOL:
        asy_buf_adds(out, asy_json_bool(node, 0) ? "true" : "false");
        break;
    case ASY_JSON_INT:
        asy_buf_addf(out, "%" PRId64, asy_json_i64(node, 0));
        break;
    case ASY_JSON_REAL:
        asy__fmt_number(out, asy_json_f64(node, NAN));
        break;
    case ASY_JSON_STRING:
        asy__fmt_clean(out, asy_json_str(node, ""));
        break;
    default:
        asy_buf_addc(out, '-');
    }
}

void asy__fmt_params(struct asy_buf *out, const struct asy_json *params)
{
    const struct asy_json *value;
    const char *key;

    for (size_t i = 0; (value = asy_json_member(params, i, &key)); i++) {
        asy_buf_adds(out, i ? " " : "");
        asy__fmt_clean(out, key);
        asy_buf_addc(out, '=');
        asy__fmt_value(out, value);
    }
}

/* ---- time and amounts ---------------------------------------------------------------------- */

void asy__fmt_duration(struct asy_buf *out, int64_t us)
{
    int64_t ms = us / 1000, s = ms / 1000;

    if (us < 1000)
        asy_buf_addf(out, "%d us", (int)us);
    else if (us < 9950)
        asy_buf_addf(out, "%.1f ms", (double)us / 1e3);
    else if (us < 99500)
        asy_buf_addf(out, "%d ms", (int)((us + 500) / 1000));
    else if (ms < 1000)
        asy_buf_addf(out, "%.2f s", (double)ms / 1e3);
    else if (ms < 60000)
        asy_buf_addf(out, "%.1f s", (double)ms / 1e3);
    else if (s < 3600)
        asy_buf_addf(out, "%d min %02d s", (int)(s / 60), (int)(s % 60));
    else if (s < 86400)
        asy_buf_addf(out, "%d h %02d min", (int)(s / 3600), (int)(s / 60 % 60));
    else
        asy_buf_addf(out, "%" PRId64 " d %02d h", s / 86400, (int)(s / 3600 % 24));
}

void asy__fmt_took(struct asy_buf *out, int64_t leased_us, int64_t from_us, int64_t to_us)
{
    if (from_us <= 0 || to_us < from_us)
        return;
    if (from_us == to_us) {
        if (leased_us <= 0 || leased_us >= from_us)
            return;
        asy_buf_addc(out, '<');
        from_us = leased_us;
    }
    asy__fmt_duration(out, to_us - from_us);
}

void asy__fmt_exact(struct asy_buf *out, int64_t ms)
{
    static const struct { int64_t ms; const char *name; } units[] = { { 86400000, "d" },
                                                                      { 3600000, "h" },
                                                                      { 60000, "min" },
                                                                      { 1000, "s" }, { 1, "ms" } };
    int any = 0;

    for (size_t i = 0; i < ASY_ARRAY_LEN(units); i++) {
        if (ms >= units[i].ms || (!any && units[i].ms == 1))
            asy_buf_addf(out, "%s%" PRId64 " %s", any++ ? " " : "", ms / units[i].ms,
                         units[i].name);
        ms %= units[i].ms;
    }
}

void asy__fmt_age(struct asy_buf *out, int64_t ms)
{
    static const struct { int64_t s; const char *name; } units[] = { { 86400, "d" }, { 3600, "h" },
                                                                     { 60, "min" }, { 1, "s" } };
    int64_t s = ms < 0 ? 0 : ms / 1000;
    size_t i = 0;

    while (units[i].s > 1 && s < units[i].s)
        i++;
    asy_buf_addf(out, "%" PRId64 " %s ago", s / units[i].s, units[i].name);
}

void asy__fmt_clock(struct asy_buf *out, int64_t ms)
{
    int64_t s = ms < 0 ? 0 : ms / 1000;

    if (s < 3600)
        asy_buf_addf(out, "%d:%02d", (int)(s / 60), (int)(s % 60));
    else
        asy_buf_addf(out, "%" PRId64 ":%02d:%02d", s / 3600, (int)(s / 60 % 60), (int)(s % 60));
}

void asy__fmt_guess(struct asy_buf *out, int64_t ms)
{
    int64_t s = (ms + 999) / 1000;

    if (s < 10)
        asy_buf_adds(out, "a few seconds");
    else if (s < 90)
        asy_buf_addf(out, "about %d s", (int)((s + 9) / 10 * 10));
    else if (s < 90 * 60)
        asy_buf_addf(out, "about %d min", (int)((s + 30) / 60));
    else if (s < 36 * 3600)
        asy_buf_addf(out, "about %d h", (int)((s + 1800) / 3600));
    else
        asy_buf_addf(out, "about %" PRId64 " days", (s + 43200) / 86400);
}

void asy__fmt_bytes(struct asy_buf *out, uint64_t bytes)
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1024 && unit + 1 < ASY_ARRAY_LEN(units)) {
        value /= 1024;
        unit++;
    }
    asy_buf_addf(out, unit && value < 10 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void asy__fmt_big(struct asy_buf *out, double value)
{
    static const char *const units[] = { "", "k", "M", "G", "T" };
    size_t unit = 0;

    while (value >= 999.5 && unit + 1 < ASY_ARRAY_LEN(units)) {
        value /= 1000;
        unit++;
    }
    asy_buf_addf(out, unit && value < 9.95 ? "%.1f%s" : "%.0f%s", value, units[unit]);
}

void asy__fmt_count(struct asy_buf *out, uint64_t n, const char *one)
{
    asy_buf_addf(out, "%" PRIu64 " %s%s", n, one, n == 1 ? "" : "s");
}

void asy__fmt_step(struct asy_buf *out, const char *unit, uint64_t step)
{
    size_t len = unit ? strlen(unit) : 0;

    if (len > 1 && unit[len - 1] == 's')
        len--;
    if (len)
        asy_buf_add(out, unit, len);
    else
        asy_buf_adds(out, "step");
    asy_buf_addf(out, " %" PRIu64, step);
}

static int is_plain(const char *word)
{
    for (; *word; word++)
        if (!((*word >= 'a' && *word <= 'z') || (*word >= 'A' && *word <= 'Z') ||
              (*word >= '0' && *word <= '9') || strchr("-_./=:@%+,", *word)))
            return 0;
    return 1;
}

void asy__fmt_word(struct asy_buf *out, const char *word)
{
    if (word[0] && is_plain(word)) {
        asy_buf_adds(out, word);
        return;
    }
    asy_buf_addc(out, '\'');
    for (const char *at = word; *at; at++) {
        if (*at == '\'')
            asy_buf_adds(out, "'\\''");
        else
            asy_buf_addc(out, *at);
    }
    asy_buf_addc(out, '\'');
}

void asy__fmt_command(struct asy_buf *out, const char *verb, int argc, char **argv)
{
    asy_buf_adds(out, verb);
    for (int i = 0; i < argc; i++) {
        asy_buf_addc(out, ' ');
        asy__fmt_word(out, argv[i]);
    }
}

/* ---- columns ------------------------------------------------------------------------------- */

#define NO_CHAR 0xfffd

/* The next character of UTF-8 text; a byte that belongs to none is NO_CHAR. */
static uint32_t next_char(const char *text, size_t len, size_t *ret_bytes)
{
    unsigned char first = (unsigned char)text[0];
    size_t n = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    uint32_t c = n == 1 ? first : first & (0xffu >> (n + 1));

    *ret_bytes = 1;
    if (n == 0 || n > len)
        return NO_CHAR;
    for (size_t i = 1; i < n; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return NO_CHAR;
        c = c << 6 | ((unsigned char)text[i] & 0x3f);
    }
    *ret_bytes = n;
    return c;
}

static size_t char_width(uint32_t c)
{
    static const struct { uint32_t from, to; size_t width; } ranges[] = {
        { 0x00, 0x1f, 0 },        { 0x7f, 0x9f, 0 },       { 0x300, 0x36f, 0 }, /* combining */
        { 0x1100, 0x115f, 2 },    { 0x200b, 0x200f, 0 },   { 0x2028, 0x202e, 0 },
        { 0x2e80, 0xa4cf, 2 },    { 0xac00, 0xd7a3, 2 },   { 0xf900, 0xfaff, 2 },
        { 0xfe00, 0xfe0f, 0 },    { 0xfe30, 0xfe6f, 2 },   { 0xff00, 0xff60, 2 },
        { 0xffe0, 0xffe6, 2 },    { 0x1f300, 0x1faff, 2 }, { 0x20000, 0x3fffd, 2 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(ranges); i++)
        if (c >= ranges[i].from && c <= ranges[i].to)
            return ranges[i].width;
    return 1;
}

size_t asy__text_fit(const char *text, size_t len, size_t width)
{
    size_t at = 0, used = 0, n;

    while (at < len) {
        size_t w = char_width(next_char(text + at, len - at, &n));

        if (used + w > width)
            break;
        used += w;
        at += n;
    }
    return at;
}

size_t asy__text_width(const char *text, size_t len)
{
    size_t at = 0, used = 0, n;

    while (at < len) {
        used += char_width(next_char(text + at, len - at, &n));
        at += n;
    }
    return used;
}

/* Directions of writing (U+202A to U+202E, U+2066 to U+2069) could make a line lie. */
static int is_unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
}

void asy__fmt_clean(struct asy_buf *out, const char *text)
{
    size_t len = strlen(text), at = 0, n;

    while (at < len) {
        uint32_t c = next_char(text + at, len - at, &n);

        if (is_unsafe(c))
            asy_buf_addc(out, ' ');
        else if (c == NO_CHAR && n == 1)
            asy_buf_addc(out, '?');
        else
            asy_buf_add(out, text + at, n);
        at += n;
    }
}

void asy__fmt_short(struct asy_buf *out, const char *text, size_t width)
{
    struct asy_buf clean = { 0 };
    size_t dots = width < 3 ? width : 3;

    asy_buf_init(&clean, 1u << 20);
    asy__fmt_clean(&clean, text);
    if (asy__text_width(clean.data, clean.len) <= width) {
        asy_buf_add(out, clean.data, clean.len);
    } else {
        asy_buf_add(out, clean.data, asy__text_fit(clean.data, clean.len, width - dots));
        asy_buf_add(out, "...", dots);
    }
    asy_buf_fini(&clean);
}

void asy__fmt_wrap(struct asy_buf *out, const char *text, const char *indent, const char *more,
                   size_t width)
{
    size_t len = strlen(text), at = 0;

    do {
        size_t used = strlen(indent) + (at ? strlen(more) : 0), end;

        asy_buf_adds(out, indent);
        asy_buf_adds(out, at ? more : "");
        end = !width ? len
                     : at + asy__text_fit(text + at, len - at, width > used ? width - used : 1);
        if (end < len && text[end] != ' ') {
            size_t word = end;

            while (word > at && text[word] != ' ')
                word--;
            if (word > at)
                end = word;
            else
                end += strcspn(text + end, " "); /* a path stays whole */
        }
        asy_buf_add(out, text + at, end - at);
        asy_buf_addc(out, '\n');
        at = end + (end < len);
    } while (at < len);
}
