/* SPDX-License-Identifier: Apache-2.0
 * Jobs of two classes with the binary loss: what is learnt and judged is what the softmax of two
 * outputs would be, by one output; that it costs no bits when a training is interrupted; and where
 * it is refused. */
#include "trainkit.h"
#include <asy/rng.h>
#include <asy/safetensors.h>
#include <asy/training.h>
#include "state.h"

#define BINARY "\"loss\":\"binary\""
#define LINEAR "\"lr\":0.05,\"batch_size\":40"
#define EPOCHS 60

static struct asy_trainer *trainer;
static struct {
    struct asy_comm *comm;
    char dir[64], data[96], kept[96], straight[96];
    uint64_t pause_at; /* step; 0: never */
    struct asy_train_result result;
    struct asy_error err;
    struct {
        double loss, accuracy, f1, area;
    } val; /* of the last report */
} bench;

static void on_step(void *arg, uint64_t step, double loss)
{
    (void)arg, (void)loss;
    if (step == bench.pause_at)
        asy_trainer_request(trainer, ASY_TRAIN_PAUSE);
}

static int on_report(void *arg, uint64_t step, const struct asy_train_metric *metrics, size_t n)
{
    (void)arg, (void)step;
    for (size_t i = 0; i < n; i++) {
        const char *name = metrics[i].name;
        double *to = !strcmp(name, "val_loss")       ? &bench.val.loss
                     : !strcmp(name, "val_accuracy") ? &bench.val.accuracy
                     : !strcmp(name, "val_f1")       ? &bench.val.f1
                     : !strcmp(name, "val_auc")      ? &bench.val.area
                                                     : NULL;

        if (to)
            *to = metrics[i].value;
    }
    return 0;
}

static int on_checkpoint(void *arg, uint64_t step, const char *path)
{
    (void)arg, (void)step;
    return bench.pause_at && rename(path, bench.kept) < 0 ? ASY_E_IO : 0;
}

static const struct asy_train_callbacks callbacks = { .step = on_step, .report = on_report,
                                                      .checkpoint = on_checkpoint };

/* a and b from normals; "yes" with a chance of sigmoid(2 a - b - 1), which is one row in three. */
static bool write_rows(const char *path, int as_numbers)
{
    struct asy_rng rng;
    struct asy_buf text;
    bool ok;

    asy_buf_init(&text, 1u << 20);
    asy_rng_init(&rng, 4, 0, ASY_RNG_SIM);
    asy_buf_adds(&text, "a,b,kind\n");
    for (int i = 0; i < 1000; i++) {
        double a = asy_rng_normal(&rng), b = asy_rng_normal(&rng);
        int yes = asy_rng_double(&rng) < 1 / (1 + exp(-(2 * a - b - 1)));

        asy_buf_addf(&text, "%.9g,%.9g,%s\n", a, b,
                     as_numbers ? yes ? "1" : "0" : yes ? "yes" : "no");
    }
    ok = kit_write(path, text.data, text.len);
    asy_buf_fini(&text);
    return ok;
}

static bool set_up(int as_numbers)
{
    memset(&bench, 0, sizeof bench);
    if (!T_TRUE(kit_dir(bench.dir) != NULL))
        return false;
    snprintf(bench.data, sizeof bench.data, "%s/t.csv", bench.dir);
    snprintf(bench.kept, sizeof bench.kept, "%s/kept", bench.dir);
    snprintf(bench.straight, sizeof bench.straight, "%s/straight", bench.dir);
    return write_rows(bench.data, as_numbers) &&
           T_OK(asy_comm_self(&bench.comm, &bench.err), &bench.err) &&
           T_OK(asy_trainer_create(bench.comm, &trainer, &bench.err), &bench.err);
}

static void tear_down(void)
{
    asy_trainer_destroy(trainer);
    trainer = NULL;
    asy_comm_destroy(bench.comm);
    kit_rmdir(bench.dir);
}

static int train_job(const struct asy_json *job, const char *resume)
{
    return asy_trainer_run(trainer, job, bench.dir, resume, &callbacks, &bench.result, &bench.err);
}

static int train_by(const char *metric, const char *data, const char *params)
{
    struct asy_json *job = kit_family_job("linear", bench.data, data, metric,
                                          strcmp(metric, "val_auc") ? "minimize" : "maximize",
                                          EPOCHS, params, "");
    int rc = train_job(job, NULL);

    asy_json_destroy(job);
    return rc;
}

static int train(const char *params)
{
    return train_by("val_auc", "", params);
}

/* Of the stored model's network. */
static size_t outputs_of_the_model(void)
{
    struct asy__model model;
    size_t n = 0;

    if (T_OK(asy__model_read(bench.result.model_path, &model, &bench.err), &bench.err)) {
        n = model.net->layers[model.net->n_layers - 1].out.channels;
        T_EQ("judged by both classes", asy__model_learner(&model).outs, 2);
        asy__model_fini(&model);
    }
    return n;
}

/* One output has the least that two have: their difference. Both end near it, and agree to what is
 * left of the way; labels may be words or numbers. */
