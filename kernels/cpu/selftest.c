/* SPDX-License-Identifier: Apache-2.0
 * selftest.c - whether this node computes rightly, and how fast it is.
 *
 * The test exists because a wrong kernel for one core type is silent: training merely gets worse.
 * An entry of c may differ from the plain sum by k + 2 roundings of each of its k products, the
 * bound of Higham, "Accuracy and Stability of Numerical Algorithms", section 3.1. */
#include "bf16.h"
#include "conv.h"
#include "dense.h"
#include "fused.h"
#include "gemm.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAD 3 /* floats between rows, must stay untouched */

struct shape {
    size_t m, n, k;
};
static const struct shape shapes[] = {
    { 1, 1, 1 },    { 1, 17, 5 },   { 7, 1, 33 },   { 3, 5, 7 },     { 16, 16, 16 },
    { 17, 31, 13 }, { 64, 10, 64 }, { 33, 65, 64 }, { 128, 47, 95 }, { 67, 129, 259 },
};

/* Repeatable values in [-1, 1) that need all bits. */
static double noise(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (double)*state / 2147483648.0 - 1.0;
}

/* Element (row, col) of op(x), stored with ld. */
static size_t at(int trans, size_t row, size_t col, size_t ld)
{
    return trans ? col * ld + row : row * ld + col;
}

/* The same check for float and double; only type, routine and rounding unit differ. */
#define CHECK_GEMM(real, routine, unit)                                                            \
    static int check_##routine(const struct shape *s, int ta, int tb, real *work,                  \
                               struct asy_error *err)                                              \
    {                                                                                              \
        size_t lda = (ta ? s->m : s->k) + PAD, ldb = (tb ? s->k : s->n) + PAD, ldc = s->n + PAD;   \
        size_t na = (ta ? s->k : s->m) * lda, nb = (tb ? s->n : s->k) * ldb, nc = s->m * ldc;      \
        real *a = work, *b = a + na, *c = b + nb, *was = c + nc, alpha = (real)0.75;               \
        real beta = (s->k & 2) ? (real)-0.5 : (real)0;                                             \
        uint32_t state = (uint32_t)(s->m * 131 + s->n * 17 + s->k);                                \
                                                                                                   \
        for (size_t i = 0; i < na + nb + nc; i++)                                                  \
            work[i] = (real)noise(&state);                                                         \
        memcpy(was, c, nc * sizeof *c);                                                            \
        if (beta == 0)                                                                             \
            c[0] = (real)NAN; /* beta 0 must overwrite, not multiply */                            \
        asy__blas_get()->routine(ta, tb, s->m, s->n, s->k, alpha, a, lda, b, ldb, beta, c, ldc);   \
        for (size_t i = 0; i < s->m; i++)                                                          \
            for (size_t j = 0; j < ldc; j++) {                                                     \
                double old = (double)was[i * ldc + j], got = (double)c[i * ldc + j], want = old;   \
                double size = 0;                                                                   \
                                                                                                   \
                for (size_t l = 0; j < s->n && l < s->k; l++) {                                    \
                    double p = (double)a[at(ta, i, l, lda)] * (double)b[at(tb, l, j, ldb)];        \
                                                                                                   \
                    want = (l ? want : (double)beta * old) + (double)alpha * p;                    \
                    size += fabs(p);                                                               \
                }                                                                                  \
                size = (size + fabs(old)) * (double)(s->k + 2) * (unit) * (j < s->n);              \
                if (!(fabs(got - want) <= size))                                                   \
                    return asy_fail(err, ASY_E_CORRUPT,                                            \
                                    #routine " %c%c of %zu x %zu x %zu is wrong at row %zu, "      \
                                    "column %zu: %.9g, not %.9g (error %.3g, allowed %.3g)",       \
                                    ta ? 'T' : 'N', tb ? 'T' : 'N', s->m, s->n, s->k, i, j, got,   \
                                    want, fabs(got - want), size);                                 \
            }                                                                                      \
        return 0;                                                                                  \
    }
CHECK_GEMM(float, sgemm, (double)FLT_EPSILON)
CHECK_GEMM(double, dgemm, DBL_EPSILON)

/* Numbers of a product in all its transposes, each in its part of one block. */
struct product {
    float *room, *a, *b, *got, *want;
};

static int draw_product(size_t room, size_t m, size_t n, size_t k, struct product *ret,
                        struct asy_error *err)
{
    size_t floats = room + m * k + k * n + 2 * m * n;
    uint32_t state = 1;

