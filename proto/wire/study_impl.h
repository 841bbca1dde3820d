/* SPDX-License-Identifier: Apache-2.0
 * study_impl.h - the table of the study file's keys and the state of one parse.
 *
 * A parse goes through the file once by the table (study_read.c), builds the space (study_space.c),
 * checks what spans several keys (study_check*.c), writes the canonical text (study_write.c) and
 * fills the plain struct (study.c). Each step reports its mistakes and goes on, so that a user sees
 * all of them at once. */
#ifndef ASY__STUDY_IMPL_H
#define ASY__STUDY_IMPL_H
#include "arena.h"
#include <asy/study.h>
#include <asy/yaml.h>

enum asy__kind {
    ASY__SECTION,  /* a map; scalar says what a mere word stands for */
    ASY__INT, ASY__NUMBER, ASY__FLAG, ASY__STRING,
    ASY__SHARE,    /* how many, or a part of one; i: in 1/10,000 */
    ASY__WORD,     /* one of words */
    ASY__NAME,     /* 1 to 64 of a-z 0-9 . _ - */
    ASY__DURATION, /* ms; range in ms */
    ASY__SIZE,     /* bytes */
    ASY__PATH, ASY__PATHS,
    ASY__STRINGS,
    ASY__STRING_MAP,
    ASY__COLUMN,   /* name or number */
    ASY__COLUMNS,
    ASY__AUTO_FLAG,/* auto, true, false */
    ASY__OBJECTIVE,/* a section, or a list of them */
    ASY__CONSTRAINTS,
    ASY__LAYERS,   /* the layers of a network */
    ASY__WEIGHTS,  /* of classes, by name or in order */
    ASY__FIXED,    /* constants of the model family: its rows of the group */
    ASY__PARAMETERS, ASY__POINTS,
    ASY__TOLD,     /* results from elsewhere */
    ASY__FROM,     /* earlier studies, or what they found */
    ASY__POINT,    /* values of some parameters; what it does shows in others */
    ASY__INPUTS,   /* files by content, as the command line lists them */
};

#define ASY__REQUIRED (1u << 0)    /* within its section */
#define ASY__FOR_MODEL (1u << 1)   /* only beside run.model and run.plugin */
#define ASY__FOR_COMMAND (1u << 2) /* only beside run.command */
#define ASY__FOR_PLUGIN (1u << 5)  /* only beside run.plugin; with another: beside either */
#define ASY__SHAPE (1u << 6)       /* of a plug-in: cannot change between checkpoints */
#define ASY__MORE_LATER (1u << 3)  /* values above max are of a later version */
#define ASY__TO_READ (1u << 4)     /* PATH, PATHS: must be there when a user's file is loaded */

struct asy__row {
    const char *path;     /* "run.length.max"; an option's bare name in a group */
    enum asy__kind kind;
    unsigned flags;
    const char *group;    /* "sampler tpe", …; NULL: a key of its own */
    double min, max;      /* INT, NUMBER, DURATION, SIZE; min == max == 0: any */
    const char *unit;
    const char *words;    /* "auto|cpu" */
    const char *later;    /* words, or what a text here would be, of a later version */
    const char *scalar;   /* SECTION: the child that a mere word stands for; "=word": that word */
    const char *fallback; /* default as YAML; NULL: none */
    const char *before;   /* in its place in canonical text older than the row; NULL: none */
    const char *absent;   /* what holds without a default, for the help */
    const char *help;
    const char *example;  /* YAML, for the help of sections */
};

extern const struct asy__row asy__rows[];
extern const size_t asy__n_rows;
#define ASY__INT_LIMIT 9007199254740992.0 /* 2^53: ints of a point are exact doubles */
#define ASY__ROWS_MAX 384
#define ASY__KEY_TEXT 160 /* bytes of a full key of the table */
#define ASY__PROBLEMS_MAX 200u

/* Row of a key without a group, or NULL. */
const struct asy__row *asy__row_find(const char *path);
/* The group of what all networks have, beside what each family, or a plug-in, has of its own. */
#define ASY__NETWORKS "model networks"
#define ASY__ALONE "model networks alone" /* what plug-ins have not */
#define ASY__PLUGIN "model plugin"
/* Whether a row belongs to a group: "model mlp" has those of ASY__NETWORKS and ASY__ALONE too, and
 * ASY__PLUGIN those of the first. */
