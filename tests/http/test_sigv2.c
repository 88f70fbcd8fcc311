/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The worked examples of "Signing and authenticating REST requests" (S3 User Guide), then each fault. */
#include "arena_case.h"
#include "cloud/http/sigv2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define KEY "AWS AKIAIOSFODNN7EXAMPLE:"
#define NOW ((int64_t)1175024202000) /* 2007-03-27T19:36:42Z */

typedef struct request {
    const char *method, *target, *bucket;
    sh_http_field fields[4];
    sh_auth_fault fault;
} request;

static sh_auth_fault verify(const request *r, int64_t now_ms, bool check_time)
{
    sh_sigv2 claim;
    const char *message = NULL;
    sh_http_head head = {.method = r->method, .fields = (sh_http_field *)(uintptr_t)r->fields};
    while (head.field_count < 4 && r->fields[head.field_count].name)
        head.field_count++;
    assert_int_equal(sh_http_head_target(&head, arena, r->target, NULL), 0);
    assert_true(sh_sigv2_claimed(&head));
    sh_auth_fault fault = sh_sigv2_parse(&head, arena, &claim, &message);
    if (!fault && check_time)
        fault = sh_sigv2_check_time(&claim, now_ms, &message);
    if (!fault)
        fault = sh_sigv2_check(&claim, &head, r->bucket, SECRET, arena, &message);
    if (fault)
        assert_non_null(message);
    return fault;
}

static void examples(void **state)
{
    static const request rows[] = {
        {"GET",
         "/photos/puppy.jpg",
         "johnsmith",
         {{"Date", "Tue, 27 Mar 2007 19:36:42 +0000"}, {"Authorization", KEY "bWq2s1WEIj+Ydj0vQ697zp+IXMU="}},
         SH_AUTH_OK},
        {"PUT",
         "/photos/puppy.jpg",
         "johnsmith",
         {{"Content-Type", "image/jpeg"},
          {"Date", "Tue, 27 Mar 2007 21:15:45 +0000"},
          {"Authorization", KEY "MyyxeRY7whkBe+bq8fHCL/2kKUg="}},
         SH_AUTH_OK},
        {"GET",
         "/?prefix=photos&max-keys=50&marker=puppy",
         "johnsmith",
         {{"Date", "Tue, 27 Mar 2007 19:42:41 +0000"}, {"Authorization", KEY "htDYFYduRNen8P9ZfE/s9SuKy0U="}},
         SH_AUTH_OK},
        {"GET",
         "/?acl",
         "johnsmith",
         {{"Date", "Tue, 27 Mar 2007 19:44:46 +0000"}, {"Authorization", KEY "c2WLPFtWHVgbEmeEG93a4cG37dM="}},
         SH_AUTH_OK},
        {"GET",
         "/?acl&prefix=a",
         "johnsmith",
         {{"Date", "Tue, 27 Mar 2007 19:44:46 +0000"}, {"Authorization", KEY "c2WLPFtWHVgbEmeEG93a4cG37dM="}},
         SH_AUTH_OK},
        {"GET",
         "/?policy",
         "johnsmith",
         {{"Date", "Tue, 27 Mar 2007 19:44:46 +0000"}, {"Authorization", KEY "c2WLPFtWHVgbEmeEG93a4cG37dM="}},
         SH_AUTH_MISMATCH},
        {"GET",
         "/photos/puppy.jpg",
         "other",
         {{"Date", "Tue, 27 Mar 2007 19:36:42 +0000"}, {"Authorization", KEY "bWq2s1WEIj+Ydj0vQ697zp+IXMU="}},
         SH_AUTH_MISMATCH},
        {"GET",
         "/johnsmith/photos/puppy.jpg",
         NULL,
         {{"Date", "Tue, 27 Mar 2007 19:36:42 +0000"}, {"Authorization", KEY "bWq2s1WEIj+Ydj0vQ697zp+IXMU="}},
         SH_AUTH_OK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(verify(&rows[i], NOW, false), rows[i].fault);
}

static void faults(void **state)
{
    static const request rows[] = {
        {"GET", "/", NULL, {{"Authorization", "AWS"}}, SH_AUTH_ARGUMENT},
        {"GET", "/", NULL, {{"Authorization", "AWS a b:c"}}, SH_AUTH_ARGUMENT},
        {"GET", "/", NULL, {{"Authorization", "AWS :c"}}, SH_AUTH_ARGUMENT},
        {"GET", "/", NULL, {{"Authorization", "AWS a:b"}}, SH_AUTH_DATE},
        {"GET", "/", NULL, {{"Authorization", "AWS a:b"}, {"Date", "yesterday"}}, SH_AUTH_DATE},
        {"GET",
         "/",
         NULL,
         {{"Authorization", "AWS a:b"}, {"Date", "Tue, 27 Mar 2007 20:36:42 GMT"}},
         SH_AUTH_SKEWED},
        {"GET",
         "/",
         NULL,
         {{"Authorization", "AWS a:b"}, {"x-amz-date", "20070327T193642Z"}},
         SH_AUTH_MISMATCH},
        {"GET", "/?AWSAccessKeyId=a", NULL, {{"Host", "h"}}, SH_AUTH_INCOMPLETE},
        {"GET", "/?Signature=a&Expires=1175024203", NULL, {{"Host", "h"}}, SH_AUTH_INCOMPLETE},
        {"GET", "/?AWSAccessKeyId=a&Signature=a&Expires=soon", NULL, {{"Host", "h"}}, SH_AUTH_INCOMPLETE},
        {"GET", "/?AWSAccessKeyId=a&Signature=a&Expires=-1", NULL, {{"Host", "h"}}, SH_AUTH_INCOMPLETE},
        {"GET", "/?AWSAccessKeyId=a&Signature=a&Expires=1175024201", NULL, {{"Host", "h"}}, SH_AUTH_EXPIRED},
        {"GET", "/?AWSAccessKeyId=a&Signature=a&Expires=1175024203", NULL, {{"Host", "h"}}, SH_AUTH_MISMATCH},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(verify(&rows[i], NOW, true), rows[i].fault);
}

static void string_to_sign(void **state)
{
    sh_http_field fields[] = {{"Host", "h"},           {"Content-MD5", "md5"},  {"X-Amz-Meta-B", " 2\t"},
                              {"x-amz-meta-a", "one"}, {"x-amz-meta-b", "3 4"}, {"Content-Type", "a/b"}};
    sh_http_head head = {.method = "PUT", .fields = fields, .field_count = 6};
    sh_sigv2 claim = {.date = "5", .presigned = true};
    (void)state;
    assert_int_equal(
        sh_http_head_target(&head, arena, "/b/k%20?versionId=a%2Fb&acl&x=y&x-amz-security-token=t", NULL), 0);
    assert_string_equal(sh_sigv2_string_to_sign(&claim, &head, NULL, arena),
                        "PUT\nmd5\na/b\n5\nx-amz-meta-a:one\nx-amz-meta-b:2,3 4\nx-amz-security-token:t\n"
                        "/b/k%20?acl&versionId=a/b");
    claim.presigned = false;
    assert_string_equal(
        sh_sigv2_string_to_sign(&claim, &head, "h", arena),
        "PUT\nmd5\na/b\n5\nx-amz-meta-a:one\nx-amz-meta-b:2,3 4\n/h/b/k%20?acl&versionId=a/b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),
        cmocka_unit_test(faults),
        cmocka_unit_test(string_to_sign),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
