/* SPDX-License-Identifier: Apache-2.0
 * bench_curves.c - replays a table of learning curves to a pruner of asy/tuner.h on a simulated
 * clock.
 *
 *   bench_curves target TABLE SHARE
 *   bench_curves order TABLE FIRST_SEED SEEDS
 *   bench_curves replay TABLE RULE REDUCTION WORKERS START_MS SHARE FIRST_SEED SEEDS
 *   bench_curves front TABLE REDUCTION WORKERS TRIALS FIRST_SEED SEEDS
 *
 * RULE is full (every trial to its end), stopping or promotion (asha with trials that cannot, or
 * can, pause), or paper (promotion by asha's rule 1). WORKERS take what the rule promotes, else the
 * next configuration of the seed's order, which begins again after the last one; a start, also of a
 * trial that goes on, costs START_MS. replay prints for each seed: the seed, the seconds until a
 * trial shows the loss that SHARE of all configurations reach, the trials started and the epochs
 * trained until then; it fails once each configuration was started ROUNDS_MAX times in vain, as
 * where a rule leaves all that would get there behind others for good. order prints the orders,
 * target the loss.
 *
 * front has two objectives, the loss and the logarithm of the number of weights, and runs the first
 * TRIALS configurations with moasha (promotion) and to their ends: it prints the seed, then for
 * either the hypervolume of the trials that ran to the end, by their last epoch, and the epochs
 * trained. The reference point is the median of the configurations' best losses, and the largest
 * network. tests/bench/tuner_asha.py makes rows of all that and replays the orders to peers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/pareto.h>
#include <asy/parse.h>
#include <asy/rng.h>
#include <asy/tuner.h>
#include "curves.h"

#define ROUNDS_MAX 100

static struct asy_error err = ASY_ERROR_INIT;

static void die(const char *what)
{
    fprintf(stderr, "bench_curves: %s\n", what);
    exit(1);
}

static void *get(void *p)
{
    if (!p)
        die("no memory");
    return p;
}

/* The configurations of a seed: all in a random order (Fisher and Yates). */
static void shuffle(size_t *order, size_t n, uint64_t seed)
{
    struct asy_rng rng;

    asy_rng_init(&rng, seed, 0, ASY_RNG_SIM);
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n; i > 1; i--) {
        size_t k = (size_t)asy_rng_below(&rng, i), moved = order[k];

        order[k] = order[i - 1];
        order[i - 1] = moved;
    }
}

/* ---- the machine ----------------------------------------------------------------------------- */

struct trial {
    size_t config, epoch; /* epochs done */
    int complete;
};
struct worker {
    double at_ms;       /* when the epoch that it trains is done; INFINITY: it has no trial */
    uint64_t number;    /* of its trial */
    uint64_t milestone; /* to which the trial runs */
};
struct sim {
    const struct curves *curves;
    struct asy_pruner *pruner; /* owned */
    struct worker *workers;
    size_t n_workers;
    struct trial *trials;
    size_t n_trials, cap_trials, max_trials;
    size_t *order;
    double start_ms;
    size_t epochs; /* trained */
};

static double epoch_ms(const struct sim *s, const struct trial *t)
{
    return s->curves->ms[t->config * s->curves->epochs + t->epoch];
}

static uint64_t start_trial(struct sim *s)
{
    size_t n = s->curves->n;

    if (s->n_trials == s->cap_trials) {
        s->cap_trials = s->cap_trials ? 2 * s->cap_trials : 1024;
        s->trials = get(realloc(s->trials, s->cap_trials * sizeof *s->trials));
    }
    s->trials[s->n_trials] = (struct trial){ .config = s->order[s->n_trials % n] };
    return s->n_trials++;
}

/* Leaves the worker without a trial where there is none. */
static void give_work(struct sim *s, struct worker *w, double now_ms)
{
    w->at_ms = INFINITY;
    if (!asy_pruner_promote(s->pruner, &w->number, &w->milestone)) {
        if (s->n_trials == s->max_trials)
            return;
        w->number = start_trial(s);
        w->milestone = asy_pruner_milestone(s->pruner, w->number, 0);
    }
    w->at_ms = now_ms + s->start_ms + epoch_ms(s, &s->trials[w->number]);
}

