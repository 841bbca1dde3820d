/* SPDX-License-Identifier: Apache-2.0
 * lock.c - the lock file of a store: who has it open, and what its folder has seen.
 *
 * The lock is an OFD lock: it belongs to the open file, not to the process, so closing another
 * descriptor of the file cannot drop it, and it goes with the process however that ends. On a local
 * disk a lock that was got proves that no owner lives. A process that was killed keeps its locks
 * for the milliseconds in which the kernel takes it apart: who finds such an owner waits. Where
 * several hosts share the folder a lock may prove nothing, since not all of them pass locks on;
 * there an owner on another boot that was not closed in order keeps the store until its heartbeat
 * is STALE_US old.
 *
 * The content is one JSON line padded to a fixed length, written in one call, so that a reader who
 * does not hold the lock sees it whole or sees that it does not parse. On a local disk it is not
 * synced: lost, it can only let a copied-back database pass as the old one. On a network file
 * system it is: other hosts see nothing of it before, and would take a living owner for dead. */
#include "store_impl.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <asy/clock.h>
#include <asy/durable.h>

#define STALE_US (30 * INT64_C(1000000))
#define DYING_MS 5000 /* what a large process on a busy machine may take to die */
#define LOOK_MS 5
#define RECORD 768u

struct asy__lock {
    int fd, network;
    int64_t since_us;
    char host[256], boot[64];
};

/* What an existing lock file says; zeros where it says nothing. */
struct record {
    struct asy_store_holder holder;
    struct asy__seen seen;
};

static int path_of(const char *folder, char path[PATH_MAX], struct asy_error *err)
{
    int n = snprintf(path, PATH_MAX, "%s/assay.lock", folder);

    if (n < 0 || n >= PATH_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "path of %d characters is too long", n);
    return 0;
}

static void read_boot(char boot[64])
{
    char *text = NULL;
    size_t len;

    boot[0] = 0;
    if (asy_read_file("/proc/sys/kernel/random/boot_id", 4096, &text, &len, NULL))
        return; /* unknown: every other boot counts as another host */
    snprintf(boot, 64, "%.36s", text);
    free(text);
}

static void read_record(int fd, struct record *ret)
{
    char text[RECORD + 1];
    struct asy_store_holder *holder = &ret->holder;
    struct asy_json *root = NULL;
    const char *store;
    ssize_t n = pread(fd, text, RECORD, 0);

    *ret = (struct record){ .holder.pid = 0 };
    if (n <= 0 || asy_json_parse(text, (size_t)n, &root, NULL))
        return;
    snprintf(holder->host, sizeof holder->host, "%s", asy_json_str(asy_json_get(root, "host"), ""));
    snprintf(holder->boot, sizeof holder->boot, "%s", asy_json_str(asy_json_get(root, "boot"), ""));
    holder->pid = asy_json_i64(asy_json_get(root, "pid"), 0);
    holder->since_us = asy_json_i64(asy_json_get(root, "since_us"), 0);
    holder->beat_us = asy_json_i64(asy_json_get(root, "beat_us"), 0);
    holder->open = asy_json_bool(asy_json_get(root, "open"), 0);
    ret->seen.owner_epoch = (uint64_t)asy_json_i64(asy_json_get(root, "owner_epoch"), 0);
    ret->seen.seq = (uint64_t)asy_json_i64(asy_json_get(root, "seq"), 0);
    store = asy_json_str(asy_json_get(root, "store"), "");
    if (asy_id_parse(store, strlen(store), &ret->seen.store, NULL))
        ret->seen.store = ASY_ID_NONE;
    asy_json_destroy(root);
}

static int busy(const char *folder, const struct asy_store_holder *holder, struct asy_error *err)
{
    char since[32];

    asy_clock_format(holder->since_us, since);
    return asy_fail(err, ASY_E_BUSY, "cannot open store '%s': host '%s' has it open, pid %lld, "
                    "since %s", folder, holder->host[0] ? holder->host : "(unknown)",
                    (long long)holder->pid, holder->since_us ? since : "just now");
}

/* Opens and locks the file; 0 with *ret_fd = -1 if it was replaced meanwhile. ASY_E_BUSY with the
 * holder if somebody has it. */
static int try_take(const char *folder, const char *path, int *ret_fd, struct record *ret_holder,
                    struct asy_error *err)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    struct stat mine, there;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), rc = 0;

    if (fd < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", path);
    if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
        if (errno == EAGAIN || errno == EACCES) {
            read_record(fd, ret_holder);
            rc = busy(folder, &ret_holder->holder, err);
        } else {
            rc = asy_fail_errno(err, errno, "cannot lock '%s'", path);
        }
    } else if (fstat(fd, &mine) < 0) {
        rc = asy_fail_errno(err, errno, "cannot look at '%s'", path);
    } else if (stat(path, &there) < 0 || mine.st_ino != there.st_ino ||
               mine.st_dev != there.st_dev) {
        close(fd); /* somebody removed the file between our open and our lock */
        *ret_fd = -1;
        return 0;
    }
    if (rc)
        close(fd);
    else
        *ret_fd = fd;
    return rc;
}

