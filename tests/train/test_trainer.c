/* SPDX-License-Identifier: Apache-2.0
 * Whole jobs in this process: learning, resuming to the bit, stopping, failing clearly. */
#include "jobkit.h"
#include <signal.h>
#include <sys/wait.h>
#include <asy/csv.h>
#include <asy/kernels.h>
#include <asy/parse.h>
#include <asy/rng.h>
#include <asy/safetensors.h>
#include <asy/update.h>

/* The linker sends the trainer's calls here (--wrap), to count, and to interfere at a step. */
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t n);
int __real_posix_memalign(void **ret, size_t align, size_t n);
struct asy_rule __real_asy_rule_adam(enum asy_rule_kind kind, const struct asy_adam *adam,
                                     uint64_t step);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t n);
int __wrap_posix_memalign(void **ret, size_t align, size_t n);
struct asy_rule __wrap_asy_rule_adam(enum asy_rule_kind kind, const struct asy_adam *adam,
                                     uint64_t step);
void __real_asy_rule_step(const struct asy_rule *rule, const struct asy_block *block, float *w,
                          const float *g, float *m, float *v);
void __wrap_asy_rule_step(const struct asy_rule *rule, const struct asy_block *block, float *w,
                          const float *g, float *m, float *v);

static size_t n_allocations;
void *__wrap_malloc(size_t n)
{
    n_allocations++;
    return __real_malloc(n);
}
void *__wrap_calloc(size_t n, size_t size)
{
    n_allocations++;
    return __real_calloc(n, size);
}
void *__wrap_realloc(void *old, size_t n)
{
    n_allocations++;
    return __real_realloc(old, n);
}
int __wrap_posix_memalign(void **ret, size_t align, size_t n)
{
    n_allocations++;
    return __real_posix_memalign(ret, align, n);
}

static size_t n_blocks; /* updates of more than a run of the memory */
void __wrap_asy_rule_step(const struct asy_rule *rule, const struct asy_block *block, float *w,
                          const float *g, float *m, float *v)
{
    n_blocks += block->rows > 1;
    __real_asy_rule_step(rule, block, w, g, m, v);
}

static uint64_t kill_at, ask_at; /* step; 0: never */
static enum asy_train_request ask;
struct asy_rule __wrap_asy_rule_adam(enum asy_rule_kind kind, const struct asy_adam *adam,
                                     uint64_t step)
{
    if (step == kill_at)
        raise(SIGKILL);
    if (step == ask_at)
        asy_trainer_request(trainer, ask);
    return __real_asy_rule_adam(kind, adam, step);
}

/* What the callbacks saw. */
static struct seen {
    uint64_t reports, checkpoints, last_step;
    double first_loss, val_accuracy, objective[200];
    char names[200];
    size_t allocations[200];
    char kept[160]; /* the newest checkpoint moves here; "": stays */
} seen;

static int on_report(void *arg, uint64_t step, const struct asy_train_metric *metrics, size_t n)
{
    size_t len = 0;

    (void)arg;
    seen.names[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        len += (size_t)snprintf(seen.names + len, sizeof seen.names - len, "%s ", metrics[i].name);
        if (!strcmp(metrics[i].name, "val_accuracy"))
            seen.val_accuracy = metrics[i].value;
        if (!strcmp(metrics[i].name, "train_loss") && step == 1)
            seen.first_loss = metrics[i].value;
    }
    seen.allocations[step % 200] = n_allocations;
    seen.objective[step % 200] = seen.val_accuracy;
    seen.last_step = step;
    seen.reports++;
    return 0;
}

static int on_checkpoint(void *arg, uint64_t step, const char *path)
{
    (void)arg, (void)step;
    seen.checkpoints++;
    return seen.kept[0] && rename(path, seen.kept) < 0 ? ASY_E_IO : 0;
}

static const struct asy_train_callbacks callbacks = { .report = on_report,
                                                      .checkpoint = on_checkpoint };

static bool set_up(struct bench *b)
{
    memset(&seen, 0, sizeof seen);
    kill_at = ask_at = 0;
    return bench_open(b);
}

static int train(struct bench *b, const struct asy_json *job, const char *resume)
{
    return asy_trainer_run(trainer, job, b->dir, resume, &callbacks, &b->result, &b->err);
}

#define GOOD "\"lr\":0.003,\"batch_size\":32,\"weight_decay\":0.01"
static void digits_are_learnt(void)
{
    struct asy_json *job = kit_job(KIT_DIGITS, "", "val_accuracy", "maximize", 30, GOOD, "");
    struct asy_json *root = NULL;
    struct asy_buf json;
    struct bench b;

    asy_buf_init(&json, 1u << 16);
    if (set_up(&b) && T_OK(train(&b, job, NULL), &b.err)) {
        T_EQ("outcome", b.result.outcome, ASY_TRAIN_COMPLETE);
        T_EQ("step", b.result.step, 30);
        T_EQ("reports", seen.reports, 30);
        T_STR("metrics", seen.names, "samples_per_s train_accuracy train_loss val_accuracy "
                                     "val_f1 val_loss ");
        T_TRUE(b.result.objective > 0.95);
        T_TRUE(seen.first_loss < 2.302585); /* below that of guessing, ln 10 */
        T_OK(asy_trainer_evaluate(job, b.result.model_path, "test", &json, &b.err), &b.err);
        if (T_OK(asy_json_parse(json.data, json.len, &root, &b.err), &b.err)) {
            T_TRUE(asy_json_f64(asy_json_get(root, "test_accuracy"), 0) >= 0.97);
            T_EQ("rows", asy_json_i64(asy_json_get(root, "rows"), 0), 359);
        }
        asy_buf_clear(&json);
        T_EQ("part", asy_trainer_evaluate(job, b.result.model_path, "tset", &json, &b.err),
             ASY_E_INVAL);
    }
    asy_json_destroy(root);
    asy_buf_fini(&json);
    asy_json_destroy(job);
    tear_down(&b);
}

