/* SPDX-License-Identifier: Apache-2.0
 * study_check_model.c - of a model or a plug-in: metrics, parts of the data, tokens, devices. */
#include "study_impl.h"
#include <stdio.h>
#include <string.h>

#define MODEL_LENGTH_MAX 1000000000 /* epochs */
#define DIVISIONS_MAX 100           /* trainings of a trial */

/* As worker/train/learn/metrics.c has it: of tokens, classes or numbers, as far as the study says
 * what its labels are. */
static int is_reported(struct asy__parse *p, const char *metric)
{
    static const char of_tokens[] = "loss|accuracy|perplexity", of_numbers[] = "loss|mae|rmse|r2";
    const char *word = strchr(metric, '_') + 1;

    if (asy__is_word(p, "run.model", "gpt"))
        return asy__words_have(of_tokens, word);
    if (!strcmp(metric, "train_perplexity"))
        return 0;
    if (asy__is_word(p, "data.task", "regression"))
        return asy__words_have(of_numbers, word);
    return !asy__is_word(p, "data.task", "classification") || !strcmp(word, "loss") ||
           !asy__words_have(of_numbers, word);
}

/* The next that training reports, from the *i-th on: all families alike, a plug-in its own. */
static const char *next_metric(struct asy__parse *p, size_t *i)
{
    const char *name;

    if (p->kind == ASY_RUN_PLUGIN)
        return *i < p->n_own_metrics ? p->own_metrics[(*i)++] : NULL;
    while ((name = asy_study_option("metric model", (*i)++)))
        if (is_reported(p, name))
            return name;
    return NULL;
}

/* A stored study may be judged by a metric that its labels do not have: it was accepted while all
 * models had all. */
static int was_accepted(struct asy__parse *p, const char *metric)
{
    const char *name;

    if (p->look || p->kind == ASY_RUN_PLUGIN)
        return 0;
    for (size_t i = 0; (name = asy_study_option("metric model", i)); i++)
        if (!strcmp(name, metric))
            return 1;
    return 0;
}

