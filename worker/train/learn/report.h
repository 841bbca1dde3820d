/* SPDX-License-Identifier: Apache-2.0
 * report.h - how a model does on one part of its data, class by class: what is stored in the model,
 * and shown as text.
 *
 * As JSON, of classes (docs/protocol.md has no part in it: the trainer alone reads it):
 *   {"part":"validation","rows":N,"accuracy":…,"f1":…,
 *    "classes":[{"class":NAME,"rows":N,"precision":…,"recall":…,"f1":…},…],
 *    "confusion":[[…],…]}     rows are what they are, columns what they were taken for; absent for
 *                             more than ASY__CONFUSION_MAX classes
 * and of numbers, in the units of the label:
 *   {"part":"validation","rows":N,"mae":…,"rmse":…,"r2":…,
 *    "errors":{"min":…,"p5":…,"p25":…,"p50":…,"p75":…,"p95":…,"max":…}}  prediction - label */
#ifndef ASY__REPORT_H
#define ASY__REPORT_H
#include <asy/json.h>
#include "score.h"

#define ASY__CONFUSION_MAX 200
#define ASY__REPORT_BYTES (16u << 20) /* no report is larger */

/* By one rank. Of data of this schema (borrowed), which may be scaled otherwise at each adding. */
struct asy__report; /* opaque */
ASY_MUST_CHECK int asy__report_create(const struct asy__schema *schema,
                                      struct asy__report **ret_report, struct asy_error *err);
void asy__report_destroy(struct asy__report *report); /* NULL is fine */
/* The rows of a part, as this learner judges them. */
ASY_MUST_CHECK int asy__report_add(struct asy__report *report, const struct asy__learner *learner,
                                   const struct asy__data *data, enum asy__part part,
                                   struct asy_error *err);
/* Appends nothing if no rows were added. */
ASY_MUST_CHECK int asy__report_write(struct asy__report *report, enum asy__part part,
                                     struct asy_buf *ret_json, struct asy_error *err);
/* As text. ASY_E_CORRUPT: it is none. */
ASY_MUST_CHECK int asy__report_text(const struct asy_json *report, struct asy_buf *text,
                                    struct asy_error *err);
#endif
