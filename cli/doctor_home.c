/* SPDX-License-Identifier: Apache-2.0
 * doctor_home.c - checks of $ASSAY_HOME: rights, room, kind and speed of the disk, keys, settings.
 * Where there is no home yet, the folder that it would be made in is looked at. */
#include "doctor.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/settings.h>

#define MIB 1048576.0
#define GIB 1073741824.0

/* ---- the folder ---------------------------------------------------------------------------- */

#define HOME_MAX 3500 /* what is below it needs the rest of PATH_MAX */

static void check_existing(const char *home, struct asy__finding *finding)
{
    char why[80];
    struct stat st;

    if (stat(home, &st) < 0) {
        asy__broken(finding, "cannot look at '%s': %s", home, asy_errno_text(errno, why));
        asy__remedy(finding, "ls -ld %s", home);
    } else if (!S_ISDIR(st.st_mode)) {
        asy__broken(finding, "'%s' is no folder", home);
        asy__remedy(finding, "choose another: export ASSAY_HOME=DIR, or --home DIR");
    } else if (st.st_uid != geteuid()) {
        asy__broken(finding, "'%s' belongs to user %u, not to %u: keys in it are refused", home,
                    (unsigned)st.st_uid, (unsigned)geteuid());
        asy__remedy(finding,
                    "choose one of your own (export ASSAY_HOME=DIR), or as root: chown -R "
                    "%u %s",
                    (unsigned)geteuid(), home);
    } else if (access(home, R_OK | W_OK | X_OK) < 0) {
        asy__broken(finding, "cannot read, write and enter '%s': %s", home,
                    asy_errno_text(errno, why));
        asy__remedy(finding,
                    errno == EROFS ? "mount the disk for writing: mount -o remount,rw %s"
                                   : "chmod u+rwx %s",
                    home);
    } else if (st.st_mode & 022) {
        asy__broken(finding, "others may change files in '%s' (mode %04o)", home,
                    (unsigned)st.st_mode & 07777);
        asy__remedy(finding, "chmod 700 %s", home);
    } else if (st.st_mode & 055) {
        asy__warn(finding, "others may look into '%s' (mode %04o)", home,
                  (unsigned)st.st_mode & 07777);
        asy__remedy(finding, "chmod 700 %s", home);
    } else {
        asy__ok(finding, "'%s'", home);
    }
}

/* Makes a folder there and removes it: what root may do, access() does not know. -1: errno. */
static int try_folder(const char *ground)
{
    char path[4200];

    snprintf(path, sizeof path, "%s/.assay-doctor-XXXXXX", ground);
    if (!mkdtemp(path))
        return -1;
    return rmdir(path);
}

void asy__check_home(const struct asy__machine *machine, struct asy__finding *finding)
{
    char why[80];
    struct stat st;

    if (strlen(machine->home) > HOME_MAX) {
        asy__broken(finding, "its path has %zu characters, at most %d leave room for what is below",
                    strlen(machine->home), HOME_MAX);
        asy__remedy(finding, "choose a shorter one: export ASSAY_HOME=DIR");
    } else if (machine->home_exists) {
        check_existing(machine->home, finding);
    } else if (lstat(machine->home, &st) == 0) {
        asy__broken(finding, "'%s' cannot be entered, or is a link to nothing", machine->home);
        asy__remedy(finding, "ls -ld %s", machine->home);
    } else if (try_folder(machine->ground) < 0) {
        asy__broken(finding, "'%s' is not there, and cannot be made in '%s': %s", machine->home,
                    machine->ground, asy_errno_text(errno, why));
        asy__remedy(finding, "choose one that can be made: export ASSAY_HOME=DIR, or --home DIR");
    } else {
        asy__ok(finding, "'%s' will be made at first use", machine->home);
    }
}

/* ---- room ---------------------------------------------------------------------------------- */

#define SPACE_LEAST (64 * MIB)
#define SPACE_WANTED (1 * GIB)
#define INODES_LEAST 1000u

static double tree_bytes; /* of the tree that nftw() walks */

static int add_bytes(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)path;
    (void)where;
    if (type == FTW_F)
        tree_bytes += (double)st->st_size;
    return 0;
}

/* What workers of this home keep of files that they cannot see; 0: nothing. */
static double cache_bytes(const char *home)
{
    char path[4200];

    snprintf(path, sizeof path, "%s/cache", home);
    tree_bytes = 0;
    ASY_IGNORE(nftw(path, add_bytes, 16, FTW_PHYS) < 0); /* there is none, or it changes */
    return tree_bytes;
}

