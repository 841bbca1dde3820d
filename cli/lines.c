/* SPDX-License-Identifier: Apache-2.0
 * lines.c - a study in lines, for output that is no terminal; see view.h. */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include "format.h"
#include "view.h"

static void put_value(const struct asy__progress *p, const struct asy__seen *t, int best,
                      struct asy_buf *out)
{
    if (isnan(t->value))
        return;
    asy_buf_adds(out, ": ");
    asy__fmt_clean(out, p->metric);
    asy_buf_addc(out, ' ');
    asy__fmt_number(out, t->value);
    if (best)
        asy_buf_adds(out, " (best so far)");
}

/* ", because": what the event says, else the name of its cause. */
static void put_reason(const struct asy_json *event, struct asy_buf *out)
{
    const char *text = asy_json_str(asy_json_get(event, "text"), "");
    const char *cause = asy_json_str(asy_json_get(event, "cause"), "");

    if (!*text && (!*cause || !strcmp(cause, "none")))
        return;
    asy_buf_adds(out, "; ");
    asy__fmt_clean(out, *text ? text : cause);
}

static void on_started(const struct asy__progress *p, const struct asy__seen *t,
                       struct asy_buf *out)
{
    if (t->attempt <= 1 && t->from == 0) {
        asy_buf_adds(out, "starts: ");
        asy_buf_adds(out, t->params ? t->params : "");
        return;
    }
    asy_buf_adds(out, t->from == ASY__FROM_UNKNOWN ? "runs again"
                      : t->from                    ? "goes on from "
                                                   : "starts anew");
    if (t->from && t->from != ASY__FROM_UNKNOWN)
        asy__fmt_step(out, p->unit, t->from);
    if (t->until && t->until < p->length_max)
        asy_buf_addf(out, " to %" PRIu64, t->until);
    asy_buf_addf(out, " (attempt %" PRIu32 ")", t->attempt);
}

/* Queued again: only a loss or a crash is news. */
static void on_queued(const struct asy_json *event, struct asy_buf *out)
{
    static const char *const usual[] = { "", "none", "draining", "study-paused", "rung", "pruned" };
    const char *cause = asy_json_str(asy_json_get(event, "cause"), "");

    for (size_t i = 0; i < ASY_ARRAY_LEN(usual); i++)
        if (!strcmp(cause, usual[i]))
            return;
    asy_buf_adds(out, "is queued again");
    put_reason(event, out);
}

static void on_state(struct asy__lines *lines, const struct asy__progress *p,
                     const struct asy__seen *t, const struct asy_json *event, struct asy_buf *out)
{
    const char *cause = asy_json_str(asy_json_get(event, "cause"), "");
    int best = p->best_trial >= 0 && t == &p->trials[p->best_trial];

    if (asy_trial_state_ended(t->state) && !strcmp(cause, "study-ended")) {
        lines->closed++;
        return;
    }
    if (t->state == ASY_TRIAL_QUEUED) {
        on_queued(event, out);
        return;
    }
    if (t->state != ASY_TRIAL_PAUSED && !asy_trial_state_ended(t->state))
        return;
    asy_buf_addf(out, "%s at ", asy_trial_state_name(t->state));
    asy__fmt_step(out, p->unit, t->step);
    if (t->state != ASY_TRIAL_FAILED)
        put_value(p, t, best, out);
    if (t->state != ASY_TRIAL_PAUSED)
        put_reason(event, out);
}

static void on_study(struct asy__lines *lines, const struct asy__progress *p,
                     const struct asy_json *event, struct asy_buf *out)
{
    if (asy__progress_over(p)) {
        if (lines->closed) {
            asy__fmt_count(out, lines->closed, "trial");
            asy_buf_adds(out, lines->closed == 1 ? " was" : " were");
            asy_buf_adds(out, " not promoted or still under way when the study ended");
        }
        return;
    }
    if (p->state == ASY_STUDY_RUNNING && !*p->text)
        return; /* its beginning */
    if (p->state == ASY_STUDY_STOPPING &&
        strcmp(asy_json_str(asy_json_get(event, "cause"), ""), "user") != 0)
        return; /* its end follows and says why */
    asy_buf_addf(out, "study %s is %s", p->name, asy_study_state_name(p->state));
    if (*p->text) {
        asy_buf_adds(out, "; ");
        asy__fmt_clean(out, p->text);
    }
}

void asy__event_line(struct asy__lines *lines, const struct asy__progress *p,
                     const struct asy_json *event, struct asy_buf *out)
{
    const char *kind = asy_json_str(asy_json_get(event, "kind"), "");
    int64_t at = asy_json_i64(asy_json_get(event, "trial"), -1);
    size_t before, head;

    if (!strcmp(kind, "study-state")) {
        on_study(lines, p, event, out);
        return;
    }
    if (at < 0 || (uint64_t)at >= p->n)
        return;
    before = out->len;
    asy_buf_addf(out, "trial %" PRId64 " ", at);
    head = out->len;
    if (!strcmp(kind, "started"))
        on_started(p, &p->trials[at], out);
    else if (!strcmp(kind, "trial-state"))
        on_state(lines, p, &p->trials[at], event, out);
    if (out->len == head && !out->rc)
        out->data[out->len = before] = 0;
}

void asy__time_left(const struct asy__view *view, struct asy_buf *out)
{
    if (view->left_ms < 0)
        return;
    if (view->at_most) {
        asy_buf_adds(out, "at most ");
        asy__fmt_clock(out, view->left_ms);
    } else {
        asy__fmt_guess(out, view->left_ms);
    }
    asy_buf_adds(out, " left");
}

void asy__status_line(const struct asy__view *view, struct asy_buf *out)
{
    const struct asy__progress *p = view->progress;
    const uint64_t *n = p->counts;

    asy_buf_addf(out, "%" PRIu64, asy__progress_done(p));
    if (p->max_trials && p->max_trials != UINT64_MAX)
        asy_buf_addf(out, " of %" PRIu64, p->max_trials);
    asy_buf_addf(out, " trials; %" PRIu64 " running, %" PRIu64 " paused, %" PRIu64
                 " pruned, %" PRIu64 " failed, %" PRIu64 " done", n[ASY_TRIAL_RUNNING] +
                 n[ASY_TRIAL_LEASED], n[ASY_TRIAL_PAUSED], n[ASY_TRIAL_PRUNED],
                 n[ASY_TRIAL_FAILED], n[ASY_TRIAL_COMPLETE]);
    if (p->best_trial >= 0) {
        asy_buf_adds(out, "; best ");
        asy__fmt_clean(out, p->metric);
        asy_buf_addc(out, ' ');
        asy__fmt_number(out, p->trials[p->best_trial].value);
        asy_buf_addf(out, " (trial %" PRId64 ")", p->best_trial);
    }
    asy_buf_adds(out, view->left_ms >= 0 ? "; " : "");
    asy__time_left(view, out);
}
