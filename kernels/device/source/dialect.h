/* SPDX-License-Identifier: Apache-2.0
 * dialect.h - what OpenCL C (1.2) and CUDA name differently. It stands before the kernels, which
 * are a text of the program: no header can be included.
 *
 * A kernel, and its line in kernel_list.h with the same number of items:
 *
 *     KERNEL(name, 64)(GLOBAL const float *x, ulong x_at, GLOBAL float *y, ulong y_at, ulong n)
 *     {
 *         ulong i = (ulong)GROUP(0) * 64 + ITEM();
 *
 *         if (i < n)
 *             y[y_at + i] = x[x_at + i];
 *     }
 *
 * Groups of work items have one dimension, grids of them up to three. Operands are a base and an
 * offset in floats, or what is as wide: OpenCL has no pointers into memory objects. Memory that
 * a group shares: SHARED(float, tile, 256); at the top of the kernel; functions take it as LOCAL
 * float *. All items of a group reach each BARRIER(). No atomics but of whole numbers, whose
 * sums have no order: the same bits each time. No doubles but under HAS_DOUBLES, in kernels of
 * trees: not every device has them. A product and a sum are fused by FMA() and by nothing else:
 * sums in pairs (sums.clc) rely on that. Where it may be rounded in between, as in products,
 * MAD() is as fast on devices whose FMA() is slow. Mind that `half` and its like are types of
 * OpenCL C. */
#ifdef ASY_CUDA
#define uint unsigned int
#define ulong unsigned long long
#define uchar unsigned char
#define slong long long
#define KERNEL(name, items) extern "C" __global__ void __launch_bounds__(items) name
#define GLOBAL
#define LOCAL
#define INSIDE static __device__ __forceinline__
#define SHARED(type, name, n) __shared__ type name[n]
#define BARRIER() __syncthreads()
#define ITEM() (threadIdx.x)
#define GROUP(d) (d == 0 ? blockIdx.x : d == 1 ? blockIdx.y : blockIdx.z)
#define GROUPS(d) (d == 0 ? gridDim.x : d == 1 ? gridDim.y : gridDim.z)
#define EXP(x) expf(x)
#define LOG(x) logf(x)
#define LOG1P(x) log1pf(x)
#define SQRT(x) sqrtf(x)
#define RSQRT(x) rsqrtf(x)
#define TANH(x) tanhf(x)
#define ERF(x) erff(x)
#define FMA(a, b, c) fmaf(a, b, c)
#define MAD(a, b, c) fmaf(a, b, c)
#define MAX(a, b) fmaxf(a, b)
#define ABS(x) fabsf(x)
#define HIGH_HALF(a, b) __umulhi(a, b)
#define FLOAT_OF(bits) __uint_as_float(bits)
#define BITS_OF(x) __float_as_uint(x)
#define ATOMIC_ADD(p, x) atomicAdd(p, x)
#define ATOMIC_MAX(p, x) atomicMax(p, x)
#define ATOMIC_ADD_LONG(p, x) atomicAdd((ulong *)(p), (ulong)(x)) /* OpenCL 1.2 has none */
#define HAS_DOUBLES
#define DOUBLE_OF(bits) __longlong_as_double((long long)(bits))
#define BITS_OF_DOUBLE(x) ((ulong)__double_as_longlong(x))
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#endif
#else
#pragma OPENCL FP_CONTRACT OFF
#define slong long
#define KERNEL(name, items)                                                                        \
    __kernel __attribute__((reqd_work_group_size(items, 1, 1))) void name
#define GLOBAL __global
#define LOCAL __local
/* PoCL gives all groups one copy of what is SHARED, where a function takes it that is not inlined
 * when it looks (pocl/pocl #1218): groups on two threads then write over each other. */
#define INSIDE __attribute__((always_inline)) static inline
#define SHARED(type, name, n) __local type name[n]
#define BARRIER() barrier(CLK_LOCAL_MEM_FENCE)
#define ITEM() ((uint)get_local_id(0))
#define GROUP(d) ((uint)get_group_id(d))
#define GROUPS(d) ((uint)get_num_groups(d))
#define EXP(x) exp(x)
#define LOG(x) log(x)
#define LOG1P(x) log1p(x)
#define SQRT(x) sqrt(x)
#define RSQRT(x) rsqrt(x)
#define TANH(x) tanh(x)
#define ERF(x) erf(x)
#define FMA(a, b, c) fma(a, b, c)
#ifdef FP_FAST_FMAF
#define MAD(a, b, c) fma(a, b, c)
#else
#define MAD(a, b, c) mad(a, b, c)
#endif
#define MAX(a, b) fmax(a, b)
#define ABS(x) fabs(x)
#define HIGH_HALF(a, b) mul_hi(a, b)
#define FLOAT_OF(bits) as_float(bits)
#define BITS_OF(x) as_uint(x)
#define ATOMIC_ADD(p, x) atomic_add(p, x)
#define ATOMIC_MAX(p, x) atomic_max(p, x)
#if defined(cl_khr_fp64) || defined(__opencl_c_fp64)
#define HAS_DOUBLES
#define DOUBLE_OF(bits) as_double(bits)
#define BITS_OF_DOUBLE(x) as_ulong(x)
#endif
#endif

/* i / n and i % n. In 64 bits they take a GPU tens of instructions, and i is rarely that large. */
INSIDE ulong quotient(ulong i, uint n)
{
    return i >> 32 ? i / n : (uint)i / n;
}

INSIDE uint rest(ulong i, uint n)
{
    return i >> 32 ? (uint)(i % n) : (uint)i % n;
}
