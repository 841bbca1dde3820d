/* SPDX-License-Identifier: Apache-2.0
 * replay.c - see replay.h.
 *
 * Outcomes wait in a line, each with the number of the event that brought it, until a sampler that
 * is asked knew that event. Trials that came from one model wait in a group until it is whole. */
#include "replay.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>
#include <asy/rng.h>
#include "search.h"

#define GROUP_MAX 64 /* of one model; a record with more is not ours */

struct heard {
    struct heard *next;
    uint64_t seq;
    struct asy_outcome outcome;
    double numbers[];                /* its x and values */
};
struct asked {
    uint64_t seq, knew;
    struct asy_origin origin;
    char source[24];
};
struct asy__replay {
    struct asy_core *core;
    struct asy_study_spec *spec;     /* NULL: STUDY_CREATED has not come */
    struct asy_sampler *sampler;
    struct heard *first, **last;     /* the line */
    uint64_t n_trials;
    uint64_t knew;                   /* of the newest trial that says it */
    uint64_t group;                  /* number of its first trial */
    size_t n_group;
    struct asked asked[GROUP_MAX];   /* [n_group] */
    double *stored, *again;          /* [GROUP_MAX, space length] */
    int over;
    struct asy__replay_result result;
};

static size_t width(const struct asy__replay *r)
{
    return asy_space_len(r->spec->space);
}

/* No setting of the coordinator decides what is compared: max_study_trials, too, only says whether
 * a study is asked for more points. */
int asy__replay_create(struct asy__replay **ret_replay, struct asy_error *err)
{
    struct asy_core_config config = ASY_CORE_CONFIG_INIT;
    struct asy__replay *replay = calloc(1, sizeof *replay);
    int rc;

    if (!replay)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a replay");
    replay->last = &replay->first;
    if ((rc = asy_core_create(&config, &replay->core, err)) < 0) {
        free(replay);
        return rc;
    }
    *ret_replay = replay;
    return 0;
}

void asy__replay_destroy(struct asy__replay *replay)
{
    if (!replay)
        return;
    for (struct heard *next, *heard = replay->first; heard; heard = next) {
        next = heard->next;
        free(heard);
    }
    asy_core_destroy(replay->core);
    asy_sampler_destroy(replay->sampler);
    asy_study_destroy(replay->spec);
    free(replay->stored);
    free(replay->again);
    free(replay);
}

const struct asy__replay_result *asy__replay_result(const struct asy__replay *replay)
{
    return &replay->result;
}

/* ---- differences ----------------------------------------------------------------------------- */

static int found(struct asy__replay *r, uint64_t seq, uint64_t trial, const char *text)
{
    r->result.differs = 1;
    r->result.seq = seq;
    r->result.trial = trial;
    snprintf(r->result.text, sizeof r->result.text, "%s", text);
    return 1;
}

/* A record that does not fit is a difference, everything else is a failure. */
static int found_if_corrupt(struct asy__replay *r, const struct asy_event *ev, int rc,
                            const struct asy_error *why, struct asy_error *err)
{
    if (rc == ASY_E_CORRUPT)
        return found(r, ev->seq, ev->trial, why->text);
    if (rc == ASY_E_NOMEM)
        return asy_fail(err, rc, "no memory for a replay");
    if (err)
        *err = *why;
    return rc;
}

/* One entry as exactly as it was stored. */
static void put_entry(const struct asy_space *space, const double *x, size_t i, char *text,
                      size_t n)
{
    const struct asy_param *param = asy_space_at(space, i);
    char number[32];

    if (isnan(x[i]))
        snprintf(text, n, "nothing");
    else if (param->type == ASY_PARAM_CHOICE && x[i] >= 0 && x[i] <= param->hi)
        asy_space_text(space, x, i, text, n);
    else
        snprintf(text, n, "%s", asy_format_f64(x[i], number));
}

