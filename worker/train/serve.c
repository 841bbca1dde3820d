/* SPDX-License-Identifier: Apache-2.0
 * serve.c - the gang side of assay-trainer.
 *
 * Two threads. The reader owns the receiving half of the connection (a descriptor of its own, as a
 * line has one owner): orders go into one slot, pauses and stops straight to the trainer, answers
 * are counted, and the end of the connection ends the process even while the other thread computes
 * or waits in MPI. The trainer's thread owns the sending half. Idle, both sleep. */
#include "serve.h"
#include "paths.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <asy/clock.h>
#include <asy/cpus.h>
#include <asy/gang.h>
#include <asy/training.h>

#define CPUS_MAX 8192

struct serve {
    struct asy_comm *comm;
    const char *dir, *logs; /* of the running job, or NULL */
    int64_t silence_ms; /* 0: the agent does not ask for it */
    int64_t alive_ms;   /* when it was last told that training goes on */
    struct asy_trainer *trainer;
    struct asy_line *out; /* trainer's thread */
    struct asy_line *in;  /* reader */
    int saved_out, saved_err; /* where stdout and stderr went before a job; -1: no job */
    uint64_t asked; /* reports and checkpoints sent */

    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t changed;
    struct asy_json *order; /* a "run" not yet taken */
    int running, leaving, stopped; /* stopped: a stop came for the running job */
    uint64_t answered;
    char refusal[200]; /* text of the newest {"error":…}; "" once looked at */
};

/* One line from the agent. */
static void handle(struct serve *serve, const char *text, size_t len)
{
    struct asy_json *line = NULL;
    const char *verb, *refusal;

    if (asy_json_parse(text, len, &line, NULL) < 0)
        return;
    verb = asy_json_str(asy_json_get(line, "do"), "");
    refusal = asy_json_str(asy_json_get(line, "error"), NULL);
    pthread_mutex_lock(&serve->lock);
    if (refusal || asy_json_get(line, "durable") || !strcmp(verb, "continue"))
        serve->answered++;
    if (refusal)
        snprintf(serve->refusal, sizeof serve->refusal, "%s", refusal);
    if (!strcmp(verb, "run") && !serve->running) {
        asy_json_destroy(serve->order);
        serve->order = line;
        line = NULL;
        serve->running = 1;
        serve->stopped = 0;
        serve->answered = 0;
        asy_trainer_request(serve->trainer, ASY_TRAIN_GO_ON);
    } else if (!strcmp(verb, "pause") && serve->running) {
        asy_trainer_request(serve->trainer, ASY_TRAIN_PAUSE);
    } else if (!strcmp(verb, "stop") && serve->running) {
        asy_trainer_request(serve->trainer, ASY_TRAIN_STOP);
        serve->stopped = 1;
    } else if (!strcmp(verb, "exit")) {
        if (serve->running)
            _exit(0); /* an order to end now; what is on disk is consistent at any time */
        serve->leaving = 1;
    }
    pthread_cond_broadcast(&serve->changed);
    pthread_mutex_unlock(&serve->lock);
    asy_json_destroy(line);
}

static void *read_lines(void *arg)
{
    struct serve *serve = arg;

    for (;;) {
        struct pollfd fd = { asy_line_fd(serve->in), POLLIN, 0 };
        const char *text;
        size_t len;

        if (poll(&fd, 1, -1) < 0 && errno != EINTR)
            _exit(1);
        if (asy_line_fill(serve->in, NULL) < 0) {
            pthread_mutex_lock(&serve->lock);
            _exit(serve->running ? 1 : 0);
        }
        while ((text = asy_line_next(serve->in, &len)))
            handle(serve, text, len);
    }
    return NULL;
}

