/* SPDX-License-Identifier: Apache-2.0
 * doctor_programs.c - checks of the installation: programs, their libraries and versions, MPI, and
 * whether the arithmetic is right and fast. */
#include "doctor.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <asy/durable.h>
#include <asy/proc.h>
#include <asy/version.h>

/* ---- programs ------------------------------------------------------------------------------ */

/* A program that is there but may not be run is passed over by the search; this finds it. */
static int not_executable(const char *name, char path[4200])
{
    char folder[4096];

    if (asy_proc_self_dir(folder, sizeof folder, NULL) < 0)
        return 0;
    snprintf(path, 4200, "%s/%s", folder, name);
    return access(path, F_OK) == 0 && access(path, X_OK) < 0;
}

void asy__check_programs(const struct asy__machine *machine, struct asy__finding *finding)
{
    char folder[4096] = "?", path[4200];
    int missing = 0;

    for (size_t i = 0; i < ASY__PROGRAMS; i++) {
        const struct asy__program *program = &machine->programs[i];

        if (program->path[0])
            continue;
        missing++;
        if (not_executable(program->name, path)) {
            asy__broken(finding, "'%s' may not be run", path);
            asy__remedy(finding, "chmod +x %s", path);
        } else {
            asy__broken(finding, "%s is missing", program->name);
        }
    }
    ASY_IGNORE(asy_proc_self_dir(folder, sizeof folder, NULL)); /* only for the text */
    if (!missing)
        asy__ok(finding, "all there, in '%s'", folder);
    else if (!finding->remedy.len)
        asy__remedy(finding,
                    "install Assay again: cmake --install build/release (all programs "
                    "belong beside 'assay' in '%s', or in '%s/../libexec/assay')",
                    folder, folder);
}

/* ---- libraries ----------------------------------------------------------------------------- */

/* The Debian package that has a shared library. */
static const struct {
    const char *library, *package;
} packages[] = {
    { "libzmq.so", "libzmq5" },          { "libopenblas.so", "libopenblas0" },
    { "libmpi.so", "libopenmpi3" },      { "libhwloc.so", "libhwloc15" },
    { "libsqlite3.so", "libsqlite3-0" }, { "libprotobuf-c.so", "libprotobuf-c1" },
    { "libjansson.so", "libjansson4" },  { "libyaml-0.so", "libyaml-0-2" },
    { "libcrypto.so", "libssl3" },       { "libz.so", "zlib1g" },
    { "libpcre2-8.so", "libpcre2-8-0" }, { "libsodium.so", "libsodium23" },
};

static const char *package_of(const char *text)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(packages); i++)
        if (strstr(text, packages[i].library))
            return packages[i].package;
    return NULL;
}

void asy__check_libraries(const struct asy__machine *machine, struct asy__finding *finding)
{
    int asked = 0;

    for (size_t i = 0; i < ASY__PROGRAMS; i++) {
        const struct asy__program *program = &machine->programs[i];
        const char *package = package_of(program->why.text);

        if (!program->path[0])
            continue;
        asked++;
        if (program->about)
            continue;
        asy__broken(finding, "%s does not start: %s", program->name, program->why.text);
        if (package)
            asy__remedy(finding, "apt-get install %s", package);
        else
            asy__remedy(finding, "ldd %s (and install what it does not find)", program->path);
    }
    if (finding->verdict == ASY__OK && asked)
        asy__ok(finding, "%d programs start", asked);
    else if (!asked) {
        asy__broken(finding, "there is no program to try");
        asy__remedy(finding, "mend what 'programs' says first");
    }
}

void asy__check_versions(const struct asy__machine *machine, struct asy__finding *finding)
{
    for (size_t i = 0; i < ASY__PROGRAMS; i++) {
        const struct asy__program *program = &machine->programs[i];
        const char *version = asy_json_str(asy_json_get(program->about, "version"), "?");
        const char *commit = asy_json_str(asy_json_get(program->about, "commit"), "?");

        if (!program->about)
            continue; /* the checks before say it */
        if (strcmp(version, asy_version_number()))
            asy__broken(finding, "%s is version %s, assay is %s", program->path, version,
                        asy_version_number());
        else if (strcmp(commit, asy_version_commit()))
            asy__warn(finding, "%s is of commit %s, assay of %s", program->path, commit,
                      asy_version_commit());
    }
    if (finding->verdict == ASY__OK)
        asy__ok(finding, "%s (%s)", asy_version_number(), asy_version_commit());
    else
        asy__remedy(finding, "install all programs from one build: cmake --install build/release");
}

/* ---- MPI ----------------------------------------------------------------------------------- */

/* mpirun frames its messages with dashes: the first line with words. */
static void first_words(const char *text, char ret[240])
{
    ret[0] = 0;
    while (*text && !ret[0]) {
        size_t len = strcspn(text, "\n");

        for (size_t i = 0; i < len && text[0] != '{'; i++) /* that is what the ranks say */
            if (isalpha((unsigned char)text[i])) {
                snprintf(ret, 240, "%.*s", (int)len, text);
                break;
            }
        text += len + (text[len] != 0);
    }
}

