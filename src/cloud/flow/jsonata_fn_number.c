/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions on numbers, and what makes numbers of lists. */
#include "cloud/flow/jsonata_eval.h"
#include "cloud/flow/jsonata_picture.h"
#include "cloud/flow/jsonata_text.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *digits(const char *p)
{
    while (*p >= '0' && *p <= '9')
        p++;
    return p;
}

/* The grammar of JSON's numbers. */
static bool is_number_text(const char *p)
{
    const char *q;

    p += *p == '-';
    q = *p == '0' ? p + 1 : digits(p);
    if (q == p)
        return false;
    if (*q == '.') {
        p = digits(q + 1);
        if (p == q + 1)
            return false;
        q = p;
    }
    if (*q == 'e' || *q == 'E') {
        p = q + 1 + (q[1] == '+' || q[1] == '-');
        q = digits(p);
        if (q == p)
            return false;
    }
    return !*q;
}

static bool based_number(const char *text, double *number)
{
    int base = text[0] != '0'                     ? 0
               : text[1] == 'x' || text[1] == 'X' ? 16
               : text[1] == 'o' || text[1] == 'O' ? 8
               : text[1] == 'b' || text[1] == 'B' ? 2
                                                  : 0;

    if (!base || !text[2])
        return false;
    *number = 0;
    for (text += 2; *text; text++) {
        int digit = *text <= '9' ? *text - '0' : (*text | 32) - 'a' + 10;

        if (*text < '0' || digit < 0 || digit >= base || (*text > '9' && (*text | 32) < 'a'))
            return false;
        *number = *number * base + digit;
    }
    return true;
}

static jv *run_number(jv_call *c)
{
    jv *value = c->args[0];
    const char *text;
    double number;

    if (!value || value->kind == JV_NUMBER)
        return value;
    if (value->kind == JV_BOOL)
        return jv_number(c->e, value->truth);
    text = value->kind == JV_STRING ? jv_copy(c->e, value->string.text, value->string.length) : "";
    if (value->kind == JV_STRING && strlen(text) == value->string.length) {
        if (is_number_text(text) && isfinite(number = strtod(text, NULL)))
            return jv_number(c->e, number);
        if (based_number(text, &number))
            return jv_number(c->e, number);
    }
    jv_call_fail(c, "D3030", value);
}

static jv *run_abs(jv_call *c)
{
    return c->args[0] ? jv_number(c->e, fabs(c->args[0]->number)) : NULL;
}

static jv *run_floor(jv_call *c)
{
    return c->args[0] ? jv_number(c->e, floor(c->args[0]->number)) : NULL;
}

static jv *run_ceil(jv_call *c)
{
    return c->args[0] ? jv_number(c->e, ceil(c->args[0]->number)) : NULL;
}

static jv *run_sqrt(jv_call *c)
{
    if (!c->args[0])
        return NULL;
    if (c->args[0]->number < 0)
        jv_call_fail(c, "D3060", c->args[0]);
    return jv_number(c->e, sqrt(c->args[0]->number));
}

static jv *run_power(jv_call *c)
{
    double result;

    if (!c->args[0] || !c->args[1])
        return NULL;
    result = pow(c->args[0]->number, c->args[1]->number);
    if (!isfinite(result))
        jv_fail_value(c->e, "D3061", c->position, c->row->name, c->args[0], c->args[1]);
    return jv_number(c->e, result);
}

/* The decimal text of the number with its point moved. */
static double shift(double number, double places)
{
    char text[64], *e;
    double exponent = 0;

    if (!isfinite(number) || fabs(places) > 1000)
        return number;
    sh_jv_number_text(number, text);
    e = strchr(text, 'e');
    if (e) {
        exponent = strtod(e + 1, NULL);
        *e = '\0';
    }
    snprintf(text + strlen(text), sizeof(text) - strlen(text), "e%d", (int)(exponent + places));
    return strtod(text, NULL);
}

double sh_jv_round(double number, double precision)
{
    double shifted = precision != 0 ? shift(number, precision) : number, result = floor(shifted + 0.5);

    if (fabs(result - shifted) == 0.5 && fabs(fmod(result, 2)) == 1)
        result -= 1;
    if (precision != 0)
        result = shift(result, -precision);
    return result == 0 ? 0 : result;
}

static jv *run_round(jv_call *c)
{
    if (!c->args[0])
        return NULL;
    return jv_number(c->e, sh_jv_round(c->args[0]->number, c->args[1] ? c->args[1]->number : 0));
}

/* ---- lists ---- */

static jv *run_sum(jv_call *c)
{
    double sum = 0;

    if (!c->args[0])
        return NULL;
    for (size_t i = 0; i < jv_count(c->e, c->args[0]); i++)
        sum += jv_item(c->e, c->args[0], i)->number;
    return jv_number(c->e, sum);
}

static jv *extreme(jv_call *c, double sign)
{
    jv *best = NULL;

    for (size_t i = 0; c->args[0] && i < jv_count(c->e, c->args[0]); i++) {
        jv *item = jv_item(c->e, c->args[0], i);

        if (!best || item->number * sign > best->number * sign)
            best = item;
    }
    return best;
}

static jv *run_max(jv_call *c)
{
    return extreme(c, 1);
}

static jv *run_min(jv_call *c)
{
    return extreme(c, -1);
}

static jv *run_average(jv_call *c)
{
    jv *sum;

    if (!c->args[0] || !jv_count(c->e, c->args[0]))
        return NULL;
    sum = run_sum(c);
    sum->number /= (double)jv_count(c->e, c->args[0]);
    return sum;
}

/* ---- text ---- */

static jv *run_format_base(jv_call *c)
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    char text[1100];
    size_t at = sizeof(text);
    double number, base;

    if (!c->args[0])
        return NULL;
    number = sh_jv_round(c->args[0]->number, 0);
    base = c->args[1] ? sh_jv_round(c->args[1]->number, 0) : 10;
    if (base < 2 || base > 36)
        jv_call_fail(c, "D3100", jv_number(c->e, base));
    if (!isfinite(number))
        return jv_to_string(c->e, c->args[0], false);
    for (double rest = fabs(number); at > 1 && (rest >= 1 || at == sizeof(text)); rest = floor(rest / base))
        text[--at] = letters[(int)fmod(rest, base)];
    if (number < 0)
        text[--at] = '-';
    return jv_string(c->e, jv_copy(c->e, text + at, sizeof(text) - at), sizeof(text) - at);
}

const jv_builtin jv_builtins_number[] = {
    {"number", "<(nsb)-:n>", 1, run_number},
    {"abs", "<n-:n>", 1, run_abs},
    {"floor", "<n-:n>", 1, run_floor},
    {"ceil", "<n-:n>", 1, run_ceil},
    {"round", "<n-n?:n>", 2, run_round},
    {"power", "<n-n:n>", 2, run_power},
    {"sqrt", "<n-:n>", 1, run_sqrt},
    {"sum", "<a<n>:n>", 1, run_sum},
    {"max", "<a<n>:n>", 1, run_max},
    {"min", "<a<n>:n>", 1, run_min},
    {"average", "<a<n>:n>", 1, run_average},
    {"formatNumber", "<n-so?:s>", 3, sh_jv_format_number},
    {"formatBase", "<n-n?:s>", 2, run_format_base},
    {"formatInteger", "<n-s:s>", 2, sh_jv_format_integer},
    {"parseInteger", "<s-s:n>", 2, sh_jv_parse_integer},
    {0},
};
