/* SPDX-License-Identifier: Apache-2.0
 * test_store_engines.c - the engines against each other: long random histories, with refused
 * commits and reopenings among them, after which every query and replay must tell the same. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <asy/rng.h>
#include "dump.h"
#include "fixture.h"

/* What the generator knows of its trials, so that events come in an order that core could make. */
struct sim {
    struct asy_rng rng;
    struct {
        struct asy_id id;
        uint64_t trials;
        enum asy_study_state state;
        struct sim_trial {
            enum asy_trial_state state;
            uint32_t attempt;
            uint64_t step, checkpoint, report;
            int open;
        } trial[64];
    } studies[6];
    uint64_t n_studies, serial;
};

static uint64_t below(struct sim *sim, uint64_t n)
{
    return asy_rng_below(&sim->rng, n);
}

static void sim_trial(struct sim *sim, struct work *w, size_t s, uint64_t t)
{
    struct asy_id id = sim->studies[s].id;
    struct sim_trial *trial = &sim->studies[s].trial[t];
    struct asy_event *ev;

    if (asy_trial_state_ended(trial->state)) {
        ev = work_add(w, below(sim, 2) ? ASY_EV_SCORE : ASY_EV_TAG, id, t, 0);
        if (ev->kind == ASY_EV_SCORE)
            ev->score.name = "test", ev->score.value = NAN, ev->score.step = below(sim, 3);
        else
            ev->tag.key = below(sim, 2) ? "a" : "b", ev->tag.value = "x";
    } else if (!trial->open) {
        if (below(sim, 8) == 0) {
            trial->state = below(sim, 2) ? ASY_TRIAL_PRUNED : ASY_TRIAL_CANCELLED;
            work_trial_state(w, id, t, trial->state, below(sim, 2) ? NAN : 0.25);
            return;
        }
        trial->attempt++;
        work_lease(w, id, t, trial->attempt, ++sim->serial,
                   trial->checkpoint ? trial->attempt - 1 : 0, trial->checkpoint);
        trial->step = trial->checkpoint;
        trial->open = 1;
        trial->report = 0;
        trial->state = ASY_TRIAL_LEASED;
    } else {
        switch (below(sim, 8)) {
        case 0:
            work_start(w, id, t, trial->attempt);
            trial->state = ASY_TRIAL_RUNNING;
            break;
        case 1:
            work_checkpoint(w, id, t, trial->attempt, ++trial->report, trial->step);
            trial->checkpoint = trial->step;
            break;
        case 2:
            work_end(w, id, t, trial->attempt, ++trial->report, ASY_END_COMPLETE, trial->step);
            trial->state = ASY_TRIAL_COMPLETE;
            work_trial_state(w, id, t, trial->state, (double)below(sim, 100));
            if (below(sim, 3) == 0)
                w->events[w->n - 1].trial_state.outcome =
                    below(sim, 2) ? "{\"values\":[1.5,2.0],\"violation\":0.0}"
                                  : "{\"values\":[1.5,null],\"violation\":0.25}";
            break;
        case 3:
            work_end(w, id, t, trial->attempt, ++trial->report,
                     below(sim, 2) ? ASY_END_CRASHED : ASY_END_LOST, 0);
            trial->open = 0;
            trial->state = ASY_TRIAL_QUEUED;
            work_trial_state(w, id, t, trial->state, NAN);
            break;
        default:
            trial->step++;
            work_report(w, id, t, trial->attempt, ++trial->report, trial->step,
                        (double)below(sim, 1000) / 999);
        }
    }
}

static void sim_event(struct sim *sim, struct work *w)
{
    size_t s = sim->n_studies ? below(sim, sim->n_studies) : 0;

    if (sim->n_studies == 0 || (sim->n_studies < 6 && below(sim, 60) == 0)) {
        char name[32];

        s = sim->n_studies++;
        snprintf(name, sizeof name, "study-%d", (int)s);
        sim->studies[s].id = work_id(++sim->serial);
        sim->studies[s].state = ASY_STUDY_RUNNING;
        work_study(w, sim->studies[s].id, name, s % 2 ? "maximize" : "minimize");
    } else if (sim->studies[s].state >= ASY_STUDY_FINISHED) {
        work_add(w, ASY_EV_TAG, sim->studies[s].id, WORK_NONE, 0)->tag.key = "late";
    } else if (sim->studies[s].trials == 0 ||
               (sim->studies[s].trials < 64 && below(sim, 10) == 0)) {
        uint64_t t = sim->studies[s].trials++;

        sim->studies[s].trial[t].state = ASY_TRIAL_QUEUED;
        work_trial(w, sim->studies[s].id, t, ++sim->serial);
    } else if (below(sim, 80) == 0) {
        sim->studies[s].state = below(sim, 2) ? ASY_STUDY_FINISHED : ASY_STUDY_PAUSED;
        work_study_state(w, sim->studies[s].id, sim->studies[s].state);
    } else if (below(sim, 50) == 0) {
        work_worker(w, work_id(900000 + below(sim, 4)), "node", below(sim, 2) != 0);
    } else {
        sim_trial(sim, w, s, below(sim, sim->studies[s].trials));
    }
}

