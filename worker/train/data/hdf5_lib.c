/* SPDX-License-Identifier: Apache-2.0
 * hdf5_lib.c - finding libhdf5, and its last word about a mistake. */
#include "hdf5_impl.h"
#include <dlfcn.h>
#include <string.h>

struct asy__h5 asy__h5;

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
        { "H5open", &asy__h5.open },
        { "H5get_libversion", &asy__h5.version },
        { "H5dont_atexit", &asy__h5.no_atexit },
        { "H5Eset_auto2", &asy__h5.e_set_auto },
        { "H5Ewalk2", &asy__h5.e_walk },
        { "H5Fopen", &asy__h5.f_open },
        { "H5Fclose", &asy__h5.f_close },
        { "H5Gget_num_objs", &asy__h5.g_len },
        { "H5Gget_objname_by_idx", &asy__h5.g_name },
        { "H5Gget_objtype_by_idx", &asy__h5.g_type },
        { "H5Gopen2", &asy__h5.g_open },
        { "H5Gclose", &asy__h5.g_close },
        { "H5Dopen2", &asy__h5.d_open },
        { "H5Dclose", &asy__h5.d_close },
        { "H5Dget_space", &asy__h5.d_space },
        { "H5Dget_type", &asy__h5.d_type },
        { "H5Dget_create_plist", &asy__h5.d_plist },
        { "H5Dget_storage_size", &asy__h5.d_stored },
        { "H5Dread", &asy__h5.d_read },
        { "H5Dvlen_reclaim", &asy__h5.d_reclaim },
        { "H5Pcreate", &asy__h5.p_create },
        { "H5Pclose", &asy__h5.p_close },
        { "H5Pget_layout", &asy__h5.p_layout },
        { "H5Pget_chunk", &asy__h5.p_chunk },
        { "H5Pget_external_count", &asy__h5.p_external },
        { "H5Pget_nfilters", &asy__h5.p_n_filters },
        { "H5Pget_filter2", &asy__h5.p_filter },
        { "H5Zfilter_avail", &asy__h5.z_has },
        { "H5Sget_simple_extent_ndims", &asy__h5.s_n_dims },
        { "H5Sget_simple_extent_dims", &asy__h5.s_dims },
        { "H5Screate_simple", &asy__h5.s_create },
        { "H5Sselect_hyperslab", &asy__h5.s_select },
        { "H5Sclose", &asy__h5.s_close },
        { "H5Tget_class", &asy__h5.t_class },
        { "H5Tget_size", &asy__h5.t_size },
        { "H5Tis_variable_str", &asy__h5.t_is_variable },
        { "H5Tget_strpad", &asy__h5.t_padding },
        { "H5Tclose", &asy__h5.t_close },
        { "H5T_NATIVE_DOUBLE_g", &asy__h5.t_double },
        { "H5P_CLS_FILE_ACCESS_ID_g", &asy__h5.p_file_access },
    };
    unsigned major = 0, minor = 0, release = 0;

    for (size_t i = 0; i < ASY_ARRAY_LEN(symbols); i++)
        if (!get(library, symbols[i].name, symbols[i].to))
            return 0;
    get(library, "H5Pset_file_locking", &asy__h5.p_locking);
    /* It shall not print, and what it would do at the end the system does. */
    return asy__h5.no_atexit() >= 0 && asy__h5.open() >= 0 &&
           asy__h5.e_set_auto(H5_DEFAULT, NULL, NULL) >= 0 &&
           asy__h5.version(&major, &minor, &release) >= 0 && major == 1 && minor >= 10;
}

int asy__h5_load(struct asy_error *err)
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

int asy__h5_fail(struct asy_error *err, const char *what)
{
    const char *says = NULL;

    asy__h5.e_walk(H5_DEFAULT, H5_WALK_UPWARD, take_first, &says);
    return asy_fail(err, ASY_E_FORMAT, "%s; libhdf5 says: %.120s", what, says ? says : "nothing");
}
