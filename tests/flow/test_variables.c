/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Variables: Assign in every kind of state, references in every kind of field, scopes, what the history shows
 * of them, and what is refused. ' stands for ". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SSM "'Type':'Task','Resource':'arn:aws:states:::aws-sdk:ssm:sendCommand'"
#define TWO(first, second) "{'StartAt':'A','States':{'A':{" first ",'Next':'B'},'B':{" second "}}}"
#define SHOW "'Type':'Pass','End':true,'Parameters':"
#define AT(state, id)                                                                                        \
    "An error occurred while executing the state '" state "' (entered at the event id #" id "). "

typedef struct row {
    const char *name, *definition, *input, *script, *outcome;
    const char *assigned; /* of all StateExited events, NULL: whatever */
} row;

static char *all_assigned(const drive *d)
{
    json_t *list = json_array(), *event, *details;
    size_t i;
    char *text;

    json_array_foreach(d->history, i, event)
    {
        details = json_object_get(json_object_get(event, "stateExitedEventDetails"), "assignedVariables");
        if (details)
            json_array_append(list, details);
    }
    text = sh_flow_text(list);
    json_decref(list);
    return text;
}

static void run_rows(const row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const row *r = &rows[i];
        char *assigned;
        drive d;

        check_run(&d, r->definition, r->input, r->script);
        assigned = all_assigned(&d);
        check_ends(r->name, &d, r->outcome);
        if (r->assigned)
            check_equal(r->name, assigned, r->assigned);
        free(assigned);
        drive_free(&d);
    }
}

static void test_assign(void **state)
{
    static const row rows[] = {
        {"constants",
         TWO("'Type':'Pass','Assign':{'s':'t','n':1,'b':true,'o':{'k':[null]}}",
             SHOW "{'r.$':'$o.k','n.$':'$n'}"),
         "{}", NULL, "SUCCEEDED {'r':[null],'n':1}",
         "[{\"s\":\"\\\"t\\\"\",\"n\":\"1\",\"b\":\"true\",\"o\":\"{\\\"k\\\":[null]}\"}]"},
        {"paths, functions, context",
         TWO("'Type':'Pass','Assign':{'a.$':'$.x','f.$':'States.Format(`{}!`, $.x)','c.$':'$$.State.Name'}",
             SHOW "{'a.$':'$a','f.$':'$f','c.$':'$c'}"),
         "{'x':5}", NULL, "SUCCEEDED {'a':5,'f':'5!','c':'A'}"},
        {"of the Result", TWO("'Type':'Pass','Result':{'v':42},'Assign':{'a.$':'$.v'}", SHOW "{'a.$':'$a'}"),
         "{}", NULL, "SUCCEEDED {'a':42}"},
        {"of the Parameters",
         TWO("'Type':'Pass','Parameters':{'v':42},'Assign':{'a.$':'$.v'}", SHOW "{'a.$':'$a'}"), "{}", NULL,
         "SUCCEEDED {'a':42}"},
        {"of a task's raw result",
         TWO(SSM ",'ResultSelector':{'z':1},'ResultPath':null,'Assign':{'a.$':'$.v'}",
             SHOW "{'a.$':'$a','i.$':'$'}"),
         "{'k':0}", "[{'output':{'v':'x'}}]", "SUCCEEDED {'a':'x','i':{'k':0}}"},
        {"of a Wait", TWO("'Type':'Wait','Seconds':1,'Assign':{'a.$':'$.x'}", SHOW "{'a.$':'$a'}"), "{'x':1}",
         NULL, "SUCCEEDED {'a':1}"},
        {"of a rule, not of the state",
         "{'StartAt':'A','States':{'A':{'Type':'Choice','Choices':[{'Variable':'$.x','NumericEquals':1,'Next'"
         ":'B',"
         "'Assign':{'a':'rule'}}],'Default':'B','Assign':{'a':'default'}},'B':{" SHOW "{'a.$':'$a'}}}}",
         "{'x':1}", NULL, "SUCCEEDED {'a':'rule'}", "[{\"a\":\"\\\"rule\\\"\"}]"},
        {"of the default",
         "{'StartAt':'A','States':{'A':{'Type':'Choice','Choices':[{'Variable':'$.x','NumericEquals':1,'Next'"
         ":'B',"
         "'Assign':{'a':'rule'}}],'Default':'B','Assign':{'a':'default'}},'B':{" SHOW "{'a.$':'$a'}}}}",
         "{'x':2}", NULL, "SUCCEEDED {'a':'default'}"},
        {"of a Catch",
         "{'StartAt':'A','States':{'A':{" SSM
         ",'End':true,'Assign':{'a':'fine'},'Catch':[{'ErrorEquals':['E'],"
         "'Next':'B','ResultPath':'$.e','Assign':{'a.$':'$.Error','b.$':'$.Cause'}}]},'B':{" SHOW
         "{'a.$':'$a','b.$':'$b','i.$':'$.e.Error'}}}}",
         "{}", "[{'error':'E','cause':'c'}]", "SUCCEEDED {'a':'E','b':'c','i':'E'}"},
        {"values of before the state",
         "{'StartAt':'A','States':{'A':{'Type':'Pass','Assign':{'x':1,'y':2},'Next':'B'},'B':{'Type':'Pass','"
         "Assign':"
         "{'x.$':'$y','y.$':'$x'},'Next':'C'},'C':{" SHOW "{'x.$':'$x','y.$':'$y'}}}}",
         "{}", NULL, "SUCCEEDED {'x':2,'y':1}"},
        {"not seen by the state's own output",
         "{'StartAt':'A','States':{'A':{'Type':'Pass','Assign':{'x':1},'Next':'B'},'B':{'Type':'Pass','"
         "Assign':{'x':2},"
         "'OutputPath':'$x','End':true}}}",
         "{}", NULL, "SUCCEEDED 1"},
        {"nothing", TWO("'Type':'Pass','Assign':{}", "'Type':'Succeed'"), "{}", NULL, "SUCCEEDED {}", "[]"},
    };

    run_rows(rows, sizeof(rows) / sizeof(*rows));
}

