/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A table of bodies and what their parts are, each in pieces of every size. */
#include "cloud/http/form.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TYPE "multipart/form-data; boundary=b"
#define PART(name) "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"

static int on_begin(void *opaque, const sh_form_part *part)
{
    return sh_buf_printf(opaque, "<%s|%s|%s>", part->name, part->filename ? part->filename : "-",
                         part->type ? part->type : "-");
}

static int on_bytes(void *opaque, const void *bytes, size_t length)
{
    return sh_buf_append(opaque, bytes, length);
}

static int on_end(void *opaque)
{
    return sh_buf_puts(opaque, ";");
}

static int parse(const char *type, const char *body, size_t step, sh_buf *out)
{
    sh_form *form = NULL;
    sh_form_events events = {out, on_begin, on_bytes, on_end};
    size_t length = strlen(body);
    int status = sh_form_new(&form, type, &events, NULL);
    for (size_t at = 0; at < length && status == 0; at += step)
        status = sh_form_push(form, body + at, length - at < step ? length - at : step, NULL);
    if (status == 0)
        status = sh_form_finish(form, NULL);
    sh_form_free(form);
    return status;
}

static void bodies(void **state)
{
    static const struct {
        const char *type, *body, *found; /* NULL: refused */
    } rows[] = {
        {TYPE, PART("a") "1\r\n" PART("b") "\r\n--b--\r\n", "<a|-|->1;<b|-|->;"},
        {TYPE, PART("a") "\r\n\r\n--\r\n-b\r\n--c\r\r\n--b--", "<a|-|->\r\n\r\n--\r\n-b\r\n--c\r;"},
        {TYPE, "preamble\r\n" PART("a") "1\r\n--b--epilogue\r\n--b\r\n", "<a|-|->1;"},
        {TYPE, "--b--\r\n", ""},
        {TYPE, PART("a") "--b--", "<a|-|->;"}, /* the line end of the empty line is the delimiter's */
        {TYPE, PART("a") "x--b--", NULL},      /* inside a line */
        {TYPE,
         "--b\r\nContent-Type: t/x \r\ncontent-disposition:form-data;name=a; filename=\"x "
         "\\\"y\\\".z\"\r\n\r\n1\r\n--b--",
         "<a|x \"y\".z|t/x>1;"},
        {TYPE, "--b\nContent-Disposition: form-data; name=a\n\n1\r\n--b--", "<a|-|->1;"},
        {TYPE, "--b \t\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--b--", "<a|-|->1;"},
        {"Multipart/Form-Data; charset=x; BOUNDARY=\"b\"", PART("a") "1\r\n--b--", "<a|-|->1;"},
        {TYPE, "", NULL},
        {TYPE, PART("a") "1\r\n", NULL},
        {TYPE, PART("a"), NULL},
        {TYPE, "--bx\r\n\r\n--b--", NULL},
        {TYPE, "--b\r\n\r\n1\r\n--b--", NULL},
        {TYPE, "--b\r\nContent-Disposition: attachment; name=a\r\n\r\n1\r\n--b--", NULL},
        {TYPE, "--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--", NULL},
        {"multipart/form-data", PART("a") "1\r\n--b--", NULL},
        {"multipart/form-data; boundary=\"\"", PART("a") "1\r\n--b--", NULL},
    };
    sh_buf out;
    (void)state;
    sh_buf_init(&out, 65536);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t step = 1; step <= strlen(rows[i].body) + 1; step++) {
            sh_buf_clear(&out);
            assert_int_equal(parse(rows[i].type, rows[i].body, step, &out), rows[i].found ? 0 : SH_E_FORMAT);
            if (rows[i].found)
                assert_string_equal(sh_buf_cstr(&out), rows[i].found);
        }
    sh_buf_free(&out);
}

static void kinds(void **state)
{
    (void)state;
    assert_true(sh_form_is("multipart/form-data"));
    assert_true(sh_form_is("MULTIPART/form-data ; x"));
    assert_false(sh_form_is("multipart/form-database"));
    assert_false(sh_form_is("text/plain"));
    assert_false(sh_form_is(NULL));
    sh_form_free(NULL);
}

static int refuse(void *opaque)
{
    (void)opaque;
    return SH_E_CANCELLED;
}

static void a_callback_ends_it(void **state)
{
    sh_buf out;
    sh_form *form = NULL;
    sh_form_events events = {&out, on_begin, on_bytes, refuse};
    const char body[] = PART("a") "1\r\n--b--";
    (void)state;
    sh_buf_init(&out, 65536);
    assert_int_equal(sh_form_new(&form, TYPE, &events, NULL), 0);
    assert_int_equal(sh_form_push(form, body, strlen(body), NULL), SH_E_CANCELLED);
    sh_form_free(form);
    sh_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies),
        cmocka_unit_test(kinds),
        cmocka_unit_test(a_callback_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
