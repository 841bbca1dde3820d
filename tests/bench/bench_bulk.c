/* SPDX-License-Identifier: Apache-2.0
 * bench_bulk.c - how fast files travel, and what that does to the control loop: a real coordinator,
 * a crowd of simulated agents that report results at a steady rate, and one more connection that
 * fetches an input, or hands over a model, again and again.
 *
 *   bench_bulk --programs DIR --dir DIR [--quick|--tiny]
 *
 * Prints rows (docs/benchmarks.md). The physical limits stand beside them: sha256 of one core, and
 * a synced write to the same disk. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <unistd.h>
#include <asy/bulk.h>
#include <asy/channel.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/study.h>
#include "crowd.h"
#include "row.h"

#define MIB ((size_t)1 << 20)
#define RUNS_MAX 9
#define MODELS 24 /* whose hashes are known before it is measured */
#define STALL_MS 60000

static const char study[] =
    "assay: 1\n"
    "name: bench\n"
    "run: {command: [train]}\n"
    "objective: {metric: loss, goal: minimize, take: last}\n"
    "parameters: {lr: {min: 1e-5, max: 1.0, scale: log}}\n"
    "search: {sampler: random, pruner: none, seed: 7}\n"
    "budget: {trials: 1000000000}\n";

struct bench {
    const char *programs, *dir;
    size_t runs, file_bytes, agents;
    uint64_t results, rate;
    struct coordinator at;
    struct asy_id study;
    struct asy_study_input input;
    char real[PATH_MAX], path[PATH_MAX];
    char *bytes;                  /* [file_bytes] the file; a model has its number in front */
    struct asy_sha models[MODELS];
    double write_mb_per_s;
};
/* The connection that carries files, on a thread of its own. */
struct carrier {
    struct bench *b;
    int put;
    atomic_int stop;
    struct asy_channel *channel;
    struct asy_client *client;
    struct asy_arena *arena;
    struct asy_buf frame;
    uint32_t transfer;
    atomic_uint_least64_t bytes;  /* that came, or are written, so far */
    int rc;
    struct asy_error err;
};

/* ---- the carrier ----------------------------------------------------------------------------- */

static int say(struct carrier *c, struct asy_bulk *head, const void *body, size_t n)
{
    int64_t until_ms = asy_clock_ms() + STALL_MS;
    int rc;

    head->transfer = c->transfer;
    head->study = c->b->study;
    head->store = c->b->at.found.store;
    asy_buf_clear(&c->frame);
    if ((rc = asy_bulk_encode(head, &c->frame, &c->err)) < 0)
        return rc;
    while ((rc = asy_client_send_parts(c->client, c->frame.data, c->frame.len, body, n, &c->err)) ==
               ASY_E_AGAIN && asy_clock_ms() < until_ms)
        usleep(500);
    return rc;
}

static int hear(struct carrier *c, struct asy_bulk *ret, const void **body, size_t *n)
{
    int64_t until_ms = asy_clock_ms() + STALL_MS;
    const void *bytes;
    size_t len;
    int rc;

    while ((rc = asy_client_recv_parts(c->client, &bytes, &len, body, n, &c->err)) ==
               ASY_E_AGAIN && asy_clock_ms() < until_ms) {
        struct asy_poll_item item = { .client = c->client, .events = POLLIN };

        ASY_IGNORE(asy_poll(&item, 1, 100, NULL) < 0); /* the next receive says it */
    }
    asy_arena_reset(c->arena);
    return rc < 0 ? rc : asy_bulk_decode(bytes, len, c->arena, ret, &c->err);
}

