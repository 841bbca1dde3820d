/* SPDX-License-Identifier: Apache-2.0
 * study.c - from the text of a study file to struct asy_study_spec. */
#include "study_impl.h"
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/durable.h>

#define CANONICAL_MAX ((size_t)768 << 10) /* a lease that carries it must fit into a frame */
#define ARENA_MAX ((size_t)256 << 20)

/* ---- memory --------------------------------------------------------------------------------- */

void asy__no_memory(struct asy__parse *p)
{
    p->rc = ASY_E_NOMEM;
}

void *asy__take(struct asy__parse *p, size_t n)
{
    void *piece = asy_arena_alloc(p->study->arena, n);

    if (!piece)
        asy__no_memory(p);
    return piece;
}

const char *asy__take_text(struct asy__parse *p, const char *text, size_t len)
{
    const char *copy = asy_arena_strdup(p->study->arena, text, len);

    if (!copy)
        asy__no_memory(p);
    return copy;
}

/* ---- values --------------------------------------------------------------------------------- */

struct asy__value *asy__row_val(struct asy__parse *p, const struct asy__row *row)
{
    for (size_t i = 0; i < p->n_own; i++)
        if (row == &p->own[i].row)
            return &p->own[i].value;
    return &p->values[row - asy__rows];
}

struct asy__value *asy__val(struct asy__parse *p, const char *path)
{
    const struct asy__row *row = asy__row_find(path);

    ASY_ASSERT(row, "no row '%s'", path);
    return asy__row_val(p, row);
}

const struct asy_yaml *asy__place(struct asy__parse *p, const char *path)
{
    char up[160];

    snprintf(up, sizeof up, "%s", path);
    for (;;) {
        const struct asy__row *row = asy__row_find(up);
        char *dot = strrchr(up, '.');

        if (row && asy__row_val(p, row)->node)
            return asy__row_val(p, row)->node;
        if (!dot)
            return p->root;
        *dot = 0;
    }
}

int asy__key_missing(struct asy__parse *p, const char *path)
{
    char up[160];
    char *dot;

    if (asy__val(p, path)->node)
        return 0;
    snprintf(up, sizeof up, "%s", path);
    while ((dot = strrchr(up, '.'))) {
        const struct asy_yaml *node;

        *dot = 0;
        node = asy__val(p, up)->node;
        if (node && node->type != ASY_YAML_MAP)
            return 0;
    }
    return 1;
}

int asy__row_applies(struct asy__parse *p, const struct asy__row *row)
{
    static const unsigned its[] = {
        [0] = ASY__FOR_MODEL | ASY__FOR_COMMAND | ASY__FOR_PLUGIN,
        [ASY_RUN_MODEL] = ASY__FOR_MODEL,
        [ASY_RUN_COMMAND] = ASY__FOR_COMMAND,
        [ASY_RUN_PLUGIN] = ASY__FOR_MODEL | ASY__FOR_PLUGIN,
    };

    if (p->no_data && !row->group && !strncmp(row->path, "data", 4) &&
        (!row->path[4] || row->path[4] == '.'))
        return 0;
    return !(row->flags & its[0]) || (row->flags & its[p->kind]);
}

const char *asy__group(struct asy__parse *p, const char *what, char text[64])
{
    const struct asy__row *row;
    char path[64];

    snprintf(path, sizeof path, "search.%s.name", what);
    row = asy__row_find(path);
    ASY_ASSERT(row, "no row '%s'", path);
    snprintf(text, 64, "%s %.32s", what,
             asy__row_val(p, row)->s ? asy__row_val(p, row)->s : row->fallback);
    return text;
}

/* ---- the plain struct ----------------------------------------------------------------------- */

static int64_t number_or(struct asy__parse *p, const char *path, int64_t open)
{
    const struct asy__value *v = asy__val(p, path);

    return v->has ? v->i : open;
}

