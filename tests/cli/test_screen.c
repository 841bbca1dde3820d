/* SPDX-License-Identifier: Apache-2.0
 * test_screen.c - what is written to draw over the last lines. */
#include <asytest.h>
#include <fcntl.h>
#include <unistd.h>
#include "screen.h"

static void rows_are_counted_as_a_terminal_wraps_them(void)
{
    static const struct { const char *name, *lines; size_t columns, want; } cases[] = {
        { "nothing", "", 10, 0 },
        { "two lines", "a\nb\n", 10, 2 },
        { "an empty line", "\n", 10, 1 },
        { "full", "1234567890\n", 10, 1 },
        { "one more", "12345678901\n", 10, 2 },
        { "colours are nothing", "\033[1m1234567890\033[0m\n", 10, 1 },
        { "wide characters", "\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\n", 4, 2 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        T_EQ(cases[i].name, asy__screen_rows(cases[i].lines, cases[i].columns), cases[i].want);
}

/* What drawing these lines writes. */
static void drawn(struct asy__screen *screen, int from, const char *lines, char got[400])
{
    struct asy_buf text = { 0 };
    ssize_t n;

    asy_buf_init(&text, 1000);
    asy_buf_adds(&text, lines);
    asy__screen_draw(screen, &text);
    n = read(from, got, 399);
    got[n > 0 ? n : 0] = 0;
    asy_buf_fini(&text);
}

static void a_frame_goes_over_the_last_one(void)
{
    struct asy__screen screen;
    char got[400];
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0) {
        T_TRUE(!"a pipe");
        return;
    }
    asy__screen_init(&screen, fds[1]);
    T_EQ("a pipe has no size", screen.style.width, 79);
    drawn(&screen, fds[0], "one\ntwo\n", got);
    T_STR("the first", got, "one\033[K\ntwo\033[K\n\033[J");
    drawn(&screen, fds[0], "three\n", got);
    T_STR("over it", got, "\033[2A\rthree\033[K\n\033[J");
    screen.style.width = 3; /* it is as if the terminal had wrapped the line */
    screen.resized = 1;
    drawn(&screen, fds[0], "4\n", got);
    T_STR("after a new size", got,
          "\033[2A\r\033[2K\n\033[2K\n\033[2A\r4\033[K\n\033[J");
    asy__screen_leave(&screen);
    drawn(&screen, fds[0], "5\n", got);
    T_STR("below what was left", got, "5\033[K\n\033[J");
    asy__screen_fini(&screen);
    close(fds[0]);
    close(fds[1]);
}

T_MAIN("cli screen", T_TEST(rows_are_counted_as_a_terminal_wraps_them),
       T_TEST(a_frame_goes_over_the_last_one))
