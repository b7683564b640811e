/* Arguments that have to look like something before a call does more than refuse them: addresses of sockets, messages with
 * descriptors, events of epoll, operations on semaphores. Most of the time a call gets such; else what values.c made. */
#include "user/fuzz/fuzz.h"
#include "abi/msg.h"
#include "abi/poll.h"
#include "abi/sem.h"
#include "abi/socket.h"
#include "abi/uio.h"

enum { SHAPE_PAGE = 6 }; /* of the good memory */

static struct shapes {
    struct sockaddr_un name;
    struct msghdr message;
    struct mmsghdr messages[2];
    struct iovec piece[2];
    struct {
        struct cmsghdr head;
        int fd[4];
    } control;
    struct epoll_event event;
    struct sembuf step[3];
    struct {
        long type;
        char text[64];
    } typed;
} * shapes(void) {
    return (struct shapes *)PAGE_AT(SHAPE_PAGE);
}

static int some_fd(struct random *r) { return FIRST_FD + (int)below(r, NR_FDS); }

static void make_name(struct random *r, long *at, long *size) {
    static const char *const names[] = {"s1", "s2", "dir/s", "file", "\0a", "\0b"};
    uint64_t which = below(r, ARRAY_LEN(names));

    shapes()->name = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(shapes()->name.sun_path, names[which], which == 2 ? 5 : which == 3 ? 4 : 2);
    *at = (long)&shapes()->name;
    if (size)
        *size = which == 2 || which == 3 ? 8 : 2 + (which < 3 ? 3 : 2);
}

static void make_message(struct random *r, struct msghdr *m) {
    struct shapes *s = shapes();
    size_t count = below(r, 4);

    s->piece[0] = (struct iovec){PAGE_AT(0), below(r, 100)};
    s->piece[1] = (struct iovec){PAGE_AT(1), below(r, 2 * PAGE)};
    s->control.head = (struct cmsghdr){CMSG_LEN(4 * count), SOL_SOCKET, SCM_RIGHTS};
    for (size_t i = 0; i < count; i++)
        s->control.fd[i] = some_fd(r);
    *m = (struct msghdr){.msg_iov = s->piece, .msg_iovlen = 1 + below(r, 2)};
    if (count) {
        m->msg_control = &s->control;
        m->msg_controllen = sizeof(s->control.head) + 4 * count;
    }
    if (one_in(r, 4)) {
        long size, at;
        make_name(r, &at, &size);
        m->msg_name = (void *)at;
        m->msg_namelen = (int)size;
    }
}

static void make_steps(struct random *r, long *at, long *n) {
    for (int i = 0; i < 3; i++)
        shapes()->step[i] = (struct sembuf){(uint16_t)below(r, 4), (int16_t)(below(r, 5) - 2),
                                            (int16_t)(one_in(r, 2) ? IPC_NOWAIT : SEM_UNDO)};
    *at = (long)shapes()->step;
    *n = 1 + (long)below(r, 3);
}

void make_shapes(struct random *r, struct deed *d) {
    const char *call = d->call->name;
    struct shapes *s = shapes();

    if (one_in(r, 4))
        return;
    if (strcmp(call, "bind") == 0 || strcmp(call, "connect") == 0) {
        make_name(r, &d->arg[1], &d->arg[2]);
    } else if (strcmp(call, "sendto") == 0) {
        make_name(r, &d->arg[4], &d->arg[5]);
    } else if (strcmp(call, "sendmsg") == 0 || strcmp(call, "recvmsg") == 0) {
        make_message(r, &s->message);
        d->arg[1] = (long)&s->message;
    } else if (strcmp(call, "sendmmsg") == 0 || strcmp(call, "recvmmsg") == 0) {
        for (int i = 0; i < 2; i++)
            make_message(r, &s->messages[i].msg_hdr);
        d->arg[1] = (long)s->messages;
        d->arg[2] = 1 + (long)below(r, 2);
    } else if (strcmp(call, "epoll_ctl") == 0) {
        s->event = (struct epoll_event){EPOLLIN | (uint32_t)(below(r, 16) << 28), below(r, 4)};
        d->arg[3] = (long)&s->event;
    } else if (strcmp(call, "semop") == 0 || strcmp(call, "semtimedop") == 0) {
        make_steps(r, &d->arg[1], &d->arg[2]);
    } else if (strcmp(call, "msgsnd") == 0) {
        s->typed.type = 1 + (long)below(r, 4);
        d->arg[1] = (long)&s->typed;
        d->arg[2] = (long)below(r, 64);
    }
}