static int differs_at(struct asy__replay *r, size_t k, size_t i)
{
    struct asy__replay_result *result = &r->result;
    const struct asy_space *space = r->spec->space;
    char text[sizeof result->text];

    put_entry(space, r->stored + k * width(r), i, result->stored, sizeof result->stored);
    put_entry(space, r->again + k * width(r), i, result->replayed, sizeof result->replayed);
    snprintf(result->parameter, sizeof result->parameter, "%s", asy_space_at(space, i)->name);
    result->knew = r->asked[k].knew;
    snprintf(text, sizeof text, "trial %" PRIu64 " has %.60s %.40s on record, but its sampler "
             "gives %.40s", r->group + k, result->parameter, result->stored, result->replayed);
    return found(r, r->asked[k].seq, r->group + k, text);
}

static int differs_in_source(struct asy__replay *r, const char *drew)
{
    char text[sizeof r->result.text];

    r->result.knew = r->asked[0].knew;
    snprintf(text, sizeof text, "trial %" PRIu64 " is from '%s' on record, but '%s' draws it",
             r->group, r->asked[0].source, drew);
    return found(r, r->asked[0].seq, r->group, text);
}

static void put_origin(struct asy_origin origin, char *text, size_t n)
{
    if (origin.member == 0)
        snprintf(text, n, "of no member");
    else if (origin.parent == 0)
        snprintf(text, n, "member %" PRIu64 "'s first", origin.member);
    else
        snprintf(text, n, "member %" PRIu64 "'s from trial %" PRIu64, origin.member,
                 origin.parent - 1);
}

static int differs_in_origin(struct asy__replay *r, struct asy_origin again)
{
    char text[sizeof r->result.text], stored[64], replayed[64];

    put_origin(r->asked[0].origin, stored, sizeof stored);
    put_origin(again, replayed, sizeof replayed);
    r->result.knew = r->asked[0].knew;
    snprintf(text, sizeof text, "trial %" PRIu64 " is %s on record, but its sampler makes it %s",
             r->group, stored, replayed);
    return found(r, r->asked[0].seq, r->group, text);
}

/* ---- the sampler ----------------------------------------------------------------------------- */

/* Tells all that the sampler knew. */
static int tell_upto(struct asy__replay *r, uint64_t seq, struct asy_error *err)
{
    struct heard *heard;
    int rc = 0;

    while (rc == 0 && (heard = r->first) && heard->seq <= seq) {
        rc = asy_sampler_tell(r->sampler, &heard->outcome, err);
        r->result.outcomes++;
        if (!(r->first = heard->next))
            r->last = &r->first;
        free(heard);
    }
    return rc;
}

/* An older version made them: they count as running, whatever it knew. */
static int take_unproven(struct asy__replay *r, struct asy_error *err)
{
    int rc = 0;

    for (size_t k = 0; rc == 0 && k < r->n_group; k++) {
        const struct asy_outcome running = { .number = r->group + k,
                                             .state = ASY_OUTCOME_RUNNING, .last_step = -1,
                                             .x = r->stored + k * width(r) };

        rc = asy_sampler_tell(r->sampler, &running, err);
    }
    r->result.unproven += r->n_group;
    return rc;
}

