/* SPDX-License-Identifier: Apache-2.0
 * gemm_impl.h - tiles of all sizes, compiled once per instruction set.
 *
 * A tile's sums stay in registers for all of k: in each step its vectors of b are loaded, and each
 * of its rows' a is spread over a vector. Sizes are constants to the compiler, which unrolls the
 * loops over them. Two vectors across and as many rows as registers allow: one load then serves
 * nearly two multiply-adds, which is what two load and two FMA ports want.
 *
 * What somebody reads and changes as soon as the next tile is whole is fetched meanwhile (AHEAD),
 * and so is what the next tiles are made of where that comes from far away (FETCH): a line a step,
 * or every other step, as no more are on their way from another core's cache at a time. That has a
 * loop of its own: one within the loop would be left too often for the processor to foresee. Lines
 * that will be changed are taken away from others at once, as a store would wait for that.
 *
 * The first tile below a panel of b copies what it reads (PACKING): two stores a step, which cost
 * nothing beside its multiply-adds, where a pass of its own took a tenth of the time of 64 rows.
 *
 * The includer defines GEMM (the table's name), GEMM_NAME, FEW and FLAT (as gemm.h has few and
 * flat), LANES, ROWS (4, 6 or 14; at most LANES), the types vec and mask and, on them, zero(),
 * load(p), store(p, v), spread(p), fma(a, b, c), mask_of(n), load_part(p, mask),
 * store_part(p, mask, v), and transpose() as gemm.h has it. */
#include "anew.h"
#include "gemm.h"

#define PREFETCH_STEPS 16 /* ahead of the rows of b that are read for the first time */

#define ALWAYS static inline __attribute__((always_inline))

/* A line that will be changed, which nobody else may keep then. (gcc has the instruction for some
 * targets alone; processors that know nothing of it do nothing.) */
ALWAYS void fetch_to_write(const float *p)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*p));
#else
    __builtin_prefetch(p, 1);
#endif
}

/* Where a tile's sums come from and go to. */
ALWAYS void begin(const int rows, const int vectors, const int kind, const struct asy__tile *tile,
                  vec sums[ASY__TILE_ROWS][ASY__TILE_VECTORS])
{
    mask tail = mask_of(kind == ASY__TILE_TAIL ? tile->tail : LANES);
    const float *c = asy__anew(tile->c), *next = tile->next;

#pragma GCC unroll 14
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++)
            sums[i][j] = zero();
    if (tile->add)
#pragma GCC unroll 14
        for (int i = 0; i < rows; i++, c += tile->c_row)
#pragma GCC unroll 2
            for (int j = 0; j < vectors; j++)
                sums[i][j] = kind == ASY__TILE_TAIL && j == vectors - 1
                                 ? load_part(c + (size_t)j * LANES, tail)
                                 : load(c + (size_t)j * LANES);
    if (next)
#pragma GCC unroll 14
        for (int i = 0; i < rows; i++, next += tile->c_row)
#pragma GCC unroll 2
            for (int j = 0; j < vectors; j++)
                __builtin_prefetch(next + (size_t)j * LANES, 1);
}

/* What whole vectors of c hold is added to the sums: one times each, so it is rounded once. */
ALWAYS void add_to_c(const int rows, const int vectors, const struct asy__tile *tile,
                     vec sums[ASY__TILE_ROWS][ASY__TILE_VECTORS])
{
    const float *c = asy__anew(tile->c);
    const float one = 1;

#pragma GCC unroll 14
    for (int i = 0; i < rows; i++, c += tile->c_row)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++)
            sums[i][j] = fma(spread(&one), load(c + (size_t)j * LANES), sums[i][j]);
}

