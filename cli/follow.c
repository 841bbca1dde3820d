/* SPDX-License-Identifier: Apache-2.0
 * follow.c - see follow.h. One loop: frames, signals and time. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <asy/clock.h>
#include <asy/told.h>
#include "follow_impl.h"

#define FRAME_MS 100        /* between two pictures */
#define SECOND_MS 1000      /* the clock in the picture */
#define PING_MS 1500        /* after so much silence the coordinator is asked for a word */
#define SILENT_MS 2500      /* and is looked for where that brings none */
#define GREET_MS 400
#define AWAY_MS 30000       /* then a coordinator that is not ours is given up */
#define STILL_MS 1500       /* nothing runs and nothing happens: ask why */
#define QUIET_MS 5000       /* something runs, but nobody says anything */
#define ANSWER_MAX (256u << 20)

/* ---- the coordinator ----------------------------------------------------------------------- */

/* From the last event known on. A failure to send shows as silence. */
static void subscribe(struct asy__follower *f)
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

static void back(struct asy__follower *f)
{
    f->away[0] = 0;
    f->away_ms = 0;
    f->dirty = 1;
    subscribe(f);
}

/* It is silent, or somebody else by now. ASY_E_GONE: given up. */
static int look_for_it(struct asy__follower *f, struct asy_error *err)
{
    int64_t now_ms = asy_clock_ms();
    struct asy_error why = ASY_ERROR_INIT;
    int rc;

    if (!f->away_ms)
        f->away_ms = now_ms;
    if (now_ms - f->tried_ms < GREET_MS)
        return 0;
    f->tried_ms = now_ms;
    if (asy__session_greet(f->session, GREET_MS, &why) == 0) {
        back(f);
        return 0;
    }
    if ((f->left = asy__session_left(f->session)))
        return 0; /* its last word got lost: a connection that closes takes along what is unread */
    if (asy__session_started(f->session) && asy__session_ended(f->session)) {
        snprintf(f->away, sizeof f->away, "the coordinator has ended; starting it again");
        if (f->on_screen)
            asy__follow_draw(f, 0);
        asy__follow_notes(f);
        if ((rc = asy__session_again(f->session, err)) < 0)
            return rc;
        back(f);
        return 0;
    }
    snprintf(f->away, sizeof f->away,
             "the coordinator does not answer; trials go on, trying to reach it");
    f->dirty = 1;
    if (asy_in_batch_job() && asy__session_started(f->session))
        return 0; /* its node watches over it, and the job would end with us */
    if (why.code == ASY_E_DENIED || now_ms - f->away_ms > AWAY_MS)
        return asy_fail(err, why.code == ASY_E_DENIED ? ASY_E_DENIED : ASY_E_GONE,
                        "lost the coordinator: %s; all that it acknowledged is stored", why.text);
    return 0;
}

/* Whether it lives, as far as we can hear. A small question brings an answer where there is no
 * news. */
static int hears_us(struct asy__follower *f)
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

static void ask_why(struct asy__follower *f)
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

static int open_signals(struct asy__follower *f, struct asy_error *err)
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

static void take_signals(struct asy__follower *f)
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

/* Trials failed and none is complete: whoever asked for a result has none. */
static int came_to_nothing(const struct asy__progress *progress)
{
    return progress->state == ASY_STUDY_FAILED ||
           (progress->state == ASY_STUDY_FINISHED && progress->counts[ASY_TRIAL_FAILED] > 0 &&
            progress->counts[ASY_TRIAL_COMPLETE] == 0);
}

