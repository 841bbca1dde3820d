/* SPDX-License-Identifier: Apache-2.0
 * look.c - looking in from outside: live parts of queries, and a digest of all lasting state. */
#include "core_impl.h"
#include <math.h>
#include <string.h>

static void write_counts(const struct asy__study *s, struct asy_jsonw *w)
{
    asy_jsonw_open(w, "counts", '{');
    for (int state = ASY_TRIAL_QUEUED; state <= ASY_TRIAL_CANCELLED; state++)
        asy_jsonw_u64(w, asy_trial_state_name((enum asy_trial_state)state), s->counts[state]);
    asy_jsonw_close(w, '}');
}

int asy_core_write_study(const struct asy_core *core, const char *key, const char *name_or_id,
                         struct asy_jsonw *w, struct asy_error *err)
{
    const struct asy__study *s = asy__study_find_for(core, key, name_or_id);
    char id[ASY_ID_TEXT];

    if (!s || s->over)
        return asy_fail(err, ASY_E_NOENT, "no unfinished study '%.64s'", asy__str(name_or_id));
    asy_jsonw_str(w, "id", asy_id_format(s->id, id));
    asy_jsonw_str(w, "name", s->name);
    asy_jsonw_str(w, "project", s->project);
    asy_jsonw_str(w, "state", asy_study_state_name(s->state));
    asy_jsonw_i64(w, "priority", s->spec->priority);
    asy_jsonw_u64(w, "trials", s->n_trials);
    if (s->spec->max_trials != UINT64_MAX)
        asy_jsonw_u64(w, "max_trials", s->spec->max_trials);
    write_counts(s, w);
    asy_jsonw_u64(w, "running_cores", s->cores_used);
    asy_jsonw_u64(w, "asking", s->asking);
    asy_jsonw_u64(w, "offers", asy__offers_of(core, s));
    if (s->best_trial >= 0) {
        asy_jsonw_f64(w, "best", s->best);
        asy_jsonw_i64(w, "best_trial", s->best_trial);
    }
    return 0;
}

const char *asy_core_study_text(const struct asy_core *core, struct asy_id study,
                                const char **ret_owner)
{
    const struct asy__study *s = asy__study_get(core, study);

    if (!s || !s->spec_text)
        return NULL;
    *ret_owner = s->owner;
    return s->spec_text;
}

void asy_core_study_texts(const struct asy_core *core, const char *owner,
                          void (*each)(void *arg, const char *text), void *arg)
{
    for (struct asy__node *n = core->live.next; n != &core->live; n = n->next) {
        const struct asy__study *s = asy__item(n, struct asy__study, node);

        if (s->spec_text && !strcmp(s->owner, owner))
            each(arg, s->spec_text);
    }
}

static const char *worker_state(const struct asy_core *core, const struct asy__worker *w)
{
    if (!w->session)
        return w->present ? "away" : "gone";
    if (w->fit)
        return "unfit";
    if (w->suspect)
        return "suspect";
    return asy__worker_ready(core, w) ? "ready" : "draining";
}

static void write_runs(const struct asy__worker *k, const char *key, struct asy_jsonw *w)
{
    const struct asy__part *part;

    asy_jsonw_open(w, "runs", '[');
    asy__each(part, &k->parts, struct asy__part, on_worker) {
        const struct asy__attempt *a = part->attempt;

        if (!asy__study_seen(a->trial->study, key))
            continue;
        asy_jsonw_open(w, NULL, '{');
        asy_jsonw_str(w, "study", a->trial->study->name);
        asy_jsonw_u64(w, "trial", a->trial->number);
        asy_jsonw_u64(w, "attempt", a->number);
        if (a->n_parts > 1) {
            asy_jsonw_u64(w, "part", (uint64_t)(part - a->parts));
            asy_jsonw_u64(w, "parts", a->n_parts);
        }
        asy_jsonw_u64(w, "step", a->trial->step);
        asy_jsonw_close(w, '}');
    }
    asy_jsonw_close(w, ']');
}

void asy__worker_members(const struct asy_core *core, const char *key, const struct asy__worker *k,
                         int64_t now_ms, struct asy_jsonw *w)
{
    char id[ASY_ID_TEXT];

    asy_jsonw_str(w, "id", asy_id_format(k->id, id));
    asy_jsonw_str(w, "host", asy__str(k->host));
    asy_jsonw_str(w, "version", asy__str(k->version));
    asy_jsonw_str(w, "state", worker_state(core, k));
    asy_jsonw_str(w, "fit", asy__str(k->fit));
    asy_jsonw_str(w, "key", asy__str(k->key_name));
    asy_jsonw_u64(w, "cores", k->n_cores);
    asy_jsonw_u64(w, "free_cores", asy__worker_free(k));
    asy_jsonw_u64(w, "memory", k->memory);
    asy_jsonw_u64(w, "memory_used", k->memory_used);
    asy__gpus_write(k, w);
    asy_jsonw_i64(w, "silent_ms", now_ms > k->seen_ms ? now_ms - k->seen_ms : 0);
    write_runs(k, key, w);
    asy__offers_write(core, key, k, w);
}

void asy_core_write_workers(const struct asy_core *core, const char *key, int64_t now_ms,
                            struct asy_jsonw *w)
{
    const struct asy__worker *k;

