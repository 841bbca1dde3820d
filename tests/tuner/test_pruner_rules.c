/* SPDX-License-Identifier: Apache-2.0
 * test_pruner_rules.c - each pruner on hundreds of random logs against its rule, stated again as
 * plainly as possible: trials out of step, ties, NaN, infinities, ends of every kind. */
#include <asy/pareto.h>
#include <asy/rng.h>
#include <asy/tuner.h>
#include "asytest.h"

enum { TRIALS = 14, STEPS = 12, LOGS = 600 };
struct log {
    double v[TRIALS][STEPS + 1]; /* scores; steps from 1 */
    int has[TRIALS][STEPS + 1], over[TRIALS], complete[TRIALS];
    size_t completed[TRIALS], n_completed; /* in order */
    double o[8];                           /* the options */
};

static int by_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static int first_in_interval(const struct log *l, size_t own, size_t step, double warmup,
                             double interval)
{
    double from = warmup + floor(((double)step - warmup) / interval) * interval;

    if ((double)step < warmup)
        return 0;
    for (size_t s = 1; s < step; s++)
        if (l->has[own][s] && (double)s >= from)
            return 0;
    return 1;
}

/* o: percentile, startup_trials, warmup_steps, interval, min_trials */
static int percentile_ref(const struct log *l, size_t own, size_t step, const double *o)
{
    double best = NAN, v[TRIALS], at, low, high, bound;
    size_t n = 0, m = 0;

    if (!l->n_completed || (double)l->n_completed < o[1] ||
        !first_in_interval(l, own, step, o[2], o[3]))
        return 0;
    for (size_t s = 1; s <= step; s++)
        best = l->has[own][s] ? fmin(best, l->v[own][s]) : best;
    if (isnan(best))
        return 1;
    for (size_t i = 0; i < TRIALS; i++) {
        n += l->complete[i] && l->has[i][step];
        if (l->complete[i] && l->has[i][step] && !isnan(l->v[i][step]))
            v[m++] = l->v[i][step];
    }
    if ((double)n < o[4] || !m)
        return 0;
    qsort(v, m, sizeof *v, by_double);
    at = o[0] / 100 * (double)(m - 1);
    low = v[(size_t)floor(at)];
    high = v[(size_t)ceil(at)];
    at -= floor(at);
    bound = low == high ? low : at < 0.5 ? low + (high - low) * at : high - (high - low) * (1 - at);
    return best > bound;
}

static int percentile_plain(const struct log *l, size_t own, size_t step, double sign)
{
    (void)sign;
    return percentile_ref(l, own, step, l->o);
}

/* o: lower, upper, warmup_steps, interval */
static int threshold_plain(const struct log *l, size_t own, size_t step, double sign)
{
    double v = sign * l->v[own][step];

    return first_in_interval(l, own, step, l->o[2], l->o[3]) &&
           (isnan(v) || v < l->o[0] || v > l->o[1]);
}

/* o: patience, min_delta, inner, then percentile's but the last */
static int patient_plain(const struct log *l, size_t own, size_t step, double sign)
{
    double before = NAN, after = NAN, inner[5] = { l->o[3], l->o[4], l->o[5], l->o[6], 1 };
    size_t later = 0;

    (void)sign;
    for (size_t s = step; s > 0; s--) {
        if (!l->has[own][s])
            continue;
        if ((double)later++ <= l->o[0])
            after = fmin(after, l->v[own][s]);
        else
            before = fmin(before, l->v[own][s]);
    }
    return before + l->o[1] < after && (l->o[2] == 0 || percentile_ref(l, own, step, inner));
}

static double mean_of(const struct log *l, size_t i, int *ret_finite)
{
    double sum = 0, n = 0;

    *ret_finite = 1;
    for (size_t s = 1; s <= STEPS; s++)
        if (l->has[i][s]) {
            sum += l->v[i][s];
            n++;
            *ret_finite &= isfinite(l->v[i][s]) != 0;
        }
    return sum / n;
}

