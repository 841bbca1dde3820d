/* SPDX-License-Identifier: Apache-2.0
 * doctor_reach.c - the check of a coordinator's addresses from this machine: each is tried by
 * itself, with the key, as a worker or a command would, and then the port for files. */
#include "doctor.h"
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <asy/address.h>
#include <asy/clock.h>
#include <asy/invitation.h>

#define REACH_MS 5000 /* until what has not answered is given up; a silent one is known after 2 s */

/* Where it is, and with which key it is greeted. 0: there is none to reach, and that was said. */
static int find(const struct asy__machine *machine, struct asy_discovery *ret_at,
                struct asy_keypair *ret_pair, struct asy__finding *finding)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_invitation invitation;
    char path[4200];

    if (machine->coordinator_file) {
        if (asy_invitation_read(machine->coordinator_file, &invitation, &err) < 0) {
            asy__broken(finding, "%s", err.text);
            asy__remedy(finding, "ask for a new invitation: assay invite");
            return 0;
        }
        *ret_at = invitation.at;
        *ret_pair = invitation.pair;
        explicit_bzero(&invitation.pair, sizeof invitation.pair);
        return 1;
    }
    if (machine->discovery_code < 0 || machine->discovery_stale) {
        asy__ok(finding, "none to reach");
        return 0;
    }
    *ret_at = machine->discovery;
    snprintf(path, sizeof path, "%s/keys/user.key", machine->home);
    if (access(path, F_OK) == 0 && asy_keypair_load(path, ret_pair, &err) == 0)
        return 1;
    asy__warn(finding, "not tried: %s", *err.text ? err.text : "this home has no key yet");
    asy__remedy(finding, "mend what 'keys' says; any command makes a key: assay ls");
    return 0;
}

/* Drives all of them until each has come to something, or the time is over. */
static void drive(struct asy_client *const *clients, size_t n)
{
    int64_t until_ms = asy_clock_ms() + REACH_MS;
    struct asy_poll_item items[ASY_ENDPOINTS_MAX];

    for (;;) {
        int64_t left_ms = until_ms - asy_clock_ms();
        size_t n_items = 0;

        for (size_t i = 0; i < n; i++)
            if (clients[i] && asy_client_state(clients[i]) == ASY_WAY_TRYING)
                items[n_items++] =
                    (struct asy_poll_item){ .client = clients[i], .fd = -1, .events = POLLOUT };
        if (n_items == 0 || left_ms <= 0 ||
            asy_poll(items, n_items, left_ms < 200 ? (int)left_ms : 200, NULL) < 0)
            return;
    }
}

static void tell(const struct asy_way *ways, size_t n, struct asy__finding *finding)
{
    struct asy_way bad[2 * ASY_ENDPOINTS_MAX];
    struct asy_buf text, advice;
    size_t n_bad = 0;

    for (size_t i = 0; i < n; i++)
        if (ways[i].state != ASY_WAY_OPEN)
            bad[n_bad++] = ways[i];
    asy_buf_init(&text, ASY_WAYS_TEXT);
    asy_buf_init(&advice, ASY_WAYS_TEXT);
    asy_ways_text(ways, n, &text);
    asy_ways_advice(bad, n_bad, &advice);
    if (n_bad == 0)
        asy__ok(finding, "%s", text.data);
    else if (n_bad < n)
        asy__warn(finding, "%s; the connected ones are taken", text.data);
    else
        asy__broken(finding, "%s", text.data);
    if (n_bad)
        asy__remedy(finding, "%s", advice.data);
    asy_buf_fini(&advice);
    asy_buf_fini(&text);
}

struct reach {
    struct asy_channel *channel;
    struct asy_discovery at;
    struct asy_keypair pair;
    struct asy_way ways[2 * ASY_ENDPOINTS_MAX]; /* [n] */
    size_t n;
};

static void put_failed(struct asy_way *way, const char *endpoint, const struct asy_error *err)
{
    way->state = ASY_WAY_UNREACHABLE;
    snprintf(way->endpoint, sizeof way->endpoint, "%s", endpoint);
    snprintf(way->why, sizeof way->why, "%.150s", err->text);
}

/* Each by itself, all at once; what became of them is appended to the ways. */
static void try_all(struct reach *reach, const char *const *endpoints, size_t n)
{
    struct asy_client *clients[ASY_ENDPOINTS_MAX] = { NULL };
    struct asy_way found[ASY_WAYS_MAX];
    struct asy_error err = ASY_ERROR_INIT;

    for (size_t i = 0; i < n; i++) {
        struct asy_client_spec spec = { .endpoints = &endpoints[i], .n_endpoints = 1,
                                        .server_key = reach->at.server_key,
                                        .public_key = reach->pair.public_key,
                                        .secret_key = reach->pair.secret_key };

        if (asy_client_create(reach->channel, &spec, &clients[i], &err) < 0)
            put_failed(&reach->ways[reach->n + i], endpoints[i], &err);
    }
    drive(clients, n);
    for (size_t i = 0; i < n; i++) {
        if (clients[i] && asy_client_ways(clients[i], found) == 1)
            reach->ways[reach->n + i] = found[0];
        asy_client_destroy(clients[i]);
    }
    reach->n += n;
}

/* Files have a port of their own, which the coordinator tells whoever greets it. It does not take a
 * worker's key for that; there it is the next one, unless that was taken. */
static void try_files(const struct asy__machine *machine, struct reach *reach)
{
    char texts[ASY_ENDPOINTS_MAX][ASY_ENDPOINT_TEXT];
    const char *endpoints[ASY_ENDPOINTS_MAX];
    struct asy__welcome welcome = { .bulk_port = 0 };
    size_t n = 0, n_control = reach->n;

    if (asy__session_look(machine->home, machine->coordinator_file, &welcome, NULL) == 0 &&
        !welcome.bulk_port)
        return;
    for (size_t i = 0; i < n_control; i++) {
        const char *endpoint = reach->ways[i].endpoint, *host;
        struct asy_error err = ASY_ERROR_INIT;
        size_t len;
        int port;

        if (reach->ways[i].state != ASY_WAY_OPEN ||
            asy_address_split(endpoint, &host, &len, &port, NULL) < 0)
            continue;
        endpoints[n] = texts[n];
        if (asy_address_at_port(endpoint, welcome.bulk_port ? (int64_t)welcome.bulk_port : port + 1,
                                texts[n], sizeof texts[n], &err) == 0)
            n++;
        else if (welcome.bulk_port)
            put_failed(&reach->ways[reach->n++], endpoint, &err);
    }
    try_all(reach, endpoints, n);
}

void asy__check_addresses(const struct asy__machine *machine, struct asy__finding *finding)
{
    struct reach reach = { .n = 0 };
    const char *routes[ASY_ENDPOINTS_MAX];
    struct asy_error err = ASY_ERROR_INIT;

    if (!find(machine, &reach.at, &reach.pair, finding))
        return;
    if (asy_channel_create(2 * ASY_ENDPOINTS_MAX, &reach.channel, &err) < 0) {
        asy__warn(finding, "not tried: %s", err.text);
        asy__remedy(finding, "see what 'open-files' and 'memory' say");
    } else {
        try_all(&reach, routes, asy_discovery_routes(&reach.at, routes));
        try_files(machine, &reach);
        tell(reach.ways, reach.n, finding);
    }
    asy_channel_destroy(reach.channel);
    explicit_bzero(&reach.pair, sizeof reach.pair);
}
