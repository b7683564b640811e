/* echo [-n] [text...]: prints its arguments, with blanks between them. */
#include "user/lib/tool.h"

int main(int argc, char **argv) {
    int first = argc > 1 && strcmp(argv[1], "-n") == 0 ? 2 : 1;

    for (int i = first; i < argc; i++)
        out("%s%s", i > first ? " " : "", argv[i]);
    if (first == 1)
        out_char('\n');
    return out_flush();
}
