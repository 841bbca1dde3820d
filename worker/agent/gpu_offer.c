/* SPDX-License-Identifier: Apache-2.0
 * gpu_offer.c - which of the devices that were found are offered: those that this process may use,
 * that programs can be shown one by one, and that the user wants. Each other one gets a note. */
#include "gpu.h"
#include "impl.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX_MIN 8 /* of a UUID, as CUDA takes it: "GPU-" and some digits */

/* ---- the setting ----------------------------------------------------------------------------- */

static int is_word(const char *wanted, const char *word)
{
    return !strcmp(wanted, word);
}

static int is_list(const char *wanted)
{
    return !is_word(wanted, "auto") && !is_word(wanted, "any") && !is_word(wanted, "none") &&
           !is_word(wanted, "unmanaged");
}

/* The next of a list's entries without the blanks around it, or NULL. */
static const char *next(const char **at, char *entry, size_t size)
{
    size_t len;

    *at += strspn(*at, ", \t");
    if (!**at)
        return NULL;
    len = strcspn(*at, ",");
    snprintf(entry, size, "%.*s", (int)len, *at);
    *at += len;
    for (len = strlen(entry); len > 0 && strchr(" \t", entry[len - 1]);)
        entry[--len] = '\0';
    return entry;
}

int asy__gpus_wanted_check(const char *wanted, struct asy_error *err)
{
    char entry[ASY__GPU_ID];
    const char *at = wanted;
    int n = 0;

    if (!is_list(wanted))
        return 0;
    for (; next(&at, entry, sizeof entry); n++)
        if (!strchr(entry, '-') && !strchr(entry, ':'))
            return asy_fail(err, ASY_E_INVAL,
                            "worker_gpus is auto, any, none, unmanaged, or UUIDs and PCI "
                            "addresses ('assay doctor' shows them), not '%.60s'", entry);
    return n ? 0 : asy_fail(err, ASY_E_INVAL, "worker_gpus names no device; none offers none");
}

static int is_listed(const struct asy__gpus *gpus, const char *wanted, const struct asy__gpu *gpu)
{
    char entry[ASY__GPU_ID];
    const char *at = wanted;

    while (next(&at, entry, sizeof entry))
        if (asy__gpus_get(gpus, entry) == gpu)
            return 1;
    return 0;
}

static void note_missing(struct asy__gpus *gpus, const char *wanted)
{
    char entry[ASY__GPU_ID];
    const char *at = wanted;

    while (is_list(wanted) && next(&at, entry, sizeof entry))
        if (!asy__gpus_get(gpus, entry)) {
            snprintf(gpus->wanted_note, sizeof gpus->wanted_note,
                     "worker_gpus names '%.90s', which this node does not have", entry);
            return;
        }
}

/* ---- what the agent itself was given --------------------------------------------------------- */

static int is_number(const char *entry)
{
    return entry[0] && strspn(entry, "0123456789") == strlen(entry);
}

static int begins(const char *text, const char *prefix)
{
    return strlen(prefix) >= PREFIX_MIN && !strncasecmp(text, prefix, strlen(prefix));
}

static size_t cards(const struct asy__gpus *gpus)
{
    size_t n = 0;

    for (size_t i = 0; i < gpus->n; i++)
        n += gpus->list[i].maker == ASY__GPU_NVIDIA && !gpus->list[i].parent[0];
    return n;
}

/* Whether CUDA_VISIBLE_DEVICES names it. Numbers there count as CUDA does, which nobody else can
 * know: by themselves they decide only where they are as many as there are devices. */
static int is_named(const struct asy__gpus *gpus, const struct asy__gpu *gpu, const char *visible)
{
    char entry[ASY__GPU_ID];
    const char *at = visible;
    size_t n_numbers = 0;

    while (next(&at, entry, sizeof entry)) {
        if (is_number(entry))
            n_numbers++;
        else if (begins(gpu->uuid, entry))
            return 1;
        else if (strncasecmp(entry, "GPU-", 4) != 0 && strncasecmp(entry, "MIG-", 4) != 0)
            break; /* "-1" and the like: CUDA reads no further */
    }
    return n_numbers > 0 && n_numbers >= cards(gpus);
}

