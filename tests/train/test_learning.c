/* SPDX-License-Identifier: Apache-2.0
 * Jobs with all that is about learning: that each does what it says, costs no bits when a training
 * is interrupted, and is refused where it makes no sense. */
#include "jobkit.h"
#include <asy/parse.h>
#include <asy/rng.h>
#include "learn/loss.h"
#include "state.h"

static uint64_t pause_at;  /* step; 0: never */
static char straight[160]; /* where the model of an uninterrupted job goes */

static struct seen {
    size_t n;
    struct {
        char name[32];
        double value;
    } metric[32]; /* of the last report */
    char names[400];
    double losses[64]; /* train_loss by epoch */
    char kept[160];
} seen;

static void on_step(void *arg, uint64_t step, double loss)
{
    (void)arg, (void)loss;
    if (step == pause_at)
        asy_trainer_request(trainer, ASY_TRAIN_PAUSE);
}

static int on_report(void *arg, uint64_t step, const struct asy_train_metric *metrics, size_t n)
{
    size_t len = 0;

    (void)arg;
    seen.n = n;
    for (size_t i = 0; i < n && i < ASY_ARRAY_LEN(seen.metric); i++) {
        snprintf(seen.metric[i].name, sizeof seen.metric[i].name, "%s", metrics[i].name);
        seen.metric[i].value = metrics[i].value;
        len += (size_t)snprintf(seen.names + len, sizeof seen.names - len, "%s ", metrics[i].name);
        if (!strcmp(metrics[i].name, "train_loss"))
            seen.losses[step % 64] = metrics[i].value;
    }
    return 0;
}

static int on_checkpoint(void *arg, uint64_t step, const char *path)
{
    (void)arg, (void)step;
    return seen.kept[0] && rename(path, seen.kept) < 0 ? ASY_E_IO : 0;
}

static const struct asy_train_callbacks callbacks = { .step = on_step, .report = on_report,
                                                      .checkpoint = on_checkpoint };

static double metric(const char *name)
{
    for (size_t i = 0; i < seen.n; i++)
        if (!strcmp(seen.metric[i].name, name))
            return seen.metric[i].value;
    return NAN;
}

static bool set_up(struct bench *b)
{
    memset(&seen, 0, sizeof seen);
    pause_at = 0;
    if (!bench_open(b))
        return false;
    snprintf(straight, sizeof straight, "%s/straight", b->dir);
    return true;
}

static int train(struct bench *b, const struct asy_json *job, const char *resume)
{
    return asy_trainer_run(trainer, job, b->dir, resume, &callbacks, &b->result, &b->err);
}

static int run(struct bench *b, const char *metric_name, const char *goal, int epochs,
               const char *params)
{
    struct asy_json *job = kit_job(KIT_DIGITS, "", metric_name, goal, epochs, params, "");
    int rc = train(b, job, NULL);

    asy_json_destroy(job);
    return rc;
}

#define SMALL "\"hidden\":16,\"batch_size\":50,\"lr\":0.01"
#define STEPS_PER_EPOCH 22 /* 1079 training rows in batches of 50 */

/* All that a step keeps in mind, in one job or the other. */
static const char *const whole[] = {
    SMALL ",\"ema\":0.95,\"clip\":0.5,\"lr_schedule\":\"cosine\",\"warmup\":1.5",
    SMALL ",\"optimizer\":\"lamb\",\"accumulate\":3,\"label_smoothing\":0.1,\"class_balance\":0.5,"
          "\"class_weights\":{\"0\":2,\"9\":0.25}",
    SMALL ",\"optimizer\":\"sgd\",\"lr_schedule\":\"plateau\",\"lr_every\":1,\"lr_factor\":0.5,"
          "\"ema\":0.9",
    SMALL ",\"optimizer\":\"lars\",\"trust\":0.02,\"lr_schedule\":\"one_cycle\",\"clip\":1",
    SMALL ",\"optimizer\":\"adam_l2\",\"weight_decay\":0.01,\"lr_schedule\":\"step\","
          "\"lr_every\":2,\"accumulate\":2",
};

