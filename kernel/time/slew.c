/*
 * The wall clock while it is made to run faster or slower, for programs that steer it: adjtimex(2),
 * adjtime(3).
 *
 * CLOCK_REALTIME is CLOCK_MONOTONIC plus an offset, and as a rule the offset stands still. It moves
 * when the clock has a frequency of its own (freq, tick), or when time is to be made up for:
 * `phase` (ADJ_OFFSET: a part of what is left each second) or `single` (ADJ_OFFSET_SINGLESHOT: 500
 * us a second). Then
 *
 *     offset(now) = base + drift * (now - from) / 1 s          from <= now < from + 1 s
 *
 * where drift is 0, and base the offset, while nothing is to be done. While it moves, each second
 * begins a new line of it. No timer does that: who asks for the time draws the lines that have
 * become due (advance). So an idle machine stays idle. While the offset moves, vvar.slewing tells
 * programs to ask the kernel; else they read vvar.realtime_offset, and none of this is in their
 * way. Timers that wait for a moment of the wall clock look each second whether it is still where
 * it was (timer.c).
 *
 * What differs from Linux: CLOCK_MONOTONIC is not slewed but runs like CLOCK_MONOTONIC_RAW. All
 * timers, deadlines and shares are counted by it, so steering the wall clock changes the length of
 * none of them, and reading it takes no more than a multiplication; what Linux gains, that a second
 * of both clocks is equally long, is 500 ppm at most. (POSIX allows either.) ADJ_OFFSET makes up
 * for the offset, but does not learn a frequency from it; no leap seconds, no pulse per second.
 *
 * Locks: slew.lock, the last of all but those of memory, since timers are queued with theirs held.
 */
#include "time/slew.h"

#include "abi/errno.h"
#include "lib/string.h"
#include "sync/spin.h"
#include "time/timer.h"
#include "vdso/vdso.h"

#define MOST_FREQ (500l << 16)  // ppm
#define MOST_PHASE (500 * (s64)NSEC_PER_MSEC)
#define SINGLE_RATE (500 * (s64)NSEC_PER_USEC)  // a second
#define USUAL_TICK 10000l
#define MOST_ERROR 16000000l  // us: who knows?

static struct {
    struct irqlock lock;
    u64 from;           // ns since boot: where the current line begins
    u64 base;           // offset there
    s64 drift;          // ns that the offset moves in a second
    s64 phase, single;  // ns to make up for, without what the current line does
    s64 freq, tick, constant, maxerror, esterror;
    int status, tai;
} slew = {
    .lock = IRQLOCK_INIT(RANK_SLEW, "slew"),
    .tick = USUAL_TICK,
    .constant = 2,
    .maxerror = MOST_ERROR,
    .esterror = MOST_ERROR,
    .status = STA_UNSYNC,
};

static s64 clamp(s64 x, s64 most) { return x > most ? most : x < -most ? -most : x; }

static s64 steady_drift(void) {
    return slew.freq * 1000 / 65536 + (slew.tick - USUAL_TICK) * 100 * (s64)NSEC_PER_USEC;
}

// The part of phase that the next second makes up for; all of it when little is left.
static s64 phase_part(void) {
    s64 part = slew.phase / (4l << clamp(slew.constant, 10));
    return part ? part : slew.phase;
}

static void next_line(void) {
    s64 phase = phase_part(), single = clamp(slew.single, SINGLE_RATE);
    slew.phase -= phase;
    slew.single -= single;
    slew.drift = steady_drift() + phase + single;
}

static u64 offset_at(u64 now) {
    return slew.base + slew.drift * (s64)(now - slew.from) / (s64)NSEC_PER_SEC;
}

// What programs may see of it. => lock held
static void publish(void) {
    bool moves = slew.drift || slew.phase || slew.single || steady_drift();
    store_release(&vvar.realtime_offset, slew.base);
    store_release(&vvar.slewing, (u64)moves);
}

static void advance(u64 now) {
    while (load_relaxed(&vvar.slewing) && now - slew.from >= NSEC_PER_SEC) {
        bool steady = !slew.phase && !slew.single && slew.drift == steady_drift();
        u64 seconds = steady ? (now - slew.from) / NSEC_PER_SEC : 1;
        slew.base += seconds * slew.drift;
        slew.from += seconds * NSEC_PER_SEC;
        next_line();
        publish();
    }
}

// A new line from here, for what it follows from has changed; what the old one still had to make up
// for is given back.
static void bend(u64 now, s64 left) {
    slew.base = offset_at(now);
    slew.from = now;
    slew.single += left;
    next_line();
    publish();
}

// The offset at a moment between taking the lock and releasing it, which *now gets.
static u64 look(u64 *now) {
    u64 flags = irqlock_acquire(&slew.lock);
    *now = clock_ns();
    advance(*now);
    u64 offset = offset_at(*now);
    irqlock_release(&slew.lock, flags);
    return offset;
}

