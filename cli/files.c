/* SPDX-License-Identifier: Apache-2.0
 * files.c - the commands whose result is a file's content: logs, predict, export. */
#include "cli.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <asy/durable.h>
#include <asy/parse.h>

#define FOLLOW_MS 200
#define MODEL_MAX ((size_t)1 << 40)

static int write_out(const struct asy__options *options, const char *bytes, size_t n,
                     struct asy_error *err)
{
    if (options->output)
        return asy_durable_write(options->output, bytes, n, 0644, err);
    if (fwrite(bytes, 1, n, stdout) != n || fflush(stdout) != 0)
        return asy_fail_errno(err, errno, "cannot write to standard output");
    return 0;
}

/* ---- logs ---------------------------------------------------------------------------------- */

static int trial_over(const struct asy_json *trial)
{
    static const char *const states[] = { "complete", "pruned", "failed", "cancelled" };
    const char *state = asy_json_str(asy_json_get(trial, "state"), "");

    for (size_t i = 0; i < ASY_ARRAY_LEN(states); i++)
        if (!strcmp(states[i], state))
            return 1;
    return 0;
}

static int copy_rest(int fd, FILE *to, struct asy_error *err)
{
    char bytes[65536];
    ssize_t got;

    while ((got = read(fd, bytes, sizeof bytes)) > 0)
        if (fwrite(bytes, 1, (size_t)got, to) != (size_t)got)
            return asy_fail_errno(err, errno, "cannot write what the trial printed");
    if (got < 0)
        return asy_fail_errno(err, errno, "cannot read the log");
    return fflush(to) ? asy_fail_errno(err, errno, "cannot write what the trial printed") : 0;
}

/* The two files of one attempt, as far as they are there; a descriptor each, -1: not yet. */
struct log {
    char folder[PATH_MAX]; /* of the trial */
    int64_t attempt;
    int out, err;
};

static void close_log(struct log *log)
{
    if (log->out >= 0)
        close(log->out);
    if (log->err >= 0)
        close(log->err);
    log->out = log->err = -1;
}

static int copy_stream(const struct log *log, const char *name, int *fd, FILE *to,
                       struct asy_error *err)
{
    char path[PATH_MAX + 64];

    snprintf(path, sizeof path, "%s/%" PRId64 "/%s", log->folder, log->attempt, name);
    if (*fd < 0)
        *fd = open(path, O_RDONLY | O_CLOEXEC);
    return *fd < 0 ? 0 : copy_rest(*fd, to, err);
}

/* stdout to stdout and stderr to stderr; with --stderr the latter alone, to stdout. */
static int copy_log(struct log *log, const struct asy__options *options, struct asy_error *err)
{
    int rc = options->error_stream ? 0 : copy_stream(log, "stdout", &log->out, stdout, err);

    if (rc < 0)
        return rc;
    return copy_stream(log, "stderr", &log->err, options->error_stream ? stdout : stderr, err);
}

/* What the attempt in hand printed; then, unless one was named, what later ones did. */
static int copy_attempts(struct log *log, int64_t newest, const struct asy__options *options,
                         struct asy_error *err)
{
    int rc;

    while ((rc = copy_log(log, options, err)) == 0 && !options->attempt && log->attempt < newest) {
        close_log(log);
        log->attempt++;
    }
    return rc;
}

/* Prints the log of one attempt (the newest unless named); with --follow until its trial ended. */
static int show_log(struct asy__session *session, const struct asy__options *options, int64_t trial,
                    struct asy_error *err)
{
    struct asy_json *study = NULL, *row = NULL;
    struct log log = { .attempt = options->attempt, .out = -1, .err = -1 };
    struct asy_buf json = { 0 };
    int64_t newest;
    int over, rc;

