/* SPDX-License-Identifier: Apache-2.0
 * sampler_auto.c - chooses samplers by what is known before the first trial, and hands over from
 * one to the next as results come in.
 *
 * Every part hears of every outcome, so that each could have made all the points before it. The
 * part that answers is the last whose share of finished trials is reached, or the one for a crowd
 * while too many trials run: a function of the latest outcomes, whatever the order in which they
 * came.
 *
 * docs/decisions/0023-what-auto-chooses.md has what each rule gains. Rejected: to take turns
 * between samplers, which halves what each learns from. */
#include "auto.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "map.h"

#define NSGA_BUDGET 400 /* from there on nsga2 covers more than tpe: bench rows mo.hypervolume */
#define START_TRIALS 10
#define GP_TRIALS 400   /* finished ones; beyond, its asks take longer than they gain */
#define AREA_TRIALS 200 /* the same with two objectives, each of which has a model */
#define GP_PARAMS 64
#define FEW_VALUES 16
#define CROWD 32          /* trials at once: more can be over faster than gp asks */

enum state { NONE, RUNNING, FINISHED, N_STATES };
struct handover {
    struct asy_sampler *parts[ASY__AUTO_PARTS_MAX]; /* [n] */
    struct asy_sampler *crowd; /* in place of gp while more than CROWD trials run; NULL: none */
    uint64_t from[ASY__AUTO_PARTS_MAX];
    size_t n;
    struct asy__map places; /* of trials in states, by number */
    unsigned char *states;  /* [n_known] of enum state */
    size_t n_known, cap, count[N_STATES];
};

/* ---- the plan ------------------------------------------------------------------------------ */

unsigned asy__auto_rule(const char *name)
{
    static const char *const rules[] = { "gp", "cma", "nsga", "one-by-one", "region", "crowd",
                                         "few" };

    for (size_t i = 0; i < ASY_ARRAY_LEN(rules); i++)
        if (!strcmp(rules[i], name))
            return 1u << i;
    return 0;
}

/* Where distances make sense throughout: no choices without order, no conditions. */
static int all_numbers(const struct asy_space *space)
{
    for (size_t i = 0; i < asy_space_len(space); i++) {
        const struct asy_param *p = asy_space_at(space, i);

        if (p->n_whens || (p->type == ASY_PARAM_CHOICE && !p->ordered))
            return 0;
    }
    return 1;
}

/* Where points differ by steps alone: a smooth model of them gains nothing over counts. */
static int all_few(const struct asy_space *space)
{
    for (size_t i = 0; i < asy_space_len(space); i++)
        if (asy_space_values(space, i) > FEW_VALUES)
            return 0;
    return 1;
}

static size_t count_open(const struct asy_space *space)
{
    size_t n = 0;

    for (size_t i = 0; i < asy_space_len(space); i++)
        n += asy_space_values(space, i) > 1;
    return n;
}

/* Whether trials run to their end: gp knows of a pruned one only that it is none of the better
 * half, where tpe has an order of them. */
static int all_complete(const struct asy_sampler_spec *spec)
{
    return !spec->pruner || !strcmp(spec->pruner->name, "none");
}

static size_t count_priors(const struct asy_space *space)
{
    size_t n = 0;

    for (size_t i = 0; i < asy_space_len(space); i++)
        n += (size_t)asy__has_prior(space, i);
    return n;
}

static struct asy__auto_part *add(struct asy__auto_plan *plan, const char *sampler, uint64_t from)
{
    struct asy__auto_part *part = &plan->parts[plan->n++];

    *part = (struct asy__auto_part){ .sampler = sampler, .from = from };
    return part;
}

static const struct asy__auto_part crowd_one = { .sampler = "tpe" };
static const struct asy__auto_part crowd_more = {
    .sampler = "tpe", .options = { { "multivariate", 0 } }, .n_options = 1,
};

static void set(struct asy__auto_part *part, const char *option, double value)
{
    part->options[part->n_options++] = (struct asy_option){ option, value };
}

/* Where more trials run at once than gp can be asked for. Returns what to say of it. */
static const char *add_crowd(const struct asy__auto_part *crowd, unsigned rules,
                             struct asy__auto_plan *plan)
{
    if (!(rules & ASY__AUTO_CROWD))
        return "";
    plan->crowd = crowd;
    return "; tpe while more than 32 run";
}

/* One objective over numbers. */
static void plan_numbers(const struct asy_sampler_spec *spec, unsigned rules,
                         struct asy__auto_plan *plan)
{
    int hands_over = (rules & ASY__AUTO_CMA) && (!spec->budget || spec->budget > GP_TRIALS);
    struct asy__auto_part *gp;
    char then[80] = "";

