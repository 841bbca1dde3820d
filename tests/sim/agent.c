/* SPDX-License-Identifier: Apache-2.0
 * agent.c - simulated agents, as docs/protocol.md has them: they greet with what they hold, run
 * what they were leased, number their reports and send again whatever is above the watermark. */
#include "sim.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEAT_MS 1000
#define DEAF_MS 6000   /* nothing heard for so long: the connection is given up */
#define RESEND_EVERY 4 /* looks */
#define REPORTS_MAX 512

static const char *const gpu_names[SIM_GPUS_MAX] = { "G0", "G1", "G2" };

double sim_value(double x, uint64_t step)
{
    return fabs(x - 0.3) + 1.0 / (1.0 + (double)step);
}

static void forget(struct sim_agent *agent, size_t i)
{
    free(agent->attempts[i].reports);
    agent->attempts[i] = agent->attempts[--agent->n_attempts];
}

void sim_agent_fini(struct sim_agent *agent)
{
    while (agent->n_attempts > 0)
        forget(agent, agent->n_attempts - 1);
    free(agent->attempts);
    agent->attempts = NULL;
}

/* foreign: of another store than the one that its agent speaks with. */
static int is_foreign(const struct sim_agent *agent, const struct sim_attempt *a)
{
    return asy_id_cmp(a->store, agent->store) != 0;
}

static struct sim_attempt *find_of(struct sim_agent *agent, struct asy_id study, uint64_t trial,
                                   uint32_t attempt, int foreign)
{
    for (size_t i = 0; i < agent->n_attempts; i++) {
        struct sim_attempt *a = &agent->attempts[i];

        if (asy_id_cmp(a->study, study) == 0 && a->trial == trial && a->attempt == attempt &&
            is_foreign(agent, a) == foreign)
            return a;
    }
    return NULL;
}

static struct sim_attempt *find(struct sim_agent *agent, struct asy_id study, uint64_t trial,
                                uint32_t attempt)
{
    return find_of(agent, study, trial, attempt, 0);
}

/* store none: any. */
static struct sim_attempt *find_in(struct sim_agent *agent, struct asy_id store,
                                   struct asy_id study, uint64_t trial, uint32_t attempt)
{
    struct sim_attempt *a = NULL;

    if (asy_id_is_none(store) || asy_id_cmp(store, agent->store) == 0)
        a = find(agent, study, trial, attempt);
    return a || asy_id_cmp(store, agent->store) == 0 ? a
                                                     : find_of(agent, study, trial, attempt, 1);
}

static void greet(struct sim *s, struct sim_agent *agent);

/* ---- reports --------------------------------------------------------------------------------- */

static void write_report(const struct sim_attempt *a, const struct sim_report *r,
                         struct asy_metric *metrics, char *path, size_t n, struct asy_report *out)
{
    *out = (struct asy_report){ .study = a->study, .trial = a->trial, .attempt = a->attempt,
                                .epoch = a->epoch, .number = r->number };
    out->event.kind = r->kind;
    switch (r->kind) {
    case ASY_EV_STARTED:
        out->event.started.pid = a->attempt;
        out->event.started.host = "sim";
        break;
    case ASY_EV_REPORT:
        metrics[0] = (struct asy_metric){ a->native ? "val_loss" : "loss", r->value };
        metrics[1] = (struct asy_metric){ "who", a->attempt };
        out->event.report.step = r->step;
        out->event.report.metrics = metrics;
        out->event.report.n_metrics = 2;
        break;
    case ASY_EV_CHECKPOINT:
        snprintf(path, n, "%zu/%llu/%u/%llu", a->study_index, (unsigned long long)a->trial,
                 a->attempt, (unsigned long long)r->step);
        out->event.checkpoint.checkpoint.attempt = a->attempt;
        out->event.checkpoint.checkpoint.step = r->step;
        out->event.checkpoint.checkpoint.bytes = 10 + r->step;
        out->event.checkpoint.checkpoint.path = path;
        break;
    default:
        out->event.ended.end = r->end;
        out->event.ended.step = r->step;
        out->event.ended.objective = NAN;
        out->event.ended.text = asy_end_name(r->end);
        if (r->end == ASY_END_CRASHED)
            out->event.ended.cause = ASY_CAUSE_EXIT_CODE;
    }
}

