/* SPDX-License-Identifier: Apache-2.0
 * test_query.c - answers made from the store in pieces: what has ended is told with its cause,
 * lists in pages are whole and no piece is long, news of all studies are those that may be seen. */
#include "causes.h"
#include "asking.h"
#include "querykit.h"

#define STRANGER "stranger"

static const char *member(const struct answer *a, const char *key)
{
    return asy_json_str(asy_json_get(a->root, key), "(none)");
}

/* The world's events, as a store has them. */
static struct asy_store *stored(const struct world *w)
{
    static const struct asy_store_spec spec = { .path = NULL };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_store *store = NULL;
    uint64_t seq;

    if (!T_OK(asy_store_open(&spec, &store, NULL, &err), &err))
        return NULL;
    if (!T_OK(asy_store_commit(store, w->events, w->n_events, &seq, &err), &err)) {
        asy_store_close(store);
        return NULL;
    }
    return store;
}

/* ---- why ------------------------------------------------------------------------------------- */

static void check_stored(const struct world *w, size_t i)
{
    const struct asy_cause_info *info = asy_cause_info(cause_cases[i].cause);
    struct asy__question q = { .what = "explain", .study = "a", .arg = "",
                               .trial = cause_cases[i].trial, .after = -1, .limit = -1,
                               .upto = w->n_events };
    struct asy_store *store = stored(w);
    struct answer a;

    if (!store)
        return;
    if (T_TRUE(ask(store, &q, &a))) {
        T_STR(info->name, member(&a, "cause"), info->name);
        T_STR(info->name, member(&a, "rule"), info->rule);
        T_HAS(info->name, member(&a, "text"), cause_cases[i].text);
        T_TRUE(*member(&a, "remedy") && !strchr(member(&a, "remedy"), '{'));
        T_STR(info->name, member(&a, "study"), "a");
    }
    answer_fini(&a);
    asy_store_close(store);
}

static void what_has_ended_is_told_from_the_store(void)
{
    size_t n = 0;

    for (size_t i = 0; i < n_cause_cases; i++) {
        struct world w;

        if (cause_cases[i].where != EVENT || !world_open(&w))
            continue;
        if (world_start(&w)) {
            world_client(&w, CLIENT_PEER, OWNER);
            cause_cases[i].provoke(&w);
            check_stored(&w, i);
            n++;
        }
        world_close(&w);
    }
    T_TRUE(n > 20);
}

static void retry(struct world *w, const char *more)
{
    char yaml[512];

    snprintf(yaml, sizeof yaml, "%s%s%s", STUDY_HEAD("a") RUN(9, true), "budget: {trials: 1}\n",
             more);
    world_agent(w, &(struct agent){ .peer = 2, .cores = 1 });
    world_submit(w, CLIENT_PEER, OWNER, 1, yaml, 0);
    world_started(w, &w->leases[0]);
    world_report(w, &w->leases[0], 3, 0.5);
    world_end_cause(w, &w->leases[0], ASY_END_CRASHED, 3, ASY_CAUSE_OUT_OF_MEMORY);
    world_pass(w, 1000, 2, 2);
    world_started(w, &w->leases[1]);
    world_end_cause(w, &w->leases[1], ASY_END_CRASHED, 0, ASY_CAUSE_OUT_OF_MEMORY);
}

