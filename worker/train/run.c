/* SPDX-License-Identifier: Apache-2.0
 * run.c - the training loop: epochs and their batches, checkpoints, reports, when to end.
 *
 * Whatever could make ranks part ways (a pause, a due checkpoint, a loss that is no number) rides
 * as elements of each batch's sum over them, so all see the same and act at the same step. */
#include "trainer_impl.h"
#include "comm/agree.h"
#include "paths.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <asy/clock.h>
#include <asy/rng.h>

static void fill_riders(const struct asy__run *run, float *riders)
{
    int request = atomic_load_explicit(&run->trainer->request, memory_order_relaxed);

    riders[ASY__RIDE_PAUSE] = request == ASY_TRAIN_PAUSE;
    riders[ASY__RIDE_STOP] = request == ASY_TRAIN_STOP;
    riders[ASY__RIDE_CHECKPOINT] = asy_comm_rank(run->trainer->comm) == 0 &&
                                   run->job->checkpoint_ms > 0 &&
                                   asy_clock_ms() >= run->checkpoint_due_ms;
}

void asy__riders_set(struct asy__run *run, size_t i, double loss, int failed)
{
    float *riders = run->memory.own + i * run->memory.stride + run->ride;

    riders[ASY__RIDE_LOSS] = (float)loss;
    riders[ASY__RIDE_FAILED] = failed;
    if (i == 0) /* what all of a rank's would say the first does */
        fill_riders(run, riders);
}

void asy__riders_alone(struct asy__run *run, double loss)
{
    fill_riders(run, run->riders);
    run->riders[ASY__RIDE_LOSS] = (float)loss;
    run->riders[ASY__RIDE_FAILED] = 0;
    run->diverged = !isfinite(loss);
}

int asy__riders_sum(struct asy__run *run, int failed, struct asy_comm_sum *ret_sum,
                    struct asy_error *err)
{
    struct asy_comm *comm = run->trainer->comm;
    int rc = asy_comm_meet(comm, run->ride, ASY__RIDES, run->riders, ret_sum,
                           failed < 0 ? NULL : err);

    if (rc < 0)
        return failed < 0 ? failed : rc;
    if (asy__rider(run, ASY__RIDE_FAILED) > 0) /* of one rank: they know it of the sum */
        return asy__share_blame(comm, failed, err);
    run->diverged = !isfinite(asy__rider(run, ASY__RIDE_LOSS));
    return 0;
}

static void say_alive(const struct asy__run *run)
{
    if (run->callbacks->alive && asy_comm_rank(run->trainer->comm) == 0)
        run->callbacks->alive(run->callbacks->arg);
}

static int step(struct asy__run *run, struct asy_error *err)
{
    struct asy__progress *p = &run->state.progress;
    size_t from = (size_t)p->batch * run->batch;
    size_t n = run->n_train - from < run->batch ? run->n_train - from : run->batch;
    int rc;

    run->rode = n;
    if ((rc = run->kind->batch(run, n, err)) < 0)
        return rc;
    if (!run->diverged) {
        p->step++;
        p->batch++;
        if (run->rode && run->callbacks->step && asy_comm_rank(run->trainer->comm) == 0)
            run->callbacks->step(run->callbacks->arg, p->step,
                                 (double)asy__rider(run, ASY__RIDE_LOSS) /
                                     (double)(run->rode * asy__data_labels(run->data)));
    }
    say_alive(run);
    return 0;
}

static int write_checkpoint(struct asy__run *run, char *path, size_t size, struct asy_error *err)
{
    const struct asy__progress *p = &run->state.progress;
    int rc = asy__path(path, size, ASY__JOB_FOLDER, err, "%s/checkpoint-%llu.safetensors",
                       run->dir, (unsigned long long)p->step);

    if (rc < 0)
        return rc;
    if (run->kind->write)
        return run->kind->write(run, path, err);
    return asy__checkpoint_write(path, run->identity, &run->state, run->sums, err);
}

/* The present epoch's sums over all ranks, by shards and in all. */
int asy__run_total(struct asy__run *run, struct asy__score *ret, struct asy_error *err)
{
    memcpy(run->sums, run->partials, run->shards * sizeof *run->sums);
    return asy__score_total(run->trainer->comm, run->sums, run->shards, ret, err);
}

/* Rank 0 writes the file and hands it over. */
static int put_checkpoint(struct asy__run *run, struct asy_error *err)
{
    char path[4096];
    int rc = write_checkpoint(run, path, sizeof path, err);

    if (rc < 0 || !run->callbacks->checkpoint)
        return rc;
    rc = run->callbacks->checkpoint(run->callbacks->arg, run->state.progress.epoch, path);
    return rc < 0 ? asy_fail(err, (enum asy_code)rc, "the checkpoint was not taken") : 0;
}

/* Collects the ranks' sums of the present epoch. All wait for what becomes of the file: if rank 0
 * cannot give it, none goes on. There is none of what turns out to have diverged. */
