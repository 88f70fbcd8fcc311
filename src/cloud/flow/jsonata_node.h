/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLOUD_FLOW_JSONATA_NODE_H
#define SH_CLOUD_FLOW_JSONATA_NODE_H
/* The tables of a JSONata expression: what the parser makes and the evaluation reads. Everything lives in the
 * arena of the build and is never changed after the parse.
 *
 * A path is a list of steps. What belongs to a step beyond its expression (predicates, @ and # bindings, the
 * label under which a later % finds the object it came from) is in its `jn_step`, made on demand. */
#include "cloud/flow/jsonata.h"
#include <setjmp.h>

enum { JN_HEIGHT_MAX = 600, JN_NAME_MAX = 65536 };

typedef enum jn_type {
    JN_NAME,
    JN_STRING,
    JN_NUMBER,
    JN_TRUE,
    JN_FALSE,
    JN_NULL,
    JN_VARIABLE,
    JN_WILDCARD,
    JN_DESCENDANT,
    JN_PARENT,
    JN_PATH,   /* list: steps */
    JN_BINARY, /* op, left, right */
    JN_NEGATE, /* left */
    JN_ARRAY,  /* list */
    JN_OBJECT, /* list: key, value, key, value … */
    JN_CALL,   /* left: procedure; list: arguments */
    JN_PARTIAL,
    JN_LAMBDA,    /* list: parameters (variables); left: body; signature */
    JN_CONDITION, /* left ? right : third (NULL: none) */
    JN_COALESCE,  /* left ?? right */
    JN_ELVIS,     /* left ?: right */
    JN_BLOCK,     /* list */
    JN_BIND,      /* left := right */
    JN_APPLY,     /* left ~> right */
    JN_TRANSFORM, /* | left | right , third | */
    JN_REGEX,
    JN_SORT,   /* list: terms, each a JN_TERM */
    JN_TERM,   /* left, descending */
    JN_FILTER, /* a predicate of a step: left */
    JN_INDEX,  /* a # binding among the predicates of a step: text */
    JN_PLACEHOLDER,
    JN_TYPES
} jn_type;

typedef enum jn_op {
    JO_NONE,
    JO_ADD,
    JO_SUBTRACT,
    JO_MULTIPLY,
    JO_DIVIDE,
    JO_REMAINDER,
    JO_EQUAL,
    JO_NOT_EQUAL,
    JO_LESS,
    JO_LESS_EQUAL,
    JO_GREATER,
    JO_GREATER_EQUAL,
    JO_CONCAT,
    JO_AND,
    JO_OR,
    JO_IN,
    JO_RANGE,
    JO_OPS
} jn_op;

typedef struct jnode jnode;
typedef struct jn_signature jn_signature;
typedef struct jv_regex jv_regex;
struct jv_builtin;

typedef struct jn_list {
    jnode **items;
    size_t count, capacity;
} jn_list;

/* One % and how many levels above it the wanted object is; `label` is the name it is bound to, shared by all
 * that ask for the same object. */
typedef struct jn_slot {
    struct jn_slot *same; /* the slot whose label counts, NULL: this one */
    int level;
    char label[16];
} jn_slot;

typedef struct jn_slots {
    jn_slot **items;
    size_t count, capacity;
} jn_slots;

typedef struct jn_step {
    jn_list predicates;      /* of an expression outside a path, or not yet in one */
    jn_list stages;          /* of a step in a path */
    jnode *group;            /* JN_OBJECT */
    const char *focus;       /* @$name */
    const char *index;       /* #$name */
    const jn_slot *ancestor; /* bind the input of this step under that label */
    jn_slots seeking;        /* the % inside that no step has answered yet */
} jn_step;

