/* SPDX-License-Identifier: Apache-2.0
 * gemm.h - what one instruction set provides for asy/gemm.h: tiles of c that stay in registers. */
#ifndef ASY_CPU_GEMM_H
#define ASY_CPU_GEMM_H
#include <asy/gemm.h>

#define ASY__TILE_ROWS 14    /* ASY_GEMM_ROWS: the most rows of a tile, of any set */
#define ASY__TILE_VECTORS 2  /* the most vectors across a tile */
#define ASY__LANES_MAX 16
#define ASY__LINE 16         /* floats of a line of the caches */
#define ASY__NEAR ((size_t)20480) /* floats: operands within so many gain nothing by packing */
#define ASY__FEW_ROWS 12    /* of more, tiles make more */
#define ASY__SPIN 12         /* sums at once: more than latency times ports, fewer than registers */

/* One tile: c [rows][vectors of lanes] = or += sums over k of a (rows) times b (vectors). */
struct asy__tile {
    const float *a;          /* a(i, k) = a[i a_row + k a_k] */
    const float *b;          /* b(k, j) = b[k b_k + j] */
    float *packed;           /* [k][vectors of lanes], =: what ASY__TILE_PACKING has read of b */
    float *c;                /* c(i, j) = c[i c_row + j] */
    const float *next;       /* c of the tile that follows, of the same shape; NULL: none */
    size_t a_row, a_k, b_k, c_row, k;
    size_t tail;             /* ASY__TILE_TAIL: lanes of the last vector that are c's */
    int add;                 /* sums begin with what c holds */
    int late;                /* they begin at zero, and what c holds is added to them at the end */
    /* What is fetched meanwhile: places to be changed (ASY__TILE_AHEAD), or lines in a row to be
     * read (ASY__TILE_FETCH). */
    const float *near;
    const ptrdiff_t *ahead;  /* ASY__TILE_AHEAD: [n_ahead], floats from near */
    size_t n_ahead;          /* at most k */
};
enum asy__tile_kind {
    ASY__TILE_PLAIN, ASY__TILE_PACKING, ASY__TILE_TAIL, ASY__TILE_AHEAD, ASY__TILE_FETCH,
    ASY__TILE_PACKED, /* a [k][rows of the largest tile], b [k][vectors of lanes] */
    ASY__TILE_KINDS
};
typedef void (*asy__tile_f)(const struct asy__tile *tile);

/* A product of few rows with a matrix, both along k: c = or += a b^T. */
struct asy__few {
    const float *a;          /* [rows][k] */
    const float *b;          /* [n][k] */
    float *c;                /* [rows][n]; if turned, [n][rows] */
    size_t rows, n, k;       /* rows at most ASY__FEW_ROWS; all above 0 */
    size_t a_row, b_row, c_row;
    int turned, add;
    float *room;             /* as asy_gemm() has it */
};

/* A product of few rows whose operands lie as the result does: c = or += a b. */
struct asy__flat {
    const float *a;          /* [rows][k] */
    const float *b;          /* [k][n] */
    float *c;                /* [rows][n] */
    size_t rows, n, k;       /* above 0 */
    size_t a_row, b_row, c_row;
    int add;
};

struct asy__gemm {
    const char *name;
    size_t lanes, rows;      /* rows: of the largest tile */
    /* by rows - 1, vectors - 1, kind */
    asy__tile_f tiles[ASY__TILE_ROWS][ASY__TILE_VECTORS][ASY__TILE_KINDS];
    /* to [cols], each with `written` numbers, = the transpose of from [rows][cols], with zeros
     * beyond rows; rows and written are at most lanes. */
    void (*transpose)(size_t rows, size_t cols, const float *from, size_t from_row, float *to,
                      size_t to_row, size_t written);
    /* The first w numbers of k rows, in whole vectors, with zeros beyond w. Where to_row is less
     * than that, each row is written over what lies beyond the one before: after the last one there
     * is room for a vector. */
    void (*copy)(size_t k, size_t w, const float *from, size_t from_row, float *to, size_t to_row);
    void (*few)(const struct asy__few *few); /* NULL: by tiles, as any other product */
    /* Returns 0 where tiles are faster, having done nothing; NULL: always. */
    int (*flat)(const struct asy__flat *flat);
    /* What the processor could do, for benchmarks: multiply-adds that wait for nothing, rounds
     * times ASY__SPIN vectors of them; returns something of their sums. */
    float (*spin)(size_t rounds);
};
/* Whether the transpose of a product (m, n and k above 0) is the cheaper one to compute where op(b)
 * lies along k; if not, sums rest in memory so many times. */
int asy__gemm_is_turned(const struct asy__gemm *isa, const struct asy_gemm *shape, size_t rests);
/* Whether a set computes a product (m, n and k above 0) as one of few rows or columns; and does. */
int asy__gemm_is_few(const struct asy__gemm *isa, const struct asy_gemm *shape);
void asy__gemm_few(const struct asy__gemm *isa, const struct asy_gemm *shape, const float *a,
                   const float *b, float *c, float *room);
/* Computes a product (m, n and k above 0) if it is one that a set has flat; else returns 0. */
int asy__gemm_flat(const struct asy__gemm *isa, const struct asy_gemm *shape, const float *a,
                   const float *b, float *c);
int asy__gemm_flat_avx512(const struct asy__flat *flat);
void asy__gemm_few_avx512(const struct asy__few *few);
extern const struct asy__gemm asy__gemm_base, asy__gemm_avx2, asy__gemm_avx512;
const struct asy__gemm *asy__gemm_get(void);
/* asy_gemm() with a set that this processor has. */
void asy__gemm_run(const struct asy__gemm *isa, const struct asy_gemm *shape, const float *a,
                   const float *b, float *c, float *room);
/* asy_gemm_summed() with such a set. */
void asy__gemm_run_summed(const struct asy__gemm *isa, const struct asy_gemm *shape, size_t n_parts,
                          const struct asy_gemm_part *parts, float *room,
                          const struct asy_gemm_taker *taker);
#endif
