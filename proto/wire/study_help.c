/* SPDX-License-Identifier: Apache-2.0
 * study_help.c - the table as help text and as the reference page. */
#include "study_impl.h"
#include <stdio.h>
#include <string.h>
#include <asy/parse.h>

#define WIDTH 79u

/* ---- pieces of both ------------------------------------------------------------------------- */

/* "default 30s", "required", "not in this version", … */
static const char *standing(const struct asy__row *row, char *text, size_t n)
{
    if (row->flags & ASY__REQUIRED)
        snprintf(text, n, "required%s", row->flags & ASY__FOR_MODEL ? " for a model" : "");
    else if (row->fallback)
        snprintf(text, n, "default %s", row->fallback);
    else if (row->absent)
        snprintf(text, n, "default: %s", row->absent);
    else
        text[0] = 0;
    return text;
}

static const char *allowed(const struct asy__row *row, char *text, size_t n)
{
    size_t len;

    len = row->kind == ASY__WORD && strchr(row->words, '|')
              ? (size_t)snprintf(text, n, "one of ")
              : 0;
    asy__row_allowed(row, text + len, n - len);
    len = strlen(text);
    if (row->flags & ASY__MORE_LATER)
        snprintf(text + len, n - len, " (more in a later version)");
    else if (row->unit)
        snprintf(text + len, n - len, " (%s)", row->unit);
    else if (row->scalar)
        snprintf(text + len, n - len, ", or %s%s", row->scalar[0] == '=' ? "" : "just the ",
                 row->scalar + (row->scalar[0] == '='));
    return text;
}

/* The groups whose options may stand in a section, one after the other. */
static const char *group_at(const char *section, size_t i, char text[64])
{
    const char *prefix = !strcmp(section, "search.sampler")  ? "sampler "
                         : !strcmp(section, "search.pruner") ? "pruner "
                         : !strcmp(section, "run")           ? "model "
                                                             : NULL;
    int layers = !strcmp(section, "run"); /* behind the families, what their list has */
    const char *last = "";

    for (size_t r = 0; prefix && r < asy__n_rows; r++) {
        const char *group = asy__rows[r].group;

        if (!group || !strcmp(group, last) ||
            (strncmp(group, prefix, strlen(prefix)) != 0 &&
             !(layers && !strncmp(group, "layer ", strlen("layer ")))))
            continue;
        last = group;
        if (i-- == 0) {
            snprintf(text, 64, "%s", group);
            return text;
        }
    }
    return NULL;
}

/* ---- help ----------------------------------------------------------------------------------- */

/* Words of text from column `indent` on, broken before WIDTH. */
static void wrap(struct asy_buf *buf, unsigned indent, const char *text)
{
    unsigned column = 0;

    while (*text) {
        size_t n = strcspn(text, " ");

        if (column && column + 1 + n > WIDTH) {
            asy_buf_addc(buf, '\n');
            column = 0;
        }
        if (!column) {
            asy_buf_addf(buf, "%*s", (int)indent, "");
            column = indent;
        } else {
            asy_buf_addc(buf, ' ');
            column++;
        }
        asy_buf_add(buf, text, n);
        column += (unsigned)n;
        text += n + (text[n] == ' ');
    }
    asy_buf_addc(buf, '\n');
}

static void example(struct asy_buf *buf, unsigned indent, const char *text)
{
    while (text && *text) {
        size_t n = strcspn(text, "\n");

        asy_buf_addf(buf, "%*s%.*s\n", (int)indent, "", (int)n, text);
        text += n + (text[n] == '\n');
    }
}

static void row_help(struct asy_buf *buf, const struct asy__row *row, const char *name,
                     unsigned indent)
{
    char what[256], stands[160];

    allowed(row, what, sizeof what);
    standing(row, stands, sizeof stands);
    asy_buf_addf(buf, "%*s%s  %s%s%s\n", (int)indent, "", name, what,
                 what[0] && stands[0] ? "; " : "", stands);
    wrap(buf, indent + 4, row->help);
}

