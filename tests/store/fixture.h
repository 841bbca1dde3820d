/* SPDX-License-Identifier: Apache-2.0
 * fixture.h - a store of one engine, in a folder of its own. */
#ifndef ASY_TEST_FIXTURE_H
#define ASY_TEST_FIXTURE_H
#include "asytest.h"
#include "engines.h"
#include "work.h"

struct fixture {
    const struct engine *engine;
    char folder[PATH_MAX];
    struct asy_store *store;
    struct asy_reader *reader;
    struct asy_store_info info;
    struct work work;
    uint64_t seq;
    struct asy_error err;
};

static inline bool setup(struct fixture *f, const struct engine *engine)
{
    struct asy_store_spec spec;

    *f = (struct fixture){ .engine = engine };
    new_folder(f->folder);
    spec = spec_of(engine, f->folder);
    if (!T_OK(work_create(&f->work, &f->err), &f->err) ||
        !T_OK(asy_store_open(&spec, &f->store, &f->info, &f->err), &f->err))
        return false;
    f->reader = asy_store_reader(f->store);
    return true;
}

static inline void teardown(struct fixture *f)
{
    asy_store_close(f->store);
    work_fini(&f->work);
    drop_folder(f->folder);
}

/* Closes and opens again, where that keeps anything. */
static inline bool reopen(struct fixture *f)
{
    struct asy_store_spec spec = spec_of(f->engine, f->folder);

    if (!f->engine->files)
        return true;
    asy_store_close(f->store);
    f->store = NULL;
    if (!T_OK(asy_store_open(&spec, &f->store, &f->info, &f->err), &f->err))
        return false;
    f->reader = asy_store_reader(f->store);
    return true;
}

static inline bool commit(struct fixture *f)
{
    return T_OK(work_commit(&f->work, f->store, &f->seq, &f->err), &f->err);
}

#define FOR_EACH_ENGINE(f)                                                                         \
    for (size_t f##_i = 0; f##_i < ASY_ARRAY_LEN(engines); f##_i++)
#endif
