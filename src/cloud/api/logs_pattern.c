/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads filter patterns: one function for each rule of the grammar, all of them moving `at`. */
#include "cloud/api/logs_pattern.h"
#include "cloud/api/regular.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DEPTH_MAX = 50, ARENA_MAX = 1 << 20 };

typedef struct reader {
    sh_log_pattern *pattern;
    const char *text, *at;
    int depth;
    sh_err *err;
} reader;

static int bad(reader *r, const char *what)
{
    return sh_fail(r->err, SH_E_FORMAT, "Invalid filter pattern: %s at column %d", what,
                   (int)(r->at - r->text) + 1);
}

static int no_memory(reader *r)
{
    return sh_fail(r->err, SH_E_MEMORY, "no memory for a filter pattern");
}

static void skip_space(reader *r)
{
    while (isspace((unsigned char)*r->at))
        r->at++;
}

static bool take(reader *r, const char *text)
{
    skip_space(r);
    size_t length = strlen(text);
    if (strncmp(r->at, text, length) != 0)
        return false;
    r->at += length;
    return true;
}

/* A word of letters, whatever their case, that ends there. */
static bool take_word(reader *r, const char *word)
{
    skip_space(r);
    size_t length = strlen(word);
    if (strncasecmp(r->at, word, length) != 0 || isalnum((unsigned char)r->at[length]))
        return false;
    r->at += length;
    return true;
}

/* ---- values ---- */

/* \d is what POSIX lacks of the classes that filter patterns have. */
static char *to_posix(reader *r, const char *text, size_t length)
{
    char *out = sh_arena_alloc(r->pattern->arena, 5 * length + 1), *end = out;
    for (size_t i = 0; out && i < length; i++) {
        if (text[i] == '\\' && i + 1 < length && (text[i + 1] == 'd' || text[i + 1] == 'D')) {
            const char *class = text[++i] == 'd' ? "[0-9]" : "[^0-9]";
            end = stpcpy(end, class);
        } else if (text[i] == '\\' && i + 1 < length) {
            *end++ = text[i++];
            *end++ = text[i];
        } else {
            *end++ = text[i];
        }
    }
    if (out)
        *end = '\0';
    return out;
}

static int read_regex(reader *r, sh_log_value *value)
{
    const char *begin = ++r->at;
    while (*r->at && *r->at != '%')
        r->at += r->at[0] == '\\' && r->at[1] ? 2 : 1;
    if (!*r->at)
        return bad(r, "a regular expression has no % at its end");
    char *text = to_posix(r, begin, (size_t)(r->at - begin));
    sh_log_regex *regex = text ? calloc(1, sizeof(*regex)) : NULL;
    if (!regex)
        return no_memory(r);
    if (!*text || !sh_regex_compile(&regex->regex, text)) {
        free(regex);
        return bad(r, "a regular expression is empty, malformed or too large");
    }
    regex->next = r->pattern->regexes;
    r->pattern->regexes = regex;
    value->regex = &regex->regex;
    value->text = text;
    r->at++;
    return 0;
}

/* "text", in which \" and \\ stand for " and \. */
static int read_quoted(reader *r, sh_log_value *value)
{
    char *out = sh_arena_alloc(r->pattern->arena, strlen(r->at) + 1), *end = out;
    if (!out)
        return no_memory(r);
    for (r->at++; *r->at && *r->at != '"'; r->at++) {
        if (r->at[0] == '\\' && (r->at[1] == '"' || r->at[1] == '\\'))
            r->at++;
        *end++ = *r->at;
    }
    if (!*r->at)
        return bad(r, "a text has no \" at its end");
    *end = '\0';
    r->at++;
    value->text = out;
    return 0;
}

static int read_bare(reader *r, const char *stops, sh_log_value *value)
{
    const char *begin = r->at;
    while (*r->at && !isspace((unsigned char)*r->at) && !strchr(stops, *r->at))
        r->at++;
    if (r->at == begin)
        return bad(r, "a value is missing");
    value->text = sh_arena_strndup(r->pattern->arena, begin, (size_t)(r->at - begin));
    if (!value->text)
        return no_memory(r);
    char *end;
    value->number = strtod(value->text, &end);
    value->is_number = *end == '\0' && (isdigit((unsigned char)end[-1]) || end[-1] == '.');
    return 0;
}

static int read_value(reader *r, const char *stops, sh_log_value *value)
{
    skip_space(r);
    if (*r->at == '"')
        return read_quoted(r, value);
    if (*r->at == '%')
        return read_regex(r, value);
    return read_bare(r, stops, value);
}

/* ---- conditions ---- */

