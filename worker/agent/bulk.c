/* SPDX-License-Identifier: Apache-2.0
 * bulk.c - the bulk thread: its tasks, its connection, what goes between it and the main thread.
 *
 * A transfer belongs to a connection; a task does not. Whatever breaks, the task opens a new
 * transfer and says from where. So nothing here is told apart by why it broke: silence, a new
 * session and a lost connection end the same way. The thread has a lower priority than the
 * others. */
#include "bulk_impl.h"
#include "box.h"
#include "impl.h"
#include <asy/address.h>
#include <asy/clock.h>
#include <asy/log.h>
#include <asy/urgency.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARENA_MAX (1u << 20)
#define QUEUE 16
#define AGAIN_MS 5        /* until a full queue is tried again */
#define IDLE_MS 1000

enum kind { CONNECT, TASK, SEAL, FORGET, QUIT, NEWS };
struct connection {
    struct asy_discovery discovery;
    struct asy_keypair pair;
    struct asy_id store;
    uint32_t port;
};
struct note {
    struct asy__note node;           /* first: boxes hold it */
    enum kind kind;
    uint64_t ticket;
    struct asy__task *task;          /* TASK */
    struct connection *connection;   /* CONNECT */
    struct asy__bulk_news news;      /* NEWS */
};
struct asy__bulk {
    struct asy__box out, in;              /* towards the thread, and back */
    struct asy_channel *channel;
    struct asy__cache *cache;
    pthread_t thread;
    int running;
};

/* ---- notes ----------------------------------------------------------------------------------- */

static void task_destroy(struct asy__io *io, struct asy__cache *cache, struct asy__task *task)
{
    if (!task)
        return;
    if (io && task->kind == ASY__TASK_FETCH)
        asy__fetch_close(io, task);
    for (size_t i = 0; i < task->n; i++) {
        asy__cache_unpin(cache, task->pins ? task->pins[i] : NULL);
        free(task->paths ? task->paths[i] : NULL);
    }
    asy__cache_unpin(cache, task->pin);
    asy_pack_close(task->pack);
    free(task->pins);
    free(task->paths);
    free(task->wants);
    free(task);
}

static void note_free(struct note *note, struct asy__cache *cache)
{
    if (!note)
        return;
    task_destroy(NULL, cache, note->task);
    if (note->connection)
        explicit_bzero(note->connection, sizeof *note->connection); /* holds the secret key */
    free(note->connection);
    free(note->news.paths);
    free(note);
}

static void free_left(struct asy__note *note, void *cache)
{
    note_free((struct note *)note, cache);
}

static struct note *get(struct asy__box *box)
{
    return (struct note *)asy__box_get(box);
}

/* ---- what tasks use -------------------------------------------------------------------------- */

void asy__io_at(struct asy__io *io, int64_t at_ms)
{
    if (at_ms < io->next_ms)
        io->next_ms = at_ms;
}

uint32_t asy__io_transfer(struct asy__io *io)
{
    if (!++io->serial)
        io->serial = 1;
    return io->serial;
}

int asy__io_send(struct asy__io *io, struct asy_bulk *head, const void *body, size_t n)
{
    int rc = ASY_E_AGAIN;

    head->store = io->store;
    asy_buf_clear(&io->frame);
    if (io->client && (rc = asy_bulk_encode(head, &io->frame, NULL)) == 0)
        rc = asy_client_send_parts(io->client, io->frame.data, io->frame.len, body, n, NULL);
    if (rc < 0) /* a connection that comes about wakes us */
        asy__io_at(io, io->now_ms + (io->client && asy_client_state(io->client) == ASY_WAY_OPEN
                                         ? AGAIN_MS : IDLE_MS));
    return rc < 0 ? ASY_E_AGAIN : 0;
}

static int64_t until_ms(const struct asy__io *io, const struct asy__patience *patience)
{
    int64_t dead_ms = patience->since_ms + 2 * io->patience.limit_ms;

    return dead_ms > asy__patience_until(patience) ? dead_ms : asy__patience_until(patience);
}

void asy__io_wait(struct asy__io *io, const struct asy__patience *patience)
{
    asy__io_at(io, until_ms(io, patience) + 1);
}

int asy__io_over(const struct asy__io *io, struct asy__patience *patience)
{
    return io->now_ms > until_ms(io, patience) && asy__patience_over(patience, io->now_ms);
}

/* What is on its way to us still counts: it keeps its number. What is on its way there comes before
 * whatever we say next. */
