/* SPDX-License-Identifier: Apache-2.0
 * trees_device.h - a fit of asy/gbdt.h whose rounds a device makes (asy/device_trees.h): the model,
 * margins and what is drawn as there.
 *
 * Ownership: create/destroy; borrows what a fit does, and the device. Threads: one owner. */
#ifndef ASY__TREES_DEVICE_H
#define ASY__TREES_DEVICE_H
#include <asy/device.h>
#include <asy/gbdt.h>

struct asy__device_fit;
/* As asy_gbdt_fit_create(). Ranks do not talk. */
ASY_MUST_CHECK int asy__device_fit_create(struct asy_device *device, struct asy_gbdt *model,
                                          const struct asy_gbdt_table *table, const float *label,
                                          const float *weight, const struct asy_gbdt_shard *shard,
                                          struct asy__device_fit **ret_fit, struct asy_error *err);
void asy__device_fit_destroy(struct asy__device_fit *fit); /* NULL is fine */
/* As asy_gbdt_fit_round(). Two reads of the device: of the trees, and of the margins. ASY_E_GONE:
 * the device of any rank failed. */
ASY_MUST_CHECK int asy__device_fit_round(struct asy__device_fit *fit, struct asy_error *err);
const float *asy__device_fit_margins(const struct asy__device_fit *fit);
#endif
