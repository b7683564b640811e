/* System V shared memory. Each case holds what shmget(2), shmop(2), shmctl(2) or svipc(7) say of one call, flag, limit or
 * permission. */
#include "user/usertests/ut.h"
#include "abi/resource.h"
#include "abi/shm.h"

#define ALICE 1000
#define BOB 1001

static int make(size_t size) { return (int)OK(sys_shmget(IPC_PRIVATE, size, 0600)); }
static char *at(int id, const void *addr, int flags) {
    return (char *)OK(sys_shmat(id, addr, flags));
}
static void gone(int id) { OK(sys_shmctl(id, IPC_RMID, 0)); }

static struct shmid64_ds status(int id) {
    struct shmid64_ds ds;

    OK(sys_shmctl(id, IPC_STAT, &ds));
    return ds;
}

static int id; /* of the segment that children of a case use, too */
static char *memory;

static void get_by_key(void) {
    int key = 0x39000000 + getpid(),
        one = (int)OK(sys_shmget(key, 100, IPC_CREAT | IPC_EXCL | 0600));

    FAILS(EEXIST, sys_shmget(key, 100, IPC_CREAT | IPC_EXCL | 0600));
    EQ(sys_shmget(key, 100, IPC_CREAT | 0600), one);
    EQ(sys_shmget(key, 50, 0), one);
    EQ(sys_shmget(key, 0, 0), one);
    FAILS(EINVAL, sys_shmget(key, 101, 0));
    gone(one);
    FAILS(ENOENT, sys_shmget(key, 100, 0600));
    FAILS(EINVAL, sys_shmget(key, 0, IPC_CREAT | 0600));
    FAILS(EINVAL, sys_shmat(one, 0, 0));
    FAILS(EINVAL, sys_shmctl(one, IPC_RMID, 0));
}

/* A number is used again, an id is not. */
static void ids_are_new(void) {
    int a = make(1), b;

    gone(a);
    b = make(1);
    CHECK(b != a);
    EQ(status(b).shm_perm.seq, b / 32768);
    FAILS(EINVAL, sys_shmctl(a, IPC_STAT, 0));
    gone(b);
}

static void what_stat_says(void) {
    struct shmid64_ds ds;
    int64_t before = clock_ms(CLOCK_REALTIME) / 1000;
    char *p;

    id = (int)OK(sys_shmget(IPC_PRIVATE, 5000, 0640));
    ds = status(id);
    EQ(ds.shm_perm.mode, 0640);
    EQ(ds.shm_perm.uid + ds.shm_perm.gid + ds.shm_perm.cuid + ds.shm_perm.cgid, 0);
    EQ(ds.shm_perm.key, IPC_PRIVATE);
    EQ(ds.shm_segsz, 5000);
    EQ(ds.shm_cpid, getpid());
    EQ(ds.shm_lpid + ds.shm_atime + ds.shm_dtime + ds.shm_nattch, 0);
    CHECK(ds.shm_ctime >= before);
    p = at(id, 0, 0);
    ds = status(id);
    EQ(ds.shm_nattch, 1);
    EQ(ds.shm_lpid, getpid());
    CHECK(ds.shm_atime >= before && ds.shm_dtime == 0);
    OK(sys_shmdt(p));
    ds = status(id);
    EQ(ds.shm_nattch, 0);
    CHECK(ds.shm_dtime >= before);
    gone(id);
}

static void write_there(void) {
    char *p = at(id, 0, 0);

    EQ(p[0], 'a');
    p[PAGE] = 'b';
}

/* Processes that have nothing but the id in common see the same frames. */
static void same_frames(void) {
    id = make(3 * PAGE);
    memory = at(id, 0, 0);
    EQ(memory[0] + memory[PAGE], 0);
    memory[0] = 'a';
    OK(sys_shmdt(memory));
    child_ok(write_there);
    memory = at(id, 0, SHM_RDONLY);
    EQ(memory[0], 'a');
    EQ(memory[PAGE], 'b');
    EQ(at(id, 0, 0)[PAGE], 'b');
    gone(id);
}

static void touch(void) { memory[0]++; }

static void at_an_address(void) {
    char *place = map_pages(8, PROT_READ);

    id = make(2 * PAGE);
    FAILS(EINVAL, sys_shmat(id, place, 0)); /* something is there */
    EQ(at(id, place, SHM_REMAP), place);
    EQ(place[0], 0);
    OK(sys_munmap(place + 4 * PAGE, 4 * PAGE));
    FAILS(EINVAL, sys_shmat(id, place + 4 * PAGE + 8, 0));
    EQ(at(id, place + 4 * PAGE + 8, SHM_RND), place + 4 * PAGE);
    place[4 * PAGE] = 7;
    EQ(place[0], 7);
    FAILS(EINVAL, sys_shmat(id, 0, SHM_REMAP));
    FAILS(EINVAL, sys_shmat(-1, 0, 0));
    EQ(status(id).shm_nattch, 2);
    gone(id);
}

