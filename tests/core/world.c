/* SPDX-License-Identifier: Apache-2.0
 * world.c - see world.h. */
#include "world.h"

static struct asy_id store_id(void)
{
    return asy_id_from(7, 7);
}

static struct asy_id agent_id(uint64_t peer, uint64_t life)
{
    return asy_id_from(100 + peer % 20, life);
}

bool world_open(struct world *w)
{
    static const struct asy_core_config config = ASY_CORE_CONFIG_INIT;
    struct asy_error err = ASY_ERROR_INIT;

    *w = (struct world){ .config = config, .now = 1000, .auto_ask = 1 };
    w->config.store = store_id();
    w->config.owner_epoch = 1;
    w->config.version = "test";
    w->config.owner = OWNER;
    w->config.idle_exit_ms = -1;
    return T_OK(asy_arena_create((size_t)1 << 28, &w->arena, &err), &err);
}

static int64_t wall(const struct world *w)
{
    return INT64_C(1700000000000000) + w->now * 1000;
}

void world_close(struct world *w)
{
    asy_core_destroy(w->core);
    asy_arena_destroy(w->arena);
    free(w->events);
    w->core = NULL;
}

void world_clear(struct world *w)
{
    w->n_leases = w->n_cancels = w->n_tells = w->n_drops = w->n_quits = w->n_asks = w->n_news = 0;
    w->n_ahead = 0;
    w->n_parts = w->n_closed = 0;
    w->n_drains = w->n_closes = w->n_rehellos = w->n_pongs = 0;
    w->reply_code = 1;
    w->reply[0] = w->reply_json[0] = w->reject[0] = 0;
}

/* ---- what comes out -------------------------------------------------------------------------- */

static void keep_lease(struct world *w, uint64_t peer, const struct asy_lease *from)
{
    struct lease *l = &w->leases[w->n_leases];

    if (w->n_leases == LEASES_MAX)
        return;
    w->n_leases++;
    *l = (struct lease){ .peer = peer, .trial = from->trial, .epoch = from->epoch,
                         .milestone = from->milestone, .study = from->study,
                         .attempt = from->attempt, .n_cores = from->placement.n_cores,
                         .from_step = from->from.step, .part = from->part,
                         .ranks = from->placement.ranks, .all_ranks = from->ranks,
                         .n_parts = from->n_placements, .seed = from->seed,
                         .adopts = from->adopts, .adopts_attempt = from->adopts_attempt };
    T_TRUE(asy_sha_bytes(from->params, strlen(from->params), &l->params, NULL) == 0);
    for (size_t i = 0; i < l->n_cores && i < ASY_ARRAY_LEN(l->cores); i++)
        l->cores[i] = from->placement.cores[i];
    snprintf(l->from, sizeof l->from, "%s", from->from.attempt ? from->from.path : "");
    snprintf(l->spec, sizeof l->spec, "%s", from->spec ? from->spec : "");
    for (size_t i = 0, n = 0; i < from->placement.n_gpus && n < sizeof l->gpus; i++) {
        n += (size_t)snprintf(l->gpus + n, sizeof l->gpus - n, "%s%s", i ? " " : "",
                              from->placement.gpus[i]);
        if (n < sizeof l->gpus && from->placement.gpu_shares[i] != ASY_GPU_WHOLE)
            n += (size_t)snprintf(l->gpus + n, sizeof l->gpus - n, ":%u",
                                  from->placement.gpu_shares[i]);
    }
}

static void keep_welcome(struct world *w, uint64_t peer, const struct asy_msg *msg)
{
    w->sessions[peer] = msg->session;
    w->welcome.n_keep = msg->welcome.n_keep;
    w->welcome.n_kill = msg->welcome.n_kill;
    w->welcome.n_marks = msg->welcome.n_marks;
    w->welcome.n_offers = msg->welcome.n_offers;
    for (size_t i = 0; i < 8; i++) {
        if (i < msg->welcome.n_keep)
            w->welcome.keep[i] = msg->welcome.keep[i];
        if (i < msg->welcome.n_kill)
            w->welcome.kill[i] = msg->welcome.kill[i];
        if (i < msg->welcome.n_marks)
            w->welcome.marks[i] = msg->welcome.marks[i];
    }
}

