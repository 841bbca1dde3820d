/* SPDX-License-Identifier: Apache-2.0
 * bench_gpt.c - training steps of a gpt, as the engine does them on one rank: windows gathered by a
 * shuffled order, forward, loss, backward, update.
 *
 *   bench_gpt SIZES BATCH sgd|adam SECONDS [SHARE]
 *
 * SIZES: 128-2-4-64-96 is d_model, blocks, heads, tokens of a window and the vocabulary. Data are
 * tokens of noise. SHARE of attention's weights are dropped (0). Warms up for a fifth of SECONDS of
 * processor time, then prints microseconds of it per step, steps, and the last step's loss. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <asy/base.h>
#include <asy/pages.h>
#include <asy/rng.h>
#include "net/families.h"
#include "learn/score.h"
#include "data/tokens.h"

#define WINDOWS ((size_t)4096)

struct bench {
    struct asy__net *net;
    struct asy__learner learner;
    struct asy__data data; /* its tokens alone */
    size_t batch, tokens;
    int adam;
    float *params, *grads, *m, *v, *x;
    int32_t *label;
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

static int parse(const char *text, struct asy__hyper *hyper, size_t *ret_vocabulary)
{
    int64_t *const into[] = { &hyper->d_model, &hyper->blocks, &hyper->heads, &hyper->context };
    char *end = NULL;

    asy__hyper_defaults(ASY__GPT, hyper);
    for (size_t i = 0; i < ASY_ARRAY_LEN(into); i++) {
        *into[i] = (int64_t)strtoul(text, &end, 10);
        if (end == text || *end != '-' || *into[i] < 1 || *into[i] > 8192)
            return 0;
        text = end + 1;
    }
    *ret_vocabulary = strtoul(text, &end, 10);
    return end != text && *end == '\0' && *ret_vocabulary > 1 &&
           *ret_vocabulary <= ASY__VOCABULARY_MAX;
}

static void *memory(size_t n, size_t size)
{
    void *here = asy_pages_alloc(n * size);

    if (!here) {
        fputs("bench_gpt: no memory\n", stderr);
        exit(1);
    }
    memset(here, 0, n * size);
    return here;
}

static void set_up(struct bench *b, size_t vocabulary)
{
    size_t n = b->net->n_params, tokens = b->tokens;
    struct asy_rng rng;

    b->params = memory(n, sizeof(float));
    b->grads = memory(n, sizeof(float));
    b->m = memory(n, sizeof(float));
    b->v = memory(n, sizeof(float));
    b->x = memory(b->batch * tokens, sizeof(float));
    b->label = memory(b->batch * tokens, sizeof(int32_t));
    b->order = memory(WINDOWS, sizeof(uint32_t));
    b->data.tokens = memory(WINDOWS * tokens + 1, sizeof(uint16_t));
    b->data.schema.n_features = tokens;
    b->data.start[ASY__VALIDATION] = b->data.start[ASY__TEST] = WINDOWS;
    asy__net_bind(b->net, memory(asy__net_room(b->net), sizeof(float)));
    asy__net_init(b->net, 1, b->params, NULL);
    b->learner = asy__net_learner(b->net, b->params, NULL);
    asy_rng_init(&rng, 1, 0, ASY_RNG_SIM);
    for (size_t i = 0; i <= WINDOWS * tokens; i++)
        b->data.tokens[i] = (uint16_t)asy_rng_below(&rng, vocabulary);
    for (size_t i = 0; i < WINDOWS; i++)
        b->order[i] = (uint32_t)asy_rng_below(&rng, WINDOWS);
}

static void step(struct bench *b)
{
    static const struct asy_sgd sgd = { .lr = 0.01f, .momentum = 0.9f };
    static const struct asy_adam adam = { 1e-3, 0.9, 0.999, 1e-8, 0 };
    size_t from = b->step * b->batch % (WINDOWS / b->batch * b->batch), n = b->net->n_params;
    struct asy__batch batch = { .rows = b->batch, .x = b->x, .label = b->label,
                                .scale = 1.0f / (float)(b->batch * b->tokens), .step = b->step };
    struct asy__score score = { .rows = 0 };

    for (size_t i = 0; i < b->batch; i++)
        asy__tokens_row(&b->data, b->order[from + i], 0, b->x + i * b->tokens,
                        b->label + i * b->tokens);
    ASY_IGNORE(b->learner.type->gradient(&b->learner, &batch, b->grads, &score, NULL));
    b->loss = score.loss; /* (a network's gradient cannot fail) */
    b->step++;
    if (b->adam)
        asy_adam_step(&adam, b->step, n, b->params, b->grads, b->m, b->v);
    else
        asy_sgd_step(&sgd, n, b->params, b->grads, b->m);
}

int main(int argc, char **argv)
{
    struct asy__schema schema = { .classification = 1 };
    struct asy_error err = ASY_ERROR_INIT;
    struct bench b = { .step = 0 };
    struct asy__hyper hyper;
    double seconds, from;
    uint64_t first;

    if ((argc != 5 && argc != 6) || !parse(argv[1], &hyper, &schema.vocabulary) ||
        (strcmp(argv[3], "sgd") && strcmp(argv[3], "adam")) ||
        !(b.batch = strtoul(argv[2], NULL, 10)) || b.batch > WINDOWS ||
        !((seconds = strtod(argv[4], NULL)) > 0)) {
        fputs("usage: bench_gpt SIZES BATCH sgd|adam SECONDS [SHARE]\n", stderr);
        return 2;
    }
    hyper.attention_dropout = argc > 5 ? strtod(argv[5], NULL) : 0;
    asy_kernels_init();
    asy_kernels_flush_denormals();
    b.adam = !strcmp(argv[3], "adam");
    b.tokens = (size_t)hyper.context;
    if (asy__family_net(&hyper, &schema, b.batch, 1, &b.net, &err) < 0) {
        fprintf(stderr, "bench_gpt: %s\n", err.text);
        return 1;
    }
    set_up(&b, schema.vocabulary);
    for (from = cpu_seconds(); cpu_seconds() - from < seconds / 5;)
        step(&b);
    first = b.step;
    for (from = cpu_seconds(); cpu_seconds() - from < seconds;)
        step(&b);
    printf("%.6g %llu %.6g\n", 1e6 * (cpu_seconds() - from) / (double)(b.step - first),
           (unsigned long long)b.step, b.loss / (double)(b.batch * b.tokens));
    return 0;
}
