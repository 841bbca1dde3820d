/* SPDX-License-Identifier: Apache-2.0
 * Study files: what cannot be had together is refused before any trial fails by it. */
#include <asy/study.h>
#include "folder.h"

#define HEAD "assay: 1\nname: s\n"
#define REST "data: d.csv\nobjective: {metric: val_loss, goal: minimize}\nbudget: {trials: 10}\n"
#define STUDY(run, params) HEAD "run: {model: " run ", length: {max: 9}}\n" REST \
                           "parameters: {weight_decay: {min: 0.0, max: 1.0}" params "}\n"
#define STRICT "resources: {reproducible: strict, ranks: 2}\n"
#define ALONE "above 1 ranks make steps alone, and "

/* The mistakes, all of them, in `problems`; NULL where there is none. */
static const char *mistakes(const char *text, struct asy_buf *problems)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_study_spec *spec = NULL;
    int rc = asy_study_parse(text, strlen(text), "s", "/base", &spec, problems, &err);

    T_EQ(text, rc, spec ? 0 : ASY_E_INVAL);
    asy_study_destroy(spec);
    return spec ? NULL : problems->data;
}

struct row {
    const char *text, *want; /* the one mistake; NULL: none */
};

static void check(const struct row *row)
{
    struct asy_buf problems;
    const char *got;

    asy_buf_init(&problems, 64u << 10);
    got = mistakes(row->text, &problems);
    if (!row->want)
        T_STR(row->text, got ? got : "", "");
    else if (T_TRUE(got))
        T_STR(row->text, got, row->want);
    asy_buf_fini(&problems);
}

/* Of a user's own file, and not of a text that was stored before such mistakes were found. */
static void check_of_user(const struct t_folder *folder, const struct row *row)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_study_spec *spec = NULL;
    struct asy_buf problems;
    char path[PATH_MAX], want[PATH_MAX + 400] = "";

    asy_buf_init(&problems, 64u << 10);
    t_write(t_path(folder, "s", path), row->text);
    if (row->want)
        snprintf(want, sizeof want, "%s%s", path, row->want);
    T_EQ(row->text, asy_study_load(path, NULL, &spec, &problems, &err),
          row->want ? ASY_E_INVAL : 0);
    T_STR(row->text, problems.data ? problems.data : "", want);
    asy_study_destroy(spec);
    check(&(struct row){ row->text, NULL });
    asy_buf_fini(&problems);
}

static void check_of_users(const struct row *rows, size_t n)
{
    struct t_folder folder;
    char path[PATH_MAX];

    if (!t_folder_make(&folder))
        return;
    t_write(t_path(&folder, "d.csv", path), "1,2\n");
    for (size_t i = 0; i < n; i++)
        check_of_user(&folder, &rows[i]);
    t_folder_drop(&folder);
}

static void steps_of_a_rank_alone_are_not_those_of_all(void)
{
    static const struct row rows[] = {
        { STUDY("mlp, sync_every: 4, ema: 0.99", ""),
          ":3:31: run.sync_every: " ALONE "ema is a mean over the steps of all\n" },
        { STUDY("mlp", ", ema: {values: [0.0, 0.9]}, sync_every: {min: 1, max: 8}"),
          ":7:89: parameters.sync_every: " ALONE "ema is a mean over the steps of all\n" },
        { STUDY("mlp, sync_every: 2", "") STRICT,
          ":3:31: run.sync_every: " ALONE "reproducible: strict gives the same bits for any "
          "number of them\n" },
        { STUDY("cnn", ", sync_every: {values: [1, 8]}") STRICT,
          ":7:62: parameters.sync_every: " ALONE "reproducible: strict gives the same bits for "
          "any number of them\n" },
        { STUDY("mlp, sync_every: 4, norm: batch", ""),
          ":3:31: run.sync_every: " ALONE "norm: batch needs a batch as a whole; layer does "
          "not\n" },
        { STUDY("cnn, sync_every: 4", ", norm: {values: [none, batch]}"),
          ":3:31: run.sync_every: " ALONE "norm: batch needs a batch as a whole; layer does "
          "not\n" },
        { STUDY("layers, sync_every: 4, layers: [{norm: batch}]", ""),
          ":3:34: run.sync_every: " ALONE "norm: batch needs a batch as a whole; layer does "
          "not\n" },
        { STUDY("mlp, sync_every: 4", "") "resources: {device: opencl}\n",
          ":3:31: run.sync_every: above 1 has no use for one rank on a device, which has no "
          "others to meet\n" },
        { STUDY("mlp, sync_every: 4", "") "resources: {gpus: 1}\n",
          ":3:31: run.sync_every: above 1 has no use for one rank on a device, which has no "
          "others to meet\n" },
        { STUDY("mlp, sync_every: 4, batch_size: 3", "") "resources: {ranks: 4}\n",
          ":3:31: run.sync_every: above 1 each rank makes steps of its own, and of a batch of 3 "
          "rows (batch_size) 4 ranks have not one each\n" },
        { STUDY("mlp, sync_every: 4, batch_size: 4", "") "resources: {ranks: 4}\n", NULL },
        { STUDY("mlp, sync_every: 4, norm: layer, ema: 0", ""), NULL },
        { STUDY("mlp, sync_every: 4", "") "resources: {device: opencl, ranks: 2}\n", NULL },
        { STUDY("mlp, sync_every: 1, ema: 0.9, norm: batch", "") "resources: {device: opencl}\n",
          NULL },
        { STUDY("mlp", ", optimizer: {values: [sgd, adam]}, sync_every: {min: 1, max: 8, when: "
                "{optimizer: sgd}}, ema: {values: [0.0, 0.9], when: {optimizer: adam}}"), NULL },
        { STUDY("mlp, sync_every: 4", ", ema: {min: 0.0, max: 0.9}") "search: {fixed: "
          "{ema: 0.0}}\n", NULL },
    };

    check_of_users(rows, ASY_ARRAY_LEN(rows));
}

