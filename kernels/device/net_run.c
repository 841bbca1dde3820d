/* SPDX-License-Identifier: Apache-2.0
 * net_run.c - programs of a network on the rows at hand: gradients, outputs, sums of both. */
#include "net.h"
#include <string.h>

static struct asy__pass pass_of(struct asy_device_net *net, struct asy__mem *params,
                                struct asy__mem *grads, int of_training)
{
    return (struct asy__pass){
        .device = net->device,
        .spaces = { NULL, net->at_hand.x, params, grads, net->arrays[ASY_ARRAY_BUFFERS],
                    net->work },
        .label = net->at_hand.label,
        .target = net->at_hand.target,
        .class_weights = net->class_weights,
        .sums = net->sums[of_training],
        .room = net->room,
        .n_room = net->room_n,
        .rows = &net->seen[of_training],
        .join = of_training ? net->desc.join : NULL,
        .join_arg = net->desc.join_arg,
        .joined = net->joined,
    };
}
_Static_assert(ASY_SPACE_INPUT == 1 && ASY_SPACE_PARAMS == 2 && ASY_SPACE_GRADS == 3 &&
                   ASY_SPACE_BUFFERS == 4 && ASY_SPACE_WORK == 5,
               "spaces are in the order of pass_of()");

static int check_rows(const struct asy_device_net *net, size_t rows, size_t most,
                      struct asy_error *err)
{
    if (rows != net->at_hand.rows)
        return asy_fail(err, ASY_E_INVAL, "%zu rows of a pass, and %zu are at hand", rows,
                        net->at_hand.rows);
    if (rows > most)
        return asy_fail(err, ASY_E_INVAL, "%zu rows in one pass of a network for %zu", rows, most);
    return 0;
}

static int add(struct asy_device_net *net, struct asy__mem *to, struct asy__mem *from,
               struct asy_error *err)
{
    size_t n = net->desc.n_params;

    return ASY__LAUNCH(net->device, err, add, asy__groups(n, 256), 1, 1, ARG_AT(to, 0),
                       ARG_AT(from, 0), ARG_AT(to, 0), ARG_U64(n));
}

int asy_device_net_gradient(struct asy_device_net *net, int adds, const struct asy_op_step *step,
                            struct asy_error *err)
{
    struct asy__mem *grads = net->arrays[ASY_ARRAY_GRADS];
    struct asy__pass pass;
    int rc = check_rows(net, step->rows, net->desc.train_rows, err);

    if (!rc && adds && !net->part) /* once */
        rc = asy__device_alloc(net->device, net->desc.n_params, &net->part, err);
    if (rc)
        return rc;
    pass = pass_of(net, net->arrays[ASY_ARRAY_PARAMS], adds ? net->part : grads, 1);
    if ((rc = asy__exec_run(&pass, net->desc.train, net->desc.n_train, step, err)))
        return rc;
    return adds ? add(net, grads, net->part, err) : 0;
}

/* The outputs at hand, by a loss on its own. */
static int add_loss(struct asy_device_net *net, struct asy__pass *pass, const struct asy_op *loss,
                    const struct asy_op_step *step, struct asy_error *err)
{
    struct asy_op op = *loss;
    size_t want;
    int rc;

    op.per_row = net->desc.labels ? net->desc.labels : 1;
    op.in[0] = op.out[0] = (struct asy_operand){ ASY_SPACE_WORK, net->desc.out };
    if ((rc = asy__exec_check(&op, 1, net->desc.eval_rows, &want, err)))
        return rc;
    ASY_ASSERT(want <= net->room_n, "a loss wants %zu of %zu", want, net->room_n);
    return asy__exec_run(pass, &op, 1, step, err);
}

int asy_device_net_outputs(struct asy_device_net *net, enum asy_device_array params,
                           const struct asy_op *loss, size_t rows, float *ret,
                           struct asy_error *err)
{
    struct asy_op_step step = { .rows = rows };
    struct asy__pass pass = pass_of(net, net->arrays[params], NULL, 0);
    int rc = check_rows(net, rows, net->desc.eval_rows, err);

    if (!rc && (params == ASY_ARRAY_GRADS || !net->arrays[params]))
        rc = asy_fail(err, ASY_E_INVAL, "array %d of the network has no parameters", (int)params);
    if (rc || (rc = asy__exec_run(&pass, net->desc.eval, net->desc.n_eval, &step, err)))
        return rc;
    if (loss && (rc = add_loss(net, &pass, loss, &step, err)))
        return rc;
    if (!ret)
        return 0;
    return asy__device_read(net->device, net->work, net->desc.out, ret, rows * net->desc.outputs,
                            err);
}

int asy_device_net_judge(struct asy_device_net *net, size_t rows, struct asy_error *err)
{
    const struct asy_device_net_desc *desc = &net->desc;
    int rc = check_rows(net, rows, desc->eval_rows, err);

    if (rc)
        return rc;
    if (rows > desc->judged - net->n_judged)
        return asy_fail(err, ASY_E_INVAL, "%zu rows to be judged, with %zu of %zu not read yet",
                        rows, net->n_judged, desc->judged);
    rc = ASY__LAUNCH(net->device, err, judge, rows, 1, 1, ARG_AT(net->work, desc->out),
                     ARG_MEM(net->at_hand.label), ARG_MEM(net->judged), ARG_MEM(net->scores),
                     ARG_U32(net->n_judged), ARG_U32(desc->outputs), ARG_U32(desc->scores));
    net->n_judged += rc ? 0 : rows;
    return rc;
}

int asy_device_net_judged(struct asy_device_net *net, uint32_t *ret, float *scores,
                          size_t *ret_rows, struct asy_error *err)
{
    size_t rows = net->n_judged;
    int rc;

    if ((rc = asy__device_read(net->device, net->judged, 0, ret, 2 * rows, err)) ||
        (rc = asy__device_read(net->device, net->scores, 0, scores, rows * net->desc.scores, err)))
        return rc;
    *ret_rows = rows;
    net->n_judged = 0;
    return 0;
}

int asy_device_net_sums(struct asy_device_net *net, int of_training, double ret[ASY_SUMS],
                        struct asy_error *err)
{
    int i = of_training != 0, rc;
    float pairs[2 * ASY_SUMS];

    if (net->seen[i] == 0) {
        memset(ret, 0, ASY_SUMS * sizeof *ret);
        return 0;
    }
    if ((rc = asy__device_read(net->device, net->sums[i], 0, pairs, ASY_ARRAY_LEN(pairs), err)) ||
        (rc = asy__device_zero(net->device, net->sums[i], 0, ASY_ARRAY_LEN(pairs), err)))
        return rc;
    for (int sum = 0; sum < ASY_SUMS; sum++)
        ret[sum] = (double)pairs[2 * sum] + (double)pairs[2 * sum + 1];
    ret[ASY_SUM_ROWS] = net->seen[i];
    net->seen[i] = 0;
    return 0;
}