/* Of all ways to give the differences signs, the share whose positive ranks sum up to as much. */
static double p_of(const double *d, size_t n)
{
    double rank[STEPS], plus = 0, as_large = 0;

    for (size_t i = 0; i < n; i++) {
        double below = 0, same = 0;

        for (size_t j = 0; j < n; j++) {
            below += fabs(d[j]) < fabs(d[i]);
            same += fabs(d[j]) == fabs(d[i]);
        }
        rank[i] = below + (same + 1) / 2;
        plus += d[i] > 0 ? rank[i] : 0;
    }
    for (size_t signs = 0; signs < (size_t)1 << n; signs++) {
        double sum = 0;

        for (size_t i = 0; i < n; i++)
            sum += d[i] != 0 && signs >> i & 1 ? rank[i] : 0;
        as_large += sum >= plus;
    }
    return as_large / (double)((size_t)1 << n);
}

/* o: p_threshold, startup_steps */
static int wilcoxon_plain(const struct log *l, size_t own, size_t step, double sign)
{
    size_t best = TRIALS, n = 0;
    int finite, best_finite;
    double d[STEPS], best_mean = NAN, mean;

    (void)sign;
    (void)step;
    for (size_t k = 0; k < l->n_completed; k++) {
        mean = mean_of(l, l->completed[k], &finite);
        if (!isnan(mean) && !(mean >= best_mean)) {
            best = l->completed[k];
            best_mean = mean;
        }
    }
    mean = mean_of(l, own, &finite);
    if (best == TRIALS)
        return 0;
    mean_of(l, best, &best_finite);
    if (!finite || !best_finite)
        return 0;
    for (size_t s = 1; s <= STEPS; s++)
        if (l->has[own][s] && l->has[best][s])
            d[n++] = l->v[own][s] - l->v[best][s];
    return n >= 2 && (double)n >= l->o[1] && p_of(d, n) < l->o[0] && mean > best_mean;
}

/* ---- the logs ------------------------------------------------------------------------------- */

struct rule {
    const char *name;
    int (*plain)(const struct log *l, size_t own, size_t step, double sign);
    const char *options[8];
    double choices[8][4];
};
static const struct rule rules[] = {
    { "percentile", percentile_plain,
      { "percentile", "startup_trials", "warmup_steps", "interval", "min_trials" },
      { { 0, 25, 40, 100 }, { 0, 1, 3, 5 }, { 0, 0, 2, 4 }, { 1, 1, 2, 5 }, { 1, 1, 2, 4 } } },
    { "threshold", threshold_plain, { "lower", "upper", "warmup_steps", "interval" },
      { { -2, 1, 2, -INFINITY }, { 5, 6, 9, 7 }, { 0, 0, 2, 4 }, { 1, 1, 2, 5 } } },
    { "patient", patient_plain,
      { "patience", "min_delta", "inner", "percentile", "startup_trials", "warmup_steps",
        "interval" },
      { { 0, 1, 2, 4 }, { 0, 0, 0.5, 2 }, { 0, 2, 2, 2 }, { 25, 50, 75, 10 }, { 0, 1, 2, 3 },
        { 0, 0, 2, 4 }, { 1, 1, 2, 3 } } },
    { "wilcoxon", wilcoxon_plain, { "p_threshold", "startup_steps" },
      { { 0.05, 0.1, 0.3, 0.5 }, { 0, 2, 4, 6 } } },
};

static struct asy_pruner *make(const struct rule *rule, struct log *l, enum asy_goal goal,
                               struct asy_rng *rng)
{
    struct asy_option options[8];
    struct asy_pruner_spec spec = { .name = rule->name, .options = options, .goals = &goal,
                                    .n_goals = 1, .length_max = STEPS };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_pruner *p = NULL;