static void fill_options(struct asy__parse *p, const char *what,
                         const struct asy_named_number **ret, size_t *ret_n)
{
    struct asy_named_number *list;
    char group[64];
    const char *name;
    size_t n = 0, given = 0;

    asy__group(p, what, group);
    while (asy_study_option(group, n))
        n++;
    if (!(list = asy__take(p, (n + 1) * sizeof *list)))
        return;
    for (size_t i = 0; i < n && (name = asy_study_option(group, i)); i++) {
        const struct asy__row *row = asy__row_option(group, name);
        const struct asy__value *v = asy__row_val(p, row);

        if (!v->has) /* and without a default */
            continue;
        list[given] = (struct asy_named_number){ name, (double)v->i }; /* ints and flags */
        if (row->kind == ASY__WORD)
            list[given].value = v->s ? (double)asy__words_index(row->words, v->s) : 0;
        else if (row->kind == ASY__NUMBER)
            list[given].value = v->f;
        given++;
    }
    *ret = list;
    *ret_n = given;
}

static void fill_env(struct asy__parse *p, struct asy_study_spec *s)
{
    const struct asy__value *env = asy__val(p, "run.env");
    const char **list = asy__take(p, (env->n + 1) * sizeof *list);

    for (size_t i = 0; list && i < env->n; i++) {
        size_t n = strlen(env->list[2 * i]) + strlen(env->list[2 * i + 1]) + 2;
        char *text = asy__take(p, n);

        if (!text)
            return;
        snprintf(text, n, "%s=%s", env->list[2 * i], env->list[2 * i + 1]);
        list[i] = text;
    }
    s->env = list;
    s->n_env = env->n;
}

static void fill_run(struct asy__parse *p, struct asy_study_spec *s)
{
    s->kind = p->kind;
    s->model = asy__val(p, "run.model")->s;
    s->plugin = asy__val(p, "run.plugin")->s;
    s->command = asy__val(p, "run.command")->list;
    s->n_command = asy__val(p, "run.command")->n;
    s->files = asy__val(p, "run.files")->list; /* of a model there are none */
    s->n_files = asy__val(p, "run.files")->n;
    s->silence_ms = s->kind == ASY_RUN_PLUGIN ? asy__val(p, "run.silence")->i : 0;
    if (s->kind == ASY_RUN_COMMAND) {
        fill_env(p, s);
        s->cwd_trial = !strcmp(asy__val(p, "run.cwd")->s, "trial");
        s->pattern = asy__val(p, "run.metrics.pattern")->s;
        s->wandb = asy__val(p, "run.wandb")->i != 0;
    }
    s->grace_ms = asy__val(p, "run.grace")->i;
    s->checkpoint = s->kind != ASY_RUN_COMMAND || asy__val(p, "run.checkpoint")->i;
    s->length_unit = asy__val(p, "run.length.unit")->s;
    s->length_max = (uint64_t)number_or(p, "run.length.max", -1);
    s->repeats = asy__val(p, "run.repeats")->i;
    s->data_file = s->kind != ASY_RUN_COMMAND ? asy__val(p, "data.file")->s : NULL;
    s->data_labels = s->kind != ASY_RUN_COMMAND ? asy__val(p, "data.labels")->s : NULL;
}

static void fill_objective(struct asy__parse *p, struct asy_study_spec *s)
{
    struct asy_objective *o = p->n_goals > 1 ? p->goals : asy__take(p, sizeof *o);
    const struct asy__value *target = asy__val(p, "objective.target");

    if (!o)
        return;
    o->metric = asy__val(p, "objective.metric")->s;
    o->maximize = !strcmp(asy__val(p, "objective.goal")->s, "maximize");
    o->take = asy__take_of(asy__val(p, "objective.take"));
    o->target = target->has ? target->f : NAN;
    s->objectives = o;
    s->n_objectives = p->n_goals > 1 ? p->n_goals : 1;
}

