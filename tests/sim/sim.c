/* SPDX-License-Identifier: Apache-2.0
 * sim.c - the clock: a heap of what happens when, and the loop that lets it happen. */
#include "sim.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 2000000 /* a run that needs more goes round in circles */

/* ---- small things ---------------------------------------------------------------------------- */

double sim_chance(struct sim *s)
{
    return asy_rng_double(&s->rng);
}

int sim_hits(struct sim *s, double p)
{
    return p > 0 && s->now < s->o->quiet_ms && sim_chance(s) < p;
}

int64_t sim_between(struct sim *s, int64_t lo, int64_t hi)
{
    return lo + (int64_t)asy_rng_below(&s->rng, (uint64_t)(hi - lo) + 1);
}

void sim_fail(struct sim *s, const char *fmt, ...)
{
    va_list args;

    if (s->result->failed)
        return;
    s->result->failed = 1;
    va_start(args, fmt);
    vsnprintf(s->result->why, sizeof s->result->why, fmt, args);
    va_end(args);
    sim_trace(s, "FAILED %s", s->result->why);
}

void sim_trace(struct sim *s, const char *fmt, ...)
{
    va_list args;

    if (!s->o->trace)
        return;
    printf("%8lld ", (long long)s->now);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
}

size_t sim_study_index(const struct sim *s, struct asy_id id)
{
    for (size_t i = 0; i < s->o->n_studies; i++)
        if (asy_id_cmp(s->studies[i].id, id) == 0)
            return i;
    return SIM_STUDIES_MAX;
}

/* ---- the heap -------------------------------------------------------------------------------- */

