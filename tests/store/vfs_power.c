/* SPDX-License-Identifier: Apache-2.0
 * vfs_power.c - see vfs_power.h. */
#include "vfs_power.h"
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <asy/rng.h>

#define SECTOR 512

/* A write, or (bytes NULL) a change of the length to `at`. */
struct op {
    struct op *next;
    int64_t at;
    size_t n;
    uint8_t *bytes;
};
/* A file by its name. Its durable content is `disk`. */
struct pfile {
    struct pfile *next;
    char *path;
    unsigned kind;          /* the fault that drops its syncs; 0: none does */
    uint8_t *disk;
    size_t disk_len, cap;
    struct op *first, **last;
    int64_t size;           /* as the program sees it */
    bool named;             /* its name is durable */
    bool deleted;           /* its name is gone, but not durably */
    bool sync_folder;       /* its first sync is also one of the folder */
};
struct power {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    struct pfile *files;
    struct asy_rng rng;
    unsigned faults, fails;
    int64_t room;
    void (*before_sync)(void *arg, struct power *power);
    void *arg;
};
struct handle {
    sqlite3_file base;
    struct power *power;
    struct pfile *file;     /* NULL: temporary, not modelled */
    sqlite3_file real[];    /* the default VFS's own, of its own size */
};

static void *need(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

/* ---- files ---------------------------------------------------------------------------------- */

static void drop_ops(struct pfile *f)
{
    for (struct op *op = f->first, *next; op; op = next) {
        next = op->next;
        free(op->bytes);
        free(op);
    }
    f->first = NULL;
    f->last = &f->first;
}

static struct pfile *find(struct power *p, const char *path)
{
    for (struct pfile *f = p->files; f; f = f->next)
        if (!f->deleted && !strcmp(f->path, path))
            return f;
    return NULL;
}

static struct pfile *add(struct power *p, const char *path, unsigned kind)
{
    struct pfile *f = need(calloc(1, sizeof *f));

    f->path = need(strdup(path));
    f->kind = kind;
    f->last = &f->first;
    f->next = p->files;
    p->files = f;
    return f;
}

static void drop(struct power *p, struct pfile *f)
{
    struct pfile **at = &p->files;

    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    drop_ops(f);
    free(f->disk);
    free(f->path);
    free(f);
}

static void push(struct pfile *f, int64_t at, const void *bytes, size_t n)
{
    struct op *op = need(calloc(1, sizeof *op));

    op->at = at;
    op->n = n;
    if (bytes)
        op->bytes = memcpy(need(malloc(n)), bytes, n);
    *f->last = op;
    f->last = &op->next;
}

struct content {
    uint8_t *bytes;
    size_t len, cap;
};

static void resize(struct content *c, size_t len)
{
    if (len > c->cap) {
        c->cap = 2 * len;
        c->bytes = need(realloc(c->bytes, c->cap));
    }
    if (len > c->len)
        memset(c->bytes + c->len, 0, len - c->len);
    c->len = len;
}

/* Puts one write into the content: each of its sectors if take says so. */
static void apply(struct content *c, const struct op *op, struct asy_rng *rng, uint64_t percent)
{
    if (!op->bytes) {
        if (asy_rng_below(rng, 100) < percent)
            resize(c, (size_t)op->at);
        return;
    }
    for (size_t i = 0; i < op->n;) {
        size_t at = (size_t)op->at + i, n = SECTOR - at % SECTOR;

        if (n > op->n - i)
            n = op->n - i;
        if (asy_rng_below(rng, 100) < percent) {
            if (c->len < at + n)
                resize(c, at + n);
            memcpy(c->bytes + at, op->bytes + i, n);
        }
        i += n;
    }
}

static void make_durable(struct pfile *f, struct asy_rng *rng)
{
    struct content c = { f->disk, f->disk_len, f->cap };

    for (const struct op *op = f->first; op; op = op->next)
        apply(&c, op, rng, 100);
    f->disk = c.bytes;
    f->disk_len = c.len;
    f->cap = c.cap;
    drop_ops(f);
}

void power_folder_synced(struct power *p)
{
    for (struct pfile *f = p->files, *next; f; f = next) {
        next = f->next;
        f->named = true;
        if (f->deleted)
            drop(p, f);
    }
}

/* ---- images --------------------------------------------------------------------------------- */

/* What became of the writes since the last sync: none, all, a beginning with its last write torn,
 * or any sector of any of them. */
static void settle(struct power *p, const struct pfile *f, struct content *c)
{
    uint64_t way = asy_rng_below(&p->rng, 4), n = 0, i = 0, end;

    for (const struct op *op = f->first; op; op = op->next)
        n++;
    if (way == 0 || n == 0)
        return;
    end = way == 2 ? asy_rng_below(&p->rng, n) : n;
    for (const struct op *op = f->first; op && i <= end; op = op->next, i++)
        apply(c, op, &p->rng, way == 3 || (way == 2 && i == end) ? 50 : 100);
}

static int write_content(const char *path, const struct content *c, struct asy_error *err)
{
    FILE *file = fopen(path, "w");
    bool ok = file && fwrite(c->bytes, 1, c->len, file) == c->len;

    if (file && fclose(file) != 0)
        ok = false;
    return ok ? 0 : asy_fail(err, ASY_E_IO, "cannot write '%s'", path);
}

int power_image(struct power *p, const char *folder, struct asy_error *err)
{
    int rc = 0;

    for (const struct pfile *f = p->files; f && rc == 0; f = f->next) {
        struct content c = { 0 };
        char path[4200];

        if ((!f->named || f->deleted) && asy_rng_below(&p->rng, 2))
            continue;
        resize(&c, f->disk_len);
        if (f->disk_len)
            memcpy(c.bytes, f->disk, f->disk_len);
        settle(p, f, &c);
        snprintf(path, sizeof path, "%s/%s", folder, strrchr(f->path, '/') + 1);
        rc = write_content(path, &c, err);
        free(c.bytes);
    }
    return rc;
}

/* ---- the methods of an open file ------------------------------------------------------------ */

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct handle *)file)->real;
}

