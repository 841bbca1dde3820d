/* SPDX-License-Identifier: Apache-2.0
 * load.c - libOpenCL at run time, and its errors. It is never unloaded: drivers behind it have
 * threads and exit handlers. */
#include "impl.h"
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

struct asy__cl asy__cl;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct asy_error trouble = ASY_ERROR_INIT; /* why there is no OpenCL; code 0: there is */

static void load(void)
{
    static const struct {
        const char *name;
        size_t at;
    } functions[] = {
#define ENTRY(name) { #name, offsetof(struct asy__cl, name) },
        ASY__CL_FUNCTIONS(ENTRY)
#undef ENTRY
    };
    void *library = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);

    if (!library) {
        asy_fail(&trouble, ASY_E_NOENT, "there is no libOpenCL.so.1 (package ocl-icd-libopencl1)");
        return;
    }
    for (size_t i = 0; i < ASY_ARRAY_LEN(functions); i++) {
        void *symbol = dlsym(library, functions[i].name);

        if (!symbol) {
            asy_fail(&trouble, ASY_E_UNSUPPORTED, "libOpenCL.so.1 has no %s: it is older than "
                     "OpenCL 1.2, or not whole (package ocl-icd-libopencl1)", functions[i].name);
            return;
        }
        memcpy((char *)&asy__cl + functions[i].at, &symbol, sizeof symbol);
    }
}

int asy__cl_load(struct asy_error *err)
{
    pthread_once(&once, load);
    return trouble.code ? asy_fail(err, trouble.code, "%s", trouble.text) : 0;
}

static const struct {
    cl_int status;
    const char *name;
    enum asy_code code;
} statuses[] = {
    { CL_DEVICE_NOT_FOUND, "no device found", ASY_E_NOENT },
    { CL_DEVICE_NOT_AVAILABLE, "device not available", ASY_E_GONE },
    { CL_COMPILER_NOT_AVAILABLE, "compiler not available", ASY_E_UNSUPPORTED },
    { CL_MEM_OBJECT_ALLOCATION_FAILURE, "out of device memory", ASY_E_NOMEM },
    { CL_OUT_OF_RESOURCES, "out of resources", ASY_E_GONE },
    { CL_OUT_OF_HOST_MEMORY, "out of host memory", ASY_E_NOMEM },
    { CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, "an earlier command failed", ASY_E_GONE },
    { CL_INVALID_COMMAND_QUEUE, "invalid command queue", ASY_E_GONE },
    { CL_INVALID_CONTEXT, "invalid context", ASY_E_GONE },
    { CL_INVALID_DEVICE, "invalid device", ASY_E_GONE },
    { CL_INVALID_BUFFER_SIZE, "invalid buffer size", ASY_E_NOMEM },
    { CL_INVALID_KERNEL_NAME, "no such kernel", ASY_E_NOENT },
    { CL_INVALID_ARG_SIZE, "invalid size of an argument", ASY_E_INVAL },
    { CL_INVALID_ARG_INDEX, "no such argument", ASY_E_INVAL },
    { CL_INVALID_KERNEL_ARGS, "arguments are missing", ASY_E_INVAL },
    { CL_INVALID_WORK_GROUP_SIZE, "invalid size of a group", ASY_E_INVAL },
    { -1001, "no platform", ASY_E_NOENT }, /* CL_PLATFORM_NOT_FOUND_KHR */
};

static int fail(struct asy_error *err, const char *call, cl_int status, int allocates)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(statuses); i++)
        if (statuses[i].status == status)
            return asy_fail(err, allocates && status == CL_OUT_OF_RESOURCES ? ASY_E_NOMEM
                                                                            : statuses[i].code,
                            "%s: %s (%d)", call, statuses[i].name, status);
    return asy_fail(err, ASY_E_IO, "%s: OpenCL's error %d", call, status);
}

int asy__cl_fail(struct asy_error *err, const char *call, cl_int status)
{
    return fail(err, call, status, 0);
}

int asy__cl_fail_alloc(struct asy_error *err, const char *call, cl_int status)
{
    return fail(err, call, status, 1);
}
