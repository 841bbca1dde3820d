/* SPDX-License-Identifier: Apache-2.0
 * test_store_power.c - the store after a power loss at each sync and after each commit: what was
 * acknowledged is there and the rows fit it. To show that the test can tell, each kind of sync is
 * taken away in turn, and a loss must be found. */
#include <math.h>
#include <string.h>
#include "check.h"
#include "fixture.h"
#include "vfs_power.h"

#define IMAGES 2 /* drawn at each cut */

struct run {
    const char *folder;
    struct asy_store *store;
    struct work *work;
    uint64_t acked, next;
    size_t cuts, losses, between;
    int copying, inside; /* commits fall between the syncs of a copy; one is under way */
    int stop_at_loss;
    char first[sizeof((struct asy_error *)0)->text];
};

static int step(struct run *run, struct asy_error *err);

static void draw(struct run *run, struct power *power)
{
    for (int i = 0; i < IMAGES && !(run->stop_at_loss && run->losses); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        char folder[PATH_MAX];
        /* The check need not survive anything itself. */
        struct asy_store_spec spec = { .path = new_folder(folder), .no_sync = 1 };

        run->cuts++;
        if ((power_image(power, folder, &err) || check_store(&spec, run->acked, NULL, &err)) &&
            run->losses++ == 0)
            snprintf(run->first, sizeof run->first, "%s", err.text);
        drop_folder(folder);
    }
}

static void cut(void *arg, struct power *power)
{
    struct run *run = arg;
    struct asy_error err = ASY_ERROR_INIT;

    draw(run, power);
    if (!run->copying || run->inside)
        return;
    run->inside = 1;
    if (T_OK(step(run, &err), &err))
        run->between++;
    run->inside = 0;
}

/* The log goes back into the database, once while commits go on, and once whole, so that the next
 * commit starts it anew; the store does so by itself, but only after many commits. */
static void copy_back(struct run *run)
{
    run->copying = 1;
    asy_store_copy_back(run->store);
    run->copying = 0;
    asy_store_copy_back(run->store);
}

static void batch(struct work *work, struct asy_id study, uint64_t i)
{
    uint64_t id = 1000 + 10 * i;

    work_trial(work, study, i, id);
    work_lease(work, study, i, 1, id + 1, 0, 0);
    work_start(work, study, i, 1);
    work_report(work, study, i, 1, 2, 1, 0.25);
    work_checkpoint(work, study, i, 1, 3, 1);
    work_report(work, study, i, 1, 4, 2, 0.5);
    if (i > 0) {
        work_lease(work, study, i - 1, 2, id + 2, 1, 1);
        work_report(work, study, i - 1, 2, 1, 2, 0.75);
        work_end(work, study, i - 1, 2, 2, ASY_END_COMPLETE, 2);
        work_trial_state(work, study, i - 1, ASY_TRIAL_COMPLETE, (double)(i % 5));
    }
}

static int step(struct run *run, struct asy_error *err)
{
    batch(run->work, work_id(1), run->next++);
    return work_commit(run->work, run->store, &run->acked, err);
}

static int workload(struct run *run, struct power *power, const struct asy_store_spec *spec,
                    struct work *work, int sync_folder, struct asy_error *err)
{
    int rc = 0;

    run->work = work;
    run->next = 0;
    if ((rc = asy_store_open(spec, &run->store, NULL, err)))
        return rc;
    if (sync_folder)
        power_folder_synced(power);
    work_study(work, work_id(1), "power", "maximize");
    for (uint64_t i = 0; i < 14 && rc == 0; i++) {
        if ((rc = step(run, err)))
            break;
        draw(run, power);
        if (i % 5 == 4 && !spec->assume_network)
            copy_back(run);
    }
    asy_store_close(run->store); /* syncs too: cuts fall into it */
    if (rc == 0)
        draw(run, power);
    return rc;
}

static bool run_with(struct run *run, int network, int no_sync, unsigned faults, int sync_folder,
                     uint64_t seed)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct power *power = NULL;
    struct work work = { 0 };
    char folder[PATH_MAX];
    struct asy_store_spec spec = { .path = new_folder(folder), .vfs = POWER_VFS,
                                   .no_sync = no_sync, .assume_network = network,
                                   .copy_by_hand = 1 };
    bool ok;

    run->folder = folder;
    ok = T_OK(power_create(seed, faults, cut, run, &power, &err), &err) &&
         T_OK(work_create(&work, &err), &err) &&
         T_OK(workload(run, power, &spec, &work, sync_folder, &err), &err);
    power_destroy(power);
    work_fini(&work);
    drop_folder(folder);
    return ok;
}

/* ---- cases ---------------------------------------------------------------------------------- */

static void nothing_acknowledged_is_lost(void)
{
    for (uint64_t seed = 1; seed <= 2; seed++) {
        for (int network = 0; network < 2; network++) {
            struct run run = { .losses = 0 };

            if (!run_with(&run, network, 0, 0, 1, seed))
                continue;
            t__check(run.losses == 0, __LINE__, __FILE__, "seed %d, network %d: %zu of %zu images "
                     "are bad: %s", (int)seed, network, run.losses, run.cuts, run.first);
            T_TRUE(run.cuts > 40);
            T_TRUE(run.between >= (network ? 0 : 4)); /* the log's sync and the database's, twice */
        }
    }
}

/* The folder is synced by SQLite and by the store: either is enough. */
static void one_sync_of_the_folder_is_enough(void)
{
    struct run by_sqlite = { .losses = 0 }, by_store = { .losses = 0 };

    if (run_with(&by_sqlite, 0, 0, 0, 0, 1))
        T_EQ("SQLite alone", by_sqlite.losses, 0);
    if (run_with(&by_store, 0, 0, POWER_DROP_FOLDER, 1, 1))
        T_EQ("the store alone", by_store.losses, 0);
}

