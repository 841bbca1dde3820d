/* SPDX-License-Identifier: Apache-2.0
 * auto.h - what the sampler "auto" does in which part of a study, and why.
 *
 * A plan follows from the space, the objectives and the budget alone. Which of its parts answers an
 * ask follows from how many trials have finished, so that a study replays, whoever was first. */
#ifndef ASY_TUNER_AUTO_H
#define ASY_TUNER_AUTO_H
#include "sampler.h"

/* Rules that tests/bench/ablate.py switches off one by one, to see what each of them gains. */
enum asy__auto_rule {
    ASY__AUTO_GP = 1u << 0,       /* a Gaussian process while trials are few, else tpe */
    ASY__AUTO_CMA = 1u << 1,      /* CMA-ES after the process, else it goes on */
    ASY__AUTO_NSGA = 1u << 2,     /* nsga2 for two objectives: after the process, or, without it,
                                     for many trials */
    ASY__AUTO_ONE_BY_ONE = 1u << 3, /* several objectives: tpe draws parameters one by one */
    ASY__AUTO_REGION = 1u << 4,   /* gp searches near the best in turns, else only everywhere */
    ASY__AUTO_CROWD = 1u << 5,    /* tpe in place of gp while more than 32 trials run */
    ASY__AUTO_FEW = 1u << 6,      /* one objective: tpe where no parameter has over 16 values */
};
#define ASY__AUTO_ALL 0x7fu
/* The rule of a name, as ablate.py has them; 0: there is none. */
unsigned asy__auto_rule(const char *name);

#define ASY__AUTO_PARTS_MAX 2
struct asy__auto_part {
    const char *sampler;
    struct asy_option options[1];
    size_t n_options;
    uint64_t from; /* finished trials from which on it answers, ascending; the first: 0 */
};
struct asy__auto_plan {
    struct asy__auto_part parts[ASY__AUTO_PARTS_MAX];
    size_t n; /* 1, and no crowd: nothing but that sampler */
    const struct asy__auto_part *crowd; /* in place of gp while many run; NULL: none */
    char reason[200];
};

/* rules: of asy__auto_rule. */
void asy__auto_plan(const struct asy_space *space, const struct asy_sampler_spec *spec,
                    unsigned rules, struct asy__auto_plan *ret_plan);
/* asy_sampler_create() for spec->name "auto" with only these rules: for measurements and tests. */
ASY_MUST_CHECK int asy__auto_create(const struct asy_space *space,
                                    const struct asy_sampler_spec *spec, unsigned rules,
                                    struct asy_sampler **ret_sampler, struct asy_error *err);
#endif
