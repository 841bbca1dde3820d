/* SPDX-License-Identifier: Apache-2.0
 * test_channel.c - frames, peers, ports and waiting between friends, over real sockets. */
#include "channel_net.h"
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <asy/parse.h>

#define MANY 60

static void frames_go_both_ways_with_the_proven_key(void)
{
    struct net net;
    struct frame frame;
    struct asy_client *client = NULL;

    if (!net_open(&net) || !(client = greet(&net, &frame)))
        goto out;
    T_STR("key", frame.key, net.keys[0].public_key);
    T_TRUE(frame.peer != 0);
    if (server_says(&net, frame.peer, "welcome"))
        client_gets_text(client, "welcome");
    if (client_sends(client, NULL, 0) && server_gets(&net, &frame))
        T_EQ("an empty frame", frame.len, 0);
    for (int64_t start_ms = asy_clock_ms(); /* counted by another thread */
         counts_of(&net).accepted != 1 && !late(start_ms, "the count");)
        wait_server(&net, 5);
    T_EQ("bad frames", counts_of(&net).bad_frames, 0);
    T_EQ("nothing more", server_tries(&net, &frame), ASY_E_AGAIN);
out:
    asy_client_destroy(client);
    net_close(&net);
}

static void many_clients_are_told_apart(void)
{
    struct net net;
    struct asy_client *clients[MANY] = { NULL };
    uint64_t peers[MANY] = { 0 };
    struct asy_error err = ASY_ERROR_INIT;
    struct frame frame;
    char text[16];

    if (!net_open(&net))
        goto out;
    for (int i = 0; i < MANY; i++)
        if (!(clients[i] = connect_as(&net, i % 2, net.server_keys.public_key)))
            goto out;
    for (int i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "%d", i);
        if (!client_says(clients[i], text))
            goto out;
    }
    for (int n = 0; n < MANY; n++) {
        int64_t i = -1;

        if (!server_gets(&net, &frame) ||
            !T_OK(asy_parse_i64(frame.bytes, frame.len, &i, &err), &err) ||
            !T_TRUE(i >= 0 && i < MANY) || !T_EQ("heard before", peers[i], 0))
            goto out;
        T_STR("key", frame.key, net.keys[i % 2].public_key);
        peers[i] = frame.peer;
    }
    for (int i = 0; i < MANY; i++) {
        for (int j = 0; j < i; j++)
            T_TRUE(peers[i] != peers[j]);
        snprintf(text, sizeof text, "for %d", i);
        server_says(&net, peers[i], text);
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "for %d", i);
        client_gets_text(clients[i], text);
    }
out:
    for (int i = 0; i < MANY; i++)
        asy_client_destroy(clients[i]);
    net_close(&net);
}

static void order_is_kept(void)
{
    struct net net;
    struct frame frame;
    struct asy_client *client = NULL;
    uint32_t sent = 0, got = 0, n = 20000;

    if (!net_open(&net) || !(client = greet(&net, &frame)))
        goto out;
    while (got < n) {
        int64_t start_ms = asy_clock_ms();

        while (sent < n && asy_client_send(client, &sent, sizeof sent, NULL) == 0)
            sent++;
        while (server_tries(&net, &frame) == 0) {
            uint32_t number = UINT32_MAX;

            if (frame.len == sizeof number)
                memcpy(&number, frame.bytes, sizeof number);
            if (!T_EQ("number", number, got))
                goto out;
            got++;
        }
        if (late(start_ms, "numbered frames"))
            goto out;
    }
out:
    asy_client_destroy(client);
    net_close(&net);
}

/* One that never has more than one answer unread: libzmq tells a queue's writer after every half of
 * the queue how far it was read, and looks for that news but now and then. */
static void a_peer_that_reads_has_room(void)
{
    enum { QUESTIONS = 3000 };
    struct net net;
    struct frame frame;
    struct asy_client *client = NULL;
    int64_t start_ms = asy_clock_ms();
    uint32_t sent = 0;

    if (!net_open_with(&net, 4) || !(client = greet(&net, &frame)))
        goto out;
    for (uint32_t i = 0; i < QUESTIONS; i++) {
        const void *bytes;
        size_t len;
        int rc;

        while (sent < QUESTIONS && asy_client_send(client, &sent, sizeof sent, NULL) == 0)
            sent++;
        while (server_tries(&net, &frame) != 0)
            if (late(start_ms, "a question"))
                goto out;
        if (!T_EQ("room", asy_server_send(net.server, frame.peer, &i, sizeof i, NULL), 0))
            goto out;
        while ((rc = asy_client_recv(client, &bytes, &len, NULL)) == ASY_E_AGAIN)
            if (late(start_ms, "an answer"))
                goto out;
        if (!T_EQ("an answer", rc, 0))
            goto out;
    }
out:
    asy_client_destroy(client);
    net_close(&net);
}

