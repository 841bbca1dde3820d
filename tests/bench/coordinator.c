/* SPDX-License-Identifier: Apache-2.0
 * coordinator.c - see coordinator.h. */
#include "coordinator.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/json.h>

#define PATIENCE_MS 300000 /* then something hangs */
#define GREET_MS 2000
#define FRAMES_BUDGET (16u << 20)
#define ANSWER_MAX (64u << 20)

static int path_in(const struct coordinator *c, const char *name, char path[PATH_MAX],
                   struct asy_error *err)
{
    if (snprintf(path, PATH_MAX, "%s/%s", c->home, name) >= PATH_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "path '%.100s/%s' is too long", c->home, name);
    return 0;
}

int coordinator_init(struct coordinator *c, const char *programs, const char *home,
                     struct asy_error *err)
{
    memset(c, 0, sizeof *c);
    c->proc = (struct asy_proc)ASY_PROC_INIT;
    asy_buf_init(&c->frame, ASY_FRAME_MAX);
    asy_buf_init(&c->json, ANSWER_MAX);
    if (snprintf(c->program, sizeof c->program, "%s/assay-coordinator", programs) >= PATH_MAX ||
        snprintf(c->home, sizeof c->home, "%s", home) >= PATH_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "path '%.100s' is too long", home);
    return asy_arena_create(FRAMES_BUDGET, &c->arena, err);
}

void coordinator_fini(struct coordinator *c)
{
    coordinator_kill(c);
    asy_arena_destroy(c->arena);
    asy_buf_fini(&c->frame);
    asy_buf_fini(&c->json);
    c->arena = NULL;
}

/* ---- start and end --------------------------------------------------------------------------- */

static int launch(struct coordinator *c, struct asy_error *err)
{
    const char *argv[] = { c->program, "--home", c->home, "--log", NULL, "--keep",
                           "--max-study-trials", "1000000000", NULL };
    struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;
    char log[PATH_MAX];
    int rc;

    if ((rc = path_in(c, "coordinator.log", log, err)) < 0)
        return rc;
    argv[4] = log;
    spec.argv = argv;
    spec.death_signal = SIGKILL;
    return asy_proc_start(&spec, &c->proc, err);
}

/* The discovery file of this very process; one of an earlier life may lie there. */
static int await_discovery(struct coordinator *c, struct asy_error *err)
{
    int64_t limit_ms = asy_clock_ms() + PATIENCE_MS;
    char path[PATH_MAX];
    int rc, status;

    if ((rc = path_in(c, "coordinator.json", path, err)) < 0)
        return rc;
    while (asy_discovery_read(path, &c->found, NULL) < 0 || c->found.pid != c->proc.pid) {
        if (asy_proc_wait(&c->proc, 0, &status, NULL) == 0)
            return asy_fail(err, ASY_E_GONE, "the coordinator of '%.100s' ended at its start",
                            c->home);
        if (asy_clock_ms() > limit_ms)
            return asy_fail(err, ASY_E_TIMEOUT, "the coordinator does not come up");
        usleep(200);
    }
    return 0;
}

static int receive(struct coordinator *c, int64_t deadline_ms, struct asy_msg *ret_msg,
                   struct asy_error *err)
{
    struct asy_poll_item item = { .client = c->client, .fd = -1, .events = POLLIN };
    const void *bytes;
    size_t len;
    int rc;

    while ((rc = asy_client_recv(c->client, &bytes, &len, err)) == ASY_E_AGAIN) {
        int64_t left_ms = deadline_ms - asy_clock_ms();

        if (left_ms <= 0)
            return asy_fail(err, ASY_E_TIMEOUT, "the coordinator does not answer");
        if ((rc = asy_poll(&item, 1, (int)left_ms, err)) < 0)
            return rc;
    }
    if (rc < 0)
        return rc;
    asy_arena_reset(c->arena);
    return asy_msg_decode(bytes, len, c->arena, ret_msg, err);
}

static int transmit(struct coordinator *c, const struct asy_msg *msg, int64_t deadline_ms,
                    struct asy_error *err)
{
    struct asy_poll_item item = { .client = c->client, .fd = -1, .events = POLLOUT };
    int rc;

