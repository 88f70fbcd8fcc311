/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLOUD_FLOW_JSONATA_REGEX_H
#define SH_CLOUD_FLOW_JSONATA_REGEX_H
/* The code that a regular expression is compiled to, and that jsonata_regex_run.c interprets. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum rx_op {
    RX_CHAR,     /* character x */
    RX_ANY,      /* any but a line end */
    RX_CLASS,    /* one of `class` */
    RX_SPLIT,    /* go on at x; should that fail, at y */
    RX_JUMP,     /* x */
    RX_SAVE,     /* the position into slot x */
    RX_CLEAR,    /* slots x up to y - 1 to -1 */
    RX_PROGRESS, /* fails when the position is that of slot x */
    RX_START,    /* ^ */
    RX_END,      /* $ */
    RX_WORD,     /* \b */
    RX_NOT_WORD, /* \B */
    RX_BACK,     /* what group x matched */
    RX_AHEAD,    /* the code behind, up to RX_MATCH, matches here; then on at x. y: it must not */
    RX_BEHIND,   /* … matches what ends here */
    RX_MATCH,
} rx_op;

typedef struct rx_range {
    uint32_t from, to;
} rx_range;

typedef struct rx_class {
    rx_range *ranges;
    size_t count, capacity;
    bool negated;
} rx_class;

typedef struct rx_code {
    rx_op op;
    uint32_t x, y;
    const rx_class *class;
} rx_code;

struct jv_regex {
    rx_code *code;
    size_t count, capacity;
    size_t groups; /* captures */
    size_t slots;  /* 2 for each group and for the whole, then the marks of loops */
    bool ignore_case, multiline;
};

bool rx_class_has(const rx_class *class, uint32_t c, bool ignore_case);
bool rx_is_word(uint32_t c);

#endif
