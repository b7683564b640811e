// with: lib/radix.c
/* lib/radix against an array of indices, with failing allocations, and with a count of nodes. */
#include "unit.h"
#include "lib/radix.h"

#define N 120

static long nodes;          /* allocated and not freed */
static u64 failing_percent; /* of the allocations */

static void *node_alloc(void) {
    if (rnd_below(100) < failing_percent)
        return NULL;
    nodes++;
    return host_calloc(1, sizeof(struct radix_node));
}

static void node_free(void *node) {
    nodes--;
    host_free(node);
}

static const struct radix_alloc alloc = {node_alloc, node_free};

static u64 place[N];
static bool present[N];

/* Indices of all sizes: dense small ones, the neighbourhood of every power of two, the last one. */
static void choose_places(void) {
    for (u64 i = 0; i < N; i++) {
        bool again;

        do {
            u64 bits = rnd_below(64);

            place[i] = i < 30 ? i * 7 : (1ull << bits) + rnd_below(3) - 1;
            if (i == N - 1)
                place[i] = ~0ull;
            again = false;
            for (u64 j = 0; j < i; j++)
                again |= place[j] == place[i];
        } while (again);
    }
}

/* What radix_next() must find: the model's smallest place at or after `from`. */
static int model_next(u64 from) {
    int best = -1;

    for (int i = 0; i < N; i++) {
        if (present[i] && place[i] >= from && (best < 0 || place[i] < place[best]))
            best = i;
    }
    return best;
}

static void check_next(const struct radix_root *root, u64 from) {
    int want = model_next(from);
    u64 index = from;
    void *entry = radix_next(root, &index);

    if (want < 0)
        CHECK(entry == NULL);
    else
        CHECK(entry == &place[want] && index == place[want]);
}

static void steps(struct radix_root *root, int count) {
    for (int step = 0; step < count; step++) {
        u64 i = rnd_below(N);
        int err;

        CHECK(radix_lookup(root, place[i]) == (present[i] ? &place[i] : NULL));
        if (rnd_below(2)) {
            err = radix_insert(root, place[i], &place[i]);
            CHECK(err == (present[i] ? -17 : 0) || (failing_percent && err == -12));
            present[i] |= err == 0;
        } else {
            CHECK(radix_delete(root, place[i]) == (present[i] ? &place[i] : NULL));
            present[i] = false;
        }
        check_next(root, place[rnd_below(N)] + rnd_below(2));
        check_next(root, 0);
        CHECK(radix_empty(root) == (model_next(0) < 0));
        CHECK(!radix_empty(root) || nodes == 0);
    }
}

static void empty_it(struct radix_root *root) {
    for (int i = 0; i < N; i++) {
        radix_delete(root, place[i]);
        present[i] = false;
    }
    CHECK(radix_empty(root) && nodes == 0);
}

static void against_model(void) {
    struct radix_root root = RADIX_INIT(&alloc);

    for (int round = 0; round < 10; round++) {
        choose_places();
        steps(&root, 3000);
        empty_it(&root);
    }
}

static void survives_no_memory(void) {
    struct radix_root root;

    radix_init(&root, &alloc);
    failing_percent = 40;
    choose_places();
    steps(&root, 10000);
    empty_it(&root);
    failing_percent = 0;
}

static void failed_insertion_changes_nothing(void) {
    struct radix_root root = RADIX_INIT(&alloc);
    int entry;

    failing_percent = 100;
    CHECK(radix_insert(&root, 1ull << 40, &entry) == -12 && radix_empty(&root));
    failing_percent = 0;
    CHECK(radix_insert(&root, 5, &entry) == 0 && nodes == 1);
    failing_percent = 60;
    for (int i = 0; i < 1000; i++) {
        if (radix_insert(&root, 1ull << 50, &entry) == 0)
            CHECK(radix_delete(&root, 1ull << 50) == &entry);
        CHECK(nodes == 1 && radix_lookup(&root, 5) == &entry);
    }
    failing_percent = 0;
    CHECK(radix_delete(&root, 5) == &entry && nodes == 0);
}

static void empty_has_no_nodes(void) {
    struct radix_root root = RADIX_INIT(&alloc);
    u64 index = 0;
    int n = 0;

    for (u64 i = 0; i < 5000; i++)
        CHECK(radix_insert(&root, i * 3, &place[i % N]) == 0);
    CHECK(radix_insert(&root, ~0ull, place) == 0);
    for (; radix_next(&root, &index); index++) {
        n++;
        if (index == ~0ull)
            break;
    }
    CHECK(n == 5001 && nodes > 0);
    for (index = 0; radix_next(&root, &index); index++)
        radix_delete(&root, index);
    CHECK(nodes == 0 && radix_empty(&root));
}

int main(void) {
    RUN(against_model);
    RUN(survives_no_memory);
    RUN(failed_insertion_changes_nothing);
    RUN(empty_has_no_nodes);
    return unit_result();
}
