/* SPDX-License-Identifier: Apache-2.0
 * test_pruner.c - pruners on random event logs against plain references, and ASHA's promises. */
#include <asy/rng.h>
#include <asy/tuner.h>
#include "asytest.h"

static const enum asy_goal down[2] = { ASY_MINIMIZE, ASY_MINIMIZE };

static enum asy_verdict report(struct asy_pruner *p, uint64_t number, uint64_t step, double value)
{
    return asy_pruner_report(p, number, step, &value);
}

static struct asy_pruner *make(const char *name, uint64_t length_max, int can_pause,
                               const struct asy_option *options, size_t n_options)
{
    struct asy_option all[9] = { { 0 } };
    struct asy_pruner_spec spec = { .name = name, .options = all, .n_options = n_options,
                                    .goals = down, .n_goals = 1, .length_max = length_max,
                                    .can_pause = can_pause };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_pruner *pruner = NULL;

    for (size_t i = 0; i < n_options; i++)
        all[i] = options[i];
    if (!strcmp(name, "asha")) /* rule 2: test_pruner_asha.c */
        all[spec.n_options++] = (struct asy_option){ "rule", 1 };
    if (!T_OK(asy_pruner_create(&spec, &pruner, &err), &err))
        abort();
    return pruner;
}

static void create_names_each_mistake(void)
{
    static const struct {
        const char *name;
        struct asy_option option;
        uint64_t length;
        const char *text;
    } cases[] = {
        { "asah", { 0 }, 10, "did you mean 'asha'" },
        { "sideways", { 0 }, 10, "unknown pruner 'sideways'" },
        { "asha", { "reduction", 1 }, 10, "from 2 to" },
        { "asha", { "reduction", 2.5 }, 10, "whole number" },
        { "asha", { "reduction", NAN }, 10, "whole number" },
        { "asha", { "min", 11 }, 10, "above the longest training length 10" },
        { "asha", { "redaction", 3 }, 10, "did you mean 'reduction'" },
        { "median", { "interval", 0 }, 10, "from 1 to" },
        { "none", { "min", 1 }, 10, "no option 'min'" },
        { "percentile", { "percentile", 100.5 }, 10, "is a number from 0 to 100, not 100.5" },
        { "threshold", { 0 }, 10, "needs lower, upper or both" },
        { "patient", { "percentile", 10 }, 10, "no option of its inner pruner, which is none" },
        { "patient", { "inner", 3 }, 10, "'threshold': needs lower, upper or both" },
        { "moasha", { 0 }, 10, "is for several objectives; with one, use asha" },
        { "hyperband", { "min", 11 }, 10, "above the longest training length 10" },
        { "hyperband", { "brackets", 4 }, 10, "4 brackets are more than the 3 that fit" },
        { "wilcoxon", { "p_threshold", NAN }, 10, "is a number from 0 to 1" },
        { "median", { "startup_trials", 5 }, 0, "longest training length is 0" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_pruner_spec spec = { .name = cases[i].name, .options = &cases[i].option,
                                        .n_options = cases[i].option.name != NULL,
                                        .goals = down, .n_goals = 1,
                                        .length_max = cases[i].length };
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_pruner *pruner = NULL;

        T_EQ(cases[i].text, asy_pruner_create(&spec, &pruner, &err), ASY_E_INVAL);
        T_HAS(cases[i].text, err.text, cases[i].text);
        asy_pruner_destroy(pruner);
    }
}

static void moasha_takes_three_objectives_at_most(void)
{
    static const enum asy_goal goals[4] = { ASY_MINIMIZE, ASY_MAXIMIZE };
    struct asy_pruner_spec spec = { .name = "moasha", .goals = goals, .length_max = 8 };

    for (spec.n_goals = 2; spec.n_goals <= 4; spec.n_goals++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_pruner *pruner = NULL;

        T_EQ("goals", asy_pruner_create(&spec, &pruner, &err), spec.n_goals < 4 ? 0 : ASY_E_INVAL);
        if (spec.n_goals == 4)
            T_HAS("why", err.text, "three objectives at most, not 4");
        asy_pruner_destroy(pruner);
    }
}

/* That the table of the study file has the same is tested there. */
static void names_and_options_are_listed(void)
{
    size_t n = 0;

    T_STR("first", asy_pruner_name(0), "none");
    while (asy_pruner_name(n))
        n++;
    T_TRUE(n >= 9 && !asy_pruner_name(n + 1));
    T_STR("asha", asy_pruner_option("asha", 0), "min");
    T_STR("asha", asy_pruner_option("asha", 1), "reduction");
    T_TRUE(!asy_pruner_option("none", 0) && !asy_pruner_option("asha", 3));
    T_TRUE(!asy_pruner_option("median", 4) && !asy_pruner_option("nothing", 0));
}

static void only_moasha_compares_all_objectives(void)
{
    for (size_t i = 0; asy_pruner_name(i); i++) {
        static const enum asy_goal goals[] = { ASY_MINIMIZE, ASY_MAXIMIZE, ASY_MINIMIZE };
        static const struct asy_option upper = { "upper", 1 };
        struct asy_pruner_spec spec = { .name = asy_pruner_name(i), .options = &upper,
                                        .goals = goals, .n_goals = ASY_ARRAY_LEN(goals),
                                        .length_max = 40, .can_pause = 1 };
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_pruner *p = NULL;

        spec.n_options = !strcmp(spec.name, "threshold"); /* which needs a bound */
        if (T_OK(asy_pruner_create(&spec, &p, &err), &err))
            T_EQ(spec.name, asy_pruner_compares(p), !strcmp(spec.name, "moasha") ? 3 : 1);
        asy_pruner_destroy(p);
    }
}

static void none_lets_all_run(void)
{
    struct asy_pruner *p = make("none", 40, 1, NULL, 0);
    uint64_t number, milestone;
    char text[8] = "x";

    T_EQ("milestone", asy_pruner_milestone(p, 7, 0), 40);
    T_EQ("report", report(p, 0, 1, NAN), ASY_GO_ON);
    T_EQ("promote", asy_pruner_promote(p, &number, &milestone), 0);
    asy_pruner_unpromote(p, 0);
    asy_pruner_ended(p, 0, 1);
    asy_pruner_explain(p, 0, text, sizeof text);
    T_STR("nothing to say", text, "");
    T_EQ("stops", asy_pruner_stops(p), 0);
    asy_pruner_destroy(p);
    asy_pruner_destroy(NULL);
}

/* ---- median: Optuna's rule, written as plainly as possible ---------------------------------- */

enum { TRIALS = 60, STEPS = 30 };
struct plain_trial {
    double values[STEPS]; /* NAN also where nothing was reported */
    int reported[STEPS], complete;
};

static int by_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static enum asy_verdict median_ref(const struct plain_trial *trials, size_t own, size_t step,
                                   size_t startup, size_t warmup, size_t interval,
                                   size_t min_trials)
{
    const struct plain_trial *t = &trials[own];
    double best = NAN, values[TRIALS];
    size_t complete = 0, n = 0, m = 0, start;

    for (size_t i = 0; i < TRIALS; i++)
        complete += trials[i].complete != 0;
    if (complete == 0 || complete < startup || step < warmup)
        return ASY_GO_ON;
    start = (step - warmup) / interval * interval + warmup;
    for (size_t s = start; s < step; s++)
        if (t->reported[s])
            return ASY_GO_ON;
    for (size_t s = 0; s <= step; s++)
        if (t->reported[s])
            best = fmin(best, t->values[s]);
    if (isnan(best))
        return ASY_STOP;
    for (size_t i = 0; i < TRIALS; i++)
        if (trials[i].complete && trials[i].reported[step]) {
            n++;
            if (!isnan(trials[i].values[step]))
                values[m++] = trials[i].values[step];
        }
    if (n < min_trials || m == 0)
        return ASY_GO_ON;
    qsort(values, m, sizeof *values, by_double);
    return best > 0.5 * (values[(m - 1) / 2] + values[m / 2]) ? ASY_STOP : ASY_GO_ON;
}

static void median_follows_the_plain_rule(void)
{
    static const struct { double startup, warmup, interval, min_trials; } cases[] = {
        { 5, 0, 1, 1 }, { 0, 0, 1, 1 }, { 3, 4, 1, 2 }, { 5, 3, 5, 1 }, { 1, 0, 7, 4 },
    };
    static struct plain_trial trials[TRIALS];

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        const struct asy_option options[] = { { "startup_trials", cases[c].startup },
                                              { "warmup_steps", cases[c].warmup },
                                              { "interval", cases[c].interval },
                                              { "min_trials", cases[c].min_trials } };
        struct asy_pruner *p = make("median", STEPS, 0, options, 4);
        size_t next[TRIALS] = { 0 }, stopped = 0;
        int over[TRIALS] = { 0 };
        struct asy_rng rng;

        asy_rng_init(&rng, 11, c, ASY_RNG_SIM);
        memset(trials, 0, sizeof trials);
        for (size_t events = 0; events < 40000; events++) {
            size_t i = (size_t)asy_rng_below(&rng, TRIALS), s = next[i];
            enum asy_verdict want, got;

            if (over[i] || asy_rng_below(&rng, TRIALS) < i / 2)
                continue; /* low numbers run ahead */
            if (s == STEPS || asy_rng_below(&rng, 200) == 0) {
                trials[i].complete = s == STEPS;
                over[i] = 1;
                asy_pruner_ended(p, i, s == STEPS);
                continue;
            }
            next[i]++;
            if (asy_rng_below(&rng, 4) == 0)
                continue; /* not every step is reported */
            trials[i].reported[s] = 1;
            trials[i].values[s] = (double)(i * 29 % TRIALS + asy_rng_below(&rng, 20));
            if (asy_rng_below(&rng, 12) == 0)
                trials[i].values[s] = NAN;
            got = report(p, i, s, trials[i].values[s]);
            want = median_ref(trials, i, s, (size_t)cases[c].startup, (size_t)cases[c].warmup,
                              (size_t)cases[c].interval, (size_t)cases[c].min_trials);
            T_EQ("verdict", got, want);
            T_EQ("again", report(p, i, s, 0), got);
            if (got == ASY_STOP) {
                over[i] = 1;
                stopped++;
                asy_pruner_ended(p, i, 0);
            }
        }
        t__check(stopped > 5 && stopped < TRIALS - 5, __LINE__, __FILE__,
                 "case %zu says little: %zu stopped", c, stopped);
        asy_pruner_destroy(p);
    }
}

