/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tokens of shares, and the types of the files of streams. */
#include "cloud/api/share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define END_MS ((int64_t)1900000000 * 1000)

static sh_cloud cloud = {.token_key = "a key of thirty-two bytes......"};

static void make(const char *id, char token[SH_SHARE_TOKEN_TEXT])
{
    assert_true(sh_share_token(&cloud, id, END_MS, token));
    assert_int_equal(strlen(token), SH_SHARE_TOKEN_TEXT - 1);
}

static void token_gives_its_id(void **state)
{
    char token[SH_SHARE_TOKEN_TEXT], id[17];
    (void)state;
    for (int i = 0; i < 256; i++) {
        char wanted[17];
        snprintf(wanted, sizeof(wanted), "%016llx", 0x9e3779b97f4a7c15ull * (unsigned long long)i);
        make(wanted, token);
        assert_int_equal(strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
                         strlen(token));
        assert_int_equal(sh_share_check(&cloud, token, strlen(token), END_MS - 1, id), SH_SHARE_GOOD);
        assert_string_equal(id, wanted);
    }
}

static void token_expires(void **state)
{
    char token[SH_SHARE_TOKEN_TEXT], id[17];
    (void)state;
    make("0123456789abcdef", token);
    assert_int_equal(sh_share_check(&cloud, token, strlen(token), END_MS - 1000, id), SH_SHARE_GOOD);
    assert_int_equal(sh_share_check(&cloud, token, strlen(token), END_MS, id), SH_SHARE_EXPIRED);
    assert_int_equal(sh_share_check(&cloud, token, strlen(token), INT64_MAX, id), SH_SHARE_EXPIRED);
}

static void no_other_token_is_good(void **state)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=.\x80";
    char token[SH_SHARE_TOKEN_TEXT], id[17];
    sh_cloud other = {.token_key = "another key of thirty-two bytes"};
    (void)state;
    make("0123456789abcdef", token);
    size_t length = strlen(token), good = 0;
    for (size_t at = 0; at < length; at++) {
        char kept = token[at];
        for (const char *c = letters; *c; c++) {
            token[at] = *c;
            good += sh_share_check(&cloud, token, length, END_MS - 1, id) == SH_SHARE_GOOD;
        }
        token[at] = kept;
    }
    assert_int_equal(good, length); /* itself, each time */
    for (size_t i = 0; i < length; i++)
        assert_int_equal(sh_share_check(&cloud, token, i, END_MS - 1, id), SH_SHARE_FORGED);
    assert_int_equal(sh_share_check(&other, token, length, END_MS - 1, id), SH_SHARE_FORGED);
}

static void ids_are_hex(void **state)
{
    char token[SH_SHARE_TOKEN_TEXT];
    (void)state;
    assert_false(sh_share_token(&cloud, "not hexadecimal!", END_MS, token));
}

static void types(void **state)
{
    (void)state;
    assert_string_equal(sh_share_type("a/index.m3u8"), "application/vnd.apple.mpegurl");
    assert_string_equal(sh_share_type("a/INDEX.M3U8"), "application/vnd.apple.mpegurl");
    assert_string_equal(sh_share_type("manifest.mpd"), "application/dash+xml");
    assert_string_equal(sh_share_type("v/1.m4s"), "video/iso.segment");
    assert_string_equal(sh_share_type("v/init.mp4"), "video/mp4");
    assert_string_equal(sh_share_type("v/1.ts"), "video/mp2t");
    assert_string_equal(sh_share_type("de.vtt"), "text/vtt");
    assert_null(sh_share_type("page.html"));
    assert_null(sh_share_type("ts"));
    assert_null(sh_share_type(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_gives_its_id),
        cmocka_unit_test(token_expires),
        cmocka_unit_test(no_other_token_is_good),
        cmocka_unit_test(ids_are_hex),
        cmocka_unit_test(types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
