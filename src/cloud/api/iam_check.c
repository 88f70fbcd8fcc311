/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What members of an input may be, for IAM and STS alike: a member means the same wherever it stands, so one
 * table holds lengths, characters and values ("API Reference" of IAM). All that is wrong is said at once, in
 * AWS's words. Numbers and truth values may be texts. */
#include "cloud/api/iam_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef bool (*fits_fn)(unsigned character, size_t at);

typedef struct rule {
    const char *name;  /* as in iam_actions.h */
    const char *input; /* as in the input; NULL: the same */
    int64_t min, max;  /* characters; of a number, its value; of a list, its items */
    fits_fn fits;
    const char *pattern; /* what is said when a character does not fit */
    const char *values;  /* "[A, B]": one of these */
    enum { TEXT, NUMBER, LIST } type;
} rule;

/* ---- characters ---- */

static bool is_word(unsigned c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool fits_word(unsigned c, size_t at)
{
    (void)at;
    return is_word(c);
}

static bool fits_name(unsigned c, size_t at)
{
    (void)at;
    return is_word(c) || (c < 128 && c > 0 && strchr("+=,.@-", (int)c));
}

static bool fits_prefix(unsigned c, size_t at)
{
    return at == 0 ? c == '/' : c > 0x20 && c < 0x80;
}

static bool fits_document(unsigned c, size_t at)
{
    (void)at;
    return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c <= 0xff);
}

static bool fits_printable(unsigned c, size_t at)
{
    (void)at;
    return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c != 0x7f);
}

static bool fits_tag(unsigned c, size_t at)
{
    (void)at;
    return is_word(c) || c > 0x7f || c == ' ' || (c > 0 && strchr(".:/=+-@", (int)c));
}

static bool fits_external(unsigned c, size_t at)
{
    (void)at;
    return is_word(c) || (c > 0 && c < 128 && strchr("+=,.@:/-", (int)c));
}

#define NAME_PATTERN "[\\w+=,.@-]+"
#define PATH_PATTERN "(\\u002F)|(\\u002F[\\u0021-\\u007F]+\\u002F)"
#define PREFIX_PATTERN "\\u002F[\\u0021-\\u007F]*"
#define DOCUMENT_PATTERN "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+"
#define WORD_PATTERN "[\\w]+"
#define TAG_PATTERN "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*"

static const rule rules[] = {
    {"UserName", NULL, 1, 64, fits_name, NAME_PATTERN, NULL, TEXT},
    {"NewUserName", NULL, 1, 64, fits_name, NAME_PATTERN, NULL, TEXT},
    {"GroupName", NULL, 1, 128, fits_name, NAME_PATTERN, NULL, TEXT},
    {"NewGroupName", NULL, 1, 128, fits_name, NAME_PATTERN, NULL, TEXT},
    {"RoleName", NULL, 1, 64, fits_name, NAME_PATTERN, NULL, TEXT},
    {"InstanceProfileName", NULL, 1, 128, fits_name, NAME_PATTERN, NULL, TEXT},
    {"PolicyName", NULL, 1, 128, fits_name, NAME_PATTERN, NULL, TEXT},
    {"Path", NULL, 1, 512, fits_prefix, PATH_PATTERN, NULL, TEXT},
    {"NewPath", NULL, 1, 512, fits_prefix, PATH_PATTERN, NULL, TEXT},
    {"PolicyPath", "Path", 1, 512, fits_prefix, "((/[A-Za-z0-9\\.,\\+@=_-]+)*)/", NULL, TEXT},
    {"PathPrefix", NULL, 1, 512, fits_prefix, PREFIX_PATTERN, NULL, TEXT},
    {"PolicyPathPrefix", "PathPrefix", 1, 512, fits_prefix, "((/[A-Za-z0-9\\.,\\+@=_-]+)*)/", NULL, TEXT},
    {"PermissionsBoundary", NULL, 20, 2048, NULL, NULL, NULL, TEXT},
    {"PolicyArn", NULL, 20, 2048, NULL, NULL, NULL, TEXT},
    {"PolicySourceArn", NULL, 20, 2048, NULL, NULL, NULL, TEXT},
    {"CallerArn", NULL, 1, 2048, NULL, NULL, NULL, TEXT},
    {"RoleArn", NULL, 20, 2048, fits_printable,
     "[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u0085\\u00A0-\\uD7FF]+", NULL, TEXT},
    {"RoleSessionName", NULL, 2, 64, fits_name, "[\\w+=,.@-]*", NULL, TEXT},
    {"SourceIdentity", NULL, 2, 64, fits_name, "[\\w+=,.@-]*", NULL, TEXT},
    {"ExternalId", NULL, 2, 1224, fits_external, "[\\w+=,.@:\\/-]*", NULL, TEXT},
    {"AssumeRolePolicyDocument", NULL, 1, 131072, fits_document, DOCUMENT_PATTERN, NULL, TEXT},
    {"PolicyDocument", NULL, 1, 131072, fits_document, DOCUMENT_PATTERN, NULL, TEXT},
    {"SessionPolicy", "Policy", 1, 2048, fits_document, DOCUMENT_PATTERN, NULL, TEXT},
    {"RoleDescription", "Description", 0, 1000, fits_printable,
     "[\\u0009\\u000A\\u000D\\u0020-\\u007E\\u00A1-\\u00FF]*", NULL, TEXT},
    {"PolicyDescription", "Description", 0, 1000, NULL, NULL, NULL, TEXT},
    {"MaxSessionDuration", NULL, 3600, 43200, NULL, NULL, NULL, NUMBER},
    {"RoleDuration", "DurationSeconds", 900, 43200, NULL, NULL, NULL, NUMBER},
    {"TokenDuration", "DurationSeconds", 900, 129600, NULL, NULL, NULL, NUMBER},
    {"MaxItems", NULL, 1, 1000, NULL, NULL, NULL, NUMBER},
    {"Marker", NULL, 1, 4096, fits_document, "[\\u0020-\\u00FF]+", NULL, TEXT},
    {"AccessKeyId", NULL, 16, 128, fits_word, WORD_PATTERN, NULL, TEXT},
    {"Status", NULL, 0, 64, NULL, NULL, "[Active, Inactive]", TEXT},
    {"Scope", NULL, 0, 64, NULL, NULL, "[All, AWS, Local]", TEXT},
    {"PolicyUsageFilter", NULL, 0, 64, NULL, NULL, "[PermissionsPolicy, PermissionsBoundary]", TEXT},
    {"EntityFilter", NULL, 0, 64, NULL, NULL, "[User, Role, Group, LocalManagedPolicy, AWSManagedPolicy]",
     TEXT},
    {"AWSServiceName", NULL, 1, 128, fits_name, NAME_PATTERN, NULL, TEXT},
    {"VersionId", NULL, 1, 64, NULL, NULL, NULL, TEXT},
    {"Tags", NULL, 0, 50, NULL, NULL, NULL, LIST},
    {"TagKeys", NULL, 0, 50, NULL, NULL, NULL, LIST},
    {"TransitiveTagKeys", NULL, 0, 50, NULL, NULL, NULL, LIST},
    {"PolicyArns", NULL, 0, 10, NULL, NULL, NULL, LIST},
    {"ActionNames", NULL, 0, 1000, NULL, NULL, NULL, LIST},
    {"ResourceArns", NULL, 0, 1000, NULL, NULL, NULL, LIST},
    {"PolicyInputList", NULL, 0, 100, NULL, NULL, NULL, LIST},
    {"PermissionsBoundaryPolicyInputList", NULL, 0, 1, NULL, NULL, NULL, LIST},
};

