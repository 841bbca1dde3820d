/* SPDX-License-Identifier: Apache-2.0
 * Whole jobs of boosted trees in this process: learning, resuming to the bit, stopping, stored
 * models that score what was reported, failing clearly. */
#include "jobkit.h"
#include <asy/csv.h>
#include <asy/parse.h>
#include <asy/rng.h>

/* What the callbacks saw, and what they ask for. */
static struct seen {
    uint64_t reports, checkpoints, ask_at; /* step; 0: never */
    enum asy_train_request ask;
    double objective[100], train_loss[100];
    char names[200], kept[160]; /* the newest checkpoint moves to kept; "": stays */
    const char *metric;
} seen;

static void on_step(void *arg, uint64_t step, double loss)
{
    (void)arg, (void)loss;
    if (step == seen.ask_at)
        asy_trainer_request(trainer, seen.ask);
}

static int on_report(void *arg, uint64_t step, const struct asy_train_metric *metrics, size_t n)
{
    size_t len = 0;

    (void)arg;
    for (size_t i = 0; i < n; i++) {
        len += (size_t)snprintf(seen.names + len, sizeof seen.names - len, "%s ", metrics[i].name);
        if (!strcmp(metrics[i].name, seen.metric))
            seen.objective[step % 100] = metrics[i].value;
        if (!strcmp(metrics[i].name, "train_loss"))
            seen.train_loss[step % 100] = metrics[i].value;
    }
    seen.reports++;
    return 0;
}

static int on_checkpoint(void *arg, uint64_t step, const char *path)
{
    (void)arg, (void)step;
    seen.checkpoints++;
    return seen.kept[0] && rename(path, seen.kept) < 0 ? ASY_E_IO : 0;
}

static const struct asy_train_callbacks callbacks = { .step = on_step, .report = on_report,
                                                      .checkpoint = on_checkpoint };

static bool set_up(struct bench *b, const char *metric)
{
    memset(&seen, 0, sizeof seen);
    seen.metric = metric;
    return bench_open(b);
}

static int train(struct bench *b, const struct asy_json *job, const char *resume)
{
    return asy_trainer_run(trainer, job, b->dir, resume, &callbacks, &b->result, &b->err);
}

/* A metric of a part by the stored model. */
static double evaluate(struct bench *b, const struct asy_json *job, const char *part,
                       const char *metric)
{
    struct asy_json *root = NULL;
    struct asy_buf json;
    double value = (double)NAN;

    asy_buf_init(&json, 1u << 16);
    if (T_OK(asy_trainer_evaluate(job, b->result.model_path, part, &json, &b->err), &b->err) &&
        T_OK(asy_json_parse(json.data, json.len, &root, &b->err), &b->err))
        value = asy_json_f64(asy_json_get(root, metric), (double)NAN);
    asy_json_destroy(root);
    asy_buf_fini(&json);
    return value;
}

static void digits_are_learnt(void)
{
    struct asy_json *job = kit_family_job("gbdt", KIT_DIGITS, "", "val_accuracy", "maximize", 30,
                                          "\"max_depth\":4", "");
    struct bench b;

    if (set_up(&b, "val_accuracy") && T_OK(train(&b, job, NULL), &b.err)) {
        T_EQ("outcome", b.result.outcome, ASY_TRAIN_COMPLETE);
        T_EQ("step", b.result.step, 30);
        T_EQ("reports", seen.reports, 30);
        T_STR("metrics", seen.names, "samples_per_s train_accuracy train_loss val_accuracy val_f1 "
                                     "val_loss ");
        T_TRUE(b.result.objective > 0.93);
        T_TRUE(evaluate(&b, job, "test", "test_accuracy") > 0.93);
        for (int i = 2; i <= 30; i++)
            T_TRUE(seen.train_loss[i] < seen.train_loss[i - 1]);
    }
    asy_json_destroy(job);
    tear_down(&b);
}

