/* SPDX-License-Identifier: Apache-2.0
 * test_goals.c - studies with several objectives or constraints: when a trial is complete, what its
 * sampler and the store are told, what is no result. */
#include "life.h"

#define TWO                                                                                        \
    "assay: 1\nname: two\nobjective: [{metric: loss, goal: minimize}, {metric: right, goal: "      \
    "maximize, take: last}]\nconstraints: [{metric: cost, min: 1, max: 5}]\n"                      \
    "parameters: {x: {min: 0.0, max: 1.0}}\n"
#define BOUNDED                                                                                    \
    "assay: 1\nname: bounded\nobjective: {metric: loss, goal: minimize, target: 0.5}\n"            \
    "constraints: [{metric: cost, max: 5}]\nparameters: {x: {min: 0.0, max: 1.0}}\n"

#define PATIENT                                                                                    \
    "assay: 1\nname: patient\nobjective: {metric: loss, goal: minimize}\n"                         \
    "constraints: [{metric: cost, max: 5}]\nparameters: {x: {min: 0.0, max: 1.0}}\n"

/* A report of all that is not NaN. */
static void report(struct world *w, struct lease *l, uint64_t step, double loss, double right,
                   double cost)
{
    const struct asy_metric all[] = { { "loss", loss }, { "right", right }, { "cost", cost } };
    struct asy_event ev = { .kind = ASY_EV_REPORT };
    struct asy_metric given[3];
    size_t n = 0;

    for (size_t i = 0; i < 3; i++)
        if (!isnan(all[i].value))
            given[n++] = all[i];
    ev.report.step = step;
    ev.report.metrics = given;
    ev.report.n_metrics = n;
    world_send(w, l, ++l->reported, &ev);
}

static void all_values_are_told_and_stored(void)
{
    static const struct {
        const char *name;
        double cost;
        const char *outcome, *text;
        double violation;
    } cases[] = {
        { "within", 4, "{\"values\":[0.25,2],\"violation\":0}", "", 0 },
        { "above", 7, "{\"values\":[0.25,2],\"violation\":2}",
          "outside the constraints: cost is 7, above 5", 2 },
        { "below", 0.5, "{\"values\":[0.25,2],\"violation\":0.5}",
          "outside the constraints: cost is 0.5, below 1", 0.5 },
        { "unknown", NAN, "{\"values\":[0.25,2],\"violation\":null}",
          "outside the constraints: no value for 'cost' was reported", INFINITY },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        const struct asy_event *ev;
        struct world w;
        struct asy_id a;

        if (begin(&w, 1)) {
            a = submit(&w, 1, TWO RUN(4, false) "budget: {trials: 2}\n");
            world_started(&w, &w.leases[0]);
            report(&w, &w.leases[0], 1, 0.25, 9, NAN);
            report(&w, &w.leases[0], 2, 0.5, 2, NAN); /* the best loss, the last of right */
            if (!isnan(cases[i].cost)) {
                report(&w, &w.leases[0], 3, NAN, NAN, 99); /* the last of cost */
                report(&w, &w.leases[0], 4, NAN, NAN, cases[i].cost);
            }
            world_end(&w, &w.leases[0], ASY_END_COMPLETE, 4);
            ev = trial_event(&w, a, 0);
            T_EQ(cases[i].name, ev->trial_state.state, ASY_TRIAL_COMPLETE);
            T_NEAR(cases[i].name, ev->trial_state.value, 0.25, 0);
            T_STR(cases[i].name, ev->trial_state.outcome, cases[i].outcome);
            T_STR(cases[i].name, ev->trial_state.text, cases[i].text);
            T_TRUE(w.tells[w.n_tells - 1].violation == cases[i].violation);
            T_NEAR(cases[i].name, w.tell_values[w.n_tells - 1], 0.25, 0);
            T_TRUE(world_restart(&w)); /* the same from the events */
        }
        world_close(&w);
    }
}

