// with: lib/idmap.c lib/bitmap.c lib/string.c
/* lib/idmap against an array of bool. */
#include "unit.h"
#include "lib/idmap.h"

#define SIZE 5000

static u64 memory[IDMAP_WORDS(SIZE)], memory2[IDMAP_WORDS(SIZE + 100)];
static bool model[SIZE];

static int model_find(u32 start, u32 end, u32 size) {
    for (u32 i = start; i < end && i < size; i++) {
        if (!model[i])
            return (int)i;
    }
    return -28;
}

static int model_find_cyclic(u32 cursor, u32 start, u32 end, u32 size) {
    int id = model_find(max(cursor, start), end, size);

    return id >= 0 ? id : model_find(start, end, size);
}

/* One random step on a map of `size` numbers, with about `fill` per cent of them taken. */
static void step(struct idmap *map, u32 size, u64 fill) {
    u32 a = (u32)rnd_below(size), b = (u32)rnd_below(size + 50), id = (u32)rnd_below(size);
    u32 cursor = map->cursor;
    int want;

    if (model[id] && rnd_below(100) >= fill) {
        idmap_free(map, id);
        model[id] = false;
        return;
    }
    switch (rnd_below(3)) {
    case 0:
        want = model_find(a, b, size);
        CHECK(idmap_alloc_from(map, a, b) == want);
        break;
    case 1:
        want = model_find_cyclic(cursor, a, b, size);
        CHECK(idmap_alloc_next(map, a, b) == want);
        break;
    default:
        want = model[id] ? -16 : (int)id;
        CHECK(idmap_take(map, id) == (model[id] ? -16 : 0));
    }
    if (want >= 0)
        model[want] = true;
}

static void against_model(void) {
    static const u32 sizes[] = {1, 63, 64, 65, 200, 4096, SIZE};

    for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
        struct idmap map;
        u32 taken = 0;

        for (size_t i = 0; i < SIZE; i++)
            model[i] = false;
        idmap_init(&map, memory, sizes[s]);
        for (int i = 0; i < 12000; i++)
            step(&map, sizes[s], i / 3000 % 2 ? 95 : 30);
        for (u32 i = 0; i < sizes[s]; i++) {
            CHECK(idmap_test(&map, i) == model[i]);
            taken += model[i];
        }
        CHECK(map.count == taken && !idmap_test(&map, sizes[s]));
    }
}

static void fills_up_and_wraps(void) {
    struct idmap map;

    idmap_init(&map, memory, SIZE);
    for (u32 i = 0; i < SIZE; i++)
        CHECK(idmap_alloc_from(&map, 0, SIZE) == (int)i);
    CHECK(idmap_alloc_from(&map, 0, ~0u) == -28 && idmap_alloc_next(&map, 0, ~0u) == -28);
    idmap_free(&map, 4500);
    idmap_free(&map, 17);
    CHECK(idmap_alloc_from(&map, 18, SIZE) == 4500);
    CHECK(idmap_alloc_from(&map, 18, SIZE) == -28);
    CHECK(idmap_alloc_from(&map, 0, SIZE) == 17);

    idmap_init(&map, memory, 100);
    for (int i = 0; i < 98; i++) {
        CHECK(idmap_alloc_next(&map, 2, 100) == 2 + i);
        idmap_free(&map, 2 + (u32)i);
    }
    CHECK(idmap_alloc_next(&map, 2, 100) == 2);
}

static void copies_to_a_larger_map(void) {
    static const u32 sizes[] = {64, 100, SIZE};

    for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
        struct idmap map, copy;

        idmap_init(&map, memory, sizes[s]);
        idmap_init(&copy, memory2, sizes[s] + 100);
        for (u32 i = 0; i < sizes[s]; i++)
            idmap_take(&map, i);
        idmap_free(&map, 7);
        idmap_copy(&copy, &map);
        CHECK(copy.count == sizes[s] - 1);
        CHECK(idmap_alloc_from(&copy, 0, ~0u) == 7);
        for (u32 i = 0; i < 100; i++)
            CHECK(idmap_alloc_from(&copy, 0, ~0u) == (int)(sizes[s] + i));
        CHECK(idmap_alloc_from(&copy, 0, ~0u) == -28);
    }
}

int main(void) {
    RUN(against_model);
    RUN(fills_up_and_wraps);
    RUN(copies_to_a_larger_map);
    return unit_result();
}
