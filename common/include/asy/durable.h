/* SPDX-License-Identifier: Apache-2.0
 * asy/durable.h - files that survive a power loss: write, fsync, rename, fsync of the folder.
 *
 * Every durable file of Assay (artifacts, checkpoints, discovery file, keys) goes through here, and
 * every system call goes through one table of operations, so that tests can drop, tear or reorder
 * whatever was not synced (tests/store/test_power_loss.c).
 *
 * Threads: any; the table is set once before threads start. */
#ifndef ASY_DURABLE_H
#define ASY_DURABLE_H
#include <sys/types.h>
#include <asy/error.h>
#include <asy/hash.h>

struct asy_durable_ops {
    int (*open)(const char *path, int flags, mode_t mode);
    ssize_t (*write)(int fd, const void *bytes, size_t n);
    int (*fsync)(int fd);
    int (*close)(int fd);
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
    int (*mkdir)(const char *path, mode_t mode);
};
void asy_durable_set_ops(const struct asy_durable_ops *ops); /* NULL: the real system calls */

/* Creates path and its missing parents (mode 0700 each), each synced into its parent. */
ASY_MUST_CHECK int asy_durable_mkdirs(const char *path, struct asy_error *err);
/* Replaces the file at path with n bytes, atomically and durably. */
ASY_MUST_CHECK int asy_durable_write(const char *path, const void *bytes, size_t n, mode_t mode,
                                     struct asy_error *err);
/* Syncs an already written file and moves it to path, atomically and durably. from and path are on
 * one file system. */
ASY_MUST_CHECK int asy_durable_move(const char *from, const char *path, struct asy_error *err);
/* Syncs a written folder tree (files first, then folders, bottom up) and moves it to path, which
 * must not exist. Symbolic links and special files are refused. */
ASY_MUST_CHECK int asy_durable_move_tree(const char *from, const char *path,
                                         struct asy_error *err);
/* Moves a file or a folder tree whose content has this id to path, the name of that content, and
 * makes path's folder if need be; from is gone then. What somebody has put there already is made
 * durable like our own, since its maker may have died before it was, and replaced if damaged. */
ASY_MUST_CHECK int asy_durable_keep(const char *from, struct asy_sha sha, const char *path,
                                    struct asy_error *err);
/* Makes what is at path, a file or a tree, and its name durable, whoever wrote it. */
ASY_MUST_CHECK int asy_durable_sync(const char *path, struct asy_error *err);
/* The same for what was written to an open file, without its name. -1: errno says why. */
int asy_durable_sync_open(int fd);
/* The content id of a folder tree: sha256 over "<sha256>  <relative path>\n" of its files in byte
 * order of the path. ret_bytes (NULL allowed): total size. */
ASY_MUST_CHECK int asy_durable_tree_sha(const char *path, struct asy_sha *ret,
                                        uint64_t *ret_bytes, struct asy_error *err);
/* The files of a tree in that order, relative to path: a NULL-terminated list, which is one block
 * and the caller's to free(). */
ASY_MUST_CHECK int asy_durable_tree_files(const char *path, char ***ret_files, size_t *ret_n,
                                          struct asy_error *err);
/* Removes a file or a folder tree; a missing one is fine. Not synced. */
ASY_MUST_CHECK int asy_durable_remove(const char *path, struct asy_error *err);
/* Gives back a piece of a large file of it, synced; 1: it did, and there may be more. Until it
 * returns 0 this makes ready for removal what nobody reads any more and what shares a disk with
 * commits: file systems that tell the disk of freed blocks (mounted with discard) let all syncs
 * wait meanwhile, some 150 ms for 256 MiB that are removed at once. */
int asy_durable_shrink(const char *path);
/* Reads a whole file of at most max bytes into a new terminated buffer, the caller's to free(). */
ASY_MUST_CHECK int asy_read_file(const char *path, size_t max, char **ret_bytes, size_t *ret_len,
                                 struct asy_error *err);
#endif
