/*
 * Radix tree: a sparse array of pointers indexed by u64, in nodes of 64 slots.
 *
 * The tree is as deep as its largest index needs, so a dense array of n entries costs
 * log64(n) loads to look up.  Entries are any pointers but NULL.  The caller holds the lock of the
 * tree and supplies the nodes' memory.
 */
#ifndef LIB_RADIX_H
#define LIB_RADIX_H

#include "lib/types.h"

#define RADIX_BITS 6
#define RADIX_SLOTS (1u << RADIX_BITS)

struct radix_node {
    void *slots[RADIX_SLOTS]; /* entries where shift is 0, nodes elsewhere */
    u32 shift;                /* the slot of an index is (index >> shift) % 64 */
    u32 count;                /* slots that are not NULL */
};

struct radix_alloc {
    void *(*alloc)(void); /* a zeroed struct radix_node, or NULL */
    void (*free)(void *node);
};

struct radix_root {
    struct radix_node *node; /* NULL in an empty tree */
    const struct radix_alloc *alloc;
};

#define RADIX_INIT(alloc)                                                                          \
    { NULL, alloc }

/* Make an empty tree. */
static inline void radix_init(struct radix_root *root, const struct radix_alloc *alloc) {
    root->node = NULL;
    root->alloc = alloc;
}

static inline bool radix_empty(const struct radix_root *root) { return !root->node; }

/* The RADIX_SLOTS places of which `index` is one, each an entry or NULL; or NULL if all are empty. */
static inline void *const *radix_leaf(const struct radix_root *root, u64 index) {
    const struct radix_node *node = root->node;
    u32 shift;

    if (!node)
        return NULL;
    shift = node->shift;
    if ((index >> shift) >= RADIX_SLOTS)
        return NULL;
    for (; shift; shift -= RADIX_BITS) {
        node = node->slots[(index >> shift) % RADIX_SLOTS];
        if (!node)
            return NULL;
    }
    return node->slots;
}

/* The entry at `index`, or NULL. */
static inline void *radix_lookup(const struct radix_root *root, u64 index) {
    void *const *leaf = radix_leaf(root, index);
    return leaf ? leaf[index % RADIX_SLOTS] : NULL;
}

/* Put `entry` (not NULL) at `index`: 0, -ENOMEM, or -EEXIST if the place is taken. */
int radix_insert(struct radix_root *root, u64 index, void *entry);

/* Empty the place at `index` and free the nodes that nothing needs: the old entry, or NULL. */
void *radix_delete(struct radix_root *root, u64 index);

/* First entry at or after *index, with its place in *index, or NULL: a walk does ++*index. */
void *radix_next(const struct radix_root *root, u64 *index);

#endif
