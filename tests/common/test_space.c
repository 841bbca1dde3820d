/* SPDX-License-Identifier: Apache-2.0
 * test_space.c - spaces: what may be added, what a point is, counting with conditions. */
#include <asy/space.h>
#include "asytest.h"

static const struct asy_value optimizers[] = {
    { .type = ASY_VALUE_STRING, .s = "sgd" },
    { .type = ASY_VALUE_STRING, .s = "adam" },
    { .type = ASY_VALUE_STRING, .s = "rmsprop" },
};
static const struct asy_value numbers[] = {
    { .type = ASY_VALUE_REAL, .f = 0.5 },
    { .type = ASY_VALUE_REAL, .f = 1 },
    { .type = ASY_VALUE_REAL, .f = 2 },
};
static const struct asy_value mixed[] = {
    { .type = ASY_VALUE_BOOL, .i = 1 },
    { .type = ASY_VALUE_INT, .i = 1 },
    { .type = ASY_VALUE_STRING, .s = "1" },
};
static const double is_sgd[] = { 0 }, is_adaptive[] = { 1, 2 };
static const struct asy_when when_sgd[] = { { .parent = 2, .values = is_sgd, .n_values = 1 } };
static const struct asy_when when_adaptive[] = {
    { .parent = 2, .values = is_adaptive, .n_values = 2 },
};
static const struct asy_when when_momentum[] = { { .parent = 3, .lo = 0.5, .hi = 1 } };

/* A space as of a usual sweep: a chain optimizer -> momentum -> nesterov. */
static const struct asy_param sweep[] = {
    { .name = "lr", .type = ASY_PARAM_FLOAT, .lo = 1e-5, .hi = 1, .log = 1 },
    { .name = "hidden", .type = ASY_PARAM_INT, .lo = 16, .hi = 512, .log = 1 },
    { .name = "optimizer", .type = ASY_PARAM_CHOICE, .choices = optimizers, .n_choices = 3 },
    { .name = "momentum", .type = ASY_PARAM_FLOAT, .lo = 0, .hi = 0.9, .step = 0.1,
      .whens = when_sgd, .n_whens = 1 },
    { .name = "nesterov", .type = ASY_PARAM_CHOICE, .choices = mixed, .n_choices = 3,
      .whens = when_momentum, .n_whens = 1 },
    { .name = "beta", .type = ASY_PARAM_FLOAT, .lo = 0.8, .hi = 0.999, .whens = when_adaptive,
      .n_whens = 1 },
};
#define SWEEP_LEN ASY_ARRAY_LEN(sweep)

static struct asy_space *make(const struct asy_param *params, size_t n)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_space *space = NULL;

    if (!T_OK(asy_space_create(&space, &err), &err))
        abort();
    for (size_t i = 0; i < n; i++)
        if (!T_OK(asy_space_add(space, &params[i], &err), &err))
            abort();
    return space;
}

