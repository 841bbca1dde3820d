/* SPDX-License-Identifier: Apache-2.0
 * option.c - reads the options of a sampler or pruner against its table. */
#include "option.h"
#include <string.h>
#include <asy/parse.h>

static int unknown(const char *what, const struct asy__option *defs, size_t n_defs,
                   const char *name, struct asy_error *err)
{
    const char *names[ASY__OPTIONS_MAX], *near;

    for (size_t i = 0; i < n_defs; i++)
        names[i] = defs[i].name;
    near = asy_nearest(name, strlen(name), names, n_defs);
    if (near)
        return asy_fail(err, ASY_E_INVAL, "%s has no option '%.60s', did you mean '%s'", what, name,
                        near);
    return asy_fail(err, ASY_E_INVAL, "%s has no option '%.60s'", what, name);
}

int asy__options_read(const char *what, const struct asy__option *defs, size_t n_defs,
                      const struct asy_option *options, size_t n_options, double *ret_values,
                      struct asy_error *err)
{
    double values[ASY__OPTIONS_MAX];
    unsigned given = 0;

    for (size_t i = 0; i < n_defs; i++)
        values[i] = defs[i].fallback;
    for (size_t o = 0; o < n_options; o++) {
        double v = options[o].value;
        size_t i = 0;

        while (i < n_defs && strcmp(defs[i].name, options[o].name))
            i++;
        if (i == n_defs)
            return unknown(what, defs, n_defs, options[o].name, err);
        if (given & 1u << i)
            return asy_fail(err, ASY_E_INVAL, "%s: option '%s' is given twice", what, defs[i].name);
        if (!(v >= defs[i].lo && v <= defs[i].hi) || (!defs[i].real && v != floor(v)))
            return asy_fail(err, ASY_E_INVAL, "%s: option '%s' is a %snumber from %.15g to %.15g, "
                            "not %.15g", what, defs[i].name, defs[i].real ? "" : "whole ",
                            defs[i].lo, defs[i].hi, v);
        values[i] = v;
        given |= 1u << i;
    }
    memcpy(ret_values, values, n_defs * sizeof *values);
    return 0;
}
