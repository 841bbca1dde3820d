/* SPDX-License-Identifier: Apache-2.0
 * control.c - what clients ask for: submit, pause, resume, stop, priority, drain, records, watches.
 *
 * Every answer waits for the commit of what it tells of. A study's id is the client's, so that a
 * submission sent twice (its answer was lost) makes one study and gets one answer. */
#include "core_impl.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPEC_MAX ((size_t)768 << 10) /* a lease that carries it must fit into a frame */
#define LAG_MAX 4096
#define WATCHES_MAX 64

int asy__may(const struct asy_core *core, const struct asy__session *session,
               const struct asy__study *s)
{
    return s->owner == session->key || !strcmp(session->key, core->owner);
}

static const char *study_json(struct asy_core *core, const struct asy__study *s)
{
    char id[ASY_ID_TEXT];
    struct asy_jsonw w;

    asy_buf_clear(&core->scratch);
    asy_jsonw_init(&w, &core->scratch, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_str(&w, "study", asy_id_format(s->id, id));
    asy_jsonw_str(&w, "name", s->name);
    asy_jsonw_str(&w, "project", s->project);
    asy_jsonw_close(&w, '}');
    return asy__dup(core, core->scratch.data);
}

/* ---- submit ---------------------------------------------------------------------------------- */

/* `name`, else `name-2`, `name-3`, …; cut where the number would not fit. */
static const char *free_name(struct asy_core *core, const char *project, const char *name)
{
    char text[ASY__NAME_MAX + 24], number[24] = "";

    for (uint64_t i = 2;; i++) {
        size_t room = ASY__NAME_MAX - strlen(number), len = strlen(name);

        snprintf(text, sizeof text, "%.*s%s", (int)(len < room ? len : room), name, number);
        if (!asy__study_by_name(core, project, text))
            return asy__dup(core, text);
        snprintf(number, sizeof number, "-%" PRIu64, i);
    }
}

static int check_spec(const struct asy_study_spec *spec, struct asy_error *err)
{
    struct asy_pruner *pruner = NULL;
    int rc;

    if (spec->n_objectives == 0)
        return asy_fail(err, ASY_E_INVAL, "'objective' is missing");
    if (spec->unread)
        return asy_fail(err, ASY_E_INVAL, "'search.from' names studies; what they found belongs "
                        "there, and the command line puts it in");
    if (spec->canonical_len > SPEC_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "the study is over %zu bytes", SPEC_MAX);
    if ((rc = asy__pruner_for(spec, &pruner, err)))
        return rc;
    if (spec->deterministic && asy_pruner_stops(pruner))
        rc = asy_fail(err, ASY_E_INVAL, "'search.pruner' %s stops trials between milestones, "
                      "which 'deterministic' does not allow", spec->pruner);
    else if (spec->deterministic && spec->max_time_ms != INT64_MAX)
        rc = asy_fail(err, ASY_E_INVAL,
                      "'budget.time' depends on timing, which 'deterministic' does not allow");
    else if (spec->deterministic && (spec->lag == 0 || spec->lag > LAG_MAX))
        rc = asy_fail(err, ASY_E_INVAL, "'search.lag' is 1 to %d", LAG_MAX);
    asy_pruner_destroy(pruner);
    return rc;
}

static void create(struct asy_core *core, const struct asy__session *session,
                   const struct asy_msg *msg, const struct asy_study_spec *spec)
{
    struct asy_event ev = asy__event(core, ASY_EV_STUDY_CREATED, NULL, NULL);
    struct asy_error err = ASY_ERROR_INIT;
    const char *project = asy__str(spec->project);
    struct asy__study *s;

    ev.study = msg->submit.study;
    ev.study_created.name = free_name(core, project, spec->name);
    ev.study_created.project = asy__dup(core, project);
    ev.study_created.owner = session->key;
    ev.study_created.spec = asy__dup(core, spec->canonical);
    ev.study_created.command_line = asy__dup(core, msg->submit.command_line);
    asy__emit(core, &ev);
    if (core->rc || !(s = asy__study_get(core, ev.study)))
        return;
    if (asy__study_need(core, s, &err)) {
        core->rc = err.code; /* it was parsed a moment ago: only memory can fail here */
        return;
    }
    asy__reply(core, session, msg->submit.request, 0, "", study_json(core, s));
}

static struct asy__study *unfinished(const struct asy_core *core,
                                     const struct asy__session *session,
                                     const struct asy_study_spec *spec)
{
    struct asy__study *s, *newest = NULL;

    asy__each(s, &core->live, struct asy__study, node)
        if (s->owner == session->key && !strcmp(s->project, asy__str(spec->project)) &&
            (!strcmp(s->name, spec->name) || !strcmp(asy__str(s->base_name), spec->name)) &&
            (!newest || s->created_us >= newest->created_us))
            newest = s;
    return newest;
}

/* What is resumed knows what its earlier studies had found, whatever they have found since, and
 * keeps what its file leaves to defaults that have changed. */
static int recall(const struct asy_core *core, const struct asy__session *session,
                  struct asy_study_spec **spec, struct asy_error *err)
{
    struct asy__study *s = unfinished(core, session, *spec);
    struct asy_study_spec *whole = NULL;
    int rc;

    if (!s)
        return !(*spec)->unread ? 0 : asy_fail(err, ASY_E_NOENT, "no unfinished study is named "
                                               "'%s'", (*spec)->name);
    if ((*spec)->unsaid) {
        if ((rc = asy_study_as_stored(*spec, s->spec, &whole, err)))
            return rc;
        asy_study_destroy(*spec);
        *spec = whole;
    }
    if ((*spec)->unread) {
        if ((rc = asy_study_with_earlier_of(*spec, s->spec, &whole, err)))
            return rc;
        asy_study_destroy(*spec);
        *spec = whole;
    }
    return 0;
}

static void resume(struct asy_core *core, const struct asy__session *session,
                   const struct asy_msg *msg, const struct asy_study_spec *spec)
{
    struct asy__study *s = unfinished(core, session, spec);
    struct asy_error err = ASY_ERROR_INIT;
    uint64_t request = msg->submit.request;
    struct asy_event ev;

    if (!s) {
        asy__reply(core, session, request, ASY_E_NOENT,
                   asy__textf(core, "no unfinished study is named '%s'", spec->name), NULL);
        return;
    }
    if (s->state == ASY_STUDY_STOPPING || core->draining) {
        asy__reply(core, session, request, ASY_E_STATE,
                   asy__textf(core, "study '%s' is ending", s->name), NULL);
        return;
    }
    if (asy_study_resumable(s->spec, spec, &err)) {
        asy__reply(core, session, request, err.code, asy__dup(core, err.text), NULL);
        return;
    }
    if (strcmp(s->spec_text, spec->canonical) != 0) {
        ev = asy__event(core, ASY_EV_STUDY_CHANGED, s, NULL);
        ev.study_changed.spec = asy__dup(core, spec->canonical);
        asy__emit(core, &ev);
    }
    if (s->state == ASY_STUDY_PAUSED)
        asy__study_state(core, s, ASY_STUDY_RUNNING, ASY_CAUSE_NONE, "resumed");
    asy__reply(core, session, request, 0, "", study_json(core, s));
}

void asy__submit(struct asy_core *core, struct asy__session *session, const struct asy_msg *msg)
{
    const char *text = asy__str(msg->submit.spec);
    struct asy__study *s = asy__study_get(core, msg->submit.study);
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems;

    if (s && asy__may(core, session, s)) { /* sent again */
        asy__reply(core, session, msg->submit.request, 0, "", study_json(core, s));
        return;
    }
    asy_buf_init(&problems, 64 << 10);
    if (s || asy_id_is_none(msg->submit.study))
        asy_fail(&err, ASY_E_INVAL, "a submission needs an id of its own");
    else if (core->draining)
        asy_fail(&err, ASY_E_STATE, "the coordinator is being drained");
    else if (asy_study_parse(text, strlen(text), "study", NULL, &spec, &problems, &err) == 0 &&
             (!msg->submit.resume || recall(core, session, &spec, &err) == 0))
        ASY_IGNORE(check_spec(spec, &err)); /* err says it */
    if (err.code)
        asy__reply(core, session, msg->submit.request, err.code,
                   problems.len ? asy__dup(core, problems.data) : asy__dup(core, err.text), NULL);
    else if (msg->submit.resume)
        resume(core, session, msg, spec);
    else
        create(core, session, msg, spec);
    asy_buf_fini(&problems);
    asy_study_destroy(spec);
}

/* ---- control --------------------------------------------------------------------------------- */

void asy__drain(struct asy_core *core)
{
    struct asy__study *s;
    struct asy__session *session;
    struct asy_msg *msg;

    if (core->draining)
        return;
    core->draining = 1;
    asy__each(s, &core->live, struct asy__study, node) {
        if (s->state == ASY_STUDY_RUNNING)
            asy__study_state(core, s, ASY_STUDY_PAUSED, ASY_CAUSE_USER, "drained");
        asy__study_sync(core, s);
    }
    asy__each(session, &core->all_sessions, struct asy__session, node)
        if (session->worker && (msg = asy__send(core, session, ASY_MSG_DRAIN, 1)))
            msg->drain.text = "the coordinator is drained";
}

/* The text of the spec with another priority: canonical JSON has the key at its top level. */
static const char *with_priority(struct asy_core *core, const struct asy__study *s,
                                 int64_t priority)
{
    const char *text = s->spec_text, *at, *end;
    int depth = 0, quoted = 0;

    for (at = text; *at; at++) {
        if (quoted) {
            if (*at == '\\' && at[1])
                at++;
            else if (*at == '"')
                quoted = 0;
            continue;
        }
        if (*at == '"' && depth == 1 && !strncmp(at, "\"priority\"", 10))
            break;
        quoted = *at == '"';
        depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
    }
    if (!*at || !(at = strchr(at + 10, ':')))
        return NULL;
    end = at + 1 + strspn(at + 1, " \t\r\n");
    end += strspn(end, "+-0123456789");
    asy_buf_clear(&core->scratch);
    asy_buf_add(&core->scratch, text, (size_t)(at + 1 - text));
    asy_buf_addf(&core->scratch, "%" PRId64 "%s", priority, end);
    return core->scratch.rc ? NULL : asy__dup(core, core->scratch.data);
}

static int set_priority(struct asy_core *core, struct asy__study *s, int64_t priority,
                        struct asy_error *err)
{
    struct asy_event ev = asy__event(core, ASY_EV_STUDY_CHANGED, s, NULL);
    const char *text = with_priority(core, s, priority);
    struct asy_study_spec *spec = NULL;
    int rc;

    if (!text)
        return asy_fail(err, ASY_E_STATE, "study '%s' has no priority to change", s->name);
    if ((rc = asy_study_parse(text, strlen(text), s->name, NULL, &spec, NULL, err)))
        return rc;
    asy_study_destroy(spec);
    ev.study_changed.spec = text;
    asy__emit(core, &ev);
    return 0;
}

static int stop_trial(struct asy_core *core, struct asy__study *s, int64_t number,
                      struct asy_error *err)
{
    struct asy__trial *t = number < 0 ? NULL : asy__trial_get(s, (uint64_t)number);
    struct asy_event ev;

    if (!t)
        return asy_fail(err, ASY_E_NOENT, "study '%s' has no trial %" PRId64, s->name, number);
    if (t->stop == ASY_CAUSE_USER ||
        (t->state == ASY_TRIAL_CANCELLED && t->cause == ASY_CAUSE_USER))
        return 0; /* asked again: the answer was lost */
    if (asy_trial_state_ended(t->state))
        return asy_fail(err, ASY_E_STATE, "trial %" PRId64 " of study '%s' is over", number,
                        s->name);
    if (t->attempt && t->attempt->orphan)
        asy__attempt_lost(core, t, ASY_END_LOST, ASY_CAUSE_USER, "stopped by the user");
    if (core->rc || asy_trial_state_ended(t->state)) /* that was one loss too many */
        return 0;
    if (!t->attempt) {
        asy__trial_end(core, t, ASY_TRIAL_CANCELLED, ASY_CAUSE_USER, "stopped by the user");
        return 0;
    }
    ev = asy__event(core, ASY_EV_TRIAL_STATE, s, t);
    ev.trial_state.state = t->state;
    ev.trial_state.cause = ASY_CAUSE_USER;
    ev.trial_state.text = "to be stopped";
    ev.trial_state.value = (double)NAN;
    ev.trial_state.step = t->step;
    asy__emit(core, &ev);
    asy__attempt_sync(core, t->attempt);
    return 0;
}

static int in_state(const struct asy__study *s, int ok, const char *verb, struct asy_error *err)
{
    return ok ? 0 : asy_fail(err, ASY_E_STATE, "cannot %s study '%s': it is %s", verb, s->name,
                             asy_study_state_name(s->state));
}

static int of_study(struct asy_core *core, struct asy__study *s, const struct asy_msg *msg,
                    struct asy_error *err)
{
    int running = s->state == ASY_STUDY_RUNNING, idle = s->state == ASY_STUDY_PAUSED, rc;

    switch (msg->control.verb) {
    case ASY_CONTROL_PAUSE:
        if (idle || (rc = in_state(s, running, "pause", err)))
            return idle ? 0 : rc;
        asy__study_state(core, s, ASY_STUDY_PAUSED, ASY_CAUSE_USER, "paused by the user");
        asy__study_sync(core, s);
        return 0;
    case ASY_CONTROL_RESUME:
        if (running || (rc = in_state(s, idle && !core->draining, "resume", err)))
            return running ? 0 : rc;
        asy__study_state(core, s, ASY_STUDY_RUNNING, ASY_CAUSE_NONE, "resumed");
        return 0;
    case ASY_CONTROL_STOP:
        if (s->over || s->state == ASY_STUDY_STOPPING)
            return 0;
        if ((rc = in_state(s, running || idle, "stop", err)))
            return rc;
        asy__study_stop(core, s, ASY_CAUSE_USER, "stopped by the user");
        return 0;
    case ASY_CONTROL_PRIORITY:
        rc = in_state(s, running || idle, "set the priority of", err);
        return rc ? rc : set_priority(core, s, msg->control.number, err);
    case ASY_CONTROL_STOP_TRIAL:
        rc = in_state(s, running || idle, "stop a trial of", err);
        return rc ? rc : stop_trial(core, s, msg->control.number, err);
    default:
        return asy_fail(err, ASY_E_UNSUPPORTED, "cannot do that to a study");
    }
}

static int of_all(struct asy_core *core, const struct asy__session *session, int shutdown,
                  struct asy_error *err)
{
    if (strcmp(session->key, core->owner) != 0)
        return asy_fail(err, ASY_E_DENIED, "only who started the coordinator may end it");
    if (!shutdown)
        asy__drain(core);
    else if (!core->quit_sent)
        core->quit_wanted = 1;
    return 0;
}

int asy_core_stays(const struct asy_core *core)
{
    return core->config.idle_exit_ms < 0;
}

static int stay(struct asy_core *core, const struct asy__session *session, struct asy_error *err)
{
    if (strcmp(session->key, core->owner) != 0)
        return asy_fail(err, ASY_E_DENIED, "only who started the coordinator may have it stay");
    if (core->draining || core->quit_wanted || core->quit_sent)
        return asy_fail(err, ASY_E_STATE, "the coordinator is ending");
    core->config.idle_exit_ms = -1;
    return 0;
}

static int control(struct asy_core *core, const struct asy__session *session,
                   const struct asy_msg *msg, const char **ret_json, struct asy_error *err)
{
    struct asy__study *s;

    if (msg->type == ASY_MSG_DRAIN || msg->control.verb == ASY_CONTROL_DRAIN)
        return of_all(core, session, 0, err);
    if (msg->control.verb == ASY_CONTROL_SHUTDOWN)
        return of_all(core, session, 1, err);
    if (msg->control.verb == ASY_CONTROL_STAY)
        return stay(core, session, err);
    if (msg->control.verb == ASY_CONTROL_ADOPT || msg->control.verb == ASY_CONTROL_DISCARD)
        return asy__offers_control(core, session, msg, ret_json, err);
    if (!(s = asy__study_find(core, msg->control.study)))
        return asy_fail(err, ASY_E_NOENT, "no study '%.64s'", asy__str(msg->control.study));
    if (!asy__may(core, session, s))
        return asy_fail(err, ASY_E_DENIED, "study '%s' belongs to another user", s->name);
    return of_study(core, s, msg, err);
}

void asy__control(struct asy_core *core, struct asy__session *session, const struct asy_msg *msg)
{
    struct asy_error err = ASY_ERROR_INIT;
    const char *json = NULL;
    int rc = control(core, session, msg, &json, &err);

    if (msg->type != ASY_MSG_DRAIN)
        asy__reply(core, session, msg->control.request, rc, asy__dup(core, err.text),
                   rc ? NULL : json);
}

/* ---- records and watches --------------------------------------------------------------------- */

static int record(struct asy_core *core, const struct asy__session *session,
                  const struct asy_msg *msg, struct asy_error *err)
{
    struct asy__study *s = asy__study_find(core, msg->record.study);
    enum asy_event_kind kind = msg->record.event.kind;
    struct asy_event ev;

    if (!s)
        return asy_fail(err, ASY_E_NOENT, "no study '%.64s'", asy__str(msg->record.study));
    if (!asy__may(core, session, s))
        return asy_fail(err, ASY_E_DENIED, "study '%s' belongs to another user", s->name);
    if (kind != ASY_EV_TAG && kind != ASY_EV_SCORE && kind != ASY_EV_ARTIFACT &&
        kind != ASY_EV_DATASET)
        return asy_fail(err, ASY_E_UNSUPPORTED, "cannot record '%s'", asy_event_kind_name(kind));
    if (kind == ASY_EV_ARTIFACT && asy_artifact_is_left(asy__str(msg->record.event.artifact.name)))
        return asy_fail(err, ASY_E_DENIED, "artifacts named '%s' are what attempts leave; record "
                        "it by another name", msg->record.event.artifact.name);
    if (msg->record.trial >= 0 && !s->over && (uint64_t)msg->record.trial >= s->n_trials)
        return asy_fail(err, ASY_E_NOENT, "study '%s' has no trial %" PRId64, s->name,
                        msg->record.trial);
    if (asy_event_copy(&msg->record.event, core->arena, &ev, err))
        return core->rc = ASY_E_NOMEM;
    ev.seq = 0;
    ev.wall_us = core->wall_us;
    ev.study = s->id;
    ev.trial = msg->record.trial < 0 ? ASY__NO_TRIAL : (uint64_t)msg->record.trial;
    ev.attempt = 0;
    asy__emit(core, &ev);
    return 0;
}

void asy__record(struct asy_core *core, struct asy__session *session, const struct asy_msg *msg)
{
    struct asy_error err = ASY_ERROR_INIT;
    int rc = record(core, session, msg, &err);

    asy__reply(core, session, msg->record.request, rc, asy__dup(core, err.text), NULL);
}

static void unwatch(struct asy__session *session, uint64_t request)
{
    for (size_t i = 0; i < session->n_watches; i++)
        if (session->watches[i].request == request) {
            session->watches[i] = session->watches[--session->n_watches];
            break;
        }
    if (session->n_watches == 0)
        asy__list_take(&session->watching);
}

int asy__watch(struct asy_core *core, struct asy__session *session, const struct asy_msg *msg)
{
    const char *name = asy__str(msg->watch.study);
    struct asy__study *s = asy__study_find(core, name);
    int may_see = !s || asy__may(core, session, s);
    struct asy__watch *grown;

    unwatch(session, msg->watch.request);
    if (msg->watch.stop)
        return 0;
    if (!may_see || (*name && !s)) {
        asy__reply(core, session, msg->watch.request, s ? ASY_E_DENIED : ASY_E_NOENT,
                   asy__textf(core, s ? "study '%.64s' belongs to another user"
                                      : "no study '%.64s'", name), NULL);
        return 0;
    }
    if (session->n_watches >= WATCHES_MAX) {
        asy__reply(core, session, msg->watch.request, ASY_E_FULL,
                   "no further watch on this connection", NULL);
        return 0;
    }
    if (!(grown = realloc(session->watches, (session->n_watches + 1) * sizeof *grown))) {
        core->rc = ASY_E_NOMEM;
        return 0;
    }
    session->watches = grown;
    session->watches[session->n_watches++] =
        (struct asy__watch){ msg->watch.request, s ? s->id : ASY_ID_NONE, core->seq };
    if (!session->watching.next)
        asy__list_push(&core->watchers, &session->watching);
    return 1;
}
