/* SPDX-License-Identifier: Apache-2.0
 * store.c - the writer's verbs, handed on to the engine; and the look from outside. */
#include <asy/fs.h>
#include <asy/store.h>
#include "store_impl.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int asy_store_open(const struct asy_store_spec *spec, struct asy_store **ret_store,
                   struct asy_store_info *ret_info, struct asy_error *err)
{
    struct asy_store *store = NULL;
    int rc = spec->path ? asy__sqlite_open(spec, &store, err) : asy__memory_open(&store, err);

    if (rc)
        return rc;
    if (ret_info)
        *ret_info = store->info;
    *ret_store = store;
    return 0;
}

void asy_store_close(struct asy_store *store)
{
    if (store)
        store->ops->close(store);
}

int asy_store_commit(struct asy_store *store, const struct asy_event *events, size_t n,
                     uint64_t *ret_last_seq, struct asy_error *err)
{
    int rc = n ? store->ops->commit(store, events, n, err) : 0;

    if (rc)
        return rc;
    store->info.last_seq += n;
    *ret_last_seq = store->info.last_seq;
    return 0;
}

int asy_store_set_port(struct asy_store *store, int port, struct asy_error *err)
{
    int rc;

    if (port < 0 || port > 65535)
        return asy_fail(err, ASY_E_INVAL, "cannot store port %d: not between 0 and 65535", port);
    if ((rc = store->ops->set_port(store, port, err)))
        return rc;
    store->info.port = port;
    return 0;
}

void asy_store_copy_back(struct asy_store *store)
{
    if (store->ops->copy_back)
        store->ops->copy_back(store);
}

void asy_store_touch(struct asy_store *store)
{
    if (store->lock)
        asy__lock_beat(store->lock, &store->info);
}

int asy_store_replay(struct asy_store *store, asy_event_f each, void *arg, struct asy_error *err)
{
    return store->ops->replay(store, each, arg, err);
}

struct asy_reader *asy_store_reader(struct asy_store *store)
{
    return store->reader;
}

/* The folder itself, or the nearest one above it that is there. */
static void nearest_folder(const char *path, char ret[PATH_MAX])
{
    char *slash;

    snprintf(ret, PATH_MAX, "%s", path);
    while (access(ret, F_OK) < 0 && (slash = strrchr(ret, '/')))
        slash[slash == ret] = 0; /* down to "/" */
}

int asy_store_look(const char *path, struct asy_store_look *ret, struct asy_error *err)
{
    char folder[PATH_MAX];
    int rc;

    *ret = (struct asy_store_look){ .exists = 0 };
    nearest_folder(path, folder);
    if ((rc = asy_fs_of(folder, ret->fs, &ret->network_fs, err)) ||
        (rc = asy__lock_look(path, &ret->locked, &ret->holder, err)))
        return rc;
    return asy__sqlite_look(path, ret, err);
}
