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

/* ---- pictures of integers ---- */

typedef enum jp_form { JP_DECIMAL, JP_LETTERS, JP_ROMAN, JP_WORDS, JP_SEQUENCE } jp_form;

typedef struct jp_separator {
    size_t position; /* digits to its right */
    uint32_t character;
} jp_separator;

typedef struct jp_integer {
    jp_form form;
    enum { JP_LOWER, JP_UPPER, JP_TITLE } letters;
    bool ordinal;
    uint32_t zero; /* of the family of digits */
    size_t mandatory, optional;
    jp_separator separators[16];
    size_t separator_count;
    bool regular;   /* one separator every `separators[0].position` digits, without end */
    uint32_t first; /* of a JP_SEQUENCE */
} jp_integer;

/* Reads a picture; fails with D3131 or, when a sequence is used, D3130. */
void jp_integer_read(jv_eval *e, jp_integer *out, const char *text, size_t length);
/* Appends to buf, which is freed before a failure leaves. */
jv *jp_integer_format(jv_eval *e, const jp_integer *picture, double number);
/* How many bytes at the start of the text belong to such an integer (0: none), and its value. */
size_t jp_integer_parse(jv_eval *e, const jp_integer *picture, const char *text, size_t length,
                        double *number);

/* ---- dates ---- */

jv *sh_jv_format_date(jv_eval *e, double millis, const jv *picture, const jv *zone);
/* NULL: the text is not of that form. */
jv *sh_jv_parse_date(jv_eval *e, const jv *text, const jv *picture);

typedef enum jp_kind { JP_LITERAL, JP_MARKER } jp_kind;

typedef struct jp_part {
    jp_kind kind;
    const char *text; /* of a literal */
    size_t length;
    char component;     /* Y M D … */
    bool names;         /* N: by name */
    size_t least, most; /* width; most 0: any */
    bool width;
    jp_integer integer;
    long clip; /* the year: so many digits, -1: all */
} jp_part;

typedef struct jp_date {
    jp_part *parts;
    size_t count;
} jp_date;

jp_date jp_date_read(jv_eval *e, const jv *picture);

extern const char *const jp_months[12], *const jp_days[7];

/* Days since 1970-01-01 of a date; month from 0, may be anything. */
double jp_days_from(double year, double month, double day);
void jp_date_of(double days, double *year, int *month, int *day);

#endif
