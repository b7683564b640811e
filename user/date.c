/* date [+FORMAT]: the time, UTC. Formats: %Y %m %d %H %M %S %s %N %F %T %a %b %%. -s SECONDS since
 * 1970 sets the clock. */
#include "user/lib/tool.h"

static void print_field(char c, const struct date *d, const struct timespec *now) {
    switch (c) {
    case 'Y':
        out("%d", d->year);
        break;
    case 'm':
        out("%02d", d->month);
        break;
    case 'd':
        out("%02d", d->day);
        break;
    case 'H':
        out("%02d", d->hour);
        break;
    case 'M':
        out("%02d", d->minute);
        break;
    case 'S':
        out("%02d", d->second);
        break;
    case 's':
        out("%ld", now->tv_sec);
        break;
    case 'N':
        out("%09ld", now->tv_nsec);
        break;
    case 'F':
        out("%d-%02d-%02d", d->year, d->month, d->day);
        break;
    case 'T':
        out("%02d:%02d:%02d", d->hour, d->minute, d->second);
        break;
    case 'a':
        out("%s", day_names[d->weekday]);
        break;
    case 'b':
        out("%s", month_names[d->month - 1]);
        break;
    default:
        out_char(c);
    }
}

static int print(const char *format, const struct timespec *now) {
    struct date d = date_of(now->tv_sec);

    for (; *format; format++) {
        if (*format == '%' && format[1])
            print_field(*++format, &d, now);
        else
            out_char(*format);
    }
    out_char('\n');
    return out_flush();
}

int main(int argc, char **argv) {
    struct opts o = opts_start(argv, "us:", "[-s seconds] [+FORMAT]");
    struct timespec now = {0, 0};
    long r;

    (void)argc;
    for (int c; (c = opt_next(&o)) != 0;) {
        if (c != 's')
            continue;
        if (!parse_num(o.arg, 10, &now.tv_sec))
            die("%s: not a number of seconds", o.arg);
        r = sys_clock_settime(CLOCK_REALTIME, &now);
        return r < 0 ? complain("setting the clock", r) : 0;
    }
    r = sys_clock_gettime(CLOCK_REALTIME, &now);
    if (r < 0)
        return complain("clock", r);
    return print(o.argv[0] && o.argv[0][0] == '+' ? o.argv[0] + 1 : "%a %b %d %T UTC %Y", &now);
}
