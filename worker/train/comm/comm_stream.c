/* SPDX-License-Identifier: Apache-2.0
 * comm_stream.c - sums over nodes that are on their way while the ranks compute.
 *
 * The same row of nodes as in comm_chain.c, and the same order of summation, but an array goes
 * piece by piece in the order in which a pass completes it: a piece goes right as soon as this node
 * has its part of it, and comes back left while later ones are made. Nothing here waits before the
 * end: asy_comm_ready(), called between operations, looks at what has arrived, adds, and sends on.
 *
 * Of a node with several ranks the first does that for all. Each of them says in the memory that
 * they share how many entries it has (release), the first reads (acquire) and adds a piece when all
 * have it. They count on from sum to sum, so nobody has to set anything back: a sum's entries are
 * from comm->told on, n + 1 says that its tail is there, too, and the next one begins at n + 2.
 *
 * A piece with its envelope is no longer than what Open MPI sends at once over TCP (64 KiB), so
 * that the system's buffers carry it while nobody looks. MPI_Iallreduce was rejected: it makes no
 * progress between calls; so was a thread that waits in MPI: a rank has one core. */
#include "comm_mpi.h"
#include <sched.h>
#include <stdlib.h>
#include "wire.h"

#define PIECE 61440 /* bytes */
#define WINDOW 16   /* pieces under way, each way */
#define LOOKS 2     /* in vain: each lets Open MPI move a part of a piece, or find nothing */
#define LANES 4

/* Messages one way between this node and a neighbour, in the order of pieces. */
struct lane {
    size_t posted, done;
    MPI_Request requests[WINDOW]; /* of piece k: k % WINDOW */
};

struct piece {
    size_t at, n;
};

struct asy__stream {
    size_t n, n_tail, n_pieces;
    size_t most;           /* entries of a piece */
    uint16_t *right, *left; /* [n] each, of what goes and comes rounded; NULL: nothing does */
    struct piece *pieces;  /* [n_pieces], in the order of completion; the last one is the tail */
    size_t *whole;         /* [n_pieces]: entries that must be there for it */
    size_t whole_here;     /* entries of this sum that this rank has */
    size_t ready, added;   /* pieces of this sum */
    size_t taken;          /* of those that came from the right */
    struct lane from_left, to_right, from_right, to_left;
    int is_open;           /* some of a sum may be on its way */
};

enum { RIGHT, LEFT }; /* tags */

void asy__stream_destroy(struct asy__stream *stream)
{
    if (!stream)
        return;
    free(stream->pieces);
    free(stream->whole);
    free(stream->right);
    free(stream->left);
    free(stream);
}

/* And the tail. */
static size_t count_pieces(const struct asy_comm_extent *extents, size_t n_extents, size_t most)
{
    size_t pieces = 0;

    for (size_t i = 0; i < n_extents; i++)
        pieces += (extents[i].n + most - 1) / most;
    return pieces + 1;
}

static size_t count_entries(const struct asy_comm_extent *extents, size_t n_extents)
{
    size_t entries = 0;

    for (size_t i = 0; i < n_extents; i++)
        entries += extents[i].n;
    return entries;
}

static void add_piece(struct asy__stream *stream, size_t at, size_t n, size_t whole)
{
    stream->whole[stream->n_pieces] = whole;
    stream->pieces[stream->n_pieces++] = (struct piece){ at, n };
}

/* Pieces of the extents, one after the other, and the tail. */
static void cut(struct asy__stream *stream, const struct asy_comm_extent *extents,
                size_t n_extents)
{
    size_t whole = 0;

    for (size_t i = 0; i < n_extents; i++)
        for (size_t from = 0, n; from < extents[i].n; from += n) {
            n = extents[i].n - from < stream->most ? extents[i].n - from : stream->most;
            whole += n;
            add_piece(stream, extents[i].at + from, n, whole);
        }
    add_piece(stream, stream->n, stream->n_tail, stream->n + 1);
}

static int make(const struct asy_comm_extent *extents, size_t n_extents, int rounds,
                struct asy__stream **ret_stream, struct asy_error *err)
{
    struct asy__stream *stream = calloc(1, sizeof *stream);
    size_t most = PIECE / (rounds ? sizeof(uint16_t) : sizeof(float));
    size_t pieces = count_pieces(extents, n_extents, most), n = count_entries(extents, n_extents);

    if (!stream || !(stream->pieces = calloc(pieces, sizeof *stream->pieces)) ||
        !(stream->whole = calloc(pieces, sizeof *stream->whole)) ||
        (rounds && (!(stream->right = calloc(n, sizeof *stream->right)) ||
                    !(stream->left = calloc(n, sizeof *stream->left))))) {
        asy__stream_destroy(stream);
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu pieces of a sum", pieces);
    }
    stream->n = n;
    stream->most = most;
    *ret_stream = stream;
    return 0;
}

