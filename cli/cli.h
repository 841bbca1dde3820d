/* SPDX-License-Identifier: Apache-2.0
 * cli.h - what the commands of `assay` share: options, the session with a coordinator, text.
 *
 * A command gets its arguments after its name, prints results to stdout and everything else to
 * stderr, and returns the exit code: 0 done, 1 failed, 2 usage, 3 coordinator unreachable,
 * 4 timed out, 128+n ended by signal n.
 *
 * Threads: one. */
#ifndef ASY__CLI_H
#define ASY__CLI_H
#include <stdio.h>
#include <asy/bulk.h>
#include <asy/channel.h>
#include <asy/msg.h>
#include <asy/study.h>

#define ASY__EXIT_KEPT 5  /* `assay node`: another node keeps this home */
#define ASY__EXIT_OWNED 5 /* assay-coordinator: another one has the store */
enum asy__exit {
    EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_AWAY = 3, EXIT_TIMED_OUT = 4
};

struct asy__options {
    const char *words[8];   /* what is no option */
    int n_words;
    char home[4096];
    const char *coordinator; /* an invitation that leads elsewhere; NULL: that of home */
    int json, follow, resume, all, error_stream, list, model, agent, as_worker,
        no_wandb, history;
    int64_t cores, limit, attempt, nodes;
    const char *output, *format, *worker, *user, *method, *objective, *device;
    const char *prompt, *tokens, *temperature, *top, *seed; /* for assay-trainer, which checks */
};
/* Fills from argv (after the command's name); allowed: a string of option letters this command
 * takes: j --json, f --follow, r --resume, a --all, c --cores N, n --limit N, o --output FILE,
 * F --format NAME, e --stderr, A --attempt N, L --list, w --worker ID, m --model, N --nodes N,
 * l --agent, W --worker, U --for USER, S --no-wandb-shim, M --method NAME, O --objective METRIC,
 * H --history, D --device WORD. --home DIR and --coordinator FILE are always taken. */
ASY_MUST_CHECK int asy__options_parse(int argc, char **argv, const char *allowed, int min_words,
                                      int max_words, struct asy__options *ret,
                                      struct asy_error *err);

/* Whether it has refused what it was given: then the command's usage is worth a line. */
int asy__options_refused(void);

/* Prints "assay: <text>", and what was advised, and returns the exit code that fits. */
int asy__complain(const struct asy_error *err);
/* Appends what a command that is to be typed next needs to come to the same coordinator:
 * " --coordinator FILE", " --home DIR" or, for the usual home, nothing. */
void asy__put_place(struct asy_buf *out, const struct asy__options *options);
/* A further line for the complaint that may come: what to do about it. "": none. */
void asy__advise(const char *text);

/* ---- interrupt.c ---------------------------------------------------------------------------- */

/* From now on SIGINT, SIGTERM, SIGUSR1, SIGUSR2 and SIGALRM are noted instead of deadly. */
void asy__interrupts_take(void);
int asy__interrupts(void); /* 0; 1: to leave in order; 2: to end at once */
int asy__interrupted_by(void);      /* the first signal; 0: none came */
void asy__interrupts_forget(void);  /* those that came are dealt with: none has come, but the first
                                     * is known on */
void asy__interrupt_in(int64_t ms); /* by SIGALRM, so long from now */

/* ---- session.c: talking to the coordinator ------------------------------------------------- */

struct asy__session;
enum asy__start { ASY__NO_START, ASY__START_COORDINATOR, ASY__START_NODE };
/* Connects to the coordinator of home; if none lives and start says so, starts one (with an agent:
 * START_NODE) and waits for it. ASY_E_GONE: none lives or it does not answer. */
ASY_MUST_CHECK int asy__session_open(const struct asy__options *options, enum asy__start start,
                                     struct asy__session **ret_session, struct asy_error *err);
void asy__session_close(struct asy__session *session);
/* Whether the coordinator of this home does not end when idle. */
int asy__session_stays(const struct asy__session *session);
/* 1: this command, or its node, has started it, watches over it, and nobody has told it to stay. */
int asy__session_started(struct asy__session *session);
int64_t asy__session_pid(const struct asy__session *session); /* of the coordinator greeted last */
int asy__session_lacks_space(const struct asy__session *session); /* by the last answer */
/* What this command started: tells it to drain (if it has ended, nothing is this command's any
 * more); whether it has ended (or there is none); ends it at once, by force if need be, and waits
 * for that. */
