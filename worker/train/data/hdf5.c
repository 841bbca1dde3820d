/* SPDX-License-Identifier: Apache-2.0
 * hdf5.c - see hdf5.h.
 *
 * The library is not linked: it brings forty others along, which every trainer would load at its
 * start (docs/decisions/0043). So its declarations are ours, of what has been the same since its
 * version 1.10.
 *
 * Rows are read in blocks: a call of the library for each would take longer than its row. A block
 * has whole chunks, as the library unpacks a chunk anew for each call unless it is a small one. */
#include "hdf5.h"
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int64_t hid_t;
typedef int herr_t;
typedef unsigned long long hsize_t;

enum { H5_RDONLY = 0, H5_DEFAULT = 0, H5_ALL = 0, H5_SELECT_SET = 0, H5_WALK_UPWARD = 0 };
enum { H5_GROUP = 0, H5_DATASET = 1 };
enum { H5_CHUNKED = 2, H5_VIRTUAL = 3 };
enum { H5_NULL_TERMINATED = 0, H5_SPACE_PADDED = 2 };
enum { H5_INTEGER = 0, H5_FLOAT = 1, H5_STRING = 3, H5_COMPOUND = 6, H5_ENUM = 8 };

struct h5_error {
    hid_t class_id, major, minor;
    unsigned line;
    const char *function, *file, *says;
};
typedef herr_t (*h5_walk_f)(unsigned n, const struct h5_error *error, void *arg);

static struct {
    herr_t (*open)(void);
    herr_t (*version)(unsigned *ret_major, unsigned *ret_minor, unsigned *ret_release);
    herr_t (*no_atexit)(void);
    herr_t (*e_set_auto)(hid_t stack, void *call, void *arg);
    herr_t (*e_walk)(hid_t stack, int direction, h5_walk_f call, void *arg);
    hid_t (*f_open)(const char *path, unsigned flags, hid_t access);
    herr_t (*f_close)(hid_t file);
    herr_t (*g_len)(hid_t group, hsize_t *ret_n);
    ssize_t (*g_name)(hid_t group, hsize_t i, char *name, size_t size);
    int (*g_type)(hid_t group, hsize_t i);
    hid_t (*g_open)(hid_t parent, const char *name, hid_t access);
    herr_t (*g_close)(hid_t group);
    hid_t (*d_open)(hid_t parent, const char *name, hid_t access);
    herr_t (*d_close)(hid_t set);
    hid_t (*d_space)(hid_t set);
    hid_t (*d_type)(hid_t set);
    hid_t (*d_plist)(hid_t set);
    hsize_t (*d_stored)(hid_t set);
    herr_t (*d_read)(hid_t set, hid_t type, hid_t memory, hid_t space, hid_t plist, void *to);
    herr_t (*d_reclaim)(hid_t type, hid_t space, hid_t plist, void *from);
    hid_t (*p_create)(hid_t class_id);
    herr_t (*p_close)(hid_t plist);
    herr_t (*p_locking)(hid_t plist, bool locks, bool ignores); /* NULL: it has none */
    int (*p_layout)(hid_t plist);
    int (*p_chunk)(hid_t plist, int n, hsize_t *ret_dims);
    int (*p_external)(hid_t plist);
    int (*p_n_filters)(hid_t plist);
    int (*p_filter)(hid_t plist, unsigned i, unsigned *ret_flags, size_t *n, unsigned *ret_values,
                    size_t size, char *ret_name, unsigned *ret_config);
    int (*z_has)(int filter);
    int (*s_n_dims)(hid_t space);
    int (*s_dims)(hid_t space, hsize_t *ret_dims, hsize_t *ret_max);
    hid_t (*s_create)(int n_dims, const hsize_t *dims, const hsize_t *max);
    herr_t (*s_select)(hid_t space, int how, const hsize_t *start, const hsize_t *stride,
                       const hsize_t *count, const hsize_t *block);
    herr_t (*s_close)(hid_t space);
    int (*t_class)(hid_t type);
    size_t (*t_size)(hid_t type);
    int (*t_is_variable)(hid_t type);
    int (*t_padding)(hid_t type);
    herr_t (*t_close)(hid_t type);
    const hid_t *t_double, *p_file_access;
} h5;

/* ---- the library ---------------------------------------------------------------------------- */

static int get(void *library, const char *name, void *ret_symbol)
{
    void *symbol = dlsym(library, name);

    memcpy(ret_symbol, &symbol, sizeof symbol);
    return symbol != NULL;
}

