/* SPDX-License-Identifier: Apache-2.0
 * fs.c - see fs.h.
 *
 * Only file systems that are known to belong to one host count as local; a name that is not in the
 * table costs a store speed, never data. FUSE may be a local disk, but nothing says so. */
#include <asy/fs.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/vfs.h>

static const struct fs {
    uint32_t magic;
    const char *name;
    int local;
} kinds[] = {
    { 0xEF53, "ext", 1 },          { 0x58465342, "xfs", 1 },      { 0x9123683E, "btrfs", 1 },
    { 0x01021994, "tmpfs", 1 },    { 0x858458F6, "ramfs", 1 },    { 0x794C7630, "overlay", 1 },
    { 0x2FC12FC1, "zfs", 1 },      { 0xF2F52010, "f2fs", 1 },     { 0xCA451A4E, "bcachefs", 1 },
    { 0x52654973, "reiserfs", 1 }, { 0x3153464A, "jfs", 1 },      { 0x3434, "nilfs", 1 },
    { 0x4D44, "vfat", 1 },         { 0x2011BAB0, "exfat", 1 },    { 0x7366746E, "ntfs3", 1 },
    { 0x6969, "nfs", 0 },          { 0x517B, "smb", 0 },          { 0xFF534D42, "cifs", 0 },
    { 0xFE534D42, "smb2", 0 },     { 0x0BD00BD0, "lustre", 0 },   { 0x47504653, "gpfs", 0 },
    { 0x19830326, "beegfs", 0 },   { 0x00C36400, "ceph", 0 },     { 0x5346414F, "afs", 0 },
    { 0x6B414653, "afs", 0 },      { 0x73757245, "coda", 0 },     { 0x01021997, "9p", 0 },
    { 0x65735546, "fuse", 0 },     { 0x7461636F, "ocfs2", 0 },    { 0x01161970, "gfs2", 0 },
    { 0xAAD7AAEA, "panfs", 0 },    { 0x20030528, "orangefs", 0 }, { 0x786F4256, "vboxsf", 0 },
};

int asy_fs_of(const char *path, char name[32], int *ret_network, struct asy_error *err)
{
    struct statfs fs;
    uint32_t magic;
    int rc;

    do
        rc = statfs(path, &fs);
    while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return asy_fail_errno(err, errno, "cannot look at the file system of '%s'", path);
    magic = (uint32_t)fs.f_type;
    for (size_t i = 0; i < ASY_ARRAY_LEN(kinds); i++) {
        if (kinds[i].magic == magic) {
            snprintf(name, 32, "%s", kinds[i].name);
            *ret_network = !kinds[i].local;
            return 0;
        }
    }
    snprintf(name, 32, "unknown (0x%x)", magic);
    *ret_network = 1;
    return 0;
}