void asy__session_drain(struct asy__session *session);
int asy__session_ended(struct asy__session *session);
/* Whether the coordinator has ended in order: it took its discovery file along, which one that died
 * leaves. */
int asy__session_left(const struct asy__session *session);
void asy__session_end(struct asy__session *session);
/* Starts coordinator and agent anew and greets. */
ASY_MUST_CHECK int asy__session_again(struct asy__session *session, struct asy_error *err);

/* control.c: drains the coordinator of this home, whoever started it, and sees it off. */
ASY_MUST_CHECK int asy__down(const struct asy__options *options, struct asy_error *err);

/* ---- talk.c -------------------------------------------------------------------------------- */

/* Sends msg (its request number is set here) and waits for the whole reply. ret_json is cleared
 * first. A refusal is returned as its code and text. ASY_E_CANCELLED: an interrupt came before the
 * answer (asy__interrupts_take()). */
ASY_MUST_CHECK int asy__ask(struct asy__session *session, struct asy_msg *msg,
                            struct asy_buf *ret_json, struct asy_error *err);
/* A QUERY, parsed. The caller destroys *ret_root. */
ASY_MUST_CHECK int asy__query(struct asy__session *session, const char *what, const char *study,
                              int64_t trial, int64_t after, int64_t limit, const char *arg,
                              struct asy_buf *json, struct asy_json **ret_root,
                              struct asy_error *err);

/* earlier.c. Puts what the studies of its search.from found into *spec; does nothing where that is
 * there. ret_notes: a line for each, for the user. */
ASY_MUST_CHECK int asy__earlier_take(struct asy__session *session, struct asy_study_spec **spec,
                                     struct asy_buf *ret_notes, struct asy_error *err);

/* Sends msg and returns its request number without waiting. ASY_E_AGAIN: not connected. */
ASY_MUST_CHECK int asy__post(struct asy__session *session, struct asy_msg *msg,
                             uint64_t *ret_request, struct asy_error *err);
/* The next frame, borrowed until the next call. ASY_E_AGAIN: none within timeout_ms, or fd (-1:
 * none) can be read. ASY_E_STATE: the coordinator does not know this session (any more). */
ASY_MUST_CHECK int asy__next(struct asy__session *session, int fd, int timeout_ms,
                             struct asy_msg *ret_msg, struct asy_error *err);
/* One try of at most timeout_ms to open the session anew, at whatever coordinator is there now. */
ASY_MUST_CHECK int asy__session_greet(struct asy__session *session, int64_t timeout_ms,
                                      struct asy_error *err);

/* What the coordinator of a home says when it is greeted. */
struct asy__welcome {
    struct asy_id store;
    uint64_t epoch;
    char version[64];
    uint32_t minor;          /* of the protocol */
    uint32_t bulk_port;      /* 0: it has none */
    char files[4096], nonce[64]; /* its home, and what is to be read there; "": not told */
};
/* ASY_E_UNSUPPORTED: the coordinator's protocol is older than 1.minor; the text says what to do. */
ASY_MUST_CHECK int asy__session_speaks(const struct asy__session *session, uint32_t minor,
                                       struct asy_error *err);
/* A line on standard error if attempts of another store wait for a word. */
void asy__offers_hint(struct asy__session *session);
/* Greets the coordinator of home, or the one that an invitation (NULL: none) leads to, and leaves
 * again. Makes nothing, not even a key: ASY_E_NOENT. */
ASY_MUST_CHECK int asy__session_look(const char *home, const char *invitation,
                                     struct asy__welcome *ret_welcome, struct asy_error *err);

/* ---- fetch.c, send.c: files from and to a coordinator elsewhere ------------------------------ */

/* Its folders are not seen from here. */
int asy__session_remote(const struct asy__session *session);
const char *asy__session_host(const struct asy__session *session); /* the coordinator's */
typedef int (*asy__fetched_f)(void *arg, const void *bytes, size_t n, struct asy_error *err);
/* Gives the bytes of a model or log from want->offset on to each(), in order; want: what, study,
 * trial, attempt (of a log), sha (of a model). A log ends where it ends now. ASY_E_NOENT: it is not
 * there, or not for us. ASY_E_UNSUPPORTED: it is a folder. */
