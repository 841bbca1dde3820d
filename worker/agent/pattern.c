/* SPDX-License-Identifier: Apache-2.0
 * pattern.c - metrics out of a program's stdout: a PCRE2 expression with named groups, line by
 * line.
 *
 * The group `step` is the step; every other group is a metric if its text is a number. A line's
 * cost is bounded by match and depth limits, so an unlucky expression slows its own trial and
 * nothing else; a line beyond LINE_MAX_BYTES is matched by its beginning. */
#include "impl.h"
#define PCRE2_CODE_UNIT_WIDTH 8
#include <asy/clock.h>
#include <asy/log.h>
#include <asy/parse.h>
#include <errno.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES (16u << 10)
#define MATCH_LIMIT 100000
#define READS_MAX 8 /* of 16 KiB in one round of the loop */

struct group {
    char *name;
    uint32_t number;
};
struct asy__pattern {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *limits;
    struct group *groups;
    uint32_t n_groups;
    uint32_t step; /* group number; 0: none */
};

static int compile(struct asy__pattern *p, const char *text, struct asy_error *err)
{
    PCRE2_UCHAR reason[160];
    PCRE2_SIZE at;
    int code;

    p->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, 0, &code, &at, NULL);
    if (!p->code) {
        pcre2_get_error_message(code, reason, sizeof reason);
        return asy_fail(err, ASY_E_INVAL, "pattern is wrong at character %zu: %s", (size_t)at + 1,
                        (const char *)reason);
    }
    p->match = pcre2_match_data_create_from_pattern(p->code, NULL);
    p->limits = pcre2_match_context_create(NULL);
    if (!p->match || !p->limits)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a pattern");
    pcre2_set_match_limit(p->limits, MATCH_LIMIT);
    pcre2_set_depth_limit(p->limits, MATCH_LIMIT);
    pcre2_set_heap_limit(p->limits, 16384); /* KiB */
    pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE); /* without it matching is slower, no more */
    return 0;
}

