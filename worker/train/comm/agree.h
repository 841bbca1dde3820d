/* SPDX-License-Identifier: Apache-2.0
 * agree.h - what fails on one rank ends the job on all, for one reason. */
#ifndef ASY__AGREE_H
#define ASY__AGREE_H
#include <asy/comm.h>

/* By all ranks, each with what it has come to: they learn whether each of them succeeded, so that
 * none waits for one that gave up. Returns 0 on all, or what failed on the first of them. err is
 * not NULL. */
ASY_MUST_CHECK int asy__agree(struct asy_comm *comm, int rc, struct asy_error *err);
/* The second half of it, where the ranks know by another sum that one has failed (rc < 0). */
ASY_MUST_CHECK int asy__share_blame(struct asy_comm *comm, int rc, struct asy_error *err);
#endif
