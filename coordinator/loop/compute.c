/* SPDX-License-Identifier: Apache-2.0
 * compute.c - see compute.h. Studies are few, so they stand in a list.
 *
 * A cheap sampler answers in a fraction of the time that it takes to wake a thread. So jobs come in
 * bundles, one for each round of the loop, and answers go in bundles of at most BUNDLE_NS of
 * work. */
#include "compute.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/clock.h>
#include <asy/regret.h>
#include <asy/urgency.h>
#include "search.h"

#define BUNDLE_NS 200000
#define TOGETHER 4

struct job {
    struct asy__letter letter;
    struct asy_effect effect; /* its arrays point behind the struct */
    double numbers[];
};
struct search {
    struct search *next;
    struct asy_id study;
    const struct asy_study_spec *spec;
    struct asy_sampler *sampler; /* NULL: could not be made; failure says why */
    struct asy_regret *regret;   /* NULL: the study does not look at it */
    struct asy_error failure;
};
struct asy__compute {
    pthread_t thread;
    struct asy__mail mail, *answers;
    struct asy__letter stop;
    struct asy__bundle jobs;    /* the loop's: not sent yet */
    struct asy__bundle done;    /* the thread's: answers not sent yet */
    struct search *searches;
};

static struct search *find(struct asy__compute *compute, struct asy_id study)
{
    for (struct search *search = compute->searches; search; search = search->next)
        if (asy_id_cmp(search->study, study) == 0)
            return search;
    return NULL;
}

static void drop(struct asy__compute *compute, struct asy_id study)
{
    for (struct search **at = &compute->searches; *at; at = &(*at)->next) {
        struct search *search = *at;

        if (asy_id_cmp(search->study, study) != 0)
            continue;
        *at = search->next;
        asy_regret_destroy(search->regret);
        asy_sampler_destroy(search->sampler);
        free(search);
        return;
    }
}

static void make(struct asy__compute *compute, const struct job *job)
{
    const struct asy_study_spec *spec = job->effect.sampler.spec;
    struct search *search = calloc(1, sizeof *search);

    ASY_ASSERT(search, "no memory for a study's search");
    drop(compute, job->effect.study); /* made anew: it is told all again */
    search->study = job->effect.study;
    search->spec = spec;
    ASY_IGNORE(asy__search_sampler(spec, job->effect.sampler.budget, &search->sampler,
                                   &search->failure));
    if (search->sampler && !isnan(spec->regret) &&
        asy_regret_create(spec->space, spec->objectives[0].maximize ? ASY_MAXIMIZE : ASY_MINIMIZE,
                          spec->deterministic, &search->regret, &search->failure)) {
        asy_sampler_destroy(search->sampler);
        search->sampler = NULL;
    }
    search->next = compute->searches; /* a failure is the answer to its first ask */
    compute->searches = search;
}

static struct asy__answer *new_answer(const struct search *search, const struct asy_effect *fx)
{
    size_t n = search ? asy_space_len(search->spec->space) : 0;
    struct asy__answer *answer = calloc(1, sizeof *answer + (n ? n : 1) * sizeof(double));

    ASY_ASSERT(answer, "no memory for a point of %zu entries", n);
    answer->input.type = ASY_IN_ASKED;
    answer->input.asked.study = fx->study;
    answer->input.asked.number = fx->ask.number;
    answer->input.asked.x = answer->x;
    answer->input.asked.text = answer->text;
    answer->input.asked.knew = fx->ask.knew;
    return answer;
}

/* After the sampler was asked: it says who of it drew the point. */
static void put_answer(struct asy__compute *compute, const struct search *search,
                       const struct asy_effect *fx, struct asy__answer *answer)
{
    if (search && search->sampler)
        snprintf(answer->source, sizeof answer->source, "%s", asy_sampler_drew(search->sampler));
    if (search && search->regret && /* without memory it says nothing, and is asked again */
        asy_regret_bound(search->regret, &answer->input.asked.regret,
                         &answer->input.asked.regret_n, NULL))
        answer->input.asked.regret_n = 0;
    answer->input.asked.source = fx->ask.fixed ? "enqueued" : answer->source;
    answer->input.asked.needs_history =
        search && search->sampler ? asy_sampler_needs_history(search->sampler) : 1;
    asy__bundle_add(&compute->done, &answer->letter);
}

