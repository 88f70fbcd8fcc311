/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every operator of a Choice: the rule, the input, and whether it holds. ' stands for ". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct row {
    const char *rule, *input, *wanted; /* YES, NO, or part of the outcome */
} row;

static void run_rows(const row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *definition = NULL, *got;
        drive d;

        assert_true(
            asprintf(
                &definition,
                "{'StartAt':'C','States':{'C':{'Type':'Choice','Choices':[{%s,'Next':'Y'}],'Default':'N'},"
                "'Y':{'Type':'Pass','Result':'YES','End':true},'N':{'Type':'Pass','Result':'NO','End':true}}"
                "}",
                rows[i].rule) > 0);
        check_run(&d, definition, rows[i].input, NULL);
        got = check_outcome(&d);
        if (strlen(rows[i].wanted) <= 3) {
            char wanted[32];

            snprintf(wanted, sizeof(wanted), "SUCCEEDED \"%s\"", rows[i].wanted);
            check_equal(rows[i].rule, got, wanted);
        } else {
            check_contains(rows[i].rule, got, rows[i].wanted);
        }
        free(got);
        free(definition);
        drive_free(&d);
    }
}

/* For "less, equal, greater": which of three inputs (below, at, above the operand) satisfy an operator. */
static void test_comparisons(void **state)
{
    static const struct {
        const char *family, *operand, *inputs[3];
    } families[] = {
        {"String", "'m'", {"'a'", "'m'", "'z'"}},
        {"Numeric", "10", {"-1.5", "10.0", "10.5"}},
        {"Numeric", "9007199254740993", {"9007199254740992", "9007199254740993", "9007199254740994"}},
        {"Timestamp",
         "'2020-01-01T12:00:00Z'",
         {"'2020-01-01T11:59:59.9Z'", "'2020-01-01T14:00:00+02:00'", "'2020-01-02T00:00:00Z'"}},
    };
    static const struct {
        const char *suffix, *holds[3];
    } relations[] = {{"Equals", {"NO", "YES", "NO"}},
                     {"LessThan", {"YES", "NO", "NO"}},
                     {"GreaterThan", {"NO", "NO", "YES"}},
                     {"LessThanEquals", {"YES", "YES", "NO"}},
                     {"GreaterThanEquals", {"NO", "YES", "YES"}}};

    for (size_t f = 0; f < sizeof(families) / sizeof(*families); f++)
        for (size_t r = 0; r < sizeof(relations) / sizeof(*relations); r++)
            for (size_t i = 0; i < 3; i++) {
                char rule[256], input[256];

                snprintf(input, sizeof(input), "{'v':%s,'w':%s}", families[f].inputs[i], families[f].operand);
                snprintf(rule, sizeof(rule), "'Variable':'$.v','%s%s':%s", families[f].family,
                         relations[r].suffix, families[f].operand);
                run_rows(&(row){rule, input, relations[r].holds[i]}, 1);
                snprintf(rule, sizeof(rule), "'Variable':'$.v','%s%sPath':'$.w'", families[f].family,
                         relations[r].suffix);
                run_rows(&(row){rule, input, relations[r].holds[i]}, 1);
            }
}

