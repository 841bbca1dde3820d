/* SPDX-License-Identifier: Apache-2.0
 * arrivals.h - connections that were accepted and that no frame has come from yet: where each is
 * from, and which has been there longest. Whoever opens connections and says nothing, or only
 * begins a handshake, cannot take all descriptors: beyond a number of them the oldest one must go.
 *
 * Threads: one at a time; see gate.c. */
#ifndef ASY_ARRIVALS_PRIVATE_H
#define ASY_ARRIVALS_PRIVATE_H
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

struct asy__arrival {
    struct in6_addr from; /* an IPv4 address mapped; all zero: not known */
    int64_t since_ms;
    int waits, before, after; /* in the list, by descriptor; -1: none */
    int ended;                /* and no other has come with the descriptor */
};
struct asy__arrivals {
    struct asy__arrival *by_fd; /* [n_fds] */
    size_t n_fds, n, most;
    int oldest, newest;
};
/* most: that may wait, > 0. */
void asy__arrivals_init(struct asy__arrivals *a, size_t most);
void asy__arrivals_fini(struct asy__arrivals *a);
/* Where a connected socket comes from; all zero if that cannot be told. */
struct in6_addr asy__arrivals_from(int fd);
/* A new one. Returns the descriptor of one that must go, or -1. For want of memory it is let be. */
int asy__arrivals_add(struct asy__arrivals *a, int fd, struct in6_addr from, int64_t now_ms);
/* Those that came before then wait no more. Returns how many there were. */
size_t asy__arrivals_expire(struct asy__arrivals *a, int64_t before_ms);
/* It waits no more. Whether it did, and where it was from. */
int asy__arrivals_take(struct asy__arrivals *a, int fd, struct in6_addr *ret_from);
/* Its connection is over; whether that is so. An arrival begins the descriptor's next one. */
void asy__arrivals_end(struct asy__arrivals *a, int fd);
int asy__arrivals_ended(const struct asy__arrivals *a, int fd);
/* "10.0.0.7", "fe80::1"; "" if it is not known. */
void asy__arrivals_text(const struct in6_addr *from, char *text, size_t size);
#endif
