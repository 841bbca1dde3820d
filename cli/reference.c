/* SPDX-License-Identifier: Apache-2.0
 * reference.c - the pages of docs/reference, each written from the table that the program itself
 * reads: the build target `reference` calls this, a test compares. */
#include "cli.h"
#include <string.h>
#include <asy/settings.h>

int asy__cmd_reference(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*write)(struct asy_buf *ret_markdown);
    } pages[] = {
        { "commands", asy__commands_reference },
        { "settings", asy_settings_reference },
        { "study-file", asy_study_reference },
    };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    struct asy_buf text;
    int status = EXIT_USAGE;

    if (asy__options_parse(argc, argv, "", 1, 1, &options, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    asy_buf_init(&text, 1u << 20);
    for (size_t i = 0; i < ASY_ARRAY_LEN(pages); i++) {
        if (strcmp(options.words[0], pages[i].name) != 0)
            continue;
        pages[i].write(&text);
        if (asy_buf_check(&text, "the page", &err) < 0) {
            status = asy__complain(&err);
        } else {
            fputs(text.data, stdout);
            status = EXIT_DONE;
        }
    }
    if (status == EXIT_USAGE)
        fprintf(stderr, "assay: there is no page '%s'\n", options.words[0]);
    asy_buf_fini(&text);
    return status;
}
