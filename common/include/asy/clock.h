/* SPDX-License-Identifier: Apache-2.0
 * asy/clock.h - the only source of time. Intervals and deadlines use the monotonic clock; wall time
 * is for display and records. Threads: any. */
#ifndef ASY_CLOCK_H
#define ASY_CLOCK_H
#include <asy/base.h>

int64_t asy_clock_ms(void);      /* CLOCK_MONOTONIC, milliseconds */
int64_t asy_clock_ns(void);      /* CLOCK_MONOTONIC, nanoseconds */
int64_t asy_clock_wall_us(void); /* CLOCK_REALTIME, microseconds since 1970 */
/* "2026-01-31T12:00:00.123Z"; text must hold 32 bytes. */
void asy_clock_format(int64_t wall_us, char text[32]);
#endif
