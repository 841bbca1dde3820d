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

/* ---- samplers ------------------------------------------------------------------------------
 *
 * Priors (asy/space.h) are what random and qmc draw from, and with them the random points that
 * others begin with. gp sees numbers by the share of the prior's mass below them, so that its
 * search takes what is likely as often as it is; weights of choices without order it only begins
 * with. tpe has them as the kernel that stands for no trial; it takes normal ones on the
 * parameter's own scale within its bounds, and weights (so does gp for conditional parameters, and
 * any for the others). cma's first distribution has their means and, in proportion, their
 * deviations; where it starts anew, it draws the mean from them. nsga2 and nsga3 begin from them.
 * auto takes tpe where there is one. grid and brute_force refuse them: ASY_E_INVAL.
 *
 * random  every parameter on its own, keyed by (seed, trial number, parameter index).
 * grid    every point of a finite space once; trial number k gets the k-th point, not counting
 *         trials with fixed entries. shuffle (0): in a random order.
 * qmc     the points of a low-discrepancy sequence, counted as those of grid; sequence (0: Sobol,
 *         1: Halton), scramble (1: linear with a digital shift; 0: none, 2: Owen's), seeded once.
 *         Categorical and conditional parameters have a dimension each, too; those beyond 1,111
 *         are random.
 * tpe     Bergstra et al. 2011 with the rules of Optuna 5.0. Parameters under the same conditions
 *         are drawn jointly, each such group for itself; group (1) off: only those without
 *         conditions are, the others one by one; multivariate (1) off: all are drawn one by one.
 *         Ordered choices are drawn as ints. startup_trials (10) random trials come first;
 *         candidates (24) per draw; constant_liar (1): running trials count as bad ones. Several
 *         objectives: MOTPE (Ozaki et al. 2020), the good trials being the best tenth by
 *         asy_pareto_best(); drawn jointly as well, where Optuna's default is one by one.
 * nsga2   NSGA-II (Deb et al. 2002). population (24) random trials come first; then each trial is a
 *         child of two survivors: simulated binary crossover with crossover_eta (20), polynomial
 *         mutation with mutation_eta (20), uniform (0): parameters are taken from either parent as
 *         they are instead. Finished trials in order of their numbers are cut into litters of a
 *         fifth of the population, and after each whole litter the best population of the survivors
 *         before it and the litter survive: results may come in any order, however late. Any number
 *         of objectives.
 * nsga3   The same with the selection of NSGA-III (Deb and Jain 2014), for three objectives and
 *         more; divisions (0: as many as leave a direction for each of the population) of the
 *         simplex's edges.
 * gp      Gaussian process with expected improvement, for expensive trials and up to some hundreds
 *         of them. startup_trials (10) random trials come first. Parameters that are not always
 *         active are drawn by tpe. region (1): of ten trials five in a row are searched for in a
 *         box around the best, which grows and shrinks with what they find (gp_region.h). Two
 *         objectives: the expected improvement of the hypervolume, exact (logehvi.h). The model
 *         holds at most 1,536 finished trials, the best and the latest. See sampler_gp.c for what
 *         counts as what.
 * cma     CMA-ES (Hansen 2016, arXiv 1604.00772) with active update, for any number of workers:
 *         finished trials in order of their numbers are taken a batch at a time, so a late result
 *         takes its place among the earlier ones and counts, and answers do not depend on when
 *         results came; where late points came from is estimated from what a batch has in common
 *         (James and Stein's shrinkage). population (0: 4 + 3 ln d, at least 4) trials a batch;
 *         separable (0; 1 beyond 200 parameters): only variances; adapt_rate (0): learning rates
 *         after Nomura et al. 2023; restarts (1: IPOP; 0: none, 2: BIPOP); warm_trials (0): as many
 *         first trials, random or told from elsewhere, are what the first distribution is made of
 *         (Nomura et al. 2021). Steps and ordered choices with a margin (Hamano et al. 2022), other
 *         choices as CatCMA does (Hamano et al. 2024), conditional parameters all in one
 *         distribution. Trials rank as with tpe. One objective only.
 * pbt     population based training (Jaderberg et al. 2017, arXiv 1711.09846), for studies whose
 *         trials leave checkpoints. A trial is one interval of training of one member of a
 *         population (4): the first of each member is a random point, each later one starts from
 *         the checkpoint of an earlier trial, its parent (struct asy_origin). A member whose latest
 *         result is not among the worst quantile (0.25) goes on with the same point; one that is
 *         takes up a random one of the best quantile and leaves its parameters changed: each is
 *         drawn anew with probability resample (0.25), else multiplied by factor_up (1.2) or
 *         factor_down (0.8), whole numbers by a whole step at least, choices moved one place. So
 *         does a member whose trial failed. Nobody waits for others: each member is compared with
 *         the latest results of the others. Whoever asks for more points at once than members are
 *         free gets more members. One objective only. interval: see asy_population_of().
 * pb2     population-based bandits (Parker-Holder et al. 2020): pbt with its options, but where
 *         pbt changes numbers and ordered choices without conditions, these are where a
 *         time-varying Gaussian process has the highest upper confidence bound of what a turn
 *         gains. It learns from the latest 192 turns that went on from a complete one (fewer than
 *         3: as pbt); those that train take part with their means. See bandit.h.
 * brute_force  the points of a finite space that no trial has had, given or told ones included, in
 *         a random order, until all have been tried.
 * auto    random where there is nothing to learn or no budget to learn in. One objective, up to 64
 *         parameters that are all numbers or ordered, without conditions, one with more than 16
 *         values: qmc until 10 trials have finished, then gp; with more than 400 trials, or no
 *         limit, cma from there on, its first distribution made of those 400. Two objectives over
 *         numbers: qmc, gp, and from 200 finished trials on nsga2. In place of gp tpe while more
 *         than 32 trials run. Else, and with a pruner, tpe, with several objectives without
 *         multivariate; with a pruner nsga2 for two objectives over numbers and 400 trials or more.
 *         Which part answers is a function of the latest outcomes, as the answers are. */

