/* SPDX-License-Identifier: Apache-2.0
 * service_keys.c - who may talk: what each key stands for, and what happens when one is taken off
 * the list. The authenticator lets connections in by the same list, without asking the loop; the
 * loop ends those that stand when their key goes. */
#include "service_impl.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>
#include <asy/clock.h>
#include <asy/log.h>

#define LOOK_MS 1000      /* between two looks at a list that cannot be watched */
#define SLOW_LOOK_MS 10000
#define TELL_MS 1000      /* between two looks at who was refused, while the loop turns at all */

/* A change made on another host is not told here: there the list is looked at, too. */
static int64_t look_ms(const struct asy_service *service)
{
    return service->key_watch < 0 || service->info.network_fs ? LOOK_MS : SLOW_LOOK_MS;
}

void asy__service_watch_keys(struct asy_service *service)
{
    char folder[ASY__PATH_MAX];

    service->key_losses = asy_keyring_losses(service->ring);
    if (snprintf(folder, sizeof folder, "%s/keys", service->home) < (int)sizeof folder &&
        (service->key_watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) >= 0 &&
        inotify_add_watch(service->key_watch, folder,
                          IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM) < 0) {
        close(service->key_watch);
        service->key_watch = -1;
    }
    service->keys_ms = asy_clock_ms() + look_ms(service);
}

int asy__service_known(struct asy_service *service, struct asy_input *input,
                       const char key[ASY_KEY_TEXT], struct asy_key_info *ret_info)
{
    if (!asy_keyring_get(service->ring, key, ret_info)) {
        asy_server_drop(service->server, input->peer);
        return 0;
    }
    asy__peers_greeted(&service->peers, input->peer, key);
    input->msg.key = ret_info->owner;
    input->msg.name = ret_info->name;
    input->msg.is_worker = ret_info->is_worker;
    return 1;
}

static int end_peer(struct asy_service *service, uint64_t peer, struct asy_error *err)
{
    struct asy_input input = { .type = ASY_IN_CLOSED, .peer = peer };
    int rc;

    asy_server_drop(service->server, peer);
    rc = asy__service_forget(service, peer, err);
    return rc < 0 ? rc : asy__service_feed(service, &input, err);
}

/* Forgetting one moves others in the table, so each pass begins anew. */
static int end_lost(struct asy_service *service, struct asy_error *err)
{
    size_t i = 0, n = 0;
    int rc;

    while (i < service->peers.cap) {
        const struct asy__peer *peer = &service->peers.slots[i++];

        if (!peer->id || !*peer->key || asy_keyring_get(service->ring, peer->key, NULL))
            continue;
        if ((rc = end_peer(service, peer->id, err)) < 0)
            return rc;
        n++;
        i = 0;
    }
    asy_info("keys were revoked, ended=%zu connections", n);
    return 0;
}

static const char *name_of(const struct asy_service *service, const char *key)
{
    const char *name = asy_keyring_name(service->ring, key);

    return name ? name : "unknown";
}

/* What the authenticator and core have turned away. */
static void tell_refused(struct asy_service *service)
{
    const char *key;
    uint64_t foreign = asy_core_foreign_sessions(service->core, &key);

    service->tell_ms = service->now_ms + TELL_MS;
    asy__refusals_tell(&service->refusals, service->server, "control");
    if (asy__refusals_due(foreign, service->foreign, &service->foreign_ms)) {
        asy_warn("refused=%" PRIu64 " messages that bore another connection's session, the last "
                 "with key '%s' (%s); 'assay revoke' ends what it may", foreign - service->foreign,
                 key, name_of(service, key));
        service->foreign = foreign;
    }
}

int asy__service_keys(struct asy_service *service, int changed, struct asy_error *err)
{
    struct asy_error why = ASY_ERROR_INIT;
    char events[4096];
    unsigned losses;

    if (service->now_ms >= service->tell_ms)
        tell_refused(service);
    if (!changed && service->now_ms < service->keys_ms &&
        asy_keyring_losses(service->ring) == service->key_losses)
        return 0;
    while (service->key_watch >= 0 && read(service->key_watch, events, sizeof events) > 0)
        ;
    service->keys_ms = service->now_ms + look_ms(service);
    if (asy_keyring_refresh(service->ring, &why) < 0 && asy_log_due(&service->warned_ms, 1000))
        asy_warn("%s, going on with the keys of before", why.text);
    if ((losses = asy_keyring_losses(service->ring)) == service->key_losses)
        return 0;
    service->key_losses = losses;
    return end_lost(service, err);
}
