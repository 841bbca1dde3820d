/* SPDX-License-Identifier: Apache-2.0
 * test_store_contract.c - what every engine promises, each case run on each of them. */
#include <string.h>
#include "fixture.h"

/* ---- rows kept by callbacks ----------------------------------------------------------------- */

#define OUTCOME "{\"values\":[0.75,3.0],\"violation\":0.0}"

struct kept {
    int with_outcome; /* the last trial has it */
    size_t n;
    int stop_at; /* returns 77 at this row; 0: never */
    struct asy_study_row study;
    struct asy_trial_row trial;
    struct asy_attempt_row attempts[8];
    struct asy_metric_row metrics[32];
    struct asy_artifact_row artifact;
    uint64_t numbers[64];
    char text[64][256];
};

static int row_done(struct kept *k)
{
    k->n++;
    return k->stop_at > 0 && k->n == (size_t)k->stop_at ? 77 : 0;
}

static char *keep_text(struct kept *k, const char *text)
{
    snprintf(k->text[k->n % 64], sizeof k->text[0], "%s", text);
    return k->text[k->n % 64];
}

static int keep_study(void *arg, const struct asy_study_row *row)
{
    struct kept *k = arg;

    k->study = *row;
    k->study.name = keep_text(k, row->name);
    return row_done(k);
}

static int keep_trial(void *arg, const struct asy_trial_row *row)
{
    struct kept *k = arg;

    k->trial = *row;
    k->trial.text = keep_text(k, row->text);
    k->with_outcome = !strcmp(row->outcome, OUTCOME);
    if (k->n < ASY_ARRAY_LEN(k->numbers))
        k->numbers[k->n] = row->number;
    return row_done(k);
}

static int keep_attempt(void *arg, const struct asy_attempt_row *row)
{
    struct kept *k = arg;

    if (k->n < ASY_ARRAY_LEN(k->attempts)) {
        k->attempts[k->n] = *row;
        k->attempts[k->n].cores = keep_text(k, row->cores);
    }
    return row_done(k);
}

static int keep_metric(void *arg, const struct asy_metric_row *row)
{
    struct kept *k = arg;

    if (k->n < ASY_ARRAY_LEN(k->metrics)) {
        k->metrics[k->n] = *row;
        k->metrics[k->n].name = keep_text(k, row->name);
    }
    return row_done(k);
}

static int keep_name(void *arg, const char *name)
{
    struct kept *k = arg;

    keep_text(k, name);
    return row_done(k);
}

static int keep_artifact(void *arg, const struct asy_artifact_row *row)
{
    struct kept *k = arg;

    k->artifact = *row;
    keep_text(k, row->name);
    return row_done(k);
}

static int keep_tag(void *arg, const struct asy_tag_row *row)
{
    struct kept *k = arg;
    char both[256];

    snprintf(both, sizeof both, "%s=%s", row->key, row->value);
    keep_text(k, both);
    return row_done(k);
}

static int keep_dataset(void *arg, const struct asy_dataset_row *row)
{
    struct kept *k = arg;

    snprintf(k->text[k->n % 64], sizeof k->text[0], "%s %s %s %s", row->name, row->digest,
             row->source, row->profile);
    return row_done(k);
}

static int keep_event(void *arg, const struct asy_event *event)
{
    struct kept *k = arg;

    if (k->n < ASY_ARRAY_LEN(k->numbers))
        k->numbers[k->n] = event->seq;
    return row_done(k);
}

/* ---- cases ---------------------------------------------------------------------------------- */

static void commits_number_events_in_order(void)
{
    FOR_EACH_ENGINE(f)
    {
        struct fixture f;
        struct kept k = { 0 };

        if (!setup(&f, &engines[f_i]))
            goto out;
        T_EQ(f.engine->name, f.info.last_seq, 0);
        T_TRUE(!asy_id_is_none(f.info.id));
        T_TRUE(f.info.owner_epoch >= 1);
        work_worker(&f.work, work_id(1), "node-1", 0);
        work_study(&f.work, work_id(2), "a", "minimize");
        if (!commit(&f))
            goto out;
        T_EQ(f.engine->name, f.seq, 2);
        T_OK(asy_store_commit(f.store, NULL, 0, &f.seq, &f.err), &f.err);
        T_EQ("nothing to commit", f.seq, 2);
        work_trial(&f.work, work_id(2), 0, 100);
        if (!commit(&f))
            goto out;
        T_EQ(f.engine->name, f.seq, 3);
        T_OK(asy_reader_events(f.reader, ASY_ID_NONE, WORK_NONE, 0, UINT64_MAX, -1, keep_event,
                               &k, &f.err),
             &f.err);
        T_EQ(f.engine->name, k.n, 3);
        for (size_t i = 0; i < k.n; i++)
            T_EQ(f.engine->name, k.numbers[i], i + 1);
    out:
        teardown(&f);
    }
}

