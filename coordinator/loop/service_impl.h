/* SPDX-License-Identifier: Apache-2.0
 * service_impl.h - the loop's state, and what its files do for each other: service.c steps core and
 * turns the rounds, service_in.c takes in what came, service_out.c lets effects out, service_ask.c
 * has questions answered, service_open.c builds all of it and takes it down.
 *
 * Threads: the loop. Errors end the process; what peers do wrong is none. */
#ifndef ASY__SERVICE_IMPL_H
#define ASY__SERVICE_IMPL_H
#include <asy/address.h>
#include <asy/channel.h>
#include <asy/core.h>
#include <asy/gate.h>
#include <asy/keys.h>
#include <asy/service.h>
#include <asy/store.h>
#include "bulk.h"
#include "compute.h"
#include "outbox.h"
#include "peers.h"
#include "query.h"
#include "refusals.h"
#include "writer.h"

#define ASY__PATH_MAX 4096

struct asy_service {
    char home[ASY__PATH_MAX], discovery[ASY__PATH_MAX], store_path[ASY__PATH_MAX];
    struct asy_store *store;
    struct asy_store_info info;
    struct asy_core *core;
    struct asy_gate *gate;
    struct asy_channel *channel;
    struct asy_server *server;
    struct asy_addresses addresses; /* that it tells others */
    char endpoints[ASY_ADDRESSES_MAX][64];
    const char *endpoint_list[ASY_ADDRESSES_MAX];
    struct asy_keyring *ring;
    struct asy_keypair user, keys;
    struct asy__mail mail, answers, results; /* from the writer, compute and query threads */
    struct asy__mail asks;         /* from the bulk thread */
    struct asy__traffic traffic;   /* what the bulk thread sees of the loop's work */
    uint64_t durable;              /* the last commit that is */
    struct asy__bulk *bulk;
    struct asy__writer *writer;
    struct asy__compute *compute;
    struct asy__query *query;
    struct asy__batch *open;       /* events of the open commit */
    struct asy_arena *arena;       /* the frame being decoded */
    struct asy_buf frame;
    struct asy__peers peers;
    struct asy__outbox outbox;
    uint64_t *gone;                /* peers found closed while effects were released */
    size_t n_gone, cap_gone;
    int64_t now_ms;                /* of this round */
    int64_t worked_ms;             /* when anything but heartbeats and time came last */
    int64_t probe_ms, silent_ms;   /* when the next probes are due: of all, of silent peers */
    int64_t warned_ms;
    int signals;                   /* signalfd */
    int key_watch;                 /* inotify; -1: there is none */
    unsigned key_losses;           /* up to which all connections were looked at */
    int64_t keys_ms, tell_ms;      /* when the list is read next; when refusals are told next */
    struct asy__refusals refusals;
    uint64_t foreign, no_frames;   /* foreign sessions that were told; frames of no sense */
    int64_t foreign_ms;
    int held;                      /* the discovery file, from when it is published */
    int quit, drain, drains, told, registered;
    int stays;                     /* when idle, as is published */
    const char *version;           /* the caller's */
    struct asy_error failure;      /* of a replayed event */
    struct asy_error full;         /* why the store cannot write now; code 0: it can */
};

/* ---- service.c ------------------------------------------------------------------------------- */

/* Events go to the open batch, effects to the gate. */
ASY_MUST_CHECK int asy__service_take(struct asy_service *service, const struct asy_step *step,
                                     struct asy_error *err);
/* Steps core. */
ASY_MUST_CHECK int asy__service_feed(struct asy_service *service, const struct asy_input *input,
                                     struct asy_error *err);
/* Closes the open commit, if it has events, and hands it to the writer. */
void asy__service_seal(struct asy_service *service);

/* ---- service_in.c ---------------------------------------------------------------------------- */

/* A bounded number of frames. *ret_empty: no more were there. */
ASY_MUST_CHECK int asy__service_take_frames(struct asy_service *service, int *ret_empty,
                                            struct asy_error *err);
ASY_MUST_CHECK int asy__service_take_written(struct asy_service *service, struct asy_error *err);
ASY_MUST_CHECK int asy__service_take_answers(struct asy_service *service, struct asy_error *err);
ASY_MUST_CHECK int asy__service_take_results(struct asy_service *service, struct asy_error *err);
ASY_MUST_CHECK int asy__service_take_asks(struct asy_service *service, struct asy_error *err);
ASY_MUST_CHECK int asy__service_take_signals(struct asy_service *service, struct asy_error *err);

/* ---- service_open.c -------------------------------------------------------------------------- */

/* Says in the discovery file that it does not end when idle. */
void asy__service_stays(struct asy_service *service);

/* ---- service_keys.c -------------------------------------------------------------------------- */

/* Watches the list of keys. Without a watch it is looked at every second. */
void asy__service_watch_keys(struct asy_service *service);
/* Whose HELLO this is, as input says it to core; 0: nobody's, and the connection has been ended. */
int asy__service_known(struct asy_service *service, struct asy_input *input,
                       const char key[ASY_KEY_TEXT], struct asy_key_info *ret_info);
/* Takes in changes of the list (changed: there may be some), ends the connections of those that are
 * not on it any more, and logs who was refused. */
ASY_MUST_CHECK int asy__service_keys(struct asy_service *service, int changed,
                                     struct asy_error *err);

/* ---- service_out.c --------------------------------------------------------------------------- */

/* Hands on to who reads the store what the bulk thread must know. */
ASY_MUST_CHECK int asy__service_look(struct asy_service *service, struct asy__bulk_ask *ask,
                                     struct asy_error *err);
/* Files that a study has left are looked for; ASY_ID_NONE: of all studies that are over. */
ASY_MUST_CHECK int asy__service_tidy(struct asy_service *service, struct asy_id study,
                                     struct asy_error *err);
ASY_MUST_CHECK int asy__service_forget(struct asy_service *service, uint64_t peer,
                                       struct asy_error *err);
/* A peer found closed is noted; asy__service_flush() feeds it back. */
ASY_MUST_CHECK int asy__service_send(struct asy_service *service, uint64_t peer,
                                     const struct asy_msg *msg, struct asy_error *err);
/* The answer to a question, or a part of it, in as many frames as it takes. more: other parts
 * follow; else core hears that it is answered. */
ASY_MUST_CHECK int asy__service_reply(struct asy_service *service, uint64_t peer,
                                      struct asy_id session, uint64_t request, int code,
                                      const char *text, const char *json, size_t len, int more,
                                      struct asy_error *err);
/* Releases all that may leave; peers found closed on the way are fed back once each. */
ASY_MUST_CHECK int asy__service_flush(struct asy_service *service, struct asy_error *err);

/* ---- service_ask.c --------------------------------------------------------------------------- */

/* A QUERY effect: answered at once, or passed on to whoever reads the store. */
ASY_MUST_CHECK int asy__service_ask(struct asy_service *service, const struct asy_effect *fx,
                                    struct asy_error *err);
#endif
