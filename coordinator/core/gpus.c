/* SPDX-License-Identifier: Apache-2.0
 * gpus.c - GPUs of workers: how much of each is given out, and which ones a trial gets.
 *
 * Amounts are 1/10,000 of a device. A trial asks for whole devices or for one part of one, for each
 * of its ranks. Whole devices come only from those that nobody has a part of; parts go to devices
 * of which a part is taken already, the fullest with room first, so that whole ones stay whole.
 * What is given out is the sum over the open attempts, by the devices' ids: a restarted coordinator
 * knows it from the leases before the worker has said what it has.
 *
 * Each rank's devices are near the cores that it gets (one NUMA group) where there is such a
 * choice; never is a trial kept waiting for it. */
#include "core_impl.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what a worker has ----------------------------------------------------------------------- */

static void gpus_free(struct asy__gpu *gpus, size_t n)
{
    for (size_t i = 0; gpus && i < n; i++) {
        free(gpus[i].id);
        free(gpus[i].name);
    }
    free(gpus);
}

void asy__gpus_fini(struct asy__worker *w)
{
    gpus_free(w->gpus, w->n_gpus);
    w->gpus = NULL;
    w->n_gpus = 0;
}

static struct asy__gpu *find(const struct asy__worker *w, const char *id)
{
    for (size_t i = 0; i < w->n_gpus; i++)
        if (!strcmp(w->gpus[i].id, id))
            return &w->gpus[i];
    return NULL;
}

void asy__gpus_occupy(struct asy__worker *w, const struct asy__gpu_part *parts, size_t n, int sign)
{
    if (ASY_MUTANT == 5)
        return;
    for (size_t i = 0; i < n; i++) {
        struct asy__gpu *gpu = find(w, parts[i].id);

        if (gpu && sign > 0)
            gpu->used += parts[i].share;
        else if (gpu)
            gpu->used -= parts[i].share;
    }
}

/* It stands in lists, in messages and on terminals. */
static int is_id(const char *text)
{
    size_t n = strlen(text);

    return n > 0 && n <= ASY__GPU_ID_MAX &&
           n == strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/");
}

const char *asy__gpus_refuse(const struct asy_gpu *gpus, size_t n)
{
    if (n > ASY__GPUS_MAX)
        return "an agent offers too many GPUs";
    for (size_t i = 0; i < n; i++) {
        if (!is_id(asy__str(gpus[i].id)))
            return "a GPU's id is 1 to 95 letters, digits and '-', '_', '.', ':', '/'";
        for (size_t k = 0; k < i; k++)
            if (!strcmp(gpus[i].id, gpus[k].id))
                return "an agent offers a GPU twice";
    }
    return NULL;
}

int asy__gpus_take(struct asy__worker *w, const struct asy_gpu *from, size_t n)
{
    struct asy__gpu *gpus = n ? calloc(n, sizeof *gpus) : NULL;
    struct asy__part *part;

    if (n && !gpus)
        return ASY_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        gpus[i].memory = from[i].memory;
        gpus[i].group = from[i].group;
        gpus[i].whole = from[i].whole;
        if (!(gpus[i].id = strdup(from[i].id)) ||
            !(gpus[i].name = strdup(asy__str(from[i].name)))) {
            gpus_free(gpus, n);
            return ASY_E_NOMEM;
        }
    }
    asy__gpus_fini(w);
    w->gpus = gpus;
    w->n_gpus = n;
    asy__each(part, &w->parts, struct asy__part, on_worker)
        asy__gpus_occupy(w, part->gpus, part->n_gpus, 1);
    return 0;
}

/* ---- what an attempt has --------------------------------------------------------------------- */

void asy__gpu_parts_free(struct asy__gpu_part *parts, size_t n)
{
    for (size_t i = 0; parts && i < n; i++)
        free(parts[i].id);
    free(parts);
}

int asy__gpu_parts_copy(const struct asy_placement *p, struct asy__gpu_part **ret_parts)
{
    struct asy__gpu_part *parts = calloc(p->n_gpus + 1, sizeof *parts);

    if (!parts)
        return ASY_E_NOMEM;
    for (size_t i = 0; i < p->n_gpus; i++) {
        parts[i].share = i < p->n_gpu_shares && p->gpu_shares[i] < ASY_GPU_WHOLE
                             ? p->gpu_shares[i] : ASY_GPU_WHOLE; /* an agent may offer anything */
        if (!(parts[i].id = strdup(p->gpus[i]))) {
            asy__gpu_parts_free(parts, p->n_gpus);
            return ASY_E_NOMEM;
        }
    }
    *ret_parts = parts;
    return 0;
}

