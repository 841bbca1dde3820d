/* SPDX-License-Identifier: Apache-2.0
 * Whole jobs of plug-ins in this process: learning, resuming to the bit, failing with a reason. */
#include "jobkit.h"
#include "nomem.h"
#include <asy/durable.h>
#include <asy/plugin.h>
#include <asy/safetensors.h>

#define DATA "\"data\":{\"file\":\"" KIT_DIGITS "\",\"label\":-1},"
#define FOLDS(split) "\"data\":{\"file\":\"" KIT_DIGITS "\",\"split\":{" split "}},"

/* What the callbacks saw, and what they are to do. */
static struct seen {
    uint64_t reports, alive, updates, pause_at; /* 0: never */
    char names[200], kept[160];                 /* kept: where checkpoints move to; "": they stay */
    double val_accuracy, first_rmse, last_loss, last_rmse, last_std;
} seen;

static void on_step(void *arg, uint64_t step, double loss)
{
    (void)arg, (void)loss;
    seen.updates = step;
    if (step == seen.pause_at)
        asy_trainer_request(trainer, ASY_TRAIN_PAUSE);
}

static void on_alive(void *arg)
{
    (void)arg;
    seen.alive++;
}

static int on_report(void *arg, uint64_t step, const struct asy_train_metric *metrics, size_t n)
{
    size_t len = 0;

    (void)arg;
    seen.names[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        len += (size_t)snprintf(seen.names + len, sizeof seen.names - len, "%s ", metrics[i].name);
        if (!strcmp(metrics[i].name, "val_accuracy"))
            seen.val_accuracy = metrics[i].value;
        if (!strcmp(metrics[i].name, "val_loss"))
            seen.last_loss = metrics[i].value;
        if (!strcmp(metrics[i].name, "val_loss_std"))
            seen.last_std = metrics[i].value;
        if (!strcmp(metrics[i].name, "val_rmse"))
            seen.last_rmse = metrics[i].value;
    }
    if (step == 1)
        seen.first_rmse = seen.last_rmse;
    seen.reports++;
    return 0;
}

static int on_checkpoint(void *arg, uint64_t step, const char *path)
{
    (void)arg, (void)step;
    return seen.kept[0] && rename(path, seen.kept) < 0 ? ASY_E_IO : 0;
}

/* run: the plug-in and more members; data: with its comma. */
static struct asy_json *make_job(const char *run, const char *data, const char *metric, int max,
                                 const char *params, const char *rest)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *job = NULL;
    struct asy_buf buf;

    asy_buf_init(&buf, 1u << 16);
    asy_buf_addf(&buf, "{\"study\":{\"name\":\"test\",\"run\":{\"plugin\":\"%s\",\"length\":"
                 "{\"unit\":\"epochs\",\"max\":%d}},%s\"resources\":{\"reproducible\":\"strict\"},"
                 "\"objective\":{\"metric\":\"%s\",\"goal\":\"minimize\",\"take\":\"best\"}},"
                 "\"params\":{%s},\"seed\":7,\"number\":3%s%s}",
                 run, max, data, metric, params, *rest ? "," : "", rest);
    T_OK(asy_json_parse(buf.data, buf.len, &job, &err), &err);
    asy_buf_fini(&buf);
    return job;
}

static bool set_up(struct bench *b)
{
    memset(&seen, 0, sizeof seen);
    return bench_open(b);
}

static int run(struct bench *b, struct asy_json *job, const char *resume)
{
    static const struct asy_train_callbacks callbacks = { .step = on_step, .alive = on_alive,
                                                          .report = on_report,
                                                          .checkpoint = on_checkpoint };
    int rc;

    b->err = (struct asy_error)ASY_ERROR_INIT;
    rc = asy_trainer_run(trainer, job, b->dir, resume, &callbacks, &b->result, &b->err);
    asy_json_destroy(job);
    return rc;
}

#define FM_PARAMS "\"lr\":0.02,\"batch_size\":64,\"factors\":3,\"drop\":0.1"
#define FM_MORE FM_PARAMS ",\"ema\":0.9,\"clip\":0.5,\"lr_schedule\":\"cosine\",\"accumulate\":3"
#define SHARES_PARAMS "\"lr\":0.01,\"batch_size\":64,\"optimizer\":\"adam\",\"ema\":0.9"
#define ODD_PARAMS "\"lr\":0.05,\"batch_size\":16,\"optimizer\":\"sgd\""

