/* SPDX-License-Identifier: Apache-2.0
 * qmc.c - Sobol and Halton sequences.
 *
 * A coordinate is computed from the index alone: a running state, which saves a few operations per
 * point, would have to be stored and handed from worker to worker. */
#include "qmc.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEGREE_MAX 13

/* A dimension's primitive polynomial x^degree + ... + 1, the coefficients between the first and the
 * last as the bits of a, and the odd numbers that the recurrence starts with. The first dimension
 * is not in the table: its numbers are all 1. */
struct direction {
    uint16_t degree, a, m[DEGREE_MAX];
};
static const struct direction directions[ASY__QMC_DIMS - 1] = {
#include "sobol_table.inc"
};

/* The finaliser of SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* A random number for digit k of a dimension with this key, given the digits before it. */
static uint64_t digit_hash(uint64_t key, unsigned k, uint64_t before)
{
    return mix(mix(key + (k + 1) * 0x9e3779b97f4a7c15u) + before * 0xd1342543de82ef95u);
}

/* ---- Sobol --------------------------------------------------------------------------------- */

/* The direction numbers of one dimension (Bratley and Fox 1988, section 2): the first `degree` as
 * given, the others by the recurrence of the polynomial. */
static void sobol_dim(size_t dim, uint64_t *v)
{
    const struct direction *d = dim ? &directions[dim - 1] : NULL;
    unsigned degree = d ? d->degree : ASY__QMC_BITS;

    for (unsigned j = 0; j < ASY__QMC_BITS; j++) {
        if (j < degree) {
            v[j] = (uint64_t)(d ? d->m[j] : 1) << (ASY__QMC_BITS - 1 - j);
            continue;
        }
        v[j] = v[j - degree] ^ v[j - degree] >> degree;
        for (unsigned k = 1; k < degree; k++)
            if (d->a >> (degree - 1 - k) & 1)
                v[j] ^= v[j - k];
    }
}

/* Multiplies the direction numbers by a random lower triangular matrix with ones on its diagonal;
 * column c keeps bit c and scatters it over those below. */
static void sobol_linear(uint64_t key, uint64_t *v)
{
    for (unsigned j = 0; j < ASY__QMC_BITS; j++) {
        uint64_t image = 0;

        for (unsigned c = 0; c < ASY__QMC_BITS; c++) {
            uint64_t bit = (uint64_t)1 << (ASY__QMC_BITS - 1 - c);

            if (v[j] & bit)
                image ^= bit | (digit_hash(key, c, 0) & (bit - 1));
        }
        v[j] = image;
    }
}

/* Flips each bit by a random number that depends on those before it. */
static uint64_t sobol_owen(uint64_t key, uint64_t x)
{
    uint64_t flips = 0;

    for (unsigned k = 0; k < ASY__QMC_BITS; k++) {
        uint64_t before = x >> (ASY__QMC_BITS - k);

        flips |= (digit_hash(key, k, before) >> 63) << (ASY__QMC_BITS - 1 - k);
    }
    return x ^ flips;
}

static double sobol_at(const struct asy__qmc *qmc, uint64_t index, size_t dim)
{
    const uint64_t *v = qmc->v + dim * ASY__QMC_BITS;
    uint64_t gray = (index ^ index >> 1) & (((uint64_t)1 << ASY__QMC_BITS) - 1), x = 0;

    for (; gray; gray &= gray - 1)
        x ^= v[__builtin_ctzll(gray)];
    if (qmc->scramble == ASY__QMC_LINEAR)
        x ^= qmc->shifts[dim];
    else if (qmc->scramble == ASY__QMC_OWEN)
        x = sobol_owen(qmc->keys[dim], x);
    return ldexp((double)x, -ASY__QMC_BITS);
}

static int sobol_init(struct asy__qmc *qmc)
{
    qmc->v = malloc((qmc->n_dims + 1) * ASY__QMC_BITS * sizeof *qmc->v);
    qmc->shifts = calloc(qmc->n_dims + 1, sizeof *qmc->shifts);
    if (!qmc->v || !qmc->shifts)
        return ASY_E_NOMEM;
    for (size_t dim = 0; dim < qmc->n_dims; dim++) {
        uint64_t *v = qmc->v + dim * ASY__QMC_BITS;

        sobol_dim(dim, v);
        if (qmc->scramble == ASY__QMC_LINEAR) {
            sobol_linear(qmc->keys[dim], v);
            qmc->shifts[dim] = digit_hash(qmc->keys[dim], ASY__QMC_BITS, 0) >> (64 - ASY__QMC_BITS);
        }
    }
    return 0;
}

/* ---- Halton -------------------------------------------------------------------------------- */

/* The digit's image: a line over the numbers modulo a prime is a permutation. */
static uint32_t halton_digit(const struct asy__qmc *qmc, size_t dim, unsigned k, uint64_t before,
                             uint32_t digit)
{
    uint64_t hash, base = qmc->bases[dim];

    if (qmc->scramble == ASY__QMC_NONE)
        return digit;
    hash = digit_hash(qmc->keys[dim], k, qmc->scramble == ASY__QMC_OWEN ? before : 0);
    return (uint32_t)((digit * (1 + (hash >> 32) % (base - 1)) + (hash & UINT32_MAX) % base) %
                      base);
}

/* The digits of the index, the last first, behind the point. A scrambled point has digits without
 * end, of which those that a double can hold are taken. */
static double halton_at(const struct asy__qmc *qmc, uint64_t index, size_t dim)
{
    double unit = 1, x = 0, base = qmc->bases[dim];
    uint64_t before = 0;

    for (unsigned k = 0; unit > 0x1p-54 && (index || qmc->scramble != ASY__QMC_NONE); k++) {
        uint32_t digit = (uint32_t)(index % qmc->bases[dim]);

        unit /= base;
        x += unit * halton_digit(qmc, dim, k, before, digit);
        before = mix(before ^ (digit + 1));
        index /= qmc->bases[dim];
    }
    return fmin(x, 1 - 0x1p-53);
}

static int halton_init(struct asy__qmc *qmc)
{
    size_t n = 0;

    if (!(qmc->bases = malloc((qmc->n_dims + 1) * sizeof *qmc->bases)))
        return ASY_E_NOMEM;
    for (uint32_t p = 2; n < qmc->n_dims; p++) {
        size_t i = 0;

        while (i < n && p % qmc->bases[i])
            i++;
        if (i == n)
            qmc->bases[n++] = p;
    }
    return 0;
}

/* -------------------------------------------------------------------------------------------- */

int asy__qmc_init(struct asy__qmc *qmc, enum asy__qmc_sequence sequence,
                  enum asy__qmc_scramble scramble, const uint64_t *keys, size_t n_dims)
{
    *qmc = (struct asy__qmc){ .sequence = sequence, .scramble = scramble, .n_dims = n_dims };
    if (scramble != ASY__QMC_NONE) {
        if (!(qmc->keys = malloc((n_dims + 1) * sizeof *qmc->keys)))
            return ASY_E_NOMEM;
        memcpy(qmc->keys, keys, n_dims * sizeof *qmc->keys);
    }
    return sequence == ASY__QMC_SOBOL ? sobol_init(qmc) : halton_init(qmc);
}

void asy__qmc_fini(struct asy__qmc *qmc)
{
    free(qmc->keys);
    free(qmc->v);
    free(qmc->shifts);
    free(qmc->bases);
}

double asy__qmc_at(const struct asy__qmc *qmc, uint64_t index, size_t dim)
{
    return qmc->sequence == ASY__QMC_SOBOL ? sobol_at(qmc, index, dim)
                                           : halton_at(qmc, index, dim);
}
