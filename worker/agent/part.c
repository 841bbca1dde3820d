/* SPDX-License-Identifier: Apache-2.0
 * part.c - a job whose ranks are on several nodes: what its parts say to each other, and how the
 * end of one becomes the end of all.
 *
 * A member's part waits after its lease until the lead calls: with the words that start its share
 * of a new gang, or the name of a warm one. It reports nothing; what goes wrong in it the lead
 * hears, again and again until the coordinator closes the attempt. The lead reports. Before it
 * calls an end of the gang a crash it asks the others: mpirun loses a daemon in the same way
 * whether somebody killed it or its whole node went, and the loss of a node uses up no retry. */
#include "impl.h"
#include <asy/clock.h>
#include <asy/log.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_MAX 4096
#define CALL_MS 500     /* between two calls to a member that should start */
#define RUN_MS 50       /* ... that should run what it has warm */
#define ASK_MS 100
#define ASK_MOST_MS 1000
#define FAILED_MS 2000  /* between two words of the same failure */
#define PEACE_MS 3000   /* for ranks to become idle after their trial's end */

/* ---- what was leased ------------------------------------------------------------------------- */

void asy__parts_destroy(struct asy__parts *parts)
{
    if (!parts)
        return;
    for (uint32_t i = 0; parts->places && i < parts->n; i++) {
        free(parts->places[i].host);
        free(parts->places[i].gpus);
    }
    free(parts->places);
    free(parts->here);
    free(parts->there);
    free(parts);
}

/* NULL: no memory. */
static char *text_of_gpus(const struct asy_placement *place)
{
    struct asy_buf text;
    char *taken = NULL;

    asy_buf_init(&text, ASY_FRAME_MAX);
    for (size_t i = 0; i < place->n_gpus; i++)
        asy_buf_addf(&text, "%s%s:%u", i ? " " : "", place->gpus[i],
                     i < place->n_gpu_shares ? place->gpu_shares[i] : ASY_GPU_WHOLE);
    if (text.rc == 0)
        taken = place->n_gpus ? asy_buf_take(&text, NULL) : strdup("");
    asy_buf_fini(&text);
    return taken;
}

int asy__parts_take(struct asy__job *job, const struct asy_lease *lease)
{
    struct asy__parts *parts;

    if (lease->n_placements < 2 || lease->n_placements > PARTS_MAX)
        return 0; /* judged by asy__parts_check() */
    if (!(parts = job->parts = calloc(1, sizeof *parts)) ||
        !(parts->places = calloc(lease->n_placements, sizeof *parts->places)))
        return ASY_E_NOMEM;
    parts->own = lease->part;
    parts->n = (uint32_t)lease->n_placements;
    parts->say_ms = parts->by_ms = INT64_MAX;
    for (uint32_t i = 0; i < parts->n; i++) {
        const struct asy_placement *from = &lease->placements[i];
        const char *host = from->host && *from->host ? from->host : "?";

        parts->places[i].worker = from->worker;
        parts->places[i].ranks = from->ranks;
        if (!(parts->places[i].host = strdup(host)) ||
            !(parts->places[i].gpus = text_of_gpus(from)))
            return ASY_E_NOMEM;
        if (i < parts->own)
            parts->first_rank += from->ranks;
        parts->all_ranks += from->ranks;
    }
    return 0;
}

int asy__parts_check(const struct asy__job *job, const struct asy_lease *lease,
                     struct asy_error *err)
{
    const struct asy__parts *parts = job->parts;

    if (asy__all_ranks(job) != lease->ranks)
        return asy_fail(err, ASY_E_INVAL, "the lease has %u ranks in its parts, not %u",
                        asy__all_ranks(job), lease->ranks);
    if (!parts)
        return 0;
    if (parts->own >= parts->n || parts->places[parts->own].ranks != job->ranks)
        return asy_fail(err, ASY_E_INVAL, "the lease's parts do not fit its placement");
    for (uint32_t i = 0; i < parts->n; i++)
        if (parts->places[i].ranks == 0)
            return asy_fail(err, ASY_E_INVAL, "the lease has a part without ranks");
    if (!asy_study_is_native(job->spec->study))
        return asy_fail(err, ASY_E_INVAL, "a command has one part");
    return 0;
}

int asy__part_follows(const struct asy__job *job)
{
    return job->parts && job->parts->own > 0;
}

uint32_t asy__all_ranks(const struct asy__job *job)
{
    return job->parts ? job->parts->all_ranks : job->ranks;
}

