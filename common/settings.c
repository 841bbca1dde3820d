/* SPDX-License-Identifier: Apache-2.0
 * settings.c - the values of the settings table, and where each came from. */
#include "settings.h"
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <asy/durable.h>
#include <asy/parse.h>
#include <asy/yaml.h>

#define FILE_MAX (1u << 20)
#define KEY_MAX 64u
#define ENV_PREFIX "ASY_"

struct value {
    char *text;
    char *origin;
    int64_t i;
};

struct asy_settings {
    const struct asy_setting *table;
    size_t n;
    struct value values[]; /* beside the table */
};

static int find(const struct asy_settings *settings, const char *key, size_t *ret_at)
{
    for (size_t i = 0; i < settings->n; i++)
        if (!strcmp(settings->table[i].key, key)) {
            *ret_at = i;
            return 1;
        }
    return 0;
}

static const char *nearest_key(const struct asy_settings *settings, const char *key)
{
    const char *keys[KEY_MAX];
    size_t n = settings->n < KEY_MAX ? settings->n : KEY_MAX;

    for (size_t i = 0; i < n; i++)
        keys[i] = settings->table[i].key;
    return asy_nearest(key, strlen(key), keys, n);
}

static int unknown(const struct asy_settings *settings, const char *key, const char *origin,
                   struct asy_error *err)
{
    const char *near = nearest_key(settings, key);

    if (near)
        return asy_fail(err, ASY_E_NOENT, "%s: no setting '%.64s'; did you mean '%s'?", origin, key,
                        near);
    return asy_fail(err, ASY_E_NOENT, "%s: no setting '%.64s'", origin, key);
}

const char *asy__setting_limit(enum asy_setting_type type, double value, char text[32])
{
    static const struct {
        enum asy_setting_type type;
        uint64_t factor;
        const char *unit;
    } units[] = {
        { ASY_SET_DURATION, 86400000, "d" },
        { ASY_SET_DURATION, 3600000, "h" },
        { ASY_SET_DURATION, 60000, "m" },
        { ASY_SET_DURATION, 1000, "s" },
        { ASY_SET_DURATION, 1, "ms" },
        { ASY_SET_SIZE, UINT64_C(1) << 40, "TiB" },
        { ASY_SET_SIZE, UINT64_C(1) << 30, "GiB" },
        { ASY_SET_SIZE, UINT64_C(1) << 20, "MiB" },
        { ASY_SET_SIZE, UINT64_C(1) << 10, "KiB" },
    };
    uint64_t whole = (uint64_t)value;

    snprintf(text, 32, "%" PRIu64, whole);
    for (size_t i = 0; i < ASY_ARRAY_LEN(units); i++)
        if (units[i].type == type && whole > 0 && whole % units[i].factor == 0) {
            snprintf(text, 32, "%" PRIu64 "%s", whole / units[i].factor, units[i].unit);
            break;
        }
    return text;
}

static int check_range(const struct asy_setting *setting, int64_t value, struct asy_error *err)
{
    char min[32], max[32];

    if ((double)value >= setting->min && (double)value <= setting->max)
        return 0;
    return asy_fail(err, ASY_E_INVAL, "must be from %s to %s",
                    asy__setting_limit(setting->type, setting->min, min),
                    asy__setting_limit(setting->type, setting->max, max));
}

static int read_bool(const char *text, int64_t *ret, struct asy_error *err)
{
    if (!strcmp(text, "true") || !strcmp(text, "1"))
        *ret = 1;
    else if (!strcmp(text, "false") || !strcmp(text, "0"))
        *ret = 0;
    else
        return asy_fail(err, ASY_E_FORMAT, "'%.40s' is neither true nor false", text);
    return 0;
}

static int check_choice(const struct asy_setting *setting, const char *text, struct asy_error *err)
{
    size_t n = strlen(text);

    for (const char *p = setting->choices; *p;) {
        size_t len = strcspn(p, "|");

        if (len == n && !memcmp(p, text, n))
            return 0;
        p += len + (p[len] == '|');
    }
    return asy_fail(err, ASY_E_INVAL, "'%.40s' is not one of %s", text, setting->choices);
}

static int read_value(const struct asy_setting *setting, const char *text, int64_t *ret,
                      struct asy_error *err)
{
    size_t len = strlen(text);
    uint64_t size = 0;
    int rc = 0;