    for (size_t i = 0; i < 8 && rule->options[i]; i++) {
        l->o[i] = rule->choices[i][asy_rng_below(rng, 4)];
        if (i > 2 && !strcmp(rule->name, "patient") && l->o[2] == 0)
            break; /* without an inner one */
        options[spec.n_options++] = (struct asy_option){ rule->options[i], l->o[i] };
    }
    if (!T_OK(asy_pruner_create(&spec, &p, &err), &err))
        abort();
    return p;
}

static double draw(struct asy_rng *rng, size_t trial, int odd)
{
    uint64_t kind = asy_rng_below(rng, 60);

    if (odd && kind < 6)
        return kind < 4 ? (double)NAN : kind == 4 ? (double)INFINITY : (double)-INFINITY;
    return (double)(trial % 5 + asy_rng_below(rng, 5));
}

static void one_log(const struct rule *rule, uint64_t seed, size_t *ret_stops, size_t *ret_goes)
{
    double sign = seed % 2 ? -1 : 1;
    size_t next[TRIALS] = { 0 };
    struct log l = { 0 };
    struct asy_pruner *p;
    struct asy_rng rng;

    asy_rng_init(&rng, seed, 3, ASY_RNG_SIM);
    p = make(rule, &l, sign < 0 ? ASY_MAXIMIZE : ASY_MINIMIZE, &rng);
    for (size_t e = 0; e < 6 * TRIALS * STEPS; e++) {
        size_t i = (size_t)asy_rng_below(&rng, TRIALS);
        double value;
        int want;

        if (l.over[i] || asy_rng_below(&rng, TRIALS) < i / 2)
            continue; /* low numbers run ahead */
        if (next[i] == STEPS || asy_rng_below(&rng, 60) == 0) {
            l.over[i] = 1;
            l.complete[i] = next[i] == STEPS;
            if (l.complete[i])
                l.completed[l.n_completed++] = i;
            asy_pruner_ended(p, i, l.complete[i]);
            continue;
        }
        next[i]++;
        if (asy_rng_below(&rng, 5) == 0)
            continue; /* not every step is reported */
        l.has[i][next[i]] = 1;
        l.v[i][next[i]] = draw(&rng, i, seed % 3 != 0);
        value = sign * l.v[i][next[i]];
        want = rule->plain(&l, i, next[i], sign);
        if (!T_EQ(rule->name, asy_pruner_report(p, i, next[i], &value),
                  want ? ASY_STOP : ASY_GO_ON))
            break;
        *(want ? ret_stops : ret_goes) += 1;
        l.over[i] = want;
        if (want)
            asy_pruner_ended(p, i, 0);
    }
    asy_pruner_destroy(p);
}

static void stopping_pruners_follow_their_rules(void)
{
    for (size_t r = 0; r < ASY_ARRAY_LEN(rules); r++) {
        size_t stops = 0, goes = 0;

        for (uint64_t seed = 0; seed < LOGS; seed++)
            one_log(&rules[r], seed, &stops, &goes);
        t__check(stops > LOGS && goes > LOGS, __LINE__, __FILE__, "%s: %zu stops, %zu goes",
                 rules[r].name, stops, goes);
    }
}

/* ---- rungs ---------------------------------------------------------------------------------- */

enum { MANY = 60, LENGTH = 81, RUNGS = 5, GOALS = 2 }; /* rungs at 1, 3, 9, 27 */
struct entry {
    size_t trial;
    double v[GOALS];
    int waits;
};
struct plain { /* one bracket */
    struct entry at[RUNGS][MANY];
    size_t n[RUNGS];
};

static int any_nan(const struct entry *e)
{
    return isnan(e->v[0]) || isnan(e->v[1]);
}

static int dominates(const struct entry *a, const struct entry *b)
{
    if (any_nan(a) || any_nan(b))
        return !any_nan(a) && any_nan(b);
    return a->v[0] <= b->v[0] && a->v[1] <= b->v[1] && (a->v[0] < b->v[0] || a->v[1] < b->v[1]);
}

