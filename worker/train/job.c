/* SPDX-License-Identifier: Apache-2.0
 * job.c - reading a job, and the text by which a checkpoint knows its trial. */
#include "job.h"
#include <stdio.h>
#include <string.h>
#include <asy/training.h>
#include "net/layers.h"
#include "learn/metrics.h"
#include "learn/schedule.h"

/* Beside which a study file has the hyperparameters. */
static const char *const keys_of_run[] = {
    "checkpoint", "command", "cwd", "env", "files", "fixed", "grace", "length", "metrics", "model",
    "plugin", "repeats", "silence", "wandb",
};

static int has_hyper(const struct asy_trainer_plugin *api, const char *name)
{
    for (uint32_t i = 0; i < api->n_hypers; i++)
        if (!strcmp(api->hypers[i].name, name))
            return 1;
    return 0;
}

static int name_taken(const char *path, const char *name, struct asy_error *err)
{
    return asy_fail(err, ASY_E_INVAL, "plug-in '%.100s': hyperparameter '%s' has the name of one "
                    "of the engine's", path, name);
}

static int read_plugin(const char *path, struct asy__job *job, struct asy_error *err)
{
    const struct asy_trainer_plugin *api;
    const char *name;
    int rc = asy_plugin_open(path, &job->plugin, err);

    if (rc < 0)
        return rc;
    api = asy_plugin_get(job->plugin);
    for (size_t i = 0; (name = asy_trainer_hyperparameter("plugin", i)); i++)
        if (has_hyper(api, name))
            return name_taken(path, name, err);
    for (size_t i = 0; i < ASY_ARRAY_LEN(keys_of_run); i++)
        if (has_hyper(api, keys_of_run[i]))
            return name_taken(path, keys_of_run[i], err);
    asy__hyper_plugin(api, &job->hyper);
    return 0;
}

static int unknown_family(const char *name, struct asy_error *err)
{
    char list[160] = "";
    size_t len = 0;

    for (int f = 0; f < ASY__FAMILIES && len < sizeof list; f++) {
        if (f == ASY__PLUGIN)
            continue;
        len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", f ? ", " : "",
                                asy__family_name((enum asy__family)f));
    }
    return asy_fail(err, ASY_E_INVAL, "run: model '%.60s' is unknown; there are %s",
                    name ? name : "", list);
}

static int read_run(const struct asy_json *run, struct asy__job *job, struct asy_error *err)
{
    const struct asy_json *length = asy_json_get(run, "length");
    const char *model = asy_json_str(asy_json_get(run, "model"), NULL);
    const char *unit = asy_json_str(asy_json_get(length, "unit"), "epochs");
    const char *plugin = asy_json_str(asy_json_get(run, "plugin"), NULL);
    int64_t max = asy_json_i64(asy_json_get(length, "max"), 0);
    int family = plugin ? ASY__PLUGIN : asy__family_find(model), rc;

    if (family < 0 || (!plugin && family == ASY__PLUGIN))
        return unknown_family(model, err);
    if (strcmp(unit, "epochs") != 0)
        return asy_fail(err, ASY_E_INVAL, "run: length is counted in epochs, not in '%.60s'", unit);
    if (max < 1 || max > 1000000000000000)
        return asy_fail(err, ASY_E_INVAL, "run: length needs max, from 1 to 1e15 epochs");
    job->max = (uint64_t)max;
    if (plugin && (rc = read_plugin(plugin, job, err)) < 0)
        return rc;
    if (!plugin)
        asy__hyper_defaults((enum asy__family)family, &job->hyper);
    if ((rc = asy__hyper_read(asy_json_get(run, "fixed"), &job->hyper, err)) < 0)
        asy_error_prefix(err, "run");
    return rc;
}

