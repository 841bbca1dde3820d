/* SPDX-License-Identifier: Apache-2.0
 * test_replay.c - a log that follows is proven, each thing that was changed in one is named, and
 * nothing is left without memory. The log is made with the sampler itself: two trials at first, of
 * which one is cancelled, then two of one model, then one that knows the cancelled one. */
#include <asy/rng.h>
#include <string.h>
#include "nomem.h"
#include "replay.h"
#include "search.h"

#define TRIALS 5
#define EVENTS 8

static const char spec_text[] =
    "assay: 1\nname: s\n"
    "run: {command: ['true'], metrics: {pattern: '(?<loss>.)'}, length: {max: 9}}\n"
    "objective: {metric: loss, goal: minimize}\n"
    "parameters: {x: {min: 0.0, max: 1.0}, o: {values: [a, b, c]}}\n"
    "search: {sampler: {name: tpe, startup_trials: 2}, pruner: asha, seed: 3,\n"
    "  enqueue: [{x: 0.5}],\n"
    "  tell: [{point: {x: 0.2, o: a}, value: 1}, {point: {x: 0.9, o: b}, value: 2}]}\n"
    "budget: {trials: 10}\n";

static const char population_text[] =
    "assay: 1\nname: s\n"
    "run: {command: ['true'], metrics: {pattern: '(?<loss>.)'}, length: {max: 9}, "
    "checkpoint: true}\n"
    "objective: {metric: loss, goal: minimize}\n"
    "parameters: {x: {min: 0.0, max: 1.0}, y: {min: 0.0, max: 1.0}}\n"
    "search: {sampler: {name: pbt, population: 2}, seed: 3}\n";

struct log {
    struct asy_study_spec *spec;
    struct asy_sampler *sampler;
    struct asy_event events[EVENTS];
    double x[TRIALS][2];
    size_t n;
};

static struct asy_event *add(struct log *log, enum asy_event_kind kind, uint64_t trial)
{
    struct asy_event *ev = &log->events[log->n++];

    *ev = (struct asy_event){ .seq = 10 * log->n, .study = asy_id_from(1, 1), .trial = trial,
                              .kind = kind };
    return ev;
}

static void add_trial(struct log *log, uint64_t trial, uint64_t knew, uint64_t with)
{
    struct asy_event *ev = add(log, ASY_EV_TRIAL_CREATED, trial);
    struct asy_rng rng;

    asy_rng_init(&rng, log->spec->seed, trial, ASY_RNG_INIT);
    ev->trial_created.id = asy_id_from(2, trial);
    ev->trial_created.x = log->x[trial];
    ev->trial_created.n_x = 2;
    ev->trial_created.seed = asy_rng_u64(&rng) >> 11;
    ev->trial_created.source = trial ? "tpe" : "enqueued";
    ev->trial_created.knew = knew;
    ev->trial_created.with = with;
}

static int ask(struct log *log, uint64_t trial)
{
    return asy_sampler_ask(log->sampler, trial, trial ? NULL : log->spec->enqueue, log->x[trial],
                           NULL);
}

/* As a coordinator would have written it. */
static bool make(struct log *log)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_outcome cancelled = { .number = 1, .state = ASY_OUTCOME_FAILED, .last_step = -1,
                                     .x = log->x[1] };
    struct asy_event *ev;

    *log = (struct log){ 0 };
    if (!T_OK(asy_study_parse(spec_text, sizeof spec_text - 1, "s", "/d", &log->spec, NULL, &err),
              &err) ||
        !T_OK(asy__search_sampler(log->spec, 10, &log->sampler, &err), &err) ||
        !T_OK(ask(log, 0), &err) || !T_OK(ask(log, 1), &err) ||
        !T_OK(asy_sampler_ask_many(log->sampler, 2, 2, log->x[2], &err), &err) ||
        !T_OK(asy_sampler_tell(log->sampler, &cancelled, &err), &err) ||
        !T_OK(ask(log, 4), &err))
        return false;
    ev = add(log, ASY_EV_STUDY_CREATED, UINT64_MAX);
    ev->study_created.name = "s";
    ev->study_created.spec = log->spec->canonical;
    add_trial(log, 0, 10, 0);
    add_trial(log, 1, 10, 0);
    ev = add(log, ASY_EV_TRIAL_STATE, 1);
    ev->trial_state.state = ASY_TRIAL_CANCELLED;
    ev->trial_state.cause = ASY_CAUSE_USER;
    ev->trial_state.value = (double)NAN;
    add_trial(log, 2, 30, 0);
    add_trial(log, 3, 30, 1);
    add_trial(log, 4, 60, 0);
    ev = add(log, ASY_EV_STUDY_STATE, UINT64_MAX);
    ev->study_state.state = ASY_STUDY_STOPPED;
    return true;
}

