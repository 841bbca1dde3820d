/* SPDX-License-Identifier: Apache-2.0
 * study_check_data.c - what whoever looks into the data says of the study, as mistakes of the keys
 * that it is about. */
#include "study_impl.h"
#include <stdio.h>
#include <string.h>
#include <asy/parse.h>

/* Whether it decides over one of the family's own hyperparameters, as those of a shape are. */
static int searches_shape(struct asy__parse *p)
{
    const struct asy_space *space = p->study->space;

    for (size_t i = 0; i < asy_space_len(space); i++) {
        const struct asy__row *row = asy__row_option(p->model_group, asy_space_at(space, i)->name);

        if (row && !strcmp(row->group, p->model_group))
            return 1;
    }
    return 0;
}

/* "class_weights: why" is a mistake of that constant. */
static const char *of_constant(struct asy__parse *p, const char *text,
                               const struct asy_yaml **ret_node, char key[64])
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz_");
    const struct asy__row *row;
    char name[40];

    snprintf(name, sizeof name, "%.*s", (int)(n < 39 ? n : 39), text);
    row = !strncmp(text + n, ": ", 2) ? asy__row_option(p->model_group, name) : NULL;
    if (!row || !(*ret_node = asy__row_val(p, row)->node))
        return text;
    snprintf(key, 64, "run.%s", name);
    return text + n + 2;
}

/* "layer 3 (add): why" is a mistake of the list's item 3, if a list is what the network is from. */
static void put_net_problem(struct asy__parse *p, const char *text)
{
    const struct asy_yaml *node = NULL;
    const char *note = "", *why = text;
    char key[64] = "run.model";
    uint64_t number = 0;
    size_t n;

    if (searches_shape(p))
        note = ", with the least value of each parameter";
    if (!strncmp(text, "layer ", 6) && (n = strspn(text + 6, "0123456789")) > 0 && n < 10 &&
        asy_parse_u64(text + 6, n, &number, NULL) == 0)
        node = asy__study_layer(p, (size_t)number);
    if (node)
        snprintf(key, sizeof key, "run.layers[%llu]", (unsigned long long)number);
    else if ((why = of_constant(p, text, &node, key)) != text)
        note = "";
    asy__problem(p, node ? node : asy__place(p, key), key, "%s%s", why, note);
}

/* What is judged by, and where the study says so. */
struct judged {
    const char *metric, *key;
    const struct asy_yaml *node;
};

/* "'FILE': label: why" is a mistake of data.label, "objective: why" one of the metric, all else one
 * of the file that it begins with. */
static void put_data_problem(struct asy__parse *p, const struct judged *by, const char *text)
{
    const char *file = asy__val(p, "data.file")->s, *labels = asy__val(p, "data.labels")->s;
    const char *why = text, *whose = "data.file";
    size_t n = strlen(file);
    char key[64];

    if (!strncmp(text, "run: ", 5)) {
        put_net_problem(p, text + 5);
        return;
    }
    if (why[0] == '\'' && !strncmp(why + 1, file, n) && !strncmp(why + 1 + n, "': ", 3))
        why += n + 4;
    else if (labels && text[0] == '\'' && !strncmp(text + 1, labels, strlen(labels)))
        whose = "data.labels";
    if (!strncmp(why, "objective: ", 11) && by->node) {
        asy__problem(p, by->node, by->key, "%s", why + 11);
        return;
    }
    n = strspn(why, "abcdefghijklmnopqrstuvwxyz.");
    snprintf(key, sizeof key, "data.%.*s", (int)(n < 40 ? n : 40), why);
    if (why[n] == ':' && why[n + 1] == ' ' && asy__row_find(key))
        asy__problem(p, asy__place(p, key), key, "%s", why + n + 2);
    else
        asy__problem(p, asy__place(p, whose), whose, "%s", text);
}

/* Only where data itself is without mistakes is there something to look at. */
static void check_data_for(struct asy__parse *p, const struct judged *by)
{
    struct asy_error why = ASY_ERROR_INIT;
    struct asy_buf text;

    asy_buf_init(&text, 1u << 20);
    asy__study_write_data(p, p->wrong_objective || p->kind == ASY_RUN_PLUGIN ? NULL : by->metric,
                          &text);
    if (asy_buf_check(&text, "the data of a study", NULL) < 0)
        asy__no_memory(p);
    else if (p->reader->look(p->reader->ctx, text.data, text.len, &why) == ASY_E_INVAL)
        put_data_problem(p, by, why.text);
    asy_buf_fini(&text);
}

/* Once for each metric, up to the first mistake; a plug-in's own were held against its table. */
void asy__study_check_data(struct asy__parse *p)
{
    size_t before = p->n_problems;
    struct judged by;

    if (!p->reader || !p->reader->look || p->wrong_data || !asy__val(p, "data.file")->has)
        return;
    for (size_t i = 0; p->n_problems == before; i++) {
        by.metric = asy__study_judged(p, i, &by.node, &by.key);
        if (i > 0 && (!by.node || p->wrong_objective || p->kind == ASY_RUN_PLUGIN))
            return;
        if (i == 0 || by.metric)
            check_data_for(p, &by);
    }
}
