/* SPDX-License-Identifier: Apache-2.0
 * fake_nfs.c - a library to preload: statfs() says of everything below $FAKE_NFS that it lies on
 * NFS. That is what the store looks at, so that all the rest is done as there, on any disk. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#define NFS_MAGIC 0x6969

__attribute__((visibility("default"))) int statfs(const char *path, struct statfs *buf)
{
    int (*real)(const char *, struct statfs *);
    const char *below = getenv("FAKE_NFS");
    int rc;

    *(void **)&real = dlsym(RTLD_NEXT, "statfs");
    rc = real(path, buf);
    if (rc == 0 && below && !strncmp(path, below, strlen(below)))
        buf->f_type = NFS_MAGIC;
    return rc;
}