static void fill_search(struct asy__parse *p, struct asy_study_spec *s)
{
    s->space = p->study->space;
    s->sampler = asy__val(p, "search.sampler.name")->s;
    s->pruner = asy__val(p, "search.pruner.name")->s;
    fill_options(p, "sampler", &s->sampler_options, &s->n_sampler_options);
    fill_options(p, "pruner", &s->pruner_options, &s->n_pruner_options);
    s->seed = (uint64_t)asy__val(p, "search.seed")->i;
    s->deterministic = asy__val(p, "search.deterministic")->i != 0;
    s->lag = (uint64_t)asy__val(p, "search.lag")->i;
    s->max_trials = (uint64_t)number_or(p, "budget.trials", -1);
    s->patience = (uint64_t)number_or(p, "budget.patience", -1);
    s->regret = asy__val(p, "budget.regret")->has ? asy__val(p, "budget.regret")->f : NAN;
    s->max_time_ms = number_or(p, "budget.time", INT64_MAX);
    s->parallel = (uint64_t)asy__val(p, "budget.parallel")->i;
}

static void fill(struct asy__parse *p)
{
    struct asy_study_spec *s = &p->study->spec;

    s->name = asy__val(p, "name")->s;
    s->description = asy__val(p, "description")->s;
    s->project = asy__val(p, "project")->s;
    s->tags = asy__val(p, "tags")->list;
    s->n_tags = asy__val(p, "tags")->n;
    s->priority = asy__val(p, "priority")->i;
    s->retries = asy__val(p, "retries")->i;
    s->base_dir = asy__val(p, "dir")->s;
    s->cores = (uint32_t)asy__val(p, "resources.cores")->i;
    s->ranks = (uint32_t)asy__val(p, "resources.ranks")->i;
    s->gpus = (uint32_t)asy__val(p, "resources.gpus")->i;
    s->memory = (uint64_t)asy__val(p, "resources.memory")->i;
    s->device = asy__val(p, "resources.device")->s;
    s->reproducible = asy__val(p, "resources.reproducible")->s;
    fill_run(p, s);
    fill_objective(p, s);
    fill_search(p, s);
}

/* Defaults that depend on other keys. */
static void settle(struct asy__parse *p)
{
    struct asy__value *dir = asy__val(p, "dir"), *unit = asy__val(p, "run.length.unit");

    if (!dir->has && p->base_dir) {
        dir->s = asy__take_text(p, p->base_dir, strlen(p->base_dir));
        dir->has = 1;
    }
    if (!unit->has) {
        unit->s = p->kind == ASY_RUN_COMMAND ? "steps" : "epochs";
        unit->has = 1;
    }
}

static int finish(struct asy__parse *p)
{
    struct asy__study *study = p->study;
    struct asy_buf buf;
    int rc;

    asy_buf_init(&buf, CANONICAL_MAX);
    if ((rc = asy__study_write(p, &buf, p->err)) < 0)
        goto out;
    study->spec.canonical_len = buf.len;
    if (!(study->canonical = asy_buf_take(&buf, NULL))) {
        rc = asy_fail(p->err, ASY_E_NOMEM, "no memory for a study");
        goto out;
    }
    study->spec.canonical = study->canonical;
    if ((rc = asy_json_parse(study->canonical, study->spec.canonical_len, &study->root,
                             p->err)) < 0 ||
        (rc = asy_sha_bytes(study->canonical, study->spec.canonical_len, &study->spec.id,
                            p->err)) < 0)
        goto out;
    study->spec.root = study->root;
    study->spec.fixed = asy_json_get(asy_json_get(study->root, "run"), "fixed");
out:
    asy_buf_fini(&buf);
    return rc;
}

int asy_study_is_native(const struct asy_study_spec *spec)
{
    return spec->kind != ASY_RUN_COMMAND;
}

/* ---- parsing -------------------------------------------------------------------------------- */

void asy_study_destroy(struct asy_study_spec *spec)
{
    struct asy__study *study = (struct asy__study *)(void *)spec;

    if (!study)
        return;
    asy_space_destroy(study->space);
    asy_json_destroy(study->root);
    free(study->canonical);
    asy_arena_destroy(study->arena);
    free(study);
}

