/* SPDX-License-Identifier: Apache-2.0
 * checker.c - the promises, held against the store at the end: what an agent or client was told
 * must be there, and what is there must make sense.
 *
 *  - a report told durable is in the store, as that attempt's and nobody else's;
 *  - an attempt is leased in the store before its agent hears of it, and to that agent;
 *  - each trial ends once, its results come from its newest attempt alone;
 *  - a request answered with success left its trace;
 *  - a checkpoint is never given out after it was dropped, and each lease starts from the newest;
 *  - an agent that comes back within the window after a restart keeps what it runs;
 *  - the sampler hears of each end once;
 *  - no core of a worker is leased to two open attempts, and when all is over nothing runs. */
#include "sim.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIALS_MAX 64
#define ATTEMPTS_MAX 64
#define KEPT_MAX 4 /* more than are kept */
#define REPORTS_MAX 512

struct told_lease {
    size_t study;
    uint64_t trial;
    uint32_t attempt, part, n_parts;
    struct asy_id agent;
};
struct told_mark {
    size_t study;
    uint64_t trial, durable;
    uint32_t attempt;
    int closed;
};
struct open_at_start {
    size_t study;
    uint64_t trial;
    uint32_t attempt;
};
struct sim_log {
    struct told_lease *leases;
    size_t n_leases;
    struct told_mark *marks;
    size_t n_marks;
    struct sim_pending_request *replies;
    size_t n_replies;
    struct open_at_start open[SIM_STUDIES_MAX * TRIALS_MAX];
    size_t n_open;
    int welcomes[SIM_AGENTS_MAX];      /* sent since the coordinator's start */
    char **dropped;
    size_t n_dropped;
    uint64_t heard[SIM_STUDIES_MAX];
    unsigned char sampler[SIM_STUDIES_MAX], ended[SIM_STUDIES_MAX][TRIALS_MAX];
    uint64_t latest[SIM_STUDIES_MAX][TRIALS_MAX]; /* 0, or the last outcome heard of a trial */
};

struct sim_log *sim_log_create(void)
{
    return calloc(1, sizeof(struct sim_log));
}

void sim_log_destroy(struct sim_log *log)
{
    if (!log)
        return;
    for (size_t i = 0; i < log->n_dropped; i++)
        free(log->dropped[i]);
    free(log->dropped);
    free(log->leases);
    free(log->marks);
    free(log->replies);
    free(log);
}

/* Room for one more in a log; the simulation has no use for going on without it. */
static void *one_more(void *items, size_t n, size_t size)
{
    if (n & (n - 1))
        return items;
    items = realloc(items, (n ? 2 * n : 1) * size);
    ASY_ASSERT(items, "no memory for the log");
    return items;
}

/* ---- told ------------------------------------------------------------------------------------ */

void sim_told_lease(struct sim *s, size_t agent, const struct asy_lease *lease)
{
    struct sim_log *log = s->log;
    const char *path = lease->from.attempt && lease->from.path ? lease->from.path : "";

    s->result->leases++;
    s->result->adopted += !asy_id_is_none(lease->adopts);
    s->result->spread += lease->n_placements > 0 && lease->part == 0;
    /* another part may hear late of what the lead has ended already */
    for (size_t i = 0; lease->part == 0 && i < log->n_dropped; i++)
        if (!strcmp(log->dropped[i], path))
            sim_fail(s, "a lease starts from the dropped checkpoint %s", path);
    log->leases = one_more(log->leases, log->n_leases, sizeof *log->leases);
    log->leases[log->n_leases++] = (struct told_lease){
        sim_study_index(s, lease->study), lease->trial, lease->attempt, lease->part,
        (uint32_t)lease->n_placements, s->agents[agent].id };
}

void sim_told_mark(struct sim *s, const struct sim_attempt *a, const struct asy_watermark *m)
{
    struct sim_log *log = s->log;

    if (m->durable == 0)
        return;
    log->marks = one_more(log->marks, log->n_marks, sizeof *log->marks);
    log->marks[log->n_marks++] =
        (struct told_mark){ a->study_index, a->trial, m->durable, a->attempt, m->closed };
}

void sim_told_reply(struct sim *s, const struct sim_pending_request *request)
{
    struct sim_log *log = s->log;

    log->replies = one_more(log->replies, log->n_replies, sizeof *log->replies);
    log->replies[log->n_replies++] = *request;
}

uint64_t sim_heard(const struct sim *s, size_t study)
{
    return s->log->heard[study];
}