/* The table's entries: two bytes of number, then the name. */
static int read_names(struct asy__pattern *p, struct asy_error *err)
{
    PCRE2_SPTR table = NULL;
    uint32_t count = 0, size = 0;

    pcre2_pattern_info(p->code, PCRE2_INFO_NAMECOUNT, &count);
    pcre2_pattern_info(p->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
    pcre2_pattern_info(p->code, PCRE2_INFO_NAMETABLE, &table);
    if (count == 0)
        return asy_fail(err, ASY_E_INVAL, "pattern has no named group, as in (?<val_loss>\\S+)");
    if (!(p->groups = calloc(count, sizeof *p->groups)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a pattern");
    for (uint32_t i = 0; i < count; i++) {
        PCRE2_SPTR entry = table + (size_t)i * size;
        uint32_t number = (uint32_t)entry[0] << 8 | entry[1];
        const char *name = (const char *)entry + 2;

        if (!strcmp(name, "step")) {
            p->step = number;
            continue;
        }
        if (!(p->groups[p->n_groups].name = strdup(name)))
            return asy_fail(err, ASY_E_NOMEM, "no memory for a pattern");
        p->groups[p->n_groups++].number = number;
    }
    return 0;
}

int asy__pattern_create(const char *text, struct asy__pattern **ret_pattern,
                        struct asy_error *err)
{
    struct asy__pattern *p = calloc(1, sizeof *p);
    int rc;

    if (!p)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a pattern");
    if ((rc = compile(p, text, err)) < 0 || (rc = read_names(p, err)) < 0) {
        asy__pattern_destroy(p);
        return rc;
    }
    *ret_pattern = p;
    return 0;
}

void asy__pattern_destroy(struct asy__pattern *pattern)
{
    if (!pattern)
        return;
    for (uint32_t i = 0; i < pattern->n_groups; i++)
        free(pattern->groups[i].name);
    free(pattern->groups);
    pcre2_match_context_free(pattern->limits);
    pcre2_match_data_free(pattern->match);
    pcre2_code_free(pattern->code);
    free(pattern);
}

/* The text of a group that took part in the match. */
static const char *group_text(const struct asy__pattern *p, const char *line, uint32_t number,
                              size_t *ret_len)
{
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(p->match);

    if (at[2 * number] == PCRE2_UNSET)
        return NULL;
    *ret_len = at[2 * number + 1] - at[2 * number];
    return line + at[2 * number];
}

int asy__pattern_match(struct asy__pattern *p, const char *line, size_t len, uint64_t *ret_step,
                       int *ret_has_step, struct asy_metric *metrics, size_t max, size_t *ret_n)
{
    const char *text;
    size_t n = 0, text_len;

    if (pcre2_match(p->code, (PCRE2_SPTR)line, len, 0, 0, p->match, p->limits) < 0)
        return 0; /* no match, or too dear */
    *ret_has_step = 0;
    if (p->step && (text = group_text(p, line, p->step, &text_len)) &&
        asy_parse_u64(text, text_len, ret_step, NULL) == 0 && *ret_step <= ASY__STEP_MAX)
        *ret_has_step = 1;
    for (uint32_t i = 0; i < p->n_groups && n < max; i++) {
        if (!(text = group_text(p, line, p->groups[i].number, &text_len)) ||
            asy_parse_f64(text, text_len, &metrics[n].value, NULL) < 0)
            continue; /* the group did not take part, or is no number */
        metrics[n++].name = p->groups[i].name;
    }
    *ret_n = n;
    return n > 0;
}

/* ---- the pipe -------------------------------------------------------------------------------- */

void asy__pipe_close(struct asy__pipe *out)
{
    if (out->fd >= 0)
        close(out->fd);
    if (out->log_fd >= 0)
        close(out->log_fd);
    out->fd = out->log_fd = -1;
    asy__pattern_destroy(out->pattern);
    out->pattern = NULL;
    asy_buf_fini(&out->line);
}

static void take_line(struct asy__job *job)
{
    struct asy_metric metrics[64];
    struct asy_event event = { .kind = ASY_EV_REPORT };
    struct asy__pipe *out = &job->pipe;
    uint64_t step = 0;
    int has_step;
    size_t n;

    if (!asy__pattern_match(out->pattern, out->line.data, out->line.len, &step, &has_step,
                            metrics, ASY_ARRAY_LEN(metrics), &n))
        return;
    out->matches++;
    event.report.step = has_step ? step : out->matches;
    event.report.metrics = metrics;
    event.report.n_metrics = n;
    event.report.reporter_wall_us = asy_clock_wall_us();
    if (asy__report_add(job, &event, NULL) == 0)
        asy__job_stepped(job, event.report.step);
}

static void scan(struct asy__job *job, const char *bytes, size_t n)
{
    struct asy__pipe *out = &job->pipe;

    while (n) {
        const char *newline = memchr(bytes, '\n', n);
        size_t piece = newline ? (size_t)(newline - bytes) : n;
        size_t room = LINE_MAX_BYTES - out->line.len;

        asy_buf_add(&out->line, bytes, piece < room ? piece : room);
        if (newline) {
            take_line(job);
            asy_buf_clear(&out->line);
            piece++;
        }
        bytes += piece;
        n -= piece;
    }
}

static void write_log(struct asy__job *job, const char *bytes, size_t n)
{
    struct asy__pipe *out = &job->pipe;

    while (n && out->log_fd >= 0) {
        ssize_t wrote = write(out->log_fd, bytes, n);
        char why[80];

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0) {
            asy_warn("%s: cannot write its log: %s, going on without", job->name,
                     asy_errno_text(errno, why));
            close(out->log_fd);
            out->log_fd = -1;
            return;
        }
        bytes += wrote;
        n -= (size_t)wrote;
    }
}

void asy__pipe_ready(struct asy__job *job)
{
    struct asy__pipe *out = &job->pipe;
    char bytes[16384];

    for (int i = 0; i < READS_MAX && out->fd >= 0; i++) {
        ssize_t n = read(out->fd, bytes, sizeof bytes);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            if (out->line.len)
                take_line(job); /* the last line had no newline */
            asy__pipe_close(out);
            return;
        }
        write_log(job, bytes, (size_t)n);
        scan(job, bytes, (size_t)n);
    }
}
