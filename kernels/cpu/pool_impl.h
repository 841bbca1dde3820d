/* SPDX-License-Identifier: Apache-2.0
 * pool_impl.h - pooling, compiled once per instruction set: plain loops over channels, which lie
 * side by side. Windows of 2 x 2 that neither overlap nor leave the image are done in one go, with
 * vectors written out: compilers do not make any of loops over floats and bytes.
 *
 * The includer defines POOL (the table's name), POOL_NAME, and GROUP, channels that are one vector:
 * compilers take what is wider number by number. Where each channel came from is a byte. */
#include "pool.h"
#include <string.h>

#define USUAL 16 /* channels whose loops are of a length that the compiler knows */
#define CHUNK 64 /* channels whose greatest are at hand at once */

typedef float group __attribute__((vector_size(4 * GROUP)));
typedef int32_t whole __attribute__((vector_size(4 * GROUP)));
typedef uint16_t halves __attribute__((vector_size(2 * GROUP))); /* the way there, and back */
typedef uint8_t bytes __attribute__((vector_size(GROUP)));

/* Where x takes the place of the greatest so far. */
static inline int is_more(float x, float best)
{
    return !(x <= best) & (best == best);
}

/* best and which where x is no more, else x and tap: is_more() of GROUP channels. */
#define TAKE(best, which, x, tap)                                                                  \
    do {                                                                                           \
        whole more_ = ~((x) <= (best)) & ((best) == (best));                                       \
                                                                                                   \
        best = (group)((more_ & (whole)(x)) | (~more_ & (whole)(best)));                           \
        which = (more_ & (tap)) | (~more_ & which);                                                \
    } while (0)

#define APART __attribute__((noinline)) /* else registers run out */

/* The greatest of 2 x 2 pixels. */
static inline void max_of_four(size_t n, const float *a, const float *b, const float *c,
                               const float *d, float *y, uint8_t *from)
{
    size_t i = 0;

    for (; i + GROUP <= n; i += GROUP) {
        group best, x[3];
        whole which = { 0 };
        bytes narrow;

        memcpy(&best, a + i, sizeof best);
        memcpy(&x[0], b + i, sizeof best);
        memcpy(&x[1], c + i, sizeof best);
        memcpy(&x[2], d + i, sizeof best);
        TAKE(best, which, x[0], 1);
        TAKE(best, which, x[1], 2);
        TAKE(best, which, x[2], 3);
        narrow = __builtin_convertvector(which, bytes);
        memcpy(y + i, &best, sizeof best);
        memcpy(from + i, &narrow, sizeof narrow);
    }
    for (; i < n; i++) {
        const float x[3] = { b[i], c[i], d[i] };

        y[i] = a[i];
        from[i] = 0;
        for (uint8_t tap = 0; tap < 3; tap++)
            if (is_more(x[tap], y[i])) {
                y[i] = x[tap];
                from[i] = (uint8_t)(tap + 1);
            }
    }
}

static APART void take_greater(size_t n, const float *restrict x, int32_t tap, float *restrict best,
                         int32_t *restrict which)
{
    for (size_t i = 0; i < n; i++) {
        int more = is_more(x[i], best[i]);

        best[i] = more ? x[i] : best[i];
        which[i] = more ? tap : which[i];
    }
}

/* A line of such windows; x: the first of the two lines of `line` floats. */
static APART void max_line(size_t w, size_t n, size_t line, const float *x, float *y,
                           uint8_t *from)
{
    for (; n == USUAL && w > 0; w--, x += 2 * USUAL, y += USUAL, from += USUAL)
        max_of_four(USUAL, x, x + USUAL, x + line, x + line + USUAL, y, from);
    for (; w > 0; w--, x += 2 * n, y += n, from += n)
        max_of_four(n, x, x + n, x + line, x + line + n, y, from);
}

/* Channels c.. of one window. */
static APART void max_of_window(const struct asy_pool *p, const float *x, struct asy__window rows,
                          struct asy__window cols, size_t c, size_t n, float *y, uint8_t *from)
{
    int32_t which[CHUNK], first = (int32_t)(rows.skipped * p->size + cols.skipped);

