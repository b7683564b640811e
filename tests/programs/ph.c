/* ph N: N threads put keys into a hash table and look for all of them; one lock for each bucket. In the style of xv6's threads
 * assignment, which has such a program run on the host: here it runs on xv39, with glibc's pthreads. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define BUCKETS 5
#define KEYS 20000

struct entry {
    int key, value;
    struct entry *next;
};

static struct entry *table[BUCKETS];
static pthread_mutex_t locks[BUCKETS];
static int keys[KEYS], threads, missing;

static struct entry *find(int key) {
    struct entry *e = table[key % BUCKETS];

    while (e && e->key != key)
        e = e->next;
    return e;
}

static void put(int key, int value) {
    int bucket = key % BUCKETS;
    struct entry *e;

    pthread_mutex_lock(&locks[bucket]);
    e = find(key);
    if (!e) {
        e = malloc(sizeof(*e));
        *e = (struct entry){key, value, table[bucket]};
        table[bucket] = e;
    }
    e->value = value;
    pthread_mutex_unlock(&locks[bucket]);
}

static void *puts_keys(void *arg) {
    int me = (int)(long)arg, share = KEYS / threads;

    for (int i = 0; i < share; i++)
        put(keys[me * share + i], me);
    return NULL;
}

static void *gets_keys(void *arg) {
    int lost = 0;

    (void)arg;
    for (int i = 0; i < KEYS / threads * threads; i += 7)
        lost += !find(keys[i]);
    __atomic_fetch_add(&missing, lost, __ATOMIC_SEQ_CST);
    return NULL;
}

static void all(void *(*f)(void *)) {
    pthread_t ids[64];

    for (long i = 0; i < threads; i++)
        pthread_create(&ids[i], NULL, f, (void *)i);
    for (int i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
}

int main(int argc, char **argv) {
    threads = argc > 1 ? atoi(argv[1]) : 2;
    for (int i = 0; i < BUCKETS; i++)
        pthread_mutex_init(&locks[i], NULL);
    for (int i = 0; i < KEYS; i++)
        keys[i] = (int)((i * 2654435761u) >> 20); /* most come several times */
    all(puts_keys);
    all(gets_keys);
    printf("ph: %d threads, %d keys missing\n", threads, missing);
    return missing != 0;
}
