/* SPDX-License-Identifier: Apache-2.0
 * bench_start.c - what the files of checkpoints cost a coordinator's start, which looks at each to
 * remove those of studies that are over: from its exec until it has answered a first question.
 *
 *   bench_start --programs DIR --dir DIR [--quick|--tiny]
 *
 * The files are those of one unfinished study, so they stay, and each start meets the same. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/study.h>
#include "coordinator.h"
#include "row.h"

#define RUNS_MAX 9

static const char study[] =
    "assay: 1\n"
    "name: bench\n"
    "run: {command: [train]}\n"
    "objective: {metric: loss, goal: minimize, take: last}\n"
    "parameters: {lr: {min: 1e-5, max: 1.0, scale: log}}\n"
    "search: {sampler: random, pruner: none, seed: 7}\n"
    "budget: {trials: 10}\n";

struct bench {
    const char *programs, *dir;
    size_t runs, files;
    struct coordinator at;
};

static int submit(struct coordinator *c, struct asy_id *ret_id, struct asy_error *err)
{
    struct asy_study_spec *spec = NULL;
    int rc = asy_study_parse(study, strlen(study), "study", "/", &spec, NULL, err);

    if (rc == 0)
        rc = coordinator_submit(c, spec->canonical, ret_id, err);
    asy_study_destroy(spec);
    return rc;
}

static int make_file(const char *home, struct asy_id id, size_t i, struct asy_error *err)
{
    char path[PATH_MAX], hex[ASY_SHA_TEXT], text[ASY_ID_TEXT];
    struct asy_sha sha;
    int fd, rc;

    if ((rc = asy_sha_bytes(&i, sizeof i, &sha, err)) < 0)
        return rc;
    asy_sha_format(sha, hex);
    snprintf(path, sizeof path, "%.3000s/artifacts/%.2s", home, hex);
    if ((rc = asy_durable_mkdirs(path, err)) < 0)
        return rc;
    snprintf(path, sizeof path, "%.3000s/artifacts/%.2s/%s.%s-%zu-1-%zu", home, hex, hex,
             asy_id_format(id, text), i, i);
    if ((fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) < 0)
        return asy_fail(err, ASY_E_IO, "cannot make '%.200s'", path);
    close(fd);
    return 0;
}

static int first_answer(struct bench *b, double *ret_ms, struct asy_error *err)
{
    int64_t from_ns;
    int rc;

    if ((rc = coordinator_start(&b->at, 1, err)) < 0)
        return rc;
    from_ns = asy_clock_ns();
    if ((rc = coordinator_query(&b->at, "studies", NULL, err)) == 0)
        *ret_ms = b->at.ready_ms + (double)(asy_clock_ns() - from_ns) / 1e6;
    coordinator_kill(&b->at);
    return rc;
}

static int measure(struct bench *b, size_t files, struct asy_error *err)
{
    double ms[RUNS_MAX];
    struct asy_id id;
    char home[PATH_MAX], key[32];
    int rc;

    snprintf(home, sizeof home, "%.3000s/start-%zu", b->dir, files);
    snprintf(key, sizeof key, "%zu", files);
    if ((rc = coordinator_init(&b->at, b->programs, home, err)) < 0)
        return rc;
    if ((rc = coordinator_start(&b->at, 1, err)) < 0 || (rc = submit(&b->at, &id, err)) < 0)
        goto out;
    coordinator_kill(&b->at);
    for (size_t i = 0; rc == 0 && i < files; i++)
        rc = make_file(home, id, i, err);
    for (size_t i = 0; rc == 0 && i < b->runs; i++)
        rc = first_answer(b, &ms[i], err);
    if (rc == 0)
        row_put(&(struct row){ "bulk.start_answer_ms", key, "ms", median(ms, b->runs), b->runs,
                               NULL });
out:
    coordinator_fini(&b->at);
    return rc;
}

int main(int argc, char **argv)
{
    static struct bench b = { .runs = 9, .files = 20000 };
    struct asy_error err = ASY_ERROR_INIT;

    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--quick")) {
            b.runs = 5;
        } else if (!strcmp(argv[i], "--tiny")) {
            b.runs = 1;
            b.files = 200;
        } else if (!strcmp(argv[i], "--programs") && i + 1 < argc) {
            b.programs = argv[++i];
        } else if (!strcmp(argv[i], "--dir") && i + 1 < argc) {
            b.dir = argv[++i];
        } else {
            fprintf(stderr, "bench_start: what is '%s'?\n", argv[i]);
            return 2;
        }
    }
    if (!b.programs || !b.dir) {
        fputs("bench_start: --programs DIR and --dir DIR are needed\n", stderr);
        return 2;
    }
    if (measure(&b, 0, &err) < 0 || measure(&b, b.files, &err) < 0) {
        fprintf(stderr, "bench_start: %s\n", err.text);
        return 1;
    }
    return 0;
}
