/* SPDX-License-Identifier: Apache-2.0
 * on_device.c - see on_device.h. */
#include "on_device.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>
#include "learn/score.h"

/* ---- which ----------------------------------------------------------------------------------- */

#define DEVICES_MAX 64

int asy__rank_gpu(const char *text, int local_rank, size_t *ret_place, struct asy_error *err)
{
    const char *at = text;
    uint64_t place;
    int rc;

    for (int rank = 0; rank < local_rank; rank++) {
        at += strcspn(at, ";");
        if (!*at++)
            return asy_fail(err, ASY_E_FORMAT, "ASSAY_RANK_GPUS='%.60s' gives rank %d no GPU", text,
                            local_rank);
    }
    if ((rc = asy_parse_u64(at, strcspn(at, ",;"), &place, NULL)) < 0 || place > SIZE_MAX)
        return asy_fail(err, ASY_E_FORMAT, "ASSAY_RANK_GPUS='%.60s' is no list of numbers", text);
    *ret_place = (size_t)place;
    return 0;
}

/* Whether a trial may take a device, of which there are GPUs among those that it sees. */
static int may_take(const struct asy_device_info *info, int has_gpus, int sees_gpus)
{
    return has_gpus && sees_gpus ? !info->is_cpu : has_gpus || info->is_cpu;
}

int asy__device_pick(const struct asy_device_info *info, size_t n, int has_gpus,
                     const char *rank_gpus, int local_rank, size_t *ret_index,
                     struct asy_error *err)
{
    size_t usable = 0, nth = (size_t)local_rank;
    int sees_gpus = 0, rc;

    for (size_t i = 0; i < n; i++)
        sees_gpus |= !info[i].is_cpu;
    for (size_t i = 0; i < n; i++)
        usable += may_take(&info[i], has_gpus, sees_gpus);
    if (usable == 0)
        return asy_fail(err, ASY_E_NOENT, n ? "it has GPUs alone, and resources.gpus asks for none"
                                            : "it shows no device");
    if (!has_gpus || !rank_gpus)
        nth %= usable;
    else if ((rc = asy__rank_gpu(rank_gpus, local_rank, &nth, err)) < 0)
        return rc;
    if (nth >= usable)
        return asy_fail(err, ASY_E_NOENT, "rank %d was given the trial's GPU %zu, and it shows %zu",
                        local_rank, nth, usable);
    for (size_t i = 0, k = 0; i < n; i++)
        if (may_take(&info[i], has_gpus, sees_gpus) && k++ == nth)
            *ret_index = i;
    return 0;
}

/* A worker that offers PoCL's devices as GPUs (worker_gpus: any) says so by their ids. */
static int is_lent_cpus(void)
{
    const char *ids = getenv("ASSAY_GPUS");

    return ids && strstr(ids, "pocl-");
}

static int open_mine(enum asy_device_kind kind, int has_gpus, int local_rank,
                     struct asy_device **ret, struct asy_error *err)
{
    struct asy_device_info info[DEVICES_MAX];
    size_t n = 0, index = 0;
    int rc = asy_device_list(kind, info, DEVICES_MAX, &n, err);

    if (rc < 0)
        return rc;
    rc = asy__device_pick(info, n < DEVICES_MAX ? n : DEVICES_MAX, has_gpus,
                          getenv("ASSAY_RANK_GPUS"), local_rank, &index, err);
    if (rc == 0 && has_gpus && info[index].is_cpu && !is_lent_cpus())
        rc = asy_fail(err, ASY_E_NOENT, "it shows none of the trial's GPUs");
    if (rc < 0) {
        asy_error_prefix(err, "%s", asy_device_kinds[kind]);
        return rc;
    }
    return asy_device_open(kind, index, ret, err);
}

static int open_any_gpu(int local_rank, struct asy_device **ret, struct asy_error *err)
{
    struct asy_error why = ASY_ERROR_INIT, why_cl = ASY_ERROR_INIT;

    if (open_mine(ASY_DEVICE_CUDA, 1, local_rank, ret, &why) == 0 ||
        open_mine(ASY_DEVICE_OPENCL, 1, local_rank, ret, &why_cl) == 0)
        return 0;
    return asy_fail(err, ASY_E_NOENT, "the trial's GPUs can be used neither by cuda (%.90s) nor by "
                    "opencl (%.90s)", why.text, why_cl.text);
}

