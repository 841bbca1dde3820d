/* SPDX-License-Identifier: Apache-2.0
 * coord.c - the scripted coordinator. */
#include "coord.h"
#include "../asytest.h"
#include <asy/clock.h>
#include <asy/durable.h>
#include <glob.h>
#include <signal.h>
#include <sys/stat.h>

#define TEXT(text) ((text) ? (text) : "")

static int authorise(void *arg, const char key[ASY_KEY_TEXT])
{
    return !strcmp(arg, key);
}

const char *coord_path(struct coord *c, const char *name)
{
    static char path[4][300];
    static unsigned at;

    at = (at + 1) % 4;
    snprintf(path[at], sizeof path[at], "%s/%s", c->home, name);
    return path[at];
}

int coord_file(struct coord *c, const char *name, const char *text)
{
    FILE *f = fopen(coord_path(c, name), "we");
    int ok = f && fputs(text, f) >= 0;

    if (f)
        ok = fclose(f) == 0 && ok;
    return T_TRUE(ok) && T_TRUE(chmod(coord_path(c, name), 0700) == 0);
}

int coord_listen(struct coord *c)
{
    struct asy_server_spec spec = { .interface = "127.0.0.1", .port = c->port,
                                    .secret_key = c->keys.secret_key, .authorise = authorise,
                                    .authorise_arg = c->user.public_key };
    struct asy_discovery discovery = { .pid = getpid(), .owner_epoch = c->owner_epoch,
                                       .version = "test" };
    struct asy_error err = ASY_ERROR_INIT;
    char *boot = NULL;
    size_t len;
    int rc;

    for (int i = 0; i < GENEROUS_MS / 10; i++) { /* the old socket closes on a thread of ZeroMQ */
        rc = asy_server_create(c->channel, &spec, &c->server, &err);
        if (rc != ASY_E_BUSY)
            break;
        poll(NULL, 0, 10);
    }
    if (!T_OK(rc, &err))
        return 0;
    c->port = asy_server_port(c->server);
    snprintf(discovery.endpoints[0], sizeof discovery.endpoints[0], "tcp://127.0.0.1:%d", c->port);
    memcpy(discovery.server_key, c->keys.public_key, ASY_KEY_TEXT);
    discovery.store = c->store;
    gethostname(discovery.host, sizeof discovery.host - 1);
    if (T_OK(asy_read_file("/proc/sys/kernel/random/boot_id", 64, &boot, &len, &err), &err))
        snprintf(discovery.boot_id, sizeof discovery.boot_id, "%.*s", (int)strcspn(boot, "\n"),
                 boot);
    free(boot);
    if (c->held > 0)
        close(c->held);
    return T_OK(asy_discovery_write(coord_path(c, "coordinator.json"), &discovery, &c->held, &err),
                &err);
}

void coord_hang_up(struct coord *c)
{
    asy_server_destroy(c->server);
    c->server = NULL;
    c->session = ASY_ID_NONE;
    c->study_known = 0;
}

int coord_open(struct coord *c)
{
    struct asy_error err = ASY_ERROR_INIT;

    if (!c->home[0])
        snprintf(c->home, sizeof c->home, "/tmp/assay-test-XXXXXX");
    if (strstr(c->home, "XXXXXX") && !T_TRUE(mkdtemp(c->home) != NULL))
        return 0;
    c->mark = mark_next();
    c->worker = (struct asy_proc)ASY_PROC_INIT;
    c->store = asy_id_make();
    c->owner_epoch = 1;
    mkdir(coord_path(c, "keys"), 0700);
    return T_OK(asy_arena_create(16u << 20, &c->frames, &err), &err) &&
           T_OK(asy_arena_create(256u << 20, &c->kept, &err), &err) &&
           T_OK(asy_keypair_load(coord_path(c, "keys/user.key"), &c->user, &err), &err) &&
           T_OK(asy_keypair_make(&c->keys, &err), &err) &&
           T_OK(asy_channel_create(64, &c->channel, &err), &err) && coord_listen(c);
}

