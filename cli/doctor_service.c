/* SPDX-License-Identifier: Apache-2.0
 * doctor_service.c - checks of what runs, or ran, in this home: discovery file, coordinator, store,
 * port, and what dead workers left behind. */
#include "doctor.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <asy/address.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/parse.h>
#include <asy/proc.h>
#include <asy/settings.h>
#include <asy/version.h>

/* ---- the coordinator ----------------------------------------------------------------------- */

/* A process of this host, from /proc; "?" if it cannot be seen. */
static void process_name(int64_t pid, char ret[64])
{
    char path[64], *text = NULL;
    size_t len;

    snprintf(path, sizeof path, "/proc/%" PRId64 "/comm", pid);
    snprintf(ret, 64, "?");
    if (asy_read_file(path, 4096, &text, &len, NULL) == 0)
        snprintf(ret, 64, "%.*s", (int)strcspn(text, "\n"), text);
    free(text);
}

static int is_here(const char *boot)
{
    struct asy_discovery here = { .pid = 0 };

    return asy_discovery_here(&here, NULL) == 0 && !strcmp(here.boot_id, boot);
}

static void check_stale(const struct asy__machine *machine, struct asy__finding *finding)
{
    const struct asy_discovery *found = &machine->discovery;

    if (is_here(found->boot_id) && asy_proc_lives(found->pid)) {
        asy__warn(finding,
                  "pid %" PRId64 " on '%s' does not serve this home: the file was copied here, or "
                  "its coordinator has ended and the number was used again",
                  found->pid, found->host);
        asy__remedy(finding, "nothing to do; the next command starts another: assay ls");
        return;
    }
    asy__warn(finding,
              "of a coordinator that does not live any more: pid %" PRId64 " on '%s'; "
              "it did not end in order",
              found->pid, found->host);
    asy__remedy(finding,
                "nothing acknowledged is lost; the next command starts another: assay "
                "ls (why it ended: tail %s/node.log)",
                machine->home);
}

void asy__check_discovery(const struct asy__machine *machine, struct asy__finding *finding)
{
    const struct asy_discovery *found = &machine->discovery;

    if (machine->discovery_code == ASY_E_NOENT) {
        asy__ok(finding, "none: no coordinator runs");
    } else if (machine->discovery_code < 0) {
        asy__broken(finding, "%s", machine->discovery_why.text);
        if (machine->discovery_code == ASY_E_CORRUPT)
            asy__remedy(finding,
                        "rm %s/coordinator.json (a living coordinator then has to be "
                        "started again)",
                        machine->home);
        else
            asy__remedy(finding, "chmod 600 %s/coordinator.json; chown %u %s/coordinator.json",
                        machine->home, (unsigned)geteuid(), machine->home);
    } else if (machine->discovery_stale) {
        check_stale(machine, finding);
    } else {
        asy__ok(finding, "pid %" PRId64 " on '%s', %s", found->pid, found->host,
                found->endpoints[0]);
    }
}

void asy__check_coordinator(const struct asy__machine *machine, struct asy__finding *finding)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__welcome welcome;
    const struct asy_discovery *found = &machine->discovery;
    int rc;

    if (machine->discovery_code < 0 || machine->discovery_stale) {
        asy__ok(finding, "none to ask");
        return;
    }
    if ((rc = asy__session_look(machine->home, NULL, &welcome, &err)) < 0) {
        asy__broken(finding, "pid %" PRId64 " on '%s', %s: %s", found->pid, found->host,
                    found->endpoints[0], err.text);
        if (rc == ASY_E_DENIED)
            asy__remedy(finding, "its list, keys/authorized, lacks this home's key: start it anew: "
                        "assay down; assay up");
        else
            asy__remedy(finding,
                        "see %s/node.log, and 'assay doctor addresses'; if it hangs, end it, "
                        "nothing acknowledged is lost: kill %" PRId64,
                        machine->home, found->pid);
    } else if (asy_id_cmp(welcome.store, found->store) || welcome.epoch != found->owner_epoch) {
        asy__broken(finding,
                    "%s answers for another store or another owner than the discovery "
                    "file names",
                    found->endpoints[0]);
        asy__remedy(finding, "rm %s/coordinator.json, then: assay ls", machine->home);
    } else if (strcmp(welcome.version, asy_version_number())) {
        asy__warn(finding, "it is version %s, this program %s", welcome.version,
                  asy_version_number());
        asy__remedy(finding, "start it anew, trials checkpoint: assay down; assay up");
    } else {
        asy__ok(finding, "answers, version %s, owner epoch %" PRIu64, welcome.version,
                welcome.epoch);
    }
}

/* ---- the store ----------------------------------------------------------------------------- */

