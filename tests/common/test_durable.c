/* SPDX-License-Identifier: Apache-2.0
 * test_durable.c - durable files while nothing loses power: what is replaced, moved, named and
 * removed, and that a call that fails leaves what was there. (Power loss: tests/store.) */
#include <asy/durable.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "asytest.h"
#include "folder.h"

/* ---- operations that fail ---- */

enum op { OP_OPEN, OP_WRITE, OP_FSYNC, OP_CLOSE, OP_RENAME, OP_MKDIR, OPS };

static struct {
    enum op op;
    int countdown; /* calls of op until one fails; below 0: none */
    int errnum;
    size_t most; /* bytes one write takes */
} fault = { .countdown = -1, .most = SIZE_MAX };

static bool fails(enum op op)
{
    if (op != fault.op || fault.countdown < 0 || fault.countdown-- > 0)
        return false;
    errno = fault.errnum;
    return true;
}

static int do_open(const char *path, int flags, mode_t mode)
{
    return fails(OP_OPEN) ? -1 : open(path, flags, mode);
}

static ssize_t do_write(int fd, const void *bytes, size_t n)
{
    return fails(OP_WRITE) ? -1 : write(fd, bytes, n < fault.most ? n : fault.most);
}

static int do_fsync(int fd)
{
    return fails(OP_FSYNC) ? -1 : fsync(fd);
}

static int do_close(int fd)
{
    int rc = close(fd);

    return fails(OP_CLOSE) ? -1 : rc;
}

static int do_rename(const char *from, const char *to)
{
    return fails(OP_RENAME) ? -1 : rename(from, to);
}

static int do_mkdir(const char *path, mode_t mode)
{
    return fails(OP_MKDIR) ? -1 : mkdir(path, mode);
}

static const struct asy_durable_ops faulty = {
    do_open, do_write, do_fsync, do_close, do_rename, unlink, do_mkdir,
};

static void set_fault(enum op op, int countdown, int errnum)
{
    fault.op = op;
    fault.countdown = countdown;
    fault.errnum = errnum;
    asy_durable_set_ops(&faulty);
}

static void no_fault(void)
{
    fault.countdown = -1;
    fault.most = SIZE_MAX;
    asy_durable_set_ops(NULL);
}

/* ---- files ---- */

static size_t entries(const char *path)
{
    struct asy_sha sha;
    uint64_t bytes;
    char command[PATH_MAX + 32], line[32] = "";
    FILE *pipe;

    ASY_IGNORE(asy_durable_tree_sha(path, &sha, &bytes, NULL)); /* it only has to survive */
    snprintf(command, sizeof command, "ls -A '%s' | wc -l", path);
    if ((pipe = popen(command, "r"))) {
        T_TRUE(fgets(line, sizeof line, pipe) != NULL);
        pclose(pipe);
    }
    return strtoul(line, NULL, 10);
}

static void a_file_is_replaced_whole(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct t_folder folder;
    char path[PATH_MAX];
    struct stat st;

    if (!t_folder_make(&folder))
        return;
    t_path(&folder, "file", path);
    T_OK(asy_durable_write(path, "first", 5, 0600, &err), &err);
    t_file_is("first", path, "first");
    T_TRUE(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    fault.most = 3; /* the kernel may take less than it was given */
    set_fault(OP_WRITE, 1, EINTR);
    T_OK(asy_durable_write(path, "second, longer", 14, 0600, &err), &err);
    no_fault();
    t_file_is("second", path, "second, longer");
    T_OK(asy_durable_write(path, "", 0, 0600, &err), &err);
    t_file_is("empty", path, "");
    T_EQ("nothing beside it", entries(folder.path), 1);
    t_folder_drop(&folder);
}

static void a_write_that_fails_leaves_the_old_file(void)
{
    static const struct { const char *name; enum op op; int nth, errnum, want; } cases[] = {
        { "cannot create a file", OP_OPEN, 0, EACCES, ASY_E_DENIED },
        { "cannot write", OP_WRITE, 0, ENOSPC, ASY_E_NOSPACE },
        { "cannot write", OP_WRITE, 0, EIO, ASY_E_IO },
        { "cannot sync", OP_FSYNC, 0, EIO, ASY_E_IO },
        { "cannot write", OP_CLOSE, 0, EDQUOT, ASY_E_NOSPACE },
        { "cannot replace", OP_RENAME, 0, EROFS, ASY_E_IO },
    };
    struct t_folder folder;
    char path[PATH_MAX];

    if (!t_folder_make(&folder))
        return;
    t_path(&folder, "file", path);
    t_write(path, "old");
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;

        set_fault(cases[i].op, cases[i].nth, cases[i].errnum);
        T_EQ(cases[i].name, asy_durable_write(path, "new", 3, 0600, &err), cases[i].want);
        no_fault();
        T_HAS(cases[i].name, err.text, cases[i].name);
        T_HAS(cases[i].name, err.text, path);
        t_file_is(cases[i].name, path, "old");
        T_EQ("nothing beside it", entries(folder.path), 1);
    }
    t_folder_drop(&folder);
}

