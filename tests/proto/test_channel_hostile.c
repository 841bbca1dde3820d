/* SPDX-License-Identifier: Apache-2.0
 * test_channel_hostile.c - peers that are not let in, break the rules, or do not read: they get
 * nothing, they are counted, and everybody else is served as before. */
#include "channel_net.h"
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

/* ---- a hostile or foolish peer, straight on libzmq ----------------------------------------- */

static void *raw_dealer(void *zmq, const struct net *net, int who, const char *routing_id)
{
    void *socket = zmq_socket(zmq, ZMQ_DEALER);
    int linger = 0;

    zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
    if (who >= 0) {
        zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, net->server_keys.public_key, 40);
        zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, net->keys[who].public_key, 40);
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, net->keys[who].secret_key, 40);
    }
    if (routing_id)
        zmq_setsockopt(socket, ZMQ_ROUTING_ID, routing_id, strlen(routing_id));
    T_EQ(net->endpoint, zmq_connect(socket, net->endpoint), 0);
    return socket;
}

static int tcp_connect(const struct net *net)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)asy_server_port(net->server)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
        close(fd);
        fd = -1;
    }
    T_TRUE(fd >= 0);
    return fd;
}

/* Waits until the other side has closed, reading what it says. */
static bool tcp_ended(int fd)
{
    int64_t start_ms = asy_clock_ms();
    struct pollfd item = { fd, POLLIN, 0 };
    char bytes[512];

    while (!late(start_ms, "the end of a connection"))
        if (poll(&item, 1, 100) > 0 && recv(fd, bytes, sizeof bytes, 0) <= 0)
            return true;
    return false;
}