    gp = add(plan, "gp", 0);
    if (!(rules & ASY__AUTO_REGION))
        set(gp, "region", 0);
    if (hands_over) {
        set(add(plan, "cma", GP_TRIALS), "warm_trials", GP_TRIALS);
        snprintf(then, sizeof then, ", then from the best of these on cma, which asks faster");
    }
    snprintf(plan->reason, sizeof plan->reason,
             "auto: gp%s%.0d, which finds most with few trials of numbers%s%s",
             hands_over ? " up to trial " : "", hands_over ? GP_TRIALS : 0, then,
             add_crowd(&crowd_one, rules, plan));
}

/* Two objectives over numbers. */
static void plan_area(const struct asy_sampler_spec *spec, unsigned rules,
                      struct asy__auto_plan *plan)
{
    int hands_over = (rules & ASY__AUTO_NSGA) && (!spec->budget || spec->budget > AREA_TRIALS);

    add(plan, "gp", 0);
    if (hands_over)
        add(plan, "nsga2", AREA_TRIALS);
    snprintf(plan->reason, sizeof plan->reason,
             "auto: gp%s%.0d, which covers most of two objectives with few trials%s%s",
             hands_over ? " up to trial " : "", hands_over ? AREA_TRIALS : 0,
             hands_over ? ", then nsga2 from these, which asks faster" : "",
             add_crowd(&crowd_more, rules, plan));
}

/* Several objectives. */
static void plan_front(const struct asy_space *space, const struct asy_sampler_spec *spec,
                       unsigned rules, struct asy__auto_plan *plan)
{
    struct asy__auto_part *part;

    if (spec->n_goals == 2 && all_numbers(space)) {
        if ((rules & ASY__AUTO_GP) && all_complete(spec) && count_open(space) <= GP_PARAMS) {
            plan_area(spec, rules, plan);
            return;
        }
        if ((rules & ASY__AUTO_NSGA) && spec->budget >= NSGA_BUDGET) {
            add(plan, "nsga2", 0);
            snprintf(plan->reason, sizeof plan->reason,
                     "auto: nsga2, which covers more than tpe of two objectives over numbers in "
                     "%d trials and more", NSGA_BUDGET);
            return;
        }
    }
    part = add(plan, "tpe", 0);
    /* It finds more so, as Optuna does there; that costs an exponential for each parameter, so that
     * it stays the wish of who names tpe. */
    if (rules & ASY__AUTO_ONE_BY_ONE)
        set(part, "multivariate", 0);
    snprintf(plan->reason, sizeof plan->reason,
             "auto: tpe, which handles all %zu parameters and %zu objectives and learns after "
             "%d trials", asy_space_len(space), spec->n_goals, START_TRIALS);
}

/* Grid is never chosen: covering a finite space is a wish that the user states. */
void asy__auto_plan(const struct asy_space *space, const struct asy_sampler_spec *spec,
                    unsigned rules, struct asy__auto_plan *ret_plan)
{
    struct asy__auto_plan *plan = ret_plan;

    *plan = (struct asy__auto_plan){ 0 };
    if (asy_space_len(space) == 0 || asy_space_cardinality(space) <= 1) {
        add(plan, "random", 0);
        snprintf(plan->reason, sizeof plan->reason,
                 "auto: random, because the space has a single point");
    } else if (spec->budget && spec->budget <= START_TRIALS) {
        add(plan, "random", 0);
        snprintf(plan->reason, sizeof plan->reason,
                 "auto: random, because a budget of %llu trial%s ends before anything could be "
                 "learnt (after %d)", (unsigned long long)spec->budget, ASY_S(spec->budget),
                 START_TRIALS);
    } else if (count_priors(space) > 0) {
        add(plan, "tpe", 0);
        snprintf(plan->reason, sizeof plan->reason,
                 "auto: tpe, which begins from the prior%s of %zu parameter%s",
                 ASY_S(count_priors(space)), count_priors(space), ASY_S(count_priors(space)));
    } else if (spec->n_goals > 1) {
        plan_front(space, spec, rules, plan);
    } else if ((rules & ASY__AUTO_GP) && all_complete(spec) && all_numbers(space) &&
               !((rules & ASY__AUTO_FEW) && all_few(space)) && count_open(space) <= GP_PARAMS) {
        plan_numbers(spec, rules, plan);
    } else {
        add(plan, "tpe", 0);
        snprintf(plan->reason, sizeof plan->reason,
                 "auto: tpe, which handles all %zu parameters and learns after %d trials",
                 asy_space_len(space), START_TRIALS);
    }
}

/* ---- several parts ------------------------------------------------------------------------- */

static void destroy(struct asy_sampler *s)
{
    struct handover *h = s->state;

    for (size_t i = 0; i < h->n; i++)
        asy_sampler_destroy(h->parts[i]);
    asy_sampler_destroy(h->crowd);
    asy__map_fini(&h->places);
    free(h->states);
    free(h);
}

