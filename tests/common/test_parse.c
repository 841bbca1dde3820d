/* SPDX-License-Identifier: Apache-2.0
 * test_parse.c - text to numbers, durations and sizes, numbers to text, and the nearest word. */
#include <asy/parse.h>
#include <asy/rng.h>
#include "asytest.h"

#define NONE 77 /* what an output holds that must not be written */

static void whole_numbers_are_exact_or_refused(void)
{
    static const struct {
        const char *text;
        int want_i;
        int64_t i;
        int want_u;
        uint64_t u;
    } cases[] = {
        { "0", 0, 0, 0, 0 },
        { "-0", 0, 0, ASY_E_FORMAT, NONE },
        { "+7", 0, 7, ASY_E_FORMAT, NONE },
        { "007", 0, 7, 0, 7 },
        { "9223372036854775807", 0, INT64_MAX, 0, INT64_MAX },
        { "9223372036854775808", ASY_E_TOOBIG, NONE, 0, UINT64_C(9223372036854775808) },
        { "-9223372036854775808", 0, INT64_MIN, ASY_E_FORMAT, NONE },
        { "-9223372036854775809", ASY_E_TOOBIG, NONE, ASY_E_FORMAT, NONE },
        { "18446744073709551615", ASY_E_TOOBIG, NONE, 0, UINT64_MAX },
        { "18446744073709551616", ASY_E_TOOBIG, NONE, ASY_E_TOOBIG, NONE },
        { "99999999999999999999999", ASY_E_TOOBIG, NONE, ASY_E_TOOBIG, NONE },
        { "", ASY_E_FORMAT, NONE, ASY_E_FORMAT, NONE },
        { "-", ASY_E_FORMAT, NONE, ASY_E_FORMAT, NONE },
        { "--1", ASY_E_FORMAT, NONE, ASY_E_FORMAT, NONE },
        { "+-1", ASY_E_FORMAT, NONE, ASY_E_FORMAT, NONE },
        { " 1", ASY_E_FORMAT, NONE, ASY_E_FORMAT, NONE },
        { "1 ", ASY_E_FORMAT, NONE, ASY_E_FORMAT, NONE },
        { "1.0", ASY_E_FORMAT, NONE, ASY_E_FORMAT, NONE },
        { "1e3", ASY_E_FORMAT, NONE, ASY_E_FORMAT, NONE },
        { "0x10", ASY_E_FORMAT, NONE, ASY_E_FORMAT, NONE },
        { "1_000", ASY_E_FORMAT, NONE, ASY_E_FORMAT, NONE },
        { "99999999999999999999999x", ASY_E_FORMAT, NONE, ASY_E_FORMAT, NONE },
        { "\xd9\xa1", ASY_E_FORMAT, NONE, ASY_E_FORMAT, NONE }, /* an Arabic digit one */
    };

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        struct asy_error err = ASY_ERROR_INIT;
        size_t len = strlen(cases[c].text);
        int64_t i = NONE;
        uint64_t u = NONE;

        T_EQ(cases[c].text, asy_parse_i64(cases[c].text, len, &i, &err), cases[c].want_i);
        T_EQ(cases[c].text, i, cases[c].i);
        T_EQ(cases[c].text, err.code, cases[c].want_i);
        T_EQ(cases[c].text, asy_parse_u64(cases[c].text, len, &u, &err), cases[c].want_u);
        T_EQ(cases[c].text, u, cases[c].u);
    }
}

static void the_length_counts_and_not_a_terminator(void)
{
    int64_t i = NONE;
    double f = NONE;

    T_EQ("part of a text", asy_parse_i64("123456", 3, &i, NULL), 0);
    T_EQ("part of a text", i, 123);
    T_EQ("a zero byte", asy_parse_i64("1\0002", 3, &i, NULL), ASY_E_FORMAT);
    T_EQ("part of a number", asy_parse_f64("1.5e300", 3, &f, NULL), 0);
    T_NEAR("part of a number", f, 1.5, 0);
    T_EQ("a zero byte", asy_parse_f64("1\0002", 3, &f, NULL), ASY_E_FORMAT);
    T_EQ("a zero byte", asy_parse_f64("1\000", 2, &f, NULL), ASY_E_FORMAT);
}

