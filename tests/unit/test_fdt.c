// with: drivers/fdt.c lib/string.c
/* drivers/fdt: a tree made here is read as it was meant, and broken blobs never hurt. */
#include "unit.h"
#include "drivers/fdt.h"
#include "lib/string.h"

#define SPACE 4096

static u8 blob[SPACE] __aligned(8);
static u8 structs[2048], strings[512];
static u32 structs_size, strings_size, blob_size;

static void put32(u8 *p, u32 v) {
    p[0] = (u8)(v >> 24);
    p[1] = (u8)(v >> 16);
    p[2] = (u8)(v >> 8);
    p[3] = (u8)v;
}

static void emit(u32 v) {
    put32(structs + structs_size, v);
    structs_size += 4;
}

static void emit_bytes(const void *p, u32 n) {
    memcpy(structs + structs_size, p, n);
    structs_size = align_up(structs_size + n, 4);
}

static void begin(const char *name) {
    emit(1);
    emit_bytes(name, (u32)strlen(name) + 1);
}

static void end(void) { emit(2); }

static void prop(const char *name, const void *value, u32 n) {
    emit(3);
    emit(n);
    emit(strings_size);
    emit_bytes(value, n);
    strings_size += (u32)strlcpy((char *)strings + strings_size, name, 64) + 1;
}

static void prop_text(const char *name, const char *value) {
    prop(name, value, (u32)strlen(value) + 1);
}

static void prop_cells(const char *name, u32 n, const u32 *cells) {
    u8 bytes[64];

    for (u32 i = 0; i < n; i++)
        put32(bytes + 4 * i, cells[i]);
    prop(name, bytes, 4 * n);
}

#define PROP_CELLS(name, ...)                                                                      \
    prop_cells(name, sizeof((u32[]){__VA_ARGS__}) / 4, (u32[]){__VA_ARGS__})

/* Header, reservations, structure block, strings. */
static void pack(void) {
    u32 at = 40;

    memset(blob, 0, sizeof(blob));
    put32(blob + at + 4, 0x1000);
    put32(blob + at + 12, 0x200);
    at += 32;
    put32(blob + 8, at);
    memcpy(blob + at, structs, structs_size);
    at += structs_size;
    put32(blob + 12, at);
    memcpy(blob + at, strings, strings_size);
    at += strings_size;
    blob_size = at;
    put32(blob, 0xd00dfeed);
    put32(blob + 4, at);
    put32(blob + 16, 40);
    put32(blob + 20, 17);
    put32(blob + 24, 16);
    put32(blob + 32, strings_size);
    put32(blob + 36, structs_size);
}

static void make(void) {
    structs_size = strings_size = 0;
    begin("");
    PROP_CELLS("#address-cells", 2);
    PROP_CELLS("#size-cells", 2);
    begin("chosen");
    prop_text("bootargs", "quiet");
    prop("broken", "no end", 6);
    end();
    emit(4);
    begin("reserved-memory");
    PROP_CELLS("#address-cells", 1);
    PROP_CELLS("#size-cells", 1);
    prop("ranges", "", 0);
    begin("firmware@80000000");
    PROP_CELLS("reg", 0x80000000, 0x40000);
    end();
    end();
    begin("soc");
    PROP_CELLS("#address-cells", 1);
    PROP_CELLS("#size-cells", 1);
    PROP_CELLS("ranges", 0x1000, 0x1, 0x20001000, 0x1000);
    begin("serial@1100");
    prop("compatible", "acme,uart\0ns16550a", 19);
    PROP_CELLS("reg", 0x1100, 0x100, 0x1800, 0x8);
    PROP_CELLS("interrupts", 10, 11);
    PROP_CELLS("phandle", 7);
    end();
    begin("serial@9000");
    prop_text("compatible", "ns16550a");
    prop_text("status", "disabled");
    PROP_CELLS("reg", 0x9000, 0x100);
    end();
    end();
    end();
    emit(9);
    pack();
}

