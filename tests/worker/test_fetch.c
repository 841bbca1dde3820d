/* SPDX-License-Identifier: Apache-2.0
 * test_fetch.c - two attempts that need the same file, over a bulk socket whose every move the test
 * decides. */
#include "../asytest.h"
#include "../folder.h"
#include "bulk.h"
#include <asy/buf.h>
#include <asy/channel.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 1000u
#define HALF 600u

struct stage {
    struct t_folder folder;
    struct asy__cache *cache;
    struct asy__bulk *bulk;
    struct asy_channel *channel;
    struct asy_server *server;
    struct asy_keypair keys, worker;
    struct asy_arena *arena;
    struct asy_buf frame;
    struct asy_id store;
    struct asy_discovery discovery;
    char bytes[SIZE];
    struct asy__want want;
    uint64_t peer;                 /* whom the last message came from */
};

static int let_in(void *arg, const char key[ASY_KEY_TEXT])
{
    return !strcmp(arg, key);
}

static int connect_worker(struct stage *s)
{
    struct asy_error err = ASY_ERROR_INIT;

    return T_OK(asy__bulk_connect(s->bulk, &s->discovery, &s->worker, s->store,
                                  (uint32_t)asy_server_port(s->server), &err), &err);
}

static int open_stage(struct stage *s)
{
    struct asy_server_spec spec = { .interface = "127.0.0.1", .secret_key = s->keys.secret_key,
                                    .authorise = let_in, .authorise_arg = s->worker.public_key };
    struct asy_error err = ASY_ERROR_INIT;

    asy_buf_init(&s->frame, 1u << 16);
    s->store = asy_id_make();
    memset(s->bytes, 'a', HALF);
    memset(s->bytes + HALF, 'b', SIZE - HALF);
    s->want = (struct asy__want){ .what = ASY_BULK_INPUT, .path = "/nowhere/data.csv",
                                  .bytes = SIZE };
    if (!t_folder_make(&s->folder) ||
        !T_OK(asy__cache_create(s->folder.path, "host", 1u << 20, &s->cache, &err), &err) ||
        !T_OK(asy__bulk_create(s->cache, &s->bulk, &err), &err) ||
        !T_OK(asy_arena_create(1u << 20, &s->arena, &err), &err) ||
        !T_OK(asy_keypair_make(&s->keys, &err), &err) ||
        !T_OK(asy_keypair_make(&s->worker, &err), &err) ||
        !T_OK(asy_sha_bytes(s->bytes, SIZE, &s->want.sha, &err), &err) ||
        !T_OK(asy_channel_create(16, &s->channel, &err), &err) ||
        !T_OK(asy_server_create(s->channel, &spec, &s->server, &err), &err))
        return 0;
    snprintf(s->discovery.endpoints[0], sizeof s->discovery.endpoints[0], "tcp://127.0.0.1:%d",
             asy_server_port(s->server));
    memcpy(s->discovery.server_key, s->keys.public_key, ASY_KEY_TEXT);
    return connect_worker(s);
}

static void close_stage(struct stage *s)
{
    asy__bulk_destroy(s->bulk);
    asy_server_destroy(s->server);
    asy_channel_destroy(s->channel);
    asy__cache_destroy(s->cache);
    asy_arena_destroy(s->arena);
    asy_buf_fini(&s->frame);
    t_folder_drop(&s->folder);
}

/* The next message of this kind. */
static int await(struct stage *s, enum asy_bulk_kind kind, struct asy_bulk *ret)
{
    struct asy_error err = ASY_ERROR_INIT;

    for (;;) {
        struct asy_poll_item item = { .server = s->server, .events = POLLIN };
        char key[ASY_KEY_TEXT];
        const void *head, *body;
        size_t n_head, n_body;
        int rc = asy_server_recv_parts(s->server, &s->peer, key, &head, &n_head, &body, &n_body,
                                       &err);

        if (rc == ASY_E_AGAIN && asy_poll(&item, 1, -1, &err) >= 0)
            continue;
        asy_arena_reset(s->arena);
        if (!T_OK(rc, &err) || !T_OK(asy_bulk_decode(head, n_head, s->arena, ret, &err), &err))
            return 0;
        if (ret->kind == kind)
            return 1;
    }
}

static int send_piece(struct stage *s, uint32_t transfer, uint64_t from, uint64_t to)
{
    struct asy_bulk data = { .kind = ASY_BULK_DATA, .transfer = transfer, .bytes = SIZE,
                             .offset = from, .last = to == SIZE };
    struct asy_error err = ASY_ERROR_INIT;

    asy_buf_clear(&s->frame);
    return T_OK(asy_bulk_encode(&data, &s->frame, &err), &err) &&
           T_OK(asy_server_send_parts(s->server, s->peer, s->frame.data, s->frame.len,
                                      s->bytes + from, to - from, &err), &err);
}

static int fetch(struct stage *s, uint64_t ticket)
{
    struct asy_error err = ASY_ERROR_INIT;

    return T_OK(asy__bulk_fetch(s->bulk, ticket, s->store, ticket, &s->want, 1, &err), &err);
}

static int await_fetched(struct stage *s)
{
    struct pollfd ready = { asy__bulk_fd(s->bulk), POLLIN, 0 };
    struct asy__bulk_news news;
    int ok;

    while (asy__bulk_next(s->bulk, &news) == ASY__BULK_NONE)
        poll(&ready, 1, -1);
    ok = T_EQ("kind", news.kind, ASY__BULK_FETCHED) && T_EQ(news.text, news.rc, 0);
    free(news.paths);
    return ok;
}

/* What has come already is not asked for again, by none of the two. */
static void the_one_that_has_a_part_goes_on_after_a_break(void)
{
    struct stage s = { 0 };
    struct asy_bulk get;

    if (!open_stage(&s) || !fetch(&s, 1) || !await(&s, ASY_BULK_GET, &get) || !fetch(&s, 2) ||
        !send_piece(&s, get.transfer, 0, HALF) || !await(&s, ASY_BULK_CREDIT, &get))
        goto out;
    if (!connect_worker(&s) || !await(&s, ASY_BULK_GET, &get))
        goto out;
    T_EQ("it goes on", get.offset, HALF);
    if (send_piece(&s, get.transfer, get.offset, SIZE) && await_fetched(&s))
        await_fetched(&s);
out:
    asy__bulk_forget(s.bulk, 1);
    asy__bulk_forget(s.bulk, 2);
    close_stage(&s);
}

T_MAIN("fetch", T_TEST(the_one_that_has_a_part_goes_on_after_a_break))