static void read_only(void) {
    id = make(PAGE);
    memory = at(id, 0, SHM_RDONLY);
    EQ(memory[0], 0);
    EQ(child_signal(touch), SIGSEGV);
    FAILS(EACCES, sys_mprotect(memory, PAGE, PROT_READ | PROT_WRITE));
    gone(id);
}

static void detach(void) {
    char *p;

    id = make(4 * PAGE);
    p = at(id, 0, 0);
    FAILS(EINVAL, sys_shmdt(p + PAGE));
    FAILS(EINVAL, sys_shmdt(p + 1));
    OK(sys_shmdt(p));
    FAILS(EINVAL, sys_shmdt(p));
    memory = p;
    EQ(child_signal(touch), SIGSEGV);
    /* What munmap left of it goes as a whole. */
    p = at(id, 0, 0);
    OK(sys_munmap(p + PAGE, PAGE));
    EQ(status(id).shm_nattch, 2);
    OK(sys_shmdt(p));
    EQ(status(id).shm_nattch, 0);
    p = at(id, 0, 0);
    OK(sys_munmap(p, PAGE));
    OK(sys_shmdt(p));
    EQ(status(id).shm_nattch, 0);
    FAILS(EINVAL, sys_shmdt(map_pages(1, PROT_READ)));
    gone(id);
}

/* The key goes at once, the memory with the last attachment. */
static void removal(void) {
    int key = 0x39000000 + getpid(), other;

    id = (int)OK(sys_shmget(key, PAGE, IPC_CREAT | 0600));
    memory = at(id, 0, 0);
    memory[0] = 5;
    gone(id);
    EQ(status(id).shm_perm.mode, 0600 | SHM_DEST);
    EQ(status(id).shm_perm.key, IPC_PRIVATE);
    other = (int)OK(sys_shmget(key, PAGE, IPC_CREAT | IPC_EXCL | 0600));
    EQ(at(id, 0, 0)[0], 5);
    child_ok(touch);
    EQ(memory[0], 6);
    gone(id); /* once more */
    OK(sys_shmdt(memory));
    EQ(status(id).shm_nattch, 1);
    gone(other);
    child_ok(nothing); /* inherits it and drops it */
    EQ(status(id).shm_nattch, 1);
}

static void hold(void) {
    EQ(status(id).shm_nattch, 2);
    memory[0] = 9;
    sleep_long();
}

static void fork_and_exit(void) {
    int pid;

    id = make(PAGE);
    memory = at(id, 0, 0);
    pid = spawn(hold);
    for (int tries = 0; ((volatile char *)memory)[0] != 9 && tries < 50; tries++) {
        until_asleep(pid); /* on its way there, perhaps */
        sleep_ms(10);
    }
    EQ(memory[0], 9);
    EQ(status(id).shm_nattch, 2);
    gone(id);
    OK(sys_shmdt(memory));
    EQ(status(id).shm_nattch, 1);
    kill_child(pid);
    FAILS(EINVAL, sys_shmctl(id, IPC_STAT, 0));
}

static void run_again(void) {
    char *argv[] = {(char *)"usertests", (char *)"-l", 0};

    OK(sys_dup3((int)OK(open_at("/dev/null", O_WRONLY, 0)), 1, 0));
    OK(sys_execve(self_path, argv, environ));
}

static void exec_detaches(void) {
    int pid;

    id = make(PAGE);
    memory = at(id, 0, 0);
    pid = spawn(run_again);
    wait_ok(pid);
    EQ(status(id).shm_nattch, 1);
    EQ(status(id).shm_lpid, pid);
    gone(id);
}

static void grow_over_the_end(void) { memory[PAGE] = 1; }

static void remap_is_no_more(void) {
    id = make(PAGE);
    memory = at(id, 0, 0);
    memory = (char *)OK(sys_mremap(memory, PAGE, 2 * PAGE, 1, 0));
    memory[0] = 1;
    EQ(child_signal(grow_over_the_end), SIGBUS);
    gone(id);
}

