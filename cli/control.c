/* SPDX-License-Identifier: Apache-2.0
 * control.c - the commands that change something: pause, resume, stop, priority, up, down. */
#include "cli.h"
#include <poll.h>
#include <string.h>
#include <asy/clock.h>
#include <asy/keys.h>
#include <asy/parse.h>

#define PRIORITY_MAX 1000 /* as in a study file */
#define DOWN_MS 120000
#define REBORN_MS 3000 /* whoever died and is not back by then has nobody who starts it again */

/* Asks for it, and says so. */
static int ask(const struct asy__options *options, enum asy__start start, struct asy_msg *msg,
               const char *done)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__session *session = NULL;
    struct asy_buf json = { 0 };
    int status = EXIT_DONE;

    asy_buf_init(&json, 1u << 20);
    if (asy__session_open(options, start, &session, &err) < 0 ||
        asy__ask(session, msg, &json, &err) < 0)
        status = asy__complain(&err);
    else
        printf("%s %s\n", options->words[0], done);
    asy_buf_fini(&json);
    asy__session_close(session);
    return status;
}

static int control(int argc, char **argv, enum asy_control_verb verb, enum asy__start start,
                   const char *done)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    struct asy_msg msg = { .type = ASY_MSG_CONTROL };
    int64_t trial = 0;
    int words = verb == ASY_CONTROL_STOP ? 2 : 1;

    if (asy__options_parse(argc, argv, start == ASY__START_NODE ? "c" : "", 1, words, &options,
                           &err) < 0 ||
        (options.n_words > 1 && asy__trial_number(options.words[1], &trial, &err) < 0)) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    msg.control.verb = options.n_words > 1 ? ASY_CONTROL_STOP_TRIAL : verb;
    msg.control.study = options.words[0];
    msg.control.number = trial;
    return ask(&options, start, &msg, done);
}

int asy__cmd_pause(int argc, char **argv)
{
    return control(argc, argv, ASY_CONTROL_PAUSE, ASY__START_COORDINATOR, "pauses");
}

int asy__cmd_resume(int argc, char **argv)
{
    return control(argc, argv, ASY_CONTROL_RESUME, ASY__START_NODE, "goes on");
}

int asy__cmd_stop(int argc, char **argv)
{
    return control(argc, argv, ASY_CONTROL_STOP, ASY__START_COORDINATOR, "stops");
}

static int priority_of(const char *text, int64_t *ret, struct asy_error *err)
{
    if (asy_parse_i64(text, strlen(text), ret, NULL) < 0 || *ret < -PRIORITY_MAX ||
        *ret > PRIORITY_MAX)
        return asy_fail(err, ASY_E_INVAL, "a priority is a whole number from %d to %d, not '%.50s'",
                        -PRIORITY_MAX, PRIORITY_MAX, text);
    return 0;
}

int asy__cmd_priority(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    struct asy_msg msg = { .type = ASY_MSG_CONTROL };
    char done[64];

    if (asy__options_parse(argc, argv, "", 2, 2, &options, &err) < 0 ||
        priority_of(options.words[1], &msg.control.number, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    msg.control.verb = ASY_CONTROL_PRIORITY;
    msg.control.study = options.words[0];
    snprintf(done, sizeof done, "has priority %lld", (long long)msg.control.number);
    return ask(&options, ASY__START_COORDINATOR, &msg, done);
}

/* One that another command has started is told to stay, and that command leaves it then. */
static int have_it_stay(struct asy__session *session, const struct asy__options *options,
                        struct asy_error *err)
{
    struct asy_msg msg = { .type = ASY_MSG_CONTROL };
    struct asy_buf json = { 0 };
    int stays = asy__session_stays(session), rc = 0;

    if (asy__session_started(session)) {
        printf("started in %s\n", options->home);
        return 0;
    }
    asy_buf_init(&json, 1u << 16);
    msg.control.verb = ASY_CONTROL_STAY;
    msg.control.study = "";
    if (!stays)
        rc = asy__ask(session, &msg, &json, err);
    if (rc == 0)
        printf("runs already in %s%s\n", options->home,
               stays ? "" : ", and stays from now on, until: assay down");
    asy_buf_fini(&json);
    return rc;
}

int asy__cmd_up(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    struct asy__session *session = NULL;
    int rc;

    if (asy__options_parse(argc, argv, "c", 0, 0, &options, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    options.all = 1; /* stays when idle */
    if (asy__session_open(&options, ASY__START_NODE, &session, &err) < 0)
        return asy__complain(&err);
    rc = have_it_stay(session, &options, &err);
    asy__session_close(session);
    return rc < 0 ? asy__complain(&err) : EXIT_DONE;
}

/* Waits for the end of the coordinator that runs as pid. 1: another has taken its place: it had
 * died before all was stored, and what watches over it started it again. */
static int wait_gone(const struct asy__options *options, int64_t pid, struct asy_error *err)
{
    int64_t deadline_ms = asy_clock_ms() + DOWN_MS, dead_ms = 0;
    struct asy_discovery discovery;
    char path[4200];

    snprintf(path, sizeof path, "%s/coordinator.json", options->home);
    while (asy_discovery_read(path, &discovery, err) == 0) { /* it takes the file along */
        if (discovery.pid != pid)
            return 1;
        if (!asy_discovery_stale(&discovery))
            dead_ms = 0;
        else if (!dead_ms)
            dead_ms = asy_clock_ms();
        else if (asy_clock_ms() - dead_ms > REBORN_MS)
            return 0;
        if (asy_clock_ms() > deadline_ms)
            return asy_fail(err, ASY_E_TIMEOUT, "the coordinator still ends; trials are stopping");
        ASY_IGNORE(poll(NULL, 0, 50) < 0);
    }
    return 0;
}

/* Drains the coordinator that lives now and sees it off. 1: there is another by now. */
static int down_once(const struct asy__options *options, struct asy_error *err)
{
    struct asy__session *session = NULL;
    struct asy_msg msg = { .type = ASY_MSG_CONTROL };
    struct asy_buf json = { 0 };
    int64_t pid;
    int rc;

    asy_buf_init(&json, 1u << 20);
    msg.control.verb = ASY_CONTROL_DRAIN;
    msg.control.study = "";
    if ((rc = asy__session_open(options, ASY__NO_START, &session, err)) < 0)
        goto out;
    pid = asy__session_pid(session);
    /* A connection that closes takes along what was not read: the answer may be lost with it. */
    if ((rc = asy__ask(session, &msg, &json, err)) == 0 || rc == ASY_E_GONE)
        rc = wait_gone(options, pid, err);
out:
    asy_buf_fini(&json);
    asy__session_close(session);
    return rc;
}

int asy__down(const struct asy__options *options, struct asy_error *err)
{
    int rc, again = 0;

    while ((rc = down_once(options, err)) == 1)
        again = 1;
    return again && rc == ASY_E_GONE ? 0 : rc; /* the other one may have ended by itself */
}

int asy__cmd_down(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;

    if (asy__options_parse(argc, argv, "", 0, 0, &options, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    if (asy__down(&options, &err) < 0)
        return asy__complain(&err);
    puts("ended; all is stored");
    return EXIT_DONE;
}
