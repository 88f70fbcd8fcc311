/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Intrinsic functions of strings. */
#include "cloud/flow/expr_node.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_INPUT = 10000 }; /* characters that Base64* and Hash take */

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int finish(sh_buf *buf, int status, json_t **out)
{
    json_t *text = status ? NULL : sh_value_text(buf);

    sh_buf_free(buf);
    if (!status && !text)
        status = SH_E_MEMORY;
    if (!status)
        *out = text;
    return status;
}

/* The template of a constant is taken as written, so that "\{" can be told from "{". */
static int run_format(const sh_intrinsic_call *call, json_t **out)
{
    const char *p;
    size_t used = 1;
    int status = sh_call_string(call, 0);
    sh_buf buf;

    if (status)
        return status;
    sh_buf_init(&buf, SH_FLOW_TEXT_MAX);
    p = call->expr->args[0]->raw ? call->expr->args[0]->raw : json_string_value(call->args[0]);
    for (; !status && *p; p++) {
        if (*p == '\\' && p[1] && strchr("'\\{}", p[1])) {
            sh_buf_putc(&buf, *++p);
        } else if (*p == '{' && p[1] == '}') {
            p++;
            if (used < call->count)
                status = sh_value_show(&buf, call->args[used]);
            used++;
        } else {
            sh_buf_putc(&buf, *p);
        }
    }
    if (!status && used != call->count)
        status =
            sh_expr_fail(call, "the template has %zu placeholders for %zu values", used - 1, call->count - 1);
    return finish(&buf, status, out);
}

/* Code points, as AWS counts them. */
static size_t characters(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

static int short_string(const sh_intrinsic_call *call)
{
    int status = sh_call_string(call, 0);

    if (!status && characters(json_string_value(call->args[0])) > MAX_INPUT)
        status = sh_expr_fail(call, "the string is longer than %d characters", MAX_INPUT);
    return status;
}

static int run_encode(const sh_intrinsic_call *call, json_t **out)
{
    const unsigned char *s;
    size_t length;
    int status = short_string(call);
    sh_buf buf;

    if (status)
        return status;
    s = (const unsigned char *)json_string_value(call->args[0]);
    length = json_string_length(call->args[0]);
    sh_buf_init(&buf, SH_FLOW_TEXT_MAX);
    for (size_t i = 0; i < length; i += 3) {
        unsigned value = s[i] << 16 | (i + 1 < length ? s[i + 1] << 8 : 0) | (i + 2 < length ? s[i + 2] : 0);

        sh_buf_putc(&buf, base64[value >> 18]);
        sh_buf_putc(&buf, base64[value >> 12 & 63]);
        sh_buf_putc(&buf, i + 1 < length ? base64[value >> 6 & 63] : '=');
        sh_buf_putc(&buf, i + 2 < length ? base64[value & 63] : '=');
    }
    return finish(&buf, 0, out);
}

static bool decode(const char *s, size_t length, sh_buf *buf)
{
    unsigned value = 0, bits = 0;

    while (length && s[length - 1] == '=')
        length--;
    for (size_t i = 0; i < length; i++) {
        const char *digit = s[i] ? strchr(base64, s[i]) : NULL;

        if (!digit)
            return false;
        value = (value << 6 | (unsigned)(digit - base64)) & 0xffffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            sh_buf_putc(buf, (char)(value >> bits));
        }
    }
    return bits < 6;
}

static int run_decode(const sh_intrinsic_call *call, json_t **out)
{
    json_t *text;
    int status = short_string(call);
    sh_buf buf;

    if (status)
        return status;
    sh_buf_init(&buf, SH_FLOW_TEXT_MAX);
    if (!decode(json_string_value(call->args[0]), json_string_length(call->args[0]), &buf))
        status = sh_expr_fail(call, "the string is not Base64");
    text = status ? NULL : sh_value_text(&buf);
    if (!status && !text)
        status = buf.failed ? SH_E_MEMORY : sh_expr_fail(call, "the decoded bytes are not UTF-8");
    sh_buf_free(&buf);
    if (!status)
        *out = text;
    return status;
}

