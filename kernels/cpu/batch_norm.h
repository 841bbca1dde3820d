/* SPDX-License-Identifier: Apache-2.0
 * batch_norm.h - the table of kernels of batch normalisation that one instruction set provides. */
#ifndef ASY_CPU_BATCH_NORM_H
#define ASY_CPU_BATCH_NORM_H
#include <asy/batch_norm.h>

struct asy__batch {
    const char *name;
    void (*sums)(size_t rows, size_t n, const float *x, double *sums);
    void (*grad_sums)(size_t rows, size_t n, const float *dy, const float *x, const float *stats,
                      double *sums);
    void (*norm)(size_t rows, size_t n, const float *x, const float *stats, const float *scale,
                 const float *shift, float *y);
    void (*norm_grad)(size_t rows, size_t n, const float *dy, const float *x, const float *stats,
                      const float *scale, const double *sums, float *dx);
};
extern const struct asy__batch asy__batch_base, asy__batch_avx2, asy__batch_avx512;
const struct asy__batch *asy__batch_get(void);
#endif
