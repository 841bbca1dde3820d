/* SPDX-License-Identifier: Apache-2.0
 * study_tell.c - the key `search.tell`: results from elsewhere, as a list or as a table in a file.
 *
 * They become part of the study itself: its canonical text has the points and values, so that a
 * restart, a replay and another machine know them without the file. Only a user's own command line
 * reads files; what comes over the wire has the list. */
#include "study_impl.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/durable.h>
#include <asy/parse.h>

#define TABLE_MAX (16u << 20)
#define TELL_MAX 100000
#define COLUMNS_MAX 8192

struct telling {
    struct asy__parse *p;
    const struct asy_yaml *node;
    size_t n_goals, n_params, cap;
    double *x, *values;
    size_t n;
};

static size_t goals_of(const struct asy__parse *p)
{
    return p->n_goals > 1 ? p->n_goals : 1;
}

static const char *metric_of(struct telling *t, size_t goal)
{
    const struct asy_yaml *node;
    const char *key;

    return asy__study_judged(t->p, goal, &node, &key);
}

/* Room for n in all; 0: too many, or no memory, noted. */
static int make_room(struct telling *t, size_t n, const struct asy_yaml *where)
{
    if (n > TELL_MAX) {
        asy__problem(t->p, where, "search.tell", "has more than %d points", TELL_MAX);
        return 0;
    }
    t->x = asy__take(t->p, (n * t->n_params + 1) * sizeof *t->x);
    t->values = asy__take(t->p, (n * t->n_goals + 1) * sizeof *t->values);
    t->cap = n;
    return t->x && t->values;
}

/* ---- a list ---------------------------------------------------------------------------------- */

/* A number, or one of the words for what is none. */
static int is_value(const struct asy_yaml *node, double *ret)
{
    const char *text = node ? asy__scalar(node) : NULL;

    return text && node->type != ASY_YAML_BOOL &&
           asy_parse_f64(text, strlen(text), ret, NULL) == 0;
}

static int read_values(struct telling *t, const struct asy_yaml *item, double *values)
{
    const struct asy_yaml *list = asy_yaml_get(item, "values");

    if (!list)
        return t->n_goals == 1 && is_value(asy_yaml_get(item, "value"), values);
    if (list->type != ASY_YAML_LIST || list->len != t->n_goals)
        return 0;
    for (size_t j = 0; j < list->len; j++)
        if (!is_value(list->items[j], &values[j]))
            return 0;
    return 1;
}

static void read_item(struct telling *t, const struct asy_yaml *item, size_t i)
{
    const struct asy_yaml *point = asy_yaml_get(item, "point");
    struct asy_error err = ASY_ERROR_INIT;
    char key[64], note[100];

    snprintf(key, sizeof key, "search.tell[%zu]", i);
    if (item->type != ASY_YAML_MAP || item->len != 2 || !point || point->type != ASY_YAML_MAP ||
        !read_values(t, item, &t->values[t->n * t->n_goals]))
        asy__problem(t->p, item, key, "must be {point: {...}, %s", t->n_goals == 1
                     ? "value: number}" : "values: [...]}, a number for each objective");
    else if (asy__read_point(t->p, point, 0, &t->x[t->n * t->n_params], &err) == 0)
        t->n++;
    else if (err.code == ASY_E_NOMEM)
        asy__no_memory(t->p);
    else
        asy__problem(t->p, point, key, "%s%s", err.text, asy__fixed_note(t->p, err.text, note));
}

/* ---- a table --------------------------------------------------------------------------------- */

struct table {
    char *at;                   /* the next line, in memory that is changed */
    const char *file;
    unsigned line;
    char *cells[COLUMNS_MAX];
    size_t n_cells;
    size_t *columns;            /* [n_params] of the parameters; SIZE_MAX: none */
    size_t *results;            /* [n_goals] of the objectives */
    size_t state;               /* of the trial's state, or SIZE_MAX */
    int exported;               /* by assay export: it has columns params_NAME */
};