static void interrupted_training_ends_with_the_same_bits(void)
{
    struct asy_rng rng;
    struct bench b;

    if (!set_up(&b))
        goto out;
    snprintf(seen.kept, sizeof seen.kept, "%s/kept", b.dir);
    asy_rng_init(&rng, 5, 0, ASY_RNG_SIM);
    for (size_t i = 0; i < ASY_ARRAY_LEN(whole); i++) {
        struct asy_json *job = kit_job(KIT_DIGITS, "", "val_loss", "minimize", 6, whole[i], "");
        uint64_t first = 2 + asy_rng_below(&rng, 3 * STEPS_PER_EPOCH);

        pause_at = 0;
        if (T_OK(train(&b, job, NULL), &b.err) &&
            T_EQ("keep", rename(b.result.model_path, straight), 0)) {
            pause_at = first; /* within an epoch, and again in a later one */
            T_OK(train(&b, job, NULL), &b.err);
            T_EQ("outcome", b.result.outcome, ASY_TRAIN_PAUSED);
            pause_at = first + 2 * STEPS_PER_EPOCH - 1;
            T_OK(train(&b, job, seen.kept), &b.err);
            T_EQ("outcome", b.result.outcome, ASY_TRAIN_PAUSED);
            pause_at = 0;
            if (T_OK(train(&b, job, seen.kept), &b.err))
                kit_same(whole[i], b.result.model_path, straight);
        }
        asy_json_destroy(job);
    }
out:
    tear_down(&b);
}

/* Each by itself changes what is learnt; its default does not. */
static void each_hyperparameter_has_an_effect(void)
{
    static const struct {
        const char *params;
        bool changes;
    } cases[] = {
        { "\"clip\":0.1", true },            { "\"clip\":1e9", false },
        { "\"ema\":0.5", true },             { "\"warmup\":1", true },
        { "\"lr_schedule\":\"linear\"", true }, { "\"lr_schedule\":\"constant\"", false },
        { "\"optimizer\":\"adamw\"", false }, { "\"optimizer\":\"lamb\"", true },
        { "\"optimizer\":\"lars\"", true },  { "\"label_smoothing\":0.2", true },
        { "\"class_balance\":1", true },     { "\"accumulate\":4", true },
        { "\"class_weights\":{\"3\":4}", true },
        { "\"delta\":3,\"quantile\":0.9,\"trust\":0.5,\"lr_end\":0.5,\"lr_every\":3", false },
    };
    struct bench b;
    double plain;

    if (set_up(&b) && T_OK(run(&b, "val_loss", "minimize", 2, SMALL), &b.err)) {
        plain = b.result.objective;
        for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
            char params[200];

            snprintf(params, sizeof params, SMALL ",%s", cases[i].params);
            T_OK(run(&b, "val_loss", "minimize", 2, params), &b.err);
            T_EQ(cases[i].params, b.result.objective != plain, cases[i].changes);
        }
    }
    tear_down(&b);
}

/* Pieces only differ in how sums are rounded: losses of the first epoch agree to 1e-5. */
static void pieces_of_a_batch_make_the_same_update(void)
{
    struct bench b;
    double plain;

    if (set_up(&b) && T_OK(run(&b, "val_loss", "minimize", 1, SMALL), &b.err)) {
        plain = metric("train_loss");
        T_OK(run(&b, "val_loss", "minimize", 1, SMALL ",\"accumulate\":7"), &b.err);
        T_NEAR("train_loss", metric("train_loss"), plain, 1e-5 * plain);
        T_OK(run(&b, "val_loss", "minimize", 1, SMALL ",\"accumulate\":1024"), &b.err);
        T_NEAR("a row a piece", metric("train_loss"), plain, 1e-5 * plain);
    }
    tear_down(&b);
}

