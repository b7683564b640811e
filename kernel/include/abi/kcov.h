/* kcov: which code of the kernel a task runs. The file is /dev/kcov. Memory mapped from it
 * is an array of 64-bit words: how many addresses follow, then the addresses. */
#ifndef ABI_KCOV_H
#define ABI_KCOV_H

#include "abi/ioctl.h"

#define KCOV_INIT_TRACE _IOR('c', 1, unsigned long) /* argument: words, with the first */
#define KCOV_ENABLE _IO('c', 100)                   /* argument: KCOV_TRACE_PC */
#define KCOV_DISABLE _IO('c', 101)

#define KCOV_TRACE_PC 0

#endif
