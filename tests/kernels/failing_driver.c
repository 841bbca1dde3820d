/* SPDX-License-Identifier: Apache-2.0
 * failing_driver.c - see failing_driver.h. */
#include "failing_driver.h"
#include "asytest.h"

struct failing failing = { .gone_at = FAILING_NEVER, .nomem_at = FAILING_NEVER };
static struct asy__dev *real; /* opened once: what is built stays built */
static int is_built;

static int fault(struct asy_error *err)
{
    if (failing.calls++ == failing.gone_at)
        return asy_fail(err, ASY_E_GONE, "it fell off the bus");
    return 0;
}

static int open_it(size_t index, struct asy__dev **ret_dev, struct asy_device_info *ret_info,
                   struct asy_error *err)
{
    int rc = fault(err);

    if (!rc && !real)
        rc = asy__driver_opencl.open(index, &real, &failing.info, err);
    if (rc)
        return rc;
    *ret_dev = real;
    *ret_info = failing.info;
    return 0;
}

static void close_it(struct asy__dev *dev)
{
    T_TRUE(dev == real);
}

static int build_it(struct asy__dev *dev, const char *source, struct asy_error *err)
{
    int rc = fault(err);

    if (!rc && !is_built)
        rc = asy__driver_opencl.build(dev, source, err);
    is_built |= rc == 0;
    return rc;
}

static int kernel_of(struct asy__dev *dev, const char *name, struct asy__kernel **ret_kernel,
                     struct asy_error *err)
{
    int rc = fault(err);

    if (!rc && failing.lacks && !strcmp(name, failing.lacks))
        rc = asy_fail(err, ASY_E_NOENT, "no such kernel");
    return rc ? rc : asy__driver_opencl.kernel(dev, name, ret_kernel, err);
}

static int alloc(struct asy__dev *dev, size_t bytes, struct asy__mem **ret_mem,
                 struct asy_error *err)
{
    int rc = fault(err);

    if (!rc && failing.allocs++ == failing.nomem_at)
        rc = asy_fail(err, ASY_E_NOMEM, "no room for an array of %zu bytes", bytes);
    if (!rc)
        rc = asy__driver_opencl.alloc(dev, bytes, ret_mem, err);
    failing.arrays += rc == 0;
    return rc;
}

static void free_it(struct asy__dev *dev, struct asy__mem *mem)
{
    failing.arrays--;
    asy__driver_opencl.free(dev, mem);
}

static int write_it(struct asy__dev *dev, struct asy__mem *mem, size_t at, const void *data,
                    size_t bytes, struct asy_error *err)
{
    int rc = fault(err);

    return rc ? rc : asy__driver_opencl.write(dev, mem, at, data, bytes, err);
}

static int read_it(struct asy__dev *dev, struct asy__mem *mem, size_t at, void *data, size_t bytes,
                   struct asy_error *err)
{
    int rc = fault(err);

    return rc ? rc : asy__driver_opencl.read(dev, mem, at, data, bytes, err);
}

static int zero(struct asy__dev *dev, struct asy__mem *mem, size_t at, size_t bytes,
                struct asy_error *err)
{
    int rc = fault(err);

    return rc ? rc : asy__driver_opencl.zero(dev, mem, at, bytes, err);
}

static int launch(struct asy__dev *dev, struct asy__kernel *kernel, const struct asy__grid *grid,
                  const struct asy__arg *args, size_t n_args, struct asy_error *err)
{
    int rc = fault(err);

    if (rc && failing.gives)
        rc = asy_fail(err, failing.gives, "the grid is too large");
    return rc ? rc : asy__driver_opencl.launch(dev, kernel, grid, args, n_args, err);
}

const struct asy__driver failing_driver = {
    .kind = ASY_DEVICE_OPENCL, .open = open_it, .close = close_it, .build = build_it,
    .kernel = kernel_of, .alloc = alloc, .free = free_it, .write = write_it, .read = read_it,
    .zero = zero, .launch = launch,
};

void failing_tell(long gone_at, long nomem_at)
{
    failing.calls = failing.allocs = 0;
    failing.gone_at = gone_at;
    failing.nomem_at = nomem_at;
}

void failing_close(void)
{
    if (real)
        asy__driver_opencl.close(real);
    real = NULL;
    is_built = 0;
}
