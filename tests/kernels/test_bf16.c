/* SPDX-License-Identifier: Apache-2.0
 * Products of operands rounded to bfloat16, by each of the three ways that this processor has: what
 * differs from the plain twin is the order of summation alone. */
#include <asytest.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <asy/bf16.h>
#include <asy/kernels.h>
#include <asy/rng.h>
#include "bf16.h"

static struct asy_rng rng;

#define WAYS 3

static size_t ways(const struct asy__bf16 *ret[WAYS])
{
    size_t n = 0;

    ret[n++] = &asy__bf16_rounded;
#if defined(__x86_64__)
    if (asy__bf16_dot_is_here())
        ret[n++] = &asy__bf16_dot;
    if (asy__bf16_amx_is_here())
        ret[n++] = &asy__bf16_amx;
#endif
    return n;
}

/* Exactly as many floats as are used: whoever reads or writes one more is seen by a sanitizer. */
static float *matrix(size_t rows, size_t cols, size_t ld)
{
    size_t n = rows ? (rows - 1) * ld + cols : 0;
    float *x = malloc(n ? n * sizeof *x : 1);

    for (size_t i = 0; x && i < n; i++)
        x[i] = (float)asy_rng_normal(&rng);
    return x;
}

static float *room_create(void)
{
    float *room = NULL;

    T_EQ("room", posix_memalign((void **)&room, 64, ASY_BF16_ROOM * sizeof *room), 0);
    return room;
}

static float *sizes_of(const float *x, size_t n)
{
    float *y = malloc(n ? n * sizeof *y : 1);

    for (size_t i = 0; y && i < n; i++)
        y[i] = fabsf(x[i]);
    return y;
}

struct operands {
    float *a, *b, *c, *want, *got, *size; /* size: what a b would be without signs */
    size_t n_a, n_b, n_c;
};

static size_t length(size_t rows, size_t cols, size_t ld)
{
    return rows && cols ? (rows - 1) * ld + cols : 0;
}

static void fini(struct operands *o)
{
    free(o->a);
    free(o->b);
    free(o->c);
    free(o->want);
    free(o->got);
    free(o->size);
}

static bool init(const struct asy_gemm *s, struct operands *o)
{
    size_t a_rows = s->trans_a ? s->k : s->m, a_cols = s->trans_a ? s->m : s->k;
    size_t b_rows = s->trans_b ? s->n : s->k, b_cols = s->trans_b ? s->k : s->n;
    float *a, *b;

    o->n_a = length(a_rows, a_cols, s->lda);
    o->n_b = length(b_rows, b_cols, s->ldb);
    o->n_c = length(s->m, s->n, s->ldc);
    o->a = matrix(a_rows, a_cols, s->lda);
    o->b = matrix(b_rows, b_cols, s->ldb);
    o->c = matrix(s->m, s->n, s->ldc);
    o->want = malloc(o->n_c * sizeof(float) + 1);
    o->got = malloc(o->n_c * sizeof(float) + 1);
    o->size = o->c ? sizes_of(o->c, o->n_c) : NULL;
    a = o->a ? sizes_of(o->a, o->n_a) : NULL;
    b = o->b ? sizes_of(o->b, o->n_b) : NULL;
    if (!T_TRUE(a && b && o->want && o->got && o->size))
        return false;
    memcpy(o->want, o->c, o->n_c * sizeof(float));
    asy_bf16_gemm_ref(s, o->a, o->b, o->want);
    asy_bf16_gemm_ref(s, a, b, o->size);
    free(a);
    free(b);
    return true;
}

/* Of k + 1 additions each rounds what is at most the sum without signs by half an epsilon, in both
 * orders; what lies between the rows of c stays as it was. */
static void compare(const struct asy__bf16 *way, const struct asy_gemm *s, struct operands *o,
                    float *room)
{
    memcpy(o->got, o->c, o->n_c * sizeof(float));
    asy__bf16_run(way, s, o->a, o->b, o->got, room);
    for (size_t i = 0; i < o->n_c; i++) {
        double off = i % s->ldc < s->n ? (double)(s->k + 1) * (double)FLT_EPSILON *
                                             (double)o->size[i] : 0;

        if (fabs((double)o->got[i] - (double)o->want[i]) <= off)
            continue;
        t__check(false, __LINE__, __FILE__, "%s: %s%s %zu x %zu x %zu, ld %zu %zu %zu, add %d: "
                 "[%zu] is %a, not %a", way->name, s->trans_a ? "T" : "N", s->trans_b ? "T" : "N",
                 s->m, s->n, s->k, s->lda, s->ldb, s->ldc, s->add, i, (double)o->got[i],
                 (double)o->want[i]);
        return;
    }
}

