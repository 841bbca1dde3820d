/* SPDX-License-Identifier: Apache-2.0
 * copy.h - folders and copies of the study's files. */
#ifndef ASY__AGENT_COPY_H
#define ASY__AGENT_COPY_H
#include <sys/types.h>
#include <asy/error.h>

/* mkdir -p with mode 0700; nothing is synced. */
ASY_MUST_CHECK int asy__mkdirs(const char *path, struct asy_error *err);
/* Copies a regular file or a folder tree to the path `to`, whose parents are made. Executable bits
 * stay; symbolic links to files are followed, special files refused. *budget counts the bytes that
 * may still be copied. */
ASY_MUST_CHECK int asy__copy(const char *from, const char *to, uint64_t *budget,
                             struct asy_error *err);
/* The same for one file, which gets the mode 0600, or 0700 where mode has 0100. */
ASY_MUST_CHECK int asy__copy_file(const char *from, const char *to, mode_t mode, uint64_t *budget,
                                  struct asy_error *err);
/* Takes the write permission of a file, or of all files of a tree. */
void asy__write_protect(const char *path);
#endif
