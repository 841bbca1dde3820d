/* SPDX-License-Identifier: Apache-2.0
 * study_param.h - the parameters of a study while a space is made of them. */
#ifndef ASY__STUDY_PARAM_H
#define ASY__STUDY_PARAM_H
#include "study_impl.h"

#define ASY__PARAM_KEY_TEXT 200 /* bytes of a full key, a parameter's name among its parts */

struct asy__draft {
    const char *name;
    const struct asy_yaml *key, *node, *when;
    struct asy__draft **parents; /* [when->len]; NULL: no such parameter */
    struct asy_param param;
    int bad, added;
};

struct asy__drafts {
    struct asy__parse *p;
    struct asy__draft *drafts;
    size_t n;
    const char **names; /* [n], for suggestions */
};

/* A mistake of the parameter, at node. */
ASY_PRINTF(4, 5) void asy__bad(struct asy__drafts *w, struct asy__draft *d,
                               const struct asy_yaml *node, const char *fmt, ...);
int asy__is_number(const struct asy_yaml *node); /* NULL is fine */
/* A choice of the node's type. 0: a node cannot be one. */
int asy__to_value(struct asy__drafts *w, const struct asy_yaml *node, struct asy_value *ret);
int asy__is_numeric(const struct asy_value *value);
int asy__same_value(const struct asy_value *a, const struct asy_value *b);
/* A member that is there and not null. */
const struct asy_yaml *asy__member(const struct asy_yaml *map, const char *key);
/* By its name and node: its type, range or values, and prior, and that its model takes it; where
 * its conditions stand. */
void asy__read_param(struct asy__drafts *w, struct asy__draft *d);
#endif
