/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* $now, $millis, $fromMillis, $toMillis, and times in the ISO 8601 form that JavaScript reads and writes. */
#include "cloud/flow/jsonata_eval.h"
#include "cloud/flow/jsonata_picture.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- the calendar ---- */

/* Infinite for what is far beyond the times of JavaScript, which end in the year 275760. */
double jp_days_from(double year, double month, double day)
{
    double era, of_era;
    int y, m, d;

    if (!(fabs(year) < 1e9 && fabs(month) < 1e9))
        return INFINITY;
    year += floor(month / 12);
    m = (int)(month - floor(month / 12) * 12); /* 0 … 11 */
    if (m < 2)
        year -= 1;
    m = (m + 10) % 12; /* March is 0 */
    era = floor(year / 400);
    y = (int)(year - era * 400);
    d = (153 * m + 2) / 5;
    of_era = y * 365.0 + y / 4 - y / 100 + d;
    return era * 146097 + of_era - 719468 + day - 1;
}

void jp_date_of(double days, double *year, int *month, int *day)
{
    double shifted = days + 719468, era = floor(shifted / 146097);
    int of_era = (int)(shifted - era * 146097);
    int y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

    *day = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 2 : m - 10;
    *year = era * 400 + y + (*month < 2);
}

/* ---- ISO 8601 ---- */

static bool number(const char **p, size_t digits, double *out)
{
    *out = 0;
    for (size_t i = 0; i < digits; i++) {
        if ((*p)[i] < '0' || (*p)[i] > '9')
            return false;
        *out = *out * 10 + ((*p)[i] - '0');
    }
    *p += digits;
    return true;
}

static bool iso_fraction(const char **p, double *seconds)
{
    double scale = 0.1;

    if (**p != '.')
        return true;
    if ((*p)[1] < '0' || (*p)[1] > '9')
        return false;
    for (++*p; **p >= '0' && **p <= '9'; ++*p, scale /= 10)
        if (scale > 0.0005)
            *seconds += (**p - '0') * scale;
    return true;
}

static bool iso_zone(const char **p, double *minutes)
{
    double hours, rest, sign = **p == '-' ? -1 : 1;

    *minutes = 0;
    if (**p == 'Z')
        ++*p;
    if (**p != '+' && **p != '-')
        return true;
    ++*p;
    if (!number(p, 2, &hours))
        return false;
    *p += **p == ':';
    if (!number(p, 2, &rest) || hours > 23 || rest > 59)
        return false;
    *minutes = sign * (hours * 60 + rest);
    return true;
}

static bool iso_time(const char **p, double *seconds)
{
    double hour, minute, second;

    if (**p != 'T')
        return true;
    ++*p;
    if (!number(p, 2, &hour) || *(*p)++ != ':' || !number(p, 2, &minute) || *(*p)++ != ':' ||
        !number(p, 2, &second))
        return false;
    *seconds = hour * 3600 + minute * 60 + second;
    return minute < 60 && second < 60 && (hour < 24 || (hour == 24 && minute + second == 0)) &&
           iso_fraction(p, seconds);
}

static bool iso_millis(const char *p, double *millis)
{
    double year, month = 1, day = 1, seconds = 0, zone;

    if (!number(&p, 4, &year))
        return false;
    if (*p == '-' && (p++, !number(&p, 2, &month)))
        return false;
    if (*p == '-' && (p++, !number(&p, 2, &day)))
        return false;
    if (month < 1 || month > 12 || day < 1 || day > 31 || !iso_time(&p, &seconds) || !iso_zone(&p, &zone) ||
        *p)
        return false;
    *millis = jp_days_from(year, month - 1, day) * 86400000 + floor(seconds * 1000 + 0.0001) - zone * 60000;
    return true;
}

static jv *iso_text(jv_eval *e, double millis)
{
    double days = floor(millis / 86400000), year;
    int month, day, rest = (int)(millis - days * 86400000);
    char text[64];

    jp_date_of(days, &year, &month, &day);
    snprintf(text, sizeof(text),
             year < 0      ? "-%06.0f-%02d-%02dT%02d:%02d:%02d.%03dZ"
             : year > 9999 ? "+%06.0f-%02d-%02dT%02d:%02d:%02d.%03dZ"
                           : "%04.0f-%02d-%02dT%02d:%02d:%02d.%03dZ",
             fabs(year), month + 1, day, rest / 3600000, rest / 60000 % 60, rest / 1000 % 60, rest % 1000);
    return jv_string(e, jv_copy(e, text, strlen(text)), strlen(text));
}

/* ---- the functions ---- */

static jv *format(jv_call *c, double millis, const jv *picture, const jv *zone)
{
    if (!(fabs(millis) <= 8.64e15))
        jv_bound(c->e, "Invalid time value");
    if (!picture && !zone)
        return iso_text(c->e, floor(millis));
    return sh_jv_format_date(c->e, floor(millis), picture, zone);
}

static double now(const jv_call *c)
{
    if (!c->e->env || !c->e->env->env)
        jv_bound(c->e, "no clock");
    return (double)c->e->env->env->now_ms;
}

static jv *run_now(jv_call *c)
{
    return format(c, now(c), c->args[0], c->args[1]);
}

static jv *run_millis(jv_call *c)
{
    return jv_number(c->e, now(c));
}

static jv *run_from_millis(jv_call *c)
{
    return c->args[0] ? format(c, c->args[0]->number, c->args[1], c->args[2]) : NULL;
}

static jv *run_to_millis(jv_call *c)
{
    jv *text = c->args[0];
    double millis;

    if (!text)
        return NULL;
    if (c->args[1])
        return sh_jv_parse_date(c->e, text, c->args[1]);
    if (!iso_millis(jv_copy(c->e, text->string.text, text->string.length), &millis))
        jv_call_fail(c, "D3110", text);
    return jv_number(c->e, millis);
}

const jv_builtin jv_builtins_date[] = {
    {"now", "<s?s?:s>", 0, run_now},
    {"millis", "<:n>", 0, run_millis},
    {"fromMillis", "<n-s?s?:s>", 3, run_from_millis},
    {"toMillis", "<s-s?:n>", 2, run_to_millis},
    {0},
};
