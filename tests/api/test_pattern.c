/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cloud/api/events.h"
#include "test_cloud_help.h"

#include <string.h>

static const char event_text[] =
    "{'version':'0','source':'aws.s3','detail-type':'Object Created','region':'us-east-1',"
    "'resources':['arn:aws:s3:::in','arn:x'],'none':null,'empty':[],"
    "'detail':{'bucket':{'name':'in'},'object':{'key':'films/My Film.MP4','size':1048576,'neg':-2.5},"
    "'flag':true,'list':[{'a':1},{'a':2,'b':'x'}],'numbers':[1,5,9]}}";

typedef struct row {
    const char *pattern;
    int expected; /* 1 matches, 0 not, -1 is refused */
} row;

static const row rows[] = {
    {"{'source':['aws.s3']}", 1},
    {"{'source':['aws.ec2','aws.s3']}", 1},
    {"{'source':['aws']}", 0},
    {"{'source':['aws.s3'],'detail-type':['Object Deleted']}", 0},
    {"{'detail':{'bucket':{'name':['in']}}}", 1},
    {"{'detail':{'bucket':{'name':['out']}}}", 0},
    {"{'detail':{'bucket':['in']}}", 0},
    {"{'resources':['arn:x']}", 1},
    {"{'resources':[{'prefix':'arn:aws:s3'}]}", 1},
    {"{'detail':{'object':{'key':[{'prefix':'films/'}]}}}", 1},
    {"{'detail':{'object':{'key':[{'prefix':'FILMS/'}]}}}", 0},
    {"{'detail':{'object':{'key':[{'prefix':{'equals-ignore-case':'FILMS/'}}]}}}", 1},
    {"{'detail':{'object':{'key':[{'suffix':'.mp4'}]}}}", 0},
    {"{'detail':{'object':{'key':[{'suffix':'.MP4'}]}}}", 1},
    {"{'detail':{'object':{'key':[{'suffix':{'equals-ignore-case':'.mp4'}}]}}}", 1},
    {"{'detail':{'object':{'key':[{'equals-ignore-case':'FILMS/my film.mp4'}]}}}", 1},
    {"{'detail':{'object':{'key':[{'wildcard':'films/*.MP4'}]}}}", 1},
    {"{'detail':{'object':{'key':[{'wildcard':'*'}]}}}", 1},
    {"{'detail':{'object':{'key':[{'wildcard':'*Film*Film*'}]}}}", 0},
    {"{'detail':{'object':{'key':[{'wildcard':'f*s/*y F*P4'}]}}}", 1},
    {"{'detail':{'object':{'key':[{'wildcard':'films\\\\*'}]}}}", 0},
    {"{'detail':{'object':{'key':[{'wildcard':'a**b'}]}}}", -1},
    {"{'detail':{'object':{'key':[{'anything-but':'x'}]}}}", 1},
    {"{'detail':{'object':{'key':[{'anything-but':['x','films/My Film.MP4']}]}}}", 0},
    {"{'detail':{'object':{'key':[{'anything-but':{'prefix':'films/'}}]}}}", 0},
    {"{'detail':{'object':{'key':[{'anything-but':{'suffix':['.mp4','.mov']}}]}}}", 1},
    {"{'detail':{'object':{'key':[{'anything-but':{'wildcard':'*Film*'}}]}}}", 0},
    {"{'detail':{'object':{'missing':[{'anything-but':'x'}]}}}", 0},
    {"{'detail':{'object':{'size':[1048576]}}}", 1},
    {"{'detail':{'object':{'size':[1048576.0]}}}", 1},
    {"{'detail':{'object':{'size':['1048576']}}}", 0},
    {"{'detail':{'object':{'size':[{'numeric':['>',0]}]}}}", 1},
    {"{'detail':{'object':{'size':[{'numeric':['>',0,'<=',1048576]}]}}}", 1},
    {"{'detail':{'object':{'size':[{'numeric':['>',0,'<',1048576]}]}}}", 0},
    {"{'detail':{'object':{'neg':[{'numeric':['=',-2.5]}]}}}", 1},
    {"{'detail':{'object':{'key':[{'numeric':['>',0]}]}}}", 0},
    {"{'detail':{'object':{'size':[{'numeric':['>']}]}}}", -1},
    {"{'detail':{'object':{'size':[{'numeric':['>','1']}]}}}", -1},
    {"{'detail':{'object':{'size':[{'numeric':['!',1]}]}}}", -1},
    {"{'detail':{'object':{'size':[{'exists':true}]}}}", 1},
    {"{'detail':{'object':{'size':[{'exists':false}]}}}", 0},
    {"{'detail':{'object':{'gone':[{'exists':false}]}}}", 1},
    {"{'detail':{'gone':{'deep':[{'exists':false}]}}}", 1},
    {"{'detail':{'gone':{'deep':[{'exists':true}]}}}", 0},
    {"{'empty':[{'exists':false}]}", 1},
    {"{'none':[null]}", 1},
    {"{'none':[{'exists':true}]}", 1},
    {"{'gone':[null]}", 0},
    {"{'detail':{'flag':[true]}}", 1},
    {"{'detail':{'flag':['true']}}", 0},
    {"{'detail':{'list':{'a':[2]}}}", 1},
    {"{'detail':{'list':{'a':[3]}}}", 0},
    {"{'detail':{'numbers':[{'numeric':['>',8]}]}}", 1},
    {"{'$or':[{'source':['no']},{'detail':{'flag':[true]}}]}", 1},
    {"{'$or':[{'source':['no']},{'detail':{'flag':[false]}}]}", 0},
    {"{'source':['aws.s3'],'detail':{'$or':[{'flag':[false]},{'bucket':{'name':['in']}}]}}", 1},
    {"{'$or':[{'source':['no']}]}", -1},
    {"{}", -1},
    {"[]", -1},
    {"{'source':'aws.s3'}", -1},
    {"{'source':[]}", -1},
    {"{'source':[['a']]}", -1},
    {"{'source':[{'suffix':1}]}", -1},
    {"{'source':[{'cidr':'10.0.0.0/8'}]}", -1},
    {"{'source':[{'prefix':'a','suffix':'b'}]}", -1},
    {"{'source':[{'exists':1}]}", -1},
    {"{'source':[{'anything-but':[]}]}", -1},
    {"{'source':[{'anything-but':{'numeric':['>',1]}}]}", -1},
    {"{'source':", -1},
};