void asy__check_space(const struct asy__machine *machine, struct asy__finding *finding)
{
    char why[80];
    struct statvfs fs;
    double free_bytes, cached;

    if (statvfs(machine->ground, &fs) < 0) {
        asy__broken(finding, "cannot look at the disk of '%s': %s", machine->ground,
                    asy_errno_text(errno, why));
        asy__remedy(finding, "df -h %s", machine->ground);
        return;
    }
    free_bytes = (double)fs.f_bavail * (double)fs.f_frsize;
    if (free_bytes < SPACE_LEAST)
        asy__broken(finding, "the disk of '%s' has %.1f MiB left", machine->ground,
                    free_bytes / MIB);
    else if (free_bytes < SPACE_WANTED)
        asy__warn(finding, "the disk of '%s' has %.0f MiB left; checkpoints and models go there",
                  machine->ground, free_bytes / MIB);
    if (fs.f_files > 0 && fs.f_favail < INODES_LEAST)
        asy__broken(finding, "the disk of '%s' takes %" PRIu64 " more files only", machine->ground,
                    (uint64_t)fs.f_favail);
    cached = cache_bytes(machine->home);
    if (finding->verdict == ASY__OK && cached > 0)
        asy__ok(finding, "%.1f GiB free; the cache of its workers (cache_size) takes %.1f MiB",
                free_bytes / GIB, cached / MIB);
    else if (finding->verdict == ASY__OK)
        asy__ok(finding, "%.1f GiB free", free_bytes / GIB);
    else
        asy__remedy(finding,
                    "make room (df -h %s; du -xsh %s/*), or take another disk: export "
                    "ASSAY_HOME=DIR",
                    machine->ground, machine->home);
}

/* ---- the disk ------------------------------------------------------------------------------ */

void asy__check_file_system(const struct asy__machine *machine, struct asy__finding *finding)
{
    const struct asy_json *root = asy__probed(&machine->coordinator, "assay-coordinator", finding);
    const struct asy_json *store = asy_json_get(root, "store");
    const char *kind = asy_json_str(asy_json_get(store, "file_system"), "");

    if (!root)
        return;
    if (!*kind) {
        asy__warn(finding, "not known: %s", asy_json_str(asy_json_get(store, "error"), "?"));
        asy__remedy(finding, "df -T %s", machine->ground);
    } else if (!strcmp(kind, "tmpfs") || !strcmp(kind, "ramfs")) {
        asy__warn(finding, "%s: all that is stored is gone when this machine restarts", kind);
        asy__remedy(finding, "take a folder on a disk: export ASSAY_HOME=DIR");
    } else if (asy_json_bool(asy_json_get(store, "network"), 0)) {
        asy__warn(finding,
                  "%s, which several hosts may share: the store has one connection and a "
                  "rollback journal there, so commits and answers take longer",
                  kind);
        asy__remedy(finding,
                    "take a folder on a local disk: export ASSAY_HOME=/var/tmp/assay-$USER");
    } else {
        asy__ok(finding, "%s", kind);
    }
}

#define COMMITS 100
#define COMMITS_LEAST 5
#define COMMIT_BYTES 4096
#define MEASURE_NS 2000000000
#define SLOW_US 20000.0
#define SLOW_P99_US 200000.0
#define NO_DISK_US 8.0 /* the fastest write caches that survive a power cut take more */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* A file that nobody sees, or at least none that stays. */
static int nameless_file(const char *folder, struct asy_error *err)
{
    char path[4200];
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0)
        return fd;
    snprintf(path, sizeof path, "%s/.assay-doctor-XXXXXX", folder);
    if ((fd = mkostemp(path, O_CLOEXEC)) < 0)
        return asy_fail_errno(err, errno, "cannot make a file in '%s'", folder);
    unlink(path);
    return fd;
}

/* Times, in us and sorted, of writing and syncing as the store does it. Returns how many. */
static int measure(const char *folder, double us[COMMITS], struct asy_error *err)
{
    char bytes[COMMIT_BYTES];
    int64_t begin = asy_clock_ns();
    int fd = nameless_file(folder, err), n = 0;

    if (fd < 0)
        return fd;
    memset(bytes, 'a', sizeof bytes);
    while (n < COMMITS && (n < COMMITS_LEAST || asy_clock_ns() - begin < MEASURE_NS)) {
        int64_t start = asy_clock_ns();
        ssize_t put = write(fd, bytes, sizeof bytes);

        if (put != (ssize_t)sizeof bytes || fdatasync(fd) < 0) {
            if (put >= 0 && put != (ssize_t)sizeof bytes)
                errno = ENOSPC;
            n = asy_fail_errno(err, errno, "cannot write and sync a file in '%s'", folder);
            break;
        }
        us[n++] = (double)(asy_clock_ns() - start) / 1000;
    }
    close(fd);
    if (n > 0)
        qsort(us, (size_t)n, sizeof *us, compare);
    return n;
}

