/* SPDX-License-Identifier: Apache-2.0
 * tables.h - answers of the coordinator as text for people: lists as tables, one study or trial as
 * a page. width: columns of the terminal; 0: any. Threads: any. */
#ifndef ASY__TABLES_H
#define ASY__TABLES_H
#include <asy/buf.h>
#include <asy/json.h>

ASY_MUST_CHECK int asy__table_of_studies(const struct asy_json *root, size_t width,
                                         struct asy_buf *out, struct asy_error *err);
ASY_MUST_CHECK int asy__table_of_trials(const struct asy_json *root, size_t width,
                                        struct asy_buf *out, struct asy_error *err);
ASY_MUST_CHECK int asy__table_of_workers(const struct asy_json *root, size_t width,
                                         struct asy_buf *out, struct asy_error *err);
/* front.c. root: the answer to "front". */
ASY_MUST_CHECK int asy__table_of_front(const struct asy_json *root, size_t width,
                                       struct asy_buf *out, struct asy_error *err);
#define ASY__IMPORTANCE_TRIALS 50 /* complete ones, below which shares are rough */
/* Why a history has no volumes. */
#define ASY__NO_VOLUMES "Of more than four objectives no hypervolume is told: it takes too long"
/* importance.c. root: the answer to "importance", to "history". */
ASY_MUST_CHECK int asy__table_of_importance(const struct asy_json *root, size_t width,
                                            struct asy_buf *out, struct asy_error *err);
ASY_MUST_CHECK int asy__table_of_history(const struct asy_json *root, size_t width,
                                         struct asy_buf *out, struct asy_error *err);
/* "val_loss 0.31, seconds 12". objectives: each with its metric. */
void asy__front_values(const struct asy_json *objectives, const struct asy_json *values,
                       struct asy_buf *out);
/* Whether the outcome of a trial, or NULL, says so. */
int asy__outside_constraints(const struct asy_json *outcome);
/* pages.c */
ASY_MUST_CHECK int asy__page_of_study(const struct asy_json *root, size_t width,
                                      struct asy_buf *out, struct asy_error *err);
/* all: every value of every metric, not only a summary. */
ASY_MUST_CHECK int asy__page_of_trial(const struct asy_json *root, int all, size_t width,
                                      struct asy_buf *out, struct asy_error *err);
#endif