/* Without steps that count the mean stays near the first weights; what is stored is the mean. */
static void the_mean_is_what_is_validated_and_stored(void)
{
    struct asy_json *job = kit_job(KIT_DIGITS, "", "val_loss", "minimize", 4,
                                   SMALL ",\"ema\":0.99", "");
    struct asy_json *root = NULL;
    struct asy_buf json;
    struct bench b;

    asy_buf_init(&json, 1u << 16);
    if (set_up(&b) && T_OK(train(&b, job, NULL), &b.err) &&
        T_OK(asy_trainer_evaluate(job, b.result.model_path, "validation", &json, &b.err),
             &b.err) &&
        T_OK(asy_json_parse(json.data, json.len, &root, &b.err), &b.err))
        T_NEAR("val_loss", asy_json_f64(asy_json_get(root, "val_loss"), NAN), b.result.objective,
               1e-12);
    asy_json_destroy(root);
    asy_buf_fini(&json);
    asy_json_destroy(job);
    tear_down(&b);
}

#define MANY "\"label\":-1,\"split\":{\"validation\":0.05,\"test\":0,\"stratify\":false}"

/* More scores than are sorted unasked; named, the area comes. */
static void the_area_of_many_classes_is_asked_for(void)
{
    static const char *const names[] = { "val_loss", "val_auc" };
    enum { ROWS = 2200 }; /* each a class, 95 % of them to train on */
    struct asy_buf text, json;
    char path[100];
    struct bench b;

    asy_buf_init(&text, 1u << 20);
    asy_buf_init(&json, 1u << 16);
    for (int i = 0; i < ROWS; i++)
        asy_buf_addf(&text, "%d,c%d\n", i % 7, i);
    if (set_up(&b)) {
        struct asy_json *job;

        snprintf(path, sizeof path, "%s/many.csv", b.dir);
        kit_write(path, text.data, text.len);
        job = kit_family_job("linear", path, MANY, "val_loss", "minimize", 1,
                             "\"batch_size\":1024", "");
        T_OK(train(&b, job, NULL), &b.err);
        asy_json_destroy(job);
        for (size_t i = 0; i < ASY_ARRAY_LEN(names); i++) {
            job = kit_family_job("linear", path, MANY, names[i], "minimize", 1, "", "");
            asy_buf_clear(&json);
            T_OK(asy_trainer_evaluate(job, b.result.model_path, "train", &json, &b.err), &b.err);
            T_HAS("always", json.data, "\"train_f1\":");
            T_EQ(names[i], strstr(json.data, "\"train_auc\":") != NULL, i == 1);
            asy_json_destroy(job);
        }
    }
    asy_buf_fini(&text);
    asy_buf_fini(&json);
    tear_down(&b);
}

static void metrics_come_where_they_are_named(void)
{
    static const struct {
        const char *metric, *goal, *names;
    } cases[] = {
        { "val_auc", "maximize", "samples_per_s train_accuracy train_loss val_accuracy val_auc "
                                 "val_f1 val_loss " },
        { "val_top5", "maximize", "samples_per_s train_accuracy train_loss val_accuracy val_f1 "
                                  "val_loss val_top5 " },
        { "val_perplexity", "minimize", "samples_per_s train_accuracy train_loss val_accuracy "
                                        "val_f1 val_loss val_perplexity " },
        { "val_f1", "maximize", "samples_per_s train_accuracy train_loss val_accuracy val_f1 "
                                "val_loss " },
    };
    struct bench b;

    if (set_up(&b))
        for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
            T_OK(run(&b, cases[i].metric, cases[i].goal, 4, SMALL), &b.err);
            T_STR(cases[i].metric, seen.names, cases[i].names);
            T_TRUE(i == 2 ? fabs(metric("val_perplexity") - exp(metric("val_loss"))) < 1e-12
                          : b.result.objective > 0.8 && b.result.objective <= 1);
        }
    tear_down(&b);
}

/* A constraint names a metric as well as an objective does. */
static void constraints_name_metrics_too(void)
{
    struct asy_json *job = kit_job(KIT_DIGITS,
                                   "\"label\":-1},\"constraints\":[{\"metric\":\"val_top2\","
                                   "\"min\":0.5}],\"resources\":{\"cores\":1",
                                   "val_loss", "minimize", 1, SMALL, "");
    struct bench b;

    if (set_up(&b) && T_OK(train(&b, job, NULL), &b.err))
        T_TRUE(metric("val_top2") > metric("val_accuracy"));
    asy_json_destroy(job);
    tear_down(&b);
}

