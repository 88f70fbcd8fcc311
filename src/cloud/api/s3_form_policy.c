/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every condition has to hold, and every field but those that carry the signature has to be in one: a page
 * can be filled in only as its maker meant. Names of fields are compared without regard to case, those of the
 * document with it. A condition's text is repeated in the refusal, in the form of a list, as S3 does. */
#include "cloud/api/s3_form_policy.h"
#include "base/clock.h"
#include "base/size.h"
#include "cloud/http/digest.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

typedef struct checker {
    const sh_http_field *fields;
    size_t count;
    bool *covered; /* of each field: a condition is about it */
    sh_form_limits *limits;
    sh_err *err;
} checker;

static int malformed(checker *c, const char *what)
{
    return sh_fail(c->err, SH_E_FORMAT, "Invalid Policy: %s", what);
}

/* ---- conditions ---- */

static const char *value_of(checker *c, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < c->count; i++)
        if (strcasecmp(c->fields[i].name, name) == 0) {
            c->covered[i] = true;
            value = value ? value : c->fields[i].value;
        }
    return value;
}

/* "image/png,image/jpeg" begins with "image/": each of a list of types does. */
static bool begins(const char *name, const char *value, const char *start)
{
    size_t length = strlen(start);
    if (strcasecmp(name, "content-type") != 0)
        return strncmp(value, start, length) == 0;
    for (const char *at = value;; at++) {
        if (strncmp(at, start, length) != 0)
            return false;
        at += strcspn(at, ",");
        if (!*at)
            return true;
    }
}

static int check_match(checker *c, const char *kind, const char *name, const char *wanted)
{
    bool exact = strcasecmp(kind, "eq") == 0;
    const char *value = value_of(c, name);
    const char *said = value ? value : "";
    bool good = exact ? value && strcmp(value, wanted) == 0 : begins(name, said, wanted);
    if (good)
        return 0;
    return sh_fail(c->err, SH_E_DENIED,
                   "Invalid according to Policy: Policy Condition failed: [\"%s\", \"$%.200s\", \"%.300s\"]",
                   exact ? "eq" : "starts-with", name, wanted);
}

/* A number, or one written as a text. */
static bool number_of(const json_t *value, int64_t *out)
{
    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return *out >= 0;
    }
    const char *text = json_string_value(value);
    return text && sh_parse_i64(text, strlen(text), 0, INT64_MAX, out);
}

static int take_range(checker *c, const json_t *list)
{
    int64_t min, max;
    if (json_array_size(list) != 3 || !number_of(json_array_get(list, 1), &min) ||
        !number_of(json_array_get(list, 2), &max) || min > max)
        return malformed(c, "content-length-range needs a lowest and a highest number of bytes");
    if (min > c->limits->min)
        c->limits->min = min;
    if (max < c->limits->max)
        c->limits->max = max;
    return 0;
}

static int check_list(checker *c, const json_t *list)
{
    const char *kind = json_string_value(json_array_get(list, 0));
    const char *name = json_string_value(json_array_get(list, 1));
    const char *wanted = json_string_value(json_array_get(list, 2));
    if (kind && strcasecmp(kind, "content-length-range") == 0)
        return take_range(c, list);
    if (!kind || (strcasecmp(kind, "eq") != 0 && strcasecmp(kind, "starts-with") != 0))
        return malformed(c, "a condition is neither eq nor starts-with nor content-length-range");
    if (json_array_size(list) != 3 || !name || name[0] != '$' || !wanted)
        return malformed(c, "a condition is not [kind, \"$field\", text]");
    return check_match(c, kind, name + 1, wanted);
}

static int check_object(checker *c, const json_t *object)
{
    const char *name;
    json_t *value;
    int status = 0;
    if (json_object_size(object) != 1)
        return malformed(
            c, "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.");
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        const char *wanted = json_string_value(value);
        if (status == 0 && !wanted)
            status = malformed(c, "Invalid Simple-Condition: value must be a string.");
        else if (status == 0)
            status = check_match(c, "eq", name, wanted);
    }
    return status;
}

static bool needs_no_condition(const char *name)
{
    static const char *const free_names[] = {"x-amz-signature", "signature", "policy", "file",
                                             "awsaccesskeyid"};
    for (size_t i = 0; i < SH_COUNT(free_names); i++)
        if (strcasecmp(name, free_names[i]) == 0)
            return true;
    return strncasecmp(name, "x-ignore-", 9) == 0;
}

static int check_conditions(checker *c, const json_t *conditions)
{
    size_t i;
    json_t *condition;
    json_array_foreach(conditions, i, condition)
    {
        int status = json_is_object(condition)  ? check_object(c, condition)
                     : json_is_array(condition) ? check_list(c, condition)
                                                : malformed(c, "a condition is neither a list nor an object");
        if (status < 0)
            return status;
    }
    for (size_t j = 0; j < c->count; j++)
        if (!c->covered[j] && !needs_no_condition(c->fields[j].name))
            return sh_fail(c->err, SH_E_DENIED, "Invalid according to Policy: Extra input fields: %.200s",
                           c->fields[j].name);
    return 0;
}

/* ---- the document ---- */

static int check_document(checker *c, const json_t *document, int64_t now_ms)
{
    int64_t until;
    const json_t *expiration = json_object_get(document, "expiration");
    const json_t *conditions = json_object_get(document, "conditions");
    const char *text = json_string_value(expiration);
    if (!json_is_object(document))
        return malformed(c, "Invalid JSON.");
    if (!expiration)
        return malformed(c, "Policy missing expiration.");
    if (!text || !sh_time_parse_iso(text, strlen(text), &until))
        return sh_fail(c->err, SH_E_FORMAT, "Invalid Policy: Invalid 'expiration' value: '%.60s'",
                       text ? text : "");
    if (!conditions)
        return malformed(c, "Policy missing conditions.");
    if (!json_is_array(conditions))
        return malformed(c, "Invalid 'conditions' value: must be a list.");
    if (now_ms > until)
        return sh_fail(c->err, SH_E_DENIED, "Invalid according to Policy: Policy expired.");
    return check_conditions(c, conditions);
}

/* base64 with line ends in it is base64. */
static json_t *decode(const char *policy, sh_arena *arena)
{
    size_t length = strlen(policy), used = 0;
    char *plain = sh_arena_alloc(arena, length + 1);
    unsigned char *bytes = sh_arena_alloc(arena, length + 1);
    if (!plain || !bytes)
        return NULL;
    for (size_t i = 0; i < length; i++)
        if (!strchr(" \t\r\n", policy[i]))
            plain[used++] = policy[i];
    int got = sh_base64_decode(plain, used, bytes, length);
    return got < 0 ? NULL : json_loadb((const char *)bytes, (size_t)got, JSON_REJECT_DUPLICATES, NULL);
}

int sh_form_policy_check(const char *policy, const sh_http_field *fields, size_t count, int64_t now_ms,
                         sh_arena *arena, sh_form_limits *limits, sh_err *err)
{
    sh_form_limits found = {0, INT64_MAX};
    checker c = {.fields = fields,
                 .count = count,
                 .covered = sh_arena_alloc(arena, count + 1),
                 .limits = &found,
                 .err = err};
    if (!c.covered)
        return sh_fail(err, SH_E_MEMORY, "no memory for a policy");
    memset(c.covered, 0, count + 1);
    json_t *document = decode(policy, arena);
    int status = document ? check_document(&c, document, now_ms) : malformed(&c, "Invalid JSON.");
    json_decref(document);
    if (status == 0)
        *limits = found;
    return status;
}
