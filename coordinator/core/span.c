/* SPDX-License-Identifier: Apache-2.0
 * span.c - where the ranks of a gang go that no single worker could hold.
 *
 * All or nothing: either there is room for every rank now, on as few workers as could ever hold
 * them, or it waits. What waits first has that many workers kept for it (one set, schedule.c keeps
 * for one study at a time, so that no two gangs hold half of what each needs). A trial that fits on
 * one worker is never spread: it waits for that worker.
 *
 * How many workers hold how many ranks is counted, not sorted: a pass over the workers for each
 * study that spans, whatever its number of ranks. */
#include "core_impl.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t at_most(uint64_t n, uint32_t most)
{
    return n < most ? (uint32_t)n : most;
}

static uint32_t ranks_in(const struct asy__study *s, uint64_t cores, int knows_memory,
                         uint64_t memory)
{
    uint64_t n = cores / s->spec->cores;

    if (knows_memory && s->spec->memory != 0 && memory / s->spec->memory < n)
        n = memory / s->spec->memory;
    return at_most(n, asy__need_ranks(s));
}

uint32_t asy__ranks_could(const struct asy__worker *w, const struct asy__study *s)
{
    return at_most(asy__gpus_ranks_could(w, s),
                   ranks_in(s, w->n_cores, w->memory != 0, w->memory));
}

uint32_t asy__ranks_beside_gpus(const struct asy__worker *w, const struct asy__study *s,
                                uint32_t held)
{
    uint32_t cores = asy__worker_free(w);

    return ranks_in(s, cores > held ? cores - held : 0, w->memory != 0,
                    asy__worker_memory_left(w));
}

/* Where cores are held GPUs are, too. */
uint32_t asy__ranks_free(const struct asy__worker *w, const struct asy__study *s, uint32_t held)
{
    return at_most(asy__gpus_ranks_free(w, s, held > 0), asy__ranks_beside_gpus(w, s, held));
}

/* Commands have one rank. */
static int may_span(const struct asy__study *s)
{
    return s->spec->ranks > 1;
}

/* What it has counts for the study's trials to come. */
static int counts(const struct asy_core *core, const struct asy__worker *w,
                  const struct asy__study *s)
{
    return w->minor >= 1 && asy__worker_serves(w, s) && asy__worker_lasts(core, w) &&
           asy__worker_in_time(core, w, s);
}

int asy__spans(const struct asy_core *core, const struct asy__study *s)
{
    const struct asy__worker *w;
    size_t n = 0;

    if (!may_span(s))
        return 0;
    asy__each(w, &core->all_workers, struct asy__worker, node) {
        uint32_t could = asy__worker_serves(w, s) ? asy__ranks_could(w, s) : 0;

        if (could == asy__need_ranks(s) && counts(core, w, s))
            return 0;
        n += could > 0;
    }
    return n > 1;
}

/* ---- how few --------------------------------------------------------------------------------- */

/* count[r]: workers that hold r ranks. */
static uint32_t fewest(const uint32_t *count, uint32_t ranks)
{
    uint32_t n = 0, left = ranks;

    for (uint32_t r = ranks; r > 0; r--) {
        uint32_t most = (left + r - 1) / r, take = count[r] < most ? count[r] : most;

        n += take;
        if ((uint64_t)take * r >= left)
            return n;
        left -= take * r;
    }
    return 0;
}

static int usable(const struct asy_core *core, const struct asy__worker *w,
                  const struct asy__study *s)
{
    return counts(core, w, s) && !w->suspect && (!w->kept_for || w->kept_for == s);
}

uint32_t asy__span_width(struct asy_core *core, const struct asy__study *s)
{
    uint32_t ranks = asy__need_ranks(s), *count = asy__alloc(core, (ranks + 1) * sizeof *count);
    const struct asy__worker *w;

    if (!count)
        return 0;
    asy__each(w, &core->all_workers, struct asy__worker, node)
        if (counts(core, w, s))
            count[asy__ranks_could(w, s)]++;
    return fewest(count, ranks);
}

/* The same for what is free now. *ret_n: workers with room for one rank at least. */
static uint32_t width_now(struct asy_core *core, const struct asy__study *s, size_t *ret_n)
{
    uint32_t ranks = asy__need_ranks(s), *count = asy__alloc(core, (ranks + 1) * sizeof *count);
    const struct asy__worker *w;

    *ret_n = 0;
    if (!count)
        return 0;
    asy__each(w, &core->free_workers, struct asy__worker, free_node)
        if (usable(core, w, s)) {
            uint32_t n = asy__ranks_free(w, s, w->held);

            count[n]++;
            *ret_n += n > 0;
        }
    return fewest(count, ranks);
}