static void unmake(struct log *log)
{
    asy_sampler_destroy(log->sampler);
    asy_study_destroy(log->spec);
}

static int replay(const struct log *log, struct asy__replay_result *ret, struct asy_error *err)
{
    struct asy__replay *replay = NULL;
    int rc = asy__replay_create(&replay, err);

    for (size_t i = 0; rc == 0 && i < log->n; i++)
        rc = asy__replay_event(replay, &log->events[i], err);
    if (rc == 0)
        rc = asy__replay_end(replay, err);
    if (replay)
        *ret = *asy__replay_result(replay);
    asy__replay_destroy(replay);
    return rc;
}

static void what_follows_is_proven(void)
{
    struct asy__replay_result r = { 0 };
    struct asy_error err = ASY_ERROR_INIT;
    struct log log;

    if (make(&log) && T_EQ("rc", replay(&log, &r, &err), 0)) {
        T_EQ("suggested", r.suggested, TRIALS);
        T_EQ("enqueued", r.enqueued, 1);
        T_EQ("unproven", r.unproven, 0);
        T_EQ("outcomes", r.outcomes, 1);
        T_EQ("differs", r.differs, 0);
    }
    unmake(&log);
}

static void point(struct log *log) { log->x[2][0] += 1e-9; }
static void choice(struct log *log) { log->x[4][1] = log->x[4][1] > 0 ? 0 : 1; }
static void drawn_alone(struct log *log) { log->events[5].trial_created.with = 0; }
static void with_others(struct log *log) { log->events[4].trial_created.with = 3; }
static void known_less(struct log *log) { log->events[6].trial_created.knew = 20; }
static void known_too_soon(struct log *log) { log->events[6].trial_created.knew = 70; }
static void source(struct log *log) { log->events[2].trial_created.source = "gp"; }
static void seed(struct log *log) { log->events[2].trial_created.seed++; }
static void left_out(struct log *log) { log->events[2] = log->events[1]; }
static void headless(struct log *log) { log->events[0].kind = ASY_EV_TAG; }
static void twice(struct log *log) { log->events[1] = log->events[0]; }
static void promoted(struct log *log)
{
    log->events[3].trial_state.state = ASY_TRIAL_PAUSED;
    log->events[3].trial_state.cause = ASY_CAUSE_RUNG;
}
static void stopped(struct log *log)
{
    log->events[3].trial_state.state = ASY_TRIAL_PRUNED;
    log->events[3].trial_state.cause = ASY_CAUSE_PRUNED;
}

