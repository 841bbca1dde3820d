/* SPDX-License-Identifier: Apache-2.0
 * fake_nvml.c - a libnvidia-ml.so.1 without a driver, for tests: FAKE_NVML names the machine that
 * it shows, or how it breaks. Texts and numbers have the form that NVML documents. Two cards stand
 * at 17:00 and ca:00; OpenCL (fake_opencl.c) counts the same two the other way round. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CARD_A "GPU-aaaaaaaa-1111-2222-3333-444444444444"
#define CARD_B "GPU-bbbbbbbb-1111-2222-3333-444444444444"
#define MIG_1 "MIG-c7384736-a75d-5afc-978f-d2f1294409fd"
#define MIG_2 "MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d"
#define NO_PERMISSION 4
#define NOT_FOUND 6
#define DRIVER_NOT_LOADED 9

struct pci {
    char legacy[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char id[32];
};
struct memory {
    unsigned long long total, free, used;
};
struct fake {
    const char *uuid, *name;
    unsigned bus;
    unsigned long long memory;
};
static struct fake cards[] = { { CARD_A, "NVIDIA A100-SXM4-40GB", 0x17, 42949672960ull },
                               { CARD_B, "NVIDIA A100-SXM4-40GB", 0xca, 42949672960ull } };
static struct fake instances[] = {
    { MIG_1, "NVIDIA A100-SXM4-40GB MIG 3g.20gb", 0, 20937965568ull },
    { MIG_2, "NVIDIA A100-SXM4-40GB MIG 1g.5gb", 0, 5100273664ull },
};

static int is(const char *what)
{
    const char *machine = getenv("FAKE_NVML");

    return machine && !strcmp(machine, what);
}

int nvmlInit_v2(void);
int nvmlInit_v2(void)
{
    if (is("crashes"))
        abort();
    while (is("hangs"))
        pause();
    while (is("waits") && access(getenv("FAKE_GO"), F_OK) < 0)
        usleep(1000);
    return is("fails") ? DRIVER_NOT_LOADED : 0;
}

const char *nvmlErrorString(int rc);
const char *nvmlErrorString(int rc)
{
    return rc == DRIVER_NOT_LOADED ? "Driver Not Loaded" : "?";
}

int nvmlSystemGetDriverVersion(char *text, unsigned size);
int nvmlSystemGetDriverVersion(char *text, unsigned size)
{
    snprintf(text, size, "535.104.05");
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned *ret);
int nvmlDeviceGetCount_v2(unsigned *ret)
{
    *ret = is("none") ? 0 : 2;
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **ret);
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **ret)
{
    if (is("one-denied") && i == 0)
        return NO_PERMISSION;
    *ret = &cards[i];
    return 0;
}

int nvmlDeviceGetUUID(void *device, char *text, unsigned size);
int nvmlDeviceGetUUID(void *device, char *text, unsigned size)
{
    snprintf(text, size, "%s", ((struct fake *)device)->uuid);
    return 0;
}

int nvmlDeviceGetName(void *device, char *text, unsigned size);
int nvmlDeviceGetName(void *device, char *text, unsigned size)
{
    snprintf(text, size, "%s", ((struct fake *)device)->name);
    return 0;
}

int nvmlDeviceGetPciInfo_v3(void *device, struct pci *ret);
int nvmlDeviceGetPciInfo_v3(void *device, struct pci *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->bus = ((struct fake *)device)->bus;
    snprintf(ret->id, sizeof ret->id, "00000000:%02X:00.0", ret->bus);
    return 0;
}

int nvmlDeviceGetMemoryInfo(void *device, struct memory *ret);
int nvmlDeviceGetMemoryInfo(void *device, struct memory *ret)
{
    *ret = (struct memory){ .total = ((struct fake *)device)->memory };
    return 0;
}

int nvmlDeviceGetComputeMode(void *device, int *ret);
int nvmlDeviceGetComputeMode(void *device, int *ret)
{
    *ret = device != &cards[0] ? 0 : is("exclusive") ? 3 : is("prohibited") ? 2 : 0;
    return 0;
}

int nvmlDeviceGetMigMode(void *device, unsigned *ret_now, unsigned *ret_pending);
int nvmlDeviceGetMigMode(void *device, unsigned *ret_now, unsigned *ret_pending)
{
    *ret_now = *ret_pending = is("mig") && device == &cards[0];
    return 0;
}

int nvmlDeviceGetMaxMigDeviceCount(void *device, unsigned *ret);
int nvmlDeviceGetMaxMigDeviceCount(void *device, unsigned *ret)
{
    *ret = device == &cards[0] ? 7 : 0;
    return 0;
}

int nvmlDeviceGetMigDeviceHandleByIndex(void *device, unsigned i, void **ret);
int nvmlDeviceGetMigDeviceHandleByIndex(void *device, unsigned i, void **ret)
{
    if (device != &cards[0] || (i != 0 && i != 3)) /* the numbers have gaps */
        return NOT_FOUND;
    *ret = &instances[i ? 1 : 0];
    return 0;
}