static void a_trial_has_its_attempts_in_order(void)
{
    struct asy__question q = { .what = "explain", .study = "a", .arg = "", .trial = 0, .after = -1,
                               .limit = -1 };
    struct asy_store *store = NULL;
    const struct asy_json *list;
    struct answer a = { 0 };
    struct world w;

    if (!world_open(&w) || !world_start(&w))
        goto out;
    world_client(&w, CLIENT_PEER, OWNER);
    retry(&w, "retries: 1\nresources: {memory: 64MiB}\n");
    q.upto = w.n_events;
    if (!(store = stored(&w)) || !T_TRUE(ask(store, &q, &a)))
        goto out;
    T_STR("trial", member(&a, "cause"), "retries");
    list = asy_json_get(a.root, "attempts");
    T_EQ("attempts", asy_json_len(list), 2);
    for (size_t i = 0; i < 2; i++) {
        const struct asy_json *attempt = asy_json_at(list, i);

        T_EQ("number", asy_json_i64(asy_json_get(attempt, "attempt"), 0), i + 1);
        T_STR("cause", asy_json_str(asy_json_get(attempt, "cause"), ""), "out-of-memory");
        T_EQ("limit", asy_json_i64(asy_json_get(attempt, "memory"), 0), 64 << 20);
        T_EQ("step", asy_json_i64(asy_json_get(attempt, "step"), -1), i ? 0 : 3);
    }
    list = asy_json_get(a.root, "reported");
    T_EQ("reported", asy_json_len(list), 1);
    T_STR("reported", asy_json_str(asy_json_at(list, 0), ""), "loss");
    list = asy_json_get(a.root, "history");
    T_STR("at last", asy_json_str(asy_json_get(asy_json_at(list, asy_json_len(list) - 1), "state"),
                                  ""), "failed");
    answer_fini(&a);
    q.trial = -1;
    if (!T_TRUE(ask(store, &q, &a)))
        goto out;
    list = asy_json_at(asy_json_get(a.root, "causes"), 0);
    T_EQ("group", asy_json_i64(asy_json_get(list, "trials"), 0), 1);
    T_HAS("what helps", asy_json_str(asy_json_get(asy_json_get(list, "last"), "remedy"), ""),
          "resources.memory");
out:
    answer_fini(&a);
    asy_store_close(store);
    world_close(&w);
}

/* One that never started has not said where it was: its lease knows. */
static void each_attempt_has_its_host(void)
{
    struct asy__question q = { .what = "explain", .study = "a", .arg = "", .trial = 0, .after = -1,
                               .limit = -1 };
    struct asy_store *store = NULL;
    const struct asy_json *list;
    struct answer a = { 0 };
    struct world w;

    if (!world_open(&w) || !world_start(&w))
        goto out;
    world_client(&w, CLIENT_PEER, OWNER);
    world_agent(&w, &(struct agent){ .peer = 2, .cores = 1 });
    world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY_HEAD("a") RUN(9, true) "budget: {trials: 1}\n",
                 0);
    world_end(&w, &w.leases[0], ASY_END_CRASHED, 0);
    world_pass(&w, w.config.backoff_ms, 2, 2);
    q.upto = w.n_events;
    if (!T_EQ("leased again", w.n_leases, 2) || !(store = stored(&w)) ||
        !T_TRUE(ask(store, &q, &a)))
        goto out;
    list = asy_json_get(a.root, "attempts");
    T_EQ("attempts", asy_json_len(list), 2);
    for (size_t i = 0; i < 2; i++)
        T_STR("host", asy_json_str(asy_json_get(asy_json_at(list, i), "host"), ""), "node");
out:
    answer_fini(&a);
    asy_store_close(store);
    world_close(&w);
}

/* What core knows goes before what is stored. */
static void what_lives_is_told_by_core(void)
{
    struct asy__question q = { .what = "explain", .study = "a", .arg = "", .trial = 0, .after = -1,
                               .limit = -1,
                               .live = "{\"state\": \"queued\", \"cause\": \"no-cores\"}" };
    struct asy_store *store = NULL;
    struct answer a = { 0 };
    struct world w;

    if (!world_open(&w) || !world_start(&w))
        goto out;
    world_client(&w, CLIENT_PEER, OWNER);
    world_agent(&w, &(struct agent){ .peer = 2, .cores = 1 });
    world_submit(&w, CLIENT_PEER, OWNER, 1, STUDY_HEAD("a") RUN(9, true) "budget: {trials: 1}\n",
                 0);
    q.upto = w.n_events;
    if (!(store = stored(&w)))
        goto out;
    if (T_TRUE(ask(store, &q, &a)))
        T_STR("live", member(&a, "cause"), "no-cores");
    answer_fini(&a);
    q.trial = 77; /* not stored yet */
    if (T_TRUE(ask(store, &q, &a)))
        T_STR("live alone", member(&a, "cause"), "no-cores");
    answer_fini(&a);
    q.live = NULL;
    T_TRUE(!ask(store, &q, &a));
    T_EQ("nowhere", a.rc, ASY_E_NOENT);
out:
    answer_fini(&a);
    asy_store_close(store);
    world_close(&w);
}