static void two_classes_are_learnt_by_one_output(void)
{
    for (int as_numbers = 0; as_numbers < 2; as_numbers++) {
        double loss, area;

        if (set_up(as_numbers) && T_OK(train(LINEAR), &bench.err)) {
            loss = bench.val.loss;
            area = bench.val.area;
            T_EQ("by the softmax", outputs_of_the_model(), 2);
            T_OK(train(LINEAR "," BINARY), &bench.err);
            T_EQ("by the sigmoid", outputs_of_the_model(), 1);
            T_NEAR("val_loss", bench.val.loss, loss, 5e-3);
            T_NEAR("val_auc", bench.val.area, area, 5e-3);
            T_TRUE(bench.val.area > 0.8 && bench.val.accuracy > 0.7 && bench.val.f1 > 0.6);
        }
        tear_down();
    }
}

static void evaluating_a_model_says_what_training_said(void)
{
    struct asy_json *job = NULL, *root = NULL;
    struct asy_buf json;

    asy_buf_init(&json, 1u << 16);
    if (set_up(0)) {
        job = kit_family_job("mlp", bench.data, "", "val_loss", "minimize", 5,
                             "\"hidden\":6,\"lr\":0.02," BINARY, "");
        if (T_OK(train_job(job, NULL), &bench.err) &&
            T_OK(asy_trainer_evaluate(job, bench.result.model_path, "validation", &json,
                                      &bench.err), &bench.err) &&
            T_OK(asy_json_parse(json.data, json.len, &root, &bench.err), &bench.err)) {
            T_NEAR("val_loss", asy_json_f64(asy_json_get(root, "val_loss"), NAN),
                   bench.result.objective, 1e-12);
            T_TRUE(bench.result.objective < 0.6); /* chances of a half have 0.69 */
        }
    }
    asy_json_destroy(root);
    asy_json_destroy(job);
    asy_buf_fini(&json);
    tear_down();
}

/* Weights and smoothing change what is learnt: with balance more rows are taken for the rare class,
 * with smoothing chances stay away from 0 and 1, so the plain loss is another. */
static void weights_and_smoothing_count(void)
{
    double plain = 0;

    if (set_up(0) && T_OK(train(LINEAR "," BINARY), &bench.err)) {
        plain = bench.val.loss;
        T_OK(train(LINEAR "," BINARY ",\"class_balance\":1"), &bench.err);
        T_TRUE(bench.val.loss > plain + 0.01);
        T_OK(train(LINEAR "," BINARY ",\"class_weights\":{\"yes\":5}"), &bench.err);
        T_TRUE(bench.val.loss > plain + 0.01);
        T_OK(train(LINEAR "," BINARY ",\"label_smoothing\":0.4"), &bench.err);
        T_TRUE(bench.val.loss > plain + 0.01);
    }
    tear_down();
}

static void interrupted_training_ends_with_the_same_bits(void)
{
    struct asy_json *job = NULL;

    if (set_up(0)) {
        job = kit_family_job("mlp", bench.data, "", "val_loss", "minimize", 6,
                             "\"hidden\":9,\"batch_size\":40,\"patience\":3,\"ema\":0.9,"
                             "\"label_smoothing\":0.1,\"class_balance\":0.5," BINARY, "");
        if (T_OK(train_job(job, NULL), &bench.err) &&
            T_EQ("keep", rename(bench.result.model_path, bench.straight), 0)) {
            bench.pause_at = 25;
            T_OK(train_job(job, NULL), &bench.err);
            T_EQ("outcome", bench.result.outcome, ASY_TRAIN_PAUSED);
            bench.pause_at = 0;
            if (T_OK(train_job(job, bench.kept), &bench.err))
                kit_same("model", bench.result.model_path, bench.straight);
        }
    }
    asy_json_destroy(job);
    tear_down();
}

/* Neither the same trial nor a child of its population goes on from a network of two outputs. */
static void a_checkpoint_of_two_outputs_is_not_gone_on_from(void)
{
    static const char *const rests[] = { "", ",\"population\":true" };

    if (set_up(0))
        for (size_t i = 0; i < ASY_ARRAY_LEN(rests); i++) {
            char rest[64];
            struct asy_json *job, *child;

            snprintf(rest, sizeof rest, "\"until\":1%s", rests[i]);
            job = kit_family_job("linear", bench.data, "", "val_loss", "minimize", 3, LINEAR, rest);
            child = kit_family_job("linear", bench.data, "", "val_loss", "minimize", 3,
                                   LINEAR "," BINARY, rests[i] + (i > 0));
            bench.pause_at = UINT64_MAX;
            T_OK(train_job(job, NULL), &bench.err);
            bench.pause_at = 0;
            T_EQ("refused", train_job(child, bench.kept), ASY_E_INVAL);
            T_HAS("refused", bench.err.text, i ? "" : "is of another trial");
            asy_json_destroy(job);
            asy_json_destroy(child);
        }
    tear_down();
}

