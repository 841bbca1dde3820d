/* SPDX-License-Identifier: Apache-2.0
 * bulk_fetch.c - finding or fetching what an attempt needs, one file after the other:
 *
 *   LOOK -> HASH_OWN    it lies at its path here, and has the right content: it stays there
 *   CACHE -> HASH_CACHED   it is in the cache, whole
 *   GET -> RECEIVE -> UNPACK   it comes from the coordinator, into the cache; UNPACK: a folder
 *
 * Hashing and unpacking go in pieces, so that they hold up no transfer; hashes are remembered. Of
 * two attempts that need the same file the second waits for the first. */
#include "bulk_impl.h"
#include "impl.h"
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/log.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB ((uint64_t)1 << 20)
#define TWIN_MS 50      /* until it is looked again whether the other has it */
#define TRIES_MAX 60    /* of one file, a second each, while the coordinator answers */

static void close_part(struct asy__task *task)
{
    if (task->fd >= 0) {
        close(task->fd);
        unlink(task->part);
    }
    if (task->unpack)
        ASY_IGNORE(asy_durable_remove(task->folder, NULL)); /* gone, or a start removes it */
    asy_unpack_close(task->unpack);
    task->unpack = NULL;
    task->fd = -1;
    task->got = 0;
    task->tree = 0;
}

static void close_hash(struct asy__task *task)
{
    asy_pack_close(task->pack);
    asy_sha_destroy(task->sha);
    task->pack = NULL;
    task->sha = NULL;
    task->hashed = 0;
}

void asy__fetch_close(struct asy__io *io, struct asy__task *task)
{
    (void)io;
    close_hash(task);
    close_part(task);
}

static int give_up(struct asy__io *io, struct asy__task *task, int rc, const char *text)
{
    asy__fetch_close(io, task);
    asy__io_tell(io, task, rc, text);
    return 0;
}

/* The want in hand is found. */
static int found(struct asy__io *io, struct asy__task *task, const char *path,
                 struct asy__pin *pin)
{
    asy__fetch_close(io, task);
    task->pins[task->at] = pin;
    if (!(task->paths[task->at] = strdup(path)))
        return give_up(io, task, ASY_E_NOMEM, "no memory for a path");
    task->at++;
    task->stage = ASY__FETCH_LOOK;
    task->spoilt = 0;
    return 1;
}

/* ---- hashing --------------------------------------------------------------------------------- */

/* Opens what is to be hashed. 1: its hash is known, in *ret. */
static int open_hash(struct asy__io *io, struct asy__task *task, const char *path,
                     struct asy_sha *ret, struct asy_error *err)
{
    int rc;

    if (stat(path, &task->st) < 0)
        return asy_fail_errno(err, errno, "cannot look at '%s'", path);
    if (asy_sha_memo_get(io->memo, &task->st, ret))
        return 1;
    if ((rc = asy_pack_open(path, &task->pack, err)) == 0)
        rc = asy_sha_create(&task->sha, err);
    if (rc < 0)
        close_hash(task);
    return rc;
}

/* 1: there is more to hash; 0: *ret_same says whether it is what is wanted. */
static int hash_on(struct asy__io *io, struct asy__task *task, int *ret_same)
{
    struct asy_sha sha;
    int rc = asy__io_hash(io, task, NULL);

    if (rc > 0)
        return 1;
    *ret_same = 0;
    if (rc == 0) {
        sha = asy_sha_final(task->sha);
        asy_sha_memo_put(io->memo, &task->st, sha);
        *ret_same = !memcmp(&sha, &task->wants[task->at].sha, sizeof sha);
    }
    close_hash(task);
    return 0;
}

/* ---- at its path ----------------------------------------------------------------------------- */

static int look(struct asy__io *io, struct asy__task *task)
{
    const struct asy__want *want = &task->wants[task->at];
    char real[PATH_MAX];
    struct asy_sha sha;
    int rc;

    task->stage = ASY__FETCH_CACHE;
    if (!want->path || !want->look || !realpath(want->path, real) || stat(real, &task->st) < 0 ||
        !S_ISREG(task->st.st_mode) || (uint64_t)task->st.st_size != want->bytes)
        return 1;
    rc = open_hash(io, task, real, &sha, NULL);
    if (rc == 1 && !memcmp(&sha, &want->sha, sizeof sha))
        return found(io, task, want->path, NULL);
    if (rc == 0)
        task->stage = ASY__FETCH_HASH_OWN;
    return 1;
}

