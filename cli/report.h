/* SPDX-License-Identifier: Apache-2.0
 * report.h - what the parts of `assay report` share: a study as it is drawn.
 *
 * Ownership: borrowed from report.c. Threads: one. */
#ifndef ASY__REPORT_H
#define ASY__REPORT_H
#include <asy/study.h>
#include "chart.h"

struct asy__report_row {
    uint64_t number, step;
    const char *state;
    int complete, outside;  /* outside the constraints */
    double values[ASY_STUDY_OBJECTIVES_MAX]; /* NaN: none */
    const double *x;        /* [space length]; NULL: not known */
    const struct asy_json *node;
};
struct asy__report {
    const struct asy_study_spec *spec;
    const struct asy_json *study, *importance, *history, *curves;
    struct asy__report_row *rows; /* [n] best first, as `assay best` orders them */
    size_t n, n_complete;         /* n_complete: rows that are results, the first ones */
    size_t *params;               /* [n_params] by importance */
    size_t n_params;
};
/* What it says of a row when a pointer stands on it. text holds 160 bytes. */
const char *asy__report_title(const struct asy__report_row *row, char text[160]);

/* report_plots.c: each appends a section, or nothing where there is nothing to draw. */
void asy__report_history(const struct asy__report *r, struct asy_buf *out);
void asy__report_curves(const struct asy__report *r, struct asy_buf *out);
void asy__report_importance(const struct asy__report *r, struct asy_buf *out);
void asy__report_front(const struct asy__report *r, struct asy_buf *out);
/* report_lineage.c */
void asy__report_lineage(const struct asy__report *r, struct asy_buf *out);
/* report_space.c */
void asy__report_parallel(const struct asy__report *r, struct asy_buf *out);
void asy__report_slices(const struct asy__report *r, struct asy_buf *out);
#endif
