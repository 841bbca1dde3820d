/* SPDX-License-Identifier: Apache-2.0
 * study_write.c - the canonical text: every key of the table that counts, in its order, with
 * defaults filled in, so that equal studies have equal bytes and later defaults change nothing. */
#include "study_impl.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

struct out {
    struct asy__parse *p;
    struct asy_jsonw w;
};

static void write_real(struct asy_jsonw *w, const char *key, double value)
{
    char text[40];

    asy__real_text(value, text);
    asy_jsonw_raw(w, key, text, strlen(text));
}

static void write_number(struct asy_jsonw *w, const char *key, const struct asy_param *param,
                         double value)
{
    if (param->type == ASY_PARAM_INT)
        asy_jsonw_i64(w, key, (int64_t)value);
    else
        write_real(w, key, value);
}

static void write_choice(struct asy_jsonw *w, const struct asy_value *value)
{
    switch (value->type) {
    case ASY_VALUE_INT:
        asy_jsonw_i64(w, NULL, value->i);
        break;
    case ASY_VALUE_REAL:
        write_real(w, NULL, value->f);
        break;
    case ASY_VALUE_BOOL:
        asy_jsonw_bool(w, NULL, value->i != 0);
        break;
    case ASY_VALUE_STRING:
        asy_jsonw_str(w, NULL, value->s);
    }
}

/* An open end is absent; -DBL_MAX and DBL_MAX stand for it in the space. */
static void write_when(struct asy_jsonw *w, const struct asy_space *space,
                       const struct asy_when *when)
{
    const struct asy_param *parent = asy_space_at(space, when->parent);

    if (when->n_values) {
        asy_jsonw_open(w, parent->name, '[');
        for (size_t i = 0; i < when->n_values; i++)
            if (parent->type == ASY_PARAM_CHOICE)
                write_choice(w, &parent->choices[(size_t)when->values[i]]);
            else
                write_number(w, NULL, parent, when->values[i]);
        asy_jsonw_close(w, ']');
        return;
    }
    asy_jsonw_open(w, parent->name, '{');
    if (when->lo > -1e308)
        write_real(w, "min", when->lo);
    if (when->hi < 1e308)
        write_real(w, "max", when->hi);
    asy_jsonw_close(w, '}');
}

static void write_param(struct asy_jsonw *w, const struct asy_space *space,
                        const struct asy_param *param)
{
    asy_jsonw_open(w, param->name, '{');
    if (param->type == ASY_PARAM_CHOICE) {
        asy_jsonw_open(w, "values", '[');
        for (size_t i = 0; i < param->n_choices; i++)
            write_choice(w, &param->choices[i]);
        asy_jsonw_close(w, ']');
    } else {
        asy_jsonw_str(w, "type", param->type == ASY_PARAM_INT ? "int" : "float");
        write_number(w, "min", param, param->lo);
        write_number(w, "max", param, param->hi);
        asy_jsonw_str(w, "scale", param->log ? "log" : "linear");
        if (param->step > 0)
            write_number(w, "step", param, param->step);
    }
    asy__study_write_prior(w, param);
    if (param->n_whens) {
        asy_jsonw_open(w, "when", '{');
        for (size_t i = 0; i < param->n_whens; i++)
            write_when(w, space, &param->whens[i]);
        asy_jsonw_close(w, '}');
    }
    asy_jsonw_close(w, '}');
}

static void write_space(struct out *out)
{
    const struct asy_space *space = out->p->study->space;

    asy_jsonw_open(&out->w, "parameters", '{');
    for (size_t i = 0; i < asy_space_len(space); i++)
        write_param(&out->w, space, asy_space_at(space, i));
    asy_jsonw_close(&out->w, '}');
}

static void write_points(struct out *out)
{
    const struct asy_study_spec *spec = &out->p->study->spec;
    const struct asy_space *space = out->p->study->space;

    asy_jsonw_open(&out->w, "enqueue", '[');
    for (size_t i = 0; i < spec->n_given; i++)
        asy_space_write(space, spec->enqueue + i * asy_space_len(space), &out->w, NULL);
    asy_jsonw_close(&out->w, ']');
}

