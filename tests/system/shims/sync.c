/* SPDX-License-Identifier: Apache-2.0
 * Preloaded by tests: a disk whose fdatasync takes SHIM_SYNC_MS milliseconds and syncs nothing. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

__attribute__((visibility("default"))) int fdatasync(int fd)
{
    const char *ms = getenv("SHIM_SYNC_MS");
    struct timespec pause = { .tv_nsec = ms ? strtol(ms, NULL, 10) * 1000000 : 0 };

    (void)fd;
    if (pause.tv_nsec)
        nanosleep(&pause, NULL);
    return 0;
}
