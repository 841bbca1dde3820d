/* SPDX-License-Identifier: Apache-2.0
 * test_pack.c - files and trees as streams, and the memory of hashes. */
#include <asy/pack.h>
#include <fcntl.h>
#include <sys/time.h>
#include "asytest.h"
#include "folder.h"

#define STREAM_MAX 4096

static bool make_tree(const struct t_folder *folder, char path[PATH_MAX])
{
    char at[PATH_MAX];

    return T_EQ("mkdir", mkdir(t_path(folder, "tree", path), 0700), 0) &&
           T_EQ("mkdir", mkdir(t_path(folder, "tree/sub", at), 0700), 0) &&
           T_EQ("mkdir", mkdir(t_path(folder, "tree/none", at), 0700), 0) &&
           t_write(t_path(folder, "tree/b", at), "second file\n") &&
           t_write(t_path(folder, "tree/a b", at), "") &&
           t_write(t_path(folder, "tree/sub/c", at), "third");
}

/* The whole stream, read `step` bytes at a time. */
static size_t read_all(const char *path, size_t step, char stream[STREAM_MAX])
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_pack *pack = NULL;
    size_t n = 0, got;

    if (!T_OK(asy_pack_open(path, &pack, &err), &err))
        return 0;
    do {
        if (!T_OK(asy_pack_read(pack, n, stream + n, step, &got, &err), &err))
            break;
        n += got;
    } while (got > 0);
    T_EQ("size", n, asy_pack_size(pack));
    asy_pack_close(pack);
    return n;
}

static void a_tree_is_the_same_stream_from_any_offset(void)
{
    static const char want[] = "0 a b\n12 b\nsecond file\n5 sub/c\nthird";
    struct t_folder folder;
    char path[PATH_MAX], stream[STREAM_MAX];

    if (!t_folder_make(&folder) || !make_tree(&folder, path))
        goto out;
    for (size_t step = 1; step < sizeof want + 1; step++) {
        size_t n = read_all(path, step, stream);

        T_TRUE(n == sizeof want - 1 && !memcmp(stream, want, n));
    }
out:
    t_folder_drop(&folder);
}

static void a_stream_becomes_the_tree_again(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    char path[PATH_MAX], packed[PATH_MAX], to[PATH_MAX], stream[STREAM_MAX + 1];
    struct asy_sha before, after, told;
    struct t_folder folder;
    size_t n;

    if (!t_folder_make(&folder) || !make_tree(&folder, path))
        goto out;
    n = read_all(path, 7, stream);
    stream[n] = '\0';
    if (!t_write(t_path(&folder, "packed", packed), stream) ||
        !T_OK(asy_pack_unpack(packed, t_path(&folder, "again", to), &told, &err), &err) ||
        !T_OK(asy_durable_tree_sha(path, &before, NULL, &err), &err) ||
        !T_OK(asy_durable_tree_sha(to, &after, NULL, &err), &err))
        goto out;
    T_EQ("content id", memcmp(&before, &after, sizeof before), 0);
    T_EQ("as it was told", memcmp(&before, &told, sizeof told), 0);
out:
    t_folder_drop(&folder);
}

/* Whoever unpacks is back after so many bytes. */
static void a_large_stream_is_unpacked_in_pieces(void)
{
    enum { SIZE = 3000000, PIECE = 65536 };
    char packed[PATH_MAX], to[PATH_MAX], file[PATH_MAX], *stream = malloc(SIZE + 64);
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_unpack *unpack = NULL;
    struct t_folder folder;
    struct asy_sha after, told;
    int head, steps = 0, rc;
    struct stat st;

    if (!t_folder_make(&folder) || !T_TRUE(stream != NULL))
        goto out;
    head = snprintf(stream, 64, "%d sub/large\n", SIZE);
    memset(stream + head, 'x', SIZE);
    snprintf(stream + head + SIZE, 32, "3 z\nend");
    if (!t_write(t_path(&folder, "packed", packed), stream) ||
        !T_OK(asy_unpack_open(packed, t_path(&folder, "to", to), &unpack, &err), &err))
        goto out;
    for (; (rc = asy_unpack_step(unpack, PIECE, &err)) > 0; steps++)
        if (stat(t_path(&folder, "to/sub/large", file), &st) == 0)
            T_TRUE(st.st_size <= (steps + 2) * PIECE);
    if (!T_OK(rc, &err) || !T_OK(asy_durable_tree_sha(to, &after, NULL, &err), &err))
        goto out;
    told = asy_unpack_sha(unpack);
    T_EQ("content id", memcmp(&told, &after, sizeof told), 0);
    T_TRUE(steps >= SIZE / PIECE);
out:
    asy_unpack_close(unpack);
    t_folder_drop(&folder);
    free(stream);
}