static void median_explains_itself(void)
{
    static const struct asy_option one[] = { { "startup_trials", 1 } };
    struct asy_pruner *p = make("median", 10, 0, one, 1);
    char text[200];

    report(p, 0, 1, 0.5);
    asy_pruner_ended(p, 0, 1);
    T_EQ("worse", report(p, 1, 1, 0.75027855153203342), ASY_STOP);
    asy_pruner_explain(p, 1, text, sizeof text);
    T_HAS("worse", text,
          "its best value up to step 1, 0.75028, was worse than 0.5, the median of 1 "
          "completed");
    T_EQ("nan", report(p, 2, 1, NAN), ASY_STOP);
    asy_pruner_explain(p, 2, text, sizeof text);
    T_HAS("nan", text, "all its values were nan");
    T_EQ("better", report(p, 3, 1, 0.25), ASY_GO_ON);
    asy_pruner_explain(p, 3, text, sizeof text);
    T_STR("better", text, "");
    T_EQ("stops", asy_pruner_stops(p), 1);
    asy_pruner_destroy(p);
}

/* ---- ASHA ---------------------------------------------------------------------------------- */

static void asha_has_the_rungs_of_its_lengths(void)
{
    static const struct {
        double min, reduction;
        uint64_t length, want[6];
    } cases[] = {
        { 1, 4, 40, { 1, 4, 16, 40, 40 } },
        { 1, 4, 64, { 1, 4, 16, 64, 64 } },
        { 3, 3, 81, { 3, 9, 27, 81, 81 } },
        { 10, 2, 10, { 10, 10 } },
        { 1, 2, 1, { 1, 1 } },
        { 1, 1e6, UINT64_MAX, { 1, 1000000, 1000000000000, 1000000000000000000, UINT64_MAX,
                                UINT64_MAX } },
    };

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        const struct asy_option options[] = { { "min", cases[c].min },
                                              { "reduction", cases[c].reduction } };
        struct asy_pruner *p = make("asha", cases[c].length, 1, options, 2);
        struct asy_pruner *s = make("asha", cases[c].length, 0, options, 2);
        uint64_t step = 0;

        for (size_t r = 0; r < 6 && cases[c].want[r]; r++) {
            T_TRUE(asy_pruner_milestone(p, 7, step) == cases[c].want[r]);
            step = cases[c].want[r];
        }
        T_TRUE(asy_pruner_milestone(s, 0, 0) == cases[c].length); /* never waits */
        T_EQ("promotes", asy_pruner_stops(p), 0);
        T_EQ("stops", asy_pruner_stops(s), 1);
        asy_pruner_destroy(p);
        asy_pruner_destroy(s);
    }
}

