/* SPDX-License-Identifier: Apache-2.0
 * test_power_loss.c - asy/durable.h after a power loss before any of its system calls: the old file
 * or the whole new one, and the new one for sure once the call has returned. Every single sync is
 * then taken away, and a loss must be found. */
#include <string.h>
#include <sys/stat.h>
#include <asy/durable.h>
#include "asytest.h"
#include "engines.h"
#include "files_power.h"

#define SEEDS 12
#define IMAGES 6

static const char old_text[] = "the old content";

struct run {
    char root[PATH_MAX], path[PATH_MAX + 64], image[PATH_MAX];
    char *text;                 /* new content */
    size_t len;
    int returned;               /* the call under test has said that it worked */
    int (*whole)(struct run *run, const char *path); /* 1: new, 0: old, -1: neither */
    size_t losses;
};

/* Where the path lies in an image. */
static const char *in_image(const struct run *run, const char *path)
{
    static char text[4][2 * PATH_MAX + 128];
    static unsigned next;
    char *at = text[next++ % 4];

    snprintf(at, sizeof text[0], "%s%s", run->image, path + strlen(run->root));
    return at;
}

static void look(void *arg)
{
    struct run *run = arg;
    int got;

    for (int i = 0; i < IMAGES; i++) {
        files_image(new_folder(run->image));
        got = run->whole(run, in_image(run, run->path));
        run->losses += got < 0 || (run->returned && got == 0);
        drop_folder(run->image);
    }
}

/* ---- what may be found ---------------------------------------------------------------------- */

/* 1: exactly this content; 0: no such file; -1: another one. */
static int holds(const char *path, const char *text, size_t len)
{
    struct asy_error err = ASY_ERROR_INIT;
    char *bytes = NULL;
    size_t n = 0;
    int rc = asy_read_file(path, 1u << 20, &bytes, &n, &err);
    int same = rc == 0 && n == len && !memcmp(bytes, text, len);

    free(bytes);
    return rc == ASY_E_NOENT ? 0 : same ? 1 : -1;
}

static int file_over_old(struct run *run, const char *path)
{
    return holds(path, old_text, strlen(old_text)) == 1
               ? 0 : holds(path, run->text, run->len) == 1 ? 1 : -1;
}

static int file_or_none(struct run *run, const char *path)
{
    return holds(path, run->text, run->len);
}

static const char *const tree_files[] = { "x", "sub/y", "sub/deep/z" };

static int tree_or_none(struct run *run, const char *path)
{
    char file[2 * PATH_MAX + 256];
    int n = 0;

    if (access(path, F_OK) != 0)
        return 0;
    for (size_t i = 0; i < ASY_ARRAY_LEN(tree_files); i++) {
        snprintf(file, sizeof file, "%s/%s", path, tree_files[i]);
        n += holds(file, run->text, run->len) == 1;
    }
    return n == (int)ASY_ARRAY_LEN(tree_files) ? 1 : -1;
}

/* What is found until the call has returned may be anything. */
static int file_in_the_end(struct run *run, const char *path)
{
    return holds(path, run->text, run->len) == 1;
}

static int tree_in_the_end(struct run *run, const char *path)
{
    return tree_or_none(run, path) == 1;
}

static int folder_or_none(struct run *run, const char *path)
{
    (void)run;
    return access(path, F_OK) == 0;
}

/* ---- what is done --------------------------------------------------------------------------- */

static const char *in_root(const struct run *run, const char *name)
{
    static char text[4][PATH_MAX + 64];
    static unsigned next;
    char *at = text[next++ % 4];

    snprintf(at, sizeof text[0], "%s/%s", run->root, name);
    return at;
}

static void put_file(const char *path, const char *text, size_t len)
{
    FILE *file = fopen(path, "w");

    if (!file || fwrite(text, 1, len, file) != len || fclose(file) != 0)
        abort();
}

static void put_folder(const char *path)
{
    if (mkdir(path, 0700) < 0)
        abort();
}

static void prepare_old(struct run *run)
{
    put_folder(in_root(run, "a"));
    put_folder(in_root(run, "b"));
    put_file(in_root(run, "b/file"), old_text, strlen(old_text));
    files_note_synced(in_root(run, "a"));
    files_note_synced(in_root(run, "b"));
    snprintf(run->path, sizeof run->path, "%s/b/file", run->root);
}

static void prepare_new(struct run *run)
{
    put_folder(in_root(run, "b"));
    files_note_synced(in_root(run, "b"));
    snprintf(run->path, sizeof run->path, "%s/b/file", run->root);
}

static void prepare_move(struct run *run)
{
    prepare_old(run);
    put_file(in_root(run, "a/from"), run->text, run->len);
    files_note(in_root(run, "a/from"));
}

static void put_tree(struct run *run, const char *name)
{
    static const char *const folders[] = { "", "/sub", "/sub/deep" };
    char path[64];

    for (size_t i = 0; i < ASY_ARRAY_LEN(folders); i++) {
        snprintf(path, sizeof path, "%s%s", name, folders[i]);
        put_folder(in_root(run, path));
    }
    for (size_t i = 0; i < ASY_ARRAY_LEN(tree_files); i++) {
        snprintf(path, sizeof path, "%s/%s", name, tree_files[i]);
        put_file(in_root(run, path), run->text, run->len);
    }
    files_note(in_root(run, name));
}

static void prepare_tree(struct run *run)
{
    prepare_old(run);
    put_tree(run, "a/from");
    snprintf(run->path, sizeof run->path, "%s/b/tree", run->root);
}

/* An agent of before has made the folder, and died before it had synced it. */
static void prepare_keep(struct run *run)
{
    put_folder(in_root(run, "a"));
    files_note_synced(in_root(run, "a"));
    put_file(in_root(run, "a/from"), run->text, run->len);
    files_note(in_root(run, "a/from"));
    put_folder(in_root(run, "b"));
    files_note(in_root(run, "b"));
    snprintf(run->path, sizeof run->path, "%s/b/file", run->root);
}

