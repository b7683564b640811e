/* seq [first [step]] last: prints numbers, one a line. */
#include "user/lib/tool.h"

int main(int argc, char **argv) {
    long n[3] = {1, 1, 0}, parsed[3];

    tool_name(argv[0]);
    if (argc < 2 || argc > 4)
        die("usage: seq [first [step]] last");
    for (int i = 1; i < argc; i++) {
        if (!parse_num(argv[i], 10, &parsed[i - 1]))
            die("%s: not a number", argv[i]);
    }
    n[2] = parsed[argc - 2];
    if (argc > 2)
        n[0] = parsed[0];
    if (argc > 3)
        n[1] = parsed[1];
    if (n[1] == 0)
        die("a step of 0 has no end");
    for (long i = n[0]; n[1] > 0 ? i <= n[2] : i >= n[2]; i += n[1])
        out("%ld\n", i);
    return out_flush();
}
