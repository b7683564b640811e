// with: lib/rbtree.c
/* lib/rbtree against counts per key, with the verifier after each step. */
#include "unit.h"
#include "lib/rbtree.h"

#define N 300
#define KEYS 200

struct item {
    u64 key;
    u64 serial; /* order of insertion */
    struct rb_node node;
};

static struct item items[N];

static bool less(const struct rb_node *a, const struct rb_node *b) {
    return rb_entry(a, struct item, node)->key < rb_entry(b, struct item, node)->key;
}

/* Walks in both directions agree with the items that say they are on the tree. */
static bool walks_agree(const struct rb_root *root) {
    size_t on_tree = 0, forward = 0, backward = 0;
    const struct item *last = NULL;
    struct item *it;
    struct rb_node *n;

    for (size_t i = 0; i < N; i++)
        on_tree += rb_linked(&items[i].node);
    rb_for_each (it, root, node) {
        forward++;
        if (last && (it->key < last->key || (it->key == last->key && it->serial < last->serial)))
            return false;
        last = it;
    }
    for (n = rb_last(root); n; n = rb_prev(n))
        backward++;
    return forward == on_tree && backward == on_tree && rb_check(root, less) == (long)on_tree;
}

static void random_steps(void) {
    struct rb_root root = RB_ROOT;
    u64 serial = 0;

    for (int step = 0; step < 20000; step++) {
        struct item *it = &items[rnd_below(N)];
        /* Phases that mostly grow and phases that mostly shrink the tree. */
        bool grow = rnd_below(10) < (step / 2000 % 2 ? 3u : 8u);

        if (rb_linked(&it->node) && !grow) {
            rb_erase(&it->node, &root);
            CHECK(!rb_linked(&it->node));
        } else if (!rb_linked(&it->node) && grow) {
            it->key = rnd_below(KEYS);
            it->serial = serial++;
            rb_add(&it->node, &root, less);
            CHECK(rb_linked(&it->node));
        }
        if (step % 7 == 0 && !CHECK(walks_agree(&root)))
            return;
    }
    while (!rb_empty(&root))
        rb_erase(root.node, &root);
    CHECK(walks_agree(&root));
}

static void cached_knows_the_smallest(void) {
    struct rb_root_cached root = RB_ROOT_CACHED;
    bool first;

    CHECK(rb_first_cached(&root) == NULL);
    for (int step = 0; step < 10000; step++) {
        struct item *it = &items[rnd_below(N)];

        if (rb_linked(&it->node)) {
            rb_erase_cached(&it->node, &root);
        } else {
            it->key = rnd_below(KEYS);
            first = rb_add_cached(&it->node, &root, less);
            CHECK(first == (rb_first(&root.root) == &it->node));
        }
        CHECK(rb_first_cached(&root) == rb_first(&root.root));
    }
    while (rb_first_cached(&root))
        rb_erase_cached(rb_first_cached(&root), &root);
    CHECK(rb_empty(&root.root));
}

static void ascending_and_descending(void) {
    struct rb_root root = RB_ROOT;

    for (u64 i = 0; i < N; i++) {
        items[i].key = i < N / 2 ? i : N + N / 2 - i;
        items[i].serial = i;
        rb_add(&items[i].node, &root, less);
        CHECK(rb_check(&root, less) == (long)i + 1);
    }
    for (u64 i = 0; i < N; i++) {
        rb_erase(&items[i].node, &root);
        CHECK(rb_check(&root, less) == (long)(N - 1 - i));
    }
}

static void verifier_sees_damage(void) {
    struct rb_root root = RB_ROOT;
    u64 saved;

    for (u64 i = 0; i < 20; i++) {
        items[i].key = i;
        rb_add(&items[i].node, &root, less);
    }
    saved = items[5].key;
    items[5].key = 100;
    CHECK(rb_check(&root, less) == -1);
    items[5].key = saved;
    CHECK(rb_check(&root, less) == 20);
    rb_first(&root)->parent_color ^= 1;
    CHECK(rb_check(&root, less) == -1);
}

int main(void) {
    RUN(random_steps);
    RUN(cached_knows_the_smallest);
    RUN(ascending_and_descending);
    RUN(verifier_sees_damage);
    return unit_result();
}
