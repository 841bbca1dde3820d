/* SPDX-License-Identifier: Apache-2.0
 * output.c - whether all that a program printed got through. */
#include <asy/output.h>

int asy_output_end_of(FILE *out, const char *program, int status)
{
    int failed = ferror(out);

    if ((fflush(out) == 0 && !failed) || status != 0)
        return status;
    fprintf(stderr, "%s: cannot write to standard output\n", program);
    return 1;
}

int asy_output_end(const char *program, int status)
{
    return asy_output_end_of(stdout, program, status);
}
