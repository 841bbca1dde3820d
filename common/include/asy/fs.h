/* SPDX-License-Identifier: Apache-2.0
 * asy/fs.h - the kind of a file system. A database's write-ahead log needs memory shared by all who
 * open it, which no two hosts have; a job that is requeued needs a store that the next host sees.
 *
 * Threads: any. */
#ifndef ASY_FS_H
#define ASY_FS_H
#include <asy/error.h>

/* The kind of the file system that holds path, which exists ("ext", "nfs", "unknown (0x2a)"), and
 * whether several hosts may share it (so it is taken for anything not known as local). */
ASY_MUST_CHECK int asy_fs_of(const char *path, char name[32], int *ret_network,
                             struct asy_error *err);
#endif