struct jnode {
    jn_type type;
    jn_op op;
    int height;
    unsigned keep : 1;           /* "[]": one result stays an array */
    unsigned keep_singleton : 1; /* some step of the path has it */
    unsigned cons : 1;           /* an array constructor as the first or last step */
    unsigned tuple : 1;          /* needs a stream of tuples */
    unsigned descending : 1;
    unsigned has_stages : 1; /* even when the list is empty */
    unsigned from_name : 1;  /* a path made of a bare name */
    unsigned from_focus : 1; /* the result of @ */
    size_t position;         /* behind the token in the text */
    const char *text;        /* NUL-terminated besides length */
    size_t length;
    double number;
    jnode *left, *right, *third;
    jn_list list;
    jn_step *step; /* NULL: nothing of it */
    jn_slot *slot; /* JN_PARENT */
    const jn_signature *signature;
    const struct jv_builtin *builtin; /* JN_VARIABLE that names a function of the library */
    const jv_regex *regex;
};

struct sh_jsonata {
    const char *text; /* the expression, NUL-terminated */
    size_t length;
    const jnode *root;
};

/* ---- tokens ---- */

typedef enum jt_type {
    JT_END,
    JT_NAME,
    JT_VARIABLE,
    JT_STRING,
    JT_NUMBER,
    JT_VALUE,
    JT_REGEX,
    JT_OPERATOR
} jt_type;

typedef struct jt_token {
    jt_type type;
    size_t position;  /* where the lexer stands after it */
    char op[4];       /* of an operator */
    const char *text; /* in the arena */
    size_t length;
    double number;
    const jv_regex *regex;
} jt_token;

/* What a failed parse says; one for the lexer, the grammar and the shape of paths. */
typedef struct jp {
    sh_build *build;
    const char *start, *p, *end;
    jt_token token; /* the one looked at */
    int depth;
    int labels; /* of % so far */
    int status;
    sh_err *err;
    size_t position;
    bool late; /* `late_message` holds a finding that any syntax error outranks */
    size_t late_position;
    char late_message[256];
    jmp_buf failed;
} jp;

/* Leaves the parse. `value` and `token` fill {{value}} and {{token}} of the message; either may be NULL. */
_Noreturn void jp_fail(jp *p, const char *code, size_t position, const char *token, const char *value);
_Noreturn void jp_stop(jp *p, int status, const char *message);
/* Remembers a finding about the shape of an expression whose syntax is right. */
void jp_late(jp *p, const char *code, size_t position, const char *token, const char *value);
void *jp_alloc(jp *p, size_t size);
void jp_append(jp *p, jn_list *list, jnode *node);
const char *jp_copy(jp *p, const char *text, size_t length);

/* Reads the next token into p->token. `infix`: an operator is expected, so "/" does not start a regex. */
void jt_next(jp *p, bool infix);

/* ---- shape: the node for an operator that makes or changes a path ---- */

jnode *jn_new(jp *p, jn_type type, size_t position);
jn_step *jn_step_of(jp *p, jnode *node);
/* `into` is higher than `part`. */
void jn_over(jp *p, jnode *into, const jnode *part);
/* `into` waits for the % that `part` has not found. */
void jn_pass_seeking(jp *p, jnode *into, const jnode *part);
jnode *jn_shape_name(jp *p, jnode *name);
jnode *jn_shape_dot(jp *p, jnode *left, jnode *right);
jnode *jn_shape_filter(jp *p, jnode *left, jnode *predicate, size_t position);
jnode *jn_shape_keep(jnode *left);
jnode *jn_shape_group(jp *p, jnode *left, jnode *pairs, size_t position);
jnode *jn_shape_order(jp *p, jnode *left, jnode *sort);
jnode *jn_shape_focus(jp *p, jnode *left, const jnode *variable, size_t position);
jnode *jn_shape_index(jp *p, jnode *left, const jnode *variable, size_t position);

/* ---- signatures: "<s-nn?:s>" ---- */

/* *code is "S0401" or "S0402" on refusal (NULL result, else memory). `text` without spaces. */
const jn_signature *jn_signature_parse(sh_arena *arena, const char *text, size_t length, const char **code);

/* ---- regular expressions ---- */

/* NULL with *why set (a static text) when the pattern is wrong, NULL with *why NULL when memory is short. */
const jv_regex *jv_regex_compile(sh_arena *arena, const char *pattern, size_t length, bool ignore_case,
                                 bool multiline, const char **why);

#endif