static sh_log_node *new_node(reader *r, sh_log_op op)
{
    sh_log_node *node = sh_arena_alloc(r->pattern->arena, sizeof(*node));
    if (node)
        *node = (sh_log_node){.op = op};
    return node;
}

static int read_steps(reader *r, const sh_log_step **out)
{
    sh_log_step *first = NULL, **next = &first;
    while (*r->at == '.' || *r->at == '[') {
        sh_log_step *step = sh_arena_alloc(r->pattern->arena, sizeof(*step));
        sh_log_value name = {0};
        if (!step)
            return no_memory(r);
        *step = (sh_log_step){0};
        bool bracket = *r->at++ == '[';
        char quote = *r->at;
        if (quote == '*') {
            step->all = true;
            r->at++;
        } else if (bracket && (quote == '"' || quote == '\'')) {
            const char *end = strchr(r->at + 1, quote);
            if (!end)
                return bad(r, "a name has no quote at its end");
            step->name = sh_arena_strndup(r->pattern->arena, r->at + 1, (size_t)(end - r->at - 1));
            r->at = end + 1;
        } else if (bracket && isdigit((unsigned char)quote)) {
            char *end;
            step->index = strtoul(r->at, &end, 10);
            r->at = end;
        } else if (!bracket && read_bare(r, ".[]()=!<>{}&|,", &name) == 0) {
            step->name = name.text;
        } else {
            return bad(r, "a selector has an empty step");
        }
        if (bracket && *r->at++ != ']')
            return bad(r, "a step of a selector has no ]");
        *next = step;
        next = &step->next;
    }
    *out = first;
    return 0;
}

static int read_comparison(reader *r, const char *stops, sh_log_node *node)
{
    static const struct {
        const char *text;
        sh_log_op op;
    } rows[] = {{"!=", SH_LOG_UNEQUAL}, {"<=", SH_LOG_LESS_EQUAL}, {">=", SH_LOG_GREATER_EQUAL},
                {"=", SH_LOG_EQUAL},    {"<", SH_LOG_LESS},        {">", SH_LOG_GREATER}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (!take(r, rows[i].text))
            continue;
        node->op = rows[i].op;
        int status = read_value(r, stops, &node->value);
        bool order = node->op >= SH_LOG_LESS && node->op <= SH_LOG_GREATER_EQUAL;
        if (status == 0 && order && !node->value.is_number)
            return bad(r, "only numbers can be ordered");
        return status;
    }
    return bad(r, "a comparison is missing");
}

static int read_state(reader *r, sh_log_node *node)
{
    if (take_word(r, "IS")) {
        node->op = take_word(r, "NULL")    ? SH_LOG_IS_NULL
                   : take_word(r, "TRUE")  ? SH_LOG_IS_TRUE
                   : take_word(r, "FALSE") ? SH_LOG_IS_FALSE
                                           : SH_LOG_ANY;
        return node->op == SH_LOG_ANY ? bad(r, "IS is followed by NULL, TRUE or FALSE") : 0;
    }
    if (take_word(r, "NOT")) {
        node->op = SH_LOG_NOT_EXISTS;
        return take_word(r, "EXISTS") ? 0 : bad(r, "NOT is followed by EXISTS");
    }
    return read_comparison(r, " )&|}", node);
}

static int read_selector(reader *r, sh_log_node **out)
{
    sh_log_node *node = new_node(r, SH_LOG_ANY);
    skip_space(r);
    const char *begin = r->at;
    if (!node)
        return no_memory(r);
    if (*r->at++ != '$')
        return r->at--, bad(r, "a selector begins with $");
    int status = read_steps(r, &node->steps);
    if (status < 0)
        return status;
    node->subject = sh_arena_strndup(r->pattern->arena, begin, (size_t)(r->at - begin));
    *out = node;
    return node->subject ? read_state(r, node) : no_memory(r);
}

/* name = value: the name is that of the column, or another, as AWS takes it. */
static int read_column_condition(reader *r, sh_log_node **out)
{
    sh_log_node *node = new_node(r, SH_LOG_ANY);
    sh_log_value name = {.text = ""};
    skip_space(r);
    if (!node)
        return no_memory(r);
    int status = strchr("=!<>", *r->at) ? 0 : read_bare(r, "=!<>,])&|", &name);
    if (status < 0)
        return status;
    node->subject = name.text;
    *out = node;
    skip_space(r);
    return strchr("=!<>", *r->at) && *r->at ? read_comparison(r, " ,])&|", node) : 0;
}

typedef int (*unit_fn)(reader *r, sh_log_node **out);

static int read_any(reader *r, unit_fn unit, sh_log_node **out);

