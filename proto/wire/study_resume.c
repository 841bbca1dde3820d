/* SPDX-License-Identifier: Apache-2.0
 * study_resume.c - what a resume may change, and what its file leaves open.
 *
 * A canonical text names every key, so nothing in it tells a default from what a user wrote. Where
 * a default has changed since a store was written, that would refuse a study file which nobody has
 * touched. For a resume such a key is therefore left out of the text (the table says which have an
 * older default), and the coordinator takes it from the study as it is stored. */
#include "study_impl.h"
#include <stdio.h>
#include <string.h>

/* The bit of a key in spec->unsaid. */
static uint64_t bit_of(const struct asy__row *row)
{
    uint64_t bit = 1;

    for (size_t i = 0; &asy__rows[i] != row; i++)
        bit <<= asy__rows[i].before != NULL;
    return bit;
}

void asy__study_unsaid(struct asy__parse *p, const struct asy__row *row)
{
    if (row->before && asy__row_applies(p, row))
        p->study->spec.unsaid |= bit_of(row);
}

/* The row of an option of the study's sampler or pruner; NULL: it has none of that name. */
static const struct asy__row *row_of(const struct asy_study_spec *spec, const char *what,
                                     const char *name)
{
    char group[80];

    snprintf(group, sizeof group, "%s %.60s", what,
             !strcmp(what, "pruner") ? spec->pruner : spec->sampler);
    return asy__row_option(group, name);
}

/* ---- what the file leaves open -------------------------------------------------------------- */

/* An option that is unsaid is the stored study's; stored NULL: it is left out. */
static void write_options(const struct asy_study_spec *spec, const struct asy_study_spec *stored,
                          const char *what, const struct asy_json *options, struct asy_jsonw *w)
{
    const struct asy_json *member, *old = NULL;
    const struct asy__row *row;
    const char *name;

    if (stored)
        old = asy_json_get(asy_json_get(stored->root, "search"), what);
    asy_jsonw_open(w, what, '{');
    for (size_t i = 0; (member = asy_json_member(options, i, &name)); i++) {
        row = row_of(spec, what, name);
        if (row && row->before && (spec->unsaid & bit_of(row)))
            member = asy_json_get(old, name);
        if (member)
            asy_jsonw_node(w, name, member);
    }
    asy_jsonw_close(w, '}');
}

static int write_study(const struct asy_study_spec *spec, const struct asy_study_spec *stored,
                       struct asy_buf *text, struct asy_error *err)
{
    const struct asy_json *member, *inner;
    const char *key, *name;
    struct asy_jsonw w;

    asy_jsonw_init(&w, text, 0);
    asy_jsonw_open(&w, NULL, '{');
    for (size_t i = 0; (member = asy_json_member(spec->root, i, &key)); i++) {
        if (strcmp(key, "search")) {
            asy_jsonw_node(&w, key, member);
            continue;
        }
        asy_jsonw_open(&w, key, '{');
        for (size_t k = 0; (inner = asy_json_member(member, k, &name)); k++)
            if (!strcmp(name, "pruner") || !strcmp(name, "sampler"))
                write_options(spec, stored, name, inner, &w);
            else
                asy_jsonw_node(&w, name, inner);
        asy_jsonw_close(&w, '}');
    }
    asy_jsonw_close(&w, '}');
    return asy_buf_check(text, "a study to resume", err);
}

int asy_study_said(const struct asy_study_spec *spec, struct asy_buf *ret_text,
                   struct asy_error *err)
{
    asy_buf_clear(ret_text);
    return write_study(spec, NULL, ret_text, err);
}

int asy_study_as_stored(const struct asy_study_spec *spec, const struct asy_study_spec *stored,
                        struct asy_study_spec **ret_spec, struct asy_error *err)
{
    struct asy_buf text;
    int rc;

    asy_buf_init(&text, ASY_STUDY_FILE_MAX);
    if ((rc = write_study(spec, stored, &text, err)) == 0)
        rc = asy_study_parse(text.data, text.len, spec->name, NULL, ret_spec, NULL, err);
    asy_buf_fini(&text);
    return rc;
}

/* ---- what may differ ------------------------------------------------------------------------ */

static int differs(const struct asy_json *a, const struct asy_json *b, struct asy_buf *path);

static int members_differ(const struct asy_json *a, const struct asy_json *b, struct asy_buf *path)
{
    const struct asy_json *x;
    const char *key;
    size_t before = path->len;

    for (size_t i = 0; (x = asy_json_member(a, i, &key)); i++) {
        path->len = before;
        asy_buf_addf(path, "%s%s", before ? "." : "", key);
        if (differs(x, asy_json_get(b, key), path))
            return 1;
    }
    for (size_t i = 0; asy_json_member(b, i, &key); i++) {
        path->len = before;
        asy_buf_addf(path, "%s%s", before ? "." : "", key);
        if (!asy_json_get(a, key) && strcmp(path->data, "inputs"))
            return 1;
    }
    path->len = before;
    return 0;
}

