/* SPDX-License-Identifier: Apache-2.0
 * joint.c - steps of the ranks of a node that make gradients together.
 *
 * Where the activations of all ranks are fewer than a layer's weights, its gradient is not computed
 * by each rank for its rows and then added up: each computes a part of it for the rows of all, and
 * updates the weights tile by tile while their gradient is in the nearest cache. So no gradient of
 * such a layer is ever written. A step is:
 *   1. each rank's pass, without these gradients, leaves the layers' inputs and their outputs'
 *      gradients in memory that all ranks of the node see, and the other gradients, and riders;
 *   2. asy_comm_meet(): all have; what rides is known, so a loss that is no number ends the
 *      training with the parameters as they were;
 *   3. each rank makes and updates its part of each joint tensor, and adds up and updates its part
 *      of what lies between them; it writes to these parts alone, and to no activation;
 *   4. asy_comm_settle(): all have; parameters may be read, activations written.
 * Two barriers, as before, and the same bits: a rank's terms are a chain of their own, and these
 * are added up in rank order. Parameters change in place: their lines are taken away from the other
 * ranks' caches while a tile is computed. See docs/decisions/0052. */
#include "trainer_impl.h"

/* By what all ranks have in common alone: whether a rank has a team also hangs on the CPUs that it
 * may run on, and those that disagreed would wait for each other's parts of the sums in vain. */
size_t asy__joint_parties(const struct asy__run *run)
{
    const struct asy_comm *comm = run->trainer->comm;
    const struct asy__hyper *hyper = &run->job->hyper;
    size_t ranks = (size_t)asy_comm_size(comm);
    int one_node = asy_comm_local_size(comm) == asy_comm_size(comm);
    int one_pass = run->shards == ranks && hyper->accumulate == 1 && hyper->sync_every == 1;

    return run->kind == &asy__kind_net && one_node && one_pass && run->job->cores <= 1 &&
                   asy__update_is_local(hyper) && asy_kernels_products() == ASY_PRODUCTS_OWN
               ? ranks
               : 0;
}

int asy__joint_can(const struct asy__run *run, size_t n)
{
    return run->net && run->net->joint && n >= run->shards; /* each rank has rows */
}

static void take_block(void *arg, size_t at, const struct asy_block *block, const float *g)
{
    asy__update_block(arg, at, block, g);
}

static void update_tensors(struct asy__run *run, size_t n)
{
    const struct asy_comm *comm = run->trainer->comm;
    struct asy__update_memory memory = asy__gradient_memory(run);
    struct asy_op_party parties[ASY_OP_PARTIES];
    struct asy__update_pass pass;
    struct asy_op_taker taker = { .take = take_block, .arg = &pass };

    pass = asy__update_begin(run->update, &memory, run->state.progress.step + 1,
                             run->state.progress.plateau.cut);
    taker.n_near = asy__update_near(&memory, taker.near);
    for (size_t i = 0; i < run->shards; i++) {
        const float *own = asy_comm_array(comm, i);

        parties[i] = (struct asy_op_party){ own + run->input, own + run->work,
                                            asy__share_begin(n, i + 1, run->shards) -
                                                asy__share_begin(n, i, run->shards) };
    }
    asy__net_join(run->net, &taker, parties, run->shards, (size_t)asy_comm_local_rank(comm));
}

/* What lies between the tensors: biases, and layers whose gradient is not joint. */
static void update_stretches(struct asy__run *run, const struct asy_comm_sum *sum)
{
    size_t at = 0, begin, n, from, to;

    while (asy__update_stretch(run->update, &at, &begin, &n)) {
        asy_comm_share_out(run->trainer->comm, n, &from, &to);
        if (from < to)
            asy__gradient_update(run, &(struct asy_comm_sum){ sum->x, begin + from, begin + to });
    }
}

void asy__joint_update(struct asy__run *run, const struct asy_comm_sum *sum, size_t n)
{
    update_tensors(run, n);
    update_stretches(run, sum);
}
