/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When a schedule is due, in UTC: rate(5 minutes), or cron(minutes hours day-of-month month day-of-week
 * year). Fields have *, lists, ranges, steps (a/b, from a on) and names; days have ?, L (the last day of the
 * month; 6L: its last Friday), W (15W: the weekday nearest to the 15th; LW) and # (6#3: the third Friday).
 * Days of the week count from 1, Sunday. One of the two days is ?: the other decides.
 *
 * A field becomes a set of bits. The next time is found by going from day to day, at most so far as the year
 * field reaches. */
#include "base/size.h"
#include "cloud/api/events.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MINUTE_MS 60000
#define DAY_MS ((int64_t)24 * 60 * MINUTE_MS)
enum { YEAR_FIRST = 1970, YEAR_LAST = 2199, FIELD_MAX = 128 };

typedef struct day_of_month {
    uint64_t days; /* bits 1 to 31 */
    bool last, last_weekday;
    int nearest; /* 15W; 0: none */
} day_of_month;

typedef struct day_of_week {
    uint64_t days;    /* bits 1 to 7 */
    int last;         /* 6L; 0: none */
    int nth_day, nth; /* 6#3; 0: none */
} day_of_week;

typedef struct cron {
    uint64_t minutes, hours, months;
    day_of_month of_month;
    day_of_week of_week;
    bool by_week; /* the day of the week decides */
    bool years[YEAR_LAST - YEAR_FIRST + 1];
} cron;

/* ---- the calendar ---- */

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_length(int year, int month)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return lengths[month - 1] + (month == 2 && is_leap(year));
}

/* Days since 1970-01-01, a Thursday. */
static int64_t days_to(int year, int month, int day)
{
    int64_t days = day - 1;
    for (int y = YEAR_FIRST; y < year; y++)
        days += 365 + is_leap(y);
    for (int m = 1; m < month; m++)
        days += month_length(year, m);
    return days;
}

/* 1: Sunday. */
static int week_day(int year, int month, int day)
{
    return (int)((days_to(year, month, day) + 4) % 7) + 1;
}

/* The day of the month that is a weekday and nearest to `day`, in the same month. */
static int nearest_weekday(int year, int month, int day)
{
    int length = month_length(year, month);
    if (day > length)
        return 0;
    int which = week_day(year, month, day);
    if (which == 7)
        return day > 1 ? day - 1 : day + 2;
    if (which == 1)
        return day < length ? day + 1 : day - 2;
    return day;
}

/* ---- fields ---- */

typedef struct span {
    const char *what;
    int from, to;
    const char *names; /* three letters each, from the first on; NULL: none */
} span;

static const span spans[] = {
    {"minutes", 0, 59, NULL},
    {"hours", 0, 23, NULL},
    {"day-of-month", 1, 31, NULL},
    {"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"},
    {"day-of-week", 1, 7, "SUNMONTUEWEDTHUFRISAT"},
    {"year", YEAR_FIRST, YEAR_LAST, NULL},
};

/* A number or name at *p; -1: neither, or out of the span. */
static int number(const span *s, const char **p)
{
    int64_t value;
    size_t digits = strspn(*p, "0123456789");
    if (digits && sh_parse_i64(*p, digits, s->from, s->to, &value)) {
        *p += digits;
        return (int)value;
    }
    for (size_t i = 0; !digits && s->names && s->names[i]; i += 3) {
        if (strncasecmp(*p, s->names + i, 3) == 0) {
            *p += 3;
            return s->from + (int)(i / 3);
        }
    }
    return -1;
}

/* One element of a list, "*", "3", "3-7", "3/5", "* /5", "3-7/2", as bits or into years. */
static bool element(const span *s, const char *p, uint64_t *bits, bool *years)
{
    int from = s->from, to = s->to, step = 1;
    int64_t value;
    bool star = *p == '*';
    if (star)
        p++;
    else if ((from = number(s, &p)) < 0)
        return false;
    if (!star)
        to = from;
    if (!star && *p == '-') {
        p++;
        if ((to = number(s, &p)) < 0)
            return false;
    } else if (!star && *p == '/') {
        to = s->to;
    }
    if (*p == '/') {
        if (!sh_parse_i64(p + 1, strlen(p + 1), 1, s->to, &value))
            return false;
        step = (int)value;
        p = "";
    }
    if (*p)
        return false;
    int size = s->to - s->from + 1, length = to >= from ? to - from : to - from + size; /* FRI-MON */
    for (int i = 0; i <= length; i += step) {
        int at = s->from + (from - s->from + i) % size;
        if (years)
            years[at - s->from] = true;
        else
            *bits |= UINT64_C(1) << at;
    }
    return true;
}