/* The stored model scores exactly what the best epoch reported: weights, scale and labels agree. */
static void a_stored_model_is_the_best_epoch(void)
{
    struct asy_json *job = kit_job(KIT_DIGITS, "", "val_accuracy", "maximize", 12,
                                   "\"lr\":0.05,\"batch_size\":16", "");
    struct asy_json *root = NULL;
    struct asy_buf json;
    struct bench b;
    double best = 0;

    asy_buf_init(&json, 1u << 16);
    if (set_up(&b) && T_OK(train(&b, job, NULL), &b.err) &&
        T_OK(asy_trainer_evaluate(job, b.result.model_path, "validation", &json, &b.err),
             &b.err) &&
        T_OK(asy_json_parse(json.data, json.len, &root, &b.err), &b.err)) {
        for (int i = 1; i <= 12; i++)
            best = fmax(best, seen.objective[i]);
        T_NEAR("objective", b.result.objective, best, 0);
        T_NEAR("score", asy_json_f64(asy_json_get(root, "val_accuracy"), 0), best, 0);
        T_TRUE(best > seen.objective[12]); /* else best and last would be the same */
    }
    asy_json_destroy(root);
    asy_buf_fini(&json);
    asy_json_destroy(job);
    tear_down(&b);
}

/* The same tensors, bit by bit. */
static void same_tensors(const char *name, const char *path, const char *want)
{
    struct asy_safetensors *file = NULL, *other = NULL;
    struct asy_error err = ASY_ERROR_INIT;

    if (T_OK(asy_safetensors_open(path, &file, &err), &err) &&
        T_OK(asy_safetensors_open(want, &other, &err), &err) &&
        T_EQ(name, asy_safetensors_len(file), asy_safetensors_len(other)))
        for (size_t i = 0; i < asy_safetensors_len(file); i++) {
            const struct asy_tensor *a = asy_safetensors_at(file, i);
            const struct asy_tensor *b = asy_safetensors_find(other, a->name);

            if (T_TRUE(b != NULL) && T_EQ(name, a->size, b->size))
                T_EQ(a->name, memcmp(a->bytes, b->bytes, a->size), 0);
        }
    asy_safetensors_destroy(file);
    asy_safetensors_destroy(other);
}

/* A checkpoint and a model of the digits that an engine of straight lines wrote, before there were
 * plans of networks, are still read. A later pair holds the bits that the job gives: row order,
 * first weights and gelu have changed since. */
static void what_older_engines_stored_is_read(void)
{
    static const char data[] = ASY_SOURCE_DIR "/tests/train/data/";
    struct asy_json *job = kit_job(KIT_DIGITS, "", "val_accuracy", "maximize", 2,
                                   "\"hidden\":4,\"layers\":2,\"activation\":\"gelu\","
                                   "\"batch_size\":100,\"optimizer\":\"sgd\",\"lr\":0.05", "");
    char model[256], checkpoint[256], old[256];
    struct asy_buf json;
    struct bench b;

    asy_buf_init(&json, 1u << 16);
    snprintf(model, sizeof model, "%smlp_model.safetensors", data);
    snprintf(checkpoint, sizeof checkpoint, "%smlp_checkpoint.safetensors", data);
    if (set_up(&b)) {
        if (T_OK(train(&b, job, NULL), &b.err))
            same_tensors("from the beginning", b.result.model_path, model);
        if (T_OK(train(&b, job, checkpoint), &b.err))
            same_tensors("from the checkpoint", b.result.model_path, model);
        snprintf(old, sizeof old, "%smlp_old_checkpoint.safetensors", data);
        T_OK(train(&b, job, old), &b.err);
        snprintf(old, sizeof old, "%smlp_old_model.safetensors", data);
        if (T_OK(asy_trainer_evaluate(job, old, "validation", &json, &b.err), &b.err))
            T_HAS("score", json.data, "\"val_accuracy\":0.30640668");
    }
    asy_buf_fini(&json);
    asy_json_destroy(job);
    tear_down(&b);
}

static void a_step_allocates_nothing(void)
{
    struct asy_json *job = kit_job(KIT_DIGITS, "", "val_accuracy", "maximize", 6,
                                   GOOD ",\"activation\":\"gelu\"", "");
    struct bench b;

    if (set_up(&b) && T_OK(train(&b, job, NULL), &b.err)) {
        T_TRUE(seen.allocations[1] > 0); /* the counter counts */
        T_EQ("from epoch 1 to 6", seen.allocations[6] - seen.allocations[1], 0);
    }
    asy_json_destroy(job);
    tear_down(&b);
}

#define LONG_RUN "\"lr\":0.002,\"batch_size\":32,\"hidden\":32,\"patience\":4,\"dropout\":0.1"
#define STEPS_PER_EPOCH 34 /* 1079 training rows in batches of 32 */

static void keep_model(const struct bench *b, const char *as)
{
    T_EQ("keep", rename(b->result.model_path, as), 0);
}

