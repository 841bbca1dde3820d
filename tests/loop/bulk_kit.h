/* SPDX-License-Identifier: Apache-2.0
 * bulk_kit.h - the bulk thread with clients on its socket; the test itself answers what the thread
 * asks of the loop and the store. */
#ifndef BULK_KIT_H
#define BULK_KIT_H
#include "../folder.h"
#include "bulk.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <asy/channel.h>
#include <asy/study.h>

struct place {
    struct t_folder folder;
    char home[PATH_MAX];
    struct asy_keypair coordinator, ada, ben;
    struct asy_keyring *ring;
    struct asy__mail asks;
    struct asy__letter *waiting;  /* taken out of asks, not looked at yet */
    struct asy_addresses addresses;
    struct asy__traffic traffic;  /* of a loop that there is not */
    struct asy__bulk *bulk;
    struct asy_channel *channel;
    struct asy_client *client;    /* ada's */
    struct asy_arena *arena;
    struct asy_buf frame;
    struct asy_id store, hers, his;
    uint64_t quota;               /* of inputs; 0: none is set */
};

/* ---- the place ------------------------------------------------------------------------------- */

static inline bool write_log(struct place *p, struct asy_id study, const char *text)
{
    static const char *const ends[] = { "", "/0", "/0/1" };
    char id[ASY_ID_TEXT], name[128], path[PATH_MAX];

    asy_id_format(study, id);
    if (mkdir(t_path(&p->folder, "logs", path), 0700) < 0 && errno != EEXIST)
        return T_TRUE(false);
    for (size_t i = 0; i < ASY_ARRAY_LEN(ends); i++) {
        snprintf(name, sizeof name, "logs/%s%s", id, ends[i]);
        if (!T_TRUE(mkdir(t_path(&p->folder, name, path), 0700) == 0))
            return false;
    }
    snprintf(name, sizeof name, "logs/%s/0/1/stdout", id);
    return T_TRUE(t_write(t_path(&p->folder, name, path), text));
}

static inline bool start(struct place *p)
{
    struct asy__bulk_spec spec = { .home = p->home, .addresses = &p->addresses,
                                   .secret_key = p->coordinator.secret_key,
                                   .owner = p->coordinator.public_key, .ring = p->ring,
                                   .store = p->store, .asks = &p->asks, .traffic = &p->traffic,
                                   .input_quota = p->quota };
    struct asy_error err = ASY_ERROR_INIT;

    return T_OK(asy_addresses_find("127.0.0.1", &p->addresses, &err), &err) &&
           T_OK(asy__bulk_create(&spec, &p->bulk, &err), &err);
}

static inline bool join(struct place *p, const struct asy_keypair *who, struct asy_client **ret)
{
    char endpoint[ASY_ENDPOINT_TEXT];
    const char *endpoints[] = { endpoint };
    struct asy_client_spec spec = { endpoints, 1, p->coordinator.public_key, who->public_key,
                                    who->secret_key };
    struct asy_error err = ASY_ERROR_INIT;

    asy_address_endpoint("127.0.0.1", asy__bulk_port(p->bulk), endpoint, sizeof endpoint);
    return T_OK(asy_client_create(p->channel, &spec, ret, &err), &err);
}

static inline bool place_open_with(struct place *p, uint64_t quota)
{
    struct asy_error err = ASY_ERROR_INIT;
    char keys[PATH_MAX];

    memset(p, 0, sizeof *p);
    p->asks.fd = -1;
    p->quota = quota;
    p->store = asy_id_make();
    p->hers = asy_id_make();
    p->his = asy_id_make();
    asy_buf_init(&p->frame, ASY_CHANNEL_MAX);
    if (!t_folder_make(&p->folder))
        return false;
    snprintf(p->home, sizeof p->home, "%s", t_path(&p->folder, ".", keys));
    return T_OK(asy_keypair_make(&p->coordinator, &err), &err) &&
           T_OK(asy_keypair_make(&p->ada, &err), &err) &&
           T_OK(asy_keypair_make(&p->ben, &err), &err) &&
           T_OK(asy_keyring_load(t_path(&p->folder, "authorized", keys), &p->ring, &err), &err) &&
           T_OK(asy_keyring_add(p->ring, p->ada.public_key, "ada", &err), &err) &&
           T_OK(asy_arena_create(1u << 20, &p->arena, &err), &err) &&
           T_OK(asy__mail_init(&p->asks, &err), &err) && write_log(p, p->hers, "hers") &&
           write_log(p, p->his, "secret") && start(p) &&
           T_OK(asy_channel_create(16, &p->channel, &err), &err) && join(p, &p->ada, &p->client);
}

static inline bool place_open(struct place *p)
{
    return place_open_with(p, 0);
}

static inline struct asy__bulk_ask *take_ask(struct place *p)
{
    struct asy__letter *letter = p->waiting ? p->waiting : asy__mail_take(&p->asks);

    p->waiting = letter ? letter->next : NULL;
    return (struct asy__bulk_ask *)letter;
}