/* The second objective is missing: no matter how good the first is. */
static void each_objective_needs_a_value(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1, TWO RUN(4, false) "retries: 0\nbudget: {trials: 1}\n");
        world_started(&w, &w.leases[0]);
        report(&w, &w.leases[0], 1, 0.25, NAN, 3);
        world_end(&w, &w.leases[0], ASY_END_COMPLETE, 1);
        T_EQ("failed", trial_event(&w, a, 0)->trial_state.state, ASY_TRIAL_FAILED);
        T_HAS("says which", trial_event(&w, a, 0)->trial_state.text, "no value for 'right'");
        T_STR("no outcome", trial_event(&w, a, 0)->trial_state.outcome, "");
    }
    world_close(&w);
}

/* Outside of the constraints the target is not reached, neither on the way nor at the end. */
static void a_target_is_reached_within_the_constraints(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1, BOUNDED RUN(4, false) "budget: {trials: 3}\n");
        world_started(&w, &w.leases[0]);
        report(&w, &w.leases[0], 1, 0.1, NAN, 9);
        world_end(&w, &w.leases[0], ASY_END_COMPLETE, 1);
        T_EQ("goes on", w.n_leases, 2);
        T_STR("outcome", trial_event(&w, a, 0)->trial_state.outcome,
              "{\"values\":[0.1],\"violation\":4}");
        world_started(&w, &w.leases[1]);
        report(&w, &w.leases[1], 1, 0.4, NAN, 2);
        world_end(&w, &w.leases[1], ASY_END_STOPPED, 1);
        T_EQ("over", study_state(&w, a), ASY_STUDY_FINISHED);
        T_EQ("by its target", world_last(&w, a, -1, ASY_EV_STUDY_STATE)->study_state.cause,
             ASY_CAUSE_TARGET);
    }
    world_close(&w);
}

/* What is outside of the constraints is no better value; the first value is none either. */
static void patience_counts_from_the_last_better_value(void)
{
    static const double losses[] = { 5, 7, 4, 0.1, 4 }, costs[] = { 2, 2, 2, 9, 2 };
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1, PATIENT RUN(4, false) "budget: {trials: 9, patience: 2}\n");
        for (size_t i = 0; i < ASY_ARRAY_LEN(losses); i++) {
            T_EQ("goes on", w.n_leases, i + 1);
            T_EQ("runs", study_state(&w, a), ASY_STUDY_RUNNING);
            world_started(&w, &w.leases[i]);
            report(&w, &w.leases[i], 1, losses[i], NAN, costs[i]);
            world_end(&w, &w.leases[i], ASY_END_COMPLETE, 1);
        }
        T_EQ("over", study_state(&w, a), ASY_STUDY_FINISHED);
        T_EQ("why", world_last(&w, a, -1, ASY_EV_STUDY_STATE)->study_state.cause,
             ASY_CAUSE_STAGNATION);
        T_HAS("says", world_last(&w, a, -1, ASY_EV_STUDY_STATE)->study_state.text,
              "last 2 complete trials brought nothing better than 4");
    }
    world_close(&w);
}

/* While a study is paused, its trials come to their ends: one that is too bad too often does not
 * end it if a better one follows before it goes on. */
static void a_better_value_takes_stagnation_back(void)
{
    static const struct {
        const char *name;
        double last;
        enum asy_study_state want;
    } cases[] = {
        { "a better one follows", 4, ASY_STUDY_RUNNING },
        { "none does", 6, ASY_STUDY_FINISHED },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        const double losses[] = { 5, 7, cases[i].last };
        struct world w;
        struct asy_id a;

        if (begin(&w, 3)) {
            a = submit(&w, 1, PATIENT RUN(4, false) "budget: {trials: 9, patience: 1}\n");
            for (size_t k = 0; k < ASY_ARRAY_LEN(losses); k++)
                world_started(&w, &w.leases[k]);
            world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_PAUSE, "patient", 0);
            for (size_t k = 0; k < ASY_ARRAY_LEN(losses); k++) {
                report(&w, &w.leases[k], 1, losses[k], NAN, 2);
                world_end(&w, &w.leases[k], ASY_END_COMPLETE, 1);
            }
            T_EQ(cases[i].name, study_state(&w, a), ASY_STUDY_PAUSED);
            world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_RESUME, "patient", 0);
            T_EQ(cases[i].name, study_state(&w, a), cases[i].want);
            T_TRUE(world_restart(&w));
        }
        world_close(&w);
    }
}