/* One cell, in place, as RFC 4180 has it. Returns what follows it. */
static char *cut_cell(char *at, char **ret_cell)
{
    char *to = at;
    int quoted = *at == '"';

    *ret_cell = at;
    for (at += quoted; *at; at++) {
        if (quoted && *at == '"' && at[1] == '"')
            at++;
        else if (quoted && *at == '"') {
            quoted = 0;
            continue;
        } else if (!quoted && strchr(",\r\n", *at))
            break;
        *to++ = *at;
    }
    if (*at == '\r' && at[1] == '\n')
        *at++ = '\0';
    if (to < at)
        *to = '\0';
    return at;
}

/* 1: a row; 0: the end; -1: too wide, noted. Empty lines are passed over. */
static int next_row(struct telling *t, struct table *table)
{
    char end = ',';

    table->n_cells = 0;
    while (*table->at == '\n' || *table->at == '\r') {
        table->line += *table->at == '\n' || table->at[1] != '\n';
        table->at++;
    }
    if (!*table->at)
        return 0;
    table->line++;
    while (end == ',' && table->n_cells < COLUMNS_MAX) {
        char *after = cut_cell(table->at, &table->cells[table->n_cells++]);

        end = *after;
        *after = '\0';
        table->at = end ? after + 1 : after;
    }
    if (end != ',')
        return 1;
    asy__problem(t->p, t->node, "search.tell", "'%s' line %u has more than %d columns",
                 table->file, table->line, COLUMNS_MAX);
    return -1;
}

static size_t cell_of(const struct table *table, const char *prefix, const char *name)
{
    size_t n = strlen(prefix);

    for (size_t i = 0; i < table->n_cells; i++)
        if (!strncmp(table->cells[i], prefix, n) && !strcmp(table->cells[i] + n, name))
            return i;
    return SIZE_MAX;
}

/* Whether a name is that of a column which `assay export` has beside parameters and values. */
static int is_kept(const char *name)
{
    static const char *const kept[] = { "number", "state", "cause", "value", "step", "attempts",
                                        "created_us", "started_us", "ended_us", "host", "seed",
                                        "id" };

    for (size_t i = 0; i < ASY_ARRAY_LEN(kept); i++)
        if (!strcmp(name, kept[i]))
            return 1;
    return 0;
}

/* As `assay export` calls it, else by its plain name; an exported table has names of its own that
 * mean something else. */
static size_t column_of(const struct table *table, const char *prefix, const char *name)
{
    size_t i = cell_of(table, prefix, name);

    if (i != SIZE_MAX || (table->exported && is_kept(name)))
        return i;
    return cell_of(table, "", name);
}

/* A column means one thing. */
static int is_taken(const struct telling *t, const struct table *table, size_t column)
{
    for (size_t i = 0; i < t->n_params; i++)
        if (table->columns[i] == column)
            return 1;
    return 0;
}

static size_t result_of(struct telling *t, const struct table *table, const char *metric)
{
    size_t i = metric ? column_of(table, "values_", metric) : SIZE_MAX;

    if (i != SIZE_MAX && is_taken(t, table, i))
        i = SIZE_MAX;
    if (i == SIZE_MAX && t->n_goals == 1)
        i = cell_of(table, "", "value");
    return i != SIZE_MAX && is_taken(t, table, i) ? SIZE_MAX : i;
}

