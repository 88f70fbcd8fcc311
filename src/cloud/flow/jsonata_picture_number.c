/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* $formatNumber: pictures of decimal numbers. A picture has one or two sub-pictures (positive; negative);
 * each is taken apart into prefix, integer part, fraction, exponent and suffix, checked by the rules of
 * XPath, and summed up in sizes that the number is then written with. */
#include "cloud/flow/jsonata_picture.h"
#include "cloud/flow/jsonata_text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { POSITIONS = 32, PICTURE_MAX = 4096, FRACTION_MAX = 100 };

typedef struct text32 {
    const uint32_t *at;
    size_t count;
} text32;

typedef struct symbols {
    uint32_t decimal, grouping, exponent, minus, percent, per_mille, zero, digit, pattern;
} symbols;

typedef struct sub {
    text32 whole, prefix, suffix, active, mantissa, exponent, integer, fraction;
    bool has_exponent;
    size_t groups[POSITIONS], group_count, regular;
    size_t fraction_groups[POSITIONS], fraction_group_count;
    size_t least_integer, scaling, least_fraction, most_fraction, least_exponent;
    bool minus; /* before the prefix */
} sub;

/* ---- symbols ---- */

static const struct {
    const char *name;
    size_t offset;
    uint32_t usual;
} symbol_rows[] = {
    {"decimal-separator", offsetof(symbols, decimal), '.'},
    {"grouping-separator", offsetof(symbols, grouping), ','},
    {"exponent-separator", offsetof(symbols, exponent), 'e'},
    {"minus-sign", offsetof(symbols, minus), '-'},
    {"percent", offsetof(symbols, percent), '%'},
    {"per-mille", offsetof(symbols, per_mille), 0x2030},
    {"zero-digit", offsetof(symbols, zero), '0'},
    {"digit", offsetof(symbols, digit), '#'},
    {"pattern-separator", offsetof(symbols, pattern), ';'},
};

static symbols read_symbols(jv_call *c)
{
    symbols s;

    for (size_t i = 0; i < sizeof(symbol_rows) / sizeof(*symbol_rows); i++) {
        uint32_t *into = (uint32_t *)((char *)&s + symbol_rows[i].offset);
        jv *given =
            c->args[2] ? jv_get(c->e, c->args[2], symbol_rows[i].name, strlen(symbol_rows[i].name)) : NULL;
        size_t at = 0;

        *into = symbol_rows[i].usual;
        if (jv_is(given, JV_STRING) && given->string.length)
            *into = sh_jv_next(given->string.text, given->string.length, &at);
    }
    return s;
}

static bool is_family(const symbols *s, uint32_t c)
{
    return c >= s->zero && c <= s->zero + 9;
}

static bool is_active(const symbols *s, uint32_t c)
{
    return is_family(s, c) || c == s->decimal || c == s->exponent || c == s->grouping || c == s->digit ||
           c == s->pattern;
}

/* ---- taking apart ---- */

static text32 part(text32 t, size_t from, size_t to)
{
    if (to > t.count)
        to = t.count;
    return from < to ? (text32){t.at + from, to - from} : (text32){t.at, 0};
}

static size_t find(text32 t, uint32_t c, size_t from)
{
    for (size_t i = from; i < t.count; i++)
        if (t.at[i] == c)
            return i;
    return SIZE_MAX;
}

static size_t count_of(text32 t, uint32_t c)
{
    size_t count = 0;

    for (size_t i = 0; i < t.count; i++)
        count += t.at[i] == c;
    return count;
}

static size_t count_family(const symbols *s, text32 t, bool optional)
{
    size_t count = 0;

    for (size_t i = 0; i < t.count; i++)
        count += is_family(s, t.at[i]) || (optional && t.at[i] == s->digit);
    return count;
}

static sub take_apart(const symbols *s, text32 whole)
{
    sub p = {.whole = whole};
    size_t first = 0, last = whole.count, exponent, decimal;

    while (first < whole.count && (!is_active(s, whole.at[first]) || whole.at[first] == s->exponent))
        first++;
    while (last > first && (!is_active(s, whole.at[last - 1]) || whole.at[last - 1] == s->exponent))
        last--;
    if (first == whole.count) /* nothing in it is active */
        first = 0, last = whole.count;
    p.prefix = part(whole, 0, first);
    p.suffix = part(whole, last, whole.count);
    p.active = p.mantissa = part(whole, first, last);
    exponent = find(whole, s->exponent, first);
    if (exponent != SIZE_MAX && exponent <= last) { /* one at the very end counts, too: it is an error */
        p.has_exponent = true;
        p.mantissa = part(p.active, 0, exponent - first);
        p.exponent = part(p.active, exponent - first + 1, p.active.count);
    }
    decimal = find(p.mantissa, s->decimal, 0);
    p.integer = part(p.mantissa, 0, decimal);
    p.fraction = decimal == SIZE_MAX ? p.suffix : part(p.mantissa, decimal + 1, p.mantissa.count);
    return p;
}

