/* malloc and free, malloc(3): a list of free blocks sorted by address, first fit from where the
 * last search ended, neighbours joined when a block comes back.
 *
 * A block is a header of 16 bytes and the bytes that the caller has; sizes are counted in headers,
 * so everything is 16-aligned. More memory comes from sbrk, 64 KiB or more at a time, and is never
 * given back. The break may have been moved by the program in between: a new piece that does not
 * follow the last simply becomes a block of its own. One mutex lets threads call everything here. */
#include "user/lib/tool.h"
#include "user/lib/thread.h"

struct block {
    struct block *next; /* free blocks only */
    uint64_t units;     /* of sizeof(struct block), the header included */
};

#define UNIT sizeof(struct block)
#define GROW_UNITS (65536 / UNIT)

static struct mutex heap_lock; /* guards all that follows, and the break */
static struct block base = {.next = &base};
static struct block *rover = &base; /* a free block, the search starts after it */

static bool in_gap_after(const struct block *p, const struct block *b) {
    if (p->next > p)
        return b > p && b < p->next;
    return b > p || b < p->next; /* p is the highest: the gap is both ends */
}

static void insert(struct block *b) {
    struct block *p = rover;

    while (!in_gap_after(p, b))
        p = p->next;
    b->next = p->next;
    p->next = b;
    if (b + b->units == b->next) {
        b->units += b->next->units;
        b->next = b->next->next;
    }
    if (p + p->units == b) {
        p->units += b->units;
        p->next = b->next;
    }
    rover = p;
}

static bool grow(uint64_t units) {
    struct block *b;

    if (units < GROW_UNITS)
        units = GROW_UNITS;
    b = (struct block *)sbrk((int)(units * UNIT + UNIT));
    if (b == (struct block *)SBRK_ERROR)
        return false;
    b = (struct block *)(((uint64_t)b + UNIT - 1) & ~(UNIT - 1));
    b->units = units;
    insert(b);
    return true;
}

static void *take(struct block *before, struct block *b, uint64_t units) {
    if (b->units == units) {
        before->next = b->next;
    } else {
        b->units -= units;
        b += b->units;
        b->units = units;
    }
    rover = before;
    return b + 1;
}

static void *allocate(uint n) {
    uint64_t units = ((uint64_t)n + UNIT - 1) / UNIT + 1;
    struct block *before = rover, *b;

    for (;;) {
        b = before->next;
        if (b->units >= units)
            return take(before, b, units);
        if (b == rover) {
            if (!grow(units))
                return 0;
            b = rover;
        }
        before = b;
    }
}

void *malloc(uint n) {
    void *p;

    if (n > 0x7fff0000)
        return 0;
    mutex_lock(&heap_lock);
    p = allocate(n);
    mutex_unlock(&heap_lock);
    return p;
}

void free(void *p) {
    if (!p)
        return;
    mutex_lock(&heap_lock);
    insert((struct block *)p - 1);
    mutex_unlock(&heap_lock);
}

void *realloc(void *p, size_t n) {
    size_t had = p ? (((struct block *)p - 1)->units - 1) * UNIT : 0;
    void *q;

    if (n <= had)
        return p;
    q = malloc((uint)n);
    if (q && p) {
        memcpy(q, p, (uint)had);
        free(p);
    }
    return q;
}
