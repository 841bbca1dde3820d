/* SPDX-License-Identifier: Apache-2.0
 * bench_service.c - what the coordinator costs, measured from outside: a real assay-coordinator on
 * a real disk, simulated agents on real connections. One row of JSON per figure (row.h).
 *
 *     bench_service --programs FOLDER --dir FOLDER [--quick] [--only PART] [--OPTION NUMBER]...
 *
 * A cycle is one report of two metrics, one result, one new trial of six parameters and its lease;
 * one result per frame, each acknowledged after its own commit. Every run begins on a copy of the
 * same store of --stored trials, made by the same coordinator, and ends with SIGKILL; then the
 * store must hold exactly the results that were acknowledged. What a million stored trials cost:
 * --stored 1000000. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/parse.h>
#include <asy/store.h>
#include <asy/study.h>
#include "crowd.h"
#include "flood.h"
#include "row.h"

#define RUNS_MAX 99
#define SETTLE_MS 2000

static const char study[] =
    "assay: 1\n"
    "name: bench\n"
    "run: {command: [train]}\n"
    "objective: {metric: loss, goal: minimize, take: last}\n"
    "parameters:\n"
    "  lr:        {min: 1e-5, max: 1.0, scale: log}\n"
    "  hidden:    {min: 16, max: 512, scale: log}\n"
    "  depth:     {min: 1, max: 4}\n"
    "  dropout:   {min: 0.0, max: 0.9}\n"
    "  optimizer: {values: [sgd, adam]}\n"
    "  batch:     {values: [16, 32, 64, 128]}\n"
    "search: {sampler: random, pruner: none, seed: 7}\n"
    "budget: {trials: 1000000000}\n";

struct options {
    const char *programs, *dir, *only; /* only: a part of `parts`; NULL: all */
    uint64_t runs, stored, cycles, dispatched, restarted, idle, idle_ms, few, many, rate, flood;
    uint64_t warm_up; /* results that do not count: caches fill, the first log is copied back */
};
struct bench {
    struct options options;
    struct coordinator full, run; /* the store that all begin with, and the copy in use */
    struct disk disk;
    struct asy_id study;
    uint64_t done;                /* results in the full store */
};

/* ---- checking what was stored ---------------------------------------------------------------- */

struct tally {
    uint64_t complete;
    struct asy_error *err;
};

static int count_trial(void *arg, const struct asy_trial_row *row)
{
    struct tally *tally = arg;

    if (row->state != ASY_TRIAL_COMPLETE)
        return 0;
    tally->complete++;
    if (row->attempts == 1 && row->value == crowd_value(row->number))
        return 0;
    return asy_fail(tally->err, ASY_E_CORRUPT, "trial %" PRIu64 " is stored as %.17g",
                    row->number, row->value);
}

/* The coordinator was killed: all that it acknowledged is there, once. */
static int check_store(const struct coordinator *c, struct asy_id id, uint64_t want,
                       struct asy_error *err)
{
    char path[PATH_MAX + 8];
    struct asy_store_spec spec = { .path = path };
    struct asy_reader *reader = NULL;
    struct tally tally = { 0, err };
    int rc;

    snprintf(path, sizeof path, "%s/store", c->home);
    if ((rc = asy_reader_open(&spec, &reader, err)) < 0)
        return rc;
    rc = asy_reader_trials(reader, id, -1, -1, 0, count_trial, &tally, err);
    asy_reader_close(reader);
    if (rc == 0 && tally.complete != want)
        rc = asy_fail(err, ASY_E_CORRUPT,
                      "%" PRIu64 " results were acknowledged, %" PRIu64 " are stored", want,
                      tally.complete);
    return rc;
}

/* ---- the full store -------------------------------------------------------------------------- */

static int submit(struct bench *b, struct asy_error *err)
{
    struct asy_study_spec *spec = NULL;
    struct asy_buf problems;
    int rc;

    asy_buf_init(&problems, 1u << 16);
    rc = asy_study_parse(study, strlen(study), "study", "/", &spec, &problems, err);
    if (rc == 0)
        rc = coordinator_submit(&b->full, spec->canonical, &b->study, err);
    asy_study_destroy(spec);
    asy_buf_fini(&problems);
    return rc;
}

/* Ends a crowd and its coordinator; then counts. */
static int finish(struct bench *b, struct coordinator *c, struct crowd *crowd, uint64_t before,
                  struct asy_error *err)
{
    uint64_t results;
    int rc;

