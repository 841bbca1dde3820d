/* SPDX-License-Identifier: Apache-2.0
 * trials.h - what a pruner keeps of each trial, found by its number. */
#ifndef ASY_TUNER_TRIALS_H
#define ASY_TUNER_TRIALS_H
#include <string.h>
#include "grow.h"
#include "map.h"

/* Zeroed memory is without a trial. Items move when one is made. */
struct asy__trials {
    struct asy__map numbers;
    char *items; /* [len] of the size that each call names */
    size_t len, cap;
};

static inline void asy__trials_fini(struct asy__trials *trials)
{
    asy__map_fini(&trials->numbers);
    free(trials->items);
}

/* NULL: not there. */
static inline void *asy__trials_get(const struct asy__trials *trials, uint64_t number, size_t size)
{
    uint32_t i = asy__map_get(&trials->numbers, number);

    return i == ASY__MAP_NONE ? NULL : trials->items + i * size;
}

/* Room for one more. */
static inline int asy__trials_reserve(struct asy__trials *trials, size_t size)
{
    if (trials->len == trials->cap) {
        size_t cap = trials->cap ? 2 * trials->cap : 16;

        if (asy__grow(&trials->items, cap, size))
            return ASY_E_NOMEM;
        trials->cap = cap;
    }
    return asy__map_reserve(&trials->numbers);
}

/* As it is, or a new one that begins as a copy of `fresh`; NULL: no memory. */
static inline void *asy__trials_make(struct asy__trials *trials, uint64_t number, size_t size,
                                     const void *fresh)
{
    void *item = asy__trials_get(trials, number, size);

    if (item)
        return item;
    if (asy__trials_reserve(trials, size))
        return NULL;
    asy__map_put(&trials->numbers, number, (uint32_t)trials->len);
    return memcpy(trials->items + trials->len++ * size, fresh, size);
}

#define ASY__TRIAL_GET(trials, number, type) ((type *)asy__trials_get(trials, number, sizeof(type)))
#define ASY__TRIAL_MAKE(trials, number, type, fresh)                                               \
    ((type *)asy__trials_make(trials, number, sizeof(type), fresh))
#endif