/* One file to us, hashed as an agent does. */
static int get(struct carrier *c)
{
    struct asy_bulk head = { .kind = ASY_BULK_GET, .what = ASY_BULK_INPUT, .sha = c->b->input.sha,
                             .credit = ASY_BULK_CREDITS };
    struct asy_bulk more = { .kind = ASY_BULK_CREDIT, .credit = 1 }, data = { 0 };
    struct asy_sha_state *state = NULL;
    struct asy_sha sha;
    const void *body;
    size_t n;
    int rc;

    c->transfer++;
    if ((rc = asy_sha_create(&state, &c->err)) < 0 || (rc = say(c, &head, NULL, 0)) < 0)
        goto out;
    while (!data.last) {
        if ((rc = hear(c, &data, &body, &n)) < 0)
            goto out;
        if (data.kind == ASY_BULK_END) {
            rc = asy_fail(&c->err, ASY_E_IO, "the coordinator says: %s", data.text);
            goto out;
        }
        if (data.kind != ASY_BULK_DATA)
            continue; /* it is hashing the file */
        asy_sha_update(state, body, n);
        atomic_fetch_add(&c->bytes, n);
        if (!data.last && (rc = say(c, &more, NULL, 0)) < 0)
            goto out;
    }
    sha = asy_sha_final(state);
    if (memcmp(&sha, &c->b->input.sha, sizeof sha))
        rc = asy_fail(&c->err, ASY_E_CORRUPT, "the file came with another content");
out:
    asy_sha_destroy(state);
    return rc;
}

static int hash_model(struct bench *b, uint64_t number, struct asy_sha *ret, struct asy_error *err)
{
    memcpy(b->bytes, &number, sizeof number);
    return asy_sha_bytes(b->bytes, b->file_bytes, ret, err);
}

/* One file to the coordinator, durable there: each time another one, for what is there already need
 * not come again. */
static int put(struct carrier *c)
{
    struct asy_bulk head = { .kind = ASY_BULK_PUT, .what = ASY_BULK_MODEL,
                             .bytes = c->b->file_bytes };
    struct asy_bulk data = { .kind = ASY_BULK_DATA }, heard = { 0 };
    size_t n, len, credits = 0; /* all but the first ones say that a chunk is written */
    const void *body;
    int rc;

    if (c->transfer < MODELS) {
        uint64_t number = c->transfer;

        memcpy(c->b->bytes, &number, sizeof number);
        head.sha = c->b->models[number];
    } else if ((rc = hash_model(c->b, c->transfer, &head.sha, &c->err)) < 0) {
        return rc;
    }
    c->transfer++;
    if ((rc = say(c, &head, NULL, 0)) < 0)
        return rc;
    while (heard.kind != ASY_BULK_END) {
        if ((rc = hear(c, &heard, &body, &n)) < 0)
            return rc;
        for (uint32_t i = 0; heard.kind == ASY_BULK_CREDIT && i < heard.credit; i++) {
            if (++credits > ASY_BULK_CREDITS)
                atomic_fetch_add(&c->bytes, MIB);
            if (data.offset == c->b->file_bytes)
                continue;
            len = c->b->file_bytes - data.offset < MIB ? c->b->file_bytes - data.offset : MIB;
            if ((rc = say(c, &data, c->b->bytes + data.offset, len)) < 0)
                return rc;
            data.offset += len;
        }
    }
    return heard.code ? asy_fail(&c->err, ASY_E_IO, "the coordinator says: %s", heard.text) : 0;
}

static int carrier_connect(struct carrier *c)
{
    const struct coordinator *at = &c->b->at;
    char endpoint[160];
    const char *endpoints[1] = { endpoint };
    struct asy_client_spec spec = { .endpoints = endpoints, .n_endpoints = 1, .queue = 16,
                                    .server_key = at->found.server_key,
                                    .public_key = at->user.public_key,
                                    .secret_key = at->user.secret_key };
    const char *control = at->found.endpoints[0], *colon = strrchr(control, ':');
    int rc;

    asy_buf_init(&c->frame, 1u << 16);
    if (!colon || !at->bulk_port)
        return asy_fail(&c->err, ASY_E_STATE, "the coordinator told of no bulk socket");
    snprintf(endpoint, sizeof endpoint, "%.*s:%u", (int)(colon - control), control, at->bulk_port);
    if ((rc = asy_arena_create(1u << 20, &c->arena, &c->err)) < 0 ||
        (rc = asy_channel_create(4, &c->channel, &c->err)) < 0)
        return rc;
    return asy_client_create(c->channel, &spec, &c->client, &c->err);
}

static void carrier_close(struct carrier *c)
{
    asy_client_destroy(c->client);
    asy_channel_destroy(c->channel);
    asy_arena_destroy(c->arena);
    asy_buf_fini(&c->frame);
}