/* Networks of each kind learn the digits, and a stored model gives what training saw. */
static void families_are_learnt(void)
{
    static const struct {
        const char *family, *params;
        double floor;
    } cases[] = {
        { "linear", "\"lr\":0.01", 0.93 },
        { "mlp", "\"lr\":0.01,\"layers\":3,\"hidden\":64,\"hidden_2\":32,\"hidden_3\":16",
          0.94 },
        { "mlp", "\"lr\":0.01,\"norm\":\"layer\",\"activation\":\"gelu\"", 0.95 },
        { "mlp", "\"lr\":0.005,\"dropout\":0.2", 0.95 },
        { "layers", "\"lr\":0.01,\"width\":32,\"layers\":[{\"dense\":\"{width}\",\"name\":\"a\"},"
          "{\"norm\":\"layer\"},{\"dense\":64,\"act\":\"gelu\"},{\"dense\":32},{\"add\":\"a\"},"
          "{\"norm\":\"batch\"},{\"act\":\"relu\"},{\"dropout\":0.1}]", 0.94 },
        { "layers", "\"lr\":0.005,\"layers\":[{\"image\":8},{\"conv\":6,\"act\":\"relu\","
          "\"pad\":1},{\"max_pool\":2},{\"conv\":12,\"kernel\":3},{\"act\":\"relu\"},"
          "{\"mean_pool\":2}]", 0.9 },
        { "layers", "\"lr\":0.005,\"layers\":[{\"tokens\":8},{\"dense\":24},{\"place\":true},"
          "{\"attention\":2},{\"act\":\"tanh\"}]", 0.9 },
        { "transformer", "\"lr\":0.003,\"d_model\":16,\"heads\":2,\"blocks\":1,\"tokens\":8",
          0.93 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_json *job = kit_family_job(cases[i].family, KIT_DIGITS, "", "val_accuracy",
                                              "maximize", 15, cases[i].params, "");
        struct asy_json *root = NULL;
        struct asy_buf json;
        struct bench b;

        asy_buf_init(&json, 1u << 16);
        if (set_up(&b) && T_OK(train(&b, job, NULL), &b.err) &&
            T_OK(asy_trainer_evaluate(job, b.result.model_path, "validation", &json, &b.err),
                 &b.err) &&
            T_OK(asy_json_parse(json.data, json.len, &root, &b.err), &b.err)) {
            T_TRUE(b.result.objective > cases[i].floor);
            T_NEAR(cases[i].params, asy_json_f64(asy_json_get(root, "val_accuracy"), 0),
                   b.result.objective, 0);
        }
        asy_json_destroy(root);
        asy_buf_fini(&json);
        asy_json_destroy(job);
        tear_down(&b);
    }
}

/* Straight through, then interrupted at seeded steps inside epochs: pauses, and SIGKILL in a
 * process of its own with resumption from the newest checkpoint. Shuffling and early stopping are
 * on. */
static void resumed_training_ends_with_the_same_bits(void)
{
    struct asy_json *job = kit_job(KIT_DIGITS, "", "val_accuracy", "maximize", 60, LONG_RUN,
                                   "\"checkpoint_s\":0");
    char straight[160], kept[160];
    struct bench b;
    struct asy_rng rng;
    uint64_t epochs, steps;

    if (!set_up(&b))
        goto out;
    snprintf(straight, sizeof straight, "%s/straight", b.dir);
    snprintf(kept, sizeof kept, "%s/kept", b.dir);
    if (!T_OK(train(&b, job, NULL), &b.err))
        goto out;
    epochs = b.result.step;
    steps = epochs * STEPS_PER_EPOCH;
    T_TRUE(epochs > 5 && epochs < 60);
    T_HAS("reason", b.result.reason, "early stopping at epoch");
    keep_model(&b, straight);
    asy_rng_init(&rng, 11, 0, ASY_RNG_SIM);
    for (int round = 0; round < 4; round++) { /* paused, twice in a run */
        const char *resume = NULL;
        uint64_t first = 2 + asy_rng_below(&rng, steps / 2 - 2);
        uint64_t second = first + 1 + asy_rng_below(&rng, steps / 2 - 2);

        snprintf(seen.kept, sizeof seen.kept, "%s", kept);
        ask = ASY_TRAIN_PAUSE;
        for (ask_at = first;; ask_at = second) {
            if (!T_OK(train(&b, job, resume), &b.err))
                goto out;
            if (b.result.outcome != ASY_TRAIN_PAUSED)
                break;
            resume = kept;
            if (ask_at == second)
                second = 0;
        }
        ask_at = 0;
        T_EQ("outcome", b.result.outcome, ASY_TRAIN_COMPLETE);
        T_EQ("epochs", b.result.step, epochs);
        kit_same("after two pauses", b.result.model_path, straight);
    }
    for (int round = 0; round < 4; round++) { /* killed */
        uint64_t at = STEPS_PER_EPOCH + 2 + asy_rng_below(&rng, steps - STEPS_PER_EPOCH - 2);
        int status = 0;
        pid_t pid;

        snprintf(seen.kept, sizeof seen.kept, "%s", kept);
        unlink(kept);
        unlink(b.result.model_path);
        fflush(NULL);
        if ((pid = fork()) == 0) {
            kill_at = at;
            _exit(train(&b, job, NULL) == 0 ? 0 : 1);
        }
        T_EQ("wait", waitpid(pid, &status, 0), pid);
        T_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        if (!T_OK(train(&b, job, kept), &b.err))
            goto out;
        T_EQ("epochs", b.result.step, epochs);
        kit_same("after a kill", b.result.model_path, straight);
    }
out:
    asy_json_destroy(job);
    tear_down(&b);
}

/* Rungs: to 3, to 7, to the end, each from the checkpoint of the one before. */
static void milestones_add_up_to_the_whole(void)
{
    static const char *const untils[] = { "\"until\":3", "\"until\":7", "\"until\":9" };
    struct asy_json *whole = kit_job(KIT_DIGITS, "", "val_loss", "minimize", 9, GOOD, "");
    char straight[160], kept[160];
    struct bench b;

    if (!set_up(&b))
        goto out;
    snprintf(straight, sizeof straight, "%s/straight", b.dir);
    snprintf(kept, sizeof kept, "%s/kept", b.dir);
    if (!T_OK(train(&b, whole, NULL), &b.err))
        goto out;
    keep_model(&b, straight);
    snprintf(seen.kept, sizeof seen.kept, "%s", kept);
    for (size_t i = 0; i < ASY_ARRAY_LEN(untils); i++) {
        struct asy_json *job = kit_job(KIT_DIGITS, "", "val_loss", "minimize", 9, GOOD, untils[i]);

        seen.reports = 0;
        if (T_OK(train(&b, job, i ? kept : NULL), &b.err)) {
            T_EQ("outcome", b.result.outcome, i < 2 ? ASY_TRAIN_PAUSED : ASY_TRAIN_COMPLETE);
            T_EQ("reports", seen.reports, i == 0 ? 3 : i == 1 ? 4 : 2);
            T_EQ("model", b.result.model_path[0] != '\0', i == 2);
        }
        asy_json_destroy(job);
    }
    kit_same("in three parts", b.result.model_path, straight);
out:
    asy_json_destroy(whole);
    tear_down(&b);
}

static void a_stop_ends_at_a_batch(void)
{
    struct asy_json *job = kit_job(KIT_DIGITS, "", "val_accuracy", "maximize", 9, GOOD, "");
    struct bench b;

    if (set_up(&b)) {
        ask_at = 2 * STEPS_PER_EPOCH + 5;
        ask = ASY_TRAIN_STOP;
        T_OK(train(&b, job, NULL), &b.err);
        T_EQ("outcome", b.result.outcome, ASY_TRAIN_STOPPED);
        T_EQ("step", b.result.step, 2);
        T_EQ("reports", seen.reports, 2);
        T_EQ("checkpoints", seen.checkpoints, 0);
        ask_at = 0;
        T_OK(train(&b, job, NULL), &b.err); /* the request was for that job alone */
        T_EQ("next job", b.result.outcome, ASY_TRAIN_COMPLETE);
    }
    asy_json_destroy(job);
    tear_down(&b);
}

/* A norm that is never reached keeps a step from changing parameters before the gradient is whole,
 * and changes nothing else. */
static void fused_steps_have_the_bits_of_others(void)
{
    static const char *const params[] = {
        "\"optimizer\":\"sgd\",\"ema\":0.9", "\"optimizer\":\"sgd\",\"momentum\":0",
        "\"optimizer\":\"adam\",\"layers\":3", "\"optimizer\":\"adam_l2\",\"weight_decay\":0.1",
        "\"optimizer\":\"adamw\",\"batch_size\":300",
    };
    char fused[160], text[256];
    struct bench b;

    if (set_up(&b))
        for (size_t i = 0; i < ASY_ARRAY_LEN(params); i++) {
            struct asy_json *job = kit_job(KIT_DIGITS, "", "val_accuracy", "maximize", 2, params[i],
                                           ""), *apart;

            snprintf(text, sizeof text, "%s,\"clip\":1e30", params[i]);
            apart = kit_job(KIT_DIGITS, "", "val_accuracy", "maximize", 2, text, "");
            snprintf(fused, sizeof fused, "%s/fused", b.dir);
            n_blocks = 0;
            if (T_OK(train(&b, job, NULL), &b.err)) {
                keep_model(&b, fused);
                T_TRUE(n_blocks > 0); /* it was fused */
                n_blocks = 0;
                if (T_OK(train(&b, apart, NULL), &b.err))
                    same_tensors(params[i], b.result.model_path, fused);
                T_EQ("blocks", n_blocks, 0);
            }
            asy_json_destroy(job);
            asy_json_destroy(apart);
        }
    tear_down(&b);
}

static void divergence_is_an_outcome(void)
{
    struct asy_json *job = kit_job(KIT_DIGITS, "", "val_accuracy", "maximize", 9,
                                   "\"optimizer\":\"sgd\",\"lr\":1000", "");
    struct bench b;

    if (set_up(&b) && T_OK(train(&b, job, NULL), &b.err)) {
        T_EQ("outcome", b.result.outcome, ASY_TRAIN_DIVERGED);
        T_HAS("reason", b.result.reason, "not finite");
        T_STR("model", b.result.model_path, "");
    }
    asy_json_destroy(job);
    tear_down(&b);
}

/* A table of 40 rows: a number, and one of two classes that follows from it. */
static void write_sizes(const struct bench *b, char path[160])
{
    struct asy_buf text;

    asy_buf_init(&text, 1u << 20);
    snprintf(path, 160, "%s/t.csv", b->dir);
    asy_buf_adds(&text, "size,kind\n");
    for (int i = 0; i < 40; i++)
        asy_buf_addf(&text, "%d,%s\n", i % 7, i % 7 > 3 ? "huge" : "tiny");
    kit_write(path, text.data, text.len);
    asy_buf_fini(&text);
}

/* Of what grows 1e5 times a step behind tanh, the loss is 1e36 or so before the eighth, and nothing
 * is computed after it. */
static void what_only_the_last_update_makes_infinite_has_diverged(void)
{
    static const char params[] = "\"activation\":\"tanh\",\"optimizer\":\"sgd\",\"momentum\":0,"
                                 "\"lr\":1000,\"weight_decay\":100,\"hidden\":4,\"layers\":1,"
                                 "\"batch_size\":5";
    struct asy_json *job = NULL;
    struct bench b;
    char path[160];

    if (!set_up(&b))
        goto out;
    write_sizes(&b, path);
    job = kit_job(path, "\"split\":{\"validation\":0,\"test\":0}", "train_loss", "minimize", 1,
                  params, "");
    if (!T_OK(train(&b, job, NULL), &b.err))
        goto out;
    T_EQ("reports", seen.reports, 1);
    T_TRUE(isfinite(seen.first_loss));
    T_EQ("outcome", b.result.outcome, ASY_TRAIN_DIVERGED);
    T_EQ("step", b.result.step, 1);
    T_HAS("reason", b.result.reason, "tensor 'layers.");
    T_HAS("reason", b.result.reason, " is infinite, after epoch 1");
    T_STR("model", b.result.model_path, "");
    T_STR("scores", b.result.scores_path, "");
    snprintf(path, sizeof path, "%s/model.safetensors", b.dir);
    T_TRUE(access(path, F_OK) < 0);
out:
    asy_json_destroy(job);
    tear_down(&b);
}

static void wrong_jobs_are_refused(void)
{
    static const struct {
        const char *name, *data, *metric, *params, *rest, *says;
    } cases[] = {
        { "unknown parameter", "", "val_loss", "\"learning_rate\":1", "", "no hyperparameter" },
        { "near miss", "", "val_loss", "\"momentun\":0.5", "", "did you mean 'momentum'?" },
        { "out of range", "", "val_loss", "\"layers\":9", "", "layers: 9 lies outside 1 to 8" },
        { "not an integer", "", "val_loss", "\"hidden\":1.5", "", "hidden: 1.5 is not an integer" },
        { "not a number", "", "val_loss", "\"lr\":\"0.1\"", "", "lr: a number is wanted" },
        { "word", "", "val_loss", "\"activation\":\"rleu\"", "", "did you mean 'relu'?" },
        { "flag", "", "val_loss", "\"nesterov\":1", "", "nesterov: true or false" },
        { "metric", "", "val_acc", "", "", "'val_acc' is not reported; there are train_accuracy" },
        { "not validated", "\"split\":{\"validation\":0}", "val_loss", "", "",
          "nothing to validate on" },
        { "accuracy of numbers", "\"task\":\"regression\"", "val_accuracy", "", "", "val_r2" },
        { "until", "", "val_loss", "", "\"until\":0", "until: 0 is no epoch" },
        { "too large", "", "val_loss", "\"hidden\":65536,\"layers\":8", "", "parameters" },
    };
    struct bench b;

    if (set_up(&b))
        for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
            struct asy_json *job = kit_job(KIT_DIGITS, cases[i].data, cases[i].metric, "minimize",
                                           2, cases[i].params, cases[i].rest);

            T_TRUE(train(&b, job, NULL) < 0);
            T_HAS(cases[i].name, b.err.text, cases[i].says);
            asy_json_destroy(job);
        }
    tear_down(&b);
}

