/* SPDX-License-Identifier: Apache-2.0
 * test_history.c - how a study went, as its store tells it: learning curves thin out to the points
 * that they should have, whatever else was reported, and no piece of them reads many rows, nor does
 * one of all that a trial reported; fronts of many objectives have a history without volumes. */
#include "../folder.h"
#include "../store/work.h"
#include "asking.h"

#define POINTS 192 /* of a curve, but for its last */
#define ROWS 2048  /* of a piece */
#define PAGE 256   /* of a piece, where all are told */
#define METRIC "val_accuracy"

/* ---- rows of a piece ------------------------------------------------------------------------- */

static size_t n_rows; /* that the store gave */

struct counted {
    asy_metric_row_f each;
    void *arg;
};

static int count_row(void *arg, const struct asy_metric_row *row)
{
    struct counted *counted = arg;

    n_rows++;
    return counted->each(counted->arg, row);
}

int __real_asy_reader_series(struct asy_reader *reader, struct asy_id study, uint64_t number,
                             const char *name, uint64_t step, uint64_t seq, int64_t limit,
                             asy_metric_row_f each, void *arg, struct asy_error *err);
int __wrap_asy_reader_series(struct asy_reader *reader, struct asy_id study, uint64_t number,
                             const char *name, uint64_t step, uint64_t seq, int64_t limit,
                             asy_metric_row_f each, void *arg, struct asy_error *err);
int __wrap_asy_reader_series(struct asy_reader *reader, struct asy_id study, uint64_t number,
                             const char *name, uint64_t step, uint64_t seq, int64_t limit,
                             asy_metric_row_f each, void *arg, struct asy_error *err)
{
    struct counted counted = { each, arg };

    return __real_asy_reader_series(reader, study, number, name, step, seq, limit, count_row,
                                    &counted, err);
}

/* As ask(), and the most rows of a piece. */
static bool ask_counted(struct asy_store *store, const char *what, int64_t trial,
                        struct answer *a, size_t *ret_most)
{
    const struct asy__question q = { .what = what, .study = "a", .arg = "", .trial = trial,
                                     .after = -1, .limit = -1 };
    struct asy__asked asked;

    *a = (struct answer){ 0 };
    *ret_most = 0;
    asy_buf_init(&a->json, 64u << 20);
    asy__asked_init(&asked, &q, &a->json);
    do {
        n_rows = 0;
        a->rc = asy__asked_piece(&asked, asy_store_reader(store), &a->err);
        *ret_most = n_rows > *ret_most ? n_rows : *ret_most;
    } while (a->rc > 0);
    asy__asked_fini(&asked);
    return T_OK(a->rc, &a->err) &&
           T_OK(asy_json_parse(a->json.data, a->json.len, &a->root, &a->err), &a->err);
}

/* ---- learning curves ------------------------------------------------------------------------- */

static const size_t lengths[] = { 0, 1, 2, POINTS - 1, POINTS, POINTS + 1, 384, 385, 1000, ROWS - 2,
                                  5000 };
#define N_CURVES (3 * ASY_ARRAY_LEN(lengths)) /* of more trials than are looked up together */

static double value_at(size_t trial, uint64_t step)
{
    return (double)trial + (double)step / 8;
}

/* A trial of n reports, of which an earlier attempt had made more; scores and another metric lie
 * between them. */
static void add_trial(struct work *work, struct asy_id study, size_t trial, size_t n)
{
    work_trial(work, study, trial, 100 + trial);
    work_lease(work, study, trial, 1, 1000 + trial, 0, 0);
    for (uint64_t step = 1; step <= 3; step++)
        work_report(work, study, trial, 1, step, step, -1);
    work_add(work, ASY_EV_SCORE, study, trial, 1)->score.name = METRIC;
    work->events[work->n - 1].score.step = 2;
    work->events[work->n - 1].score.value = 77;
    work_lease(work, study, trial, 2, 2000 + trial, 0, 0);
    for (uint64_t step = 1; step <= n; step++)
        work_report(work, study, trial, 2, step, step, value_at(trial, step));
}

static bool store_curves(const char *path, struct asy_store **ret)
{
    const struct asy_store_spec spec = { .path = path };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_id study = work_id(2);
    struct work work;
    uint64_t seq;
    bool ok = T_OK(work_create(&work, &err), &err) &&
              T_OK(asy_store_open(&spec, ret, NULL, &err), &err);

    if (ok)
        work_study(&work, study, "a", "minimize");
    for (size_t i = 0; ok && i < N_CURVES; i++) {
        add_trial(&work, study, i, lengths[i % ASY_ARRAY_LEN(lengths)]);
        ok = T_OK(work_commit(&work, *ret, &seq, &err), &err);
    }
    work_fini(&work);
    return ok;
}