static int p_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int p_read(sqlite3_file *file, void *bytes, int n, sqlite3_int64 at)
{
    return real_of(file)->pMethods->xRead(real_of(file), bytes, n, at);
}

static int p_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
    struct handle *h = (struct handle *)file;
    int64_t grows = h->file ? at + n - h->file->size : 0;
    int rc;

    if (grows > 0 && h->power->room >= 0) {
        if (grows > h->power->room)
            return SQLITE_FULL;
        h->power->room -= grows;
    }
    if ((rc = h->real->pMethods->xWrite(h->real, bytes, n, at)) == SQLITE_OK && h->file) {
        push(h->file, at, bytes, (size_t)n);
        if (grows > 0)
            h->file->size = at + n;
    }
    return rc;
}

static int p_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct handle *h = (struct handle *)file;
    int rc = h->real->pMethods->xTruncate(h->real, size);

    if (rc == SQLITE_OK && h->file) {
        push(h->file, size, NULL, 0);
        h->file->size = size;
    }
    return rc;
}

static int p_sync(sqlite3_file *file, int flags)
{
    struct handle *h = (struct handle *)file;
    struct power *p = h->power;

    if (h->file && (p->fails & h->file->kind)) {
        drop_ops(h->file);
        return SQLITE_IOERR_FSYNC;
    }
    if (h->file) {
        p->before_sync(p->arg, p);
        if (!(p->faults & h->file->kind))
            make_durable(h->file, &p->rng);
        if (h->file->sync_folder && !(p->faults & POWER_DROP_FOLDER))
            power_folder_synced(p);
        h->file->sync_folder = false;
    }
    (void)flags; /* the real disk need not be bothered */
    return SQLITE_OK;
}

static int p_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), ret);
}

static int p_lock(sqlite3_file *file, int lock)
{
    return real_of(file)->pMethods->xLock(real_of(file), lock);
}

static int p_unlock(sqlite3_file *file, int lock)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), lock);
}

static int p_check_lock(sqlite3_file *file, int *ret)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret);
}

static int p_control(sqlite3_file *file, int op, void *arg)
{
    if (op == SQLITE_FCNTL_SIZE_HINT || op == SQLITE_FCNTL_CHUNK_SIZE)
        return SQLITE_NOTFOUND; /* they would change the real file alone */
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int p_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int p_device(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int p_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, ret);
}