static int get_all(void *library)
{
    static const struct {
        const char *name;
        void *to;
    } symbols[] = {
        { "H5open", &h5.open },
        { "H5get_libversion", &h5.version },
        { "H5dont_atexit", &h5.no_atexit },
        { "H5Eset_auto2", &h5.e_set_auto },
        { "H5Ewalk2", &h5.e_walk },
        { "H5Fopen", &h5.f_open },
        { "H5Fclose", &h5.f_close },
        { "H5Gget_num_objs", &h5.g_len },
        { "H5Gget_objname_by_idx", &h5.g_name },
        { "H5Gget_objtype_by_idx", &h5.g_type },
        { "H5Gopen2", &h5.g_open },
        { "H5Gclose", &h5.g_close },
        { "H5Dopen2", &h5.d_open },
        { "H5Dclose", &h5.d_close },
        { "H5Dget_space", &h5.d_space },
        { "H5Dget_type", &h5.d_type },
        { "H5Dget_create_plist", &h5.d_plist },
        { "H5Dget_storage_size", &h5.d_stored },
        { "H5Dread", &h5.d_read },
        { "H5Dvlen_reclaim", &h5.d_reclaim },
        { "H5Pcreate", &h5.p_create },
        { "H5Pclose", &h5.p_close },
        { "H5Pget_layout", &h5.p_layout },
        { "H5Pget_chunk", &h5.p_chunk },
        { "H5Pget_external_count", &h5.p_external },
        { "H5Pget_nfilters", &h5.p_n_filters },
        { "H5Pget_filter2", &h5.p_filter },
        { "H5Zfilter_avail", &h5.z_has },
        { "H5Sget_simple_extent_ndims", &h5.s_n_dims },
        { "H5Sget_simple_extent_dims", &h5.s_dims },
        { "H5Screate_simple", &h5.s_create },
        { "H5Sselect_hyperslab", &h5.s_select },
        { "H5Sclose", &h5.s_close },
        { "H5Tget_class", &h5.t_class },
        { "H5Tget_size", &h5.t_size },
        { "H5Tis_variable_str", &h5.t_is_variable },
        { "H5Tget_strpad", &h5.t_padding },
        { "H5Tclose", &h5.t_close },
        { "H5T_NATIVE_DOUBLE_g", &h5.t_double },
        { "H5P_CLS_FILE_ACCESS_ID_g", &h5.p_file_access },
    };
    unsigned major = 0, minor = 0, release = 0;

    for (size_t i = 0; i < ASY_ARRAY_LEN(symbols); i++)
        if (!get(library, symbols[i].name, symbols[i].to))
            return 0;
    get(library, "H5Pset_file_locking", &h5.p_locking);
    /* It shall not print, and what it would do at the end the system does. */
    return h5.no_atexit() >= 0 && h5.open() >= 0 && h5.e_set_auto(H5_DEFAULT, NULL, NULL) >= 0 &&
           h5.version(&major, &minor, &release) >= 0 && major == 1 && minor >= 10;
}

/* It stays. */
static int load(struct asy_error *err)
{
    static const char *const names[] = {
        "libhdf5_serial.so.103", "libhdf5_serial.so.310", "libhdf5_serial.so.200",
        "libhdf5_serial.so",     "libhdf5.so.103",        "libhdf5.so.310",
        "libhdf5.so.200",        "libhdf5.so",
    };
    static int has;

    for (size_t i = 0; i < ASY_ARRAY_LEN(names) && !has; i++) {
        void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);

        has = library && get_all(library);
    }
    return has ? 0
               : asy_fail(err, ASY_E_UNSUPPORTED, "HDF5 is read by libhdf5 1.10 or newer, which is "
                          "not installed on this machine (Debian: libhdf5-103-1); or save the data "
                          "sets as arrays of an NPZ");
}

static herr_t take_first(unsigned n, const struct h5_error *error, void *arg)
{
    const char **says = arg;

    (void)n;
    *says = *says ? *says : error->says;
    return 0;
}

/* What went wrong, by the library's deepest word. */
static int fail(struct asy_error *err, const char *what)
{
    const char *says = NULL;

    h5.e_walk(H5_DEFAULT, H5_WALK_UPWARD, take_first, &says);
    return asy_fail(err, ASY_E_FORMAT, "%s; libhdf5 says: %.120s", what, says ? says : "nothing");
}

/* ---- files ---------------------------------------------------------------------------------- */

#define NAME_MAX_BYTES 255
#define PATH_MAX_BYTES 1000
#define DEPTH_MAX 8
#define SETS_MAX 1024u
#define OBJECTS_MAX 10000u /* groups can contain each other */

