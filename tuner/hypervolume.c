/* SPDX-License-Identifier: Apache-2.0
 * hypervolume.c - exact hypervolumes, what single points add to them, subsets that cover most.
 *
 * A volume is a sum over points in ascending order of the last objective: each adds the slab from
 * its last value to the reference, on what it covers of the other objectives and no earlier point
 * does. An earlier point matters there by max(it, point) alone, and of those only by what nobody
 * dominates: the "limited set" of While et al. 2012. So each level has an objective less, down to
 * three, which a sweep does in O(n log n) but for moving short pieces of an array. */
#include <asy/pareto.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "rows.h"

/* ---- up to three objectives ---------------------------------------------------------------- */

static int by_first(const void *a, const void *b, void *m)
{
    const double *x = a, *y = b;

    for (size_t j = 0; j < *(const size_t *)m; j++)
        if (x[j] != y[j])
            return x[j] < y[j] ? -1 : 1;
    return 0;
}

static int by_last(const void *a, const void *b, void *m)
{
    const double *x = a, *y = b;

    for (size_t j = *(const size_t *)m; j-- > 0;)
        if (x[j] != y[j])
            return x[j] < y[j] ? -1 : 1;
    return 0;
}

static double volume_1(const double *p, size_t n, const double *ref)
{
    double best = p[0];

    for (size_t i = 1; i < n; i++)
        best = fmin(best, p[i]);
    return ref[0] - best;
}

static double volume_2(double *p, size_t n, const double *ref)
{
    double sum = 0, top = ref[1];
    size_t m = 2;

    qsort_r(p, n, 2 * sizeof *p, by_first, &m);
    for (size_t i = 0; i < n; i++) {
        if (p[2 * i + 1] >= top)
            continue;
        sum += (ref[0] - p[2 * i]) * (top - p[2 * i + 1]);
        top = p[2 * i + 1];
    }
    return sum;
}

/* What is covered of the first two objectives: steps that fall from left to right. */
struct stairs {
    double *x, *y; /* [n] x ascending, y descending */
    size_t n;
    double area;
};

static void stairs_add(struct stairs *s, double x, double y, const double *ref)
{
    size_t lo = 0, hi = s->n;
    double left = x, level;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (s->x[mid] < x)
            lo = mid + 1;
        else
            hi = mid;
    }
    if ((lo > 0 && s->y[lo - 1] <= y) || (lo < s->n && s->x[lo] == x && s->y[lo] <= y))
        return;
    level = lo > 0 ? s->y[lo - 1] : ref[1];
    for (hi = lo; hi < s->n && s->y[hi] >= y; hi++) {
        s->area += (s->x[hi] - left) * (level - y);
        left = s->x[hi];
        level = s->y[hi];
    }
    s->area += ((hi < s->n ? s->x[hi] : ref[0]) - left) * (level - y);
    memmove(&s->x[lo + 1], &s->x[hi], (s->n - hi) * sizeof *s->x);
    memmove(&s->y[lo + 1], &s->y[hi], (s->n - hi) * sizeof *s->y);
    s->x[lo] = x;
    s->y[lo] = y;
    s->n = s->n - hi + lo + 1;
}

/* work: [2n] */
static double volume_3(double *p, size_t n, const double *ref, double *work)
{
    struct stairs stairs = { .x = work, .y = work + n };
    double sum = 0;
    size_t m = 3;

    qsort_r(p, n, 3 * sizeof *p, by_last, &m);
    for (size_t i = 0; i < n; i++) {
        stairs_add(&stairs, p[3 * i], p[3 * i + 1], ref);
        sum += stairs.area * ((i + 1 < n ? p[3 * i + 5] : ref[2]) - p[3 * i + 2]);
    }
    return sum;
}

/* ---- more ---------------------------------------------------------------------------------- */

static double box(const double *p, const double *ref, size_t m)
{
    double product = 1;

    for (size_t j = 0; j < m; j++)
        product *= ref[j] - p[j];
    return product;
}

/* Adds point to those of a set, [n, m], of which none dominates another; returns how many there are
 * then. */
static size_t set_add(double *set, size_t n, const double *point, size_t m)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        size_t j = 0;

        while (j < m && set[i * m + j] <= point[j])
            j++;
        if (j == m)
            return n; /* nobody was removed so far: it would not dominate then */
        while (j < m && point[j] <= set[i * m + j])
            j++;
        if (j == m && asy_pareto_dominates(point, &set[i * m], m))
            continue;
        if (kept < i)
            memcpy(&set[kept * m], &set[i * m], m * sizeof *set);
        kept++;
    }
    memcpy(&set[kept * m], point, m * sizeof *set);
    return kept + 1;
}

/* Doubles of work for n points: a limited set for each level, and the steps of the lowest. */
static size_t work_size(size_t n, size_t m)
{
    size_t size = 2 * n;

    for (; m > 3; m--)
        size += n * (m - 1);
    return size;
}