/* A sanitizer speaks on stderr; the worker is often killed before its exit code could. */
static void check_log(struct coord *c)
{
    char *text = NULL;
    size_t len;

    if (asy_read_file(coord_path(c, "worker.log"), 64u << 20, &text, &len, NULL) < 0)
        return;
    if (!T_TRUE(!strstr(text, "Sanitizer:") && !strstr(text, "runtime error:")))
        fprintf(stderr, "%s\n", text);
    free(text);
}

void coord_close(struct coord *c)
{
    char command[200];

    if (c->worker.pid > 0) {
        asy_proc_signal(&c->worker, SIGKILL);
        coord_worker_end(c);
    }
    T_TRUE(await_marked(c->mark, 0, 0)); /* whatever a test does: nothing may be left */
    check_log(c);
    if (c->held > 0)
        close(c->held);
    asy_server_destroy(c->server);
    asy_channel_destroy(c->channel);
    asy_study_destroy(c->study);
    asy_arena_destroy(c->frames);
    asy_arena_destroy(c->kept);
    if (!strncmp(c->home, "/tmp/assay-test-", 16)) {
        snprintf(command, sizeof command, "chmod -R u+w %s; rm -rf %s", c->home, c->home);
        T_EQ("removed", system(command), 0);
    }
}

/* ---- the worker ------------------------------------------------------------------------------ */

