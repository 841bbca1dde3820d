/* SPDX-License-Identifier: Apache-2.0
 * asy/output.h - the end of what a program prints.
 *
 * In asy-version: only programs link it, and only they print. Threads: any. */
#ifndef ASY_OUTPUT_H
#define ASY_OUTPUT_H
#include <stdio.h>

/* To be called last, with the exit code so far: what did not get through to standard output (a full
 * disk) must not look done. Returns that code, or 1 in place of 0, and says why on stderr. */
int asy_output_end(const char *program, int status);
/* The same where answers go to another stream than stdout. */
int asy_output_end_of(FILE *out, const char *program, int status);
#endif
