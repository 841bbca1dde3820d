/* SPDX-License-Identifier: Apache-2.0
 * test_format.c - numbers, times and lines for people. */
#include <asytest.h>
#include "format.h"

static struct asy_buf out;

static const char *got(void)
{
    return out.data;
}

static void numbers_have_five_digits(void)
{
    static const struct { const char *name; double value; const char *want; } cases[] = {
        { "an accuracy", 0.98328690807799445, "0.98329" },
        { "a short one", 0.5, "0.5" },
        { "a whole one", 64, "64" },
        { "a small one", 1.1993030213181326e-07, "1.1993e-07" },
        { "many samples", 1843211.4, "1843200" },
        { "a large whole one", 100000, "100000" },
        { "negative", -123456.7, "-123460" },
        { "almost too large", 9.99994e14, "999990000000000" },
        { "too large", 1e15, "1e+15" },
        { "none", NAN, "-" },
        { "infinite", INFINITY, "inf" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        asy_buf_clear(&out);
        asy__fmt_number(&out, cases[i].value);
        T_STR(cases[i].name, got(), cases[i].want);
    }
}

/* The program of a trial may be over before a millisecond is. */
static void short_times_are_no_zeros(void)
{
    static const struct { const char *name; int64_t us; const char *want; } cases[] = {
        { "less than a millisecond", 417, "417 us" },
        { "almost one", 999, "999 us" },
        { "some", 3240, "3.2 ms" },
        { "almost ten", 9949, "9.9 ms" },
        { "as good as ten", 9950, "10 ms" },
        { "next to ten", 9999, "10 ms" },
        { "ten", 10000, "10 ms" },
        { "almost a hundred", 99499, "99 ms" },
        { "as good as a hundred", 99500, "0.10 s" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        asy_buf_clear(&out);
        asy__fmt_duration(&out, cases[i].us);
        T_STR(cases[i].name, got(), cases[i].want);
    }
}

static void what_was_over_at_once_took_less_than_since_its_lease(void)
{
    static const struct {
        const char *name;
        int64_t leased_us, from_us, to_us;
        const char *want;
    } cases[] = {
        { "later", 1000, 5000, 8200, "3.2 ms" },
        { "at once", 1000, 5000, 5000, "<4.0 ms" },
        { "of a lease that is not known", 0, 5000, 5000, "" },
        { "at once when it was leased", 5000, 5000, 5000, "" },
        { "under way", 1000, 5000, 0, "" },
        { "never started", 1000, 0, 5000, "" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        asy_buf_clear(&out);
        asy__fmt_took(&out, cases[i].leased_us, cases[i].from_us, cases[i].to_us);
        T_STR(cases[i].name, got(), cases[i].want);
    }
}

static void times_are_as_rough_as_they_are_known(void)
{
    static const struct { const char *name; int64_t ms; const char *duration, *clock, *guess; }
        cases[] = {
        { "nothing", 0, "0 us", "0:00", "a few seconds" },
        { "next to nothing", 99, "99 ms", "0:00", "a few seconds" },
        { "a moment", 349, "0.35 s", "0:00", "a few seconds" },
        { "seconds", 42000, "42.0 s", "0:42", "about 50 s" },
        { "minutes", 125000, "2 min 05 s", "2:05", "about 2 min" },
        { "hours", 3723000, "1 h 02 min", "1:02:03", "about 62 min" },
        { "a day", 90000000, "1 d 01 h", "25:00:00", "about 25 h" },
        { "days", 432000000, "5 d 00 h", "120:00:00", "about 5 days" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        asy_buf_clear(&out);
        asy__fmt_duration(&out, cases[i].ms * 1000);
        T_STR(cases[i].name, got(), cases[i].duration);
        asy_buf_clear(&out);
        asy__fmt_clock(&out, cases[i].ms);
        T_STR(cases[i].name, got(), cases[i].clock);
        asy_buf_clear(&out);
        asy__fmt_guess(&out, cases[i].ms);
        T_STR(cases[i].name, got(), cases[i].guess);
    }
}

static void what_was_set_is_said_as_it_was(void)
{
    static const struct { int64_t ms; const char *want; } cases[] = {
        { 0, "0 ms" }, { 250, "250 ms" }, { 10000, "10 s" }, { 600000, "10 min" },
        { 5400000, "1 h 30 min" }, { 86400000, "1 d" }, { 90061001, "1 d 1 h 1 min 1 s 1 ms" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        asy_buf_clear(&out);
        asy__fmt_exact(&out, cases[i].ms);
        T_STR("time", got(), cases[i].want);
    }
}

static void ages_have_one_unit(void)
{
    static const struct { int64_t ms; const char *want; } cases[] = {
        { -5, "0 s ago" }, { 59999, "59 s ago" }, { 60000, "1 min ago" }, { 3599999, "59 min ago" },
        { 3600000, "1 h ago" }, { 86399999, "23 h ago" }, { 86400000 * INT64_C(400), "400 d ago" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        asy_buf_clear(&out);
        asy__fmt_age(&out, cases[i].ms);
        T_STR("age", got(), cases[i].want);
    }
}

static void amounts_have_units(void)
{
    static const struct { const char *name; double n; const char *bytes, *big; } cases[] = {
        { "few", 72, "72 bytes", "72" },
        { "thousands", 9500, "9.3 KiB", "9.5k" },
        { "many", 1300000, "1.2 MiB", "1.3M" },
        { "just below", 999600, "976 KiB", "1.0M" },
        { "very many", 6.5e9, "6.1 GiB", "6.5G" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        asy_buf_clear(&out);
        asy__fmt_bytes(&out, (uint64_t)cases[i].n);
        T_STR(cases[i].name, got(), cases[i].bytes);
        asy_buf_clear(&out);
        asy__fmt_big(&out, cases[i].n);
        T_STR(cases[i].name, got(), cases[i].big);
    }
}

static void steps_have_their_unit(void)
{
    static const struct { const char *unit, *want; } cases[] = {
        { "epochs", "epoch 7" }, { "step", "step 7" }, { "", "step 7" }, { NULL, "step 7" },
        { "s", "s 7" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        asy_buf_clear(&out);
        asy__fmt_step(&out, cases[i].unit, 7);
        T_STR(cases[i].want, got(), cases[i].want);
    }
}

static void text_from_outside_cannot_move_the_cursor(void)
{
    asy_buf_clear(&out);
    asy__fmt_clean(&out, "a\033[2Jb\nc\td\x7f" "e\xc2\x9b" "f\xe2\x80\xae" "g\x9b" "h");
    T_STR("controls are blanks", got(), "a [2Jb c d e f g?h");
}

static void columns_are_counted_as_a_terminal_does(void)
{
    static const struct { const char *name, *text; size_t width; } cases[] = {
        { "ascii", "hello", 5 }, { "umlauts", "h\xc3\xa4llo", 5 }, { "wide", "\xe6\x97\xa5", 2 },
        { "combining", "e\xcc\x81", 1 }, { "broken", "\xff\xfe", 2 }, { "cut", "\xe6\x97", 2 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        T_EQ(cases[i].name, asy__text_width(cases[i].text, strlen(cases[i].text)), cases[i].width);
    T_EQ("half of a wide one does not fit", asy__text_fit("a\xe6\x97\xa5", 4, 2), 1);
}

static void what_is_cut_says_so(void)
{
    static const struct { const char *text; size_t width; const char *want; } cases[] = {
        { "short", 10, "short" }, { "exactly", 7, "exactly" }, { "too long", 6, "too..." },
        { "any", 2, ".." }, { "any", 0, "" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        asy_buf_clear(&out);
        asy__fmt_short(&out, cases[i].text, cases[i].width);
        T_STR(cases[i].text, got(), cases[i].want);
    }
}

static void words_wrap_and_paths_stay_whole(void)
{
    static const struct { const char *name, *text; size_t width; const char *want; } cases[] = {
        { "fits", "one two", 20, "> one two\n" },
        { "wraps", "one two three", 9, "> one two\n>   three\n" },
        { "a long word", "/a/very/long/path x", 8, "> /a/very/long/path\n>   x\n" },
        { "no limit", "one two three", 0, "> one two three\n" },
        { "nothing", "", 5, "> \n" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        asy_buf_clear(&out);
        asy__fmt_wrap(&out, cases[i].text, "> ", "  ", cases[i].width);
        T_STR(cases[i].name, got(), cases[i].want);
    }
}

static void a_command_can_be_typed_again(void)
{
    char a[] = "plain-1.yaml", b[] = "two words", c[] = "it's", d[] = "";
    char *argv[] = { a, b, c, d };

    asy_buf_clear(&out);
    asy__fmt_command(&out, "assay run", 4, argv);
    T_STR("quoted", got(), "assay run plain-1.yaml 'two words' 'it'\\''s' ''");
}

static void parameters_are_name_and_value(void)
{
    static const char text[] = "{\"lr\":0.0065523456,\"hidden\":64,\"bias\":true,\"act\":\"relu\"}";
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;

    asy_buf_clear(&out);
    if (T_OK(asy_json_parse(text, strlen(text), &root, &err), &err)) {
        asy__fmt_params(&out, root);
        T_STR("params", got(), "lr=0.0065523 hidden=64 bias=true act=relu");
    }
    asy_json_destroy(root);
}

int main(void)
{
    static const struct t_test tests[] = {
        T_TEST(numbers_have_five_digits),
        T_TEST(short_times_are_no_zeros),
        T_TEST(what_was_over_at_once_took_less_than_since_its_lease),
        T_TEST(times_are_as_rough_as_they_are_known),
        T_TEST(ages_have_one_unit),
        T_TEST(what_was_set_is_said_as_it_was),
        T_TEST(amounts_have_units),
        T_TEST(steps_have_their_unit),
        T_TEST(text_from_outside_cannot_move_the_cursor),
        T_TEST(columns_are_counted_as_a_terminal_does),
        T_TEST(what_is_cut_says_so),
        T_TEST(words_wrap_and_paths_stay_whole),
        T_TEST(a_command_can_be_typed_again),
        T_TEST(parameters_are_name_and_value),
    };
    int status;

    asy_buf_init(&out, 1u << 20);
    status = t__main("cli format", tests, ASY_ARRAY_LEN(tests));
    asy_buf_fini(&out);
    return status;
}
