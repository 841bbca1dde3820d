/* SPDX-License-Identifier: Apache-2.0
 * parzen.c - keeps the kernels of a Parzen estimator, draws from it. See parzen.h; densities are in
 * parzen_pdf.c. */
#include "parzen.h"
#include <stdlib.h>
#include <string.h>
#include "truncnorm.h"

#define FLAT 25          /* newest observations with weight 1 */
#define FLOOR_MAX 100.0  /* sigma is at least the range over this */
#define BY_GAP_MAX 16384 /* values of a dimension with a table of masses */
#define LEAD_OF 3        /* of so many continuous dimensions one leads: measured */

void asy__dim_init(struct asy__dim *dim, const struct asy_space *space, size_t i)
{
    const struct asy_param *p = asy_space_at(space, i);

    *dim = (struct asy__dim){ .param = i, .log = p->log, .min = p->lo, .max = p->hi,
                              .step = p->step, .n = asy_space_values(space, i) };
    if (p->type == ASY_PARAM_CHOICE && (!p->ordered || p->prior.weights))
        dim->kind = ASY__DIM_CHOICE;
    else
        dim->kind = p->step > 0 ? ASY__DIM_DISCRETE : ASY__DIM_CONTINUOUS;
    dim->lo = p->lo - p->step / 2;
    dim->hi = p->hi + p->step / 2;
    if (dim->log) {
        dim->lo = log(dim->lo);
        dim->hi = log(dim->hi);
    }
    dim->weights = p->prior.weights;
    for (size_t k = 0; dim->weights && k < p->n_choices; k++)
        dim->weight_sum += dim->weights[k];
    dim->mean = 0.5 * (dim->lo + dim->hi);
    dim->sd = dim->hi - dim->lo;
    if (p->prior.kind == ASY_PRIOR_NORMAL && p->prior.log == p->log) {
        dim->mean = p->log ? log(p->prior.a) : p->prior.a;
        dim->sd = p->prior.b;
    }
}

/* ---- kernels ------------------------------------------------------------------------------- */

/* As -log of what the bounds leave of a kernel, with sigma where it is a density. */
static double far_constant(const struct asy__dim *dim, double mu, double sigma)
{
    double log_part = asy__log_mass((dim->lo - mu) / sigma, (dim->hi - mu) / sigma);

    return dim->kind == ASY__DIM_CONTINUOUS ? -log_part - log(sigma) - ASY__LOG_SQRT_2PI
                                            : -log_part;
}

static void set_sigma(const struct asy__dim *dim, struct asy__kernels *ks, size_t k, double sigma)
{
    double inv = 1 / sigma, mu = ks->mu[k], part;

    if (ks->sigma[k] == sigma)
        return;
    ks->sigma[k] = sigma;
    ks->inv[k] = inv;
    if (mu < dim->lo || mu > dim->hi || sigma > dim->hi - dim->lo) { /* a user's prior only */
        ks->c[k] = far_constant(dim, mu, sigma);
        return;
    }
    part = asy__mass_around((dim->lo - mu) * inv, (dim->hi - mu) * inv);
    if (dim->kind == ASY__DIM_CONTINUOUS)
        ks->c[k] = -log(part * sigma) - ASY__LOG_SQRT_2PI;
    else
        ks->c[k] = part < 1 ? -log(part) : 0;
}

/* The width of the observation at place r of the n sorted ones. The outermost look inwards only. */
static void refresh(const struct asy__dim *dim, struct asy__kernels *ks, size_t n, size_t r)
{
    double mu = ks->mu[ks->sorted[r]], sigma;
    double left = mu - (r > 0 ? ks->mu[ks->sorted[r - 1]] : dim->lo);
    double right = (r + 1 < n ? ks->mu[ks->sorted[r + 1]] : dim->hi) - mu;

    if (n >= 2 && r == 0)
        sigma = right;
    else if (n >= 2 && r == n - 1)
        sigma = left;
    else
        sigma = left > right ? left : right;
    if (sigma < ks->floor)
        sigma = ks->floor;
    if (sigma > dim->hi - dim->lo)
        sigma = dim->hi - dim->lo;
    set_sigma(dim, ks, ks->sorted[r], sigma);
}