static void every_missing_sync_is_noticed(void)
{
    static const struct {
        const char *name;
        int network, no_sync;
        unsigned faults;
        int sync_folder;
    } cases[] = {
        { "synchronous=OFF", 0, 1, 0, 1 },
        { "synchronous=OFF, network", 1, 1, 0, 1 },
        { "of the log", 0, 0, POWER_DROP_WAL, 1 },
        { "of the database", 0, 0, POWER_DROP_DB, 1 },
        { "of the folder", 0, 0, POWER_DROP_FOLDER, 0 },
        { "of the journal", 1, 0, POWER_DROP_JOURNAL, 1 },
        { "of the database, network", 1, 0, POWER_DROP_DB, 1 },
        { "of the folder, network", 1, 0, POWER_DROP_FOLDER, 0 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct run run = { .stop_at_loss = 1 };

        for (uint64_t seed = 1; seed <= 8 && run.losses == 0; seed++) {
            run.acked = 0;
            if (!run_with(&run, cases[i].network, cases[i].no_sync, cases[i].faults,
                          cases[i].sync_folder, seed))
                break;
        }
        t__check(run.losses > 0, __LINE__, __FILE__, "a missing sync %s goes unnoticed",
                 cases[i].name);
    }
}

static void ignore_cut(void *arg, struct power *power)
{
    (void)arg, (void)power;
}

/* Room goes in small steps, so that each kind of write is the one that fails. */
static void a_full_disk_rolls_back(void)
{
    for (int network = 0; network < 2; network++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct power *power = NULL;
        struct asy_store *store = NULL;
        struct work work = { 0 };
        char folder[PATH_MAX];
        struct asy_store_spec spec = { .path = new_folder(folder), .vfs = POWER_VFS,
                                       .assume_network = network, .copy_by_hand = 1 };
        uint64_t seq = 0, next = 0;
        size_t refused = 0;

        if (!T_OK(power_create(1, 0, ignore_cut, NULL, &power, &err), &err) ||
            !T_OK(work_create(&work, &err), &err) ||
            !T_OK(asy_store_open(&spec, &store, NULL, &err), &err))
            goto out;
        work_study(&work, work_id(1), "full", "minimize");
        if (!T_OK(work_commit(&work, store, &seq, &err), &err))
            goto out;
        for (int64_t room = 0; room < 40; room++) {
            uint64_t before = seq;
            int rc;

            power_set_room(power, 512 * room);
            for (uint64_t i = 0; i < 20; i++)
                work_trial(&work, work_id(1), next + i, 1000 + next + i);
            if ((rc = work_commit(&work, store, &seq, &err)) == 0) {
                next += 20;
                continue;
            }
            refused++;
            T_EQ("code", rc, ASY_E_NOSPACE);
            T_EQ("number", seq, before);
            power_set_room(power, -1);
            work_trial(&work, work_id(1), next, 1000 + next);
            if (!T_OK(work_commit(&work, store, &seq, &err), &err))
                goto out;
            next++;
            T_EQ("goes on", seq, before + 1);
        }
        T_TRUE(refused > 5);
        asy_store_close(store);
        store = NULL;
        spec.vfs = NULL;
        T_OK(check_store(&spec, seq, NULL, &err), &err);
    out:
        asy_store_close(store);
        power_destroy(power);
        work_fini(&work);
        drop_folder(folder);
    }
}

/* What a round could not write is in the log alone: the store takes nothing more, and leaves it. */
static void a_copy_that_fails_ends_the_store(void)
{
    static const struct {
        const char *name;
        int copying;
    } cases[] = { { "the whole log", 0 }, { "beside a commit", 1 } };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct run run = { .next = 0 };
        struct asy_error err = ASY_ERROR_INIT;
        struct power *power = NULL;
        struct work work = { 0 };
        char folder[PATH_MAX];
        struct asy_store_spec spec = { .path = new_folder(folder), .vfs = POWER_VFS,
                                       .copy_by_hand = 1 };

        run.work = &work;
        if (!T_OK(power_create(1, 0, cut, &run, &power, &err), &err) ||
            !T_OK(work_create(&work, &err), &err) ||
            !T_OK(asy_store_open(&spec, &run.store, NULL, &err), &err))
            goto out;
        power_folder_synced(power);
        work_study(&work, work_id(1), "broken", "minimize");
        if (!T_OK(step(&run, &err), &err))
            goto out;
        power_fail(power, POWER_DROP_DB);
        run.copying = cases[i].copying;
        asy_store_copy_back(run.store);
        run.copying = 0;
        power_fail(power, 0);
        T_EQ(cases[i].name, run.between, (size_t)cases[i].copying);
        T_EQ(cases[i].name, step(&run, &err), ASY_E_IO);
        T_HAS("the cause", err.text, "cannot copy the log back");
        asy_store_close(run.store);
        run.store = NULL;
        draw(&run, power);
        t__check(run.losses == 0, __LINE__, __FILE__, "%s: %s", cases[i].name, run.first);
    out:
        asy_store_close(run.store);
        power_destroy(power);
        work_fini(&work);
        drop_folder(folder);
    }
}

T_MAIN("store power", T_TEST(nothing_acknowledged_is_lost),
       T_TEST(one_sync_of_the_folder_is_enough), T_TEST(every_missing_sync_is_noticed),
       T_TEST(a_full_disk_rolls_back), T_TEST(a_copy_that_fails_ends_the_store))
