/* Steering the clock: adjtimex(2), clock_adjtime(2). */
#ifndef ABI_TIMEX_H
#define ABI_TIMEX_H

#include "abi/time.h"

#define ADJ_OFFSET 0x0001
#define ADJ_FREQUENCY 0x0002
#define ADJ_MAXERROR 0x0004
#define ADJ_ESTERROR 0x0008
#define ADJ_STATUS 0x0010
#define ADJ_TIMECONST 0x0020
#define ADJ_TAI 0x0080
#define ADJ_SETOFFSET 0x0100
#define ADJ_MICRO 0x1000
#define ADJ_NANO 0x2000
#define ADJ_TICK 0x4000
#define ADJ_OFFSET_SINGLESHOT 0x8001 /* what adjtime(3) asks for */
#define ADJ_OFFSET_SS_READ 0xa001

#define STA_PLL 0x0001
#define STA_UNSYNC 0x0040
#define STA_NANO 0x2000
#define STA_RONLY 0xff00 /* bits that programs cannot set */

#define TIME_OK 0
#define TIME_ERROR 5 /* the clock is not synchronised */

struct timex {
    uint32_t modes; /* ADJ_ */
    uint32_t pad0;
    int64_t offset;   /* us, or ns with STA_NANO */
    int64_t freq;     /* parts per million, 16 bits after the point */
    int64_t maxerror; /* us */
    int64_t esterror; /* us */
    int32_t status;   /* STA_ */
    uint32_t pad1;
    int64_t constant;
    int64_t precision;   /* us */
    int64_t tolerance;   /* as freq */
    struct timeval time; /* with STA_NANO ns in place of us */
    int64_t tick;        /* us in 1/USER_HZ s */
    int64_t pps[3];      /* a pulse per second: there is none */
    int64_t pps_counts[5];
    int32_t tai; /* CLOCK_TAI - CLOCK_REALTIME, s */
    int32_t spare[11];
};

#endif