/* All reports from number `first` on, in one frame. */
static void send_reports(struct sim *s, struct sim_agent *agent, const struct sim_attempt *a,
                         uint64_t first)
{
    struct asy_report reports[REPORTS_MAX];
    struct asy_metric metrics[REPORTS_MAX][2];
    char paths[REPORTS_MAX][64];
    struct asy_msg msg = { .type = ASY_MSG_REPORTS, .session = agent->session };
    size_t n = 0;

    if (!agent->welcomed || first > a->n_reports || is_foreign(agent, a))
        return;
    for (size_t i = first - 1; i < a->n_reports && n < REPORTS_MAX; i++, n++)
        write_report(a, &a->reports[i], metrics[n], paths[n], sizeof paths[n], &reports[n]);
    msg.reports.reports = reports;
    msg.reports.n_reports = n;
    sim_send_to_coord(s, agent->conn, &msg);
}

static void report(struct sim *s, struct sim_agent *agent, struct sim_attempt *a,
                   struct sim_report r)
{
    if (a->n_reports >= REPORTS_MAX) {
        sim_fail(s, "attempt with over %d reports", REPORTS_MAX);
        return;
    }
    if (!a->reports && !(a->reports = calloc(REPORTS_MAX, sizeof *a->reports))) {
        sim_fail(s, "no memory for reports");
        return;
    }
    r.number = a->n_reports + 1;
    a->reports[a->n_reports++] = r;
    if (r.kind == ASY_EV_ENDED)
        a->running = 0;
    send_reports(s, agent, a, r.number);
}

static void end(struct sim *s, struct sim_agent *agent, struct sim_attempt *a, enum asy_end how)
{
    report(s, agent, a, (struct sim_report){ .kind = ASY_EV_ENDED, .end = how, .step = a->step });
    if (agent->welcomed && is_foreign(agent, a))
        greet(s, agent); /* its offer says that it runs */
}

/* ---- running --------------------------------------------------------------------------------- */

static void say(struct sim *s, struct sim_agent *agent, struct sim_attempt *a, int checkpoint)
{
    struct sim_report r = { .kind = checkpoint ? ASY_EV_CHECKPOINT : ASY_EV_REPORT,
                            .step = a->step };

    if (!checkpoint)
        r.value = sim_value(a->x, a->step);
    report(s, agent, a, r);
}

/* A step: its value and its checkpoint, if one is due, in the program's order. It may end between
 * the two. */
static void run_on(struct sim *s, struct sim_agent *agent, struct sim_attempt *a)
{
    const struct sim_study_options *o = &s->o->studies[a->study_index];
    int due;

    if (a->step >= o->length && !a->half_said) { /* it had done everything before */
        end(s, agent, a, ASY_END_COMPLETE);
        return;
    }
    a->step += !a->half_said;
    due = o->checkpoint && (a->step % 2 == 0 || a->step >= a->milestone);
    say(s, agent, a, due && o->checkpoint_first != a->half_said);
    a->half_said = due && !a->half_said;
    if (a->half_said)
        return;
    if (a->step >= o->length)
        end(s, agent, a, ASY_END_COMPLETE);
    else if (a->step >= a->milestone)
        end(s, agent, a, ASY_END_PAUSED);
}

/* ---- parts ----------------------------------------------------------------------------------- */

static void tell_part(struct sim *s, const struct sim_agent *agent, const struct sim_attempt *a,
                      uint32_t to, enum asy_part_kind kind, const char *text)
{
    struct asy_msg msg = { .type = ASY_MSG_PART, .session = agent->session };

    if (!agent->welcomed)
        return;
    msg.part.study = a->study;
    msg.part.trial = a->trial;
    msg.part.attempt = a->attempt;
    msg.part.epoch = a->epoch;
    msg.part.to = to;
    msg.part.kind = kind;
    msg.part.text = text;
    sim_send_to_coord(s, agent->conn, &msg);
}