static void as_bob(void) {
    struct shmid64_ds ds;

    become_user(BOB);
    FAILS(EACCES, sys_shmat(id, 0, 0));
    FAILS(EACCES, sys_shmat(id, 0, SHM_RDONLY));
    FAILS(EACCES, sys_shmctl(id, IPC_STAT, &ds));
    FAILS(EACCES, sys_shmctl(id % 32768, SHM_STAT, &ds));
    EQ(sys_shmctl(id % 32768, SHM_STAT_ANY, &ds), id);
    FAILS(EPERM, sys_shmctl(id, IPC_RMID, 0));
    FAILS(EPERM, sys_shmctl(id, IPC_SET, &ds));
    FAILS(EPERM, sys_shmctl(id, SHM_LOCK, 0));
}

static void reads_only(void) {
    become_user(BOB);
    FAILS(EACCES, sys_shmat(id, 0, 0));
    EQ(at(id, 0, SHM_RDONLY)[0], 3);
    FAILS(EACCES, sys_shmat(id, 0, SHM_RDONLY | SHM_EXEC));
    FAILS(EPERM, sys_shmctl(id, IPC_RMID, 0));
}

static void owns(void) {
    become_user(BOB);
    at(id, 0, 0)[0] = 4;
    gone(id);
}

static void as_alice(void) {
    struct shmid64_ds ds;
    int key = 0x39000000 + getpid();

    become_user(ALICE);
    id = (int)OK(sys_shmget(key, PAGE, IPC_CREAT | 0600));
    at(id, 0, 0)[0] = 3;
    ds = status(id);
    EQ(ds.shm_perm.cuid, ALICE);
    EQ(ds.shm_perm.gid, ALICE);
    ds.shm_perm.mode = 07604;
    OK(sys_shmctl(id, IPC_SET, &ds));
    EQ(status(id).shm_perm.mode, 0604);
    ds.shm_perm.uid = -1u;
    FAILS(EINVAL, sys_shmctl(id, IPC_SET, &ds));
    FAILS(EFAULT, sys_shmctl(id, IPC_SET, unmapped_page()));
    FAILS(EFAULT, sys_shmctl(id, IPC_STAT, unmapped_page()));
    gone(id);
}

static void permissions(void) {
    struct shmid64_ds ds;

    id = (int)OK(sys_shmget(IPC_PRIVATE, PAGE, 0600));
    child_ok(as_bob);
    at(id, 0, 0)[0] = 3;
    ds = status(id);
    ds.shm_perm.mode = 0604;
    OK(sys_shmctl(id, IPC_SET, &ds));
    child_ok(reads_only);
    ds.shm_perm.mode = 0600;
    ds.shm_perm.uid = BOB;
    OK(sys_shmctl(id, IPC_SET, &ds));
    child_ok(owns);
    EQ(((volatile char *)at(id, 0, 0))[0], 4); /* root may, and it is not gone: the case has it */
    child_ok(as_alice);
}

static void find_by_number(void) {
    struct shm_info info;
    struct shmid64_ds ds;
    int one = make(PAGE), two = make(5 * PAGE), seen = 0, highest;

    memory = at(two, 0, 0);
    memory[0] = memory[PAGE] = 1;
    highest = (int)OK(sys_shmctl(0, SHM_INFO, &info));
    for (int i = 0; i <= highest; i++) {
        long found = sys_shmctl(i, SHM_STAT, &ds);
        if (found == one || found == two)
            seen += (int)ds.shm_segsz / PAGE;
    }
    EQ(seen, 6);
    CHECK(info.used_ids >= 2 && info.shm_tot >= 6 && info.shm_rss >= 2);
    EQ(info.shm_swp, 0);
    gone(one);
    gone(two);
}

static void set_limit(const char *file, const char *text) {
    char path[64];

    snprintf(path, sizeof(path), "/proc/sys/kernel/%s", file);
    int fd = (int)OK(open_at(path, O_WRONLY, 0));
    EQ(sys_write(fd, text, strlen(text)), strlen(text));
    OK(sys_close(fd));
}

