/* SPDX-License-Identifier: Apache-2.0
 * asy/msg.h - the control messages between coordinator, agents and clients, as plain structs.
 *
 * The wire form is message Frame of assay.proto (proto2, no required fields, no recursion), at most
 * ASY_FRAME_MAX bytes; the generated structs stop at the codec. docs/protocol.md describes who
 * sends what when.
 *
 * Ownership: a decoded message borrows from the arena it was decoded into. Threads: any. */
#ifndef ASY_MSG_H
#define ASY_MSG_H
#include <asy/event.h>

#define ASY_FRAME_MAX (1u << 20)
#define ASY_PROTOCOL_MAJOR 1
#define ASY_PROTOCOL_MINOR 1

enum asy_msg_type {
    ASY_MSG_HELLO = 1,       /* agent or client -> coordinator: first frame of a session */
    ASY_MSG_WELCOME = 2,
    ASY_MSG_REJECT = 3,      /* text says why; the peer gives up */
    ASY_MSG_REHELLO = 4,     /* unknown session: greet again */
    ASY_MSG_HEARTBEAT = 5,   /* agent -> coordinator, answered by PONG */
    ASY_MSG_PONG = 6,
    ASY_MSG_REPORTS = 7,     /* agent -> coordinator: numbered reports of attempts */
    ASY_MSG_ACK = 8,         /* coordinator -> agent: durable watermarks */
    ASY_MSG_LEASE = 9,       /* coordinator -> agent */
    ASY_MSG_CANCEL = 10,     /* coordinator -> agent: pause, stop or drop an attempt */
    ASY_MSG_DRAIN = 11,      /* coordinator -> agent or client -> coordinator: take nothing new */
    ASY_MSG_BYE = 12,        /* either: leaves on purpose */
    ASY_MSG_SUBMIT = 13,     /* client -> coordinator, answered by REPLY */
    ASY_MSG_CONTROL = 14,    /* client -> coordinator, answered by REPLY */
    ASY_MSG_REPLY = 15,
    ASY_MSG_QUERY = 16,      /* client -> coordinator, answered by REPLY with JSON */
    ASY_MSG_WATCH = 17,      /* client -> coordinator: news of a study as they become durable */
    ASY_MSG_NEWS = 18,       /* coordinator -> client: one event as JSON */
    ASY_MSG_UNSUPPORTED = 19,/* answer to a body this side does not know */
    ASY_MSG_RECORD = 20,     /* client -> coordinator: tag, score, artifact, data set of a run */
    ASY_MSG_PART = 21,       /* agent -> coordinator -> agent: between the parts of an attempt */
};

enum asy_role { ASY_ROLE_AGENT = 1, ASY_ROLE_CLIENT = 2 };

