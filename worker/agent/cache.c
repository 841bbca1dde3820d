/* SPDX-License-Identifier: Apache-2.0
 * cache.c - see cache.h.
 *
 * An entry appears by rename() alone, whole and checked; whoever reads it later checks it once more
 * (the power may have failed since). flock() goes with the open file, so a process pins an entry
 * against itself, too, and a killed one pins nothing. Where a network file system makes byte locks
 * of it, which a process does not hold against itself, the list of our own pins does. The time of
 * last access, set by us, is when an entry was used; that of its change must stay: a memory of
 * hashes goes by it. */
#include "cache.h"
#include "copy.h"
#include "impl.h"
#include <asy/durable.h>
#include <asy/log.h>
#include <asy/parse.h>
#include <asy/proc.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SHARE 10 /* of the disk, by default */
#define PART ".part-"
#define NAME_BYTES 100

struct asy__cache {
    char root[PATH_MAX - 400], host[256];
    uint64_t limit;
    atomic_uint serial;
    pthread_mutex_t lock;
    struct asy__pin *pins;
};
struct entry {
    char *path;
    struct asy_sha sha;
    int tree;
    uint64_t bytes;
    struct timespec used;
};
struct listing {
    struct entry *entries;
    size_t n, cap;
    uint64_t bytes;
};

static void entry_path(const struct asy__cache *cache, struct asy_sha sha, int tree,
                       char path[PATH_MAX])
{
    char hex[ASY_SHA_TEXT];

    asy_sha_format(sha, hex);
    snprintf(path, PATH_MAX, "%s/%.2s/%s%s", cache->root, hex, hex, tree ? ".d" : "");
}

/* ---- pins ------------------------------------------------------------------------------------ */

static int is_pinned_here(struct asy__cache *cache, struct asy_sha sha, int tree)
{
    struct asy__pin *pin;

    pthread_mutex_lock(&cache->lock);
    for (pin = cache->pins; pin; pin = pin->next)
        if (pin->tree == tree && !memcmp(&pin->sha, &sha, sizeof sha))
            break;
    pthread_mutex_unlock(&cache->lock);
    return pin != NULL;
}

/* Locked, and still what its name says: it may have been removed before the lock. */
static int lock_entry(const char *path, int how)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat held, there;

    if (fd < 0)
        return -1;
    if (flock(fd, how) == 0 && fstat(fd, &held) == 0 && lstat(path, &there) == 0 &&
        held.st_ino == there.st_ino && held.st_dev == there.st_dev)
        return fd;
    close(fd);
    return -1;
}

static void touch(const char *path)
{
    const struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_OMIT } };

    ASY_IGNORE(utimensat(AT_FDCWD, path, times, 0) < 0); /* then it goes a little earlier */
}

int asy__cache_pin(struct asy__cache *cache, struct asy_sha sha, int tree,
                   struct asy__pin **ret_pin, struct asy_error *err)
{
    struct asy__pin *pin;
    char path[PATH_MAX];
    int fd;

