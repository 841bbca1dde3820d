/* SPDX-License-Identifier: Apache-2.0
 * node.c - memory that processes share, found through /proc by who may look there, and sums in it.
 *
 * A window of MPI (MPI_Win_allocate_shared) was rejected, see docs/decisions/0034: where its file
 * system is full, Open MPI 4.1 leaves all ranks but one waiting, and pages that are not there when
 * they are touched kill. Here pages are taken up at once, or there is an error. */
#include "node.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <asy/comm.h>
#include <asy/kernels.h>

/* ---- memory ---------------------------------------------------------------------------------- */

static int map(int fd, size_t bytes, void **ret, struct asy_error *err)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (at == MAP_FAILED)
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu MiB that ranks share", bytes >> 20);
    *ret = at;
    return 0;
}

int asy__memory_make(size_t bytes, struct asy__memory *ret, struct asy_error *err)
{
    int fd = memfd_create("assay-ranks", MFD_CLOEXEC), rc;
    void *at = NULL;

    if (fd < 0)
        return asy_fail_errno(err, errno, "cannot make memory that ranks share");
    if (ftruncate(fd, (off_t)bytes) < 0)
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for %zu MiB that ranks share", bytes >> 20);
    else
        rc = map(fd, bytes, &at, err);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    *ret = (struct asy__memory){ at, bytes, fd };
    return 0;
}

struct asy__memory_key asy__memory_key(const struct asy__memory *memory)
{
    return (struct asy__memory_key){ getpid(), memory->fd, (int64_t)memory->bytes };
}

int asy__memory_map(const struct asy__memory_key *key, struct asy__memory *ret,
                    struct asy_error *err)
{
    char path[64];
    struct stat st;
    void *at = NULL;
    int fd, rc;

    snprintf(path, sizeof path, "/proc/%lld/fd/%lld", (long long)key->pid, (long long)key->fd);
    if ((fd = open(path, O_RDWR | O_CLOEXEC)) < 0)
        return asy_fail_errno(err, errno, "cannot open the memory of another rank, '%s'", path);
    if (fstat(fd, &st) < 0 || st.st_size != key->bytes)
        rc = asy_fail(err, ASY_E_IO, "'%s' is not the memory of a rank of this node", path);
    else
        rc = map(fd, (size_t)key->bytes, &at, err);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    *ret = (struct asy__memory){ at, (size_t)key->bytes, fd };
    return 0;
}

int asy__memory_reserve(const struct asy__memory *memory, size_t from, size_t n,
                        struct asy_error *err)
{
    int failed;

    do
        failed = n ? posix_fallocate(memory->fd, (off_t)from, (off_t)n) : 0;
    while (failed == EINTR);
    return failed ? asy_fail(err, ASY_E_NOMEM, "no memory for %zu MiB that ranks share", n >> 20)
                  : 0;
}

void asy__memory_close_fd(struct asy__memory *memory)
{
    if (memory->fd >= 0)
        close(memory->fd);
    memory->fd = -1;
}

void asy__memory_fini(struct asy__memory *memory)
{
    asy__memory_close_fd(memory);
    if (memory->at)
        munmap(memory->at, memory->bytes);
    *memory = (struct asy__memory)ASY__MEMORY_INIT;
}

/* ---- what lies where ------------------------------------------------------------------------- */

#define PAGE 1024 /* floats of one: the own arrays of two ranks never share a page */

/* *sum += k * n, each n rounded up to whole pages. */
static int add_pages(size_t k, size_t n, size_t *sum)
{
    size_t pages, room;

    return __builtin_add_overflow(n, PAGE - 1, &pages) ||
           __builtin_mul_overflow(pages / PAGE * PAGE, k, &room) ||
           __builtin_add_overflow(*sum, room, sum);
}

static size_t part(size_t n, int index, int size)
{
    return n * (size_t)index / (size_t)size;
}

