/* SPDX-License-Identifier: Apache-2.0
 * place.c - which trials took a place in a sequence of points. */
#include "place.h"
#include <stdlib.h>
#include <string.h>

void asy__places_fini(struct asy__places *places)
{
    free(places->given);
}

/* How many of those noted have lower numbers. */
static size_t given_below(const struct asy__places *places, uint64_t number)
{
    size_t lo = 0, hi = places->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (places->given[mid] < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static int note(struct asy__places *places, uint64_t number, struct asy_error *err)
{
    size_t at = given_below(places, number);

    if (at < places->n && places->given[at] == number)
        return 0;
    if (places->n == places->cap) {
        size_t cap = places->cap ? 2 * places->cap : 8;
        uint64_t *more = realloc(places->given, cap * sizeof *more);

        if (!more)
            return asy_fail(err, ASY_E_NOMEM, "no memory for an enqueued trial");
        places->given = more;
        places->cap = cap;
    }
    memmove(&places->given[at + 1], &places->given[at],
            (places->n - at) * sizeof *places->given);
    places->given[at] = number;
    places->n++;
    return 0;
}

int asy__sequence_place(const struct asy_sampler *s, struct asy__places *places, uint64_t number,
                        const double *fixed, uint64_t *ret_place, struct asy_error *err)
{
    int any = 0;

    if (number < s->n_enqueued)
        return 0;
    for (size_t i = 0; fixed && i < asy_space_len(s->space); i++)
        any |= !isnan(fixed[i]);
    if (any)
        return note(places, number, err);
    *ret_place = number - s->n_enqueued - given_below(places, number);
    return 1;
}
