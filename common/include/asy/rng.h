/* SPDX-License-Identifier: Apache-2.0
 * asy/rng.h - random numbers as a pure function of (seed, stream, counter).
 *
 * Philox4x32-10 of Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3"
 * (SC11). A stream is named by (study seed, trial number, purpose), so nothing depends on who draws
 * first. The state can be stored and restored (three numbers).
 *
 * Threads: one owner per struct. */
#ifndef ASY_RNG_H
#define ASY_RNG_H
#include <asy/base.h>

/* What a stream is for; values are stored, never renumber. */
enum asy_rng_purpose {
    ASY_RNG_SAMPLER = 1,  /* suggestions */
    ASY_RNG_INIT = 2,     /* initial weights */
    ASY_RNG_SHUFFLE = 3,  /* order of the samples; number = epoch is mixed in by the caller */
    ASY_RNG_SPLIT = 4,    /* data splits */
    ASY_RNG_DROPOUT = 5,
    ASY_RNG_CHANNEL = 6,  /* backoff jitter */
    ASY_RNG_SIM = 7,      /* simulator and tests */
    ASY_RNG_ROWS = 8,     /* rows that a round of boosting uses; number = round */
    ASY_RNG_COLUMNS = 9,  /* features that a tree uses; number = tree */
    ASY_RNG_AUGMENT = 10, /* what becomes of images; number = step */
    ASY_RNG_GENERATE = 11, /* tokens that a model writes */
};

struct asy_rng {
    uint32_t key[2];
    uint32_t stream[2];
    uint64_t counter; /* blocks of four words drawn so far */
    uint32_t block[4];
    unsigned left; /* words of block not yet handed out */
};

void asy_rng_init(struct asy_rng *rng, uint64_t seed, uint64_t number,
                  enum asy_rng_purpose purpose);
uint32_t asy_rng_u32(struct asy_rng *rng);
uint64_t asy_rng_u64(struct asy_rng *rng);
double asy_rng_double(struct asy_rng *rng); /* [0, 1), 53 bits */
double asy_rng_normal(struct asy_rng *rng); /* standard normal */
uint64_t asy_rng_below(struct asy_rng *rng, uint64_t n); /* 0..n-1 without bias, n > 0 */
/* The raw block function, for array fills: out = philox(key, counter). */
void asy_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
#endif
