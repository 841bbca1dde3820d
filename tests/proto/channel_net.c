/* SPDX-License-Identifier: Apache-2.0
 * channel_net.c - see channel_net.h. */
#include "channel_net.h"
#include <poll.h>

/* ---- a server with one list of friends ----------------------------------------------------- */

int is_friend(void *arg, const char key[ASY_KEY_TEXT])
{
    const struct net *net = arg;

    return (!strcmp(key, net->keys[0].public_key) && !atomic_load(&net->lost)) ||
           !strcmp(key, net->keys[1].public_key);
}

bool net_listen(struct net *net, int port)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_server_spec spec = { "127.0.0.1", port, net->server_keys.secret_key, is_friend,
                                    net, .queue = net->queue };

    if (!T_OK(asy_server_create(net->channel, &spec, &net->server, &err), &err))
        return false;
    snprintf(net->endpoint, sizeof net->endpoint, "tcp://127.0.0.1:%d",
             asy_server_port(net->server));
    net->endpoints[0] = net->endpoint;
    return true;
}

bool net_open(struct net *net)
{
    return net_open_with(net, 0);
}

bool net_open_with(struct net *net, int queue)
{
    struct asy_error err = ASY_ERROR_INIT;

    memset(net, 0, sizeof *net);
    net->queue = queue;
    if (!T_OK(asy_channel_create(NET_CLIENTS, &net->channel, &err), &err) ||
        !T_OK(asy_keypair_make(&net->server_keys, &err), &err))
        return false;
    for (size_t i = 0; i < ASY_ARRAY_LEN(net->keys); i++)
        if (!T_OK(asy_keypair_make(&net->keys[i], &err), &err))
            return false;
    return net_listen(net, 0);
}

void net_close(struct net *net)
{
    asy_server_destroy(net->server);
    asy_channel_destroy(net->channel);
}

struct asy_client *connect_as(struct net *net, int who, const char *server_key)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_client_spec spec = { net->endpoints, 1, server_key, net->keys[who].public_key,
                                    net->keys[who].secret_key };
    struct asy_client *client = NULL;

    T_OK(asy_client_create(net->channel, &spec, &client, &err), &err);
    return client;
}

struct asy_client *connect_friend(struct net *net)
{
    return connect_as(net, 0, net->server_keys.public_key);
}

/* ---- waiting ------------------------------------------------------------------------------- */

void wait_server(struct net *net, int ms)
{
    struct asy_poll_item item = { .server = net->server, .events = POLLIN };

    ASY_IGNORE(asy_poll(&item, 1, ms, NULL));
}

bool late(int64_t start_ms, const char *what)
{
    return asy_clock_ms() - start_ms > NET_LIMIT_MS &&
           (t__check(false, __LINE__, __FILE__, "waited too long: %s", what), true);
}

int server_tries(struct net *net, struct frame *frame)
{
    return asy_server_recv(net->server, &frame->peer, frame->key, &frame->bytes, &frame->len, NULL);
}

bool server_gets(struct net *net, struct frame *frame)
{
    struct asy_error err = ASY_ERROR_INIT;
    int64_t start_ms = asy_clock_ms();

    while (!late(start_ms, "a frame at the server")) {
        int rc = asy_server_recv(net->server, &frame->peer, frame->key, &frame->bytes, &frame->len,
                                 &err);

        if (rc == 0)
            return true;
        if (rc != ASY_E_AGAIN)
            return T_OK(rc, &err);
        wait_server(net, 50);
    }
    return false;
}

bool server_gets_text(struct net *net, const char *want, struct frame *frame)
{
    if (!server_gets(net, frame))
        return false;
    return t__check(frame->len == strlen(want) && !memcmp(frame->bytes, want, frame->len), __LINE__,
                    __FILE__, "the server got '%.*s', not '%s'", (int)frame->len,
                    (const char *)frame->bytes, want);
}

bool client_gets_text(struct asy_client *client, const char *want)
{
    struct asy_poll_item item = { .client = client, .events = POLLIN };
    struct asy_error err = ASY_ERROR_INIT;
    int64_t start_ms = asy_clock_ms();
    const void *bytes;
    size_t len;
    int rc = ASY_E_AGAIN;

    while (rc == ASY_E_AGAIN && !late(start_ms, "a frame at the client")) {
        if ((rc = asy_client_recv(client, &bytes, &len, &err)) == ASY_E_AGAIN)
            ASY_IGNORE(asy_poll(&item, 1, 50, NULL));
    }
    if (!T_OK(rc, &err))
        return false;
    return t__check(len == strlen(want) && !memcmp(bytes, want, len), __LINE__, __FILE__,
                    "the client got '%.*s', not '%s'", (int)len, (const char *)bytes, want);
}

bool client_sends(struct asy_client *client, const void *bytes, size_t n)
{
    struct asy_poll_item item = { .client = client, .events = POLLOUT };
    struct asy_error err = ASY_ERROR_INIT;
    int64_t start_ms = asy_clock_ms();
    int rc;

    while ((rc = asy_client_send(client, bytes, n, &err)) == ASY_E_AGAIN &&
           !late(start_ms, "room to send"))
        ASY_IGNORE(asy_poll(&item, 1, 50, NULL));
    return T_OK(rc, &err);
}

bool client_says(struct asy_client *client, const char *text)
{
    return client_sends(client, text, strlen(text));
}

struct asy_client *greet(struct net *net, struct frame *frame)
{
    struct asy_client *client = connect_friend(net);

    if (client && client_says(client, "hello") && server_gets_text(net, "hello", frame))
        return client;
    asy_client_destroy(client);
    return NULL;
}

bool server_says(struct net *net, uint64_t peer, const char *text)
{
    struct asy_error err = ASY_ERROR_INIT;

    return T_OK(asy_server_send(net->server, peer, text, strlen(text), &err), &err);
}

bool still_serves(struct net *net)
{
    struct frame frame;
    struct asy_client *client = greet(net, &frame);
    bool ok =
        client && server_says(net, frame.peer, "welcome") && client_gets_text(client, "welcome");

    asy_client_destroy(client);
    return T_TRUE(ok);
}

struct asy_server_counts counts_of(struct net *net)
{
    struct asy_server_counts counts;

    asy_server_counts(net->server, &counts);
    return counts;
}
