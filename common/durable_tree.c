/* SPDX-License-Identifier: Apache-2.0
 * durable_tree.c - folder trees: move them durably, name them by content, keep them under that
 * name, remove them.
 *
 * All list the tree first, each folder after what it holds, so that working through the
 * list in order is bottom up. Symbolic links are never followed. What is deeper than a list may be
 * is moved up before it is removed: a program may have left any tree behind. */
#include <asy/durable.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <asy/buf.h>
#include <asy/id.h>
#include "durable.h"

#define DEPTH_MAX 64u
#define ENTRIES_MAX 1000000u /* of a tree that is moved or hashed */
#define PIECE ((off_t)4 << 20) /* freed at once, where somebody waits for the disk */

struct entry {
    char *path; /* relative to the root, "" for the root itself */
    int is_folder;
};

struct listing {
    const char *root;
    int strict; /* only regular files and folders, bounded in number and depth */
    int lifted; /* not strict: a folder was too deep and now lies in the root */
    struct entry *entries;
    size_t n, cap;
};

static void listing_fini(struct listing *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->entries[i].path);
    free(list->entries);
}

static int join(const struct listing *list, const char *path, char ret[PATH_MAX],
                struct asy_error *err)
{
    int n = snprintf(ret, PATH_MAX, *path ? "%s/%s" : "%s", list->root, path);

    if (n < 0 || n >= PATH_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "path of %d characters is too long", n);
    return 0;
}

static int append(struct listing *list, const char *path, int is_folder, struct asy_error *err)
{
    struct entry *entries;
    size_t cap;
    char *copy;

    if (list->strict && list->n >= ENTRIES_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "folder '%s' holds more than %u entries", list->root,
                        ENTRIES_MAX);
    if (list->n == list->cap) {
        cap = list->cap ? 2 * list->cap : 32;
        if (!(entries = reallocarray(list->entries, cap, sizeof *entries)))
            return asy_fail(err, ASY_E_NOMEM, "no memory to list '%s'", list->root);
        list->entries = entries;
        list->cap = cap;
    }
    if (!(copy = strdup(path)))
        return asy_fail(err, ASY_E_NOMEM, "no memory to list '%s'", list->root);
    list->entries[list->n++] = (struct entry){ copy, is_folder };
    return 0;
}

/* Moves a folder that lies too deep into the root, for the next listing to find. */
static int lift(struct listing *list, const char *path, struct asy_error *err)
{
    char from[PATH_MAX], to[PATH_MAX], name[ASY_ID_TEXT];
    int rc;

    asy_id_format(asy_id_make(), name);
    if ((rc = join(list, path, from, err)) || (rc = join(list, name, to, err)))
        return rc;
    if (asy__durable_ops()->rename(from, to) < 0)
        return asy_fail_errno(err, errno, "cannot move '%s' to '%s'", from, to);
    list->lifted = 1;
    return 0;
}

static int list_folder(struct listing *list, const char *path, unsigned depth,
                       struct asy_error *err);

/* One thing in the tree, and all below it. */
static int list_one(struct listing *list, const char *path, unsigned depth, struct asy_error *err)
{
    char full[PATH_MAX];
    struct stat st;
    int rc = join(list, path, full, err);

    if (rc)
        return rc;
    if (lstat(full, &st) < 0)
        return asy_fail_errno(err, errno, "cannot look at '%s'", full);
    /* A program may have taken itself the right to what is to be removed. */
    if (S_ISDIR(st.st_mode) && !list->strict && (st.st_mode & 0700) != 0700)
        ASY_IGNORE(chmod(full, (st.st_mode & 07777) | 0700) < 0); /* not ours: then it shows */
    if (S_ISDIR(st.st_mode) && !list->strict && depth > 1 &&
        (depth > DEPTH_MAX || strlen(full) + NAME_MAX + 2 > PATH_MAX))
        return lift(list, path, err);
    if (S_ISDIR(st.st_mode))
        return list_folder(list, path, depth, err);
    if (list->strict && !S_ISREG(st.st_mode))
        return asy_fail(err, ASY_E_INVAL, "'%s' is %s: only files and folders are stored", full,
                        S_ISLNK(st.st_mode) ? "a symbolic link" : "a special file");
    return append(list, path, 0, err);
}

static int list_folder(struct listing *list, const char *path, unsigned depth,
                       struct asy_error *err)
{
    struct dirent *item;
    struct asy_buf name;
    DIR *dir = NULL;
    int rc;

