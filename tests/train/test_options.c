/* SPDX-License-Identifier: Apache-2.0
 * The table of keys of a study and the trainer agree: names, defaults, a whole study as a job. */
#include "trainkit.h"
#include <asy/study.h>
#include <asy/training.h>
#include "job.h"
#include "net/layers.h"
#include "learn/schedule.h"

static const char study_text[] =
    "assay: 1\n"
    "name: digits\n"
    "run: {model: mlp, hidden: 48, length: {unit: epochs, max: 9}}\n"
    "data: {file: digits.csv.gz, label: -1, missing: mean, split: {validation: 0.3, seed: 4}}\n"
    "objective: {metric: val_loss, goal: minimize, take: last}\n"
    "parameters:\n"
    "  lr: {min: 1e-5, max: 1.0, scale: log}\n"
    "search: {seed: 7}\n"
    "budget: {trials: 2}\n";

static int listed(const char *family, const char *name, int by_trainer)
{
    char group[32];
    const char *other;

    snprintf(group, sizeof group, "model %s", family);
    for (size_t i = 0; (other = by_trainer ? asy_trainer_hyperparameter(family, i)
                                           : asy_study_option(group, i)); i++)
        if (!strcmp(name, other))
            return 1;
    return 0;
}

static void both_know_the_same_hyperparameters(void)
{
    static const char *const families[] = {
        "mlp", "linear", "cnn", "gpt", "transformer", "layers", "gbdt", "plugin",
    };

    for (size_t f = 0; f < ASY_ARRAY_LEN(families); f++) {
        char group[32];
        const char *name;
        size_t n = 0, m = 0;

        snprintf(group, sizeof group, "model %s", families[f]);
        for (; (name = asy_trainer_hyperparameter(families[f], n)); n++)
            if (!listed(families[f], name, 0))
                T_STR("only the trainer knows", name, "");
        for (; (name = asy_study_option(group, m)); m++)
            if (!listed(families[f], name, 1))
                T_STR("only the study knows", name, "");
        T_EQ("as many", n, m);
        T_TRUE(n >= 10);
    }
    T_EQ("families", ASY_ARRAY_LEN(families), ASY__FAMILIES);
}

static void both_know_the_same_layers(void)
{
    static const char *const kinds[] = { "dense", "act", "dropout", "norm", "add", "flatten",
                                         "tokens", "place", "image", "conv", "max_pool",
                                         "mean_pool", "global_mean", "global_max", "embed",
                                         "attention", "any" };

    for (size_t k = 0; k < ASY_ARRAY_LEN(kinds); k++) {
        char group[32];
        const char *name;
        size_t i = 0;

        snprintf(group, sizeof group, "layer %s", kinds[k]);
        for (; (name = asy_study_option(group, i)); i++)
            T_STR(kinds[k], asy__layers_option(kinds[k], i), name);
        T_TRUE(i > 0 && !asy__layers_option(kinds[k], i));
    }
}

/* What the study fills in is what the trainer would take by itself. */
static void trees_have_the_same_defaults(void)
{
    static const char text[] = "assay: 1\nname: digits\n"
                               "run: {model: gbdt, max_depth: 4, length: {max: 9}}\n"
                               "data: digits.csv.gz\n"
                               "objective: {metric: val_loss, goal: minimize}\n"
                               "parameters: {lr: {min: 0.01, max: 1.0, scale: log}}\n"
                               "budget: {trials: 2}\n";
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    struct asy_buf problems, job_text;
    struct asy__hyper defaults;
    struct asy__job job;

    asy_buf_init(&problems, 1u << 16);
    asy_buf_init(&job_text, 1u << 20);
    if (!T_OK(asy_study_parse(text, sizeof text - 1, "study.yaml", ASY_SOURCE_DIR "/examples/data",
                              &spec, &problems, &err), &err))
        goto out;
    asy_buf_addf(&job_text, "{\"study\":%s,\"params\":{\"lr\":0.5},\"seed\":1}",
                 spec->canonical);
    if (!T_OK(asy_json_parse(job_text.data, job_text.len, &root, &err), &err) ||
        !T_OK(asy__job_read(root, &job, &err), &err))
        goto out;
    asy__hyper_defaults(ASY__GBDT, &defaults);
    defaults.max_depth = 4;
    defaults.lr = 0.5;
    T_EQ("hyperparameters", memcmp(&job.hyper, &defaults, sizeof defaults), 0);
    T_EQ("family", job.hyper.family, ASY__GBDT);
out:
    asy_json_destroy(root);
    asy_study_destroy(spec);
    asy_buf_fini(&problems);
    asy_buf_fini(&job_text);
}

