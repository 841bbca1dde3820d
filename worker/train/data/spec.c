/* SPDX-License-Identifier: Apache-2.0
 * spec.c - the data part of a study, checked key by key. */
#include "data.h"
#include <string.h>
#include <asy/buf.h>
#include <asy/parse.h>

static const char *const keys[] = { "file",    "labels",      "format", "arrays", "header",
                                    "exclude", "categorical", "label",  "task",   "missing",
                                    "scale",   "split",       "sequence", "length" };
static const char *const split_keys[] = { "validation", "test", "stratify", "seed",
                                          "folds", "repeats", "group" };

static int known(const struct asy_json *node, const char *const *list, size_t n, const char *where,
                 struct asy_error *err)
{
    const struct asy_json *value;
    const char *key;

    for (size_t i = 0; (value = asy_json_member(node, i, &key)); i++) {
        const char *nearest;
        size_t k = 0;

        while (k < n && strcmp(list[k], key) != 0)
            k++;
        if (k < n || asy_json_type(value) == ASY_JSON_NULL)
            continue;
        nearest = asy_nearest(key, strlen(key), list, n);
        return asy_fail(err, ASY_E_INVAL, "%s: unknown key '%.60s'%s%s%s", where, key,
                        nearest ? "; did you mean '" : "", nearest ? nearest : "",
                        nearest ? "'?" : "");
    }
    return 0;
}

/* The number of the text under key in a list of words; absent: 0. */
static int choice(const struct asy_json *node, const char *key, const char *const *words, size_t n,
                  int *ret, struct asy_error *err)
{
    const struct asy_json *value = asy_json_get(node, key);
    const char *text = asy_json_str(value, NULL);
    struct asy_buf all;

    *ret = 0;
    if (!value || asy_json_type(value) == ASY_JSON_NULL)
        return 0;
    for (size_t i = 0; text && i < n; i++)
        if (!strcmp(words[i], text)) {
            *ret = (int)i;
            return 0;
        }
    asy_buf_init(&all, 200);
    for (size_t i = 0; i < n; i++)
        asy_buf_addf(&all, "%s%s", i ? ", " : "", words[i]);
    asy_fail(err, ASY_E_INVAL, "data: %s cannot be '%.60s'; %s are allowed", key,
             text ? text : "(not a text)", all.data);
    asy_buf_fini(&all);
    return ASY_E_INVAL;
}

static int read_header(const struct asy_json *value, int *ret, struct asy_error *err)
{
    const char *text = asy_json_str(value, NULL);

    *ret = -1;
    if (!value || asy_json_type(value) == ASY_JSON_NULL || (text && !strcmp(text, "auto")))
        return 0;
    if (asy_json_type(value) != ASY_JSON_BOOL)
        return asy_fail(err, ASY_E_INVAL, "data: header is auto, true or false");
    *ret = asy_json_bool(value, 0);
    return 0;
}

static int ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && !strcmp(text + n - m, end);
}

static int read_format(const struct asy_json *node, struct asy__data_spec *spec,
                       struct asy_error *err)
{
    const char *words[ASY__FORMATS];
    int which, rc, tabs = ends_with(spec->file, ".tsv") || ends_with(spec->file, ".tsv.gz");

    for (size_t i = 0; i < ASY_ARRAY_LEN(words); i++)
        words[i] = asy__format_name((enum asy__format)i);
    if ((rc = choice(node, "format", words, ASY_ARRAY_LEN(words), &which, err)) < 0)
        return rc;
    spec->format = (enum asy__format)which;
    spec->separator = which == ASY__FORMAT_TSV || (which == ASY__FORMAT_AUTO && tabs) ? '\t' : ',';
    return 0;
}

/* The names of arrays, as a list of texts. */
static int read_arrays(const struct asy_json *list, struct asy__data_spec *spec,
                       struct asy_error *err)
{
    const struct asy_json *node;

    if (!list || asy_json_type(list) == ASY_JSON_NULL)
        return 0;
    if (asy_json_type(list) != ASY_JSON_ARRAY)
        return asy_fail(err, ASY_E_INVAL, "data: arrays is a list of names");
    for (size_t i = 0; (node = asy_json_at(list, i)); i++)
        if (!asy_json_str(node, NULL))
            return asy_fail(err, ASY_E_INVAL, "data: arrays is a list of names");
    spec->arrays = asy_json_len(list) ? list : NULL;
    return 0;
}

/* How often the rows beside the test part are divided. */
static int read_folds(const struct asy_json *node, struct asy__data_spec *spec,
                      struct asy_error *err)
{
    int64_t folds = asy_json_i64(asy_json_get(node, "folds"), 0);
    int64_t repeats = asy_json_i64(asy_json_get(node, "repeats"), 1);

