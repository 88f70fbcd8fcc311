/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pictures of integers: digits with separators, letters, Roman numerals, words; $formatInteger and
 * $parseInteger. */
#include "cloud/flow/jsonata_picture.h"
#include "cloud/flow/jsonata_text.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- text ---- */

void jp_put(jp_text *t, const char *text, size_t length)
{
    if (t->length + length + 1 > t->capacity) {
        size_t capacity = (t->length + length) * 2 + 64;
        char *grown = jv_alloc(t->e, capacity);

        if (t->length)
            memcpy(grown, t->text, t->length);
        t->text = grown;
        t->capacity = capacity;
    }
    if (length)
        memcpy(t->text + t->length, text, length);
    t->length += length;
    t->text[t->length] = '\0';
}

void jp_puts(jp_text *t, const char *text)
{
    jp_put(t, text, strlen(text));
}

void jp_put_character(jp_text *t, uint32_t character)
{
    char bytes[4];

    jp_put(t, bytes, sh_jv_put_utf8(bytes, character));
}

jv *jp_taken(const jp_text *t)
{
    return jv_string(t->e, t->text ? t->text : "", t->length);
}

/* ---- reading a picture ---- */

static const uint16_t zeros[] = {
    0x30,   0x660,  0x6f0,  0x7c0,  0x966,  0x9e6,  0xa66,  0xae6,  0xb66,  0xbe6,  0xc66,  0xce6,  0xd66,
    0xde6,  0xe50,  0xed0,  0xf20,  0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50,
    0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10};

static uint32_t family_of(uint32_t c)
{
    for (size_t i = 0; i < sizeof(zeros) / sizeof(*zeros); i++)
        if (c >= zeros[i] && c <= zeros[i] + 9u)
            return zeros[i];
    return 0;
}

static const struct {
    char name[3];
    jp_form form;
    jp_case letters;
} forms[] = {
    {"A", JP_LETTERS, JP_UPPER}, {"a", JP_LETTERS, JP_LOWER}, {"I", JP_ROMAN, JP_UPPER},
    {"i", JP_ROMAN, JP_LOWER},   {"W", JP_WORDS, JP_UPPER},   {"w", JP_WORDS, JP_LOWER},
    {"Ww", JP_WORDS, JP_TITLE},
};

static bool read_form(jp_integer *out)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        if (strlen(forms[i].name) != out->length || memcmp(forms[i].name, out->text, out->length))
            continue;
        out->form = forms[i].form;
        out->letters = forms[i].letters;
        return true;
    }
    return false;
}

static size_t gcd(size_t a, size_t b)
{
    return b ? gcd(b, a % b) : a;
}

/* The distance of equal separators at all multiples of it, else 0. */
static size_t regular_distance(const jp_integer *p)
{
    size_t distance = 0;

    for (size_t i = 0; i < p->separator_count; i++) {
        if (p->separators[i].character != p->separators[0].character)
            return 0;
        distance = gcd(p->separators[i].position, distance);
    }
    for (size_t i = 1; i <= p->separator_count; i++) {
        bool found = false;

        for (size_t k = 0; k < p->separator_count; k++)
            found |= p->separators[k].position == i * distance;
        if (!found)
            return 0;
    }
    return distance;
}

static void read_digit_pattern(jv_eval *e, jp_integer *out, const uint32_t *characters, size_t count)
{
    size_t position = 0;

    while (count--) {
        uint32_t c = characters[count], zero = family_of(c);

        if (zero && out->zero && zero != out->zero)
            jv_fail(e, "D3131", 0, NULL);
        if (zero) {
            out->zero = zero;
            out->mandatory++;
            position++;
        } else if (c == '#') {
            out->optional++;
            position++;
        } else if (out->separator_count < JP_SEPARATORS) {
            out->separators[out->separator_count].position = position;
            out->separators[out->separator_count++].character = c;
        } else {
            jv_bound(e, "picture string with too many separators");
        }
    }
    if (!out->mandatory)
        out->form = JP_SEQUENCE;
    out->regular = regular_distance(out);
}