    memcpy(y, x + (rows.first * p->w + cols.first) * p->channels + c, n * sizeof *y);
    for (size_t i = 0; i < n; i++)
        which[i] = first;
    for (size_t i = rows.first; i < rows.end; i++)
        for (size_t j = cols.first; j < cols.end; j++)
            if (i > rows.first || j > cols.first)
                take_greater(n, x + (i * p->w + j) * p->channels + c,
                             first + (int32_t)((i - rows.first) * p->size + j - cols.first), y,
                             which);
    for (size_t i = 0; i < n; i++)
        from[i] = (uint8_t)which[i];
}

static int is_simple(const struct asy_pool *p)
{
    return p->size == 2 && p->stride == 2 && p->pad == 0;
}

static void max_image(const struct asy_pool *p, const float *x, float *y, uint8_t *from)
{
    size_t h = asy_pool_h(p), w = asy_pool_w(p), n = p->channels, line = p->w * n;

    for (size_t i = 0; is_simple(p) && i < h; i++)
        max_line(w, n, line, x + 2 * i * line, y + i * w * n, from + i * w * n);
    if (is_simple(p))
        return;
    for (size_t i = 0; i < h * w; i++, y += n, from += n)
        for (size_t c = 0; c < n; c += CHUNK)
            max_of_window(p, x, asy__window_of(p, p->h, i / w), asy__window_of(p, p->w, i % w), c,
                          n - c < CHUNK ? n - c : CHUNK, y + c, from + c);
}

static void max_pool(const struct asy_pool *p, size_t rows, const float *x, float *y,
                     uint8_t *from)
{
    size_t out = asy_pool_h(p) * asy_pool_w(p) * p->channels;

    for (size_t r = 0; r < rows; r++)
        max_image(p, x + r * p->h * p->w * p->channels, y + r * out, from + r * out);
}

static inline void spread_to_four(size_t n, const float *dy, const uint8_t *from, float *a,
                                  float *b, float *c, float *d)
{
    float *const to[4] = { a, b, c, d };
    size_t i = 0;

    for (; i + GROUP <= n; i += GROUP) {
        whole v, which, here;
        bytes narrow;

        memcpy(&v, dy + i, sizeof v);
        memcpy(&narrow, from + i, sizeof narrow);
        which = __builtin_convertvector(__builtin_convertvector(narrow, halves), whole);
#pragma GCC unroll 4
        for (int tap = 0; tap < 4; tap++) {
            here = v & (which == tap);
            memcpy(to[tap] + i, &here, sizeof here);
        }
    }
    for (; i < n; i++)
        for (int tap = 0; tap < 4; tap++)
            to[tap][i] = from[i] == tap ? dy[i] : 0.0f;
}

static APART void spread_line(size_t w, size_t n, size_t line, const float *dy,
                              const uint8_t *from, float *dx)
{
    for (; n == USUAL && w > 0; w--, dx += 2 * USUAL, dy += USUAL, from += USUAL)
        spread_to_four(USUAL, dy, from, dx, dx + USUAL, dx + line, dx + line + USUAL);
    for (; w > 0; w--, dx += 2 * n, dy += n, from += n)
        spread_to_four(n, dy, from, dx, dx + n, dx + line, dx + line + n);
}

static APART void add_where(size_t n, const float *restrict dy, const uint8_t *restrict from,
                      int32_t tap, float *restrict dx)
{
    for (size_t i = 0; i < n; i++) {
        int32_t which = from[i];

        dx[i] += which == tap ? dy[i] : 0.0f;
    }
}

static void max_grad_window(const struct asy_pool *p, struct asy__window rows,
                            struct asy__window cols, const float *dy, const uint8_t *from,
                            float *dx)
{
    for (size_t i = rows.first; i < rows.end; i++)
        for (size_t j = cols.first; j < cols.end; j++)
            add_where(p->channels, dy, from,
                      (int32_t)((rows.skipped + i - rows.first) * p->size + cols.skipped + j -
                                cols.first),
                      dx + (i * p->w + j) * p->channels);
}

