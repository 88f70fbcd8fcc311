/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns. A pattern has the shape of the events it matches: its objects go down into the event, all members
 * must match; its lists stand at the leaves and name the values that match, one is enough:
 *
 *   {"source": ["aws.s3"], "detail": {"object": {"key": [{"prefix": "in/"}, {"wildcard": "*.mp4"}]}}}
 *
 * "$or" holds a list of patterns for the same object, one of which must match. Where the event has a list,
 * one of its elements is enough. A leaf operator is a row of `operators`. */
#include "base/size.h"
#include "cloud/api/events.h"
#include "cloud/flow/flow.h"

#include <string.h>
#include <strings.h>

#define DEPTH_MAX 100
#define TEXT_MAX 4096 /* of a pattern, as AWS has it */

typedef struct operator_row {
    const char *name;
    int (*check)(const json_t *argument, sh_err *err);
    bool (*match)(const json_t *argument, const json_t *value); /* value: a scalar of the event */
} operator_row;

/* ---- text ---- */

static bool equal_fold(const char *a, const char *b, size_t length)
{
    return strncasecmp(a, b, length) == 0;
}

/* The text that prefix and suffix hold, plain or as {"equals-ignore-case": text}. */
static const char *fold_text(const json_t *argument, bool *fold)
{
    const json_t *inner = json_object_get(argument, "equals-ignore-case");
    *fold = inner != NULL;
    return json_string_value(inner ? inner : argument);
}

static bool match_prefix(const json_t *argument, const json_t *value)
{
    bool fold;
    const char *wanted = fold_text(argument, &fold), *text = json_string_value(value);
    if (!text || strlen(text) < strlen(wanted))
        return false;
    return fold ? equal_fold(text, wanted, strlen(wanted)) : strncmp(text, wanted, strlen(wanted)) == 0;
}

static bool match_suffix(const json_t *argument, const json_t *value)
{
    bool fold;
    const char *wanted = fold_text(argument, &fold), *text = json_string_value(value);
    if (!text || strlen(text) < strlen(wanted))
        return false;
    text += strlen(text) - strlen(wanted);
    return fold ? equal_fold(text, wanted, strlen(wanted) + 1) : strcmp(text, wanted) == 0;
}

static bool match_fold(const json_t *argument, const json_t *value)
{
    const char *text = json_string_value(value);
    return text && strcasecmp(text, json_string_value(argument)) == 0;
}

/* `*` stands for any text; `\*` and `\\` for themselves. A star that fails later is tried one byte further:
 * only the last one ever needs that. */
