/* SPDX-License-Identifier: Apache-2.0
 * test_study_from.c - the key `search.from`: what of earlier studies is taken, and that it stays in
 * the study's own text. */
#include <asy/study.h>
#include "asytest.h"

#define HEAD "assay: 1\nname: s\ndir: /tmp\nrun: {command: [/bin/true]}\n"                         \
             "objective: {metric: loss, goal: minimize}\n"
#define PARAMS                                                                                     \
    "parameters:\n  lr: {min: 1e-5, max: 1.0, scale: log}\n  n: {min: 2, max: 9}\n"                \
    "  w: {values: [a, b]}\n"
#define SPEC "{\"objective\":{\"metric\":\"acc\",\"goal\":\"maximize\"},"                          \
             "\"run\":{\"model\":\"mlp\",\"fixed\":{\"n\":4}}}"

static struct asy_study_spec *parse(const char *text)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_study_spec *spec = NULL;

    T_OK(asy_study_parse(text, strlen(text), "s", NULL, &spec, NULL, &err), &err);
    return spec;
}

static int take(const struct asy_study_spec *spec, const char *source, const char *trials,
                struct asy_buf *notes, struct asy_study_spec **ret, struct asy_error *err)
{
    struct asy_json *tree = NULL, *list = NULL;
    struct asy_study_source from = { .name = "old" };
    int rc = asy_json_parse(source, strlen(source), &tree, err);

    if (rc == 0)
        rc = asy_json_parse(trials, strlen(trials), &list, err);
    from.spec = tree;
    from.trials = list;
    asy_buf_init(notes, 4096);
    if (rc == 0)
        rc = asy_study_with_earlier(spec, &from, notes, ret, err);
    asy_json_destroy(tree);
    asy_json_destroy(list);
    return rc;
}

static void trials_are_ranked_and_those_that_fit_are_taken(void)
{
    static const char trials[] =
        "{\"trials\":["
        "{\"number\":0,\"state\":\"complete\",\"value\":0.5,\"params\":{\"lr\":0.1,\"w\":\"a\"}},"
        "{\"number\":1,\"state\":\"failed\",\"value\":null,\"params\":{\"lr\":0.1,\"w\":\"a\"}},"
        "{\"number\":2,\"state\":\"complete\",\"value\":0.9,\"params\":{\"lr\":7.0,\"w\":\"a\"}},"
        "{\"number\":3,\"state\":\"complete\",\"value\":0.8,\"params\":{\"lr\":1,\"w\":\"b\","
        "\"z\":3}},"
        "{\"number\":4,\"state\":\"complete\",\"value\":\"nan\",\"params\":{\"lr\":0.1}},"
        "{\"number\":5,\"state\":\"complete\",\"value\":0.7,\"params\":{\"w\":\"b\",\"n\":9}}]}";
    struct asy_study_spec *spec = parse(HEAD PARAMS "budget: {trials: 50}\nsearch: {from: old, "
                                        "enqueue: [{lr: 1e-3}]}\n"), *got = NULL, *again = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf notes = { 0 };

    if (!T_TRUE(spec != NULL))
        return;
    T_EQ("not read yet", spec->unread, 1);
    T_EQ("given", spec->n_enqueue, 1);
    if (!T_OK(take(spec, SPEC, trials, &notes, &got, &err), &err))
        goto out;
    T_STR("notes", notes.data,
          "from 'old': 3 of 4 complete trials, 1 does not fit the parameters\n");
    T_EQ("read", got->unread, 0);
    T_EQ("taken", got->n_earlier, 3);
    T_EQ("the best that fits", got->earlier[0].trial, 3);
    T_NEAR("its rank among all", got->earlier[0].rank, 1.5 / 4, 0);
    T_NEAR("a whole number for a real", got->earlier_x[0], 1, 0);
    T_NEAR("a constant of its model", got->earlier_x[1], 4, 0);
    T_NEAR("a choice", got->earlier_x[2], 1, 0);
    T_EQ("the next", got->earlier[1].trial, 5);
    T_TRUE(isnan(got->earlier_x[3]));
    T_NEAR("its own goes before a constant", got->earlier_x[4], 9, 0);
    T_EQ("first trials of the better half", got->n_first, 1);
    T_EQ("behind what is given", got->n_enqueue, 2);
    T_NEAR("as it was", got->enqueue[3], 1, 0);
    again = parse(got->canonical);
    if (T_TRUE(again != NULL)) {
        T_STR("its own canonical text", again->canonical, got->canonical);
        T_EQ("given", again->n_given, 1);
        T_EQ("enqueued", again->n_enqueue, 2);
        T_NEAR("the rest of it is as it was", again->enqueue[0], 1e-3, 0);
    }
out:
    asy_buf_fini(&notes);
    asy_study_destroy(again);
    asy_study_destroy(got);
    asy_study_destroy(spec);
}

/* 100 trials: the i-th is the i-th best. */
static void make_many(struct asy_buf *trials)
{
    asy_buf_init(trials, 1u << 20);
    asy_buf_adds(trials, "{\"trials\":[");
    for (int i = 0; i < 100; i++)
        asy_buf_addf(trials, "%s{\"number\":%d,\"state\":\"complete\",\"value\":%d,\"params\":"
                     "{\"lr\":%g,\"n\":3,\"w\":\"a\"}}", i ? "," : "", i, -i,
                     0.5 * pow(0.9, i));
    asy_buf_adds(trials, "]}");
}

