/* SPDX-License-Identifier: Apache-2.0
 * Layer norm, embeddings and attention: against their plain twins, the twins against differences,
 * and the bits that the headers promise. */
#include <asytest.h>
#include "near.h"
#include <asy/attention.h>
#include <asy/gemm.h>
#include <asy/kernels.h>
#include <asy/norm.h>
#include <asy/rng.h>
#include "fused.h"

#define MOST 40000

static struct asy_rng rng;
static float room[ASY_GEMM_ROOM] __attribute__((aligned(64)));

static void fill(float *x, size_t n, double scale)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(asy_rng_normal(&rng) * scale);
}

static double weighed(const float *y, const float *by, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)y[i] * (double)by[i];
    return sum;
}

static const struct {
    size_t rows, cols;
} norms[] = { { 1, 1 }, { 3, 2 }, { 5, 15 }, { 4, 16 }, { 7, 33 }, { 64, 128 }, { 9, 200 } };

static void layer_norm_matches_its_plain_twin(void)
{
    static float x[MOST], y[MOST], y2[MOST], dy[MOST], dx[MOST], dx2[MOST], scale[256], shift[256],
        stats[256], stats2[256], ds[256], ds2[256], dh[256], dh2[256];

    for (size_t i = 0; i < 2 * ASY_ARRAY_LEN(norms); i++) {
        size_t rows = norms[i / 2].rows, cols = norms[i / 2].cols, n = rows * cols;
        int add = i % 2;

        fill(x, n, 3), fill(dy, n, 1), fill(scale, cols, 1), fill(shift, cols, 1);
        fill(dx, n, 1);
        memcpy(dx2, dx, sizeof dx);
        asy_layer_norm(rows, cols, 1e-5f, x, scale, shift, y, stats);
        asy_layer_norm_ref(rows, cols, 1e-5f, x, scale, shift, y2, stats2);
        near("stats", stats, stats2, 2 * rows, 1e-5); /* sums of up to 200 terms */
        near("y", y, y2, n, 1e-5);
        asy_layer_norm_grad(rows, cols, add, x, scale, stats, dy, dx, ds, dh);
        asy_layer_norm_grad_ref(rows, cols, add, x, scale, stats, dy, dx2, ds2, dh2);
        near("dx", dx, dx2, n, 2e-5);
        near("dscale", ds, ds2, cols, 2e-5);
        near("dshift", dh, dh2, cols, 2e-5);
        memcpy(y2, x, sizeof x);
        asy_layer_norm(rows, cols, 1e-5f, y2, scale, shift, y2, stats);
        T_EQ("in place", memcmp(y2, y, n * sizeof *y), 0);
    }
}

/* h = 1e-2 on numbers of size 1: the difference's own error is h^2 f''' / 6, and rounding y to
 * float adds 6e-8 / h. */
static void layer_norm_slopes_match_differences(void)
{
    enum { ROWS = 2, COLS = 7, N = ROWS * COLS };
    const float h = 1e-2f;
    float x[N], y[N], dy[N], dx[N], scale[COLS], shift[COLS], ds[COLS], dh[COLS], stats[2 * ROWS];
    struct {
        float *of, *slope;
        size_t n;
    } parts[] = { { x, dx, N }, { scale, ds, COLS }, { shift, dh, COLS } };

    fill(x, N, 1), fill(dy, N, 1), fill(scale, COLS, 1), fill(shift, COLS, 1);
    asy_layer_norm(ROWS, COLS, 1e-5f, x, scale, shift, y, stats);
    asy_layer_norm_grad(ROWS, COLS, 0, x, scale, stats, dy, dx, ds, dh);
    for (size_t p = 0; p < ASY_ARRAY_LEN(parts); p++)
        for (size_t i = 0; i < parts[p].n; i++) {
            float was = parts[p].of[i];
            double above, below;

            parts[p].of[i] = was + h;
            asy_layer_norm_ref(ROWS, COLS, 1e-5f, x, scale, shift, y, stats);
            above = weighed(y, dy, N);
            parts[p].of[i] = was - h;
            asy_layer_norm_ref(ROWS, COLS, 1e-5f, x, scale, shift, y, stats);
            below = weighed(y, dy, N);
            parts[p].of[i] = was;
            T_NEAR("slope", (double)parts[p].slope[i], (above - below) / (2 * (double)h), 2e-3);
        }
}

