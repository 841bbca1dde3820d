/* SPDX-License-Identifier: Apache-2.0
 * trainer.c - asking assay-trainer about data, models and plug-ins: it is the only program that
 * reads them, or runs what is in them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <asy/proc.h>
#include "cli.h"

#define PLUGIN_MS 30000 /* to load a library, and to be told its table */

/* OpenBLAS starts a thread for each core as it is loaded. Each takes 128 MiB of addresses, or tries
 * to for ever where a limit (ulimit -v) has no room for that. The trainer needs none. */
static const char *const quiet[] = { "OPENBLAS_NUM_THREADS=1", NULL };

/* The trainer's last line says why; its name before that says nothing to who asked assay. */
static int failed(struct asy_buf *errors, int status, struct asy_error *err)
{
    static const char name[] = "assay-trainer: ";
    const char *line = errors->data, *last;
    char text[64];

    while (errors->len && line[errors->len - 1] == '\n')
        errors->data[--errors->len] = 0;
    if ((last = strrchr(line, '\n')))
        line = last + 1;
    if (!strncmp(line, name, strlen(name)) && WIFEXITED(status))
        return asy_fail(err, ASY_E_INVAL, "%s", line + strlen(name));
    return asy_fail(err, ASY_E_IO, "assay-trainer failed: %s: %.150s",
                    asy_proc_status_text(status, text), line);
}

static int ask(const char *const *args, int timeout_ms, struct asy_buf *ret_out,
               struct asy_error *err)
{
    struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;
    struct asy_buf errors = { 0 };
    const char *argv[16] = { NULL };
    char program[4096];
    int status = 0, rc;

    if ((rc = asy_proc_find_program("assay-trainer", program, sizeof program, err)) < 0)
        return rc;
    argv[0] = program;
    for (size_t i = 0; args[i] && i + 2 < ASY_ARRAY_LEN(argv); i++)
        argv[i + 1] = args[i];
    spec.argv = argv;
    spec.env_set = quiet;
    if (fcntl(STDIN_FILENO, F_GETFD) >= 0)
        spec.stdin_fd = STDIN_FILENO; /* the table, where a file is called - */
    asy_buf_init(&errors, 1u << 20);
    rc = asy_proc_capture(&spec, timeout_ms, ret_out, &errors, &status, err);
    if (rc == 0 && status != 0)
        rc = failed(&errors, status, err);
    else if (rc == 0 && (rc = asy_buf_check(ret_out, "the trainer's answer", err)) == 0)
        fputs(errors.data, stderr); /* warnings */
    asy_buf_fini(&errors);
    return rc;
}

int asy__trainer(const char *const *args, struct asy_buf *ret_out, struct asy_error *err)
{
    return ask(args, -1, ret_out, err);
}

int asy__model_ask(const struct asy__model *model, const char *const *args,
                   struct asy_buf *ret_out, struct asy_error *err)
{
    struct asy_error why = ASY_ERROR_INIT;
    int rc = asy__trainer(args, ret_out, &why);
    size_t n = strlen(model->path);
    const char *at;

    if (rc == 0)
        return 0;
    at = n && model->name[0] ? strstr(why.text, model->path) : NULL;
    if (!at || at == why.text || at[-1] != '\'' || at[n] != '\'')
        return asy_fail(err, (enum asy_code)rc, "%s", why.text);
    return asy_fail(err, (enum asy_code)rc, "%.*s%s%s", (int)(at - 1 - why.text), why.text,
                    model->name, at + n + 1);
}

/* Whatever a library does when it is loaded is a mistake of the study file. */
int asy__describe_plugin(const char *path, struct asy_buf *ret_json, struct asy_error *err)
{
    const char *const args[] = { "--describe-plugin", path, NULL };
    int rc = ask(args, PLUGIN_MS, ret_json, err);

    if (rc == ASY_E_TIMEOUT)
        return asy_fail(err, ASY_E_INVAL, "plug-in '%s' has not told its table within %d s", path,
                        PLUGIN_MS / 1000);
    if (rc == ASY_E_IO)
        return asy_fail(err, ASY_E_INVAL, "plug-in '%s' cannot be asked for its table: %s", path,
                        err->text);
    return rc;
}

/* Writes {"study": <canonical>} where the trainer can read it. */
static int job_file(const char *spec, size_t len, char path[64], struct asy_error *err)
{
    struct asy_buf job = { 0 };
    int fd, rc;

    snprintf(path, 64, "/tmp/assay-job-XXXXXX");
    if ((fd = mkostemp(path, O_CLOEXEC)) < 0)
        return asy_fail_errno(err, errno, "cannot make a file in /tmp");
    asy_buf_init(&job, 4u << 20);
    asy_buf_adds(&job, "{\"study\":");
    asy_buf_add(&job, spec, len);
    asy_buf_adds(&job, "}");
    rc = asy_buf_check(&job, "the job", err);
    if (rc == 0 && write(fd, job.data, job.len) != (ssize_t)job.len)
        rc = asy_fail_errno(err, errno, "cannot write '%s'", path);
    close(fd);
    asy_buf_fini(&job);
    return rc;
}

/* Asks with a job as the first argument; the answer is JSON. */
static int ask_about(const char *spec, size_t len, const char *what, const char *const *more,
                     struct asy_json **ret_root, struct asy_error *err)
{
    const char *args[10] = { what };
    struct asy_buf out = { 0 };
    char path[64];
    int rc;

    if ((rc = job_file(spec, len, path, err)) < 0)
        return rc;
    args[1] = path;
    for (size_t i = 0; more && more[i] && i + 3 < ASY_ARRAY_LEN(args); i++)
        args[i + 2] = more[i];
    asy_buf_init(&out, 16u << 20);
    if ((rc = asy__trainer(args, &out, err)) == 0)
        rc = asy_json_parse(out.data, out.len, ret_root, err);
    unlink(path);
    asy_buf_fini(&out);
    return rc;
}

int asy__describe_data(const char *study, size_t len, struct asy_json **ret_data,
                       struct asy_error *err)
{
    return ask_about(study, len, "--describe-data", NULL, ret_data, err);
}

int asy__evaluate(const struct asy_json *spec, const char *model, const char *part,
                  struct asy_json **ret_scores, struct asy_error *err)
{
    struct asy_buf text = { 0 };
    struct asy_jsonw w;
    int rc;

    asy_buf_init(&text, 4u << 20);
    asy_jsonw_init(&w, &text, 0);
    asy_jsonw_node(&w, NULL, spec);
    if ((rc = asy_buf_check(&text, "the study", err)) == 0)
        rc = ask_about(text.data, text.len, "--evaluate",
                       (const char *const[]){ "--model", model, "--part", part, NULL }, ret_scores,
                       err);
    asy_buf_fini(&text);
    return rc;
}
