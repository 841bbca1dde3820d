/* SPDX-License-Identifier: Apache-2.0
 * study_check.c - what spans several keys: model and data, pruner and length, determinism, budget,
 * the placeholders of a command. */
#include "study_impl.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <asy/parse.h>
#include <unistd.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <inttypes.h>
#include <pcre2.h>

#define MODEL_LENGTH_MAX 1000000000 /* epochs */
#define DIVISIONS_MAX 100           /* trainings of a trial */

static int is_word(struct asy__parse *p, const char *path, const char *word)
{
    const struct asy__value *v = asy__val(p, path);

    return v->has && v->s && !strcmp(v->s, word);
}

/* ---- files ---------------------------------------------------------------------------------- */

struct place {
    const char *text;
    size_t len, i;
};

static int by_place(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);

    if (order)
        return order;
    return x->len != y->len ? (x->len > y->len) - (x->len < y->len) : (x->i > y->i) - (x->i < y->i);
}

static int same_path(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);

    while (n > 1 && a[n - 1] == '/')
        n--;
    while (m > 1 && b[m - 1] == '/')
        m--;
    return n == m && !memcmp(a, b, n);
}

/* Two that would be copied to one place: a trial would find the later one. In a user's own study
 * file only; stored studies stay what they are. A model has none. */
static void check_files(struct asy__parse *p)
{
    const struct asy__value *files = asy__val(p, "run.files"), *dir = asy__val(p, "dir");
    struct place *places;
    char key[64];

    if (!p->look || !files->node || files->n != files->node->len ||
        !(places = asy__take(p, (files->n + 1) * sizeof *places)))
        return;
    for (size_t i = 0; i < files->n; i++) {
        places[i].i = i;
        places[i].text = asy_study_place(dir->has ? dir->s : p->base_dir, files->list[i],
                                         &places[i].len);
    }
    qsort(places, files->n, sizeof *places, by_place);
    for (size_t i = 1; i < files->n; i++) {
        const struct place *a = &places[i - 1], *b = &places[i];

        if (a->len != b->len || memcmp(a->text, b->text, a->len) ||
            same_path(files->list[a->i], files->list[b->i]))
            continue;
        snprintf(key, sizeof key, "run.files[%zu]", b->i);
        asy__problem(p, files->node->items[b->i], key,
                     "'%.*s' in a trial's folder is what run.files[%zu] becomes already",
                     (int)b->len, b->text, a->i);
    }
}

/* ---- model ---------------------------------------------------------------------------------- */

/* As worker/train/learn/metrics.c has it: of tokens, classes or numbers, as far as the study says
 * what its labels are. */
static int is_reported(struct asy__parse *p, const char *metric)
{
    static const char of_tokens[] = "loss|accuracy|perplexity", of_numbers[] = "loss|mae|rmse|r2";
    const char *word = strchr(metric, '_') + 1;

    if (is_word(p, "run.model", "gpt"))
        return asy__words_have(of_tokens, word);
    if (!strcmp(metric, "train_perplexity"))
        return 0;
    if (is_word(p, "data.task", "regression"))
        return asy__words_have(of_numbers, word);
    return !is_word(p, "data.task", "classification") || !strcmp(word, "loss") ||
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
    if (!is_word(p, "resources.reproducible", "strict") || is_word(p, "run.model", "gbdt"))
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
    int tokens = is_word(p, "data.format", "text") || is_word(p, "data.format", "tokens");
    int learns = is_word(p, "run.model", "gpt");

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
    return is_word(p, "resources.device", "opencl") || is_word(p, "resources.device", "cuda") ||
           (is_word(p, "resources.device", "auto") && asy__val(p, "resources.gpus")->i > 0);
}

