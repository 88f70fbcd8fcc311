/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hosts and targets of S3; the forms and answers of the Query protocol. */
#include "../http/arena_case.h"
#include "base/buf.h"
#include "cloud/api/query.h"
#include "cloud/api/s3_target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void hosts(void **state)
{
    static const char *const rows[][2] = {
        {"videos.localhost", "videos"},
        {"videos.localhost:9000", "videos"},
        {"a.b.localhost", "a.b"},
        {"videos.s3.localhost", "videos"},
        {"videos.s3.us-east-1.localhost", "videos"},
        {"Videos.EXAMPLE.com:1", "videos"},
        {"videos.s3.example.com", "videos"},
        {"videos.s3.example.org", "videos"},
        {"s3.localhost", NULL},
        {"s3.us-east-1.localhost", NULL},
        {"localhost", NULL},
        {".localhost", NULL},
        {"example.com", NULL},
        {"s3.example.org", NULL},
        {"xexample.com", NULL},
        {"127.0.0.1:9000", NULL},
        {"[::1]:9000", NULL},
        {"", NULL},
        {NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *found = sh_s3_host_bucket(rows[i][0], "example.com,s3.example.org", "us-east-1", arena);
        if (rows[i][1])
            assert_string_equal(found, rows[i][1]);
        else
            assert_null(found);
    }
}

static void targets(void **state)
{
    static const struct {
        const char *host, *path, *bucket, *key;
        int status;
    } rows[] = {
        {"h", "/", NULL, NULL, 0},
        {"h", "/b", "b", NULL, 0},
        {"h", "/b/", "b", NULL, 0},
        {"h", "/b//", "b", "/", 0},
        {"h", "/b/a//../c%2F%2e", "b", "a//../c/.", 0},
        {"h", "/b/a+b", "b", "a+b", 0},
        {"b.localhost", "/", "b", NULL, 0},
        {"b.localhost", "/k/l", "b", "k/l", 0},
        {"h", "/b/%00", NULL, NULL, SH_E_FORMAT},
        {"h", "/b/%", NULL, NULL, SH_E_FORMAT},
        {"h", "/b/%ff", NULL, NULL, SH_E_FORMAT},
        {"h", "/%zz", NULL, NULL, SH_E_FORMAT},
    };
    const sh_cloud cloud = {.settings = {.region = "us-east-1"}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        sh_http_field field = {"Host", rows[i].host};
        sh_http_head head = {.fields = &field, .field_count = 1, .path = rows[i].path};
        sh_s3_target target;
        assert_int_equal(sh_s3_target_read(&cloud, &head, arena, &target), rows[i].status);
        if (rows[i].status < 0)
            continue;
        assert_true(!rows[i].bucket == !target.bucket && !rows[i].key == !target.key);
        if (target.bucket)
            assert_string_equal(target.bucket, rows[i].bucket);
        if (target.key)
            assert_string_equal(target.key, rows[i].key);
    }
}

static const sh_service service = {.name = "iam"};
static const sh_query_member members[] = {{"MaxItems", SH_QUERY_INTEGER}, {"Flag", SH_QUERY_BOOLEAN},
                                          {"Tags", SH_QUERY_LIST},        {"Map", SH_QUERY_MAP},
                                          {"Do", SH_QUERY_RESULT},        {NULL, 0}};
static const sh_query_service query = {&service, "2010-05-08", "urn:x", members};

static void forms(void **state)
{
    static const char *const rows[][2] = {
        {"", "{}"},
        {"Action=Do&Version=2010-05-08&A=b+c%21", "{\"A\":\"b c!\"}"},
        {"MaxItems=5&Flag=true&Tags=&Empty=", "{\"MaxItems\":5,\"Flag\":true,\"Tags\":[],\"Empty\":\"\"}"},
        {"Tags.member.2.Key=x&Tags.member.1.Key=k&Tags.member.1.Value=v",
         "{\"Tags\":[{\"Key\":\"k\",\"Value\":\"v\"},{\"Key\":\"x\"}]}"},
        {"A.member.1.B.member.1=x&A.member.1.C.D=y", "{\"A\":[{\"B\":[\"x\"],\"C\":{\"D\":\"y\"}}]}"},
        {"X-Amz-Date=1&A=1", "{\"A\":\"1\"}"},
        {"MaxItems=x", NULL},
        {"Flag=yes", NULL},
        {"Tags=x", NULL},
        {"A=1&A=2", NULL},
        {"A=1&A.B=2", NULL},
        {"A.B=1&A.member.1=2", NULL},
        {"A.member.2=x", NULL},
        {"A.member.x=x", NULL},
        {"A.member.99999999999999999999=x", NULL},
        {"A=%ff", NULL},
        {"A=%zz", NULL},
        {"=x", NULL},
        {"A..B=x", NULL},
        {"%0A=x", NULL},
        {"A.%0A=x&A.1=y", NULL},
        {"A.B.C.D.E.F.G.H.I.J.K.L=x", NULL},
        {"Version=2000-01-01", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *in = NULL, *wanted = rows[i][1] ? json_loads(rows[i][1], 0, NULL) : NULL;
        const char *action = NULL;
        sh_err err = {0};
        int status = sh_query_read(&query, rows[i][0], strlen(rows[i][0]), arena, &action, &in, &err);
        assert_int_equal(status == 0, wanted != NULL);
        assert_true(status == 0 ? json_equal(in, wanted) : err.message[0]);
        json_decref(in);
        json_decref(wanted);
    }
}

static void answers(void **state)
{
    static const char *const rows[][3] = {
        {"Go", "{}",
         "<GoResponse "
         "xmlns=\"urn:x\"><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></GoResponse>"},
        {"Do", "{}",
         "<DoResponse xmlns=\"urn:x\"><DoResult></DoResult><ResponseMetadata><RequestId>id</RequestId>"
         "</ResponseMetadata></DoResponse>"},
        {"Go", "{\"A\":[{\"B\":\"<&\"},\"c\"],\"N\":null,\"T\":true,\"I\":-1,\"Map\":{\"k\":2}}",
         "<GoResponse "
         "xmlns=\"urn:x\"><GoResult><A><member><B>&lt;&amp;</B></member><member>c</member></A><T>true</"
         "T><I>-1</I>"
         "<Map><entry><key>k</key><value>2</value></entry></Map></GoResult><ResponseMetadata><RequestId>id</"
         "RequestId>"
         "</ResponseMetadata></GoResponse>"},
    };
    sh_buf out;
    (void)state;
    sh_buf_init(&out, 65536);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *output = json_loads(rows[i][1], 0, NULL);
        sh_buf_clear(&out);
        sh_query_write(&out, &query, rows[i][0], output, "id");
        assert_string_equal(sh_buf_cstr(&out), rows[i][2]);
        json_decref(output);
    }
    sh_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts),
        cmocka_unit_test(targets),
        cmocka_unit_test(forms),
        cmocka_unit_test(answers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
