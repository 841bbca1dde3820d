/* SPDX-License-Identifier: Apache-2.0
 * Networks trained on a device, by OpenCL on this machine's cores (PoCL), beside the same on the
 * cpu. Both round in their own ways, so losses are compared with a tolerance that grows with the
 * epochs; what is resumed has the bits of what was not. */
#include "trainkit.h"
#include <math.h>
#include <stdlib.h>
#include <asy/training.h>
#include "../kernels/device_leaks.h"
#include "frame.h"
#include "trainer_impl.h"

#define EPOCHS_MAX 8
#define TOLERANCE 2e-3 /* of a loss, relative; what rounding has made of it after all epochs */

struct log {
    double train[EPOCHS_MAX + 1], val[EPOCHS_MAX + 1]; /* losses by epoch */
    size_t epochs, checkpoints;
    char checkpoint[4200]; /* the one after epoch `keep` */
    uint64_t keep;
    struct asy_trainer *trainer;
    uint64_t reads_before, reads; /* of the device, within the first epoch's steps */
    uint64_t steps, gone_at; /* the step after which the device is gone; 0: none */
};

static int report(void *arg, uint64_t step, const struct asy_train_metric *metrics, size_t n)
{
    struct log *log = arg;

    for (size_t i = 0; i < n && step <= EPOCHS_MAX; i++) {
        if (!strcmp(metrics[i].name, "train_loss"))
            log->train[step] = metrics[i].value;
        if (!strcmp(metrics[i].name, "val_loss"))
            log->val[step] = metrics[i].value;
    }
    log->epochs = (size_t)step;
    return 0;
}

static int checkpoint(void *arg, uint64_t step, const char *path)
{
    struct log *log = arg;

    log->checkpoints++;
    if (step != log->keep)
        return 0;
    snprintf(log->checkpoint, sizeof log->checkpoint, "%s.kept", path);
    return rename(path, log->checkpoint) == 0 ? 0 : -1;
}

/* Between two steps of the first epoch nothing but a step has happened. */
static void alive(void *arg)
{
    struct log *log = arg;
    uint64_t reads = log->trainer->device ? asy_device_traffic(log->trainer->device).reads : 0;

    if (log->epochs == 0 && log->steps++ > 0)
        log->reads += reads - log->reads_before;
    log->reads_before = reads;
    if (log->gone_at && log->steps == log->gone_at)
        log->trainer->device->gone = 1;
}

/* Trains the job in dir; *ret_model: where its model is. */
static int train(const char *device, const struct asy_json *job, const char *dir,
                 const char *resume, struct log *log, struct asy_error *err)
{
    struct asy_train_callbacks callbacks = { .arg = log, .report = report,
                                             .checkpoint = checkpoint, .alive = alive };
    static struct asy_train_result result;
    struct asy_comm *comm = NULL;
    struct asy_trainer *trainer = NULL;
    int rc = asy_comm_self(&comm, err);

    if (rc == 0 && (rc = asy_trainer_create(comm, &trainer, err)) == 0) {
        log->trainer = trainer;
        asy_trainer_set_device(trainer, device);
        rc = asy_trainer_run(trainer, job, dir, resume, &callbacks, &result, err);
    }
    asy_trainer_destroy(trainer);
    asy_comm_destroy(comm);
    return rc;
}

static double distance(double a, double b)
{
    return fabs(a - b) / fmax(fabs(b), 0.1);
}

