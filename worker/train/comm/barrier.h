/* SPDX-License-Identifier: Apache-2.0
 * barrier.h - where threads or processes wait for each other, in memory that all of them see.
 *
 * Who waits spins for as long as waking from a sleep would take, then lets others of its core run,
 * then sleeps: a short wait costs what the memory costs, a long one no CPU, and parties that share
 * a core do not hold each other up.
 *
 * Threads: any, each party at most once per turn. What a party wrote before it came is seen by all
 * who leave, and what one wrote before it gave up by all whose wait was in vain. A party that dies
 * holds the others for ever: whoever started them ends them. */
#ifndef ASY__BARRIER_H
#define ASY__BARRIER_H
#include <stdatomic.h>
#include <stdint.h>
#include <asy/error.h>

struct asy__barrier {
    _Alignas(64) _Atomic uint32_t arrived; /* of this turn */
    _Alignas(64) _Atomic uint32_t turn;    /* twice the turns that are over, and 1 if a party gave
                                            * up: its change lets go */
    _Atomic uint32_t sleepers;
    uint32_t parties;
};
/* Before any party comes. parties > 0. */
void asy__barrier_init(struct asy__barrier *barrier, uint32_t parties);
/* 0: all came. -1: a party gave up before it came to this turn, as it will be at all later ones: on
 * all parties from the same turn on. */
ASY_MUST_CHECK int asy__barrier_wait(struct asy__barrier *barrier);
/* By a party, at any time: it comes no more, and nobody waits any more. */
void asy__barrier_give_up(struct asy__barrier *barrier);
int asy__barrier_is_given_up(const struct asy__barrier *barrier);
#endif
