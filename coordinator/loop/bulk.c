/* SPDX-License-Identifier: Apache-2.0
 * bulk.c - see bulk.h. A round takes what came, then does one piece of each transfer, so that a
 * large file holds up no small one.
 *
 * The thread runs at a lower priority than the loop, and so does the I/O thread of its context,
 * which it starts: files take what the control frames leave. */
#include "bulk_impl.h"
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/log.h>
#include <asy/urgency.h>

#define ARENA_MAX (1u << 20)
#define QUEUE 16          /* messages per peer and direction: its credits and some */
#define ROUND_MESSAGES 64
#define ROUND_MS 1000 /* after which no further message is taken: each may be a chunk that rests */
#define BLOCKED_MS 5      /* until a full queue is tried again */
#define TELL_MS 2000
#define ANSWER_MS 5000    /* for the loop to tell of a study */
#define SWEEP_MS 600000
#define TELL_FAILED_MS 60000 /* between two words of waits that failed */
#define RETRY_MS 1000     /* until a wait that failed is tried again */
#define GUARD_MS 1000     /* between two looks at who is refused */

/* ---- what goes out -------------------------------------------------------------------------- */

int asy__bulk_send(struct asy__bulk *bulk, uint64_t peer, const struct asy_bulk *head,
                   const void *body, size_t n)
{
    struct asy_error err = ASY_ERROR_INIT;
    int rc;

    asy_buf_clear(&bulk->frame);
    if ((rc = asy_bulk_encode(head, &bulk->frame, &err)) == 0)
        rc = asy_server_send_parts(bulk->server, peer, bulk->frame.data, bulk->frame.len, body, n,
                                   &err);
    if (rc == ASY_E_AGAIN)
        bulk->blocked = 1;
    else if (rc < 0 && rc != ASY_E_GONE && asy_log_due(&bulk->warned_ms, 1000))
        asy_warn("bulk: cannot answer: %s, the peer asks again", err.text);
    return rc;
}

void asy__bulk_refuse(struct asy__bulk *bulk, uint64_t peer, const struct asy_bulk *head, int rc,
                      const char *text)
{
    struct asy_bulk end = { .kind = ASY_BULK_END, .transfer = head->transfer, .what = head->what,
                            .code = rc, .text = text, .offset = head->offset };

    ASY_IGNORE(asy__bulk_send(bulk, peer, &end, NULL, 0)); /* it asks again after a while */
}

void asy__bulk_end(struct asy__bulk *bulk, struct asy__transfer *t, int rc, const char *text)
{
    if (rc < 0)
        asy_warn("bulk: %s: %s", t->what, text);
    asy__bulk_refuse(bulk, t->peer, &t->head, rc, text);
    t->over = 1;
}

/* ---- transfers ------------------------------------------------------------------------------- */

static void transfer_destroy(struct asy__transfer *t)
{
    asy_pack_close(t->pack);
    asy_unpack_close(t->unpack);
    asy_sha_destroy(t->sha);
    if (t->fd >= 0)
        close(t->fd);
    free(t);
}

static void remove_over(struct asy__bulk *bulk)
{
    struct asy__transfer **at = &bulk->transfers;

    while (*at) {
        struct asy__transfer *t = *at;

        if (!t->over || t->asking) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        bulk->n_transfers--;
        asy__bulk_input_over(bulk, t);
        transfer_destroy(t);
    }
}

static struct asy__transfer *find(struct asy__bulk *bulk, uint64_t peer, uint32_t id)
{
    struct asy__transfer *t = bulk->transfers;

    while (t && (t->over || t->peer != peer || t->head.transfer != id))
        t = t->next;
    return t;
}

/* One that waits for the store keeps its place until that has answered, wanted or not: a peer has
 * no more questions there than transfers. */
