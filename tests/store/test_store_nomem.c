/* SPDX-License-Identifier: Apache-2.0
 * test_store_nomem.c - the n-th allocation fails, for every n: opening, committing, reading and
 * replaying say so, leak nothing, and a commit is there whole or not at all. Allocations of our own
 * code go through the linker's --wrap. */
#include "dump.h"
#include "fixture.h"
#include "nomem.h"

static int read_all(struct asy_store *store, struct asy_error *err)
{
    struct asy_buf buf;
    int rc;

    asy_buf_init(&buf, (size_t)1 << 24);
    if (!(rc = dump_reader(asy_store_reader(store), &buf, err)) &&
        !(rc = dump_replay(store, &buf, err)))
        rc = asy_buf_check(&buf, "a dump", err);
    asy_buf_fini(&buf);
    return rc;
}

/* All that a store is used for, with a limited number of allocations. */
static int use(const struct asy_store_spec *spec, const struct work *work, int64_t allocations,
               struct asy_error *err)
{
    struct asy_store *store = NULL;
    struct asy_reader *reader = NULL;
    uint64_t seq;
    int rc;

    t_nomem_from((long)allocations);
    if (!(rc = asy_store_open(spec, &store, NULL, err)) &&
        !(rc = asy_store_commit(store, work->events, work->n, &seq, err)) &&
        !(rc = read_all(store, err)) && spec->path && !spec->assume_network)
        rc = asy_reader_open(spec, &reader, err);
    asy_reader_close(reader);
    asy_store_close(store);
    if (t_nomem_end() && rc == 0)
        rc = 1; /* something failed and was not needed after all */
    return rc;
}

/* What the folder holds afterwards. */
static uint64_t events_in(const struct asy_store_spec *spec, struct asy_error *err)
{
    struct asy_store *store = NULL;
    struct asy_store_info info = { .last_seq = UINT64_MAX };

    T_OK(asy_store_open(spec, &store, &info, err), err);
    asy_store_close(store);
    return info.last_seq;
}

static void every_allocation_may_fail(void)
{
    for (size_t e = 0; e < ASY_ARRAY_LEN(engines); e++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct work work = { 0 };
        int64_t n = 0;
        int rc = ASY_E_NOMEM;

        if (!T_OK(work_create(&work, &err), &err))
            return;
        work_every_kind(&work);
        for (; rc && n < 20000; n++) {
            char folder[PATH_MAX];
            struct asy_store_spec spec = spec_of(&engines[e], new_folder(folder));

            spec.no_sync = 1;
            rc = use(&spec, &work, n, &err);
            if (rc < 0)
                T_EQ(engines[e].name, rc, ASY_E_NOMEM);
            if (engines[e].files) {
                uint64_t there = events_in(&spec, &err);

                T_TRUE(there == work.n || (rc < 0 && there == 0));
            }
            drop_folder(folder);
        }
        T_EQ(engines[e].name, rc, 0);
        t__check(n > 50, __LINE__, __FILE__, "'%s' made %d allocations", engines[e].name, (int)n);
        work_fini(&work);
    }
}

T_MAIN("store nomem", T_TEST(every_allocation_may_fail))
