/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pictures of dates and times: reading a picture, and writing a time by it. Weeks are those of ISO 8601; the
 * week of a month is counted as that of a year. */
#include "cloud/flow/jsonata_picture.h"
#include "cloud/flow/jsonata_text.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS 86400000.0

const char *const jp_months[13] = {"",     "January", "February",  "March",   "April",    "May",     "June",
                                   "July", "August",  "September", "October", "November", "December"};
const char *const jp_days[8] = {"",         "Monday", "Tuesday",  "Wednesday",
                                "Thursday", "Friday", "Saturday", "Sunday"};

/* ---- components of a time ---- */

static int day_of_week(double days)
{
    double d = fmod(days + 3, 7); /* Monday is 0 */

    return (int)(d < 0 ? d + 7 : d) + 1;
}

/* The Monday of the first week, which has at least four days of the year or month. */
static double first_week(double year, double month)
{
    double first = jp_days_from(year, month, 1);
    int day = day_of_week(first);

    return day > 4 ? first + 8 - day : first - (day - 1);
}

typedef struct place {
    double days, year;
    int month, day;
} place;

static double week_of_year(const place *p)
{
    double week = floor((p->days - first_week(p->year, 0)) / 7) + 1;

    if (week > 52 && p->days >= first_week(p->year + 1, 0))
        return 1;
    return week < 1 ? floor((p->days - first_week(p->year - 1, 0)) / 7) + 1 : week;
}

static double week_of_month(const place *p)
{
    double week = floor((p->days - first_week(p->year, p->month)) / 7) + 1;

    if (week > 4 && p->days >= first_week(p->year, p->month + 1))
        return 1;
    return week < 1 ? floor((p->days - first_week(p->year, p->month - 1)) / 7) + 1 : week;
}

static double year_of_week(const place *p)
{
    return p->year - (p->days < first_week(p->year, 0)) + (p->days >= first_week(p->year + 1, 0));
}

static double month_of_week(const place *p)
{
    int month =
        p->month - (p->days < first_week(p->year, p->month)) + (p->days >= first_week(p->year, p->month + 1));

    return (month + 12) % 12 + 1;
}

static double time_fragment(int ms, char component)
{
    int hour = ms / 3600000;

    switch (component) {
    case 'H':
        return hour;
    case 'h':
        return hour % 12 ? hour % 12 : 12;
    case 'P':
        return hour >= 12;
    case 'm':
        return ms / 60000 % 60;
    case 's':
        return ms / 1000 % 60;
    default:
        return ms % 1000;
    }
}

double jp_fragment(double millis, char component)
{
    place p = {.days = floor(millis / DAY_MS)};

    jp_date_of(p.days, &p.year, &p.month, &p.day);
    switch (component) {
    case 'Y':
        return p.year;
    case 'M':
        return p.month + 1;
    case 'D':
        return p.day;
    case 'd':
        return p.days - jp_days_from(p.year, 0, 1) + 1;
    case 'F':
        return day_of_week(p.days);
    case 'W':
        return week_of_year(&p);
    case 'w':
        return week_of_month(&p);
    case 'X':
        return year_of_week(&p);
    case 'x':
        return month_of_week(&p);
    default:
        return time_fragment((int)(millis - p.days * DAY_MS), component);
    }
}

/* ---- reading a picture ---- */

static const struct {
    char component;
    const char *presentation;
} usual[] = {
    {'Y', "1"}, {'M', "1"}, {'D', "1"}, {'d', "1"},     {'F', "n"},     {'W', "1"},  {'w', "1"},
    {'X', "1"}, {'x', "1"}, {'H', "1"}, {'h', "1"},     {'P', "n"},     {'m', "01"}, {'s', "01"},
    {'f', "1"}, {'C', "n"}, {'E', "n"}, {'Z', "01:01"}, {'z', "01:01"},
};

typedef struct marker {
    jv_eval *e;
    jp_part *part;
    char first[64]; /* presentation */
    char second;
    bool has_width;
    long least, most; /* -1: not given */
} marker;

static jp_part *add_part(jv_eval *e, jp_date *date)
{
    if (date->count == date->capacity) {
        size_t capacity = date->capacity ? date->capacity * 2 : 8;
        jp_part *parts = jv_alloc_items(e, capacity, sizeof(*parts));

        if (date->count)
            memcpy(parts, date->parts, date->count * sizeof(*parts));
        date->parts = parts;
        date->capacity = capacity;
    }
    date->parts[date->count] = (jp_part){.year_digits = -1};
    return &date->parts[date->count++];
}