struct asy__transfer *asy__bulk_open(struct asy__bulk *bulk, uint64_t peer,
                                     const struct asy_bulk *head)
{
    struct asy__transfer *t;
    int asking = 0;
    size_t n = 0;

    for (t = bulk->transfers; t; t = t->next)
        asking |= t->asking && t->peer == peer && t->head.transfer == head->transfer;
    if (asking) {
        asy__bulk_refuse(bulk, peer, head, ASY_E_AGAIN, "that transfer is not looked up yet");
        return NULL;
    }
    if ((t = find(bulk, peer, head->transfer)))
        t->over = 1; /* it begins anew */
    for (t = bulk->transfers; t; t = t->next)
        n += (!t->over || t->asking) && t->peer == peer;
    if (n >= ASY__BULK_TRANSFERS_EACH || bulk->n_transfers >= ASY__BULK_TRANSFERS ||
        !(t = calloc(1, sizeof *t))) {
        asy__bulk_refuse(bulk, peer, head, ASY_E_AGAIN, "too many transfers are open");
        return NULL;
    }
    t->peer = peer;
    t->head = *head;
    t->head.text = NULL;
    t->fd = -1;
    t->heard_ms = t->told_ms = asy_clock_ms();
    t->next = bulk->transfers;
    bulk->transfers = t;
    bulk->n_transfers++;
    return t;
}

void asy__bulk_name(const struct asy_bulk *head, char *text, size_t n)
{
    char hex[ASY_SHA_TEXT], study[ASY_ID_TEXT];

    asy_sha_format(head->sha, hex);
    asy_id_format(head->study, study);
    if (head->report)
        snprintf(text, n, "%s.%s-%llu-%u-%llu", hex, study, (unsigned long long)head->trial,
                 head->attempt, (unsigned long long)head->report);
    else
        snprintf(text, n, "%s", hex);
}

void asy__bulk_alive(struct asy__bulk *bulk, struct asy__transfer *t)
{
    struct asy_bulk alive = { .kind = ASY_BULK_CREDIT, .transfer = t->head.transfer,
                              .offset = t->at };

    t->heard_ms = asy_clock_ms();
    if (t->heard_ms - t->told_ms < TELL_MS)
        return;
    t->told_ms = t->heard_ms;
    ASY_IGNORE(asy__bulk_send(bulk, t->peer, &alive, NULL, 0)); /* if it is gone: later */
}

int64_t asy__bulk_yield(const struct asy__bulk *bulk)
{
    int64_t asked_ns = asy_clock_ns(), now_ns = asked_ns, wait_ns;

    for (;;) {
        struct asy__work work = asy__traffic_look(bulk->traffic);
        struct timespec nap = { 0 };

        if (!(wait_ns = asy__pace_wait(&bulk->pace, &work, asked_ns, now_ns)))
            return now_ns;
        nap.tv_nsec = (long)wait_ns; /* less than a second: yield.h bounds it */
        ASY_IGNORE(nanosleep(&nap, NULL) < 0); /* woken early, it looks early */
        now_ns = asy_clock_ns();
    }
}

int asy__bulk_hash(struct asy__bulk *bulk, struct asy__transfer *t, struct asy_error *err)
{
    uint64_t left = t->hash_end - t->hash_at;
    size_t n = left < ASY_BULK_CHUNK ? (size_t)left : ASY_BULK_CHUNK, got = 0;
    int rc;

    ASY_IGNORE(asy__bulk_yield(bulk) < 0); /* at full speed then: somebody waits to begin */
    if (n > 0 && (rc = asy_pack_read(t->pack, t->hash_at, bulk->chunk, n, &got, err)) < 0)
        return rc;
    asy_sha_update(t->sha, bulk->chunk, got);
    t->hash_at += got;
    asy__bulk_alive(bulk, t);
    return t->hash_at < t->hash_end;
}

/* ---- studies --------------------------------------------------------------------------------- */

static void study_destroy(struct asy__bulk_study *study)
{
    asy_study_destroy(study->spec);
    free(study);
}

static struct asy__bulk_study *remember(struct asy__bulk *bulk, const struct asy__bulk_ask *ask)
{
    struct asy__bulk_study *study = calloc(1, sizeof *study), **at = &bulk->studies;
    size_t n = 0;

    if (!study || asy_study_parse(ask->text, strlen(ask->text), "a study", NULL, &study->spec, NULL,
                                  NULL) < 0) {
        free(study);
        return NULL;
    }
    study->id = ask->study;
    memcpy(study->owner, ask->owner, sizeof study->owner);
    study->next = bulk->studies;
    bulk->studies = study;
    while (*at && n++ < ASY__BULK_STUDIES)
        at = &(*at)->next;
    if (*at) {
        study_destroy(*at); /* the last of the list */
        *at = NULL;
    }
    return study;
}