ALWAYS void end(const int rows, const int vectors, const int kind, const struct asy__tile *tile,
                vec sums[ASY__TILE_ROWS][ASY__TILE_VECTORS])
{
    mask tail = mask_of(kind == ASY__TILE_TAIL ? tile->tail : LANES);
    float *c = asy__anew(tile->c);

    if (tile->late)
        add_to_c(rows, vectors, tile, sums);
#pragma GCC unroll 14
    for (int i = 0; i < rows; i++, c += tile->c_row) {
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++) {
            if (kind == ASY__TILE_TAIL && j == vectors - 1)
                store_part(c + (size_t)j * LANES, tail, sums[i][j]);
            else
                store(c + (size_t)j * LANES, sums[i][j]);
        }
    }
}

/* Where a tile's next step reads. a's rows are addressed from every third one: a base, the distance
 * of a row and twice that are what an address can add up. */
struct reading {
    const float *bases[(ASY__TILE_ROWS + 2) / 3], *from;
    float *packed;
};

/* One k: sums += a's column times b's row. */
ALWAYS void step(const int rows, const int vectors, const int kind, const struct asy__tile *tile,
                 struct reading *at, vec sums[ASY__TILE_ROWS][ASY__TILE_VECTORS])
{
    const int packed = kind == ASY__TILE_PACKED; /* what is constant, no register holds */
    const size_t steps[3] = { 0, tile->a_row, 2 * tile->a_row };
    const size_t a_k = packed ? ROWS : tile->a_k;
    const size_t b_k = packed ? (size_t)vectors * LANES : tile->b_k;
    vec b[ASY__TILE_VECTORS];

#pragma GCC unroll 2
    for (int j = 0; j < vectors; j++) {
        b[j] = load(at->from + (size_t)j * LANES);
        if (kind == ASY__TILE_PACKING) {
            store(at->packed + (size_t)j * LANES, b[j]);
            __builtin_prefetch(at->from + PREFETCH_STEPS * b_k + (size_t)j * LANES);
        }
    }
#pragma GCC unroll 14
    for (int i = 0; i < rows; i++) {
        vec a = spread(packed ? at->bases[0] + i : at->bases[i / 3] + steps[i % 3]);

#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++)
            sums[i][j] = fma(a, b[j], sums[i][j]);
    }
#pragma GCC unroll 5
    for (int i = 0; i < (rows + 2) / 3; i++)
        at->bases[i] += packed && i > 0 ? 0 : a_k;
    at->from += b_k;
    if (kind == ASY__TILE_PACKING)
        at->packed += (size_t)vectors * LANES;
}

ALWAYS void compute(const int rows, const int vectors, const int kind,
                    const struct asy__tile *given)
{
    const struct asy__tile copy_of = *given, *tile = &copy_of; /* (which no store can change) */
    vec sums[ASY__TILE_ROWS][ASY__TILE_VECTORS];
    struct reading at = { .from = tile->b, .packed = tile->packed };
    size_t k = tile->k;

    begin(rows, vectors, kind, tile, sums);
#pragma GCC unroll 5
    for (int i = 0; i < (rows + 2) / 3; i++)
        at.bases[i] = tile->a + (size_t)i * 3 * tile->a_row;
    if (kind == ASY__TILE_AHEAD || kind == ASY__TILE_FETCH) {
        int slow = 2 * tile->n_ahead <= k;

        k -= slow ? 2 * tile->n_ahead : tile->n_ahead;
        for (size_t i = 0; i < tile->n_ahead; i++) {
            if (kind == ASY__TILE_AHEAD)
                fetch_to_write(tile->near + tile->ahead[i]);
            else
                __builtin_prefetch(tile->near + i * ASY__LINE, 0, 2);
            step(rows, vectors, kind, tile, &at, sums);
            if (slow)
                step(rows, vectors, kind, tile, &at, sums);
        }
    }
    for (; k > 0; k--)
        step(rows, vectors, kind, tile, &at, sums);
    end(rows, vectors, kind, tile, sums);
}