struct asy_outcome;
/* A trial of an earlier study of the same, a similar or an overlapping space, whose values are of
 * another scale: what counts is how it ranked there. */
struct asy_earlier {
    const double *x;          /* [space length]; ASY_INACTIVE: not known, or not active */
    double rank;              /* share of that study's results that are better; in (0, 1) */
};
struct asy_sampler_spec {
    const char *name;                 /* as by asy_sampler_name() */
    const struct asy_option *options; /* [n_options] */
    size_t n_options;
    uint64_t seed;
    const enum asy_goal *goals;       /* [n_goals], n_goals >= 1 */
    size_t n_goals;
    uint64_t budget;                  /* trials of the study, 0: not known; "auto" looks at it */
    uint64_t n_enqueued;              /* the first trials, whose points the study gives: grid and
                                         qmc do not count them, asked for or not, in any order. A
                                         later trial with fixed entries moves the places of those
                                         after it: it is to be asked for before them */
    const struct asy_pruner_spec *pruner; /* of the same study; NULL: not known. With hyperband, tpe
                                         (also as "auto") learns for each bracket from its own
                                         trials alone (Optuna's rule for BOHB) */
    const struct asy_outcome *told;   /* [n_told] results from elsewhere, told before all else;
                                         their numbers do not matter. Within the sampler they are
                                         its first trials, and the study's come behind them: so
                                         cma may begin from them (warm_trials), brute_force leaves
                                         their points out, grid and qmc do not count them */
    size_t n_told;
    const struct asy_earlier *earlier; /* [n_earlier]. What is not known of a point is drawn at
                                         random, by the seed. tpe has them in its densities, fewer
                                         with each result of its own and none from 50 on; cma
                                         begins from the best tenth (Nomura et al. 2021), unless
                                         warm_trials says otherwise; gp has what they make expect
                                         as its mean, for one objective, while they rank results
                                         better than its model does. Others make nothing of them */
    size_t n_earlier;
};

