/* SPDX-License-Identifier: Apache-2.0
 * gate.c - two queues: what may leave, and what waits for its commit.
 *
 * Core's commit numbers never fall, so the head of the waiting queue is always the first to become
 * free. An effect that needs no commit (or one that is durable already) goes straight to the other
 * queue unless something to the same peer or study waits; how many wait per peer or study is
 * counted in a fixed table by hash, where two that share a slot only lose the short cut.
 *
 * Copies live in arenas of a chunk of consecutive effects; a chunk is reused when all of it has
 * left. Rejected: one allocation per effect, which at 8,000 leases a second is most of the cost. */
#include <asy/gate.h>
#include <stdlib.h>
#include <string.h>
#include "list.h"
#include "map.h"

#define CHUNK 128
#define CHUNK_BUDGET ((size_t)256 << 20)
#define SLOTS 4096
#define CHUNKS_KEPT 8

struct chunk {
    struct asy__node node;
    struct asy_arena *arena;
    size_t n, left; /* filled, not yet delivered */
    struct entry {
        struct entry *next;
        struct chunk *chunk;
        struct asy_effect effect;
    } entries[CHUNK];
};
struct queue {
    struct entry *first, *last;
    size_t n;
};
struct asy_gate {
    uint64_t durable;
    struct queue ready, waiting;
    struct asy__node spare, used; /* chunks; the last of used is being filled */
    size_t n_spare;
    struct entry *borrowed;       /* what next() gave out last */
    uint32_t waits[SLOTS];
};

int asy_gate_create(struct asy_gate **ret_gate, struct asy_error *err)
{
    struct asy_gate *gate = calloc(1, sizeof *gate);

    if (!gate)
        return asy_fail(err, ASY_E_NOMEM, "no memory for the gate");
    asy__list_init(&gate->spare);
    asy__list_init(&gate->used);
    *ret_gate = gate;
    return 0;
}

static void chunk_destroy(struct chunk *chunk)
{
    asy_arena_destroy(chunk->arena);
    free(chunk);
}

void asy_gate_destroy(struct asy_gate *gate)
{
    struct chunk *chunk;

    if (!gate)
        return;
    asy__each(chunk, &gate->spare, struct chunk, node)
        chunk_destroy(chunk);
    asy__each(chunk, &gate->used, struct chunk, node)
        chunk_destroy(chunk);
    free(gate);
}

static void push(struct queue *queue, struct entry *entry)
{
    entry->next = NULL;
    if (queue->last)
        queue->last->next = entry;
    else
        queue->first = entry;
    queue->last = entry;
    queue->n++;
}

static struct entry *pop(struct queue *queue)
{
    struct entry *entry = queue->first;

    if (!entry)
        return NULL;
    if (!(queue->first = entry->next))
        queue->last = NULL;
    queue->n--;
    return entry;
}

/* Which order the effect belongs to: its peer's or its study's. */
static size_t slot_of(const struct asy_effect *effect)
{
    switch (effect->type) {
    case ASY_FX_SEND:
    case ASY_FX_CLOSE:
    case ASY_FX_QUERY:
        return asy__mix(effect->peer + 1) % SLOTS;
    default:
        return asy_id_hash(effect->study) % SLOTS;
    }
}

static struct chunk *chunk_open(struct asy_gate *gate, struct asy_error *err)
{
    struct chunk *chunk = asy__item(gate->used.prev, struct chunk, node);

    if (!asy__list_empty(&gate->used) && chunk->n < CHUNK)
        return chunk;
    if (!asy__list_empty(&gate->spare)) {
        chunk = asy__item(gate->spare.next, struct chunk, node);
        asy__list_take(&chunk->node);
        gate->n_spare--;
    } else if (!(chunk = calloc(1, sizeof *chunk)) ||
               asy_arena_create(CHUNK_BUDGET, &chunk->arena, NULL)) {
        free(chunk);
        asy_fail(err, ASY_E_NOMEM, "no memory for effects that wait");
        return NULL;
    }
    asy__list_push(&gate->used, &chunk->node);
    return chunk;
}

static int copy_doubles(struct asy_arena *arena, const double **values, size_t n,
                        struct asy_error *err)
{
    double *copy;