void jp_integer_read(jv_eval *e, jp_integer *out, const char *text, size_t length)
{
    const char *semicolon = length ? memrchr(text, ';', length) : NULL;
    uint32_t *characters;
    size_t count = 0;

    *out = (jp_integer){.text = text, .length = semicolon ? (size_t)(semicolon - text) : length};
    out->ordinal = semicolon && semicolon + 1 < text + length && semicolon[1] == 'o';
    if (read_form(out))
        return;
    characters = jv_alloc_items(e, out->length + 1, sizeof(*characters));
    for (size_t at = 0; at < out->length;)
        characters[count++] = sh_jv_next(text, out->length, &at);
    read_digit_pattern(e, out, characters, count);
}

/* ---- writing ---- */

static void put_letters(jp_text *t, const jp_integer *p, double number)
{
    char letters[80];
    size_t at = sizeof(letters);

    for (; number > 0 && at; number = floor((number - 1) / 26))
        letters[--at] = (char)((p->letters == JP_UPPER ? 'A' : 'a') + (int)fmod(number - 1, 26));
    jp_put(t, letters + at, sizeof(letters) - at);
}

static const struct {
    int value;
    char lower[3], upper[3];
} numerals[] = {{1000, "m", "M"}, {900, "cm", "CM"}, {500, "d", "D"},  {400, "cd", "CD"}, {100, "c", "C"},
                {90, "xc", "XC"}, {50, "l", "L"},    {40, "xl", "XL"}, {10, "x", "X"},    {9, "ix", "IX"},
                {5, "v", "V"},    {4, "iv", "IV"},   {1, "i", "I"}};

static void put_roman(jp_text *t, const jp_integer *p, double number)
{
    if (number > 1e7)
        jv_bound(t->e, "Expression evaluation memory limit exceeded: Check for excessive memory usage");
    for (size_t i = 0; i < sizeof(numerals) / sizeof(*numerals); i++)
        for (; number >= numerals[i].value; number -= numerals[i].value)
            jp_puts(t, p->letters == JP_UPPER ? numerals[i].upper : numerals[i].lower);
}

static bool separator_at(const jp_integer *p, size_t right, uint32_t *character)
{
    if (p->regular) {
        *character = p->separators[0].character;
        return right % p->regular == 0;
    }
    for (size_t i = 0; i < p->separator_count; i++)
        if (p->separators[i].position == right) {
            *character = p->separators[i].character;
            return true;
        }
    return false;
}

static const char *ordinal_ending(const char *digits, size_t length)
{
    static const char *const endings[] = {"st", "nd", "rd"};
    char last = digits[length - 1];

    if (last < '1' || last > '3' || (length > 1 && digits[length - 2] == '1'))
        return "th";
    return endings[last - '1'];
}

static void put_decimal(jp_text *t, const jp_integer *p, double number)
{
    char digits[330];
    size_t length = (size_t)snprintf(digits, sizeof(digits), "%.0f", number), width;
    uint32_t character;

    width = length < p->mandatory ? p->mandatory : length;
    for (size_t right = width; right > 0; right--) {
        if (right < width && separator_at(p, right, &character))
            jp_put_character(t, character);
        jp_put_character(t, p->zero + (right > length ? 0u : (uint32_t)(digits[length - right] - '0')));
    }
    for (size_t i = 0; !p->regular && i < p->separator_count; i++)
        if (!p->separators[i].position)
            jp_put_character(t, p->separators[i].character);
    if (p->ordinal)
        jp_puts(t, ordinal_ending(digits, length));
}

static void put_words(jp_text *t, const jp_integer *p, double number)
{
    jp_text words = {.e = t->e};

    jp_words_put(&words, number, p->ordinal);
    for (size_t i = 0; i < words.length; i++) {
        char c = words.text[i];

        if (p->letters == JP_UPPER && c >= 'a' && c <= 'z')
            words.text[i] = (char)(c - 32);
        if (p->letters == JP_LOWER && c >= 'A' && c <= 'Z')
            words.text[i] = (char)(c + 32);
    }
    jp_put(t, words.text, words.length);
}

void jp_integer_put(jp_text *t, const jp_integer *p, double number)
{
    char *picture;

    if (!isfinite(number))
        jv_bound(t->e, "number without a picture");
    if (number < 0)
        jp_puts(t, "-");
    switch (p->form) {
    case JP_DECIMAL:
        put_decimal(t, p, fabs(number));
        break;
    case JP_LETTERS:
        put_letters(t, p, fabs(number));
        break;
    case JP_ROMAN:
        put_roman(t, p, fabs(number));
        break;
    case JP_WORDS:
        put_words(t, p, fabs(number));
        break;
    default:
        picture = jv_copy(t->e, p->text, p->length);
        jv_fail_parts(t->e, "D3130", 0, &(jv_error_parts){.value_text = picture});
    }
}

