/* SPDX-License-Identifier: Apache-2.0
 * kernels.c - choosing the fused kernels for this CPU, and the public entries over them.
 *
 * The choice goes by CPU features alone: models lie (virtual machines pose as other chips). */
#include <asy/kernels.h>
#include <asy/attention.h>
#include <asy/norm.h>
#include "fused.h"
#include "dense.h"
#include "fit.h"
#include "batch_norm.h"
#include "bf16.h"
#include "conv.h"
#include "gemm.h"
#include "isa.h"
#include "pool.h"
#include <math.h>
#include <pthread.h>
#include <stdio.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const struct asy__fused *fused = &asy__fused_base;
static const struct asy__fit *fit = &asy__fit_base;
static const struct asy__gemm *gemm = &asy__gemm_base;
static const struct asy__conv *conv = &asy__conv_base;
static const struct asy__pool *pool = &asy__pool_base;
static const struct asy__batch *batch = &asy__batch_base;
static const struct asy__bf16 *bf16 = &asy__bf16_rounded;
static enum asy_products products = ASY_PRODUCTS_OWN;
static char blas[64], name[160];

static void set_name(void)
{
    snprintf(name, sizeof name, "%s, gemm %s, fused %s, bf16 %s", blas,
             products == ASY_PRODUCTS_BLAS ? "openblas" : gemm->name, fused->name, bf16->name);
}

/* The widest that this processor has. */
static enum asy__isa widest(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return ASY__ISA_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return ASY__ISA_AVX2;
#endif
    return ASY__ISA_BASE;
}

static void compute_by(enum asy__isa isa)
{
#if defined(__x86_64__)
    static const struct asy__fused *const fuseds[] = { &asy__fused_base, &asy__fused_avx2,
                                                       &asy__fused_avx512 };
    static const struct asy__fit *const fits[] = { &asy__fit_base, &asy__fit_avx2,
                                                   &asy__fit_avx512 };
    static const struct asy__gemm *const gemms[] = { &asy__gemm_base, &asy__gemm_avx2,
                                                     &asy__gemm_avx512 };
    static const struct asy__conv *const convs[] = { &asy__conv_base, &asy__conv_avx2,
                                                     &asy__conv_avx512 };
    static const struct asy__pool *const pools[] = { &asy__pool_base, &asy__pool_avx2,
                                                     &asy__pool_avx512 };
    static const struct asy__batch *const batches[] = { &asy__batch_base, &asy__batch_avx2,
                                                        &asy__batch_avx512 };

    fused = fuseds[isa];
    fit = fits[isa];
    gemm = gemms[isa];
    conv = convs[isa];
    pool = pools[isa];
    batch = batches[isa];
    bf16 = &asy__bf16_rounded;
    if (isa == ASY__ISA_AVX512 && asy__bf16_amx_is_here())
        bf16 = &asy__bf16_amx;
    else if (isa == ASY__ISA_AVX512 && asy__bf16_dot_pays())
        bf16 = &asy__bf16_dot;
#else
    (void)isa;
#endif
}

static void choose(void)
{
    compute_by(widest());
    asy__blas_init(blas, sizeof blas);
    set_name();
}

enum asy__isa asy__kernels_limit(enum asy__isa most)
{
    enum asy__isa isa = widest();

    asy_kernels_init();
    isa = most < isa ? most : isa;
    compute_by(isa);
    set_name();
    return isa;
}

void asy_kernels_init(void)
{
    pthread_once(&once, choose);
}

void asy_kernels_set_products(enum asy_products by)
{
    asy_kernels_init();
    products = by;
    set_name();
}

enum asy_products asy_kernels_products(void)
{
    return products;
}

const char *asy_kernels_name(void)
{
    return name;
}

void asy_kernels_flush_denormals(void)
{
#if defined(__SSE2__)
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040); /* as results, and as operands */
#elif defined(__aarch64__)
    uint64_t control;

    __asm__ __volatile__("mrs %0, fpcr" : "=r"(control));
    __asm__ __volatile__("msr fpcr, %0" : : "r"(control | UINT64_C(1) << 24));
#endif
}

const struct asy__fused *asy__fused_get(void)
{
    return fused;
}

const struct asy__fit *asy__fit_get(void)
{
    return fit;
}

const struct asy__gemm *asy__gemm_get(void)
{
    return gemm;
}

const struct asy__bf16 *asy__bf16_get(void)
{
    return bf16;
}

const struct asy__conv *asy__conv_get(void)
{
    return conv;
}

const struct asy__batch *asy__batch_get(void)
{
    return batch;
}

const struct asy__pool *asy__pool_get(void)
{
    return pool;
}

