/* SPDX-License-Identifier: Apache-2.0
 * test_chart.c - axes and texts of the report's charts. */
#include "asytest.h"
#include "chart.h"

enum { MAX = 6 };

static void texts_cannot_leave_their_place(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "plain", "plain" },
        { "</title><script>", "&lt;/title&gt;&lt;script&gt;" },
        { "\" onload='x'", "&quot; onload=&#39;x&#39;" },
        { "a & b", "a &amp; b" },
        { "bell\a and\nline", "bell  and line" },
        { "", "" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_buf out;

        asy_buf_init(&out, 1u << 16);
        asy_buf_adds(&out, "");
        asy__html_text(&out, cases[i].text);
        T_STR(cases[i].text, out.data ? out.data : "", cases[i].want);
        asy_buf_fini(&out);
    }
}

static void axes_hold_what_they_are_made_for(void)
{
    static const struct {
        const char *name;
        double values[4];
        int log;
        size_t min_ticks;
    } cases[] = {
        { "usual", { 0.1, 0.5, 0.9, 0.3 }, 0, 3 },
        { "negative", { -7, -3, 0, 2 }, 0, 3 },
        { "one value", { 5, 5, 5, 5 }, 0, 2 },
        { "zero", { 0, 0, 0, 0 }, 0, 2 },
        { "orders of magnitude", { 1e-3, 1, 20, 1e3 }, 1, 3 },
        { "just enough for a logarithm", { 16, 512, 100, 100 }, 1, 3 },
        { "none", { NAN, NAN, INFINITY, -INFINITY }, 0, 2 },
        { "some are none", { NAN, 1, 2, INFINITY }, 0, 2 },
        { "huge", { -1.7e308, 1.7e308, 0, 0 }, 0, 1 },
        { "tiny", { 1e-300, 2e-300, 1e-300, 1e-300 }, 0, 2 },
        { "beyond a quotient", { 1e-300, 1e300, 1, 1 }, 0, 2 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__axis axis = asy__axis_of(cases[i].values, 4);
        double ticks[MAX + 1];
        size_t n = asy__axis_ticks(&axis, MAX, ticks);

        axis.from = 100;
        axis.to = 20;
        T_EQ(cases[i].name, axis.log, cases[i].log);
        T_TRUE(isfinite(axis.lo) && isfinite(axis.hi) && axis.lo < axis.hi);
        for (size_t k = 0; k < 4; k++) {
            double at = asy__axis_at(&axis, cases[i].values[k]);

            T_TRUE(isnan(cases[i].values[k]) || (at >= 20 && at <= 100));
        }
        if (!t__check(n >= cases[i].min_ticks && n <= MAX + 1, __LINE__, __FILE__, "%s: %zu ticks",
                      cases[i].name, n))
            continue;
        for (size_t k = 0; k < n; k++) {
            T_TRUE(!signbit(ticks[k]) || ticks[k] < 0);
            T_TRUE(ticks[k] >= axis.lo - 1e-6 * (axis.hi - axis.lo) &&
                   ticks[k] <= axis.hi + 1e-6 * (axis.hi - axis.lo));
            t__check(k == 0 || ticks[k] > ticks[k - 1], __LINE__, __FILE__, "%s: tick %zu is %g",
                     cases[i].name, k, ticks[k]);
        }
    }
}

static void parameters_have_their_own_scale(void)
{
    static const struct asy_value names[] = { { .type = ASY_VALUE_STRING, .s = "sgd" },
                                              { .type = ASY_VALUE_STRING, .s = "<adam>" },
                                              { .type = ASY_VALUE_BOOL, .i = 1 } };
    static const struct asy_param choice = { .name = "c", .type = ASY_PARAM_CHOICE,
                                             .choices = names, .n_choices = 3 };
    static const struct asy_param whole = { .name = "n", .type = ASY_PARAM_INT, .lo = 1, .hi = 6,
                                            .step = 1 };
    static const struct asy_param wide = { .name = "lr", .lo = 1e-5, .hi = 1, .log = 1 };
    static const char *const labels[] = { "sgd", "&lt;adam&gt;", "true" };
    struct asy__axis axis = asy__axis_of_param(&choice);
    double ticks[MAX + 1];
    struct asy_buf out;

    T_EQ("choices", asy__axis_ticks(&axis, MAX, ticks), 3);
    for (size_t i = 0; i < 3; i++) {
        asy_buf_init(&out, 1u << 16);
        asy__axis_label(&out, &axis, ticks[i], 20);
        T_STR("label", out.data ? out.data : "", labels[i]);
        asy_buf_fini(&out);
    }
    axis = asy__axis_of_param(&whole);
    T_EQ("whole numbers, both ends", asy__axis_ticks(&axis, 5, ticks), 6);
    T_TRUE(ticks[0] == 1 && ticks[5] == 6);
    axis = asy__axis_of_param(&wide);
    T_EQ("powers of ten", asy__axis_ticks(&axis, MAX, ticks), 6);
    T_NEAR("first", ticks[0], 1e-5, 1e-12); /* pow() */
}

T_MAIN("chart", T_TEST(texts_cannot_leave_their_place), T_TEST(axes_hold_what_they_are_made_for),
       T_TEST(parameters_have_their_own_scale))