static void add_names_each_mistake(void)
{
    static const double sixth[] = { 5 };
    static const struct asy_value twice[] = { { .type = ASY_VALUE_INT, .i = 3 },
                                              { .type = ASY_VALUE_INT, .i = 4 },
                                              { .type = ASY_VALUE_INT, .i = 3 } };
    static const struct asy_when later = { .parent = 6, .values = is_sgd, .n_values = 1 };
    static const struct asy_when never = { .parent = 2, .values = sixth, .n_values = 1 };
    static const struct asy_when ranged = { .parent = 2, .lo = 0, .hi = 1 };
    static const struct asy_when above = { .parent = 1, .lo = 600, .hi = 700 };
    static const struct { struct asy_param p; int want; const char *text; } cases[] = {
        { { .name = "", .lo = 0, .hi = 1 }, ASY_E_INVAL, "name" },
        { { .name = "lr", .lo = 0, .hi = 1 }, ASY_E_EXISTS, "'lr' is there already" },
        { { .name = "a", .lo = 2, .hi = 1 }, ASY_E_INVAL, "minimum 2 is above maximum 1" },
        { { .name = "a", .lo = 0, .hi = INFINITY }, ASY_E_INVAL, "not finite" },
        { { .name = "a", .lo = NAN, .hi = 1 }, ASY_E_INVAL, "not finite" },
        { { .name = "a", .lo = -1e308, .hi = 1e308 }, ASY_E_INVAL, "not finite" },
        { { .name = "a", .lo = 0, .hi = 1, .log = 1 }, ASY_E_INVAL, "above 0" },
        { { .name = "a", .lo = 1, .hi = 9, .step = 2, .log = 1 }, ASY_E_INVAL, "half a step" },
        { { .name = "a", .lo = 0, .hi = 1, .step = -1 }, ASY_E_INVAL, "step" },
        { { .name = "a", .lo = 0, .hi = 1, .step = 1e-300 }, ASY_E_INVAL, "2^53" },
        { { .name = "a", .type = ASY_PARAM_INT, .lo = 0.5, .hi = 1 }, ASY_E_INVAL, "whole" },
        { { .name = "a", .type = ASY_PARAM_INT, .lo = 0, .hi = 1e16 }, ASY_E_INVAL, "2^53" },
        { { .name = "a", .type = ASY_PARAM_CHOICE }, ASY_E_INVAL, "empty" },
        { { .name = "a", .type = ASY_PARAM_CHOICE, .choices = twice, .n_choices = 3 },
          ASY_E_INVAL, "twice" },
        { { .name = "a", .type = ASY_PARAM_CHOICE, .choices = twice, .n_choices = 5000 },
          ASY_E_TOOBIG, "4096" },
        { { .name = "a", .type = ASY_PARAM_CHOICE, .choices = optimizers, .n_choices = 3,
            .ordered = 1 }, ASY_E_INVAL, "only numbers" },
        { { .name = "a", .type = ASY_PARAM_CHOICE, .choices = twice, .n_choices = 3,
            .ordered = 1 }, ASY_E_INVAL, "ascend" },
        { { .name = "a", .hi = 1, .whens = &later, .n_whens = 1 }, ASY_E_INVAL, "earlier" },
        { { .name = "a", .hi = 1, .whens = &never, .n_whens = 1 }, ASY_E_INVAL, "never be 5" },
        { { .name = "a", .hi = 1, .whens = &ranged, .n_whens = 1 }, ASY_E_INVAL, "is a choice" },
        { { .name = "a", .hi = 1, .whens = &above, .n_whens = 1 }, ASY_E_INVAL, "never lies" },
    };
    struct asy_space *space = make(sweep, SWEEP_LEN);

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;

        T_EQ(cases[i].text, asy_space_add(space, &cases[i].p, &err), cases[i].want);
        T_HAS(cases[i].text, err.text, cases[i].text);
        T_EQ(cases[i].text, asy_space_len(space), SWEEP_LEN);
    }
    T_EQ("known name", asy_space_find(space, "momentum"), 3);
    T_TRUE(asy_space_find(space, "nothing") == SIZE_MAX);
    asy_space_destroy(space);
}

static void grid_values_are_short_decimals(void)
{
    static const struct asy_param params[] = {
        { .name = "tenths", .lo = 0.1, .hi = 1.05, .step = 0.1 },
        { .name = "odd", .type = ASY_PARAM_INT, .lo = -3, .hi = 10, .step = 4 },
        { .name = "binary", .lo = 0, .hi = 1, .step = 1.0 / 3 },
        { .name = "one", .lo = 7, .hi = 7 },
    };
    struct asy_space *space = make(params, ASY_ARRAY_LEN(params));

    T_TRUE(asy_space_value(space, 0, 2) == 0.3);
    T_TRUE(asy_space_at(space, 0)->hi == 1.0); /* 1.05 came down to the grid */
    T_NEAR("tenths", asy_space_values(space, 0), 10, 0);
    T_NEAR("odd", asy_space_values(space, 1), 4, 0);
    T_NEAR("odd's last", asy_space_at(space, 1)->hi, 9, 0);
    T_NEAR("thirds", asy_space_values(space, 2), 4, 0);
    T_NEAR("one", asy_space_values(space, 3), 1, 0);
    T_NEAR("snap up", asy_space_snap(space, 0, 0.26), 0.3, 0);
    T_NEAR("snap below", asy_space_snap(space, 1, -100), -3, 0);
    T_NEAR("snap above", asy_space_snap(space, 1, 100), 9, 0);
    T_NEAR("snap continuous", asy_space_snap(space, 3, 8), 7, 0);
    asy_space_destroy(space);
}