static void an_example_learns(void)
{
    struct bench b;

    if (set_up(&b) &&
        T_OK(run(&b, make_job(PLUGIN_FM_SO, DATA, "val_loss", 4, FM_PARAMS, ""), NULL), &b.err)) {
        T_EQ("outcome", b.result.outcome, ASY_TRAIN_COMPLETE);
        T_HAS("metrics", seen.names,
              "samples_per_s train_accuracy train_loss val_accuracy val_loss ");
        T_TRUE(seen.val_accuracy > 0.9);
        T_TRUE(b.result.objective < 0.4);
        T_TRUE(seen.alive > seen.updates); /* between pieces of scoring, too */
    }
    tear_down(&b);
}

/* The weights of a training without a break. */
static bool whole(struct bench *b, const char *plugin, const char *data, const char *params,
                  const char *to)
{
    return T_OK(run(b, make_job(plugin, data, "val_loss", 3, params, ""), NULL), &b->err) &&
           T_EQ("complete", b->result.outcome, ASY_TRAIN_COMPLETE) &&
           T_EQ("kept", rename(b->result.model_path, to), 0);
}

static void a_resumed_training_has_the_same_bits(void)
{
    static const struct { const char *name, *plugin, *data, *params, *rest; uint64_t pause_at;
        const char *shape;
    } cases[] = {
        { "at a rung", PLUGIN_FM_SO, DATA, FM_PARAMS, "\"until\":2", 0, "\"factors\":5" },
        { "in an epoch", PLUGIN_FM_SO, DATA, FM_PARAMS, "", 25, "\"factors\":5" },
        { "with a mean", PLUGIN_FM_SO, DATA, FM_MORE, "", 25, "\"factors\":5" },
        { "own data and state, at a rung", PLUGIN_ODD_SO, "", ODD_PARAMS, "\"until\":2", 0,
          "\"rows\":40" },
        { "own data and state, in an epoch", PLUGIN_ODD_SO, "", ODD_PARAMS, "", 9, "\"rows\":40" },
        { "folds, at a rung", PLUGIN_FM_SO, FOLDS("\"folds\":2"), FM_PARAMS, "\"until\":2", 0,
          "\"factors\":5" },
        { "folds and state, in a fold", PLUGIN_SHARES_SO, FOLDS("\"folds\":3"), SHARES_PARAMS, "",
          80, "\"pull\":0.5" }, /* of 15, 15, 15 and 23 batches: in the second epoch's first */
        { "between folds", PLUGIN_SHARES_SO, FOLDS("\"folds\":3"), SHARES_PARAMS, "", 30,
          "\"pull\":0.5" },
        { "in the training of all rows", PLUGIN_SHARES_SO, FOLDS("\"repeats\":2"), SHARES_PARAMS,
          "", 40, "\"pull\":0.5" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        char model[100], checkpoint[100];
        struct bench b;

        if (!set_up(&b))
            return;
        snprintf(model, sizeof model, "%s/whole", b.dir);
        snprintf(checkpoint, sizeof checkpoint, "%s/kept", b.dir);
        if (!whole(&b, cases[i].plugin, cases[i].data, cases[i].params, model))
            goto next;
        snprintf(seen.kept, sizeof seen.kept, "%s", checkpoint);
        seen.pause_at = cases[i].pause_at;
        if (!T_OK(run(&b, make_job(cases[i].plugin, cases[i].data, "val_loss", 3, cases[i].params,
                                   cases[i].rest), NULL), &b.err) ||
            !T_EQ(cases[i].name, b.result.outcome, ASY_TRAIN_PAUSED))
            goto next;
        seen.pause_at = 0;
        if (T_OK(run(&b, make_job(cases[i].plugin, cases[i].data, "val_loss", 3, cases[i].params,
                                  ""), checkpoint), &b.err))
            kit_same(cases[i].name, b.result.model_path, model);
        T_EQ("of another shape",
             run(&b, make_job(cases[i].plugin, cases[i].data, "val_loss", 3, cases[i].shape, ""),
                 checkpoint), ASY_E_INVAL);
        T_HAS("of another shape", b.err.text, "is of another trial: ");
next:
        tear_down(&b);
    }
}

/* What shares.c keeps: the last update before the best epoch's end, of 23 in each epoch. */
static void state_is_of_an_epochs_end(const char *model)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_safetensors *file = NULL;
    const struct asy_tensor *state;
    uint64_t update = 0;

    if (T_OK(asy_safetensors_open(model, &file, &err), &err) &&
        T_TRUE((state = asy_safetensors_find(file, "state")) && state->size == sizeof update)) {
        memcpy(&update, state->bytes, sizeof update);
        T_EQ("updates", (update + 1) % 23, 0);
    }
    asy_safetensors_destroy(file);
}