static void a_study_is_a_job_with_the_same_defaults(void)
{
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    struct asy_buf problems, text;
    struct asy__hyper defaults;
    struct asy__job job;

    asy_buf_init(&problems, 1u << 16);
    asy_buf_init(&text, 1u << 20);
    if (!T_OK(asy_study_parse(study_text, sizeof study_text - 1, "study.yaml",
                              ASY_SOURCE_DIR "/examples/data", &spec, &problems, &err), &err))
        goto out;
    asy_buf_addf(&text, "{\"study\":%s,\"params\":{\"lr\":0.5},\"seed\":1,\"until\":4}",
                 spec->canonical);
    if (!T_OK(asy_json_parse(text.data, text.len, &root, &err), &err) ||
        !T_OK(asy__job_read(root, &job, &err), &err))
        goto out;
    asy__hyper_defaults(ASY__MLP, &defaults);
    defaults.hidden = 48;
    defaults.lr = 0.5;
    T_EQ("hyperparameters", memcmp(&job.hyper, &defaults, sizeof defaults), 0);
    T_STR("study", job.study, "digits");
    T_STR("file", job.data.file, KIT_DIGITS);
    T_EQ("until", job.until, 4);
    T_EQ("max", job.max, 9);
    T_EQ("missing", job.data.missing, ASY__MISSING_MEAN);
    T_EQ("scale", job.data.scale, ASY__SCALE_STANDARD);
    T_EQ("header", job.data.header, -1);
    T_EQ("stratify", job.data.stratify, 1);
    T_EQ("split seed", job.data.seed, 4);
    T_NEAR("validation", job.data.validation, 0.3, 0);
    T_NEAR("test", job.data.test, 0.2, 0);
    T_STR("metric", job.metric, "val_loss");
    T_TRUE(!job.maximize && !job.takes_best && !job.strict);
out:
    asy_json_destroy(root);
    asy_study_destroy(spec);
    asy_buf_fini(&problems);
    asy_buf_fini(&text);
}