/* It had even moved the same content there. */
static void prepare_keep_twice(struct run *run)
{
    prepare_keep(run);
    put_file(in_root(run, "b/file"), run->text, run->len);
    files_note(in_root(run, "b/file"));
}

static void prepare_keep_damaged(struct run *run)
{
    prepare_keep(run);
    put_file(in_root(run, "b/file"), old_text, strlen(old_text));
    files_note(in_root(run, "b/file"));
}

static void prepare_keep_anew(struct run *run)
{
    put_folder(in_root(run, "a"));
    files_note_synced(in_root(run, "a"));
    put_file(in_root(run, "a/from"), run->text, run->len);
    files_note(in_root(run, "a/from"));
    snprintf(run->path, sizeof run->path, "%s/b/file", run->root);
}

static void prepare_keep_tree(struct run *run)
{
    put_folder(in_root(run, "a"));
    files_note_synced(in_root(run, "a"));
    put_folder(in_root(run, "b"));
    files_note(in_root(run, "b"));
    put_tree(run, "a/from");
    snprintf(run->path, sizeof run->path, "%s/b/tree", run->root);
}

static void prepare_keep_tree_twice(struct run *run)
{
    prepare_keep_tree(run);
    put_tree(run, "b/tree");
}

static void prepare_keep_tree_damaged(struct run *run)
{
    prepare_keep_tree_twice(run);
    put_file(in_root(run, "b/tree/x"), old_text, strlen(old_text));
}

static void prepare_folders(struct run *run)
{
    snprintf(run->path, sizeof run->path, "%s/p/q/r", run->root);
}

static int act_write(struct run *run, struct asy_error *err)
{
    return asy_durable_write(run->path, run->text, run->len, 0600, err);
}

static int act_move(struct run *run, struct asy_error *err)
{
    return asy_durable_move(in_root(run, "a/from"), run->path, err);
}

static int act_tree(struct run *run, struct asy_error *err)
{
    return asy_durable_move_tree(in_root(run, "a/from"), run->path, err);
}

static int act_keep(struct run *run, struct asy_error *err)
{
    const char *from = in_root(run, "a/from");
    struct asy_sha sha;
    struct stat st;
    int rc = -1;

    if (stat(from, &st) == 0)
        rc = S_ISDIR(st.st_mode) ? asy_durable_tree_sha(from, &sha, NULL, err)
                                 : asy_sha_file(from, &sha, NULL, err);
    return rc ? rc : asy_durable_keep(from, sha, run->path, err);
}

static int act_folders(struct run *run, struct asy_error *err)
{
    return asy_durable_mkdirs(run->path, err);
}

static const struct scenario {
    const char *name;
    void (*prepare)(struct run *run);
    int (*act)(struct run *run, struct asy_error *err);
    int (*whole)(struct run *run, const char *path);
    size_t syncs;
} scenarios[] = {
    { "write over an old file", prepare_old, act_write, file_over_old, 2 },
    { "write a new file", prepare_new, act_write, file_or_none, 2 },
    { "move over an old file", prepare_move, act_move, file_over_old, 2 },
    { "move a tree", prepare_tree, act_tree, tree_or_none, 3 + 3 + 1 },
    { "keep a file, the first below its folder", prepare_keep_anew, act_keep, file_or_none, 3 },
    { "keep a file", prepare_keep, act_keep, file_or_none, 3 },
    { "keep a file that is there", prepare_keep_twice, act_keep, file_in_the_end, 3 },
    { "keep a file over a damaged one", prepare_keep_damaged, act_keep, file_in_the_end, 3 },
    { "keep a tree", prepare_keep_tree, act_keep, tree_or_none, 3 + 3 + 2 },
    { "keep a tree that is there", prepare_keep_tree_twice, act_keep, tree_in_the_end, 3 + 3 + 2 },
    { "keep a tree over a damaged one", prepare_keep_tree_damaged, act_keep, tree_in_the_end,
      3 + 3 + 2 },
    { "make folders", prepare_folders, act_folders, folder_or_none, 3 },
};

/* Losses found with the given sync taken away. */
static size_t play(const struct scenario *s, uint64_t seed, size_t dropped, size_t *ret_syncs)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct run run = { .whole = s->whole };
    char text[3000];

    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i * 7 % 26);
    run.text = text;
    run.len = sizeof text;
    new_folder(run.root);
    files_start(run.root, seed, dropped, look, &run);
    s->prepare(&run);
    T_OK(s->act(&run, &err), &err);
    *ret_syncs = files_syncs();
    run.returned = 1;
    look(&run);
    files_stop();
    drop_folder(run.root);
    return run.losses;
}

static void files_survive_at_every_cut(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(scenarios); i++) {
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            size_t syncs;

            T_EQ(scenarios[i].name, play(&scenarios[i], seed, FILES_NONE, &syncs), 0);
            T_EQ(scenarios[i].name, syncs, scenarios[i].syncs);
        }
    }
}

static void every_missing_sync_is_noticed(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(scenarios); i++) {
        for (size_t k = 0; k < scenarios[i].syncs; k++) {
            size_t losses = 0, syncs;

            for (uint64_t seed = 1; seed <= SEEDS && losses == 0; seed++)
                losses = play(&scenarios[i], seed, k, &syncs);
            t__check(losses > 0, __LINE__, __FILE__, "%s: without sync %zu nothing is lost",
                     scenarios[i].name, k);
        }
    }
}

T_MAIN("power loss", T_TEST(files_survive_at_every_cut), T_TEST(every_missing_sync_is_noticed))
