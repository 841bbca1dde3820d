/* SPDX-License-Identifier: Apache-2.0
 * final.c - what stands at the beginning and at the end of a study: its data as the trainer reads
 * it, and the last screen with the best trial and its score on the untouched test part. */
#include "cli.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <asy/durable.h>
#include <asy/proc.h>

int asy__trainer(const char *const *args, struct asy_buf *ret_out, struct asy_error *err)
{
    struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;
    const char *argv[16] = { NULL };
    char program[4096], text[64];
    int status = 0, rc;

    if ((rc = asy_proc_find_program("assay-trainer", program, sizeof program, err)) < 0)
        return rc;
    argv[0] = program;
    for (size_t i = 0; args[i] && i + 2 < ASY_ARRAY_LEN(argv); i++)
        argv[i + 1] = args[i];
    spec.argv = argv;
    if (fcntl(STDIN_FILENO, F_GETFD) >= 0)
        spec.stdin_fd = STDIN_FILENO; /* the table, where a file is called - */
    if ((rc = asy_proc_capture(&spec, -1, ret_out, NULL, &status, err)) < 0)
        return rc;
    if (status != 0)
        return asy_fail(err, ASY_E_INVAL, "assay-trainer failed: %s",
                        asy_proc_status_text(status, text));
    return asy_buf_check(ret_out, "the trainer's answer", err);
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

static void put_data(const struct asy_json *root, const char *file)
{
    const struct asy_json *split = asy_json_get(root, "split");
    const struct asy_json *classes = asy_json_get(root, "classes"), *value;
    const char *key;

    fprintf(stderr, "data     %s: %" PRId64 " rows, %" PRId64 " columns, label ", file,
            asy_json_i64(asy_json_get(root, "rows"), 0),
            asy_json_i64(asy_json_get(root, "columns"), 0));
    asy__put_value(stderr, asy_json_get(root, "label"));
    fprintf(stderr, ", %zu classes\n         split ", asy_json_len(classes));
    for (size_t i = 0; (value = asy_json_member(split, i, &key)); i++) {
        fprintf(stderr, "%s%s ", i ? ", " : "", key);
        asy__put_value(stderr, value);
    }
    fputc('\n', stderr);
}

int asy__describe_data(const struct asy_study_spec *spec, struct asy_error *err)
{
    struct asy_buf out = { 0 };
    struct asy_json *root = NULL;
    char path[64];
    int rc;

    if (spec->kind != ASY_RUN_MODEL)
        return 0;
    if ((rc = job_file(spec->canonical, spec->canonical_len, path, err)) < 0)
        return rc;
    asy_buf_init(&out, 16u << 20);
    rc = asy__trainer((const char *const[]){ "--describe-data", path, NULL }, &out, err);
    unlink(path);
    if (rc == 0 && (rc = asy_json_parse(out.data, out.len, &root, err)) == 0)
        put_data(root, spec->data_file);
    asy_json_destroy(root);
    asy_buf_fini(&out);
    return rc;
}

static const char *model_path(const struct asy_json *trial)
{
    const struct asy_json *artifacts = asy_json_get(trial, "artifacts"), *item;

    for (size_t i = 0; (item = asy_json_at(artifacts, i)); i++)
        if (!strcmp(asy_json_str(asy_json_get(item, "name"), ""), "model"))
            return asy_json_str(asy_json_get(item, "path"), NULL);
    return NULL;
}

static int record(struct asy__session *session, const char *study, int64_t trial, const char *name,
                  double value, struct asy_error *err)
{
    struct asy_msg msg = { .type = ASY_MSG_RECORD };
    struct asy_buf json = { 0 };
    int rc;

    asy_buf_init(&json, 1u << 16);
    msg.record.study = study;
    msg.record.trial = trial;
    msg.record.event.kind = ASY_EV_SCORE;
    msg.record.event.score.name = name;
    msg.record.event.score.value = value;
    rc = asy__ask(session, &msg, &json, err);
    asy_buf_fini(&json);
    return rc;
}

/* The best model's scores on the test part, printed and kept with its run. */
static int test_scores(struct asy__session *session, const char *study,
                       const struct asy_json *study_row, int64_t trial, const char *model,
                       struct asy_error *err)
{
    const struct asy_json *spec = asy_json_get(study_row, "spec"), *value;
    struct asy_buf text = { 0 }, out = { 0 };
    struct asy_json *root = NULL;
    struct asy_jsonw w;
    char path[64], name[128];
    const char *key;
    int rc;

    asy_buf_init(&text, 4u << 20);
    asy_buf_init(&out, 1u << 20);
    asy_jsonw_init(&w, &text, 0);
    asy_jsonw_node(&w, NULL, spec);
    if ((rc = asy_buf_check(&text, "the study", err)) < 0 ||
        (rc = job_file(text.data, text.len, path, err)) < 0)
        goto out;
    rc = asy__trainer((const char *const[]){ "--evaluate", path, "--model", model, "--part", "test",
                                             NULL }, &out, err);
    unlink(path);
    if (rc < 0 || (rc = asy_json_parse(out.data, out.len, &root, err)) < 0)
        goto out;
    for (size_t i = 0; rc == 0 && (value = asy_json_member(root, i, &key)); i++) {
        double number = asy_json_f64(value, NAN);

        if (!strstr(key, "accuracy") && !strstr(key, "loss") && !strstr(key, "mae") &&
            !strstr(key, "r2"))
            continue; /* counts of rows are no scores */
        snprintf(name, sizeof name, "%s%s", strncmp(key, "test_", 5) ? "test_" : "", key);
        printf("         %-14s %.4f\n", name, number);
        rc = record(session, study, trial, name, number, err);
    }
out:
    asy_json_destroy(root);
    asy_buf_fini(&out);
    asy_buf_fini(&text);
    return rc;
}

static int has_test_part(const struct asy_json *spec)
{
    const struct asy_json *split = asy_json_get(asy_json_get(spec, "data"), "split");

    return asy_json_f64(asy_json_get(split, "test"), 0) > 0;
}

static void put_counts(const struct asy_json *study)
{
    static const char *const states[] = { "complete", "pruned", "failed", "cancelled", "paused" };

    printf("trials   %" PRId64 ":", asy_json_i64(asy_json_get(study, "trials"), 0));
    for (size_t i = 0; i < ASY_ARRAY_LEN(states); i++)
        if (asy_json_i64(asy_json_get(study, states[i]), 0))
            printf(" %" PRId64 " %s", asy_json_i64(asy_json_get(study, states[i]), 0), states[i]);
    putchar('\n');
}

/* Why trials failed: each reason with its number. */
static int put_failures(struct asy__session *session, const char *study, struct asy_buf *json,
                        struct asy_error *err)
{
    struct asy_json *root = NULL;
    const struct asy_json *trials, *trial;
    struct { const char *cause; int n; } causes[32];
    size_t n = 0, k;
    int rc = asy__query(session, "trials", study, -1, -1, -1, NULL, json, &root, err);

    if (rc < 0)
        return rc;
    trials = asy_json_get(root, "trials");
    for (size_t i = 0; (trial = asy_json_at(trials, i)); i++) {
        const char *cause = asy_json_str(asy_json_get(trial, "cause"), "");

        if (strcmp(asy_json_str(asy_json_get(trial, "state"), ""), "failed"))
            continue;
        for (k = 0; k < n && strcmp(causes[k].cause, cause); k++)
            ;
        if (k == n && n < ASY_ARRAY_LEN(causes)) {
            causes[n].cause = cause;
            causes[n++].n = 0;
        }
        if (k < n)
            causes[k].n++;
    }
    for (k = 0; k < n; k++)
        printf("         %d failed: %s\n", causes[k].n, causes[k].cause);
    asy_json_destroy(root);
    return 0;
}

/* One objective is an object in the canonical study, several are a list. */
static const char *metric_name(const struct asy_json *spec)
{
    const struct asy_json *objective = asy_json_get(spec, "objective");

    if (asy_json_type(objective) == ASY_JSON_ARRAY)
        objective = asy_json_at(objective, 0);
    return asy_json_str(asy_json_get(objective, "metric"), "objective");
}

int asy__final_screen(struct asy__session *session, const char *study,
                      const struct asy__options *options, struct asy_error *err)
{
    struct asy_buf json = { 0 };
    struct asy_json *row = NULL, *trial = NULL;
    const char *model = NULL;
    int64_t best;
    int rc;

    asy_buf_init(&json, 256u << 20);
    if ((rc = asy__query(session, "study", study, -1, -1, -1, NULL, &json, &row, err)) < 0)
        goto out;
    best = asy_json_i64(asy_json_get(row, "best_trial"), -1);
    printf("\nstudy    %s %s", study, asy_json_str(asy_json_get(row, "state"), ""));
    if (*asy_json_str(asy_json_get(row, "text"), ""))
        printf(": %s", asy_json_str(asy_json_get(row, "text"), ""));
    putchar('\n');
    put_counts(row);
    if ((rc = put_failures(session, study, &json, err)) < 0)
        goto out;
    if (best >= 0) {
        if ((rc = asy__query(session, "trial", study, best, -1, -1, NULL, &json, &trial, err)) < 0)
            goto out;
        printf("best     trial %" PRId64 ": ", best);
        asy__put_params(stdout, asy_json_get(trial, "params"));
        printf("\n         %-14s %.4f\n",
               metric_name(asy_json_get(row, "spec")),
               asy_json_f64(asy_json_get(row, "best"), NAN));
        if ((model = model_path(trial)) && has_test_part(asy_json_get(row, "spec")) &&
            (rc = test_scores(session, study, row, best, model, err)) < 0)
            goto out;
        if (model)
            printf("model    %s\n", model);
    }
    printf("stored   %s\n", options->home);
    printf("next     assay best %s\n         assay show %s %" PRId64 "\n", study, study,
           best < 0 ? 0 : best);
    if (model)
        printf("         assay predict %s FILE.csv\n", study);
out:
    asy_json_destroy(trial);
    asy_json_destroy(row);
    asy_buf_fini(&json);
    return rc;
}
