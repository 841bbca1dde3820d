/* SPDX-License-Identifier: Apache-2.0
 * node.h - the ranks of one node: the memory that they share, and the part of a sum over the ranks
 * that is done in it. No MPI here: who knows the others (comm_mpi.c) hands memory on.
 *
 * Threads: one per rank. */
#ifndef ASY__NODE_H
#define ASY__NODE_H
#include <stddef.h>
#include <stdint.h>
#include <asy/error.h>
#include "barrier.h"

/* Memory that other processes of this user can map. It has no name on any file system, so that it
 * goes with the last process that has it, whatever ends that. */
struct asy__memory {
    void *at; /* NULL: none */
    size_t bytes;
    int fd;   /* until asy__memory_close_fd(); else -1 */
};
/* How another process finds it. */
struct asy__memory_key {
    int64_t pid, fd, bytes;
};
#define ASY__MEMORY_INIT { .fd = -1 }
/* Zeros. Nothing is taken up yet: see asy__memory_reserve(). ASY_E_NOMEM. */
ASY_MUST_CHECK int asy__memory_make(size_t bytes, struct asy__memory *ret, struct asy_error *err);
struct asy__memory_key asy__memory_key(const struct asy__memory *memory);
/* That of another process, which must still have its fd. ASY_E_IO. */
ASY_MUST_CHECK int asy__memory_map(const struct asy__memory_key *key, struct asy__memory *ret,
                                   struct asy_error *err);
/* Takes up the bytes from..from + n now, near this thread's core: writing there cannot fail then.
 * ASY_E_NOMEM. */
ASY_MUST_CHECK int asy__memory_reserve(const struct asy__memory *memory, size_t from, size_t n,
                                       struct asy_error *err);
void asy__memory_close_fd(struct asy__memory *memory); /* once all have mapped and reserved it */
void asy__memory_fini(struct asy__memory *memory);

/* What the ranks of a node tell each other when one of them has lost the gang. Zeros: nothing. */
struct asy__lost {
    _Atomic int is_told;
    struct asy_error why; /* of the first; read by who waited in vain */
};

struct asy__node {
    int index, size;              /* of this rank among those here, in rank order */
    struct asy__barrier *barrier; /* NULL where size is 1 */
    struct asy__lost *lost;       /* beside it: why a rank gave up */
    size_t arrays;                /* of all ranks here, at least one each */
    size_t first, count;          /* this rank's among them */
    float *common;                /* [n_common], one for all */
    float *total;                 /* [n_own], one for all; NULL where all ranks are here */
    float *own;                   /* arrays times [n_own], `stride` floats apart */
    size_t n_own, n_common, stride;
    const float **rows;           /* [arrays + 1], for sums */
};
/* Gives each rank of a gang its arrays of n_arrays: an equal share in rank order, as near as may
 * be. rank: this one's in a gang of `ranks`. ASY_E_INVAL, on all ranks: fewer arrays than ranks. */
ASY_MUST_CHECK int asy__node_divide(struct asy__node *node, int rank, int ranks, size_t n_arrays,
                                    struct asy_error *err);
/* For sums of the arrays that it has. ASY_E_NOMEM. */
ASY_MUST_CHECK int asy__node_prepare(struct asy__node *node, struct asy_error *err);
/* Floats behind each other: common, total, own. spans: there are other nodes, so total is needed.
 * 0: too many. */
size_t asy__node_room(const struct asy__node *node, size_t n_own, size_t n_common, int spans);
void asy__node_lay_out(struct asy__node *node, size_t n_own, size_t n_common, int spans, float *at);
float *asy__node_own(const struct asy__node *node); /* this rank's first */
/* For all ranks of the node. ASY_E_GONE: one of them gave up; err says which, and why. */
ASY_MUST_CHECK int asy__node_wait(const struct asy__node *node, struct asy_error *err);
/* The same without waiting: whether one gave up. */
ASY_MUST_CHECK int asy__node_check(const struct asy__node *node, struct asy_error *err);
/* The others wait for this rank no more, numbered `rank` in the gang. */
void asy__node_give_up(const struct asy__node *node, int rank, const struct asy_error *why);
/* This rank's part of n entries, at multiples of ASY_COMM_BLOCK. */
void asy__node_slice(const struct asy__node *node, size_t n, size_t *ret_from, size_t *ret_to);
/* to [n] = first [n] (NULL: none) + each array [from..from + n), in their order. `to` may be first
 * or this stretch of an array. */
void asy__node_sum(const struct asy__node *node, const float *first, size_t from, size_t n,
                   float *to);
#endif
