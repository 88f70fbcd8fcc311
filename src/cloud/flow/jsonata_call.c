/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls in JSONata: library functions, lambdas with their closures, partial application, chains, transforms.
 * A call in the tail of a lambda's body is not made inside it but after it, by the loop in jv_apply, so that
 * tail recursion needs neither depth nor stack. */
#include "cloud/flow/jsonata_eval.h"
#include <string.h>

/* A call put off until the lambda that ends with it has returned. */
typedef struct tail {
    jv *function;
    jv_arguments args;
    jv *input;
    jv_frame *frame;
    size_t position;
    const char *name;
    bool pending;
} tail;

jv *jv_function_new(jv_eval *e, jv_function_kind kind)
{
    jv *value = jv_alloc(e, sizeof(*value));

    value->kind = JV_FUNCTION;
    value->function = jv_alloc(e, sizeof(*value->function));
    value->function->kind = kind;
    return value;
}

size_t jv_function_arity(const jv *value)
{
    const jv_function *f = value->function;
    size_t open = 0;

    switch (f->kind) {
    case JF_BUILTIN:
        return f->builtin->arity;
    case JF_LAMBDA:
        return f->node->list.count;
    case JF_PARTIAL:
        for (size_t i = 0; i < f->count; i++)
            open += f->open[i];
        return open;
    case JF_NEXT:
        return 0;
    default:
        return 1;
    }
}

const jv_builtin *jv_builtin_find(const char *name, size_t length)
{
    static const jv_builtin *const tables[] = {jv_builtins_text,   jv_builtins_match, jv_builtins_encode,
                                               jv_builtins_number, jv_builtins_array, jv_builtins_object,
                                               jv_builtins_higher, jv_builtins_date,  jv_builtins_states};

    for (size_t t = 0; t < sizeof(tables) / sizeof(*tables); t++)
        for (const jv_builtin *row = tables[t]; row->name; row++)
            if (strlen(row->name) == length && !memcmp(row->name, name, length))
                return row;
    return NULL;
}

void jv_call_fail(const jv_call *c, const char *code, jv *value)
{
    jv_fail_value(c->e, code, c->position, c->row->name, value, NULL);
}

bool jv_arg_truth(const jv_call *c, size_t index)
{
    return jv_truth(c->e, c->args[index]);
}

/* ---- the procedure of a call ---- */

static const char *procedure_name(const jnode *procedure)
{
    return procedure->type == JN_PATH       ? procedure->list.items[0]->text
           : procedure->type == JN_VARIABLE ? procedure->text
                                            : NULL;
}

static jv *find_procedure(jv_eval *e, const jnode *node, jv *input, jv_frame *frame, const char *code)
{
    jv *function = jv_evaluate(e, node->left, input, frame);
    const jnode *name = node->left->type == JN_PATH ? node->left->list.items[0] : NULL;

    if (!function && name && name->text && jv_known(e, frame, name->text, name->length))
        jv_fail(e, code, node->position, name->text);
    return function;
}

static jv_arguments evaluate_arguments(jv_eval *e, const jnode *node, jv *first, bool has_first, jv *input,
                                       jv_frame *frame)
{
    jv_arguments args = {.items = jv_alloc_items(e, node->list.count + 1, sizeof(jv *))};

    if (has_first)
        args.items[args.count++] = first;
    for (size_t i = 0; i < node->list.count; i++)
        args.items[args.count++] = jv_evaluate(e, node->list.items[i], input, frame);
    return args;
}

static tail prepare(jv_eval *e, const jnode *node, jv *first, bool has_first, jv *input, jv_frame *frame)
{
    tail call = {.input = input, .frame = frame, .position = node->position, .pending = true};

    call.function = find_procedure(e, node, input, frame, "T1005");
    call.args = evaluate_arguments(e, node, first, has_first, input, frame);
    call.name = procedure_name(node->left);
    return call;
}

/* ---- lambdas ---- */

static jv *evaluate_tail(jv_eval *e, const jnode *node, jv *input, jv_frame *frame, tail *call);

static jv *tail_block(jv_eval *e, const jnode *node, jv *input, jv_frame *frame, tail *call)
{
    jv_frame *inner = jv_frame_new(e, frame);

    for (size_t i = 0; i + 1 < node->list.count; i++)
        jv_evaluate(e, node->list.items[i], input, inner);
    return node->list.count ? evaluate_tail(e, node->list.items[node->list.count - 1], input, inner, call)
                            : NULL;
}

