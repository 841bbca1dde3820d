/* SPDX-License-Identifier: Apache-2.0
 * kind_device.c - a network on a device. One rank keeps everything there, and its steps read
 * nothing back: that a loss is no number is noticed at the epoch's end, or when a checkpoint is to
 * be made. Several ranks compute their gradients on their devices; sums and updates are those of
 * networks on the cpu. */
#include "trainer_impl.h"
#include "comm/agree.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>

/* ---- the trainer's device -------------------------------------------------------------------- */

static void name_device(struct asy_trainer *trainer)
{
    const struct asy_device_info *info = asy_device_info(trainer->device);

    snprintf(trainer->device_name, sizeof trainer->device_name, "%s %s, %s",
             asy_device_kinds[info->kind], info->name, info->driver);
}

/* Among the ranks to which its agent gives out GPUs: of two agents on a node, that of its own. Who
 * runs ranks by hand gives them out by node. */
static int place_of(const struct asy_comm *comm)
{
    const char *text = getenv("ASSAY_FIRST_RANK");
    int rank = asy_comm_rank(comm);
    uint64_t first;

    if (text && asy_parse_u64(text, strlen(text), &first, NULL) == 0 && first <= (uint64_t)rank)
        return rank - (int)first;
    return asy_comm_local_rank(comm);
}

/* A device stays open from job to job: to open one takes long. One that failed is opened anew. */
static int get_device(struct asy_trainer *trainer, const char *word, int has_gpus,
                      struct asy_error *err)
{
    char key[sizeof trainer->device_key];
    int rc;

    snprintf(key, sizeof key, "%d %.16s", has_gpus, word);
    if (!strcmp(key, trainer->device_key) &&
        !(trainer->device && asy_device_is_gone(trainer->device)))
        return 0;
    asy_device_close(trainer->device);
    trainer->device = NULL;
    trainer->device_key[0] = '\0';
    rc = asy__device_choose(word, has_gpus, place_of(trainer->comm), &trainer->device, err);
    if (rc < 0)
        return rc;
    memcpy(trainer->device_key, key, sizeof key);
    if (trainer->device)
        name_device(trainer);
    return 0;
}

int asy__trainer_device(struct asy_trainer *trainer, const struct asy__job *job,
                        struct asy_error *err)
{
    const char *word = trainer->device_word ? trainer->device_word : job->device;
    int on_cpu = !strcmp(word, "cpu") || (!strcmp(word, "auto") && !job->has_gpus);

    if (!on_cpu && job->plugin)
        return asy_fail(err, ASY_E_INVAL, "resources.device: plug-ins train on CPUs");
    if (!on_cpu && job->strict)
        return asy_fail(err, ASY_E_INVAL, "resources.reproducible: strict is for CPUs, whose bits "
                        "are the same everywhere; a device has its own");
    trainer->on_device = !on_cpu;
    return get_device(trainer, word, job->has_gpus, err);
}

/* ---- setting up ------------------------------------------------------------------------------ */

static int is_alone(const struct asy__run *run)
{
    return asy_comm_size(run->trainer->comm) == 1;
}

/* Once the parameters' memory is there, which is after bind(). */
static int create(struct asy__run *run, struct asy_error *err)
{
    const struct asy__on_device_options options = {
        .net = run->net,
        .labels = asy__data_labels(run->data),
        .class_weights = run->net->cpu.class_weights,
        .n_classes = run->data->schema.classes.n,
        .keeps_m = is_alone(run) && run->state.m,
        .keeps_v = is_alone(run) && run->state.v,
        .keeps_mean = run->state.mean != NULL,
        .adds = is_alone(run) && run->job->hyper.accumulate > 1,
        .comm = run->learner.comm,
        .tally = run->tally,
    };
    int rc = asy__on_device_create(run->trainer->device, &options, &run->on, err);

    if (rc == 0)
        run->learner = asy__on_device_learner(run->on, &run->learner);
    return rc;
}

static struct asy__on_device_state state_of(const struct asy__run *run)
{
    const struct asy__state *s = &run->state;

    return (struct asy__on_device_state){ s->params, s->m, s->v, s->mean, s->buffers };
}

#define CPU_HOLDS ((size_t)1 << 20) /* bytes of rows */

/* A cpu's memory has the rows already, mapped from a file where they are many: a copy is for little
 * things, and for tests. */
static int may_hold(const struct asy__run *run)
{
    size_t row = run->data->schema.n_features * sizeof *run->data->x;

    if (run->data->tokens || run->augment.column)
        return 0;
    return !asy_device_info(run->trainer->device)->is_cpu || run->n_train <= CPU_HOLDS / row;
}

/* Before the first step, when all networks of the job have their memory: rows take what is left.
 * Those that the device does not hold are sent batch by batch. So are those that are other ones in
 * each epoch: windows of tokens, and images that are moved about. */
static int hold(struct asy__run *run, struct asy_error *err)
{
    const struct asy__data *data = run->data;
    int rc;

    run->on_began = 1;
    if (!may_hold(run))
        return 0;
    rc = asy_device_net_hold(asy__on_device_net(run->on), run->n_train, data->x,
                             data->schema.classification ? data->label : NULL,
                             data->schema.classification ? NULL : data->target, err);
    if (rc == ASY_E_NOMEM || rc == ASY_E_TOOBIG)
        return 0;
    run->on_holds = rc == 0;
    return rc;
}

static int put(struct asy__run *run, struct asy_error *err)
{
    struct asy__on_device_state state = state_of(run);
    int rc;

    if ((rc = create(run, err)) == 0 && is_alone(run))
        rc = asy__on_device_put(run->on, &state, err);
    return asy__agree(run->trainer->comm, rc, err);
}

