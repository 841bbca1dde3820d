/* SPDX-License-Identifier: Apache-2.0
 * asy/study.h - the study file: what a user asks for, parsed and checked into a plain struct.
 *
 * One table (study_table.c: key, type, unit, range, default, help; rows for samplers, pruners and
 * model families too) gives the parser, `assay help study` and docs/reference. A mistake is
 * reported as file:line:column, key, what is allowed, nearest right word; all mistakes at once, in
 * the order of the file.
 *
 * A file without `assay:` that has `method:` is a W&B sweep and read as one (study_wandb.h).
 *
 * The canonical form is JSON with the keys of the study file, every default filled in and paths
 * made absolute; JSON is YAML, so the same parser reads it back, and a study's identity is its
 * bytes.
 *
 * Ownership: a spec owns all it points to. Threads: read-only after parsing. */
#ifndef ASY_STUDY_H
#define ASY_STUDY_H
#include <asy/hash.h>
#include <asy/space.h>

struct asy_proc_spec; /* asy/proc.h */

#define ASY_STUDY_FILE_MAX (1u << 20)
#define ASY_STUDY_OBJECTIVES_MAX 16
#define ASY_STUDY_STRICT_RANKS 8 /* at most, with reproducible: strict */
#define ASY_STUDY_CONSTRAINTS_MAX 16

enum asy_run_kind { ASY_RUN_MODEL = 1, ASY_RUN_COMMAND = 2, ASY_RUN_PLUGIN = 3 };
enum asy_take { ASY_TAKE_BEST = 1, ASY_TAKE_LAST = 2, ASY_TAKE_MEAN = 3 };

struct asy_named_number {
    const char *name;
    double value;
};
struct asy_objective {
    const char *metric;
    int maximize;
    enum asy_take take;
    double target; /* NaN: none */
};
/* A bound on a metric's last value; a trial outside is no result. */
struct asy_constraint {
    const char *metric;
    double min, max; /* -INFINITY, INFINITY: open */
};
/* A file that a study names, as it was when the study was submitted. */
struct asy_study_input {
    const char *path;                   /* absolute, where the study was submitted */
    const char *place;                  /* in a trial's folder, relative; NULL: it has none */
    struct asy_sha sha;
    uint64_t bytes;
    int executable;
    int folder;                         /* an empty folder: no sha, no bytes */
};
/* A trial of an earlier study. */
struct asy_study_earlier {
    const char *study;
    uint64_t trial;
    double rank;                        /* share of that study's results that are better: above 0,
                                         * below 1 */
    size_t source;                      /* which of the spec's `from` it is */
};
/* An earlier study as a coordinator tells of it: answers to "study" and "trials". */
struct asy_study_source {
    const char *name;
    const struct asy_json *spec;        /* its canonical tree */
    const struct asy_json *trials;
};
struct asy_study_spec {
    const char *name, *description, *project;
    const char *const *tags;            /* [2 * n_tags] key, value */
    size_t n_tags;
    int64_t priority, retries;

    enum asy_run_kind kind;
    const char *model;                  /* MODEL */
    const char *plugin;                 /* PLUGIN: absolute */
    int64_t silence_ms;                 /* PLUGIN: ended if nothing is heard of it; 0: never */
    const struct asy_json *fixed;       /* MODEL, PLUGIN: constants, an object; borrowed from the
                                           spec's canonical tree */
    const char *const *command;         /* COMMAND: [n_command] with {placeholders} */
    size_t n_command;
    const char *const *files; size_t n_files;
    const char *const *env; size_t n_env;           /* "K=V" */
    int cwd_trial;                      /* 1: the trial's folder, 0: the study file's */
    int64_t grace_ms;
    int wandb;                          /* COMMAND: our stand-in for the module is to be found */
    const char *pattern;                /* COMMAND: regular expression for stdout; NULL: socket */
    int checkpoint;                     /* COMMAND: declares that it checkpoints; else 1 */
    const char *length_unit; uint64_t length_max;   /* UINT64_MAX: open (commands) */
    int64_t repeats;

    const char *data_file;              /* absolute; NULL: none */
    const char *data_labels;            /* likewise: a second file, of labels */

    const struct asy_objective *objectives; size_t n_objectives;    /* at least 1 */
    const struct asy_constraint *constraints; size_t n_constraints;
    const struct asy_space *space;

