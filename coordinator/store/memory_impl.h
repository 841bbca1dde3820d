/* SPDX-License-Identifier: Apache-2.0
 * memory_impl.h - the in-memory engine: the events, and of each study what a commit must check. */
#ifndef ASY__MEMORY_IMPL_H
#define ASY__MEMORY_IMPL_H
#include "project.h"
#include "store_impl.h"

struct asy__memory_study {
    struct asy_id id;
    size_t created;             /* index of its first event */
    uint64_t trials;
};
struct asy__memory_reader {
    struct asy_reader base;
    const struct asy__memory *memory;
};
struct asy__memory {
    struct asy_store base;
    struct asy__memory_reader reader;
    struct asy_arena *arena;    /* what the events point to */
    struct asy_buf body;
    struct asy_event *events;   /* [n_events]; events[i].seq is i + 1 */
    size_t n_events, cap_events;
    struct asy__memory_study *studies; /* by age */
    size_t n_studies, cap_studies;
};
extern const struct asy__reader_ops asy__memory_reader_ops;

/* NULL: no such study. */
const struct asy__memory_study *asy__memory_find(const struct asy__memory *m, struct asy_id id);
#endif
