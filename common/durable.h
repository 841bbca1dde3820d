/* SPDX-License-Identifier: Apache-2.0
 * durable.h - what durable.c and durable_tree.c share. */
#ifndef ASY__DURABLE_H
#define ASY__DURABLE_H
#include <limits.h>
#include <asy/durable.h>

/* The operations in force. */
const struct asy_durable_ops *asy__durable_ops(void);
/* The folder of path, with room for a name of ours behind it. */
ASY_MUST_CHECK int asy__parent_of(const char *path, char ret[PATH_MAX], struct asy_error *err);
/* Opens, syncs and closes a file, or a folder with flag O_DIRECTORY. */
ASY_MUST_CHECK int asy__sync(const char *path, int flag, struct asy_error *err);
/* Syncs the folder that holds path. */
ASY_MUST_CHECK int asy__sync_parent(const char *path, struct asy_error *err);
#endif
