/* SPDX-License-Identifier: Apache-2.0
 * test_store_open.c - who may open a store, what opening changes, and what a full disk does. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include "check.h"
#include "dump.h"
#include "fixture.h"

static int open_at(const char *folder, struct asy_store **ret, struct asy_store_info *info,
                   struct asy_error *err)
{
    struct asy_store_spec spec = { .path = folder };

    return asy_store_open(&spec, ret, info, err);
}

static const char *file_in(const char *folder, const char *name)
{
    static char path[4][PATH_MAX + 32];
    static unsigned next;
    char *text = path[next++ % 4];

    snprintf(text, sizeof path[0], "%s/%s", folder, name);
    return text;
}

static bool write_file(const char *path, const char *bytes, size_t n)
{
    FILE *file = fopen(path, "w");
    bool ok = file && fwrite(bytes, 1, n, file) == n;

    if (file && fclose(file) != 0)
        ok = false;
    return T_TRUE(ok);
}

/* Copies bytes over the file at `to`, which keeps its inode if it is there. */
static bool copy_file(const char *from, const char *to)
{
    struct asy_error err = ASY_ERROR_INIT;
    char *bytes = NULL;
    size_t n;
    bool ok = T_OK(asy_read_file(from, (size_t)1 << 30, &bytes, &n, &err), &err) &&
              write_file(to, bytes, n);

    free(bytes);
    return ok;
}

static bool run_sql(const char *path, const char *sql)
{
    sqlite3 *db = NULL;
    char *text = NULL;
    bool ok = sqlite3_open(path, &db) == SQLITE_OK &&
              sqlite3_exec(db, sql, NULL, NULL, &text) == SQLITE_OK;

    t__check(ok, __LINE__, __FILE__, "sqlite: %s", text ? text : "cannot open");
    sqlite3_free(text);
    sqlite3_close(db);
    return ok;
}

/* ---- one owner ------------------------------------------------------------------------------ */

static void a_second_opener_is_refused_by_name(void)
{
    FOR_EACH_ENGINE(f)
    {
        struct fixture f;
        struct asy_store_spec spec;
        struct asy_store *second = NULL;
        char host[256] = "", pid[32];

        if (!setup(&f, &engines[f_i]))
            goto out;
        if (!f.engine->files)
            goto out;
        spec = spec_of(f.engine, f.folder);
        gethostname(host, sizeof host - 1);
        snprintf(pid, sizeof pid, "pid %d,", (int)getpid());
        T_EQ(f.engine->name, asy_store_open(&spec, &second, NULL, &f.err), ASY_E_BUSY);
        T_HAS("host", f.err.text, host);
        T_HAS("pid", f.err.text, pid);
        T_HAS("since", f.err.text, "since 2");
        T_TRUE(!second);
        work_study(&f.work, work_id(2), "a", "minimize"); /* the owner is not disturbed */
        commit(&f);
    out:
        teardown(&f);
    }
}