    entry_path(cache, sha, tree, path);
    if (!(pin = calloc(1, sizeof *pin + strlen(path) + 1)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a pin");
    if ((fd = lock_entry(path, LOCK_SH)) < 0) {
        free(pin);
        return asy_fail(err, ASY_E_NOENT, "it is not in the cache");
    }
    pin->sha = sha;
    pin->tree = tree;
    pin->fd = fd;
    memcpy(pin->path, path, strlen(path) + 1);
    touch(path);
    pthread_mutex_lock(&cache->lock);
    pin->next = cache->pins;
    cache->pins = pin;
    pthread_mutex_unlock(&cache->lock);
    *ret_pin = pin;
    return 0;
}

void asy__cache_unpin(struct asy__cache *cache, struct asy__pin *pin)
{
    struct asy__pin **at;

    if (!pin)
        return;
    pthread_mutex_lock(&cache->lock);
    for (at = &cache->pins; *at != pin; at = &(*at)->next)
        ASY_ASSERT(*at, "pin of '%s' is not in the list", pin->path);
    *at = pin->next;
    pthread_mutex_unlock(&cache->lock);
    close(pin->fd);
    free(pin);
}

/* ---- adding ---------------------------------------------------------------------------------- */

void asy__cache_part(struct asy__cache *cache, char *ret_path, size_t size)
{
    snprintf(ret_path, size, "%s/" PART "%s.%d-%u", cache->root, cache->host, (int)getpid(),
             atomic_fetch_add(&cache->serial, 1));
}

int asy__cache_add(struct asy__cache *cache, const char *from, struct asy_sha sha, int tree,
                   struct asy__pin **ret_pin, struct asy_error *err)
{
    char path[PATH_MAX], *slash;
    int rc;

    if (asy__cache_pin(cache, sha, tree, ret_pin, NULL) == 0)
        return asy_durable_remove(from, err);
    entry_path(cache, sha, tree, path);
    slash = strrchr(path, '/');
    *slash = '\0';
    rc = asy__mkdirs(path, err);
    *slash = '/';
    if (rc < 0)
        return rc;
    asy__write_protect(from);
    asy__crash_point("agent.bulk_before_rename");
    if (rename(from, path) < 0 && !(tree && (errno == ENOTEMPTY || errno == EEXIST)))
        return asy_fail_errno(err, errno, "cannot move '%.100s' into the cache", from);
    return asy__cache_pin(cache, sha, tree, ret_pin, err);
}

char *asy__cache_alias(struct asy__cache *cache, const struct asy__pin *pin, const char *name)
{
    char hex[ASY_SHA_TEXT], *path;

    asy_sha_format(pin->sha, hex);
    path = asy__textf("%s/%.2s/%s.%.*s", cache->root, hex, hex, NAME_BYTES, name);
    if (path && symlink(hex, path) < 0 && errno != EEXIST) {
        free(path);
        path = NULL;
    }
    return path;
}

/* ---- what is there --------------------------------------------------------------------------- */

static _Thread_local uint64_t tree_bytes;

static int add_bytes(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)path;
    (void)where;
    if (type == FTW_F)
        tree_bytes += (uint64_t)st->st_size;
    return 0;
}

static uint64_t size_of(const char *path, const struct stat *st)
{
    if (!S_ISDIR(st->st_mode))
        return (uint64_t)st->st_size;
    tree_bytes = 0;
    ASY_IGNORE(nftw(path, add_bytes, 16, FTW_PHYS) < 0); /* it is being removed */
    return tree_bytes;
}

static void list_one(struct listing *list, const char *folder, const char *name)
{
    struct entry entry = { 0 };
    struct stat st;

    if (asy_sha_parse(name, strlen(name) < 64 ? 0 : 64, &entry.sha, NULL) < 0 ||
        (name[64] && strcmp(name + 64, ".d")) || !(entry.path = asy__textf("%s/%s", folder, name)))
        return;
    entry.tree = name[64] != '\0';
    if (list->n == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 64;
        struct entry *more = reallocarray(list->entries, cap, sizeof *more);

        if (more) {
            list->entries = more;
            list->cap = cap;
        }
    }
    if (list->n == list->cap || lstat(entry.path, &st) < 0 ||
        S_ISDIR(st.st_mode) != entry.tree) {
        free(entry.path);
        return;
    }
    entry.bytes = size_of(entry.path, &st);
    entry.used = st.st_atim;
    list->bytes += entry.bytes;
    list->entries[list->n++] = entry;
}

static void list_folder(struct listing *list, const char *root, const char *name)
{
    char *folder = asy__textf("%s/%s", root, name);
    DIR *dir = folder ? opendir(folder) : NULL;
    struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        list_one(list, folder, entry->d_name);
    if (dir)
        closedir(dir);
    free(folder);
}

static void list_all(const struct asy__cache *cache, struct listing *list)
{
    DIR *dir = opendir(cache->root);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (strlen(entry->d_name) == 2 && entry->d_name[0] != '.')
            list_folder(list, cache->root, entry->d_name);
    if (dir)
        closedir(dir);
}

static void listing_fini(struct listing *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->entries[i].path);
    free(list->entries);
}

void asy__cache_usage(struct asy__cache *cache, uint64_t *ret_bytes, uint64_t *ret_entries)
{
    struct listing list = { 0 };

    list_all(cache, &list);
    *ret_bytes = list.bytes;
    *ret_entries = list.n;
    listing_fini(&list);
}

/* ---- removing -------------------------------------------------------------------------------- */

/* Links to it under other names: it goes with them. */
static void remove_aliases(const char *path)
{
    char *folder = strdup(path), *name = folder ? strrchr(folder, '/') : NULL;
    struct dirent *entry;
    DIR *dir = NULL;

    if (name) {
        *name++ = '\0';
        dir = opendir(folder);
    }
    while (dir && (entry = readdir(dir)))
        if (!strncmp(entry->d_name, name, 64) && entry->d_name[64] == '.' &&
            strcmp(entry->d_name + 64, ".d"))
            ASY_IGNORE(unlinkat(dirfd(dir), entry->d_name, 0) < 0); /* it leads nowhere then */
    if (dir)
        closedir(dir);
    free(folder);
}

