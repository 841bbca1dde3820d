/* SPDX-License-Identifier: Apache-2.0
 * update.h - what a step does with the sum of the gradients: the learning rate of the moment,
 * clipping, the optimiser, and a running mean of the weights.
 *
 * The ranks of a node each do it for their part of the flat memory. What goes by norms (clipping,
 * LAMB, LARS) has every rank put the sums of squares of its pieces where the others see them; then
 * each adds up all of them in the order of the memory. Pieces are the same for any number of ranks,
 * and so are the bits. */
#ifndef ASY__UPDATE_H
#define ASY__UPDATE_H
#include <asy/comm.h>
#include <asy/device.h>
#include <asy/update.h>
#include "hyper.h"
#include "schedule.h"

/* A tensor in flat memory; from is a multiple of 16. */
struct asy__span {
    size_t from, n;
    int adapts; /* LAMB and LARS go by its norm; biases and the like have no use for that */
    int early;  /* by asy__update_block(), where updates go in parts */
};

struct asy__update; /* opaque */
/* For a training of so many steps an epoch and epochs; spans [n_spans] cover all that is learnt
 * (copied). */
ASY_MUST_CHECK int asy__update_create(const struct asy__hyper *hyper, uint64_t steps_per_epoch,
                                      uint64_t epochs, const struct asy__span *spans,
                                      size_t n_spans, size_t n_params,
                                      struct asy__update **ret_update, struct asy_error *err);
void asy__update_destroy(struct asy__update *update); /* NULL is fine */

/* Whether each entry goes by its own gradient alone, so that a step may be made in parts. */
int asy__update_is_local(const struct asy__hyper *hyper);
/* Arrays that the optimiser keeps beside the parameters: of means, and of squares. */
int asy__update_keeps_mean(const struct asy__hyper *hyper);
int asy__update_keeps_squares(const struct asy__hyper *hyper);
/* Floats that the ranks of a node have in common for norms, aligned to 64 bytes; zeros. */
size_t asy__update_room(const struct asy__update *update);
/* What the ranks of a node have in common; each [n_params], NULL: not kept. */
struct asy__update_memory {
    float *params, *m, *v, *mean; /* mean: of the weights */
    float *room;
};
/* By all ranks, between asy_comm_reduce() and asy_comm_settle(), and, where it is local, for one
 * piece of this rank's part after the other: step counts from 1; cut: of the
 * learning rate, by a plateau. */
void asy__update_step(struct asy__update *update, const struct asy__update_memory *memory,
                      struct asy_comm *comm, const struct asy_comm_sum *sum, uint64_t step,
                      double cut);
/* The same for a device that has the whole of it; step and cut as above. */
struct asy_device_update asy__update_on_device(const struct asy__update *update, uint64_t step,
                                               double cut);


/* The same, to the bit, where it is local and one rank has the whole sum, while that is being made:
 * begin, then the early spans block by block, then the rest of g [n_params]. asy__update_near():
 * the arrays that a block changes, and how many they are. */
struct asy__update_pass {
    const struct asy__update *update;
    struct asy__update_memory memory;
    struct asy_rule rule; /* where it is local */
    double lr;
    float mean_rate;
};
#define ASY__UPDATE_NEAR 4
struct asy__update_pass asy__update_begin(const struct asy__update *update,
                                          const struct asy__update_memory *memory, uint64_t step,
                                          double cut);
size_t asy__update_near(const struct asy__update_memory *memory,
                        const float *ret_near[ASY__UPDATE_NEAR]);
void asy__update_block(const struct asy__update_pass *pass, size_t at,
                       const struct asy_block *block, const float *g);
/* The next entries of no early span from *at on, and how many they are; *at: where to go on. 0:
 * there are none. */
int asy__update_stretch(const struct asy__update *update, size_t *at, size_t *ret_from,
                        size_t *ret_n);
void asy__update_rest(const struct asy__update_pass *pass, const float *g);
#endif