/* Bit for bit; of NaNs there is but one meaning. */
static int same(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static int compare(struct asy__replay *r)
{
    const char *drew = asy_sampler_drew(r->sampler);
    struct asy_origin origin = asy_sampler_origin(r->sampler);
    int given = r->group < r->spec->n_enqueue; /* by the study, which its source tells more of */

    for (size_t k = 0; k < r->n_group; k++)
        for (size_t i = 0; i < width(r); i++)
            if (!same(r->stored[k * width(r) + i], r->again[k * width(r) + i]))
                return differs_at(r, k, i);
    if (r->n_group == 1 && (r->asked[0].origin.member != origin.member ||
                            r->asked[0].origin.parent != origin.parent))
        return differs_in_origin(r, origin);
    if (r->n_group == 1 && !given && strcmp(r->asked[0].source, drew) != 0)
        return differs_in_source(r, drew); /* of a group the last one's alone would be known */
    r->result.suggested += r->n_group;
    r->result.enqueued += (uint64_t)given;
    return 0;
}

/* The group is whole: it is drawn again. */
static int flush(struct asy__replay *r, struct asy_error *err)
{
    struct asy_error why = ASY_ERROR_INIT;
    const double *fixed = NULL;
    int rc;

    if (r->n_group == 0)
        return 0;
    if (r->asked[0].knew == 0) {
        rc = take_unproven(r, &why);
    } else if ((rc = tell_upto(r, r->asked[0].knew, &why)) == 0 && r->n_group == 1) {
        if (r->group < r->spec->n_enqueue)
            fixed = r->spec->enqueue + r->group * width(r);
        rc = asy_sampler_ask(r->sampler, r->group, fixed, r->again, &why);
    } else if (rc == 0) {
        rc = asy_sampler_ask_many(r->sampler, r->group, r->n_group, r->again, &why);
    }
    if (rc == ASY_E_NOMEM) {
        if (err)
            *err = why;
        return rc;
    }
    if (rc < 0)
        rc = found(r, r->asked[0].seq, r->group, why.text);
    else if (r->asked[0].knew)
        rc = compare(r);
    r->n_group = 0;
    return rc;
}

/* ---- events ---------------------------------------------------------------------------------- */

static int study_created(struct asy__replay *r, const struct asy_event *ev, struct asy_error *err)
{
    const char *text = ev->study_created.spec ? ev->study_created.spec : "";
    uint64_t budget;
    size_t n;
    int rc;

    if (r->spec)
        return found(r, ev->seq, ev->trial, "the study was made twice");
    rc = asy_study_parse(text, strlen(text), "the study", NULL, &r->spec, NULL, err);
    if (rc < 0)
        return rc;
    n = GROUP_MAX * (width(r) + 1);
    if (!(r->stored = calloc(n, sizeof *r->stored)) || !(r->again = calloc(n, sizeof *r->again)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a replay");
    budget = r->spec->max_trials == UINT64_MAX ? 0 : r->spec->max_trials;
    return asy__search_sampler(r->spec, budget, &r->sampler, err);
}

static int check_created(struct asy__replay *r, const struct asy_event *ev)
{
    struct asy_error why = ASY_ERROR_INIT;
    char text[120];
    struct asy_rng rng;

    if (ev->trial != r->n_trials || ev->trial_created.n_x != width(r)) {
        snprintf(text, sizeof text, "trial %" PRIu64 " is not the next one", ev->trial);
        return found(r, ev->seq, ev->trial, text);
    }
    if (asy_space_check(r->spec->space, ev->trial_created.x, &why) < 0 &&
        ev->trial_created.knew == 0)
        return found(r, ev->seq, ev->trial, why.text);
    asy_rng_init(&rng, r->spec->seed, ev->trial, ASY_RNG_INIT);
    if (ev->trial_created.seed != asy_rng_u64(&rng) >> 11) {
        snprintf(text, sizeof text, "trial %" PRIu64 " has another seed than the study gives it",
                 ev->trial);
        return found(r, ev->seq, ev->trial, text);
    }
    return 0;
}

/* What is known never gets less, and lies before the event. */
static int check_knew(struct asy__replay *r, const struct asy_event *ev)
{
    uint64_t knew = ev->trial_created.knew;
    char text[160];

    if (knew == 0 || (knew >= r->knew && knew < ev->seq)) {
        r->knew = knew ? knew : r->knew;
        return 0;
    }
    snprintf(text, sizeof text, "trial %" PRIu64 " has a sampler on record that knew event %" PRIu64
             ", but the one before it knew event %" PRIu64, ev->trial, knew, r->knew);
    return found(r, ev->seq, ev->trial, text);
}

static int trial_created(struct asy__replay *r, const struct asy_event *ev, struct asy_error *err)
{
    uint64_t with = ev->trial_created.with;
    struct asked *asked;
    int rc = check_created(r, ev);

    if (rc == 0)
        rc = check_knew(r, ev);
    if (rc == 0 && with == 0)
        rc = flush(r, err);
    if (rc)
        return rc;
    if (with != r->n_group || r->n_group == GROUP_MAX)
        return found(r, ev->seq, ev->trial, "a trial came from one model with others that are not "
                                            "there");
    if (with == 0)
        r->group = ev->trial;
    memcpy(r->stored + r->n_group * width(r), ev->trial_created.x, width(r) * sizeof *r->stored);
    asked = &r->asked[r->n_group++];
    *asked = (struct asked){ .seq = ev->seq, .knew = ev->trial_created.knew,
                             .origin = { ev->trial_created.member, ev->trial_created.parent } };
    snprintf(asked->source, sizeof asked->source, "%s",
             ev->trial_created.source ? ev->trial_created.source : "");
    r->n_trials++;
    return 0;
}

/* That it runs the sampler knows of itself: it was asked for it. */
static int hear(struct asy__replay *r, uint64_t seq, struct asy_error *err)
{
    struct asy_step step;
    int rc = asy_core_replay_tells(r->core, &step, err);

    for (size_t i = 0; rc == 0 && i < step.n_effects; i++) {
        const struct asy_effect *fx = &step.effects[i];
        struct heard *heard;

        if (fx->type != ASY_FX_TELL || fx->tell.state == ASY_OUTCOME_RUNNING)
            continue;
        heard = calloc(1, sizeof *heard + (fx->n_x + fx->n_values) * sizeof(double));
        if (!heard)
            return asy_fail(err, ASY_E_NOMEM, "no memory for an outcome");
        heard->seq = seq;
        heard->outcome = fx->tell;
        heard->outcome.x = memcpy(heard->numbers, fx->tell.x, fx->n_x * sizeof(double));
        heard->outcome.values = memcpy(heard->numbers + fx->n_x, fx->tell.values,
                                       fx->n_values * sizeof(double));
        *r->last = heard;
        r->last = &heard->next;
    }
    return rc;
}

static void count(struct asy__replay_result *result, enum asy_decided what)
{
    result->stops += what == ASY_DECIDED_STOP;
    result->pauses += what == ASY_DECIDED_PAUSE;
    result->promotions += what == ASY_DECIDED_PROMOTION;
    result->values += what == ASY_DECIDED_VALUE;
    result->lengths += what == ASY_DECIDED_LENGTH;
}

/* What the log alone decides, and then what the event changes. */
static int apply(struct asy__replay *r, const struct asy_event *ev, struct asy_error *err)
{
    struct asy_error why = ASY_ERROR_INIT;
    enum asy_decided what;
    int rc;

    if ((rc = asy_core_follows(r->core, ev, &what, &why)) < 0 ||
        (rc = asy_core_replay(r->core, ev, &why)) < 0)
        return found_if_corrupt(r, ev, rc, &why, err);
    count(&r->result, what);
    return hear(r, ev->seq, err);
}

int asy__replay_event(struct asy__replay *r, const struct asy_event *ev, struct asy_error *err)
{
    int rc = 0;

    if (r->over || r->result.differs)
        return r->result.differs;
    r->result.events++;
    if (ev->kind == ASY_EV_STUDY_CREATED)
        rc = study_created(r, ev, err);
    else if (!r->spec)
        return found(r, ev->seq, ev->trial, "the study's first event is missing");
    else if (ev->kind == ASY_EV_TRIAL_CREATED)
        rc = trial_created(r, ev, err);
    if (rc)
        return rc;
    if (ev->kind == ASY_EV_STUDY_STATE && ev->study_state.state >= ASY_STUDY_FINISHED) {
        r->over = 1; /* nothing more is decided */
        return flush(r, err);
    }
    return apply(r, ev, err);
}

int asy__replay_end(struct asy__replay *r, struct asy_error *err)
{
    return r->result.differs || !r->spec ? r->result.differs : flush(r, err);
}
