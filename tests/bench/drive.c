/* SPDX-License-Identifier: Apache-2.0
 * drive.c - see drive.h. */
#include "drive.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>
#include "auto.h"

void die(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

/* Splits NAME:OPTION=NUMBER, into name of size; whether there is an option. */
static int split(const char *given, char *name, size_t size, char *option, double *ret_value)
{
    const char *colon = strchr(given, ':'), *equals = colon ? strchr(colon, '=') : NULL;

    if (colon && !equals)
        die("a sampler's option is NAME:OPTION=NUMBER");
    snprintf(name, size, "%.*s", colon ? (int)(colon - given) : (int)strlen(given), given);
    if (!colon)
        return 0;
    snprintf(option, size, "%.*s", (int)(equals - colon - 1), colon + 1);
    if (asy_parse_f64(equals + 1, strlen(equals + 1), ret_value, NULL) < 0)
        die("a sampler's option is a number");
    return 1;
}

struct asy_sampler *make_sampler(const struct asy_space *space, const char *name, uint64_t seed,
                                 uint64_t budget, size_t n_goals)
{
    static const enum asy_goal goals[GOALS_MAX] = { ASY_MINIMIZE, ASY_MINIMIZE };
    char alone[32], key[32];
    struct asy_option option = { .name = key };
    int given = split(name, alone, sizeof alone, key, &option.value);
    struct asy_sampler_spec spec = { .name = alone, .seed = seed, .goals = goals,
                                     .n_goals = n_goals, .budget = budget,
                                     .options = &option, .n_options = (size_t)given };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *sampler = NULL;
    unsigned rule = strncmp(name, "auto-", 5) ? 0 : asy__auto_rule(name + 5);

    if (rule ? asy__auto_create(space, &spec, ASY__AUTO_ALL & ~rule, &sampler, &err)
             : asy_sampler_create(space, &spec, &sampler, &err))
        die(err.text);
    return sampler;
}

void ask(struct asy_sampler *s, uint64_t number, double *x)
{
    struct asy_error err = ASY_ERROR_INIT;

    if (asy_sampler_ask(s, number, NULL, x, &err))
        die(err.text);
}

void tell(struct asy_sampler *s, uint64_t number, const double *x, const double *values)
{
    struct asy_outcome o = { .number = number, .state = ASY_OUTCOME_COMPLETE, .x = x,
                             .values = values, .last_step = -1 };
    struct asy_error err = ASY_ERROR_INIT;

    if (asy_sampler_tell(s, &o, &err))
        die(err.text);
}

struct asy_space *new_space(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_space *space = NULL;

    if (asy_space_create(&space, &err))
        die(err.text);
    return space;
}

void add(struct asy_space *space, size_t i, struct asy_param p)
{
    struct asy_error err = ASY_ERROR_INIT;
    char name[32];

    snprintf(name, sizeof name, "p%zu", i);
    p.name = name;
    if (asy_space_add(space, &p, &err))
        die(err.text);
}

const struct asy_value *words(size_t n)
{
    static struct asy_value values[64];

    if (n > ASY_ARRAY_LEN(values))
        die("too many choices");
    for (size_t i = 0; i < n; i++)
        values[i] = (struct asy_value){ .type = ASY_VALUE_INT, .i = (int64_t)i };
    return values;
}

struct asy_space *speed_space(const char *kind, size_t dims)
{
    static const struct asy_param mixed[] = {
        { .lo = 0, .hi = 1 },
        { .lo = 0, .hi = 1 },
        { .lo = 1e-5, .hi = 1, .log = 1 },
        { .type = ASY_PARAM_INT, .lo = 0, .hi = 1000 },
    };
    struct asy_space *space = new_space();

    if (strcmp(kind, "mixed") && strcmp(kind, "floats"))
        die("SPACE is 'mixed' or 'floats'");
    for (size_t i = 0; i < dims; i++) {
        if (!strcmp(kind, "floats"))
            add(space, i, (struct asy_param){ .lo = -5, .hi = 10 });
        else if (i % 5 == 4)
            add(space, i, (struct asy_param){ .type = ASY_PARAM_CHOICE, .choices = words(4),
                                              .n_choices = 4 });
        else
            add(space, i, mixed[i % 5]);
    }
    return space;
}

double speed_value(const struct asy_space *space, const double *x, size_t goal)
{
    double sum = 0, at = goal ? 0.7 : 0.3, shift = goal ? 1 : 0;
    size_t n = asy_space_len(space);

    for (size_t i = 0; i < n; i++) {
        const struct asy_param *p = asy_space_at(space, i);
        double u = p->log ? log(x[i] / p->lo) / log(p->hi / p->lo)
                          : (x[i] - p->lo) / (p->hi - p->lo);

        if (p->lo == -5)
            sum += pow(x[i] - shift - 1, 2) +
                   (i ? 100 * pow(x[i] - shift - pow(x[i - 1] - shift, 2), 2) : 0);
        else
            sum += p->type == ASY_PARAM_CHOICE ? x[i] != (goal ? 1 : 2) : pow(u - at, 2);
    }
    return sum;
}

size_t count(const char *text)
{
    struct asy_error err = ASY_ERROR_INIT;
    int64_t n;

    if (asy_parse_i64(text, strlen(text), &n, &err) || n < 0)
        die("a count is a whole number, 0 or more");
    return (size_t)n;
}
