/* SPDX-License-Identifier: Apache-2.0
 * start.c - where a training begins: at first values, or where a checkpoint left off, which rank 0
 * reads for all. */
#include "trainer_impl.h"
#include "comm/agree.h"
#include <math.h>
#include <string.h>

static int share_state(struct asy__run *run, struct asy_error *err)
{
    struct asy_comm *comm = run->trainer->comm;
    struct asy__state *s = &run->state;
    float *blocks[] = { s->params, s->m, s->v, s->mean, s->outer };
    size_t first, end;
    int rc;

    if ((rc = asy_comm_bcast(comm, &s->progress, sizeof s->progress, 0, err)) < 0 ||
        (rc = asy_comm_bcast(comm, run->partials, run->shards * sizeof *run->partials, 0, err)) < 0)
        return rc;
    for (size_t i = 0; i < ASY_ARRAY_LEN(blocks); i++)
        if (blocks[i] && (rc = asy_comm_spread(comm, blocks[i], s->n_params, err)) < 0)
            return rc;
    if (s->n_buffers &&
        (rc = asy_comm_bcast(comm, s->buffers, s->n_buffers * sizeof *s->buffers, 0, err)) < 0)
        return rc;
    asy__own_shards(comm, run->shards, &first, &end);
    memset(run->partials, 0, first * sizeof *run->partials);
    memset(run->partials + end, 0, (run->shards - end) * sizeof *run->partials);
    return 0;
}

int asy__start_at(struct asy__run *run, const char *path, struct asy_error *err)
{
    struct asy_comm *comm = run->trainer->comm;
    const struct asy__progress *p = &run->state.progress;
    int rc = 0;

    if (asy_comm_rank(comm) == 0) {
        rc = asy__checkpoint_read(path, run->identity, &run->state, run->partials,
                                   run->shards, err);
        if (rc == 0 && (p->batch >= run->n_batches || p->epoch > run->job->max))
            rc = asy_fail(err, ASY_E_CORRUPT, "cannot resume: checkpoint '%.80s' stands beyond "
                          "the end", path);
    }
    if ((rc = asy__agree(comm, rc, err)) < 0)
        return rc;
    return share_state(run, err);
}

int asy__start(struct asy__run *run, const char *resume, struct asy_error *err)
{
    struct asy__progress *p = &run->state.progress;
    int rc;

    p->best = p->last = NAN;
    p->plateau = (struct asy__plateau)ASY__PLATEAU_INIT;
    if (!resume)
        return run->kind->begin(run, err);
    rc = (run->kind->read ? run->kind->read : asy__start_at)(run, resume, err);
    return rc == 0 && run->kind->resume ? run->kind->resume(run, err) : rc;
}
