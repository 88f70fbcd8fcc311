/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz driver for what reads text from outside: definitions, JSONPath, intrinsic functions, stored states.
 * The first byte chooses which. With clang and -fsanitize=fuzzer (-DFUZZ) it is a fuzzer; without, a test
 * that runs the corpus below, every prefix of each entry, and a fixed run of random changes to them. */
#include "drive.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char input_text[] =
    "{\"a\":[1,2.5,{\"b\":\"c\"},[\"x\",null]],\"k\":{\"a\":true,\"d-e\":\"\\u00fc\"},\"s\":\"text\"}";

static void run_flow(const sh_flow *flow)
{
    json_t *input = NULL;
    sh_flow_env env = {.now_ms = DRIVE_START_MS};
    sh_flow_event event = {.kind = SH_FLOW_START};
    sh_flow_result result = {0};

    if (!sh_flow_load(&input, input_text, sizeof(input_text) - 1, NULL)) {
        event.output = input;
        if (!sh_flow_step(flow, &env, NULL, &event, &result, NULL)) {
            char *text = sh_flow_text(result.state);

            assert(text && result.history);
            free(text);
            sh_flow_result_free(&result);
        }
    }
    json_decref(input);
}

static void definition(const char *text, size_t length)
{
    json_t *problems = NULL;
    sh_flow *flow = NULL;
    sh_err err = {0};

    if (sh_flow_parse(&flow, text, length, &problems, &err)) {
        assert(!flow && err.message[0] && err.status);
    } else {
        run_flow(flow);
    }
    json_decref(problems);
    sh_flow_free(flow);
}

/* A definition around an expression; JSON quoting is the writer's. */
static void expression(const char *text, size_t length, const char *format)
{
    json_t *quoted = json_stringn(text, length);
    char *value = quoted ? sh_flow_text(quoted) : NULL, *whole = NULL;

    if (value && asprintf(&whole, format, value) > 0)
        definition(whole, strlen(whole));
    free(whole);
    free(value);
    json_decref(quoted);
}

static void stored_state(const char *text, size_t length)
{
    static const char machine[] =
        "{\"StartAt\":\"P\",\"States\":{\"P\":{\"Type\":\"Parallel\",\"Branches\":[{\"StartAt\":\"M\","
        "\"States\":{\"M\":{\"Type\":"
        "\"Map\",\"Iterator\":{\"StartAt\":\"T\",\"States\":{\"T\":{\"Type\":\"Task\",\"Resource\":"
        "\"arn:aws:states:::ssm:x\",\"Retry\":[{\"ErrorEquals\":[\"E\"]}],\"End\":true}}},\"End\":true}}}],"
        "\"End\":true}}}";
    static const sh_flow_event_kind kinds[] = {SH_FLOW_TIMER, SH_FLOW_TASK_SUCCEEDED, SH_FLOW_TASK_FAILED,
                                               SH_FLOW_ABORT};
    sh_flow_env env = {.now_ms = DRIVE_START_MS};
    json_t *state = NULL;
    sh_flow *flow = NULL;

    if (!sh_flow_load(&state, text, length, NULL) &&
        !sh_flow_parse(&flow, machine, sizeof(machine) - 1, NULL, NULL))
        for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
            sh_flow_event event = {.kind = kinds[i], .task = 1, .error = "E"};
            sh_flow_result result = {0};

            if (!sh_flow_step(flow, &env, state, &event, &result, NULL))
                sh_flow_result_free(&result);
        }
    json_decref(state);
    sh_flow_free(flow);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;

    if (!size)
        return 0;
    switch (*data) {
    case 'D':
        definition(text, size - 1);
        break;
    case 'P':
        expression(
            text, size - 1,
            "{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Pass\",\"InputPath\":%s,\"End\":true}}}");
        break;
    case 'E':
        expression(text, size - 1,
                   "{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Pass\",\"Parameters\":{\"r.$\":%s},"
                   "\"End\":true}}}");
        break;
    case 'S':
        stored_state(text, size - 1);
        break;
    default:
        break;
    }
    return 0;
}