static int begin(struct asy__run *run, struct asy_error *err)
{
    int rc = asy__gradient_begin(run, err);

    return rc < 0 ? rc : put(run, err);
}

/* ---- a step ---------------------------------------------------------------------------------- */

static int rows_at_hand(struct asy__run *run, size_t from, size_t rows, struct asy_error *err)
{
    struct asy_device_net *on = asy__on_device_net(run->on);
    int classes = run->data->schema.classification || run->data->tokens;

    if (run->on_holds) {
        asy_shuffle_get(&run->shuffle, from, rows, run->rows);
        return asy_device_net_pick(on, rows, run->rows, err);
    }
    asy__gradient_gather(run, from, rows);
    return asy_device_net_rows(on, rows, run->x, classes ? run->label : NULL,
                               classes ? NULL : run->target, err);
}

/* The gradient of a batch of n rows, piece after piece. */
static int gradient(struct asy__run *run, size_t n, struct asy_error *err)
{
    size_t pieces = (size_t)run->job->hyper.accumulate, labels = asy__data_labels(run->data);
    struct asy_op_step step = { .scale = 1.0f / (float)(n * labels), .seed = run->job->seed,
                                .step = run->state.progress.step };
    int rc = 0, adds = 0;

    for (size_t p = 0; p < pieces && rc == 0; p++) {
        step.first = asy__share_begin(n, p, pieces);
        step.rows = asy__share_begin(n, p + 1, pieces) - step.first;
        if (step.rows == 0)
            continue;
        rc = rows_at_hand(run, (size_t)run->state.progress.batch * run->batch + step.first,
                          step.rows, err);
        if (rc == 0)
            rc = asy_device_net_gradient(asy__on_device_net(run->on), adds, &step, err);
        adds = 1;
    }
    return rc;
}

/* Adds what the device has summed up since the last time; *ret_loss: that of it, which need not be
 * a number. */
static int take_sums(struct asy__run *run, double *ret_loss, struct asy_error *err)
{
    double sums[ASY_SUMS], *all = (double *)(void *)&run->partials[0];
    int rc = asy_device_net_sums(asy__on_device_net(run->on), 1, sums, err);

    for (size_t i = 0; i < ASY_SUMS && rc == 0; i++)
        all[i] += sums[i];
    *ret_loss = rc == 0 ? sums[ASY_SUM_LOSS] : 0;
    return rc;
}

static int batch(struct asy__run *run, size_t n, struct asy_error *err)
{
    const struct asy__progress *p = &run->state.progress;
    struct asy_device_update update;
    double loss = 0;
    int rc;

    if (!is_alone(run))
        return asy__gradient_batch(run, n, err);
    update = asy__update_on_device(run->update, p->step + 1, p->plateau.cut);
    if ((!run->on_began && (rc = hold(run, err)) < 0) || (rc = gradient(run, n, err)) < 0 ||
        (rc = asy_device_net_update(asy__on_device_net(run->on), &update, err)) < 0)
        return rc;
    if (run->callbacks->step && (rc = take_sums(run, &loss, err)) < 0) /* it was asked for */
        return rc;
    asy__riders_alone(run, loss);
    return 0;
}

/* ---- an epoch and what is kept --------------------------------------------------------------- */

/* Several ranks have the sums here, and know of a loss that is no number with each step. */
static int tally_up(struct asy__run *run, struct asy_error *err)
{
    double loss;
    int rc = is_alone(run) ? take_sums(run, &loss, err) : 0;

    if (rc == 0)
        run->diverged = is_alone(run) && !isfinite(run->partials[0].loss);
    return rc;
}

static int measure(struct asy__run *run, struct asy__metric_list *list, struct asy_error *err)
{
    int rc = tally_up(run, err);

    return rc < 0 ? rc : asy__kind_net.measure(run, list, err);
}

static int fetch(struct asy__run *run, struct asy_error *err)
{
    struct asy__on_device_state state = state_of(run);
    int rc;

    if (!is_alone(run))
        return 0;
    rc = tally_up(run, err);
    return rc < 0 || run->diverged ? rc : asy__on_device_get(run->on, &state, err);
}

static void destroy(struct asy__run *run)
{
    asy__on_device_destroy(run->on);
    asy__kind_net.destroy(run);
}

static int plan(struct asy__run *run, struct asy_error *err)
{
    return asy__kind_net.plan(run, err);
}

static size_t own(const struct asy__run *run)
{
    return asy__kind_net.own(run);
}

static size_t room(const struct asy__run *run)
{
    return asy__kind_net.room(run);
}

static int bind(struct asy__run *run, float *memory, float *passing, struct asy_error *err)
{
    return asy__kind_net.bind(run, memory, passing, err);
}

static int parts(struct asy__run *run, int is_best, struct asy__model_parts *ret,
                 struct asy_error *err)
{
    int rc = asy__kind_net.parts(run, is_best, ret, err);

    if (rc == 0)
        ret->device = run->trainer->device_name;
    return rc;
}

static int report(struct asy__run *run, const struct asy__model_parts *parts,
                  struct asy__report *report, struct asy_error *err)
{
    return asy__kind_net.report(run, parts, report, err);
}

const struct asy__kind asy__kind_device = {
    .data = asy__run_data,
    .plan = plan,
    .own = own,
    .room = room,
    .bind = bind,
    .begin = begin,
    .resume = put,
    .batch = batch,
    .tally_up = tally_up,
    .measure = measure,
    .fetch = fetch,
    .parts = parts,
    .report = report,
    .destroy = destroy,
};
