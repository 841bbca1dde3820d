/* SPDX-License-Identifier: Apache-2.0
 * net.c - planning a network: its layers (plan_shapes.c), the programs that they make (plan_ops.c),
 * and where their values lie (plan_places.c). */
#include "plan.h"
#include <errno.h>
#include <stdlib.h>

#define EVAL_WORK ((size_t)4 << 20) /* floats that evaluation takes beyond those of a single row */

static void begin(struct asy__plan *plan, struct asy__program *program, int trains)
{
    plan->program = program;
    plan->trains = trains;
    plan->n_values = 0;
    for (size_t l = 0; l < plan->net->n_layers; l++)
        plan->net->layers[l].dy = (struct asy_operand){ ASY_SPACE_NONE, 0 };
}

static void emit_forward(struct asy__plan *plan)
{
    struct asy__net *net = plan->net;

    for (size_t l = 0; l < net->n_layers; l++)
        net->layers[l].type->forward(plan, &net->layers[l]);
}

static void emit_backward(struct asy__plan *plan, const struct asy_op *loss)
{
    struct asy__net *net = plan->net;
    struct asy__layer *last = &net->layers[net->n_layers - 1];
    size_t at = plan->program->n;

    last->dy = asy__plan_value(plan, asy__shape_size(last->out), 0);
    asy__plan_emit(plan, &(struct asy_op){ .kind = loss->kind, .value = loss->value,
                                           .per_row = asy__shape_vectors(last->out),
                                           .n = { last->out.channels }, .in = { last->y },
                                           .out = { last->dy } });
    for (size_t l = net->n_layers; l-- > 0;)
        if (net->layers[l].learns)
            net->layers[l].type->backward(plan, &net->layers[l]);
    if (!plan->failed)
        asy__plan_merge(plan, last->dy, last->y, at);
}

static int plan_training(struct asy__plan *plan, const struct asy_op *loss, struct asy_error *err)
{
    struct asy__net *net = plan->net;

    if (net->train_rows == 0)
        return 0;
    begin(plan, &net->train, 1);
    emit_forward(plan);
    net->n_forward = net->train.n;
    emit_backward(plan, loss);
    asy__plan_mark_early(net);
    asy__plan_mark_joint(plan);
    return asy__plan_places(plan, net->train_rows, err);
}

/* Fewer rows at once, if those that are wanted would take more room than is good for a cache. */
static size_t rows_at_once(const struct asy__plan *plan, size_t rows)
{
    size_t per_row = 0;

    for (size_t i = 0; i < plan->n_values; i++)
        per_row += plan->values[i].per_row;
    while (rows > 1 && per_row > EVAL_WORK / rows)
        rows /= 2;
    return rows;
}

/* What evaluation gives: of one logit those of two classes, so that whoever judges and stores has
 * the outputs of classes however they were learnt. */
static struct asy_operand emit_outputs(struct asy__plan *plan)
{
    const struct asy__layer *last = &plan->net->layers[plan->net->n_layers - 1];
    struct asy_operand pair;

    if (!plan->net->is_binary)
        return last->y;
    pair = asy__plan_value(plan, asy__shape_size(plan->net->outputs), 0);
    asy__plan_emit(plan, &(struct asy_op){ .kind = ASY_OP_PAIR, .per_row = 1, .in = { last->y },
                                           .out = { pair } });
    return pair;
}

/* The outputs outlive the program. */
static int plan_evaluation(struct asy__plan *plan, struct asy_error *err)
{
    struct asy__net *net = plan->net;
    struct asy_operand out;
    int rc;

    begin(plan, &net->eval, 0);
    emit_forward(plan);
    out = emit_outputs(plan);
    if (!plan->failed)
        asy__plan_live(plan, &out, net->eval.n);
    net->eval_rows = rows_at_once(plan, net->eval_rows);
    if ((rc = asy__plan_places(plan, net->eval_rows, err)) == 0)
        net->out = plan->values[out.at].at;
    return rc;
}

/* Room for the threads of a team beside the first. */
static void plan_team(struct asy__net *net)
{
    size_t trains = asy_op_own(net->train.ops, net->train.n);
    size_t evaluates = asy_op_own(net->eval.ops, net->eval.n);

    net->own = trains > evaluates ? trains : evaluates;
}

int asy__net_create(const struct asy__layer_desc *layers, size_t n,
                    const struct asy__net_options *options, struct asy__net **ret_net,
                    struct asy_error *err)
{
    struct asy__net *net = calloc(1, sizeof *net);
    struct asy__plan plan = { .net = net, .bf16 = options->bf16 };
    int rc;

    if (n == 0 || n > ASY__LAYERS_MAX) {
        rc = asy_fail(err, ASY_E_INVAL, "a network of %zu layers is not possible", n);
        goto out;
    }
    if (!net || !(net->layers = calloc(n, sizeof *net->layers))) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for the plan of a network");
        goto out;
    }
    net->n_layers = n;
    net->features = options->features;
    net->train_rows = options->train_rows;
    net->eval_rows = options->eval_rows;
    net->is_binary = options->loss.kind == ASY_OP_BINARY_LOSS;
    net->parties = options->parties;
    if ((rc = asy__plan_shapes(&plan, layers, err)) < 0 ||
        (rc = plan_training(&plan, &options->loss, err)) < 0 ||
        (rc = plan_evaluation(&plan, err)) < 0)
        goto out;
    plan_team(net);
    *ret_net = net;
    net = NULL; /* handed over */
out:
    free(plan.values);
    asy__net_destroy(net);
    return rc;
}

void asy__net_destroy(struct asy__net *net)
{
    int saved = errno;

    if (!net)
        return;
    free(net->layers);
    free(net->tensors);
    free(net->train.ops);
    free(net->eval.ops);
    free(net);
    errno = saved;
}