static int checkpoint(struct asy__run *run, struct asy_error *err)
{
    struct asy_comm *comm = run->trainer->comm;
    struct asy__score total;
    int rc;

    if (run->kind->fetch && ((rc = run->kind->fetch(run, err)) < 0 || run->diverged))
        return rc;
    if ((rc = asy__run_total(run, &total, err)) < 0 ||
        (run->kind->keep && (rc = run->kind->keep(run, err)) < 0))
        return rc;
    run->state.progress.shards = run->shards;
    run->checkpoint_due_ms = asy_clock_ms() + run->job->checkpoint_ms;
    return asy__agree(comm, asy_comm_rank(comm) == 0 ? put_checkpoint(run, err) : 0, err);
}

void asy__run_begin_epoch(struct asy__run *run)
{
    uint64_t seed = run->job->seed, epoch = run->state.progress.epoch;
    struct asy_rng rng;

    asy_shuffle_init(&run->shuffle, run->n_train, seed, epoch);
    asy_rng_init(&rng, seed, epoch, ASY_RNG_SHUFFLE);
    run->later = run->data->tokens ? asy_rng_below(&rng, run->data->schema.n_features) : 0;
}

/* The rest of the present epoch. ret_outcome: 0, or how it ended early. */
static int train_epoch(struct asy__run *run, enum asy_train_outcome *ret_outcome,
                       struct asy_error *err)
{
    struct asy__progress *p = &run->state.progress;
    int rc;

    asy__run_begin_epoch(run);
    while (p->batch < run->n_batches) {
        if ((rc = step(run, err)) < 0)
            return rc;
        if (run->diverged) {
            *ret_outcome = ASY_TRAIN_DIVERGED;
            return 0;
        }
        if (asy__rider(run, ASY__RIDE_STOP) > 0) {
            *ret_outcome = ASY_TRAIN_STOPPED;
            return 0;
        }
        if (p->batch == run->n_batches)
            break;
        if (asy__rider(run, ASY__RIDE_PAUSE) > 0)
            *ret_outcome = ASY_TRAIN_PAUSED;
        if ((*ret_outcome || asy__rider(run, ASY__RIDE_CHECKPOINT) > 0) &&
            (rc = checkpoint(run, err)) < 0)
            return rc;
        if (run->diverged)
            *ret_outcome = ASY_TRAIN_DIVERGED;
        if (*ret_outcome)
            return 0;
    }
    return 0;
}

int asy__run_validates(const struct asy__run *run)
{
    return run->data->start[ASY__VALIDATION] < run->data->start[ASY__TEST];
}

void asy__run_metrics(const struct asy__run *run, const struct asy__score *train,
                      const struct asy__score *val, struct asy__metric_list *list)
{
    enum asy__loss loss = (enum asy__loss)run->job->hyper.loss;
    const struct asy__schema *schema = &run->data->schema;

    asy__metrics_add(train, NULL, schema, loss, 0, "train", list);
    if (asy__run_validates(run))
        asy__metrics_add(val, &run->counts, schema, loss, run->job->wants, "val", list);
}

static int measure(struct asy__run *run, double samples_per_s, struct asy__metric_list *list,
                   struct asy_error *err)
{
    list->n = 1;
    snprintf(list->item[0].name, sizeof list->item[0].name, "samples_per_s");
    list->item[0].value = samples_per_s;
    return run->kind->measure(run, list, err);
}

static int hand_over(struct asy__run *run, const struct asy__metric_list *list,
                     struct asy_error *err)
{
    struct asy_train_metric metrics[ASY__METRICS_MAX];
    int rc;

    if (!run->callbacks->report)
        return 0;
    for (size_t i = 0; i < list->n; i++)
        metrics[i] = (struct asy_train_metric){ list->item[i].name, list->item[i].value };
    rc = run->callbacks->report(run->callbacks->arg, run->state.progress.epoch, metrics, list->n);
    return rc < 0 ? asy_fail(err, (enum asy_code)rc, "the report was not taken") : 0;
}

static int report(struct asy__run *run, const struct asy__metric_list *list, struct asy_error *err)
{
    struct asy_comm *comm = run->trainer->comm;

    return asy__agree(comm, asy_comm_rank(comm) == 0 ? hand_over(run, list, err) : 0, err);
}

void asy__run_save_best(struct asy__run *run)
{
    const struct asy__state *s = &run->state;

    if (!s->best)
        return;
    if (s->n_params)
        memcpy(s->best, s->mean ? s->mean : s->params, s->n_params * sizeof *s->best);
    if (s->n_buffers)
        memcpy(s->best + s->n_params, s->buffers, s->n_buffers * sizeof *s->best);
}

/* Judges the epoch that just ended; whether it is the best one, of which the model will be made. */
static int judge(struct asy__run *run, const struct asy__metric_list *list)
{
    struct asy__progress *p = &run->state.progress;
    double value = NAN;

    for (size_t i = 0; i < list->n; i++)
        if (!strcmp(list->item[i].name, run->job->metric))
            value = list->item[i].value;
    p->last = value;
    run->diverged |= !isfinite(value);
    asy__plateau_judge(&p->plateau, value, run->job->maximize, (uint64_t)run->job->hyper.lr_every,
                       run->job->hyper.lr_factor);
    if (run->diverged ||
        (p->best_epoch && (run->job->maximize ? value <= p->best : value >= p->best)))
        return 0;
    p->best = value;
    p->best_epoch = p->epoch;
    return run->job->takes_best;
}

