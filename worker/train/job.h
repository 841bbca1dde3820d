/* SPDX-License-Identifier: Apache-2.0
 * job.h - a job's JSON as a struct, checked. Texts and nodes are borrowed from the JSON; a plug-in
 * that it names is loaded. */
#ifndef ASY__JOB_H
#define ASY__JOB_H
#include "data/data.h"
#include "hyper.h"
#include "data/import.h"

/* Parts of a batch where its bits may not depend on the number of ranks; so many ranks at most. */
#define ASY__STRICT_SHARDS 8

struct asy__job {
    const char *study;
    struct asy_plugin *plugin; /* NULL: a family of ours is trained */
    struct asy__hyper hyper;
    struct asy__data_spec data;
    struct asy__import import;
    const char *metric; /* the objective */
    int maximize, takes_best;
    unsigned wants; /* metrics that the study names (metrics.h) */
    size_t cores;   /* of a rank */
    int strict;     /* the same bits for any number of ranks */
    const char *device; /* auto, cpu, opencl, cuda */
    int has_gpus;
    int population; /* it may go on from the checkpoint of a trial with other parameters */
    uint64_t seed, number, until, max; /* epochs; until <= max */
    int64_t checkpoint_ms;
};
ASY_MUST_CHECK int asy__job_read(const struct asy_json *node, struct asy__job *ret,
                                 struct asy_error *err);
/* The metrics that a study names and that are to be asked for (metrics.h). */
unsigned asy__job_wants(const struct asy_json *study);
/* What it owns: a plug-in. */
void asy__job_fini(struct asy__job *job);
/* What the data spec says, except the file's place, as text: equal texts mean equal data if the
 * file is equal. */
void asy__data_spec_text(const struct asy__data_spec *spec, struct asy_buf *buf);
/* What must not change between a checkpoint and its resumption, one "key=value" per line. */
void asy__job_identity(const struct asy__job *job, const struct asy__data *data,
                       struct asy_buf *buf);
#endif
