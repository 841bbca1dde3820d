/* SPDX-License-Identifier: Apache-2.0
 * Rows that are divided more than once: which rows go where, means over the divisions, the model of
 * all rows, and resumption to the bit from folders of checkpoints. */
#include "jobkit.h"
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <asy/rng.h>
#include "trainer_impl.h"

/* ---- which rows ------------------------------------------------------------------------------ */

#define ROWS 103

/* Classes of 61, 31, 10 and 1 rows. */
static void make_labels(int32_t *label)
{
    for (int i = 0; i < ROWS; i++)
        label[i] = i < 61 ? 0 : i < 92 ? 1 : i < 102 ? 2 : 3;
}

/* part_of [ROWS] of one division. */
static bool divide(struct asy__data_spec *spec, int32_t division, const int32_t *label,
                   uint8_t *part_of)
{
    struct asy_error err = ASY_ERROR_INIT;
    size_t order[ROWS], start[ASY__PARTS + 1];

    spec->division = division;
    if (!T_OK(asy__split(spec, ROWS, label, 4, order, start, &err), &err))
        return false;
    for (int part = 0; part < ASY__PARTS; part++)
        for (size_t i = start[part]; i < start[part + 1]; i++)
            part_of[order[i]] = (uint8_t)part;
    return true;
}

/* Each row beside the test part is validated on once in each repetition, and folds and classes in
 * them are as equal as they can be. */
static void folds_divide_the_rows(void)
{
    struct asy__data_spec spec = { .test = 0.2, .validation = 0.16, .stratify = 1, .seed = 3,
                                   .folds = 5, .repeats = 2 };
    uint8_t whole[ROWS], part_of[ROWS], first[ROWS];
    size_t held[2][ROWS] = { { 0 } };
    int32_t label[ROWS];
    int moved = 0;

    make_labels(label);
    T_EQ("divisions", asy__divisions(&spec), 10);
    if (!divide(&spec, ASY__UNDIVIDED, label, whole))
        return;
    for (int32_t k = 0; k < 10; k++) {
        size_t of_class[4] = { 0 }, n = 0;

        if (!divide(&spec, k, label, part_of))
            return;
        for (size_t i = 0; i < ROWS; i++) {
            T_EQ("the test part is the same", part_of[i] == ASY__TEST, whole[i] == ASY__TEST);
            held[k / 5][i] += part_of[i] == ASY__VALIDATION;
            of_class[label[i]] += part_of[i] == ASY__VALIDATION;
            n += part_of[i] == ASY__VALIDATION;
        }
        if (k == 0)
            memcpy(first, part_of, sizeof first);
        moved += k == 5 && memcmp(first, part_of, sizeof first) != 0;
        T_TRUE(n == 16 || n == 17); /* 81 or 82 rows but the lone one */
        T_TRUE(of_class[0] == 9 || of_class[0] == 10);
        T_TRUE(of_class[1] == 5 || of_class[1] == 4);
        T_TRUE(of_class[2] == 1 || of_class[2] == 2);
        T_EQ("a lone row is trained on", of_class[3], 0);
    }
    for (size_t i = 0; i < ROWS; i++)
        for (int r = 0; r < 2; r++)
            T_EQ("held out", held[r][i], whole[i] == ASY__TRAIN && label[i] != 3);
    T_EQ("repetitions differ", moved, 1);
}

static void rows_too_few_for_folds_are_refused(void)
{
    struct asy__data_spec spec = { .validation = 0.5, .stratify = 1, .folds = 2, .repeats = 1 };
    static const int32_t label[] = { 0, 1 };
    struct asy_error err = ASY_ERROR_INIT;
    size_t order[2], start[ASY__PARTS + 1];

    T_EQ("a row of each class", asy__split(&spec, 2, label, 2, order, start, &err), ASY_E_INVAL);
    T_HAS("a row of each class", err.text, "too few to validate on");
}