    asy_buf_init(&json, 64u << 20);
    if ((rc = asy__query(session, "study", options->words[0], -1, -1, -1, NULL, &json, &study,
                         err)) < 0)
        goto out;
    snprintf(log.folder, sizeof log.folder, "%.1024s/logs/%s/%" PRId64, options->home,
             asy_json_str(asy_json_get(study, "id"), ""), trial);
    do {
        asy_json_destroy(row);
        row = NULL;
        if ((rc = asy__query(session, "trial", options->words[0], trial, -1, -1, NULL, &json, &row,
                             err)) < 0)
            goto out;
        over = trial_over(row); /* asked first: then all is written that will be */
        newest = asy_json_i64(asy_json_get(row, "attempts"), 0);
        if (!log.attempt)
            log.attempt = newest;
        if (log.attempt && (rc = copy_attempts(&log, newest, options, err)) < 0)
            goto out;
        if (options->follow && !over)
            ASY_IGNORE(poll(NULL, 0, FOLLOW_MS) < 0);
    } while (options->follow && !over);
    if (log.out < 0 && log.err < 0)
        rc = asy_fail(err, ASY_E_NOENT, "trial %" PRId64 " has printed nothing yet ('%.150s')",
                      trial, log.folder);
out:
    close_log(&log);
    asy_json_destroy(row);
    asy_json_destroy(study);
    asy_buf_fini(&json);
    return rc;
}

