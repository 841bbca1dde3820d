/* SPDX-License-Identifier: Apache-2.0
 * hash_memo.c - see asy/hash.h: a table with one place per hash of (device, inode); who comes later
 * takes the place. */
#include <asy/hash.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <asy/clock.h>

#define PLACES 4096u
#define SETTLE_S 2 /* coarser than the times of any file system */

struct place {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec changed;
    struct asy_sha sha;
};
struct asy_sha_memo {
    struct place places[PLACES];
};

int asy_sha_memo_create(struct asy_sha_memo **ret_memo, struct asy_error *err)
{
    struct asy_sha_memo *memo = calloc(1, sizeof *memo);

    if (!memo)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a table of hashes");
    *ret_memo = memo;
    return 0;
}

void asy_sha_memo_destroy(struct asy_sha_memo *memo)
{
    free(memo);
}

static size_t place_of(const struct stat *st)
{
    uint64_t x = ((uint64_t)st->st_ino + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)st->st_dev;

    return (size_t)((x >> 32 ^ x) % PLACES);
}

int asy_sha_memo_get(const struct asy_sha_memo *memo, const struct stat *st, struct asy_sha *ret)
{
    const struct place *p = &memo->places[place_of(st)];

    if (!p->ino || p->dev != st->st_dev || p->ino != st->st_ino || p->size != st->st_size ||
        p->changed.tv_sec != st->st_mtim.tv_sec || p->changed.tv_nsec != st->st_mtim.tv_nsec)
        return 0;
    *ret = p->sha;
    return 1;
}

void asy_sha_memo_put(struct asy_sha_memo *memo, const struct stat *st, struct asy_sha sha)
{
    int64_t now_s = asy_clock_wall_us() / 1000000; /* as near to what stamps files as we can get */

    if (now_s - (int64_t)st->st_mtim.tv_sec < SETTLE_S)
        return;
    memo->places[place_of(st)] = (struct place){ st->st_dev, st->st_ino, st->st_size, st->st_mtim,
                                                 sha };
}