int asy__mpi_order(struct asy_comm *base, const struct asy_comm_extent *extents, size_t n_extents,
                   size_t n_tail, struct asy_error *err)
{
    struct mpi_comm *comm = (struct mpi_comm *)base;
    struct asy__stream *stream = NULL;
    int rc;

    asy__stream_destroy(comm->stream);
    comm->stream = NULL;
    if (comm->nodes == 1 || n_extents == 0)
        return 0;
    if ((rc = make(extents, n_extents, base->rounds, &stream, err)) < 0)
        return rc;
    stream->n_tail = n_tail;
    cut(stream, extents, n_extents);
    comm->stream = stream;
    return 0;
}

/* ---- lanes ----------------------------------------------------------------------------------- */

/* 1: the oldest message of a lane was over, which is the next one now; 0: of none. One call for all
 * lanes: Open MPI looks at its sockets in each that finds nothing. */
static int test(struct asy__stream *stream, struct asy_error *err)
{
    struct lane *lanes[LANES] = { &stream->from_left, &stream->to_right, &stream->from_right,
                                  &stream->to_left }, *busy[LANES];
    MPI_Request requests[LANES];
    int n = 0, which = 0, over = 0, rc;

    for (int i = 0; i < LANES; i++)
        if (lanes[i]->done < lanes[i]->posted) {
            busy[n] = lanes[i];
            requests[n++] = lanes[i]->requests[lanes[i]->done % WINDOW];
        }
    if (n == 0)
        return 0;
    rc = asy__mpi_check(MPI_Testany(n, requests, &which, &over, MPI_STATUS_IGNORE), "MPI_Testany",
                        err);
    if (rc < 0 || !over)
        return rc;
    busy[which]->done++;
    return 1;
}

struct way {
    struct mpi_comm *comm;
    struct lane *lane;
    float *x;        /* [n + n_tail] */
    uint16_t *small; /* [n], in its place; NULL: nothing goes rounded */
    int peer, tag, sends;
};

static int post_piece(const struct way *way, size_t i, MPI_Request *request,
                      struct asy_error *err)
{
    const struct asy__stream *stream = way->comm->stream;
    const struct piece *piece = &stream->pieces[i];
    int is_small = way->small && i + 1 < stream->n_pieces, n = (int)piece->n;
    void *x = is_small ? (void *)(way->small + piece->at) : (void *)(way->x + piece->at);
    MPI_Datatype type = is_small ? MPI_UINT16_T : MPI_FLOAT;

    if (way->sends)
        return asy__mpi_check(MPI_Isend(x, n, type, way->peer, way->tag, way->comm->leaders,
                                        request), "MPI_Isend", err);
    return asy__mpi_check(MPI_Irecv(x, n, type, way->peer, way->tag, way->comm->leaders, request),
                          "MPI_Irecv", err);
}

/* Pieces up to `end`, as far as there is room under way. */
static int post(const struct way *way, size_t end, struct asy_error *err)
{
    struct lane *lane = way->lane;
    int rc = 0;

    while (lane->posted < end && lane->posted < lane->done + WINDOW && rc == 0) {
        rc = post_piece(way, lane->posted, &lane->requests[lane->posted % WINDOW], err);
        if (rc == 0)
            lane->posted++;
    }
    return rc;
}

/* The first of the row sends what it has; its part needs no room in the sum meanwhile. */
static int sends_own(const struct mpi_comm *comm)
{
    return comm->place == 0 && comm->base.node.arrays == 1;
}

/* What goes on of a piece whose sum here is x: to the right, or, of the last node, back to the left
 * and as it went into the sum. */
static void put_small(struct mpi_comm *comm, const struct piece *piece, const float *x)
{
    struct asy__stream *stream = comm->stream;
    int last = comm->place == comm->nodes - 1;
    uint16_t *to = (last ? stream->left : stream->right) + piece->at;

    asy__wire_pack(piece->n, x, to);
    if (last)
        asy__wire_unpack(piece->n, to, comm->base.node.total + piece->at);
}

/* Adds this rank's part to what has come from the left. */
static void add(struct mpi_comm *comm, size_t end)
{
    struct asy__stream *stream = comm->stream;
    struct asy__node *node = &comm->base.node;
    int first = comm->place == 0;

    for (; stream->added < end; stream->added++) {
        const struct piece *piece = &stream->pieces[stream->added];
        int is_small = stream->right && stream->added + 1 < stream->n_pieces;
        float *x = node->total + piece->at;

        if (is_small && !first)
            asy__wire_unpack(piece->n, stream->right + piece->at, x);
        if (!sends_own(comm))
            asy__node_sum(node, first ? NULL : x, piece->at, piece->n, x);
        if (is_small)
            put_small(comm, piece, sends_own(comm) ? node->own + piece->at : x);
    }
}

/* What has come back is the sum. */
static void take(struct mpi_comm *comm)
{
    struct asy__stream *stream = comm->stream;

    for (; stream->taken < stream->from_right.done; stream->taken++) {
        const struct piece *piece = &stream->pieces[stream->taken];

        if (stream->left && stream->taken + 1 < stream->n_pieces)
            asy__wire_unpack(piece->n, stream->left + piece->at,
                             comm->base.node.total + piece->at);
    }
}