static void check_names_the_parameter(void)
{
    const double none = ASY_INACTIVE;
    const struct { const char *name; double x[SWEEP_LEN]; int want; const char *text; } cases[] = {
        { "adam", { 0.1, 64, 1, none, none, 0.9 }, 0, "" },
        { "sgd, low momentum", { 0.1, 64, 0, 0.3, none, none }, 0, "" },
        { "sgd, high momentum", { 0.1, 64, 0, 0.5, 2, none }, 0, "" },
        { "chain broken", { 0.1, 64, 1, none, 2, 0.9 }, ASY_E_INVAL, "'nesterov' has a value" },
        { "missing", { 0.1, 64, 0, 0.5, none, none }, ASY_E_INVAL, "'nesterov' has no value" },
        { "not wanted", { 0.1, 64, 0, 0.3, none, 0.9 }, ASY_E_INVAL, "'beta' has a value" },
        { "out of range", { 2, 64, 1, none, none, 0.9 }, ASY_E_INVAL, "'lr': 2 is outside" },
        { "not an int", { 0.1, 64.5, 1, none, none, 0.9 }, ASY_E_INVAL, "'hidden'" },
        { "off the step", { 0.1, 64, 0, 0.25, none, none }, ASY_E_INVAL, "steps of 0.1" },
        { "no such choice", { 0.1, 64, 3, none, none, none }, ASY_E_INVAL, "'optimizer'" },
    };
    struct asy_space *space = make(sweep, SWEEP_LEN);

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;

        T_EQ(cases[i].name, asy_space_check(space, cases[i].x, &err), cases[i].want);
        T_HAS(cases[i].name, err.text, cases[i].text);
    }
    asy_space_destroy(space);
}

static void points_survive_json(void)
{
    const double none = ASY_INACTIVE;
    const struct { double x[SWEEP_LEN]; const char *json; } cases[] = {
        { { 1, 64, 0, 0.5, 0, none },
          "{\"lr\":1.0,\"hidden\":64,\"optimizer\":\"sgd\",\"momentum\":0.5,\"nesterov\":true}" },
        { { 0.1, 16, 0, 0.9, 1, none },
          "{\"lr\":0.1,\"hidden\":16,\"optimizer\":\"sgd\",\"momentum\":0.9,\"nesterov\":1}" },
        { { 0.1, 16, 0, 0.9, 2, none },
          "{\"lr\":0.1,\"hidden\":16,\"optimizer\":\"sgd\",\"momentum\":0.9,\"nesterov\":\"1\"}" },
        { { 1e-5, 512, 2, none, none, 0.9 },
          "{\"lr\":1e-05,\"hidden\":512,\"optimizer\":\"rmsprop\",\"beta\":0.9}" },
    };
    struct asy_space *space = make(sweep, SWEEP_LEN);
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf buf;

    asy_buf_init(&buf, 4096);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_json *node = NULL;
        struct asy_jsonw w;
        double back[SWEEP_LEN];

        asy_buf_clear(&buf);
        asy_jsonw_init(&w, &buf, 0);
        asy_space_write(space, cases[i].x, &w, NULL);
        T_STR("written", buf.data, cases[i].json);
        if (!T_OK(asy_json_parse(buf.data, buf.len, &node, &err), &err))
            continue;
        if (T_OK(asy_space_read(space, node, 0, back, &err), &err))
            for (size_t j = 0; j < SWEEP_LEN; j++)
                T_TRUE(isnan(back[j]) ? isnan(cases[i].x[j]) : back[j] == cases[i].x[j]);
        asy_json_destroy(node);
    }
    asy_buf_fini(&buf);
    asy_space_destroy(space);
}

