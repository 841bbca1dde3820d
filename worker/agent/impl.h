/* SPDX-License-Identifier: Apache-2.0
 * impl.h - what the files of the agent share. All of it belongs to the main thread; link.c alone
 * has another thread, and speaks with it in messages.
 *
 * Objects that callbacks may end while the loop still holds a pointer to them are marked (dead,
 * forgotten) and freed by asy__sweep() between two rounds of the loop. */
#ifndef ASY__AGENT_IMPL_H
#define ASY__AGENT_IMPL_H
#include <asy/agent.h>
#include <asy/attempt.h>
#include <asy/gang.h>
#include <asy/keys.h>
#include <asy/msg.h>
#include <asy/node.h>
#include <asy/study.h>
#include "gpu.h"
#include "list.h"

#define ASY__SPECS_MAX 64          /* studies remembered by their content id */
#define ASY__CONNS_MAX 64          /* of one attempt, beside its ranks */
#define ASY__UNDURABLE_MAX 20000   /* reports of one attempt; then its program waits */
#define ASY__IN_FLIGHT_MAX 2000    /* sent, not yet durable */
#define ASY__KEPT_BYTES (1u << 20) /* of one attempt's durable reports, for a restored store */
#define ASY__METRICS_MAX 1000      /* in one line */
#define ASY__METRIC_NAME_MAX 250   /* bytes */
#define ASY__STEP_MAX (1ull << 53)
#define ASY__FLUSH_MS 100          /* a report waits at most this long for company */
#define ASY__RESEND_MS 2000        /* no progress of the watermark for this long: send again */
#define ASY__WAIT_MS 30000         /* a line with "wait" is answered after this at the latest, or at
                                    * once if none of its store was there for so long */
#define ASY__GANG_START_MS 60000   /* until all ranks have greeted */

struct asy__agent;
struct asy__gang;
struct asy__job;
struct asy__pattern;
struct asy__said;

/* ---- words.c: a growing, NULL-terminated list of texts --------------------------------------- */
struct asy__words {
    char **text;
    size_t n, cap;
    int rc;                        /* sticky, as in asy/buf.h */
};
void asy__words_add(struct asy__words *words, const char *text);
ASY_PRINTF(2, 3) void asy__words_addf(struct asy__words *words, const char *fmt, ...);
void asy__words_fini(struct asy__words *words);
ASY_MUST_CHECK int asy__words_check(const struct asy__words *words, struct asy_error *err);

/* ---- link.c: the heartbeat thread ------------------------------------------------------------ */
struct asy__link;
enum asy__link_news { ASY__LINK_NONE, ASY__LINK_FRAME, ASY__LINK_LOST, ASY__LINK_WAYS };
ASY_MUST_CHECK int asy__link_create(struct asy__link **ret_link, struct asy_error *err);
/* Sends what is queued within half a second, then ends the thread. */
void asy__link_destroy(struct asy__link *link);
int asy__link_fd(const struct asy__link *link); /* readable when there is news */
/* Connects anew. The session, if any, is over; queued frames are dropped. */
ASY_MUST_CHECK int asy__link_open(struct asy__link *link, const struct asy_discovery *discovery,
                                  const struct asy_keypair *pair, struct asy_error *err);
/* Drops what is queued and sends this HELLO as soon as there is a connection. */
ASY_MUST_CHECK int asy__link_greet(struct asy__link *link, const struct asy_buf *frame,
                                   struct asy_error *err);
/* From now on heartbeats go out; silence longer than lost_ms is loss. While the agent is idle it
 * beats each idle_ms and is as much more patient. */
ASY_MUST_CHECK int asy__link_session(struct asy__link *link, struct asy_id session,
                                     int64_t heartbeat_ms, int64_t idle_ms, int64_t lost_ms,
                                     struct asy_error *err);
/* idle: it holds no attempt. */
void asy__link_status(struct asy__link *link, uint32_t free_cores, int idle);
/* ASY_E_AGAIN: the queue is full. */
ASY_MUST_CHECK int asy__link_send(struct asy__link *link, const struct asy_buf *frame,
                                  struct asy_error *err);
/* The next news. FRAME: *ret_bytes is the caller's to free(). So it is of WAYS: no endpoint leads
 * to the coordinator, and these are the struct asy_way that say why; it is told once for each time
 * that it is sought, and sought on. */
enum asy__link_news asy__link_next(struct asy__link *link, void **ret_bytes, size_t *ret_len);

/* ---- specs.c: the studies that leases speak of ----------------------------------------------- */
struct asy__spec {
    struct asy__list node;
    struct asy_study_spec *study;
    struct stat *seen;             /* [n_inputs] of its inputs, if all were found at their paths */
    unsigned refs;
    int64_t used_ms;
};
/* text NULL: must be known already (ASY_E_NOENT). The reference is the caller's. */
ASY_MUST_CHECK int asy__spec_get(struct asy__agent *agent, struct asy_sha id, const char *text,
                                 struct asy__spec **ret_spec, struct asy_error *err);
