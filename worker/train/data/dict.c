/* SPDX-License-Identifier: Apache-2.0
 * dict.c - an open-addressing table over an array of texts. */
#include "dict.h"
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>

void asy__dict_init(struct asy__dict *dict, size_t most)
{
    *dict = (struct asy__dict){ .most = most };
}

void asy__dict_fini(struct asy__dict *dict)
{
    for (size_t i = 0; i < dict->n; i++)
        free(dict->texts[i]);
    free(dict->texts);
    free(dict->slots);
    *dict = (struct asy__dict){ .most = dict->most };
}

/* FNV-1a, 64 bits. */
static uint64_t hash(const char *text, size_t len)
{
    uint64_t h = 14695981039346656037u;

    for (size_t i = 0; i < len; i++)
        h = (h ^ (uint8_t)text[i]) * 1099511628211u;
    return h;
}

/* The slot that holds text, or the free one where it belongs. n_slots is a power of two and never
 * full. */
static size_t slot_of(const struct asy__dict *dict, const char *text, size_t len)
{
    size_t at = hash(text, len) & (dict->n_slots - 1);

    while (dict->slots[at]) {
        const char *there = dict->texts[dict->slots[at] - 1];

        if (strlen(there) == len && !memcmp(there, text, len))
            break;
        at = (at + 1) & (dict->n_slots - 1);
    }
    return at;
}

static void index_all(struct asy__dict *dict)
{
    memset(dict->slots, 0, dict->n_slots * sizeof *dict->slots);
    for (size_t i = 0; i < dict->n; i++)
        dict->slots[slot_of(dict, dict->texts[i], strlen(dict->texts[i]))] = (uint32_t)i + 1;
}

static int grow(struct asy__dict *dict, struct asy_error *err)
{
    size_t cap = dict->cap ? dict->cap * 2 : 16;
    char **texts = realloc(dict->texts, cap * sizeof *texts);
    uint32_t *slots;

    if (!texts)
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu texts", cap);
    dict->texts = texts;
    if (!(slots = malloc(cap * 2 * sizeof *slots)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu texts", cap);
    free(dict->slots);
    dict->slots = slots;
    dict->cap = cap;
    dict->n_slots = cap * 2;
    index_all(dict);
    return 0;
}

size_t asy__dict_find(const struct asy__dict *dict, const char *text, size_t len)
{
    size_t at;

    if (!dict->n)
        return ASY__DICT_NONE;
    at = slot_of(dict, text, len);
    return dict->slots[at] ? dict->slots[at] - 1 : ASY__DICT_NONE;
}

int asy__dict_add(struct asy__dict *dict, const char *text, size_t len, size_t *ret_id,
                  struct asy_error *err)
{
    size_t id = asy__dict_find(dict, text, len);
    int rc;

    if (id == ASY__DICT_NONE) {
        if (dict->n >= dict->most)
            return asy_fail(err, ASY_E_FULL, "more than %zu distinct texts", dict->most);
        if (dict->n == dict->cap && (rc = grow(dict, err)) < 0)
            return rc;
        if (!(dict->texts[dict->n] = strndup(text, len)))
            return asy_fail(err, ASY_E_NOMEM, "no memory for a text");
        dict->slots[slot_of(dict, text, len)] = (uint32_t)dict->n + 1;
        id = dict->n++;
    }
    *ret_id = id;
    return 0;
}

struct item {
    char *text;
    double value; /* all items have one, or all NaN */
    size_t old;
};

static int by_order(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    if (x->value < y->value || x->value > y->value)
        return x->value < y->value ? -1 : 1;
    return strcmp(x->text, y->text);
}

int asy__dict_sort(struct asy__dict *dict, size_t **ret_new, struct asy_error *err)
{
    struct item *items = calloc(dict->n + 1, sizeof *items);
    size_t *now = calloc(dict->n + 1, sizeof *now);
    int numbers = 1;

    if (!items || !now) {
        free(items);
        free(now);
        return asy_fail(err, ASY_E_NOMEM, "no memory to sort %zu texts", dict->n);
    }
    for (size_t i = 0; i < dict->n; i++) {
        items[i] = (struct item){ dict->texts[i], 0, i };
        numbers &= asy_parse_f64(dict->texts[i], strlen(dict->texts[i]), &items[i].value,
                                 NULL) == 0 && items[i].value == items[i].value;
    }
    for (size_t i = 0; i < dict->n && !numbers; i++)
        items[i].value = 0;
    qsort(items, dict->n, sizeof *items, by_order);
    for (size_t i = 0; i < dict->n; i++) {
        dict->texts[i] = items[i].text;
        now[items[i].old] = i;
    }
    if (dict->n)
        index_all(dict);
    free(items);
    if (ret_new)
        *ret_new = now;
    else
        free(now);
    return 0;
}
