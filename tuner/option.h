/* SPDX-License-Identifier: Apache-2.0
 * option.h - the options of one sampler or pruner: a table of names, ranges and defaults. */
#ifndef ASY_TUNER_OPTION_H
#define ASY_TUNER_OPTION_H
#include <asy/tuner.h>

#define ASY__OPTIONS_MAX 16

/* Options are whole numbers if not real; booleans have the range 0 to 1. */
struct asy__option {
    const char *name;
    double fallback, lo, hi; /* fallback may lie outside, where the option is not given */
    int real;
};

/* Fills ret_values[i] for defs[i], from the options given or by default. what: "sampler 'tpe'".
 * ASY_E_INVAL: an unknown or repeated name, a value out of range. */
ASY_MUST_CHECK int asy__options_read(const char *what, const struct asy__option *defs,
                                     size_t n_defs, const struct asy_option *options,
                                     size_t n_options, double *ret_values, struct asy_error *err);
#endif