/* Of n points every k-th, k the smallest power of two that leaves POINTS at most, and the last. */
static void check_curve(const struct asy_json *curve, size_t trial, size_t n)
{
    const struct asy_json *steps = asy_json_get(curve, "steps");
    const struct asy_json *values = asy_json_get(curve, "values");
    size_t stride = 1, want;

    while ((n + stride - 1) / stride > POINTS)
        stride *= 2;
    want = (n + stride - 1) / stride + ((n - 1) % stride != 0);
    T_EQ("trial", asy_json_i64(asy_json_get(curve, "trial"), -1), trial);
    if (!T_EQ("steps", asy_json_len(steps), want) || !T_EQ("values", asy_json_len(values), want))
        return;
    for (size_t i = 0; i < want; i++) {
        uint64_t step = i * stride < n ? 1 + i * stride : n;

        T_EQ("step", asy_json_i64(asy_json_at(steps, i), -1), step);
        T_TRUE(asy_json_f64(asy_json_at(values, i), -1) == value_at(trial, step));
    }
}

static void check_curves(struct asy_store *store)
{
    const struct asy_json *list;
    struct answer a;
    size_t most, at = 0;

    if (ask_counted(store, "curves", -1, &a, &most)) {
        T_STR("metric", asy_json_str(asy_json_get(a.root, "metric"), ""), METRIC);
        list = asy_json_get(a.root, "curves");
        for (size_t i = 0; i < N_CURVES; i++)
            if (lengths[i % ASY_ARRAY_LEN(lengths)] > 1) /* of one point there is no curve */
                check_curve(asy_json_at(list, at++), i, lengths[i % ASY_ARRAY_LEN(lengths)]);
        T_EQ("curves", asy_json_len(list), at);
        T_EQ("the most rows of a piece", most, ROWS);
    }
    answer_fini(&a);
}

static void long_curves_are_thinned_and_read_in_pieces(void)
{
    for (int on_disk = 0; on_disk < 2; on_disk++) {
        struct asy_store *store = NULL;
        struct t_folder folder;
        char path[PATH_MAX];

        if (!t_folder_make(&folder))
            return;
        if (store_curves(on_disk ? t_path(&folder, "store", path) : NULL, &store))
            check_curves(store);
        asy_store_close(store);
        t_folder_drop(&folder);
    }
}

/* ---- all that a trial reported --------------------------------------------------------------- */

#define SCORES 70 /* other names: more than are looked up together */
#define REPORTS 600

/* What the first attempt said was undone; of each report of the second come two metrics. */
static bool store_metrics(const char *path, struct asy_store **ret)
{
    static char names[SCORES][8];
    const struct asy_store_spec spec = { .path = path };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_id study = work_id(2);
    struct work work;
    uint64_t seq;
    bool ok = T_OK(work_create(&work, &err), &err) &&
              T_OK(asy_store_open(&spec, ret, NULL, &err), &err);

    if (ok) {
        work_study(&work, study, "a", "minimize");
        add_trial(&work, study, 0, REPORTS);
        for (size_t i = 0; i < SCORES; i++) {
            struct asy_event *ev = work_add(&work, ASY_EV_SCORE, study, 0, 1);

            snprintf(names[i], sizeof names[i], "s%zu", SCORES - 1 - i);
            ev->score.name = i ? names[i] : ""; /* a name may be empty */
            ev->score.step = i;
            ev->score.value = (double)i;
        }
        ok = T_OK(work_commit(&work, *ret, &seq, &err), &err);
    }
    work_fini(&work);
    return ok;
}

struct told {
    const struct asy_json *list;
    size_t n;
};

/* The next of the answer is this row. */
static int check_metric(void *arg, const struct asy_metric_row *row)
{
    struct told *told = arg;
    const struct asy_json *one = asy_json_at(told->list, told->n++);

    return T_STR("name", asy_json_str(asy_json_get(one, "name"), "none"), row->name) &&
                   T_EQ("step", asy_json_i64(asy_json_get(one, "step"), -1), row->step) &&
                   T_EQ("attempt", asy_json_i64(asy_json_get(one, "attempt"), -1), row->attempt) &&
                   T_TRUE(asy_json_f64(asy_json_get(one, "value"), -1) == row->value)
               ? 0 : ASY_E_INVAL;
}

static void all_that_a_trial_reported_is_read_in_pieces(void)
{
    for (int on_disk = 0; on_disk < 2; on_disk++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_store *store = NULL;
        struct answer a = { 0 };
        struct told told = { 0 };
        struct t_folder folder;
        char path[PATH_MAX];
        size_t most;

        if (!t_folder_make(&folder))
            return;
        if (store_metrics(on_disk ? t_path(&folder, "store", path) : NULL, &store) &&
            ask_counted(store, "trial", 0, &a, &most)) {
            told.list = asy_json_get(a.root, "metrics");
            T_OK(asy_reader_metrics(asy_store_reader(store), work_id(2), 0, 0, check_metric, &told,
                                    &err), &err);
            T_EQ("rows", told.n, 2 * REPORTS + 1 + SCORES);
            T_EQ("told", asy_json_len(told.list), told.n);
            T_EQ("the most rows of a piece", most, PAGE);
        }
        answer_fini(&a);
        asy_store_close(store);
        t_folder_drop(&folder);
    }
}

