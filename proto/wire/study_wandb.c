/* SPDX-License-Identifier: Apache-2.0
 * study_wandb.c - a W&B sweep file as a study: everything but its parameters. See study_wandb.h. */
#include "study_wandb.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORD_MAX 65536 /* of a command, with its braces doubled */

/* ---- nodes ----------------------------------------------------------------------------------- */

static struct asy_yaml *node(struct asy__parse *p, const struct asy_yaml *at,
                             enum asy_yaml_type type)
{
    struct asy_yaml *made = asy__take(p, sizeof *made);

    if (made)
        *made = (struct asy_yaml){ .type = type, .line = at ? at->line : 1,
                                   .column = at ? at->column : 1, .text = "" };
    return made;
}

struct asy_yaml *asy__node_list(struct asy__parse *p, const struct asy_yaml *at, size_t room)
{
    struct asy_yaml *list = node(p, at, ASY_YAML_LIST);

    if (list && !(list->items = asy__take(p, (room + 1) * sizeof *list->items)))
        return NULL;
    return list;
}

struct asy_yaml *asy__node_map(struct asy__parse *p, const struct asy_yaml *at, size_t room)
{
    struct asy_yaml *map = asy__node_list(p, at, room);

    if (!map || !(map->keys = asy__take(p, (room + 1) * sizeof *map->keys)))
        return NULL;
    map->type = ASY_YAML_MAP;
    return map;
}

static struct asy_yaml *with_text(struct asy__parse *p, struct asy_yaml *made, const char *text)
{
    if (!made || !(made->text = asy__take_text(p, text, strlen(text))))
        return NULL;
    made->len = strlen(text);
    return made;
}

struct asy_yaml *asy__node_text(struct asy__parse *p, const struct asy_yaml *at, const char *text)
{
    return with_text(p, node(p, at, ASY_YAML_STRING), text);
}

struct asy_yaml *asy__node_int(struct asy__parse *p, const struct asy_yaml *at, int64_t value)
{
    struct asy_yaml *made = node(p, at, ASY_YAML_INT);
    char text[32];

    snprintf(text, sizeof text, "%lld", (long long)value);
    if (made) {
        made->i = value;
        made->f = (double)value;
    }
    return with_text(p, made, text);
}

struct asy_yaml *asy__node_real(struct asy__parse *p, const struct asy_yaml *at, double value)
{
    struct asy_yaml *made = node(p, at, ASY_YAML_REAL);
    char text[40];

    if (made)
        made->f = value;
    return with_text(p, made, asy__real_text(value, text));
}

struct asy_yaml *asy__node_flag(struct asy__parse *p, const struct asy_yaml *at, int value)
{
    struct asy_yaml *made = node(p, at, ASY_YAML_BOOL);

    if (made)
        made->i = value;
    return with_text(p, made, value ? "true" : "false");
}

void asy__node_put(struct asy__parse *p, struct asy_yaml *map, const char *key,
                   struct asy_yaml *value)
{
    struct asy_yaml *name = map && value ? asy__node_text(p, value, key) : NULL;

    if (!name)
        return;
    map->keys[map->len] = name;
    map->items[map->len++] = value;
}

void asy__node_add(struct asy_yaml *list, struct asy_yaml *value)
{
    if (list && value)
        list->items[list->len++] = value;
}

/* ---- looking --------------------------------------------------------------------------------- */

const struct asy_yaml *asy__wandb_member(const struct asy_yaml *map, const char *key)
{
    const struct asy_yaml *found = asy_yaml_get(map, key);

    return found && found->type != ASY_YAML_NULL ? found : NULL;
}

void asy__wandb_keys(struct asy__parse *p, const struct asy_yaml *map, const char *where,
                     const char *const *known, size_t n)
{
    char hint[128], path[160];

    for (size_t i = 0; i < map->len; i++) {
        const char *key = asy__scalar(map->keys[i]);
        size_t k = 0;

        while (key && k < n && strcmp(key, known[k]) != 0)
            k++;
        if (key && k < n)
            continue;
        asy__did_you_mean(key ? key : "", known, n, hint, sizeof hint);
        snprintf(path, sizeof path, "%.80s%s%.60s", where, *where ? "." : "", key ? key : "?");
        asy__problem(p, map->keys[i], path, "is no key of a W&B sweep that has a counterpart "
                     "here%s", hint);
    }
}

