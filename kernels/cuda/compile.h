/* SPDX-License-Identifier: Apache-2.0
 * compile.h - a source of kernels to what CUDA's driver loads, by NVRTC. No device is needed.
 *
 * Architectures are numbers as in sm_90 and compute_80: 10 times the major compute capability plus
 * the minor one.
 *
 * Threads: any. Errors: ASY_E_UNSUPPORTED: NVRTC does not compile for so old a device;
 * ASY_E_FORMAT: the source does not compile, with the compiler's first error. */
#ifndef ASY__CUDA_COMPILE_H
#define ASY__CUDA_COMPILE_H
#include "toolkit.h"

struct asy__target {
    int arch;
    int is_text; /* PTX, which the driver translates; else a CUBIN of arch alone */
};
/* A CUBIN if NVRTC knows the device's architecture, else PTX of the newest below that it knows. */
ASY_MUST_CHECK int asy__target_of(const struct asy__nvrtc *nvrtc, int capability,
                                  struct asy__target *ret_target, struct asy_error *err);
/* ASY_CUDA is defined, and products and sums are fused by fmaf() alone. *ret_image [*ret_n] is the
 * caller's to free; a text is terminated, and *ret_n counts that. */
ASY_MUST_CHECK int asy__compile(const struct asy__nvrtc *nvrtc, struct asy__target target,
                                const char *source, char **ret_image, size_t *ret_n,
                                struct asy_error *err);
#endif
