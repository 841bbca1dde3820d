/* SPDX-License-Identifier: Apache-2.0
 * asy/kernels.h - the array mathematics of training: dense layers (asy/gemm.h), fused elementwise
 * passes, optimisers over flat memory; and what a node says about its own numerics.
 *
 * Layout: matrices are row-major and dense; weights are [out][in], as PyTorch's nn.Linear has them.
 * "=" means the output is overwritten, "+=" that it is added to. Outputs may not overlap inputs
 * unless said. Each fast kernel has a plain `_ref` twin with the same arguments
 * but room.
 *
 * Bits: the same for every instruction set: the fused kernels know no contraction, and reduce in a
 * fixed order; for the products see asy/gemm.h. BLAS is on no path that training takes unless it is
 * asked for.
 *
 * Threads: any; a call runs on the calling thread alone. BLAS is held to one thread from the first
 * call of asy_kernels_init() on. */
#ifndef ASY_KERNELS_H
#define ASY_KERNELS_H
#include <asy/error.h>

/* Holds BLAS to one thread and picks the fused kernels for this CPU's features. Idempotent, cheap;
 * every other function here may be called only after it. */
void asy_kernels_init(void);
/* From here on numbers too small to be normal (below 1.2e-38 in single precision) count as zero on
 * this thread and those that it starts, where the processor can (x86, ARM of 64 bits). Momentum of
 * what has no gradient any more sinks through them, and each costs some hundred cycles: a fifth of
 * a step with Adam. Whoever trains calls it, for it changes bits. */
void asy_kernels_flush_denormals(void);
/* What is there: BLAS with its version and core type, and the sets that were chosen:
 * "openblas-0.3.21 Zen, gemm avx2, fused avx2, bf16 rounded". */
const char *asy_kernels_name(void);

/* Compares BLAS with plain loops on odd shapes, all transposes, padded rows, alpha and beta, in
 * single and double precision, and products and convolutions of training with those of plain C, bit
 * by bit.
 * ASY_E_CORRUPT: something computes wrongly; the text names routine, shape and error. A worker that
 * fails must not train. */
ASY_MUST_CHECK int asy_kernels_selftest(struct asy_error *err);
/* Speed of one core, measured for about 0.2 s: asy_gemm() in GFLOP/s, triad (a = b + s c, out of
 * cache) in GB/s. ASY_E_NOMEM. */
ASY_MUST_CHECK int asy_kernels_speed(double *ret_gflops, double *ret_gb_per_s,
                                     struct asy_error *err);

/* The BLAS that the self-test judges.
 * c [m][n] = alpha op(a) op(b) + beta c, with op(a) [m][k];
 * trans != 0: the operand is stored transposed; ld: floats from row to row as stored. */
struct asy_blas {
    void (*sgemm)(int trans_a, int trans_b, size_t m, size_t n, size_t k, float alpha,
                  const float *a, size_t lda, const float *b, size_t ldb, float beta, float *c,
                  size_t ldc);
    void (*dgemm)(int trans_a, int trans_b, size_t m, size_t n, size_t k, double alpha,
                  const double *a, size_t lda, const double *b, size_t ldb, double beta, double *c,
                  size_t ldc);
};
/* What multiplies in asy_gemm() (asy/gemm.h): kernels of our own, or BLAS, one thread of it, whose
 * order of summation depends on core type and shape, so that all that is said of bits ends. Not
 * while another thread computes. */
enum asy_products { ASY_PRODUCTS_OWN, ASY_PRODUCTS_BLAS };
void asy_kernels_set_products(enum asy_products by);
enum asy_products asy_kernels_products(void);
/* For tests: replaces BLAS (NULL: the real one again). Not while another thread computes. */
void asy_kernels_set_blas(const struct asy_blas *blas);

/* The three products of a dense layer. x [rows][in], w [out][in], y and dy [rows][out]; room as
 * asy_gemm() wants it (asy/gemm.h), which computes them. */
