/* SPDX-License-Identifier: Apache-2.0
 * plugged.c - a plug-in as a learner.
 *
 * What it is handed is checked before, what it hands back is not: sums and gradients are numbers,
 * and one that is none shows as a loss that is none. A call that fails on one rank must not leave
 * the others waiting in a sum, so failures ride along with sums (run.c, and plugged_metrics.c). */
#include "plugged_impl.h"
#include "comm/agree.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <asy/safetensors.h>
#include <asy/training.h>

#define PARAMS_MAX ((size_t)512 << 20)

int asy__plugged_failed(const struct asy__plugged *p, const char *call, char *why,
                        struct asy_error *err)
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
        setup->n_rows[part] = asy__rows_of(o->data, part);
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
        return asy__plugged_failed(p, "create", why, err);
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
        return asy__plugged_failed(p, "step", why, err);
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

    plugged->rows_max = rows_max > ASY__PLUGGED_ROWS ? rows_max : ASY__PLUGGED_ROWS;
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
        return asy__plugged_failed(plugged, "params", why, err);
    return 0;
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

int asy__bytes_read(const struct asy_safetensors *file, const char *name, struct asy__bytes *ret,
                    struct asy_error *err)
{
    const struct asy_tensor *tensor = asy_safetensors_find(file, name);

    if (!tensor)
        return 0;
    if (strcmp(tensor->dtype, "U8") != 0 || tensor->size > ASY_PLUGIN_STATE_MAX)
        return asy_fail(err, ASY_E_CORRUPT, "tensor '%s' is not what a plug-in keeps", name);
    return asy__bytes_set(ret, tensor->bytes, tensor->size, err);
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
    if ((rc = asy__plugged_add_up(plugged, plugged->partial, rc, err)) == 0)
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

int asy__plugged_load(struct asy__plugged *p, const struct asy__bytes *bytes, struct asy_error *err)
{
    char why[ASY_TRAINER_WHY] = "";

    if (!bytes->n)
        return 0;
    if (!p->api->load)
        return asy_fail(err, ASY_E_INVAL, "plug-in '%s' has no load() for the %zu bytes that it "
                        "kept", p->api->name, bytes->n);
    if (p->api->load(p->self, bytes->data, bytes->n, why) != 0)
        return asy__plugged_failed(p, "load", why, err);
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
    return asy__agree(plugged->options.comm,
                      asy__plugged_load(plugged, &plugged->kept.state, err), err);
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
