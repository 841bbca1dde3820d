/* SPDX-License-Identifier: Apache-2.0
 * place.c - what is known of the disk below a store: how full it is, and what tells a file from its
 * copy.
 *
 * The place of a file is its inode and time of birth. The device number is left out: it changes
 * when disks are found in another order or a share is mounted anew. */
#include "store_impl.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

int asy__no_space(const char *folder, struct asy_error *err)
{
    struct statvfs fs;
    uint64_t kib = 0;

    if (statvfs(folder, &fs) == 0)
        kib = (uint64_t)fs.f_bavail * fs.f_frsize >> 10;
    if (kib >= 64 << 10)
        return asy_fail(err, ASY_E_NOSPACE, "quota used up, though %llu MiB are free in '%.150s'",
                        (unsigned long long)(kib >> 10), folder);
    return asy_fail(err, ASY_E_NOSPACE, "disk full, %llu KiB free in '%.150s'",
                    (unsigned long long)kib, folder);
}

void asy__place_of(const char *path, char text[64])
{
    struct statx st;

    text[0] = 0;
    if (statx(AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &st) < 0)
        return;
    if (!(st.stx_mask & STATX_BTIME))
        st.stx_btime.tv_sec = 0, st.stx_btime.tv_nsec = 0;
    snprintf(text, 64, "%llu@%lld.%09u", (unsigned long long)st.stx_ino,
             (long long)st.stx_btime.tv_sec, st.stx_btime.tv_nsec);
}
