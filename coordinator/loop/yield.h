/* SPDX-License-Identifier: Apache-2.0
 * yield.h - files give way to decisions: before each piece of a file the bulk thread looks whether
 * a commit is on its way, and while the loop is at work it rests after each piece.
 *
 * What holds a decision up is a sync of the disk that finds another one before it, and a processor
 * that is taken. Neither can be called back once it has begun, so pieces are small, and
 *
 * - none begins while a commit is on its way. A piece waits ASY__YIELD_WAIT_NS for that at most: if
 *   commits are slow for reasons of their own, files still come through, slowly;
 * - a piece that held the disk for t is followed by a rest that makes t the share ASY__YIELD_SHARE
 *   of both (a rest of ASY__YIELD_REST_NS at most). So the rate follows the speed of the disk,
 *   whatever that is;
 * - bytes, which are encrypted or decrypted and hashed, pass at ASY__YIELD_RATE for each processor
 *   if they leave, at ASY__YIELD_TAKE_RATE if they are written as well.
 *
 * If none is and none was begun for ASY__YIELD_CALM_NS, files take all there is, in larger pieces,
 * until the next one, which is held up by one such piece at most.
 *
 * Rejected: a rate that a controller finds by comparing the commits' times with those of an idle
 * system, as LEDBAT (RFC 6817) does with delays of packets. Files move the 99th percentile long
 * before the middle, and two commits in a second see that.
 *
 * Threads: asy__traffic is written by the loop and read by any; asy__pace has one owner. */
#ifndef ASY__YIELD_H
#define ASY__YIELD_H
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define ASY__YIELD_PIECE ((size_t)64 << 10) /* bytes that are written at once */
#define ASY__YIELD_CALM_PIECE ((size_t)512 << 10)
#define ASY__YIELD_SHARE 0.5
#define ASY__YIELD_RATE 64e6                 /* bytes per second and processor */
#define ASY__YIELD_TAKE_RATE 28e6
#define ASY__YIELD_WAIT_NS 10000000
#define ASY__YIELD_REST_NS 100000000
#define ASY__YIELD_CALM_NS 200000000
#define ASY__YIELD_LOOK_NS 100000            /* between two looks whether the commit is done */

/* What the loop tells of itself; all zero before its first commit. */
struct asy__traffic {
    atomic_uint_least64_t sealed;   /* number of the last commit that was begun */
    atomic_uint_least64_t released; /* of the last one whose effects have left */
    atomic_int_least64_t sealed_ns; /* when the former was begun, on the monotonic clock */
};
/* A look at it. */
struct asy__work {
    int on_its_way;                 /* a commit is */
    int64_t sealed_ns;              /* 0: there was none yet */
};
void asy__traffic_sealed(struct asy__traffic *traffic, uint64_t commit, int64_t now_ns);
void asy__traffic_released(struct asy__traffic *traffic, uint64_t commit);
struct asy__work asy__traffic_look(const struct asy__traffic *traffic);

struct asy__pace {
    double processors;
    int64_t free_ns;                /* until when the last piece is rested from */
};
void asy__pace_init(struct asy__pace *pace, size_t processors); /* 0 counts as 1 */
/* How long a piece that came up at asked_ns waits from now_ns on before it is asked again; 0: it
 * may begin. */
int64_t asy__pace_wait(const struct asy__pace *pace, const struct asy__work *work,
                       int64_t asked_ns, int64_t now_ns);
/* The largest piece that may begin now. */
size_t asy__pace_piece(const struct asy__work *work, int64_t now_ns);
/* A piece of n bytes, which pass at rate for each processor, was begun at from_ns and held the disk
 * for disk_ns. */
void asy__pace_spent(struct asy__pace *pace, int64_t from_ns, int64_t disk_ns, size_t n,
                     double rate);
#endif