const char *asy__part_place(const struct asy__job *job, int rank, char *text, size_t size)
{
    int64_t left = rank;

    text[0] = '\0';
    for (uint32_t i = 0; job->parts && rank >= 0 && i < job->parts->n; i++) {
        left -= job->parts->places[i].ranks;
        if (left < 0) {
            snprintf(text, size, " on '%s'", job->parts->places[i].host);
            break;
        }
    }
    return text;
}

/* ---- saying ---------------------------------------------------------------------------------- */

static void send_part(const struct asy__job *job, struct asy_msg *msg)
{
    struct asy__agent *agent = job->agent;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf frame;

    if (agent->session.state != ASY__SESSION_JOINED)
        return; /* said again later */
    msg->type = ASY_MSG_PART;
    msg->session = agent->session.id;
    msg->part.study = job->study;
    msg->part.trial = job->trial;
    msg->part.attempt = job->attempt;
    msg->part.epoch = job->epoch;
    msg->part.from = job->parts->own;
    asy_buf_init(&frame, ASY_FRAME_MAX);
    if (asy_msg_encode(msg, &frame, &err) < 0)
        asy_warn("%s: %s", job->name, err.text);
    else
        ASY_IGNORE(asy__link_send(agent->link, &frame, NULL)); /* full: said again later */
    asy_buf_fini(&frame);
}

void asy__part_say(const struct asy__job *job, uint32_t to, enum asy_part_kind kind,
                   const struct asy__gang *gang, const struct asy__words *words)
{
    struct asy_msg msg = { 0 };

    msg.part.to = to;
    msg.part.kind = kind;
    msg.part.gang = gang ? gang->id : ASY_ID_NONE;
    msg.part.words = words ? (const char *const *)words->text : NULL;
    msg.part.n_words = words ? words->n : 0;
    msg.part.text = "";
    job->parts->say_ms = asy_clock_ms() + (kind == ASY_PART_RUN ? RUN_MS : CALL_MS);
    send_part(job, &msg);
}

static void say_failed(const struct asy__job *job)
{
    const struct asy__ended *here = job->parts->here;
    struct asy_msg msg = { 0 };

    msg.part.to = 0;
    msg.part.kind = ASY_PART_FAILED;
    msg.part.text = here->text;
    msg.part.end = here->event.ended.end;
    msg.part.cause = here->event.ended.cause;
    msg.part.exit_code = here->event.ended.exit_code;
    msg.part.signal = here->event.ended.signal;
    send_part(job, &msg);
    job->parts->say_ms = asy_clock_ms() + FAILED_MS;
}

static struct asy__ended *keep(const struct asy_event *ended)
{
    struct asy__ended *copy = malloc(sizeof *copy);

    if (copy) {
        copy->event = *ended;
        snprintf(copy->text, sizeof copy->text, "%s", ended->ended.text ? ended->ended.text : "");
        copy->event.ended.text = copy->text;
    }
    return copy;
}

/* ---- the member's side ----------------------------------------------------------------------- */

/* An idle gang that still sits on its cores goes first. */
static int in_the_way(struct asy__job *job)
{
    int any = 0;

    ASY__EACH(struct asy__gang, gang, &job->agent->gangs)
        if (!gang->dead && !gang->job && asy__gang_spans(gang) && asy__gang_suits(gang, job)) {
            asy__gang_kill(gang);
            any = 1;
        }
    return any;
}

static void start(struct asy__job *job, const struct asy_msg *msg)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__words words = { 0 };

    if (job->gang) {
        if (asy_id_cmp(job->gang->id, msg->part.gang) == 0)
            asy__part_say(job, 0, ASY_PART_READY, job->gang, NULL);
        return;
    }
    if (job->parts->here)
        say_failed(job);
    if (job->state != ASY__JOB_STARTING || in_the_way(job))
        return; /* it will be asked again */
    for (size_t i = 0; i < msg->part.n_words; i++)
        asy__words_add(&words, msg->part.words[i]);
    if (asy__words_check(&words, &err) < 0 ||
        asy__gang_follow(job, msg->part.gang, &words, &err) < 0)
        asy__job_refuse(job, ASY_END_REFUSED, ASY_CAUSE_NOT_STARTED, err.text);
    else
        asy__part_say(job, 0, ASY_PART_READY, job->gang, NULL);
    asy__words_fini(&words);
}

static void run(struct asy__job *job, const struct asy_msg *msg)
{
    struct asy_error err = ASY_ERROR_INIT;
    int rc = 0;

    if (!job->gang) {
        if (job->state != ASY__JOB_STARTING)
            return;
        rc = asy__gang_rejoin(job, msg->part.gang, &err);
    }
    if (rc == 0)
        asy__part_say(job, 0, ASY_PART_READY, job->gang, NULL);
    else if (rc != ASY_E_AGAIN)
        asy__job_refuse(job, ASY_END_REFUSED, ASY_CAUSE_NOT_STARTED, err.text);
}

