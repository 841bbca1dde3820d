/* SPDX-License-Identifier: Apache-2.0
 * crash.c - see asy/crash.h. The names are checked whether a test asks for one or not, so that
 * every run finds a point that is missing in its table. */
#include <asy/crash.h>
#include <asy/parse.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int known(const struct asy_crash_point *table, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(table[i].name, name))
            return 1;
    return 0;
}

/* Whether wanted, "<name>" or "<name>:<n>", means this point. */
static int names(const char *wanted, const char *name, uint64_t *ret_nth)
{
    size_t len = strcspn(wanted, ":");

    *ret_nth = 1;
    if (strlen(name) != len || strncmp(wanted, name, len) != 0)
        return 0;
    return !wanted[len] || asy_parse_u64(wanted + len + 1, strlen(wanted + len + 1), ret_nth,
                                         NULL) == 0;
}

static int first_to_die(void)
{
    const char *path = getenv("ASSAY_FAIL_ONCE");
    int fd;

    if (!path)
        return 1;
    if ((fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0)
        return 0;
    close(fd);
    return 1;
}

void asy_crash_at(const struct asy_crash_point *table, size_t n, const char *name)
{
    static atomic_uint_fast64_t passed;
    const char *wanted = getenv("ASSAY_FAIL_AT");
    uint64_t nth;

    ASY_ASSERT(known(table, n, name), "crash point '%s' is not in the table", name);
    if (wanted && names(wanted, name, &nth) && atomic_fetch_add(&passed, 1) + 1 == nth &&
        first_to_die())
        kill(getpid(), SIGKILL);
}