/* The worker's epoch is done: its loss. */
static double end_epoch(struct sim *s, const struct worker *w)
{
    struct trial *t = &s->trials[w->number];

    s->epochs++;
    return s->curves->loss[t->config * s->curves->epochs + t->epoch++];
}

/* What diverged ends without a report. */
static void go_on(struct sim *s, struct worker *w, double loss)
{
    struct trial *t = &s->trials[w->number];
    double values[] = { loss, log10(s->curves->weights[t->config]) }, now_ms = w->at_ms;
    enum asy_verdict verdict = ASY_STOP;

    if (!isnan(loss))
        verdict = asy_pruner_report(s->pruner, w->number, t->epoch, values);
    if (verdict == ASY_GO_ON && t->epoch < s->curves->epochs) {
        w->at_ms += epoch_ms(s, t);
        return;
    }
    t->complete = verdict == ASY_GO_ON;
    if (verdict != ASY_PAUSE)
        asy_pruner_ended(s->pruner, w->number, t->complete);
    for (size_t i = 0; i < s->n_workers; i++)
        if (&s->workers[i] == w || s->workers[i].at_ms == INFINITY)
            give_work(s, &s->workers[i], now_ms);
}

static struct worker *next_worker(const struct sim *s)
{
    struct worker *next = s->workers;

    for (size_t i = 1; i < s->n_workers; i++)
        if (s->workers[i].at_ms < next->at_ms)
            next = &s->workers[i];
    return next;
}

static struct sim begin(const struct curves *curves, struct asy_pruner *pruner, size_t n_workers,
                        size_t max_trials, double start_ms, uint64_t seed)
{
    struct sim s = { .curves = curves, .pruner = pruner, .n_workers = n_workers,
                     .max_trials = max_trials, .start_ms = start_ms };

    s.workers = get(calloc(n_workers, sizeof *s.workers));
    s.order = get(calloc(curves->n, sizeof *s.order));
    shuffle(s.order, curves->n, seed);
    for (size_t i = 0; i < n_workers; i++)
        give_work(&s, &s.workers[i], 0);
    return s;
}

static void end(struct sim *s)
{
    asy_pruner_destroy(s->pruner);
    free(s->workers);
    free(s->order);
    free(s->trials);
}

/* ---- what is asked --------------------------------------------------------------------------- */

static void replay(const struct curves *curves, struct asy_pruner *pruner, size_t n_workers,
                   double start_ms, double target, uint64_t seed)
{
    struct sim s = begin(curves, pruner, n_workers, SIZE_MAX, start_ms, seed);
    struct worker *w;
    double loss;

    for (;;) {
        w = next_worker(&s);
        loss = end_epoch(&s, w);
        if (loss <= target)
            break;
        if (s.n_trials > ROUNDS_MAX * curves->n)
            die("no trial shows the target, however often each configuration is started");
        go_on(&s, w, loss);
    }
    printf("%llu %.6f %zu %zu\n", (unsigned long long)seed, w->at_ms / 1e3, s.n_trials, s.epochs);
    end(&s);
}

/* What the trials cover that ran to the end. */
static double volume(const struct sim *s, const double *ref)
{
    double *points = get(malloc(2 * s->n_trials * sizeof *points)), covered;
    size_t n = 0;

    for (size_t i = 0; i < s->n_trials; i++) {
        const struct trial *t = &s->trials[i];

        if (!t->complete)
            continue;
        points[2 * n] = s->curves->loss[(t->config + 1) * s->curves->epochs - 1];
        points[2 * n++ + 1] = log10(s->curves->weights[t->config]);
    }
    if (asy_pareto_volume(points, n, 2, ref, &covered, &err))
        die(err.text);
    free(points);
    return covered;
}

