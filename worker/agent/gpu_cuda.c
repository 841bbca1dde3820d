/* SPDX-License-Identifier: Apache-2.0
 * gpu_cuda.c - NVIDIA's devices as CUDA counts them, through its driver library, loaded at run
 * time. It alone knows which devices the numbers in CUDA_VISIBLE_DEVICES mean, and it is there in
 * containers that leave NVML out. No context is made on a device. */
#include "gpu.h"
#include <ctype.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define NO_DEVICE 100

static struct {
    int (*init)(unsigned flags);
    int (*count)(int *ret_n);
    int (*at)(int *ret_device, int i);
    int (*uuid)(uint8_t *ret_bytes, int device); /* [16] */
    int (*name)(char *text, int size, int device);
    int (*pci)(char *text, int size, int device);
    int (*memory)(size_t *ret_bytes, int device);
} cuda;

static int get(void *library, const char *name, void *ret_function)
{
    void *symbol = dlsym(library, name);

    memcpy(ret_function, &symbol, sizeof symbol);
    return symbol != NULL;
}

/* Of an instance of a split card the second form tells its own, the first one its card's. */
static int load(void *library)
{
    return get(library, "cuInit", &cuda.init) && get(library, "cuDeviceGetCount", &cuda.count) &&
           get(library, "cuDeviceGet", &cuda.at) &&
           (get(library, "cuDeviceGetUuid_v2", &cuda.uuid) ||
            get(library, "cuDeviceGetUuid", &cuda.uuid)) &&
           get(library, "cuDeviceGetName", &cuda.name) &&
           get(library, "cuDeviceGetPCIBusId", &cuda.pci) &&
           get(library, "cuDeviceTotalMem_v2", &cuda.memory);
}

static void write_device(int device, struct asy_jsonw *w)
{
    char name[128] = "", pci[24] = "", uuid[ASY__GPU_ID];
    uint8_t bytes[16];
    size_t memory = 0;

    if (cuda.uuid(bytes, device))
        return;
    if (cuda.name(name, sizeof name, device))
        name[0] = '\0';
    asy__gpu_uuid(bytes, strstr(name, " MIG ") ? "MIG" : "GPU", uuid);
    asy_jsonw_open(w, NULL, '{');
    asy_jsonw_str(w, "uuid", uuid);
    asy_jsonw_str(w, "name", name);
    if (cuda.pci(pci, sizeof pci, device) == 0) {
        for (char *c = pci; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        asy_jsonw_str(w, "pci", pci);
    }
    if (cuda.memory(&memory, device) == 0)
        asy_jsonw_u64(w, "memory", memory);
    asy_jsonw_str(w, "maker", "nvidia");
    asy_jsonw_close(w, '}');
}

static void write_devices(struct asy_jsonw *w)
{
    int n = 0, device;

    asy_jsonw_open(w, "devices", '[');
    if (cuda.count(&n) == 0)
        for (int i = 0; i < n && i < ASY__GPUS_MAX; i++)
            if (cuda.at(&device, i) == 0)
                write_device(device, w);
    asy_jsonw_close(w, ']');
}

void asy__gpu_ask_cuda(struct asy_jsonw *w)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    char text[80];
    int rc;

    if (!library) {
        asy_jsonw_str(w, "error", "");
    } else if (!load(library)) {
        asy_jsonw_str(w, "error", "libcuda.so.1 is too old, it lacks functions");
    } else if ((rc = cuda.init(0)) && rc != NO_DEVICE) {
        snprintf(text, sizeof text, "CUDA does not start: cuInit gives %d", rc);
        asy_jsonw_str(w, "error", text);
    } else {
        asy_jsonw_str(w, "error", "");
        if (rc == 0)
            write_devices(w);
    }
}
