/* SPDX-License-Identifier: Apache-2.0
 * drive.h - what bench_tuner and bench_idle share: a sampler driven through asy/tuner.h that ends
 * the program where anything fails, and the spaces and objectives of the rows of speed. */
#ifndef DRIVE_H
#define DRIVE_H
#include <asy/tuner.h>

#define GOALS_MAX 2

/* Says what and exits 1. */
void die(const char *what) __attribute__((noreturn));
/* All goals are minimised. To be destroyed by the caller. */
struct asy_sampler *make_sampler(const struct asy_space *space, const char *name, uint64_t seed,
                                 uint64_t budget, size_t n_goals);
void ask(struct asy_sampler *s, uint64_t number, double *x);
void tell(struct asy_sampler *s, uint64_t number, const double *x, const double *values);
struct asy_space *new_space(void);
/* As parameter "p<i>". */
void add(struct asy_space *space, size_t i, struct asy_param p);
/* The values 0 to n - 1, n <= 64. */
const struct asy_value *words(size_t n);
/* kind: "mixed" (the space of the published Optuna measurements) or "floats". */
struct asy_space *speed_space(const char *kind, size_t dims);
/* >= 0, smallest where all is best. floats: Rosenbrock around 1, or around 2 for the second goal.
 * mixed: bowls off the centre. */
double speed_value(const struct asy_space *space, const double *x, size_t goal);
/* A whole number, 0 or more. */
size_t count(const char *text);
#endif
