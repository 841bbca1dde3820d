/* SPDX-License-Identifier: Apache-2.0
 * cores.h - the threads of a rank that has several cores. */
#ifndef ASY__CORES_H
#define ASY__CORES_H
#include <asy/team.h>

/* A team for so many cores, but not for more than the calling thread may run on. Where these are
 * exactly as many, as an agent's leases have it, each member is pinned to one of them; where there
 * are more, others may be on them, and the kernel chooses. *team: NULL, else it stays as it is; of
 * one core it stays NULL. The caller destroys it. */
ASY_MUST_CHECK int asy__cores_team(size_t cores, struct asy_team **team, struct asy_error *err);
#endif
