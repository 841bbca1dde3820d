/* SPDX-License-Identifier: Apache-2.0
 * gemm_strips.c - large products in strips: panels of b side by side, as many as half the second
 * cache holds, meet the rows of one tile after the other, which the first cache holds.
 *
 * c is then written along its rows, which the processor fetches ahead, where an order by panels
 * goes down its columns, a line from each of many pages. The first strip's tiles pack b as they
 * read it. What lies along a's columns is packed for some strips at once, so that each line of it
 * is read whole; rows are read where they lie, unless so far apart that they meet in the same few
 * sets of the first cache. Few rows leave a panel too early for that to pay. While a tile is
 * computed, the lines of c that the next one goes to are asked for.
 *
 * How wide a group is goes by the machine, which changes no sum. */
#include "gemm_order.h"
#include <pthread.h>
#include <unistd.h>

#define STRIPS ((size_t)4)        /* packed at once */
#define STEPS ((size_t)16)        /* of k, that are */
#define PAD ((size_t)ASY__LANES_MAX) /* behind a strip, for whole vectors */
#define STRIP_LEN (ASY__K_BLOCK * ASY__TILE_ROWS + PAD)
#define STRIPS_AT (ASY_GEMM_ROOM - STRIPS * STRIP_LEN) /* in the room; before it the panels */
#define TILES_LEAST ((size_t)20)  /* down, of rows that are read where they lie */
#define TILES_PACKED ((size_t)8)  /* ... that are packed in any case */
#define PANELS_LEAST ((size_t)2)  /* across */
#define PANELS_MIN (4 * ASY__K_BLOCK * ASY__TILE_VECTORS * ASY__LANES_MAX) /* floats of a group */
#define SAME_SETS                                                                                  \
    ((size_t)1024) /* floats: rows at multiples of it share a set of the first cache */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static size_t room_for_panels; /* floats */

/* Half of the second cache; of one that nobody tells, of 512 KiB. */
static void ask(void)
{
    long cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
    size_t half = (cache > 0 ? (size_t)cache : (size_t)512 << 10) / 2 / sizeof(float);

    room_for_panels = asy__smaller(half > PANELS_MIN ? half : PANELS_MIN, STRIPS_AT);
}

struct strips {
    const struct asy__product *p;
    struct asy__cut cut;
    size_t k0, kc, from, to; /* steps of k, columns of the group */
    size_t across;           /* columns of a panel */
    float *room;             /* [STRIPS][STRIP_LEN] */
};

static size_t rows_of(const struct strips *s, size_t t)
{
    return s->cut.rows + (t < s->cut.longer);
}

static int packs(const struct asy__product *p)
{
    return p->a_k != 1 || p->a_row % SAME_SETS == 0;
}

/* Strips t .. t + n of a that lies along its columns, rows from i on. */
static void copy_strips(const struct strips *s, size_t t, size_t n, size_t i)
{
    const struct asy__product *p = s->p;
    size_t many = p->isa->rows;

    for (size_t k = 0; k < s->kc; k += STEPS) {
        const float *a = p->a + i + (s->k0 + k) * p->a_k;

        for (size_t u = 0; u < n; u++) {
            size_t rows = rows_of(s, t + u);

            p->isa->copy(asy__smaller(STEPS, s->kc - k), rows, a, p->a_k,
                         s->room + u * STRIP_LEN + k * many, many);
            a += rows;
        }
    }
}

/* The same of a that lies along k. */
static void transpose_strips(const struct strips *s, size_t t, size_t n, size_t i)
{
    const struct asy__product *p = s->p;
    size_t many = p->isa->rows;

    for (size_t u = 0; u < n; u++) {
        const float *a = p->a + i * p->a_row + s->k0;
        size_t rows = rows_of(s, t + u);

        p->isa->transpose(rows, s->kc, a, p->a_row, s->room + u * STRIP_LEN, many, many);
        i += rows;
    }
}

/* The tiles of a strip, rows from i on, which tile says where to read; first: b is yet to pack. */
static void run_strip(const struct strips *s, struct asy__tile *tile, size_t rows, size_t i,
                      int first)
{
    const struct asy__product *p = s->p;
    enum asy__tile_kind kind = packs(p) ? ASY__TILE_PACKED : ASY__TILE_PLAIN;

    for (size_t j = s->from; j < s->to; j += s->across) {
        size_t w = asy__smaller(p->n - j, s->across);
        size_t vectors = (w + p->isa->lanes - 1) / p->isa->lanes;
        enum asy__tile_kind this = kind;

        tile->packed = p->room + (j - s->from) * s->kc;
        tile->b = tile->packed;
        tile->b_k = vectors * p->isa->lanes;
        tile->tail = w - (vectors - 1) * p->isa->lanes;
        tile->c = p->c + i * p->c_row + j;
        if (j + 2 * s->across <= s->to) /* (a narrower one is left to itself) */
            tile->next = tile->c + s->across;
        else
            tile->next = i + rows < p->m ? p->c + (i + rows) * p->c_row + s->from : NULL;
        if (w < tile->b_k) {
            this = ASY__TILE_TAIL;
        } else if (first && !p->b_along_k) {
            tile->b = p->b + s->k0 * p->b_row + j;
            tile->b_k = p->b_row;
            this = ASY__TILE_PACKING;
        }
        p->isa->tiles[rows - 1][vectors - 1][this](tile);
    }
}

static void run_group(struct strips *s)
{
    const struct asy__product *p = s->p;
    int packed = packs(p);
    size_t some = p->a_k != 1 ? STRIPS : 1;
    struct asy__tile tile = { .a_row = packed ? 1 : p->a_row, .a_k = packed ? p->isa->rows : 1,
                              .k = s->kc, .add = p->add || s->k0 > 0, .c_row = p->c_row };

    /* those that no tile packs: what lies along k, and what is not whole */
    asy__pack_panels(p, s->k0, s->kc, s->from, s->to, p->b_along_k);
    for (size_t t = 0, i = 0; t < s->cut.tiles; t++) {
        size_t rows = rows_of(s, t);

        if (packed && t % some == 0)
            (p->a_k != 1 ? copy_strips : transpose_strips)(
                s, t, asy__smaller(some, s->cut.tiles - t), i);
        tile.a = packed ? s->room + t % some * STRIP_LEN : p->a + i * p->a_row + s->k0;
        run_strip(s, &tile, rows, i, t == 0);
        i += rows;
    }
}

int asy__product_in_strips(const struct asy__product *p)
{
    size_t least = p->a_k != 1 ? TILES_PACKED : TILES_LEAST;

    return !p->near && p->m > least * p->isa->rows &&
           p->n >= PANELS_LEAST * ASY__TILE_VECTORS * p->isa->lanes;
}

void asy__product_strips(const struct asy__product *p)
{
    struct strips s = { .p = p, .cut = asy__cut_rows(p->m, p->isa->rows),
                        .across = ASY__TILE_VECTORS * p->isa->lanes, .room = p->room + STRIPS_AT };
    size_t k_part = asy__part(p->k, ASY__K_BLOCK), group;

    pthread_once(&once, ask);
    group = asy__part((p->n + s.across - 1) / s.across, room_for_panels / s.across / k_part) *
            s.across;
    for (; s.k0 < p->k; s.k0 += k_part) {
        s.kc = asy__smaller(k_part, p->k - s.k0);
        for (s.from = 0; s.from < p->n; s.from = s.to) {
            s.to = asy__smaller(p->n, s.from + group);
            run_group(&s);
        }
    }
}
