/* SPDX-License-Identifier: Apache-2.0
 * files_power.c - see files_power.h.
 *
 * The model is a list of inodes by their real numbers. An inode holds its durable bytes or names
 * and what was done to it since its last sync; changes of names stand in one list in their order,
 * since a rename touches two folders. Nothing is freed before files_stop(): runs are short. */
#include "files_power.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <asy/durable.h>
#include <asy/rng.h>

#define SECTOR 512
#define INODES 512
#define CHANGES 2048
#define NAMES 64

struct inode;
struct name {
    char text[64];
    struct inode *inode;
};
struct inode {
    ino_t number;
    bool folder;
    struct name names[NAMES]; /* folder: what is surely there */
    size_t n_names;
    char *disk, *now;       /* file: surely there; as the program wrote it */
    size_t disk_len, now_len;
};
/* Names that came, went, or both at once. */
struct change {
    struct inode *from, *to, *what; /* from, to: folders, or NULL */
    char from_name[64], to_name[64];
    bool done;              /* is on disk */
};

static struct {
    char root[PATH_MAX];
    struct inode inodes[INODES];
    size_t n_inodes;
    struct change changes[CHANGES];
    size_t n_changes, syncs, dropped;
    struct asy_rng rng;
    void (*before_op)(void *arg);
    void *arg;
} m;

static void *need(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

/* ---- the model ------------------------------------------------------------------------------ */

static struct inode *inode_at(const struct stat *st)
{
    struct inode *inode;

    for (size_t i = m.n_inodes; i-- > 0;)
        if (m.inodes[i].number == st->st_ino)
            return &m.inodes[i];
    if (m.n_inodes == INODES)
        abort();
    inode = &m.inodes[m.n_inodes++];
    memset(inode, 0, sizeof *inode);
    inode->number = st->st_ino;
    inode->folder = S_ISDIR(st->st_mode);
    return inode;
}

static struct inode *inode_of(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 ? inode_at(&st) : NULL;
}

/* The folder of a path, and the last part of the path. */
static struct inode *parent_of(const char *path, char name[64])
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');

    if (!slash)
        abort();
    snprintf(name, 64, "%s", slash + 1);
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    return inode_of(folder);
}

/* The number of an inode that is gone may come again for a new file. */
static void forget(struct inode *inode)
{
    if (inode)
        inode->number = 0;
}

static struct change *add_change(void)
{
    if (m.n_changes == CHANGES)
        abort();
    return memset(&m.changes[m.n_changes++], 0, sizeof *m.changes);
}

static void came(const char *path)
{
    struct change *c = add_change();

    c->to = parent_of(path, c->to_name);
    c->what = inode_of(path);
}

static void set_name(struct name *names, size_t *n, const char *text, struct inode *inode)
{
    size_t i = 0;

    while (i < *n && strcmp(names[i].text, text) != 0)
        i++;
    if (!inode) {
        if (i < *n)
            names[i] = names[--*n];
        return;
    }
    if (i == NAMES)
        abort();
    if (i == *n)
        snprintf(names[(*n)++].text, sizeof names[0].text, "%s", text);
    names[i].inode = inode;
}

static void put(struct change *c)
{
    if (c->from)
        set_name(c->from->names, &c->from->n_names, c->from_name, NULL);
    if (c->to)
        set_name(c->to->names, &c->to->n_names, c->to_name, c->what);
    c->done = true;
}

static void sync_inode(struct inode *inode)
{
    for (size_t i = 0; inode->folder && i < m.n_changes; i++) {
        struct change *c = &m.changes[i];

        if (!c->done && (c->from == inode || c->to == inode))
            put(c);
    }
    if (!inode->folder && inode->now) {
        inode->disk = need(realloc(inode->disk, inode->now_len + 1));
        memcpy(inode->disk, inode->now, inode->now_len);
        inode->disk_len = inode->now_len;
    }
}

static void add_bytes(struct inode *inode, const void *bytes, size_t n)
{
    inode->now = need(realloc(inode->now, inode->now_len + n + 1));
    memcpy(inode->now + inode->now_len, bytes, n);
    inode->now_len += n;
}

/* ---- operations ----------------------------------------------------------------------------- */

static int op_open(const char *path, int flags, mode_t mode)
{
    bool is_new = (flags & O_CREAT) && access(path, F_OK) != 0;
    int fd;

    m.before_op(m.arg);
    fd = open(path, flags, mode);
    if (fd >= 0 && is_new)
        came(path);
    return fd;
}

static ssize_t op_write(int fd, const void *bytes, size_t n)
{
    struct stat st;
    ssize_t got;

    m.before_op(m.arg);
    if (n > 1) /* short writes are allowed: the caller must go on */
        n = n / 2 + 1;
    if ((got = write(fd, bytes, n)) > 0 && fstat(fd, &st) == 0)
        add_bytes(inode_at(&st), bytes, (size_t)got);
    return got;
}

static int op_fsync(int fd)
{
    struct stat st;

    m.before_op(m.arg);
    if (m.syncs++ != m.dropped && fstat(fd, &st) == 0)
        sync_inode(inode_at(&st));
    return 0;
}

