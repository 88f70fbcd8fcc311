/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The operators of JSONata between two values: one row and one function each. `and`, `or` evaluate their
 * right side only when it matters. */
#include "cloud/flow/jsonata_eval.h"
#include "cloud/flow/jsonata_text.h"
#include <math.h>
#include <string.h>

/* AWS holds about that many numbers in the memory of an evaluation, and half as many again bytes of text. */
enum { RANGE_MAX = 873782, TEXT_MAX = 6 * 1024 * 1024 };

typedef struct operands {
    jv_eval *e;
    const jnode *node;
    jv *left, *right;
} operands;

/* A number that cannot be calculated with. */
static void check_finite(const operands *o, jv *value)
{
    if (value && value->kind == JV_NUMBER && !isfinite(value->number))
        jv_fail_value(o->e, "D1001", o->node->position, o->node->text, value, NULL);
}

static jv *arithmetic(operands *o)
{
    double a, b;

    if (o->left && o->left->kind != JV_NUMBER)
        jv_fail_value(o->e, "T2001", o->node->position, o->node->text, o->left, NULL);
    check_finite(o, o->left);
    if (o->right && o->right->kind != JV_NUMBER)
        jv_fail_value(o->e, "T2002", o->node->position, o->node->text, o->right, NULL);
    check_finite(o, o->right);
    if (!o->left || !o->right)
        return NULL;
    a = o->left->number;
    b = o->right->number;
    switch (o->node->op) {
    case JO_ADD:
        return jv_number(o->e, a + b);
    case JO_SUBTRACT:
        return jv_number(o->e, a - b);
    case JO_MULTIPLY:
        return jv_number(o->e, a * b);
    case JO_DIVIDE:
        return jv_number(o->e, a / b);
    default:
        return jv_number(o->e, fmod(a, b));
    }
}

static jv *equality(operands *o)
{
    bool same;

    if (!o->left || !o->right)
        return jv_bool(o->e, false);
    same = jv_equal(o->e, o->left, o->right);
    return jv_bool(o->e, o->node->op == JO_EQUAL ? same : !same);
}

static bool comparable(const jv *value)
{
    return !value || value->kind == JV_NUMBER || value->kind == JV_STRING;
}

static jv *comparison(operands *o)
{
    int found;

    if (!comparable(o->left) || !comparable(o->right))
        jv_fail_value(o->e, "T2010", o->node->position, o->node->text,
                      comparable(o->left) ? o->right : o->left, NULL);
    if (!o->left || !o->right)
        return NULL;
    if (o->left->kind != o->right->kind)
        jv_fail_value(o->e, "T2009", o->node->position, o->node->text, o->left, o->right);
    if (o->left->kind == JV_STRING)
        found = sh_jv_compare(o->left->string.text, o->left->string.length, o->right->string.text,
                              o->right->string.length);
    else
        found = (o->left->number > o->right->number) - (o->left->number < o->right->number);
    switch (o->node->op) {
    case JO_LESS:
        return jv_bool(o->e, found < 0);
    case JO_LESS_EQUAL:
        return jv_bool(o->e, found <= 0);
    case JO_GREATER:
        return jv_bool(o->e, found > 0);
    default:
        return jv_bool(o->e, found >= 0);
    }
}

static jv *concatenation(operands *o)
{
    jv *a = o->left ? jv_to_string(o->e, o->left, false) : jv_text(o->e, "");
    jv *b = o->right ? jv_to_string(o->e, o->right, false) : jv_text(o->e, "");
    size_t length = a->string.length + b->string.length;
    char *text;

    if (length > TEXT_MAX)
        jv_bound(o->e, "Expression evaluation memory limit exceeded: Check for excessive memory usage");
    jv_work(o->e, length / 64);
    text = jv_alloc(o->e, length + 1);
    memcpy(text, a->string.text, a->string.length);
    memcpy(text + a->string.length, b->string.text, b->string.length);
    return jv_string(o->e, text, length);
}

static jv *membership(operands *o)
{
    if (!o->left || !o->right)
        return jv_bool(o->e, false);
    if (o->right->kind != JV_ARRAY)
        return jv_bool(o->e, jv_same(o->left, o->right));
    for (size_t i = 0; i < jv_count(o->e, o->right); i++) {
        jv_work(o->e, 1);
        if (jv_same(o->left, jv_item(o->e, o->right, i)))
            return jv_bool(o->e, true);
    }
    return jv_bool(o->e, false);
}

static jv *range(operands *o)
{
    jv *sequence, *numbers;
    double size;

    if (o->left && !jv_is_integer(o->left))
        jv_fail_value(o->e, "T2003", o->node->position, o->node->text, o->left, NULL);
    if (o->right && !jv_is_integer(o->right))
        jv_fail_value(o->e, "T2004", o->node->position, o->node->text, o->right, NULL);
    if (!o->left || !o->right || o->left->number > o->right->number)
        return NULL;
    size = o->right->number - o->left->number + 1;
    if (size > 1e7)
        jv_fail_value(o->e, "D2014", o->node->position, o->node->text, jv_number(o->e, size), NULL);
    if (size > RANGE_MAX)
        jv_bound(o->e, "Expression evaluation memory limit exceeded: Check for excessive memory usage");
    sequence = jv_sequence(o->e);
    numbers = jv_alloc_items(o->e, (size_t)size, sizeof(*numbers));
    sequence->array.items = jv_alloc_items(o->e, (size_t)size, sizeof(jv *));
    sequence->array.capacity = sequence->array.count = (size_t)size;
    jv_work(o->e, (size_t)size / 4);
    for (size_t i = 0; i < (size_t)size; i++) {
        numbers[i].kind = JV_NUMBER;
        numbers[i].number = o->left->number + (double)i;
        sequence->array.items[i] = &numbers[i];
    }
    return sequence;
}

static jv *(*const operators[JO_OPS])(operands *o) = {
    [JO_ADD] = arithmetic,
    [JO_SUBTRACT] = arithmetic,
    [JO_MULTIPLY] = arithmetic,
    [JO_DIVIDE] = arithmetic,
    [JO_REMAINDER] = arithmetic,
    [JO_EQUAL] = equality,
    [JO_NOT_EQUAL] = equality,
    [JO_LESS] = comparison,
    [JO_LESS_EQUAL] = comparison,
    [JO_GREATER] = comparison,
    [JO_GREATER_EQUAL] = comparison,
    [JO_CONCAT] = concatenation,
    [JO_IN] = membership,
    [JO_RANGE] = range,
};

jv *jv_evaluate_binary(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    operands o = {.e = e, .node = node};

    o.left = jv_evaluate(e, node->left, input, frame);
    if (node->op == JO_AND || node->op == JO_OR) {
        bool truth = jv_truth(e, o.left);

        if (truth == (node->op == JO_AND)) {
            const jnode *outer = e->within;

            e->within = outer ? outer : node;
            truth = jv_truth(e, jv_evaluate(e, node->right, input, frame));
            e->within = outer;
        }
        return jv_bool(e, truth);
    }
    o.right = jv_evaluate(e, node->right, input, frame);
    return operators[node->op](&o);
}

jv *jv_evaluate_negate(jv_eval *e, const jnode *node, jv *input, jv_frame *frame)
{
    jv *value = jv_evaluate(e, node->left, input, frame);

    if (!value)
        return NULL;
    if (value->kind != JV_NUMBER)
        jv_fail_value(e, "D1002", node->position, node->text, value, NULL);
    return jv_number(e, -value->number);
}