void asy__check_commit_time(const struct asy__machine *machine, struct asy__finding *finding)
{
    struct asy_error err = ASY_ERROR_INIT;
    double us[COMMITS], p50, p99;
    int n = measure(machine->ground, us, &err);

    if (n < 0) {
        asy__broken(finding, "%s", err.text);
        asy__remedy(finding,
                    n == ASY_E_NOSPACE ? "make room: df -h %s; df -i %s"
                                       : "see that it can be written: ls -ld %s; df %s",
                    machine->ground, machine->ground);
        return;
    }
    p50 = us[n / 2];
    p99 = us[n * 99 / 100];
    if (p50 > SLOW_US || p99 > SLOW_P99_US) {
        asy__warn(finding, "p50 %.1f ms, p99 %.1f ms: every acknowledgement waits that long",
                  p50 / 1000, p99 / 1000);
        asy__remedy(finding, "take a local disk: export ASSAY_HOME=DIR");
    } else if (p50 < NO_DISK_US) {
        asy__warn(finding,
                  "p50 %.1f us: no disk is that fast, so what is called durable would not "
                  "survive a power cut",
                  p50);
        asy__remedy(finding, "take a folder on a disk that syncs (no tmpfs, no libeatmydata, no "
                             "cache=unsafe): export ASSAY_HOME=DIR");
    } else {
        asy__ok(finding, "p50 %.2f ms, p99 %.2f ms (%d times write and fdatasync)", p50 / 1000,
                p99 / 1000, n);
    }
}

void asy__check_noexec(const struct asy__machine *machine, struct asy__finding *finding)
{
    struct statvfs fs = { .f_flag = 0 };

    if (statvfs(machine->ground, &fs) == 0 && (fs.f_flag & ST_NOEXEC)) {
        asy__warn(finding,
                  "the disk of '%s' is mounted noexec: programs that a study brings along "
                  "(run.files) cannot be run there",
                  machine->ground);
        asy__remedy(finding, "mount -o remount,exec MOUNTPOINT, or take another disk: export "
                             "ASSAY_HOME=DIR, or begin the command with its interpreter");
    } else if (fs.f_flag & ST_RDONLY) {
        asy__broken(finding, "the disk of '%s' is mounted for reading alone", machine->ground);
        asy__remedy(finding, "mount -o remount,rw MOUNTPOINT, or take another disk: export "
                             "ASSAY_HOME=DIR");
    } else {
        asy__ok(finding, "they may");
    }
}

/* ---- keys and settings --------------------------------------------------------------------- */

static void check_pair(const char *path, int *n, struct asy__finding *finding)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_keypair pair;
    int rc;

    if (access(path, F_OK) < 0 && errno == ENOENT)
        return; /* a load would make one */
    if ((rc = asy_keypair_load(path, &pair, &err)) == 0) {
        (*n)++;
        explicit_bzero(&pair, sizeof pair);
        return;
    }
    asy__broken(finding, "%s", err.text);
    if (rc == ASY_E_CORRUPT)
        asy__remedy(finding,
                    "take it from a backup, or let a new one be made (workers elsewhere "
                    "must then be enrolled again): mv %s %s.bad",
                    path, path);
    else
        asy__remedy(finding, "chmod 600 %s; chown %u %s", path, (unsigned)geteuid(), path);
}

static void check_ring(const char *path, int *n, struct asy__finding *finding)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_keyring *ring = NULL;
    int rc;

    if (access(path, F_OK) < 0 && errno == ENOENT)
        return;
    if ((rc = asy_keyring_load(path, &ring, &err)) == 0) {
        (*n)++;
        asy_keyring_destroy(ring);
        return;
    }
    asy__broken(finding, "%s", err.text);
    if (rc == ASY_E_FORMAT)
        asy__remedy(finding, "mend or remove that line: %s", path);
    else
        asy__remedy(finding, "chmod go-w %s; chown %u %s", path, (unsigned)geteuid(), path);
}

void asy__check_keys(const struct asy__machine *machine, struct asy__finding *finding)
{
    char path[4200];
    int n = 0;

    snprintf(path, sizeof path, "%s/keys/user.key", machine->home);
    check_pair(path, &n, finding);
    snprintf(path, sizeof path, "%s/keys/server.key", machine->home);
    check_pair(path, &n, finding);
    snprintf(path, sizeof path, "%s/keys/authorized", machine->home);
    check_ring(path, &n, finding);
    if (finding->verdict == ASY__OK && n)
        asy__ok(finding, "%d files, whole and private", n);
    else if (finding->verdict == ASY__OK)
        asy__ok(finding, "none yet; they are made at first use");
}

void asy__check_config(const struct asy__machine *machine, struct asy__finding *finding)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_settings *settings = NULL;
    char path[4200];

    snprintf(path, sizeof path, "%s/config.yaml", machine->home);
    if (asy_settings_load(path, &settings, &err) < 0 || asy_settings_check(settings, &err) < 0) {
        asy__broken(finding, "%s", err.text);
        asy__remedy(finding,
                    "mend '%s' or the variable; all keys and their values: assay config "
                    "show",
                    path);
    } else {
        asy__ok(finding, access(path, F_OK) < 0 ? "no config.yaml, defaults hold" : "valid");
    }
    asy_settings_destroy(settings);
}
