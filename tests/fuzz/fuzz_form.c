/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz driver for forms and their policies: a Content-Type on the first line, then the body. Its fields are
 * held against the field "policy". However the body is cut into pieces, the same comes out. */
#include "fuzz.h"
#include "base/buf.h"
#include "cloud/api/s3_form_policy.h"
#include "cloud/http/form.h"

#include <string.h>

enum { FIELDS_MAX = 32 };

typedef struct result {
    sh_arena *arena;
    int status;
    uint64_t hash;
    sh_http_field fields[FIELDS_MAX];
    size_t count;
    char *name;
    sh_buf value;
} result;

static void mix(result *r, const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        r->hash = (r->hash ^ ((const unsigned char *)bytes)[i]) * 1099511628211u;
}

static int on_begin(void *opaque, const sh_form_part *part)
{
    result *r = opaque;
    mix(r, part->name, strlen(part->name) + 1);
    if (part->filename)
        mix(r, part->filename, strlen(part->filename) + 1);
    if (part->type)
        mix(r, part->type, strlen(part->type) + 1);
    r->name = sh_arena_strdup(r->arena, part->name);
    sh_buf_clear(&r->value);
    return 0;
}

static int on_bytes(void *opaque, const void *bytes, size_t length)
{
    result *r = opaque;
    CHECK(length > 0);
    mix(r, bytes, length);
    sh_buf_append(&r->value, bytes, length);
    return 0;
}

static int on_end(void *opaque)
{
    result *r = opaque;
    const char *value = sh_arena_strdup(r->arena, sh_buf_cstr(&r->value));
    mix(r, "\n", 1);
    if (r->count < FIELDS_MAX && r->name && value)
        r->fields[r->count++] = (sh_http_field){r->name, value};
    return 0;
}

static void parse(result *r, const char *type, const char *body, size_t size, size_t step)
{
    sh_form *form = NULL;
    sh_err err = {0};
    sh_form_events events = {r, on_begin, on_bytes, on_end};
    *r = (result){.arena = sh_arena_new(16 << 20), .hash = 14695981039346656037u};
    CHECK(r->arena);
    sh_buf_init(&r->value, 1 << 20);
    r->status = sh_form_new(&form, type, &events, &err);
    for (size_t at = 0; at < size && r->status == 0; at += step)
        r->status = sh_form_push(form, body + at, size - at < step ? size - at : step, &err);
    if (r->status == 0)
        r->status = sh_form_finish(form, &err);
    CHECK(r->status == 0 || err.message[0]);
    sh_form_free(form);
}

static void end(result *r)
{
    sh_buf_free(&r->value);
    sh_arena_free(r->arena);
}

static void check_policy(const result *r)
{
    sh_form_limits limits;
    sh_err err = {0};
    for (size_t i = 0; i < r->count; i++) {
        if (strcmp(r->fields[i].name, "policy") != 0)
            continue;
        int status = sh_form_policy_check(r->fields[i].value, r->fields, r->count, 1369353600000, r->arena,
                                          &limits, &err);
        CHECK(status == 0 || err.message[0]);
        CHECK(status < 0 || (limits.min >= 0 && limits.max >= 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    result whole, pieces;
    char *text = fuzz_text(data, size);
    char *line_end = memchr(text, '\n', size);
    if (line_end && memchr(text, '\0', (size_t)(line_end - text)) == NULL) {
        *line_end = '\0';
        const char *body = line_end + 1;
        size_t length = size - (size_t)(body - text);
        sh_form_is(text);
        parse(&whole, text, body, length, length + 1);
        check_policy(&whole);
        for (size_t step = 1; step < 8; step += 3) {
            parse(&pieces, text, body, length, step);
            CHECK(pieces.status == whole.status);
            CHECK(whole.status < 0 || pieces.hash == whole.hash);
            end(&pieces);
        }
        end(&whole);
    }
    free(text);
    return 0;
}
