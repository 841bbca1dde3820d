/* SPDX-License-Identifier: Apache-2.0
 * paths.h - paths in the folders that a job has. */
#ifndef ASY__PATHS_H
#define ASY__PATHS_H
#include <asy/error.h>

#define ASY__JOB_FOLDER "job's folder"
#define ASY__LOG_FOLDER "log folder"

/* Prints a path to [size] bytes. ASY_E_INVAL: they are too few for one in this folder, which the
 * text names so. */
ASY_MUST_CHECK ASY_PRINTF(5, 6) int asy__path(char *path, size_t size, const char *folder,
                                              struct asy_error *err, const char *format, ...);
#endif
