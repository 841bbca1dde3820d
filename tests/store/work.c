/* SPDX-License-Identifier: Apache-2.0
 * work.c - see work.h. */
#include "work.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int work_create(struct work *work, struct asy_error *err)
{
    *work = (struct work){ .wall_us = 1700000000000000 };
    return asy_arena_create((size_t)1 << 32, &work->arena, err);
}

void work_fini(struct work *work)
{
    asy_arena_destroy(work->arena);
    free(work->events);
    *work = (struct work){ .n = 0 };
}

void work_clear(struct work *work)
{
    work->n = 0;
    asy_arena_reset(work->arena);
}

int work_commit(struct work *work, struct asy_store *store, uint64_t *ret_seq,
                struct asy_error *err)
{
    int rc = asy_store_commit(store, work->events, work->n, ret_seq, err);

    work_clear(work);
    return rc;
}

static void *need(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

static const char *text(struct work *work, const char *fmt, ...) ASY_PRINTF(2, 3);
static const char *text(struct work *work, const char *fmt, ...)
{
    char buf[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(buf, sizeof buf, fmt, args);
    va_end(args);
    return need(asy_arena_strdup(work->arena, buf, strlen(buf)));
}

struct asy_id work_id(uint64_t serial)
{
    return asy_id_from(1700000000000 + serial, serial);
}

struct asy_event *work_add(struct work *work, enum asy_event_kind kind, struct asy_id study,
                           uint64_t trial, uint32_t attempt)
{
    struct asy_event *ev;

    if (work->n == work->cap) {
        work->cap = work->cap ? 2 * work->cap : 64;
        work->events = need(reallocarray(work->events, work->cap, sizeof *work->events));
    }
    ev = &work->events[work->n++];
    *ev = (struct asy_event){ .kind = kind, .study = study, .trial = trial, .attempt = attempt,
                              .wall_us = work->wall_us };
    work->wall_us += 1000;
    return ev;
}

void work_study(struct work *work, struct asy_id study, const char *name, const char *goal)
{
    struct asy_event *ev = work_add(work, ASY_EV_STUDY_CREATED, study, WORK_NONE, 0);

    ev->study_created.name = text(work, "%s", name);
    ev->study_created.project = "default";
    ev->study_created.owner = "key-of-somebody";
    ev->study_created.spec = text(work, "{\"assay\":1,\"name\":\"%s\",\"objective\":{\"metric\":"
                                  "\"val_accuracy\",\"goal\":\"%s\"}}", name, goal);
    ev->study_created.command_line = "assay run study.yaml";
}

void work_study_state(struct work *work, struct asy_id study, enum asy_study_state state)
{
    struct asy_event *ev = work_add(work, ASY_EV_STUDY_STATE, study, WORK_NONE, 0);

    ev->study_state.state = state;
    ev->study_state.cause = state >= ASY_STUDY_FINISHED ? ASY_CAUSE_BUDGET_TRIALS : ASY_CAUSE_NONE;
    ev->study_state.text = text(work, "now in state %d", (int)state);
}

void work_trial(struct work *work, struct asy_id study, uint64_t trial, uint64_t id)
{
    struct asy_event *ev = work_add(work, ASY_EV_TRIAL_CREATED, study, trial, 0);
    double *x = need(asy_arena_alloc(work->arena, 6 * sizeof *x)), lr;

    lr = 1.0 / (3.0 + (double)trial);
    x[0] = lr, x[1] = 16 + (double)(trial % 496), x[2] = (double)(trial % 2), x[3] = 0.9;
    x[4] = 0.1 * (double)(trial % 7), x[5] = 32;
    ev->trial_created.id = work_id(id);
    ev->trial_created.x = x;
    ev->trial_created.n_x = 6;
    ev->trial_created.seed = id * UINT64_C(0x9E3779B97F4A7C15);
    ev->trial_created.params =
        text(work, "{\"lr\":%.17g,\"hidden\":%d,\"optimizer\":\"%s\",\"momentum\":0.9,"
             "\"dropout\":%.17g,\"batch_size\":32}", lr, (int)x[1], x[2] > 0 ? "adam" : "sgd",
             x[4]);
    ev->trial_created.source = "tpe";
    ev->trial_created.parent = id % 3;
    ev->trial_created.member = id % 5;
}

void work_trial_state(struct work *work, struct asy_id study, uint64_t trial,
                      enum asy_trial_state state, double value)
{
    struct asy_event *ev = work_add(work, ASY_EV_TRIAL_STATE, study, trial, 0);

    ev->trial_state.state = state;
    ev->trial_state.cause = state == ASY_TRIAL_PRUNED ? ASY_CAUSE_PRUNED : ASY_CAUSE_NONE;
    ev->trial_state.text = state == ASY_TRIAL_PRUNED ? text(work, "rung 1: %g", value) : "";
    ev->trial_state.value = value;
}

void work_lease(struct work *work, struct asy_id study, uint64_t trial, uint32_t attempt,
                uint64_t id, uint32_t from_attempt, uint64_t from_step)
{
    struct asy_event *ev = work_add(work, ASY_EV_LEASED, study, trial, attempt);
    struct asy_placement *p = need(asy_arena_alloc(work->arena, sizeof *p));
    uint32_t *cores = need(asy_arena_alloc(work->arena, 4 * sizeof *cores));

    for (uint32_t i = 0; i < 4; i++)
        cores[i] = i < 3 ? i : 8;
    *p = (struct asy_placement){ .worker = work_id(1), .ranks = 1, .cores = cores, .n_cores = 4,
                                 .memory = UINT64_C(1) << 30 };
    ev->leased.id = work_id(id);
    ev->leased.epoch = attempt;
    ev->leased.job = trial;
    ev->leased.milestone = UINT64_MAX;
    ev->leased.placements = p;
    ev->leased.n_placements = 1;
    ev->leased.from = (struct asy_checkpoint){
        .attempt = from_attempt, .step = from_step, .bytes = from_attempt ? 4096 : 0,
        .path = from_attempt ? "checkpoints/x" : "" };
}

void work_start(struct work *work, struct asy_id study, uint64_t trial, uint32_t attempt)
{
    struct asy_event *ev = work_add(work, ASY_EV_STARTED, study, trial, attempt);

    ev->started.report = 1;
    ev->started.pid = 4711;
    ev->started.host = "node-17";
    ev->started.hardware = "{\"cores\":64,\"model\":\"some processor\",\"kernels\":\"avx2\"}";
    ev->started.versions = "{\"assay\":\"0.1.0\"}";
    ev->started.reporter_wall_us = ev->wall_us - 250;
}

void work_report(struct work *work, struct asy_id study, uint64_t trial, uint32_t attempt,
                 uint64_t number, uint64_t step, double value)
{
    struct asy_event *ev = work_add(work, ASY_EV_REPORT, study, trial, attempt);
    struct asy_metric *metrics = need(asy_arena_alloc(work->arena, 2 * sizeof *metrics));

    metrics[0] = (struct asy_metric){ "val_loss", 1 - value };
    metrics[1] = (struct asy_metric){ "val_accuracy", value };
    ev->report.report = number;
    ev->report.step = step;
    ev->report.metrics = metrics;
    ev->report.n_metrics = 2;
    ev->report.reporter_wall_us = ev->wall_us - 250;
}

void work_checkpoint(struct work *work, struct asy_id study, uint64_t trial, uint32_t attempt,
                     uint64_t number, uint64_t step)
{
    struct asy_event *ev = work_add(work, ASY_EV_CHECKPOINT, study, trial, attempt);
    struct asy_checkpoint *c = &ev->checkpoint.checkpoint;

    ev->checkpoint.report = number;
    *c = (struct asy_checkpoint){ .attempt = attempt, .step = step, .bytes = 1000 + step,
                                  .path = text(work, "checkpoints/%d", (int)step) };
    memset(c->sha.b, (int)step, sizeof c->sha.b);
}

void work_end(struct work *work, struct asy_id study, uint64_t trial, uint32_t attempt,
              uint64_t number, enum asy_end end, uint64_t step)
{
    struct asy_event *ev = work_add(work, ASY_EV_ENDED, study, trial, attempt);

    ev->ended.report = number;
    ev->ended.end = end;
    ev->ended.cause = end == ASY_END_CRASHED ? ASY_CAUSE_EXIT_CODE : ASY_CAUSE_NONE;
    ev->ended.text = end == ASY_END_CRASHED ? "exit code 3" : "";
    ev->ended.exit_code = end == ASY_END_CRASHED ? 3 : 0;
    ev->ended.step = step;
    ev->ended.objective = NAN;
    ev->ended.model_path = end == ASY_END_COMPLETE ? "artifacts/ab/cd" : "";
    ev->ended.model_bytes = end == ASY_END_COMPLETE ? 12345 : 0;
    ev->ended.scores_path = end == ASY_END_COMPLETE ? "artifacts/ab/ce" : "";
    ev->ended.scores_bytes = end == ASY_END_COMPLETE ? 77 : 0;
    ev->ended.cpu_s = 1.5;
    ev->ended.max_rss = 1u << 20;
}

static void work_files(struct work *work, struct asy_id study)
{
    struct asy_event *ev = work_add(work, ASY_EV_CHECKPOINT_DROPPED, study, 0, 1);

    ev->checkpoint_dropped.checkpoint = (struct asy_checkpoint){ .attempt = 1, .step = 2 };
    ev = work_add(work, ASY_EV_ARTIFACT, study, 0, 2);
    ev->artifact.name = "confusion.csv";
    ev->artifact.path = "artifacts/12/34";
    ev->artifact.bytes = 99;
    memset(ev->artifact.sha.b, 0xc5, sizeof ev->artifact.sha.b);
    ev = work_add(work, ASY_EV_TAG, study, 0, 0);
    ev->tag.key = "assay.state";
    ev->tag.value = "complete";
    ev = work_add(work, ASY_EV_SCORE, study, 0, 0);
    ev->score.name = "test_accuracy";
    ev->score.value = 0.9375;
    ev->score.step = 4;
    ev = work_add(work, ASY_EV_DATASET, study, WORK_NONE, 0);
    ev->dataset.name = "digits.csv.gz";
    ev->dataset.digest = "0123456789abcdef";
    ev->dataset.source = "{\"uri\":\"data/digits.csv.gz\"}";
    ev->dataset.profile = "{\"rows\":1797}";
}

void work_every_kind(struct work *work)
{
    struct asy_id over = work_id(1), open = work_id(2);
    struct asy_event *ev;

    work_worker(work, work_id(3), "node-17", 0);
    work_study(work, over, "over", "maximize");
    work_study(work, open, "open", "minimize");
    ev = work_add(work, ASY_EV_STUDY_CHANGED, open, WORK_NONE, 0);
    ev->study_changed.spec = "{\"assay\":1,\"name\":\"open\",\"budget\":{\"trials\":9}}";
    for (uint64_t i = 0; i < 2; i++)
        work_trial(work, over, i, 10 + i);
    work_trial(work, open, 0, 12);
    work_lease(work, over, 0, 1, 20, 0, 0);
    work_start(work, over, 0, 1);
    for (uint64_t step = 1; step <= 3; step++) {
        work_report(work, over, 0, 1, 2 * step, step, 0.25 * (double)step);
        work_checkpoint(work, over, 0, 1, 2 * step + 1, step);
    }
    work_end(work, over, 0, 1, 8, ASY_END_LOST, 3);
    work_trial_state(work, over, 0, ASY_TRIAL_QUEUED, NAN);
    work_lease(work, over, 0, 2, 21, 1, 1);
    work_start(work, over, 0, 2);
    work_report(work, over, 0, 2, 2, 2, NAN);
    ev = work_add(work, ASY_EV_SUPERSEDED, over, 0, 1);
    ev->superseded.report = 9;
    ev->superseded.was = ASY_EV_REPORT;
    ev->superseded.step = 4;
    ev->superseded.text = "val_loss=0.5";
    work_end(work, over, 0, 2, 3, ASY_END_COMPLETE, 2);
    work_trial_state(work, over, 0, ASY_TRIAL_COMPLETE, 0.5);
    work_trial_state(work, over, 1, ASY_TRIAL_PRUNED, 0.125);
    work_files(work, over);
    work_study_state(work, over, ASY_STUDY_STOPPING);
    work_study_state(work, over, ASY_STUDY_FINISHED);
    work_worker(work, work_id(4), "node-18", 0);
    work_worker(work, work_id(4), "", 1);
}

void work_worker(struct work *work, struct asy_id worker, const char *host, int gone)
{
    struct asy_event *ev = work_add(work, gone ? ASY_EV_WORKER_GONE : ASY_EV_WORKER_JOINED,
                                    ASY_ID_NONE, WORK_NONE, 0);

    if (gone) {
        ev->worker_gone.id = worker;
        ev->worker_gone.cause = ASY_CAUSE_LOST;
        ev->worker_gone.text = "silent for 10 s";
        return;
    }
    ev->worker_joined.id = worker;
    ev->worker_joined.host = text(work, "%s", host);
    ev->worker_joined.hardware = "{}";
    ev->worker_joined.cores = 64;
    ev->worker_joined.memory = UINT64_C(1) << 36;
    ev->worker_joined.fit = "";
    ev->worker_joined.version = "0.1.0";
}
