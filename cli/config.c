/* SPDX-License-Identifier: Apache-2.0
 * config.c - what Assay is set to: config show, help study. */
#include "cli.h"
#include <string.h>
#include <asy/settings.h>

static size_t widest_origin(const struct asy_settings *settings, const struct asy_setting *table,
                            size_t n)
{
    size_t widest = 0;

    for (size_t i = 0; i < n; i++) {
        size_t w = strlen(asy_settings_origin(settings, table[i].key));

        widest = w > widest ? w : widest;
    }
    return widest;
}

static void put_setting(const struct asy_settings *settings, const struct asy_setting *setting,
                        size_t origin)
{
    const char *key = setting->key;
    struct asy_buf line = { 0 };

    asy_buf_init(&line, 1u << 16);
    asy_buf_addf(&line, "%-17s %-9s %-*s  ", key, asy_settings_str(settings, key), (int)origin,
                 asy_settings_origin(settings, key));
    asy_buf_adds(&line, setting->help);
    asy__print_lines(stdout, line.data, 17 + 1 + 9 + 1 + origin + 2);
    asy_buf_fini(&line);
}

int asy__cmd_config(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    struct asy_settings *settings = NULL;
    const struct asy_setting *table;
    struct asy_buf out = { 0 };
    struct asy_jsonw w;
    char path[4200];
    size_t n, origin;

    if (argc > 1 && !strcmp(argv[1], "--origin")) /* origins are always shown */
        argc--;
    if (asy__options_parse(argc, argv, "j", 1, 1, &options, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    if (strcmp(options.words[0], "show")) {
        fprintf(stderr, "assay: config knows 'show', not '%s'\n", options.words[0]);
        return EXIT_USAGE;
    }
    snprintf(path, sizeof path, "%s/config.yaml", options.home);
    if (asy_settings_load(path, &settings, &err) < 0)
        return asy__complain(&err);
    asy_buf_init(&out, 1u << 20);
    asy_jsonw_init(&w, &out, 0);
    asy_jsonw_open(&w, NULL, '{');
    table = asy_settings_table(&n);
    origin = widest_origin(settings, table, n);
    for (size_t i = 0; i < n; i++) {
        const char *key = table[i].key;

        if (!options.json)
            put_setting(settings, &table[i], origin);
        asy_jsonw_open(&w, key, '{');
        asy_jsonw_str(&w, "value", asy_settings_str(settings, key));
        asy_jsonw_str(&w, "origin", asy_settings_origin(settings, key));
        asy_jsonw_close(&w, '}');
    }
    asy_jsonw_close(&w, '}');
    if (options.json)
        printf("%s\n", out.data);
    asy_buf_fini(&out);
    asy_settings_destroy(settings);
    return EXIT_DONE;
}

/* A key, a group of options in one word or two ("mlp", "model mlp"), or a plug-in's path. */
static int help_study(int argc, char **argv, struct asy_buf *out, struct asy_error *err)
{
    char group[160];

    if (argc == 0)
        return asy_study_help(NULL, out, err);
    if (argc == 1 && strchr(argv[0], '/'))
        return asy__help_plugin(argv[0], out, err);
    if (argc > 2 || strchr(argv[0], '/'))
        return asy_fail(err, ASY_E_INVAL, "unexpected argument '%.80s'; assay help study takes a "
                        "key, as run.model, or a group, as model mlp",
                        argv[argc > 2 ? 2 : 1]);
    snprintf(group, sizeof group, "%.70s%s%.70s", argv[0], argc > 1 ? " " : "",
             argc > 1 ? argv[1] : "");
    return asy_study_help(argc > 1 ? group : argv[0], out, err);
}

int asy__cmd_help_study(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf text = { 0 };
    int status = EXIT_DONE;

    asy_buf_init(&text, 1u << 20);
    if (help_study(argc, argv, &text, &err) < 0) {
        asy__complain(&err);
        status = EXIT_USAGE;
    } else {
        fputs(text.data, stdout);
    }
    asy_buf_fini(&text);
    return status;
}
