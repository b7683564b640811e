/*
 * The flattened device tree.
 *
 * The firmware hands over one blob: a header, a table of reserved memory, a block of strings (names of
 * properties) and the structure block, a sequence of big-endian 32-bit tokens:
 *
 *   BEGIN_NODE name… padding   PROP len nameoff value… padding   END_NODE   NOP   END
 *
 * A node is the offset of its BEGIN_NODE token in the structure block. Nothing is copied and nothing is
 * allocated, so the tree can be read before there is any memory to allocate; looking up is a walk.
 *
 * The blob is not trusted. fdt_init walks it once and refuses it unless every token, name, value and
 * string lies inside its block, nodes are balanced, and depth is at most FDT_DEPTH. After that, `step`
 * can go from token to token without looking at limits again, and each step moves forward: every loop
 * here ends at END. What properties say (cell counts, lengths, addresses) is checked where it is used.
 *
 * No locks: the blob never changes. Nobody sleeps.
 */
#include "drivers/fdt.h"
#include "abi/errno.h"
#include "lib/string.h"

#define FDT_MAGIC 0xd00dfeed
#define FDT_VERSION 17
#define FDT_MAX_SIZE (16u << 20)
#define FDT_HEADER 40
#define FDT_DEPTH 32

enum token { BEGIN_NODE = 1, END_NODE = 2, PROP = 3, NOP = 4, END = 9 };

static struct {
    const u8 *blob;  // NULL until fdt_init accepted it
    u32 size;
    u32 structs, structs_size;  // offsets in the blob and lengths of the blocks
    u32 strings, strings_size;
    u32 reserved;
} fdt;

static u32 be32(const void *p) {
    const u8 *b = p;
    return (u32)b[0] << 24 | (u32)b[1] << 16 | (u32)b[2] << 8 | b[3];
}

static u64 be64(const void *p) { return (u64)be32(p) << 32 | be32((const u8 *)p + 4); }

static const u8 *at(u32 offset) { return fdt.blob + fdt.structs + offset; }

static u32 token(u32 offset) { return be32(at(offset)); }

// Offset of the token after the one at `offset`, which is not END.
static u32 step(u32 offset) {
    switch (token(offset)) {
    case BEGIN_NODE:
        return align_up(offset + 4 + (u32)strlen((const char *)at(offset + 4)) + 1, 4);
    case PROP:
        return align_up(offset + 12 + be32(at(offset + 4)), 4);
    default:
        return offset + 4;
    }
}

// ---- the check

static bool block_ok(u32 offset, u32 size, u32 total) {
    return offset <= total && size <= total - offset;
}

// Length of the token at `offset`, its padding included, or 0 when it is not inside the block.
static u32 token_length(u32 offset) {
    u32 left = fdt.structs_size - offset, n;

    if (left < 4)
        return 0;
    switch (token(offset)) {
    case BEGIN_NODE:
        n = (u32)strnlen((const char *)at(offset + 4), left - 4);
        if (n == left - 4)
            return 0;
        n += 5;
        break;
    case PROP: {
        if (left < 12 || be32(at(offset + 4)) > left - 12)
            return 0;
        u32 name = be32(at(offset + 8));
        if (name >= fdt.strings_size)
            return 0;
        u32 most = fdt.strings_size - name;
        if (strnlen((const char *)fdt.blob + fdt.strings + name, most) == most)
            return 0;
        n = 12 + be32(at(offset + 4));
        break;
    }
    case END_NODE:
    case NOP:
    case END:
        return 4;
    default:
        return 0;
    }
    n = align_up(n, 4);
    return n <= left ? n : 0;
}

static bool structure_ok(void) {
    u32 depth = 0, offset = 0, length;
    bool root_seen = false;

    while ((length = token_length(offset)) != 0) {
        switch (token(offset)) {
        case BEGIN_NODE:
            if ((depth == 0 && root_seen) || depth == FDT_DEPTH)
                return false;
            root_seen = true;
            depth++;
            break;
        case END_NODE:
            if (depth == 0)
                return false;
            depth--;
            break;
        case PROP:
            if (depth == 0)
                return false;
            break;
        case END:
            return depth == 0 && root_seen;
        }
        offset += length;
    }
    return false;
}

static bool reservations_ok(void) {
    for (u32 offset = fdt.reserved; block_ok(offset, 16, fdt.size); offset += 16)
        if (be64(fdt.blob + offset) == 0 && be64(fdt.blob + offset + 8) == 0)
            return true;
    return false;
}