    if ((rc = crowd_leave(crowd, c, err)) < 0)
        return rc;
    results = crowd_results(crowd);
    crowd_destroy(crowd);
    coordinator_kill(c);
    if (c == &b->full)
        b->done = before + results;
    return check_store(c, b->study, before + results, err);
}

/* Brings the full store up to so many results; from a fifth of them on memory is watched. */
static int fill(struct bench *b, uint64_t trials, double *ret_bytes, struct asy_error *err)
{
    struct crowd_spec spec = { b->options.few, 0, 1 };
    struct crowd *crowd = NULL;
    struct usage early, late;
    uint64_t rest = trials > b->done ? trials - b->done : 0;
    int rc;

    if ((rc = coordinator_start(&b->full, spec.n, err)) < 0 ||
        (b->done == 0 && (rc = submit(b, err)) < 0) ||
        (rc = crowd_create(&b->full, &spec, &crowd, err)) < 0)
        return rc;
    if ((rc = crowd_work(crowd, rest / 5, err)) < 0 ||
        (rc = coordinator_usage(&b->full, &early, err)) < 0 ||
        (rc = crowd_work(crowd, rest - rest / 5, err)) < 0 ||
        (rc = coordinator_usage(&b->full, &late, err)) < 0)
        return rc;
    if (ret_bytes)
        *ret_bytes = 1024.0 * (double)(late.rss_kib - early.rss_kib) / (double)(rest - rest / 5);
    return finish(b, &b->full, crowd, b->done, err);
}

/* A coordinator on a fresh copy of the full store, after a look at the disk. To its first owner a
 * copy is a restored backup: it leases nothing until agents have had 10 s to offer what they run,
 * and what the crowd owes then comes at once. So the run is the second owner's. */
static int begin_run(struct bench *b, size_t room, struct asy_error *err)
{
    int rc;

    if ((rc = coordinator_copy(&b->full, &b->run, err)) < 0 ||
        (rc = coordinator_start(&b->run, 0, err)) < 0)
        return rc;
    coordinator_kill(&b->run);
    if ((rc = disk_probe(&b->disk, b->options.dir, err)) < 0)
        return rc;
    return coordinator_start(&b->run, room, err);
}

/* ---- cycles per second ----------------------------------------------------------------------- */

static int run_cycles(struct bench *b, size_t workers, double *ret_rate, double *ret_cpu_us,
                      struct asy_error *err)
{
    struct crowd_spec spec = { workers, 0, 1 };
    struct crowd *crowd = NULL;
    struct usage from, to;
    uint64_t results;
    int rc;

    if ((rc = begin_run(b, workers, err)) < 0 ||
        (rc = crowd_create(&b->run, &spec, &crowd, err)) < 0 ||
        (rc = crowd_work(crowd, b->options.warm_up, err)) < 0 ||
        (rc = coordinator_usage(&b->run, &from, err)) < 0)
        return rc;
    results = crowd_results(crowd);
    if ((rc = crowd_work(crowd, b->options.cycles, err)) < 0 ||
        (rc = coordinator_usage(&b->run, &to, err)) < 0)
        return rc;
    results = crowd_results(crowd) - results;
    *ret_rate = 1e9 * (double)results / (double)(to.wall_ns - from.wall_ns);
    *ret_cpu_us = 1e-3 * (double)(to.cpu_ns - from.cpu_ns) / (double)results;
    return finish(b, &b->run, crowd, b->done, err);
}

static int cycles(struct bench *b, size_t workers, struct asy_error *err)
{
    double rate[RUNS_MAX], cpu_us[RUNS_MAX];
    size_t n = b->options.runs;
    char key[24];
    int rc;

    snprintf(key, sizeof key, "%zu", workers);
    disk_clear(&b->disk);
    for (size_t i = 0; i < n; i++)
        if ((rc = run_cycles(b, workers, &rate[i], &cpu_us[i], err)) < 0)
            return rc;
    disk_sum(&b->disk);
    row_put(&(struct row){ "service.cycles_per_s", key, "1/s", median(rate, n), n, &b->disk });
    row_put(&(struct row){ "service.cpu_us_per_cycle", key, "us", median(cpu_us, n), n, NULL });
    return 0;
}

/* ---- from a result to the next lease --------------------------------------------------------- */

static int run_dispatch(struct bench *b, uint64_t seed, double *ret_p50, double *ret_p99,
                        struct asy_error *err)
{
    struct crowd_spec spec = { b->options.few, (double)b->options.rate, seed };
    struct crowd *crowd = NULL;
    double *waits;
    size_t n;
    int rc;