    if (!*values)
        return 0;
    if (!(copy = asy_arena_alloc(arena, (n ? n : 1) * sizeof *copy)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for an effect that waits");
    memcpy(copy, *values, n * sizeof *copy);
    *values = copy;
    return 0;
}

static int copy_effect(const struct asy_effect *from, struct asy_arena *arena,
                       struct asy_effect *to, struct asy_error *err)
{
    int rc = 0;

    *to = *from;
    switch (from->type) {
    case ASY_FX_SEND:
    case ASY_FX_QUERY:
        return asy_msg_copy(&from->msg, arena, &to->msg, err);
    case ASY_FX_ASK:
        return copy_doubles(arena, &to->ask.fixed, from->n_x, err);
    case ASY_FX_TELL:
        if (!(rc = copy_doubles(arena, &to->tell.x, from->n_x, err)))
            rc = copy_doubles(arena, &to->tell.values, from->n_values, err);
        return rc;
    case ASY_FX_DROP_FILE:
        to->file.path = asy_arena_strdup(arena, from->file.path, strlen(from->file.path));
        if (!to->file.path)
            rc = asy_fail(err, ASY_E_NOMEM, "no memory for an effect that waits");
        return rc;
    case ASY_FX_SAMPLER:
    case ASY_FX_FORGET:
    case ASY_FX_QUIT:
    case ASY_FX_CLOSE:
        break;
    }
    return 0;
}

int asy_gate_put(struct asy_gate *gate, const struct asy_effect *effect, struct asy_error *err)
{
    struct chunk *chunk;
    struct entry *entry;
    size_t slot = slot_of(effect);
    int rc;

    if (!(chunk = chunk_open(gate, err)))
        return ASY_E_NOMEM;
    entry = &chunk->entries[chunk->n];
    if ((rc = copy_effect(effect, chunk->arena, &entry->effect, err)))
        return rc;
    entry->chunk = chunk;
    chunk->n++;
    chunk->left++;
    if (effect->commit <= gate->durable && gate->waits[slot] == 0) {
        push(&gate->ready, entry);
    } else {
        push(&gate->waiting, entry);
        gate->waits[slot]++;
    }
    return 0;
}

void asy_gate_durable(struct asy_gate *gate, uint64_t commit)
{
    struct entry *entry;

    if (commit > gate->durable)
        gate->durable = commit;
    while ((entry = gate->waiting.first) && entry->effect.commit <= gate->durable) {
        pop(&gate->waiting);
        gate->waits[slot_of(&entry->effect)]--;
        push(&gate->ready, entry);
    }
}

void asy_gate_let_ask(struct asy_gate *gate)
{
    struct queue all = gate->waiting;
    struct entry *entry;

    gate->waiting = (struct queue){ 0 };
    while ((entry = pop(&all))) {
        if (entry->effect.type == ASY_FX_QUERY && entry->effect.msg.type == ASY_MSG_QUERY) {
            gate->waits[slot_of(&entry->effect)]--;
            push(&gate->ready, entry);
        } else {
            push(&gate->waiting, entry);
        }
    }
}

static void done(struct asy_gate *gate, struct entry *entry)
{
    struct chunk *chunk = entry->chunk;

    if (--chunk->left > 0 || chunk->n < CHUNK) {
        if (chunk->left == 0) { /* still the one that is filled: start it over */
            chunk->n = 0;
            asy_arena_reset(chunk->arena);
        }
        return;
    }
    asy__list_take(&chunk->node);
    if (gate->n_spare >= CHUNKS_KEPT) {
        chunk_destroy(chunk);
        return;
    }
    chunk->n = 0;
    asy_arena_reset(chunk->arena);
    asy__list_push(&gate->spare, &chunk->node);
    gate->n_spare++;
}

const struct asy_effect *asy_gate_next(struct asy_gate *gate)
{
    if (gate->borrowed)
        done(gate, gate->borrowed);
    gate->borrowed = pop(&gate->ready);
    return gate->borrowed ? &gate->borrowed->effect : NULL;
}

size_t asy_gate_waiting(const struct asy_gate *gate)
{
    return gate->waiting.n + gate->ready.n;
}
