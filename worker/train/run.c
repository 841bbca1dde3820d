/* SPDX-License-Identifier: Apache-2.0
 * run.c - the training loop.
 *
 * A step allocates nothing. Whatever could make ranks part ways (a pause, a due checkpoint, a loss
 * that is no number) rides as elements of the gradient's sum, so all ranks see the same and act at
 * the same step. */
#include "trainer_impl.h"
#include "comm/agree.h"
#include "data/tokens.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <asy/clock.h>
#include <asy/rng.h>
#include "learn/loss.h"

/* The epoch's order is a function of seed and epoch alone, so no resumption can change it; each
 * rank works out its own rows of it. */
static void gather(struct asy__run *run, size_t from, size_t rows)
{
    size_t width = run->data->schema.n_features;

    asy_shuffle_get(&run->shuffle, from, rows, run->rows);
    for (size_t i = 0; run->data->x && i < rows; i++) { /* a plug-in may have its own */
        size_t row = run->rows[i];

        if (run->data->tokens) {
            asy__tokens_row(run->data, row, run->later, run->x + i * width, run->label + i * width);
            continue;
        }
        memcpy(run->x + i * width, run->data->x + row * width, width * sizeof *run->x);
        run->label[i] = run->data->label[row];
        run->target[i] = run->data->target[row];
    }
}

/* This rank's part of the parameters; the others of its node do the rest. */
static void update(struct asy__run *run, const struct asy_comm_sum *sum)
{
    struct asy__state *s = &run->state;
    struct asy__update_memory memory = { s->params, s->m, s->v, s->mean, run->update_room };

    s->progress.step++;
    s->progress.batch++;
    if (!run->trees)
        asy__update_step(run->update, &memory, run->trainer->comm, sum, s->progress.step,
                         s->progress.plateau.cut);
}

/* Behind the gradients of this rank's i-th shard; what all of a rank's would say the first does. */
static void set_riders(struct asy__run *run, size_t i, double loss)
{
    float *riders = run->memory.own + i * run->memory.stride + run->learner.n_params;
    int request = atomic_load_explicit(&run->trainer->request, memory_order_relaxed);

    riders[ASY__RIDE_LOSS] = (float)loss;
    riders[ASY__RIDE_FAILED] = 0;
    if (i > 0)
        return;
    riders[ASY__RIDE_PAUSE] = request == ASY_TRAIN_PAUSE;
    riders[ASY__RIDE_STOP] = request == ASY_TRAIN_STOP;
    riders[ASY__RIDE_CHECKPOINT] = asy_comm_rank(run->trainer->comm) == 0 &&
                                   run->job->checkpoint_ms > 0 &&
                                   asy_clock_ms() >= run->checkpoint_due_ms;
}

static float rider(const struct asy__run *run, int which)
{
    return run->riders[which];
}

/* The gradient of rows begin.. of a batch of n. */
static int pass_piece(struct asy__run *run, size_t shard, size_t begin, size_t rows, size_t n,
                      float *grads, struct asy_error *err)
{
    size_t from = (size_t)run->state.progress.batch * run->batch + begin;
    struct asy__batch batch = { rows, begin, run->x, run->label, run->target,
                                1.0f / (float)(n * asy__data_labels(run->data)),
                                run->job->seed, run->state.progress.step, run->rows,
                                shard };

    gather(run, from, rows);
    return run->learner.type->gradient(&run->learner, &batch, grads, &run->partials[shard], err);
}

/* The gradient of this rank's i-th shard of a batch of n rows, piece after piece. */
static int pass(struct asy__run *run, size_t i, size_t n, struct asy_error *err)
{
    size_t shard = run->memory.first + i, pieces = (size_t)run->job->hyper.accumulate;
    size_t begin = asy__share_begin(n, shard, run->shards), params = run->learner.n_params;
    size_t rows = asy__share_begin(n, shard + 1, run->shards) - begin, done = 0;
    float *grads = run->memory.own + i * run->memory.stride;
    struct asy__score *score = &run->partials[shard];
    double before = score->loss;
    int rc = 0;

    for (size_t p = 0; p < pieces && rc == 0; p++) {
        size_t from = asy__share_begin(rows, p, pieces), to = asy__share_begin(rows, p + 1, pieces);
        float *into = done ? run->piece : grads;

        if (from == to && !run->learner.joins)
            continue;
        rc = pass_piece(run, shard, begin + from, to - from, n, into, err);
        if (done && rc == 0)
            asy_sum_rows(2, params, (const float *const[]){ grads, into }, grads);
        done = to;
    }
    if (!rows)
        memset(grads, 0, params * sizeof *grads);
    set_riders(run, i, score->loss - before);
    grads[run->learner.n_params + ASY__RIDE_FAILED] = rc < 0;
    return rc;
}

