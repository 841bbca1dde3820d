/* SPDX-License-Identifier: Apache-2.0
 * kind_plugged.c - a plug-in: it knows what its outputs mean, and may know of data of its own. */
#include "trainer_impl.h"
#include "comm/agree.h"

/* What needs no rows comes first: where it has its own, they are known after that. */
static int find_data(struct asy__run *run, struct asy_error *err)
{
    struct asy_comm *comm = run->trainer->comm;
    int has_data = asy__plugged_has_data(run->job), rc;
    struct asy__plugged_options options = { run->job, NULL, comm, run->dir, run->shards, NULL,
                                            run->callbacks->arg };

    if (!has_data && (rc = asy__run_data(run, err)) < 0)
        return rc;
    options.data = run->data;
    if (asy_comm_rank(comm) == 0 && run->callbacks->alive) {
        options.alive = run->callbacks->alive;
        options.alive(options.arg); /* data may have taken long to read */
    }
    if ((rc = asy__plugged_create(&options, &run->plugged, err)) < 0 ||
        (rc = asy__plugged_metric(run->plugged, err)) < 0)
        return rc;
    run->state.kept = asy__plugged_kept(run->plugged);
    if (has_data)
        run->data = asy__plugged_data(run->plugged);
    return 0;
}

static int plan(struct asy__run *run, struct asy_error *err)
{
    int rc = asy__plugged_learner(run->plugged, asy__gradient_rows(run), &run->learner, err);

    return rc < 0 ? rc : asy__gradient_plan(run, err);
}

/* It is asked on one rank. */
static int begin(struct asy__run *run, struct asy_error *err)
{
    struct asy_comm *comm = run->trainer->comm;
    int rc = 0;

    if (asy_comm_rank(comm) == 0)
        rc = asy__plugged_init(run->plugged, run->state.params, err);
    if ((rc = asy__agree(comm, rc, err)) < 0 ||
        (rc = asy_comm_spread(comm, run->state.params, run->state.n_params, err)) < 0)
        return rc;
    asy__gradient_begin_mean(run);
    asy_comm_settle(comm);
    return 0;
}

static int resume(struct asy__run *run, struct asy_error *err)
{
    return asy__plugged_resume(run->plugged, err);
}

static int measure(struct asy__run *run, struct asy__metric_list *list, struct asy_error *err)
{
    return asy__plugged_measure(run->plugged, asy__gradient_judged(run).params, list, err);
}

static int keep(struct asy__run *run, struct asy_error *err)
{
    return asy__plugged_keep(run->plugged, err);
}

static int end_epoch(struct asy__run *run, int is_best, struct asy_error *err)
{
    int rc = 0;

    asy__plugged_begin(run->plugged);
    if (!is_best)
        return 0;
    if (run->state.best) /* on rank 0 */
        rc = asy__plugged_best(run->plugged, err);
    return asy__agree(run->trainer->comm, rc, err);
}

static int parts(struct asy__run *run, int is_best, struct asy__model_parts *ret,
                 struct asy_error *err)
{
    const struct asy__state *s = &run->state;
    int rc;

    if (!is_best && (rc = asy__plugged_best(run->plugged, err)) < 0) /* where it stands */
        return rc;
    *ret = (struct asy__model_parts){ .params = is_best   ? s->best
                                                : s->mean ? s->mean
                                                          : s->params,
                                      .n_params = s->kept->n_params,
                                      .state = &s->kept->best };
    return 0;
}

static void destroy(struct asy__run *run)
{
    asy__plugged_destroy(run->plugged);
}

const struct asy__kind asy__kind_plugged = {
    .data = find_data,
    .plan = plan,
    .begin = begin,
    .resume = resume,
    .batch = asy__gradient_batch,
    .measure = measure,
    .end_epoch = end_epoch,
    .keep = keep,
    .parts = parts,
    .destroy = destroy,
};