static void check(float *room, size_t m, size_t n, size_t k, int how)
{
    struct asy_gemm s = { .trans_a = how & 1, .trans_b = how >> 1 & 1, .add = how >> 2 & 1,
                          .m = m, .n = n, .k = k };
    size_t pad = how >> 3 & 1 ? 5 : 0;
    const struct asy__bf16 *all[WAYS];
    struct operands o = { NULL };

    s.lda = (s.trans_a ? m : k) + pad;
    s.ldb = (s.trans_b ? k : n) + pad;
    s.ldc = n + pad;
    if (init(&s, &o))
        for (size_t i = 0; i < ways(all); i++)
            compare(all[i], &s, &o, room);
    fini(&o);
}

/* Every part of a tile, each way to store the operands; then what is cut into blocks. */
static void products_are_the_twins_but_for_the_order(void)
{
    static const struct {
        size_t m, n, k;
    } large[] = { { 64, 300, 100 }, { 100, 10, 600 }, { 6, 70, 1030 }, { 530, 40, 513 },
                  { 33, 17, 2100 }, { 8300, 3, 5 } };
    float *room = room_create();

    if (!room)
        return;
    for (size_t m = 1; m <= 50; m++)
        for (int how = 0; how < 16; how++)
            check(room, m, 1 + asy_rng_below(&rng, 70), 1 + asy_rng_below(&rng, 70), how);
    for (size_t n = 1; n <= 50; n++)
        for (int how = 0; how < 16; how++)
            check(room, 1 + asy_rng_below(&rng, 70), n, 1 + asy_rng_below(&rng, 70), how);
    for (size_t k = 1; k <= 66; k++)
        for (int how = 0; how < 16; how++)
            check(room, 1 + asy_rng_below(&rng, 40), 1 + asy_rng_below(&rng, 40), k, how);
    for (size_t i = 0; i < ASY_ARRAY_LEN(large); i++)
        for (int how = 0; how < 16; how++)
            check(room, large[i].m, large[i].n, large[i].k, how);
    for (int how = 0; how < 16; how++) {
        check(room, 3, 4, 0, how);
        check(room, 0, 4, 3, how);
        check(room, 3, 0, 4, how);
    }
    free(room);
}

/* One product each: what comes out is the rounded operand. */
static void rounding_is_to_the_nearest_even(void)
{
    static const struct {
        const char *name;
        float x, want;
    } rows[] = {
        { "exact", 1.5f, 1.5f },
        { "down", 0x1.00fffep0f, 0x1.00p0f },
        { "a tie, down to even", 0x1.01p0f, 0x1.00p0f },
        { "a tie, up to even", 0x1.03p0f, 0x1.04p0f },
        { "above a tie", 0x1.010002p0f, 0x1.02p0f },
        { "into the next power", -0x1.fffffep0f, -2.0f },
        { "beyond the largest", 0x1.fffffep127f, INFINITY },
        { "infinity", -INFINITY, -INFINITY },
        { "the least normal", 0x1p-126f, 0x1p-126f },
        { "below it", 0x1.8p-127f, 0.0f },
    };
    const struct asy_gemm one = { .m = 1, .n = 1, .k = 1, .lda = 1, .ldb = 1, .ldc = 1 };
    const struct asy__bf16 *all[WAYS];
    float *room = room_create();
    const float unit = 1;

    for (size_t w = 0; room && w < ways(all); w++) {
        float got, number = nanf("");

        for (size_t i = 0; i < ASY_ARRAY_LEN(rows); i++) {
            asy__bf16_run(all[w], &one, &rows[i].x, &unit, &got, room);
            if (got != rows[i].want)
                t__check(false, __LINE__, __FILE__, "%s, %s: %a, not %a", all[w]->name,
                         rows[i].name, (double)got, (double)rows[i].want);
            asy_bf16_gemm_ref(&one, &unit, &rows[i].x, &got);
            T_TRUE(got == rows[i].want);
        }
        asy__bf16_run(all[w], &one, &number, &unit, &got, room);
        T_TRUE(isnan(got));
    }
    free(room);
}