/* A round of trees, of which only the riders are left to sum. */
static int grow(struct asy__run *run, struct asy_error *err)
{
    int rc = asy__trees_round(run->trees, err);

    if (rc < 0 || (rc = asy__trees_score(run->trees, run->tally, &run->train, &run->val,
                                        &run->counts, err)) < 0)
        return rc;
    set_riders(run, 0, asy_comm_rank(run->trainer->comm) == 0 ? run->train.loss : 0);
    return 0;
}

static void say_alive(const struct asy__run *run)
{
    if (run->callbacks->alive && asy_comm_rank(run->trainer->comm) == 0)
        run->callbacks->alive(run->callbacks->arg);
}

/* One batch: this rank's rows of it, its part of the sum over the shards and of the update. */
static int step(struct asy__run *run, struct asy_error *err)
{
    struct asy_comm *comm = run->trainer->comm;
    size_t from = (size_t)run->state.progress.batch * run->batch;
    size_t n = run->n_train - from < run->batch ? run->n_train - from : run->batch;
    struct asy_comm_sum sum;
    int rc, failed = 0;

    for (size_t i = 0; i < run->memory.count && !run->trees && failed == 0; i++)
        failed = pass(run, i, n, err);
    if (run->trees && (rc = grow(run, err)) < 0) {
        run->diverged = rc == ASY_E_TOOBIG; /* on all ranks: they know it of a sum */
        return run->diverged ? 0 : rc;
    }
    rc = asy_comm_reduce(comm, run->learner.n_params, ASY__RIDES, run->riders, &sum,
                         failed < 0 ? NULL : err);
    if (rc < 0)
        return failed < 0 ? failed : rc;
    if (rider(run, ASY__RIDE_FAILED) > 0) /* of one rank: they know it of the sum */
        return asy__share_blame(comm, failed, err);
    run->diverged = !isfinite(rider(run, ASY__RIDE_LOSS));
    if (!run->diverged)
        update(run, &sum);
    asy_comm_settle(comm);
    if (!run->diverged && run->callbacks->step && asy_comm_rank(comm) == 0)
        run->callbacks->step(run->callbacks->arg, run->state.progress.step,
                             (double)rider(run, ASY__RIDE_LOSS) /
                                 (double)(n * asy__data_labels(run->data)));
    say_alive(run);
    return 0;
}

static int write_checkpoint(struct asy__run *run, char *path, size_t size, struct asy_error *err)
{
    const struct asy__progress *p = &run->state.progress;
    int n = snprintf(path, size, "%s/checkpoint-%llu.safetensors", run->dir,
                     (unsigned long long)p->step);

    if (n < 0 || (size_t)n >= size)
        return asy_fail(err, ASY_E_INVAL, "the path of the job's folder is too long");
    return asy__checkpoint_write(path, run->identity, &run->state, run->sums, err);
}

/* The present epoch's sums over all ranks, by shards and in all. */
static int sum_up(struct asy__run *run, struct asy__score *ret, struct asy_error *err)
{
    memcpy(run->sums, run->partials, run->shards * sizeof *run->sums);
    return asy__score_total(run->trainer->comm, run->sums, run->shards, ret, err);
}

/* Collects the ranks' sums of the present epoch; rank 0 writes and hands over the file. */
static int checkpoint(struct asy__run *run, struct asy_error *err)
{
    struct asy_comm *comm = run->trainer->comm;
    struct asy__score total;
    char path[4096];
    int rc;

    if ((rc = sum_up(run, &total, err)) < 0 ||
        (run->plugged && (rc = asy__plugged_keep(run->plugged, err)) < 0))
        return rc;
    run->state.progress.shards = run->shards;
    run->checkpoint_due_ms = asy_clock_ms() + run->job->checkpoint_ms;
    if (asy_comm_rank(comm) != 0)
        return 0;
    if ((rc = write_checkpoint(run, path, sizeof path, err)) < 0 || !run->callbacks->checkpoint)
        return rc;
    rc = run->callbacks->checkpoint(run->callbacks->arg, run->state.progress.epoch, path);
    return rc < 0 ? asy_fail(err, (enum asy_code)rc, "the checkpoint was not taken") : 0;
}

/* What is drawn for an epoch, by its number alone. */
static void begin_epoch(struct asy__run *run)
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

    if (!run->trees)
        begin_epoch(run);
    while (p->batch < run->n_batches) {
        if ((rc = step(run, err)) < 0)
            return rc;
        if (run->diverged) {
            *ret_outcome = ASY_TRAIN_DIVERGED;
            return 0;
        }
        if (rider(run, ASY__RIDE_STOP) > 0) {
            *ret_outcome = ASY_TRAIN_STOPPED;
            return 0;
        }
        if (p->batch == run->n_batches)
            break;
        if (rider(run, ASY__RIDE_PAUSE) > 0) {
            *ret_outcome = ASY_TRAIN_PAUSED;
            return checkpoint(run, err);
        }
        if (rider(run, ASY__RIDE_CHECKPOINT) > 0 && (rc = checkpoint(run, err)) < 0)
            return rc;
    }
    return 0;
}

