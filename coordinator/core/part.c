/* SPDX-License-Identifier: Apache-2.0
 * part.c - an attempt and its parts: opened and closed with what they take of their workers, and
 * how the parts of one hear of each other.
 *
 * An attempt has a part on each worker of its lease. The first part leads. All parts live and die
 * together: whichever way an attempt ends, every other part is told. */
#include "core_impl.h"
#include <stdlib.h>
#include <string.h>

static struct asy__part *part_on(const struct asy__attempt *a, const struct asy__worker *w)
{
    for (size_t i = 0; i < a->n_parts; i++)
        if (a->parts[i].worker == w)
            return &a->parts[i];
    return NULL;
}

int asy__part_leads(const struct asy__part *part)
{
    return part == part->attempt->parts;
}

struct asy__attempt *asy__attempt_find(const struct asy_core *core,
                                       const struct asy__worker *worker, struct asy_id study,
                                       uint64_t trial, uint32_t attempt, uint64_t epoch,
                                       struct asy__part **ret_part)
{
    struct asy__study *s = asy__study_get(core, study);
    struct asy__trial *t = s && !s->over ? asy__trial_get(s, trial) : NULL;
    struct asy__part *part;

    if (!t || !t->attempt)
        return NULL;
    part = part_on(t->attempt, worker);
#if ASY_MUTANT == 3
    (void)attempt, (void)epoch;
    part = part ? part : t->attempt->parts;
#else
    if (!part || t->attempt->number != attempt || t->attempt->epoch != epoch)
        return NULL;
#endif
    if (ret_part)
        *ret_part = part;
    return t->attempt;
}

/* ---- opening and closing --------------------------------------------------------------------- */

static void part_fini(struct asy__part *part)
{
    asy__gpu_parts_free(part->gpus, part->n_gpus);
    free(part->cores);
}

static void attempt_free(struct asy__attempt *a)
{
    for (size_t i = 0; i < a->n_parts; i++)
        part_fini(&a->parts[i]);
    free(a->parts);
    free(a);
}

static int part_init(struct asy__part *part, const struct asy_placement *p)
{
    part->ranks = p->ranks;
    part->memory = p->memory;
    part->n_cores = p->n_cores;
    part->n_gpus = p->n_gpus;
    if (!(part->cores = calloc(p->n_cores + 1, sizeof *part->cores)) ||
        asy__gpu_parts_copy(p, &part->gpus))
        return ASY_E_NOMEM;
    for (size_t i = 0; i < p->n_cores; i++)
        part->cores[i] = p->cores[i];
    return 0;
}

/* Its workers are made known, with room for their cores, before anything refers to them. */
static int find_worker(struct asy_core *core, struct asy__attempt *a, struct asy__part *part,
                       struct asy_id id, struct asy_error *err)
{
    struct asy__worker *w;
    size_t top = 0;

    for (size_t i = 0; i < part->n_cores; i++)
        top = part->cores[i] + (size_t)1 > top ? part->cores[i] + (size_t)1 : top;
    if (asy__worker_need(core, id, &w) || asy__worker_cores(w, top))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a worker");
    if (part_on(a, w))
        return asy_fail(err, ASY_E_CORRUPT, "a lease has two parts on one worker");
    part->worker = w;
    part->attempt = a;
    return 0;
}

static int attempt_new(struct asy_core *core, const struct asy_event *ev,
                       struct asy__attempt **ret_attempt, struct asy_error *err)
{
    size_t n = ev->leased.n_placements;
    struct asy__attempt *a = calloc(1, sizeof *a);
    int rc = 0;

    if (!a || !(a->parts = calloc(n, sizeof *a->parts))) {
        free(a);
        return asy_fail(err, ASY_E_NOMEM, "no memory for an attempt");
    }
    a->n_parts = n;
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (part_init(&a->parts[i], &ev->leased.placements[i]))
            rc = asy_fail(err, ASY_E_NOMEM, "no memory for an attempt");
        else
            rc = find_worker(core, a, &a->parts[i], ev->leased.placements[i].worker, err);
        a->n_cores += a->parts[i].n_cores;
    }
    if (rc)
        attempt_free(a);
    else
        *ret_attempt = a;
    return rc;
}

static void occupy(struct asy__part *part, int sign)
{
    struct asy__worker *w = part->worker;

    for (size_t i = 0; i < part->n_cores; i++) {
        if (sign > 0)
            w->n_busy += w->busy[part->cores[i]]++ == 0;
        else
            w->n_busy -= --w->busy[part->cores[i]] == 0;
    }
    asy__gpus_occupy(w, part->gpus, part->n_gpus, sign);
    w->memory_used = sign > 0 ? w->memory_used + part->memory : w->memory_used - part->memory;
}

int asy__attempt_open(struct asy_core *core, struct asy__trial *t, const struct asy_event *ev,
                      struct asy_error *err)
{
    struct asy__attempt *a = NULL;
    int rc = attempt_new(core, ev, &a, err);

    if (rc)
        return rc;
    a->trial = t;
    a->id = ev->leased.id;
    a->number = ev->attempt;
    a->epoch = ev->leased.epoch;
    a->milestone = ev->leased.milestone;
    t->attempt = a;
    t->study->n_open++;
    t->study->cores_used += a->n_cores;
    for (size_t i = 0; i < a->n_parts; i++) {
        occupy(&a->parts[i], 1);
        asy__list_push(&a->parts[i].worker->parts, &a->parts[i].on_worker);
        asy__worker_listed(core, a->parts[i].worker);
    }
    return 0;
}