static void hear_part(struct sim *s, struct sim_agent *agent, const struct asy_msg *msg)
{
    struct sim_attempt *a = find(agent, msg->part.study, msg->part.trial, msg->part.attempt);

    if (!a || !a->running || a->epoch != msg->part.epoch)
        return;
    if (msg->part.to != a->part || msg->part.from >= a->n_parts)
        sim_fail(s, "part %u hears what is for part %u", a->part, msg->part.to);
    else if (msg->part.kind == ASY_PART_START && !a->broken)
        tell_part(s, agent, a, 0, ASY_PART_READY, "");
    else if (msg->part.kind == ASY_PART_READY)
        a->ready |= 1u << msg->part.from;
    else if (msg->part.kind == ASY_PART_FAILED)
        end(s, agent, a, strcmp(msg->part.text, "refused") ? ASY_END_CRASHED : ASY_END_REFUSED);
}

/* 1: every member runs. Asked again until they say so. */
static int all_ready(struct sim *s, const struct sim_agent *agent, const struct sim_attempt *a)
{
    int all = 1;

    for (uint32_t p = 1; p < a->n_parts; p++)
        if (!(a->ready & 1u << p)) {
            tell_part(s, agent, a, p, ASY_PART_START, "");
            all = 0;
        }
    return all;
}

static void member_step(struct sim *s, const struct sim_agent *agent, struct sim_attempt *a)
{
    if (!a->broken && sim_hits(s, s->o->attempt_crashes))
        a->broken = ASY_END_CRASHED;
    if (a->broken)
        tell_part(s, agent, a, 0, ASY_PART_FAILED,
                  a->broken == ASY_END_REFUSED ? "refused" : "crashed");
}

void sim_agent_step(struct sim *s, size_t i, uint64_t serial)
{
    struct sim_agent *agent = &s->agents[i];
    struct sim_attempt *a = NULL;

    for (size_t k = 0; k < agent->n_attempts; k++)
        if (agent->attempts[k].serial == serial)
            a = &agent->attempts[k];
    if (!a || !a->running)
        return;
    if (agent->stopped_until > s->now) {
        sim_at(s, agent->stopped_until, SIM_ATTEMPT, i, serial, 0);
        return;
    }
    if (a->part > 0)
        member_step(s, agent, a);
    else if (!all_ready(s, agent, a) && !a->cancel)
        ; /* it begins when they do */
    else if (a->n_reports == 0)
        report(s, agent, a, (struct sim_report){ .kind = ASY_EV_STARTED });
    else if (a->cancel == ASY_CANCEL_STOP)
        end(s, agent, a, ASY_END_STOPPED);
    else if (a->cancel == ASY_CANCEL_PAUSE && s->o->studies[a->study_index].checkpoint)
        end(s, agent, a, ASY_END_PAUSED);
    else if (a->cancel == ASY_CANCEL_PAUSE)
        end(s, agent, a, ASY_END_PREEMPTED);
    else if (sim_hits(s, s->o->attempt_crashes))
        end(s, agent, a, ASY_END_CRASHED);
    else
        run_on(s, agent, a);
    if (a->running)
        sim_at(s, s->now + sim_between(s, 20, 300), SIM_ATTEMPT, i, serial, 0);
}

/* ---- leases ---------------------------------------------------------------------------------- */

static double read_x(const char *params)
{
    struct asy_json *root = NULL;
    double x = NAN;

    if (params && asy_json_parse(params, strlen(params), &root, NULL) == 0)
        x = asy_json_f64(asy_json_get(root, "x"), asy_json_f64(asy_json_get(root, "lr"), NAN));
    asy_json_destroy(root);
    return x;
}

static void check_cores(struct sim *s, const struct sim_agent *agent, const struct asy_lease *l)
{
    for (size_t k = 0; k < l->placement.n_cores; k++) {
        uint32_t core = l->placement.cores[k];

        if (core >= s->o->agent_cores)
            sim_fail(s, "a lease names core %u", core);
        for (size_t i = 0; i < agent->n_attempts; i++)
            for (size_t c = 0; c < agent->attempts[i].n_cores; c++)
                if (agent->attempts[i].running && agent->attempts[i].cores[c] == core)
                    sim_fail(s, "core %u is leased twice", core);
    }
}

