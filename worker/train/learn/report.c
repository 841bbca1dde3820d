/* SPDX-License-Identifier: Apache-2.0
 * report.c - see report.h. */
#include "report.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <asy/durable.h>
#include <asy/safetensors.h>
#include <asy/training.h>
#include "tally.h"

static const char *const part_names[ASY__PARTS] = { "train", "validation", "test" };

/* ---- of classes ------------------------------------------------------------------------------ */

static size_t likeliest(const float *out, size_t n)
{
    size_t best = 0;

    for (size_t c = 1; c < n; c++)
        best = out[c] > out[best] ? c : best;
    return best;
}

/* Counts of classes, or errors of numbers. */
struct asy__report {
    const struct asy__dict *names;
    size_t classes; /* 0: of numbers */
    size_t rows;
    int64_t *rows_of, *guessed, *right; /* [classes] each, one block */
    int64_t *confusion;                 /* [classes][classes], behind them; NULL: not kept */
    double *errors;                     /* [rows], in the units of the label */
    double mean, spread; /* of the labels: their mean, the sum of squared distances from it */
};

static void count(struct asy__report *r, const float *out, const int32_t *label, size_t rows)
{
    for (size_t i = 0; i < rows; i++) {
        size_t is = (size_t)label[i], best = likeliest(out + i * r->classes, r->classes);

        r->rows_of[is]++;
        r->guessed[best]++;
        r->right[is] += best == is;
        if (r->confusion)
            r->confusion[is * r->classes + best]++;
    }
}

static double share(int64_t n, int64_t of)
{
    return of ? (double)n / (double)of : 0;
}

static void write_classes(const struct asy__report *c, struct asy_jsonw *w)
{
    double right = 0, f1 = 0, occurring = 0;

    for (size_t i = 0; i < c->classes; i++) {
        right += (double)c->right[i];
        occurring += c->rows_of[i] || c->guessed[i];
        f1 += asy__f1(c->rows_of[i], c->guessed[i], c->right[i]);
    }
    asy_jsonw_f64(w, "accuracy", right / (double)c->rows);
    asy_jsonw_f64(w, "f1", f1 / occurring);
    asy_jsonw_open(w, "classes", '[');
    for (size_t i = 0; i < c->classes; i++) {
        asy_jsonw_open(w, NULL, '{');
        asy_jsonw_str(w, "class", c->names->texts[i]);
        asy_jsonw_i64(w, "rows", c->rows_of[i]);
        asy_jsonw_f64(w, "precision", share(c->right[i], c->guessed[i]));
        asy_jsonw_f64(w, "recall", share(c->right[i], c->rows_of[i]));
        asy_jsonw_f64(w, "f1", asy__f1(c->rows_of[i], c->guessed[i], c->right[i]));
        asy_jsonw_close(w, '}');
    }
    asy_jsonw_close(w, ']');
    if (!c->confusion)
        return;
    asy_jsonw_open(w, "confusion", '[');
    for (size_t i = 0; i < c->classes; i++) {
        asy_jsonw_open(w, NULL, '[');
        for (size_t j = 0; j < c->classes; j++)
            asy_jsonw_i64(w, NULL, c->confusion[i * c->classes + j]);
        asy_jsonw_close(w, ']');
    }
    asy_jsonw_close(w, ']');
}

/* ---- of numbers ------------------------------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The value below which that share of sorted x lies, between neighbours in proportion. */
static double quantile(const double *x, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t below = (size_t)at, above = below + 1 < n ? below + 1 : below;

    return x[below] + (x[above] - x[below]) * (at - (double)below);
}

static const struct {
    const char *name;
    double q;
} marks[] = { { "min", 0 },    { "p5", 0.05 },  { "p25", 0.25 }, { "p50", 0.5 },
              { "p75", 0.75 }, { "p95", 0.95 }, { "max", 1 } };

/* Sorts the errors. */
static void write_errors(struct asy__report *r, struct asy_jsonw *w)
{
    double absolute = 0, squared = 0, *errors = r->errors;
    size_t n = r->rows;

    for (size_t i = 0; i < n; i++) {
        absolute += fabs(errors[i]);
        squared += errors[i] * errors[i];
    }
    qsort(errors, n, sizeof *errors, by_size);
    asy_jsonw_f64(w, "mae", absolute / (double)n);
    asy_jsonw_f64(w, "rmse", sqrt(squared / (double)n));
    asy_jsonw_f64(w, "r2", r->spread > 0 ? 1 - squared / r->spread : (double)NAN);
    asy_jsonw_open(w, "errors", '{');
    for (size_t i = 0; i < ASY_ARRAY_LEN(marks); i++)
        asy_jsonw_f64(w, marks[i].name, quantile(errors, n, marks[i].q));
    asy_jsonw_close(w, '}');
}