/* core NULL: everything is being torn down. */
void asy__attempt_close(struct asy_core *core, struct asy__attempt *a)
{
    struct asy__study *s = a->trial->study;

    a->trial->attempt = NULL;
    s->n_open--;
    if (!a->orphan)
        s->cores_used -= a->n_cores;
    for (size_t i = 0; i < a->n_parts; i++) {
        occupy(&a->parts[i], -1);
        asy__list_take(&a->parts[i].on_worker);
        if (core)
            asy__worker_release(core, a->parts[i].worker);
    }
    attempt_free(a);
}

/* ---- what the parts hear --------------------------------------------------------------------- */

struct asy__farewell asy__parts_note(struct asy_core *core, const struct asy__attempt *a,
                                     const struct asy_event *ended)
{
    struct asy__farewell bye = { .epoch = a->epoch };

    if (a->n_parts == 1 || !(bye.to = asy__alloc(core, a->n_parts * sizeof *bye.to)))
        return bye;
    for (size_t i = ended->ended.report > 0; i < a->n_parts; i++) /* the lead said it itself */
        if (a->parts[i].worker->session && !a->parts[i].gone)
            bye.to[bye.n++] = a->parts[i].worker->session;
    return bye;
}

/* An end that its ranks came to by themselves leaves them warm; any other is a kill. */
static int in_peace(const struct asy_event *ended)
{
    return ended->ended.end == ASY_END_COMPLETE || ended->ended.end == ASY_END_PAUSED ||
           ended->ended.end == ASY_END_STOPPED || ended->ended.end == ASY_END_DIVERGED;
}

static void send_closed(struct asy_core *core, const struct asy__session *to,
                        const struct asy__trial *t, const struct asy_event *ended)
{
    struct asy_watermark *mark = asy__alloc(core, sizeof *mark);
    struct asy_msg *msg;

    if (!mark || !(msg = asy__send(core, to, ASY_MSG_ACK, 1)))
        return;
    *mark = (struct asy_watermark){ t->study->id, t->number, ended->attempt, 0, 1 };
    msg->ack.marks = mark;
    msg->ack.n_marks = 1;
}

static void send_kill(struct asy_core *core, const struct asy__session *to,
                      const struct asy__trial *t, uint64_t epoch, const struct asy_event *ended)
{
    struct asy_msg *msg = asy__send(core, to, ASY_MSG_CANCEL, 1);

    if (!msg)
        return;
    msg->cancel.study = t->study->id;
    msg->cancel.trial = t->number;
    msg->cancel.attempt = ended->attempt;
    msg->cancel.epoch = epoch;
    msg->cancel.mode = ASY_CANCEL_KILL;
    msg->cancel.cause = ended->ended.cause;
    msg->cancel.text = asy__dup(core, ended->ended.text);
}

void asy__parts_dismiss(struct asy_core *core, const struct asy__trial *t,
                        const struct asy__farewell *bye, const struct asy_event *ended)
{
    for (size_t i = 0; ASY_MUTANT != 6 && i < bye->n && !core->rc; i++) {
        if (in_peace(ended))
            send_closed(core, bye->to[i], t, ended);
        else
            send_kill(core, bye->to[i], t, bye->epoch, ended);
    }
}

/* ---- what they say to each other ------------------------------------------------------------- */

/* Back to where it came from: the other part is not there just now. */
static void undeliverable(struct asy_core *core, const struct asy__session *session,
                          const struct asy__part *from, const struct asy__part *to,
                          const struct asy_msg *msg)
{
    struct asy_msg *answer = asy__send(core, session, ASY_MSG_PART, 0);

    if (!answer)
        return;
    answer->part = msg->part;
    answer->part.from = msg->part.to;
    answer->part.to = (uint32_t)(from - from->attempt->parts);
    answer->part.kind = ASY_PART_AWAY;
    answer->part.words = NULL;
    answer->part.n_words = 0;
    answer->part.text = asy__textf(core, "worker '%s' is not connected",
                                   asy__str(to->worker->host));
}

void asy__part_relay(struct asy_core *core, struct asy__session *session,
                     const struct asy_msg *msg)
{
    struct asy__part *from = NULL, *to;
    struct asy__attempt *a = asy__attempt_find(core, session->worker, msg->part.study,
                                               msg->part.trial, msg->part.attempt, msg->part.epoch,
                                               &from);
    struct asy_effect *fx;

    if (!a || msg->part.to >= a->n_parts)
        return; /* it is over, and whoever sent this hears of it */
    to = &a->parts[msg->part.to];
    if (from == to) {
        core->nonsense++;
        return;
    }
    if (!to->worker->session) {
        undeliverable(core, session, from, to, msg);
        return;
    }
    if (!(fx = asy__effect(core, ASY_FX_SEND, 0)))
        return;
    fx->peer = to->worker->session->peer;
    if (asy_msg_copy(msg, core->arena, &fx->msg, NULL)) {
        core->rc = ASY_E_NOMEM;
        return;
    }
    fx->msg.session = to->worker->session->id;
    fx->msg.part.from = (uint32_t)(from - a->parts);
}
