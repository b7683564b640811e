/* The calendar, UTC, proleptic Gregorian. Years are taken to begin in March, so that the leap day
 * is the last. */
#include "user/lib/tool.h"

const char *const month_names[12] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
const char *const day_names[7] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

#define DAY 86400L
#define ERA_DAYS 146097L       /* of 400 years */
#define EPOCH_FROM_ERA 719468L /* days from 0000-03-01 to 1970-01-01 */

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

struct date date_of(int64_t seconds) {
    int64_t day = floor_div(seconds, DAY), left = seconds - day * DAY;
    int64_t era = floor_div(day + EPOCH_FROM_ERA, ERA_DAYS);
    int64_t in_era = day + EPOCH_FROM_ERA - era * ERA_DAYS;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100);
    int64_t march = (5 * in_year + 2) / 153; /* months since March */
    struct date d = {
        .day = (int)(in_year - (153 * march + 2) / 5 + 1),
        .month = (int)(march < 10 ? march + 3 : march - 9),
        .hour = (int)(left / 3600),
        .minute = (int)(left / 60 % 60),
        .second = (int)(left % 60),
        .weekday = (int)(((day + 4) % 7 + 7) % 7),
    };

    d.year = (int)(year + era * 400 + (d.month <= 2));
    return d;
}

int64_t date_seconds(const struct date *d) {
    int64_t year = d->year - (d->month <= 2);
    int64_t era = floor_div(year, 400), in_era = year - era * 400;
    int64_t march = d->month > 2 ? d->month - 3 : d->month + 9;
    int64_t day = era * ERA_DAYS + in_era * 365 + in_era / 4 - in_era / 100 +
                  (153 * march + 2) / 5 + d->day - 1 - EPOCH_FROM_ERA;

    return day * DAY + d->hour * 3600 + d->minute * 60 + d->second;
}