ASY_MUST_CHECK int asy__fetch(struct asy__session *session, const struct asy_bulk *want,
                              asy__fetched_f each, void *arg, struct asy_error *err);
/* send.c: the files of a study to a coordinator elsewhere (to one of this home: nothing), each
 * content once and only what it does not have. Shows progress on a terminal. ASY_E_FULL: more than
 * it keeps for a user. ASY_E_CANCELLED: what has come goes on next time. */
ASY_MUST_CHECK int asy__inputs_send(struct asy__session *session, const struct asy_study_spec *spec,
                                    struct asy_error *err);
struct asy__model {
    char path[4096];
    char name[160];          /* as the user knows it: "trial 3 of 'digits'"; "": not said */
    int copied;              /* from elsewhere, to be dropped */
};
/* Where it can be read here; model: it, or its scores, as asy__left_of() finds them. The caller
 * drops it. */
ASY_MUST_CHECK int asy__model_get(struct asy__session *session, const char *study_id,
                                  int64_t trial, const struct asy_json *model,
                                  struct asy__model *ret_model, struct asy_error *err);
void asy__model_drop(struct asy__model *model);
/* A stored model that the user names by its path. Returns it. */
const struct asy__model *asy__model_file(const char *path, struct asy__model *ret_model);
/* As asy__trainer() (trainer.c), whose words about the model's path are then about its name. */
ASY_MUST_CHECK int asy__model_ask(const struct asy__model *model, const char *const *args,
                                  struct asy_buf *ret_out, struct asy_error *err);

/* ---- text.c -------------------------------------------------------------------------------- */

/* Columns of the terminal behind a stream; 0: it is no terminal, lines may be as long as they
 * are. */
size_t asy__columns(FILE *stream);
/* Prints lines; on a terminal each that is too long goes on below, at column `indent` or right of
 * where it began. What is unsafe in them becomes spaces. */
void asy__print_lines(FILE *to, const char *lines, size_t indent);
ASY_MUST_CHECK int asy__trial_number(const char *text, int64_t *ret, struct asy_error *err);

/* ---- final.c ------------------------------------------------------------------------------- */

/* The last screen of a study: best trial, its scores, what became of the others, what to type. A
 * test score that cannot be had is the error, after all the rest was printed. */
ASY_MUST_CHECK int asy__final_screen(struct asy__session *session, const char *study,
                                     const struct asy__options *options, struct asy_error *err);
/* Of that name ("model") among the artifacts of an answer about a trial; NULL: it left none. */
const struct asy_json *asy__left_of(const struct asy_json *trial, const char *name);

/* ---- trainer.c ----------------------------------------------------------------------------- */

/* What a study's data is, as assay-trainer describes it; study: its canonical JSON, or what of it
 * is about the data. The caller destroys *ret_data. ASY_E_INVAL: it finds fault with the data;
 * other codes: it could not be asked. */
ASY_MUST_CHECK int asy__describe_data(const char *study, size_t len, struct asy_json **ret_data,
                                      struct asy_error *err);
/* A model's scores on a part of the study's data; the caller destroys *ret_scores. */
ASY_MUST_CHECK int asy__evaluate(const struct asy_json *spec, const char *model, const char *part,
                                 struct asy_json **ret_scores, struct asy_error *err);
/* The table of a plug-in, for readers. */
ASY_MUST_CHECK int asy__help_plugin(const char *path, struct asy_buf *ret_text,
                                    struct asy_error *err);
/* A plug-in's table as JSON; ASY_E_INVAL: the library has a fault. */
ASY_MUST_CHECK int asy__describe_plugin(const char *path, struct asy_buf *ret_json,
                                        struct asy_error *err);
/* Runs assay-trainer with these arguments and collects its standard output. */
ASY_MUST_CHECK int asy__trainer(const char *const *args, struct asy_buf *ret_out,
                                struct asy_error *err);

/* ---- help.c -------------------------------------------------------------------------------- */

/* A command's usage and what it is about, its options and examples; goes_elsewhere: it has
 * --coordinator. */
void asy__help_text(const char *command, const char *about, const char *usage, int goes_elsewhere,
                    struct asy_buf *ret_text);