/* No device is ever given out by more than the whole of it. */
static void take_gpus(struct sim *s, const struct sim_agent *agent, const struct asy_lease *l,
                      struct sim_attempt *a)
{
    uint32_t want = s->o->studies[a->study_index].gpus * l->placement.ranks, sum = 0;

    for (size_t k = 0; k < l->placement.n_gpus; k++) {
        uint32_t g = 0, used;

        while (g < s->o->agent_gpus && strcmp(l->placement.gpus[k], gpu_names[g]))
            g++;
        if (g == s->o->agent_gpus || l->placement.n_gpu_shares != l->placement.n_gpus) {
            sim_fail(s, "a lease names GPU '%s'", l->placement.gpus[k]);
            return;
        }
        a->gpus[g] += l->placement.gpu_shares[k];
        sum += l->placement.gpu_shares[k];
        used = a->gpus[g];
        for (size_t i = 0; i < agent->n_attempts; i++)
            used += agent->attempts[i].running ? agent->attempts[i].gpus[g] : 0;
        if (used > ASY_GPU_WHOLE)
            sim_fail(s, "%u of 10000 parts of GPU %u are leased", used, g);
    }
    if (sum != want)
        sim_fail(s, "a lease has %u of 10000 parts of GPUs, not %u", sum, want);
}

static void check_spec(struct sim *s, struct sim_agent *agent, const struct asy_lease *l)
{
    for (size_t i = 0; i < agent->n_specs; i++)
        if (!memcmp(agent->specs[i].b, l->spec_id.b, sizeof l->spec_id.b))
            return;
    if (!l->spec)
        sim_fail(s, "a lease names a spec that its agent was never sent");
    else if (agent->n_specs < SIM_STUDIES_MAX)
        agent->specs[agent->n_specs++] = l->spec_id;
}

/* 1: what it holds of another store goes on under this lease. */
static int adopt(struct sim *s, size_t i, const struct asy_lease *l)
{
    struct sim_agent *agent = &s->agents[i];
    struct sim_attempt *a = find_of(agent, l->study, l->trial, l->adopts_attempt, 1);

    if (agent->minor == 0)
        sim_fail(s, "an agent of 1.0 is told to adopt");
    if (!a || asy_id_cmp(a->store, l->adopts) != 0)
        return 0;
    sim_told_lease(s, i, l);
    check_spec(s, agent, l);
    if (a->milestone != l->milestone || a->seed != l->seed ||
        a->x != read_x(l->params))
        sim_fail(s, "trial %llu is given an attempt of another", (unsigned long long)l->trial);
    a->store = agent->store;
    a->attempt = l->attempt;
    a->epoch = l->epoch;
    a->durable = 0;
    a->cancel = 0;
    send_reports(s, agent, a, 1);
    return 1;
}

static void take_lease(struct sim *s, size_t i, const struct asy_lease *l)
{
    struct sim_agent *agent = &s->agents[i];
    struct sim_attempt a = {
        .study = l->study, .study_index = sim_study_index(s, l->study), .trial = l->trial,
        .epoch = l->epoch, .milestone = l->milestone, .step = l->from.step, .serial = ++s->serial,
        .attempt = l->attempt, .x = read_x(l->params), .running = 1, .part = l->part,
        .n_parts = (uint32_t)l->n_placements, .store = agent->store, .seed = l->seed,
        .from = l->from, .ranks = l->placement.ranks, .memory = l->placement.memory,
    };
    struct sim_attempt *grown;

    int refuses = agent->draining || !asy_id_is_none(l->adopts) ||
                  find_of(agent, l->study, l->trial, l->attempt, 1);

    if (find(agent, l->study, l->trial, l->attempt)) /* the frame came twice */
        return;
    if (!asy_id_is_none(l->adopts) && adopt(s, i, l))
        return;
    a.from.path = NULL;
    ASY_ASSERT(asy_sha_bytes(l->params, strlen(l->params), &a.params, NULL) == 0);
    sim_told_lease(s, i, l);
    if (asy_id_is_none(l->adopts))
        check_cores(s, agent, l);
    check_spec(s, agent, l);
    if (isnan(a.x) || l->placement.n_cores > ASY_ARRAY_LEN(a.cores) ||
        a.study_index == SIM_STUDIES_MAX) {
        sim_fail(s, "a lease without parameters, of an unknown study or with too many cores");
        return;
    }
    take_gpus(s, agent, l, &a);
    a.native = s->o->studies[a.study_index].ranks > 1;
    a.n_cores = l->placement.n_cores;
    memcpy(a.cores, l->placement.cores, a.n_cores * sizeof a.cores[0]);
    if (!(grown = realloc(agent->attempts, (agent->n_attempts + 1) * sizeof *grown))) {
        sim_fail(s, "no memory for an attempt");
        return;
    }
    agent->attempts = grown;
    agent->attempts[agent->n_attempts++] = a;
    if (refuses || sim_hits(s, s->o->refuses)) {
        if (a.part == 0)
            end(s, agent, &agent->attempts[agent->n_attempts - 1], ASY_END_REFUSED);
        else
            agent->attempts[agent->n_attempts - 1].broken = ASY_END_REFUSED;
    }
    if (agent->attempts[agent->n_attempts - 1].running)
        sim_at(s, s->now + sim_between(s, 5, 100), SIM_ATTEMPT, i, a.serial, 0);
}