/* Sums of the labels of one part, as they are scaled. */
struct sums {
    double n, sum, squares;
};

static void keep_errors(struct asy__report *r, const float *out, const float *target, size_t rows,
                        double unit, struct sums *sums)
{
    for (size_t i = 0; i < rows; i++) {
        double t = (double)target[i];

        r->errors[r->rows + i] = ((double)out[i] - t) * unit;
        sums->sum += t;
        sums->squares += t * t;
    }
    sums->n += (double)rows;
}

/* Chan, Golub and LeVeque's way to join means and squares: parts may be scaled differently. */
static void join(struct asy__report *r, const struct sums *sums, const struct asy__schema *schema)
{
    double unit = 1 / schema->target_factor, before = (double)r->rows - sums->n;
    double mean = sums->sum / sums->n * unit + schema->target_shift, apart = mean - r->mean;
    double spread = (sums->squares - sums->sum * sums->sum / sums->n) * unit * unit;

    r->spread += spread + apart * apart * sums->n * before / (double)r->rows;
    r->mean += apart * sums->n / (double)r->rows;
}

/* ---- both ------------------------------------------------------------------------------------ */

int asy__report_create(const struct asy__schema *schema, struct asy__report **ret_report,
                       struct asy_error *err)
{
    size_t classes = schema->classification ? schema->classes.n : 0;
    size_t pairs = classes <= ASY__CONFUSION_MAX ? classes * classes : 0;
    struct asy__report *r = calloc(1, sizeof *r);

    if (!r || !(r->rows_of = calloc(3 * classes + pairs + 1, sizeof *r->rows_of))) {
        asy__report_destroy(r);
        return asy_fail(err, ASY_E_NOMEM, "no memory for a report on %zu classes", classes);
    }
    r->names = &schema->classes;
    r->classes = classes;
    r->guessed = r->rows_of + classes;
    r->right = r->guessed + classes;
    r->confusion = pairs ? r->right + classes : NULL;
    *ret_report = r;
    return 0;
}

void asy__report_destroy(struct asy__report *report)
{
    if (!report)
        return;
    free(report->rows_of);
    free(report->errors);
    free(report);
}

int asy__report_add(struct asy__report *r, const struct asy__learner *learner,
                    const struct asy__data *data, enum asy__part part, struct asy_error *err)
{
    size_t from = data->start[part], to = data->start[part + 1], width = data->schema.n_features;
    struct sums sums = { 0 };
    double *errors;

    if (!r->classes) {
        if (!(errors = realloc(r->errors, (r->rows + to - from + 1) * sizeof *errors)))
            return asy_fail(err, ASY_E_NOMEM, "no memory for errors of %zu rows", to - from);
        r->errors = errors;
    }
    for (size_t at = from; at < to; at += learner->rows_max) {
        size_t rows = to - at < learner->rows_max ? to - at : learner->rows_max;
        float *out;
        int rc = learner->type->outputs(learner, data->x + at * width, rows, &out, err);

        if (rc < 0)
            return rc;
        if (r->classes)
            count(r, out, data->label + at, rows);
        else
            keep_errors(r, out, data->target + at, rows, 1 / data->schema.target_factor, &sums);
        r->rows += rows;
    }
    if (sums.n > 0)
        join(r, &sums, &data->schema);
    return 0;
}

int asy__report_write(struct asy__report *report, enum asy__part part, struct asy_buf *ret_json,
                      struct asy_error *err)
{
    struct asy_jsonw w;