/* The stored model scores exactly what the best epoch reported, not what the last did. */
static void a_stored_model_is_the_best_epoch(void)
{
    struct asy_json *job = kit_family_job("gbdt", KIT_DIGITS, "", "val_loss", "minimize", 60,
                                          "\"lr\":0.9,\"patience\":6,\"subsample\":0.3", "");
    struct bench b;

    if (set_up(&b, "val_loss") && T_OK(train(&b, job, NULL), &b.err)) {
        double best = seen.objective[1];

        for (uint64_t i = 2; i <= b.result.step; i++)
            best = fmin(best, seen.objective[i]);
        T_HAS("reason", b.result.reason, "early stopping at epoch");
        T_TRUE(b.result.step < 60 && seen.objective[b.result.step] > best);
        T_NEAR("objective", b.result.objective, best, 0);
        T_NEAR("score", evaluate(&b, job, "validation", "val_loss"), best, 1e-12 * best);
    }
    asy_json_destroy(job);
    tear_down(&b);
}

#define DRAWN "\"max_depth\":3,\"subsample\":0.8,\"colsample\":0.4"
/* Rungs: to 3, to 7, to the end, each from the checkpoint of the one before. */
static void milestones_add_up_to_the_whole(void)
{
    static const char *const untils[] = { "\"until\":3", "\"until\":7", "\"until\":9" };
    struct asy_json *whole = kit_family_job("gbdt", KIT_DIGITS, "", "val_loss", "minimize", 9,
                                            DRAWN, "");
    char straight[160];
    struct bench b;

    if (!set_up(&b, "val_loss") || !T_OK(train(&b, whole, NULL), &b.err))
        goto out;
    snprintf(straight, sizeof straight, "%s/straight", b.dir);
    T_EQ("keep", rename(b.result.model_path, straight), 0);
    snprintf(seen.kept, sizeof seen.kept, "%s/kept", b.dir);
    for (size_t i = 0; i < ASY_ARRAY_LEN(untils); i++) {
        struct asy_json *job = kit_family_job("gbdt", KIT_DIGITS, "", "val_loss", "minimize", 9,
                                              DRAWN, untils[i]);

        seen.reports = 0;
        if (T_OK(train(&b, job, i ? seen.kept : NULL), &b.err)) {
            T_EQ("outcome", b.result.outcome, i < 2 ? ASY_TRAIN_PAUSED : ASY_TRAIN_COMPLETE);
            T_EQ("reports", seen.reports, i == 0 ? 3 : i == 1 ? 4 : 2);
        }
        asy_json_destroy(job);
    }
    kit_same("in three parts", b.result.model_path, straight);
out:
    asy_json_destroy(whole);
    tear_down(&b);
}

static void requests_are_heard_after_a_round(void)
{
    struct asy_json *job = kit_family_job("gbdt", KIT_DIGITS, "", "val_loss", "minimize", 6, DRAWN,
                                          "");
    char straight[160];
    struct bench b;

    if (!set_up(&b, "val_loss") || !T_OK(train(&b, job, NULL), &b.err))
        goto out;
    snprintf(straight, sizeof straight, "%s/straight", b.dir);
    T_EQ("keep", rename(b.result.model_path, straight), 0);
    snprintf(seen.kept, sizeof seen.kept, "%s/kept", b.dir);
    seen.ask_at = 2;
    seen.ask = ASY_TRAIN_PAUSE;
    T_OK(train(&b, job, NULL), &b.err);
    T_EQ("paused", b.result.outcome, ASY_TRAIN_PAUSED);
    T_EQ("checkpoints", seen.checkpoints, 1);
    seen.ask_at = 0;
    T_OK(train(&b, job, seen.kept), &b.err);
    T_EQ("complete", b.result.outcome, ASY_TRAIN_COMPLETE);
    kit_same("after a pause", b.result.model_path, straight);
    seen.ask_at = 3;
    seen.ask = ASY_TRAIN_STOP;
    T_OK(train(&b, job, NULL), &b.err);
    T_EQ("stopped", b.result.outcome, ASY_TRAIN_STOPPED);
out:
    asy_json_destroy(job);
    tear_down(&b);
}

