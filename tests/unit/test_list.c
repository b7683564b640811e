// with:
/* lib/list.h against an array. */
#include "unit.h"
#include "lib/list.h"

#define N 40

struct item {
    u64 key;
    struct list link;
    struct hlist_node hash;
};

static struct item items[N];

/* A naive list: the keys in order. */
struct model {
    u64 key[N];
    size_t n;
};

static void model_remove(struct model *m, u64 key) {
    size_t j = 0;

    for (size_t i = 0; i < m->n; i++) {
        if (m->key[i] != key)
            m->key[j++] = m->key[i];
    }
    m->n = j;
}

static void model_insert(struct model *m, u64 key, bool tail) {
    size_t at = tail ? m->n : 0;

    for (size_t i = m->n; i > at; i--)
        m->key[i] = m->key[i - 1];
    m->key[at] = key;
    m->n++;
}

static bool same(struct list *head, const struct model *m) {
    struct item *pos;
    size_t i = 0;

    list_for_each (pos, head, link) {
        if (i >= m->n || pos->key != m->key[i++])
            return false;
    }
    if (i != m->n)
        return false;
    list_for_each_rev (pos, head, link) {
        if (pos->key != m->key[--i])
            return false;
    }
    return i == 0 && list_empty(head) == (m->n == 0);
}

static void two_lists_against_model(void) {
    struct list head[2] = {LIST_INIT(head[0]), LIST_INIT(head[1])};
    struct model model[2] = {{.n = 0}, {.n = 0}};

    for (u64 i = 0; i < N; i++) {
        items[i].key = i;
        list_init(&items[i].link);
    }
    for (int step = 0; step < 20000; step++) {
        struct item *it = &items[rnd_below(N)];
        int to = (int)rnd_below(2);
        bool tail = rnd_below(2), on_list = !list_empty(&it->link);

        model_remove(&model[0], it->key);
        model_remove(&model[1], it->key);
        if (rnd_below(3) == 0) {
            list_del(&it->link);
            CHECK(list_empty(&it->link));
        } else {
            model_insert(&model[to], it->key, tail);
            if (on_list && tail)
                list_move_tail(&it->link, &head[to]);
            else if (on_list)
                list_move(&it->link, &head[to]);
            else if (tail)
                list_add_tail(&it->link, &head[to]);
            else
                list_add(&it->link, &head[to]);
        }
        if (rnd_below(50) == 0) {
            list_splice_tail(&head[!to], &head[to]);
            for (size_t i = 0; i < model[!to].n; i++)
                model[to].key[model[to].n++] = model[!to].key[i];
            model[!to].n = 0;
        }
        if (!CHECK(same(&head[0], &model[0]) && same(&head[1], &model[1])))
            return;
    }
}

static void ends_and_safe_walk(void) {
    struct list head = LIST_INIT(head);
    struct item *pos, *tmp;
    u64 expected = 0;

    CHECK(list_first_or_null(&head, struct item, link) == NULL);
    for (u64 i = 0; i < N; i++) {
        items[i].key = i;
        list_add_tail(&items[i].link, &head);
    }
    CHECK(list_first(&head, struct item, link) == &items[0]);
    CHECK(list_last(&head, struct item, link) == &items[N - 1]);
    CHECK(list_next(&items[3], link) == &items[4] && list_prev(&items[3], link) == &items[2]);
    list_for_each_safe (pos, tmp, &head, link) {
        CHECK(pos->key == expected++);
        list_del(&pos->link);
    }
    CHECK(expected == N && list_empty(&head));
    list_del(&items[0].link);
    CHECK(list_empty(&items[0].link));
}

static void hash_buckets(void) {
    struct hlist_head bucket[4] = {{NULL}};
    bool present[N] = {false};
    struct hlist_node *tmp;
    struct item *pos;
    size_t n;

    for (u64 i = 0; i < N; i++) {
        items[i].key = i;
        hlist_init(&items[i].hash);
    }
    for (int step = 0; step < 5000; step++) {
        u64 k = rnd_below(N);

        CHECK(hlist_unhashed(&items[k].hash) == !present[k]);
        if (present[k])
            hlist_del(&items[k].hash);
        else
            hlist_add(&items[k].hash, &bucket[k % 4]);
        present[k] = !present[k];
        hlist_for_each (pos, &bucket[k % 4], hash) {
            if (pos->key == k)
                break;
        }
        CHECK((pos != NULL) == present[k]);
    }
    n = 0;
    for (int b = 0; b < 4; b++) {
        hlist_for_each_safe (pos, tmp, &bucket[b], hash) {
            CHECK(present[pos->key] && pos->key % 4 == (u64)b);
            hlist_del(&pos->hash);
            present[pos->key] = false;
            n++;
        }
        CHECK(hlist_empty(&bucket[b]));
    }
    for (int i = 0; i < N; i++)
        CHECK(!present[i]);
    CHECK(n > 0);
}

int main(void) {
    RUN(two_lists_against_model);
    RUN(ends_and_safe_walk);
    RUN(hash_buckets);
    return unit_result();
}
