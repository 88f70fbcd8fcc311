/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSONPath in its corners, as AWS answers them: in a computed field, and as InputPath, whose message says
 * more. In the tables ' stands for " in JSON and ` for ' in paths. */
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
    const char *path, *input, *wanted; /* JSON, or "~" and a part of the outcome */
} row;

/* `format` is a definition with a place for the path. */
static void run_rows(const row *rows, size_t count, const char *format, const char *around)
{
    for (size_t i = 0; i < count; i++) {
        char *definition = NULL, *got, *name = NULL;
        drive d;

        assert_true(asprintf(&definition, format, rows[i].path) > 0);
        assert_true(asprintf(&name, "%s of %s", rows[i].path, rows[i].input) > 0);
        check_run(&d, definition, rows[i].input, NULL);
        got = check_outcome(&d);
        if (*rows[i].wanted == '~') {
            check_contains(name, got, rows[i].wanted + 1);
        } else {
            char *value = check_json(rows[i].wanted), *wanted = NULL;

            assert_true(asprintf(&wanted, around, value) > 0);
            check_equal(name, got, wanted);
            free(value);
            free(wanted);
        }
        free(got);
        free(name);
        free(definition);
        drive_free(&d);
    }
}

#define FIELD "{'StartAt':'A','States':{'A':{'Type':'Pass','Parameters':{'r.$':'%s'},'End':true}}}"
#define INPUT_PATH "{'StartAt':'A','States':{'A':{'Type':'Pass','InputPath':'%s','End':true}}}"
#define GONE                                                                                                 \
    "~States.Runtime | An error occurred while executing the state 'A' (entered at the event id #2). The "   \
    "JSONPath"

static void test_indexes(void **state)
{
    static const row rows[] = {
        {"$.a[0]", "{'a':[1,2,3]}", "1"},
        {"$.a[2]", "{'a':[1,2,3]}", "3"},
        {"$.a[3]", "{'a':[1,2,3]}", GONE},
        {"$.a[-1]", "{'a':[1,2,3]}", GONE},
        {"$.a[-1].n", "{'a':[{'n':1}]}", GONE},
        {"$.a[(@.length-1)]", "{'a':[1,2,3]}", "3"},
        {"$.a[(@.length - 3)]", "{'a':[1,2,3]}", "1"},
        {"$.a[(@.length-4)]", "{'a':[1,2,3]}", GONE},
        {"$.a[(@.length-1)].n", "{'a':[{'n':1},{'n':2}]}", "2"},
        {"$..a[(@.length-1)]", "{'x':{'a':[1,2]},'a':[3]}", "[3,2]"},
        {"$.a[(@.length)]", "{'a':[1]}", "~'-' expected"},
        {"$.a[(@.size-1)]", "{'a':[1]}", "~expected"},
        {"$.a[(@.length-1]", "{'a':[1]}", "~')' expected"},
        {"$.a[0,2]", "{'a':[1,2,3]}", "[1,3]"},
        {"$.a[2,0,9]", "{'a':[1,2,3]}", "[3,1]"},
        {"$.a[0].b[1]", "{'a':[{'b':[1,2]}]}", "2"},
        {"$[1]", "[1,2]", "2"},
        {"$.a[0]", "{'a':{'0':1}}", GONE},
        {"$.a[0]", "{'a':'text'}", GONE},
        {"$.a[0]", "{'a':null}", GONE},
        {"$.a[ 1 ]", "{'a':[1,2]}", "2"},
    };

    run_rows(rows, sizeof(rows) / sizeof(*rows), FIELD, "SUCCEEDED {\"r\":%s}");
}

