/* SPDX-License-Identifier: Apache-2.0
 * problems_table.c - tables of what every configuration of a small network came to: HPOBench
 * (Eggensperger et al. 2021) and HPOLib/FCNet (Klein and Hutter 2019), gzipped CSV in which each
 * configuration has a row. The value is the mean over the table's training seeds.
 *
 * Columns of numbers are ordered, others are not. The rows are a full grid with the last column
 * fastest, which is checked as they are read. */
#include "problems_impl.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define COLUMNS_MAX 16
#define LEVELS_MAX 64
#define LINE_MAX_BYTES 1024

struct problem_table {
    double *means; /* [rows] smaller is better */
    size_t rows, cap;
    double best;
    size_t n_columns;                       /* of parameters */
    char *levels[COLUMNS_MAX][LEVELS_MAX];  /* texts in the order of their first row */
    size_t n_levels[COLUMNS_MAX];
    size_t turned[COLUMNS_MAX][LEVELS_MAX]; /* a sampler's number of a level to ours */
};

static const struct {
    const char *name, *file;
    double sign; /* -1: the table is of accuracies */
} tables_known[] = {
    { "table-car", "hpobench-car.csv.gz", -1 },
    { "table-segment", "hpobench-segment.csv.gz", -1 },
    { "table-vehicle", "hpobench-vehicle.csv.gz", -1 },
    { "table-parkinsons", "hpolib-parkinsons.csv.gz", 1 },
};
#define N_TABLES (sizeof tables_known / sizeof tables_known[0])

const char *problem_table_name(size_t i)
{
    return i < N_TABLES ? tables_known[i].name : NULL;
}

void problem_table_destroy(struct problem_table *t)
{
    if (!t)
        return;
    for (size_t c = 0; c < COLUMNS_MAX; c++)
        for (size_t l = 0; l < LEVELS_MAX; l++)
            free(t->levels[c][l]);
    free(t->means);
    free(t);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The number of a level, which is new or known; LEVELS_MAX: too many. */
static size_t level_of(struct problem_table *t, size_t column, const char *text)
{
    size_t l = 0;

    while (l < t->n_levels[column] && strcmp(t->levels[column][l], text))
        l++;
    if (l == t->n_levels[column] && l < LEVELS_MAX) {
        if (!(t->levels[column][l] = strdup(text)))
            return LEVELS_MAX;
        t->n_levels[column]++;
    }
    return l;
}

/* The header names the columns of results seed0, seed1, ... */
static int read_header(struct problem_table *t, char *line)
{
    char *rest = line, *cell;

    while ((cell = strsep(&rest, ",")) && strncmp(cell, "seed", 4))
        if (++t->n_columns > COLUMNS_MAX)
            return -1;
    return cell && t->n_columns ? 0 : -1;
}

static int read_row(struct problem_table *t, char *line, double sign, size_t *levels)
{
    char *rest = line, *cell, *end;
    double sum = 0;
    size_t n = 0;

    for (size_t c = 0; c < t->n_columns; c++)
        if (!(cell = strsep(&rest, ",")) || (levels[c] = level_of(t, c, cell)) == LEVELS_MAX)
            return -1;
    while ((cell = strsep(&rest, ","))) {
        sum += strtod(cell, &end);
        if (end == cell || (*end && *end != '\n'))
            return -1;
        n++;
    }
    if (!n)
        return -1;
    if (t->rows == t->cap) {
        double *more = realloc(t->means, (t->cap = 2 * t->cap + 1024) * sizeof *more);

        if (!more)
            return -1;
        t->means = more;
    }
    t->means[t->rows++] = sign * sum / (double)n;
    return 0;
}

static size_t row_at(const struct problem_table *t, const size_t *levels)
{
    size_t row = 0;

    for (size_t c = 0; c < t->n_columns; c++)
        row = row * t->n_levels[c] + levels[c];
    return row;
}

/* Twice over the rows: levels are complete only after the first. */
static int read_all(struct problem_table *t, gzFile file, double sign)
{
    char line[LINE_MAX_BYTES];
    size_t levels[COLUMNS_MAX];

    for (int pass = 0; pass < 2; pass++) {
        t->rows = t->n_columns = 0;
        if (gzrewind(file) || !gzgets(file, line, sizeof line) || read_header(t, line))
            return -1;
        while (gzgets(file, line, sizeof line))
            if (read_row(t, line, sign, levels) || (pass && row_at(t, levels) != t->rows - 1))
                return -1;
    }
    for (size_t c = 0; c < t->n_columns; c++)
        levels[c] = t->n_levels[c] - 1;
    return t->rows && row_at(t, levels) == t->rows - 1 ? 0 : -1;
}

static int is_ordered(const struct problem_table *t, size_t column)
{
    for (size_t l = 0; l < t->n_levels[column]; l++) {
        char *end;

        strtod(t->levels[column][l], &end);
        if (end == t->levels[column][l] || *end)
            return 0;
    }
    return 1;
}

/* ---- as a problem ---------------------------------------------------------------------------- */

static double table_regret(const struct problem *p, const double *x)
{
    const struct problem_table *t = p->table;
    size_t levels[COLUMNS_MAX];

    for (size_t c = 0; c < t->n_columns; c++)
        levels[c] = t->turned[c][(size_t)x[c]];
    return t->means[row_at(t, levels)] - t->best;
}

/* Orders are kept or turned round, what has no order is permuted. */
static void turn(struct problem *p, size_t c)
{
    struct problem_table *t = p->table;
    size_t n = t->n_levels[c];
    int reversed = problem_uniform(p) < 0.5, ordered = is_ordered(t, c);

    for (size_t l = 0; l < n; l++)
        t->turned[c][l] = ordered && reversed ? n - 1 - l : l;
    for (size_t i = n; i > 1 && !ordered; i--) {
        size_t k = (size_t)(problem_uniform(p) * (double)i), other = t->turned[c][k];

        t->turned[c][k] = t->turned[c][i - 1];
        t->turned[c][i - 1] = other;
    }
    p->params[c] = (struct problem_param){ ordered ? PROBLEM_INT : PROBLEM_CHOICE, 0,
                                           (double)(n - 1) };
}

static void find_best(struct problem *p)
{
    struct problem_table *t = p->table;
    size_t at = 0;

    for (size_t row = 1; row < t->rows; row++)
        at = t->means[row] < t->means[at] ? row : at;
    t->best = t->means[at];
    for (size_t c = t->n_columns; c-- > 0; at /= t->n_levels[c])
        for (size_t l = 0; l < t->n_levels[c]; l++)
            if (t->turned[c][l] == at % t->n_levels[c])
                p->opt[c] = (double)l;
}

int problem_table_init(struct problem *p, const char *name, const char *tables)
{
    char path[4096];
    size_t at = 0;
    gzFile file;
    int rc;

    while (at < N_TABLES && strcmp(tables_known[at].name, name))
        at++;
    if (at == N_TABLES || !tables || !(p->table = calloc(1, sizeof *p->table)))
        return -1;
    snprintf(path, sizeof path, "%s/%s", tables, tables_known[at].file);
    if (!(file = gzopen(path, "rb")))
        return -1;
    rc = read_all(p->table, file, tables_known[at].sign);
    gzclose(file);
    if (rc)
        return -1;
    p->regret = table_regret;
    p->dims = p->table->n_columns;
    for (size_t c = 0; c < p->dims; c++)
        turn(p, c);
    find_best(p);
    return 0;
}