static void ask(struct asy__compute *compute, const struct job *job)
{
    const struct asy_effect *fx = &job->effect;
    struct search *search = find(compute, fx->study);
    struct asy__answer *answer = new_answer(search, fx);
    struct asy_error err = ASY_ERROR_INIT;
    int rc;

    if (!search)
        rc = asy_fail(&err, ASY_E_NOENT, "no sampler was made for this study");
    else if (!search->sampler)
        err = search->failure, rc = search->failure.code;
    else
        rc = asy_sampler_ask(search->sampler, fx->ask.number, fx->ask.fixed, answer->x, &err);
    if (rc == 0)
        answer->input.asked.origin = asy_sampler_origin(search->sampler);
    memcpy(answer->text, err.text, sizeof answer->text);
    answer->input.asked.rc = rc;
    put_answer(compute, search, fx, answer);
}

/* How many letters from this one on are asks of one study, in a row, that are made ahead; not more
 * than TOGETHER, for whoever waits gets the first of them with the last. */
static size_t count_ahead(const struct asy__compute *compute, const struct asy__letter *letter)
{
    const struct asy_effect *first = &((const struct job *)letter)->effect;
    size_t n = 0;

    for (; n < TOGETHER && letter && letter != &compute->stop; letter = letter->next, n++) {
        const struct asy_effect *fx = &((const struct job *)letter)->effect;

        if (fx->type != ASY_FX_ASK || !fx->ask.ahead || asy_id_cmp(fx->study, first->study) != 0 ||
            fx->ask.number != first->ask.number + n)
            break;
    }
    return n;
}

/* Answers the first n from one model; 0: it cannot, and nothing was answered. */
static int ask_many(struct asy__compute *compute, const struct asy__letter *letter, size_t n)
{
    const struct asy_effect *fx = &((const struct job *)letter)->effect;
    struct search *search = find(compute, fx->study);
    size_t len = search ? asy_space_len(search->spec->space) : 0;
    struct asy__answer *answer;
    double *xs;

    if (n < 2 || !search || !search->sampler || !(xs = calloc(n * len + 1, sizeof *xs)))
        return 0;
    if (asy_sampler_ask_many(search->sampler, fx->ask.number, n, xs, NULL)) {
        free(xs);
        return 0;
    }
    for (size_t i = 0; i < n; i++, letter = letter->next) {
        fx = &((const struct job *)letter)->effect;
        answer = new_answer(search, fx);
        memcpy(answer->x, xs + i * len, len * sizeof *xs);
        answer->input.asked.with = i;
        put_answer(compute, search, fx, answer);
    }
    free(xs);
    return 1;
}

static void tell(struct asy__compute *compute, const struct job *job)
{
    struct search *search = find(compute, job->effect.study);
    struct asy_error err = ASY_ERROR_INIT;

    /* A sampler that cannot take an outcome goes on without it; its next ask fails with the
     * reason. */
    if (search && search->sampler &&
        (asy_sampler_tell(search->sampler, &job->effect.tell, &err) < 0 ||
         (search->regret && asy_regret_tell(search->regret, &job->effect.tell, &err) < 0))) {
        asy_sampler_destroy(search->sampler);
        search->sampler = NULL;
        search->failure = err;
    }
}

static void forget(struct asy__compute *compute, const struct job *job)
{
    struct asy__answer *answer = calloc(1, sizeof *answer);

    ASY_ASSERT(answer, "no memory for an answer of %zu bytes", sizeof *answer);
    drop(compute, job->effect.study);
    answer->input.type = ASY_IN_FORGOTTEN;
    answer->input.forgotten.study = job->effect.study;
    asy__bundle_add(&compute->done, &answer->letter);
}

