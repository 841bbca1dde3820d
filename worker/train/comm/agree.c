/* SPDX-License-Identifier: Apache-2.0
 * agree.c - ranks that fail together. */
#include "agree.h"

int asy__share_blame(struct asy_comm *comm, int rc, struct asy_error *err)
{
    struct asy_error blame = ASY_ERROR_INIT, lost = ASY_ERROR_INIT;
    int rank = asy_comm_rank(comm), first = -1;
    double failed = 0;

    if (asy_comm_size(comm) == 1)
        return rc;
    while (failed == 0 && ++first < asy_comm_size(comm)) {
        failed = rank == first && rc < 0;
        if (asy_comm_sum_f64(comm, &failed, 1, &lost) < 0)
            return rc < 0 ? rc : asy_fail(err, lost.code, "%s", lost.text);
    }
    if (rank == first)
        blame = *err;
    if (asy_comm_bcast(comm, &blame, sizeof blame, first, &lost) < 0)
        return rc < 0 ? rc : asy_fail(err, lost.code, "%s", lost.text);
    *err = blame;
    asy_error_prefix(err, "rank %d", first);
    return blame.code;
}

int asy__agree(struct asy_comm *comm, int rc, struct asy_error *err)
{
    struct asy_error second = ASY_ERROR_INIT;
    double failed = rc < 0;
    int sum = asy_comm_sum_f64(comm, &failed, 1, rc < 0 ? &second : err);

    if (sum < 0 || failed == 0)
        return rc < 0 ? rc : sum;
    return asy__share_blame(comm, rc, err);
}