/* ---- room ------------------------------------------------------------------------------------ */

static uint32_t ranks_of(const struct asy__study *s)
{
    return s->spec->ranks ? s->spec->ranks : 1;
}

static int shares(const struct asy__study *s)
{
    return s->spec->gpus > 0 && s->spec->gpus < ASY_GPU_WHOLE;
}

/* How many times the device holds what one rank asks for; of whole devices, whether it counts. */
static uint32_t times(const struct asy__gpu *gpu, const struct asy__study *s, uint32_t used)
{
    if (!shares(s))
        return used == 0;
    return gpu->whole || used >= ASY_GPU_WHOLE ? 0 : (ASY_GPU_WHOLE - used) / s->spec->gpus;
}

/* What counts as taken of a device. */
enum taken { NOTHING, USED, USED_AND_HELD };

static uint32_t taken_of(const struct asy__gpu *gpu, enum taken what)
{
    return what == NOTHING ? 0 : what == USED ? gpu->used : gpu->used + gpu->held;
}

static uint64_t ranks_in(const struct asy__worker *w, const struct asy__study *s, enum taken what)
{
    uint64_t n = 0;

    if (s->spec->gpus == 0)
        return UINT64_MAX;
    for (size_t i = 0; i < w->n_gpus; i++)
        n += times(&w->gpus[i], s, taken_of(&w->gpus[i], what));
    return shares(s) ? n : n / (s->spec->gpus / ASY_GPU_WHOLE);
}

uint64_t asy__gpus_ranks_could(const struct asy__worker *w, const struct asy__study *s)
{
    return ranks_in(w, s, NOTHING);
}

uint64_t asy__gpus_ranks_free(const struct asy__worker *w, const struct asy__study *s, int held)
{
    return ranks_in(w, s, held ? USED_AND_HELD : USED);
}

/* Trials that fit at once. */
static uint64_t fits_times(const struct asy__worker *w, const struct asy__study *s, enum taken what)
{
    return s->spec->gpus == 0 ? UINT64_MAX : ranks_in(w, s, what) / ranks_of(s);
}

uint64_t asy__gpus_fit(const struct asy__worker *w, const struct asy__study *s)
{
    return fits_times(w, s, USED);
}

int asy__gpus_unheld(const struct asy__worker *w, const struct asy__study *s)
{
    return fits_times(w, s, USED_AND_HELD) > 0;
}

int asy__gpus_could(const struct asy__worker *w, const struct asy__study *s)
{
    return fits_times(w, s, NOTHING) > 0;
}

size_t asy__gpus_unused(const struct asy__worker *w)
{
    size_t n = 0;

    for (size_t i = 0; i < w->n_gpus; i++)
        n += w->gpus[i].used == 0;
    return n;
}

/* ---- which ones ------------------------------------------------------------------------------ */

/* One choice in the making: what it takes counts as used. */
struct choice {
    const struct asy__worker *w;
    const struct asy__study *s;
    uint32_t *used;                /* [w->n_gpus] */
    const uint8_t *taken;          /* [w->n_cores] */
    uint32_t ranks;                /* of the trial that go here */
};

static uint32_t group_of(const struct asy__worker *w, uint32_t core)
{
    return 1 + (w->groups ? w->groups[core] : 0);
}

/* Whether its group has free cores for a rank. */
static int is_near(const struct choice *c, size_t i)
{
    uint32_t n = 0;

    for (uint32_t core = 0; core < c->w->n_cores; core++)
        n += group_of(c->w, core) == c->w->gpus[i].group && !c->w->busy[core] && !c->taken[core];
    return n >= c->s->spec->cores;
}

/* Unused devices of its group. */
static uint32_t unused_beside(const struct choice *c, size_t i)
{
    uint32_t n = 0;

    for (size_t k = 0; k < c->w->n_gpus; k++)
        n += c->used[k] == 0 && c->w->gpus[k].group == c->w->gpus[i].group;
    return n;
}

