/* SPDX-License-Identifier: Apache-2.0
 * curves.h - a table of learning curves that make_curves.py made: what training each of n
 * configurations showed after each epoch, and how long it took.
 *
 * Threads: read-only once open; then any. */
#ifndef BENCH_CURVES_H
#define BENCH_CURVES_H
#include <stddef.h>

struct curves {
    size_t n, epochs;
    double *loss;    /* [n][epochs] validation loss; NaN from the epoch on in which it diverged */
    double *ms;      /* [n][epochs] of the epoch; the diverging one as long as the one before */
    double *weights; /* [n] of the network */
};
/* Reads a table, gzipped or not; NULL: it cannot be read as one. */
struct curves *curves_open(const char *path);
void curves_close(struct curves *curves);
/* The smallest loss that configuration i shows within its epochs; INFINITY: none. */
double curves_best(const struct curves *curves, size_t i);
/* The loss that a share of the configurations reach; share * n >= 1. */
double curves_target(const struct curves *curves, double share);
#endif
