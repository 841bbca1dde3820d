/* SPDX-License-Identifier: Apache-2.0
 * doctor_process.c - checks of what every process here inherits: limits and environment. */
#include "doctor.h"
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <asy/durable.h>
#include <asy/parse.h>

extern char **environ;

/* ---- limits -------------------------------------------------------------------------------- */

#define FILES_LEAST 256 /* a coordinator and a worker of two cores get on with these */
#define FILES_WANTED 1024

void asy__check_open_files(const struct asy__machine *machine, struct asy__finding *finding)
{
    struct rlimit limit = { 0, 0 };

    (void)machine;
    getrlimit(RLIMIT_NOFILE, &limit); /* cannot fail: the arguments are right */
    if (limit.rlim_cur < FILES_LEAST)
        asy__broken(finding, "%" PRIu64 " files may be open at once, a coordinator needs %d",
                    (uint64_t)limit.rlim_cur, FILES_LEAST);
    else if (limit.rlim_cur < FILES_WANTED)
        asy__warn(finding,
                  "%" PRIu64 " files may be open at once, which is few: each worker and "
                  "each trial takes some",
                  (uint64_t)limit.rlim_cur);
    else
        asy__ok(finding, "%" PRIu64, (uint64_t)limit.rlim_cur);
    if (finding->verdict == ASY__OK)
        return;
    if (limit.rlim_max >= FILES_WANTED)
        asy__remedy(finding, "ulimit -n %" PRIu64,
                    (uint64_t)(limit.rlim_max < 65536 ? limit.rlim_max : 65536));
    else
        asy__remedy(finding,
                    "raise the hard limit (%" PRIu64 "): '* hard nofile 65536' in "
                    "/etc/security/limits.conf, LimitNOFILE= of the unit, docker run --ulimit "
                    "nofile=65536; then: ulimit -n 65536",
                    (uint64_t)limit.rlim_max);
}

/* Processes and threads of this user. */
static uint64_t tasks_of_user(void)
{
    struct dirent *entry;
    uint64_t n = 0;
    DIR *dir = opendir("/proc");

    while (dir && (entry = readdir(dir))) {
        char path[300];
        struct stat st;
        DIR *tasks;

        snprintf(path, sizeof path, "/proc/%s/task", entry->d_name);
        if (strspn(entry->d_name, "0123456789") != strlen(entry->d_name) || stat(path, &st) < 0 ||
            st.st_uid != getuid() || !(tasks = opendir(path)))
            continue;
        while (readdir(tasks))
            n++;
        n -= n < 2 ? n : 2; /* "." and ".." */
        closedir(tasks);
    }
    if (dir)
        closedir(dir);
    return n;
}

#define TASKS_WANTED 256

void asy__check_processes(const struct asy__machine *machine, struct asy__finding *finding)
{
    struct rlimit limit = { 0, 0 };
    uint64_t used = tasks_of_user();

    (void)machine;
    getrlimit(RLIMIT_NPROC, &limit);
    if (limit.rlim_cur == RLIM_INFINITY) {
        asy__ok(finding, "no limit, %" PRIu64 " in use", used);
    } else if (limit.rlim_cur < used + TASKS_WANTED) {
        asy__warn(finding,
                  "%" PRIu64 " of at most %" PRIu64 " processes and threads of this user "
                  "are in use; Assay wants room for %d",
                  used, (uint64_t)limit.rlim_cur, TASKS_WANTED);
        asy__remedy(finding, "ulimit -u %" PRIu64 ", or end what runs for nothing: ps -u %u",
                    used + 4 * TASKS_WANTED, (unsigned)getuid());
    } else {
        asy__ok(finding, "%" PRIu64 " of %" PRIu64 " in use", used, (uint64_t)limit.rlim_cur);
    }
}

/* Where the kernel puts core files; "" if it hands them to a program. */
static void core_file(char ret[256])
{
    char *text = NULL;
    size_t len;

    ret[0] = 0;
    if (asy_read_file("/proc/sys/kernel/core_pattern", 4096, &text, &len, NULL) == 0 &&
        text[0] != '|')
        snprintf(ret, 256, "%.*s", (int)strcspn(text, "\n"), text);
    free(text);
}

