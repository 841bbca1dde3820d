/* SPDX-License-Identifier: Apache-2.0
 * end.c - how an attempt ended: what the kernel saw, held against what the program had been told.
 *
 *   our doom: the disk is full                 preempted: no fault of its own
 *   our doom otherwise (protocol, …)           crashed, with that cause
 *   over its memory                            crashed: out of memory
 *   its whole length is done and it exited 0   complete, whatever it was told meanwhile
 *   ordered to stop                            stopped, however it went
 *   told to pause, exited 0 after a checkpoint paused there
 *   told to pause, we had to end it            paused at its newest checkpoint, else preempted
 *   told to pause, exited 0 without one        crashed: it broke the protocol; complete if it had
 *                                              gone on meanwhile, or had never promised any
 *   exit 0                                     complete
 *   ended by a warning from outside            preempted: a batch system signals every process
 *   exit code, signal                          crashed, with the last lines of stderr */
#include "impl.h"
#include <asy/proc.h>
#include <asy/told.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAIL_BYTES 4096
#define TAIL_LINES 5

/* Only whole, printable text travels: the rest of a core dump's noise becomes '?'. */
static void clean(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 && *text != '\n' && *text != '\t')
            *text = '?';
}

void asy__end_tail(const char *path, int64_t from, char *ret_text, size_t size)
{
    char bytes[TAIL_BYTES + 1], *at;
    int fd = open(path, O_RDONLY | O_CLOEXEC), lines = 0;
    struct stat st;
    ssize_t n = 0;

    ret_text[0] = '\0';
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && st.st_size > from) {
        off_t start = st.st_size - from > TAIL_BYTES ? st.st_size - TAIL_BYTES : (off_t)from;

        n = pread(fd, bytes, TAIL_BYTES, start);
    }
    close(fd);
    while (n > 0 && (bytes[n - 1] == '\n' || bytes[n - 1] == ' '))
        n--;
    if (n <= 0)
        return;
    bytes[n] = '\0';
    for (ssize_t i = 0; i < n; i++)
        if (!bytes[i])
            bytes[i] = '?';
    for (at = bytes + n; at > bytes; at--)
        if (at[-1] == '\n' && ++lines == TAIL_LINES)
            break;
    if (strlen(at) >= size)
        at += strlen(at) - size + 1; /* the end says more than the beginning */
    while (((unsigned char)*at & 0xc0) == 0x80 || *at == '\n')
        at++; /* not in the middle of a character, nor at the end of a line */
    snprintf(ret_text, size, "%s", at);
    clean(ret_text);
}

static void set(struct asy__ended *ret, enum asy_end end, enum asy_cause cause)
{
    ret->event.ended.end = end;
    ret->event.ended.cause = cause;
}

/* Who of a gang it was that ended: "rank 1 ", or what started the ranks; "" elsewhere. */
static const struct asy__death *who(const struct asy__job *job, char text[160])
{
    const struct asy__gang *gang = job->gang;
    char place[120] = "";

    text[0] = '\0';
    if (!gang || gang->all_ranks < 2)
        return NULL;
    if (gang->part == 0) /* a member speaks of its own node */
        asy__part_place(job, gang->death.rank, place, sizeof place);
    if (gang->death.rank >= 0)
        snprintf(text, 160, "rank %d%s ", gang->death.rank, place);
    else
        snprintf(text, 160, "its %s ", gang->part == 0 ? "mpirun" : "orted");
    return &gang->death;
}

/* "exit code 3", then what it said last. */
static void describe(const struct asy__job *job, const struct asy_attempt_event *seen,
                     struct asy__ended *ret)
{
    char *path = asy__textf("%s/stderr", job->logs ? job->logs : "");
    char tail[800] = "", whose[160];
    const struct asy__death *death = who(job, whose);
    int n;

    if (death)
        memcpy(tail, death->words, sizeof tail);
    else if (path)
        asy__end_tail(path, 0, tail, sizeof tail);
    free(path);
    if (seen->signal)
        n = snprintf(ret->text, sizeof ret->text, "%sended by signal %d (%s)", whose, seen->signal,
                     strsignal(seen->signal));
    else if (death && death->rank >= 0 && seen->exit_code < 0)
        n = snprintf(ret->text, sizeof ret->text, "%slost its connection", whose);
    else if (death)
        n = snprintf(ret->text, sizeof ret->text, "%sended with exit code %d", whose,
                     seen->exit_code);
    else
        n = snprintf(ret->text, sizeof ret->text, "exit code %d", seen->exit_code);
    if (n > 0 && (size_t)n < sizeof ret->text && asy__space_lacks(job->agent))
        n += snprintf(ret->text + n, sizeof ret->text - (size_t)n, "; its disk is full");
    if (tail[0] && n > 0 && (size_t)n < sizeof ret->text)
        snprintf(ret->text + n, sizeof ret->text - (size_t)n, "; stderr ends: %s", tail);
}

/* By the signal that warns us too, and that we have not sent. A shell or mpirun makes an exit code
 * of it. Ours may come a moment later. */
