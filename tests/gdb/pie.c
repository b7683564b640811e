// A position-independent program without a library, for the debugger's tests: where it is, only the kernel knows.
static long call(long number, long a, long b, long c) {
    register long a7 __asm__("a7") = number;
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2) : "memory");
    return a0;
}

static volatile int sum;

__attribute__((noinline)) void turn(int n) { sum += n; }

void _start(void) {
    turn(7);
    call(64, 1, (long)"pie\n", 4);
    call(93, 0, 0, 0);
}
