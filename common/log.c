/* SPDX-License-Identifier: Apache-2.0
 * log.c - log lines. A line is built on the stack and goes out in one write(2) of at most PIPE_BUF
 * bytes, which pipes and O_APPEND files do not interleave; nothing is allocated, so that "no
 * memory" can be logged. Whatever could break a line or a terminal is escaped. */
#include <asy/log.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <asy/clock.h>
#include "utf8.h"

#define LINE_MAX_BYTES PIPE_BUF
#define TAIL_ROOM 16u /* for the cut mark, the closing quote and bracket, the newline */

static const char *const level_names[] = { "debug", "info", "warn", "error" };
/* Written by asy_log_open() before threads start; the level is atomic, since it is the gate. */
static struct {
    int fd;
    unsigned flags;
    char program[64];
} sink;
static atomic_int least_level = ASY_LOG_ERROR + 1;

struct line {
    char b[LINE_MAX_BYTES];
    size_t len;
    int cut;
};

void asy_log_open(int fd, const char *program, enum asy_log_level least, unsigned flags)
{
    sink.fd = fd;
    sink.flags = flags;
    snprintf(sink.program, sizeof sink.program, "%s", program ? program : "");
    atomic_store(&least_level, fd < 0 ? ASY_LOG_ERROR + 1 : (int)least);
}

static void put(struct line *line, const char *bytes, size_t n)
{
    if (line->cut || n > sizeof line->b - TAIL_ROOM - line->len) {
        line->cut = 1;
        return;
    }
    memcpy(line->b + line->len, bytes, n);
    line->len += n;
}

static void put_end(struct line *line, const char *text)
{
    size_t n = strlen(text);

    memcpy(line->b + line->len, text, n); /* within TAIL_ROOM */
    line->len += n;
}

/* text with control characters and bad UTF-8 made harmless; as JSON also quotes and backslashes. */
static void put_text(struct line *line, const char *text, int json)
{
    size_t len = strlen(text), n;
    char code[8];

    for (size_t i = 0; i < len; i += n) {
        unsigned char c = (unsigned char)text[i];

        if (!(n = asy__utf8_len(text + i, len - i))) {
            put(line, "\xef\xbf\xbd", 3);
            n = 1;
        } else if (n == 1 && (c < 0x20 || c == 0x7f)) {
            put(line, code, (size_t)snprintf(code, sizeof code, json ? "\\u%04x" : "\\x%02x", c));
        } else {
            if (json && (c == '"' || c == '\\'))
                put(line, "\\", 1);
            put(line, text + i, n);
        }
    }
}

static void put_json(struct line *line, const char *when, const char *level, const char *text)
{
    put(line, "{\"time\":\"", 9);
    put(line, when, strlen(when));
    put(line, "\",\"level\":\"", 11);
    put(line, level, strlen(level));
    put(line, "\",\"program\":\"", 13);
    put_text(line, sink.program, 1);
    put(line, "\",\"text\":\"", 10);
    put_text(line, text, 1);
    put_end(line, line->cut ? "...\"}\n" : "\"}\n");
}

static void put_plain(struct line *line, const char *when, const char *level, const char *text)
{
    put(line, when, strlen(when));
    put(line, " ", 1);
    put(line, level, strlen(level));
    put(line, " ", 1);
    if (sink.program[0]) {
        put_text(line, sink.program, 0);
        put(line, ": ", 2);
    }
    put_text(line, text, 0);
    put_end(line, line->cut ? "...\n" : "\n");
}

void asy_log(enum asy_log_level level, const char *fmt, ...)
{
    int saved = errno;
    struct line line;
    char text[2048], when[32];
    va_list args;
    ssize_t n;

    if ((int)level < atomic_load(&least_level) || level > ASY_LOG_ERROR)
        return;
    line.len = 0;
    line.cut = 0;
    va_start(args, fmt);
    if (vsnprintf(text, sizeof text, fmt, args) >= (int)sizeof text)
        memcpy(text + asy__utf8_cut(text, sizeof text - 4), "...", 4);
    va_end(args);
    asy_clock_format(asy_clock_wall_us(), when);
    if (sink.flags & ASY_LOG_JSON)
        put_json(&line, when, level_names[level], text);
    else
        put_plain(&line, when, level_names[level], text);
    do
        n = write(sink.fd, line.b, line.len);
    while (n < 0 && errno == EINTR);
    errno = saved; /* a log that cannot be written has nowhere to say so */
}

int asy_log_due(int64_t *state_ms, int64_t interval_ms)
{
    int64_t now = asy_clock_ms();

    if (*state_ms != 0 && now - *state_ms < interval_ms)
        return 0;
    *state_ms = now ? now : 1;
    return 1;
}
