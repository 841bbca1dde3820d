/* SPDX-License-Identifier: Apache-2.0
 * Networks and trees trained on a device, by OpenCL on this machine's cores (PoCL), beside the same
 * on the cpu. Both round in their own ways, so losses are compared with a tolerance that grows with
 * the epochs; what is resumed has the bits of what was not. */
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
    uint64_t reads_scoring;       /* between an epoch's last step and its report */
    uint64_t steps, gone_at; /* the step after which the device is gone; 0: none */
    uint64_t pause_at;       /* the step after which a pause is asked for; 0: none */
    size_t allocations;      /* of the device, within the first epoch's steps but the first */
    struct asy_train_result result;
};

/* ---- what the linker sends here -------------------------------------------------------------- */

static struct {
    size_t nets, holds, fewest; /* fewest: nets that were there when rows were to be held */
    size_t allocations;         /* of the device, since the last rows were held */
    const struct asy_device_net *of[8]; /* whose sums were read, in the order of the first time */
    uint64_t memory; /* that the device is to say it has; 0: as it does */
    size_t n_of, poisoned; /* poisoned: from 1, the one whose loss is made no number; 0: none */
} calls;

int __real_asy_device_net_create(struct asy_device *device, const struct asy_device_net_desc *desc,
                                 struct asy_device_net **ret_net, struct asy_error *err);
int __real_asy_device_net_hold(struct asy_device_net *net, size_t rows, const float *x,
                               const int32_t *label, const float *target, struct asy_error *err);
int __real_asy_device_net_sums(struct asy_device_net *net, int of_training, double ret[ASY_SUMS],
                               struct asy_error *err);
int __real_asy__device_alloc(struct asy_device *device, size_t n, struct asy__mem **ret_mem,
                             struct asy_error *err);
int __wrap_asy_device_net_create(struct asy_device *device, const struct asy_device_net_desc *desc,
                                 struct asy_device_net **ret_net, struct asy_error *err);
int __wrap_asy_device_net_hold(struct asy_device_net *net, size_t rows, const float *x,
                               const int32_t *label, const float *target, struct asy_error *err);
int __wrap_asy_device_net_sums(struct asy_device_net *net, int of_training, double ret[ASY_SUMS],
                               struct asy_error *err);
int __wrap_asy__device_alloc(struct asy_device *device, size_t n, struct asy__mem **ret_mem,
                             struct asy_error *err);

int __wrap_asy_device_net_create(struct asy_device *device, const struct asy_device_net_desc *desc,
                                 struct asy_device_net **ret_net, struct asy_error *err)
{
    calls.nets++;
    if (calls.memory)
        device->info.memory = calls.memory;
    return __real_asy_device_net_create(device, desc, ret_net, err);
}

int __wrap_asy_device_net_hold(struct asy_device_net *net, size_t rows, const float *x,
                               const int32_t *label, const float *target, struct asy_error *err)
{
    int rc = __real_asy_device_net_hold(net, rows, x, label, target, err);

    if (calls.holds++ == 0 || calls.nets < calls.fewest)
        calls.fewest = calls.nets;
    calls.allocations = 0;
    return rc;
}

int __wrap_asy_device_net_sums(struct asy_device_net *net, int of_training, double ret[ASY_SUMS],
                               struct asy_error *err)
{
    int rc = __real_asy_device_net_sums(net, of_training, ret, err);
    size_t i = 0;

    while (i < calls.n_of && calls.of[i] != net)
        i++;
    if (i == calls.n_of && i < ASY_ARRAY_LEN(calls.of))
        calls.of[calls.n_of++] = net;
    if (rc == 0 && i + 1 == calls.poisoned)
        ret[ASY_SUM_LOSS] = (double)NAN;
    return rc;
}

int __wrap_asy__device_alloc(struct asy_device *device, size_t n, struct asy__mem **ret_mem,
                             struct asy_error *err)
{
    calls.allocations++;
    return __real_asy__device_alloc(device, n, ret_mem, err);
}

/* ---- a training ------------------------------------------------------------------------------ */

static uint64_t reads_of(const struct log *log)
{
    return log->trainer->device ? asy_device_traffic(log->trainer->device).reads : 0;
}

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
    log->reads_scoring = reads_of(log) - log->reads_before;
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
    uint64_t reads = reads_of(log);

    log->steps++;
    if (log->epochs == 0 && log->steps > 1)
        log->reads += reads - log->reads_before;
    log->reads_before = reads;
    if (log->epochs == 0)
        log->allocations = calls.allocations;
    if (log->pause_at && log->steps == log->pause_at)
        asy_trainer_request(log->trainer, ASY_TRAIN_PAUSE);
    if (log->gone_at && log->steps == log->gone_at)
        log->trainer->device->gone = 1;
}

