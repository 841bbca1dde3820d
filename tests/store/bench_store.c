/* SPDX-License-Identifier: Apache-2.0
 * bench_store.c - how fast the store commits and replays, as JSON lines; run by hand.
 *
 *     bench_store FOLDER [trials [cycles per commit [running]]]
 *
 * A cycle is what one finished trial costs: REPORT of 2 metrics, ENDED, TRIAL_STATE, and
 * TRIAL_CREATED with 6 parameters and LEASED of the next. `running` trials are open at any time.
 * Only the calls of asy_store_commit() are timed, not the making of the events; wall time without
 * CPU time is waiting for the disk. The last line of the commits is of all of them, with the
 * quantiles of their times and the longest that the log became. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <asy/clock.h>
#include <asy/parse.h>
#include "work.h"

static int64_t cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return INT64_C(1000000000) * now.tv_sec + now.tv_nsec;
}

static int fail(const struct asy_error *err)
{
    fprintf(stderr, "bench_store: %s\n", err->text);
    return 1;
}

static void open_trial(struct work *work, struct asy_id study, uint64_t trial)
{
    work_trial(work, study, trial, 1000 + 2 * trial);
    work_lease(work, study, trial, 1, 1001 + 2 * trial, 0, 0);
}

static void cycle(struct work *work, struct asy_id study, uint64_t done, uint64_t next)
{
    double value = (double)(done * 7919 % 10007) / 10007;

    work_report(work, study, done, 1, 1, 10, value);
    work_end(work, study, done, 1, 2, ASY_END_COMPLETE, 10);
    work_trial_state(work, study, done, ASY_TRIAL_COMPLETE, value);
    open_trial(work, study, next);
}

/* Time spent in commits alone. */
struct spent {
    int64_t wall_ns, cpu_ns, longest_ns;
    uint64_t cycles, commits;
};

/* Of each commit after the first, for the quantiles. */
struct walls {
    int64_t *ns; /* [cap] */
    size_t n, cap;
    off_t log_bytes;
};

static int timed_commit(struct work *work, struct asy_store *store, struct spent *spent,
                        struct asy_error *err)
{
    int64_t wall = asy_clock_ns(), cpu = cpu_ns();
    uint64_t seq;
    int rc = asy_store_commit(store, work->events, work->n, &seq, err);

    wall = asy_clock_ns() - wall;
    spent->wall_ns += wall;
    if (wall > spent->longest_ns)
        spent->longest_ns = wall;
    spent->cpu_ns += cpu_ns() - cpu;
    spent->commits++;
    work_clear(work);
    return rc;
}

static void say(const struct spent *spent, uint64_t trials, uint64_t per_commit)
{
    double n = (double)spent->cycles;

    printf("{\"what\":\"commit\",\"trials\":%llu,\"per_commit\":%llu,\"cycles_per_s\":%.0f,"
           "\"cpu_us_per_cycle\":%.1f,\"ms_per_commit\":%.2f,"
           "\"longest_ms\":%.1f}\n",
           (unsigned long long)trials, (unsigned long long)per_commit,
           1e9 * n / (double)spent->wall_ns, 1e-3 * (double)spent->cpu_ns / n,
           1e-6 * (double)spent->wall_ns / (double)spent->commits,
           1e-6 * (double)spent->longest_ns);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void say_quantiles(struct walls *walls)
{
    qsort(walls->ns, walls->n, sizeof *walls->ns, by_size);
    printf("{\"what\":\"quantiles\",\"commits\":%zu,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
           "\"max_ms\":%.3f,\"log_mib\":%.1f}\n", walls->n, 1e-6 * (double)walls->ns[walls->n / 2],
           1e-6 * (double)walls->ns[walls->n * 99 / 100], 1e-6 * (double)walls->ns[walls->n - 1],
           (double)walls->log_bytes / (1 << 20));
}

/* Where the store's log is a file of its own. */
static void look_at_log(const char *folder, struct walls *walls)
{
    char path[4200];
    struct stat st;

    snprintf(path, sizeof path, "%s/assay.db-wal", folder);
    if (stat(path, &st) == 0 && st.st_size > walls->log_bytes)
        walls->log_bytes = st.st_size;
}

static int fill(const char *folder, struct asy_store *store, struct work *work, uint64_t trials,
                uint64_t per_commit, uint64_t running, struct asy_error *err)
{
    struct asy_id study = work_id(0);
    struct spent all = { 0 }, part = { 0 };
    struct walls walls = { .cap = trials / per_commit + 1 };
    uint64_t mark = trials / 5 ? trials / 5 : 1;
    int rc;

    if (!(walls.ns = calloc(walls.cap, sizeof *walls.ns)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for the times of %zu commits", walls.cap);
    work_study(work, study, "bench", "maximize");
    for (uint64_t i = 0; i < running; i++)
        open_trial(work, study, i);
    if ((rc = timed_commit(work, store, &part, err)))
        goto out;
    part = (struct spent){ 0 };
    for (uint64_t done = 0; done < trials;) {
        for (uint64_t i = 0; i < per_commit && done < trials; i++, done++, part.cycles++)
            cycle(work, study, done, done + running);
        walls.ns[walls.n] = -part.wall_ns;
        if ((rc = timed_commit(work, store, &part, err)))
            goto out;
        walls.ns[walls.n++] += part.wall_ns;
        look_at_log(folder, &walls);
        if (part.cycles < mark && done < trials)
            continue;
        say(&part, done, per_commit);
        all.wall_ns += part.wall_ns;
        all.cpu_ns += part.cpu_ns;
        all.cycles += part.cycles;
        all.commits += part.commits;
        if (part.longest_ns > all.longest_ns)
            all.longest_ns = part.longest_ns;
        part = (struct spent){ 0 };
    }
    say(&all, trials, per_commit);
    say_quantiles(&walls);
out:
    free(walls.ns);
    return rc;
}

static int count(void *arg, const struct asy_event *event)
{
    uint64_t *n = arg;

    (void)event;
    ++*n;
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t args[3] = { 100000, 64, 256 };
    struct asy_store_spec spec = { .path = argc > 1 ? argv[1] : NULL };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_store *store = NULL;
    struct work work = { 0 };
    uint64_t n = 0;
    int64_t start_ns;
    int rc = 1;

    for (int i = 2; i < argc && i < 5; i++)
        if (asy_parse_u64(argv[i], strlen(argv[i]), &args[i - 2], &err))
            return fail(&err);
    if (!spec.path) {
        fprintf(stderr, "usage: bench_store FOLDER [trials [cycles per commit [running]]]\n");
        return 2;
    }
    if (work_create(&work, &err) || asy_store_open(&spec, &store, NULL, &err) ||
        fill(spec.path, store, &work, args[0], args[1], args[2], &err)) {
        fail(&err);
        goto out;
    }
    asy_store_close(store);
    store = NULL;
    start_ns = asy_clock_ns();
    if (asy_store_open(&spec, &store, NULL, &err) || asy_store_replay(store, count, &n, &err)) {
        fail(&err);
        goto out;
    }
    printf("{\"what\":\"open and replay\",\"events\":%llu,\"seconds\":%.3f}\n",
           (unsigned long long)n, 1e-9 * (double)(asy_clock_ns() - start_ns));
    rc = 0;
out:
    asy_store_close(store);
    work_fini(&work);
    return rc;
}
