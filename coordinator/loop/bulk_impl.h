/* SPDX-License-Identifier: Apache-2.0
 * bulk_impl.h - the bulk thread's state, shared by bulk.c (socket, studies, rounds), bulk_give.c
 * (GET), bulk_take.c (PUT and logs), bulk_input.c (inputs of users elsewhere), bulk_gone.c and
 * bulk_deny.c. All of it belongs to that thread. */
#ifndef ASY__BULK_IMPL_H
#define ASY__BULK_IMPL_H
#include <stdatomic.h>
#include <asy/bulk.h>
#include <asy/channel.h>
#include <asy/pack.h>
#include <asy/study.h>
#include <sys/stat.h>
#include "bulk.h"
#include "refusals.h"

#define ASY__BULK_PATH 4400
#define ASY__BULK_TRANSFERS 1024u     /* open at once */
#define ASY__BULK_TRANSFERS_EACH 64u  /* of one connection */
#define ASY__BULK_STUDIES 64u         /* remembered */
#define ASY__BULK_STALL_MS 60000      /* a transfer that nothing is heard of is given up */

struct asy__bulk_study {
    struct asy__bulk_study *next;     /* the one used last comes first */
    struct asy_id id;
    char owner[ASY_KEY_TEXT];
    struct asy_study_spec *spec;
    int over;
};
struct asy__transfer {
    struct asy__transfer *next;
    uint64_t peer;
    struct asy_bulk head;             /* as it was opened; its text is NULL */
    char path[ASY__BULK_PATH];        /* what is sent, or what it will be */
    char part[ASY__BULK_PATH];        /* PUT: where it grows */
    char what[240];                   /* for messages: "input '/path'" */
    struct asy_pack *pack;            /* GET, and what is hashed */
    int fd;                           /* PUT */
    struct asy_sha_state *sha;        /* of a file, as far as it was hashed */
    struct stat st;                   /* GET of an input: before it was hashed */
    int hashing;                      /* bytes up to hash_end are read and hashed first */
    int there;                        /* PUT: they are those of what is there already */
    int kept;                         /* PUT of an input: it has its name */
    struct asy_unpack *unpack;        /* PUT of a tree that has come: made of its stream */
    uint64_t hash_at, hash_end;
    uint64_t at, size;
    uint32_t credit;
    int64_t heard_ms, told_ms;        /* told: while it is hashed the peer hears that we live */
    int asking;                       /* whether the peer may have it: nothing leaves yet */
    char asker[ASY_KEY_TEXT];         /* while it is asked */
    int over;                         /* to be freed after this round, or when it is answered */
};
struct asy__bulk_user;
struct asy__bulk {
    pthread_t thread;
    int running;
    struct asy_addresses addresses;
    char home[4096], secret_key[ASY_KEY_TEXT], owner[ASY_KEY_TEXT];
    char nonce[ASY_ID_TEXT];
    int port, wished;
    struct asy_keyring *ring;
    struct asy_id store;
    struct asy__mail mail, *asks;
    struct asy__letter stop, ready;
    struct asy__mail started;         /* to whoever creates it: the socket is open, or failure */
    int rc;                           /* of opening it */
    struct asy_error failure;         /* its text; may tell of a port that was passed over */
    int stopped;
    /* the thread's own */
    struct asy_channel *channel;
    struct asy_server *server;
    struct asy_arena *arena;
    struct asy_buf frame;
    struct asy_sha_memo *memo;
    struct asy__bulk_study *studies;
    struct asy__transfer *transfers;
    size_t n_transfers;
    char *chunk;                      /* [ASY_BULK_CHUNK] */
    int64_t warned_ms, failed_ms, sweep_ms;
    int swept;                        /* at least once */
    uint32_t asked;                   /* questions of our own to the loop */
    struct asy__bulk_user *users;     /* who have sent inputs: the last one comes first */
    uint64_t input_quota;
    const struct asy__traffic *traffic;
    struct asy__pace pace;            /* of all pieces of files, whosever they are */
    int blocked;                      /* a peer's queue was full in this round */
    struct asy__refusals refusals;
    unsigned key_losses;              /* up to which all connections were looked at */
    uint64_t denied_told;
    int64_t denied_ms, tell_ms;
    char denied_key[ASY_KEY_TEXT];    /* who asked last for what is not theirs */
    atomic_uint_least64_t denied;     /* any thread reads it */
};

/* ---- bulk.c ---------------------------------------------------------------------------------- */

/* ASY_E_AGAIN: the peer's queue is full. ASY_E_GONE: it is not there any more. */
ASY_MUST_CHECK int asy__bulk_send(struct asy__bulk *bulk, uint64_t peer,
                                  const struct asy_bulk *head, const void *body, size_t n);
/* END with rc and err's text; the transfer is over. */
void asy__bulk_end(struct asy__bulk *bulk, struct asy__transfer *t, int rc, const char *text);
/* The same where nothing was opened. */
void asy__bulk_refuse(struct asy__bulk *bulk, uint64_t peer, const struct asy_bulk *head, int rc,
                      const char *text);
/* A new one in the list, in the place of the one with its number; NULL: refused, and the peer was
 * told. */
struct asy__transfer *asy__bulk_open(struct asy__bulk *bulk, uint64_t peer,
                                     const struct asy_bulk *head);
