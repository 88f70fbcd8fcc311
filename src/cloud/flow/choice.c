/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Choice rules: a tree of And/Or/Not over comparisons. A comparison is false when the value is of another
 * type than the operator's; a Variable that names nothing is an error, except for IsPresent. */
#include "cloud/flow/choice.h"
#include "base/clock.h"
#include "cloud/flow/reader.h"
#include <stdio.h>
#include <string.h>

enum { MAX_RULE_DEPTH = 64 };

typedef enum family_kind { OF_STRING, OF_NUMBER, OF_TIME, OF_BOOLEAN, OF_PATTERN, OF_TYPE } family_kind;
typedef enum relation_kind { EQUAL, LESS, GREATER, LESS_EQUAL, GREATER_EQUAL } relation_kind;
typedef enum type_kind { IS_NULL, IS_PRESENT, IS_NUMERIC, IS_STRING, IS_BOOLEAN, IS_TIMESTAMP } type_kind;

typedef struct operator_row {
    const char *name;
    family_kind family;
    int detail; /* relation, or kind */
} operator_row;

/* Each also exists as "<name>Path", except those of OF_PATTERN and OF_TYPE. */
static const operator_row operators[] = {
    {"StringEquals", OF_STRING, EQUAL},
    {"StringLessThan", OF_STRING, LESS},
    {"StringGreaterThan", OF_STRING, GREATER},
    {"StringLessThanEquals", OF_STRING, LESS_EQUAL},
    {"StringGreaterThanEquals", OF_STRING, GREATER_EQUAL},
    {"NumericEquals", OF_NUMBER, EQUAL},
    {"NumericLessThan", OF_NUMBER, LESS},
    {"NumericGreaterThan", OF_NUMBER, GREATER},
    {"NumericLessThanEquals", OF_NUMBER, LESS_EQUAL},
    {"NumericGreaterThanEquals", OF_NUMBER, GREATER_EQUAL},
    {"TimestampEquals", OF_TIME, EQUAL},
    {"TimestampLessThan", OF_TIME, LESS},
    {"TimestampGreaterThan", OF_TIME, GREATER},
    {"TimestampLessThanEquals", OF_TIME, LESS_EQUAL},
    {"TimestampGreaterThanEquals", OF_TIME, GREATER_EQUAL},
    {"BooleanEquals", OF_BOOLEAN, EQUAL},
    {"StringMatches", OF_PATTERN, 0},
    {"IsNull", OF_TYPE, IS_NULL},
    {"IsPresent", OF_TYPE, IS_PRESENT},
    {"IsNumeric", OF_TYPE, IS_NUMERIC},
    {"IsString", OF_TYPE, IS_STRING},
    {"IsBoolean", OF_TYPE, IS_BOOLEAN},
    {"IsTimestamp", OF_TYPE, IS_TIMESTAMP},
};

typedef enum joint_kind { COMPARE, AND, OR, NOT } joint_kind;

struct sh_rule {
    joint_kind joint;
    const sh_rule **rules; /* AND, OR, NOT */
    size_t count;
    const operator_row *operator; /* COMPARE */
    const sh_path *variable, *path;
    json_t *operand; /* or path */
};

/* ---- reading ---- */

static const operator_row *find_operator(const char *name, bool *by_path)
{
    for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++) {
        size_t length = strlen(operators[i].name);

        if (strncmp(operators[i].name, name, length))
            continue;
        *by_path = !strcmp(name + length, "Path") && operators[i].family < OF_PATTERN;
        if (!name[length] || *by_path)
            return &operators[i];
    }
    return NULL;
}

static void read_operand(sh_reader *r, sh_rule *rule, json_t *value, bool by_path)
{
    const char *text;
    double number;
    int64_t ms;
    bool flag;

    rule->operand = value;
    if (by_path) {
        rule->operand = NULL;
        sh_read_path(r, value, &rule->path);
        return;
    }
    switch (rule->operator->family) {
    case OF_STRING:
    case OF_PATTERN:
        sh_read_string(r, value, &text);
        break;
    case OF_NUMBER:
        sh_read_number(r, value, -1e308 * 10, 1e308 * 10, &number);
        break;
    case OF_TIME:
        sh_read_time(r, value, &ms);
        break;
    case OF_BOOLEAN:
    case OF_TYPE:
        sh_read_bool(r, value, &flag);
    }
}

