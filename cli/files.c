/* SPDX-License-Identifier: Apache-2.0
 * files.c - the commands whose result is a file's content: predict, generate, scores,
 * export. */
#include "cli.h"
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <asy/durable.h>
#include <asy/parse.h>

#define MODEL_MAX ((size_t)1 << 40)
#define CONVERTED_MAX ((size_t)1 << 32)
#define STORED ".safetensors"

/* What is no file takes the bytes where it stands: a device, a pipe, a link to nothing yet. */
static int write_through(const char *path, const char *bytes, size_t n, struct asy_error *err)
{
    FILE *file = fopen(path, "we");
    int rc = 0;

    if (!file)
        return asy_fail_errno(err, errno, "cannot open '%s'", path);
    if (fwrite(bytes, 1, n, file) != n)
        rc = asy_fail_errno(err, errno, "cannot write '%s'", path);
    if (fclose(file) != 0 && rc == 0)
        rc = asy_fail_errno(err, errno, "cannot write '%s'", path);
    return rc;
}

/* A file is replaced as a whole, with its permissions and where a link leads. */
static int replace(const char *path, const char *bytes, size_t n, struct asy_error *err)
{
    char real[PATH_MAX];
    struct stat st;
    int rc;

    if (lstat(path, &st) < 0)
        return asy_durable_write(path, bytes, n, 0644, err);
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || !realpath(path, real))
        return write_through(path, bytes, n, err);
    rc = asy_durable_write(real, bytes, n, st.st_mode & 0777, err);
    if (rc == 0 && chmod(real, st.st_mode & 0777) < 0) /* whatever the umask is */
        rc = asy_fail_errno(err, errno, "cannot set the permissions of '%s'", path);
    return rc;
}

static int write_out(const struct asy__options *options, const char *bytes, size_t n,
                     struct asy_error *err)
{
    if (options->output)
        return replace(options->output, bytes, n, err);
    if (fwrite(bytes, 1, n, stdout) != n || fflush(stdout) != 0)
        return asy_fail_errno(err, errno, "cannot write to standard output");
    return 0;
}

/* ---- predict ------------------------------------------------------------------------------- */

/* Of one trial, or of the best one (trial < 0): its artifact of that name, else its model. */
static int find_left(struct asy__session *session, const char *study, int64_t trial,
                     const char *name, struct asy__model *ret_model, struct asy_error *err)
{
    struct asy_json *row = NULL, *answer = NULL;
    const struct asy_json *model;
    struct asy_buf json = { 0 };
    int rc;

    asy_buf_init(&json, 64u << 20);
    if ((rc = asy__query(session, "study", study, -1, -1, -1, NULL, &json, &row, err)) < 0)
        goto out;
    if (asy_json_get(asy_json_get(asy_json_get(row, "spec"), "run"), "command")) {
        rc = asy_fail(err, ASY_E_NOENT, "study '%s' runs a command: it has no model of ours that "
                      "could predict or be exported", study);
        goto out;
    }
    if (trial < 0)
        trial = asy_json_i64(asy_json_get(row, "best_trial"), -1);
    if (trial < 0) {
        rc = asy_fail(err, ASY_E_NOENT, "study '%s' has no complete trial%s", study,
                      asy_json_i64(asy_json_get(row, "ended_us"), 0) ? "" : " yet");
        goto out;
    }
    if ((rc = asy__query(session, "trial", study, trial, -1, -1, NULL, &json, &answer, err)) < 0)
        goto out;
    if ((model = asy__left_of(answer, name)) || (model = asy__left_of(answer, "model")))
        rc = asy__model_get(session, asy_json_str(asy_json_get(row, "id"), ""), trial, model,
                            ret_model, err);
    else
        rc = asy_fail(err, ASY_E_NOENT, "trial %" PRId64 " of '%s' left no model: it has not "
                      "trained to run.length.max, nor ended by patience", trial, study);
    if (rc == 0)
        snprintf(ret_model->name, sizeof ret_model->name, "trial %" PRId64 " of '%.100s'", trial,
                 study);
out:
    asy_json_destroy(answer);
    asy_json_destroy(row);
    asy_buf_fini(&json);
    return rc;
}

static int find_model(struct asy__session *session, const char *study, int64_t trial,
                      struct asy__model *ret_model, struct asy_error *err)
{
    return find_left(session, study, trial, "model", ret_model, err);
}

/* A number for FILE may be a trial's: told before a model has come from elsewhere. */
static int read_words(const struct asy__options *options, int64_t *ret_trial,
                      struct asy_error *err)
{
    const char *file = options->words[1];
    int64_t number;

    if (options->n_words > 2)
        return asy__trial_number(options->words[1], ret_trial, err);
    if (asy__trial_number(file, &number, NULL) == 0 && access(file, F_OK) < 0 && errno == ENOENT)
        return asy_fail(err, ASY_E_NOENT,
                        "there is no file '%s'; where that is a trial, FILE is missing", file);
    return 0;
}