int asy__cmd_logs(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    struct asy__session *session = NULL;
    int64_t trial = 0;
    int status = EXIT_DONE;

    if (asy__options_parse(argc, argv, "feA", 2, 2, &options, &err) < 0 ||
        asy__trial_number(options.words[1], &trial, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    if (asy__session_open(&options, ASY__START_COORDINATOR, &session, &err) < 0 ||
        show_log(session, &options, trial, &err) < 0)
        status = asy__complain(&err);
    asy__session_close(session);
    return status;
}

/* ---- predict ------------------------------------------------------------------------------- */

/* Of one trial, or of the best one (trial < 0). */
static int find_model(struct asy__session *session, const char *study, int64_t trial,
                      char path[PATH_MAX], struct asy_error *err)
{
    struct asy_json *row = NULL, *answer = NULL;
    const struct asy_json *model;
    struct asy_buf json = { 0 };
    int rc;

    asy_buf_init(&json, 64u << 20);
    if ((rc = asy__query(session, "study", study, -1, -1, -1, NULL, &json, &row, err)) < 0)
        goto out;
    if (trial < 0)
        trial = asy_json_i64(asy_json_get(row, "best_trial"), -1);
    if (trial < 0) {
        rc = asy_fail(err, ASY_E_NOENT, "study '%s' has no complete trial", study);
        goto out;
    }
    if ((rc = asy__query(session, "trial", study, trial, -1, -1, NULL, &json, &answer, err)) < 0)
        goto out;
    if ((model = asy__model_of(answer)))
        snprintf(path, PATH_MAX, "%s", asy_json_str(asy_json_get(model, "path"), ""));
    else
        rc = asy_fail(err, ASY_E_NOENT, "trial %" PRId64 " of '%s' left no model", trial, study);
out:
    asy_json_destroy(answer);
    asy_json_destroy(row);
    asy_buf_fini(&json);
    return rc;
}

int asy__cmd_predict(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    struct asy__session *session = NULL;
    struct asy_buf out = { 0 };
    char model[PATH_MAX];
    int status = EXIT_DONE;

    asy_buf_init(&out, 1u << 30);
    if (asy__options_parse(argc, argv, "o", 2, 2, &options, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    if (asy__session_open(&options, ASY__START_COORDINATOR, &session, &err) < 0 ||
        find_model(session, options.words[0], -1, model, &err) < 0 ||
        asy__trainer((const char *const[]){ "--predict", model, options.words[1], NULL }, &out,
                     &err) < 0 ||
        write_out(&options, out.data, out.len, &err) < 0)
        status = asy__complain(&err);
    asy_buf_fini(&out);
    asy__session_close(session);
    return status;
}

/* ---- export -------------------------------------------------------------------------------- */

static void csv_text(struct asy_buf *out, const char *text)
{
    int quote = strpbrk(text, ",\"\r\n") != NULL;

    if (quote)
        asy_buf_addc(out, '"');
    for (; *text; text++) {
        if (*text == '"')
            asy_buf_addc(out, '"');
        asy_buf_addc(out, *text);
    }
    if (quote)
        asy_buf_addc(out, '"');
}

static void csv_value(struct asy_buf *out, const struct asy_json *node)
{
    char text[32];

    switch (node ? asy_json_type(node) : ASY_JSON_NULL) {
    case ASY_JSON_BOOL:
        asy_buf_adds(out, asy_json_bool(node, 0) ? "true" : "false");
        break;
    case ASY_JSON_INT:
        asy_buf_addf(out, "%" PRId64, asy_json_i64(node, 0));
        break;
    case ASY_JSON_REAL:
        asy_buf_adds(out, asy_format_f64(asy_json_f64(node, 0), text));
        break;
    case ASY_JSON_STRING:
        csv_text(out, asy_json_str(node, ""));
        break;
    default:
        break;
    }
}

static void csv_table(const struct asy_json *root, const struct asy_json *parameters,
                      struct asy_buf *out)
{
    static const char *const keys[] = { "number", "state", "cause", "value", "step", "attempts",
                                        "created_us", "started_us", "ended_us", "host", "seed",
                                        "id" };
    const struct asy_json *trials = asy_json_get(root, "trials"), *trial;
    const char *name;

    for (size_t i = 0; i < ASY_ARRAY_LEN(keys); i++)
        asy_buf_addf(out, "%s%s", i ? "," : "", keys[i]);
    for (size_t i = 0; asy_json_member(parameters, i, &name); i++) {
        asy_buf_adds(out, ",params_");
        csv_text(out, name);
    }
    asy_buf_addc(out, '\n');
    for (size_t t = 0; (trial = asy_json_at(trials, t)); t++) {
        for (size_t i = 0; i < ASY_ARRAY_LEN(keys); i++) {
            if (i)
                asy_buf_addc(out, ',');
            csv_value(out, asy_json_get(trial, keys[i]));
        }
        for (size_t i = 0; asy_json_member(parameters, i, &name); i++) {
            asy_buf_addc(out, ',');
            csv_value(out, asy_json_get(asy_json_get(trial, "params"), name));
        }
        asy_buf_addc(out, '\n');
    }
}

static int export_model(struct asy__session *session, const struct asy__options *options,
                        int64_t trial, struct asy_error *err)
{
    char path[PATH_MAX], *bytes = NULL;
    size_t n;
    int rc;

    if (!options->output && isatty(STDOUT_FILENO))
        return asy_fail(err, ASY_E_INVAL, "a model is no text for a terminal; give --output FILE");
    if ((rc = find_model(session, options->words[0], trial, path, err)) == 0 &&
        (rc = asy_read_file(path, MODEL_MAX, &bytes, &n, err)) == 0)
        rc = write_out(options, bytes, n, err);
    free(bytes);
    return rc;
}

static int export(struct asy__session *session, const struct asy__options *options,
                  struct asy_error *err)
{
    const char *format = options->format ? options->format : options->json ? "json" : "csv";
    struct asy_json *study = NULL, *root = NULL;
    struct asy_buf json = { 0 }, out = { 0 };
    int rc;

    asy_buf_init(&json, 1u << 30);
    asy_buf_init(&out, 1u << 30);
    if (strcmp(format, "csv") && strcmp(format, "json")) {
        rc = asy_fail(err, ASY_E_INVAL, "--format takes csv or json, not '%s'", format);
        goto out;
    }
    if ((rc = asy__query(session, "study", options->words[0], -1, -1, -1, NULL, &json, &study,
                         err)) < 0 ||
        (rc = asy__query(session, "trials", options->words[0], -1, -1, -1, NULL, &json, &root,
                         err)) < 0)
        goto out;
    if (!strcmp(format, "json")) {
        asy_buf_addc(&json, '\n');
        rc = write_out(options, json.data, json.len, err);
        goto out;
    }
    csv_table(root, asy_json_get(asy_json_get(study, "spec"), "parameters"), &out);
    if ((rc = asy_buf_check(&out, "the table", err)) == 0)
        rc = write_out(options, out.data, out.len, err);
out:
    asy_json_destroy(root);
    asy_json_destroy(study);
    asy_buf_fini(&out);
    asy_buf_fini(&json);
    return rc;
}

int asy__cmd_export(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    struct asy__session *session = NULL;
    int64_t trial = -1;
    int status = EXIT_DONE;

    if (asy__options_parse(argc, argv, "oFmj", 1, 2, &options, &err) < 0 ||
        (options.n_words > 1 && asy__trial_number(options.words[1], &trial, &err) < 0) ||
        (options.n_words > 1 && !options.model &&
         asy_fail(&err, ASY_E_INVAL, "a trial is exported with --model alone") < 0)) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    if (asy__session_open(&options, ASY__START_COORDINATOR, &session, &err) < 0 ||
        (options.model ? export_model(session, &options, trial, &err)
                       : export(session, &options, &err)) < 0)
        status = asy__complain(&err);
    asy__session_close(session);
    return status;
}
