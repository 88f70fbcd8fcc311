/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/events.h"
#include "test_cloud_help.h"

#include <string.h>

static const char event_text[] =
    "{'version':'0','id':'7bf73129','detail-type':'Object "
    "Created','source':'aws.s3','account':'123456789012',"
    "'time':'2026-01-01T00:00:00Z','region':'us-east-1','resources':['arn:aws:s3:::in'],"
    "'detail':{'bucket':{'name':'in'},'object':{'key':'a b;\\\"q\\\"\\\\.mp4','size':12},"
    "'tags':['x','y'],'list':[{'n':1},{'n':2}],'ok':true}}";

typedef struct row {
    const char *target;
    const char *expected; /* NULL: no input can be made */
} row;

/* ' stands for " in both; the template itself is JSON in JSON, so its quotes are \'. */
static const row rows[] = {
    {"{'Input':'{\\\"a\\\": 1}'}", "{'a': 1}"},
    {"{'InputPath':'$.detail.bucket'}", "{'name':'in'}"},
    {"{'InputPath':'$.detail.list[1].n'}", "2"},
    {"{'InputPath':'$.detail.list[*].n'}", "[1,2]"},
    {"{'InputPath':'$.detail-type'}", "'Object Created'"},
    {"{'InputPath':'$[\\\"detail-type\\\"]'}", "'Object Created'"},
    {"{'InputPath':'$.detail.nothing'}", NULL},
    {"{'InputTransformer':{'InputPathsMap':{'b':'$.detail.bucket.name','s':'$.detail.object.size'},"
     "'InputTemplate':'{\\'bucket\\': <b>, \\'size\\': <s>}'}}",
     "{'bucket': 'in', 'size': 12}"},
    {"{'InputTransformer':{'InputPathsMap':{'b':'$.detail.bucket.name','k':'$.detail.object.key'},"
     "'InputTemplate':'{\\'uri\\': \\'s3://<b>/<k>\\'}'}}",
     "{'uri': 's3://in/a b;\\'q\\'\\\\.mp4'}"},
    {"{'InputTransformer':{'InputPathsMap':{'k':'$.detail.object.key'},'InputTemplate':'{\\'key\\': <k>}'}}",
     "{'key': 'a b;\\'q\\'\\\\.mp4'}"},
    {"{'InputTransformer':{'InputPathsMap':{'o':'$.detail.bucket','t':'$.detail.tags','y':'$.detail.ok'},"
     "'InputTemplate':'{\\'o\\': <o>, \\'t\\': [0, <t>], \\'y\\': <y>, \\'text\\': \\'<o> and <t>, "
     "<y>\\'}'}}",
     "{'o': {'name':'in'}, 't': [0, ['x','y']], 'y': true, 'text': '{name:in} and [x,y], true'}"},
    {"{'InputTransformer':{'InputPathsMap':{'n':'$.detail.nothing'},"
     "'InputTemplate':'{\\'a\\': <n>, \\'b\\': \\'x<n>y\\'}'}}",
     "{'a': '', 'b': 'xy'}"},
    {"{'InputTransformer':{'InputPathsMap':{'b':'$.detail.bucket.name'},"
     "'InputTemplate':'\\'bucket <b> of \\\\\\'<b>\\\\\\', 1 < 2\\''}}",
     "'bucket in of \\'in\\', 1 < 2'"},
    {"{'InputTransformer':{'InputTemplate':'{\\'rule\\': <aws.events.rule-name>, \\'arn\\': "
     "<aws.events.rule-arn>,"
     "\\'at\\': <aws.events.event.ingestion-time>}'}}",
     "{'rule': 'r', 'arn': 'arn:r','at': '2026-01-01T00:00:01Z'}"},
    {"{'InputTransformer':{'InputTemplate':'<aws.events.event>'}}",
     "{'version':'0','id':'7bf73129','detail-type':'Object "
     "Created','source':'aws.s3','account':'123456789012',"
     "'time':'2026-01-01T00:00:00Z','region':'us-east-1','resources':['arn:aws:s3:::in']}"},
};

static void test_rows(void **state)
{
    json_t *event = json_loads(quoted(event_text), 0, NULL);
    sh_event_context context = {event, "r", "arn:r", 1767225601000};
    assert_non_null(event);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        sh_buf out;
        sh_err err = {0};
        json_error_t error;
        json_t *target = json_loads(quoted(rows[i].target), 0, &error);
        if (!target)
            fail_msg("row %zu: %s", i, error.text);
        if (sh_target_check(target, &err) < 0)
            fail_msg("%s: %s", rows[i].target, err.message);
        sh_buf_init(&out, 65536);
        int status = sh_target_input(target, &context, &out, &err);
        assert_int_equal(status < 0, rows[i].expected == NULL);
        if (status == 0)
            assert_string_equal(sh_buf_cstr(&out), quoted(rows[i].expected));
        sh_buf_free(&out);
        json_decref(target);
    }
    json_decref(event);
}

static void test_whole_event(void **state)
{
    sh_buf out;
    json_t *event = json_loads(quoted(event_text), 0, NULL), *nothing = json_object(), *back;
    json_t *all = json_loads(
        "{\"InputTransformer\":{\"InputTemplate\":\"{\\\"e\\\":<aws.events.event.json>}\"}}", 0, NULL);
    sh_event_context context = {event, "r", "arn:r", 0};
    sh_buf_init(&out, 65536);
    assert_int_equal(sh_target_input(nothing, &context, &out, NULL), 0);
    back = json_loads(sh_buf_cstr(&out), 0, NULL);
    assert_true(json_equal(back, event));
    json_decref(back);
    sh_buf_clear(&out);
    assert_int_equal(sh_target_input(all, &context, &out, NULL), 0);
    back = json_loads(sh_buf_cstr(&out), 0, NULL);
    assert_true(json_equal(json_object_get(back, "e"), event));
    json_decref(back);
    json_decref(all);
    json_decref(nothing);
    json_decref(event);
    sh_buf_free(&out);
}

static void test_refused(void **state)
{
    static const char *const bad[] = {
        "{'Input':'{'}",
        "{'Input':1}",
        "{'Input':'1','InputPath':'$'}",
        "{'InputPath':'detail'}",
        "{'InputPath':'$.a[x]'}",
        "{'InputPath':'$..a'}",
        "{'InputTransformer':{}}",
        "{'InputTransformer':{'InputTemplate':'{\\'a\\': <b>}'}}",
        "{'InputTransformer':{'InputPathsMap':{'b':'$.x'},'InputTemplate':'{\\'a\\': <b>'}}",
        "{'InputTransformer':{'InputPathsMap':{'b':'x'},'InputTemplate':'{\\'a\\': <b>}'}}",
        "{'InputTransformer':{'InputPathsMap':{'aws.x':'$.x'},'InputTemplate':'1'}}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        sh_err err = {0};
        json_t *target = json_loads(quoted(bad[i]), 0, NULL);
        assert_non_null(target);
        if (sh_target_check(target, &err) == 0)
            fail_msg("%s is taken", bad[i]);
        assert_true(err.message[0]);
        json_decref(target);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_whole_event),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
