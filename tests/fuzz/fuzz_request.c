/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz driver for the head of a request and both signatures: a request line (method, target), then fields, a
 * line each. What is signed well for the key and day of AWS's examples is let in, nothing else. */
#include "fuzz.h"
#include "cloud/http/condition.h"
#include "cloud/http/digest.h"
#include "cloud/http/sigv2.h"

#include <string.h>

#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define NOW ((int64_t)1369353600000) /* 2013-05-24T00:00:00Z */

/* Cuts the next line off. */
static char *take_line(char **at)
{
    char *line = *at;
    *at += strcspn(*at, "\n");
    if (**at)
        *(*at)++ = '\0';
    size_t length = strlen(line);
    if (length > 0 && line[length - 1] == '\r')
        line[length - 1] = '\0';
    return line;
}

static void read_fields(sh_http_head *head, char *at)
{
    while (*at && head->field_count < SH_HTTP_FIELDS_MAX) {
        char *line = take_line(&at), *colon = strchr(line, ':');
        if (!colon)
            continue;
        *colon++ = '\0';
        head->fields[head->field_count++] = (sh_http_field){line, colon + strspn(colon, " \t")};
    }
}

static void check_4(const sh_http_head *head, sh_arena *arena)
{
    sh_sigv4 claim;
    const char *message = NULL;
    sh_auth_fault fault = sh_sigv4_parse(head, arena, &claim, &message);
    bool s3 = !fault && strcmp(claim.service, "s3") == 0;
    if (!fault)
        fault = sh_sigv4_check_time(&claim, NOW, &message);
    if (!fault)
        fault = sh_sigv4_check(&claim, head, SECRET, claim.payload ? claim.payload : "", s3, arena, &message);
    CHECK(!fault == !message || !fault);
    if (!fault)
        CHECK(!sh_sigv4_unsigned(&claim, head, arena));
}

static void check_2(const sh_http_head *head, sh_arena *arena)
{
    sh_sigv2 claim;
    const char *message = NULL;
    if (!sh_sigv2_claimed(head))
        return;
    sh_auth_fault fault = sh_sigv2_parse(head, arena, &claim, &message);
    if (!fault)
        fault = sh_sigv2_check_time(&claim, NOW, &message);
    if (!fault)
        fault = sh_sigv2_check(&claim, head, sh_http_field_get(head, "x-bucket"), SECRET, arena, &message);
    CHECK(!fault || message);
}

/* What a reader asks of an object of 1,000 bytes. */
static void check_conditions(const sh_http_head *head)
{
    int64_t first = -1, length = -1, ms;
    if (sh_range_parse(sh_http_field_get(head, "range"), 1000, &first, &length) == SH_RANGE_PART)
        CHECK(first >= 0 && length > 0 && first + length <= 1000);
    const char *failed = NULL;
    int status = sh_precondition(head, "", "etag", NOW, &failed);
    CHECK(status == 0 || ((status == 304 || status == 412) && failed));
    const char *date = sh_http_field_get(head, "date");
    if (date)
        sh_http_date_parse(date, &ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int status;
    char *text = fuzz_text(data, size), *at = text;
    sh_arena *arena = sh_arena_new(16 << 20);
    sh_http_field *fields = calloc(SH_HTTP_FIELDS_MAX, sizeof(*fields));
    CHECK(arena && fields);
    char *line = take_line(&at), *blank = strchr(line, ' ');
    if (blank) {
        *blank++ = '\0';
        sh_http_head head = {.method = line, .fields = fields};
        read_fields(&head, at);
        const char *fault = sh_http_head_fault(&head, "HTTP/1.1", &status);
        CHECK(!fault || status == 400 || status == 501);
        if (sh_http_head_target(&head, arena, blank, NULL) == 0) {
            CHECK(head.path[0] == '/' || !*head.path);
            check_4(&head, arena);
            check_2(&head, arena);
            check_conditions(&head);
        }
    }
    free(fields);
    sh_arena_free(arena);
    free(text);
    return 0;
}
