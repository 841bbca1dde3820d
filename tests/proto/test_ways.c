/* SPDX-License-Identifier: Apache-2.0
 * test_ways.c - a client with several endpoints: it comes through where it can, and says of each
 * other why not. Silent machines need a network of their own: see tests/system/test_reach.py. */
#include "channel_net.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>
#include <asy/buf.h>

/* A port on loopback with a backlog that nobody serves; closed at once if not listening. */
static int open_port(bool listening, int *ret_port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (T_TRUE(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
               bind(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
               (!listening || listen(fd, 8) == 0) &&
               getsockname(fd, (struct sockaddr *)&at, &n) == 0))
        *ret_port = ntohs(at.sin_port);
    return fd;
}

static struct asy_client *connect_to(struct net *net, int who, const char *const *endpoints,
                                     size_t n)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_client_spec spec = { endpoints, n, net->server_keys.public_key,
                                    net->keys[who].public_key, net->keys[who].secret_key };
    struct asy_client *client = NULL;

    T_OK(asy_client_create(net->channel, &spec, &client, &err), &err);
    return client;
}

/* Drives the client until it has come to this, whatever it passes through. */
static bool comes_to(struct asy_client *client, enum asy_way_state want, const char *name)
{
    struct asy_poll_item item = { .client = client, .events = POLLOUT };
    int64_t start_ms = asy_clock_ms();

    while (asy_client_state(client) != want && !late(start_ms, name))
        ASY_IGNORE(asy_poll(&item, 1, 1000, NULL));
    return T_EQ(name, asy_client_state(client), want);
}

/* Hangs up on whoever connects, until the client has noticed. */
static bool hang_up(int fd, struct asy_client *client)
{
    int64_t start_ms = asy_clock_ms();

    while (asy_client_state(client) != ASY_WAY_STRANGER && !late(start_ms, "a stranger")) {
        struct asy_poll_item items[] = { { .fd = fd, .events = POLLIN },
                                         { .client = client, .events = POLLOUT } };

        ASY_IGNORE(asy_poll(items, 2, 1000, NULL));
        if (items[0].revents)
            close(accept(fd, NULL, NULL));
    }
    return T_EQ("hung up", asy_client_state(client), ASY_WAY_STRANGER);
}

static void each_failure_has_its_name(void)
{
    static const char *const advice[] = { [ASY_WAY_REFUSED] = "assay up",
                                          [ASY_WAY_UNREACHABLE] = "'interface'",
                                          [ASY_WAY_NO_NAME] = "name is not known",
                                          [ASY_WAY_MUTE] = "node.log",
                                          [ASY_WAY_NOT_LET_IN] = "revoked" };
    struct net net;
    int deaf, closed, deaf_port = 0, closed_port = 0;
    char refused[64], mute[64];
    struct {
        const char *endpoint;
        enum asy_way_state want;
        const char *why;
        int who;
    } cases[] = {
        { refused, ASY_WAY_REFUSED, "connection refused", 0 },
        { "tcp://255.255.255.255:9", ASY_WAY_UNREACHABLE, "", 0 },
        { "tcp://no-such-host.invalid:9", ASY_WAY_NO_NAME, "'no-such-host.invalid'", 0 },
        { mute, ASY_WAY_MUTE, "does not speak", 0 },
        { net.endpoint, ASY_WAY_NOT_LET_IN, "refuses this key", 2 },
    };

    deaf = open_port(true, &deaf_port);
    closed = open_port(false, &closed_port); /* bound, so that nobody else has it */
    snprintf(mute, sizeof mute, "tcp://127.0.0.1:%d", deaf_port);
    snprintf(refused, sizeof refused, "tcp://127.0.0.1:%d", closed_port);
    for (size_t i = 0; net_open(&net) && i < ASY_ARRAY_LEN(cases); i++, net_close(&net)) {
        struct asy_client *client = connect_to(&net, cases[i].who, &cases[i].endpoint, 1);
        struct asy_way ways[ASY_WAYS_MAX];
        struct asy_buf text;

        asy_buf_init(&text, 4096);
        if (client && comes_to(client, cases[i].want, cases[i].endpoint)) {
            T_EQ(cases[i].endpoint, asy_client_ways(client, ways), 1);
            T_STR(cases[i].endpoint, ways[0].endpoint, cases[i].endpoint);
            asy_ways_text(ways, 1, &text);
            T_HAS(cases[i].endpoint, text.data, cases[i].endpoint + strlen("tcp://"));
            T_HAS(cases[i].endpoint, text.data, cases[i].why);
            asy_buf_clear(&text);
            asy_ways_advice(ways, 1, &text);
            T_HAS(cases[i].endpoint, text.data, advice[cases[i].want]);
        }
        asy_buf_fini(&text);
        asy_client_destroy(client);
    }
    net_close(&net);
    close(deaf);
    close(closed);
}