    const char *sampler; const struct asy_named_number *sampler_options; size_t n_sampler_options;
    const char *pruner;  const struct asy_named_number *pruner_options;  size_t n_pruner_options;
    uint64_t seed;
    int deterministic; uint64_t lag;
    const double *enqueue;              /* [n_enqueue][space length]; ASY_INACTIVE: not given; those
                                         * of `first` are among them */
    size_t n_enqueue;
    const double *told;                 /* [n_told][space length] points tried elsewhere */
    const double *told_values;          /* [n_told][n_objectives] what came out; NaN: diverged */
    size_t n_told;
    const char *const *from;            /* [n_from] earlier studies to learn from */
    size_t n_from;
    size_t unread;                      /* of them: what they found is not here yet */
    const struct asy_study_earlier *earlier; /* [n_earlier] what they found */
    const double *earlier_x;            /* [n_earlier][space length]; ASY_INACTIVE: not known */
    size_t n_earlier;
    const size_t *first;                /* [n_first] of earlier: points that stand in enqueue, */
    size_t n_first, n_given;            /* ... behind the n_given that the user gives */

    uint64_t max_trials;                /* UINT64_MAX: open */
    uint64_t patience;                  /* complete trials in a row that may be no better;
                                         * UINT64_MAX: any number */
    double regret;                      /* by how much the best there is may be better than the
                                         * best trial, by a model (asy/regret.h); NaN: no matter */
    int64_t max_time_ms;                /* INT64_MAX: open */
    uint64_t parallel;                  /* 0: as many as fit */

    uint32_t cores, ranks;              /* cores, memory, gpus per rank */
    uint32_t gpus;                      /* in 1/10,000: below ASY_GPU_WHOLE a part of one, from
                                         * there on a multiple of it */
    uint64_t memory;
    const char *device, *reproducible;

    const struct asy_study_input *inputs; /* [n_inputs] */
    size_t n_inputs;
    int has_inputs;                     /* 0: they were never listed (an older command line) */

    uint64_t unsaid;                    /* keys left to a default that was another one before;
                                         * see asy_study_said() */
    const char *base_dir;               /* folder of the study file, absolute */
    const char *canonical; size_t canonical_len;
    struct asy_sha id;                  /* of the canonical bytes */
    const struct asy_json *root;        /* the canonical tree */
};

/* text: YAML (or canonical JSON). file: its name for messages. base_dir: absolute; relative paths
 * are taken from it; NULL for canonical text, which names its own. On ASY_E_INVAL or ASY_E_FORMAT
 * problems holds every mistake, one a line, and err the first. */
ASY_MUST_CHECK int asy_study_parse(const char *text, size_t len, const char *file,
                                   const char *base_dir, struct asy_study_spec **ret_spec,
                                   struct asy_buf *problems, struct asy_error *err);
/* Who can look into a study's data, which this library cannot read. text is JSON with "data" as in
 * the canonical form and, where it is no mistake by itself, "objective.metric"; also, of a model,
 * "run" with its constants, and a "sample" of what parameters its layers have, at their least.
 * ASY_E_INVAL: what is wrong, as "key: why" (a key of data, objective or run; the latter may go on
 * "layer N (kind): why") or of the file as a whole. Other codes: it
 * could not be looked at, which is nobody's mistake here. Who can load a plug-in tells its table
 * likewise (asy/plugin.h); ASY_E_INVAL: the library is a mistake of run.plugin. */
struct asy_study_reader {
    int (*look)(void *ctx, const char *text, size_t len, struct asy_error *err); /* NULL: nobody */
    void *ctx;
    int without_wandb; /* programs of W&B sweeps get no stand-in for its module */
    int (*table)(void *ctx, const char *path, struct asy_buf *ret_json,
                 struct asy_error *err); /* NULL: nobody */
    const char *device; /* a word of resources.device in place of the file's; NULL: as it says */
};
/* The same for a user's own file: relative paths are taken from its folder, and what is wrong with
 * the files that the study names is a mistake like the others: data.file, run.files, a program by
 * its path are not there, or the reader (NULL: none) finds fault with the data. So is what
 * asy_study_parse() lets pass for the sake of studies that were stored before there was the rule:
 * sync_every beside what it does not go with, numbers without an effect, a model's metric that its
 * labels do not have. Other codes than the two: the study file itself cannot be read. */
ASY_MUST_CHECK int asy_study_load(const char *file, const struct asy_study_reader *reader,
                                  struct asy_study_spec **ret_spec, struct asy_buf *problems,
                                  struct asy_error *err);
/* How many mistakes `problems` holds; *ret_more: 1 if others are left out. */
size_t asy_study_count_problems(const struct asy_buf *problems, int *ret_more);
void asy_study_destroy(struct asy_study_spec *spec);
/* The engine trains: a model, or a plug-in. */
int asy_study_is_native(const struct asy_study_spec *spec);
/* Whether `later` may replace `earlier` on --resume: only budget, resources and priority may
 * differ; ASY_E_INVAL names the key. */
