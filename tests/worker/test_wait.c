/* SPDX-License-Identifier: Apache-2.0
 * How long a line with `wait` is: until its report is durable, while there is somebody to judge it.
 * The connection is real, the clock is the test's. */
#include "../asytest.h"
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "impl.h"

#define NOW_MS 1000000

struct waiting {
    struct asy__agent *agent;
    struct asy__job job;
    struct asy__conn conn;
    int program;                  /* its end of the connection */
};

/* Its third report waits for a judgement since NOW_MS; a coordinator was there until heard_ms. */
static int begin(struct waiting *w, enum asy__session_state state, int64_t heard_ms)
{
    struct asy_error err = ASY_ERROR_INIT;
    int fds[2];

    memset(w, 0, sizeof *w);
    w->program = -1;
    asy__list_init(&w->job.conns);
    if (!T_TRUE((w->agent = calloc(1, sizeof *w->agent)) != NULL) ||
        !T_EQ("sockets", socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
              0))
        return 0;
    w->program = fds[1];
    if (!T_OK(asy_line_create(fds[0], &w->conn.line, &err), &err))
        return 0;
    w->agent->session.state = state;
    w->agent->session.heard_ms = heard_ms;
    w->job.agent = w->agent;
    w->job.state = ASY__JOB_RUNNING;
    w->job.reports.made = 3;
    w->job.n_conns = 1;
    w->conn.job = &w->job;
    w->conn.wait_number = 3;
    w->conn.wait_until_ms = NOW_MS + ASY__WAIT_MS;
    asy__list_add(&w->job.conns, &w->conn.node);
    return 1;
}

static void end(struct waiting *w)
{
    asy_line_destroy(w->conn.line);
    if (w->program >= 0)
        close(w->program);
    free(w->agent);
}

/* 1: the program has its answer. */
static int is_answered(const struct waiting *w)
{
    char text[200];
    ssize_t n = read(w->program, text, sizeof text - 1);

    if (n <= 0)
        return 0;
    text[n] = '\0';
    T_HAS("answer", text, "{\"do\":\"continue\"");
    return 1;
}

static void nobody_waits_for_a_judge_who_has_long_been_away(void)
{
    static const struct {
        const char *name;
        enum asy__session_state state;
        int64_t silent_ms;            /* since a coordinator was there */
        int64_t wait_ms;              /* 0: it is answered at once */
    } cases[] = {
        { "one is there", ASY__SESSION_JOINED, 0, ASY__WAIT_MS },
        { "one has come back", ASY__SESSION_JOINED, ASY__WAIT_MS, ASY__WAIT_MS },
        { "one was there just now", ASY__SESSION_GREETING, 1, ASY__WAIT_MS - 1 },
        { "not for a while", ASY__SESSION_GREETING, ASY__WAIT_MS - 10, 10 },
        { "not for as long as one waits", ASY__SESSION_GREETING, ASY__WAIT_MS, 0 },
        { "not for long, and it is looked for", ASY__SESSION_NONE, 10 * ASY__WAIT_MS, 0 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct waiting w;

        if (begin(&w, cases[i].state, NOW_MS - cases[i].silent_ms)) {
            T_EQ(cases[i].name, asy__conn_waits(&w.job, NOW_MS), NOW_MS + cases[i].wait_ms);
            T_EQ(cases[i].name, is_answered(&w), cases[i].wait_ms == 0);
            asy__conn_waits(&w.job, NOW_MS + cases[i].wait_ms);
            T_EQ(cases[i].name, is_answered(&w), cases[i].wait_ms != 0);
        }
        end(&w);
    }
}

/* The coordinator that is there has another store. Being adopted is coming back. */
static void who_judges_for_another_store_is_not_waited_for(void)
{
    static const struct {
        const char *name;
        int64_t left_ms, wait_ms;
    } cases[] = {
        { "its own was there just now", 1, ASY__WAIT_MS - 1 },
        { "not for as long as one waits", ASY__WAIT_MS, 0 },
        { "not for long", 10 * ASY__WAIT_MS, 0 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct waiting w;

        if (begin(&w, ASY__SESSION_JOINED, NOW_MS)) {
            w.job.store.b[0] = 1;
            w.agent->session.left_ms = NOW_MS - cases[i].left_ms;
            T_EQ(cases[i].name, asy__conn_waits(&w.job, NOW_MS), NOW_MS + cases[i].wait_ms);
            T_EQ(cases[i].name, is_answered(&w), cases[i].wait_ms == 0);
            w.job.store = w.agent->session.store;
            w.conn.wait_number = 4;
            T_EQ("adopted", asy__conn_waits(&w.job, NOW_MS), NOW_MS + ASY__WAIT_MS);
        }
        end(&w);
    }
}

/* It comes back while a line waits: its judgement is worth the rest of the time. */
static void who_comes_back_is_waited_for(void)
{
    struct waiting w;

    if (begin(&w, ASY__SESSION_GREETING, NOW_MS - 20000)) {
        T_EQ("10 s are left", asy__conn_waits(&w.job, NOW_MS), NOW_MS + 10000);
        w.agent->session.state = ASY__SESSION_JOINED;
        T_EQ("it is back", asy__conn_waits(&w.job, NOW_MS + 10000), NOW_MS + ASY__WAIT_MS);
        T_EQ("not answered", is_answered(&w), 0);
        w.job.reports.durable = 3;
        T_TRUE(asy__conn_waits(&w.job, NOW_MS + 11000) < NOW_MS + 12000);
        T_EQ("its order may be on its way", is_answered(&w), 0);
        asy__conn_waits(&w.job, NOW_MS + 12000);
        T_EQ("answered", is_answered(&w), 1);
    }
    end(&w);
}

T_MAIN("wait", T_TEST(nobody_waits_for_a_judge_who_has_long_been_away),
       T_TEST(who_judges_for_another_store_is_not_waited_for),
       T_TEST(who_comes_back_is_waited_for))