enum asy_outcome_state {
    ASY_OUTCOME_RUNNING = 1,  /* started, no result yet: constant liar */
    ASY_OUTCOME_COMPLETE = 2,
    ASY_OUTCOME_PRUNED = 3,   /* ended early by a pruner; last_step and values count */
    ASY_OUTCOME_FAILED = 4,   /* no value; a diverged trial counts as worst, not as absent */
};
/* What a trial of a population goes on from. Zeroed: it is of no population. */
struct asy_origin {
    uint64_t member;          /* from 1; 0: none */
    uint64_t parent;          /* 1 + number of the trial whose checkpoint it starts from; 0: none */
};
struct asy_outcome {
    uint64_t number;          /* of the trial in its study, from 0 */
    enum asy_outcome_state state;
    const double *x;          /* [space length] */
    const double *values;     /* [n_goals]; NaN: no value. RUNNING, FAILED: may be NULL */
    double last_step;         /* PRUNED: of the last report; < 0: none */
    double violation;         /* summed positive constraint violation; 0 feasible */
    int diverged;             /* FAILED: by divergence, the sampler learns from it */
    struct asy_origin origin; /* as asy_sampler_origin() had it; of a trial that this sampler was
                                 not asked for itself */
    int over;                 /* COMPLETE: it is trained to its end, nothing can follow it */
};

struct asy_sampler;
/* The i-th sampler, or option of one, by name; NULL beyond the last or for an unknown sampler. */
const char *asy_sampler_name(size_t i);
const char *asy_sampler_option(const char *sampler, size_t i);
/* ASY_E_INVAL: unknown name or option, value out of range, space unfit for it (grid with a float
 * that has neither step nor list). */
ASY_MUST_CHECK int asy_sampler_create(const struct asy_space *space,
                                      const struct asy_sampler_spec *spec,
                                      struct asy_sampler **ret_sampler, struct asy_error *err);
void asy_sampler_destroy(struct asy_sampler *sampler);
/* Suggests the point of trial `number` (below 2^53) and remembers it as running. fixed: NULL, or
 * [space length] entries that are not ASY_INACTIVE are taken as they are (enqueued points), except
 * where their condition turns out not to hold. The outcome of a trial that is asked for again is
 * forgotten, also if that fails. ASY_E_FULL: the space is exhausted (grid, brute_force), or all
 * members of a population are trained. ASY_E_GONE: too many of a population's trials failed in a
 * row, so there is nothing to go on from.
 * ASY_E_INVAL: a fixed entry is not a value of its parameter. */
ASY_MUST_CHECK int asy_sampler_ask(struct asy_sampler *sampler, uint64_t number,
                                   const double *fixed, double *ret_x, struct asy_error *err);
/* The same for n trials in a row from `number` on, into ret_xs[n, space length], without fixed
 * entries. tpe (but not where it learns for each bracket) draws all of them from one model: each is
 * the point that asy_sampler_ask() would have given it if asked first, as none of them shuns the
 * others, and that takes less time. Every other sampler is asked in turn. After an error none of
 * them counts as running. */
ASY_MUST_CHECK int asy_sampler_ask_many(struct asy_sampler *sampler, uint64_t number, size_t n,
                                        double *ret_xs, struct asy_error *err);
/* A later outcome of the same number replaces the earlier one. The answers that follow depend on
 * the latest outcomes alone, not on their order. A completed trial whose value is NaN counts as
 * diverged. ASY_E_INVAL: x is not a point of the space. */
ASY_MUST_CHECK int asy_sampler_tell(struct asy_sampler *sampler, const struct asy_outcome *outcome,
                                    struct asy_error *err);
/* Whether suggestions depend on outcomes: if not, the caller may ask far ahead. */
int asy_sampler_needs_history(const struct asy_sampler *sampler);
/* What "auto" became and why, one line; borrowed. */
const char *asy_sampler_reason(const struct asy_sampler *sampler);
/* Who made the point of the last ask: the sampler's name, or as "auto: gp"; borrowed, until the
 * next ask. */