void asy__spec_unref(struct asy__spec *spec);

/* ---- job.c: one attempt ---------------------------------------------------------------------- */
enum asy__job_state {
    ASY__JOB_WAITING = 1,          /* for cores that something is just leaving */
    ASY__JOB_STARTING,             /* its supervisor or gang is being started */
    ASY__JOB_RUNNING,
    ASY__JOB_OVER,                 /* nothing of it runs; reports may wait for their watermark */
};
enum asy__verdict { ASY__GO_ON, ASY__PAUSE, ASY__STOP };

struct asy__report {
    struct asy__report *next;
    unsigned holds;                /* uploads that it waits for */
    char *path, *scores_path;      /* texts of its event that came later */
    size_t weight;                 /* bytes on the wire, about */
    struct asy_report report;      /* points into what follows it */
};
struct asy__reports {
    struct asy__report *first, *last; /* not durable yet */
    struct asy__report *kept, *kept_last; /* durable ones, as many of the newest as there is room */
    size_t kept_bytes;
    uint64_t kept_first;           /* the number of the first that is there, kept or not */
    uint64_t made, durable, sent;  /* numbers: highest made, on disk, sent in this session */
    size_t n;
    int64_t oldest_unsent_ms;      /* 0: none */
    int64_t progress_ms;           /* when durable last rose or sending began */
};

struct asy__conn {
    struct asy__list node;
    struct asy__job *job;          /* of a command, or NULL */
    struct asy__gang *gang;
    struct asy_line *line;
    int rank;                      /* of a gang: -1 before its greeting */
    int dead, refused;             /* refused lines so far */
    int more;                      /* whole lines wait in its buffer */
    int half;                      /* the program says no more, it may still read answers */
    uint64_t wait_number;          /* report whose judgement an answer waits for; 0: none */
    int64_t wait_until_ms, settle_ms;
};
/* A listening Unix socket. */
struct asy__door {
    int fd;                        /* -1: closed */
    char path[108];
};
struct asy__pipe {                 /* stdout of a command with a pattern */
    int fd, log_fd;                /* -1: closed */
    struct asy__pattern *pattern;
    struct asy_buf line;
    uint64_t matches;
};

struct asy__job {
    struct asy__list node;
    struct asy__agent *agent;
    enum asy__job_state state;
    int forgotten;
    /* what was leased */
    struct asy_id study, store;    /* store: that leased it */
    uint64_t trial, epoch, milestone, seed;
    struct asy_sha params_sha;
    uint32_t attempt, ranks;
    uint32_t *cores;               /* [n_cores] numbers of the node's cores, ascending */
    unsigned *cpus;                /* [n_cpus] the kernel's numbers, ascending, each once */
    size_t n_cores, n_cpus;
    uint64_t memory;
    char **gpus;                   /* [n_gpus] ids, as many for each rank, rank by rank */
    uint32_t *gpu_shares;          /* [n_gpus] 1/10,000 of each */
    size_t n_gpus;
    struct asy_checkpoint from;
    char *from_path, *params_text, *owner;
    struct asy_json *params;
    struct asy__spec *spec;
    char name[96];                 /* "study digits trial 3 attempt 1": for messages */
    /* where it lies */
    char *work, *dir, *checkpoints, *logs; /* folders */
    char *resume;                  /* path or NULL */
    /* its files on their way (transfer.c) */
    uint64_t ticket, tail;         /* tasks of the bulk thread: fetching, logs; 0: none */
    int fetching;                  /* it waits for what it needs */
    char **inputs;                 /* where they lie: one block; NULL: at their own paths */
    size_t n_inputs;
    int sees_study;                /* the study's folder may be used here */
    int own_logs;                  /* they lie here only until the coordinator has them */
    int sealed;                    /* its logs are at the coordinator as a whole */
    unsigned n_uploads;
    /* what runs it */
    struct asy_attempt *run_by;    /* command */
    struct asy__gang *gang;        /* native */
    struct asy__door door;
    struct asy__list conns;
    size_t n_conns;
    struct asy__pipe pipe;
    int started;                   /* STARTED was reported */
    /* how it goes */
    uint64_t step;
    int has_step;
    struct asy__reports reports;
    struct asy_checkpoint last;    /* newest it made; path is last_path; attempt 0: none */
    char *last_path;
    enum asy__verdict verdict;     /* what the program is told */
    int ordered;                   /* the coordinator, or a drain, wants its end */
    enum asy_cause cause;          /* of the order */
    char reason[240];
    int told;                      /* the verdict went out at least once */
    uint64_t told_step;            /* the step it stood at then */
    int closing;                   /* its programs are gone: what they said last is read */
    int fenced;                    /* nothing of it is wanted any more */
    int native_ended;              /* its trainer said how it ended */
    int64_t grace_ms, escalate_ms; /* monotonic; INT64_MAX: no escalation pending */
    int signals;                   /* 0, 1: SIGTERM was sent, 2: SIGKILL */
    int64_t silent_ms;             /* when a plug-in of which nothing is heard is killed */
    enum asy_cause doom;           /* NONE, or why we end it as crashed; doom_text */
    char doom_text[240];
    struct asy__parts *parts;      /* NULL: all of it is on this node */
};