static void what_does_nothing_is_a_mistake_of_a_users_file(void)
{
#define OUTER "has no effect without sync_every above 1\n"
#define RANKS "resources: {ranks: 4}\n"
    static const struct row rows[] = {
        { STUDY("mlp, warmup: 9.5", ""), ":3:27: run.warmup: 9.5 epochs are more than "
          "run.length.max, so that lr would never be reached\n" },
        { STUDY("mlp", ", warmup: {values: [12, 10]}"), ":7:58: parameters.warmup: 10 epochs are "
          "more than run.length.max, so that lr would never be reached\n" },
        { STUDY("mlp, outer_lr: 0.7", ""), ":3:29: run.outer_lr: " OUTER },
        { STUDY("mlp, sync_every: 1", ", outer_momentum: {min: 0.1, max: 0.9}"),
          ":7:66: parameters.outer_momentum: " OUTER },
        { STUDY("mlp, accumulate: 100", ""), ":3:31: run.accumulate: 100 pieces cannot be made of "
          "the 64 rows that a rank has of a batch (batch_size)\n" },
        { STUDY("mlp, accumulate: 17", "") RANKS, ":3:31: run.accumulate: 17 pieces cannot be made "
          "of the 16 rows that a rank has of a batch (batch_size)\n" },
        { STUDY("mlp, accumulate: 2, batch_size: 4", "") RANKS, ":3:31: run.accumulate: 2 pieces "
          "cannot be made of the 1 row that a rank has of a batch (batch_size)\n" },
        { STUDY("mlp", ", accumulate: {values: [8, 16]}, batch_size: {values: [2, 4]}"),
          ":7:62: parameters.accumulate: 8 pieces cannot be made of the 4 rows that a rank has "
          "of a batch (batch_size)\n" },
        { STUDY("mlp, warmup: 9, accumulate: 16", "") RANKS, NULL },
        { STUDY("mlp", ", warmup: {min: 0, max: 20}, accumulate: {min: 1, max: 128}, batch_size: "
                "{values: [16, 64]}"), NULL },
        { STUDY("mlp, outer_lr: 0.7, outer_momentum: 0.9", ", sync_every: {values: [1, 8]}"),
          NULL },
    };

    check_of_users(rows, ASY_ARRAY_LEN(rows));
}

static void a_metric_that_the_labels_do_not_have_is_a_mistake_of_a_users_file(void)
{
#define JUDGED(model, task, metric) HEAD "run: {model: " model ", length: {max: 9}}\n" \
    "data: {file: d.csv, " task "}\nobjective: {metric: " metric ", goal: minimize}\n" \
    "budget: {trials: 10}\nparameters: {lr: {min: 1e-4, max: 0.1}}\n"
#define OF_NUMBERS "train_loss, train_mae, train_rmse, train_r2, val_loss, val_mae, val_rmse, " \
    "val_r2"
    static const struct row rows[] = {
        { JUDGED("gbdt", "task: regression", "val_accuracy"), ":5:21: objective.metric: gbdt does "
          "not report 'val_accuracy', but " OF_NUMBERS "\n" },
        { JUDGED("mlp", "task: classification", "val_mae"), ":5:21: objective.metric: mlp does not "
          "report 'val_mae', but train_loss, train_accuracy, val_loss, val_accuracy, val_f1, "
          "val_auc, val_perplexity, val_top2, val_top3, val_top5, val_top10\n" },
        { JUDGED("gpt", "format: text", "val_f1"), ":5:21: objective.metric: gpt does not report "
          "'val_f1', but train_loss, train_accuracy, train_perplexity, val_loss, val_accuracy, "
          "val_perplexity\n" },
        { JUDGED("gbdt", "task: regression", "train_perplexity"), ":5:21: objective.metric: gbdt "
          "does not report 'train_perplexity', but " OF_NUMBERS "\n" },
        { JUDGED("gbdt", "task: regression", "val_r2"), NULL },
        { JUDGED("cnn", "label: 1", "val_mae"), NULL },
    };

    check_of_users(rows, ASY_ARRAY_LEN(rows));
}

T_MAIN("study-together", T_TEST(steps_of_a_rank_alone_are_not_those_of_all),
       T_TEST(what_does_nothing_is_a_mistake_of_a_users_file),
       T_TEST(a_metric_that_the_labels_do_not_have_is_a_mistake_of_a_users_file))
