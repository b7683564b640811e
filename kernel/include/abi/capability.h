/* Rights of root, one by one: capabilities(7), capget(2). */
#ifndef ABI_CAPABILITY_H
#define ABI_CAPABILITY_H

#define CAP_CHOWN 0
#define CAP_DAC_OVERRIDE 1
#define CAP_DAC_READ_SEARCH 2
#define CAP_FOWNER 3
#define CAP_FSETID 4
#define CAP_KILL 5
#define CAP_SETGID 6
#define CAP_SETUID 7
#define CAP_SETPCAP 8
#define CAP_NET_ADMIN 12
#define CAP_IPC_LOCK 14
#define CAP_IPC_OWNER 15
#define CAP_SYS_RAWIO 17
#define CAP_SYS_CHROOT 18
#define CAP_SYS_PTRACE 19
#define CAP_SYS_ADMIN 21
#define CAP_SYS_BOOT 22
#define CAP_SYS_NICE 23
#define CAP_SYS_RESOURCE 24
#define CAP_SYS_TIME 25
#define CAP_SYS_TTY_CONFIG 26
#define CAP_MKNOD 27
#define CAP_WAKE_ALARM 35
#define CAP_CHECKPOINT_RESTORE 40
#define CAP_LAST_CAP 40

#define _LINUX_CAPABILITY_VERSION_1 0x19980330 /* 32 bits: one element of data */
#define _LINUX_CAPABILITY_VERSION_2 0x20071026 /* 64 bits: two */
#define _LINUX_CAPABILITY_VERSION_3 0x20080522

struct cap_header {
    unsigned version;
    int pid; /* 0: the caller */
};

struct cap_data {
    unsigned effective, permitted, inheritable;
};

#endif