static uint64_t mix(uint64_t h, uint64_t value)
{
    return (h ^ value) * UINT64_C(0x9e3779b97f4a7c15) >> 8;
}

/* As the tuner's contract has it, what a sampler knows are the latest outcomes, in any order. */
static void hear(struct sim *s, size_t study, const struct asy_outcome *tell)
{
    uint64_t bits = 0, h = mix(0x5eed, tell->number + 1);
    uint64_t *latest = &s->log->latest[study][tell->number];
    unsigned char *ended = &s->log->ended[study][tell->number];

    if (!isnan(tell->values[0]))
        memcpy(&bits, &tell->values[0], sizeof bits);
    h = mix(mix(mix(h, bits), tell->state), (uint64_t)(int64_t)tell->last_step);
    if (*ended || *latest == h)
        sim_fail(s, "the sampler of study %zu hears of %s of trial %llu twice", study,
                 *ended ? "the end" : "one outcome", (unsigned long long)tell->number);
    *ended = tell->state != ASY_OUTCOME_PRUNED;
    s->log->heard[study] ^= *latest ^ h;
    *latest = h;
}

void sim_told_compute(struct sim *s, size_t study, const struct asy_effect *fx)
{
    struct sim_log *log = s->log;

    if (fx->type == ASY_FX_DROP_FILE) {
        log->dropped = one_more(log->dropped, log->n_dropped, sizeof *log->dropped);
        log->dropped[log->n_dropped] = strdup(fx->file.path);
        ASY_ASSERT(log->dropped[log->n_dropped]);
        log->n_dropped++;
    } else if (fx->type == ASY_FX_SAMPLER) {
        log->sampler[study] = 1;
    } else if (!log->sampler[study]) {
        sim_fail(s, "a sampler is told something before it exists");
    } else if (fx->tell.state != ASY_OUTCOME_RUNNING && fx->tell.number < TRIALS_MAX) {
        hear(s, study, &fx->tell);
    }
}

void sim_log_restored(struct sim *s)
{
    struct sim_log *log = s->log;

    log->n_leases = log->n_marks = 0;
    for (size_t i = 0; i < log->n_replies; i++)
        log->replies[i].record = 0;
    for (size_t i = 0; i < log->n_dropped; i++)
        free(log->dropped[i]); /* an agent that does not find a file says so; not simulated */
    log->n_dropped = 0;
}

void sim_reattach_begin(struct sim *s)
{
    struct sim_log *log = s->log;

    log->n_open = 0;
    memset(log->welcomes, 0, sizeof log->welcomes);
    memset(log->sampler, 0, sizeof log->sampler);
    memset(log->heard, 0, sizeof log->heard);
    memset(log->ended, 0, sizeof log->ended);
    memset(log->latest, 0, sizeof log->latest);
    for (size_t i = 0; i < s->o->n_studies && !s->restored; i++)
        for (uint64_t t = 0; t < TRIALS_MAX; t++) {
            enum asy_trial_state state;
            uint32_t attempt;

            if (asy_core_trial_state(s->core, s->studies[i].id, t, &state, &attempt) &&
                (state == ASY_TRIAL_LEASED || state == ASY_TRIAL_RUNNING))
                log->open[log->n_open++] = (struct open_at_start){ i, t, attempt };
        }
}

static int was_open(const struct sim *s, const struct asy_holding *h)
{
    size_t study = sim_study_index(s, h->study);

    for (size_t i = 0; i < s->log->n_open; i++)
        if (s->log->open[i].study == study && s->log->open[i].trial == h->trial &&
            s->log->open[i].attempt == h->attempt)
            return 1;
    return 0;
}

void sim_sent_welcome(struct sim *s, size_t agent)
{
    s->log->welcomes[agent]++;
}

/* Of several parts another may have come back without it: its lease, or its end, was on the way. */
static int has_parts(const struct sim *s, const struct asy_holding *h)
{
    size_t study = sim_study_index(s, h->study);

    for (size_t i = 0; i < s->log->n_leases; i++)
        if (s->log->leases[i].study == study && s->log->leases[i].trial == h->trial &&
            s->log->leases[i].attempt == h->attempt && s->log->leases[i].n_parts)
            return 1;
    return 0;
}