/* No frame is there, nor does one come while cond is awaited. */
#define AWAIT_NO_FRAME(net, cond)                                                                  \
    do {                                                                                           \
        int64_t t__start = asy_clock_ms();                                                         \
        struct frame t__f;                                                                         \
        while (!(cond) && !late(t__start, #cond)) {                                                \
            T_EQ(#cond,                                                                            \
                 asy_server_recv((net)->server, &t__f.peer, t__f.key, &t__f.bytes, &t__f.len,      \
                                 NULL),                                                            \
                 ASY_E_AGAIN);                                                                     \
            wait_server(net, 20);                                                                  \
        }                                                                                          \
    } while (0)

/* ---- the tests ----------------------------------------------------------------------------- */

static void unauthorised_key_is_refused_and_counted(void)
{
    struct asy_server_counts counts = { 0 };
    struct frame frame;
    struct net net;
    struct asy_client *client = NULL;
    int64_t start_ms = asy_clock_ms();

    if (!net_open(&net) || !(client = connect_as(&net, 2, net.server_keys.public_key)))
        goto out;
    while (counts.refused_keys == 0 && !late(start_ms, "the count"))
        counts = counts_of(&net); /* without a pause: what is counted is told at once */
    T_STR("which key", counts.refused_key, net.keys[2].public_key);
    T_STR("from", counts.refused_from, "127.0.0.1");
    T_EQ("no frame", server_tries(&net, &frame), ASY_E_AGAIN);
    T_EQ("accepted", counts_of(&net).accepted, 0);
    T_EQ("its frames are not queued", asy_client_send(client, "x", 1, NULL), ASY_E_AGAIN);
    still_serves(&net);
out:
    asy_client_destroy(client);
    net_close(&net);
}

static void review_ends_whom_the_list_has_lost(void)
{
    struct net net;
    struct frame lost, kept;
    struct asy_client *one = NULL, *two = NULL;
    int64_t start_ms = asy_clock_ms();

    if (!net_open(&net) || !(one = greet(&net, &lost)) ||
        !(two = connect_as(&net, 1, net.server_keys.public_key)) || !client_says(two, "hello") ||
        !server_gets_text(&net, "hello", &kept))
        goto out;
    asy_server_review(net.server);
    server_says(&net, lost.peer, "still there");
    atomic_store(&net.lost, 1);
    asy_server_review(net.server);
    while (asy_server_send(net.server, lost.peer, "?", 1, NULL) != ASY_E_GONE &&
           !late(start_ms, "the end of the connection"))
        wait_server(&net, 5);
    AWAIT_NO_FRAME(&net, counts_of(&net).refused_keys > 0); /* it has tried again */
    if (server_says(&net, kept.peer, "on we go"))
        client_gets_text(two, "on we go");
out:
    asy_client_destroy(one);
    asy_client_destroy(two);
    net_close(&net);
}

static void wrong_server_key_does_not_connect(void)
{
    struct net net;
    struct asy_client *client = NULL;

    if (!net_open(&net) || !(client = connect_as(&net, 0, net.keys[1].public_key)))
        goto out;
    AWAIT_NO_FRAME(&net, counts_of(&net).failed_handshakes > 0);
    T_EQ("accepted", counts_of(&net).accepted, 0);
    T_EQ("refused", counts_of(&net).refused_keys, 0);
    T_EQ("nothing is sent", asy_client_send(client, "x", 1, NULL), ASY_E_AGAIN);
    still_serves(&net);
out:
    asy_client_destroy(client);
    net_close(&net);
}

static void peer_without_curve_is_not_heard(void)
{
    struct net net;
    void *zmq = zmq_ctx_new(), *socket = NULL;

    if (!net_open(&net))
        goto out;
    socket = raw_dealer(zmq, &net, -1, NULL);
    zmq_send(socket, "let me in", 9, ZMQ_DONTWAIT);
    AWAIT_NO_FRAME(&net, counts_of(&net).failed_handshakes > 0);
    T_EQ("accepted", counts_of(&net).accepted, 0);
    still_serves(&net);
out:
    if (socket)
        zmq_close(socket);
    zmq_ctx_term(zmq);
    net_close(&net);
}

static void oversize_frame_ends_only_its_own_connection(void)
{
    struct net net;
    struct frame frame, other;
    struct asy_client *client = NULL;
    void *zmq = zmq_ctx_new(), *socket = NULL;
    char *bytes = calloc(1, ASY_CHANNEL_MAX + 1);
    int64_t start_ms = asy_clock_ms();

    if (!net_open(&net) || !bytes || !(client = greet(&net, &other)))
        goto out;
    socket = raw_dealer(zmq, &net, 1, NULL);
    zmq_send(socket, "first", 5, 0);
    if (!server_gets_text(&net, "first", &frame))
        goto out;
    zmq_send(socket, bytes, ASY_CHANNEL_MAX + 1, 0);
    while (asy_server_send(net.server, frame.peer, "?", 1, NULL) != ASY_E_GONE &&
           !late(start_ms, "the end of the oversize sender"))
        wait_server(&net, 5);
    T_EQ("delivered", server_tries(&net, &frame), ASY_E_AGAIN);
    if (server_says(&net, other.peer, "on we go"))
        client_gets_text(client, "on we go");
out:
    asy_client_destroy(client);
    if (socket)
        zmq_close(socket);
    zmq_ctx_term(zmq);
    free(bytes);
    net_close(&net);
}

static void frames_of_strange_shape_are_dropped_and_counted(void)
{
    struct net net;
    struct frame frame;
    void *zmq = zmq_ctx_new(), *parts = NULL, *named = NULL;

    if (!net_open(&net))
        goto out;
    parts = raw_dealer(zmq, &net, 0, NULL);
    for (int i = 0; i < 200; i++) { /* more than one receive skips */
        zmq_send(parts, "one", 3, ZMQ_SNDMORE);
        zmq_send(parts, "two", 3, 0);
    }
    zmq_send(parts, "whole", 5, 0);
    if (server_gets_text(&net, "whole", &frame))
        T_EQ("parts", counts_of(&net).bad_frames, 200);
    named = raw_dealer(zmq, &net, 0, "worker-7");
    zmq_send(named, "whole", 5, 0);
    AWAIT_NO_FRAME(&net, counts_of(&net).bad_frames == 201);
    still_serves(&net);
out:
    if (parts)
        zmq_close(parts);
    if (named)
        zmq_close(named);
    zmq_ctx_term(zmq);
    net_close(&net);
}

/* Sends until the queue has been full for a while, and tells how many frames were taken. */
static uint32_t fill_up(struct net *net, uint64_t peer, uint8_t frame[4096])
{
    int64_t start_ms = asy_clock_ms();
    uint32_t n = 0;

    for (int refusals = 0; refusals < 30 && !late(start_ms, "a full queue");) {
        int rc;

        memcpy(frame, &n, sizeof n);
        rc = asy_server_send(net->server, peer, frame, 4096, NULL);
        if (rc == 0) {
            n++;
            refusals = 0;
        } else if (T_EQ("refusal", rc, ASY_E_AGAIN)) {
            refusals++;
            wait_server(net, 2);
        } else {
            break;
        }
    }
    return n;
}

static void peer_that_does_not_read_holds_up_nobody(void)
{
    struct net net;
    struct frame slow, quick;
    struct asy_client *slow_client = NULL, *quick_client = NULL;
    uint8_t bytes[4096] = { 0 };
    uint32_t sent, got = 0;
    int64_t start_ms;

    if (!net_open(&net) || !(slow_client = greet(&net, &slow)) ||
        !(quick_client = greet(&net, &quick)))
        goto out;
    sent = fill_up(&net, slow.peer, bytes);
    if (server_says(&net, quick.peer, "for you"))
        client_gets_text(quick_client, "for you");
    start_ms = asy_clock_ms();
    while (got < sent && !late(start_ms, "the queued frames")) {
        struct asy_poll_item item = { .client = slow_client, .events = POLLIN };
        const void *in;
        size_t len;
        uint32_t number = UINT32_MAX;

        if (asy_client_recv(slow_client, &in, &len, NULL)) {
            ASY_IGNORE(asy_poll(&item, 1, 50, NULL));
            continue;
        }
        if (len == sizeof bytes)
            memcpy(&number, in, sizeof number);
        if (!T_EQ("what was taken arrives in order", number, got))
            goto out;
        got++;
    }
    if (server_says(&net, slow.peer, "room again"))
        client_gets_text(slow_client, "room again");
out:
    asy_client_destroy(slow_client);
    asy_client_destroy(quick_client);
    net_close(&net);
}

static void garbage_over_tcp_changes_nothing(void)
{
    static const struct {
        const char *name, *bytes;
        size_t n;
        const char *why;
    } cases[] = {
        { "http", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, "does not speak" },
        { "zeros", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, "does not speak" },
        { "ff", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, "broke off" },
        { "zmtp 1", "\x01\x00\x05\x7ehello", 9, "does not speak" },
        { "zmtp 2", "\xff\0\0\0\0\0\0\0\x01\x7f\x01\x05\0\0\x02\0hi", 18,
          "does not speak" },
        { "null mechanism",
          "\xff\0\0\0\0\0\0\0\x01\x7f\x03\0NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
          "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
          64, "brings no key" },
        { "curve, then nonsense",
          "\xff\0\0\0\0\0\0\0\x01\x7f\x03\0CURVE\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
          "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x04\x20nonsensenonsensenonsense...."
          "."
          "...",
          64 + 34, "does not speak" },
        { "nothing at all", "", 0, "broke off" },
    };
    struct net net;

    if (!net_open(&net))
        goto out;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        int fd = tcp_connect(&net);

        if (fd < 0)
            goto out;
        T_EQ(cases[i].name, send(fd, cases[i].bytes, cases[i].n, MSG_NOSIGNAL), cases[i].n);
        shutdown(fd, SHUT_WR);
        t__check(tcp_ended(fd), __LINE__, __FILE__, "%s: not closed", cases[i].name);
        close(fd);
        AWAIT_NO_FRAME(&net, counts_of(&net).failed_handshakes > i);
        T_EQ(cases[i].name, counts_of(&net).failed_handshakes, i + 1);
        if (*counts_of(&net).failed_from) /* else it had ended before anybody could look */
            T_STR(cases[i].name, counts_of(&net).failed_from, "127.0.0.1");
        T_HAS(cases[i].name, counts_of(&net).failed_why, cases[i].why);
    }
    T_EQ("accepted", counts_of(&net).accepted, 0);
    T_EQ("refused", counts_of(&net).refused_keys, 0);
    still_serves(&net);
out:
    net_close(&net);
}

