/*
 * Virtio over memory-mapped registers.
 *
 * virtio_init looks at each "virtio,mmio" node of the device tree, and gives a device that it knows to its driver.
 * The driver agrees on features, makes its queues, and starts the device.
 *
 * A split virtqueue is three arrays in memory that we and the device share:
 *
 *   desc   pieces of memory, chained by `next`            written by us
 *   avail  ring of chains that the device may work on     written by us, idx says how far
 *   used   ring of chains that the device is done with    written by the device, idx says how far
 *
 *   virtq_add                               device
 *   desc[…] = pieces, avail->ring[idx] = head
 *   fence                                   reads avail->idx, then ring and desc
 *   avail->idx++
 *   fence                                   writes used->ring, then used->idx
 *   virtq_kick: notify, unless it said      interrupts, unless we said
 *     that it looks by itself                 that we look by ourselves
 *
 * With EVENT_IDX each side writes the index at which it wants to be told (the last word of the other's
 * ring). Whoever changes that wish then looks once more at the ring, with a fence between, so that neither
 * misses the other's last step.
 *
 * The device is not trusted: an id in the used ring must be the head of a chain that it was given and has not
 * given back. If it is not, the device is reset, which ends its access to memory, and its driver fails what
 * was under way. Where a chain ends and what token it has is kept in q->slot, outside of what the device can write.
 *
 * Locks: none here; a driver calls all functions of one queue under one interrupt-safe lock.
 */
#include "drivers/virtio.h"
#include "abi/errno.h"
#include "arch/arch.h"
#include "drivers/drivers.h"
#include "drivers/fdt.h"
#include "drivers/mmio.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/slab.h"

#define VIRTIO_MAGIC 0x000
#define MAGIC 0x74726976  // "virt"
#define VIRTIO_VERSION 0x004
#define VIRTIO_ID 0x008
#define VIRTIO_DEVICE_FEATURES 0x010
#define VIRTIO_DEVICE_FEATURES_SEL 0x014
#define VIRTIO_DRIVER_FEATURES 0x020
#define VIRTIO_DRIVER_FEATURES_SEL 0x024
#define VIRTIO_QUEUE_SEL 0x030
#define VIRTIO_QUEUE_NUM_MAX 0x034
#define VIRTIO_QUEUE_NUM 0x038
#define VIRTIO_QUEUE_READY 0x044
#define VIRTIO_QUEUE_NOTIFY 0x050
#define VIRTIO_INTERRUPT_STATUS 0x060
#define VIRTIO_INTERRUPT_ACK 0x064
#define VIRTIO_STATUS 0x070
#define VIRTIO_QUEUE_DESC 0x080  // low half; the high half is 4 bytes up
#define VIRTIO_QUEUE_DRIVER 0x090
#define VIRTIO_QUEUE_DEVICE 0x0a0
#define VIRTIO_CONFIG_GENERATION 0x0fc
#define VIRTIO_CONFIG 0x100

#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER 2
#define STATUS_DRIVER_OK 4
#define STATUS_FEATURES_OK 8
#define STATUS_NEEDS_RESET 64
#define STATUS_FAILED 128

#define INTERRUPT_CONFIG                                                                           \
    2  // VIRTIO_INTERRUPT_STATUS: the configuration or the device's status changed

#define RESET_SPINS 1000000
#define QUEUE_ORDER 1     // pages of a queue: descriptors in the first, rings in the second
#define USED_NO_NOTIFY 1  // the device looks by itself

BUILD_ASSERT(sizeof(struct virtq_desc) == 16 && VIRTQ_MAX * sizeof(struct virtq_desc) <= PAGE_SIZE);
// avail with its event word, padding to 4, used with its event word
BUILD_ASSERT((6 + 2 * VIRTQ_MAX) + 2 + (6 + 8 * VIRTQ_MAX) <= PAGE_SIZE);

static u32 get(const struct virtio_device *d, u32 reg) { return mmio_read32(d->regs + reg); }
static void set(struct virtio_device *d, u32 reg, u32 value) { mmio_write32(d->regs + reg, value); }
static void add_status(struct virtio_device *d, u32 bits) {
    set(d, VIRTIO_STATUS, get(d, VIRTIO_STATUS) | bits);
}

static void set_address(struct virtio_device *d, u32 reg, const volatile void *va) {
    pa_t pa = va_to_pa((const void *)va);

    set(d, reg, (u32)pa);
    set(d, reg + 4, (u32)(pa >> 32));
}

// ---- the device

static void reset(struct virtio_device *d) {
    set(d, VIRTIO_STATUS, 0);
    for (u32 i = 0; i < RESET_SPINS && get(d, VIRTIO_STATUS) != 0; i++)
        ;
}

void virtio_break(struct virtio_device *d, const char *why) {
    if (d->broken)
        return;
    WRITE_ONCE(d->broken, true);
    reset(d);
    kprintf("virtio: %s: %s; the device is not used any more\n", d->name, why);
}

