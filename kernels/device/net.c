/* SPDX-License-Identifier: Apache-2.0
 * net.c - networks in the memory of a device: one buffer an array, all made with the net. */
#include "net.h"
#include <stdlib.h>
#include <string.h>

static void *copy_of(const void *from, size_t n, size_t size)
{
    void *copy = n ? calloc(n, size) : NULL;

    if (copy)
        memcpy(copy, from, n * size);
    return copy;
}

/* The arrays of desc become ours; what is not copied yet is NULL. */
static int copy_desc(struct asy_device_net_desc *desc, struct asy_error *err)
{
    const struct asy_op *train = desc->train, *eval = desc->eval;
    const struct asy_device_span *spans = desc->spans;

    desc->n_train = train ? desc->n_train : 0;
    desc->train = copy_of(train, desc->n_train, sizeof *train);
    desc->eval = copy_of(eval, desc->n_eval, sizeof *eval);
    desc->spans = copy_of(spans, desc->n_spans, sizeof *spans);
    desc->class_weights = NULL;
    if ((desc->n_train && !desc->train) || (desc->n_eval && !desc->eval) ||
        (desc->n_spans && !desc->spans))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a network's programs");
    return 0;
}

size_t asy__net_array_n(const struct asy_device_net *net, enum asy_device_array array)
{
    const struct asy_device_net_desc *desc = &net->desc;

    switch (array) {
    case ASY_ARRAY_PARAMS:
        return desc->n_params;
    case ASY_ARRAY_GRADS:
        return desc->n_train ? desc->n_params : 0;
    case ASY_ARRAY_BUFFERS:
        return desc->n_buffers;
    case ASY_ARRAY_M:
        return desc->keeps_m ? desc->n_params : 0;
    case ASY_ARRAY_V:
        return desc->keeps_v ? desc->n_params : 0;
    case ASY_ARRAY_MEAN:
        return desc->keeps_mean ? desc->n_params : 0;
    }
    return 0;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Room between launches for any operation of the programs, and for any loss of an evaluation: those
 * of numbers want the most. */
static int plan(struct asy_device_net *net, struct asy_error *err)
{
    const struct asy_device_net_desc *desc = &net->desc;
    const struct asy_op loss = { .kind = ASY_OP_SQUARED_LOSS, .per_row = most(desc->labels, 1) };
    size_t train, eval, judge;
    int rc;

    if ((rc = asy__exec_check(desc->train, desc->n_train, desc->train_rows, &train, err)) ||
        (rc = asy__exec_check(desc->eval, desc->n_eval, desc->eval_rows, &eval, err)) ||
        (rc = asy__exec_check(&loss, 1, desc->eval_rows, &judge, err)))
        return rc;
    net->rows_most = most(desc->train_rows, desc->eval_rows);
    net->room_n = most(most(train, eval), judge);
    if (desc->join && !(net->joined = calloc(1 + asy__exec_joined(desc->train, desc->n_train),
                                             sizeof *net->joined)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for the sums of a batch");
    return 0;
}

static int rows_init(struct asy_device_net *net, struct asy__rows *rows, size_t n,
                     struct asy_error *err)
{
    struct asy_device *device = net->device;
    int rc;

    if ((rc = asy__device_alloc(device, n * net->desc.features, &rows->x, err)) ||
        (rc = asy__device_alloc(device, n * net->desc.labels, &rows->label, err)) ||
        (rc = asy__device_alloc(device, n, &rows->target, err)))
        return rc;
    return 0;
}

static void rows_fini(struct asy_device_net *net, struct asy__rows *rows)
{
    asy__device_free(net->device, rows->x);
    asy__device_free(net->device, rows->label);
    asy__device_free(net->device, rows->target);
    *rows = (struct asy__rows){ 0 };
}

#define PIECES (ASY_DEVICE_ARRAYS + 12)

static size_t list_pieces(struct asy_device_net *net, int weighs,
                          struct asy__device_piece pieces[PIECES])
{
    const struct asy_device_net_desc *desc = &net->desc;
    const struct asy__device_piece others[] = {
        { &net->sums[0], (size_t)2 * ASY_SUMS },
        { &net->sums[1], (size_t)2 * ASY_SUMS },
        { &net->work, desc->n_work },
        { &net->room, net->room_n },
        { &net->picked, net->rows_most },
        { &net->at_hand.x, asy__times(net->rows_most, desc->features) },
        { &net->at_hand.label, asy__times(net->rows_most, desc->labels) },
        { &net->at_hand.target, net->rows_most },
        { &net->judged, asy__times(2, desc->judged) },
        { &net->scores, asy__times(desc->judged, desc->scores) },
    };
    size_t n = 0;

    for (int i = 0; i < ASY_DEVICE_ARRAYS; i++)
        if (asy__net_array_n(net, (enum asy_device_array)i))
            pieces[n++] = (struct asy__device_piece){
                &net->arrays[i], asy__net_array_n(net, (enum asy_device_array)i),
            };
    if (desc->n_train && desc->adds)
        pieces[n++] = (struct asy__device_piece){ &net->part, desc->n_params };
    if (weighs)
        pieces[n++] = (struct asy__device_piece){ &net->class_weights, desc->n_classes };
    memcpy(pieces + n, others, sizeof others);
    return n + ASY_ARRAY_LEN(others);
}

static int check_room(struct asy_device_net *net, const struct asy__device_piece *pieces, size_t n,
                      struct asy_error *err)
{
    const struct asy_device *device = net->device;
    size_t all;

    if (asy__device_could_hold(device, pieces, n, &net->bytes, &all))
        return 0;
    return asy_fail(err, ASY_E_TOOBIG,
                    "%s device '%s': the network needs %zu MiB for itself and %zu rows at a "
                    "time%s, and all of the device's memory are %zu MiB",
                    asy_device_kinds[device->info.kind], device->info.name, all >> 20,
                    net->rows_most, device->in_nets ? ", with its other folds" : "",
                    (size_t)device->info.memory >> 20);
}

static int alloc(struct asy_device_net *net, const float *class_weights, struct asy_error *err)
{
    struct asy__device_piece pieces[PIECES];
    size_t n = list_pieces(net, class_weights != NULL, pieces);
    int rc = check_room(net, pieces, n, err);

    for (size_t i = 0; i < n && !rc; i++)
        rc = asy__device_alloc(net->device, pieces[i].n, pieces[i].at, err);
    if (rc || (net->desc.n_train && (rc = asy__update_init(net, err))) || !class_weights)
        return rc;
    return asy__device_write(net->device, net->class_weights, 0, class_weights,
                             net->desc.n_classes, err);
}

int asy_device_net_create(struct asy_device *device, const struct asy_device_net_desc *desc,
                          struct asy_device_net **ret_net, struct asy_error *err)
{
    struct asy_device_net *net = calloc(1, sizeof *net);
    int rc;

    if (!net)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a network");
    net->device = device;
    net->desc = *desc;
    if ((rc = copy_desc(&net->desc, err)) || (rc = plan(net, err)) ||
        (rc = alloc(net, desc->class_weights, err))) {
        net->bytes = 0; /* never counted */
        asy_device_net_destroy(net);
        return rc;
    }
    device->in_nets += net->bytes;
    *ret_net = net;
    return 0;
}

void asy_device_net_destroy(struct asy_device_net *net)
{
    if (!net)
        return;
    net->device->in_nets -= net->bytes;
    for (int i = 0; i < ASY_DEVICE_ARRAYS; i++)
        asy__device_free(net->device, net->arrays[i]);
    for (int i = 0; i < 2; i++)
        asy__device_free(net->device, net->sums[i]);
    asy__device_free(net->device, net->part);
    asy__device_free(net->device, net->work);
    asy__device_free(net->device, net->class_weights);
    asy__device_free(net->device, net->room);
    asy__device_free(net->device, net->picked);
    asy__device_free(net->device, net->judged);
    asy__device_free(net->device, net->scores);
    asy__update_fini(net);
    rows_fini(net, &net->at_hand);
    rows_fini(net, &net->held);
    free(net->joined);
    free((void *)(uintptr_t)net->desc.train);
    free((void *)(uintptr_t)net->desc.eval);
    free((void *)(uintptr_t)net->desc.spans);
    free(net);
}

static int check_array(const struct asy_device_net *net, enum asy_device_array array, size_t n,
                       struct asy_error *err)
{
    size_t has = asy__net_array_n(net, array);

    if (n > has)
        return asy_fail(err, ASY_E_INVAL, "array %d of the network has %zu numbers, not %zu",
                        (int)array, has, n);
    return 0;
}

int asy_device_net_write(struct asy_device_net *net, enum asy_device_array array, const float *x,
                         size_t n, struct asy_error *err)
{
    int rc = check_array(net, array, n, err);

    return rc ? rc : asy__device_write(net->device, net->arrays[array], 0, x, n, err);
}

int asy_device_net_read(struct asy_device_net *net, enum asy_device_array array, float *x, size_t n,
                        struct asy_error *err)
{
    int rc = check_array(net, array, n, err);

    return rc ? rc : asy__device_read(net->device, net->arrays[array], 0, x, n, err);
}

static int write_rows(struct asy_device_net *net, struct asy__rows *to, size_t rows, const float *x,
                      const int32_t *label, const float *target, struct asy_error *err)
{
    struct asy_device *device = net->device;
    int rc = asy__device_write(device, to->x, 0, x, rows * net->desc.features, err);

    if (!rc && label)
        rc = asy__device_write(device, to->label, 0, label, rows * net->desc.labels, err);
    if (!rc && target)
        rc = asy__device_write(device, to->target, 0, target, rows, err);
    if (!rc)
        to->rows = rows;
    return rc;
}

static int check_rows(const struct asy_device_net *net, size_t rows, struct asy_error *err)
{
    if (rows > net->rows_most)
        return asy_fail(err, ASY_E_INVAL, "%zu rows in one pass of a network for %zu", rows,
                        net->rows_most);
    return 0;
}

int asy_device_net_rows(struct asy_device_net *net, size_t rows, const float *x,
                        const int32_t *label, const float *target, struct asy_error *err)
{
    int rc = check_rows(net, rows, err);

    return rc ? rc : write_rows(net, &net->at_hand, rows, x, label, target, err);
}

int asy_device_net_hold(struct asy_device_net *net, size_t rows, const float *x,
                        const int32_t *label, const float *target, struct asy_error *err)
{
    struct asy__rows held = { 0 };
    int rc;

    if (rows > UINT32_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "%zu rows to hold on a device", rows);
    if ((rc = rows_init(net, &held, rows, err)) ||
        (rc = write_rows(net, &held, rows, x, label, target, err))) {
        rows_fini(net, &held);
        return rc;
    }
    rows_fini(net, &net->held);
    net->held = held;
    return 0;
}

static int pick(struct asy_device_net *net, struct asy__mem *held, struct asy__mem *to, size_t rows,
                size_t width, struct asy_error *err)
{
    return ASY__LAUNCH(net->device, err, pick, asy__groups(rows * width, 256), 1, 1, ARG_MEM(held),
                       ARG_MEM(net->picked), ARG_MEM(to), ARG_U32(width), ARG_U64(rows * width));
}

int asy_device_net_pick(struct asy_device_net *net, size_t rows, const uint32_t *row,
                        struct asy_error *err)
{
    int rc = check_rows(net, rows, err);

    for (size_t i = 0; i < rows && !rc; i++)
        if (row[i] >= net->held.rows)
            rc = asy_fail(err, ASY_E_INVAL, "row %u of %zu that are held", row[i], net->held.rows);
    if (rc || (rc = asy__device_write(net->device, net->picked, 0, row, rows, err)) ||
        (rc = pick(net, net->held.x, net->at_hand.x, rows, net->desc.features, err)) ||
        (rc = pick(net, net->held.label, net->at_hand.label, rows, net->desc.labels, err)) ||
        (rc = pick(net, net->held.target, net->at_hand.target, rows, 1, err)))
        return rc;
    net->at_hand.rows = rows;
    return 0;
}