static int before(const struct sim_item *a, const struct sim_item *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void swap(struct sim_item *a, struct sim_item *b)
{
    struct sim_item t = *a;

    *a = *b;
    *b = t;
}

static void push(struct sim *s, struct sim_item item)
{
    size_t i = s->n_heap;

    if (s->n_heap == s->cap_heap) {
        s->cap_heap = s->cap_heap ? 2 * s->cap_heap : 256;
        s->heap = realloc(s->heap, s->cap_heap * sizeof *s->heap);
        ASY_ASSERT(s->heap);
    }
    item.order = ++s->order;
    s->heap[s->n_heap++] = item;
    for (; i > 0 && before(&s->heap[i], &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&s->heap[i], &s->heap[(i - 1) / 2]);
}

static struct sim_item pop(struct sim *s)
{
    struct sim_item top = s->heap[0];

    s->heap[0] = s->heap[--s->n_heap];
    for (size_t i = 0;;) {
        size_t least = i;

        for (size_t c = 2 * i + 1; c <= 2 * i + 2 && c < s->n_heap; c++)
            if (before(&s->heap[c], &s->heap[least]))
                least = c;
        if (least == i)
            return top;
        swap(&s->heap[i], &s->heap[least]);
        i = least;
    }
}

void sim_at(struct sim *s, int64_t at, enum sim_what what, uint64_t a, uint64_t b, uint64_t c)
{
    push(s, (struct sim_item){ .at = at, .what = what, .a = a, .b = b, .c = c });
}

/* The point is settled by what the sampler knows now; the answer takes a while. */
void sim_ask(struct sim *s, size_t study, uint64_t number, const double *fixed, uint64_t knew)
{
    struct sim_item item = { .at = s->now + sim_between(s, 0, 20), .what = SIM_ASKED, .a = study,
                             .b = number, .c = s->life, .knew = knew };
    struct sim_point point = { 0 };

    if (s->o->studies[study].sampler) { /* one thread answers, so its answers come in order */
        item.at = item.at > s->studies[study].answer_at ? item.at : s->studies[study].answer_at;
        s->studies[study].answer_at = item.at;
    }
    if (!s->o->studies[study].sampler) {
        item.d = s->o->history ? sim_heard(s, study) : 0;
    } else if (sim_search_ask(s, study, number, fixed, &point) == 0) {
        snprintf(item.source, sizeof item.source, "%s",
                 asy_sampler_drew(s->studies[study].sampler));
        item.n = sizeof point;
        ASY_ASSERT((item.bytes = malloc(item.n)));
        memcpy(item.bytes, &point, item.n);
    }
    push(s, item);
}

/* ---- the network ----------------------------------------------------------------------------- */

uint64_t sim_connect(struct sim *s, size_t agent)
{
    if (!s->core)
        return 0;
    if (s->n_conns + 1 >= s->cap_conns) {
        s->cap_conns = s->cap_conns ? 2 * s->cap_conns : 64;
        s->conns = realloc(s->conns, s->cap_conns * sizeof *s->conns);
        ASY_ASSERT(s->conns);
    }
    s->n_conns = s->n_conns ? s->n_conns + 1 : 1;
    s->conns[s->n_conns] = (struct sim_conn){ .agent = agent, .up = 1 };
    return s->n_conns;
}

/* The other side may hear of it soon, or only from silence. */
void sim_cut(struct sim *s, uint64_t peer)
{
    struct sim_conn *c = &s->conns[peer];

    if (!c->up)
        return;
    c->up = 0;
    sim_trace(s, "cut peer %llu", (unsigned long long)peer);
    if (sim_chance(s) < 0.6)
        sim_at(s, s->now + sim_between(s, 1, 500), SIM_CONN_NOTICED, peer, s->life, 0);
}

static int64_t delay(struct sim *s)
{
    return sim_chance(s) < 0.05 ? sim_between(s, 20, 400) : sim_between(s, 1, 10);
}

static void post(struct sim *s, uint64_t peer, const struct asy_msg *msg, int64_t *last,
                 enum sim_what what, int twice)
{
    struct asy_error err = ASY_ERROR_INIT;

    asy_buf_clear(&s->frame);
    if (asy_msg_encode(msg, &s->frame, &err)) {
        sim_fail(s, "cannot encode %s: %s", asy_msg_type_name(msg->type), err.text);
        return;
    }
    for (int i = 0; i <= twice; i++) {
        struct sim_item item = { .what = what, .a = peer, .b = s->life, .n = s->frame.len };

        item.at = s->now + delay(s);
        if (item.at < *last)
            item.at = *last;
        *last = item.at;
        if (!(item.bytes = malloc(s->frame.len + 1)))
            return;
        memcpy(item.bytes, s->frame.data, s->frame.len);
        push(s, item);
    }
}

void sim_send_to_coord(struct sim *s, uint64_t peer, const struct asy_msg *msg)
{
    struct sim_conn *c = &s->conns[peer];

    if (c->up && sim_hits(s, s->o->cut))
        sim_cut(s, peer);
    if (c->up)
        post(s, peer, msg, &c->last_to_coord, SIM_TO_COORD,
             msg->type == ASY_MSG_REPORTS && sim_hits(s, s->o->twice));
}

void sim_send_to_peer(struct sim *s, uint64_t peer, const struct asy_msg *msg)
{
    struct sim_conn *c = &s->conns[peer];

    if (msg->type == ASY_MSG_WELCOME && c->agent != SIM_AGENTS_MAX)
        sim_sent_welcome(s, c->agent);
    if (c->up && sim_hits(s, s->o->cut))
        sim_cut(s, peer);
    if (c->up)
        post(s, peer, msg, &c->last_to_peer,
             c->agent == SIM_AGENTS_MAX ? SIM_TO_CLIENT : SIM_TO_AGENT,
             sim_hits(s, s->o->twice));
    else if (!c->seen_down && sim_chance(s) < 0.5)
        sim_at(s, s->now, SIM_CONN_NOTICED, peer, s->life, 0);
}

/* ---- what happens ---------------------------------------------------------------------------- */

static void noticed(struct sim *s, const struct sim_item *item)
{
    struct asy_input input = { .type = ASY_IN_CLOSED, .peer = item->a };

    if (item->b != s->life || !s->core || s->conns[item->a].seen_down)
        return;
    s->conns[item->a].seen_down = 1;
    sim_coord_input(s, &input);
}

static void asked(struct sim *s, const struct sim_item *item)
{
    const struct sim_study_options *o = &s->o->studies[item->a];
    struct asy_input input = { .type = ASY_IN_ASKED };
    struct asy_rng rng;
    double x;

    if (item->c != s->life || !s->core)
        return;
    asy_rng_init(&rng, s->o->seed + item->a, item->b ^ item->d, ASY_RNG_SIM);
    x = asy_rng_double(&rng);
    input.asked.study = s->studies[item->a].id;
    input.asked.number = item->b;
    input.asked.x = &x;
    input.asked.source = "random";
    input.asked.needs_history = s->o->history;
    input.asked.knew = item->knew;
    if (o->sampler) {
        struct sim_point point = { .x = x };

        if (item->bytes)
            memcpy(&point, item->bytes, sizeof point);
        x = point.x;
        input.asked.origin = point.origin;
        input.asked.source = item->source;
        input.asked.needs_history = !s->studies[item->a].sampler ||
                                    asy_sampler_needs_history(s->studies[item->a].sampler);
    }
    if (o->sampler ? !item->bytes : o->exhausted_at && item->b >= o->exhausted_at) {
        input.asked.rc = ASY_E_FULL;
        input.asked.text = "no further point";
    }
    sim_coord_input(s, &input);
}

static void forgotten(struct sim *s, const struct sim_item *item)
{
    struct asy_input input = { .type = ASY_IN_FORGOTTEN };

    if (item->c != s->life || !s->core)
        return;
    input.forgotten.study = s->studies[item->a].id;
    sim_coord_input(s, &input);
}

static void to_agent(struct sim *s, struct sim_item *item)
{
    size_t i = s->conns[item->a].agent;
    struct sim_agent *agent = &s->agents[i];

    if (!s->conns[item->a].up || !agent->alive || agent->conn != item->a)
        return;
    if (agent->stopped_until > s->now) { /* it lies in the socket until the process goes on */
        struct sim_item later = *item;

        later.at = agent->stopped_until;
        item->bytes = NULL;
        push(s, later);
        return;
    }
    sim_agent_frame(s, i, item->a, item->bytes, item->n);
}

static int for_coordinator(const struct sim_item *item)
{
    return item->what == SIM_TO_COORD || item->what == SIM_CONN_NOTICED ||
           item->what == SIM_COMMITTED || item->what == SIM_TICK || item->what == SIM_ASKED ||
           item->what == SIM_FORGOTTEN;
}

/* The loop stands still: what is for it waits in its order, and then its lateness is made known. */
static int stalled(struct sim *s, struct sim_item *item)
{
    if (!s->core || !for_coordinator(item))
        return 0;
    if (s->now >= s->stalled_until && sim_hits(s, s->o->stalls)) {
        s->stall_ms = sim_between(s, 100, 20000);
        s->stalled_until = s->now + s->stall_ms;
        sim_trace(s, "coordinator stalls for %lld ms", (long long)s->stall_ms);
    }
    if (s->now < s->stalled_until) {
        struct sim_item later = *item;

        later.at = s->stalled_until;
        item->bytes = NULL;
        push(s, later);
        return 1;
    }
    if (s->stall_ms > 0)
        asy_core_was_late(s->core, s->stall_ms);
    s->stall_ms = 0;
    return 0;
}

static void happen(struct sim *s, struct sim_item *item)
{
    if (stalled(s, item))
        return;
    switch (item->what) {
    case SIM_TO_COORD:
        if (s->core && item->b == s->life && s->conns[item->a].up)
            sim_coord_frame(s, item->a, item->bytes, item->n);
        break;
    case SIM_TO_AGENT:
        to_agent(s, item);
        break;
    case SIM_TO_CLIENT:
        if (s->conns[item->a].up && s->client_conn == item->a)
            sim_client_frame(s, item->bytes, item->n);
        break;
    case SIM_CONN_NOTICED:
        noticed(s, item);
        break;
    case SIM_COMMITTED:
        if (item->a == s->life && s->core)
            sim_coord_committed(s);
        break;
    case SIM_START:
        sim_coord_start(s);
        break;
    case SIM_TICK:
        if (item->a == s->life && s->core && s->tick_at <= s->now)
            sim_coord_tick(s);
        break;
    case SIM_ASKED:
        asked(s, item);
        break;
    case SIM_FORGOTTEN:
        forgotten(s, item);
        break;
    case SIM_AGENT:
        sim_agent_run(s, item->a);
        break;
    case SIM_ATTEMPT:
        sim_agent_step(s, item->a, item->b);
        break;
    case SIM_CLIENT:
        sim_client_run(s);
        break;
    }
}

static int over(struct sim *s)
{
    return s->result->failed || s->now > s->o->limit_ms ||
           (s->n_finished == s->o->n_studies && sim_coord_quiet(s) && s->n_asked == 0 &&
            !sim_agents_busy(s));
}

static void loop(struct sim *s)
{
    sim_coord_start(s);
    for (size_t i = 0; i < s->o->n_agents; i++)
        sim_agent_start(s, i);
    sim_at(s, 1, SIM_CLIENT, 0, 0, 0);
    while (s->n_heap > 0 && !over(s)) {
        struct sim_item item = pop(s);

        s->now = item.at;
        if (++s->result->steps > STEPS_MAX)
            sim_fail(s, "no end after %d steps", STEPS_MAX);
        else
            happen(s, &item);
        free(item.bytes);
    }
    s->result->ended_ms = s->now;
}

static int set_up(struct sim *s, struct asy_error *err)
{
    int rc;

    asy_rng_init(&s->rng, s->o->seed, s->o->timing << 8, ASY_RNG_SIM);
    asy_buf_init(&s->frame, ASY_FRAME_MAX);
    s->store_id = asy_id_from(1, s->o->seed + 1);
    s->tick_at = SIM_NEVER;
    if (!(s->log = sim_log_create()))
        return asy_fail(err, ASY_E_NOMEM, "no memory for the simulation");
    if ((rc = asy_arena_create((size_t)1 << 30, &s->arena, err)))
        return rc;
    for (size_t i = 0; i < s->o->n_studies; i++) {
        s->studies[i].id = asy_id_from(1000 + i, s->o->seed);
        if (!(s->studies[i].spec = sim_spec(&s->o->studies[i], i, s->o->seed, err)))
            return err->code;
    }
    return 0;
}

static void tear_down(struct sim *s)
{
    sim_search_reset(s); /* its spaces are the core's */
    asy_core_destroy(s->core);
    asy_gate_destroy(s->gate);
    for (size_t i = 0; i < s->n_heap; i++)
        free(s->heap[i].bytes);
    for (size_t i = 0; i < SIM_AGENTS_MAX; i++)
        sim_agent_fini(&s->agents[i]);
    for (size_t i = 0; i < SIM_STUDIES_MAX; i++)
        free(s->studies[i].spec);
    sim_log_destroy(s->log);
    sim_room_reset(s);
    asy_arena_destroy(s->arena);
    asy_buf_fini(&s->frame);
    free(s->events);
    free(s->conns);
    free(s->commits);
    free(s->asked);
    free(s->heap);
    free(s);
}

int sim_run(const struct sim_options *options, struct sim_result *ret, struct asy_error *err)
{
    struct sim *s = calloc(1, sizeof *s);
    int rc;

    if (!s)
        return asy_fail(err, ASY_E_NOMEM, "no memory for the simulation");
    *ret = (struct sim_result){ 0 };
    s->o = options;
    s->result = ret;
    if ((rc = set_up(s, err)) == 0) {
        loop(s);
        sim_trace_waiting(s);
        if (!ret->failed)
            sim_check(s);
        if (!ret->failed)
            sim_replay(s);
        ret->table = sim_table(s);
    }
    tear_down(s);
    return rc;
}

/* ---- options --------------------------------------------------------------------------------- */

static void draw_study(struct sim_study_options *o, struct asy_rng *rng)
{
    static const char *const pruners[] = { "none", "median", "asha" };

    *o = (struct sim_study_options){
        .pruner = pruners[asy_rng_below(rng, 3)],
        .checkpoint = asy_rng_below(rng, 4) > 0,
        .trials = 1 + asy_rng_below(rng, 8),
        .length = 1 + asy_rng_below(rng, 8),
        .parallel = asy_rng_below(rng, 4) ? 0 : 1 + asy_rng_below(rng, 3),
        .lag = 1 + asy_rng_below(rng, 6),
        .cores = 1 + (uint32_t)asy_rng_below(rng, 3),
        .ranks = 1,
        .priority = (int64_t)asy_rng_below(rng, 3),
        .retries = (int64_t)asy_rng_below(rng, 4),
        .time_ms = asy_rng_below(rng, 8) ? 0 : 5000 + (int64_t)asy_rng_below(rng, 20000),
        .exhausted_at = asy_rng_below(rng, 6) ? 0 : 1 + asy_rng_below(rng, 4),
        .target = asy_rng_below(rng, 6) ? NAN : 0.4,
    };
    o->deterministic = o->time_ms == 0 && strcmp(o->pruner, "median") != 0 &&
                       (o->checkpoint || !strcmp(o->pruner, "none")) && asy_rng_below(rng, 3) == 0;
    o->checkpoint_first = !o->deterministic && asy_rng_below(rng, 3) == 0;
}

/* From numbers of its own, and only what an agent could hold. */
static void draw_gpus(struct sim_options *o)
{
    static const uint32_t parts[] = { 0, 1, 2500, 3333, 5000, 6000, 10000, 20000 };
    struct asy_rng rng;

    asy_rng_init(&rng, o->seed, 2, ASY_RNG_SIM);
    o->agent_gpus = (uint32_t)asy_rng_below(&rng, SIM_GPUS_MAX + 1);
    for (size_t i = 0; i < o->n_studies; i++) {
        uint32_t gpus = parts[asy_rng_below(&rng, ASY_ARRAY_LEN(parts))];

        o->studies[i].gpus = gpus <= o->agent_gpus * ASY_GPU_WHOLE ? gpus : 0;
    }
}

/* That an agent could hold, by cores and by GPUs; a rank of a model has one GPU at most. */
static uint32_t ranks_of_agent(const struct sim_options *o, const struct sim_study_options *study)
{
    uint32_t by_cores = o->agent_cores / study->cores, by_gpus = by_cores;

    if (study->gpus > 0)
        by_gpus = ASY_GPU_WHOLE / study->gpus * o->agent_gpus;
    return by_gpus < by_cores ? by_gpus : by_cores;
}

/* From numbers of its own, and only what all agents together could hold. */
static void draw_ranks(struct sim_options *o)
{
    struct asy_rng rng;

    asy_rng_init(&rng, o->seed, 3, ASY_RNG_SIM);
    for (size_t i = 0; i < o->n_studies; i++) {
        struct sim_study_options *study = &o->studies[i];
        uint32_t ranks = 2 + (uint32_t)asy_rng_below(&rng, 6);

        if (asy_rng_below(&rng, 2) ||
            ranks > (uint32_t)o->n_agents * (o->agent_cores / study->cores))
            continue;
        study->ranks = ranks;
        study->checkpoint = 1;
        if (ranks > (uint32_t)o->n_agents * ranks_of_agent(o, study))
            study->gpus = 0;
    }
}

/* From numbers of its own. */
static void draw_restores(struct sim_options *o, double level)
{
    struct asy_rng rng;

    asy_rng_init(&rng, o->seed, 4, ASY_RNG_SIM);
    if (asy_rng_below(&rng, 3) == 0)
        o->restores = 0.5 * level;
    o->foreign = (enum asy_foreign)asy_rng_below(&rng, 3);
    o->old_agents = asy_rng_below(&rng, 2) == 0;
    for (size_t i = 0; i < o->n_studies; i++)
        if (o->studies[i].ranks > 1)
            o->old_agents = 0; /* they know no gang of several agents, which it may take */
}

/* From numbers of its own: many small trials, and beside them some that need all cores of an agent,
 * or all but one. */
static void draw_crowd(struct sim_options *o)
{
    struct sim_study_options *small = &o->studies[0], *large = &o->studies[1];
    struct asy_rng rng;

    asy_rng_init(&rng, o->seed, 5, ASY_RNG_SIM);
    if (o->n_studies < 2 || asy_rng_below(&rng, 4))
        return;
    small->cores = small->ranks = large->ranks = 1;
    small->gpus = large->gpus = 0;
    small->trials = 8 + asy_rng_below(&rng, 16);
    small->parallel = asy_rng_below(&rng, 3);
    large->cores = o->agent_cores - (uint32_t)asy_rng_below(&rng, 2);
    large->priority = small->priority;
}

/* From numbers of its own: a population, whose trials start from each other's checkpoints. */
static void draw_population(struct sim_options *o)
{
    static const char *const samplers[] = { "{name: pbt, population: 2, interval: 1}",
                                            "{name: pbt, population: 3, interval: 2}",
                                            "{name: pbt, population: 5, interval: 1}" };
    struct sim_study_options *study = &o->studies[0];
    struct asy_rng rng;

    asy_rng_init(&rng, o->seed, 6, ASY_RNG_SIM);
    if (asy_rng_below(&rng, 6) || study->ranks > 1)
        return;
    study->sampler = samplers[asy_rng_below(&rng, ASY_ARRAY_LEN(samplers))];
    study->pruner = "none";
    study->checkpoint = 1;
    study->exhausted_at = 0;
    study->length = 2 + asy_rng_below(&rng, 6);
    study->trials = 4 + asy_rng_below(&rng, 28);
}

void sim_options_draw(struct sim_options *o, uint64_t seed)
{
    struct asy_rng rng;
    double level;

    asy_rng_init(&rng, seed, 1, ASY_RNG_SIM);
    level = asy_rng_below(&rng, 8) ? asy_rng_double(&rng) : 0;
    *o = (struct sim_options){
        .seed = seed,
        .n_agents = 1 + asy_rng_below(&rng, 4),
        .n_studies = 1 + asy_rng_below(&rng, 3),
        .agent_cores = 3 + (uint32_t)asy_rng_below(&rng, 4),
        .crash_commit = 0.02 * level, .crash_send = 0.01 * level, .disk_full = 0.01 * level,
        .stalls = 0.0005 * level, .cut = 0.03 * level, .twice = 0.1 * level,
        .agent_dies = 0.02 * level, .agent_stops = 0.03 * level,
        .attempt_crashes = 0.03 * level, .refuses = 0.05 * level,
        .control = 0.2 * level,
        .history = (int)asy_rng_below(&rng, 2),
        .quiet_ms = 20000, .limit_ms = 400000,
    };
    for (size_t i = 0; i < o->n_studies; i++)
        draw_study(&o->studies[i], &rng);
    draw_gpus(o);
    draw_ranks(o);
    draw_crowd(o);
    draw_restores(o, level);
    draw_population(o);
}
