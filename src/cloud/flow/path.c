/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parser of JSONPath: one pass, recursive only for filters (bounded depth). */
#include "cloud/flow/cursor.h"
#include "cloud/flow/path_steps.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STEPS = 256, MAX_UNION = 256, MAX_FILTER_DEPTH = 32, MAX_PATH = 16384 };

static bool at(const cursor *c, char wanted)
{
    return c->p < c->end && *c->p == wanted;
}

static bool eat(cursor *c, const char *wanted)
{
    size_t length = strlen(wanted);

    if ((size_t)(c->end - c->p) < length || memcmp(c->p, wanted, length))
        return false;
    c->p += length;
    return true;
}

/* 'text' or "text"; a backslash takes the next character as it is. */
static int read_quoted(cursor *c, char **out)
{
    char quote = *c->p++;
    char *text = sh_arena_alloc(c->build->arena, (size_t)(c->end - c->p) + 1);
    size_t length = 0;

    if (!text)
        return no_memory(c);
    while (c->p < c->end && *c->p != quote) {
        if (*c->p == '\\' && c->p + 1 < c->end)
            c->p++;
        text[length++] = *c->p++;
    }
    if (c->p == c->end)
        return bad(c, "quote not closed");
    c->p++;
    *out = text;
    return 0;
}

static bool name_ends(const cursor *c)
{
    return strchr(c->depth ? ".[]()'\", \t\r\n=!<>&|" : ".[]'\", \t\r\n", *c->p) != NULL;
}

static int read_name(cursor *c, sh_step *step)
{
    const char *from = c->p;
    char *name;

    while (c->p < c->end && !name_ends(c))
        c->p++;
    if (c->p == from)
        return bad(c, "field name expected");
    if (c->p - from == 1 && *from == '*') {
        step->kind = SH_STEP_WILD;
        return 0;
    }
    if (at(c, '('))
        return bad(c, "functions are not supported in a filter");
    step->kind = SH_STEP_NAMES;
    step->count = 1;
    step->names = sh_arena_alloc(c->build->arena, sizeof(*step->names));
    name = sh_arena_strndup(c->build->arena, from, (size_t)(c->p - from));
    if (!step->names || !name)
        return no_memory(c);
    step->names[0] = name;
    return 0;
}

static int read_integer(cursor *c, json_int_t *out)
{
    char digits[24];
    size_t length = 0;

    while (c->p < c->end && length < 20 && (strchr("0123456789", *c->p) || (!length && *c->p == '-')))
        digits[length++] = *c->p++;
    digits[length] = '\0';
    if (!length || (length == 1 && *digits == '-'))
        return bad(c, "integer expected");
    errno = 0;
    *out = strtoll(digits, NULL, 10);
    return errno ? bad(c, "integer too large") : 0;
}

/* (@.length-1): the last one */
static int read_from_end(cursor *c, sh_step *step)
{
    int status;

    c->p++;
    blanks(c);
    if (!eat(c, "@.length"))
        return bad(c, "'@.length-1' expected");
    eat(c, "()");
    blanks(c);
    step->kind = SH_STEP_INDEXES;
    step->from_end = true;
    step->count = 1;
    step->indexes = sh_arena_alloc(c->build->arena, sizeof(*step->indexes));
    if (!step->indexes)
        return no_memory(c);
    if (!at(c, '-'))
        return bad(c, "'-' expected");
    c->p++;
    blanks(c);
    status = read_integer(c, step->indexes);
    blanks(c);
    return status ? status : eat(c, ")") ? 0 : bad(c, "')' expected");
}

static int read_slice(cursor *c, sh_step *step, json_int_t start, bool has_start)
{
    int status = 0;

    step->kind = SH_STEP_SLICE;
    step->indexes = sh_arena_alloc(c->build->arena, 3 * sizeof(*step->indexes));
    if (!step->indexes)
        return no_memory(c);
    step->indexes[0] = start;
    step->has_start = has_start;
    step->indexes[2] = 1;
    blanks(c);
    if (c->p < c->end && *c->p != ':' && *c->p != ']') {
        status = read_integer(c, &step->indexes[1]);
        step->has_stop = true;
    }
    blanks(c);
    if (!status && eat(c, ":")) {
        blanks(c);
        if (!at(c, ']'))
            status = read_integer(c, &step->indexes[2]);
    }
    if (!status && step->indexes[2] <= 0)
        status = bad(c, "the step of a slice must be positive");
    return status;
}

static int read_indexes(cursor *c, sh_step *step)
{
    json_int_t value = 0;
    int status;

    if (eat(c, ":"))
        return read_slice(c, step, 0, false);
    status = read_integer(c, &value);
    blanks(c);
    if (!status && eat(c, ":"))
        return read_slice(c, step, value, true);
    step->kind = SH_STEP_INDEXES;
    step->indexes = sh_arena_alloc(c->build->arena, sizeof(*step->indexes));
    while (!status && step->indexes) {
        step->indexes[step->count++] = value;
        blanks(c);
        if (!eat(c, ","))
            return 0;
        if (step->count == MAX_UNION)
            return bad(c, "too many indexes");
        json_int_t *more = sh_arena_alloc(c->build->arena, (step->count + 1) * sizeof(*more));
        if (more)
            memcpy(more, step->indexes, step->count * sizeof(*more));
        step->indexes = more;
        blanks(c);
        status = read_integer(c, &value);
    }
    return status ? status : no_memory(c);
}

