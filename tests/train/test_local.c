/* SPDX-License-Identifier: Apache-2.0
 * Steps that ranks make alone (sync_every), under mpirun: against the algorithm written down once
 * more, without a gang; and that no interruption shows. Run as `mpirun -n 2 test_local [RANKS]`;
 * RANKS: of a node at most, as if the rest were on others. */
#include "rankskit.h"
#include "learn/score.h"
#include "net/families.h"
#include "job.h"
#include <asy/safetensors.h>
#include <asy/shuffle.h>
#include <asy/training.h>

static char dir[64];

/* ---- trainings ------------------------------------------------------------------------------- */

struct watch {
    struct asy_trainer *trainer;
    uint64_t steps, pause_at; /* after so many calls, 0: never */
    double first, last;       /* losses */
    const char *keep;         /* where the checkpoint goes */
};

static void on_step(void *arg, uint64_t step, double loss)
{
    struct watch *w = arg;

    (void)step;
    if (w->steps++ == 0)
        w->first = loss;
    w->last = loss;
    if (w->steps == w->pause_at)
        asy_trainer_request(w->trainer, ASY_TRAIN_PAUSE);
}

static int on_checkpoint(void *arg, uint64_t step, const char *path)
{
    (void)step;
    return rename(path, ((struct watch *)arg)->keep) < 0 ? ASY_E_IO : 0;
}

/* A job by these ranks; what rank 0 has of it goes to `to`: the model or the checkpoint. Returns
 * whether it ended as it should. */
static bool train(struct asy_comm *by, const struct asy_json *job, const char *resume,
                  enum asy_train_outcome outcome, const char *to, struct watch *watch)
{
    const struct asy_train_callbacks callbacks = { .arg = watch, .step = on_step,
                                                   .checkpoint = on_checkpoint };
    static struct asy_train_result result;
    struct asy_error err = ASY_ERROR_INIT;
    bool ok;

    watch->keep = to;
    if (!T_OK(asy_trainer_create(by, &watch->trainer, &err), &err))
        return false;
    ok = T_OK(asy_trainer_run(watch->trainer, job, dir, resume, &callbacks, &result, &err), &err) &&
         T_EQ("outcome", result.outcome, outcome);
    if (ok && outcome == ASY_TRAIN_COMPLETE && asy_comm_rank(by) == 0)
        ok = T_EQ("keep", rename(result.model_path, to), 0);
    asy_trainer_destroy(watch->trainer);
    return ok;
}

static char *in_dir(char path[160], const char *name)
{
    snprintf(path, 160, "%s/%s", dir, name);
    return path;
}

/* ---- the reference --------------------------------------------------------------------------- */

#define H 4
#define EPOCHS 2
#define REFERENCE                                                                                  \
    "\"batch_size\":33,\"optimizer\":\"sgd\",\"lr\":0.01,\"momentum\":0.5,\"sync_every\":4"

/* What a rank has, or all have. */
struct point {
    float *w, *m;
};

struct reference {
    struct asy__job job;
    struct asy__data data;
    struct asy__net *net;
    struct asy__learner learner;
    size_t n, ranks;
    struct point joint, *alone;
    float *u, *g, *x, *room;
    int32_t *label;
    float *target;
    uint32_t *rows;
};

static void *room_of(size_t n, size_t size)
{
    void *at = NULL;

    if (posix_memalign(&at, 64, n * size + 64))
        return NULL;
    return memset(at, 0, n * size + 64);
}

static bool prepare(struct reference *r, const struct asy_json *job)
{
    struct asy_error err = ASY_ERROR_INIT;
    size_t most;

    if (!T_OK(asy__job_read(job, &r->job, &err), &err) ||
        !T_OK(asy__data_load(&r->job.data, NULL, 1, &r->data, &err), &err))
        return false;
    most = (size_t)r->job.hyper.batch_size;
    if (!T_OK(asy__family_net(&r->job.hyper, &r->data.schema, most, 1, &r->net, &err), &err))
        return false;
    r->room = room_of(asy__net_room(r->net), sizeof *r->room);
    asy__net_bind(r->net, r->room);
    r->learner = asy__net_learner(r->net, NULL, NULL);
    r->n = r->learner.n_params;
    r->ranks = (size_t)asy_comm_size(comm);
    r->alone = calloc(r->ranks, sizeof *r->alone);
    for (size_t i = 0; i <= r->ranks; i++) {
        struct point *p = i < r->ranks ? &r->alone[i] : &r->joint;

        *p = (struct point){ room_of(r->n, sizeof(float)), room_of(r->n, sizeof(float)) };
    }
    r->u = room_of(r->n, sizeof *r->u);
    r->g = room_of(r->n, sizeof *r->g);
    r->x = room_of(most * r->data.schema.n_features, sizeof *r->x);
    r->label = room_of(most, sizeof *r->label);
    r->target = room_of(most, sizeof *r->target);
    r->rows = room_of(most, sizeof *r->rows);
    asy__net_init(r->net, r->job.seed, r->joint.w, NULL);
    return true;
}

