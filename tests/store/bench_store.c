/* SPDX-License-Identifier: Apache-2.0
 * bench_store.c - how fast the store commits and replays, as JSON lines; run by hand.
 *
 *     bench_store FOLDER [trials [cycles per commit [running]]]
 *
 * A cycle is what one finished trial costs: REPORT of 2 metrics, ENDED, TRIAL_STATE, and
 * TRIAL_CREATED with 6 parameters and LEASED of the next. `running` trials are open at any time.
 * CPU time is that of the whole process; wall time without it is waiting for the disk. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <asy/clock.h>
#include <asy/parse.h>
#include "work.h"

static double cpu_now(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           1e-6 * (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec);
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

static int fill(struct asy_store *store, struct work *work, uint64_t trials, uint64_t per_commit,
                uint64_t running, struct asy_error *err)
{
    struct asy_id study = work_id(0);
    uint64_t seq, mark = trials / 10 ? trials / 10 : 1;
    int64_t start_ns;
    double cpu;
    int rc;

    work_study(work, study, "bench", "maximize");
    for (uint64_t i = 0; i < running; i++)
        open_trial(work, study, i);
    if ((rc = work_commit(work, store, &seq, err)))
        return rc;
    start_ns = asy_clock_ns();
    cpu = cpu_now();
    for (uint64_t done = 0; done < trials;) {
        for (uint64_t i = 0; i < per_commit && done < trials; i++, done++) {
            cycle(work, study, done, done + running);
            if ((done + 1) % mark == 0) {
                double wall = 1e-9 * (double)(asy_clock_ns() - start_ns), used = cpu_now() - cpu;

                printf("{\"what\":\"commit\",\"trials\":%llu,\"per_commit\":%llu,"
                       "\"cycles_per_s\":%.0f,\"cpu_us_per_cycle\":%.1f}\n",
                       (unsigned long long)(done + 1), (unsigned long long)per_commit,
                       (double)mark / wall, 1e6 * used / (double)mark);
                start_ns = asy_clock_ns();
                cpu = cpu_now();
            }
        }
        if ((rc = work_commit(work, store, &seq, err)))
            return rc;
    }
    return 0;
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
        fill(store, &work, args[0], args[1], args[2], &err)) {
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