/* Networks alone are trained on devices, which are GPUs but for an OpenCL on the trial's cores. */
static void check_device(struct asy__parse *p)
{
    int64_t gpus = asy__val(p, "resources.gpus")->i;
    int cpu = is_word(p, "resources.device", "cpu"), any = is_word(p, "resources.device", "auto");
    int is_net = p->kind == ASY_RUN_MODEL && !is_word(p, "run.model", "gbdt");
    const struct asy_yaml *device = asy__place(p, "resources.device");

    if (!is_net && gpus > 0)
        asy__problem(p, asy__place(p, "resources.gpus"), "resources.gpus", "%s train on CPUs",
                     p->kind == ASY_RUN_PLUGIN ? "plug-ins" : "trees");
    else if (!is_net && !cpu && !any)
        asy__problem(p, device, "resources.device", "%s train on CPUs",
                     p->kind == ASY_RUN_PLUGIN ? "plug-ins" : "trees");
    else if (gpus > ASY_GPU_WHOLE)
        asy__problem(p, asy__place(p, "resources.gpus"), "resources.gpus",
                     "a rank of a model is trained on one GPU at most; ranks: %lld has as many",
                     (long long)(gpus / ASY_GPU_WHOLE));
    else if (cpu && gpus > 0)
        asy__problem(p, device, "resources.device", "is cpu, so gpus are of no use");
    else if (gpus == 0 && is_word(p, "resources.device", "cuda"))
        asy__problem(p, device, "resources.device", "cuda needs resources.gpus, 1 or a part of "
                     "one");
    else if (asy__study_on_device(p) && is_word(p, "resources.reproducible", "strict"))
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
    int is_text = is_word(p, "data.sequence", "text");

    if (length->node && !is_text)
        asy__problem(p, length->node, "data.length", "is of sequence: text");
    if (!is_text && !is_word(p, "data.sequence", "tokens"))
        return;
    if (asy__val(p, "run.model")->s && !is_word(p, "run.model", "transformer") &&
        !is_word(p, "run.model", "layers"))
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

static void check_model(struct asy__parse *p)
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
    check_files(p);
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
    if (!max->node)
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

/* Whether it decides over one of the family's own hyperparameters, as those of a shape are. */
static int searches_shape(struct asy__parse *p)
{
    const struct asy_space *space = p->study->space;

    for (size_t i = 0; i < asy_space_len(space); i++) {
        const struct asy__row *row = asy__row_option(p->model_group, asy_space_at(space, i)->name);

        if (row && !strcmp(row->group, p->model_group))
            return 1;
    }
    return 0;
}

/* "class_weights: why" is a mistake of that constant. */
static const char *of_constant(struct asy__parse *p, const char *text,
                               const struct asy_yaml **ret_node, char key[64])
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
    const struct asy__row *row;
    char name[40];

    snprintf(name, sizeof name, "%.*s", (int)(n < 39 ? n : 39), text);
    row = !strncmp(text + n, ": ", 2) ? asy__row_option(p->model_group, name) : NULL;
    if (!row || !(*ret_node = asy__row_val(p, row)->node))
        return text;
    snprintf(key, 64, "run.%s", name);
    return text + n + 2;
}

/* "layer 3 (add): why" is a mistake of the list's item 3, if a list is what the network is from. */
static void put_net_problem(struct asy__parse *p, const char *text)
{
    const struct asy_yaml *node = NULL;
    const char *note = "", *why = text;
    char key[64] = "run.model";
    uint64_t number = 0;
    size_t n;

    if (searches_shape(p))
        note = ", with the least value of each parameter";
    if (!strncmp(text, "layer ", 6) && (n = strspn(text + 6, "0123456789")) > 0 && n < 10 &&
        asy_parse_u64(text + 6, n, &number, NULL) == 0)
        node = asy__study_layer(p, (size_t)number);
    if (node)
        snprintf(key, sizeof key, "run.layers[%llu]", (unsigned long long)number);
    else if ((why = of_constant(p, text, &node, key)) != text)
        note = "";
    asy__problem(p, node ? node : asy__place(p, key), key, "%s%s", why, note);
}

/* "'FILE': label: why" is a mistake of data.label, "objective: why" one of the metric, all else one
 * of the file that it begins with. */
