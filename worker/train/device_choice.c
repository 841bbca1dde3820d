/* SPDX-License-Identifier: Apache-2.0
 * device_choice.c - which device a rank takes: see on_device.h. */
#include "on_device.h"
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>

#define DEVICES_MAX 64

int asy__rank_gpu(const char *text, int local_rank, size_t *ret_place, struct asy_error *err)
{
    const char *at = text;
    uint64_t place;
    int rc;

    for (int rank = 0; rank < local_rank; rank++) {
        at += strcspn(at, ";");
        if (!*at++)
            return asy_fail(err, ASY_E_FORMAT, "ASSAY_RANK_GPUS='%.60s' gives rank %d no GPU", text,
                            local_rank);
    }
    if ((rc = asy_parse_u64(at, strcspn(at, ",;"), &place, NULL)) < 0 || place > SIZE_MAX)
        return asy_fail(err, ASY_E_FORMAT, "ASSAY_RANK_GPUS='%.60s' is no list of numbers", text);
    *ret_place = (size_t)place;
    return 0;
}

/* Whether a trial may take a device, of which there are GPUs among those that it sees. */
static int may_take(const struct asy_device_info *info, int has_gpus, int sees_gpus)
{
    return has_gpus && sees_gpus ? !info->is_cpu : has_gpus || info->is_cpu;
}

int asy__device_pick(const struct asy_device_info *info, size_t n, int has_gpus,
                     const char *rank_gpus, int local_rank, size_t *ret_index,
                     struct asy_error *err)
{
    size_t usable = 0, nth = (size_t)local_rank;
    int sees_gpus = 0, rc;

    for (size_t i = 0; i < n; i++)
        sees_gpus |= !info[i].is_cpu;
    for (size_t i = 0; i < n; i++)
        usable += may_take(&info[i], has_gpus, sees_gpus);
    if (usable == 0)
        return asy_fail(err, ASY_E_NOENT, n ? "it has GPUs alone, and resources.gpus asks for none"
                                            : "it shows no device");
    if (!has_gpus || !rank_gpus)
        nth %= usable;
    else if ((rc = asy__rank_gpu(rank_gpus, local_rank, &nth, err)) < 0)
        return rc;
    if (nth >= usable)
        return asy_fail(err, ASY_E_NOENT, "rank %d was given the trial's GPU %zu, and it shows %zu",
                        local_rank, nth, usable);
    for (size_t i = 0, k = 0; i < n; i++)
        if (may_take(&info[i], has_gpus, sees_gpus) && k++ == nth)
            *ret_index = i;
    return 0;
}

/* A worker that offers PoCL's devices as GPUs (worker_gpus: any) says so by their ids. */
static int is_lent_cpus(void)
{
    const char *ids = getenv("ASSAY_GPUS");

    return ids && strstr(ids, "pocl-");
}

static int open_mine(enum asy_device_kind kind, int has_gpus, int local_rank,
                     struct asy_device **ret, struct asy_error *err)
{
    struct asy_device_info info[DEVICES_MAX];
    size_t n = 0, index = 0;
    int rc = asy_device_list(kind, info, DEVICES_MAX, &n, err);

    if (rc < 0)
        return rc;
    rc = asy__device_pick(info, n < DEVICES_MAX ? n : DEVICES_MAX, has_gpus,
                          getenv("ASSAY_RANK_GPUS"), local_rank, &index, err);
    if (rc == 0 && has_gpus && info[index].is_cpu && !is_lent_cpus())
        rc = asy_fail(err, ASY_E_NOENT, "it shows none of the trial's GPUs");
    if (rc < 0) {
        asy_error_prefix(err, "%s", asy_device_kinds[kind]);
        return rc;
    }
    return asy_device_open(kind, index, ret, err);
}

static int open_any_gpu(int local_rank, struct asy_device **ret, struct asy_error *err)
{
    struct asy_error why = ASY_ERROR_INIT, why_cl = ASY_ERROR_INIT;

    if (open_mine(ASY_DEVICE_CUDA, 1, local_rank, ret, &why) == 0 ||
        open_mine(ASY_DEVICE_OPENCL, 1, local_rank, ret, &why_cl) == 0)
        return 0;
    return asy_fail(err, ASY_E_NOENT, "the trial's GPUs can be used neither by cuda (%.90s) nor by "
                    "opencl (%.90s)", why.text, why_cl.text);
}

int asy__device_choose(const char *word, int has_gpus, int local_rank,
                       struct asy_device **ret_device, struct asy_error *err)
{
    int rc = 0;

    *ret_device = NULL;
    if (!word || !strcmp(word, "auto")) {
        if (has_gpus)
            rc = open_any_gpu(local_rank, ret_device, err);
    } else if (!strcmp(word, asy_device_kinds[ASY_DEVICE_OPENCL])) {
        rc = open_mine(ASY_DEVICE_OPENCL, has_gpus, local_rank, ret_device, err);
    } else if (!strcmp(word, asy_device_kinds[ASY_DEVICE_CUDA])) {
        rc = open_mine(ASY_DEVICE_CUDA, has_gpus, local_rank, ret_device, err);
    } else if (strcmp(word, asy_device_kinds[ASY_DEVICE_CPU]) != 0) {
        return asy_fail(err, ASY_E_INVAL, "device: '%.40s' is not one of auto, cpu, opencl, cuda",
                        word);
    }
    if (rc < 0)
        asy_error_prefix(err, "resources.device");
    return rc;
}