static void test_references(void **state)
{
#define V(second)                                                                                            \
    TWO("'Type':'Pass','Assign':{'n':1,'l':[1,2],'o':{'k':'v'},'t':'2023-11-14T22:13:25Z','s':'text'}",      \
        second)
    static const row rows[] = {
        {"InputPath", V("'Type':'Pass','InputPath':'$o','End':true"), "{}", NULL, "SUCCEEDED {'k':'v'}"},
        {"OutputPath", V("'Type':'Pass','OutputPath':'$o.k','End':true"), "{}", NULL, "SUCCEEDED 'v'"},
        {"slices", V(SHOW "{'r.$':'$l[1:]'}"), "{}", NULL, "SUCCEEDED {'r':[2]}"},
        {"arguments", V(SHOW "{'r.$':'States.ArrayContains($l, $n)'}"), "{}", NULL, "SUCCEEDED {'r':true}"},
        {"ResultSelector", V(SSM ",'ResultSelector':{'r.$':'$s','d.$':'$.d'},'End':true"), "{}",
         "[{'output':{'d':1}}]", "SUCCEEDED {'r':'text','d':1}"},
        {"Choice",
         "{'StartAt':'A','States':{'A':{'Type':'Pass','Assign':{'n':1,'m':1},'Next':'B'},'B':{'Type':'Choice'"
         ",'Choices':[{"
         "'Variable':'$n','NumericEqualsPath':'$m','Next':'C'}]},'C':{'Type':'Succeed'}}}",
         "{}", NULL, "SUCCEEDED {}"},
        {"Seconds", V("'Type':'Wait','SecondsPath':'$n','End':true"), "{}", NULL, "SUCCEEDED {}"},
        {"Timestamp", V("'Type':'Wait','TimestampPath':'$t','End':true"), "{}", NULL, "SUCCEEDED {}"},
        {"Fail", V("'Type':'Fail','ErrorPath':'$s','CausePath':'States.Format(`{}`, $n)'"), "{}", NULL,
         "FAILED text | 1"},
        {"a Map",
         V("'Type':'Map','ItemsPath':'$l','MaxConcurrencyPath':'$n','ItemSelector':{'i.$':'$$.Map.Item.Value'"
           ","
           "'s.$':'$s'},'ItemProcessor':{'StartAt':'M','States':{'M':{'Type':'Pass','End':true}}},'End':"
           "true"),
         "{}", NULL, "SUCCEEDED [{'i':1,'s':'text'},{'i':2,'s':'text'}]"},
        {"nothing there", V(SHOW "{'r.$':'$missing'}"), "{'i':1}", NULL,
         "FAILED States.Runtime | " AT(
             "B", "4") "The JSONPath '$missing' specified for the field 'r.$' could not be found in "
                       "the input '{\"i\":1}'"},
    };

    run_rows(rows, sizeof(rows) / sizeof(*rows));
}