int coord_worker_quiet(struct coord *c, const char *const *env, const char *const *args)
{
    const char *argv[16] = { WORKER, "--home", c->home, "--log", "debug" };
    const char *set[16] = { c->mark, "OMPI_ALLOW_RUN_AS_ROOT=1",
                            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1" };
    static const char *const drop[] = { "XDG_*", NULL }; /* its sockets are below /tmp */
    struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;
    struct asy_error err = ASY_ERROR_INIT;
    char programs[120];
    size_t n = 5, k = 3;
    FILE *log = fopen(coord_path(c, "worker.log"), "ae");

    if (c->programs[0]) {
        snprintf(programs, sizeof programs, "ASSAY_PROGRAMS=%s", c->programs);
        set[k++] = programs;
    }
    for (; env && *env; env++)
        set[k++] = *env;
    for (; args && *args; args++)
        argv[n++] = *args;
    spec.argv = argv;
    spec.env_set = set;
    spec.env_drop = drop;
    spec.stderr_fd = log ? fileno(log) : -1;
    spec.new_session = 1;
    spec.death_signal = SIGKILL;
    if (!T_OK(asy_proc_start(&spec, &c->worker, &err), &err))
        return 0;
    if (log)
        fclose(log);
    return 1;
}

int coord_worker(struct coord *c, const char *const *env, const char *const *args)
{
    unsigned before = c->hellos;

    if (!coord_worker_quiet(c, env, args))
        return 0;
    while (c->hellos == before)
        if (!coord_await(c, ASY_MSG_HELLO))
            return 0;
    return 1;
}

/* Of its sockets, which one that was killed leaves to the next worker. */
static void remove_folder(pid_t pid)
{
    char pattern[80];
    glob_t found = { 0 };

    snprintf(pattern, sizeof pattern, "/tmp/assay-%u-%d-*", (unsigned)geteuid(), (int)pid);
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            ASY_IGNORE(asy_durable_remove(found.gl_pathv[i], NULL)); /* it may do so meanwhile */
    globfree(&found);
}

int coord_worker_end(struct coord *c)
{
    pid_t pid = c->worker.pid;
    struct asy_error err = ASY_ERROR_INIT;
    int status = -1;

    for (int i = 0; i < GENEROUS_MS / 20; i++) {
        int rc = asy_proc_wait(&c->worker, 0, &status, &err);

        if (rc == 0) {
            asy_proc_close(&c->worker);
            c->worker = (struct asy_proc)ASY_PROC_INIT;
            remove_folder(pid);
            return status;
        }
        if (c->server)
            coord_turn(c, 20);
        else
            poll(NULL, 0, 20);
    }
    T_TRUE(!"the worker did not end");
    return -1;
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* What answers a frame of the worker. Its connection may be given up between that frame and the
 * answer; the worker then greets again on its next one, as with a real coordinator. */
static int is_answer(const struct asy_msg *msg)
{
    return msg->type == ASY_MSG_WELCOME || msg->type == ASY_MSG_REHELLO ||
           msg->type == ASY_MSG_PONG || msg->type == ASY_MSG_ACK;
}

int coord_send(struct coord *c, struct asy_msg *msg)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf frame;
    int rc;

    msg->session = c->session;
    asy_buf_init(&frame, ASY_FRAME_MAX);
    if ((rc = asy_msg_encode(msg, &frame, &err)) == 0)
        rc = asy_server_send(c->server, c->peer, frame.data, frame.len, &err);
    asy_buf_fini(&frame);
    if (rc == ASY_E_GONE && is_answer(msg))
        return 1;
    return T_OK(rc, &err);
}

static void take_hello(struct coord *c, const struct asy_msg *msg)
{
    struct asy_msg answer = { .type = ASY_MSG_WELCOME };
    size_t n = msg->hello.n_holdings;

    c->hellos++;
    c->agent = msg->hello.agent;
    c->cores = msg->hello.cores;
    c->n_holdings = n < ASY_ARRAY_LEN(c->holdings) ? n : ASY_ARRAY_LEN(c->holdings);
    if (n)
        memcpy(c->holdings, msg->hello.holdings, c->n_holdings * sizeof c->holdings[0]);
    for (size_t i = 0; i < c->n_holdings; i++) {
        c->offers[i] = c->holdings[i].offer ? *c->holdings[i].offer : (struct asy_offer){ 0 };
        c->holdings[i].offer = NULL;
    }
    c->gpus[0] = '\0';
    for (size_t i = 0, at = 0; i < msg->hello.n_gpus && at < sizeof c->gpus; i++)
        at += (size_t)snprintf(c->gpus + at, sizeof c->gpus - at, "%s%s", i ? " " : "",
                               msg->hello.gpus[i].id);
    snprintf(c->hardware, sizeof c->hardware, "%s", TEXT(msg->hello.hardware));
    snprintf(c->versions, sizeof c->versions, "%s", TEXT(msg->hello.versions));
    snprintf(c->fit, sizeof c->fit, "%s", TEXT(msg->hello.fit));
    snprintf(c->host, sizeof c->host, "%s", TEXT(msg->hello.host));
    if (c->silent)
        return;
    c->session = asy_id_make();
    c->study_known = 0;
    answer.welcome.store = c->store;
    answer.welcome.owner_epoch = c->owner_epoch;
    answer.welcome.heartbeat_ms = 200;
    answer.welcome.lost_after_ms = c->lost_ms ? c->lost_ms : 7200000; /* it waits for half of it */
    answer.welcome.idle_heartbeat_ms = c->idle_ms;
    answer.welcome.version = "test";
    answer.welcome.minor = c->minor;
    answer.welcome.keep = c->holdings;
    answer.welcome.n_keep = c->n_kill ? 0 : c->n_holdings;
    answer.welcome.kill = c->kill;
    answer.welcome.n_kill = c->n_kill;
    answer.welcome.marks = c->marks;
    answer.welcome.n_marks = c->n_marks;
    coord_send(c, &answer);
    c->n_kill = c->n_marks = 0;
}

static struct asy_report *known(struct coord *c, const struct asy_report *r)
{
    for (size_t i = 0; i < c->n_reports; i++)
        if (c->reports[i].trial == r->trial && c->reports[i].attempt == r->attempt &&
            c->reports[i].epoch == r->epoch && c->reports[i].number == r->number)
            return &c->reports[i];
    return NULL;
}

/* Numbers have no gaps; the test notices one that comes too early. */
static void keep(struct coord *c, const struct asy_report *r)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_report before = *r, *copy;

    before.number--;
    if (known(c, r)) {
        c->n_doubles++;
        return;
    }
    if (!T_TRUE(r->number == 1 || c->counting || known(c, &before) != NULL) ||
        c->n_reports == REPORTS_MAX)
        return;
    copy = &c->reports[c->n_reports];
    *copy = *r;
    if (T_OK(asy_event_copy(&r->event, c->kept, &copy->event, &err), &err))
        c->n_reports++;
}

static void ack(struct coord *c, const struct asy_report *reports, size_t n)
{
    struct asy_msg msg = { .type = ASY_MSG_ACK };
    struct asy_watermark *marks = calloc(n, sizeof *marks);

    for (size_t i = 0; marks && i < n; i++)
        marks[i] = (struct asy_watermark){ .study = reports[i].study, .trial = reports[i].trial,
                                           .attempt = reports[i].attempt,
                                           .durable = reports[i].number,
                                           .closed = reports[i].event.kind == ASY_EV_ENDED };
    msg.ack.marks = marks;
    msg.ack.n_marks = n;
    if (marks)
        coord_send(c, &msg);
    free(marks);
}

