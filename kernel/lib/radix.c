/*
 * radix.c: a sparse array as a tree of 64-way nodes.
 *
 *   root --> [ shift 6 ]  slot = index / 64
 *             |     |
 *        [ shift 0 ][ shift 0 ]  slot = index % 64, holds the entries
 *
 * All leaves have shift 0 and each level adds 6.  The root's node is the lowest that reaches the
 * largest index in use: radix_insert() puts nodes on top, trim() takes them away.  No node but the
 * tree's own path in the middle of an insertion has count 0, so an empty tree owns no memory, and
 * every node leads to an entry.
 *
 * radix_insert() makes the whole chain of nodes below before it links it; if memory runs out, the
 * tree is what it was.  No locks: the caller's lock covers the tree.  Nobody sleeps unless the
 * alloc function does.
 */
#include "lib/radix.h"
#include "lib/assert.h"

enum {
    ENOMEM = 12,
    EEXIST = 17,
};

#define RADIX_LEVELS 11 /* of 6 bits, for the 64 of an index */

static inline u32 slot_of(const struct radix_node *node, u64 index) {
    return (index >> node->shift) % RADIX_SLOTS;
}

static inline bool reaches(const struct radix_node *node, u64 index) {
    return (index >> node->shift) < RADIX_SLOTS;
}

static struct radix_node *node_new(struct radix_root *root, u32 shift) {
    struct radix_node *node = root->alloc->alloc();

    if (node)
        node->shift = shift;
    return node;
}

static inline void fill_slot(struct radix_node *node, u64 index, void *what) {
    node->slots[slot_of(node, index)] = what;
    node->count++;
}

static inline void clear_slot(struct radix_node *node, u64 index) {
    node->slots[slot_of(node, index)] = NULL;
    node->count--;
}

/* Drop nodes on top that hold nothing, or nothing but the lowest subtree: what grow() put there. */
static void trim(struct radix_root *root) {
    struct radix_node *node;

    while ((node = root->node) != NULL) {
        if (node->count > 1 || (node->count == 1 && (!node->shift || !node->slots[0])))
            return;
        root->node = node->count ? node->slots[0] : NULL;
        root->alloc->free(node);
    }
}

/* Make the tree high enough for `index`: 0 or -ENOMEM. */
static int grow(struct radix_root *root, u64 index) {
    struct radix_node *node;
    u32 shift = 0;

    if (!root->node) {
        while ((index >> shift) >= RADIX_SLOTS)
            shift += RADIX_BITS;
        root->node = node_new(root, shift);
        return root->node ? 0 : -ENOMEM;
    }
    while (!reaches(root->node, index)) {
        node = node_new(root, root->node->shift + RADIX_BITS);
        if (!node)
            return -ENOMEM;
        fill_slot(node, 0, root->node);
        root->node = node;
    }
    return 0;
}

/* A chain of nodes from below `shift` down to a leaf that holds `entry`, or NULL. */
static void *chain_new(struct radix_root *root, u32 shift, u64 index, void *entry) {
    struct radix_node *node;
    void *below = entry;

    for (u32 s = 0; s < shift; s += RADIX_BITS) {
        node = node_new(root, s);
        if (!node)
            goto free_chain;
        fill_slot(node, index, below);
        below = node;
    }
    return below;

free_chain:
    while (below != entry) {
        node = below;
        below = node->slots[slot_of(node, index)];
        root->alloc->free(node);
    }
    return NULL;
}

int radix_insert(struct radix_root *root, u64 index, void *entry) {
    struct radix_node *node;
    void *next, *chain;

    assert(entry);
    if (unlikely(!root->node || !reaches(root->node, index)) && grow(root, index) < 0)
        goto trim;

    node = root->node;
    while ((next = node->slots[slot_of(node, index)]) != NULL) {
        if (!node->shift)
            return -EEXIST;
        node = next;
    }
    chain = chain_new(root, node->shift, index, entry);
    if (!chain)
        goto trim;
    fill_slot(node, index, chain);
    return 0;

trim:
    trim(root);
    return -ENOMEM;
}

void *radix_delete(struct radix_root *root, u64 index) {
    struct radix_node *path[RADIX_LEVELS], *node = root->node;
    void *entry = NULL;
    int depth = 0;

    if (!node || !reaches(node, index))
        return NULL;
    for (;; node = entry) {
        entry = node->slots[slot_of(node, index)];
        if (!entry)
            return NULL;
        path[depth++] = node;
        if (!node->shift)
            break;
    }
    clear_slot(node, index);
    while (depth > 1 && !path[depth - 1]->count) {
        root->alloc->free(path[--depth]);
        clear_slot(path[depth - 1], index);
    }
    trim(root);
    return entry;
}

void *radix_next(const struct radix_root *root, u64 *index) {
    const struct radix_node *node = root->node;
    u64 i = *index;
    void *slot;

    while (node && reaches(root->node, i)) {
        slot = node->slots[slot_of(node, i)];
        if (slot && !node->shift) {
            *index = i;
            return slot;
        }
        if (slot) {
            node = slot;
            continue;
        }
        /* Nothing below this slot: go to the first index of the next one, maybe in another node. */
        i = ((i >> node->shift) + 1) << node->shift;
        if (!i)
            return NULL;
        if (!slot_of(node, i))
            node = root->node;
    }
    return NULL;
}
