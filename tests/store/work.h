/* SPDX-License-Identifier: Apache-2.0
 * work.h - events for tests of the store, made in the order that the coordinator makes them. */
#ifndef ASY_TEST_WORK_H
#define ASY_TEST_WORK_H
#include <asy/store.h>

#define WORK_NONE UINT64_MAX

/* Where the texts and arrays of a batch of events live. */
struct work {
    struct asy_arena *arena;
    struct asy_event *events;
    size_t n, cap;
    int64_t wall_us;        /* of the next event; goes up by 1 ms each */
};
ASY_MUST_CHECK int work_create(struct work *work, struct asy_error *err);
void work_fini(struct work *work);
void work_clear(struct work *work); /* the batch, not the clock */
/* Commits the batch and clears it. */
ASY_MUST_CHECK int work_commit(struct work *work, struct asy_store *store, uint64_t *ret_seq,
                               struct asy_error *err);

struct asy_id work_id(uint64_t serial);
/* An event of the batch, its union zeroed; good until the next one is added. Aborts for memory. */
struct asy_event *work_add(struct work *work, enum asy_event_kind kind, struct asy_id study,
                           uint64_t trial, uint32_t attempt);
void work_study(struct work *work, struct asy_id study, const char *name, const char *goal);
void work_study_state(struct work *work, struct asy_id study, enum asy_study_state state);
/* id: serial of the run's id; 6 parameters. */
void work_trial(struct work *work, struct asy_id study, uint64_t trial, uint64_t id);
void work_trial_state(struct work *work, struct asy_id study, uint64_t trial,
                      enum asy_trial_state state, double value);
void work_lease(struct work *work, struct asy_id study, uint64_t trial, uint32_t attempt,
                uint64_t id, uint32_t from_attempt, uint64_t from_step);
void work_start(struct work *work, struct asy_id study, uint64_t trial, uint32_t attempt);
/* Metrics "val_loss" and "val_accuracy". */
void work_report(struct work *work, struct asy_id study, uint64_t trial, uint32_t attempt,
                 uint64_t number, uint64_t step, double value);
void work_checkpoint(struct work *work, struct asy_id study, uint64_t trial, uint32_t attempt,
                     uint64_t number, uint64_t step);
void work_end(struct work *work, struct asy_id study, uint64_t trial, uint32_t attempt,
              uint64_t number, enum asy_end end, uint64_t step);
/* Two studies, a worker and one of each further kind of event, over two attempts of a trial. */
void work_every_kind(struct work *work);
void work_worker(struct work *work, struct asy_id worker, const char *host, int gone);
#endif