/* ---- fronts of many objectives --------------------------------------------------------------- */

#define GOALS 5
#define SPEC "{\"objective\":[{\"metric\":\"a\",\"goal\":\"minimize\"}," \
             "{\"metric\":\"b\",\"goal\":\"minimize\"},{\"metric\":\"c\",\"goal\":\"maximize\"}," \
             "{\"metric\":\"d\",\"goal\":\"minimize\"},{\"metric\":\"e\",\"goal\":\"minimize\"}]}"

/* Complete trials, one of them outside of a constraint, and one that failed. */
static const struct {
    double values[GOALS];
    double violation;
    int failed;
    size_t front; /* how many are in it after this trial; 0: it is not told */
} trials[] = {
    { { 5, 5, 1, 5, 5 }, 0, 0, 1 },  { { 4, 6, 1, 5, 5 }, 0, 0, 2 },
    { { 0, 0, 9, 0, 0 }, 2, 0, 0 },  { { 1, 1, 1, 1, 1 }, 0, 1, 0 },
    { { 5, 5, 1, 5, 6 }, 0, 0, 2 },  /* the first one covers it */
    { { 5, 5, 3, 5, 5 }, 0, 0, 2 },  /* in the place of the first */
    { { 9, 9, 0.5, 9, 1 }, 0, 0, 3 },  { { 1, 1, 4, 1, 1 }, 0, 0, 1 },
};

static void add_outcome(struct work *work, struct asy_id study, size_t i)
{
    static char texts[ASY_ARRAY_LEN(trials)][120];
    const double *v = trials[i].values;

    work_trial(work, study, i, 100 + i);
    work_trial_state(work, study, i, trials[i].failed ? ASY_TRIAL_FAILED : ASY_TRIAL_COMPLETE,
                     v[0]);
    snprintf(texts[i], sizeof texts[i], "{\"values\":[%g,%g,%g,%g,%g],\"violation\":%g}", v[0],
             v[1], v[2], v[3], v[4], trials[i].violation);
    work->events[work->n - 1].trial_state.outcome = texts[i];
}

static void check_history(const struct asy_json *root)
{
    static const double reference[GOALS] = { 9.9, 9.9, 0.45, 9.9, 6.6 };
    const struct asy_json *list = asy_json_get(root, "history"), *entry;
    size_t at = 0;

    for (size_t j = 0; j < GOALS; j++)
        T_NEAR("reference", asy_json_f64(asy_json_at(asy_json_get(root, "reference"), j), 0),
               reference[j], 1e-12);
    for (size_t i = 0; i < ASY_ARRAY_LEN(trials); i++) {
        if (!trials[i].front)
            continue;
        entry = asy_json_at(list, at++);
        T_EQ("trial", asy_json_i64(asy_json_get(entry, "trial"), -1), i);
        T_EQ("front", asy_json_i64(asy_json_get(entry, "front"), -1), trials[i].front);
        T_TRUE(!asy_json_get(entry, "volume"));
    }
    T_EQ("entries", asy_json_len(list), at);
}

static void five_objectives_have_a_history_without_volumes(void)
{
    static const struct asy_store_spec spec = { .path = NULL };
    const struct asy__question q = { .what = "history", .study = "a", .arg = "", .trial = -1,
                                     .after = -1, .limit = -1 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_store *store = NULL;
    struct answer a = { 0 };
    struct work work;
    uint64_t seq;

    if (!T_OK(work_create(&work, &err), &err) ||
        !T_OK(asy_store_open(&spec, &store, NULL, &err), &err))
        goto out;
    work_study(&work, work_id(2), "a", "minimize");
    work.events[0].study_created.spec = SPEC;
    for (size_t i = 0; i < ASY_ARRAY_LEN(trials); i++)
        add_outcome(&work, work_id(2), i);
    if (!T_OK(work_commit(&work, store, &seq, &err), &err))
        goto out;
    if (T_TRUE(ask(store, &q, &a)))
        check_history(a.root);
    answer_fini(&a);
out:
    asy_store_close(store);
    work_fini(&work);
}

T_MAIN("history", T_TEST(long_curves_are_thinned_and_read_in_pieces),
       T_TEST(all_that_a_trial_reported_is_read_in_pieces),
       T_TEST(five_objectives_have_a_history_without_volumes))
