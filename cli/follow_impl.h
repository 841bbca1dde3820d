/* SPDX-License-Identifier: Apache-2.0
 * follow_impl.h - who watches a study: what it knows and shows. follow.c runs it, follow_take.c
 * takes what the coordinator says, follow_show.c shows it. */
#ifndef ASY__FOLLOW_IMPL_H
#define ASY__FOLLOW_IMPL_H
#include <signal.h>
#include "follow.h"
#include "gain.h"
#include "screen.h"
#include "view.h"

struct asy__follower {
    struct asy__session *session;
    const struct asy__options *options;
    const char *study;
    struct asy__progress progress;
    struct asy__gain gain;
    struct asy__lines lines;
    struct asy__screen screen;
    int on_screen, json;
    int signals;                /* signalfd */
    sigset_t signals_before;
    int draining;               /* what we started was told to end */
    uint64_t watch, why_request; /* requests not yet answered in full; 0: none */
    uint64_t ping;              /* asked for a word, at pinged_ms; 0: heard since */
    int watching;               /* the history is complete */
    int left;                   /* the coordinator has ended in order */
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

/* ---- follow_show.c ------------------------------------------------------------------------- */

void asy__follow_view(const struct asy__follower *f, const char *note, struct asy__view *view);
/* last: without hints and guesses, as it stays on the terminal. */
void asy__follow_draw(struct asy__follower *f, int last);
void asy__follow_line(struct asy__follower *f, const char *text);
void asy__follow_event(struct asy__follower *f, const struct asy_json *event);
/* Where there is no picture: notes as they change, and a sign of life now and then. */
void asy__follow_notes(struct asy__follower *f);

/* ---- follow_take.c ------------------------------------------------------------------------- */

/* What is so when watching begins. */
ASY_MUST_CHECK int asy__follow_load(struct asy__follower *f, struct asy_error *err);
ASY_MUST_CHECK int asy__follow_take(struct asy__follower *f, const struct asy_msg *msg,
                                    struct asy_error *err);
#endif