static void max_grad_image(const struct asy_pool *p, const float *dy, const uint8_t *from,
                           float *dx)
{
    size_t h = asy_pool_h(p), w = asy_pool_w(p), n = p->channels, line = p->w * n;

    if (!is_simple(p) || p->h % 2 || p->w % 2)
        memset(dx, 0, p->h * line * sizeof *dx);
    for (size_t i = 0; is_simple(p) && i < h; i++)
        spread_line(w, n, line, dy + i * w * n, from + i * w * n, dx + 2 * i * line);
    for (size_t i = 0; !is_simple(p) && i < h * w; i++)
        max_grad_window(p, asy__window_of(p, p->h, i / w), asy__window_of(p, p->w, i % w),
                        dy + i * n, from + i * n, dx);
}

static void max_pool_grad(const struct asy_pool *p, size_t rows, const float *dy,
                          const uint8_t *from, float *dx)
{
    size_t out = asy_pool_h(p) * asy_pool_w(p) * p->channels;

    for (size_t r = 0; r < rows; r++)
        max_grad_image(p, dy + r * out, from + r * out, dx + r * p->h * p->w * p->channels);
}

static APART void add(size_t n, const float *restrict x, float *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

static APART void add_scaled(size_t n, float factor, const float *restrict x, float *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] += factor * x[i];
}

static APART void scale(size_t n, float factor, float *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] *= factor;
}

static float share_of(struct asy__window rows, struct asy__window cols)
{
    return 1.0f / (float)((rows.end - rows.first) * (cols.end - cols.first));
}

static void mean_pool(const struct asy_pool *p, size_t rows, const float *x, float *y)
{
    size_t h = asy_pool_h(p), w = asy_pool_w(p), n = p->channels;

    for (size_t r = 0; r < rows * h * w; r++, y += n) {
        struct asy__window high = asy__window_of(p, p->h, r / w % h);
        struct asy__window wide = asy__window_of(p, p->w, r % w);
        const float *image = x + r / (h * w) * p->h * p->w * n;

        memset(y, 0, n * sizeof *y);
        for (size_t i = high.first; i < high.end; i++)
            for (size_t j = wide.first; j < wide.end; j++)
                add(n, image + (i * p->w + j) * n, y);
        scale(n, share_of(high, wide), y);
    }
}

static void mean_pool_grad(const struct asy_pool *p, size_t rows, const float *dy, float *dx)
{
    size_t h = asy_pool_h(p), w = asy_pool_w(p), n = p->channels;

    memset(dx, 0, rows * p->h * p->w * n * sizeof *dx);
    for (size_t r = 0; r < rows * h * w; r++, dy += n) {
        struct asy__window high = asy__window_of(p, p->h, r / w % h);
        struct asy__window wide = asy__window_of(p, p->w, r % w);
        float *image = dx + r / (h * w) * p->h * p->w * n;

        for (size_t i = high.first; i < high.end; i++)
            for (size_t j = wide.first; j < wide.end; j++)
                add_scaled(n, share_of(high, wide), dy, image + (i * p->w + j) * n);
    }
}

static void global_mean(size_t rows, size_t pixels, size_t channels, const float *x, float *y)
{
    for (size_t r = 0; r < rows; r++, y += channels) {
        memset(y, 0, channels * sizeof *y);
        for (size_t i = 0; i < pixels; i++, x += channels)
            add(channels, x, y);
        scale(channels, 1.0f / (float)pixels, y);
    }
}

static void global_mean_grad(size_t rows, size_t pixels, size_t channels, const float *dy,
                             float *dx)
{
    for (size_t r = 0; r < rows; r++, dy += channels)
        for (size_t i = 0; i < pixels; i++, dx += channels) {
            memcpy(dx, dy, channels * sizeof *dx);
            scale(channels, 1.0f / (float)pixels, dx);
        }
}

const struct asy__pool POOL = {
    POOL_NAME, max_pool, max_pool_grad, mean_pool, mean_pool_grad, global_mean, global_mean_grad,
};
