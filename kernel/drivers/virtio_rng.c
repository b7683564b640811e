/*
 * The entropy device: one queue, into which empty buffers go and out of which they come filled.
 *
 * The pool of random.c is filled once, at boot, before any program runs; the generators need no more than one good
 * key, and the queue goes when it is there. The answer is waited for by looking, for at most WAIT_NS, so a device that
 * does not answer costs that and no more: it is reset and left alone.
 */
#include "abi/errno.h"
#include "arch/arch.h"
#include "drivers/drivers.h"
#include "drivers/virtio.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "time/timer.h"

#define SEED_BYTES 64
#define WAIT_NS (3 * NSEC_PER_SEC)  // the host may be busy

struct rng {
    struct virtqueue queue;
    u8 seed[SEED_BYTES];
};

static void no_interrupt(struct virtio_device *d) { (void)d; }

// Bytes that came, 0: none in time.
static u32 ask(struct rng *r) {
    struct virtq_desc piece = {va_to_pa(r->seed), SEED_BYTES, VIRTQ_WRITE, 0};
    u64 end = clock_ns() + WAIT_NS;
    u32 written = 0;

    if (virtq_add(&r->queue, &piece, 1, false, r) != 0)
        return 0;
    virtq_kick(&r->queue);
    while (!virtq_take(&r->queue, &written))
        if (clock_ns() > end || r->queue.dev->broken)
            return 0;
    return min(written, SEED_BYTES + 0u);
}

static int rng_probe(struct virtio_device *d) {
    int error = virtio_negotiate(d, 0);

    if (error)
        return error;
    struct rng *r = kzalloc(sizeof(*r));
    if (!r)
        return -ENOMEM;
    d->interrupt = no_interrupt;
    error = virtq_init(&r->queue, d, 0, 8);
    if (error == 0)
        error = virtio_start(d);
    if (error == 0) {
        u32 n = ask(r);
        random_add(r->seed, n);
        memset(r->seed, 0, sizeof(r->seed));
        if (n == 0)
            virtio_break(d, "it gave no random bytes");
    }
    virtq_destroy(&r->queue);
    kfree(r);
    return error;
}

const struct virtio_driver virtio_rng_driver = {.id = VIRTIO_ID_RNG, .probe = rng_probe};
