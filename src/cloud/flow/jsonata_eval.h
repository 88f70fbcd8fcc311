/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLOUD_FLOW_JSONATA_EVAL_H
#define SH_CLOUD_FLOW_JSONATA_EVAL_H
/* The evaluation of JSONata, and what the functions of its library see of it. */
#include "cloud/flow/jsonata_value.h"

/* ---- functions of the library ---- */

typedef struct jv_call {
    jv_eval *e;
    const struct jv_builtin *row;
    jv **args; /* one for each parameter of the signature at least, NULL: undefined */
    size_t count;
    jv *input;       /* the context item */
    jv_frame *frame; /* of the caller */
    size_t position;
} jv_call;

/* One function: arity is what higher-order functions may pass to it. */
typedef struct jv_builtin {
    const char *name, *signature;
    size_t arity;
    jv *(*run)(jv_call *c);
} jv_builtin;

/* Each ends with a row without a name. */
extern const jv_builtin jv_builtins_text[], jv_builtins_match[], jv_builtins_encode[], jv_builtins_number[],
    jv_builtins_array[], jv_builtins_object[], jv_builtins_higher[], jv_builtins_date[], jv_builtins_states[];

const jv_builtin *jv_builtin_find(const char *name, size_t length); /* NULL: none */

/* Fails naming the function. */
_Noreturn void jv_call_fail(const jv_call *c, const char *code, jv *value);
bool jv_arg_truth(const jv_call *c, size_t index);

/* ---- function values ---- */

typedef enum jv_function_kind {
    JF_BUILTIN,
    JF_LAMBDA,
    JF_PARTIAL,
    JF_REGEX,
    JF_NEXT,
    JF_TRANSFORM,
    JF_CHAIN
} jv_function_kind;

struct jv_function {
    jv_function_kind kind;
    const jv_builtin *builtin;
    const jnode *node; /* lambda, regex, transform */
    jv *input;         /* where it was made */
    jv_frame *frame;
    jv *left, *right; /* chain: right(left(x)); partial: left is the function */
    jv **args;        /* partial: NULL where a parameter stays open */
    bool *open;
    size_t count;
    const char *text; /* JF_NEXT: the text matched, from `from` on */
    size_t length, from;
};

jv *jv_function_new(jv_eval *e, jv_function_kind kind);
size_t jv_function_arity(const jv *function);
/* Calls a function value. `input` is the context for arguments that signatures take from it. */
jv *jv_apply(jv_eval *e, jv *function, jv **args, size_t count, jv *input, jv_frame *frame);
/* function(a, b, c) with as many as its arity takes, at least one. */
jv *jv_apply_item(jv_call *c, jv *function, jv *a, jv *b, jv *d);

/* ---- evaluation ---- */

jv *jv_evaluate(jv_eval *e, const jnode *node, jv *input, jv_frame *frame);
jv *jv_evaluate_path(jv_eval *e, const jnode *path, jv *input, jv_frame *frame);
jv *jv_evaluate_binary(jv_eval *e, const jnode *node, jv *input, jv_frame *frame);
jv *jv_evaluate_negate(jv_eval *e, const jnode *node, jv *input, jv_frame *frame);
jv *jv_evaluate_call(jv_eval *e, const jnode *node, jv *input, jv_frame *frame);
jv *jv_evaluate_partial(jv_eval *e, const jnode *node, jv *input, jv_frame *frame);
jv *jv_evaluate_apply(jv_eval *e, const jnode *node, jv *input, jv_frame *frame);
jv *jv_evaluate_sort(jv_eval *e, const jnode *node, jv *input, jv_frame *frame);
jv *jv_evaluate_filter(jv_eval *e, const jnode *predicate, jv *input, jv_frame *frame);
/* An object from pairs, grouped by key over all items of the input. */
jv *jv_evaluate_group(jv_eval *e, const jnode *pairs, jv *input, jv_frame *frame);
jv *jv_transform(jv_eval *e, const jv_function *function, jv *value);

jv_frame *jv_frame_new(jv_eval *e, jv_frame *parent);
jv_frame *jv_frame_of_tuple(jv_eval *e, jv_frame *parent, const jv *tuple);
void jv_bind(jv_eval *e, jv_frame *frame, const char *name, jv *value);
jv_binding *jv_binding_add(jv_eval *e, jv_binding *next, const char *name, jv *value);
jv *jv_lookup(jv_eval *e, const jv_frame *frame, const jnode *variable);
bool jv_known(jv_eval *e, const jv_frame *frame, const char *name, size_t length);
/* The member of an object, or of each object in an array. */
jv *jv_member_of(jv_eval *e, jv *value, const char *key, size_t length);

/* Sorts in place, stably. `after(a, b)`: b belongs before a. */
void jv_merge_sort(jv_eval *e, jv **items, size_t count, bool (*after)(void *opaque, jv *a, jv *b),
                   void *opaque);

/* ---- signatures ---- */

typedef struct jv_arguments {
    jv **items;
    size_t count;
} jv_arguments;

/* Checks and completes the arguments of a call of `name`. */
jv_arguments jv_signature_check(jv_eval *e, const jn_signature *signature, const char *name, size_t position,
                                jv_arguments args, jv *context);
/* The signature of a library function, parsed for this evaluation. */
const jn_signature *jv_builtin_signature(jv_eval *e, const jv_builtin *row);

/* ---- regular expressions ---- */

typedef struct jv_match {
    size_t from, to;          /* bytes */
    size_t groups;            /* captures, the whole match not counted */
    ptrdiff_t *starts, *ends; /* of captures; -1: took no part */
} jv_match;

/* The first match at or behind `from`. */
bool jv_regex_search(jv_eval *e, const jv_regex *regex, const char *text, size_t length, size_t from,
                     jv_match *match);
/* What calling a regular expression gives: {match, start, end, groups, next}, or NULL. */
jv *jv_regex_call(jv_eval *e, const jnode *node, const char *text, size_t length, size_t from);

#endif