#ifndef FUZZ
static const char *const corpus[] = {
    "D{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Pass\",\"Next\":\"B\",\"Result\":1,\"ResultPath\":\"$."
    "k.z\"},\"B\":{\"Type\":"
    "\"Choice\",\"Choices\":[{\"Not\":{\"Variable\":\"$.k.a\",\"BooleanEquals\":true},\"Next\":\"A\"},{"
    "\"And\":[{\"Variable\":\"$."
    "s\",\"StringMatches\":\"t*\"},{\"Variable\":\"$.a[0]\",\"NumericLessThanPath\":\"$.a[1]\"}],\"Next\":"
    "\"C\"}],\"Default\":\"A\"}"
    ",\"C\":{\"Type\":\"Wait\",\"Timestamp\":\"2020-01-01T00:00:00Z\",\"Next\":\"F\"},\"F\":{\"Type\":"
    "\"Fail\",\"ErrorPath\":\"$."
    "s\",\"CausePath\":\"States.Format('{}', $$)\"}}}",
    "D{\"StartAt\":\"T\",\"States\":{\"T\":{\"Type\":\"Task\",\"Resource\":\"arn:aws:states:::mediaconvert:"
    "createJob.sync\","
    "\"TimeoutSeconds\":9,\"HeartbeatSecondsPath\":\"$.a[0]\",\"Retry\":[{\"ErrorEquals\":[\"States.ALL\"],"
    "\"BackoffRate\":1.5,"
    "\"MaxDelaySeconds\":3}],\"Catch\":[{\"ErrorEquals\":[\"E\"],\"ResultPath\":null,\"Next\":\"S\"}],"
    "\"End\":true},\"S\":{"
    "\"Type\":\"Succeed\",\"OutputPath\":\"$..b\"}}}",
    "D{\"StartAt\":\"M\",\"States\":{\"M\":{\"Type\":\"Map\",\"ItemsPath\":\"$.a\",\"MaxConcurrency\":2,"
    "\"ItemSelector\":{\"v.$\":"
    "\"$$.Map.Item.Value\"},\"ItemProcessor\":{\"StartAt\":\"P\",\"States\":{\"P\":{\"Type\":\"Parallel\","
    "\"Branches\":[{"
    "\"StartAt\":\"Q\",\"States\":{\"Q\":{\"Type\":\"Fail\",\"Error\":\"E\"}}}],\"Catch\":[{\"ErrorEquals\":["
    "\"E\"],\"Next\":\"R\"}],"
    "\"End\":true},\"R\":{\"Type\":\"Wait\",\"Seconds\":1,\"End\":true}}},\"End\":true}}}",
    "D{\"StartAt\":\"A\"}}",
    "D[[[[[[[[[[[[",
    "P$.a[*]",
    "P$..['b','c'][0:1][-1]",
    "P$.a[?(@.b=='c' && !(@.x) || @ > 1 && $.s != 'q')]",
    "P$$.Execution.Input.k['d-e']",
    "P$..*..*..*",
    "P$[?(((((((((((((((((((((((((((((((((((((((@",
    "EStates.Format('{} \\{\\} \\\\ {}', $.a[2].b, States.Array(1, true, null, -2.5e3, 'x'))",
    "EStates.ArrayPartition(States.ArrayRange(1, 9, 2), 2)",
    "EStates.JsonMerge($.k, States.StringToJson('{\"q\":[]}'), false)",
    "EStates.StringSplit(States.Base64Decode(States.Base64Encode('a,b')), ',')",
    "EStates.ArrayGetItem(States.ArrayUnique($.a), States.MathAdd(1, States.ArrayLength($.a[3])))",
    "EStates.MathRandom(1, 10, 5)",
    "EStates.Hash(States.JsonToString($), 'MD5')",
    "EStates.UUID(",
    "S{\"v\":1,\"status\":\"RUNNING\",\"input\":{},\"start\":1,\"deadline\":-1,\"events\":7,\"tasks\":1,"
    "\"frame\":{\"state\":\"P\","
    "\"phase\":4,\"entered\":true,\"input\":[1],\"results\":[null],\"kids\":[{\"state\":\"M\",\"phase\":4,"
    "\"entered\":true,\"input\":"
    "[1],\"results\":[null,null],\"items\":[1,2],\"next\":1,\"limit\":1,\"kids\":[{\"state\":\"T\",\"phase\":"
    "1,\"entered\":true,"
    "\"input\":1,\"task\":1,\"timeout\":5}]}]}}",
};

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void change(char *text, size_t length, uint32_t *random)
{
    static const char bytes[] = "{}[]\"',:$.@*?()!=<>&|\\0123456789-eE truefalsn\x80\xff";
    size_t at = 1 + next_random(random) % (length - 1);

    switch (next_random(random) % 3) {
    case 0:
        text[at] = bytes[next_random(random) % (sizeof(bytes) - 1)];
        break;
    case 1:
        memmove(text + at, text + at + 1, length - at);
        break;
    default:
        memmove(text + at, text + 1, length - at);
    }
}

int main(int argc, char **argv)
{
    uint32_t random = 1;
    long runs = 0, wanted = argc > 1 ? strtol(argv[1], NULL, 10) : 200;

    for (size_t i = 0; i < sizeof(corpus) / sizeof(*corpus); i++) {
        size_t length = strlen(corpus[i]);
        char *text = malloc(length + 1);

        for (size_t n = 1; n <= length; n++, runs++) {
            char *exact = malloc(n); /* so that a read past the end is seen */

            memcpy(exact, corpus[i], n);
            LLVMFuzzerTestOneInput((const uint8_t *)exact, n);
            free(exact);
        }
        for (long n = 0; n < wanted; n++, runs++) {
            memcpy(text, corpus[i], length + 1);
            for (uint32_t k = next_random(&random) % 4; k != UINT32_MAX && length > 2; k--)
                change(text, length, &random);
            LLVMFuzzerTestOneInput((const uint8_t *)text, strlen(text));
        }
        free(text);
    }
    printf("%ld runs\n", runs);
    return 0;
}
#endif