static int early_stop(const struct asy__run *run)
{
    const struct asy__progress *p = &run->state.progress;
    uint64_t patience = (uint64_t)run->job->hyper.patience;

    return patience && p->epoch >= p->best_epoch + patience;
}

static void explain_divergence(struct asy__run *run, struct asy_train_result *result, int in_step)
{
    const struct asy__progress *p = &run->state.progress;

    result->outcome = ASY_TRAIN_DIVERGED;
    if (in_step)
        snprintf(result->reason, sizeof result->reason,
                 "train_loss is not finite in epoch %llu, batch %llu",
                 (unsigned long long)p->epoch + 1, (unsigned long long)p->batch + 1);
    else
        snprintf(result->reason, sizeof result->reason, "%.80s is not finite after epoch %llu",
                 isfinite(p->last) ? "train_loss" : run->job->metric,
                 (unsigned long long)p->epoch);
}

/* One epoch with all that follows it. ret_outcome: 0 to go on. */
static int one_epoch(struct asy__run *run, enum asy_train_outcome *ret_outcome,
                     struct asy_train_result *result, struct asy_error *err)
{
    struct asy__progress *p = &run->state.progress;
    struct asy__metric_list list = { .n = 0 };
    int64_t from_ns = asy_clock_ns();
    uint64_t first = p->batch;
    double rows, seconds;
    int is_best, rc;

    if ((rc = train_epoch(run, ret_outcome, err)) < 0)
        return rc;
    if (*ret_outcome == ASY_TRAIN_DIVERGED)
        explain_divergence(run, result, 1);
    if (*ret_outcome)
        return 0;
    if (run->kind->tally_up && (rc = run->kind->tally_up(run, err)) < 0) /* a device has done all */
        return rc;
    rows = (double)(run->n_train - first * run->batch);
    seconds = (double)(asy_clock_ns() - from_ns) * 1e-9;
    if ((rc = measure(run, seconds > 0 ? rows / seconds : 0, &list, err)) < 0)
        return rc;
    p->epoch++;
    p->batch = 0;
    memset(run->partials, 0, run->shards * sizeof *run->partials);
    is_best = judge(run, &list);
    if (is_best) {
        if (run->kind->fetch && (rc = run->kind->fetch(run, err)) < 0)
            return rc;
        asy__run_save_best(run);
    }
    if ((run->kind->end_epoch && (rc = run->kind->end_epoch(run, is_best, err)) < 0) ||
        (rc = report(run, &list, err)) < 0)
        return rc;
    if (run->diverged) {
        explain_divergence(run, result, 0);
        *ret_outcome = ASY_TRAIN_DIVERGED;
    }
    return 0;
}

/* Whether rank 0's clock asks for a checkpoint between two epochs; all ranks get its answer. */
static int is_due(struct asy__run *run, int *ret_due, struct asy_error *err)
{
    int due = run->job->checkpoint_ms == 0 || asy_clock_ms() >= run->checkpoint_due_ms;
    int rc = asy_comm_bcast(run->trainer->comm, &due, sizeof due, 0, err);

    *ret_due = due;
    return rc;
}

int asy__run_epochs(struct asy__run *run, struct asy_train_result *result, struct asy_error *err)
{
    struct asy__progress *p = &run->state.progress;
    enum asy_train_outcome outcome = 0;
    int rc = 0;

    run->checkpoint_due_ms = asy_clock_ms() + run->job->checkpoint_ms;
    while (!outcome && rc == 0) {
        int due = 0;

        if (p->epoch > 0 && p->batch == 0 && early_stop(run)) {
            outcome = ASY_TRAIN_COMPLETE;
            snprintf(result->reason, sizeof result->reason,
                     "early stopping at epoch %llu: no better %.80s since epoch %llu",
                     (unsigned long long)p->epoch, run->job->metric,
                     (unsigned long long)p->best_epoch);
        } else if (p->epoch >= run->job->max) {
            outcome = ASY_TRAIN_COMPLETE;
        } else if (p->epoch >= run->job->until) {
            outcome = ASY_TRAIN_PAUSED;
            rc = checkpoint(run, err);
        } else if ((rc = one_epoch(run, &outcome, result, err)) == 0 && !outcome &&
                   p->epoch < run->job->until && !early_stop(run)) {
            if (asy__rider(run, ASY__RIDE_PAUSE) > 0) {
                outcome = ASY_TRAIN_PAUSED;
                rc = checkpoint(run, err);
            } else if ((rc = is_due(run, &due, err)) == 0 && due) {
                rc = checkpoint(run, err);
            }
        }
    }
    result->outcome = outcome;
    result->step = p->epoch;
    result->objective = run->job->takes_best && p->best_epoch ? p->best : p->last;
    return rc;
}