static void repeats_split_anew(void)
{
    struct asy__data_spec spec = { .test = 0.2, .validation = 0.2, .stratify = 1, .repeats = 3 };
    struct asy__data_spec once = spec;
    uint8_t part_of[3][ROWS], alone[ROWS];
    int32_t label[ROWS];

    once.repeats = 1;
    make_labels(label);
    T_EQ("divisions", asy__divisions(&spec), 3);
    T_EQ("none", asy__divisions(&once), 0);
    if (!divide(&once, 0, label, alone))
        return;
    for (int32_t k = 0; k < 3; k++) {
        size_t n[ASY__PARTS] = { 0 };

        if (!divide(&spec, k, label, part_of[k]))
            return;
        for (size_t i = 0; i < ROWS; i++) {
            n[part_of[k][i]]++;
            T_EQ("test", part_of[k][i] == ASY__TEST, alone[i] == ASY__TEST);
        }
        T_EQ("validation", n[ASY__VALIDATION], 21);
    }
    T_EQ("the first is the split without repeats", memcmp(part_of[0], alone, ROWS), 0);
    T_TRUE(memcmp(part_of[0], part_of[1], ROWS) && memcmp(part_of[1], part_of[2], ROWS));
}

/* ---- training -------------------------------------------------------------------------------- */

static struct seen {
    char kept[160];                /* a checkpoint moves here, */
    char from[160];                /* and stood there */
    uint64_t steps, ask_at, kill_at; /* updates in this process; 0: never */
    size_t n_reports, n;
    struct {
        char name[64];
        double value;
    } metric[40]; /* of the last report */
    double best;
} seen;

static void on_step(void *arg, uint64_t step, double loss)
{
    (void)arg, (void)step;
    T_TRUE(isfinite(loss));
    seen.steps++;
    if (seen.steps == seen.kill_at)
        raise(SIGKILL);
    if (seen.steps == seen.ask_at)
        asy_trainer_request(trainer, ASY_TRAIN_PAUSE);
}

static int on_report(void *arg, uint64_t step, const struct asy_train_metric *metrics, size_t n)
{
    (void)arg, (void)step;
    seen.n_reports++;
    seen.n = n;
    for (size_t i = 0; i < n && i < ASY_ARRAY_LEN(seen.metric); i++) {
        snprintf(seen.metric[i].name, sizeof seen.metric[i].name, "%s", metrics[i].name);
        seen.metric[i].value = metrics[i].value;
        if (i > 0 && strcmp(metrics[i - 1].name, metrics[i].name) >= 0)
            T_STR("in name order", metrics[i - 1].name, metrics[i].name);
    }
    return 0;
}

static int on_checkpoint(void *arg, uint64_t step, const char *path)
{
    (void)arg, (void)step;
    snprintf(seen.from, sizeof seen.from, "%s", path);
    ASY_IGNORE(asy_durable_remove(seen.kept, NULL));
    return rename(path, seen.kept) < 0 ? ASY_E_IO : 0;
}

static const struct asy_train_callbacks callbacks = { .step = on_step, .report = on_report,
                                                      .checkpoint = on_checkpoint };

static double metric(const char *name)
{
    for (size_t i = 0; i < seen.n; i++)
        if (!strcmp(seen.metric[i].name, name))
            return seen.metric[i].value;
    return NAN;
}

static bool set_up(struct bench *b)
{
    memset(&seen, 0, sizeof seen);
    if (!bench_open(b))
        return false;
    snprintf(seen.kept, sizeof seen.kept, "%s/kept", b->dir);
    return true;
}

static int train(struct bench *b, const struct asy_json *job, const char *resume)
{
    seen.steps = 0;
    return asy_trainer_run(trainer, job, b->dir, resume, &callbacks, &b->result, &b->err);
}

#define SMALL "\"hidden\":16,\"layers\":1,\"lr\":0.01,\"batch_size\":100"
#define KIT_TEXT ASY_SOURCE_DIR "/LICENSE"
#define GPT "\"d_model\":8,\"heads\":2,\"blocks\":1,\"context\":16,\"batch_size\":20,\"lr\":0.01"
#define TREES "\"max_depth\":3,\"lr\":0.3"

static double number_in(const struct asy_json *node, const char *key)
{
    return asy_json_f64(asy_json_get(node, key), NAN);
}

/* Two folds of equal size: the share of all rows that were right is the mean of the folds'. And the
 * model is of all rows but the test part. */
