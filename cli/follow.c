/* SPDX-License-Identifier: Apache-2.0
 * follow.c - see follow.h.
 *
 * One loop: frames, signals and time. WATCH is answered by the history since the last event known,
 * perhaps in parts, and NEWS may come in between; those are kept until the history is complete, so
 * events are taken in their order and each once. */
#include "follow.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <asy/clock.h>
#include "format.h"
#include "screen.h"
#include "view.h"

#define FRAME_MS 100        /* between two pictures */
#define SECOND_MS 1000      /* the clock in the picture */
#define PING_MS 1500        /* after so much silence the coordinator is asked for a word */
#define SILENT_MS 2500      /* and is looked for where that brings none */
#define GREET_MS 400
#define AWAY_MS 30000       /* then a coordinator that is not ours is given up */
#define STILL_MS 1500       /* nothing runs and nothing happens: ask why */
#define QUIET_MS 5000       /* something runs, but nobody says anything */
#define STATUS_MS 60000     /* a line at least so often */
#define PAGE 1000           /* rows of one question */
#define ANSWER_MAX (256u << 20)

struct follow {
    struct asy__session *session;
    const struct asy__options *options;
    const char *study;
    struct asy__progress progress;
    struct asy__lines lines;
    struct asy__screen screen;
    int on_screen, json;
    int signals;                /* signalfd */
    sigset_t signals_before;
    int draining;               /* what we started was told to end */
    uint64_t watch, why_request; /* requests not yet answered in full; 0: none */
    uint64_t ping;              /* asked for a word, at pinged_ms; 0: heard since */
    int watching;               /* the history is complete */
    struct asy_buf answer;      /* parts of the answer to watch */
    struct asy_buf why_answer;
    struct asy_buf early;       /* NEWS that came before it was complete, a line each */
    struct asy_buf text;        /* scratch */
    char away[160], store[300], why[400]; /* notes; "": none */
    char said[512];             /* the last note that was printed as a line */
    int64_t began_ms, heard_ms, news_ms, drawn_ms, line_ms, asked_ms, away_ms, tried_ms, pinged_ms;
    uint64_t done_then;
    int from_start, dirty;
};

/* ---- output -------------------------------------------------------------------------------- */

static void note_of(const struct follow *f, char note[512])
{
    if (f->away[0])
        snprintf(note, 512, "%s", f->away);
    else if (f->draining)
        snprintf(note, 512, "ending: running trials write their checkpoints");
    else if (f->store[0])
        snprintf(note, 512, "%s; nothing new starts, it goes on by itself", f->store);
    else
        snprintf(note, 512, "%s", f->why);
}

static const char *hint_of(const struct follow *f)
{
    if (f->draining)
        return "Ctrl-C again ends at once; nothing that is stored gets lost";
    return asy__session_started(f->session)
               ? "Ctrl-C: trials checkpoint and all ends; --resume goes on"
               : "Ctrl-C: stop watching; the study goes on";
}

static void make_view(const struct follow *f, const char *note, struct asy__view *view)
{
    int64_t watched_ms = asy_clock_ms() - f->began_ms;
    int64_t age_ms = (asy_clock_wall_us() - f->progress.created_us) / 1000;

    *view = (struct asy__view){ .progress = &f->progress, .left_ms = -1, .note = note,
                                .elapsed_ms = f->from_start ? watched_ms : age_ms,
                                .hint = hint_of(f) };
    if (f->progress.state == ASY_STUDY_RUNNING)
        view->left_ms = asy__progress_left_ms(&f->progress, f->done_then, watched_ms,
                                              f->from_start ? watched_ms : -1, &view->at_most);
}

static void draw(struct follow *f, int last)
{
    struct asy__view view;
    char note[512];

    asy__screen_measure(&f->screen);
    note_of(f, note);
    make_view(f, last ? "" : note, &view);
    if (last) {
        view.hint = "";
        view.left_ms = -1;
    }
    asy_buf_clear(&f->text);
    asy__view_layout(&view, &f->screen.style, &f->text);
    asy__screen_draw(&f->screen, &f->text);
    f->drawn_ms = asy_clock_ms();
    f->dirty = 0;
}

static void put_line(struct follow *f, const char *text)
{
    printf("%s\n", text);
    f->line_ms = asy_clock_ms();
}