/* What another store had leased: it may have the numbers of one of ours. */
static int of_another_store(const struct sim *s, size_t agent, const struct asy_holding *h)
{
    for (size_t i = 0; i < s->agents[agent].n_attempts; i++) {
        const struct sim_attempt *a = &s->agents[agent].attempts[i];

        if (asy_id_cmp(a->study, h->study) == 0 && a->trial == h->trial &&
            a->attempt == h->attempt && asy_id_cmp(a->store, s->store_id) != 0)
            return 1;
    }
    return 0;
}

/* Whoever comes back within the window keeps what it had. Where a first answer was lost with its
 * connection the agent had been there, and has the time of a closed connection from then on. */
void sim_told_welcome(struct sim *s, size_t agent, const struct asy_msg *msg)
{
    if (s->log->welcomes[agent] == 1 && s->now < s->started_ms + 9000)
        for (size_t i = 0; i < msg->welcome.n_kill; i++)
            if (was_open(s, &msg->welcome.kill[i]) && !has_parts(s, &msg->welcome.kill[i]) &&
                !of_another_store(s, agent, &msg->welcome.kill[i]))
                sim_fail(s, "trial %llu of study %zu is taken from its agent, which came back %lld "
                         "ms after the restart",
                         (unsigned long long)msg->welcome.kill[i].trial,
                         sim_study_index(s, msg->welcome.kill[i].study),
                         (long long)(s->now - s->started_ms));
}

/* ---- the store, read as history -------------------------------------------------------------- */

struct attempt {
    struct asy_id workers[SIM_AGENTS_MAX]; /* by part */
    unsigned char reports[REPORTS_MAX + 1]; /* kind of each number */
    int ended, lost;
};
struct trial {
    uint32_t newest;
    int created, ends;
    enum asy_trial_state state;
    enum asy_cause cause;
    double x, value;
    uint64_t step;
    struct kept {
        uint32_t attempt;
        uint64_t step;
    } kept[KEPT_MAX];         /* [n_kept] its checkpoints, oldest first */
    size_t n_kept;
    uint64_t milestone, valued; /* of its newest attempt; its last value's step */
    struct attempt *attempts; /* [ATTEMPTS_MAX + 1], by number */
    uint64_t parent;          /* 1 + its number; 0: none */
};
struct history {
    struct trial trials[SIM_STUDIES_MAX][TRIALS_MAX];
    struct using {
        struct asy_id worker;
        uint32_t core;
        size_t study;
        uint64_t trial;
    } *used;                  /* [n_used] cores of open attempts */
    size_t n_used;
    int created[SIM_STUDIES_MAX], over[SIM_STUDIES_MAX];
};

static struct trial *trial_of(struct sim *s, struct history *h, const struct asy_event *ev)
{
    size_t study = sim_study_index(s, ev->study);

    if (study == SIM_STUDIES_MAX || ev->trial >= TRIALS_MAX)
        return NULL;
    return &h->trials[study][ev->trial];
}

static void kept(struct sim *s, struct trial *t, const struct asy_event *ev)
{
    if (t->n_kept == KEPT_MAX)
        sim_fail(s, "trial %llu keeps over %d checkpoints", (unsigned long long)ev->trial,
                 KEPT_MAX);
    else
        t->kept[t->n_kept++] = (struct kept){ ev->attempt, ev->checkpoint.checkpoint.step };
}

static void dropped(struct sim *s, struct trial *t, const struct asy_event *ev)
{
    for (size_t i = 0; i < t->n_kept; i++)
        if (t->kept[i].attempt == ev->attempt &&
            t->kept[i].step == ev->checkpoint_dropped.checkpoint.step) {
            t->n_kept--;
            memmove(&t->kept[i], &t->kept[i + 1], (t->n_kept - i) * sizeof t->kept[0]);
            return;
        }
    sim_fail(s, "trial %llu drops a checkpoint that it does not have",
             (unsigned long long)ev->trial);
}

static void use(struct sim *s, struct history *h, struct asy_id worker, uint32_t core,
                const struct asy_event *ev)
{
    for (size_t i = 0; i < h->n_used; i++)
        if (h->used[i].core == core && asy_id_cmp(h->used[i].worker, worker) == 0)
            sim_fail(s, "core %u of a worker is leased to trial %llu and to trial %llu", core,
                     (unsigned long long)h->used[i].trial, (unsigned long long)ev->trial);
    h->used = one_more(h->used, h->n_used, sizeof *h->used);
    h->used[h->n_used++] = (struct using){ worker, core, sim_study_index(s, ev->study),
                                           ev->trial };
}