static void write_duration(struct asy_jsonw *w, const char *key, int64_t ms)
{
    char text[40];

    snprintf(text, sizeof text, "%lld%s", (long long)(ms % 1000 ? ms : ms / 1000),
             ms % 1000 ? "ms" : "s");
    asy_jsonw_str(w, key, text);
}

static void write_column(struct asy_jsonw *w, const char *key, const char *name, int64_t number)
{
    if (name)
        asy_jsonw_str(w, key, name);
    else
        asy_jsonw_i64(w, key, number);
}

static void write_list(struct asy_jsonw *w, const struct asy__row *row, const struct asy__value *v)
{
    char bracket = row->kind == ASY__STRING_MAP ? '{' : '[';

    asy_jsonw_open(w, asy__row_leaf(row), bracket);
    for (size_t i = 0; i < v->n; i++)
        if (row->kind == ASY__STRING_MAP)
            asy_jsonw_str(w, v->list[2 * i], v->list[2 * i + 1]);
        else
            write_column(w, NULL, v->list[i], v->numbers ? v->numbers[i] : 0);
    asy_jsonw_close(w, bracket == '{' ? '}' : ']');
}

static void write_value(struct asy_jsonw *w, const struct asy__row *row, const struct asy__value *v)
{
    const char *key = asy__row_leaf(row);

    switch (row->kind) {
    case ASY__INT:
    case ASY__SIZE:
        asy_jsonw_i64(w, key, v->i);
        break;
    case ASY__SHARE:
        if (v->i % ASY_GPU_WHOLE == 0)
            asy_jsonw_i64(w, key, v->i / ASY_GPU_WHOLE);
        else
            write_real(w, key, (double)v->i / ASY_GPU_WHOLE);
        break;
    case ASY__NUMBER:
        write_real(w, key, v->f);
        break;
    case ASY__DURATION:
        write_duration(w, key, v->i);
        break;
    case ASY__FLAG:
        asy_jsonw_bool(w, key, v->i != 0);
        break;
    case ASY__AUTO_FLAG:
        if (v->i < 0)
            asy_jsonw_str(w, key, "auto");
        else
            asy_jsonw_bool(w, key, v->i != 0);
        break;
    case ASY__COLUMN:
        write_column(w, key, v->s, v->i);
        break;
    case ASY__LAYERS:
        asy__study_write_layers(w, key, v->node);
        break;
    case ASY__WEIGHTS:
        asy__study_write_weights(w, key, v->node);
        break;
    case ASY__PATHS:
    case ASY__STRINGS:
    case ASY__STRING_MAP:
    case ASY__COLUMNS:
        write_list(w, row, v);
        break;
    default:
        asy_jsonw_str(w, key, v->s);
    }
}

/* Options of the sampler or pruner, after its name. */
static void write_options(struct out *out, const char *group)
{
    const char *name;

    for (size_t i = 0; (name = asy_study_option(group, i)); i++) {
        const struct asy__row *row = asy__row_option(group, name);
        const struct asy__value *v = asy__row_val(out->p, row);

        if (v->has)
            write_value(&out->w, row, v);
    }
}

/* The hyperparameters that are not searched. */
static void write_fixed(struct out *out)
{
    const char *group = out->p->model_group, *name;

    asy_jsonw_open(&out->w, "fixed", '{');
    for (size_t i = 0; (name = asy__option_name(out->p, group, i)); i++) {
        const struct asy__row *row = asy__option(out->p, group, name);
        const struct asy__value *v = asy__row_val(out->p, row);

        if (asy_space_find(out->p->study->space, name) == SIZE_MAX &&
            (row->kind != ASY__WEIGHTS || v->has))
            write_value(&out->w, row, v);
    }
    asy_jsonw_close(&out->w, '}');
}

/* Absent until the command line has looked. */
static void write_inputs(struct out *out)
{
    const struct asy_study_spec *spec = &out->p->study->spec;

    if (spec->has_inputs)
        asy__study_write_inputs(&out->w, spec->inputs, spec->n_inputs);
}

