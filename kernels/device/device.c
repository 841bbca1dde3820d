/* SPDX-License-Identifier: Apache-2.0
 * device.c - devices of all kinds: a table of drivers, and the calls that count what goes to and
 * from a device. */
#include "frame.h"
#include <stdlib.h>

const char *const asy_device_kinds[ASY_DEVICE_KINDS + 1] = { "cpu", "opencl", "cuda", NULL };

const struct asy__kernel_entry asy__kernel_list[ASY__KERNELS] = {
#define ENTRY(name, items) { #name, items },
    ASY__KERNEL_LIST(ENTRY)
#undef ENTRY
};

static const struct asy__driver *const drivers[ASY_DEVICE_KINDS] = {
    [ASY_DEVICE_OPENCL] = &asy__driver_opencl,
    [ASY_DEVICE_CUDA] = &asy__driver_cuda,
};

static int driver_of(enum asy_device_kind kind, const struct asy__driver **ret,
                     struct asy_error *err)
{
    if (!drivers[kind])
        return asy_fail(err, ASY_E_NOENT, "there is no driver for devices of kind '%s'",
                        asy_device_kinds[kind]);
    *ret = drivers[kind];
    return 0;
}

int asy_device_list(enum asy_device_kind kind, struct asy_device_info *ret, size_t cap,
                    size_t *ret_n, struct asy_error *err)
{
    const struct asy__driver *driver = NULL;
    int rc;

    if (kind == ASY_DEVICE_CPU) {
        *ret_n = 0;
        return 0;
    }
    if ((rc = driver_of(kind, &driver, err)))
        return rc;
    if ((rc = driver->list(ret, cap, ret_n, err)))
        asy_error_prefix(err, "%s", asy_device_kinds[kind]);
    return rc;
}

int asy_device_open(enum asy_device_kind kind, size_t index, struct asy_device **ret_device,
                    struct asy_error *err)
{
    const struct asy__driver *driver = NULL;
    int rc = driver_of(kind, &driver, err);

    return rc ? rc : asy__device_open(driver, index, ret_device, err);
}

int asy__device_open(const struct asy__driver *driver, size_t index, struct asy_device **ret_device,
                     struct asy_error *err)
{
    struct asy_device *device = calloc(1, sizeof *device);
    int rc;

    if (!device)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a device");
    device->driver = driver;
    if ((rc = driver->open(index, &device->dev, &device->info, err))) {
        asy_error_prefix(err, "%s device %zu", asy_device_kinds[driver->kind], index);
        free(device);
        return rc;
    }
    *ret_device = device;
    return 0;
}

void asy_device_close(struct asy_device *device)
{
    if (!device)
        return;
    device->driver->close(device->dev);
    free(device);
}

const struct asy_device_info *asy_device_info(const struct asy_device *device)
{
    return &device->info;
}

int asy_device_is_gone(const struct asy_device *device)
{
    return device->gone;
}

struct asy_device_traffic asy_device_traffic(const struct asy_device *device)
{
    return device->traffic;
}

/* What a call of the driver gave: names the device where it failed, and remembers its end. */
static int end(struct asy_device *device, int rc, struct asy_error *err)
{
    if (rc == 0)
        return 0;
    device->gone |= rc == ASY_E_GONE;
    asy_error_prefix(err, "%s device '%s'", asy_device_kinds[device->driver->kind],
                     device->info.name);
    return rc;
}

static int is_gone(const struct asy_device *device, struct asy_error *err)
{
    if (!device->gone)
        return 0;
    return asy_fail(err, ASY_E_GONE, "%s device '%s' failed before",
                    asy_device_kinds[device->driver->kind], device->info.name);
}

int asy__device_alloc(struct asy_device *device, size_t n, struct asy__mem **ret_mem,
                      struct asy_error *err)
{
    size_t bytes;
    int rc = is_gone(device, err);

