/* SPDX-License-Identifier: Apache-2.0
 * bulk_impl.h - the bulk thread's state, shared by bulk.c (thread, connection), bulk_fetch.c and
 * bulk_give.c (what goes to the coordinator). All of it belongs to that thread. */
#ifndef ASY__AGENT_BULK_IMPL_H
#define ASY__AGENT_BULK_IMPL_H
#include <asy/channel.h>
#include <asy/pack.h>
#include <limits.h>
#include <sys/stat.h>
#include "bulk.h"
#include "patience.h"

#define ASY__BULK_RETRY_MS 1000    /* after a refusal that may pass */

enum asy__task_kind { ASY__TASK_FETCH = 1, ASY__TASK_PUT, ASY__TASK_TAIL };
enum asy__fetch_stage {
    ASY__FETCH_LOOK, ASY__FETCH_HASH_OWN, ASY__FETCH_CACHE, ASY__FETCH_HASH_CACHED,
    ASY__FETCH_GET, ASY__FETCH_RECEIVE, ASY__FETCH_UNPACK,
};
struct asy__stream {               /* one of the two logs */
    char path[PATH_MAX];
    uint64_t sent;                 /* bytes that the coordinator has */
    uint32_t transfer;             /* of the piece on its way; 0: none */
    struct asy__patience patience; /* with that */
    int sealed;
};
struct asy__task {
    struct asy__task *next;
    enum asy__task_kind kind;
    uint64_t ticket, trial;
    struct asy_id study;
    uint32_t attempt;
    int told, over;                /* told: its news went out; over: freed after this round */
    uint32_t transfer;             /* the one that is open; 0: none */
    struct asy__patience patience; /* with that transfer */
    int64_t retry_ms;
    /* FETCH */
    struct asy__want *wants;       /* [n], with their texts one block */
    size_t n, at;                  /* at: the one in hand */
    char **paths;                  /* [n] what was found; NULL: not yet */
    struct asy__pin **pins;        /* [n] */
    enum asy__fetch_stage stage;
    struct asy_pack *pack;         /* what is hashed, or (PUT) sent */
    struct asy_sha_state *sha;
    struct stat st;                /* of what is hashed */
    uint64_t hashed, got;
    char part[PATH_MAX];
    int fd, tree;
    struct asy_unpack *unpack;     /* of a tree that has come, into folder */
    char folder[PATH_MAX];
    unsigned spoilt;               /* how often it came with another content */
    /* PUT */
    struct asy_bulk head;
    struct asy__pin *pin;
    uint64_t sent;
    uint32_t credit;
    /* TAIL */
    struct asy__stream streams[2];
    int sealing;
    int64_t look_ms;
};
struct asy__io {
    struct asy__bulk *bulk;
    struct asy__cache *cache;
    struct asy_client *client;
    struct asy_arena *arena;
    struct asy_buf frame;
    struct asy_sha_memo *memo;
    struct asy_id store;
    struct asy__task *tasks;
    uint32_t serial;               /* of transfers */
    char *chunk;                   /* [ASY_BULK_CHUNK] */
    struct asy__patience patience; /* with the connection, while something is waited for */
    int64_t now_ms, next_ms;       /* next: when a task wants to be looked at */
};

/* ---- bulk.c ---------------------------------------------------------------------------------- */

/* ASY_E_AGAIN: not now; the task is looked at again soon. */
ASY_MUST_CHECK int asy__io_send(struct asy__io *io, struct asy_bulk *head, const void *body,
                                size_t n);
uint32_t asy__io_transfer(struct asy__io *io); /* a new number */
void asy__io_at(struct asy__io *io, int64_t at_ms); /* look at all tasks again at this time */
/* The task has ended so; paths of a FETCH are handed over. */
void asy__io_tell(struct asy__io *io, struct asy__task *task, int rc, const char *text);
/* 1: nothing comes of one transfer though the connection lives; a dead one is found out before. */
int asy__io_over(const struct asy__io *io, struct asy__patience *patience);
void asy__io_wait(struct asy__io *io, const struct asy__patience *patience); /* look again then */
void asy__io_again(struct asy__task *task); /* the transfer begins anew */
/* A refusal that may pass: the transfer is closed and begins anew after a while. */
void asy__io_later(struct asy__io *io, struct asy__task *task);
/* Hashes a piece. 1: there is more. */
int asy__io_hash(struct asy__io *io, struct asy__task *task, struct asy_error *err);

/* ---- bulk_fetch.c, bulk_give.c --------------------------------------------------------------- */

int asy__fetch_step(struct asy__io *io, struct asy__task *task); /* 1: there is more to do now */
void asy__fetch_take(struct asy__io *io, struct asy__task *task, const struct asy_bulk *head,
                     const void *body, size_t n);
void asy__fetch_close(struct asy__io *io, struct asy__task *task); /* what is open of a want */
int asy__put_step(struct asy__io *io, struct asy__task *task);
void asy__put_take(struct asy__io *io, struct asy__task *task, const struct asy_bulk *head);
void asy__tail_step(struct asy__io *io, struct asy__task *task);
void asy__tail_take(struct asy__io *io, struct asy__task *task, const struct asy_bulk *head);
#endif