static void real_numbers_follow_one_grammar(void)
{
    static const struct { const char *text; int want; double f; } cases[] = {
        { "1", 0, 1 },
        { "-1.5", 0, -1.5 },
        { "+.5", 0, .5 },
        { "5.", 0, 5 },
        { "1e-4", 0, 1e-4 },
        { "1E+4", 0, 1e4 },
        { "1.7976931348623157e308", 0, 1.7976931348623157e308 },
        { "4.9e-324", 0, 4.9e-324 },
        { "1e-400", 0, 0 }, /* nearest double */
        { "0.1", 0, 0.1 },
        { "inf", 0, INFINITY },
        { "-Inf", 0, -INFINITY },
        { "+INF", 0, INFINITY },
        { "1e309", ASY_E_TOOBIG, NONE },
        { "-1e309", ASY_E_TOOBIG, NONE },
        { "", ASY_E_FORMAT, NONE },
        { ".", ASY_E_FORMAT, NONE },
        { "e5", ASY_E_FORMAT, NONE },
        { ".e5", ASY_E_FORMAT, NONE },
        { "1e", ASY_E_FORMAT, NONE },
        { "1e+", ASY_E_FORMAT, NONE },
        { "1,5", ASY_E_FORMAT, NONE },
        { "0x1p3", ASY_E_FORMAT, NONE },
        { "infinity", ASY_E_FORMAT, NONE },
        { "nan(1)", ASY_E_FORMAT, NONE },
        { "-nan", ASY_E_FORMAT, NONE },
        { " 1", ASY_E_FORMAT, NONE },
        { "1 ", ASY_E_FORMAT, NONE },
        { "1.2.3", ASY_E_FORMAT, NONE },
        { "1d5", ASY_E_FORMAT, NONE },
    };
    static char digits[600];
    double nan = 0, f = NONE;

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        f = NONE;
        T_EQ(cases[c].text, asy_parse_f64(cases[c].text, strlen(cases[c].text), &f, NULL),
             cases[c].want);
        t__check(f == cases[c].f, __LINE__, __FILE__, "'%s' gives %g", cases[c].text, f);
    }
    T_EQ("nan", asy_parse_f64("NaN", 3, &nan, NULL), 0);
    T_TRUE(isnan(nan));
    memset(digits, '1', sizeof digits);
    T_EQ("600 digits", asy_parse_f64(digits, sizeof digits, &f, NULL), ASY_E_TOOBIG);
}

static void durations_and_sizes_carry_units(void)
{
    static const struct { const char *text; int duration, want; uint64_t value; } cases[] = {
        { "30", 1, 0, 30000 },
        { "250ms", 1, 0, 250 },
        { "1.5h", 1, 0, 5400000 },
        { ".5s", 1, 0, 500 },
        { "2m", 1, 0, 120000 },
        { "1d", 1, 0, 86400000 },
        { "0.0001ms", 1, 0, 0 },
        { "106751991167d", 1, 0, UINT64_C(9223372036828800000) },
        { "106751991168d", 1, ASY_E_TOOBIG, NONE },
        { "999999999999999999999d", 1, ASY_E_TOOBIG, NONE },
        { "1e3s", 1, ASY_E_FORMAT, NONE },
        { "-1s", 1, ASY_E_FORMAT, NONE },
        { "+1s", 1, ASY_E_FORMAT, NONE },
        { "", 1, ASY_E_FORMAT, NONE },
        { "s", 1, ASY_E_FORMAT, NONE },
        { "ms", 1, ASY_E_FORMAT, NONE },
        { "1 s", 1, ASY_E_FORMAT, NONE },
        { "1S", 1, ASY_E_FORMAT, NONE },
        { "1..5s", 1, ASY_E_FORMAT, NONE },
        { "inf", 1, ASY_E_FORMAT, NONE },
        { "512", 0, 0, 512 },
        { "64KiB", 0, 0, 65536 },
        { "1.5MiB", 0, 0, 1572864 },
        { "2GB", 0, 0, 2000000000 },
        { "1TiB", 0, 0, UINT64_C(1) << 40 },
        { "8388607TiB", 0, 0, UINT64_C(8388607) << 40 },
        { "8388608TiB", 0, ASY_E_TOOBIG, NONE },
        { "8388608.0TiB", 0, ASY_E_TOOBIG, NONE },
        { "9223372036854775807", 0, 0, INT64_MAX },
        { "9223372036854775808", 0, ASY_E_TOOBIG, NONE },
        { "1mib", 0, ASY_E_FORMAT, NONE },
        { "1K", 0, ASY_E_FORMAT, NONE },
        { "0x10", 0, ASY_E_FORMAT, NONE },
    };

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        struct asy_error err = ASY_ERROR_INIT;
        size_t len = strlen(cases[c].text);
        uint64_t bytes = NONE;
        int64_t ms = NONE;
        int got = cases[c].duration ? asy_parse_duration(cases[c].text, len, &ms, &err)
                                    : asy_parse_size(cases[c].text, len, &bytes, &err);

        T_EQ(cases[c].text, got, cases[c].want);
        T_EQ(cases[c].text, cases[c].duration ? (uint64_t)ms : bytes,
             cases[c].value ? cases[c].value : 0);
        if (cases[c].want == ASY_E_FORMAT)
            T_HAS(cases[c].text, err.text, ", as in ");
    }
}

