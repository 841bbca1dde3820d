/* SPDX-License-Identifier: Apache-2.0
 * channel_net.h - what the tests of the channel share: a server on 127.0.0.1 with two friends, and
 * waits. Everything waits for an event by polling; NET_LIMIT_MS only ends a test that would hang.
 */
#ifndef CHANNEL_NET_H
#define CHANNEL_NET_H
#include "asytest.h"
#include <stdatomic.h>
#include <asy/channel.h>
#include <asy/clock.h>
#include <asy/keys.h>

#define NET_LIMIT_MS 300000
#define NET_CLIENTS 80

struct net {
    struct asy_channel *channel;
    struct asy_server *server;
    struct asy_keypair server_keys, keys[3]; /* keys[2] is not authorised */
    int queue;                               /* of the server; 0: as long as usual */
    atomic_int lost;                         /* keys[0] is not any more either */
    char endpoint[64];
    const char *endpoints[1];
};
struct frame {
    uint64_t peer;
    char key[ASY_KEY_TEXT];
    const void *bytes;
    size_t len;
};

bool net_open(struct net *net);
bool net_open_with(struct net *net, int queue);
void net_close(struct net *net);
/* A new server for the net, on that port (0: any); net_open has one already. */
bool net_listen(struct net *net, int port);
int is_friend(void *net, const char key[ASY_KEY_TEXT]);
struct asy_server_counts counts_of(struct net *net);

struct asy_client *connect_as(struct net *net, int who, const char *server_key);
struct asy_client *connect_friend(struct net *net);
/* A client that said hello and whose frame, with its peer, has arrived; NULL if that failed. */
struct asy_client *greet(struct net *net, struct frame *frame);
/* Sends as soon as there is a connection with room. */
bool client_sends(struct asy_client *client, const void *bytes, size_t n);
bool client_says(struct asy_client *client, const char *text);
bool client_gets_text(struct asy_client *client, const char *want);

int server_tries(struct net *net, struct frame *frame); /* receives without waiting */
bool server_gets(struct net *net, struct frame *frame);
bool server_gets_text(struct net *net, const char *want, struct frame *frame);
bool server_says(struct net *net, uint64_t peer, const char *text);
/* What every attack must leave whole: a newcomer is served. */
bool still_serves(struct net *net);

void wait_server(struct net *net, int ms);
/* Whether the limit has passed since start_ms; then the test fails. */
bool late(int64_t start_ms, const char *what);
#endif