/* Of several on one host the one that came last; by its id each. */
static void a_worker_that_is_gone_is_told_from_the_store(void)
{
    struct asy__question q = { .what = "explain-worker", .study = "", .arg = "node", .trial = -1 };
    struct asy_store *store = NULL;
    struct answer a = { 0 };
    char id[ASY_ID_TEXT];
    struct world w;

    if (!world_open(&w) || !world_start(&w))
        goto out;
    world_agent(&w, &(struct agent){ .peer = 2, .cores = 1 });
    world_tick(&w, 10000);
    world_agent(&w, &(struct agent){ .peer = 3, .cores = 1 });
    if (!(store = stored(&w)))
        goto out;
    if (T_TRUE(ask(store, &q, &a)))
        T_STR("who is there", member(&a, "cause"), "none");
    answer_fini(&a);
    q.arg = asy_id_format(asy_id_from(102, 0), id);
    if (T_TRUE(ask(store, &q, &a))) {
        T_STR("who is gone", member(&a, "state"), "gone");
        T_STR("why", member(&a, "cause"), "lost");
        T_STR("numbers", member(&a, "text"), "silent for 10000 ms");
    }
out:
    answer_fini(&a);
    asy_store_close(store);
    world_close(&w);
}

/* ---- pages ----------------------------------------------------------------------------------- */

static void pages_make_the_whole_list(void)
{
    static const struct {
        const char *name;
        int64_t after, limit;
        size_t first, n;
    } cases[] = {
        { "all", -1, -1, 0, 600 },        { "none", -1, 0, 0, 0 },
        { "one", -1, 1, 0, 1 },           { "a page", -1, ASY__PAGE, 0, ASY__PAGE },
        { "more", -1, ASY__PAGE + 1, 0, ASY__PAGE + 1 },
        { "the rest", 399, -1, 400, 200 }, { "beyond", 599, -1, 600, 0 },
    };
    uint64_t seq;
    struct asy_store *store = store_of(OWNER, &seq);

    for (size_t i = 0; store && i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__question q = { .what = "trials", .study = "a", .arg = "", .trial = -1,
                                   .after = cases[i].after, .limit = cases[i].limit };
        const struct asy_json *list;
        struct answer a;

        if (T_TRUE(ask(store, &q, &a))) {
            list = asy_json_get(a.root, "trials");
            T_EQ(cases[i].name, asy_json_len(list), cases[i].n);
            for (size_t k = 0; k < asy_json_len(list); k++)
                T_EQ(cases[i].name, asy_json_i64(asy_json_get(asy_json_at(list, k), "number"), -1),
                     cases[i].first + k);
            T_TRUE(a.pieces > cases[i].n / ASY__PAGE);
            T_TRUE(a.longest <= ASY__PAGE * 1024);
        }
        answer_fini(&a);
    }
    asy_store_close(store);
}

static int keep_order(void *arg, const struct asy_trial_row *row)
{
    uint64_t **at = arg;

    *(*at)++ = row->number;
    return 0;
}