static void no_stream_leaves_its_folder(void)
{
    static const struct {
        const char *name, *stream;
    } cases[] = {
        { "upwards", "1 ../x\nx" },         { "upwards within", "1 a/../../x\nx" },
        { "absolute", "1 /tmp/x\nx" },      { "empty part", "1 a//x\nx" },
        { "itself", "1 .\nx" },             { "no size", "x\n" },
        { "a wrong size", "9z x\nx" },      { "cut in a file", "10 x\nshort" },
        { "cut in a header", "10 x" },      { "twice", "1 x\na1 x\nb" },
        { "out of order", "1 b\nb1 a\na" },
        { "a file as a folder", "1 x\na1 x/y\nb" }, { "no path", "1 \nx" },
    };
    struct t_folder folder;

    if (!t_folder_make(&folder))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        char packed[PATH_MAX], to[PATH_MAX], outside[PATH_MAX];
        struct asy_sha sha;
        struct asy_error err = ASY_ERROR_INIT;
        struct stat st;

        if (!t_write(t_path(&folder, "packed", packed), cases[i].stream))
            break;
        t_path(&folder, "to", to);
        T_TRUE(asy_pack_unpack(packed, to, &sha, &err) < 0);
        T_TRUE(err.text[0] != '\0');
        T_TRUE(lstat(t_path(&folder, "x", outside), &st) < 0);
        T_OK(asy_durable_remove(to, &err), &err);
    }
    t_folder_drop(&folder);
}

static void links_are_refused_and_shrinking_files_noticed(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_pack *pack = NULL;
    char path[PATH_MAX], at[PATH_MAX], bytes[64];
    struct t_folder folder;
    size_t n;

    if (!t_folder_make(&folder) || !make_tree(&folder, path) ||
        !T_OK(asy_pack_open(path, &pack, &err), &err))
        goto out;
    T_EQ("truncate", truncate(t_path(&folder, "tree/b", at), 2), 0);
    T_EQ("shorter", asy_pack_read(pack, 0, bytes, 30, &n, &err), ASY_E_CORRUPT);
    asy_pack_close(pack);
    pack = NULL;
    T_EQ("link", symlink("/etc/passwd", t_path(&folder, "tree/l", at)), 0);
    T_TRUE(asy_pack_open(path, &pack, &err) < 0);
    T_TRUE(asy_pack_open(at, &pack, &err) < 0);
out:
    asy_pack_close(pack);
    t_folder_drop(&folder);
}

static void a_hash_is_known_while_its_file_is_the_same(void)
{
    struct timeval old[2] = { { 1000000000, 0 }, { 1000000000, 0 } };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sha_memo *memo = NULL;
    struct asy_sha sha = { { 7 } }, got;
    char path[PATH_MAX];
    struct t_folder folder;
    struct stat st;

    if (!t_folder_make(&folder) || !T_OK(asy_sha_memo_create(&memo, &err), &err) ||
        !t_write(t_path(&folder, "f", path), "one") || !T_EQ("stat", stat(path, &st), 0))
        goto out;
    asy_sha_memo_put(memo, &st, sha);
    T_EQ("written just now", asy_sha_memo_get(memo, &st, &got), 0);
    T_EQ("utimes", utimes(path, old), 0);
    T_EQ("stat", stat(path, &st), 0);
    asy_sha_memo_put(memo, &st, sha);
    T_EQ("known", asy_sha_memo_get(memo, &st, &got), 1);
    T_EQ("hash", memcmp(&got, &sha, sizeof sha), 0);
    st.st_size++;
    T_EQ("another size", asy_sha_memo_get(memo, &st, &got), 0);
    st.st_size--;
    st.st_mtim.tv_nsec++;
    T_EQ("another time", asy_sha_memo_get(memo, &st, &got), 0);
out:
    asy_sha_memo_destroy(memo);
    t_folder_drop(&folder);
}

T_MAIN("pack", T_TEST(a_tree_is_the_same_stream_from_any_offset),
       T_TEST(a_stream_becomes_the_tree_again), T_TEST(a_large_stream_is_unpacked_in_pieces),
       T_TEST(no_stream_leaves_its_folder),
       T_TEST(links_are_refused_and_shrinking_files_noticed),
       T_TEST(a_hash_is_known_while_its_file_is_the_same))