/* ---- which ones ------------------------------------------------------------------------------ */

static int by_room(const void *a, const void *b)
{
    const struct asy__seat *x = a, *y = b;

    if (x->ranks != y->ranks)
        return x->ranks < y->ranks ? 1 : -1;
    return asy_id_cmp(x->worker->id, y->worker->id);
}

/* Of the workers with most room, with the last one that which leaves least over. */
static size_t choose(struct asy__seat *seats, size_t n, uint32_t ranks)
{
    uint32_t left = ranks;
    size_t k = 0;

    while (seats[k].ranks < left)
        left -= seats[k++].ranks;
    for (size_t i = n; i-- > k;)
        if (seats[i].ranks >= left) {
            seats[k] = seats[i];
            break;
        }
    seats[k].ranks = left;
    return k + 1;
}

size_t asy__span_seats(struct asy_core *core, const struct asy__study *s,
                       struct asy__seat **ret_seats)
{
    size_t n = 0, n_free;
    uint32_t now = width_now(core, s, &n_free), width = now ? asy__span_width(core, s) : 0;
    struct asy__seat *seats;
    struct asy__worker *w;

    if (now == 0 || now > width || !(seats = asy__alloc(core, n_free * sizeof *seats)))
        return 0;
    asy__each(w, &core->free_workers, struct asy__worker, free_node)
        if (usable(core, w, s) && asy__ranks_free(w, s, w->held) > 0)
            seats[n++] = (struct asy__seat){ w, asy__ranks_free(w, s, w->held) };
    qsort(seats, n, sizeof *seats, by_room);
    *ret_seats = seats;
    return choose(seats, n, asy__need_ranks(s));
}

/* ---- keeping room ---------------------------------------------------------------------------- */

static int may_reserve(const struct asy_core *core, const struct asy__worker *w,
                       const struct asy__study *s)
{
    return counts(core, w, s) && !w->suspect && asy__ranks_could(w, s) > 0;
}

/* Those of before are kept as long as they do. */
static int still_good(const struct asy_core *core, const struct asy__study *s, uint32_t width)
{
    uint64_t ranks = 0;

    for (size_t i = 0; i < s->n_reserved; i++) {
        if (!may_reserve(core, s->reserved[i], s))
            return 0;
        ranks += asy__ranks_could(s->reserved[i], s);
    }
    return s->n_reserved == width && ranks >= asy__need_ranks(s);
}

static int is_reserved(const struct asy__study *s, const struct asy__worker *w)
{
    for (size_t i = 0; i < s->n_reserved; i++)
        if (s->reserved[i] == w)
            return 1;
    return 0;
}

static struct asy__worker *best_to_keep(const struct asy_core *core, const struct asy__study *s)
{
    struct asy__worker *w, *best = NULL;
    uint32_t most = 0, free_most = 0;

    asy__each(w, &core->all_workers, struct asy__worker, node) {
        uint32_t could, now;

        if (!may_reserve(core, w, s) || is_reserved(s, w))
            continue;
        could = asy__ranks_could(w, s);
        now = asy__ranks_free(w, s, 0);
        if (!best || could > most || (could == most && now > free_most)) {
            best = w;
            most = could;
            free_most = now;
        }
    }
    return best;
}

int asy__span_reserve(struct asy_core *core, struct asy__study *s)
{
    uint32_t width = asy__span_width(core, s);
    struct asy__worker **grown, *w;

    if (width == 0)
        return 0;
    if (still_good(core, s, width))
        return 1;
    s->n_reserved = 0;
    if (!(grown = realloc(s->reserved, width * sizeof(*grown)))) {
        core->rc = ASY_E_NOMEM;
        return 0;
    }
    s->reserved = grown;
    while (s->n_reserved < width && (w = best_to_keep(core, s)))
        s->reserved[s->n_reserved++] = w;
    return s->n_reserved > 0;
}

uint64_t asy__span_room(const struct asy_core *core, const struct asy__study *s)
{
    const struct asy__worker *w;
    uint64_t ranks = 0;

    asy__each(w, &core->free_workers, struct asy__worker, free_node)
        if (counts(core, w, s) && !w->suspect)
            ranks += asy__ranks_free(w, s, 0);
    return ranks / asy__need_ranks(s);
}