static void use_cores(struct sim *s, struct history *h, const struct asy_event *ev)
{
    uint32_t ranks = 0;

    for (size_t p = 0; p < ev->leased.n_placements; p++) {
        const struct asy_placement *place = &ev->leased.placements[p];

        ranks += place->ranks;
        for (size_t i = 0; i < place->n_cores; i++)
            use(s, h, place->worker, place->cores[i], ev);
    }
    if (ranks > 1 && ranks != s->o->studies[sim_study_index(s, ev->study)].ranks)
        sim_fail(s, "trial %llu has %u ranks", (unsigned long long)ev->trial, ranks);
}

static void free_cores(struct sim *s, struct history *h, const struct asy_event *ev)
{
    size_t study = sim_study_index(s, ev->study), n = 0;

    for (size_t i = 0; i < h->n_used; i++)
        if (h->used[i].study != study || h->used[i].trial != ev->trial)
            h->used[n++] = h->used[i];
    h->n_used = n;
}

static const struct kept *newest(const struct trial *t)
{
    static const struct kept none;

    return t && t->n_kept ? &t->kept[t->n_kept - 1] : &none;
}

/* One of a population starts from its parent's checkpoint until it has one of its own. */
static void leased(struct sim *s, struct history *h, struct trial *t, const struct asy_event *ev)
{
    const struct trial *parent =
        t->parent ? &h->trials[sim_study_index(s, ev->study)][t->parent - 1] : NULL;
    const struct kept *from = newest(t->n_kept ? t : parent);

    /* one that is adopted keeps its number, so some may be missing */
    if (ev->attempt <= t->newest || ev->attempt > ATTEMPTS_MAX ||
        (ev->attempt != t->newest + 1 && s->result->restores == 0))
        sim_fail(s, "trial %llu: attempt %u follows attempt %u", (unsigned long long)ev->trial,
                 ev->attempt, t->newest);
    else if (parent && !from->attempt)
        sim_fail(s, "trial %llu starts without its parent's checkpoint",
                 (unsigned long long)ev->trial);
    else if (t->newest > 0 && !t->attempts[t->newest].ended)
        sim_fail(s, "trial %llu: attempt %u is leased while %u is open",
                 (unsigned long long)ev->trial, ev->attempt, t->newest);
    else if (ev->leased.from.attempt != from->attempt || ev->leased.from.step != from->step)
        sim_fail(s, "trial %llu: attempt %u does not start from the newest checkpoint",
                 (unsigned long long)ev->trial, ev->attempt);
    else if (!t->attempts && !(t->attempts = calloc(ATTEMPTS_MAX + 1, sizeof *t->attempts)))
        sim_fail(s, "no memory for the check");
    else
        for (size_t p = 0; p < ev->leased.n_placements; p++)
            t->attempts[t->newest = ev->attempt].workers[p] = ev->leased.placements[p].worker;
    t->milestone = ev->leased.milestone;
    if (t->valued > from->step)
        t->valued = from->step;
}

static double who(const struct asy_event *ev)
{
    for (size_t i = 0; i < ev->report.n_metrics; i++)
        if (!strcmp(ev->report.metrics[i].name, "who"))
            return ev->report.metrics[i].value;
    return NAN;
}

/* Something an attempt said of itself. */
static void said(struct sim *s, struct trial *t, const struct asy_event *ev, uint64_t number,
                 double speaker)
{
    struct attempt *a = t->attempts && ev->attempt <= t->newest ? &t->attempts[ev->attempt] : NULL;

    if (!a || ev->attempt != t->newest || a->ended || t->ends)
        sim_fail(s, "event %llu counts for attempt %u of trial %llu, which is not its newest open "
                 "one", (unsigned long long)ev->seq, ev->attempt, (unsigned long long)ev->trial);
    else if (speaker != (double)ev->attempt)
        sim_fail(s, "what attempt %g of trial %llu reported counts for attempt %u", speaker,
                 (unsigned long long)ev->trial, ev->attempt);
    else if (number > REPORTS_MAX || (number > 0 && a->reports[number]))
        sim_fail(s, "report %llu of attempt %u of trial %llu counts twice",
                 (unsigned long long)number, ev->attempt, (unsigned long long)ev->trial);
    else
        a->reports[number] = (unsigned char)ev->kind;
    if (a && ev->kind == ASY_EV_ENDED) {
        a->ended = 1;
        a->lost = ev->ended.end == ASY_END_LOST;
    }
}