/* y = a, but for one in five rows, where it is far above. */
static bool write_outliers(const char *path)
{
    struct asy_rng rng;
    struct asy_buf text;
    bool ok;

    asy_buf_init(&text, 1u << 20);
    asy_rng_init(&rng, 2, 0, ASY_RNG_SIM);
    asy_buf_adds(&text, "a,y\n");
    for (int i = 0; i < 500; i++) {
        double a = asy_rng_double(&rng) * 4 - 2;

        asy_buf_addf(&text, "%.9g,%.9g\n", a, a + (i % 5 == 0 ? 20 : asy_rng_normal(&rng) * 0.1));
    }
    ok = kit_write(path, text.data, text.len);
    asy_buf_fini(&text);
    return ok;
}

static double middle_error(const char *model, struct asy_error *err)
{
    struct asy_json *report = NULL;
    struct asy_buf text;
    double error = NAN;

    asy_buf_init(&text, 1u << 20);
    if (T_OK(asy_trainer_report(model, 1, &text, err), err) &&
        T_OK(asy_json_parse(text.data, text.len, &report, err), err))
        error = asy_json_f64(asy_json_get(asy_json_get(report, "errors"), "p50"), NAN);
    asy_json_destroy(report);
    asy_buf_fini(&text);
    return error;
}

/* Squares follow outliers, by 4 here; what is learnt by the median or by Huber's loss does not. */
static void outliers_pull_as_the_loss_lets_them(void)
{
    static const struct {
        const char *loss;
        double least, most;
    } cases[] = {
        { "\"loss\":\"auto\"", 2.5, 6 },
        { "\"loss\":\"huber\",\"delta\":0.05", -1, 1.2 },
        { "\"loss\":\"quantile\"", -0.5, 0.5 },
        { "\"loss\":\"quantile\",\"quantile\":0.95", 15, 25 },
    };
    struct bench b;
    char path[160];

    if (!set_up(&b))
        goto out;
    snprintf(path, sizeof path, "%s/t.csv", b.dir);
    if (!write_outliers(path))
        goto out;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_json *job;
        char params[200];
        double error;

        snprintf(params, sizeof params, "\"hidden\":8,\"lr\":0.01,\"batch_size\":20,%s",
                 cases[i].loss);
        job = kit_job(path, "", "val_loss", "minimize", 60, params, "");
        if (T_OK(train(&b, job, NULL), &b.err)) {
            error = middle_error(b.result.model_path, &b.err);
            t__check(error > cases[i].least && error < cases[i].most, __LINE__, __FILE__,
                     "%s: prediction - label is %g in the middle", cases[i].loss, error);
            T_TRUE(metric("val_rmse") > 0 && metric("val_r2") < 1);
        }
        asy_json_destroy(job);
    }
out:
    tear_down(&b);
}

static void losses_without_sense_are_refused(void)
{
    static const struct {
        const char *name, *data, *params, *says;
    } cases[] = {
        { "numbers' loss", "", "\"loss\":\"huber\"",
          "loss: 'huber' is of numbers, but 'column 65' has 10 classes" },
        { "smoothing", "\"task\":\"regression\"", "\"label_smoothing\":0.1",
          "label_smoothing is of classes, but 'column 65' is a number" },
        { "balance", "\"task\":\"regression\"", "\"class_balance\":1",
          "class_balance is of classes" },
        { "weights", "\"task\":\"regression\"", "\"class_weights\":[1,2]",
          "class_weights is of classes, but 'column 65' is a number" },
        { "too few weights", "", "\"class_weights\":[1,2]",
          "class_weights: 2 numbers for the 10 classes of 'column 65'" },
        { "weights of others", "", "\"class_weights\":{\"0\":2,\"19\":3}",
          "class_weights: 'column 65' has no class '19'" },
        { "no weight", "", "\"class_weights\":{\"0\":0}", "each is a number from 1e-06 to 1e+06" },
        { "near miss", "", "\"lr_schedule\":\"cosin\"", "did you mean 'cosine'?" },
        { "too smooth", "", "\"label_smoothing\":1", "lies outside 0 to 0.99" },
    };
    struct bench b;

    if (set_up(&b))
        for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
            struct asy_json *job = kit_job(KIT_DIGITS, cases[i].data, "val_loss", "minimize", 1,
                                           cases[i].params, "");

            T_TRUE(train(&b, job, NULL) < 0);
            T_HAS(cases[i].name, b.err.text, cases[i].says);
            asy_json_destroy(job);
        }
    tear_down(&b);
}

