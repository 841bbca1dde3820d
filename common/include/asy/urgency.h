/* SPDX-License-Identifier: Apache-2.0
 * asy/urgency.h - how soon a thread that wakes gets a processor that others want as well.
 *
 * Linux 6.12 and later (EEVDF, Stoica and Abdel-Wahab 1995) let a thread run for a slice of some
 * milliseconds before one that wakes may take its place, unless that one has asked for shorter
 * slices; its share of the processor stays the same. A coordinator's answer passes through four
 * threads, so files on their way could hold it up four times. No privilege is needed; an older
 * kernel takes the niceness alone.
 *
 * Threads: any. */
#ifndef ASY_URGENCY_H
#define ASY_URGENCY_H

enum asy_urgency {
    ASY_URGENCY_PROMPT,   /* short work, often: somebody waits for it */
    ASY_URGENCY_ORDINARY, /* the kernel's own slice */
    ASY_URGENCY_PATIENT   /* much work that nobody waits for: long slices, and a niceness of 10 */
};
/* Of the calling thread and of those that it starts from then on. A thread that was patient keeps
 * its niceness: only privilege takes that back. What the kernel refuses is left as it is. */
void asy_urgency_set(enum asy_urgency urgency);
#endif
