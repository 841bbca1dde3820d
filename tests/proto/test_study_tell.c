/* SPDX-License-Identifier: Apache-2.0
 * test_study_tell.c - the key `search.tell`: a list, tables of every kind, mistakes in both. */
#include <asy/durable.h>
#include <asy/study.h>
#include <unistd.h>
#include "asytest.h"

#define HEAD                                                                                       \
    "assay: 1\nname: s\nrun: {command: [/bin/true]}\nbudget: {trials: 9}\n"                        \
    "parameters:\n  lr: {min: 1e-5, max: 1.0, scale: log}\n  n: {min: 2, max: 9}\n"                \
    "  s: {min: 0.0, max: 1.0, step: 0.1}\n  w: {values: [a, 'x,y', 3, true]}\n"                   \
    "  c: {min: 0.0, max: 1.0, when: {w: a}}\n"
#define ONE "objective: {metric: loss, goal: minimize}\n"
#define TWO "objective: [{metric: loss, goal: minimize}, {metric: size, goal: minimize}]\n"

static char folder[] = "/tmp/assay-tell-XXXXXX";

static struct asy_study_spec *load(const char *study, const char *table, struct asy_buf *problems,
                                   struct asy_error *err)
{
    struct asy_study_spec *spec = NULL;
    char path[64];

    snprintf(path, sizeof path, "%s/old.csv", folder);
    if (table && !T_OK(asy_durable_write(path, table, strlen(table), 0600, err), err))
        return NULL;
    snprintf(path, sizeof path, "%s/s.yaml", folder);
    if (!T_OK(asy_durable_write(path, study, strlen(study), 0600, err), err))
        return NULL;
    asy_buf_init(problems, 64u << 10);
    ASY_IGNORE(asy_study_load(path, NULL, &spec, problems, err)); /* the caller looks at spec */
    return spec;
}

static void the_same_points_come_from_a_list_and_from_tables(void)
{
    static const char list[] =
        HEAD ONE "search: {tell: [{point: {lr: 0.01, n: 3, s: 0.3, w: 'x,y'}, value: 0.5},"
                 " {point: {lr: 1, n: 9, s: 1.0, w: a, c: 0.25}, value: nan},"
                 " {point: {lr: 0.5, n: 2, s: 0.0, w: 3}, value: -1}]}\n";
    static const char *const tables[] = {
        "lr,n,s,w,c,loss\n0.01,3,0.3,\"x,y\",,0.5\n1,9,1,a,0.25,nan\n0.5,2,0,3,,-1\n",
        /* as assay export has it, with trials that have no result, and other columns */
        "number,state,value,params_c,params_w,params_s,params_n,params_lr,note\r\n"
        "0,complete,0.5,,\"x,y\",0.3,3,0.01,\"a \"\"quoted\"\"\nnote\"\r\n"
        "1,failed,,,a,0.1,3,0.01,\r\n\r\n2,complete,nan,0.25,a,1.0,9,1.0,\r\n"
        "3,pruned,7,,3,0.1,3,0.01,\r\n4,complete,-1,,3,0.0,2,0.5,",
    };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems = { 0 };
    struct asy_study_spec *want = load(list, NULL, &problems, &err), *again = NULL;

    if (!T_TRUE(want != NULL)) {
        fputs(problems.data, stderr);
        goto out;
    }
    T_EQ("points", want->n_told, 3);
    T_NEAR("value", want->told_values[0], 0.5, 0);
    T_TRUE(isnan(want->told_values[1]));
    T_NEAR("on the grid", want->told[2], 0.3, 0);
    T_NEAR("conditional", want->told[9], 0.25, 0);
    T_TRUE(isnan(want->told[4]));
    for (size_t i = 0; i < ASY_ARRAY_LEN(tables); i++) {
        struct asy_study_spec *got;

        asy_buf_fini(&problems);
        got = load(HEAD ONE "search: {tell: ./old.csv}\n", tables[i], &problems, &err);
        if (T_TRUE(got != NULL))
            T_STR("canonical", got->canonical, want->canonical);
        else
            fputs(problems.data, stderr);
        asy_study_destroy(got);
    }
    if (T_OK(asy_study_parse(want->canonical, want->canonical_len, "study", NULL, &again, NULL,
                             &err), &err))
        T_STR("canonical", again->canonical, want->canonical);
out:
    asy_buf_fini(&problems);
    asy_study_destroy(again);
    asy_study_destroy(want);
}

