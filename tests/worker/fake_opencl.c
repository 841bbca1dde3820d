/* SPDX-License-Identifier: Apache-2.0
 * fake_opencl.c - a libOpenCL.so.1 without a driver, for tests: FAKE_OPENCL names the machine that
 * it shows, or how it breaks. Devices answer as those of each maker do. NVIDIA's obey
 * CUDA_VISIBLE_DEVICES with numbers, and are counted in another order than by NVML. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INVALID_VALUE (-30)
#define NOT_FOUND (-1)
#define NO_PLATFORM (-1001)

struct fake {
    const char *name, *board, *extensions;
    uint32_t vendor, bus, domain;
    uint64_t type;
    uint8_t first; /* of all bytes of the UUID's first group */
};
static const struct fake nvidia[] = {
    { "NVIDIA A100-SXM4-40GB", NULL, "cl_khr_device_uuid cl_nv_device_attribute_query", 0x10DE,
      0xca, 0, 4, 0xbb },
    { "NVIDIA A100-SXM4-40GB", NULL, "cl_khr_device_uuid cl_nv_device_attribute_query", 0x10DE,
      0x17, 0, 4, 0xaa },
};
static const struct fake makers[] = {
    { "gfx90a:sramecc+:xnack-", "AMD Instinct MI210", "cl_amd_device_attribute_query", 0x1002, 0x2c,
      0, 4, 0 },
    { "gfx1030", "AMD Radeon RX 6800", "cl_amd_device_attribute_query", 0x1002, 0x2d, 0, 4, 0 },
    { "Intel(R) Data Center GPU Flex 170", NULL, "cl_khr_pci_bus_info cl_khr_device_uuid", 0x8086,
      0x4d, 1, 4, 0x86 },
    { "Intel(R) Data Center GPU Flex 140", NULL, "cl_khr_pci_bus_info cl_khr_device_uuid", 0x8086,
      0x3a, 0, 4, 0x87 },
    { "Intel(R) Xeon(R) Gold 6338", NULL, "", 0x8086, 0, 0, 2, 0 },
    { "  A board with a chip  ", NULL, "", 0x1234, 0, 0, 8, 0 },
};

static int is(const char *what)
{
    const char *machine = getenv("FAKE_OPENCL");

    return machine && !strcmp(machine, what);
}

int clGetPlatformIDs(unsigned max, void **ret, unsigned *ret_n);
int clGetPlatformIDs(unsigned max, void **ret, unsigned *ret_n)
{
    static int platform;

    if (is("crashes"))
        abort();
    while (is("hangs"))
        pause();
    if (is("fails"))
        return -5;
    *ret_n = 1;
    if (max > 0)
        ret[0] = &platform;
    return is("cards") || is("makers") ? 0 : NO_PLATFORM;
}

int clGetPlatformInfo(void *platform, unsigned what, size_t size, void *ret, size_t *ret_size);
int clGetPlatformInfo(void *platform, unsigned what, size_t size, void *ret, size_t *ret_size)
{
    (void)platform;
    (void)what;
    (void)ret_size;
    snprintf(ret, size, "Fake");
    return 0;
}

static int visible(unsigned i)
{
    const char *var = getenv("CUDA_VISIBLE_DEVICES");

    return !var || strchr(var, 'G') || strchr(var, (int)('0' + i)) != NULL;
}

int clGetDeviceIDs(void *platform, uint64_t type, unsigned max, void **ret, unsigned *ret_n);
int clGetDeviceIDs(void *platform, uint64_t type, unsigned max, void **ret, unsigned *ret_n)
{
    const struct fake *from = is("cards") ? nvidia : makers;
    unsigned n = is("cards") ? sizeof nvidia / sizeof *nvidia : sizeof makers / sizeof *makers;

    (void)platform;
    (void)type;
    *ret_n = 0;
    for (unsigned i = 0; i < n && *ret_n < max; i++)
        if (from == makers || visible(i))
            ret[(*ret_n)++] = (void *)(uintptr_t)&from[i];
    return *ret_n ? 0 : NOT_FOUND;
}

static int give(const void *from, size_t n, size_t size, void *ret, size_t *ret_size)
{
    if (n > size)
        return INVALID_VALUE;
    memcpy(ret, from, n);
    if (ret_size)
        *ret_size = n;
    return 0;
}

static int give_uuid(const struct fake *d, size_t size, void *ret, size_t *ret_size)
{
    static const uint8_t rest[] = { 0x11, 0x11, 0x22, 0x22, 0x33, 0x33,
                                    0x44, 0x44, 0x44, 0x44, 0x44, 0x44 };
    uint8_t uuid[16];

    memset(uuid, d->first, 4);
    memcpy(uuid + 4, rest, sizeof rest);
    return give(uuid, sizeof uuid, size, ret, ret_size);
}

int clGetDeviceInfo(void *device, unsigned what, size_t size, void *ret, size_t *ret_size);
int clGetDeviceInfo(void *device, unsigned what, size_t size, void *ret, size_t *ret_size)
{
    const struct fake *d = device;
    uint32_t pci[4] = { d->domain, d->bus, 0, 0 }, slot = 0, yes = 1;
    uint64_t memory = 17179869184u, shared = 65536;
    size_t items = 1024;
    struct { uint32_t type; char unused[17], bus, device, function; } amd = {
        .type = 1, .bus = (char)d->bus };

    switch (what) {
    case 0x1000: return give(&d->type, sizeof d->type, size, ret, ret_size);
    case 0x1001: return give(&d->vendor, sizeof d->vendor, size, ret, ret_size);
    case 0x1004: return give(&items, sizeof items, size, ret, ret_size);
    case 0x1010:
    case 0x101F: return give(&memory, sizeof memory, size, ret, ret_size);
    case 0x1023: return give(&shared, sizeof shared, size, ret, ret_size);
    case 0x1027: /* it is there, and has a compiler */
    case 0x1028: return give(&yes, sizeof yes, size, ret, ret_size);
    case 0x102B: return give(d->name, strlen(d->name) + 1, size, ret, ret_size);
    case 0x102D: return give("1.2", 4, size, ret, ret_size);
    case 0x1030: return give(d->extensions, strlen(d->extensions) + 1, size, ret, ret_size);
    case 0x106A: return give_uuid(d, size, ret, ret_size);
    case 0x410F: return give(pci, sizeof pci, size, ret, ret_size);
    case 0x4008: return give(&d->bus, sizeof d->bus, size, ret, ret_size);
    case 0x4009: return give(&slot, sizeof slot, size, ret, ret_size);
    case 0x400A: return give(&d->domain, sizeof d->domain, size, ret, ret_size);
    case 0x4037: return give(&amd, sizeof amd, size, ret, ret_size);
    case 0x4038:
        return d->board ? give(d->board, strlen(d->board) + 1, size, ret, ret_size)
                        : INVALID_VALUE;
    default: return INVALID_VALUE;
    }
}
