/* SPDX-License-Identifier: Apache-2.0
 * launch.c - kernels of CUDA devices: compiled by NVRTC, or kept from when they were, see impl.h.
 *
 * Rejected: graphs of captured launches, which make a launch cheaper. The arguments of a step
 * change with it (its number, rates, keys of dropout), so a graph would have to be told the new
 * ones before each step, kernel by kernel. */
#include "cache.h"
#include "impl.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_ARGS = 64 };
static const size_t most_groups[3] = { 0x7fffffff, 65535, 65535 }; /* of all devices since 3.0 */

/* ---- build ---------------------------------------------------------------------------------- */

static int load_image(struct asy__dev *dev, const char *image, struct asy_error *err)
{
    struct asy__module *module = calloc(1, sizeof *module);
    CUresult cu;

    if (!module)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a module of kernels");
    if ((cu = dev->cuda->cuModuleLoadData(&module->module, image))) {
        free(module);
        return asy__cuda_fail(dev->cuda, cu, err, "cannot load kernels of NVRTC %d.%d",
                              dev->nvrtc->major, dev->nvrtc->minor);
    }
    module->next = dev->modules;
    dev->modules = module;
    return 0;
}

int asy__cuda_build(struct asy__dev *dev, const char *source, struct asy_error *err)
{
    struct asy__target target;
    struct asy__cuda_key key;
    char *image = NULL;
    size_t n = 0;
    int rc = asy__cuda_enter(dev, err);

    if (rc || (rc = asy__target_of(dev->nvrtc, dev->capability, &target, err)))
        return rc;
    key = asy__cuda_key_of(dev->nvrtc, target, source);
    if (!asy__cuda_cache_get(&key, &image, &n)) {
        if ((rc = asy__compile(dev->nvrtc, target, source, &image, &n, err)))
            return rc;
        asy__cuda_cache_put(&key, image, n);
    }
    rc = load_image(dev, image, err);
    free(image);
    return rc;
}

void asy__cuda_modules_fini(struct asy__dev *dev)
{
    while (dev->kernels) {
        struct asy__kernel *kernel = dev->kernels;

        dev->kernels = kernel->next;
        free(kernel);
    }
    while (dev->modules) {
        struct asy__module *module = dev->modules;

        dev->modules = module->next;
        dev->cuda->cuModuleUnload(module->module);
        free(module);
    }
}

/* ---- kernels -------------------------------------------------------------------------------- */

static CUresult find_function(struct asy__dev *dev, const char *name, CUfunction *ret_function)
{
    CUresult cu = ASY__CU_NOT_FOUND;

    for (struct asy__module *m = dev->modules; m && cu == ASY__CU_NOT_FOUND; m = m->next)
        cu = dev->cuda->cuModuleGetFunction(ret_function, m->module, name);
    return cu;
}

int asy__cuda_kernel(struct asy__dev *dev, const char *name, struct asy__kernel **ret_kernel,
                     struct asy_error *err)
{
    struct asy__kernel *kernel;
    CUfunction function = NULL;
    CUresult cu;
    int most = 0, rc = asy__cuda_enter(dev, err);

    if (rc)
        return rc;
    for (kernel = dev->kernels; kernel; kernel = kernel->next)
        if (!strcmp(kernel->name, name)) {
            *ret_kernel = kernel;
            return 0;
        }
    if ((cu = find_function(dev, name, &function)) ||
        (cu = dev->cuda->cuFuncGetAttribute(&most, ASY__CU_MOST_THREADS, function)))
        return asy__cuda_fail(dev->cuda, cu, err, "no kernel '%s'", name);
    if (!(kernel = calloc(1, sizeof *kernel + strlen(name) + 1)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a kernel");
    memcpy(kernel->name, name, strlen(name) + 1);
    kernel->function = function;
    kernel->most_items = most > 0 ? (size_t)most : 0;
    kernel->next = dev->kernels;
    dev->kernels = kernel;
    *ret_kernel = kernel;
    return 0;
}

/* ---- launch --------------------------------------------------------------------------------- */

static int check_grid(const struct asy__kernel *kernel, const struct asy__grid *grid,
                      struct asy_error *err)
{
    const size_t *groups = grid->groups;

    for (int d = 0; d < 3; d++)
        if (groups[d] > most_groups[d])
            return asy_fail(err, ASY_E_TOOBIG, "%zu x %zu x %zu groups are more than CUDA takes",
                            groups[0], groups[1], groups[2]);
    if (grid->items > kernel->most_items)
        return asy_fail(err, ASY_E_TOOBIG, "groups of %zu items, not above %zu as compiled",
                        grid->items, kernel->most_items);
    return 0;
}

/* Where the value of each argument is; CUDA copies it as the kernel declares it. NULL ends them. */
static void point_at(const struct asy__arg *args, size_t n, void *ret_values[MAX_ARGS + 1])
{
    static const CUdeviceptr nothing;

    for (size_t i = 0; i < n; i++) {
        const void *value = &args[i].u64; /* the members begin at one place */

        if (args[i].kind == ASY__ARG_MEM)
            value = args[i].mem ? &args[i].mem->at : &nothing;
        memcpy(&ret_values[i], &value, sizeof value); /* CUDA's prototype is not const */
    }
    ret_values[n] = NULL;
}

int asy__cuda_launch(struct asy__dev *dev, struct asy__kernel *kernel,
                     const struct asy__grid *grid, const struct asy__arg *args, size_t n_args,
                     struct asy_error *err)
{
    void *values[MAX_ARGS + 1];
    const size_t *groups = grid->groups;
    CUresult cu;
    int rc = asy__cuda_enter(dev, err);

    ASY_ASSERT(n_args <= MAX_ARGS, "%zu arguments of '%s'", n_args, kernel->name);
    if (rc || (rc = check_grid(kernel, grid, err)))
        return rc;
    point_at(args, n_args, values);
    cu = dev->cuda->cuLaunchKernel(kernel->function, (unsigned)groups[0], (unsigned)groups[1],
                                   (unsigned)groups[2], (unsigned)grid->items, 1, 1, 0, dev->stream,
                                   values, NULL);
    return cu ? asy__cuda_fail(dev->cuda, cu, err, "cannot launch '%s'", kernel->name) : 0;
}