static void a_constant_row_has_no_slope_and_stays_finite(void)
{
    float x[5] = { 2, 2, 2, 2, 2 }, scale[5] = { 1, 1, 1, 1, 1 }, shift[5] = { 0 }, y[5], stats[2];

    asy_layer_norm(1, 5, 1e-5f, x, scale, shift, y, stats);
    for (int i = 0; i < 5; i++)
        T_NEAR("y", (double)y[i], 0, 0);
    T_NEAR("mean", (double)stats[0], 2, 0);
    x[3] = NAN;
    asy_layer_norm(1, 5, 1e-5f, x, scale, shift, y, stats);
    T_TRUE(isnan(y[0]) && isnan(y[3]));
}

static void embeddings_match_their_plain_twins(void)
{
    static const struct {
        size_t sequences, tokens, cols, vocabulary;
    } cases[] = { { 1, 1, 1, 1 }, { 3, 5, 7, 4 }, { 4, 16, 33, 96 }, { 2, 9, 64, 300 } };
    static float ids[256], table[MOST], place[MOST], y[MOST], y2[MOST], dt[MOST], dt2[MOST],
        dp[MOST], dp2[MOST];

    for (size_t i = 0; i < 4 * ASY_ARRAY_LEN(cases); i++) {
        size_t tokens = cases[i / 4].tokens, rows = cases[i / 4].sequences * tokens;
        size_t cols = cases[i / 4].cols, words = cases[i / 4].vocabulary;
        int placed = i & 1, add = i >> 1 & 1;

        for (size_t r = 0; r < rows; r++)
            ids[r] = (float)asy_rng_below(&rng, words);
        fill(table, words * cols, 1), fill(place, tokens * cols, 1), fill(dt, words * cols, 1);
        memcpy(dt2, dt, sizeof dt);
        asy_embed(rows, tokens, cols, ids, table, placed ? place : NULL, y);
        asy_embed_ref(rows, tokens, cols, ids, table, placed ? place : NULL, y2);
        T_EQ("y", memcmp(y, y2, rows * cols * sizeof *y), 0);
        asy_embed_grad(rows, tokens, cols, words, add, ids, y, dt, placed ? dp : NULL);
        asy_embed_grad_ref(rows, tokens, cols, words, add, ids, y, dt2, placed ? dp2 : NULL);
        near("dtable", dt, dt2, words * cols, 1e-5);
        if (placed)
            near("dplace", dp, dp2, tokens * cols, 1e-5);
    }
}

static const struct asy_attention shapes[] = {
    { 1, 1, 1, 1, 0 }, { 1, 1, 2, 3, 1 },  { 2, 5, 3, 4, 1 },  { 2, 5, 3, 4, 0 },
    { 1, 17, 2, 5, 1 }, { 1, 40, 1, 16, 0 }, { 1, 77, 2, 9, 1 }, { 2, 33, 2, 32, 1 },
};

static size_t tokens_of(const struct asy_attention *s)
{
    return s->sequences * s->tokens;
}

/* Exactly as many as are asked for: a sanitizer sees whoever wants more. */
static float *scores_for(const struct asy_attention *s)
{
    float *scores = NULL;
    size_t n = asy_attention_scores(s->tokens);

    if (posix_memalign((void **)&scores, 64, n * sizeof *scores))
        return NULL;
    for (size_t i = 0; i < n; i++)
        scores[i] = NAN; /* what was there must not matter */
    return scores;
}

