/* SPDX-License-Identifier: Apache-2.0
 * rankskit.h - what tests that run under mpirun share: the ranks, and a folder of theirs. */
#ifndef RANKSKIT_H
#define RANKSKIT_H
#include "trainkit.h"
#include "comm/comm_impl.h"
#include <asy/comm.h>

static struct asy_comm *comm;

/* Ranks of a node at most, as if the rest were on others; 0: all. The caller destroys comm. */
static inline bool ranks_open(int of_a_node)
{
    struct asy_error err = ASY_ERROR_INIT;

    asy__mpi_limit_nodes(of_a_node);
    if (asy_comm_mpi(&comm, &err) == 0)
        return true;
    fprintf(stderr, "%s\n", err.text);
    return false;
}

/* As the first argument says. */
static inline int ranks_asked(int argc, char **argv)
{
    return argc > 1 ? argv[1][0] - '0' : 0;
}

/* The folder that rank 0 made. */
static inline bool shared_dir(char dir[64])
{
    struct asy_error err = ASY_ERROR_INIT;

    memset(dir, 0, 64);
    if (asy_comm_rank(comm) == 0 && !T_TRUE(kit_dir(dir) != NULL))
        return false;
    return T_OK(asy_comm_bcast(comm, dir, 64, 0, &err), &err);
}

static inline void drop_dir(const char *dir)
{
    if (asy_comm_rank(comm) == 0)
        kit_rmdir(dir);
}
#endif
