/* SPDX-License-Identifier: Apache-2.0
 * event_shapes.c - the rows of each event body and of the parts that events and frames share. */
#include "codec.h"
#include <assay.pb-c.h>

#define PART(type_, member) #member, type_, offsetof(PLAIN, member)
#define LIST(type_, member, count) #member, type_, offsetof(PLAIN, member), offsetof(PLAIN, count)

#define PLAIN struct asy_metric
static const struct asy__field metric_fields[] = {
    { PART(ASY__TEXT, name) },
    { PART(ASY__F64_NAN, value) },
};
static const struct asy__shape metric_shape = {
    &assay__v1__metric__descriptor, sizeof(PLAIN), metric_fields, ASY_ARRAY_LEN(metric_fields)
};
#undef PLAIN

#define PLAIN struct asy_placement
static const struct asy__field placement_fields[] = {
    { PART(ASY__ID, worker) },
    { PART(ASY__U32, ranks) },
    { LIST(ASY__U32S, cores, n_cores) },
    { PART(ASY__U64, memory) },
    { LIST(ASY__TEXTS, gpus, n_gpus) },
    { LIST(ASY__U32S, gpu_shares, n_gpu_shares) },
    { PART(ASY__TEXT, host) },
};
const struct asy__shape asy__placement_shape = {
    &assay__v1__placement__descriptor, sizeof(PLAIN), placement_fields,
    ASY_ARRAY_LEN(placement_fields)
};
#undef PLAIN

#define PLAIN struct asy_checkpoint
static const struct asy__field checkpoint_fields[] = {
    { PART(ASY__U32, attempt) }, { PART(ASY__U64, step) },  { PART(ASY__SHA, sha) },
    { PART(ASY__U64, bytes) },   { PART(ASY__TEXT, path) },
};
const struct asy__shape asy__checkpoint_shape = {
    &assay__v1__checkpoint__descriptor, sizeof(PLAIN), checkpoint_fields,
    ASY_ARRAY_LEN(checkpoint_fields)
};
#undef PLAIN

