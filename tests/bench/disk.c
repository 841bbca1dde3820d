/* SPDX-License-Identifier: Apache-2.0
 * disk.c - see disk.h. */
#include "disk.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <asy/clock.h>
#include "row.h"

#define BLOCK 24576u
#define BLOCKS 64u

/* The type stands behind " - " in the line that begins "ID PARENT MAJOR:MINOR". */
static int fs_name(unsigned major_, unsigned minor_, char name[32])
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char line[4096], *dash;
    unsigned a, b;
    int found = 0;

    if (!file)
        return 0;
    while (!found && fgets(line, sizeof line, file))
        if (sscanf(line, "%*d %*d %u:%u", &a, &b) == 2 && a == major_ && b == minor_ &&
            (dash = strstr(line, " - ")))
            found = sscanf(dash + 3, "%31s", name) == 1;
    fclose(file);
    return found;
}

int disk_init(struct disk *disk, const char *folder, struct asy_error *err)
{
    struct stat st;

    memset(disk, 0, sizeof *disk);
    if (stat(folder, &st) < 0)
        return asy_fail_errno(err, errno, "cannot look at '%s'", folder);
    if (!fs_name(major(st.st_dev), minor(st.st_dev), disk->fs))
        snprintf(disk->fs, sizeof disk->fs, "unknown");
    return 0;
}

static int sample(int fd, const char *block, size_t i, double *ret_ms, struct asy_error *err)
{
    int64_t start_ns = asy_clock_ns();

    if (pwrite(fd, block, BLOCK, (off_t)(i % BLOCKS) * BLOCK) != BLOCK || fdatasync(fd) < 0)
        return asy_fail_errno(err, errno, "cannot write to the disk's probe");
    *ret_ms = 1e-6 * (double)(asy_clock_ns() - start_ns);
    return 0;
}

int disk_probe(struct disk *disk, const char *folder, struct asy_error *err)
{
    char path[PATH_MAX], *block = calloc(BLOCKS, BLOCK);
    int fd = -1, rc = 0;

    snprintf(path, sizeof path, "%s/probe", folder);
    if (!block) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for %u bytes", BLOCKS * BLOCK);
        goto out;
    }
    if ((fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0 ||
        pwrite(fd, block, (size_t)BLOCKS * BLOCK, 0) < 0 || fsync(fd) < 0) {
        rc = asy_fail_errno(err, errno, "cannot make '%s'", path);
        goto out;
    }
    for (size_t i = 0; rc == 0 && i < DISK_SAMPLES && disk->n < ASY_ARRAY_LEN(disk->ms); i++) {
        block[i % BLOCK] = (char)i;
        if (!(rc = sample(fd, block, i, &disk->ms[disk->n], err)))
            disk->n++;
    }
out:
    if (fd >= 0) {
        close(fd);
        unlink(path);
    }
    free(block);
    return rc;
}

void disk_sum(struct disk *disk)
{
    ASY_ASSERT(disk->n > 0, "the disk was not probed");
    disk->p50_ms = quantile(disk->ms, disk->n, 0.5);
    disk->p99_ms = quantile(disk->ms, disk->n, 0.99);
}

void disk_clear(struct disk *disk)
{
    disk->n = 0;
}