/* Of a text: what is of all networks works, what counts classes does not. */
static void tokens_learn_by_the_same_rules(void)
{
    static const struct {
        const char *metric, *params, *says;
    } cases[] = {
        { "val_perplexity", "\"label_smoothing\":0.1,\"optimizer\":\"lamb\",\"clip\":1,"
                            "\"ema\":0.9,\"accumulate\":3", "" },
        { "val_loss", "\"class_balance\":0.5", "class_balance are not of tokens" },
        { "val_loss", "\"class_weights\":[1,2]", "class_weights are not of tokens" },
        { "val_loss", "\"loss\":\"huber\"", "are not of tokens" },
        { "val_f1", "\"clip\":1", "'val_f1' is not reported" },
    };
    struct bench b;

    if (set_up(&b))
        for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
            char params[300];
            struct asy_json *job;
            int rc;

            snprintf(params, sizeof params, "\"d_model\":8,\"heads\":2,\"blocks\":1,"
                     "\"context\":16,\"batch_size\":64,%s", cases[i].params);
            job = kit_family_job("gpt", ASY_SOURCE_DIR "/README.md", "\"format\":\"text\"",
                                 cases[i].metric, "minimize", 1, params, "");
            rc = train(&b, job, NULL);
            if (*cases[i].says)
                T_HAS(cases[i].params, rc < 0 ? b.err.text : "", cases[i].says);
            else if (T_OK(rc, &b.err))
                T_STR("metrics", seen.names, "samples_per_s train_accuracy train_loss "
                                             "train_perplexity val_accuracy val_loss "
                                             "val_perplexity ");
            asy_json_destroy(job);
        }
    tear_down(&b);
}

/* A population's child goes on with other rules of learning, and may be the first with a mean. */
static void a_child_may_learn_by_other_rules(void)
{
    static const char *const children[] = {
        SMALL ",\"ema\":0.9", SMALL ",\"clip\":1,\"lr_schedule\":\"cosine\",\"warmup\":1",
        SMALL ",\"label_smoothing\":0.1,\"class_balance\":1,\"accumulate\":2",
    };
    struct asy_json *parent = kit_job(KIT_DIGITS, "", "val_loss", "minimize", 3, SMALL,
                                      "\"until\":1,\"population\":true");
    struct bench b;

    if (set_up(&b)) {
        char kept[160];

        snprintf(kept, sizeof kept, "%s/kept", b.dir);
        memcpy(seen.kept, kept, sizeof kept);
        T_OK(train(&b, parent, NULL), &b.err);
        seen.kept[0] = '\0';
        for (size_t i = 0; i < ASY_ARRAY_LEN(children); i++) {
            struct asy_json *child = kit_job(KIT_DIGITS, "", "val_loss", "minimize", 3,
                                             children[i], "\"population\":true");

            if (T_OK(train(&b, child, kept), &b.err))
                T_EQ(children[i], b.result.outcome, ASY_TRAIN_COMPLETE);
            asy_json_destroy(child);
        }
    }
    asy_json_destroy(parent);
    tear_down(&b);
}

