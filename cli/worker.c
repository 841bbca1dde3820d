/* SPDX-License-Identifier: Apache-2.0
 * worker.c - `assay worker`: this program's name for assay-worker, which it becomes. */
#include "cli.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <asy/proc.h>

int asy__cmd_worker(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    char path[4096], **words = calloc((size_t)argc + 2, sizeof *words);

    if (!words) {
        asy_fail(&err, ASY_E_NOMEM, "no memory for %d arguments", argc);
        return asy__complain(&err);
    }
    if (asy_proc_find_program("assay-worker", path, sizeof path, &err) == 0) {
        words[0] = path;
        memcpy(words + 1, argv, (size_t)argc * sizeof *words);
        execv(path, words);
        asy_fail_errno(&err, errno, "cannot start '%s'", path);
    }
    free(words);
    return asy__complain(&err);
}
