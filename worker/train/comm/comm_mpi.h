/* SPDX-License-Identifier: Apache-2.0
 * comm_mpi.h - the communicator over MPI, inside. */
#ifndef ASY__COMM_MPI_H
#define ASY__COMM_MPI_H
#include "comm_impl.h"
#include <mpi.h>

/* How far a rank of the node is with what the leader sends on meanwhile (comm_stream.c). */
struct asy__told {
    _Alignas(64) _Atomic uint64_t entries;
};
/* What the ranks of a node know of each other. */
struct asy__control {
    struct asy__barrier barrier;
    struct asy__lost lost;
    struct asy__told told[]; /* [ranks of the node] */
};

struct mpi_comm {
    struct asy_comm base;
    MPI_Comm world;
    MPI_Comm local;   /* the node's ranks; MPI_COMM_NULL where each is alone */
    MPI_Comm leaders; /* the first rank of each node; MPI_COMM_NULL on the others */
    int place, nodes; /* of this node among all */
    struct asy__memory control; /* a struct asy__control */
    uint64_t told; /* entries of all sums that were over, as the ranks count them */
    struct asy__memory memory;  /* what asy_comm_share() hands out */
    char *send, *receive;       /* `room` bytes each */
    size_t room;
    struct asy__stream *stream; /* of sums whose order was told; NULL: none */
};
/* An MPI code as an error. */
ASY_MUST_CHECK int asy__mpi_check(int code, const char *what, struct asy_error *err);
/* The node's sum and that of all others: base.node.total [n + n_tail], on all nodes. By all
 * ranks. */
ASY_MUST_CHECK int asy__mpi_chain(struct asy_comm *base, size_t n, size_t n_tail,
                                  struct asy_error *err);
/* Sums that are on their way during a pass (comm_stream.c): asy_comm_order(), asy_comm_ready(), and
 * the end of one: as asy__mpi_chain(), if it is of so many entries. */
ASY_MUST_CHECK int asy__mpi_order(struct asy_comm *base, const struct asy_comm_extent *extents,
                                  size_t n_extents, size_t n_tail, struct asy_error *err);
ASY_MUST_CHECK int asy__mpi_ready(struct asy_comm *base, size_t n, struct asy_error *err);
int asy__stream_fits(const struct asy__stream *stream, size_t n, size_t n_tail);
ASY_MUST_CHECK int asy__stream_finish(struct mpi_comm *comm, struct asy_error *err);
void asy__stream_destroy(struct asy__stream *stream);
/* MPI_Bcast of any number of bytes. */
ASY_MUST_CHECK int asy__mpi_bcast(MPI_Comm among, void *bytes, size_t n, int root,
                                  struct asy_error *err);
#endif