/* Whoever stops half way is not waited for. */
static void half_open_handshakes_end_by_themselves(void)
{
    static const struct { const char *name, *bytes; size_t n; } cases[] = {
        { "nothing", "", 0 },
        { "a part of a greeting", "\xff\0\0\0\0\0\0\0\x01\x7f\x03", 11 },
    };
    struct net net;
    int fds[ASY_ARRAY_LEN(cases)];

    if (!net_open(&net))
        goto out;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        if ((fds[i] = tcp_connect(&net)) >= 0)
            T_EQ(cases[i].name, send(fds[i], cases[i].bytes, cases[i].n, MSG_NOSIGNAL),
                 cases[i].n);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        if (fds[i] >= 0) {
            t__check(tcp_ended(fds[i]), __LINE__, __FILE__, "%s: not ended", cases[i].name);
            close(fds[i]);
        }
    AWAIT_NO_FRAME(&net, counts_of(&net).failed_handshakes >= ASY_ARRAY_LEN(cases));
    T_EQ("counted", counts_of(&net).failed_handshakes, ASY_ARRAY_LEN(cases));
    T_STR("from", counts_of(&net).failed_from, "127.0.0.1");
    T_HAS("why", counts_of(&net).failed_why, "said nothing for 5 s");
    still_serves(&net);
out:
    net_close(&net);
}

