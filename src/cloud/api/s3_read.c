/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How an object is given to its reader: preconditions first, then which of its bytes (a range or a part),
 * then the fields. */
#include "cloud/api/s3_lifecycle.h"
#include "cloud/api/s3_part.h"
#include "cloud/http/condition.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* The bytes to give. */
typedef struct piece {
    int status; /* 200 or 206 */
    int64_t first;
    int64_t length;
    const char *checksum; /* that may be told of them; NULL: none */
    size_t parts;         /* x-amz-mp-parts-count, 0: not told */
} piece;

static void refuse_precondition(sh_s3 *s3, const sh_object *object, int status, const char *failed)
{
    char date[SH_TIME_TEXT];
    if (status == 304) {
        sh_time_http(object->modified_ms, date);
        sh_http_add_field(s3->http, "Last-Modified", date);
        sh_s3_field_quoted(s3, "ETag", object->etag);
        sh_s3_answer_empty(s3, 304);
    } else {
        sh_s3_about(s3, "Condition", failed);
        sh_s3_fail(s3, 412, "PreconditionFailed",
                   "At least one of the pre-conditions you specified did not hold");
    }
}

/* What a stranger may not choose: how the answer looks to others. False after having answered. */
static bool overrides_good(sh_s3 *s3)
{
    if (!s3->caller || s3->caller->arn)
        return true;
    for (size_t i = 0; i < s3->head->param_count; i++)
        if (strncmp(s3->head->params[i].name, "response-", 9) == 0) {
            sh_s3_fail(s3, 400, "InvalidRequest",
                       "Request specific response headers cannot be used for anonymous GET requests.");
            return false;
        }
    return true;
}

/* A part of a composite checksum has its own; of a whole one only a sole part has one, the object's. */
static bool choose_part(sh_s3 *s3, const sh_object *object, piece *out)
{
    sh_s3_part part;
    if (sh_http_field_get(s3->head, "range")) {
        sh_s3_fail(s3, 400, "InvalidRequest",
                   "Cannot specify both Range header and partNumber query parameter");
        return false;
    }
    if (!sh_s3_part_find(s3, object, &part, &out->parts))
        return false;
    out->first = part.first;
    out->length = part.length;
    out->status = part.length ? 206 : 200;
    if (object->checksum && strchr(object->checksum, '-') && out->parts)
        out->checksum = part.checksum;
    else
        out->checksum = out->parts > 1 ? NULL : object->checksum;
    return true;
}

static bool choose_range(sh_s3 *s3, const sh_object *object, piece *out)
{
    char text[96];
    const char *asked = sh_http_field_get(s3->head, "range");
    sh_range_kind kind = sh_range_parse(asked, object->size, &out->first, &out->length);
    if (kind == SH_RANGE_PART) {
        out->status = 206;
        out->checksum = NULL;
    }
    if (kind != SH_RANGE_UNSATISFIED)
        return true;
    snprintf(text, sizeof(text), "bytes */%lld", (long long)object->size);
    sh_http_add_field(s3->http, "Content-Range", text);
    sh_s3_about(s3, "RangeRequested", asked);
    snprintf(text, sizeof(text), "%lld", (long long)object->size);
    sh_s3_about(s3, "ActualObjectSize", text);
    sh_s3_fail(s3, 416, "InvalidRange", "The requested range is not satisfiable");
    return false;
}

static void checksum_fields(sh_s3 *s3, const sh_object *object, const piece *given)
{
    const char *mode = sh_http_field_get(s3->head, "x-amz-checksum-mode");
    if (!mode || strcasecmp(mode, "ENABLED") != 0 || !given->checksum)
        return;
    sh_s3_checksum_value(s3, given->checksum);
    sh_http_add_field(s3->http, "x-amz-checksum-type",
                      strchr(object->checksum, '-') ? "COMPOSITE" : "FULL_OBJECT");
}

static void object_fields(sh_s3 *s3, const sh_object *object, const piece *given)
{
    char text[96];
    sh_time_http(object->modified_ms, text);
    sh_http_add_field(s3->http, "Last-Modified", text);
    sh_http_add_field(s3->http, "Accept-Ranges", "bytes");
    sh_s3_field_quoted(s3, "ETag", object->etag);
    sh_s3_meta_fields(s3, object, true);
    checksum_fields(s3, object, given);
    if (given->parts) {
        snprintf(text, sizeof(text), "%zu", given->parts);
        sh_http_add_field(s3->http, "x-amz-mp-parts-count", text);
    }
    if (given->status == 206) {
        snprintf(text, sizeof(text), "bytes %lld-%lld/%lld", (long long)given->first,
                 (long long)(given->first + given->length - 1), (long long)object->size);
        sh_http_add_field(s3->http, "Content-Range", text);
    }
    /* An uploaded page must not run as if it were the server's own. */
    sh_http_add_field(s3->http, "Content-Security-Policy", "sandbox");
    sh_http_add_field(s3->http, "X-Content-Type-Options", "nosniff");
    sh_http_add_field(s3->http, "x-amz-request-id", sh_http_request_id(s3->http));
    sh_http_add_field(s3->http, "x-amz-id-2", sh_http_request_id(s3->http));
    sh_http_add_field(s3->http, "Server", "Spyhop");
}

/* False after having answered. */
static bool choose(sh_s3 *s3, const sh_object *object, piece *out)
{
    const char *failed = NULL;
    int condition = sh_precondition(s3->head, "", object->etag, object->modified_ms, &failed);
    *out = (piece){.status = 200, .length = object->size, .checksum = object->checksum};
    if (condition) {
        refuse_precondition(s3, object, condition, failed);
        return false;
    }
    if (!overrides_good(s3))
        return false;
    return sh_http_param_has(s3->head, "partNumber") ? choose_part(s3, object, out)
                                                     : choose_range(s3, object, out);
}

void sh_s3_answer_object(sh_s3 *s3, const sh_object *object, int fd, const void *bytes)
{
    piece given;
    if (!choose(s3, object, &given)) {
        if (fd >= 0)
            close(fd);
        return;
    }
    object_fields(s3, object, &given);
    sh_s3_expiration_field(s3, object);
    if (bytes)
        sh_http_answer_kept(s3->http, given.status, (const char *)bytes + given.first, (size_t)given.length);
    else if (fd >= 0)
        sh_http_answer_file(s3->http, given.status, fd, given.first, given.length);
    else
        sh_http_answer_head(s3->http, given.status, given.length);
}
