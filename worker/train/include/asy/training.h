/* SPDX-License-Identifier: Apache-2.0
 * asy/training.h - the native engine: one job of one trial, from a checkpoint (or nothing) to its
 * milestone.
 *
 * A job is described by JSON (docs/protocol.md, "Orders"):
 *   {"study": <the study, defaults filled in>, "params": {…}, "seed": N, "number": N,
 *    "until": N,           epochs: pause there, with a checkpoint; absent: to the end
 *    "checkpoint_s": S,    seconds between checkpoints on the way; absent: 60; 0: every epoch
 *    "import": {"dir": D, "limit": bytes, "file": sha256, "labels": sha256}}
 *                          where data that was read stays for other trainers; absent: nowhere
 * asy_trainer_run() trains and calls
 * back with reports and checkpoints; the caller (the gang loop of assay-trainer, or a test) sends
 * them on and may ask for a stop, which takes effect at the same step on all ranks.
 *
 * A trainer keeps the imported data set and its arena between jobs, so that a warm trainer starts
 * the next trial of a study without reading anything again.
 *
 * Same build, same width, same job: the same bits, whether interrupted and resumed or not.
 *
 * Ownership: create/destroy; the comm is borrowed. Threads: the one thread that made the comm;
 * asy_trainer_request() from any thread. */
#ifndef ASY_TRAINING_H
#define ASY_TRAINING_H
#include <asy/comm.h>
#include <asy/json.h>

struct asy_trainer;

enum asy_train_outcome {
    ASY_TRAIN_COMPLETE = 1, /* reached the full length, or early stopping ended it */
    ASY_TRAIN_PAUSED = 2,   /* stands at `until`, or a pause was asked; checkpoint committed */
    ASY_TRAIN_STOPPED = 3,  /* a stop was asked; no checkpoint needed */
    ASY_TRAIN_DIVERGED = 4, /* loss or objective became NaN or infinite; or the weights of what is
                               otherwise complete, which rank 0 alone says */
};

/* step counts the study's length unit (epochs: 1, 2, …), metrics in name order. */
struct asy_train_metric {
    const char *name; /* train_loss, train_accuracy, val_loss, val_accuracy, samples_per_s */
    double value;
};
struct asy_train_callbacks {
    void *arg;
    /* Called first, on every rank; where it fails on one, the job fails on all. */
    int (*prepare)(void *arg, struct asy_error *err);
    /* After each update of the weights: how many there were, and the loss of the whole batch. */
    void (*step)(void *arg, uint64_t step, double loss);
    /* Training goes on: after each update, and between pieces of scoring. */
    void (*alive)(void *arg);
    int (*report)(void *arg, uint64_t step, const struct asy_train_metric *metrics, size_t n);
    /* path: a finished, closed file in the job's folder (not yet synced): the callee moves it. */
    int (*checkpoint)(void *arg, uint64_t step, const char *path);
};

enum asy_train_request { ASY_TRAIN_GO_ON = 0, ASY_TRAIN_PAUSE = 1, ASY_TRAIN_STOP = 2 };

struct asy_train_result {
    enum asy_train_outcome outcome;
    uint64_t step;             /* where it stands */
    double objective;          /* the study's objective by its `take` rule; NaN: none */
    char model_path[4096];     /* COMPLETE: weights of the best (or last) epoch, safetensors with
                                  preprocessing and label names in its metadata; else "" */
    char scores_path[4096];    /* COMPLETE: how that model does on the validation part, class by
                                  class, JSON (learn/report.h); "": there is nothing to say */
    char reason[240];          /* DIVERGED: what and where; COMPLETE: "early stopping at …" or "" */
};

ASY_MUST_CHECK int asy_trainer_create(struct asy_comm *comm, struct asy_trainer **ret_trainer,
                                      struct asy_error *err);
void asy_trainer_destroy(struct asy_trainer *trainer);
/* Where networks are trained, whatever their jobs say: auto, cpu, opencl or cuda; borrowed. NULL:
 * as they say. */
void asy_trainer_set_device(struct asy_trainer *trainer, const char *word);
/* dir: an existing folder for checkpoints and the model. resume: a checkpoint of this trial, read
 * by rank 0 alone; NULL: from the beginning. Only rank 0 writes files and calls back (prepare
 * apart); a callback's negative result ends the run and is passed on. Each callback may be NULL.
 * Errors are mistakes of the job (unknown parameter, unreadable data, foreign checkpoint) or of the
 * machine; they name the place, and on all ranks what failed on the first of them. */
ASY_MUST_CHECK int asy_trainer_run(struct asy_trainer *trainer, const struct asy_json *job,
                                   const char *dir, const char *resume,
                                   const struct asy_train_callbacks *callbacks,
                                   struct asy_train_result *ret_result, struct asy_error *err);
/* Whether the last job ran on a device, or was about to when it failed. */
int asy_trainer_on_device(const struct asy_trainer *trainer);
/* What running jobs should do at the next batch boundary; async-signal-safe. */
void asy_trainer_request(struct asy_trainer *trainer, enum asy_train_request request);

/* The hyperparameters of a model family, held against the key table by a test. Returns NULL beyond
 * the last. */
const char *asy_trainer_hyperparameter(const char *family, size_t i);

/* Loads a plug-in and writes its table: asy/plugin.h. */
ASY_MUST_CHECK int asy_trainer_describe_plugin(const char *path, struct asy_buf *ret_json,
                                               struct asy_error *err);
/* Writes {"rows":…,"columns":…,"label":…,"classes":[…],"split":{"train":…,…}} of a job's data. */
ASY_MUST_CHECK int asy_trainer_describe(const struct asy_json *job, struct asy_buf *ret_json,
                                        struct asy_error *err);
/* Scores a stored model on one part ("train", "validation", "test") of a job's data: a JSON object
 * of metrics. The area under the curve is there where the study names it, or there are few scores.
 */
ASY_MUST_CHECK int asy_trainer_evaluate(const struct asy_json *job, const char *model_path,
                                        const char *part, struct asy_buf *ret_json,
                                        struct asy_error *err);
/* What a stored model's trial found of it on the validation part, class by class: a text, or JSON
 * (worker/train/report.h). ASY_E_NOENT: it was stored without. */
ASY_MUST_CHECK int asy_trainer_report(const char *model_path, int as_json, struct asy_buf *ret_text,
                                      struct asy_error *err);
/* Lets a stored model of the family gpt go on after a prompt: a text, or numbers between spaces or
 * commas; "": from nothing. Writes the prompt and the n tokens that follow; or as JSON "prompt" and
 * "text", what follows. Each is drawn from the likeliest `top` (0: all) by what the model gives
 * them, to the power of 1 / temperature; 0: always the likeliest. Same model and options: the same
 * text. ASY_E_UNSUPPORTED: another family. */
struct asy_generate {
    const char *prompt;
    size_t n, top;
    double temperature;
    uint64_t seed;
};
#define ASY_GENERATE_INIT { "", 200, 0, 0.8, 0 }
ASY_MUST_CHECK int asy_trainer_generate(const char *model_path, const struct asy_generate *options,
                                        int as_json, struct asy_buf *ret_text,
                                        struct asy_error *err);
/* Applies a stored model to the rows of a CSV file (with or without the label column). Writes CSV:
 * prediction, then one probability column per class; or as JSON one object a row: "prediction", and
 * "probabilities" by class where there are classes. */
ASY_MUST_CHECK int asy_trainer_predict(const char *model_path, const char *csv_path, int as_json,
                                       struct asy_buf *ret_text, struct asy_error *err);
#endif