/* Trains the job in dir; *ret_model: where its model is. */
static int train(const char *device, const struct asy_json *job, const char *dir,
                 const char *resume, struct log *log, struct asy_error *err)
{
    struct asy_train_callbacks callbacks = { .arg = log, .report = report,
                                             .checkpoint = checkpoint, .alive = alive };
    struct asy_comm *comm = NULL;
    struct asy_trainer *trainer = NULL;
    int rc = asy_comm_self(&comm, err);

    if (rc == 0 && (rc = asy_trainer_create(comm, &trainer, err)) == 0) {
        log->trainer = trainer;
        asy_trainer_set_device(trainer, device);
        rc = asy_trainer_run(trainer, job, dir, resume, &callbacks, &log->result, err);
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
#define TREES "\"lr\":0.3,\"max_depth\":4,\"subsample\":0.8,\"colsample\":0.7"
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
    { "weights of classes that are given", "mlp",
      SHORT ",\"hidden\":24,\"class_weights\":{\"1\":3,\"8\":0.2}" },
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
    { "trees", "gbdt", TREES },
    { "folds of trees", "gbdt", TREES, KIT_DIGITS,
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
            T_TRUE(there.steps > (strcmp(cases[i].family, "gbdt") ? 5 : 2)); /* trees: a round */
            if (!strstr(cases[i].data ? cases[i].data : "", "folds")) /* scored within an epoch */
                T_EQ("round trips in steps", there.reads, 0);
        }
        kit_rmdir(dir);
        asy_json_destroy(job);
    }
}

/* Half of the rows, in several passes, are scored between two epochs. By such a goal the second one
 * is worse, so that its state is not fetched. */
static void scoring_reads_sums_and_what_rows_were_taken_for(void)
{
    static const struct {
        const char *name, *metric;
        uint64_t want; /* sums of training, sums, what was taken for what, and scores */
    } scored[] = { { "counts", "val_f1", 3 }, { "an area", "val_auc", 4 } };

    for (size_t i = 0; i < ASY_ARRAY_LEN(scored); i++) {
        struct asy_json *job = kit_job(KIT_DIGITS, "\"label\":-1,\"split\":{\"validation\":0.5}",
                                       scored[i].metric, "minimize", 2, SHORT ",\"hidden\":24", "");
        struct log log = { .epochs = 0 };
        struct asy_error err = ASY_ERROR_INIT;
        char dir[64];

        if (T_TRUE(kit_dir(dir) && job) && T_OK(train("opencl", job, dir, NULL, &log, &err), &err))
            T_EQ(scored[i].name, log.reads_scoring, scored[i].want);
        kit_rmdir(dir);
        asy_json_destroy(job);
    }
}

static void check_resumed(const char *family, const char *params)
{
    struct asy_json *whole = kit_family_job(family, KIT_DIGITS, "\"label\":-1", "val_loss",
                                            "minimize", 4, params, "\"checkpoint_s\":0");
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
        kit_same(family, a, b);
    }
    kit_rmdir(dir);
    kit_rmdir(again);
    asy_json_destroy(whole);
}

static void what_is_resumed_has_the_bits_of_what_was_not(void)
{
    check_resumed("mlp", SHORT ",\"hidden\":24,\"dropout\":0.1,\"ema\":0.9");
    check_resumed("gbdt", TREES);
}

#define FOLDS "\"label\":-1,\"split\":{\"folds\":2,\"test\":0.2}"

