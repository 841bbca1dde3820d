/* SPDX-License-Identifier: Apache-2.0
 * studykit.h - pieces of study files, and what tests do with a whole one. */
#ifndef STUDYKIT_H
#define STUDYKIT_H
#include <asy/study.h>
#include <asytest.h>

#define MODEL_RUN "run: {model: mlp, length: {max: 40}}\n"
#define DATA "data: d.csv\n"
#define OBJECTIVE "objective: {metric: val_loss, goal: minimize}\n"
#define PARAMS "parameters: {lr: {min: 1e-5, max: 1.0, scale: log}}\n"
#define BUDGET "budget: {trials: 10}\n"
#define HEAD "assay: 1\nname: s\n"
#define MODEL_HEAD HEAD MODEL_RUN DATA
#define MODEL MODEL_HEAD OBJECTIVE PARAMS BUDGET
#define COMMAND_HEAD HEAD "run: {command: [train, \"{args}\"]}\n"
#define COMMAND COMMAND_HEAD OBJECTIVE PARAMS BUDGET

/* NULL: it has mistakes, which fail the test. */
static inline struct asy_study_spec *parse(const char *name, const char *text)
{
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf problems;

    asy_buf_init(&problems, 64u << 10);
    if (asy_study_parse(text, strlen(text), "s.yaml", "/base", &spec, &problems, &err) < 0)
        t__check(false, __LINE__, __FILE__, "%s: %s\n%s", name, err.text, problems.data);
    asy_buf_fini(&problems);
    return spec;
}

/* A file with a mistake; want: what is said of it, or a part of that. */
struct bad_case {
    const char *name, *text, *want;
};

static inline void check_bad(const struct bad_case *cases, size_t n)
{
    for (const struct bad_case *c = cases; c < cases + n; c++) {
        struct asy_study_spec *spec = NULL;
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf problems;
        int rc;

        asy_buf_init(&problems, 64u << 10);
        rc = asy_study_parse(c->text, strlen(c->text), "s.yaml", "/base", &spec, &problems, &err);
        t__check(rc == ASY_E_INVAL || rc == ASY_E_FORMAT, __LINE__, __FILE__, "%s: rc %d", c->name,
                 rc);
        T_HAS(c->name, problems.data, c->want);
        T_TRUE(!spec);
        T_EQ(c->name, strncmp(problems.data, err.text, strnlen(err.text, 200)), 0);
        asy_study_destroy(spec);
        asy_buf_fini(&problems);
    }
}
#endif