static int cuda_hides(const struct asy__gpus *gpus, const struct asy__gpu *gpu,
                      const char *visible)
{
    const struct asy__gpu *card = gpu;

    if (!visible || is_named(gpus, gpu, visible))
        return 0;
    if (gpu->parent[0])
        for (size_t i = 0; i < gpus->n; i++)
            if (!strcmp(gpus->list[i].uuid, gpu->parent))
                card = &gpus->list[i];
    /* Both obey the variable, numbers too. */
    return !((gpu->by | card->by) & (ASY__GPU_BY_CUDA | ASY__GPU_BY_OPENCL));
}

/* ---- one device ------------------------------------------------------------------------------ */

ASY_PRINTF(2, 3) static int refuse(struct asy__gpu *gpu, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(gpu->note, sizeof gpu->note, fmt, args);
    va_end(args);
    return 0;
}

static int nvidia(const struct asy__gpus *gpus, struct asy__gpu *gpu, const char *visible)
{
    if (!gpu->uuid[0])
        return refuse(gpu, "its driver tells no UUID, so no program can be shown it alone");
    if (gpu->split)
        return refuse(gpu, "it is split into MIG instances, which are offered instead");
    if (!strcmp(gpu->mode, "prohibited"))
        return refuse(gpu, "its compute mode is 'prohibited'");
    if (cuda_hides(gpus, gpu, visible))
        return refuse(gpu, "CUDA_VISIBLE_DEVICES of the worker leaves it out");
    return 1;
}

/* Whether it can be offered at all; listed: the user names it. */
static int can_be(const struct asy__gpus *gpus, struct asy__gpu *gpu, int listed,
                  const char *visible, const char *mask)
{
    if (!gpu->id[0])
        return refuse(gpu, "its driver tells neither a UUID nor a PCI address");
    switch (gpu->maker) {
    case ASY__GPU_NVIDIA:
        return nvidia(gpus, gpu, visible);
    case ASY__GPU_AMD:
        if (!gpu->uuid[0])
            return refuse(gpu, "its kernel driver tells no unique_id, so no program can be shown "
                               "it alone");
        return 1;
    case ASY__GPU_INTEL:
        if (gpu->cpu)
            return refuse(gpu, "it is a CPU");
        if (!gpu->pci[0])
            return refuse(gpu, "its driver tells no PCI address");
        if (mask)
            return refuse(gpu, "ZE_AFFINITY_MASK is set for the worker, which counts devices anew");
        return 1;
    case ASY__GPU_POCL:
        return listed || refuse(gpu, "it is a CPU; worker_gpus: any offers it all the same");
    case ASY__GPU_OTHER:
        if (gpu->cpu)
            return refuse(gpu, "it is a CPU");
        return listed || refuse(gpu, "programs cannot be kept from it; worker_gpus: any offers it "
                                     "all the same");
    }
    return 0;
}

void asy__gpus_offer(struct asy__gpus *gpus, const char *wanted, const char *visible,
                     const char *mask)
{
    int any = is_word(wanted, "any"), list = is_list(wanted);

    for (size_t i = 0; i < gpus->n; i++) {
        struct asy__gpu *gpu = &gpus->list[i];
        int listed = list && is_listed(gpus, wanted, gpu);

        gpu->note[0] = '\0';
        gpu->offered = can_be(gpus, gpu, any || listed, visible, mask);
        if (gpu->offered && list && !listed)
            gpu->offered = refuse(gpu, "worker_gpus does not name it");
    }
    note_missing(gpus, wanted);
}

size_t asy__gpus_offered(const struct asy__gpus *gpus)
{
    size_t n = 0;

    for (size_t i = 0; i < gpus->n; i++)
        n += gpus->list[i].offered != 0;
    return n;
}