int asy__part_closing(const struct asy__job *job)
{
    return job->parts && job->parts->closing;
}

void asy__part_close(struct asy__job *job)
{
    struct asy__gang *gang = job->gang;

    if (!gang || !job->started) {
        asy__job_fence(job);
        return;
    }
    job->parts->closing = 1;
    job->parts->by_ms = asy_clock_ms() + PEACE_MS;
    asy__part_rank_done(job);
}

void asy__part_rank_done(struct asy__job *job)
{
    struct asy_event over = { .kind = ASY_EV_ENDED };

    if (!job->parts->closing || !job->gang || job->gang->running > 0)
        return;
    asy__gang_release(job->gang, 1);
    job->fenced = 1; /* it never had anything to report */
    asy__job_report_end(job, &over);
}

int asy__part_fenced(struct asy__job *job)
{
    struct asy_event over = { .kind = ASY_EV_ENDED };

    if (!job->parts || job->gang)
        return 0;
    asy__job_report_end(job, &over);
    return 1;
}

/* ---- the lead's side ------------------------------------------------------------------------- */

/* Of its own: not merely since the gang had ended elsewhere. */
static int of_its_own(const struct asy_msg *msg)
{
    return msg->part.end == ASY_END_REFUSED || msg->part.end == ASY_END_PREEMPTED ||
           (msg->part.cause != ASY_CAUSE_SIGNAL && msg->part.cause != ASY_CAUSE_EXIT_CODE);
}

static void note(struct asy__job *job, uint32_t part, enum asy_end end, enum asy_cause cause,
                 const struct asy_msg *msg, const char *text)
{
    struct asy__parts *parts = job->parts;
    const char *host = parts->places[part].host;
    struct asy__ended *ended;

    if (parts->there || !(ended = calloc(1, sizeof *ended)))
        return; /* the first one's counts */
    ended->event.kind = ASY_EV_ENDED;
    ended->event.ended.end = end;
    ended->event.ended.cause = cause;
    ended->event.ended.exit_code = msg->part.exit_code;
    ended->event.ended.signal = msg->part.signal;
    ended->event.ended.step = job->step;
    ended->event.ended.objective = NAN;
    snprintf(ended->text, sizeof ended->text, "on '%s': %s", host, text);
    ended->event.ended.text = ended->text;
    parts->there = ended;
    parts->there_part = part;
}

static void settle(struct asy__job *job);

static void failed(struct asy__job *job, const struct asy_msg *msg)
{
    struct asy__parts *parts = job->parts;
    int has_reason = msg->part.end >= ASY_END_COMPLETE && msg->part.end <= ASY_END_REFUSED;

    if (!parts->there && has_reason) {
        note(job, msg->part.from, (enum asy_end)msg->part.end, msg->part.cause, msg,
             msg->part.text);
        parts->firm = of_its_own(msg);
    }
    parts->places[msg->part.from].answered = 1;
    if (parts->asking)
        settle(job);
    else if (!job->gang && parts->there) /* it has not even begun here */
        asy__job_report_end(job, &parts->there->event);
    else if (job->gang && parts->firm)
        asy__gang_kill(job->gang);
    else if (job->gang)
        asy__gang_rank_lost(job->gang, -1); /* mpirun is about to say more */
}

static void away(struct asy__job *job, const struct asy_msg *msg)
{
    if (!job->parts->asking)
        return; /* called again; the coordinator judges how long it may stay away */
    note(job, msg->part.from, ASY_END_PREEMPTED, ASY_CAUSE_LOST, msg, msg->part.text);
    job->parts->firm = 1;
    job->parts->places[msg->part.from].answered = 1;
    settle(job);
}

static void ask(struct asy__job *job)
{
    struct asy__parts *parts = job->parts;

    for (uint32_t i = 1; i < parts->n; i++)
        if (!parts->places[i].answered)
            asy__part_say(job, i, ASY_PART_ASK, NULL, NULL);
    parts->say_ms = asy_clock_ms() + ASK_MS;
}

/* mpirun knows which rank was first; of that one its own node can say more. A signal that ended
 * mpirun itself was before all else, an exit code of it only follows from what it lost. */
static const struct asy__ended *first_cause(const struct asy__job *job)
{
    const struct asy__parts *parts = job->parts;
    const char *here = parts->here->text, *told;
    int names_rank = !strncmp(here, "rank ", 5);

    if (!parts->there)
        return parts->here;
    told = strstr(parts->there->text, "': ");
    if (parts->firm || (!names_rank && parts->here->event.ended.signal == 0) ||
        (names_rank && told && !strncmp(here, told + 3, strcspn(here + 5, " ") + 6)))
        return parts->there;
    return parts->here;
}