/* Why gangs of any width, and batches cut anywhere, give the same activations. */
static void a_row_does_not_depend_on_its_neighbours(void)
{
    enum { ROWS = 61, IN = 801, OUT = 37 };
    const struct asy__bf16 *all[WAYS];
    struct asy_gemm s = { .trans_b = 1, .n = OUT, .k = IN, .lda = IN, .ldb = IN, .ldc = OUT };
    float *x = matrix(ROWS, IN, IN), *w = matrix(OUT, IN, IN), *y = matrix(ROWS, OUT, OUT);
    float *room = room_create(), row[OUT];

    for (size_t i = 0; T_TRUE(room && x && w && y) && i < ways(all); i++) {
        s.m = ROWS;
        asy__bf16_run(all[i], &s, x, w, y, room);
        s.m = 1;
        for (size_t r = 0; r < ROWS; r++) {
            asy__bf16_run(all[i], &s, x + r * IN, w, row, room);
            T_TRUE(memcmp(row, y + r * OUT, sizeof row) == 0);
        }
    }
    free(x);
    free(w);
    free(y);
    free(room);
}

typedef void (*product_f)(size_t rows, size_t in, size_t out, const float *a, const float *b,
                          float *c, float *room);
typedef void (*plain_f)(size_t rows, size_t in, size_t out, const float *a, const float *b,
                        float *c);

static void dense_layers_have_them(void)
{
    enum { ROWS = 19, IN = 40, OUT = 23, MOST = IN * OUT };
    static const struct {
        const char *name;
        product_f fast;
        plain_f plain;
        size_t n;
    } rows[] = {
        { "forward", asy_bf16_dense, asy_bf16_dense_ref, ROWS * OUT },
        { "dx", asy_bf16_dense_dx, asy_bf16_dense_dx_ref, ROWS * IN },
        { "dw", asy_bf16_dense_dw, asy_bf16_dense_dw_ref, IN * OUT },
    };
    float *a = matrix(1, MOST, MOST), *b = matrix(1, MOST, MOST), *room = room_create();
    float got[MOST], want[MOST];

    for (size_t i = 0; T_TRUE(a && b && room) && i < ASY_ARRAY_LEN(rows); i++) {
        rows[i].fast(ROWS, IN, OUT, a, b, got, room);
        rows[i].plain(ROWS, IN, OUT, a, b, want);
        for (size_t j = 0; j < rows[i].n; j++) /* forty roundings of 6e-8 of some tens */
            T_NEAR(rows[i].name, (double)got[j], (double)want[j], 1e-4);
    }
    free(a);
    free(b);
    free(room);
}

/* A number that no rounding changes. */
static float eight_bits(void)
{
    return ldexpf((float)asy_rng_below(&rng, 256) - 128, (int)asy_rng_below(&rng, 12));
}

/* A pair's second product first, each sum rounded by itself, for any k and however it is cut. */
static void sums_of_pairs_are_one_chain(void)
{
    enum { K = 1401, N = 33 };
    static float a[K], b[K * N], got[N];
    const struct asy_gemm s = { .m = 1, .n = N, .k = K, .lda = K, .ldb = N, .ldc = N };
    float *room = room_create();

#if defined(__x86_64__)
    if (!asy__bf16_dot_pays())
        printf("(nobody uses the dot product here: left out) ");
    else if (room) {
        for (size_t k = 0; k < K; k++)
            a[k] = eight_bits();
        for (size_t i = 0; i < K * N; i++)
            b[i] = eight_bits();
        asy__bf16_run(&asy__bf16_dot, &s, a, b, got, room);
        for (size_t j = 0; j < N; j++) {
            float sum = 0;

            for (size_t k = 0; k < K; k += 2) {
                if (k + 1 < K)
                    sum = fmaf(a[k + 1], b[(k + 1) * N + j], sum);
                sum = fmaf(a[k], b[k * N + j], sum);
            }
            T_TRUE(got[j] == sum);
        }
    }
#endif
    free(room);
}

/* This machine has the unit, or the instruction, or says that it has neither. */
static void the_name_says_which_way_is_taken(void)
{
    const struct asy__bf16 *want = &asy__bf16_rounded;

#if defined(__x86_64__)
    if (asy__bf16_amx_is_here())
        want = &asy__bf16_amx;
    else if (asy__bf16_dot_pays())
        want = &asy__bf16_dot;
#endif
    T_TRUE(asy__bf16_get() == want);
    T_STR("name", asy_bf16_name(), want->name);
    T_HAS("kernels", asy_kernels_name(), asy_bf16_name());
}

int main(void)
{
    static const struct t_test tests[] = {
        T_TEST(products_are_the_twins_but_for_the_order),
        T_TEST(rounding_is_to_the_nearest_even),
        T_TEST(a_row_does_not_depend_on_its_neighbours),
        T_TEST(dense_layers_have_them),
        T_TEST(sums_of_pairs_are_one_chain),
        T_TEST(the_name_says_which_way_is_taken),
    };

    asy_kernels_init();
    asy_rng_init(&rng, 1, 0, ASY_RNG_SIM);
    return t__main("bf16", tests, ASY_ARRAY_LEN(tests));
}
