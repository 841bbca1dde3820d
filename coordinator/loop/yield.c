/* SPDX-License-Identifier: Apache-2.0
 * yield.c - see yield.h. */
#include "yield.h"

void asy__traffic_sealed(struct asy__traffic *traffic, uint64_t commit, int64_t now_ns)
{
    atomic_store(&traffic->sealed_ns, now_ns);
    atomic_store(&traffic->sealed, commit);
}

void asy__traffic_released(struct asy__traffic *traffic, uint64_t commit)
{
    atomic_store(&traffic->released, commit);
}

struct asy__work asy__traffic_look(const struct asy__traffic *traffic)
{
    uint64_t released = atomic_load(&traffic->released); /* before: it never passes the other */

    return (struct asy__work){ .on_its_way = atomic_load(&traffic->sealed) != released,
                               .sealed_ns = atomic_load(&traffic->sealed_ns) };
}

void asy__pace_init(struct asy__pace *pace, size_t processors)
{
    pace->processors = (double)(processors ? processors : 1);
    pace->free_ns = 0;
}

static int is_calm(const struct asy__work *work, int64_t now_ns)
{
    return !work->on_its_way &&
           (!work->sealed_ns || now_ns - work->sealed_ns >= ASY__YIELD_CALM_NS);
}

size_t asy__pace_piece(const struct asy__work *work, int64_t now_ns)
{
    return is_calm(work, now_ns) ? ASY__YIELD_CALM_PIECE : ASY__YIELD_PIECE;
}

int64_t asy__pace_wait(const struct asy__pace *pace, const struct asy__work *work,
                       int64_t asked_ns, int64_t now_ns)
{
    int64_t from_ns = asked_ns > pace->free_ns ? asked_ns : pace->free_ns;

    if (is_calm(work, now_ns))
        return 0;
    if (now_ns < pace->free_ns)
        return pace->free_ns - now_ns;
    return work->on_its_way && now_ns - from_ns < ASY__YIELD_WAIT_NS ? ASY__YIELD_LOOK_NS : 0;
}

void asy__pace_spent(struct asy__pace *pace, int64_t from_ns, int64_t disk_ns, size_t n,
                     double rate)
{
    double rest_ns = (double)disk_ns * (1 / ASY__YIELD_SHARE - 1);
    double bytes_ns = (double)n / (rate * pace->processors) * 1e9, busy_ns;

    if (rest_ns > ASY__YIELD_REST_NS)
        rest_ns = ASY__YIELD_REST_NS;
    busy_ns = (double)disk_ns + rest_ns;
    pace->free_ns = from_ns + (int64_t)(bytes_ns > busy_ns ? bytes_ns : busy_ns);
}
