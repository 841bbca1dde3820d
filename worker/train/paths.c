/* SPDX-License-Identifier: Apache-2.0
 * paths.c - see paths.h. */
#include "paths.h"
#include <stdarg.h>
#include <stdio.h>

int asy__path(char *path, size_t size, const char *folder, struct asy_error *err,
              const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(path, size, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= size)
        return asy_fail(err, ASY_E_INVAL, "the path of the %s is too long", folder);
    return 0;
}
