/* SPDX-License-Identifier: Apache-2.0
 * spawn.h - the supervisor's start of its program: bound, limited, verified, and only then run. */
#ifndef ASY__SPAWN_H
#define ASY__SPAWN_H
#include "cgroup.h"
#include <asy/error.h>

#define ASY__SPAWN_CPUS 4096

struct asy__spawn {
    char **argv;
    unsigned cpus[ASY__SPAWN_CPUS];
    size_t n_cpus;          /* 0: not bound */
    const char *out, *err;  /* files; NULL: /dev/null */
    int out_fd;             /* >= 0: instead of out */
    int deaf;               /* it starts with SIGTERM and other warnings blocked */
};
/* Starts it and returns its pid once exec has succeeded. ASY_E_DENIED: refused, the binding did not
 * hold; ASY_E_NOENT: there is no such program, or it cannot be executed; other codes: it could not
 * be started. */
ASY_MUST_CHECK int asy__spawn(const struct asy__spawn *spawn, const struct asy__cgroup *group,
                              pid_t *ret_pid, struct asy_error *err);
#endif