static void hyperparameters_are_listed(void)
{
    static const char *const families[] = { "mlp", "linear", "cnn", "layers", "gbdt" };
    const char *name, *last;

    for (size_t f = 0; f < ASY_ARRAY_LEN(families); f++) {
        last = "";
        for (size_t i = 0; (name = asy_trainer_hyperparameter(families[f], i)); i++) {
            T_TRUE(strcmp(last, name) < 0); /* each once, in order */
            last = name;
        }
        T_TRUE(*last != '\0');
    }
    T_STR("first", asy_trainer_hyperparameter("mlp", 0), "accumulate");
    T_TRUE(asy_trainer_hyperparameter("none", 0) == NULL);
}

/* Every cut and every flipped byte of the header is refused or, if it changes nothing that counts,
 * leads to a run; none leads to a crash. */
static void damaged_and_foreign_checkpoints_are_refused(void)
{
    struct asy_json *first =
        kit_job(KIT_DIGITS, "", "val_loss", "minimize", 4, GOOD, "\"until\":1");
    struct asy_json *rest = kit_job(KIT_DIGITS, "", "val_loss", "minimize", 4, GOOD, "\"until\":1");
    struct asy_json *other = kit_job(KIT_DIGITS, "", "val_loss", "minimize", 4,
                                     GOOD ",\"hidden\":64", "\"until\":1");
    struct asy_json *whole = kit_job(KIT_DIGITS, "", "val_loss", "minimize", 1, GOOD, "");
    char kept[160], bad[160], *bytes = NULL;
    struct bench b;
    size_t n = 0;

    if (!set_up(&b))
        goto out;
    snprintf(kept, sizeof kept, "%s/kept", b.dir);
    snprintf(bad, sizeof bad, "%s/bad", b.dir);
    snprintf(seen.kept, sizeof seen.kept, "%s", kept);
    if (!T_OK(train(&b, first, NULL), &b.err) ||
        !T_OK(asy_read_file(kept, 64u << 20, &bytes, &n, &b.err), &b.err))
        goto out;
    T_EQ("other trial", train(&b, other, kept), ASY_E_INVAL);
    T_HAS("other trial", b.err.text, "hidden is 128 there, 64 here");
    T_EQ("absent", train(&b, rest, bad), ASY_E_NOENT);
    T_HAS("absent", b.err.text, "cannot resume");
    for (size_t cut = 0; cut < n; cut = cut < 3000 ? cut + 97 : cut + 100003) {
        kit_write(bad, bytes, cut);
        T_TRUE(train(&b, rest, bad) < 0);
    }
    for (size_t at = 0; at < 2500; at += 7) {
        bytes[at] ^= 0x11;
        kit_write(bad, bytes, n);
        ASY_IGNORE(train(&b, rest, bad)); /* padding may change; a crash would fail the test */
        bytes[at] ^= 0x11;
    }
    kit_write(bad, bytes, n);
    T_OK(train(&b, rest, bad), &b.err);
    if (T_OK(train(&b, whole, NULL), &b.err)) {
        T_EQ("a model is no checkpoint", train(&b, rest, b.result.model_path), ASY_E_CORRUPT);
        T_HAS("a model", b.err.text, "not a checkpoint");
    }
out:
    free(bytes);
    asy_json_destroy(first);
    asy_json_destroy(rest);
    asy_json_destroy(other);
    asy_json_destroy(whole);
    tear_down(&b);
}