/* p, [n, m], are all better than ref everywhere; their order changes. */
static double volume(double *p, size_t n, size_t m, const double *ref, double *work)
{
    double sum = 0, point[ASY_OBJECTIVES_MAX];

    if (n == 0)
        return 0;
    if (m <= 2)
        return m == 1 ? volume_1(p, n, ref) : volume_2(p, n, ref);
    if (m == 3)
        return volume_3(p, n, ref, work);
    qsort_r(p, n, m * sizeof *p, by_last, &m);
    for (size_t k = 0; k < n; k++) {
        const double *own = &p[k * m];
        size_t limited = 0;

        for (size_t i = 0; i < k; i++) {
            for (size_t j = 0; j + 1 < m; j++)
                point[j] = fmax(own[j], p[i * m + j]);
            limited = set_add(work, limited, point, m - 1);
        }
        sum += (ref[m - 1] - own[m - 1]) *
               (box(own, ref, m - 1) - volume(work, limited, m - 1, ref, work + n * (m - 1)));
    }
    return sum;
}

/* Copies points that cover anything; whether all is finite. */
static int take(const double *values, size_t n, size_t m, const double *ref, double *ret,
                size_t *ret_n)
{
    int finite = 1;

    *ret_n = 0;
    for (size_t i = 0; i < n; i++) {
        size_t j = 0;

        while (j < m && values[i * m + j] < ref[j])
            j++;
        if (j < m)
            continue;
        for (j = 0; j < m; j++)
            finite &= isfinite(values[i * m + j]) && isfinite(ref[j]);
        memcpy(&ret[(*ret_n)++ * m], &values[i * m], m * sizeof *ret);
    }
    return finite;
}

static double *room(size_t n, size_t m, struct asy_error *err)
{
    double *memory = malloc(((n + 1) * m + work_size(n + 1, m)) * sizeof *memory);

    if (!memory)
        ASY_IGNORE(asy_fail(err, ASY_E_NOMEM, "no memory for the volume of %zu points", n));
    return memory;
}

int asy_pareto_volume(const double *values, size_t n, size_t m, const double *ref,
                      double *ret_volume, struct asy_error *err)
{
    double *points = room(n, m, err);
    size_t kept;

    if (!points)
        return ASY_E_NOMEM;
    if (take(values, n, m, ref, points, &kept))
        *ret_volume = volume(points, kept, m, ref, points + n * m);
    else
        *ret_volume = INFINITY;
    free(points);
    return 0;
}

/* ---- single points ------------------------------------------------------------------------- */

/* What point covers and others, [n, m], do not. memory: as from room(n, m). */
static double alone(const double *point, const double *others, size_t n, size_t m, size_t skip,
                    const double *ref, double *memory)
{
    double limited[ASY_OBJECTIVES_MAX];
    size_t kept = 0;

    for (size_t j = 0; j < m; j++)
        if (!(point[j] < ref[j]))
            return 0;
    for (size_t i = 0; i < n; i++) {
        size_t j = 0;

        for (; j < m && i != skip; j++)
            if (!((limited[j] = fmax(point[j], others[i * m + j])) < ref[j]))
                break;
        if (j == m)
            kept = set_add(memory, kept, limited, m);
    }
    return fmax(box(point, ref, m) - volume(memory, kept, m, ref, memory + n * m), 0);
}

int asy_pareto_contributions(const double *values, size_t n, size_t m, const double *ref,
                             double *ret, struct asy_error *err)
{
    double *memory = room(n, m, err);

    if (!memory)
        return ASY_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        ret[i] = alone(&values[i * m], values, n, m, i, ref, memory);
    free(memory);
    return 0;
}

/* ---- subsets ------------------------------------------------------------------------------- */

/* The state of a greedy choice among rows, all different, in lexicographic order. */
struct choice {
    const struct asy__row_ref *rows;
    size_t n, m;
    const double *ref;
    double *gain;    /* [n] upper bound of what the row adds; < 0: taken */
    uint32_t *known; /* [n] how many were taken when gain was exact */
    double *corners; /* [n, 2] two objectives: where the row's rectangle ends */
    double *taken;   /* [k, m] */
    double *memory;  /* of a volume of k points */
};

static size_t most(const struct choice *c)
{
    size_t at = 0;

    for (size_t i = 1; i < c->n; i++)
        if (c->gain[i] > c->gain[at])
            at = i;
    return at;
}

/* Each is on its own on either side: y falls while x rises. */
static int is_front_2(const struct choice *c)
{
    for (size_t i = 1; i < c->n; i++)
        if (c->m != 2 || c->rows[i].v[1] >= c->rows[i - 1].v[1])
            return 0;
    return c->m == 2;
}

/* Nothing where the row is not better than its corner, or infinity meets nothing. */
static double rectangle(const double *v, const double *corner)
{
    double area = (corner[0] - v[0]) * (corner[1] - v[1]);

    return v[0] < corner[0] && v[1] < corner[1] && area > 0 ? area : 0;
}

