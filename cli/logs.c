/* SPDX-License-Identifier: Apache-2.0
 * logs.c - `assay logs`: what a trial printed, as it stands in the files that its supervisor
 * writes. With --json an object a line of it, which says of which attempt and stream it is. */
#include "cli.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define FOLLOW_MS 200
#define LINE_MAX_BYTES ((size_t)65536) /* a longer line comes in pieces */

/* One of the two files of an attempt. */
struct stream {
    const char *name;
    FILE *to;
    enum asy_bulk_what what; /* of a coordinator elsewhere */
    uint64_t at;         /* ... how much of it came */
    int fd;              /* -1: not there yet */
    int seen;            /* it was, of one attempt at least */
    struct asy_buf line; /* --json: what has no end yet */
};

struct log {
    struct asy__session *session;
    struct asy_id study;
    int64_t trial;
    char folder[PATH_MAX]; /* of the trial */
    int64_t attempt;
    int json;
    struct stream out, err;
};

static int wrote(int failed, struct asy_error *err)
{
    return failed ? asy_fail_errno(err, errno, "cannot write what the trial printed") : 0;
}

/* Of the n bytes those that are whole characters: the last one may go on in the next piece. */
static size_t whole_characters(const char *text, size_t n)
{
    size_t back = 1, len;
    unsigned char first;

    while (back < 4 && back < n && ((unsigned char)text[n - back] & 0xc0) == 0x80)
        back++;
    first = n ? (unsigned char)text[n - back] : 0;
    len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    return len > back ? n - back : n;
}

