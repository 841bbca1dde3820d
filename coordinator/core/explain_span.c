/* SPDX-License-Identifier: Apache-2.0
 * explain_span.c - why a gang waits that no single worker could hold: from the same counts that
 * span.c decides with. */
#include "core_impl.h"
#include <inttypes.h>
#include <stdio.h>

struct tally { /* ranks, over the workers that serve the study's owner */
    uint32_t connected;
    uint64_t could, ready, now;
    uint64_t cores_now, beside_now; /* as if memory and GPUs, or GPUs, were no matter */
    const struct asy__worker *out, *silent, *leaves, *late; /* could hold some, and do not now */
};

static void count(const struct asy_core *core, const struct asy__worker *w,
                  const struct asy__study *s, struct tally *y)
{
    uint32_t could = asy__ranks_could(w, s);

    y->connected++;
    y->could += could;
    if (could == 0)
        return;
    if (asy__worker_ready(core, w) && !asy__worker_in_time(core, w, s)) {
        y->late = w;
    } else if (asy__worker_ready(core, w)) {
        y->ready += could;
        y->now += asy__ranks_free(w, s, 0);
        y->cores_now += asy__worker_free(w) / s->spec->cores;
        y->beside_now += asy__ranks_beside_gpus(w, s, 0);
    } else if (w->fit) {
        y->out = w;
    } else if (w->suspect) {
        y->silent = w;
    } else {
        y->leaves = w;
    }
}

/* Enough of them are connected, but not for new leases. */
static enum asy_cause not_ready(const struct asy_core *core, const struct asy__study *s,
                                const struct tally *y, char *text, size_t n)
{
    char need[120];

    if (y->late) {
        asy__pace_text(s, need, sizeof need);
        snprintf(text, n, "a trial needs %s; the allocation of worker '%s' goes on for %" PRId64
                 " s, and the others are too few", need, asy__str(y->late->host),
                 asy__worker_left_ms(core, y->late) / 1000);
        return ASY_CAUSE_WALLTIME;
    }
    if (y->silent) {
        snprintf(text, n, "worker '%s' is silent for %" PRId64 " ms; it counts as lost after %"
                 PRId64 " ms", asy__str(y->silent->host), core->now_ms - y->silent->seen_ms,
                 core->config.lost_after_ms);
        return ASY_CAUSE_SUSPECT;
    }
    if (y->leaves) {
        snprintf(text, n, "worker '%s' is draining, and the others are too few",
                 asy__str(y->leaves->host));
        return ASY_CAUSE_DRAINING;
    }
    snprintf(text, n, "worker '%s' is out of service: %s", asy__str(y->out->host), y->out->fit);
    return ASY_CAUSE_UNFIT;
}

enum asy_cause asy__why_span_waits(const struct asy_core *core, struct asy__study *s, char *text,
                                   size_t n)
{
    uint32_t ranks = asy__need_ranks(s), cores = s->spec->cores;
    const struct asy__study *first;
    const struct asy__worker *w;
    struct tally y = { 0 };
    char gpus[48];

    asy__gpus_each(s, gpus, sizeof gpus);
    asy__each(w, &core->all_workers, struct asy__worker, node)
        if (asy__worker_serves(w, s))
            count(core, w, s, &y);
    if (y.could < ranks) {
        snprintf(text, n, "asks for %" PRIu32 " ranks of %" PRIu32 " core%s%s and %" PRIu64
                 " MiB; all %" PRIu32 " workers together hold %" PRIu64, ranks, cores,
                 ASY_S(cores), gpus, s->spec->memory >> 20, y.connected, y.could);
        return ASY_CAUSE_TOO_LARGE;
    }
    if (y.ready < ranks)
        return not_ready(core, s, &y, text, n);
    if ((first = asy__ahead_of(core, s)))
        return asy__why_behind(core, s, first, text, n);
    snprintf(text, n, "needs room for %" PRIu32 " ranks of %" PRIu32 " core%s%s and %" PRIu64
             " MiB at once, on as few workers as could hold them; %" PRIu64 " of %" PRIu64
             " places are free", ranks, cores, ASY_S(cores), gpus, s->spec->memory >> 20, y.now,
             y.ready);
    if (y.beside_now >= ranks && y.now < ranks)
        return ASY_CAUSE_NO_GPU;
    return y.cores_now >= ranks && y.now < ranks ? ASY_CAUSE_NO_MEMORY : ASY_CAUSE_NO_CORES;
}