/* ---- messages -------------------------------------------------------------------------------- */

static void take_mark(struct sim *s, size_t i, const struct asy_watermark *m)
{
    struct sim_agent *agent = &s->agents[i];
    struct sim_attempt *a = find(agent, m->study, m->trial, m->attempt);

    if (!a)
        return;
    sim_told_mark(s, a, m);
    if (m->closed) {
        forget(agent, (size_t)(a - agent->attempts));
        return;
    }
    if (m->durable > a->n_reports)
        sim_fail(s, "watermark %llu of %zu reports", (unsigned long long)m->durable, a->n_reports);
    if (m->durable > a->durable)
        a->durable = m->durable;
}

static void welcomed(struct sim *s, size_t i, const struct asy_msg *msg)
{
    struct sim_agent *agent = &s->agents[i];

    if (msg->welcome.owner_epoch < agent->owner_epoch) {
        sim_fail(s, "an earlier owner's WELCOME");
        return;
    }
    sim_told_welcome(s, i, msg);
    agent->session = msg->session;
    agent->store = msg->welcome.store;
    agent->owner_epoch = msg->welcome.owner_epoch;
    agent->welcomed = 1;
    agent->draining = 0;
    agent->n_specs = 0;
    for (size_t k = 0; k < msg->welcome.n_kill; k++) {
        const struct asy_holding *h = &msg->welcome.kill[k];
        struct sim_attempt *a = find_in(agent, h->offer ? h->offer->store : ASY_ID_NONE, h->study,
                                        h->trial, h->attempt);

        if (a)
            forget(agent, (size_t)(a - agent->attempts));
    }
    /* gangs are not offered: another store's are over */
    for (size_t k = agent->n_attempts; k-- > 0;)
        if (agent->attempts[k].n_parts > 1 &&
            asy_id_cmp(agent->attempts[k].store, agent->store) != 0)
            forget(agent, k);
    for (size_t k = 0; k < msg->welcome.n_marks; k++)
        take_mark(s, i, &msg->welcome.marks[k]);
    for (size_t k = 0; k < agent->n_attempts; k++)
        send_reports(s, agent, &agent->attempts[k], agent->attempts[k].durable + 1);
}

static void cancelled(struct sim_agent *agent, const struct asy_msg *msg)
{
    struct asy_id store = asy_id_is_none(msg->cancel.store) ? agent->store : msg->cancel.store;
    struct sim_attempt *a = find_in(agent, store, msg->cancel.study, msg->cancel.trial,
                                    msg->cancel.attempt);

    if (!a || a->epoch != msg->cancel.epoch)
        return;
    if (msg->cancel.mode == ASY_CANCEL_KILL)
        forget(agent, (size_t)(a - agent->attempts));
    else if ((int)msg->cancel.mode > a->cancel)
        a->cancel = msg->cancel.mode;
}

struct offered {
    struct asy_offer offer;
    const char *gpus[SIM_GPUS_MAX];
    uint32_t shares[SIM_GPUS_MAX];
};