/* In a deterministic study what is enough stays so, whatever follows and whatever else of the study
 * changes meanwhile: its table may not depend on when somebody says that. */
static void another_priority_takes_no_stagnation_back(void)
{
    static const double losses[] = { 5, 7, 4, 3, 2, 1, 0, -1, -2 };
    uint64_t n[2] = { 0 };

    for (int changes = 0; changes < 2; changes++) {
        struct world w;
        struct asy_id a;

        if (begin(&w, 3)) {
            a = submit(&w, 1, PATIENT RUN(4, false) "search: {sampler: random, deterministic: "
                       "true, lag: 3}\nbudget: {trials: 9, patience: 1}\n");
            for (size_t k = 0; k < w.n_leases && k < ASY_ARRAY_LEN(losses); k++) {
                world_started(&w, &w.leases[k]);
                report(&w, &w.leases[k], 1, losses[k], NAN, 2);
                world_end(&w, &w.leases[k], ASY_END_COMPLETE, 1);
                if (changes)
                    world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_PRIORITY, "patient",
                                  (int)k + 1);
            }
            T_EQ("it ends", study_state(&w, a), ASY_STUDY_FINISHED);
            n[changes] = world_count(&w, ASY_EV_TRIAL_CREATED);
        }
        world_close(&w);
    }
    T_TRUE(n[0] < ASY_ARRAY_LEN(losses));
    T_EQ("as many trials", n[1], n[0]);
}

/* A bound on the regret ends a study at once; a deterministic one lets what runs come to its end.
 * The event tells a restarted coordinator, which is told of no bound. */
static void a_small_regret_ends_a_study(void)
{
    static const struct {
        const char *name, *search;
        double regret;
        enum asy_study_state want;
        size_t leases;
    } cases[] = {
        { "large", "", 0.7, ASY_STUDY_RUNNING, 3 },
        { "small", "", 0.5, ASY_STUDY_STOPPING, 2 },
        { "small, deterministic", "search: {deterministic: true, lag: 2}\n", 0.5,
          ASY_STUDY_RUNNING, 2 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct world w;
        struct asy_id a;
        char text[600];

        snprintf(text, sizeof text, "assay: 1\nname: near\nobjective: {metric: loss, goal: "
                 "minimize}\nparameters: {x: {min: 0.0, max: 1.0}}\n" RUN(4, false)
                 "budget: {trials: 9, regret: 0.5}\n%s", cases[i].search);
        if (begin(&w, 2)) {
            w.needs_history = 1;
            a = submit(&w, 1, text);
            w.regret = cases[i].regret;
            w.regret_n = 20;
            world_started(&w, &w.leases[0]);
            world_started(&w, &w.leases[1]);
            world_complete(&w, &w.leases[0], 4, 3);
            T_EQ(cases[i].name, study_state(&w, a), cases[i].want);
            T_EQ(cases[i].name, w.n_leases, cases[i].leases);
            w.regret_n = 0;
            T_TRUE(world_restart(&w));
            T_EQ(cases[i].name, w.n_leases, cases[i].leases);
        }
        world_close(&w);
    }
}

#define NEAR(budget)                                                                               \
    "assay: 1\nname: near\nobjective: {metric: loss, goal: minimize}\nparameters: {x: {min: "      \
    "0.0, max: 1.0}}\n" RUN(4, false) "budget: {trials: 9" budget "}\n"

/* A bound that comes while the study is paused is why it ends once it goes on, unless it goes on by
 * another budget: that one is judged by itself. */
static void a_budget_that_changes_is_judged_anew(void)
{
    static const struct {
        const char *name, *before, *after; /* after NULL: it goes on as it is */
        enum asy_study_state want;
    } cases[] = {
        { "the same regret", NEAR(", regret: 0.5"), NULL, ASY_STUDY_FINISHED },
        { "the same file", NEAR(", regret: 0.5"), NEAR(", regret: 0.5"), ASY_STUDY_FINISHED },
        { "a smaller regret", NEAR(", regret: 0.5"), NEAR(", regret: 0.1"), ASY_STUDY_RUNNING },
        { "none", NEAR(", regret: 0.5"), NEAR(""), ASY_STUDY_RUNNING },
        { "a smaller one that is reached", NEAR(", regret: 0.5"), NEAR(", regret: 0.35"),
          ASY_STUDY_FINISHED },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct world w;
        struct asy_id a;

        if (begin(&w, 1)) {
            w.auto_ask = 0;
            w.needs_history = 1;
            a = submit(&w, 1, cases[i].before);
            world_asked(&w, a, 0, 0.5, 0);
            world_complete(&w, &w.leases[0], 4, 3);
            T_EQ(cases[i].name, w.n_asks, 2);
            world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_PAUSE, "near", 0);
            w.regret = 0.3;
            w.regret_n = 20;
            world_asked(&w, a, 1, 0.5, 0);
            T_EQ(cases[i].name, study_state(&w, a), ASY_STUDY_PAUSED);
            if (cases[i].after)
                world_submit(&w, CLIENT_PEER, OWNER, 2, cases[i].after, 1);
            else
                world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_RESUME, "near", 0);
            T_EQ(cases[i].name, w.reply_code, 0);
            if (w.n_asks > 2)
                world_asked(&w, a, 1, 0.5, 0);
            T_EQ(cases[i].name, study_state(&w, a), cases[i].want);
            T_EQ(cases[i].name, w.n_leases, cases[i].want == ASY_STUDY_RUNNING ? 2 : 1);
            if (cases[i].want == ASY_STUDY_FINISHED)
                T_HAS(cases[i].name,
                      world_last(&w, a, -1, ASY_EV_STUDY_STATE)->study_state.text,
                      "by a model of 20 trials no point is better");
            T_TRUE(world_restart(&w));
        }
        world_close(&w);
    }
}