/* All exit codes, with what some of them mean for this command; NULL: in general. */
void asy__exit_codes_text(const char *command, struct asy_buf *ret_text);
void asy__exit_codes_table(struct asy_buf *ret_markdown);

/* ---- inputs.c ------------------------------------------------------------------------------ */

/* The study with the list of the files that it names, each read once. ASY_E_TOOBIG: more than the
 * home's files_limit. */
ASY_MUST_CHECK int asy__inputs_list(const struct asy_study_spec *spec, const char *home,
                                    struct asy_study_spec **ret_spec, struct asy_error *err);

/* ---- record.c ------------------------------------------------------------------------------ */

/* The study's data by name, content and size, and how the study uses it; data may be NULL. */
ASY_MUST_CHECK int asy__record_data(struct asy__session *session, const char *study,
                                    const struct asy_study_spec *spec, const struct asy_json *data,
                                    struct asy_error *err);
ASY_MUST_CHECK int asy__record_score(struct asy__session *session, const char *study,
                                     int64_t trial, const char *name, double value,
                                     struct asy_error *err);

/* ---- programs.c ---------------------------------------------------------------------------- */

#define ASY__PROGRAMS 4
/* One of the programs beside this one, and what it says of itself. */
struct asy__program {
    const char *name;
    char path[4096];           /* "": not found */
    struct asy_json *about;    /* its --version --json; NULL: it does not answer */
    struct asy_error why;      /* why not */
};
/* Finds and asks assay-coordinator, -worker, -attempt and -trainer. Fini in every case. */
void asy__programs_ask(struct asy__program programs[ASY__PROGRAMS]);
void asy__programs_fini(struct asy__program programs[ASY__PROGRAMS]);
/* Runs a program of ours and parses the JSON that it prints; the caller destroys *ret_root. An
 * exit code other than 0 is ASY_E_IO with the first line of its standard error. */
ASY_MUST_CHECK int asy__program_json(const char *path, const char *const *args, int timeout_ms,
                                     struct asy_json **ret_root, struct asy_error *err);

/* The table of commands (main.c) as a page of the reference. */
void asy__commands_reference(struct asy_buf *ret_markdown);

/* ---- the commands -------------------------------------------------------------------------- */

int asy__cmd_run(int argc, char **argv);
int asy__cmd_batch(int argc, char **argv);
int asy__cmd_submit(int argc, char **argv);
int asy__cmd_watch(int argc, char **argv);
int asy__cmd_node(int argc, char **argv);
int asy__cmd_up(int argc, char **argv);
int asy__cmd_down(int argc, char **argv);
int asy__cmd_ls(int argc, char **argv);
int asy__cmd_show(int argc, char **argv);
int asy__cmd_trials(int argc, char **argv);
int asy__cmd_best(int argc, char **argv);
int asy__cmd_pareto(int argc, char **argv);
int asy__cmd_importance(int argc, char **argv);
int asy__cmd_replay(int argc, char **argv);
int asy__cmd_report(int argc, char **argv);
int asy__cmd_workers(int argc, char **argv);
int asy__cmd_explain(int argc, char **argv);
int asy__cmd_export(int argc, char **argv);
int asy__cmd_logs(int argc, char **argv);
int asy__cmd_predict(int argc, char **argv);
int asy__cmd_scores(int argc, char **argv);
int asy__cmd_generate(int argc, char **argv);
int asy__cmd_pause(int argc, char **argv);
int asy__cmd_resume(int argc, char **argv);
int asy__cmd_stop(int argc, char **argv);
int asy__cmd_priority(int argc, char **argv);
int asy__cmd_adopt(int argc, char **argv);
int asy__cmd_discard(int argc, char **argv);
int asy__cmd_backup(int argc, char **argv);
int asy__cmd_restore(int argc, char **argv);
int asy__cmd_worker(int argc, char **argv);
int asy__cmd_invite(int argc, char **argv);
int asy__cmd_revoke(int argc, char **argv);
int asy__cmd_config(int argc, char **argv);
int asy__cmd_doctor(int argc, char **argv);
int asy__cmd_help_study(int argc, char **argv);
int asy__cmd_reference(int argc, char **argv);
int asy__cmd_version(int argc, char **argv); /* assay --version [--json] */
#endif
