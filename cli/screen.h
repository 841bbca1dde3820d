/* SPDX-License-Identifier: Apache-2.0
 * screen.h - a few lines of a terminal that are drawn over and over, below whatever was printed
 * before. Each frame is one write: the cursor goes up over the last one, every line is overwritten
 * and its rest erased, so nothing flickers and nothing is ever cleared but our own lines.
 *
 * Threads: one owner. */
#ifndef ASY__SCREEN_H
#define ASY__SCREEN_H
#include "view.h"

struct asy__screen {
    int fd;
    struct asy__style style;  /* of the terminal as it was measured last */
    int resized;              /* since the last frame */
    struct asy_buf shown;     /* the lines of the last frame */
    struct asy_buf frame;
};
/* Whether fd is a terminal on which lines can be drawn over (and $TERM is not "dumb"). */
int asy__screen_possible(int fd);
void asy__screen_init(struct asy__screen *screen, int fd);
void asy__screen_fini(struct asy__screen *screen);
/* Measures the terminal: before the lines of each frame are laid out. */
void asy__screen_measure(struct asy__screen *screen);
/* Shows lines (each ended by a line feed) in place of the last ones. */
void asy__screen_draw(struct asy__screen *screen, const struct asy_buf *lines);
/* The last frame stays where it is; the next one is drawn below it (after a stop by Ctrl-Z). */
void asy__screen_leave(struct asy__screen *screen);
/* Lines of text on a terminal of that many columns, which wraps what is wider. (For tests.) */
size_t asy__screen_rows(const char *lines, size_t columns);
#endif