static void keep_part(struct world *w, uint64_t peer, const struct asy_msg *msg)
{
    struct part *p = &w->parts[w->n_parts];

    if (w->n_parts == LEASES_MAX)
        return;
    w->n_parts++;
    *p = (struct part){ .peer = peer, .trial = msg->part.trial, .from = msg->part.from,
                        .to = msg->part.to, .kind = msg->part.kind };
    snprintf(p->word, sizeof p->word, "%s", msg->part.n_words ? msg->part.words[0] : "");
    snprintf(p->text, sizeof p->text, "%s", msg->part.text ? msg->part.text : "");
}

static void keep_msg(struct world *w, uint64_t peer, const struct asy_msg *msg)
{
    switch (msg->type) {
    case ASY_MSG_WELCOME:
        keep_welcome(w, peer, msg);
        break;
    case ASY_MSG_LEASE:
        keep_lease(w, peer, &msg->lease.leases[0]);
        break;
    case ASY_MSG_CANCEL:
        if (w->n_cancels < LEASES_MAX)
            w->cancels[w->n_cancels++] = (struct cancel){
                peer, msg->cancel.trial, msg->cancel.attempt, msg->cancel.mode,
                msg->cancel.cause };
        break;
    case ASY_MSG_PART:
        keep_part(w, peer, msg);
        break;
    case ASY_MSG_ACK:
        for (size_t i = 0; i < msg->ack.n_marks; i++)
            w->n_closed += msg->ack.marks[i].closed != 0;
        w->mark = msg->ack.marks[msg->ack.n_marks - 1];
        break;
    case ASY_MSG_REPLY:
        w->reply_code = msg->reply.code;
        snprintf(w->reply, sizeof w->reply, "%s", msg->reply.text);
        snprintf(w->reply_json, sizeof w->reply_json, "%s", msg->reply.json);
        break;
    case ASY_MSG_REJECT:
        snprintf(w->reject, sizeof w->reject, "%s", msg->reject.text);
        break;
    case ASY_MSG_NEWS:
        if (w->n_news < LEASES_MAX) {
            w->news[w->n_news].peer = peer;
            w->news[w->n_news].request = msg->news.request;
            w->news[w->n_news].seq = msg->news.seq;
        }
        w->n_news++;
        break;
    case ASY_MSG_DRAIN:
        w->n_drains++;
        break;
    case ASY_MSG_REHELLO:
        w->n_rehellos++;
        break;
    case ASY_MSG_PONG:
        w->n_pongs++;
        break;
    default:
        break;
    }
}

static void keep_effect(struct world *w, const struct asy_effect *fx)
{
    switch (fx->type) {
    case ASY_FX_SEND:
        keep_msg(w, fx->peer, &fx->msg);
        break;
    case ASY_FX_ASK:
        if (w->n_asks < LEASES_MAX)
            w->asks[w->n_asks++] = fx->ask.number;
        w->n_ahead += fx->ask.ahead != 0;
        break;
    case ASY_FX_SAMPLER:
        w->n_samplers++;
        break;
    case ASY_FX_TELL:
        if (w->n_tells < LEASES_MAX) {
            w->tell_values[w->n_tells] = fx->tell.values[0];
            w->tells[w->n_tells++] = fx->tell;
        }
        break;
    case ASY_FX_DROP_FILE:
        w->n_drops++;
        break;
    case ASY_FX_QUIT:
        w->n_quits++;
        w->quit_commit = fx->commit;
        break;
    case ASY_FX_CLOSE:
        w->n_closes++;
        break;
    case ASY_FX_QUERY:
        w->query_commit = fx->commit;
        w->asked_upto = fx->seq;
        snprintf(w->asked_key, sizeof w->asked_key, "%s", fx->key ? fx->key : "");
        break;
    default:
        break;
    }
}

struct ask {
    struct asy_id study;
    uint64_t number;
};

