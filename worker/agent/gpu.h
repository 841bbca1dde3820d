/* SPDX-License-Identifier: Apache-2.0
 * gpu.h - the GPUs of this node: which there are, which of them are offered, and what a program is
 * told so that it sees its own alone.
 *
 * Drivers are asked by children of ours with a time limit, one for each interface, which load it at
 * run time: a driver that hangs or crashes takes no agent with it. Devices are known by UUID or PCI
 * address. Numbers of devices are never used: each interface counts on its own, and what a batch
 * system hides changes them.
 *
 * Ownership: plain structs; find/fini. Threads: main only. */
#ifndef ASY__GPU_H
#define ASY__GPU_H
#include <sys/types.h>
#include <asy/json.h>
#include <asy/msg.h>
#include <asy/node.h>

#define ASY__GPUS_MAX 256
#define ASY__GPU_ID 96       /* as long as NVML's longest, of a MIG instance */
#define ASY__GPU_PROBE_MS 20000

enum asy__gpu_maker {
    ASY__GPU_OTHER, ASY__GPU_NVIDIA, ASY__GPU_AMD, ASY__GPU_INTEL, ASY__GPU_POCL,
};
#define ASY__GPU_BY_NVML 1u
#define ASY__GPU_BY_CUDA 2u
#define ASY__GPU_BY_OPENCL 4u
#define ASY__GPU_INTERFACES 3

struct asy__gpu {
    char id[ASY__GPU_ID];        /* what leases and programs call it */
    char uuid[ASY__GPU_ID];      /* "GPU-…", "MIG-…"; "": unknown */
    char pci[24];                /* "0000:65:00.0"; "": unknown */
    char parent[ASY__GPU_ID];    /* of a MIG instance: its card's UUID */
    char name[128], driver[64];
    char mode[24];               /* compute mode: "default", "exclusive", "prohibited"; "" */
    enum asy__gpu_maker maker;
    uint64_t memory;             /* bytes; 0: unknown */
    uint32_t group;              /* 1 + NUMA group; 0: near none, or near all */
    unsigned by;                 /* the interfaces that see it */
    int cpu;                     /* it is one, for OpenCL */
    int split;                   /* into MIG instances, which stand beside it */
    int offered;
    char note[160];              /* why it is not offered */
};
struct asy__gpus {
    struct asy__gpu *list;       /* [n] */
    size_t n;
    int unmanaged;               /* programs see whatever the agent sees */
    int pending;                 /* drivers are still asked: there may be any */
    char note[ASY__GPU_INTERFACES][200]; /* of NVML, CUDA, OpenCL: "" or why it said nothing */
    char wanted_note[240];       /* "" or what is wrong with the wish */
};

struct asy__gpu_options {
    const char *wanted;          /* the setting worker_gpus */
    const char *program;         /* path of assay-worker; "": nothing is looked for */
    int timeout_ms;
    const char *sys;             /* "/sys", or a recorded one */
};

/* ---- gpu_nvml.c, gpu_cuda.c, gpu_opencl.c: the children -------------------------------------- */
/* Writes what the interface sees: {"error":"","devices":[{…}]}. A library that is not installed is
 * no error. Called in a process of its own, which should _exit() soon after. */
void asy__gpu_ask_nvml(struct asy_jsonw *w);
void asy__gpu_ask_cuda(struct asy_jsonw *w);
void asy__gpu_ask_opencl(struct asy_jsonw *w);

/* ---- gpu_find.c ------------------------------------------------------------------------------ */
/* Asks all interfaces at once; their answers may be waited for. options' texts must outlive it. */
struct asy__gpu_search;
ASY_MUST_CHECK int asy__gpu_search_begin(const struct asy__gpu_options *options,
                                         struct asy__gpu_search **ret_search,
                                         struct asy_error *err);
/* 1: all have answered and ended, or their time is up; those that still ask were killed then, and
 * given a second to end. 0: not yet, after timeout_ms (-1: however long it takes). */
int asy__gpu_search_wait(struct asy__gpu_search *search, int timeout_ms);
/* Of the processes that still ask, at most ASY__GPU_INTERFACES; none of NULL. */
size_t asy__gpu_search_pids(const struct asy__gpu_search *search, pid_t *ret_pids);
/* What has come of it once the wait has said 1, as asy__gpus_find(); does not block. The search is
 * destroyed in any case. */
ASY_MUST_CHECK int asy__gpu_search_end(struct asy__gpu_search *search, struct asy__gpus *ret,
                                       struct asy_error *err);
void asy__gpu_search_destroy(struct asy__gpu_search *search); /* NULL is fine */
/* What cannot be found out, and a wish that makes no sense, stand in the notes. ASY_E_NOMEM. */
ASY_MUST_CHECK int asy__gpus_find(const struct asy__gpu_options *options, struct asy__gpus *ret,
                                  struct asy_error *err);
void asy__gpus_fini(struct asy__gpus *gpus);
/* "GPU-aaaaaaaa-1111-…" of its 16 bytes. text holds ASY__GPU_ID bytes. */
void asy__gpu_uuid(const uint8_t *bytes, const char *prefix, char *text);
/* Adds the devices of one answer to the list: what several interfaces see is one device. A device
 * that does not fit any more is left out. */
void asy__gpus_add(struct asy__gpus *gpus, const struct asy_json *answer, unsigned by);
/* By id, UUID or PCI address ("65:00.0" too); NULL: not here. */
struct asy__gpu *asy__gpus_get(const struct asy__gpus *gpus, const char *word);
/* The answer as it is shown by probes: list, and notes. */
void asy__gpus_write(const struct asy__gpus *gpus, struct asy_jsonw *w);

/* ---- gpu_offer.c ----------------------------------------------------------------------------- */
/* "auto", "any", "none", "unmanaged", or ids separated by commas. */
ASY_MUST_CHECK int asy__gpus_wanted_check(const char *wanted, struct asy_error *err);
/* Decides which devices are offered. visible: CUDA_VISIBLE_DEVICES of the agent; NULL: not set.
 * mask: its ZE_AFFINITY_MASK. */
void asy__gpus_offer(struct asy__gpus *gpus, const char *wanted, const char *visible,
                     const char *mask);
size_t asy__gpus_offered(const struct asy__gpus *gpus);

/* ---- gpu_env.c ------------------------------------------------------------------------------- */
struct asy__words;
/* Variables by which a program sees these devices and no others: ids[n] with the shares[n] of each,
 * as many for every rank, rank by rank. */
void asy__gpu_env(const struct asy__gpus *gpus, const char *const *ids, const uint32_t *shares,
                  size_t n, uint32_t ranks, struct asy__words *env);
#endif