void asy__io_again(struct asy__task *task)
{
    if (task->kind == ASY__TASK_FETCH)
        task->stage = ASY__FETCH_GET;
    else
        task->transfer = 0;
}

void asy__io_later(struct asy__io *io, struct asy__task *task)
{
    task->transfer = 0;
    task->retry_ms = io->now_ms + ASY__BULK_RETRY_MS;
    asy__io_at(io, task->retry_ms);
}

int asy__io_hash(struct asy__io *io, struct asy__task *task, struct asy_error *err)
{
    size_t n = 0;
    int rc = asy_pack_read(task->pack, task->hashed, io->chunk, ASY_BULK_CHUNK, &n, err);

    if (rc < 0)
        return rc;
    asy_sha_update(task->sha, io->chunk, n);
    task->hashed += n;
    return task->hashed < asy_pack_size(task->pack);
}

/* The paths in one block. */
static char **gather_paths(const struct asy__task *task)
{
    size_t bytes = (task->n + 1) * sizeof(char *);
    char **list, *at;

    for (size_t i = 0; i < task->n; i++)
        bytes += strlen(task->paths[i]) + 1;
    if (!(list = malloc(bytes)))
        return NULL;
    at = (char *)(list + task->n + 1);
    for (size_t i = 0; i < task->n; i++) {
        list[i] = at;
        at = stpcpy(at, task->paths[i]) + 1;
    }
    list[task->n] = NULL;
    return list;
}

void asy__io_tell(struct asy__io *io, struct asy__task *task, int rc, const char *text)
{
    static const enum asy__bulk_news_kind kinds[] = { [ASY__TASK_FETCH] = ASY__BULK_FETCHED,
                                                      [ASY__TASK_PUT] = ASY__BULK_PUT,
                                                      [ASY__TASK_TAIL] = ASY__BULK_SEALED };
    struct note *note = calloc(1, sizeof *note);

    if (note && rc == 0 && task->kind == ASY__TASK_FETCH &&
        !(note->news.paths = gather_paths(task))) {
        free(note);
        note = NULL;
    }
    if (!note) { /* memory comes back: the task does its last step again then */
        asy__io_later(io, task);
        return;
    }
    note->kind = NEWS;
    note->news.kind = kinds[task->kind];
    note->news.ticket = task->ticket;
    note->news.rc = rc;
    note->news.n = task->n;
    snprintf(note->news.text, sizeof note->news.text, "%s", text ? text : "");
    task->told = 1;
    task->transfer = 0;
    asy__box_put(&io->bulk->in, &note->node);
}

/* ---- the connection -------------------------------------------------------------------------- */

/* Every transfer that was open begins anew. */
static void begin_anew(struct asy__io *io)
{
    for (struct asy__task *task = io->tasks; task; task = task->next) {
        task->transfer = 0;
        task->retry_ms = 0;
        for (size_t i = 0; i < ASY_ARRAY_LEN(task->streams); i++)
            task->streams[i].transfer = 0;
    }
}

static void connect_to(struct asy__io *io, const struct connection *to)
{
    char texts[ASY_ENDPOINTS_MAX][ASY_ENDPOINT_TEXT];
    const char *endpoints[ASY_ENDPOINTS_MAX], *routes[ASY_ENDPOINTS_MAX];
    size_t n_routes = asy_discovery_routes(&to->discovery, routes);
    struct asy_client_spec spec = { .endpoints = endpoints, .queue = QUEUE,
                                    .server_key = to->discovery.server_key,
                                    .public_key = to->pair.public_key,
                                    .secret_key = to->pair.secret_key };
    struct asy_error err = ASY_ERROR_INIT;
    int rc = 0;

    asy_client_destroy(io->client);
    io->client = NULL;
    io->store = to->store;
    for (; to->port && rc == 0 && spec.n_endpoints < n_routes; spec.n_endpoints++) {
        endpoints[spec.n_endpoints] = texts[spec.n_endpoints];
        rc = asy_address_at_port(routes[spec.n_endpoints], to->port, texts[spec.n_endpoints],
                                 sizeof texts[0], &err);
    }
    if (rc == 0 && spec.n_endpoints)
        rc = asy_client_create(io->bulk->channel, &spec, &io->client, &err);
    if (rc < 0)
        asy_warn("bulk: %s, waiting for the next session", err.text);
    asy__patience_begin(&io->patience, io->now_ms);
    begin_anew(io);
}

