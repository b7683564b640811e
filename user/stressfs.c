/* stressfs [processes [blocks]]: several processes write files at the same time, read them back
 * and compare. */
#include "user/lib/tool.h"
#include "abi/fcntl.h"

#define BLOCK 512

static void fill(char *buf, long process, long block) {
    for (int i = 0; i < BLOCK; i++)
        buf[i] = (char)(process * 31 + block * 7 + i);
}

static int one_process(long process, long blocks) {
    char name[32], buf[BLOCK], wanted[BLOCK];
    long fd;

    snprintf(name, sizeof(name), "stressfs%ld", process);
    fd = sys_openat(AT_FDCWD, name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (fd < 0)
        return complain(name, fd);
    for (long b = 0; b < blocks; b++) {
        fill(buf, process, b);
        long r = write_all((int)fd, buf, BLOCK);
        if (r < 0)
            return complain(name, r);
    }
    sys_lseek((int)fd, 0, SEEK_SET);
    for (long b = 0; b < blocks; b++) {
        fill(wanted, process, b);
        if (sys_read((int)fd, buf, BLOCK) != BLOCK || memcmp(buf, wanted, BLOCK) != 0) {
            warn("%s: block %ld is not what was written", name, b);
            return 1;
        }
    }
    sys_close((int)fd);
    sys_unlinkat(AT_FDCWD, name, 0);
    return 0;
}

int main(int argc, char **argv) {
    long processes = 5, blocks = 200;
    int status, failed = 0;

    tool_name(argv[0]);
    if ((argc > 1 && !parse_num(argv[1], 10, &processes)) ||
        (argc > 2 && !parse_num(argv[2], 10, &blocks)))
        die("usage: stressfs [processes [blocks]]");
    for (long i = 0; i < processes; i++) {
        int pid = fork();
        if (pid < 0)
            die("fork failed");
        if (pid == 0)
            exit(one_process(i, blocks));
    }
    while (sys_wait4(-1, &status, 0, 0) > 0)
        failed |= status;
    printf("stressfs: %s\n", failed ? "failed" : "ok");
    return failed != 0;
}
