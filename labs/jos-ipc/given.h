/* Lab jos-ipc: pages, and what is done with them. */
#ifndef LAB_GIVEN_H
#define LAB_GIVEN_H

#include "user/usertests/ut.h"
#include "user/lib/exokernel.h"

#define AT(n) ((volatile uint64_t *)(0x1e00000000 + (n)*PAGE))
#define RW (PROT_READ | PROT_WRITE)

/* A new page at AT(0), which holds this. */
static inline void make_page(uint64_t what) {
    OK(sys_page_alloc(0, (void *)AT(0), RW));
    *AT(0) = what;
}

/* The next message has this value, and at AT(1) a page that holds it, with these rights. */
static inline void take(struct ipc_message *m, uint64_t value, int prot) {
    OK(sys_ipc_recv(m, (void *)AT(1)));
    EQ(m->value, value);
    EQ(m->prot, prot);
    EQ(*AT(1), value);
}

static inline bool is_mapped(volatile uint64_t *page) {
    unsigned char here;

    return sys_mincore((void *)page, PAGE, &here) == 0;
}

#endif
