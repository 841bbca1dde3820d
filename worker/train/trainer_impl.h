/* SPDX-License-Identifier: Apache-2.0
 * trainer_impl.h - the trainer's inside: what stays between jobs, and one running job.
 *
 * What differs between trainings is in their kind: a network here, a network on a device, a
 * plug-in, trees; or folds, several trainings of another kind that go on side by side. To add one:
 * a struct asy__kind in a file kind_NAME.c, and its case in asy__kind_of(). */
#ifndef ASY__TRAINER_IMPL_H
#define ASY__TRAINER_IMPL_H
#include <stdatomic.h>
#include <asy/shuffle.h>
#include <asy/team.h>
#include <asy/training.h>
#include "data/augment.h"
#include "learn/metrics.h"
#include "plugged.h"
#include "on_device.h"
#include "state.h"
#include "learn/update.h"
#include "net/net_order.h"

struct asy__arena {
    float *at; /* [n], aligned to 64 bytes */
    size_t n;
};
/* What a training leaves for the next one. */
struct asy__place {
    char *data_key; /* of the loaded data; NULL: none */
    struct asy__data data;
    struct asy__arena arena; /* of what it went on from, batch after batch */
};

struct asy_trainer {
    struct asy_comm *comm;
    atomic_int request;
    struct asy__place *places; /* [n_places] */
    size_t n_places;
    struct asy__arena
        passing;           /* of a batch, and what it becomes; trainings side by side share it */
    struct asy_team *team; /* of the running job's networks; NULL: one core, or none yet */
    const char *device_word; /* asked for by whoever runs it, over the job's; NULL: nothing */
    struct asy_device *device; /* of the last job that wanted one; NULL: none */
    char device_key[24];       /* what it was chosen by */
    char device_name[300];
    int on_device;             /* see asy_trainer_on_device() */
};
/* From now on there are n: what the first of them have stays. Moves them. */
ASY_MUST_CHECK int asy__trainer_places(struct asy_trainer *trainer, size_t n,
                                       struct asy_error *err);

/* Opens the job's device, or sees to it that there is none. Ranks do not talk. */
ASY_MUST_CHECK int asy__trainer_device(struct asy_trainer *trainer, const struct asy__job *job,
                                       struct asy_error *err);

/* Elements that ride behind the gradients in each step's sum over the ranks. */
enum {
    ASY__RIDE_PAUSE, ASY__RIDE_STOP, ASY__RIDE_CHECKPOINT, ASY__RIDE_FAILED, ASY__RIDE_LOSS,
    ASY__RIDES
};

struct asy__folds;
struct asy__report;
struct asy__run;
/* By all ranks, one function after the other, unless something else is said; what may fail on one
 * of them alone must make all fail (comm/agree.h), but in data and plan. NULL: there is nothing to
 * do. */
struct asy__kind {
    int whole; /* a batch is the whole training part, which it divides among the ranks itself */
    /* Finds run->data. */
    int (*data)(struct asy__run *run, struct asy_error *err);
    /* Of what is set, batch and shards included: the learner, the state's sizes, the update. */
    int (*plan)(struct asy__run *run, struct asy_error *err);
    /* Floats of this rank's: that it keeps, and that mean nothing between two batches; and the
     * places of both. NULL: none. */
    size_t (*own)(const struct asy__run *run);
    size_t (*room)(const struct asy__run *run);
    int (*bind)(struct asy__run *run, float *own, float *room, struct asy_error *err);
    /* The state that training begins with, or, after rank 0 has read one into the state, which all
     * have now, its own part of it. */
    int (*begin)(struct asy__run *run, struct asy_error *err);
    int (*resume)(struct asy__run *run, struct asy_error *err);
    /* A batch of n rows, with its update: run->riders are summed up, run->diverged is set. */
    int (*batch)(struct asy__run *run, size_t n, struct asy_error *err);
    /* An epoch's batches are over, of a training that nothing is measured of: what they came to is
     * taken from where it was, and run->diverged set, if batch did not do so. */
    int (*tally_up)(struct asy__run *run, struct asy_error *err);
    /* The epoch's metrics, in name order, after those that are in the list. */
    int (*measure)(struct asy__run *run, struct asy__metric_list *list, struct asy_error *err);
    /* Brings what training goes by into the state's memory, before it is kept. If run->diverged is
     * set afterwards, it must not be. */
    int (*fetch)(struct asy__run *run, struct asy_error *err);
    /* An epoch ended; is_best: its state is the best one. */
    int (*end_epoch)(struct asy__run *run, int is_best, struct asy_error *err);
    /* Takes together what a checkpoint has beside the state's memory. */
    int (*keep)(struct asy__run *run, struct asy_error *err);
    /* Rank 0 alone: what a model is made of, of the best epoch or the last, and a report on how it
     * does on the rows that it was not trained on, which are there. */
    int (*parts)(struct asy__run *run, int is_best, struct asy__model_parts *ret,
                 struct asy_error *err);
    int (*report)(struct asy__run *run, const struct asy__model_parts *parts,
                  struct asy__report *report, struct asy_error *err);
    void (*destroy)(struct asy__run *run);
    /* Of what consists of other trainings, in place of asy__memory_share(), of the state in one
     * file, rank 0 alone, and of its reading. */
    int (*share)(struct asy__run *run, struct asy_error *err);
    int (*write)(struct asy__run *run, const char *path, struct asy_error *err);
    int (*read)(struct asy__run *run, const char *path, struct asy_error *err);
};
/* Of one training, whether or not it is part of another; the trainer's device is the job's. */
const struct asy__kind *asy__kind_of(const struct asy_trainer *trainer,
                                     const struct asy__job *job);
