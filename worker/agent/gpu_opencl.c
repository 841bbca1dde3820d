/* SPDX-License-Identifier: Apache-2.0
 * gpu_opencl.c - devices of every maker through OpenCL, loaded at run time. Four functions that
 * only ask are called, so they are declared here, and a build needs no OpenCL; what computes with
 * it lives in kernels/.
 *
 * A device is named by its UUID (cl_khr_device_uuid) or its PCI address, which makers tell in three
 * ways. Those that tell neither cannot be told apart from outside and get no name; PoCL's, which
 * are CPUs, get a number of ours: POCL_DEVICES makes them, and all are alike. */
#include "gpu.h"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define PLATFORM_NAME 0x0902
#define DEVICE_TYPE 0x1000
#define DEVICE_VENDOR_ID 0x1001
#define DEVICE_MEMORY 0x101F
#define DEVICE_NAME 0x102B
#define DEVICE_VENDOR 0x102C
#define DRIVER_VERSION 0x102D
#define DEVICE_EXTENSIONS 0x1030
#define DEVICE_UUID_KHR 0x106A
#define DEVICE_PCI_KHR 0x410F
#define DEVICE_PCI_BUS_NV 0x4008
#define DEVICE_PCI_SLOT_NV 0x4009
#define DEVICE_PCI_DOMAIN_NV 0x400A
#define DEVICE_TOPOLOGY_AMD 0x4037
#define DEVICE_BOARD_AMD 0x4038
#define TYPE_CPU 2u
#define TYPE_ALL 0xFFFFFFFFu
#define NOT_FOUND_KHR (-1001) /* the loader knows no platform */
#define NOT_FOUND (-1)        /* the platform has no device */
#define PLATFORMS_MAX 16
#define VENDOR_NVIDIA 0x10DEu
#define VENDOR_AMD 0x1002u
#define VENDOR_INTEL 0x8086u

struct pci_khr {
    uint32_t domain, bus, device, function;
};
struct topology_amd {
    uint32_t type;
    char unused[17], bus, device, function;
};

static struct {
    int (*platforms)(unsigned max, void **ret, unsigned *ret_n);
    int (*platform)(void *platform, unsigned what, size_t size, void *ret, size_t *ret_size);
    int (*devices)(void *platform, uint64_t type, unsigned max, void **ret, unsigned *ret_n);
    int (*device)(void *device, unsigned what, size_t size, void *ret, size_t *ret_size);
} cl;

static int get(void *library, const char *name, void *ret_function)
{
    void *symbol = dlsym(library, name);

    memcpy(ret_function, &symbol, sizeof symbol);
    return symbol != NULL;
}

/* A text of a device without blanks around it; "": it has none. */
static const char *text_of(void *device, unsigned what, char *text, size_t size)
{
    size_t len;

    if (cl.device(device, what, size - 1, text, &len))
        len = 0;
    text[len < size ? len : size - 1] = '\0';
    len = strlen(text);
    while (len > 0 && strchr(" \t\n", text[len - 1]))
        text[--len] = '\0';
    return text + strspn(text, " \t");
}

static int number_of(void *device, unsigned what, uint32_t *ret)
{
    return cl.device(device, what, sizeof *ret, ret, NULL) == 0;
}

static int address_of(void *device, const char *extensions, char *text, size_t size)
{
    struct topology_amd amd = { 0 };
    struct pci_khr pci = { 0 };
    uint32_t slot = 0;

    if (strstr(extensions, "cl_khr_pci_bus_info") &&
        cl.device(device, DEVICE_PCI_KHR, sizeof pci, &pci, NULL) == 0) {
        snprintf(text, size, "%04x:%02x:%02x.%x", pci.domain, pci.bus, pci.device, pci.function);
        return 1;
    }
    if (strstr(extensions, "cl_nv_device_attribute_query") &&
        number_of(device, DEVICE_PCI_BUS_NV, &pci.bus) &&
        number_of(device, DEVICE_PCI_SLOT_NV, &slot)) {
        if (!number_of(device, DEVICE_PCI_DOMAIN_NV, &pci.domain))
            pci.domain = 0;
        snprintf(text, size, "%04x:%02x:%02x.%x", pci.domain, pci.bus, slot >> 3, slot & 7);
        return 1;
    }
    if (strstr(extensions, "cl_amd_device_attribute_query") &&
        cl.device(device, DEVICE_TOPOLOGY_AMD, sizeof amd, &amd, NULL) == 0 && amd.type == 1) {
        snprintf(text, size, "0000:%02x:%02x.%x", (unsigned char)amd.bus,
                 (unsigned char)amd.device, (unsigned char)amd.function);
        return 1;
    }
    return 0;
}

