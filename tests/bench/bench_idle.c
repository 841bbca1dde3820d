/* SPDX-License-Identifier: Apache-2.0
 * bench_idle.c - how long workers wait for their next point.
 *
 *   bench_idle SAMPLER SPACE DIMS WORKERS TRIALS RUNS ahead|alone
 *
 * Simulates WORKERS that run trials of 0.9 to 1.1 s, and the thread that the sampler belongs to. It
 * takes up tells and asks in the order in which they came, one at a time, and they take as long on
 * the simulated clock as they are measured to take, in processor time: what else the machine does
 * makes nobody wait here. ahead: points are drawn ahead by the rule of core
 * (coordinator/core/ahead.h), and those asked for together come from one model, as in
 * loop/compute.c; alone: each is drawn when its worker has ended the trial before, by itself.
 * SPACE: see drive.h. For each run it prints the share of the workers' time that they wait, the
 * best value, and how many points were drawn together on average. tests/bench/tuner.py makes rows
 * of it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <asy/rng.h>
#include "ahead.h"
#include "drive.h"

#define TOGETHER 4 /* as in loop/compute.c */

struct worker {
    double end_ms;   /* of its trial; INFINITY: it has none */
    double since_ms; /* it waits since then */
    uint64_t number;
};
struct job {
    uint64_t number;
    int is_ask, ahead;
};
struct sim {
    struct asy_space *space;
    struct asy_sampler *sampler;
    size_t n_workers, trials, dims;
    struct worker *workers;
    size_t *line, n_line, line_at; /* [n_workers] ring of workers that wait */
    double *xs;                    /* [trials, dims] */
    struct job *jobs;              /* [2 trials] in order */
    size_t n_jobs, done_jobs, doing; /* doing: jobs that the thread is at */
    double done_ms;                /* when it will have done them */
    uint64_t asked, ready, taken;  /* trials below these: asked for, drawn, begun */
    struct asy__ahead rule;
    int ahead;
    struct asy_rng rng;
    double now_ms, waited_ms, ran_ms, best;
    size_t n_batches;
};

/* ---- the sampler's thread -------------------------------------------------------------------- */

static double cpu_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static size_t count_together(const struct sim *sim)
{
    const struct job *job = &sim->jobs[sim->done_jobs];
    size_t n = 0, left = sim->n_jobs - sim->done_jobs;

    while (n < TOGETHER && n < left && job[n].is_ask && job[n].ahead)
        n++;
    return n < 1 ? 1 : n;
}

/* Does what waits first, and sees how long that takes. */
static void work(struct sim *sim)
{
    const struct job *job = &sim->jobs[sim->done_jobs];
    double *x = &sim->xs[job->number * sim->dims];
    double value = job->is_ask ? NAN : speed_value(sim->space, x, 0);
    struct asy_error err = ASY_ERROR_INIT;
    double start = cpu_ms();

    sim->doing = count_together(sim);
    if (!job->is_ask)
        tell(sim->sampler, job->number, x, &value);
    else if (sim->doing == 1)
        ask(sim->sampler, job->number, x);
    else if (asy_sampler_ask_many(sim->sampler, job->number, sim->doing, x, &err))
        die(err.text);
    sim->done_ms = sim->now_ms + cpu_ms() - start;
}

static void put(struct sim *sim, struct job job)
{
    sim->jobs[sim->n_jobs++] = job;
}

/* ---- the coordinator ------------------------------------------------------------------------- */

static void begin(struct sim *sim, struct worker *w)
{
    double ms = 900 + 200 * asy_rng_double(&sim->rng);

    sim->waited_ms += sim->now_ms - w->since_ms;
    sim->ran_ms += ms;
    w->number = sim->taken++;
    w->end_ms = sim->now_ms + ms;
    asy__ahead_taken(&sim->rule, sim->now_ms);
}

/* Gives what is ready to who waits; asks for what is lacking, as asy__study_ask() does. */
static void serve(struct sim *sim)
{
    uint64_t have, want;

    while (sim->n_line > 0 && sim->taken < sim->ready) {
        begin(sim, &sim->workers[sim->line[sim->line_at]]);
        sim->line_at = (sim->line_at + 1) % sim->n_workers;
        sim->n_line--;
    }
    have = sim->asked - sim->taken;
    want = sim->n_line;
    if (sim->ahead)
        want += asy__ahead_depth(&sim->rule, sim->n_workers - sim->n_line);
    for (; have < want && sim->asked < sim->trials; have++) {
        asy__ahead_asked(&sim->rule, sim->asked == sim->ready, sim->now_ms);
        put(sim, (struct job){ sim->asked++, 1, have >= sim->n_line });
    }
}