static void whoever_lacks_the_server_s_key_is_a_stranger(void)
{
    struct net net;
    struct asy_client *client = NULL;
    char endpoint[64];
    const char *endpoints[] = { endpoint };
    int port = 0, fd = open_port(true, &port);

    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", port);
    if (!net_open(&net))
        goto out;
    if ((client = connect_to(&net, 0, endpoints, 1)))
        hang_up(fd, client);
    asy_client_destroy(client);
    if ((client = connect_as(&net, 0, net.keys[1].public_key)))
        comes_to(client, ASY_WAY_STRANGER, "another coordinator");
out:
    asy_client_destroy(client);
    net_close(&net);
    close(fd);
}

/* Ways that say nothing are tried beside each other after that, and anew after this. */
#define HEAD_START_MS 250
#define PATIENCE_MS 2000

/* Each dead one would cost seconds if they were tried in turns. */
static void the_endpoint_that_lives_is_found_among_dead_ones(void)
{
    struct net net;
    struct asy_client *client = NULL;
    struct asy_way ways[ASY_WAYS_MAX];
    struct frame frame;
    char mute[64];
    const char *endpoints[] = { mute, "tcp://no-such-host.invalid:9", "tcp://255.255.255.255:9",
                                NULL };
    int port = 0, fd = open_port(true, &port);
    int64_t start_ms = asy_clock_ms(), open_ms;

    snprintf(mute, sizeof mute, "tcp://127.0.0.1:%d", port);
    if (!net_open(&net))
        goto out;
    endpoints[3] = net.endpoint;
    if (!(client = connect_to(&net, 0, endpoints, ASY_ARRAY_LEN(endpoints))) ||
        !client_says(client, "hello") || !server_gets_text(&net, "hello", &frame))
        goto out;
    if (server_says(&net, frame.peer, "welcome"))
        client_gets_text(client, "welcome");
    T_EQ("how many", asy_client_ways(client, ways), 4);
    T_EQ("the one", ways[3].state, ASY_WAY_OPEN);
    open_ms = asy_clock_ms() - start_ms;
    while (counts_of(&net).accepted < 1 && !late(start_ms, "the count")) /* by another thread */
        wait_server(&net, 5);
    if (open_ms < PATIENCE_MS) { /* else its first connection may have been given up */
        T_EQ("connections", counts_of(&net).accepted, 1);
        T_EQ("and no half ones", counts_of(&net).failed_handshakes, 0);
    }
out:
    asy_client_destroy(client);
    net_close(&net);
    close(fd);
}

/* As a file that was edited by hand may have them. Standard input stays open. */
static void malformed_endpoints_are_told_and_the_others_tried(void)
{
    struct net net;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_client *client = NULL;
    struct asy_way ways[ASY_WAYS_MAX];
    struct frame frame;
    const char *endpoints[] = { "tcp://login1", "tcp://h:0", NULL, "tcp://h:65536", "udp://h:1" };
    struct asy_client_spec spec = { .endpoints = endpoints, .n_endpoints = 1 };
    int fd = fcntl(0, F_GETFD) < 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : 0;

    T_EQ("stdin", fd, 0);
    if (!net_open(&net))
        goto out;
    endpoints[2] = net.endpoint;
    spec.server_key = net.server_keys.public_key;
    spec.public_key = net.keys[0].public_key;
    spec.secret_key = net.keys[0].secret_key;
    T_EQ("none is sound", asy_client_create(net.channel, &spec, &client, &err), ASY_E_INVAL);
    T_HAS("says which", err.text, "'tcp://login1' is not tcp://HOST:PORT");
    T_TRUE(fcntl(0, F_GETFD) >= 0);
    if (!(client = connect_to(&net, 0, endpoints, ASY_ARRAY_LEN(endpoints))) ||
        !client_says(client, "hello") || !server_gets_text(&net, "hello", &frame))
        goto out;
    if (T_OK(asy_client_next(client, &err), &err) && client_says(client, "again"))
        server_gets_text(&net, "again", &frame);
    T_EQ("how many", asy_client_ways(client, ways), ASY_ARRAY_LEN(endpoints));
    for (size_t i = 0; i < ASY_ARRAY_LEN(endpoints); i++) {
        T_EQ(endpoints[i], ways[i].state, i == 2 ? ASY_WAY_OPEN : ASY_WAY_NO_NAME);
        T_STR(endpoints[i], ways[i].why, i == 2 ? "connected" : "is not tcp://HOST:PORT");
    }
out:
    asy_client_destroy(client);
    T_TRUE(fcntl(0, F_GETFD) >= 0);
    net_close(&net);
}

