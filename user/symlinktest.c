/* symlinktest: names that stand for other names. Written to xv6's API with symlink, in the style of its file system assignment. */
#include "kernel/types.h"
#include "kernel/fcntl.h"
#include "kernel/stat.h"
#include "user/user.h"

static void fail(const char *what) {
    printf("symlinktest: FAIL %s\n", what);
    exit(1);
}

static void make(const char *name, char c) {
    int fd = open(name, O_CREATE | O_RDWR | O_TRUNC);

    if (fd < 0 || write(fd, &c, 1) != 1)
        fail("a file");
    close(fd);
}

/* The first byte of what the name leads to, or -1. */
static int first(const char *name) {
    int fd = open(name, O_RDONLY), r;
    char c;

    if (fd < 0)
        return -1;
    r = read(fd, &c, 1) == 1 ? c : -1;
    close(fd);
    return r;
}

static int type_of_itself(const char *name) {
    struct stat st;
    int fd = open(name, O_RDONLY | O_NOFOLLOW), r;

    if (fd < 0)
        return -1;
    r = fstat(fd, &st) == 0 ? st.type : -1;
    close(fd);
    return r;
}

static void plain(void) {
    make("sl/a", 'a');
    if (symlink("/sl.nowhere", "sl/bad/x") != -1 || symlink("a", "sl/a") != -1)
        fail("a link where none can be");
    if (symlink("a", "sl/b") < 0 || first("sl/b") != 'a')
        fail("a link");
    if (type_of_itself("sl/b") != T_SYMLINK || type_of_itself("sl/a") != T_FILE)
        fail("O_NOFOLLOW");
    int fd = open("sl/b", O_WRONLY);
    if (fd < 0 || write(fd, "B", 1) != 1 || first("sl/a") != 'B')
        fail("a write through a link");
    close(fd);
    unlink("sl/a");
    if (first("sl/b") != -1 || type_of_itself("sl/b") != T_SYMLINK)
        fail("a link to nothing");
    make("sl/a", 'c');
    if (first("sl/b") != 'c')
        fail("a link whose target came back");
    if (unlink("sl/b") < 0 || first("sl/a") != 'c')
        fail("unlink of a link");
}

static void chains(void) {
    if (symlink("2", "sl/1") < 0 || symlink("3", "sl/2") < 0 || symlink("a", "sl/3") < 0 ||
        first("sl/1") != 'c')
        fail("a chain");
    unlink("sl/3");
    if (symlink("1", "sl/3") < 0 || open("sl/1", O_RDONLY) >= 0)
        fail("a circle");
    unlink("sl/1");
    unlink("sl/2");
    unlink("sl/3");
    if (mkdir("sl/d") < 0 || symlink("d", "sl/e") < 0)
        fail("a link to a folder");
    make("sl/e/f", 'f');
    if (first("sl/d/f") != 'f')
        fail("a file in a folder behind a link");
    unlink("sl/d/f");
    unlink("sl/e");
    unlink("sl/d");
}

/* Two processes make and remove one link, again and again: it is a link or nothing. */
static void at_once(void) {
    int status;

    for (int i = 0; i < 2; i++) {
        if (fork() == 0) {
            for (int n = 0; n < 300; n++) {
                if ((n + i) % 2)
                    symlink("a", "sl/z");
                else
                    unlink("sl/z");
                int type = type_of_itself("sl/z");
                if (type != -1 && type != T_SYMLINK)
                    exit(1);
            }
            exit(0);
        }
    }
    for (int i = 0; i < 2; i++) {
        if (wait(&status) < 0 || status != 0)
            fail("two at once");
    }
    unlink("sl/z");
}

int main(void) {
    if (mkdir("sl") < 0)
        fail("mkdir");
    plain();
    chains();
    at_once();
    if (unlink("sl/a") < 0 || unlink("sl") < 0)
        fail("something is left");
    printf("symlinktest: ok\n");
    exit(0);
}
