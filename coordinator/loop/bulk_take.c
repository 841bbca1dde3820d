/* SPDX-License-Identifier: Apache-2.0
 * bulk_take.c - PUT: checkpoints and models, which become artifacts once their content is proven
 * and on disk; and pieces of logs.
 *
 * What arrives grows in a file beside the artifacts, ".part-<name>". A transfer that broke off goes
 * on where that file ends: it is hashed again first. Only a whole one, whose hash is right, gets
 * its name; END with 0 leaves when that is durable. */
#include "bulk_impl.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/log.h>
#include "crash.h"

#define SPARE_BYTES ((uint64_t)64 << 20) /* of the disk, which a PUT leaves free */

/* ---- PUT: beginning -------------------------------------------------------------------------- */

static int check_room(const struct asy__bulk *bulk, const struct asy_bulk *head,
                      struct asy_error *err)
{
    struct statvfs fs;
    uint64_t room;

    if (statvfs(bulk->home, &fs) < 0)
        return 0; /* writing will tell */
    room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (head->bytes > room || room - head->bytes < SPARE_BYTES)
        return asy_fail(err, ASY_E_NOSPACE, "the coordinator's disk has %llu MiB free, too few for "
                        "a file of %llu MiB", (unsigned long long)room >> 20,
                        (unsigned long long)head->bytes >> 20);
    return 0;
}

void asy__bulk_close_twin(struct asy__bulk *bulk, const struct asy__transfer *t)
{
    for (struct asy__transfer *other = bulk->transfers; other; other = other->next)
        if (other != t && !strcmp(other->part, t->part))
            other->over = 1;
}

static int name_paths(const struct asy__bulk *bulk, struct asy__transfer *t, struct asy_error *err)
{
    struct asy_bulk own = t->head;
    char name[200], part[200];

    if (t->head.what == ASY_BULK_MODEL)
        t->head.report = 0;
    asy__bulk_name(&t->head, name, sizeof name);
    own.report = own.report ? own.report : UINT64_MAX; /* equal models may come from several */
    asy__bulk_name(&own, part, sizeof part);
    snprintf(t->what, sizeof t->what, "%s '%s'",
             t->head.what == ASY_BULK_MODEL ? "model" : "checkpoint", name);
    snprintf(t->part, sizeof t->part, "%s/artifacts/" ASY__BULK_PART "%s", bulk->home, part);
    snprintf(t->path, sizeof t->path, "%s/artifacts/%.2s", bulk->home, name);
    if (asy_durable_mkdirs(t->path, err) < 0)
        return err->code;
    snprintf(t->path, sizeof t->path, "%s/artifacts/%.2s/%s", bulk->home, name, name);
    return 0;
}

/* Its checkpoint is there: END was lost on its way. 1: so it is, and durable. */
static int has_it(struct asy__bulk *bulk, const struct asy__transfer *t, struct asy_error *err)
{
    if (t->head.what != ASY_BULK_CHECKPOINT || access(t->path, F_OK) < 0)
        return 0;
    if (asy_durable_sync(t->path, err) < 0)
        return 0;
    asy__bulk_discard(bulk, t->part); /* a tree's stream, if we died before it was removed */
    return 1;
}

int asy__bulk_hash_there(struct asy__transfer *t, struct asy_error *err)
{
    int rc;

    if ((rc = asy_sha_create(&t->sha, err)) < 0)
        return rc;
    if ((rc = asy_pack_open(t->path, &t->pack, err)) < 0) {
        asy_sha_destroy(t->sha);
        t->sha = NULL;
        return rc;
    }
    t->there = t->hashing = 1;
    t->hash_end = t->head.bytes;
    return 0;
}

/* A model of this name and size is there, of another trial or because END was lost: it is hashed,
 * and need not come again if it is what it should be. 1: so it may be. */
static int may_have_it(struct asy__transfer *t)
{
    struct stat st;

    return t->head.what == ASY_BULK_MODEL && !t->head.tree && lstat(t->path, &st) == 0 &&
           S_ISREG(st.st_mode) && (uint64_t)st.st_size == t->head.bytes &&
           asy__bulk_hash_there(t, NULL) == 0;
}

