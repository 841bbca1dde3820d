/* SPDX-License-Identifier: Apache-2.0
 * The product of matrices: each entry is the chain of fused multiply-adds that the header promises,
 * to the bit, for every instruction set that this processor has. */
#include <asytest.h>
#include <math.h>
#include <stdlib.h>
#include <asy/gemm.h>
#include <asy/kernels.h>
#include <asy/rng.h>
#include "gemm.h"

static struct asy_rng rng;
static const struct asy__gemm *const all_sets[] = {
    &asy__gemm_base,
#if defined(__x86_64__)
    &asy__gemm_avx2,
    &asy__gemm_avx512,
#endif
};

static int is_here(const struct asy__gemm *isa)
{
#if defined(__x86_64__)
    if (isa == &asy__gemm_avx2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (isa == &asy__gemm_avx512)
        return __builtin_cpu_supports("avx512f") != 0;
#endif
    return isa == &asy__gemm_base;
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

static float at(const float *x, size_t ld, int trans, size_t i, size_t j)
{
    return trans ? x[j * ld + i] : x[i * ld + j];
}

static void chain(const struct asy_gemm *s, const float *a, const float *b, float *c)
{
    for (size_t i = 0; i < s->m; i++)
        for (size_t j = 0; j < s->n; j++) {
            float sum = s->add ? c[i * s->ldc + j] : 0;

            for (size_t k = 0; k < s->k; k++)
                sum = fmaf(at(a, s->lda, s->trans_a, i, k), at(b, s->ldb, s->trans_b, k, j), sum);
            c[i * s->ldc + j] = sum;
        }
}

static size_t c_size(const struct asy_gemm *s)
{
    return s->m && s->n ? (s->m - 1) * s->ldc + s->n : 0;
}

/* got and want hold the same before; what lies between the rows must stay as well. */
static void compare(float *room, const struct asy_gemm *s, const float *a,
                    const float *b, const float *before, float *want, float *got)
{
    size_t n = c_size(s);

    memcpy(want, before, n * sizeof *want);
    chain(s, a, b, want);
    for (size_t i = 0; i < ASY_ARRAY_LEN(all_sets); i++) {
        size_t j = 0;

        if (!is_here(all_sets[i]))
            continue;
        memcpy(got, before, n * sizeof *got);
        asy__gemm_run(all_sets[i], s, a, b, got, room);
        while (j < n && memcmp(&got[j], &want[j], sizeof *got) == 0)
            j++;
        if (j < n) {
            t__check(false, __LINE__, __FILE__, "%s: %s%s %zu x %zu x %zu, ld %zu %zu %zu, add %d: "
                     "[%zu] is %a, not %a", all_sets[i]->name, s->trans_a ? "T" : "N",
                     s->trans_b ? "T" : "N", s->m, s->n, s->k, s->lda, s->ldb, s->ldc, s->add, j,
                     (double)got[j], (double)want[j]);
        }
    }
}

/* Where blocks go, and how often each entry has come. */
struct taken {
    float *c;
    unsigned char *times;
    size_t ld;
};

static void take(void *arg, size_t i, size_t j, size_t rows, size_t cols, const float *block,
                 size_t block_row)
{
    const struct taken *to = arg;

    for (size_t r = 0; r < rows; r++)
        for (size_t s = 0; s < cols; s++) {
            to->c[(i + r) * to->ld + j + s] = block[r * block_row + s];
            to->times[(i + r) * to->ld + j + s]++;
        }
}

/* near: beside how many arrays. */
static void compare_summed(float *room, const struct asy_gemm *s, size_t n_parts,
                           const struct asy_gemm_part *parts, const float *want, float *got,
                           size_t near)
{
    struct taken to = { got, calloc(c_size(s) + 1, 1), s->ldc };
    const struct asy_gemm_taker taker = { take, &to, { want, got, want, got }, near };

    for (size_t i = 0; i < ASY_ARRAY_LEN(all_sets) && T_TRUE(to.times != NULL); i++) {
        size_t others = 0;

        if (!is_here(all_sets[i]))
            continue;
        memset(to.times, 0, c_size(s));
        asy__gemm_run_summed(all_sets[i], s, n_parts, parts, room, &taker);
        for (size_t r = 0; r < s->m; r++) {
            T_EQ(all_sets[i]->name, memcmp(got + r * s->ldc, want + r * s->ldc, s->n * sizeof *got),
                 0);
            for (size_t j = 0; j < s->n; j++)
                others += to.times[r * s->ldc + j] != 1;
        }
        T_EQ("entries that did not come once", others, 0);
    }
    free(to.times);
}

#define PARTS 3

/* The product is that of the first part, to which those of the others are added. */
static void check_summed(float *room, size_t m, size_t n, size_t n_parts, const size_t *k,
                         size_t near)
{
    struct asy_gemm s = { .trans_a = 1, .m = m, .n = n, .lda = m + near, .ldb = n,
                          .ldc = n + near };
    float *a[PARTS] = { NULL }, *b[PARTS] = { NULL }, *want = matrix(m, n, s.ldc);
    float *got = matrix(m, n, s.ldc), *one = matrix(m, n, s.ldc);
    struct asy_gemm_part parts[PARTS];
    bool all = want && got && one;

    for (size_t p = 0; p < n_parts && all; p++) {
        a[p] = matrix(k[p], m, s.lda);
        b[p] = matrix(k[p], n, n);
        parts[p] = (struct asy_gemm_part){ a[p], b[p], k[p] };
        s.k = k[p];
        if (!(all = a[p] && b[p]))
            break;
        chain(&s, a[p], b[p], p ? one : want);
        for (size_t i = 0; i < m && p > 0; i++)
            for (size_t j = 0; j < n; j++)
                want[i * s.ldc + j] += one[i * s.ldc + j];
    }
    if (T_TRUE(all))
        compare_summed(room, &s, n_parts, parts, want, got, near);
    for (size_t p = 0; p < PARTS; p++) {
        free(a[p]);
        free(b[p]);
    }
    free(want);
    free(got);
    free(one);
}

static void check_taken(float *room, size_t m, size_t n, size_t k, size_t near)
{
    check_summed(room, m, n, 1, &k, near);
}

static void check(float *room, size_t m, size_t n, size_t k, int how)
{
    struct asy_gemm s = { .trans_a = how & 1, .trans_b = how >> 1 & 1, .add = how >> 2 & 1,
                          .m = m, .n = n, .k = k };
    size_t pad = how >> 3 & 1 ? 5 : 0, size;
    float *a, *b, *c, *want, *got;

    s.lda = (s.trans_a ? m : k) + pad;
    s.ldb = (s.trans_b ? k : n) + pad;
    s.ldc = n + pad;
    size = c_size(&s) * sizeof(float);
    a = s.trans_a ? matrix(k, m, s.lda) : matrix(m, k, s.lda);
    b = s.trans_b ? matrix(n, k, s.ldb) : matrix(k, n, s.ldb);
    c = matrix(m, n, s.ldc);
    want = malloc(size ? size : 1);
    got = malloc(size ? size : 1);
    if (T_TRUE(a && b && c && want && got))
        compare(room, &s, a, b, c, want, got);
    free(a);
    free(b);
    free(c);
    free(want);
    free(got);
}

static float *room_create(void)
{
    float *room = NULL;

    T_EQ("room", posix_memalign((void **)&room, 64, ASY_GEMM_ROOM * sizeof *room), 0);
    return room;
}

/* Every size of a tile, each way to store the operands; then what is cut into blocks. */
static void every_entry_is_one_chain_of_fused_multiply_adds(void)
{
    static const struct {
        size_t m, n, k;
    } large[] = { { 64, 512, 100 }, { 100, 10, 300 }, { 6, 70, 1030 },  { 460, 40, 20 },
                  { 905, 3, 7 },    { 3, 5, 4101 },   { 17, 33, 8200 }, { 40, 40, 257 },
                  { 12, 50, 1300 }, { 40, 9, 1100 },  { 1, 40, 6200 },  { 33, 2, 3100 },
                  { 5, 200, 90 },   { 16, 13, 500 },  { 300, 70, 300 }, { 150, 100, 520 },
                  { 290, 1100, 30 }, { 289, 65, 1024 } };
    float *room = room_create();

    if (!room)
        return;
    for (size_t m = 1; m <= 30; m++)
        for (int how = 0; how < 16; how++)
            check(room, m, 1 + asy_rng_below(&rng, 70), 1 + asy_rng_below(&rng, 40), how);
    for (size_t n = 1; n <= 66; n++)
        for (int how = 0; how < 16; how++)
            check(room, 1 + asy_rng_below(&rng, 30), n, 1 + asy_rng_below(&rng, 40), how);
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

/* Groups of panels, blocks of k, tails of both directions; 0 to 4 arrays beside the result. */
static void blocks_that_are_taken_are_the_product(void)
{
    static const struct {
        size_t m, n, k;
    } sizes[] = { { 1, 1, 1 }, { 13, 31, 3 }, { 14, 32, 16 }, { 15, 33, 64 }, { 40, 100, 256 },
                  { 31, 70, 257 }, { 20, 45, 700 }, { 29, 1000, 250 }, { 30, 4000, 40 } };
    float *room = room_create();

    if (!room)
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(sizes); i++)
        for (size_t near = 0; near <= ASY_GEMM_NEAR; near++)
            check_taken(room, sizes[i].m, sizes[i].n, sizes[i].k, near);
    for (size_t m = 1; m <= 30; m++)
        check_taken(room, m, 1 + asy_rng_below(&rng, 70), 1 + asy_rng_below(&rng, 300), m % 5);
    free(room);
}

/* Parts of other lengths; as many terms as there may be; each size of a tile. */
static void products_are_added_up_in_their_order(void)
{
    static const struct {
        size_t m, n, n_parts, k[PARTS];
    } sizes[] = { { 1, 1, 2, { 1, 1 } }, { 256, 784, 2, { 64, 64 } }, { 40, 100, 3, { 20, 1, 70 } },
                  { 31, 1000, 3, { 341, 342, 341 } }, { 128, 33, 2, { 10, 118 } } };
    float *room = room_create();

    if (!room)
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(sizes); i++)
        for (size_t near = 0; near <= ASY_GEMM_NEAR; near += 2)
            check_summed(room, sizes[i].m, sizes[i].n, sizes[i].n_parts, sizes[i].k, near);
    for (size_t m = 1; m <= 30; m++)
        check_summed(room, m, 1 + asy_rng_below(&rng, 70), 2,
                     (size_t[]){ 1 + asy_rng_below(&rng, 60), 1 + asy_rng_below(&rng, 60) }, m % 5);
    free(room);
}

/* By OpenBLAS, where it multiplies, of many terms, and of none. */
static void whole_products_are_taken_too(void)
{
    enum { M = 5, N = 7, K = 300 };
    struct asy_gemm s = { .trans_a = 1, .m = M, .n = N, .k = K, .lda = M, .ldb = N, .ldc = N };
    float *room = room_create(), *a = matrix(K, M, M), *b = matrix(K, N, N);
    float want[M * N], got[M * N], room_c[M * N];
    unsigned char times[M * N] = { 0 };
    struct taken to = { got, times, N };
    const struct asy_gemm_taker taker = { .take = take, .arg = &to };

    if (T_TRUE(room && a && b)) {
        asy_gemm_ref(&s, a, b, want);
        asy_kernels_set_products(ASY_PRODUCTS_BLAS);
        asy_gemm_taken(&s, a, b, room_c, room, &taker);
        asy_kernels_set_products(ASY_PRODUCTS_OWN);
        for (size_t i = 0; i < M * N; i++) {
            T_NEAR("an entry", (double)got[i], (double)want[i], 1e-4);
            T_EQ("once", times[i], 1);
        }
        memset(times, 0, sizeof times);
        asy_gemm_taken(&s, a, b, room_c, room, &taker);
        for (size_t i = 0; i < M * N; i++) {
            T_NEAR("of many terms", (double)got[i], (double)want[i], 1e-4);
            T_EQ("once", times[i], 1);
        }
        s.k = 0;
        asy_gemm_taken(&s, a, b, room_c, room, &taker);
        for (size_t i = 0; i < M * N; i++)
            T_NEAR("of nothing", (double)got[i], 0, 0);
    }
    free(a);
    free(b);
    free(room);
}

static void the_plain_twin_agrees(void)
{
    const struct asy_gemm s = { .trans_b = 1, .add = 1, .m = 37, .n = 41, .k = 90, .lda = 90,
                                .ldb = 92, .ldc = 43 };
    float *room = room_create();
    float *a = matrix(37, 90, 90), *b = matrix(41, 90, 92), *c = matrix(37, 41, 43);
    float want[37 * 43];

    if (T_TRUE(room && a && b && c)) {
        memcpy(want, c, c_size(&s) * sizeof *c);
        asy_gemm(&s, a, b, c, room);
        asy_gemm_ref(&s, a, b, want);
        for (size_t i = 0; i < c_size(&s); i++) /* 90 roundings of 6e-8 of some tens at most */
            T_NEAR("an entry", (double)c[i], (double)want[i], 1e-4);
    }
    free(a);
    free(b);
    free(c);
    free(room);
}

/* Why gangs of any width, and batches cut anywhere, give the same activations. */
static void a_row_does_not_depend_on_its_neighbours(void)
{
    enum { ROWS = 61, IN = 301, OUT = 37 };
    float *room = room_create();
    float *x = matrix(ROWS, IN, IN), *w = matrix(OUT, IN, IN), *y = matrix(ROWS, OUT, OUT);
    struct asy_gemm s = { .trans_b = 1, .n = OUT, .k = IN, .lda = IN, .ldb = IN, .ldc = OUT };
    float row[OUT];

    if (T_TRUE(room && x && w && y)) {
        s.m = ROWS;
        asy_gemm(&s, x, w, y, room);
        s.m = 1;
        for (size_t i = 0; i < ROWS; i++) {
            asy_gemm(&s, x + i * IN, w, row, room);
            T_TRUE(memcmp(row, y + i * OUT, sizeof row) == 0);
        }
    }
    free(x);
    free(w);
    free(y);
    free(room);
}

int main(void)
{
    static const struct t_test tests[] = {
        T_TEST(every_entry_is_one_chain_of_fused_multiply_adds),
        T_TEST(blocks_that_are_taken_are_the_product),
        T_TEST(products_are_added_up_in_their_order),
        T_TEST(whole_products_are_taken_too),
        T_TEST(the_plain_twin_agrees),
        T_TEST(a_row_does_not_depend_on_its_neighbours),
    };

    asy_kernels_init();
    asy_rng_init(&rng, 1, 0, ASY_RNG_SIM);
    return t__main("gemm", tests, ASY_ARRAY_LEN(tests));
}
