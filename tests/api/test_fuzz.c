/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Damaged patterns, paths, templates, definitions and inputs: each is taken or refused with a reason, never a
 * crash (run under ASan + UBSan). usage: test_api_fuzz [ROUNDS [SEED]] */
#include "cloud/api/events.h"
#include "cloud/api/states.h"
#include "test_cloud_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT 2048

static uint64_t seed = 1;
static long rounds = 20000;

static const char *const patterns[] = {
    ("{'source':['a',{'prefix':'b'},{'suffix':{'equals-ignore-case':'c'}}],'detail':{'n':[{'numeric':['>',1,'"
     "<"
     "',5]}]}}"),
    "{'$or':[{'a':[{'exists':false}]},{'b':[{'anything-but':['x',1]}]}],'k':[{'wildcard':'a*b\\\\*c*'}]}",
    "{'detail':{'list':{'a':[null,true,1e3,{'anything-but':{'wildcard':['*x','y*']}}]}}}",
};

static const char *const targets[] = {
    ("{'InputTransformer':{'InputPathsMap':{'a':'$.detail.list[*].a','b':'$.detail[\\\"n\\\"]','c':'$[0].*'},"
     "'InputTemplate':'{\\\"x\\\":<a>,\\\"y\\\":\\\"<b> <c> \\\\\\\" <aws.events.event>\\\"}'}}"),
    "{'InputPath':'$.detail.list[1].a'}",
    "{'Input':'{\\\"a\\\":[1,2]}'}",
};

static const char *const events[] = {
    ("{'id':'1','source':'abc','detail':{'n':3,'list':[{'a':'x'},{'a':[1,{'b':2}]}],'k':'a--b*c'},'resources'"
     ":"
     "[]}"),
    "[[1,2],{'a':'\\u00e9\\\"'},null]",
};

static uint64_t next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* A copy of one of the texts with a few bytes changed, doubled, left out or put from elsewhere. */
static void mutate(const char *const *texts, size_t count, char out[TEXT])
{
    static const char letters[] = "{}[]\",:\\$.*<>'0-9eatn\x01\x7f";
    snprintf(out, TEXT, "%s", quoted(texts[next() % count]));
    for (uint64_t n = next() % 6; n > 0; n--) {
        size_t length = strlen(out), at = length ? next() % length : 0;
        size_t piece = length - at > 8 ? next() % 8 : 0;
        switch (next() % 4) {
        case 0:
            if (length)
                out[at] = letters[next() % (sizeof(letters) - 1)];
            break;
        case 1:
            memmove(out + at, out + at + piece, length - at - piece + 1);
            break;
        case 2:
            if (length + piece + 1 < TEXT) {
                memmove(out + at + piece, out + at, length - at + 1);
            }
            break;
        default:
            out[at] = '\0';
        }
    }
}

static void test_patterns(void **state)
{
    char text[TEXT], event_text[TEXT];
    long taken = 0;
    for (long i = 0; i < rounds; i++) {
        sh_err err = {0};
        json_t *pattern = NULL;
        mutate(patterns, sizeof(patterns) / sizeof(*patterns), text);
        mutate(events, sizeof(events) / sizeof(*events), event_text);
        json_t *event = json_loads(event_text, JSON_DECODE_ANY, NULL);
        int status = sh_pattern_load(&pattern, text, &err);
        assert_true(status == 0 || err.message[0]);
        if (status == 0 && event)
            taken += sh_pattern_match(pattern, event) || true;
        json_decref(pattern);
        json_decref(event);
    }
    assert_true(taken > rounds / 100);
}

static void test_targets(void **state)
{
    char text[TEXT], event_text[TEXT];
    long taken = 0;
    for (long i = 0; i < rounds; i++) {
        sh_err err = {0};
        sh_buf out;
        mutate(targets, sizeof(targets) / sizeof(*targets), text);
        mutate(events, sizeof(events) / sizeof(*events), event_text);
        json_t *target = json_loads(text, 0, NULL), *event = json_loads(event_text, 0, NULL);
        sh_buf_init(&out, 65536);
        if (target && event && sh_target_check(target, &err) == 0) {
            sh_event_context context = {event, "r", "arn", 0};
            int status = sh_target_input(target, &context, &out, &err);
            assert_true(status == 0 || err.message[0]);
            taken++;
        }
        sh_buf_free(&out);
        json_decref(target);
        json_decref(event);
    }
    assert_true(taken > rounds / 100);
}

static void test_case_of_anything(void **state)
{
    char text[TEXT];
    for (long i = 0; i < rounds; i++) {
        mutate(events, sizeof(events) / sizeof(*events), text);
        json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
        json_t *raised = value ? sh_case_upper(value) : NULL;
        json_t *lowered = raised ? sh_case_lower(raised) : NULL;
        assert_true(!value || lowered);
        json_decref(lowered);
        json_decref(raised);
        json_decref(value);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_case_of_anything),
    };
    if (argc > 1)
        rounds = strtol(argv[1], NULL, 10);
    if (argc > 2)
        seed = strtoull(argv[2], NULL, 10) | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
