/* SPDX-License-Identifier: Apache-2.0
 * bf16.h - the ways to compute products of operands rounded to bfloat16. */
#ifndef ASY_CPU_BF16_H
#define ASY_CPU_BF16_H
#include <asy/bf16.h>

struct asy__bf16 {
    const char *name;
    /* asy_bf16_gemm() with m, n and k above 0 */
    void (*run)(const struct asy_gemm *shape, const float *a, const float *b, float *c,
                float *room);
};
extern const struct asy__bf16 asy__bf16_rounded, asy__bf16_dot, asy__bf16_amx;
const struct asy__bf16 *asy__bf16_get(void);
/* Whether this process may use the AMX unit; asks the system for it. */
int asy__bf16_amx_is_here(void);
/* Whether the processor has the dot product of pairs; and whether at more than the rate of single
 * precision, which no feature tells: AMD's have twice that, Intel's half, and a virtual machine may
 * hide the AMX beside it. */
int asy__bf16_dot_is_here(void);
int asy__bf16_dot_pays(void);
/* asy_bf16_gemm() by one of them. */
void asy__bf16_run(const struct asy__bf16 *way, const struct asy_gemm *shape, const float *a,
                   const float *b, float *c, float *room);
#endif