/* ---- what is wrong ---- */

typedef struct faults {
    sh_call *call;
    sh_buf text;
    int count;
} faults;

static void add_fault(faults *f, const char *value, const char *at, const char *what, const char *detail)
{
    if (f->count++)
        sh_buf_puts(&f->text, "; ");
    if (value)
        sh_buf_printf(&f->text, "Value '%s' at '", value);
    else
        sh_buf_puts(&f->text, "Value null at '");
    sh_buf_putc(&f->text, at[0] >= 'A' && at[0] <= 'Z' ? (char)(at[0] + 32) : at[0]);
    sh_buf_printf(&f->text, "%s' failed to satisfy constraint: Member must %s%s", at + 1, what, detail);
}

static int end_faults(faults *f)
{
    int status = 0;
    if (f->count)
        status = sh_call_fail(f->call, 400, "ValidationError", "%d validation error%s detected: %s", f->count,
                              f->count > 1 ? "s" : "", sh_buf_cstr(&f->text));
    sh_buf_free(&f->text);
    return status;
}

/* The next character of a text of UTF-8. */
static unsigned next(const char **at)
{
    const unsigned char *p = (const unsigned char *)*at;
    unsigned c = *p++;
    if (c >= 0xc0) {
        c &= c >= 0xf0 ? 0x07 : c >= 0xe0 ? 0x0f : 0x1f;
        while ((*p & 0xc0) == 0x80)
            c = c << 6 | (*p++ & 0x3f);
    }
    *at = (const char *)p;
    return c;
}

