/* SPDX-License-Identifier: Apache-2.0
 * gemm_base.c - tiles in plain C, for any processor. fmaf() rounds once wherever it runs; without
 * an instruction for it that is a call, and slow. */
#include "lanes_base.h"

#define GEMM asy__gemm_base
#define GEMM_NAME "base"
#define ROWS 4
#define FEW NULL
#define FLAT NULL

static void transpose(size_t rows, size_t cols, const float *from, size_t from_row, float *to,
                      size_t to_row, size_t written)
{
    for (size_t i = 0; i < cols; i++)
        for (size_t j = 0; j < written; j++)
            to[i * to_row + j] = j < rows ? from[j * from_row + i] : 0;
}
#include "gemm_impl.h"
