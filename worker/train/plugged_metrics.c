/* SPDX-License-Identifier: Apache-2.0
 * plugged_metrics.c - what a plug-in counts, added up over shards and ranks, and what it comes
 * to. */
#include "plugged_impl.h"
#include "comm/agree.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int has_metric(const struct asy__plugged *p, const char *name, size_t len)
{
    for (uint32_t i = 0; i < p->api->n_metrics; i++)
        if (strlen(p->api->metrics[i].name) == len && !memcmp(p->api->metrics[i].name, name, len))
            return 1;
    return 0;
}

static int check_names(const struct asy__plugged *p, struct asy_error *err)
{
    size_t end = strlen(ASY__STD);

    for (uint32_t i = 0; i < p->api->n_metrics; i++) {
        const char *name = p->api->metrics[i].name;
        size_t n = strlen(name);

        if (n > end && !strcmp(name + n - end, ASY__STD) && has_metric(p, name, n - end))
            return asy_fail(err, ASY_E_INVAL, "split: plug-in '%s' reports '%s', which is where "
                            "folds and repeats say how far apart they are", p->api->name, name);
    }
    return 0;
}

int asy__plugged_metric(const struct asy__plugged *plugged, struct asy_error *err)
{
    const char *name = plugged->options.job->metric;
    const struct asy__data_spec *spec = &plugged->options.job->data;
    size_t divisions = plugged->options.data ? asy__divisions(spec) : 0;
    int all_rows = divisions && spec->division == ASY__UNDIVIDED; /* others are judged */
    int validated = all_rows || asy__rows_of(asy__plugged_data_of(plugged), ASY__VALIDATION) > 0;
    int val = !strncmp(name, "val_", 4);
    const char *rest = val ? name + 4 : !strncmp(name, "train_", 6) ? name + 6 : "";

    if (!has_metric(plugged, rest, strlen(rest)) || (val && !validated))
        return asy_fail(err, ASY_E_INVAL, "objective: plug-in '%s' does not report '%.60s'%s",
                        plugged->api->name, name,
                        val && !validated ? " (there are no rows to validate on)" : "");
    return divisions ? check_names(plugged, err) : 0;
}

int asy__plugged_add_up(struct asy__plugged *p, const struct asy_trainer_sum *sums, int rc,
                        struct asy_error *err)
{
    size_t n = p->options.shards * p->kept.n_sums;
    int sent;

    for (size_t i = 0; i < n / 2; i++) {
        p->room[2 * i] = sums[i].sum;
        p->room[2 * i + 1] = sums[i].count;
    }
    p->room[n] = rc < 0;
    sent = asy_comm_sum_f64(p->options.comm, p->room, n + 1, rc < 0 ? NULL : err);
    if (sent < 0 || p->room[n] == 0)
        return rc < 0 ? rc : sent;
    return asy__share_blame(p->options.comm, rc, err);
}

void asy__plugged_add_metrics(const struct asy__plugged *p, const char *prefix,
                              struct asy__metric_list *list)
{
    for (uint32_t m = 0; m < p->api->n_metrics; m++) {
        const struct asy_trainer_metric *metric = &p->api->metrics[m];
        double sum = 0, count = 0;

        for (size_t s = 0; s < p->options.shards; s++) {
            sum += p->room[s * p->kept.n_sums + 2 * m];
            count += p->room[s * p->kept.n_sums + 2 * m + 1];
        }
        if (count == 0)
            continue;
        sum /= count;
        snprintf(list->item[list->n].name, sizeof list->item[0].name, "%s_%s", prefix,
                 metric->name);
        list->item[list->n++].value = metric->flags & ASY_TRAINER_ROOT ? sqrt(sum) : sum;
    }
}

static int evaluate_rows(struct asy__plugged *p, const float *params, enum asy__part part,
                         size_t from, size_t to, struct asy_trainer_sum *sums,
                         struct asy_error *err)
{
    const struct asy__data *data = p->options.data;
    size_t start = asy__plugged_data_of(p)->start[part];
    char why[ASY_TRAINER_WHY] = "";

    for (size_t at = from; at < to; at += ASY__PLUGGED_ROWS) {
        size_t n = to - at < ASY__PLUGGED_ROWS ? to - at : ASY__PLUGGED_ROWS, first = start + at;
        struct asy_trainer_rows rows = { .size = sizeof rows, .n = n, .row = p->row,
                                         .part = (uint32_t)part };

        for (size_t i = 0; i < n; i++)
            p->row[i] = at + i;
        if (data) {
            rows.features = data->x + first * data->schema.n_features;
            rows.label = data->schema.classification ? data->label + first : NULL;
            rows.target = data->schema.classification ? NULL : data->target + first;
        }
        if (p->api->evaluate(p->self, params, &rows, sums, why) != 0)
            return asy__plugged_failed(p, "evaluate", why, err);
        if (p->options.alive)
            p->options.alive(p->options.arg);
    }
    return 0;
}

int asy__plugged_evaluate(struct asy__plugged *p, const float *params, enum asy__part part,
                          struct asy_error *err)
{
    size_t n = asy__rows_of(asy__plugged_data_of(p), part), shards = p->options.shards, first, end;
    struct asy_trainer_sum *sums = calloc(shards * p->api->n_metrics, sizeof *sums);
    int rc = 0;

    if (!sums) { /* the others still wait for its sums, and there is room for them */
        memset(p->kept.sums, 0, shards * p->kept.n_sums * sizeof *p->kept.sums);
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a plug-in's sums");
        return asy__plugged_add_up(p, (struct asy_trainer_sum *)(void *)p->kept.sums, rc, err);
    }
    asy__own_shards(p->options.comm, shards, &first, &end);
    for (size_t s = first; s < end && rc == 0; s++)
        rc = evaluate_rows(p, params, part, asy__share_begin(n, s, shards),
                           asy__share_begin(n, s + 1, shards), sums + s * p->api->n_metrics, err);
    rc = asy__plugged_add_up(p, sums, rc, err);
    free(sums);
    return rc;
}

void asy__plugged_begin(struct asy__plugged *plugged)
{
    memset(plugged->partial, 0,
           plugged->options.shards * plugged->api->n_metrics * sizeof *plugged->partial);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b); /* the name is what an item begins with */
}

int asy__plugged_measure(struct asy__plugged *plugged, const float *params,
                         struct asy__metric_list *list, struct asy_error *err)
{
    int rc = asy__plugged_add_up(plugged, plugged->partial, 0, err);

    if (rc < 0)
        return rc;
    asy__plugged_add_metrics(plugged, "train", list);
    if (asy__rows_of(asy__plugged_data_of(plugged), ASY__VALIDATION) > 0) {
        if ((rc = asy__plugged_evaluate(plugged, params, ASY__VALIDATION, err)) < 0)
            return rc;
        asy__plugged_add_metrics(plugged, "val", list);
    }
    qsort(list->item, list->n, sizeof list->item[0], by_name);
    for (size_t i = 0; i < list->n; i++)
        if (!strcmp(list->item[i].name, plugged->options.job->metric))
            return 0;
    return asy_fail(err, ASY_E_INVAL, "plug-in '%s' has counted nothing for '%.60s'",
                    plugged->api->name, plugged->options.job->metric);
}
