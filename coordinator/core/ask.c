/* SPDX-License-Identifier: Apache-2.0
 * ask.c - a study and its sampler: how far ahead it is asked for points, the trials made of them,
 * and what it is told. */
#include "core_impl.h"
#include <asy/parse.h>
#include <asy/rng.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TELLS_PER_STEP 512

void asy__study_make_sampler(struct asy_core *core, struct asy__study *s)
{
    struct asy_effect *fx = asy__effect(core, ASY_FX_SAMPLER, 0);

    if (!fx)
        return;
    fx->study = s->id;
    fx->sampler.spec = s->spec;
    fx->sampler.budget = s->budget;
    s->has_sampler = 1;
}

void asy__study_tell_notes(struct asy_core *core, struct asy__study *s)
{
    for (int budget = TELLS_PER_STEP; budget > 0 && s->notes_told < s->n_notes; budget--) {
        struct asy__trial *t = s->trials[s->notes[s->notes_told++]];

        t->noted = 0;
        asy__tell_effect(core, s, t);
    }
    if (s->notes_told < s->n_notes) {
        core->more = 1;
        return;
    }
    free(s->notes);
    s->notes = NULL;
    s->n_notes = s->cap_notes = s->notes_told = 0;
}

void asy__study_remake_sampler(struct asy_core *core, struct asy__study *s)
{
    uint64_t *notes = calloc(s->n_trials + 1, sizeof *notes);

    if (!notes) {
        core->rc = ASY_E_NOMEM;
        return;
    }
    for (uint64_t i = 0; i < s->n_trials; i++) { /* each is known from when it was made */
        s->trials[i]->noted = 1;
        notes[i] = i;
    }
    free(s->notes);
    s->notes = notes;
    s->n_notes = s->n_trials;
    s->cap_notes = s->n_trials + 1;
    s->notes_told = 0;
    s->remakes = 0;
    asy__study_make_sampler(core, s);
}

/* Who gave the next trial's point: the user, or an earlier study. */
static const char *given_by(struct asy_core *core, const struct asy__study *s)
{
    const struct asy_study_spec *spec = s->spec;
    const struct asy_study_earlier *one;

    if (s->n_trials < spec->n_given)
        return "enqueued";
    one = &spec->earlier[spec->first[s->n_trials - spec->n_given]];
    return asy__textf(core, "from '%s' trial %" PRIu64, one->study, one->trial);
}

static void created(struct asy_core *core, struct asy__study *s, const struct asy_input *input)
{
    struct asy_event ev = asy__event(core, ASY_EV_TRIAL_CREATED, s, NULL);
    const struct asy_space *space = s->spec->space;
    size_t nx = asy_space_len(space);
    double *x = asy__alloc(core, nx * sizeof *x);
    struct asy_jsonw w;
    struct asy_rng rng;

    if (!x)
        return;
    memcpy(x, input->asked.x, nx * sizeof *x);
    asy_buf_clear(&core->scratch);
    asy_jsonw_init(&w, &core->scratch, 0);
    asy_space_write(space, x, &w, NULL);
    if (core->scratch.rc) {
        core->rc = ASY_E_NOMEM;
        return;
    }
    asy_rng_init(&rng, s->spec->seed, s->n_trials, ASY_RNG_INIT);
    ev.trial = s->n_trials;
    ev.trial_created.id = asy__make_id(core);
    ev.trial_created.x = x;
    ev.trial_created.n_x = nx;
    ev.trial_created.seed = asy_rng_u64(&rng) >> 11; /* exact in JSON numbers of any reader */
    ev.trial_created.member = input->asked.origin.member;
    ev.trial_created.parent = input->asked.origin.parent;
    ev.trial_created.params = asy__dup(core, core->scratch.data);
    ev.trial_created.source = s->n_trials < s->spec->n_enqueue
                                  ? given_by(core, s) : asy__dup(core, input->asked.source);
    ev.trial_created.knew = input->asked.knew;
    ev.trial_created.with = input->asked.with;
    asy__emit(core, &ev);
    if (!core->rc && asy__members_orphan(core, s->trials[ev.trial]))
        return;
    if (!core->rc) /* its lease wants them soon; without memory they are written again */
        s->trials[ev.trial]->params = strdup(ev.trial_created.params);
}

/* 1: the search is good enough, and has been told so. */
static int check_regret(struct asy_core *core, struct asy__study *s, const struct asy_input *input)
{
    char bound[32], wanted[32];

    if (isnan(s->spec->regret) || input->asked.regret_n == 0)
        return 0;
    s->regret = input->asked.regret;
    s->regret_n = input->asked.regret_n;
    if (!(s->regret <= s->spec->regret))
        return 0;
    s->asking = 0;
    asy__study_state(core, s, s->state, ASY_CAUSE_REGRET,
                     asy__textf(core, "by a model of %zu trials no point is better than the best "
                                "of them by more than %s (budget.regret is %s)", s->regret_n,
                                asy_format_short(s->regret, bound),
                                asy_format_short(s->spec->regret, wanted)));
    return 1;
}

static void sampler_failed(struct asy_core *core, struct asy__study *s, const char *text)
{
    s->asking = 0;
    if (s->state != ASY_STUDY_STOPPING)
        asy__study_stop(core, s, ASY_CAUSE_SAMPLER_FAILED, text);
}

