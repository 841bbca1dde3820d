/* SPDX-License-Identifier: Apache-2.0
 * session.c - who is there to talk to: finds the coordinator by its discovery file, starts one if
 * asked, ends what it started. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/invitation.h>
#include <asy/told.h>
#include "plan.h"
#include "session_impl.h"

#define GREET_MS 3000
#define HANG_MS 10000  /* what listens and does not answer for so long hangs; else it is busy */
#define RETURN_MS 2000 /* a worker whose coordinator was restarted is back sooner */
#define JOB_PATIENCE_MS 300000 /* for workers on nodes that are just starting a job */
#define END_MS 5000  /* for what was told to end at once */

int asy__home_file(const struct asy__options *options, const char *name, char *path, size_t n,
                   struct asy_error *err)
{
    if (snprintf(path, n, "%s/%s", options->home, name) >= (int)n)
        return asy_fail(err, ASY_E_TOOBIG, "path '%.100s/%s' is too long", options->home, name);
    return 0;
}

/* An invitation leads to where the coordinator was, and to where a worker was told that it is. */
int asy__session_find(const struct asy__session *session, struct asy_discovery *ret_found,
                      struct asy_error *err)
{
    const char *invited = session->options->coordinator;
    struct asy_invitation invitation;
    struct asy_discovery noted;
    char path[4200];
    int newer = 0, rc;

    if (!invited) {
        rc = asy__home_file(session->options, "coordinator.json", path, sizeof path, err);
        return rc < 0 ? rc : asy_discovery_read(path, ret_found, err);
    }
    if ((rc = asy_invitation_read(invited, &invitation, err)) < 0)
        return rc;
    *ret_found = invitation.at;
    if (asy_invitation_noted(invited, &invitation, &noted, &newer, NULL) == 0 &&
        newer == (session->turn % 2 == 0))
        *ret_found = noted;
    explicit_bzero(&invitation.pair, sizeof invitation.pair);
    return 0;
}

static int load_key(struct asy__session *session, const char *path, struct asy_error *err)
{
    struct asy_invitation invitation;
    int rc;

    if (!session->options->coordinator)
        return asy_keypair_load(path, &session->keys, err);
    if ((rc = asy_invitation_read(session->options->coordinator, &invitation, err)) == 0)
        session->keys = invitation.pair;
    explicit_bzero(&invitation.pair, sizeof invitation.pair);
    return rc;
}