static void *carry(void *arg)
{
    struct carrier *c = arg;

    /* It stands for another machine: its work is nobody's here. Its threads inherit that. */
    ASY_IGNORE(sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){ 0 }) < 0);
    if ((c->rc = carrier_connect(c)) < 0) {
        carrier_close(c);
        return NULL;
    }
    do
        c->rc = c->put ? put(c) : get(c);
    while (c->rc == 0 && !atomic_load(&c->stop));
    carrier_close(c);
    return NULL;
}

/* ---- one run --------------------------------------------------------------------------------- */

enum load { IDLE, GET, PUT, LOADS };
static const char *const names[] = { [IDLE] = "idle", [GET] = "get", [PUT] = "put" };

static int latency(struct bench *b, struct crowd *crowd, double *ret_p99, struct asy_error *err)
{
    double *waits;
    size_t n;
    int rc;

    crowd_forget(crowd);
    if ((rc = crowd_work(crowd, b->results, err)) < 0)
        return rc;
    waits = crowd_waits(crowd, &n);
    *ret_p99 = quantile(waits, n, 0.99);
    return 0;
}

static int loaded(struct bench *b, struct crowd *crowd, enum load load, double *ret_p99,
                  double *ret_mb_per_s, struct asy_error *err)
{
    struct carrier *c = calloc(1, sizeof *c);
    int64_t from_ms = asy_clock_ms();
    pthread_t thread;
    int rc;

    if (!c)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a carrier");
    c->b = b;
    c->put = load == PUT;
    if ((rc = pthread_create(&thread, NULL, carry, c)) != 0) {
        rc = asy_fail_errno(err, rc, "cannot start a thread");
    } else {
        rc = latency(b, crowd, ret_p99, err);
        *ret_mb_per_s = (double)atomic_load(&c->bytes) / 1e3 /
                        (double)(asy_clock_ms() - from_ms + 1);
        atomic_store(&c->stop, 1);
        pthread_join(thread, NULL);
        if (rc == 0 && c->rc < 0)
            rc = asy_fail(err, (enum asy_code)c->rc, "%s: %s", names[load], c->err.text);
    }
    free(c);
    return rc;
}

static int submit(struct bench *b, struct asy_error *err)
{
    struct asy_study_spec *spec = NULL, *listed = NULL;
    int rc;

    if ((rc = asy_study_parse(study, strlen(study), "study", "/", &spec, NULL, err)) == 0 &&
        (rc = asy_study_with_inputs(spec, &b->input, 1, &listed, err)) == 0)
        rc = coordinator_submit(&b->at, listed->canonical, &b->study, err);
    asy_study_destroy(listed);
    asy_study_destroy(spec);
    return rc;
}

static int run(struct bench *b, size_t i, double p99[LOADS][RUNS_MAX],
               double mb_per_s[LOADS][RUNS_MAX], struct asy_error *err)
{
    struct crowd_spec spec = { b->agents, (double)b->rate, i };
    struct crowd *crowd = NULL;
    char home[PATH_MAX];
    int rc;

    snprintf(home, sizeof home, "%.3000s/home-%zu", b->dir, i);
    if (access(home, F_OK) == 0) /* what it left undone would be leased again */
        return asy_fail(err, ASY_E_EXISTS, "'%.100s' holds an earlier measurement", b->dir);
    if ((rc = coordinator_init(&b->at, b->programs, home, err)) < 0)
        return rc;
    if ((rc = coordinator_start(&b->at, b->agents, err)) < 0 || (rc = submit(b, err)) < 0 ||
        (rc = crowd_create(&b->at, &spec, &crowd, err)) < 0 ||
        (rc = crowd_work(crowd, b->results / 5 + 1, err)) < 0)
        goto out;
    rc = latency(b, crowd, &p99[IDLE][i], err);
    for (enum load load = GET; rc == 0 && load < LOADS; load++)
        rc = loaded(b, crowd, load, &p99[load][i], &mb_per_s[load][i], err);
out:
    crowd_destroy(crowd);
    coordinator_fini(&b->at);
    return rc;
}

/* ---- limits ---------------------------------------------------------------------------------- */

