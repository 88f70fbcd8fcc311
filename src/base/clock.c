/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/clock.h"
#include "base/size.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t system_now_ms(void *opaque)
{
    struct timespec now;
    (void)opaque;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_steady_ms(void *opaque)
{
    struct timespec now;
    (void)opaque;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

const sh_clock sh_clock_system = {system_now_ms, NULL, system_steady_ms};

int64_t sh_monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int split(int64_t ms, struct tm *tm)
{
    int64_t fraction = ms % 1000;
    if (fraction < 0)
        fraction += 1000;
    time_t seconds = (time_t)((ms - fraction) / 1000);
    gmtime_r(&seconds, tm);
    return (int)fraction;
}

void sh_time_iso_ms(int64_t ms, char *text)
{
    struct tm tm = {0};
    int fraction = split(ms, &tm);
    size_t used = strftime(text, SH_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + used, SH_TIME_TEXT - used, ".%03dZ", fraction);
}

void sh_time_iso_s(int64_t ms, char *text)
{
    struct tm tm = {0};
    split(ms, &tm);
    strftime(text, SH_TIME_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

void sh_time_http(int64_t ms, char *text)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm tm = {0};
    split(ms, &tm);
    /* Not strftime: its names follow the locale. */
    snprintf(text, SH_TIME_TEXT, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
             days + 3 * (unsigned)tm.tm_wday % 21, (unsigned)tm.tm_mday % 100,
             months + 3 * (unsigned)tm.tm_mon % 36, (unsigned)(tm.tm_year + 1900) % 10000,
             (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

/* Reads exactly `digits` digits at *at and then, unless it is 0, the byte `after`. */
static int number(const char **at, const char *end, int digits, char after, int min, int max, int *out)
{
    int64_t value;
    if (end - *at < digits || **at == '-' || !sh_parse_i64(*at, (size_t)digits, min, max, &value))
        return 0;
    *at += digits;
    if (after) {
        if (*at == end || **at != after)
            return 0;
        ++*at;
    }
    *out = (int)value;
    return 1;
}

static int read_fraction(const char **at, const char *end, int *ms)
{
    int scale = 100;
    *ms = 0;
    if (*at == end || **at != '.')
        return 1;
    const char *first = ++*at;
    for (; *at < end && **at >= '0' && **at <= '9'; ++*at, scale /= 10)
        *ms += (**at - '0') * scale;
    return *at > first;
}

static int read_zone(const char **at, const char *end, int *minutes)
{
    int hour, minute;
    *minutes = 0;
    if (*at == end)
        return 0;
    char sign = *(*at)++;
    if (sign == 'Z')
        return 1;
    if ((sign != '+' && sign != '-') || !number(at, end, 2, ':', 0, 23, &hour) ||
        !number(at, end, 2, 0, 0, 59, &minute))
        return 0;
    *minutes = (sign == '-' ? -1 : 1) * (hour * 60 + minute);
    return 1;
}

static int days_of(int year, int month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

int sh_time_parse_iso(const char *text, size_t length, int64_t *ms)
{
    const char *at = text, *end = text + length;
    struct tm tm = {0};
    int fraction, zone, year, month;
    if (!number(&at, end, 4, '-', 0, 9999, &year) || !number(&at, end, 2, '-', 1, 12, &month) ||
        !number(&at, end, 2, 'T', 1, 31, &tm.tm_mday) || !number(&at, end, 2, ':', 0, 23, &tm.tm_hour) ||
        !number(&at, end, 2, ':', 0, 59, &tm.tm_min) || !number(&at, end, 2, 0, 0, 60, &tm.tm_sec) ||
        !read_fraction(&at, end, &fraction) || !read_zone(&at, end, &zone) || at != end)
        return 0;
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    if (tm.tm_mday > days_of(year, month))
        return 0;
    *ms = ((int64_t)timegm(&tm) - (int64_t)zone * 60) * 1000 + fraction;
    return 1;
}
