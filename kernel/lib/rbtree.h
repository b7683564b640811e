/*
 * Intrusive red-black trees: O(log n) insertion, removal and ordered walk.
 *
 * A struct rb_node inside the object is the link; zeroed memory is a node on no tree, and an empty
 * tree.  The order is the caller's: rb_add() with a `less` function that the compiler inlines, or
 * a search of the caller's own that ends in rb_insert_at() and rb_insert_color().  Equal keys may
 * be added; they keep their order of insertion.  The caller holds the lock of the tree.
 */
#ifndef LIB_RBTREE_H
#define LIB_RBTREE_H

#include "lib/types.h"

struct rb_node {
    uintptr_t parent_color; /* address of the parent; bit 0 is set in a black node */
    struct rb_node *left, *right;
};

struct rb_root {
    struct rb_node *node;
};

/* A tree that also knows its smallest node. */
struct rb_root_cached {
    struct rb_root root;
    struct rb_node *leftmost;
};

#define RB_ROOT ((struct rb_root){NULL})
#define RB_ROOT_CACHED ((struct rb_root_cached){{NULL}, NULL})

#define rb_entry(ptr, type, member) container_of(ptr, type, member)

/* True if `a` goes before `b`. */
typedef bool (*rb_less_fn)(const struct rb_node *a, const struct rb_node *b);

static inline bool rb_empty(const struct rb_root *root) { return !root->node; }

/* Mark the node as being on no tree. */
static inline void rb_init_node(struct rb_node *node) { node->parent_color = 0; }

/* True if the node is on a tree: only a red node without a parent is not, and a root is black. */
static inline bool rb_linked(const struct rb_node *node) { return node->parent_color != 0; }

/* Smallest and largest node, or NULL. */
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);

/* The node after or before this one in the order, or NULL. */
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);

/* Smallest node, or NULL, in O(1). */
static inline struct rb_node *rb_first_cached(const struct rb_root_cached *root) {
    return root->leftmost;
}

/* Hang `node` as a leaf at `*link`, a NULL child pointer of `parent` (or the root's pointer). */
static inline void rb_insert_at(struct rb_node *node, struct rb_node *parent,
                                struct rb_node **link) {
    node->parent_color = (uintptr_t)parent;
    node->left = NULL;
    node->right = NULL;
    *link = node;
}

/* `node` is the root of a subtree of its own, above two others; who builds a tree from below keeps the colours right. */
static inline void rb_join(struct rb_node *node, struct rb_node *left, struct rb_node *right,
                           bool red) {
    node->parent_color = !red;
    node->left = left;
    node->right = right;
    if (left)
        left->parent_color |= (uintptr_t)node;
    if (right)
        right->parent_color |= (uintptr_t)node;
}

static inline void rb_set_root(struct rb_node *node) { node->parent_color = 1; }

/* Restore the colours and the balance after rb_insert_at(). */
void rb_insert_color(struct rb_node *node, struct rb_root *root);

/* Take `node` off the tree; afterwards !rb_linked(node). */
void rb_erase(struct rb_node *node, struct rb_root *root);

/* The same for a cached tree; `leftmost` says that rb_insert_at() went left all the way. */
static inline void rb_insert_color_cached(struct rb_node *node, struct rb_root_cached *root,
                                          bool leftmost) {
    if (leftmost)
        root->leftmost = node;
    rb_insert_color(node, &root->root);
}

static inline void rb_erase_cached(struct rb_node *node, struct rb_root_cached *root) {
    if (root->leftmost == node)
        root->leftmost = rb_next(node);
    rb_erase(node, &root->root);
}

/* Insert `node` after all nodes that are not greater. */
static inline __attribute__((always_inline)) void rb_add(struct rb_node *node, struct rb_root *root,
                                                         rb_less_fn less) {
    struct rb_node *parent = NULL, **link = &root->node;

    while (*link) {
        parent = *link;
        link = less(node, parent) ? &parent->left : &parent->right;
    }
    rb_insert_at(node, parent, link);
    rb_insert_color(node, root);
}

/* The same for a cached tree; true if `node` is now the smallest. */
static inline __attribute__((always_inline)) bool rb_add_cached(struct rb_node *node,
                                                                struct rb_root_cached *root,
                                                                rb_less_fn less) {
    struct rb_node *parent = NULL, **link = &root->root.node;
    bool leftmost = true;

    while (*link) {
        parent = *link;
        if (less(node, parent)) {
            link = &parent->left;
        } else {
            link = &parent->right;
            leftmost = false;
        }
    }
    rb_insert_at(node, parent, link);
    rb_insert_color_cached(node, root, leftmost);
    return leftmost;
}

/* The object that contains the node, or NULL for NULL. */
#define rb_entry_or_null(ptr, type, member)                                                        \
    __extension__({                                                                                \
        struct rb_node *__n = (ptr);                                                               \
        __n ? rb_entry(__n, type, member) : NULL;                                                  \
    })

/* For each object `pos` of the tree in order; `pos` is NULL after the last, and must stay on. */
#define rb_for_each(pos, root, member)                                                             \
    for (pos = rb_entry_or_null(rb_first(root), __typeof__(*pos), member); pos;                    \
         pos = rb_entry_or_null(rb_next(&pos->member), __typeof__(*pos), member))

/* Check order, colours and parents of the whole tree: the number of nodes, or -1 if broken. */
long rb_check(const struct rb_root *root, rb_less_fn less);

#endif
