/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* usage: test_flow_jsonata CASES
 * JSONata: a table of expressions over one input with what each gives ("r"), that it gives nothing ("u"), or
 * how it fails ("m"); then what a table cannot say: bounds, Step Functions' own functions, free variables,
 * memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "check.h"
#include "cloud/flow/jsonata.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *cases_file;

typedef struct outcome {
    json_t *value;
    char *message; /* NULL: it did not fail */
    bool unsupported;
    int status;
} outcome;

static void fixed_random(void *opaque, void *bytes, size_t length)
{
    (void)opaque;
    memset(bytes, 0xa5, length);
}

static size_t fixed_hash(void *opaque, const char *algorithm, const void *bytes, size_t length,
                         unsigned char digest[64])
{
    (void)opaque, (void)bytes;
    memset(digest, (int)length, 16);
    return strcmp(algorithm, "MD5") ? 0 : 16;
}

static outcome evaluate(const char *text, size_t length, const json_t *input, const json_t *bindings)
{
    sh_flow_env flow = {.now_ms = 1700000000123, .random = fixed_random, .hash = fixed_hash};
    sh_jsonata_env env = {.bindings = bindings, .env = &flow};
    sh_build build = {.arena = sh_arena_new(32u << 20), .keep = json_array()};
    sh_jsonata_error error = {0};
    const sh_jsonata *jsonata = NULL;
    sh_err err = {0};
    outcome out = {0};

    out.status = sh_jsonata_parse(&build, text, length, &jsonata, NULL, &err);
    if (out.status) {
        out.message = strdup(err.message);
    } else {
        out.status = sh_jsonata_eval(jsonata, input, &env, &out.value, &error);
        out.unsupported = error.unsupported;
        if (out.status == SH_FAULT)
            out.message = sh_jsonata_error_text(&error);
    }
    sh_jsonata_error_clear(&error);
    json_decref(build.keep);
    sh_arena_free(build.arena);
    return out;
}

static void clear(outcome *out)
{
    json_decref(out->value);
    free(out->message);
}

static bool fits(const json_t *expected, const outcome *got)
{
    const char *message = json_string_value(json_object_get(expected, "m"));

    if (message)
        return got->message && !strcmp(got->message, message);
    if (got->message || got->status)
        return false;
    if (json_object_get(expected, "u"))
        return !got->value;
    return got->value && sh_value_equal(json_object_get(expected, "r"), got->value);
}

static void cases_of_the_table(void **state)
{
    json_error_t error;
    json_t *table = json_load_file(cases_file, JSON_ALLOW_NUL, &error), *item;
    size_t index, wrong = 0;

    (void)state;
    if (!table)
        fail_msg("%s: %s", cases_file, error.text);
    assert_true(json_array_size(json_object_get(table, "cases")) > 1000);
    json_array_foreach(json_object_get(table, "cases"), index, item)
    {
        const json_t *text = json_object_get(item, "e");
        outcome got = evaluate(json_string_value(text), json_string_length(text),
                               json_object_get(table, "input"), NULL);

        if (!fits(item, &got)) {
            char *value = got.value ? sh_flow_text(got.value) : NULL, *wanted = sh_flow_text(item);

            print_error("%s\n  gave %s %s\n", wanted, value ? value : "nothing",
                        got.message ? got.message : "");
            free(value);
            free(wanted);
            wrong++;
        }
        clear(&got);
    }
    json_decref(table);
    assert_int_equal(wrong, 0);
}