static void put_data_problem(struct asy__parse *p, const char *text)
{
    const char *file = asy__val(p, "data.file")->s, *labels = asy__val(p, "data.labels")->s;
    const char *why = text, *whose = "data.file";
    size_t n = strlen(file);
    char key[64];

    if (!strncmp(text, "run: ", 5)) {
        put_net_problem(p, text + 5);
        return;
    }
    if (why[0] == '\'' && !strncmp(why + 1, file, n) && !strncmp(why + 1 + n, "': ", 3))
        why += n + 4;
    else if (labels && text[0] == '\'' && !strncmp(text + 1, labels, strlen(labels)))
        whose = "data.labels";
    n = strspn(why, "abcdefghijklmnopqrstuvwxyz.");
    snprintf(key, sizeof key, "data.%.*s", (int)(n < 40 ? n : 40), why);
    if (!strncmp(why, "objective: ", 11))
        snprintf(key, sizeof key, "objective.metric");
    if (why[n] == ':' && why[n + 1] == ' ' && asy__row_find(key))
        asy__problem(p, asy__place(p, key), key, "%s", why + n + 2);
    else
        asy__problem(p, asy__place(p, whose), whose, "%s", text);
}

/* Only where data itself is without mistakes is there something to look at. */
static void check_data_for(struct asy__parse *p, const char *metric)
{
    struct asy_error why = ASY_ERROR_INIT;
    struct asy_buf text;

    asy_buf_init(&text, 1u << 20);
    asy__study_write_data(p, p->wrong_objective || p->kind == ASY_RUN_PLUGIN ? NULL : metric,
                          &text);
    if (asy_buf_check(&text, "the data of a study", NULL) < 0)
        asy__no_memory(p);
    else if (p->reader->look(p->reader->ctx, text.data, text.len, &why) == ASY_E_INVAL)
        put_data_problem(p, why.text);
    asy_buf_fini(&text);
}

/* Once for each metric, up to the first mistake; a plug-in's own were held against its table. */
static void check_data(struct asy__parse *p)
{
    size_t before = p->n_problems;
    const struct asy_yaml *node;
    const char *metric, *key;

    if (!p->reader || !p->reader->look || p->wrong_data || !asy__val(p, "data.file")->has)
        return;
    for (size_t i = 0; p->n_problems == before; i++) {
        metric = asy__study_judged(p, i, &node, &key);
        if (i > 0 && (!node || p->wrong_objective || p->kind == ASY_RUN_PLUGIN))
            return;
        if (i == 0 || metric)
            check_data_for(p, metric);
    }
}

/* ---- command -------------------------------------------------------------------------------- */

static void check_placeholder(struct asy__parse *p, const struct asy_yaml *node, const char *key,
                              const char *name, int whole_word)
{
    struct asy_space *space = p->study->space;
    const char **names;
    size_t i = asy_space_find(space, name), n = asy_space_len(space);
    char hint[128];

    if (!strcmp(name, "args") || asy__wandb_args(name) != ASY__ARGS_NONE) {
        if (!whole_word)
            asy__problem(p, node, key, "{%.40s} is a word of its own", name);
    } else if (!strncmp(name, "env:", 4) && name[4]) {
        return; /* looked up where the trial runs */
    } else if (i != SIZE_MAX) {
        if (whole_word && asy_space_at(space, i)->n_whens)
            asy__problem(p, node, key, "'%.40s' is conditional and may have no value: write "
                         "\"--name={%.40s}\" as one word, which is left out then, or use {args}",
                         name, name);
    } else if ((names = asy__take(p, (n + 1) * sizeof *names))) {
        for (size_t k = 0; k < n; k++)
            names[k] = asy_space_at(space, k)->name;
        asy__did_you_mean(name, names, n, hint, sizeof hint);
        asy__problem(p, node, key, "{%.40s} is not a parameter%s; {{ and }} are braces", name,
                     hint);
    }
}

