/* SPDX-License-Identifier: Apache-2.0
 * view.c - the lines on a terminal; see view.h. A line is built piece by piece, each cut to what is
 * left of it, so that colours never count as columns. */
#include "view.h"
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include "format.h"

#define LABEL 8     /* "best    " */
#define VALUE_AT 28 /* columns of the trials that run: how far, value, parameters */
#define VALUE_LEAST 8
#define VALUE_MOST 24

enum paint { PLAIN, STRONG, WEAK, GOOD, BAD, WARN };

struct page {
    const struct asy__style *style;
    struct asy_buf *out;
    size_t lines; /* ended so far */
    size_t used;  /* columns of the present line */
    struct asy_buf piece;
};

static void put_text(struct page *page, enum paint paint, const char *text, size_t len)
{
    static const char *const codes[] = { [STRONG] = "\033[1m", [WEAK] = "\033[2m",
                                         [GOOD] = "\033[32m",  [BAD] = "\033[31m",
                                         [WARN] = "\033[33m" };
    size_t fits = asy__text_fit(text, len, page->style->width - page->used);
    int painted = page->style->colour && paint != PLAIN && fits;

    if (painted)
        asy_buf_adds(page->out, codes[paint]);
    asy_buf_add(page->out, text, fits);
    if (painted)
        asy_buf_adds(page->out, "\033[0m");
    page->used += asy__text_width(text, fits);
}

ASY_PRINTF(3, 4) static void put(struct page *page, enum paint paint, const char *fmt, ...)
{
    va_list args;

    asy_buf_clear(&page->piece);
    va_start(args, fmt);
    asy_buf_vaddf(&page->piece, fmt, args);
    va_end(args);
    put_text(page, paint, page->piece.data, page->piece.len);
}

static void end_line(struct page *page)
{
    asy_buf_addc(page->out, '\n');
    page->lines++;
    page->used = 0;
}

static void pad_to(struct page *page, size_t column)
{
    while (page->used < column && page->used < page->style->width) {
        asy_buf_addc(page->out, ' ');
        page->used++;
    }
}

/* At the right edge, if at least two columns stay between. */
static void put_right(struct page *page, enum paint paint, const struct asy_buf *text)
{
    size_t w = asy__text_width(text->data, text->len);

    if (!w || page->used + 2 + w > page->style->width)
        return;
    pad_to(page, page->style->width - w);
    put_text(page, paint, text->data, text->len);
}

/* Words over several lines, each begun at `indent`; what does not fit into `lines` is cut. */
static void put_words(struct page *page, enum paint paint, const char *text, size_t indent,
                      size_t lines)
{
    size_t len = strlen(text), at = 0;

    if (indent >= page->style->width)
        indent = 0;
    while (at < len && lines > 0) {
        size_t fits, end;

        pad_to(page, indent);
        fits = asy__text_fit(text + at, len - at, page->style->width - page->used);
        end = at + fits;
        if (end < len && lines > 1)
            while (end > at && text[end] != ' ')
                end--;
        if (end == at)
            end = at + (fits ? fits : len - at); /* one word that is too long */
        if (end < len && lines == 1 && fits > 3)
            end -= 3;
        put_text(page, paint, text + at, end - at);
        if (end < len && lines == 1)
            put_text(page, paint, "...", 3);
        end_line(page);
        at = end + (end < len && text[end] == ' ');
        lines--;
    }
}

/* ---- parts --------------------------------------------------------------------------------- */

static void put_head(struct page *page, const struct asy__view *view)
{
    const struct asy__progress *p = view->progress;
    struct asy_buf right = { 0 };

    asy_buf_init(&right, 256);
    asy__fmt_clock(&right, view->elapsed_ms);
    asy_buf_adds(&right, view->left_ms >= 0 ? ", " : "");
    asy__time_left(view, &right);
    put(page, STRONG, "%s", p->name);
    put(page, p->state == ASY_STUDY_RUNNING ? PLAIN : WARN, "  %s",
        asy_study_state_name(p->state));
    put_right(page, PLAIN, &right);
    end_line(page);
    asy_buf_fini(&right);
}