static void wait_in_line(struct sim *sim, size_t i)
{
    sim->workers[i].since_ms = sim->now_ms;
    sim->workers[i].end_ms = INFINITY;
    sim->line[(sim->line_at + sim->n_line++) % sim->n_workers] = i;
}

/* ---- the clock ------------------------------------------------------------------------------- */

static size_t first_to_end(const struct sim *sim)
{
    size_t first = 0;

    for (size_t i = 1; i < sim->n_workers; i++)
        if (sim->workers[i].end_ms < sim->workers[first].end_ms)
            first = i;
    return first;
}

static void worker_ended(struct sim *sim, size_t i)
{
    uint64_t number = sim->workers[i].number;

    sim->best = fmin(sim->best, speed_value(sim->space, &sim->xs[number * sim->dims], 0));
    put(sim, (struct job){ .number = number });
    wait_in_line(sim, i);
}

static void work_ended(struct sim *sim)
{
    if (sim->jobs[sim->done_jobs].is_ask) {
        sim->n_batches++;
        sim->ready += sim->doing;
        for (size_t i = 0; i < sim->doing; i++)
            asy__ahead_answered(&sim->rule, sim->now_ms);
    }
    sim->done_jobs += sim->doing;
    sim->doing = 0;
}

/* Until the last trial has begun. */
static void simulate(struct sim *sim)
{
    sim->now_ms = 1; /* 0 is no time for the rule */
    for (size_t i = 0; i < sim->n_workers; i++)
        wait_in_line(sim, i);
    serve(sim);
    while (sim->taken < sim->trials) {
        size_t first = first_to_end(sim);

        if (sim->doing == 0 && sim->done_jobs < sim->n_jobs)
            work(sim);
        if (sim->doing > 0 && sim->done_ms <= sim->workers[first].end_ms) {
            sim->now_ms = sim->done_ms;
            work_ended(sim);
        } else {
            sim->now_ms = sim->workers[first].end_ms;
            worker_ended(sim, first);
        }
        serve(sim);
    }
}

static void run(const char *sampler, const char *space, struct sim *sim, size_t seed)
{
    sim->space = speed_space(space, sim->dims);
    sim->sampler = make_sampler(sim->space, sampler, seed, sim->trials, 1);
    sim->workers = calloc(sim->n_workers, sizeof *sim->workers);
    sim->line = calloc(sim->n_workers, sizeof *sim->line);
    sim->xs = calloc(sim->trials * sim->dims, sizeof *sim->xs);
    sim->jobs = calloc(2 * sim->trials, sizeof *sim->jobs);
    if (!sim->workers || !sim->line || !sim->xs || !sim->jobs)
        die("no memory");
    asy_rng_init(&sim->rng, seed, 0, ASY_RNG_SIM);
    sim->best = INFINITY;
    simulate(sim);
    printf("%.6f %.6f %.3f\n", sim->waited_ms / (sim->waited_ms + sim->ran_ms), sim->best,
           (double)sim->trials / (double)sim->n_batches);
    free(sim->workers);
    free(sim->line);
    free(sim->xs);
    free(sim->jobs);
    asy_sampler_destroy(sim->sampler);
    asy_space_destroy(sim->space);
}

int main(int argc, char **argv)
{
    int ahead = argc == 8 && !strcmp(argv[7], "ahead");

    if (argc != 8 || (!ahead && strcmp(argv[7], "alone")) || count(argv[3]) < 1 ||
        count(argv[4]) < 1 || count(argv[5]) < 1) {
        fprintf(stderr, "usage: see the head of tests/bench/bench_idle.c\n");
        return 2;
    }
    for (size_t seed = 0; seed < count(argv[6]); seed++) {
        struct sim sim = { .dims = count(argv[3]), .n_workers = count(argv[4]),
                           .trials = count(argv[5]), .ahead = ahead };

        run(argv[1], argv[2], &sim, seed);
    }
    return 0;
}
