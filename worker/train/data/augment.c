/* SPDX-License-Identifier: Apache-2.0
 * augment.c - see augment.h. */
#include "augment.h"
#include <stdlib.h>
#include <string.h>
#include <asy/rng.h>

#define BLOCKS 2 /* of random words that belong to an image */

static int is_even(const struct asy__schema *schema)
{
    for (size_t i = 1; i < schema->n_features; i++)
        if (schema->shift[i] != schema->shift[0] || schema->factor[i] != schema->factor[0])
            return 0;
    return 1;
}

int asy__augment_init(struct asy__augment *a, struct asy_error *err)
{
    if (!(a->column = calloc(a->width, sizeof *a->column)))
        return asy_fail(err, ASY_E_NOMEM, "no memory to augment images");
    a->is_even = is_even(a->schema);
    return 0;
}

void asy__augment_fini(struct asy__augment *a)
{
    free(a->column);
    a->column = NULL;
}

/* -most to most, each as likely to a part in 2^32 / (2 most + 1). */
static ptrdiff_t way(struct asy_rng *rng, size_t most)
{
    uint64_t word = asy_rng_u32(rng);

    return (ptrdiff_t)(word * (2 * most + 1) >> 32) - (ptrdiff_t)most;
}

/* All are drawn whatever is asked for, so that one option does not change what another draws. */
struct asy__augment_draw asy__augment_draw(const struct asy__augment *a, uint64_t step,
                                           uint64_t place)
{
    struct asy__augment_draw draw;
    struct asy_rng rng;

    asy_rng_init(&rng, a->seed, step, ASY_RNG_AUGMENT);
    rng.counter = place * BLOCKS;
    draw.shift_y = way(&rng, a->shift);
    draw.shift_x = way(&rng, a->shift);
    draw.crop_y = way(&rng, a->crop);
    draw.crop_x = way(&rng, a->crop);
    draw.flip = (asy_rng_u32(&rng) >> 31) & (a->flip != 0);
    return draw;
}

/* Line or column i of so many: where it comes from; -1: the border. */
static ptrdiff_t source(size_t i, ptrdiff_t crop, ptrdiff_t shift, size_t length)
{
    ptrdiff_t at = (ptrdiff_t)i + crop, last = (ptrdiff_t)length - 1;

    if (at < 0 || at > last)
        return -1;
    at += shift;
    return at < 0 ? 0 : at > last ? last : at;
}

/* Feature `to` with the number of feature `at`, or with 0. */
static float moved(const struct asy__augment *a, const float *from, ptrdiff_t at, size_t to)
{
    const struct asy__schema *s = a->schema;

    if (at < 0)
        return (0 - s->shift[to]) * s->factor[to];
    if (a->is_even)
        return from[at];
    return (from[at] / s->factor[at] + s->shift[at] - s->shift[to]) * s->factor[to];
}

static void move_line(const struct asy__augment *a, const float *from, ptrdiff_t line, size_t to,
                      float *row)
{
    for (size_t x = 0; x < a->width; x++) {
        int border = line < 0 || a->column[x] < 0;
        ptrdiff_t at = (line * (ptrdiff_t)a->width + a->column[x]) * (ptrdiff_t)a->channels;

        for (size_t c = 0; c < a->channels; c++, to++)
            row[to] = moved(a, from, border ? -1 : at + (ptrdiff_t)c, to);
    }
}

void asy__augment_row(const struct asy__augment *a, uint64_t step, uint64_t place,
                      const float *from, float *to)
{
    struct asy__augment_draw d = asy__augment_draw(a, step, place);

    if (!d.shift_y && !d.shift_x && !d.crop_y && !d.crop_x && !d.flip) {
        memcpy(to, from, a->height * a->width * a->channels * sizeof *to);
        return;
    }
    for (size_t x = 0; x < a->width; x++)
        a->column[x] = source(d.flip ? a->width - 1 - x : x, d.crop_x, d.shift_x, a->width);
    for (size_t y = 0; y < a->height; y++)
        move_line(a, from, source(y, d.crop_y, d.shift_y, a->height), y * a->width * a->channels,
                  to);
}