int asy__row_is_of(const struct asy__row *row, const char *group);
/* Row of an option in a group, or NULL. */
const struct asy__row *asy__row_option(const char *group, const char *name);
/* i-th row whose parent is the section ("" for the top), or NULL beyond the last. */
const struct asy__row *asy__row_child(const char *section, size_t i);
const char *asy__row_leaf(const struct asy__row *row); /* "max" of "run.length.max" */
/* Whether a number is one that the row allows; not whether it is whole. */
int asy__in_range(const struct asy__row *row, double value);
/* "a whole number from 1 to 64"; text holds n bytes. */
const char *asy__row_allowed(const struct asy__row *row, char *text, size_t n);
/* Whether word is among "a|b|c", and which it is; SIZE_MAX: none. */
int asy__words_have(const char *words, const char *word);
size_t asy__words_index(const char *words, const char *word);

struct asy__value {
    const struct asy_yaml *node; /* NULL: from the default, or not given */
    int has;                     /* given or defaulted */
    int64_t i;                   /* INT, SHARE, FLAG, DURATION, SIZE; AUTO_FLAG: -1 auto; COLUMN
                                  * number */
    double f;                    /* NUMBER, INT */
    const char *s;               /* texts; COLUMN: name, else NULL */
    const char **list;           /* STRINGS, PATHS, STRING_MAP (key, value); COLUMNS: or NULL */
    int64_t *numbers;            /* COLUMNS: where list has NULL */
    size_t n;                    /* of list, pairs in a map */
};

/* A hyperparameter that a plug-in has of its own. */
struct asy__own {
    struct asy__row row;
    struct asy__value value;
};

/* A spec and what it owns. */
struct asy__study {
    struct asy_study_spec spec; /* first: the caller's pointer */
    struct asy_arena *arena;
    struct asy_space *space;
    struct asy_json *root;
    char *canonical;
};

/* A parameter's value in the place of an option of a layer. */
struct asy__layer_use {
    const char *name, *key;
    const struct asy__row *row;
    const struct asy_yaml *node;
};

struct asy__parse {
    const char *file, *base_dir;
    int look;                   /* a user's own file: for the files that it names, before each trial
                                 * misses them, and by rules that stored studies need not keep */
    struct asy_buf *problems;   /* NULL: only the first is kept, in err */
    struct asy_error *err;
    const struct asy_study_reader *reader; /* NULL: nobody looks into the data */
    size_t n_problems;
    struct asy__noted {         /* where each stands, in the file and in problems */
        unsigned line, column;
        size_t at, len;
    } noted[ASY__PROBLEMS_MAX];
    int cut;                    /* there were more */
    int wrong_data, wrong_objective; /* whether a mistake is in there */
    int rc;                     /* a failure that is no mistake of the file (memory) */
    struct asy_yaml *root;
    struct asy_yaml *original;  /* of a W&B sweep: as read; root is then its translation */
    const char *text;           /* [text_len] what is read */
    size_t text_len;
    const char *device;         /* over resources.device; NULL: nothing */
    int without_wandb;          /* no stand-in for W&B's module, for its sweeps neither */
    struct asy__study *study;
    struct asy__value values[ASY__ROWS_MAX];
    enum asy_run_kind kind;     /* 0: not known, by mistake */
    struct asy_objective *goals; /* [n_goals] of a list: all but the first, which is in values */
    const struct asy_yaml **goal_nodes; /* [n_goals] where each metric stands */
    size_t n_goals;             /* 0: no list, or one of a single objective */
    const struct asy_yaml **constraint_nodes; /* [spec's n_constraints] */
    const char *model_group;    /* "model mlp", "model plugin", …; NULL: none */
    struct asy__own *own;       /* [n_own] of a plug-in, beside those of its group */
    size_t n_own;
    const char **own_metrics;   /* [n_own_metrics] */
    size_t n_own_metrics;
    int own_known;              /* the library was asked; else own is what the file names */
    int no_data;                /* a plug-in without `data` */
    struct asy__layer_use *layer_uses; /* [n_layer_uses] */
    size_t n_layer_uses;
    const struct asy_yaml **params; /* [space length] where each parameter stands */
};

/* Notes a mistake at node (NULL: the top). key: full path; goes on. */
ASY_PRINTF(4, 5) void asy__problem(struct asy__parse *p, const struct asy_yaml *node,
                                   const char *key, const char *fmt, ...);
/* "; did you mean 'x'?" or "". names may hold NULL gaps. text holds n bytes. */
const char *asy__did_you_mean(const char *word, const char *const *names, size_t n_names,
                              char *text, size_t n);
/* Of all that are noted, when no more will be: in the order of the file. */
void asy__sort_problems(struct asy__parse *p);
void asy__no_memory(struct asy__parse *p);
/* Zeroed memory of the spec; on failure notes it and returns NULL. */
void *asy__take(struct asy__parse *p, size_t n);
const char *asy__take_text(struct asy__parse *p, const char *text, size_t len);