static int read_head(struct telling *t, struct table *table)
{
    struct asy_space *space = t->p->study->space;
    int row;

    table->columns = asy__take(t->p, (t->n_params + 1) * sizeof *table->columns);
    table->results = asy__take(t->p, (t->n_goals + 1) * sizeof *table->results);
    if (!table->columns || !table->results)
        return 0;
    if ((row = next_row(t, table)) == 0)
        asy__problem(t->p, t->node, "search.tell", "'%s' is empty", table->file);
    if (row <= 0)
        return 0;
    for (size_t i = 0; i < table->n_cells; i++)
        table->exported |= !strncmp(table->cells[i], "params_", 7);
    for (size_t i = 0; i < t->n_params; i++)
        if ((table->columns[i] = column_of(table, "params_", asy_space_at(space, i)->name)) ==
            SIZE_MAX) {
            asy__problem(t->p, t->node, "search.tell", "'%s' has no column for parameter '%s'",
                         table->file, asy_space_at(space, i)->name);
            return 0;
        }
    for (size_t j = 0; j < t->n_goals; j++) {
        const char *metric = metric_of(t, j);

        if ((table->results[j] = result_of(t, table, metric)) == SIZE_MAX) {
            asy__problem(t->p, t->node, "search.tell", "'%s' has no column '%s'%s", table->file,
                         metric ? metric : "?", t->n_goals == 1 ? " or 'value'" : "");
            return 0;
        }
    }
    table->state = cell_of(table, "", "state");
    for (size_t j = 0; j < t->n_goals; j++)
        if (is_taken(t, table, table->state) || table->results[j] == table->state)
            table->state = SIZE_MAX; /* a parameter's or a metric's name, here */
    return 1;
}

/* The entry that a cell's text stands for; NAN: none. */
static double entry_of(const struct asy_space *space, size_t i, const char *text, double *x)
{
    const struct asy_param *p = asy_space_at(space, i);
    double value, near;
    char shown[300];

    for (size_t k = 0; k < p->n_choices; k++) {
        x[i] = (double)k;
        asy_space_text(space, x, i, shown, sizeof shown);
        if (!strcmp(shown, text))
            return (double)k;
    }
    if (asy_parse_f64(text, strlen(text), &value, NULL) < 0 || !isfinite(value))
        return NAN;
    for (size_t k = 0; k < p->n_choices; k++)
        if (p->choices[k].type <= ASY_VALUE_REAL && p->choices[k].f == value)
            return (double)k;
    if (p->n_choices)
        return NAN;
    near = asy_space_snap(space, i, value);
    return p->step > 0 && fabs(near - value) <= 1e-6 * p->step ? near : value;
}

/* 1: taken; 0: left out, having no result; -1: a mistake, noted. */
static int read_row(struct telling *t, struct table *table)
{
    struct asy_space *space = t->p->study->space;
    double *x = &t->x[t->n * t->n_params], *values = &t->values[t->n * t->n_goals];
    struct asy_error err = ASY_ERROR_INIT;
    char name[104], note[100];
    char **cells = table->cells;

    if (table->state < table->n_cells && strcmp(cells[table->state], "complete") != 0)
        return 0;
    for (size_t j = 0; j < t->n_goals; j++) {
        const char *text = table->results[j] < table->n_cells ? cells[table->results[j]] : "";

        if (!*text)
            return 0;
        if (asy_parse_f64(text, strlen(text), &values[j], NULL) < 0) {
            asy__problem(t->p, t->node, "search.tell", "'%s' line %u: '%.60s' is not a number",
                         table->file, table->line, text);
            return -1;
        }
    }
    for (size_t i = 0; i < t->n_params; i++) {
        const char *text = table->columns[i] < table->n_cells ? cells[table->columns[i]] : "";
        int active = asy_space_active(space, x, i);
        double entry = active ? entry_of(space, i, text, x) : ASY_INACTIVE;

        x[i] = entry;
        if (active && isnan(entry)) {
            snprintf(name, sizeof name, "'%.100s'", asy_space_at(space, i)->name);
            asy__problem(t->p, t->node, "search.tell", "'%s' line %u: '%.60s' is not a value of "
                         "parameter %s%s", table->file, table->line, text, name,
                         asy__fixed_note(t->p, name, note));
            return -1;
        }
    }
    if (asy_space_check(space, x, &err) == 0)
        return 1;
    asy__problem(t->p, t->node, "search.tell", "'%s' line %u: %s%s", table->file, table->line,
                 err.text, asy__fixed_note(t->p, err.text, note));
    return -1;
}

/* How many rows a table can have at most: next_row() ends one at a line's end of any kind. */
static size_t lines_of(const char *text, size_t len)
{
    size_t lines = 1;

    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n' || (text[i] == '\r' && text[i + 1] != '\n');
    return lines;
}

