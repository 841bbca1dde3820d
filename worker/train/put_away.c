/* SPDX-License-Identifier: Apache-2.0
 * put_away.c - what is left of a training: the model of its best or last epoch, and in it a report
 * of how that does on the validation part. */
#include "trainer_impl.h"
#include <stdio.h>
#include <stdlib.h>
#include "learn/report.h"

#define REPORT_MAX (16u << 20)
#define REPORT_ROWS 256 /* that trees score at once */

static int is_best(const struct asy__run *run)
{
    return run->job->takes_best && run->state.progress.best_epoch > 0;
}

/* What is stored of a network, of a plug-in, which also has bytes, or of trees. */
static int find_parts(struct asy__run *run, struct asy__model_parts *ret, struct asy_error *err)
{
    const struct asy__state *s = &run->state;
    int rc;

    *ret = (struct asy__model_parts){ run->net, s->mean ? s->mean : s->params, s->buffers,
                                      s->trees, s->kept ? s->kept->n_params : 0, NULL };
    if (!run->trees && is_best(run)) {
        ret->params = s->best;
        ret->buffers = s->best + s->n_params;
        ret->state = s->kept ? &s->kept->best : NULL;
    } else if (run->plugged) { /* where it stands */
        if ((rc = asy__plugged_best(run->plugged, err)) < 0)
            return rc;
        ret->state = &s->kept->best;
    }
    return 0;
}

/* Trees may have rounds beyond the best: a copy of those up to it reports. */
static int report_trees(struct asy__run *run, struct asy_buf *ret_json, struct asy_error *err)
{
    const struct asy__progress *p = &run->state.progress;
    size_t outs = asy__outputs_of(&run->data->schema);
    struct asy__tree_outputs outputs = { NULL, NULL, NULL };
    struct asy_gbdt_packed packed = { 0 };
    struct asy_gbdt *copy = NULL;
    struct asy__learner learner;
    int rc = asy__trees_model(&run->job->hyper, &run->data->schema, run->job->seed, &copy, err);

    if (rc == 0)
        rc = asy_gbdt_pack(run->state.trees, is_best(run) ? p->best_epoch : p->epoch, &packed, err);
    if (rc == 0)
        rc = asy_gbdt_unpack(copy, &packed, err);
    if (rc == 0 && !(outputs.margins = calloc(2 * REPORT_ROWS * outs, sizeof(float))))
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a report");
    if (rc == 0) {
        outputs.model = copy;
        outputs.out = outputs.margins + REPORT_ROWS * outs;
        learner = asy__trees_learner(&outputs, REPORT_ROWS, outs);
        rc = asy__report_make(&learner, run->data, ASY__VALIDATION, ret_json, err);
    }
    free(outputs.margins);
    asy_gbdt_packed_fini(&packed);
    asy_gbdt_destroy(copy);
    return rc;
}

static int report(struct asy__run *run, const struct asy__model_parts *parts,
                  struct asy_buf *ret_json, struct asy_error *err)
{
    struct asy__learner learner = run->learner;

    if (run->plugged || run->data->tokens ||
        run->data->start[ASY__VALIDATION] == run->data->start[ASY__TEST])
        return 0; /* what a plug-in's outputs mean it alone knows; tokens are too many classes */
    if (run->trees)
        return report_trees(run, ret_json, err);
    learner.params = parts->params;
    learner.buffers = (float *)(uintptr_t)parts->buffers; /* evaluation only reads them */
    return asy__report_make(&learner, run->data, ASY__VALIDATION, ret_json, err);
}

int asy__put_away(struct asy__run *run, struct asy_train_result *result, struct asy_error *err)
{
    struct asy__model_parts parts;
    struct asy_buf json;
    int n, rc;

    if (result->outcome != ASY_TRAIN_COMPLETE || asy_comm_rank(run->trainer->comm) != 0)
        return 0;
    n = snprintf(result->model_path, sizeof result->model_path, "%s/model.safetensors", run->dir);
    if (n < 0 || (size_t)n >= sizeof result->model_path)
        return asy_fail(err, ASY_E_INVAL, "the path of the job's folder is too long");
    if ((rc = find_parts(run, &parts, err)) < 0)
        return rc;
    asy_buf_init(&json, REPORT_MAX);
    if ((rc = report(run, &parts, &json, err)) == 0)
        rc = asy__model_write(result->model_path, run->job, &run->data->schema, &parts,
                              &run->state.progress, json.len ? json.data : NULL, err);
    asy_buf_fini(&json);
    return rc;
}
