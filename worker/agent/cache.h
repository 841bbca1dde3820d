/* SPDX-License-Identifier: Apache-2.0
 * cache.h - files and trees by their content, below the home of a worker that does not share the
 * coordinator's folders: inputs that came over the bulk socket, checkpoints on their way there.
 *
 *   home/cache/<aa>/<sha256>        a file        home/cache/<aa>/<sha256>.d   a tree
 *   home/cache/<aa>/<sha256>.<name> a link to the file, for readers that go by names
 *   home/cache/.part-<host>.<pid>-<n>   growing; never counted, removed once its process is gone
 *
 * Bounded: adding removes what was not used for longest. What is pinned stays; a pin is a lock on
 * the entry itself, so that all workers of a home see it and none outlives its process.
 *
 * Threads: any. */
#ifndef ASY__AGENT_CACHE_H
#define ASY__AGENT_CACHE_H
#include <asy/hash.h>

struct asy__cache;
struct asy__pin {
    struct asy_sha sha;
    int tree, fd;
    struct asy__pin *next;
    char path[]; /* of the entry */
};
/* limit: bytes; 0: a tenth of the disk. */
ASY_MUST_CHECK int asy__cache_create(const char *home, const char *host, uint64_t limit,
                                     struct asy__cache **ret_cache, struct asy_error *err);
void asy__cache_destroy(struct asy__cache *cache); /* its pins must be gone */
uint64_t asy__cache_limit(const struct asy__cache *cache);
/* ASY_E_NOENT: it is not there. What is found counts as used now. */
ASY_MUST_CHECK int asy__cache_pin(struct asy__cache *cache, struct asy_sha sha, int tree,
                                  struct asy__pin **ret_pin, struct asy_error *err);
void asy__cache_unpin(struct asy__cache *cache, struct asy__pin *pin); /* NULL is fine */
/* A path for something that grows; nothing is there yet. */
void asy__cache_part(struct asy__cache *cache, char *ret_path, size_t size);
/* Takes in what is at from (on the same file system) under its content id, which the caller has
 * checked, and pins it. An entry that is there stays, and from is removed. */
ASY_MUST_CHECK int asy__cache_add(struct asy__cache *cache, const char *from, struct asy_sha sha,
                                  int tree, struct asy__pin **ret_pin, struct asy_error *err);
/* Removes the entry: its content is not what its name says. */
void asy__cache_drop(struct asy__cache *cache, struct asy__pin *pin);
/* Makes room for so many bytes more, as far as pins allow. */
void asy__cache_trim(struct asy__cache *cache, uint64_t bytes);
/* A link to the pinned file under this name beside it; its path, the caller's to free(). NULL: it
 * could not be made. */
char *asy__cache_alias(struct asy__cache *cache, const struct asy__pin *pin, const char *name);
/* What it holds now. */
void asy__cache_usage(struct asy__cache *cache, uint64_t *ret_bytes, uint64_t *ret_entries);
#endif