    asy_buf_init(&name, PATH_MAX);
    if (depth > DEPTH_MAX) {
        rc = asy_fail(err, ASY_E_TOOBIG, "folder '%s' is nested deeper than %u", list->root,
                      DEPTH_MAX);
        goto out;
    }
    asy_buf_addf(&name, *path ? "%s/%s" : "%s", list->root, path);
    if ((rc = asy_buf_check(&name, "a path", err)))
        goto out;
    if (!(dir = opendir(name.data))) {
        rc = asy_fail_errno(err, errno, "cannot read folder '%s'", name.data);
        goto out;
    }
    while ((errno = 0, item = readdir(dir))) {
        if (!strcmp(item->d_name, ".") || !strcmp(item->d_name, ".."))
            continue;
        if (list->strict && strchr(item->d_name, '\n')) {
            rc = asy_fail(err, ASY_E_INVAL, "folder '%s' has a file name with a line break",
                          list->root);
            goto out;
        }
        asy_buf_clear(&name);
        asy_buf_addf(&name, *path ? "%s/%s" : "%s%s", path, item->d_name);
        if ((rc = asy_buf_check(&name, "a path", err)) ||
            (rc = list_one(list, name.data, depth + 1, err)))
            goto out;
    }
    if (errno)
        rc = asy_fail_errno(err, errno, "cannot read folder '%s/%s'", list->root, path);
    else
        rc = append(list, path, 1, err);
out:
    if (dir)
        closedir(dir);
    asy_buf_fini(&name);
    return rc;
}

/* Lists the folder root strictly. */
static int list_tree(struct listing *list, const char *root, struct asy_error *err)
{
    struct stat st;

    *list = (struct listing){ .root = root, .strict = 1 };
    if (lstat(root, &st) < 0)
        return asy_fail_errno(err, errno, "cannot look at '%s'", root);
    if (!S_ISDIR(st.st_mode))
        return asy_fail(err, ASY_E_INVAL, "'%s' is not a folder", root);
    return list_folder(list, "", 0, err);
}

static int sync_all(const struct listing *list, int folders, struct asy_error *err)
{
    char full[PATH_MAX];
    int rc = 0;

    for (size_t i = 0; i < list->n && rc == 0; i++) {
        if (list->entries[i].is_folder != folders)
            continue;
        if (!(rc = join(list, list->entries[i].path, full, err)))
            rc = asy__sync(full, folders ? O_DIRECTORY : 0, err);
    }
    return rc;
}

int asy_durable_move_tree(const char *from, const char *path, struct asy_error *err)
{
    struct listing list;
    struct stat st;
    int rc = list_tree(&list, from, err);

    if (rc)
        goto out;
    /* rename() itself refuses a folder that holds something, but would replace an empty one. */
    if (lstat(path, &st) == 0) {
        rc = asy_fail(err, ASY_E_EXISTS, "cannot move '%s' to '%s': it exists", from, path);
        goto out;
    }
    if ((rc = sync_all(&list, 0, err)) || (rc = sync_all(&list, 1, err)))
        goto out;
    if (asy__durable_ops()->rename(from, path) < 0) {
        rc = asy_fail_errno(err, errno == ENOTEMPTY ? EEXIST : errno, "cannot move '%s' to '%s'",
                            from, path);
        goto out;
    }
    rc = asy__sync_parent(path, err);
out:
    listing_fini(&list);
    return rc;
}

/* The tree at path, whoever made it. */
static int sync_tree(const char *path, struct asy_error *err)
{
    struct listing list;
    int rc = list_tree(&list, path, err);

    if (rc == 0 && (rc = sync_all(&list, 0, err)) == 0 && (rc = sync_all(&list, 1, err)) == 0)
        rc = asy__sync_parent(path, err);
    listing_fini(&list);
    return rc;
}

int asy_durable_sync(const char *path, struct asy_error *err)
{
    struct stat st;
    int rc;

    if (lstat(path, &st) < 0)
        return asy_fail_errno(err, errno, "cannot look at '%s'", path);
    if (S_ISDIR(st.st_mode))
        return sync_tree(path, err);
    rc = asy__sync(path, 0, err);
    return rc ? rc : asy__sync_parent(path, err);
}

/* 1: a tree of this content is at path. */
static int has_tree(const char *path, struct asy_sha sha)
{
    struct asy_sha there;

    return asy_durable_tree_sha(path, &there, NULL, NULL) == 0 &&
           !memcmp(there.b, sha.b, sizeof sha.b);
}

/* What is at path goes beside from, to be removed: two renames leave a shorter gap. */
static int keep_tree(const char *from, struct asy_sha sha, const char *path, struct asy_error *err)
{
    char old[PATH_MAX];
    struct stat st;
    int rc;

    if (lstat(path, &st) < 0)
        return asy_durable_move_tree(from, path, err);
    if (has_tree(path, sha))
        return (rc = sync_tree(path, err)) ? rc : asy_durable_remove(from, err);
    if (snprintf(old, sizeof old, "%s.old", from) >= (int)sizeof old)
        return asy_fail(err, ASY_E_TOOBIG, "path of %zu characters is too long", strlen(from));
    if ((rc = asy_durable_remove(old, err)))
        return rc;
    if (asy__durable_ops()->rename(path, old) < 0)
        return asy_fail_errno(err, errno, "cannot move '%s' to '%s'", path, old);
    if ((rc = asy_durable_move_tree(from, path, err)))
        return rc;
    return asy_durable_remove(old, err);
}

