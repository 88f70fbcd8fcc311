/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLOUD_FLOW_EXPR_H
#define SH_CLOUD_FLOW_EXPR_H
/* What may stand as the value of a "name.$" field: a path, a path of the context object, or an intrinsic
 * function with arguments (constants, paths, further functions). Templates are JSON values with such fields
 * inside. Both are made once, when the definition is parsed, and evaluated at each entry of a state. */
#include "cloud/flow/flow.h"
#include "cloud/flow/path.h"
#include "cloud/flow/value.h"

typedef struct sh_expr sh_expr;
typedef struct sh_template sh_template;

/* What an evaluation sees. Borrowed. */
typedef struct sh_eval {
    json_t *input;   /* $ */
    json_t *context; /* $$ */
    const sh_flow_env *env;
    sh_fault *fault;
} sh_eval;

/* SH_E_FORMAT with the reason in err when text is neither a path nor a function. */
int sh_expr_parse(sh_build *build, const char *text, size_t length, const sh_expr **out, sh_err *err);
/* *out: new reference. `field` is named in the cause of a fault. 0, SH_FAULT or SH_E_*. */
int sh_expr_eval(const sh_expr *expr, const sh_eval *eval, const char *field, json_t **out);
/* The path that the expression consists of, NULL when it is a function. */
const sh_path *sh_expr_path(const sh_expr *expr);

/* One finding of sh_template_parse: `key` is the field with the fault. */
typedef void (*sh_template_report)(void *opaque, const char *const *keys, size_t depth, const char *message);

/* Every fault is reported; returns SH_E_FORMAT after any. `value` must live as long as the tables. */
int sh_template_parse(sh_build *build, json_t *value, const sh_template **out, sh_template_report report,
                      void *opaque);
int sh_template_eval(const sh_template *template, const sh_eval *eval, json_t **out);

#endif
