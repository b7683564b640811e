/* yes [text...]: prints a line again and again, until nobody reads. */
#include "user/lib/tool.h"

int main(int argc, char **argv) {
    static char buf[4096];
    size_t line, used;
    long r;

    tool_name(argv[0]);
    for (int i = 1; i < argc; i++) {
        used = strlen(buf);
        snprintf(buf + used, sizeof(buf) - used - 1, "%s%s", i > 1 ? " " : "", argv[i]);
    }
    if (argc < 2)
        strcpy(buf, "y");
    line = strlen(buf);
    buf[line++] = '\n';
    for (used = line; used + line <= sizeof(buf); used += line)
        memcpy(buf + used, buf, (uint)line);
    while ((r = write_all(1, buf, used)) == 0)
        ;
    return complain("standard output", r);
}
