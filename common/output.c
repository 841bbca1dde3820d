/* SPDX-License-Identifier: Apache-2.0
 * output.c - whether all that a program printed got through. */
#include <asy/output.h>
#include <stdio.h>

int asy_output_end(const char *program, int status)
{
    int failed = ferror(stdout);

    if ((fflush(stdout) == 0 && !failed) || status != 0)
        return status;
    fprintf(stderr, "%s: cannot write to standard output\n", program);
    return 1;
}
