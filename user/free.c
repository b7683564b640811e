/* free: memory, in KiB, from /proc/meminfo. */
#include "user/lib/tool.h"
#include "user/lib/proc.h"

int main(int argc, char **argv) {
    char text[4096];
    long total, unused, cached, r;

    (void)argc;
    tool_name(argv[0]);
    r = read_file("/proc/meminfo", text, sizeof(text));
    if (r < 0)
        return complain("/proc/meminfo", r);
    total = number_behind(text, "MemTotal");
    unused = number_behind(text, "MemFree");
    cached = number_behind(text, "\nBuffers") + number_behind(text, "\nCached") +
             number_behind(text, "SReclaimable");
    out("%12s %10s %10s %10s %10s\n", "total", "used", "free", "cache", "available");
    out("Mem: %7ld %10ld %10ld %10ld %10ld\n", total, total - unused - cached, unused, cached,
        number_behind(text, "MemAvailable"));
    return out_flush();
}