static void test_slices(void **state)
{
    static const row rows[] = {
        {"$.a[1:]", "{'a':[1,2,3,4]}", "[2,3,4]"},
        {"$.a[:2]", "{'a':[1,2,3,4]}", "[1,2]"},
        {"$.a[1:3]", "{'a':[1,2,3,4]}", "[2,3]"},
        {"$.a[-1:]", "{'a':[1,2,3,4]}", "[4]"},
        {"$.a[-9:]", "{'a':[1,2]}", "[1,2]"},
        {"$.a[:-1]", "{'a':[1,2,3,4]}", "[1,2,3]"},
        {"$.a[:9]", "{'a':[1,2]}", "[1,2]"},
        {"$.a[1:-1]", "{'a':[1,2,3,4]}", "[]"},
        {"$.a[3:1]", "{'a':[1,2,3,4]}", "[]"},
        {"$.a[9:]", "{'a':[1,2]}", "[]"},
        {"$.a[0:1]", "{'a':[]}", "[]"},
        {"$.a[0:2].n", "{'a':[{'n':1},{},{'n':3}]}", "[1]"},
        {"$.a[0:1]", "{'a':{'0':1}}", GONE},
        {"$[0:1]", "{}", GONE},
        {"$.a[0:1]", "{}", "[]"},
        {"$.a.b[0:1]", "{}", "[]"},
    };

    run_rows(rows, sizeof(rows) / sizeof(*rows), FIELD, "SUCCEEDED {\"r\":%s}");
}

static void test_many(void **state)
{
    static const row rows[] = {
        {"$.a[*]", "{}", "[]"},
        {"$.a[*].n", "{}", "[]"},
        {"$[*].n", "{}", "[]"},
        {"$.a[*]", "{'a':[]}", "[]"},
        {"$.a[*]", "{'a':{'x':1,'y':2}}", "[1,2]"},
        {"$.a[*]", "{'a':7}", "[]"},
        {"$.a[*].n", "{'a':[{'n':1},{'m':2},3,{'n':null}]}", "[1,null]"},
        {"$.a[*][*]", "{'a':[[1,2],[],[3]]}", "[1,2,3]"},
        {"$.a.*", "{'a':{'x':[1],'y':{}}}", "[[1],{}]"},
        {"$.a.*.n", "{'a':{'x':{'n':1},'y':{'n':2}}}", "[1,2]"},
        {"$.*", "{'a':1}", "[1]"},
        {"$[*]", "[]", "[]"},
        {"$..n", "{'a':[{'n':1},{'b':{'n':{'n':2}}}]}", "[1,{'n':2},2]"},
        {"$..n", "{}", "[]"},
        {"$.a..n", "{}", "[]"},
        {"$.d..a", "{'d':{'x':{'a':[1,2]}}}", "[[1,2]]"},
        {"$.d..a[*]", "{'d':{'x':{'a':[1,2]}}}", "[1,2]"},
        {"$..a[0]", "{'a':[1,2],'b':{'a':[3]}}", "[1,3]"},
        {"$..*", "{'a':[1]}", "[[1],1]"},
        {"$..[0]", "{'a':[1,[2]]}", "[1,2]"},
        {"$[`a`,`b`]", "{'a':1,'b':2,'c':3}", "{'a':1,'b':2}"},
        {"$[`a`, `z`]", "{'a':1}", "{'a':1}"},
        {"$.l[*][`a`,`b`]", "{'l':[{'a':1,'b':2,'c':3},{'a':4},5]}", "[{'a':1,'b':2},{'a':4}]"},
        {"$..[`a`,`b`]", "{'x':{'a':1,'b':2},'a':3}", "[{'a':1,'b':2}]"},
        {"$[`a`,`b`].v", "{'a':{'v':1},'b':{'v':2}}", GONE},
        {"$.a.[`b c`]", "{'a':{'b c':1}}", "1"},
        {"$.a.[0]", "{'a':[1]}", "1"},
        {"$.a.length()", "{'a':[1]}", GONE},
        {"$.a", "{'a':null}", "null"},
        {"$.a.b", "{'a':null}", GONE},
        {"$.a-b.c_d.e1", "{'a-b':{'c_d':{'e1':1}}}", "1"},
        {"$.\\u00e4", "{'\\u00e4':1}", "1"},
        {"$.a:b", "{'a:b':1}", "1"},
        {"$[`a.b`][`c[0]`]", "{'a.b':{'c[0]':1}}", "1"},
        {"$[`it\\\\`s`]", "{'it`s':1}", "1"},
    };

    run_rows(rows, sizeof(rows) / sizeof(*rows), FIELD, "SUCCEEDED {\"r\":%s}");
}

#define BOOKS                                                                                                \
    "{'l':[{'id':1,'k':'x','on':true},{'id':2,'k':'y','on':false},{'id':3,'n':null}],'w':'y','two':2}"