static int post_right(struct mpi_comm *comm, struct asy_error *err)
{
    struct asy__stream *s = comm->stream;
    struct asy__node *node = &comm->base.node;
    const struct way to = { comm, &s->to_right, sends_own(comm) ? node->own : node->total,
                            s->right, comm->place + 1, RIGHT, 1 };
    const struct way from = { comm, &s->from_right, node->total, s->left, comm->place + 1, LEFT,
                              0 };
    int rc = post(&to, s->added, err);

    return rc < 0 ? rc : post(&from, s->to_right.done, err);
}

static int post_left(struct mpi_comm *comm, struct asy_error *err)
{
    struct asy__stream *s = comm->stream;
    const struct way to = { comm, &s->to_left, comm->base.node.total, s->left, comm->place - 1,
                            LEFT, 1 };

    return post(&to, comm->place == comm->nodes - 1 ? s->added : s->from_right.done, err);
}

static struct asy__told *told_of(const struct mpi_comm *comm, int index)
{
    return &((struct asy__control *)comm->control.at)->told[index];
}

static void tell(struct mpi_comm *comm, size_t n)
{
    const struct asy__node *node = &comm->base.node;

    comm->stream->whole_here = n;
    if (node->index > 0)
        atomic_store_explicit(&told_of(comm, node->index)->entries, comm->told + n,
                              memory_order_release);
}

/* Which pieces all ranks of the node have. */
static void find_ready(struct mpi_comm *comm)
{
    struct asy__stream *stream = comm->stream;
    size_t whole = stream->whole_here;

    for (int r = 1; r < comm->base.node.size; r++) {
        uint64_t told = atomic_load_explicit(&told_of(comm, r)->entries, memory_order_acquire);
        size_t there = told > comm->told ? (size_t)(told - comm->told) : 0;

        whole = there < whole ? there : whole;
    }
    while (stream->ready < stream->n_pieces && stream->whole[stream->ready] <= whole)
        stream->ready++;
}

/* Moves on what can be without waiting. 1: something has come or gone; 0: nothing. */
static int poll(struct mpi_comm *comm, struct asy_error *err)
{
    struct asy__stream *s = comm->stream;
    int first = comm->place == 0, rc;
    const struct way from_left = { comm, &s->from_left, comm->base.node.total, s->right,
                                   comm->place - 1, RIGHT, 0 };

    find_ready(comm);
    if (!first && (rc = post(&from_left, s->n_pieces, err)) < 0)
        return rc;
    add(comm, first || s->ready < s->from_left.done ? s->ready : s->from_left.done);
    take(comm);
    if (comm->place < comm->nodes - 1 && (rc = post_right(comm, err)) < 0)
        return rc;
    if (!first && (rc = post_left(comm, err)) < 0)
        return rc;
    return test(s, err);
}

/* ---- a sum ----------------------------------------------------------------------------------- */

static void open_sum(struct asy__stream *stream)
{
    struct lane none = { .posted = 0 };

    if (stream->is_open)
        return;
    stream->from_left = stream->to_right = stream->from_right = stream->to_left = none;
    stream->whole_here = stream->ready = stream->added = stream->taken = 0;
    stream->is_open = 1;
}

static int is_over(const struct mpi_comm *comm)
{
    const struct asy__stream *s = comm->stream;
    int first = comm->place == 0, last = comm->place == comm->nodes - 1;

    return s->added == s->n_pieces && (last || s->taken == s->n_pieces) &&
           (first || s->to_left.done == s->n_pieces);
}

int asy__mpi_ready(struct asy_comm *base, size_t n, struct asy_error *err)
{
    struct mpi_comm *comm = (struct mpi_comm *)base;
    struct asy__stream *stream = comm->stream;
    int rc = 0;

    if (!stream)
        return 0;
    open_sum(stream);
    tell(comm, n < stream->n ? n : stream->n);
    if (comm->base.node.index > 0)
        return 0;
    for (int vain = 0; vain < LOOKS && rc >= 0; vain = rc > 0 ? 0 : vain + 1)
        rc = poll(comm, err);
    return rc < 0 ? rc : 0;
}

int asy__stream_fits(const struct asy__stream *stream, size_t n, size_t n_tail)
{
    return stream && stream->n == n && stream->n_tail == n_tail;
}

/* The first of a node whose others still compute: on its core, perhaps. */
static int give_way(const struct mpi_comm *comm, struct asy_error *err)
{
    if (comm->stream->ready < comm->stream->n_pieces)
        sched_yield();
    return asy__node_check(&comm->base.node, err);
}

/* The node's ranks do not meet first: each says that it has all, and the first sends on meanwhile
 * what they have. */
int asy__stream_finish(struct mpi_comm *comm, struct asy_error *err)
{
    int rc = 0;

    open_sum(comm->stream);
    tell(comm, comm->stream->n + 1);
    while (comm->base.node.index == 0 && rc >= 0 && !is_over(comm)) {
        rc = poll(comm, err);
        if (rc == 0)
            rc = give_way(comm, err);
    }
    comm->stream->is_open = 0;
    comm->told += comm->stream->n + 2;
    return rc < 0 ? rc : 0;
}
