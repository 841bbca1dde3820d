/* SPDX-License-Identifier: Apache-2.0
 * asy/team.h - threads that compute parts of one thing at once: for a process that has several
 * cores to itself, and pieces of work of some microseconds.
 *
 * Between two pieces members spin for a millisecond at most, then sleep; so does whoever waits for
 * them at a piece's end. How work is divided is for the work to say: what comes out must not depend
 * on it where bits are promised.
 *
 * Threads: one owner, who makes it, runs it and destroys it. Work runs on all members at once, the
 * owner's thread among them. */
#ifndef ASY_TEAM_H
#define ASY_TEAM_H
#include <asy/error.h>

#define ASY_TEAM_MAX 1024

struct asy_team; /* opaque */

/* A team of n members (1 to ASY_TEAM_MAX), the caller's thread being the first. cpus [n]: where
 * each is pinned, the caller's thread too until the team is destroyed; NULL: nowhere. ASY_E_NOMEM,
 * ASY_E_DENIED, or what keeps a thread from starting. The caller destroys it. */
ASY_MUST_CHECK int asy_team_create(size_t n, const unsigned *cpus, struct asy_team **ret_team,
                                   struct asy_error *err);
/* Its threads have ended then, and the caller's is pinned as it was before. NULL is fine. */
void asy_team_destroy(struct asy_team *team);
size_t asy_team_size(const struct asy_team *team); /* NULL: 1 */

/* work(arg, i, n) once on each member i of n, and returns when all have. NULL: here alone. It does
 * not run another piece of the same team. */
typedef void (*asy_team_work_f)(void *arg, size_t i, size_t n);
void asy_team_run(struct asy_team *team, asy_team_work_f work, void *arg);
/* Pieces that were run so far. */
uint64_t asy_team_runs(const struct asy_team *team);

/* The i-th of n parts of 0..total, as even as whole grains make them; empty ones are possible. */
void asy_team_part(size_t total, size_t grain, size_t i, size_t n, size_t *ret_begin,
                   size_t *ret_end);
#endif