static void attention_matches_its_plain_twin(void)
{
    static float qkv[MOST], y[MOST], y2[MOST], dy[MOST], dq[MOST], dq2[MOST], stats[MOST],
        stats2[MOST];

    for (size_t i = 0; i < ASY_ARRAY_LEN(shapes); i++) {
        const struct asy_attention *s = &shapes[i];
        size_t n = tokens_of(s) * s->heads * s->width;
        float *scores = scores_for(s);

        if (!T_TRUE(scores != NULL))
            return;
        fill(qkv, 3 * n, 1.5), fill(dy, n, 1);
        asy_attention(s, qkv, y, stats, scores, room);
        asy_attention_ref(s, qkv, y2, stats2);
        near("stats", stats, stats2, tokens_of(s) * s->heads * 2, 2e-6);
        near("y", y, y2, n, 1e-5); /* scores of some tens, rounded: exp makes it relative */
        asy_attention_grad(s, qkv, stats, dy, dq, scores, room);
        asy_attention_grad_ref(s, qkv, stats2, dy, dq2);
        near("dqkv", dq, dq2, 3 * n, 5e-5);
        free(scores);
    }
}

static const struct asy_dropout halves = { 0x123456789u, 7, 3, 0.5f };

/* With weights that are dropped, of sequences anywhere in a batch: in the places that the twin asks
 * for one by one. */
static void dropped_weights_match_their_plain_twin(void)
{
    static float qkv[MOST], y[MOST], y2[MOST], dy[MOST], dq[MOST], dq2[MOST], stats[MOST];

    for (size_t i = 0; i < ASY_ARRAY_LEN(shapes); i++) {
        struct asy_attention s = shapes[i];
        size_t n = tokens_of(&s) * s.heads * s.width;
        float *scores = scores_for(&s);

        if (!T_TRUE(scores != NULL))
            return;
        s.drop = &halves;
        s.first = i * 1000003;
        fill(qkv, 3 * n, 1.5), fill(dy, n, 1);
        asy_attention(&s, qkv, y, stats, scores, room);
        asy_attention_ref(&s, qkv, y2, stats);
        near("y", y, y2, n, 2e-5); /* as above, twice as large */
        asy_attention_grad(&s, qkv, stats, dy, dq, scores, room);
        asy_attention_grad_ref(&s, qkv, stats, dy, dq2);
        near("dqkv", dq, dq2, 3 * n, 1e-4);
        free(scores);
    }
}

/* A rate of 1/2 leaves half of the weights, each twice as large: of values of 1, whose mean is 1
 * without it, half is 0 or more than 1, and their mean is near 1. */
static void half_of_the_weights_are_left(void)
{
    static float qkv[MOST], y[MOST], y2[MOST], stats[MOST];
    struct asy_attention s = { 40, 9, 2, 1, 1, &halves, 0 };
    size_t n = tokens_of(&s) * s.heads;
    double sum = 0, firsts = 0;
    float *scores = scores_for(&s);

    if (!T_TRUE(scores != NULL))
        return;
    for (size_t i = 0; i < 3 * n; i++)
        qkv[i] = i / 2 % 3 == 2; /* all weights of a query are the same */
    asy_attention(&s, qkv, y, stats, scores, room);
    for (size_t i = 0; i < n; i++) {
        sum += (double)y[i] / (double)n;
        firsts += i / 2 % 9 == 0 && y[i] == 0; /* these see themselves alone */
        T_TRUE(i / 2 % 9 || y[i] == 0 || y[i] == 2);
    }
    /* 80 draws of a half have a spread of sqrt(80) / 2 = 4.5; the mean of 720 of spread
     * 1 / sqrt(seen) has one below 0.02 */
    T_NEAR("first tokens", firsts, 40, 18);
    T_NEAR("mean", sum, 1, 0.1);
    s.first = 1;
    asy_attention(&s, qkv, y2, stats, scores, room);
    T_EQ("of the batch, not of the call", memcmp(y2, y + 18, (n - 18) * sizeof *y), 0);
    free(scores);
}

