/* SPDX-License-Identifier: Apache-2.0
 * qmc.h - the points of low-discrepancy sequences, each by its index.
 *
 * Sobol: direction numbers of Joe and Kuo 2008 (sobol_table.inc), 52 bits, in the order of Gray
 * codes (Antonov and Saleev 1979), as SciPy has it. Halton: the radical inverses in prime bases.
 *
 * Scrambling keeps what makes the points even (in each base-b interval of a net as many as before)
 * and is seeded, so another seed is another sequence:
 * NONE   the sequence as published; its first point is the corner.
 * LINEAR Sobol: a random lower triangular matrix over the digits and a digital shift (Matousek
 *        1998); Halton: a random line a d + b, a not 0, over each digit.
 * OWEN   the same for each digit anew for every value of the digits before it. In base 2 that is
 *        Owen's nested uniform scrambling (1995); in others, lines stand for all permutations. */
#ifndef ASY_TUNER_QMC_H
#define ASY_TUNER_QMC_H
#include <asy/error.h>

#define ASY__QMC_DIMS 1111 /* all primitive polynomials of degree up to 13 */
#define ASY__QMC_BITS 52

enum asy__qmc_sequence { ASY__QMC_SOBOL, ASY__QMC_HALTON };
enum asy__qmc_scramble { ASY__QMC_NONE, ASY__QMC_LINEAR, ASY__QMC_OWEN };

struct asy__qmc {
    enum asy__qmc_sequence sequence;
    enum asy__qmc_scramble scramble;
    size_t n_dims;
    uint64_t *keys;   /* [n_dims] what the scrambling of a dimension is drawn from */
    uint64_t *v;      /* SOBOL: [n_dims, ASY__QMC_BITS] the first bit is 1 << 51 */
    uint64_t *shifts; /* SOBOL, LINEAR: [n_dims] */
    uint32_t *bases;  /* HALTON: [n_dims] */
};

/* n_dims <= ASY__QMC_DIMS. keys: [n_dims], copied; not looked at with NONE. */
ASY_MUST_CHECK int asy__qmc_init(struct asy__qmc *qmc, enum asy__qmc_sequence sequence,
                                 enum asy__qmc_scramble scramble, const uint64_t *keys,
                                 size_t n_dims);
void asy__qmc_fini(struct asy__qmc *qmc); /* zeroed memory is fine too */
/* Coordinate dim of point index, in [0, 1). Sobol begins anew after 2^52 points. */
double asy__qmc_at(const struct asy__qmc *qmc, uint64_t index, size_t dim);
#endif
