/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The worked examples of AWS's documentation ("Authenticating Requests: Using the Authorization Header" and
 * "... Using Query Parameters", and the derivation of a signing key), then each fault. */
#include "arena_case.h"
#include "cloud/http/sigv4.h"
#include "cloud/http/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define CREDENTIAL "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
#define NOW ((int64_t)1369353600000) /* 2013-05-24T00:00:00Z */

static sh_http_head head_of(const char *method, const char *target, sh_http_field *fields, size_t count)
{
    sh_http_head head = {.method = method, .fields = fields, .field_count = count};
    assert_int_equal(sh_http_head_target(&head, arena, target, NULL), 0);
    return head;
}

static sh_auth_fault verify(const sh_http_head *head, bool s3)
{
    sh_sigv4 claim;
    const char *message = NULL;
    sh_auth_fault fault = sh_sigv4_parse(head, arena, &claim, &message);
    if (!fault)
        fault = sh_sigv4_check_time(&claim, NOW, &message);
    if (!fault)
        fault =
            sh_sigv4_check(&claim, head, SECRET, claim.payload ? claim.payload : EMPTY, s3, arena, &message);
    if (fault)
        assert_non_null(message);
    return fault;
}

static void get_object_example(void **state)
{
    sh_http_field fields[] = {{"Host", "examplebucket.s3.amazonaws.com"},
                              {"Range", "bytes=0-9"},
                              {"x-amz-content-sha256", EMPTY},
                              {"x-amz-date", "20130524T000000Z"},
                              {"Authorization",
                               "AWS4-HMAC-SHA256 " CREDENTIAL
                               ",SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
                               "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"}};
    sh_http_head head = head_of("GET", "/test.txt", fields, 5);
    (void)state;
    assert_int_equal(verify(&head, true), SH_AUTH_OK);
    fields[1].value = "bytes=0-8";
    assert_int_equal(verify(&head, true), SH_AUTH_MISMATCH);
}

