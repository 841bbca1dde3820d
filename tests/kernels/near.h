/* SPDX-License-Identifier: Apache-2.0
 * near.h - arrays of kernels beside those of their plain twins. */
#ifndef NEAR_H
#define NEAR_H
#include <math.h>
#include <stdio.h>
#include "asytest.h"

/* Every entry within tol * (1 + |want|). Says which one is not. */
static inline void near(const char *name, const float *got, const float *want, size_t n, double tol)
{
    for (size_t i = 0; i < n; i++) {
        char what[96];

        if (fabs((double)got[i] - (double)want[i]) <= tol * (1 + fabs((double)want[i])))
            continue;
        snprintf(what, sizeof what, "%s [%zu]", name, i);
        T_NEAR(what, (double)got[i], (double)want[i], tol * (1 + fabs((double)want[i])));
        return;
    }
}
#endif