/* Events are kept, effects noted; what the sampler is asked is answered after the step. */
static void digest_step(struct world *w, const struct asy_step *step)
{
    struct asy_input durable = { .type = ASY_IN_DURABLE };
    struct ask asks[64];
    size_t n_asks = 0, n_questions = 0;
    struct asy_input questions[4];

    for (size_t i = 0; i < step->n_events; i++) {
        if (w->n_events == w->cap_events) {
            w->cap_events = w->cap_events ? 2 * w->cap_events : 256;
            w->events = realloc(w->events, w->cap_events * sizeof *w->events);
            ASY_ASSERT(w->events);
        }
        T_EQ("copy", asy_event_copy(&step->events[i], w->arena, &w->events[w->n_events], NULL), 0);
        w->n_events++;
    }
    for (size_t i = 0; i < step->n_effects; i++) {
        const struct asy_effect *fx = &step->effects[i];

        keep_effect(w, fx);
        if (fx->type == ASY_FX_ASK && n_asks < ASY_ARRAY_LEN(asks))
            asks[n_asks++] = (struct ask){ fx->study, fx->ask.number };
        if (fx->type == ASY_FX_QUERY && n_questions < ASY_ARRAY_LEN(questions))
            questions[n_questions++] = (struct asy_input){
                .type = ASY_IN_ANSWERED, .peer = fx->peer, .answered = { fx->msg.session } };
    }
    if ((durable.durable.commit = asy_core_seal(w->core)) && w->late)
        w->sealed = durable.durable.commit;
    else if (durable.durable.commit)
        world_input(w, &durable);
    for (size_t i = 0; !w->unanswered && i < n_questions; i++)
        world_input(w, &questions[i]);
    for (size_t i = 0; w->auto_ask && i < n_asks; i++) {
        int full = w->exhausted_at && asks[i].number >= w->exhausted_at;

        world_asked(w, asks[i].study, asks[i].number, (double)(asks[i].number % 100) / 100,
                    full ? ASY_E_FULL : 0);
    }
}

void world_input(struct world *w, const struct asy_input *input)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_step step;

    if (T_OK(asy_core_step(w->core, input, w->now, wall(w), &step, &err), &err))
        digest_step(w, &step);
}

bool world_start(struct world *w)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_step step;

    if (!T_OK(asy_core_create(&w->config, &w->core, &err), &err))
        return false;
    for (size_t i = 0; i < w->n_events; i++)
        if (!T_OK(asy_core_replay(w->core, &w->events[i], &err), &err))
            return false;
    if (!T_OK(asy_core_start(w->core, w->now, wall(w), &step, &err), &err))
        return false;
    digest_step(w, &step);
    return true;
}

/* Of a finished study a store yields the first and the last event alone; all of them are refused by
 * no rule, so here everything is replayed as long as the study lives. */
bool world_restart(struct world *w)
{
    uint64_t before = asy_core_digest(w->core);
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_core *twin = NULL;
    bool same;

    if (!T_OK(asy_core_create(&w->config, &twin, &err), &err))
        return false;
    for (size_t i = 0; i < w->n_events; i++)
        if (!T_OK(asy_core_replay(twin, &w->events[i], &err), &err))
            break;
    same = T_TRUE(asy_core_digest(twin) == before);
    asy_core_destroy(twin);
    asy_core_destroy(w->core);
    w->core = NULL;
    w->config.owner_epoch++;
    return same && world_start(w);
}

bool world_restore(struct world *w, size_t n_events)
{
    asy_core_destroy(w->core);
    w->core = NULL;
    w->n_events = n_events;
    w->config.store = asy_id_from(8, 8);
    w->config.restored = 1;
    w->config.owner_epoch++;
    return world_start(w);
}

bool world_refuse(struct world *w, struct asy_id study, enum asy_event_kind kind,
                  const char *spec)
{
    for (size_t i = 0; i < w->n_events; i++) {
        struct asy_event *ev = &w->events[i];

        if (ev->kind != kind || asy_id_cmp(ev->study, study) != 0)
            continue;
        if (kind == ASY_EV_STUDY_CREATED)
            ev->study_created.spec = spec;
        else
            ev->study_changed.spec = spec;
    }
    asy_core_destroy(w->core);
    w->core = NULL;
    w->config.owner_epoch++;
    return world_start(w);
}

