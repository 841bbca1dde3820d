/* SPDX-License-Identifier: Apache-2.0
 * config.c - what Assay is set to: config show, help study. */
#include "cli.h"
#include <string.h>
#include <asy/settings.h>

int asy__cmd_config(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    struct asy_settings *settings = NULL;
    const struct asy_setting *table;
    struct asy_buf out = { 0 };
    struct asy_jsonw w;
    char path[4200];
    size_t n;

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
    for (size_t i = 0; i < n; i++) {
        const char *key = table[i].key;

        if (!options.json)
            printf("%-18s %-12s %-24s %s\n", key, asy_settings_str(settings, key),
                   asy_settings_origin(settings, key), table[i].help);
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

int asy__cmd_help_study(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf text = { 0 };
    int status = EXIT_DONE;

    asy_buf_init(&text, 1u << 20);
    if (asy_study_help(argc > 0 ? argv[0] : NULL, &text, &err) < 0) {
        asy__complain(&err);
        status = EXIT_USAGE;
    } else {
        fputs(text.data, stdout);
    }
    asy_buf_fini(&text);
    return status;
}
