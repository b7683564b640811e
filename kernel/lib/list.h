/*
 * Intrusive doubly linked lists.
 *
 * `struct list` is circular: the head and the links inside the objects are the same type, an empty
 * list points to itself, and a link that is on no list is an empty list too.  A `struct hlist_head`
 * is one pointer, for the buckets of hash tables; its nodes can be removed without the head.
 * The caller holds whatever lock protects the list. `next` is written in one piece: without the
 * lock, READ_ONCE(head.next) tells whether anything is there.
 */
#ifndef LIB_LIST_H
#define LIB_LIST_H

#include "lib/types.h"

struct list {
    struct list *prev, *next;
};

/* Initialiser of a static list: struct list runq = LIST_INIT(runq). */
#define LIST_INIT(name)                                                                            \
    { &(name), &(name) }

/* Make `l` an empty list, or a link that is on no list. */
static inline void list_init(struct list *l) {
    l->prev = l;
    l->next = l;
}

/* True if the head has no entries, or the link is on no list. */
static inline bool list_empty(const struct list *l) { return l->next == l; }

static inline void list_insert_between(struct list *node, struct list *prev, struct list *next) {
    node->prev = prev;
    node->next = next;
    WRITE_ONCE(prev->next, node);
    next->prev = node;
}

/* Insert `node`, on no list, directly after `head`: as the first entry. */
static inline void list_add(struct list *node, struct list *head) {
    list_insert_between(node, head, head->next);
}

/* Insert `node`, on no list, directly before `head`: as the last entry. */
static inline void list_add_tail(struct list *node, struct list *head) {
    list_insert_between(node, head->prev, head);
}

static inline void list_unlink(struct list *node) {
    WRITE_ONCE(node->prev->next, node->next);
    node->next->prev = node->prev;
}

/* Take `node` off its list; afterwards list_empty(node).  Harmless when it is on no list. */
static inline void list_del(struct list *node) {
    list_unlink(node);
    list_init(node);
}

/* Take `node` off its list and make it the first entry of `head`. */
static inline void list_move(struct list *node, struct list *head) {
    list_unlink(node);
    list_add(node, head);
}

/* Take `node` off its list and make it the last entry of `head`. */
static inline void list_move_tail(struct list *node, struct list *head) {
    list_unlink(node);
    list_add_tail(node, head);
}

/* Append all entries of `from`, in order, to `head`; `from` is empty afterwards. */
static inline void list_splice_tail(struct list *from, struct list *head) {
    if (list_empty(from))
        return;
    from->next->prev = head->prev;
    head->prev->next = from->next;
    from->prev->next = head;
    head->prev = from->prev;
    list_init(from);
}

/* The object that contains the link `ptr`. */
#define list_entry(ptr, type, member) container_of(ptr, type, member)

/* First and last entry of a list that is not empty. */
#define list_first(head, type, member) list_entry((head)->next, type, member)
#define list_last(head, type, member) list_entry((head)->prev, type, member)

/* First entry, or NULL. */
#define list_first_or_null(head, type, member)                                                     \
    (list_empty(head) ? NULL : list_first(head, type, member))

/* Neighbours of `entry`; at the end of the list the result is not an object. */
#define list_next(entry, member) list_entry((entry)->member.next, __typeof__(*(entry)), member)
#define list_prev(entry, member) list_entry((entry)->member.prev, __typeof__(*(entry)), member)

/* For each object `pos` of the list; the body must not remove `pos`. */
#define list_for_each(pos, head, member)                                                           \
    for (pos = list_first(head, __typeof__(*pos), member); &pos->member != (head);                 \
         pos = list_next(pos, member))

/* The same from the last to the first. */
#define list_for_each_rev(pos, head, member)                                                       \
    for (pos = list_last(head, __typeof__(*pos), member); &pos->member != (head);                  \
         pos = list_prev(pos, member))

/* The same in order; the body may remove `pos` (but not `tmp`, the one after it). */
#define list_for_each_safe(pos, tmp, head, member)                                                 \
    for (pos = list_first(head, __typeof__(*pos), member), tmp = list_next(pos, member);           \
         &pos->member != (head); pos = tmp, tmp = list_next(tmp, member))

struct hlist_node {
    struct hlist_node *next;
    struct hlist_node **pprev; /* the pointer that points to this node; NULL when on no list */
};

struct hlist_head {
    struct hlist_node *first;
};

/* Make `n` a node on no list; zeroed memory is one already. */
static inline void hlist_init(struct hlist_node *n) {
    n->next = NULL;
    n->pprev = NULL;
}

/* True if the node is on no list. */
static inline bool hlist_unhashed(const struct hlist_node *n) { return !n->pprev; }

/* True if the bucket has no entries; zeroed memory is an empty bucket. */
static inline bool hlist_empty(const struct hlist_head *h) { return !h->first; }

/* Insert `n`, on no list, as the first entry of the bucket. */
static inline void hlist_add(struct hlist_node *n, struct hlist_head *h) {
    n->next = h->first;
    n->pprev = &h->first;
    if (n->next)
        n->next->pprev = &n->next;
    h->first = n;
}

/* Take `n` off its bucket; afterwards hlist_unhashed(n).  Harmless when it is on none. */
static inline void hlist_del(struct hlist_node *n) {
    if (hlist_unhashed(n))
        return;
    *n->pprev = n->next;
    if (n->next)
        n->next->pprev = n->pprev;
    hlist_init(n);
}

#define hlist_entry(ptr, type, member) container_of(ptr, type, member)

#define hlist_entry_or_null(ptr, type, member)                                                     \
    __extension__({                                                                                \
        struct hlist_node *__n = (ptr);                                                            \
        __n ? hlist_entry(__n, type, member) : NULL;                                               \
    })

/* For each object `pos` of the bucket; `pos` is NULL when the loop ran to its end. */
#define hlist_for_each(pos, head, member)                                                          \
    for (pos = hlist_entry_or_null((head)->first, __typeof__(*pos), member); pos;                  \
         pos = hlist_entry_or_null(pos->member.next, __typeof__(*pos), member))

/* The same; `tmp` is a struct hlist_node *, and the body may remove `pos`. */
#define hlist_for_each_safe(pos, tmp, head, member)                                                \
    for (pos = hlist_entry_or_null((head)->first, __typeof__(*pos), member);                       \
         pos && (tmp = pos->member.next, true);                                                    \
         pos = hlist_entry_or_null(tmp, __typeof__(*pos), member))

#endif
