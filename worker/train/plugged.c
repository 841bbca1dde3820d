/* SPDX-License-Identifier: Apache-2.0
 * plugged.c - a plug-in as a learner.
 *
 * What it is handed is checked before, what it hands back is not: sums and gradients are numbers,
 * and one that is none shows as a loss that is none. A call that fails on one rank must not leave
 * the others waiting in a sum, so failures ride along with sums (run.c, and `add_up` here). */
#include "plugged.h"
#include "comm/agree.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/safetensors.h>
#include <asy/training.h>

#define EVAL_ROWS 256 /* of one call of evaluate() */
#define PARAMS_MAX ((size_t)512 << 20)

struct asy__plugged {
    const struct asy_trainer_plugin *api;
    void *self;
    int created;
    struct asy__plugged_options options;
    struct asy__data own; /* where it has its own */
    size_t n_params; /* its own, and a gap up to a multiple of 16, which stays zero */
    uint64_t *row;                   /* [rows_max] */
    size_t rows_max;
    struct asy_trainer_sum *partial; /* [shards][n_metrics] of the epoch; zeros but for its own */
    double *room;                    /* [shards][n_sums] and a flag */
    struct asy__kept kept;
};

/* What it said of a failure, as one line; the memory is its own, and may be full. */
static int failed(const struct asy__plugged *p, const char *call, char *why, struct asy_error *err)
{
    why[ASY_TRAINER_WHY - 1] = '\0';
    for (char *at = why; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = ' ';
    return asy_fail(err, ASY_E_INVAL, "plug-in '%s': %s() failed%s%.180s", p->api->name, call,
                    *why ? ": " : "", why);
}

/* ---- what it is created from ----------------------------------------------------------------- */

int asy__plugged_has_data(const struct asy__job *job)
{
    return job->plugin && (asy_plugin_get(job->plugin)->flags & ASY_TRAINER_OWN_DATA);
}

static size_t rows_of(const struct asy__data *data, int part)
{
    return data->start[part + 1] - data->start[part];
}

static void set_up(const struct asy__plugged_options *o, struct asy_trainer_setup *setup)
{
    *setup = (struct asy_trainer_setup){ .size = sizeof *setup, .values = o->job->hyper.own,
                                         .seed = o->job->seed,
                                         .rank = (uint32_t)asy_comm_rank(o->comm),
                                         .ranks = (uint32_t)asy_comm_size(o->comm),
                                         .dir = o->dir };
    if (!o->data)
        return;
    setup->n_features = o->data->schema.n_features;
    setup->n_classes = o->data->schema.classification ? o->data->schema.classes.n : 0;
    setup->target_shift = o->data->schema.target_shift;
    setup->target_factor = o->data->schema.target_factor;
    for (int part = 0; part < ASY__PARTS; part++)
        setup->n_rows[part] = rows_of(o->data, part);
}

static int take_rows(struct asy__plugged *p, const struct asy_trainer_shape *shape,
                     struct asy_error *err)
{
    size_t *start = p->own.start;

    for (int part = 0; part < ASY__PARTS; part++)
        if (__builtin_add_overflow(start[part], shape->n_rows[part], &start[part + 1]))
            return asy_fail(err, ASY_E_INVAL, "plug-in '%s': it has too many rows", p->api->name);
    p->own.n_rows = start[ASY__PARTS];
    if (shape->n_rows[ASY__TRAIN] < 1 || p->own.n_rows > UINT32_MAX)
        return asy_fail(err, ASY_E_INVAL, "plug-in '%s': it has %zu rows to train on, of %zu; 1 to "
                        "2^32 - 1 are allowed", p->api->name, shape->n_rows[ASY__TRAIN],
                        p->own.n_rows);
    return 0;
}

static int call_create(struct asy__plugged *p, struct asy_error *err)
{
    struct asy_trainer_shape shape = { .size = sizeof shape };
    char why[ASY_TRAINER_WHY] = "";
    struct asy_trainer_setup setup;

    set_up(&p->options, &setup);
    if (p->api->create(&setup, &shape, &p->self, why) != 0)
        return failed(p, "create", why, err);
    p->created = 1;
    if (shape.n_params < 1 || shape.n_params > PARAMS_MAX)
        return asy_fail(err, ASY_E_INVAL, "plug-in '%s': it has %zu parameters; 1 to %zu are "
                        "allowed", p->api->name, shape.n_params, PARAMS_MAX);
    p->kept.n_params = shape.n_params;
    p->n_params = (shape.n_params + 15) / 16 * 16;
    return p->options.data ? 0 : take_rows(p, &shape, err);
}

int asy__plugged_create(const struct asy__plugged_options *options,
                        struct asy__plugged **ret_plugged, struct asy_error *err)
{
    struct asy__plugged *p = calloc(1, sizeof *p);
    size_t sums;
    int rc;

    if (!p)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a plug-in");
    p->api = asy_plugin_get(options->job->plugin);
    p->options = *options;
    p->kept.n_sums = 2 * p->api->n_metrics;
    sums = options->shards * p->kept.n_sums;
    if (!(p->partial = calloc(sums / 2, sizeof *p->partial)) ||
        !(p->kept.sums = calloc(sums, sizeof *p->kept.sums)) ||
        !(p->room = calloc(sums + 1, sizeof *p->room)))
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a plug-in's sums");
    else
        rc = call_create(p, err);
    if (rc < 0)
        asy__plugged_destroy(p);
    else
        *ret_plugged = p;
    return rc;
}

void asy__plugged_destroy(struct asy__plugged *plugged)
{
    int saved = errno;

    if (!plugged)
        return;
    if (plugged->created)
        plugged->api->destroy(plugged->self);
    free(plugged->kept.state.data);
    free(plugged->kept.best.data);
    free(plugged->kept.sums);
    free(plugged->partial);
    free(plugged->room);
    free(plugged->row);
    free(plugged);
    errno = saved;
}

const struct asy__data *asy__plugged_data(const struct asy__plugged *plugged)
{
    return &plugged->own;
}

static const struct asy__data *data_of(const struct asy__plugged *p)
{
    return p->options.data ? p->options.data : &p->own;
}

/* ---- learning -------------------------------------------------------------------------------- */

static int gradient(const struct asy__learner *learner, const struct asy__batch *batch,
                    float *grads, struct asy__score *score, struct asy_error *err)
{
    struct asy__plugged *p = learner->self;
    struct asy_trainer_sum *sums = p->partial + batch->shard * p->api->n_metrics;
    const struct asy__data *data = p->options.data;
    double before = sums->sum;
    char why[ASY_TRAINER_WHY] = "";
    struct asy_trainer_rows rows = {
        .size = sizeof rows, .n = batch->rows, .row = p->row,
        .features = data ? batch->x : NULL,
        .label = data && data->schema.classification ? batch->label : NULL,
        .target = data && !data->schema.classification ? batch->target : NULL,
        .seed = asy_trainer_random(batch->seed, batch->step, 0), .update = batch->step,
        .part = ASY_TRAINER_TRAIN,
    };

    for (size_t i = 0; i < batch->rows; i++)
        p->row[i] = batch->row[i];
    memset(grads, 0, p->n_params * sizeof *grads);
    if (p->api->step(p->self, learner->params, &rows, grads, sums, why) != 0)
        return failed(p, "step", why, err);
    for (size_t i = 0; i < p->kept.n_params; i++)
        grads[i] *= batch->scale;
    score->rows += (double)batch->rows;
    score->loss += sums->sum - before;
    return 0;
}

int asy__plugged_learner(struct asy__plugged *plugged, size_t rows_max, struct asy__learner *ret,
                         struct asy_error *err)
{
    static const struct asy__learner_type type = { .gradient = gradient };

    plugged->rows_max = rows_max > EVAL_ROWS ? rows_max : EVAL_ROWS;
    if (!(plugged->row = calloc(plugged->rows_max, sizeof *plugged->row)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for batches of %zu", rows_max);
    *ret = (struct asy__learner){ .type = &type, .n_params = plugged->n_params,
                                  .rows_max = rows_max, .self = plugged };
    return 0;
}

int asy__plugged_init(struct asy__plugged *plugged, float *params, struct asy_error *err)
{
    char why[ASY_TRAINER_WHY] = "";

    memset(params, 0, plugged->n_params * sizeof *params);
    if (plugged->api->params(plugged->self, params, why) != 0)
        return failed(plugged, "params", why, err);
    return 0;
}

/* ---- metrics --------------------------------------------------------------------------------- */

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
    int validated = all_rows || rows_of(data_of(plugged), ASY__VALIDATION) > 0;
    int val = !strncmp(name, "val_", 4);
    const char *rest = val ? name + 4 : !strncmp(name, "train_", 6) ? name + 6 : "";

    if (!has_metric(plugged, rest, strlen(rest)) || (val && !validated))
        return asy_fail(err, ASY_E_INVAL, "objective: plug-in '%s' does not report '%.60s'%s",
                        plugged->api->name, name,
                        val && !validated ? " (there are no rows to validate on)" : "");
    return divisions ? check_names(plugged, err) : 0;
}

/* sums [shards][n_metrics], each shard's on the rank that has it, become those of all ranks, in
 * room; rc: whether this rank has failed. */
static int add_up(struct asy__plugged *p, const struct asy_trainer_sum *sums, int rc,
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

/* Of what is in room, in the order of the shards. */
static void add_metrics(const struct asy__plugged *p, const char *prefix,
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
    char why[ASY_TRAINER_WHY] = "";

    for (size_t at = from; at < to; at += EVAL_ROWS) {
        size_t n = to - at < EVAL_ROWS ? to - at : EVAL_ROWS, first = data_of(p)->start[part] + at;
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
            return failed(p, "evaluate", why, err);
        if (p->options.alive)
            p->options.alive(p->options.arg);
    }
    return 0;
}

/* The sums of a part, of all ranks, in room. */
static int evaluate(struct asy__plugged *p, const float *params, enum asy__part part,
                    struct asy_error *err)
{
    size_t n = rows_of(data_of(p), part), shards = p->options.shards, first, end;
    struct asy_trainer_sum *sums = calloc(shards * p->api->n_metrics, sizeof *sums);
    int rc = 0;

    if (!sums) { /* the others still wait for its sums, and there is room for them */
        memset(p->kept.sums, 0, shards * p->kept.n_sums * sizeof *p->kept.sums);
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a plug-in's sums");
        return add_up(p, (struct asy_trainer_sum *)(void *)p->kept.sums, rc, err);
    }
    asy__own_shards(p->options.comm, shards, &first, &end);
    for (size_t s = first; s < end && rc == 0; s++)
        rc = evaluate_rows(p, params, part, asy__share_begin(n, s, shards),
                           asy__share_begin(n, s + 1, shards), sums + s * p->api->n_metrics, err);
    rc = add_up(p, sums, rc, err);
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
    int rc = add_up(plugged, plugged->partial, 0, err);

    if (rc < 0)
        return rc;
    add_metrics(plugged, "train", list);
    if (rows_of(data_of(plugged), ASY__VALIDATION) > 0) {
        if ((rc = evaluate(plugged, params, ASY__VALIDATION, err)) < 0)
            return rc;
        add_metrics(plugged, "val", list);
    }
    qsort(list->item, list->n, sizeof list->item[0], by_name);
    for (size_t i = 0; i < list->n; i++)
        if (!strcmp(list->item[i].name, plugged->options.job->metric))
            return 0;
    return asy_fail(err, ASY_E_INVAL, "plug-in '%s' has counted nothing for '%.60s'",
                    plugged->api->name, plugged->options.job->metric);
}

/* ---- what is kept ---------------------------------------------------------------------------- */

int asy__bytes_set(struct asy__bytes *bytes, const void *data, size_t n, struct asy_error *err)
{
    unsigned char *copy = n ? malloc(n) : NULL;

    if (n && !copy)
        return asy_fail(err, ASY_E_NOMEM, "no memory for the %zu bytes that a plug-in keeps", n);
    if (n)
        memcpy(copy, data, n);
    free(bytes->data);
    *bytes = (struct asy__bytes){ copy, n };
    return 0;
}

static int save(struct asy__plugged *p, struct asy__bytes *ret, struct asy_error *err)
{
    struct asy__bytes bytes = { 0 };

    if (!p->api->save)
        return 0;
    bytes.n = p->api->save(p->self, NULL, 0);
    if (bytes.n > ASY_PLUGIN_STATE_MAX)
        return asy_fail(err, ASY_E_INVAL, "plug-in '%s': it keeps %zu bytes, more than %zu",
                        p->api->name, bytes.n, ASY_PLUGIN_STATE_MAX);
    if (bytes.n && !(bytes.data = malloc(bytes.n)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for the %zu bytes that plug-in '%s' keeps",
                        bytes.n, p->api->name);
    if (bytes.n && p->api->save(p->self, bytes.data, bytes.n) != bytes.n) {
        free(bytes.data);
        return asy_fail(err, ASY_E_INVAL, "plug-in '%s': save() does not say twice how many bytes "
                        "there are", p->api->name);
    }
    free(ret->data);
    *ret = bytes;
    return 0;
}

int asy__plugged_keep(struct asy__plugged *plugged, struct asy_error *err)
{
    size_t n = plugged->options.shards * plugged->kept.n_sums;
    int rc = 0;

    if (asy_comm_rank(plugged->options.comm) == 0)
        rc = save(plugged, &plugged->kept.state, err);
    if ((rc = add_up(plugged, plugged->partial, rc, err)) == 0)
        memcpy(plugged->kept.sums, plugged->room, n * sizeof *plugged->room);
    return rc;
}

int asy__plugged_best(struct asy__plugged *plugged, struct asy_error *err)
{
    return save(plugged, &plugged->kept.best, err);
}

struct asy__kept *asy__plugged_kept(struct asy__plugged *plugged)
{
    return &plugged->kept;
}

static int load(struct asy__plugged *p, const struct asy__bytes *bytes, struct asy_error *err)
{
    char why[ASY_TRAINER_WHY] = "";

    if (!bytes->n)
        return 0;
    if (!p->api->load)
        return asy_fail(err, ASY_E_INVAL, "plug-in '%s' has no load() for the %zu bytes that it "
                        "kept", p->api->name, bytes->n);
    if (p->api->load(p->self, bytes->data, bytes->n, why) != 0)
        return failed(p, "load", why, err);
    return 0;
}

static int share_state(struct asy__plugged *p, struct asy_error *err)
{
    struct asy_comm *comm = p->options.comm;
    struct asy__bytes *state = &p->kept.state;
    uint64_t n = state->n;
    int rc;

    if ((rc = asy_comm_bcast(comm, &n, sizeof n, 0, err)) < 0)
        return rc;
    if (asy_comm_rank(comm) != 0 && n && !(state->data = malloc(n)))
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for the bytes that plug-in '%s' keeps",
                      p->api->name);
    else
        state->n = (size_t)n;
    if ((rc = asy__agree(comm, rc, err)) < 0)
        return rc;
    return n ? asy_comm_bcast(comm, state->data, state->n, 0, err) : 0;
}

int asy__plugged_resume(struct asy__plugged *plugged, struct asy_error *err)
{
    size_t shards = plugged->options.shards, m = plugged->api->n_metrics, first, end;
    size_t n = shards * plugged->kept.n_sums;
    int rc;

    if ((rc = share_state(plugged, err)) < 0 ||
        (rc = asy_comm_bcast(plugged->options.comm, plugged->kept.sums,
                             n * sizeof *plugged->kept.sums, 0, err)) < 0)
        return rc;
    asy__own_shards(plugged->options.comm, shards, &first, &end);
    for (size_t i = first * m; i < end * m; i++)
        plugged->partial[i] = (struct asy_trainer_sum){ plugged->kept.sums[2 * i],
                                                        plugged->kept.sums[2 * i + 1] };
    return asy__agree(plugged->options.comm, load(plugged, &plugged->kept.state, err), err);
}

/* ---- stored models --------------------------------------------------------------------------- */

/* The best parameters and the state beside them. */
static int read_model(struct asy__plugged *p, const struct asy_safetensors *file, float *params,
                      struct asy_error *err)
{
    const struct asy_tensor *state = asy_safetensors_find(file, "state");
    struct asy__bytes bytes = { 0 };
    int rc = asy_safetensors_read_f32(file, "params", p->kept.n_params, params, err);

    if (rc == 0 && state && (rc = asy__bytes_set(&bytes, state->bytes, state->size, err)) == 0)
        rc = load(p, &bytes, err);
    free(bytes.data);
    return rc;
}

static int write_scores(struct asy__plugged *p, enum asy__part part, struct asy_buf *ret_json,
                        struct asy_error *err)
{
    static const char *const prefixes[ASY__PARTS] = { "train", "val", "test" };
    struct asy__metric_list list = { .n = 0 };
    struct asy_jsonw w;

    add_metrics(p, prefixes[part], &list);
    asy_jsonw_init(&w, ret_json, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_u64(&w, "rows", rows_of(data_of(p), part));
    for (size_t i = 0; i < list.n; i++)
        asy_jsonw_f64(&w, list.item[i].name, list.item[i].value);
    asy_jsonw_close(&w, '}');
    return asy_buf_check(ret_json, "the score", err);
}

static int score(const struct asy__job *job, const struct asy__data *data,
                 const struct asy_safetensors *file, enum asy__part part, struct asy_buf *ret_json,
                 struct asy_error *err)
{
    struct asy__plugged_options options = { .job = job, .data = data, .dir = "", .shards = 1 };
    struct asy__plugged *p = NULL;
    struct asy__learner learner;
    float *params = NULL;
    int rc;

    if ((rc = asy_comm_self(&options.comm, err)) < 0 ||
        (rc = asy__plugged_create(&options, &p, err)) < 0 ||
        (rc = asy__plugged_learner(p, EVAL_ROWS, &learner, err)) < 0)
        goto out;
    if (!(params = calloc(p->n_params, sizeof *params)))
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a model of %zu parameters", p->n_params);
    else if ((rc = read_model(p, file, params, err)) == 0 &&
             (rc = evaluate(p, params, part, err)) == 0)
        rc = write_scores(p, part, ret_json, err);
out:
    free(params);
    asy__plugged_destroy(p);
    asy_comm_destroy(options.comm);
    return rc;
}

/* Data as the training of this model saw it. */
static int load_data(const struct asy__job *job, const struct asy_json *model,
                     struct asy__data *ret, struct asy_error *err)
{
    struct asy__schema schema = { 0 };
    int rc = asy__schema_read(asy_json_get(model, "schema"), &schema, err);

    if (rc == 0)
        rc = asy__data_load(&job->data, &schema, 1, ret, err);
    asy__schema_fini(&schema);
    return rc;
}

int asy__plugged_score(const struct asy_json *job_json, const char *model_path,
                       enum asy__part part, struct asy_buf *ret_json, struct asy_error *err)
{
    struct asy_safetensors *file = NULL;
    struct asy_json *model = NULL;
    struct asy__data data = { 0 };
    struct asy__job job = { 0 };
    const char *text;
    int rc;

    if ((rc = asy__job_read(job_json, &job, err)) < 0 ||
        (rc = asy_safetensors_open(model_path, &file, err)) < 0)
        goto out;
    text = asy_safetensors_meta(file, "model");
    if (!text)
        rc = asy_fail(err, ASY_E_CORRUPT, "'%.160s': not a model of this version", model_path);
    else if ((rc = asy_json_parse(text, strlen(text), &model, err)) == 0 &&
             (rc = asy__hyper_read(asy_json_get(model, "parameters"), &job.hyper, err)) == 0 &&
             !asy__plugged_has_data(&job))
        rc = load_data(&job, model, &data, err);
    if (rc == 0)
        rc = score(&job, asy__plugged_has_data(&job) ? NULL : &data, file, part, ret_json, err);
out:
    asy_json_destroy(model);
    asy_safetensors_destroy(file);
    asy__data_fini(&data);
    asy__job_fini(&job);
    return rc;
}

int asy_trainer_describe_plugin(const char *path, struct asy_buf *ret_json, struct asy_error *err)
{
    struct asy_plugin *plugin = NULL;
    int rc = asy_plugin_open(path, &plugin, err);

    if (rc < 0)
        return rc;
    asy_plugin_write(plugin, ret_json);
    rc = asy_buf_check(ret_json, "the plug-in's table", err);
    asy_plugin_close(plugin);
    return rc;
}