static int read_names(cursor *c, sh_step *step)
{
    step->kind = SH_STEP_NAMES;
    for (;;) {
        const char **more = sh_arena_alloc(c->build->arena, (step->count + 1) * sizeof(*more));
        char *name = NULL;
        int status;

        if (!more)
            return no_memory(c);
        if (step->count)
            memcpy(more, step->names, step->count * sizeof(*more));
        step->names = more;
        if (!at(c, '\'') && !at(c, '"'))
            return bad(c, "quoted name expected");
        status = read_quoted(c, &name);
        if (status)
            return status;
        step->names[step->count++] = name;
        blanks(c);
        if (!eat(c, ","))
            return 0;
        if (step->count == MAX_UNION)
            return bad(c, "too many names");
        blanks(c);
    }
}

static int read_or(cursor *c, const sh_filter **out);
static int read_steps(cursor *c, sh_path *path);

static int read_bracket(cursor *c, sh_step *step)
{
    int status;

    c->p++;
    blanks(c);
    if (eat(c, "*")) {
        step->kind = SH_STEP_WILD;
        status = 0;
    } else if (eat(c, "?")) {
        step->kind = SH_STEP_FILTER;
        blanks(c);
        if (!at(c, '('))
            return bad(c, "'(' expected after '?'");
        status = read_or(c, &step->filter);
    } else if (at(c, '\'') || at(c, '"')) {
        status = read_names(c, step);
    } else if (at(c, '(')) {
        status = read_from_end(c, step);
    } else {
        status = read_indexes(c, step);
    }
    if (status)
        return status;
    blanks(c);
    return eat(c, "]") ? 0 : bad(c, "']' expected");
}

static int read_relative(cursor *c, sh_operand *operand)
{
    sh_path *path = sh_arena_alloc(c->build->arena, sizeof(*path));

    if (!path)
        return no_memory(c);
    operand->absolute = *c->p++ == '$';
    operand->path = path;
    path->text = "@";
    return read_steps(c, path);
}

static int read_constant(cursor *c, sh_operand *operand)
{
    json_t *value = NULL;
    char *text;

    if (at(c, '\'') || at(c, '"')) {
        int status = read_quoted(c, &text);

        if (status)
            return status;
        value = json_string(text);
    } else if (eat(c, "true")) {
        value = json_true();
    } else if (eat(c, "false")) {
        value = json_false();
    } else if (eat(c, "null")) {
        value = json_null();
    } else {
        char number[64];
        size_t length = 0;

        while (c->p < c->end && length < 60 && strchr("+-.0123456789eE", *c->p))
            number[length++] = *c->p++;
        value = json_loadb(number, length, JSON_DECODE_ANY, NULL);
    }
    operand->constant = sh_build_keep(c->build, value);
    return operand->constant ? 0 : bad(c, "value expected");
}

static int read_operand(cursor *c, sh_operand *operand)
{
    blanks(c);
    return at(c, '@') || at(c, '$') ? read_relative(c, operand) : read_constant(c, operand);
}

static sh_filter *new_filter(cursor *c, sh_filter_op op, const sh_filter *left, const sh_filter *right)
{
    sh_filter *filter = sh_arena_alloc(c->build->arena, sizeof(*filter));

    if (filter) {
        filter->op = op;
        filter->left = left;
        filter->right = right;
    }
    return filter;
}

static int read_comparison(cursor *c, const sh_filter **out)
{
    static const struct {
        const char *text;
        sh_filter_op op;
    } operators[] = {{"==", SH_FILTER_EQ}, {"!=", SH_FILTER_NE}, {"<=", SH_FILTER_LE},
                     {">=", SH_FILTER_GE}, {"<", SH_FILTER_LT},  {">", SH_FILTER_GT}};
    sh_filter *filter = new_filter(c, SH_FILTER_EXISTS, NULL, NULL);
    int status;

    if (!filter)
        return no_memory(c);
    *out = filter;
    status = read_operand(c, &filter->a);
    if (status)
        return status;
    blanks(c);
    for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++) {
        if (eat(c, operators[i].text)) {
            filter->op = operators[i].op;
            return read_operand(c, &filter->b);
        }
    }
    return filter->a.path ? 0 : bad(c, "comparison expected");
}

static int read_unary(cursor *c, const sh_filter **out)
{
    int status;

    if (++c->depth > MAX_FILTER_DEPTH)
        return bad(c, "filter nested too deeply");
    blanks(c);
    if (eat(c, "!")) {
        const sh_filter *inner = NULL;

        status = read_unary(c, &inner);
        if (!status && !(*out = new_filter(c, SH_FILTER_NOT, inner, NULL)))
            status = no_memory(c);
    } else if (at(c, '(')) {
        status = read_or(c, out);
    } else {
        status = read_comparison(c, out);
    }
    c->depth--;
    return status;
}