/* The store is open by the coordinator of the discovery file. */
static void check_epoch(const struct asy__machine *machine, const struct asy_json *store,
                        struct asy__finding *finding)
{
    int64_t epoch = asy_json_i64(asy_json_get(store, "owner_epoch"), 0);
    int64_t pid = machine->discovery.pid;

    if ((uint64_t)epoch > machine->discovery.owner_epoch) {
        asy__broken(finding,
                    "its coordinator, pid %" PRId64 ", has owner epoch %" PRIu64
                    ", the store has %" PRId64 ": another process has taken it over",
                    pid, machine->discovery.owner_epoch, epoch);
        asy__remedy(finding, "end the one that lost it: kill %" PRId64 "; then: assay ls", pid);
    } else {
        asy__ok(finding, "open by its coordinator, pid %" PRId64, pid);
    }
}

/* Somebody holds the store's lock: it should be the coordinator of the discovery file. */
static void check_owner(const struct asy__machine *machine, const struct asy_json *store,
                        struct asy__finding *finding)
{
    const struct asy_json *holder = asy_json_get(store, "holder");
    const char *host = asy_json_str(asy_json_get(holder, "host"), "?");
    const char *boot = asy_json_str(asy_json_get(holder, "boot"), "");
    int64_t pid = asy_json_i64(asy_json_get(holder, "pid"), 0);
    char name[64];

    if (machine->discovery_code == 0 && !machine->discovery_stale &&
        machine->discovery.pid == pid) {
        check_epoch(machine, store, finding);
        return;
    }
    process_name(pid, name);
    if (!is_here(boot)) {
        asy__broken(finding,
                    "host '%s' holds it open (pid %" PRId64 "), and no discovery file "
                    "leads there",
                    host, pid);
        asy__remedy(finding, "end it there: ssh %s kill %" PRId64, host, pid);
    } else if (asy_proc_lives(pid)) {
        asy__broken(finding,
                    "process %" PRId64 " (%s) holds it open, and no discovery file leads "
                    "to it: no other coordinator can start",
                    pid, name);
        asy__remedy(finding, "if it is not just starting: kill %" PRId64, pid);
    } else {
        asy__broken(finding,
                    "a process that is not this machine's to name holds it open (pid "
                    "%" PRId64 " on '%s' wrote the lock)",
                    pid, host);
        asy__remedy(finding, "find it: fuser -v %s/store/assay.lock", machine->home);
    }
}

/* Nobody holds the lock as far as locks reach; on a shared disk that proves nothing about others.
 */
static void check_last_owner(const struct asy_json *store, const struct asy_json *holder,
                             struct asy__finding *finding)
{
    const char *host = asy_json_str(asy_json_get(holder, "host"), "?");
    int64_t pid = asy_json_i64(asy_json_get(holder, "pid"), 0);
    int64_t beat_us = asy_json_i64(asy_json_get(holder, "beat_us"), 0);
    int64_t age_s = (asy_clock_wall_us() - beat_us) / 1000000;

    if (!asy_json_bool(asy_json_get(holder, "open"), 0))
        return;
    if (asy_json_bool(asy_json_get(store, "network"), 0) &&
        !is_here(asy_json_str(asy_json_get(holder, "boot"), "")) && age_s < 30) {
        asy__broken(finding,
                    "host '%s' has it open (pid %" PRId64 ", last sign of life %" PRId64 " s ago)",
                    host, pid, age_s);
        asy__remedy(finding, "end it there: ssh %s kill %" PRId64, host, pid);
    }
}

void asy__check_store(const struct asy__machine *machine, struct asy__finding *finding)
{
    const struct asy_json *root = asy__probed(&machine->coordinator, "assay-coordinator", finding);
    const struct asy_json *store = asy_json_get(root, "store");
    const struct asy_json *holder = asy_json_get(store, "holder");
    const char *error = asy_json_str(asy_json_get(store, "error"), NULL);

    if (!root)
        return;
    if (error) {
        asy__broken(finding, "%s", error);
        asy__remedy(finding,
                    "keep the folder as it is, and put a backup in its place: mv "
                    "%s/store %s/store.bad",
                    machine->home, machine->home);
    }
    if (asy_json_bool(asy_json_get(store, "locked"), 0))
        check_owner(machine, store, finding);
    else
        check_last_owner(store, holder, finding);
    if (finding->found.len)
        return;
    if (!asy_json_bool(asy_json_get(store, "exists"), 0))
        asy__ok(finding, "none yet; it is made at first use");
    else
        asy__ok(finding, "whole, schema %" PRId64 ", not open%s",
                asy_json_i64(asy_json_get(store, "schema"), 0),
                asy_json_bool(asy_json_get(holder, "open"), 0)
                    ? " (its last owner did not close it in order; the next one takes it up)"
                    : "");
}

