/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSONPath and intrinsic functions, through a Pass state with one computed field. In the tables ' stands for
 * " in JSON and ` for ' in expressions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOP                                                                                                 \
    "{'book':[{'t':'A','p':8.95,'q':1},{'t':'B','p':12.5},{'t':'C','p':8,'q':2,'tags':['x','y']},{'t':'D','" \
    "p':20}],"                                                                                               \
    "'a-b':{'c "                                                                                             \
    "d':[1,2,3]},'o':{'x':1,'y':2},'n':null,'s':'text','big':9007199254740993,'e':1e-9,'m':[[1,2],[3]]}"

typedef struct row {
    const char *expr, *wanted;
} row;

static void run_rows(const row *rows, size_t count, const char *input)
{
    for (size_t i = 0; i < count; i++) {
        char *definition = NULL, *got;
        drive d;

        assert_true(
            asprintf(&definition,
                     "{'StartAt':'A','States':{'A':{'Type':'Pass','Parameters':{'r.$':'%s'},'End':true}}}",
                     rows[i].expr) > 0);
        check_run(&d, definition, input, NULL);
        got = check_outcome(&d);
        if (*rows[i].wanted == '~') {
            check_contains(rows[i].expr, got, rows[i].wanted + 1);
        } else {
            char *value = check_json(rows[i].wanted), *wanted = NULL;

            assert_true(asprintf(&wanted, "SUCCEEDED {\"r\":%s}", value) > 0);
            check_equal(rows[i].expr, got, wanted);
            free(value);
            free(wanted);
        }
        free(got);
        free(definition);
        drive_free(&d);
    }
}

static void test_paths(void **state)
{
    static const row rows[] = {
        {"$.s", "'text'"},
        {"$[`s`]", "'text'"},
        {"$.n", "null"},
        {"$.big", "9007199254740993"},
        {"$.e", "1.0E-9"},
        {"$.a-b[`c d`][1]", "2"},
        {"$.a-b[\\'c d\\'][(@.length-1)]", "3"},
        {"$.a-b[`c d`][0:2]", "[1,2]"},
        {"$.a-b[`c d`][1:]", "[2,3]"},
        {"$.a-b[`c d`][:-1]", "[1,2]"},
        {"$.a-b[`c d`][-2:]", "[2,3]"},
        {"$.a-b[`c d`][::2]", "[1,3]"},
        {"$.a-b[`c d`][5:9]", "[]"},
        {"$.a-b[`c d`][0,2,7]", "[1,3]"},
        {"$.book[*].t", "['A','B','C','D']"},
        {"$.book[*].q", "[1,2]"},
        {"$.o.*", "[1,2]"},
        {"$.o[`x`,`y`]", "{'x':1,'y':2}"},
        {"$.m[*][0]", "[1,3]"},
        {"$..q", "[1,2]"},
        {"$.book[?(@.p<10)].t", "['A','C']"},
        {"$.book[?(@.q)].t", "['A','C']"},
        {"$.book[?(!@.q)].t", "['B','D']"},
        {"$.book[?(@.p>8 && @.p<=12.5)].t", "['A','B']"},
        {"$.book[?(@.t==`D` || @.q==2)].t", "['C','D']"},
        {"$.book[?((@.t!=`D`) && (@.p>=12))].t", "['B']"},
        {"$.book[?(@.tags[0]==`x`)].t", "['C']"},
        {"$.book[?(@.p==$.book[3].p)].t", "['D']"},
        {"$.book[?(@.t==`none`)]", "[]"},
        {"$..book[0].t", "['A']"},
        {"$", "{'book':[{'t':'A','p':8.95,'q':1},{'t':'B','p':12.5},{'t':'C','p':8,'q':2,'tags':['x','y']},{'"
              "t':'D','p':"
              "20}],'a-b':{'c "
              "d':[1,2,3]},'o':{'x':1,'y':2},'n':null,'s':'text','big':9007199254740993,'e':1.0E-9,'m':[[1,2]"
              ",[3]]}"},
        {"$$.Execution.Name", "'e'"},
        {"$$.State.Name", "'A'"},
        {"$$.Execution.StartTime", "'2023-11-14T22:13:20.000Z'"},
        {"$.nowhere",
         "~States.Runtime | An error occurred while executing the state 'A' (entered at the event id #2). "
         "The JSONPath '$.nowhere' specified for the field 'r.$' could not be found in the input '{\"book\""},
        {"$.s.x", "~States.Runtime"},
        {"$.s[0]", "~States.Runtime"},
        {"$.a-b[`c d`][3]", "~States.Runtime"},
    };

    run_rows(rows, sizeof(rows) / sizeof(*rows), SHOP);
}