/* y = x w^T */
void asy_dense(size_t rows, size_t in, size_t out, const float *x, const float *w, float *y,
               float *room);
void asy_dense_ref(size_t rows, size_t in, size_t out, const float *x, const float *w, float *y);
/* dx [rows][in] = dy w */
void asy_dense_dx(size_t rows, size_t in, size_t out, const float *dy, const float *w, float *dx,
                  float *room);
void asy_dense_dx_ref(size_t rows, size_t in, size_t out, const float *dy, const float *w,
                      float *dx);
/* dw [out][in] = dy^T x */
void asy_dense_dw(size_t rows, size_t in, size_t out, const float *dy, const float *x, float *dw,
                  float *room);
void asy_dense_dw_ref(size_t rows, size_t in, size_t out, const float *dy, const float *x,
                      float *dw);

/* exp and tanh are polynomials: relative error of exp below 2e-7 on [-87, 88] (outside it is held
 * at the ends), of tanh below 5e-7, of gelu below 1e-5 on [-8, 8]. NaN stays NaN in all of them.
 * gelu is the tanh form of Hendrycks and Gimpel 2016 (arXiv 1606.08415, section 2). leaky_relu has
 * slope 0.01. The softmax is none of the kernels that take an activation, which go number by
 * number: asy_softmax() is. */
enum asy_act {
    ASY_ACT_NONE, ASY_ACT_RELU, ASY_ACT_TANH, ASY_ACT_GELU, ASY_ACT_SIGMOID, ASY_ACT_SILU,
    ASY_ACT_LEAKY_RELU, ASY_ACT_SOFTMAX,
};
#define ASY_ACT_EACH 7 /* those that go number by number are below it */
#define ASY_ACT_COUNT 8
const char *asy_act_name(enum asy_act act); /* "relu" */
/* Whether the gradient needs the layer's sum z beside its output y. If not, z and y may be one. */
int asy_act_needs_sum(enum asy_act act);

/* z [rows][cols] += bias [cols]; y [rows][cols] = act(z). y == z: only act(z) is kept. */
void asy_bias_act(enum asy_act act, size_t rows, size_t cols, const float *bias, float *z,
                  float *y);
void asy_bias_act_ref(enum asy_act act, size_t rows, size_t cols, const float *bias, float *z,
                      float *y);
/* dy [rows][cols] = dy * act'(z); dbias [cols] = sums of the new dy over the rows, in row order.
 * z is read only if asy_act_needs_sum(), y only if not. */
void asy_bias_act_grad(enum asy_act act, size_t rows, size_t cols, const float *z, const float *y,
                       float *dy, float *dbias);
void asy_bias_act_grad_ref(enum asy_act act, size_t rows, size_t cols, const float *z,
                           const float *y, float *dy, float *dbias);
/* y [n] = act(x); y may be x. */
void asy_act(enum asy_act act, size_t n, const float *x, float *y);
void asy_act_ref(enum asy_act act, size_t n, const float *x, float *y);
/* dx [n] = dy * act'(x), from x if asy_act_needs_sum(), else from act(x); dx may be dy. */
void asy_act_grad(enum asy_act act, size_t n, const float *from, const float *dy, float *dx);
void asy_act_grad_ref(enum asy_act act, size_t n, const float *from, const float *dy, float *dx);
/* y [rows][cols] = e^(x - top) / their sum, of each row with its greatest as top; y may be x. A NaN
 * makes its row NaN. */
void asy_softmax(size_t rows, size_t cols, const float *x, float *y);
void asy_softmax_ref(size_t rows, size_t cols, const float *x, float *y);
/* dx [rows][cols] = y (dy - the row's sum of y dy), of y = softmax(x); dx may be dy. */
void asy_softmax_grad(size_t rows, size_t cols, const float *y, const float *dy, float *dx);
void asy_softmax_grad_ref(size_t rows, size_t cols, const float *y, const float *dy, float *dx);

