/* SPDX-License-Identifier: Apache-2.0
 * follow_take.c - what the coordinator says to a watcher: what is so at the beginning, then events.
 *
 * WATCH is answered by the history since the last event known, perhaps in parts, and NEWS may come
 * in between; those are kept until the history is complete, so events are taken in their order and
 * each once. */
#include <stdio.h>
#include <string.h>
#include <asy/clock.h>
#include "follow_impl.h"
#include "format.h"

#define PAGE 1000           /* rows of one question */

/* ---- events -------------------------------------------------------------------------------- */

static int take_event(struct asy__follower *f, const struct asy_json *event, struct asy_error *err)
{
    uint64_t seq = (uint64_t)asy_json_i64(asy_json_get(event, "seq"), 0);
    int rc;

    if (seq <= f->progress.seq)
        return 0;
    if ((rc = asy__progress_event(&f->progress, event, err)) < 0 ||
        (rc = asy__gain_event(&f->gain, event, err)) < 0)
        return rc;
    f->progress.seq = seq;
    f->news_ms = asy_clock_ms();
    f->why[0] = 0;
    f->dirty = 1;
    asy__follow_event(f, event);
    return 0;
}

static int take_text(struct asy__follower *f, const char *text, size_t len, struct asy_error *err)
{
    struct asy_json *event = NULL;
    int rc = asy_json_parse(text, len, &event, err);

    if (rc == 0)
        rc = take_event(f, event, err);
    asy_json_destroy(event);
    return rc;
}

/* The history is complete: it, then what came in meanwhile. */
static int take_history(struct asy__follower *f, struct asy_error *err)
{
    struct asy_json *root = NULL;
    const struct asy_json *list, *event;
    int rc = asy_json_parse(f->answer.data, f->answer.len, &root, err);

    list = rc == 0 ? asy_json_get(root, "events") : NULL;
    for (size_t i = 0; rc == 0 && (event = asy_json_at(list, i)); i++)
        rc = take_event(f, event, err);
    asy_json_destroy(root);
    for (size_t at = 0; rc == 0 && at < f->early.len;) {
        size_t len = strcspn(f->early.data + at, "\n");

        rc = take_text(f, f->early.data + at, len, err);
        at += len + 1;
    }
    asy_buf_clear(&f->answer);
    asy_buf_clear(&f->early);
    f->watching = 1;
    f->watch = 0;
    return rc;
}

static int take_news(struct asy__follower *f, const struct asy_msg *msg, struct asy_error *err)
{
    if (f->watching)
        return take_text(f, msg->news.json, msg->news.json_len, err);
    asy_buf_add(&f->early, msg->news.json, msg->news.json_len);
    asy_buf_addc(&f->early, '\n');
    return asy_buf_check(&f->early, "the news", err);
}

/* Why nothing moves. What is usual is not worth a note. */
static void take_why(struct asy__follower *f)
{
    static const char *const usual[] = { "none", "rung", "sampler", "lag", "study-paused",
                                         "draining" };
    struct asy_json *root = NULL;
    const char *cause, *text, *remedy;

    if (asy_json_parse(f->why_answer.data, f->why_answer.len, &root, NULL) < 0)
        return;
    cause = asy_json_str(asy_json_get(root, "cause"), "none");
    text = asy_json_str(asy_json_get(root, "text"), "");
    remedy = asy_json_str(asy_json_get(root, "remedy"), "");
    if (!*text)
        text = asy_json_str(asy_json_get(root, "rule"), "");
    f->why[0] = 0;
    for (size_t i = 0; i < ASY_ARRAY_LEN(usual) && cause; i++)
        if (!strcmp(cause, usual[i]))
            cause = NULL;
    if (cause) {
        asy_buf_clear(&f->text);
        asy_buf_adds(&f->text, "waiting: ");
        asy__fmt_clean(&f->text, text);
        asy_buf_adds(&f->text, *remedy ? "; to do: " : "");
        asy__fmt_clean(&f->text, remedy);
        snprintf(f->why, sizeof f->why, "%s", f->text.data);
    }
    f->dirty = 1;
    asy_json_destroy(root);
}

static int take_reply(struct asy__follower *f, const struct asy_msg *msg, struct asy_error *err)
{
    uint64_t request = msg->reply.request;
    int full = msg->reply.code == 0 && msg->reply.text && *msg->reply.text;
    struct asy_buf *into = request == f->watch ? &f->answer : &f->why_answer;

    if (msg->reply.code == 0 && full != (f->store[0] != 0)) { /* news of the store's disk */
        snprintf(f->store, sizeof f->store, "%s", full ? msg->reply.text : "");
        f->dirty = 1;
    }
    if (!request || (request != f->watch && request != f->why_request))
        return 0;
    if (msg->reply.code < 0 && request == f->watch)
        return asy_fail(err, (enum asy_code)msg->reply.code, "%s", msg->reply.text);
    if (msg->reply.code < 0) {
        f->why_request = 0; /* the study is over: its events say so */
        return 0;
    }
    asy_buf_add(into, msg->reply.json, msg->reply.json_len);
    if (msg->reply.more)
        return asy_buf_check(into, "the answer", err);
    if (request == f->watch)
        return take_history(f, err);
    f->why_request = 0;
    take_why(f);
    return 0;
}

int asy__follow_take(struct asy__follower *f, const struct asy_msg *msg, struct asy_error *err)
{
    f->heard_ms = asy_clock_ms();
    f->ping = 0;
    if (msg->type == ASY_MSG_NEWS)
        return take_news(f, msg, err);
    if (msg->type == ASY_MSG_REPLY)
        return take_reply(f, msg, err);
    return 0;
}

/* ---- the beginning ------------------------------------------------------------------------- */

static int load_trials(struct asy__follower *f, struct asy_error *err)
{
    int64_t after = -1;
    size_t got;
    int rc;

    do {
        struct asy_json *root = NULL;

        rc = asy__query(f->session, "trials", f->study, -1, after, PAGE, NULL, &f->answer, &root,
                        err);
        got = asy_json_len(asy_json_get(root, "trials"));
        if (rc == 0)
            rc = asy__progress_trials(&f->progress, root, err);
        after += (int64_t)got;
        asy_json_destroy(root);
    } while (rc == 0 && got == PAGE);
    return rc;
}

/* Every event so far, as JSON; WATCH then brings those since. */
static int put_past(struct asy__follower *f, struct asy_error *err)
{
    size_t got;
    int rc;

    do {
        struct asy_json *root = NULL;
        const struct asy_json *event;

        rc = asy__query(f->session, "events", f->study, -1, (int64_t)f->progress.seq, PAGE, NULL,
                        &f->answer, &root, err);
        got = asy_json_len(asy_json_get(root, "events"));
        for (size_t i = 0; rc == 0 && (event = asy_json_at(asy_json_get(root, "events"), i)); i++)
            rc = take_event(f, event, err);
        asy_json_destroy(root);
    } while (rc == 0 && got == PAGE);
    return rc;
}

int asy__follow_load(struct asy__follower *f, struct asy_error *err)
{
    struct asy_json *root = NULL;
    int rc = asy__query(f->session, "study", f->study, -1, -1, -1, NULL, &f->answer, &root, err);

    if (rc == 0)
        rc = asy__progress_init(&f->progress, root, err);
    asy_json_destroy(root);
    if (rc < 0)
        return rc;
    if (f->from_start || f->json) {
        f->progress.seq = 0;
        f->progress.state = ASY_STUDY_RUNNING; /* its events will tell */
    }
    if (f->json)
        return put_past(f, err);
    return f->from_start ? 0 : load_trials(f, err);
}
