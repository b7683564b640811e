/* mq_open(2), mq_getsetattr(2). */
#ifndef ABI_MQUEUE_H
#define ABI_MQUEUE_H

#include <stdint.h>

#define MQ_PRIO_MAX 32768

struct mq_attr {
    int64_t mq_flags;   /* O_NONBLOCK or 0 */
    int64_t mq_maxmsg;  /* messages */
    int64_t mq_msgsize; /* bytes */
    int64_t mq_curmsgs;
    int64_t unused[4];
};

#endif
