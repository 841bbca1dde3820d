/* SPDX-License-Identifier: Apache-2.0
 * report_space.c - where in the space the trials were: parallel coordinates, and a slice for each
 * parameter. Of many parameters those that mattered most are shown. */
#include <stdlib.h>
#include <string.h>
#include "report.h"

#define WIDTH 760
#define AXES_MAX 10   /* parameters of the parallel coordinates */
#define SLICES_MAX 12
#define LINES_MAX 400 /* of the parallel coordinates: the best ones, and every k-th of the others */
#define SHADES 5      /* classes of lines: shade0 the best */
#define TOP 48
#define BOTTOM 262

/* Values of the first objective of all results; the caller frees. */
static double *results(const struct asy__report *r, struct asy_buf *out)
{
    double *values = malloc((r->n_complete + 1) * sizeof *values);

    if (!values && !out->rc)
        out->rc = ASY_E_NOMEM;
    for (size_t i = 0; i < r->n_complete && values; i++)
        values[i] = r->rows[i].values[0];
    return values;
}

/* ---- parallel coordinates -------------------------------------------------------------------- */

static void axis_line(struct asy_buf *out, const struct asy__axis *axis, double at,
                      const char *name, size_t width)
{
    double ticks[8];
    size_t n = asy__axis_ticks(axis, axis->choice ? 8 : 5, ticks);

    asy_buf_addf(out, "<path class=\"axis\" d=\"M%.1f %dV%d\"/><text class=\"title\" x=\"%.1f\" "
                      "y=\"%d\" text-anchor=\"middle\">", at, TOP, BOTTOM, at, TOP - 14);
    asy__html_short(out, name, width);
    asy_buf_adds(out, "<title>");
    asy__html_text(out, name);
    asy_buf_adds(out, "</title></text>\n");
    for (size_t i = 0; i < n; i++) {
        asy_buf_addf(out, "<text class=\"tick halo\" x=\"%.1f\" y=\"%.1f\">", at + 4,
                     asy__axis_at(axis, ticks[i]) + 4);
        asy__axis_label(out, axis, ticks[i], width > 4 ? width - 2 : 4);
        asy_buf_adds(out, "</text>\n");
    }
}

/* Of a point, from parameter to parameter to value; where one is inactive, the line has a gap. */
static void line(const struct asy__report *r, const struct asy__report_row *row,
                 const struct asy__axis *axes, size_t n, double step, size_t shade,
                 struct asy_buf *out)
{
    char go = 'M', text[160];

    asy_buf_addf(out, "<path class=\"line shade%zu\" d=\"", shade);
    for (size_t i = 0; i <= n; i++) {
        double v = i < n ? row->x[r->params[i]] : row->values[0];

        if (!isfinite(v)) {
            go = 'M';
            continue;
        }
        asy_buf_addf(out, "%c%.1f %.1f", go, 40 + step * (double)i, asy__axis_at(&axes[i], v));
        go = 'L';
    }
    asy_buf_adds(out, "\"><title>");
    asy__html_text(out, asy__report_title(row, text));
    asy_buf_adds(out, "</title></path>\n");
}

/* Which shade a trial has, of n from the best on. */
static size_t shade_of(size_t i, size_t n)
{
    return n <= SHADES ? i * (SHADES - 1) / (n - 1) : i * SHADES / n;
}

/* What the shades mean. */
static void legend(size_t n, struct asy_buf *out)
{
    static const char *const names[SHADES] = { "the best fifth", "second", "third", "fourth",
                                               "the worst fifth" };

    for (size_t i = 0; i < SHADES; i++) {
        const char *name = n > SHADES ? names[i] : i == 0 ? "the best" : "the worst";
        double at = 40 + 135 * (double)i;

        if (n <= SHADES && i != 0 && i + 1 != SHADES)
            continue;
        asy_buf_addf(out, "<path class=\"line shade%zu\" d=\"M%.1f %dh22\"/><text class=\"tick\" "
                          "x=\"%.1f\" y=\"%d\">%s</text>\n", i, at, BOTTOM + 30, at + 28,
                     BOTTOM + 34, name);
    }
}

void asy__report_parallel(const struct asy__report *r, struct asy_buf *out)
{
    struct asy__axis axes[AXES_MAX + 1];
    size_t n = r->n_params < AXES_MAX ? r->n_params : AXES_MAX;
    size_t each = r->n_complete / LINES_MAX + 1;
    double step = (WIDTH - 120) / (double)(n ? n : 1), *values;

    if (n == 0 || r->n_complete < 2)
        return; /* a single line compares nothing */
    values = results(r, out);
    axes[n] = asy__axis_of(values, values ? r->n_complete : 0);
    free(values);
    for (size_t i = 0; i < n; i++)
        axes[i] = asy__axis_of_param(asy_space_at(r->spec->space, r->params[i]));
    for (size_t i = 0; i <= n; i++) {
        axes[i].from = BOTTOM;
        axes[i].to = TOP;
    }
    asy_buf_addf(out, "<section><h2>Parallel coordinates</h2>\n<p>A line for each complete trial, "
                      "from parameter to parameter to its value.%s</p>\n",
                 n < r->n_params ? " Shown are the parameters that mattered most." : "");
    asy__chart_open(out, "parallel coordinates", WIDTH, BOTTOM + 44);
    for (size_t i = r->n_complete; i-- > 0;)
        if (r->rows[i].x && (i % each == 0 || i < LINES_MAX / 8))
            line(r, &r->rows[i], axes, n, step, shade_of(i, r->n_complete), out);
    for (size_t i = 0; i <= n; i++)
        axis_line(out, &axes[i], 40 + step * (double)i,
                  i < n ? asy_space_at(r->spec->space, r->params[i])->name
                        : r->spec->objectives[0].metric, (size_t)(step / 7.5));
    legend(r->n_complete, out);
    asy__chart_close(out);
    asy_buf_adds(out, "</section>\n");
}

/* ---- slices ---------------------------------------------------------------------------------- */

static void slice(const struct asy__report *r, size_t param, struct asy__axis y,
                  struct asy_buf *out)
{
    const struct asy_param *p = asy_space_at(r->spec->space, param);
    struct asy__axis x = asy__axis_of_param(p);
    char text[160];

    x.from = 62;
    x.to = 366;
    asy__chart_open(out, p->name, 376, 240);
    asy__chart_x(out, &x, &y, p->name);
    asy__chart_y(out, &x, &y, NULL);
    for (size_t i = r->n_complete; i-- > 0;)
        if (r->rows[i].x)
            asy__chart_dot(out, &x, &y, r->rows[i].x[param], r->rows[i].values[0],
                           i == 0 ? "front" : "dot", asy__report_title(&r->rows[i], text));
    asy__chart_close(out);
}

void asy__report_slices(const struct asy__report *r, struct asy_buf *out)
{
    size_t n = r->n_params < SLICES_MAX ? r->n_params : SLICES_MAX;
    double *values;
    struct asy__axis y;

    if (n == 0 || r->n_complete == 0)
        return;
    values = results(r, out);
    y = asy__axis_of(values, values ? r->n_complete : 0);
    free(values);
    y.from = 200;
    y.to = 14;
    asy_buf_adds(out, "<section><h2>Slices</h2>\n<p>The value (");
    asy__html_text(out, r->spec->objectives[0].metric);
    asy_buf_adds(out, ") of each complete trial over one parameter; the strong dot is the best. "
                      "Inactive parameters have no dot.</p>\n<div class=\"slices\">\n");
    for (size_t i = 0; i < n; i++)
        slice(r, r->params[i], y, out);
    asy_buf_adds(out, "</div></section>\n");
}
