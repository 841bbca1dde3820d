/* SPDX-License-Identifier: Apache-2.0
 * bench_service.c - what the coordinator costs. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "row.h"

int main(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    const char *dir = NULL;
    struct disk disk;

    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--dir") && i + 1 < argc)
            dir = argv[++i];
    if (!dir) {
        fprintf(stderr, "usage: bench_service --dir FOLDER\n");
        return 2;
    }
    if (mkdir(dir, 0700) < 0 || disk_init(&disk, dir, &err) < 0 ||
        disk_probe(&disk, dir, &err) < 0) {
        fprintf(stderr, "bench_service: %s\n", err.text);
        return 1;
    }
    disk_sum(&disk);
    row_put(&(struct row){ "service.fdatasync_p50_ms", NULL, "ms", disk.p50_ms, disk.n, &disk });
    row_put(&(struct row){ "service.fdatasync_p99_ms", NULL, "ms", disk.p99_ms, disk.n, &disk });
    return 0;
}
