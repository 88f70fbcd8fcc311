/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/states.h"
#include "test_cloud_help.h"

#include <string.h>

static const char upper[] =
    "{'Role':'arn','Settings':{'OutputGroups':[{'Name':'Apple HLS','Outputs':[{'NameModifier':'_x',"
    "'VideoDescription':{'CodecSettings':{'Codec':'H_264','H264Settings':{'MaxBitrate':5000000}}}}],"
    "'OutputGroupSettings':{'HlsGroupSettings':{'SegmentLength':10,'MinSegmentLength':0}}}],"
    "'Inputs':[{'AudioSelectors':{'Audio Selector 1':{'DefaultSelection':'DEFAULT'}},"
    "'CaptionSelectors':{'Mine':{'SourceSettings':{'SourceType':'SCC'}}},'VideoSelector':{}}]},"
    "'UserMetadata':{'Film':'A','director':'B','Tags':'C'},'Tags':{'Team':'x'}}";
static const char lower[] =
    "{'role':'arn','settings':{'outputGroups':[{'name':'Apple HLS','outputs':[{'nameModifier':'_x',"
    "'videoDescription':{'codecSettings':{'codec':'H_264','h264Settings':{'maxBitrate':5000000}}}}],"
    "'outputGroupSettings':{'hlsGroupSettings':{'segmentLength':10,'minSegmentLength':0}}}],"
    "'inputs':[{'audioSelectors':{'Audio Selector 1':{'defaultSelection':'DEFAULT'}},"
    "'captionSelectors':{'Mine':{'sourceSettings':{'sourceType':'SCC'}}},'videoSelector':{}}]},"
    "'userMetadata':{'Film':'A','director':'B','Tags':'C'},'tags':{'Team':'x'}}";

static void test_both_ways(void **state)
{
    json_t *u = json_loads(quoted(upper), 0, NULL), *l = json_loads(quoted(lower), 0, NULL);
    json_t *lowered = sh_case_lower(u), *raised = sh_case_upper(l);
    assert_true(json_equal(lowered, l));
    assert_true(json_equal(raised, u));
    json_decref(raised);
    json_decref(lowered);
    json_decref(l);
    json_decref(u);
}

/* The tags of Step Functions are a list of objects: no map of the user's words. */
static void test_list_of_tags(void **state)
{
    json_t *in = json_loads("{\"tags\":[{\"key\":\"a\",\"value\":\"b\"}]}", 0, NULL);
    json_t *out = sh_case_upper(in);
    char *text = json_dumps(out, JSON_COMPACT);
    assert_string_equal(text, "{\"Tags\":[{\"Key\":\"a\",\"Value\":\"b\"}]}");
    free(text);
    json_decref(out);
    json_decref(in);
}

static void test_odd_names(void **state)
{
    json_t *in = json_loads("{\"\":1,\"1a\":2,\"\xc3\x84\":3,\"x\":[null,true,\"Y\"]}", 0, NULL);
    json_t *out = sh_case_upper(in);
    assert_int_equal(json_integer_value(json_object_get(out, "")), 1);
    assert_int_equal(json_integer_value(json_object_get(out, "1a")), 2);
    assert_int_equal(json_integer_value(json_object_get(out, "\xc3\x84")), 3);
    assert_int_equal(json_array_size(json_object_get(out, "X")), 3);
    json_decref(out);
    json_decref(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_list_of_tags),
        cmocka_unit_test(test_odd_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
