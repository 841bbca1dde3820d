/* SPDX-License-Identifier: Apache-2.0
 * bulk_gone.c - what has come and is not wanted any more.
 *
 * It gets another name at once, so that a new transfer finds its own free, and goes to who removes
 * files for the store (query.h), by way of the loop: this thread has no time for gigabytes, and the
 * disk no patience with them. */
#include "bulk_impl.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <asy/durable.h>

#define GONE ASY__BULK_PART "gone-"
#define SMALL_BYTES (64 << 10)
#define PART_S 3600 /* then nobody will go on with it */

/* Without memory it stays: the next start finds it. */
static void hand_on(struct asy__bulk *bulk, const char *path)
{
    struct asy__bulk_ask *ask = calloc(1, sizeof *ask);

    if (!ask || !(ask->gone = strdup(path))) {
        asy__bulk_ask_free(ask);
        return;
    }
    asy__mail_put(bulk->asks, &ask->letter);
}

void asy__bulk_discard(struct asy__bulk *bulk, const char *path)
{
    char gone[ASY__BULK_PATH], id[ASY_ID_TEXT];

    snprintf(gone, sizeof gone, "%s/artifacts/" GONE "%s", bulk->home,
             asy_id_format(asy_id_make(), id));
    if (rename(path, gone) == 0)
        hand_on(bulk, gone);
    else if (errno != ENOENT)
        ASY_IGNORE(asy_durable_remove(path, NULL)); /* the next sweep tries again */
}

/* Of few bytes, which a removal frees as quickly as a new name is given. */
void asy__bulk_discard_part(struct asy__bulk *bulk, const char *path)
{
    struct stat st;

    if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > SMALL_BYTES ||
        unlink(path) < 0)
        asy__bulk_discard(bulk, path);
}

static int is_old(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && time(NULL) - st.st_mtime > PART_S;
}

/* A folder in the making. */
static int grows(const struct asy__bulk *bulk, const char *path)
{
    const struct asy__transfer *t = bulk->transfers;

    while (t && !(t->unpack && !t->over && !strncmp(path, t->part, strlen(t->part))))
        t = t->next;
    return t != NULL;
}

static void sweep_one(struct asy__bulk *bulk, const char *folder, const char *name)
{
    char path[ASY__BULK_PATH + 300];
    size_t n = strlen(name);
    int tree = n > 5 && !strcmp(name + n - 5, ".tree");

    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!strncmp(name, GONE, strlen(GONE))) {
        if (!bulk->swept)
            hand_on(bulk, path); /* of a coordinator that died; ours were handed on */
    } else if ((tree || is_old(path)) && !grows(bulk, path)) {
        asy__bulk_discard(bulk, path);
    }
}

void asy__bulk_sweep_folder(struct asy__bulk *bulk, const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (!strncmp(entry->d_name, ASY__BULK_PART, strlen(ASY__BULK_PART)))
            sweep_one(bulk, folder, entry->d_name);
    if (dir)
        closedir(dir);
}

void asy__bulk_sweep(struct asy__bulk *bulk)
{
    char folder[ASY__BULK_PATH];

    snprintf(folder, sizeof folder, "%s/artifacts", bulk->home);
    asy__bulk_sweep_folder(bulk, folder);
    bulk->swept = 1;
}
