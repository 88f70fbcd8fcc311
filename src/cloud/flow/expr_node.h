/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLOUD_FLOW_EXPR_NODE_H
#define SH_CLOUD_FLOW_EXPR_NODE_H
/* The tables of an expression, and the table of intrinsic functions: one row and one function each. */
#include "cloud/flow/expr.h"

typedef struct sh_intrinsic_call {
    const struct sh_intrinsic *intrinsic;
    const struct sh_expr *expr;
    const sh_eval *eval;
    json_t **args; /* evaluated; `count` of them */
    size_t count;
} sh_intrinsic_call;

typedef struct sh_intrinsic {
    const char *name; /* without "States." */
    size_t least, most;
    int (*run)(const sh_intrinsic_call *call, json_t **out); /* 0, SH_FAULT or SH_E_* */
} sh_intrinsic;

struct sh_expr {
    const char *text;    /* as written */
    const sh_path *path; /* a path, or */
    json_t *constant;    /* a constant (with the text of a string before its escapes in `raw`), or */
    const char *raw;
    const sh_intrinsic *intrinsic; /* a function with */
    const struct sh_expr **args;
    size_t count;
};

const sh_intrinsic *sh_intrinsic_find(const char *name, size_t length);
/* "The function '…' had the following error: …" */
int sh_expr_fail(const sh_intrinsic_call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The checked kinds of argument; the fault is set when they are something else. */
int sh_call_integer(const sh_intrinsic_call *call, size_t index, json_int_t *out);
int sh_call_array(const sh_intrinsic_call *call, size_t index);
int sh_call_string(const sh_intrinsic_call *call, size_t index);

extern const sh_intrinsic sh_intrinsics_array[], sh_intrinsics_text[],
    sh_intrinsics_math[]; /* end with name NULL */

#endif
