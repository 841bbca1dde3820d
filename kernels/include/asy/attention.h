/* SPDX-License-Identifier: Apache-2.0
 * asy/attention.h - what turns tokens into vectors, and lets them see each other: embeddings, and
 * multi-head attention (Vaswani et al. 2017, arXiv 1706.03762, section 3.2), whose scores are made
 * anew for the gradient, a block of queries at a time, so that they never leave the cache (after
 * Dao et al. 2022, arXiv 2205.14135, algorithms 2 and 4; a row of scores is whole here, so that its
 * softmax needs no correction).
 *
 * Bits: the same for every instruction set and any number of sequences; products as asy_gemm() has
 * them (asy/gemm.h), sums along a row of scores as asy/norm.h has them.
 *
 * Threads: any, each with scores and room of its own; a call runs on the calling thread alone. */
#ifndef ASY_ATTENTION_H
#define ASY_ATTENTION_H
#include <asy/gemm.h>
#include <asy/kernels.h>

/* y [rows][cols] = table [id] + place [row % tokens], a row for each token of sequences that stand
 * one after the other. ids [rows]: whole numbers that table has rows for; floats, as all features
 * are, exact up to 2^24. place [tokens][cols]; NULL: nothing is added. */
void asy_embed(size_t rows, size_t tokens, size_t cols, const float *ids, const float *table,
               const float *place, float *y);
void asy_embed_ref(size_t rows, size_t tokens, size_t cols, const float *ids, const float *table,
                   const float *place, float *y);
/* dtable [vocabulary][cols], dplace [tokens][cols] (NULL: none), =: the sums of dy [rows][cols] by
 * id and by place, in row order; add: dtable += instead. */
void asy_embed_grad(size_t rows, size_t tokens, size_t cols, size_t vocabulary, int add,
                    const float *ids, const float *dy, float *dtable, float *dplace);
void asy_embed_grad_ref(size_t rows, size_t tokens, size_t cols, size_t vocabulary, int add,
                        const float *ids, const float *dy, float *dtable, float *dplace);

/* Sequences of tokens, seen by heads of some width each. causal: a token sees itself and those
 * before it. drop: dropout of the weights that the softmax gives, by the rule of asy_dropout();
 * NULL: none. With it, the weight of query q for key k by head h of sequence s, counted from the
 * beginning of a batch that has `first` sequences before these, is number
 * ((s heads + h) tokens + q) tokens + k: the same by any number of ranks and in any pieces. */
struct asy_attention {
    size_t sequences, tokens, heads, width;
    int causal;
    const struct asy_dropout *drop;
    uint64_t first;
};
/* Floats that a call needs for scores, and those of asy_gemm() for room, both aligned to 64 bytes;
 * what is in them does not matter before and after. */
size_t asy_attention_scores(size_t tokens);
/* qkv [sequences * tokens][3][heads][width]: query, key and value of each token. For each head
 *   y [sequences * tokens][heads][width] = dropout(softmax(q k^T / sqrt(width))) v
 * stats [sequences][heads][tokens][2], =: each row's greatest score, and one over its sum of
 * exponentials, which the gradient reads. */
void asy_attention(const struct asy_attention *shape, const float *qkv, float *y, float *stats,
                   float *scores, float *room);
void asy_attention_ref(const struct asy_attention *shape, const float *qkv, float *y,
                       float *stats);
/* The same, to the bit, of each sequence's queries `from` (below tokens) and later alone: y
 * [sequences][tokens - from][heads][width], stats [sequences][heads][tokens - from][2]. */
void asy_attention_from(const struct asy_attention *shape, size_t from, const float *qkv, float *y,
                        float *stats, float *scores, float *room);
/* dqkv, laid out as qkv, = the gradient; dy as y. */
void asy_attention_grad(const struct asy_attention *shape, const float *qkv, const float *stats,
                        const float *dy, float *dqkv, float *scores, float *room);
void asy_attention_grad_ref(const struct asy_attention *shape, const float *qkv,
                            const float *stats, const float *dy, float *dqkv);
#endif
