/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names as AWS documents them ("Using variables in your job settings"): destinations, base names, format
 * identifiers. */
#include "base/buf.h"
#include "base/size.h"
#include "cloud/jobs/mc_inner.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAME_MAX_BYTES 8192

/* ---- URIs ---- */

int sh_mc_s3_uri(const char *uri, char *bucket, size_t size, const char **key, sh_err *err)
{
    static const char scheme[] = "s3://";
    if (strncmp(uri, scheme, sizeof(scheme) - 1) != 0)
        return sh_fail(err, SH_E_ARGUMENT, "must have the form s3://bucket/key");
    const char *name = uri + sizeof(scheme) - 1, *slash = strchr(name, '/');
    size_t length = slash ? (size_t)(slash - name) : 0;
    if (length < 3 || length > 63 || length >= size)
        return sh_fail(err, SH_E_ARGUMENT, "must have the form s3://bucket/key");
    memcpy(bucket, name, length);
    bucket[length] = '\0';
    *key = slash + 1;
    return 0;
}

const char *sh_mc_local_path(const char *uri)
{
    if (strncmp(uri, "file://", 7) == 0)
        return uri[7] == '/' ? uri + 7 : NULL;
    return strstr(uri, "://") ? NULL : uri;
}

int sh_mc_check_uri(const char *uri, bool local, sh_err *err)
{
    char bucket[64];
    const char *key;
    if (local && sh_mc_local_path(uri))
        return *sh_mc_local_path(uri) ? 0 : sh_fail(err, SH_E_ARGUMENT, "is empty");
    int status = sh_mc_s3_uri(uri, bucket, sizeof(bucket), &key, err);
    if (status < 0 && local)
        return sh_fail(
            err, SH_E_ARGUMENT,
            "must be a path, file:///path or s3://bucket/key (a bucket's name has 3 to 63 characters)");
    return status;
}

/* ---- format identifiers ---- */

typedef struct reader {
    const sh_mc_values *values;
    sh_buf *out;
    sh_err *err;
} reader;

static int put_time(const reader *r, const char *format)
{
    char text[32];
    struct tm parts;
    time_t seconds = (time_t)(r->values->time_ms / 1000);
    if (!gmtime_r(&seconds, &parts) || strftime(text, sizeof(text), format, &parts) == 0)
        return sh_fail(r->err, SH_E_ARGUMENT, "the time cannot be written");
    return sh_buf_append(r->out, text, strlen(text));
}

static void base_of(const char *path, const char **name, size_t *length)
{
    const char *slash = strrchr(path, '/'), *dot;
    *name = slash ? slash + 1 : path;
    dot = strrchr(*name, '.');
    *length = dot && dot != *name ? (size_t)(dot - *name) : strlen(*name);
}

/* What a name between two '$' stands for; `digits`: at least so many. SH_E_NOT_FOUND: nothing. */
static int put_value(const reader *r, const char *name, int digits)
{
    const sh_mc_values *v = r->values;
    const char *text;
    size_t length;
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {{"rv", v->video / 1000}, {"ra", v->audio / 1000}, {"rc", (v->video + v->audio) / 1000},
                   {"w", v->width},         {"h", v->height},        {"f", (int64_t)v->rate}};
    if (strcmp(name, "dt") == 0)
        return put_time(r, "%Y%m%dT%H%M%S");
    if (strcmp(name, "d") == 0 || strcmp(name, "t") == 0)
        return put_time(r, name[0] == 'd' ? "%Y%m%d" : "%H%M%S");
    if (strcmp(name, "fn") == 0) {
        base_of(v->input, &text, &length);
        return sh_buf_append(r->out, text, length);
    }
    if (v->destination)
        return SH_E_NOT_FOUND;
    if (strcmp(name, "ex") == 0)
        return sh_buf_printf(r->out, "%s", v->extension);
    for (size_t i = 0; i < SH_COUNT(numbers); i++)
        if (strcmp(name, numbers[i].name) == 0)
            return sh_buf_printf(r->out, "%0*" PRId64, digits, numbers[i].value);
    if (v->number && strcmp(name, "Number") == 0)
        return sh_buf_printf(r->out, "%s", v->number);
    if (v->number && strcmp(name, "Bandwidth") == 0)
        return sh_buf_printf(r->out, "%0*" PRId64, digits, v->video + v->audio);
    return SH_E_NOT_FOUND;
}