/* ---- the port ------------------------------------------------------------------------------ */

/* The n-th word of a line, from 0; its length is in *ret_len, 0: there are fewer. */
static const char *word_of(const char *line, int n, size_t *ret_len)
{
    line += strspn(line, " ");
    while (n-- > 0) {
        line += strcspn(line, " \n");
        line += strspn(line, " ");
    }
    *ret_len = strcspn(line, " \n");
    return line;
}

/* The inode of the socket that listens on a port; 0: none. The words of a line of /proc/net/tcp are
 * number, local address:port in hex, remote, state (0A: listening), three more pairs, uid, timeout,
 * inode. */
static uint64_t listener_inode(const char *table, int port)
{
    char *text = NULL, mark[8];
    uint64_t inode = 0;
    size_t len, n;

    if (asy_read_file(table, 64u << 20, &text, &len, NULL) < 0)
        return 0;
    snprintf(mark, sizeof mark, ":%04X", (unsigned)port & 0xffff);
    for (const char *line = text; *line && !inode; line += line[0] == '\n') {
        const char *local = word_of(line, 1, &n);

        if (n > strlen(mark) && !memcmp(local + n - strlen(mark), mark, strlen(mark)) &&
            !memcmp(word_of(line, 3, &n), "0A", 2)) {
            const char *word = word_of(line, 9, &n);

            if (asy_parse_u64(word, n, &inode, NULL) < 0)
                inode = 0;
        }
        line += strcspn(line, "\n");
    }
    free(text);
    return inode;
}

/* The process that has a socket open; 0: it cannot be seen. */
static int64_t owner_of(uint64_t inode)
{
    struct dirent *process, *file;
    DIR *processes = opendir("/proc"), *files;
    int64_t pid = 0, candidate;
    char path[600], link[64], want[64];

    snprintf(want, sizeof want, "socket:[%" PRIu64 "]", inode);
    while (processes && !pid && (process = readdir(processes))) {
        if (asy_parse_i64(process->d_name, strlen(process->d_name), &candidate, NULL) < 0)
            continue;
        snprintf(path, sizeof path, "/proc/%s/fd", process->d_name);
        files = opendir(path);
        while (files && !pid && (file = readdir(files))) {
            ssize_t n = readlinkat(dirfd(files), file->d_name, link, sizeof link - 1);

            if (n > 0 && (size_t)n == strlen(want) && !memcmp(link, want, (size_t)n))
                pid = candidate;
        }
        if (files)
            closedir(files);
    }
    if (processes)
        closedir(processes);
    return pid;
}

/* Whether loopback, or all addresses, can be listened on now. 0 or errno. */
static int try_port(int all, int port)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, errnum = 0;

    if (fd < 0)
        return errno;
    addr.sin_addr.s_addr = htonl(all ? INADDR_ANY : INADDR_LOOPBACK);
    ASY_IGNORE(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0);
    if (bind(fd, (const struct sockaddr *)&addr, sizeof addr) < 0 || listen(fd, 1) < 0)
        errnum = errno;
    close(fd);
    return errnum;
}

static void say_taken(int port, struct asy__finding *finding)
{
    uint64_t inode = listener_inode("/proc/net/tcp", port);
    int64_t pid;
    char name[64];

    if (!inode)
        inode = listener_inode("/proc/net/tcp6", port);
    pid = inode ? owner_of(inode) : 0;
    if (pid) {
        process_name(pid, name);
        asy__warn(finding,
                  "port %d of this store is taken by process %" PRId64 " (%s): the "
                  "coordinator will choose another, which whoever was told the old one must learn",
                  port, pid, name);
        asy__remedy(finding, "to keep the port, end that process: kill %" PRId64, pid);
    } else {
        asy__warn(finding,
                  "port %d of this store is taken by a process of another user: the "
                  "coordinator will choose another, which whoever was told the old one must learn",
                  port);
        asy__remedy(finding, "see who has it: ss -ltnp 'sport = :%d'", port);
    }
}