static void another_patience_judges_stagnation_anew(void)
{
    static const struct {
        const char *name, *before, *after;
        enum asy_study_state want;
    } cases[] = {
        { "the same", NEAR(", patience: 1"), NEAR(", patience: 1"), ASY_STUDY_FINISHED },
        { "more", NEAR(", patience: 1"), NEAR(", patience: 2"), ASY_STUDY_RUNNING },
        { "without end", NEAR(", patience: 1"), NEAR(""), ASY_STUDY_RUNNING },
        { "less", NEAR(", patience: 2"), NEAR(", patience: 1"), ASY_STUDY_FINISHED },
        { "for the first time", NEAR(""), NEAR(", patience: 1"), ASY_STUDY_FINISHED },
        { "not so much less", NEAR(", patience: 4"), NEAR(", patience: 2"), ASY_STUDY_RUNNING },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct world w;
        struct asy_id a;

        if (begin(&w, 2)) {
            a = submit(&w, 1, cases[i].before);
            world_started(&w, &w.leases[0]);
            world_started(&w, &w.leases[1]);
            world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_PAUSE, "near", 0);
            for (size_t k = 0; k < 2; k++) {
                report(&w, &w.leases[k], 1, (double)k, NAN, NAN);
                world_end(&w, &w.leases[k], ASY_END_COMPLETE, 1);
            }
            T_EQ(cases[i].name, study_state(&w, a), ASY_STUDY_PAUSED);
            world_submit(&w, CLIENT_PEER, OWNER, 2, cases[i].after, 1);
            T_EQ(cases[i].name, study_state(&w, a), cases[i].want);
            T_TRUE(world_restart(&w));
        }
        world_close(&w);
    }
}

/* Who bounds the regret has to know of all trials. The sampler beside it is made anew as after a
 * restart, once its answer to the last ask is there. */
