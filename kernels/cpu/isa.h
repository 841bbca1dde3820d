/* SPDX-License-Identifier: Apache-2.0
 * isa.h - which instruction set computes: the widest of the processor, or, in tests, a narrower
 * one. */
#ifndef ASY_CPU_ISA_H
#define ASY_CPU_ISA_H

enum asy__isa { ASY__ISA_BASE, ASY__ISA_AVX2, ASY__ISA_AVX512, ASY__ISAS };

/* All kernels by the widest set of the processor that is at most this one, which is returned.
 * Threads: nobody computes meanwhile. */
enum asy__isa asy__kernels_limit(enum asy__isa most);
#endif