extern const struct asy__kind asy__kind_net, asy__kind_device, asy__kind_plugged, asy__kind_trees,
    asy__kind_folds;

/* Of a rank that makes steps alone (local.c); all in its part of what ranks share. */
struct asy__local {
    float *params, *m, *v, *grads; /* [n_params]; m, v: or NULL */
    float *room;                   /* asy__update_room() */
    size_t each;                   /* floats from params to m, and from m to v */
    struct asy_comm *comm;         /* of itself; NULL: ranks make each step together */
    int apart;                     /* it has all of that since the ranks met; 0: it is to take it */
    size_t rows;                   /* of the batches since then */
    double loss;                   /* of its part of them, a sum */
    int failed;                    /* what went wrong since then; 0: nothing */
};

struct asy__run {
    struct asy_trainer *trainer;
    struct asy__place *place;
    const struct asy__kind *kind;
    struct asy__folds *folds; /* trainings that it consists of; NULL: it is one */
    const struct asy__job *job;
    const struct asy__data *data;
    const struct asy_train_callbacks *callbacks;
    const char *dir, *identity;
    struct asy__net *net;         /* NULL: no network */
    struct asy__on_device *on;    /* the same on a device; NULL: it is trained here */
    int on_began;                 /* it has made a step there */
    int on_holds;                 /* all training rows are there */
    struct asy__net_order *order; /* of its gradients; NULL: nobody sends them on meanwhile */
    struct asy__learner learner;  /* of nothing where there are trees */
    struct asy__augment augment;  /* column NULL: rows are as they are */
    struct asy__plugged *plugged; /* NULL: no plug-in */
    struct asy__trees *trees;     /* NULL: what gives a gradient */
    struct asy__score train, val; /* trees: of all ranks after the last round */
    struct asy__tally *tally; /* of the validation part; NULL: of numbers, or there is none */
    struct asy__tally_result counts; /* what it came to */
    struct asy__state state;
    struct asy__update *update; /* NULL: trees */
    float *update_room;
    float *spare; /* [n_params], of a node: where a step puts the parameters; NULL: in place */
    int fused;                  /* parameters change as soon as their gradients are whole */
    struct asy_op_taker taker;  /* where they do */
    struct asy__update_pass pass;
    double loss_before;         /* that of the epoch, before the present step */
    size_t shards;               /* of each batch: one a rank, or as many for any number of them */
    struct asy__score *partials; /* [shards], of the present epoch; zeros but for this rank's */
    struct asy__score *sums;     /* [shards], of all ranks */
    struct asy_comm_memory memory; /* own: gradients, then riders, of this rank's shards */
    size_t ride;                 /* where riders are in own */
    size_t input, work;          /* where x and the net's WORK are in own, if gradients are joint */
    float riders[ASY__RIDES];    /* their sums of the last step; zeros: ranks did not meet */
    size_t rode;                 /* rows that the loss among them is of; 0: none */
    struct asy__local local;
    float *piece;                /* [n_params]: gradient of a further piece of a batch; or NULL */
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

/* ---- what kinds have in common --------------------------------------------------------------- */

/* All that comes before memory is taken; all before it is shared; and what undoes it. */
ASY_MUST_CHECK int asy__run_plan(struct asy__run *run, struct asy_error *err);
ASY_MUST_CHECK int asy__run_set_up(struct asy__run *run, struct asy_error *err);
void asy__run_fini(struct asy__run *run);
/* What is drawn for an epoch, by its number alone. */
void asy__run_begin_epoch(struct asy__run *run);
/* Rank 0 keeps the present state as the best one. */
void asy__run_save_best(struct asy__run *run);
/* The job's data, in the run's place (data of the last job, if they are the same). */
ASY_MUST_CHECK int asy__run_data(struct asy__run *run, struct asy_error *err);
/* For the metrics of the validation part that need more than sums: of rows begin..end of it. */
ASY_MUST_CHECK int asy__run_tally(struct asy__run *run, size_t begin, size_t end,
                                  struct asy_error *err);
/* The metrics of both parts, by their sums. */
void asy__run_metrics(const struct asy__run *run, const struct asy__score *train,
                      const struct asy__score *val, struct asy__metric_list *list);
int asy__run_validates(const struct asy__run *run); /* whether there is a validation part */
/* Parts [run->shards] of the present epoch, summed over all ranks, and in all. */
ASY_MUST_CHECK int asy__run_total(struct asy__run *run, struct asy__score *ret,
                                  struct asy_error *err);

/* This rank's i-th shard: what it says beside its gradient. loss: its sum. */
void asy__riders_set(struct asy__run *run, size_t i, double loss, int failed);
/* Sums the riders, with asy_comm_meet(), so that gradients are yet to be added up; failed: this
 * rank's passes, whose error is in err. Sets run->diverged; if it is, nothing may be updated.
 * asy_comm_settle() follows. */
ASY_MUST_CHECK int asy__riders_sum(struct asy__run *run, int failed, struct asy_comm_sum *ret_sum,
                                   struct asy_error *err);
/* The same where there is one rank, and nothing to sum up. */
void asy__riders_alone(struct asy__run *run, double loss);
static inline float asy__rider(const struct asy__run *run, int which)
{
    return run->riders[which];
}

/* What gives a gradient (gradient.c). The most rows of a batch that are computed at once: */
size_t asy__gradient_rows(const struct asy__run *run);
/* Of a learner that is there, the update and the state's sizes. */
ASY_MUST_CHECK int asy__gradient_plan(struct asy__run *run, struct asy_error *err);
/* Begins at the learner's first values. */
ASY_MUST_CHECK int asy__gradient_begin(struct asy__run *run, struct asy_error *err);
/* One rank of a node lets the running mean begin at the first weights. */
void asy__gradient_begin_mean(struct asy__run *run);
ASY_MUST_CHECK int asy__gradient_batch(struct asy__run *run, size_t n, struct asy_error *err);
/* The gradient of a shard of a batch of n rows, piece after piece: of the loss as a mean over `of`
 * rows. ret_loss: its sum. */
ASY_MUST_CHECK int asy__gradient_pass(struct asy__run *run, size_t shard, size_t n, size_t of,
                                      float *grads, double *ret_loss, struct asy_error *err);
/* x, label, target and rows of the run: from.. of the epoch's order. */
void asy__gradient_gather(struct asy__run *run, size_t from, size_t rows);
/* The learner as it is validated and stored. */
struct asy__learner asy__gradient_judged(const struct asy__run *run);

/* What a step changes. */
struct asy__update_memory asy__gradient_memory(const struct asy__run *run);
/* Adds up and updates entries of this rank's, sum->from .. sum->to. */
void asy__gradient_update(struct asy__run *run, const struct asy_comm_sum *sum);

/* Gradients that the ranks of a node make together (joint.c). As how many parties they would do so
 * for a network: 0 or 1, they cannot. */
size_t asy__joint_parties(const struct asy__run *run);
/* Whether they do, for a batch of n rows: then the learner leaves them out of its pass. */
int asy__joint_can(const struct asy__run *run, size_t n);
/* Between asy__riders_sum() and asy_comm_settle(): the step, of all that is learnt. */
void asy__joint_update(struct asy__run *run, const struct asy_comm_sum *sum, size_t n);

/* Ranks that make steps alone (local.c). ASY_E_INVAL: they cannot, and why. */
ASY_MUST_CHECK int asy__local_check(const struct asy__run *run, struct asy_error *err);
ASY_MUST_CHECK int asy__local_batch(struct asy__run *run, size_t n, struct asy_error *err);

/* This rank's memory, and that which ranks have in common (memory.c). */
ASY_MUST_CHECK int asy__memory_own(struct asy__run *runs, size_t n, struct asy_error *err);
/* Of n runs, which sum one after the other: networks of equal sizes, plug-ins of any. */
ASY_MUST_CHECK int asy__memory_share(struct asy__run *runs, size_t n, struct asy_error *err);
/* A fresh start, or where a checkpoint left off (start.c); resume NULL: there is none. */
ASY_MUST_CHECK int asy__start(struct asy__run *run, const char *resume, struct asy_error *err);
/* Of a file of this run's own state alone. */
ASY_MUST_CHECK int asy__start_at(struct asy__run *run, const char *path, struct asy_error *err);

/* Trains from where run->state stands. */
ASY_MUST_CHECK int asy__run_epochs(struct asy__run *run, struct asy_train_result *result,
                                   struct asy_error *err);
/* Rank 0 writes the model of a training that is complete, with a report on it; or finds that its
 * weights are no numbers: then its result is that of one that diverged. */
ASY_MUST_CHECK int asy__put_away(struct asy__run *run, struct asy_train_result *result,
                                 struct asy_error *err);
#endif
