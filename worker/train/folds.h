/* SPDX-License-Identifier: Apache-2.0
 * folds.h - trainings that go on side by side (kind_folds.c), and the checkpoints of them all
 * (folds_keep.c).
 *
 * Ownership: the run's. Threads: as those of the kinds of training (trainer_impl.h). */
#ifndef ASY__FOLDS_H
#define ASY__FOLDS_H
#include "trainer_impl.h"

struct asy__folds {
    size_t n, n_divisions; /* trainings: those of the divisions, then that of all rows */
    struct asy__job *jobs; /* [n] */
    struct asy__run *runs; /* [n] */
    struct asy_buf *identities;    /* [n] */
    struct asy__metric_list *done; /* [n_divisions], of this epoch */
    size_t begun; /* 1 + number of the training whose epoch has begun here; 0: none */
};

/* The training that so many batches of an epoch have come to; *batch becomes its own. n: all are
 * done. */
size_t asy__folds_at(const struct asy__folds *f, uint64_t *batch);
/* Adds the metric of this name with this end. */
void asy__folds_add_metric(struct asy__metric_list *list, const char *name, const char *end,
                           double value);

/* As struct asy__kind has them. */
ASY_MUST_CHECK int asy__folds_keep(struct asy__run *run, struct asy_error *err);
/* On failure a folder that it made is gone; of one that was there, files may have changed. */
ASY_MUST_CHECK int asy__folds_write(struct asy__run *run, const char *folder,
                                    struct asy_error *err);
ASY_MUST_CHECK int asy__folds_read(struct asy__run *run, const char *folder,
                                   struct asy_error *err);
#endif
