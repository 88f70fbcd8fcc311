/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The grammar of JSONata, by operator precedence: a token that stands where a value is expected has a
 * function in `starts`, one that stands behind a value has a row in `binaries` with its binding power. Errors
 * leave by longjmp; everything made so far lies in the build's arena. */
#include "cloud/flow/jsonata_error.h"
#include "cloud/flow/jsonata_eval.h"
#include "cloud/flow/jsonata_node.h"
#include <stdio.h>
#include <string.h>

static jnode *expression(jp *p, int power);

/* ---- failing ---- */

void jp_stop(jp *p, int status, const char *message)
{
    p->status = sh_fail(p->err, status, "%s", message);
    p->position = (size_t)(p->p - p->start);
    longjmp(p->failed, 1);
}

/* Numbers and true, false, null are quoted bare; no name or operator starts like a number. */
static bool is_bare(const char *text)
{
    return (*text >= '0' && *text <= '9') || (*text == '-' && text[1]) || !strcmp(text, "true") ||
           !strcmp(text, "false") || !strcmp(text, "null");
}

static void show(char *text, size_t size, const char *code, const char *token, const char *value)
{
    jv_error_parts parts = {0};

    if (token && is_bare(token) && strcmp(code, "S0102"))
        parts.bare_token = token;
    else
        parts.token = token;
    if (value && is_bare(value))
        parts.value = value;
    else
        parts.value_text = value;

    jv_error_show(text, size, code, &parts);
}

void jp_fail(jp *p, const char *code, size_t position, const char *token, const char *value)
{
    char text[256];

    show(text, sizeof(text), code, token, value);
    p->status = sh_fail(p->err, SH_E_FORMAT, "%s: %s", code, text);
    p->position = position;
    longjmp(p->failed, 1);
}

void jp_late(jp *p, const char *code, size_t position, const char *token, const char *value)
{
    char text[200];

    if (p->late)
        return;
    show(text, sizeof(text), code, token, value);
    snprintf(p->late_message, sizeof(p->late_message), "%s: %s", code, text);
    p->late_position = position;
    p->late = true;
}

void *jp_alloc(jp *p, size_t size)
{
    void *memory = sh_arena_alloc(p->build->arena, size);

    if (!memory)
        jp_stop(p, SH_E_MEMORY, "out of memory");
    return memory;
}

const char *jp_copy(jp *p, const char *text, size_t length)
{
    char *copy = jp_alloc(p, length + 1);

    if (length)
        memcpy(copy, text, length);
    return copy;
}

void jp_append(jp *p, jn_list *list, jnode *node)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 4;
        jnode **items = jp_alloc(p, capacity * sizeof(*items));

        if (list->count)
            memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = node;
}

/* ---- tokens ---- */

static bool at_op(const jp *p, const char *op)
{
    return p->token.type == JT_OPERATOR && !strcmp(p->token.op, op);
}

/* Passes the comma before one more of a list. */
static bool pass_comma(jp *p)
{
    if (!at_op(p, ","))
        return false;
    jt_next(p, false);
    return true;
}

static void expect(jp *p, const char *op, bool infix)
{
    if (!at_op(p, op))
        jp_fail(p, p->token.type == JT_END ? "S0203" : "S0202", p->token.position,
                p->token.type == JT_END ? "(end)" : p->token.text, op);
    jt_next(p, infix);
}

static void add_part(jp *p, jnode *into, jnode *part)
{
    jn_pass_seeking(p, into, part);
    jp_append(p, &into->list, part);
}

/* Items up to `close`, which is taken. */
static void read_list(jp *p, jnode *into, const char *separator, const char *close)
{
    while (!at_op(p, close)) {
        add_part(p, into, expression(p, 0));
        if (!at_op(p, separator))
            break;
        jt_next(p, false);
    }
    expect(p, close, true);
}

/* ---- where a value is expected ---- */

static jnode *make(jp *p, jn_type type, const jt_token *token)
{
    jnode *node = jn_new(p, type, token->position);

    node->text = token->text;
    node->length = token->length;
    node->number = token->number;
    node->regex = token->regex;
    return node;
}

