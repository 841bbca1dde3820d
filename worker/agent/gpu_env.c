/* SPDX-License-Identifier: Apache-2.0
 * gpu_env.c - what a program is told of GPUs, so that it sees its own and no others.
 *
 * NVIDIA's and AMD's runtimes take UUIDs. Above AMD's (ROCr) HIP and OpenCL count what that left
 * over, so there the numbers 0, 1, … are right, whatever the agent was given. Intel's takes numbers
 * alone; it is told to count by PCI address, as we do. Variables of the agent's own are replaced:
 * they speak of another counting. Programs that open devices by themselves are not kept from it;
 * that takes a device group of the kernel, which only root may set up. */
#include "gpu.h"
#include "impl.h"
#include <asy/parse.h>
#include <stdio.h>
#include <string.h>

#define LIST_MAX (64u << 10)

/* The devices of a program: each once, in the order of its list. */
struct mine {
    const struct asy__gpu *gpu[ASY__GPUS_MAX];
    size_t n;
};

static size_t place_of(const struct mine *mine, const char *id)
{
    size_t i = 0;

    while (i < mine->n && strcmp(mine->gpu[i]->id, id))
        i++;
    return i;
}

static void take(const struct asy__gpus *gpus, const char *const *ids, size_t n, struct mine *mine)
{
    for (size_t i = 0; i < n; i++) {
        const struct asy__gpu *gpu = asy__gpus_get(gpus, ids[i]);

        if (gpu && mine->n < ASY__GPUS_MAX && place_of(mine, gpu->id) == mine->n)
            mine->gpu[mine->n++] = gpu;
    }
}

static size_t count(const struct mine *mine, enum asy__gpu_maker maker)
{
    size_t n = 0;

    for (size_t i = 0; i < mine->n; i++)
        n += mine->gpu[i]->maker == maker;
    return n;
}

/* NAME=id,id for those of a maker; 0: of all. */
static void add_ids(const struct mine *mine, const char *name, enum asy__gpu_maker maker,
                    struct asy__words *env)
{
    struct asy_buf list;

    asy_buf_init(&list, LIST_MAX);
    asy_buf_addf(&list, "%s=", name);
    for (size_t i = 0, k = 0; i < mine->n; i++)
        if (maker == ASY__GPU_OTHER || mine->gpu[i]->maker == maker)
            asy_buf_addf(&list, "%s%s", k++ ? "," : "", mine->gpu[i]->id);
    if (list.rc == 0)
        asy__words_add(env, list.data);
    asy_buf_fini(&list);
}

/* NAME=0,1,…; none: what stands for no device. */
static void add_numbers(const char *name, size_t n, const char *none, struct asy__words *env)
{
    struct asy_buf list;

    asy_buf_init(&list, LIST_MAX);
    asy_buf_addf(&list, "%s=%s", name, n ? "" : none);
    for (size_t i = 0; i < n; i++)
        asy_buf_addf(&list, "%s%zu", i ? "," : "", i);
    if (list.rc == 0)
        asy__words_add(env, list.data);
    asy_buf_fini(&list);
}

static int has_maker(const struct asy__gpus *gpus, enum asy__gpu_maker maker)
{
    for (size_t i = 0; i < gpus->n; i++)
        if (gpus->list[i].maker == maker && !(maker == ASY__GPU_INTEL && gpus->list[i].cpu))
            return 1;
    return 0;
}

/* HIP reads CUDA's variable too, as its own and before nothing else of AMD's; some programs refuse
 * to run where the two differ. So on a node without NVIDIA's devices they say the same. */
static void add_cuda_and_amd(const struct asy__gpus *gpus, const struct mine *mine,
                             struct asy__words *env)
{
    size_t n_amd = count(mine, ASY__GPU_AMD);

    if (n_amd && !has_maker(gpus, ASY__GPU_NVIDIA))
        add_numbers("CUDA_VISIBLE_DEVICES", n_amd, "", env);
    else
        add_ids(mine, "CUDA_VISIBLE_DEVICES", ASY__GPU_NVIDIA, env);
    add_ids(mine, "ROCR_VISIBLE_DEVICES", ASY__GPU_AMD, env);
    add_numbers("HIP_VISIBLE_DEVICES", n_amd, "-1", env);
    add_numbers("GPU_DEVICE_ORDINAL", n_amd, "-1", env);
}