/* left-associative run of one operator, of operands read by `next` */
static int read_run(cursor *c, const char *word, sh_filter_op op, int (*next)(cursor *, const sh_filter **),
                    const sh_filter **out)
{
    int status = next(c, out);

    blanks(c);
    while (!status && eat(c, word)) {
        const sh_filter *right = NULL;

        status = next(c, &right);
        if (!status && !(*out = new_filter(c, op, *out, right)))
            status = no_memory(c);
        blanks(c);
    }
    return status;
}

static int read_and(cursor *c, const sh_filter **out)
{
    return read_run(c, "&&", SH_FILTER_AND, read_unary, out);
}

static int read_or(cursor *c, const sh_filter **out)
{
    int status;

    if (++c->depth > MAX_FILTER_DEPTH)
        return bad(c, "filter nested too deeply");
    c->p++; /* the '(' */
    status = read_run(c, "||", SH_FILTER_OR, read_and, out);
    if (!status && !eat(c, ")"))
        status = bad(c, "')' expected");
    c->depth--;
    return status;
}

static int read_step(cursor *c, sh_step *step)
{
    if (eat(c, "..")) {
        step->descend = true;
        return at(c, '[') ? read_bracket(c, step) : read_name(c, step);
    }
    if (at(c, '['))
        return read_bracket(c, step);
    c->p++;
    return at(c, '[') ? read_bracket(c, step) : read_name(c, step);
}

static void classify(sh_path *path, const sh_step *step)
{
    bool one = (step->kind == SH_STEP_NAMES || step->kind == SH_STEP_INDEXES) && step->count == 1;

    if (step->descend || !(one || step->kind == SH_STEP_NAMES))
        path->definite = false;
    if (step->descend || !one || (step->kind == SH_STEP_INDEXES && (step->from_end || step->indexes[0] < 0)))
        path->reference = false;
}

static int read_steps(cursor *c, sh_path *path)
{
    const sh_step **tail = &path->steps;
    int count = 0;

    path->definite = path->reference = true;
    while (at(c, '.') || at(c, '[')) {
        sh_step *step = sh_arena_alloc(c->build->arena, sizeof(*step));
        int status;

        if (!step)
            return no_memory(c);
        if (++count > MAX_STEPS)
            return bad(c, "too many steps");
        status = read_step(c, step);
        if (status)
            return status;
        classify(path, step);
        *tail = step;
        tail = (const sh_step **)&step->next;
    }
    return 0;
}

size_t sh_variable_length(const char *text, size_t length)
{
    size_t n = 0;

    for (; n < length; n++) {
        unsigned char ch = (unsigned char)text[n];
        bool letter = (ch | 0x20) >= 'a' && (ch | 0x20) <= 'z';

        if (!(letter || ch == '_' || ch >= 0x80 || (n && ch >= '0' && ch <= '9')))
            break;
    }
    return n;
}

static int read_variable(cursor *c, sh_path *path)
{
    size_t length = sh_variable_length(c->p, (size_t)(c->end - c->p));

    if (!length)
        return 0;
    path->variable = sh_arena_strndup(c->build->arena, c->p, length);
    c->p += length;
    return path->variable && !sh_build_reads(c->build, path->variable) ? 0 : no_memory(c);
}

int sh_path_parse(sh_build *build, const char *text, size_t length, const sh_path **out, sh_err *err)
{
    cursor c = {.start = text, .p = text, .end = text + length, .build = build, .err = err};
    sh_path *path;
    int status;

    if (length > MAX_PATH)
        return sh_fail(err, SH_E_LIMIT, "JSONPath longer than %d bytes", MAX_PATH);
    if (memchr(text, 0, length))
        return sh_fail(err, SH_E_FORMAT, "JSONPath contains a NUL character");
    path = sh_arena_alloc(build->arena, sizeof(*path));
    if (!path || !(path->text = sh_arena_strndup(build->arena, text, length)))
        return no_memory(&c);
    if (!eat(&c, "$"))
        return bad(&c, "'$' expected");
    path->context = eat(&c, "$");
    build->context = build->context || path->context;
    status = path->context ? 0 : read_variable(&c, path);
    if (!status)
        status = read_steps(&c, path);
    if (!status && c.p != c.end)
        status = bad(&c, "'.' or '[' expected");
    if (!status)
        *out = path;
    return status;
}

bool sh_path_is_context(const sh_path *path)
{
    return path->context;
}

const char *sh_path_variable(const sh_path *path)
{
    return path->variable;
}

bool sh_path_is_reference(const sh_path *path)
{
    return path->reference;
}

bool sh_path_is_root(const sh_path *path)
{
    return !path->steps;
}

const char *sh_path_text(const sh_path *path)
{
    return path->text;
}