static jnode *start_name(jp *p, const jt_token *token)
{
    return jn_shape_name(p, make(p, JN_NAME, token));
}

static jnode *start_variable(jp *p, const jt_token *token)
{
    jnode *node = make(p, JN_VARIABLE, token);

    node->builtin = jv_builtin_find(token->text, token->length);
    return node;
}

static jnode *start_value(jp *p, const jt_token *token)
{
    return make(p, *token->text == 't' ? JN_TRUE : *token->text == 'f' ? JN_FALSE : JN_NULL, token);
}

static jnode *start_wildcard(jp *p, const jt_token *token)
{
    return make(p, JN_WILDCARD, token);
}

static jnode *start_descendant(jp *p, const jt_token *token)
{
    return make(p, JN_DESCENDANT, token);
}

static jnode *start_parent(jp *p, const jt_token *token)
{
    jnode *node = make(p, JN_PARENT, token);

    node->slot = jp_alloc(p, sizeof(*node->slot));
    node->slot->level = 1;
    snprintf(node->slot->label, sizeof(node->slot->label), "!%d", p->labels++);
    return node;
}

static jnode *start_minus(jp *p, const jt_token *token)
{
    jnode *operand = expression(p, 70), *node;
    char text[40];

    if (operand->type == JN_NUMBER && !operand->step) {
        operand->number = -operand->number;
        snprintf(text, sizeof(text), "-%.30s", operand->text);
        operand->text = jp_copy(p, text, strlen(text));
        return operand;
    }
    node = make(p, JN_NEGATE, token);
    node->left = operand;
    jn_pass_seeking(p, node, operand);
    return node;
}

static jnode *start_block(jp *p, const jt_token *token)
{
    jnode *node = make(p, JN_BLOCK, token);

    read_list(p, node, ";", ")");
    for (size_t i = 0; i < node->list.count; i++) {
        const jnode *part = node->list.items[i];

        if (part->cons || (part->type == JN_PATH && part->list.items[0]->cons))
            node->cons = true;
    }
    return node;
}

static jnode *start_array(jp *p, const jt_token *token)
{
    jnode *node = make(p, JN_ARRAY, token);

    if (!at_op(p, "]"))
        do {
            jnode *item = expression(p, 0);

            if (at_op(p, "..")) {
                jnode *range = make(p, JN_BINARY, &p->token);

                range->op = JO_RANGE;
                jt_next(p, false);
                range->left = item;
                range->right = expression(p, 0);
                jn_pass_seeking(p, range, range->left);
                jn_pass_seeking(p, range, range->right);
                item = range;
            }
            add_part(p, node, item);
        } while (pass_comma(p));
    expect(p, "]", true);
    return node;
}

static jnode *start_object(jp *p, const jt_token *token)
{
    jnode *node = make(p, JN_OBJECT, token);

    if (!at_op(p, "}"))
        do {
            add_part(p, node, expression(p, 0));
            expect(p, ":", false);
            add_part(p, node, expression(p, 0));
        } while (pass_comma(p));
    expect(p, "}", true);
    return node;
}

static jnode *start_transform(jp *p, const jt_token *token)
{
    jnode *node = make(p, JN_TRANSFORM, token);

    node->left = expression(p, 0);
    expect(p, "|", false);
    node->right = expression(p, 0);
    if (pass_comma(p))
        node->third = expression(p, 0);
    expect(p, "|", false);
    jn_over(p, node, node->left);
    jn_over(p, node, node->right);
    if (node->third)
        jn_over(p, node, node->third);
    return node;
}

static const struct {
    char op[4];
    jnode *(*read)(jp *p, const jt_token *token);
    bool opens; /* what follows is the first of its contents */
} starts[] = {
    {"*", start_wildcard, false}, {"**", start_descendant, false}, {"%", start_parent, false},
    {"-", start_minus, true},     {"(", start_block, true},        {"[", start_array, true},
    {"{", start_object, true},    {"|", start_transform, true},    {"and", start_name, false},
    {"or", start_name, false},    {"in", start_name, false},
};