static void put_repeated(struct page *page, enum paint paint, const char *text, size_t n)
{
    asy_buf_clear(&page->piece);
    while (n--)
        asy_buf_adds(&page->piece, text);
    put_text(page, paint, page->piece.data, page->piece.len);
}

static void put_bar(struct page *page, const struct asy__view *view)
{
    const struct asy__progress *p = view->progress;
    uint64_t done = asy__progress_done(p);
    size_t columns = page->style->width < 60 ? page->style->width / 3 : 30, full;

    if (!p->max_trials || p->max_trials == UINT64_MAX)
        return;
    full = done >= p->max_trials ? columns : (size_t)((double)columns * (double)done /
                                                      (double)p->max_trials);
    put_repeated(page, GOOD, page->style->utf8 ? "━" : "#", full);
    put_repeated(page, WEAK, page->style->utf8 ? "─" : ".", columns - full);
    put(page, PLAIN, "  %" PRIu64 " of %" PRIu64 " trials", done, p->max_trials);
    end_line(page);
}

/* Running includes those that a worker has been given and not begun. */
static void put_counts(struct page *page, const struct asy__view *view)
{
    const uint64_t *n = view->progress->counts;
    const struct { const char *name; uint64_t n; enum paint paint; int always; } items[] = {
        { "running", n[ASY_TRIAL_RUNNING] + n[ASY_TRIAL_LEASED], PLAIN, 1 },
        { "queued", n[ASY_TRIAL_QUEUED], PLAIN, 0 },
        { "paused", n[ASY_TRIAL_PAUSED], PLAIN, 1 },
        { "pruned", n[ASY_TRIAL_PRUNED], PLAIN, 1 },
        { "failed", n[ASY_TRIAL_FAILED], BAD, 0 },
        { "cancelled", n[ASY_TRIAL_CANCELLED], PLAIN, 0 },
        { "done", n[ASY_TRIAL_COMPLETE], PLAIN, 1 },
    };
    double rate = asy__progress_rate(view->progress);
    struct asy_buf right = { 0 };

    asy_buf_init(&right, 256);
    if (!isnan(rate)) {
        asy__fmt_big(&right, rate);
        asy_buf_adds(&right, " samples/s");
    }
    for (size_t i = 0; i < ASY_ARRAY_LEN(items); i++)
        if (items[i].n || items[i].always)
            put(page, items[i].paint, "%s%" PRIu64 " %s", i ? "  " : "", items[i].n,
                items[i].name);
    put_right(page, PLAIN, &right);
    end_line(page);
    asy_buf_fini(&right);
}

static void put_best(struct page *page, const struct asy__view *view)
{
    const struct asy__progress *p = view->progress;
    const struct asy__seen *t;
    struct asy_buf text = { 0 };

    asy_buf_init(&text, 4096);
    put(page, PLAIN, "%-*s", LABEL, "best");
    if (p->best_trial < 0) {
        asy__fmt_clean(&text, p->metric);
        put(page, WEAK, "no %s yet", text.data);
    } else {
        t = &p->trials[p->best_trial];
        asy__fmt_clean(&text, p->metric);
        asy_buf_addc(&text, ' ');
        asy__fmt_number(&text, t->value);
        put_text(page, GOOD, text.data, text.len);
        asy_buf_clear(&text);
        asy_buf_addf(&text, "  trial %" PRId64 " at ", p->best_trial);
        asy__fmt_step(&text, p->unit, t->value_step);
        asy_buf_addf(&text, ", %s", asy_trial_state_name(t->state));
        put_text(page, PLAIN, text.data, text.len);
    }
    end_line(page);
    asy_buf_fini(&text);
}

/* How wide the values and the metric's name above them are. */
static size_t value_width(const struct asy__progress *p)
{
    size_t w = asy__text_width(p->metric, strlen(p->metric));

    return w < VALUE_LEAST ? VALUE_LEAST : w > VALUE_MOST ? VALUE_MOST : w;
}

