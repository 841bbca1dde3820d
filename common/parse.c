/* SPDX-License-Identifier: Apache-2.0
 * parse.c - text to numbers. The grammar is checked here, byte by byte, so that what the C library
 * would also take (spaces, hex, "infinity", locale digits) is refused; only the conversion of a
 * checked decimal is left to strtod_l with the C locale, which rounds correctly. */
#include <asy/parse.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "locale_c.h"

#define F64_TEXT_MAX 511u /* longer numbers are refused */
#define QUOTE_MAX 40u

/* An excerpt of the text for messages: printable, short, terminated. */
static const char *quote(const char *text, size_t len, char ret[QUOTE_MAX + 4])
{
    size_t n = len < QUOTE_MAX ? len : QUOTE_MAX;

    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];

        ret[i] = c < 0x20 || c >= 0x7f ? '?' : (char)c;
    }
    memcpy(ret + n, "...", 4);
    if (n == len)
        ret[n] = 0;
    return ret;
}

static int bad(const char *text, size_t len, enum asy_code code, const char *why,
               struct asy_error *err)
{
    char shown[QUOTE_MAX + 4];

    return asy_fail(err, code, "'%s' %s", quote(text, len, shown), why);
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The digits at the start of text as a number; 0, or a code with *ret_used where it stopped. */
static int digits(const char *text, size_t len, uint64_t *ret, size_t *ret_used)
{
    uint64_t value = 0;
    size_t i = 0;

    for (; i < len && is_digit(text[i]); i++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
            return ASY_E_TOOBIG;
    if (i == 0)
        return ASY_E_FORMAT;
    *ret = value;
    *ret_used = i;
    return 0;
}

int asy_parse_u64(const char *text, size_t len, uint64_t *ret, struct asy_error *err)
{
    uint64_t value;
    size_t used;

    for (size_t i = 0; i < len; i++)
        if (!is_digit(text[i]))
            return bad(text, len, ASY_E_FORMAT, "is not a whole number of 0 or more", err);
    switch (digits(text, len, &value, &used)) {
    case 0:
        *ret = value;
        return 0;
    case ASY_E_TOOBIG:
        return bad(text, len, ASY_E_TOOBIG, "is above 18446744073709551615", err);
    default:
        return bad(text, len, ASY_E_FORMAT, "is not a whole number of 0 or more", err);
    }
}

int asy_parse_i64(const char *text, size_t len, int64_t *ret, struct asy_error *err)
{
    int negative = len > 0 && text[0] == '-';
    size_t sign = len > 0 && (text[0] == '-' || text[0] == '+');
    uint64_t value, limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    int rc = asy_parse_u64(text + sign, len - sign, &value, NULL);

    if (rc == ASY_E_FORMAT)
        return bad(text, len, ASY_E_FORMAT, "is not a whole number", err);
    if (rc || value > limit)
        return bad(text, len, ASY_E_TOOBIG, "does not fit 64 bits", err);
    *ret = negative ? (int64_t)(0 - value) : (int64_t)value;
    return 0;
}

static locale_t locale_c;
static pthread_once_t locale_once = PTHREAD_ONCE_INIT;

static void make_locale(void)
{
    locale_c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

locale_t asy__locale_c(void)
{
    pthread_once(&locale_once, make_locale);
    return locale_c;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit on at least one side of the point. */
static int is_decimal(const char *text, size_t len)
{
    size_t i = 0, whole, part = 0, start;

    if (i < len && (text[i] == '+' || text[i] == '-'))
        i++;
    for (start = i; i < len && is_digit(text[i]); i++)
        ;
    whole = i - start;
    if (i < len && text[i] == '.') {
        for (start = ++i; i < len && is_digit(text[i]); i++)
            ;
        part = i - start;
    }
    if (whole + part == 0)
        return 0;
    if (i < len && (text[i] == 'e' || text[i] == 'E')) {
        i++;
        if (i < len && (text[i] == '+' || text[i] == '-'))
            i++;
        for (start = i; i < len && is_digit(text[i]); i++)
            ;
        if (i == start)
            return 0;
    }
    return i == len;
}

static int same_word(const char *text, size_t len, const char *word)
{
    if (len != strlen(word))
        return 0;
    for (size_t i = 0; i < len; i++)
        if ((text[i] | 0x20) != word[i])
            return 0;
    return 1;
}

static int special(const char *text, size_t len, double *ret)
{
    size_t sign = len > 0 && (text[0] == '-' || text[0] == '+');

    if (same_word(text + sign, len - sign, "inf"))
        *ret = text[0] == '-' ? -INFINITY : INFINITY;
    else if (same_word(text, len, "nan"))
        *ret = NAN;
    else
        return 0;
    return 1;
}

/* A sign, digits and a point, 15 digits at most: both the digits and the power of ten are exact
 * doubles then, so one division rounds correctly. Nearly every cell of a table is of this kind. */
static int short_decimal(const char *text, size_t len, double *ret)
{
    static const double tens[] = { 1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };
    size_t sign = len > 0 && (text[0] == '-' || text[0] == '+'), n_digits = 0, part = 0;
    uint64_t value = 0;
    int point = 0;

    if (len - sign > 16)
        return 0;
    for (size_t i = sign; i < len; i++) {
        if (is_digit(text[i])) {
            value = value * 10 + (uint64_t)(text[i] - '0');
            n_digits++;
            part += (size_t)point;
        } else if (text[i] == '.' && !point) {
            point = 1;
        } else {
            return 0;
        }
    }
    if (n_digits == 0 || n_digits > 15)
        return 0;
    *ret = (double)value / tens[part];
    if (text[0] == '-')
        *ret = -*ret;
    return 1;
}

int asy_parse_f64(const char *text, size_t len, double *ret, struct asy_error *err)
{
    char copy[F64_TEXT_MAX + 1];
    locale_t locale;
    double value;

    if (short_decimal(text, len, ret) || special(text, len, ret))
        return 0;
    if (len > F64_TEXT_MAX)
        return bad(text, len, ASY_E_TOOBIG, "is too long for a number", err);
    if (!is_decimal(text, len))
        return bad(text, len, ASY_E_FORMAT, "is not a number", err);
    if (!(locale = asy__locale_c()))
        return asy_fail(err, ASY_E_NOMEM, "no memory for the C locale");
    memcpy(copy, text, len);
    copy[len] = 0;
    value = strtod_l(copy, NULL, locale);
    if (isinf(value))
        return bad(text, len, ASY_E_TOOBIG, "is too big for a number", err);
    *ret = value;
    return 0;
}

struct unit {
    const char *name;
    uint64_t factor;
};

/* A number of 0 or more followed by a unit; a fraction is allowed and rounded to the nearest. The
 * product stays below 2^63. why names what is allowed. */
static int with_unit(const char *text, size_t len, const struct unit *units, size_t n_units,
                     const char *why, uint64_t *ret, struct asy_error *err)
{
    size_t num = 0, used;
    uint64_t value;
    double real;

    while (num < len && (is_digit(text[num]) || text[num] == '.'))
        num++;
    for (size_t u = 0; u < n_units; u++) {
        if (len - num != strlen(units[u].name) || memcmp(text + num, units[u].name, len - num))
            continue;
        if (memchr(text, '.', num)) {
            if (asy_parse_f64(text, num, &real, NULL))
                return bad(text, len, ASY_E_FORMAT, why, err);
            real = round(real * (double)units[u].factor);
            if (!(real < 0x1p63))
                return bad(text, len, ASY_E_TOOBIG, "is too big", err);
            *ret = (uint64_t)real;
            return 0;
        }
        switch (digits(text, num, &value, &used)) {
        case 0:
            break;
        case ASY_E_TOOBIG:
            return bad(text, len, ASY_E_TOOBIG, "is too big", err);
        default:
            return bad(text, len, ASY_E_FORMAT, why, err);
        }
        if (__builtin_mul_overflow(value, units[u].factor, &value) || value > INT64_MAX)
            return bad(text, len, ASY_E_TOOBIG, "is too big", err);
        *ret = value;
        return 0;
    }
    return bad(text, len, ASY_E_FORMAT, why, err);
}

int asy_parse_duration(const char *text, size_t len, int64_t *ret_ms, struct asy_error *err)
{
    static const struct unit units[] = {
        { "", 1000 },  { "ms", 1 },       { "s", 1000 },
        { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
    };
    uint64_t ms = 0;
    int rc = with_unit(text, len, units, ASY_ARRAY_LEN(units),
                       "is not a duration, as in 250ms, 30s, 10m, 2h, 1d", &ms, err);

    if (rc == 0)
        *ret_ms = (int64_t)ms;
    return rc;
}

int asy_parse_size(const char *text, size_t len, uint64_t *ret_bytes, struct asy_error *err)
{
    static const struct unit units[] = {
        { "", 1 },
        { "B", 1 },
        { "KiB", UINT64_C(1) << 10 },
        { "MiB", UINT64_C(1) << 20 },
        { "GiB", UINT64_C(1) << 30 },
        { "TiB", UINT64_C(1) << 40 },
        { "kB", 1000 },
        { "MB", 1000000 },
        { "GB", 1000000000 },
        { "TB", UINT64_C(1000000000000) },
    };

    return with_unit(text, len, units, ASY_ARRAY_LEN(units),
                     "is not a size, as in 512, 64KiB, 1MiB, 2GiB, 500MB", ret_bytes, err);
}

/* What is no number; NULL: it is one. */
static const char *not_finite(double value, char text[32])
{
    if (isnan(value))
        return memcpy(text, "nan", 4);
    if (isinf(value))
        return memcpy(text, value < 0 ? "-inf" : "inf", value < 0 ? 5 : 4);
    return NULL;
}

static void with_digits(double value, int precision, char text[32])
{
    locale_t ours = asy__locale_c(), before = ours ? uselocale(ours) : (locale_t)0;

    snprintf(text, 32, "%.*g", precision, value);
    if (before)
        uselocale(before);
}

static int reads_back(const char *text, double value)
{
    locale_t ours = asy__locale_c();

    return ours && strtod_l(text, NULL, ours) == value;
}

/* 17 digits are always exact, half of all numbers need them, and few do with 15: hence this
 * order. */
const char *asy_format_f64(double value, char text[32])
{
    char shorter[32];

    if (not_finite(value, text))
        return text;
    with_digits(value, 16, text);
    if (!reads_back(text, value)) {
        with_digits(value, 17, text);
        return text;
    }
    with_digits(value, 15, shorter);
    if (reads_back(shorter, value))
        memcpy(text, shorter, sizeof shorter);
    return text;
}

const char *asy_format_short(double value, char text[32])
{
    double rounded;

    if (not_finite(value, text))
        return text;
    with_digits(value, 5, text);
    if (strchr(text, 'e') && asy_parse_f64(text, strlen(text), &rounded, NULL) == 0 &&
        fabs(rounded) >= 1 && fabs(rounded) < 1e15)
        snprintf(text, 32, "%.0f", rounded);
    return text;
}
