/* SPDX-License-Identifier: Apache-2.0
 * chart.c - see chart.h. Ticks stand at 1, 2 or 5 times a power of ten (Heckbert 1990, "Nice
 * numbers for graph labels"), on logarithmic axes at powers of ten where they reach far enough. */
#include "chart.h"
#include <float.h>
#include <string.h>
#include "format.h"

#define WIDE 30 /* positive values that reach over more are shown by their logarithm */

/* ---- text ------------------------------------------------------------------------------------ */

static void escaped(struct asy_buf *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&': asy_buf_adds(out, "&amp;"); break;
        case '<': asy_buf_adds(out, "&lt;"); break;
        case '>': asy_buf_adds(out, "&gt;"); break;
        case '"': asy_buf_adds(out, "&quot;"); break;
        case '\'': asy_buf_adds(out, "&#39;"); break;
        default: asy_buf_addc(out, *text);
        }
}

void asy__html_short(struct asy_buf *out, const char *text, size_t width)
{
    struct asy_buf clean;

    asy_buf_init(&clean, 1u << 20);
    if (width)
        asy__fmt_short(&clean, text, width);
    else
        asy__fmt_clean(&clean, text);
    if (clean.rc && !out->rc)
        out->rc = clean.rc;
    else if (clean.data)
        escaped(out, clean.data);
    asy_buf_fini(&clean);
}

void asy__html_text(struct asy_buf *out, const char *text)
{
    asy__html_short(out, text, 0);
}

/* ---- axes ------------------------------------------------------------------------------------ */

struct asy__axis asy__axis_of(const double *values, size_t n)
{
    struct asy__axis axis = { .lo = INFINITY, .hi = -INFINITY };
    double pad;

    for (size_t i = 0; i < n; i++)
        if (isfinite(values[i])) {
            axis.lo = fmin(axis.lo, values[i]);
            axis.hi = fmax(axis.hi, values[i]);
        }
    if (axis.lo > axis.hi)
        return (struct asy__axis){ .lo = 0, .hi = 1 };
    axis.log = axis.lo > 0 && axis.hi / axis.lo > WIDE && isfinite(axis.hi / axis.lo);
    if (axis.log) {
        pad = pow(axis.hi / axis.lo, 0.04);
        axis.lo /= pad;
        axis.hi *= pad;
        return axis;
    }
    pad = 0.04 * (axis.hi / 2 - axis.lo / 2) * 2;
    if (pad == 0)
        pad = axis.lo == 0 ? 1 : fabs(axis.lo) * 0.1;
    axis.lo = fmax(axis.lo - pad, -DBL_MAX);
    axis.hi = fmin(axis.hi + pad, DBL_MAX);
    return axis;
}

struct asy__axis asy__axis_of_param(const struct asy_param *param)
{
    struct asy__axis axis = { .lo = param->lo, .hi = param->hi, .log = param->log,
                              .whole = param->type != ASY_PARAM_FLOAT };

    if (param->type == ASY_PARAM_CHOICE) {
        axis.choice = param;
        axis.lo = -0.5;
        axis.hi = (double)param->n_choices - 0.5;
    } else if (axis.lo == axis.hi) {
        axis.log = 0;
        axis.lo -= 0.5;
        axis.hi += 0.5;
    }
    return axis;
}

double asy__axis_at(const struct asy__axis *axis, double value)
{
    double u = axis->log ? log(value / axis->lo) / log(axis->hi / axis->lo)
                         : (value / 2 - axis->lo / 2) / (axis->hi / 2 - axis->lo / 2);

    return axis->from + fmin(fmax(u, 0), 1) * (axis->to - axis->from);
}

static size_t choice_ticks(const struct asy__axis *axis, size_t max, double *ret)
{
    size_t n = axis->choice->n_choices, each = (n + max - 1) / max, k = 0;

    for (size_t i = 0; i < n && k < max; i += each)
        ret[k++] = (double)i;
    return k;
}

static size_t log_ticks(const struct asy__axis *axis, size_t max, double *ret)
{
    static const double between[] = { 1, 2, 5 };
    double first = ceil(log10(axis->lo) - 1e-9), last = floor(log10(axis->hi) + 1e-9);
    double each = fmax(1, ceil((last - first + 1) / (double)max)), v;
    size_t k = 0;
    int dense = last <= first || 3 * (last - first + 2) <= (double)max;

    for (double e = dense ? first - 1 : first; e <= last && k < max; e += dense ? 1 : each)
        for (size_t i = 0; i < (dense ? 3 : 1) && k < max; i++)
            if ((v = between[i] * pow(10, e)) >= axis->lo * (1 - 1e-9) &&
                v <= axis->hi * (1 + 1e-9))
                ret[k++] = v;
    return k;
}

