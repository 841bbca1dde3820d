/* SPDX-License-Identifier: Apache-2.0
 * peers.c - see peers.h: a hash set of numbers with backward-shift deletion. */
#include "peers.h"
#include <stdlib.h>

static size_t home_of(const struct asy__peers *peers, uint64_t peer)
{
    return (size_t)((peer * 0x9e3779b97f4a7c15u) >> 20) & (peers->cap - 1);
}

void asy__peers_fini(struct asy__peers *peers)
{
    free(peers->slots);
    *peers = (struct asy__peers){ 0 };
}

static size_t place_of(const struct asy__peers *peers, uint64_t peer)
{
    size_t i = home_of(peers, peer);

    while (peers->slots[i] && peers->slots[i] != peer)
        i = (i + 1) & (peers->cap - 1);
    return i;
}

static int grow(struct asy__peers *peers, struct asy_error *err)
{
    struct asy__peers larger = { .cap = peers->cap ? 2 * peers->cap : 64, .n = peers->n };

    if (!(larger.slots = calloc(larger.cap, sizeof *larger.slots)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu connections", larger.cap);
    for (size_t i = 0; i < peers->cap; i++)
        if (peers->slots[i])
            larger.slots[place_of(&larger, peers->slots[i])] = peers->slots[i];
    free(peers->slots);
    *peers = larger;
    return 0;
}

int asy__peers_add(struct asy__peers *peers, uint64_t peer, struct asy_error *err)
{
    size_t i;
    int rc;

    if (2 * (peers->n + 1) > peers->cap && (rc = grow(peers, err)) < 0)
        return rc;
    i = place_of(peers, peer);
    if (!peers->slots[i]) {
        peers->slots[i] = peer;
        peers->n++;
    }
    return 0;
}

void asy__peers_drop(struct asy__peers *peers, uint64_t peer)
{
    size_t mask = peers->cap - 1, hole, i;

    if (!peers->cap || !peers->slots[hole = place_of(peers, peer)])
        return;
    peers->n--;
    for (i = (hole + 1) & mask; peers->slots[i]; i = (i + 1) & mask) {
        size_t home = home_of(peers, peers->slots[i]);

        if (((i - home) & mask) >= ((i - hole) & mask)) {
            peers->slots[hole] = peers->slots[i];
            hole = i;
        }
    }
    peers->slots[hole] = 0;
}
