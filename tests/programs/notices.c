// mq_notify(3) with SIGEV_THREAD: the C library runs a function in a new thread when a message comes to the empty queue.
#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static sem_t done;
static int total;

static void on_message(union sigval value) {
    total += value.sival_int;
    sem_post(&done);
}

int main(void) {
    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 16};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_message};
    char text[16];
    mqd_t q = mq_open("/notices", O_RDWR | O_CREAT, 0600, &attr);

    sem_init(&done, 0, 0);
    for (int i = 1; i <= 20; i++) {
        event.sigev_value.sival_int = i;
        if (mq_notify(q, &event) || mq_send(q, "text", 4, 0))
            return perror("notify"), 1;
        sem_wait(&done);
        if (mq_receive(q, text, sizeof(text), NULL) != 4)
            return perror("receive"), 1;
    }
    event.sigev_value.sival_int = 1000;
    if (mq_notify(q, &event) || mq_notify(q, NULL) || mq_send(q, "text", 4, 0))
        return perror("give up"), 1;
    mq_close(q);
    mq_unlink("/notices");
    printf("notices: %d\n", total);
    return 0;
}