static void largest_frame_passes_and_a_larger_one_is_refused(void)
{
    struct net net;
    struct frame frame;
    struct asy_client *client = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    char *bytes = calloc(1, ASY_CHANNEL_MAX + 1);

    if (!net_open(&net) || !bytes || !(client = greet(&net, &frame)))
        goto out;
    bytes[ASY_CHANNEL_MAX - 1] = 'z';
    T_EQ("client", asy_client_send(client, bytes, ASY_CHANNEL_MAX + 1, &err), ASY_E_TOOBIG);
    T_HAS("client", err.text, "over the limit");
    T_EQ("server", asy_server_send(net.server, frame.peer, bytes, ASY_CHANNEL_MAX + 1, &err),
         ASY_E_TOOBIG);
    if (client_sends(client, bytes, ASY_CHANNEL_MAX) && server_gets(&net, &frame) &&
        T_EQ("length", frame.len, ASY_CHANNEL_MAX))
        T_EQ("last byte", ((const char *)frame.bytes)[ASY_CHANNEL_MAX - 1], 'z');
out:
    asy_client_destroy(client);
    free(bytes);
    net_close(&net);
}

static void closed_peer_is_gone(void)
{
    struct net net;
    struct frame frame;
    struct asy_client *client = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    int64_t start_ms = asy_clock_ms();
    int rc = 0;

    if (!net_open(&net) || !(client = greet(&net, &frame)))
        goto out;
    asy_client_destroy(client);
    client = NULL;
    while ((rc = asy_server_send(net.server, frame.peer, "?", 1, &err)) == 0 &&
           !late(start_ms, "news of the end"))
        wait_server(&net, 5);
    T_EQ("closed", rc, ASY_E_GONE);
    T_HAS("closed", err.text, "closed");
    T_EQ("never here", asy_server_send(net.server, 0, "?", 1, &err), ASY_E_GONE);
    T_EQ("never here", asy_server_send(net.server, UINT64_MAX, "?", 1, &err), ASY_E_GONE);
    T_EQ("not yet here", asy_server_send(net.server, frame.peer + 7, "?", 1, &err), ASY_E_GONE);
    still_serves(&net);
out:
    asy_client_destroy(client);
    net_close(&net);
}

static void the_end_of_a_connection_is_hinted_at(void)
{
    struct net net;
    struct frame stays, goes;
    struct asy_client *client = NULL, *other = NULL;
    struct asy_poll_item item = { .events = POLLIN };
    struct asy_error err = ASY_ERROR_INIT;

    if (!net_open(&net) || !(other = greet(&net, &stays)) || !(client = greet(&net, &goes)))
        goto out;
    T_EQ("nobody yet", asy_server_closed(net.server), 0);
    asy_client_destroy(client);
    client = NULL;
    item.fd = asy_server_closed_fd(net.server);
    if (!T_EQ("news", asy_poll(&item, 1, NET_LIMIT_MS, &err), 1))
        goto out;
    T_EQ("who", asy_server_closed(net.server), goes.peer);
    T_EQ("nobody else", asy_server_closed(net.server), 0);
    T_EQ("no more news", asy_poll(&item, 1, 0, &err), 0);
    still_serves(&net);
out:
    asy_client_destroy(client);
    asy_client_destroy(other);
    net_close(&net);
}

static int count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n;
}

/* Says something, and is gone before the server has read that. */
static bool say_and_die(struct net *net)
{
    int before = count_fds(), gone = 0;
    int64_t start_ms = asy_clock_ms();
    struct asy_client *client = connect_friend(net);

    if (!client || !client_says(client, "last words")) {
        asy_client_destroy(client);
        return false;
    }
    asy_client_destroy(client);
    while (!(gone = count_fds() <= before) && !late(start_ms, "the end on both sides"))
        wait_server(net, 5);
    return gone;
}

