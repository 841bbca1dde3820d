/* SPDX-License-Identifier: Apache-2.0
 * asy/gang.h - the line between a node's agent and the programs it runs: one Unix stream socket,
 * one JSON object per line. The program of a command trial and the ranks of the native engine speak
 * the same language.
 *
 * Program -> agent
 *   {"hello":{"token":"<hex>","pid":123,"rank":0}}          native ranks, first line
 *   {"step":3,"metrics":{"val_loss":0.31},"wait":true?}     a report; "nan", "inf", "-inf" as text
 *   {"checkpoint":"name","step":3}                          ASSAY_CHECKPOINT_DIR/name is complete
 *   {"bound":"0,2-3"}, {"bound":"","reason":"…"}            native ranks: to which CPUs, or why not
 *   {"end":{"outcome":"complete"|"paused"|"stopped"|"diverged"|"failed","step":40,
 *           "objective":0.98,"model":"<path>","reason":"…"}}   native ranks only; commands exit
 * Agent -> program
 *   {"do":"continue"|"pause"|"stop","durable":N}            answer to each report and checkpoint
 *   {"error":"…"}                                           the line was refused; nothing happened
 *   {"do":"run","cpus":"0,2-3","job":{…},"dir":"…","logs":"…","resume":"<path>"|null}
 *                                                           native ranks: next order
 *   {"do":"pause"|"stop"}                                   native ranks: at any time while running
 *   {"do":"exit"}                                           native ranks: end the process
 *
 * The native rank's socket path stands in ASSAY_SOCKET and its one-time token in ASSAY_TOKEN.
 * Lines are at most ASY_GANG_LINE bytes.
 *
 * Ownership: create/destroy. Threads: one owner per connection. */
#ifndef ASY_GANG_H
#define ASY_GANG_H
#include <asy/buf.h>
#include <asy/json.h>

#define ASY_GANG_LINE (256u << 10)

/* How often rank 0 says {"alive":true} where its order has silence_ms > 0: not again within this
 * time. So the agent waits for silence_ms after it, else that would end too early what began while
 * nothing could be said. */
static inline int64_t asy_gang_alive_ms(int64_t silence_ms)
{
    int64_t every_ms = silence_ms / 8;

    return every_ms < 1 ? 1 : every_ms > 5000 ? 5000 : every_ms;
}

/* Whether it says so now: alive_ms is when it last did, in milliseconds of any clock. */
static inline int asy_gang_alive_due(int64_t silence_ms, int64_t alive_ms, int64_t now_ms)
{
    return now_ms - alive_ms >= asy_gang_alive_ms(silence_ms);
}

/* When the agent gives up on a rank of which it heard at heard_ms. */
static inline int64_t asy_gang_silent_at(int64_t silence_ms, int64_t heard_ms)
{
    return heard_ms + silence_ms + asy_gang_alive_ms(silence_ms);
}

/* A buffered, non-blocking line connection over a connected descriptor; both sides use it. */
struct asy_line;
/* fd is the line's from here on (closed by destroy) and made non-blocking. */
ASY_MUST_CHECK int asy_line_create(int fd, struct asy_line **ret_line, struct asy_error *err);
void asy_line_destroy(struct asy_line *line);
int asy_line_fd(const struct asy_line *line);
/* Reads what is there. ASY_E_GONE: the peer closed. ASY_E_TOOBIG: a line over the limit. */
ASY_MUST_CHECK int asy_line_fill(struct asy_line *line, struct asy_error *err);
/* The next whole line without its newline, terminated, borrowed until the next call on this line;
 * NULL: none yet. */
const char *asy_line_next(struct asy_line *line, size_t *ret_len);
/* Queues text plus newline and writes what the socket takes. ASY_E_FULL beyond 4 MiB unsent. */
ASY_MUST_CHECK int asy_line_send(struct asy_line *line, const char *text, size_t len,
                                 struct asy_error *err);
int asy_line_pending(const struct asy_line *line); /* bytes wait: poll for POLLOUT, then flush */
ASY_MUST_CHECK int asy_line_flush(struct asy_line *line, struct asy_error *err);

/* A rank's side: connects to ASSAY_SOCKET, greets with ASSAY_TOKEN. */
ASY_MUST_CHECK int asy_gang_join(const char *socket_path, const char *token, int rank,
                                 struct asy_line **ret_line, struct asy_error *err);
#endif