/* ---- checking ---- */

static bool has_passive(const symbols *s, text32 t)
{
    for (size_t i = 0; i < t.count; i++)
        if (!is_active(s, t.at[i]))
            return true;
    return false;
}

static bool has_pair(text32 t, uint32_t a, uint32_t b)
{
    for (size_t i = 0; i + 1 < t.count; i++)
        if (t.at[i] == a && t.at[i + 1] == b)
            return true;
    return false;
}

static const char *check_parts(const symbols *s, const sub *p)
{
    size_t optional = find(p->integer, s->digit, 0), last = p->fraction.count;
    bool decimal = count_of(p->whole, s->decimal) > 0;

    if (decimal &&
        (has_pair(p->whole, s->grouping, s->decimal) || has_pair(p->whole, s->decimal, s->grouping)))
        return "D3087";
    if (!decimal && p->integer.count && p->integer.at[p->integer.count - 1] == s->grouping)
        return "D3088";
    if (has_pair(p->whole, s->grouping, s->grouping))
        return "D3089";
    if (optional != SIZE_MAX && count_family(s, part(p->integer, 0, optional), false))
        return "D3090";
    while (last && p->fraction.at[last - 1] != s->digit)
        last--;
    if (last && count_family(s, part(p->fraction, last, p->fraction.count), false))
        return "D3091";
    return NULL;
}

static const char *check(const symbols *s, const sub *p)
{
    const char *wrong;
    bool scaled = count_of(p->whole, s->percent) || count_of(p->whole, s->per_mille);

    if (count_of(p->whole, s->decimal) > 1)
        return "D3081";
    if (count_of(p->whole, s->percent) > 1)
        return "D3082";
    if (count_of(p->whole, s->per_mille) > 1)
        return "D3083";
    if (count_of(p->whole, s->percent) && count_of(p->whole, s->per_mille))
        return "D3084";
    if (!count_family(s, p->mantissa, true))
        return has_passive(s, p->active) && p->active.count == p->whole.count ? "D3086" : "D3085";
    if (has_passive(s, p->active))
        return "D3086";
    wrong = check_parts(s, p);
    if (wrong)
        return wrong;
    if (p->has_exponent && p->exponent.count && scaled)
        return "D3092";
    if (p->has_exponent && (!p->exponent.count || count_family(s, p->exponent, false) != p->exponent.count))
        return "D3093";
    return NULL;
}

/* ---- summing up ---- */

static size_t group_positions(const symbols *s, text32 t, bool left, size_t out[POSITIONS])
{
    size_t count = 0;

    for (size_t i = find(t, s->grouping, 0); i != SIZE_MAX && count < POSITIONS;
         i = find(t, s->grouping, i + 1))
        out[count++] = count_family(s, left ? part(t, 0, i) : part(t, i, t.count), true);
    return count;
}

static size_t gcd(size_t a, size_t b)
{
    return b ? gcd(b, a % b) : a;
}

static size_t regular_distance(const sub *p)
{
    size_t distance = 0;

    for (size_t i = 0; i < p->group_count; i++)
        distance = gcd(p->groups[i], distance);
    for (size_t i = 1; i <= p->group_count; i++) {
        bool found = false;

        for (size_t k = 0; k < p->group_count; k++)
            found |= p->groups[k] == i * distance;
        if (!found)
            return 0;
    }
    return distance;
}

static void sum_up(const symbols *s, sub *p)
{
    p->group_count = group_positions(s, p->integer, false, p->groups);
    p->fraction_group_count = group_positions(s, p->fraction, true, p->fraction_groups);
    p->regular = regular_distance(p);
    p->least_integer = p->scaling = count_family(s, p->integer, false);
    p->least_fraction = count_family(s, p->fraction, false);
    p->most_fraction = count_family(s, p->fraction, true);
    if (!p->least_integer && !p->most_fraction) {
        if (p->has_exponent)
            p->least_fraction = p->most_fraction = 1;
        else
            p->least_integer = 1;
    }
    if (p->has_exponent && !p->least_integer && count_of(p->integer, s->digit))
        p->least_integer = 1;
    if (!p->least_integer && !p->least_fraction)
        p->least_fraction = 1;
    p->least_exponent = p->has_exponent ? count_family(s, p->exponent, false) : 0;
}

/* ---- writing ---- */

static void put_part(jp_text *t, text32 part)
{
    for (size_t i = 0; i < part.count; i++)
        jp_put_character(t, part.at[i]);
}

static void put_digit(jp_text *t, const symbols *s, char digit)
{
    jp_put_character(t, s->zero + (uint32_t)(digit - '0'));
}

static bool is_grouped(const sub *p, size_t right)
{
    if (p->regular)
        return right % p->regular == 0;
    for (size_t i = 0; i < p->group_count; i++)
        if (p->groups[i] == right)
            return true;
    return false;
}

