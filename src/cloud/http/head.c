/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/http/head.h"

#include <string.h>
#include <strings.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

char *sh_http_decode(sh_arena *arena, const char *text, size_t length, bool plus_is_space)
{
    char *out = sh_arena_alloc(arena, length + 1);
    size_t used = 0;
    if (!out)
        return NULL;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '%') {
            int high = -1, low = -1;
            if (length - i > 2) {
                high = hex_digit(text[i + 1]);
                low = hex_digit(text[i + 2]);
            }
            if (high < 0 || low < 0 || (high == 0 && low == 0))
                return NULL;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        } else if (c == '\0') {
            return NULL;
        }
        out[used++] = c;
    }
    out[used] = '\0';
    return out;
}

static bool unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

char *sh_http_encode(sh_arena *arena, const char *text, size_t length, bool keep_slash)
{
    static const char digits[] = "0123456789ABCDEF";
    if (length > SIZE_MAX / 4)
        return NULL;
    char *out = sh_arena_alloc(arena, length * 3 + 1);
    size_t used = 0;
    if (!out)
        return NULL;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (unreserved(c) || (c == '/' && keep_slash)) {
            out[used++] = (char)c;
        } else {
            out[used++] = '%';
            out[used++] = digits[c >> 4];
            out[used++] = digits[c & 15];
        }
    }
    out[used] = '\0';
    return out;
}

static int add_param(sh_http_head *head, sh_arena *arena, const char *text, size_t length, sh_err *err)
{
    const char *equals = memchr(text, '=', length);
    size_t name_length = equals ? (size_t)(equals - text) : length;
    size_t value_length = equals ? length - name_length - 1 : 0;
    const char *value = equals ? equals + 1 : "";
    sh_http_param *param = &head->params[head->param_count];
    param->has_value = equals != NULL;
    param->raw_name = sh_arena_strndup(arena, text, name_length);
    param->raw_value = sh_arena_strndup(arena, value, value_length);
    if (!param->raw_name || !param->raw_value)
        return sh_fail(err, SH_E_MEMORY, "no memory for the query");
    param->name = sh_http_decode(arena, text, name_length, true);
    param->value = sh_http_decode(arena, value, value_length, true);
    if (!param->name || !param->value)
        return sh_fail(err, SH_E_FORMAT, "the query has broken percent-encoding at %.60s", param->raw_name);
    head->param_count++;
    return 0;
}

static bool is_token(const char *name)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    if (!*name)
        return false;
    for (; *name; name++) {
        bool letter = (*name >= 'A' && *name <= 'Z') || (*name >= 'a' && *name <= 'z');
        if (!letter && !(*name >= '0' && *name <= '9') && !strchr(others, *name))
            return false;
    }
    return true;
}

const char *sh_http_head_fault(const sh_http_head *head, const char *version, int *status)
{
    size_t lengths = sh_http_field_total(head, "content-length");
    size_t codings = sh_http_field_total(head, "transfer-encoding");
    size_t hosts = sh_http_field_total(head, "host");
    const char *coding = sh_http_field_get(head, "transfer-encoding");
    *status = 400;
    for (size_t i = 0; i < head->field_count; i++)
        if (!is_token(head->fields[i].name))
            return "the name of a header field has characters that it cannot have";
    if (lengths > 1)
        return "there is more than one Content-Length";
    if (codings > 1 || (codings && lengths))
        return "the length of the body is said in more than one way";
    if (hosts > 1)
        return "there is more than one Host";
    if (hosts == 0 && strcmp(version, "HTTP/1.1") == 0)
        return "there is no Host";
    if (coding && strcasecmp(coding, "chunked") != 0) {
        *status = 501;
        return "the only Transfer-Encoding is chunked";
    }
    return NULL;
}

/* "http://host/path" is the same as "/path" with that Host. */
static const char *without_origin(const char *target)
{
    size_t scheme = strncasecmp(target, "http://", 7) == 0    ? 7
                    : strncasecmp(target, "https://", 8) == 0 ? 8
                                                              : 0;
    return scheme ? target + scheme + strcspn(target + scheme, "/?") : target;
}

int sh_http_head_target(sh_http_head *head, sh_arena *arena, const char *target, sh_err *err)
{
    target = without_origin(target);
    size_t length = strlen(target);
    if (length > SH_HTTP_TARGET_MAX)
        return sh_fail(err, SH_E_LIMIT, "the URI is longer than %d bytes", SH_HTTP_TARGET_MAX);
    if (target[0] != '/')
        return sh_fail(err, SH_E_FORMAT, "the request target is not a path");
    const char *mark = strchr(target, '?');
    head->path = sh_arena_strndup(arena, target, mark ? (size_t)(mark - target) : length);
    head->query = mark ? sh_arena_strdup(arena, mark + 1) : "";
    head->params = sh_arena_alloc(arena, SH_HTTP_PARAMS_MAX * sizeof(*head->params));
    head->param_count = 0;
    if (!head->path || !head->query || !head->params)
        return sh_fail(err, SH_E_MEMORY, "no memory for the URI");
    for (const char *at = head->query; *at;) {
        size_t part = strcspn(at, "&");
        if (part > 0) {
            if (head->param_count == SH_HTTP_PARAMS_MAX)
                return sh_fail(err, SH_E_LIMIT, "more than %d query parameters", SH_HTTP_PARAMS_MAX);
            int status = add_param(head, arena, at, part, err);
            if (status < 0)
                return status;
        }
        at += part + (at[part] == '&');
    }
    return 0;
}

const char *sh_http_field_get(const sh_http_head *head, const char *name)
{
    for (size_t i = 0; i < head->field_count; i++)
        if (strcasecmp(head->fields[i].name, name) == 0)
            return head->fields[i].value;
    return NULL;
}

size_t sh_http_field_total(const sh_http_head *head, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < head->field_count; i++)
        count += strcasecmp(head->fields[i].name, name) == 0;
    return count;
}

const char *sh_http_param_get(const sh_http_head *head, const char *name)
{
    for (size_t i = 0; i < head->param_count; i++)
        if (strcmp(head->params[i].name, name) == 0)
            return head->params[i].value;
    return NULL;
}

bool sh_http_param_has(const sh_http_head *head, const char *name)
{
    return sh_http_param_get(head, name) != NULL;
}

/* Length of the well-formed sequence at `text`, 0 if there is none: no overlong forms, no surrogates, nothing
 * above U+10FFFF. */
static size_t utf8_sequence(const unsigned char *text, size_t left)
{
    unsigned char first = text[0], low = 0x80, high = 0xBF;
    size_t length;
    if (first < 0x80)
        return 1;
    if (first >= 0xC2 && first <= 0xDF)
        length = 2;
    else if (first >= 0xE0 && first <= 0xEF)
        length = 3;
    else if (first >= 0xF0 && first <= 0xF4)
        length = 4;
    else
        return 0;
    if (left < length)
        return 0;
    if (first == 0xE0)
        low = 0xA0;
    else if (first == 0xED)
        high = 0x9F;
    else if (first == 0xF0)
        low = 0x90;
    else if (first == 0xF4)
        high = 0x8F;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

bool sh_utf8_valid(const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        size_t step = utf8_sequence((const unsigned char *)text + i, length - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}