/* The text from which a node was read; NULL: it was made, or cannot be found. */
static const char *source(const struct asy__parse *p, const struct asy_yaml *at)
{
    const char *text = p->text, *end = p->text ? p->text + p->text_len : NULL;

    for (unsigned line = 1; text && line < at->line; line++)
        if ((text = memchr(text, '\n', (size_t)(end - text))))
            text++;
    for (unsigned column = 1; text && column < at->column; column++) {
        while (text < end && ((unsigned char)text[0] & 0xc0) == 0x80)
            text++; /* the rest of a character */
        text = text < end ? text + 1 : NULL;
    }
    return text && text < end ? text : NULL;
}

int asy__wandb_flag(const struct asy__parse *p, const struct asy_yaml *at)
{
    static const char *const words[] = { "no", "off", "yes", "on" };
    const char *from;

    if (at->type == ASY_YAML_BOOL)
        return at->i != 0;
    if (at->type != ASY_YAML_STRING)
        return -1;
    for (size_t i = 0; i < ASY_ARRAY_LEN(words); i++)
        if (!strcasecmp(at->text, words[i]) && (from = source(p, at)) &&
            isalpha((unsigned char)*from))
            return i >= 2;
    return -1;
}

/* ---- single keys ----------------------------------------------------------------------------- */

/* Lower case, '-' for what a name cannot have; fallback if nothing is left. text holds 65 bytes. */
static const char *as_name(const char *from, const char *fallback, char text[65])
{
    size_t n = 0;

    for (; *from && n < 64; from++) {
        char c = (char)tolower((unsigned char)*from);

        if (isalnum((unsigned char)c) && (unsigned char)c < 128)
            text[n++] = c;
        else if (n && text[n - 1] != '-')
            text[n++] = c == '.' || c == '_' ? c : '-';
    }
    while (n && !isalnum((unsigned char)text[n - 1]))
        n--;
    text[n] = 0;
    return n ? text : fallback;
}

static const char *text_of(struct asy__parse *p, const struct asy_yaml *root, const char *key)
{
    const struct asy_yaml *found = asy__wandb_member(root, key);
    char shown[64];

    if (found && !asy__scalar(found))
        asy__problem(p, found, key, "must be a text, not %s", asy__shown(found, shown));
    return found ? asy__scalar(found) : NULL;
}

/* The file's name without folder and ending, for a sweep without one. */
static const char *file_name(const struct asy__parse *p, char text[65])
{
    const char *slash = strrchr(p->file, '/'), *name = slash ? slash + 1 : p->file;
    char copy[65];

    snprintf(copy, sizeof copy, "%.*s", (int)(strcspn(name, ".") < 64 ? strcspn(name, ".") : 64),
             name);
    return as_name(copy, "sweep", text);
}

static void put_names(struct asy__parse *p, const struct asy_yaml *root, struct asy_yaml *out)
{
    static const char *const kept[] = { "name", "project", "entity", "method" };
    struct asy_yaml *tags = asy__node_map(p, root, ASY_ARRAY_LEN(kept));
    const char *text = text_of(p, root, "name");
    char name[65], own[65], tag[32];

    asy__node_put(p, out, "name",
                  asy__node_text(p, root, as_name(text ? text : "", file_name(p, own), name)));
    if ((text = text_of(p, root, "project")))
        asy__node_put(p, out, "project", asy__node_text(p, asy_yaml_get(root, "project"),
                                                        as_name(text, "default", name)));
    if ((text = text_of(p, root, "description")))
        asy__node_put(p, out, "description",
                      asy__node_text(p, asy_yaml_get(root, "description"), text));
    for (size_t i = 0; i < ASY_ARRAY_LEN(kept); i++) {
        snprintf(tag, sizeof tag, "wandb.%s", kept[i]);
        if ((text = text_of(p, root, kept[i])))
            asy__node_put(p, tags, tag, asy__node_text(p, root, text));
    }
    asy__node_put(p, out, "tags", tags);
}