static void event_out(struct follow *f, const struct asy_json *event)
{
    asy_buf_clear(&f->text);
    if (f->json) {
        struct asy_jsonw w;

        asy_jsonw_init(&w, &f->text, 0);
        asy_jsonw_node(&w, NULL, event);
        put_line(f, f->text.data);
    } else if (!f->on_screen) {
        asy__event_line(&f->lines, &f->progress, event, &f->text);
        if (f->text.len)
            put_line(f, f->text.data);
    }
}

/* Where there is no picture: notes as they change, and a sign of life now and then. */
static void put_notes(struct follow *f)
{
    struct asy__view view;
    char note[512];

    if (f->on_screen || f->json)
        return;
    note_of(f, note);
    if (strncmp(note, f->said, sizeof f->said - 1) != 0) {
        snprintf(f->said, sizeof f->said, "%s", note);
        put_line(f, note[0] ? note : "going on");
    }
    if (f->watching && asy_clock_ms() - f->line_ms >= STATUS_MS) {
        make_view(f, note, &view);
        asy_buf_clear(&f->text);
        asy__status_line(&view, &f->text);
        put_line(f, f->text.data);
    }
}

/* ---- events -------------------------------------------------------------------------------- */

static int take_event(struct follow *f, const struct asy_json *event, struct asy_error *err)
{
    uint64_t seq = (uint64_t)asy_json_i64(asy_json_get(event, "seq"), 0);
    int rc;

    if (seq <= f->progress.seq)
        return 0;
    if ((rc = asy__progress_event(&f->progress, event, err)) < 0)
        return rc;
    f->progress.seq = seq;
    f->news_ms = asy_clock_ms();
    f->why[0] = 0;
    f->dirty = 1;
    event_out(f, event);
    return 0;
}

static int take_text(struct follow *f, const char *text, size_t len, struct asy_error *err)
{
    struct asy_json *event = NULL;
    int rc = asy_json_parse(text, len, &event, err);

    if (rc == 0)
        rc = take_event(f, event, err);
    asy_json_destroy(event);
    return rc;
}

/* The history is complete: it, then what came in meanwhile. */
static int take_history(struct follow *f, struct asy_error *err)
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

static int take_news(struct follow *f, const struct asy_msg *msg, struct asy_error *err)
{
    if (f->watching)
        return take_text(f, msg->news.json, msg->news.json_len, err);
    asy_buf_add(&f->early, msg->news.json, msg->news.json_len);
    asy_buf_addc(&f->early, '\n');
    return asy_buf_check(&f->early, "the news", err);
}

/* Why nothing moves. What is usual is not worth a note. */
static void take_why(struct follow *f)
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

static int take_reply(struct follow *f, const struct asy_msg *msg, struct asy_error *err)
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

static int take_msg(struct follow *f, const struct asy_msg *msg, struct asy_error *err)
{
    f->heard_ms = asy_clock_ms();
    f->ping = 0;
    if (msg->type == ASY_MSG_NEWS)
        return take_news(f, msg, err);
    if (msg->type == ASY_MSG_REPLY)
        return take_reply(f, msg, err);
    return 0;
}

/* ---- the coordinator ----------------------------------------------------------------------- */

/* From the last event known on. A failure to send shows as silence. */
static void subscribe(struct follow *f)
{
    struct asy_msg msg = { .type = ASY_MSG_WATCH };

    msg.watch.study = f->study;
    msg.watch.after_seq = f->progress.seq;
    asy_buf_clear(&f->answer);
    asy_buf_clear(&f->early);
    f->watching = 0;
    f->why_request = 0;
    f->watch = f->ping = 0;
    f->heard_ms = asy_clock_ms();
    ASY_IGNORE(asy__post(f->session, &msg, &f->watch, NULL) < 0);
}

static void back(struct follow *f)
{
    f->away[0] = 0;
    f->away_ms = 0;
    f->dirty = 1;
    subscribe(f);
}

