/* SPDX-License-Identifier: Apache-2.0
 * plan.c - what was understood of a study file, shown before anything runs. */
#include "plan.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <asy/event.h>
#include "format.h"

#define LABEL ASY__PLAN_LABEL /* "space    " */
#define WORKERS_SHOWN 4

int asy__study_of(const struct asy_json *root, struct asy_study_spec **ret_spec,
                  struct asy_error *err)
{
    struct asy_buf text = { 0 };
    struct asy_jsonw w;
    int rc;

    asy_buf_init(&text, 8u << 20);
    asy_jsonw_init(&w, &text, 0);
    asy_jsonw_node(&w, NULL, asy_json_get(root, "spec"));
    if ((rc = asy_buf_check(&text, "the study file", err)) == 0)
        rc = asy_study_parse(text.data, text.len, "the study", NULL, ret_spec, NULL, err);
    asy_buf_fini(&text);
    return rc;
}

static void put_choice(struct asy_buf *out, const struct asy_value *value)
{
    if (value->type == ASY_VALUE_STRING)
        asy__fmt_clean(out, value->s);
    else if (value->type == ASY_VALUE_BOOL)
        asy_buf_adds(out, value->i ? "true" : "false");
    else
        asy__fmt_number(out, value->f);
}

static void put_range(struct asy_buf *out, const struct asy_param *param)
{
    if (param->type == ASY_PARAM_CHOICE) {
        asy_buf_addc(out, '{');
        for (size_t i = 0; i < param->n_choices; i++) {
            asy_buf_adds(out, i ? ", " : "");
            put_choice(out, &param->choices[i]);
        }
        asy_buf_addc(out, '}');
        return;
    }
    asy__fmt_number(out, param->lo);
    asy_buf_adds(out, " to ");
    asy__fmt_number(out, param->hi);
    if (param->type == ASY_PARAM_INT)
        asy_buf_adds(out, ", whole");
    if (param->step > 0 && !(param->type == ASY_PARAM_INT && param->step <= 1)) {
        asy_buf_adds(out, ", step ");
        asy__fmt_number(out, param->step);
    }
    if (param->log)
        asy_buf_adds(out, ", log");
}

static void put_numbers(struct asy_buf *out, const char *first, double a, const char *second,
                        double b)
{
    asy_buf_adds(out, first);
    asy__fmt_number(out, a);
    asy_buf_adds(out, second);
    asy__fmt_number(out, b);
}

/* "prior mean 0.001, sd 2" */
static void put_prior(struct asy_buf *out, const struct asy_param *param)
{
    const struct asy_prior *prior = &param->prior;

    if (prior->kind == ASY_PRIOR_NONE)
        return;
    asy_buf_adds(out, "  prior ");
    switch (prior->kind) {
    case ASY_PRIOR_WEIGHTS:
        asy_buf_adds(out, "weights");
        for (size_t i = 0; i < param->n_choices; i++) {
            asy_buf_adds(out, i ? ", " : " ");
            asy__fmt_number(out, prior->weights[i]);
        }
        break;
    case ASY_PRIOR_NORMAL:
        put_numbers(out, "mean ", prior->a, ", sd ", prior->b);
        break;
    case ASY_PRIOR_BETA:
        put_numbers(out, "beta ", prior->a, ", ", prior->b);
        break;
    default:
        put_numbers(out, "", prior->lo, " to ", prior->hi);
    }
    if (prior->log != param->log)
        asy_buf_adds(out, prior->log ? ", log" : ", linear");
}

static void put_entry(struct asy_buf *out, const struct asy_param *param, double entry)
{
    if (param->type == ASY_PARAM_CHOICE && entry >= 0 && (size_t)entry < param->n_choices)
        put_choice(out, &param->choices[(size_t)entry]);
    else
        asy__fmt_number(out, entry);
}

void asy__fmt_when(struct asy_buf *out, const struct asy_space *space, const struct asy_when *when)
{
    const struct asy_param *parent = asy_space_at(space, when->parent);

    asy__fmt_clean(out, parent->name);
    if (!when->n_values) {
        asy_buf_adds(out, " in ");
        asy__fmt_number(out, when->lo);
        asy_buf_adds(out, " to ");
        asy__fmt_number(out, when->hi);
        return;
    }
    asy_buf_adds(out, when->n_values == 1 ? " = " : " in {");
    for (size_t i = 0; i < when->n_values; i++) {
        asy_buf_adds(out, i ? ", " : "");
        put_entry(out, parent, when->values[i]);
    }
    if (when->n_values > 1)
        asy_buf_addc(out, '}');
}