/* Whatever the goal, the order is the store's own. */
static void the_best_are_in_the_order_of_the_store(void)
{
    static const char *const goals[] = { "minimize", "maximize" };
    static struct asy_event events[1 + 2 * 300];
    static const struct asy_store_spec spec = { .path = NULL };

    for (size_t g = 0; g < ASY_ARRAY_LEN(goals); g++) {
        struct asy__question q = { .what = "trials", .study = "a", .arg = "best", .trial = -1,
                                   .after = -1, .limit = -1 };
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_id study = asy_id_from(1, 1);
        struct asy_store *store = NULL;
        uint64_t order[300], *at = order, seq;
        char text[120];
        struct answer a = { 0 };

        snprintf(text, sizeof text, "{\"objective\": {\"metric\": \"loss\", \"goal\": \"%s\"}}",
                 goals[g]);
        events[0] = (struct asy_event){ .kind = ASY_EV_STUDY_CREATED, .study = study,
                                        .trial = UINT64_MAX };
        events[0].study_created.name = "a";
        events[0].study_created.project = events[0].study_created.owner = "o";
        events[0].study_created.spec = text;
        for (uint64_t i = 0; i < 300; i++) {
            struct asy_event *made = &events[1 + 2 * i], *ended = made + 1;

            *made = (struct asy_event){ .kind = ASY_EV_TRIAL_CREATED, .study = study, .trial = i };
            made->trial_created.id = asy_id_from(10 + i, 2);
            made->trial_created.params = "{}";
            *ended = (struct asy_event){ .kind = ASY_EV_TRIAL_STATE, .study = study, .trial = i };
            ended->trial_state.state = ASY_TRIAL_COMPLETE;
            ended->trial_state.value = i % 5 ? (double)(i * 7919 % 101) - 50 : (double)NAN;
        }
        if (T_OK(asy_store_open(&spec, &store, NULL, &err), &err) &&
            T_OK(asy_store_commit(store, events, ASY_ARRAY_LEN(events), &seq, &err), &err) &&
            T_OK(asy_reader_trials(asy_store_reader(store), study, -1, -1, 1, keep_order, &at,
                                   &err), &err) &&
            T_TRUE(ask(store, &q, &a)))
            for (size_t i = 0; i < 300; i++)
                T_EQ(goals[g], asy_json_i64(asy_json_get(asy_json_at(asy_json_get(a.root, "trials"),
                                                                     i), "number"), -1), order[i]);
        answer_fini(&a);
        asy_store_close(store);
    }
}

/* Trials that are equal by the first objective: the best is one that no other beats in all of them,
 * and all answers agree on it. */