static int keep_worker(void *arg, const struct asy_worker_row *row)
{
    struct kept *k = arg;

    snprintf(k->text[k->n % 64], sizeof k->text[0], "%s %u %d %s", row->host, row->cores,
             row->gone_us ? (int)row->cause : 0, row->text);
    return row_done(k);
}

static void workers_are_remembered(void)
{
    FOR_EACH_ENGINE(f)
    {
        struct fixture f;
        struct kept k = { 0 };

        if (!setup(&f, &engines[f_i]))
            goto out;
        work_worker(&f.work, work_id(1), "one", 0);
        work_worker(&f.work, work_id(2), "two", 0);
        work_worker(&f.work, work_id(3), "three", 0);
        work_worker(&f.work, work_id(2), "", 1);
        work_worker(&f.work, work_id(1), "", 1);
        work_worker(&f.work, work_id(1), "one again", 0);
        if (!commit(&f))
            goto out;
        T_OK(asy_reader_workers(f.reader, -1, keep_worker, &k, &f.err), &f.err);
        T_EQ(f.engine->name, k.n, 3);
        T_STR("who came back", k.text[0], "one again 64 0 ");
        T_STR("who is there", k.text[1], "three 64 0 ");
        T_STR("who is gone", k.text[2], "two 64 72 silent for 10 s");
        k.n = 0;
        T_OK(asy_reader_workers(f.reader, 1, keep_worker, &k, &f.err), &f.err);
        T_EQ("limit", k.n, 1);
        k.n = 0;
        k.stop_at = 2;
        T_EQ("stopped", asy_reader_workers(f.reader, -1, keep_worker, &k, &f.err), 77);
    out:
        teardown(&f);
    }
}

/* A few events of two studies and their trials, asked for in every stretch. */
static void events_come_in_stretches(void)
{
    FOR_EACH_ENGINE(f)
    {
        struct asy_id who[] = { ASY_ID_NONE, work_id(2), work_id(3) };
        uint64_t trials[] = { WORK_NONE, 0 };
        struct kept all[ASY_ARRAY_LEN(who)][ASY_ARRAY_LEN(trials)] = { 0 };
        struct fixture f;

        if (!setup(&f, &engines[f_i]))
            goto out;
        work_worker(&f.work, work_id(1), "node-1", 0);
        work_study(&f.work, work_id(2), "a", "minimize");
        work_trial(&f.work, work_id(2), 0, 100);
        work_study(&f.work, work_id(3), "b", "minimize");
        work_trial(&f.work, work_id(2), 1, 101);
        work_trial(&f.work, work_id(3), 0, 200);
        work_lease(&f.work, work_id(2), 0, 1, 300, 0, 0);
        if (!commit(&f))
            goto out;
        for (size_t s = 0; s < ASY_ARRAY_LEN(who); s++)
            for (size_t t = 0; t < ASY_ARRAY_LEN(trials); t++)
                T_OK(asy_reader_events(f.reader, who[s], trials[t], 0, UINT64_MAX, -1, keep_event,
                                       &all[s][t], &f.err), &f.err);
        T_EQ("all", all[0][0].n, f.seq);
        for (size_t s = 0; s < ASY_ARRAY_LEN(who); s++)
            for (size_t t = 0; t < ASY_ARRAY_LEN(trials); t++)
                for (uint64_t after = 0; after <= f.seq + 1; after++)
                    for (uint64_t upto = 0; upto <= f.seq + 1; upto++) {
                        struct kept k = { 0 };
                        size_t n = 0;

                        T_OK(asy_reader_events(f.reader, who[s], trials[t], after, upto, -1,
                                               keep_event, &k, &f.err), &f.err);
                        for (size_t i = 0; i < all[s][t].n; i++) {
                            uint64_t seq = all[s][t].numbers[i];

                            if (seq > after && seq <= upto)
                                T_EQ(f.engine->name, k.numbers[n++], seq);
                        }
                        T_EQ(f.engine->name, k.n, n);
                    }
    out:
        teardown(&f);
    }
}