/* One report of an attempt; reports are numbered 1, 2, … per attempt without gaps. */
struct asy_report {
    struct asy_id study;
    uint64_t trial;
    uint32_t attempt;
    uint64_t epoch;
    uint64_t number;
    /* kind and body as in the event it becomes: STARTED, REPORT, CHECKPOINT or ENDED */
    struct asy_event event;
};
/* What another store than the one that leased a held attempt must know to take it over. */
struct asy_offer {
    struct asy_id store;      /* that leased it */
    uint64_t first;           /* number of the first report that its agent still has */
    uint64_t milestone, step, seed;
    struct asy_sha params;    /* of the lease's text */
    struct asy_placement placement;
    struct asy_checkpoint from;
};
/* What an agent still runs or holds, told in HELLO. */
struct asy_holding {
    struct asy_id study;
    uint64_t trial;
    uint32_t attempt;
    uint64_t epoch;
    int running;              /* 0: ended, reports not yet acknowledged */
    uint64_t reported;        /* highest report number made */
    uint32_t part;            /* of a lease with several placements */
    const struct asy_offer *offer; /* in HELLO, of agents since 1.1; else NULL */
};
/* What an agent offers of it is the whole device; leases speak of it by id. */
struct asy_gpu {
    const char *id;           /* UUID, or PCI address */
    const char *name;
    uint64_t memory;          /* bytes; 0: unknown */
    uint32_t group;           /* 1 + NUMA group of the cores near it; 0: near none, or near all */
    int whole;                /* takes one process at a time: no share of it is given out */
};
struct asy_watermark {
    struct asy_id study;
    uint64_t trial;
    uint32_t attempt;
    uint64_t durable;         /* reports up to this number are on disk */
    int closed;               /* nothing of this attempt is wanted any more: forget it */
};
struct asy_lease {
    struct asy_id study;
    uint64_t trial;
    uint32_t attempt;
    struct asy_id id;         /* of the attempt */
    struct asy_id run;        /* of the trial */
    uint64_t epoch, milestone, seed;
    struct asy_placement placement; /* the receiver's part */
    uint32_t ranks;           /* in all placements */
    struct asy_checkpoint from;
    const char *params;       /* JSON object */
    const char *spec;         /* canonical study JSON; NULL: the agent has it (spec_id) */
    struct asy_sha spec_id;   /* sha256 of the canonical JSON */
    const char *owner;        /* Z85 public key of the study's owner */
    uint32_t resume_retries;
    uint32_t part;            /* placements[part] is the receiver's; part 0 leads */
    const struct asy_placement *placements; /* [n_placements] 0: the only one is `placement` */
    size_t n_placements;
    struct asy_id adopts;     /* not none: what the agent holds of this trial from that store, … */
    uint32_t adopts_attempt;  /* ... by this number, goes on under this lease (since 1.1) */
};
/* What the parts of an attempt say to each other. */
enum asy_part_kind {
    ASY_PART_START = 1,       /* lead: run these words, which start the gang's ranks there */
    ASY_PART_RUN = 2,         /* lead: run the attempt in this gang, which is warm */
    ASY_PART_READY = 3,       /* member: that runs; again for each time it is asked */
    ASY_PART_FAILED = 4,      /* member: text says what of it has ended or could not begin */
    ASY_PART_ASK = 5,         /* lead: the gang has ended here; what do you know of it? */
    ASY_PART_WELL = 6,        /* member: nothing that would have ended it */
    ASY_PART_AWAY = 7,        /* coordinator: the addressed part is not connected */
};
enum asy_cancel_mode {
    ASY_CANCEL_PAUSE = 1,     /* checkpoint, then end as paused */
    ASY_CANCEL_STOP = 2,      /* end as stopped, no checkpoint */
    ASY_CANCEL_KILL = 3,      /* fenced: kill, report nothing more */
};
enum asy_control_verb {
    ASY_CONTROL_PAUSE = 1, ASY_CONTROL_RESUME = 2, ASY_CONTROL_STOP = 3, ASY_CONTROL_PRIORITY = 4,
    ASY_CONTROL_STOP_TRIAL = 5, ASY_CONTROL_DRAIN = 6, /* pause all and end when quiet */
    ASY_CONTROL_SHUTDOWN = 7,
    ASY_CONTROL_ADOPT = 8, ASY_CONTROL_DISCARD = 9, /* attempts of another store; since 1.1 */
    ASY_CONTROL_STAY = 10,    /* not to end when idle; since 1.1 */
};

