/* SPDX-License-Identifier: Apache-2.0
 * load.h - a table while it is loaded: what the files share that make matrices of it. */
#ifndef ASY__LOAD_H
#define ASY__LOAD_H
#include "source.h"

struct asy__load {
    const struct asy__data_spec *spec;
    const struct asy__schema *model; /* NULL: fit one */
    struct asy__schema *schema;
    int header, with_label, label_is_number;
    /* [n_columns] of a model's categories that are numbers, by the texts that these go by; NULL: it
     * fits one. One is empty if not all of its column's are, or two are equal. */
    struct asy__dict *equal;
    size_t *map; /* [n_file_columns] -> schema column, SIZE_MAX: none */
    size_t n_file_columns;
    size_t *cell_of; /* [n_columns] -> place in a row of cells */
    size_t n_cells;  /* per row */
    float *cells;    /* [n_rows][n_cells] */
    double *numbers; /* [n_rows] labels as numbers */
    int32_t *ids;    /* [n_rows] labels as ids of schema->classes */
    size_t n_rows, room, n_dropped, n_seen;
    int integers; /* all labels are */
    size_t group; /* the schema's column of split.group; SIZE_MAX: rows stand alone */
    struct asy__dict groups;
    int32_t *group_ids; /* [room] */
    uint8_t *seen;      /* [ASY__POINTS], of a text: characters that occur */
    uint32_t most;      /* of a sequence of numbers: the greatest */
    int overflow;       /* too many distinct numeric labels to be classes */
    const char *folder; /* where cells and features grow in files; NULL: in memory, if it can */
    struct asy__pages pages; /* of cells that are in a file */
};

/* load_cells.c. Of a model: `equal`. */
ASY_MUST_CHECK int asy__load_equal(struct asy__load *load, struct asy_error *err);
/* A row of the file, as an asy__row_f of a struct asy__load: cells, label, group. */
ASY_MUST_CHECK int asy__load_row(void *arg, uint64_t row, const struct asy__cell *fields, size_t n,
                                 struct asy_error *err);

/* load_features.c. Of all rows' cells: what the labels are, and which features there are. */
ASY_MUST_CHECK int asy__load_features(struct asy__load *load, struct asy_error *err);
/* The features, as they are in the file: rows in this order. */
ASY_MUST_CHECK int asy__load_matrix(struct asy__load *load, const size_t *order,
                                    struct asy__data *data, struct asy_error *err);
/* data.c. A file of len bytes for rows of floats, if they are for one: under the name (NULL: none)
 * in load->folder, or without one on a disk where memory does not hold them. pages->at stays NULL:
 * they are for memory. Labels are for memory in any case. */
ASY_MUST_CHECK int asy__load_aside(const struct asy__load *load, uint64_t rows, uint64_t width,
                                   const char *name, size_t len, struct asy__pages *pages,
                                   struct asy_error *err);

/* load_scale.c. Scales features and labels, as the model has it or else by the training rows. */
ASY_MUST_CHECK int asy__load_scale(const struct asy__load *load, const size_t *order,
                                   struct asy__data *data, struct asy_error *err);
#endif
