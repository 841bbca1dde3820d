/* SPDX-License-Identifier: Apache-2.0
 * study_mistakes.c - mistakes of a study file, as they are noted and told. */
#include "study_impl.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>

static int is_below(const char *key, const char *section)
{
    size_t n = strlen(section);

    return !strncmp(key, section, n) && (!key[n] || key[n] == '.');
}

static int is_before(const struct asy__noted *a, const struct asy__noted *b)
{
    return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* What a file says may be anything; a mistake is one line. */
static void make_line(char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            text[i] = '?';
}

/* err is the first in the file. */
static void note(struct asy__parse *p, const struct asy__noted *here, const char *key,
                 const char *text)
{
    size_t first = 0;

    for (size_t i = 1; i < p->n_problems; i++)
        if (is_before(&p->noted[i], &p->noted[first]))
            first = i;
    p->noted[p->n_problems++] = *here;
    if (p->n_problems == 1 || is_before(here, &p->noted[first])) {
        asy_fail(p->err, ASY_E_INVAL, "%s:%u:%u: %s: %s", p->file, here->line, here->column, key,
                 text);
        make_line(p->err->text, strlen(p->err->text));
    }
}

void asy__problem(struct asy__parse *p, const struct asy_yaml *node, const char *key,
                  const char *fmt, ...)
{
    struct asy__noted here = { node ? node->line : 1, node ? node->column : 1, 0, 0 };
    char text[600], path[160];
    va_list args;

    p->wrong_data |= is_below(key, "data");
    p->wrong_objective |= is_below(key, "objective");
    if (p->original)
        key = asy__wandb_key(key, path);
    if (p->n_problems == ASY__PROBLEMS_MAX) {
        p->cut = 1;
        return;
    }
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (p->problems) {
        here.at = p->problems->len;
        asy_buf_addf(p->problems, "%s:%u:%u: %s: %s\n", p->file, here.line, here.column, key,
                     text);
        here.len = p->problems->len - here.at;
        if (here.len)
            make_line(p->problems->data + here.at, here.len - 1);
    }
    note(p, &here, key, text);
}

static int by_place(const void *a, const void *b)
{
    const struct asy__noted *x = a, *y = b;

    return is_before(x, y) ? -1 : is_before(y, x) ? 1 : (x->at > y->at) - (x->at < y->at);
}

#define MORE ": more mistakes follow\n"

void asy__sort_problems(struct asy__parse *p)
{
    struct asy_buf sorted = { 0 };

    if (!p->problems)
        return;
    asy_buf_init(&sorted, p->problems->max);
    qsort(p->noted, p->n_problems, sizeof *p->noted, by_place);
    for (size_t i = 0; i < p->n_problems; i++)
        asy_buf_add(&sorted, p->problems->data + p->noted[i].at, p->noted[i].len);
    if (!sorted.rc && sorted.len) {
        asy_buf_clear(p->problems);
        asy_buf_add(p->problems, sorted.data, sorted.len);
    }
    if (p->cut)
        asy_buf_addf(p->problems, "%s" MORE, p->file);
    asy_buf_fini(&sorted);
}

size_t asy_study_count_problems(const struct asy_buf *problems, int *ret_more)
{
    const size_t n_more = sizeof MORE - 1;
    size_t n = 0;

    for (size_t i = 0; i < problems->len; i++)
        n += problems->data[i] == '\n';
    *ret_more = problems->len >= n_more &&
                !memcmp(problems->data + problems->len - n_more, MORE, n_more);
    return *ret_more ? n - 1 : n;
}

const char *asy__did_you_mean(const char *word, const char *const *names, size_t n_names,
                              char *text, size_t n)
{
    const char *near = asy_nearest(word, strlen(word), names, n_names);

    text[0] = 0;
    if (near)
        snprintf(text, n, "; did you mean '%s'?", near);
    return text;
}