size_t sh_iam_characters(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

static bool all_fit(const char *text, fits_fn fits)
{
    for (size_t at = 0; *text; at++)
        if (!fits(next(&text), at))
            return false;
    return true;
}

bool sh_iam_is_name(const char *text)
{
    return *text && all_fit(text, fits_name);
}

static bool is_path(const char *text)
{
    size_t length = strlen(text);
    return text[0] == '/' && text[length - 1] == '/';
}

static bool among(const char *values, const char *text)
{
    size_t length = strlen(text);
    for (const char *at = values; length && (at = strstr(at, text)); at += length)
        if ((at[-1] == '[' || at[-1] == ' ') && (at[length] == ',' || at[length] == ']'))
            return true;
    return false;
}

static void check_range(faults *f, const rule *r, const char *value, const char *at, int64_t size,
                        const char *noun)
{
    char what[64], limit[32];
    if (size >= r->min && size <= r->max)
        return;
    snprintf(what, sizeof(what), "have %s %s than or equal to ", noun, size < r->min ? "greater" : "less");
    snprintf(limit, sizeof(limit), "%lld", (long long)(size < r->min ? r->min : r->max));
    add_fault(f, value, at, what, limit);
}

static void check_text(faults *f, const rule *r, const char *at, const char *text)
{
    bool path = strcmp(at, "Path") == 0 || strcmp(at, "NewPath") == 0;
    if (r->values) {
        if (!among(r->values, text))
            add_fault(f, text, at, "satisfy enum value set: ", r->values);
        return;
    }
    check_range(f, r, text, at, (int64_t)sh_iam_characters(text), "length");
    if (*text && ((r->fits && !all_fit(text, r->fits)) || (path && !is_path(text))))
        add_fault(f, text, at, "satisfy regular expression pattern: ", r->pattern);
}

static void check_number(faults *f, const rule *r, const char *at, const json_t *value)
{
    char text[32];
    char *end = NULL;
    const char *given = json_string_value(value);
    long long number = given ? strtoll(given, &end, 10) : json_integer_value(value);
    if ((given && (*end || end == given)) || (!given && !json_is_integer(value))) {
        add_fault(f, given ? given : "", at, "be a number", "");
        return;
    }
    snprintf(text, sizeof(text), "%lld", number);
    check_range(f, r, text, at, number, "value");
}

static void check_tag(faults *f, const json_t *tag, size_t index)
{
    static const rule key_rule = {"Key", NULL, 1, 128, fits_tag, TAG_PATTERN, NULL, TEXT};
    static const rule value_rule = {"Value", NULL, 0, 256, fits_tag, TAG_PATTERN, NULL, TEXT};
    char at[64];
    const char *key = json_string_value(json_object_get(tag, "Key"));
    const char *value = json_string_value(json_object_get(tag, "Value"));
    snprintf(at, sizeof(at), "tags.%zu.member.key", index + 1);
    if (key)
        check_text(f, &key_rule, at, key);
    else
        add_fault(f, NULL, at, "not be null", "");
    snprintf(at, sizeof(at), "tags.%zu.member.value", index + 1);
    if (value)
        check_text(f, &value_rule, at, value);
    else
        add_fault(f, NULL, at, "not be null", "");
}

static void check_list(faults *f, const rule *r, const char *at, const json_t *value)
{
    size_t index;
    const json_t *item;
    bool tags = strcmp(at, "Tags") == 0, objects = tags || strcmp(at, "PolicyArns") == 0;
    if (!json_is_array(value)) {
        add_fault(f, "", at, "be a list", "");
        return;
    }
    check_range(f, r, "[...]", at, (int64_t)json_array_size(value), "length");
    json_array_foreach(value, index, item)
    {
        char one[64];
        snprintf(one, sizeof(one), "%s.%zu.member", at, index + 1);
        if (objects ? !json_is_object(item) : !json_is_string(item))
            add_fault(f, NULL, one, "not be null", "");
        else if (tags && index < (size_t)r->max)
            check_tag(f, item, index);
    }
}

static void check_one(faults *f, const rule *r, bool needed)
{
    const char *at = r->input ? r->input : r->name;
    const json_t *value = json_object_get(f->call->in, at);
    if (!value || json_is_null(value)) {
        if (needed)
            add_fault(f, NULL, at, "not be null", "");
    } else if (r->type == NUMBER)
        check_number(f, r, at, value);
    else if (r->type == LIST)
        check_list(f, r, at, value);
    else if (json_is_string(value))
        check_text(f, r, at, json_string_value(value));
    else
        add_fault(f, "", at, "be a text", "");
}

static const rule *find_rule(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (strlen(rules[i].name) == length && memcmp(rules[i].name, name, length) == 0)
            return &rules[i];
    return NULL;
}

int sh_iam_check(sh_call *call, const char *needs)
{
    faults f = {.call = call};
    sh_buf_init(&f.text, 1 << 20);
    for (const char *at = needs; *at; at += strspn(at, "! ")) {
        size_t length = strcspn(at, "! ");
        const rule *r = find_rule(at, length);
        if (!r) {
            sh_buf_free(&f.text);
            return sh_call_fail(call, 500, "ServiceFailure", "no rule for %.*s", (int)length, at);
        }
        check_one(&f, r, at[length] == '!');
        at += length;
    }
    return end_faults(&f);
}

/* ---- reading ---- */

const char *sh_iam_text(const sh_call *call, const char *name)
{
    return json_string_value(json_object_get(call->in, name));
}

int64_t sh_iam_number(const sh_call *call, const char *name, int64_t fallback)
{
    const json_t *value = json_object_get(call->in, name);
    if (json_is_integer(value))
        return json_integer_value(value);
    return json_is_string(value) ? strtoll(json_string_value(value), NULL, 10) : fallback;
}

bool sh_iam_bool(const sh_call *call, const char *name, bool fallback)
{
    const json_t *value = json_object_get(call->in, name);
    if (json_is_string(value))
        return strcmp(json_string_value(value), "true") == 0;
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

const json_t *sh_iam_array(const sh_call *call, const char *name)
{
    const json_t *value = json_object_get(call->in, name);
    return json_is_array(value) ? value : NULL;
}