static void other_labels_are_refused(void)
{
    static const struct {
        const char *data, *says;
    } cases[] = {
        { "\"label\":\"b\"", "loss: 'binary' is of two classes, but 'b' is a number; data.task: "
                             "classification makes its values classes" },
        { "\"label\":\"b\",\"task\":\"classification\",\"split\":{\"validation\":0.2,"
          "\"stratify\":false}",
          "loss: 'binary' is of two classes, but 'b' has 1000" },
    };
    char digits[200];

    if (set_up(0)) {
        for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
            T_TRUE(train_by("val_loss", cases[i].data, BINARY) < 0);
            T_HAS(cases[i].data, bench.err.text, cases[i].says);
        }
        snprintf(digits, sizeof digits, "%s", KIT_DIGITS);
        memcpy(bench.data, digits, sizeof bench.data);
        T_TRUE(train(BINARY) < 0);
        T_HAS("digits", bench.err.text, "is of two classes, but 'column 65' has 10");
    }
    tear_down();
}

/* The stored model, whose description has to where it first had from, at bench.kept. */
static bool store_edited(const char *from, const char *to)
{
    struct asy_safetensors *file = NULL;
    struct asy_tensor_out tensors[8] = { 0 };
    const char *text, *at;
    struct asy_buf edited;
    bool ok = false;

    asy_buf_init(&edited, 1u << 20);
    if (!T_OK(asy_safetensors_open(bench.result.model_path, &file, &bench.err), &bench.err))
        goto out;
    text = asy_safetensors_meta(file, "model");
    if (!T_TRUE(text && (at = strstr(text, from)) != NULL) ||
        !T_TRUE(asy_safetensors_len(file) <= ASY_ARRAY_LEN(tensors)))
        goto out;
    asy_buf_add(&edited, text, (size_t)(at - text));
    asy_buf_addf(&edited, "%s%s", to, at + strlen(from));
    for (size_t i = 0; i < asy_safetensors_len(file); i++) {
        const struct asy_tensor *tensor = asy_safetensors_at(file, i);

        tensors[i] = (struct asy_tensor_out){ .name = tensor->name, .n_dims = tensor->n_dims,
                                              .data = tensor->bytes };
        memcpy(tensors[i].shape, tensor->shape, sizeof tensors[i].shape);
    }
    ok = T_OK(asy_safetensors_write(bench.kept, (const char *const[][2]){
                                        { "format", asy_safetensors_meta(file, "format") },
                                        { "model", edited.data } }, 2, tensors,
                                    asy_safetensors_len(file), &bench.err), &bench.err);
out:
    asy_safetensors_destroy(file);
    asy_buf_fini(&edited);
    return ok;
}

/* A description that was edited: classes that the network has no outputs for would be written
 * behind them. */
static void a_stored_model_of_other_labels_is_corrupt(void)
{
    static const struct {
        const char *params, *from, *to, *says;
    } cases[] = {
        { BINARY, "\"no\"", "\"no\"", NULL },
        { BINARY, "\"no\"", "\"no\",\"x\",\"y\",\"z\"",
          "is of two classes, but 'kind' has 5" },
        { BINARY, "\"classification\"", "\"regression\"", "but 'kind' is a number" },
        { "\"hidden\":8", "\"no\"", "\"no\",\"x\"", "usable network" },
        { "\"hidden\":8,\"class_weights\":{\"yes\":2}", "{\"yes\"", "{\"x\"",
          "has no class 'x'" },
    };
    struct asy__model model;

    if (set_up(0))
        for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
            struct asy_json *job = kit_family_job("mlp", bench.data, "", "val_loss", "minimize", 1,
                                                  cases[i].params, "");
            int rc = train_job(job, NULL);

            asy_json_destroy(job);
            if (!T_OK(rc, &bench.err) || !store_edited(cases[i].from, cases[i].to))
                break;
            rc = asy__model_read(bench.kept, &model, &bench.err);
            T_EQ(cases[i].to, rc, cases[i].says ? ASY_E_CORRUPT : 0);
            if (rc < 0)
                T_HAS(cases[i].to, bench.err.text, cases[i].says ? cases[i].says : "");
            else
                asy__model_fini(&model);
        }
    tear_down();
}

static void a_read_model_borrows_nothing(void)
{
    struct asy__model model;

    if (set_up(0) && T_OK(train(LINEAR ",\"class_weights\":{\"yes\":5}"), &bench.err) &&
        T_OK(asy__model_read(bench.result.model_path, &model, &bench.err), &bench.err)) {
        T_TRUE(!model.hyper.class_weights && !model.hyper.list && !model.hyper.values);
        asy__model_fini(&model);
    }
    tear_down();
}

T_MAIN("binary", T_TEST(two_classes_are_learnt_by_one_output),
       T_TEST(evaluating_a_model_says_what_training_said), T_TEST(weights_and_smoothing_count),
       T_TEST(interrupted_training_ends_with_the_same_bits),
       T_TEST(a_checkpoint_of_two_outputs_is_not_gone_on_from), T_TEST(other_labels_are_refused),
       T_TEST(a_stored_model_of_other_labels_is_corrupt), T_TEST(a_read_model_borrows_nothing))
