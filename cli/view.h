/* SPDX-License-Identifier: Apache-2.0
 * view.h - the picture of a running study: from a plain struct to lines that fit a terminal.
 *
 * The layout is a function of its arguments and nothing else. No line is wider than the style's
 * width, there are never more than its height; what matters less goes first: running trials, then
 * the parameters of the best one, then the bar.
 *
 * Threads: any. */
#ifndef ASY__VIEW_H
#define ASY__VIEW_H
#include "progress.h"

#define ASY__VIEW_TRIALS 8

struct asy__view {
    const struct asy__progress *progress;
    int64_t elapsed_ms, left_ms; /* left_ms < 0: not known */
    int at_most;                 /* left_ms is but a bound */
    const char *note;            /* what is wrong just now; "": nothing */
    const char *hint;            /* what the keys do; "": nothing */
};
struct asy__style {
    size_t width, height; /* columns and lines that may be used */
    int colour, utf8;
};
/* Appends the lines, each ended by a line feed. */
void asy__view_layout(const struct asy__view *view, const struct asy__style *style,
                      struct asy_buf *out);

/* One line about an event of a trial or of the study, without colours and line feed, for output
 * that is no terminal; nothing if it is not worth one. progress already has the event. Trials that
 * end because the study does are counted, not listed. */
struct asy__lines {
    uint64_t closed; /* such trials so far */
};
void asy__event_line(struct asy__lines *lines, const struct asy__progress *progress,
                     const struct asy_json *event, struct asy_buf *out);
/* "about 2 min left", "at most 10 min left"; nothing if it is not known. */
void asy__time_left(const struct asy__view *view, struct asy_buf *out);
/* "12 of 64 trials; 2 running, 9 paused, 1 pruned; best val_accuracy 0.9833 (trial 5)" */
void asy__status_line(const struct asy__view *view, struct asy_buf *out);
#endif
