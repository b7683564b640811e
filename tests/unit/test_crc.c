// with: lib/crc.c
/* lib/crc against published check values (the catalogue's "123456789", and RFC 3720 B.4). */
#include "unit.h"
#include "lib/crc.h"

static const char digits[] = "123456789";

static void check_values(void) {
    CHECK(~crc32c(~0u, digits, 9) == 0xe3069283);
    CHECK(~crc32(~0u, digits, 9) == 0xcbf43926);
    CHECK(crc16(0, digits, 9) == 0xbb3d);
    CHECK(crc16(0xffff, digits, 9) == 0x4b37);
}

static void rfc3720_vectors(void) {
    u8 buf[32];

    for (int i = 0; i < 32; i++)
        buf[i] = 0;
    CHECK(~crc32c(~0u, buf, 32) == 0x8a9136aa);
    for (int i = 0; i < 32; i++)
        buf[i] = 0xff;
    CHECK(~crc32c(~0u, buf, 32) == 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        buf[i] = (u8)i;
    CHECK(~crc32c(~0u, buf, 32) == 0x46dd794e);
}

static void pieces_add_up(void) {
    for (size_t cut = 0; cut <= 9; cut++) {
        CHECK(crc32c(crc32c(7, digits, cut), digits + cut, 9 - cut) == crc32c(7, digits, 9));
        CHECK(crc32(crc32(7, digits, cut), digits + cut, 9 - cut) == crc32(7, digits, 9));
        CHECK(crc16(crc16(7, digits, cut), digits + cut, 9 - cut) == crc16(7, digits, 9));
    }
}

int main(void) {
    RUN(check_values);
    RUN(rfc3720_vectors);
    RUN(pieces_add_up);
    return unit_result();
}
