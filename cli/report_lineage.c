/* SPDX-License-Identifier: Apache-2.0
 * report_lineage.c - a population's members over the length of training: who went on by itself, and
 * who took up the weights of another one.
 *
 * A point is where a trial ended, on the row of its member; a line leads there from its parent's
 * point. Chains alone would say the same, but not who was compared with whom. */
#include <inttypes.h>
#include <stdlib.h>
#include "report.h"

#define WIDTH 760
#define ROW 26 /* of a member */
#define ROWS_HEIGHT_MAX 900

static int64_t number_of(const struct asy__report_row *row, const char *key)
{
    return asy_json_i64(asy_json_get(row->node, key), -1);
}

static int by_number(const void *a, const void *b)
{
    const struct asy__report_row *x = *(const struct asy__report_row *const *)a;
    const struct asy__report_row *y = *(const struct asy__report_row *const *)b;

    return (x->number > y->number) - (x->number < y->number);
}

static const struct asy__report_row *find(const struct asy__report_row **rows, size_t n,
                                          int64_t number)
{
    struct asy__report_row key = { .number = (uint64_t)number };
    const struct asy__report_row *at = &key, **found;

    if (number < 0)
        return NULL;
    found = bsearch(&at, rows, n, sizeof *rows, by_number);
    return found ? *found : NULL;
}

static void lines(const struct asy__report_row **rows, size_t n, const struct asy__axis *x,
                  const struct asy__axis *y, int taken, struct asy_buf *out)
{
    asy_buf_addf(out, "<path class=\"%s\" d=\"", taken ? "best line" : "curve");
    for (size_t i = 0; i < n; i++) {
        const struct asy__report_row *from = find(rows, n, number_of(rows[i], "parent"));
        int64_t member = number_of(rows[i], "member");
        double from_step = from ? (double)from->step : 0;
        double from_member = (double)(from ? number_of(from, "member") : member);

        if (member > 0 && rows[i]->complete && taken == (from_member != (double)member))
            asy_buf_addf(out, "M%.1f %.1fL%.1f %.1f", asy__axis_at(x, from_step),
                         asy__axis_at(y, from_member), asy__axis_at(x, (double)rows[i]->step),
                         asy__axis_at(y, (double)member));
    }
    asy_buf_adds(out, "\"/>\n");
}

static void draw(const struct asy__report *r, const struct asy__report_row **rows, double members,
                 double last, struct asy_buf *out)
{
    struct asy__axis x = { .lo = 0, .hi = last * 1.02, .whole = 1 };
    struct asy__axis y = { .lo = 0.5, .hi = members + 0.5, .whole = 1 };
    int height = members * ROW > ROWS_HEIGHT_MAX ? ROWS_HEIGHT_MAX : (int)members * ROW;
    char text[160];

    height += 28 + 42;
    x.from = 70;
    x.to = WIDTH - 12;
    y.from = height - 42;
    y.to = 28;
    asy_buf_adds(out, "<section><h2>Lineage</h2>\n<p>Each point is where a trial of a member "
                      "ended; a line leads there from the checkpoint that it began with. Strong "
                      "lines: a member took up another one's weights.</p>\n");
    asy__chart_open(out, "lineage of a population", WIDTH, height);
    asy__chart_x(out, &x, &y, r->spec->length_unit ? r->spec->length_unit : "step");
    asy__chart_y(out, &x, &y, "member");
    lines(rows, r->n, &x, &y, 0, out);
    lines(rows, r->n, &x, &y, 1, out);
    for (size_t i = 0; i < r->n; i++)
        if (number_of(rows[i], "member") > 0)
            asy__chart_dot(out, &x, &y, (double)rows[i]->step,
                           (double)number_of(rows[i], "member"),
                           rows[i]->complete ? "dot" : "dot faint",
                           asy__report_title(rows[i], text));
    asy__chart_close(out);
    asy_buf_adds(out, "</section>\n");
}

void asy__report_lineage(const struct asy__report *r, struct asy_buf *out)
{
    const struct asy__report_row **rows = malloc((r->n + 1) * sizeof *rows);
    double members = 0, last = 1;

    if (!rows) {
        out->rc = out->rc ? out->rc : ASY_E_NOMEM;
        return;
    }
    for (size_t i = 0; i < r->n; i++) {
        rows[i] = &r->rows[i];
        members = fmax(members, (double)number_of(rows[i], "member"));
        last = fmax(last, (double)rows[i]->step);
    }
    qsort(rows, r->n, sizeof *rows, by_number);
    if (members > 0)
        draw(r, rows, members, last, out);
    free(rows);
}