/* Whether it is over for us, and how. */
static int settled(struct asy__follower *f, enum asy__followed *ret_how)
{
    if (asy__interrupts() > 1 && asy__session_started(f->session)) {
        if (!f->on_screen && !f->json)
            asy__follow_line(f, "ending at once");
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
        *ret_how = came_to_nothing(&f->progress) ? ASY__FOLLOWED_FAILED : ASY__FOLLOWED_OVER;
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
    if (f->left) {
        *ret_how = ASY__FOLLOWED_ENDED;
        return 1;
    }
    return 0;
}

static int wait_ms(const struct asy__follower *f)
{
    int64_t now_ms = asy_clock_ms(), next_ms = now_ms + SECOND_MS;

    if (f->on_screen && f->dirty)
        next_ms = f->drawn_ms + FRAME_MS;
    if (f->away_ms || f->draining)
        next_ms = now_ms + FRAME_MS;
    return next_ms <= now_ms ? 0 : (int)(next_ms - now_ms);
}

/* All that waits, but at most for the time of one picture. */
static int gather(struct asy__follower *f, struct asy_error *err)
{
    int64_t until_ms = asy_clock_ms() + wait_ms(f) + FRAME_MS;
    int timeout_ms = wait_ms(f), rc;
    struct asy_msg msg;

    while ((rc = asy__next(f->session, f->signals, timeout_ms, &msg, err)) == 0) {
        if ((rc = asy__follow_take(f, &msg, err)) < 0)
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

static int loop(struct asy__follower *f, enum asy__followed *ret_how, struct asy_error *err)
{
    int rc;

    subscribe(f);
    while (!settled(f, ret_how)) {
        if ((rc = gather(f, err)) < 0)
            return rc;
        take_signals(f);
        if (asy__interrupts() && !f->draining && asy__session_started(f->session)) {
            asy__session_drain(f->session);
            f->draining = asy__session_started(f->session);
            f->dirty = 1;
        }
        ask_why(f);
        asy__follow_notes(f);
        if (f->on_screen && (f->dirty ? asy_clock_ms() - f->drawn_ms >= FRAME_MS
                                      : asy_clock_ms() - f->drawn_ms >= SECOND_MS))
            asy__follow_draw(f, 0);
        fflush(stdout);
    }
    return 0;
}

/* ---- the beginning and the end -------------------------------------------------------------- */

static void finish(struct asy__follower *f)
{
    asy__progress_fini(&f->progress);
    asy__gain_fini(&f->gain);
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
                int from_start, struct asy__follow_end *ret_end, struct asy_error *err)
{
    enum asy__followed how = (enum asy__followed)0;
    int64_t now_ms = asy_clock_ms();
    struct asy__follower f = { .session = session, .options = options, .study = study,
                               .signals = -1, .json = options->json, .from_start = from_start,
                               .began_ms = now_ms, .news_ms = now_ms, .line_ms = now_ms,
                               .dirty = 1 };
    int rc;

    asy_buf_init(&f.answer, ANSWER_MAX);
    asy_buf_init(&f.why_answer, 1u << 20);
    asy_buf_init(&f.early, ANSWER_MAX);
    asy_buf_init(&f.text, 1u << 20);
    f.on_screen = !f.json && asy__screen_possible(STDOUT_FILENO);
    if (f.on_screen)
        asy__screen_init(&f.screen, STDOUT_FILENO);
    fflush(stdout);
    if ((rc = open_signals(&f, err)) == 0 && (rc = asy__follow_load(&f, err)) == 0) {
        uint64_t since = f.progress.seq;

        f.done_then = asy__progress_done(&f.progress);
        if (!from_start && !f.json && !f.on_screen) {
            struct asy__view view;

            asy__follow_view(&f, "", &view);
            asy_buf_clear(&f.text);
            asy_buf_addf(&f.text, "study %s so far: ", study);
            asy__status_line(&view, &f.text);
            asy__follow_line(&f, f.text.data);
        }
        rc = loop(&f, &how, err);
        *ret_end = (struct asy__follow_end){ .how = how, .since = since, .gained = f.gain.any,
                                             .complete =
                                                 f.progress.counts[ASY_TRIAL_COMPLETE] };
        snprintf(ret_end->study, sizeof ret_end->study, "%s", study);
        if (how == ASY__FOLLOWED_DRAINED)
            asy__progress_drained(&f.progress);
        if (f.on_screen)
            asy__follow_draw(&f, 1);
    }
    finish(&f);
    return rc;
}
