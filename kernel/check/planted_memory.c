/*
 * Planted bugs of memory and arithmetic, for kasan, ubsan and poison. Each is wrong in the line that says so: tests compare
 * reports with the function's name and that line.
 */
#include "check/planted.h"

#include "lib/string.h"
#include "mm/slab.h"
#include "mm/uaccess.h"

static volatile int sink;
static u8 table[20];
static u64 numbers[5];

static void plant_heap_read(void) {
    u8 *p = kmalloc(24, ALLOC_ZERO);
    sink = hide(p)[24];  // wrong
    kfree(p);
}

static void plant_heap_write(void) {
    u8 *p = kmalloc(40, ALLOC_ZERO);
    *(volatile u8 *)(hide(p) + 41) = 1;  // wrong
    kfree(p);
}

static void plant_heap_before(void) {
    u8 *p = kmalloc(64, ALLOC_ZERO);
    *(volatile u8 *)(hide(p) - 1) = 1;  // wrong
    kfree(p);
}

static void plant_use_after_free(void) {
    u8 *p = kmalloc(100, ALLOC_ZERO);
    kfree(p);
    sink = hide(p)[50];  // wrong
}

// Without kasan it is found when the object is given out again.
static void plant_write_after_free(void) {
    u8 *p = kmalloc(1500, ALLOC_ZERO);
    kfree(p);
    *(volatile u8 *)(hide(p) + 1000) = 1;  // wrong
    for (u32 i = 0; i < 4000; i++)
        kfree(kmalloc(1500, ALLOC_ZERO));
}

static void plant_double_free(void) {
    u8 *p = kmalloc(200, ALLOC_ZERO);
    kfree(p);
    kfree(hide(p));  // wrong
}

static void plant_page_after_free(void) {
    u8 *p = page_alloc_va(0);
    page_free_va(p);
    *(volatile u8 *)(hide(p) + 123) = 1;  // wrong
    page_free_va(page_alloc_va(0));
}

static void plant_large_overflow(void) {
    u8 *p = kmalloc(5000, ALLOC_ZERO);
    *(volatile u8 *)(hide(p) + 5000) = 1;  // wrong
    kfree(p);
}

static void plant_global(void) {
    sink = hide(&table[0])[sizeof table];  // wrong
}

static void plant_stack(void) {
    u8 local[13];
    memset(local, 0, hide(sizeof local));
    sink = hide(&local[0])[13];  // wrong
}

static void plant_memcpy(void) {
    u8 *p = kmalloc(32, ALLOC_ZERO);
    memcpy(p, numbers, hide(33ul));  // wrong
    kfree(p);
}

// To an address that faults, so that nothing would be written without the check.
static void plant_user_copy(void) {
    u8 *p = kmalloc(16, ALLOC_ZERO);
    int error = copy_to_user(USER_TOP - 32, p, hide(17ul));  // wrong
    sink = error;
    kfree(p);
}

static void plant_overflow(void) {
    sink = hide(2147483600) + hide(100);  // wrong
}

static void plant_shift(void) {
    sink = (int)(hide(1u) << hide(40));  // wrong
}

static void plant_index(void) {
    sink = (int)numbers[hide(5)];  // wrong
}

static void plant_divide(void) {
    sink = hide(7) / hide(0);  // wrong
}

static void plant_bool(void) {
    bool answer;
    *(volatile u8 *)&answer = hide(2);
    sink = *hide(&answer) ? 1 : 3;  // wrong
}

static void plant_unreachable(void) {
    if (hide(1))
        unreachable();  // wrong
}

const struct planted memory_bugs[] = {
    {"heap_read", plant_heap_read},
    {"heap_write", plant_heap_write},
    {"heap_before", plant_heap_before},
    {"use_after_free", plant_use_after_free},
    {"write_after_free", plant_write_after_free},
    {"double_free", plant_double_free},
    {"page_after_free", plant_page_after_free},
    {"large_overflow", plant_large_overflow},
    {"global", plant_global},
    {"stack", plant_stack},
    {"memcpy", plant_memcpy},
    {"user_copy", plant_user_copy},
    {"overflow", plant_overflow},
    {"shift", plant_shift},
    {"index", plant_index},
    {"divide", plant_divide},
    {"bool", plant_bool},
    {"unreachable", plant_unreachable},
    {},
};
