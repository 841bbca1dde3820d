/* SPDX-License-Identifier: Apache-2.0
 * curves.c - see curves.h. A table is text: lines that begin with # are remarks, the next names the
 * columns, each further one is a configuration. Columns loss_1 .. loss_E are followed by ms_1 ..
 * ms_E, the last ones. */
#include "curves.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <asy/error.h>
#include <asy/parse.h>
#include <zlib.h>

#define LINE_MAX_BYTES (1u << 16)

static size_t columns(char *line, char **ret_cells, size_t max)
{
    char *rest = line, *cell;
    size_t n = 0;

    line[strcspn(line, "\r\n")] = '\0';
    while (n < max && (cell = strsep(&rest, ",")))
        ret_cells[n++] = cell;
    return n;
}

/* The columns of losses: the first, and how many. */
static size_t find_losses(char **cells, size_t n, size_t *ret_first)
{
    size_t epochs = 0;

    for (size_t i = 0; i < n; i++)
        if (!strncmp(cells[i], "loss_", 5) && !epochs++)
            *ret_first = i;
    return epochs && *ret_first + 2 * epochs == n ? epochs : 0;
}

static double number(const char *cell)
{
    double v;

    return asy_parse_f64(cell, strlen(cell), &v, NULL) ? NAN : v;
}

static int grow(struct curves *c, size_t *cap)
{
    size_t more = *cap ? 2 * *cap : 1024;
    double *loss, *ms, *weights;

    if (c->n < *cap)
        return 0;
    if ((loss = realloc(c->loss, more * c->epochs * sizeof *loss)))
        c->loss = loss;
    if ((ms = realloc(c->ms, more * c->epochs * sizeof *ms)))
        c->ms = ms;
    if ((weights = realloc(c->weights, more * sizeof *weights)))
        c->weights = weights;
    *cap = more;
    return loss && ms && weights ? 0 : -1;
}

static void add_row(struct curves *c, char **cells, size_t first)
{
    double *loss = &c->loss[c->n * c->epochs], *ms = &c->ms[c->n * c->epochs];

    c->weights[c->n++] = number(cells[1]);
    for (size_t e = 0; e < c->epochs; e++) {
        loss[e] = number(cells[first + e]);
        ms[e] = number(cells[first + c->epochs + e]);
        if (!isfinite(loss[e]))
            loss[e] = NAN;
        if (!(ms[e] > 0))
            ms[e] = e ? ms[e - 1] : 0;
    }
}

static int read_all(struct curves *c, gzFile file, char *line, char **cells)
{
    size_t cap = 0, first = 0, n_columns = 0;

    while (gzgets(file, line, LINE_MAX_BYTES)) {
        size_t n;

        if (*line == '#')
            continue;
        n = columns(line, cells, LINE_MAX_BYTES / 2);
        if (!n_columns) {
            n_columns = n;
            if (!(c->epochs = find_losses(cells, n, &first)))
                return -1;
            continue;
        }
        if (n != n_columns || grow(c, &cap))
            return -1;
        add_row(c, cells, first);
    }
    return c->n ? 0 : -1;
}

struct curves *curves_open(const char *path)
{
    char *line = malloc(LINE_MAX_BYTES), **cells = malloc(LINE_MAX_BYTES / 2 * sizeof *cells);
    struct curves *c = calloc(1, sizeof *c);
    gzFile file = gzopen(path, "rb");

    if (!line || !cells || !c || !file || read_all(c, file, line, cells)) {
        curves_close(c);
        c = NULL;
    }
    if (file)
        gzclose(file);
    free(cells);
    free(line);
    return c;
}

void curves_close(struct curves *c)
{
    if (!c)
        return;
    free(c->loss);
    free(c->ms);
    free(c->weights);
    free(c);
}

double curves_best(const struct curves *c, size_t i)
{
    double best = INFINITY;

    for (size_t e = 0; e < c->epochs; e++)
        best = fmin(best, c->loss[i * c->epochs + e]);
    return best;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double curves_target(const struct curves *c, double share)
{
    double *best = malloc(c->n * sizeof *best), target;

    ASY_ASSERT(best && share * (double)c->n >= 1, "no target");
    for (size_t i = 0; i < c->n; i++)
        best[i] = curves_best(c, i);
    qsort(best, c->n, sizeof *best, ascending);
    target = best[(size_t)(share * (double)c->n) - 1];
    free(best);
    return target;
}
