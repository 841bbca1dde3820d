/* SPDX-License-Identifier: Apache-2.0
 * anew.h - addresses that the compiler does not keep.
 *
 * A tile's rows are read before its first step and written after its last one. Their addresses are
 * the same, so the compiler would compute all of them before the first step and keep them in
 * memory meanwhile: a third of what a small tile costs beside its multiply-adds. What starts from
 * asy__anew() is computed where it is used, as it is to be: each row's from the one before. */
#ifndef ASY_CPU_ANEW_H
#define ASY_CPU_ANEW_H

static inline __attribute__((always_inline)) float *asy__anew(float *p)
{
    __asm__("" : "+r"(p));
    return p;
}
#endif