    switch (setting->type) {
    case ASY_SET_STRING:
        return 0;
    case ASY_SET_CHOICE:
        return check_choice(setting, text, err);
    case ASY_SET_BOOL:
        return read_bool(text, ret, err);
    case ASY_SET_INT:
        rc = asy_parse_i64(text, len, ret, err);
        break;
    case ASY_SET_DURATION:
        rc = asy_parse_duration(text, len, ret, err);
        break;
    case ASY_SET_SIZE:
        rc = asy_parse_size(text, len, &size, err); /* below 2^63 */
        *ret = (int64_t)size;
        break;
    }
    return rc ? rc : check_range(setting, *ret, err);
}

static int set_at(struct asy_settings *settings, size_t at, const char *text, const char *origin,
                  struct asy_error *err)
{
    struct value value = { NULL, NULL, 0 };
    int rc = read_value(&settings->table[at], text, &value.i, err);

    if (rc) {
        asy_error_prefix(err, "%s: setting '%s'", origin, settings->table[at].key);
        return rc;
    }
    if (!(value.text = strdup(text)) || !(value.origin = strdup(origin))) {
        free(value.text);
        return asy_fail(err, ASY_E_NOMEM, "no memory for settings");
    }
    free(settings->values[at].text);
    free(settings->values[at].origin);
    settings->values[at] = value;
    return 0;
}

int asy_settings_set(struct asy_settings *settings, const char *key, const char *text,
                     const char *origin, struct asy_error *err)
{
    char spelt[KEY_MAX];
    size_t at, n = strlen(key);

    if (n >= sizeof spelt)
        return unknown(settings, key, origin, err);
    for (size_t i = 0; i <= n; i++)
        spelt[i] = key[i] == '-' ? '_' : key[i];
    if (!find(settings, spelt, &at))
        return unknown(settings, spelt, origin, err);
    return set_at(settings, at, text, origin, err);
}

static int load_file(struct asy_settings *settings, const char *path, struct asy_error *err)
{
    struct asy_yaml *root = NULL;
    char *text = NULL, place[PATH_MAX + 64];
    size_t len;
    int rc = asy_read_file(path, FILE_MAX, &text, &len, err);

    if (rc)
        return rc == ASY_E_NOENT ? 0 : rc;
    if ((rc = asy_yaml_parse(text, len, FILE_MAX, &root, err))) {
        asy_error_prefix(err, "%s", path);
        goto out;
    }
    if (root->type != ASY_YAML_MAP && root->type != ASY_YAML_NULL) {
        rc = asy_fail(err, ASY_E_FORMAT, "%s: line %u column %u: settings are lines 'key: value'",
                      path, root->line, root->column);
        goto out;
    }
    for (size_t i = 0; root->type == ASY_YAML_MAP && i < root->len && rc == 0; i++) {
        const struct asy_yaml *key = root->keys[i], *item = root->items[i];

        snprintf(place, sizeof place, "%s: line %u column %u", path, key->line, key->column);
        if (item->type == ASY_YAML_LIST || item->type == ASY_YAML_MAP ||
            item->type == ASY_YAML_NULL)
            rc = asy_fail(err, ASY_E_FORMAT, "%s: setting '%.64s' needs one value", place,
                          key->text);
        else
            rc = asy_settings_set(settings, key->text, item->text, place, err);
    }
out:
    asy_yaml_destroy(root);
    free(text);
    return rc;
}