static void folders_are_made_with_their_parents(void)
{
    static const struct { const char *path; int want; const char *has; } cases[] = {
        { "a", 0, "" },
        { "a/b//c/", 0, "" },
        { "a/b", 0, "" },
        { "file", ASY_E_EXISTS, "a file has this name" },
        { "file/x", ASY_E_EXISTS, "a file has this name" },
    };
    struct asy_error err = ASY_ERROR_INIT;
    struct t_folder folder;
    char path[PATH_MAX], huge[PATH_MAX + 8];
    struct stat st;

    if (!t_folder_make(&folder))
        return;
    t_write(t_path(&folder, "file", path), "x");
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        t_path(&folder, cases[i].path, path);
        T_EQ(cases[i].path, asy_durable_mkdirs(path, &err), cases[i].want);
        if (cases[i].want)
            T_HAS(cases[i].path, err.text, cases[i].has);
        else
            T_TRUE(stat(path, &st) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & 0777) == 0700);
    }
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = 0;
    T_EQ("too long", asy_durable_mkdirs(huge, &err), ASY_E_TOOBIG);
    T_EQ("no name", asy_durable_mkdirs("", &err), ASY_E_INVAL);
    set_fault(OP_MKDIR, 1, ENOSPC);
    T_EQ("full", asy_durable_mkdirs(t_path(&folder, "n/e/w", path), &err), ASY_E_NOSPACE);
    set_fault(OP_FSYNC, 0, EINVAL); /* a file system that cannot sync folders syncs names itself */
    T_OK(asy_durable_mkdirs(t_path(&folder, "odd", path), &err), &err);
    set_fault(OP_FSYNC, 0, EIO);
    T_EQ("not synced", asy_durable_mkdirs(t_path(&folder, "bad", path), &err), ASY_E_IO);
    no_fault();
    t_folder_drop(&folder);
}

static void a_file_is_moved_or_stays(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct t_folder folder;
    char from[PATH_MAX], to[PATH_MAX], link[PATH_MAX];

    if (!t_folder_make(&folder))
        return;
    t_path(&folder, "from", from);
    t_path(&folder, "to", to);
    t_path(&folder, "link", link);
    T_EQ("nothing there", asy_durable_move(from, to, &err), ASY_E_NOENT);
    t_write(from, "new");
    t_write(to, "old");
    T_TRUE(symlink(from, link) == 0);
    T_EQ("a link", asy_durable_move(link, to, &err), ASY_E_INVAL);
    T_EQ("a folder", asy_durable_move(folder.path, to, &err), ASY_E_INVAL);
    set_fault(OP_FSYNC, 0, EIO);
    T_EQ("not synced", asy_durable_move(from, to, &err), ASY_E_IO);
    set_fault(OP_RENAME, 0, EXDEV);
    T_EQ("another file system", asy_durable_move(from, to, &err), ASY_E_IO);
    no_fault();
    t_file_is("still there", to, "old");
    t_file_is("still there", from, "new");
    T_OK(asy_durable_move(from, to, &err), &err);
    t_file_is("moved", to, "new");
    T_TRUE(access(from, F_OK) < 0);
    t_folder_drop(&folder);
}

/* ---- trees ---- */

