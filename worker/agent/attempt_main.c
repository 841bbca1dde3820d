/* SPDX-License-Identifier: Apache-2.0
 * assay-attempt: supervises one program for assay-worker. */
#include <asy/attempt.h>
#include <stdio.h>
#include <string.h>
#include <asy/output.h>
#include <asy/version.h>

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "--version"))
        return asy_version_main("assay-attempt", NULL, 0, argc, argv);
    if (argc == 2 && !strcmp(argv[1], "--help")) {
        puts("assay-attempt: supervises one program for assay-worker, which starts it.\n"
             "It binds and limits the program, ends all of its descendants when the worker is\n"
             "gone or asks for it, and reports how it ended. It is of no use by hand.");
        return asy_output_end("assay-attempt", 0);
    }
    if (argc > 1 && !strcmp(argv[1], "--launch"))
        return asy_attempt_launch(argc - 1, argv + 1);
    return asy_attempt_main(argc, argv);
}