/* The descriptor of such a peer is a stranger's by the time that its words are read. */
static void whoever_dies_before_it_is_heard_is_closed_too(void)
{
    struct net net;
    struct frame dead, other;
    struct asy_client *client = NULL;
    int pairs[16][2], n = 0;
    int64_t start_ms = asy_clock_ms();
    uint64_t closed = 0;
    char byte;

    if (!net_open(&net) || !say_and_die(&net))
        goto out;
    while (n < 16 && T_EQ("a pair", socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[n]), 0))
        n++;
    /* It is let in only after all that happened before was noted. */
    if (!(client = connect_as(&net, 1, net.server_keys.public_key)) ||
        !client_says(client, "hello") || !server_gets_text(&net, "last words", &dead) ||
        !server_gets_text(&net, "hello", &other))
        goto out;
    while (!(closed = asy_server_closed(net.server)) && !late(start_ms, "news of the end"))
        wait_server(&net, 5);
    T_EQ("who", closed, dead.peer);
    T_EQ("nobody else", asy_server_closed(net.server), 0);
    atomic_store(&net.lost, 1);
    asy_server_review(net.server);
    asy_server_drop(net.server, dead.peer);
    for (int i = 0; i < n; i++)
        T_EQ("a stranger's socket",
             send(pairs[i][0], "x", 1, MSG_NOSIGNAL) + recv(pairs[i][1], &byte, 1, 0), 2);
out:
    while (n-- > 0) {
        close(pairs[n][0]);
        close(pairs[n][1]);
    }
    asy_client_destroy(client);
    net_close(&net);
}

static void next_connects_anew_as_a_new_peer(void)
{
    struct net net;
    struct frame first, second;
    struct asy_client *client = NULL;
    struct asy_error err = ASY_ERROR_INIT;

    if (!net_open(&net) || !(client = greet(&net, &first)))
        goto out;
    if (!T_OK(asy_client_next(client, &err), &err) || !client_says(client, "me again") ||
        !server_gets_text(&net, "me again", &second))
        goto out;
    T_TRUE(first.peer != second.peer);
    T_STR("same key", second.key, net.keys[0].public_key);
    if (server_says(&net, second.peer, "welcome back"))
        client_gets_text(client, "welcome back");
out:
    asy_client_destroy(client);
    net_close(&net);
}

static void next_moves_on_to_the_endpoint_that_lives(void)
{
    struct net net;
    struct frame frame;
    struct asy_client *client = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    const char *endpoints[2] = { "tcp://127.0.0.1:1", NULL };
    struct asy_client_spec spec = { endpoints, 2, net.server_keys.public_key,
                                    net.keys[0].public_key, net.keys[0].secret_key };

    if (!net_open(&net))
        goto out;
    endpoints[1] = net.endpoint;
    if (!T_OK(asy_client_create(net.channel, &spec, &client, &err), &err))
        goto out;
    T_EQ("nobody there", asy_client_send(client, "lost", 4, &err), ASY_E_AGAIN);
    if (T_OK(asy_client_next(client, &err), &err) && client_says(client, "found"))
        server_gets_text(&net, "found", &frame);
out:
    asy_client_destroy(client);
    net_close(&net);
}

static void server_can_be_made_anew_on_its_port_at_once(void)
{
    struct net net;
    struct frame frame;
    struct asy_client *client;
    int port;

    if (!net_open(&net))
        goto out;
    port = asy_server_port(net.server);
    for (int i = 0; i < 50; i++) {
        if (!(client = greet(&net, &frame)))
            goto out;
        asy_server_destroy(net.server); /* with a connection open, too */
        net.server = NULL;
        asy_client_destroy(client);
        if (!net_listen(&net, port))
            goto out;
    }
out:
    net_close(&net);
}

static void server_that_comes_back_on_its_port_is_found(void)
{
    struct net net;
    struct frame first, second;
    struct asy_client *client = NULL;
    int port;

    if (!net_open(&net) || !(client = greet(&net, &first)))
        goto out;
    port = asy_server_port(net.server);
    asy_server_destroy(net.server);
    net.server = NULL;
    if (!net_listen(&net, port) || !T_EQ("port", asy_server_port(net.server), port))
        goto out;
    /* What is sent while the client has not noticed the break may be lost: say it until heard. */
    for (int64_t start_ms = asy_clock_ms(); !late(start_ms, "the client's return");) {
        ASY_IGNORE(asy_client_send(client, "still here", 10, NULL));
        wait_server(&net, 20);
        if (server_tries(&net, &second) == 0)
            break;
    }
    if (server_says(&net, second.peer, "so am I"))
        client_gets_text(client, "so am I");
out:
    asy_client_destroy(client);
    net_close(&net);
}