    if ((rc = begin_run(b, spec.n, err)) < 0 ||
        (rc = crowd_create(&b->run, &spec, &crowd, err)) < 0 ||
        (rc = crowd_work(crowd, b->options.dispatched / 5, err)) < 0)
        return rc;
    crowd_forget(crowd);
    if ((rc = crowd_work(crowd, b->options.dispatched, err)) < 0)
        return rc;
    waits = crowd_waits(crowd, &n);
    *ret_p50 = quantile(waits, n, 0.5);
    *ret_p99 = quantile(waits, n, 0.99);
    return finish(b, &b->run, crowd, b->done, err);
}

static int dispatch(struct bench *b, struct asy_error *err)
{
    double p50[RUNS_MAX], p99[RUNS_MAX];
    size_t n = b->options.runs;
    int rc;

    disk_clear(&b->disk);
    for (size_t i = 0; i < n; i++)
        if ((rc = run_dispatch(b, i, &p50[i], &p99[i], err)) < 0)
            return rc;
    disk_sum(&b->disk);
    row_put(&(struct row){ "service.dispatch_p50_ms", NULL, "ms", median(p50, n), n, &b->disk });
    row_put(&(struct row){ "service.dispatch_p99_ms", NULL, "ms", median(p99, n), n, &b->disk });
    row_put(&(struct row){ "service.fdatasync_p50_ms", NULL, "ms", b->disk.p50_ms, n, &b->disk });
    row_put(&(struct row){ "service.fdatasync_p99_ms", NULL, "ms", b->disk.p99_ms, n, &b->disk });
    return 0;
}

/* ---- the same under a flood of bad handshakes ------------------------------------------------ */

struct flooded {
    double calm, flood, rate;
};

static int p99_of(struct crowd *crowd, uint64_t results, double *ret_p99, struct asy_error *err)
{
    double *waits;
    size_t n;
    int rc;

    crowd_forget(crowd);
    if ((rc = crowd_work(crowd, results, err)) < 0)
        return rc;
    waits = crowd_waits(crowd, &n);
    *ret_p99 = quantile(waits, n, 0.99);
    return 0;
}

/* What does not count of it is long enough that as many half-open connections end as come. */
static int under_flood(struct bench *b, struct crowd *crowd, struct flooded *ret,
                       struct asy_error *err)
{
    struct flood_spec spec = { b->run.found.endpoints[0], b->run.found.server_key,
                               (double)b->options.flood };
    struct flood *flood = NULL;
    struct flood_counts counts;
    struct asy_error why = ASY_ERROR_INIT;
    int rc, stopped;

    if ((rc = flood_start(&spec, &flood, err)) < 0)
        return rc;
    if ((rc = crowd_work(crowd, b->options.dispatched / 2, err)) == 0)
        rc = p99_of(crowd, b->options.dispatched, &ret->flood, err);
    stopped = flood_stop(flood, &counts, &why);
    ret->rate = (double)counts.all / counts.seconds;
    if (rc == 0 && stopped < 0)
        rc = asy_fail(err, why.code, "%s", why.text);
    return rc;
}

static int run_flood(struct bench *b, uint64_t seed, struct flooded *ret, struct asy_error *err)
{
    struct crowd_spec spec = { b->options.few, (double)b->options.rate, seed };
    struct crowd *crowd = NULL;
    int rc;

    if ((rc = begin_run(b, spec.n, err)) < 0 ||
        (rc = crowd_create(&b->run, &spec, &crowd, err)) < 0 ||
        (rc = crowd_work(crowd, b->options.dispatched / 5, err)) < 0 ||
        (rc = p99_of(crowd, b->options.dispatched, &ret->calm, err)) < 0 ||
        (rc = under_flood(b, crowd, ret, err)) < 0)
        return rc;
    return finish(b, &b->run, crowd, b->done, err);
}

static int flood(struct bench *b, struct asy_error *err)
{
    double calm[RUNS_MAX], flooded[RUNS_MAX], ratio[RUNS_MAX], rate[RUNS_MAX];
    size_t n = b->options.runs;
    struct flooded got = { 0 };
    int rc;

    disk_clear(&b->disk);
    for (size_t i = 0; i < n; i++) {
        if ((rc = run_flood(b, i, &got, err)) < 0)
            return rc;
        calm[i] = got.calm;
        flooded[i] = got.flood;
        ratio[i] = got.flood / got.calm;
        rate[i] = got.rate;
    }
    disk_sum(&b->disk);
    row_put(&(struct row){ "access.flood_latency_ratio", NULL, "", median(ratio, n), n, NULL });
    row_put(&(struct row){ "access.latency_p99_ms", "calm", "ms", median(calm, n), n, &b->disk });
    row_put(&(struct row){ "access.latency_p99_ms", "flood", "ms", median(flooded, n), n,
                           &b->disk });
    row_put(&(struct row){ "access.flood_per_s", NULL, "1/s", median(rate, n), n, NULL });
    return 0;
}