struct asy_offer world_offer(const struct lease *l)
{
    return (struct asy_offer){ .store = store_id(), .first = 1, .milestone = l->milestone,
                               .seed = l->seed, .params = l->params,
                               .placement = { .ranks = 1, .cores = l->cores,
                                              .n_cores = l->n_cores } };
}

void world_durable(struct world *w)
{
    struct asy_input durable = { .type = ASY_IN_DURABLE };

    durable.durable.commit = w->sealed;
    world_input(w, &durable);
}

/* ---- what goes in ---------------------------------------------------------------------------- */

void world_msg(struct world *w, uint64_t peer, const char *key, struct asy_msg *msg)
{
    struct asy_input input = { .type = ASY_IN_MSG, .peer = peer };

    if (msg->type != ASY_MSG_HELLO && asy_id_is_none(msg->session))
        msg->session = w->sessions[peer];
    input.msg.msg = msg;
    input.msg.key = key;
    world_input(w, &input);
}

void world_tick(struct world *w, int64_t ms)
{
    struct asy_input input = { .type = ASY_IN_TICK };

    w->now += ms;
    world_input(w, &input);
}

void world_pass(struct world *w, int64_t ms, uint64_t first, uint64_t last)
{
    for (int64_t end = w->now + ms; w->now < end;) {
        world_tick(w, end - w->now < 500 ? end - w->now : 500);
        for (uint64_t peer = first; first && peer <= last; peer++) {
            struct asy_msg beat = { .type = ASY_MSG_HEARTBEAT };

            world_msg(w, peer, OWNER, &beat);
        }
    }
}

void world_agent(struct world *w, const struct agent *a)
{
    struct asy_msg msg = { .type = ASY_MSG_HELLO };
    uint32_t groups[64];

    for (uint32_t i = 0; i < a->cores && i < 64; i++)
        groups[i] = a->n_groups ? i / (a->cores / a->n_groups) : 0;
    msg.hello.role = ASY_ROLE_AGENT;
    msg.hello.major = ASY_PROTOCOL_MAJOR;
    msg.hello.minor = a->old ? 0 : ASY_PROTOCOL_MINOR;
    msg.hello.version = "test";
    msg.hello.host = "node";
    msg.hello.agent = agent_id(a->peer, a->life);
    msg.hello.store = a->n_holdings ? store_id() : ASY_ID_NONE;
    msg.hello.cores = a->cores;
    msg.hello.memory = a->memory;
    msg.hello.core_groups = groups;
    msg.hello.n_core_groups = a->cores;
    msg.hello.hardware = a->hardware;
    msg.hello.fit = a->fit ? a->fit : "";
    msg.hello.walltime_left_ms = a->walltime_ms ? a->walltime_ms : -1;
    msg.hello.holdings = a->holdings;
    msg.hello.n_holdings = a->n_holdings;
    msg.hello.gpus = a->gpus;
    msg.hello.n_gpus = a->n_gpus;
    world_msg(w, a->peer, a->key ? a->key : OWNER, &msg);
}

void world_client(struct world *w, uint64_t peer, const char *key)
{
    struct asy_msg msg = { .type = ASY_MSG_HELLO };

    msg.hello.role = ASY_ROLE_CLIENT;
    msg.hello.major = ASY_PROTOCOL_MAJOR;
    world_msg(w, peer, key, &msg);
}

struct asy_id world_submit(struct world *w, uint64_t peer, const char *key, uint64_t serial,
                           const char *yaml, int resume)
{
    struct asy_msg msg = { .type = ASY_MSG_SUBMIT };
    struct asy_id id = asy_id_from(1000 + serial, serial);
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems, said;

    asy_buf_init(&problems, 1 << 16);
    asy_buf_init(&said, 1 << 20);
    if (T_OK(asy_study_parse(yaml, strlen(yaml), "test", "/test", &spec, &problems, &err), &err) &&
        T_OK(asy_study_said(spec, &said, &err), &err)) {
        msg.submit.request = serial;
        msg.submit.study = id;
        msg.submit.spec = resume ? said.data : spec->canonical;
        msg.submit.resume = resume;
        world_msg(w, peer, key, &msg);
    }
    asy_study_destroy(spec);
    asy_buf_fini(&said);
    asy_buf_fini(&problems);
    return id;
}

