/* SPDX-License-Identifier: Apache-2.0
 * toolkit.h - what is called of CUDA's driver (libcuda), its run-time compiler (NVRTC) and cuBLAS,
 * loaded when it is first asked for: a build needs no toolkit, a machine without NVIDIA's driver
 * loads nothing.
 *
 * So the declarations are ours, of what has been the same from version 11.4 to 13 (names, numbers
 * and types are those of NVIDIA's headers). Where these are found, check_toolkit.c holds the two
 * against each other at build time.
 *
 * Ownership: the tables are static. Threads: any. Errors: ASY_E_NOENT, and the text says what is
 * missing; the answer stays the same for the life of the process. */
#ifndef ASY__TOOLKIT_H
#define ASY__TOOLKIT_H
#include <stddef.h>
#include <stdint.h>
#include <asy/error.h>

#ifndef ASY__NVIDIA_HEADERS /* check_toolkit.c has the real ones */
typedef int CUresult, CUdevice, CUdevice_attribute, CUfunction_attribute;
typedef int nvrtcResult, cublasStatus_t, cublasOperation_t, cublasMath_t, cublasAtomicsMode_t;
typedef unsigned long long CUdeviceptr;
typedef struct CUctx_st *CUcontext;
typedef struct CUstream_st *CUstream, *cudaStream_t;
typedef struct CUevent_st *CUevent;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUuuid_st {
    char bytes[16];
} CUuuid;
typedef struct _nvrtcProgram *nvrtcProgram;
typedef struct cublasContext *cublasHandle_t;
#endif

enum { /* CUresult */
    ASY__CU_INVALID_VALUE = 1, ASY__CU_OUT_OF_MEMORY = 2, ASY__CU_NO_DEVICE = 100,
    ASY__CU_INVALID_IMAGE = 200, ASY__CU_NO_BINARY = 209, ASY__CU_INVALID_PTX = 218,
    ASY__CU_NO_JIT = 221, ASY__CU_PTX_VERSION = 222, ASY__CU_NOT_FOUND = 500,
    ASY__CU_OUT_OF_RESOURCES = 701,
};
enum { /* attributes of a device and of a function, flags of streams and events */
    ASY__CU_MULTIPROCESSORS = 16, ASY__CU_CAPABILITY_MAJOR = 75, ASY__CU_CAPABILITY_MINOR = 76,
    ASY__CU_MOST_THREADS = 0, ASY__CU_NON_BLOCKING = 1, ASY__CU_NO_TIMING = 2,
};
enum { /* cublasStatus_t, and settings */
    ASY__BLAS_ALLOC_FAILED = 3, ASY__BLAS_NORMAL = 0, ASY__BLAS_TRANSPOSED = 1,
    ASY__BLAS_DEFAULT_MATH = 0, ASY__BLAS_NO_ATOMICS = 0,
};

/* Each: the symbol, the type of its result, its parameters. */
#define ASY__CUDA_CALLS(X)                                                                         \
    X(cuInit, CUresult, (unsigned int flags))                                                      \
    X(cuDriverGetVersion, CUresult, (int *version))                                                \
    X(cuGetErrorName, CUresult, (CUresult error, const char **text))                               \
    X(cuGetErrorString, CUresult, (CUresult error, const char **text))                             \
    X(cuDeviceGetCount, CUresult, (int *n))                                                        \
    X(cuDeviceGet, CUresult, (CUdevice *device, int index))                                        \
    X(cuDeviceGetName, CUresult, (char *text, int size, CUdevice device))                          \
    X(cuDeviceGetUuid_v2, CUresult, (CUuuid *uuid, CUdevice device))                               \
    X(cuDeviceGetPCIBusId, CUresult, (char *text, int size, CUdevice device))                      \
    X(cuDeviceTotalMem_v2, CUresult, (size_t *bytes, CUdevice device))                             \
    X(cuDeviceGetAttribute, CUresult, (int *value, CUdevice_attribute which, CUdevice device))     \
    X(cuDevicePrimaryCtxRetain, CUresult, (CUcontext *context, CUdevice device))                   \
    X(cuDevicePrimaryCtxRelease_v2, CUresult, (CUdevice device))                                   \
    X(cuCtxSetCurrent, CUresult, (CUcontext context))                                              \
    X(cuStreamCreate, CUresult, (CUstream *stream, unsigned int flags))                            \
    X(cuStreamSynchronize, CUresult, (CUstream stream))                                            \
    X(cuStreamDestroy_v2, CUresult, (CUstream stream))                                             \
    X(cuEventCreate, CUresult, (CUevent *event, unsigned int flags))                               \
    X(cuEventRecord, CUresult, (CUevent event, CUstream stream))                                   \
    X(cuEventSynchronize, CUresult, (CUevent event))                                               \
    X(cuEventDestroy_v2, CUresult, (CUevent event))                                                \
    X(cuMemAlloc_v2, CUresult, (CUdeviceptr *at, size_t bytes))                                    \
    X(cuMemFree_v2, CUresult, (CUdeviceptr at))                                                    \
    X(cuMemHostAlloc, CUresult, (void **memory, size_t bytes, unsigned int flags))                 \
    X(cuMemFreeHost, CUresult, (void *memory))                                                     \
    X(cuMemcpyHtoDAsync_v2, CUresult,                                                              \
      (CUdeviceptr to, const void *from, size_t bytes, CUstream stream))                           \
    X(cuMemcpyDtoHAsync_v2, CUresult,                                                              \
      (void *to, CUdeviceptr from, size_t bytes, CUstream stream))                                 \
    X(cuMemsetD8Async, CUresult,                                                                   \
      (CUdeviceptr at, unsigned char byte, size_t bytes, CUstream stream))                         \
    X(cuModuleLoadData, CUresult, (CUmodule *module, const void *image))                           \
    X(cuModuleUnload, CUresult, (CUmodule module))                                                 \
    X(cuModuleGetFunction, CUresult, (CUfunction *function, CUmodule module, const char *name))    \
    X(cuFuncGetAttribute, CUresult,                                                                \
      (int *value, CUfunction_attribute which, CUfunction function))                               \
    X(cuLaunchKernel, CUresult,                                                                    \
      (CUfunction function, unsigned int groups_x, unsigned int groups_y, unsigned int groups_z,   \
       unsigned int items_x, unsigned int items_y, unsigned int items_z, unsigned int shared,      \
       CUstream stream, void **args, void **extra))