/* Files have a port of their own, which a firewall may close while it lets the other through. */
static void tell_silence(struct asy__io *io)
{
    static int64_t warned_ms;
    struct asy_way ways[ASY_WAYS_MAX];
    struct asy_buf text;
    size_t n;

    if (asy_client_state(io->client) <= ASY_WAY_OPEN) {
        asy_warn("bulk: the coordinator's bulk socket is silent, connecting to it anew");
        return;
    }
    if (!asy_log_due(&warned_ms, 60000))
        return;
    asy_buf_init(&text, ASY_WAYS_TEXT);
    n = asy_client_ways(io->client, ways);
    asy_ways_why(ways, n, &text);
    asy_warn("bulk: cannot reach the coordinator's port for files: %s; trying on", text.data);
    asy_buf_fini(&text);
}

/* A silent connection may be dead without a sign; perhaps another address answers. */
static void judge_silence(struct asy__io *io)
{
    int waiting = 0, apart = io->client && asy_client_state(io->client) != ASY_WAY_OPEN;

    for (struct asy__task *task = io->tasks; task; task = task->next)
        waiting |= (apart && !task->told) || task->transfer || task->streams[0].transfer ||
                   task->streams[1].transfer;
    if (!waiting || !io->client)
        asy__patience_begin(&io->patience, io->now_ms);
    else
        asy__io_at(io, asy__patience_until(&io->patience) + 1);
    if (!asy__patience_over(&io->patience, io->now_ms))
        return;
    tell_silence(io);
    ASY_IGNORE(asy_client_next(io->client, NULL)); /* fails: the next silence tries again */
    begin_anew(io);
}

static struct asy__task *owner_of(struct asy__io *io, uint32_t transfer)
{
    struct asy__task *task = io->tasks;

    while (task && (task->over || (task->transfer != transfer &&
                                   task->streams[0].transfer != transfer &&
                                   task->streams[1].transfer != transfer)))
        task = task->next;
    return task;
}

