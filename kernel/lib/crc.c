/*
 * crc.c: cyclic redundancy checks, four bits at a time.
 *
 * A CRC is the remainder of the message, as a polynomial over GF(2), divided by a fixed polynomial.
 * In the reflected form the lowest bit is the highest power: each step shifts four bits out at the
 * bottom and adds what they amount to from a table of sixteen remainders.  Entry i of a table is i
 * after four single-bit steps `c = c >> 1 ^ (c & 1 ? reversed polynomial : 0)`.
 *
 * No locks, no state; nobody sleeps.
 */
#include "lib/crc.h"

/* 0x1edc6f41, reversed 0x82f63b78 */
static const u32 crc32c_table[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

/* 0x04c11db7, reversed 0xedb88320 */
static const u32 crc32_table[16] = {
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

/* 0x8005, reversed 0xa001 */
static const u16 crc16_table[16] = {
    0x0000, 0xcc01, 0xd801, 0x1400, 0xf001, 0x3c00, 0x2800, 0xe401,
    0xa001, 0x6c00, 0x7800, 0xb401, 0x5000, 0x9c01, 0x8801, 0x4400,
};

static inline u32 crc_by_nibbles(const u32 *table, u32 crc, const u8 *p, size_t n) {
    for (const u8 *end = p + n; p < end; p++) {
        crc ^= *p;
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return crc;
}

u32 crc32c(u32 crc, const void *p, size_t n) { return crc_by_nibbles(crc32c_table, crc, p, n); }

u32 crc32(u32 crc, const void *p, size_t n) { return crc_by_nibbles(crc32_table, crc, p, n); }

u16 crc16(u16 crc, const void *p, size_t n) {
    const u8 *b = p;

    for (const u8 *end = b + n; b < end; b++) {
        crc ^= *b;
        crc = (u16)(crc >> 4 ^ crc16_table[crc & 15]);
        crc = (u16)(crc >> 4 ^ crc16_table[crc & 15]);
    }
    return crc;
}
