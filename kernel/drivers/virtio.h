// Virtio devices: finding them, agreeing on features, and queues of requests.
// Source: Virtual I/O Device (VIRTIO) 1.2, sections 2 (basics), 2.7 (split virtqueues), 4.2 (MMIO).
#ifndef DRIVERS_VIRTIO_H
#define DRIVERS_VIRTIO_H

#include "lib/types.h"
#include "sync/spin.h"

#define VIRTIO_ID_BLOCK 2
#define VIRTIO_ID_RNG 4

#define VIRTIO_F(bit) (1ul << (bit))
#define VIRTIO_F_INDIRECT_DESC VIRTIO_F(28)
#define VIRTIO_F_EVENT_IDX VIRTIO_F(29)
#define VIRTIO_F_VERSION_1 VIRTIO_F(32)

struct virtio_device {
    volatile u8 *regs;  // [I]
    const char *name;   // [I] of its node in the device tree
    u32 id;             // [I] VIRTIO_ID_
    u32 irq;            // [I]
    u64 features;       // [I] agreed on
    bool broken;        // [a] it did what no device may do; it was reset and is not used any more
    // [I] the driver's; interrupts off. Also when it just broke
    void (*interrupt)(struct virtio_device *d);
    void *driver;  // [I] the driver's own
};

// A driver offers this; probe gives 0, or a negative errno after a line that says why.
struct virtio_driver {
    u32 id;
    int (*probe)(struct virtio_device *d);
};
extern const struct virtio_driver virtio_blk_driver, virtio_rng_driver;

// The steps of a probe, in order. Queues come between the two.
// d->features: wanted and offered. 0 or -ENODEV
int virtio_negotiate(struct virtio_device *d, u64 wanted);
// Interrupts go to d->interrupt. 0, -EBUSY, -EINVAL, -ENOMEM
int virtio_start(struct virtio_device *d);
// Stop the device and never use it again. It does not touch memory any more when this returns.
void virtio_break(struct virtio_device *d, const char *why);

// Configuration space; a u64 is read as one value even while the device changes it.
u32 virtio_config32(struct virtio_device *d, u32 offset);
u64 virtio_config64(struct virtio_device *d, u32 offset);

// One piece of memory of a request, as the device reads it.
struct virtq_desc {
    u64 pa;
    u32 len;
    u16 flags, next;  // VIRTQ_ flags; next and VIRTQ_NEXT are virtq_add's
};
#define VIRTQ_NEXT 1
#define VIRTQ_WRITE 2  // the device writes it
#define VIRTQ_INDIRECT 4

#define VIRTQ_MAX 256  // entries at most

struct virtq_avail {
    u16 flags, idx;
    u16 ring[];
};
struct virtq_used {
    u16 flags, idx;
    struct {
        u32 id, len;
    } ring[];
};

// [q] guarded by a lock of the driver's that all calls are made under
struct virtqueue {
    struct virtio_device *dev;  // [I]
    u32 index, size;            // [I] size: a power of two
    struct virtq_desc *desc;    // [q] the three parts in memory that the device sees
    struct virtq_avail *avail;
    volatile struct virtq_used *used;
    u16 free, nr_free;  // [q] list of unused descriptors, by next
    u16 seen;           // [q] used entries taken
    u16 told;           // [q] avail->idx at the last virtq_kick
    struct {
        void *token;  // [q] of the request whose chain starts here; NULL: none does
        u16 length;   // of the chain
    } slot[VIRTQ_MAX];
};

// Make queue `index` of at most `most` entries. 0, -ENODEV when the device has no such queue, -ENOMEM.
int virtq_init(struct virtqueue *q, struct virtio_device *d, u32 index, u32 most);
// For a probe that fails: resets the device first. Fine on a zeroed one
void virtq_destroy(struct virtqueue *q);
// Offer n pieces, those that the device reads first; token, not NULL, comes back from virtq_take. `indirect`: the
// device reads the array itself, which must stay until then; it takes one entry of the queue instead of n.
// 0, or -ENOSPC when the queue is full.
int virtq_add(struct virtqueue *q, struct virtq_desc *pieces, u32 n, bool indirect, void *token);
void virtq_kick(struct virtqueue *q);  // tell the device about what was added
// A request that the device has finished and how many bytes it wrote; NULL: none, or it was broken just now.
void *virtq_take(struct virtqueue *q, u32 *written);
// Interrupt when the next request is finished. False: one already is, look again.
bool virtq_enable_interrupt(struct virtqueue *q);
// After virtio_break: any request that the device had, or NULL.
void *virtq_take_back(struct virtqueue *q);

#endif
