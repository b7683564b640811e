/* Old file times; riscv64 has only utimensat(2), whose special values are in abi/stat.h. */
#ifndef ABI_UTIME_H
#define ABI_UTIME_H

#include <stdint.h>

struct utimbuf {
    int64_t actime;
    int64_t modtime;
};

#endif
