/* SPDX-License-Identifier: Apache-2.0
 * engines.h - the engines that the contract holds for, and folders for their files. */
#ifndef ASY_TEST_ENGINES_H
#define ASY_TEST_ENGINES_H
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <asy/store.h>

struct engine {
    const char *name;
    int files;      /* has a folder */
    int network;    /* as if on a network file system */
};
static const struct engine engines[] = {
    { "memory", 0, 0 },
    { "sqlite", 1, 0 },
    { "sqlite, network", 1, 1 },
};

/* A new folder for one test; removed by drop_folder(). */
static inline const char *new_folder(char path[PATH_MAX])
{
    const char *tmp = getenv("TMPDIR");

    snprintf(path, PATH_MAX, "%s/asy-store-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(path)) {
        perror(path);
        abort();
    }
    return path;
}

static inline int drop_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
    (void)st, (void)flag, (void)at;
    return remove(path);
}

static inline void drop_folder(const char *path)
{
    if (nftw(path, drop_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT))
        perror(path);
}

static inline struct asy_store_spec spec_of(const struct engine *engine, const char *folder)
{
    return (struct asy_store_spec){ .path = engine->files ? folder : NULL,
                                    .assume_network = engine->network };
}
#endif