static void a_refused_commit_changes_nothing(void)
{
    static const struct {
        const char *name;
        uint64_t trial;
        enum asy_event_kind kind;
        int other_study;
    } cases[] = {
        { "a trial that is not there", 1, ASY_EV_REPORT, 0 },
        { "a trial that is there", 0, ASY_EV_TRIAL_CREATED, 0 },
        { "a trial out of turn", 2, ASY_EV_TRIAL_CREATED, 0 },
        { "a study that is not there", 0, ASY_EV_REPORT, 1 },
        { "a study that is there", WORK_NONE, ASY_EV_STUDY_CREATED, 0 },
        { "a report without a trial", WORK_NONE, ASY_EV_REPORT, 0 },
        { "an unknown kind", 0, (enum asy_event_kind)99, 0 },
    };

    FOR_EACH_ENGINE(f)
    {
        struct fixture f;
        struct kept k = { 0 };

        if (!setup(&f, &engines[f_i]))
            goto out;
        work_study(&f.work, work_id(2), "a", "minimize");
        work_trial(&f.work, work_id(2), 0, 100);
        if (!commit(&f))
            goto out;
        for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
            uint64_t seq = 4711;

            work_trial_state(&f.work, work_id(2), 0, ASY_TRIAL_FAILED, NAN);
            work_study(&f.work, work_id(50), "b", "minimize");
            work_trial(&f.work, work_id(50), 0, 200);
            work_add(&f.work, cases[i].kind, cases[i].other_study ? work_id(9) : work_id(2),
                     cases[i].trial, 1);
            T_EQ(cases[i].name, work_commit(&f.work, f.store, &seq, &f.err), ASY_E_INVAL);
            T_EQ(cases[i].name, seq, 4711);
        }
        T_OK(asy_reader_studies(f.reader, NULL, NULL, -1, keep_study, &k, &f.err), &f.err);
        T_EQ(f.engine->name, k.n, 1);
        T_EQ(f.engine->name, k.study.queued, 1);
        work_trial(&f.work, work_id(2), 1, 101); /* counts went back with the rest */
        if (commit(&f))
            T_EQ(f.engine->name, f.seq, 3);
    out:
        teardown(&f);
    }
}

static void a_trial_goes_through_its_life(void)
{
    FOR_EACH_ENGINE(f)
    {
        struct fixture f;
        struct asy_id study = work_id(2);
        struct kept k = { 0 }, s = { 0 };

        if (!setup(&f, &engines[f_i]))
            goto out;
        work_study(&f.work, study, "a", "maximize");
        work_trial(&f.work, study, 0, 100);
        if (!commit(&f) || !reopen(&f))
            goto out;
        work_lease(&f.work, study, 0, 1, 101, 0, 0);
        if (!commit(&f) || !reopen(&f))
            goto out;
        work_start(&f.work, study, 0, 1);
        work_report(&f.work, study, 0, 1, 2, 5, 0.5);
        if (!commit(&f))
            goto out;
        T_OK(asy_reader_trial(f.reader, study, 0, keep_trial, &k, &f.err), &f.err);
        T_EQ(f.engine->name, k.trial.state, ASY_TRIAL_RUNNING);
        T_EQ(f.engine->name, k.trial.step, 5);
        T_EQ(f.engine->name, k.trial.attempts, 1);
        T_TRUE(k.trial.started_us > k.trial.created_us && k.trial.ended_us == 0);
        T_TRUE(isnan(k.trial.value));
        T_EQ("seed", k.trial.seed, (int64_t)(100 * UINT64_C(0x9E3779B97F4A7C15)));
        if (!reopen(&f))
            goto out;
        work_end(&f.work, study, 0, 1, 3, ASY_END_COMPLETE, 6);
        work_trial_state(&f.work, study, 0, ASY_TRIAL_COMPLETE, 0.75);
        f.work.events[f.work.n - 1].trial_state.outcome = OUTCOME;
        work_trial(&f.work, study, 1, 102);
        work_trial_state(&f.work, study, 1, ASY_TRIAL_CANCELLED, NAN);
        if (!commit(&f))
            goto out;
        T_OK(asy_reader_trial(f.reader, study, 0, keep_trial, &k, &f.err), &f.err);
        T_EQ(f.engine->name, k.trial.state, ASY_TRIAL_COMPLETE);
        T_NEAR(f.engine->name, k.trial.value, 0.75, 0);
        T_TRUE(k.with_outcome);
        T_OK(asy_reader_studies(f.reader, NULL, "a", -1, keep_study, &s, &f.err), &f.err);
        T_EQ("trials", s.study.trials, 2);
        T_EQ("complete", s.study.complete, 1);
        T_EQ("cancelled", s.study.cancelled, 1);
        T_EQ("best trial", s.study.best_trial, 0);
        T_EQ("no third", asy_reader_trial(f.reader, study, 2, keep_trial, &k, &f.err),
             ASY_E_NOENT);
    out:
        teardown(&f);
    }
}

