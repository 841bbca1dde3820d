/* SPDX-License-Identifier: Apache-2.0
 * follow_show.c - what a watcher sees: the picture on a terminal, else lines or JSON. */
#include <stdio.h>
#include <string.h>
#include <asy/clock.h>
#include "follow_impl.h"

#define STATUS_MS 60000     /* a line at least so often */

static void note_of(const struct asy__follower *f, char note[512])
{
    if (f->away[0])
        snprintf(note, 512, "%s", f->away);
    else if (f->draining)
        snprintf(note, 512, "ending: running trials %s",
                 f->progress.checkpoints ? "write their checkpoints"
                                         : "are stopped, they have no checkpoints");
    else if (f->store[0])
        snprintf(note, 512, "%s; nothing new starts, it goes on by itself", f->store);
    else
        snprintf(note, 512, "%s", f->why);
}

static const char *hint_of(const struct asy__follower *f)
{
    if (f->draining)
        return "Ctrl-C again ends at once; nothing that is stored gets lost";
    if (!asy__session_started(f->session))
        return "Ctrl-C: stop watching; the study goes on";
    return f->progress.checkpoints ? "Ctrl-C: trials checkpoint and all ends; --resume goes on"
                                   : "Ctrl-C: all ends; --resume begins running trials anew";
}

void asy__follow_view(const struct asy__follower *f, const char *note, struct asy__view *view)
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

void asy__follow_draw(struct asy__follower *f, int last)
{
    struct asy__view view;
    char note[512];

    asy__screen_measure(&f->screen);
    note_of(f, note);
    asy__follow_view(f, last ? "" : note, &view);
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

void asy__follow_line(struct asy__follower *f, const char *text)
{
    printf("%s\n", text);
    f->line_ms = asy_clock_ms();
}

void asy__follow_event(struct asy__follower *f, const struct asy_json *event)
{
    asy_buf_clear(&f->text);
    if (f->json) {
        struct asy_jsonw w;

        asy_jsonw_init(&w, &f->text, 0);
        asy_jsonw_node(&w, NULL, event);
        asy__follow_line(f, f->text.data);
    } else if (!f->on_screen) {
        asy__event_line(&f->lines, &f->progress, event, &f->text);
        if (f->text.len)
            asy__follow_line(f, f->text.data);
    }
}

void asy__follow_notes(struct asy__follower *f)
{
    struct asy__view view;
    char note[512];

    if (f->on_screen || f->json)
        return;
    note_of(f, note);
    if (strncmp(note, f->said, sizeof f->said - 1) != 0) {
        snprintf(f->said, sizeof f->said, "%s", note);
        if (note[0] || (f->progress.state == ASY_STUDY_RUNNING && !f->draining))
            asy__follow_line(f, note[0] ? note : "going on");
    }
    if (f->watching && asy_clock_ms() - f->line_ms >= STATUS_MS) {
        asy__follow_view(f, note, &view);
        asy_buf_clear(&f->text);
        asy__status_line(&view, &f->text);
        asy__follow_line(f, f->text.data);
    }
}
