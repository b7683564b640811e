/* Sockets of the UNIX domain. Each case holds what unix(7), or the page of a call, says of one operation, flag or error. */
#include "user/usertests/ut.h"
#include "abi/ioctl.h"
#include "abi/poll.h"
#include "abi/resource.h"
#include "abi/sched.h"
#include "abi/socket.h"
#include "abi/uio.h"

static int s[2];
static char buffer[400000];

static void pair(int type) { OK(sys_socketpair(AF_UNIX, type, 0, s)); }
static int sock(int type) { return (int)OK(sys_socket(AF_UNIX, type, 0)); }

/* An address; a name that begins with '@' is abstract. */
static struct sockaddr_un address(const char *name, unsigned *len) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    strcpy(a.sun_path, name);
    *len = 2 + (unsigned)strlen(name) + (name[0] != '@');
    if (name[0] == '@')
        a.sun_path[0] = 0;
    return a;
}

static long bind_to(int fd, const char *name) {
    unsigned len;
    struct sockaddr_un a = address(name, &len);

    return sys_bind(fd, &a, len);
}

static long connect_to(int fd, const char *name) {
    unsigned len;
    struct sockaddr_un a = address(name, &len);

    return sys_connect(fd, &a, len);
}

static int listener(const char *name, int type, int backlog) {
    int fd = sock(type);

    OK(bind_to(fd, name));
    OK(sys_listen(fd, backlog));
    return fd;
}

static int client(const char *name, int type) {
    int fd = sock(type);

    OK(connect_to(fd, name));
    return fd;
}

static int poll_now(int fd, int ms) {
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    return OK(sys_ppoll(&p, 1, &t, 0, 8)) ? p.revents : 0;
}

static void expect(int fd, const char *text) {
    char got[64];
    size_t n = strlen(text);

    EQ(sys_read(fd, got, sizeof(got)), n);
    CHECK(memcmp(got, text, n) == 0);
}

static void send_text(int fd, const char *text) {
    EQ(sys_write(fd, text, strlen(text)), strlen(text));
}

static void nonblocking(int fd) { OK(sys_fcntl(fd, F_SETFL, O_NONBLOCK)); }

/* ---- streams */

