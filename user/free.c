/* free: memory, in KiB, from /proc/meminfo. */
#include "user/lib/tool.h"

static long field(const char *text, const char *name) {
    const char *at = strstr(text, name);

    for (at = at ? at + strlen(name) : ""; *at == ' ' || *at == ':'; at++)
        ;
    return atoi(at);
}

int main(int argc, char **argv) {
    char text[4096];
    long total, unused, cached, r;

    (void)argc;
    tool_name(argv[0]);
    r = read_file("/proc/meminfo", text, sizeof(text));
    if (r < 0)
        return complain("/proc/meminfo", r);
    total = field(text, "MemTotal");
    unused = field(text, "MemFree");
    cached = field(text, "\nBuffers") + field(text, "\nCached") + field(text, "SReclaimable");
    out("%12s %10s %10s %10s %10s\n", "total", "used", "free", "cache", "available");
    out("Mem: %7ld %10ld %10ld %10ld %10ld\n", total, total - unused - cached, unused, cached,
        field(text, "MemAvailable"));
    return out_flush();
}
