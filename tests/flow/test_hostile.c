/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Definitions and data that nobody means well: too deep, too many, too large, not quite JSON. Each ends with
 * the error that AWS has for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `times` times before, `middle`, `times` times after, within a definition with a place for it. */
static char *nested(const char *format, const char *before, int times, const char *middle, const char *after)
{
    char *inner = NULL, *whole = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&inner, &size);

    for (int i = 0; i < times; i++)
        fputs(before, out);
    fputs(middle, out);
    for (int i = 0; i < times; i++)
        fputs(after, out);
    fclose(out);
    assert_true(asprintf(&whole, format, inner) > 0);
    free(inner);
    return whole;
}

#define PASS(fields) "{'StartAt':'A','States':{'A':{'Type':'Pass','End':true," fields "}}}"

static void test_deep(void **state)
{
    static const struct {
        const char *name, *format, *before;
        int times;
        const char *middle, *after, *wanted;
    } rows[] = {
        {"values", PASS("'Result':%s"), "[", 1000, "1", "]", "nested deeper than 512 levels"},
        {"objects", PASS("'Parameters':%s"), "{'a':", 1000, "1", "}", "nested deeper than 512 levels"},
        {"values that are fine", PASS("'Result':%s,'ResultPath':null"), "[", 400, "1", "]", "SUCCEEDED {}"},
        {"templates that are fine", PASS("'Parameters':%s,'ResultPath':null"), "{'a':", 400, "{'b.$':'$'}",
         "}", "SUCCEEDED {}"},
        {"rules",
         "{'StartAt':'A','States':{'A':{'Type':'Choice','Choices':[{'Not':%s,'Next':'B'}]},'B':{'Type':'Pass'"
         ","
         "'End':true}}}",
         "{'Not':", 200, "{'Variable':'$','IsNull':true}", "}", "Rules are nested too deeply"},
        {"functions", PASS("'Parameters':{'a.$':'%s'}"), "States.Array(", 1000, "", ")", "nested too deeply"},
        {"filters", PASS("'InputPath':'$.a[?%s]'"), "(", 1000, "@.b", ")", "filter nested too deeply"},
        {"nots", PASS("'InputPath':'$.a[?(%s)]'"), "!", 1000, "@.b", "", "filter nested too deeply"},
        {"steps", PASS("'InputPath':'$%s'"), ".a", 1000, "", "", "too many steps"},
        {"branches", "{'StartAt':'A','States':{'A':%s}}",
         "{'Type':'Map','End':true,'ItemProcessor':{'StartAt':'A','States':{'A':", 400, "{'Type':'Succeed'}",
         "}}}", "nested deeper than"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char *text = nested(rows[i].format, rows[i].before, rows[i].times, rows[i].middle, rows[i].after);

        check_run_tells(rows[i].name, text, "{}", rows[i].wanted);
        free(text);
    }
}

/* A chain of as many states as a definition can hold is one, one more byte is refused. */
static void test_many_states(void **state)
{
    static const struct {
        int count;
        int status;
    } rows[] = {{15000, 0}, {1000000, SH_E_LIMIT}};

    for (size_t k = 0; k < sizeof(rows) / sizeof(*rows); k++) {
        char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        sh_flow *flow = NULL;
        sh_err err = {0};

        fputs("{\"StartAt\":\"0\",\"States\":{", out);
        for (int i = 0; i < rows[k].count; i++)
            fprintf(out, "\"%d\":{\"Type\":\"Wait\",\"Seconds\":1,\"Next\":\"%d\"},", i, i + 1);
        fprintf(out, "\"%d\":{\"Type\":\"Succeed\"}}}", rows[k].count);
        fclose(out);
        assert_int_equal(sh_flow_parse(&flow, text, size, NULL, &err), rows[k].status);
        sh_flow_free(flow);
        free(text);
    }
}

static void test_texts(void **state)
{
    static const struct {
        const char *name, *definition, *input, *wanted;
    } rows[] = {
        {"integer beyond 64 bits", PASS("'Result':123456789012345678901"), "{}",
         "INVALID_JSON_DESCRIPTION: "},
        {"real beyond a double", PASS("'Result':1e400"), "{}", "INVALID_JSON_DESCRIPTION: "},
        {"seconds beyond the limit",
         "{'StartAt':'A','States':{'A':{'Type':'Wait','Seconds':9223372036854775807,'End':"
         "true}}}",
         "{}", "Maximum value is 99999999 at /States/A/Seconds"},
        {"lone surrogate", PASS("'Result':'\\ud800'"), "{}", "INVALID_JSON_DESCRIPTION: "},
        {"two high surrogates", PASS("'Result':'\\ud800\\ud800'"), "{}", "INVALID_JSON_DESCRIPTION: "},
        {"a pair", PASS("'Result':'\\ud83d\\ude00'"), "{}", "SUCCEEDED \"\xF0\x9F\x98\x80\""},
        {"bytes that are not UTF-8", PASS("'Result':'\xff'"), "{}", "INVALID_JSON_DESCRIPTION: "},
        {"a NUL", PASS("'Result':'a\\u0000b'"), "{}", "INVALID_JSON_DESCRIPTION: "},
        {"surplus", PASS("'Result':1") "}", "{}", "INVALID_JSON_DESCRIPTION: "},
        {"the same state twice", "{'StartAt':'A','States':{'A':{'Type':'Succeed'},'A':{'Type':'Succeed'}}}",
         "{}", "INVALID_JSON_DESCRIPTION: duplicate object key"},
        {"StringToJson of a surrogate", PASS("'Parameters':{'a.$':'States.StringToJson($.t)'}"),
         "{'t':'\\\"\\\\ud800\\\"'}", "FAILED States.IntrinsicFailure | "},
        {"StringToJson of a large number", PASS("'Parameters':{'a.$':'States.StringToJson($.t)'}"),
         "{'t':'123456789012345678901'}", "FAILED States.IntrinsicFailure | "},
        {"sum beyond 64 bits", PASS("'Parameters':{'a.$':'States.MathAdd($.a, $.a)'}"),
         "{'a':9223372036854775807}", "FAILED States.IntrinsicFailure | "},
        {"index beyond 64 bits", PASS("'InputPath':'$.a[99999999999999999999]'"), "{}", "integer too large"},
        {"a path of 20,000 bytes", NULL, "{}", "JSONPath longer than"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char *text = rows[i].definition ? strdup(rows[i].definition)
                                        : nested(PASS("'InputPath':'$.%s'"), "abcdefghij", 2000, "", "");

        check_run_tells(rows[i].name, text, rows[i].input, rows[i].wanted);
        free(text);
    }
}

/* An input that names every value many times over is stopped before it costs much. */
static void test_work(void **state)
{
    check_run_tells(
        "recursive descents", PASS("'Parameters':{'a.$':'$..*..*..*..*..*..*'}"),
        "{'a':[[1,2,3,4,5,6,7,8],[1,2,3,4,5,6,7,8],[[[[[[[1,2,3]]]]]],[[[[[[1,2]]]]]]]],'b':{'c':{'d':{'e'"
        ":{'f':{'"
        "g':{'h':[[[[[[[[1]]]]]]]]}}}}}}}",
        "S");
    /* each asks for everything, for each that the one around it looks at */
    check_run_tells(
        "filters of everything in filters of everything",
        PASS("'Parameters':{'a.$':'$..[?(@.x != $..[?(@.x != $..[?(@.x != $..[?(@.x != $..[?(@.x != "
             "$..[?(@.x != "
             "$..[?(@.x != $..y)])])])])])])]'}"),
        "{'a':[{'x':1},{'x':2},{'x':3},{'x':4},{'x':5},{'x':6},{'x':7},{'x':8},{'x':9},{'x':10},{'y':{'x':"
        "11}}]}",
        "States.Runtime | An error occurred while executing the state 'A' (entered at the event id #2). "
        "The JSONPath");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_many_states),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_work),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