/* "h%04" -> "h", 4. False: no name. */
static bool take_name(const char *text, size_t length, char *name, size_t size, int *digits)
{
    const char *percent = memchr(text, '%', length);
    size_t letters = percent ? (size_t)(percent - text) : length;
    *digits = 1;
    if (letters == 0 || letters >= size)
        return false;
    memcpy(name, text, letters);
    name[letters] = '\0';
    if (!percent)
        return true;
    if (length - letters < 3 || length - letters > 4 || percent[1] != '0')
        return false;
    *digits = 0;
    for (const char *c = percent + 2; c < text + length; c++) {
        if (!isdigit((unsigned char)*c))
            return false;
        *digits = *digits * 10 + (*c - '0');
    }
    return *digits >= 1;
}

/* What begins with the '$' at `at`. *next: behind it. In a destination, a file name's folder often, what is
 * no identifier stands for itself. */
static int expand_one(const reader *r, const char *at, const char **next)
{
    char name[16];
    int digits, status = SH_E_NOT_FOUND;
    const char *end = strchr(at + 1, '$');
    size_t length = end ? (size_t)(end - at - 1) : 0;
    *next = end ? end + 1 : at + 1;
    if (end && length == 0 && !r->values->destination)
        return sh_buf_append(r->out, "$", 1);
    if (end && take_name(at + 1, length, name, sizeof(name), &digits))
        status = put_value(r, name, digits);
    if (status != SH_E_NOT_FOUND)
        return status;
    if (r->values->destination) {
        *next = at + 1;
        return sh_buf_append(r->out, "$", 1);
    }
    return end ? sh_fail(r->err, SH_E_ARGUMENT, "$%.*s$ is no format identifier that is known here",
                         (int)(length > 40 ? 40 : length), at + 1)
               : sh_fail(r->err, SH_E_ARGUMENT, "\"%.40s\" begins a format identifier and does not end it",
                         at);
}

static int expand(const reader *r, const char *at)
{
    int status = 0;
    while (*at && status == 0) {
        size_t plain = strcspn(at, "$");
        status = plain ? sh_buf_append(r->out, at, plain) : 0;
        at += plain;
        if (*at && status == 0)
            status = expand_one(r, at, &at);
    }
    return status;
}

int sh_mc_expand(char **out, const char *pattern, const sh_mc_values *values, sh_err *err)
{
    sh_buf text;
    sh_buf_init(&text, NAME_MAX_BYTES);
    const reader r = {values, &text, err};
    int status = expand(&r, pattern);
    if (status < 0 && err && !err->message[0])
        sh_fail(err, status, "is longer than %d bytes", NAME_MAX_BYTES);
    char *taken = status == 0 ? sh_buf_take(&text, NULL) : NULL;
    sh_buf_free(&text);
    if (status == 0 && !taken)
        return sh_fail(err, SH_E_MEMORY, "memory is short");
    if (status == 0)
        *out = taken;
    return status;
}

/* ---- places ---- */

static int split(sh_mc_place *place, const char *key, const char *input, sh_err *err)
{
    const char *slash = strrchr(key, '/'), *name = slash ? slash + 1 : key;
    size_t length = strlen(name);
    place->prefix = strndup(key, slash ? (size_t)(slash + 1 - key) : 0);
    if (length == 0)
        base_of(input, &name, &length);
    place->base = strndup(name, length);
    return place->prefix && place->base ? 0 : sh_fail(err, SH_E_MEMORY, "memory is short");
}

int sh_mc_place_of(sh_mc_place *out, const sh_mc_job *job, size_t group, int64_t time_ms, sh_err *err)
{
    const sh_mc_values values = {
        .time_ms = time_ms, .input = job->file_input, .extension = "", .destination = true};
    sh_mc_place place = {0};
    char *text = NULL;
    int status = sh_mc_expand(&text, job->groups[group].destination, &values, err);
    if (status < 0)
        return status;
    const char *key = sh_mc_local_path(text);
    if (!key)
        status = sh_mc_s3_uri(text, place.bucket, sizeof(place.bucket), &key, err);
    if (status == 0)
        status = split(&place, key, job->file_input, err);
    free(text);
    if (status < 0)
        sh_mc_place_free(&place);
    else
        *out = place;
    return status;
}

void sh_mc_place_free(sh_mc_place *place)
{
    free(place->prefix);
    free(place->base);
    *place = (sh_mc_place){0};
}