static int read_objective(const struct asy_json *node, struct asy__job *job, struct asy_error *err)
{
    const char *goal, *take;

    if (node && asy_json_type(node) == ASY_JSON_ARRAY)
        node = asy_json_at(node, 0);
    job->metric = asy_json_str(asy_json_get(node, "metric"), NULL);
    goal = asy_json_str(asy_json_get(node, "goal"), "");
    take = asy_json_str(asy_json_get(node, "take"), "best");
    if (!job->metric)
        return asy_fail(err, ASY_E_INVAL, "objective: no metric is named");
    if (strcmp(goal, "maximize") != 0 && strcmp(goal, "minimize") != 0)
        return asy_fail(err, ASY_E_INVAL, "objective: goal is maximize or minimize, not '%.60s'",
                        goal);
    if (strcmp(take, "best") != 0 && strcmp(take, "last") != 0)
        return asy_fail(err, ASY_E_INVAL, "objective: take is best or last, not '%.60s'", take);
    job->maximize = !strcmp(goal, "maximize");
    job->takes_best = !strcmp(take, "best");
    return 0;
}

/* Of a list of maps with a metric each, or one map. */
static unsigned wanted(const struct asy_json *list)
{
    const struct asy_json *node = list;
    unsigned wants = 0;

    for (size_t i = 0; node; i++) {
        if (asy_json_type(list) == ASY_JSON_ARRAY && !(node = asy_json_at(list, i)))
            break;
        wants |= asy__metric_wants(asy_json_str(asy_json_get(node, "metric"), ""));
        if (node == list)
            break;
    }
    return wants;
}

unsigned asy__job_wants(const struct asy_json *study)
{
    return wanted(asy_json_get(study, "objective")) | wanted(asy_json_get(study, "constraints"));
}

static int read_data(const struct asy_json *node, struct asy__job *job, struct asy_error *err)
{
    if (!job->plugin || !(asy_plugin_get(job->plugin)->flags & ASY_TRAINER_OWN_DATA))
        return asy__data_spec_read(node, &job->data, err);
    if (node)
        return asy_fail(err, ASY_E_INVAL, "data: the plug-in brings its own; leave it out");
    return 0;
}

static int read_job(const struct asy_json *node, struct asy__job *job, struct asy_error *err)
{
    const struct asy_json *study = asy_json_get(node, "study");
    const struct asy_json *resources = asy_json_get(study, "resources");
    const struct asy_json *seconds = asy_json_get(node, "checkpoint_s");
    double every = asy_json_f64(seconds, 60);
    int64_t until;
    int rc;

    if (!study || asy_json_type(study) != ASY_JSON_OBJECT)
        return asy_fail(err, ASY_E_INVAL, "the job has no study");
    job->study = asy_json_str(asy_json_get(study, "name"), "");
    job->strict = !strcmp(asy_json_str(asy_json_get(resources, "reproducible"), ""), "strict");
    job->cores = (size_t)asy_json_i64(asy_json_get(resources, "cores"), 1);
    job->device = asy_json_str(asy_json_get(resources, "device"), "auto");
    job->has_gpus = asy_json_f64(asy_json_get(resources, "gpus"), 0) > 0;
    job->population = asy_json_bool(asy_json_get(node, "population"), 0);
    if ((rc = read_run(asy_json_get(study, "run"), job, err)) < 0 ||
        (rc = read_data(asy_json_get(study, "data"), job, err)) < 0 ||
        (rc = asy__import_read(asy_json_get(node, "import"), &job->import, err)) < 0 ||
        (rc = read_objective(asy_json_get(study, "objective"), job, err)) < 0)
        return rc;
    if ((rc = asy__hyper_read(asy_json_get(node, "params"), &job->hyper, err)) < 0) {
        asy_error_prefix(err, "params");
        return rc;
    }
    job->wants = asy__job_wants(study);
    job->seed = (uint64_t)asy_json_i64(asy_json_get(node, "seed"), 0);
    job->number = (uint64_t)asy_json_i64(asy_json_get(node, "number"), 0);
    until = asy_json_i64(asy_json_get(node, "until"), (int64_t)job->max);
    if (until < 1)
        return asy_fail(err, ASY_E_INVAL, "until: %lld is no epoch", (long long)until);
    job->until = (uint64_t)until < job->max ? (uint64_t)until : job->max;
    if (!(every >= 0 && every <= 1e9))
        return asy_fail(err, ASY_E_INVAL, "checkpoint_s: %g is no number of seconds", every);
    job->checkpoint_ms = (int64_t)(every * 1000);
    return 0;
}

