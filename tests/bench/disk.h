/* SPDX-License-Identifier: Apache-2.0
 * disk.h - what the disk below a folder takes to make bytes durable: the floor of every commit.
 *
 * Threads: one. */
#ifndef BENCH_DISK_H
#define BENCH_DISK_H
#include <stddef.h>
#include <asy/error.h>

#define DISK_SAMPLES 200

struct disk {
    char fs[32];                /* "ext4": as /proc/self/mountinfo has it */
    double p50_ms, p99_ms;      /* of write and fdatasync; set by disk_sum() */
    double ms[16 * DISK_SAMPLES];
    size_t n;
};
ASY_MUST_CHECK int disk_init(struct disk *disk, const char *folder, struct asy_error *err);
/* Takes DISK_SAMPLES samples: three blocks of 8 KiB overwritten in a file that is there already, as
 * a commit does in the log, then fdatasync(). At most 16 times between two disk_clear(), what is
 * beyond is left out. */
ASY_MUST_CHECK int disk_probe(struct disk *disk, const char *folder, struct asy_error *err);
void disk_sum(struct disk *disk);
void disk_clear(struct disk *disk);
#endif