static void numbers_survive_as_they_are(void)
{
    static const double values[] = { NAN, INFINITY, -INFINITY, -0.0, 5e-324, 1.7976931348623157e308,
                                     0.1 };

    FOR_EACH_ENGINE(f)
    {
        struct fixture f;
        struct asy_id study = work_id(2);
        struct kept k = { 0 };

        if (!setup(&f, &engines[f_i]))
            goto out;
        work_study(&f.work, study, "a", "minimize");
        work_trial(&f.work, study, 0, 100);
        work_lease(&f.work, study, 0, 1, 101, 0, 0);
        for (size_t i = 0; i < ASY_ARRAY_LEN(values); i++)
            work_report(&f.work, study, 0, 1, i + 1, i, values[i]);
        if (!commit(&f) || !reopen(&f))
            goto out;
        T_OK(asy_reader_metrics(f.reader, study, 0, 0, keep_metric, &k, &f.err), &f.err);
        if (!T_EQ(f.engine->name, k.n, 2 * ASY_ARRAY_LEN(values)))
            goto out;
        for (size_t i = 0; i < ASY_ARRAY_LEN(values); i++) {
            T_STR("name", k.metrics[i].name, "val_accuracy");
            T_EQ("step", k.metrics[i].step, i);
            T_TRUE(isnan(values[i]) ? isnan(k.metrics[i].value)
                                    : k.metrics[i].value == values[i]);
        }
        memset(&k, 0, sizeof k);
        T_OK(asy_reader_attempts(f.reader, study, 0, keep_attempt, &k, &f.err), &f.err);
        T_EQ("open milestone", (int64_t)k.attempts[0].milestone, -1);
        T_STR("cores", k.attempts[0].cores, "0-2,8");
    out:
        teardown(&f);
    }
}

/* Two metric names: rows of one that were undone, and of one that were not. */
static void a_resumed_attempt_undoes_later_steps(void)
{
    FOR_EACH_ENGINE(f)
    {
        struct fixture f;
        struct asy_id study = work_id(2);
        struct kept now = { 0 }, all = { 0 };
        size_t undone = 0;

        if (!setup(&f, &engines[f_i]))
            goto out;
        work_study(&f.work, study, "a", "minimize");
        work_trial(&f.work, study, 0, 100);
        work_lease(&f.work, study, 0, 1, 101, 0, 0);
        for (uint64_t step = 1; step <= 4; step++)
            work_report(&f.work, study, 0, 1, step, step, 0.1 * (double)step);
        work_add(&f.work, ASY_EV_SCORE, study, 0, 1)->score.name = "test";
        f.work.events[f.work.n - 1].score.step = 9;
        if (!commit(&f) || !reopen(&f))
            goto out;
        work_lease(&f.work, study, 0, 2, 102, 1, 2);
        work_report(&f.work, study, 0, 2, 1, 3, 0.9);
        if (!commit(&f))
            goto out;
        T_OK(asy_reader_metrics(f.reader, study, 0, 0, keep_metric, &now, &f.err), &f.err);
        T_OK(asy_reader_metrics(f.reader, study, 0, 1, keep_metric, &all, &f.err), &f.err);
        T_EQ("one lineage", now.n, 1 + 2 * 3);
        T_EQ("with what was undone", all.n, 1 + 2 * 5);
        for (size_t i = 0; i < all.n; i++) {
            if (!all.metrics[i].superseded)
                continue;
            undone++;
            T_TRUE(all.metrics[i].step > 2 && all.metrics[i].attempt == 1);
        }
        T_EQ("undone", undone, 4);
        T_STR("a score stays", now.metrics[0].name, "test");
        T_EQ("of no attempt", now.metrics[0].attempt, 0);
        for (size_t i = 1; i < now.n; i++)
            T_EQ("attempt", now.metrics[i].attempt, now.metrics[i].step > 2 ? 2 : 1);
        work_lease(&f.work, study, 0, 3, 103, 0, 0); /* from nothing */
        if (!commit(&f))
            goto out;
        memset(&now, 0, sizeof now);
        T_OK(asy_reader_metrics(f.reader, study, 0, 0, keep_metric, &now, &f.err), &f.err);
        T_EQ("only the score is left", now.n, 1);
    out:
        teardown(&f);
    }
}

/* Of one name, from where the last stretch ended; a step may come twice. */
static void a_series_comes_in_stretches(void)
{
    static const uint64_t steps[] = { 1, 2, 2, 2, 3, 5, 8 };
    static const int64_t limits[] = { 1, 2, 3, 7, 100, -1 };

    FOR_EACH_ENGINE(f)
    {
        struct fixture f;
        struct asy_id study = work_id(2);

        if (!setup(&f, &engines[f_i]))
            goto out;
        work_study(&f.work, study, "a", "minimize");
        work_trial(&f.work, study, 0, 100);
        work_lease(&f.work, study, 0, 1, 101, 0, 0);
        work_report(&f.work, study, 0, 1, 1, 1, 99);
        work_lease(&f.work, study, 0, 2, 102, 0, 0); /* undoes that */
        for (size_t i = 0; i < ASY_ARRAY_LEN(steps); i++)
            work_report(&f.work, study, 0, 2, i + 1, steps[i], (double)i);
        if (!commit(&f) || !reopen(&f))
            goto out;
        for (size_t l = 0; l < ASY_ARRAY_LEN(limits); l++) {
            uint64_t step = 0, seq = 0;
            size_t n = 0, came;

            do {
                struct kept k = { 0 };

                T_OK(asy_reader_series(f.reader, study, 0, "val_accuracy", step, seq, limits[l],
                                       keep_metric, &k, &f.err), &f.err);
                came = k.n;
                for (size_t i = 0; i < came; i++, n++) {
                    step = k.metrics[i].step;
                    seq = k.metrics[i].seq;
                    T_STR(f.engine->name, k.metrics[i].name, "val_accuracy");
                    T_EQ(f.engine->name, step, n < ASY_ARRAY_LEN(steps) ? steps[n] : 0);
                    T_TRUE(k.metrics[i].value == (double)n && k.metrics[i].attempt == 2);
                }
                T_TRUE(limits[l] < 0 || came <= (size_t)limits[l]);
            } while (came > 0 && n <= ASY_ARRAY_LEN(steps));
            T_EQ(f.engine->name, n, ASY_ARRAY_LEN(steps));
        }
    out:
        teardown(&f);
    }
}