/* tree/{a,b/c} with known texts. */
static bool make_tree(const struct t_folder *folder, const char *name)
{
    struct asy_error err = ASY_ERROR_INIT;
    char path[PATH_MAX], file[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s/b", folder->path, name);
    if (!T_OK(asy_durable_mkdirs(path, &err), &err))
        return false;
    snprintf(file, sizeof file, "%s/%s/a", folder->path, name);
    t_write(file, "abc");
    snprintf(file, sizeof file, "%s/%s/b/c", folder->path, name);
    return t_write(file, "");
}

/* sha256 over the two lines that sha256sum would print. */
static const char tree_lines[] =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a\n"
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b/c\n";

static void a_tree_is_named_by_its_content_and_moved_whole(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sha want, got;
    struct t_folder folder;
    char from[PATH_MAX], to[PATH_MAX], file[PATH_MAX];
    uint64_t bytes = 0;

    if (!t_folder_make(&folder) || !make_tree(&folder, "from"))
        return;
    t_path(&folder, "from", from);
    t_path(&folder, "to", to);
    T_OK(asy_sha_bytes(tree_lines, sizeof tree_lines - 1, &want, &err), &err);
    T_OK(asy_durable_tree_sha(from, &got, &bytes, &err), &err);
    T_TRUE(!memcmp(&got, &want, sizeof got));
    T_EQ("bytes", bytes, 3);
    for (int nth = 0; nth < 4; nth++) { /* two files, two folders */
        set_fault(OP_FSYNC, nth, EIO);
        T_EQ("not synced", asy_durable_move_tree(from, to, &err), ASY_E_IO);
        T_TRUE(access(to, F_OK) < 0);
    }
    set_fault(OP_RENAME, 0, ENOTEMPTY);
    T_EQ("somebody was faster", asy_durable_move_tree(from, to, &err), ASY_E_EXISTS);
    no_fault();
    T_OK(asy_durable_move_tree(from, to, &err), &err);
    T_OK(asy_durable_tree_sha(to, &got, NULL, &err), &err);
    T_TRUE(!memcmp(&got, &want, sizeof got));
    T_EQ("gone", asy_durable_move_tree(from, to, &err), ASY_E_NOENT);
    make_tree(&folder, "from");
    T_EQ("it exists", asy_durable_move_tree(from, to, &err), ASY_E_EXISTS);
    T_EQ("no folder", asy_durable_tree_sha(t_path(&folder, "to/a", file), &got, NULL, &err),
         ASY_E_INVAL);
    t_folder_drop(&folder);
}

static void a_tree_with_what_cannot_be_stored_is_refused(void)
{
    static const struct { const char *name, *command, *has; } cases[] = {
        { "a link", "ln -s /etc/passwd x", "is a symbolic link: only files and folders" },
        { "a link to a folder", "ln -s / b/x", "is a symbolic link" },
        { "a pipe", "mkfifo x", "is a special file" },
        { "a line break", "touch 'x\ny'", "file name with a line break" },
        { "depth", "mkdir -p $(printf 'd/%.0s' $(seq 70))", "nested deeper than 64" },
    };
    struct asy_error err = ASY_ERROR_INIT;

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        char from[PATH_MAX], to[PATH_MAX], command[2 * PATH_MAX];
        struct t_folder folder;
        struct asy_sha sha;

        if (!t_folder_make(&folder) || !make_tree(&folder, "from"))
            return;
        t_path(&folder, "from", from);
        snprintf(command, sizeof command, "cd '%s' && %s", from, cases[i].command);
        T_EQ(cases[i].name, system(command), 0);
        T_TRUE(asy_durable_tree_sha(from, &sha, NULL, &err) < 0);
        T_HAS(cases[i].name, err.text, cases[i].has);
        T_TRUE(asy_durable_move_tree(from, t_path(&folder, "to", to), &err) < 0);
        T_HAS(cases[i].name, err.text, cases[i].has);
        T_TRUE(access(to, F_OK) < 0);
        t_folder_drop(&folder); /* removing takes what storing refuses */
        T_TRUE(access(folder.path, F_OK) < 0);
    }
    T_TRUE(access("/etc/passwd", F_OK) == 0);
}

static void removing_follows_no_links(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    char path[PATH_MAX], kept[PATH_MAX];
    struct t_folder folder;

    if (!t_folder_make(&folder) || !make_tree(&folder, "kept"))
        return;
    T_TRUE(symlink(t_path(&folder, "kept", kept), t_path(&folder, "link", path)) == 0);
    T_OK(asy_durable_remove(path, &err), &err);
    T_TRUE(access(path, F_OK) < 0);
    t_file_is("behind the link", t_path(&folder, "kept/a", path), "abc");
    T_OK(asy_durable_remove(path, &err), &err);
    T_OK(asy_durable_remove(path, &err), &err); /* gone already */
    T_OK(asy_durable_remove(kept, &err), &err);
    T_EQ("empty", entries(folder.path), 0);
    t_folder_drop(&folder);
}

/* As somebody whom modes hold back. 0: all is gone. */
static int removes_closed_folders(void)
{
    static const char *const folders[] = { "a", "a/b", "c" };
    static const mode_t modes[] = { 0500, 0, 0200 };
    char path[PATH_MAX], file[PATH_MAX];
    struct t_folder folder;

    if ((geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0)) || !t_folder_make(&folder))
        return 1;
    for (size_t i = 0; i < ASY_ARRAY_LEN(folders); i++) {
        if (mkdir(t_path(&folder, folders[i], path), 0700) < 0)
            return 2;
        snprintf(file, sizeof file, "%.4000s/file", path);
        t_write(file, "x");
    }
    for (size_t i = ASY_ARRAY_LEN(folders); i-- > 0;)
        if (chmod(t_path(&folder, folders[i], path), modes[i]) < 0)
            return 3;
    if (asy_durable_remove(folder.path, NULL) < 0)
        return 4;
    return access(folder.path, F_OK) < 0 ? 0 : 5;
}

