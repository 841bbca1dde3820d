/* SPDX-License-Identifier: Apache-2.0
 * asy/cpus.h - logical CPUs by the kernel's numbers: as text, and as affinity masks that are read
 * back after being set.
 *
 * Threads: any. */
#ifndef ASY_CPUS_H
#define ASY_CPUS_H
#include <sys/types.h>
#include <asy/error.h>

/* "0,2-3" from numbers in ascending order, and back. ASY_E_FORMAT, ASY_E_FULL: over max. */
ASY_MUST_CHECK int asy_cpus_format(const unsigned *cpus, size_t n, char *ret_text, size_t size,
                                   struct asy_error *err);
ASY_MUST_CHECK int asy_cpus_parse(const char *text, unsigned *ret_cpus, size_t max, size_t *ret_n,
                                  struct asy_error *err);
/* Sorts, and drops what comes twice; returns how many are left. */
size_t asy_cpus_sort(unsigned *cpus, size_t n);
/* Binds a thread (0: the caller's) to the CPUs and reads the mask back. ASY_E_DENIED: it differs
 * from what was asked. */
ASY_MUST_CHECK int asy_cpus_bind(pid_t tid, const unsigned *cpus, size_t n, struct asy_error *err);
/* The mask of a thread as the kernel has it (pid: of a process's first). ASY_E_GONE: no such
 * process. */
ASY_MUST_CHECK int asy_cpus_read(pid_t pid, unsigned *ret_cpus, size_t max, size_t *ret_n,
                                 struct asy_error *err);
/* Every thread of a process, those too that start meanwhile: binds it and reads it back, or only
 * looks whether it may run on others, as one may be pinned to some of them. ASY_E_DENIED: one has
 * other CPUs. */
ASY_MUST_CHECK int asy_cpus_bind_all(pid_t pid, const unsigned *cpus, size_t n,
                                     struct asy_error *err);
ASY_MUST_CHECK int asy_cpus_check_all(pid_t pid, const unsigned *cpus, size_t n,
                                      struct asy_error *err);
#endif