static bool day_element(const char *p, day_of_month *out)
{
    const char *end = p;
    int day = number(&spans[2], &end);
    if (strcasecmp(p, "L") == 0)
        out->last = true;
    else if (strcasecmp(p, "LW") == 0)
        out->last_weekday = true;
    else if (day > 0 && strcasecmp(end, "W") == 0)
        out->nearest = day;
    else
        return element(&spans[2], p, &out->days, NULL);
    return true;
}

static bool week_element(const char *p, day_of_week *out)
{
    const char *end = p;
    int day = number(&spans[4], &end);
    if (strcasecmp(p, "L") == 0)
        out->days |= 1 << 7;
    else if (day > 0 && strcasecmp(end, "L") == 0)
        out->last = day;
    else if (day > 0 && end[0] == '#' && end[1] >= '1' && end[1] <= '5' && !end[2])
        out->nth_day = day, out->nth = end[1] - '0';
    else
        return element(&spans[4], p, &out->days, NULL);
    return true;
}

static bool one_element(int field, const char *p, cron *c)
{
    switch (field) {
    case 0:
        return element(&spans[0], p, &c->minutes, NULL);
    case 1:
        return element(&spans[1], p, &c->hours, NULL);
    case 2:
        return day_element(p, &c->of_month);
    case 3:
        return element(&spans[3], p, &c->months, NULL);
    case 4:
        return week_element(p, &c->of_week);
    default:
        return element(&spans[5], p, NULL, c->years);
    }
}

static int read_field(int field, const char *text, size_t length, cron *c, sh_err *err)
{
    char item[FIELD_MAX];
    if (length >= sizeof(item))
        return sh_fail(err, SH_E_FORMAT, "the field %s is too long", spans[field].what);
    while (length > 0) {
        const char *comma = memchr(text, ',', length);
        size_t part = comma ? (size_t)(comma - text) : length;
        memcpy(item, text, part);
        item[part] = '\0';
        if (!one_element(field, item, c) || (comma && part + 1 == length))
            return sh_fail(err, SH_E_FORMAT, "'%s' is no value of the field %s", item, spans[field].what);
        part += comma != NULL;
        text += part;
        length -= part;
    }
    return 0;
}

static int read_cron(const char *text, size_t length, cron *c, sh_err *err)
{
    bool open[6] = {false};
    int field = 0;
    const char *end = text + length;
    memset(c, 0, sizeof(*c));
    for (; text < end; field++) {
        text += strspn(text, " \t");
        size_t part = strcspn(text, " \t)");
        if (part == 0)
            break;
        if (field == 6)
            return sh_fail(err, SH_E_FORMAT, "a cron expression has six fields");
        open[field] = part == 1 && *text == '?';
        if (open[field] && field != 2 && field != 4)
            return sh_fail(err, SH_E_FORMAT, "'?' is no value of the field %s", spans[field].what);
        int status = open[field] ? 0 : read_field(field, text, part, c, err);
        if (status < 0)
            return status;
        text += part;
    }
    if (field != 6)
        return sh_fail(err, SH_E_FORMAT, "a cron expression has six fields");
    if (open[2] == open[4])
        return sh_fail(err, SH_E_FORMAT, "one of day-of-month and day-of-week must be ?, and not both");
    c->by_week = open[2];
    return 0;
}

/* ---- the next time ---- */

static bool month_day_fits(const day_of_month *d, int year, int month, int day)
{
    int length = month_length(year, month);
    if (d->days & (UINT64_C(1) << day) || (d->last && day == length))
        return true;
    if (d->nearest && day == nearest_weekday(year, month, d->nearest))
        return true;
    return d->last_weekday && day == nearest_weekday(year, month, length);
}

