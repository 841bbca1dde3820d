/* SPDX-License-Identifier: Apache-2.0
 * conv_pooled.h - tiles of a convolution that leave the greatest of 2 x 2 outputs, which an
 * instruction set may provide. */
#ifndef ASY_CPU_CONV_POOLED_H
#define ASY_CPU_CONV_POOLED_H
#include <stddef.h>
#include <stdint.h>

#define ASY__WINDOWS 3 /* the most of a tile, side by side */
#define ASY__WINDOW_VECTORS 2

struct asy__run;
struct asy__pooled_tile {
    const float *a;     /* of the output in line i and column j: a[i a_line + j a_row] */
    size_t a_line, a_row;
    const struct asy__run *runs; /* and the rest as in struct asy__corr */
    size_t n_runs;
    const float *b, *start;
    float *c;           /* [windows], c_row apart */
    uint8_t *from;      /* the same: which of its window */
    size_t c_row, tail;
    int relu;           /* before it is compared */
};
typedef void (*asy__pooled_f)(const struct asy__pooled_tile *tile);
struct asy__pooled {
    asy__pooled_f tiles[ASY__WINDOWS][ASY__WINDOW_VECTORS]; /* by windows - 1, vectors - 1 */
};
extern const struct asy__pooled asy__pooled_avx512;
#endif
