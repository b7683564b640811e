/*
 * Cyclic redundancy checks, least significant bit first.
 *
 * All take the value so far and give the next, without inverting it before or after: the usual
 * CRC-32 of a whole message is ~crc32(~0, p, n).  ext2/ext3 use them in this raw form.
 */
#ifndef LIB_CRC_H
#define LIB_CRC_H

#include "lib/types.h"

/* Polynomial 0x1edc6f41 (Castagnoli; RFC 3720): ext metadata and journal checksums. */
u32 crc32c(u32 crc, const void *p, size_t n);

/* Polynomial 0x04c11db7 (IEEE 802.3). */
u32 crc32(u32 crc, const void *p, size_t n);

/* Polynomial 0x8005 (ANSI, "ARC"): ext group descriptors. */
u16 crc16(u16 crc, const void *p, size_t n);

#endif
