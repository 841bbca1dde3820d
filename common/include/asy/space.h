/* SPDX-License-Identifier: Apache-2.0
 * asy/space.h - parameter spaces and points: the one picture of them that study file, tuner,
 * coordinator and worker share.
 *
 * A point of a space with n parameters is a vector of n doubles. Entry i is the value of parameter
 * i: a float as it is, an int exactly (|v| <= 2^53), a choice as its index; ASY_INACTIVE (a NaN)
 * where the parameter's condition does not hold. Outside, a point is a JSON object of typed values
 * in which inactive parameters are absent; floats always carry a point or an exponent, so ints and
 * floats stay apart, and are written shortest-exact.
 *
 * Values with a step lie on the grid lo + k * step. Where lo and step are short decimals, a grid
 * value is the double nearest to the decimal (0.3, not 0.30000000000000004).
 *
 * Ownership: a space owns copies of all that was added; names and values are borrowed from it.
 * Threads:   one owner while parameters are added; afterwards nothing changes it: any. */
#ifndef ASY_SPACE_H
#define ASY_SPACE_H
#include <math.h>
#include <asy/buf.h>
#include <asy/json.h>

#define ASY_INACTIVE NAN

enum asy_value_type { ASY_VALUE_INT, ASY_VALUE_REAL, ASY_VALUE_BOOL, ASY_VALUE_STRING };
struct asy_value {
    enum asy_value_type type;
    int64_t i;     /* INT, BOOL */
    double f;      /* REAL; INT as double */
    const char *s; /* STRING */
};

enum asy_param_type { ASY_PARAM_FLOAT, ASY_PARAM_INT, ASY_PARAM_CHOICE };

/* "active only when parent has one of these values, or lies in [lo, hi]". */
struct asy_when {
    size_t parent;          /* index of an earlier parameter */
    const double *values;   /* [n_values] point entries of the parent (choice: indices) */
    size_t n_values;        /* 0: the range counts */
    double lo, hi;
};

/* How likely its values are before any trial: what a user knows of a parameter. */
enum asy_prior_kind {
    ASY_PRIOR_NONE = 0,    /* each value as likely as any other, on the parameter's scale */
    ASY_PRIOR_UNIFORM = 1, /* so between lo and hi */
    ASY_PRIOR_NORMAL = 2,  /* around a with standard deviation b, cut at lo and hi */
    ASY_PRIOR_BETA = 3,    /* Beta(a, b) from lo to hi */
    ASY_PRIOR_WEIGHTS = 4, /* of choices */
};
/* A number is distributed so before it is moved to the nearest value of a parameter with a step. */
struct asy_prior {
    enum asy_prior_kind kind;
    int log;               /* of the value's logarithm; the parameter may have another scale */
    double lo, hi;         /* values; NAN, or 0 both: the parameter's bounds, widened by half
                            * a step */
    double a, b;           /* NORMAL: a value; of the logarithm if log. BETA: above 0 */
    const double *weights; /* WEIGHTS: [n_choices] above 0, in any unit */
};

struct asy_param {
    const char *name;
    enum asy_param_type type;
    double lo, hi;                    /* numeric: inclusive bounds, lo <= hi; log: lo > 0 */
    double step;                      /* 0: none (ints: 1) */
    int log;                          /* with a step (ints): lo must exceed half of it */
    const struct asy_value *choices;  /* CHOICE: [n_choices] */
    size_t n_choices;
    int ordered;                      /* CHOICE of numbers in ascending order */
    const struct asy_when *whens;     /* all must hold; [n_whens] */
    size_t n_whens;
    struct asy_prior prior;           /* none for a parameter with a single value */
};

#define ASY_SPACE_MAX 4096

struct asy_space;
ASY_MUST_CHECK int asy_space_create(struct asy_space **ret_space, struct asy_error *err);
void asy_space_destroy(struct asy_space *space);
/* Copies param; with a step, hi comes down to the last value of the grid. ASY_E_INVAL names what is
 * wrong; ASY_E_EXISTS for a name twice; ASY_E_TOOBIG beyond ASY_SPACE_MAX parameters, choices of
 * one parameter, or values of one condition. A choice keeps lo 0, hi n - 1, step 1. */
ASY_MUST_CHECK int asy_space_add(struct asy_space *space, const struct asy_param *param,
                                 struct asy_error *err);
size_t asy_space_len(const struct asy_space *space);
const struct asy_param *asy_space_at(const struct asy_space *space, size_t i); /* borrowed */
/* Index of a name, or SIZE_MAX. */
size_t asy_space_find(const struct asy_space *space, const char *name);
/* Number of distinct points (an inactive parameter counts as one value). INFINITY if a float
 * without step is among them, or if the conditions are too entangled to count. Exact up to 2^53. */
double asy_space_cardinality(const struct asy_space *space);
/* The index-th of them, 0 <= index < cardinality <= 2^53: every point once, later parameters vary
 * fastest. ASY_E_FULL: index is beyond; ASY_E_INVAL: the space has no such count. */
ASY_MUST_CHECK int asy_space_point(const struct asy_space *space, uint64_t index, double *ret_x,
                                   struct asy_error *err);
/* The index of a point of a space that has such a count. */
uint64_t asy_space_index(const struct asy_space *space, const double *x);

/* Number of values of parameter i: grid points or choices; INFINITY for a float without step. */
double asy_space_values(const struct asy_space *space, size_t i);
/* Its k-th value, 0 <= k < values. */
double asy_space_value(const struct asy_space *space, size_t i, double k);
/* The allowed value nearest to v, which is not NaN. */
double asy_space_snap(const struct asy_space *space, size_t i, double v);

/* Whether parameter i is active given the entries before it. */
int asy_space_active(const struct asy_space *space, const double *x, size_t i);
/* 0, or ASY_E_INVAL naming the parameter: out of range, off the step, active where it must not
 * be or the reverse. */
ASY_MUST_CHECK int asy_space_check(const struct asy_space *space, const double *x,
                                   struct asy_error *err);
void asy_space_write(const struct asy_space *space, const double *x, struct asy_jsonw *w,
                     const char *key);
/* node: an object name -> value. fixed == 0: all active parameters must be there. fixed == 1:
 * missing ones become ASY_INACTIVE and only the given ones are checked (enqueued points). An int
 * is also taken for a float, values near the grid (1e-6 of a step) are moved onto it. */
ASY_MUST_CHECK int asy_space_read(const struct asy_space *space, const struct asy_json *node,
                                  int fixed, double *ret_x, struct asy_error *err);
/* The value of entry i as MLflow-like text ("0.001", "64", "sgd", "true"). text holds n bytes. */
void asy_space_text(const struct asy_space *space, const double *x, size_t i, char *text, size_t n);
#endif