int asy__device_choose(const char *word, int has_gpus, int local_rank,
                       struct asy_device **ret_device, struct asy_error *err)
{
    int rc = 0;

    *ret_device = NULL;
    if (!word || !strcmp(word, "auto")) {
        if (has_gpus)
            rc = open_any_gpu(local_rank, ret_device, err);
    } else if (!strcmp(word, asy_device_kinds[ASY_DEVICE_OPENCL])) {
        rc = open_mine(ASY_DEVICE_OPENCL, has_gpus, local_rank, ret_device, err);
    } else if (!strcmp(word, asy_device_kinds[ASY_DEVICE_CUDA])) {
        rc = open_mine(ASY_DEVICE_CUDA, has_gpus, local_rank, ret_device, err);
    } else if (strcmp(word, asy_device_kinds[ASY_DEVICE_CPU]) != 0) {
        return asy_fail(err, ASY_E_INVAL, "device: '%.40s' is not one of auto, cpu, opencl, cuda",
                        word);
    }
    if (rc < 0)
        asy_error_prefix(err, "resources.device");
    return rc;
}

/* ---- the network ----------------------------------------------------------------------------- */

struct asy__on_device {
    const struct asy__net *net;
    struct asy__learner cpu; /* what it stands for */
    struct asy_device_net *on;
    const float *params, *mean; /* the host's arrays whose content is there; NULL: of none */
    float *outputs;             /* [eval_rows][outputs] */
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

static int create_net(struct asy__on_device *on, struct asy_device *device,
                      const struct asy__on_device_options *options, struct asy_error *err)
{
    const struct asy__net *net = options->net;
    struct asy_device_span *spans = NULL;
    size_t n_spans = 0, outs = asy__shape_size(net->outputs);
    int rc;

    if ((rc = copy_spans(net, &spans, &n_spans, err)) < 0)
        return rc;
    rc = asy_device_net_create(device, &(struct asy_device_net_desc){
        .train = net->train.ops, .n_train = net->train.n,
        .eval = net->eval.ops, .n_eval = net->eval.n,
        .features = asy__shape_size(net->features), .outputs = outs,
        .labels = options->labels, .out = net->out,
        .train_rows = net->train_rows, .eval_rows = net->eval_rows,
        .n_params = net->n_params, .n_buffers = net->n_buffers, .n_work = net->n_work,
        .keeps_m = options->keeps_m, .keeps_v = options->keeps_v,
        .keeps_mean = options->keeps_mean, .adds = options->adds,
        .class_weights = options->class_weights, .n_classes = options->n_classes,
        .spans = spans, .n_spans = n_spans,
    }, &on->on, err);
    free(spans);
    if (rc == 0 && !(on->outputs = calloc(net->eval_rows * outs, sizeof *on->outputs)))
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for outputs of %zu rows", net->eval_rows);
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
    if ((rc = create_net(on, device, options, err)) < 0) {
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

static int gradient(const struct asy__learner *learner, const struct asy__batch *batch,
                    float *grads, struct asy__score *score, struct asy_error *err)
{
    struct asy__on_device *on = learner->self;
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

static int outputs(const struct asy__learner *learner, const float *x, size_t rows,
                   float **ret_outputs, struct asy_error *err)
{
    struct asy__on_device *on = learner->self;
    int is_mean = learner->params == on->mean && on->mean, rc = 0;

    if (!is_mean && learner->params != on->params)
        rc = send(on, learner, err);
    if (rc < 0 || (rc = asy_device_net_rows(on->on, rows, x, NULL, NULL, err)) < 0 ||
        (rc = asy_device_net_outputs(on->on, is_mean ? ASY_ARRAY_MEAN : ASY_ARRAY_PARAMS, NULL,
                                     rows, on->outputs, err)) < 0)
        return rc;
    *ret_outputs = on->outputs;
    return 0;
}

struct asy__learner asy__on_device_learner(struct asy__on_device *on,
                                           const struct asy__learner *learner)
{
    static const struct asy__learner_type type = { init, gradient, outputs };
    struct asy__learner there = *learner;

    on->cpu = *learner;
    there.type = &type;
    there.self = on;
    return there;
}