static void test_rows(void **state)
{
    json_t *event = json_loads(quoted(event_text), 0, NULL);
    assert_non_null(event);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        sh_err err = {0};
        json_t *pattern = NULL;
        int status = sh_pattern_load(&pattern, quoted(rows[i].pattern), &err);
        int got = status < 0 ? -1 : sh_pattern_match(pattern, event);
        if (got != rows[i].expected)
            fail_msg("%s: %d, expected %d (%s)", rows[i].pattern, got, rows[i].expected, err.message);
        assert_true(status == 0 || err.message[0]);
        json_decref(pattern);
    }
    json_decref(event);
}

/* A wildcard of many stars does not take for ever. */
static void test_wildcard_cost(void **state)
{
    char pattern[256] = "{\"a\":[{\"wildcard\":\"", text[20000];
    json_t *loaded = NULL;
    for (int i = 0; i < 50; i++)
        strncat(pattern, "*a", sizeof(pattern) - strlen(pattern) - 1);
    strncat(pattern, "*b\"}]}", sizeof(pattern) - strlen(pattern) - 1);
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(sh_pattern_load(&loaded, pattern, NULL), 0);
    json_t *event = json_pack("{s:s}", "a", text);
    assert_false(sh_pattern_match(loaded, event));
    json_decref(event);
    json_decref(loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_wildcard_cost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
