/* SPDX-License-Identifier: Apache-2.0
 * files_power.h - a folder tree that knows what a power loss would leave of it, through the table
 * of operations of asy/durable.h.
 *
 * The program runs on the real files; beside them stands a model of what is surely on disk. Bytes
 * of a file are sure once that file was synced, before that each 512-byte sector may be there or
 * not; names of a folder are sure once that folder was synced, before that each may be as it was
 * before any later change. A rename happens whole or not at all.
 *
 * One model at a time. Threads: one. */
#ifndef ASY_TEST_FILES_POWER_H
#define ASY_TEST_FILES_POWER_H
#include <stddef.h>
#include <stdint.h>
#include <asy/error.h>

#define FILES_NONE SIZE_MAX

/* root: an empty folder, surely on disk. dropped: the sync (counted from 0) that says it worked and
 * does nothing, or FILES_NONE. before_op is called before each operation. */
void files_start(const char *root, uint64_t seed, size_t dropped, void (*before_op)(void *arg),
                 void *arg);
void files_stop(void); /* the real system calls are back */
/* Syncs so far. */
size_t files_syncs(void);
/* What was made below the root by other means, and is not synced yet. */
void files_note(const char *path);
/* As files_note(), synced. */
void files_note_synced(const char *path);
/* Writes what a power loss leaves now into an empty folder; each call draws another image. */
void files_image(const char *folder);
#endif
