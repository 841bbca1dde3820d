/* SPDX-License-Identifier: Apache-2.0
 * asy/tuner.h - the search library: samplers suggest points, pruners decide how long a trial runs.
 *
 * Pure: no I/O, no clock, no threads, no globals. A sampler or pruner is a function of its spec and
 * of the sequence of calls made to it; every random number is keyed by (seed, trial number,
 * purpose), so the same calls give the same answers on any machine, and rebuilding one by the same
 * calls (a restart) gives the same state.
 *
 * Ownership: both keep a reference to the space, which must outlive them. Specs are copied.
 * Threads:   one owner per object. Errors: 0 or a negative enum asy_code. */
#ifndef ASY_TUNER_H
#define ASY_TUNER_H
#include <asy/space.h>

enum asy_goal { ASY_MINIMIZE = 0, ASY_MAXIMIZE = 1 };

/* A named option of a sampler or pruner, as the study file gave it. Names, ranges and defaults
 * stand in the key table of proto/; a test holds both to each other. */
struct asy_option {
    const char *name;
    double value; /* booleans 0 or 1; a choice as its index in the table */
};

/* ---- samplers ------------------------------------------------------------------------------ */

struct asy_sampler_spec {
    const char *name;                 /* "auto", "random", "grid", "tpe" */
    const struct asy_option *options; /* [n_options] */
    size_t n_options;
    uint64_t seed;
    const enum asy_goal *goals;       /* [n_goals], n_goals >= 1 */
    size_t n_goals;
};

enum asy_outcome_state {
    ASY_OUTCOME_RUNNING = 1,  /* started, no result yet: constant liar */
    ASY_OUTCOME_COMPLETE = 2,
    ASY_OUTCOME_PRUNED = 3,   /* ended early by a pruner; last_step and values count */
    ASY_OUTCOME_FAILED = 4,   /* no value; a diverged trial counts as worst, not as absent */
};
struct asy_outcome {
    uint64_t number;          /* of the trial in its study, from 0 */
    enum asy_outcome_state state;
    const double *x;          /* [space length] */
    const double *values;     /* [n_goals]; NaN: no value. RUNNING, FAILED: may be NULL */
    double last_step;         /* PRUNED: of the last report; < 0: none */
    double violation;         /* summed positive constraint violation; 0 feasible */
    int diverged;             /* FAILED: by divergence, the sampler learns from it */
};

struct asy_sampler;
/* ASY_E_INVAL: unknown name or option, value out of range, space unfit for it (grid with a float
 * that has neither step nor list). */
ASY_MUST_CHECK int asy_sampler_create(const struct asy_space *space,
                                      const struct asy_sampler_spec *spec,
                                      struct asy_sampler **ret_sampler, struct asy_error *err);
void asy_sampler_destroy(struct asy_sampler *sampler);
/* Suggests the point of trial `number` and remembers it as running. fixed: NULL, or
 * [space length] entries that are not ASY_INACTIVE are taken as they are (enqueued points).
 * ASY_E_FULL: the space is exhausted (grid). */
ASY_MUST_CHECK int asy_sampler_ask(struct asy_sampler *sampler, uint64_t number,
                                   const double *fixed, double *ret_x, struct asy_error *err);
/* A later outcome of the same number replaces the earlier one. */
ASY_MUST_CHECK int asy_sampler_tell(struct asy_sampler *sampler, const struct asy_outcome *outcome,
                                    struct asy_error *err);
/* Whether suggestions depend on outcomes: if not, the caller may ask far ahead. */
int asy_sampler_needs_history(const struct asy_sampler *sampler);
/* What "auto" became and why, one line; borrowed. */
const char *asy_sampler_reason(const struct asy_sampler *sampler);

/* ---- pruners ------------------------------------------------------------------------------- */

struct asy_pruner_spec {
    const char *name;                 /* "none", "median", "asha" */
    const struct asy_option *options;
    size_t n_options;
    enum asy_goal goal;               /* of the first objective */
    uint64_t length_max;              /* longest training length in steps, > 0; UINT64_MAX: open */
    int can_pause;                    /* trials checkpoint: ASHA promotes; else it stops */
};

enum asy_verdict { ASY_GO_ON = 0, ASY_STOP = 1, ASY_PAUSE = 2 };

struct asy_pruner;
ASY_MUST_CHECK int asy_pruner_create(const struct asy_pruner_spec *spec,
                                     struct asy_pruner **ret_pruner, struct asy_error *err);
void asy_pruner_destroy(struct asy_pruner *pruner);
/* The length to which a trial that stands at `step` (0: new) runs before it is looked at again:
 * the next rung, or length_max. */
uint64_t asy_pruner_milestone(const struct asy_pruner *pruner, uint64_t step);
/* A value of the objective at a step of a running trial. NaN is a value (worst). Reports of a
 * trial come with rising steps; one at or below the last counted step is ignored. The verdict:
 * ASY_GO_ON, ASY_STOP (end it as pruned), ASY_PAUSE (it stands at a rung: checkpoint and wait). */
enum asy_verdict asy_pruner_report(struct asy_pruner *pruner, uint64_t number, uint64_t step,
                                   double value);
/* Promotion: the paused trial that should run on now, if any. Returns 1 and fills both, or 0.
 * Scans rungs from the top: the best entry not yet promoted, if it is among the best
 * floor(n / reduction) of its n entries. It counts as promoted from then on. */
int asy_pruner_promote(struct asy_pruner *pruner, uint64_t *ret_number, uint64_t *ret_milestone);
/* Takes a promotion back (its lease could not be kept and the trial waits again at its rung). */
void asy_pruner_unpromote(struct asy_pruner *pruner, uint64_t number);
/* The trial ended for good; complete == 0: failed, pruned or cancelled. */
void asy_pruner_ended(struct asy_pruner *pruner, uint64_t number, int complete);
/* What decided the last ASY_STOP or keeps `number` waiting at its rung, for `explain`: one line with
 * the rule and its numbers. text holds n bytes. */
void asy_pruner_explain(const struct asy_pruner *pruner, uint64_t number, char *text, size_t n);
/* Whether it may stop a trial between milestones (median): refused in deterministic studies. */
int asy_pruner_stops(const struct asy_pruner *pruner);
#endif