static const struct {
    const char *text, *value, *message; /* value NULL, message NULL: undefined */
} rows[] = {
    {"$", NULL, NULL},
    {"$$", NULL, NULL},
    {"$states.input.n", "3", NULL},
    {"$states.input", "{\"n\":3,\"big\":9007199254740993,\"r\":1.0}", NULL},
    {"$states.input.big", "9007199254740993", NULL},
    {"$v & '!'", "\"var!\"", NULL},
    {"$partition([1,2,3,4,5], 2)", "[[1,2],[3,4],[5]]", NULL},
    {"$partition([], 2)", "[]", NULL},
    {"$partition([1], 0)", NULL, "The second argument of $partition must be a positive integer"},
    {"$range(0, 6, 2)", "[0,2,4,6]", NULL},
    {"$range(5, 1, -2)", "[5,3,1]", NULL},
    {"$range(1, 5, 0)", NULL, "The third argument of $range must not be zero"},
    {"$hash('ab', 'MD5')", "\"02020202020202020202020202020202\"", NULL},
    {"$hash('ab', 'X')", NULL,
     "The second argument of $hash must be one of MD5, SHA-1, SHA-256, SHA-384, SHA-512"},
    {"$random(42)", "0.7275636800328681", NULL},
    {"$uuid()", "\"a5a5a5a5-a5a5-45a5-a5a5-a5a5a5a5a5a5\"", NULL},
    {"$random() < 1", "true", NULL},
    {"$parse('{\"a\":[1,2]}').a[1]", "2", NULL},
    {"$parse('[1')", NULL,
     "$parse: the argument is not valid JSON: ']' expected near end of file (line 1, column 2)"},
    {"$eval('1')", NULL, "T1006: Attempted to invoke a non-function"},
    {"$now()", "\"2023-11-14T22:13:20.123Z\"", NULL},
    {"$millis()", "1700000000123", NULL},
    {"$now('[H01]:[m01]', '+0100')", "\"23:13\"", NULL},
    {"$toMillis('10:30', '[H]:[m]')", "1699957800000", NULL},
    {"1/0", "\"Infinity\"", NULL},
    {"{'k': -1/0}", "{\"k\":\"-Infinity\"}", NULL},
    {"6/2", "3", NULL},
    {"1e15 * 1.0", "1000000000000000", NULL},
    {"$sum([1..900000])", NULL,
     "Expression evaluation memory limit exceeded: Check for excessive memory usage"},
    {"[1..10000001]", NULL,
     "D2014: The size of the sequence allocated by the range operator (..) must not exceed 1e7.  Attempted "
     "to "
     "allocate 10000001."},
    {"($f := function($n) { $n = 0 ? 0 : $f($n - 1) }; $f(20000))", "0", NULL},
    {"($f := function($n) { $n = 0 ? 0 : 1 + $f($n - 1) }; $f(1000))", NULL,
     "Stack overflow error: Check for non-terminating recursive function. Consider rewriting as "
     "tail-recursive."},
    {"($f := function() { $f() }; $f())", NULL, "Expression evaluation timeout: Check for infinite loop"},
    {"($a := [1..9999]; [1..2000].{'a': $a})", NULL,
     "Expression evaluation timeout: Check for infinite loop"},
    {"($s := $pad('x', 1000000); [1..99].{'s': $s})", NULL,
     "Expression evaluation timeout: Check for infinite loop"},
    {"($f := $reduce([1..2000], function($a, $b) { [[$a]] }); $string($f))", NULL, "value nested too deeply"},
    {"$reduce([1..2000], function($a, $b) { [[$a]] })", NULL, "result nested too deeply"},
    {"$match($pad('', 40, 'a') & 'b', /(a+)+$/)", NULL, NULL},
    {"($p := function($s, $n) { $n = 0 ? $s : $p($s & $s, $n - 1) }; $length($p('x', 22)))", "4194304", NULL},
    {"($p := function($s, $n) { $n = 0 ? $s : $p($s & $s, $n - 1) }; $length($p('x', 23)))", NULL,
     "Expression evaluation memory limit exceeded: Check for excessive memory usage"},
    {"'\\uD800'", "\"?\"", NULL},
    {"$encodeUrl('\\uD800')", NULL, "D3140: Malformed URL passed to $encodeUrl(): \"?\?\?\""},
    {"{'\\uD800': '\\uDC00'}", "{\"?\":\"?\"}", NULL},
    {"$base64decode('!')", NULL, "Illegal base64 character"},
};

static void check_expression(size_t i, const json_t *bindings)
{
    outcome got = evaluate(rows[i].text, strlen(rows[i].text), NULL, bindings);
    char *text = got.value ? sh_flow_text(got.value) : NULL;

    /* a regular expression that goes on for ever may end either way, but it ends */
    if (!strstr(rows[i].text, "(a+)+") &&
        ((rows[i].message ? !got.message || strcmp(rows[i].message, got.message) : got.message != NULL) ||
         (rows[i].value ? !text || strcmp(text, rows[i].value) : text != NULL)))
        fail_msg("%s gave %s, %s", rows[i].text, text ? text : "nothing",
                 got.message ? got.message : "no message");
    free(text);
    clear(&got);
}

