/* SPDX-License-Identifier: Apache-2.0
 * asy/settings.h - program settings from one table: default, file, environment, flag; the later
 * wins, and each value knows where it came from.
 *
 * The file is YAML ($ASSAY_HOME/config.yaml, flat keys). The variable of key "lost_after" is
 * ASY_LOST_AFTER, its flag --lost-after. An unknown key or a bad value is an error with its place;
 * of unknown ASY_ variables only those count that look like a slip of the pen for a known one.
 *
 * Ownership: a struct asy_settings owns its values; texts are borrowed until destroy.
 * Threads:   read-only after loading. */
#ifndef ASY_SETTINGS_H
#define ASY_SETTINGS_H
#include <asy/buf.h>

enum asy_setting_type {
    ASY_SET_STRING, ASY_SET_INT, ASY_SET_BOOL, ASY_SET_DURATION, ASY_SET_SIZE, ASY_SET_CHOICE,
};
struct asy_setting {
    const char *key;
    enum asy_setting_type type;
    double min, max;           /* of ints, milliseconds, bytes; ignored for the rest */
    const char *fallback;      /* default, in the same notation as the file; NULL: empty string */
    const char *help;          /* one line */
    const char *choices;       /* of ASY_SET_CHOICE: "text|json" */
};
/* The table of Assay (common/settings_table.c). */
const struct asy_setting *asy_settings_table(size_t *ret_n);

/* The same table as a page of the reference (Markdown). */
void asy_settings_reference(struct asy_buf *ret_markdown);

struct asy_settings;
/* path: the file, may be missing; NULL: none. */
ASY_MUST_CHECK int asy_settings_load(const char *path, struct asy_settings **ret_settings,
                                     struct asy_error *err);
void asy_settings_destroy(struct asy_settings *settings);
/* key may be spelt with dashes. origin: "flag --key", say. ASY_E_NOENT for an unknown key, with the
 * nearest right one. */
ASY_MUST_CHECK int asy_settings_set(struct asy_settings *settings, const char *key,
                                    const char *text, const char *origin, struct asy_error *err);
/* What one value alone cannot show: heartbeat < suspect_after < lost_after. Call it last. */
ASY_MUST_CHECK int asy_settings_check(const struct asy_settings *settings, struct asy_error *err);
/* The key must stand in the table (asserted). Durations are ms, sizes bytes, bools 0 or 1. */
const char *asy_settings_str(const struct asy_settings *settings, const char *key);
int64_t asy_settings_i64(const struct asy_settings *settings, const char *key);
const char *asy_settings_origin(const struct asy_settings *settings, const char *key);
/* $ASSAY_HOME, or $XDG_DATA_HOME/assay, or ~/.local/share/assay; absolute. */
ASY_MUST_CHECK int asy_home_path(char *ret_path, size_t size, struct asy_error *err);
#endif
