/* SPDX-License-Identifier: Apache-2.0
 * import.h - data sets that were read once, as arrays that all trainers of a node map.
 *
 *   DIR/<id>/manifest.json   what it was made of, shape, schema, the files' hashes, and of the
 *                            other files together the content id, and the id that DVC gives them
 *   DIR/<id>/x.npy           the features, as training reads them
 *   DIR/<id>/label.npy       or target.npy
 *
 * id: sha256 over the sources' hashes and all of the spec that the arrays depend on. One in use is
 * locked; beyond the limit the one goes that has not been used for longest.
 *
 * Threads: one owner. */
#ifndef ASY__IMPORT_H
#define ASY__IMPORT_H
#include <asy/hash.h>
#include "data.h"

#define ASY__IMPORT_LEAST (1u << 20) /* bytes of a source: what is smaller is read in a moment */

struct asy__import {
    const char *dir;  /* NULL: nothing is to be imported. Borrowed */
    uint64_t limit;   /* bytes of all of them */
    uint64_t least;   /* bytes of a source */
    struct asy_sha file, labels; /* what the sources have to be */
};
/* The part "import" of a job: {"dir", "limit", "file", "labels"}; node NULL: none. */
ASY_MUST_CHECK int asy__import_read(const struct asy_json *node, struct asy__import *ret,
                                    struct asy_error *err);
/* The data, imported by now if it was not. ASY_E_STATE: a source has changed since its hash was
 * taken. Whatever else fails, reading the sources themselves tells better what is wrong with them.
 * ASY_E_UNSUPPORTED: it is not to be imported. */
ASY_MUST_CHECK int asy__import_load(const struct asy__import *import,
                                    const struct asy__data_spec *spec, struct asy__data *ret,
                                    struct asy_error *err);
/* Whether the sources are still what they have to be, be they imported or not: ASY_E_STATE. */
ASY_MUST_CHECK int asy__import_check(const struct asy__import *import,
                                     const struct asy__data_spec *spec, struct asy_error *err);
/* The same of one source. */
ASY_MUST_CHECK int asy__import_source(const char *path, struct asy_sha want, struct asy_error *err);
#endif
