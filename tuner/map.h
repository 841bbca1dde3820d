/* SPDX-License-Identifier: Apache-2.0
 * map.h - a hash map from trial numbers or steps to indices of an array. Nothing is ever removed.
 *
 * Open addressing with linear probing, at most half full; zeroed memory is an empty map. */
#ifndef ASY_TUNER_MAP_H
#define ASY_TUNER_MAP_H
#include <asy/error.h>

#define ASY__MAP_NONE UINT32_MAX

struct asy__map {
    struct {
        uint64_t key;
        uint32_t value; /* ASY__MAP_NONE: free */
    } *slots;
    size_t cap; /* 0 or a power of two */
    size_t len;
};

void asy__map_fini(struct asy__map *map);
/* Makes room for one more, so that the next put cannot fail. */
ASY_MUST_CHECK int asy__map_reserve(struct asy__map *map);
uint32_t asy__map_get(const struct asy__map *map, uint64_t key); /* or ASY__MAP_NONE */
void asy__map_put(struct asy__map *map, uint64_t key, uint32_t value);
#endif
