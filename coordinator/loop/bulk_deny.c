/* SPDX-License-Identifier: Apache-2.0
 * bulk_deny.c - who gets no file: requests for what is another's, and keys that were revoked. */
#include "bulk_impl.h"
#include <inttypes.h>
#include <stdio.h>
#include <asy/log.h>

void asy__bulk_deny(struct asy__bulk *bulk, uint64_t peer, const char *key,
                    const struct asy_bulk *head, const char *text)
{
    atomic_fetch_add(&bulk->denied, 1);
    snprintf(bulk->denied_key, sizeof bulk->denied_key, "%s", key);
    asy__bulk_refuse(bulk, peer, head, ASY_E_DENIED, text);
}

static void tell_denied(struct asy__bulk *bulk)
{
    uint64_t denied = atomic_load(&bulk->denied);
    const char *name;

    if (!asy__refusals_due(denied, bulk->denied_told, &bulk->denied_ms))
        return;
    name = asy_keyring_name(bulk->ring, bulk->denied_key);
    asy_warn("bulk: refused=%" PRIu64 " requests for what is another user's, or in no list, the "
             "last with key '%s' (%s)", denied - bulk->denied_told, bulk->denied_key,
             name ? name : "unknown");
    bulk->denied_told = denied;
}

/* A transfer that goes on over an ended connection is over with its next message. */
void asy__bulk_guard(struct asy__bulk *bulk)
{
    unsigned losses = asy_keyring_losses(bulk->ring);

    if (losses != bulk->key_losses)
        asy_server_review(bulk->server);
    bulk->key_losses = losses;
    asy__refusals_tell(&bulk->refusals, bulk->server, "file");
    tell_denied(bulk);
}

void asy__bulk_counts(const struct asy__bulk *bulk, struct asy_server_counts *ret_counts,
                      uint64_t *ret_denied)
{
    asy_server_counts(bulk->server, ret_counts);
    *ret_denied = atomic_load(&bulk->denied);
}
