// An init that shows what the kernel gave it, then switches the machine off.
#include <stdio.h>
#include <sys/reboot.h>
#include <unistd.h>

int main(int argc, char **argv, char **envp) {
    printf("pid %d\n", (int)getpid());
    for (int i = 0; i < argc; i++) printf("arg %s\n", argv[i]);
    for (char **e = envp; *e; e++) printf("env %s\n", *e);
    printf("end of arguments\n");
    fflush(stdout);
    reboot(RB_POWER_OFF);
    return 1;
}
