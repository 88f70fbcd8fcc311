/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SH_CLOUD_FLOW_JSONATA_VALUE_H
#define SH_CLOUD_FLOW_JSONATA_VALUE_H
/* Values during an evaluation. Undefined is NULL. Values lie in the evaluation's arena and are freed
 * together; JSON that comes in is borrowed and unfolded level by level on demand (`json` set: the value is
 * that JSON, unchanged), so a large input costs only what is looked at and goes out again as it came in.
 *
 * A sequence is an array that a path made: with one item it stands for that item, empty for undefined.
 *
 * Failure leaves by longjmp from anywhere (jv_fail, jv_stop); nothing outside the arena may be held then. */
#include "cloud/flow/jsonata.h"
#include "cloud/flow/jsonata_error.h"
#include "cloud/flow/jsonata_node.h"

typedef enum jv_kind {
    JV_NULL,
    JV_BOOL,
    JV_NUMBER,
    JV_STRING,
    JV_ARRAY,
    JV_OBJECT,
    JV_FUNCTION,
    JV_TUPLE
} jv_kind;

enum {
    JV_SEQUENCE = 1,
    JV_KEEP = 2,     /* a sequence that stays an array with one item */
    JV_CONS = 4,     /* from an array constructor: not flattened by the path around it */
    JV_TUPLES = 8,   /* the items are tuples */
    JV_WRAPPER = 16, /* around an input that is an array */
};

typedef struct jv jv;
typedef struct jv_eval jv_eval;
typedef struct jv_frame jv_frame;
typedef struct jv_function jv_function;

typedef struct jv_member {
    const char *key;
    size_t length;
    jv *value;
} jv_member;

struct jv {
    unsigned char kind, flags;
    bool folded; /* `json` is an array or object whose items are not made yet */
    json_t *json;
    union {
        bool truth;
        double number;
        struct {
            const char *text;
            size_t length;
        } string;
        struct {
            jv **items;
            size_t count, capacity;
        } array;
        struct {
            jv_member *members;
            size_t count, capacity;
            uint32_t *index; /* open addressing, 2 * capacity slots, 0: free; NULL while small */
        } object;
        jv_function *function;
        struct {
            jv *at;
            struct jv_binding *bindings;
        } tuple;
    };
};

typedef struct jv_binding {
    const char *name;
    jv *value;
    struct jv_binding *next;
} jv_binding;

struct jv_frame {
    jv_frame *parent;
    jv_binding *bindings;
};

/* The signatures of library functions that this evaluation has called. */
typedef struct jv_known_signature {
    const struct jv_builtin *row;
    const jn_signature *signature;
    struct jv_known_signature *next;
} jv_known_signature;

struct jv_eval {
    sh_arena *arena;
    const sh_jsonata *jsonata;
    const sh_jsonata_env *env;
    sh_jsonata_error *error;
    jv *input;
    jv_frame root;
    jv_known_signature *signatures;
    int depth;          /* of nodes inside each other */
    int nested;         /* of calls by library functions and chains */
    size_t steps, most; /* done, and the bound */
    size_t position;    /* of the last call of a library function */
    /* the outermost `and` or `or` whose right side is being evaluated: failures there are told as its own */
    const jnode *within;
    int status;
    json_t *parsed; /* array that owns what $parse made */
    jmp_buf failed;
};

/* ---- failure ---- */

_Noreturn void jv_stop(jv_eval *e, int status);
/* A bound of this implementation: a message without a code. */
_Noreturn void jv_bound(jv_eval *e, const char *message);
_Noreturn void jv_fail_parts(jv_eval *e, const char *code, size_t position, const jv_error_parts *parts);
_Noreturn void jv_fail(jv_eval *e, const char *code, size_t position, const char *token);
_Noreturn void jv_fail_value(jv_eval *e, const char *code, size_t position, const char *token, jv *value,
                             jv *value2);
/* Counts work; fails past the bound. */
void jv_work(jv_eval *e, size_t steps);

/* ---- making ---- */

void *jv_alloc(jv_eval *e, size_t size);
void *jv_alloc_items(jv_eval *e, size_t count, size_t size);
char *jv_copy(jv_eval *e, const char *text, size_t length); /* NUL-terminated */
jv *jv_from_json(jv_eval *e, const json_t *json);           /* borrowed for the evaluation; NULL gives NULL */
jv *jv_null(jv_eval *e);
jv *jv_bool(jv_eval *e, bool truth);
jv *jv_number(jv_eval *e, double number);
jv *jv_string(jv_eval *e, const char *text, size_t length); /* borrows */
jv *jv_text(jv_eval *e, const char *text);                  /* borrows */
jv *jv_take(jv_eval *e, sh_buf *buf);                       /* a string of its bytes, which are freed */
jv *jv_array(jv_eval *e);
jv *jv_sequence(jv_eval *e);
jv *jv_sequence_of(jv_eval *e, jv *item);
jv *jv_object(jv_eval *e);
jv *jv_tuple(jv_eval *e, jv *at, jv_binding *bindings);

/* ---- arrays and objects ---- */

static inline bool jv_is(const jv *value, jv_kind kind)
{
    return value && value->kind == kind;
}

size_t jv_count(jv_eval *e, jv *array);
jv *jv_item(jv_eval *e, jv *array, size_t index);
void jv_push(jv_eval *e, jv *array, jv *item);
void jv_push_all(jv_eval *e, jv *array, jv *other);
void jv_members(jv_eval *e, jv *object); /* unfolds: object.members may be read then */
jv *jv_get(jv_eval *e, jv *object, const char *key, size_t length);
void jv_set(jv_eval *e, jv *object, const char *key, size_t length, jv *value);
void jv_remove(jv_eval *e, jv *object, const char *key, size_t length);
/* The array, or a sequence of the one value; NULL: an empty sequence. */
jv *jv_as_array(jv_eval *e, jv *value);
/* As $append. */
jv *jv_concat(jv_eval *e, jv *a, jv *b);
/* A copy with nothing shared but strings and functions. */
jv *jv_clone(jv_eval *e, jv *value);

/* ---- questions ---- */

bool jv_is_integer(const jv *value);
bool jv_equal(jv_eval *e, jv *a, jv *b);
bool jv_same(const jv *a, const jv *b); /* === of JavaScript */
/* As $boolean; undefined is false. */
bool jv_truth(jv_eval *e, jv *value);
/* As $string: strings as they are, "" for functions, JSON otherwise. */
jv *jv_to_string(jv_eval *e, jv *value, bool pretty);

/* ---- out ---- */

/* A new reference, the value as JSON. Fails where a function is in the way of a result. */
json_t *jv_to_json(jv_eval *e, jv *value);

#endif
