/*
 * rbtree.c: red-black trees, after Cormen, Leiserson, Rivest, Stein, "Introduction to Algorithms",
 * chapter 13.
 *
 * A binary search tree whose nodes are red or black, such that
 *   1. the root is black,
 *   2. a red node has no red child,
 *   3. every path from a node down to a missing child passes the same number of black nodes.
 * Hence no path is more than twice as long as another, and the depth is at most 2 log2(n + 1).
 *
 * A new leaf is red, which can only break 2 (or 1); insertion repairs that from the leaf upwards.
 * Removing a black node makes one side short of a black node, which breaks 3; removal repairs that
 * upwards from where the node was.  Each repair recolours O(log n) times and rotates at most three
 * times.  Where the book uses a sentinel leaf, a missing child is NULL here and counts as black.
 *
 *          y                         x
 *         / \     rotate(y, right)  / \
 *        x   C   ---------------->  A  y
 *       / \      <----------------    / \
 *      A   B      rotate(x, left)    B   C
 *
 * The parent's address and the colour share a word: nodes are aligned, so bit 0 is free.
 * A node with that word 0 is on no tree.  No locks: the caller's lock covers the tree.
 */
#include "lib/rbtree.h"

#define RB_BLACK 1ul

static inline struct rb_node *parent_of(const struct rb_node *node) {
    return (struct rb_node *)(node->parent_color & ~RB_BLACK);
}

static inline bool is_red(const struct rb_node *node) {
    return node && !(node->parent_color & RB_BLACK);
}

static inline void set_parent(struct rb_node *node, struct rb_node *parent) {
    node->parent_color = (uintptr_t)parent | (node->parent_color & RB_BLACK);
}

static inline void set_red(struct rb_node *node) { node->parent_color &= ~RB_BLACK; }

static inline void set_black(struct rb_node *node) { node->parent_color |= RB_BLACK; }

/* Put `new` (or NULL) in the place of `old` below `parent`, NULL for the root's place. */
static inline void replace_child(struct rb_root *root, struct rb_node *parent, struct rb_node *old,
                                 struct rb_node *new) {
    if (!parent)
        root->node = new;
    else if (parent->left == old)
        parent->left = new;
    else
        parent->right = new;
}

/* Move `x` down to the left; its right child takes its place. */
static void rotate_left(struct rb_root *root, struct rb_node *x) {
    struct rb_node *y = x->right, *parent = parent_of(x);

    x->right = y->left;
    if (x->right)
        set_parent(x->right, x);
    y->left = x;
    set_parent(y, parent);
    replace_child(root, parent, x, y);
    set_parent(x, y);
}

/* Move `y` down to the right; its left child takes its place. */
static void rotate_right(struct rb_root *root, struct rb_node *y) {
    struct rb_node *x = y->left, *parent = parent_of(y);

    y->left = x->right;
    if (y->left)
        set_parent(y->left, y);
    x->right = y;
    set_parent(x, parent);
    replace_child(root, parent, y, x);
    set_parent(y, x);
}

void rb_insert_color(struct rb_node *node, struct rb_root *root) {
    struct rb_node *parent, *grand, *uncle;

    /* A red parent is not the root, so there is a grandparent, and it is black. */
    while (is_red(parent = parent_of(node))) {
        grand = parent_of(parent);
        uncle = parent == grand->left ? grand->right : grand->left;
        if (is_red(uncle)) {
            set_black(parent);
            set_black(uncle);
            set_red(grand);
            node = grand;
            continue;
        }
        if (parent == grand->left) {
            if (node == parent->right) {
                rotate_left(root, parent);
                parent = node;
            }
            rotate_right(root, grand);
        } else {
            if (node == parent->left) {
                rotate_right(root, parent);
                parent = node;
            }
            rotate_left(root, grand);
        }
        set_black(parent);
        set_red(grand);
        break;
    }
    set_black(root->node);
}

/*
 * The left subtree of `parent` is one black node short.  Either that is repaired (true), or the
 * shortage is now that of `parent` as a whole (false).
 */
