/* SPDX-License-Identifier: Apache-2.0
 * tokens_impl.h - the fused kernels of sequences: part of fused_impl.h, which includes it.
 *
 * A sum along a row goes in sixteen chains whatever the vectors' width, and folds in halves: the
 * widest set has a vector for it, the others several. */

#define CHAINS 16

static inline float fold(const float *chain)
{
    float eight[8], four[4];

    for (size_t l = 0; l < 8; l++)
        eight[l] = chain[l] + chain[l + 8];
    for (size_t l = 0; l < 4; l++)
        four[l] = eight[l] + eight[l + 4];
    return (four[0] + four[2]) + (four[1] + four[3]);
}

static inline float greater(float a, float b)
{
    return a > b ? a : b;
}

static inline float fold_top(const float *chain)
{
    float eight[8], four[4];

    for (size_t l = 0; l < 8; l++)
        eight[l] = greater(chain[l], chain[l + 8]);
    for (size_t l = 0; l < 4; l++)
        four[l] = greater(eight[l], eight[l + 4]);
    return greater(greater(four[0], four[2]), greater(four[1], four[3]));
}

static float sum_along(size_t n, const float *restrict x)
{
    float chain[CHAINS] = { 0 };
    size_t j = 0;

    for (; j + CHAINS <= n; j += CHAINS)
        for (size_t l = 0; l < CHAINS; l++)
            chain[l] += x[j + l];
    for (size_t l = 0; j + l < n; l++)
        chain[l] += x[j + l];
    return fold(chain);
}

/* y = x - mean; the sum of its squares. */
static float centre(size_t n, float mean, const float *x, float *y)
{
    float chain[CHAINS] = { 0 };
    size_t j = 0;

    for (; j + CHAINS <= n; j += CHAINS)
        for (size_t l = 0; l < CHAINS; l++) {
            float d = x[j + l] - mean;

            y[j + l] = d;
            chain[l] += d * d;
        }
    for (size_t l = 0; j + l < n; l++) {
        float d = x[j + l] - mean;

        y[j + l] = d;
        chain[l] += d * d;
    }
    return fold(chain);
}

static void stretch(size_t n, float by, const float *restrict scale, const float *restrict shift,
                    float *restrict y)
{
    for (size_t j = 0; j < n; j++)
        y[j] = y[j] * by * scale[j] + shift[j];
}

/* The greatest; a NaN may hide here, and comes back in what is made of it. */
static float top_along(size_t n, const float *restrict x)
{
    float chain[CHAINS];
    size_t j = 0;

    for (size_t l = 0; l < CHAINS; l++)
        chain[l] = x[0];
    for (; j + CHAINS <= n; j += CHAINS)
        for (size_t l = 0; l < CHAINS; l++)
            chain[l] = greater(x[j + l], chain[l]);
    for (size_t l = 0; j + l < n; l++)
        chain[l] = greater(x[j + l], chain[l]);
    return fold_top(chain);
}

static float dot_along(size_t n, const float *restrict x, const float *restrict y)
{
    float chain[CHAINS] = { 0 };
    size_t j = 0;

    for (; j + CHAINS <= n; j += CHAINS)
        for (size_t l = 0; l < CHAINS; l++)
            chain[l] += x[j + l] * y[j + l];
    for (size_t l = 0; j + l < n; l++)
        chain[l] += x[j + l] * y[j + l];
    return fold(chain);
}

static void softmax(size_t rows, size_t cols, const float *x, float *y)
{
    if (y != x)
        memcpy(y, x, rows * cols * sizeof *y);
    for (size_t i = 0; i < rows; i++, y += cols) {
        exp_row(cols, top_along(cols, y), y);
        scale_row(cols, 1.0f / sum_along(cols, y), y);
    }
}

/* dp = p (dp - mean) scale */
static void slope_along(size_t n, float scale, float mean, const float *restrict p,
                        float *restrict dp)
{
    for (size_t j = 0; j < n; j++)
        dp[j] = p[j] * (dp[j] - mean) * scale;
}

static void softmax_grad(size_t rows, size_t cols, const float *y, const float *dy, float *dx)
{
    if (dx != dy)
        memcpy(dx, dy, rows * cols * sizeof *dx);
    for (size_t i = 0; i < rows; i++, y += cols, dx += cols)
        slope_along(cols, 1.0f, dot_along(cols, y, dx), y, dx);
}

static void layer_norm(size_t rows, size_t cols, float epsilon, const float *x, const float *scale,
                       const float *shift, float *y, float *stats)
{
    float n = (float)cols;

    for (size_t i = 0; i < rows; i++) {
        float mean = sum_along(cols, x + i * cols) / n;
        float variance = centre(cols, mean, x + i * cols, y + i * cols) / n;
        float by = 1.0f / sqrtf(variance + epsilon);

        stretch(cols, by, scale, shift, y + i * cols);
        stats[2 * i] = mean;
        stats[2 * i + 1] = by;
    }
}

/* With h = (x - mean) by and g = dy scale: the sums of g and g h, which dx needs, and this row's
 * part of the parameters' gradients. */
static void norm_sums(size_t n, float mean, float by, const float *restrict x,
                      const float *restrict scale, const float *restrict dy,
                      float *restrict dscale, float *restrict dshift, float *ret_g, float *ret_gh)
{
    float sum[CHAINS] = { 0 }, along[CHAINS] = { 0 };
    size_t j = 0;

#define NORM_AT(at, l)                                                                             \
    float h = (x[at] - mean) * by, g = dy[at] * scale[at];                                         \
                                                                                                   \
    dscale[at] += dy[at] * h;                                                                      \
    dshift[at] += dy[at];                                                                          \
    sum[l] += g;                                                                                   \
    along[l] += g * h
    for (; j + CHAINS <= n; j += CHAINS)
        for (size_t l = 0; l < CHAINS; l++) {
            NORM_AT(j + l, l);
        }
    for (size_t l = 0; j + l < n; l++) {
        NORM_AT(j + l, l);
    }
#undef NORM_AT
    *ret_g = fold(sum);
    *ret_gh = fold(along);
}