/* ---- what was heard before ----------------------------------------------------------------- */

/* Sizes of ZMTP 3.1 and its CURVE: a greeting, HELLO and WELCOME as commands. */
#define GREETING 64
#define HELLO 202
#define WELCOME 170

struct recording {
    uint8_t bytes[4096];
    size_t n;
};

static bool pass(int from, int to, struct recording *keep)
{
    uint8_t bytes[1024];
    ssize_t n = recv(from, bytes, sizeof bytes, MSG_DONTWAIT);

    if (n <= 0)
        return n < 0;
    if (keep && T_TRUE(keep->n + (size_t)n <= sizeof keep->bytes)) {
        memcpy(keep->bytes + keep->n, bytes, (size_t)n);
        keep->n += (size_t)n;
    }
    return T_EQ("passed on", send(to, bytes, (size_t)n, MSG_NOSIGNAL), n);
}

/* All that a friend says, up to the frame "hello", as somebody on the way hears it. */
static bool record_friend(struct net *net, struct recording *ret)
{
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof here;
    char endpoint[64];
    const char *endpoints[] = { endpoint };
    struct asy_client_spec spec = { endpoints, 1, net->server_keys.public_key,
                                    net->keys[0].public_key, net->keys[0].secret_key };
    struct asy_client *client = NULL;
    struct frame frame;
    int door = socket(AF_INET, SOCK_STREAM, 0), near = -1, far = -1;
    int64_t start_ms = asy_clock_ms();
    bool heard = false;

    ret->n = 0;
    if (!T_TRUE(bind(door, (struct sockaddr *)&here, len) == 0 && listen(door, 1) == 0 &&
                getsockname(door, (struct sockaddr *)&here, &len) == 0))
        goto out;
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", ntohs(here.sin_port));
    if (asy_client_create(net->channel, &spec, &client, NULL) < 0 ||
        !T_TRUE((near = accept(door, NULL, NULL)) >= 0) || (far = tcp_connect(net)) < 0)
        goto out;
    for (int said = 0; !heard && !late(start_ms, "the friend's frame");) {
        struct pollfd items[] = { { near, POLLIN, 0 }, { far, POLLIN, 0 } };

        poll(items, 2, 10);
        if (!pass(near, far, ret) || !pass(far, near, NULL))
            break;
        said = said || asy_client_send(client, "hello", 5, NULL) == 0;
        heard = server_tries(net, &frame) == 0;
    }
out:
    asy_client_destroy(client);
    close(door);
    if (near >= 0)
        close(near);
    if (far >= 0)
        close(far);
    return T_TRUE(heard);
}

