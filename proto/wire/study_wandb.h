/* SPDX-License-Identifier: Apache-2.0
 * study_wandb.h - W&B sweep files: translated, node by node, into the tree of a study file, which
 * is then read like any other. Each node made has the place of what it comes from, so that mistakes
 * found later point into the user's file.
 *
 * What W&B means was learnt from its documentation and from the behaviour of its sweep server as
 * published (https://docs.wandb.ai/models/sweeps/sweep-config-keys): names of keys, defaults,
 * distributions, rounding. What has no counterpart is a mistake that says so. */
#ifndef ASY__STUDY_WANDB_H
#define ASY__STUDY_WANDB_H
#include "study_impl.h"

/* Nodes in the study's memory; on want of it NULL, noted. A NULL map or value is let be. */
struct asy_yaml *asy__node_map(struct asy__parse *p, const struct asy_yaml *at, size_t room);
struct asy_yaml *asy__node_list(struct asy__parse *p, const struct asy_yaml *at, size_t room);
struct asy_yaml *asy__node_text(struct asy__parse *p, const struct asy_yaml *at, const char *text);
struct asy_yaml *asy__node_int(struct asy__parse *p, const struct asy_yaml *at, int64_t value);
struct asy_yaml *asy__node_real(struct asy__parse *p, const struct asy_yaml *at, double value);
struct asy_yaml *asy__node_flag(struct asy__parse *p, const struct asy_yaml *at, int value);
/* The room was given. key is copied. */
void asy__node_put(struct asy__parse *p, struct asy_yaml *map, const char *key,
                   struct asy_yaml *value);
void asy__node_add(struct asy_yaml *list, struct asy_yaml *value);

/* Keys of a map that are not among known, as mistakes. */
void asy__wandb_keys(struct asy__parse *p, const struct asy_yaml *map, const char *where,
                     const char *const *known, size_t n);
/* W&B's reader takes a bare yes, no, on or off for a flag; a quoted one is a text. -1: neither. */
int asy__wandb_flag(const struct asy__parse *p, const struct asy_yaml *node);
/* A member that is there and not null. */
const struct asy_yaml *asy__wandb_member(const struct asy_yaml *map, const char *key);

/* study_wandb_space.c: W&B's `parameters` as those of a study. */
struct asy_yaml *asy__wandb_space(struct asy__parse *p, const struct asy_yaml *map, int grid);
/* In place of parameters that are missing: one of a single value. */
struct asy_yaml *asy__wandb_no_space(struct asy__parse *p, const struct asy_yaml *at);
#endif