/* ---- restart --------------------------------------------------------------------------------- */

static int restart(struct bench *b, struct asy_error *err)
{
    double ms[RUNS_MAX];
    size_t n = b->options.runs;
    int rc;

    if ((rc = fill(b, b->options.restarted, NULL, err)) < 0)
        return rc;
    disk_clear(&b->disk);
    for (size_t i = 0; i < n; i++) {
        if ((rc = disk_probe(&b->disk, b->options.dir, err)) < 0 ||
            (rc = coordinator_start(&b->full, 1, err)) < 0)
            return rc;
        ms[i] = b->full.ready_ms;
        coordinator_kill(&b->full);
    }
    disk_sum(&b->disk);
    row_put(&(struct row){ "service.restart_ms", NULL, "ms", median(ms, n), n, &b->disk });
    return 0;
}

/* ---- idle workers ---------------------------------------------------------------------------- */

static int run_idle(struct bench *b, double *ret_share, double *ret_kib, struct asy_error *err)
{
    struct crowd_spec spec = { b->options.idle, 0, 1 };
    struct crowd *crowd = NULL;
    struct usage empty, from, to;
    int rc;

    if ((rc = asy_durable_remove(b->run.home, err)) < 0 ||
        (rc = coordinator_start(&b->run, spec.n, err)) < 0 ||
        (rc = coordinator_usage(&b->run, &empty, err)) < 0 ||
        (rc = crowd_create(&b->run, &spec, &crowd, err)) < 0 ||
        (rc = crowd_idle(crowd, SETTLE_MS, err)) < 0 ||
        (rc = coordinator_usage(&b->run, &from, err)) < 0 ||
        (rc = crowd_idle(crowd, (int64_t)b->options.idle_ms, err)) < 0 ||
        (rc = coordinator_usage(&b->run, &to, err)) < 0)
        return rc;
    *ret_share = (double)(to.cpu_ns - from.cpu_ns) / (double)(to.wall_ns - from.wall_ns);
    *ret_kib = (double)(to.rss_kib - empty.rss_kib) / (double)spec.n;
    if ((rc = crowd_leave(crowd, &b->run, err)) < 0)
        return rc;
    crowd_destroy(crowd);
    coordinator_kill(&b->run);
    return 0;
}

