/* SPDX-License-Identifier: Apache-2.0
 * net.h - a network in the memory of a device. */
#ifndef ASY__DEVICE_NET_H
#define ASY__DEVICE_NET_H
#include "exec.h"

/* Rows on the device: x [rows][features], label [rows][labels], target [rows]. */
struct asy__rows {
    struct asy__mem *x, *label, *target;
    size_t rows;
};
/* Of updates by tensors and of clipping (update.c). */
struct asy__update_state {
    size_t n_parts;
    struct asy__mem *parts, *tensors;   /* [n_parts][3], [n_spans][3]: source/update.clc */
    struct asy__mem *weights, *change;  /* [n_parts][2]: sums of squares */
    struct asy__mem *trust, *factor;    /* [n_spans], [1] */
};
struct asy_device_net {
    struct asy_device *device;
    struct asy_device_net_desc desc; /* its arrays are ours */
    size_t rows_most;
    struct asy__mem *arrays[ASY_DEVICE_ARRAYS]; /* NULL: not kept */
    struct asy__mem *part; /* [n_params], of a gradient that is added; NULL: none was yet */
    struct asy__mem *work, *class_weights, *room;
    struct asy__mem *sums[2]; /* of evaluation, of training: [ASY_SUMS][2] */
    double seen[2];           /* their ASY_SUM_ROWS */
    struct asy__mem *judged, *scores; /* [desc.judged][2], [desc.judged][desc.scores] */
    size_t n_judged;                  /* rows that are there */
    double *joined;                   /* asy__exec_joined(); NULL: nothing is joined */
    struct asy__rows at_hand, held;
    struct asy__mem *picked; /* [rows_most]: numbers of rows */
    size_t room_n;           /* floats */
    size_t bytes;            /* all that is made with the net, but little of its update */
    struct asy__update_state update;
};
/* The array has that many floats; 0: it is not kept. */
size_t asy__net_array_n(const struct asy_device_net *net, enum asy_device_array array);
ASY_MUST_CHECK int asy__update_init(struct asy_device_net *net, struct asy_error *err);
void asy__update_fini(struct asy_device_net *net);
#endif