static void asha_promotes_the_best_top_rung_first(void)
{
    static const struct asy_option options[] = { { "reduction", 2 } };
    struct asy_pruner *p = make("asha", 8, 1, options, 1);
    uint64_t number = 99, milestone = 0;
    char text[200];

    /* rung 1: 0.4 0.3 0.2 0.1 of trials 0 to 3 */
    for (uint64_t i = 0; i < 4; i++) {
        T_EQ("pause", report(p, i, 1, 0.4 - 0.1 * (double)i), ASY_PAUSE);
        asy_pruner_explain(p, i, text, sizeof text);
        T_HAS("how many", text,
              i == 0  ? "place 1 of 1 there; one in 2 goes on, the first once 2 are"
              : i < 3 ? "one in 2 goes on, so the best one does"
                      : "one in 2 goes on, so the best 2 do");
    }
    T_EQ("again", report(p, 0, 2, 0), ASY_PAUSE);
    asy_pruner_explain(p, 1, text, sizeof text);
    T_STR("waits", text,
          "asha: its value 0.3 at step 1 is place 3 of 4 there; one in 2 goes on, so "
          "the best 2 do");
    T_EQ("first", asy_pruner_promote(p, &number, &milestone), 1);
    T_EQ("first", number, 3);
    T_EQ("first", milestone, 2);
    T_EQ("second", asy_pruner_promote(p, &number, &milestone), 1);
    T_EQ("second", number, 2);
    T_EQ("no third", asy_pruner_promote(p, &number, &milestone), 0);
    T_EQ("untouched", number, 2);
    asy_pruner_unpromote(p, 3);
    asy_pruner_unpromote(p, 3);
    asy_pruner_unpromote(p, 1); /* was not promoted */
    asy_pruner_unpromote(p, 77);
    T_EQ("given back", asy_pruner_promote(p, &number, &milestone), 1);
    T_EQ("given back", number, 3);
    T_EQ("rung 2", report(p, 3, 2, 0.1), ASY_PAUSE);
    T_EQ("one of one waits", asy_pruner_promote(p, &number, &milestone), 0);
    T_EQ("rung 2", report(p, 2, 2, 0.05), ASY_PAUSE);
    report(p, 4, 1, 0.01); /* the best below, but the top rung comes first */
    report(p, 5, 1, 0.02);
    T_EQ("top", asy_pruner_promote(p, &number, &milestone), 1);
    T_EQ("top", number, 2);
    T_EQ("top", milestone, 4);
    T_EQ("below", asy_pruner_promote(p, &number, &milestone), 1);
    T_EQ("below", number, 4);
    asy_pruner_ended(p, 5, 0); /* cancelled while it waits: never promoted, still counted */
    T_EQ("no more", asy_pruner_promote(p, &number, &milestone), 0);
    T_EQ("full length", report(p, 2, 8, 0.01), ASY_GO_ON);
    asy_pruner_destroy(p);
}

