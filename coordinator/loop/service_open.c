/* SPDX-License-Identifier: Apache-2.0
 * service_open.c - a coordinator is built and taken down: store, keys, socket, core from what the
 * store has, threads; the discovery file last, so that whoever finds it is answered. */
#include "service_impl.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/log.h>
#include <asy/told.h>
#include "crash.h"

#define ARENA_BUDGET (16u << 20)

static int path_in(const char *home, const char *name, char path[ASY__PATH_MAX],
                   struct asy_error *err)
{
    if (snprintf(path, ASY__PATH_MAX, "%s/%s", home, name) >= ASY__PATH_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "path '%s/%s' is too long", home, name);
    return 0;
}

static int load_keys(struct asy_service *service, struct asy_error *err)
{
    char path[ASY__PATH_MAX];
    int rc;

    if ((rc = path_in(service->home, "keys", path, err)) < 0 ||
        (rc = asy_durable_mkdirs(path, err)) < 0 ||
        (rc = path_in(service->home, "keys/user.key", path, err)) < 0 ||
        (rc = asy_keypair_load(path, &service->user, err)) < 0 ||
        (rc = path_in(service->home, "keys/server.key", path, err)) < 0 ||
        (rc = asy_keypair_load(path, &service->keys, err)) < 0 ||
        (rc = path_in(service->home, "keys/authorized", path, err)) < 0 ||
        (rc = asy_keyring_load(path, &service->ring, err)) < 0)
        return rc;
    return asy_keyring_add(service->ring, service->user.public_key, "owner", err);
}

static int on_replay(void *arg, const struct asy_event *event)
{
    struct asy_service *service = arg;

    asy__crash_point("coordinator.in_replay");
    return asy_core_replay(service->core, event, &service->failure);
}

static enum asy_foreign foreign_of(const char *word)
{
    return !strcmp(word, "adopt")     ? ASY_FOREIGN_ADOPT
           : !strcmp(word, "discard") ? ASY_FOREIGN_DISCARD
                                      : ASY_FOREIGN_ASK;
}

static int build_core(struct asy_service *service, const struct asy_service_spec *spec,
                      struct asy_error *err)
{
    const struct asy_settings *set = spec->settings;
    struct asy_core_config config = ASY_CORE_CONFIG_INIT;
    struct asy_step step = { 0 };
    int rc;

    config.store = service->info.id;
    config.owner_epoch = service->info.owner_epoch;
    config.last_seq = service->info.last_seq;
    config.version = spec->version;
    config.endpoints = service->endpoint_list;
    config.n_endpoints = service->addresses.n;
    config.owner = service->user.public_key;
    config.files = service->home;
    config.nonce = asy__bulk_nonce(service->bulk);
    config.bulk_port = (uint32_t)asy__bulk_port(service->bulk);
    config.heartbeat_ms = asy_settings_i64(set, "heartbeat");
    config.suspect_after_ms = asy_settings_i64(set, "suspect_after");
    config.lost_after_ms = asy_settings_i64(set, "lost_after");
    config.closed_grace_ms = asy_settings_i64(set, "closed_grace");
    config.reattach_ms = asy_settings_i64(set, "reattach_window");
    config.restored = service->info.restored;
    config.foreign = foreign_of(asy_settings_str(set, "reattach_foreign"));
    config.idle_exit_ms = spec->keep ? -1 : asy_settings_i64(set, "idle_exit");
    config.lost_limit = (uint32_t)asy_settings_i64(set, "lost_retries");
    config.checkpoints_kept = (uint32_t)asy_settings_i64(set, "checkpoints_kept");
    config.artifact_quota = (uint64_t)asy_settings_i64(set, "artifact_quota");
    config.max_workers = (uint32_t)asy_settings_i64(set, "max_workers");
    config.max_trials = (uint64_t)asy_settings_i64(set, "max_study_trials");
    if ((rc = asy_core_create(&config, &service->core, err)) < 0 ||
        (rc = asy_gate_create(&service->gate, err)) < 0)
        return rc;
    asy__crash_point("coordinator.before_replay");
    if ((rc = asy_store_replay(service->store, on_replay, service, err)) < 0) {
        if (service->failure.text[0] && err)
            *err = service->failure;
        return rc;
    }
    asy__crash_point("coordinator.after_replay");
    rc = asy_core_start(service->core, asy_clock_ms(), asy_clock_wall_us(), &step, err);
    return rc < 0 ? rc : asy__service_take(service, &step, err);
}

static int on_turn(void *arg, struct asy_reader *reader)
{
    return asy__query_turn(arg, reader);
}