/* A model with numbers where the plug-in's state was, as many bytes. */
static void state_is_bytes(const struct asy_json *job, const char *model)
{
    static const char was[] = "\"state\":{\"dtype\":\"U8\"";
    struct asy_error err = ASY_ERROR_INIT;
    char *bytes = NULL, *at;
    struct asy_buf text;
    size_t n = 0;

    asy_buf_init(&text, 1u << 16);
    if (T_OK(asy_read_file(model, 1u << 20, &bytes, &n, &err), &err) &&
        T_TRUE((at = memmem(bytes, n, was, strlen(was))) != NULL)) {
        memcpy(at + strlen(was) - 3, "I8", 2);
        T_TRUE(kit_write(model, bytes, n));
        T_EQ("refused", asy_trainer_evaluate(job, model, "test", &text, &err), ASY_E_CORRUPT);
        T_HAS("refused", err.text, "tensor 'state' is not what a plug-in keeps");
    }
    asy_buf_fini(&text);
    free(bytes);
}

/* Means over the folds, each with parameters for its own rows; and a model of all rows, which is
 * scored on those of the test part. */
static void folds_are_trained_side_by_side(void)
{
    static const char data[] = FOLDS("\"folds\":3,\"test\":0.2");
    struct asy_json *job = make_job(PLUGIN_SHARES_SO, data, "val_loss", 6, "", "");
    struct asy_json *scores = NULL;
    struct asy_buf text;
    struct bench b;

    asy_buf_init(&text, 1u << 16);
    if (set_up(&b) && T_OK(run(&b, make_job(PLUGIN_SHARES_SO, data, "val_loss", 6, SHARES_PARAMS,
                                            ""), NULL), &b.err)) {
        T_EQ("updates", seen.updates, 6 * (3 * 15 + 23)); /* 958 or 959 rows, and 1438 */
        T_EQ("reports", seen.reports, 6);
        /* 480, 479 and 479 rows are held out: `even` is not of all folds */
        T_STR("metrics", seen.names, "samples_per_s train_loss val_loss val_loss_std ");
        T_TRUE(seen.last_std > 0 && seen.last_std < 1);
        T_TRUE(b.result.objective < 5); /* the labels' variance is 8.2 */
        state_is_of_an_epochs_end(b.result.model_path);
        T_STR("no report is made of it", b.result.scores_path, "");
        T_OK(asy_trainer_evaluate(job, b.result.model_path, "test", &text, &b.err), &b.err);
        if (T_OK(asy_json_parse(text.data, text.len, &scores, &b.err), &b.err)) {
            T_EQ("rows", asy_json_i64(asy_json_get(scores, "rows"), 0), 359);
            T_NEAR("test", asy_json_f64(asy_json_get(scores, "test_loss"), 0), b.result.objective,
                   1);
        }
        state_is_bytes(job, b.result.model_path);
    }
    asy_json_destroy(scores);
    asy_json_destroy(job);
    asy_buf_fini(&text);
    tear_down(&b);
}

static void own_data_and_roots_are_reported(void)
{
    struct bench b;

    if (set_up(&b) &&
        T_OK(run(&b, make_job(PLUGIN_ODD_SO, "", "val_rmse", 9, ODD_PARAMS, ""), NULL), &b.err)) {
        T_HAS("metrics", seen.names,
              "samples_per_s train_loss train_rmse val_loss val_rmse ");
        T_TRUE(seen.last_rmse < seen.first_rmse);
        T_NEAR("a root", seen.last_rmse * seen.last_rmse, seen.last_loss, 1e-12);
        T_EQ("updates: 96 rows in batches of 16", seen.updates, 9 * 6);
    }
    tear_down(&b);
}

