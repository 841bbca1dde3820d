/* SPDX-License-Identifier: Apache-2.0
 * importance.c - assay importance, and how a front grew: answers of the coordinator as text. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "cli.h"
#include "format.h"
#include "table.h"
#include "tables.h"

#define BAR 30 /* columns of the longest bar */

static void put_bar(struct asy_buf *out, double share, double most)
{
    int n = most > 0 ? (int)lround(share / most * BAR) : 0;

    for (int i = 0; i < n; i++)
        asy_buf_addc(out, '#');
}

static int put_one(const struct asy_json *list, int fanova, size_t width, struct asy_buf *out,
                   struct asy_error *err)
{
    const char *key = fanova ? "importance" : "share"; /* of the variance; of their sum */
    const char *const heads[] = { "PARAMETER", fanova ? ">OF VARIANCE" : ">SHARE", "", NULL };
    double most = asy_json_f64(asy_json_get(asy_json_at(list, 0), key), 0);
    const struct asy_json *p;
    struct asy__table table;
    int rc;

    asy__table_init(&table, heads);
    for (size_t i = 0; (p = asy_json_at(list, i)); i++) {
        double share = asy_json_f64(asy_json_get(p, key), NAN);

        asy__fmt_clean(asy__table_cell(&table), asy_json_str(asy_json_get(p, "name"), ""));
        if (isnan(share))
            asy_buf_addc(asy__table_cell(&table), '-');
        else
            asy_buf_addf(asy__table_cell(&table), "%.1f %%", 100 * share);
        put_bar(asy__table_cell(&table), isnan(share) ? 0 : share, most);
    }
    rc = asy__table_write(&table, width, out, err);
    asy__table_fini(&table);
    return rc;
}

int asy__table_of_importance(const struct asy_json *root, size_t width, struct asy_buf *out,
                             struct asy_error *err)
{
    const struct asy_json *list = asy_json_get(root, "importances"), *one;
    int fanova = !strcmp(asy_json_str(asy_json_get(root, "method"), ""), "fanova"), rc = 0;
    int64_t n = asy_json_i64(asy_json_get(root, "trials"), 0);

    if (n < 2) {
        asy_buf_adds(out, "fewer than two trials are complete and within the constraints: nothing "
                          "can be told of importance\n");
        return asy_buf_check(out, "the table", err);
    }
    for (size_t i = 0; rc == 0 && (one = asy_json_at(list, i)); i++) {
        if (i > 0)
            asy_buf_addc(out, '\n');
        if (asy_json_len(list) > 1) {
            asy__fmt_clean(out, asy_json_str(asy_json_get(one, "objective"), "all objectives"));
            asy_buf_adds(out, ":\n");
        }
        rc = put_one(asy_json_get(one, "parameters"), fanova, width, out, err);
    }
    if (n < ASY__IMPORTANCE_TRIALS)
        asy_buf_addf(out, "\nonly %" PRId64 " trials are complete: with fewer than %d these "
                          "shares are rough\n", n, ASY__IMPORTANCE_TRIALS);
    return rc ? rc : asy_buf_check(out, "the table", err);
}

int asy__table_of_history(const struct asy_json *root, size_t width, struct asy_buf *out,
                          struct asy_error *err)
{
    const struct asy_json *list = asy_json_get(root, "history"), *one;
    int volumes = asy_json_get(asy_json_at(list, 0), "volume") != NULL;
    const char *const heads[] = { ">TRIAL", ">ON FRONT", volumes ? ">HYPERVOLUME" : NULL, NULL };
    struct asy__table table;
    int rc;

    if (asy_json_len(list) == 0) {
        asy_buf_adds(out, "no trial is complete yet and within the constraints\n");
        return asy_buf_check(out, "the table", err);
    }
    asy__table_init(&table, heads);
    for (size_t i = 0; (one = asy_json_at(list, i)); i++) {
        asy__fmt_value(asy__table_cell(&table), asy_json_get(one, "trial"));
        asy__fmt_value(asy__table_cell(&table), asy_json_get(one, "front"));
        if (volumes)
            asy__fmt_value(asy__table_cell(&table), asy_json_get(one, "volume"));
    }
    rc = asy__table_write(&table, width, out, err);
    asy__table_fini(&table);
    if (!volumes)
        asy_buf_adds(out, "\n" ASY__NO_VOLUMES "\n");
    return rc ? rc : asy_buf_check(out, "the table", err);
}