static void tidy(struct reference *r)
{
    for (size_t i = 0; i < r->ranks; i++) {
        free(r->alone[i].w);
        free(r->alone[i].m);
    }
    free(r->alone);
    free(r->joint.w);
    free(r->joint.m);
    free(r->u);
    free(r->g);
    free(r->x);
    free(r->label);
    free(r->target);
    free(r->rows);
    free(r->room);
    asy__net_destroy(r->net);
    asy__data_fini(&r->data);
    asy__job_fini(&r->job);
}

/* One step of a rank: its rows of the batch that begins at `from`. */
static void reference_step(struct reference *r, const struct asy_shuffle *order, size_t rank,
                           size_t from, size_t n)
{
    size_t begin = asy__share_begin(n, rank, r->ranks), width = r->data.schema.n_features;
    size_t rows = asy__share_begin(n, rank + 1, r->ranks) - begin;
    const struct asy__hyper *h = &r->job.hyper;
    struct asy_sgd sgd = { (float)h->lr, (float)h->momentum, 0, 0 };
    struct asy__batch batch = { .rows = rows, .first = begin, .x = r->x, .label = r->label,
                                .target = r->target, .scale = 1.0f / (float)rows,
                                .row = r->rows };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__score score = { 0 };

    if (rows == 0)
        return;
    asy_shuffle_get(order, from + begin, rows, r->rows);
    for (size_t i = 0; i < rows; i++) {
        memcpy(r->x + i * width, r->data.x + r->rows[i] * width, width * sizeof *r->x);
        r->label[i] = r->data.label[r->rows[i]];
    }
    r->learner.params = r->alone[rank].w;
    T_OK(r->learner.type->gradient(&r->learner, &batch, r->g, &score, &err), &err);
    asy_sgd_step(&sgd, r->n, r->alone[rank].w, r->g, r->alone[rank].m);
}

/* The mean in rank order, and DiLoCo's outer step. */
static void reference_meeting(struct reference *r)
{
    float rate = (float)r->job.hyper.outer_lr, momentum = (float)r->job.hyper.outer_momentum;

    for (size_t i = 0; i < r->n; i++) {
        float w = r->alone[0].w[i], m = r->alone[0].m[i], g;

        for (size_t k = 1; k < r->ranks; k++) {
            w += r->alone[k].w[i];
            m += r->alone[k].m[i];
        }
        r->joint.m[i] = m / (float)r->ranks;
        g = r->joint.w[i] - w / (float)r->ranks;
        if (momentum == 0 && rate == 1) {
            r->joint.w[i] = w / (float)r->ranks;
            continue;
        }
        r->u[i] = momentum * r->u[i] + g;
        r->joint.w[i] -= rate * (momentum == 0 ? g : g + momentum * r->u[i]);
    }
}

static void reference_epoch(struct reference *r, uint64_t epoch)
{
    size_t rows = r->data.start[1], batch = (size_t)r->job.hyper.batch_size, b = 0;
    struct asy_shuffle order;

    asy_shuffle_init(&order, rows, r->job.seed, epoch);
    for (size_t from = 0; from < rows; from += batch, b++) {
        size_t n = rows - from < batch ? rows - from : batch;

        for (size_t k = 0; k < r->ranks; k++) {
            if (b % H == 0) {
                memcpy(r->alone[k].w, r->joint.w, r->n * sizeof(float));
                memcpy(r->alone[k].m, r->joint.m, r->n * sizeof(float));
            }
            reference_step(r, &order, k, from, n);
        }
        if (b % H == H - 1 || from + batch >= rows)
            reference_meeting(r);
    }
}

