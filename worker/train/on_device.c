/* SPDX-License-Identifier: Apache-2.0
 * on_device.c - a network on a device as a learner: see on_device.h. */
#include "on_device.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <asy/batch_norm.h>
#include "learn/score.h"

struct asy__on_device {
    const struct asy__net *net;
    struct asy__learner cpu; /* what it stands for */
    struct asy_device_net *on;
    const float *params, *mean; /* the host's arrays whose content is there; NULL: of none */
    float *outputs;             /* [eval_rows][outputs] */
    size_t judges, columns;     /* rows of validation that it keeps, and scores of each */
    uint32_t *judged;           /* [judges][2], as asy_device_net_judged() has them */
    float *scores;              /* [judges][columns] */
    struct asy_comm *comm;      /* that joins sums over the batch; NULL: it is here as a whole */
    double *nothing;            /* zeros, as many as the longest of these */
    size_t joined;              /* of the present batch: how many of them have been joined */
    int parted;                 /* a join has failed: the ranks are not together any more */
};

static int copy_spans(const struct asy__net *net, struct asy_device_span **ret, size_t *ret_n,
                      struct asy_error *err)
{
    struct asy_device_span *spans = calloc(net->n_tensors + 1, sizeof *spans);
    size_t n = 0;

    if (!spans)
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu tensors", net->n_tensors);
    for (size_t t = 0; t < net->n_tensors; t++)
        if (!net->tensors[t].is_buffer)
            spans[n++] = (struct asy_device_span){ net->tensors[t].at, net->tensors[t].n,
                                                   net->tensors[t].n_dims > 1 };
    *ret = spans;
    *ret_n = n;
    return 0;
}

/* ---- sums over the batch --------------------------------------------------------------------- */

static size_t joined_by(const struct asy_op *op)
{
    int joins = op->kind == ASY_OP_BATCH_NORM || op->kind == ASY_OP_BATCH_NORM_GRAD;

    return joins ? asy_batch_sums_len(op->n[0]) : 0;
}

static int join(void *arg, double *sums, size_t n, struct asy_error *err)
{
    struct asy__on_device *on = arg;
    int rc = asy_comm_sum_f64(on->comm, sums, n, err);

    on->joined++;
    on->parted |= rc < 0;
    return rc;
}

/* A device that fails within a program leaves sums that the other ranks wait for: they get nothing
 * of this one, and hear of the failure where gradients meet. */
static void join_rest(struct asy__on_device *on)
{
    const struct asy__program *program = &on->net->train;
    size_t i = 0;

    for (const struct asy_op *op = program->ops; op < program->ops + program->n; op++) {
        size_t n = joined_by(op);

        if (n == 0 || i++ < on->joined || on->parted)
            continue;
        memset(on->nothing, 0, n * sizeof *on->nothing);
        ASY_IGNORE(join(on, on->nothing, n, NULL)); /* there is an error already */
    }
}

