/* SPDX-License-Identifier: Apache-2.0
 * gemm_few_avx512.c - products of a few rows with a matrix, both along k: x w^T of a small batch,
 * or, turned, of a layer with few outputs.
 *
 * Sixteen rows of the matrix are transposed in registers, eight numbers at a time, and used at
 * once: writing a panel and reading it again is not paid for. Vectors are across these rows, so
 * each sum is the chain that it is everywhere. With one row the port that shuffles is the bound.
 * Lanes along k would need no shuffles, but sixteen chains for each sum, and then a row's bits
 * would depend on how many rows stand beside it. */
#include "gemm.h"
#include "lanes_avx512.h"
#include "turn_avx512.h"

#define ALWAYS static inline __attribute__((always_inline))
#define STEPS ((size_t)8) /* numbers along k at once */
#define GROUPS 2  /* of sixteen rows of b: with one, the sums of one row would be waited for */
#define A_BLOCK ((size_t)6144) /* numbers of a that stay in the first cache */
#define DIRECT 4  /* rows of a whose addresses leave registers for those of b; more are packed */
#define BESIDE 2  /* rows of a that leave registers for so many groups */

/* Sums [rows of a][columns] over all of k. */
struct strip {
    const float *a, *b;
    float *c;
    size_t a_row, b_row, c_row, k;
    size_t columns; /* rows of b: what fills the groups, or less */
    int add;
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

ALWAYS const float *a_at(const int rows, const struct strip *s, int i, size_t k)
{
    return rows > DIRECT ? s->a + k * (size_t)rows + (size_t)i : s->a + (size_t)i * s->a_row + k;
}

/* What turn_eight() makes of a block at the edge, of which rows and cols are there. */
static void turn_part(const float *b, size_t b_row, size_t rows, size_t cols,
                      float to[STEPS * LANES])
{
    float whole[LANES * LANES] __attribute__((aligned(64)));
    vec r[STEPS];

    for (size_t j = 0; j < LANES; j++)
        store(whole + j * LANES, j < rows ? load_part(b + j * b_row, mask_of(cols)) : zero());
    turn_eight(whole, LANES, r);
    for (size_t t = 0; t < STEPS; t++)
        store(to + t * LANES, r[t]);
}

/* Steps k0 .. k0 + n - 1 of the g-th group. */
ALWAYS void part_steps(const int rows, const int g, const struct strip *s, size_t k0, size_t n,
                       vec sums[][GROUPS])
{
    float turned[STEPS * LANES] __attribute__((aligned(64)));
    size_t from = (size_t)g * LANES;

    turn_part(s->b + from * s->b_row + k0, s->b_row, smaller(s->columns - from, LANES), n, turned);
    for (size_t t = 0; t < n; t++) {
        vec b = load(turned + t * LANES);

#pragma GCC unroll 12
        for (int i = 0; i < rows; i++)
            sums[i][g] = fma(spread(a_at(rows, s, i, k0 + t)), b, sums[i][g]);
    }
}

ALWAYS void whole_steps(const int rows, const int g, const struct strip *s, size_t k0,
                        vec sums[][GROUPS])
{
    vec b[STEPS];

    turn_eight(s->b + (size_t)g * LANES * s->b_row + k0, s->b_row, b);
#pragma GCC unroll 8
    for (size_t t = 0; t < STEPS; t++)
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++)
            sums[i][g] = fma(spread(a_at(rows, s, i, k0 + t)), b[t], sums[i][g]);
}

