/*
 * Random numbers.
 *
 * One pool: a 256-bit key. What arrives (bytes of virtio-rng, the firmware's rng-seed, times) is xored into
 * the key 32 bytes at a time, and after each the key becomes the first half of a ChaCha20 block made with it:
 * nobody who learns the pool can tell what it was before, and adding known data does not take anything away.
 *
 * Numbers come from one generator per hart, so that no lock is on the fast path. It has a key of its own,
 * drawn from the pool, and a buffer of key stream. Refilling makes BUFFER bytes of key stream and at once
 * replaces the key with the first 32 of them; bytes that were handed out are cleared. Thus a later look at
 * memory tells nothing about earlier numbers ("fast key erasure"). When the pool gets new data, each
 * generator draws a new key at its next use.
 *
 * Lock: pool_lock (interrupt-safe) guards the pool. A generator belongs to its hart, and is used with
 * interrupts off. Nobody sleeps; random_bytes may be called anywhere.
 *
 * Source of the block function: RFC 8439, section 2.3.
 */
#include "arch/csr.h"
#include "drivers/drivers.h"
#include "drivers/fdt.h"
#include "lib/string.h"
#include "lib/atomic.h"
#include "arch/hart.h"
#include "sync/spin.h"

#define KEY_WORDS 8
#define KEY_BYTES 32
#define BLOCK_BYTES 64
#define BUFFER (8 * BLOCK_BYTES)
#define PIECE 256  // bytes handed out with interrupts off at a time

static struct irqlock pool_lock = IRQLOCK_INIT(RANK_DEVICE, "random pool");
static u32 pool_key[KEY_WORDS];  // [pool_lock]
static u64 pool_drawn;           // [pool_lock] keys drawn since boot: the nonce of the next
static u32 pool_age = 1;         // [a] changes when data is added

struct generator {
    u32 key[KEY_WORDS];
    u32 age;   // pool_age when the key was drawn; 0: never
    u32 used;  // bytes of buffer that are gone
    u8 buffer[BUFFER];
};
static PERHART(struct generator, generator);

static inline u32 rotate(u32 x, int n) { return x << n | x >> (32 - n); }

#define QUARTER(a, b, c, d)                                                                        \
    do {                                                                                           \
        a += b, d = rotate(d ^ a, 16);                                                             \
        c += d, b = rotate(b ^ c, 12);                                                             \
        a += b, d = rotate(d ^ a, 8);                                                              \
        c += d, b = rotate(b ^ c, 7);                                                              \
    } while (0)

static void chacha_block(const u32 key[KEY_WORDS], u64 nonce, u32 counter, u8 out[BLOCK_BYTES]) {
    u32 in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574,  // "expand 32-byte k"
                  key[0],     key[1],     key[2],     key[3],     key[4],     key[5],
                  key[6],     key[7],     counter,    0,          (u32)nonce, (u32)(nonce >> 32)};
    u32 x[16];

    memcpy(x, in, sizeof(x));
    for (int i = 0; i < 10; i++) {
        QUARTER(x[0], x[4], x[8], x[12]);
        QUARTER(x[1], x[5], x[9], x[13]);
        QUARTER(x[2], x[6], x[10], x[14]);
        QUARTER(x[3], x[7], x[11], x[15]);
        QUARTER(x[0], x[5], x[10], x[15]);
        QUARTER(x[1], x[6], x[11], x[12]);
        QUARTER(x[2], x[7], x[8], x[13]);
        QUARTER(x[3], x[4], x[9], x[14]);
    }
    for (int i = 0; i < 16; i++)
        x[i] += in[i];
    memcpy(out, x, BLOCK_BYTES);
}

// The key moves on: what was made with the old one cannot be made again.
static void pool_stir_locked(void) {
    u8 block[BLOCK_BYTES];

    chacha_block(pool_key, 0, 0, block);
    memcpy(pool_key, block, KEY_BYTES);
}

void random_add(const void *data, size_t n) {
    u64 flags = irqlock_acquire(&pool_lock);

    for (size_t done = 0; done < n; done += KEY_BYTES) {
        u32 words[KEY_WORDS] = {0};
        memcpy(words, (const u8 *)data + done, min(n - done, (size_t)KEY_BYTES));
        for (int i = 0; i < KEY_WORDS; i++)
            pool_key[i] ^= words[i];
        pool_stir_locked();
    }
    u32 age = pool_age + 1;
    store_release(&pool_age, age ? age : 1);
    irqlock_release(&pool_lock, flags);
}

// => interrupts off
static void generator_rekey(struct generator *g) {
    u8 block[BLOCK_BYTES];

    irqlock_acquire_irqs_off(&pool_lock);
    pool_key[0] ^= (u32)time_csr();
    pool_stir_locked();
    chacha_block(pool_key, ++pool_drawn, 1, block);
    g->age = pool_age;
    irqlock_release_irqs_off(&pool_lock);
    memcpy(g->key, block, KEY_BYTES);
    g->used = BUFFER;
}

static void generator_refill(struct generator *g) {
    for (u32 i = 0; i < BUFFER / BLOCK_BYTES; i++)
        chacha_block(g->key, 0, i, g->buffer + i * BLOCK_BYTES);
    memcpy(g->key, g->buffer, KEY_BYTES);
    memset(g->buffer, 0, KEY_BYTES);
    g->used = KEY_BYTES;
}

static void generator_take(u8 *out, size_t n) {
    struct generator *g = this_hart(generator);

    if (unlikely(g->age != load_acquire(&pool_age)))
        generator_rekey(g);
    while (n > 0) {
        if (g->used == BUFFER)
            generator_refill(g);
        size_t piece = min(n, (size_t)(BUFFER - g->used));
        memcpy(out, g->buffer + g->used, piece);
        memset(g->buffer + g->used, 0, piece);
        g->used += (u32)piece;
        out += piece;
        n -= piece;
    }
}

void random_bytes(void *buf, size_t n) {
    for (size_t done = 0; done < n; done += PIECE) {
        u64 flags = irq_save();
        generator_take((u8 *)buf + done, min(n - done, (size_t)PIECE));
        irq_restore(flags);
    }
}

void random_init(void) {
    u64 now = time_csr();
    u32 len;
    const void *seed = fdt_prop(fdt_path("/chosen"), "rng-seed", &len);

    random_add(&now, sizeof(now));
    if (seed)
        random_add(seed, len);
}