/* It is silent, or somebody else by now. ASY_E_GONE: given up. */
static int look_for_it(struct follow *f, struct asy_error *err)
{
    int64_t now_ms = asy_clock_ms();
    struct asy_error why = ASY_ERROR_INIT;
    int rc;

    if (!f->away_ms)
        f->away_ms = now_ms;
    if (now_ms - f->tried_ms < GREET_MS)
        return 0;
    f->tried_ms = now_ms;
    if (asy__session_started(f->session) && asy__session_ended(f->session)) {
        snprintf(f->away, sizeof f->away, "the coordinator has ended; starting it again");
        if (f->on_screen)
            draw(f, 0);
        put_notes(f);
        if ((rc = asy__session_again(f->session, err)) < 0)
            return rc;
        back(f);
        return 0;
    }
    if (asy__session_greet(f->session, GREET_MS, &why) == 0) {
        back(f);
        return 0;
    }
    snprintf(f->away, sizeof f->away,
             "the coordinator does not answer; trials go on, trying to reach it");
    f->dirty = 1;
    if (why.code == ASY_E_DENIED || now_ms - f->away_ms > AWAY_MS)
        return asy_fail(err, why.code == ASY_E_DENIED ? ASY_E_DENIED : ASY_E_GONE,
                        "lost the coordinator: %s; all that it acknowledged is stored", why.text);
    return 0;
}

/* Whether it lives, as far as we can hear. A small question brings an answer where there is no
 * news. */
static int hears_us(struct follow *f)
{
    int64_t now_ms = asy_clock_ms();
    struct asy_msg msg = { .type = ASY_MSG_QUERY };

    if (!f->watch && !f->watching)
        return 0; /* WATCH could not be sent */
    if (f->ping)
        return now_ms - f->pinged_ms <= SILENT_MS;
    if (now_ms - f->heard_ms < PING_MS)
        return 1;
    msg.query.what = "live";
    msg.query.study = f->study;
    msg.query.trial = -1;
    msg.query.arg = "";
    f->pinged_ms = now_ms;
    return asy__post(f->session, &msg, &f->ping, NULL) == 0;
}

static void ask_why(struct follow *f)
{
    const uint64_t *n = f->progress.counts;
    int64_t now_ms = asy_clock_ms();
    int still = n[ASY_TRIAL_RUNNING] + n[ASY_TRIAL_LEASED] == 0;
    struct asy_msg msg = { .type = ASY_MSG_QUERY };

    if (!f->watching || f->draining || f->progress.state != ASY_STUDY_RUNNING ||
        now_ms - f->news_ms < (still ? STILL_MS : QUIET_MS) || now_ms - f->asked_ms < STILL_MS)
        return;
    f->asked_ms = now_ms;
    msg.query.what = "explain";
    msg.query.study = f->study;
    msg.query.trial = -1;
    msg.query.arg = "";
    asy_buf_clear(&f->why_answer);
    f->why_request = 0;
    ASY_IGNORE(asy__post(f->session, &msg, &f->why_request, NULL) < 0); /* asked again later */
}

/* ---- signals ------------------------------------------------------------------------------- */

static int open_signals(struct follow *f, struct asy_error *err)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    sigaddset(&set, SIGCONT);
    if (sigprocmask(SIG_BLOCK, &set, &f->signals_before) < 0)
        return asy_fail_errno(err, errno, "cannot take signals");
    if ((f->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)) < 0) {
        ASY_IGNORE(sigprocmask(SIG_SETMASK, &f->signals_before, NULL));
        return asy_fail_errno(err, errno, "cannot take signals");
    }
    return 0;
}

