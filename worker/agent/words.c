/* SPDX-License-Identifier: Apache-2.0
 * words.c - lists of texts for environments and argument vectors. */
#include "impl.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void take(struct asy__words *words, char *text)
{
    if (!text || words->rc) {
        words->rc = ASY_E_NOMEM;
        free(text);
        return;
    }
    if (words->n + 1 >= words->cap) {
        size_t cap = words->cap ? 2 * words->cap : 32;
        char **more = realloc(words->text, cap * sizeof *more);

        if (!more) {
            words->rc = ASY_E_NOMEM;
            free(text);
            return;
        }
        words->text = more;
        words->cap = cap;
    }
    words->text[words->n++] = text;
    words->text[words->n] = NULL;
}

void asy__words_add(struct asy__words *words, const char *text)
{
    take(words, strdup(text));
}

void asy__words_addf(struct asy__words *words, const char *fmt, ...)
{
    va_list args;
    char *text = NULL;

    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0)
        text = NULL;
    va_end(args);
    take(words, text);
}

void asy__words_fini(struct asy__words *words)
{
    for (size_t i = 0; i < words->n; i++)
        free(words->text[i]);
    free(words->text);
    memset(words, 0, sizeof *words);
}

int asy__words_check(const struct asy__words *words, struct asy_error *err)
{
    if (words->rc)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a list of words");
    return 0;
}

char *asy__textf(const char *fmt, ...)
{
    va_list args;
    char *text = NULL;

    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0)
        text = NULL;
    va_end(args);
    return text;
}
