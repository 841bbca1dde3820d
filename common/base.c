/* SPDX-License-Identifier: Apache-2.0
 * base.c - what the macros of asy/base.h expand to. A failed assertion writes with stdio and
 * aborts: nothing else in the process can be trusted to report it. */
#include <asy/base.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void asy_assert_failed(const char *file, int line, const char *cond, const char *fmt, ...)
{
    va_list args;

    fprintf(stderr, "%s:%d: does not hold: %s", file, line, cond);
    if (fmt[1]) { /* the macro puts a space before the text, so that it may be left out */
        fputc(':', stderr);
        va_start(args, fmt);
        vfprintf(stderr, fmt, args);
        va_end(args);
    }
    fputc('\n', stderr);
    fflush(stderr);
    abort();
}

void asy__auto_free(void *pointer_to_pointer)
{
    void **p = pointer_to_pointer;
    int saved = errno;

    free(*p);
    *p = NULL;
    errno = saved;
}

void asy__auto_close(int *fd)
{
    int saved = errno;

    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    errno = saved;
}
