/* barrier N: N threads meet again and again; none is a round ahead. In the style of xv6's threads assignment, which has such a
 * program run on the host: here it runs on xv39, with glibc's pthreads. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ROUNDS 400

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_here = PTHREAD_COND_INITIALIZER;
static int threads, here, round_now, wrong;

static void barrier(void) {
    int mine;

    pthread_mutex_lock(&lock);
    mine = round_now;
    if (++here == threads) {
        here = 0;
        round_now++;
        pthread_cond_broadcast(&all_here);
    }
    while (mine == round_now)
        pthread_cond_wait(&all_here, &lock);
    pthread_mutex_unlock(&lock);
}

static void *meets(void *arg) {
    for (int i = 0; i < ROUNDS; i++) {
        if (__atomic_load_n(&round_now, __ATOMIC_SEQ_CST) != i)
            __atomic_fetch_add(&wrong, 1, __ATOMIC_SEQ_CST);
        barrier();
        usleep((unsigned)(i * 7 + (long)arg * 13) % 50);
    }
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t ids[64];

    threads = argc > 1 ? atoi(argv[1]) : 2;
    for (long i = 0; i < threads; i++)
        pthread_create(&ids[i], NULL, meets, (void *)i);
    for (int i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    printf("barrier: %d threads, %d rounds, %d early\n", threads, round_now, wrong);
    return wrong || round_now != ROUNDS;
}
