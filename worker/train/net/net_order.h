/* SPDX-License-Identifier: Apache-2.0
 * net_order.h - when a training program is through with each gradient, so that what is whole can be
 * on its way to other ranks while the rest is computed.
 *
 * Ownership: create/destroy; borrows the net. Threads: any,
 * once it is there it does not change. */
#ifndef ASY__NET_ORDER_H
#define ASY__NET_ORDER_H
#include <asy/comm.h>
#include "net.h"

struct asy__net_order;
/* Changes the order within the net's program: the gradient of a dense layer's weights comes before
 * that of its input, and so has as long to go. None may be taken while it is made then
 * (ASY_OP_LAST). What is computed stays what it was. */
ASY_MUST_CHECK int asy__net_order_create(struct asy__net *net, struct asy__net_order **ret_order,
                                         struct asy_error *err);
void asy__net_order_destroy(struct asy__net_order *order); /* NULL is fine */
/* The parameters with their gaps, in the order in which their gradients become whole. Borrowed. */
const struct asy_comm_extent *asy__net_order_get(const struct asy__net_order *order, size_t *ret_n);
/* How many entries in that order are whole, as asy_op_cpu's between() is told of op and n. */
size_t asy__net_order_whole(const struct asy__net_order *order, const struct asy_op *op, size_t n);
#endif
