/* SPDX-License-Identifier: Apache-2.0
 * cpus.c - lists of logical CPUs as text, and affinity masks that are read back after being set.
 *
 * The masks have a fixed size far above any machine we know: sched_setaffinity() ignores the
 * excess, and the usual cpu_set_t would end at 1,024 CPUs. */
#include <asy/cpus.h>
#include <asy/parse.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CPUS_MAX 8192
#define MASK_BYTES CPU_ALLOC_SIZE(CPUS_MAX)

union mask {
    cpu_set_t set; /* the macros want this type; only MASK_BYTES count */
    unsigned char bytes[CPUS_MAX / 8];
};

int asy_cpus_format(const unsigned *cpus, size_t n, char *ret_text, size_t size,
                    struct asy_error *err)
{
    size_t len = 0;

    if (size == 0)
        return asy_fail(err, ASY_E_FULL, "no room for a list of CPUs");
    ret_text[0] = '\0';
    for (size_t i = 0; i < n;) {
        size_t last = i;
        int wrote;

        while (last + 1 < n && cpus[last + 1] == cpus[last] + 1)
            last++;
        if (last == i)
            wrote = snprintf(ret_text + len, size - len, "%s%u", len ? "," : "", cpus[i]);
        else
            wrote = snprintf(ret_text + len, size - len, "%s%u-%u", len ? "," : "", cpus[i],
                             cpus[last]);
        if (wrote < 0 || (size_t)wrote >= size - len)
            return asy_fail(err, ASY_E_FULL, "list of %zu CPUs does not fit", n);
        len += (size_t)wrote;
        i = last + 1;
    }
    return 0;
}

static int parse_cpu(const char *text, size_t len, unsigned *ret_cpu, struct asy_error *err)
{
    uint64_t value;
    int rc = asy_parse_u64(text, len, &value, err);

    if (rc < 0)
        return rc;
    if (value >= CPUS_MAX)
        return asy_fail(err, ASY_E_FORMAT, "CPU %llu is beyond %d", (unsigned long long)value,
                        CPUS_MAX - 1);
    *ret_cpu = (unsigned)value;
    return 0;
}

int asy_cpus_parse(const char *text, unsigned *ret_cpus, size_t max, size_t *ret_n,
                   struct asy_error *err)
{
    size_t n = 0;
    int rc;

    while (*text) {
        size_t len = strcspn(text, ","), first_len = strcspn(text, "-,");
        unsigned first = 0, last;

        if ((rc = parse_cpu(text, first_len, &first, err)) < 0)
            return rc;
        last = first;
        if (first_len < len &&
            (rc = parse_cpu(text + first_len + 1, len - first_len - 1, &last, err)) < 0)
            return rc;
        if (last < first)
            return asy_fail(err, ASY_E_FORMAT, "CPUs '%.*s' run backwards", (int)len, text);
        for (unsigned cpu = first; cpu <= last; cpu++) {
            if (n == max)
                return asy_fail(err, ASY_E_FULL, "more than %zu CPUs in '%.60s'", max, text);
            ret_cpus[n++] = cpu;
        }
        text += len;
        if (*text == ',' && !*++text)
            return asy_fail(err, ASY_E_FORMAT, "list of CPUs ends with a comma");
    }
    *ret_n = n;
    return 0;
}

int asy_cpus_read(pid_t pid, unsigned *ret_cpus, size_t max, size_t *ret_n, struct asy_error *err)
{
    union mask mask;
    size_t n = 0;

    memset(&mask, 0, sizeof mask);
    if (sched_getaffinity(pid, MASK_BYTES, &mask.set) < 0) {
        if (errno == ESRCH)
            return asy_fail(err, ASY_E_GONE, "process %d does not exist", (int)pid);
        return asy_fail_errno(err, errno, "cannot read the CPUs of process %d", (int)pid);
    }
    for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++) {
        if (!(mask.bytes[cpu / 8] & (1u << cpu % 8)))
            continue;
        if (n == max)
            return asy_fail(err, ASY_E_FULL, "process %d may use more than %zu CPUs", (int)pid,
                            max);
        ret_cpus[n++] = cpu;
    }
    *ret_n = n;
    return 0;
}

