/* A flat program: the bytes of the file are the bytes of memory (docs/processes.md has one). Numbers are little-endian. The
 * header is at the start of the file, and of the memory; everything may be read, written and executed. */
#ifndef ABI_FLAT_H
#define ABI_FLAT_H

#include <stdint.h>

#define FLAT_MAGIC "xv39flat"

struct flat_header {
    char magic[8];
    uint64_t start;  /* address of the header, a multiple of the page size */
    uint64_t entry;  /* address of the first instruction */
    uint64_t memory; /* bytes; those beyond the file are zero */
};

#endif