    if (folds < 0 || folds == 1 || repeats < 1 || folds > ASY__DIVISIONS_MAX ||
        repeats > ASY__DIVISIONS_MAX || (folds ? folds : 1) * repeats > ASY__DIVISIONS_MAX)
        return asy_fail(err, ASY_E_INVAL, "split: %lld folds, %lld times: 2 folds or more, and at "
                        "most %d trainings in all", (long long)folds, (long long)repeats,
                        ASY__DIVISIONS_MAX);
    if (!folds && repeats > 1 && spec->validation <= 0)
        return asy_fail(err, ASY_E_INVAL, "split: repeats without folds or a validation part");
    spec->folds = (uint32_t)folds;
    spec->repeats = (uint32_t)repeats;
    spec->division = asy__divisions(spec) ? ASY__UNDIVIDED : 0;
    if (folds)
        spec->validation = (1 - spec->test) / (double)folds;
    return 0;
}

static int read_split(const struct asy_json *node, struct asy__data_spec *spec,
                      struct asy_error *err)
{
    const struct asy_json *seed = asy_json_get(node, "seed");
    int rc;

    spec->validation = asy_json_f64(asy_json_get(node, "validation"), 0.2);
    spec->test = asy_json_f64(asy_json_get(node, "test"), 0.2);
    spec->stratify = asy_json_bool(asy_json_get(node, "stratify"), 1);
    spec->seed = (uint64_t)asy_json_i64(seed, 0);
    spec->group = asy_json_get(node, "group");
    if (spec->group && asy_json_type(spec->group) == ASY_JSON_NULL)
        spec->group = NULL;
    if (!node)
        return 0;
    if (asy_json_type(node) != ASY_JSON_OBJECT)
        return asy_fail(err, ASY_E_INVAL, "data: split is an object");
    if ((rc = known(node, split_keys, ASY_ARRAY_LEN(split_keys), "split", err)) < 0)
        return rc;
    if (asy_json_str(asy_json_get(node, "validation"), NULL) ||
        asy_json_str(asy_json_get(node, "test"), NULL))
        return asy_fail(err, ASY_E_UNSUPPORTED, "split: file names are not supported by the "
                        "native models; give shares");
    if ((rc = read_folds(node, spec, err)) < 0)
        return rc;
    if (!(spec->validation >= 0 && spec->test >= 0 && spec->validation + spec->test < 1))
        return asy_fail(err, ASY_E_INVAL, "split: validation %g and test %g must be shares whose "
                        "sum is below 1", spec->validation, spec->test);
    return 0;
}

int asy__data_spec_read(const struct asy_json *node, struct asy__data_spec *ret,
                        struct asy_error *err)
{
    static const char *const tasks[] = { "auto", "classification", "regression" };
    static const char *const missing[] = { "error", "mean", "drop" };
    static const char *const scales[] = { "standard", "minmax", "none" };
    static const char *const sequences[] = { "none", "tokens", "text" };
    const struct asy_json *labels;
    struct asy__data_spec spec = { 0 };
    int64_t length = asy_json_i64(asy_json_get(node, "length"), 256);
    int task, rule, scale, sequence, rc;

    if (!node || asy_json_type(node) != ASY_JSON_OBJECT)
        return asy_fail(err, ASY_E_INVAL, "the job has no data part");
    if ((rc = known(node, keys, ASY_ARRAY_LEN(keys), "data", err)) < 0)
        return rc;
    if (!(spec.file = asy_json_str(asy_json_get(node, "file"), NULL)) || !*spec.file)
        return asy_fail(err, ASY_E_INVAL, "data: no file is named");
    labels = asy_json_get(node, "labels");
    spec.labels = asy_json_str(labels, NULL);
    if (labels && !spec.labels && asy_json_type(labels) != ASY_JSON_NULL)
        return asy_fail(err, ASY_E_INVAL, "data: labels is the name of a file");
    spec.exclude = asy_json_get(node, "exclude");
    spec.categorical = asy_json_get(node, "categorical");
    spec.label = asy_json_get(node, "label");
    if ((rc = read_header(asy_json_get(node, "header"), &spec.header, err)) < 0 ||
        (rc = read_format(node, &spec, err)) < 0 ||
        (rc = read_arrays(asy_json_get(node, "arrays"), &spec, err)) < 0 ||
        (rc = choice(node, "task", tasks, 3, &task, err)) < 0 ||
        (rc = choice(node, "missing", missing, 3, &rule, err)) < 0 ||
        (rc = choice(node, "scale", scales, 3, &scale, err)) < 0 ||
        (rc = choice(node, "sequence", sequences, 3, &sequence, err)) < 0 ||
        (rc = read_split(asy_json_get(node, "split"), &spec, err)) < 0)
        return rc;
    spec.task = (enum asy__task)task;
    spec.missing = (enum asy__missing)rule;
    spec.scale = (enum asy__scale)scale;
    spec.sequence = (enum asy__sequence)sequence;
    if (length < 1 || length > ASY__LENGTH_MAX)
        return asy_fail(err, ASY_E_INVAL, "data: length is from 1 to %d tokens", ASY__LENGTH_MAX);
    spec.length = (size_t)length;
    *ret = spec;
    return 0;
}
