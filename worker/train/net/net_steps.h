/* SPDX-License-Identifier: Apache-2.0
 * net_steps.h - a network of tokens that is told one token after the other: what it says of the
 * last one, as a pass over the whole window would have it, to the bit.
 *
 * Of the tokens before, each attention's queries, keys and values are kept: where tokens see
 * nothing of those behind them, these do not change any more. They do where a window moves on, as
 * each token then has another place: all of it is told anew.
 *
 * Ownership: create/destroy; borrows the network, which is bound, and its parameters. Threads: one
 * owner, which runs no other program of the network meanwhile. */
#ifndef ASY__NET_STEPS_H
#define ASY__NET_STEPS_H
#include "net.h"

struct asy__net_steps;
/* ASY_E_UNSUPPORTED: a network that is not one of tokens that see those before them. */
ASY_MUST_CHECK int asy__net_steps_create(const struct asy__net *net, const float *params,
                                         struct asy__net_steps **ret_steps, struct asy_error *err);
void asy__net_steps_destroy(struct asy__net_steps *steps); /* NULL is fine */
/* ids [n]: a window so far, n from 1 to the network's tokens, whose first `known` (below n) are
 * those of the calls before. Returns the outputs [channels] of the last token, borrowed until the
 * network runs again. */
const float *asy__net_steps_tell(struct asy__net_steps *steps, const float *ids, size_t known,
                                 size_t n);
#endif