/* As jv_evaluate for a node at the end of a body, but leaves a last call to the caller. */
static jv *evaluate_tail(jv_eval *e, const jnode *node, jv *input, jv_frame *frame, tail *call)
{
    jv *result = NULL;

    if (node->keep || (node->step && (node->step->predicates.count || node->step->group)))
        return jv_evaluate(e, node, input, frame);
    if (node->type != JN_CALL && node->type != JN_CONDITION && node->type != JN_BLOCK)
        return jv_evaluate(e, node, input, frame);
    jv_work(e, 1);
    if (++e->depth > SH_JSONATA_DEPTH_MAX)
        return jv_evaluate(e, node, input, frame); /* which fails */
    if (node->type == JN_CALL)
        *call = prepare(e, node, NULL, false, input, frame);
    else if (node->type == JN_BLOCK)
        result = tail_block(e, node, input, frame, call);
    else if (jv_truth(e, jv_evaluate(e, node->left, input, frame)))
        result = evaluate_tail(e, node->right, input, frame, call);
    else if (node->third)
        result = evaluate_tail(e, node->third, input, frame, call);
    e->depth--;
    return result;
}

static jv *run_lambda(jv_eval *e, const jv_function *f, jv_arguments args, tail *call)
{
    jv_frame *frame = jv_frame_new(e, f->frame);

    for (size_t i = 0; i < f->node->list.count; i++)
        jv_bind(e, frame, f->node->list.items[i]->text, i < args.count ? args.items[i] : NULL);
    return evaluate_tail(e, f->node->left, f->input, frame, call);
}

/* ---- the other kinds ---- */

static jv *run_builtin(jv_eval *e, const jv_function *f, const tail *call, jv_arguments args)
{
    jv_call c = {.e = e,
                 .row = f->builtin,
                 .args = args.items,
                 .count = args.count,
                 .input = call->input,
                 .frame = call->frame,
                 .position = call->position};

    jv_work(e, 1);
    e->position = call->position;
    return f->builtin->run(&c);
}

static jv_arguments fill_open(jv_eval *e, const jv_function *f, jv_arguments args)
{
    jv_arguments filled = {.items = jv_alloc_items(e, f->count + 1, sizeof(jv *)), .count = f->count};
    size_t next = 0;

    for (size_t i = 0; i < f->count; i++)
        filled.items[i] = !f->open[i] ? f->args[i] : next < args.count ? args.items[next++] : NULL;
    return filled;
}

static jv *run_regex(jv_eval *e, const jv_function *f, jv_arguments args)
{
    jv *text = args.count ? args.items[0] : NULL;

    if (f->kind == JF_NEXT)
        return jv_regex_call(e, f->node, f->text, f->length, f->from);
    if (!jv_is(text, JV_STRING))
        return NULL;
    return jv_regex_call(e, f->node, text->string.text, text->string.length, 0);
}

static jv *run_other(jv_eval *e, const jv_function *f, tail *call, jv_arguments args)
{
    jv *first = args.count ? args.items[0] : NULL;

    switch (f->kind) {
    case JF_TRANSFORM:
        return jv_transform(e, f, first);
    case JF_CHAIN:
        first = jv_apply(e, f->left, args.items, args.count < 1 ? args.count : 1, call->input, call->frame);
        *call = (tail){.function = f->right, .input = call->input, .frame = call->frame, .pending = true};
        call->args.items = jv_alloc_items(e, 1, sizeof(jv *));
        call->args.items[0] = first;
        call->args.count = 1;
        return NULL;
    case JF_PARTIAL:
        call->args = fill_open(e, f, args);
        call->function = f->left;
        call->pending = true;
        return NULL;
    default:
        return run_regex(e, f, args);
    }
}

static const jn_signature *signature_of(jv_eval *e, const jv_function *f)
{
    static const jv_builtin transform = {.name = "transform", .signature = "<(oa):o>"};

    if (f->kind == JF_BUILTIN)
        return jv_builtin_signature(e, f->builtin);
    if (f->kind == JF_TRANSFORM)
        return jv_builtin_signature(e, &transform);
    return f->kind == JF_LAMBDA ? f->node->signature : NULL;
}

static jv *run_call(jv_eval *e, tail call)
{
    for (;;) {
        const jv_function *f;
        const jn_signature *signature;
        jv_arguments args = call.args;
        jv *result;

        if (!jv_is(call.function, JV_FUNCTION))
            jv_fail(e, "T1006", call.position, call.name);
        f = call.function->function;
        signature = signature_of(e, f);
        if (signature)
            args = jv_signature_check(e, signature,
                                      call.name               ? call.name
                                      : f->kind == JF_BUILTIN ? f->builtin->name
                                                              : NULL,
                                      call.position, args, call.input);
        call.pending = false;
        if (f->kind == JF_BUILTIN)
            result = run_builtin(e, f, &call, args);
        else if (f->kind == JF_LAMBDA)
            result = run_lambda(e, f, args, &call);
        else
            result = run_other(e, f, &call, args);
        if (!call.pending)
            return result;
    }
}

