/* SPDX-License-Identifier: Apache-2.0
 * list.h - circular doubly linked lists whose links stand inside the items: an item is moved
 * between queues without memory, which is what lets a step never fail half-way. */
#ifndef ASY__LIST_H
#define ASY__LIST_H
#include <stddef.h>

struct asy__node {
    struct asy__node *prev, *next; /* both NULL: in no list */
};

#define asy__item(node, type, member) ((type *)(void *)((char *)(node) - offsetof(type, member)))
/* body may take the item itself out of the list. */
#define asy__each(item, list, type, member)                                                        \
    for (struct asy__node *n__ = (list)->next, *m__ = n__->next;                                   \
         n__ != (list) && ((item) = asy__item(n__, type, member), 1); n__ = m__, m__ = n__->next)

static inline void asy__list_init(struct asy__node *list)
{
    list->prev = list->next = list;
}

static inline int asy__list_empty(const struct asy__node *list)
{
    return list->next == list;
}

static inline void asy__list_before(struct asy__node *place, struct asy__node *node)
{
    node->prev = place->prev;
    node->next = place;
    place->prev->next = node;
    place->prev = node;
}

static inline void asy__list_push(struct asy__node *list, struct asy__node *node)
{
    asy__list_before(list, node);
}

static inline void asy__list_take(struct asy__node *node)
{
    if (!node->next)
        return;
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->prev = node->next = NULL;
}
#endif