static void ports_and_servers_are_exclusive(void)
{
    struct net net;
    struct asy_channel *second = NULL;
    struct asy_server *server = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_server_spec spec = { "127.0.0.1", 0, NULL, is_friend, &net };
    int port;

    if (!net_open(&net) || !T_OK(asy_channel_create(4, &second, &err), &err))
        goto out;
    port = asy_server_port(net.server);
    T_TRUE(port >= 1024);
    spec.secret_key = net.server_keys.secret_key;
    spec.port = port;
    T_EQ("port taken", asy_server_create(second, &spec, &server, &err), ASY_E_BUSY);
    T_HAS("port taken", err.text, "in use");
    spec.port = 0;
    T_EQ("second server", asy_server_create(net.channel, &spec, &server, &err), ASY_E_EXISTS);
    spec.interface = "127.0.0.1.example.invalid";
    T_TRUE(asy_server_create(second, &spec, &server, &err) < 0);
    /* after all these failures the channel can still have one */
    spec.interface = "127.0.0.1";
    if (T_OK(asy_server_create(second, &spec, &server, &err), &err))
        T_TRUE(asy_server_port(server) != port);
    still_serves(&net);
out:
    asy_server_destroy(server);
    asy_channel_destroy(second);
    net_close(&net);
}

/* The range that the kernel gives to outgoing connections, as the test reads it. */
static void chosen_port_is_outside_the_ephemeral_range(void)
{
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "r");
    int low = 0, high = 0;
    struct net net;

    if (!T_TRUE(file && fscanf(file, "%d %d", &low, &high) == 2))
        goto out;
    for (int i = 0; i < 5; i++) {
        if (net_open(&net)) {
            int port = asy_server_port(net.server);

            t__check(port < low || port > high, __LINE__, __FILE__, "port %d is in %d to %d", port,
                     low, high);
        }
        net_close(&net);
    }
out:
    if (file)
        fclose(file);
}

static void bad_client_specs_are_refused_by_name(void)
{
    static const char good_key[] = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
    static const char *const good[] = { "tcp://127.0.0.1:9" }, *const odd[] = { "ipc:///x" },
                             *const broken[] = { "tcp://127.0.0.1" };
    static const struct {
        const char *name;
        struct asy_client_spec spec;
        const char *want;
    } cases[] = {
        { "no endpoint", { good, 0, good_key, good_key, good_key }, "endpoint" },
        { "not tcp", { odd, 1, good_key, good_key, good_key }, "ipc:///x" },
        { "no port", { broken, 1, good_key, good_key, good_key }, "tcp://127.0.0.1" },
        { "no server key", { good, 1, NULL, good_key, good_key }, "server key" },
        { "short public key", { good, 1, good_key, "abc", good_key }, "public key" },
        { "not Z85",
          { good, 1, good_key, good_key, "~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~" },
          "secret key" },
        { "too long",
          { good, 1, good_key, good_key,
            "0000000000000000000000000000000000000000"
            "0" },
          "secret key" },
    };
    struct asy_channel *channel = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_client *client = NULL;

    if (!T_OK(asy_channel_create(4, &channel, &err), &err))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        T_EQ(cases[i].name, asy_client_create(channel, &cases[i].spec, &client, &err), ASY_E_INVAL);
        T_HAS(cases[i].name, err.text, cases[i].want);
    }
    T_TRUE(!client);
    asy_channel_destroy(channel);
    T_EQ("no sockets", asy_channel_create(0, &channel, &err), ASY_E_INVAL);
    T_EQ("too many", asy_channel_create(INT32_MAX, &channel, &err), ASY_E_INVAL);
    T_TRUE(strncmp(asy_channel_version(), "4.", 2) == 0);
}

