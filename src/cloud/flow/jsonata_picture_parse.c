/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading times by a picture. The picture becomes a regular expression with a group for each part; what the
 * groups matched becomes components, and those, completed from the present where the picture starts with a
 * smaller unit, become a time. */
#include "cloud/flow/jsonata_picture.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct parsing {
    jv_eval *e;
    double value[128]; /* by component */
    bool given[128];
} parsing;

/* ---- the regular expression ---- */

static bool is_zone(const jp_part *part)
{
    return part->component == 'Z' || part->component == 'z';
}

static char zone_separator(const jp_part *part)
{
    return part->integer.separator_count && part->integer.separators[0].character < 128
               ? (char)part->integer.separators[0].character
               : 0;
}

static void put_escaped(jp_text *t, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] && strchr(".*+?^${}()|[]\\/", text[i]))
            jp_puts(t, "\\");
        jp_put(t, text + i, 1);
    }
}

static void put_part(jp_text *t, const jp_part *part)
{
    char separator = is_zone(part) ? zone_separator(part) : 0;

    if (!part->component) {
        put_escaped(t, part->text, part->length);
    } else if (is_zone(part)) {
        jp_puts(t, part->component == 'z' ? "GMT[-+][0-9]+" : "[-+][0-9]+");
        if (separator) {
            put_escaped(t, &separator, 1);
            jp_puts(t, "[0-9]+");
        }
    } else if (part->has_integer) {
        jp_integer_pattern(t, &part->integer);
    } else {
        if (!strchr("MxFP", part->component))
            jv_fail_parts(t->e, "D3133", 0, &(jv_error_parts){.value_text = (char[2]){part->component}});
        jp_puts(t, "[a-zA-Z]+");
    }
}

static const jv_regex *compile(jv_eval *e, const jp_date *date)
{
    jp_text t = {.e = e};
    const char *why = NULL;
    const jv_regex *regex;

    jp_puts(&t, "^");
    for (size_t i = 0; i < date->count; i++) {
        jp_puts(&t, "(");
        put_part(&t, &date->parts[i]);
        jp_puts(&t, ")");
    }
    jp_puts(&t, "$");
    regex = jv_regex_compile(e->arena, t.text, t.length, true, false, &why);
    if (!regex && why)
        jv_bound(e, why);
    if (!regex)
        jv_stop(e, SH_E_MEMORY);
    return regex;
}

/* ---- values of parts ---- */

static bool is_name(const jp_part *part, const char *name, const char *text, size_t length)
{
    size_t wanted = strlen(name);

    if (part->most && part->most < wanted)
        wanted = part->most;
    return wanted == length && !memcmp(name, text, length);
}

static double name_value(const jp_part *part, const char *text, size_t length)
{
    const char *const *names = part->component == 'F' ? jp_days : jp_months;
    size_t count = part->component == 'F' ? 8 : 13;

    if (part->component == 'P') {
        if (length == 2 && (!memcmp(text, "pm", 2) || !memcmp(text, "PM", 2)))
            return 1;
        return length == 2 && (!memcmp(text, "am", 2) || !memcmp(text, "AM", 2)) ? 0 : NAN;
    }
    for (size_t i = 1; i < count; i++)
        if (is_name(part, names[i], text, length))
            return (double)i;
    return NAN;
}

/* Minutes. */
static double zone_value(jv_eval *e, const jp_part *part, const char *text, size_t length)
{
    char *copy = jv_copy(e, text, length), separator = zone_separator(part), *minutes, *p = copy;
    long hours, rest = 0;

    p += part->component == 'z' ? 3 : 0;
    minutes = separator ? strchr(p, separator) : strlen(p) > 3 ? p + 3 : NULL;
    if (minutes) {
        rest = strtol(minutes + (separator != 0), NULL, 10);
        *minutes = '\0';
    }
    hours = strtol(p, NULL, 10);
    return (double)hours * 60 + (double)rest;
}

static void take_part(parsing *p, const jp_part *part, const char *text, size_t length)
{
    double value;

    if (!part->component)
        return;
    if (is_zone(part))
        value = zone_value(p->e, part, text, length);
    else if (part->has_integer)
        value = jp_integer_value(p->e, &part->integer, text, length);
    else
        value = name_value(part, text, length);
    p->value[(unsigned char)part->component & 127] = value;
    p->given[(unsigned char)part->component & 127] = !isnan(value);
}

/* ---- a time from components ---- */

/* Whether only these are given, of `all`, and any of them. A zero counts as not given. */
static bool only(const parsing *p, const char *all, const char *these)
{
    bool any = false;

    for (; *all; all++) {
        bool here = p->given[(int)*all] && p->value[(int)*all] != 0;

        if (here && !strchr(these, *all))
            return false;
        any |= here;
    }
    return any;
}

static void complete(parsing *p, const char *components)
{
    double now = p->e->env && p->e->env->env ? (double)p->e->env->env->now_ms : 0;
    bool started = false, ended = false;

    for (; *components; components++) {
        int c = *components;

        if (p->given[c]) {
            started = true;
            if (ended)
                jv_fail(p->e, "D3136", 0, NULL);
        } else if (started) {
            p->value[c] = strchr("MDd", c) != NULL;
            ended = true;
        } else {
            p->value[c] = jp_fragment(now, (char)c);
        }
    }
}

static double make_time(parsing *p)
{
    static const char dates[] = "YXMxWwdD", times[] = "PHhmsf";
    bool ymd = only(p, dates, "YMD"), yd = !ymd && only(p, dates, "Yd");
    bool weeks = only(p, dates, "Xxw"), week = !weeks && only(p, dates, "XW");
    bool half = !only(p, times, "Hmsf") && only(p, times, "Phmsf");
    char components[16] = "";
    double month, day, hour, *v = p->value;

    strncat(components, yd ? "YD" : weeks ? "XxwF" : week ? "XWF" : "YMD", 5);
    strncat(components, half ? "Phmsf" : "Hmsf", 6);
    complete(p, components);
    month = v['M'] > 0 ? v['M'] - 1 : 0;
    day = yd ? v['d'] : v['D'];
    if (weeks || week)
        jv_fail(p->e, "D3136", 0, NULL);
    if (v['Y'] >= 0 && v['Y'] < 100) /* as Date.UTC has it */
        v['Y'] += 1900;
    hour = half ? (v['h'] == 12 ? 0 : v['h']) + (v['P'] == 1 ? 12 : 0) : v['H'];
    return jp_days_from(v['Y'], yd ? 0 : month, day) * 86400000.0 + hour * 3600000 + v['m'] * 60000 +
           v['s'] * 1000 + v['f'] - (v['Z'] != 0 ? v['Z'] : v['z']) * 60000;
}

jv *sh_jv_parse_date(jv_eval *e, const jv *text, const jv *picture)
{
    jp_date date = jp_date_read(e, picture->string.text, picture->string.length);
    parsing p = {.e = e};
    bool any = false;
    double millis;
    jv_match m;

    if (!jv_regex_search(e, compile(e, &date), text->string.text, text->string.length, 0, &m))
        return NULL;
    for (size_t i = 0, group = 0; i < date.count && group < m.groups; i++, group++) {
        take_part(&p, &date.parts[i], text->string.text + m.starts[group],
                  (size_t)(m.ends[group] - m.starts[group]));
        any |= date.parts[i].component != 0;
    }
    if (!any)
        return NULL;
    millis = make_time(&p);
    if (!(fabs(millis) <= 8.64e15))
        jv_fail(e, "D3136", 0, NULL);
    return jv_number(e, millis);
}
