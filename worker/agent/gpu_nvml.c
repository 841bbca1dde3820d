/* SPDX-License-Identifier: Apache-2.0
 * gpu_nvml.c - NVIDIA's devices through NVML, loaded at run time. Its header is in no free package
 * of Debian, so the few functions that are called are declared here, as nvml.h of CUDA 11
 * and later has them; the versions in their names never change their meaning.
 *
 * NVML shows what the kernel lets this process open (a batch system's cgroup), whatever
 * CUDA_VISIBLE_DEVICES says; that is judged later (gpu_offer.c). A device that may not be opened
 * answers with an error and is left out. */
#include "gpu.h"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define MIG_ENABLED 1u
#define NVML_UUID 96
#define NVML_NAME 96

struct pci_info {
    char legacy[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char id[32];
};
struct memory_info {
    unsigned long long total, free, used;
};

static struct {
    int (*init)(void);
    const char *(*error_text)(int rc);
    int (*driver)(char *text, unsigned size);
    int (*count)(unsigned *ret_n);
    int (*at)(unsigned i, void **ret_device);
    int (*uuid)(void *device, char *text, unsigned size);
    int (*name)(void *device, char *text, unsigned size);
    int (*pci)(void *device, struct pci_info *ret);
    int (*memory)(void *device, struct memory_info *ret);
    int (*mode)(void *device, int *ret_mode);
    /* of drivers since 450: NULL where there are none */
    int (*mig_mode)(void *device, unsigned *ret_now, unsigned *ret_pending);
    int (*mig_max)(void *device, unsigned *ret_n);
    int (*mig_at)(void *device, unsigned i, void **ret_device);
} nvml;

/* dlsym() gives an object pointer; POSIX lets it be read as one to a function. */
static int get(void *library, const char *name, void *ret_function)
{
    void *symbol = dlsym(library, name);

    memcpy(ret_function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static int load(void *library)
{
    get(library, "nvmlDeviceGetMigMode", &nvml.mig_mode);
    get(library, "nvmlDeviceGetMaxMigDeviceCount", &nvml.mig_max);
    get(library, "nvmlDeviceGetMigDeviceHandleByIndex", &nvml.mig_at);
    return get(library, "nvmlInit_v2", &nvml.init) &&
           get(library, "nvmlErrorString", &nvml.error_text) &&
           get(library, "nvmlSystemGetDriverVersion", &nvml.driver) &&
           get(library, "nvmlDeviceGetCount_v2", &nvml.count) &&
           get(library, "nvmlDeviceGetHandleByIndex_v2", &nvml.at) &&
           get(library, "nvmlDeviceGetUUID", &nvml.uuid) &&
           get(library, "nvmlDeviceGetName", &nvml.name) &&
           get(library, "nvmlDeviceGetPciInfo_v3", &nvml.pci) &&
           get(library, "nvmlDeviceGetMemoryInfo", &nvml.memory) &&
           get(library, "nvmlDeviceGetComputeMode", &nvml.mode);
}

static void write_device(void *device, const char *parent, const char *driver, int split,
                         struct asy_jsonw *w)
{
    static const char *const modes[] = { "default", "exclusive", "prohibited", "exclusive" };
    char uuid[NVML_UUID] = "", name[NVML_NAME] = "", address[32];
    struct memory_info memory = { 0 };
    struct pci_info pci = { .id = "" };
    int mode = -1;

    if (nvml.uuid(device, uuid, sizeof uuid))
        return; /* nothing could be leased under no name */
    asy_jsonw_open(w, NULL, '{');
    asy_jsonw_str(w, "uuid", uuid);
    if (nvml.name(device, name, sizeof name) == 0)
        asy_jsonw_str(w, "name", name);
    if (!parent && nvml.pci(device, &pci) == 0) {
        snprintf(address, sizeof address, "%04x:%02x:%02x.0", pci.domain, pci.bus, pci.device);
        asy_jsonw_str(w, "pci", address);
    }
    if (nvml.memory(device, &memory) == 0)
        asy_jsonw_u64(w, "memory", memory.total);
    if (!parent && nvml.mode(device, &mode) == 0 && mode >= 0 &&
        (size_t)mode < ASY_ARRAY_LEN(modes))
        asy_jsonw_str(w, "mode", modes[mode]);
    if (parent)
        asy_jsonw_str(w, "parent", parent);
    asy_jsonw_bool(w, "split", split);
    asy_jsonw_str(w, "maker", "nvidia");
    asy_jsonw_str(w, "driver", driver);
    asy_jsonw_close(w, '}');
}

static int is_split(void *device)
{
    unsigned now = 0, pending = 0;

    return nvml.mig_mode && nvml.mig_max && nvml.mig_at &&
           nvml.mig_mode(device, &now, &pending) == 0 && now == MIG_ENABLED;
}

static void write_card(void *device, const char *driver, struct asy_jsonw *w)
{
    char uuid[NVML_UUID] = "";
    unsigned max = 0;
    void *instance;
    int split = is_split(device);

    write_device(device, NULL, driver, split, w);
    if (!split || nvml.uuid(device, uuid, sizeof uuid) || nvml.mig_max(device, &max))
        return;
    for (unsigned i = 0; i < max && i < ASY__GPUS_MAX; i++)
        if (nvml.mig_at(device, i, &instance) == 0)
            write_device(instance, uuid, driver, 0, w);
}

static void write_cards(struct asy_jsonw *w)
{
    char driver[64] = "";
    unsigned n = 0;
    void *device;

    if (nvml.driver(driver, sizeof driver))
        driver[0] = '\0';
    asy_jsonw_open(w, "devices", '[');
    if (nvml.count(&n) == 0)
        for (unsigned i = 0; i < n && i < ASY__GPUS_MAX; i++)
            if (nvml.at(i, &device) == 0)
                write_card(device, driver, w);
    asy_jsonw_close(w, ']');
}

void asy__gpu_ask_nvml(struct asy_jsonw *w)
{
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    int rc;

    if (!library) {
        asy_jsonw_str(w, "error", "");
    } else if (!load(library)) {
        asy_jsonw_str(w, "error", "libnvidia-ml.so.1 is too old, it lacks functions");
    } else if ((rc = nvml.init())) {
        char text[200];

        snprintf(text, sizeof text, "NVML does not start: %.150s", nvml.error_text(rc));
        asy_jsonw_str(w, "error", text);
    } else {
        asy_jsonw_str(w, "error", "");
        write_cards(w);
    }
}