static int uuid_of(void *device, const char *extensions, char *text)
{
    uint8_t bytes[16];

    if (!strstr(extensions, "cl_khr_device_uuid") ||
        cl.device(device, DEVICE_UUID_KHR, sizeof bytes, bytes, NULL))
        return 0;
    asy__gpu_uuid(bytes, "GPU", text);
    return 1;
}

static const char *maker_of(void *device, int pocl)
{
    uint32_t vendor = 0;

    if (pocl)
        return "pocl";
    if (!number_of(device, DEVICE_VENDOR_ID, &vendor))
        return "other";
    return vendor == VENDOR_NVIDIA ? "nvidia" : vendor == VENDOR_AMD ? "amd"
           : vendor == VENDOR_INTEL ? "intel" : "other";
}

static void write_device(void *device, int pocl, unsigned number, struct asy_jsonw *w)
{
    char text[256], extensions[16384], name[32];
    uint64_t type = 0, memory = 0;

    text_of(device, DEVICE_EXTENSIONS, extensions, sizeof extensions);
    asy_jsonw_open(w, NULL, '{');
    if (pocl) {
        snprintf(name, sizeof name, "pocl-%u", number);
        asy_jsonw_str(w, "uuid", name);
    } else if (uuid_of(device, extensions, text)) {
        asy_jsonw_str(w, "uuid", text);
    }
    if (!pocl && address_of(device, extensions, text, sizeof text))
        asy_jsonw_str(w, "pci", text);
    if (!strstr(extensions, "cl_amd_device_attribute_query") ||
        !*text_of(device, DEVICE_BOARD_AMD, text, sizeof text))
        text_of(device, DEVICE_NAME, text, sizeof text);
    asy_jsonw_str(w, "name", text + strspn(text, " \t"));
    if (cl.device(device, DEVICE_TYPE, sizeof type, &type, NULL) == 0)
        asy_jsonw_bool(w, "cpu", (type & TYPE_CPU) != 0);
    if (cl.device(device, DEVICE_MEMORY, sizeof memory, &memory, NULL) == 0)
        asy_jsonw_u64(w, "memory", memory);
    asy_jsonw_str(w, "maker", maker_of(device, pocl));
    asy_jsonw_str(w, "driver", text_of(device, DRIVER_VERSION, text, sizeof text));
    asy_jsonw_close(w, '}');
}

static void write_platform(void *platform, unsigned *n_pocl, struct asy_jsonw *w)
{
    void *devices[ASY__GPUS_MAX];
    char name[256] = "";
    unsigned n = 0;
    int pocl;

    if (cl.platform(platform, PLATFORM_NAME, sizeof name - 1, name, NULL))
        name[0] = '\0';
    pocl = !strcmp(name, "Portable Computing Language");
    if (cl.devices(platform, TYPE_ALL, ASY__GPUS_MAX, devices, &n))
        return;
    for (unsigned i = 0; i < n && i < ASY__GPUS_MAX; i++)
        write_device(devices[i], pocl, pocl ? (*n_pocl)++ : 0, w);
}

void asy__gpu_ask_opencl(struct asy_jsonw *w)
{
    void *library = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
    void *platforms[PLATFORMS_MAX];
    unsigned n = 0, n_pocl = 0;
    char text[80];
    int rc;

    if (!library) {
        asy_jsonw_str(w, "error", "");
        return;
    }
    if (!get(library, "clGetPlatformIDs", &cl.platforms) ||
        !get(library, "clGetPlatformInfo", &cl.platform) ||
        !get(library, "clGetDeviceIDs", &cl.devices) ||
        !get(library, "clGetDeviceInfo", &cl.device)) {
        asy_jsonw_str(w, "error", "libOpenCL.so.1 lacks functions");
        return;
    }
    rc = cl.platforms(PLATFORMS_MAX, platforms, &n);
    snprintf(text, sizeof text, "OpenCL does not start: clGetPlatformIDs gives %d", rc);
    asy_jsonw_str(w, "error", rc == 0 || rc == NOT_FOUND_KHR || rc == NOT_FOUND ? "" : text);
    asy_jsonw_open(w, "devices", '[');
    for (unsigned i = 0; rc == 0 && i < n && i < PLATFORMS_MAX; i++)
        write_platform(platforms[i], &n_pocl, w);
    asy_jsonw_close(w, ']');
}