static int warned_to_death(const struct asy__job *job, const struct asy_attempt_event *seen)
{
    static const int warnings[] = { SIGTERM, SIGUSR1, SIGUSR2 };

    if (job->signals || !(job->agent->leaving || asy_in_batch_job()))
        return 0;
    for (size_t i = 0; i < ASY_ARRAY_LEN(warnings); i++)
        if (seen->signal == warnings[i] || (!seen->signal && seen->exit_code == 128 + warnings[i]))
            return 1;
    return 0;
}

static void judge_crash(const struct asy__job *job, const struct asy_attempt_event *seen,
                        struct asy__ended *ret)
{
    if (seen->what == ASY_ATTEMPT_ORPHANED) {
        set(ret, ASY_END_CRASHED, ASY_CAUSE_SIGNAL);
        snprintf(ret->text, sizeof ret->text, "its supervisor was killed");
        ret->event.ended.signal = 9;
        return;
    }
    if (warned_to_death(job, seen))
        set(ret, ASY_END_PREEMPTED, ASY_CAUSE_PREEMPTED);
    else
        set(ret, ASY_END_CRASHED, seen->signal ? ASY_CAUSE_SIGNAL : ASY_CAUSE_EXIT_CODE);
    describe(job, seen, ret);
}

static void judge_pause(const struct asy__job *job, const struct asy_attempt_event *seen,
                        struct asy__ended *ret)
{
    int exited_0 = seen->exit_code == 0 && seen->signal == 0;
    int went_on = job->told && job->step > job->told_step && job->last.step < job->told_step;

    if (exited_0 && !job->signals && (went_on || !job->told)) {
        set(ret, ASY_END_COMPLETE, ASY_CAUSE_NONE); /* done before it heard of it */
    } else if (job->last.attempt && (job->signals || exited_0)) {
        set(ret, ASY_END_PAUSED, job->cause);
        ret->event.ended.step = job->last.step;
        snprintf(ret->text, sizeof ret->text, "%s", job->reason);
    } else if (job->signals || (exited_0 && !asy__job_checkpoints(job))) {
        set(ret, ASY_END_PREEMPTED, job->cause ? job->cause : ASY_CAUSE_PREEMPTED);
        snprintf(ret->text, sizeof ret->text, "%s%sended without a new checkpoint", job->reason,
                 job->reason[0] ? ": " : "");
    } else if (exited_0) {
        set(ret, ASY_END_CRASHED, ASY_CAUSE_PROTOCOL);
        snprintf(ret->text, sizeof ret->text,
                 "it was told to pause and exited without committing a checkpoint");
    } else {
        judge_crash(job, seen, ret);
    }
}

/* A trainer ends its job by a line, and lives on. (A member's ranks are its lead's to judge: their
 * daemon leaves with code 0 wherever they are.) */
static void judge_silence(const struct asy__job *job, struct asy__ended *ret)
{
    char whose[160];

    set(ret, ASY_END_CRASHED, ASY_CAUSE_PROTOCOL);
    who(job, whose);
    snprintf(ret->text, sizeof ret->text, "%sexited with code 0 in the middle of its work",
             whose[0] ? whose : "it ");
}

void asy__end_judge(const struct asy__job *job, const struct asy_attempt_event *seen,
                    struct asy__ended *ret)
{
    int exited_0 = seen->what == ASY_ATTEMPT_ENDED && seen->exit_code == 0 && seen->signal == 0;
    int stops = job->verdict == ASY__STOP && job->ordered;

    memset(ret, 0, sizeof *ret);
    ret->event.kind = ASY_EV_ENDED;
    ret->event.ended.exit_code = seen->exit_code;
    ret->event.ended.signal = seen->signal;
    ret->event.ended.step = job->step;
    ret->event.ended.objective = NAN;
    ret->event.ended.cpu_s = seen->cpu_s;
    if (job->gang) /* which may have had jobs before */
        ret->event.ended.cpu_s = fmax(seen->cpu_s - job->gang->cpu_before_s, 0);
    ret->event.ended.max_rss = seen->max_rss;
    if (job->doom) {
        set(ret, job->doom == ASY_CAUSE_DISK_FULL ? ASY_END_PREEMPTED : ASY_END_CRASHED, job->doom);
        snprintf(ret->text, sizeof ret->text, "%s", job->doom_text);
    } else if (seen->out_of_memory) {
        set(ret, ASY_END_CRASHED, ASY_CAUSE_OUT_OF_MEMORY);
        snprintf(ret->text, sizeof ret->text, "%s", seen->text);
    } else if (job->gang && job->gang->part == 0 && exited_0 && !job->signals && !stops) {
        judge_silence(job, ret);
    } else if ((exited_0 || (job->signals && !job->ordered)) && asy__job_full(job)) {
        set(ret, ASY_END_COMPLETE, ASY_CAUSE_NONE);
    } else if (stops) {
        set(ret, ASY_END_STOPPED, job->cause);
        snprintf(ret->text, sizeof ret->text, "%s", job->reason);
    } else if (job->verdict == ASY__PAUSE && seen->what == ASY_ATTEMPT_ENDED) {
        judge_pause(job, seen, ret);
    } else if (exited_0) {
        set(ret, ASY_END_COMPLETE, ASY_CAUSE_NONE);
    } else {
        judge_crash(job, seen, ret);
    }
    ret->event.ended.text = ret->text;
}