/* Devices with a lower PCI address, among all of the maker that this process sees. */
static size_t order_of(const struct asy__gpus *gpus, const struct asy__gpu *gpu)
{
    size_t n = 0;

    for (size_t i = 0; i < gpus->n; i++)
        n += gpus->list[i].maker == ASY__GPU_INTEL && !gpus->list[i].cpu &&
             strcmp(gpus->list[i].pci, gpu->pci) < 0;
    return n;
}

static void add_intel(const struct asy__gpus *gpus, const struct mine *mine,
                      struct asy__words *env)
{
    struct asy_buf list;

    if (!has_maker(gpus, ASY__GPU_INTEL) && !gpus->pending)
        return;
    asy_buf_init(&list, LIST_MAX);
    asy_buf_adds(&list, "ZE_AFFINITY_MASK=");
    for (size_t i = 0, k = 0; i < mine->n; i++)
        if (mine->gpu[i]->maker == ASY__GPU_INTEL)
            asy_buf_addf(&list, "%s%zu", k++ ? "," : "", order_of(gpus, mine->gpu[i]));
    if (!count(mine, ASY__GPU_INTEL))
        asy_buf_addf(&list, "%d", ASY__GPUS_MAX); /* no device has this number */
    if (list.rc == 0)
        asy__words_add(env, list.data);
    asy_buf_fini(&list);
    asy__words_add(env, "ZE_ENABLE_PCI_ID_DEVICE_ORDER=1");
    asy__words_add(env, "ZE_FLAT_DEVICE_HIERARCHY=COMPOSITE");
}

/* PoCL makes as many devices as it is told the kinds of; its kind begins a device's name. */
static void add_pocl(const struct asy__gpus *gpus, const struct mine *mine,
                     struct asy__words *env)
{
    struct asy_buf list;
    int offered = 0;

    for (size_t i = 0; i < gpus->n; i++)
        offered |= gpus->list[i].maker == ASY__GPU_POCL && gpus->list[i].offered;
    if (!offered)
        return; /* a CPU, which binding keeps to the trial's cores */
    asy_buf_init(&list, LIST_MAX);
    asy_buf_adds(&list, "POCL_DEVICES=");
    for (size_t i = 0, k = 0; i < mine->n; i++)
        if (mine->gpu[i]->maker == ASY__GPU_POCL)
            asy_buf_addf(&list, "%s%.*s", k++ ? " " : "", (int)strcspn(mine->gpu[i]->name, "-"),
                         mine->gpu[i]->name);
    if (list.rc == 0)
        asy__words_add(env, list.data);
    asy_buf_fini(&list);
}

/* "0;1" or "0,1;2,3": for each rank the places of its devices in ASSAY_GPUS. */
static void add_ranks(const struct mine *mine, const char *const *ids, size_t n, uint32_t ranks,
                      struct asy__words *env)
{
    size_t per_rank = ranks ? n / ranks : 0;
    struct asy_buf list;

    if (ranks < 2 || per_rank == 0)
        return;
    asy_buf_init(&list, LIST_MAX);
    asy_buf_adds(&list, "ASSAY_RANK_GPUS=");
    for (size_t i = 0; i < ranks * per_rank; i++)
        asy_buf_addf(&list, "%s%zu", i == 0 ? "" : i % per_rank ? "," : ";",
                     place_of(mine, ids[i]));
    if (list.rc == 0)
        asy__words_add(env, list.data);
    asy_buf_fini(&list);
}

void asy__gpu_env(const struct asy__gpus *gpus, const char *const *ids, const uint32_t *shares,
                  size_t n, uint32_t ranks, struct asy__words *env)
{
    struct mine mine = { .n = 0 };
    char share[32];

    if (gpus->unmanaged)
        return;
    take(gpus, ids, n, &mine);
    add_ids(&mine, "ASSAY_GPUS", ASY__GPU_OTHER, env);
    asy__words_addf(env, "ASSAY_GPU_SHARE=%s",
                    asy_format_f64(n ? (double)shares[0] / ASY_GPU_WHOLE : 0, share));
    add_ranks(&mine, ids, n, ranks, env);
    add_cuda_and_amd(gpus, &mine, env);
    add_intel(gpus, &mine, env);
    add_pocl(gpus, &mine, env);
}