/* Whether a holder on this machine is dead already, or about to be: it has no memory any more. */
static int is_dying(const struct asy_store_holder *holder, const char *boot)
{
    char path[64], *text = NULL;
    size_t len = 0;
    int rc;

    if (!boot[0] || strcmp(boot, holder->boot) != 0 || holder->pid <= 0)
        return 0;
    snprintf(path, sizeof path, "/proc/%lld/cmdline", (long long)holder->pid);
    rc = asy_read_file(path, 1 << 16, &text, &len, NULL);
    free(text);
    return rc == ASY_E_NOENT || (rc == 0 && len == 0);
}

static int take(const char *folder, const char *path, struct asy__lock *lock, struct asy_error *err)
{
    int64_t until_ms = asy_clock_ms() + DYING_MS;
    struct record held;
    int rc;

    for (int i = 0; i < 100 && lock->fd < 0;) {
        if ((rc = try_take(folder, path, &lock->fd, &held, err)) == 0) {
            i++;
            continue;
        }
        if (rc != ASY_E_BUSY || !is_dying(&held.holder, lock->boot) || asy_clock_ms() > until_ms)
            return rc;
        usleep(LOOK_MS * 1000);
    }
    if (lock->fd < 0)
        return asy_fail(err, ASY_E_IO, "cannot lock '%s': it is replaced all the time", path);
    return 0;
}

/* The lock is ours; whether its last owner may live on another host all the same. */
static int check_holder(const char *folder, const struct asy__lock *lock,
                        const struct asy_store_holder *holder, struct asy_error *err)
{
    int64_t age = asy_clock_wall_us() - holder->beat_us;

    if (!holder->open || (lock->boot[0] && !strcmp(lock->boot, holder->boot)))
        return 0;
    if (age > STALE_US || age < -STALE_US)
        return 0;
    return busy(folder, holder, err);
}

int asy__lock_take(const char *folder, int network, struct asy__lock **ret_lock,
                   struct asy__seen *ret_seen, struct asy_error *err)
{
    struct asy__lock *lock = NULL;
    struct record record;
    char path[PATH_MAX];
    int rc;

    if ((rc = path_of(folder, path, err)))
        return rc;
    if (!(lock = calloc(1, sizeof *lock)))
        return asy_fail(err, ASY_E_NOMEM, "no memory to open store '%s'", folder);
    lock->fd = -1;
    if (gethostname(lock->host, sizeof lock->host - 1) < 0)
        lock->host[0] = 0;
    read_boot(lock->boot);
    lock->network = network;
    if ((rc = take(folder, path, lock, err)))
        goto out;
    lock->since_us = asy_clock_wall_us();
    read_record(lock->fd, &record);
    if (network && (rc = check_holder(folder, lock, &record.holder, err)))
        goto out;
    *ret_seen = record.seen;
    *ret_lock = lock;
    lock = NULL;
    rc = 0;
out:
    if (lock && lock->fd >= 0)
        close(lock->fd);
    free(lock);
    return rc;
}

int asy__lock_look(const char *folder, int *ret_locked, struct asy_store_holder *ret_holder,
                   struct asy_error *err)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    struct record record;
    char path[PATH_MAX];
    int fd, rc;

    *ret_locked = 0;
    *ret_holder = (struct asy_store_holder){ .pid = 0 };
    if ((rc = path_of(folder, path, err)))
        return rc;
    if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
        return errno == ENOENT ? 0 : asy_fail_errno(err, errno, "cannot open '%s'", path);
    if (fcntl(fd, F_OFD_GETLK, &lock) < 0) {
        rc = asy_fail_errno(err, errno, "cannot ask for the lock of '%s'", path);
    } else {
        read_record(fd, &record);
        *ret_locked = lock.l_type != F_UNLCK;
        *ret_holder = record.holder;
    }
    close(fd);
    return rc;
}

static void write_record(struct asy__lock *lock, const struct asy_store_info *info, int open)
{
    struct asy_buf buf;
    struct asy_jsonw w;
    char id[ASY_ID_TEXT];

    asy_buf_init(&buf, RECORD);
    asy_jsonw_init(&w, &buf, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_str(&w, "host", lock->host);
    asy_jsonw_str(&w, "boot", lock->boot);
    asy_jsonw_i64(&w, "pid", getpid());
    asy_jsonw_i64(&w, "since_us", lock->since_us);
    asy_jsonw_i64(&w, "beat_us", asy_clock_wall_us());
    asy_jsonw_bool(&w, "open", open);
    asy_jsonw_str(&w, "store", asy_id_format(info->id, id));
    asy_jsonw_u64(&w, "owner_epoch", info->owner_epoch);
    asy_jsonw_u64(&w, "seq", info->last_seq);
    asy_jsonw_close(&w, '}');
    while (buf.rc == 0 && buf.len < RECORD - 1)
        asy_buf_addc(&buf, ' ');
    asy_buf_addc(&buf, '\n');
    if (buf.rc == 0) /* a record that could not be written is as old as it was: no harm */
        ASY_IGNORE(pwrite(lock->fd, buf.data, buf.len, 0) < 0 ||
                   (lock->network && asy_durable_sync_open(lock->fd) < 0));
    asy_buf_fini(&buf);
}

void asy__lock_beat(struct asy__lock *lock, const struct asy_store_info *info)
{
    write_record(lock, info, 1);
}

void asy__lock_drop(struct asy__lock *lock, const struct asy_store_info *info)
{
    int saved = errno;

    if (!lock)
        return;
    if (info)
        write_record(lock, info, 0);
    close(lock->fd);
    free(lock);
    errno = saved;
}