static void state(struct sim *s, struct trial *t, const struct asy_event *ev)
{
    if (t->ends)
        sim_fail(s, "trial %llu goes on after its end", (unsigned long long)ev->trial);
    if (ev->trial_state.state == ASY_TRIAL_PAUSED && t->valued < t->milestone)
        sim_fail(s, "trial %llu waits at a rung without a value", (unsigned long long)ev->trial);
    t->ends += asy_trial_state_ended(ev->trial_state.state) != 0;
    t->state = ev->trial_state.state;
    t->cause = ev->trial_state.cause;
    t->value = ev->trial_state.value;
    t->step = ev->trial_state.step;
}

static void read_event(struct sim *s, struct history *h, const struct asy_event *ev)
{
    struct trial *t = trial_of(s, h, ev);
    size_t study = sim_study_index(s, ev->study);

    switch (ev->kind) {
    case ASY_EV_STUDY_CREATED:
        h->created[study]++;
        return;
    case ASY_EV_STUDY_STATE:
        h->over[study] += ev->study_state.state >= ASY_STUDY_FINISHED;
        return;
    default:
        if (!t)
            return;
    }
    switch (ev->kind) {
    case ASY_EV_TRIAL_CREATED:
        t->created++;
        t->x = ev->trial_created.x[0];
        t->parent = ev->trial_created.parent;
        break;
    case ASY_EV_TRIAL_STATE:
        state(s, t, ev);
        break;
    case ASY_EV_LEASED:
        leased(s, h, t, ev);
        use_cores(s, h, ev);
        break;
    case ASY_EV_STARTED:
        said(s, t, ev, ev->started.report, (double)ev->started.pid);
        break;
    case ASY_EV_REPORT:
        said(s, t, ev, ev->report.report, who(ev));
        t->valued = ev->report.step;
        break;
    case ASY_EV_CHECKPOINT:
        said(s, t, ev, ev->checkpoint.report, ev->attempt);
        kept(s, t, ev);
        break;
    case ASY_EV_CHECKPOINT_DROPPED:
        dropped(s, t, ev);
        break;
    case ASY_EV_ENDED:
        said(s, t, ev, ev->ended.report, ev->attempt);
        free_cores(s, h, ev);
        break;
    default:
        break;
    }
}

/* ---- told against stored --------------------------------------------------------------------- */

static void check_leases(struct sim *s, struct history *h)
{
    for (size_t i = 0; i < s->log->n_leases; i++) {
        const struct told_lease *l = &s->log->leases[i];
        const struct trial *t = &h->trials[l->study][l->trial];

        if (!t->attempts || l->attempt > t->newest)
            sim_fail(s,
                     "an agent heard of attempt %u of trial %llu of study %zu, the store did not",
                     l->attempt, (unsigned long long)l->trial, l->study);
        else if (asy_id_cmp(t->attempts[l->attempt].workers[l->part], l->agent) != 0)
            sim_fail(s, "attempt %u of trial %llu of study %zu went to two agents", l->attempt,
                     (unsigned long long)l->trial, l->study);
    }
}

/* What a fenced attempt is told is that nothing of it is wanted, not that it is on disk. */
static void check_mark(struct sim *s, const struct trial *t, const struct told_mark *m)
{
    const struct attempt *a = t->attempts && m->attempt <= t->newest ? &t->attempts[m->attempt]
                                                                     : NULL;

    if (!a) {
        sim_fail(s, "attempt %u of trial %llu of study %zu was acknowledged, the store does not "
                 "know it", m->attempt, (unsigned long long)m->trial, m->study);
        return;
    }
    if (m->closed && !a->ended)
        sim_fail(s, "attempt %u of trial %llu of study %zu was told to be over and is not",
                 m->attempt, (unsigned long long)m->trial, m->study);
    if (m->closed && a->lost)
        return;
    for (uint64_t k = 1; k <= m->durable && k <= REPORTS_MAX; k++)
        if (!a->reports[k])
            sim_fail(s, "report %llu of attempt %u of trial %llu of study %zu was acknowledged and "
                     "is lost", (unsigned long long)k, m->attempt, (unsigned long long)m->trial,
                     m->study);
}

static void check_marks(struct sim *s, struct history *h)
{
    for (size_t i = 0; i < s->log->n_marks; i++)
        check_mark(s, &h->trials[s->log->marks[i].study][s->log->marks[i].trial],
                   &s->log->marks[i]);
}

