/* SPDX-License-Identifier: Apache-2.0
 * fake_launch.c - modules and kernels, and loading of the libraries, see fake_cuda.h. */
#include "fake_cuda.h"
#include "cuda/toolkit.h"
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>

enum { MAX_PARAMS = 64 };

/* ---- kernels -------------------------------------------------------------------------------- */

struct function {
    struct function *next;
    char name[64];
    int n_params, most_threads;
    char types[MAX_PARAMS]; /* p: pointer, else the bytes of a number: '4', '8' */
};

/* A line of an entry's list: ".param .u64 .ptr .align 1 name_param_0,". */
static char type_of(const char *line, size_t n)
{
    if (memmem(line, n, ".ptr", 4))
        return 'p';
    return memmem(line, n, "64 ", 3) ? '8' : memmem(line, n, "32 ", 3) ? '4' : '?';
}

/* Reads one entry of PTX at text, behind ".entry ". Returns where it ends. */
static const char *read_entry(const char *text, struct function *f)
{
    const char *end = strchr(text, '{'), *bound, *line;
    size_t n = strcspn(text, "( \n");
    uint64_t most = 1024;

    if (!end)
        end = text + strlen(text);
    snprintf(f->name, sizeof f->name, "%.*s", (int)n, text);
    for (line = text; (line = memmem(line, (size_t)(end - line), ".param ", 7)); line += 7) {
        if (f->n_params == MAX_PARAMS)
            break;
        f->types[f->n_params++] = type_of(line, strcspn(line, ",)\n"));
    }
    bound = memmem(text, (size_t)(end - text), ".maxntid ", 9);
    if (bound && asy_parse_u64(bound + 9, strspn(bound + 9, "0123456789"), &most, NULL) < 0)
        most = 0; /* no launch is allowed */
    f->most_threads = (int)most;
    return end;
}

static void free_functions(struct function *f)
{
    while (f) {
        struct function *next = f->next;

        free(f);
        f = next;
    }
}

FAKE_API CUresult cuModuleLoadData(CUmodule *ret, const void *image);
FAKE_API CUresult cuModuleLoadData(CUmodule *ret, const void *image)
{
    struct function *list = NULL;

    FAKE_ENTER();
    for (const char *text = image; (text = strstr(text, ".entry "));) {
        struct function *f = calloc(1, sizeof *f);

        if (!f) {
            free_functions(list);
            return ASY__CU_OUT_OF_MEMORY;
        }
        text = read_entry(text + 7, f);
        f->next = list;
        list = f;
    }
    if (!list)
        return ASY__CU_INVALID_IMAGE;
    fake_cuda.modules++;
    memcpy(ret, &list, sizeof list);
    return 0;
}

FAKE_API CUresult cuModuleUnload(CUmodule module);
FAKE_API CUresult cuModuleUnload(CUmodule module)
{
    free_functions((struct function *)module);
    fake_cuda.modules--;
    return fake_enter_context(__func__);
}

FAKE_API CUresult cuModuleGetFunction(CUfunction *ret, CUmodule module, const char *name);
FAKE_API CUresult cuModuleGetFunction(CUfunction *ret, CUmodule module, const char *name)
{
    struct function *f = (struct function *)module;

    FAKE_ENTER();
    while (f && strcmp(f->name, name))
        f = f->next;
    memcpy(ret, &f, sizeof f);
    return f ? 0 : ASY__CU_NOT_FOUND;
}

FAKE_API CUresult cuFuncGetAttribute(int *ret, CUfunction_attribute which, CUfunction function);
FAKE_API CUresult cuFuncGetAttribute(int *ret, CUfunction_attribute which, CUfunction function)
{
    const struct function *f = (const struct function *)function;

    FAKE_ENTER();
    if (which != ASY__CU_MOST_THREADS)
        fake_fault("attribute %d of '%s'", (int)which, f->name);
    *ret = fake_cuda.most_threads ? fake_cuda.most_threads : f->most_threads;
    return 0;
}

static const void *pointer(uint64_t at)
{
    const void *p;

    memcpy(&p, &at, sizeof p);
    return p;
}

static void check_args(const struct function *f, void **args)
{
    for (int i = 0; i < f->n_params; i++) {
        uint64_t value = 0;

        if (!args[i]) {
            fake_fault("'%s' has %d arguments, it takes %d", f->name, i, f->n_params);
            return;
        }
        memcpy(&value, args[i], f->types[i] == '4' ? 4 : 8);
        if (f->types[i] == '?')
            fake_fault("argument %d of '%s' is of a type that we do not pass", i, f->name);
        if (f->types[i] == 'p' && value && !fake_is_device(pointer(value), 1))
            fake_fault("argument %d of '%s' is %#llx, no memory", i, f->name,
                       (unsigned long long)value);
        if (f->types[i] == '8' && fake_is_device(pointer(value), 1))
            fake_fault("argument %d of '%s' is memory, not a number", i, f->name);
    }
    if (args[f->n_params])
        fake_fault("'%s' has more arguments than the %d it takes", f->name, f->n_params);
}

FAKE_API CUresult cuLaunchKernel(CUfunction function, unsigned groups_x, unsigned groups_y,
                             unsigned groups_z, unsigned items_x, unsigned items_y,
                             unsigned items_z, unsigned shared, CUstream stream, void **args,
                             void **extra);
FAKE_API CUresult cuLaunchKernel(CUfunction function, unsigned groups_x, unsigned groups_y,
                             unsigned groups_z, unsigned items_x, unsigned items_y,
                             unsigned items_z, unsigned shared, CUstream stream, void **args,
                             void **extra)
{
    const struct function *f = (const struct function *)function;
    unsigned items = items_x * items_y * items_z;

    FAKE_ENTER();
    if (!stream || extra || shared)
        fake_fault("'%s' is launched in another way", f->name);
    if (!groups_x || groups_x > 0x7fffffff || !groups_y || groups_y > 65535 || !groups_z ||
        groups_z > 65535 || !items || items > (unsigned)f->most_threads)
        fake_fault("'%s' of %u x %u x %u groups of %u", f->name, groups_x, groups_y, groups_z,
                   items);
    check_args(f, args);
    fake_cuda.launches++;
    return 0;
}

/* ---- loading -------------------------------------------------------------------------------- */

void *__real_dlopen(const char *name, int flags);
void *__wrap_dlopen(const char *name, int flags);
/* The libraries that are here are the test itself. */
void *__wrap_dlopen(const char *name, int flags)
{
    int there = strstr(name, "libcuda.so") ? !fake_cuda.no_driver
                : strstr(name, "libnvrtc") ? !fake_cuda.no_nvrtc
                : strstr(name, "libcublas") ? !fake_cuda.no_cublas
                                            : -1;

    if (there < 0 || (there && fake_cuda.real_nvrtc && strstr(name, "libnvrtc")))
        return __real_dlopen(name, flags);
    return there && name[0] != '/' ? __real_dlopen(NULL, RTLD_NOW) : NULL;
}
