/* SPDX-License-Identifier: Apache-2.0
 * programs.c - the other programs of this installation: where they are, what they say of
 * themselves. The command line links none of their libraries, so it asks. */
#include "cli.h"
#include <string.h>
#include <asy/proc.h>

#define ASK_MS 20000
#define ARGS_MAX 12

int asy__program_json(const char *path, const char *const *args, int timeout_ms,
                      struct asy_json **ret_root, struct asy_error *err)
{
    struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;
    const char *argv[ARGS_MAX + 2] = { path };
    struct asy_buf out, errors;
    char text[64];
    int status = 0, rc;

    for (size_t i = 0; args[i] && i < ARGS_MAX; i++)
        argv[i + 1] = args[i];
    spec.argv = argv;
    spec.new_session = 1; /* a signal to it and its own children reaches nobody else */
    asy_buf_init(&out, 4u << 20);
    asy_buf_init(&errors, 1u << 20);
    rc = asy_proc_capture(&spec, timeout_ms, &out, &errors, &status, err);
    if (rc == 0 && status != 0)
        rc = asy_fail(err, ASY_E_IO, "%.*s%s%s", (int)strcspn(errors.data, "\n"), errors.data,
                      errors.len ? "; it ended with " : "it ended with ",
                      asy_proc_status_text(status, text));
    if (rc == 0 && (rc = asy_json_parse(out.data, out.len, ret_root, err)) < 0)
        asy_error_prefix(err, "what '%s' printed", path);
    asy_buf_fini(&errors);
    asy_buf_fini(&out);
    return rc;
}

void asy__programs_ask(struct asy__program programs[ASY__PROGRAMS])
{
    static const char *const names[ASY__PROGRAMS] = { "assay-coordinator", "assay-worker",
                                                      "assay-attempt", "assay-trainer" };

    for (size_t i = 0; i < ASY__PROGRAMS; i++) {
        struct asy__program *program = &programs[i];

        *program = (struct asy__program){ .name = names[i] };
        if (asy_proc_find_program(names[i], program->path, sizeof program->path, &program->why) < 0)
            program->path[0] = 0;
        else if (asy__program_json(program->path,
                                   (const char *const[]){ "--version", "--json", NULL }, ASK_MS,
                                   &program->about, &program->why) < 0)
            program->about = NULL;
    }
}

void asy__programs_fini(struct asy__program programs[ASY__PROGRAMS])
{
    for (size_t i = 0; i < ASY__PROGRAMS; i++) {
        asy_json_destroy(programs[i].about);
        programs[i].about = NULL;
    }
}