static int tagged(const struct sim *s, uint64_t request)
{
    char text[24];

    snprintf(text, sizeof text, "%llu", (unsigned long long)request);
    for (size_t i = 0; i < s->n_durable; i++)
        if (s->events[i].kind == ASY_EV_TAG && !strcmp(s->events[i].tag.value, text))
            return 1;
    return 0;
}

static void check_replies(struct sim *s, struct history *h)
{
    for (size_t i = 0; i < s->log->n_replies; i++) {
        const struct sim_pending_request *r = &s->log->replies[i];

        if (r->record && !tagged(s, r->request))
            sim_fail(s, "a tag was confirmed and is lost");
        if (!h->created[r->study])
            sim_fail(s, "study %zu was confirmed and is lost", r->study);
    }
}

static void check_ends(struct sim *s, struct history *h)
{
    for (size_t i = 0; i < s->o->n_studies; i++) {
        if (h->created[i] != 1 || h->over[i] != 1)
            sim_fail(s, "study %zu: made %d times, over %d times at %lld ms", i, h->created[i],
                     h->over[i], (long long)s->now);
        for (size_t t = 0; t < TRIALS_MAX; t++)
            if (h->trials[i][t].created && h->trials[i][t].ends != 1)
                sim_fail(s, "trial %zu of study %zu has ended %d times", t, i,
                         h->trials[i][t].ends);
    }
}

static struct history *read_history(struct sim *s)
{
    struct history *h = calloc(1, sizeof *h);

    ASY_ASSERT(h, "no memory for the check");
    for (size_t i = 0; i < s->n_durable; i++)
        read_event(s, h, &s->events[i]);
    return h;
}

static void free_history(struct history *h)
{
    for (size_t i = 0; i < SIM_STUDIES_MAX; i++)
        for (size_t t = 0; t < TRIALS_MAX; t++)
            free(h->trials[i][t].attempts);
    free(h->used);
    free(h);
}

void sim_check(struct sim *s)
{
    struct history *h = read_history(s);

    check_leases(s, h);
    check_marks(s, h);
    check_replies(s, h);
    check_ends(s, h);
    if (sim_agents_busy(s))
        sim_fail(s, "an agent still runs something after all has ended");
    free_history(h);
}

/* ---- pictures -------------------------------------------------------------------------------- */

char *sim_table(const struct sim *s)
{
    struct sim copy = *s; /* reading history may complain; not here */
    struct sim_result result = { 0 };
    struct history *h;
    struct asy_buf buf;

    copy.result = &result;
    h = read_history(&copy);
    asy_buf_init(&buf, (size_t)1 << 24);
    for (size_t i = 0; i < s->o->n_studies; i++)
        for (size_t t = 0; t < TRIALS_MAX && h->trials[i][t].created; t++)
            asy_buf_addf(&buf, "%zu/%zu x=%.6f %s value=%.6f step=%" PRIu64 "\n", i, t,
                         h->trials[i][t].x, asy_trial_state_name(h->trials[i][t].state),
                         h->trials[i][t].value, h->trials[i][t].step);
    free_history(h);
    return asy_buf_take(&buf, NULL);
}

void sim_trace_event(struct sim *s, const struct asy_event *ev)
{
    struct asy_buf buf;
    struct asy_jsonw w;

    if (!s->o->trace)
        return;
    asy_buf_init(&buf, 1 << 16);
    asy_jsonw_init(&w, &buf, 0);
    asy_event_write_json(ev, &w, NULL);
    sim_trace(s, "event %s", buf.data);
    asy_buf_fini(&buf);
}

/* Why a study has not ended, as the core sees it. */
void sim_trace_waiting(struct sim *s)
{
    struct asy_buf buf;

    if (!s->o->trace || !s->core)
        return;
    asy_buf_init(&buf, 1 << 16);
    for (size_t i = 0; i < s->o->n_studies; i++) {
        char id[ASY_ID_TEXT];
        struct asy_jsonw w;

        asy_buf_clear(&buf);
        asy_jsonw_init(&w, &buf, 0);
        asy_jsonw_open(&w, NULL, '{');
        asy_id_format(s->studies[i].id, id);
        ASY_IGNORE(asy_core_write_study(s->core, NULL, id, &w, NULL)); /* it is over */
        ASY_IGNORE(asy_core_explain(s->core, NULL, id, -1, &w, NULL));   /* the same */
        asy_jsonw_close(&w, '}');
        sim_trace(s, "study %zu: %s", i, buf.data);
    }
    asy_buf_fini(&buf);
}
