/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How an object is given to its reader: preconditions first, then which of its bytes (a range or a part),
 * then the fields. */
#include "cloud/api/s3.h"
#include "cloud/http/condition.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void refuse_precondition(sh_s3 *s3, const sh_object *object, int status)
{
    if (status == 304) {
        sh_s3_field_quoted(s3, "ETag", object->etag);
        sh_s3_answer_empty(s3, 304);
    } else {
        sh_s3_fail(s3, 412, "PreconditionFailed",
                   "At least one of the pre-conditions you specified did not hold");
    }
}

static void object_fields(sh_s3 *s3, const sh_object *object, bool whole)
{
    char date[SH_TIME_TEXT];
    const char *mode = sh_http_field_get(s3->head, "x-amz-checksum-mode");
    sh_time_http(object->modified_ms, date);
    sh_http_add_field(s3->http, "Last-Modified", date);
    sh_http_add_field(s3->http, "Accept-Ranges", "bytes");
    sh_s3_field_quoted(s3, "ETag", object->etag);
    sh_s3_meta_fields(s3, object, true);
    if (mode && whole)
        sh_s3_checksum_field(s3, object->checksum);
    /* An uploaded page must not run as if it were the server's own. */
    sh_http_add_field(s3->http, "Content-Security-Policy", "sandbox");
    sh_http_add_field(s3->http, "X-Content-Type-Options", "nosniff");
    sh_http_add_field(s3->http, "x-amz-request-id", sh_http_request_id(s3->http));
    sh_http_add_field(s3->http, "x-amz-id-2", sh_http_request_id(s3->http));
    sh_http_add_field(s3->http, "Server", "Spyhop");
}

static void answer_bytes(sh_s3 *s3, const sh_object *object, int fd)
{
    char text[96];
    int64_t first = 0, length = object->size;
    int status = 200;
    sh_range_kind range = sh_range_parse(sh_http_field_get(s3->head, "range"), object->size, &first, &length);
    if (range == SH_RANGE_UNSATISFIED) {
        if (fd >= 0)
            close(fd);
        snprintf(text, sizeof(text), "bytes */%lld", (long long)object->size);
        sh_http_add_field(s3->http, "Content-Range", text);
        sh_s3_fail(s3, 416, "InvalidRange",
                   "The requested range is not satisfiable: the object has %lld bytes",
                   (long long)object->size);
        return;
    }
    if (range == SH_RANGE_PART) {
        status = 206;
        snprintf(text, sizeof(text), "bytes %lld-%lld/%lld", (long long)first,
                 (long long)(first + length - 1), (long long)object->size);
        sh_http_add_field(s3->http, "Content-Range", text);
    }
    object_fields(s3, object, range == SH_RANGE_WHOLE);
    if (fd >= 0)
        sh_http_answer_file(s3->http, status, fd, first, length);
    else
        sh_http_answer_head(s3->http, status, length);
}

void sh_s3_answer_object(sh_s3 *s3, const sh_object *object, int fd)
{
    int condition = sh_precondition(s3->head, "", object->etag, object->modified_ms);
    if (condition) {
        if (fd >= 0)
            close(fd);
        refuse_precondition(s3, object, condition);
        return;
    }
    answer_bytes(s3, object, fd);
}
