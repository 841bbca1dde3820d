/* SPDX-License-Identifier: Apache-2.0
 * arena.h - the arena from inside: on the stack with a first block, and allocation without zeroing.
 *
 * Memory comes from chunks in a list, filled one after the other; nothing is freed alone. */
#ifndef ASY__ARENA_H
#define ASY__ARENA_H
#include <asy/event.h>

struct asy__chunk {
    struct asy__chunk *next;
    size_t size; /* of the bytes that follow */
};
struct asy_arena {
    size_t budget, used;        /* bytes, rounded up to the alignment of each piece */
    char *at, *end;             /* free part of the chunk in use */
    struct asy__chunk *chunks;  /* all, in order of use */
    struct asy__chunk *current; /* NULL: the first block */
    char *block;                /* first block, the caller's; may be NULL */
    size_t block_size;
    int starved;                /* malloc() failed: it was not the budget */
};

/* block: 16-aligned memory that outlives the arena. */
void asy__arena_init(struct asy_arena *arena, void *block, size_t size, size_t budget);
void asy__arena_fini(struct asy_arena *arena);
/* Not zeroed, aligned to align (8 or 16). */
void *asy__arena_raw(struct asy_arena *arena, size_t n, size_t align);
#endif
