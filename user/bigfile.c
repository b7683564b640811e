/* bigfile: a file of many more blocks than the first indirect one reaches. Written to xv6's API, in the style of its file system
 * assignment. */
#include "kernel/types.h"
#include "kernel/fcntl.h"
#include "kernel/fs.h"
#include "user/user.h"

#define BLOCKS ((int)(60 * MAXFILE))

static char buf[BSIZE];

static void fail(const char *what, int block) {
    printf("bigfile: FAIL %s at block %d\n", what, block);
    unlink("big.file");
    exit(1);
}

int main(void) {
    int fd = open("big.file", O_CREATE | O_WRONLY);

    if (fd < 0)
        fail("open", 0);
    for (int i = 0; i < BLOCKS; i++) {
        *(int *)buf = i;
        if (write(fd, buf, sizeof(buf)) != sizeof(buf))
            fail("write", i);
    }
    close(fd);
    fd = open("big.file", O_RDONLY);
    for (int i = 0; i < BLOCKS; i++) {
        if (read(fd, buf, sizeof(buf)) != sizeof(buf) || *(int *)buf != i)
            fail("read", i);
    }
    if (read(fd, buf, 1) != 0)
        fail("the end", BLOCKS);
    close(fd);
    if (unlink("big.file") < 0)
        fail("unlink", 0);
    printf("bigfile: ok\n");
    exit(0);
}
