/* SPDX-License-Identifier: Apache-2.0
 * doctor_machine.c - checks of the machine: cores, memory, cgroups, kernel, clock, temporary files.
 */
#include "doctor.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/parse.h>
#include <asy/version.h>

#define MIB 1048576.0
#define GIB 1073741824.0

/* ---- cores and memory ---------------------------------------------------------------------- */

void asy__check_cores(const struct asy__machine *machine, struct asy__finding *finding)
{
    const struct asy_json *root = asy__probed(&machine->worker, "assay-worker", finding);
    const struct asy_json *hardware = asy_json_get(root, "hardware");
    int64_t cores = asy_json_i64(asy_json_get(hardware, "cores"), 0);
    const char *model = asy_json_str(asy_json_get(hardware, "model"), "?");
    int64_t numa = asy_json_i64(asy_json_get(hardware, "numa"), 0);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t set;
    int allowed;

    if (!root)
        return;
    CPU_ZERO(&set);
    allowed = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)online;
    if (allowed < online) {
        asy__warn(finding,
                  "%" PRId64 " core%s for trials: this process may use %d of %ld CPUs (%s)", cores,
                  ASY_S(cores), allowed, online, model);
        asy__remedy(finding,
                    "if that is not meant: start it outside taskset, or with more CPUs "
                    "(taskset -pc 0-%ld $$; docker run --cpuset-cpus; #SBATCH --cpus-per-task)",
                    online - 1);
    } else {
        asy__ok(finding, "%" PRId64 " core%s for trials, %ld CPU%s, %" PRId64 " NUMA group%s (%s)",
                cores, ASY_S(cores), online, ASY_S(online), numa, ASY_S(numa), model);
    }
}

void asy__check_cpu_quota(const struct asy__machine *machine, struct asy__finding *finding)
{
    const struct asy_json *root = asy__probed(&machine->worker, "assay-worker", finding);
    double quota = asy_json_f64(asy_json_get(asy_json_get(root, "hardware"), "cpu_quota"), 0);

    if (!root)
        return;
    if (quota > 0) {
        asy__warn(finding,
                  "a cgroup grants the time of %.2f CPUs; no more trials of one core are "
                  "run at once",
                  quota);
        asy__remedy(finding, "if that is not meant: raise it (docker run --cpus; systemctl "
                             "set-property UNIT CPUQuota=; resources.limits.cpu)");
    } else {
        asy__ok(finding, "none");
    }
}

/* A line "Name:   123 kB" of /proc/meminfo, in bytes; 0: not there. */
static double meminfo(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    uint64_t kib;

    if (!at)
        return 0;
    at += strlen(name);
    at += strspn(at, " ");
    return asy_parse_u64(at, strspn(at, "0123456789"), &kib, NULL) < 0 ? 0 : (double)kib * 1024;
}

void asy__check_memory(const struct asy__machine *machine, struct asy__finding *finding)
{
    const struct asy_json *root = asy__probed(&machine->worker, "assay-worker", finding);
    const struct asy_json *hardware = asy_json_get(root, "hardware");
    double offered = asy_json_f64(asy_json_get(hardware, "memory"), 0), total, available;
    double seen = asy_json_f64(asy_json_get(hardware, "memory_total"), 0);
    char *text = NULL;
    size_t len;

    if (!root)
        return;
    if (asy_read_file("/proc/meminfo", 1u << 20, &text, &len, NULL) < 0) {
        asy__warn(finding, "cannot read /proc/meminfo");
        asy__remedy(finding, "mount -t proc proc /proc");
        return;
    }
    total = meminfo(text, "MemTotal:");
    available = meminfo(text, "MemAvailable:");
    free(text);
    if (seen < 0.9 * total) {
        asy__warn(finding,
                  "the NUMA nodes of this machine show %.1f GiB, the kernel has %.1f: "
                  "trials get %.1f GiB at most",
                  seen / GIB, total / GIB, offered / GIB);
        asy__remedy(finding, "assay-worker --memory %.0fGiB", total * 0.9 / GIB);
    } else if (offered < 0.8 * seen) {
        asy__warn(finding, "a cgroup limits memory: trials get %.1f GiB of %.1f", offered / GIB,
                  total / GIB);
        asy__remedy(finding, "if that is not meant: raise it (docker run --memory; systemctl "
                             "set-property UNIT MemoryMax=; #SBATCH --mem)");
    }
    if (available < 512 * MIB) {
        asy__warn(finding, "only %.0f MiB are free now", available / MIB);
        asy__remedy(finding, "see what holds it: ps aux --sort=-rss | head");
    }
    if (finding->verdict == ASY__OK)
        asy__ok(finding, "%.1f GiB for trials of %.1f, %.1f free now", offered / GIB, total / GIB,
                available / GIB);
}