/* exact: it has all of them, too. */
static int compare_masks(pid_t tid, const union mask *want, int exact, struct asy_error *err)
{
    unsigned cpus[CPUS_MAX];
    char text[64] = "";
    size_t n, i = 0;
    int rc = asy_cpus_read(tid, cpus, CPUS_MAX, &n, err);

    if (rc < 0)
        return rc;
    for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++) {
        int wanted = !!(want->bytes[cpu / 8] & (1u << cpu % 8));
        int has = i < n && cpus[i] == cpu;

        i += (size_t)has;
        if (wanted == has || (wanted && !exact))
            continue;
        ASY_IGNORE(asy_cpus_format(cpus, n, text, sizeof text, NULL)); /* too long: shown cut */
        return asy_fail(err, ASY_E_DENIED, "CPU %u was %s, the kernel grants '%s'", cpu,
                        wanted ? "asked for" : "not asked for", text);
    }
    return 0;
}

static int set_mask(const unsigned *cpus, size_t n, union mask *ret, struct asy_error *err)
{
    memset(ret, 0, sizeof *ret);
    for (size_t i = 0; i < n; i++) {
        if (cpus[i] >= CPUS_MAX)
            return asy_fail(err, ASY_E_INVAL, "CPU %u is beyond %d", cpus[i], CPUS_MAX - 1);
        ret->bytes[cpus[i] / 8] |= (unsigned char)(1u << cpus[i] % 8);
    }
    return 0;
}

static int bind_thread(pid_t tid, const union mask *mask, struct asy_error *err)
{
    if (sched_setaffinity(tid, MASK_BYTES, &mask->set) < 0) {
        if (errno == ESRCH)
            return asy_fail(err, ASY_E_GONE, "process %d does not exist", (int)tid);
        if (errno == EINVAL)
            return asy_fail(err, ASY_E_DENIED, "none of the CPUs asked for may be used");
        return asy_fail_errno(err, errno, "cannot bind to CPUs");
    }
    return compare_masks(tid, mask, 1, err);
}

int asy_cpus_bind(pid_t tid, const unsigned *cpus, size_t n, struct asy_error *err)
{
    union mask mask;
    int rc = set_mask(cpus, n, &mask, err);

    return rc < 0 ? rc : bind_thread(tid, &mask, err);
}

/* One look at all threads; *ret_wrong: how many were bound, as they had other CPUs. */
static int look_at_all(pid_t pid, const union mask *mask, int binds, size_t *ret_wrong,
                       struct asy_error *err)
{
    struct dirent *entry;
    char path[64];
    int rc = 0;
    DIR *dir;

    *ret_wrong = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    if (!(dir = opendir(path)))
        return asy_fail_errno(err, errno, "cannot list the threads of process %d", (int)pid);
    while (rc == 0 && (entry = readdir(dir))) {
        int64_t tid;

        if (asy_parse_i64(entry->d_name, strlen(entry->d_name), &tid, NULL) < 0)
            continue;
        rc = compare_masks((pid_t)tid, mask, binds, binds ? NULL : err);
        if (rc == ASY_E_DENIED && binds) {
            ++*ret_wrong;
            rc = bind_thread((pid_t)tid, mask, err);
        }
        if (rc == ASY_E_GONE)
            rc = 0; /* that thread has just ended */
    }
    closedir(dir);
    return rc;
}

int asy_cpus_bind_all(pid_t pid, const unsigned *cpus, size_t n, struct asy_error *err)
{
    union mask mask;
    size_t wrong = 1;
    int rc = set_mask(cpus, n, &mask, err);

    /* a thread that was not bound yet may have started others behind our back */
    for (int i = 0; rc == 0 && wrong > 0 && i < 100; i++)
        rc = look_at_all(pid, &mask, 1, &wrong, err);
    return rc;
}

int asy_cpus_check_all(pid_t pid, const unsigned *cpus, size_t n, struct asy_error *err)
{
    union mask mask;
    size_t wrong;
    int rc = set_mask(cpus, n, &mask, err);

    return rc < 0 ? rc : look_at_all(pid, &mask, 0, &wrong, err);
}

static int by_number(const void *a, const void *b)
{
    const unsigned *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

size_t asy_cpus_sort(unsigned *cpus, size_t n)
{
    size_t kept = 0;

    if (n)
        qsort(cpus, n, sizeof *cpus, by_number);
    for (size_t i = 0; i < n; i++)
        if (!kept || cpus[i] != cpus[kept - 1])
            cpus[kept++] = cpus[i];
    return kept;
}
