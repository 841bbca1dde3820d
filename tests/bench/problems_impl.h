/* SPDX-License-Identifier: Apache-2.0
 * problems_impl.h - shared by the files of problems: a problem, the draws that its seed makes. */
#ifndef BENCH_PROBLEMS_IMPL_H
#define BENCH_PROBLEMS_IMPL_H
#include "problems.h"

#define PROBLEM_DIMS_MAX 20

struct problem_table;
struct problem {
    double (*regret)(const struct problem *p, const double *x);
    size_t dims;
    struct problem_param params[PROBLEM_DIMS_MAX];
    double opt[PROBLEM_DIMS_MAX];       /* where the best is */
    double (*f)(const double *z, size_t n); /* classical: in its own terms, and where its best is */
    const double *home;
    double offset;                      /* what samplers see at the best */
    double *rot, *rot2;                 /* BBOB: [dims, dims] rotations R and Q */
    double *peaks;                      /* BBOB 21: see there */
    struct problem_table *table;
    uint64_t draws;                     /* state of the seed's stream */
};

/* SplitMix64 (Steele, Lea, Flood 2014): uniform in [0, 1), standard normal. */
double problem_uniform(struct problem *p);
double problem_normal(struct problem *p);

/* Each sets up p for a name of its own (p->draws is set): 0, -1: not one of its names or no memory,
 * or the table cannot be read. */
int problem_classic_init(struct problem *p, const char *name);
int problem_bbob_init(struct problem *p, const char *name);
int problem_table_init(struct problem *p, const char *name, const char *tables);
void problem_table_destroy(struct problem_table *table); /* NULL is fine */
const char *problem_classic_name(size_t i); /* NULL beyond the last */
const char *problem_bbob_name(size_t i);
const char *problem_table_name(size_t i);
#endif
