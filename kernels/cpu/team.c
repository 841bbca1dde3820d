/* SPDX-License-Identifier: Apache-2.0
 * team.c - a piece of work is a new number in a word that all members look at; each takes itself
 * off a count when it is done, and the last one wakes the owner if he sleeps.
 *
 * OpenMP was rejected: its threads cannot be pinned apart from the process, two runtimes may meet
 * in one process, and its wait policy is one for all. A queue of tasks: pieces have as many parts
 * as there are members. */
#include <asy/team.h>
#include <asy/clock.h>
#include <asy/cpus.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What passes between two pieces of a step: sleeping and waking up takes some tens of microseconds,
 * and where others compute beside a rank its turn would be theirs meanwhile. */
#define SPIN_NS 300000
#define YIELD_NS 1000000 /* from the beginning of the wait */
#define PAUSES 32        /* between two looks at the clock */
#define LINE 64    /* bytes that move between cores at once */
#define CPUS_MAX 8192

struct member {
    struct asy_team *team;
    size_t number;
    pthread_t thread;
    int pinned;        /* whether cpu means something */
    unsigned cpu;
    int rc;            /* of pinning */
    struct asy_error err;
};

struct asy_team {
    size_t n, started;
    struct member *members; /* [n]; the first is the owner */
    unsigned *before;       /* CPUs of the owner's thread; NULL: it was not pinned */
    size_t n_before;
    asy_team_work_f work;   /* NULL: to end */
    void *arg;
    uint64_t runs;
    _Alignas(LINE) _Atomic uint32_t piece; /* the number of the present one; members sleep on it */
    _Atomic uint32_t sleepers;
    _Alignas(LINE) _Atomic uint32_t left;  /* members still at it; the owner sleeps on it */
    _Atomic uint32_t owner_sleeps;
};