static void read_refuses_what_is_not_a_point(void)
{
    static const struct { const char *json; int fixed, want; const char *text; } cases[] = {
        { "{\"lr\":1,\"hidden\":64,\"optimizer\":\"adam\",\"beta\":0.9}", 0, 0, "" },
        { "[]", 0, ASY_E_INVAL, "object" },
        { "{\"lr\":0.1}", 0, ASY_E_INVAL, "'hidden' has no value" },
        { "{\"lr\":0.1}", 1, 0, "" },
        { "{}", 1, 0, "" },
        { "{\"momentum\":0.30000000000000004}", 1, 0, "" },
        { "{\"momentum\":0.33}", 1, ASY_E_INVAL, "steps of 0.1" },
        { "{\"nesterov\":1.0}", 1, 0, "" },
        { "{\"nesterov\":2}", 1, ASY_E_INVAL, "not one of its 3 values" },
        { "{\"nesterov\":null}", 1, ASY_E_INVAL, "not one of its 3 values" },
        { "{\"optimizer\":\"adam\",\"momentum\":0.5}", 1, ASY_E_INVAL, "condition on 'optimizer'" },
        { "{\"optimizer\":\"sgd\",\"momentum\":0.5}", 1, 0, "" },
        { "{\"hidden\":64.5}", 1, ASY_E_INVAL, "'hidden' needs a whole number" },
        { "{\"hidden\":\"64\"}", 1, ASY_E_INVAL, "'hidden' needs a whole number" },
        { "{\"hidden\":8}", 1, ASY_E_INVAL, "outside of 16 to 512" },
        { "{\"lr\":true}", 1, ASY_E_INVAL, "'lr' needs a number" },
        { "{\"hiden\":64}", 1, ASY_E_INVAL, "did you mean 'hidden'" },
        { "{\"qqqqqq\":64}", 1, ASY_E_INVAL, "unknown parameter 'qqqqqq'" },
    };
    struct asy_space *space = make(sweep, SWEEP_LEN);

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_json *node = NULL;
        double x[SWEEP_LEN] = { -77 };

        if (!T_OK(asy_json_parse(cases[i].json, strlen(cases[i].json), &node, &err), &err))
            continue;
        T_EQ(cases[i].json, asy_space_read(space, node, cases[i].fixed, x, &err), cases[i].want);
        T_HAS(cases[i].json, err.text, cases[i].text);
        T_EQ(cases[i].json, x[0] == -77, cases[i].want != 0);
        asy_json_destroy(node);
    }
    asy_space_destroy(space);
}

static void text_keeps_floats_and_ints_apart(void)
{
    static const struct asy_param params[] = {
        { .name = "f", .lo = -1e300, .hi = 1e300 },
        { .name = "i", .type = ASY_PARAM_INT, .lo = -1000000, .hi = 1000000 },
        { .name = "c", .type = ASY_PARAM_CHOICE, .choices = mixed, .n_choices = 3 },
        { .name = "r", .type = ASY_PARAM_CHOICE, .choices = numbers, .n_choices = 3, .ordered = 1 },
    };
    static const struct { size_t i; double v; const char *want; } cases[] = {
        { 0, 0.001, "0.001" }, { 0, 64, "64.0" },   { 0, -0.0, "-0.0" },    { 0, 0.1, "0.1" },
        { 0, 1e22, "1e+22" },  { 1, 64, "64" },     { 1, -1000000, "-1000000" },
        { 2, 0, "true" },      { 2, 1, "1" },       { 2, 2, "1" },          { 3, 1, "1.0" },
        { 3, 0, "0.5" },       { 0, NAN, "" },
    };
    struct asy_space *space = make(params, ASY_ARRAY_LEN(params));

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        double x[4] = { 0 };
        char text[64];

        x[cases[c].i] = cases[c].v;
        asy_space_text(space, x, cases[c].i, text, sizeof text);
        T_STR("text", text, cases[c].want);
    }
    asy_space_destroy(space);
}

/* Every point of a small space is met once, is valid, and their number is the cardinality. */
static void enumerate(const char *name, const struct asy_param *params, size_t n, double want)
{
    struct asy_space *space = make(params, n);
    struct asy_error err = ASY_ERROR_INIT;
    size_t total = (size_t)want;
    double x[8], *seen = calloc(total * n, sizeof *seen);

    if (!seen)
        abort();
    T_NEAR(name, asy_space_cardinality(space), want, 0);
    for (size_t k = 0; k < total; k++) {
        if (!T_OK(asy_space_point(space, k, x, &err), &err))
            break;
        T_OK(asy_space_check(space, x, &err), &err);
        T_EQ(name, asy_space_index(space, x), k);
        memcpy(&seen[k * n], x, n * sizeof *x);
        for (size_t j = 0; j < k; j++) {
            size_t same = 0;

            for (size_t i = 0; i < n; i++)
                same += isnan(x[i]) ? isnan(seen[j * n + i]) : x[i] == seen[j * n + i];
            if (same == n)
                t__check(false, __LINE__, __FILE__, "%s: points %zu and %zu are the same", name, j,
                         k);
        }
    }
    T_EQ(name, asy_space_point(space, total, x, &err), ASY_E_FULL);
    T_EQ(name, asy_space_point(space, UINT64_MAX, x, &err), ASY_E_FULL);
    free(seen);
    asy_space_destroy(space);
}

