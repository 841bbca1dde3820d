/* SPDX-License-Identifier: Apache-2.0
 * test_log.c - one event, one harmless line, in text and JSON. Lines are read back from a pipe. */
#include <asy/json.h>
#include <asy/log.h>
#include <errno.h>
#include <limits.h>
#include <unistd.h>
#include "asytest.h"

/* What a call logged, through a pipe that is empty before and after. */
static const char *logged(int fds[2], char text[2 * PIPE_BUF])
{
    ssize_t n;

    if (!T_TRUE(write(fds[1], "\x04", 1) == 1)) /* an end, so that reading nothing is seen too */
        return "";
    n = read(fds[0], text, 2 * PIPE_BUF - 1);
    text[n > 0 ? n - 1 : 0] = 0;
    return text;
}

static void a_line_has_time_level_program_and_text(void)
{
    char text[2 * PIPE_BUF];
    int fds[2];

    if (!T_TRUE(pipe(fds) == 0))
        return;
    asy_info("nobody listens yet");
    asy_log_open(fds[1], "assay-test", ASY_LOG_INFO, 0);
    errno = EPIPE;
    asy_warn("trial=%d lost, retrying in %d s", 7, 2);
    T_EQ("errno", errno, EPIPE);
    logged(fds, text);
    T_EQ("length of the time", strcspn(text, " "), strlen("2026-01-31T12:00:00.123Z"));
    T_STR("line", text + strcspn(text, " "), " warn assay-test: trial=7 lost, retrying in 2 s\n");
    asy_log_open(fds[1], NULL, ASY_LOG_INFO, 0);
    asy_logerr("x");
    logged(fds, text);
    T_STR("without a program", text + strcspn(text, " "), " error x\n");
    asy_log_open(-1, NULL, ASY_LOG_DEBUG, 0);
    asy_logerr("nobody listens any more");
    T_STR("closed", logged(fds, text), "");
    close(fds[0]);
    close(fds[1]);
}

static void levels_below_the_least_are_silent(void)
{
    char text[2 * PIPE_BUF];
    int fds[2];

    if (!T_TRUE(pipe(fds) == 0))
        return;
    for (int least = ASY_LOG_DEBUG; least <= ASY_LOG_ERROR; least++)
        for (int level = ASY_LOG_DEBUG; level <= ASY_LOG_ERROR; level++) {
            asy_log_open(fds[1], "p", (enum asy_log_level)least, 0);
            asy_log((enum asy_log_level)level, "here");
            T_EQ("lines", strstr(logged(fds, text), "here") != NULL, level >= least);
        }
    asy_log_open(-1, NULL, ASY_LOG_DEBUG, 0);
    close(fds[0]);
    close(fds[1]);
}

static void what_breaks_lines_or_terminals_is_escaped(void)
{
    static const struct { const char *text, *plain, *json; } cases[] = {
        { "two\nlines", "two\\x0alines", "two\nlines" },
        { "\x1b[31mred", "\\x1b[31mred", "\x1b[31mred" },
        { "del\x7f", "del\\x7f", "del\x7f" },
        { "quote\" back\\slash", "quote\" back\\slash", "quote\" back\\slash" },
        { "bad \xff utf8 \xc3", "bad \xef\xbf\xbd utf8 \xef\xbf\xbd",
          "bad \xef\xbf\xbd utf8 \xef\xbf\xbd" },
        { "good \xe2\x82\xac", "good \xe2\x82\xac", "good \xe2\x82\xac" },
    };
    char text[2 * PIPE_BUF];
    int fds[2];

    if (!T_TRUE(pipe(fds) == 0))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_json *root = NULL;

        asy_log_open(fds[1], "p\"\n", ASY_LOG_DEBUG, 0);
        asy_debug("%s", cases[i].text);
        logged(fds, text);
        T_HAS("program", text, " debug p\"\\x0a: ");
        T_HAS(cases[i].text, text, cases[i].plain);
        T_EQ("one line", strcspn(text, "\n"), strlen(text) - 1);

        asy_log_open(fds[1], "p\"\n", ASY_LOG_DEBUG, ASY_LOG_JSON);
        asy_debug("%s", cases[i].text);
        logged(fds, text);
        T_EQ("one line", strcspn(text, "\n"), strlen(text) - 1);
        if (T_OK(asy_json_parse(text, strlen(text), &root, &err), &err)) {
            T_STR("level", asy_json_str(asy_json_get(root, "level"), "-"), "debug");
            T_STR("program", asy_json_str(asy_json_get(root, "program"), "-"), "p\"\n");
            T_STR("text", asy_json_str(asy_json_get(root, "text"), "-"), cases[i].json);
        }
        asy_json_destroy(root);
    }
    asy_log_open(-1, NULL, ASY_LOG_DEBUG, 0);
    close(fds[0]);
    close(fds[1]);
}

/* Longer than the text, and by its escapes longer than a line. */
static void a_long_line_stays_whole_and_says_that_it_is_cut(void)
{
    static const char letters[] = { 'a', '\n', '"', '\\' };
    static char huge[10000];
    char text[2 * PIPE_BUF];
    int fds[2];

    if (!T_TRUE(pipe(fds) == 0))
        return;
    for (size_t i = 0; i < sizeof letters; i++)
        for (unsigned flags = 0; flags <= ASY_LOG_JSON; flags++) {
            struct asy_error err = ASY_ERROR_INIT;
            struct asy_json *root = NULL;

            memset(huge, letters[i], sizeof huge - 1);
            asy_log_open(fds[1], "p", ASY_LOG_DEBUG, flags);
            asy_info("%s", huge);
            logged(fds, text);
            T_TRUE(strlen(text) <= PIPE_BUF && strlen(text) > 1000);
            T_EQ("one line", strcspn(text, "\n"), strlen(text) - 1);
            T_HAS("its end", text + strlen(text) - 8, "...");
            if (flags)
                T_OK(asy_json_parse(text, strlen(text), &root, &err), &err);
            asy_json_destroy(root);
        }
    asy_log_open(-1, NULL, ASY_LOG_DEBUG, 0);
    close(fds[0]);
    close(fds[1]);
}

static void a_repeat_is_due_after_its_interval(void)
{
    int64_t state = 0, never = 0;

    T_EQ("the first", asy_log_due(&state, 1000000000), 1);
    T_EQ("again at once", asy_log_due(&state, 1000000000), 0);
    T_EQ("another state", asy_log_due(&never, 0), 1);
    T_EQ("no interval", asy_log_due(&never, 0), 1);
}

T_MAIN("log", T_TEST(a_line_has_time_level_program_and_text),
       T_TEST(levels_below_the_least_are_silent), T_TEST(what_breaks_lines_or_terminals_is_escaped),
       T_TEST(a_long_line_stays_whole_and_says_that_it_is_cut),
       T_TEST(a_repeat_is_due_after_its_interval))