static jnode *start_operator(jp *p, const jt_token *token)
{
    for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++)
        if (!strcmp(token->op, starts[i].op))
            return starts[i].read(p, token);
    jp_fail(p, "S0211", token->position, token->text, NULL);
}

static jnode *start(jp *p, const jt_token *token)
{
    switch (token->type) {
    case JT_NAME:
        return start_name(p, token);
    case JT_VARIABLE:
        return start_variable(p, token);
    case JT_STRING:
        return make(p, JN_STRING, token);
    case JT_NUMBER:
        return make(p, JN_NUMBER, token);
    case JT_VALUE:
        return start_value(p, token);
    case JT_REGEX:
        return make(p, JN_REGEX, token);
    case JT_OPERATOR:
        return start_operator(p, token);
    default: /* whoever awaits a closing bracket says so first */
        jp_late(p, "S0207", token->position, "(end)", NULL);
        return make(p, JN_PLACEHOLDER, token);
    }
}

/* ---- behind a value ---- */

typedef struct binary binary;
struct binary {
    char op[4];
    int power;
    jnode *(*read)(jp *p, jnode *left, const jt_token *token, const binary *row);
    jn_op code;
};

static jnode *read_binary(jp *p, jnode *left, const jt_token *token, const binary *row)
{
    jnode *node = make(p, JN_BINARY, token);

    node->op = row->code;
    node->left = left;
    node->right = expression(p, row->power);
    jn_pass_seeking(p, node, left);
    jn_pass_seeking(p, node, node->right);
    return node;
}

static jnode *read_pair(jp *p, jnode *left, const jt_token *token, jn_type type, int power)
{
    jnode *node = make(p, type, token);

    node->left = left;
    node->right = expression(p, power);
    jn_pass_seeking(p, node, left);
    jn_pass_seeking(p, node, node->right);
    return node;
}

static jnode *read_dot(jp *p, jnode *left, const jt_token *token, const binary *row)
{
    (void)token;
    return jn_shape_dot(p, left, expression(p, row->power));
}

static jnode *read_filter(jp *p, jnode *left, const jt_token *token, const binary *row)
{
    jnode *predicate;

    (void)row;
    if (at_op(p, "]")) {
        jt_next(p, false);
        return jn_shape_keep(left);
    }
    predicate = expression(p, 0);
    expect(p, "]", true);
    return jn_shape_filter(p, left, predicate, token->position);
}

static jnode *read_group(jp *p, jnode *left, const jt_token *token, const binary *row)
{
    (void)row;
    return jn_shape_group(p, left, start_object(p, token), token->position);
}

/* ---- calls and lambdas ---- */

static const jn_signature *read_signature(jp *p)
{
    char text[256];
    size_t length = 1, position = p->token.position;
    const char *code = NULL;
    const jn_signature *signature;

    text[0] = '<';
    for (int depth = 1; depth > 0 && !at_op(p, "{") && p->token.type != JT_END;) {
        jt_next(p, false);
        if (at_op(p, ">"))
            depth--;
        else if (at_op(p, "<"))
            depth++;
        if (p->token.length > sizeof(text) - length)
            jp_stop(p, SH_E_LIMIT, "signature of a function too long");
        if (p->token.length)
            memcpy(text + length, p->token.text, p->token.length);
        length += p->token.length;
    }
    expect(p, ">", false);
    signature = jn_signature_parse(p->build->arena, text, length, &code);
    if (!signature && code)
        jp_fail(p, code, position, NULL, NULL);
    if (!signature)
        jp_stop(p, SH_E_MEMORY, "out of memory");
    return signature;
}

static jnode *read_lambda(jp *p, jnode *call)
{
    char number[24];

    for (size_t i = 0; i < call->list.count; i++) {
        if (call->list.items[i]->type == JN_VARIABLE && !call->list.items[i]->step)
            continue;
        snprintf(number, sizeof(number), "%zu", i + 1);
        jp_fail(p, "S0208", call->list.items[i]->position, call->list.items[i]->text, number);
    }
    call->type = JN_LAMBDA;
    call->left = NULL;
    if (at_op(p, "<"))
        call->signature = read_signature(p);
    expect(p, "{", false);
    call->left = expression(p, 0);
    if (call->left->height >= call->height)
        call->height = call->left->height + 1;
    expect(p, "}", true);
    return call;
}

