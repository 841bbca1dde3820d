/* SPDX-License-Identifier: Apache-2.0
 * train_curves.c - trains random configurations of a multi-layer perceptron and prints the learning
 * curve of each. tests/bench/make_curves.py makes a table of them.
 *
 *   train_curves FILE TASK FIRST N EPOCHS FOLDER
 *
 * FILE is a CSV file whose last column is what to predict, TASK classification or regression.
 * Configuration k of FIRST .. FIRST + N - 1 is the point that the sampler random (seed 1) draws for
 * trial k, and is trained with the seed k. Prints a line each: k, the number of weights, the
 * point's values in the order of the space (none where one is not active), then EPOCHS validation
 * losses and EPOCHS times of an epoch in milliseconds of this thread's processor time, scoring
 * included. What diverged has nan from there on, and no times. FOLDER is for what a trainer
 * writes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <asy/parse.h>
#include <asy/training.h>
#include <asy/tuner.h>

#define EPOCHS_MAX 1000

static struct asy_error err = ASY_ERROR_INIT;

static void die(const char *what)
{
    fprintf(stderr, "train_curves: %s\n", what);
    exit(1);
}

/* ---- the space: as wide as a first guess ----------------------------------------------------- */

static const char *const activations[] = { "relu", "tanh",    "gelu",
                                           "sigmoid", "silu", "leaky_relu" };
static const char *const optimizers[] = { "sgd", "adam" };
static const int64_t batches[] = { 8, 16, 32, 64, 128, 256 };

static void add(struct asy_space *space, const struct asy_param *param)
{
    if (asy_space_add(space, param, &err))
        die(err.text);
}

static void add_words(struct asy_space *space, const char *name, const char *const *words, size_t n)
{
    struct asy_value values[8];

    for (size_t i = 0; i < n; i++)
        values[i] = (struct asy_value){ .type = ASY_VALUE_STRING, .s = words[i] };
    add(space, &(struct asy_param){ .name = name, .type = ASY_PARAM_CHOICE, .choices = values,
                                    .n_choices = n });
}

static struct asy_space *make_space(void)
{
    struct asy_value sizes[ASY_ARRAY_LEN(batches)];
    struct asy_space *space = NULL;
    static const double sgd = 0;
    struct asy_when when = { .values = &sgd, .n_values = 1 };

    if (asy_space_create(&space, &err))
        die(err.text);
    add(space, &(struct asy_param){ .name = "lr", .lo = 1e-5, .hi = 1, .log = 1 });
    add(space, &(struct asy_param){ .name = "hidden", .type = ASY_PARAM_INT, .lo = 8, .hi = 256,
                                    .log = 1 });
    add(space, &(struct asy_param){ .name = "layers", .type = ASY_PARAM_INT, .lo = 1, .hi = 4 });
    add_words(space, "activation", activations, ASY_ARRAY_LEN(activations));
    add_words(space, "optimizer", optimizers, ASY_ARRAY_LEN(optimizers));
    when.parent = asy_space_find(space, "optimizer");
    add(space, &(struct asy_param){ .name = "momentum", .lo = 0, .hi = 0.99, .whens = &when,
                                    .n_whens = 1 });
    for (size_t i = 0; i < ASY_ARRAY_LEN(batches); i++)
        sizes[i] = (struct asy_value){ .type = ASY_VALUE_INT, .i = batches[i],
                                       .f = (double)batches[i] };
    add(space, &(struct asy_param){ .name = "batch_size", .type = ASY_PARAM_CHOICE, .ordered = 1,
                                    .choices = sizes, .n_choices = ASY_ARRAY_LEN(sizes) });
    add(space, &(struct asy_param){ .name = "weight_decay", .lo = 1e-7, .hi = 0.1, .log = 1 });
    return space;
}

/* ---- one configuration ----------------------------------------------------------------------- */

struct curve {
    size_t n; /* epochs reported */
    double loss[EPOCHS_MAX], ms[EPOCHS_MAX], at_ms;
};

static double thread_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return 1e3 * (double)t.tv_sec + (double)t.tv_nsec / 1e6;
}

static int on_prepare(void *arg, struct asy_error *e)
{
    struct curve *curve = arg;

    (void)e;
    curve->at_ms = thread_ms();
    return 0;
}

static int on_report(void *arg, uint64_t step, const struct asy_train_metric *metrics, size_t n)
{
    struct curve *curve = arg;
    double now = thread_ms();

    if (step < 1 || step > EPOCHS_MAX)
        return ASY_E_INVAL;
    for (size_t i = 0; i < n; i++)
        if (!strcmp(metrics[i].name, "val_loss"))
            curve->loss[step - 1] = metrics[i].value;
    curve->ms[step - 1] = now - curve->at_ms;
    curve->at_ms = now;
    curve->n = step;
    return 0;
}