static void check_word(struct asy__parse *p, const struct asy_yaml *node, const char *key,
                       const char *word, int space_is_whole)
{
    const char *at = word, *text;
    char name[ASY__PLACE_MAX + 1];
    size_t len;
    int kind;

    while ((kind = asy__word_next(&at, &text, &len)) >= 0) {
        if (kind == 1 && len >= sizeof name) {
            asy__problem(p, node, key, "{%.40s...} is longer than %d bytes", text, ASY__PLACE_MAX);
            continue;
        }
        snprintf(name, sizeof name, "%.*s", (int)(kind == 1 ? len : 0), text);
        if (kind == 1 && space_is_whole)
            check_placeholder(p, node, key, name, strlen(word) == len + 2);
    }
    if (kind == -2)
        asy__problem(p, node, key, "has a single brace; {{ and }} are braces");
}

static void check_pattern(struct asy__parse *p)
{
    const struct asy__value *v = asy__val(p, "run.metrics.pattern");
    const struct asy_yaml *node;
    const char *metric, *key;
    PCRE2_UCHAR reason[160];
    PCRE2_SIZE at = 0;
    pcre2_code *code;
    int number;

    if (!v->has)
        return;
    code = pcre2_compile((PCRE2_SPTR)v->s, PCRE2_ZERO_TERMINATED, 0, &number, &at, NULL);
    if (!code && number == PCRE2_ERROR_HEAP_FAILED) {
        asy__no_memory(p);
        return;
    }
    if (!code) {
        pcre2_get_error_message(number, reason, sizeof reason);
        asy__problem(p, v->node, "run.metrics.pattern", "is wrong at character %zu: %s",
                     (size_t)at + 1, (const char *)reason);
        return;
    }
    for (size_t i = 0; (metric = asy__study_judged(p, i, &node, &key)) || node; i++)
        if (metric && pcre2_substring_number_from_name(code, (PCRE2_SPTR)metric) ==
                          PCRE2_ERROR_NOSUBSTRING)
            asy__problem(p, v->node, "run.metrics.pattern", "has no group (?<%.40s>...) for the "
                         "%s", metric, key[0] == 'o' ? "objective" : "constraint");
    pcre2_code_free(code);
}

/* Whether run.env has a PATH of its own. */
static int sets_path(struct asy__parse *p)
{
    const struct asy__value *env = asy__val(p, "run.env");

    for (size_t i = 0; env->has && i < env->n; i++)
        if (!strcmp(env->list[2 * i], "PATH"))
            return 1;
    return 0;
}

/* A relative path in a trial's folder is one of run.files, or made by what runs there. A worker may
 * have another PATH than we; whoever knows gives a path, or sets PATH in run.env. */
static void check_program(struct asy__parse *p, const struct asy__value *command)
{
    const struct asy_yaml *node = command->node->items[0];
    const struct asy__value *cwd = asy__val(p, "run.cwd");
    const char *program = command->list[0], *path;

    if (strpbrk(program, "{}"))
        return;
    if (!strchr(program, '/')) {
        if (!sets_path(p))
            asy__look_in_path(p, program, node, "run.command[0]");
        return;
    }
    if (program[0] != '/' && cwd->has && !strcmp(cwd->s, "trial"))
        return;
    if ((path = asy__absolute(p, program)))
        asy__look_for(p, path, X_OK, node, "run.command[0]");
}

/* A command is one process to us: its socket, its checkpoints and its end are those of the program
 * that we start. Under our mpirun each rank would report for itself; its own has one voice. */
static void check_command_ranks(struct asy__parse *p)
{
    const struct asy__value *ranks = asy__val(p, "resources.ranks");

    if (ranks->has && ranks->i > 1)
        asy__problem(p, ranks->node, "resources.ranks",
                     "counts the processes of a model; a command starts its own: cores: %lld and "
                     "command: [mpirun, --bind-to, none, -n, \"%lld\", ...]",
                     (long long)(ranks->i * asy__val(p, "resources.cores")->i),
                     (long long)ranks->i);
}