static void look_away(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

/* Looks at the word until it has the value, or has another than it, for a while. 0: it did not come
 * about. */
static int look_at(_Atomic uint32_t *word, uint32_t value, int same)
{
    int64_t from_ns = asy_clock_ns(), waited_ns;

    do {
        for (int i = 0; i < PAUSES; i++) {
            if ((atomic_load_explicit(word, memory_order_acquire) == value) == same)
                return 1;
            look_away();
        }
        waited_ns = asy_clock_ns() - from_ns;
        if (waited_ns > SPIN_NS)
            sched_yield();
    } while (waited_ns < YIELD_NS);
    return 0;
}

static void sleep_while(_Atomic uint32_t *word, uint32_t value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* Until the present piece is another than that one. A sleeper is counted before the kernel
 * compares, and a new piece is there before its maker looks at the count: one of both sees the
 * other. */
static void await_piece(struct asy_team *team, uint32_t seen)
{
    if (look_at(&team->piece, seen, 0))
        return;
    atomic_fetch_add(&team->sleepers, 1);
    while (atomic_load(&team->piece) == seen)
        sleep_while(&team->piece, seen);
    atomic_fetch_sub(&team->sleepers, 1);
}

static void await_members(struct asy_team *team)
{
    uint32_t left;

    if (look_at(&team->left, 0, 1))
        return;
    atomic_store(&team->owner_sleeps, 1);
    while ((left = atomic_load(&team->left)) > 0)
        sleep_while(&team->left, left);
    atomic_store(&team->owner_sleeps, 0);
}

static void be_done(struct asy_team *team)
{
    if (atomic_fetch_sub(&team->left, 1) == 1 && atomic_load(&team->owner_sleeps))
        wake(&team->left);
}

static int pin(struct member *member)
{
    if (!member->pinned)
        return 0;
    return asy_cpus_bind(0, &member->cpu, 1, &member->err);
}

/* The first piece is having started. */
static void *serve(void *arg)
{
    struct member *member = arg;
    struct asy_team *team = member->team;

    member->rc = pin(member);
    be_done(team);
    for (uint32_t seen = 0;; seen++) {
        await_piece(team, seen);
        if (!team->work)
            return NULL;
        team->work(team->arg, member->number, team->n);
        be_done(team);
    }
}

static void begin(struct asy_team *team, asy_team_work_f work, void *arg)
{
    team->work = work;
    team->arg = arg;
    atomic_store_explicit(&team->left, (uint32_t)team->started, memory_order_relaxed);
    atomic_fetch_add(&team->piece, 1);
    if (atomic_load(&team->sleepers) > 0)
        wake(&team->piece);
}

void asy_team_run(struct asy_team *team, asy_team_work_f work, void *arg)
{
    if (!team || team->n == 1) {
        work(arg, 0, 1);
        return;
    }
    team->runs++;
    begin(team, work, arg);
    work(arg, 0, team->n);
    await_members(team);
}

/* Where the owner's thread was, before it is pinned. */
static int remember(struct asy_team *team, struct asy_error *err)
{
    if (!(team->before = calloc(CPUS_MAX, sizeof *team->before)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a list of CPUs");
    return asy_cpus_read((pid_t)syscall(SYS_gettid), team->before, CPUS_MAX, &team->n_before, err);
}

static int start(struct asy_team *team, struct asy_error *err)
{
    int rc = 0;

    atomic_store(&team->left, (uint32_t)team->n - 1);
    for (size_t i = 1; i < team->n && rc == 0; i++) {
        rc = pthread_create(&team->members[i].thread, NULL, serve, &team->members[i]);
        team->started += rc == 0;
    }
    atomic_fetch_sub(&team->left, (uint32_t)(team->n - 1 - team->started));
    await_members(team);
    if (rc != 0)
        return asy_fail_errno(err, rc, "cannot start a thread of %zu", team->n);
    for (size_t i = 0; i < team->n; i++)
        if ((rc = i ? team->members[i].rc : pin(&team->members[0])) < 0)
            return asy_fail(err, (enum asy_code)rc, "a thread of %zu: %.200s", team->n,
                            team->members[i].err.text);
    return 0;
}

int asy_team_create(size_t n, const unsigned *cpus, struct asy_team **ret_team,
                    struct asy_error *err)
{
    struct asy_team *team = NULL;
    int rc;

    ASY_ASSERT(n >= 1 && n <= ASY_TEAM_MAX, "a team of %zu", n);
    if (posix_memalign((void **)&team, LINE, sizeof *team))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a team of threads");
    *team = (struct asy_team){ .n = n };
    if (!(team->members = calloc(n, sizeof *team->members))) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a team of %zu threads", n);
        goto out;
    }
    for (size_t i = 0; i < n; i++)
        team->members[i] = (struct member){ .team = team, .number = i, .pinned = cpus != NULL,
                                            .cpu = cpus ? cpus[i] : 0 };
    if (cpus && (rc = remember(team, err)) < 0)
        goto out;
    if ((rc = start(team, err)) < 0)
        goto out;
    *ret_team = team;
    team = NULL; /* handed over */
    rc = 0;
out:
    asy_team_destroy(team);
    return rc;
}

void asy_team_destroy(struct asy_team *team)
{
    int saved = errno;

    if (!team)
        return;
    if (team->started > 0)
        begin(team, NULL, NULL);
    for (size_t i = 1; i <= team->started; i++)
        pthread_join(team->members[i].thread, NULL);
    if (team->n_before) /* one that it may not have any more is no reason to fail now */
        ASY_IGNORE(asy_cpus_bind(0, team->before, team->n_before, NULL));
    free(team->before);
    free(team->members);
    free(team);
    errno = saved;
}

size_t asy_team_size(const struct asy_team *team)
{
    return team ? team->n : 1;
}

uint64_t asy_team_runs(const struct asy_team *team)
{
    return team ? team->runs : 0;
}

void asy_team_part(size_t total, size_t grain, size_t i, size_t n, size_t *ret_begin,
                   size_t *ret_end)
{
    size_t grains = (total + grain - 1) / grain;
    size_t begin = grains * i / n * grain, end = grains * (i + 1) / n * grain;

    *ret_begin = begin < total ? begin : total;
    *ret_end = end < total ? end : total;
}