static void read_rows(struct telling *t, struct table *table, size_t lines)
{
    int taken = 1;

    if (!read_head(t, table) || !make_room(t, lines, t->node))
        return;
    while (taken >= 0 && (taken = next_row(t, table)) > 0) {
        ASY_ASSERT(t->n < t->cap, "more than %zu rows in %zu lines", t->n, lines);
        if ((taken = read_row(t, table)) > 0)
            t->n++;
    }
    if (taken >= 0 && t->n == 0)
        asy__problem(t->p, t->node, "search.tell", "'%s' has no row with a result", table->file);
}

static void read_file(struct telling *t, const char *path)
{
    struct table *table = calloc(1, sizeof *table);
    struct asy_error err = ASY_ERROR_INIT;
    size_t len = 0;
    char *text = NULL;

    if (!table) {
        asy__no_memory(t->p);
        return;
    }
    table->file = path;
    if (asy_read_file(path, TABLE_MAX, &text, &len, &err) == ASY_E_NOMEM) {
        asy__no_memory(t->p);
    } else if (err.code) {
        asy__problem(t->p, t->node, "search.tell", "%s", err.text);
    } else if (strlen(text) != len) {
        asy__problem(t->p, t->node, "search.tell", "'%s' is no text", path);
    } else {
        table->at = text;
        if (!strncmp(text, "\xef\xbb\xbf", 3))
            table->at += 3; /* spreadsheets begin UTF-8 so */
        read_rows(t, table, lines_of(text, len));
    }
    free(text);
    free(table);
}

/* ---- both ------------------------------------------------------------------------------------ */

void asy__study_tell(struct asy__parse *p)
{
    const struct asy_yaml *node = asy__val(p, "search.tell")->node;
    struct telling t = { .p = p, .node = node, .n_goals = goals_of(p),
                         .n_params = asy_space_len(p->study->space) };
    const char *path;
    char shown[64];

    if (!node)
        return;
    if (p->study->spec.n_constraints) {
        asy__problem(p, node, "search.tell", "does not say which results are within the "
                     "'constraints': a study has one of the two");
        return;
    }
    if (node->type == ASY_YAML_LIST && make_room(&t, node->len, node)) {
        for (size_t i = 0; i < node->len && !p->rc; i++)
            read_item(&t, node->items[i], i);
    } else if (node->type == ASY_YAML_STRING && p->look && asy__scalar(node)) {
        if ((path = asy__absolute(p, node->text)))
            read_file(&t, path);
    } else if (node->type != ASY_YAML_LIST) {
        asy__problem(p, node, "search.tell", "must be a list of {point, value}, or a file, not %s",
                     asy__shown(node, shown));
    }
    p->study->spec.told = t.x;
    p->study->spec.told_values = t.values;
    p->study->spec.n_told = t.n;
}

/* Left out where there are none, so that older studies keep their bytes. */
void asy__study_write_told(struct asy__parse *p, struct asy_jsonw *w)
{
    const struct asy_study_spec *spec = &p->study->spec;
    size_t n_goals = goals_of(p), n_params = asy_space_len(p->study->space);
    char text[40];

    if (spec->n_told == 0)
        return;
    asy_jsonw_open(w, "tell", '[');
    for (size_t i = 0; i < spec->n_told; i++) {
        asy_jsonw_open(w, NULL, '{');
        asy_space_write(p->study->space, spec->told + i * n_params, w, "point");
        asy_jsonw_open(w, "values", '[');
        for (size_t j = 0; j < n_goals; j++) {
            double value = spec->told_values[i * n_goals + j];

            asy__real_text(value, text);
            if (isfinite(value))
                asy_jsonw_raw(w, NULL, text, strlen(text));
            else
                asy_jsonw_str(w, NULL, text);
        }
        asy_jsonw_close(w, ']');
        asy_jsonw_close(w, '}');
    }
    asy_jsonw_close(w, ']');
}
