/* SPDX-License-Identifier: Apache-2.0
 * bulk_give.c - what goes to the coordinator: checkpoints and models as a whole, logs as they
 * grow. */
#include "bulk_impl.h"
#include "impl.h"
#include <asy/log.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS 300                    /* between two looks at a log */
#define PIECE_BYTES ((size_t)256 << 10) /* of a log */
#define CORRUPT_MAX 5

/* Refusals that will not pass: the study is over, or not ours. */
static int is_final(int code)
{
    return code == ASY_E_NOENT || code == ASY_E_DENIED || code == ASY_E_UNSUPPORTED;
}

/* ---- files ----------------------------------------------------------------------------------- */

static int open_put(struct asy__io *io, struct asy__task *task)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_bulk head = task->head;
    int rc;

    if (!task->pack && (rc = asy_pack_open(task->pin->path, &task->pack, &err)) < 0) {
        asy__io_tell(io, task, rc, err.text);
        return 0;
    }
    head.kind = ASY_BULK_PUT;
    head.transfer = asy__io_transfer(io);
    head.bytes = asy_pack_size(task->pack);
    if (asy__io_send(io, &head, NULL, 0) < 0)
        return 0;
    task->transfer = head.transfer;
    asy__patience_begin(&task->patience, io->now_ms);
    task->credit = 0;
    task->sent = UINT64_MAX; /* the first credit says from where */
    return 0;
}

int asy__put_step(struct asy__io *io, struct asy__task *task)
{
    struct asy_bulk data = { .kind = ASY_BULK_DATA, .transfer = task->transfer,
                             .offset = task->sent };
    struct asy_error err = ASY_ERROR_INIT;
    size_t n = 0;
    int rc;

    if (!task->transfer)
        return open_put(io, task);
    if (!task->credit || task->sent >= asy_pack_size(task->pack)) {
        asy__io_wait(io, &task->patience);
        return 0;
    }
    if ((rc = asy_pack_read(task->pack, task->sent, io->chunk, ASY_BULK_CHUNK, &n, &err)) < 0) {
        asy__io_tell(io, task, rc, err.text);
        return 0;
    }
    asy__crash_point("agent.bulk_put");
    if (asy__io_send(io, &data, io->chunk, n) < 0)
        return 0;
    task->sent += n;
    task->credit--;
    return task->credit > 0;
}

void asy__put_take(struct asy__io *io, struct asy__task *task, const struct asy_bulk *head)
{
    if (head->kind == ASY_BULK_CREDIT) {
        if (head->credit && task->sent == UINT64_MAX)
            task->sent = head->offset;
        task->credit += head->credit <= ASY_BULK_CREDITS ? head->credit : ASY_BULK_CREDITS;
    } else if (head->kind == ASY_BULK_END && head->code == 0) {
        asy__crash_point("agent.bulk_after_put");
        asy__io_tell(io, task, 0, head->text);
    } else if (head->kind == ASY_BULK_END) {
        task->spoilt += head->code == ASY_E_CORRUPT;
        if (is_final(head->code) || task->spoilt > CORRUPT_MAX) {
            asy__io_tell(io, task, head->code, head->text);
        } else {
            asy_warn("bulk: cannot hand over '%s': %s, trying again in a second", task->pin->path,
                     head->text);
            asy__io_later(io, task);
        }
    }
}

/* ---- logs ------------------------------------------------------------------------------------ */

/* Reads the next piece. Returns its length; 0: there is none yet. */
static size_t read_piece(struct asy__io *io, const struct asy__stream *stream)
{
    int fd = open(stream->path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return 0; /* nothing was ever written */
    do
        n = pread(fd, io->chunk, PIECE_BYTES, (off_t)stream->sent);
    while (n < 0 && errno == EINTR);
    close(fd);
    return n > 0 ? (size_t)n : 0;
}

static void send_piece(struct asy__io *io, struct asy__task *task, size_t which)
{
    struct asy__stream *stream = &task->streams[which];
    size_t n = read_piece(io, stream);
    struct asy_bulk head = { .kind = ASY_BULK_LOG,
                             .what = which == 0 ? ASY_BULK_STDOUT : ASY_BULK_STDERR,
                             .study = task->study, .trial = task->trial,
                             .attempt = task->attempt, .offset = stream->sent,
                             .last = task->sealing && n < PIECE_BYTES };

    if (n == 0 && !task->sealing)
        return;
    head.transfer = asy__io_transfer(io);
    asy__crash_point("agent.bulk_log");
    if (asy__io_send(io, &head, io->chunk, n) < 0)
        return;
    stream->transfer = head.transfer;
    asy__patience_begin(&stream->patience, io->now_ms);
}

void asy__tail_step(struct asy__io *io, struct asy__task *task)
{
    if (task->streams[0].sealed && task->streams[1].sealed) {
        asy__io_tell(io, task, 0, "");
        return;
    }
    for (size_t i = 0; i < ASY_ARRAY_LEN(task->streams); i++)
        if (task->streams[i].transfer &&
            asy__io_over(io, &task->streams[i].patience))
            task->streams[i].transfer = 0; /* the piece is sent again */
    if (io->now_ms < task->look_ms) {
        asy__io_at(io, task->look_ms);
        return;
    }
    task->look_ms = io->now_ms + LOOK_MS;
    asy__io_at(io, task->look_ms);
    for (size_t i = 0; i < ASY_ARRAY_LEN(task->streams); i++)
        if (!task->streams[i].transfer && !task->streams[i].sealed)
            send_piece(io, task, i);
}

void asy__tail_take(struct asy__io *io, struct asy__task *task, const struct asy_bulk *head)
{
    struct asy__stream *stream = &task->streams[task->streams[1].transfer == head->transfer];
    struct stat st;

    if (head->kind != ASY_BULK_END)
        return;
    stream->transfer = 0;
    asy__patience_heard(&stream->patience, io->now_ms);
    if (is_final(head->code)) {
        asy__io_tell(io, task, head->code, head->text);
        return;
    }
    if (head->code && head->code != ASY_E_AGAIN) { /* the disk there is full, say */
        asy_warn("bulk: cannot send the log '%s': %s, trying again in a second", stream->path,
                 head->text);
        asy__io_later(io, task);
        return;
    }
    stream->sent = head->offset;
    if (stat(stream->path, &st) < 0)
        st.st_size = 0;
    if ((uint64_t)st.st_size > stream->sent)
        task->look_ms = 0; /* there is more */
    else if (head->code == 0 && task->sealing && head->last)
        stream->sealed = 1;
    if (task->sealing)
        task->look_ms = 0;
    asy__io_at(io, io->now_ms);
}
