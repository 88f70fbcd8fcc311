/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The operators of Condition ("IAM JSON policy elements: Condition operators"): one row each. A test compares
 * one value of the policy with one of the request; how many have to pass, and what a missing key means, is
 * the same for all of them. */
#include "cloud/policy/model.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

typedef struct asked {
    const sh_policy *policy;
    const sh_policy_request *request;
    const sh_policy_operator *op;
    const char *value, *have;
} asked;

enum { LESS = 1, EQUAL = 2, GREATER = 4 };

struct sh_policy_operator {
    const char *name;
    bool (*test)(const asked *a);
    bool (*takes)(const char *value);
    bool negated;
    bool any_case, like; /* strings */
    int order;           /* numbers, dates: which of LESS, EQUAL and GREATER hold */
};

/* ---- strings, ARNs ---- */

static bool test_string(const asked *a)
{
    return a->op->like ? sh_pattern_matches(a->policy, a->value, a->have, false, a->request)
                       : sh_text_equals(a->policy, a->value, a->have, a->op->any_case, a->request);
}

static bool test_arn(const asked *a)
{
    return sh_arn_matches(a->policy, a->value, a->have, a->request);
}

static bool takes_any(const char *value)
{
    return true;
}

/* ---- numbers, dates ---- */

static bool read_number(const char *text, double *out)
{
    char *end;
    errno = 0;
    *out = strtod(text, &end);
    return end != text && !*end && errno == 0 && isfinite(*out) && !isspace((unsigned char)text[0]);
}

static bool takes_number(const char *value)
{
    double number;
    return read_number(value, &number);
}

/* `lead` (0: none) and exactly `count` digits; *at goes on behind them. */
static bool read_digits(const char **at, char lead, int count, int *out)
{
    const char *digit = *at;
    int number = 0;
    if (lead && *digit++ != lead)
        return false;
    for (int i = 0; i < count; i++, digit++) {
        if (*digit < '0' || *digit > '9')
            return false;
        number = 10 * number + *digit - '0';
    }
    *out = number;
    *at = digit;
    return true;
}

/* "+02:00", "Z" or nothing, in seconds. */
static bool read_zone(const char *at, long *seconds)
{
    int hours, minutes;
    const char sign = *at;
    *seconds = 0;
    if (!*at || strcmp(at, "Z") == 0)
        return true;
    if (sign != '+' && sign != '-')
        return false;
    if (!read_digits(&at, sign, 2, &hours) || !read_digits(&at, ':', 2, &minutes) || *at || hours > 23 ||
        minutes > 59)
        return false;
    *seconds = (sign == '-' ? -1L : 1L) * (hours * 3600L + minutes * 60L);
    return true;
}

static bool in_range(const struct tm *when)
{
    return when->tm_mon >= 0 && when->tm_mon < 12 && when->tm_mday >= 1 && when->tm_mday <= 31 &&
           when->tm_hour >= 0 && when->tm_hour < 24 && when->tm_min >= 0 && when->tm_min < 60 &&
           when->tm_sec >= 0 && when->tm_sec <= 60;
}

/* A profile of ISO 8601 (https://www.w3.org/TR/NOTE-datetime), or seconds since 1970. */
static bool read_date(const char *text, double *out)
{
    struct tm when = {.tm_mon = 1, .tm_mday = 1};
    long zone;
    double part = 0;
    if (strspn(text, "0123456789.") == strlen(text) && strlen(text) > 4)
        return read_number(text, out);
    if (!read_digits(&text, 0, 4, &when.tm_year))
        return false;
    if (read_digits(&text, '-', 2, &when.tm_mon))
        read_digits(&text, '-', 2, &when.tm_mday);
    if (*text == 'T') {
        if (!read_digits(&text, 'T', 2, &when.tm_hour) || !read_digits(&text, ':', 2, &when.tm_min))
            return false;
        read_digits(&text, ':', 2, &when.tm_sec);
        if (*text == '.') {
            char *end;
            part = strtod(text, &end);
            text = end;
        }
    }
    when.tm_year -= 1900;
    when.tm_mon -= 1;
    if (!read_zone(text, &zone) || !in_range(&when))
        return false;
    *out = (double)(timegm(&when) - zone) + part;
    return true;
}

static bool takes_date(const char *value)
{
    double date;
    return read_date(value, &date);
}

static bool in_order(int order, double have, double value)
{
    return (order & (have < value ? LESS : have > value ? GREATER : EQUAL)) != 0;
}

static bool test_number(const asked *a)
{
    double value, have;
    return read_number(a->value, &value) && read_number(a->have, &have) &&
           in_order(a->op->order, have, value);
}

static bool test_date(const asked *a)
{
    double value, have;
    return read_date(a->value, &value) && read_date(a->have, &have) && in_order(a->op->order, have, value);
}

/* ---- the rest ---- */

static bool takes_bool(const char *value)
{
    return strcasecmp(value, "true") == 0 || strcasecmp(value, "false") == 0;
}

static bool test_bool(const asked *a)
{
    return strcasecmp(a->value, a->have) == 0;
}

static bool test_binary(const asked *a)
{
    return strcmp(a->value, a->have) == 0; /* both in base 64 */
}

