/* SPDX-License-Identifier: Apache-2.0
 * toolkit.c - see toolkit.h.
 *
 * NVRTC and cuBLAS are looked for as the system's loader does, then in the folder of CUDA_HOME,
 * then where NVIDIA's installer puts them. */
#include "toolkit.h"
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What asking gave; it is not asked again. */
struct answer {
    int asked, rc;
    struct asy_error err;
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct symbol {
    const char *name;
    size_t at; /* in the table */
};

/* Returns NULL, or the name of the first that is missing. */
static const char *fill(void *library, const struct symbol *symbols, size_t n, void *table)
{
    for (size_t i = 0; i < n; i++) {
        void *symbol = dlsym(library, symbols[i].name);

        if (!symbol)
            return symbols[i].name;
        memcpy((char *)table + symbols[i].at, &symbol, sizeof symbol);
    }
    return NULL;
}

static void *open_in(const char *folder, const char *name)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s%s", folder, name);

    return n > 0 && (size_t)n < sizeof path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
}

static void *open_library(const char *name)
{
    static const char *const folders[] = { "/usr/local/cuda/lib64/", "/usr/local/cuda/lib/" };
    const char *home = getenv("CUDA_HOME");
    char folder[PATH_MAX];
    void *library = open_in("", name);

    if (!library && home && *home) {
        snprintf(folder, sizeof folder, "%s/lib64/", home);
        library = open_in(folder, name);
    }
    for (size_t i = 0; !library && i < ASY_ARRAY_LEN(folders); i++)
        library = open_in(folders[i], name);
    return library;
}

/* The newest of names[13 - major] and on; what is a library of another kind is passed over. */
static int open_newest(const char *what, const char *const names[3], int major,
                       const struct symbol *symbols, size_t n, void *table, struct asy_error *err)
{
    const char *lacks = NULL, *lacking = NULL;

    for (int i = major < 13 ? 13 - major : 0; i < 3; i++) {
        void *library = open_library(names[i]);

        if (!library)
            continue;
        if (!(lacks = fill(library, symbols, n, table)))
            return 0;
        lacking = names[i];
        dlclose(library);
    }
    if (lacking)
        return asy_fail(err, ASY_E_NOENT, "%s: '%s' has no '%s', it is too old", what, lacking,
                        lacks);
    return asy_fail(err, ASY_E_NOENT,
                    "%s is not installed: no '%s' or older is found, and none in CUDA_HOME", what,
                    names[major < 11 ? 2 : major < 13 ? 13 - major : 0]);
}

/* ---- the driver ----------------------------------------------------------------------------- */

static int start(struct asy__cuda *cuda, struct asy_error *err)
{
    const char *visible = getenv("CUDA_VISIBLE_DEVICES"), *name = NULL, *text = NULL;
    CUresult rc = cuda->cuInit(0);

    if (rc == ASY__CU_NO_DEVICE)
        return asy_fail(err, ASY_E_NOENT, "CUDA shows no device%s%s%s",
                        visible ? ": CUDA_VISIBLE_DEVICES is '" : "", visible ? visible : "",
                        visible ? "'" : "");
    if (rc) {
        cuda->cuGetErrorName(rc, &name);
        cuda->cuGetErrorString(rc, &text);
        return asy_fail(err, ASY_E_GONE, "CUDA does not start: %s (%d): %s",
                        name ? name : "cuInit", (int)rc, text ? text : "no reason is given");
    }
    if (cuda->cuDriverGetVersion(&cuda->version) || cuda->version < 11040)
        return asy_fail(err, ASY_E_UNSUPPORTED,
                        "CUDA's driver is too old: it serves %d.%d, not 11.4",
                        cuda->version / 1000, cuda->version % 1000 / 10);
    return 0;
}

static int load_cuda(struct asy__cuda *cuda, struct asy_error *err)
{
#define SYMBOL(name, type, parameters) { #name, offsetof(struct asy__cuda, name) },
    static const struct symbol symbols[] = { ASY__CUDA_CALLS(SYMBOL) };
#undef SYMBOL
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    const char *why = library ? NULL : dlerror(), *lacks;

    if (!library)
        return asy_fail(err, ASY_E_NOENT, "no driver of NVIDIA is installed: %s",
                        why ? why : "libcuda.so.1 is not found");
    if ((lacks = fill(library, symbols, ASY_ARRAY_LEN(symbols), cuda)))
        return asy_fail(err, ASY_E_UNSUPPORTED,
                        "CUDA's driver is too old: libcuda.so.1 has no '%s'", lacks);
    return start(cuda, err);
}

/* Hands on what asking gave. */
static int answer(const struct answer *was, struct asy_error *err)
{
    if (was->rc && err)
        *err = was->err;
    return was->rc;
}

int asy__cuda_get(const struct asy__cuda **ret_cuda, struct asy_error *err)
{
    static struct asy__cuda cuda;
    static struct answer got;
    int rc;

    pthread_mutex_lock(&lock);
    if (!got.asked)
        got.rc = load_cuda(&cuda, &got.err);
    got.asked = 1;
    rc = answer(&got, err);
    pthread_mutex_unlock(&lock);
    if (rc == 0)
        *ret_cuda = &cuda;
    return rc;
}

/* ---- the compiler, cuBLAS ------------------------------------------------------------------- */

static int load_nvrtc(int major, struct asy__nvrtc *nvrtc, struct asy_error *err)
{
    static const char *const names[] = { "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2" };
#define SYMBOL(name, type, parameters) { #name, offsetof(struct asy__nvrtc, name) },
    static const struct symbol symbols[] = { ASY__NVRTC_CALLS(SYMBOL) };
#undef SYMBOL
    int rc = open_newest("NVRTC", names, major, symbols, ASY_ARRAY_LEN(symbols), nvrtc, err);

    if (rc == 0 && nvrtc->nvrtcVersion(&nvrtc->major, &nvrtc->minor))
        rc = asy_fail(err, ASY_E_NOENT, "NVRTC does not tell its version");
    return rc;
}

int asy__nvrtc_get(int major, const struct asy__nvrtc **ret_nvrtc, struct asy_error *err)
{
    static struct asy__nvrtc nvrtc;
    static struct answer got;
    int rc;

    pthread_mutex_lock(&lock);
    if (!got.asked)
        got.rc = load_nvrtc(major, &nvrtc, &got.err);
    got.asked = 1;
    rc = answer(&got, err);
    pthread_mutex_unlock(&lock);
    if (rc == 0)
        *ret_nvrtc = &nvrtc;
    return rc;
}

int asy__cublas_get(int major, const struct asy__cublas **ret_cublas, struct asy_error *err)
{
    static const char *const names[] = { "libcublas.so.13", "libcublas.so.12", "libcublas.so.11" };
#define SYMBOL(name, type, parameters) { #name, offsetof(struct asy__cublas, name) },
    static const struct symbol symbols[] = { ASY__CUBLAS_CALLS(SYMBOL) };
#undef SYMBOL
    static struct asy__cublas cublas;
    static struct answer got;
    int rc;

    pthread_mutex_lock(&lock);
    if (!got.asked)
        got.rc = open_newest("cuBLAS", names, major, symbols, ASY_ARRAY_LEN(symbols), &cublas,
                             &got.err);
    got.asked = 1;
    rc = answer(&got, err);
    pthread_mutex_unlock(&lock);
    if (rc == 0)
        *ret_cublas = &cublas;
    return rc;
}