static void check_command(struct asy__parse *p, int has_space)
{
    const struct asy__value *command = asy__val(p, "run.command");
    const struct asy_yaml *metrics = asy__val(p, "run.metrics")->node;
    char key[64];

    if (command->has && (command->n == 0 || !command->list[0][0]))
        asy__problem(p, command->node, "run.command", "needs a program");
    else if (command->has && command->n == command->node->len)
        check_program(p, command);
    for (size_t i = 0; command->has && i < command->n && command->n == command->node->len; i++) {
        snprintf(key, sizeof key, "run.command[%zu]", i);
        check_word(p, command->node->items[i], key, command->list[i], has_space);
    }
    if (metrics && metrics->type == ASY_YAML_MAP && !asy__val(p, "run.metrics.pattern")->node)
        asy__problem(p, metrics, "run.metrics", "needs a pattern");
    check_pattern(p);
    check_files(p);
    check_command_ranks(p);
    if (!is_word(p, "resources.device", "cpu") && !is_word(p, "resources.device", "auto"))
        asy__problem(p, asy__place(p, "resources.device"), "resources.device",
                     "is of models; a command chooses for itself among the GPUs that it is given");
    if (is_word(p, "resources.reproducible", "strict"))
        asy__problem(p, asy__place(p, "resources.reproducible"), "resources.reproducible",
                     "strict is of models; what a command computes only its program decides");
}

/* ---- search --------------------------------------------------------------------------------- */

/* Which of the words the pruner is; NULL: none of them. */
static const char *pruner_among(struct asy__parse *p, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_word(p, "search.pruner.name", words[i]))
            return words[i];
    return NULL;
}

/* The name of a pruner with rungs, at which trials pause if they can; else NULL. */
static const char *with_rungs(struct asy__parse *p)
{
    static const char *const words[] = { "asha", "hyperband", "moasha" };

    return pruner_among(p, words, ASY_ARRAY_LEN(words));
}

static void check_brackets(struct asy__parse *p, int64_t min, int64_t max)
{
    const struct asy__value *n, *by;
    int64_t most = 1;

    n = asy__row_val(p, asy__row_option("pruner hyperband", "brackets"));
    by = asy__row_val(p, asy__row_option("pruner hyperband", "reduction"));
    while (by->has && by->i > 1 && min <= max / by->i) {
        min *= by->i;
        most++;
    }
    if (n->has && by->has && n->i > most)
        asy__problem(p, n->node, "search.pruner.brackets", "only %lld fit between min and "
                     "run.length.max, each with a lowest rung %lld times as high",
                     (long long)most, (long long)by->i);
}

static void check_rungs(struct asy__parse *p, const char *name)
{
    const struct asy__value *max = asy__val(p, "run.length.max"), *min;
    const struct asy_yaml *place = asy__place(p, "search.pruner");
    char group[64];

    min = asy__row_val(p, asy__row_option(asy__group(p, "pruner", group), "min"));
    if (!max->node && p->kind == ASY_RUN_COMMAND && !asy__val(p, "run.wandb")->i)
        asy__problem(p, place, "search.pruner", "%s needs run.length.max, the length of a whole "
                     "trial", name);
    else if (max->has && min->has && min->i > max->i)
        asy__problem(p, min->node ? min->node : place, "search.pruner.min",
                     "the lowest rung (%lld) lies above run.length.max (%lld)", (long long)min->i,
                     (long long)max->i);
    else if (max->has && min->has && !strcmp(name, "hyperband"))
        check_brackets(p, min->i, max->i);
}

static void check_bounds(struct asy__parse *p, const char *group)
{
    const struct asy__value *lower = asy__row_val(p, asy__row_option(group, "lower"));
    const struct asy__value *upper = asy__row_val(p, asy__row_option(group, "upper"));

    if (!lower->has && !upper->has)
        asy__problem(p, asy__place(p, "search.pruner"), "search.pruner",
                     "threshold needs lower, upper or both");
    else if (lower->has && upper->has && lower->f > upper->f)
        asy__problem(p, lower->node, "search.pruner.lower", "lies above upper");
}