static void messages_show_what_was_read_harmlessly(void)
{
    static const char nasty[] = "\x1b[31m\nred \xff and far too long to be shown as a whole";
    struct asy_error err = ASY_ERROR_INIT;
    int64_t i;

    T_EQ("code", asy_parse_i64(nasty, sizeof nasty - 1, &i, &err), ASY_E_FORMAT);
    T_STR("text", err.text, "'?[31m?red ? and far too long to be shown...' is not a whole number");
}

static void every_double_comes_back(void)
{
    static const struct { double f; const char *want; } cases[] = {
        { 0, "0" }, { -0.0, "-0" }, { 0.1, "0.1" }, { 1e-4, "0.0001" }, { 1e22, "1e+22" },
        { 1.0 / 3, "0.3333333333333333" }, { 5e-324, "4.94065645841247e-324" },
        { NAN, "nan" }, { INFINITY, "inf" }, { -INFINITY, "-inf" },
        { 1.7976931348623157e308, "1.7976931348623157e+308" },
    };
    struct asy_rng rng;
    char text[32];

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++)
        T_STR(cases[c].want, asy_format_f64(cases[c].f, text), cases[c].want);
    asy_rng_init(&rng, 3, 4, ASY_RNG_SIM);
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = asy_rng_u64(&rng);
        double value, back = 0;

        memcpy(&value, &bits, sizeof value);
        asy_format_f64(value, text);
        if (!T_EQ(text, asy_parse_f64(text, strlen(text), &back, NULL), 0) ||
            !T_TRUE(isnan(value) ? isnan(back) : value == back))
            break;
    }
}

static void the_nearest_word_is_close_enough(void)
{
    static const char *const words[] = { "lost_after", "log_level", "log_format", "grace", "a" };
    static const struct { const char *word, *want; } cases[] = {
        { "lost_after", "lost_after" },
        { "lostafter", "lost_after" },
        { "LOST_AFTER", "lost_after" },
        { "lots_after", "lost_after" }, /* a swap is one mistake */
        { "loglevel", "log_level" },
        { "log_levle", "log_level" },
        { "log_fmt", NULL },
        { "graze", "grace" },
        { "gr", NULL },
        { "zzzzzz", NULL },
        { "A", "a" }, /* short words have no room for a mistake */
        { "b", NULL },
        { "", NULL },
    };
    static char huge[5000];

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        const char *got = asy_nearest(cases[c].word, strlen(cases[c].word), words,
                                      ASY_ARRAY_LEN(words));

        T_STR(cases[c].word, got ? got : "-", cases[c].want ? cases[c].want : "-");
    }
    memset(huge, 'l', sizeof huge);
    T_TRUE(asy_nearest(huge, sizeof huge, words, ASY_ARRAY_LEN(words)) == NULL);
    T_TRUE(asy_nearest("grace", 5, NULL, 0) == NULL);
    T_STR("beside a gap", asy_nearest("grace", 5, (const char *const[]){ NULL, "grave", NULL }, 3),
          "grave");
}

T_MAIN("parse", T_TEST(whole_numbers_are_exact_or_refused),
       T_TEST(the_length_counts_and_not_a_terminator), T_TEST(real_numbers_follow_one_grammar),
       T_TEST(durations_and_sizes_carry_units), T_TEST(messages_show_what_was_read_harmlessly),
       T_TEST(every_double_comes_back), T_TEST(the_nearest_word_is_close_enough))
