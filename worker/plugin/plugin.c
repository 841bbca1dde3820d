/* SPDX-License-Identifier: Apache-2.0
 * plugin.c - loading a plug-in, and its tables.
 *
 * What the library says of itself is copied into structs of our own size before it is looked at: a
 * plug-in built with an older header has shorter ones, a newer one longer. Then all of it is
 * checked as if it came over a wire, since a mistake in a table would show up as a wrong result
 * otherwise. Callbacks can only be trusted. */
#include <asy/plugin.h>
#include <asy/json.h>
#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 64
#define HELP_MAX 200
#define INT_LIMIT 9007199254740992.0 /* 2^53 */
#define LOWER "abcdefghijklmnopqrstuvwxyz"
/* What the first release of the header had, which nobody may leave out. */
#define LEAST (offsetof(struct asy_trainer_plugin, destroy) + sizeof(void (*)(void *)))

struct asy_plugin {
    struct asy_trainer_plugin api; /* its tables are the two below */
    struct asy_trainer_hyper hypers[ASY_PLUGIN_HYPERS_MAX];
    struct asy_trainer_metric metrics[ASY_PLUGIN_METRICS_MAX];
};

/* ---- what tables may say --------------------------------------------------------------------- */

static int is_name(const char *name)
{
    size_t n = name ? strspn(name, LOWER "0123456789_") : 0;

    return n > 0 && n <= ASY_PLUGIN_NAME_MAX && !name[n] && strchr(LOWER, name[0]);
}

static int is_line(const char *text)
{
    size_t n = 0;

    while (text && n <= HELP_MAX && (unsigned char)text[n] >= ' ' && text[n] != 0x7f)
        n++;
    return text && n <= HELP_MAX && !text[n];
}