static void receive(struct asy__io *io)
{
    const void *bytes, *body;
    size_t len, n;

    while (io->client && asy_client_recv_parts(io->client, &bytes, &len, &body, &n, NULL) == 0) {
        struct asy__task *task;
        struct asy_bulk head;

        asy__patience_heard(&io->patience, io->now_ms);
        asy_arena_reset(io->arena);
        if (asy_bulk_decode(bytes, len, io->arena, &head, NULL) < 0 || !head.transfer ||
            !(task = owner_of(io, head.transfer)))
            continue; /* of a transfer that is over */
        asy__patience_heard(&task->patience, io->now_ms);
        if (task->kind == ASY__TASK_FETCH)
            asy__fetch_take(io, task, &head, body, n);
        else if (task->kind == ASY__TASK_PUT)
            asy__put_take(io, task, &head);
        else
            asy__tail_take(io, task, &head);
    }
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static struct asy__task *find(struct asy__io *io, uint64_t ticket)
{
    struct asy__task *task = io->tasks;

    while (task && (task->over || task->ticket != ticket))
        task = task->next;
    return task;
}

static void forget(struct asy__io *io, uint64_t ticket)
{
    struct asy__task *task = find(io, ticket);
    struct asy_bulk cancel = { .kind = ASY_BULK_CANCEL };

    if (!task)
        return;
    cancel.transfer = task->transfer;
    if (task->transfer)
        ASY_IGNORE(asy__io_send(io, &cancel, NULL, 0)); /* else it finds out by our silence */
    task->over = 1;
}

/* 1: it is time to go. */
static int take_notes(struct asy__io *io)
{
    struct note *note;
    int quit = 0;

    while ((note = get(&io->bulk->out))) {
        struct asy__task *task = note->task;

        if (task) {
            task->next = io->tasks;
            io->tasks = task;
            note->task = NULL;
        } else if (note->kind == CONNECT) {
            connect_to(io, note->connection);
        } else if (note->kind == SEAL && (task = find(io, note->ticket))) {
            task->sealing = 1;
            task->look_ms = 0;
        } else if (note->kind == FORGET) {
            forget(io, note->ticket);
        }
        quit |= note->kind == QUIT;
        note_free(note, io->cache);
    }
    return quit;
}

static void remove_over(struct asy__io *io)
{
    struct asy__task **at = &io->tasks;

    while (*at) {
        struct asy__task *task = *at;

        if (!task->over) {
            at = &task->next;
            continue;
        }
        *at = task->next;
        task_destroy(io, io->cache, task);
    }
}

static int step(struct asy__io *io, struct asy__task *task)
{
    if (task->over || task->told)
        return 0;
    if (io->now_ms < task->retry_ms) {
        asy__io_at(io, task->retry_ms);
        return 0;
    }
    if (task->transfer && asy__io_over(io, &task->patience))
        asy__io_again(task);
    if (task->kind == ASY__TASK_FETCH)
        return asy__fetch_step(io, task);
    if (task->kind == ASY__TASK_PUT)
        return asy__put_step(io, task);
    asy__tail_step(io, task);
    return 0;
}

static int work(struct asy__io *io)
{
    int more = 0;

    io->next_ms = io->now_ms + IDLE_MS;
    judge_silence(io); /* first: a transfer that gives up would hide it */
    for (struct asy__task *task = io->tasks; task; task = task->next)
        more |= step(io, task);
    remove_over(io);
    return more;
}

static void serve(struct asy__io *io)
{
    int more = 0;

    for (;;) {
        struct asy_poll_item items[2] = { { .fd = io->bulk->out.fd, .events = POLLIN },
                                          { .client = io->client, .events = POLLIN } };
        int64_t left = io->next_ms - asy_clock_ms();

        if (asy_poll(items, io->client ? 2 : 1, more || left < 0 ? 0 : (int)left, NULL) < 0)
            return; /* the context is gone */
        io->now_ms = asy_clock_ms();
        if (take_notes(io))
            return;
        receive(io);
        more = work(io);
    }
}

static void *bulk_main(void *arg)
{
    struct asy__bulk *bulk = arg;
    struct asy__io io = { .bulk = bulk, .cache = bulk->cache, .now_ms = asy_clock_ms() };

    asy_urgency_set(ASY_URGENCY_PATIENT);
    asy_buf_init(&io.frame, 1u << 16);
    if ((io.chunk = malloc(ASY_BULK_CHUNK)) && asy_arena_create(ARENA_MAX, &io.arena, NULL) == 0 &&
        asy_sha_memo_create(&io.memo, NULL) == 0)
        serve(&io);
    for (struct asy__task *task = io.tasks; task; task = task->next)
        task->over = 1;
    remove_over(&io);
    asy_client_destroy(io.client);
    asy_sha_memo_destroy(io.memo);
    asy_arena_destroy(io.arena);
    asy_buf_fini(&io.frame);
    free(io.chunk);
    return NULL;
}

/* ---- the main thread's side ------------------------------------------------------------------ */

int asy__bulk_create(struct asy__cache *cache, struct asy__bulk **ret_bulk, struct asy_error *err)
{
    struct asy__bulk *bulk = calloc(1, sizeof *bulk);
    int rc;

    if (!bulk)
        return asy_fail(err, ASY_E_NOMEM, "no memory for the bulk socket");
    bulk->cache = cache;
    bulk->out = bulk->in = (struct asy__box)ASY__BOX_INIT;
    if ((rc = asy__box_init(&bulk->out, err)) < 0 || (rc = asy__box_init(&bulk->in, err)) < 0 ||
        (rc = asy_channel_create(4, &bulk->channel, err)) < 0)
        goto out;
    if ((rc = pthread_create(&bulk->thread, NULL, bulk_main, bulk)) != 0) {
        rc = asy_fail_errno(err, rc, "cannot start the bulk thread");
        goto out;
    }
    bulk->running = 1;
    *ret_bulk = bulk;
    bulk = NULL;
out:
    asy__bulk_destroy(bulk);
    return rc;
}

static struct note *new_note(enum kind kind, uint64_t ticket)
{
    struct note *note = calloc(1, sizeof *note);

    if (note) {
        note->kind = kind;
        note->ticket = ticket;
    }
    return note;
}

void asy__bulk_destroy(struct asy__bulk *bulk)
{
    struct note *quit;

    if (!bulk)
        return;
    if (bulk->running) {
        while (!(quit = new_note(QUIT, 0)))
            usleep(1000); /* the thread must end, and memory comes back */
        asy__box_put(&bulk->out, &quit->node);
        pthread_join(bulk->thread, NULL);
    }
    asy_channel_destroy(bulk->channel);
    asy__box_fini(&bulk->out, free_left, bulk->cache);
    asy__box_fini(&bulk->in, free_left, bulk->cache);
    free(bulk);
}

int asy__bulk_fd(const struct asy__bulk *bulk)
{
    return bulk->in.fd;
}

int asy__bulk_connect(struct asy__bulk *bulk, const struct asy_discovery *discovery,
                      const struct asy_keypair *pair, struct asy_id store, uint32_t port,
                      struct asy_error *err)
{
    struct note *note = new_note(CONNECT, 0);

    if (!note || !(note->connection = malloc(sizeof *note->connection))) {
        free(note);
        return asy_fail(err, ASY_E_NOMEM, "no memory for a connection");
    }
    *note->connection = (struct connection){ *discovery, *pair, store, port };
    asy__box_put(&bulk->out, &note->node);
    return 0;
}

static int give(struct asy__bulk *bulk, struct asy__task *task, struct asy_error *err)
{
    struct note *note = new_note(TASK, task->ticket);

    if (!note)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a task");
    note->task = task;
    asy__box_put(&bulk->out, &note->node);
    return 0;
}

static struct asy__task *new_task(enum asy__task_kind kind, uint64_t ticket, struct asy_id study,
                                  uint64_t trial)
{
    struct asy__task *task = calloc(1, sizeof *task);

    if (!task)
        return NULL;
    task->kind = kind;
    task->ticket = ticket;
    task->study = study;
    task->trial = trial;
    task->fd = -1;
    return task;
}

/* With their paths, in one block. */
static struct asy__want *copy_wants(const struct asy__want *wants, size_t n)
{
    size_t bytes = n * sizeof *wants + 1;
    struct asy__want *copy;
    char *at;

    for (size_t i = 0; i < n; i++)
        bytes += wants[i].path ? strlen(wants[i].path) + 1 : 0;
    if (!(copy = malloc(bytes)))
        return NULL;
    at = (char *)(copy + n);
    for (size_t i = 0; i < n; i++) {
        copy[i] = wants[i];
        if (!wants[i].path)
            continue;
        copy[i].path = at;
        at = stpcpy(at, wants[i].path) + 1;
    }
    return copy;
}

int asy__bulk_fetch(struct asy__bulk *bulk, uint64_t ticket, struct asy_id study, uint64_t trial,
                    const struct asy__want *wants, size_t n, struct asy_error *err)
{
    struct asy__task *task = new_task(ASY__TASK_FETCH, ticket, study, trial);
    int rc;

    if (!task || !(task->wants = copy_wants(wants, n)) ||
        !(task->paths = calloc(n + 1, sizeof *task->paths)) ||
        !(task->pins = calloc(n + 1, sizeof *task->pins))) {
        task_destroy(NULL, bulk->cache, task);
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu files", n);
    }
    task->n = n;
    if ((rc = give(bulk, task, err)) < 0)
        task_destroy(NULL, bulk->cache, task);
    return rc;
}

int asy__bulk_put(struct asy__bulk *bulk, uint64_t ticket, const struct asy_bulk *head,
                  struct asy__pin *pin, struct asy_error *err)
{
    struct asy__task *task = new_task(ASY__TASK_PUT, ticket, head->study, head->trial);
    int rc;

    if (!task)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a task");
    task->head = *head;
    task->head.text = NULL;
    task->pin = pin;
    if ((rc = give(bulk, task, err)) < 0)
        free(task);
    return rc;
}

int asy__bulk_tail(struct asy__bulk *bulk, uint64_t ticket, struct asy_id study, uint64_t trial,
                   uint32_t attempt, const char *folder, struct asy_error *err)
{
    struct asy__task *task = new_task(ASY__TASK_TAIL, ticket, study, trial);
    int rc;

    if (!task)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a task");
    task->attempt = attempt;
    for (size_t i = 0; i < ASY_ARRAY_LEN(task->streams); i++)
        snprintf(task->streams[i].path, sizeof task->streams[i].path, "%s/%s", folder,
                 i == 0 ? "stdout" : "stderr");
    if ((rc = give(bulk, task, err)) < 0)
        free(task);
    return rc;
}

int asy__bulk_seal(struct asy__bulk *bulk, uint64_t ticket, struct asy_error *err)
{
    struct note *note = new_note(SEAL, ticket);

    if (!note)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a note");
    asy__box_put(&bulk->out, &note->node);
    return 0;
}

void asy__bulk_forget(struct asy__bulk *bulk, uint64_t ticket)
{
    struct note *note = new_note(FORGET, ticket);

    if (note)
        asy__box_put(&bulk->out, &note->node); /* else its pins stay as long as we do */
}

enum asy__bulk_news_kind asy__bulk_next(struct asy__bulk *bulk, struct asy__bulk_news *ret)
{
    struct note *note = get(&bulk->in);

    *ret = (struct asy__bulk_news){ .kind = ASY__BULK_NONE };
    if (!note)
        return ASY__BULK_NONE;
    *ret = note->news;
    note->news.paths = NULL;
    note_free(note, bulk->cache);
    return ret->kind;
}
