/* SPDX-License-Identifier: Apache-2.0
 * dialect.h - what OpenCL C (1.2) and CUDA name differently. It stands before the kernels, which
 * are a text of the program: no header can be included.
 *
 * A kernel:   KERNEL(name)(GLOBAL const float *x, ulong x_at, GLOBAL float *y, ulong y_at, uint n)
 *             { ITEM_SIZES(64, 1, 1)... uint i = GROUP(0) * SIZE(0) + ITEM(0); }
 * Operands are a base and an offset in floats: OpenCL has no pointers into memory objects. Shared
 * memory: SHARED(float, tile, 256); at the top of the kernel. No atomics: the same bits each time.
 * No doubles: not every device has them. */
#ifdef ASY_CUDA
typedef unsigned int uint;
typedef unsigned long long ulong;
typedef unsigned char uchar;
#define KERNEL(name) extern "C" __global__ void name
#define GLOBAL
#define INSIDE static __device__ __forceinline__
#define SHARED(type, name, n) __shared__ type name[n]
#define BARRIER() __syncthreads()
#define ITEM(d) (d == 0 ? threadIdx.x : d == 1 ? threadIdx.y : threadIdx.z)
#define SIZE(d) (d == 0 ? blockDim.x : d == 1 ? blockDim.y : blockDim.z)
#define GROUP(d) (d == 0 ? blockIdx.x : d == 1 ? blockIdx.y : blockIdx.z)
#define GROUPS(d) (d == 0 ? gridDim.x : d == 1 ? gridDim.y : gridDim.z)
#define EXP(x) expf(x)
#define LOG(x) logf(x)
#define SQRT(x) sqrtf(x)
#define RSQRT(x) rsqrtf(x)
#define TANH(x) tanhf(x)
#define ERF(x) erff(x)
#define FMA(a, b, c) fmaf(a, b, c)
#define MAX(a, b) fmaxf(a, b)
#define HIGH_HALF(a, b) __umulhi(a, b)
#else
#define KERNEL(name) __kernel void name
#define GLOBAL __global
#define INSIDE static inline
#define SHARED(type, name, n) __local type name[n]
#define BARRIER() barrier(CLK_LOCAL_MEM_FENCE)
#define ITEM(d) ((uint)get_local_id(d))
#define SIZE(d) ((uint)get_local_size(d))
#define GROUP(d) ((uint)get_group_id(d))
#define GROUPS(d) ((uint)get_num_groups(d))
#define EXP(x) exp(x)
#define LOG(x) log(x)
#define SQRT(x) sqrt(x)
#define RSQRT(x) rsqrt(x)
#define TANH(x) tanh(x)
#define ERF(x) erf(x)
#define FMA(a, b, c) fma(a, b, c)
#define MAX(a, b) fmax(a, b)
#define HIGH_HALF(a, b) mul_hi(a, b)
#endif
