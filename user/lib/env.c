/* Environment, search path, names of signals and of users. */
#include "user/lib/tool.h"
#include "abi/fcntl.h"

/* ---- environment: the kernel's vector until the first change, then one of our own */

static bool environ_is_ours;

static char **env_find(const char *name, size_t len) {
    for (char **e = environ; e && *e; e++) {
        if (strncmp(*e, name, len) == 0 && (*e)[len] == '=')
            return e;
    }
    return 0;
}

char *getenv(const char *name) {
    char **e = env_find(name, strlen(name));

    return e ? *e + strlen(name) + 1 : 0;
}

static size_t env_count(void) {
    size_t n = 0;

    while (environ && environ[n])
        n++;
    return n;
}

static void env_append(char *entry) {
    size_t n = env_count(), size = (n + 2) * sizeof(char *);
    char **new = environ_is_ours ? xrealloc(environ, size) : xmalloc(size);

    if (!environ_is_ours)
        memcpy(new, environ, (uint)(n * sizeof(char *)));
    new[n] = entry;
    new[n + 1] = 0;
    environ = new;
    environ_is_ours = true;
}

void setenv(const char *name, const char *value) {
    size_t size = (size_t)strlen(name) + strlen(value) + 2;
    char *entry = xmalloc(size), **old = env_find(name, strlen(name));

    snprintf(entry, size, "%s=%s", name, value);
    if (old)
        *old = entry;
    else
        env_append(entry);
}

void unsetenv(const char *name) {
    char **e = env_find(name, strlen(name));

    for (; e && *e; e++)
        e[0] = e[1];
}

/* ---- running programs */

/* A file without a header that the kernel knows is a script for our shell. */
static long exec_file(const char *path, char **argv) {
    long r = sys_execve(path, argv, environ);
    size_t n = 0;

    if (r != -ENOEXEC)
        return r;
    while (argv[n])
        n++;
    char **new = xmalloc((n + 2) * sizeof(char *));
    new[0] = "sh";
    new[1] = (char *)path;
    memcpy(new + 2, argv + 1, (uint)(n * sizeof(char *)));
    return sys_execve("/bin/sh", new, environ);
}

long exec_path(char **argv) {
    const char *p = getenv("PATH");
    long r, result = -ENOENT;
    char dir[512], path[1024];

    if (strchr(argv[0], '/'))
        return exec_file(argv[0], argv);
    if (!p)
        p = "/bin:/sbin:/usr/bin:/usr/sbin";
    while (*p) {
        size_t n = 0;
        while (p[n] && p[n] != ':')
            n++;
        snprintf(dir, sizeof(dir), "%.*s", (int)n, n ? p : ".");
        if (path_join(path, sizeof(path), n ? dir : ".", argv[0])) {
            r = exec_file(path, argv);
            if (r != -ENOENT && r != -ENOTDIR)
                result = r;
        }
        p += n + (p[n] == ':');
    }
    return result;
}

/* ---- signals */

static const char *const signal_names[] = {
    0,      "HUP",  "INT",  "QUIT", "ILL",    "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1",
    "SEGV", "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN",
    "TTOU", "URG",  "XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS",
};

const char *signal_name(int sig) {
    static char real_time[16];

    if (sig < SIGRTMIN || sig > SIGRTMAX)
        return sig > 0 && sig < (int)ARRAY_LEN(signal_names) ? signal_names[sig] : 0;
    snprintf(real_time, sizeof(real_time), sig == SIGRTMIN ? "RTMIN" : "RTMIN+%d", sig - SIGRTMIN);
    return real_time;
}

static bool same_word(const char *a, const char *b) {
    for (; *a && *b; a++, b++) {
        if ((*a & ~32) != (*b & ~32))
            return false;
    }
    return *a == *b;
}

/* Of "RTMIN", "RTMIN+2", "RTMAX-2". */
static int real_time_number(const char *name) {
    long n = 0;
    bool from_max = strncmp(name, "RTMAX", 5) == 0;

    if (!from_max && strncmp(name, "RTMIN", 5) != 0)
        return -1;
    if (name[5] && (name[5] != (from_max ? '-' : '+') || !parse_num(name + 6, 10, &n)))
        return -1;
    if (n < 0 || n > SIGRTMAX - SIGRTMIN)
        return -1;
    return (int)(from_max ? SIGRTMAX - n : SIGRTMIN + n);
}

int signal_number(const char *name) {
    long n;

    if (parse_num(name, 10, &n))
        return n >= 0 && n <= SIGRTMAX ? (int)n : -1;
    if (strncmp(name, "SIG", 3) == 0 || strncmp(name, "sig", 3) == 0)
        name += 3;
    for (int i = 1; i < (int)ARRAY_LEN(signal_names); i++) {
        if (same_word(signal_names[i], name))
            return i;
    }
    return real_time_number(name);
}

/* ---- users and groups */

/* "root:x:0:..." is user or group 0. */
static bool names_id(char *line, uint32_t id) {
    char *name_end = strchr(line, ':');
    char *field = name_end ? strchr(name_end + 1, ':') : 0;

    if (!field || (uint32_t)atoi(field + 1) != id)
        return false;
    *name_end = 0;
    return true;
}

const char *id_name(const char *file, uint32_t id, char *buf, size_t size) {
    long fd = sys_openat(AT_FDCWD, file, O_RDONLY | O_CLOEXEC, 0);
    struct reader r = {.fd = (int)fd};
    char *line;

    snprintf(buf, size, "%u", id);
    if (fd < 0)
        return buf;
    while ((line = line_next(&r, 0))) {
        if (names_id(line, id)) {
            snprintf(buf, size, "%s", line);
            break;
        }
    }
    reader_done(&r);
    sys_close((int)fd);
    return buf;
}