u64 slew_offset(void) {
    u64 now;
    return look(&now);
}

u64 slew_realtime(void) {
    u64 now, offset = look(&now);
    return now + offset;
}

void slew_step(u64 ns) {
    u64 flags = irqlock_acquire(&slew.lock), now = clock_ns();
    advance(now);
    slew.base = offset_at(now) + ns;
    slew.from = now;
    slew.phase = slew.single = 0;
    slew.status |= STA_UNSYNC;
    slew.maxerror = slew.esterror = MOST_ERROR;
    next_line();
    publish();
    irqlock_release(&slew.lock, flags);
}

s64 slew_tai(void) { return READ_ONCE(slew.tai); }

static void set_status(const struct timex *t) {
    if (t->modes & ADJ_STATUS)
        slew.status = (slew.status & STA_RONLY) | (t->status & ~STA_RONLY);
    if (t->modes & ADJ_NANO)
        slew.status |= STA_NANO;
    if (t->modes & ADJ_MICRO)
        slew.status &= ~STA_NANO;
}

// All but ADJ_STATUS and ADJ_OFFSET_SINGLESHOT.
static void set_values(const struct timex *t) {
    if (t->modes & ADJ_FREQUENCY)
        slew.freq = clamp(t->freq, MOST_FREQ);
    if (t->modes & ADJ_MAXERROR)
        slew.maxerror = t->maxerror;
    if (t->modes & ADJ_ESTERROR)
        slew.esterror = t->esterror;
    if (t->modes & ADJ_TIMECONST)
        slew.constant = t->constant < 0 ? 0 : t->constant > 10 ? 10 : t->constant;
    if (t->modes & ADJ_TAI && t->constant >= 0 && t->constant <= 100000)
        WRITE_ONCE(slew.tai, (int)t->constant);
    if (t->modes & ADJ_TICK)
        slew.tick = t->tick;
    if (t->modes & ADJ_OFFSET && slew.status & STA_PLL) {
        s64 unit = slew.status & STA_NANO ? 1 : (s64)NSEC_PER_USEC;
        slew.phase = clamp(clamp(t->offset, MOST_PHASE) * unit, MOST_PHASE);
    }
}

static void report(struct timex *t, u64 now) {
    u64 wall = now + offset_at(now);
    bool nano = slew.status & STA_NANO;
    memset(t->pps, 0, sizeof(t->pps) + sizeof(t->pps_counts));
    t->offset = nano ? slew.phase : slew.phase / (s64)NSEC_PER_USEC;
    t->freq = slew.freq;
    t->maxerror = slew.maxerror;
    t->esterror = slew.esterror;
    t->status = slew.status;
    t->constant = slew.constant;
    t->precision = 1;
    t->tolerance = MOST_FREQ;
    t->tick = slew.tick;
    t->tai = slew.tai;
    t->time =
        (struct timeval){wall / NSEC_PER_SEC, wall % NSEC_PER_SEC / (nano ? 1 : NSEC_PER_USEC)};
}

static int adjust_locked(struct timex *t, u64 now) {
    bool single = (t->modes & ADJ_OFFSET_SINGLESHOT) == ADJ_OFFSET_SINGLESHOT;
    // What of single this second's line was to make up for, and has not yet.
    s64 part = slew.drift - steady_drift();
    s64 undone =
        part * (s64)(NSEC_PER_SEC - min(now - slew.from, NSEC_PER_SEC)) / (s64)NSEC_PER_SEC;
    if (single) {
        s64 before = (slew.single + undone) / (s64)NSEC_PER_USEC;
        if (t->modes == ADJ_OFFSET_SINGLESHOT) {
            slew.single = clamp(t->offset, MOST_ERROR * 1000) * (s64)NSEC_PER_USEC;
            bend(now, 0);
        }
        report(t, now);
        t->offset = before;
    } else {
        set_status(t);
        set_values(t);
        if (t->modes & (ADJ_FREQUENCY | ADJ_TICK | ADJ_OFFSET))
            bend(now, t->modes & ADJ_OFFSET ? 0 : undone);
        report(t, now);
    }
    return slew.status & STA_UNSYNC ? TIME_ERROR : TIME_OK;
}

int slew_adjust(struct timex *t) {
    if (t->modes & ADJ_TICK && (t->tick < USUAL_TICK * 9 / 10 || t->tick > USUAL_TICK * 11 / 10))
        return -EINVAL;
    if (t->modes & 0x8000 && (t->modes & ADJ_OFFSET_SINGLESHOT) != ADJ_OFFSET_SINGLESHOT)
        return -EINVAL;
    u64 flags = irqlock_acquire(&slew.lock), now = clock_ns();
    advance(now);
    int result = adjust_locked(t, now);
    irqlock_release(&slew.lock, flags);
    return result;
}