static void read_joint(sh_reader *r, sh_rule *rule, joint_kind joint, const json_t *value, int depth)
{
    size_t count = joint == NOT ? 1 : json_array_size(value);

    rule->joint = joint;
    if (joint != NOT && (!json_is_array(value) || !count)) {
        sh_reader_problem(r, SH_SCHEMA, "Expected a non-empty array of rules");
        return;
    }
    rule->rules = sh_reader_alloc(r, count, sizeof(*rule->rules));
    for (; rule->rules && rule->count < count; rule->count++) {
        if (joint == NOT) {
            rule->rules[rule->count] = sh_rule_read(r, value, false, depth + 1);
            continue;
        }
        sh_reader_enter_index(r, rule->count);
        rule->rules[rule->count] = sh_rule_read(r, json_array_get(value, rule->count), false, depth + 1);
        sh_reader_leave(r);
    }
}

/* Returns whether the field says what the rule tests. */
static bool read_field(sh_reader *r, sh_rule *rule, const char *key, json_t *value, bool top, int depth)
{
    static const char *const joints[] = {[AND] = "And", [OR] = "Or", [NOT] = "Not"};
    const operator_row *found;
    const char *text;
    bool by_path = false;

    if (!strcmp(key, "Variable")) {
        sh_read_path(r, value, &rule->variable);
        return false;
    }
    if (!strcmp(key, "Comment") || (top && !strcmp(key, "Next"))) {
        sh_read_string(r, value, &text);
        return false;
    }
    for (joint_kind joint = AND; joint <= NOT; joint++)
        if (!strcmp(key, joints[joint])) {
            read_joint(r, rule, joint, value, depth);
            return true;
        }
    found = find_operator(key, &by_path);
    if (!found) {
        /* those of a whole rule are read by fields_lists.c */
        if (!top || (strcmp(key, "Assign") && strcmp(key, "Condition") && strcmp(key, "Output")))
            sh_reader_unsupported(r, key);
        return false;
    }
    rule->operator= found;
    read_operand(r, rule, value, by_path);
    return true;
}

bool sh_rule_field(const char *key)
{
    bool by_path;

    return find_operator(key, &by_path) || !strcmp(key, "And") || !strcmp(key, "Or") || !strcmp(key, "Not") ||
           !strcmp(key, "Variable");
}

const sh_rule *sh_rule_read(sh_reader *r, const json_t *value, bool top, int depth)
{
    sh_rule *rule = sh_reader_alloc(r, 1, sizeof(*rule));
    size_t errors = r->errors;
    int tests = 0;
    const char *key;
    json_t *item;

    if (!rule)
        return NULL;
    if (!json_is_object(value) || depth > MAX_RULE_DEPTH) {
        sh_reader_problem(r, SH_SCHEMA,
                          depth > MAX_RULE_DEPTH ? "Rules are nested too deeply"
                                                 : "Expected value of type Object");
        return NULL;
    }
    json_object_foreach((json_t *)value, key, item)
    {
        sh_reader_enter(r, key);
        tests += read_field(r, rule, key, item, top, depth);
        sh_reader_leave(r);
    }
    if (r->errors != errors)
        return NULL;
    if (tests != 1)
        sh_reader_problem(r, SH_SCHEMA,
                          tests ? "A rule must have one comparison only, or And, Or, Not"
                                : "A rule must have a comparison, And, Or, or Not");
    else if (rule->joint == COMPARE && !rule->variable)
        sh_read_require(r, value, "Variable");
    else if (rule->joint != COMPARE && rule->variable)
        sh_reader_problem(r, SH_SCHEMA, "'Variable' does not go together with And, Or, Not");
    return rule;
}

/* ---- evaluation ---- */

/* '*' stands for any run of characters, "\*" for itself, "\\" for a backslash. Greedy with one point to go
 * back to. */