/* Two objectives: what a row adds is the rectangle up to the nearest taken rows. */
static void choose_2(struct choice *c, size_t k, uint32_t *ret)
{
    for (size_t i = 0; i < c->n; i++)
        memcpy(&c->corners[2 * i], c->ref, 2 * sizeof *c->ref);
    for (size_t taken = 0; taken < k; taken++) {
        size_t at;

        for (size_t i = 0; i < c->n; i++)
            if (!(c->gain[i] < 0))
                c->gain[i] = rectangle(c->rows[i].v, &c->corners[2 * i]);
        at = most(c);
        c->gain[at] = -1;
        ret[taken] = c->rows[at].index;
        for (size_t i = 0; i < at; i++)
            c->corners[2 * i] = fmin(c->corners[2 * i], c->rows[at].v[0]);
        for (size_t i = at + 1; i < c->n; i++)
            c->corners[2 * i + 1] = fmin(c->corners[2 * i + 1], c->rows[at].v[1]);
    }
}

/* What a row adds only falls while others are taken: a largest value that is exact is largest. */
static void choose(struct choice *c, size_t k, uint32_t *ret)
{
    for (size_t i = 0; i < c->n; i++) {
        c->known[i] = 0;
        c->gain[i] = alone(c->rows[i].v, NULL, 0, c->m, 0, c->ref, c->memory);
    }
    for (size_t taken = 0; taken < k;) {
        size_t at = most(c);

        if (c->known[at] < taken) {
            c->gain[at] = alone(c->rows[at].v, c->taken, taken, c->m, SIZE_MAX, c->ref, c->memory);
            c->known[at] = (uint32_t)taken;
            continue;
        }
        c->gain[at] = -1;
        memcpy(&c->taken[taken * c->m], c->rows[at].v, c->m * sizeof *c->taken);
        ret[taken++] = c->rows[at].index;
    }
}

static int choose_any(struct choice *c, size_t k, uint32_t *ret, struct asy_error *err)
{
    int rc = 0;

    c->gain = calloc(c->n, sizeof *c->gain);
    c->known = malloc(c->n * sizeof *c->known);
    c->corners = malloc(2 * c->n * sizeof *c->corners);
    c->taken = malloc(k * c->m * sizeof *c->taken);
    c->memory = room(k, c->m, err);
    if (!c->gain || !c->known || !c->corners || !c->taken || !c->memory)
        rc = asy_fail(err, ASY_E_NOMEM, "no memory to choose of %zu points", c->n);
    else if (is_front_2(c))
        choose_2(c, k, ret);
    else
        choose(c, k, ret);
    free(c->gain);
    free(c->known);
    free(c->corners);
    free(c->taken);
    free(c->memory);
    return rc;
}

static int by_index(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* Moves the first of equal rows to the front, the others behind them; how many differ. */
static size_t part_equal(struct asy__row_ref *rows, struct asy__row_ref *again, size_t n, size_t m)
{
    size_t kept = 0, repeated = 0;

    for (size_t i = 0; i < n; i++)
        if (kept > 0 && asy__rows_equal(rows[i].v, rows[kept - 1].v, m))
            again[repeated++] = rows[i];
        else
            rows[kept++] = rows[i];
    return kept;
}

static void add_repeated(const struct asy__row_ref *again, size_t n, size_t k, uint32_t *memory,
                         uint32_t *ret)
{
    for (size_t i = 0; i < n; i++)
        memory[i] = again[i].index;
    qsort(memory, n, sizeof *memory, by_index);
    memcpy(ret, memory, k * sizeof *ret);
}

int asy_pareto_subset(const double *values, size_t n, size_t m, const double *ref, size_t k,
                      uint32_t *ret, struct asy_error *err)
{
    struct asy__row_ref *rows = NULL, *again = NULL;
    uint32_t *memory = NULL;
    size_t kept, plain = k == n;
    int rc = 0;

    for (size_t j = 0; j < m; j++)
        plain |= !isfinite(ref[j]);
    if (plain || k == 0) {
        for (size_t i = 0; i < k; i++)
            ret[i] = (uint32_t)i;
        return 0;
    }
    rows = asy__rows_sorted(values, n, m);
    again = malloc(n * sizeof *again);
    memory = malloc(n * sizeof *memory);
    if (!rows || !again || !memory) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory to choose of %zu points", n);
        goto out;
    }
    kept = part_equal(rows, again, n, m);
    if (kept > k) {
        struct choice choice = { .rows = rows, .n = kept, .m = m, .ref = ref };

        if ((rc = choose_any(&choice, k, memory, err)))
            goto out;
        memcpy(ret, memory, k * sizeof *ret);
    } else {
        for (size_t i = 0; i < kept; i++)
            ret[i] = rows[i].index;
        add_repeated(again, n - kept, k - kept, memory, ret + kept);
    }
    qsort(ret, k, sizeof *ret, by_index);
out:
    free(rows);
    free(again);
    free(memory);
    return rc;
}