/* The line in hand, or a piece of one that is too long. */
static int put_object(const struct log *log, struct stream *stream, int more, struct asy_error *err)
{
    size_t n = more ? whole_characters(stream->line.data, stream->line.len) : stream->line.len;
    size_t n_rest = stream->line.len - n;
    struct asy_buf text = { 0 };
    struct asy_jsonw w;
    char rest[4];
    int rc;

    asy_buf_init(&text, 8 * LINE_MAX_BYTES);
    asy_jsonw_init(&w, &text, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_i64(&w, "attempt", log->attempt);
    asy_jsonw_str(&w, "stream", stream->name);
    asy_jsonw_strn(&w, "text", stream->line.data, n);
    if (more)
        asy_jsonw_bool(&w, "more", 1);
    asy_jsonw_close(&w, '}');
    asy_buf_addc(&text, '\n');
    memcpy(rest, stream->line.data + n, n_rest);
    asy_buf_clear(&stream->line);
    asy_buf_add(&stream->line, rest, n_rest);
    if ((rc = asy_buf_check(&text, "a line of the log", err)) == 0)
        rc = wrote(fwrite(text.data, 1, text.len, stdout) != text.len, err);
    asy_buf_fini(&text);
    return rc;
}

static int put_lines(const struct log *log, struct stream *stream, const char *bytes, size_t n,
                     struct asy_error *err)
{
    const char *end;
    size_t len;
    int rc;

    for (size_t room; n > 0; bytes += len, n -= len) {
        room = LINE_MAX_BYTES - stream->line.len;
        len = n < room ? n : room;
        if ((end = memchr(bytes, '\n', len)))
            len = (size_t)(end - bytes);
        asy_buf_add(&stream->line, bytes, len);
        if ((rc = asy_buf_check(&stream->line, "a line of the log", err)) < 0)
            return rc;
        if ((end || stream->line.len == LINE_MAX_BYTES) &&
            (rc = put_object(log, stream, !end, err)) < 0)
            return rc;
        len += end != NULL;
    }
    return 0;
}

static int put(const struct log *log, struct stream *stream, const char *bytes, size_t n,
               struct asy_error *err)
{
    if (log->json)
        return put_lines(log, stream, bytes, n, err);
    return wrote(fwrite(bytes, 1, n, stream->to) != n, err);
}

static int flush(const struct log *log, const struct stream *stream, struct asy_error *err)
{
    return wrote(fflush(log->json ? stdout : stream->to) != 0, err);
}

struct piece {
    const struct log *log;
    struct stream *stream;
};

static int put_piece(void *arg, const void *bytes, size_t n, struct asy_error *err)
{
    struct piece *piece = arg;

    piece->stream->seen = 1;
    piece->stream->at += n;
    return put(piece->log, piece->stream, bytes, n, err);
}

/* From the coordinator, which is elsewhere. */
static int fetch_stream(const struct log *log, struct stream *stream, struct asy_error *err)
{
    struct asy_bulk want = { .what = stream->what, .study = log->study,
                             .trial = (uint64_t)log->trial, .attempt = (uint32_t)log->attempt,
                             .offset = stream->at };
    struct piece piece = { log, stream };
    int rc = asy__fetch(log->session, &want, put_piece, &piece, err);

    return rc == ASY_E_NOENT ? 0 : rc < 0 ? rc : flush(log, stream, err);
}

/* What is new in it. */
static int copy_stream(const struct log *log, struct stream *stream, struct asy_error *err)
{
    char path[PATH_MAX + 64], bytes[65536];
    ssize_t got;
    int rc;

    if (asy__session_remote(log->session))
        return fetch_stream(log, stream, err);
    snprintf(path, sizeof path, "%s/%" PRId64 "/%s", log->folder, log->attempt, stream->name);
    if (stream->fd < 0 && (stream->fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return 0;
    stream->seen = 1;
    while ((got = read(stream->fd, bytes, sizeof bytes)) > 0)
        if ((rc = put(log, stream, bytes, (size_t)got, err)) < 0)
            return rc;
    if (got < 0)
        return asy_fail_errno(err, errno, "cannot read the log");
    return flush(log, stream, err);
}

/* A last line may have no end. */
static int close_stream(const struct log *log, struct stream *stream, struct asy_error *err)
{
    int rc = stream->line.len ? put_object(log, stream, 0, err) : 0;

    if (stream->fd >= 0)
        close(stream->fd);
    stream->fd = -1;
    stream->at = 0;
    return rc;
}

static int close_log(struct log *log, struct asy_error *err)
{
    int rc = close_stream(log, &log->out, err);

    return close_stream(log, &log->err, rc ? NULL : err) < 0 ? ASY_E_IO : rc;
}

/* stdout to stdout and stderr to stderr; with --stderr the latter alone, to stdout. */
static int copy_log(struct log *log, const struct asy__options *options, struct asy_error *err)
{
    int rc = options->error_stream ? 0 : copy_stream(log, &log->out, err);

    return rc < 0 ? rc : copy_stream(log, &log->err, err);
}

/* What the attempt in hand printed; then, unless one was named, what later ones did. */
static int copy_attempts(struct log *log, int64_t newest, const struct asy__options *options,
                         struct asy_error *err)
{
    int rc;

    while ((rc = copy_log(log, options, err)) == 0 && !options->attempt && log->attempt < newest) {
        if ((rc = close_log(log, err)) < 0)
            break;
        log->attempt++;
    }
    return rc;
}

static int trial_over(const struct asy_json *trial)
{
    static const char *const states[] = { "complete", "pruned", "failed", "cancelled" };
    const char *state = asy_json_str(asy_json_get(trial, "state"), "");

    for (size_t i = 0; i < ASY_ARRAY_LEN(states); i++)
        if (!strcmp(states[i], state))
            return 1;
    return 0;
}

static int find_folder(struct asy__session *session, const struct asy__options *options,
                       int64_t trial, struct asy_buf *json, struct log *log, struct asy_error *err)
{
    struct asy_json *study = NULL;
    const char *id = "";
    int rc = asy__query(session, "study", options->words[0], -1, -1, -1, NULL, json, &study, err);

    if (rc == 0) {
        id = asy_json_str(asy_json_get(study, "id"), "");
        rc = asy_id_parse(id, strlen(id), &log->study, err);
    }
    log->session = session;
    log->trial = trial;
    if (rc == 0)
        snprintf(log->folder, sizeof log->folder, "%.1024s/logs/%s/%" PRId64, options->home, id,
                 trial);
    asy_json_destroy(study);
    return rc;
}

/* Prints the log of one attempt (the newest unless named); with --follow until its trial ended. */
static int show_log(struct asy__session *session, const struct asy__options *options, int64_t trial,
                    struct log *log, struct asy_error *err)
{
    struct asy_json *row = NULL;
    struct asy_buf json = { 0 };
    int over, rc;

    asy_buf_init(&json, 64u << 20);
    if ((rc = find_folder(session, options, trial, &json, log, err)) < 0)
        goto out;
    do {
        int64_t newest;

        asy_json_destroy(row);
        row = NULL;
        if ((rc = asy__query(session, "trial", options->words[0], trial, -1, -1, NULL, &json, &row,
                             err)) < 0)
            goto out;
        over = trial_over(row); /* asked first: then all is written that will be */
        newest = asy_json_i64(asy_json_get(row, "attempts"), 0);
        if (!log->attempt)
            log->attempt = newest;
        if (log->attempt > newest) {
            rc = asy_fail(err, ASY_E_NOENT, "trial %" PRId64 " has no attempt %" PRId64, trial,
                          log->attempt);
            goto out;
        }
        if (log->attempt && (rc = copy_attempts(log, newest, options, err)) < 0)
            goto out;
        if (options->follow && !over)
            ASY_IGNORE(poll(NULL, 0, FOLLOW_MS) < 0);
    } while (options->follow && !over);
    if (!log->out.seen && !log->err.seen)
        rc = asy_fail(err, ASY_E_NOENT, "trial %" PRId64 " has printed nothing%s", trial,
                      over ? "" : " yet");
out:
    asy_json_destroy(row);
    asy_buf_fini(&json);
    return rc;
}

static int logs(const struct asy__options *options, int64_t trial, struct asy_error *err)
{
    struct asy__session *session = NULL;
    struct log log = { .attempt = options->attempt, .json = options->json,
                       .out = { "stdout", stdout, ASY_BULK_STDOUT, .fd = -1 },
                       .err = { "stderr", options->error_stream ? stdout : stderr,
                                ASY_BULK_STDERR, .fd = -1 } };
    int rc;

    asy_buf_init(&log.out.line, LINE_MAX_BYTES);
    asy_buf_init(&log.err.line, LINE_MAX_BYTES);
    if ((rc = asy__session_open(options, ASY__START_COORDINATOR, &session, err)) == 0)
        rc = show_log(session, options, trial, &log, err);
    if (close_log(&log, rc ? NULL : err) < 0 && rc == 0)
        rc = ASY_E_IO;
    asy__session_close(session);
    asy_buf_fini(&log.out.line);
    asy_buf_fini(&log.err.line);
    return rc;
}

int asy__cmd_logs(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    int64_t trial = 0;

    if (asy__options_parse(argc, argv, "feAj", 2, 2, &options, &err) < 0 ||
        asy__trial_number(options.words[1], &trial, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    return logs(&options, trial, &err) < 0 ? asy__complain(&err) : EXIT_DONE;
}