static void a_regret_that_is_added_is_looked_at(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        w.auto_ask = 0;
        w.needs_history = 1;
        a = submit(&w, 1, NEAR(""));
        world_asked(&w, a, 0, 0.5, 0);
        world_complete(&w, &w.leases[0], 4, 3);
        world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_PAUSE, "near", 0);
        T_EQ("made", w.n_samplers, 1);
        T_EQ("told", w.n_tells, 1);
        world_submit(&w, CLIENT_PEER, OWNER, 2, NEAR(", regret: 0.5"), 1);
        T_EQ("not while it is asked", w.n_samplers, 1);
        world_asked(&w, a, 1, 0.25, 0);
        T_EQ("made anew", w.n_samplers, 2);
        T_EQ("of both", w.n_tells, 3);
        T_EQ("the first", w.tells[1].state, ASY_OUTCOME_COMPLETE);
        T_NEAR("its value", w.tell_values[1], 3, 0);
        T_EQ("the second", w.tells[2].state, ASY_OUTCOME_RUNNING);
        world_complete(&w, &w.leases[1], 4, 3);
        world_submit(&w, CLIENT_PEER, OWNER, 3, NEAR(", regret: 0.4"), 1);
        T_EQ("and only then", w.n_samplers, 2);
        w.regret = 0.3;
        w.regret_n = 20;
        world_asked(&w, a, 2, 0.75, 0);
        T_EQ("ends", study_state(&w, a), ASY_STUDY_FINISHED);
    }
    world_close(&w);
}

/* Deterministic studies feed the pruner from the history: a report of the constraint's metric alone
 * has no loss to judge, not a bad one. */
static void reports_of_other_metrics_are_not_judged(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1, "assay: 1\nname: d\nobjective: {metric: loss, goal: minimize}\n"
                          "constraints: [{metric: cost, max: 5}]\n"
                          "parameters: {x: {min: 0.0, max: 1.0}}\n" RUN(4, true)
                          "search: {sampler: random, pruner: {name: asha, min: 1, "
                          "reduction: 2, rule: 1}, "
                          "deterministic: true, lag: 1}\nbudget: {trials: 2}\n");
        for (size_t i = 0; i < 2; i++) {
            struct lease *l = &w.leases[i];

            world_started(&w, l);
            report(&w, l, 1, NAN, NAN, 2);
            report(&w, l, 1, i == 0 ? 0.1 : 0.9, NAN, NAN);
            report(&w, l, 1, NAN, NAN, 3);
            world_checkpoint(&w, l, 1);
            world_end(&w, l, ASY_END_PAUSED, 1);
        }
        T_EQ("the better one is promoted", w.leases[2].trial, 0);
        T_EQ("to the next rung", w.leases[2].milestone, 2);
    }
    (void)a;
    world_close(&w);
}

#define MOASHA(min, more)                                                                          \
    TWO RUN(4, true) "search: {sampler: random, pruner: {name: moasha, min: " #min                 \
                     ", reduction: 2}" more "}\nbudget: {trials: 2}\n"

static void pause(struct world *w, struct lease *l)
{
    world_checkpoint(w, l, l->milestone);
    world_end(w, l, ASY_END_PAUSED, l->milestone);
}