static int read_unit(reader *r, unit_fn unit, sh_log_node **out)
{
    if (!take(r, "("))
        return unit(r, out);
    if (++r->depth > DEPTH_MAX)
        return bad(r, "too many parentheses");
    int status = read_any(r, unit, out);
    r->depth--;
    return status == 0 && !take(r, ")") ? bad(r, "a ) is missing") : status;
}

static int join(reader *r, sh_log_op op, sh_log_node **left, sh_log_node *right)
{
    sh_log_node *node = new_node(r, op);
    if (!node)
        return no_memory(r);
    node->left = *left;
    node->right = right;
    node->subject = (*left)->subject;
    *left = node;
    return 0;
}

static int read_all(reader *r, unit_fn unit, sh_log_node **out)
{
    sh_log_node *right;
    int status = read_unit(r, unit, out);
    while (status == 0 && take(r, "&&")) {
        status = read_unit(r, unit, &right);
        if (status == 0)
            status = join(r, SH_LOG_AND, out, right);
    }
    return status;
}

static int read_any(reader *r, unit_fn unit, sh_log_node **out)
{
    sh_log_node *right;
    int status = read_all(r, unit, out);
    while (status == 0 && take(r, "||")) {
        status = read_all(r, unit, &right);
        if (status == 0)
            status = join(r, SH_LOG_OR, out, right);
    }
    return status;
}

/* ---- the three kinds ---- */

static int read_json(reader *r)
{
    r->pattern->kind = SH_LOG_JSON;
    int status = read_any(r, read_selector, &r->pattern->json);
    if (status == 0 && !take(r, "}"))
        status = bad(r, "a } is missing");
    return status;
}

static int read_column(reader *r, sh_log_column *column)
{
    if (take(r, "...")) {
        column->name = "...";
        return 0;
    }
    skip_space(r);
    if (*r->at == ',' || *r->at == ']') {
        column->name = "";
        return 0;
    }
    int status = read_any(r, read_column_condition, &column->condition);
    column->name = status == 0 ? column->condition->subject : "";
    return status;
}

static int read_columns(reader *r)
{
    sh_log_column **next = &r->pattern->columns;
    int status = 0, dots = 0;
    r->pattern->kind = SH_LOG_COLUMNS;
    do {
        sh_log_column *column = sh_arena_alloc(r->pattern->arena, sizeof(*column));
        if (!column)
            return no_memory(r);
        *column = (sh_log_column){0};
        status = read_column(r, column);
        if (status == 0 && strcmp(column->name, "...") == 0 && ++dots > 1)
            status = bad(r, "there may be one ...");
        *next = column;
        next = &column->next;
    } while (status == 0 && take(r, ","));
    if (status == 0 && !take(r, "]"))
        status = bad(r, "a ] is missing");
    return status;
}

static int read_terms(reader *r)
{
    sh_log_term **next = &r->pattern->terms;
    int status = 0;
    r->pattern->kind = SH_LOG_TERMS;
    for (skip_space(r); status == 0 && *r->at; skip_space(r)) {
        sh_log_term *term = sh_arena_alloc(r->pattern->arena, sizeof(*term));
        if (!term)
            return no_memory(r);
        *term = (sh_log_term){.kind = '+'};
        if (*r->at == '?' || *r->at == '-')
            term->kind = *r->at++;
        status = read_value(r, "", &term->value);
        *next = term;
        next = &term->next;
    }
    return status;
}

int sh_log_pattern_parse(sh_log_pattern **out, const char *text, sh_err *err)
{
    sh_log_pattern *pattern = calloc(1, sizeof(*pattern));
    reader r = {.pattern = pattern, .text = text, .at = text, .err = err};
    if (!pattern || !(pattern->arena = sh_arena_new(ARENA_MAX))) {
        free(pattern);
        return sh_fail(err, SH_E_MEMORY, "no memory for a filter pattern");
    }
    int status = strlen(text) > 4 * SH_LOG_PATTERN_MAX ? bad(&r, "it is too long")
                 : take(&r, "{")                       ? read_json(&r)
                 : take(&r, "[")                       ? read_columns(&r)
                                                       : read_terms(&r);
    skip_space(&r);
    if (status == 0 && *r.at)
        status = bad(&r, "there is more than a pattern");
    if (status < 0) {
        sh_log_pattern_free(pattern);
        return status;
    }
    *out = pattern;
    return 0;
}

void sh_log_pattern_free(sh_log_pattern *pattern)
{
    if (!pattern)
        return;
    for (sh_log_regex *regex = pattern->regexes, *next; regex; regex = next) {
        next = regex->next;
        regfree(&regex->regex);
        free(regex);
    }
    sh_arena_free(pattern->arena);
    free(pattern);
}