#define MOMENTUM(value) "\"optimizer\":\"sgd\",\"lr\":0.05,\"momentum\":" value
/* A population's child may have momentum where its parent had none: that starts from rest, as the
 * first update has it. Outside a population the same checkpoint is another trial's. */
static void momentum_that_the_parent_had_not_starts_from_zero(void)
{
    static const struct {
        const char *name, *params, *rest;
        int want;
    } cases[] = {
        { "without", MOMENTUM("0.0"), "\"population\":true", 0 },
        { "with", MOMENTUM("0.9"), "\"population\":true", 0 },
        { "another trial", MOMENTUM("0.9"), "\"population\":false", ASY_E_INVAL },
    };
    struct asy_json *first = kit_job(KIT_DIGITS, "", "val_loss", "minimize", 3, MOMENTUM("0.0"),
                                     "\"until\":1,\"population\":true");
    char kept[160];
    struct bench b;

    if (!set_up(&b))
        goto out;
    snprintf(kept, sizeof kept, "%s/kept", b.dir);
    snprintf(seen.kept, sizeof seen.kept, "%s", kept);
    if (!T_OK(train(&b, first, NULL), &b.err))
        goto out;
    seen.kept[0] = '\0';
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_json *job =
            kit_job(KIT_DIGITS, "", "val_loss", "minimize", 3, cases[i].params, cases[i].rest);

        T_EQ(cases[i].name, train(&b, job, kept), cases[i].want);
        if (cases[i].want == 0)
            T_EQ(cases[i].name, b.result.outcome, ASY_TRAIN_COMPLETE);
        asy_json_destroy(job);
    }