int asy_durable_keep(const char *from, struct asy_sha sha, const char *path, struct asy_error *err)
{
    char folder[PATH_MAX];
    struct stat st;
    int rc;

    if (lstat(from, &st) < 0)
        return asy_fail_errno(err, errno, "cannot move '%s'", from);
    if ((rc = asy__parent_of(path, folder, err)))
        return rc;
    if (access(folder, F_OK) == 0)
        rc = asy__sync_parent(folder, err);
    else
        rc = asy_durable_mkdirs(folder, err);
    if (rc)
        return rc;
    if (S_ISDIR(st.st_mode))
        return keep_tree(from, sha, path, err);
    return asy_durable_move(from, path, err); /* over one that is there: equal, or damaged */
}

static int by_path(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return strcmp(x->path, y->path); /* compares bytes as unsigned */
}

/* Adds the line of one file to the sum over the tree. */
static int add_file(const struct listing *list, const char *path, struct asy_sha_state *state,
                    uint64_t *bytes, struct asy_error *err)
{
    char full[PATH_MAX], text[ASY_SHA_TEXT];
    struct asy_sha sha;
    uint64_t size;
    int rc;

    if ((rc = join(list, path, full, err)) || (rc = asy_sha_file(full, &sha, &size, err)))
        return rc;
    *bytes += size;
    asy_sha_update(state, asy_sha_format(sha, text), ASY_SHA_TEXT - 1);
    asy_sha_update(state, "  ", 2);
    asy_sha_update(state, path, strlen(path));
    asy_sha_update(state, "\n", 1);
    return 0;
}

int asy_durable_tree_sha(const char *path, struct asy_sha *ret, uint64_t *ret_bytes,
                         struct asy_error *err)
{
    struct asy_sha_state *state = NULL;
    struct listing list;
    uint64_t bytes = 0;
    int rc;

    if ((rc = list_tree(&list, path, err)) || (rc = asy_sha_create(&state, err)))
        goto out;
    qsort(list.entries, list.n, sizeof *list.entries, by_path);
    for (size_t i = 0; i < list.n; i++)
        if (!list.entries[i].is_folder &&
            (rc = add_file(&list, list.entries[i].path, state, &bytes, err)))
            goto out;
    *ret = asy_sha_final(state);
    if (ret_bytes)
        *ret_bytes = bytes;
out:
    asy_sha_destroy(state);
    listing_fini(&list);
    return rc;
}

int asy_durable_tree_files(const char *path, char ***ret_files, size_t *ret_n,
                           struct asy_error *err)
{
    struct listing list;
    size_t n = 0, bytes = sizeof(char *);
    char **files = NULL, *text;
    int rc = list_tree(&list, path, err);

    if (rc)
        goto out;
    qsort(list.entries, list.n, sizeof *list.entries, by_path);
    for (size_t i = 0; i < list.n; i++)
        bytes += sizeof(char *) + strlen(list.entries[i].path) + 1;
    if (!(files = malloc(bytes))) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory to list '%s'", path);
        goto out;
    }
    text = (char *)(files + list.n + 1);
    for (size_t i = 0; i < list.n; i++) {
        if (list.entries[i].is_folder)
            continue;
        files[n++] = text;
        text = stpcpy(text, list.entries[i].path) + 1;
    }
    files[n] = NULL;
    *ret_files = files;
    *ret_n = n;
out:
    listing_fini(&list);
    return rc;
}

/* One pass; *ret_lifted: another is needed. */
static int remove_listed(const char *path, int *ret_lifted, struct asy_error *err)
{
    struct listing list = { .root = path };
    char full[PATH_MAX];
    int rc = list_one(&list, "", 0, err);

    if (rc)
        goto out;
    for (size_t i = 0; i < list.n && rc == 0; i++) {
        const struct entry *entry = &list.entries[i];

        if (list.lifted && !*entry->path)
            continue; /* the root holds what was lifted */
        if ((rc = join(&list, entry->path, full, err)))
            goto out;
        if ((entry->is_folder ? rmdir(full) : asy__durable_ops()->unlink(full)) < 0 &&
            errno != ENOENT)
            rc = asy_fail_errno(err, errno, "cannot remove '%s'", full);
    }
    *ret_lifted = list.lifted;
out:
    listing_fini(&list);
    return rc;
}

int asy_durable_remove(const char *path, struct asy_error *err)
{
    struct stat st;
    int rc, lifted;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : asy_fail_errno(err, errno, "cannot remove '%s'", path);
    do
        rc = remove_listed(path, &lifted, err);
    while (rc == 0 && lifted);
    return rc;
}

/* 1: a piece of the file was given back. Not of one that has another name. */
static int shrink(const char *path)
{
    int fd = open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), done = 0;
    struct stat st;

    if (fd < 0)
        return 0;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_size > PIECE)
        done = ftruncate(fd, st.st_size - PIECE) == 0 && fdatasync(fd) == 0;
    close(fd);
    return done;
}

int asy_durable_shrink(const char *path)
{
    struct listing list = { .root = path };
    char full[PATH_MAX];
    int done = 0;

    if (list_one(&list, "", 0, NULL) == 0)
        for (size_t i = 0; i < list.n && !done; i++)
            done = !list.entries[i].is_folder &&
                   join(&list, list.entries[i].path, full, NULL) == 0 && shrink(full);
    listing_fini(&list);
    return done;
}
