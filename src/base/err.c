/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the well-formed UTF-8 sequence at `at`, 0 if there is none; *cut when the text ends within one. */
static size_t sequence(const unsigned char *at, bool *cut)
{
    size_t length = at[0] < 0x80 ? 1 : at[0] >= 0xF0 ? 4 : at[0] >= 0xE0 ? 3 : 2;
    unsigned char low = at[0] == 0xE0 ? 0xA0 : at[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = at[0] == 0xED ? 0x9F : at[0] == 0xF4 ? 0x8F : 0xBF;
    if (at[0] > 0xF4 || (at[0] >= 0x80 && at[0] < 0xC2))
        return 0;
    for (size_t i = 1; i < length; i++, low = 0x80, high = 0xBF) {
        if (at[i] == '\0')
            *cut = true;
        if (at[i] < low || at[i] > high)
            return 0;
    }
    return length;
}

void sh_text_mend(char *text)
{
    bool cut = false;
    for (unsigned char *at = (unsigned char *)text; *at;) {
        size_t length = sequence(at, &cut);
        if (length == 0)
            *at = cut ? '\0' : '?';
        at += cut ? 0 : length ? length : 1;
    }
}

int sh_fail(sh_err *err, int status, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->message, sizeof(err->message), format, args);
        va_end(args);
        sh_text_mend(err->message);
        err->status = status;
    }
    return status;
}

static int status_of_errno(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return SH_E_FULL;
    case ENOENT:
        return SH_E_NOT_FOUND;
    case ENOMEM:
        return SH_E_MEMORY;
    case EEXIST:
        return SH_E_CONFLICT;
    default:
        return SH_E_IO;
    }
}

int sh_fail_errno(sh_err *err, int error, const char *format, ...)
{
    int status = status_of_errno(error);
    if (err) {
        char text[400];
        char reason[96];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        sh_text_mend(text);
        snprintf(err->message, sizeof(err->message), "%s: %s", text,
                 strerror_r(error, reason, sizeof(reason)));
        sh_text_mend(err->message);
        err->status = status;
    }
    return status;
}

int sh_err_prefix(sh_err *err, const char *format, ...)
{
    if (!err)
        return SH_E_INTERNAL;
    char prefix[sizeof(err->message)];
    char rest[sizeof(err->message)];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof(prefix), format, args);
    va_end(args);
    snprintf(rest, sizeof(rest), "%s", err->message);
    size_t used = strnlen(prefix, sizeof(prefix) - 3);
    memcpy(err->message, prefix, used);
    memcpy(err->message + used, ": ", 2);
    size_t left = sizeof(err->message) - used - 3;
    size_t kept = strnlen(rest, left);
    memcpy(err->message + used + 2, rest, kept);
    err->message[used + 2 + kept] = '\0';
    sh_text_mend(err->message);
    return err->status ? err->status : SH_E_INTERNAL;
}

const char *sh_status_name(int status)
{
    static const char *const names[] = {
        "success",       "invalid argument", "out of memory",  "input/output error", "invalid data",
        "not supported", "limit exceeded",   "internal error", "not found",          "conflict",
        "no space left", "cancelled",        "not allowed"};
    size_t index = status <= 0 ? (size_t)-status : sizeof(names);
    return index < sizeof(names) / sizeof(names[0]) ? names[index] : "unknown error";
}