const char *asy_sampler_drew(const struct asy_sampler *sampler);
/* What the trial of the last ask goes on from; its caller tells it with the trial's outcomes to a
 * sampler that is made anew. */
struct asy_origin asy_sampler_origin(const struct asy_sampler *sampler);
/* How a sampler of this name and these options wants trials to be made: at most `size` of them at
 * once whose end it has not been told, but one less for each that is over, each of which trains
 * `interval` steps from where it starts, up to length_max (UINT64_MAX: open). Size 0: it has no
 * such wishes. interval (0): a tenth of length_max, at least 1. */
struct asy_population {
    uint64_t size, interval;
};
struct asy_population asy_population_of(const char *name, const struct asy_option *options,
                                        size_t n_options, uint64_t length_max);

/* ---- pruners -------------------------------------------------------------------------------
 *
 * Of several objectives all but moasha compare the first.
 *
 * none    every trial runs to length_max.
 * median  Optuna's MedianPruner: percentile with 50.
 * percentile  Optuna's PercentilePruner: stops a trial whose best value so far is worse than that
 *         percentile (25: of the best quarter; interpolated between the two values beside it) of
 *         what completed trials reported at the same step. startup_trials (5) completed ones
 *         first; warmup_steps (0); interval (1) of steps between looks; min_trials (1) with a
 *         value at that step. Values that are all NaN stop.
 * patient  Optuna's PatientPruner: a trial that has reported more than patience (5) + 1 values is
 *         stopped if the best of its last patience + 1 values is worse than the best before them
 *         by more than min_delta (0), and inner (0: none, 1: median, 2: percentile, 3: threshold)
 *         would stop it at this report, too. The options of inner stand beside these.
 * threshold  Optuna's ThresholdPruner: stops a trial whose value is below lower (-INFINITY), above
 *         upper (INFINITY) or NaN; warmup_steps and interval as above. One bound is finite.
 * wilcoxon  Optuna's WilcoxonPruner: a trial is evaluated on instances, of which the step is the
 *         number and the report's value the result. It is stopped if a Wilcoxon signed-rank test of
 *         the instances that it shares with the best completed trial (that with the best mean; the
 *         first among equals) finds it worse with a p below p_threshold (0.1), unless its own mean
 *         is no worse than the best one's. At least startup_steps (2; at least 2) shared ones
 *         first. Values that are not finite, of either trial, stop nothing.
 * asha    rule (2) 1: Li et al. 2018, algorithm 2: rungs at min (1) * reduction (4)^k < length_max;
 *         of n at one the best floor(n / reduction) may go on. 2: rungs at min * 2^k, at the lowest
 *         ceil(n / reduction), above ceil(n / 2), by the value that the next rung is to show
 *         (pruner_asha.c). can_pause: a trial pauses at each rung; the highest rung goes first, the
 *         best there first; a report across several counts at the highest.
 *         else: the stopping form at rule 1's rungs, by Optuna's SuccessiveHalvingPruner. At each
 *         a trial goes on if fewer than max(1, floor(n / reduction)) of the n entries there, itself
 *         included, are strictly better; it never waits, so its milestone is length_max. A NaN is
 *         one of the n, where Optuna leaves it out.
 * hyperband  Li et al. 2017: brackets (0: as many as fit between min (1) and length_max) side by
 *         side, each an asha with a lowest rung reduction (3) times as high as the one before. Of
 *         all trials bracket b gets a share as Optuna's HyperbandPruner has it, ceil(B eta^s /
 *         (s + 1)) for s = B - 1 - b, evenly by its number (pruner_hyperband.c). Promotion and
 *         stopping as asha; promotions of all brackets go the highest rung first. With tpe as
 *         sampler, which is then told of the pruner: BOHB.
 * moasha  Schmucker et al. 2021, for 2 or 3 objectives: asha whose best k at a rung are those that
 *         asy_pareto_best() takes, whole fronts first; where more than 1024 (3 objectives: 256) are
 *         on the front that is cut, those of it that are furthest from each other by
 *         asy_pareto_crowding(), in O(n log n). Promotion: of them, the front that fewer dominate
 *         first, in it the lower number. Stopping: a trial goes on if it is among the best
 *         max(1, floor(n / reduction)). A trial one of whose values is NaN counts in n and never
 *         goes on. */

