/* SPDX-License-Identifier: Apache-2.0
 * bench_step.c - training steps of a network, as the engine does them on one rank: a batch gathered
 * by a shuffled order, forward, loss, backward, update.
 *
 *   bench_step LAYERS BATCH sgd|adam SECONDS|STEPSx [fp32|bf16]
 *
 * LAYERS: 784-512-256-10, or, of images of 28 x 28 pixels, 28x28-16c5-p-32c5-p-128-10: 16 kernels
 * of 5 x 5 without a border, the greatest of 2 x 2 pixels, ...; relu between. Data are 8192 rows of
 * noise, of images around 0, where rates are small: that keeps units as alive as they are at first,
 * as products with what a dead one gives are left out. Warms up for a fifth of SECONDS of processor
 * time, then prints microseconds of it per step, steps, the last step's loss, and what computes the
 * products. With so many steps ("300x") it does just those; the loss is then the mean of as many of
 * the last as go through all rows, as an epoch's is, and does not depend on the time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <asy/base.h>
#include <asy/bf16.h>
#include <asy/pages.h>
#include <asy/rng.h>
#include "data/ahead.h"
#include "net/net.h"
#include "learn/score.h"
#include "learn/update.h"

#define ROWS ((size_t)8192)
#define LAYERS_MAX 10
#define TURN 1e-3 /* seconds of steps between two looks at the clock */

struct net {
    struct asy__net *plan;
    struct asy__learner learner;
    struct asy_op_taker taker;
    struct asy__update *update;
    struct asy__update_pass pass;
    size_t batch, width;
    float *params, *grads, *m, *v, *data, *x;
    int32_t *labels, *label;
    uint32_t *order;
    uint64_t step;
    double loss;
};

static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* A number before one of the characters in `after`, which is taken; 0: there is none. */
static size_t number(const char **text, const char *after, char *ret)
{
    char *end;
    size_t n = strtoul(*text, &end, 10);

    *ret = *end;
    if (end == *text || !strchr(after, *end)) /* (the end of the text is always found) */
        return 0;
    *text = end + (*end != '\0');
    return n;
}

static int parse(const char *text, struct asy__shape *features, struct asy__layer_desc *layers,
                 size_t *ret_n)
{
    size_t n = 0, width;
    char mark;

    *features = (struct asy__shape){ 1, 1, number(&text, "-x", &mark) };
    if (mark == 'x')
        *features = (struct asy__shape){ features->channels, number(&text, "-", &mark), 1 };
    while (*text && n < LAYERS_MAX) {
        if (!strncmp(text, "p-", 2) && n && layers[n - 1].kind == ASY__CONV) {
            layers[n - 1].pool = 2;
            text += 2;
            continue;
        }
        if (!(width = number(&text, "-c", &mark)))
            return 0;
        if (mark == 'c') {
            layers[n++] = (struct asy__layer_desc){ .kind = ASY__CONV, .act = ASY_ACT_RELU,
                                                    .width = width,
                                                    .kernel = number(&text, "-", &mark) };
            continue;
        }
        if (n && layers[n - 1].kind == ASY__CONV)
            layers[n++] = (struct asy__layer_desc){ .kind = ASY__FLATTEN };
        if (n < LAYERS_MAX)
            layers[n++] = (struct asy__layer_desc){ .kind = ASY__DENSE, .width = width,
                                                    .act = *text ? ASY_ACT_RELU : ASY_ACT_NONE };
    }
    *ret_n = n;
    return n > 0 && *text == '\0';
}

static void *memory(size_t n, size_t size)
{
    void *here = asy_pages_alloc(n * size);

    if (!here) {
        fputs("bench_step: no memory\n", stderr);
        exit(1);
    }
    memset(here, 0, n * size);
    return here;
}

static void set_up(struct net *net)
{
    size_t n = net->plan->n_params, classes = net->plan->outputs.channels;
    struct asy_rng rng;

    net->width = asy__shape_size(net->plan->features);
    net->params = memory(n, sizeof(float));
    net->grads = memory(n, sizeof(float));
    net->m = memory(n, sizeof(float));
    net->v = memory(n, sizeof(float));
    net->data = memory(ROWS * net->width, sizeof(float));
    net->x = memory(net->batch * net->width, sizeof(float));
    net->labels = memory(ROWS, sizeof(int32_t));
    net->label = memory(net->batch, sizeof(int32_t));
    net->order = memory(ROWS, sizeof(uint32_t));
    asy__net_bind(net->plan, memory(asy__net_room(net->plan), sizeof(float)));
    asy__net_init(net->plan, 1, net->params, NULL);
    net->learner = asy__net_learner(net->plan, net->params, NULL);
    asy_rng_init(&rng, 1, 0, ASY_RNG_SIM);
    for (size_t i = 0; i < ROWS * net->width; i++)
        net->data[i] = (float)asy_rng_double(&rng) - (net->plan->features.height > 1 ? 0.5f : 0);
    for (size_t i = 0; i < ROWS; i++) {
        net->labels[i] = (int32_t)asy_rng_below(&rng, classes);
        net->order[i] = (uint32_t)asy_rng_below(&rng, ROWS);
    }
}

static void take(void *arg, size_t at, const struct asy_block *block, const float *g)
{
    const struct net *net = arg;

    asy__update_block(&net->pass, at, block, g);
}