static void end_study(struct asy__bulk *bulk, struct asy_id id)
{
    for (struct asy__bulk_study *study = bulk->studies; study; study = study->next)
        if (!asy_id_cmp(study->id, id))
            study->over = 1;
    for (struct asy__transfer *t = bulk->transfers; t; t = t->next)
        if (!t->over && !asy__bulk_is_result(&t->head) && !asy_id_cmp(t->head.study, id))
            asy__bulk_cancel(bulk, t);
}

/* One letter. Returns it if it is the answer that is waited for, else nothing is left of it. */
static struct asy__bulk_ask *take_letter(struct asy__bulk *bulk, struct asy__letter *letter,
                                         uint32_t awaited)
{
    struct asy__bulk_ask *answer = (struct asy__bulk_ask *)letter;

    if (letter == &bulk->stop) {
        bulk->stopped = 1;
        return NULL;
    }
    if (answer->over)
        end_study(bulk, answer->study);
    else if (answer->what)
        asy__bulk_looked(bulk, answer);
    else if (answer->serial == awaited)
        return answer;
    asy__bulk_ask_free(answer); /* else an answer that came after we had given up */
    return NULL;
}

/* The loop answers within a round. Letters of others stay in their order. */
struct asy__bulk_ask *asy__bulk_ask_loop(struct asy__bulk *bulk, struct asy__bulk_ask *ask)
{
    struct asy__bulk_ask *answer = NULL;
    int64_t until_ms = asy_clock_ms() + ANSWER_MS;
    uint32_t serial = ++bulk->asked ? bulk->asked : ++bulk->asked;

    ask->serial = serial;
    asy__mail_put(bulk->asks, &ask->letter);
    while (!answer && !bulk->stopped && asy_clock_ms() < until_ms) {
        struct asy__letter *letter = asy__mail_take(&bulk->mail), *next;

        if (!letter)
            asy__mail_wait(&bulk->mail, 100);
        for (; letter; letter = next) {
            struct asy__bulk_ask *one;

            next = letter->next;
            if ((one = take_letter(bulk, letter, serial)))
                answer = one;
        }
    }
    return answer;
}

static struct asy__bulk_study *ask_study(struct asy__bulk *bulk, struct asy_id id)
{
    struct asy__bulk_ask *ask = calloc(1, sizeof *ask);
    struct asy__bulk_study *study;

    if (!ask)
        return NULL;
    ask->study = id;
    ask = asy__bulk_ask_loop(bulk, ask);
    study = ask && ask->text ? remember(bulk, ask) : NULL;
    asy__bulk_ask_free(ask);
    return study;
}

static const struct asy__bulk_study *study_of(struct asy__bulk *bulk, struct asy_id id)
{
    struct asy__bulk_study **at = &bulk->studies, *study;

    while ((study = *at) && asy_id_cmp(study->id, id))
        at = &study->next;
    if (!study)
        return ask_study(bulk, id);
    *at = study->next;
    study->next = bulk->studies;
    bulk->studies = study;
    return study;
}

/* ---- what comes in --------------------------------------------------------------------------- */

/* A request of its own, not part of a transfer: whose study is it? */
static void take_request(struct asy__bulk *bulk, uint64_t peer, const char *key,
                         const struct asy_bulk *head, const void *body, size_t n)
{
    const struct asy__bulk_study *study;

    if (asy_id_cmp(head->store, bulk->store)) {
        asy__bulk_refuse(bulk, peer, head, ASY_E_STATE, "this coordinator has another store");
        return;
    }
    if (asy__bulk_is_result(head)) {
        asy__bulk_look(bulk, peer, key, head);
        return;
    }
    if (asy__bulk_is_offer(head)) { /* of a study that is to be submitted */
        asy__bulk_put_input(bulk, peer, key, head);
        return;
    }
    if (!(study = study_of(bulk, head->study))) {
        asy__bulk_refuse(bulk, peer, head, ASY_E_NOENT, "no such unfinished study");
        return;
    }
    if (strcmp(study->owner, key)) {
        asy__bulk_deny(bulk, peer, key, head, "the study is another user's");
        return;
    }
    if (study->over && head->kind != ASY_BULK_LOG) {
        asy__bulk_refuse(bulk, peer, head, ASY_E_NOENT, "no such unfinished study");
        return;
    }
    if (head->kind == ASY_BULK_GET)
        asy__bulk_get(bulk, peer, key, study, head);
    else if (head->kind == ASY_BULK_PUT)
        asy__bulk_put(bulk, peer, head);
    else
        asy__bulk_log(bulk, peer, head, body, n);
}