static void bad_server_specs_are_refused_by_name(void)
{
    static const char secret[] = "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6";
    static const struct {
        const char *name;
        struct asy_server_spec spec;
        const char *want;
    } cases[] = {
        { "no interface", { "", 0, secret, is_friend, NULL }, "address" },
        { "port", { "127.0.0.1", 65536, secret, is_friend, NULL }, "65536" },
        { "nobody to ask", { "127.0.0.1", 0, secret, NULL, NULL }, "who" },
        { "key", { "127.0.0.1", 0, "x", is_friend, NULL }, "secret key" },
        { "address", { "300.1.1.1", 5000, secret, is_friend, NULL }, "300.1.1.1" },
    };
    struct net net;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_server *server = NULL;

    if (net_open(&net)) {
        asy_server_destroy(net.server);
        net.server = NULL;
        for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
            T_EQ(cases[i].name, asy_server_create(net.channel, &cases[i].spec, &server, &err),
                 ASY_E_INVAL);
            T_HAS(cases[i].name, err.text, cases[i].want);
        }
        T_TRUE(!server);
        if (net_listen(&net, 0))
            still_serves(&net);
    }
    net_close(&net);
}

/* ---- waiting for mixed things -------------------------------------------------------------- */

static void poll_tells_which_of_mixed_items_is_ready(void)
{
    struct net net;
    struct frame frame;
    struct asy_client *client = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    uint64_t one = 1;
    int fd = eventfd(0, EFD_CLOEXEC), pair[2] = { -1, -1 };
    struct asy_poll_item items[3];

    if (!net_open(&net) || !(client = greet(&net, &frame)) || !T_TRUE(pipe(pair) == 0))
        goto out;
    items[0] = (struct asy_poll_item){ .server = net.server, .events = POLLIN };
    items[1] = (struct asy_poll_item){ .client = client, .events = POLLIN };
    items[2] = (struct asy_poll_item){ .fd = fd, .events = POLLIN };
    T_EQ("nothing", asy_poll(items, 3, 0, &err), 0);
    T_TRUE(write(fd, &one, sizeof one) == sizeof one);
    T_EQ("descriptor", asy_poll(items, 3, -1, &err), 1);
    T_EQ("descriptor", items[2].revents, POLLIN);
    T_EQ("descriptor", items[0].revents | items[1].revents, 0);
    T_TRUE(read(fd, &one, sizeof one) == sizeof one);
    server_says(&net, frame.peer, "hey");
    T_EQ("client", asy_poll(items, 3, NET_LIMIT_MS, &err), 1);
    T_EQ("client", items[1].revents, POLLIN);
    client_gets_text(client, "hey");
    client_says(client, "ho");
    T_EQ("server", asy_poll(items, 3, NET_LIMIT_MS, &err), 1);
    T_EQ("server", items[0].revents, POLLIN);
    server_gets_text(&net, "ho", &frame);
    items[1].events = POLLOUT;
    T_EQ("room", asy_poll(items, 3, NET_LIMIT_MS, &err), 1);
    T_EQ("room", items[1].revents, POLLOUT);
    close(pair[1]);
    pair[1] = -1;
    items[2].fd = pair[0];
    T_EQ("hang-up", asy_poll(items + 2, 1, NET_LIMIT_MS, &err), 1);
    T_EQ("hang-up", items[2].revents, POLLERR);
out:
    if (pair[0] >= 0)
        close(pair[0]);
    if (pair[1] >= 0)
        close(pair[1]);
    close(fd);
    asy_client_destroy(client);
    net_close(&net);
}

static void on_signal(int signum)
{
    (void)signum;
}

struct interrupted {
    atomic_int started;
    int never, done; /* eventfds */
    int rc;
};

static void *wait_for_ever(void *arg)
{
    struct interrupted *state = arg;
    struct asy_poll_item item = { .fd = state->never, .events = POLLIN };
    uint64_t one = 1;

    atomic_store(&state->started, 1);
    state->rc = asy_poll(&item, 1, NET_LIMIT_MS * 10, NULL);
    ASY_IGNORE(write(state->done, &one, sizeof one) < 0); /* a fresh eventfd takes it */
    return NULL;
}

