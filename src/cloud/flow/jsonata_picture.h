/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLOUD_FLOW_JSONATA_PICTURE_H
#define SH_CLOUD_FLOW_JSONATA_PICTURE_H
/* Numbers and times written and read by picture strings, as XPath defines them. */
#include "cloud/flow/jsonata_eval.h"

/* Half to even at that many decimal places. */
double sh_jv_round(double number, double precision);

jv *sh_jv_format_number(jv_call *c);
jv *sh_jv_format_integer(jv_call *c);
jv *sh_jv_parse_integer(jv_call *c);

/* ---- text that grows in the arena ---- */

typedef struct jp_text {
    jv_eval *e;
    char *text;
    size_t length, capacity;
} jp_text;

void jp_put(jp_text *t, const char *text, size_t length);
void jp_puts(jp_text *t, const char *text);
void jp_put_character(jp_text *t, uint32_t character);
jv *jp_taken(const jp_text *t);

/* ---- pictures of integers ---- */

typedef enum jp_form { JP_DECIMAL, JP_LETTERS, JP_ROMAN, JP_WORDS, JP_SEQUENCE } jp_form;
typedef enum jp_case { JP_LOWER, JP_UPPER, JP_TITLE } jp_case;

enum { JP_SEPARATORS = 16 };

typedef struct jp_integer {
    jp_form form;
    jp_case letters;
    bool ordinal;
    uint32_t zero; /* of the family of digits */
    size_t mandatory, optional;
    struct {
        size_t position; /* digits to its right */
        uint32_t character;
    } separators[JP_SEPARATORS];
    size_t separator_count;
    size_t regular;   /* 0, or: the first separator stands every so many digits */
    size_t exact;     /* digits to read, 0: any */
    const char *text; /* the picture */
    size_t length;
} jp_integer;

/* Reads a picture; fails with D3131. */
void jp_integer_read(jv_eval *e, jp_integer *out, const char *text, size_t length);
/* Appends the integer; fails with D3130 for a form it cannot write. */
void jp_integer_put(jp_text *t, const jp_integer *picture, double number);
/* Appends a regular expression for such an integer. */
void jp_integer_pattern(jp_text *t, const jp_integer *picture);
double jp_integer_value(jv_eval *e, const jp_integer *picture, const char *text, size_t length);

/* Numbers in words, "Twenty-One" or "Twenty-First", and back. */
void jp_words_put(jp_text *t, double number, bool ordinal);
void jp_words_pattern(jp_text *t);
double jp_words_value(const char *text, size_t length);

/* ---- dates ---- */

jv *sh_jv_format_date(jv_eval *e, double millis, const jv *picture, const jv *zone);
/* NULL: the text is not of that form. */
jv *sh_jv_parse_date(jv_eval *e, const jv *text, const jv *picture);

typedef struct jp_part {
    char component;   /* Y M D …; 0: a literal */
    const char *text; /* of the literal */
    size_t length;
    bool named; /* by name */
    jp_case letters;
    bool has_width;
    size_t most; /* characters of a name, 0: all */
    bool has_integer, zulu;
    jp_integer integer;
    int year_digits; /* -1: all */
} jp_part;

typedef struct jp_date {
    jp_part *parts;
    size_t count, capacity;
} jp_date;

jp_date jp_date_read(jv_eval *e, const char *picture, size_t length);
/* The value of a component at a time. */
double jp_fragment(double millis, char component);

extern const char *const jp_months[13], *const jp_days[8];

/* Days since 1970-01-01; month from 0, may be anything. */
double jp_days_from(double year, double month, double day);
void jp_date_of(double days, double *year, int *month, int *day);

#endif