static bool same_dumps(struct fixture *fixtures, size_t n)
{
    struct asy_buf bufs[ASY_ARRAY_LEN(engines)];
    char text[200];
    bool ok = true;

    for (size_t i = 0; i < n; i++) {
        asy_buf_init(&bufs[i], (size_t)1 << 30);
        ok = T_OK(dump_reader(fixtures[i].reader, &bufs[i], &fixtures[i].err), &fixtures[i].err) &&
             T_OK(dump_replay(fixtures[i].store, &bufs[i], &fixtures[i].err), &fixtures[i].err) &&
             T_OK(asy_buf_check(&bufs[i], "a dump", &fixtures[i].err), &fixtures[i].err) && ok;
    }
    for (size_t i = 1; i < n && ok; i++)
        ok = t__check(!dump_differs(bufs[i].data, bufs[0].data, text), __LINE__, __FILE__,
                      "'%s' tells something else: %s", fixtures[i].engine->name, text);
    for (size_t i = 0; i < n; i++)
        asy_buf_fini(&bufs[i]);
    return ok;
}

static void engines_tell_the_same(void)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct fixture f[ASY_ARRAY_LEN(engines)];
        struct sim sim = { .serial = 0 };
        size_t n = 0;
        bool ok = true;

        asy_rng_init(&sim.rng, seed, 0, ASY_RNG_SIM);
        while (n < ASY_ARRAY_LEN(engines) && ok)
            ok = setup(&f[n], &engines[n]), n++;
        for (int round = 0; round < 25 && ok; round++) {
            uint64_t events = 1 + below(&sim, 40);

            for (uint64_t i = 0; i < events; i++)
                sim_event(&sim, &f[0].work);
            for (size_t i = 0; i < n && ok; i++)
                ok = T_OK(asy_store_commit(f[i].store, f[0].work.events, f[0].work.n, &f[i].seq,
                                           &f[i].err), &f[i].err);
            if (below(&sim, 4) == 0) { /* refused whole, and forgotten */
                work_add(&f[0].work, ASY_EV_REPORT, work_id(77777777), 0, 1);
                for (size_t i = 0; i < n; i++)
                    T_TRUE(asy_store_commit(f[i].store, f[0].work.events, f[0].work.n, &f[i].seq,
                                            &f[i].err) != 0);
            }
            work_clear(&f[0].work);
            for (size_t i = 0; i < n && ok && below(&sim, 4) == 0; i++)
                ok = reopen(&f[i]);
        }
        ok = ok && same_dumps(f, n);
        if (!ok)
            fprintf(stderr, "seed %d\n", (int)seed);
        for (size_t i = 0; i < n; i++)
            teardown(&f[i]);
    }
}

static void every_kind_comes_back(void)
{
    struct fixture f[ASY_ARRAY_LEN(engines)];
    bool seen[ASY_EV_CHECKPOINT_DROPPED + 1] = { false };
    size_t n = 0;
    bool ok = true;

    while (n < ASY_ARRAY_LEN(engines) && ok)
        ok = setup(&f[n], &engines[n]), n++;
    work_every_kind(&f[0].work);
    for (size_t i = 0; i < f[0].work.n; i++)
        seen[f[0].work.events[i].kind] = true;
    for (int kind = ASY_EV_STUDY_CREATED; kind <= ASY_EV_CHECKPOINT_DROPPED; kind++)
        t__check(seen[kind], __LINE__, __FILE__, "'%s' is not tried",
                 asy_event_kind_name((enum asy_event_kind)kind));
    for (size_t i = 0; i < n && ok; i++)
        ok = T_OK(asy_store_commit(f[i].store, f[0].work.events, f[0].work.n, &f[i].seq,
                                   &f[i].err), &f[i].err) && reopen(&f[i]);
    if (ok)
        same_dumps(f, n);
    for (size_t i = 0; i < n; i++)
        teardown(&f[i]);
}

T_MAIN("store engines", T_TEST(every_kind_comes_back), T_TEST(engines_tell_the_same))