/* ---- part.c: attempts whose ranks are on several nodes --------------------------------------- */
struct asy__ended;
struct asy__parts {                /* of one of them, as the lease names them */
    uint32_t own, n;               /* part `own` of [n] is here; part 0 leads */
    uint32_t first_rank, all_ranks;
    struct asy__place {
        struct asy_id worker;
        uint32_t ranks;
        char *host, *gpus;         /* gpus: "ID:SHARE ID:SHARE", whose it sees */
        int answered;              /* lead, while it asks: this part has said what it knows */
    } *places;
    struct asy__ended *here;       /* how it ended here, not yet settled with the others */
    struct asy__ended *there;      /* lead: how another part says it ended */
    uint32_t there_part;
    int firm;                      /* ... for a reason of its own, not since the gang ended */
    int asking;                    /* lead: of what the others know; a report waits for it */
    int closing;                   /* member: over in peace, its ranks are about to be idle */
    int64_t say_ms, by_ms;         /* say again; wait no longer */
};
ASY_MUST_CHECK int asy__parts_take(struct asy__job *job, const struct asy_lease *lease);
ASY_MUST_CHECK int asy__parts_check(const struct asy__job *job, const struct asy_lease *lease,
                                    struct asy_error *err);
void asy__parts_destroy(struct asy__parts *parts);
int asy__part_follows(const struct asy__job *job); /* another part leads */
uint32_t asy__all_ranks(const struct asy__job *job);
/* " on 'node'" for a rank of several nodes; "" else. */
const char *asy__part_place(const struct asy__job *job, int rank, char *text, size_t size);
void asy__part_hear(struct asy__agent *agent, const struct asy_msg *msg);
void asy__part_say(const struct asy__job *job, uint32_t to, enum asy_part_kind kind,
                   const struct asy__gang *gang, const struct asy__words *words);
/* It is over for the coordinator, well: the ranks may stay warm. */
void asy__part_close(struct asy__job *job);
int asy__part_closing(const struct asy__job *job); /* ... and its ranks have PEACE_MS to be idle */
void asy__part_rank_done(struct asy__job *job);    /* a rank of it has ended its order */
/* Nothing of it runs here; 1: its end is told later, or by another. */
int asy__part_ended(struct asy__job *job, const struct asy_event *ended);
/* 1: there is nothing to be killed, and its state is over. */
int asy__part_fenced(struct asy__job *job);
int64_t asy__part_timers(struct asy__job *job, int64_t now_ms);

/* ---- crew.c: the lead's side of a gang on several nodes -------------------------------------- */
struct asy__crew {
    struct asy__door door;         /* where mpirun's launch agents say what they are to start */
    struct asy__list callers;
    char *launch;                  /* a name for the launch agent without a space in it */
    int one_host;                  /* all parts are on the same */
    uint32_t n;
    struct asy__member {           /* [n], parts 1, 2, … */
        struct asy_id worker;
        uint32_t ranks;
        char *gpus;                /* as in struct asy__place */
        struct asy__words words;   /* START: what runs there */
        int called, ready;
    } members[];
};
struct asy__caller {
    struct asy__list node;
    struct asy__gang *gang;
    int fd, dead, done;
    struct asy_buf said;
};
ASY_MUST_CHECK int asy__crew_open(struct asy__gang *gang, const struct asy__job *job,
                                  struct asy_error *err);
void asy__crew_destroy(struct asy__crew *crew);
int asy__crew_same(const struct asy__gang *gang, const struct asy__job *job);
/* The words of mpirun up to the program. */
void asy__crew_words(const struct asy__gang *gang, struct asy__words *argv);
void asy__crew_accept(struct asy__gang *gang);
void asy__crew_read(struct asy__caller *caller);
void asy__crew_run(struct asy__gang *gang);        /* the members shall run its next job */
void asy__crew_call(struct asy__gang *gang);       /* asks those that are not ready, again */
void asy__crew_is_ready(struct asy__gang *gang, uint32_t part);
int asy__crew_complete(const struct asy__gang *gang);
void asy__crew_sweep(struct asy__crew *crew);
/* The words of Open MPI's daemon out of what a launch agent was given; NULL: there are none. */
ASY_MUST_CHECK int asy__crew_parse(const char *const *given, size_t n, struct asy__words *ret,
                                   struct asy_error *err);

/* Takes a lease; whatever is wrong with it becomes a report. ASY_E_NOMEM only. */
ASY_MUST_CHECK int asy__job_lease(struct asy__agent *agent, const struct asy_lease *lease,
                                  struct asy_error *err);
/* Leased by the store that we speak with. epoch 0: any. */
struct asy__job *asy__job_find(struct asy__agent *agent, struct asy_id study, uint64_t trial,
                               uint32_t attempt, uint64_t epoch);
