/* pingpong [-c] [rounds]: two processes send each other a number, which grows by one each time, to 10. Without -c with
 * ipc_send and ipc_recv, two calls for each message; with -c by ipc_call, one call that sends and waits and has the hart go straight
 * to the other one. */
#include "user/lib/exokernel.h"
#include "abi/wait.h"

static bool use_call;

/* Sends a number and has the answer. */
static uint64_t send_and_wait(int to, uint64_t value) {
    struct ipc_message m = {.value = 0};
    long r;

    if (use_call) {
        while ((r = sys_ipc_call(to, value, 0, 0, &m, 0)) == -EAGAIN)
            sys_sched_yield();
    } else {
        r = ipc_send(to, value, 0, 0);
        if (r == 0)
            r = sys_ipc_recv(&m, 0);
    }
    if (r < 0)
        die("%s", errstr(r));
    return m.value;
}

/* Who sends the last number does not wait for an answer. */
static void play(int other, uint64_t value, uint64_t last) {
    while (value < last) {
        if (last <= 10)
            printf("%d sends %lu to %d\n", getpid(), (unsigned long)value, other);
        value = send_and_wait(other, value) + 1;
    }
    if (value == last)
        ipc_send(other, value, 0, 0);
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "c", "pingpong [-c] [rounds]");
    struct ipc_message m = {.value = 0};
    long last = 10;
    int child, status = 0;

    (void)argc;
    tool_name(argv[0]);
    while (opt_next(&o))
        use_call = true;
    if (o.argv[0] && (!parse_num(o.argv[0], 10, &last) || last < 1))
        die("%s: not a number of rounds", o.argv[0]);
    child = fork();
    if (child == 0) {
        sys_ipc_recv(&m, 0);
        play((int)m.from, m.value + 1, (uint64_t)last);
        return 0;
    }
    play(child, 0, (uint64_t)last);
    sys_wait4(child, &status, 0, 0);
    printf("%ld messages\n", last + 1);
    return status != 0;
}