/* "ASY_LOST_AFTER=5s" to "lost_after"; 0 if it is no variable of ours. */
static int env_key(const char *entry, char key[KEY_MAX])
{
    size_t n = strcspn(entry, "="), skip = strlen(ENV_PREFIX);

    if (strncmp(entry, ENV_PREFIX, skip) || entry[n] != '=' || n - skip >= KEY_MAX)
        return 0;
    for (size_t i = skip; i < n; i++) {
        char c = entry[i];

        if (c >= 'a' && c <= 'z')
            return 0;
        key[i - skip] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    key[n - skip] = 0;
    return 1;
}

static int load_env(struct asy_settings *settings, struct asy_error *err)
{
    char key[KEY_MAX], origin[KEY_MAX + 32];
    size_t at;
    int rc = 0;

    for (char **entry = environ; entry && *entry && rc == 0; entry++) {
        size_t n = strcspn(*entry, "=");

        if (!env_key(*entry, key))
            continue;
        snprintf(origin, sizeof origin, "environment %.*s", (int)n, *entry);
        if (find(settings, key, &at))
            rc = set_at(settings, at, *entry + n + 1, origin, err);
        else if (nearest_key(settings, key))
            rc = unknown(settings, key, origin, err);
    }
    return rc;
}

int asy_settings_load(const char *path, struct asy_settings **ret_settings, struct asy_error *err)
{
    struct asy_settings *settings;
    const struct asy_setting *table;
    size_t n;
    int rc = 0;

    table = asy_settings_table(&n);
    if (!(settings = calloc(1, sizeof *settings + n * sizeof settings->values[0])))
        return asy_fail(err, ASY_E_NOMEM, "no memory for settings");
    settings->table = table;
    settings->n = n;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = set_at(settings, i, table[i].fallback ? table[i].fallback : "", "default", err);
    if (rc || (path && (rc = load_file(settings, path, err))) || (rc = load_env(settings, err))) {
        asy_settings_destroy(settings);
        return rc;
    }
    *ret_settings = settings;
    return 0;
}

void asy_settings_destroy(struct asy_settings *settings)
{
    int saved = errno;

    for (size_t i = 0; settings && i < settings->n; i++) {
        free(settings->values[i].text);
        free(settings->values[i].origin);
    }
    free(settings);
    errno = saved;
}

static const struct value *value_of(const struct asy_settings *settings, const char *key)
{
    size_t at = 0;

    ASY_ASSERT(find(settings, key, &at), "no setting '%s'", key);
    return &settings->values[at];
}

const char *asy_settings_str(const struct asy_settings *settings, const char *key)
{
    return value_of(settings, key)->text;
}

int64_t asy_settings_i64(const struct asy_settings *settings, const char *key)
{
    return value_of(settings, key)->i;
}

const char *asy_settings_origin(const struct asy_settings *settings, const char *key)
{
    return value_of(settings, key)->origin;
}

int asy_settings_check(const struct asy_settings *settings, struct asy_error *err)
{
    static const char *const rising[] = { "heartbeat", "suspect_after", "lost_after" };

    for (size_t i = 1; i < ASY_ARRAY_LEN(rising); i++) {
        const struct value *a = value_of(settings, rising[i - 1]);
        const struct value *b = value_of(settings, rising[i]);

        if (a->i >= b->i)
            return asy_fail(err, ASY_E_INVAL,
                            "setting '%s' (%s, %.60s) must be above '%s' (%s, %.60s)", rising[i],
                            b->text, b->origin, rising[i - 1], a->text, a->origin);
    }
    return 0;
}

/* The user's home folder: $HOME, else the password file's. */
static int user_home(char *ret_path, size_t size, struct asy_error *err)
{
    const char *home = getenv("HOME");
    struct passwd entry, *found = NULL;
    char buf[4096];
    int n;

    if (!home || home[0] != '/') {
        if (getpwuid_r(geteuid(), &entry, buf, sizeof buf, &found) != 0 || !found ||
            found->pw_dir[0] != '/')
            return asy_fail(err, ASY_E_NOENT, "no home folder: set ASSAY_HOME or HOME");
        home = found->pw_dir;
    }
    n = snprintf(ret_path, size, "%s", home);
    if (n < 0 || (size_t)n >= size)
        return asy_fail(err, ASY_E_TOOBIG, "the path of the home folder is too long");
    return 0;
}

int asy_home_path(char *ret_path, size_t size, struct asy_error *err)
{
    const char *home = getenv("ASSAY_HOME"), *data = getenv("XDG_DATA_HOME"), *below;
    char base[PATH_MAX] = "";
    int rc, n;

    if (home && home[0]) {
        if (home[0] != '/' && !getcwd(base, sizeof base))
            return asy_fail_errno(err, errno, "cannot tell the working folder");
        below = home;
    } else if (data && data[0] == '/') { /* a relative one is to be ignored */
        snprintf(base, sizeof base, "%s", data);
        below = "assay";
    } else {
        if ((rc = user_home(base, sizeof base, err)))
            return rc;
        below = ".local/share/assay";
    }
    n = snprintf(ret_path, size, base[0] ? "%s/%s" : "%s%s", base, below);
    if (n < 0 || (size_t)n >= size)
        return asy_fail(err, ASY_E_TOOBIG, "the path of ASSAY_HOME is too long");
    return 0;
}