static void test_others(void **state)
{
    static const row rows[] = {
        {"'Variable':'$.v','BooleanEquals':true", "{'v':true}", "YES"},
        {"'Variable':'$.v','BooleanEquals':true", "{'v':false}", "NO"},
        {"'Variable':'$.v','BooleanEquals':false", "{'v':false}", "YES"},
        {"'Variable':'$.v','BooleanEquals':true", "{'v':'true'}", "NO"},
        {"'Variable':'$.v','BooleanEqualsPath':'$.w'", "{'v':true,'w':true}", "YES"},
        {"'Variable':'$.v','BooleanEqualsPath':'$.w'", "{'v':true,'w':1}", "NO"},
        {"'Variable':'$.v','StringEquals':'1'", "{'v':1}", "NO"},
        {"'Variable':'$.v','NumericEquals':1", "{'v':'1'}", "NO"},
        {"'Variable':'$.v','TimestampEquals':'2020-01-01T00:00:00Z'", "{'v':'2020-01-01'}", "NO"},
        {"'Variable':'$.v','StringMatches':'*.mp4'", "{'v':'a.b.mp4'}", "YES"},
        {"'Variable':'$.v','StringMatches':'*.mp4'", "{'v':'a.mp3'}", "NO"},
        {"'Variable':'$.v','StringMatches':'a*b*c'", "{'v':'a--b-b--c'}", "YES"},
        {"'Variable':'$.v','StringMatches':'a*b*c'", "{'v':'acb'}", "NO"},
        {"'Variable':'$.v','StringMatches':'1\\\\*2'", "{'v':'1*2'}", "YES"},
        {"'Variable':'$.v','StringMatches':'1\\\\*2'", "{'v':'1x2'}", "NO"},
        {"'Variable':'$.v','StringMatches':'\\\\\\\\'", "{'v':'\\\\'}", "YES"},
        {"'Variable':'$.v','StringMatches':'*'", "{'v':''}", "YES"},
        {"'Variable':'$.v','StringMatches':'*'", "{'v':1}", "NO"},
        {"'Variable':'$.v','IsNull':true", "{'v':null}", "YES"},
        {"'Variable':'$.v','IsNull':true", "{'v':0}", "NO"},
        {"'Variable':'$.v','IsNull':false", "{'v':0}", "YES"},
        {"'Variable':'$.v','IsPresent':true", "{'v':null}", "YES"},
        {"'Variable':'$.v','IsPresent':true", "{}", "NO"},
        {"'Variable':'$.v','IsPresent':false", "{}", "YES"},
        {"'Variable':'$.v','IsPresent':false", "{'v':1}", "NO"},
        {"'Variable':'$.v','IsNumeric':true", "{'v':1.5}", "YES"},
        {"'Variable':'$.v','IsNumeric':true", "{'v':'1'}", "NO"},
        {"'Variable':'$.v','IsString':true", "{'v':''}", "YES"},
        {"'Variable':'$.v','IsString':true", "{'v':[]}", "NO"},
        {"'Variable':'$.v','IsBoolean':true", "{'v':false}", "YES"},
        {"'Variable':'$.v','IsBoolean':false", "{'v':0}", "YES"},
        {"'Variable':'$.v','IsTimestamp':true", "{'v':'2001-01-01T12:00:00Z'}", "YES"},
        {"'Variable':'$.v','IsTimestamp':true", "{'v':'2001-01-01 12:00'}", "NO"},
        {"'Variable':'$$.Execution.Input.v','NumericEquals':3", "{'v':3}", "YES"},
        {"'And':[{'Variable':'$.v','IsPresent':true},{'Variable':'$.v','NumericEquals':3}]", "{'v':3}",
         "YES"},
        {"'And':[{'Variable':'$.v','IsPresent':true},{'Variable':'$.v','NumericEquals':3}]", "{}", "NO"},
        {"'Or':[{'Variable':'$.v','NumericEquals':1},{'Variable':'$.v','NumericEquals':3}]", "{'v':3}",
         "YES"},
        {"'Or':[{'Variable':'$.v','NumericEquals':1},{'Variable':'$.v','NumericEquals':3}]", "{'v':2}", "NO"},
        {"'Not':{'Variable':'$.v','NumericEquals':1}", "{'v':2}", "YES"},
        {"'Not':{'Or':[{'Variable':'$.v','NumericEquals':1},{'Not':{'Variable':'$.v','IsString':true}}]}",
         "{'v':'a'}", "YES"},
        {"'Variable':'$.v','StringEquals':'x'", "{}",
         "States.Runtime | An error occurred while executing the state 'C' (entered at the event id #2). "
         "Invalid path "
         "'$.v': The choice state's condition path references an invalid value."},
        {"'Variable':'$.v','StringEqualsPath':'$.w'", "{'v':'x'}", "Invalid path '$.w'"},
        /* refused */
        {"'Variable':'$.v'", "{}", "REFUSED"},
        {"'StringEquals':'x'", "{}", "[Variable]"},
        {"'Variable':'$.v','StringEquals':1", "{}", "Expected value of type String"},
        {"'Variable':'$.v','NumericEquals':'1'", "{}", "Expected value of type Number"},
        {"'Variable':'$.v','BooleanEquals':1", "{}", "Expected value of type Boolean"},
        {"'Variable':'$.v','IsNull':'yes'", "{}", "Expected value of type Boolean"},
        {"'Variable':'$.v','TimestampEquals':'monday'", "{}", "RFC 3339"},
        {"'Variable':'$.v','StringMatchesPath':'$.w'", "{}", "Field 'StringMatchesPath' is not supported"},
        {"'Variable':'$.v','StringEquals':'a','NumericEquals':1", "{}", "one comparison only"},
        {"'Variable':'v','StringEquals':'a'", "{}", "/States/C/Choices[0]/Variable"},
        {"'And':[]", "{}", "non-empty array"},
        {"'And':[{'Variable':'$.v','IsNull':true,'Next':'Y'}]", "{}", "Field 'Next' is not supported"},
        {"'Not':[{'Variable':'$.v','IsNull':true}]", "{}", "Expected value of type Object"},
    };

    run_rows(rows, sizeof(rows) / sizeof(*rows));
}

static void test_order(void **state)
{
    drive d;
    char *got;

    check_run(&d,
              "{'StartAt':'C','States':{'C':{'Type':'Choice','InputPath':'$.in','OutputPath':'$.v','Choices':"
              "[{'Variable':"
              "'$.v','NumericGreaterThan':1,'Next':'A'},{'Variable':'$.v','NumericGreaterThan':0,'Next':'B'}]"
              "},'A':{'Type':"
              "'Succeed'},'B':{'Type':'Fail','Error':'B'}}}",
              "{'in':{'v':2}}", NULL);
    got = check_outcome(&d);
    check_equal("first rule that holds", got, "SUCCEEDED 2");
    free(got);
    drive_free(&d);
    check_run(&d,
              "{'StartAt':'C','States':{'C':{'Type':'Choice','Choices':[{'Variable':'$.v','NumericEquals':1,'"
              "Next':'A'}]},'A':"
              "{'Type':'Succeed'}}}",
              "{'v':2}", NULL);
    got = check_outcome(&d);
    check_contains("no rule holds", got, "does not point to a next state");
    free(got);
    drive_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comparisons),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