/* In byte order, whatever came first; not what an attempt said that a later one undid. */
static void names_of_metrics_come_in_stretches(void)
{
    static const char *const scores[] = { "z", "A", "", "val_loss", "a" };
    static const char *const want[] = { "", "A", "a", "val_accuracy", "val_loss", "z" };
    static const int64_t limits[] = { 1, 2, 6, 100, -1 };

    FOR_EACH_ENGINE(f)
    {
        struct fixture f;
        struct asy_id study = work_id(2);
        struct asy_metric undone = { "undone", 1 };

        if (!setup(&f, &engines[f_i]))
            goto out;
        work_study(&f.work, study, "a", "minimize");
        work_trial(&f.work, study, 0, 100);
        work_lease(&f.work, study, 0, 1, 101, 0, 0);
        work_report(&f.work, study, 0, 1, 1, 1, 99);
        f.work.events[f.work.n - 1].report.metrics = &undone;
        f.work.events[f.work.n - 1].report.n_metrics = 1;
        work_lease(&f.work, study, 0, 2, 102, 0, 0);
        for (size_t i = 0; i < ASY_ARRAY_LEN(scores); i++)
            work_add(&f.work, ASY_EV_SCORE, study, 0, 1)->score.name = scores[i];
        for (uint64_t step = 1; step <= 9; step++)
            work_report(&f.work, study, 0, 2, step, step, 1);
        if (!commit(&f) || !reopen(&f))
            goto out;
        for (size_t l = 0; l < ASY_ARRAY_LEN(limits); l++) {
            char after[64] = "";
            size_t n = 0, came;

            do {
                struct kept k = { 0 };

                T_OK(asy_reader_metric_names(f.reader, study, 0, n ? after : NULL, limits[l],
                                             keep_name, &k, &f.err), &f.err);
                came = k.n;
                for (size_t i = 0; i < came && n < ASY_ARRAY_LEN(want); i++, n++)
                    T_STR(f.engine->name, k.text[i], want[n]);
                snprintf(after, sizeof after, "%s", n ? want[n - 1] : "");
                T_TRUE(limits[l] < 0 || came <= (size_t)limits[l]);
            } while (came > 0 && n < ASY_ARRAY_LEN(want));
            T_EQ(f.engine->name, n, ASY_ARRAY_LEN(want));
        }
        for (size_t i = 0; i < ASY_ARRAY_LEN(want); i++) {
            struct kept k = { 0 };

            T_OK(asy_reader_series(f.reader, study, 0, want[i], 0, 0, -1, keep_metric, &k, &f.err),
                 &f.err);
            T_EQ(want[i], k.n, i == 3 ? 9 : i == 4 ? 10 : 1);
        }
    out:
        teardown(&f);
    }
}