const char *asy_act_name(enum asy_act act)
{
    static const char *const names[ASY_ACT_COUNT] = {
        "none", "relu", "tanh", "gelu", "sigmoid", "silu", "leaky_relu", "softmax",
    };

    return names[act];
}

int asy_act_needs_sum(enum asy_act act)
{
    return act == ASY_ACT_GELU || act == ASY_ACT_SILU;
}

void asy_bias_act(enum asy_act act, size_t rows, size_t cols, const float *bias, float *z,
                  float *y)
{
    fused->bias_act(act, rows, cols, bias, z, y);
}

void asy_bias_act_grad(enum asy_act act, size_t rows, size_t cols, const float *z, const float *y,
                       float *dy, float *dbias)
{
    fused->bias_act_grad(act, rows, cols, z, y, dy, dbias);
}

void asy_act(enum asy_act act, size_t n, const float *x, float *y)
{
    fused->act(act, n, x, y);
}

void asy_act_grad(enum asy_act act, size_t n, const float *from, const float *dy, float *dx)
{
    fused->act_grad(act, n, from, dy, dx);
}

void asy_softmax(size_t rows, size_t cols, const float *x, float *y)
{
    fused->softmax(rows, cols, x, y);
}

void asy_softmax_grad(size_t rows, size_t cols, const float *y, const float *dy, float *dx)
{
    fused->softmax_grad(rows, cols, y, dy, dx);
}

void asy_dropout(const struct asy_dropout *how, uint64_t first, size_t n, const float *x, float *y)
{
    fused->dropout(how, first, n, x, y);
}

void asy_column_sums(size_t rows, size_t cols, const float *x, float *sums)
{
    fused->column_sums(rows, cols, x, sums);
}

void asy_sum_rows(size_t rows, size_t n, const float *const *x, float *y)
{
    fused->sum_rows(rows, n, x, y);
}

double asy_softmax_loss(size_t rows, size_t cols, float *logits, const int32_t *labels,
                        float scale, uint64_t *correct)
{
    return fused->softmax_loss(rows, cols, logits, labels, scale, correct);
}

/* One column wide: the sum in double decides its time, there is nothing to vectorise. */
double asy_squared_loss(size_t rows, float *y, const float *target, float scale)
{
    double loss = 0;

    for (size_t i = 0; i < rows; i++) {
        float d = y[i] - target[i];

        loss += (double)d * (double)d;
        if (scale != 0)
            y[i] = 2.0f * scale * d;
    }
    return loss;
}

void asy_sgd_step(const struct asy_sgd *sgd, size_t n, float *w, const float *g, float *m)
{
    const struct asy_block all = { 1, n, 0, 0 };

    fused->sgd_block(sgd, &all, w, g, m);
}

struct asy__adam_step asy__adam_constants(const struct asy_adam *adam, uint64_t step)
{
    double first = 1 - pow(adam->beta1, (double)step);
    double second = 1 - pow(adam->beta2, (double)step);

    return (struct asy__adam_step){
        .keep = (float)(1 - adam->lr * adam->weight_decay),
        .rate = (float)(adam->lr / first),
        .root = (float)(1 / sqrt(second)),
        .epsilon = (float)adam->epsilon,
        .beta1 = (float)adam->beta1,
        .beta2 = (float)adam->beta2,
    };
}

void asy_adam_step(const struct asy_adam *adam, uint64_t step, size_t n, float *w, const float *g,
                   float *m, float *v)
{
    struct asy__adam_step constants = asy__adam_constants(adam, step);
    const struct asy_block all = { 1, n, 0, 0 };

    fused->adam_block(&constants, &all, w, g, m, v);
}

void asy_layer_norm(size_t rows, size_t cols, float epsilon, const float *x, const float *scale,
                    const float *shift, float *y, float *stats)
{
    fused->layer_norm(rows, cols, epsilon, x, scale, shift, y, stats);
}

void asy_layer_norm_grad(size_t rows, size_t cols, int add, const float *x, const float *scale,
                         const float *stats, const float *dy, float *dx, float *dscale,
                         float *dshift)
{
    fused->layer_norm_grad(rows, cols, add, x, scale, stats, dy, dx, dscale, dshift);
}

void asy_embed(size_t rows, size_t tokens, size_t cols, const float *ids, const float *table,
               const float *place, float *y)
{
    fused->embed(rows, tokens, cols, ids, table, place, y);
}

void asy_embed_grad(size_t rows, size_t tokens, size_t cols, size_t vocabulary, int add,
                    const float *ids, const float *dy, float *dtable, float *dplace)
{
    fused->embed_grad(rows, tokens, cols, vocabulary, add, ids, dy, dtable, dplace);
}
