/* SPDX-License-Identifier: Apache-2.0
 * clock.c - time. clock_gettime cannot fail for these two clocks on Linux, which is asserted. */
#include <asy/clock.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static struct timespec now(clockid_t id)
{
    struct timespec t;

    ASY_ASSERT(clock_gettime(id, &t) == 0, "clock %d", (int)id);
    return t;
}

int64_t asy_clock_ms(void)
{
    struct timespec t = now(CLOCK_MONOTONIC);

    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t asy_clock_ns(void)
{
    struct timespec t = now(CLOCK_MONOTONIC);

    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t asy_clock_wall_us(void)
{
    struct timespec t = now(CLOCK_REALTIME);

    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void asy_clock_format(int64_t wall_us, char text[32])
{
    int64_t ms = wall_us / 1000, rest;
    struct tm tm;
    time_t sec;

    if (wall_us % 1000 < 0)
        ms--; /* before 1970 too, the text is the millisecond that holds the moment */
    rest = ms % 1000;
    if (rest < 0)
        rest += 1000;
    sec = (time_t)((ms - rest) / 1000);
    if (!gmtime_r(&sec, &tm) || tm.tm_year > 9999 - 1900 || tm.tm_year < -1900)
        snprintf(text, 32, "%lld us", (long long)wall_us); /* no calendar date of four digits */
    else
        snprintf(text, 32, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
                 (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
                 (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
                 (unsigned)tm.tm_sec % 100, (unsigned)rest % 1000);
}