static bool refill_left(struct rb_root *root, struct rb_node *parent) {
    struct rb_node *sibling = parent->right;

    if (is_red(sibling)) {
        set_black(sibling);
        set_red(parent);
        rotate_left(root, parent);
        sibling = parent->right;
    }
    if (!is_red(sibling->left) && !is_red(sibling->right)) {
        set_red(sibling);
        return false;
    }
    if (!is_red(sibling->right)) {
        set_black(sibling->left);
        set_red(sibling);
        rotate_right(root, sibling);
        sibling = parent->right;
    }
    if (is_red(parent))
        set_red(sibling);
    else
        set_black(sibling);
    set_black(parent);
    set_black(sibling->right);
    rotate_left(root, parent);
    return true;
}

/* The mirror image of refill_left(). */
static bool refill_right(struct rb_root *root, struct rb_node *parent) {
    struct rb_node *sibling = parent->left;

    if (is_red(sibling)) {
        set_black(sibling);
        set_red(parent);
        rotate_right(root, parent);
        sibling = parent->left;
    }
    if (!is_red(sibling->left) && !is_red(sibling->right)) {
        set_red(sibling);
        return false;
    }
    if (!is_red(sibling->left)) {
        set_black(sibling->right);
        set_red(sibling);
        rotate_left(root, sibling);
        sibling = parent->left;
    }
    if (is_red(parent))
        set_red(sibling);
    else
        set_black(sibling);
    set_black(parent);
    set_black(sibling->left);
    rotate_right(root, parent);
    return true;
}

/* `node` (or NULL), a child of `parent`, heads a subtree that is one black node short. */
static void erase_color(struct rb_root *root, struct rb_node *node, struct rb_node *parent) {
    while (parent && !is_red(node)) {
        if (node == parent->left ? refill_left(root, parent) : refill_right(root, parent))
            return;
        node = parent;
        parent = parent_of(node);
    }
    if (node)
        set_black(node);
}

void rb_erase(struct rb_node *node, struct rb_root *root) {
    struct rb_node *parent = parent_of(node), *child, *next;
    bool short_of_black = !is_red(node);

    if (!node->left || !node->right) {
        child = node->left ? node->left : node->right;
        replace_child(root, parent, node, child);
        if (child)
            set_parent(child, parent);
    } else {
        /* The next node has no left child: it can leave its place for this one, colour included. */
        for (next = node->right; next->left;)
            next = next->left;
        short_of_black = !is_red(next);
        child = next->right;
        replace_child(root, parent, node, next);
        parent = parent_of(next);
        if (parent == node) {
            parent = next;
        } else {
            parent->left = child;
            if (child)
                set_parent(child, parent);
            next->right = node->right;
            set_parent(next->right, next);
        }
        next->left = node->left;
        set_parent(next->left, next);
        next->parent_color = node->parent_color;
    }
    if (short_of_black)
        erase_color(root, child, parent);
    rb_init_node(node);
}

struct rb_node *rb_first(const struct rb_root *root) {
    struct rb_node *node = root->node;

    while (node && node->left)
        node = node->left;
    return node;
}

struct rb_node *rb_last(const struct rb_root *root) {
    struct rb_node *node = root->node;

    while (node && node->right)
        node = node->right;
    return node;
}

struct rb_node *rb_next(const struct rb_node *node) {
    struct rb_node *parent;

    if (node->right) {
        for (node = node->right; node->left;)
            node = node->left;
        return (struct rb_node *)node;
    }
    while ((parent = parent_of(node)) && node == parent->right)
        node = parent;
    return parent;
}

struct rb_node *rb_prev(const struct rb_node *node) {
    struct rb_node *parent;

    if (node->left) {
        for (node = node->left; node->right;)
            node = node->right;
        return (struct rb_node *)node;
    }
    while ((parent = parent_of(node)) && node == parent->left)
        node = parent;
    return parent;
}

/* Number of black nodes on each path down from `node`, or -1 if the subtree is broken. */
static long black_height(const struct rb_node *node, const struct rb_node *parent) {
    long left, right;

    if (!node)
        return 0;
    if (parent_of(node) != parent || (is_red(node) && is_red(parent)))
        return -1;
    left = black_height(node->left, node);
    right = black_height(node->right, node);
    if (left < 0 || left != right)
        return -1;
    return left + !is_red(node);
}

long rb_check(const struct rb_root *root, rb_less_fn less) {
    const struct rb_node *node, *next;
    long n = 0;

    if (is_red(root->node) || black_height(root->node, NULL) < 0)
        return -1;
    for (node = rb_first(root); node; node = next) {
        next = rb_next(node);
        if (next && (less(next, node) || rb_prev(next) != node))
            return -1;
        n++;
    }
    return n;
}
