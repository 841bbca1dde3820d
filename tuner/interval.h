/* SPDX-License-Identifier: Apache-2.0
 * interval.h - at which steps a pruner looks at a trial that reports when it likes. */
#ifndef ASY_TUNER_INTERVAL_H
#define ASY_TUNER_INTERVAL_H
#include <stdint.h>

/* Whether the step is not below warmup, and the first one that the trial reports in its interval
 * (Optuna's warm-up and interval steps). last_step: of the report before, if it has_reported. */
static inline int asy__is_looked_at(uint64_t step, int has_reported, uint64_t last_step,
                                    uint64_t warmup, uint64_t interval)
{
    if (step < warmup)
        return 0;
    return !has_reported || last_step < step - (step - warmup) % interval;
}
#endif