static void studies_are_found_by_name_and_id(void)
{
    FOR_EACH_ENGINE(f)
    {
        struct fixture f;
        struct kept k = { 0 };
        char id[ASY_ID_TEXT], text[16];

        if (!setup(&f, &engines[f_i]))
            goto out;
        work_study(&f.work, work_id(2), "digits", "minimize");
        work_study(&f.work, work_id(3), "digits-2", "minimize");
        work_study(&f.work, asy_id_from(99, 1), "other", "minimize");
        if (!commit(&f))
            goto out;
        T_OK(asy_reader_studies(f.reader, NULL, "digits", -1, keep_study, &k, &f.err), &f.err);
        T_EQ("a name is itself only", k.n, 1);
        T_STR("name", k.study.name, "digits");
        asy_id_format(work_id(3), id);
        T_OK(asy_reader_studies(f.reader, NULL, id, -1, keep_study, &k, &f.err), &f.err);
        T_STR("whole id", k.study.name, "digits-2");
        id[8] = 0;
        T_EQ("two begin so", asy_reader_studies(f.reader, NULL, id, -1, keep_study, &k, &f.err),
             ASY_E_INVAL);
        asy_id_format(asy_id_from(99, 1), id);
        id[8] = 0;
        T_OK(asy_reader_studies(f.reader, NULL, id, -1, keep_study, &k, &f.err), &f.err);
        T_STR("part of an id", k.study.name, "other");
        id[5] = 0;
        T_EQ("too short", asy_reader_studies(f.reader, NULL, id, -1, keep_study, &k, &f.err),
             ASY_E_NOENT);
        T_EQ("misspelt", asy_reader_studies(f.reader, NULL, "digts", -1, keep_study, &k, &f.err),
             ASY_E_NOENT);
        T_HAS("misspelt", f.err.text, "'digits'");
        memset(&k, 0, sizeof k);
        T_OK(asy_reader_studies(f.reader, NULL, NULL, 2, keep_study, &k, &f.err), &f.err);
        T_EQ("limit", k.n, 2);
        T_STR("newest first", k.text[0], "other");
        memset(&k, 0, sizeof k);
        T_OK(asy_reader_studies(f.reader, "key-of-somebody", NULL, 2, keep_study, &k, &f.err),
             &f.err);
        T_EQ("limit of an owner", k.n, 2);
        T_OK(asy_reader_studies(f.reader, "nobody", NULL, -1, keep_study, &k, &f.err), &f.err);
        T_EQ("another has none", k.n, 2);
        asy_id_format(asy_id_from(99, 1), id);
        for (size_t i = 0; i < 2; i++) {
            T_EQ("nor finds one", asy_reader_studies(f.reader, "nobody", i ? id : "digits", -1,
                                                     keep_study, &k, &f.err), ASY_E_NOENT);
            T_TRUE(!strstr(f.err.text, "did you mean"));
            id[8] = 0;
        }
        T_OK(asy_reader_free_name(f.reader, "digits", text, sizeof text, &f.err), &f.err);
        T_STR("next free", text, "digits-3");
        T_OK(asy_reader_free_name(f.reader, "new", text, sizeof text, &f.err), &f.err);
        T_STR("free", text, "new");
        T_EQ("no room", asy_reader_free_name(f.reader, "digits", text, 8, &f.err), ASY_E_TOOBIG);
    out:
        teardown(&f);
    }
}

static void trials_come_by_number_or_value(void)
{
    static const double values[] = { 0.3, NAN, 0.9, 0.1, 0.9 };
    static const uint64_t best[] = { 2, 4, 0, 3, 1 };

    FOR_EACH_ENGINE(f)
    {
        struct fixture f;
        struct asy_id study = work_id(2);
        struct kept k = { 0 };

        if (!setup(&f, &engines[f_i]))
            goto out;
        work_study(&f.work, study, "a", "maximize");
        for (uint64_t i = 0; i < ASY_ARRAY_LEN(values); i++) {
            work_trial(&f.work, study, i, 100 + i);
            work_trial_state(&f.work, study, i, ASY_TRIAL_COMPLETE, values[i]);
        }
        if (!commit(&f))
            goto out;
        T_OK(asy_reader_trials(f.reader, study, -1, -1, 1, keep_trial, &k, &f.err), &f.err);
        T_EQ(f.engine->name, k.n, 5);
        for (size_t i = 0; i < k.n; i++)
            T_EQ("best first", k.numbers[i], best[i]);
        memset(&k, 0, sizeof k);
        T_OK(asy_reader_trials(f.reader, study, 1, 2, 1, keep_trial, &k, &f.err), &f.err);
        T_EQ("third best", k.numbers[0], 0);
        T_EQ("two of them", k.n, 2);
        memset(&k, 0, sizeof k);
        T_OK(asy_reader_trials(f.reader, study, 1, 2, 0, keep_trial, &k, &f.err), &f.err);
        T_EQ("after 1", k.numbers[0], 2);
        T_EQ("limit", k.n, 2);
        memset(&k, 0, sizeof k);
        k.stop_at = 3;
        T_EQ("stopped", asy_reader_trials(f.reader, study, -1, -1, 0, keep_trial, &k, &f.err), 77);
        T_EQ("stopped at", k.n, 3);
        T_OK(asy_reader_trials(f.reader, work_id(999), -1, -1, 0, keep_trial, &k, &f.err), &f.err);
        T_EQ("no such study", k.n, 3);
    out:
        teardown(&f);
    }
}

