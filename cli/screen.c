/* SPDX-License-Identifier: Apache-2.0
 * screen.c - see screen.h.
 *
 * After a narrower size the terminal has wrapped the lines of the last frame, so the cursor goes up
 * by as many rows as they take now. Its rows are then erased one by one before the next frame is
 * written: a wrapped row that is merely overwritten would be joined with the next one at a wider
 * size, and erasing all at once makes some terminals keep the old frame in their history. The last
 * column stays empty: a line that fills it wraps on some terminals and not on others. */
#include "screen.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "format.h"

#define FRAME_MAX (1u << 20)

int asy__screen_possible(int fd)
{
    const char *term = getenv("TERM");

    return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

static int speaks_utf8(void)
{
    static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

    for (size_t i = 0; i < ASY_ARRAY_LEN(names); i++) {
        const char *value = getenv(names[i]);

        if (value && *value) /* the first that is set counts */
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return 0;
}

void asy__screen_init(struct asy__screen *screen, int fd)
{
    const char *no_color = getenv("NO_COLOR");

    *screen = (struct asy__screen){ .fd = fd };
    screen->style.colour = !(no_color && *no_color);
    screen->style.utf8 = speaks_utf8();
    asy_buf_init(&screen->shown, FRAME_MAX);
    asy_buf_init(&screen->frame, FRAME_MAX);
    asy__screen_measure(screen);
}

void asy__screen_fini(struct asy__screen *screen)
{
    asy_buf_fini(&screen->shown);
    asy_buf_fini(&screen->frame);
}

void asy__screen_measure(struct asy__screen *screen)
{
    struct winsize size = { 0 };

    if (ioctl(screen->fd, TIOCGWINSZ, &size) < 0 || !size.ws_col || !size.ws_row)
        size = (struct winsize){ .ws_col = 80, .ws_row = 24 };
    screen->resized |= screen->style.width != (size_t)size.ws_col - 1;
    screen->style.width = size.ws_col > 1 ? size.ws_col - 1 : 1;
    screen->style.height = size.ws_row > 1 ? size.ws_row - 1 : 1;
}

/* Without the colours, which take no columns. */
static size_t plain_width(const char *line, size_t len)
{
    size_t width = 0;

    for (size_t at = 0; at < len;) {
        const char *code = memchr(line + at, '\033', len - at), *end;
        size_t text = code ? (size_t)(code - line) - at : len - at;

        width += asy__text_width(line + at, text);
        at += text;
        if (code) {
            end = memchr(code, 'm', len - at);
            at = end ? (size_t)(end - line) + 1 : len;
        }
    }
    return width;
}

size_t asy__screen_rows(const char *lines, size_t columns)
{
    size_t rows = 0;

    while (*lines) {
        size_t len = strcspn(lines, "\n"), width = plain_width(lines, len);

        rows += width > columns && columns ? (width + columns - 1) / columns : 1;
        lines += len + (lines[len] == '\n');
    }
    return rows;
}

static void write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, bytes, n);

        if (done > 0) {
            bytes += done;
            n -= (size_t)done;
        } else if (done < 0 && errno == EAGAIN) {
            struct pollfd item = { .fd = fd, .events = POLLOUT };

            ASY_IGNORE(poll(&item, 1, 1000) < 0);
        } else if (done == 0 || errno != EINTR) {
            return; /* the terminal is gone; the study goes on without it */
        }
    }
}

void asy__screen_draw(struct asy__screen *screen, const struct asy_buf *lines)
{
    size_t up = asy__screen_rows(screen->shown.data, screen->style.width + 1);
    const char *at = lines->data;

    asy_buf_clear(&screen->frame);
    if (up)
        asy_buf_addf(&screen->frame, "\033[%zuA\r", up);
    if (up && screen->resized) {
        for (size_t i = 0; i < up; i++)
            asy_buf_adds(&screen->frame, "\033[2K\n");
        asy_buf_addf(&screen->frame, "\033[%zuA\r", up);
    }
    screen->resized = 0;
    while (*at) {
        size_t len = strcspn(at, "\n");

        asy_buf_add(&screen->frame, at, len);
        asy_buf_adds(&screen->frame, "\033[K\n");
        at += len + (at[len] == '\n');
    }
    asy_buf_adds(&screen->frame, "\033[J");
    asy_buf_clear(&screen->shown);
    asy_buf_add(&screen->shown, lines->data, lines->len);
    if (!screen->frame.rc && !screen->shown.rc)
        write_all(screen->fd, screen->frame.data, screen->frame.len);
}

void asy__screen_leave(struct asy__screen *screen)
{
    asy_buf_clear(&screen->shown);
}
