/* SPDX-License-Identifier: Apache-2.0
 * metrics.h - the metrics that training reports: their names, and their values from sums and
 * counts. Some cost time or say little to most, and are reported where the study names them. */
#ifndef ASY__METRICS_H
#define ASY__METRICS_H
#include <asy/plugin.h>
#include "hyper.h"
#include "score.h"
#include "tally.h"

/* The ones to be asked for, as a set. */
enum {
    ASY__WANTS_AREA = 1u << 0,
    ASY__WANTS_PERPLEXITY = 1u << 1,
    ASY__WANTS_TOP = 1u << 2, /* of asy__tops[0]; those of the others are shifted on */
    ASY__WANTS_ALL = (ASY__WANTS_TOP << ASY__TOPS) - 1,
};
/* The one of that name ("val_auc"); 0: none that is asked for. */
unsigned asy__metric_wants(const char *name);

#define ASY__STD "_std" /* behind the name of a metric: how far apart folds are in it */
/* Both parts', how far apart folds are in one of them, and the pace. */
#define ASY__METRICS_MAX (3 * ASY_PLUGIN_METRICS_MAX + 1)
struct asy__metric_list {
    struct {
        char name[64];
        double value;
    } item[ASY__METRICS_MAX];
    size_t n;
};
/* Adds the metrics of a part, named "<prefix>_loss" and so on, in name order. tally: NULL: there is
 * none, and nothing that needs one. loss: what the score's is the sum of. */
void asy__metrics_add(const struct asy__score *score, const struct asy__tally_result *tally,
                      const struct asy__schema *schema, enum asy__loss loss, unsigned wants,
                      const char *prefix, struct asy__metric_list *list);
/* ASY_E_INVAL unless training on this data reports the metric, which may be a study's objective. */
ASY_MUST_CHECK int asy__metric_check(const struct asy__data *data, const char *name,
                                     struct asy_error *err);
#endif
