/* chmod mode file...: sets permission bits, octal (755) or changes as u+x, go-w, a=r, +x. */
#include "user/lib/tool.h"
#include "abi/fcntl.h"

/* Applies one change, such as "go-w"; false if it is none. */
static bool change(const char **text, uint32_t *mode) {
    const char *p = *text;
    uint32_t who = 0, bits = 0;
    char op;

    for (; *p && strchr("ugoa", *p); p++)
        who |= *p == 'u' ? 04700 : *p == 'g' ? 02070 : *p == 'o' ? 01007 : 07777;
    op = *p;
    if (op != '+' && op != '-' && op != '=')
        return false;
    for (p++; *p && strchr("rwxst", *p); p++)
        bits |= *p == 'r' ? 0444 : *p == 'w' ? 0222 : *p == 'x' ? 0111 : *p == 's' ? 06000 : 01000;
    if (!who)
        who = 07777;
    bits &= who;
    *mode = op == '+' ? *mode | bits : op == '-' ? *mode & ~bits : (*mode & ~(who & 0777)) | bits;
    *text = p;
    return *p == 0 || *p == ',';
}

static uint32_t new_mode(const char *text, uint32_t mode) {
    long n;

    if (parse_num(text, 8, &n))
        return (uint32_t)n & 07777;
    mode &= 07777;
    for (const char *p = text;; p++) {
        if (!change(&p, &mode))
            die("%s: not a mode", text);
        if (!*p)
            return mode;
    }
}

int main(int argc, char **argv) {
    int status = 0;

    tool_name(argv[0]);
    if (argc < 3)
        die("usage: chmod mode file...");
    for (char **p = argv + 2; *p; p++) {
        struct abi_stat st;
        long r = sys_newfstatat(AT_FDCWD, *p, &st, 0);
        if (r == 0)
            r = sys_fchmodat(AT_FDCWD, *p, new_mode(argv[1], st.st_mode));
        if (r < 0)
            status = complain(*p, r);
    }
    return status;
}
