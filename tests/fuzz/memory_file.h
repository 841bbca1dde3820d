/* SPDX-License-Identifier: Apache-2.0
 * memory_file.h - bytes as a file that a path leads to, for decoders that open files. */
#ifndef MEMORY_FILE_H
#define MEMORY_FILE_H
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "fuzz.h"

/* Returns the descriptor to close. */
static inline int memory_file(const void *bytes, size_t n, char path[64])
{
    int fd = memfd_create("input", MFD_CLOEXEC);

    FUZZ_CHECK(fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, bytes, n) == (ssize_t)n);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

/* The library that reads such files has faults of its own, which are not to be found here. */
static inline int is_for_libhdf5(const uint8_t *bytes, size_t n)
{
    return n >= 4 && bytes[0] == 0x89 && bytes[1] == 'H' && bytes[2] == 'D' && bytes[3] == 'F';
}
#endif