static bool is_function_word(const jnode *node)
{
    const jnode *name = node->from_name && !node->list.items[0]->step ? node->list.items[0] : NULL;

    return name && (!strcmp(name->text, "function") || !strcmp(name->text, "\xce\xbb"));
}

static jnode *read_call(jp *p, jnode *left, const jt_token *token, const binary *row)
{
    jnode *node = make(p, JN_CALL, token);

    (void)row;
    node->left = left;
    if (!at_op(p, ")"))
        do {
            if (at_op(p, "?")) {
                node->type = JN_PARTIAL;
                jp_append(p, &node->list, make(p, JN_PLACEHOLDER, &p->token));
                jt_next(p, false);
            } else {
                add_part(p, node, expression(p, 0));
            }
        } while (pass_comma(p));
    expect(p, ")", true);
    if (is_function_word(left))
        return read_lambda(p, node);
    if (left->height >= node->height)
        node->height = left->height + 1;
    return node;
}

/* ---- the other operators ---- */

static jnode *read_order(jp *p, jnode *left, const jt_token *token, const binary *row)
{
    jnode *sort = make(p, JN_SORT, token);

    (void)row;
    expect(p, "(", false);
    do {
        jnode *term = make(p, JN_TERM, &p->token);

        term->descending = at_op(p, ">");
        if (at_op(p, ">") || at_op(p, "<"))
            jt_next(p, false);
        term->left = expression(p, 0);
        jn_pass_seeking(p, sort, term->left);
        jp_append(p, &sort->list, term);
    } while (pass_comma(p));
    expect(p, ")", true);
    return jn_shape_order(p, left, sort);
}

static const jnode *read_binding(jp *p, const jt_token *token, int power)
{
    jnode *variable = expression(p, power);

    if (variable->type != JN_VARIABLE)
        jp_fail(p, "S0214", variable->position, token->text, NULL);
    return variable;
}

static jnode *read_focus(jp *p, jnode *left, const jt_token *token, const binary *row)
{
    return jn_shape_focus(p, left, read_binding(p, token, row->power), token->position);
}

static jnode *read_index(jp *p, jnode *left, const jt_token *token, const binary *row)
{
    return jn_shape_index(p, left, read_binding(p, token, row->power), token->position);
}

static jnode *read_bind(jp *p, jnode *left, const jt_token *token, const binary *row)
{
    jnode *node;

    if (left->type != JN_VARIABLE)
        jp_fail(p, "S0212", left->position, left->type == JN_PATH ? left->list.items[0]->text : left->text,
                NULL);
    node = make(p, JN_BIND, token);
    node->left = left;
    node->right = expression(p, row->power - 1);
    jn_pass_seeking(p, node, node->right);
    return node;
}

static jnode *read_apply(jp *p, jnode *left, const jt_token *token, const binary *row)
{
    jnode *node = make(p, JN_APPLY, token);

    node->left = left;
    node->right = expression(p, row->power);
    jn_over(p, node, left);
    jn_over(p, node, node->right);
    node->keep = node->left->keep || node->right->keep;
    return node;
}

static jnode *read_condition(jp *p, jnode *left, const jt_token *token, const binary *row)
{
    jnode *node = make(p, JN_CONDITION, token);

    (void)row;
    node->left = left;
    node->right = expression(p, 0);
    jn_pass_seeking(p, node, left);
    jn_pass_seeking(p, node, node->right);
    if (at_op(p, ":")) {
        jt_next(p, false);
        node->third = expression(p, 0);
        jn_pass_seeking(p, node, node->third);
    }
    return node;
}

static jnode *read_coalesce(jp *p, jnode *left, const jt_token *token, const binary *row)
{
    return read_pair(p, left, token, row->op[1] == '?' ? JN_COALESCE : JN_ELVIS, 0);
}