void asy__check_cgroup(const struct asy__machine *machine, struct asy__finding *finding)
{
    const struct asy_json *root = asy__probed(&machine->worker, "assay-worker", finding);
    const char *cgroup = asy_json_str(asy_json_get(root, "cgroup"), "");

    if (!root)
        return;
    if (*cgroup) {
        asy__ok(finding, "groups can be made in '%s'", cgroup);
        return;
    }
    asy__warn(finding, "not delegated to this user: memory of trials is watched instead of limited "
                       "by the kernel, and processes are ended one by one");
    asy__remedy(finding, "systemd-run --user --scope -p Delegate=yes assay up");
}

/* ---- kernel -------------------------------------------------------------------------------- */

static int has_pidfd(void)
{
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

    if (fd < 0)
        return 0;
    close(fd);
    return 1;
}

static int has_signalfd(void)
{
    sigset_t set;
    int fd;

    sigemptyset(&set);
    if ((fd = signalfd(-1, &set, SFD_CLOEXEC)) < 0)
        return 0;
    close(fd);
    return 1;
}

static int has_subreaper(void)
{
    int is;

    return prctl(PR_GET_CHILD_SUBREAPER, &is) == 0;
}

static int has_ofd_locks(void)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC), has;

    if (fd < 0)
        return 0;
    has = fcntl(fd, F_OFD_GETLK, &lock) == 0;
    close(fd);
    return has;
}

static int has_statx(void)
{
    struct statx st;

    return statx(AT_FDCWD, "/", 0, STATX_INO, &st) == 0;
}

void asy__check_kernel(const struct asy__machine *machine, struct asy__finding *finding)
{
    static const struct {
        const char *name;
        int (*has)(void);
    } features[] = {
        { "pidfd_open", has_pidfd },
        { "signalfd", has_signalfd },
        { "child subreapers", has_subreaper },
        { "OFD locks", has_ofd_locks },
        { "statx", has_statx },
    };
    struct utsname name = { .sysname = "" };

    (void)machine;
    ASY_IGNORE(uname(&name)); /* only for the text */
    for (size_t i = 0; i < ASY_ARRAY_LEN(features); i++)
        if (!features[i].has())
            asy__broken(finding, "%s %s has no %s", name.sysname, name.release, features[i].name);
    if (finding->verdict == ASY__OK)
        asy__ok(finding, "%s %s", name.sysname, name.release);
    else
        asy__remedy(finding, "a kernel from 5.3 on, or a container whose seccomp profile allows "
                             "these calls (docker run --security-opt seccomp=unconfined)");
}

/* ---- clock --------------------------------------------------------------------------------- */

#define SKEW_S 60 /* clocks of file servers differ by less */
#define FAR_S 3600
#define ENTRIES_MAX 20000

/* The newest change of a file in a folder (not below it). */
static void newest_in(const char *home, const char *name, int64_t *newest_s, char file[512])
{
    char path[4400];
    struct dirent *entry;
    struct stat st;
    DIR *dir;
    int n = 0;

    snprintf(path, sizeof path, "%s/%s", home, name);
    dir = opendir(path);
    while (dir && n++ < ENTRIES_MAX && (entry = readdir(dir)))
        if (strcmp(entry->d_name, "..") &&
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_mtim.tv_sec > *newest_s) {
            *newest_s = st.st_mtim.tv_sec;
            snprintf(file, 512, "%s%s%s", name, *name ? "/" : "", entry->d_name);
        }
    if (dir)
        closedir(dir);
}

static int monotonic_runs(void)
{
    int64_t was = asy_clock_ns();

    for (int i = 0; i < 100000; i++) {
        int64_t now = asy_clock_ns();

        if (now < was)
            return 0;
        was = now;
    }
    return 1;
}