static bool wildcard(const char *pattern, const char *text)
{
    const char *star = NULL, *from = NULL;
    while (*text) {
        const char *literal = pattern + (pattern[0] == '\\' && pattern[1]);
        if (*pattern == '*') {
            star = ++pattern;
            from = text;
        } else if (*pattern && *literal == *text) {
            pattern = literal + 1;
            text++;
        } else if (star) {
            pattern = star;
            text = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

static bool match_wildcard(const json_t *argument, const json_t *value)
{
    const char *text = json_string_value(value);
    return text && wildcard(json_string_value(argument), text);
}

static int check_text(const json_t *argument, sh_err *err)
{
    if (json_is_string(argument))
        return 0;
    return sh_fail(err, SH_E_FORMAT, "a string is expected");
}

static int check_fold_text(const json_t *argument, sh_err *err)
{
    bool fold;
    if (fold_text(argument, &fold) && (!fold || json_object_size(argument) == 1))
        return 0;
    return sh_fail(err, SH_E_FORMAT, "prefix/suffix match pattern must be a string");
}

static int check_wildcard(const json_t *argument, sh_err *err)
{
    const char *text = json_string_value(argument);
    if (!text)
        return sh_fail(err, SH_E_FORMAT, "wildcard match pattern must be a string");
    for (; *text; text++) {
        if (text[0] == '*' && text[1] == '*')
            return sh_fail(err, SH_E_FORMAT, "consecutive wildcard characters");
        if (text[0] == '\\' && *++text != '*' && *text != '\\')
            return sh_fail(err, SH_E_FORMAT, "invalid escape character in a wildcard");
    }
    return 0;
}

/* ---- numbers ---- */

static int compare_index(const char *op)
{
    static const char *const ops[] = {"=", "<", "<=", ">", ">="};
    for (int i = 0; op && i < (int)SH_COUNT(ops); i++) {
        if (strcmp(op, ops[i]) == 0)
            return i;
    }
    return -1;
}

static bool compare(int op, double a, double b)
{
    switch (op) {
    case 0:
        return a == b;
    case 1:
        return a < b;
    case 2:
        return a <= b;
    case 3:
        return a > b;
    default:
        return a >= b;
    }
}

static int check_numeric(const json_t *argument, sh_err *err)
{
    size_t size = json_array_size(argument);
    if (size == 0 || size % 2 || size > 4)
        return sh_fail(err, SH_E_FORMAT,
                       "numeric match is a list of one or two comparisons, such as [\">\", 0]");
    for (size_t i = 0; i < size; i += 2) {
        const json_t *number = json_array_get(argument, i + 1);
        if (compare_index(json_string_value(json_array_get(argument, i))) < 0)
            return sh_fail(err, SH_E_FORMAT, "unrecognized numeric range operator: =, <, <=, > and >= exist");
        if (!json_is_number(number) || json_number_value(number) > 5e9 || json_number_value(number) < -5e9)
            return sh_fail(err, SH_E_FORMAT, "value of a numeric match must be a number within 5e9 of zero");
    }
    return 0;
}

static bool match_numeric(const json_t *argument, const json_t *value)
{
    if (!json_is_number(value))
        return false;
    for (size_t i = 0; i < json_array_size(argument); i += 2) {
        if (!compare(compare_index(json_string_value(json_array_get(argument, i))), json_number_value(value),
                     json_number_value(json_array_get(argument, i + 1))))
            return false;
    }
    return true;
}

/* ---- existence, negation ---- */

static int check_exists(const json_t *argument, sh_err *err)
{
    return json_is_boolean(argument)
               ? 0
               : sh_fail(err, SH_E_FORMAT, "exists match pattern must be true or false");
}

/* Only asked for values that exist. */
static bool match_exists(const json_t *argument, const json_t *value)
{
    return json_is_true(argument);
}

static bool equal_scalar(const json_t *a, const json_t *b)
{
    if (json_is_number(a) && json_is_number(b))
        return json_number_value(a) == json_number_value(b);
    return json_equal(a, b);
}

static int check_anything_but(const json_t *argument, sh_err *err);
static bool match_anything_but(const json_t *argument, const json_t *value);

static const operator_row operators[] = {
    {"prefix", check_fold_text, match_prefix},
    {"suffix", check_fold_text, match_suffix},
    {"equals-ignore-case", check_text, match_fold},
    {"wildcard", check_wildcard, match_wildcard},
    {"numeric", check_numeric, match_numeric},
    {"exists", check_exists, match_exists},
    {"anything-but", check_anything_but, match_anything_but},
};

static const operator_row *find_operator(const json_t *object, const json_t **argument)
{
    const char *name = json_object_iter_key(json_object_iter((json_t *)object));
    for (size_t i = 0; name && i < SH_COUNT(operators); i++) {
        if (strcmp(name, operators[i].name) == 0) {
            *argument = json_object_get(object, name);
            return &operators[i];
        }
    }
    return NULL;
}

static bool allowed_in_negation(const operator_row *row)
{
    return row->check == check_fold_text || row->match == match_fold || row->match == match_wildcard;
}

static int check_each(const json_t *list, int (*check)(const json_t *, sh_err *), sh_err *err)
{
    size_t index;
    const json_t *item;
    int status = 0;
    json_array_foreach(list, index, item)
    {
        status = check(item, err);
        if (status < 0)
            break;
    }
    return status;
}

static int check_plain(const json_t *value, sh_err *err)
{
    if (json_is_string(value) || json_is_number(value))
        return 0;
    return sh_fail(err, SH_E_FORMAT, "anything-but takes strings or numbers");
}

static int check_anything_but(const json_t *argument, sh_err *err)
{
    const json_t *inner;
    if (!json_is_object(argument)) {
        if (json_is_array(argument) && json_array_size(argument) == 0)
            return sh_fail(err, SH_E_FORMAT, "empty anything-but list");
        return json_is_array(argument) ? check_each(argument, check_plain, err) : check_plain(argument, err);
    }
    const operator_row *row = find_operator(argument, &inner);
    if (!row || json_object_size(argument) != 1 || !allowed_in_negation(row))
        return sh_fail(
            err, SH_E_FORMAT,
            "unsupported anything-but pattern: prefix, suffix, equals-ignore-case and wildcard exist");
    return json_is_array(inner) ? check_each(inner, row->check, err) : row->check(inner, err);
}

static bool match_any(const json_t *one_or_list, const json_t *value,
                      bool (*match)(const json_t *, const json_t *))
{
    size_t index;
    const json_t *item;
    if (!json_is_array(one_or_list))
        return match(one_or_list, value);
    json_array_foreach(one_or_list, index, item)
    {
        if (match(item, value))
            return true;
    }
    return false;
}

static bool match_anything_but(const json_t *argument, const json_t *value)
{
    const json_t *inner;
    const operator_row *row = json_is_object(argument) ? find_operator(argument, &inner) : NULL;
    if (row)
        return !match_any(inner, value, row->match);
    return !match_any(argument, value, equal_scalar);
}

/* ---- leaves ---- */

static bool match_choice(const json_t *choice, const json_t *value)
{
    const json_t *argument;
    const operator_row *row = json_is_object(choice) ? find_operator(choice, &argument) : NULL;
    return row ? row->match(argument, value) : equal_scalar(choice, value);
}

static bool match_value(const json_t *choice, const json_t *value)
{
    size_t index;
    const json_t *item;
    if (json_is_object(value))
        return false;
    if (!json_is_array(value))
        return match_choice(choice, value);
    json_array_foreach(value, index, item)
    {
        if (match_value(choice, item))
            return true;
    }
    return false;
}

static bool is_absent(const json_t *value)
{
    return !value || (json_is_array(value) && json_array_size(value) == 0);
}

static bool match_leaf(const json_t *choices, const json_t *value)
{
    size_t index;
    const json_t *choice;
    json_array_foreach(choices, index, choice)
    {
        if (is_absent(value) ? json_is_false(json_object_get(choice, "exists")) : match_value(choice, value))
            return true;
    }
    return false;
}

static int check_leaf(const json_t *choices, sh_err *err)
{
    size_t index;
    const json_t *choice, *argument;
    if (json_array_size(choices) == 0)
        return sh_fail(err, SH_E_FORMAT, "empty arrays are not allowed");
    json_array_foreach(choices, index, choice)
    {
        if (json_is_array(choice))
            return sh_fail(err, SH_E_FORMAT,
                           "a match value must be a string, number, true, false, null or object");
        if (!json_is_object(choice))
            continue;
        const operator_row *row = find_operator(choice, &argument);
        if (!row || json_object_size(choice) != 1)
            return sh_fail(err, SH_E_FORMAT, "unrecognized match type %s",
                           row ? "beside another" : json_object_iter_key(json_object_iter((json_t *)choice)));
        int status = row->check(argument, err);
        if (status < 0)
            return status;
    }
    return 0;
}

/* ---- objects ---- */

static bool match_object(const json_t *pattern, const json_t *event);

static bool match_or(const json_t *alternatives, const json_t *event)
{
    size_t index;
    const json_t *alternative;
    json_array_foreach(alternatives, index, alternative)
    {
        if (match_object(alternative, event))
            return true;
    }
    return false;
}

static bool match_below(const json_t *pattern, const json_t *value)
{
    size_t index;
    const json_t *item;
    if (!json_is_array(value))
        return match_object(pattern, json_is_object(value) ? value : NULL);
    json_array_foreach(value, index, item)
    {
        if (json_is_object(item) && match_object(pattern, item))
            return true;
    }
    return false;
}

static bool match_object(const json_t *pattern, const json_t *event)
{
    const char *name;
    json_t *wanted;
    json_object_foreach((json_t *)pattern, name, wanted)
    {
        const json_t *value = json_object_get(event, name);
        bool matches;
        if (strcmp(name, "$or") == 0)
            matches = match_or(wanted, event);
        else
            matches = json_is_object(wanted) ? match_below(wanted, value) : match_leaf(wanted, value);
        if (!matches)
            return false;
    }
    return true;
}

bool sh_pattern_match(const json_t *pattern, const json_t *event)
{
    return match_object(pattern, event);
}

static int check_object(const json_t *pattern, int depth, sh_err *err);

static int check_or(const json_t *alternatives, int depth, sh_err *err)
{
    size_t index;
    const json_t *alternative;
    int status = 0;
    if (json_array_size(alternatives) < 2)
        return sh_fail(err, SH_E_FORMAT, "$or must be a list of at least two patterns");
    json_array_foreach(alternatives, index, alternative)
    {
        status = check_object(alternative, depth + 1, err);
        if (status < 0)
            break;
    }
    return status;
}

static int check_object(const json_t *pattern, int depth, sh_err *err)
{
    const char *name;
    json_t *wanted;
    int status = 0;
    if (!json_is_object(pattern) || json_object_size(pattern) == 0)
        return sh_fail(err, SH_E_FORMAT, "filter is not an object, or an empty one");
    if (depth > DEPTH_MAX)
        return sh_fail(err, SH_E_FORMAT, "nested deeper than %d", DEPTH_MAX);
    json_object_foreach((json_t *)pattern, name, wanted)
    {
        if (strcmp(name, "$or") == 0)
            status = check_or(wanted, depth, err);
        else if (json_is_object(wanted))
            status = check_object(wanted, depth + 1, err);
        else if (json_is_array(wanted))
            status = check_leaf(wanted, err);
        else
            status = sh_fail(err, SH_E_FORMAT, "must be an object or an array");
        if (status < 0)
            return sh_err_prefix(err, "\"%s\"", name);
    }
    return 0;
}

int sh_pattern_load(json_t **out, const char *text, sh_err *err)
{
    json_t *pattern = NULL;
    if (strlen(text) > TEXT_MAX)
        return sh_fail(err, SH_E_LIMIT, "longer than %d bytes", TEXT_MAX);
    int status = sh_flow_load(&pattern, text, strlen(text), err);
    if (status == 0)
        status = check_object(pattern, 0, err);
    if (status < 0) {
        json_decref(pattern);
        return status;
    }
    *out = pattern;
    return 0;
}
