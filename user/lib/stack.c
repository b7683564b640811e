/* The stack of xv6 programs: a guard page, then the stack's page, at the end of the image, so that
 * the heap starts where the stack ends. Linked only to programs that name it, and user/user.h
 * names it. */
char xv6_stack[2 * 4096] __attribute__((section(".xv6_stack,\"aw\",@nobits#"), aligned(4096)));