/* Leased by this store; none: by any, the one that we speak with first. */
struct asy__job *asy__job_find_of(struct asy__agent *agent, struct asy_id store,
                                  const struct asy_holding *what);
/* Another store leased it than the one that we speak with: nothing is said of it but in HELLO. */
int asy__job_foreign(const struct asy__job *job);
void asy__job_try_start(struct asy__job *job);      /* WAITING: if its cores are free */
void asy__job_started(struct asy__job *job, pid_t pid);
void asy__job_cancel(struct asy__job *job, enum asy_cancel_mode mode, int64_t grace_ms,
                     enum asy_cause cause, const char *text);
void asy__job_fence(struct asy__job *job);          /* kill, report nothing more */
/* Nothing of it runs, or the coordinator has ended it and it is about to be gone. */
int asy__job_leaves(const struct asy__job *job);
void asy__job_doom(struct asy__job *job, enum asy_cause cause, const char *text);
/* The verdict that goes with an answer; step may have reached the milestone. */
void asy__job_stepped(struct asy__job *job, uint64_t step);
void asy__job_told(struct asy__job *job);           /* the verdict was sent */
void asy__job_heard(struct asy__job *job);          /* its trainer goes on */
void asy__job_attempt(struct asy__job *job);        /* its supervisor's line is readable */
/* Nothing of it runs any more; event: how its supervisor saw the end, NULL: it never started. */
void asy__job_ended(struct asy__job *job, const struct asy_attempt_event *event);
void asy__job_refuse(struct asy__job *job, enum asy_end end, enum asy_cause cause,
                     const char *text);
void asy__job_not_fetched(struct asy__job *job, int rc, const char *text);
void asy__job_report_end(struct asy__job *job, const struct asy_event *ended);
/* Its trainer ended before all of its ranks had greeted. */
void asy__job_not_begun(struct asy__job *job, const struct asy_attempt_event *event);
void asy__job_not_greeted(struct asy__job *job, const struct asy_attempt_event *event);
void asy__job_native_end(struct asy__job *job, enum asy_end end, enum asy_cause cause,
                         const struct asy__said *said);
int64_t asy__job_timers(struct asy__job *job, int64_t now_ms); /* returns the next deadline */
int asy__job_alive(const struct asy__job *job);     /* processes of it may run */
int asy__job_checkpoints(const struct asy__job *job); /* declared: may be paused */
int asy__job_full(const struct asy__job *job);      /* its whole length is done */
void asy__job_destroy(struct asy__job *job);

/* ---- end.c: how an attempt ended, as one event ----------------------------------------------- */
/* Fills the ENDED part of event; text must hold what it points to. */
struct asy__ended {
    struct asy_event event;
    char text[1200];
};
void asy__end_judge(const struct asy__job *job, const struct asy_attempt_event *seen,
                    struct asy__ended *ret);
/* The last five lines of a log, at most size - 1 bytes; from: where this attempt's part begins. */
void asy__end_tail(const char *path, int64_t from, char *ret_text, size_t size);

/* ---- command.c: environment and folders ------------------------------------------------------ */
ASY_MUST_CHECK int asy__command_start(struct asy__job *job, struct asy_error *err);
/* Variables that every program gets: thread counts; which GPUs it sees. */
void asy__command_threads(const struct asy__job *job, struct asy__words *env);
void asy__command_gpus(const struct asy__job *job, struct asy__words *env);
/* Inherited variables that no program of ours shall see. */
extern const char *const asy__env_drop[];

/* ---- files.c: folders, checkpoints, models --------------------------------------------------- */
ASY_MUST_CHECK int asy__files_prepare(struct asy__job *job, struct asy_error *err);
/* Moves dir/name into the artifacts: as a file of its own for the checkpoint that this report tells
 * of; 0: under the name of its content alone, as a model. *ret_path is the caller's to free(). */
ASY_MUST_CHECK int asy__files_keep(struct asy__job *job, const char *dir, const char *name,
                                   uint64_t report, struct asy_sha *ret_sha, uint64_t *ret_bytes,
                                   char **ret_path, struct asy_error *err);
/* Finds the checkpoint that the lease names and checks its hash. */
ASY_MUST_CHECK int asy__files_resume(struct asy__job *job, struct asy_error *err);
void asy__files_clean(struct asy__job *job);
/* What was left of its logs for the coordinator is not wanted any more. */
void asy__files_forget(struct asy__job *job);
/* A new text "a/b". NULL: no memory. */
ASY_PRINTF(1, 2) char *asy__textf(const char *fmt, ...);