static void test_scopes(void **state)
{
    static const row rows[] = {
        {"branches read the outer and keep their own",
         TWO("'Type':'Pass','Assign':{'o':1}",
             "'Type':'Parallel','End':true,'Branches':[{'StartAt':'P','States':{'P':{'Type':'Pass','Assign':{"
             "'i':5},'Next':"
             "'Q'},'Q':{" SHOW
             "{'o.$':'$o','i.$':'$i'}}}},{'StartAt':'R','States':{'R':{'Type':'Pass','Assign':{'i':7},"
             "'Next':'S'},'S':{" SHOW "{'i.$':'$i'}}}}]"),
         "{}", NULL, "SUCCEEDED [{'o':1,'i':5},{'i':7}]"},
        {"an inner variable is gone outside",
         "{'StartAt':'A','States':{'A':{'Type':'Parallel','Next':'B','Branches':[{'StartAt':'P','States':{'P'"
         ":{'Type':'Pass',"
         "'Assign':{'i':5},'End':true}}}]},'B':{" SHOW "{'i.$':'$i'}}}}",
         "{}", NULL, "~could not be found"},
        {"iterations, over waits",
         TWO("'Type':'Pass','Assign':{'o':1}",
             "'Type':'Map','ItemsPath':'$.l','End':true,'ItemProcessor':{'StartAt':'P','States':{'P':{'Type':"
             "'Pass','Assign':"
             "{'i.$':'$'},'Next':'W'},'W':{'Type':'Wait','Seconds':2,'Next':'Q'},'Q':{" SHOW
             "{'o.$':'$o','i.$':'$i'}}}}"),
         "{'l':[3,4]}", NULL, "SUCCEEDED [{'o':1,'i':3},{'o':1,'i':4}]"},
        {"an inner scope does not assign an outer name",
         TWO("'Type':'Pass','Assign':{'o':1}", "'Type':'Map','End':true,'ItemProcessor':{'StartAt':'P','"
                                               "States':{'P':{'Type':'Pass','Assign':{'o.$':'$'},'End':"
                                               "true}}}"),
         "[]", NULL,
         "~'o' is assigned in an outer scope and cannot be assigned here at "
         "/States/B/ItemProcessor/States/P/Assign/o.$"},
    };

    run_rows(rows, sizeof(rows) / sizeof(*rows));
}