/* Sends a line whole, waiting as long as the agent does not read. */
static int send_line(struct serve *serve, struct asy_buf *line, struct asy_error *err)
{
    int rc;

    if ((rc = asy_buf_check(line, "a line for the agent", err)) < 0 ||
        (rc = asy_line_send(serve->out, line->data, line->len, err)) < 0)
        return rc;
    while (rc == 0 && asy_line_pending(serve->out)) {
        struct pollfd fd = { asy_line_fd(serve->out), POLLOUT, 0 };

        if (poll(&fd, 1, -1) < 0 && errno != EINTR)
            return asy_fail_errno(err, errno, "cannot wait for the agent");
        rc = asy_line_flush(serve->out, err);
    }
    return rc;
}

/* A line that does not arrive is one of a connection that has ended, which the reader sees. */
static void on_alive(void *arg)
{
    static const char text[] = "{\"alive\":true}";
    struct serve *serve = arg;
    struct asy_buf line;
    int64_t now_ms;

    if (!serve->silence_ms ||
        !asy_gang_alive_due(serve->silence_ms, serve->alive_ms, now_ms = asy_clock_ms()))
        return;
    serve->alive_ms = now_ms;
    asy_buf_init(&line, sizeof text);
    asy_buf_add(&line, text, sizeof text - 1);
    ASY_IGNORE(send_line(serve, &line, NULL));
    asy_buf_fini(&line);
}

static void set_alive(struct serve *serve, int64_t silence_ms)
{
    serve->alive_ms = INT64_MIN / 2;
    serve->silence_ms = silence_ms > 0 ? silence_ms : 0;
}