static void metrics_are_means_and_the_model_is_of_all_rows(void)
{
    static const struct {
        const char *family, *params;
    } cases[] = { { "mlp", SMALL }, { "gbdt", TREES } };
    struct bench b;

    if (!set_up(&b))
        goto out;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_json *job = kit_family_job(cases[i].family, KIT_DIGITS,
                                              "\"split\":{\"folds\":2,\"test\":0.2}",
                                              "val_accuracy", "maximize", 6, cases[i].params, "");
        struct asy_json *scores = NULL, *test = NULL;
        struct asy_buf json;

        asy_buf_init(&json, 1u << 20);
        if (T_OK(train(&b, job, NULL), &b.err) &&
            T_OK(asy_trainer_report(b.result.scores_path, 1, &json, &b.err), &b.err) &&
            T_OK(asy_json_parse(json.data, json.len, &scores, &b.err), &b.err)) {
            T_EQ("rows", asy_json_i64(asy_json_get(scores, "rows"), 0), 1438);
            T_NEAR(cases[i].family, number_in(scores, "accuracy"), b.result.objective, 1e-12);
            T_TRUE(metric("val_accuracy_std") > 0 && metric("val_accuracy_std") < 0.1);
            T_TRUE(isnan(metric("train_loss_std")));
        }
        asy_buf_clear(&json);
        if (T_OK(asy_trainer_evaluate(job, b.result.model_path, "train", &json, &b.err), &b.err) &&
            T_OK(asy_json_parse(json.data, json.len, &test, &b.err), &b.err)) {
            T_EQ("trained on", asy_json_i64(asy_json_get(test, "rows"), 0), 1438);
            T_TRUE(number_in(test, "train_accuracy") > 0.9);
        }
        asy_json_destroy(scores);
        asy_json_destroy(test);
        asy_json_destroy(job);
        asy_buf_fini(&json);
    }
out:
    tear_down(&b);
}

/* What folds leave for the next training goes where the next has less use for it: under ASan, what
 * is forgotten of it is a leak. */
static void trainings_follow_each_other(void)
{
    struct asy_json *folds = kit_family_job("mlp", KIT_DIGITS,
                                            "\"split\":{\"folds\":5,\"test\":0.2}", "val_accuracy",
                                            "maximize", 1, SMALL, "");
    struct asy_json *plain = kit_family_job("mlp", KIT_DIGITS, "\"label\":-1", "val_accuracy",
                                            "maximize", 1, SMALL, "");
    const struct asy_json *jobs[] = { folds, plain, folds };
    double objective[ASY_ARRAY_LEN(jobs)] = { 0 };
    struct bench b;

    if (!set_up(&b))
        goto out;
    for (size_t i = 0; i < ASY_ARRAY_LEN(jobs); i++)
        if (T_OK(train(&b, jobs[i], NULL), &b.err))
            objective[i] = b.result.objective;
    T_TRUE(objective[0] > 0 && objective[1] > 0);
    T_EQ("the same again", objective[2] == objective[0], 1);
out:
    tear_down(&b);
    asy_json_destroy(folds);
    asy_json_destroy(plain);
}

/* What a batch takes is there once, however many trainings there are: larger batches make none of
 * their blocks larger. */
static void trainings_share_the_room_of_a_batch(void)
{
    static const char *const params[] = { SMALL, "\"hidden\":16,\"layers\":1,\"batch_size\":700" };
    size_t kept[2] = { 0 }, passing[2] = { 0 };

    for (size_t i = 0; i < 2; i++) {
        struct asy_json *job = kit_family_job("mlp", KIT_DIGITS, "\"split\":{\"folds\":3}",
                                              "val_loss", "minimize", 1, params[i], "");
        struct bench b;

        if (set_up(&b) && T_OK(train(&b, job, NULL), &b.err)) {
            T_EQ("places", trainer->n_places, 5); /* the whole, three folds and all rows */
            for (size_t k = 1; k < trainer->n_places; k++)
                kept[i] += trainer->places[k].arena.n;
            passing[i] = trainer->passing.n;
        }
        asy_json_destroy(job);
        tear_down(&b);
    }
    T_EQ("kept", kept[0], kept[1]);
    T_TRUE(passing[1] > passing[0] + 600 * 64); /* rows of so many features */
}