static void stream(void) {
    char c[8];
    struct abi_stat st;

    pair(SOCK_STREAM | SOCK_CLOEXEC);
    EQ(sys_fcntl(s[1], F_GETFD, 0), FD_CLOEXEC);
    OK(sys_fstat(s[0], &st));
    EQ(st.st_mode & S_IFMT, S_IFSOCK);
    FAILS(ESPIPE, sys_lseek(s[0], 0, SEEK_SET));
    send_text(s[0], "hello ");
    send_text(s[0], "world");
    EQ(sys_read(s[1], c, 3), 3);
    expect(s[1], "lo world"); /* no boundaries */
    send_text(s[1], "back");
    expect(s[0], "back");
    EQ(sys_write(s[0], c, 0), 0);
    EQ(sys_recvfrom(s[0], c, 1, MSG_DONTWAIT, 0, 0), -EAGAIN);
    send_text(s[0], "rest");
    OK(sys_close(s[0]));
    expect(s[1], "rest");
    EQ(sys_read(s[1], c, 1), 0);
    EQ(poll_now(s[1], 0), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
}

static void errors(void) {
    int file;
    struct sockaddr_un a;
    unsigned len = sizeof(a);
    char c;

    put_file("file", "x");
    file = (int)OK(open_at("file", O_RDWR, 0));
    FAILS(EAFNOSUPPORT, sys_socket(99, SOCK_STREAM, 0));
    FAILS(EAFNOSUPPORT, sys_socket(AF_INET6, SOCK_STREAM, 0));
    FAILS(ESOCKTNOSUPPORT, sys_socket(AF_UNIX, 4, 0));
    FAILS(EPROTONOSUPPORT, sys_socket(AF_UNIX, SOCK_STREAM, 7));
    FAILS(EINVAL, sys_socket(AF_UNIX, SOCK_STREAM | 0x100, 0));
    FAILS(EFAULT, sys_socketpair(AF_UNIX, SOCK_STREAM, 0, unmapped_page()));
    FAILS(ENOTSOCK, sys_listen(file, 1));
    FAILS(EBADF, sys_listen(99, 1));
    s[0] = sock(SOCK_STREAM);
    FAILS(ENOTCONN, sys_getpeername(s[0], &a, &len));
    FAILS(ENOTCONN, sys_shutdown(s[0], SHUT_RD));
    FAILS(ENOTCONN, sys_sendto(s[0], "x", 1, MSG_NOSIGNAL, 0, 0));
    FAILS(EINVAL, sys_read(s[0], &c, 1));
    FAILS(EINVAL, sys_listen(s[0], 1)); /* no name */
    FAILS(EINVAL, sys_accept(s[0], 0, 0));
    FAILS(ENOENT, connect_to(s[0], "nobody"));
    FAILS(ECONNREFUSED, connect_to(s[0], "file"));
    FAILS(ECONNREFUSED, connect_to(s[0], "@nobody"));
    FAILS(EINVAL, sys_connect(s[0], &a, 1));
    FAILS(EFAULT, sys_bind(s[0], unmapped_page(), 10));
    FAILS(EINVAL, sys_bind(s[0], &a, sizeof(a) + 1));
    FAILS(EINVAL, sys_shutdown(s[0], 3));
    s[1] = sock(SOCK_DGRAM);
    FAILS(EOPNOTSUPP, sys_listen(s[1], 1));
    FAILS(EOPNOTSUPP, sys_accept(s[1], 0, 0));
    FAILS(ENOTCONN, sys_write(s[1], "x", 1));
    FAILS(EOPNOTSUPP, sys_sendto(s[1], "x", 1, MSG_OOB, 0, 0));
}

static int broken;
static void on_pipe(int sig) {
    (void)sig;
    broken++;
}

static void broken_pipe(void) {
    on_signal(SIGPIPE, on_pipe, 0);
    pair(SOCK_STREAM);
    OK(sys_close(s[1]));
    FAILS(EPIPE, sys_write(s[0], "x", 1));
    EQ(broken, 1);
    FAILS(EPIPE, sys_sendto(s[0], "x", 1, MSG_NOSIGNAL, 0, 0));
    EQ(broken, 1);
    pair(SOCK_STREAM);
    send_text(s[0], "unread");
    OK(sys_close(s[1]));
    FAILS(ECONNRESET, sys_read(s[0], buffer, 1));
    EQ(sys_read(s[0], buffer, 1), 0);
}

static void shut_down(void) {
    char c;

    pair(SOCK_STREAM);
    send_text(s[0], "last");
    OK(sys_shutdown(s[0], SHUT_WR));
    FAILS(EPIPE, sys_sendto(s[0], "x", 1, MSG_NOSIGNAL, 0, 0));
    EQ(poll_now(s[1], 0), POLLIN | POLLOUT | POLLRDHUP);
    expect(s[1], "last");
    EQ(sys_read(s[1], &c, 1), 0);
    send_text(s[1], "still");
    expect(s[0], "still");
    OK(sys_shutdown(s[0], SHUT_RD));
    FAILS(EPIPE, sys_sendto(s[1], "x", 1, MSG_NOSIGNAL, 0, 0));
    EQ(sys_read(s[0], &c, 1), 0);
}

static void read_and_exit(void) {
    char c;

    EQ(sys_read(s[0], &c, 1), 0);
}

static void shut_wakes(void) {
    int pid;

    pair(SOCK_STREAM);
    pid = spawn(read_and_exit);
    until_asleep(pid);
    OK(sys_shutdown(s[1], SHUT_WR));
    wait_ok(pid);
}

static void pour(void) {
    sys_close(s[1]);
    for (int i = 0, n = 0; i < 100; i++) {
        for (int j = 0; j < 10007; j++)
            buffer[j] = (char)(n++ % 251);
        OK(write_all(s[0], buffer, 10007));
    }
}

static void bytes_in_order(void) {
    int pid, n = 0;

    pair(SOCK_STREAM);
    pid = spawn(pour);
    OK(sys_close(s[0]));
    for (long got; (got = OK(sys_read(s[1], buffer, 7777))) > 0;)
        for (long i = 0; i < got; i++)
            EQ((uchar)buffer[i], n++ % 251);
    EQ(n, 100 * 10007);
    wait_ok(pid);
}

static void back_pressure(void) {
    long total = 0, r;
    int size = 8192;
    unsigned len = sizeof(size);

    pair(SOCK_STREAM);
    OK(sys_setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
    OK(sys_getsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &size, &len));
    EQ(size, 16384);
    nonblocking(s[0]);
    while ((r = sys_write(s[0], buffer, 1000)) > 0)
        total += r;
    EQ(r, -EAGAIN);
    CHECK(total >= 8192 && total <= 20000);
    EQ(poll_now(s[0], 0) & POLLOUT, 0);
    while (total > 0)
        total -= OK(sys_read(s[1], buffer, 3000));
    EQ(poll_now(s[0], 0), POLLOUT);
}

static void fill_up(void) {
    while (sys_write(s[0], buffer, 100000) > 0)
        ;
}

static void killed_and_closed(void) {
    int pid;

    pair(SOCK_STREAM);
    pid = spawn(fill_up);
    until_asleep(pid);
    kill_child(pid);
    pid = spawn(read_and_exit);
    until_asleep(pid);
    kill_child(pid);
    pair(SOCK_STREAM);
    pid = spawn(fill_up);
    until_asleep(pid);
    OK(sys_shutdown(s[1], SHUT_RD)); /* the writer gets SIGPIPE */
    EQ(wait_status(pid), SIGPIPE);
}

static void flags(void) {
    char c[8] = {0};
    int bytes, pid;

    pair(SOCK_STREAM);
    send_text(s[0], "abc");
    send_text(s[0], "def");
    EQ(sys_recvfrom(s[1], c, 5, MSG_PEEK, 0, 0), 5); /* through two pieces */
    CHECK(memcmp(c, "abcde", 5) == 0);
    OK(sys_ioctl(s[1], FIONREAD, &bytes));
    EQ(bytes, 6);
    EQ(sys_recvfrom(s[1], c, 6, MSG_WAITALL, 0, 0), 6);
    pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 4; i++) {
            sleep_ms(5);
            send_text(s[0], "x");
        }
        sys_exit_group(0);
    }
    EQ(sys_recvfrom(s[1], c, 4, MSG_WAITALL, 0, 0), 4);
    wait_ok(pid);
    FAILS(EAGAIN, sys_recvfrom(s[1], c, 4, MSG_DONTWAIT, 0, 0));
    send_text(s[0], "yz");
    OK(sys_close(s[0]));
    EQ(sys_recvfrom(s[1], c, 4, MSG_WAITALL, 0, 0), 2);
}