struct asy_pruner_spec {
    const char *name;                 /* as by asy_pruner_name() */
    const struct asy_option *options;
    size_t n_options;
    const enum asy_goal *goals;       /* [n_goals], n_goals >= 1 */
    size_t n_goals;
    uint64_t length_max;              /* longest training length in steps, > 0; UINT64_MAX: open */
    int can_pause;                    /* trials checkpoint: ASHA promotes; else it stops */
};

enum asy_verdict { ASY_GO_ON = 0, ASY_STOP = 1, ASY_PAUSE = 2 };

struct asy_pruner;
const char *asy_pruner_name(size_t i); /* as for samplers */
const char *asy_pruner_option(const char *pruner, size_t i);
/* ASY_E_INVAL: unknown name or option, value out of range, length_max 0, no or too many goals. */
ASY_MUST_CHECK int asy_pruner_create(const struct asy_pruner_spec *spec,
                                     struct asy_pruner **ret_pruner, struct asy_error *err);
void asy_pruner_destroy(struct asy_pruner *pruner);
/* The length to which trial `number`, which stands at `step` (0: new), runs before it is looked at
 * again: the next rung, or length_max. */
uint64_t asy_pruner_milestone(const struct asy_pruner *pruner, uint64_t number, uint64_t step);
/* How many objectives it compares: the first alone, 1, or all n_goals. */
size_t asy_pruner_compares(const struct asy_pruner *pruner);
/* The values of the objectives, [n_goals], at a step of a running trial. NaN is a value (worst).
 * Reports of a trial come with rising steps; one at or below the last counted step is ignored, as
 * is one for which there is no memory. The verdict: ASY_GO_ON, ASY_STOP (end it as pruned),
 * ASY_PAUSE (it stands at a rung: checkpoint and wait); a stopped or paused trial gets the same
 * verdict again. */
enum asy_verdict asy_pruner_report(struct asy_pruner *pruner, uint64_t number, uint64_t step,
                                   const double *values);
/* Promotion: the paused trial that should run on now, if any. Returns 1 and fills both, or 0.
 * Scans rungs from the top: the best entry not yet promoted, if it is among the best
 * floor(n / reduction) of its n entries. It counts as promoted from then on. */
int asy_pruner_promote(struct asy_pruner *pruner, uint64_t *ret_number, uint64_t *ret_milestone);
/* For when nothing else is left to do and no trial has run to its end: the best of those that wait
 * at the highest rung where any does, whatever the rule says, to run to length_max. 1, or 0: none
 * waits with a value that is a number. It counts as promoted from then on. */
int asy_pruner_promote_last(struct asy_pruner *pruner, uint64_t *ret_number,
                            uint64_t *ret_milestone);
/* Takes a promotion back (its lease could not be kept and the trial waits again at its rung). */
void asy_pruner_unpromote(struct asy_pruner *pruner, uint64_t number);
/* The trial ended for good; complete == 0: failed, pruned or cancelled. */
void asy_pruner_ended(struct asy_pruner *pruner, uint64_t number, int complete);
/* What decided the last ASY_STOP or keeps `number` waiting at its rung, for `explain`: one line
 * with the rule and its numbers, empty where there is nothing to say. text holds n bytes. */
void asy_pruner_explain(const struct asy_pruner *pruner, uint64_t number, char *text, size_t n);
/* Whether it may stop a trial between milestones (all but none, and but those of rungs where trials
 * can pause): refused in deterministic studies. */
int asy_pruner_stops(const struct asy_pruner *pruner);
#endif