static void put_running(struct page *page, const struct asy__view *view, uint64_t at)
{
    const struct asy__progress *p = view->progress;
    const struct asy__seen *t = &p->trials[at];
    uint64_t until = t->until && t->until < p->length_max ? t->until : p->length_max;
    struct asy_buf text = { 0 };

    asy_buf_init(&text, 1u << 20);
    asy_buf_addf(&text, "  %4" PRIu64 "  ", at);
    asy__fmt_step(&text, p->unit, t->step);
    if (until && until != UINT64_MAX)
        asy_buf_addf(&text, " of %" PRIu64, until);
    put_text(page, PLAIN, text.data, text.len);
    put_text(page, PLAIN, "  ", 2);
    pad_to(page, VALUE_AT);
    asy_buf_clear(&text);
    asy__fmt_number(&text, t->value);
    put_text(page, PLAIN, text.data, text.len);
    put_text(page, PLAIN, "  ", 2);
    pad_to(page, VALUE_AT + value_width(p) + 2);
    asy_buf_clear(&text);
    asy__fmt_short(&text, t->params ? t->params : "", page->style->width > page->used
                                                          ? page->style->width - page->used : 0);
    put_text(page, WEAK, text.data, text.len);
    end_line(page);
    asy_buf_fini(&text);
}

static void put_trials(struct page *page, const struct asy__view *view, size_t room)
{
    const struct asy__progress *p = view->progress;
    uint64_t n = p->counts[ASY_TRIAL_RUNNING] + p->counts[ASY_TRIAL_LEASED], shown = 0;
    struct asy_buf metric = { 0 };

    if (room < 2 || !n)
        return;
    asy_buf_init(&metric, 4096);
    asy__fmt_short(&metric, p->metric, value_width(p));
    put(page, WEAK, "%-*s%s", VALUE_AT, "running", metric.data);
    end_line(page);
    asy_buf_fini(&metric);
    room = room - 1 < ASY__VIEW_TRIALS ? room - 1 : ASY__VIEW_TRIALS;
    for (size_t i = 0; i < p->n && shown < n; i++) {
        if (p->trials[i].state != ASY_TRIAL_RUNNING && p->trials[i].state != ASY_TRIAL_LEASED)
            continue; /* one that is leased runs in a moment */
        if (shown + 1 == room && n > room) {
            put(page, WEAK, "        and %" PRIu64 " more", n - shown);
            end_line(page);
            return;
        }
        put_running(page, view, i);
        shown++;
    }
}

/* ---- the whole ----------------------------------------------------------------------------- */

static size_t lines_left(const struct page *page, size_t kept)
{
    size_t gone = page->lines + kept;

    return gone < page->style->height ? page->style->height - gone : 0;
}

void asy__view_layout(const struct asy__view *view, const struct asy__style *style,
                      struct asy_buf *out)
{
    struct page page = { .style = style, .out = out };
    size_t tail = (*view->note != 0) + (*view->hint != 0);
    const struct asy__progress *p = view->progress;

    if (!style->width || !style->height)
        return;
    asy_buf_init(&page.piece, 1u << 20);
    put_head(&page, view);
    if (lines_left(&page, tail + 2))
        put_bar(&page, view);
    if (lines_left(&page, 0))
        put_counts(&page, view);
    if (lines_left(&page, *view->note != 0))
        put_best(&page, view);
    if (p->best_trial >= 0 && p->trials[p->best_trial].params)
        put_words(&page, PLAIN, p->trials[p->best_trial].params, LABEL,
                  lines_left(&page, tail) < 3 ? lines_left(&page, tail) : 3);
    put_trials(&page, view, lines_left(&page, tail));
    if (*view->note)
        put_words(&page, WARN, view->note, 0,
                  lines_left(&page, *view->hint != 0) < 2 ? lines_left(&page, 0) : 2);
    if (*view->hint)
        put_words(&page, WEAK, view->hint, 0, lines_left(&page, 0) < 1 ? 0 : 1);
    asy_buf_fini(&page.piece);
}
