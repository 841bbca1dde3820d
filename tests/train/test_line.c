/* SPDX-License-Identifier: Apache-2.0
 * The line between agent and rank, over real sockets. */
#include <asytest.h>
#include <asy/gang.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A line on one end, the raw descriptor of the other. */
static int make_pair(struct asy_line **ret_line, int *ret_fd)
{
    struct asy_error err = ASY_ERROR_INIT;
    int fds[2];

    if (!T_EQ("socketpair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0))
        return -1;
    *ret_fd = fds[1];
    return T_OK(asy_line_create(fds[0], ret_line, &err), &err) ? 0 : -1;
}

static void write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t did = write(fd, bytes, n);

        if (!T_TRUE(did > 0))
            return;
        bytes += did;
        n -= (size_t)did;
    }
}

static void lines_come_out_whole_however_they_are_cut(void)
{
    static const char text[] = "{\"a\":1}\n\nthird line\nunfinished";
    static const char *const want[] = { "{\"a\":1}", "", "third line" };

    for (size_t cut = 1; cut < sizeof text; cut++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_line *line = NULL;
        size_t got = 0, len;
        const char *one;
        int fd;

        if (make_pair(&line, &fd) < 0)
            return;
        for (size_t at = 0; at < sizeof text - 1; at += cut) {
            size_t n = sizeof text - 1 - at;

            write_all(fd, text + at, n < cut ? n : cut);
            T_OK(asy_line_fill(line, &err), &err);
            while ((one = asy_line_next(line, &len))) {
                if (T_TRUE(got < ASY_ARRAY_LEN(want)))
                    T_STR("line", one, want[got]);
                T_EQ("length", len, strlen(one));
                got++;
            }
        }
        T_EQ("lines", got, ASY_ARRAY_LEN(want));
        asy_line_destroy(line);
        close(fd);
    }
}

static void lines_before_the_end_are_not_lost(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_line *line = NULL;
    size_t len;
    int fd;

    if (make_pair(&line, &fd) < 0)
        return;
    write_all(fd, "last words\n", 11);
    close(fd);
    T_OK(asy_line_fill(line, &err), &err);
    T_STR("line", asy_line_next(line, &len), "last words");
    T_EQ("then gone", asy_line_fill(line, &err), ASY_E_GONE);
    asy_line_destroy(line);
}

static void a_line_over_the_limit_is_refused(void)
{
    static const struct {
        const char *name, *before;
        size_t extra; /* beyond the limit */
        const char *after;
        int want;
    } cases[] = {
        { "exactly the limit", "", 0, "\n", 0 },
        { "unfinished", "", 1, "", ASY_E_TOOBIG },
        { "finished", "", 1, "\n", ASY_E_TOOBIG },
        { "behind another", "short\n", 1, "\n", ASY_E_TOOBIG },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_line *line = NULL;
        size_t n = ASY_GANG_LINE + cases[i].extra, at = 0;
        char *text = malloc(n);
        int fd, rc = 0;

        if (!T_TRUE(text != NULL) || make_pair(&line, &fd) < 0) {
            free(text);
            return;
        }
        memset(text, 'x', n);
        write_all(fd, cases[i].before, strlen(cases[i].before));
        while (at < n && rc == 0) { /* in pieces that fit the socket's buffer */
            size_t piece = n - at < 50000 ? n - at : 50000;

            write_all(fd, text + at, piece);
            at += piece;
            if (at == n)
                write_all(fd, cases[i].after, strlen(cases[i].after));
            rc = asy_line_fill(line, &err);
        }
        T_EQ(cases[i].name, rc, cases[i].want);
        asy_line_destroy(line);
        close(fd);
        free(text);
    }
}

static void a_slow_reader_gets_everything_in_order(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_line *a = NULL, *b = NULL;
    char text[1000];
    size_t sent = 0, got = 0, len;
    const char *one;
    int fd, rc;

    if (make_pair(&a, &fd) < 0)
        return;
    if (!T_OK(asy_line_create(fd, &b, &err), &err))
        return;
    for (;; sent++) { /* until our own bound says stop */
        int n = snprintf(text, sizeof text, "%zu %0900d", sent, 7);

        if ((rc = asy_line_send(a, text, (size_t)n, &err)) < 0)
            break;
    }
    T_EQ("the bound holds", rc, ASY_E_FULL);
    T_TRUE(asy_line_pending(a));
    while (got < sent) {
        struct pollfd fds[2] = { { asy_line_fd(b), POLLIN, 0 },
                                 { asy_line_fd(a), asy_line_pending(a) ? POLLOUT : 0, 0 } };

        if (!T_TRUE(poll(fds, 2, -1) > 0) || !T_OK(asy_line_flush(a, &err), &err) ||
            !T_OK(asy_line_fill(b, &err), &err))
            break;
        while ((one = asy_line_next(b, &len))) {
            snprintf(text, sizeof text, "%zu %0900d", got, 7);
            if (strcmp(one, text) != 0)
                T_STR("line", one, text);
            got++;
        }
    }
    T_EQ("lines", got, sent);
    T_TRUE(!asy_line_pending(a));
    asy_line_destroy(a);
    T_EQ("after the end", asy_line_fill(b, &err), ASY_E_GONE);
    T_EQ("send after the end", asy_line_send(b, "x", 1, &err), ASY_E_GONE);
    asy_line_destroy(b);
}