static int differs(const struct asy_json *a, const struct asy_json *b, struct asy_buf *path)
{
    static const char *const free_keys[] = { "budget", "resources", "priority",
                                             "inputs" /* see changed_input() */ };
    enum asy_json_type type = asy_json_type(a);

    for (size_t i = 0; i < ASY_ARRAY_LEN(free_keys); i++)
        if (path->len == strlen(free_keys[i]) && !memcmp(path->data, free_keys[i], path->len))
            return 0;
    if (!a != !b || type != asy_json_type(b))
        return 1;
    switch (type) {
    case ASY_JSON_OBJECT:
        return members_differ(a, b, path);
    case ASY_JSON_ARRAY:
        for (size_t i = 0; i < asy_json_len(a) && i < asy_json_len(b); i++)
            if (differs(asy_json_at(a, i), asy_json_at(b, i), path))
                return 1;
        return asy_json_len(a) != asy_json_len(b);
    case ASY_JSON_STRING:
        return strcmp(asy_json_str(a, ""), asy_json_str(b, "")) != 0;
    case ASY_JSON_INT:
        return asy_json_i64(a, 0) != asy_json_i64(b, 0);
    case ASY_JSON_REAL:
        return asy_json_f64(a, 0) != asy_json_f64(b, 0);
    case ASY_JSON_BOOL:
        return asy_json_bool(a, 0) != asy_json_bool(b, 0);
    default:
        return 0;
    }
}

static int same_input(const struct asy_study_input *a, const struct asy_study_input *b)
{
    return !strcmp(a->path, b->path) && a->bytes == b->bytes && a->folder == b->folder &&
           a->executable == b->executable && !memcmp(&a->sha, &b->sha, sizeof a->sha);
}

/* The first file that is not what it was; NULL: all are, or nobody has looked. */
static const char *changed_input(const struct asy_study_spec *earlier,
                                 const struct asy_study_spec *later)
{
    size_t i = 0;

    if (!earlier->has_inputs || !later->has_inputs)
        return NULL;
    while (i < earlier->n_inputs && i < later->n_inputs &&
           same_input(&earlier->inputs[i], &later->inputs[i]))
        i++;
    return i < later->n_inputs     ? later->inputs[i].path
           : i < earlier->n_inputs ? earlier->inputs[i].path
                                   : NULL;
}

/* "; write 'rule: 1' or leave it out": of a key whose default has changed since. */
static void put_remedy(const struct asy_study_spec *earlier, const struct asy_buf *path,
                       struct asy_buf *out)
{
    const struct asy_json *search = asy_json_get(earlier->root, "search"), *value;
    const struct asy__row *row;
    char what[16], name[64];
    struct asy_jsonw w;

    if (sscanf(path->data, "search.%15[a-z].%63s", what, name) != 2 ||
        (strcmp(what, "pruner") && strcmp(what, "sampler")) ||
        !(row = row_of(earlier, what, name)) || !row->before ||
        !(value = asy_json_get(asy_json_get(search, what), name))) {
        asy_buf_adds(out, "; only budget, resources and priority may");
        return;
    }
    asy_buf_addf(out, "; write '%s: ", name);
    asy_jsonw_init(&w, out, 0);
    asy_jsonw_node(&w, NULL, value);
    asy_buf_adds(out, "', or leave it out");
}

static int refuse(const struct asy_study_spec *earlier, const struct asy_buf *path,
                  struct asy_error *err)
{
    struct asy_buf remedy;
    int rc;

    asy_buf_init(&remedy, 4096);
    put_remedy(earlier, path, &remedy);
    rc = asy_fail(err, ASY_E_INVAL, "cannot resume study '%s': '%.*s' differs%.100s",
                  earlier->name, (int)(path->len < 120 ? path->len : 120), path->data,
                  remedy.rc ? "" : remedy.data);
    asy_buf_fini(&remedy);
    return rc;
}

int asy_study_resumable(const struct asy_study_spec *earlier, const struct asy_study_spec *later,
                        struct asy_error *err)
{
    const char *input;
    struct asy_buf path;
    int rc = 0;

    asy_buf_init(&path, 4096);
    if (strcmp(earlier->reproducible, later->reproducible) != 0)
        rc = asy_fail(err, ASY_E_INVAL, "cannot resume study '%s': 'resources.reproducible' was "
                      "%s; of resources it alone may not change", earlier->name,
                      earlier->reproducible);
    else if (members_differ(earlier->root, later->root, &path))
        rc = refuse(earlier, &path, err);
    else if ((input = changed_input(earlier, later)))
        rc = asy_fail(err, ASY_E_INVAL, "cannot resume study '%s': '%.100s' is not what it was; "
                      "put it back, or submit a new study", earlier->name, input);
    asy_buf_fini(&path);
    return rc;
}