    if (!report->rows)
        return 0;
    asy_jsonw_init(&w, ret_json, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_str(&w, "part", part_names[part]);
    asy_jsonw_u64(&w, "rows", report->rows);
    if (report->classes)
        write_classes(report, &w);
    else
        write_errors(report, &w);
    asy_jsonw_close(&w, '}');
    return asy_buf_check(ret_json, "the report", err);
}

/* ---- as text --------------------------------------------------------------------------------- */

static double number(const struct asy_json *node, const char *key)
{
    return asy_json_f64(asy_json_get(node, key), (double)NAN);
}

static void add_errors(const struct asy_json *errors, struct asy_buf *text)
{
    asy_buf_adds(text, "\nErrors, prediction less label:\n");
    for (size_t i = 0; i < ASY_ARRAY_LEN(marks); i++)
        asy_buf_addf(text, "  %-4s %12.6g\n", marks[i].name, number(errors, marks[i].name));
}

/* Of UTF-8, each character of which counts as one column. */
static int columns_of(const char *text)
{
    int n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void add_name(const char *name, int width, struct asy_buf *text)
{
    asy_buf_addf(text, "%s%*s", name, width - columns_of(name), "");
}

static int widest_name(const struct asy_json *classes)
{
    const struct asy_json *row;
    int widest = 5;

    for (size_t i = 0; (row = asy_json_at(classes, i)); i++) {
        int n = columns_of(asy_json_str(asy_json_get(row, "class"), ""));

        widest = n > widest ? n : widest;
    }
    return widest;
}

static void add_classes(const struct asy_json *classes, int width, struct asy_buf *text)
{
    const struct asy_json *row;

    asy_buf_addc(text, '\n');
    add_name("class", width, text);
    asy_buf_adds(text, "      rows  precision  recall      f1\n");
    for (size_t i = 0; (row = asy_json_at(classes, i)); i++) {
        add_name(asy_json_str(asy_json_get(row, "class"), ""), width, text);
        asy_buf_addf(text, "  %8lld  %9.4f  %6.4f  %6.4f\n",
                     (long long)asy_json_i64(asy_json_get(row, "rows"), 0),
                     number(row, "precision"), number(row, "recall"), number(row, "f1"));
    }
}

static void add_confusion(const struct asy_json *confusion, const struct asy_json *classes,
                          int width, struct asy_buf *text)
{
    size_t n = asy_json_len(confusion);

    asy_buf_adds(text, "\nConfusion: a line for what rows are, a column for what they were taken "
                       "for, in the same order.\n");
    for (size_t i = 0; i < n; i++) {
        const struct asy_json *line = asy_json_at(confusion, i);

        add_name(asy_json_str(asy_json_get(asy_json_at(classes, i), "class"), ""), width, text);
        for (size_t j = 0; j < asy_json_len(line); j++)
            asy_buf_addf(text, " %6lld", (long long)asy_json_i64(asy_json_at(line, j), 0));
        asy_buf_addc(text, '\n');
    }
}

int asy__report_text(const struct asy_json *report, struct asy_buf *text, struct asy_error *err)
{
    const struct asy_json *classes = asy_json_get(report, "classes");
    const struct asy_json *confusion = asy_json_get(report, "confusion");
    const struct asy_json *errors = asy_json_get(report, "errors");
    int width = widest_name(classes);

    if (!classes && !errors)
        return asy_fail(err, ASY_E_CORRUPT, "it is no report");
    asy_buf_addf(text, "%s, %lld rows: ", asy_json_str(asy_json_get(report, "part"), "?"),
                 (long long)asy_json_i64(asy_json_get(report, "rows"), 0));
    if (errors) {
        asy_buf_addf(text, "mae %.6g, rmse %.6g, r2 %.6g\n", number(report, "mae"),
                     number(report, "rmse"), number(report, "r2"));
        add_errors(errors, text);
    } else {
        asy_buf_addf(text, "accuracy %.4f, mean f1 %.4f\n", number(report, "accuracy"),
                     number(report, "f1"));
        add_classes(classes, width, text);
        if (confusion)
            add_confusion(confusion, classes, width, text);
    }
    return asy_buf_check(text, "the report", err);
}

/* The report of a stored model, or of its trial's artifact, which is the report itself. */
static int read_report(const char *path, struct asy_buf *ret_json, struct asy_error *err)
{
    static const char begin[] = "{\"part\":"; /* no model: its head would be longer than any file */
    struct asy_safetensors *file = NULL;
    const char *json;
    char *text = NULL;
    size_t len = 0;
    int rc;

    if (asy_read_file(path, ASY__REPORT_BYTES, &text, &len, NULL) == 0 &&
        !strncmp(text, begin, strlen(begin))) {
        while (len && text[len - 1] == '\n')
            len--;
        asy_buf_add(ret_json, text, len);
    } else if ((rc = asy_safetensors_open(path, &file, err)) < 0) {
        free(text);
        return rc;
    } else if ((json = asy_safetensors_meta(file, "report"))) {
        asy_buf_adds(ret_json, json);
    }
    free(text);
    asy_safetensors_destroy(file);
    rc = asy_buf_check(ret_json, "the report", err);
    return rc == 0 && !ret_json->len
               ? asy_fail(err, ASY_E_NOENT, "there is no report: models of tokens and of plug-ins "
                          "have none, nor those without a validation part or of an earlier version")
               : rc;
}

int asy_trainer_report(const char *model_path, int as_json, struct asy_buf *ret_text,
                       struct asy_error *err)
{
    struct asy_json *report = NULL;
    struct asy_buf json;
    int rc;

    asy_buf_init(&json, ASY__REPORT_BYTES);
    if ((rc = read_report(model_path, &json, err)) == 0 && as_json) {
        asy_buf_addf(ret_text, "%s\n", json.data);
        rc = asy_buf_check(ret_text, "the report", err);
    } else if (rc == 0 && (rc = asy_json_parse(json.data, json.len, &report, err)) == 0) {
        rc = asy__report_text(report, ret_text, err);
    }
    if (rc < 0)
        asy_error_prefix(err, "'%s'", model_path);
    asy_json_destroy(report);
    asy_buf_fini(&json);
    return rc;
}