/* By peeling front after front off. */
static void ranks_of(const struct entry *e, size_t n, size_t *rank)
{
    size_t left = n;

    for (size_t i = 0; i < n; i++)
        rank[i] = SIZE_MAX;
    for (size_t r = 0; left; r++) {
        size_t front[MANY], k = 0;

        for (size_t i = 0; i < n; i++) {
            int beaten = rank[i] != SIZE_MAX;

            for (size_t j = 0; j < n && !beaten; j++)
                beaten = rank[j] == SIZE_MAX && dominates(&e[j], &e[i]);
            if (!beaten)
                front[k++] = i;
        }
        for (size_t i = 0; i < k; i++)
            rank[front[i]] = r;
        left -= k;
    }
}

/* Whether each is among the best k: whole fronts, of the one that is cut the largest volume. */
static void best_of(const struct entry *e, size_t n, const size_t *rank, size_t k, int *among)
{
    size_t cut = 0, taken = 0, m = 0, of[MANY];
    double rows[MANY * GOALS], ref[GOALS];
    uint32_t chosen[MANY];

    memset(among, 0, n * sizeof *among);
    for (;; cut++) {
        size_t here = 0;

        for (size_t i = 0; i < n; i++)
            here += rank[i] == cut && !any_nan(&e[i]);
        if (!here)
            return;
        if (taken + here > k)
            break;
        for (size_t i = 0; i < n; i++)
            among[i] |= rank[i] == cut;
        taken += here;
    }
    for (size_t i = 0; i < n; i++)
        if (rank[i] == cut) {
            memcpy(&rows[GOALS * m], e[i].v, sizeof e[i].v);
            of[m++] = i;
        }
    asy_pareto_reference(rows, m, GOALS, ref);
    T_TRUE(asy_pareto_subset(rows, m, GOALS, ref, k - taken, chosen, NULL) == 0);
    for (size_t i = 0; i < k - taken; i++)
        among[of[chosen[i]]] = 1;
}

/* The entry of a rung that may go on first; n: none. */
static size_t first_of(const struct plain *b, size_t r, size_t eta, int several)
{
    const struct entry *e = b->at[r];
    size_t n = b->n[r], best = n, rank[MANY], k = n / eta;
    int among[MANY];

    ranks_of(e, n, rank);
    best_of(e, n, rank, k, among);
    for (size_t i = 0; i < n; i++) {
        size_t ahead = 0;

        for (size_t j = 0; !several && j < n; j++) { /* one objective: place, older first */
            int nans = isnan(e[j].v[0]) - isnan(e[i].v[0]);

            ahead += nans ? nans < 0
                          : e[j].v[0] < e[i].v[0] ||
                                (!(e[i].v[0] < e[j].v[0]) && e[j].trial < e[i].trial);
        }
        if (!e[i].waits || (several ? !among[i] : ahead >= k))
            continue;
        if (best == n ||
            (several ? rank[i] < rank[best] || (rank[i] == rank[best] &&
                                                e[i].trial < e[best].trial)
                     : e[i].v[0] < e[best].v[0] ||
                           (!(e[best].v[0] < e[i].v[0]) && e[i].trial < e[best].trial)))
            best = i;
    }
    return best;
}

/* Whether the newest entry goes on by the stopping rule. */
static int stays(const struct plain *b, size_t r, size_t eta, int several)
{
    const struct entry *e = b->at[r], *own = &e[b->n[r] - 1];
    size_t n = b->n[r], k = n / eta ? n / eta : 1, better = 0, rank[MANY];
    int among[MANY];

    if (several) {
        ranks_of(e, n, rank);
        best_of(e, n, rank, k, among);
        return among[n - 1] && !any_nan(own);
    }
    for (size_t j = 0; j < n; j++)
        better += e[j].v[0] < own->v[0];
    return !isnan(own->v[0]) && better < k;
}

