/* SPDX-License-Identifier: Apache-2.0
 * arena.c - memory that is handed out by moving a pointer and taken back as a whole.
 *
 * A reset keeps up to KEEP bytes of chunks, so that a loop that decodes and resets allocates
 * nothing once it runs, and one large message does not hold its memory for ever. */
#include "arena.h"
#include <stdlib.h>
#include <string.h>

#define CHUNK_MIN 16384u
#define CHUNK_MAX (1u << 20)
#define KEEP (1u << 20)

void asy__arena_init(struct asy_arena *arena, void *block, size_t size, size_t budget)
{
    *arena = (struct asy_arena){ .budget = budget, .block = block, .block_size = size,
                                 .at = block, .end = block ? (char *)block + size : NULL };
}

void asy__arena_fini(struct asy_arena *arena)
{
    while (arena->chunks) {
        struct asy__chunk *chunk = arena->chunks;

        arena->chunks = chunk->next;
        free(chunk);
    }
}

int asy_arena_create(size_t budget, struct asy_arena **ret_arena, struct asy_error *err)
{
    struct asy_arena *arena = malloc(sizeof *arena);

    if (!arena)
        return asy_fail(err, ASY_E_NOMEM, "no memory for an arena");
    asy__arena_init(arena, NULL, 0, budget);
    *ret_arena = arena;
    return 0;
}

void asy_arena_destroy(struct asy_arena *arena)
{
    if (!arena)
        return;
    asy__arena_fini(arena);
    free(arena);
}

static char *bytes_of(struct asy__chunk *chunk)
{
    return (char *)chunk + ((sizeof *chunk + 15) & ~(size_t)15);
}

void asy_arena_reset(struct asy_arena *arena)
{
    struct asy__chunk **link = &arena->chunks, *chunk;
    size_t kept = 0;

    while ((chunk = *link)) {
        if (kept + chunk->size <= KEEP) {
            kept += chunk->size;
            link = &chunk->next;
        } else {
            *link = chunk->next;
            free(chunk);
        }
    }
    arena->used = 0;
    arena->starved = 0;
    arena->current = NULL;
    arena->at = arena->block;
    arena->end = arena->block ? arena->block + arena->block_size : NULL;
}

/* Goes on to a chunk with room for n bytes: the next one, else a new one behind the current. */
static int grow(struct asy_arena *arena, size_t n)
{
    struct asy__chunk *next = arena->current ? arena->current->next : arena->chunks, *chunk;
    size_t size = arena->current ? arena->current->size * 2 : CHUNK_MIN;

    if (next && next->size >= n) {
        chunk = next;
    } else {
        size = size > CHUNK_MAX ? CHUNK_MAX : size;
        size = size < n ? n : size;
        if (!(chunk = malloc(((sizeof *chunk + 15) & ~(size_t)15) + size))) {
            arena->starved = 1;
            return ASY_E_NOMEM;
        }
        chunk->size = size;
        chunk->next = next;
        if (arena->current)
            arena->current->next = chunk;
        else
            arena->chunks = chunk;
    }
    arena->current = chunk;
    arena->at = bytes_of(chunk);
    arena->end = arena->at + chunk->size;
    return 0;
}

void *asy__arena_raw(struct asy_arena *arena, size_t n, size_t align)
{
    uintptr_t pad = -(uintptr_t)arena->at & (align - 1);
    char *piece;

    if (n > arena->budget - arena->used || pad > arena->budget - arena->used - n)
        return NULL;
    if (!arena->at || (size_t)(arena->end - arena->at) < pad + n) {
        if (grow(arena, n) < 0)
            return NULL;
        pad = 0;
    }
    piece = arena->at + pad;
    arena->at = piece + n;
    arena->used += pad + n;
    return piece;
}

void *asy_arena_alloc(struct asy_arena *arena, size_t n)
{
    void *piece = asy__arena_raw(arena, n, 16);

    return piece ? memset(piece, 0, n) : NULL;
}

char *asy_arena_strdup(struct asy_arena *arena, const char *text, size_t len)
{
    char *copy = len < SIZE_MAX ? asy__arena_raw(arena, len + 1, 8) : NULL;

    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, text, len);
    copy[len] = 0;
    return copy;
}
