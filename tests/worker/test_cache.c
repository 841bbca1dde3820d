/* SPDX-License-Identifier: Apache-2.0
 * test_cache.c - the cache of a worker: bounded, what is pinned stays, nothing is half there. */
#include <cache.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include "asytest.h"
#include "folder.h"

#define SIZE 1000

/* Entry number n, of SIZE bytes, used n seconds after the epoch. */
static struct asy__pin *add(struct asy__cache *cache, int n, struct asy_sha *ret_sha)
{
    struct timespec times[2] = { { .tv_sec = 1000 + n }, { .tv_nsec = UTIME_OMIT } };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__pin *pin = NULL;
    char part[PATH_MAX], bytes[SIZE + 1];

    memset(bytes, 'a' + n, SIZE);
    bytes[SIZE] = '\0';
    asy__cache_part(cache, part, sizeof part);
    if (!t_write(part, bytes) || !T_OK(asy_sha_bytes(bytes, SIZE, ret_sha, &err), &err) ||
        !T_OK(asy__cache_add(cache, part, *ret_sha, 0, &pin, &err), &err))
        return NULL;
    T_EQ("part", access(part, F_OK), -1);
    T_EQ("times", utimensat(AT_FDCWD, pin->path, times, 0), 0);
    return pin;
}

static bool has(struct asy__cache *cache, struct asy_sha sha)
{
    struct asy__pin *pin = NULL;

    if (asy__cache_pin(cache, sha, 0, &pin, NULL) < 0)
        return false;
    asy__cache_unpin(cache, pin);
    return true;
}

static void the_longest_unused_goes_and_pins_stay(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__cache *cache = NULL, *other = NULL;
    struct asy__pin *pins[4] = { NULL }, *theirs = NULL;
    struct asy_sha shas[4];
    struct t_folder folder;
    uint64_t bytes, n;

    if (!t_folder_make(&folder) ||
        !T_OK(asy__cache_create(folder.path, "host", 3 * SIZE, &cache, &err), &err) ||
        !T_OK(asy__cache_create(folder.path, "host", 3 * SIZE, &other, &err), &err))
        goto out;
    for (int i = 0; i < 4; i++)
        if (!(pins[i] = add(cache, i, &shas[i])))
            goto out;
    asy__cache_trim(cache, 0);
    asy__cache_usage(cache, &bytes, &n);
    T_EQ("all are pinned", n, 4);
    for (int i = 1; i < 4; i++) {
        asy__cache_unpin(cache, pins[i]);
        pins[i] = NULL;
    }
    T_OK(asy__cache_pin(other, shas[1], 0, &theirs, &err), &err); /* another worker's; used now */
    asy__cache_trim(cache, SIZE);
    asy__cache_usage(cache, &bytes, &n);
    T_EQ("room for one", bytes, 2 * SIZE);
    T_TRUE(has(cache, shas[0]) && has(cache, shas[1]));
    T_TRUE(!has(cache, shas[2]) && !has(cache, shas[3]));
    asy__cache_unpin(other, theirs);
    theirs = NULL;
    asy__cache_trim(cache, 3 * SIZE);
    T_TRUE(has(cache, shas[0]) && !has(cache, shas[1]));
out:
    for (int i = 0; i < 4; i++)
        asy__cache_unpin(cache, pins[i]);
    asy__cache_unpin(other, theirs);
    asy__cache_destroy(other);
    asy__cache_destroy(cache);
    t_folder_drop(&folder);
}

static void an_entry_is_found_by_its_name_too_and_goes_with_it(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__cache *cache = NULL;
    struct asy__pin *pin = NULL;
    struct asy_sha sha;
    struct t_folder folder;
    char *alias = NULL;
    struct stat st;

    if (!t_folder_make(&folder) ||
        !T_OK(asy__cache_create(folder.path, "host", SIZE, &cache, &err), &err) ||
        !(pin = add(cache, 0, &sha)))
        goto out;
    alias = asy__cache_alias(cache, pin, "data.csv.gz");
    T_TRUE(alias && stat(alias, &st) == 0 && st.st_size == SIZE);
    T_TRUE(alias && strstr(alias, ".data.csv.gz"));
    T_EQ("of nobody to write", st.st_mode & 0222, 0);
    asy__cache_drop(cache, pin);
    T_TRUE(alias && lstat(alias, &st) < 0);
    T_TRUE(!has(cache, sha));
out:
    free(alias);
    asy__cache_unpin(cache, pin);
    asy__cache_destroy(cache);
    t_folder_drop(&folder);
}

/* A process that is killed with a pin and a part leaves neither. */
static void the_dead_pin_nothing(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__cache *cache = NULL;
    struct asy__pin *pin = NULL;
    struct asy_sha sha;
    struct t_folder folder;
    char part[PATH_MAX];
    uint64_t bytes, n;
    int status;
    pid_t pid;

    if (!t_folder_make(&folder) ||
        !T_OK(asy__cache_create(folder.path, "host", SIZE, &cache, &err), &err) ||
        !(pin = add(cache, 0, &sha)))
        goto out;
    asy__cache_unpin(cache, pin);
    pin = NULL;
    if ((pid = fork()) == 0) {
        asy__cache_part(cache, part, sizeof part);
        _exit(asy__cache_pin(cache, sha, 0, &pin, NULL) < 0 ||
              close(open(part, O_CREAT | O_WRONLY, 0600)) < 0);
    }
    T_TRUE(waitpid(pid, &status, 0) == pid && status == 0);
    asy__cache_trim(cache, SIZE);
    T_TRUE(!has(cache, sha));
    asy__cache_destroy(cache);
    cache = NULL;
    if (!T_OK(asy__cache_create(folder.path, "host", SIZE, &cache, &err), &err))
        goto out;
    snprintf(part, sizeof part, "%s/cache/.part-host.%d-1", folder.path, (int)pid);
    T_EQ("part", access(part, F_OK), -1);
    asy__cache_usage(cache, &bytes, &n);
    T_EQ("nothing", n, 0);
out:
    asy__cache_unpin(cache, pin);
    asy__cache_destroy(cache);
    t_folder_drop(&folder);
}

T_MAIN("cache", T_TEST(the_longest_unused_goes_and_pins_stay),
       T_TEST(an_entry_is_found_by_its_name_too_and_goes_with_it), T_TEST(the_dead_pin_nothing))
