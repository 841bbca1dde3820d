/* SPDX-License-Identifier: Apache-2.0
 * hdf5_impl.h - libhdf5, as it is used here, and what an open file is.
 *
 * The library is not linked: it brings forty others along, which every trainer would load at its
 * start (docs/decisions/0043). So its declarations are ours, of what has been the same since its
 * version 1.10. */
#ifndef ASY__HDF5_IMPL_H
#define ASY__HDF5_IMPL_H
#include <stdbool.h>
#include "hdf5.h"

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

struct asy__h5 {
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
};
extern struct asy__h5 asy__h5; /* once asy__h5_load() has succeeded */

/* ASY_E_UNSUPPORTED: there is none on this machine. It stays loaded. */
ASY_MUST_CHECK int asy__h5_load(struct asy_error *err);
/* ASY_E_FORMAT: what went wrong, by the library's deepest word. */
ASY_MUST_CHECK int asy__h5_fail(struct asy_error *err, const char *what);

struct asy__hdf5 {
    hid_t file;
    char **names;
    size_t n_names, n_seen;
};
#endif