int virtio_negotiate(struct virtio_device *d, u64 wanted) {
    u64 offered = 0;

    reset(d);
    add_status(d, STATUS_ACKNOWLEDGE);
    add_status(d, STATUS_DRIVER);
    for (u32 half = 0; half < 2; half++) {
        set(d, VIRTIO_DEVICE_FEATURES_SEL, half);
        offered |= (u64)get(d, VIRTIO_DEVICE_FEATURES) << 32 * half;
    }
    d->features = offered & (wanted | VIRTIO_F_VERSION_1);
    for (u32 half = 0; half < 2; half++) {
        set(d, VIRTIO_DRIVER_FEATURES_SEL, half);
        set(d, VIRTIO_DRIVER_FEATURES, (u32)(d->features >> 32 * half));
    }
    add_status(d, STATUS_FEATURES_OK);
    if (d->features & VIRTIO_F_VERSION_1 && get(d, VIRTIO_STATUS) & STATUS_FEATURES_OK)
        return 0;
    kprintf("virtio: %s: the device does not agree on features\n", d->name);
    set(d, VIRTIO_STATUS, STATUS_FAILED);
    return -ENODEV;
}

static void interrupt(void *arg) {
    struct virtio_device *d = arg;

    u32 why = get(d, VIRTIO_INTERRUPT_STATUS);

    set(d, VIRTIO_INTERRUPT_ACK, why);
    if (why & INTERRUPT_CONFIG && get(d, VIRTIO_STATUS) & STATUS_NEEDS_RESET)
        virtio_break(d, "it gave up");
    d->interrupt(d);
}

int virtio_start(struct virtio_device *d) {
    int error = irq_register(d->irq, d->name, interrupt, d);

    if (error) {
        kprintf("virtio: %s: interrupt %u cannot be had\n", d->name, d->irq);
        return error;
    }
    add_status(d, STATUS_DRIVER_OK);
    return 0;
}

u32 virtio_config32(struct virtio_device *d, u32 offset) { return get(d, VIRTIO_CONFIG + offset); }

u64 virtio_config64(struct virtio_device *d, u32 offset) {
    u32 generation, tries = 0;
    u64 value;

    do {
        generation = get(d, VIRTIO_CONFIG_GENERATION);
        value = virtio_config32(d, offset) | (u64)virtio_config32(d, offset + 4) << 32;
    } while (generation != get(d, VIRTIO_CONFIG_GENERATION) && ++tries < 100);
    return value;
}

// ---- queues

int virtq_init(struct virtqueue *q, struct virtio_device *d, u32 index, u32 most) {
    set(d, VIRTIO_QUEUE_SEL, index);
    u32 max = min(get(d, VIRTIO_QUEUE_NUM_MAX), min(most, VIRTQ_MAX + 0u));
    if (max == 0 || get(d, VIRTIO_QUEUE_READY) != 0) {
        kprintf("virtio: %s: no queue %u\n", d->name, index);
        return -ENODEV;
    }
    struct page *page = page_alloc(QUEUE_ORDER, ALLOC_ZERO);
    if (!page)
        return -ENOMEM;
    u8 *va = page_va(page);
    memset(q, 0, sizeof(*q));
    q->dev = d;
    q->index = index;
    for (q->size = 1; q->size * 2 <= max;)
        q->size *= 2;
    q->desc = (void *)va;
    q->avail = (void *)(va + PAGE_SIZE);
    q->used = (void *)(va + PAGE_SIZE + align_up(6 + 2 * q->size, 4u));
    q->nr_free = (u16)q->size;
    for (u32 i = 0; i < q->size; i++)
        q->desc[i].next = (u16)(i + 1);
    set(d, VIRTIO_QUEUE_NUM, q->size);
    set_address(d, VIRTIO_QUEUE_DESC, q->desc);
    set_address(d, VIRTIO_QUEUE_DRIVER, q->avail);
    set_address(d, VIRTIO_QUEUE_DEVICE, q->used);
    set(d, VIRTIO_QUEUE_READY, 1);
    return 0;
}

void virtq_destroy(struct virtqueue *q) {
    if (!q->desc)
        return;
    reset(q->dev);
    page_free(va_to_page(q->desc), QUEUE_ORDER);
    q->desc = NULL;
}

// Where we write the used index at which to be interrupted, and the device the avail index at which to be notified.
static u16 *used_event(struct virtqueue *q) { return &q->avail->ring[q->size]; }
static u16 avail_event(struct virtqueue *q) { return *(volatile u16 *)&q->used->ring[q->size]; }