static void rows_without_input(void **state)
{
    static const char text[] =
        "{\"states\":{\"input\":{\"n\":3,\"big\":9007199254740993,\"r\":1.0}},\"v\":\"var\"}";
    json_t *bindings = NULL;

    (void)state;
    assert_int_equal(sh_flow_load(&bindings, text, sizeof(text) - 1, NULL), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        check_expression(i, bindings);
    json_decref(bindings);
}

static void a_function_is_no_result(void **state)
{
    static const char *const texts[] = {"$sum", "[function($x){$x}]", "{'f': /a/}"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        outcome got = evaluate(texts[i], strlen(texts[i]), NULL, NULL);

        assert_int_equal(got.status, SH_FAULT);
        assert_true(got.unsupported);
        clear(&got);
    }
}

static void append_name(void *opaque, const char *name, const char *path, size_t position)
{
    sh_buf *buf = opaque;

    sh_buf_printf(buf, "%s%s%s@%zu ", name, path ? "." : "", path ? path : "", position);
}

static void free_variables(void **state)
{
    static const char text[] =
        "($a := $b; $c := function($d){$d + $a + $e.f[$g]}; $sum($.x@$h#$i.($h + $i + $j)); "
        "$states.input.y & $states)";
    sh_build build = {.arena = sh_arena_new(1u << 20), .keep = json_array()};
    const sh_jsonata *jsonata = NULL;
    sh_buf found;

    (void)state;
    sh_buf_init(&found, 4096);
    assert_int_equal(sh_jsonata_parse(&build, text, sizeof(text) - 1, &jsonata, NULL, NULL), 0);
    sh_jsonata_variables(jsonata, append_name, &found);
    assert_string_equal(sh_buf_cstr(&found), "b@7 e.f@40 g@45 .x@56 j@77 states.input@83 states@101 ");
    sh_buf_free(&found);
    json_decref(build.keep);
    sh_arena_free(build.arena);
}

static void deep_text(void **state)
{
    static const char *const parts[] = {"(",  "[",   "{'a':",         "1+",   "-",   "a.",
                                        "a[", "$f(", "function($x){", "a?1:", "/(/", "a{b:"};

    (void)state;
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        size_t step = strlen(parts[i]), length = step * 20000;
        char *text = malloc(length);
        outcome got;

        for (size_t k = 0; k < length; k += step)
            memcpy(text + k, parts[i], step);
        got = evaluate(text, length, NULL, NULL);
        assert_true(got.status < 0 && got.message);
        clear(&got);
        free(text);
    }
}

static void position_of_errors(void **state)
{
    sh_build build = {.arena = sh_arena_new(1u << 20), .keep = json_array()};
    const sh_jsonata *jsonata = NULL;
    size_t position = 0;
    sh_err err = {0};

    (void)state;
    assert_int_equal(sh_jsonata_parse(&build, "a[1,2)", 6, &jsonata, &position, &err), SH_E_FORMAT);
    assert_string_equal(err.message, "S0202: Expected \"]\", got \",\"");
    assert_int_equal(position, 4);
    assert_null(jsonata);
    json_decref(build.keep);
    sh_arena_free(build.arena);
}

static void each_allocation_fails(void **state)
{
    static const char text[] = "{'a': [1, 'x', true, null, 2.5], 'p': $parse('[1,2]'), 'n': $now()}";
    bool done = false;

    (void)state;
    for (long n = 0; !done; n++) {
        outcome got;

        assert_true(n < 1000);
        json_set_alloc_funcs(check_malloc, free);
        check_allocations = n;
        got = evaluate(text, sizeof(text) - 1, NULL, NULL);
        check_allocations = -1;
        json_set_alloc_funcs(malloc, free);
        done = !got.status;
        if (!done && got.status != SH_E_MEMORY)
            fail_msg("allocation %ld: status %d, %s", n, got.status, got.message ? got.message : "");
        assert_true(done ? got.value != NULL : got.status == SH_E_MEMORY && !got.value);
        clear(&got);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases_of_the_table),
        cmocka_unit_test(rows_without_input),
        cmocka_unit_test(a_function_is_no_result),
        cmocka_unit_test(free_variables),
        cmocka_unit_test(deep_text),
        cmocka_unit_test(position_of_errors),
        cmocka_unit_test(each_allocation_fails),
    };

    if (argc < 2) {
        fprintf(stderr, "usage: %s CASES\n", argv[0]);
        return 2;
    }
    cases_file = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
