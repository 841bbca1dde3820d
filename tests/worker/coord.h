/* SPDX-License-Identifier: Apache-2.0
 * coord.h - a coordinator whose every move a test decides: a real server socket that speaks real
 * frames with a real assay-worker.
 *
 * It answers HEARTBEAT by PONG and HELLO by WELCOME by itself, keeps every report it hears (once
 * per number), and acknowledges them unless `mute` is set. All else is up to the test. */
#ifndef COORD_H
#define COORD_H
#include <asy/keys.h>
#include <asy/msg.h>
#include <asy/proc.h>
#include <asy/study.h>
#include "marked.h"

#define REPORTS_MAX 4096
#define PARTS_MAX 64

struct coord_part {               /* a PART that the worker sent */
    enum asy_part_kind kind;
    uint64_t trial;
    uint32_t from, to, end;
    enum asy_cause cause;
    int32_t signal, exit_code;
    struct asy_id gang;
    char words[200], text[300];   /* words: with blanks between them */
};
struct coord {
    char home[64];
    char programs[80];            /* folder given as ASSAY_PROGRAMS; "": none */
    const char *mark;
    struct asy_channel *channel;
    struct asy_server *server;
    struct asy_keypair user, keys;
    struct asy_id store, session, agent;
    uint64_t owner_epoch, peer;
    int port;
    int held;                     /* its discovery file; 0: none yet */
    int mute;                     /* reports are kept, not acknowledged */
    int silent;                   /* nothing is answered at all */
    int counting;                 /* reports are counted and acknowledged, not kept */
    uint64_t counted;             /* highest number in a row */
    unsigned heartbeats;
    int64_t idle_ms;              /* for the next WELCOME: idle_heartbeat_ms */
    int64_t lost_ms;              /* ... and lost_after_ms; 0: longer than any test is paused */
    uint32_t minor;               /* ... and the protocol's; 0: it has no such field */
    struct asy_arena *frames, *kept;
    struct asy_report reports[REPORTS_MAX];
    size_t n_reports, n_doubles;
    unsigned hellos, drains, byes;
    struct coord_part parts[PARTS_MAX]; /* of its PARTs the last ones, part n at n % PARTS_MAX */
    size_t n_parts;
    /* of the last HELLO */
    uint32_t cores;
    char hardware[16384], versions[4096], fit[300], host[256];
    struct asy_holding holdings[64]; /* offer: NULL, it is in offers, without lists */
    struct asy_offer offers[64];
    size_t n_holdings;
    char gpus[400];               /* ids, with blanks between them */
    /* put into the next WELCOME */
    struct asy_holding kill[8];
    size_t n_kill;
    struct asy_watermark marks[8];
    size_t n_marks;
    struct asy_proc worker;
    struct asy_study_spec *study; /* of the leases */
    int study_known;              /* its text was sent in this session */
    uint64_t trial;               /* of the last lease */
};

/* 1 if all went well; a failed check was printed. */
int coord_open(struct coord *c);
void coord_close(struct coord *c);
/* Listens again: same port, same key; as after a restart. */
int coord_listen(struct coord *c);
void coord_hang_up(struct coord *c);
/* env: NULL-terminated "K=V", or NULL. Waits for its HELLO. */
int coord_worker(struct coord *c, const char *const *env, const char *const *args);
int coord_worker_quiet(struct coord *c, const char *const *env, const char *const *args);
/* Waits for its end. Returns the status as waitpid, -1 if it does not come. */
int coord_worker_end(struct coord *c);
/* yaml: the study of the following leases; relative paths are below home. */
int coord_study(struct coord *c, const char *yaml);
/* A lease of the study on n_cores cores from first; the test may change it before it is sent. */
struct asy_lease coord_lease(struct coord *c, uint64_t trial, uint32_t first, uint32_t n_cores);
int coord_send_lease(struct coord *c, const struct asy_lease *lease);
/* The two above for one core. */
int coord_run(struct coord *c, uint64_t trial);
int coord_cancel(struct coord *c, const struct asy_lease *lease, enum asy_cancel_mode mode,
                 int64_t grace_ms);
int coord_send(struct coord *c, struct asy_msg *msg);
void coord_ack_all(struct coord *c);
/* Handles what arrives until a frame of this type came (0: any); 1 if it did in generous time. */
int coord_await(struct coord *c, enum asy_msg_type type);
/* … until done(c, arg) holds. */
int coord_await_that(struct coord *c, int (*done)(struct coord *c, const void *arg),
                     const void *arg);
/* Handles what is there now. */
void coord_turn(struct coord *c, int timeout_ms);
/* The n-th (from 0) report of this kind of a trial, awaited; NULL if it does not come. */
const struct asy_report *coord_report(struct coord *c, uint64_t trial, enum asy_event_kind kind,
                                      size_t n);
/* Its ENDED, checked for `end` and `cause`; NULL if anything differs (printed). */
const struct asy_event *coord_ended(struct coord *c, uint64_t trial, enum asy_end end,
                                    enum asy_cause cause);
/* Writes an executable file below home. */
int coord_file(struct coord *c, const char *name, const char *text);
const char *coord_path(struct coord *c, const char *name);
#endif