/* What a table has beside the parameters and values may be called like one of them. */
static void a_column_is_that_of_its_kind(void)
{
#define NAMED(metric)                                                                              \
    "assay: 1\nname: s\nrun: {command: [/bin/true]}\nbudget: {trials: 9}\n"                        \
    "parameters:\n  step: {min: 1, max: 9}\n  value: {min: 1, max: 9}\n  seed: {min: 1, max: 9}\n" \
    "objective: {metric: " metric ", goal: minimize}\nsearch: {tell: old.csv}\n"
#define EXPORTED                                                                                   \
    "number,state,cause,value,step,attempts,seed,params_step,params_value,params_seed"
    static const struct {
        const char *name, *study, *table;
    } cases[] = {
        { "exported", NAMED("loss"), EXPORTED "\n0,complete,,7,5,1,6,2,3,4\n" },
        { "a metric of such a name", NAMED("attempts"), EXPORTED "\n0,complete,,7,5,1,6,2,3,4\n" },
        { "of several objectives", NAMED("loss"),
          EXPORTED ",values_size,values_loss\n0,complete,,1,5,1,6,2,3,4,1,7\n" },
        { "a column joined to it", NAMED("loss"), EXPORTED ",loss\n0,complete,,1,5,1,6,2,3,4,7\n" },
        { "written by hand", NAMED("state"), "seed,step,value,state\n4,2,3,7\n" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf problems = { 0 };
        struct asy_study_spec *s = load(cases[i].study, cases[i].table, &problems, &err);

        if (T_TRUE(s != NULL) && T_EQ(cases[i].name, s->n_told, 1)) {
            T_NEAR(cases[i].name, s->told[0], 2, 0);
            T_NEAR(cases[i].name, s->told[1], 3, 0);
            T_NEAR(cases[i].name, s->told[2], 4, 0);
            T_NEAR(cases[i].name, s->told_values[0], 7, 0);
        } else {
            fprintf(stderr, "%s: %s\n", cases[i].name, problems.data);
        }
        asy_buf_fini(&problems);
        asy_study_destroy(s);
    }
}

static void names_of_other_columns_are_no_parameters(void)
{
    static const struct {
        const char *name, *table, *want;
    } cases[] = {
        { "of an export", "number,step,value,seed,params_step,params_value\n0,1,2,3,4,5\n",
          "has no column for parameter 'seed'" },
        { "a parameter's", "step,value,seed\n1,2,3\n", "has no column 'loss' or 'value'" },
        { "of a metric", "step,value,params_seed,params_loss,params_step,params_value\n"
          "1,,3,4,5,6\n", "has no row with a result" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf problems = { 0 };
        struct asy_study_spec *s = load(NAMED("loss"), cases[i].table, &problems, &err);

        T_TRUE(!s);
        T_HAS(cases[i].name, problems.data, cases[i].want);
        asy_buf_fini(&problems);
        asy_study_destroy(s);
    }
}

static void several_objectives_have_a_column_each(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems = { 0 };
    struct asy_study_spec *s = load(HEAD TWO "search: {tell: old.csv}\n",
                                    "size,lr,n,s,w,c,loss\n7,0.1,3,0.3,3,,0.5\n", &problems, &err);

    if (T_TRUE(s != NULL)) {
        T_NEAR("loss", s->told_values[0], 0.5, 0);
        T_NEAR("size", s->told_values[1], 7, 0);
    } else {
        fputs(problems.data, stderr);
    }
    asy_buf_fini(&problems);
    asy_study_destroy(s);
}

/* Old Macintosh line ends, which a spreadsheet may still write, and all kinds in one table. */
static void a_line_may_end_in_any_way(void)
{
    static const char *const ends[] = { "\r", "\n", "\r\n", "\r\r", "\n\r" };
    char table[64u << 10];

    for (size_t k = 0; k <= ASY_ARRAY_LEN(ends); k++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf problems = { 0 };
        struct asy_study_spec *s;
        int len = snprintf(table, sizeof table, "lr,n,s,w,c,loss");

        for (int i = 0; i < 1000; i++)
            len += snprintf(table + len, sizeof table - (size_t)len, "%s0.1,3,0.3,3,,%d",
                            ends[k < ASY_ARRAY_LEN(ends) ? k : (size_t)i % k], i);
        s = load(HEAD ONE "search: {tell: old.csv}\n", table, &problems, &err);
        if (T_TRUE(s != NULL)) {
            T_EQ("rows", s->n_told, 1000);
            T_NEAR("the last", s->told_values[999], 999, 0);
        } else {
            fputs(problems.data, stderr);
        }
        asy_buf_fini(&problems);
        asy_study_destroy(s);
    }
}

static void a_table_may_begin_with_a_byte_order_mark(void)
{
    static const char *const tables[] = { "\xef\xbb\xbflr,n,s,w,c,loss\n0.1,3,0.3,3,,7\n",
                                          "\xef\xbb\xbf\"lr\",n,s,w,c,loss\r\n0.1,3,0.3,3,,7" };

    for (size_t k = 0; k < ASY_ARRAY_LEN(tables); k++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf problems = { 0 };
        struct asy_study_spec *s = load(HEAD ONE "search: {tell: old.csv}\n", tables[k], &problems,
                                        &err);

        if (T_TRUE(s != NULL)) {
            T_EQ("rows", s->n_told, 1);
            T_NEAR("the value", s->told_values[0], 7, 0);
        }
        asy_buf_fini(&problems);
        asy_study_destroy(s);
    }
}

/* A row that is too wide is no row that goes on in the next. */
static void a_table_may_be_too_wide(void)
{
    static const char *const heads[] = { "lr,n,s,w,c,loss\n0.1,3,0.3,3,,1\n0.1,3,0.3,3,,2", "lr" };
    char table[40u << 10];

    for (size_t k = 0; k < ASY_ARRAY_LEN(heads); k++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf problems = { 0 };
        struct asy_study_spec *s;
        int len = snprintf(table, sizeof table, "%s", heads[k]);

        for (int i = 0; i < 8200; i++)
            len += snprintf(table + len, sizeof table - (size_t)len, ",%d", i % 10);
        s = load(HEAD ONE "search: {tell: old.csv}\n", table, &problems, &err);
        T_TRUE(!s);
        T_HAS("too wide", problems.data, k ? "line 1 has more than 8192 columns"
                                           : "line 3 has more than 8192 columns");
        asy_buf_fini(&problems);
        asy_study_destroy(s);
    }
}

static void mistakes_are_named(void)
{
    static const struct {
        const char *name, *tell, *table, *want;
    } cases[] = {
        { "no file", "none.csv", NULL, "s.yaml:12:16: search.tell: cannot open" },
        { "empty", "old.csv", "\n\n", "old.csv' is empty" },
        { "no column", "old.csv", "lr,n,s,w,loss\n", "has no column for parameter 'c'" },
        { "no result", "old.csv", "lr,n,s,w,c,los\n", "has no column 'loss' or 'value'" },
        { "no rows", "old.csv", "lr,n,s,w,c,loss\n0.1,3,0.3,3,,\n", "has no row with a result" },
        { "no number", "old.csv", "lr,n,s,w,c,loss\n0.1,3,0.3,3,,low\n",
          "line 2: 'low' is not a number" },
        { "no value", "old.csv", "lr,n,s,w,c,loss\n0.1,3,0.3,3,,1\n0.1,3,0.3,b,,1\n",
          "line 3: 'b' is not a value of parameter 'w'" },
        { "condition", "old.csv", "lr,n,s,w,c,loss\n0.1,3,0.3,a,,1\n",
          "line 2: '' is not a value of parameter 'c'" },
        { "outside", "old.csv", "lr,n,s,w,c,loss\n7,3,0.3,3,,1\n", "line 2: parameter 'lr'" },
        { "short row", "old.csv", "lr,n,s,w,c,loss\n0.1,3\n", "has no row with a result" },
        { "not a list", "7", NULL, "must be a list of {point, value}, or a file, not '7'" },
        { "not a map", "[7]", NULL, "search.tell[0]: must be {point: {...}, value: number}" },
        { "half a point", "[{point: {lr: 0.1}, value: 1}]", NULL, "search.tell[0]: " },
        { "a list for a value", "[{point: {lr: [1]}, value: 1}]", NULL,
          "search.tell[0]: parameter 'lr' must have one value, not a list" },
        { "a map for a value", "[{point: {lr: {a: 1}}, value: 1}]", NULL,
          "search.tell[0]: parameter 'lr' must have one value, not a map" },
        { "nothing for a value", "[{point: {lr: }, value: 1}]", NULL,
          "search.tell[0]: parameter 'lr' must have one value, not nothing" },
        { "two values", "[{point: {lr: 0.1}, values: [1, 2]}]", NULL, "search.tell[0]: must be" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf problems = { 0 };
        struct asy_study_spec *s;
        char text[900];

        snprintf(text, sizeof text, HEAD ONE "search: {tell: %s}\n", cases[i].tell);
        s = load(text, cases[i].table, &problems, &err);
        T_TRUE(!s);
        T_HAS(cases[i].name, problems.data, cases[i].want);
        asy_buf_fini(&problems);
        asy_study_destroy(s);
    }
}

/* Nothing says whether a result from elsewhere is within them. */
static void constraints_are_refused_beside_it(void)
{
    static const char *const tells[] = {
        "old.csv", "[{point: {lr: 0.5, n: 2, s: 0.0, w: 3}, value: -1}]",
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(tells); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf problems = { 0 };
        struct asy_study_spec *s;
        char text[900];

        snprintf(text, sizeof text, HEAD ONE "constraints: [{metric: size, max: 3}]\n"
                 "search: {tell: %s}\n", tells[i]);
        s = load(text, "lr,n,s,w,c,loss,size\n0.1,3,0.3,3,,1,2\n", &problems, &err);
        T_TRUE(!s);
        T_HAS(tells[i], problems.data, "search.tell: does not say which results are within");
        asy_buf_fini(&problems);
        asy_study_destroy(s);
    }
}

/* What comes over the wire may not make a coordinator read its own files. */
static void only_a_users_own_file_is_read(void)
{
    struct asy_study_spec *s = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    static const char text[] = HEAD ONE "search: {tell: /etc/hostname}\n";

    T_EQ("file", asy_study_parse(text, sizeof text - 1, "s", "/", &s, NULL, &err), ASY_E_INVAL);
    T_HAS("file", err.text, "must be a list of {point, value}");
    asy_study_destroy(s);
}

static void tidy(void)
{
    char path[64];

    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, i ? "old.csv" : "s.yaml");
        unlink(path);
    }
    rmdir(folder);
}

static void folder_is_made(void)
{
    T_TRUE(mkdtemp(folder) != NULL);
}

T_MAIN("study-tell", T_TEST(folder_is_made),
       T_TEST(the_same_points_come_from_a_list_and_from_tables),
       T_TEST(a_column_is_that_of_its_kind), T_TEST(names_of_other_columns_are_no_parameters),
       T_TEST(several_objectives_have_a_column_each), T_TEST(a_line_may_end_in_any_way),
       T_TEST(a_table_may_begin_with_a_byte_order_mark), T_TEST(a_table_may_be_too_wide),
       T_TEST(mistakes_are_named),
       T_TEST(constraints_are_refused_beside_it), T_TEST(only_a_users_own_file_is_read),
       T_TEST(tidy))