static void put_space(struct asy_buf *out, const struct asy_space *space)
{
    size_t widest = 0, n = asy_space_len(space);

    for (size_t i = 0; i < n; i++) {
        const char *name = asy_space_at(space, i)->name;
        size_t w = asy__text_width(name, strlen(name));

        widest = w > widest ? w : widest;
    }
    for (size_t i = 0; i < n; i++) {
        const struct asy_param *param = asy_space_at(space, i);

        asy_buf_addf(out, "%-*s%-*s  ", LABEL, i ? "" : "space", (int)widest, param->name);
        put_range(out, param);
        put_prior(out, param);
        for (size_t k = 0; k < param->n_whens; k++) {
            asy_buf_adds(out, k ? " and " : "  when ");
            asy__fmt_when(out, space, &param->whens[k]);
        }
        asy_buf_addc(out, '\n');
    }
}

static void put_run(struct asy_buf *out, const struct asy_study_spec *spec)
{
    asy_buf_addf(out, "%-*s", LABEL, "run");
    if (spec->kind == ASY_RUN_MODEL)
        asy_buf_addf(out, "%s", spec->model);
    if (spec->kind == ASY_RUN_PLUGIN) {
        const char *slash = strrchr(spec->plugin, '/');

        asy_buf_adds(out, "plug-in ");
        asy__fmt_short(out, slash ? slash + 1 : spec->plugin, 60);
    }
    for (size_t i = 0; i < spec->n_command; i++) {
        asy_buf_adds(out, i ? " " : "");
        asy__fmt_short(out, spec->command[i], 60);
    }
    if (spec->length_max != UINT64_MAX && spec->length_max > 0)
        asy_buf_addf(out, ", at most %" PRIu64 " %s a trial", spec->length_max,
                     spec->length_unit ? spec->length_unit : "steps");
    if (strcmp(spec->device, "auto") != 0)
        asy_buf_addf(out, ", on %s", spec->device);
    if (!spec->checkpoint) /* a trial that is moved starts from nothing */
        asy_buf_adds(out, ", no checkpoints");
    asy_buf_addc(out, '\n');
}

static void put_pruner(struct asy_buf *out, const struct asy_study_spec *spec)
{
    char group[64];

    snprintf(group, sizeof group, "pruner %.50s", spec->pruner);
    asy_buf_addf(out, ", %s", group);
    for (size_t i = 0; i < spec->n_pruner_options; i++) {
        const struct asy_named_number *option = &spec->pruner_options[i];
        size_t len;
        const char *word = asy_study_option_word(group, option->name, option->value, &len);

        asy_buf_addf(out, "%s%s ", i ? ", " : " (", option->name);
        if (word)
            asy_buf_add(out, word, len);
        else
            asy__fmt_number(out, option->value);
    }
}

static void put_search(struct asy_buf *out, const struct asy_study_spec *spec)
{
    asy_buf_addf(out, "%-*s%s", LABEL, "search", spec->sampler);
    put_pruner(out, spec);
    asy_buf_addf(out, "%s, seed %" PRIu64 "%s", spec->n_pruner_options ? ")" : "", spec->seed,
                 spec->deterministic ? ", deterministic" : "");
    for (size_t i = 0; i < spec->n_from; i++)
        asy_buf_addf(out, "%s'%s'", i ? ", " : ", from ", spec->from[i]);
    if (spec->n_told)
        asy_buf_addf(out, ", knows %zu result%s from elsewhere", spec->n_told,
                     ASY_S(spec->n_told));
    asy_buf_addc(out, '\n');
    if (!strcmp(spec->pruner, "wilcoxon") && spec->objectives[0].take != ASY_TAKE_MEAN)
        asy_buf_addf(out, "%*swilcoxon compares trials over instances, by their means; results are "
                          "judged so with 'objective: {take: mean}'\n", LABEL, "");
}

