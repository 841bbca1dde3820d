/* SPDX-License-Identifier: Apache-2.0
 * Ranks that train one network on devices (PoCL's, one for each), under mpirun: batch normalisation
 * is that of the whole batch, and what fails on one of them fails all. Run as `mpirun -n 2
 * test_device_ranks [RANKS]`; RANKS: of a node at most, as if the rest were on others.
 *
 * Tolerance: as in test_device_train.c, of losses after some epochs on the cpu and there. Where
 * each rank takes the statistics of its own rows alone, losses are 1 to 20 percent apart. */
#include "rankskit.h"
#include "../kernels/device_leaks.h"
#include <math.h>
#include <asy/training.h>
#include "frame.h"
#include "trainer_impl.h"

#define TOLERANCE 2e-3
#define EPOCHS 2

static char dir[64];

/* ---- what the linker sends here -------------------------------------------------------------- */

static struct {
    uint64_t reads;
    uint64_t gone_at; /* the read of rank 1 from which on its device is gone; 0: none */
} device_calls;

int __real_asy__device_read(struct asy_device *device, struct asy__mem *mem, size_t at, void *x,
                            size_t n, struct asy_error *err);
int __wrap_asy__device_read(struct asy_device *device, struct asy__mem *mem, size_t at, void *x,
                            size_t n, struct asy_error *err);

int __wrap_asy__device_read(struct asy_device *device, struct asy__mem *mem, size_t at, void *x,
                            size_t n, struct asy_error *err)
{
    device_calls.reads++;
    if (asy_comm_rank(comm) == 1 && device_calls.reads == device_calls.gone_at)
        device->gone = 1;
    return __real_asy__device_read(device, mem, at, x, n, err);
}

/* ---- trainings ------------------------------------------------------------------------------- */

struct log {
    double train[EPOCHS + 1], val[EPOCHS + 1]; /* of rank 0 */
    uint64_t steps, reads, step_reads;         /* step_reads: of the second step */
};

static int on_report(void *arg, uint64_t step, const struct asy_train_metric *metrics, size_t n)
{
    struct log *log = arg;

    for (size_t i = 0; i < n && step <= EPOCHS; i++) {
        if (!strcmp(metrics[i].name, "train_loss"))
            log->train[step] = metrics[i].value;
        if (!strcmp(metrics[i].name, "val_loss"))
            log->val[step] = metrics[i].value;
    }
    return 0;
}

static void on_step(void *arg)
{
    struct log *log = arg;

    if (++log->steps == 2)
        log->step_reads = device_calls.reads - log->reads;
    log->reads = device_calls.reads;
}

static int train(const char *device, const struct asy_json *job, struct log *log,
                 struct asy_error *err)
{
    static struct asy_train_result result;
    const struct asy_train_callbacks callbacks = { .arg = log, .report = on_report,
                                                   .alive = on_step };
    struct asy_trainer *trainer = NULL;
    int rc = asy_trainer_create(comm, &trainer, err);

    device_calls.reads = 0;
    if (rc == 0) {
        asy_trainer_set_device(trainer, device);
        rc = asy_trainer_run(trainer, job, dir, NULL, &callbacks, &result, err);
    }
    asy_trainer_destroy(trainer);
    return rc;
}

static double distance(double a, double b)
{
    return fabs(a - b) / fmax(fabs(b), 0.1);
}

/* ---- the tests ------------------------------------------------------------------------------- */

#define MLP "\"lr\":0.001,\"hidden\":24,\"layers\":2,\"norm\":\"batch\""
static const struct {
    const char *name, *family, *params;
    uint64_t norms; /* layers of batch normalisation */
} cases[] = {
    { "mlp", "mlp", MLP ",\"batch_size\":24", 2 },
    { "a last batch of one row", "mlp", MLP ",\"batch_size\":11", 2 }, /* 1079 = 98 11 + 1 */
    { "cnn", "cnn",
      "\"lr\":0.001,\"batch_size\":24,\"filters\":4,\"hidden\":16,\"norm\":\"batch\","
      "\"image_height\":8,\"image_width\":8,\"image_channels\":1", 2 },
};

static void batches_are_normalised_as_a_whole(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_json *job = kit_family_job(cases[i].family, KIT_DIGITS, "\"label\":-1",
                                              "val_loss", "minimize", EPOCHS, cases[i].params, "");
        struct log here = { .steps = 0 }, there = { .steps = 0 };
        struct asy_error err = ASY_ERROR_INIT;

        if (T_TRUE(job != NULL) && shared_dir(dir)) {
            if (T_OK(train("cpu", job, &here, &err), &err) &&
                T_OK(train("opencl", job, &there, &err), &err) && asy_comm_rank(comm) == 0)
                for (size_t e = 1; e <= EPOCHS; e++) {
                    T_NEAR(cases[i].name, distance(there.train[e], here.train[e]), 0, TOLERANCE);
                    T_NEAR(cases[i].name, distance(there.val[e], here.val[e]), 0, TOLERANCE);
                }
            if (asy_comm_rank(comm) == 0) /* beside them gradient, loss, running statistics */
                T_EQ(cases[i].name, there.step_reads, 3 + 2 * cases[i].norms);
            drop_dir(dir);
        }
        asy_json_destroy(job);
    }
}

/* At each of a step's reads: of both norms' sums, forward and back, the gradient, the loss. Nobody
 * waits for ever (the test has a time limit), and no rank goes on. */
static void a_device_that_fails_ends_all_ranks(void)
{
    struct asy_json *job = kit_job(KIT_DIGITS, "\"label\":-1", "val_loss", "minimize", EPOCHS,
                                   MLP ",\"batch_size\":24", "");

    for (uint64_t at = 1; at <= 9 && job && shared_dir(dir); at++) {
        struct log log = { .steps = 0 };
        struct asy_error err = ASY_ERROR_INIT;

        device_calls.gone_at = at;
        T_EQ("code", train("opencl", job, &log, &err), ASY_E_GONE);
        T_HAS("text", err.text, "failed before");
        T_TRUE(log.steps <= 1);
        drop_dir(dir);
    }
    device_calls.gone_at = 0;
    asy_json_destroy(job);
}

int main(int argc, char **argv)
{
    static const struct t_test tests[] = {
        T_TEST(batches_are_normalised_as_a_whole),
        T_TEST(a_device_that_fails_ends_all_ranks),
    };
    int rc;

    if (!ranks_open(ranks_asked(argc, argv)))
        return 2;
    asy_kernels_init();
    rc = t__main("device-ranks", tests, ASY_ARRAY_LEN(tests));
    asy_comm_destroy(comm);
    return rc;
}