static void front(const struct curves *curves, struct asy_pruner *pruner, size_t n_workers,
                  size_t trials, uint64_t seed)
{
    struct sim s = begin(curves, pruner, n_workers, trials, 0, seed);
    double ref[2] = { curves_target(curves, 0.5), 0 };
    struct worker *w;

    for (size_t i = 0; i < curves->n; i++)
        ref[1] = fmax(ref[1], log10(curves->weights[i]));
    while (w = next_worker(&s), w->at_ms < INFINITY)
        go_on(&s, w, end_epoch(&s, w));
    printf(" %.9g %zu", volume(&s, ref), s.epochs);
    end(&s);
}

/* ---- arguments ------------------------------------------------------------------------------- */

static struct asy_pruner *make_pruner(const char *rule, double reduction, const struct curves *c)
{
    static const enum asy_goal goals[] = { ASY_MINIMIZE, ASY_MINIMIZE };
    int full = !strcmp(rule, "full"), moasha = !strcmp(rule, "moasha");
    int paper = !strcmp(rule, "paper");
    int can_pause = moasha || paper || !strcmp(rule, "promotion");
    const struct asy_option options[] = { { "reduction", reduction }, { "rule", 1 } };
    struct asy_pruner_spec spec = { .name = full ? "none" : moasha ? "moasha" : "asha",
                                    .options = options, .n_options = full ? 0 : paper ? 2 : 1,
                                    .length_max = c->epochs, .can_pause = can_pause,
                                    .goals = goals, .n_goals = 2 };
    struct asy_pruner *pruner = NULL;

    if (!full && !can_pause && strcmp(rule, "stopping") != 0)
        die("RULE is full, stopping, promotion or paper");
    if (asy_pruner_create(&spec, &pruner, &err))
        die(err.text);
    return pruner;
}

static double number(const char *text, double min)
{
    double v;

    if (asy_parse_f64(text, strlen(text), &v, &err) || !(v >= min))
        die("a number is not one, or too small");
    return v;
}

static void print_order(const struct curves *c, uint64_t seed)
{
    size_t *order = get(calloc(c->n, sizeof *order));

    shuffle(order, c->n, seed);
    for (size_t i = 0; i < c->n; i++)
        printf("%zu%c", order[i], i + 1 < c->n ? ' ' : '\n');
    free(order);
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";
    struct curves *c = *what ? curves_open(argv[2]) : NULL;

    if (*what && !c)
        die("the table cannot be read");
    if (!strcmp(what, "target") && argc == 4) {
        printf("%.9g\n", curves_target(c, number(argv[3], 1.0 / (double)c->n)));
    } else if (!strcmp(what, "order") && argc == 5) {
        for (uint64_t i = 0; i < (uint64_t)number(argv[4], 0); i++)
            print_order(c, (uint64_t)number(argv[3], 0) + i);
    } else if (!strcmp(what, "replay") && argc == 10) {
        double target = curves_target(c, number(argv[7], 1.0 / (double)c->n));

        for (uint64_t i = 0; i < (uint64_t)number(argv[9], 0); i++)
            replay(c, make_pruner(argv[3], number(argv[4], 2), c), (size_t)number(argv[5], 1),
                   number(argv[6], 0), target, (uint64_t)number(argv[8], 0) + i);
    } else if (!strcmp(what, "front") && argc == 8) {
        for (uint64_t i = 0; i < (uint64_t)number(argv[7], 0); i++) {
            uint64_t seed = (uint64_t)number(argv[6], 0) + i;

            printf("%llu", (unsigned long long)seed);
            for (int full = 0; full < 2; full++)
                front(c, make_pruner(full ? "full" : "moasha", number(argv[3], 2), c),
                      (size_t)number(argv[4], 1), (size_t)number(argv[5], 1), seed);
            printf("\n");
        }
    } else {
        fprintf(stderr, "usage: see the head of tests/bench/bench_curves.c\n");
        curves_close(c);
        return 2;
    }
    curves_close(c);
    return 0;
}