int asy__job_read(const struct asy_json *node, struct asy__job *ret, struct asy_error *err)
{
    struct asy__job job = { 0 };
    int rc = read_job(node, &job, err);

    if (rc < 0)
        asy__job_fini(&job);
    else
        *ret = job;
    return rc;
}

void asy__job_fini(struct asy__job *job)
{
    asy_plugin_close(job->plugin);
    job->plugin = NULL;
}

static void add_columns(struct asy_buf *buf, const char *key, const struct asy_json *node)
{
    const struct asy_json *item = node;

    asy_buf_addf(buf, "%s=", key);
    for (size_t i = 0; item; i++) {
        if (asy_json_type(node) == ASY_JSON_ARRAY && !(item = asy_json_at(node, i)))
            break;
        if (asy_json_type(item) == ASY_JSON_INT)
            asy_buf_addf(buf, "%lld,", (long long)asy_json_i64(item, 0));
        else
            asy_buf_addf(buf, "'%s',", asy_json_str(item, ""));
        if (item == node)
            break;
    }
    asy_buf_addc(buf, '\n');
}

void asy__data_spec_text(const struct asy__data_spec *spec, struct asy_buf *buf)
{
    asy_buf_addf(buf, "separator=%d\nheader=%d\n", spec->separator, spec->header);
    if (spec->format > ASY__FORMAT_TSV)
        asy_buf_addf(buf, "format=%s\n", asy__format_name(spec->format));
    if (spec->arrays)
        add_columns(buf, "arrays", spec->arrays);
    add_columns(buf, "exclude", spec->exclude);
    add_columns(buf, "categorical", spec->categorical);
    add_columns(buf, "label", spec->label);
    asy_buf_addf(buf, "task=%d\nmissing=%d\nscale=%d\n", spec->task, spec->missing, spec->scale);
    asy_buf_addf(buf, "validation=%a\ntest=%a\nstratify=%d\nsplit seed=%llu\n", spec->validation,
                 spec->test, spec->stratify, (unsigned long long)spec->seed);
    if (spec->group)
        add_columns(buf, "group", spec->group);
    if (spec->sequence)
        asy_buf_addf(buf, "sequence=%d\nlength=%zu\n", spec->sequence, spec->length);
    if (asy__divisions(spec))
        asy_buf_addf(buf, "folds=%u\nrepeats=%u\ndivision=%d\n", spec->folds, spec->repeats,
                     spec->division);
}

static void add_weights(const struct asy_json *weights, struct asy_buf *buf)
{
    struct asy_jsonw w;

    asy_buf_adds(buf, "class_weights=");
    asy_jsonw_init(&w, buf, 0);
    asy_jsonw_node(&w, NULL, weights);
    asy_buf_addc(buf, '\n');
}

/* What came after the first checkpoints: it says nothing where it is what they had. */
static void add_more(const struct asy__hyper *h, struct asy_buf *buf)
{
    if (h->optimizer == ASY__LARS)
        asy_buf_addf(buf, "trust=%a\n", h->trust);
    if (h->accumulate > 1)
        asy_buf_addf(buf, "accumulate=%lld\n", (long long)h->accumulate);
    if (h->clip > 0)
        asy_buf_addf(buf, "clip=%a\n", h->clip);
    if (h->ema > 0)
        asy_buf_addf(buf, "ema=%a\n", h->ema);
    if (h->lr_schedule != ASY__LR_CONSTANT)
        asy_buf_addf(buf, "lr_schedule=%s\nlr_end=%a\nlr_every=%lld\nlr_factor=%a\n",
                     asy__hyper_word(h, "lr_schedule"), h->lr_end, (long long)h->lr_every,
                     h->lr_factor);
    if (h->warmup > 0)
        asy_buf_addf(buf, "warmup=%a\n", h->warmup);
    if (h->loss != ASY__LOSS_AUTO)
        asy_buf_addf(buf, "loss=%s\ndelta=%a\nquantile=%a\n", asy__hyper_word(h, "loss"), h->delta,
                     h->quantile);
    if (h->label_smoothing > 0)
        asy_buf_addf(buf, "label_smoothing=%a\n", h->label_smoothing);
    if (h->class_balance > 0)
        asy_buf_addf(buf, "class_balance=%a\n", h->class_balance);
    if (h->class_weights)
        add_weights(h->class_weights, buf);
    if (h->sync_every > 1)
        asy_buf_addf(buf, "sync_every=%lld\n", (long long)h->sync_every);
    if (h->outer_lr != 1)
        asy_buf_addf(buf, "outer_lr=%a\n", h->outer_lr);
    if (h->outer_momentum > 0)
        asy_buf_addf(buf, "outer_momentum=%a\n", h->outer_momentum);
    if (h->wire != ASY__FP32)
        asy_buf_addf(buf, "wire=%s\n", asy__hyper_word(h, "wire"));
    if (h->precision != ASY__FP32)
        asy_buf_addf(buf, "precision=%s\n", asy__hyper_word(h, "precision"));
}