void asy__check_mpi(const struct asy__machine *machine, struct asy__finding *finding)
{
    const struct asy_json *root = asy__probed(&machine->worker, "assay-worker", finding);
    const struct asy_json *programs = asy_json_get(root, "programs");
    const char *mpirun = asy_json_str(asy_json_get(programs, "mpirun"), "");
    const char *gang = asy_json_str(asy_json_get(root, "gang"), NULL);
    const char *launcher =
        asy_json_str(asy_json_get(asy_json_get(root, "hardware"), "launcher"), "");
    char words[240];

    if (!root)
        return;
    if (!*mpirun) {
        asy__broken(finding, "no mpirun in PATH: trials of more than one rank cannot start");
        asy__remedy(finding, "apt-get install openmpi-bin, or put the folder of mpirun on PATH "
                             "(on a cluster: module load openmpi)");
        return;
    }
    if (!strstr(launcher, "Open MPI")) {
        asy__broken(finding,
                    "'%s' is not Open MPI, which assay-trainer is linked with (it says "
                    "'%s')",
                    mpirun, launcher);
        asy__remedy(finding, "put Open MPI's mpirun first on PATH: apt-get install openmpi-bin");
        return;
    }
    if (!gang) {
        asy__warn(finding, "%s, not tried: assay-trainer is missing", launcher);
        asy__remedy(finding, "mend what 'programs' says first");
    } else if (strcmp(gang, "ok")) {
        first_words(asy_json_str(asy_json_get(root, "gang_said"), ""), words);
        asy__broken(finding, "%s (%s) does not start two ranks: %s%s%s", launcher, mpirun, gang,
                    words[0] ? "; it said: " : "", words);
        asy__remedy(finding,
                    "see why: OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "
                    "%s --host localhost:2 -np 2 --mca btl self,vader %s --probe-gang",
                    mpirun, asy_json_str(asy_json_get(programs, "assay-trainer"), "assay-trainer"));
    } else {
        asy__ok(finding, "%s, two ranks add up%s", launcher,
                geteuid() == 0 ? " (as root, by OMPI_ALLOW_RUN_AS_ROOT)" : "");
    }
}

/* ---- arithmetic ---------------------------------------------------------------------------- */

void asy__check_blas(const struct asy__machine *machine, struct asy__finding *finding)
{
    const struct asy_json *root = asy__probed(&machine->trainer, "assay-trainer", finding);
    const char *selftest = asy_json_str(asy_json_get(root, "selftest"), "no self-test");
    const char *kernels = asy_json_str(asy_json_get(root, "kernels"), "?");

    if (!root)
        return;
    if (!strcmp(selftest, "ok")) {
        asy__ok(finding, "%s", kernels);
        return;
    }
    asy__broken(finding, "%s computes wrongly: %s", kernels, selftest);
    if (!strncmp(selftest, "gemm ", 5)) {
        asy__remedy(finding, "this is a fault of the processor or of this build: run it again, try "
                             "another node, and report it; until then the worker takes no trials");
        return;
    }
    if (getenv("OPENBLAS_CORETYPE"))
        asy__remedy(finding, "unset OPENBLAS_CORETYPE (it chose the kernel)");
    if (getenv("LD_PRELOAD"))
        asy__remedy(finding, "unset LD_PRELOAD (it may put another BLAS before this one)");
    asy__remedy(finding,
                "try a simpler kernel: OPENBLAS_CORETYPE=Prescott assay doctor; install "
                "OpenBLAS again: apt-get install --reinstall libopenblas0-pthread; until then the "
                "worker takes no trials");
}

/* What one core should reach at the least, in GFLOP/s of products: 2 flops for each of 4, 8 or 16
 * lanes, twice in a cycle of a slow 1 GHz, halved for whatever a virtual machine takes. */
static double least_gflops(void)
{
    char *text = NULL;
    double least = 2;
    size_t len;

    if (asy_read_file("/proc/cpuinfo", 8u << 20, &text, &len, NULL) == 0) {
        if (strstr(text, " avx2 ") && strstr(text, " fma "))
            least = 16;
        else if (strstr(text, " avx "))
            least = 8;
    }
    free(text);
    return least;
}

void asy__check_speed(const struct asy__machine *machine, struct asy__finding *finding)
{
    const struct asy_json *root = asy__probed(&machine->trainer, "assay-trainer", finding);
    double gflops = asy_json_f64(asy_json_get(root, "gflops"), 0), least = least_gflops();
    double bandwidth = asy_json_f64(asy_json_get(root, "bandwidth_gb_s"), 0);

    if (!root)
        return;
    if (gflops < least) {
        asy__warn(finding, "%.1f GFLOP/s a core, %s; this kind of core should reach %.0f", gflops,
                  asy_json_str(asy_json_get(root, "kernels"), "?"), least);
        asy__remedy(finding, "see that nobody else computes on its cores (top), and that the "
                             "governor is not saving power: cat /sys/devices/system/cpu/cpu0/"
                             "cpufreq/scaling_governor");
    }
    if (bandwidth < 1) {
        asy__warn(finding, "memory moves %.2f GB/s only", bandwidth);
        asy__remedy(finding, "look for another load on this machine: top");
    }
    if (finding->verdict == ASY__OK)
        asy__ok(finding, "%.1f GFLOP/s and %.1f GB/s a core", gflops, bandwidth);
}