/* ---- transfer.c: files on their way ---------------------------------------------------------- */
ASY_MUST_CHECK int asy__transfer_create(struct asy__agent *agent, struct asy_error *err);
void asy__transfer_fini(struct asy__agent *agent); /* all jobs are gone */
/* Whether the coordinator's folders are seen from here, and where its bulk socket is. */
void asy__transfer_welcome(struct asy__agent *agent, const struct asy_msg *msg);
/* Somebody else is where it was: nothing more is tried there until the next WELCOME. */
void asy__transfer_away(struct asy__agent *agent);
void asy__transfer_news(struct asy__agent *agent); /* the bulk thread has something to say */
/* Begins to find or fetch what the attempt needs; it may start when it is not `fetching`. */
ASY_MUST_CHECK int asy__transfer_begin(struct asy__job *job, struct asy_error *err);
/* Where the i-th input of its study lies, and the checkpoint to start from (NULL: not fetched). */
const char *asy__transfer_input(const struct asy__job *job, size_t i);
const char *asy__transfer_checkpoint(const struct asy__job *job);
/* Moves what is at `from` into the cache and begins to hand it over. *ret_path: where it lies here,
 * the caller's to free(). The report that is made next is its report: asy__transfer_hold(). */
ASY_MUST_CHECK int asy__transfer_put(struct asy__job *job, const char *from, uint64_t report,
                                     struct asy_sha sha, char **ret_path, struct asy_error *err);
/* The newest report waits for what is on its way for it; ENDED for the logs, too. */
void asy__transfer_hold(struct asy__job *job);
int asy__transfer_busy(const struct asy__job *job); /* its program should wait */
void asy__transfer_tail(struct asy__job *job);      /* its logs begin */
/* It was adopted, and has another number: its logs bear that, from their beginning. */
void asy__transfer_renumbered(struct asy__job *job);
void asy__transfer_over(struct asy__job *job);      /* it needs its inputs no more */
void asy__transfer_destroy(struct asy__job *job);

/* ---- conn.c: Unix sockets and the line protocol ---------------------------------------------- */
ASY_MUST_CHECK int asy__door_open(struct asy__agent *agent, struct asy__door *door,
                                  struct asy_error *err);
void asy__door_close(struct asy__door *door);
ASY_MUST_CHECK int asy__rundir_create(char *ret_path, size_t size, struct asy_error *err);
void asy__rundir_remove(const char *path);
void asy__rundir_sweep(void); /* removes those of this user's agents that are gone */
/* The next of our own user's processes that wait at the door; -1: none. */
int asy__door_next(struct asy__agent *agent, const struct asy__door *door);
/* Counts that the process behind fd is not listened to; why: static. */
void asy__door_refused(struct asy__agent *agent, int fd, const char *why);
void asy__door_tell(struct asy__agent *agent); /* of those, now and then */
/* Accepts who waits at the door; job or gang. */
void asy__door_accept(struct asy__agent *agent, struct asy__door *door, struct asy__job *job,
                      struct asy__gang *gang);
void asy__conn_ready(struct asy__conn *conn, short revents);
/* Whether its lines may be read now: no answer is owed, and its reports are not piling up. */
int asy__conn_listens(const struct asy__conn *conn);
void asy__conn_close(struct asy__conn *conn);
void asy__conn_destroy(struct asy__conn *conn);
void asy__conn_say(struct asy__conn *conn, const char *text, size_t len);
/* Tells the program of a job whose verdict is to stop. */
void asy__conns_stop(struct asy__job *job);
/* Answers those whose wait is over. Returns the next deadline. */
int64_t asy__conn_waits(struct asy__job *job, int64_t now_ms);
/* Lines that were left in its buffer while it waited. */
void asy__conn_resume(struct asy__conn *conn);

/* ---- lines.c: what a program may say --------------------------------------------------------- */
struct asy__said {
    enum {
        ASY__SAID_REPORT = 1, ASY__SAID_CHECKPOINT, ASY__SAID_HELLO, ASY__SAID_BOUND, ASY__SAID_END,
        ASY__SAID_ALIVE
    } what;
    uint64_t step;
    int wait;
    struct asy_metric *metrics;    /* [n_metrics]; names borrowed from root */
    size_t n_metrics;
    const char *name;              /* of a checkpoint */
    const char *token;             /* HELLO */
    int64_t rank;
    const char *cpus;              /* BOUND: "0,2-3", or "" and a reason */
    const char *outcome, *model, *scores, *reason; /* END; model and scores: paths, or NULL */
    double objective;
    struct asy_json *root;
};
ASY_MUST_CHECK int asy__said_parse(const char *line, size_t len, struct asy__said *ret_said,
                                   struct asy_error *err);
void asy__said_fini(struct asy__said *said);

/* ---- pattern.c: metrics from stdout ---------------------------------------------------------- */
ASY_MUST_CHECK int asy__pattern_create(const char *text, struct asy__pattern **ret_pattern,
                                       struct asy_error *err);
void asy__pattern_destroy(struct asy__pattern *pattern);
/* 1: the line matches; *ret_has_step says whether the group `step` was there. Names are borrowed
 * from the pattern. At most max metrics. */
int asy__pattern_match(struct asy__pattern *pattern, const char *line, size_t len,
                       uint64_t *ret_step, int *ret_has_step, struct asy_metric *metrics,
                       size_t max, size_t *ret_n);