int asy__node_divide(struct asy__node *node, int rank, int ranks, size_t n_arrays,
                     struct asy_error *err)
{
    int leader = rank - node->index;
    size_t begin = part(n_arrays, leader, ranks);
    size_t n = part(n_arrays, leader + node->size, ranks) - begin;

    if (n_arrays < (size_t)ranks)
        return asy_fail(err, ASY_E_INVAL, "%zu parts are too few for %d ranks", n_arrays, ranks);
    node->arrays = n;
    node->first = part(n_arrays, rank, ranks) - begin;
    node->count = part(n_arrays, rank + 1, ranks) - begin - node->first;
    return 0;
}

int asy__node_prepare(struct asy__node *node, struct asy_error *err)
{
    const float **rows = reallocarray(node->rows, node->arrays + 1, sizeof *rows);

    if (!rows)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a communicator");
    node->rows = rows;
    return 0;
}

size_t asy__node_room(const struct asy__node *node, size_t n_own, size_t n_common, int spans)
{
    size_t sum = 0;

    if (add_pages(1, n_common, &sum) || add_pages(spans ? 1 : 0, n_own, &sum) ||
        add_pages(node->arrays, n_own, &sum) || sum > SIZE_MAX / 2 / sizeof(float))
        return 0;
    return sum;
}

void asy__node_lay_out(struct asy__node *node, size_t n_own, size_t n_common, int spans, float *at)
{
    size_t common = 0;

    ASY_ASSERT(!add_pages(1, n_common, &common), "%zu common entries", n_common);
    node->n_own = n_own;
    node->n_common = n_common;
    node->stride = (n_own + PAGE - 1) / PAGE * PAGE;
    node->common = at;
    node->total = spans ? at + common : NULL;
    node->own = at + common + (spans ? node->stride : 0);
}

void asy__node_slice(const struct asy__node *node, size_t n, size_t *ret_from, size_t *ret_to)
{
    size_t blocks = (n + ASY_COMM_BLOCK - 1) / ASY_COMM_BLOCK;
    size_t from = part(blocks, node->index, node->size) * ASY_COMM_BLOCK;
    size_t to = part(blocks, node->index + 1, node->size) * ASY_COMM_BLOCK;

    *ret_from = from < n ? from : n;
    *ret_to = to < n ? to : n;
}

/* ---- together -------------------------------------------------------------------------------- */

static int say_lost(const struct asy__node *node, struct asy_error *err)
{
    return asy_fail(err, ASY_E_GONE, "%s", node->lost->why.text);
}

int asy__node_wait(const struct asy__node *node, struct asy_error *err)
{
    return node->barrier && asy__barrier_wait(node->barrier) < 0 ? say_lost(node, err) : 0;
}

int asy__node_check(const struct asy__node *node, struct asy_error *err)
{
    return node->barrier && asy__barrier_is_given_up(node->barrier) ? say_lost(node, err) : 0;
}

void asy__node_give_up(const struct asy__node *node, int rank, const struct asy_error *why)
{
    struct asy__lost *lost = node->lost;

    if (!node->barrier || atomic_exchange(&lost->is_told, 1))
        return;
    lost->why = (struct asy_error)ASY_ERROR_INIT;
    asy_fail(&lost->why, ASY_E_GONE, "%s", why->text);
    asy_error_prefix(&lost->why, "rank %d", rank);
    asy__barrier_give_up(node->barrier);
}

float *asy__node_own(const struct asy__node *node)
{
    return node->own + node->first * node->stride;
}

void asy__node_sum(const struct asy__node *node, const float *first, size_t from, size_t n,
                   float *to)
{
    size_t rows = 0;

    if (first)
        node->rows[rows++] = first;
    for (size_t a = 0; a < node->arrays; a++)
        node->rows[rows++] = node->own + a * node->stride + from;
    if (rows > 1 || node->rows[0] != to)
        asy_sum_rows(rows, n, node->rows, to);
}
