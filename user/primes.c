/* primes [limit]: the sieve of Eratosthenes as a row of processes, one for each prime, after Doug McIlroy's with channels.
 *
 *   2 3 4 5 6 ...  ──> [2] ──3 5 7 9──> [3] ──5 7 11──> [5] ──> ...
 *
 * The first number that a process gets is its prime; of the others it passes on what its prime does not divide. A number is a
 * message, and there are no buffers between: all wait for each other. 0 ends the row. */
#include "user/lib/exokernel.h"

static uint64_t receive(void) {
    struct ipc_message m = {.value = 0};
    long r = sys_ipc_recv(&m, 0);

    if (r < 0)
        die("ipc_recv: %s", errstr(r));
    return m.value;
}

static void send(int to, uint64_t value) {
    long r = ipc_send(to, value, 0, 0);

    if (r < 0)
        die("ipc_send: %s", errstr(r));
}

/* A process of the row. It makes its right neighbour when it knows that there is one. */
static int sieve(void) {
    uint64_t prime = receive(), n;
    int right = 0, status = 0;

    if (!prime)
        return 0;
    printf("%lu\n", (unsigned long)prime);
    while ((n = receive())) {
        if (n % prime == 0)
            continue;
        if (!right && (right = fork()) == 0)
            exit(sieve());
        if (right < 0)
            die("no more processes");
        send(right, n);
    }
    if (right) {
        send(right, 0);
        wait(&status);
    }
    return status;
}

int main(int argc, char **argv) {
    long limit = 100;
    int first, status = 0;

    tool_name(argv[0]);
    if (argc > 1 && !parse_num(argv[1], 10, &limit))
        die("%s: not a number", argv[1]);
    first = fork();
    if (first == 0)
        exit(sieve());
    for (long n = 2; n <= limit; n++)
        send(first, (uint64_t)n);
    send(first, 0);
    wait(&status);
    return status;
}