/* Nothing but a stop ends it, or a sampler that has tried all. */
static void put_open(struct asy_buf *out, const struct asy_study_spec *spec)
{
    double n = asy_space_cardinality(spec->space);

    if (asy_study_has_population(spec) && spec->length_max != UINT64_MAX) {
        asy_buf_adds(out, "until all members are trained");
        return;
    }
    if (strcmp(spec->sampler, "grid") != 0 && strcmp(spec->sampler, "brute_force") != 0) {
        asy_buf_adds(out, "open: runs until it is stopped");
        return;
    }
    asy_buf_adds(out, "all points of the space");
    if (isfinite(n))
        asy_buf_addf(out, ", which are %.0f", n);
}

/* What ends it before that: "; before that, after 30 trials in a row without a better one". */
static void put_enough(struct asy_buf *out, const struct asy_study_spec *spec)
{
    const char *before = "; before that, ";

    if (spec->patience != UINT64_MAX) {
        asy_buf_addf(out, "%safter ", before);
        asy__fmt_count(out, spec->patience, "trial");
        asy_buf_addf(out, "%s without a better one", spec->patience == 1 ? "" : " in a row");
        before = " or ";
    }
    if (!isnan(spec->regret)) {
        asy_buf_addf(out, "%sonce hardly any point can be better by more than ", before);
        asy__fmt_number(out, spec->regret);
    }
}

static void put_budget(struct asy_buf *out, const struct asy_study_spec *spec)
{
    asy_buf_addf(out, "%-*s", LABEL, "budget");
    if (spec->max_trials != UINT64_MAX)
        asy__fmt_count(out, spec->max_trials, "trial");
    if (spec->max_time_ms != INT64_MAX) {
        asy_buf_adds(out, spec->max_trials != UINT64_MAX ? " or " : "");
        asy__fmt_exact(out, spec->max_time_ms);
        asy_buf_adds(out, spec->max_trials != UINT64_MAX ? ", whichever comes first" : "");
    }
    if (spec->max_trials == UINT64_MAX && spec->max_time_ms == INT64_MAX)
        put_open(out, spec);
    put_enough(out, spec);
    asy_buf_addc(out, '\n');
}

static void put_constraints(struct asy_buf *out, const struct asy_study_spec *spec)
{
    for (size_t i = 0; i < spec->n_constraints; i++) {
        const struct asy_constraint *c = &spec->constraints[i];

        if (i)
            asy_buf_adds(out, ", ");
        else
            asy_buf_addf(out, "%-*s", LABEL, "within");
        asy__fmt_clean(out, c->metric);
        asy_buf_adds(out, isinf(c->min) ? " at most " : " from ");
        asy__fmt_number(out, isinf(c->min) ? c->max : c->min);
        if (!isinf(c->min) && !isinf(c->max)) {
            asy_buf_adds(out, " to ");
            asy__fmt_number(out, c->max);
        }
        asy_buf_adds(out, isinf(c->max) ? " on" : "");
    }
    asy_buf_adds(out, spec->n_constraints ? "\n" : "");
}

void asy__plan_study(const struct asy_study_spec *spec, struct asy_buf *out)
{
    asy_buf_addf(out, "%-*s%s:", LABEL, "study", spec->name);
    for (size_t i = 0; i < spec->n_objectives; i++)
        asy_buf_addf(out, "%s %s %s (%s of a trial)", i ? "," : "",
                     spec->objectives[i].maximize ? "maximize" : "minimize",
                     spec->objectives[i].metric,
                     spec->objectives[i].take == ASY_TAKE_BEST   ? "the best"
                     : spec->objectives[i].take == ASY_TAKE_MEAN ? "the mean"
                                                                 : "the last");
    asy_buf_addc(out, '\n');
    put_constraints(out, spec);
    put_run(out, spec);
    put_space(out, spec->space);
    put_search(out, spec);
    put_budget(out, spec);
}

static void put_classes(struct asy_buf *out, const struct asy_json *classes)
{
    const struct asy_json *class;
    size_t n = asy_json_len(classes), shown = n <= 12 ? n : 10;

    if (!n)
        return;
    asy_buf_adds(out, ", ");
    asy_buf_addf(out, "%zu classes (", n);
    for (size_t i = 0; i < shown && (class = asy_json_at(classes, i)); i++) {
        asy_buf_adds(out, i ? " " : "");
        asy__fmt_value(out, class);
    }
    asy_buf_adds(out, shown < n ? " ...)" : ")");
}

