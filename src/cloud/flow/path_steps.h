/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLOUD_FLOW_PATH_STEPS_H
#define SH_CLOUD_FLOW_PATH_STEPS_H
/* The tables of a path, shared by its parser (path.c) and its evaluation (path_get.c). */
#include "cloud/flow/path.h"

typedef enum sh_step_kind {
    SH_STEP_NAMES,   /* .a, ['a'], ['a','b'] */
    SH_STEP_INDEXES, /* [0], [0,2], [(@.length-1)] */
    SH_STEP_SLICE,   /* [a:b], [a:b:c] */
    SH_STEP_WILD,    /* .*, [*] */
    SH_STEP_FILTER,  /* [?(…)] */
} sh_step_kind;

typedef enum sh_filter_op {
    SH_FILTER_OR,
    SH_FILTER_AND,
    SH_FILTER_NOT,
    SH_FILTER_EXISTS,
    SH_FILTER_EQ,
    SH_FILTER_NE,
    SH_FILTER_LE,
    SH_FILTER_GE,
    SH_FILTER_LT,
    SH_FILTER_GT,
} sh_filter_op;

typedef struct sh_operand {
    json_t *constant;    /* or */
    const sh_path *path; /* relative to @, or to $ when `absolute` */
    bool absolute;
} sh_operand;

typedef struct sh_filter {
    sh_filter_op op;
    const struct sh_filter *left, *right; /* OR, AND, NOT (left) */
    sh_operand a, b;                      /* EXISTS (a), comparisons */
} sh_filter;

typedef struct sh_step {
    sh_step_kind kind;
    bool descend; /* ".." before it: applies to the value and everything in it */
    size_t count; /* of names or indexes */
    const char **names;
    json_int_t *indexes; /* INDEXES; SLICE: start, stop, step */
    bool has_start, has_stop;
    bool from_end; /* INDEXES: the only one counts back from the length of the array */
    const sh_filter *filter;
    struct sh_step *next;
} sh_step;

struct sh_path {
    const char *text;
    const sh_step *steps;
    const char *variable; /* without '$'; NULL: of the data or the context */
    bool context, definite, reference;
};

#endif
