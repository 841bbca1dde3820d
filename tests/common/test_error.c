/* SPDX-License-Identifier: Apache-2.0
 * test_error.c - errors with text, assertions, UTF-8, and the clock's text. */
#include <asy/clock.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "asytest.h"
#include "utf8.h"

#define TEXT_MAX (sizeof(((struct asy_error *)0)->text) - 1)

static void a_failure_returns_its_code_and_keeps_errno(void)
{
    struct asy_error err = ASY_ERROR_INIT;

    errno = EPIPE;
    T_EQ("code", asy_fail(&err, ASY_E_FULL, "queue '%s' is full", "q"), ASY_E_FULL);
    T_EQ("errno", errno, EPIPE);
    T_EQ("kept code", err.code, ASY_E_FULL);
    T_STR("text", err.text, "queue 'q' is full");
    asy_error_prefix(&err, "study '%s'", "x");
    T_STR("prefixed", err.text, "study 'x': queue 'q' is full");
    T_EQ("still its code", err.code, ASY_E_FULL);
    T_EQ("no struct", asy_fail(NULL, ASY_E_IO, "%d", 1), ASY_E_IO);
    asy_error_prefix(NULL, "%d", 1);
    /* the arguments may be the text that is replaced */
    T_EQ("itself", asy_fail(&err, ASY_E_INVAL, "<%s>", err.text), ASY_E_INVAL);
    T_STR("itself", err.text, "<study 'x': queue 'q' is full>");
}

