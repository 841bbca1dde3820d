/* SPDX-License-Identifier: Apache-2.0
 * comm_mpi.h - the communicator over MPI, inside. */
#ifndef ASY__COMM_MPI_H
#define ASY__COMM_MPI_H
#include "comm_impl.h"
#include <mpi.h>

struct mpi_comm {
    struct asy_comm base;
    MPI_Comm world;
    MPI_Comm local;   /* the node's ranks; MPI_COMM_NULL where each is alone */
    MPI_Comm leaders; /* the first rank of each node; MPI_COMM_NULL on the others */
    int place, nodes; /* of this node among all */
    struct asy__memory control; /* the node's barrier */
    struct asy__memory memory;  /* what asy_comm_share() hands out */
    char *send, *receive;       /* `room` bytes each */
    size_t room;
};
/* An MPI code as an error. */
ASY_MUST_CHECK int asy__mpi_check(int code, const char *what, struct asy_error *err);
/* The node's sum and that of all others: base.node.total [n], on all nodes. By all ranks. */
ASY_MUST_CHECK int asy__mpi_chain(struct asy_comm *base, size_t n, struct asy_error *err);
/* MPI_Bcast of any number of bytes. */
ASY_MUST_CHECK int asy__mpi_bcast(MPI_Comm among, void *bytes, size_t n, int root,
                                  struct asy_error *err);
#endif
