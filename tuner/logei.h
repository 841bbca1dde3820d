/* SPDX-License-Identifier: Apache-2.0
 * logei.h - the logarithm of expected improvement, with its derivative, exact however far any
 * improvement is (Ament, Daulton, Eriksson, Balandat, Bakshy 2023, "Unexpected improvements to
 * expected improvement", arXiv 2310.20708, section 4.1). */
#ifndef ASY_TUNER_LOGEI_H
#define ASY_TUNER_LOGEI_H

/* log(phi(z) + z Phi(z)): with z = (best - mean) / sigma, the logarithm of the expected improvement
 * is this plus log sigma. *ret_slope: its derivative. Both to 1e-13 relative for z <= 0. */
double asy__log_h(double z, double *ret_slope);
#endif