/* Hyperband's budgets for 5 brackets and eta 3, and 1 bracket for moasha. */
static size_t bracket_of(size_t number, int several)
{
    static const double budget[] = { 81, 34, 15, 8, 5 };
    double at = 0, sum = 0;
    size_t b = 0;

    for (size_t bit = 0; bit < 20; bit++)
        at += number >> bit & 1 ? 1.0 / (double)((size_t)2 << bit) : 0;
    for (; !several && b < 4 && at >= (sum += budget[b]) / 143; b++)
        ;
    return b;
}

struct sweep {
    struct asy_pruner *p;
    struct plain brackets[5];
    uint64_t step[MANY], goal[MANY];
    size_t rung[MANY]; /* entries that it has, in its bracket's rungs and those below */
    int state[MANY];   /* 0 new, 1 runs, 2 waits, 3 over */
    int several, can_pause;
    size_t stops, pauses, promoted;
};

static const uint64_t lengths[] = { 1, 3, 9, 27, 81, 243 };

static enum asy_verdict plain_report(struct sweep *s, size_t i, const double *v)
{
    struct plain *b = &s->brackets[bracket_of(i, s->several)];
    size_t lowest = bracket_of(i, s->several), reached = 0;

    while (reached < 4 && lengths[reached] <= s->step[i])
        reached++;
    if (s->step[i] >= LENGTH)
        return ASY_GO_ON;
    for (size_t r = s->rung[i] > lowest ? s->rung[i] : lowest; r < reached; r++) {
        if (s->can_pause)
            r = reached - 1; /* a long stride counts at the highest */
        b->at[r][b->n[r]++] = (struct entry){ i, { v[0], v[1] }, s->can_pause };
        s->rung[i] = r + 1;
        if (s->can_pause)
            return ASY_PAUSE;
        if (!stays(b, r, 3, s->several))
            return ASY_STOP;
    }
    return ASY_GO_ON;
}

static int plain_promote(struct sweep *s, size_t *ret_number, uint64_t *ret_upto)
{
    for (size_t r = 4; r-- > 0;)
        for (size_t k = 0; k < (s->several ? 1 : 5); k++) {
            struct plain *b = &s->brackets[k];
            size_t e = first_of(b, r, 3, s->several);

            if (e == b->n[r])
                continue;
            b->at[r][e].waits = 0;
            *ret_number = b->at[r][e].trial;
            *ret_upto = lengths[r + 1];
            return 1;
        }
    return 0;
}

static void end(struct sweep *s, size_t i, int complete)
{
    struct plain *b = &s->brackets[bracket_of(i, s->several)];

    for (size_t r = 0; r < RUNGS; r++)
        for (size_t e = 0; e < b->n[r]; e++)
            if (b->at[r][e].trial == i)
                b->at[r][e].waits = 0;
    s->state[i] = 3;
    asy_pruner_ended(s->p, i, complete);
}

static int step_on(struct sweep *s, size_t i, double sign, struct asy_rng *rng)
{
    double v[GOALS], values[GOALS];
    enum asy_verdict want;

    for (size_t g = 0; g < GOALS; g++) {
        v[g] = asy_rng_below(rng, 25) == 0 ? (double)NAN : (double)(1 + asy_rng_below(rng, 30));
        values[g] = sign * v[g];
    }
    s->step[i] += 1 + asy_rng_below(rng, 1 + s->step[i]);
    if (s->step[i] > s->goal[i])
        s->step[i] = s->goal[i];
    want = plain_report(s, i, v);
    if (!T_EQ(s->several ? "moasha" : "hyperband",
              asy_pruner_report(s->p, i, s->step[i], values), want))
        return 0;
    s->stops += want == ASY_STOP;
    s->pauses += want == ASY_PAUSE;
    if (want == ASY_PAUSE)
        s->state[i] = 2;
    else if (want == ASY_STOP || s->step[i] == LENGTH)
        end(s, i, want != ASY_STOP);
    return 1;
}

