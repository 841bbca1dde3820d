/* SPDX-License-Identifier: Apache-2.0
 * attention.c - attention, a head of a sequence at a time and in it a block of queries: their
 * products with the keys, a softmax over each, and its product with the values.
 *
 * Products are asy_gemm()'s, whose entries are chains that no cut changes: a chain over queries
 * goes on from block to block in dqkv, and what a causal block leaves out beyond its last query
 * would only have added zeros.
 *
 * What dropout leaves of a weight p is f p. By q and k the gradient wants p and the gradient of f p
 * times f, by v it wants f p. So f p has room of its own there, and where it is 0, f was, or p is
 * and it does not matter: the factors are made once. */
#include <asy/attention.h>
#include <asy/gemm.h>
#include <math.h>
#include <string.h>
#include "fused.h"
#include "round.h"

#define QUERIES ((size_t)32) /* of a block: enough for products, few enough for the cache */

static size_t of_block(size_t tokens)
{
    return (tokens < QUERIES ? tokens : QUERIES) * asy__round16(tokens);
}

size_t asy_attention_scores(size_t tokens)
{
    return 3 * of_block(tokens);
}

/* One head of one sequence. */
struct head {
    const float *q, *k, *v;
    size_t in, out; /* from one token to the next: of q, k, v, and of y */
    size_t y_at;    /* where its part of y begins, of a y of all queries */
    float *p, *dp, *left, *room; /* left: of p, by dropout */
    struct asy__scores scores;
};

static struct head head_of(const struct asy_attention *shape, size_t i, const float *qkv,
                           float *scores, float *room)
{
    size_t model = shape->heads * shape->width, sequence = i / shape->heads;
    const float *q = qkv + sequence * shape->tokens * 3 * model + i % shape->heads * shape->width;

    return (struct head){
        .q = q, .k = q + model, .v = q + 2 * model, .in = 3 * model, .out = model,
        .y_at = sequence * shape->tokens * model + i % shape->heads * shape->width,
        .p = scores, .dp = scores + of_block(shape->tokens),
        .left = scores + 2 * of_block(shape->tokens), .room = room,
        .scores = { .step = asy__round16(shape->tokens),
                    .scale = (float)(1 / sqrt((double)shape->width)), .causal = shape->causal },
    };
}

/* Sets the block of queries that begins at first. 0: there is none. */
static int block(const struct asy_attention *shape, struct asy__scores *scores, size_t first)
{
    size_t left = shape->tokens - first;

    if (left == 0)
        return 0;
    scores->first = first;
    scores->rows = left < QUERIES ? left : QUERIES;
    scores->keys = shape->causal ? first + scores->rows : shape->tokens;
    return 1;
}

static const float *row_of(const float *x, size_t row, size_t step)
{
    return x + row * step;
}

/* p [rows][keys] = a b^T, a of the block's queries, b of the keys. */
static void by_keys(const struct asy_attention *shape, const struct head *h, const float *a,
                    size_t lda, const float *b, float *p)
{
    const struct asy__scores *s = &h->scores;

    asy_gemm(&(struct asy_gemm){ .trans_b = 1, .m = s->rows, .n = s->keys, .k = shape->width,
                                 .lda = lda, .ldb = h->in, .ldc = s->step },
             row_of(a, s->first, lda), b, p, h->room);
}

/* c, of the block's queries alone, = p b, b of the keys. */
static void over_keys(const struct asy_attention *shape, const struct head *h, const float *p,
                      const float *b, float *c, size_t ldc)
{
    const struct asy__scores *s = &h->scores;

    asy_gemm(&(struct asy_gemm){ .m = s->rows, .n = shape->width, .k = s->keys, .lda = s->step,
                                 .ldb = h->in, .ldc = ldc },
             p, b, c, h->room);
}