static const struct asy_offer *offer(const struct sim_attempt *a, struct offered *o)
{
    size_t n = 0;

    for (size_t g = 0; g < SIM_GPUS_MAX; g++)
        if (a->gpus[g]) {
            o->gpus[n] = gpu_names[g];
            o->shares[n++] = a->gpus[g];
        }
    o->offer = (struct asy_offer){ .store = a->store, .first = 1, .milestone = a->milestone,
                                   .step = a->step, .seed = a->seed, .params = a->params,
                                   .from = a->from };
    o->offer.placement = (struct asy_placement){
        .ranks = a->ranks, .cores = a->cores, .n_cores = a->n_cores, .memory = a->memory,
        .gpus = o->gpus, .n_gpus = n, .gpu_shares = o->shares, .n_gpu_shares = n };
    return &o->offer;
}

static void greet(struct sim *s, struct sim_agent *agent)
{
    struct asy_holding holdings[64];
    struct offered offers[64];
    uint32_t groups[16];
    struct asy_gpu gpus[SIM_GPUS_MAX];
    struct asy_msg msg = { .type = ASY_MSG_HELLO };
    size_t n = 0;

    for (; n < agent->n_attempts && n < ASY_ARRAY_LEN(holdings); n++) {
        const struct sim_attempt *a = &agent->attempts[n];

        holdings[n] = (struct asy_holding){ a->study, a->trial, a->attempt, a->epoch, a->running,
                                            a->n_reports, a->part, NULL };
        if (agent->minor > 0 && a->n_parts <= 1) /* gangs on several agents are not offered */
            holdings[n].offer = offer(a, &offers[n]);
    }
    for (uint32_t c = 0; c < s->o->agent_cores; c++)
        groups[c] = c / 2;
    for (uint32_t g = 0; g < s->o->agent_gpus; g++)
        gpus[g] = (struct asy_gpu){ .id = gpu_names[g], .name = "sim", .group = g };
    msg.hello.gpus = gpus;
    msg.hello.n_gpus = s->o->agent_gpus;
    msg.hello.role = ASY_ROLE_AGENT;
    msg.hello.major = ASY_PROTOCOL_MAJOR;
    msg.hello.minor = agent->minor;
    msg.hello.version = "sim";
    msg.hello.host = "sim";
    msg.hello.agent = agent->id;
    msg.hello.store = agent->store;
    msg.hello.owner_epoch = agent->owner_epoch;
    msg.hello.cores = s->o->agent_cores;
    msg.hello.core_groups = groups;
    msg.hello.n_core_groups = s->o->agent_cores;
    msg.hello.fit = "";
    msg.hello.walltime_left_ms = -1;
    msg.hello.holdings = holdings;
    msg.hello.n_holdings = n;
    agent->welcomed = 0;
    sim_send_to_coord(s, agent->conn, &msg);
}

static void receive(struct sim *s, size_t i, const struct asy_msg *msg)
{
    struct sim_agent *agent = &s->agents[i];

    if (msg->type == ASY_MSG_REHELLO) {
        greet(s, agent);
        return;
    }
    if (msg->type == ASY_MSG_REJECT) {
        sim_fail(s, "an agent is rejected: %s", msg->reject.text);
        return;
    }
    if (msg->type == ASY_MSG_WELCOME) {
        if (!agent->welcomed || asy_id_cmp(msg->session, agent->session) != 0)
            welcomed(s, i, msg);
        return;
    }
    if (!agent->welcomed || asy_id_cmp(msg->session, agent->session) != 0)
        return;
    switch (msg->type) {
    case ASY_MSG_LEASE:
        for (size_t k = 0; k < msg->lease.n_leases; k++)
            take_lease(s, i, &msg->lease.leases[k]);
        break;
    case ASY_MSG_ACK:
        for (size_t k = 0; k < msg->ack.n_marks; k++)
            take_mark(s, i, &msg->ack.marks[k]);
        break;
    case ASY_MSG_CANCEL:
        cancelled(agent, msg);
        break;
    case ASY_MSG_DRAIN:
        agent->draining = 1;
        break;
    case ASY_MSG_PART:
        hear_part(s, agent, msg);
        break;
    case ASY_MSG_PONG:
        break;
    default:
        sim_fail(s, "an agent is sent %s", asy_msg_type_name(msg->type));
    }
}

