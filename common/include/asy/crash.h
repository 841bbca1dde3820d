/* SPDX-License-Identifier: Apache-2.0
 * asy/crash.h - named points at which a test may have a program die, as by kill -9.
 *
 * ASSAY_FAIL_AT=<name> or <name>:<n> kills the process that passes this point, for the n-th time.
 * With ASSAY_FAIL_ONCE=<file> as well it dies only if it can make that file: a program that is
 * started again under the same environment lives, and the file shows that the point was passed.
 * Without the first variable a point costs one look at the environment.
 *
 * Each program keeps a table of its own points and lists it with --crash-points.
 *
 * Threads: any. */
#ifndef ASY_CRASH_H
#define ASY_CRASH_H
#include <asy/base.h>

struct asy_crash_point {
    const char *name; /* "<program>.<place>": no two programs share one */
    const char *help;
};
/* name must stand in the table. */
void asy_crash_at(const struct asy_crash_point *table, size_t n, const char *name);
#endif
