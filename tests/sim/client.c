/* SPDX-License-Identifier: Apache-2.0
 * client.c - the simulated user: submits every study until it is answered, then now and then
 * pauses, resumes, stops, tags or drains; after the quiet time it resumes whatever is paused. */
#include "sim.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEAF_MS 3000
#define SPEC_TEXT 2048

static const char *pruner_options(const char *pruner)
{
    if (!strcmp(pruner, "none"))
        return "";
    return strcmp(pruner, "median") ? ", min: 1, reduction: 2}" : ", startup_trials: 1}";
}

/* What runs: a command, or where it has several ranks a model. */
static void write_run(const struct sim_study_options *o, char *text, size_t n)
{
    if (o->ranks > 1)
        snprintf(text, n, "run: {model: mlp, length: {max: %llu}}\ndata: /d.csv\n"
                 "objective: {metric: val_loss, goal: minimize%s}\n"
                 "parameters: {lr: {min: 0.0, max: 1.0}}\n",
                 (unsigned long long)o->length, isnan(o->target) ? "" : ", target: 0.4");
    else
        snprintf(text, n,
                 "run: {command: [run], length: {unit: steps, max: %llu}, checkpoint: %s}\n"
                 "objective: {metric: loss, goal: minimize%s}\n"
                 "parameters: {x: {min: 0.0, max: 1.0%s}}\n",
                 (unsigned long long)o->length, o->checkpoint ? "true" : "false",
                 isnan(o->target) ? "" : ", target: 0.4",
                 o->sampler ? ", step: 0.03125" : ""); /* some samplers want a finite space */
}

char *sim_spec(const struct sim_study_options *o, size_t index, uint64_t seed,
               struct asy_error *err)
{
    char text[SPEC_TEXT], run[512], extra[200] = "", *copy = NULL;
    struct asy_study_spec *spec = NULL;
    struct asy_buf problems;
    int n = 0;