static void a_checkpoint_is_of_its_hyperparameters(void)
{
    static const struct {
        const char *params, *says;
    } cases[] = {
        { ",\"clip\":1", "is of another trial" },
        { ",\"lr_schedule\":\"cosine\"", "is of another trial" },
        { ",\"ema\":0.9", "is of another trial" },
        { ",\"optimizer\":\"lamb\"", "optimizer is adam there, lamb here" },
    };
    struct bench b;
    struct asy_json *job = kit_job(KIT_DIGITS, "", "val_loss", "minimize", 3, SMALL,
                                   "\"until\":1");

    if (set_up(&b)) {
        snprintf(seen.kept, sizeof seen.kept, "%s/kept", b.dir);
        T_OK(train(&b, job, NULL), &b.err);
        for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
            char params[200];
            struct asy_json *other;

            snprintf(params, sizeof params, SMALL "%s", cases[i].params);
            other = kit_job(KIT_DIGITS, "", "val_loss", "minimize", 3, params, "");
            T_EQ(cases[i].params, train(&b, other, seen.kept), ASY_E_INVAL);
            T_HAS(cases[i].params, b.err.text, cases[i].says);
            asy_json_destroy(other);
        }
    }
    asy_json_destroy(job);
    tear_down(&b);
}

/* Weights of three classes with 6, 3 and 0 of 9 rows, by hand; their mean over the rows is 1. */
static void classes_weigh_by_how_rare_they_are_and_as_is_given(void)
{
    static const struct {
        double balance;
        const char *given;
        float want[3];
    } cases[] = {
        { 1, "null", { 0.75f, 1.5f, 0 } },
        { 0.5, "null", { 0.8787f, 1.2426f, 0 } }, /* 1 and sqrt 2, times 9 / (6 + 3 sqrt 2) */
        { 0, "[1, 4, 9]", { 0.5f, 2, 0 } },       /* times 9 / (6 + 12) */
        { 0, "{\"often\": 0.25}", { 0.5f, 2, 0 } },
        { 1, "{\"rare\": 2, \"never\": 5}", { 0.5f, 2, 0 } }, /* 1.5 and 6, times 9 / 27 */
    };
    static int32_t label[9] = { 0, 0, 1, 0, 1, 0, 0, 1, 0 };
    static const char *const names[] = { "often", "rare", "never" };
    struct asy__data data = { .label = label, .start = { 0, 9, 9, 9 } };
    struct asy_error err = ASY_ERROR_INIT;
    size_t id;

    asy__dict_init(&data.schema.classes, 3);
    for (size_t c = 0; c < 3; c++)
        T_OK(asy__dict_add(&data.schema.classes, names[c], strlen(names[c]), &id, &err), &err);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__hyper hyper = { .class_balance = cases[i].balance };
        struct asy_json *given = NULL;
        float got[3];

        if (!T_OK(asy_json_parse(cases[i].given, strlen(cases[i].given), &given, &err), &err))
            continue;
        hyper.class_weights = asy_json_type(given) == ASY_JSON_NULL ? NULL : given;
        if (T_OK(asy__loss_weights(&hyper, &data, got, &err), &err))
            for (size_t c = 0; c < 3; c++)
                T_NEAR(cases[i].given, (double)got[c], (double)cases[i].want[c], 1e-4);
        asy_json_destroy(given);
    }
    asy__dict_fini(&data.schema.classes);
}

