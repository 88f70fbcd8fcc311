/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz driver for what a request is about: a host on the first line, a target on the second, a form of the
 * Query protocol on the third. A key is never normalised: encoded again it decodes to itself. */
#include "fuzz.h"
#include "cloud/api/cloud.h"
#include "cloud/api/query.h"
#include "cloud/api/s3_target.h"

#include <string.h>

static const sh_service service = {.name = "iam"};
static const sh_query_member members[] = {{"MaxItems", SH_QUERY_INTEGER}, {"SetAsDefault", SH_QUERY_BOOLEAN},
                                          {"Tags", SH_QUERY_LIST},        {"SummaryMap", SH_QUERY_MAP},
                                          {"Nothing", SH_QUERY_RESULT},   {NULL, 0}};
static const sh_query_service query = {&service, "2010-05-08", "https://iam.amazonaws.com/doc/2010-05-08/",
                                       members};

static char *take_line(char **at)
{
    char *line = *at;
    *at += strcspn(*at, "\n");
    if (**at)
        *(*at)++ = '\0';
    return line;
}

static void check_target(const char *host, const char *target, sh_arena *arena)
{
    sh_cloud cloud = {.settings = {.domains = "example.com,s3.example.org", .region = "us-east-1"}};
    sh_http_field field = {"Host", host};
    sh_http_head head = {.method = "GET", .fields = &field, .field_count = 1};
    sh_s3_target out;
    if (sh_http_head_target(&head, arena, target, NULL) < 0)
        return;
    int status = sh_s3_target_read(&cloud, &head, arena, &out);
    CHECK(status == 0 || status == SH_E_FORMAT || status == SH_E_MEMORY);
    if (status == 0 && out.key) {
        CHECK(out.bucket && *out.key && sh_utf8_valid(out.key, strlen(out.key)));
        const char *text = sh_http_encode(arena, out.key, strlen(out.key), true);
        const char *back = text ? sh_http_decode(arena, text, strlen(text), false) : out.key;
        CHECK(back && strcmp(back, out.key) == 0);
    }
    CHECK(!out.by_host || out.bucket);
}

static void check_form(const char *form, sh_arena *arena)
{
    const char *action = NULL;
    json_t *in = NULL;
    sh_err err = {0};
    sh_buf out;
    int status = sh_query_read(&query, form, strlen(form), arena, &action, &in, &err);
    CHECK(status == 0 ? json_is_object(in) : err.message[0] && !in);
    if (status == 0) {
        sh_buf_init(&out, 16 << 20);
        json_object_set_new(in, "SummaryMap",
                            json_pack("{s:i, s:f, s:b, s:n}", "a", 1, "b", 1.5, "c", 1, "d"));
        sh_query_write(&out, &query, action ? action : "Nothing", in, "id");
        sh_buf_free(&out);
    }
    json_decref(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sh_arena *arena = sh_arena_new(16 << 20);
    char *text = fuzz_text(data, size), *at = text;
    CHECK(arena);
    const char *host = take_line(&at), *target = take_line(&at);
    check_target(host, target, arena);
    check_form(take_line(&at), arena);
    free(text);
    sh_arena_free(arena);
    return 0;
}
