/* SPDX-License-Identifier: Apache-2.0
 * data.h - from a table in a file to the float matrices that training reads.
 *
 * A schema says what each column is and how its values become features; it is fitted on the
 * training part of a study's data and travels with a model. Loading reads the file twice: once to
 * learn its shape and the columns' types, once to fill the cells.
 *
 * Ownership: load/fini, read/fini. Threads: one owner while loading, then read-only. */
#ifndef ASY__DATA_H
#define ASY__DATA_H
#include <asy/csv.h>
#include <asy/json.h>
#include "dict.h"
#include "pages.h"
#include "utf8.h"

#define ASY__TEXT_MAX ((uint64_t)64 << 30)  /* bytes of text of one file */
#define ASY__CELLS_MAX ((uint64_t)64 << 30) /* floats of one matrix */
#define ASY__CATEGORIES_MAX 1000
#define ASY__CLASSES_MAX 10000
/* Whole numbers from here on are the same as some of their neighbours, once they are doubles. */
#define ASY__EXACT ((uint64_t)1 << 53)
#define ASY__NUMBER_MAX 400 /* bytes of a number as text */
#define ASY__LENGTH_MAX 8192 /* tokens of a row */
#define ASY__INT_CLASSES_MAX 100 /* more distinct integers than this are a quantity, not classes */

enum asy__column_kind {
    ASY__SKIPPED, ASY__NUMBER, ASY__CATEGORY, ASY__LABEL,
    ASY__TEXT,  /* so many features as a row has tokens: its characters */
    ASY__MIXED, /* numbers and texts: only while a schema is planned */
};
struct asy__column {
    char *name; /* from the header, or "column 3" */
    enum asy__column_kind kind;
    struct asy__dict values; /* CATEGORY: sorted; value i is feature `feature` + i, 0 or 1 */
    size_t feature;          /* first of its features */
};

struct asy__schema {
    struct asy__column *columns; /* [n_columns], as in the file */
    size_t n_columns, label;
    int has_header, classification;
    int fills_missing; /* trained with `missing: mean` */
    /* Sorted; empty for regression. Of a text: its characters, by which tokens are numbered. */
    struct asy__dict classes;
    size_t vocabulary; /* tokens that there are; 0: a table. They have no columns and no features */
    /* Of a table whose rows are sequences of tokens: their numbers are below ids, the last of which
     * is padding: what is missing behind a row's end; 0: they are not. */
    size_t ids;
    struct asy__dict characters; /* of texts: which have which number */
    size_t n_features;
    size_t image[3]; /* height, width, channels of the array that they come from; 0: it has none */
    /* feature = ((missing ? fill : value) - shift) * factor */
    float *fill, *shift, *factor; /* [n_features] */
    double target_shift, target_factor; /* regression: trained on (value - shift) * factor */
};

enum asy__missing { ASY__MISSING_ERROR, ASY__MISSING_MEAN, ASY__MISSING_DROP };
enum asy__scale { ASY__SCALE_STANDARD, ASY__SCALE_MINMAX, ASY__SCALE_NONE };
enum asy__sequence { ASY__SEQUENCE_NONE, ASY__SEQUENCE_TOKENS, ASY__SEQUENCE_TEXT };
enum asy__task { ASY__TASK_AUTO, ASY__TASK_CLASSIFICATION, ASY__TASK_REGRESSION };

/* One field of a row: a text, or a number where the file has it as one. */
struct asy__cell {
    const char *text; /* not terminated; NULL: it is number */
    size_t len;
    int quoted;
    double number; /* NaN: missing */
    /* How far from 0 the number is, where it is a whole one of at least ASY__EXACT; 0: it is not,
     * or it has a text. */
    uint64_t whole;
};
/* A negative result ends the reading and is passed on. */
typedef int (*asy__row_f)(void *arg, uint64_t row, const struct asy__cell *cells, size_t n,
                          struct asy_error *err);