/* Whichever report of a step brings the last of them. */
static void moasha_promotes_by_all_objectives(void)
{
    static const struct {
        const char *name, *study;
        int loss_first;
    } cases[] = {
        { "the first objective comes last", MOASHA(1, ""), 0 },
        { "the first objective comes first", MOASHA(1, ""), 1 },
        { "deterministic, last", MOASHA(1, ", deterministic: true, lag: 1"), 0 },
        { "deterministic, first", MOASHA(1, ", deterministic: true, lag: 1"), 1 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct world w;

        if (begin(&w, 1)) {
            submit(&w, 1, cases[i].study);
            for (size_t k = 0; k < 2; k++) {
                struct lease *l = &w.leases[k];

                world_started(&w, l);
                T_EQ(cases[i].name, l->milestone, 1);
                if (cases[i].loss_first)
                    report(&w, l, 1, 0.5, NAN, 2);
                report(&w, l, 1, NAN, k == 0 ? 1 : 2, NAN); /* right: more is better */
                if (!cases[i].loss_first)
                    report(&w, l, 1, 0.5, NAN, 2);
                pause(&w, l);
            }
            T_EQ(cases[i].name, w.n_leases, 3);
            T_EQ(cases[i].name, w.leases[2].trial, 1);
            T_EQ(cases[i].name, w.leases[2].milestone, 2);
            T_TRUE(world_restart(&w));
        }
        world_close(&w);
    }
}

/* At the second rung an objective is left out: its last number from before counts, and the trial
 * stands there, ahead of the one that waits at the first. */
static void moasha_takes_an_objective_that_is_left_out_from_before(void)
{
    static const struct {
        const char *name, *study;
        uint32_t kept; /* checkpoints */
    } cases[] = {
        { "as they come", MOASHA(1, ""), 2 },
        { "behind the only checkpoint", MOASHA(1, ""), 1 },
        { "deterministic", MOASHA(1, ", deterministic: true, lag: 1"), 2 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct world w;
        int open = world_open(&w);

        w.config.checkpoints_kept = cases[i].kept;
        if (open && world_start(&w)) {
            world_client(&w, CLIENT_PEER, OWNER);
            world_agent(&w, &(struct agent){ .peer = 2, .cores = 1 });
            submit(&w, 1, cases[i].study);
            for (size_t k = 0; k < 3; k++) {
                struct lease *l = &w.leases[k];

                world_started(&w, l);
                report(&w, l, l->milestone, 0.5, k == 0 ? 1 : k == 1 ? 2 : NAN, 2);
                pause(&w, l);
            }
            T_EQ(cases[i].name, w.leases[2].trial, 1);
            T_EQ(cases[i].name, w.n_leases, 4);
            T_EQ(cases[i].name, w.leases[3].trial, 1);
            T_EQ(cases[i].name, w.leases[3].milestone, 4);
            T_TRUE(world_restart(&w));
        }
        world_close(&w);
    }
}

/* A value of the step that is no number is not replaced by one from before. */
static void moasha_promotes_none_whose_objective_is_no_number(void)
{
    struct asy_metric nan = { "loss", NAN };
    struct world w;

    if (begin(&w, 1)) {
        submit(&w, 1, MOASHA(2, ""));
        for (size_t k = 0; k < 2; k++) {
            struct asy_event ev = { .kind = ASY_EV_REPORT };
            struct lease *l = &w.leases[k];

            world_started(&w, l);
            report(&w, l, 1, k == 0 ? 0.5 : 0.1, NAN, 2);
            ev.report.step = 2;
            ev.report.metrics = &nan;
            ev.report.n_metrics = 1;
            if (k == 1)
                world_send(&w, l, ++l->reported, &ev);
            report(&w, l, 2, k == 0 ? 0.5 : NAN, 2, NAN);
            pause(&w, l);
        }
        T_EQ("one goes on", w.n_leases, 3);
        T_EQ("the one with numbers", w.leases[2].trial, 0);
    }
    world_close(&w);
}

/* Over all that was reported, before the checkpoint that an attempt goes on from, too; what it
 * reported beyond that counts once. */
static void a_mean_is_of_all_reports(void)
{
    static const char study[] = "assay: 1\nname: m\n"
                                "objective: {metric: loss, goal: minimize, take: mean}\n"
                                "parameters: {x: {min: 0.0, max: 1.0}}\n" RUN(4, true)
                                "retries: 1\nbudget: {trials: 1}\n";
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1, study);
        world_started(&w, &w.leases[0]);
        report(&w, &w.leases[0], 1, 0.125, NAN, NAN);
        report(&w, &w.leases[0], 2, 0.25, NAN, NAN);
        world_checkpoint(&w, &w.leases[0], 2);
        report(&w, &w.leases[0], 3, 99, NAN, NAN);
        world_end(&w, &w.leases[0], ASY_END_PREEMPTED, 3);
        if (T_EQ("leased again", w.n_leases, 2)) {
            world_started(&w, &w.leases[1]);
            report(&w, &w.leases[1], 3, 0.5, NAN, NAN);
            report(&w, &w.leases[1], 4, 0.625, NAN, NAN);
            world_end(&w, &w.leases[1], ASY_END_COMPLETE, 4);
        }
        T_EQ("complete", trial_event(&w, a, 0)->trial_state.state, ASY_TRIAL_COMPLETE);
        T_NEAR("mean", trial_event(&w, a, 0)->trial_state.value, 0.375, 0); /* exact in binary */
        T_TRUE(world_restart(&w));
    }
    world_close(&w);
}

/* Whatever their number: what the history cannot hold is folded, not lost, and with a checkpoint
 * the reports beyond it still count once. */
