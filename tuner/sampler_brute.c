/* SPDX-License-Identifier: Apache-2.0
 * sampler_brute.c - the points of a finite space that no trial has had, in a random order, until
 * all have been tried.
 *
 * Unlike with grid, whatever a trial had counts, also where the study gave it or it was told from
 * elsewhere: nothing comes twice, and the end is reached when all points have been tried, however
 * that came. How a trial ended is all the same. */
#include "map.h"
#include "permute.h"
#include "sampler.h"
#include <stdlib.h>

struct taken { /* a point that trials have */
    uint64_t index;
    uint32_t trials;
};
struct had {
    uint64_t number;
    uint32_t taken; /* ASY__MAP_NONE: none, it is asked again */
};
struct brute {
    uint64_t n;
    uint64_t cursor;        /* of the random order: no point before it is free */
    struct asy__map points; /* index -> taken */
    struct asy__map numbers; /* trial -> had */
    struct taken *taken;
    struct had *had;
    size_t n_taken, n_had, cap;
};

static void destroy(struct asy_sampler *s)
{
    struct brute *b = s->state;

    asy__map_fini(&b->points);
    asy__map_fini(&b->numbers);
    free(b->taken);
    free(b->had);
    free(b);
}

static int create(struct asy_sampler *s, struct asy_error *err)
{
    double n = asy_space_cardinality(s->space);
    struct brute *b;

    for (size_t i = 0; i < asy_space_len(s->space); i++)
        if (isinf(asy_space_values(s->space, i)))
            return asy_fail(err, ASY_E_INVAL,
                            "sampler 'brute_force': float '%s' has neither step nor list of values",
                            asy_space_at(s->space, i)->name);
    if (!(n <= 0x1p53))
        return asy_fail(err, ASY_E_INVAL, "sampler 'brute_force': the space has too many points");
    if (!(b = calloc(1, sizeof *b)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
    b->n = (uint64_t)n;
    s->state = b;
    return 0;
}

static int reserve(struct asy_sampler *s, const struct asy_outcome *outcome)
{
    struct brute *b = s->state;
    size_t cap = b->cap ? 2 * b->cap : 64;
    void *more;

    if (asy__map_get(&b->numbers, outcome->number) != ASY__MAP_NONE &&
        asy__map_get(&b->points, asy_space_index(s->space, outcome->x)) != ASY__MAP_NONE)
        return 0;
    if (b->n_had == b->cap || b->n_taken == b->cap) {
        if (cap >= ASY__MAP_NONE || !(more = realloc(b->had, cap * sizeof *b->had)))
            return ASY_E_NOMEM;
        b->had = more;
        if (!(more = realloc(b->taken, cap * sizeof *b->taken)))
            return ASY_E_NOMEM;
        b->taken = more;
        b->cap = cap;
    }
    return asy__map_reserve(&b->points) ? ASY_E_NOMEM : asy__map_reserve(&b->numbers);
}

static void give_back(struct brute *b, struct had *had)
{
    if (had->taken != ASY__MAP_NONE && --b->taken[had->taken].trials == 0)
        b->cursor = 0; /* it is free again, wherever it is */
    had->taken = ASY__MAP_NONE;
}

static void tell(struct asy_sampler *s, const struct asy_outcome *outcome)
{
    struct brute *b = s->state;
    uint64_t index = asy_space_index(s->space, outcome->x);
    uint32_t h, t;

    if ((h = asy__map_get(&b->numbers, outcome->number)) == ASY__MAP_NONE) {
        h = (uint32_t)b->n_had++;
        b->had[h] = (struct had){ outcome->number, ASY__MAP_NONE };
        asy__map_put(&b->numbers, outcome->number, h);
    }
    if ((t = asy__map_get(&b->points, index)) == ASY__MAP_NONE) {
        t = (uint32_t)b->n_taken++;
        b->taken[t] = (struct taken){ index, 0 };
        asy__map_put(&b->points, index, t);
    }
    if (b->had[h].taken == t)
        return;
    give_back(b, &b->had[h]);
    b->had[h].taken = t;
    b->taken[t].trials++;
}

static int is_free(const struct brute *b, uint64_t index)
{
    uint32_t t = asy__map_get(&b->points, index);

    return t == ASY__MAP_NONE || b->taken[t].trials == 0;
}

static int ask(struct asy_sampler *s, uint64_t number, const double *fixed, double *x,
               struct asy_error *err)
{
    struct brute *b = s->state;
    uint32_t h = asy__map_get(&b->numbers, number);
    int rc;

    if (h != ASY__MAP_NONE)
        give_back(b, &b->had[h]);
    for (size_t i = 0; fixed && i < asy_space_len(s->space); i++)
        if (!isnan(fixed[i])) {
            asy__random_point(s, number, fixed, x);
            return 0;
        }
    while (b->cursor < b->n && !is_free(b, asy__permute(b->cursor, b->n, s->seed)))
        b->cursor++;
    if (b->cursor == b->n)
        return asy_fail(err, ASY_E_FULL,
                        "sampler 'brute_force': all %llu points of the space have been tried",
                        (unsigned long long)b->n);
    rc = asy_space_point(s->space, asy__permute(b->cursor, b->n, s->seed), x, err);
    asy_error_prefix(rc ? err : NULL, "sampler 'brute_force'");
    return rc;
}

const struct asy__sampler_class asy__sampler_brute_force = {
    .name = "brute_force", .create = create, .destroy = destroy, .ask = ask,
    .reserve = reserve, .tell = tell,
};
