/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every field of the table, wrong in every way that its row tells: each refusal has the right status and
 * begins with the field's path, and what a row accepts is not refused by that field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/size.h"
#include "cloud/jobs/mc_settings.h"
#include "cloud/jobs/mc_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* {"a": [{"b": value}]} for ".a[].b", built from the inside. Takes value. */
static json_t *document(const char *pattern, json_t *value)
{
    char names[32][64];
    size_t count = 0;
    for (const char *at = pattern; *at;) {
        size_t length = *at == '.' ? 1 + strcspn(at + 1, ".[{") : 2;
        assert_true(count < 32 && length < 64);
        snprintf(names[count++], 64, "%.*s", (int)length, at);
        at += length;
    }
    while (count-- > 0) {
        json_t *outer = names[count][0] == '[' ? json_array() : json_object();
        if (names[count][0] == '[')
            json_array_append_new(outer, value);
        else
            json_object_set_new(outer, names[count][0] == '{' ? "A name" : names[count] + 1, value);
        value = outer;
    }
    return value;
}

/* "/a/0/b" for ".a[].b"; ends in ':' as in a message. */
static void path_of(const char *pattern, char *path, size_t size)
{
    size_t used = 0;
    for (const char *at = pattern; *at && used + 16 < size; at++)
        if (*at == '.')
            path[used++] = '/';
        else if (*at == '[')
            used += (size_t)snprintf(path + used, size - used, "/0");
        else if (*at == '{')
            used += (size_t)snprintf(path + used, size - used, "/A name");
        else if (*at != ']' && *at != '}')
            path[used++] = *at;
    snprintf(path + used, size - used, "%s:", used ? "" : "/");
}

/* What this value of the field comes to: 0 when it is not this field that is refused. Takes value. */
static int outcome(const sh_mc_row *row, json_t *value)
{
    char path[512];
    sh_mc_job *job = NULL;
    sh_err err = {0};
    json_t *settings = document(row->path, value);
    int status = sh_mc_job_read(&job, settings, &err);
    path_of(row->path, path, sizeof(path));
    json_decref(settings);
    sh_mc_job_free(job);
    return status < 0 && strncmp(err.message, path, strlen(path)) == 0 ? status : 0;
}

static void expect(const sh_mc_row *row, const char *what, json_t *value, int status)
{
    int got = outcome(row, value);
    if (got != status)
        fail_msg("%s, %s: %d instead of %d", row->path, what, got, status);
}

static json_t *wrong(int type)
{
    return type == SH_MC_STRING || type == SH_MC_ENUM ? json_integer(7) : json_string("x");
}

static void check_words(const sh_mc_row *row)
{
    char word[80], list[4096];
    expect(row, "an unknown word", json_string("NO_SUCH_WORD"), SH_E_ARGUMENT);
    expect(row, "small letters", json_string("no"), SH_E_ARGUMENT);
    for (const char *at = row->values; *at; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        snprintf(word, sizeof(word), " %.*s ", (int)length, at);
        at += length;
        snprintf(list, sizeof(list), " %s %s ", row->made ? row->made : row->values,
                 row->near ? row->near : "");
        bool made = strstr(list, word) != NULL;
        word[strlen(word) - 1] = '\0';
        expect(row, word, json_string(word + 1), made ? 0 : SH_E_UNSUPPORTED);
    }
}

static void check_number(const sh_mc_row *row)
{
    if (row->type == SH_MC_INTEGER) {
        expect(row, "a fraction", json_real(row->min + 0.5), SH_E_ARGUMENT);
        expect(row, "too little", json_integer((json_int_t)row->min - 1), SH_E_ARGUMENT);
        expect(row, "too much", json_integer((json_int_t)row->max + 1), SH_E_ARGUMENT);
    } else {
        expect(row, "too little", json_real(row->min - 1), SH_E_ARGUMENT);
        expect(row, "too much", json_real(row->max + 1), SH_E_ARGUMENT);
    }
    if (row->made) {
        expect(row, "what is made", json_integer(atoll(row->made)), 0);
        expect(row, "what is not", json_integer(atoll(row->made) + 1), SH_E_UNSUPPORTED);
    } else {
        expect(row, "the least", json_integer((json_int_t)row->min), 0);
        expect(row, "the most", json_integer((json_int_t)row->max), 0);
    }
}

static void check_text(const sh_mc_row *row)
{
    size_t most = (size_t)row->max;
    char *text = malloc(most + 2);
    memset(text, 'x', most + 1);
    text[most + 1] = '\0';
    expect(row, "too long", json_string(text), SH_E_ARGUMENT);
    free(text);
    if (row->min > 0)
        expect(row, "nothing", json_string(""), SH_E_ARGUMENT);
    expect(row, "a control character", json_string("1234567\n890"), SH_E_ARGUMENT);
}

static void check_list(const sh_mc_row *row)
{
    json_t *list = json_array();
    if (row->min > 0)
        expect(row, "an empty list", json_array(), SH_E_ARGUMENT);
    for (int i = 0; i <= row->max; i++)
        json_array_append_new(list, json_object());
    expect(row, "too many", list, SH_E_UNSUPPORTED);
}

static void every_field_is_checked(void **state)
{
    size_t count = 0;
    for (const sh_mc_row *row; (row = sh_mc_row_at(count)); count++) {
        if (row->use == SH_MC_NOT_MADE) {
            expect(row, "anything", json_object(), SH_E_UNSUPPORTED);
            continue;
        }
        expect(row, "a wrong type", wrong(row->type), SH_E_ARGUMENT);
        expect(row, "null", json_null(), SH_E_ARGUMENT);
        if (row->type == SH_MC_ENUM)
            check_words(row);
        else if (row->type == SH_MC_INTEGER || row->type == SH_MC_NUMBER)
            check_number(row);
        else if (row->type == SH_MC_STRING)
            check_text(row);
        else if (row->type == SH_MC_ARRAY)
            check_list(row);
    }
    assert_true(count > 400);
}

static void rows_are_well_formed(void **state)
{
    const sh_mc_row *row, *other;
    for (size_t i = 0; (row = sh_mc_row_at(i)); i++) {
        assert_int_equal(row->type == SH_MC_ENUM && row->use != SH_MC_NOT_MADE, row->values != NULL);
        assert_int_equal(row->near != NULL, row->instead != NULL);
        assert_true(row->min <= row->max);
        for (size_t k = 0; k < i; k++)
            if (strcmp((other = sh_mc_row_at(k))->path, row->path) == 0)
                fail_msg("%s: two rows", row->path);
    }
}

static void what_no_row_names_is_unknown(void **state)
{
    static const char *const paths[] = {".nonesuch", ".inputs[].nonesuch",
                                        ".outputGroups[].outputs[].nonesuch",
                                        ".inputs[].audioSelectors{}.nonesuch"};
    for (size_t i = 0; i < SH_COUNT(paths); i++) {
        const sh_mc_row row = {.path = paths[i]};
        expect(&row, "unknown", json_integer(1), SH_E_ARGUMENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_checked),
        cmocka_unit_test(rows_are_well_formed),
        cmocka_unit_test(what_no_row_names_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