void coord_ack_all(struct coord *c)
{
    if (c->n_reports)
        ack(c, c->reports, c->n_reports);
}

static void keep_part(struct coord *c, const struct asy_msg *msg)
{
    struct coord_part *p = &c->parts[c->n_parts++ % PARTS_MAX];
    size_t at = 0;

    *p = (struct coord_part){ .kind = msg->part.kind, .trial = msg->part.trial,
                              .from = msg->part.from, .to = msg->part.to, .end = msg->part.end,
                              .cause = msg->part.cause, .signal = msg->part.signal,
                              .exit_code = msg->part.exit_code, .gang = msg->part.gang };
    snprintf(p->text, sizeof p->text, "%s", TEXT(msg->part.text));
    for (size_t i = 0; i < msg->part.n_words && at < sizeof p->words; i++)
        at += (size_t)snprintf(p->words + at, sizeof p->words - at, "%s%s", i ? " " : "",
                               msg->part.words[i]);
}

static void take(struct coord *c, const struct asy_msg *msg)
{
    struct asy_msg answer = { .type = ASY_MSG_PONG };

    if (msg->type == ASY_MSG_HELLO) {
        take_hello(c, msg);
        return;
    }
    if (c->silent)
        return;
    if (asy_id_cmp(msg->session, c->session)) {
        answer.type = ASY_MSG_REHELLO;
        coord_send(c, &answer);
        return;
    }
    c->drains += msg->type == ASY_MSG_DRAIN;
    c->byes += msg->type == ASY_MSG_BYE;
    if (msg->type == ASY_MSG_HEARTBEAT) {
        c->heartbeats++;
        answer.pong.sent_ms = msg->heartbeat.sent_ms;
        coord_send(c, &answer);
    } else if (msg->type == ASY_MSG_PART) {
        keep_part(c, msg);
    } else if (msg->type == ASY_MSG_REPORTS) {
        for (size_t i = 0; i < msg->reports.n_reports; i++) {
            const struct asy_report *r = &msg->reports.reports[i];

            c->counted += r->number == c->counted + 1;
            if (!c->counting || r->event.kind == ASY_EV_ENDED)
                keep(c, r);
        }
        if (!c->mute)
            ack(c, msg->reports.reports, msg->reports.n_reports);
    }
}

/* One frame; 0 if none came in time. */
static enum asy_msg_type step(struct coord *c, int timeout_ms)
{
    struct asy_poll_item item = { .server = c->server, .events = POLLIN };
    struct asy_error err = ASY_ERROR_INIT;
    char key[ASY_KEY_TEXT];
    struct asy_msg msg;
    const void *bytes;
    uint64_t peer;
    size_t len;
    int rc = asy_server_recv(c->server, &peer, key, &bytes, &len, &err);

    if (rc == ASY_E_AGAIN) {
        if (asy_poll(&item, 1, timeout_ms, &err) <= 0)
            return 0;
        rc = asy_server_recv(c->server, &peer, key, &bytes, &len, &err);
    }
    if (rc < 0)
        return 0;
    asy_arena_reset(c->frames);
    if (!T_OK(asy_msg_decode(bytes, len, c->frames, &msg, &err), &err))
        return 0;
    c->peer = peer;
    take(c, &msg);
    return msg.type;
}

void coord_turn(struct coord *c, int timeout_ms)
{
    int64_t by_ms = asy_clock_ms() + timeout_ms;

    do
        step(c, (int)(by_ms - asy_clock_ms() > 0 ? by_ms - asy_clock_ms() : 0));
    while (asy_clock_ms() < by_ms);
}

int coord_await(struct coord *c, enum asy_msg_type type)
{
    int64_t by_ms = asy_clock_ms() + GENEROUS_MS;

    while (asy_clock_ms() < by_ms) {
        enum asy_msg_type got = step(c, 100);

        if (got && (got == type || !type))
            return 1;
    }
    return T_EQ("awaited a frame", 0, type);
}