static void foreign_checkpoints_and_wrong_values_are_refused(void)
{
    static const struct {
        const char *params, *says;
        int resumed;
    } cases[] = {
        { DRAWN ",\"lr\":0.2", "is of another trial: lr is", 1 },
        { "\"max_depth\":4", "is of another trial: max_depth is 3 there, 4 here", 1 },
        { DRAWN ",\"bins\":16", "is of another trial: bins is", 1 },
        { "\"max_depth\":13", "max_depth: 13 lies outside 1 to 12", 0 },
        { "\"hidden\":16", "'hidden' is no hyperparameter of gbdt", 0 },
        { "\"subsampel\":1", "did you mean 'subsample'?", 0 },
        { "\"subsample\":0", "subsample: 0 lies outside", 0 },
        { "\"bins\":2.5", "bins: 2.5 is not an integer", 0 },
    };
    struct asy_json *job = kit_family_job("gbdt", KIT_DIGITS, "", "val_loss", "minimize", 6, DRAWN,
                                          "\"until\":2");
    struct asy_json *mlp = kit_job(KIT_DIGITS, "", "val_loss", "minimize", 6, "", "");
    struct bench b;

    if (!set_up(&b, "val_loss"))
        goto out;
    snprintf(seen.kept, sizeof seen.kept, "%s/kept", b.dir);
    if (!T_OK(train(&b, job, NULL), &b.err))
        goto out;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_json *wrong = kit_family_job("gbdt", KIT_DIGITS, "", "val_loss", "minimize", 6,
                                                cases[i].params, "");

        T_EQ(cases[i].params, train(&b, wrong, cases[i].resumed ? seen.kept : NULL), ASY_E_INVAL);
        T_HAS(cases[i].params, b.err.text, cases[i].says);
        asy_json_destroy(wrong);
    }
    T_EQ("of a network", train(&b, mlp, seen.kept), ASY_E_INVAL);
    T_HAS("of a network", b.err.text, "model is gbdt there, mlp here");
out:
    asy_json_destroy(job);
    asy_json_destroy(mlp);
    tear_down(&b);
}

/* A population's trial goes on from another's trees, with rates of its own. */
static void a_population_goes_on_with_other_rates(void)
{
    struct asy_json *parent = kit_family_job("gbdt", KIT_DIGITS, "", "val_loss", "minimize", 6,
                                             DRAWN, "\"population\":true,\"until\":3");
    struct asy_json *child = kit_family_job("gbdt", KIT_DIGITS, "", "val_loss", "minimize", 6,
                                            "\"max_depth\":3,\"lr\":0.05,\"l2\":3",
                                            "\"population\":true");
    struct bench b;

    if (!set_up(&b, "val_loss"))
        goto out;
    snprintf(seen.kept, sizeof seen.kept, "%s/kept", b.dir);
    T_OK(train(&b, parent, NULL), &b.err);
    T_EQ("parent", b.result.outcome, ASY_TRAIN_PAUSED);
    if (T_OK(train(&b, child, seen.kept), &b.err)) {
        T_EQ("child", b.result.outcome, ASY_TRAIN_COMPLETE);
        T_TRUE(seen.objective[4] < seen.objective[3] && seen.reports == 6);
        /* a third of the parent's rate */
        T_TRUE(seen.train_loss[3] - seen.train_loss[4] < seen.train_loss[2] - seen.train_loss[3]);
        T_NEAR("score", evaluate(&b, child, "validation", "val_loss"), b.result.objective,
               1e-12);
    }
out:
    asy_json_destroy(parent);
    asy_json_destroy(child);
    tear_down(&b);
}

/* y = 3 where a > 5, else -2 b, and a class of its own for a > 5. */
static bool write_table(const char *path, int as_classes)
{
    struct asy_buf text;
    struct asy_rng rng;
    bool ok;

    asy_buf_init(&text, 1u << 20);
    asy_rng_init(&rng, 1, 0, ASY_RNG_SIM);
    asy_buf_adds(&text, "a,b,y\n");
    for (int i = 0; i < 800; i++) {
        double a = asy_rng_double(&rng) * 10, b = asy_rng_double(&rng);

        asy_buf_addf(&text, "%.17g,%.17g,", a, b);
        if (as_classes)
            asy_buf_adds(&text, a > 5 ? "high\n" : "low\n");
        else
            asy_buf_addf(&text, "%.17g\n", a > 5 ? 3 : -2 * b);
    }
    ok = kit_write(path, text.data, text.len);
    asy_buf_fini(&text);
    return ok;
}