    if (posix_memalign((void **)&ret->room, 64, floats * sizeof(float)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for the test of products");
    ret->a = ret->room + room;
    ret->b = ret->a + m * k;
    ret->got = ret->b + k * n;
    ret->want = ret->got + m * n;
    for (float *x = ret->a; x < ret->got; x++)
        *x = (float)noise(&state);
    return 0;
}

/* The i-th of the four. */
static struct asy_gemm product_shape(int i, size_t m, size_t n, size_t k)
{
    return (struct asy_gemm){ .trans_a = i & 1, .trans_b = i >> 1, .m = m, .n = n, .k = k,
                              .lda = i & 1 ? m : k, .ldb = i >> 1 ? k : n, .ldc = n };
}

/* The set that training takes against plain C: one shape with whole tiles and parts of them. */
static int check_products(struct asy_error *err)
{
    enum { M = 33, N = 65, K = 64 };
    struct product p;
    int rc = draw_product(ASY_GEMM_ROOM, M, N, K, &p, err);

    if (rc < 0)
        return rc;
    for (int i = 0; i < 4 && rc == 0; i++) {
        struct asy_gemm s = product_shape(i, M, N, K);

        asy__gemm_run(asy__gemm_get(), &s, p.a, p.b, p.got, p.room);
        asy__gemm_run(&asy__gemm_base, &s, p.a, p.b, p.want, p.room);
        if (memcmp(p.got, p.want, M * N * sizeof *p.got) != 0)
            rc = asy_fail(err, ASY_E_CORRUPT, "gemm %s %c%c of %d x %d x %d is not that of plain C",
                          asy__gemm_get()->name, s.trans_a ? 'T' : 'N', s.trans_b ? 'T' : 'N', M,
                          N, K);
    }
    free(p.room);
    return rc;
}

/* Rounded products against those of the plain twin, whose sums have another order. */
static int check_rounded(struct asy_error *err)
{
    enum { M = 33, N = 49, K = 70 };
    struct product p;
    int rc = draw_product(ASY_BF16_ROOM, M, N, K, &p, err);

    if (rc < 0)
        return rc;
    for (int i = 0; i < 4 && rc == 0; i++) {
        struct asy_gemm s = product_shape(i, M, N, K);

        asy_bf16_gemm(&s, p.a, p.b, p.got, p.room);
        asy_bf16_gemm_ref(&s, p.a, p.b, p.want);
        for (size_t j = 0; j < M * N && rc == 0; j++)
            if (!(fabsf(p.got[j] - p.want[j]) <= K * K * FLT_EPSILON)) /* of K numbers below 1 */
                rc = asy_fail(err, ASY_E_CORRUPT, "bf16 %s %c%c of %d x %d x %d is not that of "
                              "plain C", asy_bf16_name(), s.trans_a ? 'T' : 'N',
                              s.trans_b ? 'T' : 'N', M, N, K);
    }
    free(p.room);
    return rc;
}

enum pass { OUTPUTS, DX, DW, POOLED, POOLED_DX, POOLED_DW, PASSES };
static const char *const pass_names[PASSES] = {
    "outputs", "dx", "dw", "pooled outputs", "pooled dx", "pooled dw",
};
struct operands {
    const float *x, *y, *w;
    uint8_t *from; /* of pooling; read by gradients, written by outputs */
    float *spare;
};

/* One pass of a convolution by a set; any bias will do. */
static void convolve(const struct asy__conv *isa, const struct asy_conv *c, enum pass pass,
                     size_t rows, const struct operands *o, float *to, float *room)
{
    if (pass == OUTPUTS)
        asy__conv_run(isa, c, ASY_ACT_RELU, rows, o->x, o->w, o->x, to, to, room);
    else if (pass == DX)
        asy__conv_run_dx(isa, c, rows, o->y, o->w, to, room);
    else if (pass == DW)
        asy__conv_run_dw(isa, c, rows, 0, o->y, o->x, to, room);
    else if (pass == POOLED)
        asy__conv_pool_run(isa, c, 2, 2, ASY_ACT_RELU, rows, o->x, o->w, o->x, to, o->from, room);
    else
        asy__conv_pool_run_grad(isa, c, 2, 2, rows, 0, o->y, o->from, o->x, o->w,
                                pass == POOLED_DW ? to : o->spare,
                                pass == POOLED_DX ? to : NULL, room);
}

static size_t results_of(const struct asy_conv *c, enum pass pass, size_t rows)
{
    size_t h = asy_conv_h(c), w = asy_conv_w(c);

    if (pass == DX || pass == POOLED_DX)
        return rows * c->h * c->w * c->in;
    if (pass == DW || pass == POOLED_DW)
        return c->out * c->kh * c->kw * (c->in / c->groups);
    return rows * c->out * (pass == POOLED ? h / 2 * (w / 2) : h * w);
}

/* The same of convolutions: a border, parts of tiles, tiles of places and of images; of each
 * channel by itself; with pooling, which leaves few outputs to learn from. */
static int check_convolutions(struct asy_error *err)
{
    static const struct {
        struct asy_conv conv;
        enum pass from, to;
    } cases[] = {
        { { 6, 9, 3, 20, 3, 3, 1, 1, 1 }, OUTPUTS, DW },
        { { 6, 9, 20, 20, 3, 3, 1, 1, 20 }, OUTPUTS, DW },
        { { 8, 9, 6, 20, 3, 3, 1, 0, 1 }, POOLED, POOLED_DW },
    };
    enum { ROWS = 15, MOST = ROWS * 8 * 9 * 20 };
    size_t room = 0;
    struct operands o;
    float *work, *got, *want;
    uint32_t state = 1;
    int rc = 0;

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        room = room > asy_conv_room(&cases[i].conv) ? room : asy_conv_room(&cases[i].conv);
        room = room > asy_conv_pool_room(&cases[i].conv) ? room
                                                         : asy_conv_pool_room(&cases[i].conv);
    }
    if (posix_memalign((void **)&work, 64, (room + 7 * MOST) * sizeof *work))
        return asy_fail(err, ASY_E_NOMEM, "no memory for the test of convolutions");
    got = work + room;
    want = got + MOST;
    o = (struct operands){ want + MOST, want + 2 * MOST, want + 3 * MOST,
                           (uint8_t *)(want + 5 * MOST), want + 4 * MOST };
    for (float *at = want + MOST; at < o.spare; at++)
        *at = (float)noise(&state);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases) && rc == 0; i++)
        for (enum pass pass = cases[i].from; pass <= cases[i].to && rc == 0; pass++) {
            const struct asy_conv *c = &cases[i].conv;

            convolve(asy__conv_get(), c, pass, ROWS, &o, got, work);
            convolve(&asy__conv_base, c, pass, ROWS, &o, want, work);
            if (memcmp(got, want, results_of(c, pass, ROWS) * sizeof *got) != 0)
                rc = asy_fail(err, ASY_E_CORRUPT, "convolution %s: %s of %zu x %zu x %zu are not "
                              "those of plain C", asy__conv_get()->gemm->name, pass_names[pass],
                              c->h, c->w, c->in);
        }
    free(work);
    return rc;
}