#define ASY__NVRTC_CALLS(X)                                                                        \
    X(nvrtcVersion, nvrtcResult, (int *major, int *minor))                                         \
    X(nvrtcGetErrorString, const char *, (nvrtcResult error))                                      \
    X(nvrtcGetNumSupportedArchs, nvrtcResult, (int *n))                                            \
    X(nvrtcGetSupportedArchs, nvrtcResult, (int *archs))                                           \
    X(nvrtcCreateProgram, nvrtcResult,                                                             \
      (nvrtcProgram *program, const char *source, const char *name, int n_headers,                 \
       const char *const *headers, const char *const *include_names))                              \
    X(nvrtcDestroyProgram, nvrtcResult, (nvrtcProgram *program))                                   \
    X(nvrtcCompileProgram, nvrtcResult,                                                            \
      (nvrtcProgram program, int n_options, const char *const *options))                           \
    X(nvrtcGetProgramLogSize, nvrtcResult, (nvrtcProgram program, size_t *size))                   \
    X(nvrtcGetProgramLog, nvrtcResult, (nvrtcProgram program, char *text))                         \
    X(nvrtcGetPTXSize, nvrtcResult, (nvrtcProgram program, size_t *size))                          \
    X(nvrtcGetPTX, nvrtcResult, (nvrtcProgram program, char *text))                                \
    X(nvrtcGetCUBINSize, nvrtcResult, (nvrtcProgram program, size_t *size))                        \
    X(nvrtcGetCUBIN, nvrtcResult, (nvrtcProgram program, char *bytes))

#define ASY__CUBLAS_CALLS(X)                                                                       \
    X(cublasCreate_v2, cublasStatus_t, (cublasHandle_t *handle))                                   \
    X(cublasDestroy_v2, cublasStatus_t, (cublasHandle_t handle))                                   \
    X(cublasGetVersion_v2, cublasStatus_t, (cublasHandle_t handle, int *version))                  \
    X(cublasSetStream_v2, cublasStatus_t, (cublasHandle_t handle, cudaStream_t stream))            \
    X(cublasSetWorkspace_v2, cublasStatus_t, (cublasHandle_t handle, void *at, size_t bytes))      \
    X(cublasSetMathMode, cublasStatus_t, (cublasHandle_t handle, cublasMath_t mode))               \
    X(cublasSetAtomicsMode, cublasStatus_t, (cublasHandle_t handle, cublasAtomicsMode_t mode))     \
    X(cublasSgemm_v2, cublasStatus_t,                                                              \
      (cublasHandle_t handle, cublasOperation_t t_a, cublasOperation_t t_b, int m, int n, int k,   \
       const float *alpha, const float *a, int lda, const float *b, int ldb, const float *beta,    \
       float *c, int ldc))

#define ASY__FIELD(name, type, parameters) type(*name) parameters;
struct asy__cuda {
    ASY__CUDA_CALLS(ASY__FIELD)
    int version; /* 1000 major + 10 minor: the newest that the driver serves */
};
struct asy__nvrtc {
    ASY__NVRTC_CALLS(ASY__FIELD)
    int major, minor;
};
struct asy__cublas {
    ASY__CUBLAS_CALLS(ASY__FIELD)
};

/* The driver, initialised. ASY_E_NOENT: it is not installed, does not start or shows no device. */
ASY_MUST_CHECK int asy__cuda_get(const struct asy__cuda **ret_cuda, struct asy_error *err);
/* The newest of the first call's major version or below: a driver does not serve newer ones. */
ASY_MUST_CHECK int asy__nvrtc_get(int major, const struct asy__nvrtc **ret_nvrtc,
                                  struct asy_error *err);
ASY_MUST_CHECK int asy__cublas_get(int major, const struct asy__cublas **ret_cublas,
                                   struct asy_error *err);
#endif
