/* SPDX-License-Identifier: Apache-2.0
 * bench_step.c - training steps of a fully connected network, as the engine does them on one rank:
 * a batch gathered by a shuffled order, forward, loss, backward, update.
 *
 *   bench_step DIMS BATCH sgd|adam SECONDS
 *
 * DIMS: 784-512-256-10, relu between. Data are 8192 rows of noise. Warms up for a fifth of SECONDS
 * of processor time, then prints microseconds of it per step, steps, and the last step's loss. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <asy/base.h>
#include <asy/rng.h>
#include "net.h"
#include "score.h"

#define ROWS ((size_t)8192)
#define DIMS_MAX 10

struct net {
    struct asy__net *plan;
    struct asy__learner learner;
    size_t batch, width;
    int adam;
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

static int parse_dims(const char *text, size_t *dims, size_t *ret_layers)
{
    size_t n = 0;

    while (n < DIMS_MAX) {
        char *end;

        dims[n++] = strtoul(text, &end, 10);
        if (*end == '\0') {
            *ret_layers = n - 2;
            return n >= 3;
        }
        if (*end != '-')
            return 0;
        text = end + 1;
    }
    return 0;
}

static void *memory(size_t n, size_t size)
{
    void *here = NULL;

    if (posix_memalign(&here, 64, n * size)) {
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

    net->width = net->plan->features.channels;
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
        net->data[i] = (float)asy_rng_double(&rng);
    for (size_t i = 0; i < ROWS; i++) {
        net->labels[i] = (int32_t)asy_rng_below(&rng, classes);
        net->order[i] = (uint32_t)asy_rng_below(&rng, ROWS);
    }
}

static int plan(struct net *net, const size_t *dims, size_t layers, struct asy_error *err)
{
    struct asy__net_options options = { { 1, 1, dims[0] }, { .kind = ASY_OP_SOFTMAX_LOSS },
                                        net->batch, 1 };
    struct asy__layer_desc descs[DIMS_MAX];

    for (size_t l = 0; l <= layers; l++)
        descs[l] = (struct asy__layer_desc){ .kind = ASY__DENSE, .width = dims[l + 1],
                                             .act = l < layers ? ASY_ACT_RELU : ASY_ACT_NONE };
    return asy__net_create(descs, layers + 1, &options, &net->plan, err);
}

static void step(struct net *net)
{
    static const struct asy_sgd sgd = { .lr = 0.01f, .momentum = 0.9f };
    static const struct asy_adam adam = { 1e-3, 0.9, 0.999, 1e-8, 0 };
    size_t from = net->step * net->batch % (ROWS / net->batch * net->batch);
    size_t n = net->plan->n_params;
    struct asy__batch batch = { .rows = net->batch, .x = net->x, .label = net->label,
                                .scale = 1.0f / (float)net->batch, .step = net->step };
    struct asy__score score = { .rows = 0 };

    for (size_t i = 0; i < net->batch; i++) {
        size_t row = net->order[from + i];

        memcpy(net->x + i * net->width, net->data + row * net->width, net->width * sizeof(float));
        net->label[i] = net->labels[row];
    }
    ASY_IGNORE(net->learner.type->gradient(&net->learner, &batch, net->grads, &score, NULL));
    net->loss = score.loss; /* (a network's gradient cannot fail) */
    net->step++;
    if (net->adam)
        asy_adam_step(&adam, net->step, n, net->params, net->grads, net->m, net->v);
    else
        asy_sgd_step(&sgd, n, net->params, net->grads, net->m);
}

int main(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    size_t dims[DIMS_MAX], layers;
    struct net net = { .step = 0 };
    double seconds, from;
    uint64_t first;

    if (argc != 5 || !parse_dims(argv[1], dims, &layers) ||
        (strcmp(argv[3], "sgd") && strcmp(argv[3], "adam")) ||
        !(net.batch = strtoul(argv[2], NULL, 10)) || net.batch > ROWS ||
        !((seconds = strtod(argv[4], NULL)) > 0)) {
        fputs("usage: bench_step DIMS BATCH sgd|adam SECONDS\n", stderr);
        return 2;
    }
    asy_kernels_init();
    asy_kernels_flush_denormals();
    net.adam = !strcmp(argv[3], "adam");
    if (plan(&net, dims, layers, &err) < 0) {
        fprintf(stderr, "bench_step: %s\n", err.text);
        return 1;
    }
    set_up(&net);
    for (from = cpu_seconds(); cpu_seconds() - from < seconds / 5;)
        step(&net);
    first = net.step;
    for (from = cpu_seconds(); cpu_seconds() - from < seconds;)
        step(&net);
    printf("%.6g %llu %.6g\n", 1e6 * (cpu_seconds() - from) / (double)(net.step - first),
           (unsigned long long)net.step, net.loss / (double)net.batch);
    return 0;
}