static int run_hash(const sh_intrinsic_call *call, json_t **out)
{
    const sh_flow_env *env = call->eval->env;
    unsigned char digest[64];
    size_t length = 0;
    char *text = NULL;
    int status = sh_call_string(call, 1);
    sh_buf buf;

    if (status)
        return status;
    text = json_is_string(call->args[0]) ? strdup(json_string_value(call->args[0]))
                                         : sh_flow_text(call->args[0]);
    if (!text)
        return SH_E_MEMORY;
    sh_buf_init(&buf, 1024);
    if (characters(text) > MAX_INPUT)
        status = sh_expr_fail(call, "the data is longer than %d characters", MAX_INPUT);
    else if (!env->hash ||
             !(length = env->hash(env->opaque, json_string_value(call->args[1]), text, strlen(text), digest)))
        status =
            sh_expr_fail(call, "unknown hash algorithm '%.40s', use MD5, SHA-1, SHA-256, SHA-384 or SHA-512",
                         json_string_value(call->args[1]));
    for (size_t i = 0; i < length && i < sizeof(digest); i++)
        sh_buf_printf(&buf, "%02x", digest[i]);
    free(text);
    return finish(&buf, status, out);
}

static int run_from_json(const sh_intrinsic_call *call, json_t **out)
{
    sh_err err = {0};
    int status = sh_call_string(call, 0);

    if (status)
        return status;
    if (!json_string_length(call->args[0])) { /* AWS: null */
        *out = json_null();
        return 0;
    }
    status = sh_flow_load(out, json_string_value(call->args[0]), json_string_length(call->args[0]), &err);
    if (status == SH_E_FORMAT || status == SH_E_LIMIT)
        status = sh_expr_fail(call, "invalid JSON: %s", err.message);
    return status;
}

static int run_to_json(const sh_intrinsic_call *call, json_t **out)
{
    sh_buf buf;

    sh_buf_init(&buf, SH_FLOW_TEXT_MAX);
    return finish(&buf, sh_value_dump(&buf, call->args[0]), out);
}

/* Every character of the second string separates; empty parts are left out. */
static int run_split(const sh_intrinsic_call *call, json_t **out)
{
    json_t *parts = NULL;
    const char *s, *separators;
    int status = sh_call_string(call, 0);

    if (!status)
        status = sh_call_string(call, 1);
    if (status)
        return status;
    s = json_string_value(call->args[0]);
    separators = json_string_value(call->args[1]);
    parts = json_array();
    while (parts && *(s += strspn(s, separators))) {
        size_t length = strcspn(s, separators);

        if (json_array_append_new(parts, json_stringn(s, length))) {
            json_decref(parts);
            parts = NULL;
        }
        s += length;
    }
    if (!parts)
        return sh_expr_fail(call, "the string cannot be split inside a character");
    *out = parts;
    return 0;
}

static int run_uuid(const sh_intrinsic_call *call, json_t **out)
{
    const sh_flow_env *env = call->eval->env;
    unsigned char b[16];
    char text[40];

    if (!env->random)
        return sh_expr_fail(call, "no source of randomness");
    env->random(env->opaque, b, sizeof(b));
    b[6] = (b[6] & 0x0f) | 0x40;
    b[8] = (b[8] & 0x3f) | 0x80;
    snprintf(text, sizeof(text), "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    *out = json_string(text);
    return *out ? 0 : SH_E_MEMORY;
}

const sh_intrinsic sh_intrinsics_text[] = {
    {"Format", 1, SIZE_MAX, run_format},
    {"Base64Encode", 1, 1, run_encode},
    {"Base64Decode", 1, 1, run_decode},
    {"Hash", 2, 2, run_hash},
    {"StringToJson", 1, 1, run_from_json},
    {"JsonToString", 1, 1, run_to_json},
    {"StringSplit", 2, 2, run_split},
    {"UUID", 0, 0, run_uuid},
    {NULL, 0, 0, NULL},
};