int virtq_add(struct virtqueue *q, struct virtq_desc *pieces, u32 n, bool indirect, void *token) {
    struct virtq_desc whole;
    u16 head = q->free, at = head;

    if (indirect) {
        for (u32 i = 0; i + 1 < n; i++) {
            pieces[i].flags |= VIRTQ_NEXT;
            pieces[i].next = (u16)(i + 1);
        }
        whole = (struct virtq_desc){va_to_pa(pieces), n * (u32)sizeof(*pieces), VIRTQ_INDIRECT, 0};
        pieces = &whole;
        n = 1;
    }
    if (n > q->nr_free)
        return -ENOSPC;
    for (u32 i = 0; i < n; i++) {
        struct virtq_desc *d = &q->desc[at];
        at = d->next;
        d->pa = pieces[i].pa;
        d->len = pieces[i].len;
        d->flags = pieces[i].flags | (i + 1 < n ? VIRTQ_NEXT : 0);
    }
    q->free = at;
    q->nr_free -= (u16)n;
    q->slot[head].token = token;
    q->slot[head].length = (u16)n;
    q->avail->ring[q->avail->idx % q->size] = head;
    store_release(&q->avail->idx, (u16)(q->avail->idx + 1));
    return 0;
}

void virtq_kick(struct virtqueue *q) {
    u16 now = q->avail->idx, before = q->told;
    bool wanted;

    if (now == before)
        return;
    q->told = now;
    memory_fence();
    if (q->dev->features & VIRTIO_F_EVENT_IDX)
        wanted = (u16)(now - avail_event(q) - 1) < (u16)(now - before);
    else
        wanted = !(q->used->flags & USED_NO_NOTIFY);
    if (wanted)
        set(q->dev, VIRTIO_QUEUE_NOTIFY, q->index);
}

// Put the chain at head back on the free list; its token.
static void *release(struct virtqueue *q, u32 head) {
    void *token = q->slot[head].token;
    u16 last = (u16)head;

    for (u32 i = 1; i < q->slot[head].length; i++)
        last = q->desc[last].next;
    q->desc[last].next = q->free;
    q->free = (u16)head;
    q->nr_free += q->slot[head].length;
    q->slot[head].token = NULL;
    return token;
}

void *virtq_take(struct virtqueue *q, u32 *written) {
    if (q->dev->broken || q->seen == load_acquire(&q->used->idx))
        return NULL;
    u32 id = q->used->ring[q->seen % q->size].id;
    u32 len = q->used->ring[q->seen % q->size].len;
    if (id >= q->size || !q->slot[id].token) {
        virtio_break(q->dev, "it returned a request that it does not have");
        return NULL;
    }
    q->seen++;
    if (written)
        *written = len;
    return release(q, id);
}

bool virtq_enable_interrupt(struct virtqueue *q) {
    if (q->dev->features & VIRTIO_F_EVENT_IDX) {
        WRITE_ONCE(*used_event(q), q->seen);
        memory_fence();
    }
    return q->seen == load_acquire(&q->used->idx);
}

void *virtq_take_back(struct virtqueue *q) {
    for (u32 i = 0; i < q->size; i++)
        if (q->slot[i].token)
            return release(q, i);
    return NULL;
}

// ---- finding devices

static const struct virtio_driver *const drivers[] = {&virtio_rng_driver, &virtio_blk_driver};

// The device of a node, or NULL when there is none that we can talk to.
static struct virtio_device *open_node(int node) {
    struct virtio_device probe = {.name = fdt_name(node)};
    u64 pa, size;

    if (!fdt_reg(node, 0, &pa, &size) || !mmio_mappable(pa, size) || size <= VIRTIO_CONFIG ||
        !fdt_irq(node, 0, &probe.irq)) {
        kprintf("virtio: %s has no usable reg and interrupts\n", probe.name);
        return NULL;
    }
    probe.regs = mmio_map(pa);
    if (get(&probe, VIRTIO_MAGIC) != MAGIC || (probe.id = get(&probe, VIRTIO_ID)) == 0)
        return NULL;  // a place for a device, and none there
    if (get(&probe, VIRTIO_VERSION) != 2) {
        kprintf("virtio: %s is a legacy device (version %u); QEMU needs -global "
                "virtio-mmio.force-legacy=false\n",
                probe.name, get(&probe, VIRTIO_VERSION));
        return NULL;
    }
    struct virtio_device *d = kmalloc(sizeof(*d), 0);
    if (d)
        *d = probe;
    return d;
}

static void probe(int node) {
    struct virtio_device *d = open_node(node);
    int error = -ENODEV;

    if (!d)
        return;
    for (u32 i = 0; i < ARRAY_SIZE(drivers); i++)
        if (drivers[i]->id == d->id)
            error = drivers[i]->probe(d);
    if (error) {
        reset(d);
        kfree(d);
    }
}

// In the tree's order, which under QEMU is the order of the -device arguments: the first disk is vda.
void virtio_init(void) {
    for (int node = fdt_next_compatible(-1, "virtio,mmio"); node >= 0;
         node = fdt_next_compatible(node, "virtio,mmio"))
        if (fdt_enabled(node))
            probe(node);
}