int asy__cmd_predict(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    struct asy__session *session = NULL;
    struct asy_buf out = { 0 };
    struct asy__model model = { .path = "" };
    int64_t trial = -1;
    int status = EXIT_DONE;

    asy_buf_init(&out, 1u << 30);
    if (asy__options_parse(argc, argv, "oj", 2, 3, &options, &err) < 0 ||
        read_words(&options, &trial, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    if (asy__session_open(&options, ASY__START_COORDINATOR, &session, &err) < 0 ||
        find_model(session, options.words[0], trial, &model, &err) < 0 ||
        asy__model_ask(&model, (const char *const[]){ "--predict", model.path,
                                                      options.words[options.n_words - 1],
                                                      options.json ? "--json" : NULL, NULL },
                       &out, &err) < 0 ||
        write_out(&options, out.data, out.len, &err) < 0)
        status = asy__complain(&err);
    asy__model_drop(&model);
    asy_buf_fini(&out);
    asy__session_close(session);
    return status;
}

/* ---- scores -------------------------------------------------------------------------------- */

int asy__cmd_scores(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    struct asy__session *session = NULL;
    struct asy_buf out = { 0 };
    struct asy__model model = { .path = "" };
    int64_t trial = -1;
    int status = EXIT_DONE;

    asy_buf_init(&out, 1u << 30);
    if (asy__options_parse(argc, argv, "oj", 1, 2, &options, &err) < 0 ||
        (options.n_words > 1 && asy__trial_number(options.words[1], &trial, &err) < 0)) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    if (asy__session_open(&options, ASY__START_COORDINATOR, &session, &err) < 0 ||
        find_left(session, options.words[0], trial, ASY_SCORES_FILE, &model, &err) < 0 ||
        asy__model_ask(&model, (const char *const[]){ "--report", model.path,
                                                      options.json ? "--json" : NULL, NULL },
                       &out, &err) < 0 ||
        write_out(&options, out.data, out.len, &err) < 0)
        status = asy__complain(&err);
    asy__model_drop(&model);
    asy_buf_fini(&out);
    asy__session_close(session);
    return status;
}

/* ---- generate ------------------------------------------------------------------------------- */

static int is_stored(const char *word);

static int generate(const struct asy__options *options, const struct asy__model *model,
                    struct asy_buf *out, struct asy_error *err)
{
    const char *const pairs[][2] = { { "--prompt", options->prompt },
                                     { "--tokens", options->tokens },
                                     { "--temperature", options->temperature },
                                     { "--top-k", options->top },
                                     { "--seed", options->seed } };
    const char *args[2 + 2 * ASY_ARRAY_LEN(pairs) + 2] = { "--generate", model->path };
    size_t n = 2;

    for (size_t i = 0; i < ASY_ARRAY_LEN(pairs); i++)
        if (pairs[i][1]) {
            args[n++] = pairs[i][0];
            args[n++] = pairs[i][1];
        }
    args[n] = options->json ? "--json" : NULL;
    return asy__model_ask(model, args, out, err);
}

int asy__cmd_generate(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    struct asy__session *session = NULL;
    struct asy_buf out = { 0 };
    struct asy__model model = { .path = "" };
    int64_t trial = -1;
    int rc;

    asy_buf_init(&out, 1u << 30);
    if (asy__options_parse(argc, argv, "ojptTks", 1, 2, &options, &err) < 0 ||
        (options.n_words > 1 && asy__trial_number(options.words[1], &trial, &err) < 0)) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    if (is_stored(options.words[0]))
        rc = generate(&options, asy__model_file(options.words[0], &model), &out, &err);
    else if ((rc = asy__session_open(&options, ASY__START_COORDINATOR, &session, &err)) == 0 &&
             (rc = find_model(session, options.words[0], trial, &model, &err)) == 0)
        rc = generate(&options, &model, &out, &err);
    if (rc == 0)
        rc = write_out(&options, out.data, out.len, &err);
    asy__model_drop(&model);
    asy_buf_fini(&out);
    asy__session_close(session);
    return rc < 0 ? asy__complain(&err) : EXIT_DONE;
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

/* Of several objectives, a column each; of one, `value` is it. */
static void csv_values(const struct asy_json *objectives, const struct asy_json *trial,
                       struct asy_buf *out)
{
    const struct asy_json *values = asy_json_get(asy_json_get(trial, "outcome"), "values"), *one;

    if (asy_json_type(objectives) != ASY_JSON_ARRAY || asy_json_len(objectives) < 2)
        return;
    for (size_t j = 0; (one = asy_json_at(objectives, j)); j++) {
        asy_buf_adds(out, trial ? "," : ",values_");
        if (trial)
            csv_value(out, asy_json_at(values, j));
        else
            csv_text(out, asy_json_str(asy_json_get(one, "metric"), ""));
    }
}

static void csv_table(const struct asy_json *root, const struct asy_json *spec,
                      struct asy_buf *out)
{
    static const char *const keys[] = { "number", "state", "cause", "value", "step", "attempts",
                                        "created_us", "started_us", "ended_us", "host", "seed",
                                        "id" }; /* study_tell.c knows them, too */
    const struct asy_json *parameters = asy_json_get(spec, "parameters");
    const struct asy_json *objectives = asy_json_get(spec, "objective"); /* of one: an object */
    const struct asy_json *trials = asy_json_get(root, "trials"), *trial;
    const char *name;

    for (size_t i = 0; i < ASY_ARRAY_LEN(keys); i++)
        asy_buf_addf(out, "%s%s", i ? "," : "", keys[i]);
    for (size_t i = 0; asy_json_member(parameters, i, &name); i++) {
        asy_buf_adds(out, ",params_");
        csv_text(out, name);
    }
    csv_values(objectives, NULL, out);
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
        csv_values(objectives, trial, out);
        asy_buf_addc(out, '\n');
    }
}

static int export_model(struct asy__session *session, const struct asy__options *options,
                        int64_t trial, struct asy_error *err)
{
    struct asy__model model = { .path = "" };
    char *bytes = NULL;
    size_t n;
    int rc;

    if ((rc = find_model(session, options->words[0], trial, &model, err)) == 0 &&
        (rc = asy_read_file(model.path, MODEL_MAX, &bytes, &n, err)) == 0)
        rc = write_out(options, bytes, n, err);
    free(bytes);
    asy__model_drop(&model);
    return rc;
}

static int is_converted(const struct asy__options *options)
{
    return options->format && (!strcmp(options->format, "onnx") || !strcmp(options->format, "c"));
}

/* A stored model, which an earlier export has written: no coordinator is asked. */
static int is_stored(const char *word)
{
    size_t n = strlen(word), m = strlen(STORED);

    return n > m && !strcmp(word + n - m, STORED);
}

/* In a format that only assay-trainer knows to write. session NULL: the first word is the model. */
static int convert_model(struct asy__session *session, const struct asy__options *options,
                         int64_t trial, struct asy_error *err)
{
    struct asy__model model = { .path = "" };
    struct asy_buf out = { 0 };
    int rc = 0;

    asy_buf_init(&out, CONVERTED_MAX);
    if (session)
        rc = find_model(session, options->words[0], trial, &model, err);
    else
        asy__model_file(options->words[0], &model);
    if (rc == 0 && (rc = asy__model_ask(&model, (const char *const[]){ "--export", model.path,
                                                                       "--format", options->format,
                                                                       NULL },
                                        &out, err)) == 0)
        rc = write_out(options, out.data, out.len, err);
    asy_buf_fini(&out);
    asy__model_drop(&model);
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
    csv_table(root, asy_json_get(study, "spec"), &out);
    if ((rc = asy_buf_check(&out, "the table", err)) == 0)
        rc = write_out(options, out.data, out.len, err);
out:
    asy_json_destroy(root);
    asy_json_destroy(study);
    asy_buf_fini(&out);
    asy_buf_fini(&json);
    return rc;
}

static int check_export(const struct asy__options *options, struct asy_error *err)
{
    const char *format = options->format ? options->format : "csv";
    int table = !strcmp(format, "csv") || !strcmp(format, "json");
    int converted = is_converted(options);

    if (!converted && !table)
        return asy_fail(err, ASY_E_INVAL, "--format takes csv, json, onnx or c, not '%s'", format);
    if (options->model && options->format && table)
        return asy_fail(err, ASY_E_INVAL, "a model has no format '%s'; onnx and c are there, and "
                        "without --format it is as it is stored", format);
    if (converted && options->json)
        return asy_fail(err, ASY_E_INVAL, "--json is about the trials, --format %s about a model",
                        format);
    if (options->n_words > 1 && !options->model && !converted)
        return asy_fail(err, ASY_E_INVAL, "a trial is exported with --model or as onnx or c");
    if (is_stored(options->words[0]) && !converted)
        return asy_fail(err, ASY_E_INVAL, "'%s' is a model already; --format takes onnx or c",
                        options->words[0]);
    if (is_stored(options->words[0]) && options->n_words > 1)
        return asy_fail(err, ASY_E_INVAL, "'%s' is one model and has no trials",
                        options->words[0]);
    if ((options->model || converted) && strcmp(format, "c") && !options->output &&
        isatty(STDOUT_FILENO))
        return asy_fail(err, ASY_E_INVAL, "a model is no text for a terminal; give --output FILE");
    return 0;
}

int asy__cmd_export(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    struct asy__session *session = NULL;
    int64_t trial = -1;
    int rc;

    if (asy__options_parse(argc, argv, "oFmj", 1, 2, &options, &err) < 0 ||
        (options.n_words > 1 && asy__trial_number(options.words[1], &trial, &err) < 0) ||
        check_export(&options, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    if (is_stored(options.words[0]))
        rc = convert_model(NULL, &options, trial, &err);
    else if ((rc = asy__session_open(&options, ASY__START_COORDINATOR, &session, &err)) == 0)
        rc = is_converted(&options) ? convert_model(session, &options, trial, &err)
             : options.model        ? export_model(session, &options, trial, &err)
                                    : export(session, &options, &err);
    asy__session_close(session);
    return rc < 0 ? asy__complain(&err) : EXIT_DONE;
}
