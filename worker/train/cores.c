/* SPDX-License-Identifier: Apache-2.0
 * cores.c - see cores.h. */
#include "cores.h"
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <asy/cpus.h>

#define CPUS_MAX 8192

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

int asy__cores_team(size_t cores, struct asy_team **team, struct asy_error *err)
{
    unsigned *cpus;
    size_t n = 0;
    int rc;

    if (*team || cores <= 1)
        return 0;
    if (!(cpus = calloc(CPUS_MAX, sizeof *cpus)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a list of CPUs");
    if ((rc = asy_cpus_read((pid_t)syscall(SYS_gettid), cpus, CPUS_MAX, &n, err)) == 0 && n > 1)
        rc = asy_team_create(smaller(smaller(cores, n), ASY_TEAM_MAX), n == cores ? cpus : NULL,
                             team, err);
    free(cpus);
    return rc;
}