int fdt_init(const void *blob) {
    const u8 *b = blob;

    fdt.blob = NULL;
    if (be32(b) != FDT_MAGIC)
        return -EINVAL;
    fdt.size = be32(b + 4);
    fdt.structs = be32(b + 8);
    fdt.strings = be32(b + 12);
    fdt.reserved = be32(b + 16);
    fdt.strings_size = be32(b + 32);
    fdt.structs_size = be32(b + 36);
    if (fdt.size < FDT_HEADER || fdt.size > FDT_MAX_SIZE || be32(b + 20) < FDT_VERSION ||
        be32(b + 24) > FDT_VERSION || !block_ok(fdt.structs, fdt.structs_size, fdt.size) ||
        !block_ok(fdt.strings, fdt.strings_size, fdt.size))
        return -EINVAL;
    fdt.blob = b;
    if (!structure_ok() || !reservations_ok()) {
        fdt.blob = NULL;
        return -EINVAL;
    }
    return 0;
}

size_t fdt_size(void) { return fdt.blob ? fdt.size : 0; }

// ---- walking

int fdt_root(void) {
    u32 offset = 0;

    if (!fdt.blob)
        return -1;
    while (token(offset) != BEGIN_NODE)
        offset = step(offset);
    return (int)offset;
}

int fdt_first_child(int node) {
    if (node < 0)
        return -1;
    for (u32 offset = step((u32)node);; offset = step(offset)) {
        if (token(offset) == BEGIN_NODE)
            return (int)offset;
        if (token(offset) == END_NODE)
            return -1;
    }
}

int fdt_next_sibling(int node) {
    u32 depth = 0;

    if (node < 0)
        return -1;
    for (u32 offset = (u32)node;; offset = step(offset)) {
        switch (token(offset)) {
        case BEGIN_NODE:
            if (depth == 0 && offset != (u32)node)
                return (int)offset;
            depth++;
            break;
        case END_NODE:
            if (depth == 0)
                return -1;  // of the parent
            depth--;
            break;
        case END:
            return -1;
        }
    }
}

// The next node in depth-first order; the first one after -1.
static int next_node(int node) {
    if (node < 0)
        return fdt_root();
    for (u32 offset = step((u32)node);; offset = step(offset)) {
        if (token(offset) == BEGIN_NODE)
            return (int)offset;
        if (token(offset) == END)
            return -1;
    }
}

// The node that `node` is in, and that node's parent …: fills path[0 … depth-1] from the root down.
static u32 ancestors(int node, int path[FDT_DEPTH]) {
    u32 depth = 0;

    for (u32 offset = (u32)fdt_root(); offset != (u32)node; offset = step(offset)) {
        if (token(offset) == BEGIN_NODE)
            path[depth++] = (int)offset;
        else if (token(offset) == END_NODE)
            depth--;
        else if (token(offset) == END)
            return 0;
    }
    return depth;
}

const char *fdt_name(int node) { return node < 0 ? "" : (const char *)at((u32)node + 4); }

// Does the node's name match one component of a path? The unit address counts only when the path has one.
static bool name_matches(const char *name, const char *want, size_t len) {
    if (strncmp(name, want, len) != 0)
        return false;
    return name[len] == '\0' || (name[len] == '@' && !memchr(want, '@', len));
}

int fdt_path(const char *path) {
    int node = fdt_root();

    while (node >= 0) {
        while (*path == '/')
            path++;
        const char *end = strchr(path, '/');
        size_t len = end ? (size_t)(end - path) : strlen(path);
        if (len == 0)
            return node;
        for (node = fdt_first_child(node); node >= 0; node = fdt_next_sibling(node))
            if (name_matches(fdt_name(node), path, len))
                break;
        path += len;
    }
    return -1;
}

int fdt_next_compatible(int after, const char *compatible) {
    for (int node = next_node(after); node >= 0; node = next_node(node))
        if (fdt_has_string(node, "compatible", compatible))
            return node;
    return -1;
}

// ---- properties

const void *fdt_prop(int node, const char *name, u32 *len) {
    if (node < 0)
        return NULL;
    for (u32 offset = step((u32)node);; offset = step(offset)) {
        u32 t = token(offset);
        if (t == BEGIN_NODE || t == END_NODE)
            return NULL;  // properties come before the children
        if (t == PROP &&
            strcmp((const char *)fdt.blob + fdt.strings + be32(at(offset + 8)), name) == 0) {
            if (len)
                *len = be32(at(offset + 4));
            return at(offset + 12);
        }
    }
}

