/* SPDX-License-Identifier: Apache-2.0
 * plugged_impl.h - the inside of a plug-in at work (plugged.h): what it is made of and learns
 * (plugged.c), what it counts (plugged_metrics.c), how a stored model of it does
 * (plugged_score.c).
 *
 * Ownership, threads: as plugged.h. */
#ifndef ASY__PLUGGED_IMPL_H
#define ASY__PLUGGED_IMPL_H
#include "plugged.h"

#define ASY__PLUGGED_ROWS 256 /* of one call of evaluate() */

struct asy__plugged {
    const struct asy_trainer_plugin *api;
    void *self;
    int created;
    struct asy__plugged_options options;
    struct asy__data own; /* where it has its own */
    size_t n_params; /* its own, and a gap up to a multiple of 16, which stays zero */
    uint64_t *row;                   /* [rows_max] */
    size_t rows_max;
    struct asy_trainer_sum *partial; /* [shards][n_metrics] of the epoch; zeros but for its own */
    double *room;                    /* [shards][n_sums] and a flag */
    struct asy__kept kept;
};

static inline size_t asy__rows_of(const struct asy__data *data, int part)
{
    return data->start[part + 1] - data->start[part];
}

static inline const struct asy__data *asy__plugged_data_of(const struct asy__plugged *p)
{
    return p->options.data ? p->options.data : &p->own;
}

/* What it said of a failure in this call, as one line; the memory is its own, and may be full. */
int asy__plugged_failed(const struct asy__plugged *p, const char *call, char *why,
                        struct asy_error *err);
/* It gets bytes back that it kept. */
ASY_MUST_CHECK int asy__plugged_load(struct asy__plugged *p, const struct asy__bytes *bytes,
                                     struct asy_error *err);
/* sums [shards][n_metrics], each shard's on the rank that has it, become those of all ranks, in
 * room; rc: whether this rank has failed. */
ASY_MUST_CHECK int asy__plugged_add_up(struct asy__plugged *p, const struct asy_trainer_sum *sums,
                                       int rc, struct asy_error *err);
/* The sums of a part, of all ranks, in room; then metrics of what is in room, in the order of the
 * shards. */
ASY_MUST_CHECK int asy__plugged_evaluate(struct asy__plugged *p, const float *params,
                                         enum asy__part part, struct asy_error *err);
void asy__plugged_add_metrics(const struct asy__plugged *p, const char *prefix,
                              struct asy__metric_list *list);
#endif