/* Which options of patient are those of its inner pruner. */
static void check_inner(struct asy__parse *p)
{
    const struct asy__value *inner = asy__row_val(p, asy__row_option("pruner patient", "inner"));
    char group[64], key[64];
    const char *name;

    if (!inner->has || !inner->s)
        return;
    snprintf(group, sizeof group, "pruner %s", inner->s);
    for (size_t i = 0; (name = asy_study_option("pruner patient", i)); i++) {
        const struct asy__row *row = asy__row_option("pruner patient", name);
        const struct asy__value *v = asy__row_val(p, row);

        if (row->fallback || !v->node || asy__row_option(group, name))
            continue;
        snprintf(key, sizeof key, "search.pruner.%s", name);
        asy__problem(p, v->node, key, "is no option of the inner pruner, which is %s", inner->s);
    }
    if (!strcmp(inner->s, "threshold"))
        check_bounds(p, "pruner patient");
}

static void check_pruner(struct asy__parse *p)
{
    const char *name = with_rungs(p);

    if (name && !strcmp(name, "moasha") && p->n_goals < 2)
        asy__problem(p, asy__place(p, "search.pruner"), "search.pruner",
                     "moasha is for several objectives; with one, use asha");
    else if (name && !strcmp(name, "moasha") && p->n_goals > 3)
        asy__problem(p, asy__place(p, "search.pruner"), "search.pruner",
                     "moasha compares three objectives at most, not %zu", p->n_goals);
    if (name)
        check_rungs(p, name);
    else if (is_word(p, "search.pruner.name", "threshold"))
        check_bounds(p, "pruner threshold");
    else if (is_word(p, "search.pruner.name", "patient"))
        check_inner(p);
}