static void test_filters(void **state)
{
    static const row rows[] = {
        {"$.l[?(@.on)].id", BOOKS, "[1,2]"},
        {"$.l[?(@.on == true)].id", BOOKS, "[1]"},
        {"$.l[?(@.on != true)].id", BOOKS, "[2,3]"},
        {"$.l[?(!@.on)].id", BOOKS, "[3]"},
        {"$.l[?(@.k == `x`)].id", BOOKS, "[1]"},
        {"$.l[?(@.k == $.w)].id", BOOKS, "[2]"},
        {"$.l[?(@.id >= $.two)].id", BOOKS, "[2,3]"},
        {"$.l[?(@.id > 1 && @.id < 3)].id", BOOKS, "[2]"},
        {"$.l[?(@.id == 1 || @.id == 3)].id", BOOKS, "[1,3]"},
        {"$.l[?(@[`id`] == 3)].id", BOOKS, "[3]"},
        {"$.l[?(@.n == null)].id", BOOKS, "[3]"},
        {"$.l[?(2 == @.id)].id", BOOKS, "[2]"},
        {"$.l[?(@.id == 9)]", BOOKS, "[]"},
        {"$.l[?(@.id == 9)].id", BOOKS, "[]"},
        {"$.l[?(@.id == 1)][0]", BOOKS, "[]"},
        {"$.gone[?(@.id == 1)]", BOOKS, "[]"},
        {"$.w[?(@.id == 1)]", BOOKS, GONE},
        {"$.l[0][?(@.id == 1)].k", BOOKS, "['x']"},
        {"$..[?(@.id == 2)].k", BOOKS, "['y']"},
        {"$.l[?(@.k == `x` && (@.id == 2 || @.id == 1))].id", BOOKS, "[1]"},
        {"$.l[?(@.id < `2`)]", BOOKS, "[]"},
        {"$.l[?(@.k > `x`)].id", BOOKS, "[2]"},
        {"$.a[?(@ == 1)]", "{'a':[1,2]}", "[]"}, /* @ is no scalar */
        {"$.jar[?(@.a >= 5)]", "{'jar':[{'a':1},{'a':5},2,{'a':7}]}", "[{'a':5},{'a':7}]"},
    };

    run_rows(rows, sizeof(rows) / sizeof(*rows), FIELD, "SUCCEEDED {\"r\":%s}");
}

#define AT                                                                                                   \
    "~States.Runtime | An error occurred while executing the state 'A' (entered at the event id #2). "       \
    "Invalid path "

static void test_input_paths(void **state)
{
    static const row rows[] = {
        {"$", "{'a':1}", "{'a':1}"},
        {"$.a", "{'a':[1]}", "[1]"},
        {"$.a", "{}", AT "'$.a' : No results for path: $['a']"},
        {"$.a.b", "{'a':{}}", AT "'$.a.b' : No results for path: $['a']['b']"},
        {"$.a.b", "{}", AT "'$.a.b' : Missing property in path $['a']"},
        {"$.a.b.c", "{'a':{}}", AT "'$.a.b.c' : Missing property in path $['a']['b']"},
        {"$.a.b", "{'a':[1]}", AT "'$.a.b' : Property ['b'] not found in path $['a']"},
        {"$.list.length()", "{'list':[1]}",
         AT "'$.list.length()' : Property ['length()'] not found in path $['list']"},
        {"$.a", "[1]", AT "'$.a' : Property ['a'] not found in path $"},
        {"$.a[5]", "{'a':[1]}", AT "'$.a[5]' : No results for path: $['a'][5]"},
        {"$.a[0]", "{'a':{'b':1}}",
         "~Filter: [0] can only be applied to arrays. Current context is: {\"b\":1}"},
        {"$[`a`, `b`].v", "{'a':{},'b':{}}",
         AT "'$['a', 'b'].v' : Multi properties can only be used as path leafs: $['a', 'b']"},
        {"$[`a`, `b`]", "{'a':{},'c':{}}", "{'a':{}}"},
        {"$.a[*]", "{'a':[1,2]}", "[1,2]"},
    };

    run_rows(rows, sizeof(rows) / sizeof(*rows), INPUT_PATH, "SUCCEEDED %s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_indexes), cmocka_unit_test(test_slices),      cmocka_unit_test(test_many),
        cmocka_unit_test(test_filters), cmocka_unit_test(test_input_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
