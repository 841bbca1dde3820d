/* SPDX-License-Identifier: Apache-2.0
 * find.c - the devices of all platforms, in the order in which OpenCL tells them. */
#include "impl.h"
#include <CL/cl_ext.h>
#include <stdio.h>
#include <string.h>

#define PLATFORMS_MAX 16
#define DEVICES_MAX 64 /* of a platform */
#define NO_PLATFORM (-1001)

struct pci { /* cl_khr_pci_bus_info */
    cl_uint domain, bus, device, function;
};
#define DEVICE_PCI_KHR 0x410F
#define DEVICE_PCI_BUS_NV 0x4008
#define DEVICE_PCI_SLOT_NV 0x4009
#define DEVICE_PCI_DOMAIN_NV 0x400A
#define DEVICE_TOPOLOGY_AMD 0x4037
struct topology {
    cl_uint type;
    char unused[17], bus, device, function;
};

static int get(cl_device_id device, cl_device_info what, size_t size, void *ret)
{
    return asy__cl.clGetDeviceInfo(device, what, size, ret, NULL) == CL_SUCCESS;
}

static void text_of(cl_device_id device, cl_device_info what, char *text, size_t size)
{
    char all[512] = "";
    size_t skip;

    if (!get(device, what, sizeof all - 1, all))
        all[0] = '\0';
    skip = strspn(all, " \t");
    snprintf(text, size, "%.*s", (int)(size - 1), all + skip);
}

static void address_of(cl_device_id device, char *text, size_t size)
{
    char extensions[16384] = "";
    struct topology amd = { 0 };
    struct pci pci = { 0 };
    cl_uint slot = 0;

    text[0] = '\0';
    if (!get(device, CL_DEVICE_EXTENSIONS, sizeof extensions - 1, extensions))
        return;
    if (strstr(extensions, "cl_khr_pci_bus_info") &&
        get(device, DEVICE_PCI_KHR, sizeof pci, &pci)) {
        snprintf(text, size, "%04x:%02x:%02x.%x", pci.domain, pci.bus, pci.device, pci.function);
    } else if (strstr(extensions, "cl_nv_device_attribute_query") &&
               get(device, DEVICE_PCI_BUS_NV, sizeof pci.bus, &pci.bus) &&
               get(device, DEVICE_PCI_SLOT_NV, sizeof slot, &slot)) {
        if (!get(device, DEVICE_PCI_DOMAIN_NV, sizeof pci.domain, &pci.domain))
            pci.domain = 0;
        snprintf(text, size, "%04x:%02x:%02x.%x", pci.domain, pci.bus, slot >> 3, slot & 7);
    } else if (strstr(extensions, "cl_amd_device_attribute_query") &&
               get(device, DEVICE_TOPOLOGY_AMD, sizeof amd, &amd) && amd.type == 1) {
        snprintf(text, size, "0000:%02x:%02x.%x", (unsigned char)amd.bus,
                 (unsigned char)amd.device, (unsigned char)amd.function);
    }
}

static void describe(cl_platform_id platform, cl_device_id device, struct asy_device_info *ret)
{
    char version[64] = "", maker[96] = "";
    cl_device_type type = 0;
    cl_ulong memory = 0;
    cl_uint units = 0;

    *ret = (struct asy_device_info){ .kind = ASY_DEVICE_OPENCL };
    text_of(device, CL_DEVICE_NAME, ret->name, sizeof ret->name);
    text_of(device, CL_DRIVER_VERSION, version, sizeof version);
    if (asy__cl.clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof maker - 1, maker, NULL))
        maker[0] = '\0';
    snprintf(ret->driver, sizeof ret->driver, "%.60s %.60s", maker, version);
    address_of(device, ret->address, sizeof ret->address);
    if (get(device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof memory, &memory))
        ret->memory = memory;
    if (get(device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof units, &units))
        ret->units = units;
    ret->is_cpu = get(device, CL_DEVICE_TYPE, sizeof type, &type) && (type & CL_DEVICE_TYPE_CPU);
}

struct search {
    struct asy_device_info *ret; /* [cap] */
    size_t cap, n;
    size_t index; /* of the device wanted */
    cl_device_id device;
    struct asy_device_info info;
};

static void visit(struct search *s, cl_platform_id platform)
{
    cl_device_id devices[DEVICES_MAX];
    cl_uint n = 0;

    if (asy__cl.clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, DEVICES_MAX, devices, &n))
        return; /* it has none */
    for (cl_uint i = 0; i < n && i < DEVICES_MAX; i++, s->n++) {
        if (s->n < s->cap)
            describe(platform, devices[i], &s->ret[s->n]);
        if (s->n == s->index) {
            s->device = devices[i];
            describe(platform, devices[i], &s->info);
        }
    }
}

static int visit_all(struct search *s, struct asy_error *err)
{
    cl_platform_id platforms[PLATFORMS_MAX];
    cl_uint n = 0;
    cl_int status;
    int rc;

    if ((rc = asy__cl_load(err)))
        return rc;
    status = asy__cl.clGetPlatformIDs(PLATFORMS_MAX, platforms, &n);
    if (status == NO_PLATFORM)
        return asy_fail(err, ASY_E_NOENT, "libOpenCL.so.1 knows no driver (/etc/OpenCL/vendors)");
    if (status)
        return asy__cl_fail(err, "clGetPlatformIDs", status);
    for (cl_uint i = 0; i < n && i < PLATFORMS_MAX; i++)
        visit(s, platforms[i]);
    return 0;
}

int asy__cl_list(struct asy_device_info *ret, size_t cap, size_t *ret_n, struct asy_error *err)
{
    struct search search = { .ret = ret, .cap = cap, .index = SIZE_MAX };
    int rc = visit_all(&search, err);

    if (rc == 0)
        *ret_n = search.n;
    return rc;
}

int asy__cl_device(size_t index, cl_device_id *ret_device, struct asy_device_info *ret_info,
                   struct asy_error *err)
{
    struct search search = { .index = index };
    int rc = visit_all(&search, err);

    if (rc)
        return rc;
    if (!search.device)
        return asy_fail(err, ASY_E_NOENT, "there %s %zu device%s", search.n == 1 ? "is" : "are",
                        search.n, ASY_S(search.n));
    *ret_device = search.device;
    *ret_info = search.info;
    return 0;
}