static void counting_knows_conditions(void)
{
    static const double two_of[] = { 0, 2 };
    static const struct asy_when on_a[] = { { .parent = 0, .values = two_of, .n_values = 2 } };
    static const struct asy_when on_n[] = { { .parent = 1, .lo = 2.5, .hi = 4 } };
    static const struct asy_when on_both[] = { { .parent = 0, .values = two_of, .n_values = 2 },
                                               { .parent = 1, .lo = 4, .hi = 99 } };
    static const struct asy_when on_c[] = { { .parent = 2, .values = two_of, .n_values = 1 } };
#define A { .name = "a", .type = ASY_PARAM_CHOICE, .choices = optimizers, .n_choices = 3 }
#define N { .name = "n", .type = ASY_PARAM_INT, .lo = 1, .hi = 5 }
    static const struct asy_param plain[] = { A, N };
    static const struct asy_param chain[] = {
        A, { .name = "n", .type = ASY_PARAM_INT, .lo = 1, .hi = 5, .whens = on_a, .n_whens = 1 },
        { .name = "m", .type = ASY_PARAM_INT, .lo = 0, .hi = 2, .whens = on_n, .n_whens = 1 },
        { .name = "z", .type = ASY_PARAM_INT, .lo = 0, .hi = 1, .whens = on_c, .n_whens = 1 },
    };
    static const struct asy_param both[] = {
        A, N, { .name = "m", .type = ASY_PARAM_INT, .lo = 0, .hi = 9, .whens = on_both,
                .n_whens = 2 },
        { .name = "f", .lo = 0.5, .hi = 1, .step = 0.25 },
    };

    enumerate("no parameter", NULL, 0, 1);
    enumerate("product", plain, 2, 15);
    /* a=1: 1 point; else n of 1, 2, 5: no m; n of 3, 4: m = 0 with z in two ways, m = 1, 2 alone */
    enumerate("chain", chain, 4, 1 + 2 * (3 + 2 * (2 + 1 + 1)));
    /* a in {0, 2} and n in {4, 5}: ten m; the other 11 pairs: none; three f each */
    enumerate("both must hold", both, 4, (2 * 2 * 10 + 11) * 3);
}

static void counting_gives_up_cleanly(void)
{
    struct asy_space *space = make(sweep, SWEEP_LEN);
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_when all[40];
    char name[8];
    double x[64];

    T_TRUE(isinf(asy_space_cardinality(space)));
    T_EQ("continuous", asy_space_point(space, 0, x, &err), ASY_E_INVAL);
    T_HAS("continuous", err.text, "float without step");
    asy_space_destroy(space);
    if (!T_OK(asy_space_create(&space, &err), &err))
        return;
    for (size_t i = 0; i <= 40; i++) { /* the last depends on each of 40: 2^40 cases */
        struct asy_param p = { .name = name, .type = ASY_PARAM_INT, .hi = 1 };

        snprintf(name, sizeof name, "p%zu", i);
        if (i < 40)
            all[i] = (struct asy_when){ .parent = i, .lo = 1, .hi = 1 };
        else
            p.whens = all, p.n_whens = 40;
        T_OK(asy_space_add(space, &p, &err), &err);
    }
    T_TRUE(isinf(asy_space_cardinality(space)));
    T_EQ("entangled", asy_space_point(space, 0, x, &err), ASY_E_INVAL);
    asy_space_destroy(space);
}

T_MAIN("space", T_TEST(add_names_each_mistake), T_TEST(grid_values_are_short_decimals),
       T_TEST(check_names_the_parameter), T_TEST(points_survive_json),
       T_TEST(read_refuses_what_is_not_a_point), T_TEST(text_keeps_floats_and_ints_apart),
       T_TEST(counting_knows_conditions), T_TEST(counting_gives_up_cleanly))