static void same_array(const struct asy_safetensors *file, const char *name, const float *want,
                       size_t n)
{
    const struct asy_tensor *tensor = asy_safetensors_find(file, name);

    if (T_TRUE(tensor != NULL) && T_EQ(name, tensor->size, n * sizeof *want))
        T_EQ(name, memcmp(tensor->bytes, want, n * sizeof *want), 0);
}

static void check_reference(const char *params, int has_momentum)
{
    struct asy_json *job = kit_job(KIT_DIGITS, "\"label\":-1", "val_loss", "minimize", 4, params,
                                   "\"until\":2");
    struct asy_safetensors *file = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct watch watch = { .steps = 0 };
    struct reference r = { .n = 0 };
    char path[160];

    if (train(comm, job, NULL, ASY_TRAIN_PAUSED, in_dir(path, "paused"), &watch) &&
        asy_comm_rank(comm) == 0 && prepare(&r, job)) {
        for (uint64_t e = 0; e < EPOCHS; e++)
            reference_epoch(&r, e);
        T_TRUE(watch.last < watch.first); /* it learns */
        if (T_OK(asy_safetensors_open(path, &file, &err), &err)) {
            same_array(file, "params", r.joint.w, r.n);
            same_array(file, "m", r.joint.m, r.n);
            if (has_momentum)
                same_array(file, "outer", r.u, r.n);
        }
        asy_safetensors_destroy(file);
    }
    tidy(&r);
    asy_json_destroy(job);
}

/* The last batch is of few rows: some ranks have none of it. */
static void ranks_alone_are_the_algorithm(void)
{
    if (!shared_dir(dir))
        return;
    check_reference("\"hidden\":16," REFERENCE, 0);
    check_reference("\"hidden\":16," REFERENCE ",\"outer_lr\":0.7", 0);
    check_reference("\"hidden\":16," REFERENCE ",\"outer_lr\":0.7,\"outer_momentum\":0.9", 1);
    drop_dir(dir);
}

/* ---- bits ------------------------------------------------------------------------------------ */

static void compare(const char *name, const char *a, const char *b)
{
    struct asy_safetensors *x = NULL, *y = NULL;
    struct asy_error err = ASY_ERROR_INIT;

    if (T_OK(asy_safetensors_open(a, &x, &err), &err) &&
        T_OK(asy_safetensors_open(b, &y, &err), &err)) {
        const struct asy_tensor *ours = asy_safetensors_find(x, "layers.0.weight");
        const struct asy_tensor *theirs = asy_safetensors_find(y, "layers.0.weight");

        if (T_TRUE(ours && theirs && ours->size > 1000) && T_EQ(name, ours->size, theirs->size))
            T_EQ(name, memcmp(ours->bytes, theirs->bytes, ours->size), 0);
    }
    asy_safetensors_destroy(x);
    asy_safetensors_destroy(y);
}

static const char *const learnings[] = {
    "\"hidden\":24,\"batch_size\":50",
    "\"hidden\":24,\"batch_size\":50,\"optimizer\":\"lamb\",\"clip\":1,\"lr\":0.01",
    "\"hidden\":24,\"batch_size\":50,\"optimizer\":\"lars\",\"accumulate\":2,\"dropout\":0.2",
    "\"hidden\":24,\"batch_size\":50,\"optimizer\":\"sgd\",\"lr_schedule\":\"cosine\"",
};

static struct asy_json *make_job(const char *learning, const char *more)
{
    char params[300];

    snprintf(params, sizeof params, "%s%s", learning, more);
    return kit_job(KIT_DIGITS, "\"label\":-1", "val_loss", "minimize", 3, params, "");
}

/* A rank by itself always is alone, and the mean over it is what it has. */
static void one_rank_trains_as_ever(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_comm *self = NULL;
    char a[160], b[160];

    if (!shared_dir(dir))
        return;
    if (asy_comm_rank(comm) == 0 && T_OK(asy_comm_self(&self, &err), &err))
        for (size_t i = 0; i < ASY_ARRAY_LEN(learnings); i++) {
            struct asy_json *ever = make_job(learnings[i], ",\"sync_every\":1");
            struct asy_json *alone = make_job(learnings[i], ",\"sync_every\":5");
            struct watch watch = { .steps = 0 };

            if (train(self, ever, NULL, ASY_TRAIN_COMPLETE, in_dir(a, "a"), &watch) &&
                train(self, alone, NULL, ASY_TRAIN_COMPLETE, in_dir(b, "b"), &watch))
                compare(learnings[i], a, b);
            asy_json_destroy(ever);
            asy_json_destroy(alone);
        }
    asy_comm_destroy(self);
    drop_dir(dir);
}

