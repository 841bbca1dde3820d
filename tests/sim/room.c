/* SPDX-License-Identifier: Apache-2.0
 * room.c - that whoever waits for much room at once is not starved: once all has ended that ran on
 * a worker when it was kept for a study, nobody else begins there who would not fit beside it.
 *
 * Read from the core's own state after each step, but by other means than the scheduler's: by which
 * attempts were there first. What came with a higher priority, and what was not leased by this core
 * (adopted, or known from before a restart), counts as having been there. */
#include "core_impl.h"
#include "sim.h"
#include <stdlib.h>

struct seen {
    struct asy_id attempt;
    int first; /* there when the worker was kept */
};
struct kept {
    struct kept *next;
    struct asy_id study, worker;
    struct seen *seen;
    size_t n, cap;
    int now;   /* still kept, in this step */
};
struct sim_room {
    struct kept *list;
};

static void drop(struct kept *k)
{
    free(k->seen);
    free(k);
}

void sim_room_reset(struct sim *s)
{
    while (s->room) {
        struct kept *k = s->room->list;

        if (!k) {
            free(s->room);
            s->room = NULL;
            return;
        }
        s->room->list = k->next;
        drop(k);
    }
}

static struct kept *find(const struct sim *s, struct asy_id study, struct asy_id worker)
{
    struct kept *k = s->room->list;

    while (k && (asy_id_cmp(k->study, study) != 0 || asy_id_cmp(k->worker, worker) != 0))
        k = k->next;
    return k;
}

static struct seen *find_seen(const struct kept *k, struct asy_id attempt)
{
    for (size_t i = 0; i < k->n; i++)
        if (asy_id_cmp(k->seen[i].attempt, attempt) == 0)
            return &k->seen[i];
    return NULL;
}

static void see(struct kept *k, struct asy_id attempt, int first)
{
    if (k->n == k->cap) {
        k->cap = k->cap ? 2 * k->cap : 16;
        k->seen = realloc(k->seen, k->cap * sizeof *k->seen);
        ASY_ASSERT(k->seen);
    }
    k->seen[k->n++] = (struct seen){ attempt, first };
}

static int was_leased(const struct asy_step *step, struct asy_id study)
{
    for (size_t i = 0; i < step->n_events; i++)
        if (step->events[i].kind == ASY_EV_LEASED &&
            asy_id_cmp(step->events[i].study, study) == 0)
            return 1;
    return 0;
}

static void begin(struct sim *s, const struct asy__study *study, const struct asy__worker *w)
{
    struct kept *k = calloc(1, sizeof *k);
    const struct asy__part *part;

    ASY_ASSERT(k);
    *k = (struct kept){ .next = s->room->list, .study = study->id, .worker = w->id, .now = 1 };
    s->room->list = k;
    asy__each(part, &w->parts, struct asy__part, on_worker)
        see(k, part->attempt->id, 1);
}

/* One worker that is kept for the study since an earlier step. */
static void look(struct sim *s, struct kept *k, const struct asy__study *study,
                 const struct asy__worker *w)
{
    uint64_t used = (uint64_t)asy__ranks_could(w, study) * study->spec->cores;
    const struct asy__part *part;
    int fresh = 0, firsts = 0;

    asy__each(part, &w->parts, struct asy__part, on_worker) {
        const struct asy__attempt *a = part->attempt;
        struct seen *seen = find_seen(k, a->id);

        if (!seen) {
            int first = !a->leased_ms ||
                        a->trial->study->spec->priority > study->spec->priority;

            fresh |= !first;
            see(k, a->id, first);
            seen = &k->seen[k->n - 1];
        }
        firsts |= seen->first;
        used += part->n_cores;
    }
    if (fresh && !firsts && used > w->n_cores)
        sim_fail(s, "room is taken that is kept for study '%s': %llu of %u cores", study->name,
                 (unsigned long long)used, w->n_cores);
}

static void forget_rest(struct sim *s)
{
    struct kept **at = &s->room->list;

    while (*at) {
        struct kept *k = *at;

        if (k->now) {
            k->now = 0;
            at = &k->next;
        } else {
            *at = k->next;
            drop(k);
        }
    }
}

void sim_room_check(struct sim *s, const struct asy_step *step)
{
    const struct asy__study *study;

    if (!s->room) {
        s->room = calloc(1, sizeof *s->room);
        ASY_ASSERT(s->room);
    }
    asy__each(study, &s->core->live, struct asy__study, node) {
        for (size_t i = 0; study->gathers && i < study->n_reserved; i++) {
            const struct asy__worker *w = study->reserved[i];
            struct kept *k = find(s, study->id, w->id);

            if (k && !was_leased(step, study->id)) {
                k->now = 1;
                look(s, k, study, w);
            } else {
                begin(s, study, w); /* the old one, if any, is forgotten */
                s->result->kept++;
            }
        }
    }
    forget_rest(s);
}