out:
    asy_json_destroy(first);
    tear_down(&b);
}

static void a_warm_trainer_reads_nothing_again(void)
{
    struct asy_json *job = kit_job(KIT_DIGITS, "", "val_loss", "minimize", 1, GOOD, "");
    struct bench b;
    size_t cold, warm;

    if (set_up(&b)) {
        n_allocations = 0;
        T_OK(train(&b, job, NULL), &b.err);
        cold = n_allocations;
        n_allocations = 0;
        T_OK(train(&b, job, NULL), &b.err);
        warm = n_allocations;
        T_TRUE(warm < cold); /* no columns, no cells, no arena */
        T_TRUE(warm < 200);
    }
    asy_json_destroy(job);
    tear_down(&b);
}

static void a_changed_file_is_read_again(void)
{
    struct asy_buf text;
    struct asy_json *job = NULL;
    struct bench b;
    char path[160];

    asy_buf_init(&text, 1u << 20);
    if (!set_up(&b))
        goto out;
    snprintf(path, sizeof path, "%s/t.csv", b.dir);
    for (int i = 0; i < 100; i++)
        asy_buf_addf(&text, "%d,%d\n", i, i & 1);
    kit_write(path, text.data, text.len);
    job = kit_job(path, "", "val_loss", "minimize", 1, "\"hidden\":4", "");
    T_OK(train(&b, job, NULL), &b.err);
    asy_buf_adds(&text, "x,y,z\n");
    kit_write(path, text.data, text.len);
    T_TRUE(train(&b, job, NULL) < 0);
    T_HAS("changed", b.err.text, "row 101 has 3 fields");
out:
    asy_json_destroy(job);
    asy_buf_fini(&text);
    tear_down(&b);
}

/* As JSON a row's number is the one of the CSV, with every digit. */
static void check_json_number(const char *model, const char *path, double want)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *row = NULL;
    struct asy_buf text;

    asy_buf_init(&text, 1u << 20);
    if (T_OK(asy_trainer_predict(model, path, 1, &text, &err), &err) &&
        T_OK(asy_json_parse(text.data, text.len, &row, &err), &err)) {
        T_NEAR("prediction", asy_json_f64(asy_json_get(row, "prediction"), NAN), want, 1e-6);
        T_TRUE(!asy_json_get(row, "probabilities"));
    }
    asy_json_destroy(row);
    asy_buf_fini(&text);
}