/* Larger is better. first: the rank's device of before; SIZE_MAX: none. */
static uint64_t merit(const struct choice *c, size_t i, size_t first)
{
    uint32_t whole = c->s->spec->gpus / ASY_GPU_WHOLE, beside;
    uint64_t near = is_near(c, i) ? 1 : 0;

    if (shares(c->s))
        return (c->used[i] > 0 ? 1u << 20 : 0) + (near << 19) + c->used[i];
    if (first != SIZE_MAX && c->w->gpus[i].group == c->w->gpus[first].group)
        return 1u << 21;
    beside = unused_beside(c, i);
    return (near && beside >= whole ? 1u << 20 : 0) + (near << 19) + ASY__GPUS_MAX - beside;
}

static size_t best(const struct choice *c, size_t first)
{
    size_t found = SIZE_MAX;
    uint64_t found_merit = 0;

    for (size_t i = 0; i < c->w->n_gpus; i++) {
        uint64_t m = times(&c->w->gpus[i], c->s, c->used[i]) ? 1 + merit(c, i, first) : 0;

        if (m > found_merit) {
            found = i;
            found_merit = m;
        }
    }
    return found;
}

/* The devices of one rank, taken out of `used`. Returns the group of the first. */
static uint32_t choose(const struct choice *c, size_t n, size_t *ret_chosen)
{
    for (size_t k = 0; k < n; k++) {
        size_t i = best(c, k ? ret_chosen[0] : SIZE_MAX);

        ASY_ASSERT(i != SIZE_MAX, "no room on the %zu GPUs of a worker that had it", c->w->n_gpus);
        c->used[i] += shares(c->s) ? c->s->spec->gpus : ASY_GPU_WHOLE;
        ret_chosen[k] = i;
    }
    return c->w->gpus[ret_chosen[0]].group;
}

/* An agent gives the ranks their cores in ascending order, so their devices go in the order of
 * their first cores. */
static void list_devices(struct asy_core *core, const struct choice *c, const uint32_t *cores,
                         const size_t *chosen, size_t per_rank, struct asy_placement *ret)
{
    uint32_t ranks = c->ranks, width = c->s->spec->cores;
    const char **ids = asy__alloc(core, ranks * per_rank * sizeof *ids);
    uint32_t *parts = asy__alloc(core, ranks * per_rank * sizeof *parts);

    if (!ids || !parts)
        return;
    for (uint32_t r = 0; r < ranks; r++) {
        size_t place = 0;

        for (uint32_t other = 0; other < ranks; other++)
            place += cores[other * width] < cores[r * width];
        for (size_t k = 0; k < per_rank; k++) {
            const struct asy__gpu *gpu = &c->w->gpus[chosen[r * per_rank + k]];

            ids[place * per_rank + k] = asy__dup(core, gpu->id);
            parts[place * per_rank + k] = shares(c->s) ? c->s->spec->gpus : ASY_GPU_WHOLE;
        }
    }
    ret->gpus = ids;
    ret->gpu_shares = parts;
    ret->n_gpus = ret->n_gpu_shares = ranks * per_rank;
}

static struct choice begin_choice(struct asy_core *core, const struct asy__worker *w,
                                  const struct asy__study *s, const uint8_t *taken,
                                  uint32_t ranks)
{
    struct choice c = { w, s, asy__alloc(core, w->n_gpus * sizeof *c.used), taken, ranks };

    for (size_t i = 0; c.used && i < w->n_gpus; i++)
        c.used[i] = taken_of(&w->gpus[i], USED_AND_HELD);
    return c;
}

void asy__gpus_hold(struct asy_core *core, struct asy__worker *w, const struct asy__study *s,
                    uint32_t ranks)
{
    size_t per_rank = shares(s) ? 1 : s->spec->gpus / ASY_GPU_WHOLE, *chosen;
    uint8_t *taken;
    struct choice c;

    if (per_rank == 0 || !(taken = asy__alloc(core, w->n_cores)) ||
        !(chosen = asy__alloc(core, per_rank * sizeof *chosen)) ||
        !(c = begin_choice(core, w, s, taken, ranks)).used)
        return;
    for (uint32_t r = 0; r < ranks; r++)
        choose(&c, per_rank, chosen);
    for (size_t i = 0; i < w->n_gpus; i++)
        w->gpus[i].held = c.used[i] - w->gpus[i].used;
}

void asy__gpus_unhold(struct asy__worker *w)
{
    for (size_t i = 0; i < w->n_gpus; i++)
        w->gpus[i].held = 0;
}