/* Bodies: member m of the union's struct b. */
#define BODY(type_, b, m) { #m, type_, offsetof(struct asy_event, b.m) }
#define BODY_LIST(type_, b, m, n) \
    { #m, type_, offsetof(struct asy_event, b.m), offsetof(struct asy_event, b.n) }
#define BODY_SUB(b, m, shape) { #m, ASY__SUB, offsetof(struct asy_event, b.m), 0, shape }
#define BODY_ENUM(b, m, names) { #m, ASY__ENUM, offsetof(struct asy_event, b.m), 0, NULL, names }

static const struct asy__field study_created[] = {
    BODY(ASY__TEXT, study_created, name),  BODY(ASY__TEXT, study_created, project),
    BODY(ASY__TEXT, study_created, owner), BODY(ASY__JSON, study_created, spec),
    BODY(ASY__TEXT, study_created, command_line),
};
static const struct asy__field study_state[] = {
    BODY_ENUM(study_state, state, asy__study_state_known),
    BODY_ENUM(study_state, cause, asy__cause_known),
    BODY(ASY__TEXT, study_state, text),
};
static const struct asy__field study_changed[] = { BODY(ASY__JSON, study_changed, spec) };
static const struct asy__field trial_created[] = {
    BODY(ASY__ID, trial_created, id),
    BODY_LIST(ASY__F64S, trial_created, x, n_x),
    BODY(ASY__U64, trial_created, seed),
    BODY(ASY__JSON, trial_created, params),
    BODY(ASY__TEXT, trial_created, source),
    BODY(ASY__U64, trial_created, knew),
    BODY(ASY__U64, trial_created, with),
    BODY(ASY__U64, trial_created, parent),
    BODY(ASY__U64, trial_created, member),
};
static const struct asy__field trial_state[] = {
    BODY_ENUM(trial_state, state, asy__trial_state_known),
    BODY_ENUM(trial_state, cause, asy__cause_known),
    BODY(ASY__TEXT, trial_state, text),
    BODY(ASY__F64_NAN, trial_state, value),
    BODY(ASY__U64, trial_state, step),
    BODY(ASY__JSON, trial_state, outcome),
};
static const struct asy__field leased[] = {
    BODY(ASY__ID, leased, id),
    BODY(ASY__U64, leased, epoch),
    BODY(ASY__U64, leased, job),
    BODY(ASY__U64, leased, milestone),
    { "placements", ASY__SUBS, offsetof(struct asy_event, leased.placements),
      offsetof(struct asy_event, leased.n_placements), &asy__placement_shape },
    BODY_SUB(leased, from, &asy__checkpoint_shape),
};
static const struct asy__field started[] = {
    BODY(ASY__U64, started, report),    BODY(ASY__I64, started, pid),
    BODY(ASY__TEXT, started, host),     BODY(ASY__JSON, started, hardware),
    BODY(ASY__JSON, started, versions), BODY(ASY__I64, started, reporter_wall_us),
};
static const struct asy__field report[] = {
    BODY(ASY__U64, report, report),
    BODY(ASY__U64, report, step),
    { "metrics", ASY__SUBS, offsetof(struct asy_event, report.metrics),
      offsetof(struct asy_event, report.n_metrics), &metric_shape },
    BODY(ASY__I64, report, reporter_wall_us),
};
static const struct asy__field checkpoint[] = {
    BODY(ASY__U64, checkpoint, report),
    BODY_SUB(checkpoint, checkpoint, &asy__checkpoint_shape),
};
static const struct asy__field ended[] = {
    BODY(ASY__U64, ended, report),
    BODY_ENUM(ended, end, asy__end_known),
    BODY_ENUM(ended, cause, asy__cause_known),
    BODY(ASY__TEXT, ended, text),
    BODY(ASY__I32, ended, exit_code),
    BODY(ASY__I32, ended, signal),
    BODY(ASY__U64, ended, step),
    BODY(ASY__F64_NAN, ended, objective),
    BODY(ASY__TEXT, ended, model_path),
    BODY(ASY__SHA, ended, model_sha),
    BODY(ASY__U64, ended, model_bytes),
    BODY(ASY__F64, ended, cpu_s),
    BODY(ASY__U64, ended, max_rss),
    BODY(ASY__TEXT, ended, scores_path),
    BODY(ASY__SHA, ended, scores_sha),
    BODY(ASY__U64, ended, scores_bytes),
};
static const struct asy__field superseded[] = {
    BODY(ASY__U64, superseded, report),
    BODY_ENUM(superseded, was, asy__event_kind_known),
    BODY(ASY__U64, superseded, step),
    BODY(ASY__TEXT, superseded, text),
};
static const struct asy__field worker_joined[] = {
    BODY(ASY__ID, worker_joined, id),         BODY(ASY__TEXT, worker_joined, host),
    BODY(ASY__JSON, worker_joined, hardware), BODY(ASY__U32, worker_joined, cores),
    BODY(ASY__U64, worker_joined, memory),    BODY(ASY__TEXT, worker_joined, fit),
    BODY(ASY__TEXT, worker_joined, version),
};
static const struct asy__field worker_gone[] = {
    BODY(ASY__ID, worker_gone, id),
    BODY_ENUM(worker_gone, cause, asy__cause_known),
    BODY(ASY__TEXT, worker_gone, text),
};
static const struct asy__field artifact[] = {
    BODY(ASY__TEXT, artifact, name),
    BODY(ASY__TEXT, artifact, path),
    BODY(ASY__SHA, artifact, sha),
    BODY(ASY__U64, artifact, bytes),
};
static const struct asy__field tag[] = { BODY(ASY__TEXT, tag, key), BODY(ASY__TEXT, tag, value) };
static const struct asy__field score[] = {
    BODY(ASY__TEXT, score, name),
    BODY(ASY__F64_NAN, score, value),
    BODY(ASY__U64, score, step),
};
static const struct asy__field dataset[] = {
    BODY(ASY__TEXT, dataset, name),
    BODY(ASY__TEXT, dataset, digest),
    BODY(ASY__TEXT, dataset, source),
    BODY(ASY__JSON, dataset, profile),
};
static const struct asy__field checkpoint_dropped[] = {
    BODY_SUB(checkpoint_dropped, checkpoint, &asy__checkpoint_shape),
};

#define KIND(message, fields_) \
    { &assay__v1__##message##__descriptor, 0, fields_, ASY_ARRAY_LEN(fields_) }
static const struct asy__shape shapes[] = {
    [ASY_EV_STUDY_CREATED] = KIND(study_created, study_created),
    [ASY_EV_STUDY_STATE] = KIND(study_state, study_state),
    [ASY_EV_STUDY_CHANGED] = KIND(study_changed, study_changed),
    [ASY_EV_TRIAL_CREATED] = KIND(trial_created, trial_created),
    [ASY_EV_TRIAL_STATE] = KIND(trial_state, trial_state),
    [ASY_EV_LEASED] = KIND(leased, leased),
    [ASY_EV_STARTED] = KIND(started, started),
    [ASY_EV_REPORT] = KIND(reported, report),
    [ASY_EV_CHECKPOINT] = KIND(checkpoint_made, checkpoint),
    [ASY_EV_ENDED] = KIND(ended, ended),
    [ASY_EV_SUPERSEDED] = KIND(superseded, superseded),
    [ASY_EV_WORKER_JOINED] = KIND(worker_joined, worker_joined),
    [ASY_EV_WORKER_GONE] = KIND(worker_gone, worker_gone),
    [ASY_EV_ARTIFACT] = KIND(artifact_added, artifact),
    [ASY_EV_TAG] = KIND(tag_set, tag),
    [ASY_EV_SCORE] = KIND(score_set, score),
    [ASY_EV_DATASET] = KIND(dataset_used, dataset),
    [ASY_EV_CHECKPOINT_DROPPED] = KIND(checkpoint_dropped, checkpoint_dropped),
};

const struct asy__shape *asy__event_shape(uint32_t kind)
{
    return kind > 0 && kind < ASY_ARRAY_LEN(shapes) ? &shapes[kind] : NULL;
}