/* y = 3 a - 2 b + 5 is learnt, in its own units; predictions come back in them too. */
static void numbers_are_learnt(void)
{
    struct asy_buf text, csv;
    struct asy_json *job = NULL;
    struct asy_rng rng;
    struct bench b;
    char path[160], fresh[160];
    double got = 0;

    asy_buf_init(&text, 1u << 20);
    asy_buf_init(&csv, 1u << 20);
    if (!set_up(&b))
        goto out;
    snprintf(path, sizeof path, "%s/t.csv", b.dir);
    snprintf(fresh, sizeof fresh, "%s/fresh.csv", b.dir);
    asy_rng_init(&rng, 1, 0, ASY_RNG_SIM);
    asy_buf_adds(&text, "a,b,y\n");
    for (int i = 0; i < 600; i++) {
        double x = asy_rng_double(&rng) * 10, z = asy_rng_double(&rng) * 100;

        asy_buf_addf(&text, "%.17g,%.17g,%.17g\n", x, z, 3 * x - 2 * z + 5);
    }
    kit_write(path, text.data, text.len);
    kit_write(fresh, "b,a\n10,5\n", 9);
    job = kit_job(path, "", "val_r2", "maximize", 60,
                  "\"hidden\":32,\"lr\":0.01,\"activation\":\"tanh\",\"batch_size\":32", "");
    if (T_OK(train(&b, job, NULL), &b.err)) {
        T_STR("metrics", seen.names, "samples_per_s train_loss train_mae train_r2 train_rmse "
                                     "val_loss val_mae val_r2 val_rmse ");
        T_TRUE(b.result.objective > 0.99);
        T_OK(asy_trainer_predict(b.result.model_path, fresh, 0, &csv, &b.err), &b.err);
        if (T_HAS("header", csv.data, "prediction\n"))
            T_OK(asy_parse_f64(csv.data + 11, csv.len - 12, &got, &b.err), &b.err);
        T_NEAR("3 * 5 - 2 * 10 + 5", got, 0, 8); /* r2 above 0.99 of a spread of 58 is within 6 */
        check_json_number(b.result.model_path, fresh, got);
    }
out:
    asy_json_destroy(job);
    asy_buf_fini(&text);
    asy_buf_fini(&csv);
    tear_down(&b);
}

/* The first fields of the rows of a prediction, ended by |. */
static int first_field(void *arg, uint64_t row, const struct asy_csv_field *fields, size_t n,
                       struct asy_error *err)
{
    (void)err;
    T_EQ("columns", n, 3);
    if (row > 1)
        asy_buf_addf(arg, "%.*s|", (int)fields[0].len, fields[0].text);
    return 0;
}

static void check_prediction(const char *name, const char *model, const char *path,
                             const char *text, const char *want)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf csv, got;

    asy_buf_init(&csv, 1u << 20);
    asy_buf_init(&got, 1u << 20);
    kit_write(path, text, strlen(text));
    if (T_OK(asy_trainer_predict(model, path, 0, &csv, &err), &err) &&
        kit_write(path, csv.data, csv.len)) {
        T_HAS(name, csv.data, "prediction,huge,\"tiny, \"\"so\"\"\"\n");
        T_OK(asy_csv_read_file(path, ',', 1u << 20, first_field, &got, NULL, &err), &err);
        T_STR(name, got.data, want);
    }
    asy_buf_fini(&csv);
    asy_buf_fini(&got);
}

/* As JSON: an object a row, the prediction is the class with the largest probability. */
static void check_json_classes(const char *model, const char *path)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf text;
    const char *line, *end, *class;
    size_t n = 0;

    asy_buf_init(&text, 1u << 20);
    kit_write(path, "size,colour\n1,red\n9,blue\n", 25);
    T_OK(asy_trainer_predict(model, path, 1, &text, &err), &err);
    for (line = text.data; (end = strchr(line, '\n')); line = end + 1, n++) {
        const char *want = n ? "huge" : "tiny, \"so\"";
        const struct asy_json *shares, *share;
        struct asy_json *row = NULL;
        double sum = 0;

        if (!T_OK(asy_json_parse(line, (size_t)(end - line), &row, &err), &err))
            break;
        T_STR("prediction", asy_json_str(asy_json_get(row, "prediction"), ""), want);
        shares = asy_json_get(row, "probabilities");
        for (size_t i = 0; (share = asy_json_member(shares, i, &class)); i++) {
            sum += asy_json_f64(share, NAN);
            T_EQ(class, asy_json_f64(share, NAN) > 0.5, !strcmp(class, want));
        }
        T_NEAR("sum", sum, 1, 1e-5);
        asy_json_destroy(row);
    }
    T_EQ("rows", n, 2);
    asy_buf_fini(&text);
}

/* Names of classes and columns survive; order and presence of the label column do not matter. */
static void predictions_carry_the_labels_back(void)
{
    static const struct {
        const char *name, *text, *want;
    } cases[] = {
        { "as trained", "size,colour,kind\n1,red,\n9,blue,\n", "tiny, \"so\"|huge|" },
        { "no label", "size,colour\n1,red\n9,blue\n", "tiny, \"so\"|huge|" },
        { "other order, more columns", "x,colour,size\n0,red,1\n0,blue,9\n", "tiny, \"so\"|huge|" },
        { "no header, no label", "1,red\n9,blue\n", "tiny, \"so\"|huge|" },
        { "unknown category", "size,colour\n1,green\n", "tiny, \"so\"|" },
        { "filled", "size,colour\n,blue\n", "huge|" },
    };
    static const struct {
        const char *name, *text, *says;
    } wrong[] = {
        { "column absent", "size,kind\n1,huge\n", "no column 'colour', which the model needs" },
        { "too many", "1,red,3,4\n", "4 columns without names" },
        { "text for a number", "size,colour\nbig,red\n", "row 2, column 1 ('size'): not a number" },
    };
    struct asy_buf text;
    struct asy_json *job = NULL;
    struct bench b;
    char path[160], model[160];

    asy_buf_init(&text, 1u << 20);
    if (!set_up(&b))
        goto out;
    snprintf(path, sizeof path, "%s/t.csv", b.dir);
    snprintf(model, sizeof model, "%s/model", b.dir);
    asy_buf_adds(&text, "size,colour,kind\n");
    for (int i = 0; i < 120; i++)
        asy_buf_addf(&text, "%d,%s,%s\n", i % 2 ? 8 + i % 3 : i % 3, i % 2 ? "blue" : "red",
                     i % 2 ? "huge" : "\"tiny, \"\"so\"\"\"");
    kit_write(path, text.data, text.len);
    job = kit_job(path, "\"missing\":\"mean\"", "val_loss", "minimize", 30,
                  "\"hidden\":16,\"lr\":0.01,\"batch_size\":8", "");
    if (!T_OK(train(&b, job, NULL), &b.err))
        goto out;
    keep_model(&b, model);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        check_prediction(cases[i].name, model, path, cases[i].text, cases[i].want);
    for (size_t i = 0; i < ASY_ARRAY_LEN(wrong); i++) {
        asy_buf_clear(&text);
        kit_write(path, wrong[i].text, strlen(wrong[i].text));
        T_TRUE(asy_trainer_predict(model, path, 0, &text, &b.err) < 0);
        T_HAS(wrong[i].name, b.err.text, wrong[i].says);
    }
    check_json_classes(model, path);
    T_EQ("no model", asy_trainer_predict(path, path, 0, &text, &b.err) < 0, 1);
out:
    asy_json_destroy(job);
    asy_buf_fini(&text);
    tear_down(&b);
}