/* A pause between two steps of the second epoch; of folds, in each of their trainings. */
static void a_pause_within_an_epoch_changes_no_bit(void)
{
    static const struct {
        const char *name, *data, *params;
        uint64_t at;
    } pauses[] = {
        { "one", "\"label\":-1", ",\"dropout\":0.1,\"ema\":0.9", 20 },
        { "pieces", "\"label\":-1", ",\"accumulate\":3", 20 },
        { "the first division", FOLDS, ",\"dropout\":0.1", 34 },
        { "the second division", FOLDS, "", 42 },
        { "all rows", FOLDS, "", 50 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(pauses); i++) {
        char params[128], dir[64], again[64], a[128], b[128];
        struct log whole = { .epochs = 0 }, first = { .pause_at = pauses[i].at, .keep = 1 };
        struct log second = { .epochs = 0 };
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_json *job;

        snprintf(params, sizeof params, "%s%s", SHORT ",\"hidden\":24", pauses[i].params);
        job = kit_job(KIT_DIGITS, pauses[i].data, "val_loss", "minimize", 3, params, "");
        if (T_TRUE(kit_dir(dir) && kit_dir(again) && job) &&
            T_OK(train("opencl", job, dir, NULL, &whole, &err), &err) &&
            T_OK(train("opencl", job, again, NULL, &first, &err), &err) &&
            T_EQ(pauses[i].name, first.result.outcome, ASY_TRAIN_PAUSED) &&
            T_EQ(pauses[i].name, first.epochs, 1) && T_TRUE(first.checkpoint[0]) &&
            T_OK(train("opencl", job, again, first.checkpoint, &second, &err), &err)) {
            T_EQ(pauses[i].name, first.steps + second.steps, whole.steps);
            snprintf(a, sizeof a, "%s/model.safetensors", dir);
            snprintf(b, sizeof b, "%s/model.safetensors", again);
            kit_same(pauses[i].name, a, b);
        }
        kit_rmdir(dir);
        kit_rmdir(again);
        asy_json_destroy(job);
    }
}

/* Steps read nothing back, so a checkpoint is where it is noticed. */
static void no_checkpoint_is_made_of_what_diverged(void)
{
    static const char *const data[] = { "\"label\":-1", FOLDS };

    for (size_t i = 0; i < ASY_ARRAY_LEN(data); i++) {
        struct asy_json *job = kit_job(KIT_DIGITS, data[i], "val_loss", "minimize", 3,
                                       SHORT ",\"hidden\":24", "");
        struct log log = { .pause_at = 6 };
        struct asy_error err = ASY_ERROR_INIT;
        char dir[64];

        calls.n_of = 0;
        calls.poisoned = 1;
        if (T_TRUE(kit_dir(dir) && job) &&
            T_OK(train("opencl", job, dir, NULL, &log, &err), &err)) {
            T_EQ("outcome", log.result.outcome, ASY_TRAIN_DIVERGED);
            T_HAS("reason", log.result.reason, "train_loss is not finite in epoch 1");
            T_EQ("checkpoints", log.checkpoints, 0);
        }
        calls.poisoned = 0;
        kit_rmdir(dir);
        asy_json_destroy(job);
    }
}

/* Nothing is validated there, so its loss is all that can tell. */
static void a_training_of_all_rows_that_diverges_is_noticed(void)
{
    struct asy_json *job = kit_job(KIT_DIGITS, FOLDS, "val_loss", "minimize", 2,
                                   SHORT ",\"hidden\":24", "");
    struct log log = { .epochs = 0 };
    struct asy_error err = ASY_ERROR_INIT;
    char dir[64];

    calls.n_of = 0;
    calls.poisoned = 3;
    if (T_TRUE(kit_dir(dir) && job) && T_OK(train("opencl", job, dir, NULL, &log, &err), &err)) {
        T_EQ("outcome", log.result.outcome, ASY_TRAIN_DIVERGED);
        T_HAS("reason", log.result.reason, "train_loss is not finite in epoch 1, batch");
        T_EQ("epochs", log.epochs, 0);
    }
    calls.poisoned = 0;
    kit_rmdir(dir);
    asy_json_destroy(job);
}

/* ---- the device's memory --------------------------------------------------------------------- */

/* All networks of a job come before anybody's rows, which may take what is left; a step takes
 * nothing. */
static void networks_have_their_memory_before_rows(void)
{
    static const struct {
        const char *name, *data;
        size_t nets;
    } jobs[] = { { "one", "\"label\":-1", 1 }, { "folds", FOLDS, 3 } };

    for (size_t i = 0; i < ASY_ARRAY_LEN(jobs); i++) {
        struct asy_json *job = kit_job(KIT_DIGITS, jobs[i].data, "val_loss", "minimize", 1,
                                       SHORT ",\"hidden\":24,\"accumulate\":3", "");
        struct log log = { .epochs = 0 };
        struct asy_error err = ASY_ERROR_INIT;
        char dir[64];

        calls.nets = calls.holds = 0;
        if (T_TRUE(kit_dir(dir) && job) &&
            T_OK(train("opencl", job, dir, NULL, &log, &err), &err)) {
            T_EQ(jobs[i].name, calls.nets, jobs[i].nets);
            T_EQ(jobs[i].name, calls.holds, jobs[i].nets);
            T_EQ(jobs[i].name, calls.fewest, jobs[i].nets);
            T_EQ(jobs[i].name, log.allocations, 0);
        }
        kit_rmdir(dir);
        asy_json_destroy(job);
    }
}

/* No fault of the machine, which the trial would be tried again for (ASY_E_NOMEM). */
static void a_network_beyond_the_memory_is_too_big(void)
{
    struct asy_json *job = kit_job(KIT_DIGITS, "\"label\":-1", "val_loss", "minimize", 1,
                                   SHORT ",\"hidden\":2000", "");
    struct log log = { .epochs = 0 };
    struct asy_error err = ASY_ERROR_INIT;
    char dir[64];

    calls.memory = 3u << 20;
    if (T_TRUE(kit_dir(dir) && job)) {
        T_EQ("code", train("opencl", job, dir, NULL, &log, &err), ASY_E_TOOBIG);
        T_HAS("text", err.text, "the network needs ");
        T_HAS("text", err.text, "256 rows at a time, and all of the device's memory are 3 MiB");
        T_EQ("steps", log.steps, 0);
    }
    calls.memory = 0;
    kit_rmdir(dir);
    asy_json_destroy(job);
}

#define COLUMNS 300
#define ROWS 1500 /* with so many columns, more than a device that is a cpu gets a copy of */

static bool write_wide(const char *path)
{
    FILE *file = fopen(path, "w");

    if (!T_TRUE(file != NULL))
        return false;
    for (int row = 0; row < ROWS; row++) {
        for (int column = 0; column < COLUMNS; column++)
            fprintf(file, "%d,", (row * 31 + column * column * 7) % 11);
        fprintf(file, "%c\n", "ab"[(row * 31) % 11 > 5]);
    }
    return T_EQ("write", fclose(file), 0);
}

static void a_cpu_makes_no_copy_of_many_rows(void)
{
    struct log here = { .epochs = 0 }, there = { .epochs = 0 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *job = NULL;
    char dir[64], path[128];

    if (!T_TRUE(kit_dir(dir) != NULL))
        return;
    snprintf(path, sizeof path, "%s/wide.csv", dir);
    calls.holds = 0;
    if (write_wide(path) &&
        T_TRUE((job = kit_family_job("linear", path, "\"label\":-1", "val_loss", "minimize", 2,
                                     SHORT, "")) != NULL) &&
        T_OK(train("cpu", job, dir, NULL, &here, &err), &err) &&
        T_OK(train("opencl", job, dir, NULL, &there, &err), &err)) {
        T_EQ("holds", calls.holds, 0);
        T_NEAR("loss", distance(there.train[2], here.train[2]), 0, TOLERANCE);
    }
    kit_rmdir(dir);
    asy_json_destroy(job);
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

/* It has made so many steps and epochs before. The trainer, which is kept, trains the next job. */
static void check_gone(const char *family, const char *params, uint64_t steps, size_t epochs)
{
    struct asy_json *job = kit_family_job(family, KIT_DIGITS, "\"label\":-1", "val_loss",
                                          "minimize", 3, params, "");
    struct log first = { .gone_at = steps }, second = { .epochs = 0 };
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
    T_EQ(family, first.epochs, epochs);
    callbacks.arg = &second;
    T_OK(asy_trainer_run(trainer, job, dir, NULL, &callbacks, &result, &err), &err);
    T_EQ(family, second.epochs, 3);
out:
    asy_trainer_destroy(trainer);
    asy_comm_destroy(comm);
    kit_rmdir(dir);
    asy_json_destroy(job);
}

static void a_device_that_is_gone_fails_one_job(void)
{
    check_gone("mlp", SHORT ",\"hidden\":24", 5, 0);
    check_gone("gbdt", TREES, 2, 2);
}

static void what_no_device_can_is_refused(void)
{
    static const struct {
        const char *name, *family, *device, *params, *want;
    } refused[] = {
        { "no such word", "mlp", "tpu", "", "'tpu' is not one of auto, cpu, opencl, cuda" },
        { "meetings with nobody", "mlp", "opencl", "\"sync_every\":2",
          "a device that trains by itself has no others to meet" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(refused); i++) {
        struct asy_json *job = kit_family_job(refused[i].family, KIT_DIGITS, "\"label\":-1",
                                              "val_loss", "minimize", 1, refused[i].params, "");
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
        T_TEST(scoring_reads_sums_and_what_rows_were_taken_for),
        T_TEST(what_is_resumed_has_the_bits_of_what_was_not),
        T_TEST(a_pause_within_an_epoch_changes_no_bit),
        T_TEST(no_checkpoint_is_made_of_what_diverged),
        T_TEST(a_training_of_all_rows_that_diverges_is_noticed),
        T_TEST(networks_have_their_memory_before_rows),
        T_TEST(a_network_beyond_the_memory_is_too_big),
        T_TEST(a_cpu_makes_no_copy_of_many_rows),
        T_TEST(what_was_trained_there_goes_on_here),
        T_TEST(a_device_that_is_gone_fails_one_job),
        T_TEST(what_no_device_can_is_refused),
    };

    return t__main("device", tests, ASY_ARRAY_LEN(tests));
}