static void the_best_of_several_objectives_is_of_the_front(void)
{
    static const char *const outcomes[] = {
        "{\"values\":[1.0,5.0,9.0],\"violation\":0.0}",
        "{\"values\":[1.0,7.0,1.0],\"violation\":0.0}",
        "{\"values\":[1.0,7.0,0.5],\"violation\":0.0}",
        "{\"values\":[0.5,9.0,0.0],\"violation\":2.0}",
        "{\"values\":[2.0,9.0,0.0],\"violation\":0.0}",
    };
    static const int64_t want[] = { 2, 1, 0, 4, 3 };
    static const struct asy_store_spec spec = { .path = NULL };
    struct asy_event events[1 + 2 * ASY_ARRAY_LEN(outcomes)];
    struct asy_id study = asy_id_from(1, 1);
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_store *store = NULL;
    struct asy__question q = { .what = "trials", .study = "a", .arg = "best", .trial = -1,
                               .after = -1, .limit = -1 };
    struct answer best = { 0 }, row = { 0 }, why = { 0 }, list = { 0 };
    uint64_t seq;

    events[0] = (struct asy_event){ .kind = ASY_EV_STUDY_CREATED, .study = study,
                                    .trial = UINT64_MAX };
    events[0].study_created.name = "a";
    events[0].study_created.project = events[0].study_created.owner = "o";
    events[0].study_created.spec = "{\"objective\": ["
                                   "{\"metric\": \"loss\", \"goal\": \"minimize\"},"
                                   "{\"metric\": \"gain\", \"goal\": \"maximize\"},"
                                   "{\"metric\": \"cost\", \"goal\": \"minimize\"}]}";
    for (uint64_t i = 0; i < ASY_ARRAY_LEN(outcomes); i++) {
        struct asy_event *made = &events[1 + 2 * i], *ended = made + 1;

        *made = (struct asy_event){ .kind = ASY_EV_TRIAL_CREATED, .study = study, .trial = i };
        made->trial_created.id = asy_id_from(10 + i, 2);
        made->trial_created.params = "{}";
        *ended = (struct asy_event){ .kind = ASY_EV_TRIAL_STATE, .study = study, .trial = i };
        ended->trial_state.state = ASY_TRIAL_COMPLETE;
        ended->trial_state.value = i == 3 ? 0.5 : i == 4 ? 2 : 1;
        ended->trial_state.outcome = outcomes[i];
    }
    if (T_OK(asy_store_open(&spec, &store, NULL, &err), &err) &&
        T_OK(asy_store_commit(store, events, ASY_ARRAY_LEN(events), &seq, &err), &err) &&
        T_TRUE(ask(store, &q, &best)))
        for (size_t i = 0; i < ASY_ARRAY_LEN(want); i++)
            T_EQ("order", asy_json_i64(asy_json_get(asy_json_at(asy_json_get(best.root, "trials"),
                                                                i), "number"), -1), want[i]);
    q.what = "study";
    q.arg = "";
    if (store && T_TRUE(ask(store, &q, &row))) {
        T_EQ("best trial", asy_json_i64(asy_json_get(row.root, "best_trial"), -1), 2);
        T_EQ("front", asy_json_i64(asy_json_get(asy_json_at(asy_json_get(row.root, "front"), 0),
                                                "trial"), -1), 2);
    }
    q.what = "explain";
    if (store && T_TRUE(ask(store, &q, &why)))
        T_EQ("explained", asy_json_i64(asy_json_get(why.root, "best_trial"), -1), 2);
    q.what = "studies";
    q.study = "";
    if (store && T_TRUE(ask(store, &q, &list)))
        T_EQ("listed", asy_json_i64(asy_json_get(asy_json_at(asy_json_get(list.root, "studies"),
                                                             0), "best_trial"), -1), 2);
    answer_fini(&list);
    answer_fini(&why);
    answer_fini(&row);
    answer_fini(&best);
    asy_store_close(store);
}

/* Page after page: none of these trials has a value, so the order is that of numbers. */
static void the_best_come_in_pages_too(void)
{
    static const struct { const char *name; int64_t after, limit; size_t first, n; } cases[] = {
        { "all", -1, -1, 0, 600 },   { "some", -1, 300, 0, 300 }, { "none", -1, 0, 0, 0 },
        { "after", 99, 10, 100, 10 }, { "beyond", 599, 10, 600, 0 },
    };
    uint64_t seq;
    struct asy_store *store = store_of(OWNER, &seq);

    for (size_t i = 0; store && i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__question q = { .what = "trials", .study = "a", .arg = "best", .trial = -1,
                                   .after = cases[i].after, .limit = cases[i].limit };
        const struct asy_json *list;
        struct answer a;

        if (T_TRUE(ask(store, &q, &a))) {
            list = asy_json_get(a.root, "trials");
            T_EQ(cases[i].name, asy_json_len(list), cases[i].n);
            for (size_t k = 0; k < asy_json_len(list); k++)
                T_EQ(cases[i].name, asy_json_i64(asy_json_get(asy_json_at(list, k), "number"), -1),
                     cases[i].first + k);
            T_TRUE(a.longest <= ASY__PAGE * 1024);
        }
        answer_fini(&a);
    }
    asy_store_close(store);
}