static int start_threads(struct asy_service *service, struct asy_error *err)
{
    struct asy__guest guest = { .turn = NULL };
    int network = service->info.network_fs, rc;

    if ((rc = asy__mail_init(&service->mail, err)) < 0 ||
        (rc = asy__mail_init(&service->answers, err)) < 0 ||
        (rc = asy__mail_init(&service->results, err)) < 0 ||
        (rc = asy__query_create(network ? NULL : service->store_path, &service->results,
                                &service->query, err)) < 0 ||
        (rc = asy__query_sweep(service->query, service->info.last_seq, err)) < 0 ||
        (rc = asy__service_tidy(service, ASY_ID_NONE, err)) < 0)
        return rc;
    if (network)
        guest = (struct asy__guest){ on_turn, service->query };
    rc = asy__writer_create(service->store, &guest, &service->mail, &service->writer, err);
    if (rc < 0)
        return rc;
    return asy__compute_create(&service->answers, &service->compute, err);
}

static void name_endpoints(struct asy_service *service)
{
    for (size_t i = 0; i < service->addresses.n; i++) {
        service->endpoint_list[i] = service->endpoints[i];
        asy_address_endpoint(service->addresses.text[i], asy_server_port(service->server),
                             service->endpoints[i], sizeof service->endpoints[i]);
        asy_info("endpoint=%s", service->endpoints[i]);
    }
    if (service->addresses.left_out)
        asy_warn("%zu further addresses of this host are not told to workers; 'interface' chooses",
                 service->addresses.left_out);
}

static int find_addresses(struct asy_service *service, const struct asy_service_spec *spec,
                          struct asy_error *err)
{
    int rc = asy_addresses_find(asy_settings_str(spec->settings, "interface"),
                                &service->addresses, err);

    if (rc < 0)
        asy_error_prefix(err, "setting 'interface'");
    return rc;
}

static int listen_on(struct asy_service *service, const struct asy_service_spec *spec,
                     struct asy_error *err)
{
    const struct asy_addresses *here = &service->addresses;
    const char *also[ASY_ADDRESSES_MAX];
    struct asy_server_spec server = { .interface = here->all ? "*" : here->text[0],
                                      .also = also,
                                      .n_also = here->all ? 0 : here->n - 1,
                                      .port = service->info.port,
                                      .secret_key = service->keys.secret_key,
                                      .authorise = asy_keyring_has,
                                      .authorise_arg = service->ring };
    int rc;

    for (size_t i = 0; i < server.n_also; i++)
        also[i] = here->text[i + 1];
    if ((rc = asy_channel_create((int)asy_settings_i64(spec->settings, "max_workers") + 64,
                                 &service->channel, err)) < 0)
        return rc;
    rc = asy_server_create(service->channel, &server, &service->server, err);
    if (rc == ASY_E_BUSY) {
        asy_warn("port=%d is taken, choosing another; workers find it in the discovery file",
                 server.port);
        server.port = 0;
        rc = asy_server_create(service->channel, &server, &service->server, err);
    }
    if (rc < 0)
        return rc;
    name_endpoints(service);
    if (asy_server_port(service->server) != service->info.port)
        return asy_store_set_port(service->store, asy_server_port(service->server), err);
    return 0;
}

/* Beside the control port, so that a firewall's rule for two ports serves. */
static int open_bulk(struct asy_service *service, const struct asy_service_spec *spec,
                     struct asy_error *err)
{
    int64_t quota = asy_settings_i64(spec->settings, "input_quota");
    const struct asy__bulk_spec bulk = { .home = service->home,
                                         .addresses = &service->addresses,
                                         .port = asy_server_port(service->server) + 1,
                                         .secret_key = service->keys.secret_key,
                                         .owner = service->user.public_key,
                                         .ring = service->ring,
                                         .store = service->info.id,
                                         .asks = &service->asks,
                                         .traffic = &service->traffic,
                                         .input_quota = (uint64_t)quota };
    int rc = asy__mail_init(&service->asks, err);

    return rc < 0 ? rc : asy__bulk_create(&bulk, &service->bulk, err);
}

static int write_discovery(const struct asy_service *service, int *ret_held, struct asy_error *err)
{
    struct asy_discovery discovery = { .store = service->info.id,
                                       .owner_epoch = service->info.owner_epoch,
                                       .stays = asy_core_stays(service->core) };
    int rc;

    if ((rc = asy_discovery_here(&discovery, err)) < 0)
        return rc;
    for (size_t i = 0; i < service->addresses.n; i++)
        snprintf(discovery.endpoints[i], sizeof discovery.endpoints[i], "%s",
                 service->endpoints[i]);
    snprintf(discovery.server_key, sizeof discovery.server_key, "%s", service->keys.public_key);
    snprintf(discovery.version, sizeof discovery.version, "%s", service->version);
    return asy_discovery_write(service->discovery, &discovery, ret_held, err);
}

/* The next coordinator of this node is to stay too, and a command that has started this one leaves
 * it: both read it there. */
void asy__service_stays(struct asy_service *service)
{
    struct asy_error err = ASY_ERROR_INIT;
    int held = -1;

    service->stays = 1;
    if (write_discovery(service, &held, &err) < 0) {
        asy_warn("%s, so one that is started in this one's place will end when idle", err.text);
        return;
    }
    close(service->held);
    service->held = held;
    asy_info("told to stay when idle");
}