static void take_message(struct asy__bulk *bulk, uint64_t peer, const char *key,
                         const struct asy_bulk *head, const void *body, size_t n)
{
    struct asy__transfer *t;

    if (head->kind == ASY_BULK_GET || head->kind == ASY_BULK_PUT || head->kind == ASY_BULK_LOG) {
        take_request(bulk, peer, key, head, body, n);
        return;
    }
    if (!(t = find(bulk, peer, head->transfer))) {
        if (head->kind == ASY_BULK_DATA)
            asy__bulk_refuse(bulk, peer, head, ASY_E_STATE, "no such transfer is open");
        return;
    }
    t->heard_ms = asy_clock_ms();
    if (head->kind == ASY_BULK_DATA && t->head.kind == ASY_BULK_PUT)
        asy__bulk_data(bulk, t, head, body, n);
    else if (head->kind == ASY_BULK_CREDIT)
        t->credit = head->credit > ASY_BULK_CREDITS - t->credit ? ASY_BULK_CREDITS
                                                                : t->credit + head->credit;
    else if (head->kind == ASY_BULK_CANCEL)
        asy__bulk_cancel(bulk, t);
}

static void take_messages(struct asy__bulk *bulk)
{
    struct asy_error err = ASY_ERROR_INIT;
    int64_t until_ms = asy_clock_ms() + ROUND_MS;

    for (int i = 0; i < ROUND_MESSAGES && !bulk->stopped && asy_clock_ms() < until_ms; i++) {
        const void *bytes, *body;
        struct asy_key_info info;
        char key[ASY_KEY_TEXT];
        struct asy_bulk head;
        size_t len, n;
        uint64_t peer;

        if (asy_server_recv_parts(bulk->server, &peer, key, &bytes, &len, &body, &n, &err) < 0)
            return;
        if (!asy_keyring_get(bulk->ring, key, &info)) {
            asy_server_drop(bulk->server, peer); /* taken off the list since it connected */
            continue;
        }
        asy_arena_reset(bulk->arena);
        if (asy_bulk_decode(bytes, len, bulk->arena, &head, &err) < 0) {
            if (asy_log_due(&bulk->warned_ms, 1000))
                asy_warn("bulk: peer=%llx sent what is none of ours, ignoring it: %s",
                         (unsigned long long)peer, err.text);
            continue;
        }
        if (info.is_worker && (asy__bulk_is_result(&head) || asy__bulk_is_offer(&head)))
            asy__bulk_deny(bulk, peer, info.owner, &head, "a worker is no client");
        else
            take_message(bulk, peer, info.owner, &head, body, n);
    }
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static int work(struct asy__bulk *bulk)
{
    int64_t now_ms = asy_clock_ms();
    int more = 0;

    bulk->blocked = 0;
    for (struct asy__transfer *t = bulk->transfers; t; t = t->next) {
        if (!t->over && now_ms - t->heard_ms > ASY__BULK_STALL_MS) {
            asy_info("bulk: %s: nothing was heard of it for a minute, closing it", t->what);
            t->over = 1;
        }
        if (!t->over)
            more |= t->head.kind == ASY_BULK_GET ? asy__bulk_give(bulk, t)
                                                 : asy__bulk_prove(bulk, t);
    }
    remove_over(bulk);
    return more;
}

static void take_mail(struct asy__bulk *bulk)
{
    struct asy__letter *letter = asy__mail_take(&bulk->mail), *next;

    for (; letter; letter = next) {
        next = letter->next;
        ASY_IGNORE(take_letter(bulk, letter, 0) != NULL); /* nothing is waited for */
    }
}

/* For something to do; returns whether it is mail. The socket stays open if that fails: the loop
 * reads its counts. */
static int await(struct asy__bulk *bulk, int wait_ms)
{
    struct asy_poll_item items[] = { { .server = bulk->server, .fd = -1, .events = POLLIN },
                                     { .fd = bulk->mail.fd, .events = POLLIN } };
    struct asy_error err = ASY_ERROR_INIT;

    if (asy_poll(items, ASY_ARRAY_LEN(items), wait_ms, &err) < 0) {
        if (asy_log_due(&bulk->failed_ms, TELL_FAILED_MS))
            asy_logerr("bulk: cannot wait for what comes: %s; trying again every second", err.text);
        asy__mail_wait(&bulk->mail, RETRY_MS);
        return 1;
    }
    return items[1].revents != 0;
}

static void serve(struct asy__bulk *bulk)
{
    int more = 0;

    while (!bulk->stopped) {
        if (await(bulk, more ? (bulk->blocked ? BLOCKED_MS : 0) : 1000))
            take_mail(bulk);
        take_messages(bulk);
        more = work(bulk);
        if (asy_clock_ms() >= bulk->tell_ms) {
            asy__bulk_guard(bulk);
            bulk->tell_ms = asy_clock_ms() + GUARD_MS;
        }
        if (asy_clock_ms() >= bulk->sweep_ms) {
            asy__bulk_sweep(bulk);
            asy__bulk_sweep_inputs(bulk);
            bulk->sweep_ms = asy_clock_ms() + SWEEP_MS;
        }
    }
}

/* ---- building and ending --------------------------------------------------------------------- */

static int listen_on(struct asy__bulk *bulk, struct asy_error *err)
{
    const struct asy_addresses *here = &bulk->addresses;
    const char *also[ASY_ADDRESSES_MAX];
    struct asy_server_spec spec = { .interface = here->all ? "*" : here->text[0],
                                    .also = also, .n_also = here->all ? 0 : here->n - 1,
                                    .port = bulk->wished,
                                    .secret_key = bulk->secret_key, .authorise = asy_keyring_has,
                                    .authorise_arg = bulk->ring, .queue = QUEUE };
    int rc = asy_channel_create(4, &bulk->channel, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < spec.n_also; i++)
        also[i] = here->text[i + 1];
    rc = asy_server_create(bulk->channel, &spec, &bulk->server, err);
    if (rc == ASY_E_BUSY || rc == ASY_E_DENIED) {
        spec.port = 0;
        rc = asy_server_create(bulk->channel, &spec, &bulk->server, err);
    }
    if (rc == 0)
        bulk->port = asy_server_port(bulk->server);
    return rc;
}

/* Whoever can read this file sees the folders that we see. */
static int write_nonce(struct asy__bulk *bulk, struct asy_error *err)
{
    char path[ASY__BULK_PATH];
    int rc;

    asy_id_format(asy_id_make(), bulk->nonce);
    if (getrandom(bulk->nonce, 16, 0) != 16)
        return asy_fail_errno(err, errno, "cannot make a nonce");
    for (int i = 0; i < 16; i++)
        bulk->nonce[i] = "0123456789abcdef"[(unsigned char)bulk->nonce[i] % 16];
    snprintf(path, sizeof path, "%s/artifacts", bulk->home);
    if ((rc = asy_durable_mkdirs(path, err)) < 0)
        return rc;
    snprintf(path, sizeof path, "%s/artifacts/" ASY_BULK_NONCE_FILE, bulk->home);
    return asy_durable_write(path, bulk->nonce, strlen(bulk->nonce), 0600, err);
}

static size_t n_processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
}