/* The report agrees with what was reported, for a network and for trees that went past the best. */
static void a_model_has_a_report_of_each_class(void)
{
    static const char *const families[] = { "mlp", "gbdt" };
    struct bench b;

    if (!set_up(&b))
        goto out;
    for (size_t f = 0; f < 2; f++) {
        struct asy_json *job = kit_family_job(families[f], KIT_DIGITS, "", "val_f1", "maximize", 3,
                                              f ? "\"max_depth\":3" : SMALL, ""), *report = NULL;
        struct asy_buf json, text;
        int64_t rows = 0, counted = 0;

        asy_buf_init(&json, 1u << 20);
        asy_buf_init(&text, 1u << 20);
        if (T_OK(train(&b, job, NULL), &b.err) &&
            T_OK(asy_trainer_report(b.result.model_path, 1, &json, &b.err), &b.err) &&
            T_OK(asy_json_parse(json.data, json.len, &report, &b.err), &b.err)) {
            const struct asy_json *classes = asy_json_get(report, "classes"), *line;

            T_NEAR("f1", asy_json_f64(asy_json_get(report, "f1"), NAN), b.result.objective, 1e-12);
            T_EQ("classes", asy_json_len(classes), 10);
            for (size_t i = 0; i < 10; i++) {
                rows += asy_json_i64(asy_json_get(asy_json_at(classes, i), "rows"), 0);
                line = asy_json_at(asy_json_get(report, "confusion"), i);
                for (size_t j = 0; j < asy_json_len(line); j++)
                    counted += asy_json_i64(asy_json_at(line, j), 0);
            }
            T_EQ("rows", rows, asy_json_i64(asy_json_get(report, "rows"), 0));
            T_EQ("confusion", counted, rows);
            T_OK(asy_trainer_report(b.result.scores_path, 1, &text, &b.err), &b.err);
            T_STR("the same beside the model", text.data, json.data);
            asy_buf_clear(&text);
            T_OK(asy_trainer_report(b.result.scores_path, 0, &text, &b.err), &b.err);
            T_HAS("text", text.data, "class      rows  precision  recall      f1\n0    ");
            T_HAS("text", text.data, "Confusion: a line for what rows are");
        }
        asy_json_destroy(report);
        asy_json_destroy(job);
        asy_buf_fini(&json);
        asy_buf_fini(&text);
    }
out:
    tear_down(&b);
}

static void a_model_without_validation_has_no_report(void)
{
    struct asy_json *job = kit_job(KIT_DIGITS, "\"split\":{\"validation\":0}", "train_loss",
                                   "minimize", 1, SMALL, "");
    struct asy_buf text;
    struct bench b;

    asy_buf_init(&text, 1u << 20);
    if (set_up(&b) && T_OK(train(&b, job, NULL), &b.err)) {
        T_EQ("report", asy_trainer_report(b.result.model_path, 0, &text, &b.err), ASY_E_NOENT);
        T_HAS("why", b.err.text, "there is no report");
        T_STR("metrics", seen.names, "samples_per_s train_accuracy train_loss ");
    }
    asy_buf_fini(&text);
    asy_json_destroy(job);
    tear_down(&b);
}

#define STILL "\"hidden\":16,\"lr\":0,\"optimizer\":\"sgd\""
/* Smoothing and weights are of the training; both jobs are judged alike. */
static void the_validation_loss_is_the_plain_one(void)
{
    struct bench b;

    if (set_up(&b) && T_OK(run(&b, "val_loss", "minimize", 1,
                               STILL), &b.err)) {
        double plain = b.result.objective, learnt = metric("train_loss");

        T_OK(run(&b, "val_loss", "minimize", 1,
                 STILL ",\"label_smoothing\":0.5"), &b.err);
        T_NEAR("val_loss", b.result.objective, plain, 0);
        T_TRUE(metric("train_loss") != learnt);
    }
    tear_down(&b);
}

T_MAIN("learning", T_TEST(interrupted_training_ends_with_the_same_bits),
       T_TEST(each_hyperparameter_has_an_effect), T_TEST(pieces_of_a_batch_make_the_same_update),
       T_TEST(the_mean_is_what_is_validated_and_stored), T_TEST(metrics_come_where_they_are_named),
       T_TEST(the_area_of_many_classes_is_asked_for),
       T_TEST(constraints_name_metrics_too), T_TEST(outliers_pull_as_the_loss_lets_them),
       T_TEST(losses_without_sense_are_refused), T_TEST(tokens_learn_by_the_same_rules),
       T_TEST(a_child_may_learn_by_other_rules), T_TEST(a_checkpoint_is_of_its_hyperparameters),
       T_TEST(classes_weigh_by_how_rare_they_are_and_as_is_given),
       T_TEST(a_model_has_a_report_of_each_class),
       T_TEST(a_model_without_validation_has_no_report),
       T_TEST(the_validation_loss_is_the_plain_one))