    asy_buf_clear(&c->frame);
    if ((rc = asy_msg_encode(msg, &c->frame, err)) < 0)
        return rc;
    while ((rc = asy_client_send(c->client, c->frame.data, c->frame.len, err)) == ASY_E_AGAIN &&
           asy_clock_ms() < deadline_ms)
        if ((rc = asy_poll(&item, 1, 50, err)) < 0)
            return rc;
    return rc;
}

static int greet(struct coordinator *c, struct asy_error *err)
{
    struct asy_msg msg = { .type = ASY_MSG_HELLO };
    const char *endpoint = c->found.endpoints[0];
    struct asy_client_spec spec = { &endpoint, 1, c->found.server_key, c->user.public_key,
                                    c->user.secret_key };
    int64_t deadline_ms = asy_clock_ms() + PATIENCE_MS;
    int rc;

    if ((rc = asy_client_create(c->channel, &spec, &c->client, err)) < 0)
        return rc;
    msg.hello.role = ASY_ROLE_CLIENT;
    msg.hello.major = ASY_PROTOCOL_MAJOR;
    msg.hello.minor = ASY_PROTOCOL_MINOR;
    msg.hello.walltime_left_ms = -1;
    if ((rc = transmit(c, &msg, deadline_ms, err)) < 0)
        return rc;
    do
        if ((rc = receive(c, deadline_ms, &msg, err)) < 0)
            return rc;
    while (msg.type == ASY_MSG_PONG); /* a probe of the connection */
    if (msg.type != ASY_MSG_WELCOME)
        return asy_fail(err, ASY_E_DENIED, "the coordinator answered HELLO by %s",
                        asy_msg_type_name(msg.type));
    c->session = msg.session;
    c->bulk_port = msg.welcome.bulk_port;
    return 0;
}

/* Until it is connected a client has three sockets of ZeroMQ, each with a descriptor. */
static void allow_files(size_t room)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= 5 * room + 256)
        return;
    files.rlim_cur = files.rlim_max < 5 * room + 256 ? files.rlim_max : 5 * room + 256;
    ASY_IGNORE(setrlimit(RLIMIT_NOFILE, &files) < 0); /* then fewer fit, and libzmq says so */
}

int coordinator_start(struct coordinator *c, size_t room, struct asy_error *err)
{
    char path[PATH_MAX];
    int64_t start_ns;
    int rc;

    allow_files(room);
    if ((rc = asy_durable_mkdirs(c->home, err)) < 0 ||
        (rc = asy_channel_create((int)room + 2, &c->channel, err)) < 0)
        return rc;
    start_ns = asy_clock_ns();
    if ((rc = launch(c, err)) < 0 || (rc = await_discovery(c, err)) < 0 ||
        (rc = path_in(c, "keys/user.key", path, err)) < 0 ||
        (rc = asy_keypair_load(path, &c->user, err)) < 0 || (rc = greet(c, err)) < 0)
        return rc;
    c->ready_ms = 1e-6 * (double)(asy_clock_ns() - start_ns);
    return 0;
}

void coordinator_kill(struct coordinator *c)
{
    int status;

    asy_client_destroy(c->client);
    asy_channel_destroy(c->channel);
    c->client = NULL;
    c->channel = NULL;
    if (c->proc.pid < 0)
        return;
    ASY_IGNORE(asy_proc_signal(&c->proc, SIGKILL));      /* it may have ended by itself */
    ASY_IGNORE(asy_proc_wait(&c->proc, -1, &status, NULL)); /* a killed process ends */
    asy_proc_close(&c->proc);
    c->proc = (struct asy_proc)ASY_PROC_INIT;
}