static int plan_update(struct net *net, int adam, struct asy_error *err)
{
    struct asy__span spans[2 * LAYERS_MAX];
    int images = net->plan->features.height > 1;
    struct asy__hyper hyper;
    size_t n;

    for (n = 0; n < net->plan->n_tensors; n++) {
        const struct asy__tensor *tensor = &net->plan->tensors[n];

        spans[n] = (struct asy__span){ tensor->at, tensor->n, 1, tensor->early };
    }
    asy__hyper_defaults(ASY__MLP, &hyper);
    hyper.optimizer = adam ? ASY__ADAM : ASY__SGD;
    hyper.lr = (adam ? 1e-3 : 0.01) * (images ? 0.01 : 1);
    hyper.momentum = 0.9;
    hyper.weight_decay = 0;
    net->taker = (struct asy_op_taker){ .take = take, .arg = net };
    net->taker.n_near = 2 + (size_t)adam;
    net->taker.near[0] = net->params;
    net->taker.near[1] = net->m;
    net->taker.near[2] = net->v;
    net->learner.taker = &net->taker;
    return asy__update_create(&hyper, ROWS / net->batch, 1, spans, n, net->plan->n_params,
                              &net->update, err);
}

static void step(struct net *net)
{
    struct asy__update_memory memory = { .params = net->params, .m = net->m, .v = net->v };
    size_t from = net->step * net->batch % (ROWS / net->batch * net->batch);
    struct asy__batch batch = { .rows = net->batch, .x = net->x, .label = net->label,
                                .scale = 1.0f / (float)net->batch, .step = net->step };
    struct asy__score score = { .rows = 0 };

    for (size_t i = 0; i < net->batch; i++) {
        size_t row = net->order[from + i];

        if (i + ASY__ROWS_AHEAD < net->batch)
            asy__row_ahead(net->data + net->order[from + i + ASY__ROWS_AHEAD] * net->width,
                           net->width);
        memcpy(net->x + i * net->width, net->data + row * net->width, net->width * sizeof(float));
        net->label[i] = net->labels[row];
    }
    net->step++;
    net->pass = asy__update_begin(net->update, &memory, net->step, 1);
    ASY_IGNORE(net->learner.type->gradient(&net->learner, &batch, net->grads, &score, NULL));
    net->loss = score.loss; /* (a network's gradient cannot fail) */
    asy__update_rest(&net->pass, net->grads);
}

/* Seconds that steps took, some at a time, as reading the clock takes a system call; ret_steps: how
 * many there were. */
static double go_on(struct net *net, double seconds, uint64_t at_once, uint64_t *ret_steps)
{
    double from = cpu_seconds(), took;
    uint64_t first = net->step;

    do {
        for (uint64_t i = 0; i < at_once; i++)
            step(net);
        took = cpu_seconds() - from;
    } while (took < seconds);
    *ret_steps = net->step - first;
    return took;
}

/* Microseconds a step. */
static double run_for(struct net *net, double seconds)
{
    uint64_t steps;
    double took = go_on(net, seconds / 5, 1, &steps);
    double at_once = TURN * (double)steps / took;

    took = go_on(net, seconds, at_once > 1 ? (uint64_t)at_once : 1, &steps);
    return 1e6 * took / (double)steps;
}

static double run_steps(struct net *net, double steps)
{
    double from = cpu_seconds(), sum = 0;
    size_t n = 0;

    while ((double)net->step < steps) {
        step(net);
        if ((double)(net->step + ROWS / net->batch) > steps) {
            sum += net->loss;
            n++;
        }
    }
    net->loss = sum / (double)n;
    return 1e6 * (cpu_seconds() - from) / steps;
}

int main(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__net_options options = { .loss = { .kind = ASY_OP_SOFTMAX_LOSS }, .eval_rows = 1 };
    struct asy__layer_desc layers[LAYERS_MAX];
    size_t n_layers;
    struct net net = { .step = 0 };
    double amount, us;
    char *end;

    if (argc < 5 || argc > 6 || !parse(argv[1], &options.features, layers, &n_layers) ||
        (strcmp(argv[3], "sgd") && strcmp(argv[3], "adam")) ||
        !(net.batch = strtoul(argv[2], NULL, 10)) || net.batch > ROWS ||
        !((amount = strtod(argv[4], &end)) > 0) || (*end && strcmp(end, "x")) ||
        (argc == 6 && strcmp(argv[5], "fp32") && strcmp(argv[5], "bf16"))) {
        fputs("usage: bench_step LAYERS BATCH sgd|adam SECONDS|STEPSx [fp32|bf16]\n", stderr);
        return 2;
    }
    asy_kernels_init();
    asy_kernels_flush_denormals();
    options.train_rows = net.batch;
    options.bf16 = argc == 6 && !strcmp(argv[5], "bf16");
    if (asy__net_create(layers, n_layers, &options, &net.plan, &err) < 0) {
        fprintf(stderr, "bench_step: %s\n", err.text);
        return 1;
    }
    set_up(&net);
    if (plan_update(&net, !strcmp(argv[3], "adam"), &err) < 0) {
        fprintf(stderr, "bench_step: %s\n", err.text);
        return 1;
    }
    us = *end ? run_steps(&net, amount) : run_for(&net, amount);
    printf("%.6g %llu %.6g %s\n", us, (unsigned long long)net.step,
           net.loss / (double)net.batch, options.bf16 ? asy_bf16_name() : "fp32");
    return 0;
}
