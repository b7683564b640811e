/* pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2). */
#ifndef ABI_PIDFD_H
#define ABI_PIDFD_H

#include "abi/fcntl.h"

#define PIDFD_NONBLOCK O_NONBLOCK

#endif
