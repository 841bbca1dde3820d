/* SPDX-License-Identifier: Apache-2.0
 * schedule.h - the learning rate of each step: a function of the step alone, but for `plateau`,
 * which goes by how the objective went. */
#ifndef ASY__SCHEDULE_H
#define ASY__SCHEDULE_H
#include <stdint.h>

enum asy__lr_schedule {
    ASY__LR_CONSTANT, ASY__LR_STEP, ASY__LR_LINEAR, ASY__LR_COSINE, ASY__LR_ONE_CYCLE,
    ASY__LR_PLATEAU,
};
struct asy__schedule {
    enum asy__lr_schedule rule;
    double lr;     /* the highest */
    double end;    /* share of it that is left at the end, and the least that any rule leaves */
    double factor; /* step, plateau: of each drop */
    uint64_t every;  /* step: steps from drop to drop */
    uint64_t warmup; /* steps in which it rises to lr; one_cycle: 0 is three tenths of all */
    uint64_t total;  /* steps of the whole training */
};
/* step counts from 1 to total; cut: of the plateau, else 1. */
double asy__schedule_lr(const struct asy__schedule *schedule, uint64_t step, double cut);

/* What `plateau` remembers. */
struct asy__plateau {
    double best;   /* NaN: nothing yet */
    uint64_t poor; /* epochs in a row without a better one, since the last drop */
    double cut;    /* product of the drops */
};
#define ASY__PLATEAU_INIT { (double)NAN, 0, 1 }
/* After an epoch with this value of the objective: more than `patience` poor ones in a row make a
 * drop. */
void asy__plateau_judge(struct asy__plateau *plateau, double value, int maximize,
                        uint64_t patience, double factor);
#endif
