/* SPDX-License-Identifier: Apache-2.0
 * map.c - see map.h. */
#include "map.h"
#include <stdlib.h>

/* Steele, Lea, Flood 2014, the finaliser of SplitMix64. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

void asy__map_fini(struct asy__map *map)
{
    free(map->slots);
    *map = (struct asy__map){ 0 };
}

/* Where key is, or the free slot where it goes. */
static size_t find(const struct asy__map *map, uint64_t key)
{
    size_t i = mix(key) & (map->cap - 1);

    while (map->slots[i].value != ASY__MAP_NONE && map->slots[i].key != key)
        i = (i + 1) & (map->cap - 1);
    return i;
}

int asy__map_reserve(struct asy__map *map)
{
    struct asy__map more = { .cap = map->cap ? 2 * map->cap : 64, .len = map->len };

    if (2 * (map->len + 1) <= map->cap)
        return 0;
    if (more.cap > UINT32_MAX || !(more.slots = malloc(more.cap * sizeof *more.slots)))
        return ASY_E_NOMEM;
    for (size_t i = 0; i < more.cap; i++)
        more.slots[i].value = ASY__MAP_NONE;
    for (size_t i = 0; i < map->cap; i++)
        if (map->slots[i].value != ASY__MAP_NONE)
            more.slots[find(&more, map->slots[i].key)] = map->slots[i];
    free(map->slots);
    *map = more;
    return 0;
}

uint32_t asy__map_get(const struct asy__map *map, uint64_t key)
{
    return map->cap ? map->slots[find(map, key)].value : ASY__MAP_NONE;
}

void asy__map_put(struct asy__map *map, uint64_t key, uint32_t value)
{
    size_t i = find(map, key);

    map->len += map->slots[i].value == ASY__MAP_NONE;
    map->slots[i].key = key;
    map->slots[i].value = value;
}