static void another_process_is_refused(void)
{
    struct fixture f;
    int status = -1;
    pid_t child;

    if (!setup(&f, &engines[1]))
        goto out;
    if ((child = fork()) == 0) {
        struct asy_store *second = NULL;
        struct asy_error err = ASY_ERROR_INIT;

        _exit(open_at(f.folder, &second, NULL, &err) == ASY_E_BUSY ? 0 : 1);
    }
    T_TRUE(child > 0 && waitpid(child, &status, 0) == child);
    T_EQ("child", WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
out:
    teardown(&f);
}

/* Dead with its lock still held, as a process is for a moment: its child has inherited the file. */
static void an_owner_that_is_dying_is_waited_for(void)
{
    struct fixture f;
    struct asy_store *second = NULL;
    int status = -1;
    pid_t child;

    if (!setup(&f, &engines[1]))
        goto out;
    asy_store_close(f.store);
    f.store = NULL;
    if ((child = fork()) == 0) {
        struct asy_store *mine = NULL;
        struct asy_error err = ASY_ERROR_INIT;
        int rc = open_at(f.folder, &mine, NULL, &err);

        if (rc == 0 && fork() == 0)
            usleep(100000); /* longer than the other needs to find it locked */
        _exit(rc ? 1 : 0);
    }
    T_TRUE(child > 0 && waitpid(child, &status, 0) == child);
    T_EQ("child", WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
    T_OK(open_at(f.folder, &second, NULL, &f.err), &f.err);
out:
    asy_store_close(second);
    teardown(&f);
}

static void a_removed_lock_file_does_not_make_two_writers(void)
{
    struct fixture f;
    struct asy_store *second = NULL;

    if (!setup(&f, &engines[1]))
        goto out;
    work_study(&f.work, work_id(2), "a", "minimize");
    if (!commit(&f))
        goto out;
    T_EQ("unlink", unlink(file_in(f.folder, "assay.lock")), 0);
    if (!T_OK(open_at(f.folder, &second, NULL, &f.err), &f.err))
        goto out;
    work_trial(&f.work, work_id(2), 0, 100);
    T_EQ("the old owner", work_commit(&f.work, f.store, &f.seq, &f.err), ASY_E_BUSY);
    T_EQ("its port", asy_store_set_port(f.store, 4000, &f.err), ASY_E_BUSY);
    work_trial(&f.work, work_id(2), 0, 100);
    T_OK(work_commit(&f.work, second, &f.seq, &f.err), &f.err);
out:
    asy_store_close(second);
    teardown(&f);
}

static bool forge_lock(const char *folder, const char *host, int64_t beat_us, int open)
{
    char text[600];
    int n = snprintf(text, sizeof text, "{\"host\":\"%s\",\"boot\":\"another\",\"pid\":77,"
                     "\"since_us\":%lld,\"beat_us\":%lld,\"open\":%s,\"store\":\"\","
                     "\"owner_epoch\":0,\"seq\":0}\n", host, (long long)beat_us,
                     (long long)beat_us, open ? "true" : "false");

    return write_file(file_in(folder, "assay.lock"), text, (size_t)n);
}

static void a_live_owner_elsewhere_counts_on_network_file_systems(void)
{
    static const struct {
        const char *name;
        int age_s, open, network, want;
    } cases[] = {
        { "it was heard of just now", 1, 1, 1, ASY_E_BUSY },
        { "its clock is ahead", -5, 1, 1, ASY_E_BUSY },
        { "it is silent", 3600, 1, 1, 0 },
        { "it closed in order", 1, 0, 1, 0 },
        { "local disks have one host", 1, 1, 0, 0 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_store *store = NULL;
        struct asy_store_spec spec;
        char folder[PATH_MAX];

        spec = (struct asy_store_spec){ .path = new_folder(folder),
                                        .assume_network = cases[i].network };
        if (forge_lock(folder, "far-away",
                       asy_clock_wall_us() - INT64_C(1000000) * cases[i].age_s, cases[i].open)) {
            T_EQ(cases[i].name, asy_store_open(&spec, &store, NULL, &err), cases[i].want);
            if (cases[i].want)
                T_HAS(cases[i].name, err.text, "'far-away'");
        }
        asy_store_close(store);
        drop_folder(folder);
    }
}

static int n_synced;

static int count_sync(int fd)
{
    n_synced++;
    return fsync(fd);
}

static int plain_open(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

static void an_owner_s_mark_is_synced_where_others_look_at_it(void)
{
    static const struct asy_durable_ops ops = {
        .open = plain_open, .write = write, .fsync = count_sync, .close = close,
        .rename = rename, .unlink = unlink, .mkdir = mkdir,
    };

    for (int network = 0; network <= 1; network++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_store *store = NULL;
        struct asy_store_spec spec;
        char folder[PATH_MAX];

        spec = (struct asy_store_spec){ .path = new_folder(folder), .assume_network = network };
        if (T_OK(asy_store_open(&spec, &store, NULL, &err), &err)) {
            asy_durable_set_ops(&ops);
            n_synced = 0;
            asy_store_touch(store);
            T_EQ(network ? "on a network file system" : "on a local disk", n_synced, network);
            asy_durable_set_ops(NULL);
        }
        asy_store_close(store);
        drop_folder(folder);
    }
}

/* ---- identity ------------------------------------------------------------------------------- */

static void each_opening_raises_the_epoch(void)
{
    for (size_t i = 1; i < ASY_ARRAY_LEN(engines); i++) {
        struct fixture f;
        struct asy_store_info first;

        if (!setup(&f, &engines[i]))
            goto out;
        first = f.info;
        T_EQ("no port yet", first.port, 0);
        T_OK(asy_store_set_port(f.store, 7077, &f.err), &f.err);
        T_EQ("bad port", asy_store_set_port(f.store, 70000, &f.err), ASY_E_INVAL);
        work_study(&f.work, work_id(2), "a", "minimize");
        if (!commit(&f) || !reopen(&f))
            goto out;
        T_EQ(f.engine->name, f.info.owner_epoch, first.owner_epoch + 1);
        T_EQ("same id", asy_id_cmp(f.info.id, first.id), 0);
        T_EQ("port", f.info.port, 7077);
        T_EQ("last seq", f.info.last_seq, 1);
        T_EQ("restored", f.info.restored, 0);
        T_EQ("network", f.info.network_fs, f.engine->network);
        T_TRUE(f.info.fs[0] != 0);
    out:
        teardown(&f);
    }
}

static void a_copied_folder_is_another_store(void)
{
    struct fixture f;
    struct asy_store *copy = NULL;
    struct asy_store_info info, again;
    char folder[PATH_MAX];

    new_folder(folder);
    if (!setup(&f, &engines[1]))
        goto out;
    work_study(&f.work, work_id(2), "a", "minimize");
    if (!commit(&f))
        goto out;
    asy_store_close(f.store);
    f.store = NULL;
    if (!copy_file(file_in(f.folder, "assay.db"), file_in(folder, "assay.db")) ||
        !copy_file(file_in(f.folder, "assay.lock"), file_in(folder, "assay.lock")) ||
        !T_OK(open_at(folder, &copy, &info, &f.err), &f.err))
        goto out;
    T_TRUE(asy_id_cmp(info.id, f.info.id) != 0);
    T_EQ("restored", info.restored, 1);
    T_EQ("its events", info.last_seq, 1);
    T_TRUE(info.owner_epoch > f.info.owner_epoch);
    asy_store_close(copy);
    copy = NULL;
    if (T_OK(open_at(folder, &copy, &again, &f.err), &f.err))
        T_EQ("and stays that one", asy_id_cmp(again.id, info.id), 0);
out:
    asy_store_close(copy);
    drop_folder(folder);
    teardown(&f);
}

static void a_backup_put_back_in_place_is_another_store(void)
{
    struct fixture f;
    struct asy_store_info first;
    char backup[PATH_MAX + 16];

    if (!setup(&f, &engines[1]))
        goto out;
    first = f.info;
    snprintf(backup, sizeof backup, "%s/backup", f.folder);
    work_study(&f.work, work_id(2), "a", "minimize");
    if (!commit(&f) || !reopen(&f))
        goto out;
    asy_store_close(f.store);
    f.store = NULL;
    if (!copy_file(file_in(f.folder, "assay.db"), backup) || !reopen(&f))
        goto out;
    T_EQ("same id", asy_id_cmp(f.info.id, first.id), 0);
    work_trial(&f.work, work_id(2), 0, 100);
    if (!commit(&f))
        goto out;
    asy_store_close(f.store);
    f.store = NULL;
    if (!copy_file(backup, file_in(f.folder, "assay.db")) || !reopen(&f))
        goto out;
    T_TRUE(asy_id_cmp(f.info.id, first.id) != 0);
    T_EQ("its events", f.info.last_seq, 1);
    T_EQ("above what agents saw", f.info.owner_epoch, 4);
out:
    teardown(&f);
}

/* ---- what is not a store -------------------------------------------------------------------- */

static void files_that_are_no_store_are_refused(void)
{
    static const struct {
        const char *name, *sql, *want;
    } cases[] = {
        { "some database", "CREATE TABLE x(a)", "not a store" },
        { "a later schema", "PRAGMA application_id=1098085241; PRAGMA user_version=99;"
          "CREATE TABLE x(a)", "version 99" },
        { "no database", NULL, "not a database" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_store *store = NULL;
        char folder[PATH_MAX], noise[8192];
        const char *path = file_in(new_folder(folder), "assay.db");

        memset(noise, 'x', sizeof noise);
        if (cases[i].sql ? run_sql(path, cases[i].sql) : write_file(path, noise, sizeof noise)) {
            T_EQ(cases[i].name, open_at(folder, &store, NULL, &err), ASY_E_CORRUPT);
            T_HAS(cases[i].name, err.text, cases[i].want);
            T_HAS(cases[i].name, err.text, path);
        }
        asy_store_close(store);
        drop_folder(folder);
    }
}

static void stores_of_older_releases_open(void)
{
    static const struct {
        const char *name;
        uint64_t events, epoch;
        const char *file;
    } cases[] = { { "v1.sql", 33, 2, "artifacts/ab/cd" } };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_store_info info;
        struct asy_store *store = NULL;
        struct asy_store_spec spec;
        char folder[PATH_MAX], *sql = NULL;
        uint64_t last = 0;
        size_t n;

        spec = (struct asy_store_spec){ .path = new_folder(folder) };
        if (T_OK(asy_read_file(file_in(ASY_FIXTURES, cases[i].name), 1u << 20, &sql, &n, &err),
                 &err) &&
            run_sql(file_in(folder, "assay.db"), sql) &&
            T_OK(asy_store_open(&spec, &store, &info, &err), &err)) {
            T_EQ(cases[i].name, info.last_seq, cases[i].events);
            T_EQ(cases[i].name, info.owner_epoch, cases[i].epoch);
            T_EQ("its files", asy_reader_has_file(asy_store_reader(store), cases[i].file, &err), 1);
            asy_store_close(store);
            T_OK(check_store(&spec, cases[i].events, &last, &err), &err);
            T_EQ(cases[i].name, last, cases[i].events);
        }
        free(sql);
        drop_folder(folder);
    }
}

static void a_damaged_page_is_reported(void)
{
    struct fixture f;
    struct asy_buf buf;
    char noise[4096];
    int fd;

    asy_buf_init(&buf, (size_t)1 << 30);
    if (!setup(&f, &engines[1]))
        goto out;
    work_study(&f.work, work_id(2), "a", "minimize");
    for (uint64_t i = 0; i < 500; i++)
        work_trial(&f.work, work_id(2), i, 100 + i);
    if (!commit(&f))
        goto out;
    asy_store_close(f.store);
    f.store = NULL;
    memset(noise, 0x5a, sizeof noise);
    fd = open(file_in(f.folder, "assay.db"), O_WRONLY | O_CLOEXEC);
    for (off_t at = 30 * 4096; at < 45 * 4096; at += 4096)
        T_TRUE(pwrite(fd, noise, sizeof noise, at) == (ssize_t)sizeof noise);
    close(fd);
    if (reopen(&f))
        T_EQ("reading", dump_reader(f.reader, &buf, &f.err), ASY_E_CORRUPT);
out:
    asy_buf_fini(&buf);
    teardown(&f);
}

/* ---- readers -------------------------------------------------------------------------------- */

static int count_event(void *arg, const struct asy_event *event)
{
    (void)event;
    ++*(size_t *)arg;
    return 0;
}

static void readers_see_what_was_committed(void)
{
    struct fixture f;
    struct asy_store_spec spec;
    struct asy_reader *reader = NULL;
    size_t n = 0;

    if (!setup(&f, &engines[1]))
        goto out;
    spec = spec_of(f.engine, f.folder);
    work_study(&f.work, work_id(2), "a", "minimize");
    if (!commit(&f) || !T_OK(asy_reader_open(&spec, &reader, &f.err), &f.err))
        goto out;
    for (uint64_t i = 0; i < 3; i++) {
        work_trial(&f.work, work_id(2), i, 100 + i);
        if (!commit(&f))
            goto out;
        n = 0;
        T_OK(asy_reader_events(reader, work_id(2), WORK_NONE, 0, UINT64_MAX, -1, count_event, &n,
                               &f.err),
             &f.err);
        T_EQ("events", n, 2 + i);
    }
out:
    asy_reader_close(reader);
    teardown(&f);
}

static void readers_are_refused_where_they_cannot_work(void)
{
    FOR_EACH_ENGINE(f)
    {
        struct fixture f;
        struct asy_store_spec spec;
        struct asy_reader *reader = NULL;

        if (setup(&f, &engines[f_i])) {
            spec = spec_of(f.engine, f.folder);
            T_EQ(f.engine->name, asy_reader_open(&spec, &reader, &f.err),
                 f.engine->files && !f.engine->network ? 0 : ASY_E_STATE);
        }
        asy_reader_close(reader);
        teardown(&f);
    }
}

/* ---- a full disk ---------------------------------------------------------------------------- */

/* Commits trials until one is refused; returns how many were taken, -1 on another failure. */
static int fill(struct asy_store *store, struct work *work, struct asy_error *err)
{
    uint64_t seq;
    int rc = 0, n = 0;

    for (; n < 100000; n++) {
        work_trial(work, work_id(2), (uint64_t)n, 100 + (uint64_t)n);
        if ((rc = work_commit(work, store, &seq, err)))
            break;
    }
    return rc == ASY_E_NOSPACE ? n : -1;
}

/* In a mount namespace of its own: fills a small tmpfs, makes room, goes on. */
static int fill_tmpfs(const char *folder)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_store *store = NULL;
    struct asy_buf buf;
    struct work work = { 0 };
    uint64_t seq;
    size_t events = 0;
    int n, fd = -1, rc = 1;

    asy_buf_init(&buf, (size_t)1 << 30);
    if (mount("tmpfs", folder, "tmpfs", 0, "size=2m") < 0)
        return 2;
    if (work_create(&work, &err) || (fd = open(file_in(folder, "ballast"), O_CREAT | O_WRONLY,
                                               0600)) < 0 || posix_fallocate(fd, 0, 300000) ||
        open_at(folder, &store, NULL, &err))
        goto out;
    work_study(&work, work_id(2), "a", "minimize");
    if (work_commit(&work, store, &seq, &err) || (n = fill(store, &work, &err)) < 0)
        goto out;
    work_trial(&work, work_id(2), (uint64_t)n, 100 + (uint64_t)n);
    if (work_commit(&work, store, &seq, &err) != ASY_E_NOSPACE ||
        unlink(file_in(folder, "ballast")))
        goto out;
    close(fd);
    fd = -1;
    work_trial(&work, work_id(2), (uint64_t)n, 100 + (uint64_t)n);
    if (work_commit(&work, store, &seq, &err) || seq != (uint64_t)n + 2)
        goto out;
    asy_store_close(store);
    store = NULL;
    if (open_at(folder, &store, NULL, &err) ||
        asy_reader_events(asy_store_reader(store), ASY_ID_NONE, WORK_NONE, 0, UINT64_MAX, -1,
                          count_event,
                          &events, &err))
        goto out;
    rc = events == (size_t)n + 2 ? 0 : 1;
out:
    if (rc)
        fprintf(stderr, "on a full disk: %d: %s\n", err.code, err.text);
    if (fd >= 0)
        close(fd);
    asy_store_close(store);
    work_fini(&work);
    asy_buf_fini(&buf);
    umount2(folder, MNT_DETACH);
    return rc;
}

static void a_full_disk_refuses_and_later_takes_again(void)
{
    char folder[PATH_MAX];
    int status = -1;
    pid_t child;

    new_folder(folder);
    if ((child = fork()) == 0) {
        if (unshare(geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
            _exit(2);
        _exit(fill_tmpfs(folder));
    }
    T_TRUE(child > 0 && waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
        fprintf(stderr, "mounting is not allowed here; test_store_power fills a disk without\n");
    else
        T_EQ("child", WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
    drop_folder(folder);
}

T_MAIN("store open", T_TEST(a_second_opener_is_refused_by_name),
       T_TEST(another_process_is_refused),
       T_TEST(an_owner_that_is_dying_is_waited_for),
       T_TEST(a_removed_lock_file_does_not_make_two_writers),
       T_TEST(a_live_owner_elsewhere_counts_on_network_file_systems),
       T_TEST(an_owner_s_mark_is_synced_where_others_look_at_it),
       T_TEST(each_opening_raises_the_epoch), T_TEST(a_copied_folder_is_another_store),
       T_TEST(a_backup_put_back_in_place_is_another_store),
       T_TEST(files_that_are_no_store_are_refused), T_TEST(stores_of_older_releases_open),
       T_TEST(a_damaged_page_is_reported),
       T_TEST(readers_see_what_was_committed), T_TEST(readers_are_refused_where_they_cannot_work),
       T_TEST(a_full_disk_refuses_and_later_takes_again))