/* It was hashed. 1: it is what it should be, and durable. */
static int is_there(struct asy__transfer *t)
{
    struct asy_sha sha = asy_sha_final(t->sha);

    asy_sha_destroy(t->sha);
    t->sha = NULL;
    t->there = 0;
    t->hash_at = 0;
    if (!memcmp(&sha, &t->head.sha, sizeof sha) && asy_durable_sync(t->path, NULL) == 0)
        return 1;
    asy_warn("%s is there, but damaged: taking it anew", t->what);
    return 0;
}

int asy__bulk_open_part(struct asy__bulk *bulk, struct asy__transfer *t, struct asy_error *err)
{
    struct stat st;
    int rc;

    if ((rc = check_room(bulk, &t->head, err)) < 0)
        return rc;
    if (lstat(t->part, &st) == 0 && (uint64_t)st.st_size > t->head.bytes)
        asy__bulk_discard(bulk, t->part);
    if ((t->fd = open(t->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0 ||
        fstat(t->fd, &st) < 0)
        return asy_fail_errno(err, errno, "cannot make '%.120s'", t->part);
    t->at = (uint64_t)st.st_size;
    t->size = t->head.bytes;
    if ((rc = asy_sha_create(&t->sha, err)) < 0 ||
        (rc = asy_pack_open(t->part, &t->pack, err)) < 0)
        return rc;
    t->hashing = 1;
    t->hash_end = t->at;
    return 0;
}

void asy__bulk_put(struct asy__bulk *bulk, uint64_t peer, const struct asy_bulk *head)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__transfer *t;
    int rc;

    if ((head->what != ASY_BULK_CHECKPOINT || !head->report) && head->what != ASY_BULK_MODEL) {
        asy__bulk_refuse(bulk, peer, head, ASY_E_UNSUPPORTED, "this is not taken in");
        return;
    }
    if (!(t = asy__bulk_open(bulk, peer, head)))
        return;
    if ((rc = name_paths(bulk, t, &err)) < 0) {
        asy__bulk_end(bulk, t, rc, err.text);
        return;
    }
    asy__bulk_close_twin(bulk, t);
    if (has_it(bulk, t, &err))
        asy__bulk_end(bulk, t, 0, t->path);
    else if (!may_have_it(t) && (rc = asy__bulk_open_part(bulk, t, &err)) < 0)
        asy__bulk_end(bulk, t, rc, err.text);
}

/* ---- PUT: its end ---------------------------------------------------------------------------- */

static int wrong(const struct asy__transfer *t, struct asy_error *err)
{
    return asy_fail(err, ASY_E_CORRUPT, "%.120s came with another content", t->what);
}

static void name_tree(const struct asy__transfer *t, char folder[ASY__BULK_PATH + 8])
{
    snprintf(folder, ASY__BULK_PATH + 8, "%s.tree", t->part);
}

static int keep(struct asy__transfer *t, struct asy_error *err)
{
    struct asy_sha sha = t->unpack ? asy_unpack_sha(t->unpack) : asy_sha_final(t->sha);
    char folder[ASY__BULK_PATH + 8];
    int rc;

    name_tree(t, folder);
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
    asy__crash_point("coordinator.bulk_before_rename");
    if (memcmp(&sha, &t->head.sha, sizeof sha))
        rc = wrong(t, err);
    else
        rc = asy_durable_keep(t->unpack ? folder : t->part, sha, t->path, err);
    if (rc == 0)
        asy__crash_point("coordinator.bulk_after_rename");
    return rc;
}

static void finish_with(struct asy__bulk *bulk, struct asy__transfer *t, int rc,
                        const struct asy_error *err)
{
    char folder[ASY__BULK_PATH + 8];

    name_tree(t, folder);
    if (rc < 0 && t->head.tree)
        asy__bulk_discard(bulk, folder);
    if (rc < 0 || t->head.tree)
        asy__bulk_discard(bulk, t->part); /* what is left of it is of no use */
    else if (t->head.what == ASY_BULK_INPUT)
        asy__bulk_input_kept(bulk, t);
    asy__bulk_end(bulk, t, rc, rc < 0 ? err->text : t->path);
}

/* All of it has come. A tree is made of its stream beside it, under a name that is removed with it,
 * a piece in each round. */
static void finish(struct asy__bulk *bulk, struct asy__transfer *t)
{
    struct asy_error err = ASY_ERROR_INIT;
    char folder[ASY__BULK_PATH + 8];
    int rc;

    if (!t->head.tree) {
        rc = keep(t, &err);
        finish_with(bulk, t, rc, &err);
        return;
    }
    name_tree(t, folder);
    asy__bulk_discard(bulk, folder);
    if ((rc = asy_unpack_open(t->part, folder, &t->unpack, &err)) < 0)
        finish_with(bulk, t, rc, &err);
}

/* 1: there is more of it. */
static int unpack_on(struct asy__bulk *bulk, struct asy__transfer *t)
{
    struct asy_error err = ASY_ERROR_INIT;
    int rc;

    ASY_IGNORE(asy__bulk_yield(bulk) < 0); /* a piece like others, but without a rest */
    rc = asy_unpack_step(t->unpack, ASY_BULK_CHUNK, &err);
    asy__bulk_alive(bulk, t);
    if (rc > 0)
        return 1;
    if (rc == 0)
        rc = keep(t, &err);
    finish_with(bulk, t, rc, &err);
    return 0;
}

/* ---- PUT: in between ------------------------------------------------------------------------- */

static void give_credit(struct asy__bulk *bulk, struct asy__transfer *t, uint32_t credit)
{
    struct asy_bulk head = { .kind = ASY_BULK_CREDIT, .transfer = t->head.transfer,
                             .offset = t->at, .credit = credit };

    if (asy__bulk_send(bulk, t->peer, &head, NULL, 0) < 0)
        t->over = 1; /* the peer hears nothing, and begins anew from where the part ends */
}

int asy__bulk_prove(struct asy__bulk *bulk, struct asy__transfer *t)
{
    struct asy_error err = ASY_ERROR_INIT;
    int rc;

    if (t->unpack)
        return unpack_on(bulk, t);
    if (!t->hashing)
        return 0;
    if ((rc = asy__bulk_hash(bulk, t, &err)) < 0 && !t->there) {
        asy__bulk_end(bulk, t, rc, err.text);
        return 0;
    }
    if (rc > 0)
        return 1;
    t->hashing = 0;
    asy_pack_close(t->pack);
    t->pack = NULL;
    if (t->there) {
        if (is_there(t)) {
            t->kept = 1;
            asy__bulk_end(bulk, t, 0, t->path);
        } else if ((rc = asy__bulk_open_part(bulk, t, &err)) < 0)
            asy__bulk_end(bulk, t, rc, err.text);
        return 1;
    }
    if (t->at < t->size)
        give_credit(bulk, t, ASY_BULK_CREDITS);
    else
        finish(bulk, t);
    return t->unpack != NULL;
}

static int write_at(int fd, uint64_t at, const char *bytes, size_t n, const char *what,
                    struct asy_error *err)
{
    while (n > 0) {
        ssize_t wrote = pwrite(fd, bytes, n, (off_t)at);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return asy_fail_errno(err, wrote < 0 ? errno : EIO, "cannot write %.120s", what);
        bytes += wrote;
        at += (uint64_t)wrote;
        n -= (size_t)wrote;
    }
    return 0;
}

/* On the disk, but for the flush of its cache and the file system's journal: those come once, when
 * all of the file is there. What a power loss leaves of a part is hashed before it goes on. */
static int push(int fd, uint64_t at, size_t n, const char *what, struct asy_error *err)
{
    unsigned how = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;

    if (sync_file_range(fd, (off_t)at, (off_t)n, how) == 0)
        return 0;
    if ((errno == ENOSYS || errno == EINVAL || errno == ESPIPE) && fdatasync(fd) == 0)
        return 0; /* not every file system has it */
    return asy_fail_errno(err, errno, "cannot sync %.120s", what);
}

/* In pieces, each on its way no longer before the next one begins: a commit of the store waits for
 * what is under way to the disk, and a flush for all that the disk has gathered, so let neither be
 * much. */
static int write_through(struct asy__bulk *bulk, struct asy__transfer *t, const char *bytes,
                         size_t n, struct asy_error *err)
{
    size_t at = 0;

    while (at < n) {
        int64_t from_ns = asy__bulk_yield(bulk);
        struct asy__work work = asy__traffic_look(bulk->traffic);
        size_t most = asy__pace_piece(&work, from_ns), piece = n - at < most ? n - at : most;
        int rc = write_at(t->fd, t->at + at, bytes + at, piece, t->what, err);

        if (rc < 0 || (rc = push(t->fd, t->at + at, piece, t->what, err)) < 0)
            return rc;
        asy__pace_spent(&bulk->pace, from_ns, asy_clock_ns() - from_ns, piece,
                        ASY__YIELD_TAKE_RATE);
        at += piece;
    }
    t->heard_ms = asy_clock_ms(); /* that writing took long is no silence of the peer */
    return 0;
}

void asy__bulk_data(struct asy__bulk *bulk, struct asy__transfer *t, const struct asy_bulk *head,
                    const void *body, size_t n)
{
    struct asy_error err = ASY_ERROR_INIT;
    int rc;

    if (t->hashing || head->offset != t->at || n > t->size - t->at || n == 0) {
        asy__bulk_end(bulk, t, ASY_E_STATE, "a chunk came that does not follow the last one");
        return;
    }
    if ((rc = write_through(bulk, t, body, n, &err)) < 0) {
        if (rc == ASY_E_NOSPACE)
            asy__bulk_discard(bulk, t->part); /* the store needs the room */
        asy__bulk_end(bulk, t, rc, err.text);
        return;
    }
    asy_sha_update(t->sha, body, n);
    t->at += n;
    asy__crash_point("coordinator.bulk_put");
    if (t->at == t->size)
        finish(bulk, t);
    else
        give_credit(bulk, t, 1);
}

void asy__bulk_cancel(struct asy__bulk *bulk, struct asy__transfer *t)
{
    char folder[ASY__BULK_PATH + 8];

    if (t->head.kind == ASY_BULK_PUT && t->part[0]) {
        asy__bulk_discard_part(bulk, t->part);
        name_tree(t, folder);
        asy__bulk_discard(bulk, folder);
    }
    t->over = 1;
}

/* ---- logs ------------------------------------------------------------------------------------ */

static int make_folders(char *path, size_t from, struct asy_error *err)
{
    int rc = 0;

    for (char *at = path + from; rc == 0 && (at = strchr(at, '/')); at++) {
        *at = '\0';
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            rc = asy_fail_errno(err, errno, "cannot make the folder '%.120s'", path);
        *at = '/';
    }
    return rc;
}

/* The piece, or what of it is new. *ret_size: how long the log is then. ASY_E_AGAIN: there is a gap
 * before it. */
static int add_piece(const char *path, const struct asy_bulk *head, const void *body, size_t n,
                     uint64_t *ret_size, struct asy_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), rc = 0;
    struct stat st;
    uint64_t have;

    if (fd < 0 || fstat(fd, &st) < 0) {
        rc = asy_fail_errno(err, errno, "cannot open '%.120s'", path);
        goto out;
    }
    *ret_size = have = (uint64_t)st.st_size;
    if (head->offset > have) {
        rc = asy_fail(err, ASY_E_AGAIN, "the log is shorter");
        goto out;
    }
    have -= head->offset; /* of the piece */
    if (have < n) {
        rc = write_at(fd, *ret_size, (const char *)body + have, n - (size_t)have, "a log", err);
        *ret_size = rc < 0 ? *ret_size : head->offset + n;
    }
    asy__crash_point("coordinator.bulk_log");
    if (rc == 0 && head->last && fsync(fd) < 0)
        rc = asy_fail_errno(err, errno, "cannot sync '%.120s'", path);
out:
    if (fd >= 0)
        close(fd);
    return rc;
}

void asy__bulk_log(struct asy__bulk *bulk, uint64_t peer, const struct asy_bulk *head,
                   const void *body, size_t n)
{
    struct asy_bulk end = { .kind = ASY_BULK_END, .transfer = head->transfer,
                            .last = head->last };
    struct asy_error err = ASY_ERROR_INIT;
    char path[ASY__BULK_PATH], study[ASY_ID_TEXT];
    int rc;

    if (head->what != ASY_BULK_STDOUT && head->what != ASY_BULK_STDERR) {
        asy__bulk_refuse(bulk, peer, head, ASY_E_UNSUPPORTED, "no such log");
        return;
    }
    snprintf(path, sizeof path, "%s/logs/%s/%llu/%u/%s", bulk->home,
             asy_id_format(head->study, study), (unsigned long long)head->trial, head->attempt,
             head->what == ASY_BULK_STDOUT ? "stdout" : "stderr");
    if ((rc = make_folders(path, strlen(bulk->home) + 1, &err)) == 0)
        rc = add_piece(path, head, body, n, &end.offset, &err);
    end.code = rc;
    end.text = rc < 0 ? err.text : "";
    ASY_IGNORE(asy__bulk_send(bulk, peer, &end, NULL, 0)); /* it sends the piece again */
}