void asy__check_limits(const struct asy__machine *machine, struct asy__finding *finding)
{
    static const struct {
        int which;
        const char *what, *flag;
        rlim_t enough; /* from here on it does not matter; 0: only no limit at all */
    } limits[] = {
        { RLIMIT_CPU, "CPU seconds of a process", "t", 0 },
        { RLIMIT_FSIZE, "bytes of a file", "f", (rlim_t)1 << 40 },
        { RLIMIT_AS, "bytes of address space", "v", (rlim_t)1 << 40 },
        { RLIMIT_DATA, "bytes of data", "d", (rlim_t)1 << 40 },
    };
    struct rlimit limit = { 0, 0 };
    char core[256];

    (void)machine;
    for (size_t i = 0; i < ASY_ARRAY_LEN(limits); i++) {
        getrlimit((__rlimit_resource_t)limits[i].which, &limit);
        if (limit.rlim_cur == RLIM_INFINITY ||
            (limits[i].enough && limit.rlim_cur >= limits[i].enough))
            continue;
        asy__warn(finding, "at most %" PRIu64 " %s", (uint64_t)limit.rlim_cur, limits[i].what);
        asy__remedy(finding, "ulimit -%s unlimited%s", limits[i].flag,
                    limit.rlim_max == RLIM_INFINITY ? "" : " (the hard limit too)");
    }
    if (finding->verdict != ASY__OK)
        return;
    getrlimit(RLIMIT_CORE, &limit);
    core_file(core);
    if (limit.rlim_cur > 0 && core[0])
        asy__ok(finding, "none; a program that crashes leaves a core file ('%s')", core);
    else
        asy__ok(finding, "none");
}

/* ---- environment --------------------------------------------------------------------------- */

static int has_slurm(void)
{
    const char *path = getenv("PATH");
    char file[4200];

    while (path && *path) {
        size_t len = strcspn(path, ":");

        snprintf(file, sizeof file, "%.*s/squeue", (int)len, path);
        if (len && access(file, X_OK) == 0)
            return 1;
        path += len + (path[len] == ':');
    }
    return 0;
}

/* Variables that change what Assay or its trials do. A name that ends in '*' stands for all that
 * begin so. */
static const struct variable {
    const char *name;
    enum asy__verdict verdict;
    const char *effect;
    int (*harmless)(void); /* NULL: never */
} variables[] = {
    { "ASSAY_FAIL_AT", ASY__BROKEN, "kills the worker on purpose (for tests)", NULL },
    { "ASSAY_PROGRAMS", ASY__WARNING, "lets the worker take programs from another folder", NULL },
    { "ASSAY_SOCKET", ASY__WARNING, "this shell belongs to a trial", NULL },
    { "OMP_NUM_THREADS", ASY__WARNING,
      "trials get the number of their cores instead, programs run by hand do not", NULL },
    { "OPENBLAS_NUM_THREADS", ASY__WARNING,
      "trials get the number of their cores instead, programs run by hand do not", NULL },
    { "GOTO_NUM_THREADS", ASY__WARNING, "an old name of OPENBLAS_NUM_THREADS", NULL },
    { "OPENBLAS_CORETYPE", ASY__WARNING,
      "chooses the BLAS kernel: other speed and other bits than elsewhere", NULL },
    { "OPENBLAS_*", ASY__WARNING, "changes how OpenBLAS works", NULL },
    { "OMP_PROC_BIND", ASY__WARNING, "binds threads against the cores of a trial", NULL },
    { "OMP_PLACES", ASY__WARNING, "binds threads against the cores of a trial", NULL },
    { "GOMP_CPU_AFFINITY", ASY__WARNING, "binds threads against the cores of a trial", NULL },
    { "KMP_AFFINITY", ASY__WARNING, "binds threads against the cores of a trial", NULL },
    { "OMPI_ALLOW_RUN_AS_ROOT*", ASY__OK, "", NULL },
    { "OMPI_*", ASY__WARNING, "left by an mpirun, or a setting of Open MPI; trials do not get it",
      NULL },
    { "PMIX_*", ASY__WARNING, "left by an mpirun; trials do not get it", NULL },
    { "PMI_*", ASY__WARNING, "left by an mpirun or srun; trials do not get it", NULL },
    { "SLURM_*", ASY__WARNING,
      "left by a Slurm job, but there is no squeue here to ask for the "
      "time that is left",
      has_slurm },
};

static const struct variable *variable_of(const char *entry, size_t len)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(variables); i++) {
        const char *name = variables[i].name;
        size_t n = strcspn(name, "*");

        if (name[n] ? len >= n && !strncmp(entry, name, n) : len == n && !strncmp(entry, name, n))
            return &variables[i];
    }
    return NULL;
}

void asy__check_environment(const struct asy__machine *machine, struct asy__finding *finding)
{
    int told[ASY_ARRAY_LEN(variables)] = { 0 };

    (void)machine;
    for (char **entry = environ; *entry; entry++) {
        size_t len = strcspn(*entry, "=");
        const struct variable *variable = variable_of(*entry, len);

        if (!variable || variable->verdict == ASY__OK ||
            (variable->harmless && variable->harmless()))
            continue;
        if (told[variable - variables]++)
            continue; /* one of a family is enough */
        (variable->verdict == ASY__BROKEN ? asy__broken : asy__warn)(
            finding, "%.*s is set: %s", len < 80 ? (int)len : 80, *entry, variable->effect);
        if (strchr(variable->name, '*'))
            asy__remedy(finding, "unset ${!%.*s@}", (int)strcspn(variable->name, "*"),
                        variable->name);
        else
            asy__remedy(finding, "unset %s", variable->name);
    }
    if (finding->verdict == ASY__OK)
        asy__ok(finding, "nothing that matters");
}