void asy__pipe_ready(struct asy__job *job); /* stdout is readable or at its end */
void asy__pipe_close(struct asy__pipe *pipe);

/* ---- reports.c ------------------------------------------------------------------------------- */
/* Numbers the event and queues a copy; event's report number is filled in. */
ASY_MUST_CHECK int asy__report_add(struct asy__job *job, const struct asy_event *event,
                                   struct asy_error *err);
void asy__report_durable(struct asy__job *job, uint64_t durable);
void asy__reports_flush(struct asy__agent *agent, int64_t now_ms, int all);
int64_t asy__reports_deadline(const struct asy__agent *agent);
void asy__reports_unsend(struct asy__agent *agent); /* a new session: sends all anew */
/* It goes on in a store that has none of its reports: all go out, under its new numbers. */
void asy__reports_again(struct asy__job *job);
void asy__reports_fini(struct asy__reports *reports);

/* ---- gang_death.c: the rank that ended a gang ------------------------------------------------ */
struct asy__death {
    int rank;                      /* -1: none is known */
    int signal;                    /* 0: none is known, or it exited */
    int exit_code;                 /* -1: a signal ended it, or not known */
    char words[800];               /* what it said last */
};
/* Its connection has ended: what the kernel has of it still. */
void asy__death_of_rank(struct asy__death *death, int rank, pid_t pid);
/* What mpirun said of it, if it did: in a log from a place on, or in a text. */
void asy__death_read(struct asy__death *death, const char *log, int64_t from);
void asy__death_in_words(struct asy__death *death, const char *text);

/* ---- scratch.c: shared memory and sessions of gangs ------------------------------------------ */
/* An empty folder of its own for a gang; *ret_path is the caller's to free(). */
ASY_MUST_CHECK int asy__scratch_make(struct asy__agent *agent, unsigned serial, char **ret_path,
                                     struct asy_error *err);
void asy__scratch_close(struct asy__agent *agent); /* all of it goes */
void asy__scratch_sweep(void); /* removes those of this user's agents that are gone */

/* ---- local.c: where attempts work ------------------------------------------------------------ */
/* Chooses the folder and removes those of agents that are gone. ASY_E_INVAL: the setting is no
 * folder. */
ASY_MUST_CHECK int asy__local_open(struct asy__agent *agent, struct asy_error *err);
void asy__local_close(struct asy__agent *agent);

/* ---- gang.c: trainers ------------------------------------------------------------------------ */
struct asy__gang {
    struct asy__list node;
    struct asy__agent *agent;
    unsigned serial;
    char *owner;
    uint32_t ranks;
    uint32_t *cores;               /* [n_cores] of its job, or of its last one */
    size_t n_cores;                /* rank r has the r-th of equal parts */
    uint64_t memory;
    char **gpus;                   /* [n_gpus] which its processes see, as a job has them */
    uint32_t *gpu_shares;
    size_t n_gpus;
    struct asy_attempt *attempt;
    pid_t launcher;                /* mpirun; 0: none, or not yet */
    char *scratch;                 /* folder, or NULL */
    struct asy__death death;
    struct asy__door door;
    struct asy__list conns;
    size_t n_conns;
    struct asy__job *job;          /* what it runs, or waits to run */
    char token[ASY_ID_TEXT];
    char *log;
    int64_t log_from;              /* where the present job's part of the log begins */
    uint32_t greeted;
    uint32_t running;              /* ranks that have not said how the last order ended */
    pid_t *pids;                   /* [ranks] of the ranks; 0: not greeted */
    double cpu_before_s;
    unsigned trials;
    uint64_t first_rss;
    int64_t start_by_ms, idle_since_ms;
    int dying, dead;               /* dying: told to end; dead: nothing of it is left */
    int killed;                    /* by us, since a rank was lost */
    /* of ranks on several nodes */
    struct asy_id id;              /* the same on all of them */
    uint32_t part;                 /* 0: this one started it */
    uint32_t first_rank, all_ranks;
    struct asy__crew *crew;        /* of the lead; else NULL */
    int64_t kill_at_ms;
};
ASY_MUST_CHECK int asy__gang_start(struct asy__job *job, struct asy_error *err);
/* The part of a gang that another node's agent starts: by these words of Open MPI's daemon. */
ASY_MUST_CHECK int asy__gang_follow(struct asy__job *job, struct asy_id id,
                                    const struct asy__words *daemon, struct asy_error *err);
