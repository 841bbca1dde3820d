/* SPDX-License-Identifier: Apache-2.0
 * crash.h - the coordinator's crash points: where a test may have it die (asy/crash.h).
 *
 * Threads: any. */
#ifndef ASY__LOOP_CRASH_H
#define ASY__LOOP_CRASH_H
#include <asy/msg.h>

/* The name must stand in the table. */
void asy__crash_point(const char *name);
/* The points around the sending of a message of this type; most types have none. */
void asy__crash_before_send(enum asy_msg_type type);
void asy__crash_after_send(enum asy_msg_type type);
#endif