/* What a plug-in is; a population's trials have in common what it calls shape. */
static void add_plugin(const struct asy__hyper *h, int population, struct asy_buf *buf)
{
    struct asy_jsonw w;

    asy_buf_addf(buf, "plug-in=%s\n", h->plugin->name);
    for (uint32_t i = 0; i < h->plugin->n_hypers; i++)
        if (!population || (h->plugin->hypers[i].flags & ASY_TRAINER_SHAPE))
            asy_buf_addf(buf, "%s=%a\n", h->plugin->hypers[i].name, h->own[i]);
    asy_buf_addf(buf, "patience=%lld\noptimizer=%s\n", (long long)h->patience,
                 asy__hyper_word(h, "optimizer"));
    if (population)
        return;
    asy_buf_addf(buf, "hyperparameters=");
    asy_jsonw_init(&w, buf, 0);
    asy__hyper_write(h, &w, NULL);
    asy_buf_addc(buf, '\n');
}

/* What those of sequences have of their own. */
static void add_tokens(const struct asy__hyper *h, int population, struct asy_buf *buf)
{
    asy_buf_addf(buf, "d_model=%lld\nheads=%lld\nblocks=%lld\nactivation=%s\n",
                 (long long)h->d_model, (long long)h->heads, (long long)h->blocks,
                 asy_act_name((enum asy_act)h->activation));
    if (h->family == ASY__GPT)
        asy_buf_addf(buf, "context=%lld\ntied=%d\n", (long long)h->context, (int)h->tied);
    else
        asy_buf_addf(buf, "tokens=%lld\n", (long long)h->tokens);
    if (h->norm)
        asy_buf_addf(buf, "norm=%lld\n", (long long)h->norm);
    if (!population)
        asy_buf_addf(buf, "dropout=%a\n", h->dropout);
    if (h->attention_dropout > 0 && !population)
        asy_buf_addf(buf, "attention_dropout=%a\n", h->attention_dropout);
}

/* Lines of what was not always there are only of what is not as it was before. */
static void add_mlp(const struct asy__hyper *h, int population, struct asy_buf *buf)
{
    asy_buf_addf(buf, "hidden=%lld\nlayers=%lld\nactivation=%s\n", (long long)h->hidden,
                 (long long)h->layers, asy_act_name((enum asy_act)h->activation));
    for (int64_t l = 1; l < h->layers; l++)
        if (h->hidden_of[l] && h->hidden_of[l] != h->hidden)
            asy_buf_addf(buf, "hidden_%lld=%lld\n", (long long)l + 1, (long long)h->hidden_of[l]);
    if (h->norm)
        asy_buf_addf(buf, "norm=%lld\n", (long long)h->norm);
    if (h->dropout > 0 && !population)
        asy_buf_addf(buf, "dropout=%a\n", h->dropout);
}

static void add_cnn(const struct asy__hyper *h, int population, struct asy_buf *buf)
{
    asy_buf_addf(buf, "filters=%lld\nblocks=%lld\nkernel=%lld\npadding=%lld\npool=%lld\n"
                 "residual=%lld\nhidden=%lld\nactivation=%s\nimage=%lld %lld %lld\n",
                 (long long)h->filters, (long long)h->blocks, (long long)h->kernel,
                 (long long)h->padding, (long long)h->pool, (long long)h->residual,
                 (long long)h->hidden, asy_act_name((enum asy_act)h->activation),
                 (long long)h->image_height, (long long)h->image_width,
                 (long long)h->image_channels);
    if (h->norm)
        asy_buf_addf(buf, "norm=%lld\n", (long long)h->norm);
    if (!population)
        asy_buf_addf(buf, "dropout=%a\n", h->dropout);
}