static void attention_slopes_match_differences(void)
{
    static const struct asy_attention cases[] = { { 2, 4, 2, 3, 0 }, { 1, 5, 2, 3, 1 },
                                                  { 2, 4, 2, 3, 0, &halves, 3 },
                                                  { 1, 5, 2, 3, 1, &halves, 3 } };
    const float h = 1e-2f;
    float qkv[3 * 48], y[48], dy[48], dq[3 * 48], stats[64];

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        const struct asy_attention *s = &cases[c];
        size_t n = tokens_of(s) * s->heads * s->width;
        float *scores = scores_for(s);

        if (!T_TRUE(scores != NULL))
            return;
        fill(qkv, 3 * n, 1), fill(dy, n, 1);
        asy_attention(s, qkv, y, stats, scores, room);
        asy_attention_grad(s, qkv, stats, dy, dq, scores, room);
        for (size_t i = 0; i < 3 * n; i++) {
            float was = qkv[i];
            double above, below;

            qkv[i] = was + h;
            asy_attention_ref(s, qkv, y, stats);
            above = weighed(y, dy, n);
            qkv[i] = was - h;
            asy_attention_ref(s, qkv, y, stats);
            below = weighed(y, dy, n);
            qkv[i] = was;
            T_NEAR("slope", (double)dq[i], (above - below) / (2 * (double)h), 1e-3);
        }
        free(scores);
    }
}

/* What stands before a token, and nothing else, decides what comes out for it. */
static void a_causal_token_does_not_see_those_behind_it(void)
{
    static float qkv[MOST], y[MOST], y2[MOST], stats[MOST];
    const struct asy_attention s = { 1, 50, 2, 8, 1 };
    const size_t model = s.heads * s.width;
    float *scores = scores_for(&s);

    if (!T_TRUE(scores != NULL))
        return;
    fill(qkv, 50 * 3 * model, 1);
    asy_attention(&s, qkv, y, stats, scores, room);
    fill(qkv + 20 * 3 * model, 30 * 3 * model, 1e3);
    asy_attention(&s, qkv, y2, stats, scores, room);
    T_EQ("before", memcmp(y, y2, 20 * model * sizeof *y), 0);
    T_TRUE(memcmp(y + 20 * model, y2 + 20 * model, model * sizeof *y) != 0);
    free(scores);
}

/* Wherever they begin, the last queries get what all of them get together. */
static void the_last_queries_alone_get_the_same_bits(void)
{
    static float qkv[MOST], y[MOST], last[MOST], stats[MOST], own[MOST];
    static const size_t from[] = { 0, 1, 16, 31, 32, 40, 69 };

    for (int causal = 0; causal < 2; causal++) {
        const struct asy_attention s = { 2, 70, 2, 10, causal };
        const size_t model = s.heads * s.width;
        float *scores = scores_for(&s);

        if (!T_TRUE(scores != NULL))
            return;
        fill(qkv, 2 * s.tokens * 3 * model, 1);
        asy_attention(&s, qkv, y, stats, scores, room);
        for (size_t i = 0; i < ASY_ARRAY_LEN(from); i++) {
            size_t n = s.tokens - from[i];

            asy_attention_from(&s, from[i], qkv, last, own, scores, room);
            for (size_t q = 0; q < 2; q++)
                T_EQ("y", memcmp(last + q * n * model, y + (q * s.tokens + from[i]) * model,
                                 n * model * sizeof *y), 0);
            for (size_t h = 0; h < 4; h++)
                T_EQ("stats", memcmp(own + h * n * 2, stats + (h * s.tokens + from[i]) * 2,
                                     n * 2 * sizeof *own), 0);
        }
        free(scores);
    }
}

static void a_sequence_does_not_depend_on_its_neighbours(void)
{
    static float qkv[MOST], y[MOST], one[MOST], dq[MOST], done[MOST], stats[MOST], own[MOST];
    const struct asy_attention all = { 3, 37, 2, 20, 1, &halves, 11 };
    const size_t model = all.heads * all.width, n = all.tokens * model;
    struct asy_attention each = all;
    float *scores = scores_for(&all);

    if (!T_TRUE(scores != NULL))
        return;
    fill(qkv, 3 * 3 * n, 1);
    asy_attention(&all, qkv, y, stats, scores, room);
    asy_attention_grad(&all, qkv, stats, y, dq, scores, room);
    each.sequences = 1;
    for (size_t s = 0; s < all.sequences; s++) {
        each.first = all.first + s;
        asy_attention(&each, qkv + s * 3 * n, one, own, scores, room);
        asy_attention_grad(&each, qkv + s * 3 * n, own, one, done, scores, room);
        T_EQ("y", memcmp(one, y + s * n, n * sizeof *y), 0);
        T_EQ("dqkv", memcmp(done, dq + s * 3 * n, 3 * n * sizeof *y), 0);
    }
    free(scores);
}