#define SHORT "\"lr\":0.003,\"batch_size\":100"
static const struct {
    const char *name, *family, *params;
    const char *file, *data; /* NULL: the digits */
} cases[] = {
    { "linear", "linear", SHORT },
    { "mlp, adam", "mlp", SHORT ",\"hidden\":33,\"layers\":2" },
    { "sgd with momentum", "mlp",
      "\"lr\":0.05,\"batch_size\":100,\"hidden\":20,\"optimizer\":\"sgd\",\"momentum\":0.9,"
      "\"nesterov\":true,\"weight_decay\":0.001" },
    { "lamb, clipped", "mlp", SHORT ",\"hidden\":24,\"optimizer\":\"lamb\",\"clip\":0.5" },
    { "pieces and a running mean", "mlp", SHORT ",\"hidden\":24,\"accumulate\":3,\"ema\":0.9" },
    { "weights of classes", "mlp",
      SHORT ",\"hidden\":24,\"class_balance\":0.7,\"label_smoothing\":0.1" },
    { "layer norm and dropout", "mlp", SHORT ",\"hidden\":24,\"norm\":\"layer\",\"dropout\":0.2" },
    { "batch norm", "mlp", SHORT ",\"hidden\":24,\"norm\":\"batch\"" },
    { "cnn", "cnn",
      SHORT ",\"filters\":4,\"hidden\":16,\"image_height\":8,\"image_width\":8,"
      "\"image_channels\":1" },
    { "images moved about", "cnn",
      SHORT ",\"filters\":4,\"hidden\":16,\"image_height\":8,\"image_width\":8,"
      "\"image_channels\":1,\"augment_shift\":1,\"augment_flip\":true" },
    { "residual cnn", "cnn",
      SHORT ",\"filters\":4,\"hidden\":0,\"residual\":true,\"norm\":\"batch\",\"image_height\":8,"
      "\"image_width\":8,\"image_channels\":1" },
    { "transformer", "transformer",
      SHORT ",\"d_model\":16,\"heads\":2,\"blocks\":1,\"tokens\":8" },
    { "gpt", "gpt",
      "\"lr\":0.003,\"batch_size\":20,\"context\":16,\"d_model\":16,\"heads\":2,\"blocks\":1",
      ASY_SOURCE_DIR "/examples/data/harbour.txt", "\"format\":\"text\"" },
    { "folds", "mlp", SHORT ",\"hidden\":24", KIT_DIGITS,
      "\"label\":-1,\"split\":{\"folds\":2,\"test\":0.2}" },
};

static void every_family_learns_as_on_the_cpu(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_json *job = 
            kit_family_job(cases[i].family, cases[i].file ? cases[i].file : KIT_DIGITS,
                           cases[i].data ? cases[i].data : "\"label\":-1", "val_loss", "minimize",
                           3, cases[i].params, "");
        struct log here = { .epochs = 0 }, there = { .epochs = 0 };
        struct asy_error err = ASY_ERROR_INIT;
        char dir[64];

        if (T_TRUE(kit_dir(dir) && job) &&
            T_OK(train("cpu", job, dir, NULL, &here, &err), &err) &&
            T_OK(train("opencl", job, dir, NULL, &there, &err), &err)) {
            T_EQ(cases[i].name, there.epochs, 3);
            for (size_t e = 1; e <= 3; e++) {
                T_NEAR(cases[i].name, distance(there.train[e], here.train[e]), 0, TOLERANCE);
                T_NEAR(cases[i].name, distance(there.val[e], here.val[e]), 0, TOLERANCE);
            }
            T_TRUE(there.steps > 5);
            if (!strstr(cases[i].data ? cases[i].data : "", "folds")) /* scored within an epoch */
                T_EQ("round trips in steps", there.reads, 0);
        }
        kit_rmdir(dir);
        asy_json_destroy(job);
    }
}

static void what_is_resumed_has_the_bits_of_what_was_not(void)
{
    static const char params[] = SHORT ",\"hidden\":24,\"dropout\":0.1,\"ema\":0.9";
    struct asy_json *whole = kit_job(KIT_DIGITS, "\"label\":-1", "val_loss", "minimize", 4, params,
                                     "\"checkpoint_s\":0");
    struct log first = { .keep = 2 }, second = { .epochs = 0 };
    struct asy_error err = ASY_ERROR_INIT;
    char dir[64], again[64], a[128], b[128];

    if (T_TRUE(kit_dir(dir) && kit_dir(again) && whole) &&
        T_OK(train("opencl", whole, dir, NULL, &first, &err), &err) &&
        T_TRUE(first.checkpoint[0]) &&
        T_OK(train("opencl", whole, again, first.checkpoint, &second, &err), &err)) {
        T_EQ("epochs", second.epochs, 4);
        snprintf(a, sizeof a, "%s/model.safetensors", dir);
        snprintf(b, sizeof b, "%s/model.safetensors", again);
        kit_same("models", a, b);
    }
    kit_rmdir(dir);
    kit_rmdir(again);
    asy_json_destroy(whole);
}

