/* SPDX-License-Identifier: Apache-2.0
 * comm_chain.c - sums over the ranks of several nodes.
 *
 * The nodes stand in a row, as their ranks are numbered. Going right, a piece of the array gathers
 * the sums in rank order: each node's ranks add theirs to it, in the memory that they share; coming
 * back left it is the sum over all. Pieces follow each other, and each exchange between two nodes
 * takes one piece right while an earlier one comes left, so both directions of a link are busy.
 *
 * A ring or halving was rejected: they move as much, but begin each part of the sum at another
 * rank, and so the bits would depend on where the ranks are. MPI_Iallreduce makes no progress in
 * the background in Open MPI 4.1, and MPI_Reduce_scatter_block is slower than a whole
 * MPI_Allreduce. */
#include "comm_mpi.h"
#include <string.h>
#include "wire.h"

#define PIECE 65536 /* floats */

struct chain {
    struct mpi_comm *comm;
    float *total; /* [n] */
    size_t n, pieces;
    size_t rounded; /* of the n entries, the first: they go as bfloat16 */
    size_t left_lag, right_lag; /* exchanges until a piece that goes right comes back here */
};

/* Where a piece begins; those before the first and behind the last are empty. */
static float *piece(const struct chain *chain, size_t i, int *ret_len)
{
    size_t from = i * PIECE, len = 0;

    if (i < chain->pieces)
        len = chain->n - from < PIECE ? chain->n - from : PIECE;
    *ret_len = (int)len;
    return chain->total + (len ? from : 0);
}

/* How many of a piece's entries go rounded. */
static size_t rounded(const struct chain *chain, const float *x, int len)
{
    size_t from = (size_t)(x - chain->total), left;

    left = from < chain->rounded ? chain->rounded - from : 0;
    return left < (size_t)len ? left : (size_t)len;
}

/* A piece as it goes, first what is rounded: returns its bytes. */
static int pack(const struct chain *chain, const float *x, int len, char *to)
{
    size_t n = rounded(chain, x, len), rest = (size_t)len - n;

    asy__wire_pack(n, x, (uint16_t *)(void *)to);
    memcpy(to + n * sizeof(uint16_t), x + n, rest * sizeof *x);
    return (int)(n * sizeof(uint16_t) + rest * sizeof *x);
}

static void unpack(const struct chain *chain, const char *from, float *x, int len)
{
    size_t n = rounded(chain, x, len), rest = (size_t)len - n;

    asy__wire_unpack(n, (const uint16_t *)(const void *)from, x);
    memcpy(x + n, from + n * sizeof(uint16_t), rest * sizeof *x);
}

/* The same by way of the rooms, which hold a piece. */
static int exchange_rounded(const struct chain *chain, int peer, const float *from, int n_out,
                            float *to, int n_in, struct asy_error *err)
{
    struct mpi_comm *comm = chain->comm;
    size_t in = rounded(chain, to, n_in);
    int out = pack(chain, from, n_out, comm->send), rc;

    rc = asy__mpi_check(MPI_Sendrecv(comm->send, out, MPI_BYTE, peer, 0, comm->receive,
                                     (int)(in * sizeof(uint16_t) +
                                           ((size_t)n_in - in) * sizeof *to), MPI_BYTE, peer, 0,
                                     comm->leaders, MPI_STATUS_IGNORE), "MPI_Sendrecv", err);
    if (rc == 0)
        unpack(chain, comm->receive, to, n_in);
    return rc;
}

/* Piece `out` for the one that comes in. */
static int exchange(const struct chain *chain, int peer, size_t out, size_t in,
                    struct asy_error *err)
{
    int n_out, n_in;
    float *from = piece(chain, out, &n_out), *to = piece(chain, in, &n_in);

    if (chain->rounded)
        return exchange_rounded(chain, peer, from, n_out, to, n_in, err);
    return asy__mpi_check(MPI_Sendrecv(from, n_out, MPI_FLOAT, peer, 0, to, n_in, MPI_FLOAT, peer,
                                       0, chain->comm->leaders, MPI_STATUS_IGNORE),
                          "MPI_Sendrecv", err);
}

/* The last node has the sum as the others get it. */
static void round_ours(const struct chain *chain, size_t i)
{
    int len;
    float *x = piece(chain, i, &len);

    pack(chain, x, len, chain->comm->send);
    unpack(chain, chain->comm->send, x, len);
}

/* All ranks of the node: their sums onto what has come from the left. */
static int add_ours(const struct chain *chain, size_t i, struct asy_error *err)
{
    const struct asy__node *node = &chain->comm->base.node;
    size_t from, to;
    int len, rc;
    float *x = piece(chain, i, &len);

    if ((rc = asy__node_wait(node, err)) < 0)
        return rc;
    asy__node_slice(node, (size_t)len, &from, &to);
    x += from;
    asy__node_sum(node, chain->comm->place > 0 ? x : NULL, i * PIECE + from, to - from, x);
    return asy__node_wait(node, err);
}

/* What the node's first rank does beside that. Each edge of the row sees the same exchanges
 * in the same order from both of its ends; "out - lag" below the first piece wraps around:
 * an empty one. */
static int lead(const struct chain *chain, struct asy_error *err)
{
    int place = chain->comm->place, last = chain->comm->nodes - 1, rc = 0;
    size_t steps = chain->pieces + (place > 0 ? chain->left_lag : chain->right_lag);

    for (size_t t = 0; t < steps && rc == 0; t++) {
        if (place > 0)
            rc = exchange(chain, place - 1, t - chain->left_lag, t, err);
        if (rc == 0 && t < chain->pieces)
            rc = add_ours(chain, t, err);
        if (rc == 0 && t < chain->pieces && place == last && chain->rounded)
            round_ours(chain, t);
        if (rc == 0 && place < last && t < chain->pieces + chain->right_lag)
            rc = exchange(chain, place + 1, t, t - chain->right_lag, err);
    }
    return rc;
}

/* Whatever the node's ranks do, until the sum is there. */
static int add_up(const struct chain *chain, struct asy_error *err)
{
    int rc = asy__node_wait(&chain->comm->base.node, err);

    if (rc == 0 && chain->comm->leaders != MPI_COMM_NULL)
        return lead(chain, err);
    for (size_t i = 0; i < chain->pieces && rc == 0; i++)
        rc = add_ours(chain, i, err);
    return rc;
}

int asy__mpi_chain(struct asy_comm *base, size_t n, size_t n_tail, struct asy_error *err)
{
    struct mpi_comm *comm = (struct mpi_comm *)base;
    struct chain chain = { .comm = comm, .total = base->node.total, .n = n + n_tail,
                           .pieces = (n + n_tail + PIECE - 1) / PIECE,
                           .rounded = base->rounds ? n : 0,
                           .left_lag = (size_t)(comm->nodes - comm->place),
                           .right_lag = (size_t)(comm->nodes - 1 - comm->place) };
    int fits = asy__stream_fits(comm->stream, n, n_tail);
    int rc = fits ? asy__stream_finish(comm, err) : add_up(&chain, err);

    return rc < 0 ? rc : asy__node_wait(&base->node, err);
}