static void a_number_that_is_none_comes_out_of_attention(void)
{
    float qkv[3 * 6] = { 0 }, y[6], stats[6];
    const struct asy_attention s = { 1, 3, 1, 2, 1 };
    float *scores = scores_for(&s);

    if (!T_TRUE(scores != NULL))
        return;
    qkv[6 + 2] = NAN; /* the second token's key */
    asy_attention(&s, qkv, y, stats, scores, room);
    T_TRUE(!isnan(y[0]) && isnan(y[2]) && isnan(y[4]));
    free(scores);
}

/* One set's answers to a fixed task, all in one array. */
static size_t answers(const struct asy__fused *set, float *out)
{
    static float x[13 * 67], scale[67], shift[67], ids[13], table[11 * 67], place[5 * 67];
    float *o = out, stats[2 * 13];

    asy_rng_init(&rng, 5, 0, ASY_RNG_SIM);
    fill(x, 13 * 67, 2), fill(scale, 67, 1), fill(shift, 67, 1);
    for (int i = 0; i < 13; i++)
        ids[i] = (float)(i * 7 % 11);
    set->layer_norm(13, 67, 1e-5f, x, scale, shift, o, stats);
    set->layer_norm_grad(13, 67, 0, x, scale, stats, o, o + 13 * 67, o + 26 * 67, o + 27 * 67);
    o += 28 * 67;
    fill(table, 11 * 67, 1), fill(place, 5 * 67, 1);
    set->embed(13, 5, 67, ids, table, place, o);
    set->embed_grad(13, 5, 67, 11, 0, ids, o, o + 13 * 67, o + 24 * 67);
    o += 29 * 67;
    for (int causal = 0; causal < 2; causal++) {
        const struct asy__scores scores = { .rows = 13, .keys = 67, .first = 54, .step = 80,
                                            .scale = 0.3f, .causal = causal };

        fill(o, 13 * 80, 3);
        fill(o + 13 * 80, 13 * 80, 1);
        memcpy(o + 26 * 80, o, 13 * 80 * sizeof *o);
        set->attend(&scores, o, stats);
        set->attend_grad(&scores, o, o + 13 * 80);
        set->attend_again(&scores, o + 26 * 80, stats);
        set->attend_drop(&scores, &halves, 777, 67, o + 13 * 80);
        T_EQ("made again", memcmp(o, o + 26 * 80, 13 * 80 * sizeof *o), 0);
        set->attend_drop_as(&scores, &halves, o + 13 * 80, o + 26 * 80);
        o += 39 * 80;
    }
    return (size_t)(o - out);
}

static void instruction_sets_agree_to_the_bit(void)
{
    static float base[20000], other[20000];
    size_t n = answers(&asy__fused_base, base);

    T_TRUE(n < ASY_ARRAY_LEN(base));
    answers(asy__fused_get(), other);
    T_EQ("bits of the set in use", memcmp(base, other, n * sizeof *base), 0);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        answers(&asy__fused_avx2, other);
        T_EQ("bits of avx2", memcmp(base, other, n * sizeof *base), 0);
    }
#endif
}

int main(void)
{
    static const struct t_test tests[] = {
        T_TEST(layer_norm_matches_its_plain_twin),
        T_TEST(layer_norm_slopes_match_differences),
        T_TEST(a_constant_row_has_no_slope_and_stays_finite),
        T_TEST(embeddings_match_their_plain_twins),
        T_TEST(attention_matches_its_plain_twin),
        T_TEST(dropped_weights_match_their_plain_twin), T_TEST(half_of_the_weights_are_left),
       T_TEST(attention_slopes_match_differences),
        T_TEST(a_causal_token_does_not_see_those_behind_it),
        T_TEST(the_last_queries_alone_get_the_same_bits),
        T_TEST(a_sequence_does_not_depend_on_its_neighbours),
        T_TEST(a_number_that_is_none_comes_out_of_attention),
        T_TEST(instruction_sets_agree_to_the_bit),
    };

    asy_kernels_init();
    asy_rng_init(&rng, 1, 0, ASY_RNG_SIM);
    return t__main("attention", tests, ASY_ARRAY_LEN(tests));
}
