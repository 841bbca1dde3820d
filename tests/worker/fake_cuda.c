/* SPDX-License-Identifier: Apache-2.0
 * fake_cuda.c - a libcuda.so.1 without a driver, for tests: FAKE_CUDA names the machine that it
 * shows, or how it breaks. It counts the cards of fake_nvml.c the other way round and obeys the
 * numbers in CUDA_VISIBLE_DEVICES. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_DEVICE 100
#define NOT_PERMITTED 800

static const uint8_t card_a[] = { 0xaa, 0xaa, 0xaa, 0xaa, 0x11, 0x11, 0x22, 0x22,
                                  0x33, 0x33, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44 };
static const uint8_t card_b[] = { 0xbb, 0xbb, 0xbb, 0xbb, 0x11, 0x11, 0x22, 0x22,
                                  0x33, 0x33, 0x44, 0x44, 0x44, 0x44, 0x44, 0x44 };
static const uint8_t instance[] = { 0xc7, 0x38, 0x47, 0x36, 0xa7, 0x5d, 0x5a, 0xfc,
                                    0x97, 0x8f, 0xd2, 0xf1, 0x29, 0x44, 0x09, 0xfd };
static int seen[2]; /* device numbers that the variable leaves */
static int n_seen;

static int is(const char *what)
{
    const char *machine = getenv("FAKE_CUDA");

    return machine && !strcmp(machine, what);
}

int cuInit(unsigned flags);
int cuInit(unsigned flags)
{
    const char *var = getenv("CUDA_VISIBLE_DEVICES");

    (void)flags;
    if (is("fails"))
        return NOT_PERMITTED;
    for (int i = 0; i < (is("mig") ? 1 : is("cards") ? 2 : 0); i++)
        if (!var || strchr(var, 'G') || strchr(var, '0' + i))
            seen[n_seen++] = i;
    return n_seen ? 0 : NO_DEVICE;
}

int cuDeviceGetCount(int *ret);
int cuDeviceGetCount(int *ret)
{
    *ret = n_seen;
    return 0;
}

int cuDeviceGet(int *ret, int i);
int cuDeviceGet(int *ret, int i)
{
    *ret = seen[i];
    return 0;
}

int cuDeviceGetUuid_v2(uint8_t *ret, int device);
int cuDeviceGetUuid_v2(uint8_t *ret, int device)
{
    memcpy(ret, is("mig") ? instance : device ? card_a : card_b, 16);
    return 0;
}

int cuDeviceGetName(char *text, int size, int device);
int cuDeviceGetName(char *text, int size, int device)
{
    (void)device;
    snprintf(text, (size_t)size, "NVIDIA A100-SXM4-40GB%s", is("mig") ? " MIG 3g.20gb" : "");
    return 0;
}

int cuDeviceGetPCIBusId(char *text, int size, int device);
int cuDeviceGetPCIBusId(char *text, int size, int device)
{
    snprintf(text, (size_t)size, "0000:%s:00.0", device || is("mig") ? "17" : "CA");
    return 0;
}

int cuDeviceTotalMem_v2(size_t *ret, int device);
int cuDeviceTotalMem_v2(size_t *ret, int device)
{
    (void)device;
    *ret = 42505273344u;
    return 0;
}