static int prepare_joins(struct asy__on_device *on, struct asy_comm *comm, struct asy_error *err)
{
    size_t most = 0;

    for (size_t i = 0; i < on->net->train.n; i++)
        most = joined_by(&on->net->train.ops[i]) > most ? joined_by(&on->net->train.ops[i]) : most;
    if (!comm || most == 0)
        return 0;
    on->comm = comm;
    if (!(on->nothing = calloc(most, sizeof *on->nothing)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu sums", most);
    return 0;
}

/* ---- create and destroy ---------------------------------------------------------------------- */

#define KEPT ((size_t)4 << 20) /* numbers of rows that were judged, before they are read */

/* As many rows of the tally as that, or one pass of them. */
static int make_room(struct asy__on_device *on, const struct asy__tally *tally,
                     struct asy_error *err)
{
    size_t pass = on->net->eval_rows, most;

    if (!(on->outputs = calloc(pass * asy__shape_size(on->net->outputs), sizeof *on->outputs)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for outputs of %zu rows", pass);
    if (!tally)
        return 0;
    on->columns = asy__tally_columns(tally);
    on->judges = asy__tally_rows(tally);
    most = KEPT / (2 + on->columns) > pass ? KEPT / (2 + on->columns) : pass;
    on->judges = on->judges < most ? on->judges : most;
    on->judged = calloc(2 * on->judges + 1, sizeof *on->judged);
    on->scores = calloc(on->judges * on->columns + 1, sizeof *on->scores);
    if (!on->judged || !on->scores)
        return asy_fail(err, ASY_E_NOMEM, "no memory for scores of %zu rows", on->judges);
    return 0;
}

static int create_net(struct asy__on_device *on, struct asy_device *device,
                      const struct asy__on_device_options *options, struct asy_error *err)
{
    const struct asy__net *net = options->net;
    struct asy_device_span *spans = NULL;
    size_t n_spans = 0;
    int rc;

    if ((rc = copy_spans(net, &spans, &n_spans, err)) < 0)
        return rc;
    rc = asy_device_net_create(device, &(struct asy_device_net_desc){
        .train = net->train.ops, .n_train = net->train.n,
        .eval = net->eval.ops, .n_eval = net->eval.n,
        .features = asy__shape_size(net->features), .outputs = asy__shape_size(net->outputs),
        .labels = options->labels, .out = net->out, .judged = on->judges, .scores = on->columns,
        .join = on->comm ? join : NULL, .join_arg = on,
        .train_rows = net->train_rows, .eval_rows = net->eval_rows,
        .n_params = net->n_params, .n_buffers = net->n_buffers, .n_work = net->n_work,
        .keeps_m = options->keeps_m, .keeps_v = options->keeps_v,
        .keeps_mean = options->keeps_mean, .adds = options->adds,
        .class_weights = options->class_weights, .n_classes = options->n_classes,
        .spans = spans, .n_spans = n_spans,
    }, &on->on, err);
    free(spans);
    return rc;
}

int asy__on_device_create(struct asy_device *device, const struct asy__on_device_options *options,
                          struct asy__on_device **ret, struct asy_error *err)
{
    struct asy__on_device *on = calloc(1, sizeof *on);
    int rc;

    if (!on)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a network on a device");
    on->net = options->net;
    if ((rc = make_room(on, options->tally, err)) < 0 ||
        (rc = prepare_joins(on, options->comm, err)) < 0 ||
        (rc = create_net(on, device, options, err)) < 0) {
        asy__on_device_destroy(on);
        return rc;
    }
    *ret = on;
    return 0;
}

void asy__on_device_destroy(struct asy__on_device *on)
{
    int saved = errno;

    if (!on)
        return;
    asy_device_net_destroy(on->on);
    free(on->outputs);
    free(on->judged);
    free(on->scores);
    free(on->nothing);
    free(on);
    errno = saved;
}

struct asy_device_net *asy__on_device_net(struct asy__on_device *on)
{
    return on->on;
}

/* Each array of the state that is kept, there or back. */
static int exchange(struct asy__on_device *on, const struct asy__on_device_state *s, int put,
                    struct asy_error *err)
{
    size_t n_params = on->net->n_params, n_buffers = on->net->n_buffers;
    const struct {
        enum asy_device_array array;
        float *x;
        size_t n;
    } all[] = {
        { ASY_ARRAY_PARAMS, s->params, n_params },  { ASY_ARRAY_M, s->m, n_params },
        { ASY_ARRAY_V, s->v, n_params },            { ASY_ARRAY_MEAN, s->mean, n_params },
        { ASY_ARRAY_BUFFERS, s->buffers, n_buffers },
    };
    int rc = 0;

    for (size_t i = 0; i < ASY_ARRAY_LEN(all) && rc == 0; i++) {
        if (!all[i].x || !all[i].n)
            continue;
        rc = put ? asy_device_net_write(on->on, all[i].array, all[i].x, all[i].n, err)
                 : asy_device_net_read(on->on, all[i].array, all[i].x, all[i].n, err);
    }
    return rc;
}

int asy__on_device_put(struct asy__on_device *on, const struct asy__on_device_state *state,
                       struct asy_error *err)
{
    int rc = exchange(on, state, 1, err);

    on->params = rc < 0 ? NULL : state->params;
    on->mean = rc < 0 ? NULL : state->mean;
    return rc;
}

int asy__on_device_get(struct asy__on_device *on, const struct asy__on_device_state *state,
                       struct asy_error *err)
{
    return exchange(on, state, 0, err);
}

/* ---- as a learner ---------------------------------------------------------------------------- */

static void init(const struct asy__learner *learner, uint64_t seed, float *params, float *buffers)
{
    const struct asy__on_device *on = learner->self;

    on->cpu.type->init(&on->cpu, seed, params, buffers);
}

/* What the learner has in the host's memory. */
static int send(struct asy__on_device *on, const struct asy__learner *learner,
                struct asy_error *err)
{
    const struct asy__on_device_state state = { .params = (float *)(uintptr_t)learner->params,
                                                .buffers = learner->buffers };

    on->params = on->mean = NULL;
    return exchange(on, &state, 1, err); /* only reads them */
}

static void add_sums(const double sums[ASY_SUMS], struct asy__score *score)
{
    double *all = (double *)(void *)score;

    for (size_t i = 0; i < ASY_SUMS; i++)
        all[i] += sums[i];
}

static int compute(struct asy__on_device *on, const struct asy__learner *learner,
                   const struct asy__batch *batch, float *grads, struct asy__score *score,
                   struct asy_error *err)
{
    const struct asy_op_step step = { batch->rows, batch->first, batch->scale, batch->seed,
                                      batch->step };
    const struct asy__on_device_state buffers = { .buffers = learner->buffers };
    double sums[ASY_SUMS];
    int rc;

    if ((rc = send(on, learner, err)) < 0 ||
        (rc = asy_device_net_rows(on->on, batch->rows, batch->x, batch->label, batch->target,
                                  err)) < 0 ||
        (rc = asy_device_net_gradient(on->on, 0, &step, err)) < 0 ||
        (rc = asy_device_net_read(on->on, ASY_ARRAY_GRADS, grads, on->net->n_params, err)) < 0 ||
        (rc = asy_device_net_sums(on->on, 1, sums, err)) < 0)
        return rc;
    add_sums(sums, score);
    return exchange(on, &buffers, 0, err);
}

static int gradient(const struct asy__learner *learner, const struct asy__batch *batch,
                    float *grads, struct asy__score *score, struct asy_error *err)
{
    struct asy__on_device *on = learner->self;
    int rc;

    on->joined = 0;
    rc = compute(on, learner, batch, grads, score, err);
    if (rc < 0 && on->comm)
        join_rest(on);
    return rc;
}

/* Sees to it that what the learner has is there, and where. */
static int params_there(struct asy__on_device *on, const struct asy__learner *learner,
                        enum asy_device_array *ret, struct asy_error *err)
{
    *ret = on->mean && learner->params == on->mean ? ASY_ARRAY_MEAN : ASY_ARRAY_PARAMS;
    return *ret == ASY_ARRAY_MEAN || learner->params == on->params ? 0 : send(on, learner, err);
}

static int outputs(const struct asy__learner *learner, const float *x, size_t rows,
                   float **ret_outputs, struct asy_error *err)
{
    struct asy__on_device *on = learner->self;
    enum asy_device_array params;
    int rc;

    if ((rc = params_there(on, learner, &params, err)) < 0 ||
        (rc = asy_device_net_rows(on->on, rows, x, NULL, NULL, err)) < 0 ||
        (rc = asy_device_net_outputs(on->on, params, NULL, rows, on->outputs, err)) < 0)
        return rc;
    *ret_outputs = on->outputs;
    return 0;
}

/* Counts the rows that are kept there, the last of which is before `end` of the part. */
static int count_judged(struct asy__on_device *on, const struct asy__scoring *s, size_t start,
                        size_t end, struct asy_error *err)
{
    size_t rows;
    int rc = asy_device_net_judged(on->on, on->judged, on->scores, &rows, err);

    if (rc < 0)
        return rc;
    asy__tally_add_judged(s->tally, end - rows - start, rows, on->judged, on->scores,
                          s->data->label + end - rows);
    return 0;
}

/* Rows at.. of the data. */
static int score_pass(struct asy__on_device *on, const struct asy__scoring *s,
                      enum asy_device_array params, size_t at, size_t rows, struct asy_error *err)
{
    struct asy__rows batch = asy__data_rows(s->data, at, rows);
    int classes = s->data->schema.classification || s->data->tokens, rc;

    if ((rc = asy_device_net_rows(on->on, rows, batch.x, classes ? batch.label : NULL,
                                  classes ? NULL : batch.target, err)) < 0 ||
        (rc = asy_device_net_outputs(on->on, params, &s->loss, rows, NULL, err)) < 0)
        return rc;
    return s->tally ? asy_device_net_judge(on->on, rows, err) : 0;
}

/* Reads sums once, and what rows were taken for when there is room for no more of them. */
static int score(const struct asy__learner *learner, const struct asy__scoring *s, size_t start,
                 size_t from, size_t to, struct asy__score *score, struct asy_error *err)
{
    struct asy__on_device *on = learner->self;
    enum asy_device_array params;
    double sums[ASY_SUMS];
    size_t kept = 0, rows;
    int rc = params_there(on, learner, &params, err);

    for (size_t at = from; at < to && rc == 0; at += rows) {
        rows = to - at < learner->rows_max ? to - at : learner->rows_max;
        if (s->tally && kept + rows > on->judges) {
            rc = count_judged(on, s, start, at, err);
            kept = 0;
        }
        if (rc == 0)
            rc = score_pass(on, s, params, at, rows, err);
        kept += rows;
    }
    if (rc < 0 || (rc = asy_device_net_sums(on->on, 0, sums, err)) < 0)
        return rc;
    add_sums(sums, score);
    return s->tally ? count_judged(on, s, start, to, err) : 0;
}

struct asy__learner asy__on_device_learner(struct asy__on_device *on,
                                           const struct asy__learner *learner)
{
    static const struct asy__learner_type type = { .init = init, .gradient = gradient,
                                                  .outputs = outputs, .score = score };
    struct asy__learner there = *learner;

    on->cpu = *learner;
    there.type = &type;
    there.self = on;
    return there;
}