static size_t linear_ticks(const struct asy__axis *axis, size_t max, double *ret)
{
    double rough = (axis->hi / 2 - axis->lo / 2) / (double)max * 2, power, step;
    size_t k = 0;

    if (!(rough > 0) || !isfinite(rough))
        return 0;
    power = pow(10, floor(log10(rough)));
    step = rough <= power ? power : rough <= 2 * power ? 2 * power
           : rough <= 5 * power ? 5 * power : 10 * power;
    if (axis->whole)
        step = fmax(1, step);
    for (double i = ceil(axis->lo / step - 1e-9); i <= axis->hi / step + 1e-9 && k <= max; i++)
        ret[k++] = i * step + 0.0; /* no -0 */
    return k;
}

size_t asy__axis_ticks(const struct asy__axis *axis, size_t max, double *ret)
{
    size_t n = 0;

    if (axis->choice)
        return choice_ticks(axis, max, ret);
    if (axis->log)
        n = log_ticks(axis, max, ret);
    return n >= 2 ? n : linear_ticks(axis, max, ret);
}

void asy__axis_label(struct asy_buf *out, const struct asy__axis *axis, double value, size_t width)
{
    const struct asy_value *v;
    struct asy_buf text;

    asy_buf_init(&text, 1u << 16);
    if (!axis->choice) {
        asy__fmt_number(&text, value);
    } else {
        v = &axis->choice->choices[(size_t)value];
        if (v->type == ASY_VALUE_STRING)
            asy_buf_adds(&text, v->s);
        else if (v->type == ASY_VALUE_BOOL)
            asy_buf_adds(&text, v->i ? "true" : "false");
        else
            asy__fmt_number(&text, v->type == ASY_VALUE_INT ? (double)v->i : v->f);
    }
    if (text.rc && !out->rc)
        out->rc = text.rc;
    else
        asy__html_short(out, text.data ? text.data : "", width);
    asy_buf_fini(&text);
}

/* ---- the chart ------------------------------------------------------------------------------- */

void asy__chart_open(struct asy_buf *out, const char *name, int width, int height)
{
    asy_buf_addf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
                      "role=\"img\" aria-label=\"", width, height);
    asy__html_text(out, name);
    asy_buf_adds(out, "\">\n");
}

void asy__chart_close(struct asy_buf *out)
{
    asy_buf_adds(out, "</svg>\n");
}

void asy__chart_x(struct asy_buf *out, const struct asy__axis *x, const struct asy__axis *y,
                  const char *title)
{
    double ticks[16], room = x->to - x->from;
    size_t max = (size_t)fmin(fmax(room / 60, 2), 12), n = asy__axis_ticks(x, max, ticks);
    size_t width = (size_t)fmax(room / (double)(n ? n : 1) / 7, 3);

    for (size_t i = 0; i < n; i++) {
        double at = asy__axis_at(x, ticks[i]);

        asy_buf_addf(out, "<path class=\"grid\" d=\"M%.1f %.1fV%.1f\"/><text class=\"tick\" "
                          "x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", at, y->from, y->to, at,
                     y->from + 15);
        asy__axis_label(out, x, ticks[i], width);
        asy_buf_adds(out, "</text>\n");
    }
    asy_buf_addf(out, "<text class=\"title\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
                 (x->from + x->to) / 2, y->from + 32);
    asy__html_short(out, title, (size_t)fmax(room / 7, 8));
    asy_buf_adds(out, "</text>\n");
}

void asy__chart_y(struct asy_buf *out, const struct asy__axis *x, const struct asy__axis *y,
                  const char *title)
{
    double ticks[16];
    size_t n = asy__axis_ticks(y, 6, ticks);

    for (size_t i = 0; i < n; i++) {
        double at = asy__axis_at(y, ticks[i]);

        asy_buf_addf(out, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/><text class=\"tick\" "
                          "x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", x->from, at, x->to,
                     x->from - 6, at + 4);
        asy__axis_label(out, y, ticks[i], 9);
        asy_buf_adds(out, "</text>\n");
    }
    if (!title)
        return;
    asy_buf_addf(out, "<text class=\"title\" x=\"%.1f\" y=\"%.1f\">", fmax(x->from - 60, 4),
                 y->to - 10);
    asy__html_short(out, title, (size_t)fmax((x->to - x->from + 60) / 7, 8));
    asy_buf_adds(out, "</text>\n");
}

void asy__chart_dot(struct asy_buf *out, const struct asy__axis *x, const struct asy__axis *y,
                    double at_x, double at_y, const char *mark, const char *title)
{
    if (!isfinite(at_x) || !isfinite(at_y))
        return; /* the edge of a chart is no place for what lies beyond every edge */
    asy_buf_addf(out, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\">", mark,
                 asy__axis_at(x, at_x), asy__axis_at(y, at_y));
    if (title) {
        asy_buf_adds(out, "<title>");
        asy__html_text(out, title);
        asy_buf_adds(out, "</title>");
    }
    asy_buf_adds(out, "</circle>\n");
}