typedef struct network {
    unsigned char bytes[16];
    int family, bits;
} network;

static bool read_network(const char *text, network *out)
{
    char address[64];
    const size_t length = strcspn(text, "/");
    if (length >= sizeof(address))
        return false;
    memcpy(address, text, length);
    address[length] = '\0';
    out->family = strchr(address, ':') ? AF_INET6 : AF_INET;
    const int most = out->family == AF_INET ? 32 : 128;
    out->bits = most;
    if (inet_pton(out->family, address, out->bytes) != 1)
        return false;
    if (text[length] == '/') {
        double bits;
        if (!read_number(text + length + 1, &bits) || bits < 0 || bits > most || bits != floor(bits))
            return false;
        out->bits = (int)bits;
    }
    return true;
}

static bool takes_network(const char *value)
{
    network n;
    return read_network(value, &n);
}

static bool test_network(const asked *a)
{
    network value, have;
    if (!read_network(a->value, &value) || !read_network(a->have, &have) || value.family != have.family ||
        have.bits < value.bits)
        return false;
    for (int bit = 0; bit < value.bits; bit++) {
        const int mask = 0x80 >> bit % 8;
        if ((value.bytes[bit / 8] ^ have.bytes[bit / 8]) & mask)
            return false;
    }
    return true;
}

/* ---- the table ---- */

static const sh_policy_operator operators[] = {
    {"StringEquals", test_string, takes_any, .negated = false},
    {"StringNotEquals", test_string, takes_any, .negated = true},
    {"StringEqualsIgnoreCase", test_string, takes_any, .any_case = true},
    {"StringNotEqualsIgnoreCase", test_string, takes_any, .negated = true, .any_case = true},
    {"StringLike", test_string, takes_any, .like = true},
    {"StringNotLike", test_string, takes_any, .negated = true, .like = true},
    {"NumericEquals", test_number, takes_number, .order = EQUAL},
    {"NumericNotEquals", test_number, takes_number, .negated = true, .order = EQUAL},
    {"NumericLessThan", test_number, takes_number, .order = LESS},
    {"NumericLessThanEquals", test_number, takes_number, .order = LESS | EQUAL},
    {"NumericGreaterThan", test_number, takes_number, .order = GREATER},
    {"NumericGreaterThanEquals", test_number, takes_number, .order = GREATER | EQUAL},
    {"DateEquals", test_date, takes_date, .order = EQUAL},
    {"DateNotEquals", test_date, takes_date, .negated = true, .order = EQUAL},
    {"DateLessThan", test_date, takes_date, .order = LESS},
    {"DateLessThanEquals", test_date, takes_date, .order = LESS | EQUAL},
    {"DateGreaterThan", test_date, takes_date, .order = GREATER},
    {"DateGreaterThanEquals", test_date, takes_date, .order = GREATER | EQUAL},
    {"Bool", test_bool, takes_bool, .negated = false},
    {"BinaryEquals", test_binary, takes_any, .negated = false},
    {"IpAddress", test_network, takes_network, .negated = false},
    {"NotIpAddress", test_network, takes_network, .negated = true},
    {"ArnEquals", test_arn, takes_any, .negated = false},
    {"ArnLike", test_arn, takes_any, .negated = false},
    {"ArnNotEquals", test_arn, takes_any, .negated = true},
    {"ArnNotLike", test_arn, takes_any, .negated = true},
    {"Null", NULL, takes_bool, .negated = false},
};

const sh_policy_operator *sh_policy_operator_find(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
        if (strlen(operators[i].name) == length && strncasecmp(operators[i].name, name, length) == 0)
            return &operators[i];
    return NULL;
}

bool sh_policy_operator_takes(const sh_policy_operator *op, const char *value)
{
    return op->takes(value);
}

/* ---- conditions ---- */

/* Whether one value of the request passes: one of the policy's values matches it, or none where negated. */
static bool passes(const sh_policy *policy, const sh_condition *c, const char *have,
                   const sh_policy_request *request)
{
    for (size_t i = 0; i < c->values.count; i++) {
        const asked a = {policy, request, c->op, c->values.list[i], have};
        if (c->op->test(&a))
            return !c->op->negated;
    }
    return c->op->negated;
}

static bool is_null(const sh_condition *c, bool missing)
{
    for (size_t i = 0; i < c->values.count; i++)
        if ((strcasecmp(c->values.list[i], "true") == 0) == missing)
            return true;
    return false;
}

bool sh_condition_holds(const sh_policy *policy, const sh_condition *c, const sh_policy_request *request)
{
    const sh_policy_key *key = sh_request_key(request, c->key, strlen(c->key));
    if (!c->op->test)
        return is_null(c, !key);
    if (!key)
        return c->if_exists || c->set == SH_SET_ALL || (c->set == SH_SET_NONE && c->op->negated);
    bool all = true, any = false;
    for (size_t i = 0; i < key->count; i++) {
        const bool one = passes(policy, c, key->values[i], request);
        all = all && one;
        any = any || one;
    }
    if (c->set == SH_SET_NONE)
        return c->op->negated ? all : any;
    return c->set == SH_SET_ALL ? all : any;
}
