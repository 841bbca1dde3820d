/* SPDX-License-Identifier: Apache-2.0
 * test_decimal.c - short decimals take a way of their own to a double; it must end at the same bits
 * as the C library's. */
#include <asytest.h>
#include <math.h>
#include <stdlib.h>
#include <asy/parse.h>
#include <asy/rng.h>

/* A decimal of up to 17 digits with the point anywhere or nowhere. */
static void make(struct asy_rng *rng, char text[40])
{
    size_t n = 1 + (size_t)asy_rng_below(rng, 17), point = (size_t)asy_rng_below(rng, n + 2),
           at = 0;

    if (asy_rng_below(rng, 3) == 0)
        text[at++] = asy_rng_below(rng, 2) ? '-' : '+';
    for (size_t i = 0; i < n; i++) {
        if (i == point)
            text[at++] = '.';
        text[at++] = (char)('0' + asy_rng_below(rng, 10));
    }
    if (point == n)
        text[at++] = '.';
    text[at] = 0;
}

static void decimals_round_as_the_library_does(void)
{
    struct asy_rng rng;

    asy_rng_init(&rng, 1, 2, ASY_RNG_SIM);
    for (int i = 0; i < 300000; i++) {
        double got = 0, want;
        char text[40];

        make(&rng, text);
        want = strtod(text, NULL);
        if (!T_EQ(text, asy_parse_f64(text, strlen(text), &got, NULL), 0) ||
            !T_TRUE(got == want && !signbit(got) == !signbit(want))) {
            fprintf(stderr, "  %s: %.17g is not %.17g\n", text, got, want);
            return;
        }
    }
}

static void what_is_no_decimal_is_refused(void)
{
    static const char *const texts[] = { "", "-", "+", ".", "-.", "1.2.3", "1-2", "--1", "1 ", " 1",
                                         "1,5", "0x10", "1e", "123456789012345x", "." };
    double kept = 7;

    for (size_t i = 0; i < ASY_ARRAY_LEN(texts); i++)
        T_EQ(texts[i], asy_parse_f64(texts[i], strlen(texts[i]), &kept, NULL), ASY_E_FORMAT);
    T_TRUE(kept == 7);
}

T_MAIN("decimal", T_TEST(decimals_round_as_the_library_does), T_TEST(what_is_no_decimal_is_refused))