static void put_object_example(void **state)
{
    sh_http_field fields[] = {
        {"Host", "examplebucket.s3.amazonaws.com"},
        {"Date", "Fri, 24 May 2013 00:00:00 GMT"},
        {"x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"},
        {"x-amz-date", "20130524T000000Z"},
        {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
        {"Authorization", "AWS4-HMAC-SHA256 " CREDENTIAL
                          ",SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,"
                          "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"}};
    sh_http_head head = head_of("PUT", "/test%24file.text", fields, 6);
    (void)state;
    assert_int_equal(verify(&head, true), SH_AUTH_OK);
    head.path = "/test$file.text"; /* the same key, encoded less */
    assert_int_equal(verify(&head, true), SH_AUTH_OK);
    fields[4].value = "  REDUCED_REDUNDANCY  ";
    assert_int_equal(verify(&head, true), SH_AUTH_OK);
}

static void query_without_values_and_sorting(void **state)
{
    sh_http_field fields[] = {{"Host", "examplebucket.s3.amazonaws.com"},
                              {"x-amz-content-sha256", EMPTY},
                              {"x-amz-date", "20130524T000000Z"},
                              {"Authorization",
                               "AWS4-HMAC-SHA256 " CREDENTIAL
                               ",SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
                               "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"}};
    sh_http_head lifecycle = head_of("GET", "/?lifecycle", fields, 4);
    (void)state;
    assert_int_equal(verify(&lifecycle, true), SH_AUTH_OK);
    fields[3].value = "AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
                      "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7";
    sh_http_head list = head_of("GET", "/?prefix=J&max-keys=2", fields, 4);
    assert_int_equal(verify(&list, true), SH_AUTH_OK);
}

#define PRESIGNED                                                                                            \
    "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-" \
    "1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
#define PRESIGNATURE "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"

static void presigned_example(void **state)
{
    sh_http_field fields[] = {{"Host", "examplebucket.s3.amazonaws.com"}};
    sh_http_head head = head_of("GET", PRESIGNED PRESIGNATURE, fields, 1);
    sh_sigv4 claim;
    const char *message;
    (void)state;
    assert_int_equal(verify(&head, true), SH_AUTH_OK);
    assert_int_equal(sh_sigv4_parse(&head, arena, &claim, &message), SH_AUTH_OK);
    assert_true(claim.presigned);
    assert_int_equal(sh_sigv4_check_time(&claim, NOW + 86400000, &message), SH_AUTH_OK);
    assert_int_equal(sh_sigv4_check_time(&claim, NOW + 86400001, &message), SH_AUTH_EXPIRED);
    assert_int_equal(sh_sigv4_check_time(&claim, NOW - SH_SIGV4_SKEW_MS - 1, &message), SH_AUTH_NOT_YET);
    head = head_of("PUT", PRESIGNED PRESIGNATURE, fields, 1);
    assert_int_equal(verify(&head, true), SH_AUTH_MISMATCH);
    head = head_of("GET", PRESIGNED PRESIGNATURE "&versionId=1", fields, 1);
    assert_int_equal(verify(&head, true), SH_AUTH_MISMATCH);
    head = head_of("GET", PRESIGNED, fields, 1);
    assert_int_equal(verify(&head, true), SH_AUTH_QUERY);
}

static void signing_key_example(void **state)
{
    unsigned char key[32];
    char hex[65];
    (void)state;
    assert_true(
        sh_sigv4_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830", "us-east-1", "iam", key));
    sh_hex(key, 32, hex);
    assert_string_equal(hex, "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
}

/* Canonical forms of a service other than S3. */
static void paths_of_other_services(void **state)
{
    static const struct {
        const char *path, *canonical;
    } rows[] = {{"/", "/"},
                {"//", "/"},
                {"/a/./b/../c/", "/a/c/"},
                {"/../..", "/"},
                {"/a%20b", "/a%2520b"},
                {"/2017-08-29/jobs", "/2017-08-29/jobs"}};
    sh_http_field fields[] = {{"Host", "h"}};
    sh_sigv4 claim = {.signed_fields = "host"};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char expected[256];
        sh_http_head head = head_of("GET", rows[i].path, fields, 1);
        snprintf(expected, sizeof(expected), "GET\n%s\n\nhost:h\n\nhost\nHASH", rows[i].canonical);
        assert_string_equal(sh_sigv4_canonical(&claim, &head, "HASH", false, arena), expected);
    }
}

static void canonical_details(void **state)
{
    sh_http_field fields[] = {{"host", "h"}, {"X-Many", " a   b "}, {"x-many", "c"}};
    sh_sigv4 claim = {.signed_fields = "host;x-many"};
    sh_http_head head = head_of("GET", "/a//b/../c?b=2&a=3&a=1&c&d=%7e/", fields, 3);
    (void)state;
    assert_string_equal(sh_sigv4_canonical(&claim, &head, "UNSIGNED-PAYLOAD", true, arena),
                        "GET\n/a//b/../c\na=1&a=3&b=2&c=&d=~%2F\nhost:h\nx-many:a b,c\n\nhost;x-many\n"
                        "UNSIGNED-PAYLOAD");
}

static void faults_of_the_field(void **state)
{
    static const struct {
        const char *authorization;
        sh_auth_fault fault;
    } rows[] = {
        {"AWS AKID:signature", SH_AUTH_UNSUPPORTED},
        {"AWS4-HMAC-SHA256", SH_AUTH_MALFORMED},
        {"AWS4-HMAC-SHA256x Credential=a", SH_AUTH_UNSUPPORTED},
        {"AWS4-HMAC-SHA256 Credential", SH_AUTH_MALFORMED},
        {"AWS4-HMAC-SHA256 Credential=a/b", SH_AUTH_MALFORMED},
        {"AWS4-HMAC-SHA256 Credential=a/2013/us-east-1/s3/aws4_request", SH_AUTH_MALFORMED},
        {"AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws5_request", SH_AUTH_MALFORMED},
        {"AWS4-HMAC-SHA256 " CREDENTIAL ",Signature=0", SH_AUTH_MALFORMED},
        {"AWS4-HMAC-SHA256 " CREDENTIAL ",SignedHeaders=host,Signature=0,More=1", SH_AUTH_MALFORMED},
        {"AWS4-HMAC-SHA256 " CREDENTIAL ",SignedHeaders=host,Signature=0", SH_AUTH_MISMATCH},
        {"AWS4-HMAC-SHA256 Credential=a/20130523/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=0",
         SH_AUTH_MALFORMED},
    };
    sh_http_field fields[] = {{"Host", "h"}, {"x-amz-date", "20130524T000000Z"}, {"Authorization", ""}};
    sh_http_head head = head_of("GET", "/", fields, 3);
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fields[2].value = rows[i].authorization;
        assert_int_equal(verify(&head, true), rows[i].fault);
    }
    head.field_count = 2;
    assert_int_equal(verify(&head, true), SH_AUTH_MISSING);
    fields[1] = (sh_http_field){"Authorization", rows[9].authorization};
    assert_int_equal(verify(&head, true), SH_AUTH_DATE);
}

/* A request with a good signature over `signed_fields`. */
static sh_auth_fault verify_signed(sh_http_field *fields, size_t count, const char *signed_fields)
{
    char authorization[512], hex[65];
    sh_http_head head = head_of("GET", "/", fields, count);
    sh_sigv4 claim = {.stamp = "20130524T000000Z",
                      .date = "20130524",
                      .region = "us-east-1",
                      .service = "s3",
                      .signed_fields = signed_fields};
    const char *text = sh_sigv4_string_to_sign(
        &claim, sh_sigv4_canonical(&claim, &head, "UNSIGNED-PAYLOAD", true, arena), arena);
    assert_true(sh_sigv4_key(SECRET, claim.date, claim.region, claim.service, claim.key));
    assert_true(sh_sigv4_sign(claim.key, text, strlen(text), hex));
    snprintf(authorization, sizeof(authorization),
             "AWS4-HMAC-SHA256 " CREDENTIAL ",SignedHeaders=%s,Signature=%s", signed_fields, hex);
    fields[count] = (sh_http_field){"Authorization", authorization};
    head.field_count = count + 1;
    return verify(&head, true);
}

static void what_must_be_signed(void **state)
{
    sh_http_field fields[8] = {{"Host", "h"},
                               {"x-amz-date", "20130524T000000Z"},
                               {"x-amz-content-sha256", "UNSIGNED-PAYLOAD"},
                               {"x-amz-acl", "public-read"}};
    (void)state;
    assert_int_equal(verify_signed(fields, 4, "host;x-amz-acl;x-amz-content-sha256;x-amz-date"), SH_AUTH_OK);
    assert_int_equal(verify_signed(fields, 4, "host;x-amz-content-sha256;x-amz-date"),
                     SH_AUTH_UNSIGNED_FIELD);
    assert_int_equal(verify_signed(fields, 4, "x-amz-acl;x-amz-content-sha256;x-amz-date"),
                     SH_AUTH_UNSIGNED_FIELD);
}

static void skew_and_payload_kinds(void **state)
{
    static const struct {
        const char *text;
        sh_payload kind;
    } rows[] = {{EMPTY, SH_PAYLOAD_HASH},
                {"UNSIGNED-PAYLOAD", SH_PAYLOAD_UNSIGNED},
                {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", SH_PAYLOAD_CHUNKS},
                {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", SH_PAYLOAD_CHUNKS_TRAILER},
                {"STREAMING-UNSIGNED-PAYLOAD-TRAILER", SH_PAYLOAD_UNSIGNED_TRAILER},
                {"E3B0C442", SH_PAYLOAD_INVALID}};
    sh_http_field fields[] = {
        {"Host", "h"},
        {"x-amz-date", "20130524T000000Z"},
        {"Authorization", "AWS4-HMAC-SHA256 " CREDENTIAL ",SignedHeaders=host,Signature=0"},
        {"x-amz-content-sha256", ""}};
    sh_http_head head = head_of("GET", "/", fields, 4);
    sh_sigv4 claim;
    const char *message;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fields[3].value = rows[i].text;
        assert_int_equal(sh_sigv4_parse(&head, arena, &claim, &message), SH_AUTH_OK);
        assert_int_equal(claim.payload_kind, rows[i].kind);
    }
    assert_int_equal(claim.time_ms, NOW);
    assert_int_equal(sh_sigv4_check_time(&claim, NOW + SH_SIGV4_SKEW_MS, &message), SH_AUTH_OK);
    assert_int_equal(sh_sigv4_check_time(&claim, NOW - SH_SIGV4_SKEW_MS, &message), SH_AUTH_OK);
    assert_int_equal(sh_sigv4_check_time(&claim, NOW + SH_SIGV4_SKEW_MS + 1, &message), SH_AUTH_SKEWED);
    assert_int_equal(sh_sigv4_check_time(&claim, NOW - SH_SIGV4_SKEW_MS - 1, &message), SH_AUTH_SKEWED);
    head.field_count = 3;
    assert_int_equal(sh_sigv4_parse(&head, arena, &claim, &message), SH_AUTH_OK);
    assert_int_equal(claim.payload_kind, SH_PAYLOAD_ABSENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_object_example),
        cmocka_unit_test(put_object_example),
        cmocka_unit_test(query_without_values_and_sorting),
        cmocka_unit_test(presigned_example),
        cmocka_unit_test(signing_key_example),
        cmocka_unit_test(paths_of_other_services),
        cmocka_unit_test(canonical_details),
        cmocka_unit_test(faults_of_the_field),
        cmocka_unit_test(what_must_be_signed),
        cmocka_unit_test(skew_and_payload_kinds),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