/* ---- reading numbers ---- */

void jp_integer_pattern(jp_text *t, const jp_integer *p)
{
    char exact[32];

    switch (p->form) {
    case JP_LETTERS:
        jp_puts(t, p->letters == JP_UPPER ? "[A-Z]+" : "[a-z]+");
        break;
    case JP_ROMAN:
        jp_puts(t, p->letters == JP_UPPER ? "[MDCLXVI]+" : "[mdclxvi]+");
        break;
    case JP_WORDS:
        jp_words_pattern(t);
        break;
    case JP_DECIMAL:
        snprintf(exact, sizeof(exact), p->exact ? "[0-9]{%zu}" : "[0-9]+", p->exact < 999 ? p->exact : 999);
        jp_puts(t, exact);
        if (p->ordinal)
            jp_puts(t, "(?:th|st|nd|rd)");
        break;
    default:
        jv_fail_parts(t->e, "D3130", 0, &(jv_error_parts){.value_text = jv_copy(t->e, p->text, p->length)});
    }
}

static double letters_value(const jp_integer *p, const char *text, size_t length)
{
    double value = 0;

    for (size_t at = 0; at < length;)
        value = value * 26 + (double)sh_jv_next(text, length, &at) - (p->letters == JP_UPPER ? 'A' : 'a') + 1;
    return value;
}

static double roman_value(const char *text, size_t length)
{
    double value = 0, most = 1;

    while (length--) {
        double digit = NAN;

        for (size_t i = 0; i < sizeof(numerals) / sizeof(*numerals); i += 2)
            if ((text[length] & ~32) == numerals[i].upper[0])
                digit = numerals[i].value;
        if (digit < most) {
            value -= digit;
        } else {
            most = digit;
            value += digit;
        }
    }
    return value;
}

static bool is_separator(const jp_integer *p, uint32_t c)
{
    if (p->regular)
        return c == ',';
    for (size_t i = 0; i < p->separator_count; i++)
        if (p->separators[i].character == c)
            return true;
    return false;
}

static double decimal_value(const jp_integer *p, const char *text, size_t length)
{
    double value = 0, sign = 1;
    bool any = false;

    if (p->ordinal)
        length -= length < 2 ? length : 2;
    for (size_t at = 0; at < length;) {
        uint32_t c = sh_jv_next(text, length, &at);

        if (is_separator(p, c) || (!any && sign == 1 && c == ' '))
            continue;
        if (!any && (c == '-' || c == '+') && sign == 1) {
            sign = c == '-' ? -1 : 1;
            continue;
        }
        if (c < p->zero || c > p->zero + 9)
            break;
        value = value * 10 + (c - p->zero);
        any = true;
    }
    return any ? sign * value : NAN;
}

double jp_integer_value(jv_eval *e, const jp_integer *p, const char *text, size_t length)
{
    switch (p->form) {
    case JP_LETTERS:
        return letters_value(p, text, length);
    case JP_ROMAN:
        return roman_value(text, length);
    case JP_WORDS:
        return jp_words_value(text, length);
    case JP_DECIMAL:
        return decimal_value(p, text, length);
    default:
        jv_fail_parts(e, "D3130", 0, &(jv_error_parts){.value_text = jv_copy(e, p->text, p->length)});
    }
}

/* ---- the functions ---- */

jv *sh_jv_format_integer(jv_call *c)
{
    jp_text t = {.e = c->e};
    jp_integer picture;

    if (!c->args[0] || !c->args[1])
        return NULL;
    jp_integer_read(c->e, &picture, c->args[1]->string.text, c->args[1]->string.length);
    jp_integer_put(&t, &picture, floor(c->args[0]->number));
    return jp_taken(&t);
}

jv *sh_jv_parse_integer(jv_call *c)
{
    jp_integer picture;

    if (!c->args[0] || !c->args[1])
        return NULL;
    jp_integer_read(c->e, &picture, c->args[1]->string.text, c->args[1]->string.length);
    return jv_number(c->e,
                     jp_integer_value(c->e, &picture, c->args[0]->string.text, c->args[0]->string.length));
}