/* Returns how many letters it took. */
static size_t work(struct asy__compute *compute, const struct asy__letter *letter)
{
    const struct job *job = (const struct job *)letter;
    size_t n;

    switch (job->effect.type) {
    case ASY_FX_SAMPLER:
        make(compute, job);
        break;
    case ASY_FX_ASK:
        n = count_ahead(compute, letter);
        if (ask_many(compute, letter, n))
            return n;
        ask(compute, job);
        break;
    case ASY_FX_TELL:
        tell(compute, job);
        break;
    default:
        forget(compute, job);
        break;
    }
    return 1;
}

/* Returns whether the end was among them. */
static int work_all(struct asy__compute *compute, struct asy__letter *letter)
{
    int64_t sent_ns = asy_clock_ns();
    int stopped = 0;

    while (letter) {
        size_t n = 1;

        if (letter == &compute->stop)
            stopped = 1;
        else if (!stopped)
            n = work(compute, letter);
        for (; n > 0; n--) {
            struct asy__letter *next = letter->next;

            if (letter != &compute->stop)
                free(letter);
            letter = next;
        }
        if (!letter || asy_clock_ns() - sent_ns >= BUNDLE_NS) {
            asy__mail_put_all(compute->answers, &compute->done);
            sent_ns = asy_clock_ns();
        }
    }
    return stopped;
}

static void *compute_main(void *arg)
{
    struct asy__compute *compute = arg;
    int stopped = 0;

    asy_urgency_set(ASY_URGENCY_ORDINARY);
    while (!stopped) {
        struct asy__letter *letter = asy__mail_take(&compute->mail);

        if (!letter)
            asy__mail_wait(&compute->mail, -1);
        stopped = work_all(compute, letter);
    }
    while (compute->searches)
        drop(compute, compute->searches->study);
    return NULL;
}

int asy__compute_create(struct asy__mail *answers, struct asy__compute **ret_compute,
                        struct asy_error *err)
{
    struct asy__compute *compute = calloc(1, sizeof *compute);
    int rc;

    if (!compute)
        return asy_fail(err, ASY_E_NOMEM, "no memory for the samplers' thread");
    compute->answers = answers;
    if ((rc = asy__mail_init(&compute->mail, err)) < 0) {
        free(compute);
        return rc;
    }
    if ((rc = pthread_create(&compute->thread, NULL, compute_main, compute)) != 0) {
        asy__mail_fini(&compute->mail);
        free(compute);
        return asy_fail_errno(err, rc, "cannot start the samplers' thread");
    }
    *ret_compute = compute;
    return 0;
}

void asy__compute_destroy(struct asy__compute *compute)
{
    if (!compute)
        return;
    asy__bundle_add(&compute->jobs, &compute->stop);
    asy__compute_send(compute);
    pthread_join(compute->thread, NULL);
    asy__mail_fini(&compute->mail);
    free(compute);
}

int asy__compute_put(struct asy__compute *compute, const struct asy_effect *effect,
                     struct asy_error *err)
{
    struct job *job = calloc(1, sizeof *job + (effect->n_x + effect->n_values) * sizeof(double));
    double *x, *values;

    if (!job)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sampler's job");
    job->effect = *effect;
    x = job->numbers;
    values = x + effect->n_x;
    if (effect->type == ASY_FX_ASK && effect->ask.fixed) {
        memcpy(x, effect->ask.fixed, effect->n_x * sizeof *x);
        job->effect.ask.fixed = x;
    } else if (effect->type == ASY_FX_TELL) {
        if (effect->tell.x)
            job->effect.tell.x = memcpy(x, effect->tell.x, effect->n_x * sizeof *x);
        if (effect->tell.values)
            job->effect.tell.values =
                memcpy(values, effect->tell.values, effect->n_values * sizeof *values);
    }
    asy__bundle_add(&compute->jobs, &job->letter);
    return 0;
}

void asy__compute_send(struct asy__compute *compute)
{
    asy__mail_put_all(&compute->mail, &compute->jobs);
}
