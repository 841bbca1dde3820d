/* SPDX-License-Identifier: Apache-2.0
 * check_toolkit.c - holds our declarations of CUDA against NVIDIA's headers, where a build finds
 * them. Nothing of it runs, or is linked. */
#include <cublas_v2.h>
#include <cuda.h>
#include <nvrtc.h>
#define ASY__NVIDIA_HEADERS
#include "toolkit.h"

/* The calls: a pointer to another type of function is an error (the build says so). */
#define CALL(name, type, parameters) .name = name,
const struct asy__cuda asy__check_cuda = { ASY__CUDA_CALLS(CALL) };
const struct asy__nvrtc asy__check_nvrtc = { ASY__NVRTC_CALLS(CALL) };
const struct asy__cublas asy__check_cublas = { ASY__CUBLAS_CALLS(CALL) };

/* Types that are integers with us. */
#define IS_INT(type) _Static_assert(sizeof(type) == sizeof(int), #type)
IS_INT(CUresult);
IS_INT(CUdevice);
IS_INT(CUdevice_attribute);
IS_INT(CUfunction_attribute);
IS_INT(nvrtcResult);
IS_INT(cublasStatus_t);
IS_INT(cublasOperation_t);
IS_INT(cublasMath_t);
IS_INT(cublasAtomicsMode_t);
_Static_assert(_Generic((CUdeviceptr)0, unsigned long long: 1, default: 0), "CUdeviceptr");
_Static_assert(sizeof(CUuuid) == 16, "CUuuid");

#define IS(ours, theirs) _Static_assert((int)(ours) == (int)(theirs), #ours)
IS(CUDA_SUCCESS, 0);
IS(ASY__CU_INVALID_VALUE, CUDA_ERROR_INVALID_VALUE);
IS(ASY__CU_OUT_OF_MEMORY, CUDA_ERROR_OUT_OF_MEMORY);
IS(ASY__CU_NO_DEVICE, CUDA_ERROR_NO_DEVICE);
IS(ASY__CU_INVALID_IMAGE, CUDA_ERROR_INVALID_IMAGE);
IS(ASY__CU_NO_BINARY, CUDA_ERROR_NO_BINARY_FOR_GPU);
IS(ASY__CU_INVALID_PTX, CUDA_ERROR_INVALID_PTX);
IS(ASY__CU_NO_JIT, CUDA_ERROR_JIT_COMPILER_NOT_FOUND);
IS(ASY__CU_PTX_VERSION, CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
IS(ASY__CU_NOT_FOUND, CUDA_ERROR_NOT_FOUND);
IS(ASY__CU_OUT_OF_RESOURCES, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
IS(ASY__CU_MULTIPROCESSORS, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
IS(ASY__CU_CAPABILITY_MAJOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
IS(ASY__CU_CAPABILITY_MINOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
IS(ASY__CU_MOST_THREADS, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
IS(ASY__CU_NON_BLOCKING, CU_STREAM_NON_BLOCKING);
IS(ASY__CU_NO_TIMING, CU_EVENT_DISABLE_TIMING);
IS(CUBLAS_STATUS_SUCCESS, 0);
IS(ASY__BLAS_ALLOC_FAILED, CUBLAS_STATUS_ALLOC_FAILED);
IS(ASY__BLAS_NORMAL, CUBLAS_OP_N);
IS(ASY__BLAS_TRANSPOSED, CUBLAS_OP_T);
IS(ASY__BLAS_DEFAULT_MATH, CUBLAS_DEFAULT_MATH);
IS(ASY__BLAS_NO_ATOMICS, CUBLAS_ATOMICS_NOT_ALLOWED);
IS(NVRTC_SUCCESS, 0);
