/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns. A pattern becomes a row of tokens (a character, any character, any run) in which variables are
 * put in as plain characters, so that a user's name with a * in it matches only itself. */
#include "cloud/policy/model.h"

#include <string.h>
#include <strings.h>

enum { TOKENS_MAX = 4096 };
enum { ONE = 256, RUN = 257 }; /* beside the bytes 0 to 255 */

typedef struct tokens {
    uint16_t list[TOKENS_MAX];
    size_t count;
    bool failed; /* too long, or a variable that is not there */
} tokens;

static void push(tokens *t, unsigned token)
{
    if (t->count == TOKENS_MAX)
        t->failed = true;
    else if (token != RUN || t->count == 0 || t->list[t->count - 1] != RUN)
        t->list[t->count++] = (uint16_t)token;
}

static void push_text(tokens *t, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        push(t, (unsigned char)text[i]);
}

const sh_policy_key *sh_request_key(const sh_policy_request *request, const char *name, size_t length)
{
    for (size_t i = 0; i < request->key_count; i++) {
        const sh_policy_key *key = &request->keys[i];
        if (strncasecmp(key->name, name, length) == 0 && key->name[length] == '\0')
            return key->count > 0 ? key : NULL;
    }
    return NULL;
}

/* "${name}", "${name, 'otherwise'}", "${*}". Gives where the text goes on, NULL: this is no variable. */
static const char *push_variable(tokens *t, const char *at, const sh_policy_request *request)
{
    const char *end = strchr(at, '}');
    if (!end)
        return NULL;
    const char *name = at + 2 + strspn(at + 2, " ");
    if (name + 1 == end && strchr("*?$", *name)) {
        push(t, (unsigned char)*name);
        return end + 1;
    }
    size_t length = strcspn(name, ",} ");
    const sh_policy_key *key = sh_request_key(request, name, length);
    const char *quoted = memchr(name, '\'', (size_t)(end - name));
    const char *last = quoted ? memrchr(name, '\'', (size_t)(end - name)) : NULL;
    if (key && key->count == 1)
        push_text(t, key->values[0], strlen(key->values[0]));
    else if (!key && quoted && last > quoted)
        push_text(t, quoted + 1, (size_t)(last - quoted - 1));
    else
        t->failed = true;
    return end + 1;
}

static void make(tokens *t, const char *pattern, size_t length, bool wild, bool variables,
                 const sh_policy_request *request)
{
    t->count = 0;
    t->failed = false;
    for (const char *at = pattern, *end = pattern + length; at < end && !t->failed;) {
        const char *next = NULL;
        if (variables && at[0] == '$' && at + 1 < end && at[1] == '{')
            next = push_variable(t, at, request);
        if (next) {
            at = next;
            continue;
        }
        push(t, wild && *at == '*' ? RUN : wild && *at == '?' ? ONE : (unsigned char)*at);
        at++;
    }
}

static unsigned lower(unsigned c)
{
    return c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c;
}

/* Goes back to the last run alone: linear but for that, never exponential. */
static bool matches(const tokens *t, const char *text, size_t length, bool any_case)
{
    size_t at = 0, token = 0, run = SIZE_MAX, from = 0;
    while (at < length) {
        const unsigned want = token < t->count ? t->list[token] : 0xFFFF;
        const unsigned have = (unsigned char)text[at];
        if (want == RUN) {
            run = token++;
            from = at;
        } else if (want == ONE || want == have || (any_case && want < ONE && lower(want) == lower(have))) {
            token++;
            at++;
        } else if (run != SIZE_MAX) {
            token = run + 1;
            at = ++from;
        } else {
            return false;
        }
    }
    while (token < t->count && t->list[token] == RUN)
        token++;
    return token == t->count;
}

bool sh_policy_glob(const char *pattern, const char *text, bool any_case)
{
    tokens t;
    make(&t, pattern, strlen(pattern), true, false, NULL);
    return !t.failed && matches(&t, text, strlen(text), any_case);
}

bool sh_pattern_matches(const sh_policy *policy, const char *pattern, const char *text, bool any_case,
                        const sh_policy_request *request)
{
    tokens t;
    make(&t, pattern, strlen(pattern), true, policy->variables, request);
    return !t.failed && matches(&t, text, strlen(text), any_case);
}

bool sh_text_equals(const sh_policy *policy, const char *value, const char *text, bool any_case,
                    const sh_policy_request *request)
{
    tokens t;
    if (!policy->variables || !strstr(value, "${"))
        return (any_case ? strcasecmp(value, text) : strcmp(value, text)) == 0;
    make(&t, value, strlen(value), false, true, request);
    return !t.failed && matches(&t, text, strlen(text), any_case);
}

/* Length of a part of an ARN: up to a colon that is not in a variable, or all of the rest for the last one.
 */
static size_t part_length(const char *text, int part, bool variables)
{
    size_t i = 0;
    bool inside = false;
    for (; part < 5 && text[i] && (inside || text[i] != ':'); i++) {
        if (variables && text[i] == '$' && text[i + 1] == '{')
            inside = true;
        else if (text[i] == '}')
            inside = false;
    }
    return part < 5 ? i : strlen(text);
}

bool sh_arn_matches(const sh_policy *policy, const char *pattern, const char *text,
                    const sh_policy_request *request)
{
    if (strcmp(pattern, "*") == 0)
        return true;
    for (int part = 0; part < 6; part++) {
        tokens t;
        const size_t wanted = part_length(pattern, part, policy->variables);
        const size_t given = part_length(text, part, false);
        make(&t, pattern, wanted, true, policy->variables, request);
        if (t.failed || !matches(&t, text, given, false))
            return false;
        pattern += wanted;
        text += given;
        if (part < 5 && (*pattern != ':' || *text != ':'))
            return false;
        pattern += part < 5;
        text += part < 5;
    }
    return true;
}