static inline void place_close(struct place *p)
{
    struct asy__bulk_ask *ask;

    asy_client_destroy(p->client);
    asy_channel_destroy(p->channel);
    asy__bulk_destroy(p->bulk);
    while (p->asks.fd >= 0 && (ask = take_ask(p)))
        asy__bulk_ask_free(ask);
    if (p->asks.fd >= 0)
        asy__mail_fini(&p->asks);
    asy_keyring_destroy(p->ring);
    asy_arena_destroy(p->arena);
    asy_buf_fini(&p->frame);
    t_folder_drop(&p->folder);
}

/* ---- messages -------------------------------------------------------------------------------- */

static inline bool say_with(struct place *p, const struct asy_bulk *head, const void *body,
                            size_t n)
{
    struct asy_poll_item item = { .client = p->client, .fd = -1, .events = POLLOUT };
    struct asy_error err = ASY_ERROR_INIT;
    int rc;

    asy_buf_clear(&p->frame);
    if (!T_OK(asy_bulk_encode(head, &p->frame, &err), &err))
        return false;
    while ((rc = asy_client_send_parts(p->client, p->frame.data, p->frame.len, body, n, &err)) ==
           ASY_E_AGAIN)
        ASY_IGNORE(asy_poll(&item, 1, 50, NULL) < 0); /* the next try says it */
    return T_OK(rc, &err);
}

static inline bool say(struct place *p, const struct asy_bulk *head)
{
    return say_with(p, head, NULL, 0);
}

/* Whatever comes first: an answer to ada, or a question to the store. */
struct event {
    struct asy__bulk_ask *ask;
    struct asy_bulk head;
    char body[64];
};

static inline bool next(struct place *p, struct event *ev)
{
    struct asy_poll_item items[] = { { .client = p->client, .fd = -1, .events = POLLIN },
                                     { .fd = p->asks.fd, .events = POLLIN } };
    struct asy_error err = ASY_ERROR_INIT;
    const void *bytes, *body;
    size_t len, n;
    int rc;

    *ev = (struct event){ .ask = NULL };
    for (;;) {
        if ((ev->ask = take_ask(p)))
            return true;
        rc = asy_client_recv_parts(p->client, &bytes, &len, &body, &n, &err);
        if (rc != ASY_E_AGAIN)
            break;
        ASY_IGNORE(asy_poll(items, ASY_ARRAY_LEN(items), 50, NULL) < 0);
    }
    asy_arena_reset(p->arena);
    if (!T_OK(rc, &err) ||
        !T_OK(asy_bulk_decode(bytes, len, p->arena, &ev->head, &err), &err))
        return false;
    snprintf(ev->body, sizeof ev->body, "%.*s", (int)n, (const char *)body);
    return true;
}

static inline struct asy__bulk_ask *hear_ask(struct place *p)
{
    struct event ev;

    return next(p, &ev) && T_TRUE(ev.ask != NULL) ? ev.ask : NULL;
}

static inline void answer(struct place *p, struct asy__bulk_ask *ask, const char *owner)
{
    snprintf(ask->owner, sizeof ask->owner, "%s", owner);
    asy__bulk_answer(p->bulk, ask);
}

static inline bool hear_end(struct place *p, const char *name, int code)
{
    struct event ev;
    bool ok = next(p, &ev) && T_TRUE(!ev.ask) && T_EQ(name, ev.head.kind, ASY_BULK_END) &&
              T_EQ(name, ev.head.code, code);

    asy__bulk_ask_free(ev.ask);
    return ok;
}

/* ---- studies --------------------------------------------------------------------------------- */

static const char study_text[] =
    "assay: 1\nname: hers\nrun: {command: [train]}\nobjective: {metric: loss, goal: minimize}\n"
    "parameters: {x: {min: 0.0, max: 1.0}}\nsearch: {sampler: random}\nbudget: {trials: 1}\n";

/* As the loop has it; the caller's to free(). */
static inline char *canonical(const struct asy_study_input *inputs, size_t n)
{
    struct asy_study_spec *spec = NULL, *listed = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    char *text = NULL;

    if (T_OK(asy_study_parse(study_text, strlen(study_text), "hers", "/", &spec, NULL, &err),
             &err) &&
        T_OK(asy_study_with_inputs(spec, inputs, n, &listed, &err), &err))
        text = strdup(listed->canonical);
    asy_study_destroy(listed);
    asy_study_destroy(spec);
    return text;
}

/* The loop says whose the study is. */
static inline bool say_whose(struct place *p, const struct asy_study_input *inputs, size_t n)
{
    struct asy__bulk_ask *ask = hear_ask(p);

    if (!ask || !T_TRUE(!ask->gone && !ask->texts))
        return false;
    ask->text = canonical(inputs, n);
    answer(p, ask, p->ada.public_key);
    return true;
}

static inline bool hear(struct place *p, enum asy_bulk_kind kind, struct asy_bulk *ret)
{
    struct event ev;
    bool ok = next(p, &ev) && T_TRUE(!ev.ask) && T_EQ("kind", ev.head.kind, kind);

    asy__bulk_ask_free(ev.ask);
    *ret = ev.head;
    return ok;
}
#endif