void world_watch(struct world *w, uint64_t peer, const char *key, uint64_t request,
                 const char *study, int stop)
{
    struct asy_msg msg = { .type = ASY_MSG_WATCH };

    msg.watch.request = request;
    msg.watch.study = study;
    msg.watch.stop = stop;
    world_msg(w, peer, key, &msg);
}

int world_control(struct world *w, uint64_t peer, const char *key, enum asy_control_verb verb,
                  const char *study, int64_t number)
{
    struct asy_msg msg = { .type = ASY_MSG_CONTROL };

    msg.control.verb = verb;
    msg.control.study = study;
    msg.control.number = number;
    world_msg(w, peer, key, &msg);
    return w->reply_code;
}

void world_asked(struct world *w, struct asy_id study, uint64_t number, double x, int rc)
{
    world_member(w, study, number, x, rc, (struct asy_origin){ 0 });
}

void world_member(struct world *w, struct asy_id study, uint64_t number, double x, int rc,
                  struct asy_origin origin)
{
    struct asy_input input = { .type = ASY_IN_ASKED };

    input.asked.study = study;
    input.asked.number = number;
    input.asked.rc = rc;
    input.asked.x = &x;
    input.asked.source = "test";
    input.asked.text = rc ? "no point" : "";
    input.asked.needs_history = w->needs_history;
    input.asked.regret = w->regret;
    input.asked.regret_n = w->regret_n;
    input.asked.origin = origin;
    world_input(w, &input);
}

void world_send(struct world *w, struct lease *l, uint64_t number, const struct asy_event *event)
{
    struct asy_msg msg = { .type = ASY_MSG_REPORTS };
    struct asy_report report = { .study = l->study, .trial = l->trial, .attempt = l->attempt,
                                 .epoch = l->epoch, .number = number, .event = *event };

    msg.reports.reports = &report;
    msg.reports.n_reports = 1;
    world_msg(w, l->peer, OWNER, &msg);
}

void world_part(struct world *w, const struct lease *l, uint32_t to, enum asy_part_kind kind,
                const char *word, const char *text)
{
    struct asy_msg msg = { .type = ASY_MSG_PART };

    msg.part.study = l->study;
    msg.part.trial = l->trial;
    msg.part.attempt = l->attempt;
    msg.part.epoch = l->epoch;
    msg.part.from = 77; /* the coordinator knows better */
    msg.part.to = to;
    msg.part.kind = kind;
    msg.part.words = &word;
    msg.part.n_words = word != NULL;
    msg.part.text = text;
    world_msg(w, l->peer, OWNER, &msg);
}

void world_closed(struct world *w, uint64_t peer)
{
    struct asy_input input = { .type = ASY_IN_CLOSED, .peer = peer };

    world_input(w, &input);
}

void world_started(struct world *w, struct lease *l)
{
    struct asy_event ev = { .kind = ASY_EV_STARTED };

    world_send(w, l, ++l->reported, &ev);
}

void world_report(struct world *w, struct lease *l, uint64_t step, double loss)
{
    struct asy_event ev = { .kind = ASY_EV_REPORT };
    struct asy_metric metric = { l->all_ranks > 1 ? "val_loss" : "loss", loss };

    ev.report.step = step;
    ev.report.metrics = &metric;
    ev.report.n_metrics = 1;
    world_send(w, l, ++l->reported, &ev);
}

void world_checkpoint(struct world *w, struct lease *l, uint64_t step)
{
    struct asy_event ev = { .kind = ASY_EV_CHECKPOINT };
    char path[64];

    snprintf(path, sizeof path, "%d/%d/%d", (int)l->trial, (int)l->attempt, (int)step);
    ev.checkpoint.checkpoint.step = step;
    ev.checkpoint.checkpoint.path = path;
    world_send(w, l, ++l->reported, &ev);
}

