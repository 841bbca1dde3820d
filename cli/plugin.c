/* SPDX-License-Identifier: Apache-2.0
 * plugin.c - `assay help study ./mine.so`: what a plug-in takes and reports, as assay-trainer tells
 * it. */
#include <string.h>
#include "cli.h"
#include "format.h"

#define INDENT "    "
#define WIDTH 79

/* "a whole number from 1 to 8; default 4", like `assay help study`. */
static void put_allowed(struct asy_buf *out, const struct asy_json *hyper)
{
    const char *type = asy_json_str(asy_json_get(hyper, "type"), "");
    double min = asy_json_f64(asy_json_get(hyper, "min"), 0);
    double max = asy_json_f64(asy_json_get(hyper, "max"), 0);

    if (!strcmp(type, "word")) {
        asy_buf_adds(out, "one of ");
        for (const char *at = asy_json_str(asy_json_get(hyper, "words"), ""); *at; at++)
            asy_buf_adds(out, *at == '|' ? ", " : (const char[]){ *at, 0 });
        asy_buf_addf(out, "; default %s", asy_json_str(asy_json_get(hyper, "default"), ""));
        return;
    }
    if (!strcmp(type, "flag")) {
        asy_buf_addf(out, "true or false; default %s",
                     asy_json_bool(asy_json_get(hyper, "default"), 0) ? "true" : "false");
        return;
    }
    asy_buf_adds(out, !strcmp(type, "int") ? "a whole number" : "a number");
    if (min != 0 || max != 0)
        asy_buf_addf(out, " from %.15g to %.15g", min, max);
    asy_buf_addf(out, "; default %.15g", asy_json_f64(asy_json_get(hyper, "default"), 0));
}

static void put_table(struct asy_buf *out, const struct asy_json *root)
{
    const struct asy_json *list = asy_json_get(root, "hyperparameters"), *item;

    asy_buf_addf(out, "%s  %s\n", asy_json_str(asy_json_get(root, "name"), ""),
                 asy_json_str(asy_json_get(root, "help"), ""));
    if (asy_json_bool(asy_json_get(root, "own_data"), 0))
        asy_buf_adds(out, "It brings its own data: the study file has no data.\n");
    asy_buf_adds(out, "\nHyperparameters, beside the engine's (assay help study networks):\n");
    for (size_t i = 0; (item = asy_json_at(list, i)); i++) {
        asy_buf_addf(out, "  %s  ", asy_json_str(asy_json_get(item, "name"), ""));
        put_allowed(out, item);
        asy_buf_addc(out, '\n');
        asy__fmt_wrap(out, asy_json_str(asy_json_get(item, "help"), ""), INDENT "  ", "", WIDTH);
    }
    asy_buf_adds(out, "\nMetrics, each as train_NAME and val_NAME:\n");
    list = asy_json_get(root, "metrics");
    for (size_t i = 0; (item = asy_json_at(list, i)); i++) {
        asy_buf_addf(out, "  %s\n", asy_json_str(asy_json_get(item, "name"), ""));
        asy__fmt_wrap(out, asy_json_str(asy_json_get(item, "help"), ""), INDENT "  ", "", WIDTH);
    }
}

int asy__help_plugin(const char *path, struct asy_buf *ret_text, struct asy_error *err)
{
    struct asy_json *root = NULL;
    struct asy_buf json = { 0 };
    int rc;

    asy_buf_init(&json, 1u << 20);
    if ((rc = asy__describe_plugin(path, &json, err)) == 0 &&
        (rc = asy_json_parse(json.data, json.len, &root, err)) == 0) {
        put_table(ret_text, root);
        rc = asy_buf_check(ret_text, "the help", err);
    }
    asy_json_destroy(root);
    asy_buf_fini(&json);
    return rc;
}
