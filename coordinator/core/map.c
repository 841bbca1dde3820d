/* SPDX-License-Identifier: Apache-2.0
 * map.c - see map.h. */
#include "map.h"
#include <stdlib.h>

void asy__hashmap_fini(struct asy__hashmap *map)
{
    free(map->slots);
    *map = (struct asy__hashmap){ 0 };
}

/* The finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
 * generators", 2014): a bijection, so distinct counters stay distinct. */
uint64_t asy__mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

uint64_t asy__hash_text(const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return asy__mix(h);
}

static void insert(struct asy__hashmap *map, uint64_t hash, void *item)
{
    size_t i = hash & (map->cap - 1);

    while (map->slots[i].item)
        i = (i + 1) & (map->cap - 1);
    map->slots[i] = (struct asy__hashmap_slot){ hash, item };
    map->n++;
}

static int grow(struct asy__hashmap *map)
{
    struct asy__hashmap bigger = { .cap = map->cap ? 2 * map->cap : 16 };

    if (!(bigger.slots = calloc(bigger.cap, sizeof *bigger.slots)))
        return ASY_E_NOMEM;
    for (size_t i = 0; i < map->cap; i++)
        if (map->slots[i].item)
            insert(&bigger, map->slots[i].hash, map->slots[i].item);
    free(map->slots);
    *map = bigger;
    return 0;
}

int asy__hashmap_put(struct asy__hashmap *map, uint64_t hash, void *item)
{
    if (3 * (map->n + 1) > 2 * map->cap && grow(map))
        return ASY_E_NOMEM;
    insert(map, hash, item);
    return 0;
}

void *asy__hashmap_get(const struct asy__hashmap *map, uint64_t hash, asy__same_f same,
                       const void *key)
{
    if (map->cap == 0)
        return NULL;
    for (size_t i = hash & (map->cap - 1); map->slots[i].item; i = (i + 1) & (map->cap - 1))
        if (map->slots[i].hash == hash && same(map->slots[i].item, key))
            return map->slots[i].item;
    return NULL;
}

void asy__hashmap_drop(struct asy__hashmap *map, uint64_t hash, const void *item)
{
    size_t mask = map->cap - 1, hole, i;

    if (map->cap == 0)
        return;
    for (hole = hash & mask; map->slots[hole].item != item; hole = (hole + 1) & mask)
        if (!map->slots[hole].item)
            return;
    /* What was displaced by the hole moves back into it, unless its home lies behind the hole. */
    for (i = (hole + 1) & mask; map->slots[i].item; i = (i + 1) & mask)
        if (((i - map->slots[i].hash) & mask) >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    map->slots[hole] = (struct asy__hashmap_slot){ 0 };
    map->n--;
}