static void reading(void) {
    u64 addr, size;
    u32 value, len;

    make();
    CHECK(fdt_init(blob) == 0 && fdt_size() == blob_size);
    CHECK(fdt_path("/") == fdt_root() && fdt_path("/nothing") == -1 && fdt_path("/chosen/x") == -1);
    CHECK(strcmp(fdt_prop_string(fdt_path("/chosen"), "bootargs"), "quiet") == 0);
    CHECK(!fdt_prop_string(fdt_path("/chosen"), "broken"));
    CHECK(fdt_prop(fdt_path("/chosen"), "broken", &len) && len == 6);

    int uart = fdt_next_compatible(-1, "ns16550a");
    CHECK(uart == fdt_path("/soc/serial") && uart == fdt_path("/soc/serial@1100"));
    CHECK(strcmp(fdt_name(uart), "serial@1100") == 0 && fdt_enabled(uart));
    CHECK(fdt_irq(uart, 1, &value) && value == 11 && !fdt_irq(uart, 2, &value));
    CHECK(fdt_reg(uart, 0, &addr, &size) && addr == 0x120001100 && size == 0x100);
    CHECK(fdt_reg(uart, 1, &addr, &size) && addr == 0x120001800 && size == 8);
    CHECK(!fdt_reg(uart, 2, &addr, &size));

    int second = fdt_next_compatible(uart, "ns16550a");
    CHECK(second == fdt_path("/soc/serial@9000") && second == fdt_next_sibling(uart));
    CHECK(!fdt_enabled(second) && fdt_next_sibling(second) == -1);
    CHECK(!fdt_reg(second, 0, &addr, &size)); /* outside of what the bus passes on */
    CHECK(fdt_next_compatible(second, "ns16550a") == -1);

    CHECK(fdt_reserved(0, &addr, &size) && addr == 0x1000 && size == 0x200);
    CHECK(fdt_reserved(1, &addr, &size) && addr == 0x80000000 && size == 0x40000);
    CHECK(!fdt_reserved(2, &addr, &size));
    CHECK(fdt_prop(-1, "reg", &len) == NULL && fdt_first_child(-1) == -1 &&
          fdt_next_sibling(-1) == -1);
}

/* Ask everything of a blob that fdt_init took. */
static void exercise(void) {
    u64 addr, size;
    u32 value, nodes = 0;
    int children = 0;

    for (int node = fdt_root(); node >= 0; node = fdt_first_child(node))
        children++;
    CHECK(children >= 1);
    for (int node = fdt_first_child(fdt_root()); node >= 0; node = fdt_next_sibling(node)) {
        CHECK(strlen(fdt_name(node)) < SPACE && nodes++ < SPACE);
        for (unsigned i = 0; i < 4; i++) {
            fdt_reg(node, i, &addr, &size);
            fdt_irq(node, i, &value);
        }
        fdt_enabled(node);
        fdt_prop_string(node, "bootargs");
        for (int child = fdt_first_child(node); child >= 0; child = fdt_next_sibling(child)) {
            fdt_reg(child, 0, &addr, &size);
            fdt_has_string(child, "compatible", "ns16550a");
        }
    }
    nodes = 0;
    for (int node = -1; (node = fdt_next_compatible(node, "ns16550a")) >= 0;)
        CHECK(nodes++ < SPACE);
    fdt_path("/soc/serial@1100");
    for (unsigned i = 0; fdt_reserved(i, &addr, &size); i++)
        CHECK(i < SPACE);
}

/* A copy of exactly the size that its header claims, if that fits, so that the sanitizer sees a byte too many. */
static void try_blob(const u8 *from) {
    u32 claimed = (u32)from[4] << 24 | (u32)from[5] << 16 | (u32)from[6] << 8 | from[7];
    u32 size = claimed >= 40 && claimed <= SPACE ? claimed : SPACE;
    u8 *copy = host_malloc(size);

    memcpy(copy, from, size);
    if (claimed <= SPACE && fdt_init(copy) == 0)
        exercise();
    host_free(copy);
}

static void broken_headers(void) {
    for (u32 field = 0; field < 40; field += 4) {
        for (u32 k = 0; k < 64; k++) {
            make();
            put32(blob + field, k < 32 ? 1u << k : (u32)rnd_below(blob_size + 64));
            try_blob(blob);
        }
    }
}

static void truncated(void) {
    make();
    for (u32 size = 0; size < blob_size; size++) {
        put32(blob + 4, size);
        try_blob(blob);
    }
}

static void flipped_bytes(void) {
    static u8 good[SPACE], bad[SPACE];

    make();
    memcpy(good, blob, SPACE);
    for (int round = 0; round < 20000; round++) {
        memcpy(bad, good, SPACE);
        for (u64 n = 1 + rnd_below(4); n > 0; n--)
            bad[8 + rnd_below(blob_size - 8)] = rnd_below(3) ? (u8)rnd() : (u8)rnd_below(10);
        try_blob(bad);
    }
}

static void random_tokens(void) {
    for (int round = 0; round < 20000; round++) {
        structs_size = 0;
        make();
        for (u32 at = 72; at < 72 + structs_size; at += 4)
            if (rnd_below(16) == 0)
                put32(blob + at, (u32[]){1, 2, 3, 4, 9, 0, ~0u, 0x7ffffffc}[rnd_below(8)]);
        try_blob(blob);
    }
}

static void too_deep(void) {
    structs_size = strings_size = 0;
    for (int i = 0; i < 100; i++)
        begin("a");
    for (int i = 0; i < 100; i++)
        end();
    emit(9);
    pack();
    CHECK(fdt_init(blob) != 0 && fdt_root() == -1 && fdt_path("/a") == -1 && fdt_size() == 0);
}

int main(void) {
    RUN(reading);
    RUN(broken_headers);
    RUN(truncated);
    RUN(flipped_bytes);
    RUN(random_tokens);
    RUN(too_deep);
    return unit_result();
}
