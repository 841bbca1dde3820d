/* SPDX-License-Identifier: Apache-2.0
 * line.c - newline-separated text over a non-blocking stream socket.
 *
 * Two plain buffers: `in` holds what was read and not yet handed out, `out` what the socket has not
 * taken. Each piece that arrives is searched for newlines once; `tail` is where the unfinished line
 * begins, so a whole line waits exactly while head < tail. A line is cut out of `in` in place (its
 * newline becomes the terminator) and its bytes are dropped at the next fill. */
#include <asy/gang.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_CHUNK (16u << 10)
#define UNREAD_MAX (4 * (size_t)ASY_GANG_LINE)
#define UNSENT_MAX (4u << 20)

struct asy_line {
    int fd;
    struct asy_buf in, out;
    size_t head; /* bytes of `in` that were handed out */
    size_t tail; /* start of the unfinished last line of `in` */
};

int asy_line_create(int fd, struct asy_line **ret_line, struct asy_error *err)
{
    struct asy_line *line;
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return asy_fail_errno(err, errno, "cannot make descriptor %d non-blocking", fd);
    if (!(line = calloc(1, sizeof *line)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a line connection");
    line->fd = fd;
    asy_buf_init(&line->in, UNREAD_MAX + READ_CHUNK);
    asy_buf_init(&line->out, UNSENT_MAX);
    *ret_line = line;
    return 0;
}

void asy_line_destroy(struct asy_line *line)
{
    int saved = errno;

    if (!line)
        return;
    close(line->fd);
    asy_buf_fini(&line->in);
    asy_buf_fini(&line->out);
    free(line);
    errno = saved;
}

int asy_line_fd(const struct asy_line *line)
{
    return line->fd;
}

/* Forgets the bytes that asy_line_next() handed out. */
static void compact(struct asy_line *line)
{
    asy_buf_drop(&line->in, line->head);
    line->tail -= line->head;
    line->head = 0;
}

/* Finds the ends of lines in the n bytes that were just read. */
static int scan(struct asy_line *line, size_t n, struct asy_error *err)
{
    const char *data = line->in.data, *end = data + line->in.len, *from = end - n, *newline;

    while ((newline = memchr(from, '\n', (size_t)(end - from)))) {
        if ((size_t)(newline - data) - line->tail > ASY_GANG_LINE)
            break;
        from = newline + 1;
        line->tail = (size_t)(from - data);
    }
    if (!newline && line->in.len - line->tail <= ASY_GANG_LINE)
        return 0;
    return asy_fail(err, ASY_E_TOOBIG, "line from the peer is longer than %u bytes",
                    ASY_GANG_LINE);
}

int asy_line_fill(struct asy_line *line, struct asy_error *err)
{
    compact(line);
    while (line->in.len < UNREAD_MAX) { /* beyond it the caller takes lines first */
        char *room = asy_buf_room(&line->in, READ_CHUNK);
        ssize_t n;

        if (!room)
            return asy_buf_check(&line->in, "the peer's lines", err);
        n = read(line->fd, room, READ_CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) /* EWOULDBLOCK is the same on Linux */
            break;
        if (n < 0 && errno != ECONNRESET)
            return asy_fail_errno(err, errno, "cannot read from the peer");
        if (n <= 0) {
            if (line->tail > 0)
                break; /* whole lines came before the end: those first */
            return asy_fail(err, ASY_E_GONE, "the peer closed the connection");
        }
        asy_buf_grew(&line->in, (size_t)n);
        if (scan(line, (size_t)n, err) < 0)
            return ASY_E_TOOBIG;
    }
    return 0;
}

const char *asy_line_next(struct asy_line *line, size_t *ret_len)
{
    char *text = line->in.data + line->head, *newline;

    if (line->head == line->tail)
        return NULL;
    newline = memchr(text, '\n', line->tail - line->head);
    ASY_ASSERT(newline != NULL, "no newline before %zu", line->tail);
    *newline = '\0';
    *ret_len = (size_t)(newline - text);
    line->head += *ret_len + 1;
    return text;
}

int asy_line_flush(struct asy_line *line, struct asy_error *err)
{
    size_t sent = 0;
    int rc = 0;

    while (sent < line->out.len) {
        ssize_t n = send(line->fd, line->out.data + sent, line->out.len - sent, MSG_NOSIGNAL);

        if (n >= 0) {
            sent += (size_t)n;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno == EPIPE || errno == ECONNRESET) {
            rc = asy_fail(err, ASY_E_GONE, "the peer closed the connection");
            break;
        } else if (errno != EINTR) {
            rc = asy_fail_errno(err, errno, "cannot write to the peer");
            break;
        }
    }
    asy_buf_drop(&line->out, sent);
    return rc;
}

int asy_line_send(struct asy_line *line, const char *text, size_t len, struct asy_error *err)
{
    if (len > ASY_GANG_LINE)
        return asy_fail(err, ASY_E_TOOBIG, "line of %zu bytes exceeds %u", len, ASY_GANG_LINE);
    if (memchr(text, '\n', len))
        return asy_fail(err, ASY_E_INVAL, "a line must not contain a newline");
    if (line->out.len + len + 1 > UNSENT_MAX)
        return asy_fail(err, ASY_E_FULL, "%zu bytes wait unsent for the peer", line->out.len);
    asy_buf_add(&line->out, text, len);
    asy_buf_addc(&line->out, '\n');
    if (line->out.rc < 0)
        return asy_buf_check(&line->out, "lines for the peer", err);
    return asy_line_flush(line, err);
}

int asy_line_pending(const struct asy_line *line)
{
    return line->out.len > 0;
}
