/* SPDX-License-Identifier: Apache-2.0
 * asy/comm.h - the communicator of a gang: one interface, a `self` implementation without any
 * launcher for one rank, an `mpi` implementation for more.
 *
 * All calls that several ranks must make together block until they have. Sums go in rank order, so
 * that the bits depend on the rank count alone (or on that of arrays which are divided among the
 * ranks), not on where the ranks are. Ranks of one node share
 * memory and add up in it; between nodes MPI carries the sums.
 *
 * A training step is: each rank fills its own array, asy_comm_reduce(), each rank changes its part
 * of what is common by its part of the sum, asy_comm_settle().
 *
 * asy_comm_mpi() and asy_comm_mpi_version() are in the library asy-comm-mpi, so that only a program
 * that calls them links libmpi.
 *
 * Ownership: create/destroy. Threads: the one thread that made it. Errors: a failed collective is
 * ASY_E_GONE; the gang is over then. Ranks of this one's node get the same, with its reason, from
 * the call in which they wait for it in the memory that they share, and from each later one; others
 * may wait for ever, as may those whose rank dies: whoever started them ends them. */
#ifndef ASY_COMM_H
#define ASY_COMM_H
#include <stddef.h>
#include <asy/error.h>

struct asy_comm;
/* One rank; never calls MPI_Init. */
ASY_MUST_CHECK int asy_comm_self(struct asy_comm **ret_comm, struct asy_error *err);
/* MPI_COMM_WORLD with MPI_THREAD_FUNNELED, checked. At most once per process. */
ASY_MUST_CHECK int asy_comm_mpi(struct asy_comm **ret_comm, struct asy_error *err);
/* First line of the MPI library's version text; does not start MPI. text holds n bytes. */
void asy_comm_mpi_version(char *text, size_t n);
/* Ends MPI, unless the gang is over: then it would wait for the others. */
void asy_comm_destroy(struct asy_comm *comm);
int asy_comm_rank(const struct asy_comm *comm);
int asy_comm_size(const struct asy_comm *comm);
/* Ranks that share memory with this one, itself included, and its number among them: those of its
 * node that are numbered in a row. If any of the gang cannot share, each is alone. */
int asy_comm_local_size(const struct asy_comm *comm);
int asy_comm_local_rank(const struct asy_comm *comm);

/* Arrays to train in, borrowed until the next asy_comm_share() or destroy. All are zeros. */
struct asy_comm_memory {
    float *own;    /* count times [n_own], `stride` floats apart: what asy_comm_reduce() adds up */
    size_t first, count, stride; /* this rank's are first.. of all ranks' */
    float *common; /* [n_common], one for all ranks of a node */
};
/* n_arrays are divided among the ranks, in rank order; at least one for each (else ASY_E_INVAL).
 * By all ranks, with the same numbers (n_common: all of a node; else ASY_E_STATE, on all that
 * should agree); n_own > 0. It can fail on some ranks only (also ASY_E_NOMEM, ASY_E_TOOBIG): they
 * must tell each other before they use what they got.
 */
ASY_MUST_CHECK int asy_comm_share(struct asy_comm *comm, size_t n_arrays, size_t n_own,
                                  size_t n_common, struct asy_comm_memory *ret,
                                  struct asy_error *err);
/* A rank's part of a sum: whole blocks, but for what is left at the end. The parts of a node's
 * ranks make up the whole. */
#define ASY_COMM_BLOCK 256
struct asy_comm_sum {
    float *x; /* x[from..to): the sums, which this rank may change; the rest means nothing */
    size_t from, to;
};
/* By all ranks. ret->x[i] = sum over the arrays of all ranks of their i-th entries, in their order,
 * for this rank's part of the first n entries; ret_tail [n_tail] = those of the n_tail entries
 * behind them, for each rank. n + n_tail <= n_own.
 * Until asy_comm_settle() own may not be written; ret->x holds until it is, or until the next
 * sum. */
ASY_MUST_CHECK int asy_comm_reduce(struct asy_comm *comm, size_t n, size_t n_tail, float *ret_tail,
                                   struct asy_comm_sum *ret, struct asy_error *err);
/* The same in two halves, for who goes over the sums at once, while the processor has them near:
 * asy_comm_meet() by all ranks, which leaves out ret->x; then each rank by itself adds up its part,
 * x[from..to), piece after piece, each once. */
ASY_MUST_CHECK int asy_comm_meet(struct asy_comm *comm, size_t n, size_t n_tail, float *ret_tail,
                                 struct asy_comm_sum *ret, struct asy_error *err);
void asy_comm_add_up(struct asy_comm *comm, const struct asy_comm_sum *sum, size_t from, size_t to);
/* The i-th of the arrays that the node's ranks have, in rank order. Between asy_comm_meet() and
 * asy_comm_settle(), when nobody writes to what others read there. Borrowed. */
const float *asy_comm_array(const struct asy_comm *comm, size_t i);
/* This rank's part of n entries, as of a sum of so many. */
void asy_comm_share_out(const struct asy_comm *comm, size_t n, size_t *ret_from, size_t *ret_to);
/* Until the next asy_comm_share(): the first n entries of a sum go from node to node as bfloat16,
 * half the bytes, rounded to the nearest even; those behind them as they are. What each node adds
 * to is what it got; all end with the same bits, those of the sum as it was rounded last. Bits
 * depend on which ranks have a node in common then. By all ranks, before asy_comm_order(). */
void asy_comm_round(struct asy_comm *comm);
/* Where there are several nodes, sums can be on their way while a rank still computes; of a node
 * with several ranks the first sends for all, also while it waits for them in asy_comm_meet(). By
 * all ranks, after asy_comm_share() and until the next: the order in which the first entries of own
 * become whole, in extents that cover them once, and how many ride behind. It can fail on some
 * ranks only (ASY_E_NOMEM). A later sum of as many entries, behind asy_comm_settle(), may then
 * begin by asy_comm_ready(), any number of times before asy_comm_meet(): so many entries, in that
 * order, are whole. It does not wait; the more often it is called, the less is left to wait for.
 * Elsewhere both do nothing. */
struct asy_comm_extent {
    size_t at, n;
};
ASY_MUST_CHECK int asy_comm_order(struct asy_comm *comm, const struct asy_comm_extent *extents,
                                  size_t n_extents, size_t n_tail, struct asy_error *err);
ASY_MUST_CHECK int asy_comm_ready(struct asy_comm *comm, size_t n, struct asy_error *err);
/* By all ranks of a node: what each wrote to common before is there for all afterwards. More than
 * once after a sum where that is needed. Where the gang is over it returns at once. */
void asy_comm_settle(struct asy_comm *comm);
/* By all ranks: x [n], part of common, becomes that of rank 0's node on all nodes. */
ASY_MUST_CHECK int asy_comm_spread(struct asy_comm *comm, float *x, size_t n,
                                   struct asy_error *err);
/* x[i] = sum over ranks of x[i], in rank order; in place. For few numbers. */
ASY_MUST_CHECK int asy_comm_sum_f64(struct asy_comm *comm, double *x, size_t n,
                                    struct asy_error *err);
ASY_MUST_CHECK int asy_comm_sum_i64(struct asy_comm *comm, int64_t *x, size_t n,
                                    struct asy_error *err);
/* bytes of rank root, to all. */
ASY_MUST_CHECK int asy_comm_bcast(struct asy_comm *comm, void *bytes, size_t n, int root,
                                  struct asy_error *err);
#endif
