/* SPDX-License-Identifier: Apache-2.0
 * study_check_command.c - of a command: its words and their placeholders, the pattern of its
 * metrics, its program and the files that a trial has of it. */
#include "study_impl.h"
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
void asy__study_check_files(struct asy__parse *p)
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

void asy__study_check_command(struct asy__parse *p, int has_space)
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
    asy__study_check_files(p);
    check_command_ranks(p);
    if (!asy__is_word(p, "resources.device", "cpu") && !asy__is_word(p, "resources.device", "auto"))
        asy__problem(p, asy__place(p, "resources.device"), "resources.device",
                     "is of models; a command chooses for itself among the GPUs that it is given");
    if (asy__is_word(p, "resources.reproducible", "strict"))
        asy__problem(p, asy__place(p, "resources.reproducible"), "resources.reproducible",
                     "strict is of models; what a command computes only its program decides");
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