enum asy__format {
    ASY__FORMAT_AUTO, ASY__FORMAT_CSV, ASY__FORMAT_TSV, ASY__FORMAT_LIBSVM,
    ASY__FORMAT_NPY, ASY__FORMAT_NPZ, ASY__FORMAT_IDX, ASY__FORMAT_HDF5, /* arrays */
    ASY__FORMAT_TEXT, ASY__FORMAT_TOKENS,              /* tokens; never found by themselves */
};
#define ASY__FORMATS 10
const char *asy__format_name(enum asy__format format); /* as in a study file; NULL: no format */

/* The data part of a study. JSON nodes are borrowed from it. */
struct asy__data_spec {
    const char *file;
    const char *labels; /* NULL: in the same file */
    enum asy__format format;
    char separator; /* of a text: by format, or else by the file's name */
    int header; /* -1: find out */
    const struct asy_json *arrays; /* of an NPZ or HDF5 file; NULL: all */
    const struct asy_json *exclude, *categorical, *label; /* NULL: none, none, last */
    enum asy__task task;
    enum asy__missing missing;
    enum asy__scale scale;
    enum asy__sequence sequence; /* what a row is, where it is one */
    size_t length;               /* tokens of a text */
    double validation, test;
    int stratify;
    const struct asy_json *group; /* column whose equal values stay in one part; NULL: none */
    uint64_t seed;
    uint32_t folds;   /* each of which is validated on in turn; 0: validation is a share */
    uint32_t repeats; /* with other rows in each; 0: read as 1 */
    /* Which of the divisions that folds and repeats make: from 0 on. ASY__UNDIVIDED: none, all but
     * the test part, which is the same in all, is trained on. */
    int32_t division;
};
#define ASY__UNDIVIDED (-1)
#define ASY__DIVISIONS_MAX 100
/* How often the rows are divided; 0: once, and there is no more to it. */
size_t asy__divisions(const struct asy__data_spec *spec);
ASY_MUST_CHECK int asy__data_spec_read(const struct asy_json *node, struct asy__data_spec *ret,
                                       struct asy_error *err);

enum asy__part { ASY__TRAIN, ASY__VALIDATION, ASY__TEST, ASY__PARTS };
struct asy__piece {
    size_t at, n;
};
struct asy__data {
    struct asy__schema schema;
    float *x;       /* [n_rows][n_features]: the parts one after the other, file order in each */
    int32_t *label; /* [n_rows], classification */
    float *target;  /* [n_rows], regression, scaled */
    /* Of a schema with a vocabulary, in place of these three, which then are room for windows
     * (tokens.h); until there are windows, rows are tokens. */
    uint16_t *tokens;
    struct asy__piece piece[ASY__PARTS]; /* of the tokens: the parts */
    struct asy__piece
        behind; /* what training has beyond what a fold is validated on; n 0: nothing */
    size_t first_rows;        /* windows of training before that */
    size_t n_rows, n_dropped;
    size_t start[ASY__PARTS + 1]; /* part p: rows start[p] .. start[p + 1] - 1 */
    uint32_t crc; /* of the file's bytes, gunzipped */
    /* Where arrays are in files, they are these and not to be freed. */
    struct asy__pages x_pages, label_pages;
    int lock_fd; /* of the import that they belong to; 0 or below: none */
};
/* model != NULL: encodes as that schema says (copied) instead of fitting one. with_label == 0: the
 * label column may be absent, and there is one part, TRAIN. */
ASY_MUST_CHECK int asy__data_load(const struct asy__data_spec *spec,
                                  const struct asy__schema *model, int with_label,
                                  struct asy__data *ret, struct asy_error *err);
/* The same for training, but large arrays grow in files of the folder, which the machine's memory
 * need not hold: x stays there as x.npy. */
ASY_MUST_CHECK int asy__data_load_into(const struct asy__data_spec *spec, const char *folder,
                                       struct asy__data *ret, struct asy_error *err);
void asy__data_fini(struct asy__data *data);
size_t asy__data_labels(const struct asy__data *data); /* of a row */
/* Rows at.., borrowed until the next call: of windows of tokens at most asy__tokens_at_once(). */
struct asy__rows {
    const float *x;
    const int32_t *label;
    const float *target;
};
struct asy__rows asy__data_rows(const struct asy__data *data, size_t at, size_t rows);