static void what_a_program_has_closed_is_removed(void)
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0)
        _exit(removes_closed_folders());
    T_TRUE(pid > 0 && waitpid(pid, &status, 0) == pid);
    T_EQ("status", status, 0);
}

/* Deeper than a path can say, and than one listing goes. */
static void any_depth_is_removed(void)
{
    enum { LEVELS = 300 };
    static char name[200];
    struct asy_error err = ASY_ERROR_INIT;
    struct t_folder folder;
    int at, next;

    if (!t_folder_make(&folder) || !T_TRUE((at = open(folder.path, O_RDONLY | O_DIRECTORY)) >= 0))
        return;
    memset(name, 'd', sizeof name - 1);
    for (int i = 0; i < LEVELS && at >= 0; i++) {
        T_TRUE(mkdirat(at, name, 0700) == 0 && mkdirat(at, "beside", 0700) == 0);
        T_TRUE((next = openat(at, name, O_RDONLY | O_DIRECTORY)) >= 0);
        close(at);
        at = next;
    }
    close(at);
    T_OK(asy_durable_remove(folder.path, &err), &err);
    T_TRUE(access(folder.path, F_OK) < 0);
}

/* A file of n MiB and a byte, without blocks. */
static bool large(const char *path, off_t n)
{
    t_write(path, "");
    return T_EQ("truncate", truncate(path, n * (1 << 20) + 1), 0);
}

static void large_files_shrink_piece_by_piece(void)
{
    char one[PATH_MAX], other[PATH_MAX], tree[PATH_MAX], in[PATH_MAX], path[PATH_MAX];
    struct asy_error err = ASY_ERROR_INIT;
    struct t_folder folder;
    struct stat st;

    if (!t_folder_make(&folder))
        return;
    t_path(&folder, "one", one);
    t_path(&folder, "tree/in", in);
    t_path(&folder, "tree/link", path);
    T_OK(asy_durable_mkdirs(t_path(&folder, "tree", tree), &err), &err);
    if (!large(one, 9) || !large(in, 8) ||
        !T_EQ("link", link(one, t_path(&folder, "other", other)), 0) ||
        !T_EQ("symlink", symlink("../other", path), 0))
        goto out;
    T_EQ("with another name", asy_durable_shrink(one), 0);
    for (off_t left = 8; left > 4; left -= 4) {
        T_EQ("a piece", asy_durable_shrink(tree), 1);
        T_TRUE(stat(in, &st) == 0 && st.st_size == (left - 4) * (1 << 20) + 1);
    }
    T_EQ("the last piece", asy_durable_shrink(tree), 1);
    T_EQ("it is small", asy_durable_shrink(tree), 0);
    T_TRUE(stat(other, &st) == 0 && st.st_size == 9 * (1 << 20) + 1);
    T_EQ("nothing is there", asy_durable_shrink(t_path(&folder, "none", path)), 0);
out:
    t_folder_drop(&folder);
}

static void a_file_is_read_up_to_its_limit(void)
{
    static const struct { size_t max; int want; } cases[] = {
        { 4, ASY_E_TOOBIG }, { 5, 0 }, { 6, 0 }, { 0, ASY_E_TOOBIG },
    };
    struct t_folder folder;
    char path[PATH_MAX];

    if (!t_folder_make(&folder))
        return;
    t_write(t_path(&folder, "file", path), "12345");
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_error err = ASY_ERROR_INIT;
        char *bytes = NULL;
        size_t len = 0;

        T_EQ("code", asy_read_file(path, cases[i].max, &bytes, &len, &err), cases[i].want);
        if (cases[i].want)
            T_HAS("limit", err.text, "has more than");
        else
            T_TRUE(len == 5 && !strcmp(bytes, "12345"));
        free(bytes);
    }
    t_folder_drop(&folder);
}

T_MAIN("durable", T_TEST(a_file_is_replaced_whole), T_TEST(a_write_that_fails_leaves_the_old_file),
       T_TEST(folders_are_made_with_their_parents), T_TEST(a_file_is_moved_or_stays),
       T_TEST(a_tree_is_named_by_its_content_and_moved_whole),
       T_TEST(a_tree_with_what_cannot_be_stored_is_refused), T_TEST(removing_follows_no_links),
       T_TEST(what_a_program_has_closed_is_removed), T_TEST(any_depth_is_removed),
       T_TEST(large_files_shrink_piece_by_piece),
       T_TEST(a_file_is_read_up_to_its_limit))
