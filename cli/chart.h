/* SPDX-License-Identifier: Apache-2.0
 * chart.h - axes and marks of a chart as SVG, for a page that stands by itself: no scripts, no
 * fonts, colours by name of a CSS variable, so that they follow light and dark.
 *
 * Whatever text comes from outside goes through asy__html_text(). Coordinates are in units of the
 * chart's own box. Threads: any. */
#ifndef ASY__CHART_H
#define ASY__CHART_H
#include <asy/buf.h>
#include <asy/space.h>

/* Text as content or attribute value of HTML; control characters become blanks. */
void asy__html_text(struct asy_buf *out, const char *text);
void asy__html_short(struct asy_buf *out, const char *text, size_t width); /* "..." at the end */

struct asy__axis {
    double lo, hi;                  /* values at its ends */
    double from, to;                /* where these are in the chart */
    int log, whole;                 /* whole: ticks at whole numbers only */
    const struct asy_param *choice; /* values are indices of its choices; NULL: numbers */
};
/* An axis for values, of which there may be none: a little wider than they are; logarithmic if they
 * are all positive and the largest is over 30 times the smallest. Infinite and NaN ones do not
 * count. */
struct asy__axis asy__axis_of(const double *values, size_t n);
/* That of a parameter: all of its range. */
struct asy__axis asy__axis_of_param(const struct asy_param *param);
double asy__axis_at(const struct asy__axis *axis, double value); /* at an end if beyond it */
/* Round values within it, about max of them at most; ret[max + 1]. */
size_t asy__axis_ticks(const struct asy__axis *axis, size_t max, double *ret);
void asy__axis_label(struct asy_buf *out, const struct asy__axis *axis, double value, size_t width);

/* name: what the chart shows, for who cannot see it. */
void asy__chart_open(struct asy_buf *out, const char *name, int width, int height);
void asy__chart_close(struct asy_buf *out);
/* Grid, ticks and title of an axis; the other one says how long grid lines are. */
void asy__chart_x(struct asy_buf *out, const struct asy__axis *x, const struct asy__axis *y,
                  const char *title);
void asy__chart_y(struct asy_buf *out, const struct asy__axis *x, const struct asy__axis *y,
                  const char *title);
/* Only where both are numbers. mark: class of the dot. title: what a pointer over it shows. */
void asy__chart_dot(struct asy_buf *out, const struct asy__axis *x, const struct asy__axis *y,
                    double at_x, double at_y, const char *mark, const char *title);
#endif