static bool glob(const char *pattern, const char *text)
{
    const char *star = NULL, *resume = NULL;

    while (*text) {
        if (*pattern == '*') {
            star = ++pattern;
            resume = text;
            continue;
        }
        const char *p = pattern;
        if (*p == '\\' && (p[1] == '*' || p[1] == '\\'))
            p++;
        if (*p == *text) {
            pattern = p + 1;
            text++;
        } else if (star) {
            pattern = star;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

static bool holds(relation_kind relation, int sign)
{
    switch (relation) {
    case EQUAL:
        return sign == 0;
    case LESS:
        return sign < 0;
    case GREATER:
        return sign > 0;
    case LESS_EQUAL:
        return sign <= 0;
    default:
        return sign >= 0;
    }
}

static bool numbers(relation_kind relation, const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b)) {
        json_int_t x = json_integer_value(a), y = json_integer_value(b);

        return holds(relation, x < y ? -1 : x > y);
    }
    double x = json_number_value(a), y = json_number_value(b);
    return holds(relation, x < y ? -1 : x > y);
}

static bool is_time(const json_t *value, int64_t *ms)
{
    return json_is_string(value) &&
           sh_time_parse_iso(json_string_value(value), json_string_length(value), ms);
}

static bool compare(const operator_row *o, const json_t *a, const json_t *b)
{
    int64_t x, y;

    switch (o->family) {
    case OF_STRING:
        return json_is_string(a) && json_is_string(b) &&
               holds((relation_kind)o->detail, strcmp(json_string_value(a), json_string_value(b)));
    case OF_PATTERN:
        return json_is_string(a) && glob(json_string_value(b), json_string_value(a));
    case OF_NUMBER:
        return json_is_number(a) && json_is_number(b) && numbers((relation_kind)o->detail, a, b);
    case OF_TIME:
        return is_time(a, &x) && is_time(b, &y) && holds((relation_kind)o->detail, x < y ? -1 : x > y);
    case OF_BOOLEAN:
        return json_is_boolean(a) && json_is_boolean(b) && json_is_true(a) == json_is_true(b);
    default:
        return false;
    }
}

static bool is_kind(type_kind kind, const json_t *value)
{
    int64_t ms;

    switch (kind) {
    case IS_NULL:
        return json_is_null(value);
    case IS_PRESENT:
        return true;
    case IS_NUMERIC:
        return json_is_number(value);
    case IS_STRING:
        return json_is_string(value);
    case IS_BOOLEAN:
        return json_is_boolean(value);
    default:
        return is_time(value, &ms);
    }
}

static int fetch(const sh_path *path, const sh_eval *eval, json_t **out)
{
    return sh_eval_get(path, eval, eval->input, out);
}

static int invalid_path(const sh_eval *eval, const sh_path *path, int status)
{
    if (status != SH_E_NOT_FOUND && status != SH_E_LIMIT)
        return status;
    return sh_fault_set(eval->fault, "States.Runtime",
                        "Invalid path '%s': The choice state's condition path references an invalid value.",
                        sh_path_text(path));
}

static int eval_comparison(const sh_rule *rule, const sh_eval *eval, bool *out)
{
    json_t *value = NULL, *other = json_incref(rule->operand);
    int status = fetch(rule->variable, eval, &value);

    if (rule->operator->family == OF_TYPE && rule->operator->detail == IS_PRESENT &&
        status == SH_E_NOT_FOUND) {
        *out = json_is_false(rule->operand);
        json_decref(other);
        return 0;
    }
    if (status)
        status = invalid_path(eval, rule->variable, status);
    else if (rule->path && (status = fetch(rule->path, eval, &other)))
        status = invalid_path(eval, rule->path, status);
    if (!status)
        *out = rule->operator->family == OF_TYPE
                   ? is_kind((type_kind)rule->operator->detail, value) == json_is_true(rule->operand)
                   : compare(rule->operator, value, other);
    json_decref(value);
    json_decref(other);
    return status;
}

int sh_rule_eval(const sh_rule *rule, const sh_eval *eval, bool *out)
{
    int status = 0;

    if (rule->joint == COMPARE)
        return eval_comparison(rule, eval, out);
    for (size_t i = 0; i < rule->count; i++) {
        status = sh_rule_eval(rule->rules[i], eval, out);
        if (status || (rule->joint != NOT && *out == (rule->joint == OR)))
            return status;
    }
    if (rule->joint == NOT)
        *out = !*out;
    return status;
}