static void put_integer(jp_text *t, const symbols *s, const sub *p, const char *digits, size_t count)
{
    size_t width = count < p->least_integer ? p->least_integer : count;

    for (size_t right = width; right > 0; right--) {
        if (right < width && is_grouped(p, right))
            jp_put_character(t, s->grouping);
        put_digit(t, s, right > count ? '0' : digits[count - right]);
    }
}

static void put_fraction(jp_text *t, const symbols *s, const sub *p, const char *digits, size_t count)
{
    size_t width = count < p->least_fraction ? p->least_fraction : count;

    if (!count_of(p->whole, s->decimal) || !width)
        return;
    jp_put_character(t, s->decimal);
    for (size_t left = 0; left < width; left++) {
        for (size_t i = 0; left && i < p->fraction_group_count; i++)
            if (p->fraction_groups[i] == left)
                jp_put_character(t, s->grouping);
        put_digit(t, s, left < count ? digits[left] : '0');
    }
}

static void put_mantissa(jp_text *t, const symbols *s, const sub *p, double mantissa)
{
    char digits[512];
    size_t places = p->most_fraction < FRACTION_MAX ? p->most_fraction : FRACTION_MAX, length, point,
           first = 0;

    snprintf(digits, sizeof(digits), "%.*f", (int)places,
             fabs(sh_jv_round(mantissa, (double)p->most_fraction)));
    length = strlen(digits);
    point = strcspn(digits, ".");
    while (first < point && digits[first] == '0')
        first++;
    while (length > point + 1 && digits[length - 1] == '0')
        length--;
    put_integer(t, s, p, digits + first, point - first);
    put_fraction(t, s, p, digits + point + 1, length > point + 1 ? length - point - 1 : 0);
}

static void put_exponent(jp_text *t, const symbols *s, const sub *p, int exponent)
{
    char digits[24];
    size_t length = (size_t)snprintf(digits, sizeof(digits), "%d", exponent < 0 ? -exponent : exponent);

    jp_put_character(t, s->exponent);
    if (exponent < 0)
        jp_put_character(t, s->minus);
    for (size_t i = length; i < p->least_exponent; i++)
        put_digit(t, s, '0');
    for (size_t i = 0; i < length; i++)
        put_digit(t, s, digits[i]);
}

static jv *write_number(jv_call *c, const symbols *s, const sub *p, double value)
{
    jp_text t = {.e = c->e};
    int exponent = 0;

    if (count_of(p->whole, s->percent))
        value *= 100;
    else if (count_of(p->whole, s->per_mille))
        value *= 1000;
    value = fabs(value);
    if (p->least_exponent && value > 0) {
        double most = pow(10, (double)p->scaling), least = pow(10, (double)p->scaling - 1);

        for (; value < least && exponent > -400; exponent--)
            value *= 10;
        for (; value > most && exponent < 400; exponent++)
            value /= 10;
    }
    if (p->minus)
        jp_put_character(&t, s->minus);
    put_part(&t, p->prefix);
    put_mantissa(&t, s, p, value);
    if (p->least_exponent)
        put_exponent(&t, s, p, exponent);
    put_part(&t, p->suffix);
    return jp_taken(&t);
}

/* ---- the function ---- */

static text32 decode(jv_call *c, const jv *text)
{
    uint32_t *characters;
    size_t count = 0;

    if (text->string.length > PICTURE_MAX)
        jv_bound(c->e, "picture string too long");
    characters = jv_alloc_items(c->e, text->string.length + 1, sizeof(*characters));
    for (size_t at = 0; at < text->string.length;)
        characters[count++] = sh_jv_next(text->string.text, text->string.length, &at);
    return (text32){characters, count};
}

static sub read_sub(jv_call *c, const symbols *s, text32 whole)
{
    sub p = take_apart(s, whole);
    const char *wrong = check(s, &p);

    if (wrong)
        jv_call_fail(c, wrong, NULL);
    sum_up(s, &p);
    return p;
}

jv *sh_jv_format_number(jv_call *c)
{
    symbols s;
    text32 picture;
    sub positive, negative;
    size_t split;

    if (!c->args[0] || !c->args[1])
        return NULL;
    if (!isfinite(c->args[0]->number))
        jv_bound(c->e, "number without a picture");
    s = read_symbols(c);
    picture = decode(c, c->args[1]);
    split = find(picture, s.pattern, 0);
    if (count_of(picture, s.pattern) > 1)
        jv_call_fail(c, "D3080", NULL);
    positive = read_sub(c, &s, part(picture, 0, split));
    negative = positive;
    negative.minus = true;
    if (split != SIZE_MAX)
        negative = read_sub(c, &s, part(picture, split + 1, picture.count));
    return write_number(c, &s, c->args[0]->number >= 0 ? &positive : &negative, c->args[0]->number);
}