static int op_close(int fd)
{
    return close(fd);
}

static int op_rename(const char *from, const char *to)
{
    struct inode *what = inode_of(from), *over = inode_of(to);
    struct change *c;

    m.before_op(m.arg);
    if (rename(from, to) < 0)
        return -1;
    c = add_change();
    c->from = parent_of(from, c->from_name);
    c->to = parent_of(to, c->to_name);
    c->what = what;
    forget(over);
    return 0;
}

static int op_unlink(const char *path)
{
    struct inode *what = inode_of(path);
    struct change *c;

    m.before_op(m.arg);
    if (unlink(path) < 0)
        return -1;
    c = add_change();
    c->from = parent_of(path, c->from_name);
    forget(what);
    return 0;
}

static int op_mkdir(const char *path, mode_t mode)
{
    int rc;

    m.before_op(m.arg);
    if ((rc = mkdir(path, mode)) == 0)
        came(path);
    return rc;
}

void files_start(const char *root, uint64_t seed, size_t dropped, void (*before_op)(void *arg),
                 void *arg)
{
    static const struct asy_durable_ops ops = {
        .open = op_open, .write = op_write, .fsync = op_fsync, .close = op_close,
        .rename = op_rename, .unlink = op_unlink, .mkdir = op_mkdir,
    };

    snprintf(m.root, sizeof m.root, "%s", root);
    m.dropped = dropped;
    m.syncs = 0;
    m.before_op = before_op;
    m.arg = arg;
    asy_rng_init(&m.rng, seed, 0, ASY_RNG_SIM);
    asy_durable_set_ops(&ops);
}

void files_stop(void)
{
    asy_durable_set_ops(NULL);
    for (size_t i = 0; i < m.n_inodes; i++) {
        free(m.inodes[i].disk);
        free(m.inodes[i].now);
    }
    m.n_inodes = m.n_changes = 0;
}

size_t files_syncs(void)
{
    return m.syncs;
}

void files_note(const char *path)
{
    struct inode *inode = inode_of(path);
    struct asy_error err = ASY_ERROR_INIT;
    struct dirent *item;
    char *bytes, below[PATH_MAX + 300];
    size_t n;
    DIR *dir;

    came(path);
    if (!inode->folder) {
        if (asy_read_file(path, 1u << 24, &bytes, &n, &err))
            abort();
        add_bytes(inode, bytes, n);
        free(bytes);
        return;
    }
    dir = need(opendir(path));
    while ((item = readdir(dir))) {
        if (item->d_name[0] == '.')
            continue;
        snprintf(below, sizeof below, "%s/%s", path, item->d_name);
        files_note(below);
    }
    closedir(dir);
}

void files_note_synced(const char *path)
{
    files_note(path);
    for (size_t i = 0; i < m.n_inodes; i++)
        sync_inode(&m.inodes[i]);
}

/* ---- images --------------------------------------------------------------------------------- */

static void write_file(const char *path, const struct inode *inode)
{
    size_t len = inode->disk_len;
    char *bytes;
    FILE *file = need(fopen(path, "w"));
    int way = (int)asy_rng_below(&m.rng, 3); /* none, all, or any of what is not sure */

    if (way && inode->now_len > len)
        len = way == 1 ? inode->now_len : len + asy_rng_below(&m.rng, inode->now_len - len + 1);
    bytes = need(calloc(1, len + 1));
    if (inode->disk_len)
        memcpy(bytes, inode->disk, inode->disk_len);
    for (size_t at = 0; way && at < len; at += SECTOR) {
        size_t n = len - at < SECTOR ? len - at : SECTOR;

        if (way == 1 || asy_rng_below(&m.rng, 2))
            memcpy(bytes + at, inode->now + at, n);
    }
    if (fwrite(bytes, 1, len, file) != len || fclose(file) != 0)
        abort();
    free(bytes);
}

/* The names of the folder with those changes that this image has. */
static void write_folder(const char *path, const struct inode *folder, const bool *has)
{
    struct name names[NAMES];
    size_t n = folder->n_names;
    char below[PATH_MAX + 80];

    memcpy(names, folder->names, sizeof names);
    for (size_t i = 0; i < m.n_changes; i++) {
        const struct change *c = &m.changes[i];

        if (!has[i])
            continue;
        if (c->from == folder)
            set_name(names, &n, c->from_name, NULL);
        if (c->to == folder)
            set_name(names, &n, c->to_name, c->what);
    }
    for (size_t i = 0; i < n; i++) {
        snprintf(below, sizeof below, "%s/%.63s", path, names[i].text);
        if (!names[i].inode->folder)
            write_file(below, names[i].inode);
        else if (mkdir(below, 0700) == 0)
            write_folder(below, names[i].inode, has);
        else
            abort();
    }
}

void files_image(const char *folder)
{
    bool has[CHANGES];
    uint64_t way = asy_rng_below(&m.rng, 3); /* of the changes: none, all, any */

    for (size_t i = 0; i < m.n_changes; i++)
        has[i] = !m.changes[i].done && (way == 1 || (way == 2 && asy_rng_below(&m.rng, 2)));
    write_folder(folder, need(inode_of(m.root)), has);
}
