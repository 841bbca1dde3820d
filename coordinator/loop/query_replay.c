/* SPDX-License-Identifier: Apache-2.0
 * query_replay.c - whether a study's points and its pruner's decisions follow from its log.
 *
 * A piece copies a stretch of the log, or replays for a few milliseconds of what was copied: at
 * least one event, which may ask a sampler once. So no reading lasts as long as a model fit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/clock.h>
#include "query_impl.h"
#include "replay.h"
#include <inttypes.h>

#define EVENTS_BUDGET (64u << 20) /* of one stretch */
#define PIECE_MS 5
#define SAY_MS 300                /* whoever waits hears how far it is */

struct asy__again {
    struct asy__replay *replay;
    struct asy_arena *arena;
    struct asy_event events[ASY__WINDOW];
    size_t n, next;
    uint64_t after;               /* the log was copied up to here */
    uint64_t trials;              /* of the study, when it was asked for */
    int64_t said_ms;
};

void asy__again_free(struct asy__asked *asked)
{
    struct asy__again *again = asked->again;

    if (!again)
        return;
    asy__replay_destroy(again->replay);
    asy_arena_destroy(again->arena);
    free(again);
    asked->again = NULL;
}

static int on_study(void *arg, const struct asy_study_row *row)
{
    struct asy__again *again = arg;

    again->trials = row->trials;
    return 0;
}

static int begin(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    struct asy__again *again = calloc(1, sizeof *again);
    int rc;

    if (!(asked->again = again))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a replay");
    again->said_ms = asy_clock_ms();
    if ((rc = asy_arena_create(EVENTS_BUDGET, &again->arena, err)) < 0 ||
        (rc = asy__replay_create(&again->replay, err)) < 0)
        return rc;
    return asy_reader_studies(reader, asked->q->key, asked->q->study, 1, on_study, again, err);
}

static int on_event(void *arg, const struct asy_event *event)
{
    struct asy__again *again = arg;

    if (again->n == ASY__WINDOW)
        return ASY_E_TOOBIG;
    return asy_event_copy(event, again->arena, &again->events[again->n++], NULL);
}

static int copy_stretch(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    struct asy__again *again = asked->again;
    uint64_t upto = asked->q->upto;
    uint64_t to = upto - again->after > ASY__WINDOW ? again->after + ASY__WINDOW : upto;
    int rc;

    asy_arena_reset(again->arena);
    again->n = again->next = 0;
    rc = asy_reader_events(reader, asked->study, ASY__TRIAL_NONE, again->after, to, -1, on_event,
                           again, err);
    again->after = to;
    return rc;
}

/* 1: a difference was found. */
static int replay_some(struct asy__again *again, struct asy_error *err)
{
    int64_t until_ms = asy_clock_ms() + PIECE_MS;
    int rc = 0;

    while (rc == 0 && again->next < again->n) {
        rc = asy__replay_event(again->replay, &again->events[again->next++], err);
        if (asy_clock_ms() >= until_ms)
            break;
    }
    return rc;
}

static void say(struct asy__asked *asked)
{
    struct asy__again *again = asked->again;
    const struct asy__replay_result *r = asy__replay_result(again->replay);
    int64_t now_ms = asy_clock_ms();

    if (now_ms - again->said_ms < SAY_MS)
        return;
    again->said_ms = now_ms;
    snprintf(asked->say, sizeof asked->say, "replayed %" PRIu64 " of %" PRIu64 " trials",
             r->suggested + r->unproven, again->trials);
}

static void write_difference(struct asy_jsonw *w, const struct asy__replay_result *r)
{
    if (!r->differs) {
        asy_jsonw_null(w, "difference");
        return;
    }
    asy_jsonw_open(w, "difference", '{');
    asy_jsonw_u64(w, "seq", r->seq);
    if (r->trial != ASY__TRIAL_NONE)
        asy_jsonw_u64(w, "trial", r->trial);
    asy_jsonw_str(w, "text", r->text);
    if (*r->parameter) {
        asy_jsonw_str(w, "parameter", r->parameter);
        asy_jsonw_str(w, "stored", r->stored);
        asy_jsonw_str(w, "replayed", r->replayed);
    }
    if (r->knew) {
        asy_jsonw_u64(w, "knew", r->knew);
        asy_jsonw_u64(w, "outcomes", r->outcomes);
    }
    asy_jsonw_close(w, '}');
}

static void write_result(struct asy__asked *asked)
{
    const struct asy__replay_result *r = asy__replay_result(asked->again->replay);
    struct asy_jsonw *w = &asked->w;

    asy_jsonw_str(w, "study", asked->name);
    asy_jsonw_str(w, "result", r->differs ? "differs" : r->unproven ? "unproven" : "follows");
    asy_jsonw_u64(w, "events", r->events);
    asy_jsonw_u64(w, "suggestions", r->suggested);
    asy_jsonw_u64(w, "enqueued", r->enqueued);
    asy_jsonw_u64(w, "unproven", r->unproven);
    asy_jsonw_u64(w, "stops", r->stops);
    asy_jsonw_u64(w, "pauses", r->pauses);
    asy_jsonw_u64(w, "promotions", r->promotions);
    asy_jsonw_u64(w, "values", r->values);
    asy_jsonw_u64(w, "leases", r->lengths);
    write_difference(w, r);
}

int asy__again_work(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    struct asy__again *again = asked->again;
    int rc = 0;

    if (!again)
        return (rc = begin(asked, reader, err)) < 0 ? rc : 1;
    if (again->next < again->n)
        rc = replay_some(again, err);
    else if (again->after < asked->q->upto)
        rc = copy_stretch(asked, reader, err);
    else if ((rc = asy__replay_end(again->replay, err)) == 0)
        rc = 1;
    else if (rc < 0)
        return rc;
    if (rc < 0)
        return asy_error_prefix(err, "study '%s'", asked->name), rc;
    if (rc == 0) {
        say(asked);
        return 1;
    }
    write_result(asked);
    return 0;
}