static void of_many_the_better_half_and_others_evenly(void)
{
    struct asy_study_spec *spec = parse(HEAD PARAMS "budget: {trials: 15}\nsearch: {from: old}\n");
    struct asy_study_spec *got = NULL;
    struct asy_buf trials = { 0 }, notes = { 0 };
    struct asy_error err = ASY_ERROR_INIT;

    make_many(&trials);
    if (!T_TRUE(spec != NULL) || !T_OK(take(spec, SPEC, trials.data, &notes, &got, &err), &err))
        goto out;
    T_EQ("so many", got->n_earlier, 64);
    for (size_t i = 0; i < 32; i++)
        T_EQ("the best", got->earlier[i].trial, i);
    for (size_t i = 32; i < 64; i++)
        T_TRUE(got->earlier[i].trial - got->earlier[i - 1].trial <= 3);
    T_TRUE(got->earlier[63].trial >= 98);
    T_EQ("a fifth of the budget", got->n_first, 3);
    T_EQ("the best", got->first[0], 0);
    for (size_t k = 1; k < got->n_first; k++) /* a tenth of five decades lies between them */
        T_TRUE(got->enqueue[3 * k - 3] / got->enqueue[3 * k] >= sqrt(10));
out:
    asy_buf_fini(&trials);
    asy_buf_fini(&notes);
    asy_study_destroy(got);
    asy_study_destroy(spec);
}

/* Each member begins with one point, and those that the user gives go first. */
static void a_population_takes_no_more_than_its_members_begin_with(void)
{
    static const struct {
        const char *name, *search;
        size_t want;
    } cases[] = {
        { "all of a large one", "sampler: {name: pbt, population: 9}", 5 },
        { "one each", "sampler: {name: pbt, population: 2}", 2 },
        { "beside one that is given",
          "sampler: {name: pbt, population: 2}, enqueue: [{lr: 1.0}]", 1 },
        { "none", "sampler: {name: pbt, population: 2}, enqueue: [{lr: 1.0}, {lr: 0.9}]", 0 },
    };
    struct asy_buf trials = { 0 };

    make_many(&trials);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_study_spec *spec, *got = NULL;
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf notes = { 0 };
        char text[800];

        snprintf(text, sizeof text, "assay: 1\nname: s\ndir: /tmp\nrun: {command: [/bin/true], "
                 "checkpoint: true, length: {max: 9}}\nobjective: {metric: loss, goal: minimize}\n"
                 PARAMS "budget: {trials: 100}\nsearch: {from: old, %s}\n", cases[i].search);
        if (T_TRUE((spec = parse(text)) != NULL) &&
            T_OK(take(spec, SPEC, trials.data, &notes, &got, &err), &err))
            T_EQ(cases[i].name, got->n_first, cases[i].want);
        asy_buf_fini(&notes);
        asy_study_destroy(got);
        asy_study_destroy(spec);
    }
    asy_buf_fini(&trials);
}

static void what_cannot_be_learnt_from_is_an_error(void)
{
    static const struct {
        const char *name, *source, *trials, *want;
    } cases[] = {
        { "nothing complete", SPEC, "{\"trials\":[]}", "study 'old' has 0 complete trials" },
        { "nothing fits", SPEC, "{\"trials\":[{\"number\":0,\"state\":\"complete\",\"value\":1,"
          "\"params\":{\"lr\":9}}]}", "study 'old' has 1 complete trial, of which none fits" },
        { "several objectives", "{\"objective\":[{},{}]}", "{\"trials\":[]}",
          "study 'old' has several objectives" },
    };
    struct asy_study_spec *spec = parse(HEAD PARAMS "budget: {trials: 9}\nsearch: {from: old}\n");

    for (size_t i = 0; spec && i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_study_spec *got = NULL;
        struct asy_buf notes = { 0 };

        T_EQ(cases[i].name, take(spec, cases[i].source, cases[i].trials, &notes, &got, &err),
             ASY_E_INVAL);
        T_HAS(cases[i].name, err.text, cases[i].want);
        T_TRUE(!got);
        asy_buf_fini(&notes);
    }
    asy_study_destroy(spec);
}

static void a_resume_has_what_was_found_then(void)
{
    struct asy_study_spec *spec = parse(HEAD PARAMS "budget: {trials: 15}\nsearch: {from: old}\n");
    struct asy_study_spec *more = parse(HEAD PARAMS "budget: {trials: 90}\nsearch: {from: old}\n");
    struct asy_study_spec *else_ = parse(HEAD PARAMS "budget: {trials: 90}\nsearch: {from: x}\n");
    struct asy_study_spec *got = NULL, *same = NULL;
    struct asy_buf trials = { 0 }, notes = { 0 };
    struct asy_error err = ASY_ERROR_INIT;

    make_many(&trials);
    if (!T_TRUE(spec && more && else_) ||
        !T_OK(take(spec, SPEC, trials.data, &notes, &got, &err), &err))
        goto out;
    T_EQ("other studies", asy_study_with_earlier_of(else_, got, &same, &err), ASY_E_INVAL);
    T_HAS("other studies", err.text, "'search.from' differs");
    if (T_OK(asy_study_with_earlier_of(more, got, &same, &err), &err)) {
        T_EQ("as many", same->n_earlier, got->n_earlier);
        T_EQ("first trials stay", same->n_first, got->n_first);
        T_EQ("another budget", same->max_trials, 90);
        T_OK(asy_study_resumable(got, same, &err), &err);
    }
out:
    asy_buf_fini(&trials);
    asy_buf_fini(&notes);
    asy_study_destroy(same);
    asy_study_destroy(got);
    asy_study_destroy(else_);
    asy_study_destroy(more);
    asy_study_destroy(spec);
}

T_MAIN("study_from", T_TEST(trials_are_ranked_and_those_that_fit_are_taken),
       T_TEST(of_many_the_better_half_and_others_evenly),
       T_TEST(a_population_takes_no_more_than_its_members_begin_with),
       T_TEST(what_cannot_be_learnt_from_is_an_error), T_TEST(a_resume_has_what_was_found_then))