static void asha_lets_the_best_run_to_the_end_when_asked_for_a_last_one(void)
{
    struct asy_pruner *p = make("asha", 64, 1, NULL, 0);
    uint64_t number = 99, milestone = 0;

    T_EQ("nobody waits", asy_pruner_promote_last(p, &number, &milestone), 0);
    report(p, 0, 1, 0.3);
    report(p, 1, 1, 0.1);
    report(p, 2, 1, NAN);
    T_EQ("the rule has none", asy_pruner_promote(p, &number, &milestone), 0);
    T_EQ("the best", asy_pruner_promote_last(p, &number, &milestone), 1);
    T_EQ("the best", number, 1);
    T_EQ("to the full length", milestone, 64);
    asy_pruner_unpromote(p, 1);
    T_EQ("given back", asy_pruner_promote_last(p, &number, &milestone), 1);
    T_EQ("given back", number, 1);
    asy_pruner_ended(p, 1, 0);
    T_EQ("the next", asy_pruner_promote_last(p, &number, &milestone), 1);
    T_EQ("the next", number, 0);
    T_EQ("never one without a number", asy_pruner_promote_last(p, &number, &milestone), 0);
    asy_pruner_destroy(p);
    p = make("median", 64, 1, NULL, 0);
    T_EQ("median has none waiting", asy_pruner_promote_last(p, &number, &milestone), 0);
    asy_pruner_destroy(p);
}

