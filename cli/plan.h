/* SPDX-License-Identifier: Apache-2.0
 * plan.h - what was understood of a study file, as text: study, space, search, budget; its data;
 * how many trials fit at once. Threads: any. */
#ifndef ASY__PLAN_H
#define ASY__PLAN_H
#include <asy/buf.h>
#include <asy/json.h>
#include <asy/study.h>

#define ASY__PLAN_LABEL 9 /* columns for what a line is about; it may go on below without that */

/* The study in the answer to "study", for the caller to destroy. One of another version may not
 * read. */
ASY_MUST_CHECK int asy__study_of(const struct asy_json *root, struct asy_study_spec **ret_spec,
                                 struct asy_error *err);
/* The first line is about the objective. */
void asy__plan_study(const struct asy_study_spec *spec, struct asy_buf *out);
/* What a trial takes, and how many may run at once. */
void asy__plan_resources(const struct asy_study_spec *spec, struct asy_buf *out);
/* data: as assay-trainer describes it. */
void asy__plan_data(const struct asy_json *data, const char *file, const char *labels,
                    struct asy_buf *out);
/* Whether a worker is connected and stays: one of the answer to "workers", which has those too that
 * left or may come back. */
int asy__worker_here(const struct asy_json *worker);
/* workers: the answer to "workers". */
void asy__plan_slots(const struct asy_study_spec *spec, const struct asy_json *workers,
                     struct asy_buf *out);
/* "optimizer = sgd", "layers in 2 to 3", "activation in {relu, tanh}" */
void asy__fmt_when(struct asy_buf *out, const struct asy_space *space,
                   const struct asy_when *when);
#endif