static void put_metric(struct asy__parse *p, const struct asy_yaml *root, struct asy_yaml *out)
{
    static const char *const known[] = { "name", "goal", "target" };
    const struct asy_yaml *metric = asy__wandb_member(root, "metric"), *goal, *target;
    struct asy_yaml *objective = asy__node_map(p, metric ? metric : root, 3);
    const char *name;

    asy__node_put(p, out, "objective", objective);
    if (!metric || metric->type != ASY_YAML_MAP) {
        asy__problem(p, metric ? metric : root, "metric", "is missing: {name, goal}; trials are "
                     "compared by it here, also with methods grid and random");
        asy__node_put(p, objective, "metric", asy__node_text(p, root, "?"));
        asy__node_put(p, objective, "goal", asy__node_text(p, root, "minimize"));
        return;
    }
    asy__wandb_keys(p, metric, "metric", known, ASY_ARRAY_LEN(known));
    if (!(name = text_of(p, metric, "name")) && !asy__wandb_member(metric, "name"))
        asy__problem(p, metric, "metric.name", "is missing");
    asy__node_put(p, objective, "metric",
                  asy__node_text(p, name ? asy_yaml_get(metric, "name") : metric,
                                 name ? name : "?"));
    goal = asy__wandb_member(metric, "goal");
    target = asy__wandb_member(metric, "target");
    asy__node_put(p, objective, "goal", goal ? (struct asy_yaml *)(uintptr_t)goal
                                             : asy__node_text(p, metric, "minimize"));
    asy__node_put(p, objective, "target", (struct asy_yaml *)(uintptr_t)target);
}

/* A whole number from 1, or 0: it is not there or wrong, which was said. */
static int64_t count_of(struct asy__parse *p, const struct asy_yaml *map, const char *key,
                        const char *path, int64_t least)
{
    const struct asy_yaml *found = asy__wandb_member(map, key);
    char shown[64];
    int whole = found && (found->type == ASY_YAML_INT || found->type == ASY_YAML_REAL) &&
                found->f == floor(found->f) && fabs(found->f) <= 1e15;

    if (found && (!whole || found->f < (double)least))
        asy__problem(p, found, path, "must be a whole number from %lld here, not %s",
                     (long long)least, asy__shown(found, shown));
    return whole && found->f >= (double)least ? (int64_t)found->f : 0;
}

/* ---- early termination ----------------------------------------------------------------------- */

/* The lowest of s rungs below max_iter, each eta times the one before. */
static int64_t lowest_rung(struct asy__parse *p, const struct asy_yaml *stop, int64_t max,
                           int64_t s, int64_t eta)
{
    int64_t rung = max;

    for (int64_t i = 0; i < s; i++) {
        if (rung % eta != 0 || rung / eta < 1) {
            asy__problem(p, asy_yaml_get(stop, "max_iter"), "early_terminate.max_iter",
                         "%lld cannot be divided %lld times by eta %lld; W&B would round the "
                         "rungs, which has no counterpart: take a multiple, or min_iter",
                         (long long)max, (long long)s, (long long)eta);
            return 0;
        }
        rung /= eta;
    }
    return rung;
}

static void put_pruner(struct asy__parse *p, const struct asy_yaml *stop, struct asy_yaml *search,
                       struct asy_yaml *length)
{
    static const char *const known[] = { "type", "min_iter", "max_iter", "s", "eta", "strict" };
    struct asy_yaml *pruner = asy__node_map(p, stop, 3);
    int64_t min = count_of(p, stop, "min_iter", "early_terminate.min_iter", 1);
    int64_t max = count_of(p, stop, "max_iter", "early_terminate.max_iter", 1);
    int64_t s = count_of(p, stop, "s", "early_terminate.s", 1);
    int64_t eta = asy__wandb_member(stop, "eta")
                      ? count_of(p, stop, "eta", "early_terminate.eta", 2) : 3;
    const struct asy_yaml *strict = asy__wandb_member(stop, "strict");
    const char *type = text_of(p, stop, "type");