/* libyaml's "line 3 column 7: why" in the form of our own messages. */
static int bad_yaml(struct asy__parse *p, struct asy_error *why)
{
    struct asy_yaml node = { .line = 1, .column = 1 };
    int used = 0;
    enum asy_code code = why->code;

    if (code != ASY_E_FORMAT && code != ASY_E_TOOBIG && code != ASY_E_INVAL)
        return asy_fail(p->err, code, "%s", why->text);
    if (sscanf(why->text, "line %9u column %9u: %n", &node.line, &node.column, &used) < 2)
        used = 0;
    asy__problem(p, &node, "YAML", "%s", why->text + used);
    if (p->err)
        p->err->code = code;
    return code;
}

static void key_twice(void *ctx, const struct asy_yaml *key, const char *why)
{
    asy__problem(ctx, key, "YAML", "%s", why);
}

static int read_all(struct asy__parse *p, const char *text, size_t len)
{
    struct asy_error why = ASY_ERROR_INIT;

    if (asy_yaml_parse_on(text, len, ASY_STUDY_FILE_MAX, key_twice, p, &p->root, &why) < 0)
        return bad_yaml(p, &why);
    if (asy__wandb_is(p->root))
        asy__wandb_translate(p);
    if (p->rc == 0)
        asy__study_read(p);
    if (p->rc == 0 && p->root->type == ASY_YAML_MAP && asy__val(p, "assay")->node)
        asy__study_check(p);
    if (p->rc)
        return asy_fail(p->err, p->rc, "no memory for study '%s'", p->file);
    if (p->n_problems)
        return ASY_E_INVAL;
    settle(p);
    fill(p);
    if (p->rc)
        return asy_fail(p->err, p->rc, "no memory for study '%s'", p->file);
    return finish(p);
}

static int parse(const char *text, size_t len, const char *file, const char *base_dir, int look,
                 const struct asy_study_reader *reader, struct asy_study_spec **ret_spec,
                 struct asy_buf *problems, struct asy_error *err)
{
    struct asy_error own = ASY_ERROR_INIT;
    struct asy__parse *p = calloc(1, sizeof *p);
    struct asy__study *study = calloc(1, sizeof *study);
    int rc = ASY_E_NOMEM;

    if (!p || !study)
        goto out;
    *p = (struct asy__parse){ .file = file, .base_dir = base_dir, .look = look,
                              .text = text, .text_len = len,
                              .without_wandb = reader && reader->without_wandb,
                              .device = reader ? reader->device : NULL,
                              .reader = reader && (reader->look || reader->table) ? reader : NULL,
                              .problems = problems,
                              .err = err ? err : &own, .study = study };
    if (asy_arena_create(ARENA_MAX, &study->arena, err) < 0 ||
        asy_space_create(&study->space, err) < 0)
        goto out;
    rc = read_all(p, text, len);
    asy__sort_problems(p);
    if (rc == 0) {
        *ret_spec = &study->spec;
        study = NULL;
    }
out:
    if (rc == ASY_E_NOMEM)
        asy_fail(err, rc, "no memory for study '%s'", file);
    if (p)
        asy_yaml_destroy(p->original ? p->original : p->root);
    free(p);
    asy_study_destroy(study ? &study->spec : NULL);
    return rc;
}

int asy_study_parse(const char *text, size_t len, const char *file, const char *base_dir,
                    struct asy_study_spec **ret_spec, struct asy_buf *problems,
                    struct asy_error *err)
{
    return parse(text, len, file, base_dir, 0, NULL, ret_spec, problems, err);
}

int asy_study_load(const char *file, const struct asy_study_reader *reader,
                   struct asy_study_spec **ret_spec, struct asy_buf *problems,
                   struct asy_error *err)
{
    char real[PATH_MAX], *text = NULL, *slash;
    size_t len;
    int rc;

    if (!realpath(file, real))
        return asy_fail_errno(err, errno, "cannot open '%s'", file);
    if ((rc = asy_read_file(real, ASY_STUDY_FILE_MAX, &text, &len, err)) < 0)
        return rc;
    if ((slash = strrchr(real, '/')))
        *slash = 0;
    rc = parse(text, len, file, real[0] ? real : "/", 1, reader, ret_spec, problems, err);
    free(text);
    return rc;
}
