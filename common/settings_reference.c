/* SPDX-License-Identifier: Apache-2.0
 * settings_reference.c - the settings table as a page of the reference. */
#include "settings.h"
#include <string.h>

static void add_allowed(struct asy_buf *buf, const struct asy_setting *setting)
{
    static const char *const kinds[] = {
        [ASY_SET_STRING] = "text",         [ASY_SET_INT] = "whole number",
        [ASY_SET_BOOL] = "true or false",  [ASY_SET_DURATION] = "duration",
        [ASY_SET_SIZE] = "size in bytes",  [ASY_SET_CHOICE] = "one of",
    };
    char min[32], max[32];

    asy_buf_adds(buf, kinds[setting->type]);
    switch (setting->type) {
    case ASY_SET_CHOICE:
        for (const char *p = setting->choices; *p;) {
            size_t n = strcspn(p, "|");

            asy_buf_addf(buf, "%s `%.*s`", p == setting->choices ? "" : ",", (int)n, p);
            p += n + (p[n] == '|');
        }
        break;
    case ASY_SET_INT:
    case ASY_SET_DURATION:
    case ASY_SET_SIZE:
        asy_buf_addf(buf, ", %s to %s", asy__setting_limit(setting->type, setting->min, min),
                     asy__setting_limit(setting->type, setting->max, max));
        break;
    default:
        break;
    }
}

void asy_settings_reference(struct asy_buf *ret_markdown)
{
    struct asy_buf *buf = ret_markdown;
    const struct asy_setting *table;
    size_t n;

    table = asy_settings_table(&n);
    asy_buf_adds(buf,
        "# Settings\n\n"
        "Generated from the table in `common/settings_table.c`.\n\n"
        "A setting stands in `$ASSAY_HOME/config.yaml` (`lost_after: 20s`), in the environment\n"
        "(`ASY_LOST_AFTER=20s`) or behind a flag of `assay-coordinator` (`--lost-after 20s`); the\n"
        "later of these wins, and `assay config show` tells where each value comes from.\n"
        "Durations are `250ms`, `30s`, `10m`, `2h`, `1d`, sizes `64KiB`, `2GiB`, `500MB`.\n\n"
        "| setting | allowed | default | what it does |\n|---|---|---|---|\n");
    for (size_t i = 0; i < n; i++) {
        const char *fallback = table[i].fallback ? table[i].fallback : "";

        asy_buf_addf(buf, "| `%s` | ", table[i].key);
        add_allowed(buf, &table[i]);
        asy_buf_addf(buf, fallback[0] ? " | `%s` | %s |\n" : " | %snone | %s |\n", fallback,
                     table[i].help);
    }
}
