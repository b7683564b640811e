/* The library's part of what JOS leaves to programs: exokernel.h. */
#include "user/lib/exokernel.h"

char *fault_stack;
void (*fault_function)(struct user_fault *);

long fault_handle(void (*f)(struct user_fault *)) {
    if (!fault_stack) {
        long r =
            sys_mmap(0, FAULT_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (r < 0)
            return r;
        fault_stack = (char *)r;
    }
    fault_function = f;
    return sys_fault_upcall(0, fault_entry, fault_stack, FAULT_STACK);
}

static uint64_t hex(const char **at) {
    uint64_t n = 0;

    for (; **at != '-' && **at != ' '; ++*at)
        n = n * 16 + (uint64_t)(**at <= '9' ? **at - '0' : **at - 'a' + 10);
    ++*at;
    return n;
}

/* A line: 00010000-00012000 r-xp 00000000 fe:00 17 /bin/sh */
static struct area area_of(const char *line) {
    struct area a;

    a.start = (char *)hex(&line);
    a.end = (char *)hex(&line);
    a.prot = (line[0] == 'r' ? PROT_READ : 0) | (line[1] == 'w' ? PROT_WRITE : 0) |
             (line[2] == 'x' ? PROT_EXEC : 0);
    a.shared = line[3] == 's';
    return a;
}

int areas_read(struct area *areas, int max) {
    struct reader r = {.fd = (int)open_input("/proc/self/maps")};
    int n = 0;

    for (char *line; (line = line_next(&r, 0));) {
        if (strstr(line, "[vdso]") || strstr(line, "[vvar]"))
            continue;
        if (n == max)
            die("more than %d areas are mapped", max);
        areas[n++] = area_of(line);
    }
    reader_done(&r);
    sys_close(r.fd);
    return n;
}

long ipc_send(int tid, uint64_t value, const void *page, int prot) {
    struct timespec moment = {0, 100000};
    long r;

    for (int tries = 0; (r = sys_ipc_try_send(tid, value, page, prot)) == -EAGAIN; tries++)
        if (tries < 32)
            sys_sched_yield();
        else
            sys_nanosleep(&moment, 0);
    return r;
}