static int promote_on(struct sweep *s)
{
    uint64_t number = 0, upto = 0, want_upto = 0;
    size_t want_number = 0;
    int got = asy_pruner_promote(s->p, &number, &upto);

    if (!T_EQ("one goes on", got, plain_promote(s, &want_number, &want_upto)))
        return 0;
    if (!got)
        return 1;
    s->promoted++;
    s->state[number] = 1;
    s->goal[number] = upto;
    return T_EQ("who", number, want_number) && T_EQ("how far", upto, want_upto);
}

static void one_sweep(struct sweep *s, uint64_t seed)
{
    double sign = seed % 2 ? -1 : 1;
    enum asy_goal goal = sign < 0 ? ASY_MAXIMIZE : ASY_MINIMIZE;
    const enum asy_goal goals[GOALS] = { goal, goal };
    const struct asy_option eta = { "reduction", 3 };
    struct asy_pruner_spec spec = { .name = s->several ? "moasha" : "hyperband", .options = &eta,
                                    .n_options = 1, .goals = goals, .n_goals = GOALS,
                                    .length_max = LENGTH, .can_pause = s->can_pause };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_rng rng;
    int fine = 1;

    if (!T_OK(asy_pruner_create(&spec, &s->p, &err), &err))
        return;
    asy_rng_init(&rng, seed, 5, ASY_RNG_SIM);
    for (size_t e = 0; fine && e < 600; e++) {
        size_t i = (size_t)asy_rng_below(&rng, MANY), what = (size_t)asy_rng_below(&rng, 40);

        if (what < 8) {
            fine = promote_on(s);
        } else if (s->state[i] == 0) {
            s->goal[i] = asy_pruner_milestone(s->p, i, 0);
            fine = T_EQ("first", s->goal[i],
                        s->can_pause ? lengths[bracket_of(i, s->several)] : LENGTH);
            s->state[i] = 1;
        } else if (what == 8 && s->state[i] < 3) {
            end(s, i, 0);
        } else if (s->state[i] == 1) {
            fine = step_on(s, i, sign, &rng);
        }
    }
    asy_pruner_destroy(s->p);
}

static void rungs_follow_their_rules(void)
{
    for (size_t k = 0; k < 4; k++) {
        size_t stops = 0, pauses = 0, promoted = 0;

        for (uint64_t seed = 0; seed < LOGS; seed++) {
            static struct sweep s;

            memset(&s, 0, sizeof s);
            s.several = k / 2 == 1;
            s.can_pause = k % 2 == 1;
            one_sweep(&s, seed);
            stops += s.stops;
            pauses += s.pauses;
            promoted += s.promoted;
        }
        if (k % 2)
            T_TRUE(pauses > 10 * LOGS && promoted > LOGS && stops == 0);
        else
            T_TRUE(stops > 5 * LOGS && pauses == 0);
    }
}

/* However many trials, each bracket has about its share of them. */
static void brackets_get_their_shares(void)
{
    static const double budget[] = { 81, 34, 15, 8, 5 };
    static const enum asy_goal goal = ASY_MINIMIZE;
    struct asy_pruner_spec spec = { .name = "hyperband", .goals = &goal, .n_goals = 1,
                                    .length_max = LENGTH, .can_pause = 1 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_pruner *p = NULL;
    double n[5] = { 0 };

    if (!T_OK(asy_pruner_create(&spec, &p, &err), &err))
        return;
    for (uint64_t i = 0; i < 5000; i++) {
        uint64_t first = asy_pruner_milestone(p, i, 0);

        for (size_t b = 0; b < 5; b++) {
            n[b] += first == lengths[b];
            /* Twice the sequence's star discrepancy, at most log2(N) / 3 + 1 points. */
            T_NEAR("share", n[b], (double)(i + 1) * budget[b] / 143,
                   2 * log2((double)(i + 1)) / 3 + 2);
        }
    }
    asy_pruner_destroy(p);
}

T_MAIN("pruner-rules", T_TEST(stopping_pruners_follow_their_rules),
       T_TEST(rungs_follow_their_rules), T_TEST(brackets_get_their_shares))
