/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The documentation's example of a chunked upload: 66,560 bytes of 'a' in chunks of 64 KiB and 1 KiB. */
#include "cloud/http/chunked.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

enum { TOTAL = 66560, FIRST = 65536 };

static sh_sigv4 claim_of(sh_payload kind)
{
    sh_sigv4 claim = {.date = "20130524",
                      .stamp = "20130524T000000Z",
                      .region = "us-east-1",
                      .service = "s3",
                      .signature = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
                      .payload_kind = kind};
    assert_true(sh_sigv4_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", claim.date, claim.region,
                             claim.service, claim.key));
    return claim;
}

static void make_example(sh_buf *body)
{
    static char a[FIRST];
    memset(a, 'a', sizeof(a));
    sh_buf_init(body, 1 << 20);
    sh_buf_puts(body,
                "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n");
    sh_buf_append(body, a, FIRST);
    sh_buf_puts(
        body, "\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n");
    sh_buf_append(body, a, TOTAL - FIRST);
    sh_buf_puts(
        body,
        "\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n");
}

static int collect(void *opaque, const void *bytes, size_t length)
{
    return sh_buf_append(opaque, bytes, length);
}

/* Pushes `body` in pieces of `step` bytes; the first failure, or that of the end. */
static int decode(sh_payload kind, const char *body, size_t length, size_t step, sh_buf *out,
                  const char *trailer, char *value)
{
    sh_chunked *chunked;
    sh_err err = {0};
    sh_sigv4 claim = claim_of(kind);
    int status = 0;
    assert_int_equal(sh_chunked_new(&chunked, &claim, collect, out, &err), 0);
    for (size_t at = 0; status == 0 && at < length; at += step)
        status = sh_chunked_push(chunked, body + at, length - at < step ? length - at : step, &err);
    if (status == 0)
        status = sh_chunked_finish(chunked, &err);
    if (status < 0)
        assert_string_not_equal(err.message, "");
    if (trailer && sh_chunked_trailer(chunked, trailer))
        strncat(value, sh_chunked_trailer(chunked, trailer), 60);
    if (status == 0)
        assert_int_equal(sh_chunked_total(chunked), out->length);
    sh_chunked_free(chunked);
    return status;
}

static void example_in_any_pieces(void **state)
{
    static const size_t steps[] = {1, 7, 4096, 1 << 20};
    sh_buf body, out;
    (void)state;
    make_example(&body);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        sh_buf_init(&out, 1 << 20);
        assert_int_equal(decode(SH_PAYLOAD_CHUNKS, body.data, body.length, steps[i], &out, NULL, NULL), 0);
        assert_int_equal(out.length, TOTAL);
        assert_int_equal(strspn(out.data, "a"), TOTAL);
        sh_buf_free(&out);
    }
    sh_buf_free(&body);
}

static void tampering_and_cuts(void **state)
{
    sh_buf body, out;
    (void)state;
    make_example(&body);
    sh_buf_init(&out, 1 << 20);
    static const size_t cuts[] = {0, 5, 50, 100, 65000, 66000};
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        sh_buf_clear(&out);
        assert_int_equal(decode(SH_PAYLOAD_CHUNKS, body.data, cuts[i], 4096, &out, NULL, NULL), SH_E_FORMAT);
    }
    body.data[200] = 'b';
    sh_buf_clear(&out);
    assert_int_equal(decode(SH_PAYLOAD_CHUNKS, body.data, body.length, 4096, &out, NULL, NULL),
                     SH_E_CONFLICT);
    body.data[200] = 'a';
    body.data[body.length - 8] ^= 1; /* in the last signature */
    sh_buf_clear(&out);
    assert_int_equal(decode(SH_PAYLOAD_CHUNKS, body.data, body.length, 4096, &out, NULL, NULL),
                     SH_E_CONFLICT);
    sh_buf_free(&out);
    sh_buf_free(&body);
}

static void unsigned_with_trailer(void **state)
{
    static const char body[] = "4\r\ndata\r\nA\r\n0123456789\r\n0\r\nx-amz-checksum-crc32: AAAAAA==\r\n\r\n";
    char value[64] = "";
    sh_buf out;
    (void)state;
    sh_buf_init(&out, 1000);
    assert_int_equal(
        decode(SH_PAYLOAD_UNSIGNED_TRAILER, body, sizeof(body) - 1, 1, &out, "X-Amz-Checksum-CRC32", value),
        0);
    assert_string_equal(sh_buf_cstr(&out), "data0123456789");
    assert_string_equal(value, "AAAAAA==");
    sh_buf_free(&out);
}

static void malformed(void **state)
{
    static const char *const bad[] = {
        "",
        "x\r\n",
        "-4\r\ndata\r\n0\r\n\r\n",
        "4data\r\n",
        "4\r\ndata0\r\n\r\n",
        "4\r\ndat",
        "4\r\ndata\r\n",
        "fffffffffffffffff\r\n",
        "0\r\nno colon\r\n\r\n",
        "0\r\n\r\nmore",
    };
    sh_buf out;
    (void)state;
    sh_buf_init(&out, 1000);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        for (size_t step = 1; step < 4; step++)
            assert_int_equal(
                decode(SH_PAYLOAD_UNSIGNED_TRAILER, bad[i], strlen(bad[i]), step, &out, NULL, NULL),
                SH_E_FORMAT);
    /* Signed chunks must be signed, and a promised trailer signature must come. */
    assert_int_equal(decode(SH_PAYLOAD_CHUNKS, "4\r\ndata\r\n0\r\n\r\n", 14, 14, &out, NULL, NULL),
                     SH_E_FORMAT);
    sh_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example_in_any_pieces),
        cmocka_unit_test(tampering_and_cuts),
        cmocka_unit_test(unsigned_with_trailer),
        cmocka_unit_test(malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