static struct asy_json *make_job(const char *file, const char *task, uint64_t number, int epochs,
                                 const struct asy_space *space, const double *x)
{
    struct asy_json *job = NULL;
    struct asy_jsonw w;
    struct asy_buf buf;

    asy_buf_init(&buf, 1u << 16);
    asy_buf_addf(&buf,
                 "{\"study\":{\"name\":\"curves\",\"run\":{\"model\":\"mlp\",\"fixed\":{},"
                 "\"length\":{\"unit\":\"epochs\",\"max\":%d}},\"data\":{\"file\":\"%s\","
                 "\"header\":false,\"label\":-1,\"task\":\"%s\",\"scale\":\"standard\","
                 "\"split\":{\"validation\":0.2,\"test\":0.2,\"stratify\":%s,\"seed\":0}},"
                 "\"objective\":[{\"metric\":\"val_loss\",\"goal\":\"minimize\",\"take\":\"best\","
                 "\"target\":null}]},\"seed\":%llu,\"number\":%llu,\"checkpoint_s\":1000000,"
                 "\"params\":",
                 epochs, file, task, strcmp(task, "classification") ? "false" : "true",
                 (unsigned long long)number, (unsigned long long)number);
    asy_jsonw_init(&w, &buf, 0);
    asy_space_write(space, x, &w, NULL);
    asy_buf_addf(&buf, "}");
    if (buf.rc || asy_json_parse(buf.data, buf.len, &job, &err))
        die(buf.rc ? "a job is too long" : err.text);
    asy_buf_fini(&buf);
    return job;
}

/* Weights and offsets between n_in inputs, layers of `hidden` units, n_out outputs. */
static double weights(double n_in, double hidden, double layers, double n_out)
{
    return (n_in + 1) * hidden + (layers - 1) * (hidden + 1) * hidden + (hidden + 1) * n_out;
}

static void print(const struct asy_space *space, const double *x, uint64_t number, double n_weights,
                  const struct curve *curve, int epochs)
{
    char text[64];

    printf("%llu,%.0f", (unsigned long long)number, n_weights);
    for (size_t i = 0; i < asy_space_len(space); i++) {
        asy_space_text(space, x, i, text, sizeof text);
        printf(",%s", isnan(x[i]) ? "" : text);
    }
    for (int e = 0; e < epochs; e++)
        printf(",%.5g", (size_t)e < curve->n ? curve->loss[e] : (double)NAN);
    for (int e = 0; e < epochs; e++)
        if ((size_t)e < curve->n)
            printf(",%.3g", curve->ms[e]);
        else
            printf(",");
    printf("\n");
    fflush(stdout);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static uint64_t count(const char *text)
{
    int64_t n;

    if (asy_parse_i64(text, strlen(text), &n, &err) || n < 0)
        die("a count is a whole number, 0 or more");
    return (uint64_t)n;
}

/* Columns without the label, and outputs: classes, or 1. */
static void shape_of(const struct asy_json *job, const char *task, double *ret_in, double *ret_out)
{
    struct asy_json *root = NULL;
    struct asy_buf text;

    asy_buf_init(&text, 1u << 20);
    if (asy_trainer_describe(job, &text, &err) ||
        asy_json_parse(text.data, text.len, &root, &err))
        die(err.text);
    *ret_in = asy_json_f64(asy_json_get(root, "columns"), 0) - 1;
    *ret_out = strcmp(task, "classification") ? 1
                                              : (double)asy_json_len(asy_json_get(root, "classes"));
    asy_json_destroy(root);
    asy_buf_fini(&text);
}

int main(int argc, char **argv)
{
    static const enum asy_goal goal = ASY_MINIMIZE;
    struct asy_sampler_spec spec = { .name = "random", .seed = 1, .goals = &goal, .n_goals = 1 };
    struct curve *curve = calloc(1, sizeof *curve);
    struct asy_train_callbacks callbacks = { .arg = curve, .prepare = on_prepare,
                                             .report = on_report };
    struct asy_space *space = make_space();
    struct asy_sampler *sampler = NULL;
    struct asy_trainer *trainer = NULL;
    struct asy_comm *comm = NULL;
    double x[16], n_in = 0, n_out = 0;
    uint64_t first, n, epochs;

    if (argc != 7) {
        fprintf(stderr, "usage: see the head of tests/bench/train_curves.c\n");
        return 2;
    }
    first = count(argv[3]), n = count(argv[4]), epochs = count(argv[5]);
    if (!curve || epochs > EPOCHS_MAX)
        die(curve ? "too many epochs" : "no memory");
    if (asy_sampler_create(space, &spec, &sampler, &err) || asy_comm_self(&comm, &err) ||
        asy_trainer_create(comm, &trainer, &err))
        die(err.text);
    for (uint64_t k = first; k < first + n; k++) {
        struct asy_train_result result;
        struct asy_json *job;

        if (asy_sampler_ask(sampler, k, NULL, x, &err))
            die(err.text);
        job = make_job(argv[1], argv[2], k, (int)epochs, space, x);
        if (n_in == 0)
            shape_of(job, argv[2], &n_in, &n_out);
        curve->n = 0;
        if (asy_trainer_run(trainer, job, argv[6], NULL, &callbacks, &result, &err))
            die(err.text);
        print(space, x, k, weights(n_in, x[1], x[2], n_out), curve, (int)epochs);
        asy_json_destroy(job);
    }
    asy_trainer_destroy(trainer);
    asy_comm_destroy(comm);
    asy_sampler_destroy(sampler);
    asy_space_destroy(space);
    free(curve);
    return 0;
}