void sim_agent_frame(struct sim *s, size_t i, uint64_t peer, const void *bytes, size_t n)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_arena *arena = NULL;
    struct asy_msg msg;

    (void)peer;
    s->agents[i].heard_ms = s->now;
    if (asy_arena_create((size_t)16 << 20, &arena, &err) ||
        asy_msg_decode(bytes, n, arena, &msg, &err))
        sim_fail(s, "an agent cannot read a frame: %s", err.text);
    else
        receive(s, i, &msg);
    asy_arena_destroy(arena);
}

int sim_agents_busy(struct sim *s)
{
    int busy = 0;

    for (size_t i = 0; i < s->o->n_agents; i++)
        for (size_t k = 0; k < s->agents[i].n_attempts; k++)
            busy |= s->agents[i].attempts[k].running;
    return busy;
}

/* ---- its life -------------------------------------------------------------------------------- */

static void be_born(struct sim *s, size_t i)
{
    struct sim_agent *agent = &s->agents[i];
    uint64_t life = agent->life + 1;

    sim_agent_fini(agent);
    *agent = (struct sim_agent){ .id = asy_id_from(2000 + i, s->o->seed * 1000 + life),
                                 .life = life, .alive = 1,
                                 .minor = s->o->old_agents && (i + life) % 3 == 0 ? 0 : 1 };
}

void sim_agent_start(struct sim *s, size_t i)
{
    be_born(s, i);
    sim_at(s, sim_between(s, 1, 2000), SIM_AGENT, i, 0, 0);
}

static void die(struct sim *s, size_t i)
{
    struct sim_agent *agent = &s->agents[i];

    sim_trace(s, "agent %zu dies", i);
    if (agent->conn)
        sim_cut(s, agent->conn);
    sim_agent_fini(agent);
    agent->conn = 0;
    agent->alive = 0;
    sim_at(s, s->now + sim_between(s, 500, 6000), SIM_AGENT, i, 0, 0);
}

static void connect_again(struct sim *s, size_t i)
{
    struct sim_agent *agent = &s->agents[i];

    if (agent->conn)
        sim_cut(s, agent->conn);
    agent->welcomed = 0;
    agent->heard_ms = s->now;
    if ((agent->conn = sim_connect(s, i)))
        greet(s, agent);
}

static void beat(struct sim *s, struct sim_agent *agent)
{
    struct asy_msg msg = { .type = ASY_MSG_HEARTBEAT, .session = agent->session };

    if (s->now < agent->next_beat_ms)
        return;
    agent->next_beat_ms = s->now + BEAT_MS;
    msg.heartbeat.sent_ms = s->now;
    sim_send_to_coord(s, agent->conn, &msg);
    for (size_t k = 0; k < agent->n_attempts; k++)
        if (asy_rng_below(&s->rng, RESEND_EVERY) == 0)
            send_reports(s, agent, &agent->attempts[k], agent->attempts[k].durable + 1);
}

void sim_agent_run(struct sim *s, size_t i)
{
    struct sim_agent *agent = &s->agents[i];
    int64_t next = s->now + sim_between(s, 200, 400);

    if (!agent->alive) {
        be_born(s, i);
    } else if (agent->stopped_until > s->now) {
        next = agent->stopped_until;
    } else if (sim_hits(s, s->o->agent_dies * 0.3)) {
        die(s, i);
        return;
    } else if (sim_hits(s, s->o->agent_stops * 0.3)) {
        agent->stopped_until = next = s->now + sim_between(s, 500, 15000);
        sim_trace(s, "agent %zu stops for %lld ms", i, (long long)(next - s->now));
    } else if (!agent->conn || s->now - agent->heard_ms > DEAF_MS ||
               (!s->conns[agent->conn].up && sim_chance(s) < 0.4)) {
        connect_again(s, i);
    } else if (agent->welcomed) {
        beat(s, agent);
    }
    sim_at(s, next, SIM_AGENT, i, 0, 0);
}