int coordinator_copy(const struct coordinator *from, struct coordinator *to, struct asy_error *err)
{
    const char *argv[] = { "cp", "-r", from->home, to->home, NULL };
    struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;
    struct asy_proc cp;
    int rc, status, fd;

    spec.argv = argv;
    if ((rc = asy_durable_remove(to->home, err)) < 0 || (rc = asy_proc_start(&spec, &cp, err)) < 0)
        return rc;
    rc = asy_proc_wait(&cp, -1, &status, err);
    asy_proc_close(&cp);
    if (rc < 0)
        return rc;
    if (status != 0)
        return asy_fail(err, ASY_E_IO, "cannot copy '%.100s'", from->home);
    if ((fd = open(to->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 || syncfs(fd) < 0)
        rc = asy_fail_errno(err, errno, "cannot sync '%.100s'", to->home);
    if (fd >= 0)
        close(fd);
    return rc;
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* The answer's JSON is in c->json. */
static int ask(struct coordinator *c, struct asy_msg *msg, struct asy_error *err)
{
    int64_t deadline_ms = asy_clock_ms() + PATIENCE_MS;
    int rc, more = 1;

    msg->session = c->session;
    if ((rc = transmit(c, msg, deadline_ms, err)) < 0)
        return rc;
    asy_buf_clear(&c->json);
    while (more) {
        struct asy_msg answer;

        if ((rc = receive(c, deadline_ms, &answer, err)) < 0)
            return rc;
        if (answer.type != ASY_MSG_REPLY || answer.reply.request != c->request)
            continue; /* PONG */
        if (answer.reply.code != 0)
            return asy_fail(err, (enum asy_code)answer.reply.code, "%s", answer.reply.text);
        asy_buf_add(&c->json, answer.reply.json, answer.reply.json_len);
        more = answer.reply.more;
    }
    return asy_buf_check(&c->json, "the answer", err);
}

int coordinator_submit(struct coordinator *c, const char *spec, struct asy_id *ret_study,
                       struct asy_error *err)
{
    struct asy_msg msg = { .type = ASY_MSG_SUBMIT };

    msg.submit.request = ++c->request;
    msg.submit.study = *ret_study = asy_id_make();
    msg.submit.spec = spec;
    msg.submit.command_line = "bench_service";
    return ask(c, &msg, err);
}

int coordinator_query(struct coordinator *c, const char *what, const char *study,
                      struct asy_error *err)
{
    struct asy_msg msg = { .type = ASY_MSG_QUERY };

    msg.query.request = ++c->request;
    msg.query.what = what;
    msg.query.study = study;
    msg.query.trial = msg.query.after = msg.query.limit = -1;
    return ask(c, &msg, err);
}

int coordinator_workers(struct coordinator *c, size_t *ret_n, struct asy_error *err)
{
    struct asy_json *root = NULL;
    int rc;

    if ((rc = coordinator_query(c, "workers", NULL, err)) < 0 ||
        (rc = asy_json_parse(c->json.data, c->json.len, &root, err)) < 0)
        return rc;
    *ret_n = asy_json_len(asy_json_get(root, "workers"));
    asy_json_destroy(root);
    return 0;
}

/* ---- weighing -------------------------------------------------------------------------------- */

/* The first number of /proc/PID/task/TID/schedstat: nanoseconds on a core. */
static int add_thread(int64_t pid, const char *tid, int64_t *cpu_ns)
{
    char path[320];
    int64_t ns = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%" PRId64 "/task/%s/schedstat", pid, tid);
    if (!(file = fopen(path, "re")))
        return 0; /* it has just ended */
    if (fscanf(file, "%" SCNd64, &ns) == 1)
        *cpu_ns += ns;
    fclose(file);
    return 1;
}

static int read_rss(int64_t pid, int64_t *ret_kib)
{
    char path[64], line[256];
    FILE *file;
    int found = 0;

    snprintf(path, sizeof path, "/proc/%" PRId64 "/status", pid);
    if (!(file = fopen(path, "re")))
        return 0;
    while (!found && fgets(line, sizeof line, file))
        found = sscanf(line, "VmRSS: %" SCNd64, ret_kib) == 1;
    fclose(file);
    return found;
}

int coordinator_usage(const struct coordinator *c, struct usage *ret_usage, struct asy_error *err)
{
    const struct dirent *entry;
    char path[64];
    DIR *dir;

    *ret_usage = (struct usage){ .wall_ns = asy_clock_ns() };
    snprintf(path, sizeof path, "/proc/%d/task", (int)c->proc.pid);
    if (!(dir = opendir(path)))
        return asy_fail_errno(err, errno, "cannot look at the coordinator's threads");
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            ASY_IGNORE(add_thread(c->proc.pid, entry->d_name, &ret_usage->cpu_ns));
    closedir(dir);
    if (!read_rss(c->proc.pid, &ret_usage->rss_kib))
        return asy_fail(err, ASY_E_IO, "cannot read the coordinator's memory");
    return 0;
}