/* Dropout (Srivastava et al. 2014, section 4), scaled while training: of numbers first ..
 * first + n - 1 of a batch, y = 0 by chance, else x / (1 - rate); rate in 1/65536, 0 to 0.99. Which
 * ones depends on their numbers and on what stands here alone, so it need not be stored: the
 * gradient is the same call for dy. Number e is zero if its 16 bits are below 65536 rate: those
 * from 16 h on of word w of the Philox block (asy/rng.h) whose counter is 16 (e / 128) + e % 16 (64
 * bits), step, layer and purpose, and whose key is the seed; w and h are the quotient and the rest
 * of e % 128 / 16 by 2. y may be x. */
struct asy_dropout {
    uint64_t seed;
    uint32_t step, layer;
    float rate;
};
void asy_dropout(const struct asy_dropout *how, uint64_t first, size_t n, const float *x, float *y);
void asy_dropout_ref(const struct asy_dropout *how, uint64_t first, size_t n, const float *x,
                     float *y);
/* sums [cols] = sums of x [rows][cols] over the rows, in row order. */
void asy_column_sums(size_t rows, size_t cols, const float *x, float *sums);
void asy_column_sums_ref(size_t rows, size_t cols, const float *x, float *sums);
/* y [n] = x[0] [n] + x[1] [n] + ..., added in that order; rows > 0; y may be one of them. */
void asy_sum_rows(size_t rows, size_t n, const float *const *x, float *y);
void asy_sum_rows_ref(size_t rows, size_t n, const float *const *x, float *y);

/* Softmax cross-entropy of logits [rows][cols] against labels [rows] (0..cols-1): returns the sum
 * of the rows' losses and adds the rows whose greatest logit (the first of equals) is the label's
 * to *correct. logits becomes scale * (softmax - one-hot), the gradient of scale * loss; scale 0:
 * logits becomes the softmax itself. */
double asy_softmax_loss(size_t rows, size_t cols, float *logits, const int32_t *labels,
                        float scale, uint64_t *correct);
double asy_softmax_loss_ref(size_t rows, size_t cols, float *logits, const int32_t *labels,
                            float scale, uint64_t *correct);
/* Squared error of y [rows] against target [rows]: returns the sum of (y - target)^2; y becomes
 * 2 scale (y - target), the gradient of scale * that; scale 0: y stays. */
double asy_squared_loss(size_t rows, float *y, const float *target, float scale);
double asy_squared_loss_ref(size_t rows, float *y, const float *target, float scale);

/* One pass over flat memory; w, g and the state have n entries each.
 * SGD, with weight decay as an L2 term of the gradient as in PyTorch's SGD:
 *   g' = g + weight_decay w;  m = momentum m + g';  w -= lr (nesterov ? g' + momentum m : m)
 * (m starts as zeros; momentum 0 leaves m unused and it may be NULL). */
struct asy_sgd {
    float lr, momentum, weight_decay;
    int nesterov;
};
void asy_sgd_step(const struct asy_sgd *sgd, size_t n, float *w, const float *g, float *m);
void asy_sgd_step_ref(const struct asy_sgd *sgd, size_t n, float *w, const float *g, float *m);
/* Adam (Kingma and Ba 2015, arXiv 1412.6980, algorithm 1) with decoupled weight decay (Loshchilov
 * and Hutter 2019, arXiv 1711.05101, algorithm 2):
 *   w -= lr weight_decay w;  m, v: running means of g and g^2 by beta1, beta2;
 *   w -= lr mhat / (sqrt(vhat) + epsilon)
 * step counts from 1. */
struct asy_adam {
    double lr, beta1, beta2, epsilon, weight_decay;
};
void asy_adam_step(const struct asy_adam *adam, uint64_t step, size_t n, float *w, const float *g,
                   float *m, float *v);
void asy_adam_step_ref(const struct asy_adam *adam, uint64_t step, size_t n, float *w,
                       const float *g, float *m, float *v);
#endif