/* A network layer by layer, with numbers of the trial in it, and the same from what a model has. */
static void listed_layers_reach_the_network(void)
{
    static const char text[] =
        "assay: 1\nname: digits\n"
        "run:\n  model: layers\n  length: {max: 9}\n"
        "  layers:\n    - {dense: \"{width}\", act: relu, name: a}\n    - {dropout: \"{rate}\"}\n"
        "    - {dense: 32}\n    - {act: \"{f}\"}\n    - {add: a}\n    - flatten\n"
        "data: digits.csv.gz\n"
        "objective: {metric: val_loss, goal: minimize}\n"
        "parameters:\n  width: {min: 8, max: 64}\n  rate: {values: [0, 0.5]}\n"
        "  f: {values: [gelu, tanh]}\n"
        "budget: {trials: 2}\n";
    struct asy_study_spec *spec = NULL, *again = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__layer_desc *layers = NULL;
    struct asy_buf problems, job_text, list;
    struct asy_json *root = NULL;
    struct asy_jsonw w;
    struct asy__job job;
    size_t n = 0;

    asy_buf_init(&problems, 1u << 16);
    asy_buf_init(&job_text, 1u << 20);
    asy_buf_init(&list, 1u << 16);
    if (!T_OK(asy_study_parse(text, sizeof text - 1, "study.yaml", ASY_SOURCE_DIR "/examples/data",
                              &spec, &problems, &err), &err) ||
        !T_OK(asy_study_parse(spec->canonical, strlen(spec->canonical), "canonical", NULL, &again,
                              NULL, &err), &err))
        goto out;
    T_STR("canonical", again->canonical, spec->canonical);
    asy_buf_addf(&job_text, "{\"study\":%s,\"params\":{\"f\":\"tanh\",\"rate\":0.5,\"width\":48}}",
                 spec->canonical);
    if (!T_OK(asy_json_parse(job_text.data, job_text.len, &root, &err), &err) ||
        !T_OK(asy__job_read(root, &job, &err), &err) ||
        !T_OK(asy__layers_read(job.hyper.list, job.hyper.values, 10, &layers, &n, &err), &err))
        goto out;
    T_EQ("layers", n, 8);
    T_TRUE(layers[0].kind == ASY__DENSE && layers[0].width == 48 && layers[0].act == ASY_ACT_RELU);
    T_TRUE(layers[1].kind == ASY__DROPOUT && layers[1].rate == 0.5);
    T_TRUE(layers[3].kind == ASY__ACT && layers[3].act == ASY_ACT_TANH);
    T_TRUE(layers[4].kind == ASY__ADD && layers[4].from[0] == 0 && layers[4].from[1] == 1);
    T_TRUE(layers[7].kind == ASY__DENSE && layers[7].width == 10);
    asy_jsonw_init(&w, &list, 0);
    asy__layers_write(job.hyper.list, job.hyper.values, 1, &w, NULL);
    T_STR("as stored", list.data,
          "[{\"dense\":48,\"act\":\"relu\",\"name\":\"a\"},{\"dropout\":0.5},"
          "{\"dense\":32},{\"act\":\"tanh\"},{\"add\":\"a\"},{\"flatten\":true}]");
    asy_buf_clear(&list);
    asy_jsonw_init(&w, &list, 0);
    asy__layers_write(job.hyper.list, job.hyper.values, 0, &w, NULL);
    T_HAS("what a checkpoint is made for", list.data, "{\"dropout\":\"{rate}\"},{\"dense\":32}");
out:
    free(layers);
    asy_json_destroy(root);
    asy_study_destroy(spec);
    asy_study_destroy(again);
    asy_buf_fini(&problems);
    asy_buf_fini(&job_text);
    asy_buf_fini(&list);
}

