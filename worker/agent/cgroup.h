/* SPDX-License-Identifier: Apache-2.0
 * cgroup.h - one group of cgroup v2 around an attempt, where this user may make one. */
#ifndef ASY__CGROUP_H
#define ASY__CGROUP_H
#include <sys/types.h>
#include <asy/base.h>

struct asy__cgroup {
    char path[512]; /* "" while there is none */
    int has_memory; /* the memory controller counts and limits */
};
/* Makes a group below parent with a limit (0: none). Quietly leaves it empty if the kernel or the
 * rights say no: a supervisor works without it too. */
void asy__cgroup_create(struct asy__cgroup *group, const char *parent, uint64_t memory);
int asy__cgroup_join(const struct asy__cgroup *group, pid_t pid); /* 0 or -1 */
void asy__cgroup_kill(const struct asy__cgroup *group);
uint64_t asy__cgroup_oom_kills(const struct asy__cgroup *group);
uint64_t asy__cgroup_peak(const struct asy__cgroup *group); /* bytes; 0: not known */
void asy__cgroup_remove(struct asy__cgroup *group);
/* The group of a supervisor that was killed: ends what is in it, removes it if that is quick. */
void asy__cgroup_abandoned(const char *parent, pid_t supervisor);
#endif