static void add_literal(jv_eval *e, jp_date *date, const char *text, size_t length)
{
    char *copy = jv_alloc(e, length + 1);
    size_t n = 0;

    if (!length)
        return;
    for (size_t i = 0; i < length; i++) {
        copy[n++] = text[i];
        if (text[i] == ']' && i + 1 < length && text[i + 1] == ']')
            i++;
    }
    *add_part(e, date) = (jp_part){.text = copy, .length = n, .year_digits = -1};
}

static long width_number(const char *text)
{
    return *text >= '0' && *text <= '9' ? strtol(text, NULL, 10) % 1000 : -1;
}

static void read_width(marker *m, char *comma)
{
    char *dash = strchr(comma + 1, '-');

    *comma = '\0';
    m->has_width = true;
    if (dash)
        *dash = '\0';
    m->least = width_number(comma + 1);
    m->most = dash ? width_number(dash + 1) : -1;
}

static void read_presentation(marker *m, const char *text)
{
    size_t length = strlen(text);

    if (length > 1 && strchr("atco", text[length - 1])) {
        m->second = text[--length];
        m->part->zulu = m->second == 't';
    }
    if (length) {
        snprintf(m->first, sizeof(m->first), "%.*s", (int)length, text);
        return;
    }
    for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
        if (usual[i].component == m->part->component)
            snprintf(m->first, sizeof(m->first), "%s", usual[i].presentation);
    if (!m->first[0]) {
        char component[2] = {m->part->component > 1 ? m->part->component : 0};

        jv_fail_parts(m->e, "D3132", 0, &(jv_error_parts){.value_text = component});
    }
}

static void read_integer(marker *m)
{
    char picture[80];
    jp_integer *integer = &m->part->integer;

    snprintf(picture, sizeof(picture), m->second && !strchr("Zz", m->part->component) ? "%s;%c" : "%s",
             m->first, m->second);
    jp_integer_read(m->e, integer, jv_copy(m->e, picture, strlen(picture)), strlen(picture));
    m->part->has_integer = true;
    if (m->has_width && m->least >= 0 && integer->mandatory < (size_t)m->least)
        integer->mandatory = (size_t)m->least;
    if (m->part->component != 'Y')
        return;
    if (m->has_width && m->most >= 0) {
        m->part->year_digits = (int)m->most;
        integer->mandatory = (size_t)m->most;
    } else if (integer->mandatory + integer->optional >= 2) {
        m->part->year_digits = (int)(integer->mandatory + integer->optional);
    }
}

static void read_marker(jv_eval *e, jp_date *date, const char *text, size_t length)
{
    char clean[64], *comma;
    size_t n = 0;
    jp_part *previous = date->count ? &date->parts[date->count - 1] : NULL;
    bool follows = previous && previous->has_integer;
    marker m = {.e = e, .part = add_part(e, date), .least = -1, .most = -1};

    for (size_t i = 0; i < length && n + 1 < sizeof(clean); i++)
        if (!strchr(" \t\r\n", text[i]))
            clean[n++] = text[i];
    clean[n] = '\0';
    m.part->component = n ? clean[0] : 1;
    comma = n ? strrchr(clean, ',') : NULL;
    if (comma)
        read_width(&m, comma);
    read_presentation(&m, n ? clean + 1 : "");
    m.part->has_width = m.has_width && m.most >= 0;
    m.part->most = m.part->has_width ? (size_t)m.most : 0;
    if (m.first[0] == 'n' || m.first[0] == 'N') {
        m.part->named = true;
        m.part->letters = m.first[0] == 'n' ? JP_LOWER : m.first[1] == 'n' ? JP_TITLE : JP_UPPER;
    } else if (strchr("YMDdFWwXxHhmsfZz", m.part->component)) {
        read_integer(&m);
    }
    if (follows && m.part->has_integer && !strchr("Zz", m.part->component)) {
        previous = &date->parts[date->count - 2];
        m.part->integer.exact = m.part->integer.mandatory;
        previous->integer.exact = previous->integer.mandatory;
    }
}