/* The others are tried only if the first does not answer. */
static void the_first_is_taken_where_it_answers(void)
{
    struct net net;
    struct asy_client *client = NULL;
    struct asy_way ways[ASY_WAYS_MAX];
    struct frame frame;
    const char *endpoints[] = { net.endpoint, "tcp://255.255.255.255:9" };

    if (net_open(&net) && (client = connect_to(&net, 0, endpoints, 2)) &&
        client_says(client, "hello") && server_gets_text(&net, "hello", &frame)) {
        asy_client_ways(client, ways);
        T_EQ("first", ways[0].state, ASY_WAY_OPEN);
    }
    asy_client_destroy(client);
    net_close(&net);
}

static void names_are_looked_up(void)
{
    struct net net;
    struct asy_client *client = NULL;
    struct frame frame;
    char named[64];
    const char *endpoints[] = { named };

    if (!net_open(&net))
        goto out;
    snprintf(named, sizeof named, "tcp://localhost:%d", asy_server_port(net.server));
    if ((client = connect_to(&net, 0, endpoints, 1)) && client_says(client, "hello"))
        server_gets_text(&net, "hello", &frame);
out:
    asy_client_destroy(client);
    net_close(&net);
}

/* ---- whoever refuses ------------------------------------------------------------------------- */

#define GREETING_LEN 64
#define HELLO_LEN 202
#define WELCOME_LEN 170

/* Speaks ZMTP as a server does, without the server's secret key: it greets, hears the client's
 * HELLO, and refuses the key, or makes up a WELCOME where the client asks for one. */
struct impostor {
    pthread_t thread;
    int fd, port, welcomes;
    atomic_int n; /* connections so far */
};

static void treat(struct impostor *who, int fd)
{
    uint8_t greeting[GREETING_LEN] = { 0xff, [9] = 0x7f, 3, 1, 'C', 'U', 'R', 'V', 'E', [32] = 1 };
    uint8_t welcome[WELCOME_LEN] = "\x04\xa8\x07WELCOME", heard[GREETING_LEN + HELLO_LEN];
    static const char error[] = "\x04\x0a\x05" "ERROR\x03" "400";
    int n = atomic_fetch_add(&who->n, 1);

    ASY_IGNORE(send(fd, greeting, sizeof greeting, MSG_NOSIGNAL));
    if (recv(fd, heard, sizeof heard, MSG_WAITALL) == (ssize_t)sizeof heard)
        ASY_IGNORE(who->welcomes && n % 2 ? send(fd, welcome, sizeof welcome, MSG_NOSIGNAL)
                                          : send(fd, error, sizeof error - 1, MSG_NOSIGNAL));
    shutdown(fd, SHUT_WR);
    while (recv(fd, heard, sizeof heard, 0) > 0)
        ;
    close(fd);
}

static void *pretend(void *arg)
{
    struct impostor *who = arg;
    int fd;

    while ((fd = accept(who->fd, NULL, NULL)) >= 0)
        treat(who, fd);
    return NULL;
}

static bool impostor_starts(struct impostor *who)
{
    who->fd = open_port(true, &who->port);
    return T_EQ("thread", pthread_create(&who->thread, NULL, pretend, who), 0);
}

/* The client must go on with what it has begun. */
static void impostor_ends(struct impostor *who, struct asy_client *client)
{
    struct asy_poll_item item = { .client = client, .events = POLLOUT };

    shutdown(who->fd, SHUT_RDWR);
    while (pthread_tryjoin_np(who->thread, NULL))
        ASY_IGNORE(asy_poll(&item, 1, 20, NULL));
    close(who->fd);
}

/* Once the coordinator is back at its port, it is found there. */
static void a_refusal_without_the_server_s_key_is_not_believed(void)
{
    for (int welcomes = 0; welcomes < 2; welcomes++) {
        struct impostor impostor = { .welcomes = welcomes };
        struct net net;
        struct asy_client *client = NULL;
        struct asy_way ways[ASY_WAYS_MAX];
        struct frame frame;
        const char *endpoints[] = { net.endpoint };

        if (!net_open(&net) || !impostor_starts(&impostor))
            goto out;
        snprintf(net.endpoint, sizeof net.endpoint, "tcp://127.0.0.1:%d", impostor.port);
        if ((client = connect_to(&net, 0, endpoints, 1)) &&
            comes_to(client, ASY_WAY_STRANGER, "an impostor")) {
            asy_client_ways(client, ways);
            T_HAS("why", ways[0].why, "does not have the coordinator's key, and refuses this one");
        }
        impostor_ends(&impostor, client);
        asy_server_destroy(net.server);
        net.server = NULL;
        if (client && net_listen(&net, impostor.port) && client_says(client, "hello"))
            server_gets_text(&net, "hello", &frame);
out:
        asy_client_destroy(client);
        net_close(&net);
    }
}