int coord_await_that(struct coord *c, int (*done)(struct coord *c, const void *arg),
                     const void *arg)
{
    int64_t by_ms = asy_clock_ms() + GENEROUS_MS;

    while (!done(c, arg)) {
        if (asy_clock_ms() > by_ms)
            return T_TRUE(!"what was awaited did not come");
        step(c, 20);
    }
    return 1;
}

/* ---- leases ---------------------------------------------------------------------------------- */

int coord_study(struct coord *c, const char *yaml)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems;
    int rc;

    asy_study_destroy(c->study);
    c->study = NULL;
    c->study_known = 0;
    asy_buf_init(&problems, 65536);
    rc = asy_study_parse(yaml, strlen(yaml), "test.yaml", c->home, &c->study, &problems, &err);
    if (rc < 0)
        fprintf(stderr, "%s\n", problems.data);
    asy_buf_fini(&problems);
    return T_OK(rc, &err);
}

struct asy_lease coord_lease(struct coord *c, uint64_t trial, uint32_t first, uint32_t n_cores)
{
    static uint32_t cores[4][64];
    static unsigned at;

    at = (at + 1) % 4;
    for (uint32_t i = 0; i < n_cores; i++)
        cores[at][i] = first + i;
    c->trial = trial;
    return (struct asy_lease){
        .study = c->store, .trial = trial, .attempt = 1, .id = asy_id_make(), .run = asy_id_make(),
        .epoch = 1, .milestone = UINT64_MAX, .seed = 77, .ranks = 1, .params = "{\"lr\":0.5}",
        .placement = { .worker = c->agent, .ranks = 1, .cores = cores[at], .n_cores = n_cores },
        .spec = c->study->canonical, .spec_id = c->study->id, .owner = c->user.public_key,
    };
}

int coord_send_lease(struct coord *c, const struct asy_lease *lease)
{
    struct asy_msg msg = { .type = ASY_MSG_LEASE };

    msg.lease.leases = lease;
    msg.lease.n_leases = 1;
    return coord_send(c, &msg);
}

int coord_run(struct coord *c, uint64_t trial)
{
    struct asy_lease lease = coord_lease(c, trial, 0, 1);

    return coord_send_lease(c, &lease);
}

int coord_cancel(struct coord *c, const struct asy_lease *lease, enum asy_cancel_mode mode,
                 int64_t grace_ms)
{
    struct asy_msg msg = { .type = ASY_MSG_CANCEL };

    msg.cancel.study = lease->study;
    msg.cancel.trial = lease->trial;
    msg.cancel.attempt = lease->attempt;
    msg.cancel.epoch = lease->epoch;
    msg.cancel.mode = mode;
    msg.cancel.grace_ms = grace_ms;
    msg.cancel.cause = ASY_CAUSE_USER;
    msg.cancel.text = "by the test";
    return coord_send(c, &msg);
}

struct wanted {
    uint64_t trial;
    enum asy_event_kind kind;
    size_t n;
};

static const struct asy_report *find(struct coord *c, const struct wanted *w)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n_reports; i++)
        if (c->reports[i].trial == w->trial && c->reports[i].event.kind == w->kind && n++ == w->n)
            return &c->reports[i];
    return NULL;
}

static int has_report(struct coord *c, const void *arg)
{
    return find(c, arg) != NULL;
}

const struct asy_report *coord_report(struct coord *c, uint64_t trial, enum asy_event_kind kind,
                                      size_t n)
{
    struct wanted wanted = { trial, kind, n };

    return coord_await_that(c, has_report, &wanted) ? find(c, &wanted) : NULL;
}

const struct asy_event *coord_ended(struct coord *c, uint64_t trial, enum asy_end end,
                                    enum asy_cause cause)
{
    const struct asy_report *r = coord_report(c, trial, ASY_EV_ENDED, 0);
    char name[64];
    bool right;

    if (!r)
        return NULL;
    snprintf(name, sizeof name, "trial %d", (int)trial);
    right = T_EQ(name, r->event.ended.end, end);
    if (T_EQ(name, r->event.ended.cause, cause) && right)
        return &r->event;
    fprintf(stderr, "    it said: %s\n", TEXT(r->event.ended.text));
    return NULL;
}
