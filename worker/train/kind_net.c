/* SPDX-License-Identifier: Apache-2.0
 * kind_net.c - a network, trained here. */
#include "trainer_impl.h"
#include "cores.h"
#include "learn/loss.h"
#include "learn/report.h"
#include "net/families.h"

#define EVAL_ROWS 256 /* least rows of a scoring pass: small batches would make slow products */

/* Whether sums over the whole batch can be had: parts of one are computed one after the other. */
static int check_joins(const struct asy__run *run, struct asy_error *err)
{
    const char *why = run->job->strict ? "resources.reproducible: strict"
                      : run->job->hyper.accumulate > 1 ? "accumulate" : NULL;

    if (!run->learner.joins || !why)
        return 0;
    return asy_fail(err, ASY_E_INVAL, "%s computes parts of a batch one by one, batch "
                    "normalisation needs it whole; norm: layer does not", why);
}

/* Strict bits are the same on all machines, those of the unit for bf16 are not its stand-in's. */
static int check_precision(const struct asy__job *job, struct asy_error *err)
{
    if (!job->strict || job->hyper.precision == ASY__FP32)
        return 0;
    return asy_fail(err, ASY_E_INVAL, "resources.reproducible: strict gives the same bits on every "
                    "machine, precision: bf16 does not; precision: fp32 does");
}

static int check_products(const struct asy__job *job, struct asy_error *err)
{
    if (!job->strict || asy_kernels_products() == ASY_PRODUCTS_OWN)
        return 0;
    return asy_fail(err, ASY_E_INVAL, "resources.reproducible: strict gives the same bits on every "
                    "machine, OpenBLAS does not; the setting train_blas: own does");
}

static int validate(struct asy__run *run, struct asy__score *ret, struct asy_error *err)
{
    struct asy__learner learner = asy__gradient_judged(run);
    struct asy__scoring scoring = {
        .learner = &learner,
        .data = run->data,
        .loss = asy__loss_scored(&run->job->hyper, &run->data->schema),
        .comm = run->trainer->comm,
        .shards = run->shards,
        .room = run->sums,
        .tally = run->tally,
    };

    return asy__score_part(&scoring, ASY__VALIDATION, ret, &run->counts, err);
}

/* What training rows go through on their way into a batch. */
static int plan_augment(struct asy__run *run, struct asy_error *err)
{
    const struct asy__hyper *hyper = &run->job->hyper;
    struct asy__shape image = asy__family_image(run->net);

    if (!asy__family_augments(hyper))
        return 0;
    run->augment = (struct asy__augment){
        .schema = &run->data->schema, .height = image.height, .width = image.width,
        .channels = image.channels, .shift = (size_t)hyper->augment_shift,
        .crop = (size_t)hyper->augment_crop, .flip = (int)hyper->augment_flip,
        .seed = run->job->seed,
    };
    return asy__augment_init(&run->augment, err);
}

static int plan(struct asy__run *run, struct asy_error *err)
{
    const size_t *start = run->data->start;
    struct asy_comm *comm = run->trainer->comm;
    size_t begin, end;
    int rc;

    asy__own_rows(comm, run->shards, start[ASY__VALIDATION + 1] - start[ASY__VALIDATION], &begin,
                  &end);
    if ((rc = check_precision(run->job, err)) < 0 || (rc = check_products(run->job, err)) < 0 ||
        (rc = asy__run_tally(run, begin, end, err)) < 0 ||
        (rc = asy__cores_team(run->job->cores, &run->trainer->team, err)) < 0 ||
        (rc = asy__family_net_of(&run->job->hyper, &run->data->schema, asy__gradient_rows(run),
                                 EVAL_ROWS, asy__joint_parties(run), &run->net, err)) < 0 ||
        (rc = plan_augment(run, err)) < 0)
        return rc;
    run->learner = asy__net_learner(run->net, NULL, NULL);
    if ((rc = check_joins(run, err)) < 0 ||
        (rc = asy__net_check_rows(run->net, run->batch, err)) < 0)
        return rc;
    asy__net_team(run->net, run->trainer->team);
    if (asy_comm_size(comm) > 1)
        run->learner.comm = comm;
    if (asy_comm_size(comm) > asy_comm_local_size(comm) && run->job->hyper.sync_every == 1 &&
        (rc = asy__net_order_create(run->net, &run->order, err)) < 0)
        return rc;
    return asy__gradient_plan(run, err);
}

static size_t class_weights(const struct asy__run *run)
{
    return asy__loss_weighs(&run->job->hyper) ? run->data->schema.classes.n : 0;
}

static size_t room(const struct asy__run *run)
{
    return asy__net_room(run->net);
}

static int bind(struct asy__run *run, float *own, float *memory, struct asy_error *err)
{
    asy__net_bind(run->net, memory);
    if (!class_weights(run))
        return 0;
    run->net->cpu.class_weights = own;
    return asy__loss_weights(&run->job->hyper, run->data, own, err);
}

static int measure(struct asy__run *run, struct asy__metric_list *list, struct asy_error *err)
{
    struct asy__score train, val = { 0 };
    int rc;

    if ((rc = asy__run_total(run, &train, err)) < 0 ||
        (asy__run_validates(run) && (rc = validate(run, &val, err)) < 0))
        return rc;
    asy__run_metrics(run, &train, &val, list);
    return 0;
}

static int parts(struct asy__run *run, int is_best, struct asy__model_parts *ret,
                 struct asy_error *err)
{
    const struct asy__state *s = &run->state;

    (void)err;
    *ret = (struct asy__model_parts){ .net = run->net,
                                      .params = is_best   ? s->best
                                                : s->mean ? s->mean
                                                          : s->params,
                                      .buffers = is_best ? s->best + s->n_params : s->buffers };
    return 0;
}

static int judge(struct asy__run *run, const struct asy__model_parts *parts,
                  struct asy__report *report, struct asy_error *err)
{
    struct asy__learner learner = run->learner;

    if (run->data->tokens)
        return 0; /* too many classes */
    learner.params = parts->params;
    learner.buffers = (float *)(uintptr_t)parts->buffers; /* evaluation only reads them */
    return asy__report_add(report, &learner, run->data, ASY__VALIDATION, err);
}

static void destroy(struct asy__run *run)
{
    asy__augment_fini(&run->augment);
    asy__net_order_destroy(run->order);
    asy__net_destroy(run->net);
}

const struct asy__kind asy__kind_net = {
    .data = asy__run_data,
    .plan = plan,
    .own = class_weights,
    .room = room,
    .bind = bind,
    .begin = asy__gradient_begin,
    .batch = asy__gradient_batch,
    .measure = measure,
    .parts = parts,
    .report = judge,
    .destroy = destroy,
};
