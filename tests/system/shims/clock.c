/* SPDX-License-Identifier: Apache-2.0
 * Preloaded by tests: the wall clock stands ten years back; the monotonic one is right. */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TEN_YEARS_S 315576000

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *ret)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, ret);

    if (rc == 0 && clock == CLOCK_REALTIME)
        ret->tv_sec -= TEN_YEARS_S;
    return rc;
}
