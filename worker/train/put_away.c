/* SPDX-License-Identifier: Apache-2.0
 * put_away.c - what is left of a training: the model of its best or last epoch, and in it a report
 * of how that does on the validation part.
 *
 * Losses do not tell all of a model: those of training are from before the last update, and an
 * activation may take NaN for 0. So its weights are looked at, too. */
#include "trainer_impl.h"
#include "learn/report.h"
#include "paths.h"
#include <errno.h>
#include <stdio.h>

/* The report once more, beside the model: whoever wants it need not fetch that. Whoever keeps it
 * makes it durable. */
static int write_scores(const char *dir, const struct asy_buf *json,
                        struct asy_train_result *result, struct asy_error *err)
{
    FILE *file;
    int rc = asy__path(result->scores_path, sizeof result->scores_path, ASY__JOB_FOLDER, err,
                       "%s/scores.json", dir);

    if (rc < 0)
        return rc;
    if (!(file = fopen(result->scores_path, "we")))
        return asy_fail_errno(err, errno, "cannot write '%s'", result->scores_path);
    fwrite(json->data, 1, json->len, file);
    fputc('\n', file);
    rc = ferror(file);
    if (fclose(file) != 0 || rc)
        return asy_fail_errno(err, errno, "cannot write '%s'", result->scores_path);
    return 0;
}

static int judge(struct asy__run *run, const struct asy__model_parts *parts,
                 struct asy_buf *ret_json, struct asy_error *err)
{
    struct asy__report *report = NULL;
    int rc = asy__report_create(&run->data->schema, &report, err);

    if (rc == 0 && (rc = run->kind->report(run, parts, report, err)) == 0)
        rc = asy__report_write(report, ASY__VALIDATION, ret_json, err);
    asy__report_destroy(report);
    return rc;
}

/* Whether the parts can be used; if not, the training has diverged, which no step noticed. */
static int check_parts(const struct asy__run *run, const struct asy__model_parts *parts,
                       int is_best, struct asy_train_result *result)
{
    const struct asy__progress *p = &run->state.progress;
    struct asy_error why = ASY_ERROR_INIT;

    if (asy__parts_check(parts, &why) == 0)
        return 1;
    result->outcome = ASY_TRAIN_DIVERGED;
    snprintf(result->reason, sizeof result->reason, "%.180s, after epoch %llu", why.text,
             (unsigned long long)(is_best ? p->best_epoch : p->epoch));
    return 0;
}

int asy__put_away(struct asy__run *run, struct asy_train_result *result, struct asy_error *err)
{
    struct asy__model_parts parts;
    struct asy_buf json;
    int is_best = run->job->takes_best && run->state.progress.best_epoch > 0, rc;

    if (result->outcome != ASY_TRAIN_COMPLETE || asy_comm_rank(run->trainer->comm) != 0)
        return 0;
    if ((!is_best && run->kind->fetch && (rc = run->kind->fetch(run, err)) < 0) ||
        (rc = run->kind->parts(run, is_best, &parts, err)) < 0)
        return rc;
    if (!check_parts(run, &parts, is_best, result))
        return 0;
    if ((rc = asy__path(result->model_path, sizeof result->model_path, ASY__JOB_FOLDER, err,
                        "%s/model.safetensors", run->dir)) < 0)
        return rc;
    parts.schema = parts.schema ? parts.schema : &run->data->schema;
    asy_buf_init(&json, ASY__REPORT_BYTES);
    if (asy__kind_of(run->trainer, run->job)->report && asy__run_validates(run))
        rc = judge(run, &parts, &json, err);
    if (rc == 0)
        rc = asy__model_write(result->model_path, run->job, parts.schema, &parts,
                              &run->state.progress, json.len ? json.data : NULL, err);
    if (rc == 0 && json.len)
        rc = write_scores(run->dir, &json, result, err);
    asy_buf_fini(&json);
    return rc;
}