static void messages_of_two_parts_pass_where_they_are_asked_for(void)
{
    static char chunk[ASY_CHANNEL_MAX];
    struct net net;
    struct frame frame;
    struct asy_client *client = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    const void *head, *body;
    char key[ASY_KEY_TEXT];
    size_t n_head, n_body;
    uint64_t peer;
    int rc = ASY_E_AGAIN;

    memset(chunk, 'c', sizeof chunk);
    if (!net_open(&net) || !(client = greet(&net, &frame)))
        goto out;
    T_EQ("send", asy_client_send_parts(client, "h", 1, "body", 4, &err), 0);
    T_EQ("send", asy_client_send_parts(client, "alone", 5, NULL, 0, &err), 0);
    if (server_gets_text(&net, "alone", &frame)) /* one of two parts is none of recv()'s */
        T_EQ("dropped", counts_of(&net).bad_frames, 1);
    T_EQ("send", asy_client_send_parts(client, "head", 4, chunk, sizeof chunk, &err), 0);
    for (int64_t start_ms = asy_clock_ms(); rc == ASY_E_AGAIN && !late(start_ms, "two parts");) {
        wait_server(&net, 5);
        rc = asy_server_recv_parts(net.server, &peer, key, &head, &n_head, &body, &n_body, &err);
    }
    T_TRUE(rc == 0 && n_head == 4 && !memcmp(head, "head", 4) && n_body == sizeof chunk &&
           !memcmp(body, chunk, n_body));
    T_STR("key", key, net.keys[0].public_key);
    T_EQ("answer", asy_server_send_parts(net.server, peer, "a", 1, "bb", 2, &err), 0);
    rc = ASY_E_AGAIN;
    for (int64_t start_ms = asy_clock_ms(); rc == ASY_E_AGAIN && !late(start_ms, "the answer");) {
        struct asy_poll_item item = { .client = client, .events = POLLIN };

        ASY_IGNORE(asy_poll(&item, 1, 5, NULL));
        rc = asy_client_recv_parts(client, &head, &n_head, &body, &n_body, &err);
    }
    T_TRUE(rc == 0 && n_head == 1 && n_body == 2 && !memcmp(body, "bb", 2));
    rc = asy_server_send_parts(net.server, peer, "a", 1, chunk, sizeof chunk + 1, &err);
    T_EQ("too large", rc, ASY_E_TOOBIG);
out:
    asy_client_destroy(client);
    net_close(&net);
}

static void poll_returns_on_a_signal(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    struct interrupted state = { .never = eventfd(0, EFD_CLOEXEC),
                                 .done = eventfd(0, EFD_CLOEXEC),
                                 .rc = -1 };
    struct asy_poll_item item = { .fd = state.done, .events = POLLIN };
    pthread_t thread;
    int64_t start_ms = asy_clock_ms();

    sigaction(SIGUSR1, &action, NULL);
    if (!T_EQ("thread", pthread_create(&thread, NULL, wait_for_ever, &state), 0))
        goto out;
    do { /* a signal may come before the wait begins: repeat it */
        if (atomic_load(&state.started))
            pthread_kill(thread, SIGUSR1);
    } while (asy_poll(&item, 1, 5, NULL) == 0 && !late(start_ms, "the interrupted wait"));
    pthread_join(thread, NULL);
    T_EQ("interrupted", state.rc, 0);
out:
    close(state.never);
    close(state.done);
}

T_MAIN("channel", T_TEST(frames_go_both_ways_with_the_proven_key),
       T_TEST(many_clients_are_told_apart), T_TEST(order_is_kept),
       T_TEST(a_peer_that_reads_has_room),
       T_TEST(largest_frame_passes_and_a_larger_one_is_refused), T_TEST(closed_peer_is_gone),
       T_TEST(the_end_of_a_connection_is_hinted_at),
       T_TEST(whoever_dies_before_it_is_heard_is_closed_too),
       T_TEST(next_connects_anew_as_a_new_peer), T_TEST(next_moves_on_to_the_endpoint_that_lives),
       T_TEST(server_can_be_made_anew_on_its_port_at_once),
       T_TEST(server_that_comes_back_on_its_port_is_found), T_TEST(ports_and_servers_are_exclusive),
       T_TEST(chosen_port_is_outside_the_ephemeral_range),
       T_TEST(bad_client_specs_are_refused_by_name), T_TEST(bad_server_specs_are_refused_by_name),
       T_TEST(poll_tells_which_of_mixed_items_is_ready), T_TEST(poll_returns_on_a_signal),
       T_TEST(messages_of_two_parts_pass_where_they_are_asked_for))