static const binary binaries[] = {
    {".", 75, read_dot, JO_NONE},         {"[", 80, read_filter, JO_NONE},
    {"{", 70, read_group, JO_NONE},       {"(", 80, read_call, JO_NONE},
    {"@", 80, read_focus, JO_NONE},       {"#", 80, read_index, JO_NONE},
    {"*", 60, read_binary, JO_MULTIPLY},  {"/", 60, read_binary, JO_DIVIDE},
    {"%", 60, read_binary, JO_REMAINDER}, {"+", 50, read_binary, JO_ADD},
    {"-", 50, read_binary, JO_SUBTRACT},  {"&", 50, read_binary, JO_CONCAT},
    {"=", 40, read_binary, JO_EQUAL},     {"!=", 40, read_binary, JO_NOT_EQUAL},
    {"<", 40, read_binary, JO_LESS},      {"<=", 40, read_binary, JO_LESS_EQUAL},
    {">", 40, read_binary, JO_GREATER},   {">=", 40, read_binary, JO_GREATER_EQUAL},
    {"in", 40, read_binary, JO_IN},       {"and", 30, read_binary, JO_AND},
    {"or", 25, read_binary, JO_OR},       {"^", 40, read_order, JO_NONE},
    {"~>", 40, read_apply, JO_NONE},      {"??", 40, read_coalesce, JO_NONE},
    {"?:", 40, read_coalesce, JO_NONE},   {"?", 20, read_condition, JO_NONE},
    {":=", 10, read_bind, JO_NONE},
};

static const binary *binary_row(const jp *p)
{
    if (p->token.type == JT_OPERATOR)
        for (size_t i = 0; i < sizeof(binaries) / sizeof(*binaries); i++)
            if (!strcmp(p->token.op, binaries[i].op))
                return &binaries[i];
    return NULL;
}

static jnode *expression(jp *p, int power)
{
    jt_token token = p->token;
    const binary *row;
    jnode *left;

    if (++p->depth > JN_HEIGHT_MAX)
        jp_stop(p, SH_E_LIMIT, "expression nested too deeply");
    if (token.type != JT_END)
        jt_next(p, true);
    left = start(p, &token);
    while ((row = binary_row(p)) && power < row->power) {
        token = p->token;
        jt_next(p, false);
        left = row->read(p, left, &token, row);
        if (left->height > JN_HEIGHT_MAX)
            jp_stop(p, SH_E_LIMIT, "expression nested too deeply");
    }
    p->depth--;
    return left;
}

static void parse(jp *p, sh_jsonata *out)
{
    jnode *root;

    jt_next(p, false);
    root = expression(p, 0);
    if (p->token.type != JT_END)
        jp_fail(p, "S0201", p->token.position, p->token.text, NULL);
    if (root->type == JN_PARENT || (root->step && root->step->seeking.count))
        jp_late(p, "S0217", root->position, NULL, NULL);
    if (p->late) {
        p->position = p->late_position;
        p->status = sh_fail(p->err, SH_E_FORMAT, "%s", p->late_message);
        longjmp(p->failed, 1);
    }
    out->root = root;
}

int sh_jsonata_parse(sh_build *build, const char *text, size_t length, const sh_jsonata **out,
                     size_t *position, sh_err *err)
{
    jp p = {.build = build, .start = text, .p = text, .end = text + length, .err = err};
    sh_jsonata *made;

    if (length > SH_JSONATA_TEXT_MAX)
        return sh_fail(err, SH_E_LIMIT, "expression longer than %d bytes", SH_JSONATA_TEXT_MAX);
    made = sh_arena_alloc(build->arena, sizeof(*made));
    if (!made || !(made->text = sh_arena_strndup(build->arena, text, length)))
        return sh_fail(err, SH_E_MEMORY, "out of memory");
    made->length = length;
    if (setjmp(p.failed)) {
        if (position)
            *position = p.position;
        return p.status;
    }
    parse(&p, made);
    *out = made;
    return 0;
}