static void limits(void) {
    struct shminfo64 i;
    char all[32], most[32], ids[32];

    OK(sys_shmctl(0, IPC_INFO, &i));
    EQ(i.shmmin, 1);
    EQ(i.shmmni, 4096);
    CHECK(i.shmmax > 1ul << 60 && i.shmall > 1ul << 60);
    OK(read_file("/proc/sys/kernel/shmmax", most, sizeof(most)));
    OK(read_file("/proc/sys/kernel/shmall", all, sizeof(all)));
    OK(read_file("/proc/sys/kernel/shmmni", ids, sizeof(ids)));
    set_limit("shmmax", "8192");
    FAILS(EINVAL, sys_shmget(IPC_PRIVATE, 8193, 0600));
    gone(make(8192));
    set_limit("shmmax", most);
    set_limit("shmall", "3");
    FAILS(ENOSPC, sys_shmget(IPC_PRIVATE, 4 * PAGE, 0600));
    set_limit("shmall", all);
    set_limit("shmmni", "1");
    id = make(1);
    FAILS(ENOSPC, sys_shmget(IPC_PRIVATE, 1, 0600));
    gone(id);
    set_limit("shmmni", ids);
    FAILS(ENOMEM, sys_shmget(IPC_PRIVATE, 1ul << 50, 0600));
    gone((int)OK(sys_shmget(IPC_PRIVATE, 1ul << 30, 0600 | SHM_NORESERVE)));
}

/* ipcs reads these columns. */
static void in_proc(void) {
    static char text[8192];
    char line[128];

    id = (int)OK(sys_shmget(0x1234, 2 * PAGE, IPC_CREAT | 0640));
    memory = at(id, 0, 0);
    memory[0] = 1;
    OK(read_file("/proc/sysvipc/shm", text, sizeof(text)));
    CHECK(strncmp(text, "       key      shmid perms                  size  cpid  lpid nattch",
                  68) == 0);
    snprintf(line, sizeof(line), "%10d %10d  %4o %21u %5u %5u  %5u     0     0     0     0", 0x1234,
             id, 0640, 2 * PAGE, getpid(), getpid(), 1);
    CHECK(strstr(text, line) != 0);
    gone(id);
}

static void locking(void) {
    id = make(1);
    OK(sys_shmctl(id, SHM_LOCK, 0));
    EQ(status(id).shm_perm.mode, 0600 | SHM_LOCKED);
    OK(sys_shmctl(id, SHM_UNLOCK, 0));
    EQ(status(id).shm_perm.mode, 0600);
    FAILS(EINVAL, sys_shmctl(id, 99, 0));
    gone(id);
}

/* Pages count as shared memory while the segment is there, mapped or not. */
static void accounted(void) {
    long before = proc_number("/proc/meminfo", "Shmem"),
         promised = proc_number("/proc/meminfo", "Committed_AS");

    id = make(64 * PAGE);
    memory = at(id, 0, 0);
    for (int i = 0; i < 64; i++)
        memory[i * PAGE] = 1;
    CHECK(proc_number("/proc/self/status", "RssShmem") >= 256);
    OK(sys_shmdt(memory));
    CHECK(proc_number("/proc/meminfo", "Shmem") >= before + 256);
    CHECK(proc_number("/proc/meminfo", "Committed_AS") >= promised + 256);
    gone(id);
}

static void attach_a_while(void) {
    for (int i = 0; i < 200; i++) {
        long p = sys_shmat(id, 0, 0);
        if (p == -EINVAL)
            return;
        (*(volatile char *)OK(p))++;
        OK(sys_shmdt((void *)p));
    }
}

/* Attaching, detaching and removing at once: the last one out destroys it once. */
static void removal_races(void) {
    for (int round = 0; round < 20; round++) {
        int pids[4];
        id = make(PAGE);
        for (int i = 0; i < 4; i++)
            pids[i] = spawn(attach_a_while);
        sys_sched_yield();
        gone(id);
        for (int i = 0; i < 4; i++)
            wait_ok(pids[i]);
        FAILS(EINVAL, sys_shmctl(id, IPC_STAT, 0));
    }
}

const struct test shm_tests[] = {
    {"I2_shmget_by_key", get_by_key, 0},
    {"I2_shm_ids_are_new", ids_are_new, 0},
    {"I2_shm_stat", what_stat_says, 0},
    {"I2_shm_same_frames", same_frames, 0},
    {"I2_shmat_at_an_address", at_an_address, 0},
    {"I2_shmat_read_only", read_only, 0},
    {"I2_shmdt", detach, 0},
    {"I2_shm_removal", removal, 0},
    {"I2_shm_fork_and_exit", fork_and_exit, 0},
    {"I2_shm_exec_detaches", exec_detaches, 0},
    {"I2_shm_mremap", remap_is_no_more, 0},
    {"I2_shm_permissions", permissions, 0},
    {"I2_shm_find_by_number", find_by_number, 0},
    {"I10_shm_limits", limits, 0},
    {"I10_proc_sysvipc_shm", in_proc, 0},
    {"I2_shm_locking", locking, 0},
    {"I2_shm_accounted", accounted, 0},
    {"I2_shm_removal_races", removal_races, 0},
    {0, 0, 0},
};
