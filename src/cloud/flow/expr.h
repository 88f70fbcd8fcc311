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
    json_t *input;     /* $ */
    json_t *context;   /* $$ */
    json_t *variables; /* object name -> value, NULL: none */
    json_t *bindings;  /* of JSONata: object with the variables and "states" */
    const sh_flow_env *env;
    sh_fault *fault;
} sh_eval;

/* SH_E_FORMAT with the reason in err when text is neither a path nor a function. */
int sh_expr_parse(sh_build *build, const char *text, size_t length, const sh_expr **out, sh_err *err);
/* *out: new reference. `field` is named in the cause of a fault. 0, SH_FAULT or SH_E_*. */
int sh_expr_eval(const sh_expr *expr, const sh_eval *eval, const char *field, json_t **out);
/* What a path starts at, where `data` is $: a variable, the context object or data. NULL: no such variable.
 */
json_t *sh_eval_root(const sh_path *path, const sh_eval *eval, json_t *data);
/* What a path names. SH_E_NOT_FOUND, SH_E_MEMORY, SH_E_LIMIT. */
int sh_eval_get(const sh_path *path, const sh_eval *eval, json_t *data, json_t **out);
/* The path that the expression consists of, NULL when it is a function. */
const sh_path *sh_expr_path(const sh_expr *expr);

/* One finding of sh_template_parse: `keys` lead to the field with the fault. */
typedef void (*sh_template_report)(void *opaque, const char *const *keys, size_t depth, const char *code,
                                   const char *message);

/* What a template is read with. */
typedef struct sh_template_form {
    bool jsonata;      /* strings "{% … %}" are expressions; otherwise "name.$" fields are */
    const char *field; /* JSONata: where the template stands in its state, "Catch[0]/Output" */
    bool error;        /* JSONata: $states.errorOutput is there */
    sh_template_report report;
    void *opaque;
} sh_template_form;

/* Every fault is reported; returns SH_E_FORMAT after any. `value` must live as long as the tables. */
int sh_template_parse(sh_build *build, json_t *value, const sh_template **out, const sh_template_form *form);
int sh_template_eval(const sh_template *template, const sh_eval *eval, json_t **out);
/* Whether it holds an expression of JSONata. */
bool sh_template_queries(const sh_template *template);
/* As sh_template_eval, for a template that is one expression: its result must be of the type "string",
 * "number", "boolean", "array" or "object". */
int sh_template_typed(const sh_template *template, const sh_eval *eval, const char *type, json_t **out);
/* A number that is whole and not negative. */
int sh_template_whole(const sh_template *template, const sh_eval *eval, double *out);
/* The fault that the expression did what `format` says: "returned …". */
int sh_template_refuse(const sh_template *template, const sh_eval *eval, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
