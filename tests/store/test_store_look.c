/* SPDX-License-Identifier: Apache-2.0
 * test_store_look.c - looking at a store from outside: what is seen, and that nothing changes. */
#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "fixture.h"

#define PORT 12345

/* Names, sizes and times of the files of a folder, as one text. */
static void list(const char *folder, char *text, size_t size)
{
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, NULL, alphasort);
    size_t at = 0;

    text[0] = 0;
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        struct stat st;

        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        if (strcmp(entries[i]->d_name, "..") && stat(path, &st) == 0 && at < size)
            at += (size_t)snprintf(text + at, size - at, "%s %lld %lld.%09ld\n", entries[i]->d_name,
                                   (long long)st.st_size, (long long)st.st_mtim.tv_sec,
                                   st.st_mtim.tv_nsec);
        free(entries[i]);
    }
    free(entries);
}

static void nothing_there_is_no_error_and_stays_so(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_store_look look;
    char folder[PATH_MAX], path[PATH_MAX + 16], before[4096], after[4096];

    new_folder(folder);
    snprintf(path, sizeof path, "%s/home/store", folder);
    list(folder, before, sizeof before);
    T_OK(asy_store_look(path, &look, &err), &err);
    T_EQ("exists", look.exists, 0);
    T_EQ("locked", look.locked, 0);
    T_TRUE(look.fs[0] != 0 && look.schema_known > 0);
    list(folder, after, sizeof after);
    T_STR("files", after, before);
    drop_folder(folder);
}

static void an_open_store_shows_its_owner_and_a_closed_one_its_last(void)
{
    struct asy_store_spec spec = { .path = NULL };
    struct asy_store_info info;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_store *store = NULL;
    struct asy_store_look look;
    char folder[PATH_MAX], before[4096], after[4096];

    new_folder(folder);
    spec.path = folder;
    for (int i = 1; i <= 2; i++) {
        if (!T_OK(asy_store_open(&spec, &store, &info, &err), &err) ||
            !T_OK(asy_store_set_port(store, PORT, &err), &err))
            goto out;
        T_OK(asy_store_look(folder, &look, &err), &err);
        T_EQ("locked", look.locked, 1);
        T_EQ("owner", look.holder.pid, getpid());
        T_EQ("open", look.holder.open, 1);
        T_EQ("epoch", look.owner_epoch, i);
        T_EQ("port", look.port, PORT);
        T_EQ("id", asy_id_cmp(look.id, info.id), 0);
        asy_store_close(store);
        store = NULL;
        list(folder, before, sizeof before);
        T_OK(asy_store_look(folder, &look, &err), &err);
        T_EQ("locked", look.locked, 0);
        T_EQ("open", look.holder.open, 0);
        T_EQ("port", look.port, PORT);
        T_EQ("epoch", look.owner_epoch, i);
        T_EQ("schema", look.schema, look.schema_known);
        list(folder, after, sizeof after);
        T_STR("files", after, before);
    }
out:
    asy_store_close(store);
    drop_folder(folder);
}

/* Opens the store, says so, and waits for its end. */
__attribute__((noreturn)) static void hold(const char *folder, int say)
{
    struct asy_store_spec spec = { .path = folder };
    struct asy_store *store;

    if (asy_store_open(&spec, &store, NULL, NULL) < 0 ||
        asy_store_set_port(store, PORT, NULL) < 0 || write(say, "", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

static void a_killed_owner_is_seen_with_what_it_had_stored(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_store_look look;
    char folder[PATH_MAX], byte;
    int fds[2];
    pid_t child;

    new_folder(folder);
    if (!T_TRUE(pipe(fds) == 0) || !T_TRUE((child = fork()) >= 0))
        return;
    if (child == 0)
        hold(folder, fds[1]);
    T_TRUE(read(fds[0], &byte, 1) == 1);
    T_OK(asy_store_look(folder, &look, &err), &err);
    T_EQ("locked", look.locked, 1);
    T_EQ("owner", look.holder.pid, child);
    kill(child, SIGKILL);
    T_TRUE(waitpid(child, NULL, 0) == child);
    T_OK(asy_store_look(folder, &look, &err), &err);
    T_EQ("locked", look.locked, 0);
    T_EQ("open", look.holder.open, 1); /* it did not close in order */
    T_EQ("port", look.port, PORT);     /* which stands in the log alone */
    close(fds[0]);
    close(fds[1]);
    drop_folder(folder);
}

static void what_is_no_store_is_refused_with_its_name(void)
{
    static const struct {
        const char *name, *bytes, *says;
        int want;
    } cases[] = {
        { "text",
          "SQLite format 4 it is not, but this is longer than a header of a hundred bytes "
          "would be, so that it is read",
          "not a database", ASY_E_CORRUPT },
        { "an empty file", "", NULL, 0 }, /* its owner ended before it had made the tables */
    };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_store_look look;
    char folder[PATH_MAX], path[PATH_MAX + 16];

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        FILE *file;

        new_folder(folder);
        snprintf(path, sizeof path, "%s/assay.db", folder);
        if (T_TRUE((file = fopen(path, "w")) != NULL)) {
            fputs(cases[i].bytes, file);
            fclose(file);
            T_EQ(cases[i].name, asy_store_look(folder, &look, &err), cases[i].want);
            if (cases[i].says) {
                T_HAS(cases[i].name, err.text, cases[i].says);
                T_HAS(cases[i].name, err.text, path);
            }
            T_EQ(cases[i].name, look.exists, 1);
        }
        drop_folder(folder);
    }
}

/* The URI that keeps SQLite from making files must name the same file, whatever is in its name. */
static void folders_with_signs_in_their_names_are_found(void)
{
    static const char *const names[] = { "a?b", "a#b", "a%41b", "a b&mode=memory", "\xc3\xa4" };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_store_look look;
    struct asy_store *store;
    char folder[PATH_MAX], path[PATH_MAX + 32];

    new_folder(folder);
    for (size_t i = 0; i < ASY_ARRAY_LEN(names); i++) {
        struct asy_store_spec spec = { .path = path };

        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (!T_OK(asy_store_open(&spec, &store, NULL, &err), &err))
            continue;
        T_OK(asy_store_set_port(store, PORT + (int)i, &err), &err);
        asy_store_close(store);
        T_OK(asy_store_look(path, &look, &err), &err);
        T_EQ(names[i], look.port, PORT + (int)i);
    }
    drop_folder(folder);
}

T_MAIN("store_look", T_TEST(nothing_there_is_no_error_and_stays_so),
       T_TEST(an_open_store_shows_its_owner_and_a_closed_one_its_last),
       T_TEST(a_killed_owner_is_seen_with_what_it_had_stored),
       T_TEST(what_is_no_store_is_refused_with_its_name),
       T_TEST(folders_with_signs_in_their_names_are_found))