static int on_report(void *arg, uint64_t step, const struct asy_train_metric *metrics, size_t n)
{
    struct serve *serve = arg;
    struct asy_buf line;
    struct asy_jsonw w;
    int rc;

    asy_buf_init(&line, ASY_GANG_LINE);
    asy_jsonw_init(&w, &line, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_u64(&w, "step", step);
    asy_jsonw_open(&w, "metrics", '{');
    for (size_t i = 0; i < n; i++)
        asy_jsonw_f64(&w, metrics[i].name, metrics[i].value);
    asy_jsonw_close(&w, '}');
    asy_jsonw_close(&w, '}');
    printf("epoch %llu:", (unsigned long long)step);
    for (size_t i = 0; i < n; i++)
        printf(" %s=%.6g", metrics[i].name, metrics[i].value);
    printf("\n");
    fflush(stdout);
    rc = send_line(serve, &line, NULL);
    serve->asked++;
    asy_buf_fini(&line);
    return rc;
}

/* Waits until the agent has answered everything; it has moved the file away then. An agent that has
 * told us to stop may owe the answer for ever. */
static int on_checkpoint(void *arg, uint64_t step, const char *path)
{
    struct serve *serve = arg;
    const char *slash = strrchr(path, '/');
    struct asy_buf line;
    struct asy_jsonw w;
    int rc;

    asy_buf_init(&line, ASY_GANG_LINE);
    asy_jsonw_init(&w, &line, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_str(&w, "checkpoint", slash ? slash + 1 : path);
    asy_jsonw_u64(&w, "step", step);
    asy_jsonw_close(&w, '}');
    pthread_mutex_lock(&serve->lock);
    serve->refusal[0] = '\0'; /* an earlier one was about a report */
    pthread_mutex_unlock(&serve->lock);
    rc = send_line(serve, &line, NULL);
    serve->asked++;
    asy_buf_fini(&line);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&serve->lock);
    while (serve->answered < serve->asked && !serve->stopped)
        pthread_cond_wait(&serve->changed, &serve->lock);
    if (serve->refusal[0]) {
        fprintf(stderr, "checkpoint refused: %s\n", serve->refusal);
        rc = ASY_E_IO;
    }
    pthread_mutex_unlock(&serve->lock);
    return rc;
}

static int point(const char *folder, const char *name, int rank, int target, struct asy_error *err)
{
    char path[4096], suffix[16] = "";
    int rc, fd;

    if (rank > 0)
        snprintf(suffix, sizeof suffix, ".%d", rank);
    if ((rc = asy__path(path, sizeof path, ASY__LOG_FOLDER, err, "%s/%s%s", folder, name,
                        suffix)) < 0)
        return rc;
    if ((fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", path);
    rc = dup2(fd, target);
    close(fd);
    return rc < 0 ? asy_fail_errno(err, errno, "cannot redirect to '%s'", path) : 0;
}

static int prepare(void *arg, struct asy_error *err)
{
    struct serve *serve = arg;
    const char *logs = serve->logs;
    int rank = asy_comm_rank(serve->comm), rc;

    if (!serve->dir)
        return asy_fail(err, ASY_E_INVAL, "the order names no folder");
    if (!logs)
        return 0;
    fflush(NULL);
    serve->saved_out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    serve->saved_err = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if ((rc = point(logs, "stdout", rank, STDOUT_FILENO, err)) < 0)
        return rc;
    return point(logs, "stderr", rank, STDERR_FILENO, err);
}

static void restore_one(int *saved, int target)
{
    if (*saved >= 0) {
        dup2(*saved, target);
        close(*saved);
    }
    *saved = -1;
}

static void restore(struct serve *serve)
{
    fflush(NULL);
    restore_one(&serve->saved_out, STDOUT_FILENO);
    restore_one(&serve->saved_err, STDERR_FILENO);
}

static const char *const outcomes[] = {
    [0] = "failed",
    [ASY_TRAIN_COMPLETE] = "complete",
    [ASY_TRAIN_PAUSED] = "paused",
    [ASY_TRAIN_STOPPED] = "stopped",
    [ASY_TRAIN_DIVERGED] = "diverged",
};

/* result == NULL: the job failed, for reason. */
static int send_end(struct serve *serve, const struct asy_train_result *result,
                    const char *reason, struct asy_error *err)
{
    struct asy_buf line;
    struct asy_jsonw w;
    int rc;

    asy_buf_init(&line, ASY_GANG_LINE);
    asy_jsonw_init(&w, &line, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_open(&w, "end", '{');
    asy_jsonw_str(&w, "outcome", outcomes[result ? result->outcome : 0]);
    asy_jsonw_u64(&w, "step", result ? result->step : 0);
    if (result)
        asy_jsonw_f64(&w, "objective", result->objective);
    if (result && result->model_path[0])
        asy_jsonw_str(&w, "model", result->model_path);
    if (result && result->scores_path[0])
        asy_jsonw_str(&w, "scores", result->scores_path);
    asy_jsonw_str(&w, "reason", reason);
    asy_jsonw_close(&w, '}');
    asy_jsonw_close(&w, '}');
    rc = send_line(serve, &line, err);
    asy_buf_fini(&line);
    return rc;
}

/* Binds all threads of this rank to its part of the lease and tells the agent what came of it: it
 * ends a gang that is not where it should be. The kernel's numbers will do: hwloc, which knows what
 * they mean, has spoken in the agent, and would cost each rank a look at the whole machine. */
static int bind_self(struct serve *serve, const char *want, struct asy_error *err)
{
    static unsigned cpus[CPUS_MAX];
    struct asy_error why = ASY_ERROR_INIT;
    struct asy_buf line;
    struct asy_jsonw w;
    size_t n = 0;
    int failed, rc;

    if (!want)
        return 0;
    failed = asy_cpus_parse(want, cpus, CPUS_MAX, &n, &why) < 0 ||
             asy_cpus_bind_all(getpid(), cpus, n, &why) < 0;
    asy_buf_init(&line, ASY_GANG_LINE);
    asy_jsonw_init(&w, &line, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_str(&w, "bound", failed ? "" : want);
    if (failed)
        asy_jsonw_str(&w, "reason", why.text);
    asy_jsonw_close(&w, '}');
    rc = send_line(serve, &line, err);
    asy_buf_fini(&line);
    return rc;
}

/* A device, or a rank, that is lost, and memory, which others use too: no fault of the job, which
 * may run well elsewhere or later. */
static int is_of_the_machine(int rc)
{
    return rc == ASY_E_GONE || rc == ASY_E_NOMEM;
}

static int run_order(struct serve *serve, const struct asy_json *order, struct asy_error *err)
{
    struct asy_train_callbacks callbacks = { .arg = serve, .prepare = prepare,
                                             .report = on_report, .checkpoint = on_checkpoint,
                                             .alive = on_alive };
    struct asy_train_result *result = calloc(1, sizeof *result);
    struct asy_error why = ASY_ERROR_INIT;
    int failed, rc;

    if (!result)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a result");
    if ((rc = bind_self(serve, asy_json_str(asy_json_get(order, "cpus"), NULL), err)) < 0) {
        free(result);
        return rc;
    }
    serve->asked = 0;
    serve->dir = asy_json_str(asy_json_get(order, "dir"), NULL);
    serve->logs = asy_json_str(asy_json_get(order, "logs"), NULL);
    set_alive(serve, asy_json_i64(asy_json_get(order, "silence_ms"), 0));
    failed = asy_trainer_run(serve->trainer, asy_json_get(order, "job"), serve->dir,
                             asy_json_str(asy_json_get(order, "resume"), NULL), &callbacks, result,
                             &why);
    if (failed < 0)
        fprintf(stderr, "%s\n", why.text);
    else if (result->reason[0])
        printf("%s\n", result->reason);
    restore(serve);
    if (is_of_the_machine(failed))
        _exit(1); /* a crash to the agent; at an orderly end we might wait for what is lost */
    pthread_mutex_lock(&serve->lock);
    serve->running = 0; /* before the end is sent: what comes after it is for the next job */
    pthread_mutex_unlock(&serve->lock);
    rc = send_end(serve, failed < 0 ? NULL : result, failed < 0 ? why.text : result->reason, err);
    free(result);
    return rc;
}

static int serve_orders(struct serve *serve, struct asy_error *err)
{
    int rc = 0;

    while (rc == 0) {
        struct asy_json *order;

        pthread_mutex_lock(&serve->lock);
        while (!serve->order && !serve->leaving)
            pthread_cond_wait(&serve->changed, &serve->lock);
        order = serve->order;
        serve->order = NULL;
        pthread_mutex_unlock(&serve->lock);
        if (!order)
            return 0;
        rc = run_order(serve, order, err);
        asy_json_destroy(order);
    }
    return rc;
}

int asy__serve(const char *socket_path, const char *token, struct asy_comm *comm,
               struct asy_error *err)
{
    struct serve serve = { .comm = comm, .saved_out = -1, .saved_err = -1,
                           .lock = PTHREAD_MUTEX_INITIALIZER,
                           .changed = PTHREAD_COND_INITIALIZER };
    pthread_t reader;
    int fd, rc;

    if ((rc = asy_trainer_create(comm, &serve.trainer, err)) < 0 ||
        (rc = asy_gang_join(socket_path, token, asy_comm_rank(comm), &serve.out, err)) < 0)
        goto out;
    if ((fd = fcntl(asy_line_fd(serve.out), F_DUPFD_CLOEXEC, 0)) < 0) {
        rc = asy_fail_errno(err, errno, "cannot duplicate the connection");
        goto out;
    }
    if ((rc = asy_line_create(fd, &serve.in, err)) < 0) {
        close(fd);
        goto out;
    }
    if ((rc = pthread_create(&reader, NULL, read_lines, &serve)) != 0) {
        rc = asy_fail_errno(err, rc, "cannot start a thread");
        goto out;
    }
    rc = serve_orders(&serve, err);
    pthread_cancel(reader); /* it sleeps in poll, or is about to */
    pthread_join(reader, NULL);
out:
    asy_json_destroy(serve.order);
    asy_line_destroy(serve.in);
    asy_line_destroy(serve.out);
    asy_trainer_destroy(serve.trainer);
    return rc;
}