    asy__wandb_keys(p, stop, "early_terminate", known, ASY_ARRAY_LEN(known));
    if (!type || strcmp(type, "hyperband") != 0)
        asy__problem(p, stop, "early_terminate.type", "must be hyperband");
    if (strict && asy__wandb_flag(p, strict) < 0)
        asy__problem(p, strict, "early_terminate.strict", "must be true or false");
    if (!asy_yaml_get(stop, "max_iter") && !asy_yaml_get(stop, "min_iter"))
        asy__problem(p, stop, "early_terminate", "needs min_iter, or max_iter and s");
    if (asy_yaml_get(stop, "max_iter") && !asy_yaml_get(stop, "s"))
        asy__problem(p, stop, "early_terminate.s", "is missing beside max_iter");
    if (max && s && eta) { /* max_iter counts where both are there */
        min = lowest_rung(p, stop, max, s, eta);
        asy__node_put(p, length, "max", asy__node_int(p, stop, max));
    }
    if (!min || !eta)
        return;
    asy__node_put(p, pruner, "name", asy__node_text(p, stop, "asha"));
    asy__node_put(p, pruner, "min", asy__node_int(p, stop, min));
    asy__node_put(p, pruner, "reduction", asy__node_int(p, stop, eta));
    asy__node_put(p, search, "pruner", pruner);
}

static void put_search(struct asy__parse *p, const struct asy_yaml *root, struct asy_yaml *out,
                       struct asy_yaml *run)
{
    static const char *const methods[] = { "grid", "random", "bayes" };
    static const char *const samplers[] = { "grid", "random", "gp" };
    const struct asy_yaml *method = asy__wandb_member(root, "method");
    const struct asy_yaml *stop = asy__wandb_member(root, "early_terminate");
    struct asy_yaml *search = asy__node_map(p, method ? method : root, 2);
    struct asy_yaml *length = asy__node_map(p, root, 2);
    const char *word = method ? asy__scalar(method) : NULL;
    char hint[128], shown[64];
    size_t i = 0;

    while (word && i < ASY_ARRAY_LEN(methods) && strcmp(word, methods[i]) != 0)
        i++;
    if (!method)
        asy__problem(p, root, "method", "is missing: grid, random or bayes");
    else if (!word || i == ASY_ARRAY_LEN(methods))
        asy__problem(p, method, "method", "must be grid, random or bayes here, not %s%s",
                     asy__shown(method, shown),
                     asy__did_you_mean(word ? word : "", methods, i, hint, sizeof hint));
    else
        asy__node_put(p, search, "sampler", asy__node_text(p, method, samplers[i]));
    asy__node_put(p, length, "unit", asy__node_text(p, root, "iterations"));
    if (stop && stop->type == ASY_YAML_MAP)
        put_pruner(p, stop, search, length);
    else if (stop)
        asy__problem(p, stop, "early_terminate", "must be a map, not %s", asy__shown(stop, shown));
    asy__node_put(p, run, "length", length);
    asy__node_put(p, out, "search", search);
}

static const char *method_of(const struct asy_yaml *root)
{
    const struct asy_yaml *method = asy__wandb_member(root, "method");

    return method ? asy__scalar(method) : NULL;
}

/* W&B goes on until it is stopped where nothing ends the sweep. */
static void put_budget(struct asy__parse *p, const struct asy_yaml *root, struct asy_yaml *out)
{
    const struct asy_yaml *cap = asy__wandb_member(root, "run_cap");
    struct asy_yaml *budget = asy__node_map(p, cap ? cap : root, 1);
    int64_t n = count_of(p, root, "run_cap", "run_cap", 1);
    const char *method = method_of(root);

    if (n)
        asy__node_put(p, budget, "trials", asy__node_int(p, cap, n));
    else if (!method || strcmp(method, "grid") != 0)
        asy__node_put(p, budget, "endless", asy__node_flag(p, root, 1));
    asy__node_put(p, out, "budget", budget);
}