static bool week_day_fits(const day_of_week *d, int year, int month, int day)
{
    int which = week_day(year, month, day);
    if (d->days & (UINT64_C(1) << which))
        return true;
    if (d->last == which && day + 7 > month_length(year, month))
        return true;
    return d->nth_day == which && (day - 1) / 7 + 1 == d->nth;
}

/* The first minute of the day, from `from` on; -1: none. */
static int minute_of_day(const cron *c, int from)
{
    for (int at = from; at < 24 * 60; at++)
        if (c->hours & (UINT64_C(1) << (at / 60)) && c->minutes & (UINT64_C(1) << (at % 60)))
            return at;
    return -1;
}

static int64_t cron_after(const cron *c, int64_t after_ms)
{
    int64_t first = after_ms < 0 ? 0 : after_ms / MINUTE_MS + 1, first_day = first / (24 * 60), day = 0;
    for (int year = YEAR_FIRST; year <= YEAR_LAST; year++) {
        int64_t year_length = 365 + is_leap(year);
        if (!c->years[year - YEAR_FIRST] || day + year_length <= first_day) {
            day += year_length;
            continue;
        }
        for (int month = 1; month <= 12; month++) {
            for (int d = 1; d <= month_length(year, month); d++, day++) {
                if (day < first_day || !(c->months & (UINT64_C(1) << month)) ||
                    !(c->by_week ? week_day_fits(&c->of_week, year, month, d)
                                 : month_day_fits(&c->of_month, year, month, d)))
                    continue;
                int minute = minute_of_day(c, day == first_day ? (int)(first % (24 * 60)) : 0);
                if (minute >= 0)
                    return day * DAY_MS + (int64_t)minute * MINUTE_MS;
            }
        }
    }
    return -1;
}

/* ---- rates ---- */

static int read_rate(const char *text, size_t length, int64_t *every_ms, sh_err *err)
{
    static const struct {
        const char *one, *many;
        int64_t ms;
    } units[] = {
        {"minute", "minutes", MINUTE_MS}, {"hour", "hours", 60 * MINUTE_MS}, {"day", "days", DAY_MS}};
    size_t digits = strspn(text, "0123456789"), gap = strspn(text + digits, " ");
    const char *unit = text + digits + gap;
    size_t rest = length > digits + gap ? length - digits - gap : 0;
    int64_t count;
    if (digits && gap && sh_parse_i64(text, digits, 1, 1000000, &count)) {
        for (size_t i = 0; i < SH_COUNT(units); i++) {
            const char *name = count == 1 ? units[i].one : units[i].many;
            if (rest == strlen(name) && strncmp(unit, name, rest) == 0) {
                *every_ms = count * units[i].ms;
                return 0;
            }
        }
    }
    return sh_fail(err, SH_E_FORMAT,
                   "rate() has a whole number and minute, minutes, hour, hours, day or days "
                   "(one of a thing is not many)");
}

/* The text between "NAME(" and the ")" that ends it. */
static bool inside(const char *expression, const char *name, const char **text, size_t *length)
{
    size_t head = strlen(name), all = strlen(expression);
    if (all < head + 2 || strncmp(expression, name, head) != 0 || expression[head] != '(' ||
        expression[all - 1] != ')')
        return false;
    *text = expression + head + 1;
    *length = all - head - 2;
    return true;
}

int sh_schedule_after(const char *expression, int64_t from_ms, int64_t after_ms, int64_t *next_ms,
                      sh_err *err)
{
    cron c;
    const char *text;
    size_t length;
    int64_t every_ms = MINUTE_MS;
    int status;
    if (inside(expression, "rate", &text, &length)) {
        if ((status = read_rate(text, length, &every_ms, err)) < 0)
            return status;
        int64_t rounds = after_ms < from_ms ? 0 : (after_ms - from_ms) / every_ms;
        *next_ms = from_ms + (rounds + 1) * every_ms;
        return 0;
    }
    if (!inside(expression, "cron", &text, &length))
        return sh_fail(err, SH_E_FORMAT, "neither cron(...) nor rate(...)");
    if ((status = read_cron(text, length, &c, err)) < 0)
        return status;
    *next_ms = cron_after(&c, after_ms);
    return 0;
}