/* Features that a column is, where it is of numbers (a text's characters among them); else 0. */
size_t asy__column_numbers(const struct asy__schema *schema, const struct asy__column *column);
void asy__schema_fini(struct asy__schema *schema);
void asy__schema_write(const struct asy__schema *schema, struct asy_jsonw *w, const char *key);
ASY_MUST_CHECK int asy__schema_read(const struct asy_json *node, struct asy__schema *ret,
                                    struct asy_error *err);
ASY_MUST_CHECK int asy__schema_copy(const struct asy__schema *schema, struct asy__schema *ret,
                                    struct asy_error *err);

/* Shared by the files that load data. */
double asy__machine_bytes(void);     /* of memory */
const char *asy__disk_folder(void);  /* where goes what memory does not hold */
/* Without the spaces and tabs around it, which do not count unless it is quoted. */
struct asy__cell asy__cell_trim(const struct asy__cell *cell);
int asy__is_missing(const struct asy__cell *cell);
/* 0 and the value, or -1: the cell (spaces around it aside) is no number. */
int asy__cell_number(const struct asy__cell *cell, double *ret);
/* What a cell's `whole` is, of a number in digits. */
uint64_t asy__whole(const char *text, size_t len);

struct asy__source;
/* What the first reading of a file learns. */
struct asy__survey_column {
    char *first;        /* text of the first row */
    size_t first_len;
    int first_missing, first_number;
    uint64_t n_number, n_text;  /* of the other rows */
    uint64_t text_row;          /* of the first text among the others, and its beginning */
    char text[24];
    int first_again;            /* the first row's text came again */
};
struct asy__survey {
    struct asy__survey_column *columns;
    size_t n_columns;
    uint64_t n_rows; /* with the first */
    int header, by_place; /* as the source has them */
    char separator;       /* of a CSV or TSV file; else 0 */
    size_t image[3];
};
ASY_MUST_CHECK int asy__survey_source(struct asy__source *source, struct asy__survey *ret,
                                      struct asy_error *err);
void asy__survey_fini(struct asy__survey *survey);
/* Whether the first row is a header, where the source does not know. */
int asy__survey_header(const struct asy__survey *survey);
/* Names and kinds of a new schema's columns by the spec. */
ASY_MUST_CHECK int asy__schema_plan(const struct asy__data_spec *spec,
                                    const struct asy__survey *survey, struct asy__schema *schema,
                                    struct asy_error *err);
/* map [survey->n_columns]: the schema's column for each of the file's, SIZE_MAX: none. */
ASY_MUST_CHECK int asy__schema_match(const struct asy__schema *schema,
                                     const struct asy__survey *survey, int with_label,
                                     int *ret_header, size_t *map, struct asy_error *err);
/* order [n]: rows of TRAIN, VALIDATION, TEST one after the other; start [ASY__PARTS + 1]. label
 * [n] with n_classes classes, NULL: no strata. */
ASY_MUST_CHECK int asy__split(const struct asy__data_spec *spec, size_t n, const int32_t *label,
                              size_t n_classes, size_t *order, size_t *start,
                              struct asy_error *err);
/* part_of [n], of enum asy__part: the rows of each part in file order. */
void asy__split_arrange(const uint8_t *part_of, size_t n, size_t *order, size_t *start);
/* The same where rows of one group stay together, so that shares, and those of classes, are kept as
 * far as groups allow. No part that has a share is left empty. ASY_E_INVAL: too few groups. */
struct asy__grouped {
    size_t n, n_classes, n_groups;
    const int32_t *label; /* [n]; NULL: no strata */
    const int32_t *group; /* [n] */
};
ASY_MUST_CHECK int asy__split_groups(const struct asy__data_spec *spec,
                                     const struct asy__grouped *of, size_t *order, size_t *start,
                                     struct asy_error *err);
/* The column that split.group names. ASY_E_INVAL: there is none, or it is the label. */
ASY_MUST_CHECK int asy__schema_group(const struct asy__data_spec *spec,
                                     const struct asy__schema *schema, size_t *ret,
                                     struct asy_error *err);
#endif