/* Once all have answered, or none will. */
static void settle(struct asy__job *job)
{
    struct asy__parts *parts = job->parts;
    struct asy__ended ended;

    for (uint32_t i = 1; i < parts->n && asy_clock_ms() < parts->by_ms && !parts->firm; i++)
        if (!parts->places[i].answered)
            return;
    parts->asking = 0;
    ended = *first_cause(job);
    ended.event.ended.text = ended.text;
    asy__job_report_end(job, &ended.event);
}

int asy__part_ended(struct asy__job *job, const struct asy_event *ended)
{
    struct asy__parts *parts = job->parts;
    int crashed = ended->ended.end == ASY_END_CRASHED;

    if (!parts || job->fenced || parts->here)
        return 0;
    if (parts->own == 0 && (!crashed || job->doom))
        return 0;
    if (!(parts->here = keep(ended)))
        return 0; /* it is told less well */
    if (parts->own > 0) {
        if (ended->ended.end == ASY_END_COMPLETE) /* orted ends so when mpirun has told it to */
            parts->here->event.ended.end = (enum asy_end)0;
        say_failed(job);
        return 0;
    }
    parts->asking = 1;
    parts->by_ms = asy_clock_ms() + ASK_MOST_MS;
    for (uint32_t i = 1; i < parts->n; i++)
        parts->places[i].answered = parts->there && parts->there_part == i;
    ask(job);
    settle(job);
    return 1;
}

/* ---- hearing --------------------------------------------------------------------------------- */

static void lead_hears(struct asy__job *job, const struct asy_msg *msg)
{
    switch (msg->part.kind) {
    case ASY_PART_READY:
        if (job->gang && job->gang->crew && asy_id_cmp(job->gang->id, msg->part.gang) == 0)
            asy__crew_is_ready(job->gang, msg->part.from);
        break;
    case ASY_PART_FAILED:
        failed(job, msg);
        break;
    case ASY_PART_AWAY:
        away(job, msg);
        break;
    case ASY_PART_WELL:
        job->parts->places[msg->part.from].answered = 1;
        if (job->parts->asking)
            settle(job);
        break;
    default:
        break;
    }
}

static void member_hears(struct asy__job *job, const struct asy_msg *msg)
{
    switch (msg->part.kind) {
    case ASY_PART_START:
        start(job, msg);
        break;
    case ASY_PART_RUN:
        run(job, msg);
        break;
    case ASY_PART_ASK:
        if (job->parts->here)
            say_failed(job);
        else if (!job->gang)
            asy__part_say(job, 0, ASY_PART_WELL, NULL, NULL);
        break; /* else it is about to end here too, and then says how */
    default:
        break;
    }
}

void asy__part_hear(struct asy__agent *agent, const struct asy_msg *msg)
{
    struct asy__job *job = asy__job_find(agent, msg->part.study, msg->part.trial,
                                         msg->part.attempt, msg->part.epoch);

    if (!job || !job->parts || job->fenced || msg->part.to != job->parts->own ||
        msg->part.from >= job->parts->n || msg->part.from == job->parts->own)
        return; /* it is over here; the coordinator tells the others */
    if (job->parts->own > 0)
        member_hears(job, msg);
    else if (job->state != ASY__JOB_OVER)
        lead_hears(job, msg);
}

/* ---- time ------------------------------------------------------------------------------------ */

static void say_again(struct asy__job *job)
{
    struct asy__parts *parts = job->parts;

    parts->say_ms = INT64_MAX;
    if (parts->asking)
        ask(job);
    else if (parts->own > 0 && parts->here)
        say_failed(job);
    else if (job->gang && job->gang->crew && !asy__crew_complete(job->gang))
        asy__crew_call(job->gang);
}

int64_t asy__part_timers(struct asy__job *job, int64_t now_ms)
{
    struct asy__parts *parts = job->parts;

    if (!parts || job->fenced || (job->state == ASY__JOB_OVER && !(parts->own && parts->here)))
        return INT64_MAX;
    if (now_ms >= parts->say_ms)
        say_again(job);
    if (now_ms >= parts->by_ms) {
        if (parts->asking)
            settle(job);
        else if (parts->closing)
            asy__job_fence(job); /* its ranks do not come to their end */
        parts->by_ms = INT64_MAX;
    }
    return parts->say_ms < parts->by_ms ? parts->say_ms : parts->by_ms;
}
