/* SPDX-License-Identifier: Apache-2.0
 * peers.c - see peers.h: a hash set of numbers with backward-shift deletion. */
#include "peers.h"
#include <stdlib.h>
#include <string.h>

static size_t home_of(const struct asy__peers *peers, uint64_t id)
{
    return (size_t)((id * 0x9e3779b97f4a7c15u) >> 20) & (peers->cap - 1);
}

void asy__peers_fini(struct asy__peers *peers)
{
    free(peers->slots);
    *peers = (struct asy__peers){ 0 };
}

static size_t place_of(const struct asy__peers *peers, uint64_t id)
{
    size_t i = home_of(peers, id);

    while (peers->slots[i].id && peers->slots[i].id != id)
        i = (i + 1) & (peers->cap - 1);
    return i;
}

static int grow(struct asy__peers *peers, struct asy_error *err)
{
    struct asy__peers larger = *peers;

    larger.cap = peers->cap ? 2 * peers->cap : 64;
    if (!(larger.slots = calloc(larger.cap, sizeof *larger.slots)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu connections", larger.cap);
    for (size_t i = 0; i < peers->cap; i++)
        if (peers->slots[i].id)
            larger.slots[place_of(&larger, peers->slots[i].id)] = peers->slots[i];
    free(peers->slots);
    *peers = larger;
    return 0;
}

int asy__peers_heard(struct asy__peers *peers, uint64_t id, int64_t now_ms, struct asy_error *err)
{
    struct asy__peer *peer;
    int rc;

    if (2 * (peers->n + 1) > peers->cap && (rc = grow(peers, err)) < 0)
        return rc;
    peer = &peers->slots[place_of(peers, id)];
    peers->n += !peer->id;
    peer->id = id;
    peer->heard_ms = now_ms;
    return 0;
}

void asy__peers_greeted(struct asy__peers *peers, uint64_t id, const char key[ASY_KEY_TEXT])
{
    struct asy__peer *peer = &peers->slots[place_of(peers, id)];

    memcpy(peer->key, key, ASY_KEY_TEXT);
}

void asy__peers_doubt(struct asy__peers *peers, uint64_t id, int64_t until_ms)
{
    struct asy__peer *peer = peers->cap ? &peers->slots[place_of(peers, id)] : NULL;

    if (!peer || !peer->id)
        return; /* known as closed */
    peer->doubt_ms = until_ms;
    if (until_ms > peers->doubt_ms)
        peers->doubt_ms = until_ms;
}

void asy__peers_drop(struct asy__peers *peers, uint64_t id)
{
    size_t mask = peers->cap - 1, hole, i;

    if (!peers->cap || !peers->slots[hole = place_of(peers, id)].id)
        return;
    peers->n--;
    for (i = (hole + 1) & mask; peers->slots[i].id; i = (i + 1) & mask) {
        size_t home = home_of(peers, peers->slots[i].id);

        if (((i - home) & mask) >= ((i - hole) & mask)) {
            peers->slots[hole] = peers->slots[i];
            hole = i;
        }
    }
    peers->slots[hole] = (struct asy__peer){ 0 };
}
