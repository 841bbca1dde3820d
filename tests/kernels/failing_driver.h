/* SPDX-License-Identifier: Apache-2.0
 * failing_driver.h - the driver of OpenCL behind one that fails when it is told to, and counts
 * arrays. One thread uses it at a time. */
#ifndef FAILING_DRIVER_H
#define FAILING_DRIVER_H
#include "driver.h"

#define FAILING_NEVER (-1)
extern struct failing {
    long calls, gone_at;   /* of the driver: the one that "fell off the bus" */
    long allocs, nomem_at; /* of arrays: the one that there is "no room for an array" for */
    long arrays;           /* that are there */
    const char *lacks;     /* a kernel that there is not; NULL: none */
    enum asy_code gives;   /* what a launch at gone_at gives instead; 0: it is gone */
    struct asy_device_info info;
} failing;
extern const struct asy__driver failing_driver;

/* Counts anew. */
void failing_tell(long gone_at, long nomem_at);
/* The device behind it, which stays open, and built, between devices. */
void failing_close(void);
#endif
