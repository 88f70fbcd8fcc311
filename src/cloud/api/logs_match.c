/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Applies filter patterns to messages. */
#include "cloud/api/logs_pattern.h"
#include "cloud/policy/policy.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- values ---- */

static bool equals(const sh_log_value *wanted, const char *text)
{
    if (wanted->regex)
        return regexec(wanted->regex, text, 0, NULL, 0) == 0;
    char *end;
    double number = strtod(text, &end);
    if (wanted->is_number && *text && *end == '\0')
        return number == wanted->number;
    return sh_policy_glob(wanted->text, text, false);
}

static bool compare(const sh_log_node *node, const char *text)
{
    char *end;
    double number = strtod(text, &end), wanted = node->value.number;
    bool is_number = *text && *end == '\0';
    switch (node->op) {
    case SH_LOG_EQUAL:
        return equals(&node->value, text);
    case SH_LOG_UNEQUAL:
        return !equals(&node->value, text);
    case SH_LOG_LESS:
        return is_number && number < wanted;
    case SH_LOG_LESS_EQUAL:
        return is_number && number <= wanted;
    case SH_LOG_GREATER:
        return is_number && number > wanted;
    case SH_LOG_GREATER_EQUAL:
        return is_number && number >= wanted;
    default:
        return node->op == SH_LOG_ANY;
    }
}

/* ---- JSON ---- */

/* The text of a scalar, in a place of its own when it is a number. */
static const char *scalar_text(const json_t *value, char number[40])
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_integer(value))
        snprintf(number, 40, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        snprintf(number, 40, "%.17g", json_real_value(value));
    else if (json_is_boolean(value))
        return json_is_true(value) ? "true" : "false";
    else
        return NULL;
    return number;
}

static bool holds_for(const sh_log_node *node, const json_t *value)
{
    char number[40];
    switch (node->op) {
    case SH_LOG_IS_NULL:
        return json_is_null(value);
    case SH_LOG_IS_TRUE:
        return json_is_true(value);
    case SH_LOG_IS_FALSE:
        return json_is_false(value);
    default: {
        const char *text = scalar_text(value, number);
        return text && compare(node, text);
    }
    }
}

typedef bool (*value_fn)(void *opaque, const json_t *value); /* true ends */

/* Calls fn for what the steps lead to, until it says true. */
static bool each_value(const json_t *value, const sh_log_step *step, value_fn fn, void *opaque)
{
    const char *name;
    size_t index;
    json_t *inner;
    if (!step)
        return fn(opaque, value);
    if (step->name)
        inner = json_object_get(value, step->name);
    else if (!step->all)
        inner = json_array_get(value, step->index);
    else
        inner = NULL;
    if (inner)
        return each_value(inner, step->next, fn, opaque);
    if (!step->all)
        return false;
    json_array_foreach(value, index, inner)
    {
        if (each_value(inner, step->next, fn, opaque))
            return true;
    }
    json_object_foreach((json_t *)value, name, inner)
    {
        if (each_value(inner, step->next, fn, opaque))
            return true;
    }
    return false;
}

static bool test_value(void *opaque, const json_t *value)
{
    return holds_for(opaque, value);
}

static bool is_there(void *opaque, const json_t *value)
{
    (void)opaque;
    return value != NULL;
}

static bool json_holds(const sh_log_node *node, const json_t *message)
{
    switch (node->op) {
    case SH_LOG_AND:
        return json_holds(node->left, message) && json_holds(node->right, message);
    case SH_LOG_OR:
        return json_holds(node->left, message) || json_holds(node->right, message);
    case SH_LOG_NOT_EXISTS:
        return !each_value(message, node->steps, is_there, NULL);
    default:
        return each_value(message, node->steps, test_value, (void *)node);
    }
}

static json_t *load(const char *message)
{
    while (isspace((unsigned char)*message))
        message++;
    return *message == '{' || *message == '[' ? json_loads(message, 0, NULL) : NULL;
}

static bool match_json(const sh_log_pattern *pattern, const char *text)
{
    json_t *message = load(text);
    bool matches = message && json_holds(pattern->json, message);
    json_decref(message);
    return matches;
}

/* ---- columns ---- */

/* The next word in place: what stands in quotes or brackets is one. NULL: there is none. */
static char *next_word(char **at)
{
    char *begin = *at + strspn(*at, " \t\r\n");
    if (!*begin)
        return NULL;
    char close = *begin == '"' ? '"' : *begin == '[' ? ']' : '\0';
    char *end = close ? strchr(begin + 1, close) : NULL;
    if (end)
        begin++;
    else
        end = begin + strcspn(begin, " \t\r\n");
    *at = *end ? end + 1 : end;
    *end = '\0';
    return begin;
}

typedef struct words {
    char *text;
    char **list;
    size_t count;
} words;