static void test_refusals(void **state)
{
#define PASS(assign) "{'StartAt':'A','States':{'A':{'Type':'Pass','End':true,'Assign':" assign "}}}"
    static const row rows[] = {
        {"not an object", PASS("[]"), "{}", NULL, "~Expected value of type Object at /States/A/Assign"},
        {"a bad name", PASS("{'1a':0}"), "{}", NULL, "~The variable name '1a' is not valid"},
        {"with a sign", PASS("{'a-b':0}"), "{}", NULL, "~The variable name 'a-b' is not valid"},
        {"reserved", PASS("{'states':0}"), "{}", NULL, "~reserved"},
        {"too long",
         PASS("{'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa':0}"),
         "{}", NULL, "~more than 80 characters"},
        {"a bad path", PASS("{'a.$':'x'}"), "{}", NULL,
         "~The value for the field 'a.$' must be a valid JSONPath"},
        {"ResultPath", "{'StartAt':'A','States':{'A':{'Type':'Pass','End':true,'ResultPath':'$a.b'}}}", "{}",
         NULL, "~can write to the state's input only"},
        {"in a Fail", "{'StartAt':'A','States':{'A':{'Type':'Fail','Assign':{}}}}", "{}", NULL,
         "~Field 'Assign' is not supported at /States/A "},
    };

    run_rows(rows, sizeof(rows) / sizeof(*rows));
}

/* {"n":0,"t":"xxx…"}; ' stands for ". */
static char *long_input(size_t size)
{
    char *text = malloc(size + 64);

    memset(text, 'x', size + 63);
    memcpy(text, "{'n':0,'t':'", 12);
    memcpy(text + size, "'}", 3);
    return text;
}

/* Pass states, each of which assigns $.t to a variable of its own. */
static char *many_states(int count)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    fputs("{'StartAt':'s0','States':{", out);
    for (int i = 0; i < count; i++)
        fprintf(out, "'s%d':{'Type':'Pass','Assign':{'v%d.$':'$.t'},'Next':'s%d'},", i, i, i + 1);
    fprintf(out, "'s%d':{'Type':'Succeed','OutputPath':'$.n'}}}", count);
    fclose(out);
    return text;
}

/* One Assign has at most 256 KiB, all variables 10 MiB. */
static void test_limits(void **state)
{
    char *input = long_input(250 * 1024), *fits = many_states(40), *too_many = many_states(42);

    check_run_tells("one Assign", TWO("'Type':'Pass','Assign':{'a.$':'$.t','b.$':'$.t'}", "'Type':'Succeed'"),
                    input, "FAILED States.DataLimitExceeded");
    check_run_tells("all that fit", fits, input, "SUCCEEDED 0");
    check_run_tells("too many", too_many, input, "FAILED States.DataLimitExceeded");
    free(input);
    free(fits);
    free(too_many);
}

static void test_told(void **state)
{
    static const char definition[] = "{'StartAt':'A','States':{'A':{'Type':'Pass','Assign':{'x.$':'$y.z','w.$"
                                     "':'States.Format(`{}{}`, $v, $y)'},'Next':'B'},"
                                     "'B':{'Type':'Pass','QueryLanguage':'JSONata','Output':'{% $x + "
                                     "$sum($states.input[a > $w]) + ($l := 1; $l) %}','Next':'C'},"
                                     "'C':{'Type':'Map','ItemsPath':'$x','End':true,'ItemProcessor':{'"
                                     "StartAt':'D','States':{'D':{'Type':'Wait','SecondsPath':"
                                     "'$n','End':true}}}}}}";
    char *text = check_json(definition), *got;
    sh_flow *flow = NULL;

    assert_int_equal(sh_flow_parse(&flow, text, strlen(text), NULL, NULL), 0);
    got = sh_flow_text(sh_flow_references(flow));
    assert_string_equal(got, "{\"A\":[\"y\",\"v\"],\"B\":[\"x\",\"w\"],\"D\":[\"n\"],\"C\":[\"x\"]}");
    free(got);
    free(text);
    sh_flow_free(flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_told),   cmocka_unit_test(test_assign),   cmocka_unit_test(test_references),
        cmocka_unit_test(test_scopes), cmocka_unit_test(test_refusals), cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