/* At once, or word by word as the friend did. */
static void a_replayed_greeting_opens_nothing(void)
{
    struct net net;
    struct recording said;
    struct asy_server_counts before;

    if (!net_open(&net) || !record_friend(&net, &said) || !T_TRUE(said.n > GREETING + HELLO + 200))
        goto out;
    AWAIT_NO_FRAME(&net, counts_of(&net).accepted == 1); /* another thread counts the friend */
    before = counts_of(&net);
    for (int patient = 0; patient < 2; patient++) {
        size_t first = patient ? GREETING + HELLO : said.n, got = 0;
        int fd = tcp_connect(&net);
        char bytes[512];
        ssize_t n = 1;

        if (fd < 0)
            goto out;
        T_EQ("said", send(fd, said.bytes, first, MSG_NOSIGNAL), first);
        while (patient && got < GREETING + WELCOME && (n = recv(fd, bytes, sizeof bytes, 0)) > 0)
            got += (size_t)n;
        T_TRUE(n > 0); /* the server goes along so far */
        send(fd, said.bytes + first, said.n - first, MSG_NOSIGNAL);
        T_TRUE(tcp_ended(fd));
        close(fd);
        AWAIT_NO_FRAME(&net, counts_of(&net).failed_handshakes >
                                 before.failed_handshakes + (uint64_t)patient);
        T_HAS("why", counts_of(&net).failed_why,
              patient ? "repeats an earlier greeting" : "does not speak");
    }
    T_EQ("nobody was let in", counts_of(&net).accepted, before.accepted);
    still_serves(&net);
out:
    net_close(&net);
}

static void service_goes_on_after_200_bad_handshakes(void)
{
    struct net net;
    struct frame frame;
    struct asy_client *client = NULL;
    struct asy_server_counts before;

    if (!net_open(&net) || !(client = greet(&net, &frame)))
        goto out;
    before = counts_of(&net);
    for (int i = 0; i < 200; i++) {
        int fd = tcp_connect(&net);

        if (fd < 0)
            goto out;
        /* the beginning of a greeting, then the end */
        send(fd, "\xff\0\0\0\0\0\0\0\x01\x7f\x03", 11, MSG_NOSIGNAL);
        close(fd);
    }
    AWAIT_NO_FRAME(&net, counts_of(&net).failed_handshakes >= before.failed_handshakes + 200);
    if (server_says(&net, frame.peer, "undisturbed"))
        client_gets_text(client, "undisturbed");
    still_serves(&net);
out:
    asy_client_destroy(client);
    net_close(&net);
}

T_MAIN("channel-hostile", T_TEST(unauthorised_key_is_refused_and_counted),
       T_TEST(review_ends_whom_the_list_has_lost), T_TEST(wrong_server_key_does_not_connect),
       T_TEST(peer_without_curve_is_not_heard),
       T_TEST(oversize_frame_ends_only_its_own_connection),
       T_TEST(frames_of_strange_shape_are_dropped_and_counted),
       T_TEST(peer_that_does_not_read_holds_up_nobody), T_TEST(garbage_over_tcp_changes_nothing),
       T_TEST(half_open_handshakes_end_by_themselves), T_TEST(a_replayed_greeting_opens_nothing),
       T_TEST(service_goes_on_after_200_bad_handshakes))