int asy_kernels_selftest(struct asy_error *err)
{
    size_t room = 0;
    double *work;
    int rc = 0;

    asy_kernels_init();
    for (size_t i = 0; i < ASY_ARRAY_LEN(shapes); i++) {
        size_t m = shapes[i].m + PAD, n = shapes[i].n + PAD, k = shapes[i].k + PAD;
        size_t need = m * k + k * n + 2 * m * n;

        room = need > room ? need : room;
    }
    if (!(work = malloc(room * sizeof *work)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for the test of BLAS");
    for (size_t i = 0; i < ASY_ARRAY_LEN(shapes) * 4 && rc == 0; i++) {
        int ta = i & 1, tb = i >> 1 & 1;

        rc = check_sgemm(&shapes[i / 4], ta, tb, (float *)work, err);
        if (rc == 0)
            rc = check_dgemm(&shapes[i / 4], ta, tb, work, err);
    }
    free(work);
    if (rc == 0)
        rc = check_products(err);
    if (rc == 0)
        rc = check_rounded(err);
    return rc < 0 ? rc : check_convolutions(err);
}

/* CPU time of this thread: a neighbour on the core must not look like a slow core. */
static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

#define GEMM_SIDE 256
#define TRIAD_LEN ((size_t)2 << 20) /* 3 x 8 MiB */
#define MEASURE_S 0.09

int asy_kernels_speed(double *ret_gflops, double *ret_gb_per_s, struct asy_error *err)
{
    const size_t n = GEMM_SIDE;
    float *room = NULL;
    double start, spent, rounds, best = 0;

    asy_kernels_init();
    if (posix_memalign((void **)&room, 64, 3 * TRIAD_LEN * sizeof *room))
        return asy_fail(err, ASY_E_NOMEM, "no memory to measure speed");
    for (size_t i = 0; i < 3 * TRIAD_LEN; i++)
        room[i] = (float)(i & 255) / 256;
    asy_dense(n, n, n, room, room + n * n, room + 2 * n * n, room + 3 * n * n);
    start = cpu_seconds();
    for (rounds = 0; (spent = cpu_seconds() - start) < MEASURE_S; rounds++)
        asy_dense(n, n, n, room, room + n * n, room + 2 * n * n, room + 3 * n * n);
    *ret_gflops = rounds * 2 * (double)(n * n * n) / spent * 1e-9;
    start = cpu_seconds();
    for (rounds = 0; cpu_seconds() - start < MEASURE_S; rounds++) {
        double from = cpu_seconds(), took;

        asy__fused_get()->triad(TRIAD_LEN, 0.5f, room, room + TRIAD_LEN, room + 2 * TRIAD_LEN);
        took = cpu_seconds() - from;
        if (took > 0 && 3.0 * sizeof(float) * TRIAD_LEN / took > best)
            best = 3.0 * sizeof(float) * TRIAD_LEN / took;
    }
    *ret_gb_per_s = best * 1e-9;
    free(room);
    return 0;
}