void asy__check_port(const struct asy__machine *machine, struct asy__finding *finding)
{
    const struct asy_json *root = asy__probed(&machine->coordinator, "assay-coordinator", finding);
    const struct asy_json *store = asy_json_get(root, "store");
    int port = (int)asy_json_i64(asy_json_get(store, "port"), 0), errnum, rc = 0;
    struct asy_settings *settings = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_addresses here = { .all = 1 };
    char path[4200], why[80];

    if (!root)
        return;
    if (port <= 0 || asy_json_bool(asy_json_get(store, "locked"), 0)) {
        if (port > 0)
            asy__ok(finding, "%d, in use by the store's owner", port);
        else
            asy__ok(finding, "none chosen yet");
        return;
    }
    snprintf(path, sizeof path, "%s/config.yaml", machine->home);
    if (asy_settings_load(path, &settings, NULL) == 0) /* else 'config' says it */
        rc = asy_addresses_find(asy_settings_str(settings, "interface"), &here, &err);
    errnum = try_port(here.all, port);
    if (rc) {
        asy__broken(finding, "cannot listen: %s", err.text);
        asy__remedy(finding, "name an address that is this machine's (ip addr): 'interface' in %s",
                    path);
    } else if (errnum == EADDRINUSE) {
        say_taken(port, finding);
    } else if (errnum) {
        asy__broken(finding, "cannot listen on port %d: %s", port, asy_errno_text(errnum, why));
    } else {
        asy__ok(finding, "%d is free", port);
    }
    asy_settings_destroy(settings);
}

/* ---- what dead workers left ---------------------------------------------------------------- */

/* Folders work/HOST.PID of workers of this host that do not live, and of other hosts. */
static void count_work(const char *home, int *ret_dead, int *ret_elsewhere)
{
    char path[4200], host[256] = "";
    struct dirent *entry;
    DIR *dir;

    ASY_IGNORE(gethostname(host, sizeof host - 1) < 0); /* "": all are of other hosts */
    snprintf(path, sizeof path, "%s/work", home);
    dir = opendir(path);
    while (dir && (entry = readdir(dir))) {
        const char *dot = strrchr(entry->d_name, '.');
        int64_t pid;

        if (!dot || asy_parse_i64(dot + 1, strlen(dot + 1), &pid, NULL) < 0)
            continue;
        if (strlen(host) != (size_t)(dot - entry->d_name) ||
            memcmp(host, entry->d_name, strlen(host)))
            (*ret_elsewhere)++;
        else if (!asy_proc_lives(pid))
            (*ret_dead)++;
    }
    if (dir)
        closedir(dir);
}

/* The worker that started a process for a trial of this home: the pid in the name of its socket's
 * folder, "…/assay-<uid>-<pid>-…/<n>"; 0: it is no such process. */
static int64_t worker_of(const char *process, const char *home)
{
    char path[300], mark[4200], *text = NULL, *at, *slash;
    const char *socket = NULL;
    int64_t worker = 0, uid;
    int ours = 0;
    size_t len;

    snprintf(path, sizeof path, "/proc/%s/environ", process);
    if (asy_read_file(path, 16u << 20, &text, &len, NULL) < 0)
        return 0;
    snprintf(mark, sizeof mark, "ASSAY_HOME=%s", home);
    for (at = text; at < text + len; at += strlen(at) + 1) {
        if (!strncmp(at, "ASSAY_SOCKET=", strlen("ASSAY_SOCKET=")))
            socket = at;
        ours |= !strcmp(at, mark);
    }
    if (ours && socket && (at = strstr(socket, "/assay-")) && (slash = strchr(at + 1, '/'))) {
        at += strlen("/assay-");
        if (asy_parse_i64(at, strcspn(at, "-/"), &uid, NULL) == 0 && at[strcspn(at, "-/")] == '-') {
            at += strcspn(at, "-/") + 1;
            if (asy_parse_i64(at, strcspn(at, "-/"), &worker, NULL) < 0)
                worker = 0;
        }
    }
    free(text);
    return worker;
}

static void check_orphans(const char *home, struct asy__finding *finding)
{
    struct dirent *entry;
    DIR *dir = opendir("/proc");

    while (dir && (entry = readdir(dir))) {
        int64_t pid, worker;
        char name[64];

        if (asy_parse_i64(entry->d_name, strlen(entry->d_name), &pid, NULL) < 0 ||
            (worker = worker_of(entry->d_name, home)) <= 0 || asy_proc_lives(worker))
            continue;
        process_name(pid, name);
        asy__warn(finding, "process %" PRId64 " (%s) of a trial outlived its worker %" PRId64, pid,
                  name, worker);
        asy__remedy(finding, "kill -9 %" PRId64, pid);
    }
    if (dir)
        closedir(dir);
}

void asy__check_leftovers(const struct asy__machine *machine, struct asy__finding *finding)
{
    int dead = 0, elsewhere = 0;

    count_work(machine->home, &dead, &elsewhere);
    check_orphans(machine->home, finding);
    if (elsewhere) {
        asy__warn(finding, "%d work folders of workers on other hosts", elsewhere);
        asy__remedy(finding, "if none of them lives any more: ls %s/work, and remove theirs",
                    machine->home);
    }
    if (finding->verdict == ASY__OK && dead)
        asy__ok(finding, "%d work folders of dead workers, which the next one removes", dead);
    else if (finding->verdict == ASY__OK)
        asy__ok(finding, "nothing");
}