static int hash_own(struct asy__io *io, struct asy__task *task)
{
    int same;

    if (hash_on(io, task, &same))
        return 1;
    if (same)
        return found(io, task, task->wants[task->at].path, NULL);
    task->stage = ASY__FETCH_CACHE;
    return 1;
}

/* ---- in the cache ---------------------------------------------------------------------------- */

/* A path that ends as the file was called: readers may go by it. */
static int found_cached(struct asy__io *io, struct asy__task *task, struct asy__pin *pin)
{
    const struct asy__want *want = &task->wants[task->at];
    const char *name = want->path ? strrchr(want->path, '/') : NULL;
    char *alias = name && name[1] ? asy__cache_alias(io->cache, pin, name + 1) : NULL;
    int rc = found(io, task, alias ? alias : pin->path, pin);

    free(alias);
    return rc;
}

static void drop(struct asy__io *io, struct asy__pin *pin)
{
    asy_warn("cache: '%s' is damaged, removing it", pin->path);
    asy__cache_drop(io->cache, pin);
    asy__cache_unpin(io->cache, pin);
}

static int look_in_cache(struct asy__io *io, struct asy__task *task)
{
    const struct asy__want *want = &task->wants[task->at];
    struct asy__pin *pin = NULL;
    struct asy_sha sha;
    int rc;

    task->stage = ASY__FETCH_GET;
    if (asy__cache_pin(io->cache, want->sha, 0, &pin, NULL) < 0) {
        if (want->what != ASY_BULK_CHECKPOINT ||
            asy__cache_pin(io->cache, want->sha, 1, &pin, NULL) < 0)
            return 1;
        if (asy_durable_tree_sha(pin->path, &sha, NULL, NULL) == 0 &&
            !memcmp(&sha, &want->sha, sizeof sha))
            return found(io, task, pin->path, pin);
        drop(io, pin);
        return 1;
    }
    rc = open_hash(io, task, pin->path, &sha, NULL);
    if (rc == 1 && !memcmp(&sha, &want->sha, sizeof sha))
        return found_cached(io, task, pin);
    if (rc == 0) {
        task->pin = pin;
        task->stage = ASY__FETCH_HASH_CACHED;
    } else {
        drop(io, pin);
    }
    return 1;
}

static int hash_cached(struct asy__io *io, struct asy__task *task)
{
    struct asy__pin *pin = task->pin;
    int same;

    if (hash_on(io, task, &same))
        return 1;
    task->pin = NULL;
    if (same)
        return found_cached(io, task, pin);
    drop(io, pin);
    task->stage = ASY__FETCH_GET;
    return 1;
}

/* ---- from the coordinator -------------------------------------------------------------------- */

/* Another task has a part of it. One that broke off counts as well: it goes on where it was. */
static int comes_already(const struct asy__io *io, const struct asy__task *task)
{
    for (const struct asy__task *other = io->tasks; other; other = other->next)
        if (other != task && other->kind == ASY__TASK_FETCH && !other->over && !other->told &&
            other->fd >= 0 &&
            !memcmp(&other->wants[other->at].sha, &task->wants[task->at].sha,
                    sizeof(struct asy_sha)))
            return 1;
    return 0;
}