static void lists_that_lie_are_refused(void)
{
    static const struct {
        const char *list, *says;
    } cases[] = {
        { "7", "a list of 1 to 256 layers is wanted" },
        { "[]", "a list of 1 to 256 layers is wanted" },
        { "[7]", "layers[0]: is no layer" },
        { "[{\"dense\":4},{\"any\":1}]", "layers[1]: is no layer" },
        { "[{\"dense\":4,\"dropout\":0.5}]", "layers[0]: is no layer" },
        { "[{\"dense\":0}]", "layers[0].dense: 0 is not a whole number from 1 to 65536" },
        { "[{\"dense\":1.5}]", "1.5 is not a whole number" },
        { "[{\"dense\":\"4\"}]", "layers[0].dense: a number is wanted" },
        { "[{\"dense\":\"{q}\"}]", "the trial has no parameter 'q'" },
        { "[{\"dropout\":\"{w}\"}]", "layers[0].dropout: 48 is not a number from 0 to 0.99" },
        { "[{\"act\":\"none\"}]", "'none' is no activation" },
        { "[{\"norm\":\"batched\"}]", "'batched' is neither layer nor batch" },
        { "[{\"flatten\":false}]", "true is wanted" },
        { "[{\"dense\":4},{\"add\":\"b\"}]", "no layer before it has the name 'b'" },
        { "[{\"dense\":4,\"name\":\"b\"},{\"dense\":4,\"name\":\"b\"}]", "name of another layer" },
        { "[{\"dense\":4,\"name\":\"features\"}]", "cannot be a name" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_json *list = NULL, *params = NULL;
        struct asy__layer_desc *layers = NULL;
        size_t n;

        if (T_OK(asy_json_parse(cases[i].list, strlen(cases[i].list), &list, &err), &err) &&
            T_OK(asy_json_parse("{\"w\":48}", 8, &params, &err), &err)) {
            T_EQ(cases[i].list, asy__layers_read(list, params, 3, &layers, &n, &err), ASY_E_INVAL);
            T_HAS(cases[i].list, err.text, cases[i].says);
        }
        T_TRUE(!layers);
        asy_json_destroy(list);
        asy_json_destroy(params);
    }
}

/* Before anything runs: whoever reads the study file asks with its data and a network. */
static void a_network_that_does_not_fit_the_data_is_told(void)
{
    static const struct {
        const char *list, *says; /* NULL: it fits; w is 8 */
    } cases[] = {
        { "[{\"dense\":\"{w}\",\"name\":\"a\"},{\"dense\":8},{\"add\":\"a\"}]", NULL },
        { "[{\"dense\":\"{w}\",\"name\":\"a\"},{\"dense\":9},{\"add\":\"a\"}]",
          "run: layer 2 (add): 1 x 1 x 9 and 1 x 1 x 8 do not add up" },
        { "[{\"tokens\":\"{w}\"},{\"dense\":3}]", NULL },
        { "[{\"tokens\":7},{\"dense\":\"{w}\"}]", "run: layer 0 (tokens): " },
        { "[{\"image\":\"{w}\"},{\"conv\":4},{\"max_pool\":2}]", NULL },
        { "[{\"image\":\"{w}\",\"width\":4,\"channels\":3},{\"conv\":4}]",
          "run: layer 0 (image): 64 numbers do not make an image of 8 x 4 x 3" },
        { "[{\"image\":\"{w}\"},{\"conv\":4,\"kernel\":9}]", "run: layer 1 (conv" },
        { "[{\"dense\":65536},{\"dense\":65536},{\"dense\":\"{w}\"}]",
          "run: layer 1 (dense): the network has more" },
        { "[{\"dense\":\"{batch_size}\"},{\"dense\":\"{w}\"}]",
          "run: layers: '{batch_size}' is the name of a hyperparameter" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_json *job = NULL;
        struct asy_buf text, out;

        asy_buf_init(&text, 1u << 16);
        asy_buf_init(&out, 1u << 16);
        asy_buf_addf(&text, "{\"study\":{\"data\":{\"file\":\"%s\"},\"run\":{\"model\":\"layers\","
                     "\"fixed\":{\"layers\":%s}},\"sample\":{\"w\":8}}}",
                     KIT_DIGITS, cases[i].list);
        if (T_OK(asy_json_parse(text.data, text.len, &job, &err), &err)) {
            T_EQ(cases[i].list, asy_trainer_describe(job, &out, &err),
                 cases[i].says ? ASY_E_INVAL : 0);
            T_HAS(cases[i].list, err.text, cases[i].says ? cases[i].says : "");
        }
        asy_json_destroy(job);
        asy_buf_fini(&text);
        asy_buf_fini(&out);
    }
}

static int look(void *ctx, const char *text, size_t len, struct asy_error *err)
{
    struct asy_json *job = NULL;
    struct asy_buf whole, out;
    int rc;

    (void)ctx;
    asy_buf_init(&whole, 1u << 16);
    asy_buf_init(&out, 1u << 16);
    asy_buf_addf(&whole, "{\"study\":%.*s}", (int)len, text);
    if ((rc = asy_json_parse(whole.data, whole.len, &job, err)) == 0)
        rc = asy_trainer_describe(job, &out, err);
    asy_json_destroy(job);
    asy_buf_fini(&whole);
    asy_buf_fini(&out);
    return rc;
}

/* A default beside a constant may be a network that no trial has. */
static void a_searched_shape_is_looked_at_where_it_is_least(void)
{
    static const struct { const char *heads, *want; } cases[] = {
        { "[2, 3, 5]", "" },
        { "[4, 8]", "run.model: d_model 30 is not a multiple of heads 4, with the least value" },
    };
    const struct asy_study_reader reader = { .look = look };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_study_spec *spec = NULL;
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf problems;
        char dir[64], path[100], text[600];

        if (!T_TRUE(kit_dir(dir) != NULL))
            return;
        asy_buf_init(&problems, 1u << 16);
        snprintf(path, sizeof path, "%s/s.yaml", dir);
        snprintf(text, sizeof text, "assay: 1\nname: s\n"
                 "run: {model: transformer, d_model: 30, length: {max: 9}}\ndata: %s\n"
                 "objective: {metric: val_loss, goal: minimize}\nbudget: {trials: 2}\n"
                 "parameters: {heads: {values: %s}}\n", KIT_DIGITS, cases[i].heads);
        if (kit_write(path, text, strlen(text)))
            T_EQ(cases[i].heads, asy_study_load(path, &reader, &spec, &problems, &err),
                 *cases[i].want ? ASY_E_INVAL : 0);
        T_HAS(cases[i].heads, problems.data ? problems.data : "", cases[i].want);
        asy_study_destroy(spec);
        asy_buf_fini(&problems);
        kit_rmdir(dir);
    }
}

/* A family without rows of its own. */
static void linear_has_what_all_networks_have(void)
{
    static const char text[] = "assay: 1\nname: digits\n"
                               "run: {model: linear, momentum: 0.5, length: {max: 9}}\n"
                               "data: digits.csv.gz\n"
                               "objective: {metric: val_loss, goal: minimize}\n"
                               "parameters: {lr: {min: 0.01, max: 1.0, scale: log}}\n"
                               "budget: {trials: 2}\n";
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    struct asy__hyper defaults;
    struct asy_buf job_text;
    struct asy__job job;

    asy_buf_init(&job_text, 1u << 20);
    if (T_OK(asy_study_parse(text, sizeof text - 1, "study.yaml", ASY_SOURCE_DIR "/examples/data",
                             &spec, NULL, &err), &err)) {
        asy_buf_addf(&job_text, "{\"study\":%s,\"params\":{\"lr\":0.5}}", spec->canonical);
        if (T_OK(asy_json_parse(job_text.data, job_text.len, &root, &err), &err) &&
            T_OK(asy__job_read(root, &job, &err), &err)) {
            asy__hyper_defaults(ASY__LINEAR, &defaults);
            defaults.momentum = 0.5;
            defaults.lr = 0.5;
            T_EQ("hyperparameters", memcmp(&job.hyper, &defaults, sizeof defaults), 0);
        }
    }
    asy_json_destroy(root);
    asy_study_destroy(spec);
    asy_buf_fini(&job_text);
}

static void strict_reaches_the_job(void)
{
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    struct asy_buf text, job_text;
    struct asy__job job;

    asy_buf_init(&text, 1u << 16);
    asy_buf_init(&job_text, 1u << 20);
    asy_buf_addf(&text, "%sresources: {reproducible: strict, ranks: 8}\n", study_text);
    if (T_OK(asy_study_parse(text.data, text.len, "study.yaml", ASY_SOURCE_DIR "/examples/data",
                             &spec, NULL, &err), &err)) {
        asy_buf_addf(&job_text, "{\"study\":%s}", spec->canonical);
        if (T_OK(asy_json_parse(job_text.data, job_text.len, &root, &err), &err) &&
            T_OK(asy__job_read(root, &job, &err), &err))
            T_EQ("strict", job.strict, 1);
    }
    T_EQ("as many parts as ranks", ASY__STRICT_SHARDS, ASY_STUDY_STRICT_RANKS);
    asy_json_destroy(root);
    asy_study_destroy(spec);
    asy_buf_fini(&text);
    asy_buf_fini(&job_text);
}

/* ---- what a checkpoint belongs to ------------------------------------------------------------ */

/* With these changes of hyperparameters: the text by which a checkpoint knows its trial, and what
 * they all are. false: they are refused. */
static bool identify(struct asy__hyper hyper, const char *params, int population,
                     struct asy_buf *ret_text, struct asy_buf *ret_all)
{
    struct asy__job job = { .metric = "val_loss", .population = population, .hyper = hyper };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__data data = { 0 };
    struct asy_json *root = NULL;
    struct asy_jsonw w;
    bool ok;

    ok = T_OK(asy_json_parse(params, strlen(params), &root, &err), &err) &&
         asy__hyper_read(root, &job.hyper, &err) == 0;
    if (ok) {
        asy_buf_clear(ret_text);
        asy_buf_clear(ret_all);
        asy__job_identity(&job, &data, ret_text);
        asy_jsonw_init(&w, ret_all, 0);
        asy__hyper_write(&job.hyper, &w, NULL);
    }
    asy_json_destroy(root);
    return ok;
}

/* How many other values there were for it; each changes the text. */
static int try_values(const struct asy__hyper *hyper, const char *name, int population)
{
    static const char *const values[] = {
        "0.25", "1", "2", "5", "17", "true", "\"layer\"", "\"batch\"", "\"valid\"", "\"mean\"",
        "\"none\"", "\"silu\"", "\"adam\"", "\"sgd\"", "\"cosine\"", "\"quantile\"", "\"bf16\"",
        "{\"cat\":2}",
    };
    struct asy_buf plain, plain_all, text, all;
    char params[200];
    int n = 0;

    asy_buf_init(&plain, 1u << 16);
    asy_buf_init(&plain_all, 1u << 16);
    asy_buf_init(&text, 1u << 16);
    asy_buf_init(&all, 1u << 16);
    T_TRUE(identify(*hyper, "{}", population, &plain, &plain_all));
    for (size_t i = 0; i < ASY_ARRAY_LEN(values); i++) {
        snprintf(params, sizeof params, "{\"%s\":%s}", name, values[i]);
        if (!identify(*hyper, params, population, &text, &all) || !strcmp(all.data, plain_all.data))
            continue;
        n++;
        t__check(strcmp(text.data, plain.data) != 0, __LINE__, __FILE__, "%s: %s is not in it",
                 asy__family_name((enum asy__family)hyper->family), params);
    }
    asy_buf_fini(&plain);
    asy_buf_fini(&plain_all);
    asy_buf_fini(&text);
    asy_buf_fini(&all);
    return n;
}

/* In a population all but what is of learning alone, since others may go on from it. */
static void a_checkpoint_knows_every_hyperparameter(void)
{
    for (int f = 0; f < ASY__FAMILIES; f++) {
        const char *family = asy__family_name((enum asy__family)f), *name;
        struct asy__hyper hyper;

        if (f == ASY__PLUGIN)
            continue;
        asy__hyper_defaults((enum asy__family)f, &hyper);
        hyper.optimizer = ASY__LARS; /* so that what is of some rules only counts */
        hyper.lr_schedule = ASY__LR_STEP;
        hyper.loss = ASY__LOSS_HUBER;
        if (f == ASY__MLP)
            hyper.layers = ASY__HIDDEN_MAX;
        for (size_t i = 0; (name = asy_trainer_hyperparameter(family, i)); i++) {
            if (f == ASY__LAYERS && !strcmp(name, "layers"))
                continue;
            t__check(try_values(&hyper, name, 0) > 0, __LINE__, __FILE__, "%s: no value of %s",
                     family, name);
            if (f != ASY__GBDT && !listed("linear", name, 1) && !strstr(name, "dropout") &&
                strncmp(name, "augment_", 8) != 0)
                try_values(&hyper, name, 1);
        }
    }
}

T_MAIN("options", T_TEST(both_know_the_same_hyperparameters), T_TEST(both_know_the_same_layers),
       T_TEST(trees_have_the_same_defaults),
       T_TEST(a_study_is_a_job_with_the_same_defaults),
       T_TEST(listed_layers_reach_the_network), T_TEST(lists_that_lie_are_refused),
       T_TEST(a_network_that_does_not_fit_the_data_is_told),
       T_TEST(a_searched_shape_is_looked_at_where_it_is_least),
       T_TEST(linear_has_what_all_networks_have),
       T_TEST(strict_reaches_the_job), T_TEST(a_checkpoint_knows_every_hyperparameter))