static void norm_dx(size_t n, float mean, float by, float g, float gh, int add, const float *x,
                    const float *scale, const float *dy, float *dx)
{
    if (add)
        for (size_t j = 0; j < n; j++)
            dx[j] += by * (dy[j] * scale[j] - g - (x[j] - mean) * by * gh);
    else
        for (size_t j = 0; j < n; j++)
            dx[j] = by * (dy[j] * scale[j] - g - (x[j] - mean) * by * gh);
}

static void layer_norm_grad(size_t rows, size_t cols, int add, const float *x, const float *scale,
                            const float *stats, const float *dy, float *dx, float *dscale,
                            float *dshift)
{
    float n = (float)cols;

    memset(dscale, 0, cols * sizeof *dscale);
    memset(dshift, 0, cols * sizeof *dshift);
    for (size_t i = 0; i < rows; i++) {
        const float *row = x + i * cols, *d = dy + i * cols;
        float mean = stats[2 * i], by = stats[2 * i + 1], g, gh;

        norm_sums(cols, mean, by, row, scale, d, dscale, dshift, &g, &gh);
        norm_dx(cols, mean, by, g / n, gh / n, add, row, scale, d, dx + i * cols);
    }
}

static void embed(size_t rows, size_t tokens, size_t cols, const float *ids, const float *table,
                  const float *place, float *y)
{
    for (size_t i = 0; i < rows; i++) {
        const float *own = table + (size_t)ids[i] * cols;

        if (place)
            add_pair(cols, own, place + i % tokens * cols, y + i * cols);
        else
            memcpy(y + i * cols, own, cols * sizeof *y);
    }
}

static void embed_grad(size_t rows, size_t tokens, size_t cols, size_t vocabulary, int add,
                       const float *ids, const float *dy, float *dtable, float *dplace)
{
    if (!add)
        memset(dtable, 0, vocabulary * cols * sizeof *dtable);
    if (dplace)
        memset(dplace, 0, tokens * cols * sizeof *dplace);
    for (size_t i = 0; i < rows; i++) {
        add_row(cols, dy + i * cols, dtable + (size_t)ids[i] * cols);
        if (dplace)
            add_row(cols, dy + i * cols, dplace + i % tokens * cols);
    }
}

/* Rows of scores are computed in whole chains: what lies beyond a row's end there is nobody's, and
 * becomes 0 as what it does not see. */
static inline size_t whole(size_t n)
{
    return (n + CHAINS - 1) / CHAINS * CHAINS;
}

static inline size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* How many keys row i of a block sees. */
static inline size_t seen(const struct asy__scores *s, size_t i)
{
    return s->causal ? s->first + i + 1 : s->keys;
}

static void set(float *x, size_t from, size_t to, float value)
{
    for (size_t j = from; j < to; j++)
        x[j] = value;
}

static void exp_along(size_t n, float scale, float top, float by, float *restrict x)
{
    for (size_t j = 0; j < n; j++)
        x[j] = exp_poly(x[j] * scale - top) * by;
}

static void attend(const struct asy__scores *s, float *p, float *stats)
{
    for (size_t i = 0; i < s->rows; i++) {
        size_t n = seen(s, i), all = whole(n), end = larger(all, s->keys);
        float *row = p + i * s->step, top, by;

        set(row, n, all, row[0]);
        top = top_along(all, row) * s->scale;
        exp_along(all, s->scale, top, 1.0f, row);
        set(row, n, end, 0);
        by = 1.0f / sum_along(all, row);
        scale_row(all, by, row);
        stats[2 * i] = top;
        stats[2 * i + 1] = by;
    }
}

static void attend_again(const struct asy__scores *s, float *p, const float *stats)
{
    for (size_t i = 0; i < s->rows; i++) {
        size_t n = seen(s, i), all = whole(n);
        float *row = p + i * s->step;

        set(row, n, all, row[0]);
        exp_along(all, s->scale, stats[2 * i], stats[2 * i + 1], row);
        set(row, n, larger(all, s->keys), 0);
    }
}

static void attend_grad(const struct asy__scores *s, const float *p, float *dp)
{
    for (size_t i = 0; i < s->rows; i++) {
        size_t n = seen(s, i), all = whole(n);
        const float *row = p + i * s->step;
        float *d = dp + i * s->step;

        set(d, n, larger(all, s->keys), 0);
        slope_along(all, s->scale, dot_along(all, row, d), row, d);
    }
}

static void attend_drop(const struct asy__scores *s, const struct asy_dropout *how, uint64_t first,
                        size_t tokens, float *p)
{
    struct dropper d;

    d.how = how;
    d.group = UINT64_MAX;
    for (size_t i = 0; i < s->rows; i++)
        drop_range(&d, first + i * tokens, seen(s, i), p + i * s->step);
}

static void drop_along(size_t n, float keep, const float *restrict left, float *restrict x)
{
    for (size_t j = 0; j < n; j++)
        x[j] = left[j] == 0 ? 0 : x[j] * keep;
}

static void attend_drop_as(const struct asy__scores *s, const struct asy_dropout *how,
                           const float *left, float *dp)
{
    for (size_t i = 0; i < s->rows; i++)
        drop_along(seen(s, i), drop_keep(how), left + i * s->step, dp + i * s->step);
}
