/* SPDX-License-Identifier: Apache-2.0
 * front.c - studies with several objectives, as text: the trials that no other beats in all of
 * them. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "format.h"
#include "table.h"
#include "tables.h"

static const char *text(const struct asy_json *node, const char *key)
{
    return asy_json_str(asy_json_get(node, key), "");
}

int asy__outside_constraints(const struct asy_json *outcome)
{
    const struct asy_json *violation = asy_json_get(outcome, "violation");

    return violation && asy_json_f64(violation, INFINITY) > 0; /* null: it is not known */
}

void asy__front_values(const struct asy_json *objectives, const struct asy_json *values,
                       struct asy_buf *out)
{
    const struct asy_json *objective;

    for (size_t j = 0; (objective = asy_json_at(objectives, j)); j++) {
        asy_buf_adds(out, j ? ", " : "");
        asy__fmt_clean(out, text(objective, "metric"));
        asy_buf_addc(out, ' ');
        asy__fmt_value(out, asy_json_at(values, j));
    }
}

/* A column for each objective, then the parameters. */
int asy__table_of_front(const struct asy_json *root, size_t width, struct asy_buf *out,
                        struct asy_error *err)
{
    const struct asy_json *trials = asy_json_get(root, "trials"), *trial, *objective;
    const struct asy_json *objectives = asy_json_get(root, "objectives");
    const char *heads[ASY__TABLE_COLUMNS + 1] = { ">TRIAL" };
    size_t n = asy_json_len(objectives), at = 1;
    char names[ASY__TABLE_COLUMNS][48];
    struct asy__table table;
    int rc;

    if (asy_json_len(trials) == 0) {
        asy_buf_adds(out, "no trial is complete yet and within the constraints\n");
        return asy_buf_check(out, "the table", err);
    }
    for (size_t j = 0; (objective = asy_json_at(objectives, j)) && at + 2 < ASY__TABLE_COLUMNS;
         j++, at++) {
        snprintf(names[at], sizeof names[at], ">%.40s", text(objective, "metric"));
        heads[at] = names[at];
    }
    heads[at] = "PARAMETERS";
    asy__table_init(&table, heads);
    for (size_t i = 0; (trial = asy_json_at(trials, i)); i++) {
        const struct asy_json *values = asy_json_get(asy_json_get(trial, "outcome"), "values");

        asy__fmt_value(asy__table_cell(&table), asy_json_get(trial, "number"));
        for (size_t j = 0; j + 1 < at; j++)
            asy__fmt_value(asy__table_cell(&table),
                           n == 1 ? asy_json_get(trial, "value") : asy_json_at(values, j));
        asy__fmt_params(asy__table_cell(&table), asy_json_get(trial, "params"));
    }
    rc = asy__table_write(&table, width, out, err);
    asy__table_fini(&table);
    return rc;
}