static void asha_counts_a_long_stride_at_the_highest_rung(void)
{
    static const struct asy_option options[] = { { "reduction", 2 } };
    struct asy_pruner *p = make("asha", 8, 1, options, 1);
    uint64_t number, milestone;

    T_EQ("over 1 and 2", report(p, 0, 5, 0.5), ASY_PAUSE);
    T_EQ("over 1 and 2", report(p, 1, 5, 0.4), ASY_PAUSE);
    T_EQ("promoted", asy_pruner_promote(p, &number, &milestone), 1);
    T_EQ("promoted", number, 1);
    T_EQ("from rung 4", milestone, 8);
    T_EQ("old", report(p, 1, 5, 0.1), ASY_GO_ON);
    T_EQ("runs", report(p, 1, 7, 0.1), ASY_GO_ON);
    asy_pruner_destroy(p);
}

/* Optuna's SuccessiveHalvingPruner, with all values of a rung in an array. */
static void asha_stops_by_the_plain_rule(void)
{
    enum { N = 500, LENGTH = 64, ETA = 3 };
    static double rungs[8][N];
    static const struct asy_option options[] = { { "reduction", ETA }, { "min", 2 } };
    struct asy_pruner *p = make("asha", LENGTH, 0, options, 2);
    size_t counts[8] = { 0 }, at[N] = { 0 }, stopped = 0;
    uint64_t step[N] = { 0 };
    int over[N] = { 0 };
    struct asy_rng rng;
    char text[200];

    asy_rng_init(&rng, 21, 0, ASY_RNG_SIM);
    for (size_t event = 0; event < 40 * N; event++) {
        size_t i = (size_t)asy_rng_below(&rng, N);
        double v = asy_rng_below(&rng, 50) == 0 ? NAN : (double)asy_rng_below(&rng, 1000);
        enum asy_verdict want = ASY_GO_ON;

        if (over[i])
            continue;
        step[i] += 1 + asy_rng_below(&rng, 9);
        for (uint64_t length = 2; want == ASY_GO_ON && step[i] < LENGTH && length < LENGTH;
             length *= ETA) {
            size_t r = length == 2 ? 0 : length == 6 ? 1 : length == 18 ? 2 : 3, better = 0;

            if (r < at[i] || step[i] < length)
                continue;
            rungs[r][counts[r]++] = v;
            at[i] = r + 1;
            for (size_t j = 0; j < counts[r]; j++)
                better += isnan(v) ? !isnan(rungs[r][j]) : rungs[r][j] < v;
            if (isnan(v) || better >= fmax(1, (double)(counts[r] / ETA)))
                want = ASY_STOP;
        }
        T_EQ("verdict", report(p, i, step[i], v), want);
        over[i] = want == ASY_STOP || step[i] >= LENGTH;
        stopped += want == ASY_STOP;
        if (over[i])
            asy_pruner_ended(p, i, want != ASY_STOP);
        asy_pruner_explain(p, i, text, sizeof text);
        T_EQ("explained", text[0] != 0, want == ASY_STOP);
    }
    T_TRUE(stopped > N / 2 && stopped < N);
    asy_pruner_destroy(p);
}

/* A run of the promotion form: free workers take promotions first, then new trials. Everything
 * that was answered goes into *trace. */
static void run_asha(size_t workers, uint64_t seed, size_t events, uint64_t *trace,
                     size_t *ret_counts, size_t n_rungs, struct asy_pruner *p)
{
    enum { N = 20000 };
    static uint64_t at[N];
    uint64_t running[64], goal[64], next = 0, milestone;
    struct asy_rng rng;

    asy_rng_init(&rng, seed, 0, ASY_RNG_SIM);
    memset(at, 0, sizeof at);
    for (size_t w = 0; w < workers; w++) {
        running[w] = next++;
        goal[w] = asy_pruner_milestone(p, 7, 0);
    }
    for (size_t e = 0; e < events; e++) {
        size_t w = (size_t)asy_rng_below(&rng, workers), r = 0;
        double quality = (double)(running[w] * 2654435761u % 1000003);
        enum asy_verdict verdict;

        verdict = report(p, running[w], goal[w], quality + asy_rng_double(&rng));
        T_EQ("verdict", verdict, goal[w] < 256 ? ASY_PAUSE : ASY_GO_ON);
        at[running[w]] = goal[w];
        for (uint64_t length = 1; length < goal[w]; length *= 4)
            r++;
        ret_counts[r < n_rungs ? r : n_rungs - 1]++;
        if (verdict == ASY_GO_ON)
            asy_pruner_ended(p, running[w], 1);
        if (!asy_pruner_promote(p, &running[w], &milestone)) {
            running[w] = next++;
            milestone = asy_pruner_milestone(p, 7, 0);
        }
        T_TRUE(milestone > at[running[w]]);
        goal[w] = milestone;
        *trace = (*trace ^ running[w] ^ milestone << 32) * 0x9e3779b97f4a7c15u;
    }
}