/* ---- the command ----------------------------------------------------------------------------- */

static const char *interpreter(void)
{
    return asy__in_path("python") ? "python" : "python3";
}

/* What a macro alone becomes; NULL: it is no macro of that kind. */
static const char *macro(struct asy__parse *p, const struct asy_yaml *at, const char *name,
                         const char *program)
{
    static const char *const args[] = { "args", "args_no_hyphens", "args_no_boolean_flags",
                                        "args_json", "args_json_file" };
    char text[80];

    if (!strcmp(name, "env"))
        return "/usr/bin/env";
    if (!strcmp(name, "interpreter"))
        return interpreter();
    if (!strcmp(name, "program")) {
        if (!program)
            asy__problem(p, at, "program", "is missing, which command asks for");
        return program ? program : "?";
    }
    for (size_t i = 0; i < ASY_ARRAY_LEN(args); i++)
        if (!strcmp(name, args[i])) {
            snprintf(text, sizeof text, "{wandb:%s}", name);
            return asy__take_text(p, text, strlen(text));
        }
    return NULL;
}

/* Literal text with its braces doubled; ${envvar:NAME} as {env:NAME}. */
static struct asy_yaml *literal(struct asy__parse *p, const struct asy_yaml *at, const char *word)
{
    struct asy_yaml *made = NULL;
    struct asy_buf text = { 0 };

    asy_buf_init(&text, WORD_MAX);
    while (*word) {
        size_t n = strncmp(word, "${envvar:", 9) ? 0 : strcspn(word + 9, "}");

        if (n && word[9 + n] == '}') {
            asy_buf_addf(&text, "{env:%.*s}", (int)n, word + 9);
            word += 10 + n;
            continue;
        }
        if (!strncmp(word, "${", 2))
            asy__problem(p, at, "command", "'%.60s': a macro other than ${envvar:NAME} is a word "
                         "of its own, and one of env, interpreter, program, args, "
                         "args_no_hyphens, args_no_boolean_flags, args_json, args_json_file", word);
        if (*word == '{' || *word == '}')
            asy_buf_addc(&text, *word);
        asy_buf_addc(&text, *word++);
    }
    if (text.rc == 0)
        made = asy__node_text(p, at, text.data);
    else if (text.rc == ASY_E_NOMEM)
        asy__no_memory(p);
    else
        asy__problem(p, at, "command", "has a word that is too long");
    asy_buf_fini(&text);
    return made;
}

static void add_word(struct asy__parse *p, struct asy_yaml *list, const struct asy_yaml *at,
                     const char *word, const char *program)
{
    char name[64];
    const char *filled = NULL;
    size_t n = strlen(word);

    if (n > 3 && n < sizeof name && !strncmp(word, "${", 2) && word[n - 1] == '}') {
        snprintf(name, sizeof name, "%.*s", (int)(n - 3), word + 2);
        filled = macro(p, at, name, program);
    }
    if (filled && filled[0] == '{')
        asy__node_add(list, asy__node_text(p, at, filled));
    else
        asy__node_add(list, literal(p, at, filled ? filled : word));
}

static void put_command(struct asy__parse *p, const struct asy_yaml *root, struct asy_yaml *run)
{
    static const char *const usual[] = { "${env}", "${interpreter}", "${program}", "${args}" };
    const struct asy_yaml *command = asy__wandb_member(root, "command");
    const struct asy_yaml *program = asy__wandb_member(root, "program");
    const struct asy_yaml *at = command ? command : program ? program : root;
    const char *file = text_of(p, root, "program"), *word;
    size_t n = command ? command->len : ASY_ARRAY_LEN(usual);
    struct asy_yaml *list, *files = asy__node_list(p, at, 1);
    char shown[64];

    if (command && command->type != ASY_YAML_LIST) {
        asy__problem(p, command, "command", "must be a list, not %s", asy__shown(command, shown));
        command = NULL; /* the usual one */
        n = ASY_ARRAY_LEN(usual);
    }
    list = asy__node_list(p, at, n);
    for (size_t i = 0; i < n && !p->rc; i++)
        if ((word = command ? asy__scalar(command->items[i]) : usual[i]))
            add_word(p, list, command ? command->items[i] : at, word, file);
        else
            asy__problem(p, command->items[i], "command", "a word must be a text, not %s",
                         asy__shown(command->items[i], shown));
    asy__node_put(p, run, "command", list);
    if (file && *file && strlen(file) < 4000) { /* workers elsewhere need it */
        asy__node_add(files, asy__node_text(p, program, file));
        asy__node_put(p, run, "files", files);
    }
}