jp_date jp_date_read(jv_eval *e, const char *picture, size_t length)
{
    jp_date date = {0};
    size_t from = 0, at = 0;

    while (at < length) {
        const char *close;

        if (picture[at] != '[') {
            at++;
            continue;
        }
        if (at + 1 < length && picture[at + 1] == '[') {
            add_literal(e, &date, picture + from, at - from + 1);
            from = at += 2;
            continue;
        }
        add_literal(e, &date, picture + from, at - from);
        close = memchr(picture + at, ']', length - at);
        if (!close)
            jv_fail(e, "D3135", 0, NULL);
        read_marker(e, &date, picture + at + 1, (size_t)(close - picture) - at - 1);
        from = at = (size_t)(close - picture) + 1;
    }
    add_literal(e, &date, picture + from, length - from);
    return date;
}

/* ---- writing ---- */

static void put_cased(jp_text *t, const char *name, const jp_part *part)
{
    size_t length = strlen(name), most = part->most && part->most < length ? part->most : length;

    for (size_t i = 0; i < most; i++) {
        char c = name[i];

        if (part->letters == JP_UPPER && c >= 'a' && c <= 'z')
            c = (char)(c - 32);
        if (part->letters == JP_LOWER && c >= 'A' && c <= 'Z')
            c = (char)(c + 32);
        jp_put(t, &c, 1);
    }
}

static void put_name(jp_text *t, const jp_part *part, double value)
{
    char component[2] = {part->component};

    if (part->component == 'M' || part->component == 'x')
        put_cased(t, jp_months[(int)value], part);
    else if (part->component == 'F')
        put_cased(t, jp_days[(int)value], part);
    else
        jv_fail_parts(t->e, "D3133", 0, &(jv_error_parts){.value_text = component});
}

static void put_zone(jp_text *t, const jp_part *part, double hours, double minutes)
{
    const jp_integer *p = &part->integer;
    double offset = hours * 100 + minutes;
    char number[24];

    if (offset == 0 && part->zulu) {
        jp_puts(t, "Z");
        return;
    }
    jp_puts(t, part->component == 'z' ? "GMT" : "");
    jp_puts(t, offset >= 0 ? "+" : "");
    if (p->regular || p->mandatory == 3 || p->mandatory == 4) {
        jp_integer_put(t, p, offset);
    } else if (p->mandatory == 1 || p->mandatory == 2) {
        jp_integer_put(t, p, hours);
        snprintf(number, sizeof(number), ":%02.0f", minutes);
        jp_puts(t, minutes != 0 ? number : "");
    } else {
        snprintf(number, sizeof(number), "%zu", p->mandatory);
        jv_fail_parts(t->e, "D3134", 0, &(jv_error_parts){.value = number});
    }
}

static void put_component(jp_text *t, const jp_part *part, double millis, double hours, double minutes)
{
    double value;

    switch (part->component) {
    case 'Z':
    case 'z':
        put_zone(t, part, hours, minutes);
        return;
    case 'C':
    case 'E':
        jp_puts(t, "ISO");
        return;
    case 'P':
        put_cased(t, jp_fragment(millis, 'P') ? "pm" : "am", &(jp_part){.letters = part->letters});
        return;
    default:
        break;
    }
    value = jp_fragment(millis, part->component);
    if (part->named) {
        put_name(t, part, value);
        return;
    }
    if (part->component == 'Y' && part->year_digits >= 0)
        value = fmod(value, pow(10, part->year_digits));
    jp_integer_put(t, &part->integer, value);
}

jv *sh_jv_format_date(jv_eval *e, double millis, const jv *picture, const jv *zone)
{
    static const char iso[] = "[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01].[f001][Z01:01t]";
    jp_text t = {.e = e};
    double offset = 0, hours, minutes;
    jp_date date = picture ? jp_date_read(e, picture->string.text, picture->string.length)
                           : jp_date_read(e, iso, sizeof(iso) - 1);

    if (zone)
        offset = (double)strtol(jv_copy(e, zone->string.text, zone->string.length), NULL, 10);
    hours = floor(offset / 100);
    minutes = fmod(offset, 100);
    millis += (60 * hours + minutes) * 60000;
    if (!(fabs(millis) <= 8.64e15))
        jv_bound(e, "Invalid time value");
    for (size_t i = 0; i < date.count; i++) {
        const jp_part *part = &date.parts[i];

        if (part->component)
            put_component(&t, part, millis, hours, minutes);
        else
            jp_put(&t, part->text, part->length);
    }
    return jp_taken(&t);
}
