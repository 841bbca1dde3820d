/* SPDX-License-Identifier: Apache-2.0
 * test_settings.c - default, file, environment, flag: the later wins and tells its origin. */
#include <asy/settings.h>
#include <unistd.h>
#include "asytest.h"
#include "folder.h"

/* Loads a file of this text (NULL: no file). */
static int load(const char *text, struct asy_settings **ret, struct asy_error *err)
{
    struct t_folder folder;
    char path[PATH_MAX];
    int rc = ASY_E_IO;

    if (!t_folder_make(&folder))
        return rc;
    t_path(&folder, "config.yaml", path);
    if (!text || t_write(path, text))
        rc = asy_settings_load(path, ret, err);
    t_folder_drop(&folder);
    return rc;
}

static void the_table_is_sound(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_settings *settings = NULL;
    const struct asy_setting *table;
    size_t n;

    table = asy_settings_table(&n);
    T_TRUE(n > 10);
    for (size_t i = 0; i < n; i++) {
        T_TRUE(strspn(table[i].key, "abcdefghijklmnopqrstuvwxyz_") == strlen(table[i].key));
        T_TRUE(i == 0 || strcmp(table[i - 1].key, table[i].key) < 0);
        T_TRUE(table[i].help && table[i].help[0]);
        T_EQ(table[i].key, table[i].choices != NULL, table[i].type == ASY_SET_CHOICE);
        T_TRUE(table[i].min <= table[i].max);
    }
    if (T_OK(load(NULL, &settings, &err), &err)) { /* each default is a value it would take */
        T_OK(asy_settings_check(settings, &err), &err);
        T_STR("origin", asy_settings_origin(settings, "grace"), "default");
        T_EQ("grace", asy_settings_i64(settings, "grace"), 30000);
        T_EQ("quota", asy_settings_i64(settings, "artifact_quota"), INT64_C(10) << 30);
        T_STR("interface", asy_settings_str(settings, "interface"), "");
    }
    asy_settings_destroy(settings);
    asy_settings_destroy(NULL);
}

static void the_later_origin_wins(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_settings *settings = NULL;

    setenv("ASY_LOST_AFTER", "20s", 1);
    setenv("ASY_GRACE", "1m", 1);
    if (!T_OK(load("grace: 5s\nheartbeat: 2\nlog_level: debug # here\n", &settings, &err), &err))
        goto out;
    T_EQ("file", asy_settings_i64(settings, "heartbeat"), 2000);
    T_HAS("file", asy_settings_origin(settings, "heartbeat"), "config.yaml: line 2 column 1");
    T_STR("choice", asy_settings_str(settings, "log_level"), "debug");
    T_EQ("environment over file", asy_settings_i64(settings, "grace"), 60000);
    T_STR("environment", asy_settings_origin(settings, "grace"), "environment ASY_GRACE");
    T_EQ("environment over default", asy_settings_i64(settings, "lost_after"), 20000);
    T_OK(asy_settings_set(settings, "lost-after", "30s", "flag --lost-after", &err), &err);
    T_EQ("flag", asy_settings_i64(settings, "lost_after"), 30000);
    T_STR("flag", asy_settings_origin(settings, "lost_after"), "flag --lost-after");
    T_EQ("refused", asy_settings_set(settings, "lost_after", "soon", "flag", &err), ASY_E_FORMAT);
    T_EQ("the value before it stays", asy_settings_i64(settings, "lost_after"), 30000);
out:
    unsetenv("ASY_LOST_AFTER");
    unsetenv("ASY_GRACE");
    asy_settings_destroy(settings);
}