static int set_up(struct asy__bulk *bulk, struct asy_error *err)
{
    int rc;

    asy_urgency_set(ASY_URGENCY_PATIENT);
    asy__pace_init(&bulk->pace, n_processors());
    asy_buf_init(&bulk->frame, 1u << 16);
    if (!(bulk->chunk = malloc(ASY_BULK_CHUNK)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for the bulk socket");
    if ((rc = asy_arena_create(ARENA_MAX, &bulk->arena, err)) < 0 ||
        (rc = asy_sha_memo_create(&bulk->memo, err)) < 0 || (rc = write_nonce(bulk, err)) < 0)
        return rc;
    return listen_on(bulk, err);
}

static void tear_down(struct asy__bulk *bulk)
{
    for (struct asy__transfer *t = bulk->transfers; t; t = t->next) {
        t->over = 1;
        t->asking = 0;
    }
    remove_over(bulk);
    while (bulk->studies) {
        struct asy__bulk_study *study = bulk->studies;

        bulk->studies = study->next;
        study_destroy(study);
    }
    asy_server_destroy(bulk->server);
    asy_channel_destroy(bulk->channel);
    asy__bulk_forget_users(bulk);
    asy_sha_memo_destroy(bulk->memo);
    asy_arena_destroy(bulk->arena);
    asy_buf_fini(&bulk->frame);
    free(bulk->chunk);
}

static void *bulk_main(void *arg)
{
    struct asy__bulk *bulk = arg;

    bulk->rc = set_up(bulk, &bulk->failure);
    asy__mail_put(&bulk->started, &bulk->ready); /* from here on rc is the creator's as well */
    if (bulk->rc == 0)
        serve(bulk);
    tear_down(bulk);
    return NULL;
}

int asy__bulk_create(const struct asy__bulk_spec *spec, struct asy__bulk **ret_bulk,
                     struct asy_error *err)
{
    struct asy__bulk *bulk = calloc(1, sizeof *bulk);
    int rc;

    if (!bulk)
        return asy_fail(err, ASY_E_NOMEM, "no memory for the bulk socket");
    snprintf(bulk->home, sizeof bulk->home, "%s", spec->home);
    bulk->addresses = *spec->addresses;
    snprintf(bulk->secret_key, sizeof bulk->secret_key, "%s", spec->secret_key);
    snprintf(bulk->owner, sizeof bulk->owner, "%s", spec->owner);
    bulk->wished = spec->port > 0 && spec->port < 65536 ? spec->port : 0;
    bulk->ring = spec->ring;
    bulk->store = spec->store;
    bulk->asks = spec->asks;
    bulk->input_quota = spec->input_quota;
    bulk->traffic = spec->traffic;
    bulk->mail.fd = bulk->started.fd = -1;
    if ((rc = asy__mail_init(&bulk->mail, err)) < 0 ||
        (rc = asy__mail_init(&bulk->started, err)) < 0)
        goto out;
    if ((rc = pthread_create(&bulk->thread, NULL, bulk_main, bulk)) != 0) {
        rc = asy_fail_errno(err, rc, "cannot start the bulk thread");
        goto out;
    }
    bulk->running = 1;
    while (!asy__mail_take(&bulk->started))
        asy__mail_wait(&bulk->started, -1);
    if ((rc = bulk->rc) < 0) {
        rc = asy_fail(err, (enum asy_code)rc, "bulk socket: %s", bulk->failure.text);
        goto out;
    }
    *ret_bulk = bulk;
    bulk = NULL;
out:
    asy__bulk_destroy(bulk);
    return rc;
}

void asy__bulk_destroy(struct asy__bulk *bulk)
{
    if (!bulk)
        return;
    if (bulk->running) {
        asy__mail_put(&bulk->mail, &bulk->stop);
        pthread_join(bulk->thread, NULL);
    }
    if (bulk->mail.fd >= 0) {
        take_mail(bulk);
        asy__mail_fini(&bulk->mail);
    }
    if (bulk->started.fd >= 0)
        asy__mail_fini(&bulk->started);
    explicit_bzero(bulk->secret_key, sizeof bulk->secret_key);
    free(bulk);
}

int asy__bulk_port(const struct asy__bulk *bulk)
{
    return bulk->port;
}

const char *asy__bulk_nonce(const struct asy__bulk *bulk)
{
    return bulk->nonce;
}

void asy__bulk_ask_free(struct asy__bulk_ask *ask)
{
    if (!ask)
        return;
    free(ask->text);
    free(ask->gone);
    free(ask);
}

void asy__bulk_answer(struct asy__bulk *bulk, struct asy__bulk_ask *ask)
{
    asy__mail_put(&bulk->mail, &ask->letter);
}

void asy__bulk_over(struct asy__bulk *bulk, struct asy_id study)
{
    struct asy__bulk_ask *news = calloc(1, sizeof *news);

    if (!news)
        return; /* what comes stays until the next start */
    news->study = study;
    news->over = 1;
    asy__mail_put(&bulk->mail, &news->letter);
}