static void take_signals(struct follow *f)
{
    struct signalfd_siginfo info;

    while (read(f->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (f->on_screen) {
            if (info.ssi_signo == SIGCONT)
                asy__screen_leave(&f->screen); /* the shell has written below */
            f->drawn_ms = 0; /* at once */
        }
        f->dirty = 1;
    }
}

/* ---- the loop ------------------------------------------------------------------------------ */

/* Whether it is over for us, and how. */
static int settled(struct follow *f, enum asy__followed *ret_how)
{
    if (asy__interrupts() > 1 && asy__session_started(f->session)) {
        if (!f->on_screen && !f->json)
            put_line(f, "ending at once");
        fflush(stdout);
        asy__session_end(f->session);
        *ret_how = ASY__FOLLOWED_LEFT;
        return 1;
    }
    if (asy__interrupts() && !asy__session_started(f->session)) {
        *ret_how = ASY__FOLLOWED_DETACHED;
        return 1;
    }
    if (asy__progress_over(&f->progress)) {
        *ret_how = f->progress.state == ASY_STUDY_FAILED ? ASY__FOLLOWED_FAILED
                                                         : ASY__FOLLOWED_OVER;
        return 1;
    }
    if (f->draining && asy__session_ended(f->session)) {
        *ret_how = ASY__FOLLOWED_DRAINED;
        return 1;
    }
    if (f->progress.state == ASY_STUDY_PAUSED && f->watching && !f->draining) {
        *ret_how = ASY__FOLLOWED_PAUSED;
        return 1;
    }
    return 0;
}

static int wait_ms(const struct follow *f)
{
    int64_t now_ms = asy_clock_ms(), next_ms = now_ms + SECOND_MS;

    if (f->on_screen && f->dirty)
        next_ms = f->drawn_ms + FRAME_MS;
    if (f->away_ms || f->draining)
        next_ms = now_ms + FRAME_MS;
    return next_ms <= now_ms ? 0 : (int)(next_ms - now_ms);
}

/* All that waits, but at most for the time of one picture. */
static int gather(struct follow *f, struct asy_error *err)
{
    int64_t until_ms = asy_clock_ms() + wait_ms(f) + FRAME_MS;
    int timeout_ms = wait_ms(f), rc;
    struct asy_msg msg;

    while ((rc = asy__next(f->session, f->signals, timeout_ms, &msg, err)) == 0) {
        if ((rc = take_msg(f, &msg, err)) < 0)
            return rc;
        timeout_ms = 0;
        if (asy_clock_ms() > until_ms || asy__progress_over(&f->progress))
            return 0;
    }
    if (rc != ASY_E_AGAIN && rc != ASY_E_STATE && rc != ASY_E_GONE)
        return rc;
    if (f->draining)
        return 0; /* it ends, and says no more */
    if (rc != ASY_E_AGAIN || f->away_ms || !hears_us(f))
        return look_for_it(f, err);
    return 0;
}

static int loop(struct follow *f, enum asy__followed *ret_how, struct asy_error *err)
{
    int rc;

    subscribe(f);
    while (!settled(f, ret_how)) {
        if ((rc = gather(f, err)) < 0)
            return rc;
        take_signals(f);
        if (asy__interrupts() && !f->draining && asy__session_started(f->session)) {
            asy__session_drain(f->session);
            f->draining = f->dirty = 1;
        }
        ask_why(f);
        put_notes(f);
        if (f->on_screen && (f->dirty ? asy_clock_ms() - f->drawn_ms >= FRAME_MS
                                      : asy_clock_ms() - f->drawn_ms >= SECOND_MS))
            draw(f, 0);
        fflush(stdout);
    }
    return 0;
}

/* ---- the beginning ------------------------------------------------------------------------- */

static int load_trials(struct follow *f, struct asy_error *err)
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
static int put_past(struct follow *f, struct asy_error *err)
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

static int load(struct follow *f, struct asy_error *err)
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

static void finish(struct follow *f)
{
    asy__progress_fini(&f->progress);
    asy_buf_fini(&f->answer);
    asy_buf_fini(&f->why_answer);
    asy_buf_fini(&f->early);
    asy_buf_fini(&f->text);
    if (f->on_screen)
        asy__screen_fini(&f->screen);
    if (f->signals >= 0) {
        close(f->signals);
        ASY_IGNORE(sigprocmask(SIG_SETMASK, &f->signals_before, NULL));
    }
}

int asy__follow(struct asy__session *session, const struct asy__options *options, const char *study,
                int from_start, enum asy__followed *ret_how, struct asy_error *err)
{
    int64_t now_ms = asy_clock_ms();
    struct follow f = { .session = session, .options = options, .study = study, .signals = -1,
                        .json = options->json, .from_start = from_start, .began_ms = now_ms,
                        .news_ms = now_ms, .line_ms = now_ms, .dirty = 1 };
    int rc;

    asy_buf_init(&f.answer, ANSWER_MAX);
    asy_buf_init(&f.why_answer, 1u << 20);
    asy_buf_init(&f.early, ANSWER_MAX);
    asy_buf_init(&f.text, 1u << 20);
    f.on_screen = !f.json && asy__screen_possible(STDOUT_FILENO);
    if (f.on_screen)
        asy__screen_init(&f.screen, STDOUT_FILENO);
    fflush(stdout);
    if ((rc = open_signals(&f, err)) == 0 && (rc = load(&f, err)) == 0) {
        f.done_then = asy__progress_done(&f.progress);
        if (!from_start && !f.json && !f.on_screen) {
            struct asy__view view;

            make_view(&f, "", &view);
            asy_buf_clear(&f.text);
            asy_buf_addf(&f.text, "study %s so far: ", study);
            asy__status_line(&view, &f.text);
            put_line(&f, f.text.data);
        }
        rc = loop(&f, ret_how, err);
        if (f.on_screen)
            draw(&f, 1);
    }
    finish(&f);
    return rc;
}
