/* SPDX-License-Identifier: Apache-2.0
 * asy/log.h - one event, one line, key=value fields. Only programs log; libraries return errors.
 *
 * Until asy_log_open() nothing is written. A line is "<wall time> <level> <text>", or one JSON
 * object per line with ASY_LOG_JSON. Secrets never appear.
 *
 * Threads: any; a line is one write(2). */
#ifndef ASY_LOG_H
#define ASY_LOG_H
#include <asy/error.h>

enum asy_log_level { ASY_LOG_DEBUG, ASY_LOG_INFO, ASY_LOG_WARN, ASY_LOG_ERROR };
#define ASY_LOG_JSON (1u << 0)

/* fd stays the caller's. program is put on each line. */
void asy_log_open(int fd, const char *program, enum asy_log_level least, unsigned flags);
ASY_PRINTF(2, 3) void asy_log(enum asy_log_level level, const char *fmt, ...);
#define asy_debug(...) asy_log(ASY_LOG_DEBUG, __VA_ARGS__)
#define asy_info(...) asy_log(ASY_LOG_INFO, __VA_ARGS__)
#define asy_warn(...) asy_log(ASY_LOG_WARN, __VA_ARGS__)
#define asy_logerr(...) asy_log(ASY_LOG_ERROR, __VA_ARGS__)
/* Rate limit for a repeated warning: true at most once per interval for this state. */
int asy_log_due(int64_t *state_ms, int64_t interval_ms);
#endif