/* A damaged disk, or a file of somebody's making: predictions would be NaN without a word. What an
 * infinite variance divides is 0, a number. */
static void weights_that_are_no_numbers_are_refused(void)
{
    static const struct {
        const char *name, *tensor, *says;
        size_t at; /* entry of the tensor */
        float value;
    } cases[] = {
        { "NaN", "layers.1.bias", "'layers.1.bias' cannot be used: entry 3 of 4 is no number", 2,
          NAN },
        { "infinite", "layers.3.weight",
          "'layers.3.weight' cannot be used: entry 1 of 8 is infinite", 0, -INFINITY },
        { "NaN as variance", "layers.1.running_var",
          "'layers.1.running_var' cannot be used: entry 4 of 4 is no number", 3, NAN },
        { "infinite variance", "layers.1.running_var", NULL, 3, INFINITY },
    };
    char path[160], model[160], damaged[160], *bytes = NULL;
    struct asy_safetensors *file = NULL;
    struct asy_json *job = NULL;
    struct asy_buf text;
    struct bench b;
    size_t n;

    asy_buf_init(&text, 1u << 20);
    if (!set_up(&b))
        goto out;
    snprintf(model, sizeof model, "%s/model", b.dir);
    snprintf(damaged, sizeof damaged, "%s/damaged", b.dir);
    write_sizes(&b, path);
    job = kit_job(path, "", "val_loss", "minimize", 1,
                  "\"hidden\":4,\"layers\":1,\"norm\":\"batch\"", "");
    if (!T_OK(train(&b, job, NULL), &b.err))
        goto out;
    keep_model(&b, model);
    if (!T_OK(asy_read_file(model, 1u << 20, &bytes, &n, &b.err), &b.err) ||
        !T_OK(asy_safetensors_parse(bytes, n, &file, &b.err), &b.err))
        goto out;
    T_OK(asy_trainer_predict(model, path, 0, &text, &b.err), &b.err);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        const struct asy_tensor *tensor = asy_safetensors_find(file, cases[i].tensor);
        char *at, was[sizeof(float)];

        if (!T_TRUE(tensor != NULL))
            continue;
        at = bytes + ((const char *)tensor->bytes - bytes) + cases[i].at * sizeof(float);
        memcpy(was, at, sizeof was);
        memcpy(at, &cases[i].value, sizeof was);
        kit_write(damaged, bytes, n);
        memcpy(at, was, sizeof was);
        asy_buf_clear(&text);
        if (!cases[i].says) {
            T_OK(asy_trainer_predict(damaged, path, 0, &text, &b.err), &b.err);
            T_TRUE(text.len > 0 && strstr(text.data, "nan") == NULL);
            continue;
        }
        T_EQ(cases[i].name, asy_trainer_predict(damaged, path, 0, &text, &b.err), ASY_E_CORRUPT);
        T_HAS(cases[i].name, b.err.text, cases[i].says);
        T_HAS(cases[i].name, b.err.text, damaged);
        T_EQ(cases[i].name, text.len, 0);
        T_EQ(cases[i].name, asy_trainer_evaluate(job, damaged, "train", &text, &b.err),
             ASY_E_CORRUPT);
    }
out:
    asy_safetensors_destroy(file);
    free(bytes);
    asy_json_destroy(job);
    asy_buf_fini(&text);
    tear_down(&b);
}

T_MAIN("trainer", T_TEST(digits_are_learnt), T_TEST(a_stored_model_is_the_best_epoch),
       T_TEST(what_older_engines_stored_is_read), T_TEST(families_are_learnt),
       T_TEST(a_step_allocates_nothing), T_TEST(resumed_training_ends_with_the_same_bits),
       T_TEST(milestones_add_up_to_the_whole), T_TEST(a_stop_ends_at_a_batch),
       T_TEST(divergence_is_an_outcome),
       T_TEST(what_only_the_last_update_makes_infinite_has_diverged),
       T_TEST(fused_steps_have_the_bits_of_others), T_TEST(wrong_jobs_are_refused),
       T_TEST(weights_that_are_no_numbers_are_refused),
       T_TEST(hyperparameters_are_listed), T_TEST(damaged_and_foreign_checkpoints_are_refused),
       T_TEST(momentum_that_the_parent_had_not_starts_from_zero),
       T_TEST(a_warm_trainer_reads_nothing_again), T_TEST(a_changed_file_is_read_again),
       T_TEST(numbers_are_learnt), T_TEST(predictions_carry_the_labels_back))
