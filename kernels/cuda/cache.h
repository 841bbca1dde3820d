/* SPDX-License-Identifier: Apache-2.0
 * cache.h - compiled kernels that are kept on disk: NVRTC takes seconds for all of them, and each
 * process would wait for that anew.
 *
 * They lie in assay/cuda of the user's cache folder (XDG_CACHE_HOME, else ~/.cache), a file each,
 * named by the sha256 of all that they were made from, with a sha256 of their content. What is not
 * the user's own, may be written by others or is damaged is not taken. A cache that cannot be read
 * or written only costs time, so nothing here fails. CUDA_CACHE_DISABLE=1, by which NVIDIA's driver
 * leaves its own cache alone, does so with this one.
 *
 * Threads: any; processes, too. Ownership: *ret_image is the caller's to free. */
#ifndef ASY__CUDA_CACHE_H
#define ASY__CUDA_CACHE_H
#include <asy/hash.h>
#include "compile.h"

struct asy__cuda_key {
    char text[ASY_SHA_TEXT]; /* "": nothing is kept */
};
struct asy__cuda_key asy__cuda_key_of(const struct asy__nvrtc *nvrtc, struct asy__target target,
                                      const char *source);
/* 1: it was there. */
int asy__cuda_cache_get(const struct asy__cuda_key *key, char **ret_image, size_t *ret_n);
void asy__cuda_cache_put(const struct asy__cuda_key *key, const char *image, size_t n);
#endif