static void options_help(struct asy_buf *buf, const char *section, unsigned indent)
{
    char group[64], title[128];

    for (size_t g = 0; group_at(section, g, group); g++) {
        if (!strncmp(group, "layer ", strlen("layer ")))
            snprintf(title, sizeof title, "In the list of layers, %s:", strchr(group, ' ') + 1);
        else
            snprintf(title, sizeof title, "%s of %s%s:",
                     !strcmp(section, "run") ? "Hyperparameters" : "Options",
                     !strcmp(group, ASY__NETWORKS) ? "all " : "", strchr(group, ' ') + 1);
        asy_buf_addf(buf, "%*s%s\n", (int)indent, "", title);
        for (size_t i = 0; i < asy__n_rows; i++)
            if (asy__rows[i].group && !strcmp(asy__rows[i].group, group))
                row_help(buf, &asy__rows[i], asy__rows[i].path, indent + 2);
    }
}

static void section_help(struct asy_buf *buf, const char *section, unsigned indent)
{
    const struct asy__row *row;

    for (size_t i = 0; (row = asy__row_child(section, i)); i++) {
        row_help(buf, row, row->path, indent);
        if (row->example && !section[0]) {
            asy_buf_addf(buf, "%*sExample:\n", (int)indent + 4, "");
            example(buf, indent + 6, row->example);
        }
        if (row->kind == ASY__SECTION || row->kind == ASY__OBJECTIVE)
            section_help(buf, row->path, indent + 2);
        options_help(buf, row->path, indent + 2);
        if (!section[0] && asy__row_child("", i + 1))
            asy_buf_addc(buf, '\n');
    }
}

static void whole_help(struct asy_buf *buf)
{
    wrap(buf, 0, "A study file is YAML. It says what a trial runs, what is searched and when to "
         "stop. Scalars follow YAML 1.2 (1e-4 is a number, not a text), unknown keys are errors, "
         "and relative paths start from the file's folder.");
    asy_buf_adds(buf, "\nThe smallest study of a model:\n\n");
    example(buf, 2,
            "assay: 1\n"
            "name: digits\n"
            "run: {model: mlp, length: {max: 20}}\n"
            "data: digits.csv.gz\n"
            "objective: {metric: val_accuracy, goal: maximize}\n"
            "parameters:\n"
            "  lr: {min: 1e-4, max: 0.1, scale: log}\n"
            "budget: {trials: 20}");
    asy_buf_adds(buf, "\nand of a command:\n\n");
    example(buf, 2,
            "assay: 1\n"
            "name: mine\n"
            "run: {command: [python3, train.py, \"{args}\"]}\n"
            "objective: {metric: val_loss, goal: minimize}\n"
            "parameters:\n"
            "  lr: {min: 1e-4, max: 0.1, scale: log}\n"
            "budget: {time: 30m}");
    asy_buf_adds(buf, "\nKeys (assay help study KEY shows one):\n\n");
    section_help(buf, "", 0);
}

/* "sampler tpe", "tpe", "lr": an option or a whole group. */
static int option_help(const char *key, struct asy_buf *buf)
{
    char model[80];
    int found = 0;

    snprintf(model, sizeof model, "model %.60s", key);
    for (size_t i = 0; i < asy__n_rows; i++) {
        const struct asy__row *row = &asy__rows[i];
        const char *dot = strrchr(key, '.'), *leaf = dot ? dot + 1 : key;

        if (!row->group || !strncmp(row->group, "metric", 6))
            continue;
        if (!strcmp(row->group, key) ||
            (!strcmp(key, "layer") && !strncmp(row->group, "layer ", 6)) ||
            !strcmp(strchr(row->group, ' ') + 1, key) ||
            asy__row_is_of(row, key) || asy__row_is_of(row, model) || !strcmp(row->path, leaf)) {
            asy_buf_addf(buf, "(%s) ", row->group);
            row_help(buf, row, row->path, 0);
            found = 1;
        }
    }
    return found;
}