/* The file name of a checkpoint or model: "<sha>" or "<sha>.<study>-<trial>-<attempt>-<report>". */
void asy__bulk_name(const struct asy_bulk *head, char *text, size_t n);
/* Asks the loop and waits; the answer is the caller's, ask is not. NULL: none came. */
struct asy__bulk_ask *asy__bulk_ask_loop(struct asy__bulk *bulk, struct asy__bulk_ask *ask);
/* The peer waits for us: now and then it hears that we live. */
void asy__bulk_alive(struct asy__bulk *bulk, struct asy__transfer *t);
/* Before a piece of a file: waits while decisions come first (yield.h), some milliseconds. Returns
 * when it may begin, on the clock of asy__pace_spent(). */
int64_t asy__bulk_yield(const struct asy__bulk *bulk);
/* Hashes a piece of what is to be hashed. 1: there is more. */
int asy__bulk_hash(struct asy__bulk *bulk, struct asy__transfer *t, struct asy_error *err);

/* ---- bulk_deny.c ----------------------------------------------------------------------------- */

/* It is not for whoever has this key: refused, counted and told. */
void asy__bulk_deny(struct asy__bulk *bulk, uint64_t peer, const char *key,
                    const struct asy_bulk *head, const char *text);
/* Ends the connections of keys that were revoked, and tells who was refused. */
void asy__bulk_guard(struct asy__bulk *bulk);

/* ---- bulk_give.c ----------------------------------------------------------------------------- */

void asy__bulk_get(struct asy__bulk *bulk, uint64_t peer, const char *key,
                   const struct asy__bulk_study *study, const struct asy_bulk *head);
/* What a trial has left, to who may see it: the store is asked for whom that is. */
int asy__bulk_is_result(const struct asy_bulk *head);
void asy__bulk_look(struct asy__bulk *bulk, uint64_t peer, const char *key,
                    const struct asy_bulk *head);
void asy__bulk_looked(struct asy__bulk *bulk, const struct asy__bulk_ask *answer);
/* One chunk of it, if it may. Returns whether there may be more to do at once. */
int asy__bulk_give(struct asy__bulk *bulk, struct asy__transfer *t);

/* ---- bulk_take.c ----------------------------------------------------------------------------- */

void asy__bulk_put(struct asy__bulk *bulk, uint64_t peer, const struct asy_bulk *head);
int asy__bulk_prove(struct asy__bulk *bulk, struct asy__transfer *t); /* as asy__bulk_give() */
void asy__bulk_data(struct asy__bulk *bulk, struct asy__transfer *t, const struct asy_bulk *head,
                    const void *body, size_t n);
void asy__bulk_log(struct asy__bulk *bulk, uint64_t peer, const struct asy_bulk *head,
                   const void *body, size_t n);
/* Nobody wants it any more: neither what has come of it. */
void asy__bulk_cancel(struct asy__bulk *bulk, struct asy__transfer *t);
/* Over another connection the same transfer, which broke without our notice, is over. */
void asy__bulk_close_twin(struct asy__bulk *bulk, const struct asy__transfer *t);
/* It grows where it broke off, which is hashed first. */
ASY_MUST_CHECK int asy__bulk_open_part(struct asy__bulk *bulk, struct asy__transfer *t,
                                       struct asy_error *err);
/* What is at t->path is hashed: if it is what comes, it need not come. */
ASY_MUST_CHECK int asy__bulk_hash_there(struct asy__transfer *t, struct asy_error *err);

/* ---- bulk_input.c ---------------------------------------------------------------------------- */

/* A user who does not see this host's folders has an input of a study. */
int asy__bulk_is_offer(const struct asy_bulk *head);
void asy__bulk_put_input(struct asy__bulk *bulk, uint64_t peer, const char *key,
                         const struct asy_bulk *head);
/* It is here under its name. */
void asy__bulk_input_kept(struct asy__bulk *bulk, struct asy__transfer *t);
/* A transfer is over. If it was that of an input, something of it may be left. */
void asy__bulk_input_over(struct asy__bulk *bulk, const struct asy__transfer *t);
/* 1: the owner of the study has sent it, and it is open. */
int asy__bulk_open_sent(struct asy__bulk *bulk, struct asy__transfer *t, const char *owner,
                        const struct asy_study_input *input);
void asy__bulk_sweep_inputs(struct asy__bulk *bulk);
void asy__bulk_forget_users(struct asy__bulk *bulk);

/* ---- bulk_gone.c ----------------------------------------------------------------------------- */

#define ASY__BULK_PART ".part-"
/* What is at path, if anything, leaves its name at once. Who removes files then frees its blocks
 * piece by piece: gigabytes at once could hold up every sync of the disk. */
void asy__bulk_discard(struct asy__bulk *bulk, const char *path);
/* The same for a part that may be small: then it is gone at once. */
void asy__bulk_discard_part(struct asy__bulk *bulk, const char *path);
/* Discards the parts in a folder that nobody will go on with. */
void asy__bulk_sweep_folder(struct asy__bulk *bulk, const char *folder);
/* The same in that of the artifacts, with what was on its way to be removed when a coordinator
 * died. */
void asy__bulk_sweep(struct asy__bulk *bulk);
#endif