struct asy_msg {
    enum asy_msg_type type;
    struct asy_id session;    /* none in HELLO and REHELLO */
    union {
        struct { enum asy_role role; uint32_t major, minor; const char *version, *host;
                 struct asy_id agent;     /* stays the same over reconnects of one process */
                 struct asy_id store;     /* last known; none at first */
                 uint64_t owner_epoch;
                 uint32_t cores; uint64_t memory;
                 const uint32_t *core_groups; size_t n_core_groups; /* [cores]: NUMA node of each */
                 const char *hardware;    /* JSON: topology summary, GFLOP/s, bandwidth */
                 const char *versions;    /* JSON: libraries */
                 const char *fit;         /* "" or why it is out of service */
                 int64_t walltime_left_ms;/* < 0: unlimited */
                 const struct asy_holding *holdings; size_t n_holdings;
                 const struct asy_gpu *gpus; size_t n_gpus; } hello;
        struct { struct asy_id store; uint64_t owner_epoch; int64_t heartbeat_ms, lost_after_ms;
                 int64_t idle_heartbeat_ms; /* while it holds no attempt; 0: heartbeat_ms */
                 const char *version;
                 const char *files;       /* the coordinator's home, as it calls it; "": unknown */
                 uint32_t bulk_port;      /* 0: it has no bulk socket */
                 const char *nonce;       /* whoever reads it there shares the files (asy/bulk.h) */
                 const struct asy_holding *keep; size_t n_keep;  /* run on, resend above durable */
                 const struct asy_watermark *marks; size_t n_marks;
                 const struct asy_holding *kill; size_t n_kill;
                 const char *const *endpoints; size_t n_endpoints; /* "tcp://…" */
                 const struct asy_holding *offers; size_t n_offers; /* undecided: run on */
                 const char *owner; /* public key of the user whose peer this is */
                 uint32_t minor; } welcome;
        struct { const char *text; } reject;
        struct { int64_t sent_ms; uint32_t free_cores; double load; } heartbeat;
        struct { int64_t sent_ms; } pong;
        struct { const struct asy_report *reports; size_t n_reports; } reports;
        struct { const struct asy_watermark *marks; size_t n_marks; } ack;
        struct { const struct asy_lease *leases; size_t n_leases; } lease;
        struct { struct asy_id study; uint64_t trial; uint32_t attempt; uint64_t epoch;
                 enum asy_cancel_mode mode; int64_t grace_ms; enum asy_cause cause;
                 const char *text;
                 struct asy_id store; /* that leased it; none: the sender's */ } cancel;
        struct { const char *text; } drain;
        struct { const char *text; } bye;
        struct { uint64_t request; struct asy_id study; const char *spec; int resume;
                 const char *command_line; } submit;
        struct { uint64_t request; enum asy_control_verb verb; const char *study;
                 int64_t number; /* priority, or trial */ } control;
        struct { uint64_t request; int code; /* 0 or enum asy_code */ const char *text;
                 const char *json; size_t json_len; int more; /* further parts follow */ } reply;
        struct { uint64_t request; const char *what;  /* "studies", "trials", … */
                 const char *study; int64_t trial; int64_t after; int64_t limit;
                 const char *arg; } query;
        struct { uint64_t request; const char *study; uint64_t after_seq; int stop; } watch;
        struct { uint64_t request, seq; const char *json; size_t json_len; } news;
        struct { uint32_t type; } unsupported;
        struct {
            uint64_t request;
            const char *study;
            int64_t trial;
            struct asy_event event;
        } record;
        struct { struct asy_id study; uint64_t trial; uint32_t attempt; uint64_t epoch;
                 uint32_t from, to;       /* parts; from: the coordinator sets it */
                 enum asy_part_kind kind;
                 struct asy_id gang;      /* made by the lead for each start of a gang */
                 const char *const *words; size_t n_words; /* START */
                 const char *text;
                 uint32_t end;            /* FAILED: enum asy_end, how its part has ended */
                 enum asy_cause cause; int32_t exit_code, signal; } part;
    };
};

const char *asy_msg_type_name(enum asy_msg_type type);
ASY_MUST_CHECK int asy_msg_encode(const struct asy_msg *msg, struct asy_buf *buf,
                                  struct asy_error *err);
/* Texts are never NULL (an absent one is ""), except lease.spec. An event in a report gets study,
 * trial, attempt and its own number from the report. ASY_E_FORMAT: not a frame of ours.
 * ASY_E_TOOBIG: frame or its unpacked form (8 times the frame) over the limit. ASY_E_FULL: the
 * arena, which should have room for 16 times the frame, is too small. ASY_E_UNSUPPORTED: a body of
 * a later version; ret_msg->type is then ASY_MSG_UNSUPPORTED with the number, ret_msg->session is
 * set. */
ASY_MUST_CHECK int asy_msg_decode(const void *bytes, size_t n, struct asy_arena *arena,
                                  struct asy_msg *ret_msg, struct asy_error *err);
/* A deep copy into the arena. */
ASY_MUST_CHECK int asy_msg_copy(const struct asy_msg *msg, struct asy_arena *arena,
                                struct asy_msg *ret_msg, struct asy_error *err);
const char *asy_msg_protobuf_version(void); /* of protobuf-c, as loaded: "1.4.1" */
#endif