/* groups: what columns fill, the last one perhaps in part. */
ALWAYS void compute(const int rows, const int groups, const struct strip *given)
{
    const struct strip copy_of = *given, *s = &copy_of; /* (which no store can change) */
    mask whole = mask_of(LANES), tail = mask_of(s->columns - (size_t)(groups - 1) * LANES);
    size_t k = 0;
    vec sums[ASY__FEW_ROWS][GROUPS];

#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int g = 0; g < groups; g++)
            sums[i][g] = s->add ? load_part(s->c + (size_t)i * s->c_row + (size_t)g * LANES,
                                            g == groups - 1 ? tail : whole)
                                : zero();
    for (; tail == whole && k + STEPS <= s->k; k += STEPS)
#pragma GCC unroll 2
        for (int g = 0; g < groups; g++)
            whole_steps(rows, g, s, k, sums);
    for (; k < s->k; k += STEPS)
#pragma GCC unroll 2
        for (int g = 0; g < groups; g++)
            part_steps(rows, g, s, k, smaller(s->k - k, STEPS), sums);
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int g = 0; g < groups; g++)
            store_part(s->c + (size_t)i * s->c_row + (size_t)g * LANES,
                       g == groups - 1 ? tail : whole, sums[i][g]);
}

#define STRIP(rows, groups)                                                                        \
    static void strip_##rows##_##groups(const struct strip *s)                                     \
    {                                                                                              \
        compute(rows, groups, s);                                                                  \
    }
STRIP(1, 1)
STRIP(1, 2)
STRIP(2, 1)
STRIP(2, 2)
STRIP(3, 1)
STRIP(4, 1)
STRIP(5, 1)
STRIP(6, 1)
STRIP(7, 1)
STRIP(8, 1)
STRIP(9, 1)
STRIP(10, 1)
STRIP(11, 1)
STRIP(12, 1)

typedef void (*strip_f)(const struct strip *s);
static const strip_f of_one[ASY__FEW_ROWS] = {
    strip_1_1, strip_2_1, strip_3_1, strip_4_1,  strip_5_1,  strip_6_1,
    strip_7_1, strip_8_1, strip_9_1, strip_10_1, strip_11_1, strip_12_1,
};
static const strip_f of_two[BESIDE] = { strip_1_2, strip_2_2 };

/* A strip whose place in c, from there on, is turned: by way of a tile of our own. */
static void turned_strip(const struct asy__few *f, struct strip *s, strip_f run, float *c)
{
    float mine[ASY__FEW_ROWS * GROUPS * LANES] __attribute__((aligned(64)));

    s->c = mine;
    s->c_row = GROUPS * LANES;
    for (size_t i = 0; s->add && i < f->rows; i++)
        for (size_t r = 0; r < s->columns; r++)
            mine[i * s->c_row + r] = c[r * f->c_row + i];
    run(s);
    asy__gemm_avx512.transpose(f->rows, s->columns, mine, s->c_row, c, f->c_row, f->rows);
}

/* Steps k0 .. k0 + n - 1. */
static void block(const struct asy__few *f, size_t k0, size_t n)
{
    struct strip s = { .a = f->a + k0, .a_row = f->a_row, .b_row = f->b_row, .k = n,
                       .add = f->add || k0 > 0 };
    size_t across = f->rows <= BESIDE ? GROUPS * LANES : LANES;

    if (f->rows > DIRECT) {
        asy__gemm_avx512.transpose(f->rows, n, f->a + k0, f->a_row, f->room, f->rows, f->rows);
        s.a = f->room;
    }
    for (size_t j = 0; j < f->n; j += s.columns) {
        strip_f run;

        s.columns = smaller(f->n - j, across);
        s.b = f->b + j * f->b_row + k0;
        s.c = f->c + j;
        s.c_row = f->c_row;
        run = s.columns > LANES ? of_two[f->rows - 1] : of_one[f->rows - 1];
        if (f->turned)
            turned_strip(f, &s, run, f->c + j * f->c_row);
        else
            run(&s);
    }
}

void asy__gemm_few_avx512(const struct asy__few *f)
{
    size_t most = A_BLOCK / f->rows, parts = (f->k + most - 1) / most;
    size_t n = ((f->k + parts - 1) / parts + STEPS - 1) / STEPS * STEPS;

    for (size_t k0 = 0; k0 < f->k; k0 += n)
        block(f, k0, smaller(f->k - k0, n));
}
