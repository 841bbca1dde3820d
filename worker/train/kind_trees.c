/* SPDX-License-Identifier: Apache-2.0
 * kind_trees.c - boosted trees: a round is an epoch of one batch. */
#include "trainer_impl.h"
#include "comm/agree.h"
#include <stdlib.h>
#include "learn/loss.h"
#include "learn/report.h"

#define REPORT_ROWS 256 /* that are scored at once */

static int plan(struct asy__run *run, struct asy_error *err)
{
    size_t rows = run->data->start[ASY__VALIDATION + 1] - run->data->start[ASY__VALIDATION];
    int rc;

    if ((rc = asy__run_tally(run, 0, rows, err)) < 0) /* room for all, however they are divided */
        return rc;
    rc = asy__trees_create(&run->job->hyper, run->job->seed, run->data, run->trainer->comm,
                           run->trainer->device, &run->trees, err);
    if (rc == 0)
        run->state.trees = asy__trees_get(run->trees);
    return rc;
}

/* A round, of which only the riders are left to sum. */
static int batch(struct asy__run *run, size_t n, struct asy_error *err)
{
    struct asy_comm *comm = run->trainer->comm;
    struct asy_comm_sum sum;
    int rc = asy__trees_round(run->trees, err);

    (void)n;
    if (rc == 0)
        rc = asy__trees_score(run->trees, run->tally, &run->train, &run->val, &run->counts, err);
    if (rc < 0) {
        run->diverged = rc == ASY_E_TOOBIG; /* on all ranks: they know it of a sum */
        return run->diverged ? 0 : rc;
    }
    asy__riders_set(run, 0, asy_comm_rank(comm) == 0 ? run->train.loss : 0, 0);
    if ((rc = asy__riders_sum(run, 0, &sum, err)) < 0)
        return rc;
    asy_comm_settle(comm);
    return 0;
}

static int measure(struct asy__run *run, struct asy__metric_list *list, struct asy_error *err)
{
    (void)err; /* the round has scored */
    asy__run_metrics(run, &run->train, &run->val, list);
    return 0;
}

/* Rank 0's trees to all, which make the same model of them. */
static int share(struct asy__run *run, struct asy_error *err)
{
    struct asy_comm *comm = run->trainer->comm;
    struct asy_gbdt_packed packed = { 0 };
    int first = asy_comm_rank(comm) == 0, rc = 0;
    uint64_t n[2] = { 0, 0 };

    if (asy_comm_size(comm) == 1)
        return 0;
    if (first)
        rc = asy_gbdt_pack(run->state.trees, SIZE_MAX, &packed, err);
    n[0] = packed.n_trees;
    n[1] = packed.n_nodes;
    if ((rc = asy__agree(comm, rc, err)) < 0 ||
        (rc = asy_comm_bcast(comm, n, sizeof n, 0, err)) < 0)
        goto out;
    if (!first)
        rc = asy_gbdt_packed_init((size_t)n[0], (size_t)n[1], &packed, err);
    if ((rc = asy__agree(comm, rc, err)) == 0 &&
        (rc = asy_comm_bcast(comm, packed.trees, n[0] * sizeof *packed.trees, 0, err)) == 0 &&
        (rc = asy_comm_bcast(comm, packed.nodes, n[1] * ASY_GBDT_FIELDS * sizeof *packed.nodes, 0,
                             err)) == 0 && !first)
        rc = asy_gbdt_unpack(run->state.trees, &packed, err);
    rc = asy__agree(comm, rc, err);
out:
    asy_gbdt_packed_fini(&packed);
    return rc;
}

/* The last preparation that can fail on one rank alone. */
static int start(struct asy__run *run, struct asy_error *err)
{
    return asy__agree(run->trainer->comm, asy__trees_start(run->trees, err), err);
}

/* Trees may have rounds beyond the best: a copy of those up to it reports. */
static int judge(struct asy__run *run, const struct asy__model_parts *parts,
                  struct asy__report *report, struct asy_error *err)
{
    size_t outs = asy__outputs_of(&run->data->schema);
    struct asy__tree_outputs outputs = { NULL, NULL, NULL };
    struct asy_gbdt_packed packed = { 0 };
    struct asy_gbdt *copy = NULL;
    struct asy__learner learner;
    int rc = asy__trees_model(&run->job->hyper, &run->data->schema, run->job->seed, &copy, err);

    if (rc == 0)
        rc = asy_gbdt_pack(run->state.trees, parts->n_rounds, &packed, err);
    if (rc == 0)
        rc = asy_gbdt_unpack(copy, &packed, err);
    if (rc == 0 && !(outputs.margins = calloc(2 * REPORT_ROWS * outs, sizeof(float))))
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a report");
    if (rc == 0) {
        outputs.model = copy;
        outputs.out = outputs.margins + REPORT_ROWS * outs;
        learner = asy__trees_learner(&outputs, REPORT_ROWS, outs);
        rc = asy__report_add(report, &learner, run->data, ASY__VALIDATION, err);
    }
    free(outputs.margins);
    asy_gbdt_packed_fini(&packed);
    asy_gbdt_destroy(copy);
    return rc;
}

static int resume(struct asy__run *run, struct asy_error *err)
{
    int rc = share(run, err);

    return rc < 0 ? rc : start(run, err);
}

static int parts(struct asy__run *run, int is_best, struct asy__model_parts *ret,
                 struct asy_error *err)
{
    const struct asy__progress *p = &run->state.progress;

    (void)err;
    *ret = (struct asy__model_parts){ .trees = run->state.trees,
                                      .n_rounds = is_best ? p->best_epoch : p->epoch,
                                      .device = run->trainer->device ? run->trainer->device_name
                                                                     : NULL };
    return 0;
}

static void destroy(struct asy__run *run)
{
    asy__trees_destroy(run->trees);
}

const struct asy__kind asy__kind_trees = {
    .whole = 1,
    .data = asy__run_data,
    .plan = plan,
    .begin = start,
    .resume = resume,
    .batch = batch,
    .measure = measure,
    .parts = parts,
    .report = judge,
    .destroy = destroy,
};
