/* SPDX-License-Identifier: Apache-2.0
 * gate.h - the thread that lets connections in (ZAP, rfc.zeromq.org/spec/27), counts them and hears
 * of their end.
 *
 * Threads: open, wait, heard, ended and close by the server's owner; counts by any. */
#ifndef ASY_GATE_PRIVATE_H
#define ASY_GATE_PRIVATE_H
#include "channel.h"

#define ASY__ZAP_DOMAIN "assay"

struct asy__gate;
struct asy__gate_counts {
    uint64_t accepted, refused, failed;
    char last_key[ASY_KEY_TEXT], last_from[64]; /* of the last that was refused */
    char failed_from[64];                       /* of the last that failed; "": not known */
    const char *failed_why;
};

/* monitor: the inproc endpoint where the server's socket monitor will be; open first the gate, then
 * the monitor. Returns once the gate answers. */
ASY_MUST_CHECK int asy__gate_open(struct asy_channel *channel, const char *monitor,
                                  asy_authorise_f authorise, void *arg, struct asy__gate **ret_gate,
                                  struct asy_error *err);
int asy__gate_closed(struct asy__gate *gate); /* listening sockets closed up to now */
/* Waits until the monitor has told that n of them are closed, at most limit_ms. */
void asy__gate_wait_closed(struct asy__gate *gate, int n, int limit_ms);
/* The descriptor of a connection that has ended since; -1: none is left. */
int asy__gate_ended(struct asy__gate *gate);
/* A frame came through it: its end will be told, and it is not among those that say nothing. 1: it
 * has ended already, and will not be told of. */
int asy__gate_heard(struct asy__gate *gate, int fd);
int asy__gate_ended_fd(const struct asy__gate *gate); /* readable while there is one */
void asy__gate_raise(struct asy__gate *gate); /* makes it readable until asked in vain */
/* After the monitor was stopped: while it runs it blocks an I/O thread that nobody listens to. */
void asy__gate_close(struct asy__gate *gate); /* NULL is fine */
void asy__gate_counts(struct asy__gate *gate, struct asy__gate_counts *ret_counts);
#endif
