/* SPDX-License-Identifier: Apache-2.0
 * outbox.c - see outbox.h. Few clients are ever in it: a list is enough. */
#include "outbox.h"
#include <stdlib.h>
#include <string.h>

struct asy__outbox_frame {
    struct asy__outbox_frame *next;
    size_t len;
    unsigned char bytes[];
};

static size_t find(const struct asy__outbox *outbox, uint64_t peer)
{
    size_t i = 0;

    while (i < outbox->n && outbox->of[i].peer != peer)
        i++;
    return i;
}

static void drop_first(struct asy__outbox *outbox, struct asy__outbox_of *of)
{
    struct asy__outbox_frame *frame = of->first;

    if (!(of->first = frame->next))
        of->last = NULL;
    of->bytes -= frame->len;
    outbox->bytes -= frame->len;
    free(frame);
}

static void drop_at(struct asy__outbox *outbox, size_t i)
{
    while (outbox->of[i].first)
        drop_first(outbox, &outbox->of[i]);
    outbox->of[i] = outbox->of[--outbox->n];
}

void asy__outbox_fini(struct asy__outbox *outbox)
{
    while (outbox->n)
        drop_at(outbox, outbox->n - 1);
}

int asy__outbox_has(const struct asy__outbox *outbox, uint64_t peer)
{
    return outbox->n > 0 && find(outbox, peer) < outbox->n;
}

int asy__outbox_put(struct asy__outbox *outbox, uint64_t peer, const void *bytes, size_t len,
                    struct asy_error *err)
{
    size_t i = find(outbox, peer);
    struct asy__outbox_frame *frame;
    struct asy__outbox_of *of;

    if (i == ASY__OUTBOX_PEERS || outbox->bytes + len > ASY__OUTBOX_ALL ||
        (i < outbox->n && outbox->of[i].bytes + len > ASY__OUTBOX_PEER))
        return asy_fail(err, ASY_E_FULL, "too much waits for a client that does not read");
    if (!(frame = malloc(sizeof *frame + len)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a frame of %zu bytes", len);
    if (i == outbox->n)
        outbox->of[outbox->n++] = (struct asy__outbox_of){ .peer = peer };
    of = &outbox->of[i];
    frame->next = NULL;
    frame->len = len;
    memcpy(frame->bytes, bytes, len);
    if (of->last)
        of->last->next = frame;
    else
        of->first = frame;
    of->last = frame;
    of->bytes += len;
    outbox->bytes += len;
    return 0;
}

void asy__outbox_drop(struct asy__outbox *outbox, uint64_t peer)
{
    size_t i = find(outbox, peer);

    if (i < outbox->n)
        drop_at(outbox, i);
}

int asy__outbox_flush(struct asy__outbox *outbox, struct asy_server *server, uint64_t *ret_gone,
                      struct asy_error *err)
{
    *ret_gone = 0;
    for (size_t i = outbox->n; i-- > 0;) {
        struct asy__outbox_of *of = &outbox->of[i];
        int rc = 0;

        while (of->first && (rc = asy_server_send(server, of->peer, of->first->bytes,
                                                  of->first->len, err)) == 0)
            drop_first(outbox, of);
        if (rc == ASY_E_AGAIN)
            continue;
        if (rc < 0 && rc != ASY_E_GONE)
            return rc;
        *ret_gone = rc == ASY_E_GONE ? of->peer : 0;
        drop_at(outbox, i);
        if (*ret_gone)
            return 0;
    }
    return 0;
}
