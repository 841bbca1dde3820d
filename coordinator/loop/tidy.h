/* SPDX-License-Identifier: Apache-2.0
 * tidy.h - files of checkpoints among the artifacts, by whose they are: each bears its study's id.
 *
 * Threads: any. */
#ifndef ASY__TIDY_H
#define ASY__TIDY_H
#include <asy/id.h>

#define ASY__TIDY_FOLDERS 257u
/* Calls found() for each checkpoint in one of the folders of artifacts, number 0 to 255; 256: for
 * each part of one that has not arrived. Models, and what else is no study's own, it never sees.
 * A folder that cannot be read has none. */
void asy__tidy_look(const char *artifacts, unsigned number,
                    void (*found)(void *arg, const char *path, struct asy_id study), void *arg);
#endif
