/* SPDX-License-Identifier: Apache-2.0
 * net_run.c - a planned network as a learner: its programs on the cpu. */
#include "net.h"
#include <string.h>
#include <asy/comm.h>
#include <asy/rng.h>
#include "learn/score.h"

void asy__net_team(struct asy__net *net, struct asy_team *team)
{
    net->team = team;
}

size_t asy__net_room(const struct asy__net *net)
{
    return ASY_OP_ROOM + (net->joint ? 0 : net->n_work) +
           (asy_team_size(net->team) - 1) * net->own;
}

void asy__net_bind(struct asy__net *net, float *memory)
{
    net->cpu = (struct asy_op_cpu){ .room = memory, .team = net->team, .own_at = net->n_work,
                                    .own = net->own };
    if (!net->joint)
        asy__net_work(net, memory + ASY_OP_ROOM);
}

void asy__net_work(struct asy__net *net, float *work)
{
    net->cpu.read[ASY_SPACE_WORK] = net->cpu.write[ASY_SPACE_WORK] = work;
}

void asy__net_join(const struct asy__net *net, const struct asy_op_taker *taker,
                   const struct asy_op_party *parties, size_t n, size_t index)
{
    struct asy_op_cpu cpu = { .room = net->cpu.room, .taker = taker };

    asy_op_joint(net->train.ops, net->train.n, &cpu, parties, n, index);
}

static void fill(const struct asy__tensor *tensor, uint64_t seed, float *x)
{
    struct asy_rng rng;

    if (tensor->init == ASY__NORMAL)
        asy_rng_init(&rng, seed, tensor->draws, ASY_RNG_INIT);
    for (size_t i = 0; i < tensor->n && tensor->init != ASY__ZEROS; i++)
        x[i] = tensor->init == ASY__ONES ? 1 : (float)(asy_rng_normal(&rng) * tensor->spread);
}

void asy__net_init(const struct asy__net *net, uint64_t seed, float *params, float *buffers)
{
    if (params)
        memset(params, 0, net->n_params * sizeof *params);
    if (net->n_buffers)
        memset(buffers, 0, net->n_buffers * sizeof *buffers);
    for (size_t i = 0; i < net->n_tensors; i++) {
        const struct asy__tensor *tensor = &net->tensors[i];

        if (tensor->is_buffer)
            fill(tensor, seed, buffers + tensor->at);
        else if (params)
            fill(tensor, seed, params + tensor->at);
    }
}

static void init(const struct asy__learner *learner, uint64_t seed, float *params, float *buffers)
{
    asy__net_init(learner->self, seed, params, buffers);
}

/* What a program's sums over the ranks came to. */
struct joiner {
    struct asy_comm *comm;
    struct asy_error *err;
    int rc;
};

/* After a failure the rest of the program computes nothing that counts. */
static void join(void *arg, double *sums, size_t n)
{
    struct joiner *joiner = arg;

    if (joiner->rc == 0)
        joiner->rc = asy_comm_sum_f64(joiner->comm, sums, n, joiner->err);
}

static int gradient(const struct asy__learner *learner, const struct asy__batch *batch,
                    float *grads, struct asy__score *score, struct asy_error *err)
{
    const struct asy__net *net = learner->self;
    struct asy_op_cpu cpu = net->cpu;
    struct joiner joiner = { learner->comm, err, 0 };
    struct asy_op_step step = { batch->rows, batch->first, batch->scale, batch->seed,
                                batch->step };

    if (net->joins && learner->comm) {
        cpu.join = join;
        cpu.join_arg = &joiner;
    }
    cpu.taker = learner->taker;
    cpu.joint = learner->leaves;
    cpu.between = learner->between;
    cpu.between_arg = learner->between_arg;
    cpu.read[ASY_SPACE_INPUT] = batch->x;
    cpu.read[ASY_SPACE_PARAMS] = learner->params;
    cpu.read[ASY_SPACE_GRADS] = cpu.write[ASY_SPACE_GRADS] = grads;
    cpu.read[ASY_SPACE_BUFFERS] = cpu.write[ASY_SPACE_BUFFERS] = learner->buffers;
    cpu.label = batch->label;
    cpu.target = batch->target;
    cpu.sums = (double *)(void *)score;
    asy_op_run(net->train.ops, net->train.n, &cpu, &step);
    return joiner.rc;
}

static int outputs(const struct asy__learner *learner, const float *x, size_t rows,
                   float **ret_outputs, struct asy_error *err)
{
    const struct asy__net *net = learner->self;
    struct asy_op_cpu cpu = net->cpu;

    (void)err;
    cpu.read[ASY_SPACE_INPUT] = x;
    cpu.read[ASY_SPACE_PARAMS] = learner->params;
    cpu.read[ASY_SPACE_BUFFERS] = learner->buffers;
    asy_op_run(net->eval.ops, net->eval.n, &cpu, &(struct asy_op_step){ .rows = rows });
    *ret_outputs = cpu.write[ASY_SPACE_WORK] + net->out;
    return 0;
}

struct asy__learner asy__net_learner(struct asy__net *net, const float *params, float *buffers)
{
    static const struct asy__learner_type type = { .init = init, .gradient = gradient,
                                                  .outputs = outputs };

    return (struct asy__learner){ .type = &type,
                                  .joins = net->joins,
                                  .n_params = net->n_params,
                                  .n_buffers = net->n_buffers,
                                  .rows_max = net->eval_rows,
                                  .outs = asy__shape_size(net->outputs),
                                  .params = params,
                                  .buffers = buffers,
                                  .self = net };
}