static void write_children(struct out *out, const char *section);

static void write_section(struct out *out, const struct asy__row *row)
{
    char group[64];
    const char *leaf = asy__row_leaf(row);

    if (!strcmp(row->path, "run.metrics") && !asy__val(out->p, "run.metrics.pattern")->has) {
        asy_jsonw_str(&out->w, leaf, "socket");
        return;
    }
    asy_jsonw_open(&out->w, leaf, '{');
    write_children(out, row->path);
    if (!strcmp(row->path, "search.sampler"))
        write_options(out, asy__group(out->p, "sampler", group));
    else if (!strcmp(row->path, "search.pruner"))
        write_options(out, asy__group(out->p, "pruner", group));
    asy_jsonw_close(&out->w, '}');
}

static void write_children(struct out *out, const char *section)
{
    const struct asy__row *row;

    for (size_t i = 0; (row = asy__row_child(section, i)); i++) {
        if (!asy__row_applies(out->p, row) || row->kind == ASY__POINT)
            continue;
        if (row->kind == ASY__OBJECTIVE && out->p->n_goals > 1)
            asy__study_write_goals(out->p, &out->w);
        else if (row->kind == ASY__CONSTRAINTS)
            asy__study_write_constraints(out->p, &out->w);
        else if (row->kind == ASY__SECTION || row->kind == ASY__OBJECTIVE)
            write_section(out, row);
        else if (row->kind == ASY__PARAMETERS)
            write_space(out);
        else if (row->kind == ASY__POINTS)
            write_points(out);
        else if (row->kind == ASY__TOLD)
            asy__study_write_told(out->p, &out->w);
        else if (row->kind == ASY__FROM)
            asy__study_write_from(&out->p->study->spec, &out->w);
        else if (row->kind == ASY__INPUTS)
            write_inputs(out);
        else if (row->kind == ASY__FIXED)
            write_fixed(out);
        else if (asy__row_val(out->p, row)->has)
            write_value(&out->w, row, asy__row_val(out->p, row));
    }
}

/* A point of the space: the least, or first, value of each parameter that is active there. */
static void write_sample(struct out *out)
{
    const struct asy_space *space = out->p->study->space;
    size_t n = asy_space_len(space);
    double *x = asy__take(out->p, (n + 1) * sizeof *x);

    for (size_t i = 0; x && i < n; i++)
        x[i] = asy_space_active(space, x, i) ? asy_space_snap(space, i, asy_space_at(space, i)->lo)
                                             : ASY_INACTIVE;
    if (x)
        asy_space_write(space, x, &out->w, "sample");
}

void asy__study_write_data(struct asy__parse *p, const char *metric, struct asy_buf *buf)
{
    struct out out = { .p = p };

    asy_jsonw_init(&out.w, buf, 0);
    asy_jsonw_open(&out.w, NULL, '{');
    write_section(&out, asy__row_find("data"));
    if (metric) {
        asy_jsonw_open(&out.w, "objective", '{');
        asy_jsonw_str(&out.w, "metric", metric);
        asy_jsonw_close(&out.w, '}');
    }
    if (p->kind == ASY_RUN_MODEL && p->n_problems == 0) {
        asy_jsonw_open(&out.w, "run", '{');
        write_value(&out.w, asy__row_find("run.model"), asy__val(p, "run.model"));
        write_fixed(&out);
        asy_jsonw_close(&out.w, '}');
        write_sample(&out);
    }
    asy_jsonw_close(&out.w, '}');
}

int asy__study_write(struct asy__parse *p, struct asy_buf *buf, struct asy_error *err)
{
    struct out out = { .p = p };

    asy_jsonw_init(&out.w, buf, 0);
    asy_jsonw_open(&out.w, NULL, '{');
    write_children(&out, "");
    asy_jsonw_close(&out.w, '}');
    if (buf->rc == ASY_E_TOOBIG)
        return asy_fail(err, ASY_E_TOOBIG, "the study is over %zu bytes in its canonical form",
                        buf->max);
    return asy_buf_check(buf, "the canonical form of a study", err);
}