/* Its job in the part of a warm gang; ASY_E_AGAIN: not yet, ASY_E_NOENT: it is not there. */
ASY_MUST_CHECK int asy__gang_rejoin(struct asy__job *job, struct asy_id id, struct asy_error *err);
void asy__gang_go(struct asy__gang *gang);          /* if all that it needs is there */
int asy__gang_spans(const struct asy__gang *gang);  /* it has ranks on other nodes */
/* Whether it may take such a job when it is idle, wherever its cores are. */
int asy__gang_suits(const struct asy__gang *gang, const struct asy__job *job);
/* ... and its memory limit and GPUs are the job's. */
int asy__gang_can_take(const struct asy__gang *gang, const struct asy__job *job);
void asy__gang_kill(struct asy__gang *gang);
void asy__gang_ready(struct asy__gang *gang);       /* its supervisor's line is readable */
void asy__gang_hello(struct asy__conn *conn, const struct asy__said *said);
/* A rank says which CPUs it has bound itself to: held against its lease and against the kernel. */
void asy__gang_bound(struct asy__conn *conn, const struct asy__said *said);
void asy__gang_tell(struct asy__gang *gang, const char *what); /* "pause", "stop", "exit" */
/* What the present job cost: processor time since it began, largest resident size of a rank. */
void asy__gang_usage(const struct asy__gang *gang, double *ret_cpu_s, uint64_t *ret_max_rss);
/* The job is over: the gang is idle, or recycled. */
void asy__gang_release(struct asy__gang *gang, int healthy);
void asy__gang_end(struct asy__gang *gang);         /* asks it to exit, kills soon after */
void asy__gang_rank_lost(struct asy__gang *gang, int rank); /* its connection closed */
int64_t asy__gang_timers(struct asy__gang *gang, int64_t now_ms);
void asy__gang_destroy(struct asy__gang *gang);

/* ---- gang_start.c: how trainers are started -------------------------------------------------- */
/* Token, log, door and supervisor of a new gang; what failed half-way is the gang's to destroy.
 * daemon: see asy__gang_follow(); else NULL. */
ASY_MUST_CHECK int asy__gang_launch(struct asy__gang *gang, const struct asy__job *job,
                                    const struct asy__words *daemon, struct asy_error *err);
struct asy__programs;
/* Starts two ranks as a gang would be and lets them add up a sum. ret_said: all they and mpirun
 * printed. */
ASY_MUST_CHECK int asy__gang_try(const struct asy__programs *programs, struct asy_buf *ret_said,
                                 struct asy_error *err);

/* ---- order.c: what a trainer is told to do --------------------------------------------------- */
/* cpus: what the rank shall bind itself to, "0,2-3". */
ASY_MUST_CHECK int asy__order_run(const struct asy__job *job, const char *cpus,
                                  struct asy_buf *ret_line, struct asy_error *err);

/* ---- probe.c --------------------------------------------------------------------------------- */
struct asy__programs {
    char attempt[4096], trainer[4096], mpirun[4096], worker[4096]; /* "": not found */
    char python[4096];             /* folder of our Python modules; "": not found */
    char launcher[128];            /* "mpirun (Open MPI) 4.1.4" */
    char *probe;                   /* JSON of assay-trainer --probe, or NULL */
    char *kernels;                 /* JSON of its versions, or NULL */
    double gflops, bandwidth_gb_s; /* of one core, as the probe measured them; 0: not measured */
    char fit[240];                 /* "" or why this node is out of service */
    char trainer_note[240];        /* "" or why native models cannot run here */
};
void asy__programs_find(struct asy__programs *programs);
void asy__programs_probe(struct asy__programs *programs, const char *blas);
void asy__programs_fini(struct asy__programs *programs);
void asy__hardware_write(const struct asy__agent *agent, struct asy_jsonw *w);
void asy__versions_write(const struct asy__programs *programs, struct asy_jsonw *w);

/* ---- session.c ------------------------------------------------------------------------------- */
enum asy__session_state {
    ASY__SESSION_NONE = 1,         /* no coordinator known */
    ASY__SESSION_GREETING,
    ASY__SESSION_JOINED,
};
#define ASY__TRIES_REOPEN 2 /* greetings without an answer, then a new connection */
struct asy__session {
    enum asy__session_state state;
    struct asy_discovery discovery;
    struct asy_id id, store;
    uint64_t owner_epoch;
    int64_t next_ms;               /* NONE: look again; GREETING: greet again */
    unsigned tries, turn;          /* turn: of the places to look at */
    int64_t heard_ms;              /* when last a coordinator was there */
    int64_t left_ms;               /* ... of the store before this one */
    int64_t refused_ms;            /* since when the key is refused; 0: it is not */
    char refused_key[ASY_KEY_TEXT];
    uint32_t minor;                /* of the protocol that the coordinator speaks */
};
void asy__session_start(struct asy__agent *agent);
void asy__session_greet(struct asy__agent *agent); /* a new session */
void asy__session_news(struct asy__agent *agent);
int64_t asy__session_timers(struct asy__agent *agent, int64_t now_ms);
void asy__session_bye(struct asy__agent *agent, const char *text);

/* ---- find.c: where the coordinator is -------------------------------------------------------- */
/* Reads the files anew; sets the agent's key and owner. turn: the how manieth place to look at.
 * ASY_E_NOENT: there is none yet, or any more. */
