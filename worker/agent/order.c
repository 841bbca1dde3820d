/* SPDX-License-Identifier: Apache-2.0
 * order.c - the line that tells a trainer what to train: parts of the study as its canonical text has
 * them, the trial's parameters, seed and milestone. */
#include "impl.h"
#include <string.h>

static void write_node(const struct asy_json *node, const char *key, struct asy_jsonw *w);

static void write_members(const struct asy_json *node, struct asy_jsonw *w)
{
    const struct asy_json *value;
    const char *key;

    for (size_t i = 0; (value = asy_json_member(node, i, &key)); i++)
        write_node(value, key, w);
}

/* A parsed node back as text; the parser bounds the depth. */
static void write_node(const struct asy_json *node, const char *key, struct asy_jsonw *w)
{
    switch (asy_json_type(node)) {
    case ASY_JSON_NULL: asy_jsonw_null(w, key); break;
    case ASY_JSON_BOOL: asy_jsonw_bool(w, key, asy_json_bool(node, 0)); break;
    case ASY_JSON_INT: asy_jsonw_i64(w, key, asy_json_i64(node, 0)); break;
    case ASY_JSON_REAL: asy_jsonw_f64(w, key, asy_json_f64(node, 0)); break;
    case ASY_JSON_STRING: asy_jsonw_str(w, key, asy_json_str(node, "")); break;
    case ASY_JSON_ARRAY:
        asy_jsonw_open(w, key, '[');
        for (size_t i = 0; i < asy_json_len(node); i++)
            write_node(asy_json_at(node, i), NULL, w);
        asy_jsonw_close(w, ']');
        break;
    case ASY_JSON_OBJECT:
        asy_jsonw_open(w, key, '{');
        write_members(node, w);
        asy_jsonw_close(w, '}');
        break;
    }
}

static void write_part(const struct asy__job *job, const char *key, struct asy_jsonw *w)
{
    const struct asy_json *part = asy_json_get(job->spec->study->root, key);

    if (part)
        write_node(part, key, w);
}

/* The parts of the study that a trainer needs. */
static void write_study(const struct asy__job *job, struct asy_jsonw *w)
{
    const struct asy_study_spec *study = job->spec->study;
    const struct asy_json *run = asy_json_get(study->root, "run");

    asy_jsonw_open(w, "study", '{');
    asy_jsonw_str(w, "name", study->name);
    asy_jsonw_open(w, "run", '{');
    write_members(run, w);
    if (study->fixed && !asy_json_get(run, "fixed"))
        write_node(study->fixed, "fixed", w);
    asy_jsonw_close(w, '}');
    write_part(job, "data", w);
    write_part(job, "objective", w);
    write_part(job, "resources", w);
    asy_jsonw_close(w, '}');
}

static void write_job(const struct asy__job *job, struct asy_jsonw *w)
{
    uint64_t until = job->milestone;

    if (until > job->spec->study->length_max)
        until = job->spec->study->length_max;
    asy_jsonw_open(w, "job", '{');
    write_study(job, w);
    write_node(job->params, "params", w);
    asy_jsonw_u64(w, "number", job->trial);
    asy_jsonw_u64(w, "attempt", job->attempt);
    asy_jsonw_u64(w, "seed", job->seed);
    asy_jsonw_u64(w, "until", until > INT64_MAX ? INT64_MAX : until);
    asy_jsonw_close(w, '}');
}

int asy__order_run(const struct asy__job *job, struct asy_buf *ret_line, struct asy_error *err)
{
    struct asy_jsonw w;

    asy_jsonw_init(&w, ret_line, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_str(&w, "do", "run");
    write_job(job, &w);
    asy_jsonw_str(&w, "dir", job->dir);
    asy_jsonw_str(&w, "logs", job->logs);
    asy_jsonw_str(&w, "resume", job->resume);
    asy_jsonw_close(&w, '}');
    return asy_buf_check(ret_line, "the order to a trainer", err);
}