static void files_and_tags_hang_on_runs(void)
{
    static const struct {
        const char *path;
        int has;
    } files[] = { { "checkpoints/10", 0 }, { "checkpoints/20", 1 }, { "artifacts/ab/cd", 1 },
                  { "artifacts/ab/ce", 1 }, { "artifacts/ab", 0 }, { "", 0 } };

    FOR_EACH_ENGINE(f)
    {
        struct fixture f;
        struct asy_id study = work_id(2);
        struct kept k = { 0 };
        struct asy_event *ev;

        if (!setup(&f, &engines[f_i]))
            goto out;
        work_study(&f.work, study, "a", "minimize");
        work_trial(&f.work, study, 0, 100);
        work_lease(&f.work, study, 0, 1, 101, 0, 0);
        for (uint64_t i = 1; i <= 3; i++)
            work_checkpoint(&f.work, study, 0, 1, i, 10 * i);
        ev = work_add(&f.work, ASY_EV_CHECKPOINT_DROPPED, study, 0, 1);
        ev->checkpoint_dropped.checkpoint = (struct asy_checkpoint){ .attempt = 1, .step = 10 };
        work_end(&f.work, study, 0, 1, 4, ASY_END_COMPLETE, 40);
        for (int i = 0; i < 2; i++) {
            ev = work_add(&f.work, ASY_EV_TAG, study, i ? WORK_NONE : 0, 0);
            ev->tag.key = "note";
            ev->tag.value = i ? "of the study" : "of the trial";
        }
        ev = work_add(&f.work, ASY_EV_TAG, study, 0, 0);
        ev->tag.key = "note";
        ev->tag.value = "changed";
        ev = work_add(&f.work, ASY_EV_DATASET, study, WORK_NONE, 0);
        ev->dataset.name = "digits.csv";
        ev->dataset.digest = "abcd";
        ev->dataset.source = "file";
        ev->dataset.profile = "{}";
        ev = work_add(&f.work, ASY_EV_DATASET, study, WORK_NONE, 0);
        ev->dataset.name = "digits.csv";
        ev->dataset.digest = "abcd";
        ev->dataset.source = "said again";
        ev->dataset.profile = "";
        if (!commit(&f) || !reopen(&f))
            goto out;
        T_OK(asy_reader_artifacts(f.reader, study, 0, keep_artifact, &k, &f.err), &f.err);
        T_EQ("two checkpoints, a model, its scores", k.n, 4);
        T_STR("first", k.text[0], "checkpoint");
        T_STR("third", k.text[2], "model");
        T_STR("last", k.text[3], "scores.json");
        T_EQ("size of the scores", k.artifact.bytes, 77);
        T_EQ("step of the scores", k.artifact.step, 40);
        for (size_t i = 0; i < ASY_ARRAY_LEN(files); i++)
            T_EQ(files[i].path, asy_reader_has_file(f.reader, files[i].path, &f.err), files[i].has);
        memset(&k, 0, sizeof k);
        T_OK(asy_reader_tags(f.reader, study, 0, keep_tag, &k, &f.err), &f.err);
        T_EQ("one key", k.n, 1);
        T_STR("newest value", k.text[0], "note=changed");
        T_OK(asy_reader_tags(f.reader, study, WORK_NONE, keep_tag, &k, &f.err), &f.err);
        T_STR("of the study", k.text[1], "note=of the study");
        memset(&k, 0, sizeof k);
        T_OK(asy_reader_datasets(f.reader, study, WORK_NONE, keep_dataset, &k, &f.err), &f.err);
        T_EQ("one data set", k.n, 1);
        T_STR("with all it was given", k.text[0], "digits.csv abcd file {}");
        T_OK(asy_reader_datasets(f.reader, study, 0, keep_dataset, &k, &f.err), &f.err);
        T_EQ("of the study, not of its trial", k.n, 1);
    out:
        teardown(&f);
    }
}

static void a_study_names_its_newest_event(void)
{
    FOR_EACH_ENGINE(f)
    {
        struct fixture f;
        struct asy_id study = work_id(1);
        struct kept k = { 0 };

        if (!setup(&f, &engines[f_i]))
            goto out;
        work_study(&f.work, study, "s", "maximize");
        work_trial(&f.work, study, 0, 100);
        work_study(&f.work, work_id(2), "later", "maximize");
        if (!commit(&f) || !reopen(&f))
            goto out;
        T_OK(asy_reader_studies(f.reader, NULL, "s", 1, keep_study, &k, &f.err), &f.err);
        T_EQ("of a study's own events", k.study.last_seq, 2);
        work_lease(&f.work, study, 0, 1, 101, 0, 0);
        if (!commit(&f) || !reopen(&f))
            goto out;
        T_OK(asy_reader_studies(f.reader, NULL, "s", 1, keep_study, &k, &f.err), &f.err);
        T_EQ("after another's", k.study.last_seq, 4);
    out:
        teardown(&f);
    }
}