    asy_jsonw_open(w, "workers", '[');
    asy__each(k, &core->all_workers, struct asy__worker, node) {
        asy_jsonw_open(w, NULL, '{');
        asy__worker_members(core, key, k, now_ms, w);
        asy_jsonw_close(w, '}');
    }
    asy_jsonw_close(w, ']');
    asy_jsonw_u64(w, "ignored_messages", core->nonsense);
}

int asy_core_trial_state(const struct asy_core *core, struct asy_id study, uint64_t trial,
                         enum asy_trial_state *ret_state, uint32_t *ret_attempt)
{
    const struct asy__study *s = asy__study_get(core, study);
    const struct asy__trial *t = s && !s->over ? asy__trial_get(s, trial) : NULL;

    if (!t)
        return 0;
    *ret_state = t->state;
    *ret_attempt = t->attempts;
    return 1;
}

/* ---- digest ---------------------------------------------------------------------------------- */

static uint64_t add(uint64_t h, uint64_t value)
{
    return asy__mix((h ^ value) * UINT64_C(0x9e3779b97f4a7c15) + 1);
}

static uint64_t add_double(uint64_t h, double value)
{
    uint64_t bits = 0;

    if (!isnan(value))
        memcpy(&bits, &value, sizeof bits);
    else
        bits = 1;
    return add(h, bits);
}

static uint64_t of_attempt(uint64_t h, const struct asy__attempt *a)
{
    if (!a)
        return add(h, 0);
    h = add(h, a->number);
    h = add(h, a->epoch);
    h = add(h, a->milestone);
    h = add(h, a->applied);
    h = add(h, (uint64_t)a->started * 2 + (uint64_t)a->orphan);
    for (size_t p = 0; p < a->n_parts; p++) {
        const struct asy__part *part = &a->parts[p];

        h = add(h, asy_id_hash(part->worker->id));
        for (size_t i = 0; i < part->n_cores; i++)
            h = add(h, part->cores[i]);
        for (size_t i = 0; i < part->n_gpus; i++)
            h = add(add(h, asy__hash_text(part->gpus[i].id)), part->gpus[i].share);
    }
    return h;
}

static uint64_t of_trial(uint64_t h, const struct asy__trial *t)
{
    size_t n = asy_space_len(t->study->spec->space), width = 1 + asy__n_values(t->study);

    h = add(h, t->state);
    h = add(h, t->stop);
    h = add(h, t->attempts);
    h = add(h, t->crashes);
    h = add(h, t->losses);
    h = add(h, t->job);
    h = add(h, t->step);
    h = add(h, t->goal);
    h = add(h, t->member);
    h = add(h, t->parent ? t->parent->number + 1 : 0);
    h = add(h, t->children);
    h = add(h, (uint64_t)(t->hit * 4u + t->told * 2u + t->job_open));
    h = add_double(h, t->fed_step);
    h = add(h, t->heard);
    h = add_double(h, t->heard_step);
    for (size_t i = 0; i < n + 4 * (width - 1); i++)
        h = add_double(h, t->x[i]);
    for (size_t i = 0; i < t->n_hist * width; i++)
        h = add_double(h, t->hist[i]);
    for (size_t i = 0; i < t->n_checkpoints; i++) {
        h = add(h, t->checkpoints[i].attempt);
        h = add(h, t->checkpoints[i].step);
        h = add(h, t->checkpoints[i].bytes);
    }
    for (size_t i = 0; i < t->n_fenced; i++)
        h = add(h, t->fenced[i].attempt + (t->fenced[i].upto << 32));
    return of_attempt(h, t->attempt);
}

/* A finished study is but its name and state, whatever came before. */
static uint64_t of_study(const struct asy__study *s)
{
    uint64_t h = add(asy_id_hash(s->id), s->state), number, milestone;
    const struct asy__trial *t;

    h = add(h, s->cause);
    h = add(h, asy__hash_text(s->name));
    h = add(h, asy__hash_text(s->owner));
    if (s->over)
        return h;
    h = add(h, asy__hash_text(s->spec_text));
    h = add(h, (uint64_t)s->exhausted * 256 + s->enough + (uint64_t)s->given_up * 512);
    h = add(h, s->stale);
    h = add(h, (uint64_t)s->paused_us);
    h = add(h, (uint64_t)s->paused_since_us);
    h = add(h, s->cores_used);
    h = add(h, s->kept);
    asy__each(t, &s->spares, struct asy__trial, spare)
        h = add(h, t->number);
    h = add(h, s->n_busy);
    asy__each(t, &s->keepers, struct asy__trial, keeper)
        h = add(h, t->number);
    h = add(h, s->next_job);
    h = add(h, s->fed);
    for (uint64_t i = 0; i < s->n_trials; i++)
        h = of_trial(h, s->trials[i]);
    if (s->pruner && asy_pruner_promote(s->pruner, &number, &milestone)) {
        asy_pruner_unpromote(s->pruner, number);
        h = add(add(h, number), milestone);
    }
    return h;
}

uint64_t asy_core_digest(const struct asy_core *core)
{
    const struct asy__study *s;
    const struct asy__worker *w;
    uint64_t sum = 0; /* neither order of studies nor of workers counts */

    asy__each(s, &core->live, struct asy__study, node)
        sum += of_study(s);
    asy__each(s, &core->shells, struct asy__study, node)
        sum += of_study(s);
    asy__each(w, &core->all_workers, struct asy__worker, node)
        if (w->present)
            sum += add(add(asy_id_hash(w->id), w->n_cores),
                       add(w->n_busy, asy__hash_text(asy__str(w->fit))));
    return sum;
}