void world_end_cause(struct world *w, struct lease *l, enum asy_end end, uint64_t step,
                     enum asy_cause cause)
{
    struct asy_event ev = { .kind = ASY_EV_ENDED };

    ev.ended.end = end;
    ev.ended.step = step;
    ev.ended.cause = cause;
    ev.ended.text = asy_end_name(end);
    ev.ended.objective = NAN;
    world_send(w, l, ++l->reported, &ev);
}

void world_end(struct world *w, struct lease *l, enum asy_end end, uint64_t step)
{
    world_end_cause(w, l, end, step,
                    end == ASY_END_CRASHED ? ASY_CAUSE_EXIT_CODE : ASY_CAUSE_NONE);
}

void world_complete(struct world *w, struct lease *l, uint64_t step, double loss)
{
    world_started(w, l);
    world_report(w, l, step, loss);
    world_end(w, l, ASY_END_COMPLETE, step);
}

/* ---- looking --------------------------------------------------------------------------------- */

enum asy_trial_state world_state(struct world *w, struct asy_id study, uint64_t trial)
{
    enum asy_trial_state state;
    const struct asy_event *last;
    uint32_t attempt;

    if (asy_core_trial_state(w->core, study, trial, &state, &attempt))
        return state;
    last = world_last(w, study, (int64_t)trial, ASY_EV_TRIAL_STATE); /* its study is over */
    return last ? last->trial_state.state : (enum asy_trial_state)0;
}

const struct asy_event *world_last(struct world *w, struct asy_id study, int64_t trial,
                                   enum asy_event_kind kind)
{
    uint64_t number = trial < 0 ? UINT64_MAX : (uint64_t)trial;

    for (size_t i = w->n_events; i-- > 0;)
        if (w->events[i].kind == kind && asy_id_cmp(w->events[i].study, study) == 0 &&
            w->events[i].trial == number)
            return &w->events[i];
    return NULL;
}

size_t world_count(struct world *w, enum asy_event_kind kind)
{
    size_t n = 0;

    for (size_t i = 0; i < w->n_events; i++)
        n += w->events[i].kind == kind;
    return n;
}

/* The answer is an object with the members of why; an error stands for itself. */
static const char *take_why(struct world *w, const struct asy_buf *buf)
{
    static char name[64];
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;

    snprintf(name, sizeof name, "(nothing)");
    if (T_OK(asy_json_parse(buf->data, buf->len, &root, &err), &err)) {
        snprintf(name, sizeof name, "%s", asy_json_str(asy_json_get(root, "cause"), "(none)"));
        snprintf(w->reply, sizeof w->reply, "%s", asy_json_str(asy_json_get(root, "text"), ""));
        snprintf(w->rule, sizeof w->rule, "%s", asy_json_str(asy_json_get(root, "rule"), ""));
        snprintf(w->remedy, sizeof w->remedy, "%s",
                 asy_json_str(asy_json_get(root, "remedy"), ""));
    }
    asy_json_destroy(root);
    return name;
}

static const char *explain(struct world *w, const char *study, int64_t trial, const char *worker)
{
    struct asy_error err = ASY_ERROR_INIT;
    const char *name = "(nothing)";
    struct asy_buf buf;
    struct asy_jsonw j;
    int rc;

    asy_buf_init(&buf, 1 << 16);
    asy_jsonw_init(&j, &buf, 0);
    asy_jsonw_open(&j, NULL, '{');
    rc = worker ? asy_core_explain_worker(w->core, NULL, worker, &j, &err)
                : asy_core_explain(w->core, NULL, study, trial, &j, &err);
    asy_jsonw_close(&j, '}');
    if (T_OK(rc, &err))
        name = take_why(w, &buf);
    asy_buf_fini(&buf);
    return name;
}

const char *world_explain(struct world *w, const char *study, int64_t trial)
{
    return explain(w, study, trial, NULL);
}

const char *world_explain_worker(struct world *w, const char *worker)
{
    return explain(w, NULL, -1, worker);
}