static void thousands_of_reports_all_count(void)
{
    enum { REPORTS = 9000, SAVED = 10, AGAIN = 20 };
    static const struct {
        const char *name, *take;
        int checkpoints;
        double want;
    } cases[] = {
        { "mean", "mean", 0, (REPORTS + 1) / 2.0 },
        { "best", "best", 0, 1 },
        { "last", "last", 0, REPORTS },
        { "mean after a checkpoint", "mean", 1, (AGAIN + 1) / 2.0 },
        { "best after a checkpoint", "best", 1, 1 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        uint64_t end = REPORTS;
        char study[400];
        struct world w;
        struct asy_id a;

        snprintf(study, sizeof study,
                 "assay: 1\nname: m\nobjective: {metric: loss, goal: minimize, take: %s}\n"
                 "parameters: {x: {min: 0.0, max: 1.0}}\nrun: {command: [run], length: {unit: "
                 "steps, max: 9000}, checkpoint: %s}\nretries: 1\nbudget: {trials: 1}\n",
                 cases[i].take, cases[i].checkpoints ? "true" : "false");
        if (begin(&w, 1)) {
            struct lease *l = &w.leases[0];

            a = submit(&w, 1, study);
            world_started(&w, l);
            for (uint64_t step = 1; step <= REPORTS; step++) {
                report(&w, l, step, (double)step, NAN, NAN);
                if (cases[i].checkpoints && step == SAVED)
                    world_checkpoint(&w, l, step);
            }
            if (cases[i].checkpoints) {
                world_end(&w, l++, ASY_END_PREEMPTED, REPORTS);
                world_started(&w, l);
                for (uint64_t step = SAVED + 1; step <= AGAIN; step++)
                    report(&w, l, step, (double)step, NAN, NAN);
                end = AGAIN;
            }
            world_end(&w, l, ASY_END_COMPLETE, end);
            T_EQ(cases[i].name, trial_event(&w, a, 0)->trial_state.state, ASY_TRIAL_COMPLETE);
            T_NEAR(cases[i].name, trial_event(&w, a, 0)->trial_state.value, cases[i].want, 0);
            T_TRUE(world_restart(&w));
        }
        world_close(&w);
    }
}

/* An instance that has no number spoils the mean: to leave it out would reward who fails on it. */
static void a_nan_leaves_no_mean(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        struct asy_metric nan = { "loss", NAN };
        struct asy_event ev = { .kind = ASY_EV_REPORT };

        a = submit(&w, 1, "assay: 1\nname: m\nobjective: {metric: loss, goal: minimize, take: mean}"
                          "\nparameters: {x: {min: 0.0, max: 1.0}}\n" RUN(4, false)
                          "retries: 0\nbudget: {trials: 1}\n");
        world_started(&w, &w.leases[0]);
        report(&w, &w.leases[0], 1, 0.125, NAN, NAN);
        ev.report.step = 2;
        ev.report.metrics = &nan;
        ev.report.n_metrics = 1;
        world_send(&w, &w.leases[0], ++w.leases[0].reported, &ev);
        world_end(&w, &w.leases[0], ASY_END_COMPLETE, 2);
        T_EQ("failed", trial_event(&w, a, 0)->trial_state.state, ASY_TRIAL_FAILED);
        T_HAS("why", trial_event(&w, a, 0)->trial_state.text, "nan was among its values");
    }
    world_close(&w);
}

T_MAIN("goals", T_TEST(moasha_promotes_by_all_objectives),
       T_TEST(moasha_takes_an_objective_that_is_left_out_from_before),
       T_TEST(moasha_promotes_none_whose_objective_is_no_number), T_TEST(a_mean_is_of_all_reports),
       T_TEST(thousands_of_reports_all_count), T_TEST(a_nan_leaves_no_mean),
       T_TEST(all_values_are_told_and_stored), T_TEST(each_objective_needs_a_value),
       T_TEST(a_target_is_reached_within_the_constraints),
       T_TEST(patience_counts_from_the_last_better_value),
       T_TEST(a_better_value_takes_stagnation_back),
       T_TEST(a_small_regret_ends_a_study), T_TEST(a_budget_that_changes_is_judged_anew),
       T_TEST(another_patience_judges_stagnation_anew),
       T_TEST(another_priority_takes_no_stagnation_back),
       T_TEST(a_regret_that_is_added_is_looked_at),
       T_TEST(reports_of_other_metrics_are_not_judged))