static int publish(struct asy_service *service, struct asy_error *err)
{
    int rc;

    asy__crash_point("coordinator.before_publish");
    if ((rc = write_discovery(service, &service->held, err)) < 0)
        return rc;
    service->registered = 1;
    service->stays = asy_core_stays(service->core);
    asy__crash_point("coordinator.after_publish");
    return 0;
}

static int open_signals(struct asy_service *service, struct asy_error *err)
{
    sigset_t set;

    sigemptyset(&set);
    asy_told_signals(&set);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 ||
        (service->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)) < 0)
        return asy_fail_errno(err, errno, "cannot take signals");
    return 0;
}

int asy_service_create(const struct asy_service_spec *spec, struct asy_service **ret_service,
                       struct asy_error *err)
{
    struct asy_service *service = calloc(1, sizeof *service);
    struct asy_store_spec store = { 0 };
    int rc;

    if (!service)
        return asy_fail(err, ASY_E_NOMEM, "no memory for the coordinator");
    service->held = service->signals = service->key_watch = -1;
    service->mail.fd = service->answers.fd = service->results.fd = service->asks.fd = -1;
    asy_buf_init(&service->frame, ASY_FRAME_MAX);
    service->drain = spec->drain;
    service->version = spec->version;
    snprintf(service->home, sizeof service->home, "%s", spec->home);
    if ((rc = path_in(spec->home, "coordinator.json", service->discovery, err)) < 0 ||
        (rc = path_in(spec->home, "store", service->store_path, err)) < 0 ||
        (rc = open_signals(service, err)) < 0 ||
        (rc = asy_arena_create(ARENA_BUDGET, &service->arena, err)) < 0)
        goto out;
    store.path = service->store_path;
    if ((rc = asy_store_open(&store, &service->store, &service->info, err)) < 0 ||
        (rc = load_keys(service, err)) < 0 || (rc = find_addresses(service, spec, err)) < 0 ||
        (rc = listen_on(service, spec, err)) < 0 || (rc = open_bulk(service, spec, err)) < 0 ||
        (rc = build_core(service, spec, err)) < 0 || (rc = start_threads(service, err)) < 0)
        goto out;
    asy__service_watch_keys(service);
    asy__service_seal(service);
    if ((rc = publish(service, err)) < 0)
        goto out;
    *ret_service = service;
    service = NULL;
    rc = 0;
out:
    asy_service_destroy(service);
    return rc;
}

static void free_letters(struct asy__mail *mail)
{
    struct asy__letter *letter, *next;

    if (mail->fd < 0)
        return;
    for (letter = asy__mail_take(mail); letter; letter = next) {
        next = letter->next;
        free(letter);
    }
    asy__mail_fini(mail);
}

/* Of the bulk thread, which has ended. */
static void end_asks(struct asy__mail *asks)
{
    struct asy__letter *letter = asks->fd < 0 ? NULL : asy__mail_take(asks), *next;

    for (; letter; letter = next) {
        struct asy__bulk_ask *ask = (struct asy__bulk_ask *)letter;

        next = letter->next;
        if (ask->gone)
            ASY_IGNORE(asy_durable_remove(ask->gone, NULL)); /* the next start tries again */
        asy__bulk_ask_free(ask);
    }
    if (asks->fd >= 0)
        asy__mail_fini(asks);
}

void asy_service_destroy(struct asy_service *service)
{
    struct asy__letter *letter;

    if (!service)
        return;
    asy__compute_destroy(service->compute);
    asy__writer_destroy(service->writer); /* it may be giving turns to the next */
    if (service->query)
        asy__query_destroy(service->query, asy_store_reader(service->store));
    asy__bulk_destroy(service->bulk); /* whom they both answer */
    for (letter = service->results.fd < 0 ? NULL : asy__mail_take(&service->results); letter;) {
        struct asy__query_answer *answer = (struct asy__query_answer *)letter;

        letter = letter->next;
        asy_buf_fini(&answer->json);
        free(answer);
    }
    end_asks(&service->asks);
    free_letters(&service->results);
    free_letters(&service->answers);
    free_letters(&service->mail);
    if (service->registered && service->quit) /* one that is left says: not in order */
        ASY_IGNORE(unlink(service->discovery));
    asy__batch_destroy(service->open);
    asy_gate_destroy(service->gate);
    asy_core_destroy(service->core);
    asy_server_destroy(service->server);
    asy_channel_destroy(service->channel);
    asy_keyring_destroy(service->ring);
    asy_store_close(service->store);
    asy_arena_destroy(service->arena);
    asy_buf_fini(&service->frame);
    asy__peers_fini(&service->peers);
    asy__outbox_fini(&service->outbox);
    free(service->gone);
    if (service->signals >= 0)
        close(service->signals);
    if (service->key_watch >= 0)
        close(service->key_watch);
    if (service->held >= 0)
        close(service->held);
    free(service);
}