/* c, of the keys, += p^T b, b of the block's queries. */
static void over_queries(const struct asy_attention *shape, const struct head *h, const float *p,
                         const float *b, size_t ldb, float *c)
{
    const struct asy__scores *s = &h->scores;

    asy_gemm(&(struct asy_gemm){ .trans_a = 1, .add = 1, .m = s->keys, .n = shape->width,
                                 .k = s->rows, .lda = s->step, .ldb = ldb, .ldc = h->in },
             p, row_of(b, s->first, ldb), c, h->room);
}

/* What dropout leaves of the block's numbers x, by head i of all. */
static void drop(const struct asy_attention *shape, const struct head *h, size_t i, float *x)
{
    uint64_t row = (shape->first * shape->heads + i) * shape->tokens + h->scores.first;

    if (shape->drop)
        asy__fused_get()->attend_drop(&h->scores, shape->drop, row * shape->tokens, shape->tokens,
                                      x);
}

/* The same in h->left; without dropout it is x itself. */
static const float *left_of(const struct asy_attention *shape, const struct head *h, size_t i,
                            const float *x)
{
    if (!shape->drop)
        return x;
    memcpy(h->left, x, h->scores.rows * h->scores.step * sizeof *x);
    drop(shape, h, i, h->left);
    return h->left;
}

void asy_attention_from(const struct asy_attention *shape, size_t from, const float *qkv, float *y,
                        float *stats, float *scores, float *room)
{
    const struct asy__fused *fused = asy__fused_get();
    size_t queries = shape->tokens - from;

    for (size_t i = 0; i < shape->sequences * shape->heads; i++) {
        struct head h = head_of(shape, i, qkv, scores, room);
        struct asy__scores *s = &h.scores;
        float *own = y + h.y_at - i / shape->heads * from * h.out;

        for (size_t at = from; block(shape, s, at); at += s->rows) {
            by_keys(shape, &h, h.q, h.in, h.k, h.p);
            fused->attend(s, h.p, stats + (i * queries + at - from) * 2);
            drop(shape, &h, i, h.p);
            over_keys(shape, &h, h.p, h.v, own + (at - from) * h.out, h.out);
        }
    }
}

void asy_attention(const struct asy_attention *shape, const float *qkv, float *y, float *stats,
                   float *scores, float *room)
{
    asy_attention_from(shape, 0, qkv, y, stats, scores, room);
}

static void clear(const struct asy_attention *shape, float *dq, size_t step)
{
    for (size_t t = 0; t < shape->tokens; t++)
        memset(dq + t * step, 0, shape->width * sizeof *dq);
}

void asy_attention_grad(const struct asy_attention *shape, const float *qkv, const float *stats,
                        const float *dy, float *dqkv, float *scores, float *room)
{
    const struct asy__fused *fused = asy__fused_get();
    size_t model = shape->heads * shape->width;

    for (size_t i = 0; i < shape->sequences * shape->heads; i++) {
        struct head h = head_of(shape, i, qkv, scores, room);
        struct asy__scores *s = &h.scores;
        const float *d = dy + h.y_at, *left;
        float *dq = dqkv + (h.q - qkv), *dk = dq + model, *dv = dk + model;

        clear(shape, dk, h.in);
        clear(shape, dv, h.in);
        for (size_t at = 0; block(shape, s, at); at += s->rows) {
            by_keys(shape, &h, h.q, h.in, h.k, h.p);
            fused->attend_again(s, h.p, stats + (i * shape->tokens + at) * 2);
            left = left_of(shape, &h, i, h.p);
            over_queries(shape, &h, left, d, h.out, dv);
            by_keys(shape, &h, d, h.out, h.v, h.dp);
            if (shape->drop)
                fused->attend_drop_as(s, shape->drop, left, h.dp);
            fused->attend_grad(s, h.p, h.dp);
            over_keys(shape, &h, h.dp, h.k, dq + at * h.in, h.in);
            over_queries(shape, &h, h.dp, h.q, h.in, dk);
        }
    }
}