/* The learner as it is validated and stored. */
static struct asy__learner judged(const struct asy__run *run)
{
    struct asy__learner learner = run->learner;

    if (run->state.mean)
        learner.params = run->state.mean;
    return learner;
}

static int validate(struct asy__run *run, struct asy__score *ret, struct asy_error *err)
{
    struct asy__learner learner = judged(run);
    struct asy__scoring scoring = {
        .learner = &learner,
        .data = run->data,
        .loss = asy__loss_scored(&run->job->hyper, &run->data->schema),
        .comm = run->trainer->comm,
        .shards = run->shards,
        .room = run->sums,
        .tally = run->tally,
    };

    return asy__score_part(&scoring, ASY__VALIDATION, ret, &run->counts, err);
}

/* The epoch's metrics, in name order. */
static int measure(struct asy__run *run, double samples_per_s, struct asy__metric_list *list,
                   struct asy_error *err)
{
    const struct asy__data *data = run->data;
    enum asy__loss loss = (enum asy__loss)run->job->hyper.loss;
    struct asy__score train = run->train, val = run->val;
    int rc = 0;

    list->n = 1;
    snprintf(list->item[0].name, sizeof list->item[0].name, "samples_per_s");
    list->item[0].value = samples_per_s;
    if (run->plugged)
        return asy__plugged_measure(run->plugged, judged(run).params, list, err);
    if (!run->trees && (rc = sum_up(run, &train, err)) < 0)
        return rc;
    asy__metrics_add(&train, NULL, &data->schema, loss, 0, "train", list);
    if (data->start[ASY__VALIDATION] == data->start[ASY__TEST])
        return 0;
    if (!run->trees)
        rc = validate(run, &val, err);
    if (rc == 0)
        asy__metrics_add(&val, &run->counts, &data->schema, loss, run->job->wants, "val", list);
    return rc;
}

static int report(struct asy__run *run, const struct asy__metric_list *list, struct asy_error *err)
{
    struct asy_train_metric metrics[ASY__METRICS_MAX];
    int rc;

    if (asy_comm_rank(run->trainer->comm) != 0 || !run->callbacks->report)
        return 0;
    for (size_t i = 0; i < list->n; i++)
        metrics[i] = (struct asy_train_metric){ list->item[i].name, list->item[i].value };
    rc = run->callbacks->report(run->callbacks->arg, run->state.progress.epoch, metrics, list->n);
    return rc < 0 ? asy_fail(err, (enum asy_code)rc, "the report was not taken") : 0;
}

/* Judges the epoch that just ended. */
static void judge(struct asy__run *run, const struct asy__metric_list *list)
{
    struct asy__progress *p = &run->state.progress;
    double value = NAN;

    for (size_t i = 0; i < list->n; i++)
        if (!strcmp(list->item[i].name, run->job->metric))
            value = list->item[i].value;
    p->last = value;
    run->diverged = !isfinite(value);
    asy__plateau_judge(&p->plateau, value, run->job->maximize, (uint64_t)run->job->hyper.lr_every,
                       run->job->hyper.lr_factor);
    if (run->diverged ||
        (p->best_epoch && (run->job->maximize ? value <= p->best : value >= p->best)))
        return;
    p->best = value;
    p->best_epoch = p->epoch;
    if (!run->job->takes_best || !run->state.best)
        return;
    memcpy(run->state.best, run->state.mean ? run->state.mean : run->state.params,
           run->state.n_params * sizeof *run->state.best);
    if (run->state.n_buffers)
        memcpy(run->state.best + run->state.n_params, run->state.buffers,
               run->state.n_buffers * sizeof *run->state.best);
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
                 run->job->metric, (unsigned long long)p->epoch);
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
    int rc;

    if ((rc = train_epoch(run, ret_outcome, err)) < 0)
        return rc;
    if (*ret_outcome == ASY_TRAIN_DIVERGED)
        explain_divergence(run, result, 1);
    if (*ret_outcome)
        return 0;
    rows = (double)(run->n_train - first * run->batch);
    seconds = (double)(asy_clock_ns() - from_ns) * 1e-9;
    if ((rc = measure(run, seconds > 0 ? rows / seconds : 0, &list, err)) < 0)
        return rc;
    p->epoch++;
    p->batch = 0;
    memset(run->partials, 0, run->shards * sizeof *run->partials);
    if (run->plugged)
        asy__plugged_begin(run->plugged);
    judge(run, &list);
    if (run->plugged && run->job->takes_best && p->best_epoch == p->epoch) {
        rc = run->state.best ? asy__plugged_best(run->plugged, err) : 0; /* on rank 0 */
        if ((rc = asy__agree(run->trainer->comm, rc, err)) < 0)
            return rc;
    }
    if ((rc = report(run, &list, err)) < 0)
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
            if (rider(run, ASY__RIDE_PAUSE) > 0) {
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
