/* SPDX-License-Identifier: Apache-2.0
 * hdf5.c - see hdf5.h. Files, and the names of their data sets. */
#include "hdf5_impl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct asy__h5 *const h5 = &asy__h5;

#define NAME_MAX_BYTES 255
#define PATH_MAX_BYTES 1000
#define DEPTH_MAX 8
#define SETS_MAX 1024u
#define OBJECTS_MAX 10000u /* groups can contain each other */

/* A block of its user's own may stand before: of 512 bytes, 1024, 2048, … */
int asy__is_hdf5(const void *bytes, size_t n)
{
    for (size_t at = 0; at < n && n - at >= 8; at = at ? 2 * at : 512)
        if (!memcmp((const char *)bytes + at, "\x89HDF\r\n\x1a\n", 8))
            return 1;
    return 0;
}

static int add_name(struct asy__hdf5 *file, const char *name, struct asy_error *err)
{
    if (file->n_names == SETS_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "more than %u data sets", SETS_MAX);
    if (!(file->names[file->n_names] = strdup(name)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for the name of a data set");
    file->n_names++;
    return 0;
}

static int list(struct asy__hdf5 *file, hid_t group, const char *path, unsigned depth,
                struct asy_error *err);

static int list_group(struct asy__hdf5 *file, hid_t parent, const char *name, const char *path,
                      unsigned depth, struct asy_error *err)
{
    hid_t group = depth < DEPTH_MAX ? h5->g_open(parent, name, H5_DEFAULT) : -1;
    int rc;

    if (depth == DEPTH_MAX)
        return 0;
    if (group < 0)
        return asy__h5_fail(err, "a group of it cannot be opened");
    rc = list(file, group, path, depth + 1, err);
    h5->g_close(group);
    return rc;
}

/* What names that cannot be written have is left out, as links are: these are of other types. */
static int list(struct asy__hdf5 *file, hid_t group, const char *path, unsigned depth,
                struct asy_error *err)
{
    hsize_t n = 0;
    int rc = 0;

    if (h5->g_len(group, &n) < 0)
        return asy__h5_fail(err, "its groups cannot be read");
    for (hsize_t i = 0; i < n && rc == 0; i++) {
        char name[NAME_MAX_BYTES + 2], full[PATH_MAX_BYTES];
        ssize_t len = h5->g_name(group, i, name, sizeof name);
        int type = h5->g_type(group, i), m;

        if (++file->n_seen > OBJECTS_MAX)
            return asy_fail(err, ASY_E_TOOBIG, "more than %u groups and data sets", OBJECTS_MAX);
        if (len < 0 || type < 0)
            return asy__h5_fail(err, "its groups cannot be read");
        if (len > NAME_MAX_BYTES || !asy__utf8_text(name, (size_t)len))
            continue;
        m = snprintf(full, sizeof full, "%s%s%s", path, *path ? "/" : "", name);
        if (m < 0 || (size_t)m >= sizeof full)
            continue;
        if (type == H5_DATASET)
            rc = add_name(file, full, err);
        else if (type == H5_GROUP)
            rc = list_group(file, group, name, full, depth, err);
    }
    return rc;
}

/* Locks are left alone: it is only read, and many file systems of clusters have none. */
static hid_t open_file(int fd)
{
    hid_t access = h5->p_create(*h5->p_file_access), file;
    char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (access >= 0 && h5->p_locking)
        h5->p_locking(access, false, true);
    file = h5->f_open(path, H5_RDONLY, access < 0 ? H5_DEFAULT : access);
    if (access >= 0)
        h5->p_close(access);
    return file;
}

static int open_root(struct asy__hdf5 *file, int fd, struct asy_error *err)
{
    hid_t root;
    int rc;

    if (!(file->names = calloc(SETS_MAX, sizeof *file->names)))
        return asy_fail(err, ASY_E_NOMEM, "no memory to read an HDF5 file");
    if ((file->file = open_file(fd)) < 0)
        return asy__h5_fail(err, "it cannot be opened as HDF5");
    if ((root = h5->g_open(file->file, "/", H5_DEFAULT)) < 0)
        return asy__h5_fail(err, "its groups cannot be read");
    rc = list(file, root, "", 0, err);
    h5->g_close(root);
    return rc;
}

int asy__hdf5_open(const char *path, struct asy__hdf5 **ret_file, struct asy_error *err)
{
    struct asy__hdf5 *file = NULL;
    uint64_t size;
    int fd = -1, rc;

    if ((rc = asy__h5_load(err)) < 0 || (rc = asy__file_open(path, &fd, &size, err)) < 0)
        return rc;
    if (!(file = calloc(1, sizeof *file))) {
        close(fd);
        return asy_fail(err, ASY_E_NOMEM, "no memory to read an HDF5 file");
    }
    file->file = -1;
    rc = open_root(file, fd, err);
    close(fd);
    if (rc < 0)
        asy__hdf5_close(file);
    else
        *ret_file = file;
    return rc;
}

void asy__hdf5_close(struct asy__hdf5 *file)
{
    if (!file)
        return;
    if (file->file >= 0)
        h5->f_close(file->file);
    for (size_t i = 0; i < file->n_names; i++)
        free(file->names[i]);
    free(file->names);
    free(file);
}

size_t asy__hdf5_len(const struct asy__hdf5 *file)
{
    return file->n_names;
}

const char *asy__hdf5_name(const struct asy__hdf5 *file, size_t i)
{
    return file->names[i];
}
