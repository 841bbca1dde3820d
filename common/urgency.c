/* SPDX-License-Identifier: Apache-2.0
 * urgency.c - see urgency.h: sched_setattr(2), which glibc before 2.41 does not offer. */
#include <asy/urgency.h>
#include <asy/base.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATIENT_NICE 10

/* struct sched_attr of sched_setattr(2), in its first form. */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns; /* of an ordinary thread the first is its slice */
};

void asy_urgency_set(enum asy_urgency urgency)
{
    static const uint64_t slices_ns[] = {
        [ASY_URGENCY_PROMPT] = 100000, /* the least that there is */
        [ASY_URGENCY_ORDINARY] = 0,
        [ASY_URGENCY_PATIENT] = 3000000,
    };
    struct attributes now = { 0 };
    long rc = syscall(SYS_sched_getattr, 0, &now, sizeof now, 0);

    if (urgency == ASY_URGENCY_PATIENT && (rc < 0 || now.nice < PATIENT_NICE))
        ASY_IGNORE(setpriority(PRIO_PROCESS, 0, PATIENT_NICE) < 0); /* of this thread, on Linux */
    if (rc < 0 || now.policy != SCHED_OTHER)
        return; /* an old kernel, or an order that somebody chose for it */
    if (urgency == ASY_URGENCY_PATIENT && now.nice < PATIENT_NICE)
        now.nice = PATIENT_NICE;
    now.size = sizeof now;
    now.runtime_ns = slices_ns[urgency];
    ASY_IGNORE(syscall(SYS_sched_setattr, 0, &now, 0) < 0);
}