static void test_bad_expressions(void **state)
{
    static const row rows[] = {
        {"", "~REFUSED"},
        {"x", "~REFUSED"},
        {"$.", "~field name expected"},
        {"$.a..", "~field name expected"},
        {"$1", "~'.' or '[' expected"},
        {"$.a b", "~expected"},
        {"$[", "~REFUSED"},
        {"$[`a", "~quote not closed"},
        {"$[0", "~']' expected"},
        {"$[99999999999999999999]", "~too large"},
        {"$[1:2:0]", "~positive"},
        {"$[?(@.a", "~')' expected"},
        {"$[?(@.a ==)]", "~value expected"},
        {"$[?(1)]", "~comparison expected"},
        {"$[?(@.a.length() > 1)]", "~functions are not supported"},
        {"States.Nope($.a)", "~unknown intrinsic function"},
        {"States.Format", "~unknown intrinsic function"},
        {"States.Format(", "~argument expected"},
        {"States.Format(`a`", "~',' or ')' expected"},
        {"States.Format(`a", "~string not closed"},
        {"States.Format(`a`) x", "~surplus text"},
        {"States.Format()", "~arguments, 0 given"},
        {"States.UUID(1)", "~arguments, 1 given"},
        {"States.Array(abc)", "~argument expected"},
        {"States.Array([1])", "~argument expected"},
    };

    run_rows(rows, sizeof(rows) / sizeof(*rows), "{}");
}

static void test_intrinsics(void **state)
{
    static const row rows[] = {
        {"States.Format(`{} and {}`, $.s, $.big)", "'text and 9007199254740993'"},
        {"States.Format(`Map {} list {} {} {}`, $.o, $.m, $.n, true)",
         "'Map {x=1, y=2} list [[1, 2], [3]] null true'"},
        {"States.Format(`it\\\\`s \\\\{\\\\} \\\\\\\\ {}`, 1.50)", "'it`s {} \\\\ 1.5'"},
        {"States.Format(`plain`)", "'plain'"},
        {"States.Format($.s)", "'text'"},
        {"States.Format(`{}`)", "~States.IntrinsicFailure | An error occurred while executing the state 'A'"},
        {"States.Format(`{}`, 1, 2)", "~1 placeholders for 2 values"},
        {"States.Format(`{}`, $.gone)", "~States.Runtime"},
        {"States.Format(1)", "~argument 1 must be a string"},
        {"States.Array()", "[]"},
        {"States.Array($.s, 1, -2.5, true, null, `x, y)`)", "['text',1,-2.5,true,null,'x, y)']"},
        {"States.Array(States.Array(1), States.Format(`{}`, States.MathAdd(1, 2)))", "[[1],'3']"},
        {"States.Array( $.book[?(@.t==`A`)].q , 2 )", "[[1],2]"},
        {"States.ArrayPartition($.book[*].t, 3)", "[['A','B','C'],['D']]"},
        {"States.ArrayPartition($.m, 0)", "~States.IntrinsicFailure"},
        {"States.ArrayPartition($.s, 1)", "~argument 1 must be an array"},
        {"States.ArrayContains($.book[*].p, 8)", "true"},
        {"States.ArrayContains($.m, States.Array(1, 2))", "true"},
        {"States.ArrayContains($.m, 1)", "false"},
        {"States.ArrayRange(1, 9, 2)", "[1,3,5,7,9]"},
        {"States.ArrayRange(5, 1, -2)", "[5,3,1]"},
        {"States.ArrayRange(5, 1, 1)", "[]"},
        {"States.ArrayRange(0, 999, 1)", "~SUCCEEDED {\"r\":[0,1,2"},
        {"States.ArrayRange(0, 1000, 1)", "~1001 elements"},
        {"States.ArrayRange(0, 1, 0)", "~must not be 0"},
        {"States.ArrayGetItem($.m, 1)", "[3]"},
        {"States.ArrayGetItem($.m, 2)", "~out of range"},
        {"States.ArrayGetItem($.m, -1)", "~out of range"},
        {"States.ArrayLength($.book)", "4"},
        {"States.ArrayLength($.o)", "~must be an array"},
        {"States.ArrayUnique(States.Array(1, `a`, 1, `a`, true, `1`))", "[1,'a',true,'1']"},
        {"States.Base64Encode(`Data to encode`)", "'RGF0YSB0byBlbmNvZGU='"},
        {"States.Base64Encode(`ab`)", "'YWI='"},
        {"States.Base64Encode(``)", "''"},
        {"States.Base64Decode(`RGVjb2RlZCBkYXRh`)", "'Decoded data'"},
        {"States.Base64Decode(`YWI=`)", "'ab'"},
        {"States.Base64Decode(`*`)", "~not Base64"},
        {"States.Base64Decode(`/w==`)", "~not UTF-8"},
        {"States.Hash(`abcd`, `MD5`)", "'04040404040404040404040404040404'"},
        {"States.Hash(`abcd`, `MD4`)", "~unknown hash algorithm"},
        {"States.JsonMerge($.o, $.book[1], false)", "{'x':1,'y':2,'t':'B','p':12.5}"},
        {"States.JsonMerge($.o, $.o, true)", "~shallow"},
        {"States.JsonMerge($.o, $.m, false)", "~must be an object"},
        {"States.StringToJson(`{\\'a\\':[1,2.0]}`)", "{'a':[1,2.0]}"},
        {"States.StringToJson(`{`)", "~invalid JSON"},
        {"States.JsonToString($.o)", "'{\\'x\\':1,\\'y\\':2}'"},
        {"States.MathAdd(1, -3)", "-2"},
        {"States.MathAdd(1.6, 1)", "3"},
        {"States.MathAdd(9223372036854775807, 1)", "~out of range"},
        {"States.MathAdd(`1`, 1)", "~must be a number"},
        {"States.MathRandom(1, 2)", "1"},
        {"States.MathRandom(-3, -2, 7)", "-3"},
        {"States.MathRandom(2, 2)", "~greater than the start"},
        {"States.StringSplit(`1,2,,3`, `,`)", "['1','2','3']"},
        {"States.StringSplit(`This.is+a,test=string`, `.+,=`)", "['This','is','a','test','string']"},
        {"States.StringSplit(``, `,`)", "[]"},
        {"States.UUID()", "'5a5a5a5a-5a5a-4a5a-9a5a-5a5a5a5a5a5a'"},
    };

    run_rows(rows, sizeof(rows) / sizeof(*rows), SHOP);
}

