/* SPDX-License-Identifier: Apache-2.0
 * on_device.h - a planned network on an accelerator (asy/device.h): which one, and the network as a
 * learner there.
 *
 * Which: `cpu`, `opencl` or `cuda` says so; `auto` is cuda, or opencl where there is no cuda, for a
 * trial that was given GPUs, and else the cpu. A trial with GPUs takes those that it sees, one a
 * rank: the one that ASSAY_RANK_GPUS gives it, in turn where that is not set. An OpenCL that
 * computes on cores (PoCL) stands for a GPU only where a trial sees no other device, as a worker
 * that offers it as one lets it. Without GPUs `opencl` means such a one on the trial's cores, never
 * somebody else's GPU. Nothing falls back to the cpu.
 *
 * Ownership: create/destroy; the device stays the caller's. Threads: one owner. */
#ifndef ASY__ON_DEVICE_H
#define ASY__ON_DEVICE_H
#include <asy/device.h>
#include "learn/learner.h"
#include "learn/tally.h"
#include "net/net.h"

/* The first GPU of a rank, by number among the trial's: "0;1" or "0,1;2,3" in ASSAY_RANK_GPUS.
 * ASY_E_FORMAT: the text is not like that, or speaks of fewer ranks. */
ASY_MUST_CHECK int asy__rank_gpu(const char *text, int local_rank, size_t *ret_place,
                                 struct asy_error *err);
/* Which of the n devices of a kind a rank of a trial takes; rank_gpus: ASSAY_RANK_GPUS, NULL: not
 * set. ASY_E_NOENT: there is none for it. */
ASY_MUST_CHECK int asy__device_pick(const struct asy_device_info *info, size_t n, int has_gpus,
                                    const char *rank_gpus, int local_rank, size_t *ret_index,
                                    struct asy_error *err);
/* Of a rank's place in its node. *ret_device stays NULL: the cpu. word NULL: auto. */
ASY_MUST_CHECK int asy__device_choose(const char *word, int has_gpus, int local_rank,
                                      struct asy_device **ret_device, struct asy_error *err);

struct asy__on_device;
struct asy__on_device_options {
    const struct asy__net *net;
    size_t labels;              /* of a row */
    const float *class_weights; /* NULL: ones */
    size_t n_classes;
    int keeps_m, keeps_v, keeps_mean;
    int adds;                   /* gradients of pieces of a batch are added up there */
    struct asy_comm *comm; /* of ranks with a part of each batch; NULL: it is here as a whole */
    const struct asy__tally *tally; /* of the rows that are scored there; NULL: sums are enough */
};
ASY_MUST_CHECK int asy__on_device_create(struct asy_device *device,
                                         const struct asy__on_device_options *options,
                                         struct asy__on_device **ret, struct asy_error *err);
void asy__on_device_destroy(struct asy__on_device *on); /* NULL is fine */
struct asy_device_net *asy__on_device_net(struct asy__on_device *on); /* borrowed */

/* Arrays of a training in the host's memory; NULL: it keeps none. */
struct asy__on_device_state {
    float *params, *m, *v, *mean; /* [n_params] */
    float *buffers;               /* [n_buffers] */
};
/* To the device, from where all training goes on there; and back. */
ASY_MUST_CHECK int asy__on_device_put(struct asy__on_device *on,
                                      const struct asy__on_device_state *state,
                                      struct asy_error *err);
ASY_MUST_CHECK int asy__on_device_get(struct asy__on_device *on,
                                      const struct asy__on_device_state *state,
                                      struct asy_error *err);
/* As learner is on the cpu, but computed there. What asy__on_device_put() has taken from params and
 * mean is used where it lies while the learner's params are one of these; others are sent there.
 * Its gradient sends all parameters, and brings the gradient back: for ranks, which add it up. */
struct asy__learner asy__on_device_learner(struct asy__on_device *on,
                                           const struct asy__learner *learner);
#endif