static void errno_decides_the_code_and_the_reason(void)
{
    static const struct { int errnum; enum asy_code want; const char *text; } cases[] = {
        { ENOMEM, ASY_E_NOMEM, "f: cannot allocate memory" },
        { ENOENT, ASY_E_NOENT, "f: no such file or directory" },
        { EEXIST, ASY_E_EXISTS, "f: file exists" },
        { ENOSPC, ASY_E_NOSPACE, "f: no space left on device" },
        { EDQUOT, ASY_E_NOSPACE, "f: disk quota exceeded" },
        { EACCES, ASY_E_DENIED, "f: permission denied" },
        { EPERM, ASY_E_DENIED, "f: operation not permitted" },
        { EAGAIN, ASY_E_AGAIN, "f: resource temporarily unavailable" },
        { ETIMEDOUT, ASY_E_TIMEOUT, "f: connection timed out" },
        { ERFKILL, ASY_E_IO, "f: operation not possible due to RF-kill" },
        { 99999, ASY_E_IO, "f: error 99999" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;

        errno = 0;
        T_EQ(cases[i].text, asy_fail_errno(&err, cases[i].errnum, "f"), cases[i].want);
        T_STR(cases[i].text, err.text, cases[i].text);
        T_EQ(cases[i].text, asy_fail_errno(NULL, cases[i].errnum, "f"), cases[i].want);
        T_EQ(cases[i].text, errno, 0);
    }
}

/* Texts of every length around the limit, made of sequences of 1 to 4 bytes: the cut text is never
 * longer than the struct and never ends inside a sequence. */
static void a_long_text_is_cut_between_characters(void)
{
    static const char *const letters[] = { "a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80" };

    for (size_t l = 0; l < ASY_ARRAY_LEN(letters); l++)
        for (size_t before = 0; before < 5; before++) {
            char text[2 * TEXT_MAX] = "";
            struct asy_error err = ASY_ERROR_INIT;
            size_t n = strlen(letters[l]), whole;

            memset(text, 'x', before);
            for (size_t at = before; at + n < sizeof text; at += n)
                memcpy(text + at, letters[l], n + 1);
            whole = before + (TEXT_MAX - before) / n * n;
            T_EQ(letters[l], asy_fail(&err, ASY_E_IO, "%s", text), ASY_E_IO);
            T_EQ(letters[l], strlen(err.text), whole);
            asy_error_prefix(&err, "%s", text);
            T_EQ(letters[l], strlen(err.text), whole);
            T_EQ(letters[l], asy_fail_errno(&err, ENOENT, "%s", text), ASY_E_NOENT);
            T_TRUE(strlen(err.text) <= TEXT_MAX);
            T_HAS(letters[l], err.text, ": no such file or directory");
            T_EQ(letters[l], asy__utf8_cut(err.text, strlen(err.text)), strlen(err.text));
        }
}

static void every_code_has_a_name(void)
{
    T_STR("ok", asy_code_name(0), "ok");
    T_STR("first", asy_code_name(ASY_E_INVAL), "invalid");
    T_STR("last", asy_code_name(ASY_E_CANCELLED), "cancelled");
    T_STR("beyond", asy_code_name(ASY_E_CANCELLED - 1), "unknown");
    T_STR("positive", asy_code_name(1), "unknown");
    T_STR("far", asy_code_name(-2147483647 - 1), "unknown");
    for (int a = 0; a >= ASY_E_CANCELLED; a--)
        for (int b = 0; b > a; b--)
            T_TRUE(strcmp(asy_code_name(a), asy_code_name(b)) != 0);
}

static void a_broken_invariant_says_where_and_aborts(void)
{
    char text[400] = "";
    int fds[2], status = 0;
    ssize_t n;
    pid_t pid;

    if (!T_TRUE(pipe(fds) == 0))
        return;
    if ((pid = fork()) == 0) {
        dup2(fds[1], STDERR_FILENO);
        ASY_ASSERT(fds[0] < 0, "%d lights", 4);
        _exit(0);
    }
    close(fds[1]);
    for (size_t at = 0; (n = read(fds[0], text + at, sizeof text - 1 - at)) > 0; at += (size_t)n)
        ;
    close(fds[0]);
    T_TRUE(waitpid(pid, &status, 0) == pid);
    T_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    T_HAS("place", text, "test_error.c:");
    T_HAS("text", text, "does not hold: fds[0] < 0: 4 lights\n");
}

static void temporaries_end_with_their_scope(void)
{
    int seen;

    {
        ASY_AUTO(free) char *text = strdup("gone at the end");
        ASY_AUTO(close) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        ASY_AUTO(free) char *none = NULL;
        ASY_AUTO(close) int no_fd = -1;

        T_TRUE(text && fd >= 0 && !none && no_fd < 0);
        seen = fd;
    }
    T_TRUE(fcntl(seen, F_GETFD) < 0 && errno == EBADF);
}

static void utf8_is_that_of_rfc_3629(void)
{
    static const struct { const char *name, *bytes; size_t n, want; } cases[] = {
        { "nothing", "", 0, 0 },
        { "zero byte", "\0", 1, 1 },
        { "ascii", "a", 1, 1 },
        { "last of one", "\x7f", 1, 1 },
        { "stray continuation", "\x80", 1, 0 },
        { "overlong two", "\xc1\xbf", 2, 0 },
        { "first of two", "\xc2\x80", 2, 2 },
        { "two cut short", "\xc3", 1, 0 },
        { "two with a letter", "\xc3z", 2, 0 },
        { "overlong three", "\xe0\x9f\xbf", 3, 0 },
        { "first of three", "\xe0\xa0\x80", 3, 3 },
        { "before the surrogates", "\xed\x9f\xbf", 3, 3 },
        { "surrogate", "\xed\xa0\x80", 3, 0 },
        { "three cut short", "\xe2\x82", 2, 0 },
        { "overlong four", "\xf0\x8f\xbf\xbf", 4, 0 },
        { "first of four", "\xf0\x90\x80\x80", 4, 4 },
        { "last of all", "\xf4\x8f\xbf\xbf", 4, 4 },
        { "beyond", "\xf4\x90\x80\x80", 4, 0 },
        { "five bytes", "\xf8\x88\x80\x80\x80", 5, 0 },
        { "never", "\xff", 1, 0 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        T_EQ(cases[i].name, asy__utf8_len(cases[i].bytes, cases[i].n), cases[i].want);
}

static void a_moment_is_written_in_utc(void)
{
    static const struct { int64_t us; const char *want; } cases[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { INT64_C(1769860800123456), "2026-01-31T12:00:00.123Z" },
        { -1, "1969-12-31T23:59:59.999Z" },
        { -1000, "1969-12-31T23:59:59.999Z" },
        { -1001, "1969-12-31T23:59:59.998Z" },
        { INT64_C(951782400000000), "2000-02-29T00:00:00.000Z" },
        { INT64_C(253402300799999999), "9999-12-31T23:59:59.999Z" },
        { INT64_C(253402300800000000), "253402300800000000 us" },
        { INT64_MIN, "-9223372036854775808 us" },
        { INT64_MAX, "9223372036854775807 us" },
    };
    int64_t ms = asy_clock_ms(), ns = asy_clock_ns();
    char text[32];

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        asy_clock_format(cases[i].us, text);
        T_STR(cases[i].want, text, cases[i].want);
    }
    T_TRUE(ns / 1000000 >= ms && asy_clock_ms() >= ns / 1000000);
    T_TRUE(asy_clock_wall_us() > INT64_C(1700000000000000));
}

T_MAIN("error", T_TEST(a_failure_returns_its_code_and_keeps_errno),
       T_TEST(errno_decides_the_code_and_the_reason), T_TEST(a_long_text_is_cut_between_characters),
       T_TEST(every_code_has_a_name), T_TEST(a_broken_invariant_says_where_and_aborts),
       T_TEST(temporaries_end_with_their_scope), T_TEST(utf8_is_that_of_rfc_3629),
       T_TEST(a_moment_is_written_in_utc))
