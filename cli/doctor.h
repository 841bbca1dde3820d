/* SPDX-License-Identifier: Apache-2.0
 * doctor.h - what the checks of `assay doctor` share: what they look at, and how they say what they
 * found. A check only looks; whatever it makes to try something out is gone when it returns.
 *
 * Threads: one. */
#ifndef ASY__DOCTOR_H
#define ASY__DOCTOR_H
#include "cli.h"
#include <asy/keys.h>

enum asy__verdict { ASY__OK, ASY__WARNING, ASY__BROKEN };

/* What one check found. Several troubles in one check are parted by "; ", the worst one decides. */
struct asy__finding {
    enum asy__verdict verdict;
    struct asy_buf found;  /* what is so */
    struct asy_buf remedy; /* what to do about it, with the command where there is one; "" if ok */
};
ASY_PRINTF(2, 3) void asy__ok(struct asy__finding *finding, const char *fmt, ...);
ASY_PRINTF(2, 3) void asy__warn(struct asy__finding *finding, const char *fmt, ...);
ASY_PRINTF(2, 3) void asy__broken(struct asy__finding *finding, const char *fmt, ...);
ASY_PRINTF(2, 3) void asy__remedy(struct asy__finding *finding, const char *fmt, ...);

/* A program's own look at this machine: its --probe. */
struct asy__probe {
    struct asy_json *root; /* NULL: it could not be had */
    struct asy_error why;
};
/* What the checks look at, gathered once. */
struct asy__machine {
    const char *home;
    const char *coordinator_file; /* an invitation that leads elsewhere; NULL: none */
    int home_exists;
    char ground[4096]; /* home, or the nearest folder above it that exists */
    struct asy__program programs[ASY__PROGRAMS];
    struct asy__probe coordinator, worker, trainer;
    struct asy_discovery discovery; /* if discovery_code is 0 */
    int discovery_code;             /* of reading it */
    struct asy_error discovery_why;
    int discovery_stale; /* its process certainly does not live any more */
};
/* The probe's object; NULL after saying that this check could not be made, and why. */
const struct asy_json *asy__probed(const struct asy__probe *probe, const char *program,
                                   struct asy__finding *finding);

typedef void (*asy__check_f)(const struct asy__machine *machine, struct asy__finding *finding);

/* doctor_programs.c */
void asy__check_programs(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_libraries(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_versions(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_mpi(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_blas(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_speed(const struct asy__machine *machine, struct asy__finding *finding);

/* doctor_machine.c */
void asy__check_cores(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_cpu_quota(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_memory(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_gpus(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_devices(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_cgroup(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_kernel(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_clock(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_sockets(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_shm(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_tmpdir(const struct asy__machine *machine, struct asy__finding *finding);

/* doctor_process.c */
void asy__check_open_files(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_processes(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_limits(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_environment(const struct asy__machine *machine, struct asy__finding *finding);

/* doctor_home.c */
void asy__check_home(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_space(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_file_system(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_commit_time(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_noexec(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_keys(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_config(const struct asy__machine *machine, struct asy__finding *finding);

/* doctor_reach.c */
void asy__check_addresses(const struct asy__machine *machine, struct asy__finding *finding);

/* doctor_service.c */
void asy__check_discovery(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_coordinator(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_store(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_port(const struct asy__machine *machine, struct asy__finding *finding);
void asy__check_leftovers(const struct asy__machine *machine, struct asy__finding *finding);
#endif