/* Numbers are scaled by each division's own rows. */
static void numbers_have_errors_in_their_units(void)
{
    struct asy_json *job = kit_family_job("linear", KIT_DIGITS,
                                          "\"task\":\"regression\",\"split\":{\"repeats\":3}",
                                          "val_rmse", "minimize", 4,
                                          "\"lr\":0.01,\"batch_size\":100", "");
    struct asy_json *scores = NULL;
    struct asy_buf json;
    struct bench b;

    asy_buf_init(&json, 1u << 20);
    if (set_up(&b) && T_OK(train(&b, job, NULL), &b.err) &&
        T_OK(asy_trainer_report(b.result.scores_path, 1, &json, &b.err), &b.err) &&
        T_OK(asy_json_parse(json.data, json.len, &scores, &b.err), &b.err)) {
        T_EQ("rows", asy_json_i64(asy_json_get(scores, "rows"), 0), 3 * 359);
        /* a root of a mean of squares, and a mean of roots */
        T_NEAR("rmse", number_in(scores, "rmse"), b.result.objective, 0.02 * b.result.objective);
        T_NEAR("r2", number_in(scores, "r2"), metric("val_r2"), 0.02);
    }
    asy_json_destroy(scores);
    asy_json_destroy(job);
    asy_buf_fini(&json);
    tear_down(&b);
}

/* The mean of the folds of a text, and a model that has read all but its last part. */
static void a_text_has_folds(void)
{
    struct asy_json *job = kit_family_job("gpt", KIT_TEXT, "\"format\":\"text\",\"split\":{"
                                          "\"folds\":4,\"test\":0.2}", "val_loss", "minimize", 3,
                                          GPT, "");
    struct asy_json *test = NULL;
    struct asy_buf json;
    struct bench b;

    asy_buf_init(&json, 1u << 20);
    if (set_up(&b) && T_OK(train(&b, job, NULL), &b.err)) {
        T_TRUE(b.result.objective < 3); /* of 75 characters, which is 4.3 of chance */
        T_TRUE(metric("val_loss_std") > 0.001 && metric("val_loss_std") < 0.5);
        T_NEAR("loss", metric("val_loss"), b.result.objective, 0);
        T_TRUE(metric("val_accuracy") > 0.2);
        T_STR("no report is made of it", b.result.scores_path, "");
        if (T_OK(asy_trainer_evaluate(job, b.result.model_path, "train", &json, &b.err), &b.err) &&
            T_OK(asy_json_parse(json.data, json.len, &test, &b.err), &b.err))
            T_EQ("windows", asy_json_i64(asy_json_get(test, "rows"), 0),
                 (11358 - 2272 - 16) / 16); /* of the text but its last fifth */
    }
    asy_json_destroy(test);
    asy_json_destroy(job);
    asy_buf_fini(&json);
    tear_down(&b);
}

/* ---- resumption ------------------------------------------------------------------------------ */

/* The job in pieces: paused at these updates of each piece; with kill, ended there, to go on from
 * the newest checkpoint. */
static void in_pieces(struct bench *b, const struct asy_json *job, uint64_t at, int kill)
{
    const char *resume = NULL;
    int status = 0;
    pid_t pid;

    ASY_IGNORE(asy_durable_remove(seen.kept, NULL));
    fflush(NULL);
    if (kill && (pid = fork()) == 0) {
        seen.kill_at = at;
        _exit(train(b, job, NULL) == 0 ? 0 : 1);
    }
    if (kill) {
        T_EQ("wait", waitpid(pid, &status, 0), pid);
        T_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        resume = seen.kept;
    }
    for (int piece = 0; piece < 40; piece++) {
        seen.ask_at = kill ? 0 : at;
        if (!T_OK(train(b, job, resume), &b->err) || b->result.outcome != ASY_TRAIN_PAUSED)
            break;
        resume = seen.kept;
    }
    seen.ask_at = 0;
}