/* How many words there are between the bars; 0: they are none. */
static size_t count_words(const char *words)
{
    size_t n = 0;

    for (const char *at = words; at; at = strchr(at, '|')) {
        size_t len;

        at += at > words;
        len = strspn(at, LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
        if (len == 0 || len > ASY_PLUGIN_NAME_MAX || (at[len] && at[len] != '|') ||
            n++ == WORDS_MAX)
            return 0;
        for (const char *other = words; other < at; other = strchr(other, '|') + 1)
            if (!strncmp(other, at, len) && other[len] == '|')
                return 0;
    }
    return n;
}

static int is_whole(double x)
{
    return x == floor(x) && fabs(x) <= INT_LIMIT;
}

/* Why a hyperparameter's values are impossible; NULL: they are not. */
static const char *wrong_values(const struct asy_trainer_hyper *h)
{
    int open = h->min == 0 && h->max == 0;

    switch (h->type) {
    case ASY_TRAINER_REAL:
    case ASY_TRAINER_INT:
        if (!isfinite(h->min) || !isfinite(h->max) || h->min > h->max)
            return "min and max are no range";
        if (!isfinite(h->fallback) || (!open && (h->fallback < h->min || h->fallback > h->max)))
            return "its default lies outside min to max";
        if (h->type == ASY_TRAINER_INT &&
            (!is_whole(h->min) || !is_whole(h->max) || !is_whole(h->fallback)))
            return "min, max and default of an int are whole numbers up to 2^53";
        return NULL;
    case ASY_TRAINER_FLAG:
        return h->fallback == 0 || h->fallback == 1 ? NULL : "the default of a flag is 0 or 1";
    case ASY_TRAINER_WORD:
        if (!count_words(h->words))
            return "words are up to 64 different ones of letters, digits, _ and -, with | between";
        if (!(h->fallback >= 0) || h->fallback != floor(h->fallback) ||
            h->fallback >= (double)count_words(h->words))
            return "the default of a word is its index";
        return NULL;
    default:
        return "its type is none of this version";
    }
}

static int check_hypers(const struct asy_trainer_plugin *api, struct asy_error *err)
{
    for (uint32_t i = 0; i < api->n_hypers; i++) {
        const struct asy_trainer_hyper *h = &api->hypers[i];
        const char *why;

        if (!is_name(h->name))
            return asy_fail(err, ASY_E_INVAL, "hyperparameter %u has no usable name", i);
        if (!is_line(h->help))
            return asy_fail(err, ASY_E_INVAL, "hyperparameter '%s' has no help of one line",
                            h->name);
        if (h->flags & ~ASY_TRAINER_SHAPE)
            return asy_fail(err, ASY_E_INVAL, "hyperparameter '%s' has flags that are none of this "
                            "version", h->name);
        if ((why = wrong_values(h)))
            return asy_fail(err, ASY_E_INVAL, "hyperparameter '%s': %s", h->name, why);
        for (uint32_t k = 0; k < i; k++)
            if (!strcmp(api->hypers[k].name, h->name))
                return asy_fail(err, ASY_E_INVAL, "hyperparameter '%s' is there twice", h->name);
    }
    return 0;
}

static int check_metrics(const struct asy_trainer_plugin *api, struct asy_error *err)
{
    for (uint32_t i = 0; i < api->n_metrics; i++) {
        const struct asy_trainer_metric *m = &api->metrics[i];

        if (!is_name(m->name))
            return asy_fail(err, ASY_E_INVAL, "metric %u has no usable name", i);
        if (!is_line(m->help))
            return asy_fail(err, ASY_E_INVAL, "metric '%s' has no help of one line", m->name);
        if (m->flags & ~ASY_TRAINER_ROOT)
            return asy_fail(err, ASY_E_INVAL, "metric '%s' has flags that are none of this version",
                            m->name);
        for (uint32_t k = 0; k < i; k++)
            if (!strcmp(api->metrics[k].name, m->name))
                return asy_fail(err, ASY_E_INVAL, "metric '%s' is there twice", m->name);
    }
    if (strcmp(api->metrics[0].name, "loss") != 0)
        return asy_fail(err, ASY_E_INVAL, "its first metric is '%s', not 'loss'",
                        api->metrics[0].name);
    return 0;
}

static int check(const struct asy_trainer_plugin *api, struct asy_error *err)
{
    int rc;

    if (!is_name(api->name) || !is_line(api->help))
        return asy_fail(err, ASY_E_INVAL, "it has no usable name, or no help of one line");
    if (api->flags & ~ASY_TRAINER_OWN_DATA)
        return asy_fail(err, ASY_E_INVAL, "it has flags that are none of this version");
    if (!api->create || !api->params || !api->step || !api->evaluate || !api->destroy)
        return asy_fail(err, ASY_E_INVAL, "one of create, params, step, evaluate and destroy is "
                        "missing");
    if (!api->save != !api->load)
        return asy_fail(err, ASY_E_INVAL, "it has only one of save and load");
    if ((rc = check_hypers(api, err)) < 0)
        return rc;
    return check_metrics(api, err);
}

/* ---- loading --------------------------------------------------------------------------------- */

/* [n] structs of their size become [n] of ours, zero where theirs are shorter. */
static void copy_table(void *to, size_t size, const void *from, size_t from_size, size_t n)
{
    for (size_t i = 0; i < n; i++)
        memcpy((char *)to + i * size, (const char *)from + i * from_size,
               from_size < size ? from_size : size);
}

static int take(struct asy_plugin *plugin, const struct asy_trainer_plugin *theirs,
                struct asy_error *err)
{
    struct asy_trainer_plugin *api = &plugin->api;

    if (theirs->abi != ASY_TRAINER_ABI)
        return asy_fail(err, ASY_E_INVAL, "it was built for version %u of asy/trainer.h, and this "
                        "engine has version %u: build it with this engine's header", theirs->abi,
                        ASY_TRAINER_ABI);
    if (theirs->size < LEAST)
        return asy_fail(err, ASY_E_INVAL, "its size says %u bytes, less than version %u has; it is "
                        "sizeof(struct asy_trainer_plugin)", theirs->size, ASY_TRAINER_ABI);
    memcpy(api, theirs, theirs->size < sizeof *api ? theirs->size : sizeof *api);
    if (api->n_hypers > ASY_PLUGIN_HYPERS_MAX || (api->n_hypers && !api->hypers))
        return asy_fail(err, ASY_E_INVAL, "it has %u hyperparameters; up to %d are allowed",
                        api->n_hypers, ASY_PLUGIN_HYPERS_MAX);
    if (api->n_metrics < 1 || api->n_metrics > ASY_PLUGIN_METRICS_MAX || !api->metrics)
        return asy_fail(err, ASY_E_INVAL, "it has %u metrics; 1 to %d are allowed", api->n_metrics,
                        ASY_PLUGIN_METRICS_MAX);
    if ((api->n_hypers && api->hyper_size < sizeof(struct asy_trainer_hyper)) ||
        api->metric_size < sizeof(struct asy_trainer_metric))
        return asy_fail(err, ASY_E_INVAL, "hyper_size or metric_size is not the size of its "
                        "struct");
    copy_table(plugin->hypers, sizeof *plugin->hypers, api->hypers, api->hyper_size, api->n_hypers);
    copy_table(plugin->metrics, sizeof *plugin->metrics, api->metrics, api->metric_size,
               api->n_metrics);
    api->hypers = plugin->hypers;
    api->metrics = plugin->metrics;
    api->size = sizeof *api;
    api->hyper_size = sizeof *plugin->hypers;
    api->metric_size = sizeof *plugin->metrics;
    return check(api, err);
}

static int load(const char *path, const struct asy_trainer_plugin **ret, struct asy_error *err)
{
    const struct asy_trainer_plugin *theirs;
    asy_trainer_plugin_f *symbol;
    const char *why;
    void *library;

    if (!strchr(path, '/'))
        return asy_fail(err, ASY_E_INVAL, "its path has no '/'");
    if (!(library = dlopen(path, RTLD_NOW | RTLD_LOCAL)))
        return asy_fail(err, ASY_E_INVAL, "%s", (why = dlerror()) ? why : "it cannot be loaded");
    *(void **)&symbol = dlsym(library, "asy_trainer_plugin"); /* POSIX has it so */
    if (!symbol)
        return asy_fail(err, ASY_E_INVAL, "it has no asy_trainer_plugin(), which "
                        "ASY_TRAINER_EXPORT defines");
    if (!(theirs = symbol(ASY_TRAINER_ABI)))
        return asy_fail(err, ASY_E_INVAL, "it does not work with version %u of asy/trainer.h, "
                        "which this engine has: build it with this engine's header",
                        ASY_TRAINER_ABI);
    *ret = theirs;
    return 0;
}

int asy_plugin_open(const char *path, struct asy_plugin **ret_plugin, struct asy_error *err)
{
    struct asy_plugin *plugin = calloc(1, sizeof *plugin);
    const struct asy_trainer_plugin *theirs = NULL;
    int rc;

    if (!plugin)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a plug-in");
    if ((rc = load(path, &theirs, err)) == 0)
        rc = take(plugin, theirs, err);
    if (rc < 0) {
        asy_error_prefix(err, "plug-in '%s'", path);
        asy_plugin_close(plugin);
        return rc;
    }
    *ret_plugin = plugin;
    return 0;
}

void asy_plugin_close(struct asy_plugin *plugin)
{
    int saved = errno;

    free(plugin);
    errno = saved;
}

const struct asy_trainer_plugin *asy_plugin_get(const struct asy_plugin *plugin)
{
    return &plugin->api;
}

/* ---- the table as JSON ----------------------------------------------------------------------- */

static void write_hyper(struct asy_jsonw *w, const struct asy_trainer_hyper *h)
{
    static const char *const types[] = { [ASY_TRAINER_REAL] = "real", [ASY_TRAINER_INT] = "int",
                                         [ASY_TRAINER_FLAG] = "flag", [ASY_TRAINER_WORD] = "word" };
    const char *word = h->words;

    asy_jsonw_open(w, NULL, '{');
    asy_jsonw_str(w, "name", h->name);
    asy_jsonw_str(w, "type", types[h->type]);
    if (h->type == ASY_TRAINER_WORD) {
        asy_jsonw_str(w, "words", h->words);
        for (double i = 0; i < h->fallback; i++)
            word = strchr(word, '|') + 1;
        asy_jsonw_strn(w, "default", word, strcspn(word, "|"));
    } else if (h->type == ASY_TRAINER_FLAG) {
        asy_jsonw_bool(w, "default", h->fallback != 0);
    } else if (h->type == ASY_TRAINER_INT) {
        asy_jsonw_i64(w, "min", (int64_t)h->min);
        asy_jsonw_i64(w, "max", (int64_t)h->max);
        asy_jsonw_i64(w, "default", (int64_t)h->fallback);
    } else {
        asy_jsonw_f64(w, "min", h->min);
        asy_jsonw_f64(w, "max", h->max);
        asy_jsonw_f64(w, "default", h->fallback);
    }
    asy_jsonw_bool(w, "shape", (h->flags & ASY_TRAINER_SHAPE) != 0);
    asy_jsonw_str(w, "help", h->help);
    asy_jsonw_close(w, '}');
}

void asy_plugin_write(const struct asy_plugin *plugin, struct asy_buf *ret_json)
{
    const struct asy_trainer_plugin *api = &plugin->api;
    struct asy_jsonw w;

    asy_jsonw_init(&w, ret_json, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_u64(&w, "abi", api->abi);
    asy_jsonw_str(&w, "name", api->name);
    asy_jsonw_str(&w, "help", api->help);
    asy_jsonw_bool(&w, "own_data", (api->flags & ASY_TRAINER_OWN_DATA) != 0);
    asy_jsonw_open(&w, "hyperparameters", '[');
    for (uint32_t i = 0; i < api->n_hypers; i++)
        write_hyper(&w, &api->hypers[i]);
    asy_jsonw_close(&w, ']');
    asy_jsonw_open(&w, "metrics", '[');
    for (uint32_t i = 0; i < api->n_metrics; i++) {
        asy_jsonw_open(&w, NULL, '{');
        asy_jsonw_str(&w, "name", api->metrics[i].name);
        asy_jsonw_str(&w, "help", api->metrics[i].help);
        asy_jsonw_close(&w, '}');
    }
    asy_jsonw_close(&w, ']');
    asy_jsonw_close(&w, '}');
}
