/* SPDX-License-Identifier: Apache-2.0
 * limits.c - how much CPU time and memory the cgroups of this process grant: cgroup v2's cpu.max
 * and memory.max, and cgroup v1's memory limit and quota, which many clusters still have.
 *
 * A limit may stand at any level, so every folder from our own up to the root is read and the least
 * value counts. Inside a container the path of /proc/self/cgroup may not exist below the mount:
 * then only the mount's own files say something. */
#include <asy/node.h>
#include <asy/parse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define V1_UNLIMITED (1ull << 62)

static int read_line(const char *folder, const char *name, char *text, size_t size)
{
    char path[1200];
    FILE *f;
    int ok;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!(f = fopen(path, "re")))
        return 0;
    ok = fgets(text, (int)size, f) != NULL;
    fclose(f);
    if (ok)
        text[strcspn(text, "\n")] = '\0';
    return ok;
}

static void take_cpus(double cpus, double *least)
{
    if (cpus > 0 && (*least <= 0 || cpus < *least))
        *least = cpus;
}

static void take_bytes(const char *text, uint64_t *least)
{
    uint64_t bytes;

    if (asy_parse_u64(text, strlen(text), &bytes, NULL) < 0 || bytes == 0 ||
        bytes >= V1_UNLIMITED)
        return; /* "max", or v1's way to say it */
    if (*least == 0 || bytes < *least)
        *least = bytes;
}

/* One folder's files, of whichever version they are. */
static void read_folder(const char *folder, double *cpus, uint64_t *memory)
{
    char text[128], period[64];
    int64_t a, b;
    size_t len;

    if (read_line(folder, "cpu.max", text, sizeof text)) { /* "<quota>|max <period>" */
        len = strcspn(text, " ");
        if (text[len] && asy_parse_i64(text, len, &a, NULL) == 0 &&
            asy_parse_i64(text + len + 1, strlen(text + len + 1), &b, NULL) == 0 && b > 0)
            take_cpus((double)a / (double)b, cpus);
    }
    if (read_line(folder, "cpu.cfs_quota_us", text, sizeof text) &&
        read_line(folder, "cpu.cfs_period_us", period, sizeof period) &&
        asy_parse_i64(text, strlen(text), &a, NULL) == 0 &&
        asy_parse_i64(period, strlen(period), &b, NULL) == 0 && a > 0 && b > 0)
        take_cpus((double)a / (double)b, cpus);
    if (read_line(folder, "memory.max", text, sizeof text))
        take_bytes(text, memory);
    if (read_line(folder, "memory.limit_in_bytes", text, sizeof text))
        take_bytes(text, memory);
}

static void climb(const char *mount, const char *path, double *cpus, uint64_t *memory)
{
    char folder[1024];
    size_t floor_len = strlen(mount);
    int n = snprintf(folder, sizeof folder, "%s%s", mount, path);

    if (n < 0 || (size_t)n >= sizeof folder)
        return;
    for (;;) {
        char *slash;

        read_folder(folder, cpus, memory);
        slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) < floor_len)
            break;
        *slash = '\0';
    }
}

/* A line of /proc/self/cgroup: "0::/path" (v2) or "7:cpu,cpuacct:/path" (v1). */
static void read_entry(const char *root, char *line, double *cpus, uint64_t *memory)
{
    static const char *const v2[] = { "", "/unified" };
    char *kind = strchr(line, ':'), *path, mount[600], names[128];

    if (!kind || !(path = strchr(kind + 1, ':')))
        return;
    *path++ = '\0';
    kind++;
    if (!*kind) {
        for (size_t i = 0; i < ASY_ARRAY_LEN(v2); i++) {
            snprintf(mount, sizeof mount, "%s%s", root, v2[i]);
            climb(mount, path, cpus, memory);
        }
        return;
    }
    snprintf(names, sizeof names, ",%s,", kind);
    if (!strstr(names, ",cpu,") && !strstr(names, ",memory,"))
        return;
    snprintf(mount, sizeof mount, "%s/%s", root, kind);
    climb(mount, path, cpus, memory);
}

void asy_node_limits(const char *root, const char *self, double *ret_cpus, uint64_t *ret_memory)
{
    char line[1200];
    double cpus = 0;
    uint64_t memory = 0;
    FILE *f = fopen(self ? self : "/proc/self/cgroup", "re");

    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        read_entry(root ? root : "/sys/fs/cgroup", line, &cpus, &memory);
    }
    if (f)
        fclose(f);
    *ret_cpus = cpus;
    *ret_memory = memory;
}