static int open_part(struct asy__io *io, struct asy__task *task, struct asy_error *err)
{
    if (task->fd >= 0)
        return 0; /* it goes on */
    asy__cache_trim(io->cache, task->wants[task->at].bytes);
    asy__cache_part(io->cache, task->part, sizeof task->part);
    if ((task->fd = open(task->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0)
        return asy_fail_errno(err, errno, "cannot make '%s'", task->part);
    return asy_sha_create(&task->sha, err);
}

/* With what of this attempt is in the cache already, and stays there as long as it runs. */
static int check_room(struct asy__io *io, const struct asy__task *task, struct asy_error *err)
{
    const struct asy__want *want = &task->wants[task->at];
    uint64_t limit = asy__cache_limit(io->cache), held = 0;

    for (size_t i = 0; i < task->at; i++)
        held += task->pins[i] ? task->wants[i].bytes : 0;
    if (held <= limit && want->bytes <= limit - held)
        return 0;
    return asy_fail(err, ASY_E_TOOBIG, "'%.160s' has %llu MiB%s, more than this worker's cache may "
                    "hold: %llu MiB; give it a larger 'cache_size'",
                    want->path ? want->path : "a checkpoint",
                    (unsigned long long)((held + want->bytes + MIB - 1) / MIB),
                    held ? " with the study's other files" : "",
                    (unsigned long long)(limit / MIB));
}

static int get(struct asy__io *io, struct asy__task *task)
{
    const struct asy__want *want = &task->wants[task->at];
    struct asy_bulk head = { .kind = ASY_BULK_GET, .what = want->what, .study = task->study,
                             .trial = task->trial, .attempt = want->attempt,
                             .report = want->report, .sha = want->sha, .bytes = want->bytes,
                             .credit = ASY_BULK_CREDITS };
    struct asy_error err = ASY_ERROR_INIT;
    int rc;

    if (want->what == ASY_BULK_CHECKPOINT)
        head.trial = want->trial;
    if (task->fd < 0 && comes_already(io, task)) {
        task->stage = ASY__FETCH_CACHE;
        task->retry_ms = io->now_ms + TWIN_MS;
        asy__io_at(io, task->retry_ms);
        return 0;
    }
    if ((rc = check_room(io, task, &err)) < 0 || (rc = open_part(io, task, &err)) < 0)
        return give_up(io, task, rc, err.text);
    head.transfer = task->transfer ? task->transfer : asy__io_transfer(io);
    head.offset = task->got;
    if (asy__io_send(io, &head, NULL, 0) < 0)
        return 0;
    task->transfer = head.transfer;
    asy__patience_begin(&task->patience, io->now_ms);
    task->stage = ASY__FETCH_RECEIVE;
    return 0;
}

/* What has come is put into the cache, if it is what was asked for. */
static int keep(struct asy__io *io, struct asy__task *task, struct asy__pin **ret_pin,
                struct asy_error *err)
{
    const struct asy__want *want = &task->wants[task->at];
    struct asy_sha sha = task->unpack ? asy_unpack_sha(task->unpack) : asy_sha_final(task->sha);

    asy_sha_destroy(task->sha);
    task->sha = NULL;
    if (memcmp(&sha, &want->sha, sizeof sha))
        return asy_fail(err, ASY_E_CORRUPT, "'%.120s' came with another content",
                        want->path ? want->path : "a checkpoint");
    return asy__cache_add(io->cache, task->unpack ? task->folder : task->part, want->sha,
                          task->tree, ret_pin, err);
}

static void finish_with(struct asy__io *io, struct asy__task *task, int rc, struct asy__pin *pin,
                        const struct asy_error *err)
{
    if (rc == ASY_E_CORRUPT && task->spoilt++ < 3) { /* it may have been changed meanwhile */
        asy_warn("bulk: %s, fetching it again", err->text);
        asy__fetch_close(io, task);
        task->stage = ASY__FETCH_GET;
    } else if (rc < 0) {
        ASY_IGNORE(give_up(io, task, rc, err->text));
    } else {
        asy_info("bulk: fetched %s, %llu bytes", pin->path, (unsigned long long)task->got);
        if (task->tree)
            ASY_IGNORE(found(io, task, pin->path, pin));
        else
            ASY_IGNORE(found_cached(io, task, pin));
        asy__cache_trim(io->cache, 0);
    }
    asy__io_at(io, io->now_ms);
}

static void finish(struct asy__io *io, struct asy__task *task)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__pin *pin = NULL;
    int rc;

    task->transfer = 0;
    if (!task->tree) {
        rc = keep(io, task, &pin, &err);
        finish_with(io, task, rc, pin, &err);
        return;
    }
    asy__cache_part(io->cache, task->folder, sizeof task->folder);
    task->stage = ASY__FETCH_UNPACK;
    if ((rc = asy_unpack_open(task->part, task->folder, &task->unpack, &err)) < 0)
        finish_with(io, task, rc, NULL, &err);
    asy__io_at(io, io->now_ms);
}

static int unpack_on(struct asy__io *io, struct asy__task *task)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__pin *pin = NULL;
    int rc = asy_unpack_step(task->unpack, ASY_BULK_CHUNK, &err);

    if (rc > 0)
        return 1;
    if (rc == 0)
        rc = keep(io, task, &pin, &err);
    finish_with(io, task, rc, pin, &err);
    return 0;
}