/* sync_every: 1 is what is not said. */
static void a_step_of_all_is_what_it_was(void)
{
    struct asy_json *unsaid = make_job(learnings[0], "");
    struct asy_json *said = make_job(learnings[0], ",\"sync_every\":1,\"outer_momentum\":0.9");
    struct watch watch = { .steps = 0 };
    char a[160], b[160];

    if (!shared_dir(dir))
        return;
    if (train(comm, unsaid, NULL, ASY_TRAIN_COMPLETE, in_dir(a, "a"), &watch) &&
        train(comm, said, NULL, ASY_TRAIN_COMPLETE, in_dir(b, "b"), &watch) &&
        asy_comm_rank(comm) == 0)
        compare("sync_every: 1", a, b);
    asy_json_destroy(unsaid);
    asy_json_destroy(said);
    drop_dir(dir);
}

/* A request comes between two meetings, amid an epoch. */
static void an_interruption_leaves_no_trace(void)
{
    char straight[160], paused[160], resumed[160];

    if (!shared_dir(dir))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(learnings); i++) {
        struct asy_json *job = make_job(learnings[i], ",\"sync_every\":4,\"outer_lr\":0.7,"
                                        "\"outer_momentum\":0.9");
        struct watch whole = { .steps = 0 }, part = { .pause_at = 3 }, rest = { .steps = 0 };

        if (train(comm, job, NULL, ASY_TRAIN_COMPLETE, in_dir(straight, "straight"), &whole) &&
            train(comm, job, NULL, ASY_TRAIN_PAUSED, in_dir(paused, "paused"), &part) &&
            train(comm, job, paused, ASY_TRAIN_COMPLETE, in_dir(resumed, "resumed"), &rest) &&
            asy_comm_rank(comm) == 0) {
            kit_same(learnings[i], resumed, straight);
            T_EQ("meetings", whole.steps, 3 * 6); /* 22 batches of an epoch: 5 times 4, and 2 */
            T_EQ("meetings", part.steps + rest.steps, whole.steps);
        }
        asy_json_destroy(job);
    }
    drop_dir(dir);
}

/* In a population a checkpoint stands where another trial met, which may be between two meetings of
 * this one. Of one rank, whose steps are the same however often it meets. */
static void one_goes_on_between_two_meetings(void)
{
    static const char every[] = "\"hidden\":24,\"batch_size\":50,\"sync_every\":1";
    static const char fourth[] = "\"hidden\":24,\"batch_size\":50,\"sync_every\":4";
    struct asy_json *jobs[] = {
        kit_job(KIT_DIGITS, "", "val_loss", "minimize", 2, every, "\"population\":true"),
        kit_job(KIT_DIGITS, "", "val_loss", "minimize", 2, fourth, "\"population\":true"),
    };
    struct watch whole = { .steps = 0 }, part = { .pause_at = 6 }, rest = { .steps = 0 };
    char straight[160], paused[160], resumed[160];
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_comm *self = NULL;

    if (!shared_dir(dir))
        return;
    if (asy_comm_rank(comm) == 0 && T_OK(asy_comm_self(&self, &err), &err) &&
        train(self, jobs[0], NULL, ASY_TRAIN_COMPLETE, in_dir(straight, "straight"), &whole) &&
        train(self, jobs[0], NULL, ASY_TRAIN_PAUSED, in_dir(paused, "paused"), &part) &&
        train(self, jobs[1], paused, ASY_TRAIN_COMPLETE, in_dir(resumed, "resumed"), &rest)) {
        T_TRUE(rest.steps < whole.steps - part.steps); /* it meets less often */
        compare("one rank", resumed, straight);
    }
    asy_comm_destroy(self);
    for (size_t i = 0; i < ASY_ARRAY_LEN(jobs); i++)
        asy_json_destroy(jobs[i]);
    drop_dir(dir);
}

