/* SPDX-License-Identifier: Apache-2.0
 * problems.h - what scripts/bench.sh tuner optimises: functions and tables, all to be minimised.
 *
 * Eight classical functions, twelve of the BBOB suite in 5 and 10 dimensions, four tables of real
 * networks. The seed moves the optimum to another place of the box (of the BBOB functions also the
 * axes), and reverses or permutes what a table's columns are numbered by, so that neither a centred
 * start nor the order of a table helps. The value that a sampler sees is the regret plus an offset
 * that the seed draws, so that nothing is gained by guessing that the optimum is 0.
 *
 * Also built as a shared library, which peers load: both sides meet the same numbers.
 *
 * Ownership: problem_open()'s caller closes. Threads: one owner per problem. */
#ifndef BENCH_PROBLEMS_H
#define BENCH_PROBLEMS_H
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(default) /* of the shared library */
enum problem_kind { PROBLEM_FLOAT, PROBLEM_INT, PROBLEM_CHOICE };
struct problem_param {
    enum problem_kind kind;
    double lo, hi; /* INT: whole numbers, ordered; CHOICE: 0 to hi, without an order */
};

struct problem;
/* The i-th name; NULL beyond the last. Names of tables begin with "table-". */
const char *problem_name(size_t i);
/* tables: the folder of the tables, NULL where there is none. NULL: no such problem, no readable
 * table, or no memory. */
struct problem *problem_open(const char *name, uint64_t seed, const char *tables);
void problem_close(struct problem *p); /* NULL is fine */
size_t problem_dims(const struct problem *p);
/* Borrowed. */
const struct problem_param *problem_param(const struct problem *p, size_t i);
/* x: [dims], inside the box. Value as samplers see it; value above the best there is, >= 0. */
double problem_value(const struct problem *p, const double *x);
double problem_regret(const struct problem *p, const double *x);
/* Writes a point of regret 0 into x[dims]: for tests. */
void problem_optimum(const struct problem *p, double *x);
#pragma GCC visibility pop
#endif