static int idle(struct bench *b, struct asy_error *err)
{
    double share[RUNS_MAX], kib[RUNS_MAX];
    size_t n = b->options.runs;
    int rc;

    for (size_t i = 0; i < n; i++)
        if ((rc = run_idle(b, &share[i], &kib[i], err)) < 0)
            return rc;
    row_put(&(struct row){ "service.idle_core_share", NULL, "cores", median(share, n), n, NULL });
    row_put(&(struct row){ "service.rss_kib_per_worker", NULL, "KiB", median(kib, n), n, NULL });
    return 0;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int stored(struct bench *b, struct asy_error *err)
{
    double bytes;
    int rc = fill(b, b->options.stored, &bytes, err);

    if (rc == 0)
        row_put(&(struct row){ "service.rss_bytes_per_trial", NULL, "B", bytes, 1, NULL });
    return rc;
}

static int all_cycles(struct bench *b, struct asy_error *err)
{
    int rc = cycles(b, b->options.few, err);

    return rc < 0 ? rc : cycles(b, b->options.many, err);
}

static const struct part {
    const char *name;
    int (*measure)(struct bench *b, struct asy_error *err);
    int needs_store;
} parts[] = {
    { "cycles", all_cycles, 1 },
    { "dispatch", dispatch, 1 },
    { "flood", flood, 1 },
    { "restart", restart, 0 }, /* fills the store by itself */
    { "idle", idle, 0 },
};

static int measure(struct bench *b, struct asy_error *err)
{
    const char *only = b->options.only;
    int rc;

    for (size_t i = 0; i < ASY_ARRAY_LEN(parts); i++) {
        if (only && strcmp(only, parts[i].name) != 0)
            continue;
        if (parts[i].needs_store && b->done == 0 && (rc = stored(b, err)) < 0)
            return rc;
        if ((rc = parts[i].measure(b, err)) < 0)
            return rc;
    }
    return 0;
}

static int open_bench(struct bench *b, struct asy_error *err)
{
    char full[PATH_MAX], run[PATH_MAX];
    int rc;

    if (strlen(b->options.dir) + 8 > PATH_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "path '%.100s' is too long", b->options.dir);
    snprintf(full, sizeof full, "%s/full", b->options.dir);
    snprintf(run, sizeof run, "%s/run", b->options.dir);
    if (access(full, F_OK) == 0 || access(run, F_OK) == 0)
        return asy_fail(err, ASY_E_EXISTS, "'%.100s' holds an earlier measurement", b->options.dir);
    if ((rc = asy_durable_mkdirs(b->options.dir, err)) < 0 ||
        (rc = coordinator_init(&b->full, b->options.programs, full, err)) < 0 ||
        (rc = coordinator_init(&b->run, b->options.programs, run, err)) < 0)
        return rc;
    return disk_init(&b->disk, b->options.dir, err);
}

static int parse(int argc, char **argv, struct options *o, struct asy_error *err)
{
    const struct {
        const char *name;
        uint64_t *value;
        uint64_t least;
    } numbers[] = {
        { "--runs", &o->runs, 1 },           { "--stored", &o->stored, 5 },
        { "--cycles", &o->cycles, 1 },       { "--dispatched", &o->dispatched, 5 },
        { "--restarted", &o->restarted, 5 }, { "--idle", &o->idle, 1 },
        { "--idle-ms", &o->idle_ms, 1 },     { "--few", &o->few, 1 },
        { "--many", &o->many, 1 },           { "--rate", &o->rate, 1 },
        { "--warm-up", &o->warm_up, 1 },     { "--flood", &o->flood, 1 },
    };

    for (int i = 1; i < argc; i++) {
        size_t k = 0;
        int rc;

        if (!strcmp(argv[i], "--quick")) {
            o->runs = 2;
            o->cycles = 10000;
            o->dispatched = 5000;
            o->idle_ms = 5000;
            continue;
        }
        if (i + 1 == argc)
            return asy_fail(err, ASY_E_INVAL, "'%s' needs a value", argv[i]);
        while (k < ASY_ARRAY_LEN(numbers) && strcmp(argv[i], numbers[k].name) != 0)
            k++;
        if (k < ASY_ARRAY_LEN(numbers)) {
            if ((rc = asy_parse_u64(argv[i + 1], strlen(argv[i + 1]), numbers[k].value, err)) < 0)
                return rc;
            if (*numbers[k].value < numbers[k].least || *numbers[k].value > 1000000000)
                return asy_fail(err, ASY_E_INVAL, "%s is not in %" PRIu64 " to 1000000000",
                                argv[i], numbers[k].least);
        } else if (!strcmp(argv[i], "--programs")) {
            o->programs = argv[i + 1];
        } else if (!strcmp(argv[i], "--dir")) {
            o->dir = argv[i + 1];
        } else if (!strcmp(argv[i], "--only")) {
            o->only = argv[i + 1];
        } else {
            return asy_fail(err, ASY_E_INVAL, "unexpected argument '%s'", argv[i]);
        }
        i++;
    }
    if (!o->programs || !o->dir)
        return asy_fail(err, ASY_E_INVAL, "--programs and --dir are needed");
    for (size_t i = 0; o->only && strcmp(o->only, parts[i].name) != 0;)
        if (++i == ASY_ARRAY_LEN(parts))
            return asy_fail(err, ASY_E_INVAL,
                            "--only is not one of cycles, dispatch, flood, restart, idle");
    if (o->runs > RUNS_MAX)
        return asy_fail(err, ASY_E_INVAL, "more than %d runs", RUNS_MAX);
    return 0;
}

int main(int argc, char **argv)
{
    static struct bench b = { .options = { .runs = 5, .stored = 60000, .cycles = 20000,
                                           .dispatched = 10000, .restarted = 100000,
                                           .idle = 1000, .idle_ms = 10000, .few = 64,
                                           .many = 512, .rate = 1000, .warm_up = 2000,
                                           .flood = 500 } };
    struct asy_error err = ASY_ERROR_INIT;
    int status = 1;

    if (parse(argc, argv, &b.options, &err) < 0) {
        fprintf(stderr, "bench_service: %s\n", err.text);
        return 2;
    }
    if (open_bench(&b, &err) == 0 && measure(&b, &err) == 0)
        status = 0;
    else
        fprintf(stderr, "bench_service: %s\n", err.text);
    /* After a failure the crowd still uses the channel: leave the rest to the end of the process,
     * which takes the coordinator with it. */
    if (status == 0) {
        coordinator_fini(&b.run);
        coordinator_fini(&b.full);
    }
    return status;
}