jv *jv_apply(jv_eval *e, jv *function, jv **args, size_t count, jv *input, jv_frame *frame)
{
    tail call = {.function = function, .input = input, .frame = frame, .pending = true};
    jv *result;

    call.args.items = jv_alloc_items(e, count + 1, sizeof(jv *));
    call.args.count = count;
    if (count)
        memcpy(call.args.items, args, count * sizeof(jv *));
    if (++e->nested > SH_JSONATA_DEPTH_MAX * 3)
        jv_bound(e,
                 "Stack overflow error: Check for non-terminating recursive function. Consider rewriting as "
                 "tail-recursive.");
    result = run_call(e, call);
    e->nested--;
    return result;
}

jv *jv_apply_item(jv_call *c, jv *function, jv *a, jv *b, jv *d)
{
    jv *args[3] = {a, b, d};
    size_t arity;

    if (!function)
        jv_call_fail(c, "T1006", NULL);
    arity = jv_function_arity(function);
    return jv_apply(c->e, function, args, arity < 1 ? 1 : arity > 3 ? 3 : arity, c->input, c->frame);
}

/* ---- nodes ---- */

jv *jv_evaluate_call(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    return run_call(e, prepare(e, node, NULL, false, input, frame));
}

jv *jv_evaluate_partial(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    jv *function = find_procedure(e, node, input, frame, "T1007"), *made;
    jv_function *f;

    if (!jv_is(function, JV_FUNCTION))
        jv_fail(e, "T1008", node->position, procedure_name(node->left));
    made = jv_function_new(e, JF_PARTIAL);
    f = made->function;
    f->left = function;
    f->count = node->list.count;
    f->args = jv_alloc_items(e, f->count, sizeof(*f->args));
    f->open = jv_alloc_items(e, f->count, sizeof(*f->open));
    for (size_t i = 0; i < f->count; i++) {
        f->open[i] = node->list.items[i]->type == JN_PLACEHOLDER;
        f->args[i] = f->open[i] ? NULL : jv_evaluate(e, node->list.items[i], input, frame);
    }
    return made;
}

jv *jv_evaluate_apply(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    jv *left = jv_evaluate(e, node->left, input, frame), *right, *chain;

    if (node->right->type == JN_CALL) /* predicates behind the call play no part */
        return run_call(e, prepare(e, node->right, left, true, input, frame));
    right = jv_evaluate(e, node->right, input, frame);
    if (!jv_is(right, JV_FUNCTION))
        jv_fail_value(e, "T2006", node->position, node->text, right, NULL);
    if (!jv_is(left, JV_FUNCTION))
        return jv_apply(e, right, &left, 1, NULL, frame);
    chain = jv_function_new(e, JF_CHAIN);
    chain->function->left = left;
    chain->function->right = right;
    return chain;
}

/* ---- transforms ---- */

static void update_match(jv_eval *e, const jv_function *f, jv *match)
{
    jv *update = jv_evaluate(e, f->node->right, match, f->frame), *gone;

    if (update && update->kind != JV_OBJECT)
        jv_fail_value(e, "T2011", f->node->right->position, NULL, update, NULL);
    if (update && match && match->kind == JV_OBJECT) {
        jv_members(e, update);
        for (size_t i = 0; i < update->object.count; i++)
            jv_set(e, match, update->object.members[i].key, update->object.members[i].length,
                   update->object.members[i].value);
    }
    gone = f->node->third ? jv_evaluate(e, f->node->third, match, f->frame) : NULL;
    if (!gone)
        return;
    if (gone->kind != JV_ARRAY && gone->kind != JV_STRING)
        jv_fail_value(e, "T2012", f->node->third->position, NULL, gone, NULL);
    gone = jv_as_array(e, gone);
    for (size_t i = 0; i < jv_count(e, gone); i++)
        if (!jv_is(jv_item(e, gone, i), JV_STRING))
            jv_fail_value(e, "T2012", f->node->third->position, NULL, gone, NULL);
    for (size_t i = 0; i < jv_count(e, gone) && jv_is(match, JV_OBJECT); i++) {
        jv *key = jv_item(e, gone, i);

        jv_remove(e, match, key->string.text, key->string.length);
    }
}

jv *jv_transform(jv_eval *e, const jv_function *f, jv *value)
{
    jv *copy, *matches;

    if (!value)
        return NULL;
    copy = jv_clone(e, value);
    matches = jv_evaluate(e, f->node->left, copy, f->frame);
    if (matches) {
        matches = jv_as_array(e, matches);
        for (size_t i = 0; i < jv_count(e, matches); i++)
            update_match(e, f, jv_item(e, matches, i));
    }
    return copy;
}