static void add_layers(const struct asy__hyper *h, int population, struct asy_buf *buf)
{
    struct asy_jsonw w;

    asy_buf_adds(buf, "layers=");
    asy_jsonw_init(&w, buf, 0);
    asy__layers_write(h->list, h->values, !population, &w, NULL);
    asy_buf_addc(buf, '\n');
}

static void add_augment(const struct asy__hyper *h, struct asy_buf *buf)
{
    if (h->augment_crop || h->augment_shift || h->augment_flip)
        asy_buf_addf(buf, "augment=%lld %lld %lld\n", (long long)h->augment_crop,
                     (long long)h->augment_shift, (long long)h->augment_flip);
}

/* What a network is, and what a population's trials have of their own. */
static void add_network(const struct asy__hyper *h, int population, struct asy_buf *buf)
{
    if (h->family == ASY__MLP)
        add_mlp(h, population, buf);
    if (h->family == ASY__CNN)
        add_cnn(h, population, buf);
    if (h->family == ASY__LAYERS)
        add_layers(h, population, buf);
    if (h->family == ASY__GPT || h->family == ASY__TRANSFORMER)
        add_tokens(h, population, buf);
    if (h->loss == ASY__LOSS_BINARY) /* one output in place of two */
        asy_buf_addf(buf, "outputs=1\n");
    if (!population)
        asy_buf_addf(buf, "batch_size=%lld\n", (long long)h->batch_size);
    asy_buf_addf(buf, "patience=%lld\noptimizer=%s\n", (long long)h->patience,
                 asy__hyper_word(h, "optimizer"));
    if (population)
        return;
    add_more(h, buf);
    add_augment(h, buf);
    asy_buf_addf(buf, "lr=%a\nweight_decay=%a\n", h->lr, h->weight_decay);
    asy_buf_addf(buf, "momentum=%a\nnesterov=%d\nbeta1=%a\nbeta2=%a\nepsilon=%a\n", h->momentum,
                 (int)h->nesterov, h->beta1, h->beta2, h->epsilon);
}

/* Trees go on from others of the same bins and of no greater depth. */
static void add_gbdt(const struct asy__hyper *h, int population, struct asy_buf *buf)
{
    asy_buf_addf(buf, "patience=%lld\nbins=%lld\nmax_depth=%lld\n", (long long)h->patience,
                 (long long)h->bins, (long long)h->max_depth);
    if (!population)
        asy_buf_addf(buf, "lr=%a\nl1=%a\nl2=%a\ngamma=%a\nmin_child_weight=%a\nsubsample=%a\n"
                     "colsample=%a\n", h->lr, h->l1, h->l2, h->gamma, h->min_child_weight,
                     h->subsample, h->colsample);
}

void asy__job_identity(const struct asy__job *job, const struct asy__data *data,
                       struct asy_buf *buf)
{
    asy_buf_addf(buf, "model=%s\nlength=%llu\n",
                 asy__family_name((enum asy__family)job->hyper.family),
                 (unsigned long long)job->max);
    if (job->strict)
        asy_buf_addf(buf, "reproducible=strict\n");
    if (!job->population)
        asy_buf_addf(buf, "seed=%llu\n", (unsigned long long)job->seed);
    asy_buf_addf(buf, "objective=%s\nmaximize=%d\ntake best=%d\n", job->metric, job->maximize,
                 job->takes_best);
    if (job->hyper.family == ASY__PLUGIN)
        add_plugin(&job->hyper, job->population, buf);
    else if (job->hyper.family == ASY__GBDT)
        add_gbdt(&job->hyper, job->population, buf);
    else
        add_network(&job->hyper, job->population, buf);
    asy__data_spec_text(&job->data, buf);
    asy_buf_addf(buf, "data=%08x\n", data->crc);
}