static bool split(words *w, const char *message)
{
    size_t length = strlen(message);
    w->count = 0;
    w->text = strdup(message);
    w->list = calloc(length / 2 + 2, sizeof(*w->list));
    if (!w->text || !w->list)
        return false;
    for (char *at = w->text, *word; (word = next_word(&at));)
        w->list[w->count++] = word;
    return true;
}

static void end_words(words *w)
{
    free(w->text);
    free(w->list);
}

static bool column_holds(const sh_log_node *node, const char *word)
{
    if (!node)
        return true;
    if (node->op == SH_LOG_AND)
        return column_holds(node->left, word) && column_holds(node->right, word);
    if (node->op == SH_LOG_OR)
        return column_holds(node->left, word) || column_holds(node->right, word);
    return compare(node, word);
}

static size_t count_columns(const sh_log_column *column, bool *dots)
{
    size_t count = 0;
    *dots = false;
    for (; column; column = column->next) {
        bool is_dots = strcmp(column->name, "...") == 0;
        *dots = *dots || is_dots;
        count += !is_dots;
    }
    return count;
}

/* Calls fn with each column and its word; false: the message has other columns, or fn said so. */
typedef bool (*column_fn)(void *opaque, const sh_log_column *column, const char *word);

static bool each_column(const sh_log_pattern *pattern, const words *w, column_fn fn, void *opaque)
{
    bool dots;
    size_t columns = count_columns(pattern->columns, &dots), at = 0;
    if (dots ? w->count < columns : w->count != columns)
        return false;
    for (const sh_log_column *column = pattern->columns; column; column = column->next) {
        if (strcmp(column->name, "...") == 0)
            at += w->count - columns;
        else if (!fn(opaque, column, w->list[at++]))
            return false;
    }
    return true;
}

static bool test_column(void *opaque, const sh_log_column *column, const char *word)
{
    (void)opaque;
    return column_holds(column->condition, word);
}

static bool match_columns(const sh_log_pattern *pattern, const char *message)
{
    words w;
    bool matches = split(&w, message) && each_column(pattern, &w, test_column, NULL);
    end_words(&w);
    return matches;
}

/* ---- terms ---- */

static bool has_term(const sh_log_value *value, const char *message)
{
    return value->regex ? regexec(value->regex, message, 0, NULL, 0) == 0
                        : strstr(message, value->text) != NULL;
}

/* Terms with ? count only where there are no others, as on AWS. */
static bool match_terms(const sh_log_pattern *pattern, const char *message)
{
    bool others = false, one = false, any = false;
    for (const sh_log_term *term = pattern->terms; term; term = term->next) {
        bool found = has_term(&term->value, message);
        if (term->kind == '?') {
            any = true;
            one = one || found;
            continue;
        }
        others = true;
        if (found != (term->kind == '+'))
            return false;
    }
    return others || !any || one;
}

bool sh_log_pattern_matches(const sh_log_pattern *pattern, const char *message)
{
    switch (pattern->kind) {
    case SH_LOG_JSON:
        return match_json(pattern, message);
    case SH_LOG_COLUMNS:
        return match_columns(pattern, message);
    default:
        return match_terms(pattern, message);
    }
}

/* ---- what a message has ---- */

typedef struct taking {
    json_t *out;
    const char *name;
} taking;

static bool take_value(void *opaque, const json_t *value)
{
    taking *t = opaque;
    char number[40];
    const char *text = scalar_text(value, number);
    json_object_set_new(t->out, t->name, text ? json_string(text) : json_string(""));
    return true;
}

static void take_json(const sh_log_node *node, const json_t *message, json_t *out)
{
    if (node->op == SH_LOG_AND || node->op == SH_LOG_OR) {
        take_json(node->left, message, out);
        take_json(node->right, message, out);
        return;
    }
    taking t = {out, node->subject};
    each_value(message, node->steps, take_value, &t);
}

static bool take_column(void *opaque, const sh_log_column *column, const char *word)
{
    char name[SH_LOG_PATTERN_MAX + 16];
    json_t *out = opaque;
    if (*column->name)
        snprintf(name, sizeof(name), "$%s", column->name);
    else
        snprintf(name, sizeof(name), "$%zu", json_object_size(out) + 1);
    json_object_set_new(out, name, json_string(word));
    return true;
}

json_t *sh_log_pattern_extract(const sh_log_pattern *pattern, const char *text)
{
    json_t *out = json_object();
    if (pattern->kind == SH_LOG_JSON) {
        json_t *message = load(text);
        take_json(pattern->json, message, out);
        json_decref(message);
    } else if (pattern->kind == SH_LOG_COLUMNS) {
        words w;
        if (split(&w, text))
            each_column(pattern, &w, take_column, out);
        end_words(&w);
    }
    return out;
}