static void test_numbers(void **state)
{
    static const row rows[] = {
        {"1", "1"},
        {"-0", "0"},
        {"1.0", "1.0"},
        {"0.1", "0.1"},
        {"100.25", "100.25"},
        {"1e6", "1000000.0"},
        {"1e7", "1.0E7"},
        {"123456789.5", "1.234567895E8"},
        {"0.001", "0.001"},
        {"0.0001", "1.0E-4"},
        {"-2.5e-5", "-2.5E-5"},
        {"1.7976931348623157e308", "1.7976931348623157E308"},
        {"0.30000000000000004", "0.30000000000000004"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        json_t *value = NULL;
        char *text;

        assert_int_equal(sh_flow_load(&value, rows[i].expr, strlen(rows[i].expr), NULL), 0);
        text = sh_flow_text(value);
        check_equal(rows[i].expr, text, rows[i].wanted);
        free(text);
        json_decref(value);
    }
}

static void test_templates(void **state)
{
    drive d;
    char *got;

    check_run(&d,
              "{'StartAt':'A','States':{'A':{'Type':'Pass','End':true,'Parameters':{'keep':{'a':[1,{'b':'$.x'"
              "}]},'l':[{'v.$':"
              "'$.x'},2],'z.$':'$.x','n':null}}}}",
              "{'x':{'y':[]}}", NULL);
    got = check_outcome(&d);
    check_equal(
        "template", got,
        "SUCCEEDED "
        "{\"keep\":{\"a\":[1,{\"b\":\"$.x\"}]},\"l\":[{\"v\":{\"y\":[]}},2],\"z\":{\"y\":[]},\"n\":null}");
    free(got);
    drive_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),      cmocka_unit_test(test_bad_expressions),
        cmocka_unit_test(test_intrinsics), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_templates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