void asy__gpus_place(struct asy_core *core, const struct asy__worker *w,
                     const struct asy__study *s, uint8_t *taken, uint32_t *cores,
                     struct asy_placement *ret)
{
    uint32_t ranks = ret->ranks, width = s->spec->cores;
    size_t per_rank = shares(s) ? 1 : s->spec->gpus / ASY_GPU_WHOLE;
    size_t *chosen = asy__alloc(core, ranks * per_rank * sizeof *chosen);
    struct choice c = begin_choice(core, w, s, taken, ranks);

    if (!chosen || !c.used)
        return;
    for (uint32_t r = 0; r < ranks; r++) {
        uint32_t group = choose(&c, per_rank, chosen + r * per_rank);

        ret->n_cores += asy__worker_cores_of(w, width, group, taken, cores + r * width);
    }
    list_devices(core, &c, cores, chosen, per_rank, ret);
}

/* ---- in words -------------------------------------------------------------------------------- */

static void put_share(uint32_t share, char *text, size_t n)
{
    size_t len = (size_t)snprintf(text, n, "%u.%04u", share / ASY_GPU_WHOLE, share % ASY_GPU_WHOLE);

    while (len > 1 && text[len - 1] == '0')
        text[--len] = '\0';
    if (text[len - 1] == '.')
        text[--len] = '\0';
}

const char *asy__gpus_text(const struct asy__study *s, char *text, size_t n)
{
    uint64_t whole = (uint64_t)ranks_of(s) * (s->spec->gpus / ASY_GPU_WHOLE);
    char share[16];

    put_share(s->spec->gpus, share, sizeof share);
    if (!shares(s))
        snprintf(text, n, "%" PRIu64 " GPU%s", whole, ASY_S(whole));
    else if (ranks_of(s) == 1)
        snprintf(text, n, "%s of a GPU", share);
    else
        snprintf(text, n, "%" PRIu32 " times %s of a GPU", ranks_of(s), share);
    return text;
}

const char *asy__gpus_each(const struct asy__study *s, char *text, size_t n)
{
    char share[16];

    text[0] = '\0';
    put_share(s->spec->gpus, share, sizeof share);
    if (shares(s))
        snprintf(text, n, ", %s of a GPU", share);
    else if (s->spec->gpus)
        snprintf(text, n, ", %s GPU%s", share, ASY_S(s->spec->gpus / ASY_GPU_WHOLE));
    return text;
}

const char *asy__gpus_left(const struct asy__worker *w, const struct asy__study *s, char *text,
                           size_t n)
{
    size_t unused = asy__gpus_unused(w);
    uint32_t most = 0;
    char share[16];

    if (!shares(s)) {
        snprintf(text, n, "%zu of its %zu %s unused", unused, w->n_gpus,
                 unused == 1 ? "is" : "are");
        return text;
    }
    for (size_t i = 0; i < w->n_gpus; i++)
        if (!w->gpus[i].whole && w->gpus[i].used < ASY_GPU_WHOLE &&
            ASY_GPU_WHOLE - w->gpus[i].used > most)
            most = ASY_GPU_WHOLE - w->gpus[i].used;
    put_share(most, share, sizeof share);
    snprintf(text, n, "the most that one of its %zu has left is %s", w->n_gpus, share);
    return text;
}

void asy__gpus_write(const struct asy__worker *w, struct asy_jsonw *out)
{
    asy_jsonw_u64(out, "gpus", w->n_gpus);
    asy_jsonw_u64(out, "free_gpus", asy__gpus_unused(w));
    asy_jsonw_open(out, "gpu_list", '[');
    for (size_t i = 0; i < w->n_gpus; i++) {
        const struct asy__gpu *gpu = &w->gpus[i];

        asy_jsonw_open(out, NULL, '{');
        asy_jsonw_str(out, "id", gpu->id);
        asy_jsonw_str(out, "name", gpu->name);
        asy_jsonw_u64(out, "memory", gpu->memory);
        if (gpu->group)
            asy_jsonw_u64(out, "numa", gpu->group - 1);
        asy_jsonw_bool(out, "shared", !gpu->whole);
        asy_jsonw_f64(out, "used", (double)gpu->used / ASY_GPU_WHOLE);
        asy_jsonw_close(out, '}');
    }
    asy_jsonw_close(out, ']');
}