static int make_file(struct bench *b, struct asy_error *err)
{
    uint64_t x = 88172645463325252u;
    int64_t from_ms;
    int rc;

    if (!(b->bytes = malloc(b->file_bytes)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for the file");
    for (size_t i = 0; i + 8 <= b->file_bytes; i += 8) { /* xorshift64: nothing to compress */
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memcpy(b->bytes + i, &x, 8);
    }
    if ((rc = asy_durable_mkdirs(b->dir, err)) < 0)
        return rc;
    if (!realpath(b->dir, b->real)) /* a study names its inputs by whole paths */
        return asy_fail_errno(err, errno, "cannot resolve '%.100s'", b->dir);
    b->dir = b->real;
    snprintf(b->path, sizeof b->path, "%.3000s/file", b->dir);
    from_ms = asy_clock_ms();
    if ((rc = asy_durable_write(b->path, b->bytes, b->file_bytes, 0600, err)) < 0)
        return rc;
    b->write_mb_per_s = (double)b->file_bytes / 1e3 / (double)(asy_clock_ms() - from_ms + 1);
    b->input = (struct asy_study_input){ .path = b->path, .bytes = b->file_bytes };
    from_ms = asy_clock_ms();
    if ((rc = asy_sha_bytes(b->bytes, b->file_bytes, &b->input.sha, err)) < 0)
        return rc;
    row_put(&(struct row){ "bulk.limit_mb_per_s", "sha256", "MB/s", (double)b->file_bytes / 1e3 /
                           (double)(asy_clock_ms() - from_ms + 1), 1, NULL });
    row_put(&(struct row){ "bulk.limit_mb_per_s", "synced_write", "MB/s", b->write_mb_per_s, 1,
                           NULL });
    for (uint64_t i = 0; rc == 0 && i < MODELS; i++)
        rc = hash_model(b, i, &b->models[i], err);
    return rc;
}

static int measure(struct bench *b, struct asy_error *err)
{
    static double p99[LOADS][RUNS_MAX], mb_per_s[LOADS][RUNS_MAX], ratio[RUNS_MAX];
    int rc = make_file(b, err);

    for (size_t i = 0; rc == 0 && i < b->runs; i++)
        rc = run(b, i, p99, mb_per_s, err);
    for (enum load load = GET; rc == 0 && load < LOADS; load++) {
        for (size_t i = 0; i < b->runs; i++)
            ratio[i] = p99[load][i] / p99[IDLE][i];
        row_put(&(struct row){ "bulk.mb_per_s", names[load], "MB/s",
                               median(mb_per_s[load], b->runs), b->runs, NULL });
        row_put(&(struct row){ "bulk.latency_ratio", names[load], "", median(ratio, b->runs),
                               b->runs, NULL });
    }
    for (enum load load = IDLE; rc == 0 && load < LOADS; load++)
        row_put(&(struct row){ "bulk.latency_p99_ms", names[load], "ms",
                               median(p99[load], b->runs), b->runs, NULL });
    free(b->bytes);
    return rc;
}

int main(int argc, char **argv)
{
    static struct bench b = { .runs = 5, .file_bytes = 256 * MIB, .agents = 16, .results = 4000,
                              .rate = 400 };
    struct asy_error err = ASY_ERROR_INIT;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--quick")) {
            b.runs = 3;
            b.results = 2000;
        } else if (!strcmp(argv[i], "--tiny")) {
            b.runs = 1;
            b.results = 100;
            b.file_bytes = 3 * MIB;
        } else if (!strcmp(argv[i], "--programs") && i + 1 < argc) {
            b.programs = argv[++i];
        } else if (!strcmp(argv[i], "--dir") && i + 1 < argc) {
            b.dir = argv[++i];
        } else {
            fprintf(stderr, "bench_bulk: what is '%s'?\n", argv[i]);
            return 2;
        }
    }
    if (!b.programs || !b.dir) {
        fputs("bench_bulk: --programs DIR and --dir DIR are needed\n", stderr);
        return 2;
    }
    if (measure(&b, &err) < 0) {
        fprintf(stderr, "bench_bulk: %s\n", err.text);
        return 1;
    }
    return 0;
}