ASY_MUST_CHECK int asy__find_coordinator(struct asy__agent *agent, unsigned turn,
                                         struct asy_discovery *ret_found, struct asy_error *err);
/* Keeps what a WELCOME tells of the coordinator's addresses. */
void asy__find_told(struct asy__agent *agent, const struct asy_msg *welcome);
/* None of these leads to it: says why. A key that stays refused ends the agent. */
void asy__find_failed(struct asy__agent *agent, const struct asy_way *ways, size_t n);

/* ---- space.c: a full disk -------------------------------------------------------------------- */
struct asy__space {
    char fit[240];                 /* "", or why this node is out of service until there is space */
    int64_t look_ms;
};
/* Something of ours could not be written for want of space. */
void asy__space_gone(struct asy__agent *agent);
/* Whether not even a little can be written now. */
int asy__space_lacks(const struct asy__agent *agent);
int64_t asy__space_timers(struct asy__agent *agent, int64_t now_ms);
/* "" or why this node takes no leases. */
const char *asy__agent_unfit(const struct asy__agent *agent);

/* ---- agent.c: the loop ----------------------------------------------------------------------- */
struct asy__agent {
    struct asy_agent_options options;
    char *home, *discovery_path;
    char *work;                    /* folder of its own, in which attempts work */
    int own_disk;                  /* it is on a disk of this node, not below the home */
    int work_fd;                   /* its lock; -1: none */
    char version[32];
    struct asy_id id;
    struct asy_keypair pair;
    char owner[ASY_KEY_TEXT];      /* public key of the user whose studies it runs */
    struct asy_node *node;
    struct asy__programs programs;
    struct asy__gpus gpus;
    struct asy__gpu_search *gpu_search; /* of slow drivers; NULL: all is known */
    struct asy_buf hardware, versions;
    char cgroup[512];
    char rundir[80];
    char scratch[80];              /* "": no gang has needed it yet */
    int scratch_fd;                /* its lock; -1: none */
    unsigned serial;               /* of doors and gangs */
    struct asy__strangers {
        uint64_t n, told;
        int64_t told_ms;
        pid_t pid;                 /* of the last one */
        uid_t uid;
        const char *why;
    } strangers;                   /* that came to the doors: other users, wrong tokens */
    struct asy__link *link;
    struct asy__session session;
    struct asy__space space;
    struct asy_arena *arena;
    struct asy__cache *cache;
    struct asy__bulk *bulk;
    struct asy__list uploads;
    uint64_t tickets;              /* given out */
    int shared;                    /* the coordinator's folders are seen from here */
    char *store_home;              /* shared: its home, as it is called here */
    struct asy_id bulk_store;      /* of the connection to the bulk socket */
    uint64_t bulk_epoch;
    uint32_t bulk_port;
    struct asy__list jobs, gangs, specs;
    size_t n_jobs;
    int signals;                   /* signalfd */
    int draining;                  /* takes nothing new */
    int told;                      /* to end; see asy_told() */
    int leaving;                   /* ends when empty */
    int sweeping;                  /* orphans of a dead supervisor are being ended */
    int64_t sweep_ms;
    int64_t leave_ms;              /* for the end of the batch job; monotonic, INT64_MAX: never */
    int64_t drain_until_ms;
    int64_t offers_until_ms;       /* nothing but offers of ended attempts is left; 0: more is */
    int64_t idle_since_ms;
    int rejected;
    char reject_text[240];
    uint32_t free_told;
};

/* ---- busy.c ---------------------------------------------------------------------------------- */
uint32_t asy__agent_free_cores(const struct asy__agent *agent);
/* Whether something else that lives uses one of the job's CPUs, or more of its GPUs than is left.
 * Asks idle gangs there to go that may not take it. */
int asy__agent_cpus_busy(struct asy__agent *agent, const struct asy__job *job);

/* ---- leave.c --------------------------------------------------------------------------------- */
void asy__agent_drain(struct asy__agent *agent, enum asy_cause cause, const char *text);
void asy__leave_signals(struct asy__agent *agent); /* some may have come */
void asy__leave_idle(struct asy__agent *agent, int64_t now_ms); /* if it is, and was told to */
/* 1: the loop may end. *ret_rc says how. */
int asy__leave_now(struct asy__agent *agent, int64_t now_ms, int *ret_rc, struct asy_error *err);

/* ---- learn.c --------------------------------------------------------------------------------- */
ASY_MUST_CHECK int asy__learn_node(struct asy__agent *agent, int gpu_patience_ms,
                                   struct asy_error *err);
int64_t asy__learn_timers(struct asy__agent *agent, int64_t now_ms); /* GPUs that come later */
void asy__learn_walltime(struct asy__agent *agent);
ASY_MUST_CHECK int asy__learn_key(struct asy__agent *agent, const char *key_path,
                                  struct asy_error *err);

/* ---- crash.c --------------------------------------------------------------------------------- */
/* Where a test may have the agent die (asy/crash.h); the name must stand in the table. */
void asy__crash_point(const char *name);
#endif