static void time_limits(void) {
    struct timeval t = {0, 30000}, got;
    unsigned len = sizeof(got);
    int64_t start = now_ms();
    char c;

    pair(SOCK_STREAM);
    OK(sys_setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
    OK(sys_setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t)));
    OK(sys_getsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &got, &len));
    EQ(got.tv_usec, 30000);
    FAILS(EAGAIN, sys_read(s[0], &c, 1));
    CHECK(now_ms() - start >= 30);
    while (sys_write(s[0], buffer, 100000) == 100000)
        ;
    FAILS(EAGAIN, sys_write(s[0], buffer, 1));
}

static void on_usr1(int sig) {
    (void)sig;
    broken++;
}

static void interrupted(void) {
    int parent = getpid();
    char c;

    pair(SOCK_STREAM);
    on_signal(SIGUSR1, on_usr1, 0);
    if (fork() == 0) {
        until_asleep(parent);
        sys_kill(parent, SIGUSR1);
        sys_exit_group(0);
    }
    FAILS(EINTR, sys_read(s[0], &c, 1));
    on_signal(SIGUSR1, on_usr1, SA_RESTART);
    if (fork() == 0) {
        until_asleep(parent);
        sys_kill(parent, SIGUSR1);
        sleep_ms(30);
        send_text(s[1], "x");
        sys_exit_group(0);
    }
    EQ(sys_read(s[0], &c, 1), 1);
    EQ(broken, 2);
}

/* ---- names and connections */

static void by_path(void) {
    int l = listener("name", SOCK_STREAM, 5), c, n;
    struct sockaddr_un a;
    unsigned len = sizeof(a);

    EQ(stat_of("name").st_mode & S_IFMT, S_IFSOCK);
    FAILS(ENXIO, open_at("name", O_RDWR, 0));
    FAILS(EINVAL, bind_to(l, "other"));
    FAILS(EADDRINUSE, bind_to(sock(SOCK_STREAM), "name"));
    OK(sys_getsockname(l, &a, &len));
    EQ(len, 7);
    CHECK(strcmp(a.sun_path, "name") == 0);
    EQ(poll_now(l, 0), 0);
    c = client("name", SOCK_STREAM);
    EQ(poll_now(l, 0), POLLIN);
    send_text(c, "early"); /* before it is accepted */
    len = sizeof(a);
    n = (int)OK(sys_accept4(l, &a, &len, SOCK_CLOEXEC | SOCK_NONBLOCK));
    EQ(len, 2); /* the client has no name */
    EQ(sys_fcntl(n, F_GETFD, 0), FD_CLOEXEC);
    CHECK(sys_fcntl(n, F_GETFL, 0) & O_NONBLOCK);
    expect(n, "early");
    FAILS(EAGAIN, sys_read(n, buffer, 1));
    len = sizeof(a);
    OK(sys_getpeername(c, &a, &len));
    CHECK(len == 7 && strcmp(a.sun_path, "name") == 0);
    FAILS(EISCONN, connect_to(c, "name"));
    FAILS(EINVAL, connect_to(l, "name"));
    FAILS(EPROTOTYPE, connect_to(sock(SOCK_SEQPACKET), "name"));
    FAILS(EINVAL, sys_accept4(l, 0, 0, 1));
    OK(sys_unlinkat(AT_FDCWD, "name", 0));
    FAILS(ENOENT, connect_to(sock(SOCK_STREAM), "name"));
    send_text(n, "on");
    expect(c, "on");
    n = listener("name", SOCK_STREAM, 1); /* the old one is not in the way */
    client("name", SOCK_STREAM);
    EQ(poll_now(n, 0), POLLIN);
    EQ(poll_now(l, 0), 0);
    OK(sys_close(n));
    FAILS(ECONNREFUSED, connect_to(sock(SOCK_STREAM), "name"));
}

static void by_abstract_name(void) {
    int l = listener("@ut-abstract", SOCK_STREAM, 5), other = sock(SOCK_STREAM);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    unsigned len = sizeof(a);

    FAILS(EADDRINUSE, bind_to(other, "@ut-abstract"));
    CHECK(!is_there("@ut-abstract"));
    client("@ut-abstract", SOCK_STREAM);
    OK(sys_getsockname(l, &a, &len));
    EQ(len, 2 + 12);
    OK(sys_close(l));
    OK(bind_to(other, "@ut-abstract")); /* gone with its socket */
    other = sock(SOCK_DGRAM);
    OK(sys_bind(other, &a, 2)); /* any name that is free */
    len = sizeof(a);
    OK(sys_getsockname(other, &a, &len));
    EQ(len, 8);
    EQ(a.sun_path[0], 0);
}

static void permission(void) {
    int l = listener("name", SOCK_STREAM, 5), pid;

    (void)l;
    OK(sys_fchmodat(AT_FDCWD, ".", 0777));
    OK(sys_fchmodat(AT_FDCWD, "name", 0755));
    pid = fork();
    if (pid == 0) {
        become_user(1000);
        FAILS(EACCES, connect_to(sock(SOCK_STREAM), "name"));
        sys_exit_group(0);
    }
    wait_ok(pid);
    OK(sys_fchmodat(AT_FDCWD, "name", 0722));
    pid = fork();
    if (pid == 0) {
        become_user(1000);
        client("name", SOCK_STREAM);
        sys_exit_group(0);
    }
    wait_ok(pid);
    OK(sys_fchmodat(AT_FDCWD, ".", 0755));
    pid = fork();
    if (pid == 0) {
        become_user(1000);
        FAILS(EACCES, bind_to(sock(SOCK_STREAM), "mine"));
        sys_exit_group(0);
    }
    wait_ok(pid);
}

