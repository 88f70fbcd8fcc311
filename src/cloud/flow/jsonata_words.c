/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers in English words, and back. */
#include "cloud/flow/jsonata_picture.h"
#include <math.h>
#include <string.h>

static const char *const few[] = {"Zero",    "One",     "Two",       "Three",    "Four",
                                  "Five",    "Six",     "Seven",     "Eight",    "Nine",
                                  "Ten",     "Eleven",  "Twelve",    "Thirteen", "Fourteen",
                                  "Fifteen", "Sixteen", "Seventeen", "Eighteen", "Nineteen"};
static const char *const few_th[] = {"Zeroth",    "First",     "Second",      "Third",      "Fourth",
                                     "Fifth",     "Sixth",     "Seventh",     "Eighth",     "Ninth",
                                     "Tenth",     "Eleventh",  "Twelfth",     "Thirteenth", "Fourteenth",
                                     "Fifteenth", "Sixteenth", "Seventeenth", "Eighteenth", "Nineteenth"};
static const char *const tens[] = {"Twenty", "Thirty",  "Forty",  "Fifty",
                                   "Sixty",  "Seventy", "Eighty", "Ninety"};
static const char *const powers[] = {"Thousand", "Million", "Billion", "Trillion"};

enum { FEW = 20, TENS = 8, POWERS = 4 };

/* ---- writing ---- */

static void put(jp_text *t, double number, bool behind, bool ordinal);

static void put_tens(jp_text *t, int number, bool ordinal)
{
    const char *name = tens[number / 10 - 2];

    if (number % 10) {
        jp_puts(t, name);
        jp_puts(t, "-");
        put(t, number % 10, false, ordinal);
    } else if (ordinal) {
        jp_put(t, name, strlen(name) - 1);
        jp_puts(t, "ieth");
    } else {
        jp_puts(t, name);
    }
}

/* What follows a round part, or the ending of that part. */
static void put_rest(jp_text *t, double rest, bool ordinal)
{
    if (rest > 0)
        put(t, rest, true, ordinal);
    else if (ordinal)
        jp_puts(t, "th");
}

static void put_power(jp_text *t, double number, bool behind, bool ordinal)
{
    int power = 1;
    double unit = 1000, rest;

    for (; power < POWERS && number >= unit * 1000; power++)
        unit *= 1000;
    if (number >= 1e300)
        jv_bound(t->e, "number too large for words");
    rest = fmod(number, unit);
    jp_puts(t, behind ? ", " : "");
    put(t, floor(number / unit), false, false);
    jp_puts(t, " ");
    jp_puts(t, powers[power - 1]);
    put_rest(t, rest, ordinal);
}

static void put(jp_text *t, double number, bool behind, bool ordinal)
{
    if (number >= 1000) {
        put_power(t, number, behind, ordinal);
    } else if (number >= 100) {
        jp_puts(t, behind ? ", " : "");
        jp_puts(t, few[(int)number / 100]);
        jp_puts(t, " Hundred");
        put_rest(t, (int)number % 100, ordinal);
    } else {
        jp_puts(t, behind ? " and " : "");
        if (number >= FEW)
            put_tens(t, (int)number, ordinal);
        else
            jp_puts(t, ordinal ? few_th[(int)number] : few[(int)number]);
    }
}

void jp_words_put(jp_text *t, double number, bool ordinal)
{
    put(t, number, false, ordinal);
}

/* ---- reading ---- */

static bool same_word(const char *a, size_t length, const char *b, const char *ending, size_t cut)
{
    size_t stem = strlen(b) - cut, tail = strlen(ending);

    return length == stem + tail && !strncasecmp(a, b, stem) && !strncasecmp(a + stem, ending, tail);
}

static double word_value(const char *word, size_t length)
{
    double unit = 1;

    for (int i = 0; i < FEW; i++)
        if (same_word(word, length, few[i], "", 0) || same_word(word, length, few_th[i], "", 0))
            return i;
    for (int i = 0; i < TENS; i++)
        if (same_word(word, length, tens[i], "", 0) || same_word(word, length, tens[i], "ieth", 1))
            return 20 + 10 * i;
    if (same_word(word, length, "Hundred", "", 0) || same_word(word, length, "Hundred", "th", 0))
        return 100;
    for (int i = 0; i < POWERS; i++) {
        unit *= 1000;
        if (same_word(word, length, powers[i], "", 0) || same_word(word, length, powers[i], "th", 0))
            return unit;
    }
    return NAN;
}

/* The parts below each power are summed, then multiplied by it. */
static void add_word(double value, double *total, double *top)
{
    if (value >= 100) {
        *top *= value;
        return;
    }
    if (*top >= 1000) {
        *total += *top;
        *top = 0;
    }
    *top += value;
}

double jp_words_value(const char *text, size_t length)
{
    double total = 0, top = 0;

    for (size_t at = 0; at < length;) {
        size_t end = at;

        while (end < length && !strchr(" ,-\t\n", text[end]))
            end++;
        if (end > at && !same_word(text + at, end - at, "and", "", 0)) {
            double value = word_value(text + at, end - at);

            if (isnan(value))
                return NAN;
            add_word(value, &total, &top);
        }
        at = end + 1;
    }
    return total + top;
}

static void put_words(jp_text *t, const char *const *words, size_t count, const char *ending, size_t cut)
{
    for (size_t i = 0; i < count; i++) {
        jp_put(t, words[i], strlen(words[i]) - cut);
        jp_puts(t, ending);
        jp_puts(t, "|");
    }
}

/* Longer words come before those they start with. */
void jp_words_pattern(jp_text *t)
{
    jp_puts(t, "(?:");
    put_words(t, few_th, FEW, "", 0);
    for (size_t i = FEW; i-- > 0;)
        put_words(t, &few[i], 1, "", 0);
    put_words(t, tens, TENS, "ieth", 1);
    put_words(t, tens, TENS, "", 0);
    put_words(t, powers, POWERS, "th", 0);
    put_words(t, powers, POWERS, "", 0);
    jp_puts(t, "Hundredth|Hundred|and|[\\-, ])+");
}
