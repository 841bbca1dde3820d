/* SPDX-License-Identifier: Apache-2.0
 * barrier.c - the sense-reversing barrier of Mellor-Crummey and Scott 1991 (ACM TOCS 9(1),
 * algorithm 7) with a count of turns for the sense, which also is what sleepers sleep on. That a
 * party gave up stands in the same word, so that those who wait need not look at another.
 *
 * A pthread barrier shared by processes was rejected: it sleeps at once, and waking takes longer
 * than most waits of a training step. Nor is MPI_Barrier one: it spins for ever. */
#include "barrier.h"
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <asy/clock.h>

#define SPIN_NS 20000   /* about what falling asleep and waking up take together */
#define YIELD_NS 100000 /* from the beginning of the wait */
#define PAUSES 32       /* between two looks at the clock */
#define GIVEN_UP 1u
#define TURN 2u

void asy__barrier_init(struct asy__barrier *barrier, uint32_t parties)
{
    atomic_init(&barrier->arrived, 0);
    atomic_init(&barrier->turn, 0);
    atomic_init(&barrier->sleepers, 0);
    barrier->parties = parties;
}

static void pause_core(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

static int is_over(struct asy__barrier *barrier, uint32_t turn)
{
    return atomic_load_explicit(&barrier->turn, memory_order_acquire) != turn;
}

/* Neither call is private: the parties may be processes. A wait that returns early looks again. */
static void sleep_on(struct asy__barrier *barrier, uint32_t turn)
{
    atomic_fetch_add(&barrier->sleepers, 1); /* before the kernel compares: see wake() */
    while (!is_over(barrier, turn))
        syscall(SYS_futex, &barrier->turn, FUTEX_WAIT, turn, NULL, NULL, 0);
    atomic_fetch_sub(&barrier->sleepers, 1);
}

/* After a change of turn: see sleep_on(). */
static void wake(struct asy__barrier *barrier)
{
    if (atomic_load(&barrier->sleepers) > 0)
        syscall(SYS_futex, &barrier->turn, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void open_to_all(struct asy__barrier *barrier, uint32_t turn)
{
    atomic_store_explicit(&barrier->arrived, 0, memory_order_relaxed);
    atomic_store(&barrier->turn, turn + TURN); /* nobody gives up meanwhile: all have come */
    wake(barrier);
}

static void wait_for(struct asy__barrier *barrier, uint32_t turn)
{
    int64_t from_ns = asy_clock_ns(), waited_ns;

    do {
        for (int i = 0; i < PAUSES; i++) {
            if (is_over(barrier, turn))
                return;
            pause_core();
        }
        waited_ns = asy_clock_ns() - from_ns;
        if (waited_ns > SPIN_NS)
            sched_yield();
    } while (waited_ns < YIELD_NS);
    sleep_on(barrier, turn);
}

int asy__barrier_wait(struct asy__barrier *barrier)
{
    /* It cannot go on before this party has come. */
    uint32_t turn = atomic_load_explicit(&barrier->turn, memory_order_acquire);

    if (turn & GIVEN_UP)
        return -1;
    if (atomic_fetch_add(&barrier->arrived, 1) + 1 == barrier->parties) {
        open_to_all(barrier, turn);
        return 0;
    }
    wait_for(barrier, turn);
    /* One that gave up after this turn is for the next wait. */
    return atomic_load_explicit(&barrier->turn, memory_order_relaxed) == (turn | GIVEN_UP) ? -1 : 0;
}

void asy__barrier_give_up(struct asy__barrier *barrier)
{
    atomic_fetch_or(&barrier->turn, GIVEN_UP);
    wake(barrier);
}

int asy__barrier_is_given_up(const struct asy__barrier *barrier)
{
    return (atomic_load_explicit(&barrier->turn, memory_order_acquire) & GIVEN_UP) != 0;
}
