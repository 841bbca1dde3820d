/* SPDX-License-Identifier: Apache-2.0
 * map.h - a hash map from a 64-bit hash to items that know their own key: open addressing with
 * linear probing and backward-shift deletion, so that it never fills up with tombstones. */
#ifndef ASY__MAP_H
#define ASY__MAP_H
#include <asy/error.h>

struct asy__hashmap {
    struct asy__hashmap_slot {
        uint64_t hash;
        void *item; /* NULL: empty */
    } *slots;
    size_t cap, n; /* cap is a power of two, or 0 */
};
typedef int (*asy__same_f)(const void *item, const void *key);

void asy__hashmap_fini(struct asy__hashmap *map);
/* Not more than once per item. ASY_E_NOMEM: nothing changed. */
ASY_MUST_CHECK int asy__hashmap_put(struct asy__hashmap *map, uint64_t hash, void *item);
void *asy__hashmap_get(const struct asy__hashmap *map, uint64_t hash, asy__same_f same,
                       const void *key);
void asy__hashmap_drop(struct asy__hashmap *map, uint64_t hash, const void *item);
uint64_t asy__mix(uint64_t x);
uint64_t asy__hash_text(const char *text);
#endif