/* Room for one more trial in all parts. */
static int reserve(struct asy_sampler *s, const struct asy_outcome *o)
{
    struct handover *h = s->state;
    size_t cap = h->cap ? h->cap + h->cap / 2 : 64;
    unsigned char *states;

    for (size_t i = 0; i < h->n; i++)
        if (asy__sampler_reserve(h->parts[i], o))
            return ASY_E_NOMEM;
    if (h->crowd && asy__sampler_reserve(h->crowd, o))
        return ASY_E_NOMEM;
    if (asy__map_get(&h->places, o->number) != ASY__MAP_NONE)
        return 0;

    if (h->n_known == h->cap) {
        if (cap >= ASY__MAP_NONE || !(states = realloc(h->states, cap)))
            return ASY_E_NOMEM;
        h->states = states;
        h->cap = cap;
    }
    return asy__map_reserve(&h->places);
}

static void note(struct handover *h, uint64_t number, enum state state)
{
    uint32_t i = asy__map_get(&h->places, number);

    if (i == ASY__MAP_NONE) {
        i = (uint32_t)h->n_known++;
        asy__map_put(&h->places, number, i);
        h->states[i] = NONE;
        h->count[NONE]++;
    }
    h->count[h->states[i]]--;
    h->count[state]++;
    h->states[i] = (unsigned char)state;
}

static struct asy_sampler *who_answers(const struct handover *h)
{
    size_t who = 0;

    while (who + 1 < h->n && h->count[FINISHED] >= h->from[who + 1])
        who++;
    return h->crowd && h->count[RUNNING] > CROWD && h->parts[who]->class == &asy__sampler_gp
               ? h->crowd : h->parts[who];
}

static int ask(struct asy_sampler *s, uint64_t number, const double *fixed, double *x,
               struct asy_error *err)
{
    struct handover *h = s->state;
    uint32_t place = asy__map_get(&h->places, number);
    enum state own = place == ASY__MAP_NONE ? NONE : (enum state)h->states[place];
    struct asy_sampler *who;
    int rc;

    if (own != NONE)
        note(h, number, NONE); /* asked again: its own outcome does not count */
    who = who_answers(h);
    if ((rc = who->class->ask(who, number, fixed, x, err))) {
        if (own != NONE)
            note(h, number, own);
        return rc;
    }
    snprintf(s->drew, sizeof s->drew, "auto: %s", who->class->name);
    return 0;
}

/* Only what all parts learn from counts as finished: with a value, or as the worst. */
static enum state state_of(const struct asy_outcome *o)
{
    if (o->state == ASY_OUTCOME_RUNNING)
        return RUNNING;
    return o->state == ASY_OUTCOME_FAILED && !o->diverged ? NONE : FINISHED;
}

static void tell(struct asy_sampler *s, const struct asy_outcome *o)
{
    struct handover *h = s->state;

    for (size_t i = 0; i < h->n; i++)
        asy__sampler_tell(h->parts[i], o);
    if (h->crowd)
        asy__sampler_tell(h->crowd, o);
    note(h, o->number, state_of(o));
}

static const struct asy__sampler_class handover_class = {
    .name = "auto", .needs_history = 1, .destroy = destroy, .ask = ask, .reserve = reserve,
    .tell = tell,
};

static int make_part(const struct asy_space *space, const struct asy_sampler_spec *spec,
                     const struct asy__auto_part *part, struct asy_sampler **ret,
                     struct asy_error *err)
{
    struct asy_sampler_spec own = *spec;

    own.name = part->sampler;
    own.options = part->options;
    own.n_options = part->n_options;
    return asy_sampler_create(space, &own, ret, err);
}

int asy__auto_create(const struct asy_space *space, const struct asy_sampler_spec *spec,
                     unsigned rules, struct asy_sampler **ret_sampler, struct asy_error *err)
{
    struct asy_sampler *s = NULL;
    struct asy__auto_plan plan;
    struct handover *h;
    int rc;

    if (spec->n_options)
        return asy_fail(err, ASY_E_INVAL,
                        "sampler 'auto' has no option '%.60s': name a sampler to set it",
                        spec->options[0].name);
    asy__auto_plan(space, spec, rules, &plan);
    if (plan.n == 1 && !plan.crowd) {
        rc = make_part(space, spec, &plan.parts[0], &s, err);
        goto out;
    }
    if ((rc = asy__sampler_new(&handover_class, space, spec, &s, err)))
        goto out;
    if (!(h = s->state = calloc(1, sizeof *h))) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
        goto out;
    }
    for (; h->n < plan.n; h->n++) {
        h->from[h->n] = plan.parts[h->n].from;
        if ((rc = make_part(space, spec, &plan.parts[h->n], &h->parts[h->n], err)))
            goto out;
    }
    if (plan.crowd && (rc = make_part(space, spec, plan.crowd, &h->crowd, err)))
        goto out;
out:
    if (rc) {
        asy_sampler_destroy(s);
        return rc;
    }
    snprintf(s->reason, sizeof s->reason, "%s", plan.reason);
    snprintf(s->drew, sizeof s->drew, "auto: %s", plan.parts[0].sampler);
    *ret_sampler = s;
    return 0;
}