/* After the number of observations became n, with a change around place r. */
static void refresh_around(const struct asy__dim *dim, struct asy__kernels *ks, size_t n, size_t r)
{
    double parts = (double)n + 2;
    double floor = (dim->hi - dim->lo) / (parts < FLOOR_MAX ? parts : FLOOR_MAX);
    size_t from = r > 0 ? r - 1 : 0, to = r + 2;

    if (floor != ks->floor) {
        ks->floor = floor;
        for (size_t i = 0; ks->by_gap && i < (size_t)dim->n; i++)
            ks->by_gap[i] = NAN;
        from = 0;
        to = n;
    }
    for (size_t i = from; i < to && i < n; i++)
        refresh(dim, ks, n, i);
}

/* The first place whose (mu, k) is not before the given one. */
static size_t sorted_place(const struct asy__kernels *ks, size_t n, double mu, size_t k)
{
    size_t lo = 0, hi = n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2, at = ks->sorted[mid];

        if (ks->mu[at] < mu || (ks->mu[at] == mu && at < k))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void open_gap(double *v, size_t at, size_t n)
{
    memmove(&v[at + 1], &v[at], (n - at) * sizeof *v);
}

static void close_gap(double *v, size_t at, size_t n)
{
    memmove(&v[at], &v[at + 1], (n - at - 1) * sizeof *v);
}

uint32_t asy__dim_value(const struct asy__dim *dim, double x)
{
    double k = rint((x - dim->min) / dim->step);

    return k < (double)UINT32_MAX ? (uint32_t)k : UINT32_MAX;
}

static void kernels_insert(const struct asy__dim *dim, struct asy__kernels *ks, size_t n, size_t k,
                           double x)
{
    double mu = dim->log ? log(x) : x;
    size_t r;

    open_gap(ks->mu, k, n + 1);
    ks->mu[k] = mu;
    if (dim->kind == ASY__DIM_CHOICE)
        return;
    open_gap(ks->sigma, k, n + 1);
    open_gap(ks->inv, k, n + 1);
    open_gap(ks->c, k, n + 1);
    ks->sigma[k] = -1; /* none yet */
    if (dim->kind == ASY__DIM_DISCRETE) {
        memmove(&ks->value[k + 1], &ks->value[k], (n - k) * sizeof *ks->value);
        ks->value[k] = asy__dim_value(dim, x);
    }
    for (size_t i = 0; k < n && i < n; i++)
        ks->sorted[i] += ks->sorted[i] >= k;
    r = sorted_place(ks, n, mu, k);
    memmove(&ks->sorted[r + 1], &ks->sorted[r], (n - r) * sizeof *ks->sorted);
    ks->sorted[r] = (uint32_t)k;
    refresh_around(dim, ks, n + 1, r);
}

static void kernels_remove(const struct asy__dim *dim, struct asy__kernels *ks, size_t n, size_t k)
{
    if (dim->kind != ASY__DIM_CHOICE) {
        size_t r = sorted_place(ks, n, ks->mu[k], k);

        ASY_ASSERT(r < n && ks->sorted[r] == k);
        memmove(&ks->sorted[r], &ks->sorted[r + 1], (n - r - 1) * sizeof *ks->sorted);
        for (size_t i = 0; k + 1 < n && i + 1 < n; i++)
            ks->sorted[i] -= ks->sorted[i] > k;
        close_gap(ks->sigma, k, n + 1);
        close_gap(ks->inv, k, n + 1);
        close_gap(ks->c, k, n + 1);
        close_gap(ks->mu, k, n + 1);
        if (dim->kind == ASY__DIM_DISCRETE)
            memmove(&ks->value[k], &ks->value[k + 1], (n - k - 1) * sizeof *ks->value);
        refresh_around(dim, ks, n - 1, r);
    } else {
        close_gap(ks->mu, k, n + 1);
    }
}

/* Place of a number among the observations, or where it goes. */
static size_t number_place(const struct asy__parzen *p, uint64_t number)
{
    size_t lo = 0, hi = p->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (p->numbers[mid] < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* The weights of n observations and of the prior, as normalised logarithms. */
void asy__parzen_settle(struct asy__parzen *p)
{
    size_t n = p->n, ramp = n > FLAT && !p->uniform ? n - FLAT : 0;
    double start = n ? 1 / (double)n : 0, sum = 0, log_sum;

    if (p->n_weighed == n)
        return;
    for (size_t k = 0; k <= n; k++) {
        p->log_w[k] = 1;
        if (k < ramp)
            p->log_w[k] = ramp > 1 ? start + (double)k * ((1 - start) / (double)(ramp - 1)) : start;
        sum += p->log_w[k];
    }
    log_sum = log(sum);
    for (size_t k = 0; k <= n; k++)
        p->log_w[k] = k < ramp ? log(p->log_w[k]) - log_sum : -log_sum;
    p->n_weighed = n;
}

void asy__parzen_insert(struct asy__parzen *p, uint64_t number, const double *x)
{
    size_t k = number_place(p, number);

    ASY_ASSERT(p->n < p->cap, "%zu observations", p->n);
    for (size_t d = 0; d < p->n_dims; d++)
        kernels_insert(&p->dims[d], &p->kernels[d], p->n, k, x[p->dims[d].param]);
    memmove(&p->numbers[k + 1], &p->numbers[k], (p->n - k) * sizeof *p->numbers);
    p->numbers[k] = number;
    p->n++;
}

void asy__parzen_remove(struct asy__parzen *p, uint64_t number)
{
    size_t k = number_place(p, number);

    ASY_ASSERT(k < p->n && p->numbers[k] == number);
    for (size_t d = 0; d < p->n_dims; d++)
        kernels_remove(&p->dims[d], &p->kernels[d], p->n, k);
    memmove(&p->numbers[k], &p->numbers[k + 1], (p->n - k - 1) * sizeof *p->numbers);
    p->n--;
}

/* ---- memory -------------------------------------------------------------------------------- */

static int grow(void *array_pointer, size_t n, size_t size)
{
    void **array = array_pointer, *more = realloc(*array, n * size);

    if (!more)
        return ASY_E_NOMEM;
    *array = more;
    return 0;
}

static int has_by_gap(const struct asy__dim *dim)
{
    return dim->kind == ASY__DIM_DISCRETE && !dim->log && dim->n <= BY_GAP_MAX;
}

int asy__parzen_reserve(struct asy__parzen *p, size_t n)
{
    size_t cap = p->cap < 15 ? 15 : p->cap;

    if (n <= p->cap)
        return 0;
    while (cap < n)
        cap += cap / 2 + 8;
    for (size_t d = 0; d < p->n_dims; d++) {
        struct asy__kernels *ks = &p->kernels[d];

        if (grow(&ks->mu, cap + 1, sizeof *ks->mu))
            return ASY_E_NOMEM;
        if (p->dims[d].kind != ASY__DIM_CHOICE &&
            (grow(&ks->sigma, cap + 1, sizeof *ks->sigma) ||
             grow(&ks->inv, cap + 1, sizeof *ks->inv) || grow(&ks->c, cap + 1, sizeof *ks->c) ||
             grow(&ks->sorted, cap + 1, sizeof *ks->sorted)))
            return ASY_E_NOMEM;
        if (p->dims[d].kind == ASY__DIM_DISCRETE && grow(&ks->value, cap, sizeof *ks->value))
            return ASY_E_NOMEM;
        if (has_by_gap(&p->dims[d]) && !ks->by_gap &&
            grow(&ks->by_gap, (size_t)p->dims[d].n, sizeof *ks->by_gap))
            return ASY_E_NOMEM;
    }
    if (grow(&p->numbers, cap, sizeof *p->numbers) || grow(&p->log_w, cap + 1, sizeof *p->log_w))
        return ASY_E_NOMEM;
    p->cap = cap;
    return 0;
}

/* Continuous kernels are narrow, so they tell most apart; then come discrete ones, then choices. */
static void fill_order(struct asy__parzen *p)
{
    static const enum asy__dim_kind kinds[] = { ASY__DIM_CONTINUOUS, ASY__DIM_DISCRETE,
                                                ASY__DIM_CHOICE };
    size_t n = 0;

    for (size_t kind = 0; kind < ASY_ARRAY_LEN(kinds); kind++)
        for (size_t d = 0; d < p->n_dims; d++)
            if (p->dims[d].kind == kinds[kind])
                p->order[n++] = d;
    while (p->n_lead < n && p->dims[p->order[p->n_lead]].kind == ASY__DIM_CONTINUOUS)
        p->n_lead++;
    p->n_lead = p->n_lead > LEAD_OF ? p->n_lead / LEAD_OF : 1;
}

int asy__parzen_init(struct asy__parzen *p, const struct asy__dim *dims, size_t n_dims,
                     int uniform)
{
    *p = (struct asy__parzen){ .dims = dims, .n_dims = n_dims, .uniform = uniform,
                                 .n_weighed = SIZE_MAX };
    if (!(p->kernels = calloc(n_dims, sizeof *p->kernels)) ||
        !(p->order = malloc(n_dims * sizeof *p->order)) || asy__parzen_reserve(p, 1)) {
        asy__parzen_fini(p);
        return ASY_E_NOMEM;
    }
    fill_order(p);
    for (size_t d = 0; d < n_dims; d++) {
        struct asy__kernels *ks = &p->kernels[d];

        if (dims[d].kind == ASY__DIM_CHOICE) {
            ks->mu[0] = -1;
            continue;
        }
        ks->mu[0] = dims[d].mean;
        ks->sigma[0] = -1;
        set_sigma(&dims[d], ks, 0, dims[d].sd);
    }
    return 0;
}

void asy__parzen_fini(struct asy__parzen *p)
{
    for (size_t d = 0; p->kernels && d < p->n_dims; d++) {
        free(p->kernels[d].mu);
        free(p->kernels[d].sigma);
        free(p->kernels[d].inv);
        free(p->kernels[d].c);
        free(p->kernels[d].value);
        free(p->kernels[d].by_gap);
        free(p->kernels[d].sorted);
    }
    free(p->kernels);
    free(p->order);
    free(p->numbers);
    free(p->log_w);
    *p = (struct asy__parzen){ 0 };
}

/* ---- drawing ------------------------------------------------------------------------------- */

static size_t draw_kernel(const struct asy__parzen *p, double u)
{
    double sum = 0;

    for (size_t k = 0; k < p->n; k++)
        if ((sum += exp(p->log_w[k])) > u)
            return k;
    return p->n;
}

static double draw_choice(const struct asy__dim *dim, double mu, size_t n, double u)
{
    double other = 1 / (double)(n + 1), total = 1 + dim->n * other, sum = 0;

    if (mu < 0 && dim->weights) {
        double choice = 0;

        for (u *= dim->weight_sum; choice < dim->n - 1 && u >= dim->weights[(size_t)choice];)
            u -= dim->weights[(size_t)choice++];
        return choice;
    }
    if (mu < 0)
        return fmin(floor(u * dim->n), dim->n - 1);
    for (double choice = 0; choice < dim->n - 1; choice++)
        if ((sum += (choice == mu ? 1 + other : other) / total) > u)
            return choice;
    return dim->n - 1;
}

static double draw_numeric(const struct asy__dim *dim, const struct asy__kernels *ks, size_t k,
                           double u)
{
    double mu = ks->mu[k], sigma = ks->sigma[k];
    double x = mu + sigma * asy__truncnorm_ppf(u, (dim->lo - mu) / sigma, (dim->hi - mu) / sigma);

    if (dim->log)
        x = exp(x);
    if (dim->kind == ASY__DIM_DISCRETE)
        x = dim->min + rint((x - dim->min) / dim->step) * dim->step;
    return x < dim->min ? dim->min : x > dim->max ? dim->max : x;
}

void asy__parzen_sample(const struct asy__parzen *p, struct asy_rng *rng, double *ret_x)
{
    size_t k = draw_kernel(p, asy_rng_double(rng));

    for (size_t d = 0; d < p->n_dims; d++) {
        const struct asy__kernels *ks = &p->kernels[d];
        double u = asy_rng_double(rng);

        if (p->dims[d].kind == ASY__DIM_CHOICE)
            ret_x[d] = draw_choice(&p->dims[d], ks->mu[k], p->n, u);
        else
            ret_x[d] = draw_numeric(&p->dims[d], ks, k, u);
    }
}
