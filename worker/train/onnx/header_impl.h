/* SPDX-License-Identifier: Apache-2.0
 * header_impl.h - what the files that write C share. */
#ifndef ASY__HEADER_IMPL_H
#define ASY__HEADER_IMPL_H
#include "export_impl.h"

#define ASY__ON_A_LINE 8 /* numbers of a table */

struct asy__writer {
    const struct asy__export *export;
    const struct asy__schema *schema;
    struct asy_buf *to;
    const char *name; /* of the study, as an identifier: all names begin with it */
    const char *title;
    size_t inputs;
};
void asy__put_float(struct asy_buf *to, float value);
/* static const float <name>_<what>_<number>[n] */
void asy__put_floats(struct asy__writer *w, const char *what, size_t number, const float *x,
                     size_t n);

/* The function <name>_outputs(const float *f, float *out), from features to outputs, and all that
 * it needs. */
void asy__header_net(struct asy__writer *w);
void asy__header_trees(struct asy__writer *w);
/* ASY_E_UNSUPPORTED: a layer that C has no words for here. */
ASY_MUST_CHECK int asy__header_net_check(const struct asy__net *net, struct asy_error *err);
/* Numbers that <name>_outputs() keeps in arrays of its own; of a network that was checked. */
size_t asy__header_net_arrays(const struct asy__net *net);
#endif