void asy__check_clock(const struct asy__machine *machine, struct asy__finding *finding)
{
    static const char *const folders[] = { "", "keys", "store", "logs" };
    static const char mend[] = "set the clock: timedatectl set-ntp true, or chronyc makestep";
    int64_t now_us = asy_clock_wall_us(), now_s = now_us / 1000000, newest_s = 0, ahead_s;
    char now[32], then[32], file[512] = "";

    asy_clock_format(now_us, now);
    if (now_s + SKEW_S < asy_version_commit_s()) {
        asy_clock_format(asy_version_commit_s() * 1000000, then);
        asy__broken(finding, "it is %s by the clock, but this version was made at %s", now, then);
        asy__remedy(finding, "%s", mend);
    }
    for (size_t i = 0; i < ASY_ARRAY_LEN(folders); i++)
        newest_in(machine->home, folders[i], &newest_s, file);
    ahead_s = newest_s - now_s;
    if (ahead_s > SKEW_S) {
        asy_clock_format(newest_s * 1000000, then);
        (ahead_s > FAR_S ? asy__broken : asy__warn)(
            finding, "it is %s by the clock, but '%s' in the home was changed at %s", now, file,
            then);
        asy__remedy(finding, "%s; if the clock is right, the file's time is wrong: touch %s/%s",
                    mend, machine->home, file);
    }
    if (!monotonic_runs()) {
        asy__broken(finding, "the monotonic clock goes backwards");
        asy__remedy(finding, "choose another clock source: echo hpet > /sys/devices/system/"
                             "clocksource/clocksource0/current_clocksource");
    }
    if (finding->verdict == ASY__OK)
        asy__ok(finding, "%s", now);
}

/* ---- sockets and temporary files ----------------------------------------------------------- */

void asy__check_sockets(const struct asy__machine *machine, struct asy__finding *finding)
{
    const struct asy_json *root = asy__probed(&machine->worker, "assay-worker", finding);
    const char *socket = asy_json_str(asy_json_get(root, "socket"), "not tried");
    const char *path = asy_json_str(asy_json_get(root, "socket_path"), "");

    if (!root)
        return;
    if (strcmp(socket, "ok")) {
        asy__broken(finding, "%s", socket);
        asy__remedy(finding, "see that /tmp can be written: chmod 1777 /tmp; df -h /tmp");
    } else {
        asy__ok(finding, "one was made at '%s' (%zu of 107 characters)", path, strlen(path));
    }
}

void asy__check_shm(const struct asy__machine *machine, struct asy__finding *finding)
{
    const struct asy_json *hardware = asy_json_get(machine->worker.root, "hardware");
    double cores = (double)asy_json_i64(asy_json_get(hardware, "cores"), 1), free_bytes;
    double wanted = 8 * MIB * (cores > 8 ? cores : 8); /* vader's segment of a rank, doubled */
    struct statvfs fs;
    char why[80];

    if (statvfs("/dev/shm", &fs) < 0 || access("/dev/shm", W_OK) < 0) {
        asy__broken(finding, "cannot write to /dev/shm: %s", asy_errno_text(errno, why));
        asy__remedy(finding, "mount -t tmpfs -o mode=1777 tmpfs /dev/shm");
        return;
    }
    free_bytes = (double)fs.f_bavail * (double)fs.f_frsize;
    if (free_bytes < wanted) {
        asy__warn(finding, "%.0f MiB free, ranks of %.0f cores may want %.0f", free_bytes / MIB,
                  cores, wanted / MIB);
        asy__remedy(finding, "mount -o remount,size=50%% /dev/shm (docker run --shm-size=1g), or "
                             "remove what was left there: ls -l /dev/shm");
    } else {
        asy__ok(finding, "%.0f MiB free", free_bytes / MIB);
    }
}

/* Open MPI puts Unix sockets below TMPDIR, with about this much behind it. */
#define MPI_TAIL 45

void asy__check_tmpdir(const struct asy__machine *machine, struct asy__finding *finding)
{
    const char *tmpdir = getenv("TMPDIR"), *dir = tmpdir && *tmpdir ? tmpdir : "/tmp";
    char path[4200], why[80];
    int fd;

    (void)machine;
    snprintf(path, sizeof path, "%s/assay-doctor-XXXXXX", dir);
    if ((fd = mkostemp(path, O_CLOEXEC)) < 0) {
        asy__broken(finding, "cannot make a file in '%s': %s", dir, asy_errno_text(errno, why));
        asy__remedy(finding,
                    tmpdir && *tmpdir ? "unset TMPDIR, or make that folder: mkdir -p %s"
                                      : "chmod 1777 %s; df -h /tmp",
                    dir);
        return;
    }
    close(fd);
    unlink(path);
    if (strlen(dir) + MPI_TAIL > 107) {
        asy__warn(finding,
                  "TMPDIR has %zu characters: Open MPI's sockets below it get longer than "
                  "the kernel's 107",
                  strlen(dir));
        asy__remedy(finding, "export TMPDIR=/tmp");
    } else {
        asy__ok(finding, "'%s'", dir);
    }
}
