/* SPDX-License-Identifier: Apache-2.0
 * jobkit.h - a trainer of one rank, with a folder of its own for its jobs. */
#ifndef JOBKIT_H
#define JOBKIT_H
#include "trainkit.h"
#include <asy/comm.h>
#include <asy/training.h>

static struct asy_trainer *trainer; /* the bench's; callbacks may ask it to pause */
struct bench {
    struct asy_comm *comm;
    char dir[64];
    struct asy_train_result result;
    struct asy_error err;
};

static inline bool bench_open(struct bench *b)
{
    memset(b, 0, sizeof *b);
    return T_TRUE(kit_dir(b->dir) != NULL) && T_OK(asy_comm_self(&b->comm, &b->err), &b->err) &&
           T_OK(asy_trainer_create(b->comm, &trainer, &b->err), &b->err);
}

/* One that was opened half is fine, too. */
static inline void tear_down(struct bench *b)
{
    asy_trainer_destroy(trainer);
    trainer = NULL;
    asy_comm_destroy(b->comm);
    kit_rmdir(b->dir);
}
#endif
