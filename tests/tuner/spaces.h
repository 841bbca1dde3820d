/* SPDX-License-Identifier: Apache-2.0
 * spaces.h - spaces of every kind of parameter that a sampler may meet, for test_sampler_contract.c
 * and the fuzz target of told results. */
#ifndef T_SPACES_H
#define T_SPACES_H
#include <asy/space.h>

enum { T_SPACE_LEN = 9 }; /* the most parameters of one */

static const struct asy_value t_words[] = {
    { .type = ASY_VALUE_STRING, .s = "sgd" },
    { .type = ASY_VALUE_STRING, .s = "adam" },
    { .type = ASY_VALUE_STRING, .s = "lamb" },
};
static const struct asy_value t_sizes[] = {
    { .type = ASY_VALUE_INT, .i = 16 },
    { .type = ASY_VALUE_INT, .i = 32 },
    { .type = ASY_VALUE_INT, .i = 128 },
};
static const double t_first[] = { 0 }, t_others[] = { 1, 2 };
static const struct asy_when t_if_first = { .parent = 2, .values = t_first, .n_values = 1 };
static const struct asy_when t_if_other = { .parent = 2, .values = t_others, .n_values = 2 };
static const struct asy_when t_if_deep = { .parent = 1, .lo = 3, .hi = 5 };
static const struct asy_param t_mixed[] = {
    { .name = "lr", .lo = 1e-5, .hi = 1, .log = 1 },
    { .name = "layers", .type = ASY_PARAM_INT, .lo = 1, .hi = 5 },
    { .name = "optimizer", .type = ASY_PARAM_CHOICE, .choices = t_words, .n_choices = 3 },
    { .name = "momentum", .lo = 0, .hi = 1, .step = 0.1, .whens = &t_if_first, .n_whens = 1 },
    { .name = "beta1", .lo = 0.5, .hi = 1, .whens = &t_if_other, .n_whens = 1 },
    { .name = "nesterov", .type = ASY_PARAM_INT, .lo = 0, .hi = 1, .whens = &t_if_first,
      .n_whens = 1 },
    { .name = "width", .type = ASY_PARAM_INT, .lo = 16, .hi = 512, .log = 1, .whens = &t_if_deep,
      .n_whens = 1 },
    { .name = "batch", .type = ASY_PARAM_CHOICE, .choices = t_sizes, .n_choices = 3, .ordered = 1 },
    { .name = "fixed", .lo = 3, .hi = 3 },
};
static const struct asy_param t_numbers[] = {
    { .name = "a", .lo = -1, .hi = 1 },
    { .name = "b", .lo = 1e-3, .hi = 1e3, .log = 1 },
    { .name = "c", .type = ASY_PARAM_INT, .lo = -3, .hi = 30 },
    { .name = "d", .lo = 0, .hi = 0.7, .step = 0.1 },
    { .name = "e", .type = ASY_PARAM_CHOICE, .choices = t_sizes, .n_choices = 3, .ordered = 1 },
};
static const struct asy_param t_finite[] = {
    { .name = "a", .type = ASY_PARAM_INT, .lo = 1, .hi = 12 },
    { .name = "b", .lo = 0, .hi = 0.4, .step = 0.1 },
    { .name = "c", .type = ASY_PARAM_CHOICE, .choices = t_words, .n_choices = 3 },
    { .name = "d", .type = ASY_PARAM_INT, .lo = 1, .hi = 2, .whens = &t_if_first, .n_whens = 1 },
};
static const struct asy_param t_choices[] = {
    { .name = "a", .type = ASY_PARAM_CHOICE, .choices = t_words, .n_choices = 3 },
    { .name = "b", .type = ASY_PARAM_CHOICE, .choices = t_sizes, .n_choices = 3 },
    { .name = "c", .type = ASY_PARAM_CHOICE, .choices = t_words, .n_choices = 3 },
    { .name = "one", .type = ASY_PARAM_CHOICE, .choices = t_words, .n_choices = 1 },
};
static const struct asy_param t_single[] = {
    { .name = "a", .lo = 2, .hi = 2 },
    { .name = "b", .type = ASY_PARAM_INT, .lo = 7, .hi = 7 },
};

static const struct {
    const char *name;
    const struct asy_param *params;
    size_t n;
} t_spaces[] = {
    { "mixed", t_mixed, ASY_ARRAY_LEN(t_mixed) },
    { "numbers", t_numbers, ASY_ARRAY_LEN(t_numbers) },
    { "finite", t_finite, ASY_ARRAY_LEN(t_finite) },
    { "choices", t_choices, ASY_ARRAY_LEN(t_choices) },
    { "a single point", t_single, ASY_ARRAY_LEN(t_single) },
    { "empty", NULL, 0 },
};
#endif