static int accepting;
static void accept_one(void) { send_text((int)OK(sys_accept(accepting, 0, 0)), "yes"); }
static void connect_one(void) { client("name", SOCK_STREAM); }

static void accept_blocks(void) {
    int pid, c;

    accepting = listener("name", SOCK_STREAM, 1);
    pid = spawn(accept_one);
    until_asleep(pid);
    c = client("name", SOCK_STREAM);
    expect(c, "yes");
    wait_ok(pid);
    pid = spawn(accept_one);
    until_asleep(pid);
    kill_child(pid);
    nonblocking(accepting);
    FAILS(EAGAIN, sys_accept(accepting, 0, 0));
}

static void backlog(void) {
    int c, pid;

    accepting = listener("name", SOCK_STREAM, 1);
    client("name", SOCK_STREAM);
    client("name", SOCK_STREAM);
    c = (int)OK(sys_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    FAILS(EAGAIN, connect_to(c, "name"));
    EQ(poll_now(c, 0), POLLOUT | POLLHUP); /* is not connected */
    pid = spawn(connect_one);
    until_asleep(pid);
    OK(sys_accept(accepting, 0, 0));
    wait_ok(pid); /* there was room */
    pid = spawn(connect_one);
    until_asleep(pid);
    kill_child(pid);
    OK(sys_accept(accepting, 0, 0));
    OK(connect_to(c, "name"));
}

static void connect_refused(void) { FAILS(ECONNREFUSED, connect_to(sock(SOCK_STREAM), "name")); }

static void listener_closes(void) {
    int c, pid;

    accepting = listener("name", SOCK_STREAM, 0);
    c = client("name", SOCK_STREAM);
    pid = spawn(connect_refused);
    until_asleep(pid);
    OK(sys_shutdown(accepting, SHUT_RDWR));
    wait_ok(pid);
    OK(sys_close(accepting));
    FAILS(ECONNRESET, sys_read(c, buffer, 1));
}

/* No connection is lost to a program that is out of descriptors. */
static void accept_limit(void) {
    struct rlimit few = {20, 20};
    int l = listener("name", SOCK_STREAM, 5), c, last;

    c = client("name", SOCK_STREAM);
    send_text(c, "kept");
    OK(sys_setrlimit(RLIMIT_NOFILE, &few));
    while ((last = (int)sys_dup(0)) >= 0)
        few.rlim_max = (uint64_t)last;
    FAILS(EMFILE, sys_accept(l, 0, 0));
    FAILS(EMFILE, sys_socket(AF_UNIX, SOCK_STREAM, 0));
    FAILS(EMFILE, sys_socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    OK(sys_close((int)few.rlim_max));
    expect((int)OK(sys_accept(l, 0, 0)), "kept");
}

static void peer_cred(void) {
    int l = listener("@ut-cred", SOCK_STREAM, 5), pid;
    struct ucred u;
    unsigned len = sizeof(u);
    int c, accepted;

    pid = fork();
    if (pid == 0) {
        become_user(1234);
        c = client("@ut-cred", SOCK_STREAM);
        OK(sys_getsockopt(c, SOL_SOCKET, SO_PEERCRED, &u, &len));
        CHECK(u.pid == sys_getppid() && u.uid == 0);
        sys_exit_group(0);
    }
    accepted = (int)OK(sys_accept(l, 0, 0));
    OK(sys_getsockopt(accepted, SOL_SOCKET, SO_PEERCRED, &u, &len));
    EQ(len, sizeof(u));
    CHECK(u.pid == pid && u.uid == 1234 && u.gid == 1234);
    wait_ok(pid);
    OK(sys_getsockopt(l, SOL_SOCKET, SO_PEERCRED, &u, &len));
    CHECK(u.pid == 0 && u.uid == ~0u);
}

static void options(void) {
    int v = 1;
    unsigned len = sizeof(v);

    pair(SOCK_SEQPACKET);
    OK(sys_getsockopt(s[0], SOL_SOCKET, SO_TYPE, &v, &len));
    EQ(v, SOCK_SEQPACKET);
    OK(sys_getsockopt(s[0], SOL_SOCKET, SO_DOMAIN, &v, &len));
    EQ(v, AF_UNIX);
    OK(sys_getsockopt(s[0], SOL_SOCKET, SO_ACCEPTCONN, &v, &len));
    EQ(v, 0);
    OK(sys_getsockopt(s[0], SOL_SOCKET, SO_ERROR, &v, &len));
    EQ(v, 0);
    v = 1;
    OK(sys_setsockopt(s[0], SOL_SOCKET, SO_REUSEADDR, &v, sizeof(v)));
    v = 0;
    OK(sys_getsockopt(s[0], SOL_SOCKET, SO_REUSEADDR, &v, &len));
    EQ(v, 1);
    FAILS(ENOPROTOOPT, sys_setsockopt(s[0], SOL_SOCKET, 1000, &v, sizeof(v)));
    FAILS(ENOPROTOOPT, sys_getsockopt(s[0], SOL_SOCKET, 1000, &v, &len));
    FAILS(EINVAL, sys_setsockopt(s[0], SOL_SOCKET, SO_PASSCRED, &v, 2));
    FAILS(EFAULT, sys_setsockopt(s[0], SOL_SOCKET, SO_PASSCRED, unmapped_page(), sizeof(v)));
    FAILS(EFAULT, sys_getsockopt(s[0], SOL_SOCKET, SO_TYPE, unmapped_page(), &len));
    EQ(sys_getsockopt(listener("@ut-opt", SOCK_STREAM, 1), SOL_SOCKET, SO_ACCEPTCONN, &v, &len), 0);
    EQ(v, 1);
}

/* ---- datagrams */

static void datagrams(void) {
    int a = sock(SOCK_DGRAM), b = sock(SOCK_DGRAM);
    struct sockaddr_un from, to;
    unsigned len, to_len;
    char c[8];

    OK(bind_to(a, "@ut-a"));
    OK(bind_to(b, "b"));
    to = address("b", &to_len);
    EQ(sys_sendto(a, "one", 3, 0, &to, to_len), 3);
    EQ(sys_sendto(a, "", 0, 0, &to, to_len), 0);
    EQ(sys_sendto(a, "three", 5, 0, &to, to_len), 5);
    len = sizeof(from);
    EQ(sys_recvfrom(b, c, sizeof(c), 0, &from, &len), 3);
    CHECK(len == 7 && memcmp(from.sun_path, "\0ut-a", 5) == 0);
    EQ(sys_read(b, c, sizeof(c)), 0); /* an empty one */
    EQ(sys_recvfrom(b, c, 2, MSG_PEEK, 0, 0), 2);
    EQ(sys_recvfrom(b, c, 2, MSG_TRUNC, 0, 0), 5); /* its length; the rest is gone */
    FAILS(EAGAIN, sys_recvfrom(b, c, 2, MSG_DONTWAIT, 0, 0));
    FAILS(EMSGSIZE, sys_sendto(a, buffer, 300000, 0, &to, to_len));
    FAILS(EPROTOTYPE, sys_connect(sock(SOCK_STREAM), &to, to_len));
    OK(sys_connect(a, &to, to_len));
    send_text(a, "conn");
    expect(b, "conn");
    OK(sys_connect(b, &from, len));
    s[0] = sock(SOCK_DGRAM);
    FAILS(EPERM, sys_sendto(s[0], "x", 1, 0, &to, to_len)); /* b listens to a only */
    OK(sys_close(b));
    FAILS(ECONNREFUSED, sys_write(a, "x", 1));
    FAILS(ENOTCONN, sys_write(a, "x", 1));
}

static void datagrams_wait(void) {
    int b = sock(SOCK_DGRAM), a = sock(SOCK_DGRAM), pid, n = 0;
    char c;

    OK(bind_to(b, "@ut-b"));
    OK(connect_to(a, "@ut-b"));
    nonblocking(a);
    while (sys_write(a, "x", 1) == 1)
        n++;
    EQ(n, 11);
    EQ(poll_now(a, 0), 0);
    OK(sys_fcntl(a, F_SETFL, 0));
    pid = fork();
    if (pid == 0) {
        EQ(sys_write(a, "y", 1), 1);
        sys_exit_group(0);
    }
    until_asleep(pid);
    EQ(sys_read(b, &c, 1), 1);
    wait_ok(pid);
    pid = fork();
    if (pid == 0) {
        EQ(poll_now(a, 20000), POLLOUT); /* woken in poll */
        sys_exit_group(0);
    }
    until_asleep(pid);
    EQ(sys_read(b, &c, 1), 1);
    wait_ok(pid);
}

static void seqpackets(void) {
    int l = listener("@ut-seq", SOCK_SEQPACKET, 5), c = client("@ut-seq", SOCK_SEQPACKET);
    int n = (int)OK(sys_accept(l, 0, 0));
    char b[8];

    send_text(c, "one");
    send_text(c, "second");
    expect(n, "one");
    EQ(sys_read(n, b, 2), 2);
    OK(sys_close(c));
    EQ(sys_read(n, b, 2), 0);
    FAILS(EPIPE, sys_write(n, "x", 1));
    FAILS(ENOTCONN, sys_read(sock(SOCK_SEQPACKET), b, 1));
}

/* ---- messages with descriptors and credentials */

struct control {
    struct cmsghdr h;
    int fd[SCM_MAX_FD + 1];
};

static long send_fds(int to, const int *fd, unsigned n) {
    struct iovec v = {(char[]){'x'}, 1};
    static struct control c;
    struct msghdr m = {.msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = &c,
                       .msg_controllen = CMSG_LEN(n * sizeof(int))};

    c.h = (struct cmsghdr){CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(c.fd, fd, n * sizeof(int));
    return sys_sendmsg(to, &m, 0);
}

/* The descriptors received with one byte; their number. */
static int recv_fds(int from, int *fd, unsigned room, int how, unsigned *out) {
    char byte;
    struct iovec v = {&byte, 1};
    static struct control c;
    struct msghdr m = {.msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = &c,
                       .msg_controllen = CMSG_LEN(room * sizeof(int))};

    EQ(sys_recvmsg(from, &m, how), 1);
    *out = m.msg_flags;
    if (m.msg_controllen < sizeof(c.h))
        return 0;
    EQ(c.h.cmsg_type, SCM_RIGHTS);
    memcpy(fd, c.fd, c.h.cmsg_len - sizeof(c.h));
    return (int)((c.h.cmsg_len - sizeof(c.h)) / sizeof(int));
}

static void rights(void) {
    int fd[4], got[4];
    unsigned out;

    pair(SOCK_STREAM);
    put_file("file", "text");
    fd[0] = (int)OK(open_at("file", O_RDONLY, 0));
    fd[1] = (int)OK(open_at("/", O_RDONLY, 0));
    EQ(send_fds(s[0], fd, 2), 1);
    OK(sys_close(fd[0]));
    EQ(recv_fds(s[1], got, 4, MSG_CMSG_CLOEXEC, &out), 2);
    EQ(sys_fcntl(got[0], F_GETFD, 0), FD_CLOEXEC);
    expect(got[0], "text");
    EQ(send_fds(s[0], fd + 1, 1), 1);
    EQ(recv_fds(s[1], got, 4, MSG_PEEK, &out), 1); /* peeking makes copies */
    EQ(recv_fds(s[1], got + 1, 4, 0, &out), 1);
    CHECK(got[0] != got[1]);
    fd[2] = fd[3] = fd[0] = fd[1];
    EQ(send_fds(s[0], fd, 4), 1);
    EQ(recv_fds(s[1], got, 2, 0, &out), 2);
    EQ(out & MSG_CTRUNC, MSG_CTRUNC);
    EQ(send_fds(s[0], fd, 4), 1);
    EQ(sys_read(s[1], buffer, 10), 1); /* not asked for: closed */
    fd[0] = 99;
    FAILS(EBADF, send_fds(s[0], fd, 1));
    for (int i = 0; i < 4; i++)
        fd[i] = fd[1];
    EQ(send_fds(s[0], fd, 1), 1); /* left in the queue at the end */
}

static void rights_limits(void) {
    static int many[SCM_MAX_FD + 1];
    struct rlimit few = {20, 20};
    int got[8], last = 0;
    unsigned out;

    pair(SOCK_DGRAM);
    FAILS(EINVAL, send_fds(s[0], many, SCM_MAX_FD + 1));
    EQ(send_fds(s[0], many, SCM_MAX_FD), 1);
    EQ(sys_read(s[1], buffer, 1), 1);
    EQ(send_fds(s[0], many, 8), 1);
    OK(sys_setrlimit(RLIMIT_NOFILE, &few));
    for (int fd; (fd = (int)sys_dup(0)) >= 0;)
        last = fd;
    OK(sys_close(last));
    OK(sys_close(last - 1));
    EQ(recv_fds(s[1], got, 8, 0, &out), 2);
    EQ(out & MSG_CTRUNC, MSG_CTRUNC);
}

static void send_many(void) {
    static int many[SCM_MAX_FD];
    struct rlimit few = {20, 20};

    OK(sys_setrlimit(RLIMIT_NOFILE, &few));
    become_user(1000);
    EQ(send_fds(s[0], many, 20), 1);
    EQ(send_fds(s[0], many, 5), 1); /* looked at before they are counted */
    FAILS(ETOOMANYREFS, send_fds(s[0], many, 1));
    EQ(sys_read(s[1], buffer, 1), 1);
    EQ(send_fds(s[0], many, 1), 1);
}

/* A user has not more descriptors in flight than it may have open. */
static void rights_in_flight(void) {
    pair(SOCK_DGRAM);
    child_ok(send_many);
    EQ(send_fds(s[0], s, 2), 1);
}

static void proc_net_unix(void) {
    static char text[8192];
    int fd = listener("socket", SOCK_STREAM, 1), other = sock(SOCK_DGRAM);
    char line[80];

    OK(bind_to(other, "@abstract"));
    pair(SOCK_SEQPACKET);
    CHECK(OK(read_file("/proc/net/unix", text, sizeof(text))) > 0);
    CHECK(strstr(text, "Num       RefCount Protocol Flags    Type St Inode Path\n") == text);
    struct abi_stat st;
    OK(sys_fstat(fd, &st));
    snprintf(line, sizeof(line), " 00000000 00010000 0001 01 %5lu socket\n", st.st_ino);
    CHECK(strstr(text, line));
    OK(sys_fstat(other, &st));
    snprintf(line, sizeof(line), " 00000000 00000000 0002 01 %5lu @abstract\n", st.st_ino);
    CHECK(strstr(text, line));
    OK(sys_fstat(s[0], &st));
    snprintf(line, sizeof(line), " 00000000 00000000 0005 03 %5lu\n", st.st_ino);
    CHECK(strstr(text, line));
}

/* Data that descriptors came with is not mixed with what follows. */
static void rights_are_a_border(void) {
    int fd = 0, got[4];
    unsigned out;

    pair(SOCK_STREAM);
    EQ(send_fds(s[0], &fd, 1), 1);
    send_text(s[0], "more");
    EQ(sys_read(s[1], buffer, 10), 1);
    EQ(sys_read(s[1], buffer, 10), 4);
    EQ(send_fds(s[0], &fd, 1), 1);
    EQ(send_fds(s[0], &fd, 1), 1);
    EQ(recv_fds(s[1], got, 4, 0, &out), 1);
    EQ(recv_fds(s[1], got, 4, 0, &out), 1);
}

/* Sockets in each other's queues, and in their own, go when nobody can reach them; the leak check sees those that stay. */
static void cycles(void) {
    long before, after = 0;

    for (int round = 0; round < 3; round++) {
        pair(SOCK_STREAM);
        EQ(send_fds(s[0], &s[0], 1), 1);
        EQ(send_fds(s[0], &s[1], 1), 1);
        EQ(send_fds(s[1], &s[0], 1), 1);
        EQ(send_fds(s[1], s, 2), 1);
        OK(sys_close(s[0]));
        OK(sys_close(s[1]));
    }
    pair(SOCK_STREAM);
    before = proc_number("/proc/slabinfo", "\nfile ");
    for (int i = 0; i < 200; i++) {
        int t[2];
        OK(sys_socketpair(AF_UNIX, SOCK_DGRAM, 0, t));
        EQ(send_fds(t[0], t, 2), 1);
        OK(sys_close(t[0]));
        OK(sys_close(t[1]));
    }
    for (int tries = 0; tries < 1000; tries++) { /* a thread looks for them */
        after = proc_number("/proc/slabinfo", "\nfile ");
        if (after - before < 50)
            break;
        sleep_ms(10);
    }
    CHECK(after - before < 50);
}

/* A socket that is only in a queue is alive while that queue can be read. */
static void not_garbage(void) {
    int inner[2], got[2];
    unsigned out;

    pair(SOCK_STREAM);
    OK(sys_socketpair(AF_UNIX, SOCK_STREAM, 0, inner));
    EQ(send_fds(inner[0], inner, 2), 1); /* a cycle of its own */
    EQ(send_fds(s[0], &inner[1], 1), 1); /* but reachable */
    OK(sys_close(inner[0]));
    OK(sys_close(inner[1]));
    EQ(recv_fds(s[1], got, 1, 0, &out), 1);
    EQ(recv_fds(got[0], inner, 2, 0, &out), 2);
    send_text(inner[0], "alive");
    expect(inner[1], "alive");
}

/* A chain of sockets, each in the queue of the next: closed without recursion. */
static void long_chain(void) {
    int next[2];

    pair(SOCK_STREAM);
    for (int i = 0; i < 300; i++) {
        OK(sys_socketpair(AF_UNIX, SOCK_STREAM, 0, next));
        EQ(send_fds(next[0], s, 2), 1);
        OK(sys_close(s[0]));
        OK(sys_close(s[1]));
        s[0] = next[0];
        s[1] = next[1];
    }
    OK(sys_close(s[0]));
    OK(sys_close(s[1]));
}

/* Connections in the queue of a listener that is in its own connection's queue. */
static void pending_cycle(void) {
    for (int i = 0; i < 20; i++) {
        char name[32];
        int l, c;
        snprintf(name, sizeof(name), "@ut-cycle%d.%d", getpid(), i);
        l = listener(name, SOCK_STREAM, 5);
        c = client(name, SOCK_STREAM);
        EQ(send_fds(c, &l, 1), 1);
        OK(sys_close(l));
        OK(sys_close(c));
    }
}

static void credentials(void) {
    struct {
        struct cmsghdr h;
        struct ucred u;
        uint32_t pad;
    } c = {{CMSG_LEN(sizeof(struct ucred)), SOL_SOCKET, SCM_CREDENTIALS}, {0, 0, 0}, 0};
    struct iovec v = {buffer, 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    int on = 1, pid;

    pair(SOCK_DGRAM);
    OK(sys_setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
    pid = fork();
    if (pid == 0) {
        become_user(1234);
        EQ(sys_write(s[0], "x", 1), 1); /* its own are added */
        m.msg_control = &c;
        m.msg_controllen = sizeof(c);
        c.u = (struct ucred){getpid(), 0, 0};
        FAILS(EPERM, sys_sendmsg(s[0], &m, 0));
        c.u = (struct ucred){1, 1234, 1234};
        FAILS(EPERM, sys_sendmsg(s[0], &m, 0));
        sys_exit_group(0);
    }
    wait_ok(pid);
    m.msg_control = &c;
    m.msg_controllen = sizeof(c);
    EQ(sys_recvmsg(s[1], &m, 0), 1);
    EQ(m.msg_controllen, CMSG_SPACE(sizeof(struct ucred)));
    CHECK(c.u.pid == pid && c.u.uid == 1234 && c.u.gid == 1234);
    c.u = (struct ucred){1, 77, 88}; /* root may say anything */
    c.h.cmsg_len = CMSG_LEN(sizeof(struct ucred));
    EQ(sys_sendmsg(s[0], &m, 0), 1);
    c.u.pid = 0;
    EQ(sys_recvmsg(s[1], &m, 0), 1);
    CHECK(c.u.pid == 1 && c.u.uid == 77 && c.u.gid == 88);
}

static void many_messages(void) {
    char text[3][4] = {"one", "two", "3"};
    struct iovec v[3] = {{text[0], 3}, {text[1], 3}, {text[2], 1}};
    struct mmsghdr m[3] = {{.msg_len = 9}};
    struct timespec limit = {0, 20000000};

    pair(SOCK_DGRAM);
    for (int i = 0; i < 3; i++) {
        m[i].msg_hdr.msg_iov = &v[i];
        m[i].msg_hdr.msg_iovlen = 1;
    }
    EQ(sys_sendmmsg(s[0], m, 3, 0), 3);
    EQ(m[1].msg_len, 3);
    EQ(sys_sendmmsg(s[0], m, 1, 0), 1);
    memset(text, 0, sizeof(text));
    EQ(sys_recvmmsg(s[1], m, 3, 0, 0), 3);
    CHECK(memcmp(text[1], "two", 3) == 0 && m[2].msg_len == 1);
    EQ(sys_recvmmsg(s[1], m, 3, MSG_WAITFORONE, &limit), 1);
    FAILS(EAGAIN, sys_recvmmsg(s[1], m, 3, MSG_DONTWAIT, 0));
}

static void vectors(void) {
    char a[4], b[4];
    struct iovec v[2] = {{"ab", 2}, {"cde", 3}}, r[2] = {{a, 4}, {b, 4}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};

    pair(SOCK_DGRAM);
    EQ(sys_sendmsg(s[0], &m, 0), 5);
    EQ(sys_writev(s[0], v, 2), 5);
    m.msg_iov = r;
    EQ(sys_recvmsg(s[1], &m, 0), 5);
    CHECK(memcmp(a, "abcd", 4) == 0 && b[0] == 'e');
    r[1].iov_len = 0;
    EQ(sys_recvmsg(s[1], &m, 0), 4);
    EQ(m.msg_flags & MSG_TRUNC, MSG_TRUNC);
    m.msg_iovlen = 2000;
    FAILS(EMSGSIZE, sys_sendmsg(s[0], &m, 0));
}

/* ---- many at once */

static void answer(void) {
    for (int i = 0; i < 30; i++) {
        int n = (int)OK(sys_accept(accepting, 0, 0));
        for (long got; (got = sys_read(n, buffer, 100)) > 0;)
            OK(write_all(n, buffer, (size_t)got));
        OK(sys_close(n));
    }
}

static void ask(void) {
    for (int i = 0; i < 20; i++) {
        int c = client("name", SOCK_STREAM);
        send_text(c, "ping");
        expect(c, "ping");
        OK(sys_close(c));
    }
}

static void servers(void) {
    int pid[5];

    accepting = listener("name", SOCK_STREAM, 2);
    for (int i = 0; i < 2; i++)
        pid[i] = spawn(answer);
    for (int i = 2; i < 5; i++)
        pid[i] = spawn(ask);
    for (int i = 0; i < 5; i++)
        wait_ok(pid[i]);
}

static int shut_and_send(void *arg) {
    int *fd = arg;

    for (int i = 0; i < 50; i++)
        sys_sendto(fd[0], buffer, 100, MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0);
    sys_close(fd[0]);
    return 0;
}

static int receive_and_close(void *arg) {
    int *fd = arg;

    for (int i = 0; i < 50; i++)
        sys_recvfrom(fd[1], buffer + 1000, 70, MSG_DONTWAIT, 0, 0);
    sys_close(fd[1]);
    return 0;
}

/* Both ends are closed while the other is in use. */
static void close_races(void) {
    static int fds[40][2];

    for (int i = 0; i < 40; i++) {
        OK(sys_socketpair(AF_UNIX, i % 2 ? SOCK_STREAM : SOCK_DGRAM, 0, fds[i]));
        send_fds(fds[i][0], fds[i], 2);
        OK(clone_call(THREAD, new_stack(), 0, 0, 0, shut_and_send, fds[i]));
        OK(clone_call(THREAD, new_stack(), 0, 0, 0, receive_and_close, fds[i]));
    }
    sleep_ms(100);
}

const struct test socket_tests[] = {
    {"I7_stream", stream, 0},
    {"I7_errors", errors, 0},
    {"I7_broken_pipe", broken_pipe, 0},
    {"I7_shutdown", shut_down, 0},
    {"I7_shutdown_wakes", shut_wakes, 0},
    {"I7_bytes_in_order", bytes_in_order, 0},
    {"I7_back_pressure", back_pressure, 0},
    {"I7_killed_and_closed", killed_and_closed, 0},
    {"I7_flags", flags, 0},
    {"I7_time_limits", time_limits, 0},
    {"I7_interrupted", interrupted, 0},
    {"I7_path_names", by_path, 0},
    {"I7_abstract_names", by_abstract_name, 0},
    {"I7_permission", permission, 0},
    {"I7_accept_blocks", accept_blocks, 0},
    {"I7_backlog", backlog, 0},
    {"I7_listener_closes", listener_closes, 0},
    {"I7_accept_limit", accept_limit, 0},
    {"I7_peer_cred", peer_cred, 0},
    {"I7_options", options, 0},
    {"I7_datagrams", datagrams, 0},
    {"I7_datagrams_wait", datagrams_wait, 0},
    {"I7_seqpackets", seqpackets, 0},
    {"I7_rights", rights, 0},
    {"I7_rights_limits", rights_limits, 0},
    {"I7_rights_in_flight", rights_in_flight, 0},
    {"I7_proc_net_unix", proc_net_unix, 0},
    {"I7_rights_are_a_border", rights_are_a_border, 0},
    {"I7_cycles", cycles, 0},
    {"I7_not_garbage", not_garbage, 0},
    {"I7_long_chain", long_chain, 0},
    {"I7_pending_cycle", pending_cycle, 0},
    {"I7_credentials", credentials, 0},
    {"I7_many_messages", many_messages, 0},
    {"I7_vectors", vectors, 0},
    {"I7_servers", servers, 0},
    {"I7_close_races", close_races, 0},
    {0, 0, 0},
};
