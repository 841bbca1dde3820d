/* SPDX-License-Identifier: Apache-2.0
 * split.c - which rows are for training, validation and test.
 *
 * Each class is shuffled by a stream of its own, keyed by the split's seed, so the same rows come
 * together whatever else changes. Its shares are rounded down first; what is missing of the whole
 * share then goes to the classes with the largest remainders (Hamilton's method), never taking a
 * class's last training row.
 *
 * Folds divide what is beside the test part, which is the same for all of them: its rows, class
 * after class and shuffled within each, are dealt out in turn, so that the folds' sizes, and those
 * of each class in them, differ by at most one. A further repetition shuffles these rows again. */
#include "data.h"
#include <math.h>
#include <stdlib.h>
#include <asy/rng.h>

struct stratum {
    size_t n, start;        /* rows, first in `rows` */
    size_t take[ASY__PARTS]; /* rows of each part */
    double rest;
    size_t id;
};

static int by_rest(const void *a, const void *b)
{
    const struct stratum *const *x = a, *const *y = b;

    if ((*x)->rest < (*y)->rest || (*x)->rest > (*y)->rest)
        return (*x)->rest > (*y)->rest ? -1 : 1;
    return (*x)->id < (*y)->id ? -1 : 1;
}

/* Gives part `part` its share of all n rows. by: room for n_strata pointers. */
static void share_out(struct stratum *strata, size_t n_strata, size_t n, double share,
                      enum asy__part part, struct stratum **by)
{
    size_t want = (size_t)llround((double)n * share), given = 0;

    for (size_t s = 0; s < n_strata; s++) {
        double exact = (double)strata[s].n * share;

        strata[s].take[part] = (size_t)floor(exact);
        strata[s].rest = exact - floor(exact);
        strata[s].take[ASY__TRAIN] -= strata[s].take[part];
        given += strata[s].take[part];
        by[s] = &strata[s];
    }
    qsort(by, n_strata, sizeof *by, by_rest);
    for (size_t s = 0; s < n_strata && given < want; s++) {
        if (by[s]->take[ASY__TRAIN] < 2)
            continue;
        by[s]->take[part]++;
        by[s]->take[ASY__TRAIN]--;
        given++;
    }
}

/* round: 0 of the first shuffle of these rows. */
static void shuffle(size_t *rows, size_t n, uint64_t seed, size_t stratum, size_t round)
{
    struct asy_rng rng;

    asy_rng_init(&rng, seed, (uint64_t)round << 32 | stratum, ASY_RNG_SPLIT);
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)asy_rng_below(&rng, i), held = rows[i - 1];

        rows[i - 1] = rows[j];
        rows[j] = held;
    }
}

/* Sorts the rows by stratum, in file order within each. */
static void gather(struct stratum *strata, size_t n_strata, size_t n, const int32_t *label,
                   size_t *rows)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++)
        strata[label ? label[i] : 0].n++;
    for (size_t s = 0; s < n_strata; s++) {
        strata[s].start = at;
        strata[s].id = s;
        strata[s].take[ASY__TRAIN] = strata[s].n;
        at += strata[s].n;
        strata[s].n = 0;
    }
    for (size_t i = 0; i < n; i++) {
        struct stratum *s = &strata[label ? label[i] : 0];

        rows[s->start + s->n++] = i;
    }
}

/* The parts of a class's rows. *dealt counts the rows that went to folds so far. */
static void assign(const struct asy__data_spec *spec, const struct stratum *stratum, size_t *mine,
                   size_t *dealt, uint8_t *part_of)
{
    size_t test = stratum->take[ASY__TEST], rest = stratum->n - test;
    size_t folds = spec->folds, division = spec->division < 0 ? 0 : (size_t)spec->division;
    size_t round = folds ? division / folds : division;
    int deals = folds && rest > 1 && spec->division >= 0; /* a lone row is always trained on */

    shuffle(mine, stratum->n, spec->seed, stratum->id, 0);
    if (round > 0)
        shuffle(mine + test, rest, spec->seed, stratum->id, round);
    for (size_t i = 0; i < test; i++)
        part_of[mine[i]] = ASY__TEST;
    for (size_t i = 0; i < rest; i++) {
        int held = deals ? (*dealt)++ % folds == division % folds
                         : i < stratum->take[ASY__VALIDATION];

        part_of[mine[test + i]] = held ? ASY__VALIDATION : ASY__TRAIN;
    }
}

void asy__split_arrange(const uint8_t *part_of, size_t n, size_t *order, size_t *start)
{
    size_t at = 0;

    for (int part = 0; part < ASY__PARTS; part++) {
        start[part] = at;
        for (size_t i = 0; i < n; i++)
            if (part_of[i] == part)
                order[at++] = i;
    }
    start[ASY__PARTS] = at;
}

static int too_few(size_t n, size_t n_classes, const char *what, struct asy_error *err)
{
    if (n_classes)
        return asy_fail(err, ASY_E_INVAL,
                        "split: %zu rows in %zu classes are too few to %s on; each "
                        "class keeps a row to train on (stratify: false would not ask that)",
                        n, n_classes, what);
    return asy_fail(err, ASY_E_INVAL, "split: %zu rows are too few to %s on", n, what);
}

size_t asy__divisions(const struct asy__data_spec *spec)
{
    if (spec->folds)
        return (size_t)spec->folds * spec->repeats;
    return spec->repeats > 1 ? spec->repeats : 0;
}

int asy__split(const struct asy__data_spec *spec, size_t n, const int32_t *label,
               size_t n_classes, size_t *order, size_t *start, struct asy_error *err)
{
    const int32_t *by_label = spec->stratify ? label : NULL;
    size_t n_strata = by_label ? n_classes : 1;
    struct stratum *strata = calloc(n_strata + 1, sizeof *strata);
    struct stratum **by = calloc(n_strata + 1, sizeof *by);
    size_t *rows = calloc(n + 1, sizeof *rows);
    uint8_t *part_of = calloc(n + 1, 1);
    size_t dealt = 0;
    int rc = 0;

    if (!strata || !by || !rows || !part_of) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory to split %zu rows", n);
        goto out;
    }
    gather(strata, n_strata, n, by_label, rows);
    share_out(strata, n_strata, n, spec->test, ASY__TEST, by);
    if (!spec->folds && spec->division >= 0)
        share_out(strata, n_strata, n, spec->validation, ASY__VALIDATION, by);
    for (size_t s = 0; s < n_strata; s++)
        assign(spec, &strata[s], rows + strata[s].start, &dealt, part_of);
    asy__split_arrange(part_of, n, order, start);
    if (start[ASY__VALIDATION] == start[ASY__TRAIN])
        rc = asy_fail(err, ASY_E_INVAL, "split: no rows are left to train on, of %zu", n);
    else if (spec->validation > 0 && spec->division >= 0 &&
             start[ASY__TEST] == start[ASY__VALIDATION])
        rc = too_few(n, by_label ? n_classes : 0, "validate", err);
    else if (spec->test > 0 && start[ASY__PARTS] == start[ASY__TEST])
        rc = too_few(n, by_label ? n_classes : 0, "test", err);
out:
    free(strata);
    free(by);
    free(rows);
    free(part_of);
    return rc;
}