/* The events of an answer are exactly those after `after` and up to `upto` that may be seen. */
static void check_events(struct asy_store *store, const char *name, const struct asy__question *q,
                         uint64_t first, uint64_t last, int only_a)
{
    const struct asy_json *list;
    struct answer a;
    size_t n = 0;

    if (T_TRUE(ask(store, q, &a))) {
        list = asy_json_get(a.root, "events");
        for (uint64_t seq = first; seq <= last; seq++) {
            int of_a = seq == 1 || (seq > 2 && (seq - 3) % 7);

            if (only_a && !of_a)
                continue;
            T_EQ(name, asy_json_i64(asy_json_get(asy_json_at(list, n++), "seq"), 0), seq);
        }
        T_EQ(name, asy_json_len(list), n);
        T_EQ(name, asy_json_i64(asy_json_get(a.root, "upto"), 0), q->upto);
    }
    answer_fini(&a);
}

static void histories_end_where_they_are_told_to(void)
{
    uint64_t seq = 0;
    struct asy_store *store = store_of(STRANGER, &seq);
    struct asy__question study = { .what = "events", .study = "a", .arg = "", .trial = -1,
                                   .after = 0, .limit = -1, .upto = seq };
    struct asy__question all = { .what = "news", .study = "", .arg = "", .trial = -1, .after = 0,
                                 .limit = -1, .upto = seq };

    if (!store)
        return;
    check_events(store, "of a study", &study, 1, seq, 1);
    check_events(store, "who sees everything", &all, 1, seq, 0);
    all.key = OWNER;
    check_events(store, "who sees his own", &all, 1, seq, 1);
    all.after = study.after = 100;
    all.upto = study.upto = 300;
    check_events(store, "a stretch of his own", &all, 101, 300, 1);
    check_events(store, "a stretch of a study", &study, 101, 300, 1);
    study.after = 300;
    check_events(store, "nothing new", &study, 301, 300, 1);
    asy_store_close(store);
}

static void other_questions_are_refused(void)
{
    static const struct {
        const char *name;
        struct asy__question q;
        int want;
        const char *says;
    } cases[] = {
        { "unknown", { .what = "weather", .study = "a", .arg = "", .trial = -1 },
          ASY_E_UNSUPPORTED, "weather" },
        { "a trial without number", { .what = "trial", .study = "a", .arg = "", .trial = -1 },
          ASY_E_UNSUPPORTED, "trial" },
        { "no study", { .what = "trials", .study = "c", .arg = "", .trial = -1 }, ASY_E_NOENT,
          "no study 'c'" },
        { "no trial", { .what = "trial", .study = "a", .arg = "", .trial = 600 }, ASY_E_NOENT,
          "study 'a' has no trial 600" },
        { "no worker", { .what = "explain-worker", .study = "", .arg = "node", .trial = -1 },
          ASY_E_NOENT, "'node'" },
        { "why no trial", { .what = "explain", .study = "a", .arg = "", .trial = 600 },
          ASY_E_NOENT, "study 'a' has no trial 600" },
    };
    uint64_t seq;
    struct asy_store *store = store_of(OWNER, &seq);

    for (size_t i = 0; store && i < ASY_ARRAY_LEN(cases); i++) {
        struct answer a;

        T_TRUE(!ask(store, &cases[i].q, &a));
        T_EQ(cases[i].name, a.rc, cases[i].want);
        T_HAS(cases[i].name, a.err.text, cases[i].says);
        answer_fini(&a);
    }
    asy_store_close(store);
}

/* To whoever may not see it, in the very words of what was never there. */
static void a_study_of_another_user_does_not_exist(void)
{
    static const struct { const char *what; int64_t trial; } cases[] = {
        { "study", -1 }, { "trials", -1 },  { "events", -1 }, { "events", 1 },
        { "trial", 1 },  { "explain", -1 }, { "explain", 1 },
    };
    uint64_t seq;
    struct asy_store *store = store_of(OWNER, &seq);

    for (size_t i = 0; store && i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__question q = { .what = cases[i].what, .study = "a", .arg = "", .after = -1,
                                   .trial = cases[i].trial, .limit = -1, .upto = seq };
        struct answer his, foreign, missing;

        q.key = OWNER;
        T_TRUE(ask(store, &q, &his));
        q.key = STRANGER;
        T_TRUE(!ask(store, &q, &foreign));
        T_EQ(cases[i].what, foreign.rc, ASY_E_NOENT);
        T_STR(cases[i].what, foreign.err.text, "no study 'a'");
        q.study = "c";
        T_TRUE(!ask(store, &q, &missing));
        T_EQ(cases[i].what, missing.rc, foreign.rc);
        T_STR(cases[i].what, missing.err.text, "no study 'c'");
        answer_fini(&his);
        answer_fini(&foreign);
        answer_fini(&missing);
    }
    asy_store_close(store);
}