static void what_was_changed_is_named(void)
{
    static const struct {
        const char *name;
        void (*change)(struct log *log);
        const char *text;
    } cases[] = {
        { "a point", point, "trial 2 has x 0." },
        { "a choice", choice, "trial 4 has o " },
        { "a group", drawn_alone, "trial 3 has " },
        { "a group without its first", with_others, "a trial came from one model with others" },
        { "known before", known_less, "trial 4 has a sampler on record that knew event 20, but" },
        { "known before it was", known_too_soon, "trial 4 has a sampler on record that knew" },
        { "who drew it", source, "trial 1 is from 'gp' on record, but 'tpe' draws it" },
        { "its seed", seed, "trial 1 has another seed than the study gives it" },
        { "a trial that is left out", left_out, "trial 0 is not the next one" },
        { "the beginning", headless, "the study's first event is missing" },
        { "two beginnings", twice, "the study was made twice" },
        { "a pause", promoted, "trial 1 waits at a rung on record, but from the log follows" },
        { "a stop", stopped, "trial 1 was stopped by the pruner on record, but from the log" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__replay_result r = { 0 };
        struct asy_error err = ASY_ERROR_INIT;
        struct log log;

        if (make(&log)) {
            cases[i].change(&log);
            T_EQ(cases[i].name, replay(&log, &r, &err), 1);
            T_EQ(cases[i].name, strncmp(r.text, cases[i].text, strlen(cases[i].text)), 0);
            if (strncmp(r.text, cases[i].text, strlen(cases[i].text)) != 0)
                fprintf(stderr, "%s: %s\n", cases[i].name, r.text);
        }
        unmake(&log);
    }
}

/* Whose turn it is and whose checkpoint it starts from counts like its point. */
static void members_and_parents_are_compared(void)
{
    static const struct {
        const char *name;
        uint64_t member, parent;
        const char *text; /* NULL: it follows */
    } cases[] = {
        { "as it was", 2, 0, NULL },
        { "another member", 1, 0, "trial 1 is member 1's first on record, but its sampler makes it "
                                  "member 2's first" },
        { "another parent", 2, 1, "trial 1 is member 2's from trial 0 on record, but its sampler "
                                  "makes it member 2's first" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__replay_result r = { 0 };
        struct asy_error err = ASY_ERROR_INIT;
        struct log log = { 0 };

        if (T_OK(asy_study_parse(population_text, sizeof population_text - 1, "s", "/d", &log.spec,
                                 NULL, &err), &err) &&
            T_OK(asy__search_sampler(log.spec, 10, &log.sampler, &err), &err) &&
            T_OK(asy_sampler_ask(log.sampler, 0, NULL, log.x[0], &err), &err) &&
            T_OK(asy_sampler_ask(log.sampler, 1, NULL, log.x[1], &err), &err)) {
            struct asy_event *ev = add(&log, ASY_EV_STUDY_CREATED, UINT64_MAX);

            ev->study_created.name = "s";
            ev->study_created.spec = log.spec->canonical;
            for (uint64_t trial = 0; trial < 2; trial++) {
                add_trial(&log, trial, 10, 0);
                log.events[1 + trial].trial_created.source = "pbt";
                log.events[1 + trial].trial_created.member = trial ? cases[i].member : 1;
                log.events[1 + trial].trial_created.parent = trial ? cases[i].parent : 0;
            }
            T_EQ(cases[i].name, replay(&log, &r, &err), cases[i].text != NULL);
            T_STR(cases[i].name, r.text, cases[i].text ? cases[i].text : "");
        }
        unmake(&log);
    }
}

/* Those of an older version stand in the way of none that came later. */
static void a_point_without_a_record_is_not_proven(void)
{
    struct asy__replay_result r = { 0 };
    struct asy_error err = ASY_ERROR_INIT;
    struct log log;

    if (make(&log)) {
        log.events[1].trial_created.knew = log.events[2].trial_created.knew = 0;
        T_EQ("rc", replay(&log, &r, &err), 0);
        T_EQ("unproven", r.unproven, 2);
        T_EQ("suggested", r.suggested, 3);
    }
    unmake(&log);
}

/* Whoever does without an allocation does the same without it: never a difference. */
static void memory_may_end(void)
{
    struct asy__replay_result r = { 0 };
    struct asy_error err = ASY_ERROR_INIT;
    struct log log;
    long n = 0;
    int rc, failed = make(&log);

    for (; failed; n++) {
        err = (struct asy_error)ASY_ERROR_INIT;
        t_nomem_at(n);
        rc = replay(&log, &r, &err);
        failed = t_nomem_end();
        if (!T_TRUE(rc == 0 || (failed && rc == ASY_E_NOMEM && *err.text)))
            fprintf(stderr, "allocation %ld: %d '%s' '%s'\n", n, rc, err.text, r.text);
    }
    T_TRUE(n > 100);
    unmake(&log);
}

T_MAIN("replay", T_TEST(what_follows_is_proven), T_TEST(what_was_changed_is_named),
       T_TEST(members_and_parents_are_compared),
       T_TEST(a_point_without_a_record_is_not_proven), T_TEST(memory_may_end))
