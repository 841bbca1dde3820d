/* SPDX-License-Identifier: Apache-2.0
 * asy/comm.h - the communicator of a gang: one interface, a `self` implementation without any
 * launcher for one rank, an `mpi` implementation for more.
 *
 * Reductions are blocking (Open MPI makes no progress in the background) and sum in rank order, so
 * that the bits depend on the rank count alone.
 *
 * asy_comm_mpi() and asy_comm_mpi_version() are in the library asy-comm-mpi, so that only a program
 * that calls them links libmpi.
 *
 * Ownership: create/destroy. Threads: the one thread that made it. Errors: a failed collective is
 * ASY_E_GONE; the gang is over then. */
#ifndef ASY_COMM_H
#define ASY_COMM_H
#include <asy/error.h>

struct asy_comm;
/* One rank; never calls MPI_Init. */
ASY_MUST_CHECK int asy_comm_self(struct asy_comm **ret_comm, struct asy_error *err);
/* MPI_COMM_WORLD with MPI_THREAD_FUNNELED, checked. At most once per process. */
ASY_MUST_CHECK int asy_comm_mpi(struct asy_comm **ret_comm, struct asy_error *err);
/* First line of the MPI library's version text; does not start MPI. text holds n bytes. */
void asy_comm_mpi_version(char *text, size_t n);
void asy_comm_destroy(struct asy_comm *comm);
int asy_comm_rank(const struct asy_comm *comm);
int asy_comm_size(const struct asy_comm *comm);
/* x[i] = sum over ranks of x[i], in rank order; in place. */
ASY_MUST_CHECK int asy_comm_sum_f32(struct asy_comm *comm, float *x, size_t n,
                                    struct asy_error *err);
ASY_MUST_CHECK int asy_comm_sum_f64(struct asy_comm *comm, double *x, size_t n,
                                    struct asy_error *err);
/* bytes of rank root, to all. */
ASY_MUST_CHECK int asy_comm_bcast(struct asy_comm *comm, void *bytes, size_t n, int root,
                                  struct asy_error *err);
#endif