static int write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t wrote = write(fd, bytes, n);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return -1;
        bytes += wrote;
        n -= (size_t)wrote;
    }
    return 0;
}

static void take_data(struct asy__io *io, struct asy__task *task, const struct asy_bulk *head,
                      const void *body, size_t n)
{
    struct asy_bulk credit = { .kind = ASY_BULK_CREDIT, .transfer = task->transfer, .credit = 1 };
    struct asy_error err = ASY_ERROR_INIT;

    if (head->offset < task->got) { /* it was asked for twice, and came late */
        ASY_IGNORE(asy__io_send(io, &credit, NULL, 0)); /* else the end of patience asks anew */
        return;
    }
    if (head->offset > task->got) {
        asy__io_later(io, task);
        task->stage = ASY__FETCH_GET;
        return;
    }
    task->tree = head->tree;
    if (write_all(task->fd, body, n) < 0) {
        int rc = asy_fail_errno(&err, errno, "cannot write '%s'", task->part);

        ASY_IGNORE(give_up(io, task, rc, err.text));
        return;
    }
    asy_sha_update(task->sha, body, n);
    task->got += n;
    asy__crash_point("agent.bulk_get");
    if (head->last)
        finish(io, task);
    else if (asy__io_send(io, &credit, NULL, 0) < 0)
        task->transfer = 0; /* it is asked for again, from here on */
}

/* Which refusals may pass. */
static int may_pass(int code)
{
    return code == ASY_E_AGAIN || code == ASY_E_STATE || code == ASY_E_IO ||
           code == ASY_E_NOSPACE || code == ASY_E_CORRUPT || code == ASY_E_NOMEM;
}

void asy__fetch_take(struct asy__io *io, struct asy__task *task, const struct asy_bulk *head,
                     const void *body, size_t n)
{
    if (task->stage != ASY__FETCH_RECEIVE)
        return;
    if (head->kind == ASY_BULK_DATA) {
        take_data(io, task, head, body, n);
    } else if (head->kind == ASY_BULK_END && may_pass(head->code) && task->spoilt++ < TRIES_MAX) {
        asy_warn("bulk: %s, asking again in a second", head->text);
        asy__fetch_close(io, task);
        asy__io_later(io, task);
        task->stage = ASY__FETCH_GET;
    } else if (head->kind == ASY_BULK_END) {
        ASY_IGNORE(give_up(io, task, head->code ? head->code : ASY_E_CORRUPT, head->text));
    }
}

int asy__fetch_step(struct asy__io *io, struct asy__task *task)
{
    if (task->at == task->n) {
        asy__io_tell(io, task, 0, "");
        return 0;
    }
    switch (task->stage) {
    case ASY__FETCH_LOOK: return look(io, task);
    case ASY__FETCH_HASH_OWN: return hash_own(io, task);
    case ASY__FETCH_CACHE: return look_in_cache(io, task);
    case ASY__FETCH_HASH_CACHED: return hash_cached(io, task);
    case ASY__FETCH_GET: return get(io, task);
    case ASY__FETCH_RECEIVE:
        if (!task->transfer) /* it broke off */
            task->stage = ASY__FETCH_GET;
        else
            asy__io_wait(io, &task->patience);
        return !task->transfer;
    case ASY__FETCH_UNPACK: return unpack_on(io, task);
    }
    return 0;
}
