/* SPDX-License-Identifier: Apache-2.0
 * backup.c - a copy of the store as one file, and a new store from such a file. The coordinator's
 * program does it: the command line has no SQL. */
#include "cli.h"
#include <inttypes.h>
#include <string.h>
#include <asy/keys.h>
#include <asy/proc.h>

#define FOREVER (-1) /* large stores take as long as they take */

/* Runs assay-coordinator with this option. */
static int run(const struct asy__options *options, const char *option, struct asy_json **ret_root,
               struct asy_error *err)
{
    const char *args[] = { option, options->words[0], "--home", options->home, NULL };
    static const char name[] = "assay-coordinator: ";
    char program[4096], *end;
    int rc = asy_proc_find_program("assay-coordinator", program, sizeof program, err);

    if (rc < 0)
        return rc;
    rc = asy__program_json(program, args, FOREVER, ret_root, err);
    if (rc < 0 && !strncmp(err->text, name, strlen(name))) { /* its own words alone */
        memmove(err->text, err->text + strlen(name), strlen(err->text + strlen(name)) + 1);
        if ((end = strstr(err->text, "; it ended with ")))
            *end = '\0';
    }
    return rc;
}

static int copy(int argc, char **argv, const char *option, struct asy__options *ret_options,
                int64_t *ret_studies, int64_t *ret_bytes)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    int status = EXIT_DONE;

    if (asy__options_parse(argc, argv, "", 1, 1, ret_options, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    if (run(ret_options, option, &root, &err) < 0)
        status = asy__complain(&err);
    *ret_studies = asy_json_i64(asy_json_get(root, "studies"), 0);
    *ret_bytes = asy_json_i64(asy_json_get(root, "bytes"), 0);
    asy_json_destroy(root);
    return status;
}

int asy__cmd_backup(int argc, char **argv)
{
    struct asy__options options;
    int64_t studies, bytes;
    int status = copy(argc, argv, "--backup", &options, &studies, &bytes);

    if (status == EXIT_DONE) {
        printf("%s: %" PRId64 " stud%s, %" PRId64 " KiB\n", options.words[0], studies,
               studies == 1 ? "y" : "ies", bytes >> 10);
        fprintf(stderr, "assay: models, checkpoints, logs and keys are files of their own and not "
                        "in it: copy artifacts/, logs/ and keys/ in '%s' as well\n", options.home);
    }
    return status;
}

int asy__cmd_restore(int argc, char **argv)
{
    struct asy__options options;
    int64_t studies, bytes;
    int status = copy(argc, argv, "--restore", &options, &studies, &bytes);

    if (status == EXIT_DONE) {
        printf("%s: %" PRId64 " stud%s restored\n", options.home, studies,
               studies == 1 ? "y" : "ies");
        fputs("assay: 'assay up' starts a coordinator on it; it is a new store: workers that still "
              "run trials of the old one offer them, 'assay workers' lists those, 'assay adopt' "
              "takes them over\n", stderr);
    }
    return status;
}
