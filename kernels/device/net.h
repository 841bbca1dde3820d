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
struct asy_device_net {
    struct asy_device *device;
    struct asy_device_net_desc desc; /* its arrays are ours */
    size_t rows_most;
    struct asy__mem *arrays[ASY_DEVICE_ARRAYS]; /* NULL: not kept */
    struct asy__mem *part; /* [n_params], of a gradient that is added; NULL until one is */
    struct asy__mem *work, *class_weights, *room;
    struct asy__mem *sums[2]; /* of evaluation, of training: [ASY_SUMS][2] */
    double seen[2];           /* their ASY_SUM_ROWS */
    struct asy__rows at_hand, held;
    struct asy__mem *picked; /* [rows_most]: numbers of rows */
    size_t room_n;           /* floats */
};
/* The array has that many floats; 0: it is not kept. */
size_t asy__net_array_n(const struct asy_device_net *net, enum asy_device_array array);
#endif
