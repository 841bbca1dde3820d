/* SPDX-License-Identifier: Apache-2.0
 * id.c - time-ordered ids in the layout of UUID version 7:
 *
 *     48 bits milliseconds | 4 bits version 7 | 12 bits a | 2 bits variant | 62 bits b
 *
 * a and the upper 20 bits of b are a counter, which starts at a random value below half its range
 * in each millisecond; the lower 42 bits are fresh random bits in each id, so that processes (also
 * after fork) that make ids in the same millisecond do not meet. If the wall clock stands still or
 * goes back, the last millisecond goes on and only the counter moves. */
#include <asy/id.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <asy/clock.h>
#include "hex.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t last_ms;
static uint32_t last_count;

static struct asy_id layout(uint64_t ms, uint16_t a, uint64_t b)
{
    uint64_t hi = ms << 16 | 0x7000 | (a & 0xfff);
    uint64_t lo = UINT64_C(2) << 62 | (b & (UINT64_MAX >> 2));
    struct asy_id id;

    for (int i = 0; i < 8; i++) {
        id.b[i] = (uint8_t)(hi >> (56 - 8 * i));
        id.b[8 + i] = (uint8_t)(lo >> (56 - 8 * i));
    }
    return id;
}

static void randomise(void *bytes, size_t n)
{
    ssize_t got;

    do
        got = getrandom(bytes, n, 0);
    while (got < 0 && errno == EINTR);
    ASY_ASSERT(got == (ssize_t)n, "getrandom gave %zd of %zu bytes", got, n);
}

struct asy_id asy_id_make(void)
{
    uint64_t random[2], ms = (uint64_t)(asy_clock_wall_us() / 1000);
    uint32_t count;

    randomise(random, sizeof random);
    pthread_mutex_lock(&lock);
    if (ms <= last_ms && last_count < UINT32_MAX) {
        ms = last_ms;
        count = last_count + 1;
    } else {
        if (ms <= last_ms) /* counter used up: borrow the next millisecond */
            ms = last_ms + 1;
        count = (uint32_t)random[0] >> 1;
    }
    last_ms = ms;
    last_count = count;
    pthread_mutex_unlock(&lock);
    return layout(ms, (uint16_t)(count >> 20),
                  (uint64_t)(count & 0xfffff) << 42 | (random[1] & ((UINT64_C(1) << 42) - 1)));
}

struct asy_id asy_id_from(uint64_t wall_ms, uint64_t serial)
{
    return layout(wall_ms, (uint16_t)(serial >> 52), serial & ((UINT64_C(1) << 52) - 1));
}

int asy_id_cmp(struct asy_id a, struct asy_id b)
{
    return memcmp(a.b, b.b, sizeof a.b);
}

int asy_id_is_none(struct asy_id id)
{
    return asy_id_cmp(id, ASY_ID_NONE) == 0;
}

uint64_t asy_id_hash(struct asy_id id)
{
    uint64_t half[2], h;

    memcpy(half, id.b, sizeof half);
    h = half[0] ^ (half[1] * UINT64_C(0x9e3779b97f4a7c15));
    h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
    return h ^ h >> 31;
}

const char *asy_id_format(struct asy_id id, char text[ASY_ID_TEXT])
{
    asy__hex_format(id.b, sizeof id.b, text);
    return text;
}

int asy_id_parse(const char *text, size_t len, struct asy_id *ret_id, struct asy_error *err)
{
    struct asy_id id;

    if (len != ASY_ID_TEXT - 1)
        return asy_fail(err, ASY_E_FORMAT, "an id has 32 hex digits, not %zu characters", len);
    if (!asy__hex_parse(text, sizeof id.b, id.b))
        return asy_fail(err, ASY_E_FORMAT, "an id has 32 hex digits and nothing else");
    *ret_id = id;
    return 0;
}