/* How far divisions are apart, which is reported of each metric of validation beside it. */
static int is_spread(const char *metric, const char *const *names, size_t n)
{
    size_t len = strlen(metric);

    if (strncmp(metric, "val_", 4) != 0 || len < 9 || strcmp(metric + len - 4, "_std") != 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (strlen(names[i]) == len - 4 && !strncmp(names[i], metric, len - 4))
            return 1;
    return 0;
}

static void check_metric(struct asy__parse *p, const char *family, const char *metric,
                         const struct asy_yaml *node, const char *key)
{
    const char *names[32], *name;
    char list[300] = "", hint[128];
    size_t n = 0, len = 0, at = 0;

    while (n < 32 && (name = next_metric(p, &at))) {
        if (!strcmp(name, metric))
            return;
        names[n++] = name;
        if (len < sizeof list)
            len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", n > 1 ? ", " : "", name);
    }
    if ((p->kind == ASY_RUN_PLUGIN && !p->own_known) || was_accepted(p, metric))
        return;
    if (is_spread(metric, names, n)) {
        asy__problem(p, node, key, "'%.40s' says how far divisions of the data are apart; a trial "
                     "is judged by their mean, '%.*s'", metric, (int)strlen(metric) - 4, metric);
        return;
    }
    asy__did_you_mean(metric, names, n, hint, sizeof hint);
    asy__problem(p, node, key, "%s does not report '%.40s', but %s%s", family, metric, list, hint);
}

/* Each metric that trials are judged by. */
static void check_metrics(struct asy__parse *p)
{
    const char *family = asy__family(p), *metric, *key;
    const struct asy_yaml *node;
    int no_validation = asy__val(p, "data.split.validation")->has &&
                        asy__val(p, "data.split.validation")->f == 0;

    for (size_t i = 0; (metric = asy__study_judged(p, i, &node, &key)) || node; i++) {
        if (!metric)
            continue;
        check_metric(p, family, metric, node, key);
        if (no_validation && !strncmp(metric, "val_", 4))
            asy__problem(p, asy__place(p, "data.split"), "data.split.validation",
                         "is 0, so there is no '%.40s'", metric);
    }
}

/* Rows that are divided more than once. */
static void check_divisions(struct asy__parse *p)
{
    struct asy__value *share = asy__val(p, "data.split.validation");
    const struct asy__value *folds = asy__val(p, "data.split.folds");
    const struct asy__value *repeats = asy__val(p, "data.split.repeats");

    if (!folds->has && !(repeats->has && repeats->i > 1))
        return;
    if (folds->has && repeats->has && folds->i * repeats->i > DIVISIONS_MAX)
        asy__problem(p, repeats->node, "data.split.repeats",
                     "times folds is %lld trainings a trial; at most %d",
                     (long long)(folds->i * repeats->i), DIVISIONS_MAX);
    if (folds->has && share->node)
        asy__problem(p, share->node, "data.split.validation",
                     "has no use beside folds, each of which is validated on in turn");
    if (folds->has)
        share->has = 0; /* its default is not written either */
}

static void check_strict(struct asy__parse *p)
{
    const struct asy__value *ranks = asy__val(p, "resources.ranks");

    /* Trees are the same for any number of ranks, with their metrics. */
    if (!asy__is_word(p, "resources.reproducible", "strict") ||
        asy__is_word(p, "run.model", "gbdt"))
        return;
    if (ranks->has && ranks->i > ASY_STUDY_STRICT_RANKS)
        asy__problem(p, ranks->node, "resources.ranks",
                     "at most %d with reproducible: strict, which divides each batch into as many "
                     "parts for any number of ranks", ASY_STUDY_STRICT_RANKS);
}

/* Tokens and the model that learns from them go together, and are not described as tables are. */
static void check_tokens(struct asy__parse *p)
{
    static const char *const of_tables[] = {
        "data.labels", "data.arrays",  "data.header", "data.exclude",        "data.categorical",
        "data.label",  "data.task",    "data.missing", "data.scale",         "data.split.stratify",
        "data.split.seed", "data.split.repeats", "data.split.group", "data.sequence",
        "data.length",
    };
    const char *format = asy__val(p, "data.format")->s, *model = asy__val(p, "run.model")->s;
    int tokens = asy__is_word(p, "data.format", "text") || asy__is_word(p, "data.format", "tokens");
    int learns = asy__is_word(p, "run.model", "gpt");

    if (format && learns && !tokens)
        asy__problem(p, asy__place(p, "data.format"), "data.format",
                     "is text or tokens for the model gpt, not %s", format);
    else if (model && !learns && tokens)
        asy__problem(p, asy__place(p, "data.format"), "data.format",
                     "%s is for the model gpt; %s learns from tables", format, model);
    for (size_t i = 0; tokens && i < ASY_ARRAY_LEN(of_tables); i++) {
        struct asy__value *value = asy__val(p, of_tables[i]);

        if (value->node)
            asy__problem(p, value->node, of_tables[i], "is of tables, not of %s",
                         strcmp(format, "text") ? format : "a text");
        value->has = 0; /* its default is not written either */
    }
}

int asy__study_on_device(struct asy__parse *p)
{
    return asy__is_word(p, "resources.device", "opencl") ||
           asy__is_word(p, "resources.device", "cuda") ||
           (asy__is_word(p, "resources.device", "auto") && asy__val(p, "resources.gpus")->i > 0);
}

/* Plug-ins are not trained on devices, which are GPUs but for an OpenCL on the trial's cores. */
static void check_device(struct asy__parse *p)
{
    int64_t gpus = asy__val(p, "resources.gpus")->i;
    int cpu = asy__is_word(p, "resources.device", "cpu");
    int any = asy__is_word(p, "resources.device", "auto");
    int is_model = p->kind == ASY_RUN_MODEL;
    const struct asy_yaml *device = asy__place(p, "resources.device");

    if (!is_model && gpus > 0)
        asy__problem(p, asy__place(p, "resources.gpus"), "resources.gpus",
                     "plug-ins train on CPUs");
    else if (!is_model && !cpu && !any)
        asy__problem(p, device, "resources.device", "plug-ins train on CPUs");
    else if (gpus > ASY_GPU_WHOLE)
        asy__problem(p, asy__place(p, "resources.gpus"), "resources.gpus",
                     "a rank of a model is trained on one GPU at most; ranks: %lld has as many",
                     (long long)(gpus / ASY_GPU_WHOLE));
    else if (cpu && gpus > 0)
        asy__problem(p, device, "resources.device", "is cpu, so gpus are of no use");
    else if (gpus == 0 && asy__is_word(p, "resources.device", "cuda"))
        asy__problem(p, device, "resources.device", "cuda needs resources.gpus, 1 or a part of "
                     "one");
    else if (asy__study_on_device(p) && asy__is_word(p, "resources.reproducible", "strict"))
        asy__problem(p, asy__place(p, "resources.reproducible"), "resources.reproducible",
                     "strict is for CPUs, whose bits are the same everywhere; a device has its "
                     "own");
}

/* Rows that are sequences of tokens. */
static void check_sequence(struct asy__parse *p)
{
    static const char *const of_numbers[] = { "data.scale", "data.categorical" };
    const struct asy__value *sequence = asy__val(p, "data.sequence");
    const struct asy__value *length = asy__val(p, "data.length");
    int is_text = asy__is_word(p, "data.sequence", "text");

    if (length->node && !is_text)
        asy__problem(p, length->node, "data.length", "is of sequence: text");
    if (!is_text && !asy__is_word(p, "data.sequence", "tokens"))
        return;
    if (asy__val(p, "run.model")->s && !asy__is_word(p, "run.model", "transformer") &&
        !asy__is_word(p, "run.model", "layers"))
        asy__problem(p, sequence->node, "data.sequence",
                     "is for the models transformer and layers, not for %s",
                     asy__val(p, "run.model")->s);
    for (size_t i = 0; i < ASY_ARRAY_LEN(of_numbers); i++) {
        struct asy__value *value = asy__val(p, of_numbers[i]);

        if (value->node)
            asy__problem(p, value->node, of_numbers[i],
                         "has no use for tokens, whose numbers are names");
        value->has = 0; /* its default is not written either */
    }
}

void asy__study_check_model(struct asy__parse *p)
{
    const struct asy__value *unit = asy__val(p, "run.length.unit"), *max;
    const struct asy__value *share = asy__val(p, "data.split.validation");
    double test = asy__val(p, "data.split.test")->f;
    const char *file = asy__val(p, "data.file")->s, *labels = asy__val(p, "data.labels")->s;

    check_divisions(p);
    check_metrics(p);
    check_strict(p);
    asy__study_check_batches(p);
    asy__study_check_precision(p);
    asy__study_check_local(p);
    asy__study_check_effects(p);
    asy__study_check_files(p);
    check_sequence(p);
    check_tokens(p);
    if (file && labels && !strcmp(file, labels))
        asy__problem(p, asy__place(p, "data.labels"), "data.labels",
                     "is data.file itself; leave it out if the labels are in it");
    check_device(p);
    if (unit->has && strcmp(unit->s, "epochs") != 0)
        asy__problem(p, unit->node, "run.length.unit", "a model counts epochs, not '%.40s'",
                     unit->s);
    max = asy__val(p, "run.length.max");
    if (asy__key_missing(p, "run.length.max"))
        asy__problem(p, asy__place(p, "run.length.max"), "run.length.max",
                     "is missing: the epochs of a whole trial");
    else if (max->has && max->i > MODEL_LENGTH_MAX)
        asy__problem(p, max->node, "run.length.max", "a model trains at most %d epochs",
                     MODEL_LENGTH_MAX);
    if (share->has && share->f + test > 0.99)
        asy__problem(p, asy__place(p, "data.split"), "data.split",
                     "validation and test take %g of the rows, which leaves less than 0.01 to "
                     "train on", share->f + test);
}