/* 1: it is gone. It leaves its name first, by which nobody may find half of it. */
static int remove_entry(struct asy__cache *cache, const char *path, int tree)
{
    char gone[PATH_MAX];

    asy__cache_part(cache, gone, sizeof gone);
    if (rename(path, gone) < 0)
        return 0;
    if (!tree)
        remove_aliases(path);
    ASY_IGNORE(asy_durable_remove(gone, NULL)); /* a part, which a later start removes */
    return 1;
}

static int remove_unpinned(struct asy__cache *cache, const struct entry *entry)
{
    int fd, gone;

    if (is_pinned_here(cache, entry->sha, entry->tree) ||
        (fd = lock_entry(entry->path, LOCK_EX | LOCK_NB)) < 0)
        return 0;
    gone = remove_entry(cache, entry->path, entry->tree);
    close(fd);
    return gone;
}

void asy__cache_drop(struct asy__cache *cache, struct asy__pin *pin)
{
    ASY_IGNORE(remove_entry(cache, pin->path, pin->tree)); /* found again: dropped again */
}

static int by_use(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->used.tv_sec != y->used.tv_sec)
        return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    return (x->used.tv_nsec > y->used.tv_nsec) - (x->used.tv_nsec < y->used.tv_nsec);
}

void asy__cache_trim(struct asy__cache *cache, uint64_t bytes)
{
    struct listing list = { 0 };
    uint64_t left;

    list_all(cache, &list);
    left = list.bytes;
    if (list.n)
        qsort(list.entries, list.n, sizeof *list.entries, by_use);
    for (size_t i = 0; i < list.n && left + bytes > cache->limit; i++)
        if (remove_unpinned(cache, &list.entries[i])) {
            asy_debug("cache: removed '%s'", list.entries[i].path);
            left -= list.entries[i].bytes;
        }
    listing_fini(&list);
}

/* ---- life ------------------------------------------------------------------------------------ */

static uint64_t share_of_disk(const char *path)
{
    struct statvfs fs;

    return statvfs(path, &fs) < 0 ? UINT64_C(1) << 30
                                  : (uint64_t)fs.f_blocks * fs.f_frsize / SHARE;
}

/* Parts of processes of this host that are gone. */
static void sweep(const struct asy__cache *cache)
{
    size_t n = strlen(PART) + strlen(cache->host);
    DIR *dir = opendir(cache->root);
    struct dirent *entry;

    while (dir && (entry = readdir(dir))) {
        const char *at = entry->d_name + n + 1;
        int64_t pid;
        char *path;

        if (strncmp(entry->d_name, PART, strlen(PART)) || strlen(entry->d_name) <= n ||
            strncmp(entry->d_name + strlen(PART), cache->host, strlen(cache->host)) ||
            entry->d_name[n] != '.' || asy_parse_i64(at, strcspn(at, "-"), &pid, NULL) < 0 ||
            (pid != getpid() && asy_proc_lives(pid)))
            continue;
        if ((path = asy__textf("%s/%s", cache->root, entry->d_name)))
            ASY_IGNORE(asy_durable_remove(path, NULL)); /* the next start tries again */
        free(path);
    }
    if (dir)
        closedir(dir);
}

int asy__cache_create(const char *home, const char *host, uint64_t limit,
                      struct asy__cache **ret_cache, struct asy_error *err)
{
    struct asy__cache *cache = calloc(1, sizeof *cache);
    int rc;

    if (!cache)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a cache");
    pthread_mutex_init(&cache->lock, NULL);
    snprintf(cache->host, sizeof cache->host, "%s", host);
    if (snprintf(cache->root, sizeof cache->root, "%s/cache", home) >= (int)sizeof cache->root)
        rc = asy_fail(err, ASY_E_TOOBIG, "path '%.120s' is too long", home);
    else
        rc = asy__mkdirs(cache->root, err);
    if (rc < 0) {
        asy__cache_destroy(cache);
        return rc;
    }
    cache->limit = limit ? limit : share_of_disk(cache->root);
    sweep(cache);
    *ret_cache = cache;
    return 0;
}

void asy__cache_destroy(struct asy__cache *cache)
{
    if (!cache)
        return;
    ASY_ASSERT(!cache->pins, "'%s' is pinned", cache->pins->path);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

uint64_t asy__cache_limit(const struct asy__cache *cache)
{
    return cache->limit;
}
