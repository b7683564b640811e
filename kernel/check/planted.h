// PLANT=1, for tests of the checks only: bugs on demand.
#ifndef CHECK_PLANTED_H
#define CHECK_PLANTED_H

#ifdef PLANT
void planted_init(void);  // makes /proc/xv39/plant
void maze_init(void);     // makes /proc/xv39/maze, planted_fuzz.c

// Writing the name to /proc/xv39/plant calls plant(), in the writer's task.
struct planted {
    const char *name;
    void (*plant)(void);
};
extern const struct planted memory_bugs[];  // planted_memory.c; ends with a nameless one
extern const struct planted chaos_bugs[];   // planted_chaos.c
extern const struct planted leak_bugs[];    // planted_leak.c
extern const struct planted locks_bugs[];   // planted_locks.c
extern const struct planted race_bugs[];    // planted_race.c
extern const struct planted
    work_tests[];  // planted_work.c: what works, but only the kernel can try

// Sizes, indices and pointers pass through it, lest the compiler sees through a bug.
#define hide(x)                                                                                    \
    ({                                                                                             \
        __typeof__(x) hidden = (x);                                                                \
        __asm__("" : "+r"(hidden));                                                                \
        hidden;                                                                                    \
    })
#else
static inline void planted_init(void) {}
#endif

#endif