/* ---- all ------------------------------------------------------------------------------------- */

/* By what it must have; or, where that was forgotten, by what only such a file has. */
int asy__wandb_is(const struct asy_yaml *root)
{
    static const char *const theirs[] = { "program", "metric", "early_terminate", "run_cap",
                                          "command" };
    static const char *const ours[] = { "run", "objective", "budget", "search", "data" };
    int is = 0;

    if (root->type != ASY_YAML_MAP || asy_yaml_get(root, "assay"))
        return 0;
    if (asy_yaml_get(root, "method"))
        return 1;
    for (size_t i = 0; i < ASY_ARRAY_LEN(theirs); i++)
        is |= asy_yaml_get(root, theirs[i]) != NULL;
    for (size_t i = 0; i < ASY_ARRAY_LEN(ours); i++)
        is &= asy_yaml_get(root, ours[i]) == NULL;
    return is;
}

const char *asy__wandb_key(const char *key, char text[160])
{
    static const struct {
        const char *ours, *theirs;
        int whole; /* what follows is left out */
    } keys[] = {
        { "objective.metric", "metric.name", 0 },   { "objective", "metric", 0 },
        { "search.sampler", "method", 1 },          { "search.pruner", "early_terminate", 1 },
        { "run.length", "early_terminate", 1 },     { "run.files", "program", 1 },
        { "run.command", "command", 0 },            { "budget", "run_cap", 1 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(keys); i++) {
        size_t n = strlen(keys[i].ours);

        if (strncmp(key, keys[i].ours, n) != 0 || (key[n] && key[n] != '.' && key[n] != '['))
            continue;
        snprintf(text, 160, "%s%s", keys[i].theirs, keys[i].whole ? "" : key + n);
        return text;
    }
    return key;
}

void asy__wandb_translate(struct asy__parse *p)
{
    static const char *const known[] = { "program", "method", "metric", "parameters",
                                         "early_terminate", "command", "run_cap", "name",
                                         "description", "project", "entity", "resources" };
    const struct asy_yaml *root = p->root, *space = asy__wandb_member(root, "parameters");
    const char *method = method_of(root);
    struct asy_yaml *out = asy__node_map(p, root, 16), *run = asy__node_map(p, root, 4);

    asy__wandb_keys(p, root, "", known, ASY_ARRAY_LEN(known));
    asy__node_put(p, out, "assay", asy__node_int(p, root, 1));
    put_names(p, root, out);
    put_command(p, root, run);
    if (!p->without_wandb)
        asy__node_put(p, run, "wandb", asy__node_flag(p, root, 1));
    put_metric(p, root, out);
    put_search(p, root, out, run);
    put_budget(p, root, out);
    asy__node_put(p, out, "run", run);
    asy__node_put(p, out, "resources",
                  (struct asy_yaml *)(uintptr_t)asy__wandb_member(root, "resources"));
    if (!space || space->type != ASY_YAML_MAP) {
        asy__problem(p, space ? space : root, "parameters", "is missing: a map of parameters");
        asy__node_put(p, out, "parameters", asy__wandb_no_space(p, root));
    } else
        asy__node_put(p, out, "parameters",
                      asy__wandb_space(p, space, method && !strcmp(method, "grid")));
    p->original = p->root;
    p->root = out;
}