static void put_rows(struct asy_buf *out, const struct asy_json *data)
{
    asy_buf_addf(out, "%" PRId64 " rows, %" PRId64 " columns, label ",
                 asy_json_i64(asy_json_get(data, "rows"), 0),
                 asy_json_i64(asy_json_get(data, "columns"), 0));
    asy__fmt_value(out, asy_json_get(data, "label"));
    put_classes(out, asy_json_get(data, "classes"));
}

static void put_tokens(struct asy_buf *out, const struct asy_json *data)
{
    asy_buf_addf(out, "%" PRId64 " tokens, %" PRId64 " different ones",
                 asy_json_i64(asy_json_get(data, "tokens"), 0),
                 asy_json_i64(asy_json_get(data, "vocabulary"), 0));
}

void asy__plan_data(const struct asy_json *data, const char *file, const char *labels,
                    struct asy_buf *out)
{
    const struct asy_json *split = asy_json_get(data, "split"), *value;
    const char *key;

    asy_buf_addf(out, "%-*s", LABEL, "data");
    asy__fmt_clean(out, file);
    if (labels) {
        asy_buf_addf(out, "\n%-*slabels in ", LABEL, "");
        asy__fmt_clean(out, labels);
    }
    asy_buf_addf(out, "\n%-*s", LABEL, "");
    if (asy_json_get(data, "tokens"))
        put_tokens(out, data);
    else
        put_rows(out, data);
    asy_buf_addf(out, "\n%-*ssplit: ", LABEL, "");
    for (size_t i = 0; (value = asy_json_member(split, i, &key)); i++) {
        asy_buf_addf(out, "%s%s ", i ? ", " : "", key);
        asy__fmt_value(out, value);
    }
    asy_buf_addc(out, '\n');
}

/* ---- slots --------------------------------------------------------------------------------- */

int asy__worker_here(const struct asy_json *worker)
{
    static const char *const elsewhere[] = { "away", "gone", "draining" };
    const char *state = asy_json_str(asy_json_get(worker, "state"), "");

    for (size_t i = 0; i < ASY_ARRAY_LEN(elsewhere); i++)
        if (!strcmp(state, elsewhere[i]))
            return 0;
    return 1;
}

/* How many trials its GPUs hold at once; a part of one needs a device that may be shared. */
static uint64_t by_gpus(const struct asy_json *worker, const struct asy_study_spec *spec)
{
    const struct asy_json *list = asy_json_get(worker, "gpu_list"), *gpu;
    uint64_t per_trial = (uint64_t)(spec->gpus / ASY_GPU_WHOLE) * spec->ranks, n = 0;

    if (spec->gpus == 0)
        return UINT64_MAX;
    if (per_trial)
        return (uint64_t)asy_json_i64(asy_json_get(worker, "gpus"), 0) / per_trial;
    for (size_t i = 0; (gpu = asy_json_at(list, i)); i++)
        if (asy_json_bool(asy_json_get(gpu, "shared"), 1))
            n += ASY_GPU_WHOLE / spec->gpus;
    return n / spec->ranks;
}

/* How many trials a worker holds at once; its cores are what it has, not what is free just now. */
static uint64_t slots_of(const struct asy_json *worker, const struct asy_study_spec *spec)
{
    uint64_t cores = (uint64_t)spec->cores * spec->ranks, memory = spec->memory * spec->ranks;
    uint64_t gpus = by_gpus(worker, spec);
    uint64_t by_cores = (uint64_t)asy_json_i64(asy_json_get(worker, "cores"), 0) /
                        (cores ? cores : 1);
    uint64_t by_memory = memory ? (uint64_t)asy_json_i64(asy_json_get(worker, "memory"), 0) / memory
                                : UINT64_MAX;

    if (*asy_json_str(asy_json_get(worker, "fit"), ""))
        return 0;
    by_cores = gpus < by_cores ? gpus : by_cores;
    return by_cores < by_memory ? by_cores : by_memory;
}

