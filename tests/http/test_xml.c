/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "arena_case.h"
#include "cloud/http/xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void reads_elements(void **state)
{
    static const char text[] =
        "<?xml version=\"1.0\"?><s3:Delete xmlns:s3=\"http://x/\" a='1'>"
        "<Object><Key>a &amp; b&#10;</Key></Object><Quiet/><Object><Key>c</Key></Object></s3:Delete>";
    sh_xml *root = NULL;
    (void)state;
    assert_int_equal(sh_xml_parse(text, strlen(text), arena, &root, NULL), 0);
    assert_string_equal(root->name, "Delete");
    const sh_xml *object = sh_xml_child(root, "Object");
    assert_string_equal(sh_xml_text(object, "Key"), "a & b\n");
    object = sh_xml_next(object, "Object");
    assert_string_equal(sh_xml_text(object, "Key"), "c");
    assert_null(sh_xml_next(object, "Object"));
    assert_string_equal(sh_xml_text(root, "Quiet"), "");
    assert_null(sh_xml_text(root, "None"));
    assert_null(sh_xml_child(NULL, "None"));
}

static void refuses_with_line_and_column(void **state)
{
    static const char *const bad[] = {
        "",
        "text",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<a>&undefined;</a>",
        "<!DOCTYPE a [<!ENTITY e \"eeee\">]><a>&e;</a>",
        "<a>\xFF</a>",
        "<a:/>",
        "<a:></a:>",
        "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a/>",
        "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        sh_err err = {0};
        sh_xml *root = NULL;
        assert_int_equal(sh_xml_parse(bad[i], strlen(bad[i]), arena, &root, &err), SH_E_FORMAT);
        assert_non_null(strstr(err.message, "line "));
        assert_null(root);
    }
    sh_err err = {0};
    sh_xml *root = NULL;
    assert_int_equal(sh_xml_parse("<a>\n<b>\n</c>", 12, arena, &root, &err), SH_E_FORMAT);
    assert_non_null(strstr(err.message, "line 3, column 3"));
}

static void is_bounded_by_the_arena(void **state)
{
    sh_arena *small = sh_arena_new(256);
    sh_xml *root = NULL;
    (void)state;
    static const char text[] = "<a><b>0123456789</b><b>0123456789</b><b>0123456789</b><b>0123456789</b></a>";
    assert_int_equal(sh_xml_parse(text, strlen(text), small, &root, NULL), SH_E_FORMAT);
    sh_arena_free(small);
}

static void writes_escaped(void **state)
{
    sh_buf out;
    (void)state;
    sh_buf_init(&out, 1000);
    sh_xml_begin(&out);
    sh_xml_open(&out, "A b=\"c\"");
    sh_xml_put(&out, "K", "<&>\"'\n\x01ü");
    sh_xml_put_int(&out, "N", -5);
    sh_xml_close(&out, "A b=\"c\"");
    assert_string_equal(sh_buf_cstr(&out),
                        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<A b=\"c\"><K>&lt;&amp;&gt;&quot;'"
                        "&#xa;&#x1;ü</K><N>-5</N></A>");
    sh_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_elements),
        cmocka_unit_test(refuses_with_line_and_column),
        cmocka_unit_test(is_bounded_by_the_arena),
        cmocka_unit_test(writes_escaped),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
