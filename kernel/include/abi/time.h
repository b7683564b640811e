/* Clocks, sleeps, interval timers: clock_gettime(2), nanosleep(2), setitimer(2), times(2). */
#ifndef ABI_TIME_H
#define ABI_TIME_H

#include <stdint.h>

#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1
#define CLOCK_PROCESS_CPUTIME_ID 2
#define CLOCK_THREAD_CPUTIME_ID 3
#define CLOCK_MONOTONIC_RAW 4
#define CLOCK_REALTIME_COARSE 5
#define CLOCK_MONOTONIC_COARSE 6
#define CLOCK_BOOTTIME 7
#define CLOCK_REALTIME_ALARM 8
#define CLOCK_BOOTTIME_ALARM 9
#define CLOCK_TAI 11

#define TIMER_ABSTIME 1

#define ITIMER_REAL 0
#define ITIMER_VIRTUAL 1
#define ITIMER_PROF 2

#define USER_HZ 100 /* unit of clock_t: times(2), /proc/PID/stat, AT_CLKTCK */

struct timespec {
    int64_t tv_sec;
    int64_t tv_nsec; /* 0 .. 999,999,999 */
};

struct timeval {
    int64_t tv_sec;
    int64_t tv_usec; /* 0 .. 999,999 */
};

struct timezone {
    int32_t tz_minuteswest;
    int32_t tz_dsttime;
};

struct itimerval {
    struct timeval it_interval;
    struct timeval it_value;
};

struct itimerspec {
    struct timespec it_interval;
    struct timespec it_value;
};

struct tms { /* clock ticks of 1/USER_HZ s */
    int64_t tms_utime;
    int64_t tms_stime;
    int64_t tms_cutime;
    int64_t tms_cstime;
};

#endif