static void a_mistake_in_the_file_is_named_with_its_place(void)
{
    static const struct { const char *text; int want; const char *has; } cases[] = {
        { "", 0, "" },
        { "# nothing\n", 0, "" },
        { "grace: 5s\nlost_aftr: 3s\n", ASY_E_NOENT,
          "line 2 column 1: no setting 'lost_aftr'; did you mean 'lost_after'?" },
        { "colour: red\n", ASY_E_NOENT, "line 1 column 1: no setting 'colour'" },
        { "grace: soon\n", ASY_E_FORMAT, "setting 'grace': 'soon' is not a duration" },
        { "grace: 25h\n", ASY_E_INVAL, "setting 'grace': must be from 0 to 1d" },
        { "heartbeat: 5ms\n", ASY_E_INVAL, "must be from 10ms to 1h" },
        { "artifact_quota: 2000TiB\n", ASY_E_INVAL, "must be from 0 to 1024TiB" },
        { "artifact_quota: 99999999TiB\n", ASY_E_TOOBIG, "is too big" },
        { "max_workers: 0\n", ASY_E_INVAL, "must be from 1 to 1000000" },
        { "max_workers: many\n", ASY_E_FORMAT, "is not a whole number" },
        { "max_workers: 1.5\n", ASY_E_FORMAT, "is not a whole number" },
        { "log_level: loud\n", ASY_E_INVAL, "'loud' is not one of debug|info|warn|error" },
        { "log_level: debug|info\n", ASY_E_INVAL, "is not one of" },
        { "log_level: ''\n", ASY_E_INVAL, "is not one of" },
        { "grace:\n", ASY_E_FORMAT, "line 1 column 1: setting 'grace' needs one value" },
        { "grace: [1s]\n", ASY_E_FORMAT, "needs one value" },
        { "grace: {a: 1s}\n", ASY_E_FORMAT, "needs one value" },
        { "- grace\n", ASY_E_FORMAT, "line 1 column 1: settings are lines 'key: value'" },
        { "grace\n", ASY_E_FORMAT, "settings are lines" },
        { "grace: 1s\ngrace: 2s\n", ASY_E_FORMAT, "line 2 column 1: key 'grace'" },
        { "grace: 'x\n", ASY_E_FORMAT, "config.yaml: line" },
        { "Grace: 1s\n", ASY_E_NOENT, "did you mean 'grace'?" },
        { "aaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaabbbbbbbbbbaaaaaaaaaab: 1\n",
          ASY_E_NOENT, "no setting 'aaaaaaaaaabbbb" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_settings *settings = NULL;

        T_EQ(cases[i].text, load(cases[i].text, &settings, &err), cases[i].want);
        T_HAS(cases[i].text, err.text, cases[i].has);
        T_EQ(cases[i].text, settings != NULL, cases[i].want == 0);
        asy_settings_destroy(settings);
    }
}

static void a_mistake_in_the_environment_is_named(void)
{
    static const struct { const char *name, *value; int want; const char *has; } cases[] = {
        { "ASY_GRACE", "x", ASY_E_FORMAT, "environment ASY_GRACE: setting 'grace': 'x' is not" },
        { "ASY_GRACE", "", ASY_E_FORMAT, "is not a duration" },
        { "ASY_LOST_AFTR", "1s", ASY_E_NOENT, "did you mean 'lost_after'?" },
        { "ASY_SOMETHING_ELSE_ALTOGETHER", "1", 0, "" }, /* another program's */
        { "asy_grace", "x", 0, "" },
        { "ASY_grace", "x", 0, "" },
        { "ASSAY_HOME", "/x", 0, "" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_settings *settings = NULL;

        setenv(cases[i].name, cases[i].value, 1);
        T_EQ(cases[i].name, asy_settings_load(NULL, &settings, &err), cases[i].want);
        T_HAS(cases[i].name, err.text, cases[i].has);
        unsetenv(cases[i].name);
        asy_settings_destroy(settings);
    }
}

static void a_file_that_cannot_be_read_is_no_missing_file(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_settings *settings = NULL;

    T_EQ("a folder", asy_settings_load("/tmp", &settings, &err), ASY_E_IO);
    T_HAS("a folder", err.text, "cannot read '/tmp'");
    asy_settings_destroy(settings);
}

static void limits_between_settings_hold(void)
{
    static const struct { const char *text; int want; const char *has; } cases[] = {
        { "heartbeat: 1s\nsuspect_after: 2s\nlost_after: 3s\n", 0, "" },
        { "suspect_after: 1s\n", ASY_E_INVAL, "'suspect_after' (1s, " },
        { "lost_after: 2s\n", ASY_E_INVAL, "must be above 'suspect_after' (3s, default)" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_settings *settings = NULL;

        if (T_OK(load(cases[i].text, &settings, &err), &err)) {
            T_EQ(cases[i].text, asy_settings_check(settings, &err), cases[i].want);
            T_HAS(cases[i].text, err.text, cases[i].has);
        }
        asy_settings_destroy(settings);
    }
}

static void put_env(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

static void the_home_folder_follows_the_environment(void)
{
    static const struct { const char *assay, *xdg, *home, *want; } cases[] = {
        { "/a/b", "/x", "/h", "/a/b" },
        { NULL, "/x", "/h", "/x/assay" },
        { "", "/x", "/h", "/x/assay" },
        { NULL, "relative", "/h", "/h/.local/share/assay" },
        { NULL, NULL, "/h", "/h/.local/share/assay" },
        { "rel", NULL, "/h", "/tmp/rel" }, /* below the working folder */
    };
    char path[PATH_MAX], small[8], before[PATH_MAX];
    struct asy_error err = ASY_ERROR_INIT;

    if (!T_TRUE(getcwd(before, sizeof before) != NULL) || !T_TRUE(chdir("/tmp") == 0))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        put_env("ASSAY_HOME", cases[i].assay);
        put_env("XDG_DATA_HOME", cases[i].xdg);
        put_env("HOME", cases[i].home);
        if (T_OK(asy_home_path(path, sizeof path, &err), &err))
            T_STR(cases[i].want, path, cases[i].want);
    }
    put_env("ASSAY_HOME", "/longer/than/that");
    T_EQ("too long", asy_home_path(small, sizeof small, &err), ASY_E_TOOBIG);
    put_env("ASSAY_HOME", NULL);
    put_env("HOME", NULL);
    T_OK(asy_home_path(path, sizeof path, &err), &err); /* the password file knows */
    T_TRUE(path[0] == '/');
    T_TRUE(chdir(before) == 0);
}

T_MAIN("settings", T_TEST(the_table_is_sound), T_TEST(the_later_origin_wins),
       T_TEST(a_mistake_in_the_file_is_named_with_its_place),
       T_TEST(a_mistake_in_the_environment_is_named),
       T_TEST(a_file_that_cannot_be_read_is_no_missing_file), T_TEST(limits_between_settings_hold),
       T_TEST(the_home_folder_follows_the_environment))