struct asy__hdf5 {
    hid_t file;
    char **names;
    size_t n_names, n_seen;
};

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
    hid_t group = depth < DEPTH_MAX ? h5.g_open(parent, name, H5_DEFAULT) : -1;
    int rc;

    if (depth == DEPTH_MAX)
        return 0;
    if (group < 0)
        return fail(err, "a group of it cannot be opened");
    rc = list(file, group, path, depth + 1, err);
    h5.g_close(group);
    return rc;
}

/* What names that cannot be written have is left out, as links are: these are of other types. */
static int list(struct asy__hdf5 *file, hid_t group, const char *path, unsigned depth,
                struct asy_error *err)
{
    hsize_t n = 0;
    int rc = 0;

    if (h5.g_len(group, &n) < 0)
        return fail(err, "its groups cannot be read");
    for (hsize_t i = 0; i < n && rc == 0; i++) {
        char name[NAME_MAX_BYTES + 2], full[PATH_MAX_BYTES];
        ssize_t len = h5.g_name(group, i, name, sizeof name);
        int type = h5.g_type(group, i), m;

        if (++file->n_seen > OBJECTS_MAX)
            return asy_fail(err, ASY_E_TOOBIG, "more than %u groups and data sets", OBJECTS_MAX);
        if (len < 0 || type < 0)
            return fail(err, "its groups cannot be read");
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
    hid_t access = h5.p_create(*h5.p_file_access), file;
    char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (access >= 0 && h5.p_locking)
        h5.p_locking(access, false, true);
    file = h5.f_open(path, H5_RDONLY, access < 0 ? H5_DEFAULT : access);
    if (access >= 0)
        h5.p_close(access);
    return file;
}

static int open_root(struct asy__hdf5 *file, int fd, struct asy_error *err)
{
    hid_t root;
    int rc;

    if (!(file->names = calloc(SETS_MAX, sizeof *file->names)))
        return asy_fail(err, ASY_E_NOMEM, "no memory to read an HDF5 file");
    if ((file->file = open_file(fd)) < 0)
        return fail(err, "it cannot be opened as HDF5");
    if ((root = h5.g_open(file->file, "/", H5_DEFAULT)) < 0)
        return fail(err, "its groups cannot be read");
    rc = list(file, root, "", 0, err);
    h5.g_close(root);
    return rc;
}

int asy__hdf5_open(const char *path, struct asy__hdf5 **ret_file, struct asy_error *err)
{
    struct asy__hdf5 *file = NULL;
    uint64_t size;
    int fd = -1, rc;

    if ((rc = load(err)) < 0 || (rc = asy__file_open(path, &fd, &size, err)) < 0)
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
        h5.f_close(file->file);
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

/* ---- data sets ------------------------------------------------------------------------------ */

#define BLOCK_BYTES (1u << 20)
#define BLOCK_MOST (64u << 20)            /* where a chunk has so many */
#define CHUNK_MAX ((hsize_t)1 << 30)      /* bytes; the library takes memory for a whole one */
#define TEXTS_MAX 256                     /* of any length, in a block */
#define BIG_ENDIAN_HERE (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)

/* What is open of a data set while it is looked at. */
struct look {
    hid_t set, space, type, plist;
};

static void close_look(struct look *look)
{
    if (look->plist >= 0)
        h5.p_close(look->plist);
    if (look->type >= 0)
        h5.t_close(look->type);
    if (look->space >= 0)
        h5.s_close(look->space);
    if (look->set >= 0)
        h5.d_close(look->set);
}

static int open_look(const struct asy__hdf5 *file, const char *name, struct look *ret,
                     struct asy_error *err)
{
    struct look look = { -1, -1, -1, -1 };

    if ((look.set = h5.d_open(file->file, name, H5_DEFAULT)) < 0 ||
        (look.space = h5.d_space(look.set)) < 0 || (look.type = h5.d_type(look.set)) < 0 ||
        (look.plist = h5.d_plist(look.set)) < 0) {
        int rc = fail(err, "it cannot be opened");

        close_look(&look);
        return rc;
    }
    *ret = look;
    return 0;
}

static int read_type(const struct look *look, struct asy__shape *shape, struct asy_error *err)
{
    int class_id = h5.t_class(look->type), variable = 0;
    size_t size = h5.t_size(look->type);

    shape->kind = ASY__FLOAT;
    shape->item = sizeof(double);
    shape->big_endian = BIG_ENDIAN_HERE;
    if (class_id == H5_INTEGER || class_id == H5_FLOAT || class_id == H5_ENUM)
        return 0;
    if (class_id == H5_COMPOUND)
        return asy_fail(err, ASY_E_UNSUPPORTED, "its elements have fields; save them as data sets "
                        "of their own");
    if (class_id != H5_STRING || (variable = h5.t_is_variable(look->type)) < 0)
        return asy_fail(err, ASY_E_UNSUPPORTED, "its type is not read: numbers, truth values and "
                        "texts are");
    shape->kind = variable ? ASY__POINTERS : ASY__BYTES;
    shape->item = variable ? sizeof(char *) : size;
    return shape->item && shape->item <= ASY__ITEM_MAX
               ? 0
               : asy_fail(err, ASY_E_UNSUPPORTED, "its texts have %zu bytes each", size);
}

static int check_filters(const struct look *look, struct asy_error *err)
{
    int n = h5.p_n_filters(look->plist);

    for (int i = 0; i < n; i++) {
        unsigned flags = 0, config = 0;
        char name[40] = "";
        size_t values = 0;
        int filter = h5.p_filter(look->plist, (unsigned)i, &flags, &values, NULL, sizeof name, name,
                                 &config);

        name[sizeof name - 1] = '\0';
        if (filter < 0 || h5.z_has(filter) > 0)
            continue;
        return asy_fail(err, ASY_E_UNSUPPORTED, "it is packed by filter %d ('%s'), which libhdf5 "
                        "has not on this machine; pack it by gzip", filter,
                        asy__utf8_text(name, strlen(name)) ? name : "?");
    }
    return 0;
}

/* The values must be in the file itself. */
static int check_place(const struct look *look, const struct asy__shape *shape,
                       struct asy_error *err)
{
    hsize_t chunk[ASY__DIMS_MAX], bytes = h5.t_size(look->type);
    int layout = h5.p_layout(look->plist);

    if (layout < 0)
        return fail(err, "it cannot be opened");
    if (layout == H5_VIRTUAL || h5.p_external(look->plist) != 0)
        return asy_fail(err, ASY_E_UNSUPPORTED, "its values lie in other files, which are not read "
                        "by way of this one");
    if (layout == H5_CHUNKED &&
        h5.p_chunk(look->plist, ASY__DIMS_MAX, chunk) != (int)shape->n_dims)
        return fail(err, "its chunks cannot be read");
    for (size_t d = 0; d < shape->n_dims && layout == H5_CHUNKED; d++)
        if (chunk[d] == 0 || __builtin_mul_overflow(bytes, chunk[d], &bytes) || bytes > CHUNK_MAX)
            return asy_fail(err, ASY_E_TOOBIG, "its chunks have more than %llu MiB each",
                            CHUNK_MAX >> 20);
    return h5.d_stored(look->set) ? 0
                                  : asy_fail(err, ASY_E_FORMAT, "nothing has been written to it");
}

static int read_shape(const struct look *look, struct asy__shape *shape, struct asy_error *err)
{
    int n = h5.s_n_dims(look->space), rc;
    hsize_t dims[ASY__DIMS_MAX];

    if (n < 0 || n > ASY__DIMS_MAX || h5.s_dims(look->space, dims, NULL) < 0)
        return fail(err, "its shape cannot be read");
    shape->n_dims = (size_t)n;
    for (size_t d = 0; d < shape->n_dims; d++)
        shape->dims[d] = dims[d];
    if ((rc = read_type(look, shape, err)) < 0 || (rc = asy__shape_measure(shape, err)) < 0)
        return rc;
    return (rc = check_place(look, shape, err)) < 0 ? rc : check_filters(look, err);
}

int asy__hdf5_shape(const struct asy__hdf5 *file, const char *name, struct asy__shape *ret,
                    struct asy_error *err)
{
    struct asy__shape shape = { 0 };
    struct look look;
    int rc;

    if ((rc = open_look(file, name, &look, err)) < 0)
        return rc;
    if ((rc = read_shape(&look, &shape, err)) == 0)
        *ret = shape;
    close_look(&look);
    return rc;
}

/* ---- rows ----------------------------------------------------------------------------------- */

struct asy__hdf5_set {
    struct look look;
    hid_t type; /* of the elements in block; borrowed */
    struct asy__shape shape;
    unsigned char *block;   /* rows from.. of it */
    size_t room, from, n;   /* rows that it can hold; the first of it; those that it holds */
    size_t next;            /* row */
};

/* Rows of a block: of whole chunks, where these are not too large. */
static size_t block_rows(const struct look *look, const struct asy__shape *shape)
{
    size_t row = shape->n_columns * shape->item, rows = BLOCK_BYTES / row, most = BLOCK_MOST / row;
    hsize_t chunk[ASY__DIMS_MAX] = { 1 };

    rows = rows ? rows : 1;
    most = most ? most : 1;
    if (shape->kind == ASY__POINTERS) {
        rows = TEXTS_MAX / shape->n_columns;
        rows = rows ? rows : 1;
    } else if (h5.p_layout(look->plist) == H5_CHUNKED &&
               h5.p_chunk(look->plist, ASY__DIMS_MAX, chunk) > 0 && chunk[0] > 0) {
        size_t n = chunk[0] < most ? (size_t)chunk[0] : most;

        rows = rows < n ? n : rows / n * n;
    }
    return rows < shape->n_rows ? rows : (size_t)shape->n_rows;
}

int asy__hdf5_begin(const struct asy__hdf5 *file, const char *name, const struct asy__shape *shape,
                    struct asy__hdf5_set **ret_set, struct asy_error *err)
{
    struct asy__hdf5_set *set = calloc(1, sizeof *set);
    int rc;

    if (!set)
        return asy_fail(err, ASY_E_NOMEM, "no memory to read a data set");
    if ((rc = open_look(file, name, &set->look, err)) < 0) {
        free(set);
        return rc;
    }
    set->shape = *shape;
    set->type = shape->kind == ASY__FLOAT ? *h5.t_double : set->look.type;
    set->room = block_rows(&set->look, shape);
    if (!(set->block = calloc(set->room, shape->n_columns * shape->item))) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for %zu rows of it", set->room);
        asy__hdf5_end(set);
        return rc;
    }
    *ret_set = set;
    return 0;
}

/* The block's n rows from `from` on as one row of elements. */
static hid_t memory_of(const struct asy__hdf5_set *set)
{
    hsize_t n = (hsize_t)set->n * set->shape.n_columns;

    return h5.s_create(1, &n, NULL);
}

/* Texts of any length are the library's. */
static void drop_block(struct asy__hdf5_set *set)
{
    hid_t memory = set->n && set->shape.kind == ASY__POINTERS ? memory_of(set) : -1;

    if (memory >= 0) {
        h5.d_reclaim(set->type, memory, H5_DEFAULT, set->block);
        h5.s_close(memory);
    }
    set->n = 0;
}

void asy__hdf5_end(struct asy__hdf5_set *set)
{
    if (!set)
        return;
    drop_block(set);
    close_look(&set->look);
    free(set->block);
    free(set);
}

/* What does not belong to a text becomes NULs, which do not count at its end. */
static void clear_padding(unsigned char *text, size_t size, int padding)
{
    size_t n = size;

    if (padding == H5_NULL_TERMINATED)
        n = strnlen((const char *)text, size);
    if (padding == H5_SPACE_PADDED)
        while (n && (text[n - 1] == ' ' || text[n - 1] == '\0'))
            n--;
    memset(text + n, 0, size - n);
}

static void clear_paddings(struct asy__hdf5_set *set)
{
    const struct asy__shape *shape = &set->shape;
    int padding = shape->kind == ASY__BYTES ? h5.t_padding(set->type) : -1;

    for (size_t i = 0; padding >= 0 && i < set->n * shape->n_columns; i++)
        clear_padding(set->block + i * shape->item, shape->item, padding);
}

static int read_block(struct asy__hdf5_set *set, struct asy_error *err)
{
    const struct asy__shape *shape = &set->shape;
    size_t left = (size_t)shape->n_rows - set->next;
    hsize_t start[ASY__DIMS_MAX] = { set->next }, count[ASY__DIMS_MAX];
    hid_t memory;
    int rc = 0;

    drop_block(set);
    set->from = set->next;
    set->n = left < set->room ? left : set->room;
    count[0] = set->n;
    for (size_t d = 1; d < shape->n_dims; d++)
        count[d] = shape->dims[d];
    if ((memory = memory_of(set)) < 0 ||
        h5.s_select(set->look.space, H5_SELECT_SET, start, NULL, count, NULL) < 0 ||
        h5.d_read(set->look.set, set->type, memory, set->look.space, H5_DEFAULT, set->block) < 0) {
        rc = fail(err, "its values cannot be read");
        set->n = 0;
    }
    clear_paddings(set);
    if (memory >= 0)
        h5.s_close(memory);
    return rc;
}

int asy__hdf5_row(struct asy__hdf5_set *set, const unsigned char **ret_row, struct asy_error *err)
{
    int rc;

    ASY_ASSERT(set->next < set->shape.n_rows, "row %zu", set->next);
    if (set->next >= set->from + set->n && (rc = read_block(set, err)) < 0)
        return rc;
    *ret_row = set->block +
               (set->next - set->from) * set->shape.n_columns * set->shape.item;
    set->next++;
    return 0;
}