void asy__study_asked(struct asy_core *core, const struct asy_input *input)
{
    struct asy__study *s = asy__study_get(core, input->asked.study);
    struct asy_error err = ASY_ERROR_INIT;
    const char *bad;

    if (!s || s->over || s->asking == 0) {
        core->nonsense++;
        return;
    }
    if (input->asked.number != s->n_trials) { /* answers come in order; else all are asked again */
        core->nonsense++;
        s->asking = 0;
        return;
    }
    s->asked_ms = core->now_ms;
    asy__ahead_answered(&s->ahead, (double)core->now_ms);
    s->asks_ahead = input->asked.rc == 0 && !input->asked.needs_history;
    if (s->state == ASY_STUDY_STOPPING || s->n_trials >= asy__study_max_trials(core, s)) {
        s->asking = 0;
    } else if (input->asked.rc == ASY_E_FULL) {
        s->asking = 0;
        asy__study_state(core, s, s->state, ASY_CAUSE_EXHAUSTED, input->asked.text);
    } else if (input->asked.rc == ASY_E_GONE) { /* what still runs may come to its end */
        s->asking = 0;
        asy__study_state(core, s, s->state, ASY_CAUSE_SAMPLER_FAILED, input->asked.text);
    } else if (input->asked.rc != 0) {
        sampler_failed(core, s, input->asked.text);
    } else if (asy_space_check(s->spec->space, input->asked.x, &err)) {
        sampler_failed(core, s, asy__textf(core, "a point outside the space: %s", err.text));
    } else if ((bad = asy__origin_refuse(s, input->asked.origin))) {
        sampler_failed(core, s, bad);
    } else if (!check_regret(core, s, input)) {
        created(core, s, input);
    }
}

static void ask_one(struct asy_core *core, struct asy__study *s, int ahead)
{
    struct asy_effect *fx = asy__effect(core, ASY_FX_ASK, 0);
    uint64_t number = s->n_trials + s->asking;
    size_t nx = asy_space_len(s->spec->space);

    if (!fx)
        return;
    fx->study = s->id;
    fx->n_x = nx;
    fx->ask.number = number;
    fx->ask.knew = core->seq;
    if (number < s->spec->n_enqueue)
        fx->ask.fixed = s->spec->enqueue + number * nx;
    fx->ask.ahead = ahead && !fx->ask.fixed && s->population.size == 0;
    asy__ahead_asked(&s->ahead, s->asking == 0, (double)core->now_ms);
    s->asking++;
    s->asked_ms = core->now_ms;
}

/* How many attempts more its own limit allows. */
static uint64_t parallel_left(const struct asy__study *s, uint64_t max)
{
    uint64_t running = s->counts[ASY_TRIAL_LEASED] + s->counts[ASY_TRIAL_RUNNING];

    if (s->spec->parallel == 0 || s->spec->parallel >= running + max)
        return max;
    return s->spec->parallel > running ? s->spec->parallel - running : 0;
}

uint64_t asy__study_askable(const struct asy_core *core, struct asy__study *s)
{
    uint64_t n;

    if (s->state != ASY_STUDY_RUNNING || core->draining || core->store_bad ||
        !asy__study_can_create(core, s))
        return 0;
    if (s->lag > 0) /* one decision at a time, and none while an earlier one can be made */
        return s->n_fresh == 0 && s->n_again == 0 && !asy__job_waits(s) &&
               !asy__study_promotable(s, NULL);
    n = asy__study_max_trials(core, s) - s->n_trials;
    n = asy__members_free(s) < n ? asy__members_free(s) : n;
    return parallel_left(s, n < ASY__ASKS_AHEAD ? n : ASY__ASKS_AHEAD);
}

/* Points that are to be there, room or not: attempts of them are offered, and those take up the
 * room. A sampler that learns is asked for one at a time: what it would make of many ahead is not
 * what it made before. */
static uint64_t wanted_by_offers(const struct asy_core *core, const struct asy__study *s)
{
    uint64_t missing = asy__offers_missing(core, s);

    if (missing == 0 || s->lag > 0)
        return 0;
    return s->asks_ahead ? s->n_fresh + (missing < ASY__ASKS_AHEAD ? missing : ASY__ASKS_AHEAD) : 1;
}

/* How many points of a sampler that learns are drawn beyond the room there is. None in
 * deterministic studies, which ask when it is a decision's turn. */
static uint64_t depth_ahead(const struct asy__study *s)
{
    if (s->lag > 0 || s->asks_ahead)
        return 0;
    return asy__ahead_depth(&s->ahead,
                            s->counts[ASY_TRIAL_LEASED] + s->counts[ASY_TRIAL_RUNNING]);
}

void asy__study_ask(struct asy_core *core, struct asy__study *s)
{
    uint64_t slots, want, offered;

    if (!s->has_sampler || s->n_notes > 0 || s->remakes)
        return;
    slots = asy__room(core, s, asy__study_askable(core, s));
    want = slots;
    if (s->lag == 0 && s->asks_ahead)
        want = 2 * slots + 2 < ASY__ASKS_AHEAD ? 2 * slots + 2 : ASY__ASKS_AHEAD;
    want = want > slots ? want : slots + depth_ahead(s);
    offered = wanted_by_offers(core, s);
    want = offered > want ? offered : want;
    while (!core->rc && s->n_fresh + s->asking < want && asy__study_can_create(core, s) &&
           s->state == ASY_STUDY_RUNNING && !core->draining && !core->store_bad &&
           s->n_trials + s->asking < asy__study_max_trials(core, s) &&
           s->asking < asy__members_free(s))
        ask_one(core, s, s->n_fresh + s->asking >= slots);
}