/* The value of a key or option; asserted to exist. */
struct asy__value *asy__val(struct asy__parse *p, const char *path);
struct asy__value *asy__row_val(struct asy__parse *p, const struct asy__row *row);
/* Where to point for a key: its own place, else its section's. */
const struct asy_yaml *asy__place(struct asy__parse *p, const char *path);
/* Neither given, nor lost with a section that is no map, which has been said then. */
int asy__key_missing(struct asy__parse *p, const char *path);
/* As asy__row_option() and asy_study_option(), with a plug-in's own behind those of its group. */
const struct asy__row *asy__option(struct asy__parse *p, const char *group, const char *name);
const char *asy__option_name(struct asy__parse *p, const char *group, size_t i);
/* "mlp", "the plug-in": who has the hyperparameters. */
const char *asy__family(const struct asy__parse *p);
/* Whether the row counts for this kind of run, sampler and pruner. */
int asy__row_applies(struct asy__parse *p, const struct asy__row *row);
/* The group of options that the sampler or pruner has. text holds 64 bytes. */
const char *asy__group(struct asy__parse *p, const char *what, char text[64]);
/* A scalar's text, printable and cut, for messages. text holds 64 bytes. */
const char *asy__shown(const struct asy_yaml *node, char text[64]);
/* Neither a list, a map nor nothing. */
int asy__is_scalar(const struct asy_yaml *node);
/* A scalar text without embedded terminator; NULL otherwise. */
const char *asy__scalar(const struct asy_yaml *node);

/* The path as taken from the study's folder; NULL: no memory, noted. */
const char *asy__absolute(struct asy__parse *p, const char *path);
/* Notes a file that cannot be read (mode R_OK) or run (X_OK), in a user's own study file only. */
void asy__look_for(struct asy__parse *p, const char *path, int mode, const struct asy_yaml *node,
                   const char *key);
/* Notes a program that no folder of PATH has, likewise. */
void asy__look_in_path(struct asy__parse *p, const char *name, const struct asy_yaml *node,
                       const char *key);

/* Whether some folder of PATH has a program, or may have. */
int asy__in_path(const char *name);

#define ASY__PLACE_MAX 127 /* bytes between { and } in a command; longer: a mistake */

/* study_wandb.c. Whether this is a W&B sweep file; its translation, as the tree that is read. What
 * has a mistake in it is there too, as something without: the rest is read, and no mistake comes
 * of another. */
int asy__wandb_is(const struct asy_yaml *root);
void asy__wandb_translate(struct asy__parse *p);
/* The key of the sweep file that became this one. text holds 160 bytes. */
const char *asy__wandb_key(const char *key, char text[160]);
void asy__study_read(struct asy__parse *p); /* study_read.c */
/* study_value.c. The value of a row, and the mistake of a node that the row does not allow. */
void asy__read_value(struct asy__parse *p, const struct asy__row *row, const char *key,
                     const struct asy_yaml *node);
void asy__wrong(struct asy__parse *p, const struct asy__row *row, const char *key,
                const struct asy_yaml *node);
/* study_plugin.c. Asks for a plug-in's table, or makes one of what the file names. */
void asy__study_plugin(struct asy__parse *p, const struct asy_yaml *plugin);
/* study_resume.c. Notes that the default of a key is taken, if older texts had another. */
void asy__study_unsaid(struct asy__parse *p, const struct asy__row *row);
void asy__study_space(struct asy__parse *p);  /* study_space.c */
/* Of a mistake that names such a parameter in quotes: "; search.fixed holds it at 3"; else "". text
 * holds 100 bytes. */
const char *asy__fixed_note(struct asy__parse *p, const char *mistake, char text[100]);
void asy__study_enqueue(struct asy__parse *p); /* study_points.c */
/* A map of parameters and values as a point; fixed: as for asy_space_read. ASY_E_INVAL: also for a
 * list or a map where a value belongs. */
int asy__read_point(struct asy__parse *p, const struct asy_yaml *node, int fixed, double *x,
                    struct asy_error *err);
void asy__study_tell(struct asy__parse *p); /* study_tell.c */
void asy__study_write_told(struct asy__parse *p, struct asy_jsonw *w);
void asy__study_from(struct asy__parse *p); /* study_from.c; after enqueue and goals */
void asy__study_write_from(const struct asy_study_spec *spec, struct asy_jsonw *w);
/* study_prior.c. Reads the `prior` of a parameter whose other keys are read: given are the values'
 * nodes (NULL: a number). 0 and *ret_where: the first mistake is there, and why (n bytes) says
 * which. */