/* Of two coordinators with one key, as after a move, the one that lets it in. */
static void a_refusal_does_not_stop_the_others(void)
{
    struct net net, other;
    struct asy_client *client = NULL;
    struct asy_way ways[ASY_WAYS_MAX];
    struct frame frame;
    const char *endpoints[] = { net.endpoint, other.endpoint };
    bool opened = net_open(&net);
    int64_t start_ms;

    if (!net_open(&other) || !opened)
        goto out;
    asy_server_destroy(other.server);
    other.server = NULL;
    other.server_keys = net.server_keys;
    other.keys[0] = net.keys[2];
    start_ms = asy_clock_ms();
    if (!net_listen(&other, 0) || !(client = connect_to(&net, 2, endpoints, 2)) ||
        !client_says(client, "hello") || !server_gets_text(&other, "hello", &frame))
        goto out;
    asy_client_ways(client, ways);
    if (asy_clock_ms() - start_ms < HEAD_START_MS) /* else the other was not waiting for that */
        T_EQ("refused", counts_of(&net).refused_keys, 1);
    T_EQ("the second", ways[1].state, ASY_WAY_OPEN);
out:
    asy_client_destroy(client);
    net_close(&other);
    net_close(&net);
}

/* The pauses alone come to 3.1 s until the sixth try; libzmq's to less than 1 s. */
static void whoever_fails_is_tried_ever_more_seldom(void)
{
    struct net net;
    struct asy_client *client = NULL;
    char endpoint[64];
    const char *endpoints[] = { endpoint };
    int64_t first_ms = 0, last_ms = 0, start_ms = asy_clock_ms();
    int port = 0, n = 0, fd = open_port(true, &port);

    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", port);
    if (!net_open(&net) || !(client = connect_to(&net, 0, endpoints, 1)))
        goto out;
    while (n < 6 && !late(start_ms, "six tries")) {
        struct asy_poll_item items[] = { { .fd = fd, .events = POLLIN },
                                         { .client = client, .events = POLLOUT } };

        ASY_IGNORE(asy_poll(items, 2, 1000, NULL));
        if (!items[0].revents)
            continue;
        close(accept(fd, NULL, NULL));
        last_ms = asy_clock_ms();
        if (n++ == 0)
            first_ms = last_ms;
    }
    t__check(last_ms - first_ms >= 3000, __LINE__, __FILE__, "six tries in %lld ms",
             (long long)(last_ms - first_ms));
out:
    asy_client_destroy(client);
    net_close(&net);
    close(fd);
}

/* A key that is put on the list later is let in by the next try. */
static void next_tries_anew_where_the_key_was_refused(void)
{
    struct net net;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_client *client = NULL;
    struct frame frame;
    const char *endpoints[] = { net.endpoint };
    int port;

    if (!net_open(&net) || !(client = connect_to(&net, 2, endpoints, 1)) ||
        !comes_to(client, ASY_WAY_NOT_LET_IN, "refused"))
        goto out;
    port = asy_server_port(net.server);
    asy_server_destroy(net.server); /* its thread reads the list */
    net.server = NULL;
    net.keys[1] = net.keys[2]; /* a friend now */
    if (!net_listen(&net, port))
        goto out;
    if (T_OK(asy_client_next(client, &err), &err) && client_says(client, "again"))
        server_gets_text(&net, "again", &frame);
out:
    asy_client_destroy(client);
    net_close(&net);
}

T_MAIN("ways", T_TEST(each_failure_has_its_name),
       T_TEST(whoever_lacks_the_server_s_key_is_a_stranger),
       T_TEST(the_endpoint_that_lives_is_found_among_dead_ones),
       T_TEST(malformed_endpoints_are_told_and_the_others_tried),
       T_TEST(the_first_is_taken_where_it_answers), T_TEST(names_are_looked_up),
       T_TEST(a_refusal_without_the_server_s_key_is_not_believed),
       T_TEST(a_refusal_does_not_stop_the_others), T_TEST(whoever_fails_is_tried_ever_more_seldom),
       T_TEST(next_tries_anew_where_the_key_was_refused))