static void a_newline_inside_is_refused(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_line *line = NULL;
    int fd;

    if (make_pair(&line, &fd) < 0)
        return;
    T_EQ("newline", asy_line_send(line, "a\nb", 3, &err), ASY_E_INVAL);
    T_TRUE(!asy_line_pending(line));
    asy_line_destroy(line);
    close(fd);
}

static void join_greets_with_token_pid_and_rank(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_line *rank = NULL, *agent = NULL;
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    struct asy_json *root = NULL;
    const struct asy_json *hello;
    const char *text;
    char dir[] = "/tmp/asy-line-XXXXXX";
    size_t len = 0;
    int listener;

    if (!T_TRUE(mkdtemp(dir) != NULL))
        return;
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s/agent", dir);
    T_EQ("nobody listens", asy_gang_join(addr.sun_path, "00ff", 3, &rank, &err), ASY_E_NOENT);
    T_HAS("it says where", err.text, addr.sun_path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!T_EQ("bind", bind(listener, (const struct sockaddr *)&addr, sizeof addr), 0) ||
        !T_EQ("listen", listen(listener, 1), 0) ||
        !T_OK(asy_gang_join(addr.sun_path, "00ff", 3, &rank, &err), &err) ||
        !T_OK(asy_line_create(accept(listener, NULL, NULL), &agent, &err), &err) ||
        !T_OK(asy_line_fill(agent, &err), &err))
        goto out;
    text = asy_line_next(agent, &len);
    if (!T_TRUE(text != NULL) || !T_OK(asy_json_parse(text, len, &root, &err), &err))
        goto out;
    hello = asy_json_get(root, "hello");
    T_STR("token", asy_json_str(asy_json_get(hello, "token"), NULL), "00ff");
    T_EQ("pid", asy_json_i64(asy_json_get(hello, "pid"), -1), getpid());
    T_EQ("rank", asy_json_i64(asy_json_get(hello, "rank"), -1), 3);
out:
    asy_json_destroy(root);
    asy_line_destroy(rank);
    asy_line_destroy(agent);
    close(listener);
    unlink(addr.sun_path);
    rmdir(dir);
}

static void join_refuses_a_path_that_does_not_fit(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_line *line = NULL;
    char path[300];

    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    T_EQ("long path", asy_gang_join(path, "00", 0, &line, &err), ASY_E_INVAL);
    T_TRUE(line == NULL);
}

/* Updates that each take as long as they may, or less: the rank is never quiet for longer than the
 * agent allows. */
static void a_rank_in_time_is_never_given_up(void)
{
    static const int64_t silences[] = { 1, 7, 8, 250, 2000, 600000 };

    for (size_t i = 0; i < ASY_ARRAY_LEN(silences); i++) {
        int64_t silence = silences[i], now = 0, alive = 0, late = 0, throttled = 0;
        uint64_t draw = 1;

        for (int update = 0; update < 2000; update++) {
            draw = draw * 6364136223846793005u + 1442695040888963407u;
            now += draw >> 63 ? silence : (int64_t)(draw >> 33) % asy_gang_alive_ms(silence);
            late += now >= asy_gang_silent_at(silence, alive);
            if (asy_gang_alive_due(silence, alive, now))
                alive = now;
            else
                throttled++;
        }
        T_EQ("late", late, 0);
        T_TRUE(silence < 250 || throttled > 100);
        T_TRUE(asy_gang_silent_at(silence, 0) <= silence + 1 + silence / 8);
    }
    T_EQ("an eighth", asy_gang_alive_ms(2000), 250);
    T_EQ("at most", asy_gang_alive_ms(600000), 5000);
}

T_MAIN("line", T_TEST(lines_come_out_whole_however_they_are_cut),
       T_TEST(lines_before_the_end_are_not_lost), T_TEST(a_line_over_the_limit_is_refused),
       T_TEST(a_slow_reader_gets_everything_in_order), T_TEST(a_newline_inside_is_refused),
       T_TEST(join_greets_with_token_pid_and_rank), T_TEST(join_refuses_a_path_that_does_not_fit),
       T_TEST(a_rank_in_time_is_never_given_up))