static void what_was_trained_there_goes_on_here(void)
{
    static const char params[] = SHORT ",\"hidden\":24";
    struct asy_json *job = kit_job(KIT_DIGITS, "\"label\":-1", "val_loss", "minimize", 4, params,
                                   "\"checkpoint_s\":0");
    struct log there = { .keep = 2 }, here = { .epochs = 0 };
    struct asy_error err = ASY_ERROR_INIT;
    char dir[64];

    if (T_TRUE(kit_dir(dir) && job) &&
        T_OK(train("opencl", job, dir, NULL, &there, &err), &err) &&
        T_OK(train("cpu", job, dir, there.checkpoint, &here, &err), &err))
        T_NEAR("loss", distance(here.val[4], there.val[4]), 0, TOLERANCE);
    kit_rmdir(dir);
    asy_json_destroy(job);
}

/* The trainer, which is kept, trains the next one. */
static void a_device_that_is_gone_fails_one_job(void)
{
    struct asy_json *job = kit_job(KIT_DIGITS, "\"label\":-1", "val_loss", "minimize", 2,
                                   SHORT ",\"hidden\":24", "");
    struct log first = { .gone_at = 5 }, second = { .epochs = 0 };
    struct asy_train_callbacks callbacks = { .report = report, .alive = alive };
    static struct asy_train_result result;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_trainer *trainer = NULL;
    struct asy_comm *comm = NULL;
    char dir[64];

    if (!T_TRUE(kit_dir(dir) && job) || !T_OK(asy_comm_self(&comm, &err), &err) ||
        !T_OK(asy_trainer_create(comm, &trainer, &err), &err))
        goto out;
    asy_trainer_set_device(trainer, "opencl");
    first.trainer = second.trainer = trainer;
    callbacks.arg = &first;
    T_EQ("gone", asy_trainer_run(trainer, job, dir, NULL, &callbacks, &result, &err), ASY_E_GONE);
    T_HAS("gone", err.text, "opencl device");
    T_EQ("gone", first.epochs, 0);
    callbacks.arg = &second;
    T_OK(asy_trainer_run(trainer, job, dir, NULL, &callbacks, &result, &err), &err);
    T_EQ("next", second.epochs, 2);
out:
    asy_trainer_destroy(trainer);
    asy_comm_destroy(comm);
    kit_rmdir(dir);
    asy_json_destroy(job);
}

static void what_no_device_can_is_refused(void)
{
    static const struct {
        const char *name, *family, *device, *rest, *want;
    } refused[] = {
        { "trees", "gbdt", "opencl", "", "resources.device: trees train on CPUs" },
        { "no such word", "mlp", "tpu", "", "'tpu' is not one of auto, cpu, opencl, cuda" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(refused); i++) {
        struct asy_json *job = kit_family_job(refused[i].family, KIT_DIGITS, "\"label\":-1",
                                              "val_loss", "minimize", 1, "", refused[i].rest);
        struct asy_error err = ASY_ERROR_INIT;
        struct log log = { .epochs = 0 };
        char dir[64];

        T_TRUE(kit_dir(dir) && train(refused[i].device, job, dir, NULL, &log, &err) < 0);
        T_HAS(refused[i].name, err.text, refused[i].want);
        kit_rmdir(dir);
        asy_json_destroy(job);
    }
}

int main(void)
{
    static const struct t_test tests[] = {
        T_TEST(every_family_learns_as_on_the_cpu),
        T_TEST(what_is_resumed_has_the_bits_of_what_was_not),
        T_TEST(what_was_trained_there_goes_on_here),
        T_TEST(a_device_that_is_gone_fails_one_job),
        T_TEST(what_no_device_can_is_refused),
    };

    return t__main("device", tests, ASY_ARRAY_LEN(tests));
}