static void asha_promotes_one_in_reduction_and_replays(void)
{
    enum { EVENTS = 12000, RUNGS = 5 }; /* 1 4 16 64 256 */
    uint64_t traces[2] = { 0 };

    for (size_t k = 0; k < 2; k++) {
        struct asy_pruner *p = make("asha", 256, 1, NULL, 0);
        size_t counts[RUNGS] = { 0 };

        run_asha(16, 5, EVENTS, &traces[k], counts, RUNGS, p);
        for (size_t r = 0; r + 2 < RUNGS; r++) {
            double share = (double)counts[r + 1] / (double)counts[r];

            /* The set of the best shifts as entries come, so somewhat more than 1 in 4. */
            t__check(share > 0.2 && share < 0.36, __LINE__, __FILE__, "of rung %zu %.3f went on", r,
                     share);
        }
        asy_pruner_destroy(p);
    }
    T_TRUE(traces[0] == traces[1]);
}

/* Whoever is promoted is among the best floor(n / 4) of its rung at that time, and the best who
 * waits there; nobody is left waiting who could go. */
static void asha_promotes_only_the_top(void)
{
    enum { N = 600 };
    static double values[N];
    static int promoted[N];
    struct asy_pruner *p = make("asha", 4, 1, NULL, 0); /* one rung at 1 */
    struct asy_rng rng;

    asy_rng_init(&rng, 31, 0, ASY_RNG_SIM);
    for (size_t n = 1; n <= N; n++) {
        uint64_t number, milestone;

        values[n - 1] = (double)asy_rng_below(&rng, 200);
        report(p, n - 1, 1, values[n - 1]);
        if (asy_rng_below(&rng, 3))
            continue;
        while (asy_pruner_promote(p, &number, &milestone)) {
            size_t place = 0;

            for (size_t j = 0; j < n; j++) {
                int ahead = values[j] < values[number] ||
                            (values[j] == values[number] && j < number);

                place += ahead != 0;
                T_TRUE(!ahead || promoted[j]);
            }
            T_TRUE(place < n / 4 && !promoted[number]);
            promoted[number] = 1;
        }
        for (size_t i = 0; i < n; i++) {
            size_t place = 0;

            for (size_t j = 0; j < n; j++)
                place += values[j] < values[i] || (values[j] == values[i] && j < i);
            T_TRUE(promoted[i] || place >= n / 4);
        }
    }
    asy_pruner_destroy(p);
}

/* Rungs of 100,000 with a promotion after each report: a scan per call would not end in time. */
static void asha_does_not_scan(void)
{
    enum { N = 100000 };
    struct asy_pruner *p = make("asha", 1000, 1, NULL, 0);
    uint64_t number, milestone, promoted = 0;
    struct asy_rng rng;

    asy_rng_init(&rng, 51, 0, ASY_RNG_SIM);
    for (uint64_t i = 0; i < N; i++) {
        report(p, i, 1, asy_rng_double(&rng));
        promoted += asy_pruner_promote(p, &number, &milestone) != 0;
    }
    T_TRUE(promoted >= N / 4 - 1);
    asy_pruner_destroy(p);
}

T_MAIN("pruner", T_TEST(create_names_each_mistake), T_TEST(moasha_takes_three_objectives_at_most),
       T_TEST(names_and_options_are_listed), T_TEST(only_moasha_compares_all_objectives),
       T_TEST(none_lets_all_run), T_TEST(median_follows_the_plain_rule),
       T_TEST(median_explains_itself), T_TEST(asha_has_the_rungs_of_its_lengths),
       T_TEST(asha_promotes_the_best_top_rung_first),
       T_TEST(asha_lets_the_best_run_to_the_end_when_asked_for_a_last_one),
       T_TEST(asha_counts_a_long_stride_at_the_highest_rung),
       T_TEST(asha_stops_by_the_plain_rule), T_TEST(asha_promotes_one_in_reduction_and_replays),
       T_TEST(asha_promotes_only_the_top), T_TEST(asha_does_not_scan))
