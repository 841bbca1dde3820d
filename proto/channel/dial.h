/* SPDX-License-Identifier: Apache-2.0
 * dial.h - plain TCP connections of a client's own, beside those of ZeroMQ.
 *
 * Threads: any; nothing blocks. */
#ifndef ASY_DIAL_PRIVATE_H
#define ASY_DIAL_PRIVATE_H

/* A descriptor that connects to an address written as a number; the caller closes it. -1: errno
 * says why it cannot. */
int asy__dial(const char *number, int port);
/* What has become of it. 1: connected; 0: not yet; negative: -errno. */
int asy__dialled(int fd);
#endif
