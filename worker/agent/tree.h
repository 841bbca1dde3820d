/* SPDX-License-Identifier: Apache-2.0
 * tree.h - the processes below a process, as /proc shows them. */
#ifndef ASY__TREE_H
#define ASY__TREE_H
#include <sys/types.h>
#include <asy/base.h>

#define ASY__TREE_MAX 65536

struct asy__tree {
    pid_t *pids;
    size_t n, cap;
};
/* All descendants of root, not root itself, nor keep[n_keep] and what is below those. Processes
 * that come or go meanwhile may be missed: callers that end a tree repeat until waitpid() says that
 * no child is left. 0, or ASY_E_NOMEM. */
ASY_MUST_CHECK int asy__tree_list(pid_t root, const pid_t *keep, size_t n_keep,
                                  struct asy__tree *ret_tree);
void asy__tree_fini(struct asy__tree *tree);
void asy__tree_signal(const struct asy__tree *tree, int signum);
/* Bytes of memory that these processes take up; what several of them have, as after fork(), counts
 * once. Up to `enough` it may count more often: telling that apart takes the kernel milliseconds
 * for each GiB. Files that are mapped do not count, unless their file system is memory. */
uint64_t asy__tree_memory(const struct asy__tree *tree, uint64_t enough);
/* Reads a small file of /proc or /sys; terminated, cut to size. -1 or its length. */
ssize_t asy__read_small(const char *path, char *text, size_t size);
#endif
