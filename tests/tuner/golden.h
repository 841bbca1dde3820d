/* SPDX-License-Identifier: Apache-2.0
 * golden.h - what the golden files of golden/ have in common: numbers, and lines that add a
 * parameter to a space. */
#ifndef ASY__TEST_GOLDEN_H
#define ASY__TEST_GOLDEN_H
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>
#include <asy/space.h>
#include "asytest.h"

#define GOLDEN_VALUES_MAX 8

/* "-" is ASY_INACTIVE. */
static double golden_number(const char *word)
{
    struct asy_error err = ASY_ERROR_INIT;
    double v = ASY_INACTIVE;

    if (strcmp(word, "-"))
        T_OK(asy_parse_f64(word, strlen(word), &v, &err), &err);
    return v;
}

/* words: param KIND lo hi step log choices [parent value,value], the last of which is cut */
static void golden_param(struct asy_space *space, char **words, size_t n_words)
{
    static const struct asy_value choices[GOLDEN_VALUES_MAX] = {
        { .i = 0 }, { .i = 1 }, { .i = 2 }, { .i = 3 },
        { .i = 4 }, { .i = 5 }, { .i = 6 }, { .i = 7 } };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_when when = { 0 };
    double values[GOLDEN_VALUES_MAX];
    char name[16];
    struct asy_param p = { .name = name, .lo = golden_number(words[2]),
                           .hi = golden_number(words[3]), .step = golden_number(words[4]),
                           .log = golden_number(words[5]) != 0 };

    snprintf(name, sizeof name, "p%zu", asy_space_len(space));
    if (!strcmp(words[1], "int"))
        p.type = ASY_PARAM_INT;
    if (!strcmp(words[1], "choice")) {
        p.type = ASY_PARAM_CHOICE;
        p.choices = choices;
        p.n_choices = (size_t)golden_number(words[6]);
    }
    if (n_words > 7) {
        char *rest = words[8], *value;

        when.parent = (size_t)golden_number(words[7]);
        when.values = values;
        while ((value = strsep(&rest, ",")) && when.n_values < GOLDEN_VALUES_MAX)
            values[when.n_values++] = golden_number(value);
        p.whens = &when;
        p.n_whens = 1;
    }
    if (!T_OK(asy_space_add(space, &p, &err), &err))
        abort();
}
#endif
