/* SPDX-License-Identifier: Apache-2.0
 * unit.h - parameters on the unit interval: [0, 1) in cells of equal width for values of a grid or
 * choices, in widths by logarithm where the parameter is logarithmic; by its prior where it has
 * one. */
#ifndef ASY_TUNER_UNIT_H
#define ASY_TUNER_UNIT_H
#include <asy/space.h>

/* The value of parameter i at u in [0, 1]. */
double asy__unit_value(const struct asy_space *space, size_t i, double u);
/* The middle of the cell of a value of number i; a float's own place. The inverse of the above. */
double asy__unit_place(const struct asy_space *space, size_t i, double v);
#endif
