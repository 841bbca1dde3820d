/* SPDX-License-Identifier: Apache-2.0
 * asy/gate.h - the one place where effects leave the core: each waits here until the commit it
 * depends on is durable. Effects leave in the order they came; an effect without a cause (commit 0)
 * may pass those that wait, except to the same peer or study (their order is kept).
 *
 * Ownership: put() copies the effect deeply. Threads: the loop only. */
#ifndef ASY_GATE_H
#define ASY_GATE_H
#include <asy/core.h>

struct asy_gate;
ASY_MUST_CHECK int asy_gate_create(struct asy_gate **ret_gate, struct asy_error *err);
void asy_gate_destroy(struct asy_gate *gate);
ASY_MUST_CHECK int asy_gate_put(struct asy_gate *gate, const struct asy_effect *effect,
                                struct asy_error *err);
/* Everything up to this commit is on disk. */
void asy_gate_durable(struct asy_gate *gate, uint64_t commit);
/* No commit comes through: questions stop waiting for theirs. What the store answers is on disk
 * whatever waits here, and else nobody would hear what is wrong. Watches wait on: theirs is the
 * promise that nothing is left out. */
void asy_gate_let_ask(struct asy_gate *gate);
/* The next effect that may leave; NULL: none now. Borrowed until the next call on the gate. */
const struct asy_effect *asy_gate_next(struct asy_gate *gate);
size_t asy_gate_waiting(const struct asy_gate *gate);
#endif