/* Each division meets at the end of its epoch: 15 batches of 718 rows, 29 of all. */
static void folds_go_on_where_they_were(void)
{
    static const char params[] = "\"hidden\":24,\"batch_size\":50,\"sync_every\":4";
    struct asy_json *job = kit_job(KIT_DIGITS, "\"split\":{\"folds\":2,\"test\":0.2}", "val_loss",
                                   "minimize", 2, params, "");
    struct watch whole = { .steps = 0 }, part = { .pause_at = 6 }, rest = { .steps = 0 };
    char straight[160], paused[160], resumed[160];

    if (!shared_dir(dir))
        return;
    if (train(comm, job, NULL, ASY_TRAIN_COMPLETE, in_dir(straight, "straight"), &whole) &&
        train(comm, job, NULL, ASY_TRAIN_PAUSED, in_dir(paused, "paused"), &part) &&
        train(comm, job, paused, ASY_TRAIN_COMPLETE, in_dir(resumed, "resumed"), &rest) &&
        asy_comm_rank(comm) == 0) {
        kit_same("folds", resumed, straight);
        T_EQ("meetings", whole.steps, 2 * (4 + 4 + 8));
        T_EQ("meetings", part.steps + rest.steps, whole.steps);
        T_TRUE(whole.last < whole.first);
    }
    asy_json_destroy(job);
    drop_dir(dir);
}

/* ---- a failure of one ------------------------------------------------------------------------ */

/* Rank 0 alone writes checkpoints; the others would wait for it in their next sum. */
static void a_checkpoint_that_is_not_taken_fails_all(void)
{
    struct asy_json *job = make_job(learnings[0], "");
    struct watch watch = { .keep = "/nowhere/kept", .pause_at = 3 };
    const struct asy_train_callbacks callbacks = { .arg = &watch, .step = on_step,
                                                   .checkpoint = on_checkpoint };
    static struct asy_train_result result;
    struct asy_error err = ASY_ERROR_INIT;

    if (shared_dir(dir) && T_OK(asy_trainer_create(comm, &watch.trainer, &err), &err)) {
        T_EQ("all fail", asy_trainer_run(watch.trainer, job, dir, NULL, &callbacks, &result, &err),
             ASY_E_IO);
        T_HAS("for one reason", err.text, "rank 0: the checkpoint was not taken");
    }
    asy_trainer_destroy(watch.trainer);
    asy_json_destroy(job);
    drop_dir(dir);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void refuses(const char *data, const char *params, const char *why)
{
    struct asy_json *job = kit_job(KIT_DIGITS, data, "val_loss", "minimize", 3, params, "");
    const struct asy_train_callbacks none = { .arg = NULL };
    static struct asy_train_result result;
    struct asy_trainer *trainer = NULL;
    struct asy_error err = ASY_ERROR_INIT;

    if (T_OK(asy_trainer_create(comm, &trainer, &err), &err)) {
        T_EQ(why, asy_trainer_run(trainer, job, dir, NULL, &none, &result, &err), ASY_E_INVAL);
        T_HAS(why, err.text, why);
    }
    asy_trainer_destroy(trainer);
    asy_json_destroy(job);
}

static void weights_are_not_rounded(void)
{
    if (!shared_dir(dir))
        return;
    refuses("\"label\":-1},\"resources\":{\"reproducible\":\"strict\"", "\"wire\":\"bf16\"",
            "reproducible: strict");
    refuses("\"label\":-1", "\"sync_every\":2,\"wire\":\"bf16\"", "round weights");
    drop_dir(dir);
}

static void what_cannot_be_alone_is_refused(void)
{
    if (!shared_dir(dir))
        return;
    refuses("\"label\":-1},\"resources\":{\"reproducible\":\"strict\"", "\"sync_every\":2",
            "reproducible: strict");
    refuses("\"label\":-1", "\"sync_every\":2,\"ema\":0.9", "ema");
    refuses("\"label\":-1", "\"sync_every\":2,\"norm\":\"batch\"", "norm: layer");
    drop_dir(dir);
}

int main(int argc, char **argv)
{
    static const struct t_test tests[] = {
        T_TEST(ranks_alone_are_the_algorithm),
        T_TEST(one_rank_trains_as_ever),
        T_TEST(a_step_of_all_is_what_it_was),
        T_TEST(an_interruption_leaves_no_trace),
        T_TEST(one_goes_on_between_two_meetings),
        T_TEST(folds_go_on_where_they_were),
        T_TEST(a_checkpoint_that_is_not_taken_fails_all),
        T_TEST(what_cannot_be_alone_is_refused),
        T_TEST(weights_are_not_rounded),
    };
    int rc;

    if (!ranks_open(ranks_asked(argc, argv)))
        return 2;
    asy_kernels_init();
    rc = t__main("local", tests, ASY_ARRAY_LEN(tests));
    asy_comm_destroy(comm);
    return rc;
}