    if (rc)
        return rc;
    if (__builtin_mul_overflow(n ? n : 1, sizeof(float), &bytes))
        return end(device, asy_fail(err, ASY_E_TOOBIG, "an array of %zu numbers", n), err);
    return end(device, device->driver->alloc(device->dev, bytes, ret_mem, err), err);
}

int asy__device_could_hold(const struct asy_device *device, const struct asy__device_piece *pieces,
                           size_t n, size_t *ret_bytes, size_t *ret_all)
{
    size_t has = device->info.memory < SIZE_MAX ? (size_t)device->info.memory : SIZE_MAX;

    *ret_bytes = 0;
    for (size_t i = 0; i < n; i++)
        if (__builtin_add_overflow(*ret_bytes, asy__times(pieces[i].n, sizeof(float)), ret_bytes))
            *ret_bytes = SIZE_MAX;
    if (__builtin_add_overflow(*ret_bytes, device->in_nets, ret_all))
        *ret_all = SIZE_MAX;
    return !has || *ret_all <= has;
}

void asy__device_free(struct asy_device *device, struct asy__mem *mem)
{
    if (mem)
        device->driver->free(device->dev, mem);
}

int asy__device_write(struct asy_device *device, struct asy__mem *mem, size_t at, const void *x,
                      size_t n, struct asy_error *err)
{
    int rc = is_gone(device, err);

    if (rc || n == 0)
        return rc;
    device->traffic.writes++;
    device->traffic.bytes_written += 4 * n;
    return end(device, device->driver->write(device->dev, mem, 4 * at, x, 4 * n, err), err);
}

int asy__device_read(struct asy_device *device, struct asy__mem *mem, size_t at, void *x, size_t n,
                     struct asy_error *err)
{
    int rc = is_gone(device, err);

    if (rc || n == 0)
        return rc;
    device->traffic.reads++;
    device->traffic.bytes_read += 4 * n;
    return end(device, device->driver->read(device->dev, mem, 4 * at, x, 4 * n, err), err);
}

int asy__device_zero(struct asy_device *device, struct asy__mem *mem, size_t at, size_t n,
                     struct asy_error *err)
{
    int rc = is_gone(device, err);

    if (rc || n == 0)
        return rc;
    return end(device, device->driver->zero(device->dev, mem, 4 * at, 4 * n, err), err);
}

static int kernel_of(struct asy_device *device, enum asy__kernel_id id, struct asy_error *err)
{
    int rc;

    if (device->kernels[id])
        return 0;
    if (!device->built && (rc = device->driver->build(device->dev, asy__kernel_source, err)))
        return rc;
    device->built = 1;
    return device->driver->kernel(device->dev, asy__kernel_list[id].name, &device->kernels[id],
                                  err);
}

int asy__device_kernel(struct asy_device *device, enum asy__kernel_id kernel, struct asy_error *err)
{
    int rc = is_gone(device, err);

    return rc ? rc : end(device, kernel_of(device, kernel, err), err);
}

int asy__device_launch(struct asy_device *device, enum asy__kernel_id kernel, size_t x, size_t y,
                       size_t z, const struct asy__arg *args, size_t n_args, struct asy_error *err)
{
    struct asy__grid grid = { { x, y, z }, asy__kernel_list[kernel].items };
    int rc = is_gone(device, err);

    if (rc || x == 0 || y == 0 || z == 0)
        return rc;
    if ((rc = kernel_of(device, kernel, err)))
        return end(device, rc, err);
    device->traffic.launches++;
    if ((rc = device->driver->launch(device->dev, device->kernels[kernel], &grid, args, n_args,
                                     err)))
        asy_error_prefix(err, "kernel '%s'", asy__kernel_list[kernel].name);
    return end(device, rc, err);
}

int asy__device_library_product(struct asy_device *device, const struct asy__product *product,
                                int *ret_done, struct asy_error *err)
{
    int rc = is_gone(device, err);

    if (rc || !device->driver->product || product->k == 0)
        return rc;
    rc = device->driver->product(device->dev, product, ret_done, err);
    device->traffic.launches += rc == 0 && *ret_done;
    return end(device, rc, err);
}
