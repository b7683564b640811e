/* labtest FIRST PATIENCE END: the program by which `make grade` looks at a student's kernel from inside. It is the
 * machine's init.
 *
 * It runs the cases of this lab from number FIRST to the one before END, each as usertests does (user/usertests/frame.c),
 * and writes what came of it to the second disk, not to the console: a sector when a case begins, a sector when it has
 * ended. A record counts only with the right keyed hash (SipHash-2-4) in front; the key is made for one grading and is
 * nowhere but in this program. So no other program, no print of the kernel and no old disk can pass for a verdict. The
 * console is for people: what the kernel or a case says is shown beside the verdict.
 *
 * The grader watches the disk from outside. When a case ends the machine, or does not end itself, it starts the machine
 * once more with the number of the case behind it. Cases that a debugger or a disk of files has a part in have a machine
 * each. */
#include "user/labtest/judge.h"
#include "abi/reboot.h"

#define SECTOR 512

enum { BEGINS = 1, ENDED = 2 };

struct record {
    uint64_t tag; /* of all that follows */
    uint32_t number, what, result;
    char why[SECTOR - 20];
};

/* ---- SipHash-2-4: Aumasson and Bernstein, 2012 */

static uint64_t v[4];

static uint64_t left(uint64_t x, int n) { return x << n | x >> (64 - n); }

static void rounds(int n) {
    for (; n > 0; n--) {
        v[0] += v[1], v[2] += v[3];
        v[1] = left(v[1], 13) ^ v[0], v[3] = left(v[3], 16) ^ v[2];
        v[0] = left(v[0], 32);
        v[2] += v[1], v[0] += v[3];
        v[1] = left(v[1], 17) ^ v[2], v[3] = left(v[3], 21) ^ v[0];
        v[2] = left(v[2], 32);
    }
}

/* size: not a multiple of 8 and not longer than a sector. */
static uint64_t siphash(const void *data, size_t size) {
    const uint8_t *at = data;
    uint64_t word;

    v[0] = judge_key[0] ^ 0x736f6d6570736575, v[1] = judge_key[1] ^ 0x646f72616e646f6d;
    v[2] = judge_key[0] ^ 0x6c7967656e657261, v[3] = judge_key[1] ^ 0x7465646279746573;
    for (size_t left_over = size;; left_over -= 8, at += 8) {
        word = (uint64_t)size << 56;
        memcpy(&word, at, left_over < 8 ? left_over : 8);
        v[3] ^= word;
        rounds(2);
        v[0] ^= word;
        if (left_over < 8)
            break;
    }
    v[2] ^= 0xff;
    rounds(4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- verdicts */

static int disk;

static void write_record(int number, int what, int result, const char *why) {
    static struct record r;

    memset(&r, 0, sizeof(r));
    r.number = (uint32_t)number;
    r.what = (uint32_t)what;
    r.result = (uint32_t)result;
    snprintf(r.why, sizeof(r.why), "%s", why);
    r.tag = siphash(&r.number, sizeof(r) - sizeof(r.tag) - 1);
    sys_pwrite64(disk, &r, sizeof(r), (int64_t)(2 * number + what - 1) * SECTOR);
    sys_fsync(disk);
}

/* ---- cases that call what students wrote for programs: labapart runs them (labs/apart.c), which knows no key */

#define APART "/bin/labapart"

static const char *apart_case;

static void run_apart(void) {
    char patience[12], why[512], *argv[] = {"labapart", (char *)apart_case, patience, 0};
    int fds[2], pid;
    long n;

    snprintf(patience, sizeof(patience), "%d", cases_patience);
    OK(sys_pipe2(fds, O_CLOEXEC));
    pid = fork();
    if (OK(pid) == 0) {
        OK(sys_dup3(fds[1], 3, 0));
        sys_execve(APART, argv, 0);
        sys_exit_group(127);
    }
    sys_close(fds[1]);
    n = sys_read(fds[0], why, sizeof(why) - 1);
    why[n > 0 ? n : 0] = 0;
    if (wait_status(pid))
        fail_at("apart", "%s", why);
}

/* It has a time limit of its own. */
static const struct test *find_apart(const char *name) {
    static const struct test apart = {APART, run_apart, SLOW};

    apart_case = name;
    return is_there(APART) ? &apart : 0;
}

__attribute__((noipa)) void look(long stage, const volatile void *at, long value) {
    asm volatile("" ::"r"(stage), "r"(at), "r"(value) : "memory");
}

/* ---- before the first case: a case is a child, and its parent goes on meanwhile */

#define OWN_PAGE __attribute__((aligned(4096)))

/* Why no case can run, or null: fork must keep the memory of parent and child apart. Nothing is on the stack here, for
 * that may be what they have in common. */
static __attribute__((noinline)) const char *fork_mixes_memory(void) {
    static OWN_PAGE volatile char of_child, of_parent;
    static OWN_PAGE int fds[2], status;
    static OWN_PAGE char byte;
    long pid;

    if (sys_pipe2(fds, 0) < 0)
        return 0;
    of_child = of_parent = 0; /* pages that are there are what a fork may do wrong */
    pid = sys_clone(SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        of_child = 1;
        sys_read(fds[0], &byte, 1);
        sys_exit_group(of_parent);
    }
    of_parent = 1;
    sys_write(fds[1], &byte, 1);
    sys_close(fds[0]);
    sys_close(fds[1]);
    if (pid < 0 || sys_wait4((int)pid, &status, 0, 0) != pid)
        return 0;
    if (of_child)
        return "no test can run: after fork the parent sees what its child writes";
    return status == 1 << 8 ? "no test can run: after fork a child sees what its parent writes" : 0;
}

static void judge(int number) {
    static char why[1024];
    static const char *hopeless;
    static bool looked;
    const struct test *t = find_case(judge_cases[number]);
    int result;

    printf("\n---- %s\n", judge_cases[number]);
    write_record(number, BEGINS, 0, "");
    if (!looked)
        hopeless = fork_mixes_memory();
    looked = true;
    if (hopeless) {
        write_record(number, ENDED, 1, hopeless);
        return;
    }
    why[0] = 0;
    if (!t)
        t = find_apart(judge_cases[number]);
    result = t ? run_case(t, why, sizeof(why)) : 1;
    write_record(number, ENDED, result, t ? why : "there is no such case");
}

int main(int argc, char **argv) {
    int first = argc > 1 ? atoi(argv[1]) : 0, end = argc > 3 ? atoi(argv[3]) : __INT_MAX__;

    if (getpid() != 1) /* a case of exec runs us again */
        return 0;
    self_argv = argv;
    seed = judge_key[0] & 0xffffff;
    cases_patience = argc > 2 ? atoi(argv[2]) : 1;
    disk = (int)sys_openat(AT_FDCWD, "/dev/vdb", O_RDWR | O_CLOEXEC, 0);
    if (disk < 0)
        die("/dev/vdb: %s", errstr(disk));
    for (int i = first; i < end && judge_cases[i]; i++)
        judge(i);
    sys_reboot(LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_POWER_OFF, 0);
    return 0;
}
