/* SPDX-License-Identifier: Apache-2.0
 * trainer_impl.h - the trainer's inside: what stays between jobs, and one running job. */
#ifndef ASY__TRAINER_IMPL_H
#define ASY__TRAINER_IMPL_H
#include <stdatomic.h>
#include <asy/shuffle.h>
#include <asy/training.h>
#include "learn/metrics.h"
#include "plugged.h"
#include "state.h"
#include "learn/update.h"

struct asy_trainer {
    struct asy_comm *comm;
    atomic_int request;
    char *data_key; /* of the loaded data; NULL: none */
    struct asy__data data;
    float *arena;
    size_t arena_len; /* floats */
};

/* Elements that ride behind the gradients in each step's sum over the ranks. */
enum {
    ASY__RIDE_PAUSE, ASY__RIDE_STOP, ASY__RIDE_CHECKPOINT, ASY__RIDE_FAILED, ASY__RIDE_LOSS,
    ASY__RIDES
};

struct asy__run {
    struct asy_trainer *trainer;
    const struct asy__job *job;
    const struct asy__data *data;
    const struct asy_train_callbacks *callbacks;
    const char *dir, *identity;
    struct asy__net *net;         /* NULL: no network */
    struct asy__learner learner;  /* of nothing where there are trees */
    struct asy__plugged *plugged; /* NULL: no plug-in */
    struct asy__trees *trees;     /* NULL: what gives a gradient */
    struct asy__score train, val; /* trees: of all ranks after the last round */
    struct asy__tally *tally; /* of the validation part; NULL: of numbers, or there is none */
    struct asy__tally_result counts; /* what it came to */
    struct asy__state state;
    struct asy__update *update; /* NULL: trees */
    float *update_room;
    size_t shards;               /* of each batch: one a rank, or as many for any number of them */
    struct asy__score *partials; /* [shards], of the present epoch; zeros but for this rank's */
    struct asy__score *sums;     /* [shards], of all ranks */
    struct asy_comm_memory memory; /* own: gradients, then riders, of this rank's shards */
    float riders[ASY__RIDES];    /* their sums of the last step */
    float *piece;                /* [n_params]: gradient of a further piece of a batch; or NULL */
    float *class_weights;        /* [classes]; NULL: ones */
    float *x;                    /* [rows_max][n_features] of a batch */
    int32_t *label;              /* [rows_max]; of tokens [rows_max][n_features] */
    float *target;               /* [rows_max] */
    uint32_t *rows;              /* [rows_max]: which they are */
    struct asy_shuffle shuffle;  /* this epoch's order of all training rows */
    size_t later;                /* tokens: so many later this epoch's windows begin */
    size_t n_train, batch, n_batches;
    int64_t checkpoint_due_ms;
    int diverged;
};
/* Trains from where run->state stands. */
ASY_MUST_CHECK int asy__run_epochs(struct asy__run *run, struct asy_train_result *result,
                                   struct asy_error *err);
/* Rank 0 writes the model of a training that is complete, with a report on it. */
ASY_MUST_CHECK int asy__put_away(struct asy__run *run, struct asy_train_result *result,
                                 struct asy_error *err);
#endif
