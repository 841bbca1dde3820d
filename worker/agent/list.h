/* SPDX-License-Identifier: Apache-2.0
 * list.h - doubly linked lists whose nodes stand first in their structs. */
#ifndef ASY__AGENT_LIST_H
#define ASY__AGENT_LIST_H

struct asy__list {
    struct asy__list *prev, *next;
};
static inline void asy__list_init(struct asy__list *head)
{
    head->prev = head->next = head;
}
static inline void asy__list_add(struct asy__list *head, struct asy__list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}
/* Fine for a zeroed node that stands in no list. */
static inline void asy__list_del(struct asy__list *node)
{
    if (!node->next)
        return;
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->prev = node->next = NULL;
}
/* The body must not remove at. */
#define ASY__EACH(type, at, head)                                                                  \
    for (type *at = (type *)(head)->next; &at->node != (head); at = (type *)at->node.next)
#endif