const char *fdt_prop_string(int node, const char *name) {
    u32 len;
    const char *s = fdt_prop(node, name, &len);

    return s && len > 0 && strnlen(s, len) < len ? s : NULL;
}

bool fdt_prop_u32(int node, const char *name, u32 *value) {
    u32 len;
    const void *p = fdt_prop(node, name, &len);

    if (!p || len != 4)
        return false;
    *value = be32(p);
    return true;
}

bool fdt_enabled(int node) {
    return !fdt_prop(node, "status", NULL) || fdt_has_string(node, "status", "okay") ||
           fdt_has_string(node, "status", "ok");
}

bool fdt_has_string(int node, const char *prop, const char *s) {
    u32 len = 0, n;
    const char *p = fdt_prop(node, prop, &len);

    for (; p && len > 0; p += n + 1, len -= n + 1) {
        n = (u32)strnlen(p, len);
        if (n == len)
            return false;
        if (strcmp(p, s) == 0)
            return true;
    }
    return false;
}

// ---- addresses

struct cells {
    u32 address, size;  // 32-bit cells each
};

// The cell counts that `bus` sets for its children. False when they are more than we can hold.
static bool bus_cells(int bus, struct cells *c) {
    *c = (struct cells){2, 1};  // the specification's defaults
    fdt_prop_u32(bus, "#address-cells", &c->address);
    fdt_prop_u32(bus, "#size-cells", &c->size);
    return c->address <= 3 && c->size <= 2;
}

// A number of n cells: the last two (an address of three cells has its kind of space in the first).
static u64 read_cells(const u8 *p, u32 n) {
    u64 value = 0;

    for (u32 i = 0; i < n; i++)
        value = value << 32 | be32(p + 4 * i);
    return value;
}

// An address on `bus` as one on its parent, by the bus's ranges. Empty ranges: the same.
static bool translate(int bus, int parent, u64 *addr) {
    struct cells child, up;
    u32 len;
    const u8 *p = fdt_prop(bus, "ranges", &len);

    if (!p || len == 0)
        return true;
    if (!bus_cells(bus, &child) || !bus_cells(parent, &up))
        return false;
    u32 entry = 4 * (child.address + up.address + child.size);
    for (; entry > 0 && len >= entry; p += entry, len -= entry) {
        u64 from = read_cells(p, child.address);
        u64 to = read_cells(p + 4 * child.address, up.address);
        u64 size = read_cells(p + 4 * (child.address + up.address), child.size);
        if (*addr >= from && *addr - from < size) {
            *addr = to + (*addr - from);
            return true;
        }
    }
    return false;
}

bool fdt_reg(int node, unsigned i, u64 *addr, u64 *size) {
    int path[FDT_DEPTH];
    struct cells c;
    u32 len, depth;
    const u8 *p = fdt_prop(node, "reg", &len);

    if (!p || (depth = ancestors(node, path)) == 0 || !bus_cells(path[depth - 1], &c))
        return false;
    u32 entry = 4 * (c.address + c.size);
    if (entry == 0 || i >= len / entry)
        return false;
    p += entry * i;
    *addr = read_cells(p, c.address);
    *size = read_cells(p + 4 * c.address, c.size);
    // Addresses of a bus without `ranges` (harts, say) do not mean anything above it.
    for (u32 d = depth - 1; d > 0 && fdt_prop(path[d], "ranges", NULL); d--)
        if (!translate(path[d], path[d - 1], addr))
            return false;
    return true;
}

bool fdt_irq(int node, unsigned i, u32 *irq) {
    u32 len;
    const u8 *p = fdt_prop(node, "interrupts", &len);

    if (!p || i >= len / 4)
        return false;
    *irq = be32(p + 4 * i);
    return true;
}

bool fdt_reserved(unsigned i, u64 *addr, u64 *size) {
    if (!fdt.blob)
        return false;
    for (const u8 *p = fdt.blob + fdt.reserved; be64(p) != 0 || be64(p + 8) != 0; p += 16) {
        if (i-- == 0) {
            *addr = be64(p);
            *size = be64(p + 8);
            return true;
        }
    }
    for (int node = fdt_first_child(fdt_path("/reserved-memory")); node >= 0;
         node = fdt_next_sibling(node))
        for (unsigned k = 0; fdt_reg(node, k, addr, size); k++)
            if (i-- == 0)
                return true;
    return false;
}