static void resumed_folds_end_with_the_same_bits(void)
{
    static const struct {
        const char *family, *file, *data, *params;
        uint64_t pause, kill;
    } cases[] = {
        { "mlp", KIT_DIGITS, "\"split\":{\"folds\":3}",
          SMALL ",\"ema\":0.9,\"lr_schedule\":\"plateau\",\"lr_every\":1", 71, 101 },
        { "mlp", KIT_DIGITS, "\"split\":{\"repeats\":2}",
          SMALL ",\"norm\":\"batch\",\"optimizer\":\"sgd\",\"dropout\":0.2", 37, 90 },
        { "gbdt", KIT_DIGITS, "\"split\":{\"folds\":3,\"repeats\":2}", TREES ",\"subsample\":0.7",
          11, 31 },
        { "transformer", KIT_DIGITS, "\"sequence\":\"tokens\",\"split\":{\"folds\":2}",
          "\"d_model\":4,\"heads\":1,\"blocks\":1,\"batch_size\":200", 23, 40 },
        { "gpt", KIT_TEXT, "\"format\":\"text\",\"split\":{\"folds\":3}", GPT, 71, 90 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        char model[160], scores[160];
        struct asy_json *job;
        struct bench b;

        job = kit_family_job(cases[i].family, cases[i].file, cases[i].data, "val_loss", "minimize",
                             5, cases[i].params, "\"checkpoint_s\":0");
        if (set_up(&b) && T_OK(train(&b, job, NULL), &b.err)) {
            double objective = b.result.objective, std = metric("val_loss_std");

            snprintf(model, sizeof model, "%s/model", b.dir);
            snprintf(scores, sizeof scores, "%s/scores", b.dir);
            T_EQ("keep", rename(b.result.model_path, model), 0);
            if (*b.result.scores_path) /* of a text there are none */
                T_EQ("keep", rename(b.result.scores_path, scores), 0);
            for (int kill = 0; kill < 2; kill++) {
                in_pieces(&b, job, kill ? cases[i].kill : cases[i].pause, kill);
                T_EQ(cases[i].family, b.result.outcome, ASY_TRAIN_COMPLETE);
                T_NEAR(cases[i].family, b.result.objective, objective, 0);
                T_NEAR(cases[i].family, metric("val_loss_std"), std, 0);
                kit_same(kill ? "killed" : "paused", b.result.model_path, model);
                if (*b.result.scores_path)
                    kit_same(kill ? "killed" : "paused", b.result.scores_path, scores);
            }
        }
        asy_json_destroy(job);
        tear_down(&b);
    }
}

/* What the training of this file says of the best epoch: that there was none yet. */
static bool forget_the_best(const char *path)
{
    static const char key[] = "\"progress\":\"";
    struct asy_error err = ASY_ERROR_INIT;
    char *bytes = NULL, *at;
    size_t n = 0;
    bool ok = T_OK(asy_read_file(path, 64u << 20, &bytes, &n, &err), &err) &&
              T_TRUE((at = memmem(bytes, n, key, strlen(key))) != NULL);

    if (ok)
        memset(at + strlen(key) + (size_t)3 * 16, '0', 16);
    ok = ok && kit_write(path, bytes, n);
    free(bytes);
    return ok;
}

/* As many of the validation part as means have no room for. */
static bool write_many_metrics(const char *path)
{
    struct asy_buf text;
    bool ok;

    asy_buf_init(&text, 4096);
    asy_buf_adds(&text, "[{\"val_loss\":1");
    for (int i = 0; i < ASY_PLUGIN_METRICS_MAX; i++)
        asy_buf_addf(&text, ",\"val_%d\":1", i);
    asy_buf_adds(&text, "}]");
    ok = kit_write(path, text.data, text.len);
    asy_buf_fini(&text);
    return ok;
}

/* Files of one checkpoint in each other's place, changed, or none at all. */
static void checkpoints_that_do_not_fit_are_refused(void)
{
    struct asy_json *job = kit_family_job("mlp", KIT_DIGITS, "\"split\":{\"folds\":2}", "val_loss",
                                          "minimize", 3, SMALL, "");
    char a[200], c[200], epoch[200];
    struct bench b;

    if (!set_up(&b))
        goto out;
    snprintf(a, sizeof a, "%s/training-1.safetensors", seen.kept);
    snprintf(c, sizeof c, "%s/training-2.safetensors", seen.kept);
    snprintf(epoch, sizeof epoch, "%s/epoch.json", seen.kept);
    seen.ask_at = 44; /* of 31 batches an epoch, 8 of each fold: inside the second training */
    if (!T_OK(train(&b, job, NULL), &b.err) || !T_EQ("paused", b.result.outcome, ASY_TRAIN_PAUSED))
        goto out;
    seen.ask_at = 0;
    T_TRUE(kit_write(epoch, "[]", 2));
    T_EQ("no metrics", train(&b, job, seen.kept), ASY_E_CORRUPT);
    T_HAS("no metrics", b.err.text, "the epoch so far is not there");
    T_TRUE(write_many_metrics(epoch));
    T_EQ("many metrics", train(&b, job, seen.kept), ASY_E_CORRUPT);
    T_HAS("many metrics", b.err.text, "too many metrics");
    T_TRUE(forget_the_best(c));
    T_EQ("no best epoch", train(&b, job, seen.kept), ASY_E_CORRUPT);
    T_HAS("no best epoch", b.err.text, "stand at different places");
    T_TRUE(rename(a, epoch) == 0 && rename(c, a) == 0 && rename(epoch, c) == 0);
    T_EQ("another's", train(&b, job, seen.kept), ASY_E_INVAL);
    T_HAS("another's", b.err.text, "division is 1 there, 0 here");
    unlink(a);
    T_TRUE(train(&b, job, seen.kept) < 0);
out:
    asy_json_destroy(job);
    tear_down(&b);
}

static int entries(const char *folder)
{
    DIR *dir = opendir(folder);
    int n = -2; /* . and .. */

    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n;
}

/* No file may be larger than what says where all stands: as on a disk that has room for no more. */
static void a_checkpoint_that_cannot_be_written_leaves_nothing(void)
{
    struct asy_json *job = kit_family_job("mlp", KIT_DIGITS, "\"split\":{\"folds\":2}", "val_loss",
                                          "minimize", 3, SMALL, "");
    struct rlimit before, small;
    char old[200];
    struct bench b;
    int rc, again;

    if (!set_up(&b) || !T_EQ("limit", getrlimit(RLIMIT_FSIZE, &before), 0))
        goto out;
    small = before;
    small.rlim_cur = 8192; /* training-1.safetensors has 40 KiB or so */
    signal(SIGXFSZ, SIG_IGN);
    T_EQ("limit", setrlimit(RLIMIT_FSIZE, &small), 0);
    seen.ask_at = 44;
    rc = train(&b, job, NULL);
    T_EQ("limit", setrlimit(RLIMIT_FSIZE, &before), 0);
    T_EQ("too large", rc, ASY_E_IO);
    T_HAS("too large", b.err.text, "training-1.safetensors': file too large");
    T_EQ("nothing is left", entries(b.dir), 0);
    if (!T_OK(train(&b, job, NULL), &b.err)) /* once there is room */
        goto out;
    T_EQ("paused", b.result.outcome, ASY_TRAIN_PAUSED);
    snprintf(old, sizeof old, "%s/old", seen.from);
    if (!T_EQ("a folder of that name", mkdir(seen.from, 0700), 0) || !kit_write(old, "x", 1))
        goto out;
    T_EQ("limit", setrlimit(RLIMIT_FSIZE, &small), 0);
    again = train(&b, job, NULL);
    T_EQ("limit", setrlimit(RLIMIT_FSIZE, &before), 0);
    T_EQ("too large again", again, ASY_E_IO);
    T_EQ("what stood there is left", access(old, F_OK), 0);
out:
    seen.ask_at = 0;
    asy_json_destroy(job);
    tear_down(&b);
}

T_MAIN("folds", T_TEST(folds_divide_the_rows), T_TEST(repeats_split_anew),
       T_TEST(rows_too_few_for_folds_are_refused),
       T_TEST(metrics_are_means_and_the_model_is_of_all_rows), T_TEST(trainings_follow_each_other),
       T_TEST(trainings_share_the_room_of_a_batch), T_TEST(numbers_have_errors_in_their_units),
       T_TEST(a_text_has_folds),
       T_TEST(resumed_folds_end_with_the_same_bits),
       T_TEST(checkpoints_that_do_not_fit_are_refused),
       T_TEST(a_checkpoint_that_cannot_be_written_leaves_nothing))