static void a_paused_trial_shows_its_value_so_far(void)
{
    FOR_EACH_ENGINE(f)
    {
        struct fixture f;
        struct asy_id study = work_id(1);
        struct kept k = { 0 };

        if (!setup(&f, &engines[f_i]))
            goto out;
        work_study(&f.work, study, "s", "maximize");
        work_trial(&f.work, study, 0, 100);
        work_lease(&f.work, study, 0, 1, 101, 0, 0);
        work_start(&f.work, study, 0, 1);
        work_trial_state(&f.work, study, 0, ASY_TRIAL_PAUSED, 0.5);
        if (!commit(&f) || !reopen(&f))
            goto out;
        T_OK(asy_reader_trial(f.reader, study, 0, keep_trial, &k, &f.err), &f.err);
        T_NEAR("value", k.trial.value, 0.5, 0);
        T_OK(asy_reader_studies(f.reader, NULL, "s", 1, keep_study, &k, &f.err), &f.err);
        T_EQ("no best yet", k.study.best_trial, -1);
    out:
        teardown(&f);
    }
}

static void replay_gives_what_core_needs(void)
{
    FOR_EACH_ENGINE(f)
    {
        struct fixture f;
        struct asy_id over = work_id(2), open = work_id(3);
        struct kept k = { 0 };
        static const uint64_t want[] = { 2, 3, 6, 7, 8, 9, 11, 12 };

        if (!setup(&f, &engines[f_i]))
            goto out;
        work_worker(&f.work, work_id(10), "node-1", 0);     /* 1: joins again later */
        work_study(&f.work, over, "over", "minimize");      /* 2 */
        work_study(&f.work, open, "open", "minimize");      /* 3 */
        work_trial(&f.work, over, 0, 100);                  /* 4 */
        work_worker(&f.work, work_id(11), "node-2", 0);     /* 5: goes */
        if (!commit(&f))
            goto out;
        work_trial(&f.work, open, 0, 101);                  /* 6 */
        work_worker(&f.work, work_id(10), "node-1", 0);     /* 7 */
        work_lease(&f.work, open, 0, 1, 102, 0, 0);         /* 8 */
        work_report(&f.work, open, 0, 1, 1, 1, 0.5);        /* 9 */
        work_worker(&f.work, work_id(11), "", 1);           /* 10 */
        work_study_state(&f.work, over, ASY_STUDY_FINISHED);/* 11 */
        work_study_state(&f.work, open, ASY_STUDY_PAUSED);  /* 12 */
        if (!commit(&f) || !reopen(&f))
            goto out;
        T_OK(asy_store_replay(f.store, keep_event, &k, &f.err), &f.err);
        if (T_EQ(f.engine->name, k.n, ASY_ARRAY_LEN(want)))
            for (size_t i = 0; i < k.n; i++)
                T_EQ(f.engine->name, k.numbers[i], want[i]);
        memset(&k, 0, sizeof k);
        k.stop_at = 3;
        T_EQ("stopped", asy_store_replay(f.store, keep_event, &k, &f.err), 77);
    out:
        teardown(&f);
    }
}

/* A small study that stays open beside a large finished one is looked up, not scanned for. */
static void replay_skips_what_is_over(void)
{
    FOR_EACH_ENGINE(f)
    {
        struct fixture f;
        struct kept k = { 0 };

        if (!setup(&f, &engines[f_i]))
            goto out;
        work_study(&f.work, work_id(2), "open", "minimize");
        work_trial(&f.work, work_id(2), 0, 100);
        work_study(&f.work, work_id(3), "over", "minimize");
        for (uint64_t i = 0; i < 40; i++)
            work_trial(&f.work, work_id(3), i, 200 + i);
        work_study_state(&f.work, work_id(3), ASY_STUDY_STOPPED);
        work_lease(&f.work, work_id(2), 0, 1, 101, 0, 0);
        if (!commit(&f))
            goto out;
        T_OK(asy_store_replay(f.store, keep_event, &k, &f.err), &f.err);
        T_EQ(f.engine->name, k.n, 5);
        T_EQ("created", k.numbers[0], 1);
        T_EQ("trial", k.numbers[1], 2);
        T_EQ("created", k.numbers[2], 3);
        T_EQ("over", k.numbers[3], 44);
        T_EQ("leased", k.numbers[4], 45);
    out:
        teardown(&f);
    }
}

T_MAIN("store contract", T_TEST(commits_number_events_in_order),
       T_TEST(events_come_in_stretches), T_TEST(workers_are_remembered),
       T_TEST(a_refused_commit_changes_nothing), T_TEST(a_trial_goes_through_its_life),
       T_TEST(numbers_survive_as_they_are), T_TEST(a_resumed_attempt_undoes_later_steps),
       T_TEST(a_series_comes_in_stretches), T_TEST(names_of_metrics_come_in_stretches),
       T_TEST(studies_are_found_by_name_and_id), T_TEST(trials_come_by_number_or_value),
       T_TEST(files_and_tags_hang_on_runs), T_TEST(a_study_names_its_newest_event),
       T_TEST(a_paused_trial_shows_its_value_so_far), T_TEST(replay_gives_what_core_needs),
       T_TEST(replay_skips_what_is_over))
