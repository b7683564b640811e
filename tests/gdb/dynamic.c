// A program that is linked with the C library dynamically, for the debugger's tests.
#include <stdio.h>

static volatile int sum;

__attribute__((noinline)) void turn(int n) { sum += n; }

int main(void) {
    turn(7);
    puts("dynamic");
    return 0;
}