    write_run(o, run, sizeof run);
    if (o->time_ms)
        n += snprintf(extra, sizeof extra, ", time: %lldms", (long long)o->time_ms);
    if (o->parallel)
        snprintf(extra + n, sizeof extra - (size_t)n, ", parallel: %llu",
                 (unsigned long long)o->parallel);
    n = snprintf(text, sizeof text,
                 "assay: 1\nname: s%zu\npriority: %lld\nretries: %lld\n"
                 "%s"
                 "search: {sampler: %s, pruner: %s%s%s, seed: %llu, deterministic: %s, "
                 "lag: %llu}\n"
                 "budget: {trials: %llu%s}\nresources: {cores: %u, ranks: %u, gpus: %g}\n",
                 index, (long long)o->priority, (long long)o->retries,
                 run, o->sampler ? o->sampler : "random",
                 strcmp(o->pruner, "none") ? "{name: " : "", o->pruner, pruner_options(o->pruner),
                 (unsigned long long)(seed % 1000 + index), o->deterministic ? "true" : "false",
                 (unsigned long long)(o->lag ? o->lag : 16), (unsigned long long)o->trials, extra,
                 o->cores, o->ranks ? o->ranks : 1, (double)o->gpus / ASY_GPU_WHOLE);
    asy_buf_init(&problems, 1 << 16);
    if (asy_study_parse(text, (size_t)n, "sim", "/sim", &spec, &problems, err) == 0)
        copy = strdup(spec->canonical);
    else
        fprintf(stderr, "%s\n%s\n", text, problems.data);
    asy_study_destroy(spec);
    asy_buf_fini(&problems);
    return copy;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void put(struct sim *s, const struct sim_pending_request *r)
{
    struct asy_msg msg = { .session = s->client_session };
    char name[24], tag[24];

    snprintf(name, sizeof name, "s%zu", r->study);
    if (r->record) {
        msg.type = ASY_MSG_RECORD;
        msg.record.request = r->request;
        msg.record.study = name;
        msg.record.trial = -1;
        msg.record.event.kind = ASY_EV_TAG;
        msg.record.event.tag.key = "request";
        snprintf(tag, sizeof tag, "%llu", (unsigned long long)r->request);
        msg.record.event.tag.value = tag;
    } else if (r->verb == 0) {
        msg.type = ASY_MSG_SUBMIT;
        msg.submit.request = r->request;
        msg.submit.study = s->studies[r->study].id;
        msg.submit.spec = s->studies[r->study].spec;
    } else {
        msg.type = ASY_MSG_CONTROL;
        msg.control.request = r->request;
        msg.control.verb = r->verb;
        msg.control.study = name;
        msg.control.number = r->number;
    }
    sim_send_to_coord(s, s->client_conn, &msg);
}

static void ask(struct sim *s, enum asy_control_verb verb, size_t study, int64_t number,
                int record)
{
    struct sim_pending_request r = { ++s->request, verb, study, number, record };
    struct sim_pending_request *grown =
        realloc(s->asked, (s->n_asked + 1) * sizeof *grown);

    if (!grown) {
        sim_fail(s, "no memory for a request");
        return;
    }
    s->asked = grown;
    s->asked[s->n_asked++] = r;
    put(s, &r);
}

static void command(struct sim *s)
{
    static const enum asy_control_verb verbs[] = {
        ASY_CONTROL_PAUSE, ASY_CONTROL_RESUME, ASY_CONTROL_RESUME, ASY_CONTROL_PRIORITY,
        ASY_CONTROL_STOP_TRIAL, ASY_CONTROL_STOP_TRIAL, ASY_CONTROL_STOP, ASY_CONTROL_DRAIN,
    };
    size_t study = (size_t)asy_rng_below(&s->rng, s->o->n_studies);
    enum asy_control_verb verb = verbs[asy_rng_below(&s->rng, ASY_ARRAY_LEN(verbs))];
    int64_t number = sim_between(s, 0, 5);
    int record = sim_chance(s) < 0.2;

    if (verb == ASY_CONTROL_STOP && sim_chance(s) < 0.7)
        verb = ASY_CONTROL_RESUME;
    if (s->o->studies[study].deterministic && verb == ASY_CONTROL_STOP_TRIAL)
        verb = ASY_CONTROL_RESUME;
    sim_trace(s, "client: verb %d of study %zu", verb, study);
    ask(s, verb, study, number, record);
}

/* ---- its life -------------------------------------------------------------------------------- */

static void greet(struct sim *s)
{
    struct asy_msg msg = { .type = ASY_MSG_HELLO };

    msg.hello.role = ASY_ROLE_CLIENT;
    msg.hello.major = ASY_PROTOCOL_MAJOR;
    msg.hello.version = msg.hello.host = "sim";
    s->client_welcomed = 0;
    sim_send_to_coord(s, s->client_conn, &msg);
}

/* What becomes of attempts of another store; in the end all are decided about. */
static void decide(struct sim *s)
{
    enum asy_control_verb verb = sim_chance(s) < 0.7 ? ASY_CONTROL_ADOPT : ASY_CONTROL_DISCARD;

    if (s->result->restores == 0 || sim_chance(s) > 0.3)
        return;
    if (s->now > s->o->quiet_ms + 30000)
        verb = ASY_CONTROL_DISCARD;
    ask(s, verb, (size_t)asy_rng_below(&s->rng, s->o->n_studies), 0, 0);
}

static void go_on(struct sim *s)
{
    struct asy_msg beat = { .type = ASY_MSG_HEARTBEAT, .session = s->client_session };

    sim_send_to_coord(s, s->client_conn, &beat);
    for (size_t i = 0; i < s->n_asked; i++)
        if (s->asked[i].verb == ASY_CONTROL_DRAIN) /* once: the next coordinator is not meant */
            s->asked[i--] = s->asked[--s->n_asked];
        else
            put(s, &s->asked[i]);
    for (size_t i = 0; i < s->o->n_studies; i++)
        if (!s->studies[i].submitted) {
            s->studies[i].submitted = 1;
            ask(s, (enum asy_control_verb)0, i, 0, 0);
        }
    if (sim_hits(s, s->o->control))
        command(s);
    decide(s);
    if (s->now > s->o->quiet_ms && s->o->control > 0 && s->n_asked == 0)
        for (size_t i = 0; i < s->o->n_studies; i++)
            ask(s, ASY_CONTROL_RESUME, i, 0, 0);
}

void sim_client_run(struct sim *s)
{
    if (!s->client_conn || s->now - s->client_heard > DEAF_MS ||
        (!s->conns[s->client_conn].up && sim_chance(s) < 0.5)) {
        if (s->client_conn)
            sim_cut(s, s->client_conn);
        s->client_heard = s->now;
        s->client_welcomed = 0;
        if ((s->client_conn = sim_connect(s, SIM_AGENTS_MAX)))
            greet(s);
    } else if (s->client_welcomed) {
        go_on(s);
    }
    sim_at(s, s->now + sim_between(s, 500, 1000), SIM_CLIENT, 0, 0, 0);
}

static void answered(struct sim *s, const struct asy_msg *msg)
{
    for (size_t i = 0; i < s->n_asked; i++)
        if (s->asked[i].request == msg->reply.request) {
            if (msg->reply.code == 0)
                sim_told_reply(s, &s->asked[i]);
            else if (msg->reply.code == ASY_E_NOSPACE && s->asked[i].verb != ASY_CONTROL_DRAIN)
                return; /* it is asked again */
            else if (s->asked[i].verb == 0 && !s->asked[i].record)
                sim_fail(s, "a submission is refused: %s", msg->reply.text);
            s->asked[i] = s->asked[--s->n_asked];
            return;
        }
}

void sim_client_frame(struct sim *s, const void *bytes, size_t n)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_arena *arena = NULL;
    struct asy_msg msg;

    s->client_heard = s->now;
    if (asy_arena_create((size_t)16 << 20, &arena, &err) ||
        asy_msg_decode(bytes, n, arena, &msg, &err)) {
        sim_fail(s, "the client cannot read a frame: %s", err.text);
    } else if (msg.type == ASY_MSG_WELCOME) {
        s->client_session = msg.session;
        s->client_welcomed = 1;
    } else if (msg.type == ASY_MSG_REHELLO) {
        greet(s);
    } else if (msg.type == ASY_MSG_REPLY) {
        answered(s, &msg);
    }
    asy_arena_destroy(arena);
}