static void lists_have_what_may_be_seen(void)
{
    static const struct { const char *name, *key; int64_t limit; const char *first; size_t n; }
    cases[] = {
        { "who sees everything", NULL, -1, "b", 2 }, { "one of them", NULL, 1, "b", 1 },
        { "who has one", OWNER, -1, "a", 1 },        { "his first", OWNER, 1, "a", 1 },
        { "the other", STRANGER, -1, "b", 1 },       { "who has none", "nobody", -1, "", 0 },
        { "none wanted", OWNER, 0, "", 0 },
    };
    uint64_t seq;
    struct asy_store *store = store_of(STRANGER, &seq);

    for (size_t i = 0; store && i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__question q = { .what = "studies", .study = "", .arg = "", .trial = -1,
                                   .after = -1, .limit = cases[i].limit, .key = cases[i].key };
        const struct asy_json *list;
        struct answer a;

        if (T_TRUE(ask(store, &q, &a))) {
            list = asy_json_get(a.root, "studies");
            T_EQ(cases[i].name, asy_json_len(list), cases[i].n);
            T_STR(cases[i].name, asy_json_str(asy_json_get(asy_json_at(list, 0), "name"), ""),
                  cases[i].first);
        }
        answer_fini(&a);
    }
    asy_store_close(store);
}

/* ---- whose question it was ------------------------------------------------------------------- */

/* In the middle of an answer, before its first piece, and behind others; what is asked later under
 * the same number counts again. */
static void nobody_is_answered_who_was_forgotten(void)
{
    struct asy__mail answers = { .fd = -1 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__query *query = NULL;
    struct asy_store *store;
    size_t parts[4];
    uint64_t seq;

    if (!(store = store_of(OWNER, &seq)) || !T_OK(asy__mail_init(&answers, &err), &err) ||
        !T_OK(asy__query_create(NULL, &answers, &query, &err), &err))
        goto out;
    T_TRUE(put(query, 1) && put(query, 2) && put(query, 1) && put(query, 3));
    T_EQ("a piece for the first", asy__query_turn(query, asy_store_reader(store)), 1);
    T_OK(asy__query_forget(query, 1, &err), &err);
    T_OK(asy__query_forget(query, 3, &err), &err);
    T_TRUE(put(query, 3));
    while (asy__query_turn(query, asy_store_reader(store)))
        ;
    count_answers(&answers, parts);
    T_EQ("forgotten", parts[1], 0);
    T_TRUE(parts[2] > 0);
    T_EQ("asked again, and once", parts[3], parts[2]);
out:
    asy__query_destroy(query, asy_store_reader(store));
    asy__mail_fini(&answers);
    asy_store_close(store);
}

T_MAIN("query", T_TEST(what_has_ended_is_told_from_the_store),
       T_TEST(a_trial_has_its_attempts_in_order), T_TEST(each_attempt_has_its_host),
       T_TEST(what_lives_is_told_by_core), T_TEST(a_worker_that_is_gone_is_told_from_the_store),
       T_TEST(nobody_is_answered_who_was_forgotten), T_TEST(pages_make_the_whole_list),
       T_TEST(the_best_come_in_pages_too), T_TEST(the_best_are_in_the_order_of_the_store),
       T_TEST(the_best_of_several_objectives_is_of_the_front),
       T_TEST(histories_end_where_they_are_told_to), T_TEST(other_questions_are_refused),
       T_TEST(a_study_of_another_user_does_not_exist), T_TEST(lists_have_what_may_be_seen))