static void copy(size_t k, size_t w, const float *from, size_t from_row, float *to, size_t to_row)
{
    size_t whole = w / LANES * LANES;
    mask tail = mask_of(w - whole);

    for (; k > 0; k--) {
        for (size_t j = 0; j < whole; j += LANES)
            store(to + j, load(from + j));
        if (whole < w)
            store(to + whole, load_part(from + whole, tail));
        from += from_row;
        to += to_row;
    }
}

static float spin(size_t rounds)
{
    const float shrink = 0.5f, grow = 0.25f;
    vec sums[ASY__SPIN], a = spread(&shrink), b = spread(&grow);
    float first[LANES];

#pragma GCC unroll 12
    for (int i = 0; i < ASY__SPIN; i++) {
        float start = (float)(rounds % 1000 + (size_t)i); /* equal ones would be computed once */

        sums[i] = spread(&start);
    }
    for (; rounds > 0; rounds--) {
#pragma GCC unroll 12
        for (int i = 0; i < ASY__SPIN; i++)
            sums[i] = fma(sums[i], a, b);
    }
#pragma GCC unroll 12
    for (int i = 1; i < ASY__SPIN; i++)
        sums[0] = fma(sums[0], a, sums[i]);
    store(first, sums[0]);
    return first[0];
}

#define TILE(rows, vectors, kind, suffix)                                                          \
    static void tile_##rows##_##vectors##_##suffix(const struct asy__tile *tile)                   \
    {                                                                                              \
        compute(rows, vectors, kind, tile);                                                        \
    }
#define TILES(rows)                                                                                \
    TILE(rows, 1, ASY__TILE_PLAIN, plain)                                                          \
    TILE(rows, 1, ASY__TILE_PACKING, packing)                                                      \
    TILE(rows, 1, ASY__TILE_TAIL, tail)                                                            \
    TILE(rows, 1, ASY__TILE_AHEAD, ahead)                                                          \
    TILE(rows, 1, ASY__TILE_FETCH, fetch)                                                          \
    TILE(rows, 1, ASY__TILE_PACKED, packed)                                                        \
    TILE(rows, 2, ASY__TILE_PLAIN, plain)                                                          \
    TILE(rows, 2, ASY__TILE_PACKING, packing)                                                      \
    TILE(rows, 2, ASY__TILE_TAIL, tail)                                                            \
    TILE(rows, 2, ASY__TILE_AHEAD, ahead)                                                          \
    TILE(rows, 2, ASY__TILE_FETCH, fetch)                                                          \
    TILE(rows, 2, ASY__TILE_PACKED, packed)
#define NAMES(rows)                                                                                \
    { { tile_##rows##_1_plain, tile_##rows##_1_packing, tile_##rows##_1_tail,                      \
        tile_##rows##_1_ahead, tile_##rows##_1_fetch, tile_##rows##_1_packed },                    \
      { tile_##rows##_2_plain, tile_##rows##_2_packing, tile_##rows##_2_tail,                      \
        tile_##rows##_2_ahead, tile_##rows##_2_fetch, tile_##rows##_2_packed } }

TILES(1)
TILES(2)
TILES(3)
TILES(4)
#if ROWS > 4
TILES(5)
TILES(6)
#endif
#if ROWS > 6
TILES(7)
TILES(8)
TILES(9)
TILES(10)
TILES(11)
TILES(12)
TILES(13)
TILES(14)
#endif

const struct asy__gemm GEMM = {
    .name = GEMM_NAME,
    .lanes = LANES,
    .rows = ROWS,
    .tiles = {
        NAMES(1), NAMES(2), NAMES(3), NAMES(4),
#if ROWS > 4
        NAMES(5), NAMES(6),
#endif
#if ROWS > 6
        NAMES(7), NAMES(8), NAMES(9), NAMES(10), NAMES(11), NAMES(12), NAMES(13), NAMES(14),
#endif
    },
    .transpose = transpose,
    .copy = copy,
    .few = FEW,
    .flat = FLAT,
    .spin = spin,
};