ASY_MUST_CHECK int asy_study_resumable(const struct asy_study_spec *earlier,
                                       const struct asy_study_spec *later, struct asy_error *err);
/* The canonical text of a user's file, for a resume: without the keys that the file does not say
 * and whose default has changed in some release. */
ASY_MUST_CHECK int asy_study_said(const struct asy_study_spec *spec, struct asy_buf *ret_text,
                                  struct asy_error *err);
/* The study that such a text resumes: those keys are as in the stored study. */
ASY_MUST_CHECK int asy_study_as_stored(const struct asy_study_spec *spec,
                                       const struct asy_study_spec *stored,
                                       struct asy_study_spec **ret_spec, struct asy_error *err);
/* The text of `assay help study` (key: NULL) or of one key; ASY_E_NOENT suggests. */
ASY_MUST_CHECK int asy_study_help(const char *key, struct asy_buf *ret_text,
                                  struct asy_error *err);
/* The same table as the reference page (Markdown). */
void asy_study_reference(struct asy_buf *ret_markdown);

/* The same study with this list in place of its own. ASY_E_TOOBIG: too many for a study. */
ASY_MUST_CHECK int asy_study_with_inputs(const struct asy_study_spec *spec,
                                         const struct asy_study_input *inputs, size_t n,
                                         struct asy_study_spec **ret_spec, struct asy_error *err);
/* The same study with what the studies of its `from` found: sources [n_from]. Complete trials with
 * a value are ranked within their study; those whose parameters fit this space are taken, at most
 * 64 of one: the better half and others evenly. A parameter that a trial did not have is not known;
 * a constant of its model counts as one it had. Up to five of the best that lie apart from each
 * other become the first trials, but not more than a fifth of budget.trials. notes: a line for each
 * study, for the user. ASY_E_INVAL: nothing of a study fits, or it has several objectives. */
ASY_MUST_CHECK int asy_study_with_earlier(const struct asy_study_spec *spec,
                                          const struct asy_study_source *sources,
                                          struct asy_buf *notes, struct asy_study_spec **ret_spec,
                                          struct asy_error *err);
/* The same with what `other` has, for a resume. ASY_E_INVAL: `from` names others. */
ASY_MUST_CHECK int asy_study_with_earlier_of(const struct asy_study_spec *spec,
                                             const struct asy_study_spec *other,
                                             struct asy_study_spec **ret_spec,
                                             struct asy_error *err);
/* Rows of the table by group ("sampler tpe", "pruner asha", "model mlp"): for the test that holds
 * tuner and trainer to it. NULL beyond the last. */
const char *asy_study_option(const char *group, size_t i);
/* How a file says an option's value where that is no number: its word, yes or no, or what 0 stands
 * for ("as many as fit"). *ret_len bytes, borrowed from the table; NULL: it is a number. */
const char *asy_study_option_word(const char *group, const char *name, double value,
                                  size_t *ret_len);
/* Where one of run.files goes in a trial's folder: as it lies below base_dir, or by its own name.
 * *ret_len bytes, borrowed from path. */
const char *asy_study_place(const char *base_dir, const char *path, size_t *ret_len);
/* A command's argument vector for a trial: {name} replaced, "{args}" expanded, {{ and }} braces;
 * {env:NAME} as the program finds it, which is started by program's env_set and env_drop
 * (ASY_E_INVAL: it finds nothing); {wandb:args} and its like as W&B would write them
 * (study_wandb_args.c). json_file: what {wandb:args_json_file} becomes, where the caller puts
 * asy_study_json_args(). Both NULL: the words are only to be shown, {env:NAME} from run.env, else
 * as $NAME. *ret_argv is NULL-terminated; free with asy_study_argv_free(). */
ASY_MUST_CHECK int asy_study_argv(const struct asy_study_spec *spec, const struct asy_json *params,
                                  const char *json_file, const struct asy_proc_spec *program,
                                  char ***ret_argv, struct asy_error *err);
/* Whether the command has {wandb:args_json_file}; what belongs into that file. */
int asy_study_wants_json_file(const struct asy_study_spec *spec);
void asy_study_json_args(const struct asy_json *params, struct asy_buf *out);
void asy_study_argv_free(char **argv);
/* Its trials go on from each other's checkpoints (samplers pbt and pb2). */
int asy_study_has_population(const struct asy_study_spec *spec);
/* Of PCRE2, as loaded ("10.42"), which checks the patterns of a study. */
const char *asy_study_pcre2_version(void);
#endif