int asy__study_prior(struct asy__parse *p, const struct asy_yaml *node,
                     const struct asy_yaml *values, struct asy_param *param,
                     const struct asy_yaml **ret_where, char *why, size_t n);
void asy__study_write_prior(struct asy_jsonw *w, const struct asy_param *param);
/* What the study's sampler makes of them. */
void asy__study_check_priors(struct asy__parse *p);
/* study_layers.c. Before the space is read. */
void asy__study_layers(struct asy__parse *p);
/* The item of the list with this number; NULL: there is none. */
const struct asy_yaml *asy__study_layer(struct asy__parse *p, size_t i);
void asy__study_write_layers(struct asy_jsonw *w, const char *key, const struct asy_yaml *list);
/* study_weights.c; what is written has been read without a mistake. */
void asy__study_read_weights(struct asy__parse *p, const struct asy__row *row, const char *key,
                             const struct asy_yaml *node, struct asy__value *v);
void asy__study_write_weights(struct asy_jsonw *w, const char *key, const struct asy_yaml *node);
void asy__study_inputs(struct asy__parse *p); /* study_inputs.c */
void asy__study_write_inputs(struct asy_jsonw *w, const struct asy_study_input *inputs, size_t n);
void asy__study_check_batches(struct asy__parse *p); /* study_batches.c */
void asy__study_check_precision(struct asy__parse *p);
void asy__study_check_local(struct asy__parse *p);
void asy__study_check_effects(struct asy__parse *p);
void asy__study_check(struct asy__parse *p); /* study_check.c */
/* Whether a key has this word. */
int asy__is_word(struct asy__parse *p, const char *path, const char *word);
void asy__study_check_model(struct asy__parse *p); /* study_check_model.c */
/* Whether models are to be trained on devices: by word, or on GPUs that a trial has. */
int asy__study_on_device(struct asy__parse *p);
void asy__study_check_data(struct asy__parse *p); /* study_check_data.c; beside a model */
/* study_check_command.c. has_space: the parameters are read, and without a mistake. */
void asy__study_check_command(struct asy__parse *p, int has_space);
void asy__study_check_files(struct asy__parse *p); /* of a plug-in, too */
/* study_check_search.c. The second wants the space, and the points that are to be tried. */
void asy__study_check_search(struct asy__parse *p, int has_space);
void asy__study_check_points(struct asy__parse *p);
void asy__study_check_budget(struct asy__parse *p);
/* study_goals.c. Room for a list of n objectives; 0: no memory, noted. */
int asy__study_goals_room(struct asy__parse *p, size_t n);
/* Takes what the rows of the objective hold as the i-th one, and clears them. */
void asy__study_goal_aside(struct asy__parse *p, const struct asy_yaml *item, size_t i);
enum asy_take asy__take_of(const struct asy__value *take); /* not given: best */
/* What spans objectives; reads constraints. */
void asy__study_goals(struct asy__parse *p);
/* The i-th of all metrics that trials are judged by: objectives, then constraints, and where it
 * stands. NULL: unknown, by mistake; or beyond the last (*ret_node is NULL too). */
const char *asy__study_judged(struct asy__parse *p, size_t i, const struct asy_yaml **ret_node,
                              const char **ret_key);
void asy__study_write_goals(struct asy__parse *p, struct asy_jsonw *w);
void asy__study_write_constraints(struct asy__parse *p, struct asy_jsonw *w);
int asy__study_write(struct asy__parse *p, struct asy_buf *buf, struct asy_error *err);
/* What a reader of the data gets (struct asy_study_reader). metric: NULL: none. */
void asy__study_write_data(struct asy__parse *p, const char *metric, struct asy_buf *buf);

/* One word of a command (study_argv.c). asy__word_next gives the pieces of a word: a literal of
 * *ret_len bytes (returns 0), a placeholder (1), nothing more (-1), a stray brace (-2). */
int asy__word_next(const char **at, const char **ret_text, size_t *ret_len);
/* A word of W&B's arguments, without its braces (study_wandb_args.c). */
enum asy__args {
    ASY__ARGS_NONE, ASY__ARGS_PLAIN, ASY__ARGS_NO_HYPHENS, ASY__ARGS_NO_FLAGS, ASY__ARGS_JSON,
    ASY__ARGS_JSON_FILE,
};
enum asy__args asy__wandb_args(const char *name);
/* The word that the i-th parameter becomes, after what out holds. 0: none, out is to be dropped. */
int asy__wandb_word(const struct asy_json *params, size_t i, enum asy__args kind,
                    struct asy_buf *out);
/* "1.0" for a real of 1: what reads back as a real. text holds 40 bytes. */
const char *asy__real_text(double value, char text[40]);
#endif
