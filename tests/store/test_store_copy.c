/* SPDX-License-Identifier: Apache-2.0
 * test_store_copy.c - the log is copied back beside the writer and stays bounded: with the store's
 * thread, without it, and while a reader holds an old state. Losses and failures of the copying are
 * test_store_power's. */
#include <string.h>
#include <sys/stat.h>
#include "fixture.h"

#define MIB ((off_t)1 << 20)
#define LOG_MAX (128 * MIB) /* the writer copies by itself from here on */
#define SLACK (8 * MIB)     /* a commit more, and the log's own overhead */

static off_t log_size(const struct fixture *f)
{
    char path[PATH_MAX + 32];
    struct stat st;

    snprintf(path, sizeof path, "%s/assay.db-wal", f->folder);
    return stat(path, &st) == 0 ? st.st_size : 0;
}

static bool open_by(struct fixture *f, const struct asy_store_spec *how)
{
    struct asy_store_spec spec = *how;

    *f = (struct fixture){ .engine = &engines[1] };
    spec.path = new_folder(f->folder);
    if (!T_OK(work_create(&f->work, &f->err), &f->err) ||
        !T_OK(asy_store_open(&spec, &f->store, &f->info, &f->err), &f->err))
        return false;
    work_study(&f->work, work_id(1), "log", "minimize");
    return commit(f);
}

static void add_tag(struct fixture *f, const char *key, const char *value)
{
    struct asy_event *ev = work_add(&f->work, ASY_EV_TAG, work_id(1), UINT64_MAX, 0);

    ev->tag.key = key;
    ev->tag.value = value;
}

/* A commit of about a mebibyte. */
static bool commit_large(struct fixture *f)
{
    static char text[60000];

    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < 16; i++)
        add_tag(f, i % 2 ? "odd" : "even", text);
    return commit(f);
}

/* Commits half as much again as a log may hold; returns the longest that it became. */
static off_t write_much(struct fixture *f)
{
    off_t longest = 0;

    for (int i = 0; i < 192 && commit_large(f); i++)
        if (log_size(f) > longest)
            longest = log_size(f);
    return longest;
}

static void the_log_stays_bounded(void)
{
    static const struct {
        const char *name;
        int by_hand;
    } cases[] = { { "the thread copies", 0 }, { "the writer alone", 1 } };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_store_spec spec = { .copy_by_hand = cases[i].by_hand, .no_sync = 1 };
        struct fixture f;
        off_t longest;

        if (open_by(&f, &spec)) {
            longest = write_much(&f);
            t__check(longest > MIB && longest <= LOG_MAX + SLACK, __LINE__, __FILE__,
                     "%s: the log became %lld MiB long", cases[i].name, (long long)(longest / MIB));
        }
        teardown(&f);
    }
}

/* Once it is begun anew, its file does not keep what a burst made of it. */
static void a_long_log_gives_its_space_back(void)
{
    struct asy_store_spec spec = { .copy_by_hand = 1, .no_sync = 1 };
    struct fixture f;

    if (!open_by(&f, &spec))
        goto out;
    while (log_size(&f) < 100 * MIB)
        if (!commit_large(&f))
            goto out;
    asy_store_copy_back(f.store);
    if (!commit_large(&f))
        goto out;
    T_TRUE(log_size(&f) <= 64 * MIB);
out:
    teardown(&f);
}

struct holder {
    struct fixture *f;
    uint64_t events;
    off_t until;
};

/* At the first of the events: the state that the query sees grows old. */
static int hold(void *arg, const struct asy_event *event)
{
    struct holder *h = arg;

    (void)event;
    if (h->events++ == 0)
        while (log_size(h->f) < h->until)
            if (!commit_large(h->f))
                return ASY_E_IO;
    return 0;
}

static bool add_small_events(struct fixture *f, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        add_tag(f, "small", "x");
    return commit(f);
}

static void a_query_may_hold_a_short_log_only(void)
{
    static const struct {
        const char *name;
        off_t until;
        int want;
    } cases[] = { { "short", 40 * MIB, 0 }, { "long", LOG_MAX + 4 * MIB, ASY_E_TIMEOUT } };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_store_spec spec = { .no_sync = 1, .hold_ms = 1 };
        struct asy_reader *reader = NULL;
        struct fixture f;
        struct holder holder = { .f = &f, .until = cases[i].until };

        if (!open_by(&f, &spec) || !add_small_events(&f, 40000))
            goto out;
        spec.path = f.folder;
        if (!T_OK(asy_reader_open(&spec, &reader, &f.err), &f.err))
            goto out;
        T_EQ(cases[i].name, asy_reader_events(reader, work_id(1), UINT64_MAX, 0, f.seq, -1, hold,
                                              &holder, &f.err), cases[i].want);
        if (cases[i].want)
            T_HAS("what to do", f.err.text, "ask for less");
        else
            T_TRUE(holder.events > 40000);
        /* Nothing holds it any more: the writer goes on, and the log is begun anew. */
        write_much(&f);
        T_TRUE(log_size(&f) <= LOG_MAX + SLACK);
    out:
        asy_reader_close(reader);
        teardown(&f);
    }
}

T_MAIN("store copy", T_TEST(the_log_stays_bounded), T_TEST(a_long_log_gives_its_space_back),
       T_TEST(a_query_may_hold_a_short_log_only))