static int p_shm_lock(sqlite3_file *file, int at, int n, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), at, n, flags);
}

static void p_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int p_shm_unmap(sqlite3_file *file, int drop_it)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), drop_it);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, .xClose = p_close, .xRead = p_read, .xWrite = p_write,
    .xTruncate = p_truncate, .xSync = p_sync, .xFileSize = p_size, .xLock = p_lock,
    .xUnlock = p_unlock, .xCheckReservedLock = p_check_lock, .xFileControl = p_control,
    .xSectorSize = p_sector, .xDeviceCharacteristics = p_device, .xShmMap = p_shm_map,
    .xShmLock = p_shm_lock, .xShmBarrier = p_shm_barrier, .xShmUnmap = p_shm_unmap,
};

/* ---- the VFS -------------------------------------------------------------------------------- */

static int v_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *ret)
{
    struct power *p = (struct power *)vfs;
    struct handle *h = (struct handle *)file;
    unsigned kind = flags & SQLITE_OPEN_MAIN_DB ? POWER_DROP_DB
                  : flags & SQLITE_OPEN_WAL ? POWER_DROP_WAL
                  : flags & SQLITE_OPEN_MAIN_JOURNAL ? POWER_DROP_JOURNAL : 0;
    int rc;

    h->base.pMethods = NULL;
    h->power = p;
    h->file = NULL;
    if ((rc = p->real->xOpen(p->real, path, h->real, flags, ret)) != SQLITE_OK)
        return rc;
    h->base.pMethods = &methods;
    if (kind && !(h->file = find(p, path))) {
        h->file = add(p, path, kind);
        h->file->sync_folder = kind != POWER_DROP_DB;
    }
    return SQLITE_OK;
}

static int v_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    struct power *p = (struct power *)vfs;
    struct pfile *f = find(p, path);
    int rc = p->real->xDelete(p->real, path, 0);

    if (rc == SQLITE_OK && f) {
        f->deleted = true;
        if (sync_folder) {
            p->before_sync(p->arg, p);
            if (!(p->faults & POWER_DROP_FOLDER))
                power_folder_synced(p);
        }
    }
    return rc;
}

static int v_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret)
{
    struct power *p = (struct power *)vfs;

    return p->real->xAccess(p->real, path, flags, ret);
}

static int v_full_path(sqlite3_vfs *vfs, const char *path, int n, char *ret)
{
    struct power *p = (struct power *)vfs;

    return p->real->xFullPathname(p->real, path, n, ret);
}

int power_create(uint64_t seed, unsigned faults,
                 void (*before_sync)(void *arg, struct power *power), void *arg,
                 struct power **ret_power, struct asy_error *err)
{
    struct power *p = calloc(1, sizeof *p);

    if (!p)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a VFS");
    p->real = sqlite3_vfs_find(NULL);
    p->vfs = *p->real;
    p->vfs.pNext = NULL;
    p->vfs.zName = POWER_VFS;
    p->vfs.szOsFile = (int)sizeof(struct handle) + p->real->szOsFile;
    p->vfs.xOpen = v_open;
    p->vfs.xDelete = v_delete;
    p->vfs.xAccess = v_access;
    p->vfs.xFullPathname = v_full_path;
    p->faults = faults;
    p->room = -1;
    p->before_sync = before_sync;
    p->arg = arg;
    asy_rng_init(&p->rng, seed, 0, ASY_RNG_SIM);
    if (sqlite3_vfs_register(&p->vfs, 0) != SQLITE_OK) {
        free(p);
        return asy_fail(err, ASY_E_IO, "cannot register a VFS");
    }
    *ret_power = p;
    return 0;
}

void power_destroy(struct power *power)
{
    if (!power)
        return;
    sqlite3_vfs_unregister(&power->vfs);
    while (power->files)
        drop(power, power->files);
    free(power);
}

void power_set_room(struct power *power, int64_t bytes)
{
    power->room = bytes;
}

void power_fail(struct power *power, unsigned faults)
{
    power->fails = faults;
}