static int no_such_key(const char *key, struct asy_error *err)
{
    const char *names[2 * ASY__ROWS_MAX], *near;
    size_t n = 0;

    for (size_t i = 0; i < asy__n_rows; i++) {
        names[n++] = asy__rows[i].path;
        names[n++] = asy__rows[i].group ? asy__rows[i].group : asy__row_leaf(&asy__rows[i]);
    }
    near = asy_nearest(key, strlen(key), names, n);
    return asy_fail(err, ASY_E_NOENT, "the study file has no key '%.60s'%s%s%s", key,
                    near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

int asy_study_help(const char *key, struct asy_buf *ret_text, struct asy_error *err)
{
    const struct asy__row *row;
    size_t before = ret_text->len;
    int found = 0;

    if (!key) {
        whole_help(ret_text);
        return asy_buf_check(ret_text, "help", err);
    }
    for (size_t i = 0; i < asy__n_rows; i++) {
        row = &asy__rows[i];
        if (row->group || (strcmp(row->path, key) != 0 &&
                           (strchr(key, '.') || strcmp(asy__row_leaf(row), key) != 0)))
            continue;
        found = 1;
        row_help(ret_text, row, row->path, 0);
        if (row->example) {
            asy_buf_adds(ret_text, "    Example:\n");
            example(ret_text, 6, row->example);
        }
        section_help(ret_text, row->path, 2);
        options_help(ret_text, row->path, 2);
    }
    if (!found && !option_help(key, ret_text)) {
        ret_text->len = before;
        return no_such_key(key, err);
    }
    return asy_buf_check(ret_text, "help", err);
}

/* ---- reference page ------------------------------------------------------------------------- */

/* A table cell: | is escaped. */
static void cell(struct asy_buf *buf, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            asy_buf_addc(buf, '\\');
        asy_buf_addc(buf, *text);
    }
}

static void row_reference(struct asy_buf *buf, const struct asy__row *row)
{
    char text[256];

    asy_buf_addf(buf, "| `%s` | ", row->path);
    cell(buf, allowed(row, text, sizeof text));
    asy_buf_adds(buf, " | ");
    cell(buf, standing(row, text, sizeof text));
    asy_buf_adds(buf, " | ");
    cell(buf, row->help);
    asy_buf_adds(buf, " |\n");
}

static const char table_head[] = "| key | allowed | default | what it does |\n|---|---|---|---|\n";

static void section_rows(struct asy_buf *buf, const char *section)
{
    const struct asy__row *row;

    for (size_t i = 0; (row = asy__row_child(section, i)); i++) {
        row_reference(buf, row);
        section_rows(buf, row->path);
    }
}

static void examples_of(struct asy_buf *buf, const struct asy__row *top)
{
    size_t n = strlen(top->path);

    for (size_t i = 0; i < asy__n_rows; i++) {
        const struct asy__row *row = &asy__rows[i];

        if (!row->group && row->example && !strncmp(row->path, top->path, n) &&
            (!row->path[n] || row->path[n] == '.'))
            asy_buf_addf(buf, "\n```yaml\n%s\n```\n", row->example);
    }
}

static void group_tables(struct asy_buf *buf)
{
    const char *last = "";

    asy_buf_adds(buf, "\n## Options and hyperparameters\n");
    for (size_t i = 0; i < asy__n_rows; i++) {
        const struct asy__row *row = &asy__rows[i];

        if (!row->group)
            continue;
        if (strcmp(row->group, last) != 0)
            asy_buf_addf(buf, "\n### %s\n\n%s", row->group, table_head);
        last = row->group;
        row_reference(buf, row);
    }
}

void asy_study_reference(struct asy_buf *ret_markdown)
{
    struct asy_buf *buf = ret_markdown;
    const struct asy__row *row;
    int open = 0;

    asy_buf_adds(buf, "# The study file\n\nGenerated from the table of keys in "
                      "`proto/wire/study_table.c`.\n\n## General keys\n\n");
    for (size_t i = 0; (row = asy__row_child("", i)); i++) {
        if (asy__row_child(row->path, 0) || row->kind == ASY__PARAMETERS) {
            asy_buf_addf(buf, "\n## %s\n\n%s", row->path, table_head);
            row_reference(buf, row);
            section_rows(buf, row->path);
            examples_of(buf, row);
            open = 0;
        } else {
            if (!open)
                asy_buf_addf(buf, "%s%s", i ? "\n" : "", table_head);
            open = 1;
            row_reference(buf, row);
        }
    }
    group_tables(buf);
}
