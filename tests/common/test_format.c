/* SPDX-License-Identifier: Apache-2.0
 * test_format.c - numbers as text. */
#include "asytest.h"
#include <asy/parse.h>
#include <asy/rng.h>

static void known_numbers_have_their_shortest_text(void)
{
    static const struct {
        const char *want;
        double value;
    } cases[] = {
        { "0", 0.0 },         { "-0", -0.0 },       { "0.1", 0.1 },
        { "1e+22", 1e22 },    { "0.3333333333333333", 1.0 / 3 },
        { "100", 100.0 },     { "1e-05", 1e-5 },    { "0.30000000000000004", 0.1 + 0.2 },
        { "nan", NAN },       { "inf", INFINITY },  { "-inf", -INFINITY },
        { "4.94065645841247e-324", 5e-324 },
        { "1.7976931348623157e+308", 1.7976931348623157e308 },
    };
    char text[32];

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        T_STR(cases[i].want, asy_format_f64(cases[i].value, text), cases[i].want);
}

/* As the definition has it: the fewest digits, of 15 or more, that read back. */
static void shortest(double value, char text[32])
{
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, 32, "%.*g", precision, value);
        if (strtod(text, NULL) == value)
            return;
    }
}

static void any_number_reads_back_from_its_shortest_text(void)
{
    struct asy_rng rng;
    char text[32], want[32];

    asy_rng_init(&rng, 11, 0, ASY_RNG_SIM);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = asy_rng_u64(&rng);
        double value;

        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        shortest(value, want);
        if (!T_STR("of random bits", asy_format_f64(value, text), want))
            return;
        value = asy_rng_double(&rng);
        shortest(value, want);
        if (!T_STR("between 0 and 1", asy_format_f64(value, text), want))
            return;
    }
}

T_MAIN("format", T_TEST(known_numbers_have_their_shortest_text),
       T_TEST(any_number_reads_back_from_its_shortest_text))