static void check_sampler(struct asy__parse *p)
{
    static const struct {
        const char *name, *says;
        size_t most; /* objectives */
    } rows[] = {
        { "cma", "one objective only", 1 },
        { "gp", "two objectives at most", 2 },
        { "pbt", "one objective only", 1 },
        { "pb2", "one objective only", 1 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(rows); i++)
        if (is_word(p, "search.sampler.name", rows[i].name) && p->n_goals > rows[i].most)
            asy__problem(p, asy__place(p, "search.sampler"), "search.sampler",
                         "%s takes %s, not %zu; auto, tpe, nsga2 and nsga3 take more",
                         rows[i].name, rows[i].says, p->n_goals);
}

static void check_deterministic(struct asy__parse *p)
{
    static const char *const stopping[] = { "median", "percentile", "patient", "threshold",
                                            "wilcoxon" };
    const char *name;

    if (!asy__val(p, "search.deterministic")->i)
        return;
    if ((name = pruner_among(p, stopping, ASY_ARRAY_LEN(stopping))))
        asy__problem(p, asy__place(p, "search.pruner"), "search.pruner",
                     "%s stops trials between milestones, which search.deterministic does not "
                     "allow; use asha or none", name);
    if ((name = with_rungs(p)) && p->kind == ASY_RUN_COMMAND && !asy__val(p, "run.checkpoint")->i)
        asy__problem(p, asy__place(p, "search.pruner"), "search.pruner",
                     "%s stops a command without run.checkpoint between milestones, which "
                     "search.deterministic does not allow", name);
    if (asy__val(p, "budget.time")->node)
        asy__problem(p, asy__place(p, "budget.time"), "budget.time",
                     "depends on timing, which search.deterministic does not allow; use "
                     "budget.trials");
}

/* The sampler ends by itself, when a finite space has been tried. */
static int tries_all(struct asy__parse *p)
{
    return is_word(p, "search.sampler.name", "grid") ||
           is_word(p, "search.sampler.name", "brute_force");
}

static void check_grid(struct asy__parse *p)
{
    struct asy_space *space = p->study->space;

    for (size_t i = 0; i < asy_space_len(space); i++)
        if (isinf(asy_space_values(space, i))) {
            char key[200];

            snprintf(key, sizeof key, "parameters.%s", asy_space_at(space, i)->name);
            asy__problem(p, p->params[i], key, "the %s sampler needs a step or values for it",
                         asy__val(p, "search.sampler.name")->s);
        }
}

#define REFUSE(p, key, ...) asy__problem(p, asy__place(p, key), key, __VA_ARGS__)

/* The sampler's name where its trials go on from each other's checkpoints; else NULL. */
static const char *with_population(struct asy__parse *p)
{
    const char *name = asy__val(p, "search.sampler.name")->s;

    return name && asy__words_have("pbt|pb2", name) ? name : NULL;
}

static const struct asy__value *population_option(struct asy__parse *p, const char *sampler,
                                                  const char *option)
{
    return asy__row_val(p, asy__row_option(!strcmp(sampler, "pbt") ? "sampler pbt" : "sampler pb2",
                                           option));
}

static int is_own(const struct asy__parse *p, const struct asy__row *row)
{
    for (size_t i = 0; i < p->n_own; i++)
        if (row == &p->own[i].row)
            return 1;
    return 0;
}

/* What a checkpoint is made for: of networks all that is a family's own, but for shares that are
 * dropped. */
static int is_shape(const struct asy__parse *p, const struct asy__row *row, const char *name)
{
    static const char *const others[] = { "optimizer", "patience", "bins", "max_depth" };
    const char *family = p->model_group ? p->model_group + strlen("model ") : "";

    if (row->flags & ASY__SHAPE || is_own(p, row))
        return (row->flags & ASY__SHAPE) != 0;
    for (size_t i = 0; i < ASY_ARRAY_LEN(others); i++)
        if (!strcmp(name, others[i]))
            return 1;
    return strcmp(family, "gbdt") != 0 && !strcmp(row->group, p->model_group) &&
           strcmp(name, "dropout") != 0 && strcmp(name, "attention_dropout") != 0;
}

/* Of a parameter whose value layers have. */
static int is_layer_shape(const struct asy__parse *p, const char *name)
{
    for (size_t i = 0; i < p->n_layer_uses; i++)
        if (!strcmp(p->layer_uses[i].name, name) &&
            strcmp(p->layer_uses[i].row->path, "dropout") != 0)
            return 1;
    return 0;
}

/* One output in place of two. */
static int has_binary_loss(const struct asy_param *param)
{
    int found = 0;

    for (size_t i = 0; !strcmp(param->name, "loss") && i < param->n_choices; i++)
        found |= param->choices[i].type == ASY_VALUE_STRING &&
                 !strcmp(param->choices[i].s, "binary");
    return found;
}

/* It cannot change when another trial goes on from the checkpoint. */
static void check_shapes(struct asy__parse *p, const char *sampler)
{
    const struct asy_space *space = p->study->space;
    char key[200];

    for (size_t i = 0; i < asy_space_len(space); i++) {
        const char *name = asy_space_at(space, i)->name;
        const struct asy__row *row = asy__option(p, p->model_group, name);

        if (row ? !is_shape(p, row, name) && !has_binary_loss(asy_space_at(space, i))
                : !is_layer_shape(p, name))
            continue;
        snprintf(key, sizeof key, "parameters.%.100s", name);
        asy__problem(p, p->params[i], key, "cannot change between checkpoints, which %s "
                     "does: a constant in run can be it", sampler);
    }
}

/* A population's trials go on from each other's checkpoints, one interval each. */
static void check_population(struct asy__parse *p, int has_space)
{
    const struct asy__value *interval, *max = asy__val(p, "run.length.max");
    const char *name = with_population(p);

    if (!name)
        return;
    interval = population_option(p, name, "interval");
    if (p->kind == ASY_RUN_COMMAND && !asy__val(p, "run.checkpoint")->i)
        REFUSE(p, "search.sampler", "%s moves trials on from each other's checkpoints: the "
               "program has to write them, and run.checkpoint: true has to say so", name);
    if (p->kind && p->kind != ASY_RUN_COMMAND && has_space)
        check_shapes(p, name);
    if (!max->node && interval->has && interval->i == 0)
        REFUSE(p, "search.sampler", "%s needs an interval, or run.length.max to take a tenth of",
               name);
    if (max->has && interval->has && interval->i > max->i)
        REFUSE(p, "search.sampler", "the interval is longer than run.length.max");
    if (!is_word(p, "search.pruner.name", "none"))
        REFUSE(p, "search.pruner", "has no place beside %s, which ends no trial early: weak "
               "members go on from strong ones", name);
    if (asy__val(p, "search.tell")->node)
        REFUSE(p, "search.tell", "results from elsewhere have no checkpoints, so %s has no use "
               "for them", name);
}

/* A point that is given takes the place of a member's first one: beyond those it would train on
 * another member's weights, which have nothing to do with it. */
static void check_given(struct asy__parse *p)
{
    const struct asy_study_spec *spec = &p->study->spec;
    const char *key, *name = with_population(p);
    const struct asy__value *size = name ? population_option(p, name, "population") : NULL;

    if (!size || spec->n_enqueue <= (uint64_t)size->i)
        return;
    key = spec->n_given > (uint64_t)size->i ? "search.enqueue" : "search.from";
    asy__problem(p, asy__place(p, key), key, "%zu points are given, but only one for each of the "
                 "population's %" PRId64 " members can be a beginning", spec->n_enqueue, size->i);
}

/* The population ends by itself, when each member is trained to the end. */
static int trains_all(struct asy__parse *p)
{
    return with_population(p) && asy__val(p, "run.length.max")->node;
}

static void check_budget(struct asy__parse *p)
{
    /* Whether a space with mistakes is finite will be known when they are mended. */
    if (!asy__val(p, "budget.trials")->node && !asy__val(p, "budget.time")->node &&
        !tries_all(p) && !trains_all(p) && !asy__val(p, "budget.endless")->i)
        asy__problem(p, asy__place(p, "budget"), "budget",
                     "needs trials or time; the study would never end");
}

/* What the model of asy/regret.h takes. */
static void check_regret(struct asy__parse *p)
{
    const struct asy_yaml *node = asy__val(p, "budget.regret")->node;

    if (!node)
        return;
    if (p->n_goals > 1)
        asy__problem(p, node, "budget.regret", "is for a study with one objective");
    if (p->study->spec.n_constraints)
        asy__problem(p, node, "budget.regret", "is for a study without constraints");
    for (size_t i = 0; i < asy_space_len(p->study->space); i++)
        if (asy_space_at(p->study->space, i)->n_whens) {
            asy__problem(p, node, "budget.regret", "is for a space without conditions; '%s' has "
                         "some", asy_space_at(p->study->space, i)->name);
            return;
        }
}

void asy__study_check(struct asy__parse *p)
{
    size_t before = p->n_problems;
    int has_space = asy__val(p, "parameters")->node != NULL;

    asy__study_layers(p);
    asy__study_space(p);
    has_space = has_space && p->n_problems == before && !p->rc;
    if (has_space) {
        asy__study_check_layers(p);
        asy__study_enqueue(p);
    }
    asy__study_inputs(p);
    asy__study_goals(p);
    if (p->kind == ASY_RUN_COMMAND)
        check_command(p, has_space);
    else if (p->kind)
        check_model(p);
    if (p->kind && p->kind != ASY_RUN_COMMAND)
        check_data(p);
    check_sampler(p);
    check_pruner(p);
    check_population(p, has_space);
    check_deterministic(p);
    if (has_space)
        asy__study_tell(p);
    if (has_space)
        asy__study_from(p);
    if (has_space)
        check_given(p);
    if (has_space && tries_all(p))
        check_grid(p);
    if (has_space)
        asy__study_check_priors(p);
    check_budget(p);
    check_regret(p);
}

int asy_study_has_population(const struct asy_study_spec *spec)
{
    return asy__words_have("pbt|pb2", spec->sampler);
}

const char *asy_study_pcre2_version(void)
{
    static _Thread_local char text[64]; /* "10.42 2022-12-11" */

    if (pcre2_config(PCRE2_CONFIG_VERSION, NULL) > (int)sizeof text)
        return NULL;
    pcre2_config(PCRE2_CONFIG_VERSION, text);
    text[strcspn(text, " ")] = 0;
    return text;
}