static void numbers_are_learnt(void)
{
    struct asy_json *job = NULL;
    char path[160], fresh[160];
    struct asy_buf csv;
    struct bench b;
    double got = 0;

    asy_buf_init(&csv, 1u << 20);
    if (!set_up(&b, "val_r2"))
        goto out;
    snprintf(path, sizeof path, "%s/t.csv", b.dir);
    snprintf(fresh, sizeof fresh, "%s/fresh.csv", b.dir);
    job = kit_family_job("gbdt", path, "", "val_r2", "maximize", 40, "", "");
    if (write_table(path, 0) && kit_write(fresh, "b,a\n0.5,2\n0.5,9\n", 16) &&
        T_OK(train(&b, job, NULL), &b.err)) {
        T_STR("metrics", seen.names, "samples_per_s train_loss train_mae train_r2 train_rmse "
                                     "val_loss val_mae val_r2 val_rmse ");
        T_TRUE(b.result.objective > 0.99);
        T_NEAR("score", evaluate(&b, job, "validation", "val_r2"), b.result.objective, 1e-12);
        T_OK(asy_trainer_predict(b.result.model_path, fresh, 0, &csv, &b.err), &b.err);
        if (T_HAS("header", csv.data, "prediction\n")) {
            const char *line = csv.data + strlen("prediction\n");
            size_t len = strcspn(line, "\n");

            T_OK(asy_parse_f64(line, len, &got, &b.err), &b.err);
            T_NEAR("-2 b", got, -1, 0.2); /* r2 above 0.99 of a spread of 2.1 is within 0.21 */
            T_OK(asy_parse_f64(line + len + 1, strcspn(line + len + 1, "\n"), &got, &b.err),
                 &b.err);
            T_NEAR("3", got, 3, 0.2);
        }
    }
out:
    asy_json_destroy(job);
    asy_buf_fini(&csv);
    tear_down(&b);
}

static void two_classes_have_chances(void)
{
    struct asy_json *job = NULL;
    char path[160], fresh[160];
    struct asy_buf csv;
    struct bench b;

    asy_buf_init(&csv, 1u << 20);
    if (!set_up(&b, "val_loss"))
        goto out;
    snprintf(path, sizeof path, "%s/t.csv", b.dir);
    snprintf(fresh, sizeof fresh, "%s/fresh.csv", b.dir);
    job = kit_family_job("gbdt", path, "", "val_loss", "minimize", 20, "\"max_depth\":2", "");
    if (write_table(path, 1) && kit_write(fresh, "a,b\n2,0.5\n9,0.5\n", 16) &&
        T_OK(train(&b, job, NULL), &b.err)) {
        T_TRUE(b.result.objective < 0.05);
        T_NEAR("score", evaluate(&b, job, "validation", "val_loss"), b.result.objective,
               1e-12);
        T_OK(asy_trainer_predict(b.result.model_path, fresh, 0, &csv, &b.err), &b.err);
        T_HAS("rows", csv.data, "prediction,high,low\nlow,0.0");
        T_HAS("rows", csv.data, "\nhigh,0.9");
    }
out:
    asy_json_destroy(job);
    asy_buf_fini(&csv);
    tear_down(&b);
}

T_MAIN("trees", T_TEST(digits_are_learnt), T_TEST(a_stored_model_is_the_best_epoch),
       T_TEST(milestones_add_up_to_the_whole), T_TEST(requests_are_heard_after_a_round),
       T_TEST(foreign_checkpoints_and_wrong_values_are_refused),
       T_TEST(a_population_goes_on_with_other_rates), T_TEST(numbers_are_learnt),
       T_TEST(two_classes_have_chances))