static void failures_have_a_reason(void)
{
    static const struct { const char *name, *params, *metric, *want; } cases[] = {
        { "step", "\"does\":\"fail\"", "val_loss",
          "plug-in 'odd': step() failed: no mood for update 3" },
        { "evaluate", "\"does\":\"fail\",\"where\":\"evaluate\"", "val_loss",
          "plug-in 'odd': evaluate() failed: no mood for update 0" },
        { "create", "\"does\":\"fail\",\"where\":\"create\"", "val_loss",
          "plug-in 'odd': create() failed: no mood" },
        { "params", "\"does\":\"fail\",\"where\":\"params\"", "val_loss",
          "plug-in 'odd': params() failed: no mood" },
        { "save", "\"does\":\"fail\",\"where\":\"save\"", "val_loss",
          "plug-in 'odd': it keeps 2147483648 bytes, more than 1073741824" },
        { "no rows", "\"rows\":0", "val_loss",
          "plug-in 'odd': it has 0 rows to train on, of 30; 1 to 2^32 - 1 are allowed" },
        { "metric", "", "val_accuracy",
          "objective: plug-in 'odd' does not report 'val_accuracy'" },
        { "no count", "", "val_never", "plug-in 'odd' has counted nothing for 'val_never'" },
        { "name", "\"dose\":\"fail\"", "val_loss",
          "params: 'dose' is no hyperparameter of plugin; did you mean 'does'?" },
        { "word", "\"does\":\"rbf\"", "val_loss", "params: does: 'rbf' is not one of well|crash|" },
        { "range", "\"on\":65", "val_loss", "params: on: 65 lies outside 0 to 64" },
        { "whole", "\"at\":1.5", "val_loss", "params: at: 1.5 is not an integer" },
        { "exact", "\"at\":9007199254740993", "val_loss",
          "params: at: a whole number up to 2^53 is wanted" },
        { "number", "\"at\":\"x\"", "val_loss", "params: at: a number is wanted" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct bench b;

        if (!set_up(&b))
            return;
        T_EQ(cases[i].name, run(&b, make_job(PLUGIN_ODD_SO, "", cases[i].metric, 2,
                                             cases[i].params, ""), NULL), ASY_E_INVAL);
        T_HAS(cases[i].name, b.err.text, cases[i].want);
        tear_down(&b);
    }
}

static void jobs_that_do_not_fit_are_refused(void)
{
    static const struct { const char *name, *plugin, *data, *want; } cases[] = {
        { "data", PLUGIN_ODD_SO, DATA, "data: the plug-in brings its own; leave it out" },
        { "no data", PLUGIN_FM_SO, "", "data" },
        { "regression", PLUGIN_FM_SO, "\"data\":{\"file\":\"" KIT_DIGITS "\",\"label\":0,"
          "\"task\":\"regression\"},", "plug-in 'fm': create() failed: the label has no classes" },
        { "file", "/nowhere/x.so", DATA, "plug-in '/nowhere/x.so': " },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct bench b;

        if (!set_up(&b))
            return;
        T_EQ(cases[i].name, run(&b, make_job(cases[i].plugin, cases[i].data, "val_loss", 2, "",
                                             ""), NULL), ASY_E_INVAL);
        T_HAS(cases[i].name, b.err.text, cases[i].want);
        tear_down(&b);
    }
}

static void names_of_the_engine_are_taken(void)
{
    static const struct { const char *wrong, *want; } cases[] = {
        { "metric_std", "split: plug-in 'wrong' reports 'loss_std', which is where folds and" },
        { "hyper_lr", "hyperparameter 'lr' has the name of one of the engine's" },
        { "hyper_repeats", "hyperparameter 'repeats' has the name of one of the engine's" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct bench b;

        if (!set_up(&b))
            return;
        setenv("PLUGIN_WRONG", cases[i].wrong, 1);
        T_EQ(cases[i].wrong, run(&b, make_job(PLUGIN_WRONG_SO, FOLDS("\"folds\":2"), "val_loss", 2,
                                              "", ""), NULL), ASY_E_INVAL);
        T_HAS(cases[i].wrong, b.err.text, cases[i].want);
        unsetenv("PLUGIN_WRONG");
        tear_down(&b);
    }
}

static void a_loss_that_is_no_number_diverges(void)
{
    struct bench b;

    if (set_up(&b) && T_OK(run(&b, make_job(PLUGIN_ODD_SO, "", "val_loss", 3,
                                            "\"does\":\"nan\",\"batch_size\":16", ""), NULL),
                           &b.err)) {
        T_EQ("outcome", b.result.outcome, ASY_TRAIN_DIVERGED);
        T_HAS("reason", b.result.reason, "train_loss is not finite in epoch 1, batch 4");
    }
    tear_down(&b);
}

/* Scores of the best epoch, by who was not there when it was trained. */
static void stored_models_are_scored(void)
{
    static const struct { const char *plugin, *data, *params, *want; } cases[] = {
        { PLUGIN_FM_SO, DATA, FM_PARAMS, "\"test_accuracy\":0.9" },
        { PLUGIN_FM_SO, DATA, FM_MORE, "\"test_accuracy\":0." },
        { PLUGIN_ODD_SO, "", ODD_PARAMS, "{\"rows\":10,\"test_loss\":" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_buf text;
        struct asy_json *scores = NULL;
        struct bench b;

        asy_buf_init(&text, 1u << 16);
        if (!set_up(&b) || !T_OK(run(&b, make_job(cases[i].plugin, cases[i].data, "val_loss", 4,
                                                  cases[i].params, ""), NULL), &b.err))
            goto next;
        for (int part = 0; part < 2; part++) { /* the job as `assay` has it: without params */
            struct asy_json *job = make_job(cases[i].plugin, cases[i].data, "val_loss", 4, "", "");

            asy_buf_clear(&text);
            T_OK(asy_trainer_evaluate(job, b.result.model_path, part ? "validation" : "test", &text,
                                      &b.err), &b.err);
            asy_json_destroy(job);
            if (!part)
                T_HAS("test", text.data, cases[i].want);
        }
        if (T_OK(asy_json_parse(text.data, text.len, &scores, &b.err), &b.err)) /* by one shard */
            T_NEAR("as in training", asy_json_f64(asy_json_get(scores, "val_loss"), 0),
                   b.result.objective, 1e-12);
        asy_json_destroy(scores);
        asy_buf_clear(&text);
        T_EQ("predict", asy_trainer_predict(b.result.model_path, KIT_DIGITS, 0, &text, &b.err),
             ASY_E_INVAL);
        T_HAS("predict", b.err.text, "and only that knows what its parameters mean");
next:
        asy_buf_fini(&text);
        tear_down(&b);
    }
}

/* A checkpoint, then the rest of the training from it, each with any allocation failing. */
static struct bench *thirsty;
static struct asy_json *thirsty_job;
static const char *thirsty_resume;

static int train_thirsty(struct asy_error *err)
{
    static const struct asy_train_callbacks callbacks = { .checkpoint = on_checkpoint };

    return asy_trainer_run(trainer, thirsty_job, thirsty->dir, thirsty_resume, &callbacks,
                           &thirsty->result, err);
}

/* Two folds of twelve rows, and all of them. */
static bool write_rows(const struct bench *b, char data[200])
{
    char path[100];
    struct asy_buf csv;
    bool ok;

    asy_buf_init(&csv, 1u << 12);
    for (int i = 0; i < 12; i++)
        asy_buf_addf(&csv, "%d,%d,%d\n", i % 5, i * 7 % 11, i % 3);
    snprintf(path, sizeof path, "%s/rows.csv", b->dir);
    snprintf(data, 200, "\"data\":{\"file\":\"%s\",\"task\":\"classification\",\"split\":{"
             "\"folds\":2,\"test\":0}},", path);
    ok = kit_write(path, csv.data, csv.len);
    asy_buf_fini(&csv);
    return ok;
}

static void lack_of_memory_is_an_error(void)
{
    char checkpoint[100], rows[200];
    struct bench b;

    thirsty = &b;
    if (!set_up(&b) || !write_rows(&b, rows))
        goto out;
    snprintf(checkpoint, sizeof checkpoint, "%s/kept", b.dir);
    snprintf(seen.kept, sizeof seen.kept, "%s", checkpoint);
    for (int folds = 0; folds < 2; folds++)
        for (int rest = 0; rest < 2; rest++) {
            if (!rest)
                ASY_IGNORE(asy_durable_remove(checkpoint, NULL));
            thirsty_job = make_job(folds ? PLUGIN_SHARES_SO : PLUGIN_ODD_SO, folds ? rows : "",
                                   "val_loss", 2, folds ? SHARES_PARAMS : ODD_PARAMS,
                                   rest ? "" : "\"until\":1");
            thirsty_resume = rest ? checkpoint : NULL;
            T_TRUE(t_nomem_each(rest ? "from there" : "to a checkpoint", train_thirsty) > 10);
            T_EQ("whole", b.result.outcome, rest ? ASY_TRAIN_COMPLETE : ASY_TRAIN_PAUSED);
            asy_json_destroy(thirsty_job);
        }
out:
    tear_down(&b);
}

T_MAIN("plug-ins at work", T_TEST(an_example_learns), T_TEST(a_resumed_training_has_the_same_bits),
       T_TEST(folds_are_trained_side_by_side), T_TEST(own_data_and_roots_are_reported),
       T_TEST(failures_have_a_reason),
       T_TEST(jobs_that_do_not_fit_are_refused),
       T_TEST(names_of_the_engine_are_taken), T_TEST(a_loss_that_is_no_number_diverges),
       T_TEST(stored_models_are_scored), T_TEST(lack_of_memory_is_an_error))