/* Starts program (with "node" first if it is assay) for this home, in a session of its own. */
static int start(struct asy__session *session, const char *name, struct asy_error *err)
{
    int node = !strcmp(name, "assay"), sized = strcmp(name, "assay-coordinator") != 0;
    struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;
    char program[4096], cores[32], nodes[32], log[4300];
    const char *argv[10];
    int n = 0, fd = -1, rc;

    if ((rc = asy_durable_mkdirs(session->options->home, err)) < 0 ||
        (rc = asy__home_file(session->options, "node.log", log, sizeof log, err)) < 0 ||
        (rc = asy_proc_find_program(name, program, sizeof program, err)) < 0)
        return rc;
    if ((fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", log);
    argv[n++] = program;
    if (node)
        argv[n++] = "node";
    argv[n++] = "--home";
    argv[n++] = session->options->home;
    if (node && session->options->all)
        argv[n++] = "--all";
    if (node && session->options->nodes > 1) {
        snprintf(nodes, sizeof nodes, "%lld", (long long)session->options->nodes);
        argv[n++] = "--nodes";
        argv[n++] = nodes;
    }
    if (sized && session->options->cores > 0) {
        snprintf(cores, sizeof cores, "%lld", (long long)session->options->cores);
        argv[n++] = "--cores";
        argv[n++] = cores;
    }
    argv[n] = NULL;
    spec.argv = argv;
    spec.stdout_fd = spec.stderr_fd = fd;
    spec.new_session = 1;
    session->node_name = name;
    session->gave_way = 0;
    session->sized = sized;
    session->log_from = lseek(fd, 0, SEEK_END);
    rc = asy_proc_start(&spec, &session->node, err);
    close(fd);
    session->started = rc == 0 && strcmp(name, "assay-worker") != 0;
    return rc;
}

/* The last line that has mark in it, cut off from what follows; NULL: none has. */
static char *last_line_with(char *text, const char *mark)
{
    char *found = NULL;

    for (char *at = text; (at = strstr(at, mark)); at++)
        found = at;
    if (!found)
        return NULL;
    while (found > text && found[-1] != '\n')
        found--;
    found[strcspn(found, "\n")] = 0;
    return found;
}

/* Why the thing we started ended: the last line of its log that is its own, as others write there
 * too. A node speaks through the coordinator that it could not keep alive. */
static int ended_early(const struct asy__session *session, struct asy_error *err)
{
    const char *name =
        !strcmp(session->node_name, "assay") ? "assay-coordinator" : session->node_name;
    char path[4300], mark[64], *text = NULL, *line = NULL;
    size_t len;
    int rc;

    snprintf(mark, sizeof mark, "%s: ", name);
    if (asy__home_file(session->options, "node.log", path, sizeof path, err) == 0 &&
        asy_read_file(path, 16u << 20, &text, &len, NULL) == 0 &&
        (size_t)session->log_from <= len)
        line = last_line_with(text + session->log_from, mark);
    rc = asy_fail(err, ASY_E_GONE, "%s ended at once%s%s", name, line ? ": " : "",
                  line ? line : "");
    free(text);
    return rc;
}

/* Whether what we started left the home to another of its kind: a node to a node, a coordinator to
 * one that has the store, or to that of a node. */
static int leaves_it(const char *name, int status)
{
    if (!strcmp(name, "assay"))
        return WIFEXITED(status) && WEXITSTATUS(status) == ASY__EXIT_KEPT;
    return !strcmp(name, "assay-coordinator") &&
           ((WIFEXITED(status) && WEXITSTATUS(status) == ASY__EXIT_OWNED) ||
            (WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP));
}

/* Of what we started. 1: it has ended, or there is none. */
static int look_at_node(struct asy__session *session)
{
    int status;

    if (session->node.pidfd < 0)
        return 1;
    if (asy_proc_wait(&session->node, 0, &status, NULL) == ASY_E_TIMEOUT)
        return 0;
    asy_proc_close(&session->node);
    session->gave_way = leaves_it(session->node_name, status);
    if (session->gave_way)
        session->started = session->sized = 0;
    return 1;
}

/* Whether a coordinator of this home has said that it listens, and has not ended since. */
static int one_listens(const struct asy__session *session)
{
    struct asy_discovery found;

    return asy__session_find(session, &found, NULL) == 0 && !asy_discovery_stale(&found);
}

/* What we started has ended before it could be greeted. Another node is about to start a
 * coordinator, or to leave; another coordinator is still starting, or else it hangs. */
static int ended_first(struct asy__session *session, int64_t *deadline_ms, struct asy_error *err)
{
    if (!session->gave_way)
        return ended_early(session, err);
    if (!strcmp(session->node_name, "assay"))
        return start(session, "assay", err);
    if (one_listens(session) && asy_clock_ms() + HANG_MS < *deadline_ms)
        *deadline_ms = asy_clock_ms() + HANG_MS;
    return 0;
}

/* Until a coordinator of a later epoch than this one answers. */
static int wait_for_start(struct asy__session *session, uint64_t epoch, struct asy_error *err)
{
    int64_t deadline_ms = asy_clock_ms() + ASY__PATIENCE_MS;

    for (;;) {
        int rc = asy__session_greet(session, GREET_MS, err);

        if ((rc == 0 && session->welcome.epoch > epoch) || rc == ASY_E_DENIED)
            return rc;
        if (asy__interrupts())
            return asy_fail(err, ASY_E_CANCELLED, "interrupted");
        if (session->node.pidfd >= 0 && look_at_node(session)) {
            if (rc == 0 && session->gave_way)
                return 0; /* the other node may keep this very coordinator */
            if ((rc = ended_first(session, &deadline_ms, err)) < 0)
                return rc;
        }
        if (asy_clock_ms() > deadline_ms)
            return session->gave_way
                       ? ended_early(session, err)
                       : asy_fail(err, ASY_E_TIMEOUT, "the coordinator does not answer; see "
                                  "%s/node.log", session->options->home);
        ASY_IGNORE(poll(NULL, 0, ASY__STEP_MS) < 0);
    }
}

/* Workers that are connected and stay; and those that are not, but may come back. */
static int count_workers(struct asy__session *session, size_t *ret_here, size_t *ret_away,
                         struct asy_error *err)
{
    const struct asy_json *workers, *worker;
    struct asy_json *root = NULL;
    struct asy_buf json = { 0 };
    int rc;

    *ret_here = *ret_away = 0;
    asy_buf_init(&json, 64u << 20);
    rc = asy__query(session, "workers", "", -1, -1, -1, NULL, &json, &root, err);
    workers = asy_json_get(root, "workers");
    for (size_t i = 0; (worker = asy_json_at(workers, i)); i++) {
        const char *state = asy_json_str(asy_json_get(worker, "state"), "");

        *ret_away += !strcmp(state, "away");
        *ret_here += (size_t)asy__worker_here(worker);
    }
    asy_json_destroy(root);
    asy_buf_fini(&json);
    return rc;
}

/* The coordinator that we talk to gets a node of ours; one of another machine gets a worker of this
 * one. */
static int bring_worker(struct asy__session *session, struct asy_error *err)
{
    uint64_t epoch = session->welcome.epoch;
    int rc;

    if (!asy_discovery_local(&session->found))
        return start(session, "assay-worker", err);
    if ((rc = start(session, "assay", err)) < 0)
        return rc;
    return wait_for_start(session, epoch, err);
}

/* A coordinator that a reading command started has no worker, or but remembers those of its last
 * life: a node takes its place, after a moment in which they could come back. Waits for the first
 * worker, so that what follows finds one and nobody starts a second. */
static int need_worker(struct asy__session *session, struct asy_error *err)
{
    int64_t begun_ms = asy_clock_ms(), next_ms = begun_ms, waited_ms;
    size_t here, away;
    int rc;

    while ((rc = count_workers(session, &here, &away, err)) == 0 && here == 0) {
        waited_ms = asy_clock_ms() - begun_ms;
        if (asy__interrupts())
            return asy_fail(err, ASY_E_CANCELLED, "interrupted");
        if (session->node.pidfd < 0 && (away == 0 || waited_ms > RETURN_MS) &&
            begun_ms + waited_ms >= next_ms) {
            next_ms = begun_ms + waited_ms + RETURN_MS;
            if ((rc = bring_worker(session, err)) < 0)
                return rc;
        }
        if (session->node.pidfd >= 0 && look_at_node(session) && !session->gave_way)
            return ended_early(session, err);
        if (waited_ms > (asy_in_batch_job() ? JOB_PATIENCE_MS : ASY__PATIENCE_MS))
            return asy_fail(err, ASY_E_TIMEOUT, "no worker joins; see %s/node%s.log",
                            session->options->home, session->options->nodes > 1 ? "*" : "");
        ASY_IGNORE(poll(NULL, 0, ASY__STEP_MS) < 0);
    }
    return rc;
}

int64_t asy__session_pid(const struct asy__session *session)
{
    return session->found.pid;
}

void asy__session_drain(struct asy__session *session)
{
    if (asy_proc_signal(&session->node, SIGTERM) < 0)
        session->started = 0;
}

int asy__session_ended(struct asy__session *session)
{
    return look_at_node(session);
}

/* Two signals of one number can be taken for one: so one of each. */
void asy__session_end(struct asy__session *session)
{
    int64_t deadline_ms = asy_clock_ms() + END_MS;

    ASY_IGNORE(asy_proc_signal(&session->node, SIGTERM));
    ASY_IGNORE(asy_proc_signal(&session->node, SIGINT));
    while (!asy__session_ended(session)) {
        if (asy_clock_ms() > deadline_ms)
            ASY_IGNORE(asy_proc_signal(&session->node, SIGKILL));
        ASY_IGNORE(poll(NULL, 0, ASY__STEP_MS) < 0);
    }
}

int asy__session_again(struct asy__session *session, struct asy_error *err)
{
    int rc = start(session, "assay", err);

    return rc < 0 ? rc : wait_for_start(session, 0, err);
}

/* A session that has its key and a channel, and no connection yet. */
static int prepare(const struct asy__options *options, const char *key_path,
                   struct asy__session **ret_session, struct asy_error *err)
{
    struct asy__session *session = calloc(1, sizeof *session);
    int rc;

    if (!session)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a session");
    session->options = options;
    session->agent = asy_id_make();
    session->node = (struct asy_proc)ASY_PROC_INIT;
    asy_buf_init(&session->frame, ASY_FRAME_MAX);
    if ((rc = load_key(session, key_path, err)) < 0 ||
        (rc = asy_arena_create(16u << 20, &session->arena, err)) < 0 ||
        (rc = asy_channel_create(64, &session->channel, err)) < 0)
        asy__session_close(session);
    else
        *ret_session = session;
    return rc;
}

int asy__session_open(const struct asy__options *options, enum asy__start what,
                      struct asy__session **ret_session, struct asy_error *err)
{
    struct asy__session *session = NULL;
    int worker = what == ASY__START_NODE, rc;
    char path[4200];

    if (options->coordinator)
        what = ASY__NO_START; /* it is not ours to start */
    else if ((rc = asy__home_file(options, "keys", path, sizeof path, err)) < 0 ||
             (rc = asy_durable_mkdirs(path, err)) < 0)
        return rc;
    if ((rc = asy__home_file(options, "keys/user.key", path, sizeof path, err)) < 0 ||
        (rc = prepare(options, path, &session, err)) < 0)
        return rc;
    rc = asy__session_greet(session, GREET_MS, err);
    /* One that does not answer may be gone without a trace that this host can see. If it does live,
     * the store tells the second one who has it. */
    if (what != ASY__NO_START &&
        (rc == ASY_E_NOENT || rc == ASY_E_AGAIN || rc == ASY_E_TIMEOUT)) {
        rc = start(session, what == ASY__START_NODE ? "assay" : "assay-coordinator", err);
        if (rc == 0)
            rc = wait_for_start(session, 0, err);
    } else if (rc == ASY_E_NOENT && !options->coordinator) {
        rc = asy_fail(err, ASY_E_GONE, "no coordinator runs in '%s'", options->home);
    } else if (rc == ASY_E_AGAIN) {
        rc = ASY_E_GONE; /* there is one; the text says why it cannot be reached */
        if (err)
            err->code = ASY_E_GONE;
    }
    if (rc == 0 && what == ASY__START_NODE)
        rc = need_worker(session, err);
    if (rc == 0 && worker && options->cores > 0 && !session->sized)
        fprintf(stderr, "assay: --cores %lld changes nothing: %s\n", (long long)options->cores,
                options->coordinator
                    ? "that coordinator's workers are used (assay workers)"
                    : "there are workers already (assay workers); for others: assay down, then "
                      "this again");
    if (rc == 0) {
        *ret_session = session;
        session = NULL;
    }
    if (rc == ASY_E_CANCELLED && session->started)
        asy__session_drain(session); /* nobody is left who would */
    asy__session_close(session);
    return rc;
}

int asy__session_look(const char *home, const char *invitation, struct asy__welcome *ret_welcome,
                      struct asy_error *err)
{
    struct asy__options options = { .limit = -1, .coordinator = invitation };
    struct asy__session *session = NULL;
    char path[4200];
    int rc;

    snprintf(options.home, sizeof options.home, "%s", home);
    if ((rc = asy__home_file(&options, "keys/user.key", path, sizeof path, err)) < 0)
        return rc;
    if (!invitation && access(path, F_OK) < 0)
        return asy_fail_errno(err, errno, "no key to greet with: '%s'", path);
    if ((rc = prepare(&options, path, &session, err)) < 0)
        return rc;
    if ((rc = asy__session_greet(session, GREET_MS, err)) == 0)
        *ret_welcome = session->welcome;
    asy__session_close(session);
    return rc;
}

void asy__session_close(struct asy__session *session)
{
    if (!session)
        return;
    asy_client_destroy(session->bulk);
    asy_client_destroy(session->client);
    asy_channel_destroy(session->channel);
    asy_arena_destroy(session->arena);
    asy_buf_fini(&session->frame);
    asy_proc_close(&session->node);
    free(session);
}

int asy__session_lacks_space(const struct asy__session *session)
{
    return session->news;
}

int asy__session_stays(const struct asy__session *session)
{
    struct asy_discovery now;

    return asy__session_find(session, &now, NULL) == 0 && now.stays;
}

int asy__session_started(struct asy__session *session)
{
    ASY_IGNORE(look_at_node(session)); /* it may have given way */
    if (session->started && !session->options->all && asy__session_stays(session))
        session->started = 0; /* `assay up` has taken it over since */
    return session->started;
}
