/* SPDX-License-Identifier: Apache-2.0
 * memory.c - the in-memory engine, for tests and simulation: it keeps the events and nothing else.
 * Every query builds its rows by going through them, with the same rules (project.c) that the
 * SQLite engine writes rows by. SQLite's own ":memory:" would be the same engine twice; this one
 * shares none of its statements, so the contract suite holds each against the other. */
#include "memory_impl.h"
#include <stdlib.h>

const struct asy__memory_study *asy__memory_find(const struct asy__memory *m, struct asy_id id)
{
    for (size_t i = m->n_studies; i-- > 0;)
        if (asy_id_cmp(m->studies[i].id, id) == 0)
            return &m->studies[i];
    return NULL;
}

static int no_memory(struct asy_error *err)
{
    return asy_fail(err, ASY_E_NOMEM, "no memory for the events of a store");
}

/* What the studies were before the events from n on. */
static void undo(struct asy__memory *m, size_t n)
{
    while (m->n_studies > 0 && m->studies[m->n_studies - 1].created >= n)
        m->n_studies--;
    for (size_t i = 0; i < m->n_studies; i++)
        m->studies[i].trials = 0;
    for (size_t i = 0; i < n; i++) {
        const struct asy__memory_study *s;

        if (m->events[i].kind == ASY_EV_TRIAL_CREATED &&
            (s = asy__memory_find(m, m->events[i].study)))
            m->studies[s - m->studies].trials++;
    }
}

static int add_study(struct asy__memory *m, struct asy_id id, size_t at, struct asy_error *err)
{
    if (m->n_studies == m->cap_studies) {
        size_t cap = m->cap_studies ? 2 * m->cap_studies : 16;
        struct asy__memory_study *grown = reallocarray(m->studies, cap, sizeof *grown);

        if (!grown)
            return no_memory(err);
        m->studies = grown;
        m->cap_studies = cap;
    }
    m->studies[m->n_studies++] = (struct asy__memory_study){ .id = id, .created = at };
    return 0;
}

static int put(struct asy__memory *m, const struct asy_event *ev, size_t at, struct asy_error *err)
{
    const struct asy__memory_study *study = asy__memory_find(m, ev->study);
    int rc = asy__check_event(ev, study ? &study->trials : NULL, err);

    if (rc)
        return rc;
    /* Through its bytes, so that it comes back as it would from a disk. */
    asy_buf_clear(&m->body);
    m->events[at] = *ev;
    if ((rc = asy_event_encode(ev, &m->body, err)) ||
        (rc = asy_buf_check(&m->body, "an event", err)) ||
        (rc = asy_event_decode(m->body.data, m->body.len, m->arena, &m->events[at], err)))
        return rc;
    m->events[at].seq = at + 1;
    if (ev->kind == ASY_EV_STUDY_CREATED)
        return add_study(m, ev->study, at, err);
    if (ev->kind == ASY_EV_TRIAL_CREATED)
        m->studies[study - m->studies].trials++;
    return 0;
}

static int commit(struct asy_store *store, const struct asy_event *events, size_t n,
                  struct asy_error *err)
{
    struct asy__memory *m = (struct asy__memory *)store;
    int rc = 0;

    if (m->cap_events - m->n_events < n) {
        size_t cap = 2 * (m->n_events + n);
        struct asy_event *grown = reallocarray(m->events, cap, sizeof *grown);

        if (!grown)
            return no_memory(err);
        m->events = grown;
        m->cap_events = cap;
    }
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = put(m, &events[i], m->n_events + i, err);
    if (rc)
        undo(m, m->n_events);
    else
        m->n_events += n;
    return rc;
}

static int set_port(struct asy_store *store, int port, struct asy_error *err)
{
    (void)store, (void)port, (void)err;
    return 0;
}

/* ---- replay ---------------------------------------------------------------------------------- */

/* Index of the newest STUDY_STATE; ret_over: it is an end. */
static size_t last_state(const struct asy__memory *m, struct asy_id study, int *ret_over)
{
    *ret_over = 0;
    for (size_t i = m->n_events; i-- > 0;) {
        const struct asy_event *ev = &m->events[i];

        if (ev->kind == ASY_EV_STUDY_STATE && asy_id_cmp(ev->study, study) == 0) {
            *ret_over = asy__study_over(ev->study_state.state);
            return i;
        }
    }
    return m->n_events;
}

/* Whether the worker of this WORKER_JOINED neither joined again nor went since. */
static int is_newest(const struct asy__memory *m, size_t at)
{
    struct asy_id id = m->events[at].worker_joined.id;

    for (size_t i = at + 1; i < m->n_events; i++) {
        const struct asy_event *ev = &m->events[i];

        if ((ev->kind == ASY_EV_WORKER_JOINED && asy_id_cmp(ev->worker_joined.id, id) == 0) ||
            (ev->kind == ASY_EV_WORKER_GONE && asy_id_cmp(ev->worker_gone.id, id) == 0))
            return 0;
    }
    return 1;
}

static int replay(struct asy_store *store, asy_event_f each, void *arg, struct asy_error *err)
{
    struct asy__memory *m = (struct asy__memory *)store;
    struct end {
        int over;
        size_t last;
    } *ends = calloc(m->n_studies + 1, sizeof *ends);
    int rc = 0;

    if (!ends)
        return no_memory(err);
    for (size_t i = 0; i < m->n_studies; i++)
        ends[i].last = last_state(m, m->studies[i].id, &ends[i].over);
    for (size_t i = 0; i < m->n_events && rc == 0; i++) {
        const struct asy__memory_study *study = asy__memory_find(m, m->events[i].study);
        const struct end *end = study ? &ends[study - m->studies] : NULL;

        if (end ? end->over && i != study->created && i != end->last
                : m->events[i].kind != ASY_EV_WORKER_JOINED || !is_newest(m, i))
            continue;
        rc = each(arg, &m->events[i]);
    }
    free(ends);
    return rc;
}

/* ---- open, close ----------------------------------------------------------------------------- */

static void close_memory(struct asy_store *store)
{
    struct asy__memory *m = (struct asy__memory *)store;

    asy_arena_destroy(m->arena);
    asy_buf_fini(&m->body);
    free(m->events);
    free(m->studies);
    free(m);
}

static const struct asy__store_ops ops = {
    .close = close_memory, .commit = commit, .set_port = set_port, .replay = replay,
};

int asy__memory_open(struct asy_store **ret_store, struct asy_error *err)
{
    struct asy__memory *m = calloc(1, sizeof *m);
    int rc;

    if (!m)
        return no_memory(err);
    if ((rc = asy_arena_create(SIZE_MAX, &m->arena, err))) {
        free(m);
        return rc;
    }
    asy_buf_init(&m->body, ASY__BODY_BUDGET);
    m->base.ops = &ops;
    m->base.info = (struct asy_store_info){ .id = asy_id_make(), .owner_epoch = 1, .fs = "memory" };
    m->reader = (struct asy__memory_reader){ { &asy__memory_reader_ops }, m };
    m->base.reader = &m->reader.base;
    *ret_store = &m->base;
    return 0;
}