/* How many ranks of gangs that span several workers; those have no GPUs (decision 13). */
static uint64_t ranks_of(const struct asy_json *worker, const struct asy_study_spec *spec)
{
    uint64_t cores = (uint64_t)asy_json_i64(asy_json_get(worker, "cores"), 0);
    uint64_t memory = (uint64_t)asy_json_i64(asy_json_get(worker, "memory"), 0);
    uint64_t by_cores = cores / (spec->cores ? spec->cores : 1);
    uint64_t by_memory = spec->memory ? memory / spec->memory : UINT64_MAX;

    if (spec->gpus || *asy_json_str(asy_json_get(worker, "fit"), ""))
        return 0;
    return by_cores < by_memory ? by_cores : by_memory;
}

static void put_worker(struct asy_buf *out, const struct asy_json *worker)
{
    uint64_t gpus = (uint64_t)asy_json_i64(asy_json_get(worker, "gpus"), 0);

    asy__fmt_clean(out, asy_json_str(asy_json_get(worker, "host"), "a worker"));
    asy_buf_adds(out, " (");
    asy__fmt_count(out, (uint64_t)asy_json_i64(asy_json_get(worker, "cores"), 0), "core");
    asy_buf_adds(out, ", ");
    asy__fmt_bytes(out, (uint64_t)asy_json_i64(asy_json_get(worker, "memory"), 0));
    if (gpus) {
        asy_buf_adds(out, ", ");
        asy__fmt_count(out, gpus, "GPU");
    }
    asy_buf_addc(out, ')');
}

static void put_need(struct asy_buf *out, const struct asy_study_spec *spec)
{
    asy__fmt_count(out, (uint64_t)spec->cores * spec->ranks, "core");
    if (spec->ranks > 1)
        asy_buf_addf(out, " (%u ranks of %u)", spec->ranks, spec->cores);
    if (spec->gpus >= ASY_GPU_WHOLE) {
        asy_buf_adds(out, ", ");
        asy__fmt_count(out, (uint64_t)(spec->gpus / ASY_GPU_WHOLE) * spec->ranks, "GPU");
    } else if (spec->gpus > 0) {
        asy_buf_adds(out, ", ");
        asy__fmt_number(out, (double)spec->gpus / ASY_GPU_WHOLE);
        asy_buf_adds(out, spec->ranks > 1 ? " of a GPU each" : " of a GPU");
    }
    if (spec->memory) {
        asy_buf_adds(out, " and ");
        asy__fmt_bytes(out, spec->memory * spec->ranks);
    }
}

void asy__plan_resources(const struct asy_study_spec *spec, struct asy_buf *out)
{
    asy_buf_addf(out, "%-*s", LABEL, "needs");
    put_need(out, spec);
    asy_buf_adds(out, " a trial");
    if (spec->parallel) {
        asy_buf_adds(out, ", at most ");
        asy__fmt_count(out, spec->parallel, "trial");
        asy_buf_adds(out, " at a time");
    }
    asy_buf_addc(out, '\n');
}

void asy__plan_slots(const struct asy_study_spec *spec, const struct asy_json *workers,
                     struct asy_buf *out)
{
    const struct asy_json *list = asy_json_get(workers, "workers"), *worker;
    uint64_t slots = 0, ranks = 0;
    size_t n = 0;
    int spans;

    for (size_t i = 0; (worker = asy_json_at(list, i)); i++)
        if (asy__worker_here(worker)) {
            n++;
            slots += slots_of(worker, spec);
            ranks += ranks_of(worker, spec);
        }
    spans = slots == 0 && spec->ranks > 1 && ranks >= spec->ranks;
    if (spans)
        slots = ranks / spec->ranks;
    if (spec->parallel && spec->parallel < slots)
        slots = spec->parallel;
    asy_buf_addf(out, "%-*s", LABEL, "slots");
    if (slots)
        asy__fmt_count(out, slots, "trial");
    else
        asy_buf_adds(out, n ? "none: no worker can hold a trial" : "none yet: no worker is here");
    asy_buf_adds(out, slots ? " at a time, each " : "; one takes ");
    n = 0;
    put_need(out, spec);
    for (size_t i = 0; (worker = asy_json_at(list, i)); i++) {
        if (!asy__worker_here(worker) || ++n > WORKERS_SHOWN)
            continue;
        asy_buf_adds(out, n > 1 ? ", " : ", on ");
        put_worker(out, worker);
    }
    if (n > WORKERS_SHOWN)
        asy_buf_addf(out, " and %zu more", n - WORKERS_SHOWN);
    asy_buf_adds(out, spans ? ", its ranks on several of them\n" : "\n");
}
